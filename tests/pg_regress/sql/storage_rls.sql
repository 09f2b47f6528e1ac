-- Who may see and do what with stored objects: owner, shared for reading and writing, public bucket, a role's bucket, another user, no user, admin, service.
\t on
\a
SET client_min_messages = warning;
\o /dev/null
SELECT * FROM mcp.install('{storage}');
SELECT t.key('ann', user_id => 'ann', scopes => '{read:storage,write:storage}');
SELECT t.key('ben', user_id => 'ben', scopes => '{read:storage,write:storage}');
SELECT t.key('cat', user_id => 'cat', scopes => '{read:storage,write:storage}');
SELECT t.key('nobody', scopes => '{read:storage,write:storage}');
SELECT t.key('guest', role => 'anon', scopes => '{read:storage,write:storage}');
\o
-- As the listener's key, but in one step: this entry waits for the worker itself.
CREATE FUNCTION t.as(key text, tool text, args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(t.via(key, tool, args), '"version":"[0-9a-f]{32}"', '"version":"(version)"', 'g'), '"last_modified" : "[^"]*"', '"last_modified" : "(time)"', 'g')
$$;
INSERT INTO storage.buckets (id, name, roles) VALUES ('uploads', 'uploads', '{authenticated}');
INSERT INTO storage.buckets (id, name, public) VALUES ('site', 'site', true);
INSERT INTO storage.buckets (id, name) VALUES ('vault', 'vault');
INSERT INTO storage.buckets (id, name, owner_id) VALUES ('anns', 'anns', 'ann');
-- Which buckets each sees.
SELECT k, (SELECT string_agg(b ->> 'id', ' ') FROM jsonb_array_elements(t.read(k, 'fluxbase://storage/buckets')::jsonb -> 'buckets') AS b) FROM unnest(ARRAY['ann', 'ben', 'nobody', 'guest', 'service']) AS k;
-- Who may store where.
SELECT k, b, t.as(k, 'upload_object', jsonb_build_object('bucket', b, 'key', k || '.txt', 'content', 'of ' || k)) FROM unnest(ARRAY['ann', 'ben', 'nobody', 'guest', 'service']) AS k, unnest(ARRAY['uploads', 'site', 'vault', 'anns', 'none']) AS b ORDER BY k COLLATE "C", b COLLATE "C";
SELECT bucket_id, path, owner_id, mime_type, size, version IS NOT NULL AS stored FROM storage.objects ORDER BY 1, 2;
-- What each sees of them.
SELECT k, b, (SELECT string_agg(o ->> 'key', ' ') FROM jsonb_array_elements(CASE WHEN l ~ '^error' THEN '[]' ELSE l::jsonb -> 'objects' END) AS o), substring(l FROM '^error: .*?\.') FROM unnest(ARRAY['ann', 'ben', 'cat', 'nobody', 'guest', 'service']) AS k, unnest(ARRAY['uploads', 'site', 'vault', 'anns']) AS b,
    LATERAL (SELECT split_part(t.as(k, 'list_objects', jsonb_build_object('bucket', b)), E'\nnote', 1)) AS x(l) ORDER BY k COLLATE "C", b COLLATE "C";
-- Somebody else's: not there, for every tool.
SELECT tool, t.as('ben', tool, '{"bucket": "uploads", "key": "ann.txt"}') FROM unnest(ARRAY['download_object', 'delete_object']) AS tool;
SELECT t.as('ben', 'upload_object', '{"bucket": "uploads", "key": "ann.txt", "content": "mine now"}');
SELECT t.as('ben', 'upload_object', '{"bucket": "uploads", "key": "ann.txt", "content": "mine now", "overwrite": false}');
SELECT t.as('ben', 'upload_object', '{"bucket": "site", "key": "ann.txt", "content": "mine now"}');
SELECT t.as('ben', 'delete_object', '{"bucket": "site", "key": "ann.txt"}');
SELECT t.as('ann', 'download_object', '{"bucket": "uploads", "key": "ann.txt"}');
SELECT t.as('ben', 'download_object', '{"bucket": "site", "key": "ann.txt"}');
SELECT t.as('guest', 'download_object', '{"bucket": "site", "key": "ann.txt"}');
-- Shared: ann gives ben reading and cat writing. Only the owner shares, and only what is his. By a registered function, which runs as the key.
CREATE FUNCTION t.share(bucket text, path text, to_user text, permission text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO storage.object_permissions (object_id, user_id, permission)
        SELECT o.id, to_user, $4 FROM storage.objects AS o WHERE o.bucket_id = $1 AND o.path = $2
        ON CONFLICT (object_id, user_id) DO UPDATE SET permission = EXCLUDED.permission;
    RETURN CASE WHEN FOUND THEN 'shared' ELSE 'no such object' END;
END $$;
GRANT EXECUTE ON FUNCTION t.share TO authenticated;
SELECT mcp.register_tool('share', 't.share(text,text,text,text)', 'Shares an object.', scopes => '{write:storage}') IS NULL;
SELECT t.via('ann', 'share', '{"bucket": "uploads", "path": "ann.txt", "to_user": "ben", "permission": "read"}');
SELECT t.via('ann', 'share', '{"bucket": "anns", "path": "ann.txt", "to_user": "cat", "permission": "write"}');
SELECT t.via('ben', 'share', '{"bucket": "site", "path": "ann.txt", "to_user": "ben", "permission": "write"}');
SELECT t.via('ben', 'share', '{"bucket": "anns", "path": "ann.txt", "to_user": "ben", "permission": "write"}');
SELECT t.via('ben', 'share', '{"bucket": "uploads", "path": "ann.txt", "to_user": "ben", "permission": "write"}');
SELECT t.as('ben', 'download_object', '{"bucket": "uploads", "key": "ann.txt"}');
SELECT t.as('ben', 'upload_object', '{"bucket": "uploads", "key": "ann.txt", "content": "x"}');
SELECT t.as('ben', 'delete_object', '{"bucket": "uploads", "key": "ann.txt"}');
SELECT t.as('cat', 'download_object', '{"bucket": "anns", "key": "ann.txt"}');
SELECT t.as('cat', 'upload_object', '{"bucket": "anns", "key": "ann.txt", "content": "changed by cat"}');
SELECT t.as('cat', 'upload_object', '{"bucket": "anns", "key": "other.txt", "content": "x"}');
SELECT (t.as('cat', 'list_objects', '{"bucket": "anns"}')::jsonb #>> '{objects,0,key}');
SELECT t.as('ann', 'download_object', '{"bucket": "anns", "key": "ann.txt"}');
SELECT path, owner_id FROM storage.objects WHERE bucket_id = 'anns';
SELECT t.as('cat', 'delete_object', '{"bucket": "anns", "key": "ann.txt"}');
SELECT count(*) FROM storage.object_permissions;
-- mcp_admin and the service see and do everything; scopes still hold.
SELECT t.as('service', 'upload_object', '{"bucket": "uploads", "key": "ann.txt", "content": "by the service"}');
SELECT owner_id, size FROM storage.objects WHERE bucket_id = 'uploads' AND path = 'ann.txt';
BEGIN;
SET ROLE mcp_admin;
SELECT count(*) > 4 FROM storage.objects;
INSERT INTO storage.buckets (id, name) VALUES ('by_admin', 'by_admin') RETURNING id, owner_id;
RESET ROLE;
ROLLBACK;
SELECT t.key('reads', user_id => 'ann', scopes => '{read:storage}'), t.key('writes', user_id => 'ann', scopes => '{write:storage}');
SELECT t.via('reads', 'upload_object', '{"bucket": "uploads", "key": "x", "content": "x"}'), t.via('reads', 'delete_object', '{"bucket": "uploads", "key": "x"}');
SELECT t.via('writes', 'download_object', '{"bucket": "uploads", "key": "ann.txt"}'), t.via('writes', 'list_objects', '{"bucket": "uploads"}'), t.read('writes', 'fluxbase://storage/buckets'), t.read('writes', 'fluxbase://storage/uploads/ann.txt');
-- A policy of the users' own counts.
CREATE POLICY no_secrets ON storage.objects AS RESTRICTIVE FOR INSERT WITH CHECK (path !~ 'secret');
SELECT t.as('ann', 'upload_object', '{"bucket": "uploads", "key": "secret.txt", "content": "x"}');
DROP POLICY no_secrets ON storage.objects;
SELECT mcp.unregister_tool('share');
DROP FUNCTION t.share;
DROP FUNCTION t.as;
DROP SCHEMA storage CASCADE;
DELETE FROM mcp.keys WHERE name IN ('ann', 'ben', 'cat', 'nobody', 'guest', 'reads', 'writes', 'storage_reader');
DELETE FROM t.credentials WHERE name IN ('ann', 'ben', 'cat', 'nobody', 'guest', 'reads', 'writes', 'storage_reader');
