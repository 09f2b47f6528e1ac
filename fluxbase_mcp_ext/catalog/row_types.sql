-- Row types and those that they are made of, at any depth, with their fields, one line each: $1 the types (int8[]).
-- Runs with search_path = pg_catalog, pg_temp.
WITH RECURSIVE down(oid) AS (
  SELECT unnest($1)::oid
  UNION
  SELECT p.oid
    FROM down
         JOIN pg_type AS t ON t.oid = down.oid
         CROSS JOIN LATERAL (
           SELECT t.typbasetype WHERE t.typtype = 'd'
           UNION ALL
           SELECT t.typelem WHERE t.typsubscript = 'array_subscript_handler'::regproc
           UNION ALL
           SELECT a.atttypid FROM pg_attribute AS a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS p(oid))
SELECT json_build_object('oid', r.oid::int8, 'relation', r.typrelid::int8, 'fields', coalesce((
         SELECT json_agg(json_build_object(
                  'name', a.attname,
                  'type_oid', a.atttypid::int8,
                  'type_sql', format_type(a.atttypid, NULL),
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
                  'row', CASE WHEN coalesce(e.typtype, b.typtype) = 'c' THEN coalesce(e.oid, b.oid)::int8 END)
                ORDER BY a.attnum)
           FROM pg_attribute AS a
                CROSS JOIN LATERAL (
                  WITH RECURSIVE up(oid, base) AS (
                    SELECT u.oid, u.typbasetype FROM pg_type AS u WHERE u.oid = a.atttypid
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
          WHERE a.attrelid = r.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]'))::text
  FROM down JOIN pg_type AS r ON r.oid = down.oid
 WHERE r.typtype = 'c'
