-- subscriptions/listen, one look at a time, as the listener takes them: acknowledged first, then told what changed of what this key sees.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA sub;
GRANT USAGE ON SCHEMA sub TO authenticated, regress_app;
CREATE TABLE sub.streams (name text PRIMARY KEY, key text, filter jsonb, state text NOT NULL DEFAULT '');
-- One look of a stream: the methods of its events with what they name; "nothing" when there is none; the whole body when it is no look.
CREATE FUNCTION sub.look(stream text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    s sub.streams; r record; body jsonb;
BEGIN
    SELECT * INTO STRICT s FROM sub.streams WHERE name = stream;
    SELECT * INTO STRICT r FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', s.name, 'method', 'subscriptions/listen', 'params', jsonb_build_object('notifications', s.filter,
        '_meta', '{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}'::jsonb))::text, t.credential(s.key), jsonb_build_object('watch', s.state));
    body := r.body::jsonb;
    IF NOT body ? 'state' THEN RETURN r.status || ' ' || r.body; END IF;
    UPDATE sub.streams SET state = body ->> 'state' WHERE name = stream;
    RETURN coalesce((SELECT string_agg((e ->> 'method') || coalesce(' ' || (e #>> '{params,uri}'), '') || coalesce(' ' || (e #>> '{params,notifications}'), '')
        || CASE WHEN e #>> '{params,_meta,io.modelcontextprotocol/subscriptionId}' = s.name THEN '' ELSE ' (of another stream)' END, E'\n') FROM jsonb_array_elements(body -> 'events') AS e), 'nothing');
END
$$;
CREATE FUNCTION sub.hello() RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT '"hello"'::jsonb $$;
CREATE FUNCTION sub.text(uri text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x' $$;
CREATE FUNCTION sub.prompt(arguments jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x' $$;
CREATE TABLE public.subbed (id int PRIMARY KEY);
GRANT SELECT ON public.subbed TO authenticated;
INSERT INTO sub.streams (name, key, filter) VALUES
    ('all', 'a', '{"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true, "resourceSubscriptions": ["fluxbase://schema/tables", "fluxbase://schema/tables/public/subbed", "app://none"]}'),
    ('tools', 'a', '{"toolsListChanged": true}'), ('nothing', 'a', '{}');
SELECT sub.look(name) FROM sub.streams ORDER BY name;
SELECT sub.look(name) FROM sub.streams ORDER BY name;
-- A registration is told to those who asked for that list, once.
SELECT mcp.register_tool('hello', 'sub.hello()', 'Says hello.', scopes => '{read:tables}');
SELECT name, sub.look(name) FROM sub.streams ORDER BY name;
SELECT name, sub.look(name) FROM sub.streams ORDER BY name;
SELECT mcp.register_resource('app://x', 'sub.text(text)', 'x', scopes => '{read:tables}'), mcp.register_prompt('p', 'sub.prompt(jsonb)', 'P.');
SELECT name, sub.look(name) FROM sub.streams ORDER BY name;
-- A grant that takes the tool away, and gives it back: the list of this key differs, and only then is something told.
REVOKE EXECUTE ON FUNCTION sub.hello() FROM PUBLIC;
SELECT name, sub.look(name) FROM sub.streams ORDER BY name;
GRANT EXECUTE ON FUNCTION sub.hello() TO regress_app;
SELECT sub.look('tools') AS of_another_role;
GRANT EXECUTE ON FUNCTION sub.hello() TO authenticated;
SELECT name, sub.look(name) FROM sub.streams ORDER BY name;
-- DDL: the tables that it sees, and one table's description. Another role's table is nothing to it.
CREATE TABLE public.sub_private (id int);
SELECT sub.look('all') AS not_mine;
ALTER TABLE public.subbed ADD COLUMN note text;
SELECT sub.look('all') AS one_table;
REVOKE SELECT ON public.subbed FROM authenticated;
SELECT sub.look('all') AS gone;
SELECT sub.look('all') AS still_gone;
-- Settings decide, too.
SET mcp.allowed_tools = 'query_table';
SELECT sub.look('tools') AS a_setting;
RESET mcp.allowed_tools;
SELECT sub.look('tools') AS taken_back;
-- A key that has ended is told so, whatever its stream has seen.
INSERT INTO t.credentials (name, credential) SELECT 'ends', t.wire(key) FROM mcp.create_key('client', 'ends', '{read:schema}', rate_limit_per_min => 1);
INSERT INTO sub.streams (name, key, filter) VALUES ('ends', 'ends', '{"toolsListChanged": true}');
-- Its limit is one request: opening the stream is that one, the listener's looks are not counted; what only looks like one is.
SELECT sub.look('ends'), sub.look('ends'), sub.look('ends');
SELECT left(t.http('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('ends'), '{"watch": "x"}'), 80);
SELECT mcp.revoke_key('client', 'ends') IS NOT NULL;
SELECT sub.look('ends');
DELETE FROM t.credentials WHERE name = 'ends';
-- The state holds no more than hashes, and a state that was made up only tells too much, never too little.
SELECT state ~ '^([0-9a-f]{16}|-)( ([0-9a-f]{16}|-))*$' FROM sub.streams;
UPDATE sub.streams SET state = 'x y z' WHERE name = 'tools';
SELECT sub.look('tools') AS made_up;
-- mcp._changes() differs when something may have changed, and only then.
SELECT mcp._changes() = mcp._changes() AS same;
SELECT mcp._changes() AS before \gset
GRANT SELECT ON public.subbed TO authenticated;
SELECT mcp._changes() <> :'before' AS grant_seen;
SELECT mcp._changes() AS before \gset
SET mcp.allowed_resources = 'fluxbase://rpc';
SELECT mcp._changes() <> :'before' AS setting_seen;
RESET mcp.allowed_resources;
-- A function call in SQL cannot hold a stream; a wrong filter is refused before anything else.
SELECT mcp.handle('{"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {"notifications": {}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}}');
UPDATE sub.streams SET filter = '{"toolsListChanged": "yes"}', state = '' WHERE name = 'tools';
SELECT sub.look('tools');
SET ROLE regress_app;
SELECT mcp._changes();
RESET ROLE;
SELECT mcp.unregister_tool('hello'), mcp.unregister_resource('app://x'), mcp.unregister_prompt('p');
DROP TABLE public.subbed, public.sub_private;
DROP SCHEMA sub CASCADE;
