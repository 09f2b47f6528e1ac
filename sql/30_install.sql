-- What holds the users' own data. These objects are not members of the extension: members would lose the users' policies,
-- indexes and triggers in pg_dump. Nothing that exists is replaced. The part "x" is what the function mcp._install_x() makes.

CREATE FUNCTION mcp.install(parts pg_catalog.text[] DEFAULT '{auth}', auth_schema pg_catalog.name DEFAULT 'auth')
    RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known text[];
    part text;
    helper record;
    usable text;
BEGIN
    SELECT array_agg(n.part ORDER BY n.part) INTO known
      FROM (SELECT 'auth' UNION ALL
            SELECT substr(f.proname, 10) FROM pg_proc AS f
             WHERE f.pronamespace = 'mcp'::regnamespace AND starts_with(f.proname, '_install_')) AS n(part);
    SELECT p INTO part FROM unnest(parts) AS p WHERE p IS NULL OR p <> ALL (known) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'parts: there is no part "%". Nothing was changed.', part
            USING ERRCODE = 'invalid_parameter_value', HINT = format('The parts of this version: %s.', array_to_string(known, ', '));
    END IF;
    IF 'auth' = ANY (parts) THEN
        IF to_regnamespace(quote_ident(auth_schema)) IS NULL THEN
            EXECUTE format('CREATE SCHEMA %I', auth_schema);
            RETURN NEXT format('schema %s created', auth_schema);
        ELSE
            RETURN NEXT format('schema %s is there already', auth_schema);
        END IF;
        FOR helper IN
            SELECT * FROM (VALUES
                ('uid', 'uuid', 'SELECT nullif(mcp.claim(''sub''), '''')::pg_catalog.uuid',
                 'The user of the key in whose name a tool runs; NULL when there is none.'),
                ('role', 'text', 'SELECT coalesce(mcp.claim(''role''), current_user::pg_catalog.text)',
                 'The role of the key in whose name a tool runs; the current role when there is none.'),
                ('jwt', 'jsonb', 'SELECT mcp.claims()', 'All claims of the key in whose name a tool runs.'),
                ('email', 'text', 'SELECT mcp.claim(''email'')', 'The email claim of the key in whose name a tool runs.')
            ) AS f(name, type, body, comment)
        LOOP
            IF to_regprocedure(format('%I.%I()', auth_schema, helper.name)) IS NOT NULL THEN
                RETURN NEXT format('function %I.%I() is there already and was left as it is: it must read request.jwt.claims, which this server sets, or mcp.claim()',
                                   auth_schema, helper.name);
                CONTINUE;
            END IF;
            EXECUTE format('CREATE FUNCTION %I.%I() RETURNS pg_catalog.%s LANGUAGE sql STABLE PARALLEL SAFE AS %L',
                           auth_schema, helper.name, helper.type, helper.body);
            EXECUTE format('COMMENT ON FUNCTION %I.%I() IS %L', auth_schema, helper.name, helper.comment);
            -- For PUBLIC on purpose: it tells a session nothing but its own claims, and every role's policies call it.
            EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%I() TO PUBLIC', auth_schema, helper.name);
            RETURN NEXT format('function %I.%I() created', auth_schema, helper.name);
        END LOOP;
        FOR usable IN SELECT r.role_name FROM mcp.allowed_roles AS r JOIN pg_roles AS p ON p.rolname = r.role_name LOOP
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', auth_schema, usable);
            RETURN NEXT format('%s may use schema %s', usable, auth_schema);
        END LOOP;
    END IF;
    FOREACH part IN ARRAY known LOOP
        CONTINUE WHEN part = 'auth' OR part <> ALL (parts);
        RETURN QUERY EXECUTE format('SELECT line FROM mcp.%I() AS line', '_install_' || part);
    END LOOP;
END
$$;
COMMENT ON FUNCTION mcp.install IS
    'Creates, where they are absent, what policies need (part auth: auth.uid(), auth.role(), auth.jwt(), auth.email()) and the tables of storage, functions, rpc, jobs, ai and audit. Ordinary objects, yours to change.';

-- Whether the tables of a part may be written by functions that run with more rights than who calls them: all are there and ordinary, one trusted
-- owner has them, and no trigger of theirs runs a function that somebody else owns. tools/part.rs asks the same for the tools.
CREATE FUNCTION mcp._part_is_ours(part pg_catalog.name, tables pg_catalog.name[]) RETURNS pg_catalog.bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT count(*) = cardinality(tables) AND count(DISTINCT c.relowner) = 1 AND bool_and(o.rolsuper OR o.oid = e.extowner)
       AND NOT bool_or(EXISTS (SELECT FROM pg_trigger AS t JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_roles AS r ON r.oid = f.proowner
                                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND NOT (r.rolsuper OR r.oid = e.extowner)))
  FROM pg_class AS c
       JOIN pg_namespace AS n ON n.oid = c.relnamespace
       JOIN pg_roles AS o ON o.oid = c.relowner
       JOIN pg_extension AS e ON e.extname = 'fluxbase_mcp_ext'
 WHERE n.nspname = part AND c.relkind = 'r' AND c.relname = ANY (tables)
$$;
COMMENT ON FUNCTION mcp._part_is_ours IS 'Whether tables that mcp.install made, the schema first, still belong to a superuser or the owner of the extension, with all their triggers.';
