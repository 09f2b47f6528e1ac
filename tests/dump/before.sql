-- A database as its users left it: keys, registrations, jobs, files, functions, knowledge, the audit, and their own policies, indexes and columns on our tables.
SET client_min_messages = warning;
\o /dev/null
CREATE EXTENSION fluxbase_mcp_ext;
CREATE EXTENSION vector;
SELECT * FROM mcp.setup_roles();
SELECT * FROM mcp.install();
SELECT * FROM mcp.setup_listener('fluxbase_listener');
SELECT mcp.install('{storage,functions,rpc,jobs,ai,audit}');
CREATE TABLE public.notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL DEFAULT mcp.claim('sub'), title text);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.notes USING (owner = mcp.claim('sub'));
GRANT SELECT, INSERT ON public.notes TO authenticated;
INSERT INTO public.notes (owner, title) VALUES ('ann', 'hers'), ('bob', 'his');
CREATE FUNCTION public.titles() RETURNS jsonb LANGUAGE sql STABLE BEGIN ATOMIC SELECT jsonb_agg(title) FROM public.notes; END;
SELECT mcp.register_tool('titles', 'public.titles()', 'List titles.', scopes => '{read:tables}');
SELECT mcp.allow_temp_tables('public.notes');
-- (here run.sh puts parts.sql)
\o
SELECT key FROM mcp.create_key('client', 'Ann', '{read:tables,write:tables,read:storage,execute:rpc,execute:jobs,read:vectors,execute:functions}', user_id => 'ann') \gset
SELECT :'key';
\o /dev/null
SELECT * FROM mcp.create_key('client', 'gone', '{read:tables}', user_id => 'ann', key_id => '00000000000000aa', verifier => sha256('x'));
SELECT mcp.revoke_key('client', '00000000000000aa');
-- As the listener sends a key: kind, id, and the hash of its secret.
SELECT left(:'key', 3) || ':' || substr(:'key', 5, 16) || ':' || encode(sha256(decode(translate(substr(:'key', 22, 43), '-_', '+/') || '=', 'base64')), 'hex') AS credential \gset
CREATE FUNCTION pg_temp.call(tool text, args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', tool, 'arguments', args)))::text $$;
BEGIN;
SELECT mcp.authenticate(:'credential');
SELECT pg_temp.call('submit_job', '{"job_name": "work", "payload": {"n": 1}}');
SELECT pg_temp.call('query_table', '{"table": "notes"}');
COMMIT;
-- A row of a file: its bytes are not in a dump.
INSERT INTO storage.objects (bucket_id, path, owner_id, colour) VALUES ('b', 'ann/a.txt', 'ann', 'red');
-- The audit is written by a process of its own, soon.
DO $$ BEGIN
    FOR n IN 1..600 LOOP
        EXIT WHEN EXISTS (SELECT FROM mcp.audit_log WHERE tool = 'query_table');
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
