-- The objects of an answer are, byte by byte, what Postgres's row_to_json makes of the same rows, but for the forms of bigint and numeric (docs/types.md).
\t on
\a
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET extra_float_digits = 1;
CREATE SCHEMA rf;
CREATE DOMAIN rf.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN rf.amount AS numeric(30, 5);
CREATE DOMAIN rf.word AS text;
CREATE DOMAIN rf.inner_word AS rf.word;
CREATE TYPE rf.mood AS ENUM ('sad', 'ok "really"');
CREATE TABLE rf.t (
    id int PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, t text, v varchar(9), c char(4), u uuid, d date,
    ts timestamp, tz timestamptz, j json, jb jsonb, dp rf.positive, da rf.amount, dw rf.inner_word, m rf.mood, iv interval, a int[],
    "odd ""name\ é" text, "or" text);
INSERT INTO rf.t (id) VALUES (1);
INSERT INTO rf.t VALUES
    (2, true, -32768, -2147483648, -9007199254740991, '-0', 'NaN', 'NaN', E'quote " back \\ slash / tab \t line \n', 'a', 'b', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
     'infinity', '-infinity', 'infinity', ' { "a" : [1, 2.50] } ', '{"a": [1, 2.50, null, "\""]}', 1, 1.5, 'w', 'sad', '1 day', '{1,NULL}', 'o', 'p'),
    (3, false, 32767, 2147483647, 9007199254740992, 1e-30, 1e300, 123456789012345, 'é漢😀', '漢字', '', '00000000-0000-0000-0000-000000000000',
     '0044-03-15 BC', '2024-02-29 13:14:15.000001', '2024-02-29 13:14:15.1+05:30', 'null', '"text"', 2147483647, -0.00001, '', 'ok "really"', '-1 s', '{}', '', NULL),
    (4, NULL, 0, 0, 9223372036854775807, 'Infinity', '-Infinity', '-0.00012345678901234', '', '', NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff',
     '2024-01-01', '0001-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999+00', '[]', '{}', NULL, 123456789012345678901234.56789, 'x', NULL, NULL, NULL, '"', '\'),
    (5, NULL, 0, 0, -9223372036854775808, 1.1, 0.1, 1e-310, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1', '1', NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL),
    (6, NULL, 0, 0, -1, 16777216, 9007199254740993, 1234567890123456.0, (SELECT string_agg(chr(n), '') FROM generate_series(1, 300) AS n), NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, 1e20, NULL, NULL, NULL, NULL, NULL, NULL),
    -- Compressed in the row, and out of it.
    (7, NULL, 0, 0, 1, 0, 0, 0, repeat('a"\', 2000), NULL, NULL, NULL, NULL, NULL, NULL, to_json(repeat('b', 3000)), to_jsonb(repeat('c', 3000)), NULL, NULL, NULL, NULL, NULL, NULL,
     (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 100) AS n), NULL);
GRANT USAGE ON SCHEMA rf TO authenticated;
GRANT SELECT ON rf.t TO authenticated;
-- What Postgres makes of these rows.
CREATE FUNCTION rf.expected(rows int[]) RETURNS text LANGUAGE sql AS $$
SELECT '[' || string_agg(row_to_json(r)::text, ',' ORDER BY r.id) || ']' FROM (
    SELECT id, b, i2, i4, CASE WHEN i8 BETWEEN -9007199254740991 AND 9007199254740991 THEN to_json(i8) ELSE to_json(i8::text) END AS i8, f4, f8,
           CASE WHEN length(ltrim(translate(n::text, '-.', ''), '0')) <= 15 AND length(n::text) <= 300 THEN to_json(n) ELSE to_json(n::text) END AS n,
           t, v, c, u, d, ts, tz, j, jb, dp,
           CASE WHEN length(ltrim(translate(da::text, '-.', ''), '0')) <= 15 AND length(da::text) <= 300 THEN to_json(da) ELSE to_json(da::text) END AS da,
           dw, m, iv, a, "odd ""name\ é", "or" FROM rf.t WHERE id = ANY (rows)) AS r
$$;
-- In pages and without, with a limit and without, one by one and together.
SELECT id, t.via('a', 'query_table', jsonb_build_object('table', 'rf.t', 'filter', jsonb_build_object('id', 'eq.' || id))) = rf.expected(ARRAY[id]),
       t.via('a', 'query_table', jsonb_build_object('table', 'rf.t', 'filter', jsonb_build_object('id', id), 'order', 'tz,id', 'limit', 5)) = rf.expected(ARRAY[id])
  FROM rf.t ORDER BY id;
SELECT t.via('a', 'query_table', '{"table": "rf.t", "order": "id", "limit": 7}') = rf.expected(ARRAY[1, 2, 3, 4, 5, 6, 7]);
SELECT t.via('a', 'query_table', '{"table": "rf.t", "filter": {"id": "lt.5"}, "select": "id,i8,n,da,f8,odd:\"odd \"\"name\\ é\""}');
-- Groups, casts and parts of JSON.
SELECT t.via('a', 'query_table', '{"table": "rf.t", "select": "total:i8.sum(),average:n.avg(),longest:t.max(),count()", "filter": {"id": "in.(3,4)"}}');
SELECT t.via('a', 'query_table', '{"table": "rf.t", "select": "id::text,jb->a,x:jb->a->>1,i8::text,d::text", "filter": {"id": "eq.2"}}');
-- Records of writes, which come as columns, too.
GRANT INSERT, UPDATE, DELETE ON rf.t TO authenticated;
SELECT t.via('a', 'update_record', '{"table": "rf.t", "data": {"or": "w"}, "filter": {"id": "gt.0"}}') AS records \gset
SELECT :'records' = '{"updated":7,"records":' || rf.expected(ARRAY[1, 2, 3, 4, 5, 6, 7]) || '}';
SELECT rf.expected(ARRAY[2]) AS gone \gset
SELECT t.via('a', 'delete_record', '{"table": "rf.t", "filter": {"id": "eq.2"}}') = '{"deleted":1,"records":' || :'gone' || '}';
SELECT t.via('a', 'insert_record', '{"table": "rf.t", "data": {"id": 8, "i8": "9007199254740993", "n": "1.50", "tz": "2024-02-29T13:14:15+05:30", "jb": {"a": [1, 2.50]}, "dw": "w", "m": "sad"}}') AS record \gset
SELECT '[' || :'record' || ']' = rf.expected(ARRAY[8]);
-- The size bound counts characters of the text before it is escaped, not bytes: just enough, and one less.
UPDATE rf.t SET t = repeat('é', 100) WHERE id IN (3, 4);
SELECT n, t.via('a', 'query_table', jsonb_build_object('table', 'rf.t', 'select', 't', 'filter', jsonb_build_object('id', 'in.(3,4)'), 'order', 'id', 'max_chars', n)) LIKE '%}]'
  FROM (SELECT 2 * (length(row_to_json(r)::text) + 1) FROM (SELECT t FROM rf.t WHERE id = 3) AS r) AS f(most), LATERAL unnest(ARRAY[most, most - 1]) AS n;
DROP SCHEMA rf CASCADE;
