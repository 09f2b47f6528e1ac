-- Edge functions: who may invoke which, what is refused before anything is sent, and what is written of a call that is not answered.
\t on
\a
SELECT t.key('caller', user_id => 'ann', scopes => '{execute:functions}');
SELECT t.key('reader', scopes => '{read:tables}');
CREATE FUNCTION t.invoke(args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(t.call('invoke_function', args), '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g'), 'after \d+ s', 'after N s')
$$;

-- Not installed.
SELECT t.invoke('{"name": "hello"}');
SELECT t.read('caller', 'fluxbase://functions');

SELECT * FROM mcp.install('{functions}');
SELECT * FROM mcp.install('{functions}');
SELECT t.try('SELECT * FROM mcp.install(''{function}'')');
INSERT INTO functions.edge_functions (name, description, timeout_seconds) VALUES ('hello', 'Says hello.', 5);
INSERT INTO functions.edge_functions (name, enabled) VALUES ('asleep', false);
INSERT INTO functions.edge_functions (name, require_roles) VALUES ('inner', '{service_role}');
INSERT INTO functions.edge_functions (name, namespace, rate_limit_per_minute, disable_execution_logs) VALUES ('hello', 'other', 1, true);
INSERT INTO functions.edge_functions (name, url) VALUES ('abroad', 'https://metadata.example/'), ('near', 'http://localhost:2/'), ('nearer', 'http://127.0.0.1:2/');
INSERT INTO functions.edge_functions (name, url) VALUES ('with_password', 'http://user:secret@127.0.0.1:2/');
SELECT t.try('INSERT INTO functions.edge_functions (name) VALUES (''../../etc'')');
SELECT t.try('INSERT INTO functions.edge_functions (name, url) VALUES (''x'', ''file:///etc/passwd'')');

-- Arguments.
SELECT t.invoke('{}');
SELECT t.invoke('{"name": "hello", "path": "/x"}');
SELECT t.invoke('{"name": "hello", "method": "TRACE"}');
SELECT t.invoke('{"name": "hello", "method": "get", "body": {}}');
SELECT t.invoke('{"name": "hello", "headers": {"X-A": 1}}');
SELECT t.invoke('{"name": "hello", "headers": {"Authorization": "Bearer forged"}}');
SELECT t.invoke('{"name": "hello", "headers": {"X-Fluxbase-Execution-Id": "forged"}}');
SELECT count(*) FROM functions.edge_executions;

-- Nothing that the worker refuses is sent, and it is written down.
SELECT t.invoke('{"name": "hello", "headers": {"Host": "evil.example"}}');
SELECT t.invoke('{"name": "abroad"}');
SELECT t.invoke('{"name": "near"}');
SELECT t.invoke('{"name": "nearer"}');
SELECT t.invoke('{"name": "with_password"}');
-- Nobody listens.
SELECT t.invoke('{"name": "hello"}');
SELECT t.invoke('{"name": "hello", "namespace": "other", "body": [1]}');
SELECT t.invoke('{"name": "hello", "namespace": "other"}');
SELECT f.name, e.status, e.status_code, e.error_message, e.role_name, e.user_id, e.key_id, e.completed_at >= e.started_at AS in_order
  FROM functions.edge_executions AS e JOIN functions.edge_functions AS f ON f.id = e.function_id ORDER BY e.started_at;

-- What cannot be written down is not called.
BEGIN READ ONLY;
SELECT t.invoke('{"name": "hello"}');
SELECT t.invoke('{"name": "hello", "namespace": "other"}');
COMMIT;

-- Who may what.
BEGIN;
SELECT mcp.authenticate(credential) FROM t.credentials WHERE name = 'caller';
SELECT t.invoke('{"name": "inner"}');
SELECT t.invoke('{"name": "asleep"}');
SELECT t.invoke('{"name": "nowhere"}');
SELECT t.invoke('{"name": "hello"}');
COMMIT;
SELECT role_name, user_id, key_id IS NOT NULL AS has_key FROM functions.edge_executions ORDER BY started_at DESC LIMIT 1;
SELECT t.read('caller', 'fluxbase://functions');
SELECT t.read('reader', 'fluxbase://functions');
SELECT t.via('reader', 'invoke_function', '{"name": "hello"}');
SET ROLE authenticated;
SELECT t.try('SELECT url FROM functions.edge_functions');
SELECT t.try('SELECT count(*) FROM functions.edge_executions');
SELECT t.try('SELECT mcp.functions_secret()');
RESET ROLE;
SET ROLE mcp_admin;
SELECT mcp.functions_secret() ~ '^[0-9a-f]{64}$' AS secret, (SELECT count(*) > 0 FROM functions.edge_executions) AS executions;
RESET ROLE;

-- Over the listener nothing may wait in a transaction: not listed, and refused.
SELECT r::jsonb #>> '{result,content,0,text}' FROM (SELECT substr(mcp._serve(
    '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "invoke_function", "arguments": {"name": "hello"}}}',
    credential, '{}'), 5) AS r FROM t.credentials WHERE name = 'caller') AS x;
SELECT r::jsonb #> '{result,tools}' FROM (SELECT substr(mcp._serve(
    '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', credential, '{}'), 5) AS r FROM t.credentials WHERE name = 'caller') AS x;

-- A schema of that name that somebody else made is not used.
BEGIN;
ALTER TABLE functions.edge_executions OWNER TO regress_owner;
SELECT t.invoke('{"name": "hello"}');
ALTER TABLE functions.edge_functions OWNER TO regress_owner;
SELECT t.invoke('{"name": "hello"}');
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA functions CASCADE;
