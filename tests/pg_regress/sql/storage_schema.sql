-- What mcp.install('{storage}') makes: once, for roles as they are, and what it refuses; which rows the tables take.
\t on
\a
SET client_min_messages = warning;
-- Not installed: every tool says what to do.
SELECT t.key('storage_reader', user_id => 'ann', scopes => '{read:storage}');
SELECT t.via('storage_reader', 'list_objects', '{"bucket": "b"}');
SELECT t.via('storage_reader', 'download_object', '{"bucket": "b", "key": "k"}');
SELECT t.call('upload_object', '{"bucket": "b", "key": "k", "content": ""}');
SELECT t.call('delete_object', '{"bucket": "b", "key": "k"}');
SELECT t.read('storage_reader', 'fluxbase://storage/buckets');
SELECT t.read('storage_reader', 'fluxbase://storage/b/k');
SELECT mcp._maintain_storage();

-- Tables of others.
BEGIN;
CREATE SCHEMA storage;
CREATE TABLE storage.objects (id int);
SELECT t.try('SELECT * FROM mcp.install(''{storage}'')');
SELECT t.call('list_objects', '{"bucket": "b"}');
ROLLBACK;

SELECT * FROM mcp.install('{storage}');
SELECT * FROM mcp.install('{storage}');
-- A role that is allowed later gets its grants from another run.
BEGIN;
CREATE ROLE regress_late NOLOGIN;
SELECT * FROM mcp.allow_role('regress_late');
SELECT count(*) FROM mcp.install('{storage}') AS line WHERE line ~ 'regress_late';
SELECT has_table_privilege('regress_late', 'storage.objects', 'SELECT');
ROLLBACK;

-- Grants, column by column: nobody writes version, size and etag.
SELECT table_name, grantee, string_agg(DISTINCT lower(privilege_type), ' ' ORDER BY lower(privilege_type)) FROM information_schema.role_table_grants
 WHERE table_schema = 'storage' AND grantee IN ('anon', 'authenticated', 'service_role', 'mcp_admin', 'PUBLIC') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT grantee, privilege_type, string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.column_privileges
 WHERE table_schema = 'storage' AND table_name = 'objects' AND privilege_type IN ('INSERT', 'UPDATE') AND grantee IN ('anon', 'authenticated', 'service_role', 'mcp_admin', 'PUBLIC') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT p.oid::regprocedure, p.prosecdef, has_function_privilege('public', p.oid, 'EXECUTE') AS public, has_function_privilege('authenticated', p.oid, 'EXECUTE') AS authenticated, p.proconfig
  FROM pg_proc AS p WHERE p.pronamespace = 'storage'::regnamespace ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT tablename, policyname, cmd, roles, qual, with_check FROM pg_policies WHERE schemaname = 'storage' ORDER BY 1, 2;
-- What the tables take.
INSERT INTO storage.buckets (id, name) VALUES ('b', 'b');
SELECT x, t.try(format('INSERT INTO storage.buckets (id, name) VALUES (%L, %1$L) RETURNING ''taken''', x)) FROM unnest(ARRAY['', '..', '.a', 'a b', 'a/b', 'A-b_1.c', repeat('a', 101)]) AS x;
SELECT t.try('INSERT INTO storage.buckets (id, name) VALUES (''c'', ''b'')');
SELECT x, t.try(format('INSERT INTO storage.objects (bucket_id, path) VALUES (''b'', %L) RETURNING ''taken''', x)) FROM unnest(ARRAY['a', 'a/b', '', '/a', 'a/', 'a//b', '.', '..', 'a/./b', 'a/../b', '...', '.a', E'a\nb', E'a\x7f', 'A', 'a b', '%2e%2e', 'ä', E'a\u0308']) AS x;
INSERT INTO storage.objects (bucket_id, path) VALUES ('b', repeat('x', 1024));
SELECT t.try(format('INSERT INTO storage.objects (bucket_id, path) VALUES (''b'', %L) RETURNING ''taken''', repeat('x', 1025))), t.try(format('INSERT INTO storage.objects (bucket_id, path) VALUES (''b'', %L) RETURNING ''taken''', repeat('ä', 513)));
SELECT x, t.try(format('INSERT INTO storage.objects (bucket_id, path, mime_type) VALUES (''b'', ''mime'' || length(%L), %1$L) RETURNING ''taken''', x)) FROM unnest(ARRAY['text/plain', 'text/plain; charset=utf-8', 'text', '', 'a/b' || chr(10) || 'c: d']) AS x;
SELECT t.try('INSERT INTO storage.objects (bucket_id, path, metadata) VALUES (''b'', ''meta'', ''[]'')');
SELECT t.try('INSERT INTO storage.objects (bucket_id, path) VALUES (''none'', ''a'')');
SELECT t.try('INSERT INTO storage.object_permissions (object_id, user_id, permission) SELECT id, ''x'', ''admin'' FROM storage.objects LIMIT 1 RETURNING 1');
SELECT t.try('INSERT INTO storage.origin (only_one) VALUES (true)'), t.try('INSERT INTO storage.origin (only_one) VALUES (false)');
CREATE FUNCTION t.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
-- Keys are read by the index, under row-level security, too.
SET enable_seqscan = off;
SET ROLE authenticated;
SELECT line FROM t.plan('SELECT path FROM storage.objects WHERE bucket_id = ''b'' AND path >= ''a/'' AND path < ''a0'' ORDER BY path LIMIT 10') AS line WHERE line ~ 'path' LIMIT 2;
RESET ROLE;
RESET enable_seqscan;
DROP FUNCTION t.plan;
-- Rows go with their bucket. Nothing of the schema depends on the extension, which can go and come back.
DELETE FROM storage.buckets;
SELECT count(*) FROM storage.objects;
SELECT count(*) FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass WHERE e.extname = 'fluxbase_mcp_ext'
   AND d.objid IN (SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'storage'::regnamespace UNION SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'storage'::regnamespace UNION SELECT 'storage'::regnamespace);
DROP SCHEMA storage CASCADE;
DELETE FROM mcp.keys WHERE name = 'storage_reader';
DELETE FROM t.credentials WHERE name = 'storage_reader';
