-- filter_paths: paths into json, jsonb, arrays and row types in a filter: -> compares as JSON (numbers as numbers), ->> as text, and the trap between them is an error.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA fp;
CREATE TYPE fp.address AS (street text, zip int, tags text[]);
CREATE TABLE fp.t (id int PRIMARY KEY, j jsonb, js json, tags text[], grid int[][], home fp.address, homes fp.address[], "j->z" int, "odd->>name" text);
INSERT INTO fp.t VALUES
    (1, '{"a": 9, "n": {"x": [10, 20]}, "s": "nine", "0": "zero", "b": true, "nil": null, "k->l": 1, "q\"r": 2}', '{"a": 9}', '{one,two}', '{{1,2},{3,4}}', '("High St",100,"{x}")', ARRAY[('A', 1, NULL)::fp.address], 1, 'p'),
    (2, '{"a": 10, "n": {"x": [5]}, "s": "ten"}', '{"a": 10}', '{two}', '{{5,6},{7,8}}', '("Low St",20,"{}")', ARRAY[('B', 2, NULL)::fp.address, ('A', 3, NULL)::fp.address], 2, 'q'),
    (3, '[7, {"a": 8}]', '[7]', '{}', NULL, NULL, '{}', NULL, NULL),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, '{"a": "10"}', '{"a": "10"}', '{NULL,x}', NULL, ROW(NULL, NULL, NULL), NULL, 5, NULL);
GRANT USAGE ON SCHEMA fp TO authenticated;
GRANT SELECT ON fp.t TO authenticated;
CREATE FUNCTION fp.found(filter jsonb, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    got text := t.via('a', 'query_table', jsonb_build_object('table', 'fp.t', 'select', 'id', 'filter', filter, 'order', 'id'));
    wanted text;
BEGIN
    IF got NOT LIKE '[%' THEN RETURN got; END IF;
    EXECUTE format('SELECT coalesce(string_agg(id::text, '','' ORDER BY id), ''-'') FROM fp.t WHERE %s', condition) INTO wanted;
    SELECT coalesce(string_agg(r ->> 'id', ','), '-') INTO got FROM jsonb_array_elements(got::jsonb) AS r;
    RETURN got || CASE WHEN got <> wanted THEN ' DIFFERS from ' || wanted ELSE '' END;
END
$$;
SELECT c.filter, fp.found(c.filter, c.condition)
  FROM (VALUES
    -- 9 < 10 as numbers, "9" > "10" as text.
    ('{"j->b": true}'::jsonb, 'j->''b'' = ''true'''),
    ('{"j->a": {"gt": 9}}', 'j->''a'' > ''9'''), ('{"j->a": "gt.9"}', 'j->''a'' > ''9'''), ('{"j->a": 10}', 'j->''a'' = ''10'''), ('{"j->a": "eq.\"10\""}', 'j->''a'' = ''"10"'''), ('{"j->a": {"eq": "10"}}', 'j->''a'' = ''"10"'''), ('{"j->a": {"lt": 10}}', 'j->''a'' < ''10'''),
    ('{"j->>a": "eq.10"}', 'j->>''a'' = ''10'''), ('{"j->>a": {"eq": "10"}}', 'j->>''a'' = ''10'''), ('{"j->>a": {"eq": 10}}', 'j->>''a'' = ''10'''), ('{"j->>a": "gt.5"}', 'j->>''a'' > ''5'''), ('{"j->>a": {"in": ["9", "10"]}}', 'j->>''a'' IN (''9'', ''10'')'), ('{"j->a": {"in": [9, 8]}}', 'j->''a'' IN (''9'', ''8'')'),
    ('{"j->n->x->0": {"gt": 5}}', 'j->''n''->''x''->0 > ''5'''), ('{"j->n->x->-1": {"eq": 20}}', 'j->''n''->''x''->-1 = ''20'''), ('{"j->n->x": {"cs": [20]}}', 'j->''n''->''x'' @> ''[20]'''), ('{"j->n->>x": "like.[10%"}', 'j->''n''->>''x'' LIKE ''[10%'''), ('{"j->1->a": {"eq": 8}}', 'j->1->''a'' = ''8'''), ('{"j->0": {"eq": 7}}', 'j->0 = ''7'''),
    ('{"j->\"0\"": {"eq": "zero"}}', 'j->''0'' = ''"zero"'''), ('{"j->\"k->l\"": {"eq": 1}}', 'j->''k->l'' = ''1'''), ('{"j->\"q\"\"r\"": {"eq": 2}}', 'j->''q"r'' = ''2'''), ('{"j -> s": {"eq": "ten"}}', 'j->''s'' = ''"ten"'''), ('{"\"j\"->>s": "eq.ten"}', 'j->>''s'' = ''ten'''),
    ('{"j->>s": "ilike.N%"}', 'j->>''s'' ILIKE ''N%'''), ('{"j->s": "like.\"t%"}', '(j->''s'')::text LIKE ''"t%'''), ('{"j->>s": "match.^n"}', 'j->>''s'' ~ ''^n'''), ('{"j->>s": {"like(any)": ["n%", "t%"]}}', 'j->>''s'' LIKE ANY (''{n%,t%}'')'), ('{"j->>s": "fts(simple).nine"}', 'to_tsvector(''simple'', j->>''s'') @@ to_tsquery(''simple'', ''nine'')'), ('{"j->s": "fts(simple).nine"}', 'to_tsvector(''simple'', j->''s'') @@ to_tsquery(''simple'', ''nine'')'),
    -- A key that is missing is NULL; JSON's null is a value for -> and NULL for ->>.
    ('{"j->nil": null}', 'j->''nil'' IS NULL'), ('{"j->>nil": null}', 'j->>''nil'' IS NULL'), ('{"j->nil": "eq.null"}', 'false'), ('{"j->nil": {"isnot": null}}', 'j->''nil'' IS NOT NULL'), ('{"j->zzz": "is.null"}', 'j->''zzz'' IS NULL'), ('{"j->a": {"isdistinct": 10}}', 'j->''a'' IS DISTINCT FROM ''10'''), ('{"j->a": {"not.eq": 10}}', 'NOT j->''a'' = ''10'''),
    -- json is read as jsonb.
    ('{"js->a": {"gt": 9}}', 'js::jsonb->''a'' > ''9'''), ('{"js->>a": "eq.9"}', 'js->>''a'' = ''9'''), ('{"js->0": {"eq": 7}}', 'js::jsonb->0 = ''7'''), ('{"js->a": {"in": [9, 10]}}', 'js::jsonb->''a'' IN (''9'', ''10'')'),
    -- Arrays begin at 0 here, as JSON's do.
    ('{"tags->>0": "eq.two"}', 'tags[1] = ''two'''), ('{"tags->>-1": "eq.two"}', 'tags[cardinality(tags)] = ''two'''), ('{"grid->1->0": {"gt": 3}}', 'grid[2][1] > 3'), ('{"tags->0": "is.null"}', 'to_jsonb(tags)->0 IS NULL'), ('{"tags->>0": "is.null"}', 'tags[1] IS NULL'),
    ('{"home->zip": {"gt": 50}}', '(home).zip > 50'), ('{"home->>street": "like.Low%"}', '(home).street LIKE ''Low%'''), ('{"home->tags->>0": "eq.x"}', '(home).tags[1] = ''x'''), ('{"homes->1->>street": "eq.A"}', '(homes[2]).street = ''A'''), ('{"homes": {"isnot": null}}', 'homes IS NOT NULL'),
    ('{"home": "is.null"}', 'home IS NOT DISTINCT FROM NULL'), ('{"home": "isnot.null"}', 'home IS DISTINCT FROM NULL'),
    -- An exact column name wins over the path.
    ('{"j->z": {"eq": 1}}', '"j->z" = 1'), ('{"\"j\"->z": {"eq": 1}}', 'j->''z'' = ''1'''), ('{"odd->>name": "eq.p"}', '"odd->>name" = ''p'''), ('{"\"j\"->a": {"eq": 9}}', 'j->''a'' = ''9'''),
    ('{"or": [{"\"j\"->a": 9}, {"home->zip": 20}], "j->s": {"isnot": null}}', '(j->''a'' = ''9'' OR (home).zip = 20) AND j->''s'' IS NOT NULL')) AS c(filter, condition);
-- The trap, and what is no path.
SELECT c.filter, fp.found(c.filter, 'true')
  FROM (VALUES
    ('{"js->>a": {"gt": 9}}'::jsonb), ('{"js->>a": {"lte": 9}}'), ('{"js->a": "gt.abc"}'), ('{"id->a": 1}'), ('{"jj->a": 1}'), ('{"j->": 1}'), ('{"j->>": "eq.1"}'), ('{"j->>s->x": "eq.1"}'), ('{"j->\"s": 1}'), ('{"->s": 1}'), ('{"j->s\"t": 1}'),
    ('{"js->s": "cs.x"}'), ('{"js->s": "sl.1"}'), ('{"js->s": "ov.[1]"}'), ('{"js->a": [1]}'), ('{"js": {"a": 1}}'), ('{"j": {"a": 1}}'), ('{"js->>a": {"eq": [1]}}'), ('{"js->>a": {"is": true}}')) AS c(filter);
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'fp.t', 'select', 'id', 'filter', jsonb_build_object('js' || repeat('->a', n), null))) FROM unnest(ARRAY[32, 33]) AS n;
-- Steps are data: text that would be SQL finds nothing and breaks nothing.
SELECT fp.found(jsonb_build_object('js->' || h, '{"eq": 1}'::jsonb), 'false') FROM unnest(ARRAY['a''', 'a'') or (''1''=''1', '$1', 'a\', '99999999999999999999', '2147483648', '-1']) AS h;
DROP SCHEMA fp CASCADE;
