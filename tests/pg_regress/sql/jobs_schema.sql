-- Background jobs: what mcp.install('{jobs}') makes, whose it is, and who may do what with it directly.
\t on
\a
SELECT mcp._jobs_there(), mcp._jobs_next_due(), mcp._jobs_take_back(), mcp._jobs_release(gen_random_uuid());
-- A table of that name that somebody else made is left alone, and nothing is made beside it.
CREATE SCHEMA jobs;
CREATE TABLE jobs.queue (mine int);
SELECT * FROM mcp.install('{jobs}');
SELECT mcp._jobs_there(), to_regclass('jobs.functions');
SET client_min_messages = warning;
DROP SCHEMA jobs CASCADE;
RESET client_min_messages;
SELECT * FROM mcp.install('{jobs}');
SELECT * FROM mcp.install('{jobs}');
SELECT c.relname, c.relowner::regrole, c.relrowsecurity FROM pg_class AS c WHERE c.relnamespace = 'jobs'::regnamespace AND c.relkind = 'r' ORDER BY 1;
-- Nobody but mcp_owner writes, nobody but a worker calls what a worker calls.
SELECT g.grantee, g.table_name, string_agg(DISTINCT g.privilege_type, ', ' ORDER BY g.privilege_type)
  FROM information_schema.column_privileges AS g WHERE g.table_schema = 'jobs' AND g.grantee <> 'mcp_owner' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'mcp'::regnamespace AND p.proname ~ '^_jobs?_' ORDER BY 1;
SELECT mcp._jobs_next_due() IS NULL, mcp._jobs_take_back(), mcp._jobs_release(gen_random_uuid());
SELECT count(*) FROM mcp._jobs_claim(gen_random_uuid(), 1, '1 minute');
