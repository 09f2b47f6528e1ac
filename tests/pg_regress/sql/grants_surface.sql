-- Everything that the extension owns and who may use it. Something new here is looked at before it is accepted: this file is the list.
\t on
\a
SET client_min_messages = warning;
-- Functions: definer or invoker, owner, search_path, who may execute.
SELECT p.oid::regprocedure, CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'invoker' END, p.proowner::regrole, l.lanname, p.provolatile, p.proparallel, coalesce(array_to_string(p.proconfig, ' '), '-'),
       (SELECT string_agg(CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ' ' ORDER BY CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END COLLATE "C")
          FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee <> p.proowner)
  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.pronamespace = 'mcp'::regnamespace ORDER BY p.oid::regprocedure::text COLLATE "C";
-- What must never be: a DEFINER without a pinned path, one of superuser's but the upkeep of tables that are the superuser's, a definer for PUBLIC, a table of somebody else's.
SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = 'mcp'::regnamespace AND p.prosecdef AND (p.proconfig IS NULL OR NOT 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig));
SELECT count(*) FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner WHERE p.pronamespace = 'mcp'::regnamespace AND p.prosecdef AND r.rolsuper AND p.proname NOT IN ('_maintain_functions', '_maintain_storage');
SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = 'mcp'::regnamespace AND p.prosecdef AND has_function_privilege('public', p.oid, 'EXECUTE');
-- Objects that belong to the extension.
SELECT regexp_replace(pg_describe_object(d.classid, d.objid, 0), '^function mcp\..*', 'functions') AS object, count(*) FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
 WHERE d.refclassid = 'pg_extension'::regclass AND d.classid <> 'pg_type'::regclass AND d.deptype = 'e' AND e.extname = 'fluxbase_mcp_ext' GROUP BY 1 ORDER BY 1;
SELECT c.relname, c.relkind, c.relowner::regrole, (SELECT string_agg(DISTINCT a.grantee::regrole::text, ' ') FROM aclexplode(c.relacl) AS a) AS acl FROM pg_class AS c WHERE c.relnamespace = 'mcp'::regnamespace AND c.relkind IN ('r', 'v', 'S', 'm') ORDER BY 1;
SELECT tgrelid::regclass, tgname, tgfoid::regproc, tgenabled FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'mcp'::regnamespace) AND NOT tgisinternal ORDER BY tgrelid::regclass::text;
SELECT nspname, nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'mcp';
-- Dumped with their rows.
SELECT unnest(extconfig)::regclass FROM pg_extension WHERE extname = 'fluxbase_mcp_ext' ORDER BY 1::text;
-- Settings and who may set them.
SELECT name, context, vartype, coalesce(unit, '-'), boot_val FROM pg_settings WHERE name LIKE 'mcp.%' ORDER BY name;
-- The roles.
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls FROM pg_roles WHERE rolname IN ('mcp_owner', 'mcp_admin', 'anon', 'authenticated', 'service_role') ORDER BY 1;
SELECT count(*) FROM pg_auth_members WHERE roleid = 'mcp_owner'::regrole OR member = 'mcp_owner'::regrole;
