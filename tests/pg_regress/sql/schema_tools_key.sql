-- What the planner is told of a table besides its columns: the key that makes an order total (so that there is a cursor), and
-- whether rows are hidden (so that nothing is estimated).
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ky;
GRANT USAGE ON SCHEMA ky TO authenticated, service_role;
CREATE TABLE ky.primary_key (x int, id int PRIMARY KEY);
CREATE TABLE ky.primary_first (x int, a int NOT NULL, id int PRIMARY KEY);
CREATE UNIQUE INDEX a_first ON ky.primary_first (a);
CREATE TABLE ky.unique_key (x int, a int NOT NULL, b int NOT NULL, UNIQUE (b, a));
CREATE TABLE ky.with_more (x int, a int NOT NULL);
CREATE UNIQUE INDEX ON ky.with_more (a) INCLUDE (x);
CREATE TABLE ky.parted (x int, id int PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE ky.parted_0 PARTITION OF ky.parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- None: nothing unique, may be null, partial, an expression, deferrable, not readable, a view, a parent whose children have keys of
-- their own.
CREATE TABLE ky.parent (x int, id int PRIMARY KEY);
CREATE TABLE ky.child () INHERITS (ky.parent);
CREATE TABLE ky.no_key (x int, a int NOT NULL);
CREATE TABLE ky.nullable (x int, a int UNIQUE);
CREATE TABLE ky.partial (x int, a int NOT NULL);
CREATE UNIQUE INDEX ON ky.partial (a) WHERE a > 0;
CREATE TABLE ky.expression (x int, a int NOT NULL);
CREATE UNIQUE INDEX ON ky.expression ((a + 0));
CREATE TABLE ky.deferrable (x int, a int NOT NULL UNIQUE DEFERRABLE);
CREATE TABLE ky.unreadable (x int, id int PRIMARY KEY, a int NOT NULL UNIQUE);
CREATE VIEW ky.view_of_key AS SELECT * FROM ky.primary_key;
DO $$
BEGIN
    EXECUTE (SELECT string_agg(format('INSERT INTO %s SELECT g, g %s FROM generate_series(1, 3) AS g', attrelid::regclass, repeat(', g', count::int - 2)), '; ')
               FROM (SELECT attrelid, count(*) FROM pg_attribute JOIN pg_class ON oid = attrelid
                      WHERE relnamespace = 'ky'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 GROUP BY attrelid) AS t);
END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA ky TO authenticated, service_role;
REVOKE SELECT ON ky.unreadable FROM authenticated;
GRANT SELECT (x, a) ON ky.unreadable TO authenticated;
SET mcp.max_rows = 1;
SELECT name, t.via('a', 'query_table', jsonb_build_object('table', 'ky.' || name, 'order', 'x')) ~ 'cursor' AS has_cursor
  FROM unnest(ARRAY['primary_key', 'primary_first', 'unique_key', 'with_more', 'parted', 'no_key', 'nullable', 'partial', 'expression', 'deferrable', 'unreadable', 'view_of_key', 'parent']) AS name;
-- A key that comes and goes, and the right to read it.
GRANT SELECT (id) ON ky.unreadable TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "ky.unreadable", "order": "x"}') ~ 'cursor';
ALTER TABLE ky.nullable ALTER COLUMN a SET NOT NULL;
SELECT t.via('a', 'query_table', '{"table": "ky.nullable", "order": "x"}') ~ 'cursor';
ALTER TABLE ky.nullable DROP CONSTRAINT nullable_a_key;
SELECT t.via('a', 'query_table', '{"table": "ky.nullable", "order": "x"}') ~ 'cursor';
RESET mcp.max_rows;

-- Rows may be hidden by policies, or by a view over what the caller may not read; the planner's numbers would tell of them.
CREATE TABLE ky.policies (id int PRIMARY KEY, owner text);
CREATE VIEW ky.view_of_policies AS SELECT id FROM ky.policies;
CREATE VIEW ky.view_of_view AS SELECT id FROM ky.view_of_policies;
CREATE TABLE ky.private (id int PRIMARY KEY, owner text);
CREATE VIEW ky.view_of_private AS SELECT id FROM ky.private WHERE owner = 'me';
CREATE MATERIALIZED VIEW ky.kept AS SELECT id FROM ky.private;
GRANT SELECT ON ky.policies, ky.view_of_policies, ky.view_of_view, ky.view_of_private, ky.kept TO authenticated, service_role;
CREATE FUNCTION ky.planned(key text) RETURNS TABLE (name text, told boolean) LANGUAGE sql VOLATILE AS $$
SELECT n, t.via(key, 'query_table', jsonb_build_object('table', 'ky.' || n, 'count', 'planned')) !~ '^error' FROM unnest(ARRAY['policies', 'view_of_policies', 'view_of_view', 'view_of_private', 'kept']) AS n
$$;
SELECT * FROM ky.planned('a');
-- Each change is seen by the next call, below views too.
ALTER TABLE ky.policies ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON ky.private TO authenticated;
SELECT * FROM ky.planned('a');
SELECT * FROM ky.planned('service');
ALTER TABLE ky.policies DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON ky.private FROM authenticated;
SELECT * FROM ky.planned('a');
DROP SCHEMA ky CASCADE;
