-- completion/complete: schemas and tables by privilege, the values of a prompt's argument.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA comp_a;
CREATE SCHEMA comp_b;
GRANT USAGE ON SCHEMA comp_a, comp_b TO authenticated;
CREATE TABLE comp_a.orders (id int);
CREATE TABLE comp_a.order_lines (id int);
CREATE TABLE comp_a.closed (id int);
CREATE TABLE comp_b."Odd_orders" (id int);
GRANT SELECT ON comp_a.orders, comp_a.order_lines, comp_b."Odd_orders" TO authenticated;
CREATE FUNCTION comp_a.complete(params jsonb, key text DEFAULT 'a', transport jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
SELECT coalesce((h.body::jsonb -> 'result')::text, 'rpc ' || (h.body::jsonb #>> '{error,code}') || ': ' || (h.body::jsonb #>> '{error,message}'))
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'completion/complete', 'params', params)::text, t.credential(key), transport) AS h
$$;
CREATE FUNCTION comp_a.of_table(argument text, typed text, context jsonb DEFAULT NULL, key text DEFAULT 'a', transport jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
SELECT comp_a.complete(jsonb_strip_nulls(jsonb_build_object('ref', '{"type": "ref/resource", "uri": "fluxbase://schema/tables/{schema}/{table}"}'::jsonb, 'argument', jsonb_build_object('name', argument, 'value', typed), 'context', context)), key, transport)
$$;
SELECT comp_a.of_table('schema', 'comp'), comp_a.of_table('schema', 'COMP_A'), comp_a.of_table('schema', 'pg_'), comp_a.of_table('schema', 'mcp');
SELECT comp_a.of_table('table', 'order'), comp_a.of_table('table', 'o', '{"arguments": {"schema": "comp_b"}}'), comp_a.of_table('table', 'clos'), comp_a.of_table('table', '', '{"arguments": {"schema": "comp_a"}}'), comp_a.of_table('table', '', '{"arguments": {"schema": "mcp"}}'),
       comp_a.of_table('table', '%'), comp_a.of_table('table', ''';'), comp_a.of_table('table', '', '{"arguments": {"schema": 1}}'), comp_a.of_table('table', '', '[]'), comp_a.of_table('column', 'x');
-- More than a hundred.
SELECT format('CREATE TABLE comp_b.many_%s (id int); GRANT SELECT ON comp_b.many_%s TO authenticated', lpad(n::text, 3, '0'), lpad(n::text, 3, '0')) FROM generate_series(1, 120) AS n \gexec
SELECT r #> '{completion,total}', r #> '{completion,hasMore}', jsonb_array_length(r #> '{completion,values}'), r #> '{completion,values,0}' FROM (SELECT comp_a.of_table('table', 'many')::jsonb) AS c(r);
-- Scope and allow-list of the resource count.
SELECT t.key('comp rpc', scopes => '{execute:rpc}');
SELECT comp_a.of_table('schema', 'comp', key => 'comp rpc'), comp_a.of_table('schema', 'comp', transport => '{"allowed_resources": ["fluxbase://schema/tables"]}');
-- Prompts.
CREATE FUNCTION comp_a.prompt(arguments jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT '' $$;
SELECT mcp.register_prompt('city', 'comp_a.prompt(jsonb)', 'A city.', '[{"name": "city", "values": ["Rome", "Riga", "Oslo"]}, {"name": "style"}]'), mcp.register_prompt('scoped', 'comp_a.prompt(jsonb)', 'Scoped.', '[{"name": "x"}]', '{execute:jobs}');
SELECT p, comp_a.complete(p)
  FROM unnest(ARRAY['{"ref": {"type": "ref/prompt", "name": "city"}, "argument": {"name": "city", "value": "r"}}', '{"ref": {"type": "ref/prompt", "name": "city"}, "argument": {"name": "style", "value": ""}}', '{"ref": {"type": "ref/prompt", "name": "city"}, "argument": {"name": "none", "value": ""}}',
    '{"ref": {"type": "ref/prompt", "name": "none"}, "argument": {"name": "x", "value": ""}}', '{"ref": {"type": "ref/prompt", "name": "scoped"}, "argument": {"name": "x", "value": ""}}', '{"ref": {"type": "ref/resource", "uri": "app://none"}, "argument": {"name": "x", "value": ""}}',
    '{"ref": {"type": "ref/other"}, "argument": {"name": "x", "value": ""}}', '{}', '{"ref": {"type": "ref/prompt", "name": "city"}}', '{"ref": {"type": "ref/prompt", "name": "city"}, "argument": {"name": "city", "value": 1}}']::jsonb[]) AS p;
-- A registered template: only its function knows what its variables can be.
CREATE FUNCTION comp_a.res(uri text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT '' $$;
SELECT mcp.register_resource('app://{x}', 'comp_a.res(text)', 'x');
SELECT comp_a.complete('{"ref": {"type": "ref/resource", "uri": "app://{x}"}, "argument": {"name": "x", "value": "a"}}');
REVOKE EXECUTE ON FUNCTION comp_a.prompt, comp_a.res FROM PUBLIC;
SELECT comp_a.complete('{"ref": {"type": "ref/resource", "uri": "app://{x}"}, "argument": {"name": "x", "value": "a"}}'), comp_a.complete('{"ref": {"type": "ref/prompt", "name": "city"}, "argument": {"name": "city", "value": "r"}}');
DELETE FROM mcp._prompts;
DELETE FROM mcp._resources;
DROP SCHEMA comp_a, comp_b CASCADE;
