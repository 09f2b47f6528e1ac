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
DROP SCHEMA ty CASCADE;
