-- select_paths_casts: aliases, paths and casts in select and returning, the same values as SQL gives; what cannot be cast, named or read is an error.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA sc;
CREATE TYPE sc.address AS (street text, zip int);
CREATE TABLE sc.t (id int PRIMARY KEY, name text, n numeric, big bigint, f float8, d date, ts timestamp, b bool, j jsonb, js json, tags text[], home sc.address,
                   "odd:name" int, "a::text" int, "count" int, "x()" int, "j->q" int, "sum" int);
INSERT INTO sc.t VALUES
    (1, '42', 1.50, 9007199254740993, 0.1, '2024-02-29', '2024-02-29 13:14:15', true, '{"a": {"b": [1, {"c": "deep"}]}, "n": 5, "10": "ten", "t": "7", "nil": null, "k y": 1}', '{"a": 1}', '{x,y}', '("High St",8000)', 11, 12, 13, 14, 15, 16),
    (2, 'abc', 2.5, -1, 1e300, NULL, NULL, NULL, '[10, 20]', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
GRANT USAGE ON SCHEMA sc TO authenticated;
GRANT SELECT, UPDATE ON sc.t TO authenticated;
CREATE FUNCTION sc.one(wanted jsonb, id int DEFAULT 1) RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'sc.t', 'select', wanted, 'filter', jsonb_build_object('id', id)))
$$;
-- Aliases; columns whose names look like syntax.
SELECT s, sc.one(to_jsonb(s)) FROM unnest(ARRAY['n:name', 'n : name', '"n":name', 'id,x_1:id,y:id', E'gr\u00f6\u00dfe:id', 'odd:name', '"odd:name"', 'x:"odd:name"', 'x:odd:name', 'a::text', '"a::text"', 'x:a::text', 'count', 'c:count', 'x()', '"x()"', 'j->q', 'x:j->q', 'x:"j"->n', 'sum', 'select:id', ' id , name ', '*', 'extra:id,*']) AS s;
SELECT sc.one('["id", "n:name", "a:big,b:f"]');
-- Paths: -> gives JSON, ->> text; the last key names the output.
SELECT s, sc.one(to_jsonb(s)), sc.one(to_jsonb(s), 2) FROM unnest(ARRAY['j->a', '"j"->a->b', 'j->a->b->0', 'j->a->b->1->c', 'j->a->b->1->>c', 'j->a->b->-1', 'j->>a', 'j->n,m:j->>n', 'j->0', 'ten:j->"10"', 'j->>nil,x:j->nil', 'j->zzz', 'x:j->"k y"', 'js->a', 'js->>a', 'tags->0', 'first:tags->>0', 'home->zip', 'home->>street,home', 'z:home->zip']) AS s;
-- Casts, each the same text as SQL's cast.
SELECT s, sc.one(to_jsonb(s)) FROM unnest(ARRAY['id::text', 'name::int', 'n::int', 'n::text', 'n::numeric', 'big::text', 'big::float8', 'f::numeric', 'f::real', 'd::timestamp', 'd::text', 'ts::date', 'ts::time', 'ts::timestamptz', 'b::text', 'b::int', 'id::bool', 'name::bigint', 'name::smallint', 'name::varchar', 'name::decimal', 'name::json', 'name::jsonb', 'j::text', 'js::jsonb', 'js::text', 'tags::text', 'home::text', 'x:id::text', 'j->n::text', 'j->>n::int', 'j->>t::int', 'j->n::int', 'n::INT', 'n :: int', 'id::interval', 'name::interval', 'name::uuid']) AS s;
SELECT sc.one('"name::int"', 2), sc.one('"f::int"', 2), sc.one('"big::int"'), sc.one('"d::int"'), sc.one('"home::int"');
-- A cast gives the type's own JSON form: a bigint that no double holds is a string, and so is a numeric with many digits.
SELECT sc.one('["a:big", "b:big::numeric", "c:n::bigint", "d:big::int8", "e:big::text"]');
-- Refused: types that are not offered, two casts, SQL.
SELECT s, sc.one(to_jsonb(s)) FROM unnest(ARRAY['id::regclass', 'name::regproc', 'id::oid', 'id::money', 'id::bytea', 'id::xml', 'id::int[]', 'id::varchar(3)', 'id::numeric(5,2)', 'id::sc.address', 'id::"text"', 'id::texts', 'id::', '::int', 'id::int::text', 'cast(id as text)', 'id as x', 'id::text as x', 'id + 1', 'lower(name)', '''x''', 'id::text; drop table sc.t', 'x:id::text)']) AS s;
SELECT s, sc.one(to_jsonb(s)) FROM unnest(ARRAY['j->', 'j->>', 'j->"a', 'j->>a->b', 'id->a', 'zz->a', '->a', 'j->"k y"', 'j->"";x:id', 'x y:id', 'x-y:id', ':id', 'x:', 'id,id', 'a:id,a:name', 'j->a,js->a', 'name:id,*', 'name,,id', 'id,', '"id', 'id"', repeat('x', 63) || ':id', repeat('x', 64) || ':id', repeat(chr(252), 32) || ':id', 'name:x', 'naem', 'nmae::text', 'nmae->a']) AS s;
-- returning has the same grammar.
SELECT t.via('a', 'update_record', '{"table": "sc.t", "data": {"count": 1}, "filter": {"id": 1}, "returning": "id,c:count,deep:j->a->b->1->>c,n::text,zip:home->zip,first:tags->>0"}');
SELECT t.via('a', 'update_record', '{"table": "sc.t", "data": {"count": 2}, "filter": {"id": 2}, "returning": "name::int"}'), (SELECT t."count" FROM sc.t WHERE id = 2);
-- The cast's error names no row that the filter leaves out.
SELECT t.via('a', 'query_table', '{"table": "sc.t", "select": "name::int", "filter": {"id": "gt.1"}}'), t.via('a', 'query_table', '{"table": "sc.t", "select": "name::int", "filter": {"id": "lt.2"}, "order": "id"}');
DROP SCHEMA sc CASCADE;
