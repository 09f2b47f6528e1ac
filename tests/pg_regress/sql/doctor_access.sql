-- doctor_access tells why a key sees nothing: every fault is made, named with its remedy, mended, and the answer to the key follows.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA da;
CREATE FUNCTION da.why(key text, relation text DEFAULT NULL, tool text DEFAULT NULL) RETURNS TABLE (level text, topic text, finding text, remedy text) LANGUAGE sql AS $$
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID', 'g'), remedy FROM mcp.doctor_access(key, relation, tool) WHERE level <> 'ok'
$$;
SELECT t.key('da nobody', scopes => '{read:tables}');
SELECT t.key('da somebody', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', claims => '{"tenant": "A"}', settings => '{"app.tenant": "A"}', scopes => '{read:tables,write:tables,execute:rpc}');
-- The key alone.
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('da somebody');
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('service');
SELECT mcp.disallow_role('authenticated');
SELECT * FROM da.why('da somebody');
\o /dev/null
SELECT mcp.allow_role('authenticated');
\o
UPDATE mcp.keys SET settings = '{"work_mem": "much"}' WHERE name = 'da nobody';
SELECT * FROM da.why('da nobody');
UPDATE mcp.keys SET settings = '{}', expires_at = now() - interval '1 s' WHERE name = 'da nobody';
SELECT * FROM da.why('da nobody');
UPDATE mcp.keys SET expires_at = NULL WHERE name = 'da nobody';
SET mcp.enabled = off;
SELECT * FROM da.why('da nobody');
RESET mcp.enabled;
-- What policies ask for and the key lacks.
CREATE TABLE da.notes (id int, owner uuid, tenant text);
ALTER TABLE da.notes ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA da TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON da.notes TO authenticated;
CREATE POLICY own ON da.notes USING (owner = auth.uid());
CREATE POLICY tenant ON da.notes USING (tenant = (auth.jwt() ->> 'tenant'));
CREATE POLICY claim ON da.notes USING (tenant = mcp.claim('unit'));
CREATE POLICY setting ON da.notes USING (tenant = current_setting('app.tenant', true));
SELECT * FROM da.why('da nobody', 'da.notes');
SELECT * FROM da.why('da somebody', 'da.notes');
INSERT INTO da.notes VALUES (1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'A');
SELECT t.via('da nobody', 'query_table', '{"table": "da.notes"}'), t.via('da somebody', 'query_table', '{"table": "da.notes"}');
SELECT * FROM da.why('da nobody', 'da.notes') WHERE finding ~ 'app';
ALTER ROLE authenticated SET app.tenant = 'A';
SELECT * FROM da.why('da nobody', 'da.notes') WHERE finding ~ 'app';
ALTER ROLE authenticated RESET app.tenant;
CREATE POLICY session ON da.notes USING (session_user = 'x');
SELECT * FROM da.why('da somebody', 'da.notes') WHERE finding ~ 'session';
DROP POLICY session ON da.notes; DROP POLICY claim ON da.notes;
-- A restrictive policy that nothing opens, and one beside permissive ones.
CREATE POLICY narrow ON da.notes AS RESTRICTIVE TO authenticated USING (id < 10);
SELECT finding FROM mcp.doctor_access('da somebody', 'da.notes') WHERE topic = 'policy' AND finding ~ '^select';
DROP POLICY own ON da.notes; DROP POLICY tenant ON da.notes; DROP POLICY setting ON da.notes;
SELECT * FROM da.why('da somebody', 'da.notes');
SELECT t.via('da somebody', 'query_table', '{"table": "da.notes"}');
CREATE POLICY upd ON da.notes FOR UPDATE USING (id = 1) WITH CHECK (id = 2);
SELECT level, finding FROM mcp.doctor_access('da somebody', 'da.notes') WHERE topic = 'policy' AND finding ~ '^update';
-- The owner.
ALTER TABLE da.notes OWNER TO authenticated;
SELECT level, topic, finding, remedy FROM mcp.doctor_access('da somebody', 'da.notes') WHERE topic = 'policy';
ALTER TABLE da.notes FORCE ROW LEVEL SECURITY;
SELECT level, finding FROM mcp.doctor_access('da somebody', 'da.notes') WHERE topic = 'policy' AND level = 'error';
ALTER TABLE da.notes OWNER TO regress_owner;
GRANT SELECT ON da.notes TO authenticated;
-- A name without its schema, one that is written otherwise, none at all; catalogs.
SELECT * FROM da.why('da somebody', 'notes') WHERE topic = 'table';
SET mcp.search_schemas = 'other, da';
SELECT count(*) FROM da.why('da somebody', 'notes') WHERE topic = 'table';
RESET mcp.search_schemas;
SELECT * FROM da.why('da somebody', 'da."Notes"') WHERE topic = 'table';
SELECT * FROM da.why('da somebody', 'a.b.c') WHERE topic = 'table';
SELECT * FROM da.why('service', 'pg_catalog.pg_class') WHERE topic = 'schema';
-- A table without any row; its partitions count.
CREATE TABLE da.parted (id int) PARTITION BY LIST (id);
CREATE TABLE da.part PARTITION OF da.parted DEFAULT;
SELECT level, topic, finding FROM da.why('da somebody', 'da.parted') WHERE level = 'info';
INSERT INTO da.parted VALUES (1);
SELECT level, topic, finding FROM da.why('da somebody', 'da.parted') WHERE level = 'info';
-- Views.
CREATE VIEW da.of_owner AS SELECT id FROM da.notes;
GRANT SELECT ON da.of_owner TO authenticated;
SELECT level, topic, finding FROM da.why('da somebody', 'da.of_owner') WHERE topic = 'view';
ALTER VIEW da.of_owner SET (security_invoker = true);
SELECT level, topic, finding, remedy FROM mcp.doctor_access('da somebody', 'da.of_owner') WHERE topic IN ('view', 'policy');
REVOKE SELECT ON da.notes FROM authenticated;
SELECT level, topic, finding, remedy FROM mcp.doctor_access('da somebody', 'da.of_owner') WHERE topic = 'view';
-- Some columns.
GRANT SELECT (id, "tenant") ON da.notes TO authenticated;
SELECT level, finding FROM mcp.doctor_access('da somebody', 'da.notes') WHERE topic = 'grant';
-- Tools: unknown, scope, allow-list of the session and of a listener, EXECUTE, gone.
SELECT * FROM da.why('da somebody', tool => 'query');
SELECT * FROM da.why('da nobody', tool => 'insert_record');
SELECT count(*) FROM da.why('da somebody', tool => 'insert_record');
SET mcp.allowed_tools = 'query_table, add';
SELECT * FROM da.why('da somebody', tool => 'insert_record');
SELECT * FROM da.why('da somebody', 'da.notes') WHERE topic = 'allow-list';
RESET mcp.allowed_tools;
ALTER ROLE regress_listener SET mcp.allowed_tools = 'list_tables';
SELECT * FROM da.why('da somebody', 'da.notes') WHERE topic = 'allow-list';
ALTER ROLE regress_listener RESET mcp.allowed_tools;
CREATE SCHEMA da_tools;
CREATE FUNCTION da_tools.add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b';
REVOKE ALL ON FUNCTION da_tools.add FROM PUBLIC;
SELECT mcp.register_tool('add', 'da_tools.add(int, int)', 'Adds.');
SELECT * FROM da.why('da nobody', tool => 'add');
SELECT * FROM da.why('da somebody', tool => 'ADD');
SELECT * FROM da.why('da somebody', tool => 'add');
SELECT t.via('da somebody', 'add', '{"a": 1, "b": 2}');
DO $$ DECLARE r text; BEGIN FOR r IN SELECT remedy FROM da.why('da somebody', tool => 'add') LOOP EXECUTE r; END LOOP; END $$;
SELECT level, topic, regexp_replace(finding, '[0-9a-f]{16}', 'ID'), remedy FROM mcp.doctor_access('da somebody', tool => 'add');
SELECT t.via('da somebody', 'add', '{"a": 1, "b": 2}');
UPDATE mcp._tools SET annotations = '{"readOnlyHint": 1}' WHERE name = 'add';
SELECT level, topic, remedy FROM da.why('da somebody', tool => 'add');
DROP SCHEMA da_tools CASCADE;
SELECT * FROM da.why('da somebody', tool => 'add');
SELECT mcp.unregister_tool('add');
-- The scopes of built-in tools are those that the dispatcher asks for.
SELECT b.name, b.scopes, t.via('da nobody', b.name) ~ '-32006' AS refused FROM mcp._built_in_tools() AS b ORDER BY b.name;
-- Of several keys with the name the newest is meant, an id is exact; a verifier is never told.
SELECT id FROM mcp.create_key('client', 'da twin', '{read:tables}', key_id => '00000000000000a1', verifier => sha256('a'));
SELECT id FROM mcp.create_key('client', 'da twin', '{read:tables}', key_id => '00000000000000a2', verifier => sha256('b'));
SELECT level, finding FROM mcp.doctor_access('da twin');
SELECT level, finding FROM mcp.doctor_access('00000000000000a1');
SET ROLE mcp_admin;
SELECT count(*) > 0 FROM mcp.doctor_access('da twin', 'da.notes', 'query_table');
SELECT t.try($$SELECT mcp._access_key(NULL)$$);
RESET ROLE;
DELETE FROM mcp.keys WHERE name IN ('da twin', 'da nobody', 'da somebody');
DROP SCHEMA da CASCADE;
