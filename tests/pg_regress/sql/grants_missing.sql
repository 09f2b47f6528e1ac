-- What the role has no grant on does not exist for it; column grants and write-only tables work as far as they go.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA g;
CREATE TABLE g.closed (id int, secret text);
CREATE TABLE g.part (id int PRIMARY KEY, open text, secret text DEFAULT 's');
CREATE TABLE g.inbox (id int GENERATED ALWAYS AS IDENTITY, body text);
CREATE TABLE g.readonly (id int, body text);
INSERT INTO g.part VALUES (1, 'o', 'hidden'), (2, 'p', 'hidden2');
INSERT INTO g.readonly VALUES (1, 'x');
GRANT USAGE ON SCHEMA g TO authenticated;
GRANT SELECT (id, open), UPDATE (open), INSERT (id, open) ON g.part TO authenticated;
GRANT INSERT ON g.inbox TO authenticated;
GRANT SELECT ON g.readonly TO authenticated;
-- No grant: the same answer as for a table that is not there, for every tool.
SELECT x, t.via('a', tool, ('{"table": "g.' || x || '", "filter": {"id": 1}, "data": {"id": 1}}')::jsonb - CASE tool WHEN 'query_table' THEN 'data' WHEN 'insert_record' THEN 'filter' WHEN 'delete_record' THEN 'data' ELSE '' END)
  FROM unnest(ARRAY['closed', 'absent']) AS x, unnest(ARRAY['query_table', 'insert_record', 'update_record', 'delete_record']) AS tool;
-- Column grants.
SELECT t.via('a', 'query_table', '{"table": "g.part", "order": "id"}');
SELECT t.via('a', 'query_table', '{"table": "g.part", "select": "secret"}');
SELECT t.via('a', 'query_table', '{"table": "g.part", "select": "id,secret"}');
SELECT t.via('a', 'query_table', '{"table": "g.part", "filter": {"secret": "like.h%"}}');
SELECT t.via('a', 'query_table', '{"table": "g.part", "order": "secret"}');
SELECT t.via('a', 'update_record', '{"table": "g.part", "data": {"open": "new"}, "filter": {"id": 1}}');
SELECT t.via('a', 'update_record', '{"table": "g.part", "data": {"id": 7}, "filter": {"id": 1}}');
SELECT t.via('a', 'update_record', '{"table": "g.part", "data": {"secret": "mine"}, "filter": {"id": 1}}');
SELECT t.via('a', 'update_record', '{"table": "g.part", "data": {"open": "new"}, "filter": {"secret": "eq.hidden"}}');
SELECT t.via('a', 'insert_record', '{"table": "g.part", "data": {"id": 3, "open": "q"}}');
SELECT t.via('a', 'insert_record', '{"table": "g.part", "data": {"id": 4, "secret": "q"}}');
SELECT t.via('a', 'delete_record', '{"table": "g.part", "filter": {"id": 1}}');
SELECT t.via('a', 'describe_table', '{"table": "g.part"}') ~ 'secret';
-- A failing row does not show the column that the caller may not read.
ALTER TABLE g.part ADD CONSTRAINT short CHECK (length(open) < 5);
SELECT t.via('a', 'insert_record', '{"table": "g.part", "data": {"id": 5, "open": "too long"}}');
-- Write-only: the row goes in and nothing comes back.
SELECT t.via('a', 'insert_record', '{"table": "g.inbox", "data": {"body": "hello"}}');
SELECT t.via('a', 'insert_record', '{"table": "g.inbox", "data": {"body": "hello"}, "returning": "id"}');
SELECT t.via('a', 'query_table', '{"table": "g.inbox"}');
SELECT t.via('a', 'update_record', '{"table": "g.inbox", "data": {"body": "x"}, "filter": {"id": 1}}');
SELECT t.via('a', 'delete_record', '{"table": "g.inbox", "filter": {"id": 1}}');
SELECT * FROM g.inbox;
-- Read-only.
SELECT t.via('a', 'insert_record', '{"table": "g.readonly", "data": {"id": 2}}');
SELECT t.via('a', 'update_record', '{"table": "g.readonly", "data": {"id": 2}, "filter": {"id": 1}}');
SELECT t.via('a', 'delete_record', '{"table": "g.readonly", "filter": {"id": 1}}');
-- A serial column whose sequence is not granted says so.
CREATE TABLE g.serial (id serial, x int);
GRANT SELECT, INSERT ON g.serial TO authenticated;
SELECT t.via('a', 'insert_record', '{"table": "g.serial", "data": {"x": 1}}');
-- A grant to PUBLIC counts; one to a role that authenticated could become (NOINHERIT) does not.
CREATE ROLE regress_reader NOLOGIN;
GRANT SELECT ON g.closed TO regress_reader;
GRANT regress_reader TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "g.closed"}');
REVOKE regress_reader FROM authenticated;
GRANT SELECT ON g.closed TO PUBLIC;
SELECT t.via('a', 'query_table', '{"table": "g.closed"}');
-- Without USAGE on the schema everything in it is unknown.
REVOKE USAGE ON SCHEMA g FROM authenticated;
SELECT t.via('a', 'query_table', '{"table": "g.closed"}');
SELECT t.via('a', 'describe_table', '{"table": "g.readonly"}');
DROP SCHEMA g CASCADE;
DROP ROLE regress_reader;
