-- Ready-made knowledge bases without an endpoint: what they are made of, tools, chunks, two users, and what nobody may do.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
SELECT t.key('kb a', scopes => '{write:tables,read:vectors,read:tables}', user_id => 'ann'), t.key('kb b', scopes => '{write:tables,read:vectors,read:tables}', user_id => 'ben'),
       t.key('kb none', scopes => '{write:tables,read:vectors}'), t.key('kb reads', scopes => '{read:vectors}', user_id => 'ann');
CREATE FUNCTION t.tools(key text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT jsonb_path_query_array(h.body::jsonb, '$.result.tools[*].name ? (@ like_regex "document|vectors")') FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential(key), NULL) AS h
$$;
CREATE FUNCTION t.masked(answer text) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace(answer, '[0-9a-f]{8}-[0-9a-f-]{27}', 'UUID', 'g') $$;
SELECT t.tools('kb a');
SELECT t.via('kb a', 'add_document', '{"knowledge_base": "docs", "content": "x"}');
CREATE EXTENSION vector SCHEMA public;
SELECT t.tools('kb a');
SELECT * FROM mcp.install('{ai}');
SELECT t.tools('kb a'), t.tools('kb reads');
SELECT count(*) FROM mcp.install('{ai}') AS line WHERE line LIKE '%created%';
-- What makes no knowledge base.
SELECT t.try($$SELECT ai.create_knowledge_base('docs')$$);
SELECT t.try($$SELECT ai.create_knowledge_base('docs', dimensions => 4001)$$);
SELECT t.try($$SELECT ai.create_knowledge_base('x"; DROP TABLE ai.documents', dimensions => 3)$$);
SELECT t.try($$SELECT ai.create_knowledge_base('docs', dimensions => 3, chunk_size => 10)$$);
SELECT t.try($$SELECT ai.create_knowledge_base('docs', dimensions => 3, chunk_overlap => 300)$$);
SELECT t.try($$SELECT ai.create_knowledge_base('docs', dimensions => 3, chunk_strategy => 'words')$$);
SELECT t.try($$SELECT ai.create_knowledge_base('docs', dimensions => 3, visibility => 'all')$$);
SELECT * FROM ai.create_knowledge_base('docs', dimensions => 3, chunk_size => 60, chunk_overlap => 10, chunk_strategy => 'sentence');
SELECT t.try($$SELECT ai.create_knowledge_base('docs', dimensions => 3)$$);
SELECT t.try($$SELECT ai.create_knowledge_base('Help!', dimensions => 3)$$);
SELECT * FROM ai.create_knowledge_base('help', visibility => 'shared', dimensions => 3000, text_config => 'english');
SELECT i.indexdef FROM pg_indexes AS i WHERE i.schemaname = 'ai' AND i.tablename IN ('chunks_docs', 'chunks_help') AND i.indexdef ~ 'hnsw|gin' ORDER BY 1;
-- The tools.
SELECT t.via('kb a', 'add_document', '{"knowledge_base": "dogs", "content": "x"}');
SELECT t.via('kb a', 'add_document', '{"knowledge_base": "docs"}');
SELECT t.via('kb a', 'add_document', '{"knowledge_base": "docs", "content": " "}');
SELECT t.via('kb a', 'add_document', '{"knowledge_base": "docs", "content": "x", "metadata": [1]}');
SELECT t.via('kb a', 'add_document', '{"knowledge_base": "docs", "content": "x", "owner_id": "ben"}');
SELECT t.masked(t.via('kb a', 'add_document', '{"knowledge_base": "docs", "title": "Cats", "tags": ["animal"], "metadata": {"lang": "en"}, "content": "Cats sleep most of the day. They hunt at night. Nobody knows why they purr."}'));
SELECT c.chunk_index, c.content, c.start_offset, c.end_offset, c.document_title, c.tags, c.metadata, c.owner_id, c.embedding FROM ai.chunks_docs AS c ORDER BY 1;
SELECT t.masked(t.via('kb b', 'add_document', '{"knowledge_base": "docs", "title": "Dogs", "content": "Dogs bark at night."}'));
-- Words find them at once, and only to their owner.
SELECT t.masked(t.via('kb a', 'search_vectors', '{"knowledge_bases": ["docs"], "query": "night", "mode": "text"}'));
SELECT t.via('kb b', 'search_vectors', '{"query": "night", "mode": "text"}')::jsonb #> '{results,0,content}', t.via('kb b', 'search_vectors', '{"query": "cats", "mode": "text"}')::jsonb -> 'count',
       t.via('kb none', 'search_vectors', '{"query": "night", "mode": "text"}')::jsonb -> 'count';
-- Nobody changes or removes what is another's, and nobody without a user adds anything; what is shared is for administrators to write.
SELECT id AS ann FROM ai.documents WHERE owner_id = 'ann' \gset
SELECT t.masked(t.via('kb b', 'delete_document', jsonb_build_object('document_id', :'ann')));
SELECT t.masked(t.via('kb b', 'add_document', jsonb_build_object('knowledge_base', 'docs', 'content', 'mine now', 'document_id', :'ann')));
SELECT t.via('kb none', 'add_document', '{"knowledge_base": "docs", "content": "x"}');
SELECT t.via('kb a', 'add_document', '{"knowledge_base": "help", "content": "x"}');
SELECT t.via('kb a', 'delete_document', '{"document_id": "x"}'), t.via('kb a', 'delete_document', '{}');
SELECT t.via('kb reads', 'add_document', '{"knowledge_base": "docs", "content": "x"}');
SELECT t.via('kb a', 'query_table', '{"table": "ai.chunks_docs"}');
CREATE TABLE t.mine (id uuid, knowledge_base_id uuid, content text);
ALTER TABLE t.mine OWNER TO authenticated;
SET ROLE authenticated;
SELECT t.try($$INSERT INTO ai.chunks_docs (document_id, chunk_index, content, start_offset, end_offset, tags, metadata, content_hash) VALUES (gen_random_uuid(), 0, 'x', 0, 1, '{}', '{}', '')$$);
SELECT t.try($$SELECT mcp._embedding_claim(1, 1)$$), t.try($$SELECT ai.create_knowledge_base('x', dimensions => 1)$$), t.try($$SELECT mcp._drop_chunks('chunks_docs')$$);
-- What cuts documents is called by its trigger alone, and put on no other table.
SELECT t.try($$SELECT mcp._document_changed('ai.documents'::regclass, 'INSERT', NULL, ROW(1))$$);
SELECT t.try($$CREATE TRIGGER mine AFTER INSERT ON t.mine FOR EACH ROW EXECUTE FUNCTION ai.document_changed()$$);
SELECT count(*) FROM ai.chunks_docs;
RESET ROLE;
CREATE TRIGGER mine AFTER INSERT ON t.mine FOR EACH ROW EXECUTE FUNCTION ai.document_changed();
SELECT t.try($$INSERT INTO t.mine SELECT gen_random_uuid(), k.id, 'x' FROM ai.knowledge_bases AS k$$);
DROP TABLE t.mine;
SET ROLE mcp_jobs;
SELECT t.try($$SELECT mcp._embedding_claim(1, 1)$$), t.try($$SELECT count(*) FROM ai.documents$$), t.try($$SELECT count(*) FROM ai.chunks_docs$$);
RESET ROLE;
-- A table that only has the name of one of ours is not written.
CREATE TABLE ai.chunks_fake (LIKE ai.chunks_docs);
UPDATE ai.knowledge_bases SET table_name = 'chunks_fake' WHERE name = 'help';
SELECT t.try($$INSERT INTO ai.documents (knowledge_base_id, content) SELECT id, 'x' FROM ai.knowledge_bases WHERE name = 'help'$$);
UPDATE ai.knowledge_bases SET table_name = 'chunks_help' WHERE name = 'help';
DROP TABLE ai.chunks_fake;
-- A change: what stays keeps its vector, the rest waits; the title alone touches no text.
UPDATE ai.chunks_docs SET embedding = '[1,2,3]' WHERE owner_id = 'ann';
SELECT t.masked(t.via('kb a', 'add_document', jsonb_build_object('knowledge_base', 'docs', 'document_id', :'ann', 'content', 'Cats sleep most of the day. They hunt at night. Now we know why they purr.')));
SELECT c.chunk_index, c.content, c.embedding, c.document_title FROM ai.chunks_docs AS c WHERE c.owner_id = 'ann' ORDER BY 1;
UPDATE ai.documents SET title = 'All cats', tags = '{pet}' WHERE id = :'ann';
SELECT DISTINCT c.document_title, c.tags, count(*) OVER () FROM ai.chunks_docs AS c WHERE c.owner_id = 'ann';
-- Common documents, by SQL; another knowledge base.
INSERT INTO ai.documents (knowledge_base_id, content, title) SELECT k.id, 'Help for everybody at night', k.name FROM ai.knowledge_bases AS k WHERE k.name IN ('docs', 'help');
SELECT t.via('kb none', 'search_vectors', '{"query": "night", "mode": "text"}')::jsonb -> 'count', t.via('kb a', 'search_vectors', '{"query": "night", "mode": "text"}')::jsonb -> 'count';
UPDATE ai.documents SET knowledge_base_id = (SELECT id FROM ai.knowledge_bases WHERE name = 'help') WHERE title = 'docs';
SELECT (SELECT count(*) FROM ai.chunks_docs), (SELECT count(*) FROM ai.chunks_help);
SELECT name, documents, chunks, embedded, waiting, failed, problem FROM ai.knowledge_base_status();
-- Vectors are claimed, stored for what is still there and of that model, and used again for the same text of the same owner.
UPDATE ai.knowledge_bases SET embedding_model = 'm';
INSERT INTO ai.documents (knowledge_base_id, content, owner_id) SELECT k.id, 'Cats sleep most of the day. They hunt at night. ', u.u FROM ai.knowledge_bases AS k, unnest('{ann,ben}'::text[]) AS u WHERE k.name = 'docs';
UPDATE ai.knowledge_bases SET enabled = false WHERE name = 'help';
SELECT jsonb_array_length(b -> 'ids'), b -> 'model', b -> 'dimensions', (SELECT string_agg(x, '|' ORDER BY x) FROM jsonb_array_elements_text(b -> 'texts') AS x) FROM (SELECT mcp._embedding_claim(10, 1000)::jsonb AS b) AS s;
SELECT c.owner_id, c.content, c.embedding FROM ai.chunks_docs AS c ORDER BY 1, 2;
SELECT jsonb_array_length(mcp._embedding_claim(10, 1)::jsonb -> 'ids') AS one, mcp._embedding_claim(1, 1000)::jsonb -> 'ids' ->> 0 AS id, mcp._embedding_claim(1, 1000)::jsonb ->> 'knowledge_base' AS kb \gset
SELECT :one, mcp._embedding_store(:'kb', 'other', ARRAY[:'id'::uuid], '{"[1,1,1]"}', NULL), mcp._embedding_store(:'kb', 'm', ARRAY[gen_random_uuid()], '{"[1,1,1]"}', NULL),
       t.try(format($$SELECT mcp._embedding_store(%L, 'm', ARRAY[%L::uuid], '{"[1,1]"}', NULL)$$, :'kb', :'id')), mcp._embedding_store(:'kb', 'm', ARRAY[:'id'::uuid], '{"[1,1,1]"}', NULL);
SELECT mcp._embedding_store(:'kb', 'm', ARRAY(SELECT c.id FROM ai.chunks_docs AS c WHERE c.embedding IS NULL), NULL, 'refused');
SELECT mcp._embedding_claim(10, 1000) IS NULL;
SELECT name, documents, chunks, embedded, waiting, failed FROM ai.knowledge_base_status() WHERE name = 'docs';
-- Removing.
SELECT t.via('kb a', 'delete_document', jsonb_build_object('document_id', :'ann'))::jsonb -> 'deleted';
SELECT count(*) FROM ai.chunks_docs AS c WHERE c.document_id = :'ann';
SELECT t.try($$SELECT mcp.unregister_knowledge_base('docs')$$);
SELECT t.try($$SELECT ai.drop_knowledge_base('nope')$$), ai.drop_knowledge_base('docs') > 0, to_regclass('ai.chunks_docs') IS NULL;
SELECT ai.drop_knowledge_base('help');
DROP SCHEMA ai CASCADE;
DROP EXTENSION vector;
SELECT t.tools('kb a');
DROP FUNCTION t.tools, t.masked;
