-- Tables with INITIALLY DEFERRED constraints (Django's): writes work, a violation is the tool's own error and leaves nothing.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA dk;
CREATE TABLE dk.parents (id int PRIMARY KEY);
CREATE TABLE dk.children (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, parent int NOT NULL REFERENCES dk.parents DEFERRABLE INITIALLY DEFERRED);
INSERT INTO dk.parents VALUES (1);
GRANT USAGE ON SCHEMA dk TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON dk.parents, dk.children TO authenticated;
SELECT t.via('a', 'insert_record', '{"table": "dk.children", "data": {"id": 1, "parent": 1}}');
SELECT t.via('a', 'insert_record', '{"table": "dk.children", "data": {"id": 2, "parent": 9}}');
SELECT t.via('a', 'insert_record', '{"table": "dk.children", "data": {"id": 1, "parent": 1}}');
SELECT t.via('a', 'update_record', '{"table": "dk.children", "data": {"parent": 8}, "filter": {"id": 1}}');
SELECT t.via('a', 'delete_record', '{"table": "dk.parents", "filter": {"id": 1}}');
SELECT * FROM dk.children;
-- In a DBA's larger transaction: what was deferred before is checked by the write, and constraints stay immediate (documented).
BEGIN;
INSERT INTO dk.children VALUES (3, 3);
SELECT t.call('query_table', '{"table": "dk.children", "order": "id"}');
INSERT INTO dk.parents VALUES (3);
SELECT t.call('insert_record', '{"table": "dk.children", "data": {"id": 4, "parent": 1}}');
INSERT INTO dk.children VALUES (5, 5);
ROLLBACK;
BEGIN;
INSERT INTO dk.children VALUES (3, 3);
SELECT t.call('insert_record', '{"table": "dk.children", "data": {"id": 4, "parent": 1}}');
ROLLBACK;
SELECT * FROM dk.children;
-- A deferred constraint trigger of somebody runs within the tool, as the tool's role.
CREATE TABLE dk.log (who text, inner_user text);
GRANT INSERT, SELECT ON dk.log TO authenticated;
CREATE FUNCTION dk.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO dk.log VALUES (TG_OP, current_user); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER note AFTER INSERT ON dk.children DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dk.note();
SELECT t.via('a', 'insert_record', '{"table": "dk.children", "data": {"id": 6, "parent": 1}}');
SELECT * FROM dk.log;
-- A body that defers again cannot bring its work past the guard.
CREATE FUNCTION dk.defer_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN NEW; END $$;
CREATE TRIGGER defer_again BEFORE INSERT ON dk.children FOR EACH ROW EXECUTE FUNCTION dk.defer_again();
SELECT t.via('a', 'insert_record', '{"table": "dk.children", "data": {"id": 7, "parent": 1}}');
SELECT * FROM dk.children ORDER BY id;
SELECT * FROM dk.log;
DROP SCHEMA dk CASCADE;
