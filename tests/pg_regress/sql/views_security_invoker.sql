-- Views: with security_invoker their tables are read as the caller; without it as their owner, whom expose warns about.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA vw AUTHORIZATION regress_owner;
SET ROLE regress_owner;
CREATE TABLE vw.notes (id int, user_id uuid, body text);
INSERT INTO vw.notes VALUES (1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'of a'), (2, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'of b');
RESET ROLE;
ALTER TABLE vw.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vw.notes USING (user_id = auth.uid());
GRANT USAGE ON SCHEMA auth TO regress_owner;
SET ROLE regress_owner;
CREATE VIEW vw.invoker WITH (security_invoker = true) AS SELECT id, body FROM vw.notes;
CREATE VIEW vw.definer AS SELECT id, body FROM vw.notes;
CREATE VIEW vw.barrier WITH (security_barrier = true, security_invoker = on) AS SELECT id, body FROM vw.notes;
RESET ROLE;
GRANT USAGE ON SCHEMA vw TO authenticated;
GRANT SELECT ON vw.notes TO authenticated;
SELECT mcp.expose('vw.invoker', 'authenticated');
SELECT mcp.expose('vw.barrier', 'authenticated');
SELECT mcp.expose('vw.definer', 'authenticated');
SELECT v, t.via('a', 'query_table', jsonb_build_object('table', 'vw.' || v)), t.via('b', 'query_table', jsonb_build_object('table', 'vw.' || v))
  FROM unnest(ARRAY['notes', 'invoker', 'barrier', 'definer']) AS v;
-- Inside a definer's view current_user and the claims are the caller's; its functions run as the caller.
CREATE VIEW vw.me AS SELECT current_user AS me, auth.uid() AS uid;
GRANT SELECT ON vw.me TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "vw.me"}');
-- Without a grant on the table the invoker's view fails and says what is missing.
REVOKE SELECT ON vw.notes FROM authenticated;
SELECT t.via('a', 'query_table', '{"table": "vw.invoker"}');
-- Writing through a view.
GRANT SELECT, UPDATE, DELETE, INSERT ON vw.notes, vw.invoker TO authenticated;
SELECT t.via('a', 'update_record', '{"table": "vw.invoker", "data": {"body": "changed"}, "filter": {"id": {"gte": 0}}}');
SELECT t.via('a', 'delete_record', '{"table": "vw.invoker", "filter": {"id": 2}}');
SELECT t.via('a', 'insert_record', '{"table": "vw.invoker", "data": {"id": 3, "body": "no user"}}');
SELECT id, body FROM vw.notes ORDER BY id;
DROP SCHEMA vw CASCADE;
REVOKE USAGE ON SCHEMA auth FROM regress_owner;
