-- install, setup_roles, setup_listener, allow_role, expose: run again they change nothing and say so; what expose grants and warns of.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE TEMP VIEW surface AS SELECT md5(string_agg(x, E'\n' ORDER BY x COLLATE "C")) FROM (
    SELECT 'f ' || p.oid::regprocedure || p.prosrc || coalesce(p.proacl::text, '') FROM pg_proc AS p WHERE pronamespace IN ('auth'::regnamespace, 'mcp'::regnamespace)
    UNION ALL SELECT 'r ' || r.rolname || r.rolsuper || r.rolcanlogin || r.rolbypassrls || r.rolinherit || coalesce(r.rolconfig::text, '') FROM pg_roles AS r
    UNION ALL SELECT 'n ' || n.nspname || coalesce(n.nspacl::text, '') FROM pg_namespace AS n WHERE nspname !~ '^pg_(temp|toast)' UNION ALL SELECT 'a ' || role_name FROM mcp.allowed_roles) AS s(x);
SELECT * FROM surface \gset before_
SELECT * FROM mcp.setup_roles();
SELECT * FROM mcp.install();
SELECT * FROM mcp.setup_listener('regress_listener') AS l WHERE l !~ '^note: ';
SELECT * FROM mcp.allow_role('anon');
SELECT :'before_md5' = md5 AS unchanged FROM surface;
-- What PUBLIC has is listed, as the listener's role has it too.
SELECT l FROM mcp.setup_listener('regress_listener') AS l WHERE l ~ '^note: .*temporary';
CREATE FUNCTION public.powerful() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
CREATE TABLE public.for_all (id int);
GRANT SELECT ON public.for_all TO PUBLIC;
SELECT l FROM mcp.setup_listener('regress_listener') AS l WHERE l ~ '^note: .*(powerful|for_all)' ORDER BY 1;
DROP FUNCTION public.powerful();
DROP TABLE public.for_all;
-- A role that is too strong, or member of another, is not made a listener.
CREATE ROLE regress_strong LOGIN CREATEROLE;
CREATE ROLE regress_member LOGIN;
GRANT regress_app TO regress_member;
SELECT t.try($$SELECT count(*) FROM mcp.setup_listener('regress_strong')$$), t.try($$SELECT count(*) FROM mcp.setup_listener('regress_member')$$), t.try($$SELECT count(*) FROM mcp.setup_listener('postgres')$$);
SELECT rolname, rolcanlogin, rolinherit, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'regress_listener';
-- Parameters stay out of the log; auto_explain logs them too, from Postgres 16 on.
SELECT c FROM pg_roles, unnest(rolconfig) AS c WHERE rolname = 'regress_listener' AND c NOT LIKE 'auto_explain%' ORDER BY c;
SELECT ('auto_explain.log_parameter_max_length=0' = ANY (rolconfig)) = (current_setting('server_version_num')::int >= 160000) FROM pg_roles WHERE rolname = 'regress_listener';
SELECT count(*) FROM mcp.setup_listener('regress "odd; name', 'pass''word');
SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'regress "odd; name';
REVOKE ALL ON FUNCTION mcp._serve(text, text, text), mcp._changes(), mcp.handle(text, text, jsonb), mcp.health(), mcp._ended(int8), mcp.worker_status(), mcp._audit_refused(text, text, int4) FROM "regress ""odd; name";
REVOKE ALL ON PROCEDURE mcp._wait(int8, int4) FROM "regress ""odd; name";
REVOKE ALL ON DATABASE regression FROM "regress ""odd; name";
DROP ROLE regress_strong, regress_member, "regress ""odd; name";
-- Nothing can be reached with the listener's login alone.
\c - regress_listener
SELECT t.try(q) FROM unnest(ARRAY['SELECT count(*) FROM mcp.keys', 'SELECT count(*) FROM t.credentials', 'SELECT mcp.list_keys(''client'')', 'SELECT mcp.create_key(''client'', ''x'', ''{read:tables}'')', 'SET ROLE authenticated', 'SET ROLE service_role', 'CREATE TABLE public.mine (x int)', 'CREATE SCHEMA mine']) AS q;
SELECT t.call('list_tables');
SELECT status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', '', NULL);
SELECT mcp.health()::jsonb ->> 'status';
\c - postgres
SET client_min_messages = warning;
-- expose
CREATE SCHEMA ex;
CREATE TABLE ex.plain (id serial PRIMARY KEY, x int);
CREATE TABLE ex.bare (id int);
ALTER TABLE ex.bare ENABLE ROW LEVEL SECURITY;
CREATE TABLE ex.fine (id int GENERATED ALWAYS AS IDENTITY);
ALTER TABLE ex.fine ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON ex.fine TO authenticated USING (true);
CREATE VIEW ex.view AS SELECT 1 AS x;
CREATE VIEW ex.invoker WITH (security_invoker) AS SELECT 1 AS x;
CREATE TABLE ex."odd ""name" (id int);
SELECT * FROM mcp.expose('ex.plain', verbs => '{select,insert}');
SELECT * FROM mcp.expose('ex.plain', verbs => '{select,insert}');
SELECT t.via('a', 'insert_record', '{"table": "ex.plain", "data": {"x": 1}}');
SELECT * FROM mcp.expose('ex.bare');
SELECT * FROM mcp.expose('ex.fine', 'authenticated', '{SELECT,UPDATE}');
SELECT * FROM mcp.expose('ex.view');
SELECT * FROM mcp.expose('ex.invoker');
SELECT * FROM mcp.expose('ex."odd ""name"', 'service_role', '{delete}');
SELECT t.try($$SELECT count(*) FROM mcp.expose('ex.fine', verbs => '{truncate}')$$), t.try($$SELECT count(*) FROM mcp.expose('ex.fine', verbs => '{select; drop}')$$), t.try($$SELECT count(*) FROM mcp.expose('ex.nothing')$$), t.try($$SELECT count(*) FROM mcp.expose('ex.fine', 'regress_nobody')$$);
SELECT c.relname, string_agg(g.rolname || ' ' || a.privilege_type, ', ' ORDER BY g.rolname, a.privilege_type) FROM pg_class AS c, aclexplode(c.relacl) AS a, pg_roles AS g WHERE c.relnamespace = 'ex'::regnamespace AND g.oid = a.grantee AND g.rolname <> 'postgres' GROUP BY 1 ORDER BY 1;
SELECT t.try($$SELECT count(*) FROM mcp.install('{nothing}')$$), t.try($$SELECT count(*) FROM mcp.install('{NULL}')$$);
-- Another name for the schema of the helpers.
SELECT * FROM mcp.install('{auth}', 'regress "auth') AS l WHERE l !~ 'may use schema';
SELECT "regress ""auth".uid() IS NULL;
DROP SCHEMA "regress ""auth", ex CASCADE;
-- Helpers are no members of the extension, so that pg_dump keeps what is built on them.
SELECT count(*) FROM pg_depend AS d WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass AND d.objid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'auth'::regnamespace);
