-- A tool or resource without its scope is refused with -32006 and the scope's name, before its arguments are looked at.
\t on
\a
SET client_min_messages = warning;
SELECT t.key('scope reads', scopes => '{read:tables}'), t.key('scope writes', scopes => '{write:tables}'), t.key('scope schema', scopes => '{read:schema}'), t.key('scope other', scopes => '{execute:rpc}'),
       t.key('scope service', kind => 'service', role => 'service_role', scopes => '{read:schema}');
SELECT k, tool, t.via(k, tool, '{"nonsense": 1}')
  FROM unnest(ARRAY['scope reads', 'scope writes', 'scope schema', 'scope other', 'scope service']) WITH ORDINALITY AS k(k, i),
       unnest(ARRAY['query_table', 'insert_record', 'update_record', 'delete_record', 'list_tables', 'describe_table']) WITH ORDINALITY AS o(tool, j) ORDER BY i, j;
SELECT k, t.read(k, 'fluxbase://schema/tables/x/y') FROM unnest(ARRAY['scope reads', 'scope writes', 'scope schema', 'scope other']) AS k;
SELECT body, status FROM mcp.handle('{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"insert_record","arguments":{}}}', t.credential('scope reads'), NULL);
