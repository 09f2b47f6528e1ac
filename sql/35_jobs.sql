-- Background jobs: what mcp.install('{jobs}') creates. What a worker calls is in 36_jobs_worker.sql.
--
-- The tables belong to mcp_owner, so that nobody but our functions writes them: which role a job runs as, and with what claims, is
-- a column of jobs.queue. A table of that name that belongs to somebody else is not used at all (mcp._jobs_there). Who reads what is
-- said by policies: the user who submitted a job sees it, or whoever has the role and no user when it was submitted without one;
-- members of mcp_admin see all, and nobody else sees what a schedule began.

-- Whether the tables are there, and are ours, with all their triggers: those would run with the rights of mcp_owner. In PL/pgSQL, which keeps the
-- plan: a worker asks several times for each job.
CREATE FUNCTION mcp._jobs_there() RETURNS pg_catalog.bool
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT count(*) = 5
              FROM pg_class AS c
             WHERE c.relnamespace = to_regnamespace('jobs') AND c.relname IN ('functions', 'queue', 'workers', 'logs', 'tasks') AND c.relkind = 'r'
               AND c.relowner = to_regrole('mcp_owner')
               AND NOT EXISTS (SELECT FROM pg_trigger AS t
                                      JOIN pg_proc AS f ON f.oid = t.tgfoid
                                      JOIN pg_roles AS r ON r.oid = f.proowner
                                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND NOT (r.rolsuper OR r.rolname = 'mcp_owner')
                                  AND r.oid <> (SELECT e.extowner FROM pg_extension AS e WHERE e.extname = 'fluxbase_mcp_ext')));
END
$$;

CREATE FUNCTION mcp._install_jobs() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    usable text;
    relation text;
BEGIN
    IF to_regnamespace('jobs') IS NULL THEN
        CREATE SCHEMA jobs;
        COMMENT ON SCHEMA jobs IS 'Background jobs: what can be run, what was submitted, and what became of it.';
        RETURN NEXT 'schema jobs created';
    ELSE
        RETURN NEXT 'schema jobs is there already';
    END IF;
    SELECT c.oid::regclass INTO relation
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = 'jobs' AND c.relname IN ('functions', 'queue', 'workers', 'logs', 'tasks') AND c.relowner <> 'mcp_owner'::regrole
     ORDER BY c.relname LIMIT 1;
    IF FOUND THEN
        RETURN NEXT format('warning: %s is there already and was not made by this function: rename or drop it, then run this again. '
                           'Nothing else was made, and there are no jobs', relation);
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA jobs TO mcp_owner;
    -- Texts, not parsed bodies: policies and triggers of the tables hang on these two alone, so that DROP EXTENSION leaves them as they are.
    IF to_regprocedure('jobs.user_id()') IS NULL THEN
        CREATE FUNCTION jobs.user_id() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT mcp.claim(''sub'')';
        COMMENT ON FUNCTION jobs.user_id() IS 'The user of the key in whose name a tool runs; NULL when there is none.';
        -- For PUBLIC on purpose: it tells a session nothing but its own claim, and every role's policies call it.
        GRANT EXECUTE ON FUNCTION jobs.user_id() TO PUBLIC;
        RETURN NEXT 'function jobs.user_id() created';
    END IF;
    IF to_regprocedure('jobs.wake()') IS NULL THEN
        CREATE FUNCTION jobs.wake() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
            AS 'BEGIN PERFORM mcp._wake_jobs(TG_OP = ''UPDATE'' AND TG_TABLE_NAME = ''queue''); RETURN NULL; END';
        COMMENT ON FUNCTION jobs.wake() IS
            'Tells workers that there may be something to do, or somebody to cancel, once the transaction has committed.';
        REVOKE EXECUTE ON FUNCTION jobs.wake() FROM PUBLIC;
        RETURN NEXT 'function jobs.wake() created';
    END IF;
    IF to_regclass('jobs.functions') IS NULL THEN
        CREATE TABLE jobs.functions (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
            namespace text NOT NULL DEFAULT 'default' CHECK (namespace ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
            description text,
            kind text NOT NULL CHECK (kind IN ('function', 'procedure', 'edge')),
            function_schema text,
            function_name text,
            function_arguments text,
            edge_namespace text,
            edge_function text,
            payload_schema jsonb,
            enabled boolean NOT NULL DEFAULT true,
            schedule text,
            time_zone text NOT NULL DEFAULT 'UTC',
            missed_runs text NOT NULL DEFAULT 'run_once' CHECK (missed_runs IN ('skip', 'run_once', 'run_all')),
            schedule_payload jsonb,
            run_as text,
            next_run_at timestamptz,
            timeout_seconds integer NOT NULL DEFAULT 300 CHECK (timeout_seconds BETWEEN 1 AND 86400),
            progress_timeout_seconds integer CHECK (progress_timeout_seconds BETWEEN 1 AND 86400),
            max_retries integer NOT NULL DEFAULT 0 CHECK (max_retries BETWEEN 0 AND 100),
            backoff_base_seconds double precision NOT NULL DEFAULT 5 CHECK (backoff_base_seconds BETWEEN 0 AND 86400),
            backoff_max_seconds double precision NOT NULL DEFAULT 600 CHECK (backoff_max_seconds BETWEEN 0 AND 604800),
            require_roles text[] NOT NULL DEFAULT '{}',
            transaction_control boolean NOT NULL DEFAULT false CHECK (kind = 'procedure' OR NOT transaction_control),
            keep_days integer NOT NULL DEFAULT 30 CHECK (keep_days BETWEEN 0 AND 36500),
            keep_rows integer NOT NULL DEFAULT 10000 CHECK (keep_rows >= 0),
            registered_by text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (name, namespace),
            CHECK (CASE kind WHEN 'edge' THEN edge_function IS NOT NULL AND function_name IS NULL
                             ELSE function_schema IS NOT NULL AND function_name IS NOT NULL AND function_arguments IS NOT NULL
                                  AND edge_function IS NULL END),
            CHECK (schedule IS NULL OR run_as IS NOT NULL)
        );
        COMMENT ON TABLE jobs.functions IS 'What can be run; written by mcp.register_job.';
        COMMENT ON COLUMN jobs.functions.require_roles IS 'Database roles that may submit it; empty: every role that may execute the function.';
        COMMENT ON COLUMN jobs.functions.transaction_control IS 'Whether the procedure may COMMIT and ROLLBACK: it then runs in a session of its own.';
        COMMENT ON COLUMN jobs.functions.run_as IS 'The role of runs that the schedule begins.';
        COMMENT ON COLUMN jobs.functions.next_run_at IS 'The slot of the schedule that comes next.';
        CREATE INDEX functions_due ON jobs.functions (next_run_at) WHERE enabled AND next_run_at IS NOT NULL;
        ALTER TABLE jobs.functions ENABLE ROW LEVEL SECURITY;
        ALTER TABLE jobs.functions OWNER TO mcp_owner;
        -- What the schedule runs, and as whom, is for admins; its columns are not granted.
        CREATE POLICY submit ON jobs.functions FOR SELECT
            USING (cardinality(require_roles) = 0 OR current_user::text = ANY (require_roles));
        -- A new schedule may come sooner than what workers wait for. What they write themselves, next_run_at, wakes nobody.
        CREATE TRIGGER wake AFTER INSERT OR UPDATE OF schedule, enabled ON jobs.functions
            FOR EACH STATEMENT EXECUTE FUNCTION jobs.wake();
        RETURN NEXT 'table jobs.functions created';
    ELSE
        RETURN NEXT 'table jobs.functions is there already and was left as it is';
    END IF;
    IF to_regclass('jobs.queue') IS NULL THEN
        CREATE TABLE jobs.queue (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            -- Grows with each job: first come, first served, and a page of list_jobs goes on after it.
            seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
            namespace text NOT NULL,
            function_id uuid NOT NULL,
            job_name text NOT NULL,
            status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
            payload jsonb,
            result jsonb,
            progress jsonb,
            priority integer NOT NULL DEFAULT 0,
            created_at timestamptz NOT NULL DEFAULT now(),
            scheduled_at timestamptz,
            -- Not before. delayed: this was in the future when it was written; a claim clears it when the time has come.
            run_after timestamptz NOT NULL DEFAULT now(),
            delayed boolean NOT NULL DEFAULT false,
            started_at timestamptz,
            completed_at timestamptz,
            last_progress_at timestamptz,
            worker_id uuid,
            lease_until timestamptz,
            -- Grows with each claim, also with one that was handed back: who holds an older one can write nothing any more.
            run integer NOT NULL DEFAULT 0,
            attempts integer NOT NULL DEFAULT 0,
            retry_count integer NOT NULL DEFAULT 0,
            max_retries integer NOT NULL DEFAULT 0,
            max_duration_seconds integer NOT NULL DEFAULT 300,
            progress_timeout_seconds integer,
            error_message text,
            cancel_requested_at timestamptz,
            idempotency_key text,
            request_digest text,
            slot timestamptz,
            created_by text,
            user_email text,
            role_name text NOT NULL,
            key_id text,
            claims jsonb,
            settings jsonb,
            CHECK ((status = 'running') = (worker_id IS NOT NULL AND lease_until IS NOT NULL)),
            CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL))
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
        COMMENT ON TABLE jobs.queue IS 'Jobs that were submitted; written by the tools and by workers only.';
        COMMENT ON COLUMN jobs.queue.status IS 'failed: all attempts were used, or trying again would not help.';
        COMMENT ON COLUMN jobs.queue.progress IS '{"percent", "message", "data"} of the running or last attempt.';
        COMMENT ON COLUMN jobs.queue.slot IS 'The time of the schedule that began it.';
        COMMENT ON COLUMN jobs.queue.created_by IS 'The user: claim sub of the key that submitted it.';
        COMMENT ON COLUMN jobs.queue.role_name IS 'The role that it runs as.';
        -- One index for each question of a worker; each holds the rows that are of use, however many have ended.
        CREATE INDEX queue_ready ON jobs.queue (priority DESC, seq) WHERE status = 'pending' AND NOT delayed;
        CREATE INDEX queue_delayed ON jobs.queue (run_after) WHERE status = 'pending' AND delayed;
        CREATE INDEX queue_leases ON jobs.queue (lease_until) WHERE status = 'running';
        CREATE UNIQUE INDEX queue_slot ON jobs.queue (function_id, slot) WHERE slot IS NOT NULL;
        CREATE UNIQUE INDEX queue_idempotency ON jobs.queue (idempotency_key, role_name, (coalesce(created_by, '')))
            WHERE idempotency_key IS NOT NULL;
        CREATE INDEX queue_ended ON jobs.queue (function_id, completed_at) WHERE completed_at IS NOT NULL;
        CREATE INDEX queue_mine ON jobs.queue (created_by, seq);
        CREATE INDEX queue_seq ON jobs.queue (seq);
        ALTER TABLE jobs.queue ENABLE ROW LEVEL SECURITY;
        ALTER TABLE jobs.queue OWNER TO mcp_owner;
        CREATE POLICY owner ON jobs.queue FOR SELECT
            USING (slot IS NULL AND CASE WHEN created_by IS NULL THEN role_name = current_user::text AND (SELECT jobs.user_id()) IS NULL
                                         ELSE created_by = (SELECT jobs.user_id()) END);
        CREATE TRIGGER wake AFTER INSERT OR UPDATE OF cancel_requested_at ON jobs.queue
            FOR EACH STATEMENT EXECUTE FUNCTION jobs.wake();
        RETURN NEXT 'table jobs.queue created';
    ELSE
        RETURN NEXT 'table jobs.queue is there already and was left as it is';
    END IF;
    IF to_regclass('jobs.workers') IS NULL THEN
        CREATE TABLE jobs.workers (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name text NOT NULL,
            hostname text,
            pid integer,
            status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'draining', 'stopped')),
            max_concurrent_jobs integer NOT NULL DEFAULT 5 CHECK (max_concurrent_jobs > 0),
            current_job_count integer NOT NULL DEFAULT 0 CHECK (current_job_count >= 0),
            last_heartbeat_at timestamptz NOT NULL DEFAULT now(),
            started_at timestamptz NOT NULL DEFAULT now(),
            metadata jsonb NOT NULL DEFAULT '{}'
        );
        COMMENT ON TABLE jobs.workers IS 'Workers, written by themselves.';
        ALTER TABLE jobs.workers ENABLE ROW LEVEL SECURITY;
        ALTER TABLE jobs.workers OWNER TO mcp_owner;
        RETURN NEXT 'table jobs.workers created';
    ELSE
        RETURN NEXT 'table jobs.workers is there already and was left as it is';
    END IF;
    IF to_regclass('jobs.logs') IS NULL THEN
        CREATE TABLE jobs.logs (
            id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            job_id uuid NOT NULL REFERENCES jobs.queue ON DELETE CASCADE,
            run integer NOT NULL,
            level text NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error')),
            message text NOT NULL,
            data jsonb,
            logged_at timestamptz NOT NULL DEFAULT clock_timestamp()
        );
        COMMENT ON TABLE jobs.logs IS 'What jobs wrote with jobs.log, and what workers say of them.';
        CREATE INDEX logs_job ON jobs.logs (job_id, id);
        ALTER TABLE jobs.logs ENABLE ROW LEVEL SECURITY;
        ALTER TABLE jobs.logs OWNER TO mcp_owner;
        -- Whoever sees a job sees its log: the policies of jobs.queue hold in the subquery.
        CREATE POLICY owner ON jobs.logs FOR SELECT USING (EXISTS (SELECT FROM jobs.queue AS q WHERE q.id = job_id));
        RETURN NEXT 'table jobs.logs created';
    ELSE
        RETURN NEXT 'table jobs.logs is there already and was left as it is';
    END IF;
    RETURN QUERY SELECT t FROM mcp._setup_tasks() AS t;
    IF to_regprocedure('jobs.report_progress(double precision, text, jsonb)') IS NULL THEN
        CREATE FUNCTION jobs.report_progress(percent double precision, message text DEFAULT NULL, data jsonb DEFAULT NULL)
            RETURNS void LANGUAGE plpgsql VOLATILE AS 'BEGIN PERFORM mcp._job_progress(percent, message, data); END';
        COMMENT ON FUNCTION jobs.report_progress IS
            'Inside a job: says how far it is (0 to 100). Others see it at once, and it stays if the job fails.';
        -- For PUBLIC on purpose: it does something in a running job only, and for that job.
        GRANT EXECUTE ON FUNCTION jobs.report_progress TO PUBLIC;
        RETURN NEXT 'function jobs.report_progress() created';
    ELSE
        RETURN NEXT 'function jobs.report_progress() is there already and was left as it is';
    END IF;
    IF to_regprocedure('jobs.log(text, text, jsonb)') IS NULL THEN
        CREATE FUNCTION jobs.log(level text, message text, data jsonb DEFAULT NULL)
            RETURNS void LANGUAGE plpgsql VOLATILE AS 'BEGIN PERFORM mcp._job_log(level, message, data); END';
        COMMENT ON FUNCTION jobs.log IS
            'Inside a job: writes a line of its log, level debug, info, warning or error. Others see it at once, and it stays if the job fails.';
        GRANT EXECUTE ON FUNCTION jobs.log TO PUBLIC;
        RETURN NEXT 'function jobs.log() created';
    ELSE
        RETURN NEXT 'function jobs.log() is there already and was left as it is';
    END IF;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'mcp_admin') THEN
        GRANT USAGE ON SCHEMA jobs TO mcp_admin;
        GRANT SELECT ON jobs.functions, jobs.queue, jobs.workers, jobs.logs, jobs.tasks TO mcp_admin;
        FOREACH relation IN ARRAY ARRAY['jobs.functions', 'jobs.queue', 'jobs.workers', 'jobs.logs', 'jobs.tasks'] LOOP
            IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = relation::regclass) THEN
                EXECUTE format('CREATE POLICY admin ON %s FOR SELECT TO mcp_admin USING (true)', relation);
            END IF;
        END LOOP;
        RETURN NEXT 'mcp_admin may read all jobs, their logs and their workers';
    END IF;
    RETURN QUERY SELECT w FROM mcp._setup_job_worker() AS w;
    FOR usable IN SELECT r.role_name FROM mcp.allowed_roles AS r JOIN pg_roles AS p ON p.rolname = r.role_name ORDER BY 1 LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA jobs TO %I', usable);
        EXECUTE format('GRANT SELECT (id, name, namespace, description, kind, function_schema, function_name, function_arguments, edge_namespace, '
                       'edge_function, payload_schema, enabled, timeout_seconds, progress_timeout_seconds, max_retries, require_roles) ON jobs.functions TO %I', usable);
        EXECUTE format('GRANT SELECT (id, seq, namespace, function_id, job_name, status, payload, result, progress, priority, created_at, '
                       'scheduled_at, run_after, started_at, completed_at, last_progress_at, run, attempts, retry_count, max_retries, '
                       'error_message, cancel_requested_at, idempotency_key, slot, created_by, role_name) ON jobs.queue TO %I', usable);
        EXECUTE format('GRANT SELECT ON jobs.logs TO %I', usable);
        EXECUTE format('GRANT SELECT (job_id, tool, scopes, requests, outcome, error, expires_at, updated_at) ON jobs.tasks TO %I', usable);
        RETURN NEXT format('%s may submit jobs whose functions it may execute, and see its own', usable);
    END LOOP;
END
$$;
