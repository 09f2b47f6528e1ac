-- Registrations: SQL functions as tools, resources and prompts. Reading them for a request is done in registered/.
--
-- Like keys they belong to mcp_owner, are dumped by pg_dump, and are written through functions only. A function is kept by schema,
-- name and the types of its arguments, so that a dump restores in any order; if it is gone, or becomes another one, the entry is
-- not listed until it is there again.

CREATE TABLE mcp._tools (
    name pg_catalog.text PRIMARY KEY CHECK (name OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.-]{1,64}$'),
    title pg_catalog.text,
    description pg_catalog.text NOT NULL CHECK (description OPERATOR(pg_catalog.<>) ''),
    function_schema pg_catalog.text NOT NULL,
    function_name pg_catalog.text NOT NULL,
    function_arguments pg_catalog.text NOT NULL,
    input_schema pg_catalog.jsonb,
    output_schema pg_catalog.jsonb,
    scopes pg_catalog.text[] NOT NULL,
    annotations pg_catalog.jsonb NOT NULL,
    temp_tables pg_catalog.bool NOT NULL DEFAULT false,
    task_support pg_catalog.text NOT NULL DEFAULT 'forbidden' CHECK (task_support OPERATOR(pg_catalog.=) ANY (ARRAY['forbidden', 'optional', 'required'])),
    task_on_answer pg_catalog.bool NOT NULL DEFAULT false,
    task_timeout_seconds pg_catalog.int4 NOT NULL DEFAULT 300,
    task_ttl_seconds pg_catalog.int4 NOT NULL DEFAULT 86400,
    registered_by pg_catalog.text NOT NULL,
    registered_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE mcp._tools IS 'Registered tools; written by mcp.register_tool.';

CREATE TABLE mcp._resources (
    uri pg_catalog.text PRIMARY KEY CHECK (uri OPERATOR(pg_catalog.<>) ''),
    name pg_catalog.text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) ''),
    title pg_catalog.text,
    description pg_catalog.text,
    mime_type pg_catalog.text,
    complete pg_catalog.jsonb,
    function_schema pg_catalog.text NOT NULL,
    function_name pg_catalog.text NOT NULL,
    function_arguments pg_catalog.text NOT NULL,
    scopes pg_catalog.text[] NOT NULL,
    registered_by pg_catalog.text NOT NULL,
    registered_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE mcp._resources IS 'Registered resources and templates; written by mcp.register_resource.';

CREATE TABLE mcp._prompts (
    name pg_catalog.text PRIMARY KEY CHECK (name OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.-]{1,64}$'),
    title pg_catalog.text,
    description pg_catalog.text,
    arguments pg_catalog.jsonb NOT NULL,
    function_schema pg_catalog.text NOT NULL,
    function_name pg_catalog.text NOT NULL,
    function_arguments pg_catalog.text NOT NULL,
    scopes pg_catalog.text[] NOT NULL,
    registered_by pg_catalog.text NOT NULL,
    registered_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE mcp._prompts IS 'Registered prompts; written by mcp.register_prompt.';

-- By name, as functions are, so that a dump restores in any order.
CREATE TABLE mcp._temp_tables (
    table_schema pg_catalog.text NOT NULL,
    table_name pg_catalog.text NOT NULL,
    allowed_by pg_catalog.text NOT NULL,
    allowed_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (table_schema, table_name)
);
COMMENT ON TABLE mcp._temp_tables IS 'Tables whose triggers may make temporary tables; written by mcp.allow_temp_tables.';

SELECT pg_catalog.pg_extension_config_dump('mcp._tools', '');
SELECT pg_catalog.pg_extension_config_dump('mcp._resources', '');
SELECT pg_catalog.pg_extension_config_dump('mcp._prompts', '');
SELECT pg_catalog.pg_extension_config_dump('mcp._temp_tables', '');

-- What the state between two rounds of a call is signed with, and the tokens of edge functions. Not dumped: a database restored elsewhere makes its own. Two
-- random UUIDs hold 244 bits that Postgres took from the system's generator.
CREATE TABLE mcp._secrets (
    name pg_catalog.text PRIMARY KEY,
    secret pg_catalog.bytea NOT NULL CHECK (pg_catalog.octet_length(secret) OPERATOR(pg_catalog.>=) 32)
);
COMMENT ON TABLE mcp._secrets IS 'Signs requestState; made at CREATE EXTENSION, never dumped.';
INSERT INTO mcp._secrets (name, secret)
    VALUES ('request_state', pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(pg_catalog.gen_random_uuid()));

ALTER TABLE mcp._tools OWNER TO mcp_owner;
ALTER TABLE mcp._resources OWNER TO mcp_owner;
ALTER TABLE mcp._prompts OWNER TO mcp_owner;
ALTER TABLE mcp._temp_tables OWNER TO mcp_owner;
ALTER TABLE mcp._secrets OWNER TO mcp_owner;

-- Every backend remembers what is registered. Whoever changes the tables, by whatever way, makes them all forget.
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._tools
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._resources
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._prompts
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._temp_tables
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._secrets
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();

-- The functions below belong to mcp_owner and run as it. Whose rights count is asked of mcp._outer_user(), which refuses while a
-- tool runs, so no assistant registers anything.

-- Where a function stands, once it is certain that whoever registers it may execute it.
CREATE FUNCTION mcp._registrable(function pg_catalog.oid, scopes pg_catalog.text[], OUT function_schema pg_catalog.text,
                                 OUT function_name pg_catalog.text, OUT function_arguments pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
    who text := mcp._outer_user();
BEGIN
    SELECT n.nspname, p.proname, oidvectortypes(p.proargtypes) INTO function_schema, function_name, function_arguments
      FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE p.oid = function;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'function: there is no such function. Nothing was registered.'
            USING ERRCODE = 'undefined_function', HINT = 'Write it with the types of its arguments: ''app.add(integer, integer)''.';
    END IF;
    IF NOT has_function_privilege(who, function, 'EXECUTE') OR NOT has_schema_privilege(who, function_schema, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied: you may not execute %.%. Nothing was registered.', function_schema, function_name
            USING ERRCODE = 'insufficient_privilege', HINT = format('Its owner can run: GRANT EXECUTE ON FUNCTION %I.%I(%s) TO %I.',
                                                                    function_schema, function_name, function_arguments, who);
    END IF;
    SELECT s INTO wrong FROM unnest(scopes) AS s WHERE s IS NULL OR s <> ALL (mcp._scopes()) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'scopes: unknown scope "%". Nothing was registered.', wrong
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The scopes are ' || array_to_string(mcp._scopes(), ', ') || '.';
    END IF;
END
$$;

CREATE FUNCTION mcp._check_name(name pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL OR name !~ '^[A-Za-z0-9_.-]{1,64}$' THEN
        RAISE EXCEPTION 'name: "%" must have 1 to 64 of the characters A-Z a-z 0-9 _ . -. Nothing was registered.', name
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;

CREATE FUNCTION mcp.register_tool(
    name pg_catalog.text,
    function pg_catalog.regprocedure,
    description pg_catalog.text,
    input_schema pg_catalog.jsonb DEFAULT NULL,
    output_schema pg_catalog.jsonb DEFAULT NULL,
    scopes pg_catalog.text[] DEFAULT '{execute:rpc}',
    annotations pg_catalog.jsonb DEFAULT '{}',
    title pg_catalog.text DEFAULT NULL,
    temp_tables pg_catalog.bool DEFAULT false,
    task_support pg_catalog.text DEFAULT 'forbidden',
    task_on_answer pg_catalog.bool DEFAULT false,
    task_timeout_seconds pg_catalog.int4 DEFAULT 300,
    task_ttl_seconds pg_catalog.int4 DEFAULT 86400)
    RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    place record;
BEGIN
    PERFORM mcp._check_name(register_tool.name);
    IF coalesce(register_tool.description, '') = '' THEN
        RAISE EXCEPTION 'description: a model chooses a tool by it. Nothing was registered.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO place FROM mcp._registrable(register_tool.function::oid, register_tool.scopes);
    PERFORM mcp._check_tool(register_tool.name, register_tool.function::oid, register_tool.input_schema::text,
                            register_tool.output_schema::text, register_tool.annotations::text);
    IF register_tool.temp_tables AND (register_tool.annotations -> 'readOnlyHint' = 'true'
                                      OR EXISTS (SELECT FROM pg_proc AS p WHERE p.oid = register_tool.function AND p.provolatile <> 'v')) THEN
        RAISE EXCEPTION 'temp_tables: this tool only reads, and Postgres makes no tables in a read-only transaction. Nothing was registered.'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The function must be VOLATILE, and readOnlyHint must not be true.';
    END IF;
    IF register_tool.task_support IS NULL OR register_tool.task_support NOT IN ('forbidden', 'optional', 'required') THEN
        RAISE EXCEPTION 'task_support: "%" is none of forbidden, optional, required. Nothing was registered.', register_tool.task_support
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF register_tool.task_timeout_seconds IS NULL OR register_tool.task_timeout_seconds NOT BETWEEN 1 AND 86400
       OR register_tool.task_ttl_seconds IS NULL OR register_tool.task_ttl_seconds NOT BETWEEN register_tool.task_timeout_seconds AND 2592000 THEN
        RAISE EXCEPTION 'task_timeout_seconds must be from 1 to 86400, and task_ttl_seconds from that to 2592000 (30 days). Nothing was registered.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'A task is kept for task_ttl_seconds after its call, and must have ended before.';
    END IF;
    IF register_tool.task_on_answer AND (register_tool.task_support = 'forbidden' OR place.function_arguments <> ALL ('{"jsonb, jsonb","json, json","json, jsonb","jsonb, json"}')) THEN
        RAISE EXCEPTION 'task_on_answer: this is for a function (arguments jsonb, context jsonb) with task_support. Nothing was registered.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'The function sees in context -> ''task'' whether it may begin a task, and begins it by answering {"task": true}.';
    END IF;
    INSERT INTO mcp._tools AS t (name, title, description, function_schema, function_name, function_arguments, input_schema,
                                 output_schema, scopes, annotations, temp_tables, task_support, task_on_answer, task_timeout_seconds,
                                 task_ttl_seconds, registered_by)
    VALUES (register_tool.name, register_tool.title, register_tool.description, place.function_schema, place.function_name,
            place.function_arguments, register_tool.input_schema, register_tool.output_schema,
            coalesce(register_tool.scopes, '{execute:rpc}'), coalesce(register_tool.annotations, '{}'),
            coalesce(register_tool.temp_tables, false), register_tool.task_support, coalesce(register_tool.task_on_answer, false),
            register_tool.task_timeout_seconds, register_tool.task_ttl_seconds, mcp._outer_user())
    ON CONFLICT ON CONSTRAINT _tools_pkey DO UPDATE
       SET title = excluded.title, description = excluded.description, function_schema = excluded.function_schema,
           function_name = excluded.function_name, function_arguments = excluded.function_arguments,
           input_schema = excluded.input_schema, output_schema = excluded.output_schema, scopes = excluded.scopes,
           annotations = excluded.annotations, temp_tables = excluded.temp_tables, task_support = excluded.task_support,
           task_on_answer = excluded.task_on_answer, task_timeout_seconds = excluded.task_timeout_seconds,
           task_ttl_seconds = excluded.task_ttl_seconds, registered_by = excluded.registered_by, registered_at = now();
END
$$;
COMMENT ON FUNCTION mcp.register_tool IS
    'Makes a tool of a function, or replaces the one of that name. It runs as the caller; only roles with EXECUTE see it.';

CREATE FUNCTION mcp.register_resource(
    uri pg_catalog.text,
    function pg_catalog.regprocedure,
    name pg_catalog.text,
    description pg_catalog.text DEFAULT NULL,
    mime_type pg_catalog.text DEFAULT NULL,
    scopes pg_catalog.text[] DEFAULT '{read:schema}',
    title pg_catalog.text DEFAULT NULL,
    complete pg_catalog.jsonb DEFAULT NULL)
    RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    place record;
BEGIN
    IF coalesce(register_resource.uri, '') = '' OR coalesce(register_resource.name, '') = '' THEN
        RAISE EXCEPTION 'a resource needs a uri and a name. Nothing was registered.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO place FROM mcp._registrable(register_resource.function::oid, register_resource.scopes);
    PERFORM mcp._check_resource(register_resource.uri, register_resource.function::oid, coalesce(register_resource.complete, '{}')::text);
    INSERT INTO mcp._resources AS r (uri, name, title, description, mime_type, complete, function_schema, function_name,
                                     function_arguments, scopes, registered_by)
    VALUES (register_resource.uri, register_resource.name, register_resource.title, register_resource.description,
            register_resource.mime_type, register_resource.complete, place.function_schema, place.function_name, place.function_arguments,
            coalesce(register_resource.scopes, '{read:schema}'), mcp._outer_user())
    ON CONFLICT ON CONSTRAINT _resources_pkey DO UPDATE
       SET name = excluded.name, title = excluded.title, description = excluded.description, mime_type = excluded.mime_type,
           complete = excluded.complete, function_schema = excluded.function_schema, function_name = excluded.function_name,
           function_arguments = excluded.function_arguments, scopes = excluded.scopes, registered_by = excluded.registered_by,
           registered_at = now();
END
$$;
COMMENT ON FUNCTION mcp.register_resource IS
    'Makes a resource of a function, or replaces the one of that URI; a URI with {variables} is a template.';

CREATE FUNCTION mcp.register_prompt(
    name pg_catalog.text,
    function pg_catalog.regprocedure,
    description pg_catalog.text,
    arguments pg_catalog.jsonb DEFAULT '[]',
    scopes pg_catalog.text[] DEFAULT '{}',
    title pg_catalog.text DEFAULT NULL)
    RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    place record;
BEGIN
    PERFORM mcp._check_name(register_prompt.name);
    SELECT * INTO place FROM mcp._registrable(register_prompt.function::oid, register_prompt.scopes);
    PERFORM mcp._check_prompt(register_prompt.function::oid, coalesce(register_prompt.arguments, '[]')::text);
    INSERT INTO mcp._prompts AS p (name, title, description, arguments, function_schema, function_name, function_arguments, scopes,
                                   registered_by)
    VALUES (register_prompt.name, register_prompt.title, register_prompt.description, coalesce(register_prompt.arguments, '[]'),
            place.function_schema, place.function_name, place.function_arguments, coalesce(register_prompt.scopes, '{}'),
            mcp._outer_user())
    ON CONFLICT ON CONSTRAINT _prompts_pkey DO UPDATE
       SET title = excluded.title, description = excluded.description, arguments = excluded.arguments,
           function_schema = excluded.function_schema, function_name = excluded.function_name,
           function_arguments = excluded.function_arguments, scopes = excluded.scopes, registered_by = excluded.registered_by,
           registered_at = now();
END
$$;
COMMENT ON FUNCTION mcp.register_prompt IS 'Makes a prompt of a function, or replaces the one of that name.';

CREATE FUNCTION mcp.unregister_tool(name pg_catalog.text) RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._outer_user();
    DELETE FROM mcp._tools AS t WHERE t.name = unregister_tool.name;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.unregister_tool IS 'Takes mcp.register_tool back; false when there is no such tool.';

CREATE FUNCTION mcp.unregister_resource(uri pg_catalog.text) RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._outer_user();
    DELETE FROM mcp._resources AS r WHERE r.uri = unregister_resource.uri;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.unregister_resource IS 'Takes mcp.register_resource back; false when there is no such resource.';

CREATE FUNCTION mcp.unregister_prompt(name pg_catalog.text) RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._outer_user();
    DELETE FROM mcp._prompts AS p WHERE p.name = unregister_prompt.name;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.unregister_prompt IS 'Takes mcp.register_prompt back; false when there is no such prompt.';

CREATE FUNCTION mcp.allow_temp_tables("table" pg_catalog.regclass) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who text := mcp._outer_user();
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = allow_temp_tables.table AND c.relkind IN ('r', 'p', 'v', 'f') AND c.relpersistence <> 't') THEN
        RAISE EXCEPTION 'table: % is no table or view that the tools write to. Nothing was allowed.', allow_temp_tables.table
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF NOT has_table_privilege(who, allow_temp_tables.table, 'INSERT, UPDATE, DELETE, TRIGGER') THEN
        RAISE EXCEPTION 'permission denied: you may not write to %. Nothing was allowed.', allow_temp_tables.table
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('Its owner can run: GRANT INSERT ON %s TO %I.', allow_temp_tables.table, who);
    END IF;
    INSERT INTO mcp._temp_tables (table_schema, table_name, allowed_by)
    SELECT n.nspname, c.relname, who FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = allow_temp_tables.table
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION mcp.allow_temp_tables IS
    'Lets the triggers of a table make temporary tables when a tool writes to it; the listener then closes its connection.';

CREATE FUNCTION mcp.disallow_temp_tables("table" pg_catalog.regclass) RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._outer_user();
    DELETE FROM mcp._temp_tables AS a USING pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = disallow_temp_tables.table AND a.table_schema = n.nspname AND a.table_name = c.relname;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.disallow_temp_tables IS 'Takes mcp.allow_temp_tables back; false when it was not allowed.';

-- Why an entry is not served, or NULL.
CREATE FUNCTION mcp._missing(function_schema pg_catalog.text, function_name pg_catalog.text, function_arguments pg_catalog.text)
    RETURNS pg_catalog.text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'its function does not exist any more'
 WHERE NOT EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                    WHERE n.nspname = $1 AND p.proname = $2 AND oidvectortypes(p.proargtypes) = $3)
$$;

CREATE VIEW mcp.tools AS
SELECT t.name, pg_catalog.format('%I.%I(%s)', t.function_schema, t.function_name, t.function_arguments) AS function, t.title, t.description,
       t.input_schema, t.output_schema, t.scopes, t.annotations, t.temp_tables, t.registered_by, t.registered_at,
       mcp._missing(t.function_schema, t.function_name, t.function_arguments) AS problem,
       t.task_support, t.task_on_answer, t.task_timeout_seconds, t.task_ttl_seconds
  FROM mcp._tools AS t;
COMMENT ON VIEW mcp.tools IS 'What mcp.register_tool registered. input_schema NULL: it is made from the function''s arguments.';

CREATE VIEW mcp.resources AS
SELECT r.uri, pg_catalog.format('%I.%I(%s)', r.function_schema, r.function_name, r.function_arguments) AS function, r.name, r.title,
       r.description, r.mime_type, r.complete, r.scopes, r.registered_by, r.registered_at,
       mcp._missing(r.function_schema, r.function_name, r.function_arguments) AS problem
  FROM mcp._resources AS r;
COMMENT ON VIEW mcp.resources IS 'What mcp.register_resource registered.';

CREATE VIEW mcp.prompts AS
SELECT p.name, pg_catalog.format('%I.%I(%s)', p.function_schema, p.function_name, p.function_arguments) AS function, p.title, p.description,
       p.arguments, p.scopes, p.registered_by, p.registered_at,
       mcp._missing(p.function_schema, p.function_name, p.function_arguments) AS problem
  FROM mcp._prompts AS p;
COMMENT ON VIEW mcp.prompts IS 'What mcp.register_prompt registered.';

CREATE VIEW mcp.temp_tables AS
SELECT pg_catalog.format('%I.%I', a.table_schema, a.table_name) AS "table", a.allowed_by, a.allowed_at
  FROM mcp._temp_tables AS a;
COMMENT ON VIEW mcp.temp_tables IS 'The tables whose triggers may make temporary tables.';

ALTER VIEW mcp.temp_tables OWNER TO mcp_owner;
ALTER VIEW mcp.tools OWNER TO mcp_owner;
ALTER VIEW mcp.resources OWNER TO mcp_owner;
ALTER VIEW mcp.prompts OWNER TO mcp_owner;
ALTER FUNCTION mcp._registrable(pg_catalog.oid, pg_catalog.text[]) OWNER TO mcp_owner;
ALTER FUNCTION mcp._check_name(pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp._missing(pg_catalog.text, pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.register_tool(pg_catalog.text, pg_catalog.regprocedure, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb,
                                 pg_catalog.text[], pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.bool,
                                 pg_catalog.int4, pg_catalog.int4) OWNER TO mcp_owner;
ALTER FUNCTION mcp.register_resource(pg_catalog.text, pg_catalog.regprocedure, pg_catalog.text, pg_catalog.text, pg_catalog.text,
                                     pg_catalog.text[], pg_catalog.text, pg_catalog.jsonb) OWNER TO mcp_owner;
ALTER FUNCTION mcp.register_prompt(pg_catalog.text, pg_catalog.regprocedure, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text[],
                                   pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.allow_temp_tables(pg_catalog.regclass) OWNER TO mcp_owner;
ALTER FUNCTION mcp.disallow_temp_tables(pg_catalog.regclass) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unregister_tool(pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unregister_resource(pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unregister_prompt(pg_catalog.text) OWNER TO mcp_owner;
