-- Tasks (MCP extension io.modelcontextprotocol/tasks): calls of registered tools that run as jobs. A task is a row of jobs.queue, which says
-- whose it is, when it runs and how it ended, and a row of jobs.tasks with what only a task has. Who sees the one sees the other.
--
-- It waits for its client as a job that is put off until the task's time is over: no worker takes it before. docs/decisions/0017-tasks.md.

-- What jobs.queue.function_id is for tasks: no id of jobs.functions, whose ids are random.
CREATE FUNCTION mcp._tasks_function() RETURNS pg_catalog.uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '00000000-0000-0000-0000-000000000000'::uuid $$;

-- A part of mcp.install('{jobs}').
CREATE FUNCTION mcp._setup_tasks() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('jobs.tasks') IS NOT NULL THEN
        RETURN NEXT 'table jobs.tasks is there already and was left as it is';
        RETURN;
    END IF;
    CREATE TABLE jobs.tasks (
        job_id uuid PRIMARY KEY REFERENCES jobs.queue ON DELETE CASCADE,
        tool text NOT NULL,
        scopes text[] NOT NULL,
        call json NOT NULL,
        requests json,
        answers json,
        state text,
        outcome json,
        error json,
        expires_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    COMMENT ON TABLE jobs.tasks IS 'What tasks have beside their job; written by tools/call, tasks/update and workers only.';
    COMMENT ON COLUMN jobs.tasks.scopes IS 'Of these a key needs one, as for the tool itself.';
    COMMENT ON COLUMN jobs.tasks.call IS 'Arguments, answers and limits of the call. Not for callers.';
    COMMENT ON COLUMN jobs.tasks.requests IS 'What the task waits for its client to answer.';
    COMMENT ON COLUMN jobs.tasks.outcome IS 'The result of the tool, as tools/call would have given it.';
    COMMENT ON COLUMN jobs.tasks.error IS 'A JSON-RPC error.';
    COMMENT ON COLUMN jobs.tasks.expires_at IS 'Until then it is kept.';
    CREATE INDEX tasks_expire ON jobs.tasks (expires_at);
    ALTER TABLE jobs.tasks ENABLE ROW LEVEL SECURITY;
    ALTER TABLE jobs.tasks OWNER TO mcp_owner;
    -- Whoever sees the job sees the task: the policies of jobs.queue hold in the subquery.
    CREATE POLICY owner ON jobs.tasks FOR SELECT USING (EXISTS (SELECT FROM jobs.queue AS q WHERE q.id = job_id));
    RETURN NEXT 'table jobs.tasks created';
END
$$;

-- For a worker: the task of a run, while that is its own.
CREATE FUNCTION mcp._task_begin(id pg_catalog.uuid, worker pg_catalog.uuid, run pg_catalog.int4) RETURNS pg_catalog.text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    task text;
BEGIN
    IF mcp._jobs_there() THEN
        SELECT json_build_object('tool', t.tool, 'call', t.call, 'answers', t.answers, 'state', t.state, 'unanswered', t.requests IS NOT NULL,
                                 'seconds_left', greatest(1, ceil(extract(epoch FROM t.expires_at - clock_timestamp())))::int8)::text INTO task
          FROM jobs.tasks AS t JOIN jobs.queue AS q ON q.id = t.job_id
         WHERE q.id = _task_begin.id AND q.worker_id = worker AND q.run = _task_begin.run AND q.status = 'running';
    END IF;
    RETURN task;
END
$$;

-- For a worker: the run has ended and asks its client something. The job's status now, NULL: the run is not the worker's any more.
CREATE FUNCTION mcp._task_ask(id pg_catalog.uuid, worker pg_catalog.uuid, run pg_catalog.int4, requests pg_catalog.text,
                              state pg_catalog.text)
    RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    now_is text;
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN NULL;
    END IF;
    -- It was no failed attempt: none is counted.
    UPDATE jobs.queue AS q
       SET status = CASE WHEN q.cancel_requested_at IS NULL THEN 'pending' ELSE 'cancelled' END,
           completed_at = CASE WHEN q.cancel_requested_at IS NULL THEN NULL ELSE moment END,
           worker_id = NULL, lease_until = NULL, attempts = q.attempts - 1, progress = NULL, delayed = true, run_after = t.expires_at
      FROM jobs.tasks AS t
     WHERE q.id = _task_ask.id AND q.worker_id = worker AND q.run = _task_ask.run AND q.status = 'running' AND t.job_id = q.id
    RETURNING q.status INTO now_is;
    IF now_is = 'pending' THEN
        UPDATE jobs.tasks AS t SET requests = _task_ask.requests::json, answers = NULL, state = _task_ask.state, updated_at = moment
         WHERE t.job_id = _task_ask.id;
    END IF;
    RETURN now_is;
END
$$;

-- For a worker: the tool has answered, or an error of the protocol came of it. As mcp._jobs_finish.
CREATE FUNCTION mcp._task_end(id pg_catalog.uuid, worker pg_catalog.uuid, run pg_catalog.int4, outcome pg_catalog.text,
                              error pg_catalog.text)
    RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    now_is text := mcp._jobs_finish(id, worker, run, CASE WHEN error IS NULL THEN 'completed' ELSE 'failed' END, NULL,
                                    error::json ->> 'message', false);
BEGIN
    IF now_is IS NOT NULL THEN
        UPDATE jobs.tasks AS t
           SET outcome = _task_end.outcome::json, error = _task_end.error::json, requests = NULL, answers = NULL, state = NULL,
               updated_at = clock_timestamp()
         WHERE t.job_id = _task_end.id;
    END IF;
    RETURN now_is;
END
$$;

-- Takes away tasks whose time is over, but for those that run: they end by their own limit. At most 10,000 at once.
CREATE FUNCTION mcp._maintain_tasks() RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN;
    END IF;
    DELETE FROM jobs.queue AS q
     WHERE q.id = ANY (ARRAY(SELECT o.id FROM jobs.tasks AS t JOIN jobs.queue AS o ON o.id = t.job_id
                              WHERE t.expires_at < clock_timestamp() AND o.status <> 'running'
                              ORDER BY t.expires_at LIMIT 10000 FOR UPDATE OF o SKIP LOCKED));
END
$$;

ALTER FUNCTION mcp._tasks_function() OWNER TO mcp_owner;
ALTER FUNCTION mcp._task_begin(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4) OWNER TO mcp_owner;
ALTER FUNCTION mcp._task_ask(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp._task_end(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp._maintain_tasks() OWNER TO mcp_owner;
