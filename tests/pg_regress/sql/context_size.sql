-- context_size: what a key with all nine scopes is shown by default fits into 12 kB, and the first sentence of each description says what it is for.
\t on
\a
SET client_min_messages = warning;
SELECT t.key('cs all', scopes => '{read:tables,write:tables,execute:functions,execute:rpc,read:storage,write:storage,execute:jobs,read:vectors,read:schema}');
-- As the lists have it, in bytes: name, description and schema of tools; URI, name and description of resources and templates; all of prompts.
CREATE FUNCTION t.shown_by_default() RETURNS TABLE (list text, name text, description text, bytes int) LANGUAGE sql VOLATILE AS $$
SELECT l.list, x.item ->> 'name', x.item ->> 'description',
       CASE l.list WHEN 'prompts' THEN octet_length(x.item::text)
            ELSE (SELECT sum(octet_length(coalesce(x.item ->> m, ''))) FROM unnest(ARRAY['name', 'uri', 'uriTemplate', 'description', 'inputSchema']) AS m) END
  FROM (VALUES (1, 'tools/list', 'tools'), (2, 'resources/list', 'resources'), (3, 'resources/templates/list', 'resourceTemplates'), (4, 'prompts/list', 'prompts')) AS l(n, method, list),
       mcp.handle(json_build_object('jsonrpc', '2.0', 'id', 1, 'method', l.method)::text, t.credential('cs all'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h,
       json_array_elements(h.body::json #> ARRAY['result', l.list]) WITH ORDINALITY AS x(item, m)
 ORDER BY l.n, x.m
$$;
SELECT list, name, bytes FROM t.shown_by_default();
SELECT count(*) >= 9 AS entries, sum(bytes) AS bytes, sum(bytes) <= 12000 AS fits FROM t.shown_by_default();
-- What is searched: the first sentence. Nothing is listed here that must not be.
SELECT list, name, sentence FROM t.shown_by_default(), LATERAL (SELECT substring(description FROM '^(.*?\.)(?: |$)') AS sentence) AS s
 WHERE sentence IS NULL OR length(sentence) NOT BETWEEN 10 AND 120 OR description !~ '\.$';
DROP FUNCTION t.shown_by_default;
