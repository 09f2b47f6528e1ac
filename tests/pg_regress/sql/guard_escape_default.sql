-- The escape table through a default expression's function.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
\c - regress_login
BEGIN; SET LOCAL ROLE authenticated; SET attack.sql = 'RESET ROLE'; INSERT INTO atk.by_default (id) VALUES (0) RETURNING outcome; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; SET attack.sql = 'SET ROLE regress_sibling'; INSERT INTO atk.by_default (id) VALUES (0) RETURNING outcome; ROLLBACK;
SELECT a.n, a.attack, t.attack(a.attack, 'insert_record', '{"table": "atk.by_default", "data": {"id": 1}, "returning": "outcome"}') FROM t.attacks AS a ORDER BY a.n;
SELECT current_user, session_user, (SELECT count(*) FROM pg_cursors WHERE name LIKE 'regress%'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()), pg_my_temp_schema() = 0;
