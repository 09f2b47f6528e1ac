-- get_job_status, list_jobs, get_job_logs and cancel_job: what they tell at each step of a job's life.
\t on
\a
\o /dev/null
SELECT mcp.install('{jobs}');
\o
CREATE SCHEMA jobwork;
GRANT USAGE ON SCHEMA jobwork TO authenticated;
CREATE FUNCTION jobwork.report(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT payload';
\o /dev/null
SELECT mcp.register_job('report', 'jobwork.report(jsonb)', max_retries => 1);
SELECT mcp.register_job('other', 'jobwork.report(jsonb)');
\o
SELECT t.key('status_ann', user_id => 'ann', scopes => '{execute:jobs}');
CREATE FUNCTION t.clean(text) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(regexp_replace($1, '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g'),
                                     '"([a-z_]+_at)":"\d[^"]*"', '"\1":"(time)"', 'g'), '"next_(cursor|after)":"\d+"', '"next_\1":"(place)"')
$$;
CREATE FUNCTION t.submitted(args jsonb) RETURNS uuid LANGUAGE sql AS $$ SELECT (t.via('status_ann', 'submit_job', args)::jsonb ->> 'job_id')::uuid $$;
CREATE FUNCTION t.status(id uuid) RETURNS text LANGUAGE sql AS $$ SELECT t.clean(t.via('status_ann', 'get_job_status', jsonb_build_object('job_id', id))) $$;
SELECT gen_random_uuid() AS worker \gset
SELECT t.submitted('{"job_name": "report", "payload": {"a": 1}}') AS job \gset

SELECT t.status(:'job');
SELECT id = :'job' AS mine, run, attempt, job_name, kind, target::regprocedure, payload, role_name, claims, problem FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT t.status(:'job');
SELECT mcp._jobs_progress(:'job', :'worker', 1, 12.5, 'an eighth', '{"n": 3}');
SELECT mcp._jobs_log(:'job', :'worker', 1, 'info', 'begun', NULL), mcp._jobs_log(:'job', :'worker', 1, 'error', 'oh', '{"why": null}');
SELECT t.status(:'job');
-- It fails and is tried again.
SELECT mcp._jobs_finish(:'job', :'worker', 1, 'failed', error => 'division by zero');
SELECT t.status(:'job');
UPDATE jobs.queue SET run_after = now() - interval '1 s' WHERE id = :'job';
SELECT run, attempt FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT mcp._jobs_log(:'job', :'worker', 2, 'info', 'begun again', NULL);
SELECT mcp._jobs_finish(:'job', :'worker', 2, 'completed', '{"rows": 7, "big": 9007199254740993}');
SELECT t.status(:'job');
-- The log, in pages.
SELECT t.clean(t.via('status_ann', 'get_job_logs', jsonb_build_object('job_id', :'job')));
SELECT t.via('status_ann', 'get_job_logs', jsonb_build_object('job_id', :'job', 'limit', 2))::jsonb ->> 'next_after' AS place \gset
SELECT t.clean(t.via('status_ann', 'get_job_logs', jsonb_build_object('job_id', :'job', 'after', :'place')));
SELECT t.clean(t.via('status_ann', 'get_job_logs', jsonb_build_object('job_id', :'job', 'level', 'error')));
-- Where there is structured content it is marked as data: a job may say what it likes.
SELECT t.clean(t.via('status_ann', 'get_job_status', jsonb_build_object('job_id', :'job'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}')) LIKE '{"untrusted":true,%',
       t.clean(t.via('status_ann', 'get_job_logs', jsonb_build_object('job_id', :'job'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}')) LIKE '{"untrusted":true,%',
       t.clean(t.via('status_ann', 'list_jobs', '{}', '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}')) LIKE '{"untrusted":true,%';
-- A result that is larger than an answer.
UPDATE jobs.queue SET result = to_jsonb(repeat('x', 50000)) WHERE id = :'job';
SELECT t.status(:'job');

-- Arguments.
SELECT t.via('status_ann', 'get_job_status', '{}');
SELECT t.via('status_ann', 'get_job_status', '{"job_id": "7"}');
SELECT t.via('status_ann', 'get_job_status', '{"job_id": "00000000-0000-0000-0000-000000000000"}');
SELECT t.via('status_ann', 'get_job_status', '{"id": "x"}');
SELECT t.via('status_ann', 'get_job_logs', jsonb_build_object('job_id', :'job', 'level', 'loud'));
SELECT t.via('status_ann', 'get_job_logs', jsonb_build_object('job_id', :'job', 'after', 'x'));
SELECT t.via('status_ann', 'list_jobs', '{"status": "dead"}');
SELECT t.via('status_ann', 'list_jobs', '{"limit": 101}');
SELECT t.via('status_ann', 'list_jobs', '{"cursor": "x"}');

-- Lists: the last first, in pages, by status, name and namespace.
SELECT count(t.submitted(format('{"job_name": "other", "payload": {"n": %s}}', n)::jsonb)) FROM generate_series(1, 5) AS n;
SELECT t.clean(t.via('status_ann', 'list_jobs', '{"limit": 2, "status": "pending"}'));
WITH RECURSIVE pages AS (
    SELECT t.via('status_ann', 'list_jobs', '{"limit": 2}')::jsonb AS page
    UNION ALL
    SELECT t.via('status_ann', 'list_jobs', jsonb_build_object('limit', 2, 'cursor', page ->> 'next_cursor'))::jsonb FROM pages WHERE page ? 'next_cursor')
SELECT string_agg(page ->> 'count', ' ') || ' of ' || (SELECT count(*) FROM jobs.queue), string_agg(page ->> 'has_more', ' '),
       (SELECT count(DISTINCT j ->> 'job_id') FROM pages, jsonb_array_elements(page -> 'jobs') AS j) FROM pages;
SELECT t.via('status_ann', 'list_jobs', '{"job_name": "report"}')::jsonb ->> 'count', t.via('status_ann', 'list_jobs', '{"namespace": "x"}'),
       t.via('status_ann', 'list_jobs', '{"status": "completed"}')::jsonb ->> 'count';

-- Cancelling: at once while it waits, by its worker while it runs, not at all when it has ended.
SELECT t.submitted('{"job_name": "report", "priority": 5}') AS waits, t.submitted('{"job_name": "report", "priority": 5}') AS runs \gset
SELECT t.clean(t.via('status_ann', 'cancel_job', jsonb_build_object('job_id', :'waits')));
SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute') WHERE id = :'runs';
SELECT t.clean(t.via('status_ann', 'cancel_job', jsonb_build_object('job_id', :'runs')));
SELECT verdict FROM mcp._jobs_heartbeat(:'worker', ARRAY[:'runs']::uuid[], '{1}', '1 minute');
-- What fails then is cancelled, and not tried again.
SELECT mcp._jobs_finish(:'runs', :'worker', 1, 'failed', error => 'canceling statement due to user request');
SELECT t.status(:'runs');
SELECT t.clean(t.via('status_ann', 'cancel_job', jsonb_build_object('job_id', :'runs')));
SELECT t.via('status_ann', 'cancel_job', '{"job_id": "00000000-0000-0000-0000-000000000000"}');
-- What was done before the wish was heard is done.
SELECT t.submitted('{"job_name": "report", "priority": 5}') AS done \gset
SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute') WHERE id = :'done';
SELECT t.via('status_ann', 'cancel_job', jsonb_build_object('job_id', :'done')) ~ '"status":"running"';
SELECT mcp._jobs_finish(:'done', :'worker', 1, 'completed', '1');
SELECT t.status(:'done');

SET client_min_messages = warning;
DROP SCHEMA jobs, jobwork CASCADE;
DROP FUNCTION t.clean, t.submitted, t.status;
