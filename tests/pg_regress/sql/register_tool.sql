-- mcp.register_tool: who may, what is refused, how arguments reach the function, what it may answer, who sees it.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE regress_registrar NOLOGIN;
GRANT mcp_admin TO regress_registrar;
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO authenticated, regress_registrar, regress_app;
SELECT t.key('rpc', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', scopes => '{execute:rpc}'), t.key('rpc2', user_id => 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', scopes => '{execute:rpc}');
CREATE FUNCTION app.listed(of text) RETURNS text LANGUAGE sql AS $$
SELECT coalesce(string_agg(tool ->> 'name', ' ' ORDER BY n) FILTER (WHERE n > 0), '(none)')
  FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential(of), NULL) AS h,
       jsonb_array_elements(h.body::jsonb #> '{result,tools}') WITH ORDINALITY AS tools(tool, n)
 WHERE tool ->> 'name' NOT IN ('query_table', 'insert_record', 'update_record', 'delete_record', 'write_batch', 'list_tables', 'describe_table')
$$;
CREATE FUNCTION app.entry(of text) RETURNS text LANGUAGE sql AS $$
SELECT tool FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('rpc'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h,
       jsonb_array_elements(h.body::jsonb #> '{result,tools}') AS tool WHERE tool ->> 'name' = of
$$;

-- Who may.
CREATE FUNCTION app.add(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
REVOKE EXECUTE ON FUNCTION app.add FROM PUBLIC;
SET ROLE regress_app;
SELECT mcp.register_tool('add', 'app.add(int,int)', 'Add two numbers.');
SELECT mcp.unregister_tool('add');
SELECT * FROM mcp.tools;
RESET ROLE;
SET ROLE regress_registrar;
SELECT mcp.register_tool('add', 'app.add(int,int)', 'Add two numbers.');
RESET ROLE;
GRANT EXECUTE ON FUNCTION app.add TO regress_registrar;
SET ROLE regress_registrar;
SELECT mcp.register_tool('add', 'app.add(int,int)', 'Add two numbers.');
SELECT name, function, title, description, input_schema, output_schema, scopes, annotations, registered_by, problem FROM mcp.tools;
SELECT * FROM mcp._tools;
SELECT mcp._check_tool('x', 'app.add(int,int)'::regprocedure, NULL, NULL, NULL);
RESET ROLE;
-- Nobody registers from within a tool, not even an admin.
CREATE FUNCTION app.inside() RETURNS text LANGUAGE sql AS $$ SELECT t.try($q$SELECT mcp.register_tool('own', 'app.add(int,int)', 'x')$q$) || ' | ' || t.try($q$SELECT mcp.unregister_tool('add')$q$) $$;
SELECT mcp.register_tool('inside', 'app.inside()', 'Try to register.');
SELECT t.call('inside');
SELECT mcp.unregister_tool('inside'), mcp.unregister_tool('inside'), mcp.unregister_tool(NULL);

-- Only those who may execute the function see the tool: EXECUTE, USAGE on the schema, scope, allow-lists.
SELECT app.listed('rpc'), t.via('rpc', 'add', '{"a": 1}');
GRANT EXECUTE ON FUNCTION app.add TO authenticated;
SELECT app.listed('rpc'), t.via('rpc', 'add', '{"a": 1}'), t.via('rpc', 'add', '{"a": 1, "b": 2}'), app.listed('a'), t.via('a', 'add', '{"a": 1}'), app.listed('service');
REVOKE USAGE ON SCHEMA app FROM authenticated;
SELECT app.listed('rpc'), t.via('rpc', 'add', '{"a": 1}');
GRANT USAGE ON SCHEMA app TO authenticated;
SET mcp.allowed_tools = 'query_table';
SELECT app.listed('rpc'), t.via('rpc', 'add', '{"a": 1}');
RESET mcp.allowed_tools;
SELECT t.via('rpc', 'add', '{"a": 1}', '{"allowed_tools": ["query_table"]}'), t.via('rpc', 'add', '{"a": 1}', '{"allowed_tools": ["add"]}'), t.via('rpc', 'ad', '{"a": 1}');
SELECT mcp.register_tool('add', 'app.add(int,int)', 'Add.', scopes => '{read:tables,write:tables}');
SELECT app.listed('rpc'), app.listed('a'), t.via('a', 'add', '{"a": 1}'), t.via('rpc', 'add', '{"a": 1}');
SELECT mcp.register_tool('add', 'app.add(int,int)', 'Add.', scopes => '{}');
SELECT app.listed('rpc'), app.listed('a');
-- A schema is hidden from table tools, not from a function that somebody registered.
SET mcp.hidden_schemas = 'auth, app';
SELECT t.via('rpc', 'add', '{"a": 1}');
RESET mcp.hidden_schemas;
-- The arguments are not looked at before.
SELECT mcp.register_tool('add', 'app.add(int,int)', 'Add two numbers.', title => 'Addition');
SELECT t.via('a', 'add', '{"nonsense": 1}');

-- What is refused.
CREATE FUNCTION app.rows_of() RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.table_of() RETURNS TABLE (x int) LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE app.proc() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.trig() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION app.any_of(x anyelement) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.unnamed(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.bytes() RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;
CREATE FUNCTION pg_temp.temporary() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT f, t.try(format($$SELECT mcp.register_tool('x', %L, 'x')$$, f))
  FROM unnest(ARRAY['app.rows_of()', 'app.table_of()', 'app.proc()', 'app.trig()', 'app.any_of(anyelement)', 'app.unnamed(int,int)', 'app.bytes()', 'pg_temp.temporary()', 'pg_catalog.sum(int)', 'app.none()', 'add']) AS f;
SELECT n, t.try(format($$SELECT mcp.register_tool(%L, 'app.add(int,int)', 'x')$$, n)) FROM unnest(ARRAY['query_table', 'Query_Table', '', 'a b', 'é', repeat('x', 65), NULL]) AS n;
SELECT t.try($$SELECT mcp.register_tool('x', 'app.add(int,int)', '')$$), t.try($$SELECT mcp.register_tool('x', 'app.add(int,int)', NULL)$$), t.try($$SELECT mcp.register_tool('x', NULL, 'x')$$),
       t.try($$SELECT mcp.register_tool('x', 'app.add(int,int)', 'x', scopes => '{execute:everything}')$$), t.try($$SELECT mcp.register_tool('x', 'app.add(int,int)', 'x', scopes => '{NULL}')$$);
SELECT a, t.try(format($$SELECT mcp.register_tool('x', 'app.add(int,int)', 'x', annotations => %L)$$, a)) FROM unnest(ARRAY['[]', '{"readOnly": true}', '{"readOnlyHint": 1}']) AS a;
CREATE FUNCTION app.whole(args jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT args';
SELECT left(s, 60), t.try(format($$SELECT mcp.register_tool('x', 'app.whole(jsonb)', 'x', %L)$$, s))
  FROM unnest(ARRAY['[]', '1', '{}', '{"type": "array"}', '{"type": "object", "properties": 1}', '{"type": "object", "properties": {"a": {"type": "strng"}}}', '{"type": "object", "properties": {"a": {"$ref": "https://example.org/x"}}}',
    '{"type": "object", "$ref": "#"}', '{"type": "object", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "properties": {"x": {"$ref": "#/$defs/a"}}}',
    '{"type": "object", "properties": {"a": {"pattern": "(a"}}}', '{"type": "object", "properties": {"a": {"pattern": "((a{1000}){1000}){1000}"}}}', '{"type": "object", "properties": {"a": {"pattern": "(a)\\1"}}}',
    '{"type": "object", "description": "' || repeat('x', 70000) || '"}', '{"type": "object", "properties": ' || repeat('{"a": {"properties": ', 50) || '{}' || repeat('}}', 50) || '}']) AS s;
-- References that double, forty times: refused, and at once.
SELECT t.try(format($$SELECT mcp.register_tool('x', 'app.whole(jsonb)', 'x', %L)$$, jsonb_build_object('type', 'object', '$ref', '#/$defs/d0', '$defs', jsonb_object_agg('d' || n, CASE WHEN n = 40 THEN '{"type": "object"}'
    ELSE jsonb_build_object('allOf', jsonb_build_array(jsonb_build_object('$ref', '#/$defs/d' || n + 1), jsonb_build_object('$ref', '#/$defs/d' || n + 1))) END))))
  FROM generate_series(0, 40) AS n;
SELECT t.try($$SELECT mcp.register_tool('x', 'app.add(int,int)', 'x', '{"type": "object", "properties": {"a": {}, "c": {}}}')$$), t.try($$SELECT mcp.register_tool('x', 'app.add(int,int)', 'x', '{"type": "object", "properties": {"b": {}}}')$$),
       t.try($$SELECT mcp.register_tool('x', 'app.add(int,int)', 'x', output_schema => '{"type": "object"}')$$), t.try($$SELECT mcp.register_tool('x', 'app.whole(jsonb)', 'x', output_schema => '{"type": "array"}')$$);
SELECT count(*) FROM mcp._tools WHERE name = 'x';

-- The schema that is made of arguments, and values on their way into them.
CREATE TYPE app.mood AS ENUM ('sad', 'happy');
CREATE DOMAIN app.small AS int CHECK (VALUE < 100);
CREATE TYPE app.pair AS (x int, y text);
CREATE FUNCTION app.types(i int, big bigint, n numeric, f float8, b bool, s text, u uuid, d date, ts timestamptz, j jsonb, ia int[], m app.mood, sm app.small, p app.pair, by bytea, "Odd ""name" text DEFAULT 'it''s', iv interval DEFAULT '1 day', pa app.pair[] DEFAULT NULL)
    RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT jsonb_build_object('i', i, 'big', big, 'n', n, 'f', f, 'b', b, 's', s, 'u', u, 'd', d, 'ts', ts, 'j', j, 'ia', ia, 'm', m, 'sm', sm, 'p', p, 'by', by, 'odd', "Odd ""name", 'iv', iv, 'pa', pa) $$;
SELECT mcp.register_tool('types', 'app.types(int,bigint,numeric,float8,bool,text,uuid,date,timestamptz,jsonb,int[],app.mood,app.small,app.pair,bytea,text,interval,app.pair[])', 'All types.');
SELECT app.entry('types');
SELECT t.via('rpc', 'types', full_set) FROM (VALUES ('{"i": 1, "big": 9007199254740993, "n": 1.10, "f": 1.5, "b": true, "s": "x'' OR 1=1; --", "u": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "d": "2024-02-29", "ts": "2024-01-01T00:00:00+01:00", "j": {"a": [1, null]}, "ia": [1, 2, 3],
    "m": "happy", "sm": 99, "p": {"x": 1, "y": "\"z\""}, "by": "aGVsbG8=", "Odd \"name": "given", "pa": [{"x": 2}, {"y": "b"}]}'::jsonb)) AS v(full_set);
SELECT bad, t.via('rpc', 'types', '{"i": 1, "big": 1, "n": 1, "f": 1, "b": true, "s": "", "u": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "d": "2024-02-29", "ts": "2024-01-01", "j": null, "ia": [], "m": "sad", "sm": 1, "p": {}, "by": ""}' || bad)
  FROM unnest(ARRAY['{}', '{"i": 1.5}', '{"i": 3000000000}', '{"i": null}', '{"big": "1"}', '{"d": "2024-02-30"}', '{"u": "x"}', '{"m": "angry"}', '{"sm": 100}', '{"ia": ["x"]}', '{"ia": [null]}', '{"by": "%%%"}', '{"s": ["x"]}', '{"zz": 1}', '{"p": {"x": "one"}}', '{"b": "true"}']::jsonb[]) AS bad;
-- Text that is no JSON for Postgres, whole numbers with a fraction of zero, keys that come twice, numbers beyond a double.
SELECT t.shown(mcp._handle(format('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":%s}}', a))::jsonb) FROM unnest(ARRAY['{"a":1,"a":5}', '{"a":1e400}', '{"a":1e2}', '{"a":5.0}', '{"a":1e300}', '{"a":"\u0000"}', '{"a":"\ud800"}']) AS a;
SELECT mcp._handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"\u0000":1}}}');
SELECT mcp.register_tool('echo', 'app.whole(jsonb)', 'Echo.', '{"type": "object", "properties": {"s": {"type": "string", "maxLength": 5}, "list": {"type": "array", "items": {"type": "integer", "minimum": 0}}}, "additionalProperties": false}');
SELECT a, t.shown(mcp._handle(format('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":%s}}', a))::jsonb)
  FROM unnest(ARRAY['{"s":"\u0000"}', '{"s":"abcdef"}', '{"list":[1,-1,"x",2,-2,-3,-4,-5]}', '{"S":"x","t":1}', '{"s":"a b"}', '{}']) AS a;
SELECT t.shown(mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}')::jsonb);
-- A schema of one's own for named arguments: what is not sent takes the default, or NULL.
CREATE FUNCTION app.opt(a int, b int DEFAULT 5) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT format('a=%s b=%s', coalesce(a::text, 'NULL'), coalesce(b::text, 'NULL')) $$;
SELECT mcp.register_tool('opt', 'app.opt(int,int)', 'Optional.', '{"type": "object", "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": ["integer", "null"]}}}');
SELECT t.via('rpc', 'opt', a) FROM unnest(ARRAY['{}', '{"a": 1}', '{"a": null, "b": null}', '{"c": 1}']::jsonb[]) AS a;
CREATE FUNCTION app.vari(first text, VARIADIC rest int[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT first || ':' || array_to_string(rest, '+') $$;
CREATE FUNCTION app.outs(a int, OUT twice int, INOUT label text) LANGUAGE sql IMMUTABLE AS $$ SELECT a * 2, label || '!' $$;
SELECT mcp.register_tool('vari', 'app.vari(text,int[])', 'Variadic.'), mcp.register_tool('outs', 'app.outs(int,text)', 'OUT arguments.');
SELECT t.via('rpc', 'vari', '{"first": "x", "rest": [1, 2]}'), t.via('rpc', 'vari', '{"first": "x"}'), t.via('rpc', 'outs', '{"a": 2, "label": "l"}');

-- Annotations and access: what cannot write reads, and what says that it reads cannot write.
CREATE TABLE app.log (what text);
GRANT INSERT, SELECT ON app.log TO authenticated;
CREATE FUNCTION app.write_log(what text) RETURNS text LANGUAGE sql VOLATILE AS $$ INSERT INTO app.log VALUES (what) RETURNING what $$;
CREATE FUNCTION app.write_stable(what text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN EXECUTE 'INSERT INTO app.log VALUES ($1)' USING what; RETURN 'done'; END $$;
SELECT mcp.register_tool('write_log', 'app.write_log(text)', 'Write.'), mcp.register_tool('write_stable', 'app.write_stable(text)', 'Write.', annotations => '{"readOnlyHint": false}'),
       mcp.register_tool('write_hint', 'app.write_log(text)', 'Write.', annotations => '{"readOnlyHint": true, "openWorldHint": true}');
SELECT tool, t.via('rpc', tool, jsonb_build_object('what', tool)), app.entry(tool)::jsonb -> 'annotations' FROM unnest(ARRAY['write_log', 'write_stable', 'write_hint']) AS tool;
SELECT * FROM app.log;

-- What a function may answer.
CREATE FUNCTION app.answer(args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO app.log VALUES ('answer ' || (args ->> 'n'));
    IF args ? 'raise' THEN
        RAISE EXCEPTION USING ERRCODE = args ->> 'raise', MESSAGE = 'it failed', DETAIL = 'a detail', HINT = 'a hint';
    END IF;
    RETURN args -> 'return';
END
$$;
SELECT mcp.register_tool('answer', 'app.answer(jsonb)', 'Answer.');
CREATE FUNCTION app.raw(args jsonb, tool text DEFAULT 'answer') RETURNS text LANGUAGE sql AS $$
SELECT coalesce((h.body::jsonb -> 'result')::text, (h.body::jsonb -> 'error')::text) FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', tool, 'arguments', args))::text,
    t.credential('rpc'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h
$$;
TRUNCATE app.log;
SELECT app.raw(jsonb_build_object('n', n, 'return', r)) FROM unnest(ARRAY['{"a": 1}', '[1, 2]', '"plain \"text\""', '5', 'null',
    '{"content": [{"type": "text", "text": "hi"}]}', '{"content": [{"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}, {"type": "audio", "data": "aGVsbG8=", "mimeType": "audio/wav"}, {"type": "resource", "resource": {"uri": "a:b", "text": "x"}}, {"type": "resource_link", "uri": "a:b", "name": "n"}]}',
    '{"content": [{"type": "text", "text": "no"}], "isError": true}', '{"content": [{"type": "text", "text": "both"}], "structuredContent": {"x": 1}}', '{"content": "a column"}', '{"content": []}',
    '{"content": [{"type": "video"}]}', '{"content": [{"type": "image", "mimeType": "image/png", "data": "a\nb"}]}', '{"content": [], "structuredContent": 1}', '{"content": [], "isError": 1}']::jsonb[]) WITH ORDINALITY AS r(r, n);
-- What failed is undone, whichever way it said so.
SELECT * FROM app.log;
SELECT app.raw('{"n": 1, "raise": "P0001"}'), app.raw('{"n": 1, "raise": "XY123"}'), app.raw('{"n": 1}');
SELECT app.raw(jsonb_build_object('n', 1, 'return', repeat('x', 50000)));
SELECT left(app.raw(jsonb_build_object('n', 1, 'return', jsonb_build_object('content', jsonb_build_array(jsonb_build_object('type', 'image', 'mimeType', 'image/png', 'data', repeat('AAAA', 20000)))))), 60);
CREATE FUNCTION app.nothing() RETURNS void LANGUAGE sql AS $$ INSERT INTO app.log VALUES ('nothing') $$;
CREATE FUNCTION app.one_row() RETURNS app.log LANGUAGE sql STABLE AS $$ SELECT 'a row' $$;
CREATE FUNCTION app.plain() RETURNS varchar LANGUAGE sql STABLE AS $$ SELECT '{"a": "not JSON for us' $$;
SELECT mcp.register_tool('nothing', 'app.nothing()', 'Nothing.'), mcp.register_tool('one_row', 'app.one_row()', 'A row.'), mcp.register_tool('plain', 'app.plain()', 'Text.');
SELECT app.raw('{}', tool) FROM unnest(ARRAY['nothing', 'one_row', 'plain']) AS tool;
SELECT count(*) FROM app.log WHERE what = 'nothing';
-- An output schema is a promise.
SELECT mcp.register_tool('promised', 'app.whole(jsonb)', 'Promise.', output_schema => '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}');
SELECT app.entry('promised')::jsonb -> 'outputSchema', app.raw('{"n": 1}', 'promised'), app.raw('{"n": "x"}', 'promised'), app.raw('{"content": [{"type": "text", "text": "no"}]}', 'promised'),
       app.raw('{"content": [{"type": "text", "text": "no"}], "isError": true}', 'promised'), app.raw('{"content": [], "structuredContent": {"n": 2}}', 'promised');
-- Older revisions: text only; a request without a revision is answered as the document has it.
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"promised","arguments":{"n":1}}}', t.credential('rpc'));

-- A function that changes under its registration.
SELECT t.via('rpc', 'opt', '{"a": 1}');
CREATE OR REPLACE FUNCTION app.opt(a int, b int DEFAULT 7) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT format('new a=%s b=%s', a, b) $$;
SELECT t.via('rpc', 'opt', '{"a": 1}');
ALTER FUNCTION app.opt RENAME TO opt_renamed;
SELECT app.listed('rpc') ~ 'opt', t.via('rpc', 'opt', '{"a": 1}');
SELECT name, problem FROM mcp.tools WHERE problem IS NOT NULL;
CREATE FUNCTION app.opt(a int, b int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT format('another a=%s b=%s', a, b) $$;
SELECT app.listed('rpc') ~ 'opt', t.via('rpc', 'opt', '{"a": 1, "b": 2}');
DROP FUNCTION app.opt;
SELECT t.via('rpc', 'opt', '{"a": 1, "b": 2}');
CREATE FUNCTION app.opt(a int, b int) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$ SELECT 'a set' $$;
SELECT app.listed('rpc') ~ 'opt', t.via('rpc', 'opt', '{"a": 1, "b": 2}');
DROP FUNCTION app.opt;
SELECT mcp.unregister_tool('opt');
-- Renaming the schema is no way to put another function in its place, nor back.
ALTER SCHEMA app RENAME TO app_old;
SELECT app_old.listed('rpc') ~ 'echo', t.via('rpc', 'echo', '{}');
ALTER SCHEMA app_old RENAME TO app;
SELECT t.via('rpc', 'echo', '{}');
-- In the transaction that registers, and not after it is rolled back.
BEGIN;
SELECT mcp.register_tool('brief', 'app.whole(jsonb)', 'Brief.');
SELECT t.via('rpc', 'brief', '{"a": 1}');
ROLLBACK;
SELECT t.via('rpc', 'brief', '{"a": 1}');
DELETE FROM mcp._tools WHERE name = 'echo';
SELECT app.listed('rpc') ~ 'echo';
DELETE FROM mcp._tools;
DROP SCHEMA app CASCADE;
DROP ROLE regress_registrar;
