-- Knowledge bases: what mcp.install('{ai}') creates, and how a table of one's own becomes one.
--
-- The table is the users' own, as everything that mcp.install makes. A knowledge base shows no row that its reader may not see in
-- the table behind it: it is a name, and what the columns mean.

CREATE FUNCTION mcp._install_ai() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    usable text;
BEGIN
    IF to_regnamespace('ai') IS NULL THEN
        CREATE SCHEMA ai;
        COMMENT ON SCHEMA ai IS 'Knowledge bases that search_vectors searches by name.';
        RETURN NEXT 'schema ai created';
    ELSE
        RETURN NEXT 'schema ai is there already';
    END IF;
    IF to_regclass('ai.knowledge_bases') IS NULL THEN
        CREATE TABLE ai.knowledge_bases (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$'),
            description text,
            enabled boolean NOT NULL DEFAULT true,
            table_schema text NOT NULL,
            table_name text NOT NULL,
            content_column text NOT NULL,
            embedding_column text,
            document_id_column text,
            title_column text,
            tags_column text,
            metadata_column text,
            search_column text,
            text_config text,
            metric text CHECK (metric IN ('cosine', 'l2', 'inner_product', 'l1', 'hamming', 'jaccard')),
            threshold double precision,
            text_weight double precision CHECK (text_weight BETWEEN 0 AND 1),
            require_roles text[] NOT NULL DEFAULT '{}',
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON COLUMN ai.knowledge_bases.embedding_column IS 'The column of vectors; NULL: the table''s only one.';
        COMMENT ON COLUMN ai.knowledge_bases.search_column IS 'A column of type tsvector; NULL: words are looked for in content_column.';
        COMMENT ON COLUMN ai.knowledge_bases.text_config IS
            'Text search configuration, schema.name; NULL: the one of the index on content_column, else pg_catalog.simple.';
        COMMENT ON COLUMN ai.knowledge_bases.threshold IS 'Least similarity (largest distance where the metric has no similarity); NULL: 0.7.';
        COMMENT ON COLUMN ai.knowledge_bases.require_roles IS
            'Database roles that may search it; empty: every role that may read this table. The policies of the table behind it hold in any case.';
        ALTER TABLE ai.knowledge_bases ENABLE ROW LEVEL SECURITY;
        CREATE POLICY search ON ai.knowledge_bases FOR SELECT
            USING (cardinality(require_roles) = 0 OR current_user::text = ANY (require_roles));
        RETURN NEXT 'table ai.knowledge_bases created';
    ELSE
        RETURN NEXT 'table ai.knowledge_bases is there already and was left as it is';
    END IF;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'mcp_admin') THEN
        GRANT USAGE ON SCHEMA ai TO mcp_admin;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ai.knowledge_bases TO mcp_admin;
        GRANT EXECUTE ON FUNCTION mcp.register_knowledge_base, mcp.unregister_knowledge_base, mcp._knowledge_column TO mcp_admin;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'ai.knowledge_bases'::regclass) THEN
            CREATE POLICY admin ON ai.knowledge_bases TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        RETURN NEXT 'mcp_admin may register knowledge bases';
    END IF;
    RETURN QUERY SELECT line FROM mcp._knowledge_tables() AS line;
    FOR usable IN SELECT r.role_name FROM mcp.allowed_roles AS r JOIN pg_roles AS p ON p.rolname = r.role_name ORDER BY 1 LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA ai TO %I', usable);
        EXECUTE format('GRANT SELECT ON ai.knowledge_bases TO %I', usable);
        RETURN NEXT format('%s may search knowledge bases whose policies let it', usable);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'vector') THEN
        RETURN NEXT 'pgvector is not in this database: search_vectors comes with it (CREATE EXTENSION vector)';
    END IF;
END
$$;

-- A column of a table that is to be a part of a knowledge base, and its type below all domains.
CREATE FUNCTION mcp._knowledge_column("table" pg_catalog.oid, argument pg_catalog.text, name pg_catalog.text) RETURNS pg_catalog.pg_type
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_type pg_type;
BEGIN
    IF name IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT t.* INTO found_type FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
     WHERE a.attrelid = $1 AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION '%: % has no column "%". Nothing was registered.', argument, $1::regclass, name USING ERRCODE = 'undefined_column';
    END IF;
    WHILE found_type.typtype = 'd' LOOP
        SELECT t.* INTO found_type FROM pg_type AS t WHERE t.oid = found_type.typbasetype;
    END LOOP;
    RETURN found_type;
END
$$;

CREATE FUNCTION mcp.register_knowledge_base(
    name pg_catalog.text,
    "table" pg_catalog.regclass,
    content pg_catalog.text,
    embedding pg_catalog.text DEFAULT NULL,
    document_id pg_catalog.text DEFAULT NULL,
    title pg_catalog.text DEFAULT NULL,
    tags pg_catalog.text DEFAULT NULL,
    metadata pg_catalog.text DEFAULT NULL,
    search pg_catalog.text DEFAULT NULL,
    text_config pg_catalog.regconfig DEFAULT NULL,
    metric pg_catalog.text DEFAULT NULL,
    threshold pg_catalog.float8 DEFAULT NULL,
    text_weight pg_catalog.float8 DEFAULT NULL,
    description pg_catalog.text DEFAULT NULL,
    require_roles pg_catalog.text[] DEFAULT '{}')
    RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    place record;
    vectors text[];
    chosen text := register_knowledge_base.embedding;
    of_vectors pg_type;
    part record;
    measure text := register_knowledge_base.metric;
    served text;
    config text;
BEGIN
    IF to_regclass('ai.knowledge_bases') IS NULL THEN
        RAISE EXCEPTION 'knowledge bases are not installed in this database. Nothing was registered.'
            USING ERRCODE = 'undefined_table', HINT = 'SELECT mcp.install(''{ai}'');';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'vector') THEN
        RAISE EXCEPTION 'pgvector is not in this database. Nothing was registered.'
            USING ERRCODE = 'feature_not_supported', HINT = 'CREATE EXTENSION vector; mcp.doctor() says how to get it.';
    END IF;
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relrowsecurity INTO place
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = register_knowledge_base.table AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'table: % is no table or view. Nothing was registered.', coalesce(register_knowledge_base.table::text, 'NULL')
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF place.nspname <> 'ai' AND place.nspname = ANY (regexp_split_to_array(current_setting('mcp.hidden_schemas'), '\s*,\s*') || '{pg_catalog,information_schema}'::text[]) THEN
        RAISE EXCEPTION 'table: schema % is hidden from tools, so nobody could search %. Nothing was registered.', place.nspname, place.oid::regclass
            USING ERRCODE = 'insufficient_privilege', HINT = 'Move the table, make a view in another schema, or take the schema out of mcp.hidden_schemas.';
    END IF;
    IF coalesce(register_knowledge_base.name, '') !~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$' THEN
        RAISE EXCEPTION 'name: "%" must have 1 to 64 letters, digits, blanks or . _ -, a letter or digit first. Nothing was registered.', register_knowledge_base.name
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- The vectors.
    IF chosen IS NULL THEN
        SELECT array_agg(a.attname::text ORDER BY a.attnum) INTO vectors
          FROM pg_attribute AS a
         WHERE a.attrelid = place.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND (mcp._knowledge_column(place.oid, 'embedding', a.attname)).typname IN ('vector', 'halfvec', 'sparsevec');
        IF cardinality(vectors) IS DISTINCT FROM 1 THEN
            RAISE EXCEPTION 'embedding: % has % columns of vectors; name the one to search. Nothing was registered.', place.oid::regclass, coalesce(cardinality(vectors), 0)
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        chosen := vectors[1];
    END IF;
    of_vectors := mcp._knowledge_column(place.oid, 'embedding', chosen);
    IF of_vectors.typname NOT IN ('vector', 'halfvec', 'sparsevec', 'bit') THEN
        RAISE EXCEPTION 'embedding: column "%" is of type %, which has no distance. Nothing was registered.', chosen, of_vectors.oid::regtype
            USING ERRCODE = 'datatype_mismatch', HINT = 'Its type must be vector, halfvec, sparsevec or bit.';
    END IF;
    -- The other columns.
    FOR part IN
        SELECT p.argument, p.name, (mcp._knowledge_column(place.oid, p.argument, p.name)).typname AS type, p.types
          FROM (VALUES ('content', register_knowledge_base.content, '{text,varchar,bpchar,citext}'::text[]),
                       ('document_id', register_knowledge_base.document_id, NULL),
                       ('title', register_knowledge_base.title, NULL),
                       ('tags', register_knowledge_base.tags, '{_text,_varchar,jsonb}'),
                       ('metadata', register_knowledge_base.metadata, '{json,jsonb}'),
                       ('search', register_knowledge_base.search, '{tsvector}')) AS p(argument, name, types)
    LOOP
        IF part.argument = 'content' AND part.name IS NULL THEN
            RAISE EXCEPTION 'content: which column is the text? Nothing was registered.' USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF part.type <> ALL (part.types) THEN
            RAISE EXCEPTION '%: column "%" is of type %. Nothing was registered.', part.argument, part.name, part.type
                USING ERRCODE = 'datatype_mismatch', HINT = format('Its type must be one of: %s.', array_to_string(part.types, ', '));
        END IF;
    END LOOP;
    -- The metric: the one that an index serves.
    SELECT string_agg(DISTINCT o.opcname::text, ', ') INTO served
      FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
           JOIN pg_opclass AS o ON o.oid = (i.indclass::oid[])[0]
           JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = (i.indkey::int2[])[0]
     WHERE i.indrelid = place.oid AND i.indisvalid AND i.indpred IS NULL AND m.amname IN ('hnsw', 'ivfflat') AND a.attname = chosen;
    measure := coalesce(measure, CASE
        WHEN served ~ '_cosine_' OR served IS NULL AND of_vectors.typname <> 'bit' THEN 'cosine'
        WHEN served ~ '_l2_' THEN 'l2' WHEN served ~ '_ip_' THEN 'inner_product' WHEN served ~ '_l1_' THEN 'l1'
        WHEN served ~ '_jaccard_' THEN 'jaccard' ELSE 'hamming' END);
    IF (measure IN ('hamming', 'jaccard')) IS DISTINCT FROM (of_vectors.typname = 'bit') OR measure NOT IN ('cosine', 'l2', 'inner_product', 'l1', 'hamming', 'jaccard') THEN
        RAISE EXCEPTION 'metric: "%" does not compare %. Nothing was registered.', measure, of_vectors.typname
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = CASE of_vectors.typname WHEN 'bit' THEN 'Write hamming or jaccard.' ELSE 'Write cosine, l2, inner_product or l1.' END;
    END IF;
    IF register_knowledge_base.text_weight NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION 'text_weight: must be from 0 to 1. Nothing was registered.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT format('%I.%I', n.nspname, f.cfgname) INTO config
      FROM pg_ts_config AS f JOIN pg_namespace AS n ON n.oid = f.cfgnamespace WHERE f.oid = register_knowledge_base.text_config;

    INSERT INTO ai.knowledge_bases AS k (name, description, table_schema, table_name, content_column, embedding_column, document_id_column,
                                         title_column, tags_column, metadata_column, search_column, text_config, metric, threshold, text_weight,
                                         require_roles)
    VALUES (register_knowledge_base.name, register_knowledge_base.description, place.nspname, place.relname, register_knowledge_base.content, chosen,
            register_knowledge_base.document_id, register_knowledge_base.title, register_knowledge_base.tags, register_knowledge_base.metadata,
            register_knowledge_base.search, config, measure, register_knowledge_base.threshold, register_knowledge_base.text_weight,
            coalesce(register_knowledge_base.require_roles, '{}'))
    ON CONFLICT (name) DO UPDATE
       SET description = excluded.description, table_schema = excluded.table_schema, table_name = excluded.table_name,
           content_column = excluded.content_column, embedding_column = excluded.embedding_column,
           document_id_column = excluded.document_id_column, title_column = excluded.title_column, tags_column = excluded.tags_column,
           metadata_column = excluded.metadata_column, search_column = excluded.search_column, text_config = excluded.text_config,
           metric = excluded.metric, threshold = excluded.threshold, text_weight = excluded.text_weight,
           require_roles = excluded.require_roles, enabled = true, updated_at = now();
    RETURN NEXT format('knowledge base %s: %s, column %I (%s), metric %s', register_knowledge_base.name, place.oid::regclass, chosen, of_vectors.typname, measure);
    IF place.relkind IN ('r', 'p', 'm') AND (served IS NULL OR served !~ ('_' || replace(measure, 'inner_product', 'ip') || '_')) THEN
        RETURN NEXT format('no index serves %s: every row will be compared; CREATE INDEX ON %s USING hnsw (%I %s_%s_ops);', measure,
                           place.oid::regclass, chosen, of_vectors.typname, replace(measure, 'inner_product', 'ip'));
    END IF;
    IF place.relkind IN ('r', 'p') AND NOT place.relrowsecurity THEN
        RETURN NEXT format('row-level security is off on %s: whoever may read it finds every row; ALTER TABLE %s ENABLE ROW LEVEL SECURITY;',
                           place.oid::regclass, place.oid::regclass);
    END IF;
    IF place.relkind = 'v' THEN
        RETURN NEXT format('%s is a view: policies of its tables hold for its owner unless it has security_invoker', place.oid::regclass);
    END IF;
END
$$;
COMMENT ON FUNCTION mcp.register_knowledge_base IS
    'Makes a table with a column of vectors searchable by name in search_vectors, or replaces the knowledge base of that name. Grants and policies of the table decide who finds what.';

CREATE FUNCTION mcp.unregister_knowledge_base(name pg_catalog.text) RETURNS pg_catalog.bool
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM ai.knowledge_bases AS k WHERE k.name = unregister_knowledge_base.name;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION mcp.unregister_knowledge_base IS 'Takes mcp.register_knowledge_base back; false when there is no such knowledge base. The table stays.';
