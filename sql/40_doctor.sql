-- What a DBA should know before trusting the server. Each function below looks at one topic; mcp.doctor() puts them together.
-- 41_doctor_data.sql looks at what holds rows, 42_doctor_access.sql answers why one key sees nothing.
--
-- All of them belong to mcp_owner and read the catalog, which is open to everybody, and the tables of the extension. Only
-- mcp.doctor and mcp.doctor_access are SECURITY DEFINER; the others are for them alone. They change nothing and read no row of a
-- user's table. A remedy is SQL that can be pasted; where a person must decide, it is a sentence.

-- The roles that keys may stand for and that exist.
CREATE FUNCTION mcp._key_roles() RETURNS TABLE (oid pg_catalog.oid, name pg_catalog.name, bypass pg_catalog.bool)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT r.oid, r.rolname, r.rolbypassrls
  FROM mcp.allowed_roles AS a JOIN pg_roles AS r ON r.rolname = a.role_name
 WHERE NOT r.rolsuper
$$;

-- Whose grants such a role has: its own, those of roles that it inherits, those of PUBLIC (0).
CREATE FUNCTION mcp._key_grantees()
    RETURNS TABLE (role pg_catalog.oid, name pg_catalog.name, bypass pg_catalog.bool, grantee pg_catalog.oid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT k.oid, k.name, k.bypass, g.oid FROM mcp._key_roles() AS k JOIN pg_roles AS g ON pg_has_role(k.oid, g.oid, 'USAGE')
UNION ALL
SELECT k.oid, k.name, k.bypass, 0::oid FROM mcp._key_roles() AS k
$$;

-- The login roles of listeners: who may call an entry point and does not own it.
CREATE FUNCTION mcp._listeners() RETURNS SETOF pg_catalog.oid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT DISTINCT a.grantee
  FROM pg_proc AS f CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a
 WHERE f.oid IN (to_regprocedure('mcp._serve(text, text, text)'), to_regprocedure('mcp.handle(text, text, jsonb)'))
   AND a.grantee <> f.proowner AND a.grantee <> 0
$$;

-- The value of a setting in a new session of `role`: what ALTER ROLE and ALTER DATABASE say, else what this session has.
CREATE FUNCTION mcp._setting_for(role pg_catalog.oid, name pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT coalesce((
         SELECT substr(c, strpos(c, '=') + 1)
           FROM pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS c
          WHERE s.setrole IN ($1, 0) AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
            AND lower(split_part(c, '=', 1)) = lower($2)
          ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC
          LIMIT 1), current_setting($2, true))
$$;

-- The items of a comma list, as mcp.allowed_tools and mcp.hidden_schemas hold them.
CREATE FUNCTION mcp._items(list pg_catalog.text) RETURNS pg_catalog.text[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT coalesce(array_agg(btrim(i, E' \t\n\r')) FILTER (WHERE btrim(i, E' \t\n\r') <> ''), '{}') FROM unnest(string_to_array($1, ',')) AS i
$$;

-- The numbers of a version, to be compared; what follows them (-beta.1) does not count.
CREATE FUNCTION mcp._version_numbers(version pg_catalog.text) RETURNS pg_catalog.int4[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT string_to_array(substring($1 FROM '^[0-9]+(?:\.[0-9]+)*'), '.')::int4[]
$$;

CREATE FUNCTION mcp._doctor_server()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version int := current_setting('server_version_num')::int;
    least int := CASE version / 10000 WHEN 14 THEN 140014 WHEN 15 THEN 150009 WHEN 16 THEN 160005 WHEN 17 THEN 170001 ELSE 180000 END;
    library text := mcp.version();
    installed text;
    available text;
    logged jsonb;
BEGIN
    IF version < 140000 OR version < least THEN
        RETURN QUERY SELECT 'error', 'version', format('PostgreSQL %s keeps plans across a change of role wrongly (CVE-2024-10976)',
                            current_setting('server_version')),
                            'Update to the latest minor release: 14.14, 15.9, 16.5, 17.1 or later.';
    ELSE
        RETURN QUERY SELECT 'ok', 'version', format('PostgreSQL %s, fluxbase_mcp_ext %s', current_setting('server_version'), library), NULL::text;
    END IF;

    SELECT e.extversion, a.default_version INTO installed, available
      FROM pg_extension AS e LEFT JOIN pg_available_extensions AS a ON a.name = e.extname WHERE e.extname = 'fluxbase_mcp_ext';
    IF mcp._version_numbers(library) > mcp._version_numbers(installed) THEN
        RETURN QUERY SELECT 'error', 'extension', format('the library is version %s, its SQL objects in this database are %s', library, installed),
                            'ALTER EXTENSION fluxbase_mcp_ext UPDATE;';
    ELSIF mcp._version_numbers(library) < mcp._version_numbers(installed) THEN
        RETURN QUERY SELECT 'error', 'extension', format('this backend has the library %s loaded, the SQL objects in this database are %s', library, installed),
                            'Restart Postgres. If it stays so, the older library is the installed one: make install PG_CONFIG=...';
    ELSIF mcp._version_numbers(available) > mcp._version_numbers(installed) THEN
        RETURN QUERY SELECT 'warn', 'extension', format('version %s is installed on this server, the database has %s', available, installed),
                            'Restart Postgres if the library is preloaded, then: ALTER EXTENSION fluxbase_mcp_ext UPDATE;';
    END IF;

    IF mcp._preloaded() THEN
        RETURN QUERY SELECT 'ok', 'preload', 'The library is preloaded: rate limits are shared by all backends', NULL::text;
    ELSE
        RETURN QUERY SELECT 'warn', 'preload', 'The library is not preloaded: rate limits are counted for each backend alone',
                            'Add fluxbase_mcp_ext to shared_preload_libraries and restart.';
    END IF;

    IF EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = 'functions' AND c.relname = 'edge_functions') THEN
        IF NOT mcp._preloaded() THEN
            RETURN QUERY SELECT 'warn', 'worker', 'there is no delegate worker: edge functions cannot be called',
                                'Add fluxbase_mcp_ext to shared_preload_libraries and restart.';
        ELSE
            RETURN QUERY SELECT CASE w.state WHEN 'running' THEN 'ok' ELSE 'error' END, 'worker',
                                CASE w.state WHEN 'running' THEN 'the delegate worker answers' ELSE 'the delegate worker does not answer' END,
                                CASE WHEN w.state <> 'running' THEN w.hint || ' The server log says why; it takes one of max_worker_processes.' END
                           FROM mcp.worker_status() AS w;
        END IF;
        IF current_setting('mcp.functions_url') = '' AND current_setting('mcp.functions_allowed_hosts') = '' THEN
            RETURN QUERY SELECT 'warn', 'worker', 'neither mcp.functions_url nor mcp.functions_allowed_hosts is set: no edge function can be called',
                                'ALTER SYSTEM SET mcp.functions_url = ''http://127.0.0.1:8000''; SELECT pg_reload_conf();';
        ELSIF mcp._preloaded() AND current_setting('mcp.functions_url') <> '' THEN
            RETURN QUERY SELECT CASE WHEN r.why IS NULL THEN 'ok' ELSE 'error' END, 'functions',
                                CASE WHEN r.why IS NULL THEN 'the runtime of edge functions answers'
                                     ELSE 'the runtime of edge functions does not answer: ' || r.why END,
                                CASE WHEN r.why IS NOT NULL THEN 'Start it (fluxbase functions serve DIR), or mend mcp.functions_url and SELECT pg_reload_conf();' END
                           FROM mcp._functions_unreachable() AS r (why);
        END IF;
    END IF;

    IF EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = 'storage' AND c.relname = 'objects') THEN
        IF NOT mcp._preloaded() THEN
            RETURN QUERY SELECT 'warn', 'storage', 'there is no delegate worker: files can be neither stored nor read',
                                'Add fluxbase_mcp_ext to shared_preload_libraries and restart.';
        ELSE
            RETURN QUERY SELECT CASE WHEN w.state = 'running' AND w.storage_error IS NULL THEN 'ok' ELSE 'error' END, 'storage',
                                CASE WHEN w.state <> 'running' THEN 'the delegate worker does not answer: files can be neither stored nor read'
                                     WHEN w.storage_error IS NULL THEN 'files are stored: ' || w.storage
                                     ELSE 'no files can be stored: ' || w.storage_error END,
                                CASE WHEN w.state <> 'running' THEN w.hint
                                     WHEN w.storage_error IS NOT NULL THEN 'See mcp.storage_url and mcp.storage_credentials_file in docs/reference.md.' END
                           FROM mcp.worker_status() AS w;
        END IF;
    END IF;

    RETURN QUERY SELECT CASE WHEN a.state IN ('writing', 'waiting') AND a.lost = 0 THEN 'ok' WHEN a.state = 'failing' OR a.lost > 0 THEN 'error' ELSE 'warn' END, 'audit',
                        CASE a.state WHEN 'writing' THEN 'calls are recorded in mcp.audit_log'
                                     WHEN 'waiting' THEN 'calls are recorded in mcp.audit_log; the next one starts the process that writes'
                                     WHEN 'failing' THEN format('records of %s calls wait and cannot be written to mcp.audit_log', a.waiting)
                                     WHEN 'off' THEN 'there is mcp.audit_log, and mcp.audit is off: no call is recorded'
                                     ELSE 'records of calls are lines of the server log, not rows of mcp.audit_log' END
                        || CASE WHEN a.lost > 0 THEN format('; %s records found no room', a.lost) ELSE '' END,
                        CASE WHEN a.state NOT IN ('writing', 'waiting') THEN a.hint END
                   FROM mcp.audit_status() AS a WHERE a.state <> 'not installed';

    IF current_setting('mcp.enabled')::bool THEN
        RETURN QUERY SELECT 'ok', 'enabled', 'mcp.enabled is on', NULL::text;
    ELSE
        RETURN QUERY SELECT 'warn', 'enabled', 'mcp.enabled is off: every request is refused', 'ALTER SYSTEM SET mcp.enabled = on; SELECT pg_reload_conf();';
    END IF;

    IF pg_is_in_recovery() THEN
        RETURN QUERY SELECT 'info', 'server', 'this is a standby: reading tools work, writing tools answer 25006', NULL::text;
    END IF;
    IF 'mcp' <> ALL (mcp._items(current_setting('mcp.hidden_schemas'))) THEN
        RETURN QUERY SELECT 'warn', 'hidden', 'mcp.hidden_schemas leaves out mcp, the schema of the extension itself',
                            format('ALTER SYSTEM SET mcp.hidden_schemas = %L; SELECT pg_reload_conf();',
                                   array_to_string(mcp._items(current_setting('mcp.hidden_schemas')) || ARRAY['mcp'], ', '));
    END IF;
    IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'vector') THEN
        RETURN QUERY SELECT 'info', 'pgvector', 'pgvector is not in this database: there are no columns of type vector',
            CASE WHEN EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') THEN 'CREATE EXTENSION vector;'
                 ELSE format('If you want it, install it on the database server (Debian: postgresql-%s-pgvector), then: CREATE EXTENSION vector;', version / 10000) END;
    END IF;

    -- The entry for people takes a key as a parameter (mcp.authenticate); the listener's role is looked at with the listener.
    -- pg_settings has the plain numbers; current_setting would add their units.
    SELECT jsonb_object_agg(s.name, s.setting) INTO logged FROM pg_settings AS s WHERE s.name LIKE 'log\_%' OR s.name LIKE 'auto\_explain.%';
    IF (logged ->> 'log_parameter_max_length')::int <> 0
       AND ((logged ->> 'log_min_duration_statement')::int >= 0 OR (logged ->> 'log_min_duration_sample')::int >= 0
            OR logged ->> 'log_statement' IN ('mod', 'all') OR (logged ->> 'log_transaction_sample_rate')::float8 > 0) THEN
        RETURN QUERY SELECT 'warn', 'logging', 'statements of this session are logged with their parameters, and so are keys given to mcp.authenticate and rows given to mcp.handle',
                            format('ALTER DATABASE %I SET log_parameter_max_length = 0;', current_database());
    END IF;
    IF (logged ->> 'log_parameter_max_length_on_error')::int <> 0 THEN
        RETURN QUERY SELECT 'warn', 'logging', 'parameters of statements that fail are logged, and so are keys given to mcp.authenticate',
                            format('ALTER DATABASE %I SET log_parameter_max_length_on_error = 0;', current_database());
    END IF;
    IF (logged ->> 'auto_explain.log_min_duration')::int >= 0 AND (logged ->> 'auto_explain.log_parameter_max_length')::int <> 0 THEN
        RETURN QUERY SELECT 'warn', 'logging', 'auto_explain logs statements of this session with their parameters, and so keys given to mcp.authenticate',
                            format('ALTER DATABASE %I SET auto_explain.log_parameter_max_length = 0;', current_database());
    END IF;
END
$$;

CREATE FUNCTION mcp._doctor_roles()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'warn', 'roles', format('role %s is absent', n), 'SELECT mcp.setup_roles();'
  FROM unnest(ARRAY['anon', 'authenticated', 'service_role', 'mcp_admin']) WITH ORDINALITY AS u(n, at)
 WHERE NOT EXISTS (SELECT FROM pg_roles AS p WHERE p.rolname = n)
UNION ALL
SELECT 'warn', 'roles', 'service_role does not bypass row-level security, so service keys do not', 'ALTER ROLE service_role BYPASSRLS;'
  FROM pg_roles AS p WHERE p.rolname = 'service_role' AND NOT p.rolbypassrls
UNION ALL
(SELECT 'error', 'roles',
        CASE WHEN p.rolsuper THEN format('role %s is allowed for keys and has become superuser: its keys are refused', a.role_name)
             ELSE format('role %s is allowed for keys and does not exist: its keys are refused', a.role_name) END,
        format('DELETE FROM mcp.allowed_roles WHERE role_name = %L;', a.role_name)
   FROM mcp.allowed_roles AS a LEFT JOIN pg_roles AS p ON p.rolname = a.role_name
  WHERE p.rolsuper IS DISTINCT FROM false
  ORDER BY a.role_name)
$$;

CREATE FUNCTION mcp._doctor_listener()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version int := current_setting('server_version_num')::int;
    used int;
    r record;
    groups text;
    owned int;
    fault bool;
BEGIN
    FOR r IN SELECT p.oid, p.rolname, p.rolcanlogin, p.rolsuper OR p.rolbypassrls OR p.rolcreaterole OR p.rolcreatedb OR p.rolreplication AS strong
               FROM mcp._listeners() AS l JOIN pg_roles AS p ON p.oid = l ORDER BY p.rolname LOOP
        fault := false;
        SELECT string_agg(quote_ident(g.rolname), ', ' ORDER BY g.rolname) INTO groups
          FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid;
        SELECT count(*) INTO owned FROM pg_shdepend AS d
         WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
           AND d.dbid IN (0, (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database()));
        IF r.strong THEN
            fault := true;
            RETURN QUERY SELECT 'error', 'listener', format('the listener''s role %s has attributes beyond LOGIN', r.rolname),
                                format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;', r.rolname);
        END IF;
        IF groups IS NOT NULL THEN
            fault := true;
            RETURN QUERY SELECT 'error', 'listener', format('the listener''s role %s has memberships in other roles', r.rolname),
                                format('REVOKE %s FROM %I;', groups, r.rolname);
        END IF;
        IF owned > 0 THEN
            fault := true;
            RETURN QUERY SELECT 'error', 'listener', format('the listener''s role %s owns %s', r.rolname, CASE owned WHEN 1 THEN 'an object' ELSE owned || ' objects' END),
                                format('REASSIGN OWNED BY %I TO CURRENT_USER;', r.rolname);
        END IF;
        IF NOT r.rolcanlogin THEN
            fault := true;
            RETURN QUERY SELECT 'error', 'listener', format('%s cannot log in', r.rolname), format('ALTER ROLE %I LOGIN;', r.rolname);
        ELSIF NOT has_database_privilege(r.oid, current_database(), 'CONNECT') THEN
            fault := true;
            RETURN QUERY SELECT 'error', 'listener', format('%s may not connect to database %s', r.rolname, current_database()),
                                format('GRANT CONNECT ON DATABASE %I TO %I;', current_database(), r.rolname);
        END IF;
        IF (SELECT count(DISTINCT c) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
             WHERE s.setrole = r.oid AND s.setdatabase = 0
               AND c IN ('log_parameter_max_length=0', 'log_parameter_max_length_on_error=0', 'auto_explain.log_parameter_max_length=0'))
           < (CASE WHEN version >= 160000 THEN 3 ELSE 2 END) THEN
            fault := true;
            RETURN QUERY SELECT 'error', 'listener', format('statements of %s may be logged with their parameters', r.rolname),
                                format('SELECT mcp.setup_listener(%L);', r.rolname);
        END IF;
        IF mcp._setting_for(r.oid, 'mcp.enabled')::bool IS FALSE AND current_setting('mcp.enabled')::bool THEN
            fault := true;
            RETURN QUERY SELECT 'warn', 'listener', format('mcp.enabled is off for %s: every request is refused', r.rolname),
                                format('ALTER ROLE %I RESET mcp.enabled; ALTER ROLE %I IN DATABASE %I RESET mcp.enabled;', r.rolname, r.rolname, current_database());
        END IF;
        IF mcp._setting_for(r.oid, 'default_transaction_read_only')::bool THEN
            fault := true;
            RETURN QUERY SELECT 'warn', 'listener', format('default_transaction_read_only is on for %s: writing tools answer 25006', r.rolname),
                                format('ALTER ROLE %I SET default_transaction_read_only = off;', r.rolname);
        END IF;
        IF NOT fault THEN
            RETURN QUERY SELECT 'ok', 'listener', format('%s may call the entry points and is member of no role', r.rolname), NULL::text;
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_proc AS f CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a
                    WHERE f.oid = to_regprocedure('mcp._serve(text, text, text)') AND a.grantee <> f.proowner) THEN
        RETURN QUERY SELECT 'warn', 'listener', 'no role may call mcp._serve(text, text, text): fluxbase serve cannot work', 'SELECT mcp.setup_listener();';
    END IF;

    SELECT count(*) INTO used FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend';
    IF used >= current_setting('max_connections')::int * 9 / 10 THEN
        RETURN QUERY SELECT 'warn', 'connections', format('%s of %s connections are in use, %s of them by listeners', used, current_setting('max_connections'),
                            (SELECT count(*) FROM pg_stat_activity AS a WHERE a.usesysid IN (SELECT mcp._listeners()))),
                            'Lower listener.pool_size, or raise it and restart: ALTER SYSTEM SET max_connections = ' || current_setting('max_connections')::int * 2 || ';';
    END IF;
END
$$;

CREATE FUNCTION mcp._doctor_keys()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    k record;
    why text;
BEGIN
    RETURN QUERY
        SELECT 'warn', 'keys', format('role %s is not allowed for keys, and %s active %s for it: refused', x.role_name, count(*),
                                      CASE count(*) WHEN 1 THEN 'key stands' ELSE 'keys stand' END),
               CASE WHEN EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = x.role_name) THEN format('SELECT mcp.allow_role(%L);', quote_ident(x.role_name))
                    ELSE string_agg(format('SELECT mcp.revoke_key(%L, %L);', x.kind, x.key_id), ' ' ORDER BY x.key_id) END
          FROM mcp.keys AS x
         WHERE x.revoked_at IS NULL AND (x.expires_at IS NULL OR x.expires_at > now())
           AND NOT EXISTS (SELECT FROM mcp.allowed_roles AS a WHERE a.role_name = x.role_name)
         GROUP BY x.role_name ORDER BY x.role_name;
    FOR k IN SELECT x.key_id, x.kind, x.name, s.key AS setting, s.value
               FROM mcp.keys AS x CROSS JOIN LATERAL jsonb_each_text(x.settings) AS s
              WHERE x.revoked_at IS NULL AND (x.expires_at IS NULL OR x.expires_at > now())
              ORDER BY x.name, x.key_id, s.key LOOP
        why := NULL;
        IF NOT mcp._setting_allowed(k.setting) THEN
            why := 'it cannot be carried by a key';
        ELSE
            BEGIN
                PERFORM mcp._check_setting(k.setting, k.value);
            EXCEPTION WHEN OTHERS THEN
                why := SQLERRM;
            END;
        END IF;
        IF why IS NOT NULL THEN
            RETURN QUERY SELECT 'error', 'keys', format('key %s (%s) carries the setting %s, so its calls fail: %s', k.key_id, k.name, k.setting, why),
                                format('SELECT mcp.revoke_key(%L, %L); -- then make a new key without it', k.kind, k.key_id);
        END IF;
    END LOOP;
    RETURN QUERY
        SELECT 'info', 'keys', format('key %s (%s) expired and is not revoked', x.key_id, x.name),
               format('SELECT mcp.revoke_key(%L, %L);', x.kind, x.key_id)
          FROM mcp.keys AS x WHERE x.revoked_at IS NULL AND x.expires_at <= now() ORDER BY x.name, x.key_id;
    RETURN QUERY
        SELECT 'info', 'keys', format('service key %s (%s) never expires', x.key_id, x.name),
               format('SELECT mcp.revoke_key(%L, %L); -- after one with an end was made: fluxbase servicekeys create --name ... --expires 90d', x.kind, x.key_id)
          FROM mcp.keys AS x
         WHERE x.kind = 'service' AND x.revoked_at IS NULL AND (x.expires_at IS NULL OR x.expires_at = 'infinity') ORDER BY x.name, x.key_id;
    RETURN QUERY
        SELECT 'info', 'rate limit', format('%s active %s no limit of requests in the database: only that of fluxbase serve holds', count(*),
                                            CASE count(*) WHEN 1 THEN 'key has' ELSE 'keys have' END),
               'ALTER SYSTEM SET mcp.rate_limit_per_min = 600; SELECT pg_reload_conf();'
          FROM mcp.keys AS x
         WHERE x.revoked_at IS NULL AND (x.expires_at IS NULL OR x.expires_at > now()) AND x.rate_limit_per_min IS NULL
           AND current_setting('mcp.rate_limit_per_min')::int = 0
        HAVING count(*) > 0;
END
$$;

-- What is registered: kind, name, function (NULL when it is gone) and how it is written.
CREATE FUNCTION mcp._registered()
    RETURNS TABLE (kind pg_catalog.text, name pg_catalog.text, function pg_catalog.oid, signature pg_catalog.text, unregister pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT e.kind, e.name, p.oid, format('%I.%I(%s)', e.function_schema, e.function_name, e.function_arguments), e.unregister
  FROM (SELECT 'tool' AS kind, t.name, t.function_schema, t.function_name, t.function_arguments, format('SELECT mcp.unregister_tool(%L);', t.name) AS unregister
          FROM mcp._tools AS t
        UNION ALL
        SELECT 'resource', r.uri, r.function_schema, r.function_name, r.function_arguments, format('SELECT mcp.unregister_resource(%L);', r.uri)
          FROM mcp._resources AS r
        UNION ALL
        SELECT 'prompt', q.name, q.function_schema, q.function_name, q.function_arguments, format('SELECT mcp.unregister_prompt(%L);', q.name)
          FROM mcp._prompts AS q) AS e
       LEFT JOIN pg_namespace AS n ON n.nspname = e.function_schema
       LEFT JOIN pg_proc AS p ON p.pronamespace = n.oid AND p.proname = e.function_name AND oidvectortypes(p.proargtypes) = e.function_arguments
$$;

-- Why an entry is not served although its function exists, or NULL: what would be said if it were registered now.
CREATE FUNCTION mcp._unfit(kind pg_catalog.text, name pg_catalog.text, function pg_catalog.oid) RETURNS pg_catalog.text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE kind
        WHEN 'tool' THEN
            PERFORM mcp._check_tool(t.name, function, t.input_schema::text, t.output_schema::text, t.annotations::text)
               FROM mcp._tools AS t WHERE t.name = _unfit.name;
        WHEN 'resource' THEN
            PERFORM mcp._check_resource(r.uri, function, coalesce(r.complete, '{}')::text) FROM mcp._resources AS r WHERE r.uri = _unfit.name;
        ELSE
            PERFORM mcp._check_prompt(function, p.arguments::text) FROM mcp._prompts AS p WHERE p.name = _unfit.name;
    END CASE;
    RETURN NULL;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN replace(SQLERRM, ' Nothing was registered.', '');
END
$$;

CREATE FUNCTION mcp._doctor_registrations()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r record;
    why text;
BEGIN
    FOR r IN SELECT e.*, p.prosecdef, o.rolname AS owner, o.rolsuper, n.nspname,
                    EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%') AS pinned
               FROM mcp._registered() AS e
                    LEFT JOIN pg_proc AS p ON p.oid = e.function
                    LEFT JOIN pg_roles AS o ON o.oid = p.proowner
                    LEFT JOIN pg_namespace AS n ON n.oid = p.pronamespace
              ORDER BY e.kind, e.name LOOP
        IF r.function IS NULL THEN
            RETURN QUERY SELECT 'error', 'registered', format('%s %s is not listed: its function %s does not exist any more', r.kind, r.name, r.signature), r.unregister;
            CONTINUE;
        END IF;
        why := mcp._unfit(r.kind, r.name, r.function);
        IF why IS NOT NULL THEN
            RETURN QUERY SELECT 'error', 'registered', format('%s %s does not work: %s', r.kind, r.name, why),
                                r.unregister || ' -- or register it anew with what fits';
        END IF;
        IF NOT EXISTS (SELECT FROM mcp._key_roles() AS k WHERE has_function_privilege(k.oid, r.function, 'EXECUTE') AND has_schema_privilege(k.oid, r.nspname, 'USAGE')) THEN
            RETURN QUERY SELECT 'warn', 'registered', format('%s %s is listed for no key: no role of keys may execute %s', r.kind, r.name, r.function::regprocedure),
                                format('GRANT USAGE ON SCHEMA %I TO authenticated; GRANT EXECUTE ON FUNCTION %s TO authenticated;', r.nspname, r.function::regprocedure);
        END IF;
        IF r.prosecdef AND r.rolsuper THEN
            RETURN QUERY SELECT 'warn', 'registered', format('%s %s runs as its owner, the superuser %s: grants and row-level security do not hold in it', r.kind, r.name, r.owner),
                                format('ALTER FUNCTION %s SECURITY INVOKER; -- or give it an owner with fewer rights', r.function::regprocedure);
        END IF;
        IF r.prosecdef AND NOT r.pinned THEN
            RETURN QUERY SELECT 'warn', 'registered', format('%s %s runs as its owner %s with the search_path of the caller', r.kind, r.name, r.owner),
                                format('ALTER FUNCTION %s SET search_path = %I, pg_temp;', r.function::regprocedure, r.nspname);
        END IF;
    END LOOP;
END
$$;

-- At most this many findings of one level and topic are shown unless all are asked for.
CREATE FUNCTION mcp._doctor_shown() RETURNS pg_catalog.int4
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 20 $$;
