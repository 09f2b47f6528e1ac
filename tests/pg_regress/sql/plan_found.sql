-- Where the plan of a read was found before is remembered; a plan that had to make room for others, or whose role changed, is found by nobody any more.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA pf;
CREATE TABLE pf.t (id int PRIMARY KEY, c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int, c8 int, c9 int);
INSERT INTO pf.t SELECT n, n, n, n, n, n, n, n, n, n FROM generate_series(1, 3) AS n;
GRANT USAGE ON SCHEMA pf TO authenticated;
GRANT SELECT, UPDATE ON pf.t TO authenticated;
CREATE FUNCTION t.read() RETURNS text LANGUAGE sql AS $$ SELECT t.via('a', 'query_table', '{"table": "pf.t", "select": "id,c1", "filter": {"id": "gte.2"}, "order": "id"}') $$;
-- Postgres names the memory of each kept statement after its text.
CREATE FUNCTION pf.kept() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE 'SELECT %"pf"."t"%' $$;
-- What Postgres told of all this is forgotten after the second statement.
SELECT t.read();
SELECT t.read();
SELECT t.read() FROM generate_series(1, 3);
SELECT pf.kept();
-- Each of these is a statement of its own; more of them than plans are kept.
SELECT count(DISTINCT statement), bool_and(answer = '{"updated":0,"records":[]}')
  FROM (SELECT columns AS statement, t.via('a', 'update_record', jsonb_build_object('table', 'pf.t', 'data', '{"c1": 0}'::jsonb, 'filter', '{"id": "eq.-1"}'::jsonb, 'returning', columns)) AS answer
          FROM (SELECT (SELECT string_agg('c' || b, ',' ORDER BY b) FROM generate_series(1, 9) AS b WHERE n & (1 << (b - 1)) <> 0) AS columns FROM generate_series(1, 511) AS n) AS every) AS tried;
SELECT pf.kept();
-- It is prepared anew: what was there is freed.
SELECT t.read() FROM generate_series(1, 3);
SELECT pf.kept();
-- Policies that come and go between two reads of one shape, and a role that policies do not hold for and then do.
ALTER TABLE pf.t ENABLE ROW LEVEL SECURITY;
SELECT t.read();
CREATE POLICY two ON pf.t USING (id = 2);
SELECT t.read();
ALTER ROLE authenticated BYPASSRLS;
SELECT t.read();
SELECT t.read();
ALTER ROLE authenticated NOBYPASSRLS;
SELECT t.read();
DROP SCHEMA pf CASCADE;
DROP FUNCTION t.read();
