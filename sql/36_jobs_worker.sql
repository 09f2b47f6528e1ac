-- Background jobs: what a worker calls. Nobody else may: the worker's role is granted these functions by name, and has no right on
-- the tables themselves. They run as mcp_owner, do nothing where jobs are not installed, and are safe in many sessions at once.
--
-- A job is at least once: claimed with a lease, which heartbeats extend. Whoever holds a claim is known by (worker, run); run grows
-- with each claim of a job, so what an earlier holder writes is refused (fenced). Order: jobs.queue.priority, then first come.
--
-- A function or procedure of a job takes no argument, or one of type jsonb or json: the payload. What a function returns is the
-- result (to_jsonb; NULL for void); a procedure has none. Inside of it, jobs.report_progress and jobs.log end in mcp._job_say(text),
-- which hands {"progress": {...}} or {"log": {...}} to the worker, or raises an error where no job runs.
--
-- A queue is empty at one moment and has a million rows at the next, and a plan that was made for the empty one is kept. So what a worker
-- calls is planned once, without scans of whole tables and without sorting them: what it looks for has an index, whatever the statistics say.

-- Where the function of a job stands now, and why that role may not run it (NULL: it may). Also asked when a job is submitted.
CREATE FUNCTION mcp._job_target(job_function pg_catalog.uuid, run_as pg_catalog.text, with_key pg_catalog.bool,
                                OUT kind pg_catalog.text, OUT target pg_catalog.oid, OUT edge_namespace pg_catalog.text,
                                OUT edge_function pg_catalog.text, OUT problem pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    r record;
BEGIN
    SELECT * INTO f FROM jobs.functions AS j WHERE j.id = job_function;
    IF NOT FOUND THEN
        IF job_function IS DISTINCT FROM mcp._tasks_function() THEN
            problem := 'the job is not registered any more';
            RETURN;
        END IF;
        -- A task: the call of a tool, which is found by its name when it runs.
        f.kind := 'tool';
    END IF;
    -- A procedure that may COMMIT is called at top level.
    kind := CASE WHEN f.transaction_control THEN 'call' ELSE f.kind END;
    edge_namespace := f.edge_namespace;
    edge_function := f.edge_function;
    SELECT p.rolsuper, p.rolname, p.oid INTO r FROM pg_roles AS p WHERE p.rolname = run_as;
    IF NOT FOUND THEN
        problem := format('role %s does not exist', run_as);
    ELSIF r.rolsuper THEN
        problem := format('role %s is superuser: jobs never run as one', run_as);
    ELSIF r.rolname = 'mcp_owner' THEN
        problem := 'role mcp_owner owns the keys: jobs never run as it';
    ELSIF with_key AND NOT EXISTS (SELECT FROM mcp.allowed_roles AS a WHERE a.role_name = run_as) THEN
        problem := format('role %s is not allowed for keys any more', run_as);
    ELSIF NOT f.enabled THEN
        problem := 'the job is disabled';
    ELSIF cardinality(f.require_roles) > 0 AND run_as <> ALL (f.require_roles) THEN
        problem := format('role %s is none of those that the job requires', run_as);
    ELSIF f.kind IN ('function', 'procedure') THEN
        SELECT p.oid INTO target FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname = f.function_schema AND p.proname = f.function_name AND oidvectortypes(p.proargtypes) = f.function_arguments
           AND p.prokind = CASE f.kind WHEN 'procedure' THEN 'p' ELSE 'f' END;
        IF target IS NULL THEN
            problem := 'its function does not exist any more';
        ELSIF NOT has_function_privilege(r.oid, target, 'EXECUTE') OR NOT has_schema_privilege(r.oid, f.function_schema, 'USAGE') THEN
            problem := format('role %s may not execute its function', run_as);
        ELSIF f.transaction_control THEN
            problem := mcp._job_call_problem(r.oid, target);
        END IF;
    END IF;
END
$$;

-- Takes up to n jobs that are due, the most urgent first. problem: it must not be run; the worker finishes it as failed with that text.
CREATE FUNCTION mcp._jobs_claim(worker pg_catalog.uuid, n pg_catalog.int4, lease pg_catalog.interval)
    RETURNS TABLE (id pg_catalog.uuid, run pg_catalog.int4, attempt pg_catalog.int4, job_name pg_catalog.text, namespace pg_catalog.text,
                   kind pg_catalog.text, target pg_catalog.oid, edge_namespace pg_catalog.text, edge_function pg_catalog.text,
                   payload pg_catalog.jsonb, role_name pg_catalog.text, key_id pg_catalog.text, claims pg_catalog.jsonb,
                   settings pg_catalog.jsonb, max_duration_seconds pg_catalog.int4, progress_timeout_seconds pg_catalog.int4,
                   problem pg_catalog.text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := clock_timestamp();
    claimed uuid[];
BEGIN
    IF n < 1 OR NOT mcp._jobs_there() THEN
        RETURN;
    END IF;
    UPDATE jobs.queue AS q SET delayed = false
     WHERE q.id = ANY (ARRAY(SELECT d.id FROM jobs.queue AS d WHERE d.status = 'pending' AND d.delayed AND d.run_after <= moment
                              ORDER BY d.run_after LIMIT 1000 FOR UPDATE SKIP LOCKED));
    claimed := ARRAY(SELECT d.id FROM jobs.queue AS d WHERE d.status = 'pending' AND NOT d.delayed
                      ORDER BY d.priority DESC, d.seq LIMIT n FOR UPDATE SKIP LOCKED);
    RETURN QUERY
    WITH mine AS (
        UPDATE jobs.queue AS q
           SET status = 'running', worker_id = worker, lease_until = moment + lease, run = q.run + 1, attempts = q.attempts + 1,
               started_at = moment, last_progress_at = moment, progress = NULL
         WHERE q.id = ANY (claimed) AND q.status = 'pending'
        RETURNING q.*
    )
    SELECT m.id, m.run, m.attempts, m.job_name, m.namespace, t.kind, t.target, t.edge_namespace, t.edge_function, m.payload, m.role_name,
           m.key_id, m.claims, m.settings, m.max_duration_seconds, m.progress_timeout_seconds, t.problem
      FROM mine AS m, LATERAL mcp._job_target(m.function_id, m.role_name, m.claims IS NOT NULL) AS t
     ORDER BY m.priority DESC, m.seq;
END
$$;

-- Extends the leases of what the worker runs, and tells of each run that must end: 'cancel' (somebody asked for it), 'stalled' (no
-- progress within its time), 'lost' (it is not the worker's any more: nothing of it must be written).
CREATE FUNCTION mcp._jobs_heartbeat(worker pg_catalog.uuid, ids pg_catalog.uuid[], runs pg_catalog.int4[], lease pg_catalog.interval)
    RETURNS TABLE (id pg_catalog.uuid, run pg_catalog.int4, verdict pg_catalog.text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := clock_timestamp();
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN;
    END IF;
    UPDATE jobs.workers AS w SET last_heartbeat_at = moment, current_job_count = cardinality(ids) WHERE w.id = worker;
    RETURN QUERY
    WITH held AS (
        UPDATE jobs.queue AS q SET lease_until = moment + lease
          FROM unnest(ids, runs) AS h(id, run)
         WHERE q.id = h.id AND q.run = h.run AND q.worker_id = worker AND q.status = 'running'
        RETURNING q.id, q.run, q.cancel_requested_at, q.last_progress_at, q.progress_timeout_seconds
    )
    SELECT a.id, a.run, v.verdict
      FROM unnest(ids, runs) AS a(id, run)
           LEFT JOIN held AS q ON q.id = a.id AND q.run = a.run,
           LATERAL (SELECT CASE WHEN q.id IS NULL THEN 'lost'
                                WHEN q.cancel_requested_at IS NOT NULL THEN 'cancel'
                                WHEN q.last_progress_at + make_interval(secs => q.progress_timeout_seconds) < moment THEN 'stalled' END) AS v(verdict)
     WHERE v.verdict IS NOT NULL;
END
$$;

-- What becomes of a run that failed: another attempt after a while, or the end. Its row is locked by the caller. lost: it did not fail by itself, its
-- process is no more. That is no reason to lose a job that has no retries of its own, so two more are granted; more are not, since what ends
-- the process may be the job.
CREATE FUNCTION mcp._job_fail(job pg_catalog.uuid, error pg_catalog.text, retryable pg_catalog.bool, lost pg_catalog.bool DEFAULT false)
    RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    q record;
    pause float8;
    moment timestamptz := clock_timestamp();
BEGIN
    SELECT j.attempts, j.max_retries, j.cancel_requested_at, f.backoff_base_seconds AS base, f.backoff_max_seconds AS most INTO q
      FROM jobs.queue AS j LEFT JOIN jobs.functions AS f ON f.id = j.function_id WHERE j.id = job;
    IF q.cancel_requested_at IS NULL AND retryable AND q.attempts <= q.max_retries + (CASE WHEN lost THEN 2 ELSE 0 END) THEN
        pause := mcp._job_pause(q.attempts, coalesce(q.base, 5), coalesce(q.most, 600), random());
        UPDATE jobs.queue AS j
           SET status = 'pending', worker_id = NULL, lease_until = NULL, error_message = error, retry_count = j.retry_count + 1,
               run_after = moment + make_interval(secs => pause), delayed = true
         WHERE j.id = job;
        RETURN 'pending';
    END IF;
    UPDATE jobs.queue AS j
       SET status = CASE WHEN q.cancel_requested_at IS NULL THEN 'failed' ELSE 'cancelled' END,
           worker_id = NULL, lease_until = NULL, error_message = error, completed_at = moment
     WHERE j.id = job;
    RETURN CASE WHEN q.cancel_requested_at IS NULL THEN 'failed' ELSE 'cancelled' END;
END
$$;

-- Ends a run: outcome 'completed', 'failed', 'lost' (its process is no more) or 'cancelled'. The job's status now ('pending': it will be
-- tried again), or NULL: the run was not this worker's any more and nothing was written.
CREATE FUNCTION mcp._jobs_finish(id pg_catalog.uuid, worker pg_catalog.uuid, run pg_catalog.int4, outcome pg_catalog.text,
                                 result pg_catalog.jsonb DEFAULT NULL, error pg_catalog.text DEFAULT NULL,
                                 retryable pg_catalog.bool DEFAULT true)
    RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF outcome IS NULL OR outcome NOT IN ('completed', 'failed', 'lost', 'cancelled') THEN
        RAISE EXCEPTION 'outcome: "%" is none of completed, failed, lost, cancelled. Nothing was changed.', outcome
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT mcp._jobs_there() THEN
        RETURN NULL;
    END IF;
    IF outcome IN ('failed', 'lost') THEN
        PERFORM FROM jobs.queue AS q
          WHERE q.id = _jobs_finish.id AND q.worker_id = worker AND q.run = _jobs_finish.run AND q.status = 'running'
            FOR UPDATE;
        RETURN CASE WHEN FOUND THEN mcp._job_fail(_jobs_finish.id, left(error, 10000), coalesce(retryable, true), outcome = 'lost') END;
    END IF;
    UPDATE jobs.queue AS q
       SET status = outcome, worker_id = NULL, lease_until = NULL, completed_at = clock_timestamp(), result = _jobs_finish.result,
           error_message = CASE outcome WHEN 'cancelled' THEN left(_jobs_finish.error, 10000) END
     WHERE q.id = _jobs_finish.id AND q.worker_id = worker AND q.run = _jobs_finish.run AND q.status = 'running';
    RETURN CASE WHEN FOUND THEN outcome END;
END
$$;

-- What jobs.report_progress says, for the run that said it; false: it is not that worker's any more.
CREATE FUNCTION mcp._jobs_progress(id pg_catalog.uuid, worker pg_catalog.uuid, run pg_catalog.int4, percent pg_catalog.float8,
                                   message pg_catalog.text, data pg_catalog.jsonb)
    RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN false;
    END IF;
    UPDATE jobs.queue AS q
       SET last_progress_at = clock_timestamp(),
           progress = jsonb_strip_nulls(jsonb_build_object('percent', percent, 'message', message))
                      || CASE WHEN data IS NULL THEN '{}' ELSE jsonb_build_object('data', data) END
     WHERE q.id = _jobs_progress.id AND q.run = _jobs_progress.run AND (q.worker_id = worker OR q.completed_at IS NOT NULL);
    RETURN FOUND;
END
$$;

-- What jobs.log says; the same, and of an earlier run too.
CREATE FUNCTION mcp._jobs_log(id pg_catalog.uuid, worker pg_catalog.uuid, run pg_catalog.int4, level pg_catalog.text,
                              message pg_catalog.text, data pg_catalog.jsonb)
    RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN false;
    END IF;
    INSERT INTO jobs.logs (job_id, run, level, message, data)
    SELECT q.id, _jobs_log.run, _jobs_log.level, _jobs_log.message, _jobs_log.data FROM jobs.queue AS q
     WHERE q.id = _jobs_log.id
       AND (q.run > _jobs_log.run OR (q.run = _jobs_log.run AND (q.worker_id = worker OR q.status <> 'running')));
    RETURN FOUND;
END
$$;

-- Runs whose lease is over: their worker died. They are tried again, or have failed. How many there were, at most 1000.
CREATE FUNCTION mcp._jobs_take_back() RETURNS pg_catalog.int4
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    number integer := 0;
    job uuid;
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN 0;
    END IF;
    FOR job IN SELECT q.id FROM jobs.queue AS q WHERE q.status = 'running' AND q.lease_until < clock_timestamp()
                ORDER BY q.lease_until LIMIT 1000 FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM mcp._job_fail(job, 'its worker ended without finishing it', true, true);
        number := number + 1;
    END LOOP;
    RETURN number;
END
$$;

-- Hands back what the worker still runs, as if it had not been claimed: all of it, at shutdown, or only those runs. How many there were.
CREATE FUNCTION mcp._jobs_release(worker pg_catalog.uuid, ids pg_catalog.uuid[] DEFAULT NULL, runs pg_catalog.int4[] DEFAULT NULL)
    RETURNS pg_catalog.int4
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    number integer;
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN 0;
    END IF;
    UPDATE jobs.queue AS q
       SET status = CASE WHEN q.cancel_requested_at IS NULL THEN 'pending' ELSE 'cancelled' END,
           completed_at = CASE WHEN q.cancel_requested_at IS NULL THEN NULL ELSE clock_timestamp() END,
           worker_id = NULL, lease_until = NULL, attempts = q.attempts - 1, started_at = NULL, progress = NULL, delayed = false
     WHERE q.status = 'running' AND q.worker_id = worker AND (ids IS NULL OR (q.id, q.run) IN (SELECT h.id, h.run FROM unnest(ids, runs) AS h(id, run)));
    GET DIAGNOSTICS number = ROW_COUNT;
    RETURN number;
END
$$;

-- A worker that begins; its id.
CREATE FUNCTION mcp._jobs_worker_start(name pg_catalog.text, hostname pg_catalog.text, pid pg_catalog.int4, max_concurrent pg_catalog.int4)
    RETURNS pg_catalog.uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made uuid;
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN NULL;
    END IF;
    INSERT INTO jobs.workers (name, hostname, pid, max_concurrent_jobs) VALUES (name, hostname, pid, max_concurrent) RETURNING id INTO made;
    RETURN made;
END
$$;

-- A worker that takes no more jobs ('draining') or is about to end ('stopped').
CREATE FUNCTION mcp._jobs_worker_state(worker pg_catalog.uuid, status pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF mcp._jobs_there() THEN
        UPDATE jobs.workers AS w SET status = _jobs_worker_state.status, last_heartbeat_at = clock_timestamp() WHERE w.id = worker;
    END IF;
END
$$;

-- Begins what schedules say, each slot once, however many servers ask. How many jobs were made. A schedule that cannot be read any more (a
-- time zone that is gone) is left out until it is registered again, and said in the server's log.
CREATE FUNCTION mcp._jobs_schedule() RETURNS pg_catalog.int4
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number integer := 0;
    made integer;
    f record;
    moment timestamptz := clock_timestamp();
    next bigint;
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN 0;
    END IF;
    FOR f IN SELECT * FROM jobs.functions AS j WHERE j.enabled AND j.next_run_at <= moment
              ORDER BY j.next_run_at LIMIT 100 FOR UPDATE SKIP LOCKED
    LOOP
        BEGIN
            INSERT INTO jobs.queue (function_id, job_name, namespace, payload, slot, max_retries, max_duration_seconds,
                                    progress_timeout_seconds, role_name, claims)
            SELECT f.id, f.name, f.namespace, coalesce(f.schedule_payload, '{}'), to_timestamp(d), f.max_retries, f.timeout_seconds,
                   f.progress_timeout_seconds, f.run_as, jsonb_build_object('role', f.run_as)
              FROM mcp._schedule_due(f.schedule, f.time_zone, f.missed_runs, extract(epoch FROM f.next_run_at)::bigint,
                                     floor(extract(epoch FROM moment))::bigint) AS d
            ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS made = ROW_COUNT;
            next := mcp._schedule_next(f.schedule, f.time_zone, floor(extract(epoch FROM moment))::bigint);
        EXCEPTION WHEN invalid_parameter_value THEN
            RAISE WARNING 'the schedule of job %/% is not followed any more: %', f.namespace, f.name, SQLERRM;
            made := 0;
            next := NULL;
        END;
        UPDATE jobs.functions AS j SET next_run_at = to_timestamp(next) WHERE j.id = f.id;
        number := number + made;
    END LOOP;
    RETURN number;
END
$$;

-- Takes away what is older than the job's keep_days, and of what did not fail all but the last keep_rows; and workers that are gone. One session
-- at a time; at most 10,000 jobs of each function at once.
CREATE FUNCTION mcp._maintain_jobs() RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    edge record;
BEGIN
    IF NOT mcp._jobs_there() OR NOT pg_try_advisory_xact_lock(hashtextextended('mcp._maintain_jobs', 0)) THEN
        RETURN;
    END IF;
    -- One look at the index for each function that has jobs, registered or not.
    FOR f IN
        WITH RECURSIVE ids(id) AS (
            (SELECT q.function_id FROM jobs.queue AS q WHERE q.completed_at IS NOT NULL ORDER BY q.function_id LIMIT 1)
            UNION ALL
            SELECT (SELECT q.function_id FROM jobs.queue AS q WHERE q.completed_at IS NOT NULL AND q.function_id > i.id
                     ORDER BY q.function_id LIMIT 1)
              FROM ids AS i WHERE i.id IS NOT NULL)
        SELECT i.id, coalesce(j.keep_days, 30) AS days, coalesce(j.keep_rows, 10000) AS rows
          FROM ids AS i LEFT JOIN jobs.functions AS j ON j.id = i.id
         WHERE i.id IS NOT NULL AND i.id <> mcp._tasks_function() -- those go by their own time: mcp._maintain_tasks
    LOOP
        DELETE FROM jobs.queue AS q
         WHERE q.id = ANY (ARRAY(SELECT o.id FROM jobs.queue AS o
                                  WHERE o.function_id = f.id AND o.completed_at < clock_timestamp() - make_interval(days => f.days)
                                  ORDER BY o.completed_at LIMIT 10000 FOR UPDATE SKIP LOCKED));
        SELECT o.completed_at, o.id INTO edge FROM jobs.queue AS o
         WHERE o.function_id = f.id AND o.completed_at IS NOT NULL AND o.status <> 'failed'
         ORDER BY o.completed_at DESC, o.id DESC OFFSET f.rows LIMIT 1;
        IF FOUND THEN
            DELETE FROM jobs.queue AS q
             WHERE q.id = ANY (ARRAY(SELECT o.id FROM jobs.queue AS o
                                      WHERE o.function_id = f.id AND o.completed_at IS NOT NULL AND o.status <> 'failed'
                                        AND (o.completed_at, o.id) <= (edge.completed_at, edge.id)
                                      ORDER BY o.completed_at LIMIT 10000 FOR UPDATE SKIP LOCKED));
        END IF;
    END LOOP;
    UPDATE jobs.workers AS w SET status = 'stopped'
     WHERE w.status <> 'stopped' AND w.last_heartbeat_at < clock_timestamp() - interval '10 minutes';
    DELETE FROM jobs.workers AS w WHERE w.last_heartbeat_at < clock_timestamp() - interval '1 day';
END
$$;

-- When there will be something to do: the earliest of jobs that are due, schedules, and leases that end; NULL: nothing is known of.
CREATE FUNCTION mcp._jobs_next_due() RETURNS pg_catalog.timestamptz
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM jobs.queue AS q WHERE q.status = 'pending' AND NOT q.delayed) THEN
        RETURN clock_timestamp();
    END IF;
    RETURN least((SELECT min(q.run_after) FROM jobs.queue AS q WHERE q.status = 'pending' AND q.delayed),
                 (SELECT min(q.lease_until) FROM jobs.queue AS q WHERE q.status = 'running'),
                 (SELECT min(f.next_run_at) FROM jobs.functions AS f WHERE f.enabled AND f.next_run_at IS NOT NULL));
END
$$;

ALTER FUNCTION mcp._jobs_there() OWNER TO mcp_owner;
ALTER FUNCTION mcp._job_target(pg_catalog.uuid, pg_catalog.text, pg_catalog.bool) OWNER TO mcp_owner;
ALTER FUNCTION mcp._job_fail(pg_catalog.uuid, pg_catalog.text, pg_catalog.bool, pg_catalog.bool) OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_claim(pg_catalog.uuid, pg_catalog.int4, pg_catalog.interval) OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_heartbeat(pg_catalog.uuid, pg_catalog.uuid[], pg_catalog.int4[], pg_catalog.interval) OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_finish(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text,
                                pg_catalog.bool) OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_progress(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.float8, pg_catalog.text, pg_catalog.jsonb)
    OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_log(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb)
    OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_take_back() OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_release(pg_catalog.uuid, pg_catalog.uuid[], pg_catalog.int4[]) OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_worker_start(pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int4) OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_worker_state(pg_catalog.uuid, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_next_due() OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_schedule() OWNER TO mcp_owner;
ALTER FUNCTION mcp._maintain_jobs() OWNER TO mcp_owner;

-- What jobs.report_progress and jobs.log do: they run as the job, and all they say goes through mcp._job_say.
CREATE FUNCTION mcp._job_progress(percent pg_catalog.float8, message pg_catalog.text, data pg_catalog.jsonb) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF percent IS NULL OR NOT percent BETWEEN 0 AND 100 THEN
        RAISE EXCEPTION 'percent: must be from 0 to 100, not %. Nothing was reported.', coalesce(percent::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF length(message) > 1000 OR length(data::text) > 10000 THEN
        RAISE EXCEPTION 'message or data is longer than 1,000 or 10,000 characters. Nothing was reported.'
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    PERFORM mcp._job_say(jsonb_build_object('progress', jsonb_build_object('percent', percent, 'message', message, 'data', data))::text);
END
$$;

CREATE FUNCTION mcp._job_log(level pg_catalog.text, message pg_catalog.text, data pg_catalog.jsonb) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF level IS NULL OR level NOT IN ('debug', 'info', 'warning', 'error') THEN
        RAISE EXCEPTION 'level: "%" is none of debug, info, warning, error. Nothing was logged.', level
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF message IS NULL THEN
        RAISE EXCEPTION 'message: is NULL. Nothing was logged.' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF length(message) > 10000 OR length(data::text) > 10000 THEN
        RAISE EXCEPTION 'message or data is longer than 10,000 characters. Nothing was logged.'
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    PERFORM mcp._job_say(jsonb_build_object('log', jsonb_build_object('level', level, 'message', message, 'data', data))::text);
END
$$;
