-- Roles and grants for people who set the server up. Every function returns what it did, a line each, and can be run again.

CREATE FUNCTION mcp._ensure_role(role_name pg_catalog.name, attributes pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role_name) THEN
        RETURN format('role %s is there already and was left as it is', role_name);
    END IF;
    EXECUTE format('CREATE ROLE %I %s', role_name, attributes);
    RETURN format('role %s created (%s)', role_name, lower(attributes));
END
$$;

CREATE FUNCTION mcp.setup_roles() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN NEXT mcp._ensure_role('anon', 'NOLOGIN NOINHERIT');
    RETURN NEXT mcp._ensure_role('authenticated', 'NOLOGIN NOINHERIT');
    RETURN NEXT mcp._ensure_role('service_role', 'NOLOGIN NOINHERIT BYPASSRLS');
    RETURN NEXT mcp._ensure_role('mcp_admin', 'NOLOGIN');
    GRANT EXECUTE ON FUNCTION mcp.create_key, mcp.rotate_key, mcp.revoke_key, mcp.list_keys, mcp.doctor, mcp.doctor_access,
                              mcp.worker_status, mcp.functions_secret, mcp.set_function_secret, mcp.remove_function_secret, mcp.jobs_status,
                              mcp.audit_verify, mcp.audit_status
        TO mcp_admin;
    RETURN NEXT 'role mcp_admin may make, rotate, revoke and list keys, and run doctor';
    GRANT EXECUTE ON FUNCTION mcp.register_tool, mcp.register_resource, mcp.register_prompt,
                              mcp.unregister_tool, mcp.unregister_resource, mcp.unregister_prompt, mcp._missing,
                              mcp.allow_temp_tables, mcp.disallow_temp_tables,
                              mcp.register_job, mcp.enable_job, mcp.unregister_job,
                              mcp.expose_rpc, mcp.unexpose_rpc, mcp.define_rpc, mcp._read_rpc
        TO mcp_admin;
    GRANT SELECT ON mcp.tools, mcp.resources, mcp.prompts, mcp.temp_tables, mcp.procedures TO mcp_admin;
    RETURN NEXT 'role mcp_admin may register tools, resources, prompts and jobs';
    RETURN QUERY SELECT a FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) AS r, mcp.allow_role(r::regrole) AS a;
END
$$;
COMMENT ON FUNCTION mcp.setup_roles IS
    'Creates anon, authenticated, service_role and mcp_admin where they are absent, and allows the first three for keys.';

CREATE FUNCTION mcp.allow_role(role pg_catalog.regrole) RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen record;
BEGIN
    SELECT r.rolname, r.rolsuper INTO STRICT chosen FROM pg_roles AS r WHERE r.oid = role;
    IF chosen.rolsuper THEN
        RAISE EXCEPTION 'role "%" is superuser: no key can stand for it. Nothing was changed.', chosen.rolname
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF chosen.rolname = 'mcp_owner' THEN
        RAISE EXCEPTION 'role "mcp_owner" owns the keys: no key can stand for it. Nothing was changed.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = to_regclass('functions.secrets') AND starts_with(p.polname, 'runtime ')
                AND EXISTS (SELECT FROM unnest(p.polroles) AS r WHERE pg_has_role(role, r, 'MEMBER'))) THEN
        RAISE EXCEPTION 'role "%" may read the secrets of edge functions: no key can stand for it. Nothing was changed.', chosen.rolname
            USING ERRCODE = 'insufficient_privilege', HINT = 'mcp.allow_functions_runtime made it the role of a runtime: use another.';
    END IF;
    INSERT INTO mcp.allowed_roles (role_name, allowed_by) VALUES (chosen.rolname, current_user)
        ON CONFLICT (role_name) DO NOTHING;
    RETURN NEXT format('role %s is allowed for keys', chosen.rolname);
    IF to_regprocedure('auth.uid()') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA auth TO %I', chosen.rolname);
        RETURN NEXT format('%s may use schema auth, for policies with auth.uid()', chosen.rolname);
    END IF;
END
$$;
COMMENT ON FUNCTION mcp.allow_role IS 'Lets keys stand for this role. For superusers.';

CREATE FUNCTION mcp.disallow_role(role pg_catalog.regrole) RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM mcp.allowed_roles AS r WHERE r.role_name = (SELECT p.rolname FROM pg_roles AS p WHERE p.oid = role);
    RETURN NEXT format('role %s is no longer allowed: its keys are refused from their next request on', role);
END
$$;
COMMENT ON FUNCTION mcp.disallow_role IS 'Takes mcp.allow_role back. For superusers.';

-- What everybody has, and so whoever steals the listener's password: for setup_listener and doctor.
CREATE FUNCTION mcp._public() RETURNS TABLE (finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
(SELECT format('function %s runs as its owner %s and PUBLIC may execute it', p.oid::regprocedure, p.proowner::regrole),
        format('REVOKE EXECUTE ON %s %s FROM PUBLIC;', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure)
   FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                 WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
  ORDER BY p.oid::regprocedure::text)
UNION ALL
SELECT format('PUBLIC may create temporary tables in database %s', d.datname), format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC;', d.datname)
  FROM pg_database AS d
 WHERE d.datname = current_database()
   AND EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
                WHERE a.grantee = 0 AND a.privilege_type = 'TEMPORARY')
UNION ALL
(SELECT format('PUBLIC may create objects in schema %s', n.nspname), format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC;', n.nspname)
   FROM pg_namespace AS n
  WHERE EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
                 WHERE a.grantee = 0 AND a.privilege_type = 'CREATE')
  ORDER BY n.nspname)
UNION ALL
(SELECT format('PUBLIC may %s on %s', string_agg(lower(a.privilege_type), ', ' ORDER BY a.privilege_type), c.oid::regclass),
        format('REVOKE ALL ON %s FROM PUBLIC;', c.oid::regclass)
   FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(c.relacl) AS a
  WHERE a.grantee = 0 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
  GROUP BY c.oid
  ORDER BY c.oid::regclass::text)
$$;

CREATE FUNCTION mcp.setup_listener(role pg_catalog.text DEFAULT 'fluxbase_listener', password pg_catalog.text DEFAULT NULL)
    RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    existing record;
    line text;
BEGIN
    SELECT r.* INTO existing FROM pg_roles AS r WHERE r.rolname = role;
    IF FOUND AND (existing.rolsuper OR existing.rolbypassrls OR existing.rolcreaterole OR existing.rolcreatedb OR existing.rolreplication) THEN
        RAISE EXCEPTION 'role "%" has attributes that a listener must not have. Nothing was changed.', role
            USING ERRCODE = 'insufficient_privilege', HINT = 'Choose another name: mcp.setup_listener makes the role.';
    END IF;
    IF FOUND AND EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = existing.oid) THEN
        RAISE EXCEPTION 'role "%" is member of another role; a listener must be member of none. Nothing was changed.', role
            USING ERRCODE = 'insufficient_privilege', HINT = 'Choose another name: mcp.setup_listener makes the role.';
    END IF;
    IF existing.oid IS NULL THEN
        EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role);
        RETURN NEXT format('role %s created: it owns nothing and is member of no role', role);
    ELSE
        EXECUTE format('ALTER ROLE %I LOGIN NOINHERIT', role);
        RETURN NEXT format('role %s is there already', role);
    END IF;
    IF password IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', role, password);
        RETURN NEXT 'its password is set';
    END IF;
    -- A statement that is logged must not carry a credential: with log_min_duration_statement = 0 a parameter is logged twice.
    EXECUTE format('ALTER ROLE %I SET log_parameter_max_length = 0', role);
    EXECUTE format('ALTER ROLE %I SET log_parameter_max_length_on_error = 0', role);
    IF current_setting('server_version_num')::int >= 160000 THEN
        -- From 16 on auto_explain logs parameters too.
        EXECUTE format('ALTER ROLE %I SET auto_explain.log_parameter_max_length = 0', role);
    END IF;
    RETURN NEXT 'parameters of its statements are kept out of the server log';
    EXECUTE format('GRANT EXECUTE ON FUNCTION mcp._serve(text, text, text), mcp._changes(), mcp.handle(text, text, jsonb), mcp.health(), mcp._ended(int8), mcp.worker_status(), mcp._audit_refused(text, text, int4) TO %I', role);
    EXECUTE format('GRANT EXECUTE ON PROCEDURE mcp._wait(int8, int4) TO %I', role);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    RETURN NEXT 'it may execute mcp.handle(text, text, jsonb), its form for fluxbase serve, mcp._changes(), mcp.health(), what waits for calls of edge functions, mcp.worker_status(), and mcp._audit_refused(), which counts requests that it turned away, nothing else of the extension';
    FOR line IN SELECT h.finding FROM mcp._public() AS h LOOP
        RETURN NEXT 'note: ' || line;
    END LOOP;
END
$$;
COMMENT ON FUNCTION mcp.setup_listener IS
    'Makes the login role of fluxbase serve, and lists what PUBLIC has, which that role has too. The password may be a SCRAM verifier.';

CREATE FUNCTION mcp.expose(relation pg_catalog.regclass, role pg_catalog.regrole DEFAULT NULL,
                           verbs pg_catalog.text[] DEFAULT '{select}')
    RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    grantee regrole := coalesce(role, 'authenticated'::regrole);
    verb text;
    target record;
    sequence_name regclass;
BEGIN
    SELECT c.relname, c.relkind, c.relrowsecurity, n.nspname INTO STRICT target
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation;
    SELECT v INTO verb FROM unnest(verbs) AS v WHERE v IS NULL OR lower(v) NOT IN ('select', 'insert', 'update', 'delete') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'verbs: "%" is none of select, insert, update, delete. Nothing was changed.', verb
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', target.nspname, grantee);
    verbs := ARRAY(SELECT lower(v) FROM unnest(verbs) AS v);
    FOREACH verb IN ARRAY verbs LOOP
        EXECUTE format('GRANT %s ON TABLE %s TO %s', upper(verb), relation, grantee);
    END LOOP;
    RETURN NEXT format('%s may %s on %s', grantee, (array_to_string(verbs, ', ')), relation);
    IF 'insert' = ANY (verbs) THEN
        FOR sequence_name IN
            SELECT d.objid::regclass FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
             WHERE d.refobjid = relation AND d.deptype = 'a'
        LOOP
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', sequence_name, grantee);
            RETURN NEXT format('%s may use sequence %s for its default', grantee, sequence_name);
        END LOOP;
    END IF;
    IF target.relkind IN ('r', 'p') AND NOT target.relrowsecurity THEN
        RETURN NEXT format('warning: row-level security is off: %s sees every row. ALTER TABLE %s ENABLE ROW LEVEL SECURITY; then create policies', grantee, relation);
    ELSIF target.relrowsecurity AND NOT EXISTS (
        SELECT FROM pg_policy AS p WHERE p.polrelid = relation AND (p.polroles = '{0}' OR grantee::oid = ANY (p.polroles))) THEN
        RETURN NEXT format('warning: row-level security is on and no policy speaks of %s: it sees no row', grantee);
    END IF;
    IF target.relkind = 'v' AND NOT EXISTS (
        SELECT FROM pg_class AS c, unnest(c.reloptions) AS o WHERE c.oid = relation AND o ~* '^security_invoker=(true|on|1|yes)$') THEN
        RETURN NEXT format('warning: view %s reads its tables as its owner, past their policies, unless it is WITH (security_invoker = true)', relation);
    END IF;
END
$$;
COMMENT ON FUNCTION mcp.expose IS 'Grants a role (default authenticated) what a tool needs on a table, and warns where row-level security is missing.';
