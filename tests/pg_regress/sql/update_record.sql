-- update_record: the filter is demanded and obeyed, all or nothing, what comes back.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA up;
CREATE TABLE up.people (id int PRIMARY KEY, email text UNIQUE, age int CHECK (age > 0), note text);
INSERT INTO up.people SELECT g, 'p' || g || '@example.org', g, NULL FROM generate_series(1, 6) AS g;
GRANT USAGE ON SCHEMA up TO authenticated;
GRANT SELECT, UPDATE ON up.people TO authenticated;
SELECT t.via('a', 'update_record', '{"table": "up.people", "data": {"note": "one"}, "filter": {"id": 1}}');
SELECT t.via('a', 'update_record', '{"table": "up.people", "data": {"note": "few", "age": 9}, "filter": {"id": {"in": [2, 3]}}, "returning": "id"}');
SELECT t.via('a', 'update_record', '{"table": "up.people", "data": {"note": "quiet"}, "filter": {"id": 4}, "returning": "none"}');
SELECT t.via('a', 'update_record', '{"table": "up.people", "data": {"note": "nobody"}, "filter": {"id": 99}}');
SELECT t.via('a', 'update_record', '{"table": "up.people", "data": {"note": null}, "filter": {"id": 4}}');
-- Without a filter that leaves something out nothing is changed.
SELECT c.args, t.via('a', 'update_record', '{"table": "up.people", "data": {"note": "all"}}'::jsonb || c.args)
  FROM (VALUES ('{}'::jsonb), ('{"filter": {}}'), ('{"filter": null}'), ('{"filter": {"id": {"nin": []}}}'), ('{"filter": {"id": "nin.()"}}'), ('{"filter": "id=1"}'),
               ('{"filter": {"idd": 1}}'), ('{"filtr": {"id": 1}}'), ('{"filter": {"id": 1}, "limit": 1}'), ('{"filter": {"id": 1}, "data": {}}'), ('{"filter": {"id": 1}, "data": null}'),
               ('{"filter": {"id": 1}, "data": {"ctid": "(0,1)"}}')) AS c(args);
-- A failure in one row leaves every row as it was.
SELECT t.via('a', 'update_record', '{"table": "up.people", "data": {"age": 0}, "filter": {"id": {"gte": 1}}}');
SELECT t.via('a', 'update_record', '{"table": "up.people", "data": {"email": "same@example.org"}, "filter": {"id": {"gte": 1}}}');
SELECT * FROM up.people ORDER BY id;
-- More rows than an answer holds: all are changed, and that is said.
CREATE TABLE up.many AS SELECT g AS id, 0 AS n FROM generate_series(1, 1200) AS g;
GRANT SELECT, UPDATE ON up.many TO authenticated;
SELECT split_part(a, '"records"', 1), a ~ '"id":1000,', a ~ '"id":1001,', substr(a, strpos(a, '],')) FROM t.via('a', 'update_record', '{"table": "up.many", "data": {"n": 1}, "filter": {"id": "gt.0"}}') AS a;
SELECT sum(n) FROM up.many;
DROP SCHEMA up CASCADE;
