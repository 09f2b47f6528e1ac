-- filter_groups: and, or, not in one another find what hand-written SQL finds; columns of those names; no group by accident; a filter that leaves nothing out writes nothing.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA fg;
CREATE TABLE fg.t (id int PRIMARY KEY, a int, b text, "and" int, "or" int, "not" int, "a.b" int, "x or y" bool);
INSERT INTO fg.t VALUES (1, 1, 'one', 1, 0, 0, 1, true), (2, 2, 'two', 0, 1, 0, 2, false), (3, 3, 'three', 0, 0, 1, 3, NULL),
                        (4, NULL, 'none', NULL, NULL, NULL, NULL, true), (5, 5, NULL, 1, 1, 1, 5, false);
GRANT USAGE ON SCHEMA fg TO authenticated;
GRANT SELECT, UPDATE, DELETE ON fg.t TO authenticated;
-- The ids that the filter finds, and those of the SQL condition if they are others.
CREATE FUNCTION fg.found(filter jsonb, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    got text := t.via('a', 'query_table', jsonb_build_object('table', 'fg.t', 'select', 'id', 'filter', filter, 'order', 'id'));
    wanted text;
BEGIN
    IF got NOT LIKE '[%' THEN RETURN got; END IF;
    EXECUTE format('SELECT coalesce(string_agg(id::text, '','' ORDER BY id), ''-'') FROM fg.t WHERE %s', condition) INTO wanted;
    SELECT coalesce(string_agg(r ->> 'id', ','), '-') INTO got FROM jsonb_array_elements(got::jsonb) AS r;
    RETURN got || CASE WHEN got <> wanted THEN ' DIFFERS from ' || wanted ELSE '' END;
END
$$;

SELECT c.filter, c.condition, fg.found(c.filter, c.condition)
  FROM (VALUES
    ('{"a": "gt.1", "b": "like.t%"}'::jsonb, 'a > 1 AND b LIKE ''t%'''),
    ('{"or": [{"a": 1}, {"a": 3}]}', 'a = 1 OR a = 3'),
    ('{"or": {"a": 1, "b": "eq.two"}}', 'a = 1 OR b = ''two'''),
    ('{"or": [{"a": 1, "b": "eq.two"}, {"a": 3}]}', '(a = 1 AND b = ''two'') OR a = 3'),
    ('{"or": {"a": {"gt": 2, "lt": 4}, "b": "eq.one"}}', '(a > 2 AND a < 4) OR b = ''one'''),
    ('{"and": [{"a": "gt.1"}, {"a": "lt.4"}]}', 'a > 1 AND a < 4'),
    ('{"and": {"a": "gt.1", "b": "isnot.null"}}', 'a > 1 AND b IS NOT NULL'),
    ('{"not": {"a": 1}}', 'NOT a = 1'),
    ('{"not": {"a": "gt.1", "b": "like.t%"}}', 'NOT (a > 1 AND b LIKE ''t%'')'),
    ('{"not": [{"a": "gt.1"}, {"b": "like.t%"}]}', 'NOT (a > 1 AND b LIKE ''t%'')'),
    ('{"not": {"or": [{"a": 1}, {"b": null}]}}', 'NOT (a = 1 OR b IS NULL)'),
    ('{"not": {"not": {"a": 1}}}', 'NOT (NOT (a = 1))'),
    ('{"id": "gt.1", "or": [{"a": 2}, {"b": null}], "not": {"id": 5}}', 'id > 1 AND (a = 2 OR b IS NULL) AND NOT id = 5'),
    ('{"or": [{"and": [{"a": "gte.1"}, {"a": "lte.2"}]}, {"not": {"or": [{"id": "lt.4"}, {"b": null}]}}]}', '(a >= 1 AND a <= 2) OR NOT (id < 4 OR b IS NULL)'),
    ('{"or": [{"or": [{"a": 1}, {"a": 2}]}, {"or": [{"a": 5}]}]}', 'a IN (1, 2, 5)'),
    ('{"and": [{"or": [{"a": 1}, {"a": 2}]}, {"or": [{"b": "eq.two"}, {"b": "eq.three"}]}]}', '(a = 1 OR a = 2) AND (b = ''two'' OR b = ''three'')'),
    ('{"or": [{"id": {"in": []}}, {"a": 1}]}', 'a = 1'),
    ('{"or": [{"id": {"nin": []}}, {"a": 1}]}', 'true'),
    ('{"not": {"id": {"in": []}}}', 'true'),
    ('{"and": [{"id": {"in": []}}]}', 'false'),
    -- Columns of those names, quoted; unquoted the word is the group.
    ('{"\"and\"": 1}', '"and" = 1'),
    ('{"\"or\"": 1, "\"not\"": 1}', '"or" = 1 AND "not" = 1'),
    ('{"not": {"\"not\"": 1}}', 'NOT "not" = 1'),
    ('{"or": {"\"or\"": 1, "\"and\"": 1}}', '"or" = 1 OR "and" = 1'),
    ('{"a.b": 2}', '"a.b" = 2'),
    ('{"\"a.b\"": 2}', '"a.b" = 2'),
    ('{"x or y": true}', '"x or y"'),
    ('{}', 'true')) AS c(filter, condition);

-- What is no group says how one is written; nothing of it is guessed.
SELECT c.filter, fg.found(c.filter, 'true')
  FROM (VALUES
    ('{"or": []}'::jsonb), ('{"or": {}}'), ('{"and": []}'), ('{"not": {}}'), ('{"not": []}'), ('{"or": [{}]}'), ('{"or": [{"a": 1}, {}]}'),
    ('{"or": [[{"a": 1}]]}'), ('{"or": "(a.eq.1,b.eq.two)"}'), ('{"or": null}'), ('{"or": ["a.eq.1"]}'), ('{"not": "a"}'), ('{"and": true}'),
    ('{"OR": [{"a": 1}]}'), ('{"$or": [{"a": 1}]}'), ('{"nor": [{"a": 1}]}'), ('{"or": [{"a": 1}, {"bb": 2}]}'), ('{"not": {"or": [{"a": "equals.1"}]}}'),
    ('{"a": {"or": [1, 2]}}'), ('{"a.c": 1}'), ('{"\"a\".\"b\"": 1}')) AS c(filter);
-- A key that stands twice in one group never loses one of its values.
SELECT t.shown(body::jsonb) FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"fg.t","filter":{"or":[{"a":1}],"or":[{"a":2}]}}}}', t.credential('a'), NULL);

-- Depth and number are bounded, and what is below the bounds works.
CREATE FUNCTION fg.deep(levels int) RETURNS jsonb LANGUAGE sql AS $$ SELECT (repeat('{"not": ', levels) || '{"a": 1}' || repeat('}', levels))::jsonb $$;
CREATE FUNCTION fg.wide(parts int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('or', jsonb_agg(jsonb_build_object('id', g))) FROM generate_series(1, parts) AS g $$;
SELECT n, fg.found(fg.deep(n), CASE WHEN n % 2 = 0 THEN 'a = 1' ELSE 'NOT a = 1' END) FROM unnest(ARRAY[15, 16, 17, 40]) AS n;
SELECT n, fg.found(fg.wide(n), 'true') FROM unnest(ARRAY[400, 999, 1000, 5000]) AS n;

-- update and delete take no filter that leaves out no row, however it is written; first what they do with one that does.
SELECT t.via('a', 'update_record', '{"table": "fg.t", "data": {"b": "new"}, "filter": {"or": [{"id": 4}, {"not": {"id": "lt.5"}}]}, "returning": "id"}');
SELECT c.filter, t.via('a', 'delete_record', jsonb_build_object('table', 'fg.t', 'filter', c.filter))
  FROM (VALUES ('{}'::jsonb), ('{"and": []}'), ('{"not": {"id": {"in": []}}}'), ('{"or": [{"id": 1}, {"id": {"nin": []}}]}'), ('{"not": {"not": {"id": {"nin": []}}}}'),
               ('{"id": {"eq(all)": []}}'), ('{"not": {"and": [{"a": 1}, {"id": {"eq(any)": []}}]}}'), ('{"b": {"not": {"in": []}}}')) AS c(filter);
SELECT c.filter, t.via('a', 'update_record', jsonb_build_object('table', 'fg.t', 'data', '{"b": "lost"}'::jsonb, 'filter', c.filter))
  FROM (VALUES ('{}'::jsonb), ('{"or": [{"id": {"nin": []}}]}')) AS c(filter);
SELECT t.via('a', 'delete_record', '{"table": "fg.t", "data": {"b": "x"}}'), t.via('a', 'delete_record', '{"table": "fg.t"}');
SELECT id, b FROM fg.t ORDER BY id;
DROP SCHEMA fg CASCADE;
