-- The JSON form of every kind of value, whatever the session's output settings are; and that each form can be sent back.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ty;
CREATE TYPE ty.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN ty.percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN ty.big AS int8;
CREATE TYPE ty.point3 AS (x int8, y numeric, label text);
CREATE TABLE ty.v (k text PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, m money, s text, vc varchar(20), c char(5),
    nm name, by bytea, d date, ts timestamp, tz timestamptz, ti time, iv interval, u uuid, j json, jb jsonb, mood ty.mood, pc ty.percent,
    big ty.big, p ty.point3, r int4range, tr tstzrange, a4 int4[], a8 int8[], an numeric[], at text[], aby bytea[], am ty.mood[], a2 int4[][], ip inet, bi bit(3));
GRANT USAGE ON SCHEMA ty TO authenticated;
GRANT SELECT, INSERT, UPDATE ON ty.v TO authenticated;
INSERT INTO ty.v VALUES ('plain', true, 1, 2, 3, 1.5, 0.1, 12345.678, '$1,234.50', E'tab\t"q" \\ ü€😀', 'vc', 'c', 'nm', '\x00ff10', '2024-02-29', '2024-02-29 13:14:15.123456',
    '2024-02-29 13:14:15+02', '13:14:15.5', '1 year 2 mons 3 days 04:05:06.7', '0b0b0b0b-0000-4000-8000-00000000000b', '{"z":1, "a" : 2}', '{"z":1,"a":2}', 'happy', 99.5,
    7, (1, 2.5, 'l'), '[1,10)', '[2024-01-01 00:00+00,)', '{1,NULL,3}', '{1,2}', '{1.5,2}', '{a,NULL,"b c"}', '{"\\x00","\\xff"}', '{sad,happy}', '{{1,2},{3,4}}', '10.0.0.1/8', B'101');
INSERT INTO ty.v (k) VALUES ('null');
INSERT INTO ty.v (k, i8, f4, f8, n, big, p, a8, an, d, ts, tz, iv) VALUES
    ('limits', 9007199254740991, 'Infinity', 'NaN', 999999999999999, 9007199254740992, (9007199254740993, 12345678901234567890, NULL), '{9007199254740991,9007199254740993}', '{1,12345678901234567890}', 'infinity', '-infinity', 'infinity', '-00:00:01'),
    ('beyond', 9223372036854775807, '-Infinity', '-Infinity', 12345678901234567890.123, -9223372036854775808, NULL, '{}', '{NaN}', '0044-03-15 BC', '10000-01-01', '0001-01-01 00:00+00 BC', '1 day -1 hour'),
    ('small', -9007199254740992, '1e-45', '5e-324', 0.00000000000000000001, -9007199254740991, NULL, '{1}', '{0.1}', NULL, NULL, NULL, '0'),
    ('special', 0, 'NaN', 'Infinity', 'NaN', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO ty.v (k, n) VALUES ('numeric inf', 'Infinity'), ('fifteen', 0.123456789012345), ('sixteen', 1.234567890123456), ('trailing', 100.00), ('exp', 1e20);

-- A session with other output settings: nothing of it is seen.
SET DateStyle = 'German, DMY';
SET IntervalStyle = 'iso_8601';
SET TimeZone = 'Asia/Kolkata';
SET bytea_output = 'escape';
SET extra_float_digits = -5;
SELECT j.key, j.value FROM json_each(t.via('a', 'query_table', '{"table": "ty.v", "filter": {"k": "eq.plain"}}')::json -> 0) AS j;
SELECT t.via('a', 'query_table', '{"table": "ty.v", "filter": {"k": "eq.null"}, "select": "k"}');
SELECT t.via('a', 'query_table', '{"table": "ty.v", "filter": {"k": {"eq": "null"}}}');
SELECT json_array_elements(t.via('a', 'query_table', '{"table": "ty.v", "select": "k,i8,f4,f8,n,big,p,a8,an,d,ts,tz,iv", "filter": {"k": {"in": ["limits", "beyond", "small", "special"]}}, "order": "k"}')::json);
SELECT json_array_elements(t.via('a', 'query_table', '{"table": "ty.v", "select": "k,n", "filter": {"k": {"in": ["numeric inf", "fifteen", "sixteen", "trailing", "exp"]}}, "order": "k"}')::json);
-- The settings of the session are as they were.
SELECT current_setting('DateStyle'), current_setting('IntervalStyle'), current_setting('TimeZone'), current_setting('bytea_output'), current_setting('extra_float_digits');
RESET DateStyle; RESET IntervalStyle; RESET TimeZone; RESET bytea_output; RESET extra_float_digits;

-- In: what comes out can be sent back.
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'ty.v', 'data',
        jsonb_set(t.via('a', 'query_table', '{"table": "ty.v", "filter": {"k": "eq.plain"}}')::jsonb -> 0, '{k}', '"copy"'), 'returning', 'k'));
SELECT v.k, w.k, (to_jsonb(v) - 'k') = (to_jsonb(w) - 'k') AS same FROM ty.v AS v, ty.v AS w WHERE v.k = 'plain' AND w.k = 'copy';
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'ty.v', 'data',
        jsonb_set(r.value, '{k}', to_jsonb('copy ' || (r.value ->> 'k'))), 'returning', 'k'))
  FROM jsonb_array_elements(t.via('a', 'query_table', '{"table": "ty.v", "select": "k,i8,f4,f8,n,big,p,a8,an,d,ts,tz,iv", "filter": {"k": {"in": ["limits", "beyond", "small", "special"]}}, "order": "k"}')::jsonb) AS r;
SELECT v.k, (to_jsonb(v) - 'k') = (to_jsonb(w) - 'k') AS same FROM ty.v AS v JOIN ty.v AS w ON w.k = 'copy ' || v.k ORDER BY v.k;

-- In: other forms, and what does not fit.
SELECT c.data, t.via('a', 'update_record', jsonb_build_object('table', 'ty.v', 'filter', '{"k": "eq.copy"}'::jsonb, 'data', c.data,
                                                              'returning', (SELECT string_agg(k, ',') FROM jsonb_object_keys(c.data) AS k)))
  FROM (VALUES ('{"i4": "5"}'::jsonb), ('{"i4": 5.5}'), ('{"i4": true}'), ('{"i4": "x"}'), ('{"i2": 40000}'), ('{"i8": "9223372036854775807"}'), ('{"i8": 9223372036854775808}'),
               ('{"b": "yes"}'), ('{"b": 1}'), ('{"n": "NaN"}'), ('{"f8": "Infinity"}'), ('{"vc": "123456789012345678901"}'), ('{"vc": "12345678901234567890  "}'),
               ('{"by": "AAH/"}'), ('{"by": "\\xdeadbeef"}'), ('{"by": "not base64!"}'), ('{"by": 5}'), ('{"u": "nonsense"}'), ('{"d": "2024-02-30"}'), ('{"d": "yesterday and"}'),
               ('{"tz": "2024-01-01T00:00:00Z"}'), ('{"tz": "2024-01-01T00:00:00+05:30"}'), ('{"iv": "P1DT2H"}'), ('{"j": [1, {"a": null}]}'), ('{"jb": "text"}'), ('{"jb": null}'),
               ('{"mood": "angry"}'), ('{"pc": 101}'), ('{"pc": 33.333}'), ('{"p": {"x": 1, "label": "L"}}'), ('{"p": "(1,2,three)"}'), ('{"r": "[5,1]"}'), ('{"r": "[1,5]"}'), ('{"r": {"lower": 1}}'),
               ('{"a4": [1, null, 3]}'), ('{"a4": "{4,5}"}'), ('{"a4": 4}'), ('{"a4": ["x"]}'), ('{"at": ["NULL", null, "", "{}", "a,b", "q\"q", "b\\s"]}'), ('{"a2": [[1, 2], [3, 4]]}'), ('{"a2": [[1, 2], [3]]}'),
               ('{"am": ["ok", "sad"]}'), ('{"s": "nul\u0001ok"}'), ('{"s": {"a": 1}}'), ('{"s": 1.10}'), ('{"m": "12.5"}')) AS c(data);
SELECT t.shown(body::jsonb) FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"update_record","arguments":{"table":"ty.v","data":{"s":"a\u0000b"},"filter":{"k":"eq.copy"}}}}', t.credential('a'), NULL);
-- Numbers pass digit by digit.
SELECT t.shown(body::jsonb) FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"update_record","arguments":{"table":"ty.v","data":{"n":12345678901234567890.12345678901234567890,"i8":9007199254740993},"filter":{"k":"eq.copy"},"returning":"n,i8"}}}', t.credential('a'), NULL);
SELECT n, i8 FROM ty.v WHERE k = 'copy';

-- Row types: each field in its own form, at any depth; objects in lists and in filters.
CREATE DOMAIN ty.ints AS int[];
CREATE TYPE ty.part AS (n numeric, by bytea, big int8[]);
CREATE TYPE ty.whole AS (name text, "odd ""f""" ty.part, list ty.part[], j jsonb);
CREATE TABLE ty.rows (k int PRIMARY KEY, o ty.whole, os ty.whole[], i ty.part);
GRANT SELECT, INSERT, UPDATE ON ty.rows TO authenticated;
SELECT t.via('a', 'insert_record', c.data) FROM (VALUES
    ('{"table": "ty.rows", "data": {"k": 1, "o": {"name": "a \"q\" \\", "odd \"f\"": {"n": "12345678901234567890.10", "by": "AP8Q", "big": ["9007199254740993"]}, "list": [{"n": 1.50}, null], "j": {"x": [1]}}, "os": [{"name": ""}, null, {}]}}'::jsonb),
    ('{"table": "ty.rows", "data": [{"k": 2, "i": {}}, {"k": 3, "i": "(1,\"\\\\x00\",{})"}], "returning": "k,i"}'),
    ('{"table": "ty.rows", "data": {"k": 4, "i": {"m": 1}}}'), ('{"table": "ty.rows", "data": {"k": 4, "i": {"by": "not base64!"}}}'), ('{"table": "ty.rows", "data": {"k": 4, "i": [1]}}'),
    ('{"table": "ty.rows", "data": {"k": 4, "os": [{"list": [{"big": [1, "x"]}]}]}}'), ('{"table": "ty.rows", "data": {"k": 4, "os": [{"list": [{"big": {"1": 2}}]}]}}')) AS c(data);
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'ty.rows', 'select', 'k', 'filter', c.filter)) FROM (VALUES
    ('{"i": {"eq": {"n": 1.0, "by": "AA==", "big": []}}}'::jsonb), ('{"i": {"in": [{}, {"n": 7}]}}'), ('{"os": {"cs": [{"name": ""}]}}'), ('{"i": "is.null"}'), ('{"i": {"eq": {"x": 1}}}')) AS c(filter);
-- A changed row type is seen at once.
ALTER TYPE ty.part ADD ATTRIBUTE late int8;
SELECT t.via('a', 'update_record', '{"table": "ty.rows", "data": {"i": {"late": "9007199254740993"}}, "filter": {"k": 2}, "returning": "i"}');

-- Arrays that a list cannot tell are Postgres's array text; what comes out can be put back in.
CREATE FUNCTION ty.as_json(ty.mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT json_build_object('mood', $1::text) $$;
CREATE CAST (ty.mood AS json) WITH FUNCTION ty.as_json;
CREATE TABLE ty.arrays (k text PRIMARY KEY, a int[], n numeric[], js jsonb[], d ty.ints[], ps ty.part[], bys bytea[], iv int2vector, mood ty.mood, moods ty.mood[]);
GRANT SELECT, INSERT ON ty.arrays TO authenticated;
INSERT INTO ty.arrays VALUES
    ('lists', '{{1,2},{3,NULL}}', '{{1.50},{1234567890123456}}', '{"[1]","{\"a\": null}",NULL}', NULL, '{"(1,,,)",NULL}', '{{"\\x00"},{"\\xff"}}', NULL, 'sad', '{sad,NULL}'),
    ('texts', '[0:1]={1,2}', '[2:2]={1234567890123456}', '{{1,2}}', '{"{1,2}","{{3}}",NULL}', '{{"(1,,,)"}}', '[0:0]={"\\x00"}', '1 2', NULL, '[0:0]={sad}'),
    ('json null', NULL, NULL, '{"null",NULL}', '{}', '{}', '{}', '', NULL, '{}');
SELECT j.key, j.value FROM json_array_elements(t.via('a', 'query_table', '{"table": "ty.arrays", "order": "k"}')::json) AS r, json_each(r.value) AS j;
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'ty.arrays', 'data', jsonb_agg(r.value || jsonb_build_object('k', 'copy of ' || (r.value ->> 'k')) ORDER BY r.value -> 'k'), 'returning', 'k'))
  FROM jsonb_array_elements(t.via('a', 'query_table', '{"table": "ty.arrays"}')::jsonb) AS r;
SELECT a.k, ROW(a.a, a.n, a.js, a.d, a.ps, a.bys, a.iv, a.mood, a.moods)::text = ROW(c.a, c.n, c.js, c.d, c.ps, c.bys, c.iv, c.mood, c.moods)::text AS same FROM ty.arrays AS a JOIN ty.arrays AS c ON c.k = 'copy of ' || a.k ORDER BY a.k;
SELECT t.via('a', 'insert_record', jsonb_build_object('table', 'ty.arrays', 'data', c.data || '{"k": "refused"}')) FROM (VALUES ('{"d": [[1, 2], [3]]}'::jsonb), ('{"a": [[1], [2, 3]]}'), ('{"iv": [1, 2]}')) AS c(data);

-- Where two values look alike, or are out of a double's reach.
CREATE TABLE ty.edges (k text PRIMARY KEY, n numeric, j json, jb jsonb);
GRANT SELECT, INSERT ON ty.edges TO authenticated;
INSERT INTO ty.edges VALUES ('small', 1e-20, NULL, NULL), ('JSON null', NULL, 'null', 'null'), ('SQL NULL', NULL, NULL, NULL), ('kept', NULL, '{"a": 1.50, "a": 1e400}', '{"a": 1.50, "a": 1e5}');
SELECT t.via('a', 'query_table', '{"table": "ty.edges", "order": "k"}');
SELECT t.via('a', 'insert_record', '{"table": "ty.edges", "data": {"k": "null", "jb": null}}'), jb IS NULL FROM ty.edges WHERE k = 'null';
SELECT left((t.via('a', 'insert_record', '{"table": "ty.edges", "data": {"k": "tiny", "n": 1e-310}, "returning": "n"}')::json -> 'n')::text, 5);
SELECT t.shown(body::jsonb) FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"insert_record","arguments":{"table":"ty.edges","data":{"k":"nul","j":{"a":"\u0000"}},"returning":"j"}}}', t.credential('a'), NULL);
SELECT t.shown(body::jsonb) FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"insert_record","arguments":{"table":"ty.edges","data":{"k":"nul","jb":"a\u0000b"},"returning":"jb"}}}', t.credential('a'), NULL);
DROP SCHEMA ty CASCADE;
