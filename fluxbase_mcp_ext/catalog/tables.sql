-- Relations that the current role has a privilege on: $1 schema or NULL, $2 search text (LIKE pattern) or NULL, $3 how many at the
-- most, $4 how many are skipped, $5 schemas that are hidden (text[]), $6 the schema named without qualification first.
-- Runs with search_path = pg_catalog, pg_temp.
--
-- Asking for privileges is what costs. So the schemas are asked once each, the rest is sorted first (OFFSET 0 keeps it so), and
-- privileges are asked table by table only until the page is full.
SELECT json_strip_nulls(row_to_json(line))::text FROM (
SELECT page.schema, page.name,
       CASE page.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
                         WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
       CASE WHEN length(page.comment) > 300 THEN left(page.comment, 297) || '...' ELSE page.comment END AS comment,
       -- Hidden rows must not be counted for anybody.
       CASE WHEN page.relkind <> 'v' AND NOT row_security_active(page.oid)
             AND (has_table_privilege(page.oid, 'SELECT') OR has_any_column_privilege(page.oid, 'SELECT'))
            THEN round(CASE WHEN NOT page.relhassubclass THEN nullif(page.reltuples, -1)
                            ELSE coalesce((WITH RECURSIVE family(oid) AS (
                                             SELECT page.oid
                                             UNION
                                             SELECT i.inhrelid FROM family JOIN pg_inherits AS i ON i.inhparent = family.oid)
                                           SELECT sum(m.reltuples::float8)
                                             FROM family JOIN pg_class AS m ON m.oid = family.oid
                                            WHERE m.relkind <> 'p' AND m.reltuples >= 0), nullif(page.reltuples, -1))
                       END)::int8 END AS row_estimate
  FROM (SELECT c.* FROM (
          WITH open AS MATERIALIZED (
            SELECT n.oid, n.nspname
              FROM pg_namespace AS n
             WHERE ($1 IS NULL OR n.nspname = $1)
               AND n.nspname <> ALL ($5)
               AND n.nspname !~ '^pg_(toast|temp)'
               AND has_schema_privilege(n.oid, 'USAGE'))
          SELECT c.oid, open.nspname AS schema, c.relname AS name, c.relkind, c.relhassubclass, c.reltuples, d.description AS comment
            FROM open
                 JOIN pg_class AS c ON c.relnamespace = open.oid
                 LEFT JOIN pg_description AS d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
           WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
             AND NOT c.relispartition
             AND ($2 IS NULL OR c.relname ILIKE $2 OR d.description ILIKE $2)
           ORDER BY open.nspname <> $6, open.nspname, c.relname
          OFFSET 0) AS c
         WHERE has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
            OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE')
         LIMIT $3 OFFSET $4) AS page) AS line
