-- filter_operators: every operator in the string and the object form, negated, with (any) and (all), finds what hand-written SQL finds; each misuse says what to write.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA fo;
CREATE TYPE fo.state AS ENUM ('new', 'open', 'done');
CREATE DOMAIN fo.grade AS int CHECK (VALUE BETWEEN 0 AND 10);
CREATE TABLE fo.t (id int PRIMARY KEY, n int, p numeric, s text, v varchar(10), nm name, b bool, st fo.state, g fo.grade, d date, r int4range, m int4multirange,
                   ts tsvector, j jsonb, js json, tags text[], nums int[], bx box, u uuid, c char(3));
INSERT INTO fo.t VALUES
    (1, 1, 1.5, 'Anna', 'red', 'one', true, 'new', 1, '2024-01-01', '[1,5)', '{[1,2),[5,6)}', to_tsvector('english', 'the fat cats sat'), '{"a": 1, "t": "fat cats"}', '{"t": "fat cats"}', '{a,b}', '{1,2}', '(1,1),(0,0)', '11111111-1111-4111-8111-111111111111', 'ab'),
    (2, 2, 20, 'anton', 'green', 'two', false, 'open', 5, '2024-02-01', '[5,9)', '{[9,12)}', to_tsvector('english', 'a dog barks'), '{"a": 2, "t": "dogs bark"}', '{"t": "dogs bark"}', '{b,c}', '{2,3}', '(6,6),(5,5)', '22222222-2222-4222-8222-222222222222', 'abc'),
    (3, 3, 300, 'Bert', 'blue', 'three', NULL, 'done', 9, '2024-03-01', '[20,30)', '{}', to_tsvector('english', 'cats and dogs'), '[1, 2]', '[1]', '{}', '{}', '(9,9),(0,0)', NULL, ''),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, -5, 0, '50%_a.b*', 'null', 'null', true, 'open', 0, '2023-12-31', 'empty', '{(,)}', '', '"x"', '"x"', '{NULL,"x,y"}', '{-1}', '(1,1),(1,1)', '33333333-3333-4333-8333-333333333333', 'x');
GRANT USAGE ON SCHEMA fo TO authenticated;
GRANT SELECT ON fo.t TO authenticated;
CREATE FUNCTION fo.found(filter jsonb, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    got text := t.via('a', 'query_table', jsonb_build_object('table', 'fo.t', 'select', 'id', 'filter', filter, 'order', 'id'));
    wanted text;
BEGIN
    IF got NOT LIKE '[%' THEN RETURN got; END IF;
    EXECUTE format('SELECT coalesce(string_agg(id::text, '','' ORDER BY id), ''-'') FROM fo.t WHERE %s', condition) INTO wanted;
    SELECT coalesce(string_agg(r ->> 'id', ','), '-') INTO got FROM jsonb_array_elements(got::jsonb) AS r;
    RETURN got || CASE WHEN got <> wanted THEN ' DIFFERS from ' || wanted ELSE '' END;
END
$$;

-- Comparisons: string form and object form, each with its negation.
SELECT c.op, fo.found(jsonb_build_object('n', c.op || '.2'), 'n ' || c.sql || ' 2'), fo.found(jsonb_build_object('n', jsonb_build_object(c.op, 2)), 'n ' || c.sql || ' 2'),
       fo.found(jsonb_build_object('n', 'not.' || c.op || '.2'), 'NOT n ' || c.sql || ' 2'), fo.found(jsonb_build_object('n', jsonb_build_object('not.' || c.op, 2)), 'NOT n ' || c.sql || ' 2'),
       fo.found(jsonb_build_object('n', jsonb_build_object('not', jsonb_build_object(c.op, 2))), 'NOT n ' || c.sql || ' 2')
  FROM (VALUES ('eq', '='), ('neq', '<>'), ('gt', '>'), ('gte', '>='), ('lt', '<'), ('lte', '<='), ('isdistinct', 'IS DISTINCT FROM')) AS c(op, sql);
-- The same over other types.
SELECT c.filter, fo.found(c.filter, c.condition)
  FROM (VALUES
    ('{"s": "gt.B"}'::jsonb, 's > ''B'''), ('{"v": "eq.null"}', 'false'), ('{"v": {"eq": "null"}}', 'v = ''null'''), ('{"v": "eq.a value longer than ten"}', 'false'),
    ('{"nm": "eq.two"}', 'nm = ''two'''), ('{"nm": {"in": ["two", "three"]}}', 'nm IN (''two'', ''three'')'), ('{"st": "gte.open"}', 'st >= ''open'''), ('{"g": "gt.4"}', 'g > 4'), ('{"g": {"in": [5, 9]}}', 'g IN (5, 9)'),
    ('{"g": "eq.11"}', 'g = 11'), ('{"d": "lt.2024-01-01"}', 'd < ''2024-01-01'''), ('{"p": "eq.1.50"}', 'p = 1.5'), ('{"b": "eq.true"}', 'b'), ('{"b": "neq.true"}', 'b <> true'), ('{"b": false}', 'NOT b'),
    ('{"r": "eq.[1,4]"}', 'r = ''[1,5)'''), ('{"tags": "eq.{a,b}"}', 'tags = ''{a,b}'''), ('{"tags": {"eq": ["a", "b"]}}', 'tags = ''{a,b}'''), ('{"tags": {"eq": []}}', 'tags = ''{}'''),
    ('{"tags": {"eq": [null, "x,y"]}}', 'tags = ''{NULL,"x,y"}'''), ('{"nums": {"gt": [1]}}', 'nums > ''{1}'''), ('{"j": {"eq": "x"}}', 'j = ''"x"'''), ('{"j": {"eq": [1, 2]}}', 'j = ''[1, 2]'''),
    ('{"j": "eq.{\"a\": 1, \"t\": \"fat cats\"}"}', 'j = ''{"a": 1, "t": "fat cats"}'''), ('{"u": "eq.22222222-2222-4222-8222-222222222222"}', 'u = ''22222222-2222-4222-8222-222222222222'''),
    ('{"c": "eq.ab"}', 'c = ''ab'''), ('{"c": "eq.ab "}', 'c = ''ab'''), ('{"n": {"gte": 1, "lt": 3}}', 'n >= 1 AND n < 3'), ('{"n": {"gte": 1, "not": {"eq": 2, "gt": 0}}}', 'n >= 1 AND NOT (n = 2 AND n > 0)'), ('{"n": -5}', 'n = -5'), ('{"p": 2e1}', 'p = 20'), ('{"s": "eq."}', 's = ''''')) AS c(filter, condition);
-- is, isnot, in, nin, isdistinct with null.
SELECT c.filter, fo.found(c.filter, c.condition)
  FROM (VALUES
    ('{"n": "is.null"}'::jsonb, 'n IS NULL'), ('{"n": "isnot.null"}', 'n IS NOT NULL'), ('{"n": "not.is.null"}', 'n IS NOT NULL'), ('{"n": "not.isnot.null"}', 'n IS NULL'), ('{"n": null}', 'n IS NULL'), ('{"n": {"not.is": null}}', 'n IS NOT NULL'),
    ('{"b": "is.true"}', 'b IS TRUE'), ('{"b": "isnot.true"}', 'b IS NOT TRUE'), ('{"b": "is.false"}', 'b IS FALSE'), ('{"b": "is.unknown"}', 'b IS UNKNOWN'), ('{"b": {"is": "unknown"}}', 'b IS UNKNOWN'), ('{"b": {"isnot": false}}', 'b IS NOT FALSE'), ('{"b": "not.is.true"}', 'NOT b IS TRUE'), ('{"b": "is.NULL"}', 'b IS NULL'),
    ('{"n": "in.(1, 2)"}', 'n IN (1, 2)'), ('{"n": "not.in.(1,2)"}', 'NOT n IN (1, 2)'), ('{"n": "nin.(1,2)"}', 'n NOT IN (1, 2)'), ('{"n": {"not.in": [1, 2]}}', 'NOT n IN (1, 2)'), ('{"n": "in.()"}', 'false'), ('{"n": "nin.()"}', 'true'), ('{"n": {"not.nin": []}}', 'false'),
    ('{"s": "in.(\"50%_a.b*\",Bert)"}', 's IN (''50%_a.b*'', ''Bert'')'), ('{"v": "in.(\"null\")"}', 'v = ''null'''), ('{"v": {"in": ["null", "red"]}}', 'v IN (''null'', ''red'')'), ('{"st": "in.(new,done)"}', 'st IN (''new'', ''done'')'), ('{"u": "in.(22222222-2222-4222-8222-222222222222)"}', 'id = 2'),
    ('{"n": "isdistinct.null"}', 'n IS DISTINCT FROM NULL'), ('{"n": {"isdistinct": null}}', 'n IS DISTINCT FROM NULL'), ('{"n": "not.isdistinct.null"}', 'n IS NOT DISTINCT FROM NULL'), ('{"st": "isdistinct.open"}', 'st IS DISTINCT FROM ''open'''), ('{"j": {"isdistinct": "x"}}', 'j IS DISTINCT FROM ''"x"'''),
    ('{"tags": {"isdistinct": ["a", "b"]}}', 'tags IS DISTINCT FROM ''{a,b}'''), ('{"bx": "is.null"}', 'bx IS NULL')) AS c(filter, condition);
-- Patterns. * is an ordinary character.
SELECT c.filter, fo.found(c.filter, c.condition)
  FROM (VALUES
    ('{"s": "like.A%"}'::jsonb, 's LIKE ''A%'''), ('{"s": "ilike.a%"}', 's ILIKE ''a%'''), ('{"s": "like.%*"}', 's LIKE ''%*'''), ('{"s": "like.A*"}', 'false'), ('{"s": "like.50\\%%"}', 's LIKE ''50\%%'''), ('{"s": {"like": "____"}}', 's LIKE ''____'''), ('{"s": "not.like.A%"}', 's NOT LIKE ''A%'''), ('{"s": {"not.ilike": "a%"}}', 's NOT ILIKE ''a%'''),
    ('{"n": "like.-%"}', 'n::text LIKE ''-%'''), ('{"p": {"like": 300}}', 'p::text LIKE ''300'''), ('{"st": "like.%en"}', 'st::text LIKE ''%en'''), ('{"j": "like.%dogs%"}', 'j::text LIKE ''%dogs%'''), ('{"c": "like.ab "}', 'c LIKE ''ab '''),
    ('{"s": "match.^A"}', 's ~ ''^A'''), ('{"s": "imatch.^a"}', 's ~* ''^a'''), ('{"s": "not.match.^A"}', 's !~ ''^A'''), ('{"s": {"imatch": "T$"}}', 's ~* ''T$'''), ('{"s": "match.[.]b[*]$"}', 's ~ ''[.]b[*]$'''), ('{"n": "match.^-"}', 'n::text ~ ''^-'''), ('{"v": "match.^(red|blue)$"}', 'v ~ ''^(red|blue)$''')) AS c(filter, condition);
-- (any) and (all).
SELECT c.filter, fo.found(c.filter, c.condition)
  FROM (VALUES
    ('{"n": "eq(any).(1,3)"}'::jsonb, 'n = ANY (''{1,3}'')'), ('{"n": {"eq(any)": [1, 3]}}', 'n = ANY (''{1,3}'')'), ('{"n": "eq(any).{1,3}"}', 'n = ANY (''{1,3}'')'), ('{"n": "neq(all).(1,3)"}', 'n <> ALL (''{1,3}'')'), ('{"n": "gt(any).(2,9)"}', 'n > ANY (''{2,9}'')'), ('{"n": "gt(all).(0,1)"}', 'n > ALL (''{0,1}'')'),
    ('{"n": "gte(all).(2)"}', 'n >= 2'), ('{"n": "lt(any).(0,2)"}', 'n < ANY (''{0,2}'')'), ('{"n": "lte(all).(1,2)"}', 'n <= ALL (''{1,2}'')'), ('{"n": {"neq(any)": [1, 2]}}', 'n <> ANY (''{1,2}'')'), ('{"n": {"eq(any)": []}}', 'false'), ('{"n": {"eq(all)": []}}', 'true'), ('{"n": {"not.eq(any)": [1, 3]}}', 'NOT n = ANY (''{1,3}'')'),
    ('{"s": "like(any).(A%,B%)"}', 's LIKE ANY (''{A%,B%}'')'), ('{"s": {"like(any)": ["A%", "B%"]}}', 's LIKE ANY (''{A%,B%}'')'), ('{"s": "like(all).(A%,%a)"}', 's LIKE ALL (''{A%,%a}'')'), ('{"s": {"ilike(any)": ["a%"]}}', 's ILIKE ''a%'''), ('{"s": "not.ilike(all).(a%,%n%)"}', 'NOT s ILIKE ALL (''{a%,%n%}'')'),
    ('{"s": {"match(any)": ["^A", "^B"]}}', 's ~ ANY (''{^A,^B}'')'), ('{"s": {"imatch(all)": ["^a", "n$"]}}', 's ~* ALL (''{^a,n$}'')'), ('{"n": {"like(any)": ["1", "-%"]}}', 'n::text LIKE ANY (''{1,-%}'')'), ('{"st": {"eq(any)": ["new", "done"]}}', 'st IN (''new'', ''done'')'), ('{"s": "like(any).(\"50\\\\%%\",B%)"}', 's LIKE ANY (''{"50\\%%",B%}'')')) AS c(filter, condition);
-- Arrays, json, ranges, multiranges, boxes.
SELECT c.filter, fo.found(c.filter, c.condition)
  FROM (VALUES
    ('{"tags": "cs.{b}"}'::jsonb, 'tags @> ''{b}'''), ('{"tags": {"cs": ["a", "b"]}}', 'tags @> ''{a,b}'''), ('{"tags": "cd.{a,b,c}"}', 'tags <@ ''{a,b,c}'''), ('{"tags": {"ov": ["a", "c"]}}', 'tags && ''{a,c}'''), ('{"tags": {"cs": ["x,y"]}}', 'tags @> ''{"x,y"}'''), ('{"tags": "not.cs.{b}"}', 'NOT tags @> ''{b}'''), ('{"nums": {"cs": [2]}}', 'nums @> ''{2}'''),
    ('{"j": {"cs": {"a": 1}}}', 'j @> ''{"a": 1}'''), ('{"j": "cs.{\"a\":1}"}', 'j @> ''{"a": 1}'''), ('{"j": {"cs": [1]}}', 'j @> ''[1]'''), ('{"j": {"cd": [1, 2, 3]}}', 'j <@ ''[1, 2, 3]'''), ('{"j": {"not.cs": {"a": 1}}}', 'NOT j @> ''{"a": 1}'''),
    ('{"r": "cs.[2,3]"}', 'r @> ''[2,3]''::int4range'), ('{"r": "cd.[0,9)"}', 'r <@ ''[0,9)''::int4range'), ('{"r": "ov.[4,6)"}', 'r && ''[4,6)''::int4range'), ('{"r": "sl.[5,6)"}', 'r << ''[5,6)''::int4range'), ('{"r": "sr.[4,5)"}', 'r >> ''[4,5)''::int4range'),
    ('{"r": "nxr.[0,9)"}', 'r &< ''[0,9)''::int4range'), ('{"r": "nxl.[5,9)"}', 'r &> ''[5,9)''::int4range'), ('{"r": "adj.[9,20)"}', 'r -|- ''[9,20)''::int4range'), ('{"r": {"adj": "[9,20)"}}', 'r -|- ''[9,20)''::int4range'), ('{"r": "not.sl.[5,6)"}', 'NOT r << ''[5,6)''::int4range'),
    ('{"m": "cs.{[5,6)}"}', 'm @> ''{[5,6)}''::int4multirange'), ('{"m": "sl.{[7,8)}"}', 'm << ''{[7,8)}''::int4multirange'), ('{"m": "adj.{[6,9)}"}', 'm -|- ''{[6,9)}''::int4multirange'), ('{"m": "ov.{[1,3)}"}', 'm && ''{[1,3)}''::int4multirange'),
    ('{"bx": "ov.(2,2),(0,0)"}', 'bx && ''(2,2),(0,0)''::box'), ('{"bx": "sl.(4,4),(3,3)"}', 'bx << ''(4,4),(3,3)''::box'), ('{"bx": "cd.(2,2),(0,0)"}', 'bx <@ ''(2,2),(0,0)''::box')) AS c(filter, condition);
-- Text search: on tsvector, text, varchar, jsonb and json, with and without a configuration.
SELECT c.filter, fo.found(c.filter, c.condition)
  FROM (VALUES
    ('{"ts": "fts(english).cats"}'::jsonb, 'ts @@ to_tsquery(''english'', ''cats'')'), ('{"ts": "fts(english).cat & fat"}', 'ts @@ to_tsquery(''english'', ''cat & fat'')'), ('{"ts": "fts(simple).cats"}', 'ts @@ to_tsquery(''simple'', ''cats'')'), ('{"ts": {"fts(english)": "cat | dog"}}', 'ts @@ to_tsquery(''english'', ''cat | dog'')'),
    ('{"ts": "fts.bark"}', 'ts @@ to_tsquery(''bark'')'), ('{"ts": "plfts(english).the fat cat"}', 'ts @@ plainto_tsquery(''english'', ''the fat cat'')'), ('{"ts": "phfts(english).cats dogs"}', 'ts @@ phraseto_tsquery(''english'', ''cats dogs'')'), ('{"ts": "phfts(english).cats and dogs"}', 'ts @@ phraseto_tsquery(''english'', ''cats and dogs'')'),
    ('{"ts": {"wfts(english)": "cats -fat"}}', 'ts @@ websearch_to_tsquery(''english'', ''cats -fat'')'), ('{"ts": {"not.fts(english)": "cat"}}', 'NOT ts @@ to_tsquery(''english'', ''cat'')'), ('{"ts": "not.wfts(english).dog or cat"}', 'NOT ts @@ websearch_to_tsquery(''english'', ''dog or cat'')'),
    ('{"s": "fts(simple).anna"}', 'to_tsvector(''simple'', s) @@ to_tsquery(''simple'', ''anna'')'), ('{"v": "plfts(simple).red"}', 'to_tsvector(''simple'', v) @@ plainto_tsquery(''simple'', ''red'')'), ('{"j": "fts(english).dog"}', 'to_tsvector(''english'', j) @@ to_tsquery(''english'', ''dog'')'), ('{"js": {"wfts(english)": "cat"}}', 'to_tsvector(''english'', js) @@ websearch_to_tsquery(''english'', ''cat'')'),
    ('{"ts": "fts(pg_catalog.english).cats"}', 'ts @@ to_tsquery(''english'', ''cats'')'), ('{"ts": "fts(\"english\").cats"}', 'ts @@ to_tsquery(''english'', ''cats'')'), ('{"ts": "wfts(english).\"\""}', 'false')) AS c(filter, condition);

-- Misuse: the place, what is wrong, what to write; nothing is read.
SELECT c.filter, fo.found(c.filter, 'true')
  FROM (VALUES
    ('{"s": "cs.nn"}'::jsonb), ('{"n": "sl.5"}'), ('{"n": "fts.five"}'), ('{"js": "eq.{}"}'), ('{"js": {"in": [1]}}'), ('{"j": "ov.[1]"}'), ('{"n": {"fts": "x"}}'), ('{"tags": "adj.{a}"}'),
    ('{"n": "in(any).(1)"}'), ('{"n": "is(any).null"}'), ('{"n": "eq(some).(1)"}'), ('{"n": "eq(any).1,2"}'), ('{"n": {"eq(any)": 1}}'), ('{"n": {"eq(any)": [1, null]}}'), ('{"s": {"like(any)": [["a"]]}}'), ('{"s": {"like": ["a%"]}}'), ('{"s": {"like": null}}'),
    ('{"ts": {"fts": ["cat"]}}'), ('{"ts": "fts(klingon).cat"}'), ('{"ts": "fts(english).cat &"}'), ('{"ts": "fts(english''); drop table fo.t; --).cat"}'), ('{"ts": "fts().cat"}'), ('{"s": "match.("}'), ('{"s": "like.\\"}'),
    ('{"n": "not.5"}'), ('{"n": "not.not.eq.5"}'), ('{"n": {"not": 5}}'), ('{"n": {"not": {"not": {"eq": 5}}}}'), ('{"n": "not.equals.5"}'), ('{"n": {"not.equals": 5}}'), ('{"n": "isdistinct"}'), ('{"n": {"between": [1, 2]}}'), ('{"n": {">": 1}}'),
    ('{"n": [1, 2]}'), ('{"n": {"eq": [1, 2]}}'), ('{"tags": {"eq": 5}}'), ('{"r": {"cs": [1, 2]}}'), ('{"r": "cs.2"}'), ('{"n": "eq.1.5"}'), ('{"n": {"in": "1,2"}}'), ('{"d": "gt.soon"}'), ('{"st": "eq.shut"}'), ('{"b": "is.maybe"}'), ('{"n": "is.true"}'), ('{"j": {"eq": "{\"a\": 1}"}}'), ('{"j": "eq.abc"}'), ('{"u": "eq.123"}'), ('{"n": "in.(1,,2)"}'), ('{"s": "in.(null)"}'), ('{"n": ""}'), ('{"n": "eq"}')) AS c(filter);
DROP SCHEMA fo CASCADE;
