-- The knowledge bases of those names ($1, NULL: all) that the caller may see. A table ai.knowledge_bases that is neither a
-- superuser's nor the extension owner's is not ours, and has none.
SELECT pg_catalog.json_build_object(
         'name', k.name, 'schema', k.table_schema, 'table', k.table_name, 'embedding', k.embedding_column, 'content', k.content_column,
         'document_id', k.document_id_column, 'title', k.title_column, 'tags', k.tags_column, 'metadata', k.metadata_column,
         'search', k.search_column, 'metric', k.metric, 'threshold', k.threshold, 'text_weight', k.text_weight,
         'configuration', (SELECT f.oid::pg_catalog.int8
                             FROM pg_catalog.pg_ts_config AS f JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) f.cfgnamespace
                            WHERE pg_catalog.format('%I.%I', n.nspname, f.cfgname) OPERATOR(pg_catalog.=) k.text_config),
         -- Not there in a table of an earlier version.
         'model', nullif(pg_catalog.to_jsonb(k) OPERATOR(pg_catalog.->>) 'embedding_model', ''))
  FROM ai.knowledge_bases AS k
 WHERE k.enabled AND ($1 IS NULL OR k.name OPERATOR(pg_catalog.=) ANY ($1))
   AND EXISTS (SELECT FROM pg_catalog.pg_class AS c
                      JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                      JOIN pg_catalog.pg_roles AS o ON o.oid OPERATOR(pg_catalog.=) c.relowner
                      JOIN pg_catalog.pg_extension AS e ON e.extname OPERATOR(pg_catalog.=) 'fluxbase_mcp_ext'
                WHERE n.nspname OPERATOR(pg_catalog.=) 'ai' AND c.relname OPERATOR(pg_catalog.=) 'knowledge_bases'
                  AND c.relkind OPERATOR(pg_catalog.=) 'r' AND (o.rolsuper OR o.oid OPERATOR(pg_catalog.=) e.extowner))
 ORDER BY k.name
 LIMIT 51
