-- list_tables and describe_table: only what the caller may use, column by column, and always as it is now.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA st;
CREATE TYPE st.state AS ENUM ('new', 'open');
CREATE TABLE st.orders (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text UNIQUE, state st.state NOT NULL DEFAULT 'new', total numeric(10,2), tags text[],
                        doubled numeric GENERATED ALWAYS AS (total * 2) STORED, made timestamptz DEFAULT now(), secret text, UNIQUE (code, state));
COMMENT ON TABLE st.orders IS 'What people ordered';
COMMENT ON COLUMN st.orders.total IS 'in euro';
CREATE TABLE st.lines (order_id int8 REFERENCES st.orders, n int, PRIMARY KEY (order_id, n));
CREATE TABLE st.hidden_lines (order_id int8 REFERENCES st.orders);
CREATE VIEW st.codes AS SELECT code FROM st.orders;
CREATE MATERIALIZED VIEW st.totals AS SELECT sum(total) AS sum FROM st.orders;
CREATE TABLE st.parted (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE st.parted_2024 PARTITION OF st.parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE st.nothing (x int);
ALTER TABLE st.orders ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA st TO authenticated;
GRANT SELECT (id, code, state, total, tags, doubled, made), INSERT (code, state), UPDATE (total) ON st.orders TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON st.lines TO authenticated;
GRANT SELECT ON st.codes, st.totals, st.parted, st.parted_2024 TO authenticated;

SELECT t.via('a', 'list_tables', '{"schema": "st"}');
SELECT t.via('a', 'list_tables', '{"schema": "st", "search": "PART"}');
SELECT t.via('a', 'list_tables', '{"search": "people ordered"}');
SELECT t.via('a', 'list_tables', '{"schema": "st", "search": "%"}');
SELECT t.via('a', 'list_tables', '{"schema": "st", "search": "_"}');
SELECT t.via('a', 'list_tables', '{"schema": "st", "limit": 2}');
SELECT t.via('a', 'list_tables', '{"schema": "st", "limit": 2, "offset": 2}');
SELECT t.via('a', 'list_tables', '{"schema": "st", "limit": 2, "offset": 4}');
SELECT t.via('a', 'list_tables', '{"schema": "st", "offset": 5}');
SELECT t.via('a', 'list_tables', '{"offset": -1}');
SELECT t.via('a', 'list_tables', '{"schema": "nowhere"}');
SELECT t.via('a', 'list_tables', '{"limit": 0}');
SELECT t.via('a', 'list_tables', '{"schemas": "st"}');
SELECT jsonb_pretty(t.via('a', 'describe_table', '{"table": "st.orders"}')::jsonb);
SELECT t.via('a', 'describe_table', '{"table": "st.lines"}');
SELECT t.via('a', 'describe_table', '{"table": "st.codes"}');
SELECT t.via('a', 'describe_table', '{"table": "st.totals"}');
SELECT t.via('a', 'describe_table', '{"table": "st.parted"}');
-- Without a privilege it is as unknown as what does not exist.
SELECT t.via('a', 'describe_table', '{"table": "st.nothing"}');
SELECT t.via('a', 'describe_table', '{"table": "st.nothing2"}');
SELECT t.via('a', 'describe_table', '{"table": "st.hidden_lines"}');
SELECT t.via('a', 'describe_table', '{}');
SELECT t.via('a', 'describe_table', '{"table": "st.orders", "offset": -1}');
SELECT t.via('a', 'describe_table', '{"table": "st.orders", "offset": 5}');
SELECT t.via('a', 'describe_table', '{"table": "st.orders", "offset": 99}');
-- Checks: only those whose every column may be read; a check of the whole row needs the whole row.
CREATE TABLE st.checked (a int, b int, c int, CONSTRAINT a_positive CHECK (a > 0), CONSTRAINT a_below_b CHECK (a < b), CONSTRAINT secret_c CHECK (c <> 42),
                         CONSTRAINT no_column CHECK (1 < 2), CONSTRAINT whole_row CHECK (checked IS NOT NULL));
GRANT SELECT (a, b) ON st.checked TO authenticated;
GRANT SELECT ON st.checked TO service_role;
GRANT USAGE ON SCHEMA st TO service_role;
SELECT t.via('a', 'describe_table', '{"table": "st.checked"}')::jsonb -> 'checks';
SELECT t.via('service', 'describe_table', '{"table": "st.checked"}')::jsonb -> 'checks';
REVOKE SELECT (b) ON st.checked FROM authenticated;
SELECT t.via('a', 'describe_table', '{"table": "st.checked"}')::jsonb -> 'checks';
-- Row estimates: where nothing is hidden from the caller, and never a view's.
CREATE FUNCTION st.estimates(key text) RETURNS TABLE (name text, listed int, described int) LANGUAGE sql VOLATILE AS $$
SELECT l ->> 'name', (l ->> 'row_estimate')::int, (t.via(key, 'describe_table', jsonb_build_object('table', 'est.' || (l ->> 'name')))::jsonb ->> 'row_estimate')::int
  FROM jsonb_array_elements(t.via(key, 'list_tables', '{"schema": "est"}')::jsonb -> 'tables') AS l
$$;
CREATE SCHEMA est AUTHORIZATION regress_owner;
GRANT USAGE ON SCHEMA est TO authenticated, service_role;
SET ROLE regress_owner;
CREATE TABLE est.plain AS SELECT g AS id FROM generate_series(1, 1000) AS g;
CREATE TABLE est.never_analyzed (id int);
CREATE TABLE est.policies AS SELECT g AS id FROM generate_series(1, 500) AS g;
ALTER TABLE est.policies ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON est.policies USING (id < 3);
CREATE TABLE est.forced AS SELECT g AS id FROM generate_series(1, 500) AS g;
ALTER TABLE est.forced ENABLE ROW LEVEL SECURITY;
ALTER TABLE est.forced FORCE ROW LEVEL SECURITY;
CREATE TABLE est.insert_only AS SELECT g AS id FROM generate_series(1, 500) AS g;
CREATE TABLE est.parted (id int) PARTITION BY RANGE (id);
CREATE TABLE est.parted_1 PARTITION OF est.parted FOR VALUES FROM (0) TO (100);
CREATE TABLE est.parted_2 PARTITION OF est.parted FOR VALUES FROM (100) TO (1000);
CREATE TABLE est.parent (id int);
CREATE TABLE est.child () INHERITS (est.parent);
CREATE VIEW est.view_of_plain AS SELECT id FROM est.plain;
CREATE VIEW est.view_of_policies AS SELECT id FROM est.policies;
CREATE MATERIALIZED VIEW est.kept AS SELECT id FROM est.plain WHERE id <= 10;
INSERT INTO est.parted SELECT generate_series(1, 300);
INSERT INTO est.parent SELECT generate_series(1, 20);
INSERT INTO est.child SELECT generate_series(1, 30);
GRANT SELECT ON ALL TABLES IN SCHEMA est TO authenticated, service_role;
REVOKE SELECT ON est.insert_only FROM authenticated;
GRANT INSERT ON est.insert_only TO authenticated;
RESET ROLE;
ANALYZE est.plain, est.policies, est.forced, est.insert_only, est.parted_1, est.parted_2, est.parent, est.child, est.kept;
SELECT * FROM st.estimates('a');
SELECT * FROM st.estimates('service');
SET ROLE regress_owner;
SELECT l ->> 'name' AS name, l -> 'row_estimate' AS estimate FROM jsonb_array_elements(t.call('list_tables', '{"schema": "est"}')::jsonb -> 'tables') AS l WHERE l ->> 'name' IN ('forced', 'policies');
RESET ROLE;
-- Every change of it is seen by the next call.
ALTER TABLE est.plain ENABLE ROW LEVEL SECURITY;
SELECT t.via('a', 'describe_table', '{"table": "est.plain"}')::jsonb -> 'row_estimate' AS with_policies;
ALTER TABLE est.plain DISABLE ROW LEVEL SECURITY;
SELECT t.via('a', 'describe_table', '{"table": "est.plain"}')::jsonb -> 'row_estimate' AS without;
ALTER ROLE service_role NOBYPASSRLS;
SELECT t.via('service', 'describe_table', '{"table": "est.policies"}')::jsonb -> 'row_estimate' AS no_bypass;
ALTER ROLE service_role BYPASSRLS;
SELECT t.via('service', 'describe_table', '{"table": "est.policies"}')::jsonb -> 'row_estimate' AS bypass;
DROP SCHEMA est CASCADE;
-- Every change is seen by the next call.
SELECT t.via('a', 'describe_table', '{"table": "st.codes"}') ~ 'shown now';
COMMENT ON VIEW st.codes IS 'shown now';
SELECT t.via('a', 'describe_table', '{"table": "st.codes"}') ~ 'shown now';
COMMENT ON COLUMN st.lines.n IS 'line number';
SELECT t.via('a', 'describe_table', '{"table": "st.lines"}') ~ 'line number';
ALTER TABLE st.lines ADD COLUMN extra text DEFAULT 'x';
SELECT t.via('a', 'describe_table', '{"table": "st.lines"}') ~ 'extra';
SELECT t.via('a', 'query_table', '{"table": "st.lines", "select": "extra"}');
ALTER TABLE st.lines DROP COLUMN extra;
SELECT t.via('a', 'query_table', '{"table": "st.lines", "select": "extra"}');
ALTER TYPE st.state ADD VALUE 'done';
SELECT t.via('a', 'describe_table', '{"table": "st.orders"}')::jsonb #> '{columns,2,values}';
ALTER TABLE st.lines RENAME TO rows;
SELECT t.via('a', 'describe_table', '{"table": "st.lines"}');
SELECT t.via('a', 'describe_table', '{"table": "st.rows"}')::jsonb -> 'name';
REVOKE SELECT ON st.rows FROM authenticated;
SELECT t.via('a', 'describe_table', '{"table": "st.rows"}')::jsonb -> 'you_may';
REVOKE ALL ON st.rows FROM authenticated;
SELECT t.via('a', 'describe_table', '{"table": "st.rows"}');
SELECT t.via('a', 'query_table', '{"table": "st.codes"}');
REVOKE USAGE ON SCHEMA st FROM authenticated;
SELECT t.via('a', 'query_table', '{"table": "st.codes"}');
SELECT t.via('a', 'list_tables', '{"schema": "st"}');
DROP SCHEMA st CASCADE;
