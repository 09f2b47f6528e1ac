-- Work put off to COMMIT, where the guard no longer is: deferred triggers that switch the role, and cursors WITH HOLD.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA gd;
CREATE TABLE gd.log (who text, got text);
CREATE TABLE gd.orders (id int);
CREATE FUNCTION gd.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO gd.log SELECT current_user, atk.attempt('SET ROLE regress_sibling'); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON gd.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gd.late();
GRANT USAGE ON SCHEMA gd TO authenticated, regress_sibling;
GRANT SELECT, INSERT ON gd.log, gd.orders TO authenticated, regress_sibling;
\c - regress_login
BEGIN; SET LOCAL ROLE authenticated; INSERT INTO gd.orders VALUES (1); COMMIT;
-- The escape even outlived the transaction.
SELECT current_user;
RESET ROLE;
SELECT t.via('a', 'insert_record', '{"table": "gd.orders", "data": {"id": 2}}');
BEGIN; SELECT mcp.authenticate(t.credential('a')); SELECT t.call('insert_record', '{"table": "gd.orders", "data": {"id": 3}}'); COMMIT;
BEGIN; SET LOCAL ROLE authenticated; SELECT t.call('insert_record', '{"table": "gd.orders", "data": {"id": 4}}'); COMMIT;
SELECT t.via('a', 'insert_record', '{"table": "atk.by_trigger", "data": {"attack": "SET CONSTRAINTS ALL DEFERRED; INSERT INTO gd.orders VALUES (5)"}, "returning": "outcome"}');
SELECT t.via('a', 'insert_record', '{"table": "atk.by_trigger", "data": {"attack": "SET CONSTRAINTS gd.late DEFERRED; INSERT INTO gd.orders VALUES (6)"}, "returning": "outcome"}');
\c - postgres
SELECT * FROM gd.log;
SELECT id FROM gd.orders ORDER BY id;
SET client_min_messages = warning;
DROP SCHEMA gd CASCADE;
