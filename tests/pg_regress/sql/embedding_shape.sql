-- embedding_shape: filter, order, limit and offset of embed shape the embedded rows only (with inner also which rows stay); an open list says that it may go on.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA es;
CREATE TABLE es.a (id int PRIMARY KEY, name text);
CREATE TABLE es.b (id int PRIMARY KEY, a int REFERENCES es.a, n int, note text);
CREATE TABLE es.c (id int PRIMARY KEY, b int REFERENCES es.b, k text);
CREATE TABLE es."d.e" (id int PRIMARY KEY, a int REFERENCES es.a);
INSERT INTO es.a VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO es.b VALUES (1, 1, 10, 'x'), (2, 1, 30, 'y'), (3, 1, 20, NULL), (4, 2, 5, 'x'), (5, NULL, 1, 'z');
INSERT INTO es.c VALUES (1, 1, 'p'), (2, 1, 'q'), (3, 2, 'p'), (4, 4, 'r');
INSERT INTO es."d.e" VALUES (1, 1), (2, 1);
GRANT USAGE ON SCHEMA es TO authenticated;
GRANT SELECT ON ALL TABLES IN SCHEMA es TO authenticated;
CREATE FUNCTION es.ask(wanted text, embed jsonb, more jsonb DEFAULT '{}', tab text DEFAULT 'es.a') RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', jsonb_build_object('table', tab, 'select', wanted, 'embed', embed, 'order', 'id') || more)
$$;
SELECT e, es.ask('id,b(n)', e)
  FROM unnest(ARRAY['{"b": {"order": "n"}}', '{"b": {"order": "n.desc"}}', '{"b": {"order": "n", "limit": 2}}', '{"b": {"order": "n", "limit": 1, "offset": 1}}', '{"b": {"order": "n", "offset": 2}}', '{"b": {"limit": 0}}', '{"b": {"filter": {"note": "eq.x"}, "order": "n"}}', '{"b": {"filter": {"or": [{"n": "lt.10"}, {"note": null}]}, "order": "n"}}', '{"b": {"filter": {"c.k": "eq.p"}, "order": "n"}}', '{"b": {"filter": {"c": null}, "order": "n"}}', '{"b": {"order": "note.nullsfirst,n"}}', '{"b": {"order": ["note.desc", "n"]}}', '{"b": {}}', '{}']::jsonb[]) AS e;
-- Nested, by the names in the answer.
SELECT es.ask('id,b(n,c(k))', '{"b": {"order": "n", "limit": 2}, "b.c": {"order": "k.desc", "limit": 1}}'), es.ask('id,bs:b(n,cs:c(k))', '{"bs": {"order": "n"}, "bs.cs": {"filter": {"k": "eq.p"}}}'), es.ask('id,d.e(id)', '{"d.e": {"order": "id.desc"}}'), es.ask('id,"d.e"(id)', '{"\"d.e\"": {"order": "id.desc", "limit": 1}}'), es.ask('id,x:"d.e"(id)', '{"x": {"order": "id.desc"}}');
-- To one: a filter that does not fit leaves null; of a spread relation, nulls.
SELECT es.ask('id,a(name)', '{"a": {"filter": {"name": "eq.one"}}}', '{}', 'es.b'), es.ask('id,...a(name)', '{"a": {"filter": {"name": "eq.one"}}}', '{}', 'es.b'), es.ask('id,a!inner(name)', '{"a": {"filter": {"name": "eq.one"}}}', '{}', 'es.b'), es.ask('id,a(name)', '{"a": {"offset": 1}}', '{}', 'es.b'), es.ask('id,...a!inner(name)', '{"a": {"filter": {"name": "eq.two"}}}', '{}', 'es.b');
-- inner leaves out rows without a remaining row: the filter and the offset count, order and limit do not.
SELECT e, es.ask('id,b!inner(n)', e), es.ask('id,b!inner()', e) FROM unnest(ARRAY['{"b": {"order": "n"}}', '{"b": {"filter": {"note": "eq.y"}}}', '{"b": {"filter": {"n": "gt.99"}}}', '{"b": {"offset": 1, "order": "n"}}', '{"b": {"offset": 3, "order": "n"}}', '{"b": {"limit": 1, "order": "n"}}', '{"b": {"limit": 0}}']::jsonb[]) AS e;
-- The same condition in filter chooses the rows and leaves the list whole.
SELECT es.ask('id,b(n)', '{"b": {"order": "n"}}', '{"filter": {"b.note": "eq.y"}}'), es.ask('id,b(n)', '{"b": {"order": "n", "filter": {"note": "eq.y"}}}', '{"filter": {"b.note": "eq.y"}}');
-- A list without a limit of its own has the default limit, and the answer says so only where one is that long.
CREATE TABLE es.big (id int PRIMARY KEY, a int REFERENCES es.a);
INSERT INTO es.big SELECT g, 1 + g / 121 FROM generate_series(1, 220) AS g;
GRANT SELECT ON es.big TO authenticated;
SELECT x.e, (SELECT string_agg(jsonb_array_length(r -> 'big')::text, ',') FROM jsonb_array_elements(split_part(x.answer, E'\nnote: ', 1)::jsonb) AS r), substring(x.answer FROM E'\nnote: (.*)')
  FROM (SELECT e, es.ask('id,big(id)', e) FROM unnest(ARRAY['{"big": {"order": "id"}}', '{"big": {"order": "id", "limit": 110}}', '{"big": {"order": "id", "limit": 5000}}', '{"big": {"order": "id", "offset": 110}}', '{"big": {"filter": {"id": "lt.100"}}}']::jsonb[]) AS e) AS x(e, answer);
-- Errors name the place.
SELECT e, es.ask('id,b(n,c(k))', e)
  FROM unnest(ARRAY['{"bb": {}}', '{"c": {}}', '{"b.d": {}}', '{"b.c.x": {}}', '{"b": []}', '{"b": null}', '[]', '"b"', '{"b": {"limt": 1}}', '{"b": {"limit": -1}}', '{"b": {"limit": "1"}}', '{"b": {"offset": 1.5}}', '{"b": {"filter": {"m": 1}}}', '{"b": {"filter": {"n": "equals.1"}}}', '{"b": {"filter": []}}', '{"b": {"order": "m"}}', '{"b": {"order": "c(k)"}}', '{"b.c": {"order": "b(m)"}}', '{"": {}}', '{"b.c": {"filter": {"k": {"eq": [1]}}}}', '{"b": {"select": "id"}}', '{"b": {"cursor": "x"}}', '{"b": {"filter": {"n": "eq.x"}}}']::jsonb[]) AS e;
SELECT es.ask('id', '{"b": {}}'), t.via('a', 'query_table', '{"table": "es.a", "embed": {"b": {"limit": 1}}}');
DROP SCHEMA es CASCADE;
