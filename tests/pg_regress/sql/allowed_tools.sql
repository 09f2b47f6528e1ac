-- The DBA's mcp.allowed_tools and the listener's list are both ceilings: what holds is their intersection.
\t on
\a
SET client_min_messages = warning;
CREATE FUNCTION t.listed(transport jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_path_query_array(h.body::jsonb, '$.result.tools[*].name') FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('a'), transport) AS h
$$;
SELECT t.listed('{"allowed_tools": ["query_table", "delete_record"]}');
SELECT t.listed('{"allowed_tools": ["nonsense"]}');
SELECT t.listed('{"allowed_tools": []}');
SELECT t.via('a', 'list_tables', '{"schema": "nowhere"}', '{"allowed_tools": ["query_table"]}');
SELECT t.via('a', 'query_tabel', '{}', '{"allowed_tools": ["query_table"]}');
SELECT t.via('a', 'list_tabels', '{}', '{"allowed_tools": ["query_table"]}');
SET mcp.allowed_tools = 'list_tables , query_table';
SELECT t.listed();
SELECT t.listed('{"allowed_tools": ["query_table", "delete_record"]}');
SELECT t.via('a', 'delete_record', '{}', '{"allowed_tools": ["query_table", "delete_record"]}');
SELECT t.via('a', 'list_tables', '{"schema": "nowhere"}');
-- It holds in SQL as well, for superusers too.
SELECT t.call('describe_table', '{"table": "t.credentials"}');
RESET mcp.allowed_tools;
-- Only a superuser sets ceilings.
SET ROLE regress_app;
SET mcp.allowed_tools = '';
SET mcp.allowed_resources = '';
SET mcp.hidden_schemas = '';
SET mcp.search_schemas = 'x';
SET mcp.rate_limit_per_min = 0;
SET mcp.max_rows = 5;
SET mcp.max_result_chars = 5000;
SET mcp.max_message_size = 5000;
SET mcp.enabled = on;
SET mcp.claims = '{}';
SET mcp.nonsense = 1;
RESET ROLE;
