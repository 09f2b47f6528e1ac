-- Temporary tables by registration: they work, and nothing else does that the guard refuses.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT t.key('temp', scopes => '{execute:rpc,write:tables,read:tables}');
CREATE SCHEMA tt;
GRANT USAGE ON SCHEMA tt TO authenticated, regress_app;
CREATE FUNCTION tt.sum_of(numbers int[]) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN CREATE TEMP TABLE regress_numbers ON COMMIT DROP AS SELECT n FROM unnest(numbers) AS n; RETURN (SELECT sum(n) FROM regress_numbers); END $$;
CREATE FUNCTION tt.attempt(attack text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT atk.attempt(attack) $$;
CREATE FUNCTION tt.nested(tool text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$ SELECT (mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', tool, 'arguments', '{"numbers": [1]}'::jsonb)))::jsonb #> '{result,content,0,text}') $$;
CREATE FUNCTION tt.stable() RETURNS int LANGUAGE sql STABLE AS $$ SELECT 1 $$;
-- Who may, and for what.
SELECT t.try($$SELECT mcp.register_tool('x', 'tt.stable()', 'x', temp_tables => true)$$), t.try($$SELECT mcp.register_tool('x', 'tt.sum_of(int[])', 'x', annotations => '{"readOnlyHint": true}', temp_tables => true)$$);
SELECT mcp.register_tool('not_lifted', 'tt.sum_of(int[])', 'Sum.'), mcp.register_tool('lifted', 'tt.sum_of(int[])', 'Sum.', temp_tables => true), mcp.register_tool('attempt', 'tt.attempt(text)', 'Attempt.', temp_tables => true),
       mcp.register_tool('nested', 'tt.nested(text)', 'Nested.'), mcp.register_tool('nested_lifted', 'tt.nested(text)', 'Nested.', temp_tables => true);
SELECT name, temp_tables FROM mcp.tools WHERE name ~ 'lifted' ORDER BY name;
SELECT t.via('temp', 'not_lifted', '{"numbers": [1, 2, 3]}');
SELECT t.via('temp', 'lifted', '{"numbers": [1, 2, 3]}');
-- A call within a call has it only where the outer one has it, too.
SELECT t.via('temp', 'nested', '{"tool": "lifted"}');
SELECT t.via('temp', 'nested_lifted', '{"tool": "not_lifted"}');
SELECT t.via('temp', 'nested_lifted', '{"tool": "lifted"}');
-- The whole escape table but the temporary tables, lifted: as without.
\c - regress_login
SELECT a.n, t.via('temp', 'attempt', jsonb_build_object('attack', a.attack)) FROM t.attacks AS a WHERE n NOT BETWEEN 30 AND 33 ORDER BY a.n;
SELECT current_user, session_user, (SELECT count(*) FROM pg_cursors WHERE name LIKE 'regress%'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels());
BEGIN; SELECT t.via('temp', 'attempt', jsonb_build_object('attack', a.attack)) FROM t.attacks AS a WHERE n = 30; ROLLBACK;
BEGIN; SELECT t.via('temp', 'attempt', jsonb_build_object('attack', a.attack)) FROM t.attacks AS a WHERE n = 31; ROLLBACK;
BEGIN; SELECT t.via('temp', 'attempt', jsonb_build_object('attack', a.attack)) FROM t.attacks AS a WHERE n = 33; ROLLBACK;
BEGIN; SELECT t.via('temp', 'attempt', '{"attack": "CREATE TEMP SEQUENCE regress_s"}'), t.via('temp', 'attempt', '{"attack": "CREATE TEMP TABLE regress_t (id serial PRIMARY KEY); ALTER TABLE regress_t ADD COLUMN other serial"}'); ROLLBACK;
-- Inside of what may make temporary tables the rest is refused as well.
SELECT n, t.via('temp', 'attempt', jsonb_build_object('attack', format('DO $x$ BEGIN %s; END $x$', s))) FROM unnest(ARRAY['LISTEN regress_channel', 'PREPARE regress_p AS SELECT 1', 'SET ROLE regress_sibling', 'DISCARD TEMP', 'EXECUTE ''DECLARE regress_h CURSOR WITH HOLD FOR SELECT 1''']) WITH ORDINALITY AS s(s, n);
SELECT n, t.via('temp', 'attempt', jsonb_build_object('attack', format('DO $x$ BEGIN CREATE TEMP TABLE regress_z AS SELECT atk.attempt(%L) AS o; RAISE EXCEPTION ''%%'', (SELECT o FROM regress_z); END $x$', s)))
  FROM unnest(ARRAY['LISTEN regress_channel', 'PREPARE regress_p AS SELECT 1', 'SET ROLE regress_sibling', 'SET mcp.claims = ''''', 'DECLARE regress_h CURSOR WITH HOLD FOR SELECT 1']) WITH ORDINALITY AS s(s, n);
-- What Postgres restricts by itself stays restricted.
\c - postgres
SET client_min_messages = warning;
CREATE FUNCTION tt.one() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN atk.attempt('CREATE TEMP TABLE regress_shadow (x int)'); END $$;
CREATE MATERIALIZED VIEW tt.restricted AS SELECT tt.one() AS o WITH NO DATA;
ALTER MATERIALIZED VIEW tt.restricted OWNER TO authenticated;
GRANT CREATE ON SCHEMA tt TO authenticated;
\c - regress_login
SELECT t.via('temp', 'attempt', '{"attack": "REFRESH MATERIALIZED VIEW tt.restricted"}');
SELECT t.via('temp', 'query_table', '{"table": "tt.restricted"}');
-- Triggers that were put off fire within the call, as the caller; to put off again and again is refused.
\c - postgres
SET client_min_messages = warning;
CREATE TABLE tt.log (id int, who text, got text);
CREATE TABLE tt.orders (id int);
CREATE FUNCTION tt.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO tt.log SELECT NEW.id, current_user, atk.attempt('SET ROLE regress_sibling'); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON tt.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tt.late();
CREATE TABLE tt.chain (id int);
CREATE FUNCTION tt.again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO tt.log VALUES (NEW.id, current_user, 'chain'); SET CONSTRAINTS ALL DEFERRED; INSERT INTO tt.chain VALUES (NEW.id + 1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER again AFTER INSERT ON tt.chain DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tt.again();
CREATE TABLE tt.parents (id int PRIMARY KEY);
CREATE TABLE tt.children (parent int REFERENCES tt.parents DEFERRABLE INITIALLY DEFERRED);
GRANT SELECT, INSERT ON tt.log, tt.orders, tt.chain, tt.parents, tt.children TO authenticated, regress_sibling;
\c - regress_login
SELECT t.via('temp', 'attempt', '{"attack": "SET CONSTRAINTS ALL DEFERRED; INSERT INTO tt.orders VALUES (1)"}');
SELECT t.via('temp', 'attempt', '{"attack": "SET CONSTRAINTS ALL DEFERRED; INSERT INTO tt.chain VALUES (1)"}');
SELECT t.via('temp', 'attempt', '{"attack": "SET CONSTRAINTS ALL DEFERRED; INSERT INTO tt.children VALUES (1)"}');
SELECT t.via('temp', 'attempt', '{"attack": "SET CONSTRAINTS ALL DEFERRED; INSERT INTO tt.children VALUES (2); INSERT INTO tt.parents VALUES (2)"}');
SELECT current_user;
\c - postgres
SELECT * FROM tt.log ORDER BY id;
SELECT count(*) FROM tt.chain;
SELECT * FROM tt.children;
-- Tables whose triggers need them.
SET client_min_messages = warning;
CREATE TABLE tt.staged (id int, seen int);
CREATE FUNCTION tt.stage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE IF NOT EXISTS regress_stage (id int); INSERT INTO regress_stage VALUES (NEW.id); NEW.seen := (SELECT count(*) FROM regress_stage); RETURN NEW; END $$;
CREATE TRIGGER stage BEFORE INSERT OR UPDATE ON tt.staged FOR EACH ROW EXECUTE FUNCTION tt.stage();
GRANT SELECT, INSERT, UPDATE ON tt.staged TO authenticated;
SELECT t.via('temp', 'insert_record', '{"table": "tt.staged", "data": {"id": 1}}');
CREATE ROLE regress_temp;
GRANT mcp_admin TO regress_temp;
GRANT USAGE ON SCHEMA tt, t TO regress_temp;
SET ROLE regress_temp;
SELECT mcp.allow_temp_tables('tt.staged');
RESET ROLE;
GRANT INSERT ON tt.staged TO regress_temp;
SET ROLE regress_app;
SELECT mcp.allow_temp_tables('tt.staged');
SELECT mcp.disallow_temp_tables('tt.staged');
SET ROLE regress_temp;
SELECT mcp.allow_temp_tables('tt.staged'), mcp.allow_temp_tables('tt.staged');
SELECT "table", allowed_by FROM mcp.temp_tables;
RESET ROLE;
SELECT t.try($$SELECT mcp.allow_temp_tables('tt.restricted')$$), t.try($$SELECT mcp.allow_temp_tables('pg_catalog.nothing')$$);
SELECT t.via('temp', 'attempt', '{"attack": "SELECT mcp.allow_temp_tables(''tt.log'')"}');
\c - regress_login
SET client_min_messages = warning;
SELECT t.via('temp', 'insert_record', '{"table": "tt.staged", "data": [{"id": 1}, {"id": 2}], "returning": "id,seen"}');
SELECT t.via('temp', 'update_record', '{"table": "tt.staged", "filter": {"id": 1}, "data": {"id": 3}}');
-- Not for another table's in the same batch, nor after it.
SELECT t.via('temp', 'write_batch', '{"operations": [{"op": "insert", "table": "tt.staged", "data": {"id": 4}}, {"op": "insert", "table": "atk.by_trigger", "data": {"attack": "CREATE TEMP TABLE regress_shadow (x int)"}, "returning": "outcome"}]}');
-- The listener is told to close the connection, and one that has not does nothing more.
\c - regress_login
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('temp'), '{}');
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"lifted","arguments":{"numbers":[4,5]}}}', t.credential('temp'), '{}');
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('temp'), '{}');
\c - regress_login
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"insert_record","arguments":{"table":"tt.staged","data":{"id":5}}}}', t.credential('temp'), '{}');
-- A temporary schema that was there before is the session's own; what was rolled back is not there.
\c - regress_login
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"insert_record","arguments":{"table":"tt.staged","data":{"id":6},"dry_run":true}}}', t.credential('temp'), '{}');
CREATE TEMP TABLE own (x int);
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"lifted","arguments":{"numbers":[4,5]}}}', t.credential('temp'), '{}');
-- What Postgres makes in pg_temp without being asked by this: a function there is nobody else's.
\c - regress_login
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"insert_record","arguments":{"table":"atk.by_trigger","data":{"attack":"CREATE FUNCTION pg_temp.regress_f() RETURNS int LANGUAGE sql AS ''SELECT 1''"},"returning":"outcome"}}}', t.credential('temp'), '{}');
SELECT mcp._serve('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('temp'), '{}');
-- Direct SQL: they stay in the session.
\c - postgres
SET client_min_messages = warning;
BEGIN;
SELECT mcp.authenticate(t.credential('temp'));
SELECT t.call('insert_record', '{"table": "tt.staged", "data": {"id": 7}}');
COMMIT;
SELECT count(*) FROM regress_stage;
SELECT mcp.disallow_temp_tables('tt.staged'), mcp.disallow_temp_tables('tt.staged');
\c - postgres
SELECT t.via('temp', 'insert_record', '{"table": "tt.staged", "data": {"id": 8}}');
SET client_min_messages = warning;
DELETE FROM mcp._tools;
DROP SCHEMA tt CASCADE;
DELETE FROM atk.by_trigger;
REVOKE USAGE ON SCHEMA t FROM regress_temp;
DROP ROLE regress_temp;
