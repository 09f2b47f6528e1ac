-- An error of Postgres reaches the caller with its own SQLSTATE, also one that a function's author made up, and with the name of the
-- constraint; an error that was caught on the way does not; nothing is told of a row that row-level security hides.
\t on
\a
\set VERBOSITY terse
CREATE SCHEMA err;
CREATE TABLE err.teams (id int PRIMARY KEY, name text NOT NULL CONSTRAINT teams_name UNIQUE);
INSERT INTO err.teams VALUES (1, 'one'), (2, 'two');
CREATE DOMAIN err.grade AS int CONSTRAINT grade_range CHECK (VALUE BETWEEN 1 AND 6);
CREATE TABLE err.members (
    id int PRIMARY KEY,
    team int CONSTRAINT member_of REFERENCES err.teams,
    age int CONSTRAINT grown_up CHECK (age >= 18),
    mail text NOT NULL DEFAULT '',
    away int4range,
    grade err.grade,
    CONSTRAINT away_once EXCLUDE USING gist (away WITH &&)
);
INSERT INTO err.members VALUES (1, 1, 20, 'a', '[1,5)');
GRANT USAGE ON SCHEMA err TO authenticated;
GRANT ALL ON err.teams, err.members TO authenticated;
CREATE FUNCTION err.insert(data jsonb, "table" text DEFAULT 'err.members') RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'insert_record', jsonb_build_object('table', "table", 'data', data, 'returning', 'none'))
$$;
-- Each kind of constraint.
SELECT err.insert('{"id": 1}');
SELECT err.insert('{"id": 3, "name": "one"}', 'err.teams');
SELECT err.insert('{"id": 2, "team": 7}');
SELECT t.via('a', 'delete_record', '{"table": "err.teams", "filter": {"id": 1}}');
SELECT err.insert('{"id": 2, "age": 17}');
SELECT err.insert('{"id": 2, "mail": null}');
SELECT err.insert('{"id": 2, "away": "[4,6)"}');
SELECT err.insert('{"id": 2, "grade": 7}');
SELECT t.via('a', 'query_table', '{"table": "err.members", "select": "id", "filter": {"grade": "eq.x"}}');
-- Errors that functions raise.
CREATE FUNCTION err.check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE NEW.mail
    WHEN 'own' THEN
        RAISE EXCEPTION 'not paid' USING ERRCODE = 'PT402', DETAIL = 'two invoices are open', HINT = 'pay them', CONSTRAINT = 'paid';
    WHEN 'condition' THEN
        RAISE invalid_password USING MESSAGE = 'a condition by its name';
    WHEN 'notice' THEN
        RAISE NOTICE USING MESSAGE = 'only told', ERRCODE = 'PT100';
        RAISE EXCEPTION 'after a notice';
    WHEN 'caught' THEN
        BEGIN
            RAISE EXCEPTION 'caught' USING ERRCODE = 'PT001', CONSTRAINT = 'caught';
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION 'second' USING ERRCODE = 'PT002';
        END;
    WHEN 'caught and known' THEN
        BEGIN
            INSERT INTO err.teams VALUES (1, 'x');
        EXCEPTION WHEN unique_violation THEN
            PERFORM 1 / 0;
        END;
    WHEN 'again' THEN
        -- The first error is raised again after forty others were caught.
        BEGIN
            RAISE EXCEPTION 'first' USING ERRCODE = 'PT001', CONSTRAINT = 'first';
        EXCEPTION WHEN OTHERS THEN
            FOR n IN 1..40 LOOP
                BEGIN
                    PERFORM 1 / 0;
                EXCEPTION WHEN division_by_zero THEN
                    NULL;
                END;
            END LOOP;
            RAISE;
        END;
    WHEN 'recovered' THEN
        BEGIN
            RAISE EXCEPTION 'caught' USING ERRCODE = 'PT001', CONSTRAINT = 'caught';
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    WHEN 'nested' THEN
        NEW.mail := left(t.call('insert_record', '{"table": "err.members", "data": {"id": 9, "mail": "own"}}'), 200);
        RAISE EXCEPTION '%', NEW.mail USING ERRCODE = 'PT003';
    WHEN 'deep' THEN
        NEW.id := err.deep(1);
    WHEN 'internal' THEN
        RAISE EXCEPTION 'secret of the server' USING ERRCODE = 'XX001', DETAIL = 'secret', CONSTRAINT = 'secret';
    ELSE
        NULL;
    END CASE;
    RETURN NEW;
END
$$;
CREATE FUNCTION err.deep(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN err.deep(n + 1) + 1; END$$;
CREATE TRIGGER "check" BEFORE INSERT ON err.members FOR EACH ROW EXECUTE FUNCTION err.check();
SELECT err.insert('{"id": 2, "mail": "own"}');
SELECT err.insert('{"id": 2, "mail": "condition"}');
SELECT err.insert('{"id": 2, "mail": "notice"}');
SELECT err.insert('{"id": 2, "mail": "caught"}');
SELECT err.insert('{"id": 2, "mail": "caught and known"}');
SELECT err.insert('{"id": 2, "mail": "again"}');
SELECT err.insert('{"id": 2, "mail": "nested"}');
SELECT split_part(err.insert('{"id": 2, "mail": "deep"}'), E'\n', 1);
SELECT err.insert('{"id": 3, "mail": "recovered"}');
SELECT regexp_replace(err.insert('{"id": 2, "mail": "internal"}'), 'reference [0-9a-f-]+', 'reference R');
SELECT id, mail FROM err.members ORDER BY id;
-- Outside of tools nothing is different: the stack of error contexts is as it was.
SELECT t.try('INSERT INTO err.members (id) VALUES (1)'), t.try($$INSERT INTO err.members (id, mail) VALUES (2, 'own')$$);
-- A key that a hidden row has: that it is taken cannot be hidden, its values are.
CREATE TABLE err.mine (id int PRIMARY KEY, owner text NOT NULL, code text NOT NULL CONSTRAINT mine_code UNIQUE);
INSERT INTO err.mine VALUES (1, 'b', 'secret');
ALTER TABLE err.mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON err.mine USING (owner = 'a') WITH CHECK (owner = 'a');
GRANT ALL ON err.mine TO authenticated;
SELECT err.insert('{"id": 2, "owner": "a", "code": "secret"}', 'err.mine');
SELECT err.insert('{"id": 2, "owner": "b", "code": "other"}', 'err.mine');
SET client_min_messages = warning;
DROP SCHEMA err CASCADE;
