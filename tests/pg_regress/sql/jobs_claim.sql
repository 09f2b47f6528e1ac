-- What workers call: order, what others hold is passed over, attempts, pauses, leases, handing back, and when to look again.
\t on
\a
\o /dev/null
SELECT mcp.install('{jobs}');
\o
CREATE SCHEMA jobwork;
GRANT USAGE ON SCHEMA jobwork TO authenticated;
CREATE FUNCTION jobwork.report() RETURNS void LANGUAGE sql AS '';
SELECT mcp.register_job('report', 'jobwork.report()', max_retries => 2, backoff_base_seconds => 10, backoff_max_seconds => 15) AS f \gset
\o /dev/null
SELECT :'f';
\o
SELECT gen_random_uuid() AS w1, gen_random_uuid() AS w2 \gset
CREATE FUNCTION t.put(name text, priority int DEFAULT 0, delay interval DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
INSERT INTO jobs.queue (namespace, function_id, job_name, priority, run_after, delayed, max_retries, role_name, progress_timeout_seconds)
SELECT 'default', f.id, put.name, put.priority, now() + coalesce(delay, '0'), delay IS NOT NULL, 2, 'authenticated', 60 FROM jobs.functions AS f RETURNING id
$$;
SELECT mcp._jobs_next_due() IS NULL;
SELECT count(t.put(n, p)) FROM (VALUES ('low', -5), ('first', 0), ('second', 0), ('high', 5), ('third', 0)) AS v(n, p);
SELECT t.put('tomorrow', 9, '1 day') IS NOT NULL, t.put('now', 9, '-1 s') IS NOT NULL;
SELECT mcp._jobs_next_due() <= clock_timestamp();
-- Most urgent first, then first come; what was put off comes when its time has.
SELECT job_name, run, attempt FROM mcp._jobs_claim(:'w1', 3, '1 minute');
SELECT status, count(*) FROM jobs.queue GROUP BY 1 ORDER BY 1;
-- What another session has locked is passed over, not waited for.
SELECT setting || '/psql' AS psql, current_database() AS db FROM pg_config WHERE name = 'BINDIR' \gset
\set claim `echo "SELECT string_agg(job_name, ' ') FROM mcp._jobs_claim('$(echo :w2)', 10, '1 minute')"`
BEGIN;
SELECT job_name FROM mcp._jobs_claim(:'w1', 1, '1 minute');
\set others `echo :'claim' | :psql -XAtq -d :db`
COMMIT;
\echo :others
SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE worker_id = :'w2') FROM jobs.queue WHERE status = 'running';
SELECT count(*) FROM mcp._jobs_claim(:'w1', 10, '1 minute');
SELECT count(*) FROM mcp._jobs_claim(:'w1', 0, '1 minute');

-- Attempts and pauses: 10 s with jitter, then 15, then the end, which stays to be seen.
CREATE FUNCTION t.fail(job text, retryable bool DEFAULT true) RETURNS text LANGUAGE sql AS $$
SELECT mcp._jobs_finish(q.id, q.worker_id, q.run, 'failed', error => 'because', retryable => retryable) FROM jobs.queue AS q WHERE q.job_name = job
$$;
SELECT t.fail('high');
SELECT status, attempts, retry_count, delayed, run_after - clock_timestamp() BETWEEN '4 s' AND '10 s' AS pause, error_message, worker_id, lease_until FROM jobs.queue WHERE job_name = 'high';
SELECT count(*) FROM mcp._jobs_claim(:'w1', 10, '1 minute');
UPDATE jobs.queue SET run_after = now() WHERE job_name = 'high';
SELECT job_name, run, attempt FROM mcp._jobs_claim(:'w1', 10, '1 minute');
SELECT t.fail('high');
SELECT status, attempts, retry_count, run_after - clock_timestamp() BETWEEN '7 s' AND '15 s' AS pause FROM jobs.queue WHERE job_name = 'high';
UPDATE jobs.queue SET run_after = now() WHERE job_name = 'high';
SELECT job_name, run, attempt FROM mcp._jobs_claim(:'w1', 10, '1 minute');
SELECT t.fail('high');
SELECT status, attempts, retry_count, error_message, completed_at IS NOT NULL FROM jobs.queue WHERE job_name = 'high';
SELECT t.fail('first', false);

-- A lease that ends; heartbeats extend it; progress that does not come.
SELECT mcp._jobs_take_back();
UPDATE jobs.queue SET lease_until = now() - interval '1 s' WHERE job_name IN ('second', 'third');
SELECT id AS it, run AS run_of_it FROM jobs.queue WHERE job_name = 'second' \gset
SELECT verdict FROM mcp._jobs_heartbeat(:'w1', ARRAY[:'it']::uuid[], ARRAY[:run_of_it], '1 minute');
SELECT mcp._jobs_take_back(), mcp._jobs_take_back();
SELECT job_name, status, attempts, retry_count, error_message FROM jobs.queue WHERE job_name IN ('second', 'third') ORDER BY 1;
UPDATE jobs.queue SET last_progress_at = now() - interval '61 s' WHERE job_name = 'second';
SELECT verdict FROM mcp._jobs_heartbeat(:'w1', ARRAY[:'it']::uuid[], ARRAY[:run_of_it], '1 minute');
SELECT mcp._jobs_progress(:'it', :'w1', :run_of_it, 1, NULL, NULL);
SELECT count(*) FROM mcp._jobs_heartbeat(:'w1', ARRAY[:'it']::uuid[], ARRAY[:run_of_it], '1 minute');

-- Handed back: as if it had not been claimed, but what the old run writes is refused.
SELECT mcp._jobs_release(:'w1', ARRAY[:'it']::uuid[], ARRAY[:run_of_it]), mcp._jobs_release(:'w1', ARRAY[:'it']::uuid[], ARRAY[:run_of_it]);
SELECT status, attempts, run, started_at, progress, error_message FROM jobs.queue WHERE job_name = 'second';
UPDATE jobs.queue SET priority = 100 WHERE job_name = 'second';
SELECT run, attempt FROM mcp._jobs_claim(:'w1', 1, '1 minute') WHERE job_name = 'second';
SELECT mcp._jobs_finish(:'it', :'w1', :run_of_it, 'completed'), mcp._jobs_finish(:'it', :'w1', :run_of_it, 'lost');
SELECT mcp._jobs_release(:'w1', ARRAY[:'it']::uuid[], ARRAY[:run_of_it]);
UPDATE jobs.queue SET cancel_requested_at = now() WHERE job_name = 'second';
SELECT mcp._jobs_release(:'w1', ARRAY[:'it']::uuid[], ARRAY[:run_of_it + 1]);
SELECT status FROM jobs.queue WHERE job_name = 'second';

-- A job without retries whose worker is gone is taken over, twice; one that fails is not tried again.
CREATE FUNCTION t.lose() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs.queue SET run_after = now() WHERE job_name = 'fragile';
    PERFORM mcp._jobs_claim(gen_random_uuid(), 1, '-1 s');
    PERFORM mcp._jobs_take_back();
    RETURN (SELECT concat_ws(' ', status, attempts, retry_count, error_message) FROM jobs.queue WHERE job_name = 'fragile');
END
$$;
SELECT t.put('fragile', 1000) IS NOT NULL;
UPDATE jobs.queue SET max_retries = 0 WHERE job_name = 'fragile';
SELECT t.lose();
SELECT t.lose();
BEGIN;
UPDATE jobs.queue SET run_after = now() WHERE job_name = 'fragile';
SELECT job_name, run FROM mcp._jobs_claim(:'w1', 1, '1 minute');
SELECT t.fail('fragile');
ROLLBACK;
SELECT t.lose();

-- When to look again: the earliest of leases, pauses and schedules.
DELETE FROM jobs.queue WHERE status <> 'pending';
SELECT mcp._jobs_next_due() = min(run_after) FROM jobs.queue;
UPDATE jobs.functions SET schedule = '* * * * *', run_as = 'authenticated', next_run_at = now() - interval '1 h';
SELECT mcp._jobs_next_due() = next_run_at FROM jobs.functions;
UPDATE jobs.functions SET enabled = false;
SELECT mcp._jobs_next_due() > now();

-- A worker's own row.
SELECT mcp._jobs_worker_start('w', 'here', 1, 4) AS w3 \gset
SELECT mcp._jobs_worker_state(:'w3', 'draining');
SELECT name, hostname, status, max_concurrent_jobs, current_job_count FROM jobs.workers;
SELECT count(*) FROM mcp._jobs_heartbeat(:'w3', '{}', '{}', '1 minute');

-- The index of what can be claimed does not hold what has ended.
INSERT INTO jobs.queue (namespace, function_id, job_name, status, completed_at, role_name)
SELECT 'default', gen_random_uuid(), 'old', 'completed', now(), 'authenticated' FROM generate_series(1, 20000);
VACUUM ANALYZE jobs.queue;
SELECT pg_relation_size('jobs.queue_ready') <= 5 * 8192 AS ready, pg_relation_size('jobs.queue_delayed') <= 5 * 8192 AS delayed, pg_relation_size('jobs.queue_leases') <= 5 * 8192 AS leases;
CREATE FUNCTION t.plan(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
    RETURN jsonb_path_query_array(plan, 'strict $.**."Index Name"') || jsonb_path_query_array(plan, 'strict $.**."Node Type" ? (@ == "Sort" || @ == "Seq Scan")');
END
$$;
SELECT t.plan('SELECT d.id FROM jobs.queue AS d WHERE d.status = ''pending'' AND NOT d.delayed ORDER BY d.priority DESC, d.seq LIMIT 10 FOR UPDATE SKIP LOCKED');

SET client_min_messages = warning;
DROP SCHEMA jobs, jobwork CASCADE;
DROP FUNCTION t.put, t.fail, t.lose, t.plan;
