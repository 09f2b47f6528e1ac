-- Cursors: what a body opens is gone after it, what its caller had open is still there.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
\c - regress_login
-- Without the guard a cursor of the tool's, fetched later, runs its function as the outer user.
BEGIN;
SET LOCAL ROLE authenticated;
SET attack.sql = $$DECLARE regress_left CURSOR FOR SELECT atk.attempt('SELECT 1')$$;
SELECT outcome FROM atk.by_view;
RESET ROLE;
SET ROLE regress_sibling;
FETCH ALL FROM regress_left;
ROLLBACK;
-- With it there is none, after a read and after a write, whichever way it was opened.
CREATE TEMP TABLE openings (n int, attack text);
INSERT INTO openings VALUES (1, 'DECLARE regress_left CURSOR FOR SELECT atk.attempt(''SELECT 1'')'), (2, 'DECLARE "regress Left; x" SCROLL CURSOR FOR SELECT 1'),
    (3, 'DO $x$ DECLARE c refcursor := ''regress_ref''; BEGIN OPEN c FOR SELECT 1; END $x$'), (4, 'DO $x$ DECLARE c refcursor; BEGIN BEGIN OPEN c FOR SELECT 1; MOVE c; EXCEPTION WHEN OTHERS THEN NULL; END; END $x$');
BEGIN;
DECLARE mine CURSOR FOR SELECT g FROM generate_series(1, 5) AS g;
FETCH mine;
SELECT mcp.authenticate(t.credential('a'));
SELECT o.n, set_config('attack.sql', o.attack, false) <> '' AS set, t.call('query_table', '{"table": "atk.by_view"}'), t.call('insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', o.attack), 'returning', 'outcome')) FROM openings AS o ORDER BY o.n;
SELECT name FROM pg_cursors WHERE name <> '' ORDER BY name;
FETCH regress_left;
ROLLBACK;
BEGIN;
DECLARE mine CURSOR FOR SELECT g FROM generate_series(1, 5) AS g;
FETCH mine;
SELECT mcp.authenticate(t.credential('a'));
-- The caller's cursor survives reads, writes and failures, and keeps its place. A body that takes its name is told so.
SELECT t.call('query_table', '{"table": "atk.written"}');
FETCH mine;
SELECT t.call('insert_record', '{"table": "atk.by_trigger", "data": {"attack": "DECLARE mine CURSOR FOR SELECT 1"}, "returning": "outcome"}');
FETCH mine;
SELECT t.call('insert_record', '{"table": "atk.by_trigger", "data": {"id": "no number"}}');
FETCH mine;
SELECT name FROM pg_cursors WHERE name <> '' ORDER BY name;
COMMIT;
-- By the listener's entry.
SELECT o.n, t.via('a', 'insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', o.attack), 'returning', 'outcome')) FROM openings AS o ORDER BY o.n;
BEGIN;
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', o.attack), 'returning', 'outcome')) FROM openings AS o WHERE n = 1;
SELECT name FROM pg_cursors WHERE name LIKE 'regress%';
COMMIT;
-- A tool called from a plpgsql loop, whose own cursor is open and pinned.
DO $$
DECLARE
    r record;
    told text := '';
BEGIN
    FOR r IN SELECT g FROM generate_series(1, 3) AS g LOOP
        told := told || t.via('a', 'insert_record', jsonb_build_object('table', 'atk.written', 'data', jsonb_build_object('who', r.g))) || ' ';
    END LOOP;
    RAISE WARNING '%', told;
END
$$;
SELECT t.via('a', 'query_table', '{"table": "atk.written", "order": "who"}');
\c - postgres
DELETE FROM atk.written;
