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

SELECT pg_catalog.pg_extension_config_dump('mcp._tools', '');
SELECT pg_catalog.pg_extension_config_dump('mcp._resources', '');
SELECT pg_catalog.pg_extension_config_dump('mcp._prompts', '');

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
ALTER TABLE mcp._secrets OWNER TO mcp_owner;

-- Every backend remembers what is registered. Whoever changes the tables, by whatever way, makes them all forget.
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._tools
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._resources
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp._prompts
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
    title pg_catalog.text DEFAULT NULL)
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
    INSERT INTO mcp._tools AS t (name, title, description, function_schema, function_name, function_arguments, input_schema,
                                 output_schema, scopes, annotations, registered_by)
    VALUES (register_tool.name, register_tool.title, register_tool.description, place.function_schema, place.function_name,
            place.function_arguments, register_tool.input_schema, register_tool.output_schema,
            coalesce(register_tool.scopes, '{execute:rpc}'), coalesce(register_tool.annotations, '{}'), mcp._outer_user())
    ON CONFLICT ON CONSTRAINT _tools_pkey DO UPDATE
       SET title = excluded.title, description = excluded.description, function_schema = excluded.function_schema,
           function_name = excluded.function_name, function_arguments = excluded.function_arguments,
           input_schema = excluded.input_schema, output_schema = excluded.output_schema, scopes = excluded.scopes,
           annotations = excluded.annotations, registered_by = excluded.registered_by, registered_at = now();
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
    title pg_catalog.text DEFAULT NULL)
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
    PERFORM mcp._check_resource(register_resource.uri, register_resource.function::oid);
    INSERT INTO mcp._resources AS r (uri, name, title, description, mime_type, function_schema, function_name, function_arguments,
                                     scopes, registered_by)
    VALUES (register_resource.uri, register_resource.name, register_resource.title, register_resource.description,
            register_resource.mime_type, place.function_schema, place.function_name, place.function_arguments,
            coalesce(register_resource.scopes, '{read:schema}'), mcp._outer_user())
    ON CONFLICT ON CONSTRAINT _resources_pkey DO UPDATE
       SET name = excluded.name, title = excluded.title, description = excluded.description, mime_type = excluded.mime_type,
           function_schema = excluded.function_schema, function_name = excluded.function_name,
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
       t.input_schema, t.output_schema, t.scopes, t.annotations, t.registered_by, t.registered_at,
       mcp._missing(t.function_schema, t.function_name, t.function_arguments) AS problem
  FROM mcp._tools AS t;
COMMENT ON VIEW mcp.tools IS 'What mcp.register_tool registered. input_schema NULL: it is made from the function''s arguments.';

CREATE VIEW mcp.resources AS
SELECT r.uri, pg_catalog.format('%I.%I(%s)', r.function_schema, r.function_name, r.function_arguments) AS function, r.name, r.title,
       r.description, r.mime_type, r.scopes, r.registered_by, r.registered_at,
       mcp._missing(r.function_schema, r.function_name, r.function_arguments) AS problem
  FROM mcp._resources AS r;
COMMENT ON VIEW mcp.resources IS 'What mcp.register_resource registered.';

CREATE VIEW mcp.prompts AS
SELECT p.name, pg_catalog.format('%I.%I(%s)', p.function_schema, p.function_name, p.function_arguments) AS function, p.title, p.description,
       p.arguments, p.scopes, p.registered_by, p.registered_at,
       mcp._missing(p.function_schema, p.function_name, p.function_arguments) AS problem
  FROM mcp._prompts AS p;
COMMENT ON VIEW mcp.prompts IS 'What mcp.register_prompt registered.';

ALTER VIEW mcp.tools OWNER TO mcp_owner;
ALTER VIEW mcp.resources OWNER TO mcp_owner;
ALTER VIEW mcp.prompts OWNER TO mcp_owner;
ALTER FUNCTION mcp._registrable(pg_catalog.oid, pg_catalog.text[]) OWNER TO mcp_owner;
ALTER FUNCTION mcp._check_name(pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp._missing(pg_catalog.text, pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.register_tool(pg_catalog.text, pg_catalog.regprocedure, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb,
                                 pg_catalog.text[], pg_catalog.jsonb, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.register_resource(pg_catalog.text, pg_catalog.regprocedure, pg_catalog.text, pg_catalog.text, pg_catalog.text,
                                     pg_catalog.text[], pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.register_prompt(pg_catalog.text, pg_catalog.regprocedure, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text[],
                                   pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unregister_tool(pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unregister_resource(pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.unregister_prompt(pg_catalog.text) OWNER TO mcp_owner;
