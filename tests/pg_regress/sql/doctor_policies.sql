-- doctor finds what makes row-level security mean something else than it says: each is made, seen, mended, and gone.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA dp;
CREATE FUNCTION dp.seen() RETURNS TABLE (level text, topic text, finding text, remedy text) LANGUAGE sql AS $$
SELECT * FROM mcp.doctor() WHERE finding ~ 'dp\.'
$$;
-- Runs the remedy of the one finding of a topic.
CREATE FUNCTION dp.mend(topic text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    sql text := (SELECT s.remedy FROM dp.seen() AS s WHERE s.topic = mend.topic);
BEGIN
    EXECUTE sql;
    RETURN 'ran: ' || sql;
END
$$;
SELECT * FROM dp.seen();
-- Policies that read the session instead of the current role.
CREATE TABLE dp.notes (id int, owner text);
ALTER TABLE dp.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_session ON dp.notes USING (owner = session_user);
CREATE POLICY by_member ON dp.notes USING (pg_has_role(session_user, 'authenticated', 'MEMBER'));
CREATE POLICY by_setting ON dp.notes FOR INSERT WITH CHECK (current_setting('role') = 'authenticated');
CREATE FUNCTION dp.who() RETURNS text LANGUAGE sql STABLE AS 'SELECT session_user::text';
CREATE POLICY by_function ON dp.notes USING (owner = dp.who());
SELECT * FROM dp.seen();
DO $$ DECLARE r text; BEGIN FOR r IN SELECT remedy FROM dp.seen() WHERE finding ~ '^policy' LOOP EXECUTE r; END LOOP; END $$;
SELECT polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polrelid = 'dp.notes'::regclass ORDER BY 1;
SELECT count(*) FROM dp.seen();
DROP POLICY by_session ON dp.notes; DROP POLICY by_member ON dp.notes; DROP POLICY by_setting ON dp.notes;
CREATE OR REPLACE FUNCTION dp.who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
SELECT * FROM dp.seen();
-- What it says is so: while a tool runs, session_user is the login.
CREATE POLICY by_session ON dp.notes FOR SELECT USING (owner = session_user);
GRANT USAGE ON SCHEMA dp TO authenticated;
GRANT SELECT ON dp.notes TO authenticated;
INSERT INTO dp.notes VALUES (1, 'authenticated');
DROP POLICY by_function ON dp.notes;
SELECT t.via('a', 'query_table', '{"table": "dp.notes"}');
ALTER POLICY by_session ON dp.notes USING (owner = current_user);
SELECT t.via('a', 'query_table', '{"table": "dp.notes"}');
SELECT * FROM dp.seen();
-- Claims that every session can set.
CREATE POLICY by_claim ON dp.notes USING (owner = current_setting('request.jwt.claims', true)::jsonb ->> 'sub');
CREATE FUNCTION dp.sub() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('request.jwt.claim.sub', true) $$;
CREATE POLICY by_sub_1 ON dp.notes USING (owner = dp.sub());
CREATE POLICY by_sub_2 ON dp.notes FOR INSERT WITH CHECK (owner = dp.sub());
SELECT * FROM dp.seen();
DROP POLICY by_claim ON dp.notes; DROP POLICY by_sub_1 ON dp.notes; DROP POLICY by_sub_2 ON dp.notes;
SELECT * FROM dp.seen();
-- No policy for a key's role: it sees nothing. A restrictive policy alone lets nobody in.
DROP POLICY by_session ON dp.notes;
SELECT * FROM dp.seen();
CREATE POLICY narrow ON dp.notes AS RESTRICTIVE USING (true);
SELECT topic FROM dp.seen();
CREATE POLICY others ON dp.notes TO regress_app USING (true);
SELECT topic FROM dp.seen();
CREATE POLICY wide ON dp.notes TO authenticated USING (true);
SELECT * FROM dp.seen();
-- A table that belongs to a key's role, or to one that it inherits.
ALTER TABLE dp.notes OWNER TO authenticated;
SELECT * FROM dp.seen();
SELECT dp.mend('owner');
SELECT * FROM dp.seen();
ALTER TABLE dp.notes NO FORCE ROW LEVEL SECURITY;
ALTER TABLE dp.notes DISABLE ROW LEVEL SECURITY;
SELECT * FROM dp.seen();
ALTER TABLE dp.notes OWNER TO regress_owner;
GRANT INSERT ON dp.notes TO authenticated;
SELECT * FROM dp.seen();
SELECT dp.mend('rls');
SELECT * FROM dp.seen();
-- Views past the policies: of a superuser, of the table's owner, by way of another view, by PUBLIC; materialized ones.
CREATE VIEW dp.plain AS SELECT id FROM dp.notes;
CREATE VIEW dp.outer_view AS SELECT * FROM dp.plain;
SELECT * FROM dp.seen();
GRANT SELECT ON dp.outer_view TO authenticated;
SELECT level, topic, finding FROM dp.seen();
REVOKE SELECT ON dp.outer_view FROM authenticated;
GRANT SELECT ON dp.plain TO authenticated;
ALTER VIEW dp.plain OWNER TO regress_owner;
SELECT level, topic, finding FROM dp.seen();
ALTER TABLE dp.notes FORCE ROW LEVEL SECURITY;
SELECT * FROM dp.seen();
ALTER TABLE dp.notes NO FORCE ROW LEVEL SECURITY;
CREATE VIEW dp.public_view AS SELECT id FROM dp.notes;
REVOKE ALL ON dp.plain FROM authenticated;
GRANT SELECT ON dp.public_view TO PUBLIC;
SELECT level, topic, regexp_replace(finding, 'so .*authenticated.* may', 'so … may') FROM dp.seen() WHERE topic = 'view';
REVOKE ALL ON dp.public_view FROM PUBLIC;
CREATE MATERIALIZED VIEW dp.kept AS SELECT id FROM dp.plain;
GRANT SELECT ON dp.kept TO authenticated;
SELECT * FROM dp.seen();
SELECT dp.mend('view');
SELECT * FROM dp.seen();
GRANT SELECT ON dp.outer_view TO authenticated;
SELECT dp.mend('view');
-- Now the inner one is read as whoever reads the outer one: its own owner still reads past the policies.
SELECT * FROM dp.seen();
SELECT dp.mend('view');
SELECT * FROM dp.seen();
ALTER VIEW dp.plain RESET (security_invoker);
-- A service key's role bypasses row-level security anyway.
GRANT SELECT ON dp.plain TO service_role;
SELECT * FROM dp.seen();
-- What will be created later.
ALTER DEFAULT PRIVILEGES FOR ROLE regress_owner IN SCHEMA dp GRANT SELECT ON TABLES TO PUBLIC, authenticated, service_role;
SELECT level, topic, finding, remedy FROM mcp.doctor() WHERE topic IN ('public', 'defaults') AND finding ~ 'schema dp' ORDER BY topic;
DO $$ DECLARE r text; BEGIN FOR r IN SELECT remedy FROM mcp.doctor() WHERE topic IN ('public', 'defaults') AND finding ~ 'schema dp' LOOP EXECUTE r; END LOOP; END $$;
SELECT count(*) FROM mcp.doctor() WHERE topic IN ('public', 'defaults') AND finding ~ 'schema dp';
-- Of one kind not more than 20 are shown, unless all are asked for.
DO $$ BEGIN FOR n IN 100..129 LOOP EXECUTE format('CREATE TABLE dp.many_%s (i int); GRANT INSERT ON dp.many_%s TO authenticated', n, n); END LOOP; END $$;
SELECT count(*) FROM mcp.doctor() WHERE topic = 'rls';
SELECT finding = format('and %s more like these', (SELECT count(*) - 20 FROM mcp.doctor(everything => true) WHERE topic = 'rls')), remedy FROM mcp.doctor() WHERE topic = 'rls' AND finding ~ '^and ';
SELECT count(*), min(finding), max(finding) FROM mcp.doctor(true) WHERE topic = 'rls' AND finding ~ 'dp\.many';
SELECT count(*) FROM (SELECT level, topic, finding FROM mcp.doctor(true) GROUP BY 1, 2, 3 HAVING count(*) > 1) AS twice;
-- It reads the catalog and no row; it changes nothing.
SET default_transaction_read_only = on;
SELECT count(*) > 0 FROM mcp.doctor();
RESET default_transaction_read_only;
DROP SCHEMA dp CASCADE;
