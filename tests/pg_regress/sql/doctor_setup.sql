-- doctor finds what is wrong with the extension, the listener's role, the keys, what is registered and what is logged: each
-- fault is made, seen, mended (by the remedy where it is SQL), and gone.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA ds;
GRANT USAGE ON SCHEMA ds TO authenticated;
CREATE FUNCTION ds.seen(wanted text) RETURNS TABLE (level text, finding text, remedy text) LANGUAGE sql AS $$
SELECT level, regexp_replace(replace(finding, mcp.version(), 'VERSION'), '[0-9a-f]{16}', 'ID', 'g'), regexp_replace(replace(remedy, mcp.version(), 'VERSION'), '[0-9a-f]{16}', 'ID', 'g')
  FROM mcp.doctor() WHERE topic = wanted AND level <> 'ok'
$$;
CREATE FUNCTION ds.mend(wanted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    n int := 0;
BEGIN
    FOR r IN SELECT remedy FROM mcp.doctor() WHERE topic = wanted AND level <> 'ok' AND finding !~ 'regress_login' LOOP
        EXECUTE r.remedy;
        n := n + 1;
    END LOOP;
    RETURN n || ' remedies ran';
END
$$;
-- The extension: a library that was replaced, one that was not, a newer version on the server.
SELECT * FROM ds.seen('extension');
BEGIN;
UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'fluxbase_mcp_ext';
SELECT * FROM ds.seen('extension');
UPDATE pg_extension SET extversion = '99.10.1' WHERE extname = 'fluxbase_mcp_ext';
SELECT * FROM ds.seen('extension');
ROLLBACK;
SELECT * FROM ds.seen('extension');
-- Hidden schemas.
SELECT * FROM ds.seen('hidden');
SET mcp.hidden_schemas = 'auth, "x"';
SELECT * FROM ds.seen('hidden');
RESET mcp.hidden_schemas;
-- Parameters in the log.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SELECT * FROM ds.seen('logging');
SET log_min_duration_statement = 0;
SELECT * FROM ds.seen('logging');
SET log_parameter_max_length = 0;
SELECT * FROM ds.seen('logging');
SET log_min_duration_statement = -1;
RESET log_parameter_max_length;
SET log_min_duration_sample = 10;
SELECT level FROM ds.seen('logging');
RESET log_min_duration_sample;
SET log_statement = 'all';
SELECT level FROM ds.seen('logging');
SET log_statement = 'ddl';
SET log_parameter_max_length_on_error = 64;
SELECT * FROM ds.seen('logging');
RESET log_parameter_max_length_on_error;
SELECT * FROM ds.seen('logging');
RESET log_statement;
RESET log_min_duration_statement;
-- The listener's role. regress_login is the worst of its kind, on purpose, in all tests.
SELECT level, finding FROM ds.seen('listener');
ALTER ROLE regress_listener CREATEDB;
GRANT regress_app TO regress_listener;
CREATE TABLE ds.its (i int);
ALTER TABLE ds.its OWNER TO regress_listener;
ALTER ROLE regress_listener RESET log_parameter_max_length;
ALTER ROLE regress_listener SET mcp.enabled = off;
ALTER ROLE regress_listener SET default_transaction_read_only = on;
SELECT * FROM ds.seen('listener') WHERE finding ~ 'regress_listener';
\o /dev/null
SELECT ds.mend('listener');
\o
SELECT * FROM ds.seen('listener') WHERE finding ~ 'regress_listener';
ALTER ROLE regress_listener RESET default_transaction_read_only;
ALTER ROLE regress_listener NOLOGIN;
SELECT * FROM ds.seen('listener') WHERE finding ~ 'regress_listener';
SELECT ds.mend('listener');
REVOKE CONNECT ON DATABASE regression FROM PUBLIC, regress_listener;
SELECT * FROM ds.seen('listener') WHERE finding ~ 'regress_listener may';
GRANT CONNECT ON DATABASE regression TO PUBLIC, regress_listener;
SELECT * FROM ds.seen('listener') WHERE finding ~ 'regress_listener';
-- The name of a role is quoted in a remedy.
CREATE ROLE "regress ""quoted" LOGIN CREATEROLE;
GRANT EXECUTE ON FUNCTION mcp._serve(text, text, text) TO "regress ""quoted";
SELECT * FROM ds.seen('listener') WHERE finding ~ 'attributes';
REVOKE EXECUTE ON FUNCTION mcp._serve(text, text, text) FROM "regress ""quoted";
DROP ROLE "regress ""quoted";
-- Keys.
SELECT t.key('lapsed', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa');
SELECT t.key('odd setting', settings => '{"app.x": "1"}');
CREATE ROLE regress_gone NOLOGIN;
\o /dev/null
SELECT mcp.allow_role('regress_gone');
SELECT t.key('of a role that goes', role => 'regress_gone');
SELECT t.key('eternal', role => 'service_role', kind => 'service', scopes => '{}');
\o
UPDATE mcp.keys SET expires_at = now() - interval '1 day' WHERE name = 'lapsed';
UPDATE mcp.keys SET settings = '{"work_mem": "much", "search_path": "x"}' WHERE name = 'odd setting';
SELECT mcp.disallow_role('regress_gone');
SELECT * FROM ds.seen('keys') WHERE finding ~ 'regress_gone|odd setting|lapsed|eternal';
SELECT t.via('odd setting', 'list_tables');
REVOKE USAGE ON SCHEMA auth FROM regress_gone;
DROP ROLE regress_gone;
SELECT * FROM ds.seen('keys') WHERE finding ~ 'regress_gone';
DELETE FROM mcp.keys WHERE name IN ('lapsed', 'odd setting', 'of a role that goes', 'eternal');
SELECT * FROM ds.seen('keys') WHERE finding ~ 'regress_gone|odd setting|lapsed|eternal';
SELECT level, regexp_replace(finding, '^[0-9]+', 'N'), remedy FROM ds.seen('rate limit');
SET mcp.rate_limit_per_min = 60;
SELECT * FROM ds.seen('rate limit');
RESET mcp.rate_limit_per_min;
-- What is registered.
SELECT * FROM ds.seen('registered');
CREATE FUNCTION ds.add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b';
REVOKE ALL ON FUNCTION ds.add FROM PUBLIC;
CREATE FUNCTION ds.page(uri text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT uri';
CREATE FUNCTION ds.ask(arguments jsonb) RETURNS text LANGUAGE sql AS 'SELECT arguments::text';
SELECT mcp.register_tool('add', 'ds.add(int, int)', 'Adds.', '{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}');
SELECT mcp.register_resource('page://{x}', 'ds.page(text)', 'page');
SELECT mcp.register_prompt('ask', 'ds.ask(jsonb)', 'Asks.');
SELECT * FROM ds.seen('registered');
GRANT EXECUTE ON FUNCTION ds.add(int, int) TO authenticated;
ALTER FUNCTION ds.page(text) OWNER TO regress_owner;
ALTER FUNCTION ds.page(text) SET search_path = ds, pg_temp;
SELECT * FROM ds.seen('registered');
UPDATE mcp._tools SET input_schema = '{"type": "object", "properties": {"c": {"type": "integer"}}}' WHERE name = 'add';
UPDATE mcp._prompts SET arguments = '[{"wrong": 1}]' WHERE name = 'ask';
DROP FUNCTION ds.page(text);
CREATE FUNCTION ds.page(uri text) RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT * FROM ds.seen('registered');
DROP FUNCTION ds.add(int, int), ds.page(text), ds.ask(jsonb);
SELECT * FROM ds.seen('registered');
SELECT ds.mend('registered');
SELECT * FROM ds.seen('registered');
-- None of it is for others than admins, nor the pieces for anybody.
SET ROLE regress_app;
SELECT t.try('SELECT mcp.doctor()'), t.try('SELECT mcp._doctor_keys()'), t.try('SELECT mcp._registered()'), t.try($$SELECT mcp._unfit('tool', 'x', 1)$$);
RESET ROLE;
SET ROLE mcp_admin;
SELECT count(*) > 0 FROM mcp.doctor();
SELECT t.try('SELECT mcp._doctor_keys()'), t.try('SELECT mcp._past_policies()');
RESET ROLE;
DROP SCHEMA ds CASCADE;
