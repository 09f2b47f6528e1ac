-- Debian's packages as a knowledge base: their summaries, the vectors of these, their long descriptions, and an index for each side of a search.
-- psql's input is the packages; the file of the long descriptions is named by RETRIEVAL_DESCRIPTIONS.
SET client_min_messages = warning;
CREATE EXTENSION vector;
CREATE EXTENSION fluxbase_mcp_ext;
SELECT count(*) FROM mcp.install('{ai}');
CREATE TEMPORARY TABLE summaries (name text PRIMARY KEY, section text, summary text NOT NULL, embedding vector(384) NOT NULL);
\copy summaries FROM pstdin
CREATE TEMPORARY TABLE descriptions (name text PRIMARY KEY, description text NOT NULL);
\copy descriptions FROM PROGRAM 'cat "$RETRIEVAL_DESCRIPTIONS"'
CREATE TABLE public.packages (
    name text PRIMARY KEY,
    section text,
    summary text NOT NULL,
    description text,
    embedding vector(384) NOT NULL,
    -- A word of the name counts more than one of the summary, and that more than one of the long text.
    words tsvector GENERATED ALWAYS AS (setweight(to_tsvector('english', replace(name, '-', ' ')), 'A') || setweight(to_tsvector('english', summary), 'B')
                                        || setweight(to_tsvector('english', coalesce(description, '')), 'D')) STORED
);
INSERT INTO public.packages (name, section, summary, description, embedding)
SELECT s.name, s.section, s.summary, d.description, s.embedding FROM summaries AS s LEFT JOIN descriptions AS d USING (name);
SET maintenance_work_mem = '1GB';
CREATE INDEX packages_embedding ON public.packages USING hnsw (embedding vector_cosine_ops);
CREATE INDEX packages_words ON public.packages USING gin (words);
ANALYZE public.packages;
SELECT * FROM mcp.register_knowledge_base('debian', 'public.packages', 'summary', embedding => 'embedding', document_id => 'name', title => 'name',
                                          search => 'words', text_config => 'english', threshold => 0);
