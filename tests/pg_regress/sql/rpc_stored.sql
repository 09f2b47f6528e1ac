-- Stored statements: annotations, parameters, types, who may run them, what they write, how they are listed.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = notice;
SELECT t.key('stored anon', role => 'anon', scopes => '{execute:rpc}');
CREATE SCHEMA stored_app;
GRANT USAGE ON SCHEMA stored_app TO authenticated, anon;
CREATE TYPE stored_app.mood AS ENUM ('sad', 'happy');
CREATE TABLE stored_app.notes (id bigint GENERATED ALWAYS AS IDENTITY, owner uuid DEFAULT auth.uid(), body text, mood stored_app.mood, at timestamptz DEFAULT '2026-01-02Z');
ALTER TABLE stored_app.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON stored_app.notes USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
GRANT SELECT, INSERT, UPDATE, DELETE ON stored_app.notes TO authenticated;
GRANT SELECT ON stored_app.notes TO anon;
SELECT mcp.define_rpc($q$
-- @fluxbase:name add_note
-- @fluxbase:description Adds a note.
-- @fluxbase:allowed-schemas stored_app
-- @fluxbase:input {"body": "text", "mood?": "stored_app.mood"}
INSERT INTO notes (body, mood) VALUES ($body, $mood) RETURNING id, body, mood;
$q$);
SELECT mcp.define_rpc($q$
/* @fluxbase:name notes
 * @fluxbase:allowed-tables stored_app.notes
 * @fluxbase:allowed-schemas stored_app
 * @fluxbase:input {"since?": "timestamptz",
 *                  "most": "integer"}
 * @fluxbase:max-execution-time 5s
 * @fluxbase:version 3
 */
SELECT id, body, '$most' AS literal, /* $since */ $q$ || '$x$ $most $x$' || $q$ AS dollar, mood = ANY ($moods) AS felt
  FROM notes WHERE ($since IS NULL OR at >= $since) ORDER BY id LIMIT $most -- $nothing
$q$);
SELECT mcp.define_rpc(E'-- @fluxbase:name mine\n-- @fluxbase:allowed-schemas stored_app\nSELECT count(*) AS count, $caller_id::uuid AS id, $caller_role AS role, $caller_email AS email FROM notes');
SELECT mcp.define_rpc(E'-- @fluxbase:name clear\n-- @fluxbase:namespace admin\n-- @fluxbase:allowed-schemas stored_app\n-- @fluxbase:require-role service_role\nDELETE FROM notes WHERE owner = $owner');
SELECT mcp.define_rpc(E'-- @fluxbase:name open\n-- @fluxbase:public\nSELECT 1 AS one, 1 AS one');
SELECT mcp.define_rpc(E'-- @fluxbase:name forget\n-- @fluxbase:allowed-schemas stored_app\n-- @fluxbase:disable-execution-logs\nWITH gone AS (DELETE FROM notes WHERE id = $id RETURNING *) SELECT id, at FROM gone');
SELECT name, namespace, input_schema, output_schema, allowed_tables, allowed_schemas, max_execution_time_seconds, version, require_roles, is_public FROM rpc.procedures ORDER BY name;
-- What would never run is not stored.
SELECT t.try($r$SELECT mcp.define_rpc(E'-- @fluxbase:name nightly\n-- @fluxbase:schedule 0 3 * * *\nSELECT 1 AS one')$r$);
SELECT count(*) FROM rpc.procedures WHERE name = 'nightly';

SELECT t.rpc('add_note', '{"body": "first; ''$body'' -- x", "mood": "happy"}');
SELECT t.rpc('add_note', '{"body": null}');
SELECT t.rpc('add_note', '{"body": "of bob"}', key => 'rpc bob');
SELECT t.rpc('add_note', '{"body": "x", "mood": "bored"}');
SELECT t.rpc('add_note', '{"mood": "sad"}');
SELECT t.rpc('add_note', '{"body": "x", "mod": "sad"}');
SELECT t.rpc('notes', '{"most": 5, "moods": ["happy"]}');
SELECT t.rpc('notes', '{"most": 5, "moods": ["happy"], "since": "2027-01-01"}');
SELECT t.rpc('notes', '{"most": 5, "moods": [], "since": "then"}');
SELECT t.rpc('notes', '{"most": "1 OR true", "moods": []}');
SELECT jsonb_path_query(t.via(k, 'invoke_rpc', '{"name": "mine"}')::jsonb, '$.data[*]') FROM unnest(ARRAY['rpc ann', 'rpc bob']) AS k;
SELECT t.rpc('mine', '{"caller_id": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}');
SELECT t.rpc('forget', '{"id": 2}'), t.rpc('forget', '{"id": 3}');
-- Who may run what.
SELECT t.rpc('clear', '{"owner": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}');
SELECT t.rpc('clear', '{"owner": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}', 'admin');
SELECT t.rpc('open', key => 'stored anon'), t.rpc('mine', key => 'stored anon');
GRANT USAGE ON SCHEMA stored_app TO service_role;
GRANT SELECT, DELETE ON stored_app.notes TO service_role;
SELECT t.rpc('clear', '{"owner": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}', key => 'service');
SELECT id, body FROM stored_app.notes ORDER BY id;
UPDATE rpc.procedures SET enabled = false WHERE name = 'notes';
SELECT t.rpc('notes', '{"most": 1}');
SELECT p.value ->> 'name', p.value -> 'input_schema', p.value -> 'output_schema' -> 'properties', p.value - '{name,input_schema,output_schema,created_at}'::text[] FROM jsonb_array_elements(t.read('rpc ann', 'fluxbase://rpc')::jsonb -> 'procedures') AS p WHERE p.value ->> 'kind' = 'statement';
SELECT procedure_id IS NOT NULL AS stored, procedure_name, status, count(*) FROM rpc.executions WHERE procedure_name IN ('add_note', 'notes', 'mine', 'forget', 'clear') GROUP BY 1, 2, 3 ORDER BY 2, 3;
-- An exposed function of the same name and namespace comes first.
CREATE FUNCTION stored_app.open() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'function' $$;
SELECT mcp.expose_rpc('stored_app.open()');
SELECT t.rpc('open'), mcp.unexpose_rpc('open'), t.rpc('open');

-- What is not stored.
SELECT t.try(format('SELECT mcp.define_rpc(%L)', s)) FROM unnest(ARRAY[
    'SELECT 1', E'-- @fluxbase:name x\nSELECT 1; SELECT 2', E'-- @fluxbase:name x\nCREATE TABLE y (i int)', E'-- @fluxbase:name x\nSELECT 1 INTO y', E'-- @fluxbase:name x\nSET ROLE postgres',
    E'-- @fluxbase:name x\nSELECT $1', E'-- @fluxbase:name x\nSELECT ''', E'-- @fluxbase:name x\n-- @fluxbase:input {"a": "int"}\nSELECT 1', E'-- @fluxbase:name x\n-- @fluxbase:input {"caller_id": "uuid"}\nSELECT $caller_id',
    E'-- @fluxbase:name x\n-- @fluxbase:input {"a": "nonsense"}\nSELECT $a', E'-- @fluxbase:name x\n-- @fluxbase:input {"a": "anyelement"}\nSELECT $a', E'-- @fluxbase:name x\nSELECT $a IS NULL', E'-- @fluxbase:nmae x\nSELECT 1', E'-- @fluxbase:name x',
    E'-- @fluxbase:name x\nSELECT * FROM stored_app.notes', E'-- @fluxbase:name x\nDO $$BEGIN END$$', E'-- @fluxbase:name x\nCOPY t TO PROGRAM ''x''', E'-- @fluxbase:name a b\nSELECT 1', E'-- @fluxbase:name x/y\nSELECT 1']) WITH ORDINALITY AS a(s, n) ORDER BY n;
SET ROLE authenticated;
SELECT t.try(E'SELECT mcp.define_rpc(''-- @fluxbase:name x\nSELECT 1'')'), t.try('UPDATE rpc.procedures SET sql_query = ''SELECT 1''');
RESET ROLE;
SET ROLE mcp_admin;
SELECT mcp.define_rpc(E'-- @fluxbase:name by_admin\nSELECT $n::int AS n');
RESET ROLE;
SELECT t.rpc('by_admin', '{"n": 7}');
DELETE FROM rpc.procedures;
SET client_min_messages = warning;
DROP SCHEMA stored_app CASCADE;
