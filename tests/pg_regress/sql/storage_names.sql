-- Keys: what is refused, and that all others come back as they were, byte by byte: odd, long, in two cases, in two normal forms; empty files.
\t on
\a
SET client_min_messages = warning;
\o /dev/null
SELECT * FROM mcp.install('{storage}');
SELECT t.key('ann', user_id => 'ann', scopes => '{read:storage,write:storage}');
\o
INSERT INTO storage.buckets (id, name, roles) VALUES ('b', 'b', '{authenticated}');
CREATE TABLE t.names (n int GENERATED ALWAYS AS IDENTITY, key text);
INSERT INTO t.names (key) SELECT unnest(ARRAY['a', 'A', 'a/b', 'a.', '.a', '...', 'a/...', ' ', ' a ', 'a b', 'a\b', '..\..\etc\passwd', 'C:\x', 'CON', 'nul.txt', '%2e%2e%2fx', '%', '*', '?', '#frag?x=1', '"quoted"', '''', '$1', '{path}', '~', '-rf', 'ä', U&'a\0308', 'Ä', U&'\+01F600', U&'\202Etxt.exe', U&'\FEFFbom', '日本語/ファイル', repeat('x', 1024), repeat('ä', 512), repeat('d/', 511) || 'ff']);
-- Each holds its own number; all at once, so none takes the place of another.
SELECT count(*), count(*) FILTER (WHERE t.via('ann', 'upload_object', jsonb_build_object('bucket', 'b', 'key', key, 'content', n::text)) ~ '"version"') AS stored FROM t.names;
SELECT count(*), count(DISTINCT path) FROM storage.objects;
SELECT n, key FROM t.names WHERE t.via('ann', 'download_object', jsonb_build_object('bucket', 'b', 'key', key))::jsonb ->> 'content' IS DISTINCT FROM n::text;
-- The list has them all, and its links lead to them.
SELECT count(*), count(*) FILTER (WHERE t.read('ann', link ->> 'uri') = (SELECT n::text FROM t.names WHERE key = link ->> 'name')) AS right
  FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_objects","arguments":{"bucket":"b"}}}', t.credential('ann'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}') AS h, jsonb_path_query(h.body::jsonb, '$.result.content[*] ? (@.type == "resource_link")') AS link;
-- Without the escapes of a URI where it can be so.
SELECT t.read('ann', 'fluxbase://storage/b/日本語/ファイル') = (SELECT n::text FROM t.names WHERE key = '日本語/ファイル') AS plain;
SELECT count(*) FILTER (WHERE t.via('ann', 'delete_object', jsonb_build_object('bucket', 'b', 'key', key))::jsonb -> 'deleted' = 'true') = count(*) AS deleted FROM t.names;
-- Refused, by each tool, before anything is looked at.
SELECT key, t.via('ann', 'upload_object', jsonb_build_object('bucket', 'b', 'key', key, 'content', 'x')) FROM unnest(ARRAY['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/.', './a', '../a', 'a/../b', 'a/..', E'a\nb', E'a\tb', E'\x7f', E'\x1b[31m']) AS key;
SELECT t.via('ann', 'upload_object', jsonb_build_object('bucket', 'b', 'key', repeat('x', 1025), 'content', 'x')), t.via('ann', 'upload_object', jsonb_build_object('bucket', 'b', 'key', repeat('ä', 512) || 'x', 'content', 'x'));
SELECT substring(h.body FROM 'text":"[^"]*') FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"upload_object","arguments":{"bucket":"b","key":"a\u0000b","content":"x"}}}', t.credential('ann'), NULL) AS h;
SELECT tool, t.via('ann', tool, '{"bucket": "b", "key": "../a"}') FROM unnest(ARRAY['download_object', 'delete_object']) AS tool;
SELECT x, t.via('ann', 'list_objects', jsonb_build_object('bucket', x)) FROM unnest(ARRAY['..', '../b', 'b/', 'B', ' b', '/']) AS x;
SELECT count(*) FROM storage.objects;
-- Empty files, and NUL in the bytes.
SELECT t.via('ann', 'upload_object', '{"bucket": "b", "key": "empty", "content": ""}') ~ '"size":0' AS empty, t.via('ann', 'download_object', '{"bucket": "b", "key": "empty"}')::jsonb - 'etag', t.via('ann', 'download_object', '{"bucket": "b", "key": "empty", "offset": 0, "length": 5}')::jsonb - 'etag';
SELECT t.via('ann', 'upload_object', '{"bucket": "b", "key": "nul", "content": "AAAA", "encoding": "base64"}')::jsonb ->> 'content_type', t.via('ann', 'download_object', '{"bucket": "b", "key": "nul"}')::jsonb ->> 'content';
DROP TABLE t.names;
DROP SCHEMA storage CASCADE;
DELETE FROM mcp.keys WHERE name = 'ann';
DELETE FROM t.credentials WHERE name = 'ann';
