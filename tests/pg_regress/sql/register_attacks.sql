-- What a registered function, its caller, or somebody who may create functions beside it must not get.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA atk_reg;
GRANT USAGE, CREATE ON SCHEMA atk_reg TO authenticated, regress_sibling;
CREATE TABLE atk_reg.notes (owner uuid, note text);
INSERT INTO atk_reg.notes VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'of a'), ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'of b');
ALTER TABLE atk_reg.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON atk_reg.notes TO authenticated USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
GRANT SELECT, INSERT, UPDATE, DELETE ON atk_reg.notes TO authenticated;
CREATE TABLE atk_reg.closed (secret text);
INSERT INTO atk_reg.closed VALUES ('closed');
SELECT t.key('atk a', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', scopes => '{execute:rpc}'), t.key('atk b', user_id => 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', scopes => '{execute:rpc}');

-- It runs as the caller, with the caller's rows.
CREATE FUNCTION atk_reg.notes_of_mine(args jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT jsonb_build_object('notes', jsonb_agg(note), 'who', current_user, 'uid', auth.uid()) FROM atk_reg.notes $$;
SELECT mcp.register_tool('my_notes', 'atk_reg.notes_of_mine(jsonb)', 'Notes.');
SELECT t.via('atk a', 'my_notes'), t.via('atk b', 'my_notes');
-- It cannot leave that role, nor change who it is, nor read what the caller may not.
CREATE FUNCTION atk_reg.tries(args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE statement text; result jsonb := '[]'; said text;
BEGIN
    FOR statement IN SELECT jsonb_array_elements_text(args -> 'statements') LOOP
        BEGIN
            EXECUTE statement INTO said;
        EXCEPTION WHEN OTHERS THEN
            said := SQLSTATE || ': ' || SQLERRM;
        END;
        result := result || jsonb_build_array(statement || ' -> ' || coalesce(said, 'NULL'));
    END LOOP;
    RETURN jsonb_build_object('tries', result, 'who', current_user, 'uid', auth.uid());
END
$$;
SELECT mcp.register_tool('tries', 'atk_reg.tries(jsonb)', 'Tries.');
SELECT jsonb_array_elements_text(t.via('atk a', 'tries', jsonb_build_object('statements', ARRAY[
    'SET ROLE service_role', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres', 'SELECT set_config(''role'', ''service_role'', false)', 'SELECT set_config(''mcp.claims'', ''{"sub":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}'', true)',
    'SELECT set_config(''request.jwt.claims'', ''{"sub":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}'', true)', 'SELECT string_agg(note, '','') FROM atk_reg.notes', 'SELECT secret FROM atk_reg.closed', 'SET row_security = off',
    'SELECT encode(secret, ''hex'') FROM mcp._secrets', 'SELECT name FROM mcp._tools', 'SELECT verifier FROM mcp.keys', 'INSERT INTO mcp._tools SELECT * FROM mcp._tools', 'SELECT mcp.register_tool(''x'', ''atk_reg.tries(jsonb)'', ''x'')',
    'SELECT mcp._check_tool(''x'', 1, NULL, NULL, NULL)', 'SELECT mcp.authenticate(''fbk:x'')', 'CREATE TEMP TABLE x (i int)', 'LISTEN x']))::jsonb -> 'tries');
-- A tool within a tool keeps identity, scopes and allow-lists.
SELECT jsonb_array_elements_text(t.via('atk a', 'tries', jsonb_build_object('statements', ARRAY[
    $$SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"my_notes"}}')$$, $$SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"atk_reg.notes"}}}')$$,
    $$SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')::jsonb #>> '{result,tools,0,name}'$$]))::jsonb -> 'tries');
SELECT jsonb_array_elements_text(t.via('atk a', 'tries', jsonb_build_object('statements', ARRAY[$$SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"my_notes"}}')$$]), '{"allowed_tools": ["tries"]}')::jsonb -> 'tries');

-- Somebody who may create functions beside a registered one does not get its callers.
CREATE FUNCTION atk_reg.sum_of(a int, b int DEFAULT 1) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'registered: ' || (a + b) $$;
SELECT mcp.register_tool('sum_of', 'atk_reg.sum_of(int,int)', 'Sum.');
SET ROLE regress_sibling;
CREATE FUNCTION atk_reg.sum_of(a int) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
CREATE FUNCTION atk_reg.sum_of(a bigint, b bigint DEFAULT 1) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
CREATE FUNCTION atk_reg.sum_of(a int, b int, c int DEFAULT 1) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
CREATE FUNCTION atk_reg.sum_of(VARIADIC a int[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
CREATE FUNCTION atk_reg.sum_of(a text, b text DEFAULT '1') RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'attacker as ' || current_user $$;
RESET ROLE;
SELECT t.via('atk a', 'sum_of', '{"a": 1}'), t.via('atk a', 'sum_of', '{"a": 1, "b": 2}');
-- Nor through operators, casts or functions in the role's search_path.
ALTER ROLE authenticated SET search_path = atk_reg, pg_catalog;
SET ROLE regress_sibling;
CREATE FUNCTION atk_reg.to_json(anyelement) RETURNS json LANGUAGE sql AS $$ SELECT '"attacker"'::json $$;
CREATE FUNCTION atk_reg.translate(text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'attacker' $$;
CREATE FUNCTION atk_reg.jsonb_to_record(jsonb) RETURNS record LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION atk_reg.has_function_privilege(oid, text) RETURNS bool LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION atk_reg.plus(int, int) RETURNS int LANGUAGE sql AS $$ SELECT 666 $$;
CREATE OPERATOR atk_reg.+ (LEFTARG = int, RIGHTARG = int, FUNCTION = atk_reg.plus);
RESET ROLE;
CREATE FUNCTION atk_reg.lists(a int[], b int DEFAULT 2 + 3) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT a[1] OPERATOR(pg_catalog.+) b $$;
SELECT mcp.register_tool('lists', 'atk_reg.lists(int[],int)', 'Lists.');
SELECT t.via('atk a', 'lists', '{"a": [1]}');
ALTER ROLE authenticated RESET search_path;

-- Values are values, whatever is in them.
CREATE FUNCTION atk_reg."odd ""name"("the "" arg" text, "b""; DROP TABLE atk_reg.notes; --" text DEFAULT 'd') RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || '|' || $2 $$;
SELECT mcp.register_tool('odd', 'atk_reg."odd ""name"(text,text)', 'Odd names.');
SELECT t.via('atk a', 'odd', jsonb_build_object('the " arg', v, 'b"; DROP TABLE atk_reg.notes; --', v)) FROM unnest(ARRAY['''; DROP TABLE atk_reg.notes; --', '$1', 'NULL', E'\\''', '"', '*/ SELECT 1 /*', '%s %I', '{"v": 1}']) AS v;
SELECT count(*) FROM atk_reg.notes;

-- A text that takes time to match, a value that is deep, a value that is large: bounded.
CREATE FUNCTION atk_reg.whole(args jsonb) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1 $$;
SELECT mcp.register_tool('pattern', 'atk_reg.whole(jsonb)', 'Pattern.', '{"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}'),
       mcp.register_tool('twice', 'atk_reg.whole(jsonb)', 'Twice.', '{"type": "object", "$defs": {"x": {"allOf": [{"properties": {"a": {"$ref": "#/$defs/x"}}}, {"properties": {"a": {"$ref": "#/$defs/x"}}}]}}, "$ref": "#/$defs/x"}');
SET statement_timeout = '10s';
SELECT left(t.via('atk a', 'pattern', jsonb_build_object('a', repeat('a', 100000) || 'b')), 30);
SELECT t.via('atk a', 'twice', (repeat('{"a":', 5) || '{}' || repeat('}', 5))::jsonb), t.via('atk a', 'twice', (repeat('{"a":', 90) || '{}' || repeat('}', 90))::jsonb);
RESET statement_timeout;
-- What it leaves behind: nothing.
SELECT t.via('atk a', 'tries', '{"statements": ["SELECT set_config(''app.left'', ''behind'', false)", "SELECT pg_advisory_lock(42)", "PREPARE left_behind AS SELECT 1"]}') ~ 'tries';
SELECT coalesce(nullif(current_setting('app.left', true), ''), 'unset'), current_user;
DEALLOCATE ALL;
SELECT pg_advisory_unlock_all();
DELETE FROM mcp._tools;
DROP SCHEMA atk_reg CASCADE;
