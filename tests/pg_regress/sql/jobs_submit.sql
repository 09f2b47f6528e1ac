-- submit_job: what is asked before a job is written, what is written, and that one key is one job.
\t on
\a
\o /dev/null
SELECT mcp.install('{jobs}');
\o
CREATE SCHEMA jobwork;
GRANT USAGE ON SCHEMA jobwork TO authenticated, service_role;
CREATE FUNCTION jobwork.report(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT payload';
CREATE FUNCTION jobwork.hidden() RETURNS void LANGUAGE sql AS '';
REVOKE EXECUTE ON FUNCTION jobwork.hidden FROM PUBLIC;
\o /dev/null
SELECT mcp.register_job('report', 'jobwork.report(jsonb)', 'Makes a report.', timeout_seconds => 60, max_retries => 2, progress_timeout_seconds => 20,
    payload_schema => '{"type": "object", "properties": {"month": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}}, "additionalProperties": false}');
SELECT mcp.register_job('report', 'jobwork.report(jsonb)', namespace => 'other');
SELECT mcp.register_job('hidden', 'jobwork.hidden()');
SELECT mcp.register_job('inner', 'jobwork.report(jsonb)', require_roles => '{service_role}');
SELECT mcp.register_job('asleep', 'jobwork.report(jsonb)', enabled => false);
SELECT mcp.register_job('gone', 'jobwork.report(jsonb)');
\o
UPDATE jobs.functions SET function_name = 'was_dropped' WHERE name = 'gone';
SELECT t.key('job_ann', user_id => 'ann', scopes => '{execute:jobs}', claims => '{"email": "ann@example.org", "tenant": "A"}', settings => '{"work_mem": "1MB"}');
SELECT t.key('job_none', user_id => 'ann', scopes => '{read:tables}');
CREATE FUNCTION t.submit(key text, args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(t.via(key, 'submit_job', args), '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g'), '"created_at":"[^"]*"', '"created_at":"(time)"')
$$;

-- What it takes.
SELECT t.submit('job_ann', '{"job_name": "report", "payload": {"month": "2026-11"}}');
SELECT t.submit('job_ann', '{"job_name": "report", "namespace": "other", "priority": 7, "max_retries": 9, "scheduled_at": "2099-01-01T09:00:00+02:00"}');
SELECT job_name, namespace, status, payload, priority, scheduled_at AT TIME ZONE 'UTC', delayed, max_retries, max_duration_seconds, progress_timeout_seconds,
       created_by, user_email, role_name, key_id IS NOT NULL, claims, settings ->> 'work_mem', attempts, run FROM jobs.queue ORDER BY seq;

-- What it does not.
SELECT t.submit('job_none', '{"job_name": "report"}');
SELECT t.submit('job_ann', '{}');
SELECT t.submit('job_ann', '{"job_name": "report", "role_name": "service_role"}');
SELECT t.submit('job_ann', '{"job_name": "report", "claims": {"sub": "ben"}}');
SELECT t.submit('job_ann', '{"job_name": "report", "payload": [1]}');
SELECT t.submit('job_ann', '{"job_name": "report", "payload": {"month": "november"}}');
SELECT t.submit('job_ann', '{"job_name": "report", "payload": {"year": 2026}}');
SELECT t.submit('job_ann', '{"job_name": "report", "priority": 1001}');
SELECT t.submit('job_ann', '{"job_name": "report", "priority": "high"}');
SELECT t.submit('job_ann', '{"job_name": "report", "max_retries": 101}');
SELECT t.submit('job_ann', '{"job_name": "report", "max_retries": -1}');
SELECT t.submit('job_ann', '{"job_name": "report", "scheduled_at": "tomorrow"}');
SELECT t.submit('job_ann', '{"job_name": "report", "scheduled_at": "2026-11-22"}');
SELECT t.submit('job_ann', '{"job_name": "report", "idempotency_key": ""}');
SELECT t.submit('job_ann', '{"job_name": "asleep"}');
-- What may not be submitted is as what is not there.
SELECT t.submit('job_ann', '{"job_name": "hidden"}');
SELECT t.submit('job_ann', '{"job_name": "inner"}');
SELECT t.submit('job_ann', '{"job_name": "gone"}');
SELECT t.submit('job_ann', '{"job_name": "nowhere"}');
SELECT t.submit('job_ann', '{"job_name": "report", "namespace": "nowhere"}');
SELECT count(*) FROM jobs.queue;

-- One key, one job: for its owner. Members in another order are the same.
SELECT t.submit('job_ann', '{"job_name": "report", "namespace": "other", "idempotency_key": "k1", "payload": {"a": 1, "b": 2}}');
SELECT t.submit('job_ann', '{"job_name": "report", "namespace": "other", "idempotency_key": "k1", "payload": {"b": 2, "a": 1}}');
SELECT t.submit('job_ann', '{"job_name": "report", "namespace": "other", "idempotency_key": "k1", "payload": {"a": 1}}');
SELECT t.submit('job_ann', '{"job_name": "report", "idempotency_key": "k1"}');
SELECT t.key('job_ben', user_id => 'ben', scopes => '{execute:jobs}');
SELECT t.submit('job_ben', '{"job_name": "report", "idempotency_key": "k1"}');
SELECT created_by, count(*) FROM jobs.queue WHERE idempotency_key = 'k1' GROUP BY 1 ORDER BY 1;

-- A person's own session: with the role that it has. Never as superuser.
SELECT t.call('submit_job', '{"job_name": "report"}');
SET ROLE service_role;
SELECT t.call('submit_job', '{"job_name": "inner"}') ~ '"status":"pending"';
RESET ROLE;
SELECT role_name, created_by, claims FROM jobs.queue WHERE job_name = 'inner';
-- In a transaction that only reads nothing is submitted.
BEGIN READ ONLY;
SELECT t.submit('job_ann', '{"job_name": "report"}');
COMMIT;

-- The resources: what may be submitted, and no more.
SELECT t.read('job_ann', 'fluxbase://jobs');
SELECT t.read('job_ann', 'fluxbase://jobs/default/report');
SELECT t.read('job_ann', 'fluxbase://jobs/default/inner');
SELECT t.read('job_none', 'fluxbase://jobs');
CREATE FUNCTION t.complete_job(argument text, typed text, context jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT h.body::jsonb #>> '{result,completion,values}'
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'completion/complete', 'params', jsonb_build_object(
      'ref', jsonb_build_object('type', 'ref/resource', 'uri', 'fluxbase://jobs/{namespace}/{name}'),
      'argument', jsonb_build_object('name', argument, 'value', typed), 'context', jsonb_build_object('arguments', context)))::text,
      t.credential('job_ann'), NULL) AS h
$$;
SELECT t.complete_job('name', ''), t.complete_job('name', 'x'), t.complete_job('namespace', 'O'), t.complete_job('name', 'rep', '{"namespace": "other"}'),
       t.complete_job('name', '', '{"namespace": "nowhere"}'), t.complete_job('other', '');

SET client_min_messages = warning;
DROP SCHEMA jobs CASCADE;
-- Not installed.
SELECT t.submit('job_ann', '{"job_name": "report"}');
SELECT t.via('job_ann', 'list_jobs');
SELECT t.read('job_ann', 'fluxbase://jobs');
SELECT t.complete_job('name', '');
DROP SCHEMA jobwork CASCADE;
DROP FUNCTION t.submit, t.complete_job;
