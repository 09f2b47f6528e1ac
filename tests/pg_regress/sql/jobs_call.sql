-- Procedures with transaction control: what can be registered, whose session could be left and so is refused, and what a claim tells.
\t on
\a
\o /dev/null
SELECT mcp.install('{jobs}');
CREATE ROLE regress_call_login LOGIN;
CREATE ROLE regress_call_nologin NOLOGIN;
CREATE ROLE regress_call_other NOLOGIN;
SELECT mcp.allow_role(r::regrole) FROM unnest(ARRAY['regress_call_login', 'regress_call_nologin']) AS r;
SELECT mcp.install('{jobs}');
\o
CREATE SCHEMA callwork;
GRANT USAGE ON SCHEMA callwork TO regress_call_login, regress_call_nologin;
CREATE PROCEDURE callwork.clean(payload jsonb) LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
CREATE PROCEDURE callwork.definer() LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN COMMIT; END';
CREATE PROCEDURE callwork.settings() LANGUAGE plpgsql SET work_mem = '1MB' AS 'BEGIN COMMIT; END';
CREATE FUNCTION callwork.plain() RETURNS void LANGUAGE sql AS '';

-- What can be registered so.
SELECT mcp.register_job('plain', 'callwork.plain()', transaction_control => true);
SELECT mcp.register_job('edge', edge_function => 'report', transaction_control => true);
SELECT mcp.register_job('definer', 'callwork.definer()', transaction_control => true);
SELECT mcp.register_job('settings', 'callwork.settings()', transaction_control => true);
SELECT name FROM jobs.functions;
SELECT mcp.register_job('clean', 'callwork.clean(jsonb)', transaction_control => true) AS f \gset
SELECT kind, transaction_control FROM jobs.functions WHERE id = :'f';

-- Whose session could be left, or is none.
CREATE FUNCTION t.problem(role text) RETURNS text LANGUAGE sql AS $$
SELECT replace(coalesce(q.problem, 'none'), current_database(), '(db)') FROM jobs.functions AS f, mcp._job_target(f.id, role, true) AS q WHERE f.name = 'clean'
$$;
SELECT t.problem('regress_call_login');
SELECT (t.problem('regress_call_nologin') LIKE 'before Postgres 17 transaction_control needs a role that may log in, and role regress_call_nologin may not: ALTER ROLE%')
       = (current_setting('server_version_num')::int < 170000);
GRANT regress_call_other TO regress_call_login;
SELECT regexp_replace(t.problem('regress_call_login'), ', or GRANT.*', '');
REVOKE regress_call_other FROM regress_call_login;
-- ADMIN alone is enough to grant oneself the rest; also through another role.
GRANT regress_call_other TO regress_call_nologin WITH ADMIN OPTION;
GRANT regress_call_nologin TO regress_call_login;
SELECT t.problem('regress_call_login') LIKE 'role regress_call_login may become role regress_call_%';
REVOKE regress_call_nologin FROM regress_call_login;
REVOKE regress_call_other FROM regress_call_nologin;
ALTER ROLE regress_call_login CREATEROLE;
SELECT t.problem('regress_call_login');
ALTER ROLE regress_call_login NOCREATEROLE SUPERUSER;
SELECT t.problem('regress_call_login');
ALTER ROLE regress_call_login NOSUPERUSER;
REVOKE CONNECT ON DATABASE :DBNAME FROM PUBLIC;
SELECT t.problem('regress_call_login');
GRANT CONNECT ON DATABASE :DBNAME TO PUBLIC;
ALTER DATABASE :DBNAME OWNER TO regress_call_login;
SELECT regexp_replace(t.problem('regress_call_login'), ', or GRANT.*', '');
ALTER DATABASE :DBNAME OWNER TO CURRENT_USER;
GRANT SET ON PARAMETER mcp.claims TO regress_call_login;
SELECT t.problem('regress_call_login');
REVOKE SET ON PARAMETER mcp.claims FROM regress_call_login;
ALTER PROCEDURE callwork.clean SET work_mem = '1MB';
SELECT t.problem('regress_call_login');
ALTER PROCEDURE callwork.clean RESET ALL;
SELECT t.problem('regress_call_login');

-- A schedule is refused when it is registered, a submission when it is made.
GRANT regress_call_other TO regress_call_login;
DO $$
BEGIN
    PERFORM mcp.register_job('nightly', 'callwork.clean(jsonb)', schedule => '@daily', run_as => 'regress_call_login', transaction_control => true);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE '%', regexp_replace(SQLERRM, ', or GRANT[^.]*', '');
END
$$;
SELECT count(*) FROM jobs.functions WHERE name = 'nightly';
SELECT t.key('call_ann', role => 'regress_call_login', user_id => 'ann', scopes => '{execute:jobs}');
SELECT regexp_replace(t.via('call_ann', 'submit_job', '{"job_name": "clean"}'), ', or GRANT[^.]*', '');
REVOKE regress_call_other FROM regress_call_login;
SELECT t.via('call_ann', 'submit_job', '{"job_name": "clean"}') LIKE '%"status":"pending"%';

-- A claim tells that it is called at top level, and with what, as long as the run is the worker's own.
SELECT gen_random_uuid() AS w \gset
SELECT id, run FROM mcp._jobs_claim(:'w', 1, '1 minute') WHERE kind = 'call' AND problem IS NULL AND target = 'callwork.clean'::regproc \gset
SELECT target::regprocedure, argument::regtype, payload, role_name, claims::jsonb ->> 'sub', problem FROM mcp._job_call(:'id', :'w', :run);
SELECT count(*) FROM mcp._job_call(:'id', :'w', :run - 1);
SELECT count(*) FROM mcp._job_call(:'id', gen_random_uuid(), :run);
SELECT mcp.register_job('clean', 'callwork.clean(jsonb)') = :'f';
SELECT problem FROM mcp._job_call(:'id', :'w', :run);
-- Nobody else may ask, the worker's role either.
SELECT r FROM unnest(ARRAY['public', 'mcp_jobs', 'regress_call_login']) AS r
 WHERE has_function_privilege(r, 'mcp._job_call(uuid, uuid, int)', 'EXECUTE') OR has_function_privilege(r, 'mcp._job_call_problem(oid, oid)', 'EXECUTE');
\o /dev/null
SET client_min_messages = warning;
DROP SCHEMA jobs, callwork CASCADE;
DROP FUNCTION t.problem;
DELETE FROM mcp.keys WHERE name = 'call_ann';
DELETE FROM mcp.allowed_roles WHERE role_name LIKE 'regress_call%';
DROP OWNED BY regress_call_login, regress_call_nologin, regress_call_other;
DROP ROLE regress_call_login, regress_call_nologin, regress_call_other;
