-- search_vectors under attack: columns and tables that the caller may not read, hidden schemas, names and values that would like to be
-- SQL, knowledge bases of others, operators of others.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
CREATE SCHEMA va;
CREATE EXTENSION vector SCHEMA public;
SELECT t.key('va a', scopes => '{read:vectors,read:tables}');
SELECT t.key('va tables', scopes => '{read:tables}');
GRANT USAGE ON SCHEMA va TO authenticated;
CREATE TABLE va.docs (id int PRIMARY KEY, content text, secret text, hidden vector(2), open vector(2), tags text[], metadata jsonb);
INSERT INTO va.docs VALUES (1, 'one', 'top', '[1,0]', '[1,0]', '{x}', '{"k": "v"}'), (2, 'two', 'top', '[0,1]', '[0,1]', '{y}', '{"k": "w"}');
GRANT SELECT (id, content, open, tags) ON va.docs TO authenticated;
-- Columns.
SELECT t.via('va a', 'search_vectors', '{"table": "va.docs", "embedding": [1,0]}');
SELECT t.via('va a', 'search_vectors', '{"table": "va.docs", "column": "hidden", "embedding": [1,0]}');
SELECT t.via('va a', 'search_vectors', '{"table": "va.docs", "embedding": [1,0], "filter": {"secret": "eq.top"}}');
SELECT t.via('va a', 'search_vectors', '{"table": "va.docs", "embedding": [1,0], "metadata_filter": {"k": "eq.v"}}');
SELECT t.via('va a', 'query_table', '{"table": "va.docs", "vector_search": {"column": "hidden", "embedding": [1,0]}}');
SELECT t.via('va tables', 'query_table', '{"table": "va.docs", "select": "id", "vector_search": {"column": "open", "embedding": [1,0]}}');
-- Tables: none that the caller has no privilege on, none of a hidden schema, by name or as a knowledge base.
CREATE TABLE va.closed (id int PRIMARY KEY, content text, embedding vector(2));
INSERT INTO va.closed VALUES (1, 'closed', '[1,0]');
\o /dev/null
SELECT mcp.install('{ai}');
\o
SELECT count(*) > 0 FROM mcp.register_knowledge_base('closed', 'va.closed', 'content');
SELECT count(*) > 0 FROM mcp.register_knowledge_base('secret text', 'va.docs', 'secret', 'open');
SELECT count(*) > 0 FROM mcp.register_knowledge_base('secret vector', 'va.docs', 'content', 'hidden');
SELECT count(*) > 0 FROM mcp.register_knowledge_base('inner', 'va.docs', 'content', 'open', require_roles => '{service_role}');
SELECT t.via('va a', 'search_vectors', '{"table": "va.closed", "embedding": [1,0]}');
SELECT n, t.via('va a', 'search_vectors', jsonb_build_object('knowledge_bases', ARRAY[n], 'embedding', '[1,0]'::jsonb)) FROM unnest('{closed,secret text,secret vector,inner,nothing}'::text[]) AS n;
SELECT t.via('va a', 'search_vectors', '{"embedding": [1,0]}');
CREATE SCHEMA jobs;
CREATE TABLE jobs.docs (id int PRIMARY KEY, content text, embedding vector(2));
GRANT USAGE ON SCHEMA jobs TO authenticated;
GRANT SELECT ON jobs.docs TO authenticated;
SELECT t.via('va a', 'search_vectors', '{"table": "jobs.docs", "embedding": [1,0]}');
INSERT INTO ai.knowledge_bases (name, table_schema, table_name, content_column) VALUES ('hidden', 'jobs', 'docs', 'content'), ('catalog', 'pg_catalog', 'pg_proc', 'prosrc');
SELECT n, t.via('va a', 'search_vectors', jsonb_build_object('knowledge_bases', ARRAY[n], 'query', 'x', 'mode', 'text')) FROM unnest('{hidden,catalog}'::text[]) AS n;
DELETE FROM ai.knowledge_bases;
-- A key cannot register, nor write into the table; nor does an assistant read it.
SET ROLE authenticated;
SELECT t.try($$SELECT mcp.register_knowledge_base('mine', 'va.docs', 'content', 'open')$$);
SELECT t.try($$INSERT INTO ai.knowledge_bases (name, table_schema, table_name, content_column) VALUES ('mine', 'va', 'docs', 'content')$$);
RESET ROLE;
SELECT t.via('va a', 'query_table', '{"table": "ai.knowledge_bases"}');
-- An administrator registers what it sees; the table's own rules hold.
GRANT USAGE ON SCHEMA va TO mcp_admin;
SET ROLE mcp_admin;
SELECT t.try($$SELECT mcp.register_knowledge_base('of admin', 'va.docs', 'content', 'open')$$);
RESET ROLE;
-- Somebody else's schema ai is not believed.
BEGIN;
ALTER TABLE ai.knowledge_bases OWNER TO regress_owner;
GRANT USAGE ON SCHEMA ai TO regress_owner;
SELECT t.via('va a', 'search_vectors', '{"embedding": [1,0]}');
ROLLBACK;
-- Names and values that would like to be SQL.
GRANT SELECT ON va.docs TO authenticated;
SELECT a, t.via('va a', 'search_vectors', ('{"table": "va.docs", "column": "open", "embedding": [1,0], "threshold": 0}'::jsonb || a::jsonb)) FROM unnest(ARRAY[
    '{"column": "open\"; DROP TABLE va.docs; --"}', '{"table": "va.docs; SELECT 1"}', '{"embedding": "[1,0]'') OR true; --"}', '{"embedding": "[1,0]::vector"}', '{"metric": "cosine); DROP TABLE va.docs"}',
    '{"tags": ["x''}; DROP TABLE va.docs; --", "{y}", "\\\"", "NULL"]}', '{"metadata_filter": {"k''; DROP TABLE va.docs; --": "eq.v"}}', '{"metadata_filter": {"k\") OR true --": {"eq": "v"}}}',
    '{"metadata_filter": {"k": "eq.v'' OR true --"}}', '{"filter": {"content": "eq.'' OR true --"}}', '{"threshold": "0 OR true"}', '{"limit": "1; DROP TABLE va.docs"}', '{"mode": "text'' OR true"}']) AS a;
SELECT t.via('va a', 'search_vectors', jsonb_build_object('knowledge_bases', ARRAY[$q$x"}\' OR true --$q$, '{of admin}', ''], 'embedding', '[1,0]'::jsonb));
SELECT t.via('va a', 'search_vectors', jsonb_build_object('table', 'va.docs', 'query', q, 'mode', 'text'))::jsonb ->> 'count' FROM unnest(ARRAY['one'' OR true --', '" & | ! ( ) :* <->', 'one & two', '''one''', E'\\', 'a:b*c', '-one', '"one"']) AS q;
-- The words of a configuration stand in the statement as digits.
UPDATE ai.knowledge_bases SET text_config = 'pg_catalog.english''); DROP TABLE va.docs; --';
SELECT t.via('va a', 'search_vectors', '{"knowledge_bases": ["of admin"], "query": "one", "mode": "text"}')::jsonb ->> 'count';
SELECT count(*) FROM va.docs;
-- An operator of the same name earlier in the caller's path, or in the path at all, is not taken.
CREATE SCHEMA va_evil;
GRANT USAGE ON SCHEMA va_evil TO authenticated;
CREATE FUNCTION va_evil.near(vector, vector) RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the wrong operator ran'; END $$;
CREATE OPERATOR va_evil.<=> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = va_evil.near);
ALTER ROLE authenticated SET search_path = va_evil, public;
SELECT t.via('va a', 'search_vectors', '{"table": "va.docs", "column": "open", "embedding": [1,0]}')::jsonb ->> 'count';
ALTER ROLE authenticated RESET search_path;
-- A type that only bears the name is no vector.
CREATE TYPE va_evil.vector AS (x int);
CREATE TABLE va.fake (id int PRIMARY KEY, content text, embedding va_evil.vector);
GRANT SELECT ON va.fake TO authenticated;
SELECT t.via('va a', 'search_vectors', '{"table": "va.fake", "embedding": [1,0]}');
SELECT t.via('va a', 'search_vectors', '{"table": "va.fake", "column": "embedding", "embedding": [1,0]}');
-- A reading tool stays one: a policy that writes is refused.
CREATE TABLE va.log (x text);
GRANT INSERT ON va.log TO authenticated;
CREATE FUNCTION va.spy() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO va.log VALUES ('seen'); RETURN true; END $$;
ALTER TABLE va.docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY spy ON va.docs USING (va.spy());
SELECT t.via('va a', 'search_vectors', '{"table": "va.docs", "column": "open", "embedding": [1,0]}');
SELECT count(*) FROM va.log;
-- The cost of a plan is bounded here, too; with row-level security no figure is told.
SET mcp.max_plan_cost = 1;
SELECT t.via('va a', 'search_vectors', '{"table": "va.docs", "column": "open", "embedding": [1,0]}');
RESET mcp.max_plan_cost;
DROP SCHEMA va, va_evil, jobs, ai CASCADE;
DROP EXTENSION vector;
