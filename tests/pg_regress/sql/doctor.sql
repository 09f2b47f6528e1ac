-- doctor finds what is wrong with a set-up, and doctor_access why a key sees nothing; both give the next step.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT level, topic, regexp_replace(finding, 'PostgreSQL .*', 'PostgreSQL …') FROM mcp.doctor() WHERE topic IN ('version', 'preload', 'enabled');
SELECT level, topic, finding, remedy FROM mcp.doctor() WHERE topic = 'listener' ORDER BY finding;
SELECT count(*) FROM mcp.doctor() WHERE topic = 'roles';
-- Faults, one by one.
SET mcp.enabled = off;
SELECT level, topic, finding, remedy FROM mcp.doctor() WHERE topic = 'enabled';
RESET mcp.enabled;
ALTER ROLE service_role NOBYPASSRLS;
SELECT level, finding, remedy FROM mcp.doctor() WHERE topic = 'roles';
ALTER ROLE service_role BYPASSRLS;
CREATE ROLE regress_doomed NOLOGIN;
\o /dev/null
SELECT mcp.allow_role('regress_doomed');
\o
ALTER ROLE regress_doomed SUPERUSER;
SELECT level, finding, remedy FROM mcp.doctor() WHERE topic = 'roles';
ALTER ROLE regress_doomed NOSUPERUSER;
REVOKE USAGE ON SCHEMA auth FROM regress_doomed;
DROP ROLE regress_doomed;
SELECT level, finding, remedy FROM mcp.doctor() WHERE topic = 'roles';
DELETE FROM mcp.allowed_roles WHERE role_name = 'regress_doomed';
CREATE SCHEMA dr;
CREATE TABLE dr.open (id int);
GRANT INSERT ON dr.open TO authenticated;
CREATE FUNCTION dr.reads_role() RETURNS text LANGUAGE sql AS $$ SELECT current_setting('role') $$;
CREATE FUNCTION dr.sets_role() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET LOCAL ROLE anon; END $$;
CREATE FUNCTION dr.powerful() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
SELECT level, topic, finding, remedy FROM mcp.doctor() WHERE finding ~ 'dr\.' ORDER BY topic, finding;
-- Access, from nothing to everything.
CREATE TABLE dr.notes (id int, user_id uuid, secret text);
ALTER TABLE dr.notes ENABLE ROW LEVEL SECURITY;
SELECT t.key('patient', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', scopes => '{read:tables}');
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('patient', 'dr.notes');
GRANT USAGE ON SCHEMA dr TO authenticated;
GRANT SELECT (id, user_id), INSERT ON dr.notes TO authenticated;
CREATE POLICY own ON dr.notes FOR SELECT TO authenticated USING (user_id = auth.uid());
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('patient', 'dr.notes');
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('patient', 'dr.open') WHERE topic = 'policy';
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('service', 'dr.notes');
SELECT level, topic, finding, remedy FROM mcp.doctor_access('patient', 'dr.none') WHERE topic = 'table';
SELECT level, topic, finding, remedy FROM mcp.doctor_access('patient', 'mcp.keys') WHERE topic = 'schema';
SELECT t.try($$SELECT mcp.doctor_access('nobody at all', 'dr.notes')$$), t.try($$SELECT mcp.doctor_access('patient', 'a"b')$$);
SELECT mcp.revoke_key('client', 'patient') IS NOT NULL;
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('patient', 'dr.notes') WHERE topic = 'key';
DROP SCHEMA dr CASCADE;
