-- mcp.register_prompt, prompts/list, prompts/get.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA pr;
GRANT USAGE ON SCHEMA pr TO authenticated, regress_app;
CREATE FUNCTION pr.simple(arguments jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'Say hello.' $$;
CREATE FUNCTION pr.city(arguments jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
SELECT jsonb_build_object('description', 'About a city', 'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', jsonb_build_object('type', 'text', 'text', format('Tell of %s, %s', arguments ->> 'city', arguments ->> 'style'))),
                                                 jsonb_build_object('role', 'assistant', 'content', jsonb_build_object('type', 'resource', 'resource', jsonb_build_object('uri', 'app://x', 'mimeType', 'text/plain', 'text', 'y')))))
$$;
CREATE FUNCTION pr.bad(arguments jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT (arguments ->> 'answer')::jsonb $$;
CREATE FUNCTION pr.context(arguments jsonb, context jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$ SELECT to_jsonb(context::text) $$;
CREATE TABLE pr.log (i int);
GRANT INSERT ON pr.log TO authenticated;
CREATE FUNCTION pr.writes(arguments jsonb) RETURNS text LANGUAGE sql VOLATILE AS $$ INSERT INTO pr.log VALUES (1) RETURNING 'written' $$;
-- What is refused.
CREATE FUNCTION pr.named(a text) RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
CREATE FUNCTION pr.number(a jsonb) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
SELECT f, t.try(format($$SELECT mcp.register_prompt('x', %L, 'x')$$, f)) FROM unnest(ARRAY['pr.named(text)', 'pr.number(jsonb)']) AS f;
SELECT a, t.try(format($$SELECT mcp.register_prompt('x', 'pr.simple(jsonb)', 'x', %L)$$, a)) FROM unnest(ARRAY['{}', '[1]', '[{}]', '[{"name": "a"}, {"name": "a"}]', '[{"name": "a", "requierd": true}]', '[{"name": ""}]']) AS a;
SELECT t.try($$SELECT mcp.register_prompt('a b', 'pr.simple(jsonb)', 'x')$$), t.try($$SELECT mcp.register_prompt('x', 'pr.simple(jsonb)', 'x', scopes => '{x}')$$);
SET ROLE regress_app;
SELECT mcp.register_prompt('x', 'pr.simple(jsonb)', 'x');
SELECT mcp.unregister_prompt('x');
RESET ROLE;
SELECT mcp.register_prompt('simple', 'pr.simple(jsonb)', 'A greeting.'), mcp.register_prompt('city', 'pr.city(jsonb)', 'A city.', '[{"name": "city", "description": "Which one", "required": true, "values": ["Rome", "Riga", "Oslo"]}, {"name": "style"}]', title => 'City'),
       mcp.register_prompt('bad', 'pr.bad(jsonb)', 'Bad.', '[{"name": "answer"}]'), mcp.register_prompt('context', 'pr.context(jsonb,jsonb)', 'Context.'), mcp.register_prompt('writes', 'pr.writes(jsonb)', 'Writes.'),
       mcp.register_prompt('scoped', 'pr.simple(jsonb)', 'Scoped.', scopes => '{execute:jobs}');
SELECT name, function, title, arguments, scopes, problem FROM mcp.prompts ORDER BY name;
CREATE FUNCTION pr.rpc(method text, params jsonb DEFAULT '{}', key text DEFAULT 'a') RETURNS text LANGUAGE sql AS $$
SELECT coalesce((h.body::jsonb -> 'result')::text, 'rpc ' || (h.body::jsonb #>> '{error,code}') || ': ' || (h.body::jsonb #>> '{error,message}'))
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', method, 'params', params)::text, t.credential(key), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h
$$;
SELECT pr.rpc('prompts/list');
SELECT p, pr.rpc('prompts/get', p)
  FROM unnest(ARRAY['{"name": "simple"}', '{"name": "simple", "arguments": {}}', '{"name": "simple", "arguments": {"x": "1"}}', '{"name": "city", "arguments": {"city": "Rome", "style": "brief"}}', '{"name": "city", "arguments": {"city": "Rome"}}', '{"name": "city"}', '{"name": "city", "arguments": {"city": 1}}',
    '{"name": "city", "arguments": []}', '{"name": "none"}', '{"name": "cty"}', '{"name": "scoped"}', '{"name": "context"}', '{"name": "writes"}', '{}', '{"name": "bad", "arguments": {"answer": "{\"messages\": 1}"}}', '{"name": "bad", "arguments": {"answer": "{\"messages\": [{\"role\": \"system\"}]}"}}',
    '{"name": "bad", "arguments": {"answer": "7"}}', '{"name": "bad", "arguments": {"answer": "no JSON"}}', '{"name": "bad"}']::jsonb[]) AS p;
SELECT count(*) FROM pr.log;
REVOKE EXECUTE ON FUNCTION pr.simple FROM PUBLIC;
SELECT pr.rpc('prompts/list') ~ 'simple', pr.rpc('prompts/get', '{"name": "simple"}');
DROP FUNCTION pr.simple;
SELECT pr.rpc('prompts/get', '{"name": "simple"}');
SELECT mcp.unregister_prompt('simple'), mcp.unregister_prompt('simple');
SELECT pr.rpc('prompts/get', '{"name": "simple"}');
-- Accepted without effect, in the legacy eras.
SELECT pr.rpc('logging/setLevel', '{"level": "info"}'), pr.rpc('logging/setLevel', '{"level": "loud"}'), pr.rpc('resources/subscribe', '{"uri": "app://x"}'), pr.rpc('resources/unsubscribe', '{"uri": "app://x"}');
DELETE FROM mcp._prompts;
DROP SCHEMA pr CASCADE;
