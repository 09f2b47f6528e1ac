-- The foreign keys that the relations of $1 (oid) are made of, as one JSON object, as far as the current role may use them: its own,
-- those of other tables to it, and all others of those tables, which may be junctions. relations.rs pairs them.
-- Runs with search_path = pg_catalog, pg_temp, so operators need no qualification.
WITH near AS MATERIALIZED (
  SELECT $1 AS oid
  UNION
  -- No index leads from a table to the keys of others to it; their dependency on its columns does.
  SELECT o.conrelid
    FROM pg_depend AS d
         JOIN pg_constraint AS o ON o.oid = d.objid
   WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.classid = 'pg_constraint'::regclass
     AND o.contype = 'f' AND o.confrelid = $1
), keys AS MATERIALIZED (
  SELECT o.*
    FROM near JOIN pg_constraint AS o ON o.conrelid = near.oid
   WHERE o.contype = 'f'
), usable AS MATERIALIZED (
  SELECT o.conname AS name, o.conrelid, s.nspname AS own_schema, c.relname AS own_name,
         o.confrelid, t.nspname AS other_schema, r.relname AS other_name, k.columns,
         -- Whether there is one row at the most at this end.
         o.confrelid = $1 AND EXISTS (
           SELECT FROM pg_index AS i
            WHERE i.indrelid = o.conrelid AND i.indisunique AND i.indisvalid AND i.indimmediate
              AND i.indpred IS NULL AND i.indexprs IS NULL
              AND (i.indkey::int2[])[0:i.indnkeyatts - 1] <@ o.conkey) AS is_unique
    FROM keys AS o
         JOIN pg_class AS c ON c.oid = o.conrelid
         JOIN pg_namespace AS s ON s.oid = c.relnamespace
         JOIN pg_class AS r ON r.oid = o.confrelid
         JOIN pg_namespace AS t ON t.oid = r.relnamespace
         CROSS JOIN LATERAL (
           SELECT bool_and(has_column_privilege(o.conrelid, u.own, 'SELECT')
                           AND has_column_privilege(o.confrelid, u.other, 'SELECT')) AS readable,
                  json_agg(json_build_array(a.attname, b.attname, format('OPERATOR(%I.%s)', q.nspname, p.oprname)) ORDER BY u.n) AS columns
             FROM unnest(o.conkey, o.confkey, o.conpfeqop) WITH ORDINALITY AS u(own, other, operator, n)
                  JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = u.own
                  JOIN pg_attribute AS b ON b.attrelid = o.confrelid AND b.attnum = u.other
                  JOIN pg_operator AS p ON p.oid = u.operator
                  JOIN pg_namespace AS q ON q.oid = p.oprnamespace) AS k
   WHERE o.conparentid = 0 AND k.readable
     -- From Postgres 18 on there are keys over periods, whose last operator is no equality.
     AND NOT coalesce((to_jsonb(o) ->> 'conperiod')::boolean, false)
     AND has_schema_privilege(s.oid, 'USAGE') AND has_schema_privilege(t.oid, 'USAGE')
)
SELECT json_build_object(
         -- Every table that was looked at, used or not: a change of any of them can change the answer.
         'depends', (SELECT json_agg(k.oid::int8) FROM (SELECT near.oid FROM near UNION SELECT confrelid FROM keys) AS k),
         'keys', coalesce((SELECT json_agg(json_build_object(
                                    'name', name, 'is_unique', is_unique, 'columns', columns, 'filtered', row_security_active(conrelid),
                                    'own', json_build_object('oid', conrelid::int8, 'schema', own_schema, 'name', own_name),
                                    'other', json_build_object('oid', confrelid::int8, 'schema', other_schema, 'name', other_name))
                                  ORDER BY conrelid, name)
                             FROM usable), '[]'),
         -- Of tables that may be junctions: the columns of the primary key and of each unique constraint.
         'unique', coalesce((SELECT json_agg(json_build_array(u.conrelid::int8, u.columns))
                               FROM (SELECT o.conrelid, json_agg(a.attname) AS columns
                                       FROM pg_constraint AS o
                                            CROSS JOIN LATERAL unnest(o.conkey) AS k(attnum)
                                            JOIN pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.attnum
                                      WHERE o.contype IN ('p', 'u')
                                        AND o.conrelid IN (SELECT conrelid FROM usable GROUP BY conrelid HAVING count(*) > 1)
                                      GROUP BY o.oid, o.conrelid) AS u), '[]')
       )::text
