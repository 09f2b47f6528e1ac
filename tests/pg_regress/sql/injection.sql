-- Names and values that try to be SQL: they work as names where such things exist, and are plain data or plain errors everywhere else.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA "in j.""x";
CREATE TABLE "in j.""x"."t; drop table t.credentials; --" ("a""b" int PRIMARY KEY, "c'd" text, "e.f" text, "g h" text, "Ü😀" text, "; drop table t.credentials; --" text, "select" int, "t" int, "_r" int, "$1" int, "*" int, "a:b" int, "and" int);
CREATE TABLE "in j.""x"."tab
new" (x int);
CREATE TABLE public."users"" WHERE true; --" (id int);
CREATE TABLE public.canary (id int PRIMARY KEY, v text);
INSERT INTO public.canary VALUES (1, 'alive');
GRANT USAGE ON SCHEMA "in j.""x" TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON "in j.""x"."t; drop table t.credentials; --", "in j.""x"."tab
new", public."users"" WHERE true; --", public.canary TO authenticated;
SELECT jsonb_path_query_array(t.via('a', 'list_tables')::jsonb, '$.tables[*] ? (@.schema == "in j.\"x" || @.name like_regex "^users|canary").name');
-- Round trip through all four verbs with every hostile column.
SELECT t.via('a', 'insert_record', '{"table": "\"in j.\"\"x\".\"t; drop table t.credentials; --\"", "data": {"a\"b": 1, "c''d": "''; drop table t.credentials; --", "e.f": "x", "g h": "$1", "Ü😀": "ü", "; drop table t.credentials; --": "y", "select": 2, "t": 3, "_r": 4, "$1": 5, "*": 6, "a:b": 7, "and": 8}}');
SELECT t.via('a', 'query_table', '{"table": "\"in j.\"\"x\".\"t; drop table t.credentials; --\"", "filter": {"a\"b": 1, "c''d": "eq.''; drop table t.credentials; --", "e.f": "like.%", "; drop table t.credentials; --": "isnot.null", "select": {"in": [2]}, "t": 3, "_r": 4, "$1": 5, "*": 6, "a:b": 7, "\"and\"": 8}, "order": "\"a\"\"b\".desc,\"; drop table t.credentials; --\""}');
SELECT t.via('a', 'query_table', '{"table": "\"in j.\"\"x\".\"t; drop table t.credentials; --\"", "select": "\"a\"\"b\",x:\"; drop table t.credentials; --\",_r,t,y:\"a:b\",\"*\""}');
SELECT t.via('a', 'update_record', '{"table": "\"in j.\"\"x\".\"t; drop table t.credentials; --\"", "data": {"; drop table t.credentials; --": "new", "a\"b": 9}, "filter": {"a\"b": "eq.1"}, "returning": "\"a\"\"b\",\"; drop table t.credentials; --\""}');
SELECT t.via('a', 'delete_record', '{"table": "\"in j.\"\"x\".\"t; drop table t.credentials; --\"", "filter": {"a\"b": 9}, "returning": "t"}');
SELECT t.via('a', 'describe_table', '{"table": "\"in j.\"\"x\".\"t; drop table t.credentials; --\""}') ~ 'drop table';
SELECT t.via('a', 'query_table', '{"table": "\"users\"\" WHERE true; --\""}'), t.via('a', 'query_table', '{"table": "\"in j.\"\"x\".\"tab\nnew\""}');
SELECT t.read('a', 'fluxbase://schema/tables/in%20j.%22x/tab%0Anew') ~ '"x"';
-- Names that do not exist, in each argument.
SELECT h, t.via('a', 'query_table', jsonb_build_object('table', h)) FROM unnest(ARRAY['canary; drop table canary', 'canary"', '"canary', 'canary--', 'public.canary.id', 'public."canary', '"public.canary"', 'canary where true', '(select 1)', 'pg_temp.canary', 'canary"; drop table canary; --', 'public.', '.canary', '', ' ', 'CANARY', 'canary AS t', '"canary"', ' canary ']) AS h;
-- What the caller wrote is repeated cut and without characters that hide or break lines.
SELECT length(a) < 400 AS short, a !~ '[\u200b\u0007]' AS visible, a !~ 'can\nary' AS one_line FROM unnest(ARRAY['canary' || chr(8203), 'cana' || chr(7) || 'ry', repeat('x', 5000), E'can\nary']) AS h, t.via('a', 'query_table', jsonb_build_object('table', h)) AS a;
SELECT h, t.via('a', 'query_table', jsonb_build_object('table', 'canary', 'select', h)) FROM unnest(ARRAY['id;drop table canary', 'id, (select 1)', 'id from canary; --', 'pg_sleep(1)', 'x:id from canary', '"x y":id', '"x"";--":id', 'id::text', 'v->>''a''', '*, id', 'id as x', 'id:id:id', '"id"', 'ID', '''a''', '1', 'id--', repeat('x', 64) || ':id', ':id', 'id:']) AS h;
SELECT h, t.via('a', 'query_table', jsonb_build_object('table', 'canary', 'order', h)) FROM unnest(ARRAY['id;drop table canary', '1', 'id.desc;--', 'id.sideways', 'id desc, (select 1)', 'random()', 'id.desc.nullsfirst.x', '"id".desc', 'id using >', 'id COLLATE "C"', 'v.', '.desc']) AS h;
SELECT h, t.via('a', 'query_table', jsonb_build_object('table', 'canary', 'filter', jsonb_build_object(h, 'eq.1'))) FROM unnest(ARRAY['id=1 or 1', 'id"', '"id', '"id"', 'id)', '1=1; --', '', 'or', 'not.and', 'id::text', 'v->a', 'canary.id']) AS h;
SELECT h, t.via('a', 'query_table', jsonb_build_object('table', 'canary', 'filter', jsonb_build_object('v', h))) FROM unnest(ARRAY['eq.'' or true --', 'eq.alive'' or ''1''=''1', 'in.(alive)) or (1=1', 'in.("a\"b")', 'eq.$1', 'like.%'' or true', 'like.\', 'is.null or true', 'eq', '.alive', 'eq.', 'EQ.alive', 'not.eq.alive', 'eq(any).{alive}', E'eq.a\tb', 'cs.{x}', 'fts.x', 'match..*']) AS h;
SELECT h, t.via('a', 'query_table', jsonb_build_object('table', 'canary', 'filter', jsonb_build_object('id', h))) FROM unnest(ARRAY['eq.1 or 1=1', 'eq.1; drop table canary', 'in.(1,2) or true', 'in.(1);--', 'eq. 1 ', 'gt.-1', 'like.1%']) AS h;
SELECT h, t.via('a', 'insert_record', jsonb_build_object('table', 'canary', 'data', h)) FROM unnest(ARRAY['{"id": "2); drop table canary; --"}', '{"id) values (3); --": 1}', '{"id": 2, "v": "''); drop table canary; --"}', '{"id": 3, "v": "\\''\u0022$$;"}', '{"id": {"raw": "nextval(''x'')"}}', '{"id": [1]}', '{"v": "x", "id": null}', '{"": 1}']::jsonb[]) AS h;
SELECT h, t.via('a', 'update_record', jsonb_build_object('table', 'canary', 'data', h, 'filter', '{"id": 1}'::jsonb, 'returning', 'id')) FROM unnest(ARRAY['{"id = 5 --": 1}', '{"v": "x'' where true --"}', '{"id": "id + 1"}', '{"v": "alive"}']::jsonb[]) AS h;
SELECT h, t.via('a', 'delete_record', jsonb_build_object('table', 'canary', 'filter', h)) FROM unnest(ARRAY['{"id": "eq.1 or true"}', '{"1=1": "eq.1"}', '{"v": "eq.x'' or ''1''=''1"}', '{"id": {"eq": "1 or true"}}', '{"id": {"in": ["1) or (true"]}}', '{"v": {"like": "zzz"}}']::jsonb[]) AS h;
SELECT h, t.via('a', 'query_table', '{"table": "canary"}'::jsonb || h) FROM unnest(ARRAY['{"limit": "1; drop table canary"}', '{"offset": "0 or 1"}', '{"limit": [1]}', '{"limit": 1e2}', '{"offset": {"x": 1}}', '{"limit": true}']::jsonb[]) AS h;
SELECT h, t.via('a', 'list_tables', jsonb_build_object('search', h, 'schema', 'public')) FROM unnest(ARRAY[''' or true --', '%', '_anary', 'ca%ry', '\', 'CANARY']) AS h;
SELECT h, t.via('a', 'list_tables', jsonb_build_object('schema', h)) FROM unnest(ARRAY['public'' or true --', 'PUBLIC', '"public"', 'public, t']) AS h;
-- A hostile operator, function or cast in a schema of the caller's path takes no part.
CREATE SCHEMA evil;
CREATE FUNCTION evil.eq(int, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil operator'; END $$;
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.eq);
CREATE FUNCTION evil.row_to_json(record) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil function'; END $$;
CREATE FUNCTION evil.has_table_privilege(oid, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE TABLE public.not_granted (x int);
GRANT USAGE ON SCHEMA evil TO authenticated;
ALTER ROLE authenticated SET search_path = evil, pg_catalog, public;
SELECT t.key('through evil');
\c
SET search_path = evil, pg_catalog, public;
SELECT t.via('through evil', 'query_table', '{"table": "canary", "filter": {"id": 1}, "order": "id"}');
SELECT t.via('through evil', 'list_tables', '{"search": "not_granted"}');
SELECT t.via('through evil', 'describe_table', '{"table": "canary"}') ~ 'canary';
RESET search_path;
ALTER ROLE authenticated RESET search_path;
-- What is left.
SELECT * FROM public.canary ORDER BY id;
SELECT count(*) > 0 FROM t.credentials;
SET client_min_messages = warning;
DROP SCHEMA evil, "in j.""x" CASCADE;
DROP TABLE public."users"" WHERE true; --", public.canary, public.not_granted;
