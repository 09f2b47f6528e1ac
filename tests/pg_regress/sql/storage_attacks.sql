-- Somebody else's files: forged versions and owners, in SQL as the weak role of a key and by every tool, also where a DBA granted too much; what the existence of something hidden would tell.
\t on
\a
SET client_min_messages = warning;
\o /dev/null
SELECT * FROM mcp.install('{storage}');
SELECT t.key('ann', user_id => 'ann', scopes => '{read:storage,write:storage,read:tables,write:tables}');
SELECT t.key('mal', user_id => 'mal', scopes => '{read:storage,write:storage,read:tables,write:tables}');
\o
INSERT INTO storage.buckets (id, name, roles) VALUES ('b', 'b', '{authenticated}');
INSERT INTO storage.buckets (id, name, owner_id, allowed_mime_types, max_file_size) VALUES ('vault', 'vault', 'ann', '{image/png}', 1);
SELECT t.via('ann', 'upload_object', '{"bucket": "b", "key": "ann.txt", "content": "secret of ann"}') ~ '"key":"ann.txt"' AS stored, t.via('mal', 'upload_object', '{"bucket": "b", "key": "mal.txt", "content": "of mal"}') ~ '"key":"mal.txt"' AS stored;
INSERT INTO storage.objects (bucket_id, path, version, size, owner_id, mime_type) VALUES ('vault', 'known.png', gen_random_uuid(), 0, 'ann', 'image/png');
-- Any SQL of the key's own: a registered function runs it as the key's role, with the key's claims.
CREATE FUNCTION t.run(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    value text;
BEGIN
    EXECUTE statement INTO value;
    RETURN coalesce(value, '(nothing)');
END $$;
GRANT EXECUTE ON FUNCTION t.run TO authenticated;
SELECT mcp.register_tool('run', 't.run(text)', 'Runs SQL.', scopes => '{write:tables}') IS NULL;
SELECT version AS anns FROM storage.objects WHERE path = 'ann.txt' \gset
SELECT id AS anns_id FROM storage.objects WHERE path = 'ann.txt' \gset
CREATE TABLE t.attacks (n int GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO t.attacks (statement) SELECT replace(replace(x, 'ANNS_ID', :'anns_id'), 'ANNS', :'anns') FROM unnest(ARRAY[
    'SELECT string_agg(path, '' '') FROM storage.objects',
    'UPDATE storage.objects SET version = ''ANNS'' WHERE path = ''mal.txt'' RETURNING path',
    'UPDATE storage.objects SET version = NULL WHERE path = ''mal.txt'' RETURNING path',
    'UPDATE storage.objects SET size = 0 WHERE path = ''mal.txt'' RETURNING path',
    'UPDATE storage.objects SET etag = ''x'' WHERE path = ''mal.txt'' RETURNING path',
    'UPDATE storage.objects SET bucket_id = ''vault'' WHERE path = ''mal.txt'' RETURNING path',
    'UPDATE storage.objects SET owner_id = ''ann'' WHERE path = ''mal.txt'' RETURNING path',
    'UPDATE storage.objects SET id = gen_random_uuid() WHERE path = ''mal.txt'' RETURNING path',
    'UPDATE storage.objects SET mime_type = ''a/b'' WHERE path = ''ann.txt'' RETURNING path',
    'INSERT INTO storage.objects (bucket_id, path, version) VALUES (''b'', ''forged'', ''ANNS'') RETURNING path',
    'INSERT INTO storage.objects (bucket_id, path, version) VALUES (''b'', ''forged'', gen_random_uuid()) RETURNING path',
    'INSERT INTO storage.objects (bucket_id, path, size) VALUES (''b'', ''forged'', 1000) RETURNING path',
    'INSERT INTO storage.objects (bucket_id, path, owner_id) VALUES (''b'', ''forged'', ''ann'') RETURNING path',
    'INSERT INTO storage.objects (bucket_id, path, mime_type) VALUES (''vault'', ''forged'', ''text/plain'') RETURNING path',
    'INSERT INTO storage.objects (bucket_id, path, mime_type) VALUES (''none'', ''forged'', ''text/plain'') RETURNING path',
    'INSERT INTO storage.objects (bucket_id, path) VALUES (''b'', ''ann.txt'') ON CONFLICT (bucket_id, path) DO UPDATE SET mime_type = ''a/b'' RETURNING path',
    'INSERT INTO storage.object_permissions (object_id, user_id, permission) VALUES (''ANNS_ID'', ''mal'', ''write'') RETURNING user_id',
    'INSERT INTO storage.object_permissions (object_id, user_id, permission) VALUES (gen_random_uuid(), ''mal'', ''write'') RETURNING user_id',
    'DELETE FROM storage.objects WHERE path = ''ann.txt'' RETURNING path',
    'INSERT INTO storage.buckets (id, name, roles) VALUES (''mine'', ''mine'', ''{authenticated}'') RETURNING id',
    'UPDATE storage.buckets SET roles = ''{authenticated}'', public = true RETURNING id',
    'SELECT space FROM storage.origin',
    'UPDATE storage.origin SET space = ''x'' RETURNING space',
    'SELECT set_config(''mcp.claims'', ''{"sub": "ann"}'', true)',
    'SELECT set_config(''request.jwt.claims'', ''{"sub": "ann"}'', true) || string_agg(path, '' '') FROM storage.objects',
    'SELECT storage.owns_object(''ANNS_ID'')',
    'SELECT mcp._stored(''x'', NULL, 10)',
    'SELECT mcp._remove_stored(''x'', ''{}'')',
    'SELECT mcp._sweep_storage(''-1 hour'', 10)',
    'SELECT mcp._maintain_storage()',
    'SELECT after FROM mcp._sweep',
    'SELECT storage.check_object()']) AS x;
SELECT regexp_replace(a.statement, '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g'), regexp_replace(t.via('mal', 'run', jsonb_build_object('statement', a.statement)), '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g') FROM t.attacks AS a ORDER BY n;
-- The table tools do not reach the schema.
SELECT t.via('mal', 'query_table', '{"table": "storage.objects"}'), t.via('mal', 'insert_record', '{"table": "storage.objects", "data": {"bucket_id": "b", "path": "x"}}'), t.via('mal', 'update_record', '{"table": "storage.objects", "data": {"metadata": {}}, "filter": {"path": "eq.mal.txt"}}');
-- A DBA who granted everything, as one does: triggers and policies hold all the same.
GRANT ALL ON ALL TABLES IN SCHEMA storage TO authenticated;
SELECT regexp_replace(a.statement, '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g'), regexp_replace(t.via('mal', 'run', jsonb_build_object('statement', a.statement)), '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g') FROM t.attacks AS a WHERE a.statement ~ 'objects|object_permissions|buckets|origin' ORDER BY n;
SELECT bucket_id, path, owner_id, version = :'anns' AS anns FROM storage.objects ORDER BY 1, 2;
-- The service may do all of it but that: its keys write no version either.
SELECT t.via('service', 'update_record', jsonb_build_object('table', 'storage.objects', 'data', jsonb_build_object('version', :'anns'), 'filter', '{"path": "eq.mal.txt"}'::jsonb));
GRANT ALL ON ALL TABLES IN SCHEMA storage TO service_role;
SELECT regexp_replace(t.via('service', 'update_record', jsonb_build_object('table', 'storage.objects', 'data', jsonb_build_object('version', gen_random_uuid()), 'filter', '{"path": "eq.mal.txt"}'::jsonb)), '[0-9a-f]{8}-[0-9a-f-]{27}', '(uuid)', 'g');
-- Whoever may make triggers would have them run as the owner of the tables: then nothing is done.
CREATE SCHEMA lair;
GRANT ALL ON SCHEMA lair TO authenticated;
SET ROLE authenticated;
CREATE FUNCTION lair.rob() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE authenticated SUPERUSER; RETURN NEW; END $$;
CREATE TRIGGER rob BEFORE UPDATE ON storage.objects FOR EACH ROW EXECUTE FUNCTION lair.rob();
RESET ROLE;
SELECT tool, t.via('mal', tool, '{"bucket": "b", "key": "mal.txt"}'::jsonb || CASE tool WHEN 'upload_object' THEN '{"content": "x"}' ELSE '{}' END::jsonb) FROM unnest(ARRAY['upload_object', 'download_object', 'delete_object']) AS tool;
SELECT rolsuper FROM pg_roles WHERE rolname = 'authenticated';
DROP SCHEMA lair CASCADE;
REVOKE ALL ON ALL TABLES IN SCHEMA storage FROM authenticated, service_role;
SELECT count(*) FROM mcp.install('{storage}');
-- Tables that belong to somebody else are not used, by no tool and not by the sweep.
BEGIN;
ALTER TABLE storage.objects OWNER TO regress_owner;
SELECT t.via('mal', 'list_objects', '{"bucket": "b"}'), mcp._sweep_storage('-1 hour', 10);
ALTER TABLE storage.buckets OWNER TO regress_owner;
ALTER TABLE storage.object_permissions OWNER TO regress_owner;
ALTER TABLE storage.origin OWNER TO regress_owner;
SELECT t.via('mal', 'download_object', '{"bucket": "b", "key": "mal.txt"}'), mcp._sweep_storage('-1 hour', 10);
ROLLBACK;
-- What exists but is hidden is told of in the same words as what does not, by every tool; types and sizes of a hidden bucket neither.
CREATE FUNCTION t.same(tool text, hidden jsonb, absent jsonb) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN replace(h, hidden ->> 'bucket', 'X') = replace(replace(a, absent ->> 'bucket', 'X'), coalesce(absent ->> 'key', 'none'), coalesce(hidden ->> 'key', 'none')) THEN 'the same: ' ELSE 'DIFFERENT: ' || a || ' BUT ' END || h
  FROM (SELECT t.via('mal', tool, hidden), t.via('mal', tool, absent)) AS x(h, a)
$$;
SELECT tool, t.same(tool, hidden, absent) FROM (VALUES
    ('list_objects', '{"bucket": "vault"}'::jsonb, '{"bucket": "nowhere"}'::jsonb), ('list_objects', '{"bucket": "vault", "prefix": "known"}', '{"bucket": "nowhere", "prefix": "known"}'),
    ('download_object', '{"bucket": "vault", "key": "known.png"}', '{"bucket": "nowhere", "key": "known.png"}'), ('download_object', '{"bucket": "b", "key": "ann.txt"}', '{"bucket": "b", "key": "zzz.txt"}'), ('download_object', '{"bucket": "b", "key": "ann.txt", "offset": 0}', '{"bucket": "b", "key": "zzz.txt", "offset": 0}'),
    ('upload_object', '{"bucket": "vault", "key": "known.png", "content": "not a png"}', '{"bucket": "nowhere", "key": "known.png", "content": "not a png"}'),
    ('delete_object', '{"bucket": "vault", "key": "known.png"}', '{"bucket": "nowhere", "key": "known.png"}'), ('delete_object', '{"bucket": "b", "key": "ann.txt"}', '{"bucket": "b", "key": "zzz.txt"}')) AS x(tool, hidden, absent);
SELECT t.read('mal', 'fluxbase://storage/vault/known.png'), t.read('mal', 'fluxbase://storage/nowhere/known.png'), t.read('mal', 'fluxbase://storage/b/ann.txt');
SELECT t.read('mal', 'fluxbase://storage/buckets') ~ 'vault' AS told;
SELECT h.body::jsonb #> '{result,completion,values}' FROM unnest(ARRAY['{"name": "bucket", "value": ""}', '{"name": "path", "value": ""}']::jsonb[]) AS a, mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'completion/complete', 'params', jsonb_build_object('ref', '{"type": "ref/resource", "uri": "fluxbase://storage/{bucket}/{path}"}'::jsonb, 'argument', a, 'context', '{"arguments": {"bucket": "b"}}'::jsonb))::text, t.credential('mal'), NULL) AS h;
-- Injected names are names.
SELECT t.via('mal', 'list_objects', jsonb_build_object('bucket', x)), t.via('mal', 'list_objects', jsonb_build_object('bucket', 'b', 'prefix', x, 'delimiter', x, 'start_after', x)) FROM unnest(ARRAY[''' OR true --', '$1', '%', '\', 'b'' OR ''1'' = ''1']) AS x;
SELECT t.via('ann', 'download_object', '{"bucket": "b", "key": "ann.txt"}')::jsonb ->> 'content', t.via('mal', 'download_object', '{"bucket": "b", "key": "mal.txt"}')::jsonb ->> 'content';
SELECT mcp.unregister_tool('run');
DROP FUNCTION t.run, t.same;
DROP TABLE t.attacks;
DROP SCHEMA storage CASCADE;
DELETE FROM mcp.keys WHERE name IN ('ann', 'mal');
DELETE FROM t.credentials WHERE name IN ('ann', 'mal');
