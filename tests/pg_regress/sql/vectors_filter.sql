-- search_vectors: filter, metadata_filter and tags narrow what is found; the limit is filled though an index comes first.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
CREATE SCHEMA vf;
CREATE EXTENSION vector SCHEMA public;
SELECT t.key('vf a', scopes => '{read:vectors}');
GRANT USAGE ON SCHEMA vf TO authenticated;
CREATE TABLE vf.authors (id int PRIMARY KEY, name text);
INSERT INTO vf.authors VALUES (1, 'Ann'), (2, 'Ben');
CREATE TABLE vf.docs (id int PRIMARY KEY, author_id int REFERENCES vf.authors, content text, tags text[], metadata jsonb, "odd ""name" int, embedding vector(3));
-- Every thousandth is rare, and as far away from [1,0,0] as can be.
INSERT INTO vf.docs SELECT n, 1 + n % 2, 'text ' || n, ARRAY['all', CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'common' END],
       jsonb_build_object('lang', CASE WHEN n % 3 = 0 THEN 'en' ELSE 'de' END, 'n', n, 'draft', n % 1000 = 0, 'a b', jsonb_build_object('c', n % 7)), n % 5,
       CASE WHEN n % 1000 = 0 THEN format('[-1,%s,0]', n / 1e6) ELSE format('[1,%s,%s]', sin(n) / 10, cos(n) / 10) END::vector
  FROM generate_series(1, 10000) AS n;
CREATE INDEX ON vf.docs USING hnsw (embedding vector_cosine_ops);
ANALYZE vf.docs;
GRANT SELECT ON vf.docs, vf.authors TO authenticated;
CREATE FUNCTION vf.found(args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN x ~ '^\{' THEN concat_ws(' ', x::jsonb ->> 'count', (SELECT string_agg(r ->> 'chunk_id', ',' ORDER BY n) FROM jsonb_array_elements(x::jsonb -> 'results') WITH ORDINALITY AS e(r, n)), x::jsonb -> 'notes') ELSE x END
  FROM (SELECT t.via('vf a', 'search_vectors', '{"table": "vf.docs", "embedding": [1,0,0], "threshold": 0}' || args)) AS a(x)
$$;
-- Ten rows are rare: as many as asked for are found, in their order.
SELECT vf.found('{"tags": ["rare"], "limit": 10}');
SELECT vf.found('{"tags": ["rare", "all"], "limit": 3}');
SELECT vf.found('{"tags": "rare", "limit": 100}');
SELECT vf.found('{"metadata_filter": {"draft": true}, "limit": 4}');
SELECT vf.found('{"filter": {"tags": {"cs": ["rare"]}, "id": "lte.3000"}}');
-- What they mean: the same rows by plain SQL; fewer than the limit, so all of them.
SELECT bool_and(vf.found(jsonb_build_object('limit', 50) || args) = (SELECT concat(count(*), ' ', string_agg(id::text, ',' ORDER BY d)) FROM (SELECT id, embedding <=> '[1,0,0]' AS d FROM vf.docs WHERE CASE wanted
           WHEN 1 THEN metadata ->> 'lang' = 'en' AND id < 100 WHEN 2 THEN (metadata -> 'n')::int BETWEEN 20 AND 22 WHEN 3 THEN (metadata #> '{a b,c}')::int = 6 AND id < 20
           WHEN 4 THEN author_id = 2 AND id > 9990 WHEN 5 THEN id IN (7, 8) OR id = 9 WHEN 6 THEN "odd ""name" = 4 AND id < 10 END ORDER BY (embedding <=> '[1,0,0]') + 0 LIMIT 50) AS x))
  FROM (VALUES (1, '{"metadata_filter": {"lang": "eq.en"}, "filter": {"id": "lt.100"}}'::jsonb), (2, '{"metadata_filter": {"n": {"gte": 20, "lte": 22}}}'),
               (3, '{"filter": {"metadata->\"a b\"->c": {"eq": 6}, "id": "lt.20"}}'), (4, '{"filter": {"authors.name": "eq.Ben", "id": "gt.9990"}}'),
               (5, '{"filter": {"or": [{"id": {"in": [7, 8]}}, {"id": 9}]}}'), (6, '{"filter": {"odd \"name": 4, "id": "lt.10"}}')) AS c(wanted, args);
SELECT vf.found('{"metadata_filter": {"n": {"in": [5, 6]}}}');
SELECT vf.found('{"metadata_filter": {"lang": "in.(xx,yy)"}}');
-- What is not understood is refused.
SELECT vf.found('{"filter": {"nothing": 1}}');
SELECT vf.found('{"filter": []}');
SELECT vf.found('{"metadata_filter": {"lang": "en"}}');
SELECT vf.found('{"metadata_filter": "lang=en"}');
SELECT vf.found('{"tags": [1]}');
SELECT t.via('vf a', 'search_vectors', '{"table": "vf.docs", "embedding": [1,0,0], "tags": ["x"], "metadata_filter": {"a\"->>b": "eq.1"}}');
CREATE TABLE vf.plain (id int PRIMARY KEY, content text, embedding vector(3));
GRANT SELECT ON vf.plain TO authenticated;
SELECT vf.found('{"table": "vf.plain", "tags": ["rare"]}');
SELECT vf.found('{"table": "vf.plain", "metadata_filter": {"n": 1}}');
SELECT vf.found('{"table": "vf.plain"}');
DROP SCHEMA vf CASCADE;
DROP EXTENSION vector;
