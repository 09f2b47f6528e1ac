-- What a call says that was sent to a standby, or to a primary that has standbys. A server that is no standby leaves everything that was
-- meant for one to the primary, without running or counting it. (On a real standby: tests/tests/e2e/life/replicas.rs.)
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA mis;
CREATE TABLE mis.rows (id int PRIMARY KEY);
GRANT USAGE ON SCHEMA mis TO authenticated;
GRANT SELECT, INSERT ON mis.rows TO authenticated;
SELECT t.key('once', scopes => '{read:tables}');
UPDATE mcp.keys SET rate_limit_per_min = 1 WHERE name = 'once';
CREATE FUNCTION mis.serve(tool text, args jsonb, transport text) RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT split_part(mcp._serve(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', tool, 'arguments', args))::text,
                             t.credential('a'), transport), E'\n', 1)
$$;
SELECT status, body, retry_after FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('once'), '{"server": "standby"}');
SELECT status, body, retry_after FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'nonsense', '{"server": "standby"}');
SELECT status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('once'), '{"server": "primary"}');
SELECT status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('once'), '{"server": "primary"}');
SELECT mis.serve('insert_record', '{"table": "mis.rows", "data": {"id": 1}}', '{"server": "standby"}');
-- The primary tells whether the call may have written; without standbys nobody asks.
SELECT mis.serve('insert_record', '{"table": "mis.rows", "data": {"id": 2}}', '{"server": "primary"}');
SELECT mis.serve('insert_record', '{"table": "mis.rows", "data": {"id": 2}}', '{"server": "primary"}');
SELECT mis.serve('query_table', '{"table": "mis.rows"}', '{"server": "primary"}');
SELECT mis.serve('insert_record', '{"table": "mis.rows", "data": {"id": 3}}', '{}');
-- It is forgotten after an error, too.
SELECT t.try($$SELECT mcp._serve('{}', '', '{"server": "elsewhere"}')$$);
SELECT t.call('insert_record', '{"table": "mis.rows", "data": {"id": 4}}');
TABLE mis.rows;
DROP SCHEMA mis CASCADE;
