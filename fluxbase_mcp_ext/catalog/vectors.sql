-- What a search by vectors needs to know of one table, $1, beside its description: its indexes that give rows in the order of a
-- distance, and those that find words. Runs with search_path = pg_catalog, pg_temp as the current role.
SELECT json_build_object(
         'known', c.relkind IN ('r', 'p', 'm'),
         'vectors', coalesce((
           SELECT json_agg(DISTINCT jsonb_build_object('column', a.attname, 'operator_class', o.opcname))
             FROM pg_index AS i
                  JOIN pg_class AS x ON x.oid = i.indexrelid
                  JOIN pg_am AS m ON m.oid = x.relam
                  JOIN pg_opclass AS o ON o.oid = (i.indclass::oid[])[0]
                  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = (i.indkey::int2[])[0]
            WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND m.amname IN ('hnsw', 'ivfflat')), '[]'),
         'texts', coalesce((
           SELECT json_agg(t.found)
             FROM (SELECT json_build_object('column', a.attname, 'configuration', NULL) AS found
                     FROM pg_index AS i
                          JOIN pg_class AS x ON x.oid = i.indexrelid
                          JOIN pg_am AS m ON m.oid = x.relam
                          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = (i.indkey::int2[])[0]
                    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND m.amname IN ('gin', 'gist')
                      AND a.atttypid = 'tsvector'::regtype
                   UNION ALL
                   -- The expression as Postgres writes it, for each column of text and each configuration.
                   SELECT json_build_object('column', a.attname, 'configuration', f.oid::int8)
                     FROM pg_index AS i
                          JOIN pg_class AS x ON x.oid = i.indexrelid
                          JOIN pg_am AS m ON m.oid = x.relam
                          CROSS JOIN LATERAL (SELECT pg_get_expr(i.indexprs, i.indrelid) AS source OFFSET 0) AS e
                          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                          JOIN pg_ts_config AS f ON e.source IN (
                            format('to_tsvector(%L::regconfig, %I)', f.oid::regconfig::text, a.attname),
                            format('to_tsvector(%L::regconfig, (%I)::text)', f.oid::regconfig::text, a.attname))
                    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NOT NULL AND m.amname IN ('gin', 'gist')
                  ) AS t), '[]'))::text
  FROM pg_class AS c
 WHERE c.oid = $1
