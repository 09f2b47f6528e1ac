-- The statement for one shape of call and one role is prepared once in a backend and kept, whatever the values are.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA pk;
CREATE TABLE pk.kept (id int PRIMARY KEY, name text);
INSERT INTO pk.kept SELECT g, 'n' || g FROM generate_series(1, 100) AS g;
GRANT USAGE ON SCHEMA pk TO authenticated, service_role;
GRANT SELECT ON pk.kept TO authenticated, service_role;
SELECT t.key('other', role => 'service_role', kind => 'service');
-- Postgres names the memory of each kept statement after its text.
CREATE FUNCTION pk.statements() RETURNS bigint LANGUAGE sql AS $$
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE 'SELECT %"pk"."kept"%'
$$;
SELECT pk.statements();
-- What Postgres told of the schema and the key above is forgotten after the second statement.
SELECT t.via('a', 'list_tables', '{"schema": "pk"}');
SELECT t.via('a', 'list_tables', '{"schema": "pk"}') <> '';
SELECT count(t.via('a', 'query_table', jsonb_build_object('table', 'pk.kept', 'filter', jsonb_build_object('id', g)))) FROM generate_series(1, 20) AS g;
SELECT pk.statements();
-- Another shape, and another role.
SELECT count(t.via('a', 'query_table', jsonb_build_object('table', 'pk.kept', 'filter', jsonb_build_object('name', 'eq.n' || g)))) FROM generate_series(1, 5) AS g;
SELECT pk.statements();
SELECT count(t.via('other', 'query_table', jsonb_build_object('table', 'pk.kept', 'filter', jsonb_build_object('id', g)))) FROM generate_series(1, 5) AS g;
SELECT pk.statements();
-- A long statement was written by a program and hardly comes again: it is not kept.
SELECT length(t.via('a', 'query_table', jsonb_build_object('table', 'pk.kept', 'filter', jsonb_build_object('or',
         (SELECT jsonb_agg(jsonb_build_object('id', g, 'name', 'eq.x')) FROM generate_series(1, 300) AS g)))));
SELECT pk.statements();
DROP SCHEMA pk CASCADE;
