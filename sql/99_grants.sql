-- Who may execute what. Postgres gives EXECUTE to PUBLIC by itself: it is taken from everything and given back by name.
CREATE FUNCTION mcp.handle(request pg_catalog.jsonb) RETURNS pg_catalog.json
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$ SELECT mcp._handle($1::pg_catalog.text) $$;
COMMENT ON FUNCTION mcp.handle(pg_catalog.jsonb) IS
    'Answers one MCP message as the current role, or as the identity that mcp.authenticate set. NULL for a notification.';
COMMENT ON FUNCTION mcp.handle(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS
    'The listener''s entry: message, credential, transport; one row with the HTTP status and the body.';
COMMENT ON FUNCTION mcp._serve(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS
    'mcp.handle(text, text, jsonb) for fluxbase serve: the status in a line of its own, then the body.';
COMMENT ON FUNCTION mcp._changes() IS
    'For fluxbase serve: another text than before, asked on the same connection, when what a key sees may have changed.';
COMMENT ON FUNCTION mcp.progress(pg_catalog.float8, pg_catalog.float8, pg_catalog.text) IS
    'Inside a tool: tells the client how far it is. Nothing happens if the client did not ask.';
COMMENT ON FUNCTION mcp.log(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS
    'Inside a tool: sends the client a log message. Nothing happens if the client did not ask for that level.';
COMMENT ON PROCEDURE mcp._wait(pg_catalog.int8, pg_catalog.int4) IS
    'For fluxbase serve: waits, without a snapshot, until a call of an edge function has ended.';
COMMENT ON FUNCTION mcp._ended(pg_catalog.int8) IS
    'For fluxbase serve: the worker''s epoch, then a line for each call that has ended and is not finished.';
COMMENT ON FUNCTION mcp.worker_status() IS
    'How the delegate worker is, which makes calls over HTTP: state (running, not answering, not preloaded), numbers, and what to do.';
COMMENT ON FUNCTION mcp.authenticate(pg_catalog.text) IS
    'Takes a key''s identity for the rest of the transaction. In psql, pass the key with \bind to keep it out of the log.';

REVOKE ALL ON ALL TABLES IN SCHEMA mcp FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA mcp FROM PUBLIC;

-- Open to everybody on purpose: they run as the caller and tell nothing but what the caller may know anyway.
GRANT EXECUTE ON FUNCTION
    mcp._job_say(pg_catalog.text), mcp._job_progress(pg_catalog.float8, pg_catalog.text, pg_catalog.jsonb), mcp._job_log(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb),
    mcp.handle(pg_catalog.jsonb), mcp._handle(pg_catalog.text), mcp.authenticate(pg_catalog.text),
    mcp.claim(pg_catalog.text), mcp.claims(), mcp.version(),
    mcp.progress(pg_catalog.float8, pg_catalog.float8, pg_catalog.text), mcp.log(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text)
    TO PUBLIC;

GRANT EXECUTE ON FUNCTION
    mcp._generate_key(pg_catalog.text), mcp._keys_changed(pg_catalog.oid), mcp._setting_allowed(pg_catalog.text),
    mcp._check_setting(pg_catalog.text, pg_catalog.text), mcp._scopes(),
    mcp._outer_user(), mcp._part_is_ours(pg_catalog.name, pg_catalog.name[]), mcp._preloaded(), mcp.worker_status(), mcp._functions_unreachable(), mcp.jobs_status(), mcp._wake_jobs(pg_catalog.bool), mcp._public(), mcp._built_in_tools(), mcp._forget_keys(),
    mcp._check_tool(pg_catalog.text, pg_catalog.oid, pg_catalog.text, pg_catalog.text, pg_catalog.text),
    mcp._check_resource(pg_catalog.text, pg_catalog.oid, pg_catalog.text), mcp._check_prompt(pg_catalog.oid, pg_catalog.text),
    mcp._check_procedure(pg_catalog.oid, pg_catalog.text, pg_catalog.bool),
    mcp._check_job(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8),
    mcp._schedule_next(pg_catalog.text, pg_catalog.text, pg_catalog.int8),
    mcp._schedule_due(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.int8),
    mcp._job_pause(pg_catalog.int4, pg_catalog.float8, pg_catalog.float8, pg_catalog.float8),
    mcp._chunks(pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int4), mcp._wake_embedding(),
    mcp._documents_there(), mcp._chunks_of(pg_catalog.text), mcp._vector_type(pg_catalog.int4),
    mcp._forget_chunks(pg_catalog.uuid, pg_catalog.uuid), mcp._embedding_claim(pg_catalog.int4, pg_catalog.int8),
    mcp._embedding_store(pg_catalog.uuid, pg_catalog.text, pg_catalog.uuid[], pg_catalog.text[], pg_catalog.text),
    mcp._embedding_failed(pg_catalog.int4, pg_catalog.float8, pg_catalog.text), mcp._embedding_pause(), mcp._embedding_begin(),
    mcp._embedding_swap()
    TO mcp_owner;
GRANT EXECUTE ON FUNCTION mcp._audit_batch(), mcp._audit_note(pg_catalog.text, pg_catalog.text), mcp.audit_status() TO mcp_owner;

-- The process that writes the audit.
GRANT EXECUTE ON FUNCTION mcp._audit_write(), mcp._maintain_audit() TO mcp_audit;

-- The workers of background jobs may call what stands in 36_jobs_worker.sql and 36_jobs_runner.sql for them, and upkeep.
GRANT EXECUTE ON FUNCTION
    mcp._jobs_there(), mcp._jobs_worker_start(pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int4),
    mcp._jobs_worker_state(pg_catalog.uuid, pg_catalog.text), mcp._jobs_orphans(pg_catalog.uuid),
    mcp._jobs_claim(pg_catalog.uuid, pg_catalog.int4, pg_catalog.interval),
    mcp._jobs_heartbeat(pg_catalog.uuid, pg_catalog.uuid[], pg_catalog.int4[], pg_catalog.interval),
    mcp._jobs_finish(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool),
    mcp._jobs_progress(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.float8, pg_catalog.text, pg_catalog.jsonb),
    mcp._jobs_log(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb),
    mcp._jobs_take_back(), mcp._jobs_release(pg_catalog.uuid, pg_catalog.uuid[], pg_catalog.int4[]), mcp._jobs_next_due(), mcp._jobs_schedule(),
    mcp._task_begin(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4),
    mcp._task_ask(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.text),
    mcp._task_end(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4, pg_catalog.text, pg_catalog.text)
    TO mcp_jobs;
DO $$
DECLARE
    routine record;
BEGIN
    FOR routine IN SELECT p.oid::pg_catalog.regprocedure AS name FROM pg_catalog.pg_proc AS p
                    WHERE p.pronamespace OPERATOR(pg_catalog.=) 'mcp'::pg_catalog.regnamespace AND p.proname OPERATOR(pg_catalog.~) '^_maintain_'
                      AND p.pronargs OPERATOR(pg_catalog.=) 0 LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO mcp_jobs', routine.name);
    END LOOP;
END
$$;
