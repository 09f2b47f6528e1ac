-- What people and models read of the relation $1 (oid) beyond its columns, as far as the current role may know of it.
-- Runs with search_path = pg_catalog, pg_temp. A key or a check is shown when every column of it is readable.
-- It is asked at each call: COMMENT ON sends no message that would make a kept description stale, nor does ANALYZE of a partition
-- to its parent.
SELECT json_build_object(
         'comment', obj_description(c.oid, 'pg_class'),
         'comments', coalesce((SELECT json_object_agg(a.attname, d.description)
                                 FROM pg_attribute AS a
                                      JOIN pg_description AS d ON d.objoid = a.attrelid AND d.objsubid = a.attnum
                                                              AND d.classoid = 'pg_class'::regclass
                                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
         -- Hidden rows must not be counted for anybody.
         'row_estimate',
           CASE WHEN c.relkind <> 'v' AND NOT row_security_active(c.oid)
                 AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
                THEN round(CASE WHEN NOT c.relhassubclass THEN nullif(c.reltuples, -1)
                                ELSE coalesce((WITH RECURSIVE family(oid) AS (
                                                 SELECT c.oid
                                                 UNION
                                                 SELECT i.inhrelid FROM family JOIN pg_inherits AS i ON i.inhparent = family.oid)
                                               SELECT sum(m.reltuples::float8)
                                                 FROM family JOIN pg_class AS m ON m.oid = family.oid
                                                WHERE m.relkind <> 'p' AND m.reltuples >= 0), nullif(c.reltuples, -1))
                           END)::int8 END,
         'primary_key', (SELECT json_agg(a.attname ORDER BY k.n)
                           FROM pg_constraint AS o
                                CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY AS k(attnum, n)
                                JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.attnum
                          WHERE o.conrelid = c.oid AND o.contype = 'p'
                         HAVING bool_and(has_column_privilege(o.conrelid, k.attnum, 'SELECT'))),
         'unique', coalesce((SELECT json_agg(u.columns ORDER BY u.name)
                               FROM (SELECT o.conname AS name, json_agg(a.attname ORDER BY k.n) AS columns
                                       FROM pg_constraint AS o
                                            CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY AS k(attnum, n)
                                            JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.attnum
                                      WHERE o.conrelid = c.oid AND o.contype = 'u'
                                      GROUP BY o.oid, o.conname
                                     HAVING bool_and(has_column_privilege(o.conrelid, k.attnum, 'SELECT'))) AS u), '[]'),
         'checks', coalesce((SELECT json_agg(json_build_object('name', o.conname, 'check', pg_get_constraintdef(o.oid)) ORDER BY o.conname)
                               FROM pg_constraint AS o
                              WHERE o.conrelid = c.oid AND o.contype = 'c'
                                -- Column 0 stands for the whole row.
                                AND NOT EXISTS (SELECT FROM unnest(o.conkey) AS k(attnum)
                                                 WHERE NOT CASE WHEN k.attnum = 0 THEN has_table_privilege(c.oid, 'SELECT')
                                                                ELSE has_column_privilege(c.oid, k.attnum, 'SELECT') END)), '[]'))::text
  FROM pg_class AS c
 WHERE c.oid = $1
