-- Edge functions: who may invoke which, what is refused before anything is sent, and what is written of a call that is not answered.
\t on
\a
SELECT t.key('function_caller', user_id => 'ann', scopes => '{execute:functions}');
SELECT t.key('function_reader', scopes => '{read:tables}');
CREATE FUNCTION t.invoke(args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(t.call('invoke_function', args), '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g'), 'after \d+ s', 'after N s')
$$;

-- Not installed.
SELECT t.invoke('{"name": "hello"}');
SELECT t.read('function_caller', 'fluxbase://functions');

SELECT * FROM mcp.install('{functions}');
SELECT * FROM mcp.install('{functions}');
SELECT level, finding, remedy FROM mcp.doctor() WHERE topic = 'worker';
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
SELECT mcp.authenticate(credential) FROM t.credentials WHERE name = 'function_caller';
SELECT t.invoke('{"name": "inner"}');
SELECT t.invoke('{"name": "asleep"}');
SELECT t.invoke('{"name": "nowhere"}');
SELECT t.invoke('{"name": "hello"}');
COMMIT;
SELECT role_name, user_id, key_id IS NOT NULL AS has_key FROM functions.edge_executions ORDER BY started_at DESC LIMIT 1;
SELECT t.read('function_caller', 'fluxbase://functions');
SELECT t.read('function_reader', 'fluxbase://functions');
SELECT t.via('function_reader', 'invoke_function', '{"name": "hello"}');
SET ROLE authenticated;
SELECT t.try('SELECT url FROM functions.edge_functions');
SELECT t.try('SELECT count(*) FROM functions.edge_executions');
SELECT t.try('SELECT mcp.functions_secret()');
RESET ROLE;
SET ROLE mcp_admin;
SELECT mcp.functions_secret() ~ '^[0-9a-f]{64}$' AS secret, (SELECT count(*) > 0 FROM functions.edge_executions) AS executions;
RESET ROLE;

-- Over the listener nothing waits in a transaction: the first answer is that the call is pending, and the id; the waiter is told of its end;
-- the same key with the same arguments gets the answer, once more until that is committed, and nobody else gets it.
CREATE FUNCTION t.served(key text, pending text DEFAULT '', args jsonb DEFAULT '{"name": "hello"}') RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(mcp._serve(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params',
           jsonb_build_object('name', 'invoke_function', 'arguments', args))::text, t.credential(key), format('{"http": true%s}', pending)),
       '^200\n', ''), '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g')
$$;
SELECT t.key('function_other', user_id => 'ben', scopes => '{execute:functions}');
SELECT count(*) AS executions FROM functions.edge_executions \gset
SELECT split_part(t.served('function_caller'), E'\n', 2) AS id \gset
SELECT :'id' ~ '^[0-9a-f]{32}$' AS pending, e.status IN ('running') AS running, e.user_id FROM functions.edge_executions AS e WHERE e.id = :'id'::uuid;
CALL mcp._wait(0, 30000);
SELECT mcp._ended(0) ~ :'id' AS told, mcp._ended(0) ~ :'id' AS again;
SELECT t.served('function_other', format(', "pending": {"id": "%s"}', :'id'));
SELECT e.status FROM functions.edge_executions AS e WHERE e.id = :'id'::uuid;
BEGIN;
SELECT t.served('function_caller', format(', "pending": {"id": "%s"}', :'id'));
ROLLBACK;
SELECT e.status FROM functions.edge_executions AS e WHERE e.id = :'id'::uuid;
SELECT t.served('function_caller', format(', "pending": {"id": "%s"}', :'id'));
SELECT e.status, e.error_message, e.duration_ms >= 0 AS took FROM functions.edge_executions AS e WHERE e.id = :'id'::uuid;
-- It was acknowledged at that commit. One that others asked for, or with other arguments, is as one that never was.
SELECT mcp._ended(0) ~ :'id' AS told;
SELECT t.served('function_caller', format(', "pending": {"id": "%s"}', :'id'));
SELECT e.error_message FROM functions.edge_executions AS e WHERE e.id = :'id'::uuid;
SELECT split_part(t.served('function_caller'), E'\n', 2) AS id \gset
CALL mcp._wait(0, 30000);
SELECT t.served('function_caller', format(', "pending": {"id": "%s"}', :'id'), '{"name": "hello", "method": "PUT"}');
SELECT mcp._ended(0) ~ :'id' AS still_there;
-- What is rolled back was never sent.
BEGIN;
SELECT t.served('function_caller') ~ '^102' AS pending;
ROLLBACK;
SELECT count(*) - :executions AS executions, (SELECT pending - 1 FROM mcp.worker_status()) FROM functions.edge_executions;
-- One that nobody waits for any more.
SELECT split_part(t.served('function_caller'), E'\n', 2) AS id \gset
SELECT t.served('function_caller', format(', "pending": {"id": "%s", "abandon": true}', :'id')) ~ 'cancelled' AS cancelled;
SELECT e.status, e.error_message, (SELECT pending - 1 AS pending FROM mcp.worker_status()) FROM functions.edge_executions AS e WHERE e.id = :'id'::uuid;
-- Not in a batch, nor from within a tool; the waiter waits in no transaction of somebody's, and for the listener alone.
SELECT t.try(format('SELECT mcp._serve(%L, %L, %L)', '[{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "invoke_function", "arguments": {"name": "hello"}}}]',
    t.credential('function_caller'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-03-26"]}}'));
BEGIN;
CALL mcp._wait(0, 1);
ROLLBACK;
SET ROLE authenticated;
CALL mcp._wait(0, 1);
SELECT mcp._ended(0);
RESET ROLE;
DROP FUNCTION t.served;

-- A schema of that name that somebody else made is not used.
BEGIN;
ALTER TABLE functions.edge_executions OWNER TO regress_owner;
SELECT t.invoke('{"name": "hello"}');
ALTER TABLE functions.edge_functions OWNER TO regress_owner;
SELECT t.invoke('{"name": "hello"}');
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA functions CASCADE;
