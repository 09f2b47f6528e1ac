-- A service key reads past row-level security because of its role, not because of its kind; without scopes it has all.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA sk;
CREATE TABLE sk.notes (id int, user_id uuid);
INSERT INTO sk.notes VALUES (1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'), (2, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');
ALTER TABLE sk.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sk.notes FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sk.notes USING (user_id = auth.uid());
GRANT USAGE ON SCHEMA sk TO authenticated, service_role;
GRANT SELECT, UPDATE ON sk.notes TO authenticated, service_role;
SELECT t.via('service', 'query_table', '{"table": "sk.notes", "order": "id", "select": "id"}');
SELECT t.via('service', 'update_record', '{"table": "sk.notes", "data": {"id": 3}, "filter": {"id": 2}, "returning": "id"}');
-- Grants still count.
SELECT t.via('service', 'delete_record', '{"table": "sk.notes", "filter": {"id": 3}}');
SELECT t.via('service', 'query_table', '{"table": "t.credentials"}');
-- The kind alone bypasses nothing.
SELECT t.key('weak service', kind => 'service', role => 'authenticated', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa');
SELECT t.via('weak service', 'query_table', '{"table": "sk.notes", "order": "id", "select": "id"}');
-- The wrong prefix for the kind is no key, whatever the secret.
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', replace(t.credential('service'), 'fbs:', 'fbk:'));
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', replace(t.credential('a'), 'fbk:', 'fbs:'));
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('service'));
-- BYPASSRLS taken away is seen by the next call.
ALTER ROLE service_role NOBYPASSRLS;
SELECT t.via('service', 'query_table', '{"table": "sk.notes", "order": "id", "select": "id"}');
ALTER ROLE service_role BYPASSRLS;
SELECT t.via('service', 'query_table', '{"table": "sk.notes", "order": "id", "select": "id"}');
DROP SCHEMA sk CASCADE;
