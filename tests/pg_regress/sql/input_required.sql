-- A tool that asks: inputRequests, inputResponses, and the signed state between the rounds.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA ask;
GRANT USAGE ON SCHEMA ask TO authenticated, service_role;
SELECT t.key('ask a', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', scopes => '{execute:rpc}'), t.key('ask b', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', scopes => '{execute:rpc}');
CREATE TABLE ask.log (what text);
GRANT INSERT, SELECT ON ask.log TO authenticated;
CREATE FUNCTION ask.book(args jsonb, context jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    answer jsonb := context #> '{inputResponses,name}';
BEGIN
    INSERT INTO ask.log VALUES ('round ' || coalesce(context #>> '{requestState,round}', '0'));
    IF answer ->> 'action' = 'accept' AND context #>> '{requestState,round}' = '1' THEN
        RETURN jsonb_build_object('booked', args, 'for', answer #>> '{content,name}', 'state', context -> 'requestState');
    END IF;
    RETURN jsonb_build_object('inputRequests', jsonb_build_object(
               'name', '{"method": "elicitation/create", "params": {"message": "Your name?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}}'::jsonb,
               'roots', '{"method": "roots/list"}'::jsonb),
           'requestState', jsonb_build_object('round', 1, 'args', args));
END
$$;
SELECT mcp.register_tool('book', 'ask.book(jsonb,jsonb)', 'Book.'), mcp.register_tool('book2', 'ask.book(jsonb,jsonb)', 'Book.');
CREATE FUNCTION ask.round(params jsonb, capabilities jsonb DEFAULT '{"elicitation": {}, "roots": {}}', key text DEFAULT 'ask a', method text DEFAULT 'tools/call') RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('status', h.status) || (h.body::jsonb - 'jsonrpc' - 'id' #- '{result,_meta}') FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', method, 'params',
    params || jsonb_build_object('_meta', jsonb_build_object('io.modelcontextprotocol/protocolVersion', '2026-07-28', 'io.modelcontextprotocol/clientCapabilities', capabilities)))::text, t.credential(key), NULL) AS h
$$;
CREATE FUNCTION ask.state(args jsonb DEFAULT '{"a": 1, "b": {"c": 2}}', tool text DEFAULT 'book', key text DEFAULT 'ask a') RETURNS text LANGUAGE sql AS $$
SELECT ask.round(jsonb_build_object('name', tool, 'arguments', args), key => key) #>> '{result,requestState}'
$$;
CREATE FUNCTION ask.answer(state text, args jsonb DEFAULT '{"a": 1, "b": {"c": 2}}', tool text DEFAULT 'book', key text DEFAULT 'ask a', responses jsonb DEFAULT '{"name": {"action": "accept", "content": {"name": "Ada"}}}') RETURNS text LANGUAGE sql AS $$
SELECT coalesce(r #>> '{result,content,0,text}', r #>> '{error,message}', r::text) FROM ask.round(jsonb_strip_nulls(jsonb_build_object('name', tool, 'arguments', args, 'inputResponses', responses, 'requestState', state)), key => key) AS r
$$;
-- The first round, by what the client can do.
SELECT c, ask.round('{"name": "book"}', c) #- '{result,requestState}' FROM unnest(ARRAY['{"elicitation": {}, "roots": {}}', '{"elicitation": {"form": {}}}', '{"roots": {"listChanged": true}}', '{"sampling": {}}', '{}']::jsonb[]) AS c;
-- What it did before it asked is undone.
SELECT count(*) FROM ask.log;
-- The second round.
SELECT ask.answer(ask.state());
SELECT * FROM ask.log;
SELECT ask.answer(ask.state(), '{"b": {"c": 2}, "a": 1}');
-- No answer, another answer: it asks again.
SELECT ask.round(jsonb_build_object('name', 'book', 'arguments', '{"a": 1, "b": {"c": 2}}'::jsonb, 'requestState', ask.state(), 'inputResponses', r)) #>> '{result,resultType}' FROM unnest(ARRAY['{}', '{"name": {"action": "decline"}}', '{"other": 1}']::jsonb[]) AS r;
SELECT ask.round('{"name": "book", "inputResponses": {"name": {"action": "accept", "content": {"name": "Eve"}}}}') #>> '{result,resultType}';
-- The state of other arguments, another tool, another key of the same user, another kind of call.
SELECT ask.answer(ask.state(), '{"a": 2, "b": {"c": 2}}'), ask.answer(ask.state(), '{}'), ask.answer(ask.state(), tool => 'book2'), ask.answer(ask.state(), key => 'ask b');
SELECT ask.answer(ask.state(key => 'ask b')), ask.answer(ask.state(key => 'ask b'), key => 'ask b') ~ 'booked';
-- Changed, cut, made up.
SELECT what, ask.round(jsonb_build_object('name', 'book', 'arguments', '{"a": 1, "b": {"c": 2}}'::jsonb, 'requestState', made, 'inputResponses', '{}'::jsonb)) #>> '{error,code}'
  FROM ask.state() AS s, LATERAL (VALUES ('cut', left(s, -1)), ('longer', s || 'A'), ('other first', 'f' || substr(s, 2)), ('other last', left(s, -1) || CASE right(s, 1) WHEN 'A' THEN 'B' ELSE 'A' END), ('no signature', split_part(s, '.', 1)), ('empty signature', split_part(s, '.', 1) || '.'), ('empty', ''), ('dots', '...'), ('text', 'state-ok'), ('long', repeat('x', 500000)),
    ('other payload', translate(encode(convert_to(replace(convert_from(decode(rpad(translate(split_part(s, '.', 1), '-_', '+/'), (length(split_part(s, '.', 1)) + 3) / 4 * 4, '='), 'base64'), 'UTF8'), '"round": 1', '"round": 9'), 'UTF8'), 'base64'), E'+/=\n', '-_') || '.' || split_part(s, '.', 2))) AS v(what, made);
SELECT ask.round('{"name": "book", "requestState": 1}') #> '{error,code}', ask.round('{"name": "book", "inputResponses": []}') #> '{error,code}';
-- Expired: signed ten minutes ago, with the secret that only the superuser of this test can read.
CREATE FUNCTION ask.forge(seconds_left int) RETURNS text LANGUAGE sql AS $$
WITH genuine AS (SELECT convert_from(decode(rpad(translate(p, '-_', '+/'), (length(p) + 3) / 4 * 4, '='), 'base64'), 'UTF8') AS payload FROM split_part(ask.state(), '.', 1) AS p),
     moved AS (SELECT convert_to(regexp_replace(payload, '"until":\d+', '"until":' || (floor(extract(epoch FROM clock_timestamp() - '2000-01-01 00:00+00'::timestamptz))::int8 + seconds_left)), 'UTF8') AS payload FROM genuine),
     keyed AS (SELECT payload, rpad_secret.k FROM moved, LATERAL (SELECT secret || decode(repeat('00', 64 - octet_length(secret)), 'hex') AS k FROM mcp._secrets WHERE name = 'request_state') AS rpad_secret),
     pads AS (SELECT payload, (SELECT string_agg(set_byte('\x00'::bytea, 0, get_byte(k, n) # 54), ''::bytea ORDER BY n) FROM generate_series(0, 63) AS n) AS inner_pad, (SELECT string_agg(set_byte('\x00'::bytea, 0, get_byte(k, n) # 92), ''::bytea ORDER BY n) FROM generate_series(0, 63) AS n) AS outer_pad FROM keyed)
SELECT translate(encode(payload, 'base64'), E'+/=\n', '-_') || '.' || translate(encode(sha256(outer_pad || sha256(inner_pad || payload)), 'base64'), E'+/=\n', '-_') FROM pads
$$;
SELECT left(ask.answer(ask.forge(5)), 40), ask.answer(ask.forge(-1));
-- Another secret: what was signed with the old one is worth nothing, in the next request.
SELECT ask.state() AS before \gset
UPDATE mcp._secrets SET secret = sha256('another');
SELECT left(ask.answer(:'before'), 40), left(ask.answer(ask.state()), 40);
DELETE FROM mcp._secrets;
SELECT ask.round('{"name": "book"}') #>> '{result,content,0,text}' ~ '^internal error, reference';
INSERT INTO mcp._secrets VALUES ('request_state', sha256('a third'));
SELECT left(ask.answer(ask.state()), 40);
-- A person's own session: bound to the role.
CREATE FUNCTION ask.own(params jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', params || '{"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}}'))::jsonb
$$;
SET ROLE authenticated;
SELECT ask.own('{"name": "book"}') #>> '{result,requestState}' AS mine \gset
SELECT ask.own(jsonb_build_object('name', 'book', 'requestState', :'mine')) #>> '{result,resultType}';
RESET ROLE;
SELECT ask.own(jsonb_build_object('name', 'book', 'requestState', :'mine')) #>> '{error,code}';
-- Requests that are none, a state that is too large, a tool that only reads, one that knows nothing of contexts.
CREATE FUNCTION ask.made_up(args jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT args';
SELECT mcp.register_tool('made_up', 'ask.made_up(jsonb)', 'Made up.');
SELECT ask.round(jsonb_build_object('name', 'made_up', 'arguments', a)) #>> '{result,content,0,text}'
  FROM unnest(ARRAY['{"inputRequests": {}}', '{"inputRequests": 1}', '{"inputRequests": {"a": {"method": "tools/call"}}}', '{"inputRequests": {"a": {"method": "elicitation/create"}}}', '{"inputRequests": {"a": {"method": "sampling/createMessage", "params": {}}}}']::jsonb[]) AS a;
SELECT ask.round('{"name": "made_up", "arguments": {"inputRequests": {"q\"": {"method": "elicitation/create", "params": {"mode": "url", "message": "Go", "url": "https://example.org"}}}}}', c) FROM unnest(ARRAY['{"elicitation": {}}', '{"elicitation": {"url": {}}}']::jsonb[]) AS c;
SELECT ask.round(jsonb_build_object('name', 'made_up', 'arguments', jsonb_build_object('inputRequests', '{"r": {"method": "roots/list"}}'::jsonb, 'requestState', repeat('x', 70000)))) #>> '{result,content,0,text}';
SELECT left(ask.answer(ask.state(), tool => 'made_up'), 40);
-- Legacy clients cannot be asked.
SELECT t.via('ask a', 'book'), t.http('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"book","requestState":"x","inputResponses":1}}', t.credential('ask a'));
-- Prompts ask as well.
CREATE FUNCTION ask.prompt(arguments jsonb, context jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
SELECT CASE WHEN context #> '{inputResponses,who}' IS NULL THEN '{"inputRequests": {"who": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 10}}}, "requestState": 1}'::jsonb
       ELSE jsonb_build_object('messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', jsonb_build_object('type', 'text', 'text', context::text)))) END
$$;
SELECT mcp.register_prompt('book', 'ask.prompt(jsonb,jsonb)', 'Ask.');
SELECT ask.round('{"name": "book"}', '{"sampling": {}}', method => 'prompts/get') #- '{result,requestState}', ask.round('{"name": "book"}', '{}', method => 'prompts/get');
SELECT ask.round(jsonb_build_object('name', 'book', 'inputResponses', '{"who": {"model": "m"}}'::jsonb, 'requestState', ask.round('{"name": "book"}', '{"sampling": {}}', method => 'prompts/get') #> '{result,requestState}'), '{"sampling": {}}', method => 'prompts/get') #>> '{result,messages,0,content,text}';
SELECT ask.round(jsonb_build_object('name', 'book', 'requestState', ask.state('{}')), method => 'prompts/get') #> '{error,code}';
DELETE FROM mcp._tools;
DELETE FROM mcp._prompts;
DROP SCHEMA ask CASCADE;
