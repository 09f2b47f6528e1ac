-- The four storage tools: arguments, results as documented, types, parts, pages, replacing, bucket limits, the end of a transaction, the two steps of the listener.
\t on
\a
SET client_min_messages = warning;
\o /dev/null
SELECT * FROM mcp.install('{storage}');
SELECT t.key('ann', user_id => 'ann', scopes => '{read:storage,write:storage}');
SELECT t.key('ben', user_id => 'ben', scopes => '{read:storage,write:storage}');
\o
CREATE FUNCTION t.as(tool text, args jsonb, key text DEFAULT 'ann') RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(t.via(key, tool, args), '"version":"[0-9a-f]{32}"', '"version":"(version)"', 'g'), '"last_modified" : "[^"]*"', '"last_modified" : "(time)"', 'g')
$$;
-- Versions in the store that no row names.
CREATE FUNCTION t.orphans() RETURNS bigint LANGUAGE sql AS $$
SELECT count(*) FROM storage.origin AS o, mcp._stored(o.space, NULL, 1000) AS s WHERE NOT EXISTS (SELECT FROM storage.objects AS x WHERE x.version = s.version::uuid)
$$;
CREATE FUNCTION t.stored() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM storage.origin AS o, mcp._stored(o.space, NULL, 1000) $$;
-- All of the store, whatever its age.
CREATE FUNCTION t.sweep() RETURNS integer LANGUAGE sql AS $$ UPDATE mcp._sweep SET after = NULL; SELECT mcp._sweep_storage('-1 hour', 1000) $$;
INSERT INTO storage.buckets (id, name, roles) VALUES ('b', 'b', '{authenticated}');
INSERT INTO storage.buckets (id, name, roles, allowed_mime_types, max_file_size) VALUES ('small', 'small', '{authenticated}', '{image/png,text/*}', 10);
-- Arguments.
SELECT tool, args, t.as(tool, args) FROM (VALUES
    ('list_objects', '{}'::jsonb), ('list_objects', '{"bucket": ""}'), ('list_objects', '{"bucket": "b", "limit": 0}'), ('list_objects', '{"bucket": "b", "cursor": "x"}'), ('list_objects', '{"bucket": 1}'),
    ('download_object', '{"bucket": "b"}'), ('download_object', '{"bucket": "b", "key": "k", "offset": -1}'), ('download_object', '{"bucket": "b", "key": "k", "length": 0}'), ('download_object', '{"bucket": "b", "key": "k", "length": 10485761}'),
    ('upload_object', '{"bucket": "b", "key": "k"}'), ('upload_object', '{"key": "k", "content": ""}'), ('upload_object', '{"bucket": "b", "key": "k", "content": "x", "encoding": "utf-16"}'), ('upload_object', '{"bucket": "b", "key": "k", "content": "x y", "encoding": "base64"}'),
    ('upload_object', '{"bucket": "b", "key": "k", "content": "x", "content_type": "text"}'), ('upload_object', '{"bucket": "b", "key": "k", "content": "x", "content_type": "text/plain\r\nX: y"}'), ('upload_object', '{"bucket": "b", "key": "k", "content": "x", "metadata": [1]}'), ('upload_object', '{"bucket": "b", "key": "k", "content": "x", "owner_id": "ben"}'), ('upload_object', '{"bucket": "b", "key": "k", "content": "x", "version": "00000000-0000-0000-0000-000000000000"}'),
    ('delete_object', '{"bucket": "b"}'), ('delete_object', '{"bucket": "b", "key": "k", "recursive": true}')) AS x(tool, args);
SELECT count(*) FROM storage.objects;
-- Results: the documented members.
SELECT t.as('upload_object', '{"bucket": "b", "key": "notes/a.txt", "content": "h\u00e9llo", "metadata": {"n": 1}}');
SELECT t.as('download_object', '{"bucket": "b", "key": "notes/a.txt"}');
SELECT t.as('list_objects', '{"bucket": "b"}');
SELECT path, metadata, owner_id, size FROM storage.objects;
SELECT t.as('download_object', '{"bucket": "b", "key": "notes/A.txt"}');
-- Types: given, or told from the bytes.
SELECT key, t.as('upload_object', jsonb_build_object('bucket', 'b', 'key', key, 'content', content, 'encoding', encoding, 'content_type', type))::jsonb ->> 'content_type', t.as('download_object', jsonb_build_object('bucket', 'b', 'key', key))
  FROM (VALUES ('t/a.json', '{"a": 1}', 'text', NULL), ('t/a.md', '# a', 'text', ''), ('t/empty', '', 'text', NULL), ('t/a.png', 'no image', 'text', NULL), ('t/given', 'x', 'text', 'application/pdf'), ('t/params', 'x', 'text', 'text/plain; charset=utf-8'),
               ('t/bytes', '/wD+', 'base64', NULL), ('t/not.txt', '/wD+', 'base64', 'text/plain'), ('t/quote', E'"\\\n\x01', 'text', 'text/plain'), ('t/pdf', encode('%PDF-1.7 x', 'base64'), 'base64', NULL)) AS x(key, content, encoding, type);
-- An image is one of MCP's, with or without structured content; a resource is text or blob.
SELECT t.as('upload_object', '{"bucket": "b", "key": "i.png", "content": "iVBORw0KGgoAAAANSUhEUg==", "encoding": "base64"}')::jsonb ->> 'content_type';
SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"download_object","arguments":{"bucket":"b","key":"i.png"}}}');
SELECT h.body FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"download_object","arguments":{"bucket":"b","key":"t/a.json"}}}', t.credential('ann'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}') AS h;
SELECT k, (SELECT h.body FROM mcp.handle(json_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'resources/read', 'params', json_build_object('uri', 'fluxbase://storage/b/' || k))::text, t.credential('ann'), NULL) AS h) FROM unnest(ARRAY['i.png', 't%2Fa.json', 't/a.json', 't/empty', 't/none', '', '..', 't%2f..']) AS k;
SELECT t.read('ben', 'fluxbase://storage/b/i.png'), t.read('ann', 'fluxbase://storage/c/i.png'), t.read('ann', 'fluxbase://storage/b');
SELECT t.read('ann', 'fluxbase://storage/b/i.png', '{"allowed_resources": ["fluxbase://storage/buckets"]}'), t.read('ann', 'fluxbase://storage/b/t%2Fa.json', '{"allowed_resources": ["fluxbase://storage/{bucket}/{path}"]}');
-- Links to what a list shows, for clients that know them.
SELECT jsonb_pretty(h.body::jsonb -> 'result') ~ 'resource_link', jsonb_path_query_array(h.body::jsonb, '$.result.content[*] ? (@.type == "resource_link").uri') FROM unnest(ARRAY['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) AS v,
    mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_objects","arguments":{"bucket":"b","prefix":"t/a"}}}', t.credential('ann'), jsonb_build_object('http', true, 'headers', jsonb_build_object('mcp-protocol-version', jsonb_build_array(v)))) AS h;
-- Parts: of bytes, and of a text without cutting a character.
SELECT t.as('download_object', jsonb_build_object('bucket', 'b', 'key', 'notes/a.txt', 'offset', o, 'length', l)) FROM (VALUES (0, 2), (1, 2), (2, 1), (3, 100), (6, 1), (100, 1), (0, 6)) AS x(o, l);
SELECT t.as('download_object', '{"bucket": "b", "key": "t/bytes", "offset": 1, "length": 1}'), t.as('download_object', '{"bucket": "b", "key": "t/bytes", "length": 2}'), t.as('download_object', '{"bucket": "b", "key": "i.png", "offset": 0, "length": 4}');
-- Replacing: the old bytes go; or not, if that was not wanted.
SELECT t.stored() AS before \gset
SELECT t.as('upload_object', '{"bucket": "b", "key": "notes/a.txt", "content": "second", "content_type": "text/markdown"}');
SELECT t.as('upload_object', '{"bucket": "b", "key": "notes/a.txt", "content": "third", "overwrite": false}');
SELECT t.as('upload_object', '{"bucket": "b", "key": "notes/new.txt", "content": "new", "overwrite": false}');
SELECT t.as('download_object', '{"bucket": "b", "key": "notes/a.txt"}');
SELECT metadata, created_at < updated_at AS updated FROM storage.objects WHERE path = 'notes/a.txt';
-- Deleting.
SELECT t.as('delete_object', '{"bucket": "b", "key": "notes/a.txt"}');
SELECT t.as('delete_object', '{"bucket": "b", "key": "notes/a.txt"}');
SELECT t.as('download_object', '{"bucket": "b", "key": "notes/a.txt"}');
-- What a bucket takes.
SELECT t.as('upload_object', jsonb_build_object('bucket', 'small', 'key', 'k', 'content', c, 'content_type', ct)) FROM (VALUES ('0123456789', 'text/csv'), ('0123456789a', 'text/csv'), ('x', 'application/json'), ('x', 'IMAGE/PNG'), ('x', 'texting/x')) AS x(c, ct);
SELECT t.read('ann', 'fluxbase://storage/buckets')::jsonb #- '{buckets,0,created_at}' #- '{buckets,1,created_at}';
-- Pages and folders; a prefix is a prefix, whatever LIKE would make of it.
DELETE FROM storage.objects;
SELECT count(t.as('upload_object', jsonb_build_object('bucket', 'b', 'key', k, 'content', 'x'))) FROM unnest(ARRAY['a', 'a%b', 'a_b', 'aXb', 'dir/1', 'dir/2', 'dir/sub/3', 'dir2/1', 'Dir/1', 'z', 'é', E'\U0001F600']) AS k;
CREATE FUNCTION t.page(args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' | ', (SELECT string_agg(o ->> 'key', ' ') FROM jsonb_array_elements(l -> 'objects') AS o), l -> 'common_prefixes', l -> 'count', l -> 'is_truncated', l -> 'next_marker')
  FROM (SELECT t.via('ann', 'list_objects', '{"bucket": "b"}'::jsonb || args)::jsonb) AS x(l)
$$;
SELECT args, t.page(args) FROM (VALUES ('{}'::jsonb), ('{"limit": 3}'), ('{"limit": 3, "start_after": "a%b"}'), ('{"limit": 5000}'), ('{"prefix": "a%"}'), ('{"prefix": "a_"}'), ('{"prefix": "dir/"}'), ('{"prefix": "d"}'), ('{"prefix": "none"}'), ('{"start_after": "zz"}'),
    ('{"delimiter": "/"}'), ('{"delimiter": "/", "limit": 6}'), ('{"delimiter": "/", "limit": 6, "start_after": "dir/"}'), ('{"delimiter": "/", "prefix": "dir/"}'), ('{"delimiter": "", "prefix": "dir"}'), ('{"prefix": "dir", "start_after": "a"}')) AS x(args);
-- The size of an answer has a bound, and says how to go on.
SET mcp.max_result_chars = 1000;
SELECT t.page('{}'), t.page('{"start_after": "dir/1"}');
RESET mcp.max_result_chars;
-- A row without bytes is no object.
INSERT INTO storage.objects (bucket_id, path) VALUES ('b', 'rowonly');
SELECT t.page('{"prefix": "r"}'), t.as('download_object', '{"bucket": "b", "key": "rowonly"}');
DELETE FROM storage.buckets WHERE id = 'b';
-- Completions: buckets and keys.
INSERT INTO storage.buckets (id, name, roles) VALUES ('b', 'b', '{authenticated}'), ('Big', 'Big', '{authenticated}'), ('bats', 'bats', '{service_role}');
SELECT count(t.as('upload_object', jsonb_build_object('bucket', 'b', 'key', k, 'content', 'x'))) FROM unnest(ARRAY['x/1', 'x/2', 'y']) AS k;
CREATE FUNCTION t.complete(key text, argument text, value text, context jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT coalesce(h.body::jsonb #>> '{result,completion,values}', h.body::jsonb #>> '{error,message}') FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'completion/complete', 'params', jsonb_build_object('ref', '{"type": "ref/resource", "uri": "fluxbase://storage/{bucket}/{path}"}'::jsonb, 'argument', jsonb_build_object('name', argument, 'value', value), 'context', jsonb_build_object('arguments', context)))::text, t.credential(key), NULL) AS h
$$;
SELECT t.complete('ann', 'bucket', 'b'), t.complete('ann', 'bucket', ''), t.complete('service', 'bucket', 'B'), t.complete('ann', 'path', 'x', '{"bucket": "b"}'), t.complete('ben', 'path', '', '{"bucket": "b"}'), t.complete('ann', 'path', ''), t.complete('ann', 'nothing', ''), t.complete('a', 'bucket', '');
-- Direct SQL: bytes at once, the row with the transaction; a bucket that goes takes its objects along. What is left over is for the sweep.
SELECT t.orphans() > 0 AS orphans, mcp._sweep_storage('1 hour', 1000) AS too_young;
SELECT t.sweep() > 0 AS swept, t.orphans() AS orphans, t.stored() = (SELECT count(*) FROM storage.objects) AS all_named;
BEGIN;
SELECT t.call('upload_object', '{"bucket": "b", "key": "direct", "content": "x"}') ~ 'direct' AS stored;
SELECT t.call('download_object', '{"bucket": "b", "key": "direct"}')::jsonb ->> 'content' AS content;
ROLLBACK;
SELECT t.orphans() AS orphans, t.call('download_object', '{"bucket": "b", "key": "direct"}') ~ 'no object' AS gone;
-- A savepoint that brings a row back finds its bytes; what is certain to be gone is removed at the commit.
BEGIN;
SAVEPOINT s;
SELECT t.call('delete_object', '{"bucket": "b", "key": "y"}');
ROLLBACK TO s;
COMMIT;
SELECT t.as('download_object', '{"bucket": "b", "key": "y"}');
SELECT t.sweep() AS swept, t.orphans() AS orphans, t.as('download_object', '{"bucket": "b", "key": "y"}')::jsonb ->> 'content' AS content;
-- A prepared transaction is an upload in flight, however old.
BEGIN;
SELECT t.call('upload_object', '{"bucket": "b", "key": "prepared", "content": "p"}') ~ 'prepared' AS stored;
PREPARE TRANSACTION 'regress_upload';
SELECT t.orphans() AS seen_as_orphans, t.sweep() AS swept;
COMMIT PREPARED 'regress_upload';
SELECT t.sweep() AS swept, t.call('download_object', '{"bucket": "b", "key": "prepared"}')::jsonb ->> 'content' AS content;
-- Page by page, round after round.
SELECT count(t.call('upload_object', jsonb_build_object('bucket', 'b', 'key', 'many/' || n, 'content', 'x'))) FROM generate_series(1, 7) AS n;
DELETE FROM storage.objects WHERE path ~ 'many/';
UPDATE mcp._sweep SET after = NULL, rounds = 0;
SELECT n, mcp._sweep_storage('-1 hour', 4) BETWEEN 0 AND 4 AS ok FROM generate_series(1, 4) AS n;
SELECT t.orphans(), rounds > 0 AS rounds FROM mcp._sweep;
-- A copy of the database removes nothing.
BEGIN;
SELECT t.call('upload_object', '{"bucket": "b", "key": "again", "content": "x"}') ~ 'again' AS stored;
ROLLBACK;
UPDATE storage.origin SET database_name = 'another';
SELECT t.sweep() AS swept, t.orphans() AS orphans;
SELECT t.stored() AS before \gset
SELECT t.call('delete_object', '{"bucket": "b", "key": "prepared"}');
SELECT t.stored() - :before AS removed;
UPDATE storage.origin SET database_name = DEFAULT;
SELECT t.sweep() AS swept, t.orphans() AS orphans;
-- Over the listener nothing waits in a transaction: first the row is tried and undone, the answer is that it is pending; then the bytes are there, and the row is written.
CREATE FUNCTION t.served(key text, tool text, args jsonb, pending text DEFAULT NULL, abandon boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(mcp._serve(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', CASE tool WHEN 'read' THEN 'resources/read' ELSE 'tools/call' END, 'params', CASE tool WHEN 'read' THEN args ELSE jsonb_build_object('name', tool, 'arguments', args) END)::text,
           t.credential(key), (jsonb_build_object('http', true) || CASE WHEN pending IS NULL THEN '{}' ELSE jsonb_build_object('pending', jsonb_build_object('id', pending, 'abandon', abandon)) END)::text), 'version\\":\\"[0-9a-f]{32}', 'version\\":\\"(version)')
$$;
-- Waits for the end of that call: mcp._wait ends with any.
CREATE PROCEDURE t.told(id text) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 3000 LOOP
        EXIT WHEN mcp._ended(0) ~ id;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SELECT t.stored() AS before \gset
SELECT split_part(t.served('ann', 'upload_object', '{"bucket": "b", "key": "late", "content": "late bytes"}'), E'\n', 2) AS id \gset
SELECT :'id' ~ '^[0-9a-f]{32}$' AS pending, count(*) AS rows FROM storage.objects WHERE path = 'late';
CALL t.told(:'id');
SELECT mcp._ended(0) ~ :'id' AS told, t.stored() - :before AS stored;
SELECT t.served('ben', 'upload_object', '{"bucket": "b", "key": "late", "content": "late bytes"}', :'id');
SELECT t.served('ann', 'upload_object', '{"bucket": "b", "key": "other", "content": "late bytes"}', :'id');
SELECT count(*) AS rows FROM storage.objects WHERE path IN ('late', 'other');
SELECT t.served('ann', 'upload_object', '{"bucket": "b", "key": "late", "content": "late bytes"}', :'id');
-- Its answer was lost, and it is asked for again.
SELECT t.served('ann', 'upload_object', '{"bucket": "b", "key": "late", "content": "late bytes"}', :'id');
-- Its client went away in the very moment in which the row was written: the listener gives up what is done. The bytes stay.
SELECT t.served('ann', 'upload_object', '{"bucket": "b", "key": "late", "content": "late bytes"}', :'id', true) ~ 'cancelled' AS cancelled;
SELECT t.stored() - :before AS stored, t.as('download_object', '{"bucket": "b", "key": "late"}') ~ 'late bytes' AS there;
-- Refused in the first step: nothing is stored. Refused in the second one, since the grant was taken meanwhile: what was stored goes.
SELECT t.served('ben', 'upload_object', '{"bucket": "b", "key": "late", "content": "x"}');
SELECT t.served('ann', 'upload_object', '{"bucket": "small", "key": "late", "content": "more than ten"}');
SELECT t.stored() - :before AS stored;
SELECT split_part(t.served('ann', 'upload_object', '{"bucket": "b", "key": "later", "content": "x"}'), E'\n', 2) AS id \gset
CALL t.told(:'id');
UPDATE storage.buckets SET roles = '{}' WHERE id = 'b';
SELECT t.served('ann', 'upload_object', '{"bucket": "b", "key": "later", "content": "x"}', :'id');
UPDATE storage.buckets SET roles = '{authenticated}' WHERE id = 'b';
-- A download: the row is looked at twice.
SELECT split_part(t.served('ann', 'download_object', '{"bucket": "b", "key": "late"}'), E'\n', 2) AS id \gset
CALL t.told(:'id');
SELECT t.served('ben', 'download_object', '{"bucket": "b", "key": "late"}', :'id');
SELECT t.served('ann', 'download_object', '{"bucket": "b", "key": "late", "offset": 1}', :'id');
SELECT t.served('ann', 'download_object', '{"bucket": "b", "key": "late"}', :'id');
SELECT split_part(t.served('ann', 'read', '{"uri": "fluxbase://storage/b/late"}'), E'\n', 2) AS id \gset
CALL t.told(:'id');
SELECT t.served('ann', 'read', '{"uri": "fluxbase://storage/b/y"}', :'id');
SELECT t.served('ann', 'read', '{"uri": "fluxbase://storage/b/late"}', :'id');
SELECT t.served('ann', 'delete_object', '{"bucket": "b", "key": "late"}');
-- Nobody waits for it any more.
SELECT split_part(t.served('ann', 'upload_object', '{"bucket": "b", "key": "given up", "content": "x"}'), E'\n', 2) AS id \gset
SELECT t.served('ann', 'upload_object', '{"bucket": "b", "key": "given up", "content": "x"}', :'id', true) ~ 'cancelled' AS cancelled;
SELECT count(*) AS rows FROM storage.objects WHERE path = 'given up';
-- Not in a batch.
SELECT t.try(format('SELECT mcp._serve(%L, %L, %L)', '[{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "upload_object", "arguments": {"bucket": "b", "key": "k", "content": "x"}}}, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "download_object", "arguments": {"bucket": "b", "key": "y"}}}, {"jsonrpc": "2.0", "id": 3, "method": "resources/read", "params": {"uri": "fluxbase://storage/b/y"}}]',
    t.credential('ann'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-03-26"]}}'));
DELETE FROM storage.objects;
SELECT t.sweep() >= 0 AS swept;
DROP FUNCTION t.sweep, t.as, t.page, t.complete, t.served, t.orphans, t.stored;
DROP SCHEMA storage CASCADE;
DELETE FROM mcp.keys WHERE name IN ('ann', 'ben', 'cat', 'nobody', 'guest', 'reads', 'writes', 'storage_reader');
DELETE FROM t.credentials WHERE name IN ('ann', 'ben', 'cat', 'nobody', 'guest', 'reads', 'writes', 'storage_reader');
