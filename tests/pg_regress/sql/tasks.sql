-- Tasks: calls of registered tools that become jobs. No worker runs here: this test does what one would.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA taskwork;
GRANT USAGE ON SCHEMA taskwork TO authenticated, service_role, regress_app;
CREATE FUNCTION taskwork.sum(a int, b int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('sum', a + b) $$;
CREATE FUNCTION taskwork.staged(args jsonb, context jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT CASE WHEN context ->> 'task' = 'offered' AND args ? 'long' THEN '{"task": true}'::jsonb ELSE jsonb_build_object('task', context -> 'task') END
$$;
CREATE FUNCTION taskwork.hidden() RETURNS text LANGUAGE sql AS $$ SELECT 'never' $$;
REVOKE EXECUTE ON FUNCTION taskwork.hidden() FROM PUBLIC;
SELECT t.key('task ann', user_id => 'ann', scopes => '{execute:rpc}'), t.key('task ben', user_id => 'ben', scopes => '{execute:rpc}'),
       t.key('task ann jobs', user_id => 'ann', scopes => '{execute:jobs}'), t.key('task service', role => 'service_role', kind => 'service', scopes => '{}'), t.key('task nobody', scopes => '{execute:rpc}');

-- A message of the modern revision; with or without the extension.
CREATE FUNCTION taskwork.ask(method text, params jsonb DEFAULT '{}', key text DEFAULT 'task ann', declared bool DEFAULT true, transport jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('status', h.status) || (h.body::jsonb - 'jsonrpc' - 'id' #- '{result,_meta}')
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', method, 'params', params || jsonb_build_object('_meta',
           jsonb_build_object('io.modelcontextprotocol/protocolVersion', '2026-07-28', 'io.modelcontextprotocol/clientCapabilities',
               CASE WHEN declared THEN '{"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}' ELSE '{"elicitation": {}}' END::jsonb)))::text, t.credential(key), transport) AS h
$$;
CREATE FUNCTION taskwork.call(tool text, args jsonb DEFAULT '{}', key text DEFAULT 'task ann', declared bool DEFAULT true, transport jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
SELECT taskwork.ask('tools/call', jsonb_build_object('name', tool, 'arguments', args), key, declared, transport)
$$;
CREATE FUNCTION taskwork.start(tool text, args jsonb DEFAULT '{}', key text DEFAULT 'task ann') RETURNS uuid LANGUAGE sql AS $$
SELECT (taskwork.call(tool, args, key) #>> '{result,taskId}')::uuid
$$;
-- What a task says of itself, without what differs each time.
CREATE FUNCTION taskwork.get(id uuid, key text DEFAULT 'task ann', method text DEFAULT 'tasks/get', more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT replace((taskwork.ask(method, jsonb_build_object('taskId', id) || more, key) #- '{result,createdAt}' #- '{result,lastUpdatedAt}' #- '{result,pollIntervalMs}')::text, id::text, '(id)')
$$;

-- Where jobs are not installed nothing becomes a task, and nothing says that it could.
DROP SCHEMA IF EXISTS jobs CASCADE;
SELECT mcp.register_tool('task_sum', 'taskwork.sum(int, int)', 'Adds.', task_support => 'optional'),
       mcp.register_tool('task_only', 'taskwork.sum(int, int)', 'Adds.', task_support => 'required', task_timeout_seconds => 60, task_ttl_seconds => 120);
SELECT taskwork.ask('server/discover') #> '{result,capabilities,extensions}';
SELECT taskwork.call('task_sum', '{"a": 1, "b": 2}'), taskwork.call('task_only', '{"a": 1, "b": 2}');
SELECT taskwork.get(gen_random_uuid()) ~ 'Unknown task';
\o /dev/null
SELECT mcp.install('{jobs}');
\o
-- Advertised to whoever may use such a tool.
SELECT taskwork.ask('server/discover') #> '{result,capabilities,extensions}', taskwork.ask('server/discover', key => 'task ann jobs') #> '{result,capabilities,extensions}',
       taskwork.ask('server/discover', transport => '{"read_only": true}') #> '{result,capabilities,extensions}',
       taskwork.ask('server/discover', transport => '{"allowed_tools": ["query_table"]}') #> '{result,capabilities,extensions}';

-- A handle; the arguments are looked at before.
SELECT jsonb_pretty(taskwork.call('task_only', '{"a": 1, "b": 2}') #- '{result,taskId}' #- '{result,createdAt}' #- '{result,lastUpdatedAt}');
SELECT taskwork.call('task_only', '{"a": 1}') #>> '{result,content,0,text}', taskwork.call('task_only', '{"a": 1}') #>> '{result,isError}';
SELECT job_name, namespace, status, function_id, role_name, created_by, max_retries, max_duration_seconds FROM jobs.queue;
SELECT tool, scopes, call -> 'arguments', call -> 'scopes', expires_at - (SELECT created_at FROM jobs.queue) FROM jobs.tasks;
-- Without the extension it runs at once, or is refused; so in the legacy eras, where nothing may be written, and within another tool.
SELECT taskwork.call('task_sum', '{"a": 1, "b": 2}', declared => false), taskwork.call('task_only', '{"a": 1, "b": 2}', declared => false);
SELECT t.via('task ann', 'task_sum', '{"a": 1, "b": 2}'), t.via('task ann', 'task_only', '{"a": 1, "b": 2}');
SELECT taskwork.call('task_sum', '{"a": 1, "b": 2}', transport => '{"read_only": true}') -> 'error' ->> 'code', taskwork.call('task_only', '{"a": 1, "b": 2}', transport => '{"read_only": true}') -> 'error' ->> 'code';
CREATE FUNCTION taskwork.nested(tool text) RETURNS text LANGUAGE sql AS $$
SELECT mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', tool, 'arguments', '{"a": 1, "b": 2}'::jsonb,
    '_meta', '{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}'::jsonb))) #>> '{result,content,0,text}'
$$;
SELECT mcp.register_tool('task_nested', 'taskwork.nested(text)', 'Calls another.');
SELECT taskwork.call('task_nested', '{"tool": "task_sum"}') #>> '{result,content,0,text}', taskwork.call('task_nested', '{"tool": "task_only"}') #>> '{result,content,0,text}';
-- A superuser's own session has no jobs, and so no tasks.
SELECT mcp.handle('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "task_only", "arguments": {"a": 1, "b": 2}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}}}') #>> '{result,content,0,text}';
SELECT count(*) FROM jobs.queue;

-- Its states.
SELECT taskwork.start('task_sum', '{"a": 1, "b": 2}') AS task, gen_random_uuid() AS worker, gen_random_uuid() AS thief \gset
DELETE FROM jobs.queue WHERE id <> :'task';
SELECT taskwork.get(:'task');
SELECT kind, target, run, problem FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT mcp._jobs_progress(:'task', :'worker', 1, 50, 'halfway', NULL);
SELECT taskwork.get(:'task');
SELECT (mcp._task_begin(:'task', :'worker', 1)::jsonb #- '{call,limits}') - 'seconds_left', mcp._task_begin(:'task', :'thief', 1), mcp._task_begin(:'task', :'worker', 2);
-- It asks, and is answered a part at a time; what it did not ask is not kept.
SELECT mcp._task_ask(:'task', :'thief', 1, '{"x": {}}', NULL), mcp._task_ask(:'task', :'worker', 1, '{"x": {"method": "roots/list"}, "y": {"method": "roots/list"}}', NULL);
SELECT taskwork.get(:'task');
SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT taskwork.get(:'task', method => 'tasks/update', more => '{"inputResponses": {"z": {"made": "up"}}}');
SELECT taskwork.get(:'task', method => 'tasks/update', more => '{"inputResponses": {"x": 1}}');
SELECT taskwork.get(:'task', method => 'tasks/update', more => '{"inputResponses": {"x": {"n": 1.0}}}');
SELECT taskwork.get(:'task', key => 'task ben', method => 'tasks/update', more => '{"inputResponses": {"y": {"n": "forged"}}}');
SELECT taskwork.get(:'task');
-- A worker that gets it before it was answered, which is when its time is over, is told so.
BEGIN;
UPDATE jobs.queue SET run_after = clock_timestamp() WHERE id = :'task';
SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT mcp._task_begin(:'task', :'worker', 2)::jsonb -> 'unanswered';
ROLLBACK;
SELECT taskwork.get(:'task', method => 'tasks/update', more => '{"inputResponses": {"y": {"n": 2}, "x": {"n": "again"}}}');
SELECT taskwork.get(:'task');
SELECT run, attempt FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT mcp._task_begin(:'task', :'worker', 2)::jsonb -> 'answers';
-- It ends.
SELECT mcp._task_end(:'task', :'thief', 2, '{"content": "forged"}', NULL), mcp._task_end(:'task', :'worker', 1, '{"content": "late"}', NULL), mcp._task_end(:'task', :'worker', 2, '{"content": [], "structuredContent": {"b": 1.00, "a": 2}}', NULL);
SELECT taskwork.get(:'task');
-- As it was written, in its order.
SELECT h.body ~ '"structuredContent": \{"b": 1.00, "a": 2\}' FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tasks/get', 'params', jsonb_build_object('taskId', :'task', '_meta', '{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}'::jsonb))::text, t.credential('task ann'), NULL) AS h;
-- Cancelling or answering it now is heard and does nothing.
SELECT taskwork.get(:'task', method => 'tasks/cancel'), taskwork.get(:'task', method => 'tasks/update', more => '{"inputResponses": {"x": {}}}');
SELECT status FROM jobs.queue WHERE id = :'task';

-- An error of the protocol; one of the worker's.
SELECT taskwork.start('task_sum', '{"a": 1, "b": 2}') AS task \gset
SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT mcp._task_end(:'task', :'worker', 1, NULL, '{"code": -32602, "message": "Unknown tool: x", "data": {"x": 1}}');
SELECT taskwork.get(:'task');
SELECT taskwork.start('task_sum', '{"a": 1, "b": 2}') AS task \gset
SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT mcp._jobs_finish(:'task', :'worker', 1, 'failed', NULL, 'it ran longer than its 300 s');
SELECT taskwork.get(:'task');
-- Cancelled before it began; while it asks; as it asks.
SELECT taskwork.start('task_sum', '{"a": 1, "b": 2}') AS task \gset
SELECT taskwork.get(:'task', method => 'tasks/cancel'), taskwork.get(:'task');
SELECT taskwork.start('task_sum', '{"a": 1, "b": 2}') AS task \gset
SELECT count(*) FROM mcp._jobs_claim(:'worker', 1, '1 minute');
SELECT taskwork.get(:'task', method => 'tasks/cancel'), taskwork.get(:'task');
SELECT mcp._task_ask(:'task', :'worker', 1, '{"x": {}}', NULL);
SELECT taskwork.get(:'task');

-- The function begins the task, where it is offered one.
SELECT mcp.register_tool('task_staged', 'taskwork.staged(jsonb, jsonb)', 'By stages.', task_support => 'optional', task_on_answer => true);
SELECT taskwork.call('task_staged') #> '{result,structuredContent}', taskwork.call('task_staged', '{"long": 1}') #> '{result,resultType}', taskwork.call('task_staged', '{"long": 1}', declared => false) #> '{result,structuredContent}';

-- Another's task, one that is not there and one whose time is over are the same; so is one of a tool that the key may not use.
SELECT taskwork.start('task_sum', '{"a": 1, "b": 2}') AS task \gset
SELECT DISTINCT replace(taskwork.get(id, key, method), id::text, '(id)') FROM unnest(ARRAY[:'task', gen_random_uuid()]::uuid[]) AS id, unnest('{task ben,task nobody,task ann jobs}'::text[]) AS key, unnest('{tasks/get,tasks/update,tasks/cancel}'::text[]) AS method;
SELECT taskwork.ask('tasks/get', jsonb_build_object('taskId', id)) #>> '{error,code}' FROM unnest(ARRAY['', 'x', '../' || :'task', upper(:'task') || ' ', ''' OR true --']) AS id;
SELECT taskwork.ask('tasks/get', jsonb_build_object('taskId', :'task'), transport => '{"allowed_tools": ["query_table"]}') #>> '{error,code}';
SELECT taskwork.ask('tasks/cancel', jsonb_build_object('taskId', :'task'), transport => '{"read_only": true}') #>> '{error,code}';
-- Who may merely see it ends nothing.
CREATE POLICY auditor ON jobs.queue FOR SELECT TO authenticated USING (mcp.claim('sub') = 'ben');
SELECT taskwork.get(:'task', key => 'task ben') ~ 'working', taskwork.get(:'task', key => 'task ben', method => 'tasks/cancel') ~ 'Unknown task', taskwork.get(:'task', key => 'task ben', method => 'tasks/update') ~ 'Unknown task';
DROP POLICY auditor ON jobs.queue;
SELECT status, cancel_requested_at FROM jobs.queue WHERE id = :'task';
-- A service key sees all.
SELECT taskwork.get(:'task', key => 'task service') ~ 'working';
-- A job is no task, and nobody reads or writes past the methods.
SELECT mcp.register_job('task_job', 'taskwork.hidden()') IS NOT NULL;
INSERT INTO jobs.queue (function_id, job_name, namespace, role_name, created_by) SELECT f.id, f.name, f.namespace, 'authenticated', 'ann' FROM jobs.functions AS f WHERE f.name = 'task_job' RETURNING id AS job \gset
SELECT taskwork.get(:'job') ~ 'Unknown task';
SET ROLE authenticated;
SELECT t.try('SELECT count(*) FROM jobs.tasks');
SELECT t.try('SELECT call FROM jobs.tasks'), t.try('SELECT answers FROM jobs.tasks'), t.try('SELECT state FROM jobs.tasks');
SELECT t.try('INSERT INTO jobs.tasks (job_id, tool, scopes, call, expires_at) VALUES (gen_random_uuid(), ''x'', ''{}'', ''{}'', now())');
SELECT t.try('UPDATE jobs.tasks SET outcome = ''{}''');
SELECT t.try('DELETE FROM jobs.tasks');
SELECT t.try('SELECT mcp._task_begin(gen_random_uuid(), gen_random_uuid(), 1)');
SELECT t.try('SELECT mcp._task_ask(gen_random_uuid(), gen_random_uuid(), 1, NULL, NULL)');
SELECT t.try('SELECT mcp._task_end(gen_random_uuid(), gen_random_uuid(), 1, NULL, NULL)');
SELECT t.try('SELECT mcp._maintain_tasks()');
RESET ROLE;
-- submit_job runs no tool under the id that tasks have.
SELECT t.via('task ann jobs', 'submit_job', '{"job_name": "task_sum", "namespace": "tools"}');
-- Who may not execute the function begins nothing.
SELECT mcp.register_tool('task_hidden', 'taskwork.hidden()', 'Hidden.', task_support => 'required');
SELECT taskwork.call('task_hidden') #>> '{result,content,0,text}';

-- Its time: kept until then however many there are, unknown from then on, and gone with the next upkeep unless it runs.
UPDATE jobs.queue SET completed_at = completed_at - interval '40 days' WHERE completed_at IS NOT NULL;
SELECT count(*) AS kept FROM jobs.tasks \gset
SELECT mcp._maintain_jobs(), mcp._maintain_tasks();
SELECT count(*) = :kept FROM jobs.tasks;
UPDATE jobs.tasks SET expires_at = clock_timestamp() - interval '1 second' WHERE job_id = :'task';
SELECT taskwork.get(:'task') ~ 'Unknown task', taskwork.get(:'task', method => 'tasks/cancel') ~ 'Unknown task';
UPDATE jobs.queue SET status = 'running', worker_id = :'worker', lease_until = now() + interval '1 hour' WHERE id = :'task';
SELECT mcp._maintain_tasks();
SELECT count(*) FROM jobs.queue WHERE id = :'task';
SELECT mcp._jobs_release(:'worker', ARRAY[:'task'::uuid], (SELECT ARRAY[run] FROM jobs.queue WHERE id = :'task')) > 0, mcp._maintain_tasks();
SELECT count(*) FROM jobs.queue WHERE id = :'task';

-- What cannot be registered.
SELECT t.try(format('SELECT mcp.register_tool(''task_bad'', ''taskwork.sum(int, int)'', ''Bad.'', %s)', how))
  FROM unnest(ARRAY['task_support => ''maybe''', 'task_support => NULL', 'task_support => ''optional'', task_timeout_seconds => 0',
                    'task_support => ''optional'', task_timeout_seconds => 600, task_ttl_seconds => 599', 'task_support => ''optional'', task_on_answer => true', 'task_on_answer => true']) AS how;

SELECT mcp.unregister_tool(name) FROM mcp.tools WHERE name LIKE 'task\_%' ORDER BY name COLLATE "C";
DROP SCHEMA jobs, taskwork CASCADE;
