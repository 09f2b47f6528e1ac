-- query_table with vector_search: the nearest rows first, with filter, select, related rows, limit and offset; what it refuses.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
CREATE SCHEMA qv;
CREATE EXTENSION vector SCHEMA public;
SELECT t.key('qv a', scopes => '{read:vectors,read:tables}');
SELECT t.key('qv b', scopes => '{read:tables}');
GRANT USAGE ON SCHEMA qv TO authenticated;
CREATE TABLE qv.authors (id int PRIMARY KEY, name text);
CREATE TABLE qv.docs (id int PRIMARY KEY, author_id int REFERENCES qv.authors, title text, price numeric, embedding vector(2));
INSERT INTO qv.authors VALUES (1, 'Ann'), (2, 'Ben');
INSERT INTO qv.docs VALUES (1, 1, 'near', 10, '[1,0]'), (2, 2, 'nearer', 20, '[0.9,0.1]'), (3, 1, 'far', 30, '[0,1]'), (4, 2, 'empty', 40, NULL);
CREATE INDEX ON qv.docs USING hnsw (embedding vector_cosine_ops);
GRANT SELECT ON qv.docs, qv.authors TO authenticated;
CREATE FUNCTION qv.q(args jsonb, near jsonb DEFAULT '{"column": "embedding", "embedding": [1,0]}') RETURNS text LANGUAGE sql AS $$
SELECT t.via('qv a', 'query_table', '{"table": "qv.docs"}' || args || jsonb_build_object('vector_search', near))
$$;
SELECT qv.q('{}');
SELECT qv.q('{"select": "id,title,author:authors(name)"}', '{"column": "embedding", "embedding": [1,0], "threshold": 0}');
SELECT qv.q('{"select": "id", "filter": {"price": {"gte": 20}}}', '{"column": "embedding", "embedding": [1,0], "threshold": 0}');
SELECT qv.q('{"select": "id", "filter": {"authors.name": "eq.Ben"}}', '{"embedding": [1,0], "threshold": 0}');
SELECT qv.q('{"select": "id", "limit": 1}', '{"column": "embedding", "embedding": [1,0], "threshold": 0}');
SELECT qv.q('{"select": "id", "limit": 1, "offset": 1}', '{"column": "embedding", "embedding": [1,0], "threshold": 0}');
SELECT qv.q('{"select": "id"}', '{"column": "embedding", "embedding": [1,0], "metric": "l2"}');
SELECT qv.q('{"select": "id"}', '{"column": "embedding", "embedding": [1,0], "metric": "l2", "threshold": 0.5}');
-- Structured: rows are marked, and it is told whether there is more.
SELECT h.body::jsonb #> '{result,structuredContent}'
  FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"qv.docs","select":"id","limit":1,"vector_search":{"embedding":[1,0]}}}}',
                  t.credential('qv a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h;
SELECT h.body::jsonb #> '{result,structuredContent}'
  FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"qv.docs","select":"id","limit":2,"vector_search":{"embedding":[1,0]}}}}',
                  t.credential('qv a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h;
-- Text needs an endpoint; both scopes are needed.
SELECT qv.q('{}', '{"column": "embedding", "query": "what is near?"}');
SELECT t.via('qv b', 'query_table', '{"table": "qv.docs", "vector_search": {"column": "embedding", "embedding": [1,0]}}');
-- Refused.
SELECT a, qv.q(a::jsonb) FROM unnest(ARRAY['{"order": "id"}', '{"cursor": "x"}', '{"count": "exact"}', '{"select": "count()"}', '{"select": "similarity:id"}', '{"limit": -1}']) AS a;
SELECT n, qv.q('{"select": "id"}', n::jsonb) FROM unnest(ARRAY['[1,0]', '{}', '{"query": "x", "embedding": [1,0]}', '{"embedding": [1,0,0]}', '{"embedding": [1,0], "column": "title"}', '{"embedding": [1,0], "col": "embedding"}',
    '{"embedding": [1,0], "threshold": "x"}', '{"embedding": [1,0], "threshold": 7}', '{"embedding": [1,0], "metric": "cosinus"}', '{"embedding": [0,0]}']) AS n;
ALTER TABLE qv.docs ADD similarity int;
SELECT qv.q('{}');
SELECT qv.q('{"select": "id,own_similarity:similarity"}');
DROP SCHEMA qv CASCADE;
DROP EXTENSION vector;
