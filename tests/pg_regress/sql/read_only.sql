-- A read-only listener, or server: tools that may write are neither listed nor run, registered and nested ones too.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA ro;
CREATE TABLE ro.rows (id int PRIMARY KEY);
CREATE TABLE ro.calls (tool text, args jsonb, answer text);
CREATE FUNCTION ro.writes(args jsonb) RETURNS text LANGUAGE sql VOLATILE AS $$ INSERT INTO ro.rows SELECT (args ->> 'id')::int; SELECT 'written' $$;
CREATE FUNCTION ro.reads(args jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT count(*)::text FROM ro.rows $$;
CREATE FUNCTION ro.asks(args jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT t.call(args ->> 'tool', args -> 'args') $$;
CREATE FUNCTION ro.claims_to_read(args jsonb) RETURNS text LANGUAGE sql VOLATILE AS $$ INSERT INTO ro.rows SELECT 99; SELECT 'written' $$;
GRANT USAGE ON SCHEMA ro TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ro.rows, ro.calls TO authenticated;
SELECT mcp.register_tool('ro_writes', 'ro.writes(jsonb)', 'Writes.', scopes => '{read:tables}'), mcp.register_tool('ro_reads', 'ro.reads(jsonb)', 'Reads.', scopes => '{read:tables}'),
       mcp.register_tool('ro_asks', 'ro.asks(jsonb)', 'Asks on.', scopes => '{read:tables}'),
       mcp.register_tool('ro_claims', 'ro.claims_to_read(jsonb)', 'Says that it reads.', scopes => '{read:tables}', annotations => '{"readOnlyHint": true}');
CREATE FUNCTION ro.listed(transport jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_path_query_array(h.body::jsonb, '$.result.tools[*].name') FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('a'), transport) AS h
$$;
SELECT ro.listed();
SELECT ro.listed('{"read_only": true}');
SELECT ro.listed('{"read_only": false}') = ro.listed();
-- The listener's switch.
SELECT t.via('a', 'insert_record', '{"table": "ro.rows", "data": {"id": 1}}', '{"read_only": true}');
SELECT t.via('a', 'write_batch', '{"operations": []}', '{"read_only": true}');
SELECT t.via('a', 'ro_writes', '{"id": 2}', '{"read_only": true}');
SELECT t.via('a', 'ro_claims', '{}', '{"read_only": true}');
SELECT t.via('a', 'ro_asks', '{"tool": "insert_record", "args": {"table": "ro.rows", "data": {"id": 3}}}', '{"read_only": true}');
SELECT t.via('a', 'ro_asks', '{"tool": "ro_writes", "args": {"id": 4}}', '{"read_only": true}');
SELECT t.via('a', 'ro_reads', '{}', '{"read_only": true}');
SELECT t.via('a', 'query_table', '{"table": "ro.rows"}', '{"read_only": true}');
SELECT h.body FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_record"}}', t.credential('a'), '{"read_only": true}') AS h;
-- A scope that is missing is told first; what is unknown stays unknown.
SELECT t.key('ro reader', scopes => '{read:tables}');
SELECT t.via('ro reader', 'insert_record', '{}', '{"read_only": true}');
SELECT t.via('a', 'insert_recrd', '{}', '{"read_only": true}');
-- The DBA's setting holds for every listener, and in SQL.
SET mcp.read_only = on;
SELECT ro.listed() = ro.listed('{"read_only": true}');
SELECT t.via('a', 'insert_record', '{"table": "ro.rows", "data": {"id": 5}}', '{"read_only": false}');
SELECT t.call('ro_writes', '{"id": 6}');
RESET mcp.read_only;
SELECT count(*) FROM ro.rows;
SELECT t.via('a', 'insert_record', '{"table": "ro.rows", "data": {"id": 7}}');
SET ROLE regress_app;
SET mcp.read_only = off;
RESET ROLE;
SELECT mcp.unregister_tool(name) FROM mcp.tools WHERE name LIKE 'ro%';
DROP SCHEMA ro CASCADE;
