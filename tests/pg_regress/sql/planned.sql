-- A read of a known shape is not planned again, and nobody can tell: other values, other callers, and everything that a plan hangs on.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA pl;
CREATE TABLE pl.notes (id int PRIMARY KEY, owner uuid, title text);
INSERT INTO pl.notes SELECT g, (CASE WHEN g % 2 = 0 THEN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa' ELSE 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' END)::uuid, 'note ' || g FROM generate_series(1, 6) AS g;
ALTER TABLE pl.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON pl.notes TO authenticated USING (owner = auth.uid());
GRANT USAGE ON SCHEMA pl TO authenticated;
GRANT SELECT ON pl.notes TO authenticated;
CREATE FUNCTION pl.read(who text, condition text, rest jsonb DEFAULT '{}') RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT t.via(who, 'query_table', jsonb_build_object('table', 'pl.notes', 'filter', jsonb_build_object('title', condition)) || rest)
$$;
-- Another tenant's row stays hidden, whoever asked first.
SELECT g, pl.read('a', 'eq.note ' || g), pl.read('b', 'eq.note ' || g) FROM generate_series(1, 3) AS g;
-- Values that look like something else.
SELECT pl.read('a', 'eq.' || v) FROM unnest(ARRAY['note 2', '', 'null', 'NULL', 'x'' OR true --', '"', '\', E'\u0001', 'eq.note 2', '(note 2)', 'note 4']) AS v;
SELECT pl.read('a', o || '.note 4', '{"order": "id"}') FROM unnest(ARRAY['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'like', 'is', 'nope']) AS o;
-- A value of the wrong type is told of with its place, each time.
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'pl.notes', 'filter', jsonb_build_object('id', 'eq.' || v))) FROM unnest(ARRAY['2', 'two', '4', 'four']) AS v;
-- A cursor belongs to the values of its call.
CREATE FUNCTION pl.cursor(condition text) RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT substring(pl.read('a', condition, '{"order": "id", "limit": 1, "cursor": ""}') FROM 'next_cursor: (\S+)')
$$;
SELECT pl.read('a', 'gt.note 2', jsonb_build_object('order', 'id', 'limit', 1, 'cursor', pl.cursor('gt.note 2')));
SELECT pl.read('a', 'gt.note 1', jsonb_build_object('order', 'id', 'limit', 1, 'cursor', pl.cursor('gt.note 2')));
-- What changes meanwhile is seen: columns, privileges, policies, the table itself.
ALTER TABLE pl.notes ADD COLUMN more int DEFAULT 7;
SELECT pl.read('a', 'eq.note 2');
REVOKE SELECT ON pl.notes FROM authenticated;
GRANT SELECT (id, title) ON pl.notes TO authenticated;
SELECT pl.read('a', 'eq.note 2');
SELECT pl.read('a', 'eq.note 2', '{"select": "owner"}');
DROP POLICY own ON pl.notes;
SELECT pl.read('a', 'eq.note 2');
DROP TABLE pl.notes;
SELECT pl.read('a', 'eq.note 2');
CREATE VIEW pl.notes AS SELECT 'a view'::text AS title;
GRANT SELECT ON pl.notes TO authenticated;
SELECT pl.read('a', 'eq.a view');
-- In one transaction, and back.
BEGIN;
CREATE OR REPLACE VIEW pl.notes AS SELECT 'a view'::text AS title, 2 AS version;
SELECT pl.read('a', 'eq.a view');
ROLLBACK;
SELECT pl.read('a', 'eq.a view');
-- Settings, schemas and rights over schemas.
SELECT pl.read('a', 'neq.x', '{"limit": 50}');
SET mcp.max_rows = 1;
SELECT pl.read('a', 'neq.x', '{"limit": 50}');
RESET mcp.max_rows;
SET mcp.hidden_schemas = 'pl';
SELECT pl.read('a', 'eq.a view');
RESET mcp.hidden_schemas;
CREATE TABLE pl.shadowed (id int PRIMARY KEY, place text DEFAULT 'pl');
INSERT INTO pl.shadowed VALUES (1);
GRANT SELECT ON pl.shadowed TO authenticated;
SET mcp.search_schemas = 'pl';
SELECT t.via('a', 'query_table', '{"table": "shadowed", "filter": {"id": "eq.1"}}') FROM generate_series(1, 2);
CREATE TABLE public.shadowed (id int PRIMARY KEY, place text DEFAULT 'public');
INSERT INTO public.shadowed VALUES (1);
GRANT SELECT ON public.shadowed TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "shadowed", "filter": {"id": "eq.1"}}') FROM generate_series(1, 2);
DROP TABLE public.shadowed;
SELECT t.via('a', 'query_table', '{"table": "shadowed", "filter": {"id": "eq.1"}}');
RESET mcp.search_schemas;
SELECT t.via('a', 'query_table', '{"table": "shadowed", "filter": {"id": "eq.1"}}');
DROP SCHEMA pl CASCADE;
