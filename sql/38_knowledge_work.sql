-- Knowledge bases: what the process that embeds chunks calls (fluxbase_mcp_ext/jobs/embedder.rs), as mcp_owner. Nobody else may: the role that it
-- connects as, mcp_jobs, has no right on a document or a chunk and may not execute these. It calls the endpoint between two of them, outside of
-- every transaction; what it brings back is stored only if the chunk and the model are still what they were.
--
-- When mcp.embedding_model changes, each knowledge base gets a second column of vectors with an index of its own, and searches go on with the
-- first. When no chunk that has an old vector lacks a new one, in any knowledge base, the columns change places in one transaction.

-- Up to that many chunks of one knowledge base that wait, and that many bytes of text (one chunk may have more); NULL: none waits.
CREATE FUNCTION mcp._embedding_claim(most pg_catalog.int4, most_bytes pg_catalog.int8) RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base record;
    chunks regclass;
    place text;
    fault text;
    found json;
    reused int;
BEGIN
    IF NOT mcp._documents_there() THEN
        RETURN NULL;
    END IF;
    -- Any order but the same: one knowledge base is not behind all others.
    FOR base IN SELECT k.* FROM ai.knowledge_bases AS k WHERE k.chunk_strategy IS NOT NULL AND k.enabled ORDER BY random() LOOP
        chunks := mcp._chunks_of(base.table_name);
        CONTINUE WHEN chunks IS NULL OR coalesce(base.next_model, base.embedding_model) = '';
        place := CASE WHEN base.next_model IS NULL THEN 'embedding' ELSE 'embedding_next' END;
        fault := CASE WHEN base.next_model IS NULL THEN 'embedding_error' ELSE 'embedding_next_error' END;
        LOOP
            -- The same text of the same owner was embedded before.
            EXECUTE format('UPDATE %1$s AS c SET %2$I = o.vector
                              FROM (SELECT w.id, s.%2$I AS vector
                                      FROM (SELECT i.* FROM %1$s AS i WHERE i.%2$I IS NULL AND i.%3$I IS NULL ORDER BY i.id LIMIT $1) AS w
                                           CROSS JOIN LATERAL (SELECT e.* FROM %1$s AS e
                                                                WHERE e.content_hash = w.content_hash AND e.owner_id IS NOT DISTINCT FROM w.owner_id
                                                                  AND e.%2$I IS NOT NULL LIMIT 1) AS s) AS o
                             WHERE c.id = o.id', chunks, place, fault) USING most;
            GET DIAGNOSTICS reused = ROW_COUNT;
            EXIT WHEN reused < most;
        END LOOP;
        EXECUTE format('SELECT json_build_object(''ids'', json_agg(w.id ORDER BY w.id), ''texts'', json_agg(w.content ORDER BY w.id))
                          FROM (SELECT i.id, i.content, sum(octet_length(i.content)) OVER (ORDER BY i.id) AS bytes, row_number() OVER (ORDER BY i.id) AS n
                                  FROM (SELECT c.id, c.content FROM %1$s AS c WHERE c.%2$I IS NULL AND c.%3$I IS NULL ORDER BY c.id LIMIT $1) AS i) AS w
                         WHERE w.n = 1 OR w.bytes <= $2 HAVING count(*) > 0', chunks, place, fault) INTO found USING most, most_bytes;
        IF found IS NOT NULL THEN
            RETURN json_build_object('knowledge_base', base.id, 'name', base.name, 'model', coalesce(base.next_model, base.embedding_model),
                                     'dimensions', coalesce(base.next_dimensions, base.embedding_dimensions),
                                     'ids', found -> 'ids', 'texts', found -> 'texts')::text;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- Stores the vectors of chunks that were claimed, or why they have none (reason; then vectors is NULL). How many were stored.
CREATE FUNCTION mcp._embedding_store(knowledge_base pg_catalog.uuid, model pg_catalog.text, ids pg_catalog.uuid[], vectors pg_catalog.text[],
                                     reason pg_catalog.text) RETURNS pg_catalog.int4
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    base record;
    chunks regclass;
    column_type text;
    stored int;
BEGIN
    SELECT k.* INTO base FROM ai.knowledge_bases AS k WHERE k.id = knowledge_base FOR SHARE;
    chunks := mcp._chunks_of(base.table_name);
    -- The model has changed meanwhile: these are vectors of nothing.
    IF chunks IS NULL OR model IS DISTINCT FROM coalesce(base.next_model, base.embedding_model) THEN
        RETURN 0;
    END IF;
    column_type := (mcp._vector_type(coalesce(base.next_dimensions, base.embedding_dimensions))).type;
    EXECUTE format('UPDATE %1$s AS c SET %2$I = g.vector::%4$s, %3$I = CASE WHEN g.vector IS NULL THEN $3 END
                      FROM (SELECT u.id, v.vector FROM unnest($1) WITH ORDINALITY AS u(id, n) LEFT JOIN unnest($2) WITH ORDINALITY AS v(vector, n) USING (n)) AS g
                     WHERE c.id = g.id AND c.%2$I IS NULL', chunks,
                   CASE WHEN base.next_model IS NULL THEN 'embedding' ELSE 'embedding_next' END,
                   CASE WHEN base.next_model IS NULL THEN 'embedding_error' ELSE 'embedding_next_error' END, column_type)
      USING ids, vectors, reason;
    GET DIAGNOSTICS stored = ROW_COUNT;
    UPDATE mcp._embedding_state AS s SET failures = 0, retry_at = NULL, reason = NULL WHERE s.failures > 0;
    RETURN stored;
END
$$;

-- How many attempts in a row have failed, with this one, and why; the next one is not before retry_at.
CREATE FUNCTION mcp._embedding_failed(failures pg_catalog.int4, seconds pg_catalog.float8, reason pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
UPDATE mcp._embedding_state AS s SET failures = $1, retry_at = clock_timestamp() + make_interval(secs => $2), reason = left($3, 500)
$$;

-- Failures in a row, and the seconds until the next attempt is due, 0 when it is: two numbers.
CREATE FUNCTION mcp._embedding_pause() RETURNS pg_catalog.float8[]
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
SELECT ARRAY[s.failures, greatest(extract(epoch FROM s.retry_at - clock_timestamp())::float8, 0)] FROM mcp._embedding_state AS s
$$;

-- Begins what a change of mcp.embedding_model asks for, or takes it back. True when something was changed.
CREATE FUNCTION mcp._embedding_begin() RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := current_setting('mcp.embedding_model');
    dimensions int := current_setting('mcp.embedding_dimensions')::int;
    base record;
    chunks regclass;
    vectors record;
    changed bool := false;
BEGIN
    IF wanted = '' OR dimensions NOT BETWEEN 1 AND 4000 THEN
        RETURN false;
    END IF;
    FOR base IN SELECT k.* FROM ai.knowledge_bases AS k
                 WHERE k.chunk_strategy IS NOT NULL
                   AND (k.next_model, k.next_dimensions) IS DISTINCT FROM
                       (CASE WHEN (k.embedding_model, k.embedding_dimensions) <> (wanted, dimensions) THEN wanted END,
                        CASE WHEN (k.embedding_model, k.embedding_dimensions) <> (wanted, dimensions) THEN dimensions END)
                 ORDER BY k.id FOR UPDATE LOOP
        chunks := mcp._chunks_of(base.table_name);
        CONTINUE WHEN chunks IS NULL;
        EXECUTE format('ALTER TABLE %s DROP COLUMN IF EXISTS embedding_next, DROP COLUMN IF EXISTS embedding_next_error', chunks);
        IF (base.embedding_model, base.embedding_dimensions) = (wanted, dimensions) THEN
            UPDATE ai.knowledge_bases AS k SET next_model = NULL, next_dimensions = NULL WHERE k.id = base.id;
        ELSE
            vectors := mcp._vector_type(dimensions);
            EXECUTE format('ALTER TABLE %s ADD COLUMN embedding_next %s, ADD COLUMN embedding_next_error text', chunks, vectors.type);
            EXECUTE format('CREATE INDEX ON %s (id) WHERE embedding_next IS NULL AND embedding_next_error IS NULL', chunks);
            EXECUTE format('CREATE INDEX ON %s USING hnsw (embedding_next %s)', chunks, vectors.operators);
            UPDATE ai.knowledge_bases AS k SET next_model = wanted, next_dimensions = dimensions WHERE k.id = base.id;
        END IF;
        changed := true;
    END LOOP;
    RETURN changed;
END
$$;

-- Puts the new vectors in the place of the old ones, in all knowledge bases at once, when they are complete. True when it was done.
CREATE FUNCTION mcp._embedding_swap() RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base record;
    chunks regclass;
    incomplete bool;
    changed bool := false;
    -- The second time with the locks.
    round int;
BEGIN
    FOR round IN 1..2 LOOP
        FOR base IN SELECT k.* FROM ai.knowledge_bases AS k WHERE k.chunk_strategy IS NOT NULL AND k.next_model IS NOT NULL ORDER BY k.id FOR UPDATE LOOP
            chunks := mcp._chunks_of(base.table_name);
            CONTINUE WHEN chunks IS NULL;
            IF round = 2 THEN
                EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', chunks);
            END IF;
            -- What waits for its first vector may go on waiting if the endpoint refused it; what had one keeps it until there is another.
            EXECUTE format('SELECT EXISTS (SELECT FROM %1$s AS c WHERE c.embedding_next IS NULL AND c.embedding_next_error IS NULL)
                                OR EXISTS (SELECT FROM %1$s AS c WHERE c.embedding_next IS NULL AND c.embedding IS NOT NULL)', chunks) INTO incomplete;
            IF incomplete THEN
                RETURN false;
            END IF;
        END LOOP;
    END LOOP;
    FOR base IN SELECT k.* FROM ai.knowledge_bases AS k WHERE k.chunk_strategy IS NOT NULL AND k.next_model IS NOT NULL ORDER BY k.id LOOP
        chunks := mcp._chunks_of(base.table_name);
        CONTINUE WHEN chunks IS NULL;
        EXECUTE format('ALTER TABLE %s DROP COLUMN embedding, DROP COLUMN embedding_error', chunks);
        EXECUTE format('ALTER TABLE %s RENAME COLUMN embedding_next TO embedding', chunks);
        EXECUTE format('ALTER TABLE %s RENAME COLUMN embedding_next_error TO embedding_error', chunks);
        UPDATE ai.knowledge_bases AS k
           SET embedding_model = k.next_model, embedding_dimensions = k.next_dimensions, next_model = NULL, next_dimensions = NULL, updated_at = now()
         WHERE k.id = base.id;
        changed := true;
    END LOOP;
    RETURN changed;
END
$$;

-- Once a minute: wakes the process that embeds if there is something for it. That process does the rest.
CREATE FUNCTION mcp._maintain_knowledge() RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base record;
    chunks regclass;
    waits bool;
BEGIN
    IF NOT mcp._documents_there() OR current_setting('mcp.embedding_url') = '' OR current_setting('mcp.embedding_model') = '' THEN
        RETURN;
    END IF;
    FOR base IN SELECT k.* FROM ai.knowledge_bases AS k WHERE k.chunk_strategy IS NOT NULL LOOP
        chunks := mcp._chunks_of(base.table_name);
        CONTINUE WHEN chunks IS NULL;
        waits := base.next_model IS NOT NULL OR (base.embedding_model, base.embedding_dimensions) <>
                    (current_setting('mcp.embedding_model'), coalesce(nullif(current_setting('mcp.embedding_dimensions')::int, 0), base.embedding_dimensions));
        IF NOT waits THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %s AS c WHERE c.embedding IS NULL AND c.embedding_error IS NULL)', chunks) INTO waits;
        END IF;
        IF waits THEN
            PERFORM mcp._wake_embedding();
            RETURN;
        END IF;
    END LOOP;
END
$$;
ALTER FUNCTION mcp._maintain_knowledge() OWNER TO mcp_owner;
