-- Secrets of edge functions: who may set them, and that no key, no admin and no other role reads a value. Which executions are kept.
\t on
\a
SET client_min_messages = warning;
SELECT t.try($$SELECT mcp.set_function_secret('A', 'x')$$);
SELECT count(*) FROM mcp.install('{functions}');
SELECT mcp.set_function_secret('API_KEY', 'of all');
SELECT mcp.set_function_secret('API_KEY', 'of team', 'team');
SELECT mcp.set_function_secret('API_KEY', 'of all, changed');
SELECT scope, namespace, name, value FROM functions.secrets ORDER BY scope;
-- What is wrong is told without the value.
SELECT t.try(q) FROM unnest(ARRAY['SELECT mcp.set_function_secret(''api key'', ''hush'')', 'SELECT mcp.set_function_secret(NULL, ''hush'')', 'SELECT mcp.set_function_secret(''A'', ''hush'', ''../x'')',
    'SELECT mcp.set_function_secret(''A'', NULL)', 'SELECT mcp.set_function_secret(''A'', repeat(''hush'', 8193))', 'SELECT mcp.remove_function_secret(''API_KEY'', ''other'')']) AS q;
SELECT mcp.remove_function_secret('API_KEY', 'team');
-- An administrator sets and lists them, and reads no value: not by itself, not by a write's answer, not by a comparison.
SET ROLE mcp_admin;
SELECT mcp.set_function_secret('TOKEN', 'hush', 'team'), mcp.set_function_secret('TOKEN', 'hush 2', 'team'), mcp.set_function_secret('API_KEY', 'hush 3');
SELECT namespace, name FROM functions.secrets ORDER BY 2;
SELECT t.try(q) FROM unnest(ARRAY['SELECT value FROM functions.secrets', 'SELECT * FROM functions.secrets', 'SELECT s::text FROM functions.secrets AS s', 'SELECT count(*) FROM functions.secrets WHERE value LIKE ''h%''',
    'UPDATE functions.secrets SET name = ''X'' WHERE value = ''hush''', 'UPDATE functions.secrets SET updated_at = now() RETURNING value', 'DELETE FROM functions.secrets RETURNING value', 'INSERT INTO functions.secrets (name, value) VALUES (''Z'', ''hush'') RETURNING value',
    'COPY functions.secrets TO STDOUT', 'UPDATE functions.secrets SET name = value', 'CREATE INDEX ON functions.secrets (value)', 'INSERT INTO functions.secrets (name, value) VALUES (''bad name'', ''hush'')', 'SELECT mcp.allow_functions_runtime(''mcp_admin'')']) AS q;
RESET ROLE;
SELECT most_common_vals FROM pg_stats WHERE schemaname = 'functions' AND tablename = 'secrets' AND attname = 'value';
-- No key does, whatever its role and however it asks.
SELECT mcp.allow_role('mcp_admin');
SELECT t.key('secrets_admin', role => 'mcp_admin', scopes => '{read:tables,write:tables}');
SELECT t.key('secrets_service', role => 'service_role', scopes => '{read:tables,write:tables}');
SELECT t.via(k, 'query_table', a::jsonb) FROM unnest(ARRAY['secrets_admin', 'secrets_service']) AS k, unnest(ARRAY['{"table": "functions.secrets", "select": "name,value"}', '{"table": "functions.secrets", "select": "name", "filter": {"value": "like.h*"}}',
    '{"table": "functions.secrets", "select": "name", "order": "value"}', '{"table": "functions.secrets", "select": "max(value)"}']) AS a;
SELECT t.via('secrets_admin', 'query_table', '{"table": "functions.secrets", "select": "namespace,name", "order": "name"}');
SELECT t.via('secrets_admin', 'query_table', '{"table": "functions.secrets"}') ~ 'hush';
SELECT t.via('secrets_admin', 'update_record', '{"table": "functions.secrets", "data": {"value": "mine"}, "filter": {"name": "eq.API_KEY"}, "returning": "value"}');
SELECT count(*) FROM functions.secrets WHERE value = 'mine';
SET ROLE authenticated;
SELECT t.try('SELECT name FROM functions.secrets'), t.try('SELECT mcp.set_function_secret(''A'', ''x'')'), t.try('SELECT mcp.remove_function_secret(''A'')');
RESET ROLE;

-- The runtime's role reads them, and nothing else. Neither may it be one that keys stand for, nor become one.
CREATE ROLE regress_runtime LOGIN NOINHERIT;
CREATE ROLE regress_runtime_two LOGIN;
SELECT t.try(q) FROM unnest(ARRAY['SELECT mcp.allow_functions_runtime(''authenticated'')', 'SELECT mcp.allow_functions_runtime(''postgres'')', 'SELECT mcp.allow_functions_runtime(''mcp_owner'')']) AS q;
GRANT service_role TO regress_runtime_two;
SELECT t.try('SELECT mcp.allow_functions_runtime(''regress_runtime_two'')');
REVOKE service_role FROM regress_runtime_two;
GRANT regress_runtime_two TO authenticated;
SELECT t.try('SELECT mcp.allow_functions_runtime(''regress_runtime_two'')');
REVOKE regress_runtime_two FROM authenticated;
\c - regress_runtime
SELECT t.try('SELECT value FROM functions.secrets');
\c - postgres
SELECT mcp.allow_functions_runtime('regress_runtime');
SELECT mcp.allow_functions_runtime('regress_runtime');
SELECT t.try('SELECT mcp.allow_role(''regress_runtime'')');
GRANT regress_runtime TO regress_runtime_two;
SELECT t.try('SELECT mcp.allow_role(''regress_runtime_two'')');
\c - regress_runtime
SELECT namespace, name, value FROM functions.secrets ORDER BY name;
SELECT t.try(q) FROM unnest(ARRAY['SELECT id FROM functions.secrets', 'UPDATE functions.secrets SET value = ''x''', 'DELETE FROM functions.secrets', 'SELECT name FROM functions.edge_functions', 'SELECT 1 FROM functions.edge_executions', 'SELECT mcp.functions_secret()', 'SELECT mcp.set_function_secret(''A'', ''x'')']) AS q;
\c - postgres
SET client_min_messages = warning;
DROP POLICY admin ON functions.secrets;
SELECT count(*) FROM mcp.install('{functions}');
SELECT polname ~ '^runtime \d+$' AS runtime, polname = 'admin' AS admin, polcmd FROM pg_policy WHERE polrelid = 'functions.secrets'::regclass ORDER BY polcmd;

-- Executions: older than the setting, then all but the latest; what may still be running stays.
INSERT INTO functions.edge_functions (name) VALUES ('kept');
INSERT INTO functions.edge_executions (id, function_id, status, role_name, started_at)
    SELECT gen_random_uuid(), f.id, CASE WHEN n % 10 = 0 THEN 'running' ELSE 'completed' END, 'x', now() - make_interval(days => n) FROM functions.edge_functions AS f, generate_series(0, 59) AS n;
SELECT mcp._maintain_functions();
SELECT count(*), max(now() - started_at) < '30 days' AS young FROM functions.edge_executions;
SET mcp.functions_keep_executions = '5d';
SELECT mcp._maintain_functions();
SELECT count(*), max(now() - started_at) < '5 days' AS young FROM functions.edge_executions;
SET mcp.functions_max_executions = 2;
SELECT mcp._maintain_functions(), mcp._maintain_functions();
SELECT count(*), max(now() - started_at) < '2 days' AS young FROM functions.edge_executions;
INSERT INTO functions.edge_executions (id, function_id, status, role_name, started_at)
    SELECT gen_random_uuid(), f.id, 'running', 'x', now() - make_interval(mins => n) FROM functions.edge_functions AS f, unnest('{59,61,62}'::int[]) AS n;
UPDATE functions.edge_executions SET started_at = now() + interval '1 minute' WHERE status = 'completed';
SET mcp.functions_max_executions = 1;
SELECT mcp._maintain_functions();
SELECT status, started_at > now() - interval '1 hour' AS young FROM functions.edge_executions ORDER BY started_at;
SET mcp.functions_max_executions = 0;
SET mcp.functions_keep_executions = 0;
UPDATE functions.edge_executions SET started_at = '-infinity';
SELECT mcp._maintain_functions();
SELECT count(*) FROM functions.edge_executions;
RESET mcp.functions_max_executions;
RESET mcp.functions_keep_executions;
-- Not what somebody else made, whose trigger would run as whoever keeps house; and only that one does.
CREATE FUNCTION functions.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'run as %', current_user; END $$;
CREATE TRIGGER steal AFTER DELETE ON functions.edge_executions FOR EACH STATEMENT EXECUTE FUNCTION functions.steal();
ALTER TABLE functions.edge_executions OWNER TO regress_owner;
SELECT mcp._maintain_functions();
SET ROLE mcp_admin;
SELECT t.try('SELECT mcp._maintain_functions()');
SET mcp.functions_keep_executions = 1;
RESET ROLE;
DROP SCHEMA functions CASCADE;
SELECT mcp._maintain_functions();
REVOKE CONNECT ON DATABASE regression FROM regress_runtime;
DROP ROLE regress_runtime, regress_runtime_two;
\o /dev/null
SELECT mcp.disallow_role('mcp_admin');
