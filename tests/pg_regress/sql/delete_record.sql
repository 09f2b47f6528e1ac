-- delete_record: the filter is demanded and obeyed, all or nothing, what comes back.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA del;
CREATE TABLE del.people (id int PRIMARY KEY, name text);
CREATE TABLE del.pets (id int PRIMARY KEY, owner int REFERENCES del.people);
INSERT INTO del.people SELECT g, 'p' || g FROM generate_series(1, 6) AS g;
INSERT INTO del.pets VALUES (1, 6);
GRANT USAGE ON SCHEMA del TO authenticated;
GRANT SELECT, DELETE ON del.people, del.pets TO authenticated;
SELECT t.via('a', 'delete_record', '{"table": "del.people", "filter": {"id": 1}}');
SELECT t.via('a', 'delete_record', '{"table": "del.people", "filter": {"name": "like.p2%"}, "returning": "name"}');
SELECT t.via('a', 'delete_record', '{"table": "del.people", "filter": {"id": 3}, "returning": "none"}');
SELECT t.via('a', 'delete_record', '{"table": "del.people", "filter": {"id": 99}}');
SELECT c.args, t.via('a', 'delete_record', '{"table": "del.people"}'::jsonb || c.args)
  FROM (VALUES ('{}'::jsonb), ('{"filter": {}}'), ('{"filter": null}'), ('{"filter": {"id": {"nin": []}}}'), ('{"filter": {"idd": 4}}'), ('{"where": {"id": 4}}'),
               ('{"filter": {"id": "4"}}'), ('{"filter": {"id": "eq.4 or true"}}'), ('{"filter": {"id": {"eq": 4, "neqq": 5}}}')) AS c(args);
-- One row that is still referenced keeps them all.
SELECT t.via('a', 'delete_record', '{"table": "del.people", "filter": {"id": {"gte": 4}}}');
SELECT * FROM del.people ORDER BY id;
DROP SCHEMA del CASCADE;
