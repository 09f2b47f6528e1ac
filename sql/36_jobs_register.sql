-- Background jobs: what can be run. As with tools (15_register.sql), whoever registers must be allowed to execute the function, and
-- a function is kept by schema, name and the types of its arguments; where it stands is looked up at each submission and each run.

-- Raises an error unless a job can be made of the function; whether it is a function or a procedure.
CREATE FUNCTION mcp._job_kind(function pg_catalog.oid) RETURNS pg_catalog.text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
BEGIN
    SELECT f.prokind, f.proretset, f.pronargs, f.proargtypes, f.proargmodes, f.provariadic, t.typtype INTO p
      FROM pg_proc AS f JOIN pg_type AS t ON t.oid = f.prorettype WHERE f.oid = function;
    IF p.prokind NOT IN ('f', 'p') OR p.proretset OR (p.typtype = 'p' AND p.prokind = 'f' AND (SELECT f.prorettype <> ALL ('{void,record}'::regtype[]) FROM pg_proc AS f WHERE f.oid = function))
       OR p.pronargs > 1 OR p.provariadic <> 0 OR (p.pronargs = 1 AND p.proargtypes[0] <> ALL ('{jsonb,json}'::regtype[]::oid[]))
       OR (p.prokind = 'p' AND p.proargmodes IS NOT NULL) THEN
        RAISE EXCEPTION 'function: a job is a function or procedure without an argument, or with one of type jsonb or json; a function returns one value or void. Nothing was registered.'
            USING ERRCODE = 'invalid_function_definition',
                  HINT = 'The argument is the payload that was submitted: CREATE FUNCTION app.report(payload jsonb) RETURNS jsonb ...';
    END IF;
    RETURN CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END;
END
$$;

CREATE FUNCTION mcp.register_job(
    name pg_catalog.text,
    function pg_catalog.regprocedure DEFAULT NULL,
    description pg_catalog.text DEFAULT NULL,
    namespace pg_catalog.text DEFAULT 'default',
    payload_schema pg_catalog.jsonb DEFAULT NULL,
    edge_function pg_catalog.text DEFAULT NULL,
    schedule pg_catalog.text DEFAULT NULL,
    time_zone pg_catalog.text DEFAULT 'UTC',
    missed_runs pg_catalog.text DEFAULT 'run_once',
    schedule_payload pg_catalog.jsonb DEFAULT NULL,
    run_as pg_catalog.regrole DEFAULT NULL,
    timeout_seconds pg_catalog.int4 DEFAULT 300,
    progress_timeout_seconds pg_catalog.int4 DEFAULT NULL,
    max_retries pg_catalog.int4 DEFAULT 0,
    backoff_base_seconds pg_catalog.float8 DEFAULT 5,
    backoff_max_seconds pg_catalog.float8 DEFAULT 600,
    require_roles pg_catalog.text[] DEFAULT '{}',
    keep_days pg_catalog.int4 DEFAULT 30,
    keep_rows pg_catalog.int4 DEFAULT 10000,
    enabled pg_catalog.bool DEFAULT true,
    transaction_control pg_catalog.bool DEFAULT false)
    RETURNS pg_catalog.uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
<<given>>
DECLARE
    who text := mcp._outer_user();
    kind text := 'edge';
    place record;
    edge text[];
    wrong text;
    become text;
    is_superuser boolean;
    made uuid;
    moment bigint := floor(extract(epoch FROM clock_timestamp()));
BEGIN
    IF NOT mcp._jobs_there() THEN
        RAISE EXCEPTION 'jobs are not installed in this database. Nothing was registered.'
            USING ERRCODE = 'undefined_table', HINT = 'SELECT mcp.install(''{jobs}'');';
    END IF;
    SELECT n INTO wrong FROM unnest(ARRAY[register_job.name, register_job.namespace]) AS n
     WHERE n IS NULL OR n !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'name and namespace: "%" must have 1 to 64 of the characters A-Z a-z 0-9 _ -, and begin with a letter or digit. Nothing was registered.', wrong
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF (register_job.function IS NULL) = (register_job.edge_function IS NULL) THEN
        RAISE EXCEPTION 'a job has either a function or an edge_function. Nothing was registered.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Write function => ''app.report(jsonb)'' or edge_function => ''report''.';
    END IF;
    IF register_job.edge_function IS NULL THEN
        SELECT * INTO place FROM mcp._registrable(register_job.function::oid, '{}');
        given.kind := mcp._job_kind(register_job.function::oid);
    ELSE
        -- As in invoke_function: the name, or namespace/name.
        given.edge := regexp_match(register_job.edge_function, '^(?:([A-Za-z0-9][A-Za-z0-9_-]{0,63})/)?([A-Za-z0-9][A-Za-z0-9_-]{0,63})$');
        IF given.edge IS NULL THEN
            RAISE EXCEPTION 'edge_function: "%" is no name of an edge function. Nothing was registered.', register_job.edge_function
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Write ''report'', or ''namespace/report''.';
        END IF;
        SELECT NULL::text AS function_schema, NULL::text AS function_name, NULL::text AS function_arguments INTO place;
    END IF;
    IF register_job.transaction_control THEN
        IF given.kind <> 'procedure' THEN
            RAISE EXCEPTION 'transaction_control: only a procedure can COMMIT or ROLLBACK. Nothing was registered.'
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out, or make a procedure: CREATE PROCEDURE app.clean(payload jsonb) ...';
        END IF;
        IF EXISTS (SELECT FROM pg_proc AS f WHERE f.oid = register_job.function AND (f.prosecdef OR f.proconfig IS NOT NULL)) THEN
            RAISE EXCEPTION 'transaction_control: Postgres lets no procedure COMMIT that is SECURITY DEFINER or has SET clauses. Nothing was registered.'
                USING ERRCODE = 'invalid_function_definition',
                      HINT = 'ALTER PROCEDURE ... SECURITY INVOKER RESET ALL, and write SET LOCAL in its body after each COMMIT.';
        END IF;
    END IF;
    PERFORM mcp._check_job(register_job.payload_schema::text, register_job.schedule, register_job.time_zone, register_job.missed_runs,
                           register_job.schedule_payload::text, moment);
    SELECT r INTO wrong FROM unnest(register_job.require_roles) AS r
     WHERE r IS NULL OR NOT EXISTS (SELECT FROM pg_roles AS p WHERE p.rolname = r) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'require_roles: there is no role "%". Nothing was registered.', wrong USING ERRCODE = 'undefined_object';
    END IF;
    IF register_job.schedule IS NOT NULL THEN
        SELECT p.rolname, p.rolsuper INTO become, is_superuser FROM pg_roles AS p WHERE p.oid = register_job.run_as;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'run_as: a schedule needs a role that its runs have. Nothing was registered.'
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Write run_as => ''authenticated'', or another role of mcp.allow_role().';
        END IF;
        IF is_superuser OR NOT EXISTS (SELECT FROM mcp.allowed_roles AS a WHERE a.role_name = become) THEN
            RAISE EXCEPTION 'run_as: role "%" is superuser or was not allowed. Nothing was registered.', become
                USING ERRCODE = 'insufficient_privilege', HINT = format('A superuser runs: SELECT mcp.allow_role(%L);', become);
        END IF;
        IF NOT mcp._may_set_role(become) THEN
            RAISE EXCEPTION 'permission denied: run_as is a role that you may not become, "%". Nothing was registered.', become
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF cardinality(register_job.require_roles) > 0 AND become <> ALL (register_job.require_roles)
           OR given.kind <> 'edge' AND (NOT has_function_privilege(become, register_job.function, 'EXECUTE')
                                        OR NOT has_schema_privilege(become, place.function_schema, 'USAGE')) THEN
            RAISE EXCEPTION 'run_as: role "%" may not run this job. Nothing was registered.', become
                USING ERRCODE = 'insufficient_privilege', HINT = 'It needs EXECUTE on the function, and a place in require_roles unless that is empty.';
        END IF;
        IF register_job.transaction_control THEN
            wrong := mcp._job_call_problem(register_job.run_as, register_job.function);
            IF wrong IS NOT NULL THEN
                RAISE EXCEPTION 'run_as: %. Nothing was registered.', wrong USING ERRCODE = 'insufficient_privilege';
            END IF;
        END IF;
    ELSIF register_job.schedule_payload IS NOT NULL OR register_job.run_as IS NOT NULL THEN
        RAISE EXCEPTION 'run_as and schedule_payload are for a schedule. Nothing was registered.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'A job that is submitted has the role and payload of its submission.';
    END IF;
    INSERT INTO jobs.functions AS f (name, namespace, description, kind, function_schema, function_name, function_arguments, edge_namespace,
                                     edge_function, payload_schema, enabled, schedule, time_zone, missed_runs, schedule_payload, run_as,
                                     next_run_at, timeout_seconds, progress_timeout_seconds, max_retries, backoff_base_seconds,
                                     backoff_max_seconds, require_roles, keep_days, keep_rows, transaction_control, registered_by)
    VALUES (register_job.name, register_job.namespace, register_job.description, given.kind, place.function_schema, place.function_name,
            place.function_arguments, given.edge[1], given.edge[2], register_job.payload_schema, coalesce(register_job.enabled, true),
            register_job.schedule, coalesce(register_job.time_zone, 'UTC'), coalesce(register_job.missed_runs, 'run_once'),
            register_job.schedule_payload, become,
            to_timestamp(mcp._schedule_next(register_job.schedule, coalesce(register_job.time_zone, 'UTC'), moment)),
            register_job.timeout_seconds, register_job.progress_timeout_seconds, register_job.max_retries,
            register_job.backoff_base_seconds, register_job.backoff_max_seconds, coalesce(register_job.require_roles, '{}'),
            register_job.keep_days, register_job.keep_rows, coalesce(register_job.transaction_control, false), who)
    ON CONFLICT (name, namespace) DO UPDATE
       SET description = excluded.description, kind = excluded.kind, function_schema = excluded.function_schema,
           function_name = excluded.function_name, function_arguments = excluded.function_arguments,
           edge_namespace = excluded.edge_namespace, edge_function = excluded.edge_function, payload_schema = excluded.payload_schema,
           -- A slot that is due stays due when only something else is changed.
           next_run_at = CASE WHEN f.enabled AND (f.schedule, f.time_zone) = (excluded.schedule, excluded.time_zone)
                              THEN f.next_run_at ELSE excluded.next_run_at END,
           enabled = excluded.enabled, schedule = excluded.schedule, time_zone = excluded.time_zone, missed_runs = excluded.missed_runs,
           schedule_payload = excluded.schedule_payload, run_as = excluded.run_as, timeout_seconds = excluded.timeout_seconds,
           progress_timeout_seconds = excluded.progress_timeout_seconds, max_retries = excluded.max_retries,
           backoff_base_seconds = excluded.backoff_base_seconds, backoff_max_seconds = excluded.backoff_max_seconds,
           require_roles = excluded.require_roles, keep_days = excluded.keep_days, keep_rows = excluded.keep_rows,
           transaction_control = excluded.transaction_control,
           registered_by = excluded.registered_by, updated_at = now()
    RETURNING f.id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION mcp.register_job IS
    'Makes a background job of a function, a procedure or an edge function, or replaces the one of that name and namespace; its id.';

CREATE FUNCTION mcp.enable_job(name pg_catalog.text, enabled pg_catalog.bool DEFAULT true, namespace pg_catalog.text DEFAULT 'default')
    RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._outer_user();
    IF NOT mcp._jobs_there() THEN
        RETURN false;
    END IF;
    -- What its schedule would have begun while it was disabled was not missed.
    UPDATE jobs.functions AS f
       SET enabled = enable_job.enabled, updated_at = now(),
           next_run_at = CASE WHEN enable_job.enabled AND NOT f.enabled
                              THEN to_timestamp(mcp._schedule_next(f.schedule, f.time_zone, floor(extract(epoch FROM clock_timestamp()))::bigint))
                              ELSE f.next_run_at END
     WHERE f.name = enable_job.name AND f.namespace = enable_job.namespace;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.enable_job IS
    'Enables a job, or with false disables it: it is then neither submitted nor begun, and what waits fails. false when there is no such job.';

CREATE FUNCTION mcp.unregister_job(name pg_catalog.text, namespace pg_catalog.text DEFAULT 'default') RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._outer_user();
    IF NOT mcp._jobs_there() THEN
        RETURN false;
    END IF;
    DELETE FROM jobs.functions AS f WHERE f.name = unregister_job.name AND f.namespace = unregister_job.namespace;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.unregister_job IS
    'Takes mcp.register_job back: what was submitted stays and is shown; what waits fails. false when there is no such job.';

ALTER FUNCTION mcp._job_kind(pg_catalog.oid) OWNER TO mcp_owner;
ALTER FUNCTION mcp.register_job(pg_catalog.text, pg_catalog.regprocedure, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text,
                                pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.regrole, pg_catalog.int4,
                                pg_catalog.int4, pg_catalog.int4, pg_catalog.float8, pg_catalog.float8, pg_catalog.text[], pg_catalog.int4,
                                pg_catalog.int4, pg_catalog.bool, pg_catalog.bool) OWNER TO mcp_owner;
ALTER FUNCTION mcp.enable_job(pg_catalog.text, pg_catalog.bool, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unregister_job(pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;
