-- DROP EXTENSION: with every part installed and in use it leaves nothing of ours and everything of the users', and what comes after takes that over.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE DATABASE regress_drop TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_drop
SET client_min_messages = warning;
CREATE EXTENSION fluxbase_mcp_ext;
\o /dev/null
SELECT mcp.setup_roles();
SELECT mcp.install('{auth,functions,storage,rpc,jobs,ai}');
\o
CREATE FUNCTION pg_temp.vector() RETURNS bool LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') $$;
-- Of the users: a table with a policy, and rows, a policy, an index and a column of their own on ours.
CREATE FUNCTION public.work(payload jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'done' $$;
CREATE TABLE public.notes (owner uuid DEFAULT auth.uid(), body text);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.notes USING (owner = auth.uid());
ALTER TABLE storage.objects ADD COLUMN mine int;
CREATE INDEX mine ON storage.objects (mine);
CREATE POLICY mine ON storage.objects FOR SELECT TO anon USING (mine = 1);
INSERT INTO functions.edge_functions (name, url) VALUES ('f', 'http://127.0.0.1:1/');
INSERT INTO storage.buckets (id, name) VALUES ('b', 'b');
INSERT INTO rpc.procedures (name, sql_query) VALUES ('p', 'SELECT 1');
\o /dev/null
SELECT mcp.register_job('work', 'public.work(jsonb)');
SELECT mcp.create_key('client', 'k', '{read:tables}', key_id => '00000000000000aa', verifier => sha256('k'));
SET ROLE authenticated;
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"submit_job","arguments":{"job_name":"work"}}}');
RESET ROLE;
\o
DO $$
BEGIN
    IF pg_temp.vector() THEN
        CREATE EXTENSION vector;
        PERFORM ai.create_knowledge_base('docs', dimensions => 3);
        INSERT INTO ai.documents (knowledge_base_id, title, content) SELECT k.id, 'old', 'Cats sleep.' FROM ai.knowledge_bases AS k;
    END IF;
END
$$;
-- What the users' tables are: all of it must be the same afterwards.
CREATE TEMP VIEW theirs AS
SELECT 'table ' || c.oid::regclass || ' of ' || c.relowner::regrole || ' ' || c.relrowsecurity AS what
  FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'i', 'v', 'S') AND c.relnamespace::regnamespace::text IN ('public', 'auth', 'storage', 'functions', 'rpc', 'jobs', 'ai')
UNION ALL SELECT format('policy %s on %s: %s %s', p.polname, p.polrelid::regclass, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy AS p
UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger AS t WHERE NOT t.tgisinternal AND t.tgrelid::regclass::text !~ '^mcp\.'
UNION ALL SELECT format('default %s.%s: %s', d.adrelid::regclass, d.adnum, pg_get_expr(d.adbin, d.adrelid)) FROM pg_attrdef AS d WHERE d.adrelid::regclass::text !~ '^mcp\.'
UNION ALL SELECT format('constraint %s on %s: %s', o.conname, o.conrelid::regclass, pg_get_constraintdef(o.oid)) FROM pg_constraint AS o WHERE o.conrelid <> 0 AND o.conrelid::regclass::text !~ '^(mcp|pg_catalog|information_schema)\.'
UNION ALL SELECT 'function ' || f.oid::regprocedure FROM pg_proc AS f WHERE f.pronamespace::regnamespace::text IN ('auth', 'storage', 'functions', 'rpc', 'jobs', 'ai')
UNION ALL SELECT 'rows ' || (SELECT concat_ws(' ', (SELECT count(*) FROM functions.edge_functions), (SELECT count(*) FROM storage.buckets), (SELECT count(*) FROM rpc.procedures),
                                              (SELECT count(*) FROM jobs.functions), (SELECT count(*) FROM jobs.queue)))
UNION ALL SELECT 'documents ' || count(*) FROM ai.documents;
CREATE TEMP TABLE before AS SELECT what FROM theirs;
SELECT count(*) > 100 FROM before;
-- What is ours: members of the extension and whatever hangs on the schema mcp, by the catalogs.
CREATE FUNCTION pg_temp.ours() RETURNS SETOF text LANGUAGE sql AS $$
SELECT 'schema' FROM pg_namespace AS n WHERE n.nspname = 'mcp'
UNION ALL SELECT 'extension' FROM pg_extension AS e WHERE e.extname = 'fluxbase_mcp_ext'
UNION ALL SELECT 'function ' || f.oid::regprocedure FROM pg_proc AS f JOIN pg_language AS l ON l.oid = f.prolang WHERE l.lanname = 'c' AND f.probin ~ 'fluxbase'
UNION ALL SELECT 'type ' || t.typname FROM pg_type AS t WHERE t.typnamespace NOT IN (SELECT n.oid FROM pg_namespace AS n)
UNION ALL SELECT 'function without a schema ' || f.proname FROM pg_proc AS f WHERE f.pronamespace NOT IN (SELECT n.oid FROM pg_namespace AS n)
UNION ALL SELECT 'event trigger ' || e.evtname FROM pg_event_trigger AS e
UNION ALL SELECT 'default privileges for ' || d.defaclrole::regrole FROM pg_default_acl AS d
UNION ALL SELECT 'setting ' || s FROM pg_db_role_setting AS r, unnest(r.setconfig) AS s WHERE r.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
UNION ALL SELECT 'member ' || d.classid::regclass FROM pg_depend AS d WHERE d.deptype = 'e' AND d.refobjid NOT IN (SELECT e.oid FROM pg_extension AS e)
$$;
SELECT count(*) > 20 FROM pg_temp.ours();
SELECT count(*) FROM mcp.list_keys('client');
SELECT what FROM before WHERE what ~ '^(rows|policy mine)';
-- Plain, with all parts but the audit.
DROP EXTENSION fluxbase_mcp_ext;
SELECT * FROM pg_temp.ours();
(TABLE before EXCEPT ALL TABLE theirs) UNION ALL (TABLE theirs EXCEPT ALL TABLE before);
-- Policies that ask who is calling fail closed.
SET ROLE authenticated;
SELECT count(*) FROM jobs.queue;
RESET ROLE;
-- It takes the tables over: the keys are gone, the rows are there, jobs are submitted and documents cut into chunks as before.
CREATE EXTENSION fluxbase_mcp_ext;
\o /dev/null
SELECT mcp.setup_roles();
\o
SELECT * FROM mcp.install('{auth,functions,storage,rpc,jobs,ai,audit}') AS l WHERE l ~ 'created|warning' AND l !~ 'audit' ORDER BY 1;
(TABLE before EXCEPT ALL TABLE theirs) UNION ALL (TABLE theirs EXCEPT ALL TABLE before);
SELECT count(*) FROM mcp.list_keys('client');
SELECT mcp._jobs_there(), mcp._documents_there(), mcp._part_is_ours('storage', '{origin,buckets,objects,object_permissions}');
\o /dev/null
SET ROLE authenticated;
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"submit_job","arguments":{"job_name":"work"}}}');
RESET ROLE;
\o
SELECT count(*) FROM jobs.queue;
DO $$
BEGIN
    IF pg_temp.vector() THEN
        INSERT INTO ai.documents (knowledge_base_id, title, content) SELECT k.id, 'new', 'Dogs bark.' FROM ai.knowledge_bases AS k;
        UPDATE ai.documents SET title = 'changed' WHERE title = 'old';
        IF (SELECT string_agg(c.document_title || ': ' || c.content, ', ' ORDER BY c.content) FROM ai.chunks_docs AS c) IS DISTINCT FROM 'changed: Cats sleep., new: Dogs bark.' THEN
            RAISE EXCEPTION 'chunks do not follow documents';
        END IF;
    END IF;
END
$$;
-- The audit's records stand in the schema mcp: it refuses to take them along, and changes nothing.
CREATE PROCEDURE pg_temp.written() LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1..600 LOOP
        PERFORM FROM mcp.audit_log AS l WHERE l.tool = 'submit_job';
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.1);
        COMMIT;
    END LOOP;
END
$$;
CALL pg_temp.written();
SELECT count(*) FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.backend_type ~ '^fluxbase';
DROP EXTENSION fluxbase_mcp_ext;
SELECT count(*) FROM mcp.audit_log AS l WHERE l.tool = 'submit_job';
-- The way out of docs/operations.md: put them aside, in one transaction with the removal.
CREATE SCHEMA kept;
BEGIN;
DO $$
DECLARE
    records regclass;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mcp.audit_seals', n)) FROM generate_series(1, 2) AS n;
    DROP VIEW mcp.audit_failed_keys, mcp.audit_rate_limits, mcp.audit_denied, mcp.audit_unusual_tables, mcp.audit_bulk_deletes;
    FOR records IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'mcp'::regnamespace AND c.relname ~ '^audit_(log|seals)' AND c.relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %s SET SCHEMA kept', records);
    END LOOP;
END
$$;
DROP EXTENSION fluxbase_mcp_ext;
COMMIT;
SELECT * FROM pg_temp.ours();
SELECT count(*) FROM kept.audit_log AS l WHERE l.tool = 'submit_job';
-- And back.
CREATE EXTENSION fluxbase_mcp_ext;
DO $$
DECLARE
    records regclass;
BEGIN
    FOR records IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'kept'::regnamespace AND c.relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %s SET SCHEMA mcp', records);
    END LOOP;
END
$$;
DROP SCHEMA kept;
SELECT * FROM mcp.install('{audit}') AS l WHERE l ~ 'table';
SELECT ok, problem FROM mcp.audit_verify();
SELECT count(*) FROM mcp.audit_log AS l WHERE l.tool = 'submit_job';
-- CASCADE takes the records along, and nothing else.
DELETE FROM before;
INSERT INTO before SELECT what FROM theirs;
DROP EXTENSION fluxbase_mcp_ext CASCADE;
SELECT * FROM pg_temp.ours();
-- The process that wrote the audit ends by itself.
DO $$
BEGIN
    FOR n IN 1..600 LOOP
        PERFORM pg_stat_clear_snapshot();
        PERFORM FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.backend_type ~ '^fluxbase';
        EXIT WHEN NOT FOUND;
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
SELECT a.backend_type FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.backend_type ~ '^fluxbase';
(TABLE before EXCEPT ALL TABLE theirs) UNION ALL (TABLE theirs EXCEPT ALL TABLE before);
\c regression
SET client_min_messages = warning;
DROP DATABASE regress_drop WITH (FORCE);
