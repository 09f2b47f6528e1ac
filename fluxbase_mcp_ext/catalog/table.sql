-- One relation as the current role may use it: $1 schema, $2 name. No row when the role has no privilege on it.
-- Runs with search_path = pg_catalog, pg_temp, so operators need no qualification.
SELECT json_build_object(
         'oid', c.oid::int8,
         'schema', n.nspname,
         'name', c.relname,
         'kind', c.relkind,
         'row_security', c.relrowsecurity,
         'verbs', array_remove(ARRAY[
                    CASE WHEN has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')
                         THEN 'select' END,
                    CASE WHEN w.writable
                          AND (has_table_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'INSERT'))
                         THEN 'insert' END,
                    CASE WHEN w.writable
                          AND (has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE'))
                         THEN 'update' END,
                    CASE WHEN w.writable AND has_table_privilege(c.oid, 'DELETE') THEN 'delete' END], NULL),
         'columns', coalesce((
           SELECT json_agg(json_build_object(
                    'name', a.attname,
                    'type_oid', a.atttypid::int8,
                    'type_sql', format_type(a.atttypid, NULL),
                    'type_shown', format_type(a.atttypid, a.atttypmod),
                    'typmod', a.atttypmod,
                    'base_oid', b.oid::int8,
                    'base_sql', format_type(b.oid, NULL),
                    'base_schema', (SELECT s.nspname FROM pg_namespace AS s WHERE s.oid = b.typnamespace),
                    'delimiter', coalesce(e.typdelim, b.typdelim),
                    'array_oid', b.typarray::int8,
                    'category', b.typcategory,
                    'is_composite', b.typtype = 'c',
                    'element_oid', coalesce(e.oid, 0)::int8,
                    'element_category', coalesce(e.typcategory, 'X'),
                    'not_null', a.attnotnull,
                    'has_default', a.atthasdef AND a.attgenerated = '',
                    'default', CASE WHEN a.atthasdef AND a.attgenerated = ''
                                    THEN pg_get_expr(d.adbin, d.adrelid) END,
                    'generated', a.attgenerated <> '' OR a.attidentity = 'a',
                    'identity', a.attidentity <> '',
                    'enum_labels', coalesce((SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder)
                                               FROM pg_enum AS l WHERE l.enumtypid = b.oid), '[]'),
                    'select', has_column_privilege(c.oid, a.attnum, 'SELECT'),
                    'insert', has_column_privilege(c.oid, a.attnum, 'INSERT'),
                    'update', has_column_privilege(c.oid, a.attnum, 'UPDATE'))
                  ORDER BY a.attnum)
             FROM pg_attribute AS a
                  JOIN pg_type AS t ON t.oid = a.atttypid
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
                  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE')), '[]')
       )::text
  FROM pg_class AS c
       JOIN pg_namespace AS n ON n.oid = c.relnamespace
       CROSS JOIN LATERAL (SELECT c.relkind IN ('r', 'p')
                               OR (c.relkind IN ('v', 'f') AND pg_relation_is_updatable(c.oid, true) <> 0)) AS w(writable)
 WHERE n.nspname = $1 AND c.relname = $2
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND has_schema_privilege(n.oid, 'USAGE')
   AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
