-- What a value of the types $1 (oid[]) must look like, a line each: JSON, as an argument in function.sql. Runs with
-- search_path = pg_catalog, pg_temp.
SELECT json_build_object(
         'name', '', 'type_oid', t.oid::int8, 'type_sql', format_type(t.oid, NULL), 'pseudo', t.typtype = 'p',
         'array', e.oid IS NOT NULL,
         'base_name', coalesce(e.typname, b.typname),
         'built_in', coalesce(e.typnamespace, b.typnamespace) = 'pg_catalog'::regnamespace,
         'category', coalesce(e.typcategory, b.typcategory),
         'labels', coalesce((SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder)
                               FROM pg_enum AS l WHERE l.enumtypid = coalesce(e.oid, b.oid)), '[]'),
         'optional', false)::text
  FROM pg_type AS t
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
         ON b.oid = (SELECT i.typarray FROM pg_type AS i WHERE i.oid = b.typelem)
 WHERE t.oid = ANY ($1)
