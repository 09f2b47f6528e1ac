-- mcp.enabled = off: nothing is answered, to nobody; the size bound of a message.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT mcp.health()::jsonb - 'serverVersion';
SET mcp.enabled = off;
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}');
SELECT t.http('{"jsonrpc":"2.0","id":"x","method":"ping"}', t.credential('a'));
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'nonsense');
SELECT mcp.health()::jsonb - 'serverVersion';
RESET mcp.enabled;
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'));
SET mcp.max_message_size = 1024;
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}' || repeat(' ', 984), t.credential('a'));
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}' || repeat(' ', 985), t.credential('a'));
RESET mcp.max_message_size;
-- What the listener says about a request must have its form.
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'), '{"allowed_tools": "query_table"}');
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'), '{}');
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'), '{"address": "127.0.0.1", "something": "new"}');
SELECT t.http(NULL, t.credential('a'));
SELECT pending IS NULL, retry_after IS NULL FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'), NULL);
