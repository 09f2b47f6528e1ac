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
