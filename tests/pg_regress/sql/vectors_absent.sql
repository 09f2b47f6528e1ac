-- A database without pgvector: search_vectors is not listed, a call says what to do, everything else works; it appears with the extension.
\t on
\a
SET client_min_messages = warning;
SELECT t.key('vx a', scopes => '{read:vectors,read:tables}');
CREATE FUNCTION t.tools(key text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT jsonb_path_query_array(h.body::jsonb, '$.result.tools[*].name') FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential(key), NULL) AS h
$$;
SELECT t.tools('vx a');
SELECT t.via('vx a', 'search_vectors', '{"query": "x"}');
SELECT t.via('vx a', 'search_vectors', '{"nonsense": 1}');
CREATE TABLE t.plain (id int PRIMARY KEY, content text);
GRANT SELECT ON t.plain TO authenticated;
SELECT t.via('vx a', 'query_table', '{"table": "t.plain"}');
SELECT t.via('vx a', 'query_table', '{"table": "t.plain", "vector_search": {"column": "content", "embedding": [1]}}');
SELECT * FROM mcp.install('{ai}');
SELECT t.try($$SELECT mcp.register_knowledge_base('x', 't.plain', 'content')$$);
SELECT level, finding, remedy FROM mcp.doctor() WHERE topic = 'pgvector';
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
DROP TABLE t.plain;
DROP FUNCTION t.tools;
DROP SCHEMA ai CASCADE;
\quit
\endif
CREATE EXTENSION vector SCHEMA public;
SELECT t.tools('vx a');
SELECT count(*) FROM mcp.doctor() WHERE topic = 'pgvector';
SELECT t.via('vx a', 'search_vectors', '{"table": "t.plain", "embedding": [1]}');
-- It may move, and go again.
CREATE TABLE t.near (id int PRIMARY KEY, content text, embedding vector(1));
INSERT INTO t.near VALUES (1, 'one', '[1]');
GRANT SELECT ON t.near TO authenticated;
SELECT t.via('vx a', 'search_vectors', '{"table": "t.near", "embedding": [1]}')::jsonb ->> 'count';
CREATE SCHEMA "odd "" schema";
GRANT USAGE ON SCHEMA "odd "" schema" TO authenticated;
ALTER EXTENSION vector SET SCHEMA "odd "" schema";
SELECT t.via('vx a', 'search_vectors', '{"table": "t.near", "embedding": [1]}');
DROP TABLE t.near;
DROP EXTENSION vector;
SELECT t.tools('vx a');
SELECT t.via('vx a', 'search_vectors', '{"query": "x"}');
DROP TABLE t.plain;
DROP FUNCTION t.tools;
DROP SCHEMA "odd "" schema", ai CASCADE;
