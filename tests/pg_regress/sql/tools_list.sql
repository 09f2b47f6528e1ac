-- tools/list: the six tools in their order, only those that scopes and allow-lists leave, schemas flat and closed.
\t on
\a
SET client_min_messages = warning;
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
-- What the later revisions add.
SELECT jsonb_pretty(body::jsonb) FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}');
-- House rules.
SELECT x ->> 'name', (x ->> 'name') ~ '^[a-z_]{1,30}$' AS named, x #>> '{inputSchema,additionalProperties}' AS more, x #> '{inputSchema}' ?| ARRAY['anyOf', 'oneOf', 'allOf', '$ref'] AS nested,
       length((x -> 'inputSchema')::text) + length(x ->> 'description') < 1100 AS small, (SELECT count(*) FROM jsonb_object_keys(x -> 'annotations')) AS annotations
  FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h,
       jsonb_array_elements(h.body::jsonb #> '{result,tools}') AS x;
-- By scope.
SELECT t.key('list reads', scopes => '{read:tables}'), t.key('list writes', scopes => '{write:tables}'), t.key('list schema', scopes => '{read:schema}'), t.key('list other', scopes => '{read:vectors}');
SELECT k, jsonb_path_query_array(h.body::jsonb, '$.result.tools[*].name')
  FROM unnest(ARRAY['a', 'service', 'list reads', 'list writes', 'list schema', 'list other']) AS k, mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential(k), NULL) AS h;
SELECT k, jsonb_path_query_array(h.body::jsonb, '$.result.resources[*].name')
  FROM unnest(ARRAY['a', 'service', 'list reads', 'list writes', 'list schema', 'list other']) AS k, mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/list"}', t.credential(k), NULL) AS h;
