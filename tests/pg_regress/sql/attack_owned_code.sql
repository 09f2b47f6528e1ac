-- Code of a weak role that a strong one's call reaches: operators, casts, domains, expressions of indexes, defaults, constraints. What our statements name themselves is
-- never looked up by a search path; what the table's owner made runs, as in Postgres, but cannot leave the role, write in a read, or stay.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA own;
GRANT USAGE, CREATE ON SCHEMA own TO regress_owner;
GRANT USAGE ON SCHEMA own TO authenticated, service_role;
CREATE TABLE own.plain (id int PRIMARY KEY, name varchar(20), price numeric, at date, data jsonb, tags text[]);
INSERT INTO own.plain VALUES (1, 'one', 1.5, '2026-01-01', '{"a": 1}', '{x}'), (2, 'two', 2.5, '2026-01-02', '{"a": 2}', '{y}');
GRANT SELECT, INSERT, UPDATE, DELETE ON own.plain TO authenticated, service_role;
-- Better matches than those of pg_catalog, first in the path.
SET ROLE regress_owner;
CREATE FUNCTION own.hijack(varchar, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION own.hijack(numeric, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION own.hijack(jsonb, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR own.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = own.hijack);
CREATE OPERATOR own.< (LEFTARG = varchar, RIGHTARG = text, FUNCTION = own.hijack);
CREATE OPERATOR own.~~ (LEFTARG = varchar, RIGHTARG = text, FUNCTION = own.hijack);
CREATE OPERATOR own.= (LEFTARG = numeric, RIGHTARG = text, FUNCTION = own.hijack);
CREATE OPERATOR own.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = own.hijack);
CREATE FUNCTION own.max(varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION own.count() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION own.to_json(varchar) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION own.row_to_json(record) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE FUNCTION own.json_agg(json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE DOMAIN own.numeric AS text CHECK (own.hijack(VALUE::varchar, ''));
RESET ROLE;
-- Whoever writes SQL without schemas falls into it.
SET search_path = own, pg_catalog;
SELECT t.try('SELECT 1 FROM own.plain WHERE name OPERATOR(own.=) ''one''::text');
SELECT t.try('SELECT 1 FROM own.plain WHERE name = ''one''::text');
SELECT t.try('SELECT data ->> ''a''::text FROM own.plain');
RESET search_path;
ALTER ROLE service_role SET search_path = own, pg_catalog;
ALTER ROLE authenticated SET search_path = own, pg_catalog;
SELECT t.key('strong', role => 'service_role', kind => 'service', scopes => '{}');
SELECT n, k, t.via(k, 'query_table', args) FROM unnest('{a,strong}'::text[]) AS k, (VALUES
    (1, '{"table": "own.plain", "filter": {"name": "eq.one", "price": "gte.1"}}'::jsonb),
    (2, '{"table": "own.plain", "filter": {"name": "like.o%"}, "select": "id,data->>a"}'),
    (3, '{"table": "own.plain", "filter": {"name": "lt.p", "data->>a": "eq.1", "price": "eq.1.5"}, "select": "id"}'),
    (4, '{"table": "own.plain", "select": "name.max(),count(),price::numeric.sum()"}'),
    (5, '{"table": "own.plain", "select": "id", "order": "name.desc", "limit": 1, "count": "exact"}')) AS q(n, args) ORDER BY n, k;
SELECT t.via('strong', 'update_record', '{"table": "own.plain", "data": {"price": 9}, "filter": {"name": "eq.two"}, "returning": "id,name,price"}');
ALTER ROLE service_role RESET search_path;
ALTER ROLE authenticated RESET search_path;
-- A table of the attacker's own: its functions run for whoever uses it.
SET ROLE regress_owner;
CREATE FUNCTION own.rob_now(place text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('own.armed', true) IS DISTINCT FROM 'on' THEN RETURN true; END IF;
    BEGIN SET ROLE regress_sibling; RAISE WARNING '% left the role', place; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
    BEGIN SET SESSION AUTHORIZATION regress_sibling; RAISE WARNING '% left the session', place; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
    BEGIN PERFORM set_config('mcp.claims', '{"sub": "forged"}', false); RAISE WARNING '% forged', place; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
    BEGIN PERFORM lo_create(4711); EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN PERFORM pg_read_file('/etc/passwd'); RAISE WARNING '% read a file', place; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN PERFORM query_to_xml('SELECT key_id FROM mcp.keys', true, false, ''); RAISE WARNING '% read keys', place; EXCEPTION WHEN OTHERS THEN NULL; END;
    PERFORM set_config('own.left', place, false), set_config('search_path', 'own', false), pg_advisory_lock(4711);
    RETURN true;
END
$$;
CREATE FUNCTION own.rob(place text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM own.rob_now(place); RETURN true; END $$;
CREATE DOMAIN own.trap AS int CHECK (own.rob('domain'));
CREATE TABLE own.mine (id int PRIMARY KEY DEFAULT CASE WHEN own.rob('default') THEN 5 END, v own.trap, w int CHECK (own.rob('check')),
                       g int GENERATED ALWAYS AS (CASE WHEN own.rob('generated') THEN 1 END) STORED);
CREATE INDEX ON own.mine ((own.rob('index')));
INSERT INTO own.mine (id, v, w) VALUES (1, 1, 1);
CREATE VIEW own.seen WITH (security_invoker = true) AS SELECT id, own.rob('view') AS robbed FROM own.mine;
-- Casts, for those who ask for them.
CREATE TYPE own.mood AS ENUM ('low', 'high');
CREATE FUNCTION own.told(own.mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM own.rob_now('cast'); RETURN 'robbed'; END $$;
CREATE FUNCTION own.counted(own.mood) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM own.rob_now('cast'); RETURN 7; END $$;
CREATE CAST (own.mood AS text) WITH FUNCTION own.told(own.mood) AS ASSIGNMENT;
CREATE CAST (own.mood AS int) WITH FUNCTION own.counted(own.mood) AS ASSIGNMENT;
CREATE TABLE own.moods (id int, m own.mood);
INSERT INTO own.moods VALUES (1, 'low'), (2, 'high');
GRANT SELECT, INSERT, UPDATE, DELETE ON own.moods TO service_role, regress_sibling;
GRANT SELECT, INSERT, UPDATE, DELETE ON own.mine, own.seen TO service_role;
RESET ROLE;
GRANT USAGE ON SCHEMA own TO regress_sibling;
GRANT SELECT ON own.seen, own.mine TO regress_sibling;
-- In SQL, in the listener's place, it gets away with some of it.
\c - regress_login
SET client_min_messages = warning;
SET own.armed = on;
BEGIN; SET LOCAL ROLE service_role; SELECT * FROM own.seen; SELECT m::text, m::int FROM own.moods WHERE id = 1; ROLLBACK;
SET search_path = public;
SELECT pg_advisory_unlock_all(), set_config('own.left', '', false);
SELECT t.via('strong', tool, args) FROM (VALUES
    (1, 'query_table', '{"table": "own.seen"}'::jsonb), (2, 'query_table', '{"table": "own.mine", "filter": {"id": "eq.1"}}'),
    (3, 'insert_record', '{"table": "own.mine", "data": {"v": 2, "w": 2}}'), (4, 'update_record', '{"table": "own.mine", "data": {"v": 3, "w": 3}, "filter": {"id": "eq.1"}}'),
    (5, 'delete_record', '{"table": "own.mine", "filter": {"id": "eq.5"}}'),
    (6, 'query_table', '{"table": "own.moods", "filter": {"m": "eq.low"}, "order": "m"}'), (7, 'query_table', '{"table": "own.moods", "select": "m::text,n:m::int", "order": "id"}'),
    (8, 'update_record', '{"table": "own.moods", "data": {"m": "high"}, "filter": {"m": "eq.low"}, "returning": "id,m::text"}')) AS c(n, tool, args) ORDER BY n;
SELECT current_user, current_setting('own.left', true), current_setting('search_path'), (SELECT count(*) FROM pg_largeobject_metadata), current_setting('mcp.claims', true);
SELECT pg_advisory_unlock(4711);
\c - postgres
SET client_min_messages = warning;
SELECT * FROM own.mine ORDER BY id;
DROP SCHEMA own CASCADE;
