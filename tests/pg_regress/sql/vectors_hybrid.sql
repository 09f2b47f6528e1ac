-- search_vectors: words, vectors and both; ranks, scores and their sum; which index each side reads.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
CREATE SCHEMA vh;
CREATE EXTENSION vector SCHEMA public;
SELECT t.key('vh a', scopes => '{read:vectors}');
GRANT USAGE ON SCHEMA vh TO authenticated;
CREATE TABLE vh.docs (id int PRIMARY KEY, title text, content text, embedding vector(2));
INSERT INTO vh.docs VALUES (1, 'cats', 'The cat sat on the mat', '[1,0]'), (2, 'kittens', 'Young felines play', '[0.98,0.02]'), (3, 'dogs', 'A dog barks at the cat', '[0.2,0.8]'),
    (4, 'cars', 'Motors and wheels', '[0,1]'), (5, 'none', 'cat cat cat without a vector', NULL), (6, 'mixed', 'Cats and dogs play', '[0.6,0.4]');
GRANT SELECT ON vh.docs TO authenticated;
CREATE FUNCTION vh.found(args jsonb) RETURNS SETOF text LANGUAGE sql AS $$
SELECT CASE WHEN r IS NULL THEN x ELSE concat_ws(' ', r -> 'chunk_id', r -> 'similarity', r -> 'score', r -> 'scores') END
  FROM (SELECT t.via('vh a', 'search_vectors', '{"table": "vh.docs"}' || args)) AS a(x)
       LEFT JOIN LATERAL jsonb_array_elements(CASE WHEN x ~ '^\{' THEN x::jsonb -> 'results' END) WITH ORDINALITY AS e(r, n) ON true ORDER BY n
$$;
-- Words alone, all of them; any of them when none has all; none.
SELECT * FROM vh.found('{"query": "cat", "mode": "text"}');
SELECT * FROM vh.found('{"query": "dog wheels", "mode": "text"}');
SELECT * FROM vh.found('{"query": "zebra", "mode": "text"}');
SELECT t.via('vh a', 'search_vectors', '{"table": "vh.docs", "query": "\"cat sat\" -dog", "mode": "text"}');
-- A rare word outweighs two common ones; what is written with operators is asked as it is written.
INSERT INTO vh.docs SELECT n, 'filler', 'common plain words', NULL FROM generate_series(101, 140) AS n;
INSERT INTO vh.docs VALUES (100, 'rare', 'a xylophone', NULL);
SELECT * FROM vh.found('{"query": "common plain xylophone", "mode": "text", "limit": 2}');
SELECT * FROM vh.found('{"query": "common -plain", "mode": "text"}');
DELETE FROM vh.docs WHERE id >= 100;
-- With an index its configuration is taken: a stem is found.
CREATE INDEX docs_words ON vh.docs USING gin (to_tsvector('english', content));
SELECT * FROM vh.found('{"query": "cats playing", "mode": "text"}');
-- Both.
CREATE INDEX docs_near ON vh.docs USING hnsw (embedding vector_cosine_ops);
SELECT t.via('vh a', 'search_vectors', '{"table": "vh.docs", "query": "cat", "embedding": [1,0], "mode": "hybrid", "threshold": 0, "limit": 2}');
SELECT * FROM vh.found('{"query": "cat", "embedding": [1,0], "mode": "hybrid", "threshold": 0}');
SELECT * FROM vh.found('{"query": "cat", "embedding": [1,0], "mode": "hybrid", "threshold": 0.9}');
SELECT * FROM vh.found('{"query": "cat", "embedding": [1,0], "mode": "hybrid", "threshold": 0.9, "text_weight": 0}');
SELECT * FROM vh.found('{"query": "cat", "embedding": [1,0], "mode": "hybrid", "threshold": 0.9, "text_weight": 1}');
SELECT * FROM vh.found('{"query": "cat", "embedding": [1,0], "mode": "hybrid", "filter": {"id": "gt.2"}}');
-- The score is what it says.
SELECT bool_and(abs((r ->> 'score')::float8 - 61 * (coalesce(0.3 * (r #>> '{scores,text_share}')::float8 / (60 + (r #>> '{scores,text_rank}')::int), 0) + coalesce(0.7 * (r ->> 'similarity')::float8 / (60 + (r #>> '{scores,vector_rank}')::int), 0))) < 1e-6), count(*), x ->> 'ranking'
  FROM (SELECT t.via('vh a', 'search_vectors', '{"table": "vh.docs", "query": "cat", "embedding": [1,0], "mode": "hybrid", "threshold": 0, "text_weight": 0.3}')::jsonb) AS a(x), jsonb_array_elements(x -> 'results') AS r
 GROUP BY x;
-- Several keys; a tsvector column; a knowledge base with a configuration; two of them.
CREATE TABLE vh.pages (book text, page int, body text, words tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED, embedding vector(2), PRIMARY KEY (book, page));
INSERT INTO vh.pages (book, page, body, embedding) VALUES ('a', 1, 'a cat here', '[1,0.1]'), ('a', 2, 'cats there', '[0.5,0.5]'), ('b"', 1, 'no animal', '[0,1]');
GRANT SELECT ON vh.pages TO authenticated;
SELECT * FROM vh.found('{"table": "vh.pages", "query": "cat", "embedding": [1,0], "mode": "hybrid", "threshold": 0}');
SELECT t.via('vh a', 'search_vectors', '{"table": "vh.pages", "query": "cat", "mode": "text"}')::jsonb -> 'notes';
\o /dev/null
SELECT mcp.install('{ai}');
SELECT mcp.register_knowledge_base('docs', 'vh.docs', 'content', title => 'title', text_config => 'english', text_weight => 0.2);
SELECT mcp.register_knowledge_base('pages', 'vh.pages', 'body', search => 'words');
\o
SELECT * FROM vh.found('{"table": null, "query": "cats", "mode": "text"}');
SELECT * FROM vh.found('{"table": null, "query": "cats", "embedding": [1,0], "mode": "hybrid", "threshold": 0, "limit": 4}');
SELECT t.via('vh a', 'search_vectors', '{"knowledge_bases": ["docs"], "query": "cats", "embedding": [1,0], "mode": "hybrid"}')::jsonb -> 'ranking';
-- Without a key there is nothing to put the sides together by; without text there are no words.
CREATE TABLE vh.bare (content text, n int, embedding vector(2));
CREATE TABLE vh.numbers (id int PRIMARY KEY, embedding vector(2));
GRANT SELECT ON vh.bare, vh.numbers TO authenticated;
SELECT * FROM vh.found('{"table": "vh.bare", "query": "cat", "embedding": [1,0], "mode": "hybrid"}');
SELECT * FROM vh.found('{"table": "vh.numbers", "query": "cat", "mode": "text"}');
-- Each side reads its own index: nothing is read from one end to the other.
CREATE TABLE vh.many (id int PRIMARY KEY, content text, embedding vector(3));
INSERT INTO vh.many SELECT n, 'word' || n % 500 || ' filler text number ' || n, format('[%s,%s,%s]', sin(n), cos(n * 3), sin(n * 7))::vector FROM generate_series(1, 20000) AS n;
CREATE INDEX many_words ON vh.many USING gin (to_tsvector('english', content));
CREATE INDEX many_near ON vh.many USING hnsw (embedding vector_cosine_ops);
VACUUM ANALYZE vh.many;
GRANT SELECT ON vh.many TO authenticated;
CREATE FUNCTION vh.scans() RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', 'seq', pg_stat_get_xact_numscans('vh.many'::regclass), 'near', pg_stat_get_xact_numscans('vh.many_near'::regclass), 'words', pg_stat_get_xact_numscans('vh.many_words'::regclass))
$$;
BEGIN;
SELECT count(*) FROM vh.found('{"table": "vh.many", "query": "word7", "embedding": [1,0,0], "mode": "hybrid", "threshold": 0}');
SELECT vh.scans();
SELECT count(*) FROM vh.found('{"table": "vh.many", "embedding": [1,0,0]}');
SELECT vh.scans();
SELECT count(*) FROM vh.found('{"table": "vh.many", "query": "word8", "mode": "text"}');
SELECT vh.scans();
-- Often enough that a plan for all values would be taken.
SELECT DISTINCT count(*) FROM generate_series(1, 12) AS n, vh.found(jsonb_build_object('table', 'vh.many', 'query', 'word' || n, 'embedding', '[1,0,0]'::jsonb, 'mode', 'hybrid', 'threshold', 0)) GROUP BY n;
SELECT vh.scans();
COMMIT;
DROP SCHEMA vh, ai CASCADE;
DROP EXTENSION vector;
