-- cursor: page by page every row comes once, in every direction, with nulls, duplicates and any type, while rows come and go; a forged cursor is an error or a narrower filter, never more rows.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA cu;
CREATE TYPE cu.state AS ENUM ('new', 'open', 'done');
CREATE DOMAIN cu.code AS text CHECK (VALUE ~ '^[a-z ]+$');
CREATE TYPE cu.pair AS (a int, b text);
CREATE TABLE cu.tags (id int PRIMARY KEY, name text, rank int);
CREATE TABLE cu.t (id int PRIMARY KEY, a int, b text, c int NOT NULL, j jsonb, tag int REFERENCES cu.tags);
INSERT INTO cu.tags VALUES (1, 'x', 2), (2, 'y', NULL), (3, NULL, 1);
INSERT INTO cu.t SELECT g, nullif(g % 5, 0), CASE WHEN g % 4 = 0 THEN NULL ELSE substr('acb', 1 + g % 3, 1) END, g % 2, CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN jsonb_build_object('n', g % 4) ELSE '{"n": null}' END, nullif(g % 4, 0) FROM generate_series(1, 23) AS g;
GRANT USAGE ON SCHEMA cu TO authenticated;
GRANT SELECT ON ALL TABLES IN SCHEMA cu TO authenticated;
-- The structured answer, or the error.
CREATE FUNCTION cu.page(args jsonb, who text DEFAULT 'a') RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT coalesce(body::jsonb #> '{result,structuredContent}', to_jsonb(t.shown(body::jsonb)))
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', 'query_table', 'arguments', args))::text, t.credential(who), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}')
$$;
CREATE FUNCTION cu.ids(page jsonb) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN jsonb_typeof(page) = 'object' THEN (SELECT string_agg(r.value ->> 'id', ',' ORDER BY r.n) FROM jsonb_array_elements(page -> 'rows') WITH ORDINALITY AS r(value, n)) ELSE page #>> '{}' END
$$;
-- All pages of that size, one after the other.
CREATE FUNCTION cu.walk(args jsonb, size int, who text DEFAULT 'a') RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    page jsonb;
    ids text[] := '{}';
BEGIN
    args := args || jsonb_build_object('limit', size);
    FOR n IN 1 .. 200 LOOP
        page := cu.page(args, who);
        IF jsonb_typeof(page) <> 'object' THEN RETURN page #>> '{}'; END IF;
        IF (page ->> 'count')::int > size OR (page -> 'has_more')::bool <> (page ? 'next_cursor') THEN RETURN 'wrong page ' || page; END IF;
        ids := ids || cu.ids(page);
        EXIT WHEN NOT page ? 'next_cursor';
        args := args || jsonb_build_object('cursor', page -> 'next_cursor');
    END LOOP;
    RETURN array_to_string(ids, ',');
END
$$;
-- Equal to one read of all, whose order ends with the key?
CREATE FUNCTION cu.same(args jsonb, size int) RETURNS bool LANGUAGE sql VOLATILE AS $$
SELECT coalesce(cu.walk(args, size) = cu.ids(cu.page(args || '{"limit": 1000}')) AND cu.walk(args, size) LIKE '%,%', false)
$$;
SELECT cu.walk('{"table": "cu.t", "select": "id", "order": "a.desc,b"}', 4), cu.ids(cu.page('{"table": "cu.t", "select": "id", "order": "a.desc,b"}'));
-- 6 directions of one nullable column times 6 of another, then one that is never null, paths and related columns; pages of 1, 2 and 5.
CREATE TABLE cu.orders AS
SELECT x.a || ',' || y.b AS o FROM unnest(ARRAY['a', 'a.desc', 'a.nullsfirst', 'a.asc.nullslast', 'a.desc.nullsfirst', 'a.desc.nullslast']) AS x(a), unnest(ARRAY['b', 'b.desc', 'b.nullsfirst', 'b.asc.nullslast', 'b.desc.nullsfirst', 'b.desc.nullslast']) AS y(b)
UNION ALL SELECT unnest(ARRAY['id', 'id.desc', 'c', 'c.desc', 'c,id.desc', 'c.desc,id.desc', 'c.desc,a,id.desc', 'b,c.desc', 'j->n', 'j->n.desc,c', 'j->>n.nullsfirst', 'j.desc', 'tag(name)', 'tag(name).desc.nullslast,a', 'tag(rank).nullsfirst,c.desc', 'c,tag(name),b.desc', 'id,a']);
SELECT size, count(*), array_agg(o) FILTER (WHERE NOT cu.same(jsonb_build_object('table', 'cu.t', 'select', 'id', 'order', o), size)) AS wrong FROM cu.orders, unnest(ARRAY[1, 2, 5]) AS size GROUP BY size ORDER BY size;
-- With filters, embedded rows, spread and inner.
SELECT m, cu.same('{"table": "cu.t", "order": "a.desc,b"}'::jsonb || m, 2)
  FROM unnest(ARRAY['{"select": "id", "filter": {"or": [{"a": "gt.2"}, {"b": null}]}}', '{"select": "id", "filter": {"tag.name": "isnot.null", "j->n": {"isnot": null}}}', '{"select": "id,tag(name)"}', '{"select": "id,...tag(name)"}', '{"select": "id,tag!inner(name)", "embed": {"tag": {"filter": {"name": "eq.x"}}}}', '{"select": "id,x:j->n,b::text"}']::jsonb[]) AS m;
SELECT cu.same('{"table": "cu.tags", "select": "id,t(id)", "order": "rank", "embed": {"t": {"order": "id", "limit": 1}}}', 1);
-- The question is table, filter and order; what is shown and how much of it may change, and the total stays that of the question.
CREATE TABLE cu.kept AS SELECT cu.page('{"table": "cu.t", "select": "id", "order": "a,b.desc", "limit": 4, "filter": {"id": "gt.2"}}') AS page;
SELECT page - 'next_cursor' FROM cu.kept;
CREATE FUNCTION cu.go_on(more jsonb, who text DEFAULT 'a') RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT coalesce(cu.ids(p), '-') || coalesce(' total ' || (p ->> 'total_count'), '') || coalesce(' ' || (p -> 'rows' ->> 0), '')
  FROM cu.kept, cu.page('{"table": "cu.t", "select": "id", "order": "a,b.desc", "limit": 4, "filter": {"id": "gt.2"}}'::jsonb || jsonb_build_object('cursor', page -> 'next_cursor') || more, who) AS p
$$;
SELECT m, cu.go_on(m) FROM unnest(ARRAY['{}', '{"limit": 2}', '{"limit": 7, "select": "id,b,tag(name)"}', '{"select": "id,a::text"}', '{"count": "exact"}', '{"max_chars": 30}', '{"order": ["a", "b.desc"]}', '{"order": "a.asc, b desc"}', '{"limit": 0}', '{"order": "a,b.desc,id"}']::jsonb[]) AS m;
-- Another question, garbage, an offset beside it.
SELECT m, cu.go_on(m) FROM unnest(ARRAY['{"order": "a"}', '{"order": "a,b"}', '{"order": ""}', '{"filter": {"id": "gt.3"}}', '{"filter": {}}', '{"table": "cu.tags", "order": "rank,name", "filter": {"id": "gt.2"}}', '{"offset": 1}', '{"select": "count()"}', '{"cursor": "x"}', '{"cursor": "{}"}', '{"cursor": "W10"}', '{"cursor": "bnVsbA"}', '{"cursor": 5}', '{"cursor": ["a"]}', '{"cursor": "WyIwIixbXV0"}', '{"select": "id,tag!inner()"}']::jsonb[]) AS m;
SELECT cu.go_on('{"offset": 0}') = cu.go_on('{}'), cu.go_on('{"cursor": ""}') = cu.go_on('{"cursor": null}');
-- A table of the same shape is another question.
CREATE TABLE cu.t2 (LIKE cu.t INCLUDING ALL);
GRANT SELECT ON cu.t2 TO authenticated;
SELECT cu.go_on('{"table": "cu.t2"}');

-- Forged: the digest is right, the values are what we want them to be.
CREATE FUNCTION cu.forge(key_values jsonb) RETURNS text LANGUAGE sql AS $$
SELECT translate(encode(convert_to(jsonb_build_array(convert_from(decode(rpad(c, (length(c) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb -> 0, key_values)::text, 'UTF8'), 'base64'), E'+/=\n', '-_')
  FROM cu.kept, translate(page ->> 'next_cursor', '-_', '+/') AS c
$$;
SELECT v, cu.go_on(jsonb_build_object('cursor', cu.forge(v), 'select', 'id', 'limit', 2))
  FROM unnest(ARRAY['["3", "a", "0"]', '[null, null, null]', '["3", null, "5"]', '["x", "a", "1"]', '["1 OR true", "a", "1"]', '["1", "a''); DROP TABLE cu.t; --", "1"]', '["1", "a", "1) OR (1=1"]', '["1", "\\", "''"]', '["1", "$1", "$2"]', '["1", "a"]', '["1", "a", "1", "1"]', '[]', '[1, "a", 1]', '["1", {"a": 1}, "1"]', '["1", ["a"], "1"]', '{"a": 1}', '"1"', 'null', '["99999999999999", "a", "1"]', '["NaN", "a", "1"]', '["-2147483648", "", "-2147483648"]']::jsonb[]) AS v;
SELECT cu.go_on(jsonb_build_object('cursor', translate(encode(convert_to(v, 'UTF8'), 'base64'), E'+/=\n', '-_'))) FROM (SELECT replace(convert_from(decode(rpad(c, (length(c) + 3) / 4 * 4, '='), 'base64'), 'UTF8'), '["', E'["\\u0000') FROM cu.kept, translate(page ->> 'next_cursor', '-_', '+/') AS c) AS x(v);

-- Row security: B's cursor given to A and A's to B, and forged ones, show each of them nothing but their own.
CREATE TABLE cu.own (id int PRIMARY KEY, tenant text, n int);
INSERT INTO cu.own SELECT g, CASE WHEN g % 2 = 0 THEN 'A' ELSE 'B' END, g / 3 FROM generate_series(1, 20) AS g;
GRANT SELECT ON cu.own TO authenticated;
CREATE POLICY own ON cu.own USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
CREATE FUNCTION cu.tenants() RETURNS TABLE (a text, b text, crossed_a text, crossed_b text) LANGUAGE sql VOLATILE AS $$
SELECT cu.walk(q, 3, 'a'), cu.walk(q, 3, 'b'), cu.ids(cu.page(q || jsonb_build_object('cursor', cu.page(q || '{"limit": 3}', 'b') -> 'next_cursor'), 'a')), cu.ids(cu.page(q || jsonb_build_object('cursor', cu.page(q || '{"limit": 3}', 'a') -> 'next_cursor'), 'b'))
  FROM (SELECT '{"table": "cu.own", "select": "id", "order": "n.desc,tenant"}'::jsonb AS q) AS x
$$;
SELECT * FROM cu.tenants();
ALTER TABLE cu.own ENABLE ROW LEVEL SECURITY;
SELECT * FROM cu.tenants();
UPDATE cu.kept SET page = cu.page('{"table": "cu.own", "select": "id", "order": "n,tenant", "limit": 1}');
SELECT v, cu.ids(cu.page(jsonb_build_object('table', 'cu.own', 'select', 'id,tenant', 'order', 'n,tenant', 'cursor', cu.forge(v)))) FROM unnest(ARRAY['["-1", "", "0"]', '["0", "A", "-5"]', '["3", "B", "0"]', '[null, null, null]']::jsonb[]) AS v;

-- Rows that come and go between two pages: with offset one is lost, with a cursor none that stays.
CREATE FUNCTION cu.changed(by_cursor bool) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    q jsonb := '{"table": "cu.moving", "select": "id", "order": "n", "limit": 3}';
    page jsonb;
    ids text;
BEGIN
    DROP TABLE IF EXISTS cu.moving;
    CREATE TABLE cu.moving AS SELECT g AS id, g / 2 AS n FROM generate_series(1, 9) AS g;
    ALTER TABLE cu.moving ADD PRIMARY KEY (id);
    GRANT SELECT ON cu.moving TO authenticated;
    page := cu.page(q);
    ids := cu.ids(page);
    DELETE FROM cu.moving WHERE id IN (1, 3);
    INSERT INTO cu.moving VALUES (0, 0), (100, 2);
    page := cu.page(q || CASE WHEN by_cursor THEN jsonb_build_object('cursor', page -> 'next_cursor') ELSE '{"offset": 3}' END);
    ids := ids || '|' || cu.ids(page);
    DELETE FROM cu.moving WHERE id = 5;
    INSERT INTO cu.moving VALUES (-1, -1);
    page := cu.page(q || CASE WHEN by_cursor THEN jsonb_build_object('cursor', page -> 'next_cursor') ELSE '{"offset": 6}' END);
    RETURN ids || '|' || cu.ids(page);
END
$$;
SELECT cu.changed(false), cu.changed(true);
DROP SCHEMA cu CASCADE;
