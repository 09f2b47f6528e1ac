-- What the restored database holds and does: a line for each check, t or f and what was asked.
SELECT left(:'key', 3) || ':' || substr(:'key', 5, 16) || ':' || encode(sha256(decode(translate(substr(:'key', 22, 43), '-_', '+/') || '=', 'base64')), 'hex') AS credential \gset
-- The text of a tool's answer.
CREATE FUNCTION pg_temp.call(tool text, args jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', tool, 'arguments', args)))::jsonb
       #>> '{result,content,0,text}' $$;
SELECT extversion = mcp.version(), 'the extension is of the new library' FROM pg_extension WHERE extname = 'fluxbase_mcp_ext';
SELECT current_setting('server_version_num')::int / 10000 > 16, 'this is another major';
BEGIN;
\o /dev/null
SELECT mcp.authenticate(:'credential');
\o
SELECT pg_temp.call('query_table', '{"table": "notes", "select": "title"}') = '[{"title":"hers"}]', 'the old key works, under the old policy';
SELECT pg_temp.call('insert_record', '{"table": "notes", "data": {"title": "after"}}') ~ '"id":3', 'writes go on where the sequence was';
SELECT pg_temp.call('titles') ~ 'after', 'registered tools are there';
SELECT pg_temp.call('invoke_rpc', '{"name": "one"}') ~ '"one":1', 'stored statements are there';
SELECT pg_temp.call('search_vectors', '{"knowledge_bases": ["texts"], "embedding": [1, 0, 0]}') ~ 'cats purr', 'registered knowledge bases are there';
SELECT pg_temp.call('submit_job', '{"job_name": "work"}') ~ 'pending', 'registered jobs are there';
SELECT pg_temp.call('invoke_rpc', '{"name": "twice", "params": {"n": 4}}') ~ '8', 'functions that were exposed are there';
SELECT pg_temp.call('submit_job', '{"job_name": "work"}')::jsonb ->> 'job_id' AS work, pg_temp.call('submit_job', '{"job_name": "sunday"}')::jsonb ->> 'job_id' AS sunday \gset
SELECT pg_temp.call('get_job_status', jsonb_build_object('job_id', :'work')) ~ '"job_name":"work"', 'a job is seen by who submitted it';
SELECT :'sunday' <> '' AND pg_temp.call('get_job_status', jsonb_build_object('job_id', :'sunday')) !~ 'sunday', 'a policy of the users'' own hides one';
SELECT pg_temp.call('list_objects', '{"bucket": "b"}') ~ '"objects"', 'buckets are there';
COMMIT;
SELECT count(*) = 1 AND bool_and(revoked_at IS NOT NULL), 'a revoked key stays revoked' FROM mcp.keys WHERE key_id = '00000000000000aa';
SELECT count(*) = 1, 'what may have temporary tables is kept' FROM mcp.temp_tables WHERE "table" = 'public.notes';
SELECT count(*) = 3, 'the old job and the new ones are queued' FROM jobs.queue WHERE job_name = 'work';
SELECT count(*) = 1, 'schedules are kept' FROM jobs.functions WHERE schedule = '0 3 * * *' AND run_as::text = 'authenticated';
SELECT count(*) = 1, 'functions are kept' FROM functions.edge_functions WHERE description = 'Says hello.';
SELECT count(*) = 1, 'columns of the users'' own are kept' FROM storage.objects WHERE colour = 'red' AND owner_id = 'ann';
SELECT count(*) = 2, 'indexes of the users'' own are kept' FROM pg_indexes WHERE (schemaname, indexname) IN (('storage', 'by_colour'), ('jobs', 'by_name'));
SELECT string_agg(coalesce(qual, with_check), ' ' ORDER BY policyname COLLATE "C") ~ 'hidden.*sunday.*user_id', 'policies of the users'' own are kept' FROM pg_policies
 WHERE (schemaname, policyname) IN (('storage', 'own_folder'), ('functions', 'never'), ('jobs', 'not_on_sunday'));
SELECT bool_and(c.relrowsecurity), 'row-level security is on' FROM pg_class AS c
 WHERE c.oid IN ('public.notes'::regclass, 'storage.objects'::regclass, 'jobs.queue'::regclass, 'functions.edge_functions'::regclass);
SELECT count(*) >= 1, 'the audit has the old calls' FROM mcp.audit_log WHERE tool = 'query_table' AND at < (SELECT pg_postmaster_start_time());
SELECT bool_and(ok), 'the seals of the audit hold' FROM mcp.audit_verify();
SELECT count(*) = 0, 'doctor finds no error' FROM mcp.doctor() WHERE level = 'error';
SELECT count(*) FILTER (WHERE told ~ 'left as it is') > 5 AND count(*) FILTER (WHERE told ~ ' created$') = 0, 'mcp.install takes over what is there'
  FROM mcp.install('{storage,functions,rpc,jobs,ai,audit}') AS told;
