-- The escape table through a trigger's function: without the guard the role is left, with it nothing is.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
\c - regress_login
-- Without the guard, as a listener that only does SET LOCAL ROLE: each attack succeeds.
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (attack) VALUES ('RESET ROLE') RETURNING outcome; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (attack) VALUES ('SET ROLE regress_sibling') RETURNING outcome; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (attack) VALUES ($$SELECT set_config('role', 'regress_sibling', false)$$) RETURNING outcome; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (attack) VALUES ('SET ROLE service_role') RETURNING outcome; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (attack) VALUES ($$DO 'BEGIN SET ROLE regress_sibling; END'$$) RETURNING outcome; ROLLBACK;
-- It even outlives the transaction.
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (id, attack) VALUES (0, 'SET ROLE regress_sibling'); COMMIT;
SELECT current_user;
RESET ROLE;
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (attack) VALUES ('CREATE TEMP TABLE shadow (x int)') RETURNING outcome; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO atk.by_trigger (attack) VALUES ('LISTEN regress_channel') RETURNING outcome; ROLLBACK;
-- With the guard, by the listener's entry.
SELECT a.n, a.attack, t.via('a', 'insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('id', a.n, 'attack', a.attack), 'returning', 'outcome')) FROM t.attacks AS a ORDER BY a.n;
SELECT current_user, session_user, (SELECT count(*) FROM pg_cursors WHERE name LIKE 'regress%'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()), pg_my_temp_schema() = 0;
-- On update.
SELECT a.n, t.via('a', 'update_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', a.attack), 'filter', '{"id": 1}'::jsonb, 'returning', 'outcome')) FROM t.attacks AS a WHERE a.n < 20 ORDER BY a.n;
SELECT current_user;
-- By mcp.authenticate in SQL, and by SET ROLE with mcp.handle.
BEGIN;
SELECT mcp.authenticate(t.credential('a'));
SELECT a.n, t.call('insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('id', a.n, 'attack', a.attack), 'returning', 'outcome')) FROM t.attacks AS a WHERE a.n < 60 ORDER BY a.n;
SELECT current_user;
COMMIT;
SET ROLE authenticated;
SELECT a.n, t.call('insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('id', a.n, 'attack', a.attack), 'returning', 'outcome')) FROM t.attacks AS a WHERE a.n < 30 ORDER BY a.n;
SELECT current_user;
RESET ROLE;
-- A superuser's session lent to a key gives nothing of its power.
\c - postgres
BEGIN;
SELECT mcp.authenticate(t.credential('a'));
SELECT a.n, t.call('insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('id', a.n, 'attack', a.attack), 'returning', 'outcome')) FROM t.attacks AS a WHERE a.n <= 30 ORDER BY a.n;
SELECT regexp_replace(t.call('insert_record', '{"table": "atk.by_trigger", "data": {"attack": "ALTER ROLE authenticated SUPERUSER"}, "returning": "outcome"}'), '42501 .* [|]', '42501 |');
SELECT regexp_replace(t.call('insert_record', '{"table": "atk.by_trigger", "data": {"attack": "COPY atk.written FROM PROGRAM ''true''"}, "returning": "outcome"}'), '42501 .* [|]', '42501 |');
SELECT t.call('insert_record', '{"table": "atk.by_trigger", "data": {"attack": "SET log_statement = ''none''"}, "returning": "outcome"}');
SELECT t.call('insert_record', '{"table": "atk.by_trigger", "data": {"attack": "SET session_replication_role = replica"}, "returning": "outcome"}');
COMMIT;
SELECT current_user, session_user;
