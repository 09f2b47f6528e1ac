-- Procedures: functions that a DBA exposed, and what mcp.install('{rpc}') creates: stored statements, and what became of each call.
--
-- An exposed function is kept like a registered tool: by schema, name, the types of its arguments, and its owner. One of the same name
-- that somebody else makes in its place is not called. Who may call it is who may EXECUTE it. Stored statements are rows of the users' own
-- table: who may call one is who may see its row, and whoever may write the table decides what callers run.

CREATE TABLE mcp._procedures (
    namespace pg_catalog.text NOT NULL CHECK (namespace OPERATOR(pg_catalog.~) '^[A-Za-z0-9_-]{1,64}$'),
    name pg_catalog.text NOT NULL CHECK (name OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.-]{1,64}$'),
    function_schema pg_catalog.text NOT NULL,
    function_name pg_catalog.text NOT NULL,
    function_arguments pg_catalog.text NOT NULL,
    function_owner pg_catalog.text NOT NULL,
    description pg_catalog.text,
    tool pg_catalog.text CHECK (tool OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.-]{1,64}$'),
    temp_tables pg_catalog.bool NOT NULL DEFAULT false,
    max_execution_time_seconds pg_catalog.int4 NOT NULL DEFAULT 30,
    disable_execution_logs pg_catalog.bool NOT NULL DEFAULT false,
    exposed_by pg_catalog.text NOT NULL,
    exposed_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT _procedures_pkey PRIMARY KEY (namespace, name, function_schema, function_name, function_arguments),
    CONSTRAINT _procedures_tool_key UNIQUE (tool),
    CHECK (max_execution_time_seconds OPERATOR(pg_catalog.>=) 1 AND max_execution_time_seconds OPERATOR(pg_catalog.<=) 3600)
);
COMMENT ON TABLE mcp._procedures IS 'Functions that invoke_rpc calls; written by mcp.expose_rpc.';
SELECT pg_catalog.pg_extension_config_dump('mcp._procedures', '');
ALTER TABLE mcp._procedures OWNER TO mcp_owner;
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._procedures
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();

CREATE FUNCTION mcp.expose_rpc(
    function pg_catalog.regprocedure,
    name pg_catalog.text DEFAULT NULL,
    namespace pg_catalog.text DEFAULT 'default',
    description pg_catalog.text DEFAULT NULL,
    as_tool pg_catalog.bool DEFAULT false,
    max_execution_time_seconds pg_catalog.int4 DEFAULT 30,
    temp_tables pg_catalog.bool DEFAULT false,
    disable_execution_logs pg_catalog.bool DEFAULT false)
    RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    place record;
    wanted text;
    owner text;
    made text;
BEGIN
    SELECT * INTO place FROM mcp._registrable(expose_rpc.function::oid, '{}');
    wanted := coalesce(expose_rpc.name, place.function_name);
    PERFORM mcp._check_name(wanted);
    IF expose_rpc.namespace IS NULL OR expose_rpc.namespace !~ '^[A-Za-z0-9_-]{1,64}$' THEN
        RAISE EXCEPTION 'namespace: "%" must have 1 to 64 of the characters A-Z a-z 0-9 _ -. Nothing was exposed.', expose_rpc.namespace
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF coalesce(expose_rpc.max_execution_time_seconds, 30) NOT BETWEEN 1 AND 3600 THEN
        RAISE EXCEPTION 'max_execution_time_seconds: it must be between 1 and 3600. Nothing was exposed.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF expose_rpc.as_tool THEN
        made := CASE WHEN expose_rpc.namespace = 'default' THEN wanted ELSE expose_rpc.namespace || '_' || wanted END;
        PERFORM mcp._check_name(made);
        IF EXISTS (SELECT FROM mcp._tools AS t WHERE t.name = made)
           OR EXISTS (SELECT FROM mcp._procedures AS p
                       WHERE p.tool = made AND (p.namespace, p.name, p.function_schema, p.function_name, p.function_arguments)
                          <> (expose_rpc.namespace, wanted, place.function_schema, place.function_name, place.function_arguments)) THEN
            RAISE EXCEPTION 'as_tool: there is a tool % already. Nothing was exposed.', made
                USING ERRCODE = 'duplicate_object', HINT = 'One function makes one tool: give this one another name.';
        END IF;
    END IF;
    PERFORM mcp._check_procedure(expose_rpc.function::oid, made, expose_rpc.temp_tables);
    SELECT r.rolname INTO owner FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner WHERE p.oid = expose_rpc.function;
    INSERT INTO mcp._procedures AS p (namespace, name, function_schema, function_name, function_arguments, function_owner, description, tool,
                                      temp_tables, max_execution_time_seconds, disable_execution_logs, exposed_by)
    VALUES (expose_rpc.namespace, wanted, place.function_schema, place.function_name, place.function_arguments, owner,
            coalesce(expose_rpc.description, obj_description(expose_rpc.function, 'pg_proc')), made, coalesce(expose_rpc.temp_tables, false),
            coalesce(expose_rpc.max_execution_time_seconds, 30), coalesce(expose_rpc.disable_execution_logs, false), mcp._outer_user())
    ON CONFLICT ON CONSTRAINT _procedures_pkey DO UPDATE
       SET function_owner = excluded.function_owner, description = excluded.description, tool = excluded.tool,
           temp_tables = excluded.temp_tables, max_execution_time_seconds = excluded.max_execution_time_seconds,
           disable_execution_logs = excluded.disable_execution_logs, exposed_by = excluded.exposed_by, exposed_at = now();
END
$$;
COMMENT ON FUNCTION mcp.expose_rpc IS
    'Lets invoke_rpc call a function or procedure, by name; with as_tool it is a tool of its own, too. It runs as the caller, who must be allowed to execute it.';

CREATE FUNCTION mcp.unexpose_rpc(name pg_catalog.text, namespace pg_catalog.text DEFAULT 'default') RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._outer_user();
    DELETE FROM mcp._procedures AS p WHERE p.name = unexpose_rpc.name AND p.namespace = unexpose_rpc.namespace;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.unexpose_rpc IS 'Takes mcp.expose_rpc back, for all functions of that name; false when there is none.';

CREATE VIEW mcp.procedures AS
SELECT p.namespace, p.name, pg_catalog.format('%I.%I(%s)', p.function_schema, p.function_name, p.function_arguments) AS function, p.description,
       p.tool, p.temp_tables, p.max_execution_time_seconds, p.disable_execution_logs, p.exposed_by, p.exposed_at,
       coalesce(mcp._missing(p.function_schema, p.function_name, p.function_arguments),
                (SELECT 'its function belongs to somebody else now'
                   FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
                  WHERE n.nspname OPERATOR(pg_catalog.=) p.function_schema AND f.proname OPERATOR(pg_catalog.=) p.function_name
                    AND pg_catalog.oidvectortypes(f.proargtypes) OPERATOR(pg_catalog.=) p.function_arguments
                    AND pg_catalog.pg_get_userbyid(f.proowner) OPERATOR(pg_catalog.<>) p.function_owner)) AS problem
  FROM mcp._procedures AS p;
COMMENT ON VIEW mcp.procedures IS 'What mcp.expose_rpc exposed.';

ALTER VIEW mcp.procedures OWNER TO mcp_owner;
ALTER FUNCTION mcp.expose_rpc(pg_catalog.regprocedure, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.int4,
                              pg_catalog.bool, pg_catalog.bool) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unexpose_rpc(pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;

-- Runs as whoever calls it: the table's grants and policies say who may store statements.
CREATE FUNCTION mcp.define_rpc(statement pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    said jsonb;
BEGIN
    IF to_regclass('rpc.procedures') IS NULL THEN
        RAISE EXCEPTION 'stored statements are not installed in this database. Nothing was stored.'
            USING ERRCODE = 'undefined_table', HINT = 'Run: SELECT mcp.install(''{rpc}'');';
    END IF;
    said := mcp._read_rpc(statement)::jsonb;
    IF said ->> 'schedule' IS NOT NULL THEN
        RAISE NOTICE 'the schedule is stored, and nothing runs by it: only jobs have schedules';
    END IF;
    INSERT INTO rpc.procedures AS p (name, namespace, description, sql_query, original_code, input_schema, output_schema, allowed_tables,
                                     allowed_schemas, max_execution_time_seconds, is_public, schedule, version, require_roles, disable_execution_logs)
    VALUES (said ->> 'name', said ->> 'namespace', said ->> 'description', said ->> 'sql_query', statement, said -> 'input_schema', said -> 'output_schema',
            ARRAY(SELECT jsonb_array_elements_text(said -> 'allowed_tables')), ARRAY(SELECT jsonb_array_elements_text(said -> 'allowed_schemas')),
            (said ->> 'max_execution_time_seconds')::int4, (said ->> 'is_public')::bool, said ->> 'schedule', (said ->> 'version')::int4,
            ARRAY(SELECT jsonb_array_elements_text(said -> 'require_roles')), (said ->> 'disable_execution_logs')::bool)
    ON CONFLICT (name, namespace) DO UPDATE
       SET description = excluded.description, sql_query = excluded.sql_query, original_code = excluded.original_code,
           input_schema = excluded.input_schema, output_schema = excluded.output_schema, allowed_tables = excluded.allowed_tables,
           allowed_schemas = excluded.allowed_schemas, max_execution_time_seconds = excluded.max_execution_time_seconds,
           is_public = excluded.is_public, schedule = excluded.schedule, version = excluded.version, require_roles = excluded.require_roles,
           disable_execution_logs = excluded.disable_execution_logs, updated_at = now();
    RETURN concat_ws('/', said ->> 'namespace', said ->> 'name');
END
$$;
COMMENT ON FUNCTION mcp.define_rpc IS
    'Stores a statement that invoke_rpc runs, by the annotations in its leading comments, or replaces the one of that name. Returns namespace/name.';

CREATE FUNCTION mcp._install_rpc() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    usable text;
BEGIN
    IF to_regnamespace('rpc') IS NULL THEN
        CREATE SCHEMA rpc;
        COMMENT ON SCHEMA rpc IS 'Stored statements that invoke_rpc runs, and what became of each call.';
        RETURN NEXT 'schema rpc created';
    ELSE
        RETURN NEXT 'schema rpc is there already';
    END IF;
    IF to_regprocedure('rpc.caller()') IS NULL THEN
        -- A text, not a parsed body: DROP EXTENSION must not meet a policy of the users' tables.
        CREATE FUNCTION rpc.caller() RETURNS text LANGUAGE sql STABLE AS 'SELECT mcp.claim(''sub'')';
        COMMENT ON FUNCTION rpc.caller() IS 'The user of the key in whose name a tool runs; NULL when there is none.';
        -- For PUBLIC on purpose: it tells a session nothing but its own claim.
        GRANT EXECUTE ON FUNCTION rpc.caller() TO PUBLIC;
        RETURN NEXT 'function rpc.caller() created';
    ELSE
        RETURN NEXT 'function rpc.caller() is there already and was left as it is';
    END IF;
    IF to_regclass('rpc.procedures') IS NULL THEN
        CREATE TABLE rpc.procedures (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name text NOT NULL CHECK (name ~ '^[A-Za-z0-9_.-]{1,64}$'),
            namespace text NOT NULL DEFAULT 'default' CHECK (namespace ~ '^[A-Za-z0-9_-]{1,64}$'),
            description text,
            sql_query text NOT NULL,
            original_code text,
            input_schema jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(input_schema) = 'object'),
            output_schema jsonb CHECK (jsonb_typeof(output_schema) = 'object'),
            allowed_tables text[] NOT NULL DEFAULT '{}',
            allowed_schemas text[] NOT NULL DEFAULT '{public}',
            max_execution_time_seconds integer NOT NULL DEFAULT 30 CHECK (max_execution_time_seconds BETWEEN 1 AND 3600),
            is_public boolean NOT NULL DEFAULT false,
            schedule text,
            enabled boolean NOT NULL DEFAULT true,
            version integer NOT NULL DEFAULT 1,
            source text NOT NULL DEFAULT 'api' CHECK (source IN ('filesystem', 'api', 'sdk')),
            require_roles text[] NOT NULL DEFAULT '{}',
            disable_execution_logs boolean NOT NULL DEFAULT false,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (name, namespace)
        );
        COMMENT ON COLUMN rpc.procedures.sql_query IS 'One SELECT, INSERT, UPDATE, DELETE or MERGE with parameters $name.';
        COMMENT ON COLUMN rpc.procedures.input_schema IS '{"name": "type"}; a name that ends in ? may be left out.';
        COMMENT ON COLUMN rpc.procedures.allowed_tables IS 'name or schema.name; empty: every table of allowed_schemas.';
        COMMENT ON COLUMN rpc.procedures.allowed_schemas IS 'What its tables and functions are found in, in this order.';
        COMMENT ON COLUMN rpc.procedures.is_public IS 'Whether the role anon may run it, too.';
        COMMENT ON COLUMN rpc.procedures.require_roles IS 'Database roles that may run it; empty: every role that may read this table.';
        COMMENT ON COLUMN rpc.procedures.schedule IS 'Kept as it was written; only jobs run by schedules.';
        ALTER TABLE rpc.procedures ENABLE ROW LEVEL SECURITY;
        CREATE POLICY run ON rpc.procedures FOR SELECT
            USING ((cardinality(require_roles) = 0 OR current_user::text = ANY (require_roles)) AND (is_public OR current_user <> 'anon'));
        RETURN NEXT 'table rpc.procedures created';
    ELSE
        RETURN NEXT 'table rpc.procedures is there already and was left as it is';
    END IF;
    IF to_regclass('rpc.executions') IS NULL THEN
        CREATE TABLE rpc.executions (
            id uuid PRIMARY KEY,
            procedure_id uuid,
            procedure_name text NOT NULL,
            namespace text NOT NULL,
            status text NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'timeout')),
            input_params jsonb,
            result json,
            error_message text,
            rows_returned integer,
            duration_ms integer,
            user_id text,
            user_role text NOT NULL,
            user_email text,
            key_id text,
            is_async boolean NOT NULL DEFAULT false,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            started_at timestamptz,
            completed_at timestamptz
        );
        COMMENT ON COLUMN rpc.executions.procedure_id IS 'The row of rpc.procedures; NULL for an exposed function.';
        COMMENT ON COLUMN rpc.executions.result IS 'What was answered; NULL when it was longer than 10,000 characters.';
        CREATE INDEX executions_created ON rpc.executions (created_at);
        CREATE INDEX executions_user ON rpc.executions (user_id, created_at);
        ALTER TABLE rpc.executions ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON rpc.executions FOR SELECT USING (user_id = rpc.caller());
        RETURN NEXT 'table rpc.executions created';
    ELSE
        RETURN NEXT 'table rpc.executions is there already and was left as it is';
    END IF;
    -- For upkeep, which runs as mcp_owner.
    GRANT USAGE ON SCHEMA rpc TO mcp_owner;
    GRANT SELECT (id, created_at), UPDATE (created_at), DELETE ON rpc.executions TO mcp_owner;
    IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'upkeep' AND p.polrelid = 'rpc.executions'::regclass) THEN
        CREATE POLICY upkeep ON rpc.executions TO mcp_owner USING (true) WITH CHECK (false);
    END IF;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'mcp_admin') THEN
        GRANT USAGE ON SCHEMA rpc TO mcp_admin;
        GRANT SELECT, INSERT, UPDATE, DELETE ON rpc.procedures, rpc.executions TO mcp_admin;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'rpc.procedures'::regclass) THEN
            CREATE POLICY admin ON rpc.procedures TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'rpc.executions'::regclass) THEN
            CREATE POLICY admin ON rpc.executions TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        RETURN NEXT 'mcp_admin may store statements and read executions';
    END IF;
    FOR usable IN SELECT r.role_name FROM mcp.allowed_roles AS r JOIN pg_roles AS p ON p.rolname = r.role_name ORDER BY 1 LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA rpc TO %I', usable);
        EXECUTE format('GRANT SELECT (id, name, namespace, description, input_schema, output_schema, max_execution_time_seconds, is_public, '
                       'enabled, version, require_roles, disable_execution_logs, created_at, updated_at) ON rpc.procedures TO %I', usable);
        EXECUTE format('GRANT SELECT ON rpc.executions TO %I', usable);
        RETURN NEXT format('%s may run statements whose policies let it, and read its users'' executions', usable);
    END LOOP;
END
$$;

-- Executions that are older than mcp.rpc_retention_days go, a thousand at a time. FOR UPDATE asks for a privilege of UPDATE; the policy lets no row be changed.
CREATE FUNCTION mcp._maintain_rpc() RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    days int := current_setting('mcp.rpc_retention_days')::int;
BEGIN
    IF days = 0 OR NOT mcp._part_is_ours('rpc', '{procedures,executions}') THEN
        RETURN;
    END IF;
    DELETE FROM rpc.executions AS e
     WHERE e.id IN (SELECT o.id FROM rpc.executions AS o WHERE o.created_at < now() - make_interval(days => days)
                     ORDER BY o.created_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
END
$$;
ALTER FUNCTION mcp._maintain_rpc() OWNER TO mcp_owner;
COMMENT ON FUNCTION mcp._maintain_rpc IS 'Removes executions of procedures that are older than mcp.rpc_retention_days.';
