-- What a session keeps whatever becomes of a transaction is gone after a call of the listener's: the next one is somebody else's.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SEQUENCE atk.numbers;
GRANT USAGE, SELECT ON SEQUENCE atk.numbers TO authenticated;
CREATE VIEW atk.left_behind AS
SELECT (SELECT string_agg(name, ',') FROM pg_prepared_statements WHERE from_sql) AS prepared,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks;
GRANT SELECT ON atk.left_behind TO PUBLIC;
\c - regress_login
CREATE TEMP TABLE attacks (n int, attack text);
INSERT INTO attacks VALUES (1, 'PREPARE regress_left AS SELECT 1'), (2, 'PREPARE "regress Left; x" AS SELECT 2'), (3, 'SELECT pg_advisory_lock(4711)'),
    (4, 'SELECT nextval(''atk.numbers'')');
-- Without the extension's care all of it is there.
SET ROLE authenticated;
DO $$
DECLARE
    a text;
BEGIN
    FOREACH a IN ARRAY ARRAY['PREPARE regress_left AS SELECT 1', 'SELECT pg_advisory_lock(4711)', 'SELECT nextval(''atk.numbers'')'] LOOP
        EXECUTE a;
    END LOOP;
END $$;
SELECT lastval() > 0;
RESET ROLE;
SELECT * FROM atk.left_behind;
DISCARD ALL;
CREATE TEMP TABLE attacks (n int, attack text);
INSERT INTO attacks VALUES (1, 'PREPARE regress_left AS SELECT 1'), (2, 'PREPARE "regress Left; x" AS SELECT 2'), (3, 'SELECT pg_advisory_lock(4711)'),
    (4, 'SELECT nextval(''atk.numbers'')');
-- The owner's own prepared statement stays.
PREPARE mine AS SELECT 'mine';
-- With it nothing is, after a call that succeeds (PREPARE is refused, the others work) and after one that fails.
SELECT n, mcp._serve(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', 'insert_record', 'arguments',
         jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', attack), 'returning', 'outcome')))::text, t.credential('a'), '{}') FROM attacks ORDER BY n;
SELECT * FROM atk.left_behind;
SELECT lastval();
SELECT n, mcp._serve(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', 'insert_record', 'arguments',
         jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', attack), 'expect', 7)))::text, t.credential('a'), '{}') ~ 'expect' FROM attacks ORDER BY n;
SELECT * FROM atk.left_behind;
SELECT lastval();
\c - postgres
SET client_min_messages = warning;
DROP VIEW atk.left_behind;
DROP SEQUENCE atk.numbers;
