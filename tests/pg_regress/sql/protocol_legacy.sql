-- JSON-RPC and the handshake revisions through the listener's entry: statuses, ids, statuses of faults, what each revision is sent.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION t.legacy(request text, version text DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT t.http(request, t.credential('a'), jsonb_build_object('http', true, 'headers', CASE WHEN version IS NULL THEN '{}' ELSE jsonb_build_object('mcp-protocol-version', jsonb_build_array(version)) END))
$$;
CREATE TABLE public.users (id int PRIMARY KEY, email text, is_active bool);
INSERT INTO public.users VALUES (1, 'user@example.com', true), (2, 'x@example.com', false);
GRANT SELECT ON public.users TO authenticated;
-- The document's request, letter for letter, and its answer as a whole.
SELECT t.legacy('{"jsonrpc":"2.0","method":"tools/call","params":{"name":"query_table","arguments":{"table":"users","select":"id,email","filter":{"is_active":"eq.true"},"limit":10}},"id":1}');
-- No JSON, no message, no request.
SELECT r, t.legacy(r) FROM unnest(ARRAY['', ' ', '{', 'nonsense', '{"jsonrpc":"2.0","id":1,"method":"ping"} x', '{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}', U&'\FEFF{"jsonrpc":"2.0","id":1,"method":"ping"}',
    '"x"', 'null', '1', '[]', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', '{}', '{"id":1,"method":"ping"}', '{"jsonrpc":"1.0","id":1,"method":"ping"}', '{"jsonrpc":2.0,"id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1}', '{"jsonrpc":"2.0","id":1,"method":5}', '{"jsonrpc":"2.0","id":1,"method":null}', '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}',
    '{''jsonrpc'':''2.0''}', '{"jsonrpc":"2.0","id":1,"method":"ping",}']) AS r;
-- Ids: strings and integers come back exactly; nothing else is an id.
SELECT i, t.legacy('{"jsonrpc":"2.0","id":' || i || ',"method":"ping"}') FROM unnest(ARRAY['0', '-1', '9007199254740993', '18446744073709551616', '""', '"a\"b"', '"ü😀"', '"\u00e9"', '"\u0000"', '1.0', '1.5', '1e3', 'true', 'null', '[]', '{}', '"\ud800"', '-0', '01']) AS i;
-- Tolerated: unknown keys, any order, blanks, the last of two equal keys.
SELECT t.legacy(' { "extra" : {"a":[1]} , "method" : "ping" , "id" : 1 , "jsonrpc" : "2.0" } ');
SELECT t.legacy('{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"ping"}');
SELECT t.legacy('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}');
SELECT t.legacy('{"jsonrpc":"2.0","id":1,"method":"ping","params":null}');
SELECT t.legacy('{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}');
-- Depth: our own limit, no crash.
SELECT left(t.legacy('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":' || repeat('[', n) || repeat(']', n) || '}}'), 120) FROM unnest(ARRAY[50, 117, 119, 5000, 200000]) AS n;
-- Notifications and responses have no answer; a request without id is told so.
SELECT r, t.legacy(r) FROM unnest(ARRAY['{"jsonrpc":"2.0","method":"notifications/initialized"}', '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}', '{"jsonrpc":"2.0","method":"notifications/unknown"}', '{"jsonrpc":"2.0","method":"tools/list"}',
    '{"jsonrpc":"2.0","id":1,"result":{}}', '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}']) AS r;
-- initialize: the version asked for where it is served, else the newest with a handshake.
SELECT v, t.http('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"' || v || '","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}', t.credential('a'), '{"http": true}')::text ~ ('"protocolVersion":"' || CASE WHEN v IN ('2024-11-05', '2025-03-26', '2025-06-18') THEN v ELSE '2025-11-25' END || '"')
  FROM unnest(ARRAY['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28', '1999-01-01', '']) AS v;
SELECT t.legacy('{"jsonrpc":"2.0","id":1,"method":"initialize"}');
SELECT t.legacy('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":5}}');
-- Methods and params.
SELECT r, t.legacy('{"jsonrpc":"2.0","id":1,' || r || '}') FROM unnest(ARRAY['"method":"Ping"', '"method":"prompts/list"', '"method":"server/discover"', '"method":"logging/setLevel"', '"method":""', '"method":"tools/call"', '"method":"tools/call","params":{}', '"method":"tools/call","params":{"name":5}',
    '"method":"tools/call","params":{"name":"nope"}', '"method":"tools/call","params":{"name":"query_tables"}', '"method":"tools/call","params":{"name":"Query_Table"}', '"method":"tools/call","params":{"name":"query_table","arguments":[]}', '"method":"tools/call","params":{"name":"query_table","arguments":"{}"}', '"method":"tools/call","params":{"name":"query_table","arguments":null}',
    '"method":"tools/call","params":{"name":"query_table"}', '"method":"resources/read"', '"method":"resources/read","params":{"uri":"x"}', '"method":"resources/read","params":{"uri":5}', '"method":"tools/list","params":{"cursor":"abc"}', '"method":"resources/list","params":{"cursor":5}', '"method":"ping","params":{"_meta":5}', '"method":"ping","params":{"_meta":{"progressToken":1}}']) AS r;
SELECT left(t.legacy('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":""}}'), 50), left(t.legacy('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":null}}'), 50);
-- The header names the revision; an unknown one is 400 with what is served; twice the same header is refused.
SELECT v, t.legacy('{"jsonrpc":"2.0","id":1,"method":"ping"}', v) FROM unnest(ARRAY['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', ' 2025-06-18 ', '2025-06-19', '']) AS v;
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18", "2025-06-18"]}}');
-- What a tool's answer has in each revision.
SELECT v, t.legacy('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"users","filter":{"id":1},"select":"id"}}}', v) FROM unnest(ARRAY[NULL, '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) AS v;
SELECT v, t.legacy('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"userss"}}}', v) FROM unnest(ARRAY[NULL, '2025-06-18']) AS v;
SELECT v, (SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(substr(t.legacy('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', v), 5)::jsonb #> '{result,tools,0}') AS k) FROM unnest(ARRAY[NULL, '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) AS v;
-- A fault before the key is known is still 401 without a right key.
SELECT status FROM unnest(ARRAY['nonsense', '{"jsonrpc":"2.0","id":1,"method":"ping"}', '{"jsonrpc":"2.0","method":"notifications/initialized"}', '[]']) AS r, mcp.handle(r, 'wrong', '{"http": true}');
DROP TABLE public.users;
