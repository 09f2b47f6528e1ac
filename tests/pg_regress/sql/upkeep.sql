-- What is done about once a minute is done by the role of the workers, which may do nothing else: each function works for it, and for nobody else.
SET client_min_messages = warning;
BEGIN;
SELECT count(*) > 0 FROM mcp.install('{audit,functions,jobs,rpc,storage}');
SELECT p.proname, p.prosecdef AS definer, has_function_privilege('mcp_jobs', p.oid, 'EXECUTE') AS workers, has_function_privilege('authenticated', p.oid, 'EXECUTE') AS keys
  FROM pg_proc AS p WHERE p.pronamespace = 'mcp'::regnamespace AND p.proname ~ '^_maintain_' ORDER BY 1;
SET SESSION AUTHORIZATION mcp_jobs;
SELECT t.try(format('SELECT %s', p.oid::regprocedure)) FROM pg_proc AS p WHERE p.pronamespace = 'mcp'::regnamespace AND p.proname ~ '^_maintain_' ORDER BY p.proname;
SELECT t.try('DELETE FROM functions.edge_executions');
SELECT t.try('DELETE FROM storage.objects');
RESET SESSION AUTHORIZATION;
ROLLBACK;
