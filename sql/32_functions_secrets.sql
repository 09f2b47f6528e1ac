-- Edge functions: their secrets, and the upkeep of what is written of their calls.
--
-- A secret's value is read by superusers and by the login role of a runtime, and by nobody else: it goes from the table to that
-- runtime, and from there into the processes of the functions that it is for. The functions here run as their caller, so they give
-- nobody a right that he has not.

CREATE FUNCTION mcp.set_function_secret(name pg_catalog.text, value pg_catalog.text, namespace pg_catalog.text DEFAULT NULL)
    RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    place text := coalesce('namespace ' || namespace, 'all namespaces');
BEGIN
    -- Looked at before the table does: an error of its own would show the row with the value.
    IF name IS NULL OR name !~ '^[A-Z][A-Z0-9_]{0,63}$' THEN
        RAISE EXCEPTION 'name: a secret''s name is capital letters, digits and _, at most 64, and begins with a letter. Nothing was changed.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'API_KEY reaches functions as FLUXBASE_SECRET_API_KEY.';
    END IF;
    IF namespace !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$' THEN
        RAISE EXCEPTION 'namespace: it is letters, digits, _ and -, at most 64, and begins with a letter or digit. Nothing was changed.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out for a secret of all namespaces.';
    END IF;
    IF value IS NULL OR octet_length(value) > 32768 THEN
        RAISE EXCEPTION 'value: a secret has at most 32768 bytes, and is not NULL. Nothing was changed.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'mcp.remove_function_secret removes one.';
    END IF;
    IF to_regclass('functions.secrets') IS NULL THEN
        RAISE EXCEPTION 'secrets of edge functions are not installed in this database. Nothing was changed.'
            USING ERRCODE = 'undefined_table', HINT = 'An administrator runs: SELECT mcp.install(''{functions}'');';
    END IF;
    -- Of the value nothing is read back: whoever sets it need not be allowed to see it.
    UPDATE functions.secrets AS s SET value = value, updated_at = now()
     WHERE s.name = name AND coalesce(s.namespace, '') = coalesce(namespace, '');
    IF FOUND THEN
        RETURN format('secret %s of %s changed', name, place);
    END IF;
    INSERT INTO functions.secrets (namespace, name, value) VALUES (namespace, name, value);
    RETURN format('secret %s of %s set', name, place);
END
$$;
COMMENT ON FUNCTION mcp.set_function_secret IS
    'Sets or changes a secret of the edge functions of a namespace, or of all. Pass the value with \bind, or use fluxbase functions secrets: a statement may be logged.';

CREATE FUNCTION mcp.remove_function_secret(name pg_catalog.text, namespace pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    DELETE FROM functions.secrets AS s WHERE s.name = name AND coalesce(s.namespace, '') = coalesce(namespace, '');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no secret "%" of %. Nothing was changed.', name, coalesce('namespace ' || namespace, 'all namespaces')
            USING ERRCODE = 'undefined_object', HINT = 'SELECT namespace, name FROM functions.secrets shows those that there are.';
    END IF;
    RETURN format('secret %s of %s removed', name, coalesce('namespace ' || namespace, 'all namespaces'));
END
$$;
COMMENT ON FUNCTION mcp.remove_function_secret IS 'Removes a secret of edge functions.';

CREATE FUNCTION mcp.allow_functions_runtime(role pg_catalog.regrole) RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen record;
    usual text;
BEGIN
    SELECT r.oid, r.rolname, r.rolcanlogin, r.rolsuper INTO STRICT chosen FROM pg_roles AS r WHERE r.oid = role;
    IF chosen.rolsuper THEN
        RAISE EXCEPTION 'role "%" is superuser: it reads everything anyway, and a runtime must not. Nothing was changed.', chosen.rolname
            USING ERRCODE = 'insufficient_privilege', HINT = 'Make a login role for the runtime alone, member of nothing.';
    END IF;
    IF NOT chosen.rolcanlogin THEN
        RAISE EXCEPTION 'role "%" cannot log in: a runtime''s role is one of its own. Nothing was changed.', chosen.rolname
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: CREATE ROLE functions_runtime LOGIN NOINHERIT PASSWORD ''...''.';
    END IF;
    IF EXISTS (SELECT FROM mcp.allowed_roles AS a JOIN pg_roles AS r ON r.rolname = a.role_name
                WHERE pg_has_role(r.oid, chosen.oid, 'MEMBER') OR pg_has_role(chosen.oid, r.oid, 'MEMBER')) THEN
        RAISE EXCEPTION 'keys may stand for role "%", or for one that is member of it or that it is member of: they would read the secrets. Nothing was changed.', chosen.rolname
            USING ERRCODE = 'insufficient_privilege', HINT = 'Make a login role for the runtime alone, member of nothing.';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA functions TO %I', chosen.rolname);
    EXECUTE format('GRANT SELECT (namespace, name, value) ON functions.secrets TO %I', chosen.rolname);
    usual := 'runtime ' || chosen.oid::text;
    IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = usual AND p.polrelid = 'functions.secrets'::regclass) THEN
        EXECUTE format('CREATE POLICY %I ON functions.secrets FOR SELECT TO %I USING (true)', usual, chosen.rolname);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), chosen.rolname);
    RETURN NEXT format('%s may read the secrets of edge functions, and nothing else of this extension', chosen.rolname);
END
$$;
COMMENT ON FUNCTION mcp.allow_functions_runtime IS
    'Lets a login role of a runtime read the secrets of edge functions (fluxbase functions serve --secrets-from-database). For superusers.';

-- Which executions are kept: see docs/reference.md, mcp.functions_keep_executions and mcp.functions_max_executions.
CREATE FUNCTION mcp._maintain_functions() RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keep interval := current_setting('mcp.functions_keep_executions')::interval;
    most bigint := current_setting('mcp.functions_max_executions')::bigint;
    oldest timestamptz;
    past timestamptz;
BEGIN
    -- A table of that name that somebody else made is left alone: its triggers would run as whoever runs this.
    IF NOT mcp._part_is_ours('functions', '{edge_functions,edge_executions}') THEN
        RETURN;
    END IF;
    IF keep > interval '0' THEN
        oldest := now() - keep;
    END IF;
    IF most > 0 THEN
        SELECT e.started_at INTO past FROM functions.edge_executions AS e ORDER BY e.started_at DESC OFFSET most LIMIT 1;
    END IF;
    oldest := coalesce(greatest(oldest, past), oldest, past);
    -- In batches, and not what another session is at. A call lasts ten minutes at most, so a row that is younger may still be written.
    DELETE FROM functions.edge_executions AS e
     WHERE e.id IN (SELECT o.id FROM functions.edge_executions AS o
                     WHERE o.started_at <= oldest AND (o.status <> 'running' OR o.started_at < now() - interval '1 hour')
                     ORDER BY o.started_at LIMIT 10000 FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION mcp._maintain_functions IS
    'Upkeep, called about once a minute: removes executions older than mcp.functions_keep_executions, or beyond mcp.functions_max_executions.';
