-- bounds: max_chars and the limits cut an answer, say so and say how to go on; going on gives every row once; a write that was done is never an error because its answer is large.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA bo;
CREATE TABLE bo.t (id int PRIMARY KEY, grp int, pad text);
INSERT INTO bo.t SELECT g, g % 7, repeat(chr(96 + g % 26), 10 + g % 50) FROM generate_series(1, 1200) AS g;
CREATE TABLE bo.nokey AS SELECT * FROM bo.t;
CREATE TABLE bo.kids (id int PRIMARY KEY, t int REFERENCES bo.t);
INSERT INTO bo.kids SELECT g, 1 + g % 2 FROM generate_series(1, 260) AS g;
CREATE TABLE bo.wide (id int PRIMARY KEY, body text);
INSERT INTO bo.wide SELECT g, repeat('w', 30000) FROM generate_series(1, 3) AS g;
GRANT USAGE ON SCHEMA bo TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bo TO authenticated;
CREATE FUNCTION bo.page(args jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT coalesce(body::jsonb #> '{result,structuredContent}', to_jsonb(t.shown(body::jsonb)))
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', 'query_table', 'arguments', args))::text, t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}')
$$;
-- Everything of a page but its rows; the cursor is opaque.
CREATE FUNCTION bo.about(page jsonb) RETURNS text LANGUAGE sql AS $$
SELECT regexp_replace(CASE WHEN jsonb_typeof(page) = 'object' THEN page - 'rows' ELSE page END::text, '("?cursor"?: ?\\?"?|cursor":"|cursor\\":\\")[A-Za-z0-9_-]{20,}', '\1(cursor)', 'g')
$$;
-- What the structured answer says, by each bound.
SELECT m, bo.about(bo.page('{"table": "bo.t", "select": "id"}'::jsonb || m))
  FROM unnest(ARRAY['{}', '{"order": "id"}', '{"limit": 5}', '{"limit": 5, "order": "id"}', '{"limit": 1000, "order": "id"}', '{"limit": 5000, "order": "id"}', '{"limit": 5000}', '{"offset": 1150}', '{"max_chars": 100}', '{"max_chars": 100, "order": "id"}', '{"max_chars": 100, "order": "id", "limit": 3}', '{"max_chars": 100, "limit": 5000, "order": "id"}', '{"max_chars": 100, "offset": 7}', '{"filter": {"id": "lt.4"}, "max_chars": 30, "order": "id"}', '{"filter": {"id": "lt.4"}, "max_chars": 29, "order": "id"}',
    '{"limit": 0}', '{"limit": 0, "order": "id"}', '{"limit": 0, "filter": {"id": 0}}', '{"filter": {"id": 0}}', '{"max_chars": 1000000, "limit": 1}', '{"limit": 100, "filter": {"id": "lte.100"}}', '{"filter": {"id": "lte.100"}}']::jsonb[]) AS m;
-- The text answer has the same as notes.
SELECT m, bo.about(jsonb_build_object('text', regexp_replace(t.via('a', 'query_table', '{"table": "bo.t", "select": "id", "order": "id"}'::jsonb || m), '^\[.*\]', '[]')))
  FROM unnest(ARRAY['{}', '{"limit": 5}', '{"max_chars": 100}', '{"limit": 5000, "max_chars": 1000}', '{"max_chars": 10}', '{"max_chars": 9}']::jsonb[]) AS m;
-- `next` followed until the end gives every row once, for each bound, with and without a cursor.
CREATE FUNCTION bo.walk(args jsonb) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    page jsonb;
    ids int[] := '{}';
    pages int := 0;
    most int := 0;
BEGIN
    LOOP
        page := bo.page(args);
        IF jsonb_typeof(page) <> 'object' THEN RETURN page #>> '{}'; END IF;
        pages := pages + 1;
        most := greatest(most, length(page ->> 'rows'));
        IF (page ->> 'count')::int <> jsonb_array_length(page -> 'rows') THEN RETURN 'wrong count'; END IF;
        ids := ids || ARRAY(SELECT (r ->> 'id')::int FROM jsonb_array_elements(page -> 'rows') AS r);
        EXIT WHEN NOT page ? 'truncated' OR pages > 500;
        args := (args - 'cursor' - 'offset') || (page #> '{truncated,next}');
    END LOOP;
    RETURN format('%s rows, %s different, %s to %s, in order %s, %s pages', cardinality(ids), (SELECT count(DISTINCT i) FROM unnest(ids) AS i), (SELECT min(i) FROM unnest(ids) AS i), (SELECT max(i) FROM unnest(ids) AS i), ids = ARRAY(SELECT i FROM unnest(ids) AS i ORDER BY i), pages);
END
$$;
SELECT m, bo.walk(m)
  FROM unnest(ARRAY['{"table": "bo.t", "order": "id"}', '{"table": "bo.t", "order": "id", "max_chars": 1000}', '{"table": "bo.t", "order": "grp,pad", "max_chars": 3000}', '{"table": "bo.t", "order": "grp.desc", "limit": 5000}', '{"table": "bo.nokey", "order": "id", "max_chars": 2000}', '{"table": "bo.nokey", "order": "id", "limit": 5000, "max_chars": 7000}', '{"table": "bo.t", "order": "id", "max_chars": 5000, "filter": {"grp": 3}}', '{"table": "bo.wide", "order": "id"}', '{"table": "bo.t", "select": "id,kids(id)", "order": "id", "max_chars": 4000, "filter": {"id": "lte.9"}}', '{"table": "bo.kids", "select": "id,...bo.t(pad)", "order": "t(grp),id.desc", "max_chars": 700}']::jsonb[]) AS m;
-- Groups go on by offset.
SELECT bo.about(bo.page('{"table": "bo.t", "select": "grp,count()", "order": "grp", "max_chars": 60}')), bo.about(bo.page('{"table": "bo.t", "select": "grp,count()", "order": "grp", "max_chars": 60, "offset": 2}'));
-- One row that is too large by itself; max_chars that is none.
SELECT bo.page('{"table": "bo.t", "order": "id", "max_chars": 10}'), bo.page('{"table": "bo.t", "select": "id,kids(id)", "order": "id", "max_chars": 300}'), bo.about(bo.page('{"table": "bo.t", "select": "id,kids(id)", "order": "id", "max_chars": 300, "embed": {"kids": {"limit": 2}}, "limit": 1}'));
SELECT m, bo.page(jsonb_build_object('table', 'bo.t', 'max_chars', m)) FROM unnest(ARRAY['0', '-1', '"100"', '1.5', 'true', '[1]']::jsonb[]) AS m;
-- The setting bounds the argument and the open list.
SET mcp.max_result_chars = 2000;
SELECT bo.about(bo.page('{"table": "bo.t", "select": "id", "order": "id", "max_chars": 5000}')), bo.about(bo.page('{"table": "bo.t", "order": "id"}'));
RESET mcp.max_result_chars;
SET mcp.max_rows = 10;
SELECT bo.about(bo.page('{"table": "bo.t", "select": "id", "order": "id"}')), bo.about(bo.page('{"table": "bo.t", "select": "id", "order": "id", "limit": 11}')), bo.walk('{"table": "bo.t", "order": "id", "filter": {"id": "lte.25"}}'), bo.about(bo.page('{"table": "bo.t", "select": "kids(id)", "filter": {"id": 1}}'));
SELECT bo.page('{"table": "bo.t", "select": "kids(id)", "filter": {"id": 1}, "embed": {"kids": {"limit": 12, "order": "id"}}}');
RESET mcp.max_rows;
-- A row as wide as Postgres lets it be.
DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE bo.cols (id int PRIMARY KEY, %s)', string_agg(format('c%s int DEFAULT %s', g, g), ', ')) FROM generate_series(1, 1599) AS g); END $$;
INSERT INTO bo.cols VALUES (1), (2), (3);
GRANT SELECT, UPDATE ON bo.cols TO authenticated;
SELECT bo.about(bo.page('{"table": "bo.cols", "order": "id"}')), jsonb_array_length(bo.page('{"table": "bo.cols", "order": "id"}') -> 'rows'), bo.walk('{"table": "bo.cols", "order": "id"}'), bo.page('{"table": "bo.cols", "select": "c1599,c1", "filter": {"id": 2}}'), bo.about(bo.page('{"table": "bo.cols", "order": "id", "max_chars": 15000}'));
SELECT t.via('a', 'query_table', '{"table": "bo.cols", "select": "*,x:id"}');
SELECT left(t.via('a', 'update_record', '{"table": "bo.cols", "data": {"c1": 7}, "filter": {"id": 1}}'), 60);

-- Writes: done, told, and cut.
SELECT m, left(a, 40), right(a, 420) FROM unnest(ARRAY['{"max_chars": 50}', '{"max_chars": 1}', '{"returning": "none", "max_chars": 1}', '{"max_chars": 1, "dry_run": true}']::jsonb[]) AS m, t.via('a', 'update_record', '{"table": "bo.t", "data": {"grp": 9}, "filter": {"id": "lte.3"}, "returning": "id,grp"}'::jsonb || m) AS a;
SELECT right(t.via('a', 'update_record', '{"table": "bo.t", "data": {"grp": 8}, "filter": {"id": "gt.0"}, "returning": "id"}'), 250);
SELECT count(*) FROM bo.t WHERE grp = 8;
SELECT right(t.via('a', 'update_record', '{"table": "bo.t", "data": {"pad": "x"}, "filter": {"id": "lte.900"}, "max_chars": 200}'), 250);
SELECT count(*) FROM bo.t WHERE pad = 'x';
SELECT right(t.via('a', 'delete_record', '{"table": "bo.wide", "filter": {"id": "lte.2"}}'), 250);
SELECT count(*) FROM bo.wide;
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'bo.wide', 'data', jsonb_build_object('id', 10, 'body', repeat('w', 50000))));
SELECT length(body) FROM bo.wide WHERE id = 10;
SELECT left(a, 30), right(a, 250) FROM t.via('a', 'insert_record', jsonb_build_object('table', 'bo.wide', 'data', (SELECT jsonb_agg(jsonb_build_object('id', g, 'body', repeat('w', 15000))) FROM generate_series(11, 14) AS g))) AS a;
SELECT body::jsonb #> '{result,structuredContent}' FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_record","arguments":{"table":"bo.wide","filter":{"id":"gte.10"},"max_chars":100}}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}');
SELECT m, t.via('a', 'delete_record', jsonb_build_object('table', 'bo.kids', 'filter', '{"id": 1}'::jsonb, 'max_chars', m)) FROM unnest(ARRAY['0', '"1"']::jsonb[]) AS m;
SELECT count(*) FROM bo.wide;
SELECT count(*) FROM bo.kids;
DROP SCHEMA bo CASCADE;
-- One row of fifty megabytes is not carried around.
CREATE TABLE public.huge (id int PRIMARY KEY, body text);
INSERT INTO public.huge VALUES (1, repeat('x', 50000000));
GRANT SELECT ON public.huge TO authenticated;
SELECT length(answer) < 2000, left(answer, 300) FROM t.via('a', 'query_table', '{"table": "huge"}') AS answer;
SELECT length(answer) < 2000, left(answer, 300) FROM t.via('a', 'query_table', '{"table": "huge", "select": "id"}') AS answer;
DROP TABLE public.huge;
