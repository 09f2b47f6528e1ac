-- Everything that is registered, a line each: JSON. The first line names the tables that this is read from.
-- Runs as mcp_owner with search_path = pg_catalog, pg_temp. A function is found by schema, name and the types of its arguments, as
-- they were when it was registered: nobody's search_path matters, and mcp_owner needs no USAGE anywhere.
SELECT json_build_object('kind', 'tables', 'tables', json_build_array(
         'mcp._tools'::regclass::oid::int8, 'mcp._resources'::regclass::oid::int8, 'mcp._prompts'::regclass::oid::int8,
         'mcp._temp_tables'::regclass::oid::int8, 'mcp._procedures'::regclass::oid::int8))::text
UNION ALL
SELECT json_build_object('kind', 'temp_tables', 'relations', json_agg(c.oid::int8))::text
  FROM mcp._temp_tables AS a
       JOIN pg_namespace AS n ON n.nspname = a.table_schema
       JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = a.table_name
HAVING count(*) > 0
UNION ALL
(SELECT json_build_object(
          'kind', r.kind, 'name', r.name, 'title', coalesce(r.title, ''), 'description', coalesce(r.description, ''),
          'scopes', r.scopes, 'input_schema', r.input_schema::text, 'output_schema', r.output_schema::text,
          'annotations', r.annotations, 'uri', r.uri, 'mime_type', r.mime_type, 'complete', r.complete::text,
          'temp_tables', r.temp_tables, 'task', r.task, 'arguments', r.arguments::text,
          'signature', format('%I.%I(%s)', r.function_schema, r.function_name, r.function_arguments),
          'function', (SELECT p.oid::int8
                         FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                        WHERE n.nspname = r.function_schema AND p.proname = r.function_name
                          AND oidvectortypes(p.proargtypes) = r.function_arguments))::text
   FROM (SELECT 'tool' AS kind, t.name, t.title, t.description, t.scopes, t.input_schema, t.output_schema, t.annotations,
                NULL AS uri, NULL AS mime_type, NULL::jsonb AS complete, t.temp_tables,
                CASE WHEN t.task_support <> 'forbidden' THEN
                     json_build_object('required', t.task_support = 'required', 'on_answer', t.task_on_answer,
                                       'timeout_seconds', t.task_timeout_seconds, 'ttl_seconds', t.task_ttl_seconds) END AS task,
                NULL::jsonb AS arguments, t.function_schema, t.function_name, t.function_arguments
           FROM mcp._tools AS t
         UNION ALL
         SELECT 'resource', s.name, s.title, s.description, s.scopes, NULL, NULL, NULL, s.uri, s.mime_type, s.complete,
                false, NULL, NULL, s.function_schema, s.function_name, s.function_arguments
           FROM mcp._resources AS s
         UNION ALL
         SELECT 'prompt', p.name, p.title, p.description, p.scopes, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, p.arguments,
                p.function_schema, p.function_name, p.function_arguments
           FROM mcp._prompts AS p) AS r
  ORDER BY r.kind, coalesce(r.uri, r.name) COLLATE "C")
UNION ALL
(SELECT json_build_object(
          'kind', 'procedure', 'namespace', p.namespace, 'name', p.name, 'description', coalesce(p.description, ''), 'tool', p.tool,
          'temp_tables', p.temp_tables, 'seconds', p.max_execution_time_seconds, 'logged', NOT p.disable_execution_logs,
          'signature', format('%I.%I(%s)', p.function_schema, p.function_name, p.function_arguments),
          -- One that somebody else made under the same name is another function.
          'function', (SELECT f.oid::int8
                         FROM pg_proc AS f JOIN pg_namespace AS n ON n.oid = f.pronamespace
                        WHERE n.nspname = p.function_schema AND f.proname = p.function_name
                          AND oidvectortypes(f.proargtypes) = p.function_arguments AND pg_get_userbyid(f.proowner) = p.function_owner))::text
   FROM mcp._procedures AS p
  ORDER BY p.namespace COLLATE "C", p.name COLLATE "C", p.function_schema COLLATE "C", p.function_name COLLATE "C", p.function_arguments COLLATE "C")
