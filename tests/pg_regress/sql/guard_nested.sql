-- mcp.handle called by a function while a tool runs: the outer call's identity, scopes and lists, which can only narrow.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA ne;
CREATE VIEW ne.me AS SELECT current_user AS who, auth.uid() AS uid;
CREATE TABLE ne.data (id int, user_id uuid DEFAULT auth.uid());
ALTER TABLE ne.data ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ne.data USING (user_id = auth.uid());
INSERT INTO ne.data VALUES (1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'), (2, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');
CREATE TABLE ne.calls (tool text, args jsonb, answer text, note text CHECK (note <> 'refused'));
CREATE FUNCTION ne.on_call() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.answer := t.call(NEW.tool, NEW.args); RETURN NEW; END $$;
CREATE TRIGGER on_call BEFORE INSERT ON ne.calls FOR EACH ROW EXECUTE FUNCTION ne.on_call();
CREATE VIEW ne.nested_insert AS SELECT t.call('insert_record', '{"table": "ne.data", "data": {"id": 9}}') AS answer;
CREATE VIEW ne.nested_query AS SELECT t.call('query_table', '{"table": "ne.data", "select": "id"}') AS answer;
CREATE VIEW ne.nested_list AS SELECT (SELECT string_agg(x ->> 'name', ',') FROM jsonb_array_elements(mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')::jsonb #> '{result,tools}') AS x) AS answer;
CREATE FUNCTION ne.as_sibling() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT t.call('query_table', '{"table": "ne.me"}') || t.call('insert_record', '{"table": "ne.data", "data": {"id": 1}}') $$;
ALTER FUNCTION ne.as_sibling() OWNER TO regress_sibling;
CREATE VIEW ne.by_definer AS SELECT ne.as_sibling() AS answer;
GRANT USAGE ON SCHEMA ne TO authenticated, regress_sibling;
GRANT SELECT, INSERT ON ne.data, ne.calls TO authenticated;
GRANT SELECT ON ne.me, ne.by_definer, ne.nested_insert, ne.nested_query, ne.nested_list TO authenticated, regress_sibling;
SELECT t.key('nested writer', scopes => '{write:tables}', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'), t.key('nested reader', scopes => '{read:tables}', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa');
CREATE FUNCTION t.nested(key text, tool text, args jsonb, transport jsonb DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT t.via(key, 'insert_record', jsonb_build_object('table', 'ne.calls', 'data', jsonb_build_object('tool', tool, 'args', args), 'returning', 'answer'), transport)
$$;
\c - regress_login
SELECT t.nested('a', 'query_table', '{"table": "ne.me"}');
SELECT t.nested('b', 'query_table', '{"table": "ne.data", "select": "id"}');
SELECT t.nested('a', 'insert_record', '{"table": "ne.data", "data": {"id": 3}}');
-- Not more scopes, tools or schemas than the outer call has.
SELECT t.nested('nested writer', 'query_table', '{"table": "ne.data"}');
SELECT t.nested('a', 'query_table', '{"table": "ne.data"}', '{"allowed_tools": ["insert_record"]}');
SELECT t.nested('a', 'query_table', '{"table": "mcp.keys"}');
SELECT t.via('nested reader', 'query_table', '{"table": "ne.nested_list"}');
SELECT t.via('nested reader', 'query_table', '{"table": "ne.nested_insert"}');
-- A write inside a read is refused although the key may write.
SELECT t.via('a', 'query_table', '{"table": "ne.nested_insert"}');
SELECT t.via('a', 'query_table', '{"table": "ne.nested_query"}');
-- Many levels, each the same.
SELECT t.nested('a', 'insert_record', '{"table": "ne.calls", "data": {"tool": "query_table", "args": {"table": "ne.me"}}}');
-- An error inside is the inner call's answer, and the outer call goes on as itself.
SELECT t.nested('a', 'query_table', '{"table": "ne.none"}');
SELECT t.nested('a', 'insert_record', '{"table": "ne.data", "data": {"id": "x"}}');
SELECT t.via('a', 'query_table', '{"table": "ne.me"}');
-- A SECURITY DEFINER function calls as its owner, which is its right, still with the outer scopes and claims.
SELECT t.via('a', 'query_table', '{"table": "ne.by_definer"}');
-- If the outer call fails nothing of the inner one is left.
SELECT t.via('a', 'insert_record', '{"table": "ne.calls", "data": {"tool": "insert_record", "args": {"table": "ne.data", "data": {"id": 77}}, "note": "refused"}}');
SELECT t.via('a', 'query_table', '{"table": "ne.data", "select": "id", "order": "id"}');
-- The listener's entry is closed inside, even to whom it was granted.
\c - postgres
GRANT EXECUTE ON FUNCTION mcp.handle(text, text, jsonb) TO authenticated;
\c - regress_login
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', format('SELECT mcp.handle(%L, %L, NULL)', '{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('service'))), 'returning', 'outcome'));
\c - postgres
REVOKE EXECUTE ON FUNCTION mcp.handle(text, text, jsonb) FROM authenticated;
-- A superuser's direct call of a tool: the tool's function calls as the superuser would, and a role taken by SET ROLE stays it.
SELECT t.call('query_table', '{"table": "ne.me"}');
SET ROLE authenticated;
SELECT t.call('insert_record', '{"table": "ne.calls", "data": {"tool": "query_table", "args": {"table": "ne.me"}}, "returning": "answer"}');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA ne CASCADE;
