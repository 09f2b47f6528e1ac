-- Batches of 2025-03-26: one transaction, one answer for each request, each message limited as if it had come alone.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE TABLE public.batched (id int PRIMARY KEY, note text);
GRANT SELECT, INSERT ON public.batched TO authenticated;
CREATE FUNCTION t.insert(id int) RETURNS text LANGUAGE sql AS $$
SELECT format('{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"insert_record","arguments":{"table":"batched","data":{"id":%s}}}}', id, id)
$$;
-- In SQL and over HTTP; a call that fails is its own error and takes nothing back of the others.
SELECT e ->> 'id', e -> 'result' -> 'isError', e -> 'error' ->> 'code' FROM json_array_elements(mcp.handle(format('[%s,%s,{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":3,"method":"nope"}]', t.insert(1), t.insert(1))::jsonb)) AS e;
SELECT e ->> 'id', e -> 'result' -> 'isError' FROM mcp.handle(format('[%s,%s,%s]', t.insert(2), t.insert(1), t.insert(3)), t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-03-26"]}}') AS h, jsonb_array_elements(h.body::jsonb) AS e WHERE h.status = 200;
SELECT id FROM public.batched ORDER BY id;
-- Another revision has none, and then nothing of it is done.
SELECT t.http(format('[%s]', t.insert(4)), t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}');
SELECT t.http('[]', t.credential('a')), t.http('[{"jsonrpc":"2.0","method":"notifications/initialized"}]', t.credential('a'));
SELECT count(*) FROM public.batched WHERE id = 4;
-- A limit of three: a batch counts as the messages in it, and one that goes beyond the limit is refused as a whole.
INSERT INTO t.credentials (name, credential) SELECT 'three', t.wire(key) FROM mcp.create_key('client', 'batch of three', '{read:tables,write:tables}', rate_limit_per_min => 3);
SELECT left(t.http(format('[%s,%s]', t.insert(11), t.insert(12)), t.credential('three')), 4);
SELECT left(t.http(format('[%s,%s]', t.insert(13), t.insert(14)), t.credential('three')), 4);
SELECT id FROM public.batched WHERE id > 10 ORDER BY id;
DELETE FROM t.credentials WHERE name = 'three';
-- A wrong key is one refusal.
SELECT left(t.http(format('[%s,%s]', t.insert(21), t.insert(22)), 'fbk:0123456789abcdef:' || repeat('0', 64)), 60);
DROP FUNCTION t.insert;
DROP TABLE public.batched;
