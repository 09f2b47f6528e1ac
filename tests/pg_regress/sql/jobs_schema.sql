-- Background jobs: what mcp.install('{jobs}') makes, whose it is, and who may do what with it directly.
\t on
\a
SELECT mcp._jobs_there(), mcp._jobs_next_due(), mcp._jobs_take_back(), mcp._jobs_release(gen_random_uuid());
-- A table of that name that somebody else made is left alone, and nothing is made beside it.
CREATE SCHEMA jobs;
CREATE TABLE jobs.queue (mine int);
SELECT * FROM mcp.install('{jobs}');
SELECT mcp._jobs_there(), to_regclass('jobs.functions');
SET client_min_messages = warning;
DROP SCHEMA jobs CASCADE;
RESET client_min_messages;
SELECT * FROM mcp.install('{jobs}');
SELECT * FROM mcp.install('{jobs}');
SELECT c.relname, c.relowner::regrole, c.relrowsecurity FROM pg_class AS c WHERE c.relnamespace = 'jobs'::regnamespace AND c.relkind = 'r' ORDER BY 1;
-- Nobody but mcp_owner writes, nobody but a worker calls what a worker calls.
SELECT g.grantee, g.table_name, string_agg(DISTINCT g.privilege_type, ', ' ORDER BY g.privilege_type)
  FROM information_schema.column_privileges AS g WHERE g.table_schema = 'jobs' AND g.grantee <> 'mcp_owner' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'mcp'::regnamespace AND p.proname ~ '^_jobs?_' ORDER BY 1;
SELECT mcp._jobs_next_due() IS NULL, mcp._jobs_take_back(), mcp._jobs_release(gen_random_uuid());
SELECT count(*) FROM mcp._jobs_claim(gen_random_uuid(), 1, '1 minute');
-- What runs outside of a job says nothing. Arguments are looked at first.
SELECT t.try('SELECT jobs.report_progress(101)');
SELECT t.try('SELECT jobs.report_progress(NULL)');
SELECT t.try('SELECT jobs.log(''loud'', ''x'')');
SELECT t.try('SELECT jobs.log(''info'', NULL)');
SELECT t.try('SELECT jobs.log(''info'', repeat(''x'', 10001))');
SELECT t.try('SELECT jobs.report_progress(5)');
SELECT t.try('SELECT jobs.log(''info'', ''x'')');

-- Registering: what is not taken.
CREATE SCHEMA jobwork;
CREATE FUNCTION jobwork.report(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT payload';
CREATE FUNCTION jobwork.two(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION jobwork.number(a int) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(a)';
CREATE FUNCTION jobwork.many() RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION jobwork.poke() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE PROCEDURE jobwork.sweep() LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE jobwork.out_sweep(INOUT a jsonb) LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION t.register(arguments text) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(t.try('SELECT mcp.register_job(' || arguments || ')'), '^[0-9a-f-]{36}$', '(uuid)')
$$;
SELECT t.register($$'two', 'jobwork.two(jsonb, jsonb)'$$);
SELECT t.register($$'number', 'jobwork.number(int)'$$);
SELECT t.register($$'many', 'jobwork.many()'$$);
SELECT t.register($$'poke', 'jobwork.poke()'$$);
SELECT t.register($$'out', 'jobwork.out_sweep(jsonb)'$$);
SELECT t.register($$'sum', 'pg_catalog.count()'$$);
SELECT t.register($$'a b', 'jobwork.sweep()'$$);
SELECT t.register($$'neither'$$);
SELECT t.register($$'both', 'jobwork.sweep()', edge_function => 'x'$$);
SELECT t.register($$'edge', edge_function => '../x'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', payload_schema => '{"type": "array"}'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '* * * *', run_as => 'authenticated'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '0 0 30 2 *', run_as => 'authenticated'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '* * * * *', time_zone => 'Mars', run_as => 'authenticated'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '* * * * *', missed_runs => 'never', run_as => 'authenticated'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '* * * * *'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '* * * * *', run_as => current_user::regrole$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '* * * * *', run_as => 'regress_app'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', run_as => 'authenticated'$$);
SELECT t.register($$'r', 'jobwork.report(jsonb)', require_roles => '{nobody_of_that_name}'$$);
-- authenticated may not use schema jobwork.
SELECT t.register($$'r', 'jobwork.report(jsonb)', schedule => '* * * * *', run_as => 'authenticated'$$);
SELECT count(*) FROM jobs.functions;
-- What is taken, and replaced.
GRANT USAGE ON SCHEMA jobwork TO authenticated;
SELECT t.register($$'r', 'jobwork.report(jsonb)', 'Reports.', schedule => '30 6 * * MON-FRI', time_zone => 'Europe/Berlin', run_as => 'authenticated'$$);
SELECT t.register($$'sweep', 'jobwork.sweep()'$$);
SELECT t.register($$'edge', edge_function => 'other/x'$$);
SELECT name, namespace, kind, function_schema, function_name, function_arguments, edge_namespace, edge_function, schedule, time_zone, run_as,
       next_run_at > now() AND next_run_at < now() + interval '4 days' AS next, registered_by = current_user AS by FROM jobs.functions ORDER BY name;
SELECT t.register($$'sweep', 'jobwork.report(jsonb)', 'Now a function.'$$);
SELECT kind, description FROM jobs.functions WHERE name = 'sweep';
SELECT mcp.enable_job('sweep', false), mcp.enable_job('nowhere', false), mcp.unregister_job('edge'), mcp.unregister_job('edge');
SELECT name, enabled FROM jobs.functions ORDER BY name;

-- Who registers: admins what they may execute, and as roles that they may become; nobody else; nobody from within a tool.
CREATE ROLE regress_job_admin NOLOGIN IN ROLE mcp_admin;
SET ROLE regress_job_admin;
SELECT t.register($$'mine', 'jobwork.report(jsonb)'$$);
RESET ROLE;
GRANT USAGE ON SCHEMA jobwork TO regress_job_admin;
SET ROLE regress_job_admin;
SELECT t.register($$'mine', 'jobwork.report(jsonb)'$$);
SELECT t.register($$'mine', 'jobwork.report(jsonb)', schedule => '* * * * *', run_as => 'authenticated'$$);
SELECT t.try('UPDATE jobs.functions SET run_as = ''authenticated''');
SELECT t.try('INSERT INTO jobs.queue (namespace, function_id, job_name, role_name) VALUES (''default'', gen_random_uuid(), ''r'', ''authenticated'')');
RESET ROLE;
SET ROLE authenticated;
SELECT t.try('SELECT mcp.register_job(''x'', ''jobwork.report(jsonb)'')');
SELECT t.try('SELECT run_as FROM jobs.functions');
SELECT t.try('SELECT claims FROM jobs.queue');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA jobwork CASCADE;
DROP SCHEMA jobs CASCADE;
DROP FUNCTION t.register;
DROP ROLE regress_job_admin;
