-- Keys and relations of the relation $1 (oid) as far as the current role may know of them.
-- Runs with search_path = pg_catalog, pg_temp. A key is shown when every column of it is readable.
-- Comments are here and not in table.sql: COMMENT ON sends no message that would make a cached description stale.
SELECT json_build_object(
         'comment', obj_description($1, 'pg_class'),
         'comments', coalesce((SELECT json_object_agg(a.attname, d.description)
                                 FROM pg_attribute AS a
                                      JOIN pg_description AS d ON d.objoid = a.attrelid AND d.objsubid = a.attnum
                                                              AND d.classoid = 'pg_class'::regclass
                                WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
         'primary_key', (SELECT json_agg(a.attname ORDER BY k.n)
                           FROM pg_constraint AS o
                                CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY AS k(attnum, n)
                                JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.attnum
                          WHERE o.conrelid = $1 AND o.contype = 'p'
                         HAVING bool_and(has_column_privilege(o.conrelid, k.attnum, 'SELECT'))),
         'unique', coalesce((SELECT json_agg(u.columns ORDER BY u.name)
                               FROM (SELECT o.conname AS name, json_agg(a.attname ORDER BY k.n) AS columns
                                       FROM pg_constraint AS o
                                            CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY AS k(attnum, n)
                                            JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.attnum
                                      WHERE o.conrelid = $1 AND o.contype = 'u'
                                      GROUP BY o.oid, o.conname
                                     HAVING bool_and(has_column_privilege(o.conrelid, k.attnum, 'SELECT'))) AS u), '[]'),
         'foreign_keys', coalesce((SELECT json_agg(f.line ORDER BY f.name) FROM (
             SELECT o.conname AS name, json_build_object(
                      'columns', json_agg(a.attname ORDER BY k.n),
                      'references', json_build_object('schema', n.nspname, 'table', r.relname,
                                                      'columns', json_agg(b.attname ORDER BY k.n))) AS line
               FROM pg_constraint AS o
                    JOIN pg_class AS r ON r.oid = o.confrelid
                    JOIN pg_namespace AS n ON n.oid = r.relnamespace
                    CROSS JOIN LATERAL unnest(o.conkey, o.confkey) WITH ORDINALITY AS k(own, other, n)
                    JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.own
                    JOIN pg_attribute AS b ON b.attrelid = o.confrelid AND b.attnum = k.other
              WHERE o.conrelid = $1 AND o.contype = 'f' AND o.conparentid = 0 AND n.nspname <> ALL ($2)
                AND has_schema_privilege(n.oid, 'USAGE')
              GROUP BY o.oid, o.conname, n.nspname, r.relname
             HAVING bool_and(has_column_privilege(o.conrelid, k.own, 'SELECT')
                             AND has_column_privilege(o.confrelid, k.other, 'SELECT'))) AS f), '[]'),
         'referenced_by', coalesce((SELECT json_agg(f.line ORDER BY f.name) FROM (
             SELECT o.conname AS name, json_build_object(
                      'schema', n.nspname, 'table', r.relname,
                      'columns', json_agg(a.attname ORDER BY k.n),
                      'to', json_agg(b.attname ORDER BY k.n)) AS line
               FROM pg_constraint AS o
                    JOIN pg_class AS r ON r.oid = o.conrelid
                    JOIN pg_namespace AS n ON n.oid = r.relnamespace
                    CROSS JOIN LATERAL unnest(o.conkey, o.confkey) WITH ORDINALITY AS k(other, own, n)
                    JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.other
                    JOIN pg_attribute AS b ON b.attrelid = o.confrelid AND b.attnum = k.own
              WHERE o.confrelid = $1 AND o.contype = 'f' AND o.conparentid = 0 AND n.nspname <> ALL ($2)
                AND has_schema_privilege(n.oid, 'USAGE')
              GROUP BY o.oid, o.conname, n.nspname, r.relname
             HAVING bool_and(has_column_privilege(o.conrelid, k.other, 'SELECT')
                             AND has_column_privilege(o.confrelid, k.own, 'SELECT'))) AS f), '[]'))::text
