-- mcp.handle in psql: the current role with its grants and policies, no claims, the whole protocol; nobody forges claims.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA ds;
CREATE TABLE ds.notes (id int, owner name DEFAULT current_user, user_id uuid DEFAULT auth.uid());
INSERT INTO ds.notes VALUES (1, 'regress_app'), (2, 'regress_sibling');
ALTER TABLE ds.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ds.notes USING (owner = current_user);
CREATE POLICY by_claim ON ds.notes FOR SELECT USING (user_id = auth.uid());
GRANT USAGE ON SCHEMA ds, auth TO regress_app, regress_sibling;
GRANT SELECT, INSERT ON ds.notes TO regress_app;
GRANT SELECT ON ds.notes TO regress_sibling;
SELECT t.call('query_table', '{"table": "ds.notes", "select": "id,owner", "order": "id"}');
SET ROLE regress_app;
SELECT t.call('query_table', '{"table": "ds.notes", "select": "id,owner", "order": "id"}');
SELECT t.call('insert_record', '{"table": "ds.notes", "data": {"id": 3}}');
SELECT t.call('insert_record', '{"table": "ds.notes", "data": {"id": 4, "owner": "regress_sibling"}}');
SELECT t.call('delete_record', '{"table": "ds.notes", "filter": {"id": 3}}');
-- No claims without a key, and none by one's own hand.
SELECT auth.uid(), auth.role(), auth.jwt(), auth.email(), mcp.claim('sub'), mcp.claims();
SET mcp.claims = '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}';
SELECT set_config('mcp.claims', '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}', true);
ALTER ROLE regress_app SET mcp.claims = '{"sub": "x"}';
SET request.jwt.claims = '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", "role": "service_role"}';
SET request.jwt.claim.sub = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
SELECT auth.uid(), auth.jwt();
SELECT t.call('query_table', '{"table": "ds.notes", "select": "id", "order": "id"}');
RESET request.jwt.claims; RESET request.jwt.claim.sub;
-- The listener's entry is not for it; nor are the helpers.
SELECT * FROM mcp.handle('{}', 'x', NULL);
SELECT mcp.health();
SELECT mcp._generate_key('client');
SELECT mcp._outer_user();
-- Two roles in one session.
RESET ROLE; SET ROLE regress_sibling;
SELECT t.call('query_table', '{"table": "ds.notes", "select": "id", "order": "id"}');
SELECT t.call('insert_record', '{"table": "ds.notes", "data": {"id": 9}}');
RESET ROLE;
-- Messages: NULL in, NULL out; a notification has no answer; every fault is an answer.
SELECT mcp.handle(NULL) IS NULL, mcp.handle('{"jsonrpc":"2.0","method":"notifications/initialized"}') IS NULL;
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}');
SELECT mcp.handle('[]'), mcp.handle('"x"'), mcp.handle('null'), mcp.handle('{}');
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"nope"}');
SELECT mcp.handle('{"jsonrpc":"2.0","id":12345678901234567890123,"method":"ping"}');
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"psql","version":"1"}}}')::jsonb #- '{result,instructions}';
SELECT length(mcp.handle('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}')::jsonb #>> '{result,instructions}') BETWEEN 500 AND 4096;
-- In a read-only transaction reads work and writes are the tool's error.
BEGIN READ ONLY;
SELECT t.call('query_table', '{"table": "ds.notes", "select": "id", "order": "id"}');
SELECT t.call('insert_record', '{"table": "ds.notes", "data": {"id": 9}}');
COMMIT;
-- In a larger transaction a failing tool leaves what was before it, and the transaction goes on.
BEGIN;
INSERT INTO ds.notes VALUES (10, 'regress_app');
SELECT t.call('insert_record', '{"table": "ds.notes", "data": {"id": "x"}}');
SELECT t.call('insert_record', '{"table": "ds.notes", "data": {"id": 11}, "returning": "id"}');
SELECT t.call('query_table', '{"table": "ds.notes", "select": "id", "order": "id"}');
ROLLBACK;
SELECT t.call('query_table', '{"table": "ds.notes", "select": "id", "order": "id"}');
DROP SCHEMA ds CASCADE;
REVOKE USAGE ON SCHEMA auth FROM regress_app, regress_sibling;
