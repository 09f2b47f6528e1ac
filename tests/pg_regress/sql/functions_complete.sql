-- Where an argument is the name of an edge function, or a namespace: only what the caller may invoke.
\t on
\a
SET client_min_messages = warning;
CREATE FUNCTION public.fc_prompt(arguments jsonb) RETURNS text LANGUAGE sql STABLE AS $$ SELECT '' $$;
SELECT c, t.try(format($$SELECT mcp.register_prompt('x', 'fc_prompt(jsonb)', 'x', %L)$$, jsonb_build_array(jsonb_build_object('name', 'a', 'complete', c)))) ~ 'must be' AS refused
  FROM unnest(ARRAY['{"namespaces": null}', '{"functions": true}', '{"functions": ""}', '{"functions": "a"}', '{"functions": "none"}']::jsonb[]) AS c;
SELECT mcp.register_prompt('fc', 'public.fc_prompt(jsonb)', 'Prompt.', '[{"name": "namespace", "complete": {"namespaces": true}}, {"name": "function", "complete": {"functions": "namespace"}}, {"name": "any", "complete": {"functions": null}}]');
SELECT t.key('fc caller', scopes => '{execute:functions}');
SELECT t.key('fc reader', scopes => '{read:tables,read:schema}');
CREATE FUNCTION t.fc(argument text, typed text DEFAULT '', context jsonb DEFAULT '{}', key text DEFAULT 'fc caller') RETURNS text LANGUAGE sql AS $$
SELECT coalesce((h.body::jsonb #> '{result,completion,values}')::text, h.body::jsonb #>> '{error,message}')
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'completion/complete', 'params', jsonb_build_object('ref', '{"type": "ref/prompt", "name": "fc"}'::jsonb, 'argument', jsonb_build_object('name', argument, 'value', typed), 'context', jsonb_build_object('arguments', context)))::text, t.credential(key), NULL) AS h
$$;
-- Not installed: nothing, and no error.
SELECT t.fc('namespace'), t.fc('function'), t.fc('any');
SELECT count(*) FROM mcp.install('{functions}');
INSERT INTO functions.edge_functions (namespace, name) VALUES ('default', 'hello'), ('team', 'hello'), ('team', 'help');
INSERT INTO functions.edge_functions (namespace, name, require_roles) VALUES ('inner', 'hidden', '{service_role}');
INSERT INTO functions.edge_functions (namespace, name, enabled) VALUES ('asleep', 'off', false);
SELECT t.fc('namespace'), t.fc('namespace', 'TE'), t.fc('function'), t.fc('function', 'hel', '{"namespace": "team"}'), t.fc('function', '', '{"namespace": "default"}'), t.fc('any', 'help');
-- What it may not invoke, and who may invoke nothing.
SELECT t.fc('namespace', 'in'), t.fc('function', '', '{"namespace": "inner"}'), t.fc('any', 'hid'), t.fc('function', '', '{"namespace": "'' OR true --"}'), t.fc('any', '%');
SELECT t.fc('namespace', key => 'fc reader'), t.fc('any', key => 'fc reader');
ALTER TABLE functions.edge_functions OWNER TO regress_owner;
SELECT t.fc('any');
DROP SCHEMA functions CASCADE;
SELECT mcp.unregister_prompt('fc');
DROP FUNCTION t.fc, public.fc_prompt;
