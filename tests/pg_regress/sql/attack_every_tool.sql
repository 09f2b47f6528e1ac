-- Every tool that there is, by way of every argument: names of hidden tables, of files, of others' things, and SQL. A tool that is added is tried by itself.
\t on
\a
SET client_min_messages = warning;
\o /dev/null
SELECT * FROM mcp.install('{storage,functions,rpc,jobs}');
\o
CREATE SCHEMA ev;
GRANT USAGE ON SCHEMA ev TO authenticated;
CREATE TABLE ev.open (id int PRIMARY KEY, name text);
INSERT INTO ev.open VALUES (1, 'one');
CREATE TABLE auth.hidden (id int PRIMARY KEY, name text);
INSERT INTO auth.hidden VALUES (1, 'MARKER hidden schema');
CREATE TABLE ev.foreign_rows (id int PRIMARY KEY, name text);
INSERT INTO ev.foreign_rows VALUES (1, 'MARKER other tenant');
ALTER TABLE ev.foreign_rows ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON ev.open, auth.hidden, ev.foreign_rows TO authenticated;
INSERT INTO storage.buckets (id, name, roles) VALUES ('b', 'b', '{authenticated}');
INSERT INTO storage.objects (bucket_id, path, version, etag, owner_id, metadata) VALUES ('b', 'MARKER.txt', gen_random_uuid(), '', 'somebody', '{}');
INSERT INTO functions.edge_functions (name, description, require_roles, url) VALUES ('marked', 'MARKER function', '{service_role}', 'http://192.0.2.1/MARKER');
CREATE FUNCTION ev.work(payload jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'MARKER work' $$;
REVOKE EXECUTE ON FUNCTION ev.work FROM PUBLIC;
\o /dev/null
SELECT mcp.register_job('marked', 'ev.work(jsonb)'), mcp.expose_rpc('ev.work(jsonb)', name => 'marked');
SELECT t.key('ev', user_id => 'eve', scopes => mcp._scopes());
\o
-- What a call needs besides, as far as the tool has such an argument.
CREATE FUNCTION t.baseline() RETURNS jsonb LANGUAGE sql AS $$
SELECT '{"table": "ev.open", "data": {"id": 5, "name": "x"}, "filter": {"id": "eq.1"}, "operations": [], "bucket": "b", "key": "k", "content": "x", "name": "marked", "job_name": "marked",
         "job_id": "00000000-0000-4000-8000-000000000000", "schema": "ev", "query": "x"}'::jsonb
$$;
CREATE TABLE t.hostile (value jsonb);
INSERT INTO t.hostile SELECT to_jsonb(v) FROM unnest(ARRAY[
    'auth.hidden', '"auth"."hidden"', 'hidden', 'mcp.keys', 'mcp._secrets', 'pg_catalog.pg_authid', 'pg_shadow', 'information_schema.tables', 'storage.objects', 'jobs.queue', 'rpc.procedures',
    'functions.secrets', 'ev.foreign_rows', '../../../../etc/passwd', '/etc/passwd', 'MARKER.txt', 'marked', E'x\'; DROP TABLE ev.open; --', 'id,(SELECT name FROM auth.hidden)', '$1', '%', '*', '']) AS v;
INSERT INTO t.hostile VALUES ('{"auth.hidden.name": "like.M%"}'), ('{"name) OR (1": "eq.1"}'), ('{"hidden": {"name": "is.null"}}'), ('[{"op": "update", "table": "auth.hidden", "data": {"name": "x"}, "filter": {"id": 1}}]'),
    ('[{"op": "delete", "table": "ev.foreign_rows", "filter": {"id": 1}}]'), ('["auth.hidden"]'), ('{"table": "auth.hidden"}'), ('null'), ('-1'), ('1e400'), ('true');
CREATE FUNCTION t.tried() RETURNS TABLE (tool text, calls bigint, leaks bigint, broken bigint, example text) LANGUAGE sql VOLATILE AS $$
WITH tools AS MATERIALIZED (
    SELECT i.value ->> 'name' AS name, i.value #> '{inputSchema,properties}' AS properties
      FROM mcp.handle('{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', t.credential('ev'), NULL) AS h, jsonb_array_elements(h.body::jsonb #> '{result,tools}') AS i
), calls AS MATERIALIZED (
    SELECT s.name, s.arguments, t.via('ev', s.name, s.arguments) AS answer
      FROM (SELECT o.name, (SELECT coalesce(jsonb_object_agg(b.key, b.value), '{}') FROM jsonb_each(t.baseline()) AS b WHERE o.properties ? b.key) || jsonb_build_object(p.key, h.value) AS arguments
              FROM tools AS o, jsonb_each(o.properties) AS p, t.hostile AS h) AS s
)
SELECT c.name, count(*), count(*) FILTER (WHERE c.answer ~ 'MARKER (hidden|other|function|work)|fbk_|fbs_|root:x:|SCRAM'), count(*) FILTER (WHERE c.answer ~* 'internal error|-32603'),
       min(c.arguments::text || ' > ' || left(c.answer, 100)) FILTER (WHERE c.answer ~ 'MARKER (hidden|other|function|work)|-32603')
  FROM calls AS c GROUP BY 1 ORDER BY 1
$$;
CREATE TEMP TABLE result AS SELECT * FROM t.tried();
SELECT sum(leaks), sum(broken), min(example) FROM result;
-- Those that need pgvector are there where it is.
SELECT tool, calls >= (SELECT count(*) FROM t.hostile) AS tried FROM result WHERE tool NOT IN ('search_vectors', 'add_document', 'delete_document') ORDER BY tool;
SELECT * FROM auth.hidden UNION ALL SELECT * FROM ev.foreign_rows UNION ALL SELECT * FROM ev.open WHERE id <> 5 ORDER BY 2;
SELECT path FROM storage.objects WHERE owner_id = 'somebody';
-- It would be seen: without hidden schemas, and without row-level security.
BEGIN;
SET LOCAL mcp.hidden_schemas = '';
ALTER TABLE ev.foreign_rows DISABLE ROW LEVEL SECURITY;
SELECT tool, leaks > 0 AS leaks FROM t.tried() WHERE leaks > 0;
ROLLBACK;
DROP TABLE auth.hidden, t.hostile, result;
DROP SCHEMA ev, storage, functions, rpc, jobs CASCADE;
