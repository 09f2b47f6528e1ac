-- insert_record: one row, its defaults, what comes back, and that a failure leaves nothing.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ins;
CREATE TABLE ins.people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age > 0),
    full_name text, upper_email text GENERATED ALWAYS AS (upper(email)) STORED, made date DEFAULT '2024-01-01');
CREATE TABLE ins.pets (name text, owner int REFERENCES ins.people);
GRANT USAGE ON SCHEMA ins TO authenticated;
GRANT SELECT, INSERT ON ins.people, ins.pets TO authenticated;
SELECT t.via('a', 'insert_record', '{"table": "ins.people", "data": {"email": "x@example.org", "age": 5}}');
SELECT t.via('a', 'insert_record', '{"table": "ins.people", "data": {"email": "y@example.org", "full_name": null, "made": null}, "returning": "id,mail:email"}');
SELECT t.via('a', 'insert_record', '{"table": "ins.people", "data": {"email": "z@example.org"}, "returning": "none"}');
SELECT t.via('a', 'insert_record', '{"table": "ins.people", "data": {"email": "w@example.org"}, "returning": "nonsense"}');
-- Postgres's own refusals, and ours.
SELECT c.data, t.via('a', 'insert_record', jsonb_build_object('table', 'ins.people', 'data', c.data))
  FROM (VALUES ('{"email": "x@example.org"}'::jsonb), ('{"age": 5}'), ('{"email": "n@example.org", "age": -1}'), ('{"email": "n@example.org", "agee": 1}'),
               ('{"email": "n@example.org", "id": 7}'), ('{"email": "n@example.org", "upper_email": "N"}'), ('{}'), ('[{"email": "n@example.org"}]'), ('"x"'), ('null')) AS c(data);
SELECT t.via('a', 'insert_record', '{"table": "ins.pets", "data": {"name": "rex", "owner": 99}}');
SELECT t.via('a', 'insert_record', '{"table": "ins.pets", "data": {"name": "rex", "owner": 1}}');
SELECT t.via('a', 'insert_record', '{"table": "ins.people", "data": {"email": "n@example.org"}, "on_conflict": "email"}');
SELECT t.via('a', 'insert_record', '{"data": {"email": "n@example.org"}}');
SELECT id, email, age, full_name, upper_email, made FROM ins.people ORDER BY id;
-- A trigger that drops the row is told.
CREATE FUNCTION ins.drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER drop_row BEFORE INSERT ON ins.pets FOR EACH ROW WHEN (NEW.name = 'ghost') EXECUTE FUNCTION ins.drop_row();
SELECT t.via('a', 'insert_record', '{"table": "ins.pets", "data": {"name": "ghost"}}');
-- A row that is larger than an answer is inserted and said to be.
ALTER TABLE ins.pets ADD COLUMN body text;
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'ins.pets', 'data', jsonb_build_object('name', 'big', 'body', repeat('x', 50000))));
SELECT name, length(body) FROM ins.pets ORDER BY name;
-- A view without INSTEAD OF trigger that Postgres cannot update says so.
CREATE VIEW ins.counted AS SELECT count(*) AS n FROM ins.pets;
GRANT SELECT, INSERT ON ins.counted TO authenticated;
SELECT t.via('a', 'insert_record', '{"table": "ins.counted", "data": {"n": 1}}');
DROP SCHEMA ins CASCADE;
