-- The types $1 (int8[]) in their order, a line each, described as fields are in row_types.sql. Runs with search_path = pg_catalog, pg_temp.
SELECT json_build_object(
         'name', '',
         'type_oid', t.oid::int8,
         'type_sql', format_type(t.oid, NULL),
         'base_oid', b.oid::int8,
         'category', b.typcategory,
         'is_composite', b.typtype = 'c',
         'delimiter', coalesce(e.typdelim, b.typdelim),
         'element_oid', coalesce(e.oid, 0)::int8,
         'element_category', coalesce(e.typcategory, 'X'),
         'nested', coalesce(e.typsubscript = 'array_subscript_handler'::regproc, false),
         'has_json_cast', EXISTS (SELECT FROM pg_cast AS k
                                   WHERE k.castsource = coalesce(e.oid, b.oid) AND k.castsource >= 16384
                                     AND k.casttarget = 'json'::regtype AND k.castmethod = 'f'),
         'row', CASE WHEN coalesce(e.typtype, b.typtype) = 'c' THEN coalesce(e.oid, b.oid)::int8 END)::text
  FROM unnest($1) WITH ORDINALITY AS a(type, n)
       JOIN pg_type AS t ON t.oid = a.type::oid
       CROSS JOIN LATERAL (
         WITH RECURSIVE up(oid, base) AS (
           SELECT t.oid, t.typbasetype
           UNION ALL
           SELECT u.oid, u.typbasetype FROM up JOIN pg_type AS u ON u.oid = up.base)
         SELECT u.* FROM up JOIN pg_type AS u ON u.oid = up.oid WHERE up.base = 0) AS b
       LEFT JOIN LATERAL (
         WITH RECURSIVE up(oid, base) AS (
           SELECT u.oid, u.typbasetype FROM pg_type AS u WHERE u.oid = b.typelem
           UNION ALL
           SELECT u.oid, u.typbasetype FROM up JOIN pg_type AS u ON u.oid = up.base)
         SELECT u.* FROM up JOIN pg_type AS u ON u.oid = up.oid WHERE up.base = 0) AS e
         ON b.oid = (SELECT u.typarray FROM pg_type AS u WHERE u.oid = b.typelem)
 ORDER BY a.n
