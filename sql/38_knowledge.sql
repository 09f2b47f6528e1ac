-- Ready-made knowledge bases: documents that become chunks, and chunks that become vectors in the background.
--
-- ai.documents is the users' own, with its policies. Each knowledge base has a table of chunks, ai.chunks_NAME, which belongs to mcp_owner: nobody
-- but these functions writes it, and its one policy shows the chunks of those documents that the reader may see. A function here that runs as
-- mcp_owner touches nothing of anybody else's but rows of ai.knowledge_bases, and runs no code of a user's: no trigger, no default, no policy of
-- ai.documents. The table of chunks that a row names is believed only if it belongs to mcp_owner (mcp._chunks_of).

-- How the endpoint for vectors is doing, for background work. Not dumped.
CREATE TABLE mcp._embedding_state (
    one pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (one),
    failures pg_catalog.int4 NOT NULL DEFAULT 0,
    retry_at pg_catalog.timestamptz,
    reason pg_catalog.text
);
INSERT INTO mcp._embedding_state DEFAULT VALUES;
ALTER TABLE mcp._embedding_state OWNER TO mcp_owner;

-- Whether documents are installed: a table that is neither a superuser's nor the extension owner's is not ours.
CREATE FUNCTION mcp._documents_there() RETURNS pg_catalog.bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT count(*) = 2
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_roles AS o ON o.oid = c.relowner,
       pg_extension AS e
 WHERE e.extname = 'fluxbase_mcp_ext' AND n.nspname = 'ai' AND c.relname IN ('knowledge_bases', 'documents') AND c.relkind = 'r'
   AND (o.rolsuper OR o.oid = e.extowner)
   AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname IN ('chunk_strategy', 'knowledge_base_id') AND NOT a.attisdropped)
$$;

-- The table of chunks of that name, if it is one of ours.
CREATE FUNCTION mcp._chunks_of(table_name pg_catalog.text) RETURNS pg_catalog.regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT c.oid::regclass
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_roles AS o ON o.oid = c.relowner
 WHERE n.nspname = 'ai' AND c.relname = $1 AND c.relname ~ '^chunks_[a-z0-9_]+$' AND c.relkind = 'r' AND o.rolname = 'mcp_owner'
$$;

-- The type of a column of vectors of so many dimensions, qualified, and its operator class for the cosine.
CREATE FUNCTION mcp._vector_type(dimensions pg_catalog.int4, OUT type pg_catalog.text, OUT operators pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- An HNSW index takes 2,000 dimensions of the one and 4,000 of the other.
    short text := CASE WHEN dimensions <= 2000 THEN 'vector' ELSE 'halfvec' END;
BEGIN
    IF dimensions IS NULL OR dimensions NOT BETWEEN 1 AND 4000 THEN
        RAISE EXCEPTION 'dimensions: must be from 1 to 4000, not %. Nothing was changed.', coalesce(dimensions::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is how long the model''s vectors are: give dimensions, or set mcp.embedding_dimensions.';
    END IF;
    SELECT format('%I.%I(%s)', n.nspname, short, dimensions), format('%I.%I', n.nspname, short || '_cosine_ops') INTO type, operators
      FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'pgvector is not in this database. Nothing was changed.'
            USING ERRCODE = 'feature_not_supported', HINT = 'CREATE EXTENSION vector; mcp.doctor() says how to get it.';
    END IF;
    IF NOT has_schema_privilege('mcp_owner', (SELECT e.extnamespace FROM pg_extension AS e WHERE e.extname = 'vector'), 'USAGE') THEN
        RAISE EXCEPTION 'role mcp_owner may not use the schema of pgvector. Nothing was changed.'
            USING ERRCODE = 'insufficient_privilege', HINT = 'SELECT mcp.install(''{ai}''); grants it.';
    END IF;
END
$$;

-- Lets the roles that keys may have read a table of chunks; its policy says which rows. anon only reads public knowledge bases.
CREATE FUNCTION mcp._grant_chunks(table_name pg_catalog.text, visibility pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chunks regclass := mcp._chunks_of($1);
    usable text;
BEGIN
    IF chunks IS NULL THEN
        RETURN;
    END IF;
    FOR usable IN SELECT r.role_name FROM mcp.allowed_roles AS r JOIN pg_roles AS p ON p.rolname = r.role_name
                  UNION ALL SELECT 'mcp_admin' FROM pg_roles AS p WHERE p.rolname = 'mcp_admin' LOOP
        IF usable = 'anon' AND visibility <> 'public' THEN
            EXECUTE format('REVOKE SELECT ON %s FROM anon', chunks);
        ELSE
            EXECUTE format('GRANT SELECT ON %s TO %I', chunks, usable);
        END IF;
    END LOOP;
END
$$;
ALTER FUNCTION mcp._grant_chunks(pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;

-- What mcp._install_ai() makes beside ai.knowledge_bases.
CREATE FUNCTION mcp._knowledge_tables() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    usable text;
    one record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = 'ai.knowledge_bases'::regclass AND a.attname = 'chunk_strategy' AND NOT a.attisdropped) THEN
        -- NULL in all of them: a table of one's own.
        ALTER TABLE ai.knowledge_bases
            ADD COLUMN visibility text CHECK (visibility IN ('private', 'shared', 'public')),
            ADD COLUMN write_roles text[] NOT NULL DEFAULT '{}',
            ADD COLUMN chunk_strategy text CHECK (chunk_strategy IN ('recursive', 'sentence', 'fixed')),
            ADD COLUMN chunk_size integer CHECK (chunk_size BETWEEN 50 AND 20000),
            ADD COLUMN chunk_overlap integer CHECK (chunk_overlap BETWEEN 0 AND chunk_size / 2),
            ADD COLUMN embedding_model text,
            ADD COLUMN embedding_dimensions integer,
            ADD COLUMN next_model text,
            ADD COLUMN next_dimensions integer,
            ADD CHECK (chunk_strategy IS NULL OR num_nulls(visibility, chunk_size, chunk_overlap, embedding_model, embedding_dimensions) = 0);
        COMMENT ON COLUMN ai.knowledge_bases.visibility IS
            'private: a user sees its own documents and those without an owner; shared: whoever may search it sees all; public: role anon, too.';
        COMMENT ON COLUMN ai.knowledge_bases.write_roles IS 'Database roles that may add documents, each user its own.';
        COMMENT ON COLUMN ai.knowledge_bases.chunk_size IS 'Most characters of a chunk; other documents are cut anew when they change.';
        COMMENT ON COLUMN ai.knowledge_bases.embedding_model IS 'The model that its vectors are of, and that a question is asked of.';
        COMMENT ON COLUMN ai.knowledge_bases.next_model IS 'The model that takes the place of embedding_model when all of its vectors are there.';
    END IF;
    -- Texts, not parsed bodies: policies, a default and a trigger of the tables hang on these two alone, so that DROP EXTENSION leaves them.
    IF to_regprocedure('ai.user_id()') IS NULL THEN
        CREATE FUNCTION ai.user_id() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT mcp.claim(''sub'')';
        COMMENT ON FUNCTION ai.user_id() IS 'The user of the key in whose name a tool runs; NULL when there is none.';
        -- For PUBLIC on purpose: it tells a session nothing but its own claim, and every role's policies call it.
        GRANT EXECUTE ON FUNCTION ai.user_id() TO PUBLIC;
        RETURN NEXT 'function ai.user_id() created';
    END IF;
    GRANT USAGE, CREATE ON SCHEMA ai TO mcp_owner;
    IF to_regprocedure('ai.document_changed()') IS NULL THEN
        CREATE FUNCTION ai.document_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
            AS 'BEGIN PERFORM mcp._document_changed(TG_RELID, TG_OP, CASE TG_OP WHEN ''UPDATE'' THEN OLD END, NEW); RETURN NULL; END';
        COMMENT ON FUNCTION ai.document_changed() IS 'Cuts a document that was added or changed into chunks, in the same transaction.';
        REVOKE EXECUTE ON FUNCTION ai.document_changed() FROM PUBLIC;
        ALTER FUNCTION ai.document_changed() OWNER TO mcp_owner;
        RETURN NEXT 'function ai.document_changed() created';
    END IF;
    IF to_regclass('ai.documents') IS NULL THEN
        CREATE TABLE ai.documents (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            knowledge_base_id uuid NOT NULL REFERENCES ai.knowledge_bases,
            title text CHECK (length(title) <= 1000),
            content text NOT NULL CHECK (octet_length(content) <= 4194304),
            source_url text CHECK (length(source_url) <= 4000),
            mime_type text CHECK (length(mime_type) <= 200),
            tags text[] NOT NULL DEFAULT '{}' CHECK (cardinality(tags) <= 100),
            metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object' AND length(metadata::text) <= 20000),
            owner_id text DEFAULT ai.user_id(),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE ai.documents IS 'Documents of knowledge bases. Their chunks follow by themselves, and are seen by whoever sees the document.';
        COMMENT ON COLUMN ai.documents.owner_id IS 'The user whose it is: claim sub of the key; NULL: nobody''s, for all who may search the knowledge base.';
        CREATE INDEX documents_knowledge_base ON ai.documents (knowledge_base_id);
        CREATE INDEX documents_owner ON ai.documents (owner_id);
        ALTER TABLE ai.documents ENABLE ROW LEVEL SECURITY;
        -- The policies of ai.knowledge_bases hold in the subqueries.
        CREATE POLICY read ON ai.documents FOR SELECT USING (EXISTS (
            SELECT FROM ai.knowledge_bases AS k
             WHERE k.id = knowledge_base_id AND (current_user <> 'anon' OR k.visibility = 'public')
               AND (k.visibility IN ('shared', 'public') OR owner_id IS NULL OR owner_id = (SELECT ai.user_id()))));
        CREATE POLICY add ON ai.documents FOR INSERT WITH CHECK (owner_id = (SELECT ai.user_id()) AND EXISTS (
            SELECT FROM ai.knowledge_bases AS k WHERE k.id = knowledge_base_id AND k.enabled AND current_user::text = ANY (k.write_roles)));
        CREATE POLICY change ON ai.documents FOR UPDATE USING (owner_id = (SELECT ai.user_id()))
            WITH CHECK (owner_id = (SELECT ai.user_id()) AND EXISTS (
                SELECT FROM ai.knowledge_bases AS k WHERE k.id = knowledge_base_id AND k.enabled AND current_user::text = ANY (k.write_roles)));
        CREATE POLICY remove ON ai.documents FOR DELETE USING (owner_id = (SELECT ai.user_id()));
        CREATE TRIGGER chunks AFTER INSERT OR UPDATE ON ai.documents FOR EACH ROW EXECUTE FUNCTION ai.document_changed();
        RETURN NEXT 'table ai.documents created';
    ELSE
        RETURN NEXT 'table ai.documents is there already and was left as it is';
    END IF;
    GRANT SELECT, INSERT, UPDATE ON ai.knowledge_bases TO mcp_owner;
    GRANT REFERENCES ON ai.documents TO mcp_owner;
    -- The type of the vectors. Where pgvector comes later, this is run again.
    FOR usable IN SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
                   WHERE e.extname = 'vector' AND NOT has_schema_privilege('mcp_owner', n.oid, 'USAGE') LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO mcp_owner', usable);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'keeper' AND p.polrelid = 'ai.knowledge_bases'::regclass) THEN
        CREATE POLICY keeper ON ai.knowledge_bases TO mcp_owner USING (true) WITH CHECK (true);
    END IF;
    IF to_regprocedure('ai.create_knowledge_base(text,text,text,integer,integer,text,integer,regconfig,double precision,text[],text[])') IS NULL THEN
        CREATE FUNCTION ai.create_knowledge_base(name text, description text DEFAULT NULL, visibility text DEFAULT 'private',
                chunk_size integer DEFAULT 512, chunk_overlap integer DEFAULT 50, chunk_strategy text DEFAULT 'recursive',
                dimensions integer DEFAULT NULL, text_config regconfig DEFAULT 'pg_catalog.simple', threshold double precision DEFAULT NULL,
                write_roles text[] DEFAULT NULL, require_roles text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql VOLATILE
            AS 'SELECT mcp._create_knowledge_base($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)';
        COMMENT ON FUNCTION ai.create_knowledge_base IS
            'Makes a knowledge base of documents: add_document and INSERT INTO ai.documents fill it, search_vectors searches it by name.';
        REVOKE EXECUTE ON FUNCTION ai.create_knowledge_base FROM PUBLIC;
        CREATE FUNCTION ai.drop_knowledge_base(name text) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT mcp._drop_knowledge_base($1)';
        COMMENT ON FUNCTION ai.drop_knowledge_base IS 'Removes a knowledge base that ai.create_knowledge_base made, with all its documents; their number.';
        REVOKE EXECUTE ON FUNCTION ai.drop_knowledge_base FROM PUBLIC;
        CREATE FUNCTION ai.knowledge_base_status()
            RETURNS TABLE (name text, documents bigint, chunks bigint, embedded bigint, waiting bigint, failed bigint, model text, next_model text,
                           next_embedded bigint, problem text)
            LANGUAGE sql VOLATILE AS 'SELECT * FROM mcp._knowledge_status()';
        COMMENT ON FUNCTION ai.knowledge_base_status IS
            'Each knowledge base of documents: how many of the documents and chunks that you may see are embedded, wait or failed, and why.';
        REVOKE EXECUTE ON FUNCTION ai.knowledge_base_status FROM PUBLIC;
        RETURN NEXT 'functions ai.create_knowledge_base(), ai.drop_knowledge_base(), ai.knowledge_base_status() created';
    ELSE
        RETURN NEXT 'function ai.create_knowledge_base() is there already and was left as it is';
    END IF;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'mcp_admin') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ai.documents TO mcp_admin;
        GRANT EXECUTE ON FUNCTION ai.create_knowledge_base, ai.drop_knowledge_base, ai.knowledge_base_status TO mcp_admin;
        GRANT EXECUTE ON FUNCTION mcp._create_knowledge_base, mcp._drop_knowledge_base, mcp._drop_chunks, mcp._knowledge_status, mcp._chunks_of, mcp._jobs_there TO mcp_admin;
        GRANT SELECT ON mcp._embedding_state TO mcp_admin;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'ai.documents'::regclass) THEN
            CREATE POLICY admin ON ai.documents TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
    END IF;
    FOR usable IN SELECT r.role_name FROM mcp.allowed_roles AS r JOIN pg_roles AS p ON p.rolname = r.role_name ORDER BY 1 LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ai.documents TO %I', usable);
    END LOOP;
    FOR one IN SELECT k.table_name, k.visibility FROM ai.knowledge_bases AS k WHERE k.chunk_strategy IS NOT NULL LOOP
        PERFORM mcp._grant_chunks(one.table_name, one.visibility);
    END LOOP;
END
$$;

CREATE FUNCTION mcp._create_knowledge_base(
    name pg_catalog.text, description pg_catalog.text, visibility pg_catalog.text, chunk_size pg_catalog.int4, chunk_overlap pg_catalog.int4,
    chunk_strategy pg_catalog.text, dimensions pg_catalog.int4, text_config pg_catalog.regconfig, threshold pg_catalog.float8,
    write_roles pg_catalog.text[], require_roles pg_catalog.text[]) RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    model text := current_setting('mcp.embedding_model');
    length_of int := coalesce(dimensions, nullif(current_setting('mcp.embedding_dimensions')::int, 0));
    vectors record;
    stem text;
    place text;
    config text;
    kept uuid;
BEGIN
    IF NOT mcp._documents_there() THEN
        RAISE EXCEPTION 'documents are not installed in this database. Nothing was created.'
            USING ERRCODE = 'undefined_table', HINT = 'SELECT mcp.install(''{ai}'');';
    END IF;
    IF coalesce(name, '') !~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$' THEN
        RAISE EXCEPTION 'name: "%" must have 1 to 64 letters, digits, blanks or . _ -, a letter or digit first. Nothing was created.', name
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT FROM ai.knowledge_bases AS k WHERE k.name = $1) THEN
        RAISE EXCEPTION 'name: there is a knowledge base "%" already. Nothing was created.', name USING ERRCODE = 'duplicate_object';
    END IF;
    IF visibility IS NULL OR visibility NOT IN ('private', 'shared', 'public') THEN
        RAISE EXCEPTION 'visibility: "%" is none of private, shared, public. Nothing was created.', visibility USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Refuses sizes that make no chunks.
    PERFORM mcp._chunks('', coalesce(chunk_strategy, ''), coalesce(chunk_size, 0), coalesce(chunk_overlap, -1));
    vectors := mcp._vector_type(length_of);
    SELECT format('%I.%I', n.nspname, f.cfgname) INTO config
      FROM pg_ts_config AS f JOIN pg_namespace AS n ON n.oid = f.cfgnamespace WHERE f.oid = coalesce(text_config, 'pg_catalog.simple');
    IF write_roles IS NULL THEN
        -- What everybody sees is not for everybody to write.
        write_roles := CASE WHEN visibility = 'private'
            THEN ARRAY(SELECT r.role_name::text FROM mcp.allowed_roles AS r WHERE r.role_name <> 'anon' ORDER BY 1) ELSE '{}' END;
    END IF;
    stem := 'chunks_' || trim(BOTH '_' FROM left(regexp_replace(lower(name), '[^a-z0-9]+', '_', 'g'), 40));
    place := stem;
    WHILE to_regclass(format('ai.%I', place)) IS NOT NULL LOOP
        place := stem || '_' || substr(md5(gen_random_uuid()::text), 1, 8);
    END LOOP;
    EXECUTE format('CREATE TABLE ai.%I (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            document_id uuid NOT NULL REFERENCES ai.documents ON DELETE CASCADE,
            chunk_index integer NOT NULL,
            content text NOT NULL,
            start_offset integer NOT NULL,
            end_offset integer NOT NULL,
            document_title text,
            tags text[] NOT NULL,
            metadata jsonb NOT NULL,
            owner_id text,
            content_hash bytea NOT NULL,
            embedding %s,
            embedding_error text)', place, vectors.type);
    EXECUTE format('COMMENT ON TABLE ai.%I IS %L', place, format('Chunks of the knowledge base %s; written by the server alone.', name));
    EXECUTE format('CREATE INDEX ON ai.%I (document_id, chunk_index)', place);
    EXECUTE format('CREATE INDEX ON ai.%I (content_hash)', place);
    EXECUTE format('CREATE INDEX ON ai.%I (id) WHERE embedding IS NULL AND embedding_error IS NULL', place);
    EXECUTE format('CREATE INDEX ON ai.%I USING hnsw (embedding %s)', place, vectors.operators);
    EXECUTE format('CREATE INDEX ON ai.%I USING gin (to_tsvector(%L::regconfig, content))', place, config);
    EXECUTE format('ALTER TABLE ai.%I ENABLE ROW LEVEL SECURITY', place);
    -- Whoever sees a document sees its chunks: the policies of ai.documents hold in the subquery.
    EXECUTE format('CREATE POLICY read ON ai.%I FOR SELECT USING (EXISTS (SELECT FROM ai.documents AS d WHERE d.id = document_id))', place);
    PERFORM mcp._grant_chunks(place, visibility);
    INSERT INTO ai.knowledge_bases AS k (name, description, table_schema, table_name, content_column, embedding_column, document_id_column, title_column,
                                    tags_column, metadata_column, text_config, metric, threshold, require_roles, visibility, write_roles,
                                    chunk_strategy, chunk_size, chunk_overlap, embedding_model, embedding_dimensions)
    VALUES ($1, $2, 'ai', place, 'content', 'embedding', 'document_id', 'document_title', 'tags', 'metadata', config, 'cosine', $9,
            coalesce($11, '{}'), $3, write_roles, $6, $4, $5, model, length_of);
    RETURN NEXT format('knowledge base %s: chunks in ai.%s, %s of the model %s', name, place, vectors.type, coalesce(nullif(model, ''), '(none is set)'));
    IF cardinality(write_roles) = 0 THEN
        RETURN NEXT 'only administrators and roles that bypass policies add documents; write_roles names others';
    END IF;
    IF current_setting('mcp.embedding_url') = '' THEN
        RETURN NEXT 'mcp.embedding_url is not set: chunks are found by their words (mode text), and by meaning once it is';
    END IF;
    IF NOT mcp._jobs_there() THEN
        RETURN NEXT 'background jobs are not installed, and they embed the chunks: SELECT mcp.install(''{jobs}'');';
    END IF;
END
$$;
ALTER FUNCTION mcp._create_knowledge_base(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.int4, pg_catalog.text,
                                          pg_catalog.int4, pg_catalog.regconfig, pg_catalog.float8, pg_catalog.text[], pg_catalog.text[])
    OWNER TO mcp_owner;

-- Removes a table of chunks that no knowledge base names.
CREATE FUNCTION mcp._drop_chunks(table_name pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF mcp._chunks_of($1) IS NOT NULL AND NOT EXISTS (SELECT FROM ai.knowledge_bases AS k WHERE k.table_schema = 'ai' AND k.table_name = $1) THEN
        EXECUTE format('DROP TABLE ai.%I', $1);
    END IF;
END
$$;
ALTER FUNCTION mcp._drop_chunks(pg_catalog.text) OWNER TO mcp_owner;

-- As the caller: policies and triggers of ai.documents are the users' own.
CREATE FUNCTION mcp._drop_knowledge_base(name pg_catalog.text) RETURNS pg_catalog.int8
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base record;
    removed int8;
BEGIN
    SELECT k.id, k.table_name INTO base FROM ai.knowledge_bases AS k WHERE k.name = $1 AND k.chunk_strategy IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no knowledge base of documents "%". Nothing was removed.', $1
            USING ERRCODE = 'undefined_object', HINT = 'A table that was registered is taken back with mcp.unregister_knowledge_base.';
    END IF;
    DELETE FROM ai.documents AS d WHERE d.knowledge_base_id = base.id;
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM ai.knowledge_bases AS k WHERE k.id = base.id;
    PERFORM mcp._drop_chunks(base.table_name);
    RETURN removed;
END
$$;

-- A document was added or changed: its chunks follow in the same transaction. A chunk whose text stays keeps its vector.
CREATE FUNCTION mcp._document_changed(relation pg_catalog.oid, operation pg_catalog.text, old pg_catalog.record, new pg_catalog.record)
    RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base record;
    chunks regclass;
    old_ids uuid[];
    more text := '';
    moved bool := operation = 'UPDATE' AND NEW.knowledge_base_id IS DISTINCT FROM OLD.knowledge_base_id;
BEGIN
    -- Not switched off by whoever calls: the trigger is on no other table.
    IF relation IS DISTINCT FROM to_regclass('ai.documents')::oid OR NOT mcp._documents_there() THEN
        RAISE EXCEPTION 'mcp._document_changed() is for ai.documents alone' USING ERRCODE = 'trigger_protocol_violated';
    END IF;
    IF operation = 'UPDATE' AND NEW.id IS DISTINCT FROM OLD.id THEN
        RAISE EXCEPTION 'the id of a document cannot be changed. Nothing was changed.' USING ERRCODE = 'feature_not_supported';
    END IF;
    SELECT k.* INTO base FROM ai.knowledge_bases AS k WHERE k.id = NEW.knowledge_base_id AND k.chunk_strategy IS NOT NULL;
    chunks := mcp._chunks_of(base.table_name);
    IF chunks IS NULL THEN
        RAISE EXCEPTION 'knowledge_base_id: that knowledge base takes no documents. Nothing was changed.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'ai.create_knowledge_base makes one that does.';
    END IF;
    IF moved THEN
        PERFORM mcp._forget_chunks(OLD.knowledge_base_id, OLD.id);
    END IF;
    IF operation = 'UPDATE' AND NOT moved AND NEW.content = OLD.content THEN
        EXECUTE format('UPDATE %s SET document_title = $2, tags = $3, metadata = $4, owner_id = $5
                         WHERE document_id = $1 AND (document_title, tags, metadata, owner_id) IS DISTINCT FROM ($2, $3, $4, $5)', chunks)
          USING NEW.id, NEW.title, NEW.tags, NEW.metadata, NEW.owner_id;
        RETURN;
    END IF;
    EXECUTE format('SELECT array_agg(id) FROM %s WHERE document_id = $1', chunks) INTO old_ids USING NEW.id;
    IF base.next_model IS NOT NULL THEN
        more := ', embedding_next';
    END IF;
    EXECUTE format('INSERT INTO %1$s (document_id, chunk_index, content, start_offset, end_offset, document_title, tags, metadata, owner_id,
                                      content_hash, embedding%2$s)
                    SELECT $1, c.chunk_index, c.content, c.start_offset, c.end_offset, $2, $3, $4, $5, h.hash, o.embedding%3$s
                      FROM mcp._chunks($6, $7, $8, $9) AS c
                           CROSS JOIN LATERAL (SELECT sha256(convert_to(c.content, ''UTF8'')) AS hash OFFSET 0) AS h
                           LEFT JOIN LATERAL (SELECT * FROM %1$s AS e WHERE e.id = ANY ($10) AND e.content_hash = h.hash LIMIT 1) AS o ON true',
                   chunks, more, CASE more WHEN '' THEN '' ELSE ', o.embedding_next' END)
      USING NEW.id, NEW.title, NEW.tags, NEW.metadata, NEW.owner_id, NEW.content, base.chunk_strategy, base.chunk_size, base.chunk_overlap, old_ids;
    EXECUTE format('DELETE FROM %s WHERE id = ANY ($1)', chunks) USING old_ids;
    PERFORM mcp._wake_embedding();
END
$$;
ALTER FUNCTION mcp._document_changed(pg_catalog.oid, pg_catalog.text, pg_catalog.record, pg_catalog.record) OWNER TO mcp_owner;

-- Removes the chunks of a document from a knowledge base that it left.
CREATE FUNCTION mcp._forget_chunks(knowledge_base pg_catalog.uuid, document pg_catalog.uuid) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chunks regclass := (SELECT mcp._chunks_of(k.table_name) FROM ai.knowledge_bases AS k WHERE k.id = knowledge_base);
BEGIN
    IF chunks IS NOT NULL THEN
        EXECUTE format('DELETE FROM %s WHERE document_id = $1', chunks) USING document;
    END IF;
END
$$;

-- What the caller sees of each knowledge base of documents, counted under its policies.
CREATE FUNCTION mcp._knowledge_status()
    RETURNS TABLE (name pg_catalog.text, documents pg_catalog.int8, chunks pg_catalog.int8, embedded pg_catalog.int8, waiting pg_catalog.int8,
                   failed pg_catalog.int8, model pg_catalog.text, next_model pg_catalog.text, next_embedded pg_catalog.int8, problem pg_catalog.text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    base record;
    told text;
    now_failed text;
BEGIN
    told := CASE WHEN current_setting('mcp.embedding_url') = '' THEN 'mcp.embedding_url is not set'
                 WHEN current_setting('mcp.embedding_model') = '' THEN 'mcp.embedding_model is not set'
                 WHEN NOT mcp._jobs_there() THEN 'background jobs are not installed: SELECT mcp.install(''{jobs}'');' END;
    IF told IS NULL AND has_table_privilege('mcp._embedding_state', 'SELECT') THEN
        SELECT s.reason || format(' (%s times in a row; next attempt at %s)', s.failures, s.retry_at) INTO told FROM mcp._embedding_state AS s
         WHERE s.failures > 0;
    END IF;
    FOR base IN SELECT k.* FROM ai.knowledge_bases AS k WHERE k.chunk_strategy IS NOT NULL ORDER BY k.name LOOP
        CONTINUE WHEN mcp._chunks_of(base.table_name) IS NULL;
        name := base.name;
        model := base.embedding_model;
        next_model := base.next_model;
        SELECT count(*) INTO documents FROM ai.documents AS d WHERE d.knowledge_base_id = base.id;
        EXECUTE format('SELECT count(*), count(embedding), count(embedding_error) FILTER (WHERE embedding IS NULL),
                               count(*) FILTER (WHERE %2$I IS NULL AND %3$I IS NULL), %4$s, min(%3$I) FILTER (WHERE %2$I IS NULL) FROM ai.%1$I',
                       base.table_name, CASE WHEN base.next_model IS NULL THEN 'embedding' ELSE 'embedding_next' END,
                       CASE WHEN base.next_model IS NULL THEN 'embedding_error' ELSE 'embedding_next_error' END,
                       CASE WHEN base.next_model IS NULL THEN 'NULL::int8' ELSE 'count(embedding_next)' END)
           INTO chunks, embedded, failed, waiting, next_embedded, now_failed;
        problem := coalesce(CASE WHEN waiting > 0 THEN told END, now_failed);
        RETURN NEXT;
    END LOOP;
END
$$;
