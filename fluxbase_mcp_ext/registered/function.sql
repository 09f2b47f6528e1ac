-- What a call must know of the functions $1 (oid[]), a line each: JSON. Runs with search_path = pg_catalog, pg_temp, so that names of
-- types come out schema-qualified.
SELECT json_build_object(
         'oid', p.oid::int8, 'schema', n.nspname,
         'kind', p.prokind, 'set', p.proretset, 'volatile', p.provolatile = 'v', 'variadic', p.provariadic <> 0,
         'returns', json_build_object('name', r.typname, 'built_in', r.typnamespace = 'pg_catalog'::regnamespace, 'pseudo', r.typtype = 'p'),
         'arguments', coalesce((
           SELECT json_agg(json_build_object(
                    'name', coalesce(p.proargnames[m.at], ''), 'at', m.at - 1,
                    'type_oid', t.oid::int8, 'type_sql', format_type(t.oid, NULL), 'pseudo', t.typtype = 'p',
                    'array', e.oid IS NOT NULL,
                    'base_name', coalesce(e.typname, b.typname),
                    'built_in', coalesce(e.typnamespace, b.typnamespace) = 'pg_catalog'::regnamespace,
                    'category', coalesce(e.typcategory, b.typcategory),
                    'labels', coalesce((SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder)
                                          FROM pg_enum AS l WHERE l.enumtypid = coalesce(e.oid, b.oid)), '[]'),
                    'optional', m.n > p.pronargs - p.pronargdefaults)
                  ORDER BY m.at)
             FROM (SELECT i.at, row_number() OVER (ORDER BY i.at) AS n
                     FROM unnest(coalesce(p.proargmodes, array_fill('i'::"char", ARRAY[p.pronargs::int4]))) WITH ORDINALITY AS i(mode, at)
                    WHERE i.mode IN ('i', 'b', 'v')) AS m
                  JOIN unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(type, n) ON a.n = m.n
                  JOIN pg_type AS t ON t.oid = a.type
                  CROSS JOIN LATERAL (
                    WITH RECURSIVE up(oid, base) AS (
                      SELECT t.oid, t.typbasetype
                      UNION ALL
                      SELECT u.oid, u.typbasetype FROM up JOIN pg_type AS u ON u.oid = up.base)
                    SELECT up.oid FROM up WHERE up.base = 0) AS root
                  JOIN pg_type AS b ON b.oid = root.oid
                  LEFT JOIN LATERAL (
                    WITH RECURSIVE up(oid, base) AS (
                      SELECT i.oid, i.typbasetype FROM pg_type AS i WHERE i.oid = b.typelem
                      UNION ALL
                      SELECT u.oid, u.typbasetype FROM up JOIN pg_type AS u ON u.oid = up.base)
                    SELECT i.* FROM up JOIN pg_type AS i ON i.oid = up.oid WHERE up.base = 0) AS e
                    ON b.oid = (SELECT i.typarray FROM pg_type AS i WHERE i.oid = b.typelem)), '[]'),
         -- What comes out under a name: OUT, INOUT and TABLE, else the fields of a row type.
         'results', coalesce((
           SELECT json_agg(json_build_object('name', coalesce(nullif(p.proargnames[o.at], ''), 'column' || o.at), 'type_oid', o.type::int8,
                                             'at', o.at - 1, 'mode', o.mode) ORDER BY o.at)
             FROM unnest(p.proargmodes, p.proallargtypes) WITH ORDINALITY AS o(mode, type, at) WHERE o.mode IN ('o', 'b', 't')), (
           SELECT json_agg(json_build_object('name', a.attname, 'type_oid', a.atttypid::int8, 'at', 0, 'mode', 'a') ORDER BY a.attnum)
             FROM pg_attribute AS a
            WHERE r.typtype = 'c' AND a.attrelid = r.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]'))::text
  FROM pg_proc AS p
       JOIN pg_namespace AS n ON n.oid = p.pronamespace
       JOIN pg_type AS o ON o.oid = p.prorettype
       CROSS JOIN LATERAL (
         WITH RECURSIVE up(oid, base) AS (
           SELECT o.oid, o.typbasetype
           UNION ALL
           SELECT u.oid, u.typbasetype FROM up JOIN pg_type AS u ON u.oid = up.base)
         SELECT up.oid FROM up WHERE up.base = 0) AS root
       JOIN pg_type AS r ON r.oid = root.oid
 WHERE p.oid = ANY ($1)
