-- The escape table through a policy's function, on select, insert, update and delete.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
\c - regress_login
BEGIN; SET LOCAL ROLE authenticated; SET attack.sql = 'RESET ROLE'; SELECT * FROM atk.by_policy; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; SET attack.sql = 'SET ROLE regress_sibling'; SELECT * FROM atk.by_policy; ROLLBACK;
SELECT a.n, a.attack, t.attack(a.attack, 'query_table', '{"table": "atk.by_policy"}') FROM t.attacks AS a ORDER BY a.n;
SELECT a.n, t.attack(a.attack, 'insert_record', '{"table": "atk.by_policy", "data": {"id": 2}}'), t.attack(a.attack, 'update_record', '{"table": "atk.by_policy", "data": {"id": 2}, "filter": {"id": 1}}'),
       t.attack(a.attack, 'delete_record', '{"table": "atk.by_policy", "filter": {"id": 1}}')
  FROM t.attacks AS a WHERE a.n IN (1, 2, 7, 11, 20, 30, 40, 47, 50, 60) ORDER BY a.n;
SELECT current_user, session_user, (SELECT count(*) FROM pg_cursors WHERE name LIKE 'regress%'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()), pg_my_temp_schema() = 0;
