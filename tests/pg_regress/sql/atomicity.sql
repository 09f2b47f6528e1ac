-- A tool that fails leaves nothing: not its own rows, not its triggers' rows, in every way of failing; and the next call works.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA at;
CREATE TABLE at.log (n int);
CREATE TABLE at.items (id int PRIMARY KEY, n int CHECK (n < 100));
INSERT INTO at.items SELECT g, g FROM generate_series(1, 5) AS g;
CREATE FUNCTION at.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO at.log VALUES (NEW.n);
    IF NEW.n = 13 THEN RAISE EXCEPTION 'thirteen' USING ERRCODE = 'P0001', DETAIL = 'the detail', HINT = 'the hint'; END IF;
    IF NEW.n = 14 THEN RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'made-up serialization failure'; END IF;
    IF NEW.n = 15 THEN RAISE EXCEPTION USING ERRCODE = 'PT402', MESSAGE = 'own code'; END IF;
    IF NEW.n = 16 THEN RAISE EXCEPTION USING ERRCODE = '57014', MESSAGE = 'made-up cancel'; END IF;
    IF NEW.n = 17 THEN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'made-up internal error'; END IF;
    IF NEW.n = 18 THEN PERFORM 1 / 0; END IF;
    IF NEW.n = 19 THEN RAISE EXCEPTION USING MESSAGE = E'line\none "two" \\ \\u0000', HINT = E'h\t'; END IF;
    IF NEW.n = 20 THEN RAISE WARNING 'only a warning'; END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON at.items FOR EACH ROW EXECUTE FUNCTION at.note();
GRANT USAGE ON SCHEMA at TO authenticated;
GRANT SELECT, INSERT, UPDATE ON at.items, at.log TO authenticated;
SELECT n, t.via('a', 'insert_record', jsonb_build_object('table', 'at.items', 'data', jsonb_build_object('id', n, 'n', n))) FROM unnest(ARRAY[13, 15, 18, 19]) AS n;
SELECT regexp_replace(t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 17, "n": 17}}'), 'reference [0-9a-f-]+', 'reference R');
SELECT t.via('a', 'update_record', '{"table": "at.items", "data": {"n": 13}, "filter": {"id": {"gte": 1}}}');
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 1, "n": 1}}');
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 30, "n": 130}}');
-- Serialization failures and cancels end the whole transaction: they are raised, not answered.
SELECT t.try($$SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 14, "n": 14}}')$$);
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 14, "n": 14}}');
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 16, "n": 16}}');
CREATE VIEW at.slow AS SELECT pg_sleep(30)::text AS x;
GRANT SELECT ON at.slow TO authenticated;
SET statement_timeout = '500ms';
SELECT t.via('a', 'query_table', '{"table": "at.slow"}');
RESET statement_timeout;
-- A warning does not disturb.
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 20, "n": 20}}');
SELECT count(*), sum(n) FROM at.items;
SELECT * FROM at.log;
-- In one transaction: what worked stays, what failed does not.
BEGIN;
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 40, "n": 40}, "returning": "id"}');
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 41, "n": 13}}');
SELECT t.via('a', 'insert_record', '{"table": "at.items", "data": {"id": 42, "n": 42}, "returning": "id"}');
COMMIT;
SELECT id FROM at.items WHERE id >= 40 ORDER BY id;
SELECT * FROM at.log ORDER BY n;
-- Our own state is as before: who, claims, nesting.
SELECT current_user, mcp.claims() IS NULL;
SELECT mcp.authenticate(t.credential('a')) IS NOT NULL;
DROP SCHEMA at CASCADE;
