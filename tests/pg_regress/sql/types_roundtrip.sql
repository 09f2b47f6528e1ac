-- Every type that a column can have: what query_table gives can be put back by insert_record and finds its row in a filter, and
-- it is the same text whatever output settings the role and the session have. A new type without a sample fails.
\t on
\a
SET client_min_messages = error;
SET mcp.max_result_chars = 10000000;
CREATE SCHEMA tr;
CREATE SCHEMA tr_ext;
GRANT USAGE ON SCHEMA tr, tr_ext TO authenticated;

-- Types of users and extensions. Not every build has every extension, so nothing of it shows in the output.
CREATE TYPE tr.mood AS ENUM ('sad', 'ok', 'it''s "fine"', E'back\\slash', '', 'a,b', '{}', 'NULL', E'\u00fc\U0001F600');
CREATE DOMAIN tr.percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN tr.half AS tr.percent CHECK (VALUE <= 50);
CREATE DOMAIN tr.some_ints AS int8[] CHECK (cardinality(VALUE) < 5);
CREATE DOMAIN tr.moods AS tr.mood[];
CREATE TYPE tr.point3 AS (x int8, y numeric, label text);
CREATE DOMAIN tr.point3d AS tr.point3 CHECK ((VALUE).x IS DISTINCT FROM 13);
CREATE TYPE tr.mixed AS ("odd ""name""" text, "and" bytea, j json, jb jsonb, js jsonb[], n numeric[], p tr.point3, ps tr.point3[], d tr.point3d, ds tr.point3d[],
    i tr.some_ints, "is" tr.some_ints[], m tr.mood, r int8range, rs numrange[], b box[], bs bytea[], f float8, t timestamptz, iv interval, mo money);
CREATE TYPE tr.nothing AS ();
CREATE TYPE tr.deep AS (m tr.mixed, ms tr.mixed[], "N" tr.nothing);
CREATE TYPE tr.textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE tr.bytesrange AS RANGE (subtype = bytea);
CREATE TYPE tr.point3range AS RANGE (subtype = tr.point3);
CREATE TYPE tr.stamprange AS RANGE (subtype = timestamptz);
CREATE ROLE "regress odd,role";
CREATE SCHEMA "odd "" t";
GRANT USAGE ON SCHEMA "odd "" t" TO authenticated;
CREATE TABLE "odd "" t"."odd, \ T" (x int);
CREATE TABLE tr.gone (a int8, b text, c numeric);
ALTER TABLE tr.gone DROP COLUMN b;
DO $$
DECLARE
    x text;
BEGIN
    FOREACH x IN ARRAY '{citext,vector,hstore,ltree,cube,seg,isn,lo,intarray,pg_trgm,btree_gist,earthdistance}'::text[] LOOP
        IF EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = x) THEN
            EXECUTE format('CREATE EXTENSION %I SCHEMA tr_ext', x);
        END IF;
    END LOOP;
END
$$;

-- Samples: the text of values. A domain without samples takes those of its base type that its checks let pass.
CREATE TABLE tr.sample (n int GENERATED ALWAYS AS IDENTITY, type text, value text);
CREATE FUNCTION tr.of(types text, VARIADIC v text[]) RETURNS void LANGUAGE sql AS $$
INSERT INTO tr.sample (type, value) SELECT s.type, x.value FROM regexp_split_to_table(types, ', ') WITH ORDINALITY AS s(type, n), unnest(v) WITH ORDINALITY AS x(value, n) ORDER BY s.n, x.n
$$;
\o /dev/null
SELECT tr.of('boolean', 't', 'f');
SELECT tr.of('smallint', '0', '-32768', '32767');
SELECT tr.of('integer', '0', '-2147483648', '2147483647');
SELECT tr.of('bigint', '0', '9007199254740991', '9007199254740992', '-9007199254740991', '-9007199254740993', '-9223372036854775808', '9223372036854775807');
SELECT tr.of('oid, xid, cid', '0', '26', '4294967295');
SELECT tr.of('xid8', '0', '18446744073709551615');
SELECT tr.of('tid', '(0,0)', '(4294967295,65535)');
SELECT tr.of('real', '0', '-0', '0.1', '3.4028235e38', '1e-45', 'NaN', 'Infinity', '-Infinity', '16777217', '0.30000001');
SELECT tr.of('double precision', '0', '-0', '0.1', '0.30000000000000004', '1.7976931348623157e308', '5e-324', '-1e-7', '9007199254740993', 'NaN', 'Infinity', '-Infinity');
SELECT tr.of('numeric', '0', '-0.00', '1.50', '0.1', '123456789012345', '1234567890123456', '0.1234567890123456', '-12345678901234567890.12345678901234567890', '1e40', '1e-20', '1e-310', '1e-400', '1e400', 'NaN', 'Infinity', '-Infinity');
SELECT tr.of('money', '0', '1234.5', '-0.01', '-92233720368547758.08', '92233720368547758.07');
SELECT tr.of('text, character varying, tr_ext.citext', '', ' ', '''', '"', '""', E'\\', E'\\\\"', E'a\tb\nc\rd\be\f', E'\u0001\u001f\u007f', E'\u00fc\u20ac\U0001F600\u2028', 'null', 'NULL', '{}', '{a,b}', '[1]', '(1,2)', '\x00', E'\\u0041', 'a,b;c', 'true', '1', repeat('long ', 50), 'eq.1');
SELECT tr.of('character', '', ' ', 'x', '"', E'\\', ',', E'\u00fc');
SELECT tr.of('name', '', 'id', 'Odd "name"', E'back\\slash', 'NULL', repeat('n', 63));
SELECT tr.of('"char"', '', 'a', '"', E'\\', ',', ' ', E'\\001', E'\\377');
SELECT tr.of('refcursor', '', 'c', '"<unnamed portal 1>"');
SELECT tr.of('bytea', '', E'\\x00', E'\\x5c', E'\\x5c7830', 'plain', E'\\xdeadbeefff', (SELECT E'\\x' || string_agg(lpad(to_hex(b), 2, '0'), '' ORDER BY b) FROM generate_series(0, 255) AS b));
SELECT tr.of('date', '2024-02-29', '01/02/2003', '0001-01-01 BC', '4714-11-24 BC', '5874897-12-31', '10000-01-01', 'infinity', '-infinity');
SELECT tr.of('time without time zone', '00:00', '24:00', '13:14:15.123456', '23:59:59.999999');
SELECT tr.of('time with time zone', '00:00+00', '24:00-15:59', '13:14:15.123456+05:30:15', '23:59:59.999999+15:59');
SELECT tr.of('timestamp without time zone', '2024-02-29 13:14:15.123456', '2003-02-01', '0044-03-15 12:00 BC', '4714-11-24 BC', '294276-12-31 23:59:59.999999', '10000-01-01', '2024-12-31 23:59:59.999999', 'infinity', '-infinity');
SELECT tr.of('timestamp with time zone', '2024-02-29 13:14:15.123456+02', '2003-02-01+00', '1880-01-01 00:00+00', '0044-03-15 12:00+00 BC', '4714-11-24 00:00+00 BC', '294276-12-31 23:59:59.999999+00', '2024-03-31 02:30+01', 'infinity', '-infinity');
SELECT tr.of('information_schema.time_stamp', '2024-02-29 13:14:15.126456+02', '0044-03-15 12:00+00 BC', 'infinity');
SELECT tr.of('interval', '0', '1 year 2 mons 3 days 04:05:06.7', '-1 year -2 mons +3 days -04:05:06.789012', '1 year -2 mons', '-1 day', '1 day -1 hour', '-0.000001 s', '178000000 years', '-178956970 years -7 mons -2147483647 days -2562047788:00:54.775807', '2147483647 days');
SELECT tr.of('interval', 'infinity', '-infinity') WHERE current_setting('server_version_num')::int >= 170000;
SELECT tr.of('uuid', '00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF');
SELECT tr.of('json', '{"z":1, "a" : 2,"a":3}', '[ 1, 2.50,1e400, 12345678901234567890.1 ]', '"text"', '"\\u00fc \\ud83d\\ude00 \"q\" \\\\ \n"', '12345678901234567890', '0.10', 'true', '{}', '[]', '[[1],[2,3]]', '[null]', '""', E'{"deep":\n\t{"er":[{}]}}');
SELECT tr.of('jsonb', '{"z":1, "a" : 2}', '[1, 2.50,1e100, 12345678901234567890.1]', '"text"', E'"\u00fc \\"q\\" \\\\ \\n"', '12345678901234567890', '0.10', '-0.0', 'true', '{}', '[]', '[[1],[2,3]]', '[null]', '""', '"null"', '"{}"');
SELECT tr.of('json[], jsonb[]', '{"null",NULL}', '{"[null]","[[1],2]"}', '{"[]"}', '{{"null"}}');
SELECT tr.of('jsonpath', '$', '$."a b"[*] ? (@.x > 1 && @.y like_regex "^\\d+$" flag "i")', 'strict $.a[0 to last].size()', '$.** ? (exists (@."\"q\""))');
SELECT tr.of('xml', '', 'text &lt; only', '<a b="c">d</a>', '<?xml version="1.1" standalone="yes"?><a/>', E'<a>\u00fc\U0001F600 "q" \\ </a>', '<a/><b/>', '<!DOCTYPE a><a/>', '<![CDATA[x]]>');
SELECT tr.of('bit, bit varying', '0', '1');
SELECT tr.of('bit varying', '', '10110', repeat('10', 40));
SELECT tr.of('inet', '10.0.0.1', '10.0.0.1/8', '::1', 'fe80::1/64', '::ffff:1.2.3.4', '0.0.0.0/0');
SELECT tr.of('cidr', '10.0.0.0/8', '10.0.0.1', '::/0', 'fe80::/64', '0.0.0.0/0');
SELECT tr.of('macaddr', '08:00:2b:01:02:03', 'FF-FF-FF-FF-FF-FF');
SELECT tr.of('macaddr8', '08:00:2b:01:02:03:04:05', '0800.2b01.0203');
SELECT tr.of('point', '(0,0)', '(-1.5,1e300)', '(NaN,Infinity)', '(0.1,0.30000000000000004)');
SELECT tr.of('line', '{1,-1,0}', '{0.1,-1,0.30000000000000004}');
SELECT tr.of('lseg', '[(0,0),(1,1)]', '[(0.1,-Infinity),(1,NaN)]');
SELECT tr.of('box', '(0,0),(1,1)', '(0.1,-Infinity),(1,2)');
SELECT tr.of('path', '[(0,0)]', '((0,0),(1,0.1),(1,1))', '[(0,0),(1,0.1),(1,1)]');
SELECT tr.of('polygon', '((0,0))', '((0,0),(1,0.1),(1,1))');
SELECT tr.of('circle', '<(0,0),0>', '<(0.1,-1),1e300>');
SELECT tr.of('tsvector', '', 'a fat cat', '''it''''s'':1A,2B ''back\\\\slash'':3 "q"', E'\u00fc:1,2,3', '''a b'' c');
SELECT tr.of('tsquery', '', 'cat', '!(''it''''s'' & fat:*AB) | a <2> b', E'''back\\\\slash'' & \u00fc');
SELECT tr.of('txid_snapshot, pg_snapshot', '1:1:', '10:20:10,14,15', '4294967396:4294967406:4294967397,4294967400');
SELECT tr.of('pg_lsn', '0/0', '16/B374D848', 'FFFFFFFF/FFFFFFFF');
SELECT tr.of('int2vector, oidvector', '', '1', '1 2 3');
SELECT tr.of('aclitem', '=r/postgres', 'postgres=arw*/postgres', '"regress odd,role"=r/postgres');
SELECT tr.of('regclass', '-', 'pg_class', 'tr.gone', '"odd "" t"."odd, \ T"', '4294967295');
SELECT tr.of('regtype', '-', 'integer', 'timestamp(3) with time zone', 'character varying[]', 'tr.mood', '4294967295');
SELECT tr.of('regproc', '-', 'now', 't.call', '4294967295');
SELECT tr.of('regprocedure', '-', 'now()', 'lower(text)', 't.call(text, jsonb)', '4294967295');
SELECT tr.of('regoper', '0', '||/', '4294967295');
SELECT tr.of('regoperator', '0', '+(integer,integer)', '||/(none,double precision)', '4294967295');
SELECT tr.of('regconfig', '-', 'simple', '4294967295');
SELECT tr.of('regdictionary', '-', 'simple', '4294967295');
SELECT tr.of('regnamespace', '-', 'pg_catalog', '"odd "" t"', '4294967295');
SELECT tr.of('regrole', '-', 'postgres', '"regress odd,role"', '4294967295');
SELECT tr.of('regcollation', '-', '"C"', '4294967295');
SELECT tr.of('int4range, int8range', 'empty', '[1,10)', '(,)', '(,5]', '[-2147483648,)', '(1,3]');
SELECT tr.of('int8range', '[9007199254740993,9223372036854775806]');
SELECT tr.of('numrange', 'empty', '[1.50,2.5]', '(,)', '(0.1,12345678901234567890.123)', '[NaN,NaN]', '(-Infinity,Infinity)');
SELECT tr.of('daterange', 'empty', '[2024-02-29,2024-03-01]', '(,)', '[0044-03-15 BC,infinity)', '(-infinity,)');
SELECT tr.of('tsrange', 'empty', '["2024-02-29 13:14:15.5","2024-03-01 00:00"]', '(,)', '["0044-03-15 BC",infinity)');
SELECT tr.of('tstzrange, tr.stamprange', 'empty', '["2024-02-29 13:14:15.5+02","2024-03-01 00:00+00"]', '(,)', '["0044-03-15 00:00+00 BC",infinity]');
SELECT tr.of('int4multirange, int8multirange', '{}', '{[1,3),[5,7)}', '{(,)}', '{(,1),[9,)}');
SELECT tr.of('nummultirange', '{}', '{[1.50,2.5],(3,12345678901234567890.123)}', '{(,)}');
SELECT tr.of('datemultirange', '{}', '{[2024-02-29,2024-03-01],[2025-01-01,infinity)}', '{(,)}');
SELECT tr.of('tsmultirange', '{}', '{["2024-02-29 13:14:15.5","2024-03-01 00:00"],["2025-01-01",infinity)}', '{(,)}');
SELECT tr.of('tstzmultirange, tr.stampmultirange', '{}', '{["2024-02-29 13:14:15.5+02","2024-03-01 00:00+00"],["2025-01-01 00:00+00",infinity)}', '{(,)}');
SELECT tr.of('tr.textrange', 'empty', '["","a""b"]', '["(",")")', '[",","\\\\"]', '(,"x y")', E'["{","\u00fc}"]');
SELECT tr.of('tr.textmultirange', '{}', '{["","a""b"],["c,{}","d\\\\"]}');
SELECT tr.of('tr.bytesrange', 'empty', '["\\x","\\xff00"]', '(,)');
SELECT tr.of('tr.bytesmultirange', '{}', '{["\\x","\\x00ff"],("\\x01",)}');
SELECT tr.of('tr.point3range', 'empty', '["(1,2.50,""a,b"")","(9007199254740993,,)"]', '(,)');
SELECT tr.of('tr.point3multirange', '{}', '{["(1,2.50,""a,b"")","(9007199254740993,,)"]}');
SELECT tr.of('tr.mood', 'sad', 'it''s "fine"', E'back\\slash', '', 'a,b', '{}', 'NULL', E'\u00fc\U0001F600');
SELECT tr.of('tr.some_ints', '{}', '{1,NULL,9007199254740993}', '[2:3]={1,2}', '{{1,2},{3,4}}');
SELECT tr.of('tr.moods', '{}', '{sad,NULL,"NULL","a,b"}');
SELECT tr.of('tr.point3, tr.point3d', '(,,)', '(1,2.50,label)', '(-9223372036854775808,12345678901234567890.12,"q"" \\ , () {} ")', '(9007199254740993,NaN,"")', '(,Infinity,null)');
SELECT tr.of('information_schema.yes_or_no', 'YES', 'NO');
SELECT tr.of('tr.gone', '(,)', '(9007199254740993,0.1)');
SELECT tr.of('tr.nothing', '()');
SELECT tr.of('tr_ext.vector, tr_ext.halfvec', '[1]', '[0.1,-2,3.5]');
SELECT tr.of('tr_ext.sparsevec', '{1:1}/1', '{1:0.5,3:-2}/5', '{}/3');
SELECT tr.of('tr_ext.hstore', '', 'a=>1', '"a b"=>"q\" \\ ,", n=>NULL, e=>""');
SELECT tr.of('tr_ext.ltree', '', 'Top.Science.a_1');
SELECT tr.of('tr_ext.lquery', 'Top.*', '*{1,2}.!a*@|b%.c');
SELECT tr.of('tr_ext.ltxtquery', 'Europe & Russia*@ & !Transportation');
SELECT tr.of('tr_ext.cube', '(0)', '(1, 2.5, -3)', '(0.1, 2),(3, 1e300)');
SELECT tr.of('tr_ext.earth', '(6378168, 0, 0)');
SELECT tr.of('tr_ext.seg', '5.0', '1.5 .. 2.50', '< 3', '6.5(+-)0.1');
SELECT tr.of('tr_ext.ean13, tr_ext.isbn13, tr_ext.isbn', '978-0-393-04002-9');
SELECT tr.of('tr_ext.issn, tr_ext.issn13', '977-1436-452-00-8');
SELECT tr.of('tr_ext.ismn, tr_ext.ismn13', '979-0-2600-0043-8');
SELECT tr.of('tr_ext.upc', '220356483481');
SELECT tr.of('tr_ext.query_int', '1', '1&(2|!3)');
INSERT INTO tr.sample (type, value) SELECT 'tr.mixed', (ROW('q" ,\', '\x00ff', '{"z":1, "a" : 1.50}', '[1, {"a": null}]', '{"1","[2]"}', '{1.50,NULL,12345678901234567890}', p.value, ARRAY[p.value, NULL],
    p.value, ARRAY[p.value], '{1,9007199254740993}', '{"{1}","{2,3}"}', 'NULL', '[1,9007199254740993)', '{"[0.1,2]",empty}', '{(1,1),(0,0);(2,2),(0.1,0)}', '{"\\x00",NULL}', '0.1', '2024-02-29 12:00+02', '1 day -1 hour', '$1,234.50')::tr.mixed)::text
  FROM (VALUES ('(9007199254740993,1234567890123456.50,"a,b")'::tr.point3)) AS p(value);
INSERT INTO tr.sample (type, value) SELECT 'tr.deep', (ROW(m.value::tr.mixed, ARRAY[m.value::tr.mixed, NULL], ROW()::tr.nothing)::tr.deep)::text FROM tr.sample AS m WHERE m.type = 'tr.mixed';
SELECT tr.of('tr.mixed', '(' || repeat(',', 20) || ')');
\o

CREATE TABLE tr.failure (n int GENERATED ALWAYS AS IDENTITY, settings text, type text, value text, json text, what text);
CREATE TABLE tr.baseline (type text, id int, json text, PRIMARY KEY (type, id));
CREATE TABLE tr.setting (pass text, name text, value text);

CREATE FUNCTION tr.samples(wanted oid) RETURNS text[] STABLE LANGUAGE plpgsql AS $$
DECLARE
    own text[] := (SELECT array_agg(s.value ORDER BY s.n) FROM tr.sample AS s WHERE to_regtype(s.type) = wanted);
    base oid := (SELECT t.typbasetype FROM pg_type AS t WHERE t.oid = wanted AND t.typtype = 'd');
    part text;
BEGIN
    IF own IS NOT NULL OR base IS NULL THEN
        RETURN own;
    END IF;
    FOREACH part IN ARRAY tr.samples(base) LOOP
        BEGIN
            EXECUTE format('SELECT %L::%s', part, format_type(wanted, -1));
            own := own || part;
        EXCEPTION WHEN check_violation OR numeric_value_out_of_range THEN
        END;
    END LOOP;
    RETURN own;
END
$$;
-- Array text of every shape, out of the samples of the element.
CREATE FUNCTION tr.arrays(element oid, samples text[]) RETURNS text[] STABLE LANGUAGE sql AS $$
SELECT ARRAY['{}', '{NULL}', format('{%s%sNULL}', string_agg(q.item, q.d ORDER BY q.n), q.d), format('{{%2$s%1$s%3$s}%1$s{NULL%1$s%2$s}}', q.d, q.first, q.last),
             format('[2:3]={%2$s%1$sNULL}', q.d, q.first), format('[-1:-1][5:6]={{NULL%1$s%2$s}}', q.d, q.first), format('{{{%s}}}', q.first)]
  FROM (SELECT t.typdelim AS d, x.n, x.item, first_value(x.item) OVER w AS first, last_value(x.item) OVER w AS last
          FROM pg_type AS t, LATERAL (SELECT u.n, '"' || replace(replace(u.value, '\', '\\'), '"', '\"') || '"' AS item FROM unnest(samples) WITH ORDINALITY AS u(value, n)) AS x
         WHERE t.oid = element
        WINDOW w AS (ORDER BY x.n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS q
 GROUP BY q.d, q.first, q.last
$$;
-- Row text: one row for each of the longest list of samples; the shorter ones begin again.
CREATE FUNCTION tr.rows(VARIADIC fields jsonb[]) RETURNS text[] STABLE LANGUAGE sql AS $$
SELECT array_agg(r.line ORDER BY r.i) || format('(%s)', repeat(',', array_length(fields, 1) - 1))
  FROM (SELECT i, '(' || string_agg('"' || replace(replace(f.list ->> (i % jsonb_array_length(f.list)), '\', '\\'), '"', '""') || '"', ',' ORDER BY f.n) || ')' AS line
          FROM unnest(fields) WITH ORDINALITY AS f(list, n), generate_series(0, (SELECT max(jsonb_array_length(l)) FROM unnest(fields) AS l) - 1) AS i
         GROUP BY i) AS r
$$;
CREATE FUNCTION tr.holds_json(type oid) RETURNS bool STABLE LANGUAGE sql AS $$
WITH RECURSIVE up(oid) AS (
    SELECT type UNION SELECT p.oid FROM up JOIN pg_type AS t ON t.oid = up.oid,
           LATERAL (SELECT t.typbasetype UNION SELECT t.typelem UNION SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0) AS p(oid))
SELECT EXISTS (SELECT FROM up WHERE up.oid IN ('json'::regtype, 'jsonb'::regtype))
$$;
-- What a client makes of it whose numbers are doubles.
CREATE FUNCTION tr.squeezed(j jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$
SELECT CASE jsonb_typeof(j)
    WHEN 'number' THEN CASE WHEN abs(j::numeric) BETWEEN 5e-324 AND 1.7976931348623157e308 THEN to_jsonb(j::float8) WHEN abs(j::numeric) < 1 THEN '0' ELSE 'null' END
    WHEN 'array' THEN coalesce((SELECT jsonb_agg(tr.squeezed(e.v) ORDER BY e.n) FROM jsonb_array_elements(j) WITH ORDINALITY AS e(v, n)), '[]')
    WHEN 'object' THEN coalesce((SELECT jsonb_object_agg(e.k, tr.squeezed(e.v)) FROM jsonb_each(j) AS e(k, v)), '{}')
    ELSE j END
$$;
-- A tool's answer, called by the listener under the settings of the pass.
CREATE FUNCTION tr.ask(pass text, tool text, args text) RETURNS text VOLATILE LANGUAGE plpgsql AS $$
DECLARE
    before text[];
    reply text;
    s record;
BEGIN
    FOR s IN SELECT * FROM tr.setting WHERE setting.pass = ask.pass LOOP
        before := before || ARRAY[s.name, current_setting(s.name)];
        PERFORM set_config(s.name, s.value, false);
    END LOOP;
    reply := (mcp.handle(concat('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"', tool, '","arguments":', args, '}}'), t.credential('a'), NULL)).body;
    FOR n IN 1 .. coalesce(array_length(before, 1), 0) / 2 LOOP
        PERFORM set_config(before[2 * n - 1], before[2 * n], false);
    END LOOP;
    RETURN CASE WHEN reply::json #>> '{result,isError}' = 'false' THEN reply::json #>> '{result,content,0,text}' ELSE '!' || coalesce(reply::json #>> '{result,content,0,text}', reply) END;
END
$$;
CREATE FUNCTION tr.fails(pass text, type text, value text, got text, what text) RETURNS void LANGUAGE sql AS $$
INSERT INTO tr.failure (settings, type, value, json, what) VALUES (pass, type, left(value, 300), left(got, 300), left(what, 400))
$$;

-- One column of one type: samples in by SQL, out by query_table, in again by insert_record, asked for by a filter.
CREATE PROCEDURE tr.check(pass text, shown text, type oid, literals text[]) LANGUAGE plpgsql AS $$
DECLARE
    literal text;
    answer text;
    comparable bool := true;
    listed bool := NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = type) AND tr.base(type) NOT IN (SELECT e.typarray FROM pg_type AS e);
    r record;
BEGIN
    EXECUTE format('CREATE TABLE tr.w (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, origin int, v %s)', format_type(type, -1));
    GRANT SELECT, INSERT ON tr.w TO authenticated;
    INSERT INTO tr.w (v) VALUES (NULL);
    FOREACH literal IN ARRAY literals LOOP
        BEGIN
            EXECUTE format('INSERT INTO tr.w (v) VALUES (%L)', literal);
        EXCEPTION WHEN OTHERS THEN
            PERFORM tr.fails(pass, shown, literal, NULL, 'the sample: ' || SQLERRM);
        END;
    END LOOP;
    BEGIN
        PERFORM w.v = w.v FROM tr.w AS w;
    EXCEPTION WHEN OTHERS THEN
        comparable := false;
    END;
    answer := tr.ask(pass, 'query_table', '{"table":"tr.w","select":"id,v","order":"id","limit":1000}');
    IF answer LIKE '!%' THEN
        PERFORM tr.fails(pass, shown, NULL, NULL, 'query_table: ' || answer);
        DROP TABLE tr.w;
        RETURN;
    END IF;
    CREATE TEMP TABLE got AS SELECT (e.row ->> 'id')::int AS id, (e.row -> 'v')::text AS json FROM json_array_elements(answer::json) AS e(row);
    IF (SELECT count(*) FROM got) <> (SELECT count(*) FROM tr.w) THEN
        PERFORM tr.fails(pass, shown, NULL, NULL, 'query_table: not all rows came');
    END IF;
    IF pass = '' THEN
        INSERT INTO tr.baseline SELECT shown, g.id, g.json FROM got AS g;
    ELSE
        PERFORM tr.fails(pass, shown, b.json, g.json, 'the JSON is not the same') FROM got AS g LEFT JOIN tr.baseline AS b ON b.type = shown AND b.id = g.id WHERE b.json IS DISTINCT FROM g.json;
    END IF;
    -- All of them in one call, as doubles in another; then, without foreign settings, one by one, and in filters.
    IF pass <> '' THEN
        answer := tr.ask(pass, 'insert_record', format('{"table":"tr.w","data":[%s],"returning":"none"}', (SELECT string_agg(format('{"origin":%s,"v":%s}', g.id, g.json), ',') FROM got AS g)));
        IF answer LIKE '!%' THEN
            PERFORM tr.fails(pass, shown, NULL, NULL, 'insert_record: ' || answer);
        END IF;
    ELSE
        IF NOT tr.holds_json(type) THEN
            answer := tr.ask(pass, 'insert_record', format('{"table":"tr.w","data":[%s],"returning":"none"}', (SELECT string_agg(format('{"origin":%s,"v":%s}', -g.id, tr.squeezed(g.json::jsonb)), ',') FROM got AS g)));
            IF answer LIKE '!%' THEN
                PERFORM tr.fails(pass, shown, NULL, NULL, 'as doubles: ' || answer);
            END IF;
        END IF;
        FOR r IN SELECT g.id, g.json, format('%L', w.v) AS value, w.v IS NOT DISTINCT FROM NULL AS absent FROM got AS g JOIN tr.w AS w USING (id) LOOP
            answer := tr.ask(pass, 'insert_record', format('{"table":"tr.w","data":{"origin":%s,"v":%s},"returning":"v"}', r.id, r.json));
            IF answer LIKE '!%' OR (answer::json -> 'v')::text <> r.json THEN
                PERFORM tr.fails(pass, shown, r.value, r.json, 'insert_record: ' || answer);
                CONTINUE;
            END IF;
            CONTINUE WHEN r.absent OR NOT comparable;
            answer := tr.ask(pass, 'query_table', format('{"table":"tr.w","select":"id","filter":{"v":{"eq":%s}},"limit":1000}', r.json));
            IF answer LIKE '!%this is a string that holds JSON%' THEN
                answer := tr.ask(pass, 'query_table', format('{"table":"tr.w","select":"id","filter":{"v":%s},"limit":1000}', to_json('eq.' || r.json)));
            END IF;
            IF answer LIKE '!%' OR (SELECT count(*) FROM json_array_elements(answer::json) AS e JOIN tr.w ON w.id = (e ->> 'id')::int WHERE r.id IN (w.id, w.origin)) < 2 THEN
                PERFORM tr.fails(pass, shown, r.value, r.json, 'eq: ' || answer);
            END IF;
        END LOOP;
        IF comparable AND listed THEN
            answer := tr.ask(pass, 'query_table', format('{"table":"tr.w","select":"id","filter":{"v":{"in":[%s]}},"limit":1000}', (SELECT string_agg(g.json, ',') FROM got AS g WHERE g.json <> 'null')));
            IF answer LIKE '!%' OR EXISTS (SELECT FROM tr.w WHERE w.origin > 0 AND w.v IS DISTINCT FROM NULL AND w.id NOT IN (SELECT (e ->> 'id')::int FROM json_array_elements(answer::json) AS e)) THEN
                PERFORM tr.fails(pass, shown, NULL, NULL, 'in: ' || answer);
            END IF;
        END IF;
    END IF;
    BEGIN
        -- The same text and the same bytes.
        PERFORM tr.fails(pass, shown, format('%L', o.v), g.json, format('came back as %L', c.v))
           FROM tr.w AS o JOIN tr.w AS c ON c.origin = o.id JOIN got AS g ON g.id = o.id
          WHERE format('%L', o.v) <> format('%L', c.v) OR NOT record_image_eq(ROW(o.v), ROW(c.v));
        IF comparable THEN
            PERFORM tr.fails(pass, shown, format('%L', o.v), g.json, format('from doubles as %L', c.v))
               FROM tr.w AS o JOIN tr.w AS c ON c.origin = -o.id JOIN got AS g ON g.id = o.id WHERE (o.v = c.v) IS NOT TRUE AND o.v IS DISTINCT FROM NULL;
        ELSE
            PERFORM tr.fails(pass, shown, format('%L', o.v), g.json, format('from doubles as %L', c.v))
               FROM tr.w AS o JOIN tr.w AS c ON c.origin = -o.id JOIN got AS g ON g.id = o.id WHERE format('%L', o.v) <> format('%L', c.v);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        PERFORM tr.fails(pass, shown, NULL, NULL, 'comparing: ' || SQLERRM);
    END;
    DROP TABLE got;
    DROP TABLE tr.w;
END
$$;
CREATE FUNCTION tr.base(type oid) RETURNS oid STABLE LANGUAGE sql AS $$
WITH RECURSIVE up(oid, base) AS (SELECT t.oid, t.typbasetype FROM pg_type AS t WHERE t.oid = type
    UNION ALL SELECT t.oid, t.typbasetype FROM up JOIN pg_type AS t ON t.oid = up.base)
SELECT up.oid FROM up WHERE up.base = 0
$$;

-- Pseudo-types, arrays (they are made below) and row types of the catalogs are left out; so are types whose input function takes no value at all.
CREATE PROCEDURE tr.walk(pass text) LANGUAGE plpgsql AS $$
DECLARE
    samples text[];
    arrays text[];
    name text;
    type oid;
    types oid[] := ARRAY(
        SELECT t.oid FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid
         WHERE t.typtype <> 'p' AND t.typisdefined AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = t.oid)
           AND (t.typtype <> 'c' OR c.relkind = 'c' OR t.oid = 'tr.gone'::regtype)
           AND (t.oid < 16384 OR t.typnamespace IN ('tr'::regnamespace, 'tr_ext'::regnamespace))
         ORDER BY t.oid);
BEGIN
    CREATE SCHEMA tr_made;
    GRANT USAGE ON SCHEMA tr_made TO authenticated;
    FOREACH type IN ARRAY types LOOP
        name := format_type(type, -1);
        samples := tr.samples(type);
        BEGIN
            EXECUTE format('SELECT %L::%s', coalesce(samples[1], ''), name);
            IF samples IS NULL THEN
                PERFORM tr.fails(pass, name, NULL, NULL, 'no sample');
            END IF;
        EXCEPTION
            -- "cannot accept a value of type", or a build without it (xml).
            WHEN feature_not_supported OR internal_error THEN CONTINUE;
            WHEN OTHERS THEN PERFORM tr.fails(pass, name, samples[1], NULL, 'no sample: ' || SQLERRM);
        END;
        CONTINUE WHEN samples IS NULL;
        arrays := tr.arrays(type, samples) || tr.samples(to_regtype(name || '[]'));
        EXECUTE format('CREATE DOMAIN tr_made.d AS %s', name);
        EXECUTE format('CREATE DOMAIN tr_made.da AS %s[]', name);
        EXECUTE format('CREATE TYPE tr_made.c AS (a %s, b %1$s[], d tr_made.d, ds tr_made.d[], da tr_made.da, das tr_made.da[])', name);
        CALL tr.check(pass, name, type, samples);
        CALL tr.check(pass, 'row of ' || name, to_regtype('tr_made.c'), tr.rows(to_jsonb(samples), to_jsonb(arrays), to_jsonb(samples), to_jsonb(arrays), to_jsonb(arrays), to_jsonb(tr.arrays(to_regtype('tr_made.da'), arrays))));
        IF pass = '' THEN
            CALL tr.check(pass, name || '[]', to_regtype(name || '[]'), arrays);
            CALL tr.check(pass, 'domain over ' || name, to_regtype('tr_made.d'), samples);
            CALL tr.check(pass, 'array of a domain over ' || name, to_regtype('tr_made.d[]'), arrays);
            CALL tr.check(pass, 'domain over ' || name || '[]', to_regtype('tr_made.da'), arrays);
            CALL tr.check(pass, 'array of a domain over ' || name || '[]', to_regtype('tr_made.da[]'), tr.arrays(to_regtype('tr_made.da'), arrays));
            CALL tr.check(pass, 'array of a row of ' || name, to_regtype('tr_made.c[]'), tr.arrays(to_regtype('tr_made.c'), tr.rows(to_jsonb(samples), to_jsonb(arrays), to_jsonb(samples), to_jsonb(arrays), to_jsonb(arrays), to_jsonb(tr.arrays(to_regtype('tr_made.da'), arrays)))));
        END IF;
        DROP TYPE tr_made.c;
        DROP DOMAIN tr_made.da;
        DROP DOMAIN tr_made.d;
        COMMIT;
    END LOOP;
    DROP SCHEMA tr_made;
END
$$;
SET search_path = "$user", public, tr_ext;
CALL tr.walk('');

-- Output settings of the session, as a listener's own role would bring them along, and of the caller's role.
INSERT INTO tr.setting VALUES
    ('session', 'DateStyle', 'German, DMY'), ('session', 'IntervalStyle', 'iso_8601'), ('session', 'TimeZone', 'Asia/Kolkata'), ('session', 'bytea_output', 'escape'),
    ('session', 'extra_float_digits', '-15'), ('session', 'xmloption', 'document'), ('session', 'xmlbinary', 'hex'), ('session', 'array_nulls', 'off'), ('session', 'quote_all_identifiers', 'on'),
    ('session', 'standard_conforming_strings', 'off'), ('session', 'escape_string_warning', 'off'), ('session', 'transform_null_equals', 'on'), ('session', 'default_text_search_config', 'german'),
    ('another', 'DateStyle', 'SQL, YMD'), ('another', 'IntervalStyle', 'sql_standard'), ('another', 'TimeZone', '<-0330>+03:30'), ('another', 'extra_float_digits', '0'), ('another', 'timezone_abbreviations', 'India'),
    ('another', 'backslash_quote', 'off'), ('another', 'search_path', ''),
    ('role', 'DateStyle', 'Postgres, DMY'), ('role', 'IntervalStyle', 'postgres_verbose'), ('role', 'TimeZone', 'America/St_Johns'), ('role', 'bytea_output', 'escape'), ('role', 'extra_float_digits', '-15'),
    ('role', 'xmloption', 'document'), ('role', 'array_nulls', 'off'), ('role', 'quote_all_identifiers', 'on'), ('role', 'standard_conforming_strings', 'off'), ('role', 'default_text_search_config', 'german');
-- A locale, if the machine has one.
DO $$
DECLARE
    locale text;
BEGIN
    FOREACH locale IN ARRAY '{de_DE.UTF-8,de_DE.utf8,fr_FR.UTF-8,fr_FR.utf8,en_IN.utf8,en_US.UTF-8,en_US.utf8,C.UTF-8,POSIX}'::text[] LOOP
        BEGIN
            PERFORM set_config('lc_monetary', locale, true), set_config('lc_numeric', locale, true), set_config('lc_time', locale, true);
            INSERT INTO tr.setting SELECT p.pass, n.name, locale FROM unnest('{session,role}'::text[]) AS p(pass), unnest('{lc_monetary,lc_numeric,lc_time}'::text[]) AS n(name);
            EXIT;
        EXCEPTION WHEN invalid_parameter_value THEN
        END;
    END LOOP;
END
$$;
CALL tr.walk('session');
CALL tr.walk('another');
DO $$
DECLARE
    s record;
BEGIN
    FOR s IN DELETE FROM tr.setting WHERE pass = 'role' RETURNING * LOOP
        EXECUTE format('ALTER ROLE authenticated SET %I = %L', s.name, s.value);
        EXECUTE format('ALTER ROLE authenticated IN DATABASE regression SET %I = %L', s.name, s.value);
    END LOOP;
END
$$;
CALL tr.walk('role');
ALTER ROLE authenticated RESET ALL;
ALTER ROLE authenticated IN DATABASE regression RESET ALL;

SELECT f.settings, f.type, f.value, f.json, f.what FROM tr.failure AS f ORDER BY f.n;
SELECT CASE WHEN count(*) = 0 THEN 'all types round-trip' ELSE 'failures: ' || count(*) END FROM tr.failure;
DROP SCHEMA tr, tr_ext, "odd "" t" CASCADE;
DROP ROLE "regress odd,role";
