-- What doctor says of everything that holds rows or decides about them: grants, row-level security, policies, views, functions.
--
-- Each function goes through the catalog once, whatever the number of tables: grants are read from the access lists, not asked
-- one by one. Grants on single columns are not looked at here; mcp.doctor_access does.

CREATE FUNCTION mcp._doctor_public()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'warn', 'public', h.finding, h.remedy || ' -- whoever has the listener''s password has this too' FROM mcp._public() AS h
UNION ALL
(SELECT 'warn', 'public', format('what %s creates in %s is granted to PUBLIC: %s', d.defaclrole::regrole,
                                 coalesce('schema ' || quote_ident(n.nspname), 'any schema'), k.name),
        format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE ALL ON %s FROM PUBLIC;', d.defaclrole::regrole,
               coalesce(format(' IN SCHEMA %I', n.nspname), ''), upper(k.name))
   FROM pg_default_acl AS d
        LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
        JOIN (VALUES ('r', 'tables'), ('S', 'sequences')) AS k(kind, name) ON k.kind = d.defaclobjtype::text
  WHERE EXISTS (SELECT FROM aclexplode(d.defaclacl) AS a WHERE a.grantee = 0)
  ORDER BY 3)
UNION ALL
(SELECT 'warn', 'defaults', format('tables that %s creates in %s are granted to %s, without row-level security until you enable it',
                                   d.defaclrole::regrole, coalesce('schema ' || quote_ident(n.nspname), 'any schema'), g.roles),
        format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE ALL ON TABLES FROM %s;', d.defaclrole::regrole,
               coalesce(format(' IN SCHEMA %I', n.nspname), ''), g.roles)
   FROM pg_default_acl AS d
        LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
        CROSS JOIN LATERAL (
          SELECT string_agg(DISTINCT quote_ident(k.name), ', ') AS roles
            FROM aclexplode(d.defaclacl) AS a JOIN mcp._key_roles() AS k ON k.oid = a.grantee WHERE NOT k.bypass) AS g
  WHERE d.defaclobjtype = 'r' AND g.roles IS NOT NULL
  ORDER BY 3)
$$;

CREATE FUNCTION mcp._doctor_tables()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
WITH grantees AS MATERIALIZED (SELECT g.* FROM mcp._key_grantees() AS g WHERE NOT g.bypass),
tables AS MATERIALIZED (
    SELECT c.oid, c.oid::regclass::text AS name, c.relacl, c.relowner, c.relrowsecurity, c.relforcerowsecurity
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'),
granted AS MATERIALIZED (
    SELECT DISTINCT t.oid, t.name AS shown, t.relrowsecurity, t.relowner, g.role, g.name, a.privilege_type
      FROM tables AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS a JOIN grantees AS g ON g.grantee = a.grantee
     WHERE a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
       -- What the owner may do is no grant; it is told apart below.
       AND NOT EXISTS (SELECT FROM grantees AS o WHERE o.role = g.role AND o.grantee = t.relowner))
(SELECT 'warn', 'rls', format('%s: row-level security is off and %s may use it', t.shown, string_agg(DISTINCT t.name, ', ')),
        format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; -- then create policies, unless every row is for everybody', t.shown)
   FROM granted AS t
  WHERE NOT t.relrowsecurity AND t.privilege_type IN ('INSERT', 'UPDATE', 'DELETE')
  GROUP BY t.oid, t.shown ORDER BY t.shown)
UNION ALL
(SELECT 'info', 'rows', format('%s: no policy lets %s see or write a row', t.shown, string_agg(DISTINCT t.name, ', ')),
        format('REVOKE ALL ON %s FROM %s; -- or CREATE POLICY', t.shown, string_agg(DISTINCT quote_ident(t.name), ', '))
   FROM granted AS t
  WHERE t.relrowsecurity
    AND NOT EXISTS (SELECT FROM pg_policy AS p CROSS JOIN LATERAL unnest(p.polroles) AS o(r) JOIN grantees AS g ON g.grantee = o.r
                     WHERE p.polrelid = t.oid AND p.polpermissive AND g.role = t.role)
  GROUP BY t.oid, t.shown ORDER BY t.shown)
UNION ALL
(SELECT 'warn', 'owner', format('%s belongs to %s, which has the rights of its owner: policies do not hold for it', t.name,
                                string_agg(DISTINCT g.name, ', ')),
        CASE WHEN t.relrowsecurity THEN format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', t.name)
             ELSE format('ALTER TABLE %s OWNER TO CURRENT_USER; -- or to another role that keys do not stand for', t.name) END
   FROM tables AS t JOIN grantees AS g ON g.grantee = t.relowner
  WHERE NOT (t.relrowsecurity AND t.relforcerowsecurity)
  GROUP BY t.oid, t.name, t.relrowsecurity ORDER BY t.name)
$$;

-- What in a text of SQL, or in a policy as Postgres writes it, does not mean what it seems to while a tool runs.
CREATE FUNCTION mcp._misread(source pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN $1 ~* '\msession_user\M' THEN 'session_user, which is the listener''s login while a tool runs'
            WHEN $1 ~* '\mcurrent_setting\s*\(\s*''role''' THEN 'current_setting(''role''), which is none while a tool runs' END
$$;

-- An expression of a policy with the current role in the place of the session's.
CREATE FUNCTION mcp._reread(source pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT regexp_replace(regexp_replace($1, '\mSESSION_USER\M', 'CURRENT_USER', 'g'), '\mcurrent_setting\(''role''::text(, (true|false))?\)', '(CURRENT_USER)::text', 'g')
$$;

CREATE FUNCTION mcp._doctor_policies()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
WITH policies AS MATERIALIZED (
    SELECT p.oid, format('policy %I on %s', p.polname, p.polrelid::regclass) AS name, p.polname, p.polrelid::regclass::text AS relation,
           concat_ws(' ', e.qual, e.withcheck) AS source,
           concat(' USING (' || mcp._reread(e.qual) || ')', ' WITH CHECK (' || mcp._reread(e.withcheck) || ')') AS mended
      FROM pg_policy AS p
           CROSS JOIN LATERAL (SELECT pg_get_expr(p.polqual, p.polrelid) AS qual, pg_get_expr(p.polwithcheck, p.polrelid) AS withcheck OFFSET 0) AS e),
functions AS MATERIALIZED (
    SELECT f.oid, f.oid::regprocedure::text AS name, f.prosrc, string_agg(DISTINCT p.name, ', ') AS callers, count(DISTINCT p.oid) AS n
      FROM pg_depend AS d
           JOIN policies AS p ON p.oid = d.objid
           JOIN pg_proc AS f ON f.oid = d.refobjid
           JOIN pg_namespace AS n ON n.oid = f.pronamespace
     WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_proc'::regclass AND n.nspname NOT IN ('pg_catalog', 'mcp')
     GROUP BY f.oid),
protected AS MATERIALIZED (SELECT coalesce(current_setting('mcp.protect_request_claims', true)::bool, false) AS is)
(SELECT 'error', 'policy', format('%s reads %s', p.name, mcp._misread(p.source)),
        format('ALTER POLICY %I ON %s%s; -- or auth.uid() for the user', p.polname, p.relation, p.mended)
   FROM policies AS p WHERE mcp._misread(p.source) IS NOT NULL ORDER BY p.relation, p.polname)
UNION ALL
(SELECT 'error', 'policy', format('function %s, which %s, reads %s', f.name,
                                  CASE f.n WHEN 1 THEN f.callers || ' calls' ELSE f.n || ' policies call' END, mcp._misread(f.prosrc)),
        'Use current_user in it, or mcp.claim(''sub'') for the user.'
   FROM functions AS f WHERE mcp._misread(f.prosrc) IS NOT NULL ORDER BY f.name)
UNION ALL
(SELECT 'warn', 'claims', format('%s reads %s, which every SQL session can set for itself', p.name, substring(p.source FROM 'request\.jwt\.[a-z.]*[a-z]')),
        format('Write policy %I on %s with auth.uid() or mcp.claim(''...''), or set mcp.protect_request_claims = on and restart.', p.polname, p.relation)
   FROM policies AS p, protected WHERE NOT protected.is AND p.source LIKE '%request.jwt.%' ORDER BY p.relation, p.polname)
UNION ALL
(SELECT 'warn', 'claims', format('function %s, which %s, reads %s, which every SQL session can set for itself', f.name,
                                 CASE f.n WHEN 1 THEN f.callers || ' calls' ELSE f.n || ' policies call' END,
                                 substring(f.prosrc FROM 'request\.jwt\.[a-z.]*[a-z]')),
        'Let it read mcp.claim(''sub''), or set mcp.protect_request_claims = on and restart (PostgREST cannot set it then).'
   FROM functions AS f, protected WHERE NOT protected.is AND f.prosrc LIKE '%request.jwt.%' ORDER BY f.name)
$$;

-- Views through which a key's role reads tables past their policies. A view reads what lies below it as its owner; one with
-- security_invoker as whoever reads the view, which may be another view's owner.
CREATE FUNCTION mcp._past_policies() RETURNS TABLE (view pg_catalog.oid, kind pg_catalog.text, "table" pg_catalog.oid, via pg_catalog.oid, reader pg_catalog.oid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
WITH RECURSIVE views AS MATERIALIZED (
    SELECT c.oid, c.relkind, c.relowner, c.relacl,
           c.relkind = 'v' AND EXISTS (SELECT FROM unnest(c.reloptions) AS o WHERE o ~* '^security_invoker=(true|on|1|yes)$') AS invoker
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'mcp')),
reads AS MATERIALIZED (
    SELECT DISTINCT q.ev_class AS view, d.refobjid AS relation
      FROM views AS v
           JOIN pg_rewrite AS q ON q.ev_class = v.oid
           JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = q.oid AND d.refclassid = 'pg_class'::regclass
     WHERE d.refobjid <> q.ev_class),
below(top, relation, via, reader) AS (
    SELECT v.oid, v.oid, NULL::oid, NULL::oid FROM views AS v
    UNION
    SELECT b.top, r.relation, CASE WHEN v.invoker THEN b.via ELSE v.oid END, CASE WHEN v.invoker THEN b.reader ELSE v.relowner END
      FROM below AS b JOIN views AS v ON v.oid = b.relation JOIN reads AS r ON r.view = v.oid
     -- What a materialized view below holds was read when it was refreshed.
     WHERE b.relation = b.top OR v.relkind = 'v')
SELECT b.top, v.relkind::text, c.oid, b.via, b.reader
  FROM below AS b
       JOIN views AS v ON v.oid = b.top
       JOIN pg_class AS c ON c.oid = b.relation AND c.relkind IN ('r', 'p') AND c.relrowsecurity
       JOIN pg_roles AS o ON o.oid = b.reader
 WHERE v.relkind = 'm' OR o.rolsuper OR o.rolbypassrls OR (pg_has_role(o.oid, c.relowner, 'USAGE') AND NOT c.relforcerowsecurity)
$$;

CREATE FUNCTION mcp._doctor_views()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'warn', 'view',
       CASE x.kind WHEN 'm' THEN format('materialized view %s holds rows of %s, and %s may read them past the policies', x.name, x.tables, x.roles)
            ELSE format('view %s reads %s as %s, so %s may read them past the policies', x.name, x.tables, x.readers, x.roles) END,
       CASE WHEN x.kind = 'm' THEN format('REVOKE ALL ON %s FROM %s;', x.name, x.granted)
            WHEN current_setting('server_version_num')::int >= 150000 THEN x.mend
            ELSE format('ALTER VIEW %s OWNER TO a role for which the policies hold; or REVOKE ALL ON %s FROM %s;', x.name, x.name, x.granted) END
  FROM (SELECT p.view::regclass::text AS name, p.kind, string_agg(DISTINCT p."table"::regclass::text, ', ') AS tables,
               string_agg(DISTINCT p.reader::regrole::text, ', ') AS readers,
               string_agg(DISTINCT format('ALTER VIEW %s SET (security_invoker = true);', p.via::regclass), ' ') AS mend, string_agg(DISTINCT g.name, ', ') AS roles,
               string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ') AS granted
          FROM mcp._past_policies() AS p
               JOIN pg_class AS c ON c.oid = p.view
               CROSS JOIN LATERAL aclexplode(c.relacl) AS a
               JOIN mcp._key_grantees() AS g ON g.grantee = a.grantee AND NOT g.bypass
         WHERE a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
         GROUP BY p.view, p.kind) AS x
 ORDER BY x.name
$$;

CREATE FUNCTION mcp._doctor_functions()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'warn', 'functions', format('function %s sets the role or reads it with current_setting(''role''), which is none while a tool runs', p.oid::regprocedure),
       'Use current_user instead; SET ROLE is refused while a tool runs.'
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'mcp')
   AND (p.prosrc ~* 'current_setting\s*\(\s*''role''' OR p.prosrc ~* '\mset\s+(local\s+)?role\M'
        OR EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'role=%'))
   -- Those that policies call and that read it are told of with the policies.
   AND NOT (p.prosrc ~* 'current_setting\s*\(\s*''role''' AND p.prosrc !~* '\mset\s+(local\s+)?role\M'
            AND EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid))
 ORDER BY p.oid::regprocedure::text
$$;

CREATE FUNCTION mcp.doctor(everything pg_catalog.bool DEFAULT false)
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp.version(); -- loads the library, so that its settings are known also when it is not preloaded
    RETURN QUERY
        WITH found AS MATERIALIZED (
            SELECT f.*, row_number() OVER () AS at
              FROM (SELECT * FROM mcp._doctor_server()
                    UNION ALL SELECT * FROM mcp._doctor_roles()
                    UNION ALL SELECT * FROM mcp._doctor_jobs()
                    UNION ALL SELECT * FROM mcp._doctor_listener()
                    UNION ALL SELECT * FROM mcp._doctor_keys()
                    UNION ALL SELECT * FROM mcp._doctor_registrations()
                    UNION ALL SELECT * FROM mcp._doctor_public()
                    UNION ALL SELECT * FROM mcp._doctor_tables()
                    UNION ALL SELECT * FROM mcp._doctor_policies()
                    UNION ALL SELECT * FROM mcp._doctor_views()
                    UNION ALL SELECT * FROM mcp._doctor_functions()) AS f(level, topic, finding, remedy)),
        counted AS (SELECT f.*, row_number() OVER (PARTITION BY f.level, f.topic ORDER BY f.at) AS n FROM found AS f)
        SELECT s.level, s.topic, s.finding, s.remedy
          FROM (SELECT c.level, c.topic, c.finding, c.remedy, c.at FROM counted AS c WHERE everything OR c.n <= mcp._doctor_shown()
                UNION ALL
                SELECT c.level, c.topic, format('and %s more like these', count(*)), 'fluxbase doctor --all, or: SELECT * FROM mcp.doctor(everything => true);', min(c.at)
                  FROM counted AS c WHERE NOT everything AND c.n > mcp._doctor_shown() GROUP BY c.level, c.topic) AS s
         ORDER BY s.at;
END
$$;
COMMENT ON FUNCTION mcp.doctor IS
    'Checks the set-up. level is ok, info, warn or error; remedy is the next step. Of one level and topic 20 findings are shown, or everything.';
