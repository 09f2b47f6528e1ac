-- Schedules: each slot begins one job, with the role and payload that were registered; what was missed goes by the job's policy.
\t on
\a
\o /dev/null
SELECT mcp.install('{jobs}');
\o
CREATE SCHEMA jobwork;
GRANT USAGE ON SCHEMA jobwork TO authenticated;
CREATE FUNCTION jobwork.report(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT payload';
\o /dev/null
SELECT mcp.register_job(missed_runs, 'jobwork.report(jsonb)', schedule => '0 * * * *', missed_runs => missed_runs, run_as => 'authenticated', schedule_payload => '{"a": 1}', max_retries => 3)
  FROM unnest('{skip,run_once,run_all}'::text[]) AS missed_runs;
SELECT mcp.register_job('never', 'jobwork.report(jsonb)');
\o
SELECT mcp._jobs_schedule();
-- Nobody was there for three hours.
UPDATE jobs.functions SET next_run_at = date_trunc('hour', now()) - interval '3 hours' WHERE schedule IS NOT NULL;
SELECT mcp._jobs_schedule() - CASE WHEN now() - date_trunc('hour', now()) <= '60 s' THEN 1 ELSE 0 END AS jobs, mcp._jobs_schedule() AS again;
SELECT job_name, count(*), max(slot) = date_trunc('hour', now()) AS last, min(slot) >= date_trunc('hour', now()) - interval '3 hours' AS first FROM jobs.queue WHERE job_name <> 'skip' GROUP BY 1 ORDER BY 1;
SELECT DISTINCT payload, role_name, claims, created_by, max_retries, status, delayed FROM jobs.queue;
SELECT name, next_run_at = date_trunc('hour', now()) + interval '1 hour' AS next FROM jobs.functions ORDER BY 1;
-- A server that did not hear of it makes no second job of a slot.
UPDATE jobs.functions SET next_run_at = date_trunc('hour', now()) - interval '3 hours' WHERE name = 'run_all';
SELECT mcp._jobs_schedule(), count(*) FROM jobs.queue WHERE job_name = 'run_all';
-- In time. (In the first minute of an hour that slot was begun above.)
DELETE FROM jobs.queue WHERE job_name = 'skip';
UPDATE jobs.functions SET schedule = '* * * * *', next_run_at = date_trunc('minute', now()) WHERE name = 'skip';
SELECT mcp._jobs_schedule();
-- Disabled, it begins nothing, and enabled again it makes up for nothing.
UPDATE jobs.functions SET next_run_at = now() - interval '1 day';
SELECT mcp.enable_job('run_all', false), mcp.enable_job('run_once', false), mcp.enable_job('skip', false);
SELECT mcp._jobs_schedule();
SELECT mcp.enable_job('run_all');
SELECT next_run_at > now(), mcp._jobs_schedule() FROM jobs.functions WHERE name = 'run_all';
-- Registered again with the same schedule, a slot that is due stays due; with another one it is forgotten.
UPDATE jobs.functions SET next_run_at = '2026-01-01' WHERE name = 'run_all';
SELECT mcp.register_job('run_all', 'jobwork.report(jsonb)', schedule => '0 * * * *', run_as => 'authenticated') IS NOT NULL;
SELECT next_run_at < now() FROM jobs.functions WHERE name = 'run_all';
SELECT mcp.register_job('run_all', 'jobwork.report(jsonb)', schedule => '5 * * * *', run_as => 'authenticated') IS NOT NULL;
SELECT next_run_at < now() FROM jobs.functions WHERE name = 'run_all';
SELECT mcp.register_job('run_all', 'jobwork.report(jsonb)') IS NOT NULL;
SELECT next_run_at FROM jobs.functions WHERE name = 'run_all';
-- One that cannot be read any more stops nobody else's.
DELETE FROM jobs.queue;
UPDATE jobs.functions SET enabled = true, schedule = '* * * * *', run_as = 'authenticated', next_run_at = now() - interval '1 minute', time_zone = CASE name WHEN 'run_all' THEN 'Gone/Away' ELSE 'UTC' END WHERE name IN ('run_all', 'run_once');
SELECT mcp._jobs_schedule();
SELECT name, next_run_at IS NULL AS stopped FROM jobs.functions WHERE name IN ('run_all', 'run_once') ORDER BY 1;
-- Whose it is: an admin's, and no user's of that role.
SELECT t.key('cron_ann', user_id => 'ann', scopes => '{execute:jobs}');
DELETE FROM jobs.queue;
UPDATE jobs.functions SET next_run_at = date_trunc('minute', now()) WHERE name = 'run_once';
SELECT mcp._jobs_schedule();
SELECT t.via('cron_ann', 'list_jobs'), t.via('cron_ann', 'cancel_job', jsonb_build_object('job_id', (SELECT id FROM jobs.queue))) ~ 'there is no job';
SET ROLE authenticated;
SELECT t.call('list_jobs');
RESET ROLE;
SET ROLE mcp_admin;
SELECT t.call('list_jobs')::jsonb #>> '{jobs,0,job_name}';
RESET ROLE;
-- The slot is the moment that status tells.
SELECT slot = date_trunc('minute', slot) FROM jobs.queue;
-- Clocks that change: Berlin on 2026-03-29 has no 02:30, and twice on 2026-10-25.
SELECT to_timestamp(mcp._schedule_next('30 2 * * *', 'Europe/Berlin', extract(epoch FROM '2026-03-28 12:00Z'::timestamptz)::bigint)) AT TIME ZONE 'UTC',
       to_timestamp(mcp._schedule_next('30 2 * * *', 'Europe/Berlin', extract(epoch FROM '2026-10-24 12:00Z'::timestamptz)::bigint)) AT TIME ZONE 'UTC',
       to_timestamp(mcp._schedule_next('30 2 * * *', 'Europe/Berlin', extract(epoch FROM '2026-10-25 00:30Z'::timestamptz)::bigint)) AT TIME ZONE 'UTC';
SET client_min_messages = warning;
DROP SCHEMA jobs, jobwork CASCADE;
