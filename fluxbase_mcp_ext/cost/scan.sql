-- A table that a plan reads as a whole, as a hint may name it: $1 the table, $2 the columns that the plan filters by, $3 schemas that
-- are hidden. No row when the current role has no privilege on it. A partition goes by the name of the table that it is part of.
-- Runs with search_path = pg_catalog, pg_temp.
WITH named AS (
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS shown
    FROM pg_class AS c
         JOIN pg_namespace AS n ON n.oid = c.relnamespace
   WHERE c.oid = coalesce(pg_partition_root($1), $1)
     AND n.nspname <> ALL ($3)
     AND n.nspname !~ '^pg_(toast|temp)'
     AND has_schema_privilege(n.oid, 'USAGE')
     AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
          OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))),
readable AS (
  SELECT a.attname AS name, a.attnum AS number,
         EXISTS (SELECT FROM pg_attribute AS p
                  WHERE p.attrelid = $1 AND p.attname = a.attname AND p.attnum = ANY ($2)) AS filtered,
         EXISTS (SELECT FROM pg_index AS i
                  WHERE i.indrelid = a.attrelid AND i.indisvalid AND i.indkey[0] = a.attnum) AS indexed
    FROM named
         JOIN pg_attribute AS a ON a.attrelid = named.oid
   WHERE a.attnum > 0
     AND NOT a.attisdropped
     AND has_column_privilege(a.attrelid, a.attnum, 'SELECT'))
SELECT json_build_object(
         'table', shown,
         'filtered', ARRAY(SELECT quote_ident(name) FROM readable WHERE filtered ORDER BY number),
         'unindexed', EXISTS (SELECT FROM readable WHERE filtered AND NOT indexed),
         'indexed', ARRAY(SELECT quote_ident(name) FROM readable WHERE indexed ORDER BY number))::text
  FROM named
