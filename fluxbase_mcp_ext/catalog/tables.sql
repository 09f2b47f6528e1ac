-- Relations that the current role has a privilege on: $1 schema or NULL, $2 search text (LIKE pattern) or NULL,
-- $3 how many at the most, $4 schemas that are hidden (text[]), $5 the schema named without qualification first.
-- Runs with search_path = pg_catalog, pg_temp.
SELECT json_strip_nulls(row_to_json(line))::text FROM (
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
                      WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
       obj_description(c.oid, 'pg_class') AS comment
  FROM pg_class AS c
       JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
   AND ($1 IS NULL OR n.nspname = $1)
   AND ($2 IS NULL OR c.relname ILIKE $2 OR obj_description(c.oid, 'pg_class') ILIKE $2)
   AND n.nspname <> ALL ($4)
   AND n.nspname !~ '^pg_(toast|temp)'
   AND has_schema_privilege(n.oid, 'USAGE')
   AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
 ORDER BY n.nspname <> $5, n.nspname, c.relname
 LIMIT $3) AS line
