-- Two users of one role: neither sees, adds for, changes or deletes what is the other's, by any verb or by way of errors.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA rls;
CREATE TABLE rls.notes (id int PRIMARY KEY, user_id uuid NOT NULL DEFAULT auth.uid(), title text NOT NULL UNIQUE, stars int CHECK (stars < 6));
ALTER TABLE rls.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_read ON rls.notes FOR SELECT TO authenticated USING (user_id = auth.uid());
CREATE POLICY own_add ON rls.notes FOR INSERT TO authenticated WITH CHECK (user_id = auth.uid());
CREATE POLICY own_change ON rls.notes FOR UPDATE TO authenticated USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
CREATE POLICY own_delete ON rls.notes FOR DELETE TO authenticated USING (user_id = auth.uid());
GRANT USAGE ON SCHEMA rls TO authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON rls.notes TO authenticated, service_role;
SELECT t.via('a', 'insert_record', '{"table": "rls.notes", "data": {"id": 1, "title": "of a", "stars": 5}}');
SELECT t.via('b', 'insert_record', '{"table": "rls.notes", "data": {"id": 2, "title": "of b", "stars": 1}}');
-- insert for the other
SELECT t.via('b', 'insert_record', '{"table": "rls.notes", "data": {"id": 3, "title": "forged", "user_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}}');
SELECT t.via('b', 'insert_record', '{"table": "rls.notes", "data": {"id": 3, "title": "forged", "user_id": null}}');
-- read
SELECT t.via('a', 'query_table', '{"table": "rls.notes"}');
SELECT t.via('b', 'query_table', '{"table": "rls.notes"}');
SELECT t.via('b', 'query_table', '{"table": "rls.notes", "filter": {"id": 1}}');
SELECT t.via('b', 'query_table', '{"table": "rls.notes", "filter": {"user_id": "eq.aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}}');
SELECT t.via('b', 'query_table', '{"table": "rls.notes", "order": "stars.desc", "limit": 1}');
SELECT t.via('b', 'query_table', '{"table": "rls.notes", "offset": 1}');
-- change
SELECT t.via('b', 'update_record', '{"table": "rls.notes", "data": {"title": "taken"}, "filter": {"id": 1}}');
SELECT t.via('b', 'update_record', '{"table": "rls.notes", "data": {"title": "mine"}, "filter": {"id": {"gte": 0}}}');
SELECT t.via('b', 'update_record', '{"table": "rls.notes", "data": {"user_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}, "filter": {"id": 2}}');
-- delete
SELECT t.via('b', 'delete_record', '{"table": "rls.notes", "filter": {"id": 1}}');
SELECT t.via('b', 'delete_record', '{"table": "rls.notes", "filter": {"title": "like.%a"}}');
SELECT t.via('b', 'insert_record', '{"table": "rls.notes", "data": {"id": 6, "title": "short-lived"}, "returning": "id"}');
SELECT t.via('b', 'delete_record', '{"table": "rls.notes", "filter": {"id": {"gt": 0}, "title": "neq.mine"}}');
-- Errors say no more than that the value is taken; a check that only the other's row would fail is not reached.
SELECT t.via('b', 'insert_record', '{"table": "rls.notes", "data": {"id": 1, "title": "x"}}');
SELECT t.via('b', 'insert_record', '{"table": "rls.notes", "data": {"id": 4, "title": "of a"}}');
SELECT t.via('b', 'update_record', '{"table": "rls.notes", "data": {"stars": 9}, "filter": {"id": 1}}');
SELECT t.via('b', 'insert_record', '{"table": "rls.notes", "data": {"id": 4, "title": "y", "stars": 9}}');
-- A pattern over a cast is not asked of the other's row.
SELECT t.via('b', 'query_table', '{"table": "rls.notes", "select": "id", "filter": {"stars": "like.5"}}');
-- A key without a user sees nothing; the service sees everything; a client key for a bypassing role too, since that is the role.
SELECT t.key('nobody');
SELECT t.via('nobody', 'query_table', '{"table": "rls.notes"}');
SELECT t.via('nobody', 'insert_record', '{"table": "rls.notes", "data": {"id": 5, "title": "z"}}');
SELECT t.via('service', 'query_table', '{"table": "rls.notes", "order": "id"}');
-- A user id that is no uuid is an error of the policy, not a way around it.
SELECT t.key('odd user', user_id => 'not a uuid');
SELECT t.via('odd user', 'query_table', '{"table": "rls.notes"}');
-- What is left.
SELECT id, user_id, title, stars FROM rls.notes ORDER BY id;
-- FORCE and no policy at all: nothing.
CREATE TABLE rls.bare (id int);
INSERT INTO rls.bare VALUES (1);
ALTER TABLE rls.bare ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON rls.bare TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "rls.bare"}');
-- row_security = off in the session does not reach a tool.
SET row_security = off;
SELECT t.via('a', 'query_table', '{"table": "rls.bare"}');
RESET row_security;
-- Claims in every form that policies use.
CREATE VIEW rls.who WITH (security_invoker = true) AS SELECT auth.uid() AS uid, auth.role() AS role, auth.email() AS email, auth.jwt() ->> 'tenant' AS tenant, current_user AS "user",
    current_setting('request.jwt.claims', true)::jsonb ->> 'sub' AS claims_sub, current_setting('request.jwt.claim.sub', true) AS claim_sub, current_setting('request.jwt.claim.role', true) AS claim_role,
    current_setting('request.jwt.claim.email', true) AS claim_email, mcp.claim('tenant') AS claim, mcp.claim('none') AS none;
GRANT SELECT ON rls.who TO authenticated, service_role;
SELECT t.via('a', 'query_table', '{"table": "rls.who"}');
SELECT t.via('b', 'query_table', '{"table": "rls.who"}');
SELECT t.via('nobody', 'query_table', '{"table": "rls.who"}');
SELECT t.via('service', 'query_table', '{"table": "rls.who"}');
-- After the calls the session has none of it.
SELECT auth.uid() IS NULL, auth.jwt() IS NULL, mcp.claims() IS NULL, coalesce(current_setting('request.jwt.claims', true), '') = '', coalesce(current_setting('request.jwt.claim.sub', true), '') = '', current_user;
DROP SCHEMA rls CASCADE;
