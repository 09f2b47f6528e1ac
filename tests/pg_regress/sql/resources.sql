-- resources/list, resources/templates/list, resources/read: the content of the schema tools, under the same limits.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA res;
CREATE TABLE res.things (id int PRIMARY KEY, "odd name" text);
CREATE TABLE res."a/b %" (id int);
CREATE TABLE res.closed (id int);
GRANT USAGE ON SCHEMA res TO authenticated;
GRANT SELECT ON res.things, res."a/b %" TO authenticated;
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/list"}');
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/templates/list"}');
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/templates"}')::jsonb = mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/templates/list"}')::jsonb;
SELECT jsonb_path_query_array(t.read('a', 'fluxbase://schema/tables')::jsonb, '$.tables[*] ? (@.schema == "res")');
SELECT t.read('a', 'fluxbase://schema/tables/res/things');
SELECT t.read('a', 'fluxbase://schema/tables/res/things') = t.via('a', 'describe_table', '{"table": "res.things"}');
SELECT t.read('a', 'fluxbase://schema/tables/res/a%2Fb%20%25');
SELECT body FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"fluxbase://schema/tables/res/things"}}', t.credential('a'), NULL);
-- Not there, not granted, not a resource.
SELECT u, t.read('a', u) FROM unnest(ARRAY['fluxbase://schema/tables/res/none', 'fluxbase://schema/tables/res/closed', 'fluxbase://schema/tables/res', 'fluxbase://schema/tables/',
    'fluxbase://schema/tables/res/things/', 'fluxbase://schema/tables/res/things/x', 'fluxbase://schema/tables//things', 'fluxbase://schema/tables/res/%zz', 'fluxbase://schema/tables/res/%', 'fluxbase://schema/tables/res/%00',
    'FLUXBASE://schema/tables', 'file:///etc/passwd', '', 'fluxbase://schema/tables/{schema}/{table}', 'fluxbase://schema/tables?x=1', 'fluxbase://schema/tables/mcp/keys', 'fluxbase://schema/tables/pg_catalog/pg_authid']) AS u;
-- Allow-lists: the DBA's and the listener's; a template allows its instances.
SELECT t.read('a', 'fluxbase://schema/tables/res/things', '{"allowed_resources": ["fluxbase://schema/tables"]}');
SELECT t.read('a', 'fluxbase://schema/tables/res/things', '{"allowed_resources": ["fluxbase://schema/tables/{schema}/{table}"]}') ~ 'things';
SELECT t.read('a', 'fluxbase://schema/tables/res/things', '{"allowed_resources": ["fluxbase://schema/tables/res/things"]}') ~ 'things';
SET mcp.allowed_resources = 'fluxbase://schema/tables';
SELECT t.read('a', 'fluxbase://schema/tables/res/things');
SELECT t.read('a', 'fluxbase://schema/tables/res/things', '{"allowed_resources": ["fluxbase://schema/tables/{schema}/{table}"]}');
SELECT jsonb_array_length(mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/templates/list"}')::jsonb #> '{result,resourceTemplates}'),
       jsonb_array_length(mcp.handle('{"jsonrpc":"2.0","id":1,"method":"resources/list"}')::jsonb #> '{result,resources}');
RESET mcp.allowed_resources;
DROP SCHEMA res CASCADE;
