-- What a caller, a procedure, or somebody who may create things beside it must not get.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA atk_rpc;
CREATE SCHEMA atk_closed;
GRANT USAGE, CREATE ON SCHEMA atk_rpc TO authenticated, regress_sibling;
GRANT USAGE ON SCHEMA atk_closed TO authenticated;
CREATE TABLE atk_rpc.open (i int);
CREATE TABLE atk_closed.secrets (s text);
INSERT INTO atk_rpc.open VALUES (1);
INSERT INTO atk_closed.secrets VALUES ('closed');
-- The caller may read all of it: only the lists of a statement stand in the way.
GRANT SELECT, INSERT, UPDATE, DELETE ON atk_rpc.open, atk_closed.secrets TO authenticated;
CREATE VIEW atk_rpc.seems_open AS SELECT s FROM atk_closed.secrets;
CREATE FUNCTION atk_closed.reads() RETURNS text LANGUAGE sql STABLE AS 'SELECT s FROM atk_closed.secrets';
CREATE OPERATOR atk_closed.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
GRANT SELECT ON atk_rpc.seems_open TO authenticated;

-- Unknown, not exposed, not executable: one answer.
CREATE FUNCTION atk_rpc.not_exposed() RETURNS text LANGUAGE sql AS $$ SELECT 'reached' $$;
CREATE FUNCTION atk_rpc.of_service() RETURNS text LANGUAGE sql AS $$ SELECT 'reached' $$;
REVOKE EXECUTE ON FUNCTION atk_rpc.of_service FROM PUBLIC;
SELECT mcp.expose_rpc('atk_rpc.of_service()'), mcp.expose_rpc('atk_rpc.of_service()', name => 'service_tool', as_tool => true);
SELECT t.rpc('not_exposed'), t.rpc('of_service'), t.rpc('atk_rpc.not_exposed'), t.rpc('pg_sleep');
SELECT t.rpc('of_servic');
SELECT count(*) FROM jsonb_array_elements(t.read('rpc ann', 'fluxbase://rpc')::jsonb -> 'procedures') AS p WHERE p.value ->> 'name' LIKE '%service%';
SELECT t.read('rpc ann', 'fluxbase://rpc/default/of_service');
SELECT t.via('rpc ann', 'service_tool');
SELECT mcp.unexpose_rpc('of_service'), mcp.unexpose_rpc('service_tool');

-- A procedure cannot leave the caller's role, nor say that it is somebody else.
CREATE FUNCTION atk_rpc.sets_role() RETURNS text LANGUAGE plpgsql AS 'BEGIN SET ROLE service_role; RETURN current_user; END';
CREATE FUNCTION atk_rpc.clause_role() RETURNS text LANGUAGE sql SET role = 'service_role' AS 'SELECT current_user::text';
CREATE FUNCTION atk_rpc.sets_session() RETURNS text LANGUAGE plpgsql AS 'BEGIN SET SESSION AUTHORIZATION service_role; RETURN current_user; END';
CREATE FUNCTION atk_rpc.config_role() RETURNS text LANGUAGE sql AS 'SELECT set_config(''role'', ''service_role'', true)';
CREATE FUNCTION atk_rpc.config_claims() RETURNS text LANGUAGE sql AS 'SELECT set_config(''mcp.claims'', ''{"sub":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}'', true)';
CREATE FUNCTION atk_rpc.request_claims() RETURNS text LANGUAGE sql AS 'SELECT set_config(''request.jwt.claims'', ''{"sub":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}'', true) || auth.uid()';
CREATE FUNCTION atk_rpc.makes_temp() RETURNS text LANGUAGE plpgsql AS 'BEGIN CREATE TEMP TABLE open (i int); RETURN 1; END';
CREATE FUNCTION atk_rpc.registers() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM mcp.expose_rpc(''atk_rpc.not_exposed()''); RETURN 1; END';
CREATE PROCEDURE atk_rpc.commits() LANGUAGE plpgsql SECURITY INVOKER AS 'BEGIN INSERT INTO atk_rpc.open VALUES (99); COMMIT; END';
CREATE PROCEDURE atk_rpc.rolls_back() LANGUAGE plpgsql AS 'BEGIN ROLLBACK; END';
SELECT count(mcp.expose_rpc(f.oid)) FROM pg_proc AS f WHERE f.pronamespace = 'atk_rpc'::regnamespace AND f.proname NOT IN ('not_exposed', 'of_service');
SELECT regexp_replace(t.rpc(n), 'Execution: .*', '') FROM unnest(ARRAY['sets_role', 'clause_role', 'sets_session', 'config_role', 'config_claims', 'makes_temp', 'registers', 'commits', 'rolls_back']) AS n;
SELECT t.via('rpc ann', 'invoke_rpc', '{"name": "request_claims"}') LIKE '%}aaaaaaaa-%' AS id_of_the_key;
SELECT current_user = session_user, count(*) FROM atk_rpc.open;

-- What does not say that it writes cannot.
CREATE FUNCTION atk_rpc.writer() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO atk_rpc.open VALUES (2) RETURNING i';
CREATE FUNCTION atk_rpc.liar() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN atk_rpc.writer(); END';
SELECT mcp.expose_rpc('atk_rpc.liar()'), mcp.expose_rpc('atk_rpc.writer()');
SELECT t.rpc('liar');
INSERT INTO rpc.procedures (name, sql_query, allowed_schemas) VALUES ('liar_stored', 'SELECT liar() FROM open', '{atk_rpc}'), ('locks', 'SELECT i FROM open FOR UPDATE', '{atk_rpc}'), ('writer_stored', 'SELECT writer()', '{atk_rpc}');
SELECT t.rpc('liar_stored'), t.rpc('locks'), t.rpc('writer_stored');
SELECT count(*) FROM atk_rpc.open;

-- A stored statement reaches nothing beyond its lists, whichever way.
INSERT INTO rpc.procedures (name, sql_query, allowed_schemas, allowed_tables) VALUES
    ('s01', 'SELECT * FROM atk_closed.secrets', '{atk_rpc}', '{}'), ('s02', 'SELECT * FROM seems_open', '{atk_rpc}', '{}'),
    ('s03', 'WITH c AS (SELECT s FROM atk_closed.secrets) SELECT * FROM c', '{atk_rpc}', '{}'), ('s04', 'SELECT (SELECT s FROM atk_closed.secrets) AS s', '{atk_rpc}', '{}'),
    ('s05', 'SELECT i FROM open WHERE EXISTS (SELECT FROM atk_closed.secrets)', '{atk_rpc}', '{}'), ('s06', 'SELECT atk_closed.reads()', '{atk_rpc}', '{}'),
    ('s07', 'SELECT query_to_xml(''SELECT * FROM atk_closed.secrets'', true, true, '''')', '{atk_rpc}', '{}'), ('s08', 'SELECT i FROM open ORDER BY (SELECT s FROM atk_closed.secrets)', '{atk_rpc}', '{}'),
    ('s09', 'INSERT INTO open SELECT length(s) FROM atk_closed.secrets RETURNING i', '{atk_rpc}', '{}'), ('s10', 'UPDATE open SET i = 0 WHERE i = 1 RETURNING (SELECT s FROM atk_closed.secrets)', '{atk_rpc}', '{}'),
    ('s12', 'SELECT i OPERATOR(atk_closed.===) 1 FROM open', '{atk_rpc}', '{}'), ('s13', 'SELECT rolname FROM pg_authid', '{atk_rpc}', '{}'),
    ('s14', 'SELECT name FROM rpc.procedures', '{atk_rpc}', '{}'), ('s15', 'SELECT s FROM secrets', '{atk_rpc}', '{secrets}'), ('s16', 'SELECT i FROM open', '{atk_rpc}', '{other}'),
    ('s17', 'SELECT 1; DELETE FROM open', '{atk_rpc}', '{}'), ('s18', 'SET ROLE service_role', '{atk_rpc}', '{}'), ('s19', 'TABLE atk_closed.secrets', '{atk_rpc}', '{}'),
    ('s20', 'SELECT l.s FROM open, LATERAL (VALUES ((SELECT s FROM atk_closed.secrets))) AS l(s)', '{atk_rpc}', '{}'), ('s21', 'SELECT table_name FROM information_schema.tables', '{atk_rpc}', '{}'),
    ('s22', 'SELECT i FROM open UNION ALL SELECT length(s) FROM atk_closed.secrets', '{atk_rpc}', '{}'), ('s23', 'SELECT set_config(''role'', ''service_role'', true)', '{atk_rpc}', '{}'), ('s24', 'WITH d AS (DELETE FROM atk_closed.secrets RETURNING s) SELECT * FROM d', '{atk_rpc}', '{}');
SELECT name || ' ' || regexp_replace(t.rpc(name), E'\nExecution: .*|\nHint: An administrator stores[^\n]*', '', 'g') FROM rpc.procedures WHERE name LIKE 's__' ORDER BY name;
-- Who is an admin is told which.
GRANT USAGE ON SCHEMA atk_rpc TO service_role;
SELECT split_part(t.rpc('s02', key => 'service'), E'\n', 1);
-- A rule that does more than the statement says counts, and so does a policy's table not.
CREATE TABLE atk_rpc.ruled (i int);
GRANT INSERT, SELECT ON atk_rpc.ruled TO authenticated;
CREATE VIEW atk_rpc.calls AS SELECT atk_closed.reads() AS s;
GRANT SELECT ON atk_rpc.calls TO authenticated;
CREATE RULE also AS ON INSERT TO atk_rpc.ruled DO ALSO INSERT INTO atk_closed.secrets VALUES ('by rule');
CREATE TABLE atk_rpc.guarded (i int);
INSERT INTO atk_rpc.guarded VALUES (5);
GRANT SELECT ON atk_rpc.guarded TO authenticated;
ALTER TABLE atk_rpc.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY asks ON atk_rpc.guarded USING (EXISTS (SELECT FROM atk_closed.secrets));
INSERT INTO rpc.procedures (name, sql_query, allowed_schemas) VALUES ('ruled', 'INSERT INTO ruled VALUES (1)', '{atk_rpc}'), ('calls', 'SELECT s FROM calls', '{atk_rpc}'), ('guarded', 'SELECT i FROM guarded', '{atk_rpc}'), ('whole_view', 'SELECT s FROM seems_open', '{atk_rpc,atk_closed}');
SELECT split_part(t.rpc('ruled'), E'\n', 1), split_part(t.rpc('calls'), E'\n', 1), t.rpc('guarded'), t.rpc('whole_view');
SELECT count(*) FROM atk_closed.secrets;

-- A value is a value: in a string, a comment, a name, a dollar quote there is no parameter.
INSERT INTO rpc.procedures (name, sql_query, allowed_schemas) VALUES
    ('quoted', $q$SELECT '$v' AS a, E'\' $v' AS b, $$ $v $$ AS c, "$v" AS d, $x$ $v $x$ AS e /* $v /* */ $v */, $v::text AS v -- $v
      FROM (SELECT 'column' AS "$v") AS s$q$, '{atk_rpc}');
SELECT t.rpc('quoted', '{"v": "''; DELETE FROM atk_rpc.open; --"}'), t.rpc('quoted', '{"v": "$v $x$ */ \" \\"}');

-- Names are found where the statement says, not where the caller's role or a temporary table would have it.
CREATE TABLE public.open (i int);
INSERT INTO public.open VALUES (666);
GRANT SELECT ON public.open TO authenticated;
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'attacker' $$;
ALTER ROLE authenticated SET search_path = public, pg_catalog;
INSERT INTO rpc.procedures (name, sql_query, allowed_schemas) VALUES ('path', 'SELECT i, lower(''A'') AS lower FROM open WHERE i = 1', '{atk_rpc}');
SELECT t.rpc('path');
ALTER ROLE authenticated RESET search_path;
DROP TABLE public.open;
DROP FUNCTION public.lower(text);
CREATE TEMP TABLE open (i int);
INSERT INTO open VALUES (666);
GRANT SELECT ON open TO PUBLIC;
SELECT t.rpc('path');
DROP TABLE pg_temp.open;

-- Just the exposed function is called: not one beside it, not one in its place.
CREATE FUNCTION atk_rpc.sum_of(a int, b int DEFAULT 1) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'exposed: ' || (a + b) $$;
SELECT mcp.expose_rpc('atk_rpc.sum_of(int,int)');
SET ROLE regress_sibling;
CREATE FUNCTION atk_rpc.sum_of(a int) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
CREATE FUNCTION atk_rpc.sum_of(a int, b int, c int DEFAULT 1) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
CREATE FUNCTION atk_rpc.sum_of(a bigint, b bigint DEFAULT 1) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
SELECT t.try('CREATE OR REPLACE FUNCTION atk_rpc.sum_of(a int, b int DEFAULT 1) RETURNS text LANGUAGE sql AS $$ SELECT ''attacker'' $$');
RESET ROLE;
SELECT t.rpc('sum_of', '{"a": 1}'), t.rpc('sum_of', '{"a": 1, "b": 2}');
SELECT split_part(t.rpc('sum_of', '{"a": 1, "b": 2, "c": 3}'), E'\n', 1);
DROP FUNCTION atk_rpc.sum_of(int, int);
SELECT t.rpc('sum_of', '{"a": 1}'), problem FROM mcp.procedures WHERE name = 'sum_of';
SET ROLE regress_sibling;
CREATE FUNCTION atk_rpc.sum_of(a int, b int DEFAULT 1) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
RESET ROLE;
SELECT t.rpc('sum_of', '{"a": 1}'), problem FROM mcp.procedures WHERE name = 'sum_of';
ALTER FUNCTION atk_rpc.sum_of(int, int) OWNER TO CURRENT_USER;
SELECT t.rpc('sum_of', '{"a": 1}');
-- Two that cannot be told apart by names.
CREATE FUNCTION atk_rpc.twice(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a';
CREATE FUNCTION atk_rpc.twice(a text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a';
SELECT mcp.expose_rpc('atk_rpc.twice(int)'), mcp.expose_rpc('atk_rpc.twice(text)');
SELECT t.rpc('twice', '{"a": 1}');

-- Tables that somebody else made under that name are not used.
BEGIN;
ALTER TABLE rpc.procedures OWNER TO regress_sibling;
ALTER TABLE rpc.executions OWNER TO regress_sibling;
SELECT t.rpc('path');
SELECT mcp._maintain_rpc();
ROLLBACK;
-- What ends the transaction leaves nothing, and the timers are as they were.
SELECT t.rpc('path');
DELETE FROM rpc.procedures;
SELECT count(mcp.unexpose_rpc(name, namespace)) > 0 FROM mcp.procedures;
