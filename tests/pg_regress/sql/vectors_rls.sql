-- search_vectors and row-level security: a tenant of one row in a thousand gets as many of its own rows as it asks for, in the right
-- order, whatever the index gives; nothing of others shows or moves a score.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
CREATE SCHEMA vr;
CREATE EXTENSION vector SCHEMA public;
SELECT t.key('vr big', scopes => '{read:vectors,read:tables}', claims => '{"tenant": "0"}'), t.key('vr small', scopes => '{read:vectors,read:tables}', claims => '{"tenant": "7"}'),
       t.key('vr far', scopes => '{read:vectors,read:tables}', claims => '{"tenant": "8"}'), t.key('vr none', scopes => '{read:vectors,read:tables}', claims => '{"tenant": "none"}');
GRANT USAGE ON SCHEMA vr TO authenticated;
CREATE TABLE vr.docs (id int PRIMARY KEY, tenant text, content text, embedding vector(8));
-- 20,000 rows: tenants 7 and 8 have 20 each; those of 7 lie anywhere, those of 8 opposite to where is asked.
SELECT setseed(0.5);
INSERT INTO vr.docs SELECT n, CASE WHEN n % 1000 = 7 THEN '7' WHEN n % 1000 = 8 THEN '8' ELSE '0' END, 'word ' || n,
       ARRAY(SELECT CASE WHEN n % 1000 = 8 THEN -1 + random() / 10 ELSE random() END FROM generate_series(1, 8) WHERE n > 0)::vector
  FROM generate_series(1, 20000) AS n;
CREATE INDEX docs_near ON vr.docs USING hnsw (embedding vector_cosine_ops);
CREATE INDEX docs_words ON vr.docs USING gin (to_tsvector('simple', content));
ALTER TABLE vr.docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vr.docs USING (tenant = mcp.claim('tenant'));
GRANT SELECT ON vr.docs TO authenticated;
VACUUM ANALYZE vr.docs;
CREATE FUNCTION vr.ids(key text, args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT (SELECT string_agg(r ->> 'chunk_id', ',' ORDER BY n) FROM jsonb_array_elements(x -> 'results') WITH ORDINALITY AS e(r, n))
  FROM (SELECT t.via(key, 'search_vectors', '{"table": "vr.docs", "embedding": [1,1,1,1,1,1,1,1], "threshold": 0}' || args)::jsonb) AS a(x)
$$;
CREATE FUNCTION vr.exact(own text, rows int) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(id::text, ',' ORDER BY d) FROM (SELECT id, embedding <=> '[1,1,1,1,1,1,1,1]' AS d FROM vr.docs WHERE tenant = own ORDER BY (embedding <=> '[1,1,1,1,1,1,1,1]') + 0 LIMIT rows) AS x
$$;
SELECT n, vr.ids('vr small', jsonb_build_object('limit', greatest(n, 10))) = vr.exact('7', greatest(n, 10)) AS small, vr.ids('vr far', jsonb_build_object('limit', n)) = vr.exact('8', n) AS far FROM unnest(ARRAY[1, 5, 10, 20, 100]) AS n;
SELECT cardinality(string_to_array(vr.ids('vr big', '{"limit": 100}'), ',')), vr.ids('vr none', '{}') IS NULL AS nothing;
-- The same through a knowledge base, with a filter, in mode hybrid, and in query_table.
\o /dev/null
SELECT mcp.install('{ai}');
SELECT mcp.register_knowledge_base('all', 'vr.docs', 'content');
\o
SELECT vr.ids('vr far', '{"table": null, "knowledge_bases": ["all"], "limit": 7}') = vr.exact('8', 7);
SELECT vr.ids('vr small', '{"limit": 100, "filter": {"id": "gt.10000"}}') = (SELECT string_agg(id, ',' ORDER BY n) FROM unnest(string_to_array(vr.exact('7', 100), ',')) WITH ORDINALITY AS u(id, n) WHERE id::int > 10000);
SELECT count(*), count(*) FILTER (WHERE d.tenant = '8'), count(*) FILTER (WHERE r #>> '{scores,vector_rank}' IS NOT NULL), min((r #>> '{scores,vector_rank}')::int), max((r #>> '{scores,vector_rank}')::int)
  FROM jsonb_array_elements(t.via('vr far', 'search_vectors', '{"table": "vr.docs", "query": "word 1008", "embedding": [1,1,1,1,1,1,1,1], "mode": "hybrid", "threshold": 0, "limit": 20}')::jsonb -> 'results') AS r JOIN vr.docs AS d ON d.id = (r ->> 'chunk_id')::int;
SELECT (SELECT string_agg(r ->> 'id', ',' ORDER BY n) FROM jsonb_array_elements(x::jsonb) WITH ORDINALITY AS e(r, n)) = vr.exact('8', 5)
  FROM (SELECT split_part(t.via('vr far', 'query_table', '{"table": "vr.docs", "select": "id,tenant", "limit": 5, "vector_search": {"column": "embedding", "embedding": [1,1,1,1,1,1,1,1], "threshold": 0}}'), E'\n', 1)) AS a(x);
-- Words: a rank counts the caller's rows only.
SELECT r -> 'chunk_id', r -> 'scores' FROM jsonb_array_elements(t.via('vr small', 'search_vectors', '{"table": "vr.docs", "query": "word", "mode": "text", "limit": 2}')::jsonb -> 'results') AS r;
-- Rows of others make no difference: the answer is the same byte for byte when they come, go or change.
SELECT md5(t.via('vr small', 'search_vectors', '{"table": "vr.docs", "query": "word 1007", "embedding": [1,1,1,1,1,1,1,1], "mode": "hybrid", "threshold": 0}')) AS before \gset
DELETE FROM vr.docs WHERE tenant = '0' AND id % 3 = 0;
UPDATE vr.docs SET embedding = '[1,1,1,1,1,1,1,1]', content = 'word word word' WHERE tenant = '0' AND id % 3 = 1;
SELECT md5(t.via('vr small', 'search_vectors', '{"table": "vr.docs", "query": "word 1007", "embedding": [1,1,1,1,1,1,1,1], "mode": "hybrid", "threshold": 0}')) = :'before' AS same;
-- The index is gone through first: with a policy that keeps enough, nothing else is read.
BEGIN;
SELECT pg_stat_get_xact_numscans('vr.docs'::regclass) AS seq, pg_stat_get_xact_numscans('vr.docs_near'::regclass) AS near \gset
SELECT cardinality(string_to_array(vr.ids('vr big', '{"limit": 10}'), ','));
SELECT pg_stat_get_xact_numscans('vr.docs'::regclass) - :seq AS seq, pg_stat_get_xact_numscans('vr.docs_near'::regclass) - :near AS near;
COMMIT;
-- Settings of the search end with it.
SELECT current_setting('hnsw.iterative_scan'), current_setting('hnsw.ef_search');
DROP SCHEMA vr, ai CASCADE;
DROP EXTENSION vector;
