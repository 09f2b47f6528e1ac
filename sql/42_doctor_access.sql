-- Why one key sees nothing: the key itself, then either a table or a tool.
--
-- All that is told is in the catalog, or in the key's row without its verifier. No row of the table is read and no policy is
-- run, so whoever may ask learns nothing of the rows; `fluxbase doctor access --key-file` asks with the key itself.

CREATE FUNCTION mcp._access_has(k mcp.keys, scopes pg_catalog.text[]) RETURNS pg_catalog.bool
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT (k.kind = 'service' AND cardinality(k.scopes) = 0) OR k.scopes && $2 OR cardinality($2) = 0
$$;

-- The key's own state.
CREATE FUNCTION mcp._access_key(k mcp.keys)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    again text := format('fluxbase %skeys create --name ... --scopes ...', k.kind);
    chosen record;
    s record;
BEGIN
    IF NOT current_setting('mcp.enabled')::bool THEN
        RETURN QUERY SELECT 'error', 'enabled', 'mcp.enabled is off: every request is refused', 'ALTER SYSTEM SET mcp.enabled = on; SELECT pg_reload_conf();';
    END IF;
    IF k.revoked_at IS NOT NULL OR k.expires_at <= now() THEN
        RETURN QUERY SELECT 'error', 'key', format('the key %s is %s', k.key_id, CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' ELSE 'expired' END)
                            || CASE WHEN k.replaced_by IS NULL THEN '' ELSE format('; %s replaced it', k.replaced_by) END,
                            CASE WHEN k.replaced_by IS NULL THEN 'Make a new one: ' || again ELSE 'Use the key that replaced it.' END;
    ELSE
        RETURN QUERY SELECT 'ok', 'key', format('key %s acts as role %s%s', k.key_id, k.role_name, coalesce(' for user ' || k.user_id, '')), NULL::text;
    END IF;
    IF cardinality(k.scopes) > 0 OR k.kind = 'client' THEN
        RETURN QUERY SELECT 'ok', 'key', 'its scopes: ' || array_to_string(k.scopes, ', '), NULL::text;
    END IF;
    SELECT r.rolsuper INTO chosen FROM pg_roles AS r WHERE r.rolname = k.role_name;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'error', 'role', format('role %s does not exist', k.role_name), format('CREATE ROLE %I NOLOGIN NOINHERIT; or make a key for another role.', k.role_name);
    ELSIF chosen.rolsuper THEN
        RETURN QUERY SELECT 'error', 'role', format('role %s is superuser: no key can stand for it', k.role_name), 'Make a key for an ordinary role: ' || again;
    ELSIF NOT EXISTS (SELECT FROM mcp.allowed_roles AS a WHERE a.role_name = k.role_name) THEN
        RETURN QUERY SELECT 'error', 'role', format('role %s is not allowed for keys', k.role_name), format('SELECT mcp.allow_role(%L);', quote_ident(k.role_name));
    END IF;
    FOR s IN SELECT e.key AS name, e.value FROM jsonb_each_text(k.settings) AS e ORDER BY e.key LOOP
        IF NOT mcp._setting_allowed(s.name) THEN
            RETURN QUERY SELECT 'error', 'settings', format('its setting %s cannot be carried by a key', s.name), 'Make a key without it: ' || again;
            CONTINUE;
        END IF;
        BEGIN
            PERFORM mcp._check_setting(s.name, s.value);
        EXCEPTION WHEN OTHERS THEN
            RETURN QUERY SELECT 'error', 'settings', format('its setting %s fails: %s', s.name, SQLERRM), 'Make a key without it: ' || again;
        END;
    END LOOP;
END
$$;

-- Whether mcp.allowed_tools lets the tool through, for this session and for each listener that has a list of its own.
CREATE FUNCTION mcp._access_allowed(tool pg_catalog.text)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'error', 'allow-list', format('mcp.allowed_tools leaves %s out%s', $1, CASE WHEN l.role IS NULL THEN '' ELSE ' for ' || l.role END),
       CASE WHEN l.role IS NULL THEN format('ALTER SYSTEM SET mcp.allowed_tools = %L; SELECT pg_reload_conf();', l.list || ', ' || $1)
            ELSE format('ALTER ROLE %s SET mcp.allowed_tools = %L;', l.role, l.list || ', ' || $1) END
  FROM (SELECT NULL::text AS role, current_setting('mcp.allowed_tools') AS list
        UNION ALL
        SELECT r.oid::regrole::text, mcp._setting_for(r.oid, 'mcp.allowed_tools')
          FROM mcp._listeners() AS l JOIN pg_roles AS r ON r.oid = l
         WHERE mcp._setting_for(r.oid, 'mcp.allowed_tools') IS DISTINCT FROM current_setting('mcp.allowed_tools')) AS l
 WHERE cardinality(mcp._items(l.list)) > 0 AND $1 <> ALL (mcp._items(l.list))
 ORDER BY l.role NULLS FIRST
$$;

CREATE FUNCTION mcp._access_tool(k mcp.keys, tool pg_catalog.text)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    needed text[];
    entry record;
    role_oid oid := (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = k.role_name);
    built_in bool := true;
    place record;
    why text;
    known text;
BEGIN
    SELECT b.scopes INTO needed FROM mcp._built_in_tools() AS b WHERE b.name = tool;
    IF NOT FOUND THEN
        built_in := false;
        SELECT t.scopes INTO needed FROM mcp._tools AS t WHERE t.name = tool;
        IF NOT FOUND THEN
            SELECT string_agg(n.name, ', ' ORDER BY n.name) INTO known
              FROM (SELECT b.name FROM mcp._built_in_tools() AS b UNION ALL SELECT t.name FROM mcp._tools AS t) AS n
             WHERE lower(n.name) = lower(tool) OR strpos(lower(n.name), lower(tool)) > 0 OR strpos(lower(tool), lower(n.name)) > 0;
            RETURN QUERY SELECT 'error', 'tool', format('there is no tool %s', tool),
                                coalesce('Did you mean ' || known || '? ', '') || 'SELECT name FROM mcp.tools; shows what is registered.';
            RETURN;
        END IF;
    END IF;
    IF mcp._access_has(k, needed) THEN
        RETURN QUERY SELECT 'ok', 'scope', CASE cardinality(needed) WHEN 0 THEN format('%s needs no scope', tool)
                                                ELSE format('the key has a scope for %s (%s)', tool, array_to_string(needed, ' or ')) END, NULL::text;
    ELSE
        RETURN QUERY SELECT 'error', 'scope', format('%s needs the scope %s, which the key lacks', tool, array_to_string(needed, ' or ')),
                            format('Scopes cannot be added to a key. Make one: fluxbase %skeys create --name ... --scopes %s', k.kind, array_to_string(k.scopes || needed[1:1], ','));
    END IF;
    RETURN QUERY SELECT * FROM mcp._access_allowed(tool);
    IF built_in THEN
        RETURN QUERY SELECT 'ok', 'tool', format('%s is built in', tool), NULL::text;
        RETURN;
    END IF;
    SELECT r.* INTO entry FROM mcp._registered() AS r WHERE r.kind = 'tool' AND r.name = tool;
    IF entry.function IS NULL THEN
        RETURN QUERY SELECT 'error', 'tool', format('its function %s does not exist any more', entry.signature), entry.unregister;
        RETURN;
    END IF;
    why := mcp._unfit('tool', tool, entry.function);
    IF why IS NOT NULL THEN
        RETURN QUERY SELECT 'error', 'tool', format('it does not work: %s', why), entry.unregister || ' -- or register it anew with what fits';
    END IF;
    IF role_oid IS NULL THEN
        RETURN;
    END IF;
    SELECT n.nspname INTO place FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE p.oid = entry.function;
    IF NOT has_schema_privilege(role_oid, place.nspname, 'USAGE') THEN
        RETURN QUERY SELECT 'error', 'grant', format('%s may not use schema %s, where its function is', k.role_name, place.nspname),
                            format('GRANT USAGE ON SCHEMA %I TO %I;', place.nspname, k.role_name);
    END IF;
    IF NOT has_function_privilege(role_oid, entry.function, 'EXECUTE') THEN
        RETURN QUERY SELECT 'error', 'grant', format('%s may not execute %s', k.role_name, entry.function::regprocedure),
                            format('GRANT EXECUTE ON FUNCTION %s TO %I;', entry.function::regprocedure, k.role_name);
    ELSE
        RETURN QUERY SELECT 'ok', 'grant', format('%s may execute %s', k.role_name, entry.function::regprocedure), NULL::text;
    END IF;
END
$$;

-- What the expressions of policies ask of a key, and this key does not have.
CREATE FUNCTION mcp._access_lacks(k mcp.keys, source pg_catalog.text)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'error', 'policy', 'a policy reads ' || mcp._misread($2), 'Write it with current_user, or auth.uid() for the user.' WHERE mcp._misread($2) IS NOT NULL
UNION ALL
SELECT 'warn', 'policy', 'a policy asks for the user (auth.uid()) and the key has none: it is NULL', format('fluxbase %skeys create --user USER_ID ...', k.kind)
 WHERE k.user_id IS NULL AND ($2 ~ '\mauth\.uid\(\)' OR $2 ~ '\mclaim\(''sub''')
UNION ALL
(SELECT 'warn', 'policy', format('a policy asks for the claim %s and the key has none: it is NULL', c.name), format('fluxbase %skeys create --claims ''{"%s": ...}'' ...', k.kind, c.name)
   FROM (SELECT DISTINCT m[1] AS name FROM regexp_matches($2, '(?:jwt\(\)\)?|claims\(\)\)?|''request\.jwt\.claims''[^>]*)\s*->>?\s*''([^'']+)''', 'g') AS m
         UNION
         SELECT DISTINCT m[1] FROM regexp_matches($2, '\mclaim\(''([^'']+)''', 'g') AS m) AS c
  WHERE c.name NOT IN ('sub', 'role') AND NOT k.claims ? c.name
  ORDER BY c.name)
UNION ALL
(SELECT 'warn', 'policy', format('a policy reads the setting %s, and neither the key nor its role nor the database gives it', c.name), format('fluxbase %skeys create --set ''%s=...'' ...', k.kind, c.name)
   FROM (SELECT DISTINCT m[1] AS name FROM regexp_matches($2, 'current_setting\(''([A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)+)''', 'g') AS m) AS c
  WHERE c.name NOT LIKE 'request.jwt.%' AND c.name NOT LIKE 'mcp.%' AND NOT k.settings ? c.name
    AND nullif(mcp._setting_for((SELECT r.oid FROM pg_roles AS r WHERE r.rolname = k.role_name), c.name), '') IS NULL
  ORDER BY c.name)
$$;

-- Row-level security of one table for one role: which policies let it do what.
CREATE FUNCTION mcp._access_policies(k mcp.keys, role_oid pg_catalog.oid, relation pg_catalog.oid)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rel record;
    v record;
    p record;
BEGIN
    SELECT c.relrowsecurity, c.relforcerowsecurity, c.relowner INTO rel FROM pg_class AS c WHERE c.oid = relation;
    IF (SELECT r.rolbypassrls OR r.rolsuper FROM pg_roles AS r WHERE r.oid = role_oid) THEN
        RETURN QUERY SELECT 'ok', 'policy', format('%s bypasses row-level security: it sees every row', k.role_name), NULL::text;
        RETURN;
    END IF;
    IF NOT rel.relrowsecurity THEN
        RETURN QUERY SELECT 'warn', 'policy', 'row-level security is off: the key sees every row', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', relation::regclass);
        RETURN;
    END IF;
    IF pg_has_role(role_oid, rel.relowner, 'USAGE') AND NOT rel.relforcerowsecurity THEN
        RETURN QUERY SELECT 'warn', 'policy', format('%s has the rights of the owner %s: policies do not hold, the key sees every row', k.role_name, rel.relowner::regrole),
                            format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', relation::regclass);
        RETURN;
    END IF;
    FOR v IN SELECT * FROM (VALUES ('r', 'select', 'read any row'), ('a', 'insert', 'insert'), ('w', 'update', 'update any row'), ('d', 'delete', 'delete any row'))
                      AS x(cmd, verb, deed) LOOP
        SELECT string_agg(x.shown, '; ' ORDER BY x.polname) FILTER (WHERE x.polpermissive) AS permissive,
               string_agg(x.shown, '; ' ORDER BY x.polname) FILTER (WHERE NOT x.polpermissive) AS restrictive INTO p
          FROM (SELECT q.polname, q.polpermissive,
                       format('%s: %s', q.polname, CASE WHEN v.cmd = 'a' THEN coalesce(pg_get_expr(q.polwithcheck, q.polrelid), pg_get_expr(q.polqual, q.polrelid))
                                                        WHEN v.cmd = 'w' AND q.polwithcheck IS NOT NULL AND q.polqual IS NOT NULL
                                                             THEN pg_get_expr(q.polqual, q.polrelid) || ' with check ' || pg_get_expr(q.polwithcheck, q.polrelid)
                                                        ELSE coalesce(pg_get_expr(q.polqual, q.polrelid), pg_get_expr(q.polwithcheck, q.polrelid)) END) AS shown
                  FROM pg_policy AS q
                 WHERE q.polrelid = relation AND q.polcmd IN (v.cmd::"char", '*')
                   AND EXISTS (SELECT FROM unnest(q.polroles) AS o(r) WHERE o.r = 0 OR pg_has_role(role_oid, o.r, 'USAGE') OR o.r = role_oid)) AS x;
        IF p.permissive IS NULL THEN
            RETURN QUERY SELECT CASE v.cmd WHEN 'r' THEN 'error' ELSE 'warn' END, 'policy',
                format('no %spolicy lets %s %s', CASE WHEN p.restrictive IS NULL THEN '' ELSE 'permissive ' END, k.role_name, v.deed)
                    || CASE WHEN p.restrictive IS NULL THEN '' ELSE '; restrictive ones only take away: ' || p.restrictive END,
                format('CREATE POLICY ... ON %s FOR %s TO %I ...;', relation::regclass, upper(v.verb), k.role_name);
        ELSE
            RETURN QUERY SELECT 'ok', 'policy', format('%s by %s', v.verb, p.permissive)
                || CASE WHEN p.restrictive IS NULL THEN '' ELSE ', and only where ' || p.restrictive END, NULL::text;
        END IF;
    END LOOP;
    RETURN QUERY
        SELECT l.* FROM mcp._access_lacks(k, (
            SELECT string_agg(concat_ws(' ', pg_get_expr(q.polqual, q.polrelid), pg_get_expr(q.polwithcheck, q.polrelid)), ' ' ORDER BY q.polname)
              FROM pg_policy AS q
             WHERE q.polrelid = relation
               AND EXISTS (SELECT FROM unnest(q.polroles) AS o(r) WHERE o.r = 0 OR pg_has_role(role_oid, o.r, 'USAGE') OR o.r = role_oid))) AS l;
END
$$;

CREATE FUNCTION mcp._access_relation(k mcp.keys, relation pg_catalog.text)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rel record;
    role_oid oid := (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = k.role_name);
    parts text[] := parse_ident(relation);
    places text[] := ARRAY['public'] || mcp._items(current_setting('mcp.search_schemas'));
    near text;
    verb text;
    listed text;
    t record;
BEGIN
    FOREACH verb IN ARRAY ARRAY['read:tables', 'write:tables'] LOOP
        IF mcp._access_has(k, ARRAY[verb]) THEN
            RETURN QUERY SELECT 'ok', 'scope', format('the key has %s', verb), NULL::text;
        ELSE
            RETURN QUERY SELECT CASE verb WHEN 'read:tables' THEN 'error' ELSE 'warn' END, 'scope', format('the key lacks %s', verb),
                                format('Scopes cannot be added to a key. Make one: fluxbase %skeys create --name ... --scopes %s', k.kind, array_to_string(k.scopes || verb, ','));
        END IF;
    END LOOP;
    RETURN QUERY SELECT * FROM mcp._access_allowed('query_table');
    IF role_oid IS NULL THEN
        RETURN;
    END IF;
    IF cardinality(parts) > 1 THEN
        places := parts[1:1];
    END IF;
    SELECT c.oid, c.relkind, c.relrowsecurity, c.reloptions, c.relowner, n.nspname, n.oid AS schema_oid INTO rel
      FROM unnest(places) WITH ORDINALITY AS s(name, at)
           JOIN pg_namespace AS n ON n.nspname = s.name
           JOIN pg_class AS c ON c.relnamespace = n.oid
     WHERE c.relname = parts[cardinality(parts)] AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND cardinality(parts) <= 2
     ORDER BY s.at LIMIT 1;
    IF NOT FOUND THEN
        SELECT string_agg(x.name, ', ') INTO near
          FROM (SELECT c.oid::regclass::text AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                 WHERE lower(c.relname) = lower(parts[cardinality(parts)]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                   AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 3) AS x;
        RETURN QUERY SELECT 'error', 'table', format('there is no table or view %s', relation),
                            coalesce('Did you mean ' || near || '? ', '') || 'Write schema.table; names are case-sensitive.';
        RETURN;
    END IF;
    IF rel.nspname = ANY (mcp._items(current_setting('mcp.hidden_schemas'))) OR rel.nspname IN ('pg_catalog', 'information_schema') THEN
        IF rel.nspname NOT IN ('pg_catalog', 'information_schema')
           AND (k.kind = 'service' OR (to_regrole('mcp_admin') IS NOT NULL AND pg_has_role(role_oid, to_regrole('mcp_admin'), 'MEMBER'))) THEN
            RETURN QUERY SELECT 'ok', 'schema', format('schema %s is hidden, and this key is an admin''s', rel.nspname), NULL::text;
        ELSE
            RETURN QUERY SELECT 'error', 'schema', CASE WHEN rel.nspname IN ('pg_catalog', 'information_schema') THEN format('schema %s is hidden from all keys', rel.nspname)
                                                        ELSE format('schema %s is hidden from all but admins (mcp.hidden_schemas)', rel.nspname) END,
                                CASE WHEN rel.nspname IN ('pg_catalog', 'information_schema') THEN 'The tools list_tables and describe_table tell what a key may know.'
                                     ELSE 'Use a service key, or a view in another schema.' END;
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
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO listed
              FROM pg_attribute AS a
             WHERE a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(role_oid, rel.oid, a.attnum, verb);
            RETURN QUERY SELECT 'ok', 'grant', format('%s may %s some columns: %s', k.role_name, lower(verb), listed), NULL::text;
        ELSE
            RETURN QUERY SELECT CASE verb WHEN 'SELECT' THEN 'error' ELSE 'warn' END, 'grant', format('%s may not %s: the table is not accessible for it', k.role_name, lower(verb)),
                                format('SELECT mcp.expose(%L, %L, ARRAY[%L]);', rel.oid::regclass, k.role_name, lower(verb));
        END IF;
    END LOOP;
    IF rel.relkind = 'v' THEN
        IF EXISTS (SELECT FROM unnest(rel.reloptions) AS o WHERE o ~* '^security_invoker=(true|on|1|yes)$') THEN
            RETURN QUERY SELECT 'ok', 'view', 'the view reads its tables as the key''s role: their grants and policies hold', NULL::text;
            FOR t IN SELECT DISTINCT d.refobjid AS oid, d.refobjid::regclass::text AS name, c.relkind
                       FROM pg_rewrite AS q JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = q.oid AND d.refclassid = 'pg_class'::regclass
                            JOIN pg_class AS c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                      WHERE q.ev_class = rel.oid AND d.refobjid <> rel.oid ORDER BY 2 LOOP
                IF NOT (has_table_privilege(role_oid, t.oid, 'SELECT') OR has_any_column_privilege(role_oid, t.oid, 'SELECT')) THEN
                    RETURN QUERY SELECT 'error', 'view', format('the view reads %s, and %s may not', t.name, k.role_name), format('SELECT mcp.expose(%L, %L);', t.name, k.role_name);
                ELSIF t.relkind IN ('r', 'p') THEN
                    RETURN QUERY SELECT a.level, a.topic, format('%s: %s', t.name, a.finding), a.remedy FROM mcp._access_policies(k, role_oid, t.oid) AS a;
                END IF;
            END LOOP;
        ELSE
            RETURN QUERY SELECT 'warn', 'view', format('the view reads its tables as its owner %s: what that role sees, the key sees', rel.relowner::regrole),
                                CASE WHEN current_setting('server_version_num')::int >= 150000 THEN format('ALTER VIEW %s SET (security_invoker = true);', rel.oid::regclass)
                                     ELSE format('ALTER VIEW %s OWNER TO a role for which the policies hold.', rel.oid::regclass) END;
        END IF;
    ELSIF rel.relkind IN ('r', 'p') THEN
        RETURN QUERY SELECT * FROM mcp._access_policies(k, role_oid, rel.oid);
        IF (SELECT coalesce(sum(pg_relation_size(p.relid)), 0) FROM pg_partition_tree(rel.oid) AS p) = 0
           AND pg_relation_size(rel.oid) = 0 AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = rel.oid AND pg_relation_size(i.inhrelid) > 0) THEN
            RETURN QUERY SELECT 'info', 'table', 'the table holds no rows at all', NULL::text;
        END IF;
    END IF;
END
$$;

CREATE FUNCTION mcp.doctor_access(key_name pg_catalog.text, relation pg_catalog.text DEFAULT NULL, tool pg_catalog.text DEFAULT NULL)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    k mcp.keys;
    others int;
BEGIN
    PERFORM mcp.version(); -- loads the library, so that its settings are known also when it is not preloaded
    SELECT x.* INTO k FROM mcp.keys AS x WHERE x.name = key_name OR x.key_id = key_name
     ORDER BY x.key_id = key_name DESC, x.revoked_at IS NULL DESC, x.created_at DESC, x.key_id LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no key has the id or name "%"', key_name USING ERRCODE = 'no_data_found', HINT = 'SELECT * FROM mcp.list_keys(''client'') shows them.';
    END IF;
    SELECT count(*) INTO others FROM mcp.keys AS x WHERE x.name = key_name AND x.key_id <> k.key_id AND x.revoked_at IS NULL;
    IF others > 0 AND k.key_id <> key_name THEN
        RETURN QUERY SELECT 'info', 'key', format('%s keys have this name; this is about the newest, %s', others + 1, k.key_id), 'Name one by its id: SELECT * FROM mcp.list_keys(''client'');';
    END IF;
    RETURN QUERY SELECT * FROM mcp._access_key(k);
    IF relation IS NOT NULL THEN
        RETURN QUERY SELECT * FROM mcp._access_relation(k, relation);
    END IF;
    IF tool IS NOT NULL THEN
        RETURN QUERY SELECT * FROM mcp._access_tool(k, tool);
    END IF;
END
$$;
COMMENT ON FUNCTION mcp.doctor_access IS 'Tells why a key sees or does not see a table, or is not shown a tool: key, scope, allow-list, schema, grant, policy.';

DO $$
DECLARE
    made regprocedure;
BEGIN
    FOR made IN
        SELECT p.oid FROM pg_catalog.pg_proc AS p
         WHERE p.pronamespace OPERATOR(pg_catalog.=) 'mcp'::pg_catalog.regnamespace
           AND (p.proname OPERATOR(pg_catalog.~) '^(doctor|_doctor_|_access_)'
                OR p.proname OPERATOR(pg_catalog.=) ANY (ARRAY['_key_roles', '_key_grantees', '_listeners', '_setting_for', '_items', '_version_numbers',
                                                               '_registered', '_unfit', '_misread', '_reread', '_past_policies']))
    LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO mcp_owner', made);
    END LOOP;
END
$$;
