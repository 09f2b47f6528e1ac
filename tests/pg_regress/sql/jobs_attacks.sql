-- Another's job is as one that is not there; nobody chooses the role, claims or state of a job; workers that lost a job write nothing.
\t on
\a
\o /dev/null
SELECT mcp.install('{jobs}');
\o
CREATE SCHEMA jobwork;
GRANT USAGE ON SCHEMA jobwork TO authenticated, service_role, regress_app;
CREATE FUNCTION jobwork.report(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT payload';
\o /dev/null
SELECT mcp.register_job('report', 'jobwork.report(jsonb)', max_retries => 1);
\o
SELECT t.key('attack_ann', user_id => 'ann', scopes => '{execute:jobs,read:tables,write:tables}');
SELECT t.key('attack_ben', user_id => 'ben', scopes => '{execute:jobs,read:tables,write:tables}');
SELECT t.key('attack_nobody', scopes => '{execute:jobs}');
SELECT t.key('attack_service', role => 'service_role', kind => 'service', scopes => '{}');
SELECT t.via('attack_ann', 'submit_job', '{"job_name": "report", "idempotency_key": "k"}')::jsonb ->> 'job_id' AS job,
       gen_random_uuid() AS unknown, gen_random_uuid() AS worker, gen_random_uuid() AS thief \gset
INSERT INTO jobs.logs (job_id, run, level, message) VALUES (:'job', 0, 'info', 'secret');

-- By id: the same answers, with either id.
CREATE FUNCTION t.as(key text, id uuid) RETURNS SETOF text LANGUAGE sql AS $$
SELECT replace(t.via(key, tool, jsonb_build_object('job_id', id)), id::text, '(id)') FROM unnest('{get_job_status,get_job_logs,cancel_job}'::text[]) AS tool
$$;
SELECT * FROM t.as('attack_ben', :'job');
SELECT * FROM t.as('attack_ben', :'unknown');
SELECT (SELECT array_agg(a) FROM t.as('attack_ben', :'job') AS a) = (SELECT array_agg(a) FROM t.as('attack_ben', :'unknown') AS a) AS same,
       (SELECT array_agg(a) FROM t.as('attack_nobody', :'job') AS a) = (SELECT array_agg(a) FROM t.as('attack_nobody', :'unknown') AS a) AS same_without_user;
SELECT t.via('attack_ben', 'list_jobs'), t.via('attack_nobody', 'list_jobs');
-- Nor by the idempotency key of another.
SELECT t.via('attack_ben', 'submit_job', '{"job_name": "report", "idempotency_key": "k"}')::jsonb ->> 'job_id' = :'job' AS same_job;
SELECT status, cancel_requested_at FROM jobs.queue WHERE id = :'job';
-- A service key sees all of them and may cancel; a role's own session sees what has no user and its role.
SELECT t.via('attack_service', 'get_job_status', jsonb_build_object('job_id', :'job'))::jsonb ->> 'status';
SET ROLE authenticated;
SELECT (SELECT count(*) FROM jobs.queue), (SELECT count(*) FROM jobs.logs), t.call('list_jobs');
RESET ROLE;
SET ROLE mcp_admin;
SELECT (SELECT count(*) FROM jobs.queue), (SELECT count(*) FROM jobs.logs);
RESET ROLE;
-- A claim that somebody set himself is none.
SET ROLE authenticated;
SET request.jwt.claims = '{"sub": "ann"}';
SELECT t.try('SET mcp.claims = ''{"sub": "ann"}''');
SELECT count(*) FROM jobs.queue;
RESET request.jwt.claims;
RESET ROLE;

-- Writing past the tools.
SET ROLE authenticated;
SELECT t.try('INSERT INTO jobs.queue (namespace, function_id, job_name, role_name) VALUES (''default'', gen_random_uuid(), ''report'', ''service_role'')');
SELECT t.try('UPDATE jobs.queue SET role_name = ''service_role''');
SELECT t.try('UPDATE jobs.queue SET status = ''completed''');
SELECT t.try('DELETE FROM jobs.queue');
SELECT t.try('UPDATE jobs.functions SET function_name = ''other''');
SELECT t.try('INSERT INTO jobs.logs (job_id, run, level, message) VALUES (gen_random_uuid(), 1, ''info'', ''forged'')');
SELECT t.try('SELECT claims, settings FROM jobs.queue');
SELECT t.try('CREATE TABLE jobs.mine ()');
SELECT t.try('SELECT mcp._jobs_claim(gen_random_uuid(), 1, ''1 minute'')');
SELECT t.try('SELECT mcp._jobs_finish(gen_random_uuid(), gen_random_uuid(), 1, ''completed'')');
SELECT t.try('SELECT mcp._jobs_progress(gen_random_uuid(), gen_random_uuid(), 1, 1, ''x'', NULL)');
SELECT t.try('SELECT mcp._jobs_schedule()');
SELECT t.try('SELECT mcp._maintain_jobs()');
SELECT t.try('SELECT mcp._job_target(gen_random_uuid(), ''postgres'', false)');
RESET ROLE;
SELECT t.via('attack_ann', 'query_table', '{"table": "jobs.queue"}');
SELECT t.via('attack_ann', 'insert_record', '{"table": "jobs.queue", "data": {"job_name": "report", "role_name": "service_role"}}');
SELECT t.via('attack_ann', 'update_record', '{"table": "jobs.queue", "data": {"role_name": "service_role"}, "filter": {"status": "pending"}}');
SELECT t.via('attack_service', 'update_record', '{"table": "jobs.queue", "data": {"role_name": "mcp_admin"}, "filter": {"status": "pending"}}');

-- A reader whom a policy of the DBA's lets see a job may not end it.
CREATE POLICY auditor ON jobs.queue FOR SELECT TO authenticated USING (mcp.claim('sub') = 'ben');
SELECT t.via('attack_ben', 'get_job_status', jsonb_build_object('job_id', :'job'))::jsonb ->> 'status';
SELECT replace(t.via('attack_ben', 'cancel_job', jsonb_build_object('job_id', :'job')), :'job', '(id)');
DROP POLICY auditor ON jobs.queue;

-- Who does not hold the job, or held it before, writes nothing of it.
SELECT run FROM mcp._jobs_claim(:'worker', 1, '1 minute') WHERE id = :'job';
SELECT mcp._jobs_finish(:'job', :'thief', 1, 'completed', '"forged"'), mcp._jobs_finish(:'job', :'worker', 0, 'completed'),
       mcp._jobs_finish(:'job', :'worker', 2, 'failed'), mcp._jobs_progress(:'job', :'thief', 1, 50, NULL, NULL),
       mcp._jobs_log(:'job', :'thief', 1, 'info', 'x', NULL), mcp._jobs_release(:'thief');
SELECT verdict FROM mcp._jobs_heartbeat(:'thief', ARRAY[:'job']::uuid[], '{1}', '1 minute');
SELECT status, run, result, progress FROM jobs.queue WHERE id = :'job';
UPDATE jobs.queue SET lease_until = now() - interval '1 s' WHERE id = :'job';
SELECT mcp._jobs_take_back();
SELECT mcp._jobs_finish(:'job', :'worker', 1, 'completed', '"late"'), mcp._jobs_progress(:'job', :'worker', 1, 50, NULL, NULL);
SELECT verdict FROM mcp._jobs_heartbeat(:'worker', ARRAY[:'job']::uuid[], '{1}', '1 minute');
SELECT status, retry_count, error_message FROM jobs.queue WHERE id = :'job';
SELECT t.try(format('SELECT mcp._jobs_finish(%L, %L, 1, ''pending'')', :'job', :'worker'));

-- Asked again at the run: the role, what it may execute, and the job.
UPDATE jobs.queue SET run_after = now() - interval '1 s', max_retries = 99;
DELETE FROM jobs.queue WHERE id <> :'job';
CREATE FUNCTION t.problem() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    worker uuid := gen_random_uuid();
BEGIN
    UPDATE jobs.queue SET delayed = false WHERE status = 'pending';
    SELECT coalesce(c.problem, '(none)') INTO answer FROM mcp._jobs_claim(worker, 1, '1 minute') AS c;
    PERFORM mcp._jobs_release(worker);
    RETURN answer;
END
$$;
SELECT t.problem();
REVOKE EXECUTE ON FUNCTION jobwork.report FROM PUBLIC;
SELECT t.problem();
GRANT EXECUTE ON FUNCTION jobwork.report TO authenticated;
BEGIN;
REVOKE USAGE ON SCHEMA jobwork FROM authenticated;
SELECT t.problem();
ROLLBACK;
BEGIN;
DROP FUNCTION jobwork.report;
SELECT t.problem();
-- Another function of that name is another one.
CREATE PROCEDURE jobwork.report(payload jsonb) LANGUAGE sql AS '';
GRANT EXECUTE ON PROCEDURE jobwork.report TO PUBLIC;
SELECT t.problem();
ROLLBACK;
BEGIN;
ALTER ROLE authenticated SUPERUSER;
SELECT t.problem();
ROLLBACK;
BEGIN;
DELETE FROM mcp.allowed_roles WHERE role_name = 'authenticated';
SELECT t.problem();
ROLLBACK;
BEGIN;
SELECT mcp.enable_job('report', false);
SELECT t.problem();
ROLLBACK;
BEGIN;
UPDATE jobs.functions SET require_roles = '{service_role}';
SELECT t.problem();
ROLLBACK;
BEGIN;
SELECT mcp.unregister_job('report');
SELECT t.problem();
ROLLBACK;
BEGIN;
UPDATE jobs.queue SET role_name = 'nobody_any_more';
SELECT t.problem();
UPDATE jobs.queue SET role_name = 'mcp_owner';
SELECT t.problem();
ROLLBACK;

-- A table that somebody else put in the place of ours is not used: not even its triggers run.
BEGIN;
ALTER TABLE jobs.queue RENAME TO queue_of_ours;
CREATE TABLE jobs.queue (LIKE jobs.queue_of_ours INCLUDING ALL);
ALTER TABLE jobs.queue OWNER TO regress_owner;
SELECT t.via('attack_ann', 'submit_job', '{"job_name": "report"}');
SELECT (SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute')), mcp._jobs_take_back(), mcp._jobs_schedule(), mcp._jobs_next_due();
ROLLBACK;
-- Nor are ours with a trigger that somebody else made, whom GRANT ALL lets do so: it would read the keys as mcp_owner, or write whose job it is.
BEGIN;
GRANT ALL ON ALL TABLES IN SCHEMA jobs TO authenticated;
GRANT ALL ON SCHEMA jobwork TO authenticated;
SET LOCAL ROLE authenticated;
CREATE FUNCTION jobwork.rob() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.role_name = 'service_role'; RETURN NEW; END $$;
CREATE TRIGGER rob BEFORE INSERT OR UPDATE ON jobs.queue FOR EACH ROW EXECUTE FUNCTION jobwork.rob();
RESET ROLE;
SELECT t.via('attack_ann', 'submit_job', '{"job_name": "report"}');
SELECT (SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute')), mcp._jobs_take_back(), mcp._jobs_schedule(), mcp._jobs_next_due();
SELECT role_name, count(*) FROM jobs.queue GROUP BY 1 ORDER BY 1;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA jobs, jobwork CASCADE;
DROP FUNCTION t.as, t.problem;
