-- write_rules: rules of a table (CREATE RULE) act for writes of the tools as for SQL; records and counts are of the rows that the call names. Where Postgres has no such statement, it is refused and nothing is changed.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ru;
CREATE TABLE ru.notes (id int PRIMARY KEY, title text, tenant text DEFAULT 'A');
CREATE TABLE ru.log (n int GENERATED ALWAYS AS IDENTITY, what text, id int);
CREATE TABLE ru.secrets (secret text);
INSERT INTO ru.secrets VALUES ('of another');
CREATE RULE added AS ON INSERT TO ru.notes DO ALSO INSERT INTO ru.log (what, id) VALUES ('insert', NEW.id), ('insert again', NEW.id);
CREATE RULE changed AS ON UPDATE TO ru.notes DO ALSO INSERT INTO ru.log (what, id) VALUES ('update', NEW.id);
CREATE RULE removed AS ON DELETE TO ru.notes DO ALSO INSERT INTO ru.log (what, id) VALUES ('delete', OLD.id);
-- What a rule reads is not the answer.
CREATE RULE shown AS ON UPDATE TO ru.notes DO ALSO SELECT secret FROM ru.secrets;
ALTER TABLE ru.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ru.notes USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
GRANT USAGE ON SCHEMA ru TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ru.notes TO authenticated;
INSERT INTO ru.notes VALUES (90, 'of B', 'B');
TRUNCATE ru.log;
SELECT t.via('a', 'insert_record', '{"table": "ru.notes", "data": {"id": 1, "title": "one"}}');
SELECT t.via('a', 'insert_record', '{"table": "ru.notes", "data": [{"id": 2, "title": "two"}, {"id": 3}], "returning": "id", "expect": 2}');
SELECT t.via('a', 'insert_record', '{"table": "ru.notes", "data": {"id": 4}, "returning": "none"}');
SELECT t.via('a', 'update_record', '{"table": "ru.notes", "data": {"title": "new"}, "filter": {"id": "lte.2"}, "max_affected": 2}');
SELECT t.via('a', 'update_record', '{"table": "ru.notes", "data": {"title": "newer"}, "filter": {"id": 1}, "returning": "none"}');
SELECT t.via('a', 'delete_record', '{"table": "ru.notes", "filter": {"id": "eq.4"}}');
SELECT what, id FROM ru.log ORDER BY n;
TRUNCATE ru.log;
-- The attack: another tenant's row is neither written nor logged by the rule.
SELECT t.via('a', 'update_record', '{"table": "ru.notes", "data": {"title": "stolen"}, "filter": {"id": 90}}'), t.via('a', 'delete_record', '{"table": "ru.notes", "filter": {"id": 90}}'), t.via('a', 'insert_record', '{"table": "ru.notes", "data": {"id": 91, "tenant": "B"}}');
-- A bound that is missed, and a dry run, undo what the rules did.
SELECT t.via('a', 'update_record', '{"table": "ru.notes", "data": {"title": "x"}, "filter": {"id": "lte.3"}, "max_affected": 2}'), t.via('a', 'update_record', '{"table": "ru.notes", "data": {"title": "x"}, "filter": {"id": 3}, "dry_run": true}');
-- Groups need a statement around the write, which Postgres does not have for a table with such rules.
SELECT t.via('a', 'insert_record', '{"table": "ru.notes", "data": {"id": 5}, "returning": "count()"}'), t.via('a', 'update_record', '{"table": "ru.notes", "data": {"title": "x"}, "filter": {"id": 3}, "returning": "count()"}'), t.via('a', 'delete_record', '{"table": "ru.notes", "filter": {"id": 3}, "returning": "count()"}');
-- What the caller may not read or write itself stays closed.
SELECT t.via('a', 'query_table', '{"table": "ru.secrets"}'), t.via('a', 'insert_record', '{"table": "ru.log", "data": {"what": "forged"}}');
SELECT count(*) FROM ru.log;
SELECT * FROM ru.notes ORDER BY id;
DROP SCHEMA ru CASCADE;
