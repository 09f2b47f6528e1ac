-- What is kept: by age all that has ended, by number what did not fail; nothing that waits or runs; workers that are gone.
\t on
\a
SELECT mcp._maintain_jobs();
\o /dev/null
SELECT mcp.install('{jobs}');
\o
CREATE SCHEMA jobwork;
CREATE FUNCTION jobwork.report() RETURNS void LANGUAGE sql AS '';
\o /dev/null
SELECT mcp.register_job('few', 'jobwork.report()', keep_rows => 3, keep_days => 10);
SELECT mcp.register_job('many', 'jobwork.report()', keep_rows => 1000, keep_days => 10);
\o
CREATE FUNCTION t.ended(name text, state text, days int, copies int DEFAULT 1) RETURNS void LANGUAGE sql AS $$
INSERT INTO jobs.queue (namespace, function_id, job_name, status, completed_at, role_name)
SELECT 'default', coalesce((SELECT f.id FROM jobs.functions AS f WHERE f.name = ended.name), md5(name)::uuid), name, state, now() - make_interval(days => days, secs => n), 'authenticated'
  FROM generate_series(1, copies) AS n
$$;
SELECT t.ended(name, 'completed', 1, 5), t.ended(name, 'cancelled', 2, 2), t.ended(name, 'failed', 3, 5), t.ended(name, 'completed', 11, 2), t.ended(name, 'failed', 12, 2)
  FROM unnest('{few,many,unregistered}'::text[]) AS name;
SELECT t.ended('unregistered', 'failed', 31);
INSERT INTO jobs.queue (namespace, function_id, job_name, role_name, created_at, run_after) SELECT 'default', f.id, f.name, 'authenticated', '2001-01-01', '2001-01-01' FROM jobs.functions AS f;
INSERT INTO jobs.logs (job_id, run, level, message) SELECT q.id, 1, 'info', 'x' FROM jobs.queue AS q;
INSERT INTO jobs.workers (name, last_heartbeat_at) VALUES ('lives', now()), ('silent', now() - interval '11 minutes'), ('gone', now() - interval '25 hours');
SELECT mcp._maintain_jobs();
SELECT job_name, status, count(*), max(now()::date - completed_at::date) < 12 AS young FROM jobs.queue GROUP BY 1, 2 ORDER BY 1, 2;
SELECT (SELECT count(*) FROM jobs.logs) = (SELECT count(*) FROM jobs.queue) AS logs_go_with_jobs;
SELECT name, status FROM jobs.workers ORDER BY 1;
-- Those that stay are the last ones.
SELECT count(*) FROM jobs.queue WHERE job_name = 'few' AND status = 'completed' AND completed_at > now() - interval '1 day 4 s';
-- Once more: nothing.
SELECT mcp._maintain_jobs();
SELECT count(*) FROM jobs.queue;
-- Nothing is kept, if that is said.
UPDATE jobs.functions SET keep_rows = 0, keep_days = 0;
SELECT mcp._maintain_jobs();
SELECT job_name, status, count(*) FROM jobs.queue WHERE job_name <> 'unregistered' GROUP BY 1, 2 ORDER BY 1, 2;
SET client_min_messages = warning;
DROP SCHEMA jobs, jobwork CASCADE;
DROP FUNCTION t.ended;
