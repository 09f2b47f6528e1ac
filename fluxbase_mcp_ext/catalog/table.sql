-- One relation as the current role may use it: $1 schema, $2 name. No row when the role has no privilege on it.
-- Runs with search_path = pg_catalog, pg_temp, so operators need no qualification.
SELECT json_build_object(
         'oid', c.oid::int8,
         'schema', n.nspname,
         'name', c.relname,
         'kind', c.relkind,
         'row_security', c.relrowsecurity,
         -- A view stands for what it reads: it counts as filtered when row security is on there, or when the role may not read
         -- there itself, since the view then hides rows in the way that a policy does.
         'filtered', row_security_active(c.oid) OR coalesce(v.filtered, false),
         'depends', coalesce(v.depends, '[]'),
         'key', coalesce((
           SELECT CASE WHEN k.readable THEN k.columns END
             FROM (SELECT i.indisprimary, x.relname AS name, json_agg(a.attname ORDER BY u.n) AS columns,
                          bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT')) AS readable,
                          -- From Postgres 18 on, NOT NULL may be marked before it is checked.
                          bool_and(a.attnotnull AND NOT EXISTS (
                            SELECT FROM pg_constraint AS o
                             WHERE o.conrelid = c.oid AND o.contype = 'n' AND o.conkey = ARRAY[a.attnum] AND NOT o.convalidated)) AS filled
                     FROM pg_index AS i
                          JOIN pg_class AS x ON x.oid = i.indexrelid
                          CROSS JOIN LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS u(attnum, n)
                          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.attnum
                    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                      AND (i.indisprimary OR i.indimmediate)
                      -- The keys of a parent in classic inheritance say nothing of the rows of its children.
                      AND NOT (c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhparent = c.oid))
                    GROUP BY i.indexrelid, i.indisprimary, x.relname) AS k
            WHERE k.filled
            ORDER BY k.indisprimary DESC, k.name
            LIMIT 1), '[]'),
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
                    'nested', coalesce(e.typsubscript = 'array_subscript_handler'::regproc, false),
                    'has_json_cast', EXISTS (SELECT FROM pg_cast AS k
                                              WHERE k.castsource = coalesce(e.oid, b.oid) AND k.castsource >= 16384
                                                AND k.casttarget = 'json'::regtype AND k.castmethod = 'f'),
                    'row', CASE WHEN coalesce(e.typtype, b.typtype) = 'c' THEN coalesce(e.oid, b.oid)::int8 END,
                    'not_null', a.attnotnull,
                    'has_default', a.atthasdef AND a.attgenerated = '',
                    -- No default names a column; with the table's oid each would cost a look at all its columns.
                    'default', CASE WHEN a.atthasdef AND a.attgenerated = '' THEN pg_get_expr(d.adbin, 0) END,
                    'generated', a.attgenerated <> '' OR a.attidentity = 'a',
                    'identity', a.attidentity <> '',
                    -- LIKE refuses a collation that calls different texts equal.
                    'like', coalesce((SELECT o.collisdeterministic FROM pg_collation AS o WHERE o.oid = a.attcollation), false),
                    'enum_labels', CASE WHEN b.typtype = 'e'
                                        THEN (SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder)
                                                FROM pg_enum AS l WHERE l.enumtypid = b.oid) ELSE '[]' END,
                    -- Types that pgvector has distances for, and where it is.
                    'vector', CASE WHEN b.oid = 'bit'::regtype OR (b.oid >= 16384 AND b.typname IN ('vector', 'halfvec', 'sparsevec')) THEN (
                      SELECT json_build_object('kind', b.typname, 'schema', x.nspname)
                        FROM pg_extension AS v JOIN pg_namespace AS x ON x.oid = v.extnamespace
                       WHERE v.extname = 'vector'
                         AND (b.oid = 'bit'::regtype OR EXISTS (
                           SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_type'::regclass AND d.objid = b.oid AND d.refclassid = 'pg_extension'::regclass
                              AND d.refobjid = v.oid AND d.deptype = 'e'))) END,
                    'select', has_column_privilege(c.oid, a.attnum, 'SELECT'),
                    'insert', has_column_privilege(c.oid, a.attnum, 'INSERT'),
                    'update', has_column_privilege(c.oid, a.attnum, 'UPDATE'))
                  ORDER BY a.attnum)
             FROM pg_attribute AS a
                  JOIN pg_type AS t ON t.oid = a.atttypid
                  -- The walk down domains is taken only where there is one; OFFSET 0 keeps these look-ups by oid.
                  CROSS JOIN LATERAL (
                    SELECT b.* FROM pg_type AS b WHERE b.oid = CASE WHEN t.typtype <> 'd' THEN t.oid ELSE (
                      WITH RECURSIVE up(oid, base) AS (
                        SELECT t.oid, t.typbasetype
                        UNION ALL
                        SELECT u.oid, u.typbasetype FROM up JOIN pg_type AS u ON u.oid = up.base)
                      SELECT up.oid FROM up WHERE up.base = 0) END
                    OFFSET 0) AS b
                  LEFT JOIN pg_type AS i ON i.oid = b.typelem AND i.typarray = b.oid
                  LEFT JOIN LATERAL (
                    SELECT e.* FROM pg_type AS e WHERE e.oid = CASE WHEN i.typtype <> 'd' THEN i.oid WHEN i.typtype = 'd' THEN (
                      WITH RECURSIVE up(oid, base) AS (
                        SELECT i.oid, i.typbasetype
                        UNION ALL
                        SELECT u.oid, u.typbasetype FROM up JOIN pg_type AS u ON u.oid = up.base)
                      SELECT up.oid FROM up WHERE up.base = 0) END
                    OFFSET 0) AS e ON true
                  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE')), '[]')
       )::text
  FROM pg_class AS c
       JOIN pg_namespace AS n ON n.oid = c.relnamespace
       CROSS JOIN LATERAL (SELECT c.relkind IN ('r', 'p')
                               OR (c.relkind IN ('v', 'f') AND pg_relation_is_updatable(c.oid, true) <> 0)) AS w(writable)
       LEFT JOIN LATERAL (
         WITH RECURSIVE below(oid, relkind) AS (
           SELECT c.oid, c.relkind
           UNION
           SELECT r.oid, r.relkind
             FROM below
                  JOIN pg_rewrite AS q ON q.ev_class = below.oid
                  JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = q.oid AND d.refclassid = 'pg_class'::regclass
                  JOIN pg_class AS r ON r.oid = d.refobjid
            WHERE below.relkind = 'v')
         SELECT bool_or(r.relrowsecurity OR NOT has_table_privilege(r.oid, 'SELECT')) AS filtered, json_agg(r.oid::int8) AS depends
           FROM below JOIN pg_class AS r ON r.oid = below.oid
          WHERE r.oid <> c.oid) AS v ON c.relkind = 'v'
 WHERE n.nspname = $1 AND c.relname = $2
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND has_schema_privilege(n.oid, 'USAGE')
   AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
