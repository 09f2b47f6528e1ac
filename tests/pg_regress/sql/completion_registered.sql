-- Where the values of a registered prompt's arguments and of a template's variables come from: only what the caller may see.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA cr_a;
CREATE SCHEMA cr_closed;
GRANT USAGE ON SCHEMA cr_a TO authenticated;
CREATE TYPE cr_a.status AS ENUM ('open', 'paid', 'Over due');
CREATE TYPE cr_closed.status AS ENUM ('secret label');
CREATE TYPE cr_a.private AS ENUM ('private label');
REVOKE USAGE ON TYPE cr_a.private FROM PUBLIC;
CREATE TYPE auth.regress_level AS ENUM ('aal1');
CREATE TABLE cr_a.orders (id int, status cr_a.status, note text, secret text, closed cr_closed.status);
GRANT SELECT (id, status, note) ON cr_a.orders TO authenticated;
CREATE TABLE cr_a.others (id int, hidden text, status cr_a.status);
CREATE TABLE cr_closed.orders (id int, status cr_closed.status);
GRANT SELECT ON cr_closed.orders TO authenticated;
CREATE FUNCTION cr_a.prompt(arguments jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT '' $$;
CREATE FUNCTION cr_a.res(uri text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT '' $$;
-- What is refused, with what to write instead.
SELECT c, t.try(format($$SELECT mcp.register_prompt('x', 'cr_a.prompt(jsonb)', 'x', %L)$$, jsonb_build_array('{"name": "other"}'::jsonb, jsonb_build_object('name', 'a', 'complete', c))))
  FROM unnest(ARRAY['{}', '{"tabels": null}', '{"schemas": true, "values": []}', '{"columns_of": "a"}', '{"columns_of": "none"}', '{"enum": "status"}', '{"enum": "cr_a.none"}', '{"enum": "cr_a.orders"}', '{"enum_of": {"table": "other", "column": "x"}}', '{"values": [1]}']::jsonb[]) AS c;
SELECT c, t.try(format($$SELECT mcp.register_resource('app://{x}/{y}', 'cr_a.res(text)', 'x', complete => %L)$$, c)) FROM unnest(ARRAY['[]', '{"z": {"schemas": true}}', '{"x": {"tables": "x"}}', '{"x": {"enum": "cr_a.none"}}', '{"x": 1}']::jsonb[]) AS c;
SELECT count(*) FROM mcp.prompts WHERE name = 'x';
SELECT mcp.register_prompt('p', 'cr_a.prompt(jsonb)', 'Prompt.', '[{"name": "schema", "complete": {"schemas": true}}, {"name": "table", "complete": {"tables": "schema"}}, {"name": "column", "complete": {"columns_of": "table"}}, {"name": "value", "complete": {"enum_of": {"table": "table", "column": "column"}}},
    {"name": "any", "complete": {"tables": null}}, {"name": "of_any", "complete": {"columns_of": "any"}}, {"name": "status", "complete": {"enum": "cr_a.status"}}, {"name": "closed", "complete": {"enum": "cr_closed.status"}}, {"name": "private", "complete": {"enum": "cr_a.private"}}, {"name": "level", "complete": {"enum": "auth.regress_level"}},
    {"name": "list", "complete": {"values": ["Rome", "Riga"]}}, {"name": "short", "values": ["Oslo"]}, {"name": "plain"}]');
SELECT mcp.register_resource('app://{table}/{column}', 'cr_a.res(text)', 'Template.', complete => '{"table": {"tables": null}, "column": {"columns_of": "table"}}');
SELECT uri, complete FROM mcp.resources;
-- Not part of what is listed.
SELECT mcp.handle('{"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}')::text ~ 'complete';
CREATE FUNCTION cr_a.ask(argument text, typed text DEFAULT '', context jsonb DEFAULT '{}', key text DEFAULT 'a', ref jsonb DEFAULT '{"type": "ref/prompt", "name": "p"}') RETURNS text LANGUAGE sql AS $$
SELECT coalesce((h.body::jsonb #> '{result,completion,values}')::text, h.body::jsonb #>> '{error,message}')
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'completion/complete', 'params', jsonb_build_object('ref', ref, 'argument', jsonb_build_object('name', argument, 'value', typed), 'context', jsonb_build_object('arguments', context)))::text, t.credential(key), NULL) AS h
$$;
SELECT cr_a.ask('schema', 'cr_'), cr_a.ask('table', '', '{"schema": "cr_a"}'), cr_a.ask('table', 'ORD', '{"schema": "cr_a"}'), cr_a.ask('any', 'cr_'), cr_a.ask('plain'), cr_a.ask('none'), cr_a.ask('list', 'ri'), cr_a.ask('short');
SELECT cr_a.ask('column', '', '{"schema": "cr_a", "table": "orders"}'), cr_a.ask('column', 's', '{"schema": "cr_a", "table": "orders"}'), cr_a.ask('column', '', '{"table": "cr_a.orders"}'), cr_a.ask('column'), cr_a.ask('of_any', '', '{"any": "cr_a.orders"}');
SELECT cr_a.ask('value', '', '{"schema": "cr_a", "table": "orders", "column": "status"}'), cr_a.ask('value', 'OVER', '{"schema": "cr_a", "table": "orders", "column": "status"}'), cr_a.ask('value', '', '{"schema": "cr_a", "table": "orders", "column": "note"}'), cr_a.ask('value'), cr_a.ask('status', 'p');
-- Attacks: a schema without USAGE, a hidden one, another's table, a column without a privilege, enums of those, odd names.
SELECT cr_a.ask('table', '', '{"schema": "cr_closed"}'), cr_a.ask('table', '', '{"schema": "auth"}'), cr_a.ask('table', '', '{"schema": "pg_catalog"}'), cr_a.ask('table', '', '{"schema": "mcp"}'), cr_a.ask('any', 'mcp'), cr_a.ask('schema', 'pg_'), cr_a.ask('schema', 'auth');
SELECT c, cr_a.ask('column', '', c) FROM unnest(ARRAY['{"schema": "cr_a", "table": "others"}', '{"schema": "cr_closed", "table": "orders"}', '{"schema": "pg_catalog", "table": "pg_authid"}', '{"schema": "mcp", "table": "keys"}', '{"table": "pg_catalog.pg_authid"}', '{"table": "\"broken"}', '{"schema": "cr_a", "table": "orders'' OR true --"}', '{"table": ""}']::jsonb[]) AS c;
SELECT cr_a.ask('value', '', '{"schema": "cr_a", "table": "orders", "column": "closed"}'), cr_a.ask('value', '', '{"schema": "cr_a", "table": "others", "column": "status"}'), cr_a.ask('closed'), cr_a.ask('private'), cr_a.ask('level');
SELECT cr_a.ask('status', '%'), cr_a.ask('status', '\'), cr_a.ask('any', '_r_');
-- Names of the schema are for keys that may read it; lists of values are for everybody who sees the prompt.
SELECT t.key('cr rpc', scopes => '{execute:rpc}');
SELECT a, cr_a.ask(a, '', '{"schema": "cr_a", "table": "orders", "column": "status"}', 'cr rpc') FROM unnest(ARRAY['schema', 'table', 'column', 'value', 'any', 'status', 'list']) AS a;
-- An admin sees more; a grant is seen at once.
SELECT t.key('cr service', role => 'service_role', kind => 'service', scopes => '{}');
SELECT cr_a.ask('level', key => 'cr service');
GRANT USAGE ON SCHEMA auth TO service_role;
SELECT cr_a.ask('level', key => 'cr service');
GRANT USAGE ON SCHEMA cr_closed TO authenticated;
SELECT cr_a.ask('closed'), cr_a.ask('table', '', '{"schema": "cr_closed"}'), cr_a.ask('value', '', '{"schema": "cr_closed", "table": "orders", "column": "status"}');
-- A template.
SELECT cr_a.ask('table', 'cr_a', ref => r), cr_a.ask('column', '', '{"table": "cr_a.orders"}', ref => r), cr_a.ask('none', ref => r) FROM (VALUES ('{"type": "ref/resource", "uri": "app://{table}/{column}"}'::jsonb)) AS v(r);
-- A type that is gone offers nothing.
DROP TYPE cr_a.private;
SELECT cr_a.ask('private');
-- More than a hundred.
SELECT mcp.register_prompt('many', 'cr_a.prompt(jsonb)', 'Many.', jsonb_build_array(jsonb_build_object('name', 'x', 'complete', jsonb_build_object('values', (SELECT jsonb_agg('value ' || n) FROM generate_series(1, 120) AS n)))));
SELECT jsonb_array_length(cr_a.ask('x', ref => '{"type": "ref/prompt", "name": "many"}')::jsonb);
DELETE FROM mcp._prompts;
DELETE FROM mcp._resources;
DROP SCHEMA cr_a, cr_closed CASCADE;
DROP TYPE auth.regress_level;
