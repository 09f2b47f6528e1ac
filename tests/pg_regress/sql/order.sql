-- order: directions, nulls, several keys, paths, related columns and quoted names sort as ORDER BY does; what gives no order is an error.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA od;
CREATE TABLE od.people (id int PRIMARY KEY, name text, boss int REFERENCES od.people, info jsonb);
CREATE TABLE od.t (id int PRIMARY KEY, a int, b text, j jsonb, js json, tags text[], owner int REFERENCES od.people, second int REFERENCES od.people, "x.desc" int, "two words" int, "x,y" int, p point);
INSERT INTO od.people VALUES (1, 'Zoe', NULL, '{"rank": 2}'), (2, 'Adam', 1, '{"rank": 10}'), (3, NULL, 2, NULL);
INSERT INTO od.t VALUES (1, 2, 'b', '{"n": 9, "s": "x"}', '{"n": 9}', '{b}', 1, 2, 4, 4, 4, '(1,1)'), (2, 1, 'B', '{"n": 10, "s": "w"}', '{"n": 10}', '{a,z}', 2, 1, 3, 3, 3, '(2,2)'),
                        (3, NULL, 'a', NULL, NULL, NULL, 3, NULL, 2, 2, 2, NULL), (4, 1, NULL, '{"n": null, "s": null}', '{}', '{}', NULL, 1, 1, 1, 1, NULL);
GRANT USAGE ON SCHEMA od TO authenticated;
GRANT SELECT ON od.people, od.t TO authenticated;
CREATE FUNCTION od.ids(o jsonb, sql text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    got text := t.via('a', 'query_table', jsonb_build_object('table', 'od.t', 'select', 'id', 'order', o));
    wanted text;
BEGIN
    IF got NOT LIKE '[%' THEN RETURN got; END IF;
    SELECT string_agg(r.value ->> 'id', ',' ORDER BY r.n) INTO got FROM jsonb_array_elements(got::jsonb) WITH ORDINALITY AS r(value, n);
    IF sql IS NOT NULL THEN
        EXECUTE format('SELECT array_to_string(ARRAY(SELECT t.id FROM od.t LEFT JOIN od.people AS o ON o.id = t.owner LEFT JOIN od.people AS s ON s.id = t.second ORDER BY %s), '','')', sql) INTO wanted;
    END IF;
    RETURN got || CASE WHEN got <> wanted THEN ' DIFFERS from ' || wanted ELSE '' END;
END
$$;
SELECT c.o, od.ids(to_jsonb(c.o), c.sql)
  FROM (VALUES
    ('a,id', 't.a, t.id'), ('a.desc,id', 't.a DESC, t.id'), ('a.asc.nullsfirst,id.desc', 't.a NULLS FIRST, t.id DESC'), ('a.desc.nullslast,id', 't.a DESC NULLS LAST, t.id'), ('a.nullsfirst,id', 't.a NULLS FIRST, t.id'),
    ('a desc nulls last, id asc', 't.a DESC NULLS LAST, t.id'), ('A.DESC', NULL), ('a.DESC.NullsLast,id', 't.a DESC NULLS LAST, t.id'), ('b,id', 't.b, t.id'), ('b.desc,id', 't.b DESC, t.id'), ('tags,id', 't.tags, t.id'),
    -- 9 before 10 as JSON, behind it as text.
    ('j->n,id', 't.j -> ''n'', t.id'), ('j->>n,id', 't.j ->> ''n'', t.id'), ('j->>s.desc.nullslast,id', 't.j ->> ''s'' DESC NULLS LAST, t.id'), ('js->n.desc,id', '(t.js::jsonb -> ''n'') DESC, t.id'), ('tags->>1,id', 't.tags[2], t.id'), ('"j"->n.desc,id', '(t.j -> ''n'') DESC, t.id'),
    ('owner(name),id', 'o.name, t.id'), ('owner(name).desc.nullslast,id', 'o.name DESC NULLS LAST, t.id'), ('second(name).nullsfirst,id', 's.name NULLS FIRST, t.id'), ('owner(info->rank),id', 'o.info -> ''rank'', t.id'), ('t_owner_fkey(name),id', 'o.name, t.id'), ('"owner"("name").desc,id', 'o.name DESC, t.id'), ('people!owner(name),id', 'o.name, t.id'), ('od.people!t_second_fkey(name).desc,id', 's.name DESC, t.id'), ('owner(info->>rank).desc,id', '(o.info ->> ''rank'') DESC, t.id'),
    ('"x.desc"', 't."x.desc"'), ('x.desc', 't."x.desc"'), ('x.desc.desc', 't."x.desc" DESC'), ('two words.desc', 't."two words" DESC'), ('"two words"', 't."two words"'), ('"x,y"', 't."x,y"'), ('"a","id".desc', 't.a, t.id DESC')) AS c(o, sql);
SELECT od.ids('["a.desc", "id"]', 't.a DESC, t.id'), od.ids('["a", "owner(name),id"]', 't.a, o.name, t.id'), od.ids('[]') IS NOT NULL, od.ids('""') IS NOT NULL;
-- The order is the column's, not that of what is shown.
SELECT t.via('a', 'query_table', '{"table": "od.t", "select": "a:id,id:a", "order": "a,id"}'), t.via('a', 'query_table', '{"table": "od.t", "select": "id::text", "order": "id.desc"}');
-- A relation of select gives its name.
SELECT t.via('a', 'query_table', '{"table": "od.t", "select": "id,who:owner(name)", "order": "who(name).nullslast,id"}');
SELECT t.via('a', 'query_table', '{"table": "od.people", "select": "id,boss(name)", "order": "boss(name).desc"}');
-- Errors.
SELECT o, od.ids(to_jsonb(o)) FROM unnest(ARRAY['c', 'a.up', 'a.desc.asc', 'a.nullsfirst.nullslast', 'a.nulls', 'a.nulls.middle', '-a', '-b', 'a desc, ', ',a', 'js', 'p', 'lower(b)', 'owner(nme)', 'ownr(name)', 'people(name)', 'owner', 'owner()', 'owner(boss(name))', 'owner(name', 'j->', 'a->n', 'a;drop table od.t', '1', 'random()', 'a COLLATE "C"', 'od.t.a', 't.a', 'owner.name']) AS o;
SELECT t.via('a', 'query_table', '{"table": "od.people", "order": "t(a)"}'), t.via('a', 'query_table', '{"table": "od.people", "order": "t!owner(a)"}'), t.via('a', 'query_table', '{"table": "od.t", "order": {"a": "desc"}}'), t.via('a', 'query_table', '{"table": "od.t", "order": [["a"]]}'), t.via('a', 'query_table', '{"table": "od.t", "order": 1}');
DROP SCHEMA od CASCADE;
