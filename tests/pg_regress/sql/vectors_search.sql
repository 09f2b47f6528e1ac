-- search_vectors: knowledge bases and tables by a vector; what is shown, and what is refused before anything is read.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
CREATE SCHEMA vs;
CREATE SCHEMA vs_ext;
CREATE EXTENSION vector SCHEMA vs_ext;
SELECT t.key('vs a', user_id => 'ann', scopes => '{read:vectors,read:tables}');
SELECT t.key('vs none', scopes => '{read:tables}');
GRANT USAGE ON SCHEMA vs TO authenticated;
CREATE TABLE vs.docs (id int PRIMARY KEY, document_id int, title text, content text, tags text[], metadata jsonb, embedding vs_ext.vector(3));
INSERT INTO vs.docs VALUES
    (1, 10, 'Passwords', 'How to reset a password', '{account,help}', '{"source": "faq", "year": 2024}', '[1,0,0]'),
    (2, 10, 'Passwords', 'How to choose a password', '{account}', '{"source": "faq", "year": 2020}', '[0.9,0.1,0]'),
    (3, 20, 'Billing', 'How to pay an invoice', '{billing,help}', '{"source": "manual", "year": 2024}', '[0,1,0]'),
    (4, 20, 'Billing', 'No vector yet', '{billing}', NULL, NULL),
    (5, 30, 'Opposite', 'The other way round', '{}', '{}', '[-1,0,0]');
GRANT SELECT ON vs.docs TO authenticated;

-- pgvector's schema is closed to the role.
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.docs", "embedding": [1,0,0]}');
GRANT USAGE ON SCHEMA vs_ext TO authenticated;
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.docs", "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.docs", "column": "embedding", "embedding": [1,0,0], "threshold": 0, "limit": 3}');
SELECT t.via('vs none', 'search_vectors', '{"table": "vs.docs", "embedding": [1,0,0]}');
-- The query is told back; text needs an endpoint.
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.docs", "query": "reset \"it\"", "embedding": [1,0,0], "threshold": 0.999}');
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.docs", "query": "reset"}');
-- With structured content rows are marked.
SELECT h.body::jsonb #> '{result,structuredContent}' ?& '{untrusted,query,results,count}'::text[], h.body::jsonb #> '{result,structuredContent,untrusted}'
  FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_vectors","arguments":{"table":"vs.docs","embedding":[1,0,0]}}}',
                  t.credential('vs a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h;

-- Knowledge bases.
SELECT t.via('vs a', 'search_vectors', '{"embedding": [1,0,0]}');
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'vs.docs', 'content')$$);
SELECT * FROM mcp.install('{ai}');
SELECT * FROM mcp.install('{ai}');
SELECT t.via('vs a', 'search_vectors', '{"embedding": [1,0,0]}');
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'vs.docs', NULL)$$);
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'vs.docs', 'contents')$$);
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'vs.docs', 'id')$$);
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'vs.docs', 'content', 'title')$$);
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'vs.docs', 'content', metric => 'hamming')$$);
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'vs.docs', 'content', text_weight => 2)$$);
SELECT t.try($$SELECT mcp.register_knowledge_base('../docs', 'vs.docs', 'content')$$);
SELECT t.try($$SELECT mcp.register_knowledge_base('docs', 'mcp.keys', 'name')$$);
SELECT mcp.register_knowledge_base('docs', 'vs.docs', 'content', 'embedding', document_id => 'document_id', title => 'title', tags => 'tags', metadata => 'metadata', threshold => 0.5);
CREATE TABLE vs.notes (a int, b int, body varchar, emb vs_ext.halfvec(3), PRIMARY KEY (a, b));
INSERT INTO vs.notes VALUES (1, 1, 'a note', '[0.95,0,0.1]'), (1, 2, 'another', '[0,0,1]');
GRANT SELECT ON vs.notes TO authenticated;
CREATE INDEX ON vs.notes USING hnsw (emb vs_ext.halfvec_cosine_ops);
ALTER TABLE vs.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON vs.notes USING (true);
SELECT mcp.register_knowledge_base('notes', 'vs.notes', 'body');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": ["docs"], "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": ["notes"], "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"embedding": [1,0,0], "limit": 3}');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": ["docs", "nots"], "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": [], "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": ["docs"], "table": "vs.docs", "embedding": [1,0,0]}');
-- One that nobody named and that does not fit is left out and told.
ALTER TABLE vs.notes ADD emb4 vs_ext.vector(4);
UPDATE vs.notes SET emb4 = '[1,0,0,0]';
SELECT mcp.register_knowledge_base('notes4', 'vs.notes', 'body', 'emb4');
SELECT t.via('vs a', 'search_vectors', '{"embedding": [1,0,0,0], "limit": 1}');
SELECT t.via('vs a', 'search_vectors', '{"embedding": [1,0]}');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": ["docs", "notes4"], "embedding": [1,0,0]}');
-- Metrics that have no common order.
SELECT mcp.register_knowledge_base('notes l2', 'vs.notes', 'body', 'emb', metric => 'l2');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": ["docs", "notes l2"], "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"knowledge_bases": ["docs", "notes l2"], "embedding": [1,0,0], "metric": "l2", "threshold": 0.2}');
SELECT mcp.unregister_knowledge_base('notes l2'), mcp.unregister_knowledge_base('notes4'), mcp.unregister_knowledge_base('nothing');

-- Arguments.
SELECT a, t.via('vs a', 'search_vectors', ('{"table": "vs.docs", ' || a || '}')::jsonb) FROM unnest(ARRAY[
    '"embedding": "x"', '"embedding": 1', '"embedding": []', '"embedding": [1,null,0]', '"embedding": [1,"0",0]', '"embedding": [1,0]', '"embedding": [0,0,0]',
    '"embedding": [1e39,0,0]', '"embedding": "[1,0,0]", "limit": 1', '"embedding": [1,0,0], "limit": 0', '"embedding": [1,0,0], "limit": 1000, "threshold": 0.995',
    '"embedding": [1,0,0], "threshold": 2', '"embedding": [1,0,0], "threshold": "high"', '"embedding": [1,0,0], "column": "content"', '"embedding": [1,0,0], "column": "embeddings"',
    '"embedding": [1,0,0], "metric": "euklid"', '"embedding": [1,0,0], "metric": "hamming"', '"embedding": [1,0,0], "mode": "semantic"', '"embedding": [1,0,0], "mode": "hybrid"',
    '"query": ""', '"embedding": [1,0,0], "top_k": 5', '"embedding": [1,0,0], "text_weight": 0.5', '"query": "x", "mode": "text", "threshold": 0.5', '"query": "x", "mode": "text", "embedding": [1,0,0]']) AS a;
SELECT t.via('vs a', 'search_vectors', '{"column": "embedding", "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.nothing", "embedding": [1,0,0]}');
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.notes", "embedding": [1,0,0]}');
-- A table without a key, whose columns have other names.
CREATE TABLE vs.bare (description text, e vs_ext.vector);
INSERT INTO vs.bare VALUES ('bare', '[1,2]'), ('odd', '[1,2,3]');
GRANT SELECT ON vs.bare TO authenticated;
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.bare", "embedding": [1,2]}');
DELETE FROM vs.bare WHERE description = 'odd';
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.bare", "embedding": [1,2]}');
-- The size bound.
UPDATE vs.docs SET content = repeat('x', 50000) WHERE id = 2;
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.docs", "embedding": [1,0,0]}');
UPDATE vs.docs SET content = repeat('x', 50000) WHERE id = 1;
SELECT t.via('vs a', 'search_vectors', '{"table": "vs.docs", "embedding": [1,0,0]}');

-- Its entry is small, and all tools together fit into what a client is shown: see context_size.
SELECT t.key('vs all', scopes => '{read:tables,write:tables,execute:functions,execute:rpc,read:storage,write:storage,execute:jobs,read:vectors,read:schema}');
SELECT sum(bytes) FILTER (WHERE x.name = 'search_vectors'), sum(bytes) <= 12000 AS fits
  FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('vs all'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}') AS h,
       json_array_elements(h.body::json #> '{result,tools}') AS e(item), LATERAL (SELECT item ->> 'name', octet_length(item ->> 'name') + octet_length(item ->> 'description') + octet_length(item ->> 'inputSchema')) AS x(name, bytes);

DROP SCHEMA vs, ai CASCADE;
DROP EXTENSION vector;
DROP SCHEMA vs_ext;
