-- Two roles and two users taking turns in one backend on one table with row-level security: no plan or description of one serves the other.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA tr;
CREATE TABLE tr.notes (id int PRIMARY KEY, user_id uuid, team text, secret text);
INSERT INTO tr.notes SELECT g, CASE g % 2 WHEN 0 THEN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa' ELSE 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' END::uuid, CASE g % 3 WHEN 0 THEN 'anon' ELSE 'other' END, 's' || g FROM generate_series(1, 6) AS g;
ALTER TABLE tr.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tr.notes TO authenticated USING (user_id = auth.uid());
CREATE POLICY team ON tr.notes TO anon USING (team = 'anon');
GRANT USAGE ON SCHEMA tr TO anon, authenticated, service_role;
GRANT SELECT, UPDATE ON tr.notes TO authenticated, service_role;
GRANT SELECT (id, team) ON tr.notes TO anon;
SELECT t.key('visitor', role => 'anon');
-- More than five rounds, so that generic plans are made.
SELECT n, k, t.via(k, 'query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}')
  FROM generate_series(1, 8) AS n, unnest(ARRAY['a', 'visitor', 'b', 'service']) WITH ORDINALITY AS u(k, i) ORDER BY n, i;
-- Columns differ by role.
SELECT k, t.via(k, 'query_table', '{"table": "tr.notes", "filter": {"id": "eq.6"}}') FROM unnest(ARRAY['a', 'visitor', 'b', 'service', 'visitor', 'a']) AS k;
-- The same by SET ROLE in SQL, mixed with keys.
SET ROLE anon;
SELECT t.call('query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}');
RESET ROLE;
SELECT t.call('query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}');
SELECT t.via('visitor', 'query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}');
-- Policies and grants that change are obeyed by the next call in spite of kept plans.
DROP POLICY team ON tr.notes;
CREATE POLICY team ON tr.notes TO anon USING (id = 1);
SELECT t.via('visitor', 'query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}');
ALTER TABLE tr.notes DISABLE ROW LEVEL SECURITY;
SELECT t.via('visitor', 'query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}');
ALTER TABLE tr.notes ENABLE ROW LEVEL SECURITY;
SELECT t.via('visitor', 'query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}');
REVOKE SELECT (team) ON tr.notes FROM anon;
SELECT t.via('visitor', 'query_table', '{"table": "tr.notes"}');
REVOKE SELECT (id) ON tr.notes FROM anon;
SELECT t.via('visitor', 'query_table', '{"table": "tr.notes", "select": "id", "filter": {"id": "gt.0"}, "order": "id"}');
-- So are memberships, by which a policy speaks of a role, and the attribute BYPASSRLS.
CREATE ROLE regress_team NOLOGIN;
CREATE ROLE regress_player NOLOGIN INHERIT;
CREATE TABLE tr.plays (id int);
INSERT INTO tr.plays VALUES (1), (2);
ALTER TABLE tr.plays ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON tr.plays USING (id = 1);
CREATE POLICY of_team ON tr.plays TO regress_team USING (true);
GRANT USAGE ON SCHEMA tr TO regress_player;
GRANT SELECT ON tr.plays TO regress_player;
\o /dev/null
SELECT mcp.allow_role('regress_player');
\o
SELECT t.key('player', role => 'regress_player');
SELECT t.via('player', 'query_table', '{"table": "tr.plays", "order": "id"}');
GRANT regress_team TO regress_player;
SELECT t.via('player', 'query_table', '{"table": "tr.plays", "order": "id"}');
REVOKE regress_team FROM regress_player;
SELECT t.via('player', 'query_table', '{"table": "tr.plays", "order": "id"}');
ALTER ROLE regress_player BYPASSRLS;
SELECT t.via('player', 'query_table', '{"table": "tr.plays", "order": "id"}');
ALTER ROLE regress_player NOBYPASSRLS;
SELECT t.via('player', 'query_table', '{"table": "tr.plays", "order": "id"}');
\o /dev/null
SELECT mcp.disallow_role('regress_player');
\o
DROP TABLE tr.plays;
REVOKE ALL ON SCHEMA tr, auth FROM regress_player;
DROP ROLE regress_team, regress_player;
-- A table replaced by another of the same name.
ALTER TABLE tr.notes RENAME TO notes_old;
CREATE TABLE tr.notes (id text);
GRANT SELECT ON tr.notes TO authenticated;
INSERT INTO tr.notes VALUES ('new');
SELECT t.via('a', 'query_table', '{"table": "tr.notes"}');
-- More shapes than plans are kept.
SELECT count(*), count(DISTINCT t.via(k, 'query_table', jsonb_build_object('table', 'tr.notes', 'limit', n))) FROM generate_series(1, 200) AS n, unnest(ARRAY['a', 'b']) AS k;
-- Parallel workers see the same claims.
CREATE TABLE tr.big AS SELECT g AS id, CASE g % 2 WHEN 0 THEN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa' ELSE 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' END::uuid AS user_id, repeat('x', 200) AS pad FROM generate_series(1, 20000) AS g;
ALTER TABLE tr.big ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tr.big TO authenticated USING (user_id = auth.uid());
GRANT SELECT ON tr.big TO authenticated;
ANALYZE tr.big;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT k, t.via(k, 'query_table', '{"table": "tr.big", "select": "id", "order": "id.desc", "filter": {"pad": "like.x%"}, "limit": 2}') FROM unnest(ARRAY['a', 'b', 'a']) AS k;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
DROP SCHEMA tr CASCADE;
