-- mcp.register_resource: fixed URIs and templates, texts, JSON and bytes; under the same limits as what is built in.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA res;
GRANT USAGE ON SCHEMA res TO authenticated, regress_app;
CREATE TABLE res.pages (slug text PRIMARY KEY, body text);
INSERT INTO res.pages VALUES ('home', 'Welcome'), ('a/b', 'Slash'), ('café', 'Coffee');
GRANT SELECT ON res.pages TO authenticated;
CREATE FUNCTION res.fixed(uri text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'text of ' || uri $$;
CREATE FUNCTION res.page(uri text, variables jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT body FROM res.pages WHERE slug = variables ->> 'slug' $$;
CREATE FUNCTION res.bytes(uri text) RETURNS bytea LANGUAGE sql STABLE AS $$ SELECT decode(repeat('00ff10', 40), 'hex') $$;
CREATE FUNCTION res.data(uri text, variables jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
SELECT CASE variables ->> 'what' WHEN 'list' THEN jsonb_build_object('contents', jsonb_build_array(jsonb_build_object('uri', uri, 'mimeType', 'text/x', 'text', 'one'), jsonb_build_object('uri', uri || '#2', 'blob', 'aGVsbG8=')))
       WHEN 'bad' THEN '{"contents": [{"text": "no uri"}]}' WHEN 'empty' THEN '{"contents": []}' WHEN 'none' THEN NULL ELSE jsonb_build_object('variables', variables) END
$$;
CREATE FUNCTION res.writes(uri text) RETURNS text LANGUAGE sql VOLATILE AS $$ INSERT INTO res.pages VALUES ('new', 'new') RETURNING slug $$;
CREATE FUNCTION res.raises(uri text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no such thing' USING HINT = 'a hint'; END $$;
-- What is refused.
CREATE FUNCTION res.no_uri() RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
CREATE FUNCTION res.number(uri text) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION res.set_of(uri text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT '' $$;
SELECT f, t.try(format($$SELECT mcp.register_resource('app://x', %L, 'x')$$, f)) FROM unnest(ARRAY['res.no_uri()', 'res.number(text)', 'res.set_of(text)', 'pg_catalog.lower(anyrange)']) AS f;
SELECT u, t.try(format($$SELECT mcp.register_resource(%L, 'res.fixed(text)', 'x')$$, u))
  FROM unnest(ARRAY['', 'x', 'app://{', 'app://{+x}', 'app://{x}{y}', 'app://{x}/{x}', 'app://a b', 'fluxbase://schema/tables', 'FLUXBASE:x', 'fluxbase://{x}', NULL]) AS u;
SELECT t.try($$SELECT mcp.register_resource('app://x', 'res.fixed(text)', '')$$), t.try($$SELECT mcp.register_resource('app://x', 'res.fixed(text)', 'x', scopes => '{all}')$$);
SET ROLE regress_app;
SELECT mcp.register_resource('app://x', 'res.fixed(text)', 'x');
SELECT mcp.unregister_resource('app://x');
RESET ROLE;
-- Listed and read.
SELECT mcp.register_resource('app://fixed', 'res.fixed(text)', 'fixed', 'A text.', title => 'Fixed'), mcp.register_resource('app://pages/{slug}', 'res.page(text,jsonb)', 'page', 'A page.', 'text/markdown'),
       mcp.register_resource('app://bytes', 'res.bytes(text)', 'bytes', mime_type => 'image/png'), mcp.register_resource('app://json/{what}-{n}.json', 'res.data(text,jsonb)', 'json'),
       mcp.register_resource('app://json/special-{n}.json', 'res.data(text,jsonb)', 'special'), mcp.register_resource('app://pages/index', 'res.fixed(text)', 'index'),
       mcp.register_resource('app://writes', 'res.writes(text)', 'writes'), mcp.register_resource('app://raises', 'res.raises(text)', 'raises'), mcp.register_resource('app://rpc', 'res.fixed(text)', 'rpc', scopes => '{execute:rpc}');
SELECT uri, function, name, mime_type, scopes, problem FROM mcp.resources ORDER BY uri;
CREATE FUNCTION res.modern(method text, params jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
SELECT h.body::jsonb #- '{result,_meta}' FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', method, 'params', params || '{"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}')::text, t.credential('a'), NULL) AS h
$$;
SELECT jsonb_array_elements(res.modern('resources/list') #> '{result,resources}');
SELECT jsonb_array_elements(res.modern('resources/templates/list') #> '{result,resourceTemplates}');
SELECT u, res.modern('resources/read', jsonb_build_object('uri', u)) - 'jsonrpc' - 'id'
  FROM unnest(ARRAY['app://fixed', 'app://pages/home', 'app://pages/a%2Fb', 'app://pages/caf%C3%A9', 'app://pages/index', 'app://pages/none', 'app://pages/a/b', 'app://pages/', 'app://pages/%00', 'app://pages/{slug}', 'app://bytes', 'app://json/a-1.json', 'app://json/special-1.json', 'app://json/list-1.json',
    'app://json/bad-1.json', 'app://json/empty-1.json', 'app://json/none-1.json', 'app://json/a-.json', 'app://writes', 'app://raises', 'app://rpc', 'APP://fixed', 'app://fixed ', 'app://fixed?x=1']) AS u;
SELECT count(*) FROM res.pages;
SELECT t.read('a', 'app://pages/home'), t.read('a', 'app://pages/none');
-- Allow-lists: a template allows its instances.
SELECT t.read('a', 'app://pages/home', '{"allowed_resources": ["app://pages/{slug}"]}'), t.read('a', 'app://pages/home', '{"allowed_resources": ["app://pages/home"]}'), t.read('a', 'app://pages/home', '{"allowed_resources": ["app://pages/index"]}');
-- Only those who may execute see it.
REVOKE EXECUTE ON FUNCTION res.page FROM PUBLIC;
SELECT res.modern('resources/templates/list') #> '{result,resourceTemplates}' @? '$[*] ? (@.name == "page")', t.read('a', 'app://pages/home');
GRANT EXECUTE ON FUNCTION res.page TO authenticated;
SELECT t.read('a', 'app://pages/home');
DROP FUNCTION res.page;
SELECT res.modern('resources/templates/list') #> '{result,resourceTemplates}' @? '$[*] ? (@.name == "page")', t.read('a', 'app://pages/home');
SELECT mcp.unregister_resource('app://fixed'), mcp.unregister_resource('app://fixed');
SELECT t.read('a', 'app://fixed');
DELETE FROM mcp._resources;
DROP SCHEMA res CASCADE;
