-- Debian's packages as a knowledge base: their summaries, the vectors of these, and an index for each side of a search.
SET client_min_messages = warning;
CREATE EXTENSION vector;
CREATE EXTENSION fluxbase_mcp_ext;
SELECT count(*) FROM mcp.install('{ai}');
CREATE TABLE public.packages (
    name text PRIMARY KEY,
    section text,
    summary text NOT NULL,
    embedding vector(384) NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', replace(name, '-', ' ') || ' ' || summary)) STORED
);
\copy public.packages (name, section, summary, embedding) FROM pstdin
SET maintenance_work_mem = '1GB';
CREATE INDEX packages_embedding ON public.packages USING hnsw (embedding vector_cosine_ops);
CREATE INDEX packages_words ON public.packages USING gin (words);
ANALYZE public.packages;
SELECT * FROM mcp.register_knowledge_base('debian', 'public.packages', 'summary', embedding => 'embedding', document_id => 'name', title => 'name',
                                          search => 'words', text_config => 'english', threshold => 0);
