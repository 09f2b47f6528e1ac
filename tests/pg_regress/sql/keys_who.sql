-- Who may make a key: members of mcp_admin, for roles that they could become themselves; nobody escalates by our functions.
\t on
\a
SET client_min_messages = warning;
CREATE ROLE regress_keymaker LOGIN;
GRANT mcp_admin TO regress_keymaker;
CREATE ROLE regress_allowed NOLOGIN;
SELECT mcp.allow_role('regress_allowed');
-- Without mcp_admin nothing.
SET ROLE regress_app;
SELECT t.try($$SELECT mcp.create_key('client', 'x', '{read:tables}')$$);
SELECT t.try($$SELECT mcp.list_keys('client')$$), t.try($$SELECT mcp.revoke_key('client', 'a')$$), t.try($$SELECT mcp.rotate_key('client', 'a')$$), t.try('SELECT mcp.doctor()'), t.try($$SELECT mcp.doctor_access('a', 'x')$$);
RESET ROLE;
-- With it, but for no role that one could not SET.
\c - regress_keymaker
SELECT t.try($$SELECT id FROM mcp.create_key('client', 'km', '{read:tables}', 'regress_allowed', key_id => '00000000000000ba', verifier => sha256('x'))$$);
SELECT t.try($$SELECT id FROM mcp.create_key('service', 'km', role => 'service_role')$$);
SELECT t.try($$SELECT id FROM mcp.create_key('client', 'km', '{read:tables}', 'postgres')$$);
SELECT t.try($$SELECT id FROM mcp.rotate_key('client', 'a')$$), t.try($$SELECT id FROM mcp.rotate_key('service', 'service')$$), t.try($$SELECT mcp.revoke_key('client', 'a')$$);
\c - postgres
GRANT regress_allowed TO regress_keymaker;
\c - regress_keymaker
SELECT t.try($$SELECT id FROM mcp.create_key('client', 'km', '{read:tables}', 'regress_allowed', key_id => '00000000000000ba', verifier => sha256('x'))$$);
SELECT name, role, created_by FROM mcp.list_keys('client') WHERE name = 'km';
SELECT t.try($$SELECT mcp.revoke_key('client', 'km')$$);
-- Only what a superuser allowed.
SELECT t.try($$SELECT mcp.allow_role('regress_keymaker')$$), t.try($$SELECT mcp.disallow_role('regress_allowed')$$), t.try($$SELECT mcp.setup_roles()$$), t.try($$SELECT mcp.setup_listener()$$), t.try($$SELECT mcp.install()$$), t.try($$SELECT mcp.expose('pg_class')$$);
SELECT t.try($$SELECT id FROM mcp.create_key('client', 'km', '{read:tables}', 'regress_keymaker')$$);
-- A setting that only a superuser may SET must not be reachable by way of a key: plpgsql.variable_conflict is such a one.
SELECT t.try($$SET plpgsql.variable_conflict = 'use_column'$$);
SELECT t.try($$SELECT id FROM mcp.create_key('client', 'km superuser setting', '{read:tables}', 'regress_allowed', settings => '{"plpgsql.variable_conflict": "use_column"}', key_id => '00000000000000bb', verifier => sha256(sha256('km')))$$) <> '' AS tried;
\c - postgres
CREATE VIEW public.km_setting AS SELECT current_setting('plpgsql.variable_conflict') AS value;
GRANT SELECT ON public.km_setting TO regress_allowed;
SELECT count(*) AS reached FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"km_setting"}}}', 'fbk:00000000000000bb:' || encode(sha256('km'), 'hex'), NULL) WHERE body ~ 'use_column';
DROP VIEW public.km_setting;
-- Every function of ours by every kind of role: what is not for it is refused.
SELECT r, string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text COLLATE "C")
  FROM unnest(ARRAY['regress_app', 'authenticated', 'service_role', 'regress_listener', 'regress_keymaker']) AS r, pg_proc AS p
 WHERE p.pronamespace = 'mcp'::regnamespace AND has_function_privilege(r, p.oid, 'EXECUTE') GROUP BY r ORDER BY r COLLATE "C";
-- The tables of keys are nobody's; nor may anybody become their owner.
SELECT r, c.relname, has_table_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') AS any, pg_has_role(r, 'mcp_owner', 'MEMBER') AS member
  FROM unnest(ARRAY['regress_app', 'anon', 'authenticated', 'service_role', 'mcp_admin', 'regress_listener', 'regress_keymaker']) AS r, pg_class AS c
 WHERE c.relnamespace = 'mcp'::regnamespace AND c.relkind = 'r' ORDER BY 1, 2;
SELECT r, has_schema_privilege(r, 'mcp', 'CREATE') FROM unnest(ARRAY['regress_app', 'mcp_admin', 'regress_listener']) AS r;
-- A key made by a tool, by way of a trigger: refused for a listener's call, and also when a superuser lends its session to a key.
CREATE SCHEMA kw;
CREATE TABLE kw.orders (id int, made text);
CREATE FUNCTION kw.make_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.made := t.try($q$SELECT id FROM mcp.create_key('service', 'made by a tool', role => 'service_role', key_id => '00000000000000bc', verifier => sha256('x'))$q$);
    RETURN NEW;
END
$$;
CREATE TRIGGER make_key BEFORE INSERT ON kw.orders FOR EACH ROW EXECUTE FUNCTION kw.make_key();
GRANT USAGE ON SCHEMA kw TO regress_keymaker, authenticated;
GRANT SELECT, INSERT ON kw.orders TO regress_keymaker, authenticated;
SELECT mcp.allow_role('regress_keymaker');
SELECT t.key('keymaker', role => 'regress_keymaker');
\c - regress_listener
SELECT t.via('a', 'insert_record', '{"table": "kw.orders", "data": {"id": 1}}');
SELECT t.via('keymaker', 'insert_record', '{"table": "kw.orders", "data": {"id": 2}}');
\c - postgres
BEGIN;
SELECT mcp.authenticate(t.credential('keymaker'));
SELECT t.call('insert_record', '{"table": "kw.orders", "data": {"id": 3}}');
COMMIT;
SELECT t.via('keymaker', 'insert_record', '{"table": "kw.orders", "data": {"id": 4}}');
SELECT count(*) FROM mcp.keys WHERE name = 'made by a tool';
SET client_min_messages = warning;
DROP SCHEMA kw CASCADE;
\o /dev/null
SELECT mcp.disallow_role('regress_keymaker'), mcp.disallow_role('regress_allowed');
\o
