-- What a DBA should know before trusting the server, and why a call sees nothing.

CREATE FUNCTION mcp.doctor()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version int := current_setting('server_version_num')::int;
    least int := CASE version / 10000 WHEN 14 THEN 140014 WHEN 15 THEN 150009 WHEN 16 THEN 160005 WHEN 17 THEN 170001 ELSE 180000 END;
    r record;
BEGIN
    IF version < 140000 OR version < least THEN
        RETURN QUERY SELECT 'error', 'version', format('PostgreSQL %s keeps plans across a change of role wrongly (CVE-2024-10976)',
                            current_setting('server_version')),
                            'Update to the latest minor release: 14.14, 15.9, 16.5, 17.1 or later.';
    ELSE
        RETURN QUERY SELECT 'ok', 'version', format('PostgreSQL %s, fluxbase_mcp_ext %s', current_setting('server_version'), mcp.version()), NULL::text;
    END IF;

    IF mcp._preloaded() THEN
        RETURN QUERY SELECT 'ok', 'preload', 'The library is preloaded: rate limits are shared by all backends', NULL::text;
    ELSE
        RETURN QUERY SELECT 'warn', 'preload', 'The library is not preloaded: rate limits are counted for each backend alone',
                            'Add fluxbase_mcp_ext to shared_preload_libraries and restart.';
    END IF;

    IF current_setting('mcp.enabled')::bool THEN
        RETURN QUERY SELECT 'ok', 'enabled', 'mcp.enabled is on', NULL::text;
    ELSE
        RETURN QUERY SELECT 'warn', 'enabled', 'mcp.enabled is off: every request is refused', 'ALTER SYSTEM SET mcp.enabled = on; SELECT pg_reload_conf();';
    END IF;

    FOR r IN SELECT n AS name, p.oid, p.rolbypassrls FROM unnest(ARRAY['anon', 'authenticated', 'service_role', 'mcp_admin']) AS n
               LEFT JOIN pg_roles AS p ON p.rolname = n LOOP
        IF r.oid IS NULL THEN
            RETURN QUERY SELECT 'warn', 'roles', format('role %s is absent', r.name), 'SELECT mcp.setup_roles();';
        ELSIF r.name = 'service_role' AND NOT r.rolbypassrls THEN
            RETURN QUERY SELECT 'warn', 'roles', 'service_role does not bypass row-level security, so service keys do not', 'ALTER ROLE service_role BYPASSRLS;';
        END IF;
    END LOOP;

    FOR r IN SELECT a.role_name, p.rolsuper FROM mcp.allowed_roles AS a LEFT JOIN pg_roles AS p ON p.rolname = a.role_name
              WHERE p.rolsuper IS DISTINCT FROM false LOOP
        RETURN QUERY SELECT 'error', 'roles',
            CASE WHEN r.rolsuper THEN format('role %s is allowed for keys and has become superuser: its keys are refused', r.role_name)
                 ELSE format('role %s is allowed for keys and does not exist: its keys are refused', r.role_name) END,
            format('DELETE FROM mcp.allowed_roles WHERE role_name = %L;', r.role_name);
    END LOOP;

    FOR r IN SELECT DISTINCT p.rolname, p.oid, p.rolsuper OR p.rolbypassrls OR p.rolcreaterole OR p.rolcreatedb OR p.rolreplication AS strong,
                    EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = p.oid) AS member
               FROM pg_proc AS f
                    CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a
                    JOIN pg_roles AS p ON p.oid = a.grantee
              WHERE f.oid IN (to_regprocedure('mcp._serve(text, text, text)'), to_regprocedure('mcp.handle(text, text, jsonb)'))
                AND a.grantee <> f.proowner LOOP
        IF r.strong OR r.member THEN
            RETURN QUERY SELECT 'error', 'listener', format('the listener''s role %s has %s', r.rolname,
                                CASE WHEN r.strong THEN 'attributes beyond LOGIN' ELSE 'memberships in other roles' END),
                                'Make a role of its own with SELECT mcp.setup_listener(''...''); and drop this one.';
        ELSIF (SELECT count(DISTINCT c) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
                WHERE s.setrole = r.oid
                  AND c IN ('log_parameter_max_length=0', 'log_parameter_max_length_on_error=0', 'auto_explain.log_parameter_max_length=0'))
              < (CASE WHEN version >= 160000 THEN 3 ELSE 2 END) THEN
            RETURN QUERY SELECT 'error', 'listener', format('statements of %s may be logged with their parameters', r.rolname),
                                format('SELECT mcp.setup_listener(%L);', r.rolname);
        ELSE
            RETURN QUERY SELECT 'ok', 'listener', format('%s may call the entry points and is member of no role', r.rolname), NULL::text;
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_proc AS f CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a
                    WHERE f.oid = to_regprocedure('mcp._serve(text, text, text)') AND a.grantee <> f.proowner) THEN
        RETURN QUERY SELECT 'warn', 'listener', 'no role may call mcp._serve(text, text, text): fluxbase serve cannot work', 'SELECT mcp.setup_listener();';
    END IF;

    RETURN QUERY SELECT 'warn', 'public', h, 'Whoever has the listener''s password has this too: REVOKE what PUBLIC does not need.'
                   FROM mcp._public_has() AS h;

    RETURN QUERY
        SELECT 'warn', 'rls', format('%s: row-level security is off and %s may use it', c.oid::regclass, string_agg(DISTINCT g.rolname, ', ')),
               format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; then create policies, unless every row is for everybody.', c.oid::regclass)
          FROM pg_class AS c
               JOIN pg_namespace AS n ON n.oid = c.relnamespace
               CROSS JOIN LATERAL aclexplode(c.relacl) AS a
               JOIN pg_roles AS g ON g.oid = a.grantee
               JOIN mcp.allowed_roles AS m ON m.role_name = g.rolname
         WHERE c.relkind IN ('r', 'p') AND NOT c.relrowsecurity AND NOT g.rolbypassrls AND n.nspname <> 'information_schema'
           AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE')
         GROUP BY c.oid;

    RETURN QUERY
        SELECT 'warn', 'functions', format('function %s sets the role or reads it with current_setting(''role''), which is none while a tool runs', p.oid::regprocedure),
               'Use current_user instead; SET ROLE is refused while a tool runs.'
          FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'mcp')
           AND (p.prosrc ~* 'current_setting\s*\(\s*''role''' OR p.prosrc ~* '\mset\s+(local\s+)?role\M'
                OR EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'role=%'));
END
$$;
COMMENT ON FUNCTION mcp.doctor IS 'Checks the set-up. level is ok, warn or error; remedy is the next step.';

CREATE FUNCTION mcp.doctor_access(key_name pg_catalog.text, relation pg_catalog.text)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    k mcp.keys;
    rel record;
    role_oid oid;
    parts text[] := parse_ident(relation);
    verb text;
    policies text;
BEGIN
    PERFORM mcp.version(); -- loads the library, so that its settings are known also when it is not preloaded
    SELECT x.* INTO k FROM mcp.keys AS x WHERE x.name = key_name OR x.key_id = key_name ORDER BY x.revoked_at IS NULL DESC, x.created_at DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no key has the id or name "%"', key_name USING ERRCODE = 'no_data_found', HINT = 'SELECT * FROM mcp.list_keys(''client'') shows them.';
    END IF;
    IF k.revoked_at IS NOT NULL OR k.expires_at <= now() THEN
        RETURN QUERY SELECT 'error', 'key', format('the key %s is %s', k.key_id, CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' ELSE 'expired' END), 'Make a new one with mcp.create_key.';
    ELSE
        RETURN QUERY SELECT 'ok', 'key', format('key %s acts as role %s%s', k.key_id, k.role_name, coalesce(' for user ' || k.user_id, '')), NULL::text;
    END IF;
    SELECT r.oid INTO role_oid FROM pg_roles AS r WHERE r.rolname = k.role_name;
    IF role_oid IS NULL OR NOT EXISTS (SELECT FROM mcp.allowed_roles AS a WHERE a.role_name = k.role_name) THEN
        RETURN QUERY SELECT 'error', 'role', format('role %s %s', k.role_name, CASE WHEN role_oid IS NULL THEN 'does not exist' ELSE 'is not allowed for keys' END),
                            CASE WHEN role_oid IS NULL THEN 'CREATE ROLE, or make a key for another role.' ELSE format('SELECT mcp.allow_role(%L);', k.role_name) END;
        RETURN;
    END IF;
    FOREACH verb IN ARRAY ARRAY['read:tables', 'write:tables'] LOOP
        IF verb = ANY (k.scopes) OR (k.kind = 'service' AND cardinality(k.scopes) = 0) THEN
            RETURN QUERY SELECT 'ok', 'scope', format('the key has %s', verb), NULL::text;
        ELSE
            RETURN QUERY SELECT 'warn', 'scope', format('the key lacks %s', verb), 'Make a key with that scope: scopes cannot be added.';
        END IF;
    END LOOP;
    IF cardinality(parts) = 1 THEN
        parts := ARRAY['public', parts[1]];
    END IF;
    SELECT c.oid, c.relkind, c.relrowsecurity, n.nspname, n.oid AS schema_oid INTO rel
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = parts[1] AND c.relname = parts[2] AND c.relkind IN ('r', 'p', 'v', 'm', 'f');
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'error', 'table', format('there is no table or view %s', relation), 'Write schema.table; names are case-sensitive.';
        RETURN;
    END IF;
    IF rel.nspname = ANY (regexp_split_to_array(current_setting('mcp.hidden_schemas'), '\s*,\s*')) THEN
        IF k.kind = 'service' OR (to_regrole('mcp_admin') IS NOT NULL AND pg_has_role(role_oid, to_regrole('mcp_admin'), 'MEMBER')) THEN
            RETURN QUERY SELECT 'ok', 'schema', format('schema %s is hidden, and this key is an admin''s', rel.nspname), NULL::text;
        ELSE
            RETURN QUERY SELECT 'error', 'schema', format('schema %s is hidden from all but admins (mcp.hidden_schemas)', rel.nspname), 'Use a service key, or a view in another schema.';
        END IF;
    END IF;
    IF NOT has_schema_privilege(role_oid, rel.schema_oid, 'USAGE') THEN
        RETURN QUERY SELECT 'error', 'grant', format('%s may not use schema %s: its tables are unknown to the key', k.role_name, rel.nspname),
                            format('GRANT USAGE ON SCHEMA %I TO %I;', rel.nspname, k.role_name);
    END IF;
    FOREACH verb IN ARRAY ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] LOOP
        IF has_table_privilege(role_oid, rel.oid, verb) THEN
            RETURN QUERY SELECT 'ok', 'grant', format('%s may %s', k.role_name, lower(verb)), NULL::text;
        ELSIF verb <> 'DELETE' AND has_any_column_privilege(role_oid, rel.oid, verb) THEN
            RETURN QUERY SELECT 'ok', 'grant', format('%s may %s some columns', k.role_name, lower(verb)), NULL::text;
        ELSE
            RETURN QUERY SELECT CASE verb WHEN 'SELECT' THEN 'error' ELSE 'warn' END, 'grant', format('%s may not %s: the table is not accessible for it', k.role_name, lower(verb)),
                                format('SELECT mcp.expose(%L, %L, ARRAY[%L]);', rel.oid::regclass, k.role_name, lower(verb));
        END IF;
    END LOOP;
    IF (SELECT r.rolbypassrls FROM pg_roles AS r WHERE r.oid = role_oid) THEN
        RETURN QUERY SELECT 'ok', 'policy', format('%s bypasses row-level security: it sees every row', k.role_name), NULL::text;
    ELSIF NOT rel.relrowsecurity THEN
        IF rel.relkind IN ('r', 'p') THEN
            RETURN QUERY SELECT 'warn', 'policy', 'row-level security is off: the key sees every row', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', rel.oid::regclass);
        END IF;
    ELSE
        FOREACH verb IN ARRAY ARRAY['r', 'a', 'w', 'd'] LOOP
            SELECT string_agg(format('%s: %s', p.polname, coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))), '; ' ORDER BY p.polname)
              INTO policies
              FROM pg_policy AS p
             WHERE p.polrelid = rel.oid AND p.polcmd IN (verb::"char", '*')
               AND EXISTS (SELECT FROM unnest(p.polroles) AS o(r) WHERE o.r = 0 OR pg_has_role(role_oid, o.r, 'USAGE') OR o.r = role_oid);
            IF policies IS NULL THEN
                RETURN QUERY SELECT CASE verb WHEN 'r' THEN 'error' ELSE 'warn' END, 'policy',
                    format('no policy lets %s %s', k.role_name, CASE verb WHEN 'r' THEN 'read any row' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update any row' ELSE 'delete any row' END),
                    format('CREATE POLICY ... ON %s FOR %s TO %I ...;', rel.oid::regclass, CASE verb WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' ELSE 'DELETE' END, k.role_name);
            ELSE
                RETURN QUERY SELECT 'ok', 'policy', format('%s by %s', CASE verb WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' ELSE 'delete' END, policies), NULL::text;
            END IF;
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION mcp.doctor_access IS 'Tells why a key sees or does not see a table: key, scope, schema, grant, policy.';
