-- 2026-07-28 through the listener's entry: per-request _meta, headers that must agree, statuses, what results must have.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION t.modern(method text, params jsonb DEFAULT '{}', headers jsonb DEFAULT '{}', meta jsonb DEFAULT '{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}', key text DEFAULT 'a')
    RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT t.http(jsonb_build_object('jsonrpc', '2.0', 'id', 'x', 'method', method, 'params', params || CASE WHEN meta IS NULL THEN '{}' ELSE jsonb_build_object('_meta', meta) END)::text, t.credential(key),
              jsonb_build_object('http', true, 'headers', jsonb_strip_nulls(jsonb_build_object('mcp-protocol-version', '["2026-07-28"]'::jsonb, 'mcp-method', jsonb_build_array(method),
                  'mcp-name', CASE WHEN params ? 'name' THEN jsonb_build_array(params -> 'name') WHEN params ? 'uri' THEN jsonb_build_array(params -> 'uri') END) || headers)))
$$;
CREATE TABLE public.users (id int PRIMARY KEY, email text);
INSERT INTO public.users VALUES (1, 'user@example.com');
GRANT SELECT ON public.users TO authenticated;
-- Results.
SELECT jsonb_pretty(substr(t.modern('server/discover'), 5)::jsonb #- '{result,instructions}');
SELECT t.modern('tools/call', '{"name": "query_table", "arguments": {"table": "users"}}');
SELECT t.modern('tools/call', '{"name": "query_table", "arguments": {"table": "usersx"}}');
SELECT m, (substr(t.modern(m), 5)::jsonb -> 'result') - ARRAY['tools', 'resources', 'resourceTemplates'] FROM unnest(ARRAY['tools/list', 'resources/list', 'resources/templates/list']) AS m;
SELECT substr(t.modern('resources/read', '{"uri": "fluxbase://schema/tables/public/users"}'), 5)::jsonb #- '{result,contents}';
-- 1. _meta
SELECT m, t.modern('tools/list', meta => m) FROM unnest(ARRAY[NULL, '{}', '{"io.modelcontextprotocol/protocolVersion": "2026-07-28"}', '{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": []}',
    '{"io.modelcontextprotocol/protocolVersion": 5, "io.modelcontextprotocol/clientCapabilities": {}}', '5', '{"io.modelcontextprotocol/clientCapabilities": {}}']::jsonb[]) AS m;
SELECT left(t.modern('tools/list', meta => '{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}, "io.modelcontextprotocol/clientInfo": {"name": "x"}, "traceparent": "y"}'), 60);
-- 2. headers
SELECT h, t.modern('tools/call', '{"name": "query_table", "arguments": {"table": "users"}}', h)
  FROM unnest(ARRAY['{"mcp-protocol-version": []}', '{"mcp-protocol-version": ["2025-06-18"]}', '{"mcp-protocol-version": ["2026-07-28", "2026-07-28"]}', '{"mcp-method": []}', '{"mcp-method": ["tools/list"]}', '{"mcp-method": ["Tools/Call"]}', '{"mcp-method": ["tools/call", "tools/call"]}',
                    '{"mcp-name": []}', '{"mcp-name": ["insert_record"]}', '{"mcp-name": ["query_table", "query_table"]}', '{"mcp-name": ["=?base64?cXVlcnlfdGFibGU=?="]}', '{"mcp-name": ["=?base64?aW5zZXJ0X3JlY29yZA==?="]}', '{"mcp-name": ["=?base64?!!?="]}', '{"mcp-name": [" query_table\t"]}', '{"mcp-method": [" tools/call "]}']::jsonb[]) AS h;
SELECT t.modern('resources/read', '{"uri": "fluxbase://schema/tables"}', '{"mcp-name": ["fluxbase://other"]}');
-- A header of one revision over a body of another.
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2026-07-28"]}}');
-- Not over HTTP nothing is compared.
SELECT left(t.http('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}', t.credential('a'), NULL), 70);
SELECT left(mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}')::text, 70);
-- 3. versions
SELECT v, t.modern('tools/list', '{}', jsonb_build_object('mcp-protocol-version', jsonb_build_array(v)), jsonb_build_object('io.modelcontextprotocol/protocolVersion', v, 'io.modelcontextprotocol/clientCapabilities', '{}'::jsonb)) FROM unnest(ARRAY['2026-07-29', '2025-11-25', 'draft']) AS v;
-- 4. methods
SELECT m, t.modern(m) FROM unnest(ARRAY['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'nope']) AS m;
-- 5. params
SELECT p, t.modern('tools/call', p, CASE WHEN p ? 'name' THEN '{}'::jsonb ELSE '{"mcp-name": ["x"]}' END) FROM unnest(ARRAY['{}', '{"name": "nope"}', '{"name": "query_table", "arguments": 5}']::jsonb[]) AS p;
SELECT t.modern('resources/read', '{"uri": "fluxbase://none"}');
SELECT t.modern('tools/list', '{"cursor": "x"}');
-- Notifications are taken note of; responses are refused in this revision.
SELECT t.http('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2026-07-28"]}}');
SELECT t.http('{"jsonrpc":"2.0","id":1,"result":{}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2026-07-28"]}}');
-- Scope and key.
SELECT t.key('modern reader', scopes => '{read:storage}');
SELECT t.modern('tools/call', '{"name": "query_table", "arguments": {}}', key => 'modern reader');
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', 'wrong', '{"http": true, "headers": {"mcp-protocol-version": ["2026-07-28"]}}');
DROP TABLE public.users;
