-- invoke_rpc: functions and procedures that were exposed: names, defaults, overloads, results of every kind, records, tools of their own.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT t.key('rpc ann', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', scopes => '{execute:rpc}', claims => '{"email": "ann@example.org"}');
SELECT t.key('rpc bob', user_id => 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', scopes => '{execute:rpc}');
SELECT t.key('rpc reader', scopes => '{read:tables}');
CREATE FUNCTION t.plain(answer text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT regexp_replace(regexp_replace(answer, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', '(uuid)', 'g'), '"duration_ms":\d+', '"duration_ms":N')
$$;
CREATE FUNCTION t.rpc(name text, params jsonb DEFAULT '{}', namespace text DEFAULT NULL, key text DEFAULT 'rpc ann') RETURNS text LANGUAGE sql AS $$
SELECT t.plain(t.via(key, 'invoke_rpc', jsonb_strip_nulls(jsonb_build_object('name', name, 'namespace', namespace)) || jsonb_build_object('params', params)))
$$;
CREATE SCHEMA rpc_app;
GRANT USAGE ON SCHEMA rpc_app TO authenticated;

-- Nothing is exposed, and nothing installed.
SELECT t.rpc('add');
SELECT t.via('rpc reader', 'invoke_rpc', '{"name": "add"}');
SELECT t.via('rpc ann', 'invoke_rpc', '{}');
SELECT t.via('rpc ann', 'invoke_rpc', '{"name": "add", "args": {}}');
SELECT t.via('rpc ann', 'invoke_rpc', '{"name": "add", "params": [1]}');
SELECT t.try('SELECT mcp.define_rpc(''-- @fluxbase:name x'')');

-- Defaults, overloads by names, VARIADIC.
CREATE FUNCTION rpc_app.add(a int, b int DEFAULT 10) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a::bigint + b';
CREATE FUNCTION rpc_app.add(a int, c text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a || c';
CREATE FUNCTION rpc_app.add_all(VARIADIC numbers numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT sum(n) FROM unnest(numbers) AS n';
COMMENT ON FUNCTION rpc_app.add_all IS 'Adds numbers.';
SELECT mcp.expose_rpc('rpc_app.add(int,int)'), mcp.expose_rpc('rpc_app.add(int,text)'), mcp.expose_rpc('rpc_app.add_all'::regproc, namespace => 'math');
SELECT t.rpc('add', '{"a": 1}');
SELECT t.rpc('add', '{"a": 1, "b": 2}');
SELECT t.rpc('add', '{"a": 1, "c": "x"}');
SELECT t.rpc('add', '{"a": 2147483647, "b": null}');
SELECT t.rpc('add', '{"a": 1, "bb": 2}');
SELECT t.rpc('add', '{}');
SELECT t.rpc('add', '{"a": "one"}');
SELECT t.rpc('add', '{"a": [1]}');
SELECT t.rpc('add_all', '{"numbers": [1.5, 9007199254740993.25]}');
SELECT t.rpc('add_all', '{"numbers": [1.5]}', 'math');
SELECT t.rpc('add_all', '{"numbers": [1.5]}', 'default');
SELECT t.rpc('ad', '{"a": 1}');

-- Results: rows, values, objects, nothing; the forms of the contract.
CREATE TYPE rpc_app.pair AS (big bigint, raw bytea);
CREATE FUNCTION rpc_app.series(n int) RETURNS SETOF bigint LANGUAGE sql IMMUTABLE AS 'SELECT 9007199254740990 + generate_series(1, n)';
CREATE FUNCTION rpc_app.table_of(n int) RETURNS TABLE (id int, big bigint, "at" timestamptz, pair rpc_app.pair) LANGUAGE sql STABLE AS
    'SELECT i, i * 1000000000000000000, ''2026-01-02 03:04:05+00''::timestamptz, ROW(9007199254740993, ''\x00ff'')::rpc_app.pair FROM generate_series(1, n) AS i';
CREATE FUNCTION rpc_app.outs(a int, OUT doubled int, OUT note text) LANGUAGE sql IMMUTABLE AS 'SELECT a * 2, ''n'' || a';
CREATE FUNCTION rpc_app.one_pair() RETURNS rpc_app.pair LANGUAGE sql IMMUTABLE AS 'SELECT ROW(9007199254740993, ''\x00ff'')::rpc_app.pair';
CREATE FUNCTION rpc_app.pairs() RETURNS SETOF rpc_app.pair LANGUAGE plpgsql AS 'BEGIN RETURN NEXT ROW(1, NULL)::rpc_app.pair; RETURN NEXT NULL::rpc_app.pair; END';
CREATE FUNCTION rpc_app.nothing() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION rpc_app.null_value() RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT NULL::jsonb';
CREATE FUNCTION rpc_app.echo(value jsonb, tags text[], "when" date, p rpc_app.pair DEFAULT NULL) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
    'SELECT jsonb_build_object(''value'', value, ''tags'', tags, ''when'', "when", ''p'', p)';
SELECT count(mcp.expose_rpc(f.oid)) FROM pg_proc AS f WHERE f.pronamespace = 'rpc_app'::regnamespace AND f.proname NOT LIKE 'add%';
SELECT t.rpc('series', '{"n": 2}');
SELECT t.rpc('table_of', '{"n": 2}');
SELECT t.rpc('table_of', '{"n": 0}');
SELECT t.rpc('outs', '{"a": 4}');
SELECT t.rpc('one_pair');
SELECT t.rpc('pairs');
SELECT t.rpc('nothing');
SELECT t.rpc('null_value');
SELECT t.rpc('echo', '{"value": {"a": [1, null]}, "tags": ["x", "y\"z"], "when": "2026-02-03", "p": {"big": 5}}');
SELECT t.rpc('echo', '{"value": 1, "tags": null, "when": "soon"}');
-- Bounds.
SELECT length(answer) < 40200 AS bounded, right(answer, 160) FROM t.rpc('series', '{"n": 5000}') AS answer;
SET mcp.max_result_chars = 1000;
SELECT t.rpc('series', '{"n": 100}');
SELECT t.rpc('echo', jsonb_build_object('value', repeat('x', 1000), 'tags', '{}'::text[], 'when', '2026-02-03'));
RESET mcp.max_result_chars;

-- Procedures, and what they must not.
CREATE TABLE rpc_app.log (line text);
GRANT SELECT, INSERT ON rpc_app.log TO authenticated;
CREATE PROCEDURE rpc_app.note(line text, INOUT total int DEFAULT 0, loud boolean DEFAULT false) LANGUAGE plpgsql AS
    'BEGIN INSERT INTO rpc_app.log VALUES (CASE WHEN loud THEN upper(line) ELSE line END); SELECT count(*) + total INTO total FROM rpc_app.log; END';
CREATE PROCEDURE rpc_app.commits() LANGUAGE plpgsql AS 'BEGIN INSERT INTO rpc_app.log VALUES (''committed''); COMMIT; END';
CREATE PROCEDURE rpc_app.quiet(line text) LANGUAGE sql AS 'INSERT INTO rpc_app.log VALUES (line)';
SELECT mcp.expose_rpc('rpc_app.note'::regproc), mcp.expose_rpc('rpc_app.commits'::regproc), mcp.expose_rpc('rpc_app.quiet'::regproc);
SELECT t.rpc('note', '{"line": "a"}');
SELECT t.rpc('note', '{"line": "b", "loud": true, "total": 40}');
SELECT t.rpc('commits');
SELECT t.rpc('quiet', '{"line": "c"}');
SELECT string_agg(line, ',') FROM rpc_app.log;

-- Who calls.
CREATE FUNCTION rpc_app.whoami(caller_id uuid, caller_role text, caller_email text, greeting text DEFAULT 'hi') RETURNS text LANGUAGE sql STABLE AS
    'SELECT concat_ws('' '', greeting, caller_id, caller_role, caller_email, current_user)';
SELECT mcp.expose_rpc('rpc_app.whoami'::regproc);
SELECT t.via('rpc ann', 'invoke_rpc', '{"name": "whoami"}') ~ 'hi aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa authenticated ann@example.org authenticated';
SELECT t.rpc('whoami', '{"caller_id": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}');
SELECT t.rpc('whoami', '{"caller_role": null}');

-- Its own time; SET clauses; SECURITY DEFINER; temporary tables by registration.
CREATE FUNCTION rpc_app.sleeps() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT pg_sleep(60)::text';
CREATE FUNCTION rpc_app.stubborn() RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN 1; EXCEPTION WHEN query_canceled THEN RETURN ''went on''; END';
CREATE FUNCTION rpc_app.with_set() RETURNS text LANGUAGE sql STABLE SET search_path = rpc_app SET timezone = 'Asia/Tokyo' AS 'SELECT current_setting(''search_path'') || '' '' || current_setting(''timezone'')';
CREATE FUNCTION rpc_app.definer() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT current_user <> ''authenticated''';
CREATE FUNCTION rpc_app.temporary() RETURNS int LANGUAGE plpgsql AS 'BEGIN CREATE TEMP TABLE rpc_temporary (i int) ON COMMIT DROP; RETURN 1; END';
SELECT mcp.expose_rpc('rpc_app.sleeps'::regproc, max_execution_time_seconds => 1), mcp.expose_rpc('rpc_app.stubborn'::regproc, max_execution_time_seconds => 1), mcp.expose_rpc('rpc_app.with_set'::regproc), mcp.expose_rpc('rpc_app.definer'::regproc), mcp.expose_rpc('rpc_app.temporary'::regproc, name => 'plain'), mcp.expose_rpc('rpc_app.temporary'::regproc, temp_tables => true);
SELECT t.rpc('sleeps');
SELECT t.rpc('stubborn');
SELECT t.rpc('with_set');
SELECT t.rpc('definer');
SELECT t.rpc('plain');
SELECT t.rpc('temporary');
SHOW statement_timeout;

-- What cannot be exposed.
CREATE FUNCTION rpc_app.unnamed(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION rpc_app.any_record() RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION rpc_app.any_of(a anyelement) RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.unnamed''::regproc)');
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.any_record''::regproc)');
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.any_of''::regproc)');
SELECT t.try('SELECT mcp.expose_rpc(''pg_catalog.sum(int)'')');
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.outs''::regproc, namespace => ''a b'')');
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.outs''::regproc, max_execution_time_seconds => 0)');
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.outs''::regproc, temp_tables => true)');
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.outs''::regproc, name => ''query_table'', as_tool => true)');

-- Listed, with schemas; completed.
SELECT p.value - 'description' FROM jsonb_array_elements(t.read('rpc ann', 'fluxbase://rpc')::jsonb -> 'procedures') AS p WHERE p.value ->> 'name' IN ('add', 'add_all', 'table_of', 'echo', 'whoami', 'note');
SELECT t.read('rpc ann', 'fluxbase://rpc/math/add_all');
SELECT t.read('rpc ann', 'fluxbase://rpc/math/nothing');
SELECT t.read('rpc reader', 'fluxbase://rpc');
SELECT h.body::jsonb #>> '{result,completion}' FROM unnest(ARRAY['{"name":"namespace","value":"m"}', '{"name":"name","value":"ADD"}']) WITH ORDINALITY AS a(argument, n),
    mcp.handle('{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"fluxbase://rpc/{namespace}/{name}"},"argument":' || a.argument || '}}', t.credential('rpc ann'), NULL) AS h ORDER BY n;

-- A tool of its own.
SELECT mcp.expose_rpc('rpc_app.table_of'::regproc, namespace => 'shop', as_tool => true, description => 'Makes a table.');
SELECT mcp.expose_rpc('rpc_app.note'::regproc, name => 'note_tool', as_tool => true);
SELECT tool - 'outputSchema' FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}', t.credential('rpc ann'), NULL) AS h, jsonb_array_elements(h.body::jsonb #> '{result,tools}') AS tool WHERE tool ->> 'name' <> 'invoke_rpc';
SELECT t.plain(t.via('rpc ann', 'shop_table_of', '{"n": 1}'));
SELECT t.plain(t.via('rpc ann', 'shop_table_of', '{"m": 1}'));
SELECT t.plain(t.via('rpc ann', 'note_tool', '{"line": "by tool"}'));
SELECT t.plain(t.via('rpc reader', 'note_tool', '{"line": "by tool"}'));
SELECT t.try('SELECT mcp.expose_rpc(''rpc_app.echo''::regproc, name => ''note_tool'', as_tool => true)');
SELECT t.try('SELECT mcp.register_tool(''note_tool'', ''rpc_app.null_value()'', ''x'')');
SELECT namespace, name, function, tool, problem FROM mcp.procedures WHERE tool IS NOT NULL ORDER BY tool;
SELECT mcp.unexpose_rpc('note_tool'), mcp.unexpose_rpc('note_tool'), mcp.unexpose_rpc('table_of', 'shop');
SELECT t.via('rpc ann', 'note_tool', '{"line": "by tool"}');

-- Records: also of what failed; whose they are; how long they stay.
\o /dev/null
SELECT mcp.install('{rpc}');
\o
SELECT mcp.install('{rpc}');
SELECT t.rpc('add', '{"a": 1}');
SELECT t.rpc('commits');
SELECT t.rpc('sleeps');
SELECT t.rpc('add', '{"a": 2}', key => 'rpc bob');
SELECT mcp.expose_rpc('rpc_app.add_all'::regproc, namespace => 'math', disable_execution_logs => true);
SELECT t.rpc('add_all', '{"numbers": [1]}');
SELECT namespace, procedure_name, status, input_params, result, split_part(error_message, E'\n', 1), rows_returned, duration_ms >= 0 AS timed, user_id, user_role, user_email, key_id IS NOT NULL AS keyed,
       started_at <= completed_at AS ordered FROM rpc.executions ORDER BY created_at;
BEGIN READ ONLY;
SELECT t.plain(t.call('invoke_rpc', '{"name": "add", "params": {"a": 1}}'));
SELECT t.plain(t.call('invoke_rpc', '{"name": "add_all", "params": {"numbers": [3]}}'));
COMMIT;
CREATE FUNCTION rpc_app.my_calls() RETURNS TABLE (users text[], calls bigint) LANGUAGE sql STABLE AS 'SELECT array_agg(DISTINCT user_id), count(*) FROM rpc.executions';
SELECT mcp.expose_rpc('rpc_app.my_calls()', disable_execution_logs => true);
SELECT t.via('rpc bob', 'invoke_rpc', '{"name": "my_calls"}')::jsonb -> 'data', t.via('rpc ann', 'invoke_rpc', '{"name": "my_calls"}')::jsonb -> 'data';
SET ROLE mcp_admin;
SELECT count(*) FROM rpc.executions;
RESET ROLE;
UPDATE rpc.executions SET created_at = created_at - interval '31 days' WHERE status = 'failed';
SELECT mcp._maintain_rpc();
SELECT mcp._maintain_rpc();
SELECT status, count(*) FROM rpc.executions GROUP BY 1 ORDER BY 1;
SET ROLE authenticated;
SELECT t.try('SELECT mcp._maintain_rpc()'), t.try('SELECT mcp.expose_rpc(''rpc_app.add(int,int)'')'), t.try('SELECT count(*) FROM mcp._procedures'), t.try('INSERT INTO rpc.executions DEFAULT VALUES'), t.try('SELECT sql_query FROM rpc.procedures');
RESET ROLE;
SELECT count(mcp.unexpose_rpc(name, namespace)) > 0 FROM mcp.procedures;
