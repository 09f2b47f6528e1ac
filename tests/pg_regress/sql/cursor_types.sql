-- cursor_types: a cursor carries a value of any type that sorts, also of user types, whatever the session's output settings; and which tables have a cursor.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ct;
CREATE TYPE ct.state AS ENUM ('zero', 'one', 'two words');
CREATE DOMAIN ct.code AS text CHECK (VALUE <> 'forbidden');
CREATE TYPE ct.pair AS (a int, b text);
CREATE TYPE ct.span AS RANGE (subtype = int4);
CREATE TABLE ct.t (id int PRIMARY KEY, i2 int2, i8 int8, nu numeric, f4 float4, f8 float8, te text, vc varchar(9), ch char(4), na name, bo bool, by bytea, da date, ti time, tz timetz, ts timestamp, tsz timestamptz, iv interval, mo money, uu uuid,
                   ip inet, ci cidr, ma macaddr, bi bit(3), vb varbit, jb jsonb, ia int[], ta text[], ra int4range, mr int4multirange, en ct.state, co ct.code, pa ct.pair, sp ct.span, tv tsvector, oi oid, "with ""quote" text);
INSERT INTO ct.t VALUES
    (1, 1, 9007199254740993, 'NaN', 'NaN', 'NaN', 'a"b', 'x', 'ab', 'n', true, '\x00ff', '2024-01-31', '10:00', '10:00+02', '2024-01-31 10:00:00.000001', '2024-01-31 10:00:00.000001Z', '1 day -02:00', 1.5, '11111111-1111-4111-8111-111111111111', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '101', '1', '{"a": [1, "x"]}', '{1,NULL,3}', '{"a,b",NULL}', '[1,5)', '{[1,2),[5,6)}', 'two words', 'a b', '(1,"x,y")', '[1,3)', 'cat:1', 4000000000, 'x'),
    (2, -1, -9007199254740993, 1e-20, 0.1, 0.1, 'a\b', 'y', 'ab', 'm', false, '\x', 'infinity', '23:59:59.999999', '10:00-02', 'infinity', '-infinity', '-1 mon', -1.5, '22222222-2222-4222-8222-222222222222', '10.0.0.1', '10.0.0.0/16', '08:00:2b:01:02:04', '100', '1010', '[]', '{}', '{}', 'empty', '{}', 'zero', '', '(1,)', 'empty', '', 1, 'x'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 1, 1, 0.1, 0.30000001, 0.30000000000000004, E'a\nb''', '', '', 'n', true, '\x27', '0044-03-15 BC', '10:00', '10:00+02', '2024-12-01 00:00', '2024-12-01 00:00+13', '1 mon', 0, '11111111-1111-4111-8111-111111111111', '::1', '::/0', '08:00:2b:01:02:03', '101', '', 'null', '{1,2}', '{""}', '[,)', '{(,)}', 'one', 'NULL', '(,)', '[3,)', 'dog', 2, '''; --'),
    (5, 0, 2, 1e20, 'Infinity', '-Infinity', E'Zo\u00eb', 'x', 'b', 'NULL', NULL, '\x5c', '2024-02-01', '00:00', '00:00Z', '2024-02-01', '2024-02-01 00:00Z', '00:00:00.5', 1000, NULL, '255.255.255.255', '0.0.0.0/0', 'ff:ff:ff:ff:ff:ff', '000', '0', '1', '{{1,2},{3,4}}', '{NULL}', '(,5)', '{[1,9)}', 'one', 'b', '(2,a)', '[1,2)', 'a b', 3, NULL);
GRANT USAGE ON SCHEMA ct TO authenticated;
GRANT SELECT ON ct.t TO authenticated;
CREATE FUNCTION ct.page(args jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT coalesce(body::jsonb #> '{result,structuredContent}', to_jsonb(t.shown(body::jsonb)))
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', 'query_table', 'arguments', args))::text, t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}')
$$;
CREATE FUNCTION ct.walk(tab text, key text, o text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    args jsonb := jsonb_build_object('table', tab, 'select', key, 'order', o, 'limit', 1);
    page jsonb;
    ids text := '';
BEGIN
    FOR n IN 1 .. 12 LOOP
        page := ct.page(args);
        IF jsonb_typeof(page) <> 'object' THEN RETURN page #>> '{}'; END IF;
        ids := ids || ' ' || (page #>> '{rows,0,id}');
        IF NOT page ? 'next_cursor' THEN RETURN ltrim(ids) || CASE WHEN (page -> 'has_more')::bool THEN ' and no cursor' ELSE '' END; END IF;
        args := args || jsonb_build_object('cursor', page -> 'next_cursor');
    END LOOP;
    RETURN 'no end: ' || ids;
END
$$;
-- For each column the walk up and down, and whether it is what ORDER BY gives.
CREATE FUNCTION ct.columns() RETURNS TABLE (type text, up text, down text, right_order bool) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    c record;
    wanted text;
    backwards text;
BEGIN
    FOR c IN SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS shown FROM pg_attribute AS a WHERE a.attrelid = 'ct.t'::regclass AND a.attnum > 0 ORDER BY a.attnum LOOP
        EXECUTE format('SELECT string_agg(id::text, '' '' ORDER BY %I, id), string_agg(id::text, '' '' ORDER BY %1$I DESC, id) FROM ct.t', c.attname) INTO wanted, backwards;
        type := c.shown;
        up := ct.walk('ct.t', 'id', quote_ident(c.attname));
        down := ct.walk('ct.t', 'id', quote_ident(c.attname) || '.desc');
        right_order := up = wanted AND down = backwards;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT * FROM ct.columns();
-- Output settings that would lose digits or be read otherwise change nothing.
SET extra_float_digits = -10;
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET bytea_output = 'escape';
SET TimeZone = 'Asia/Kolkata';
SELECT count(*), array_agg(type) FILTER (WHERE right_order IS NOT TRUE) FROM ct.columns();
RESET extra_float_digits;
RESET DateStyle;
RESET IntervalStyle;
RESET bytea_output;
RESET TimeZone;
-- Two keys of different types and directions.
SELECT o, ct.walk('ct.t', 'id', o) FROM unnest(ARRAY['bo,nu.desc', 'en.desc,ts', 'vc.desc.nullslast,co.desc', 'pa,iv', 'tsz.desc,uu']) AS o;

-- A cursor needs a key that is never null and that the caller may read.
CREATE TABLE ct.nokey (id int, n int);
CREATE TABLE ct.ukey (id int NOT NULL UNIQUE, n int);
CREATE TABLE ct.nullkey (id int UNIQUE, n int);
CREATE TABLE ct.partialkey (id int NOT NULL, n int);
CREATE UNIQUE INDEX ON ct.partialkey (id) WHERE id > 0;
CREATE TABLE ct.twokey (id int, x int, n int, PRIMARY KEY (x, id));
CREATE TABLE ct.hiddenkey (k int PRIMARY KEY, id int, n int);
CREATE TABLE ct.latekey (id int NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED, n int);
CREATE TABLE ct.enumkey (id ct.state PRIMARY KEY, n int);
CREATE TABLE ct.domainkey (id ct.code PRIMARY KEY, n int);
CREATE TABLE ct.parts (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE ct.parts1 PARTITION OF ct.parts FOR VALUES FROM (0) TO (3);
CREATE TABLE ct.parts2 PARTITION OF ct.parts FOR VALUES FROM (3) TO (9);
INSERT INTO ct.nokey SELECT g, 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.ukey SELECT g, 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.nullkey SELECT g, 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.partialkey SELECT g, 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.twokey SELECT g, 5 - g / 2, 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.hiddenkey SELECT g, g, 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.latekey SELECT g, 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.enumkey SELECT s, 1 FROM unnest(enum_range(NULL::ct.state)) AS s;
INSERT INTO ct.domainkey SELECT chr(96 + g), 1 FROM generate_series(1, 4) AS g;
INSERT INTO ct.parts SELECT g, 1 FROM generate_series(1, 4) AS g;
CREATE VIEW ct.seen AS SELECT * FROM ct.ukey;
CREATE MATERIALIZED VIEW ct.stored AS SELECT * FROM ct.ukey;
GRANT SELECT ON ALL TABLES IN SCHEMA ct TO authenticated;
REVOKE SELECT ON ct.hiddenkey FROM authenticated;
GRANT SELECT (id, n) ON ct.hiddenkey TO authenticated;
SELECT x, ct.page(jsonb_build_object('table', 'ct.' || x, 'select', 'id', 'order', 'n', 'limit', 1)) ? 'next_cursor', CASE WHEN x !~ 'nokey|null|partial|hidden|late|seen|stored' THEN ct.walk('ct.' || x, 'id', 'n') END, CASE WHEN x !~ 'nokey|null|partial|hidden|late|seen|stored' THEN ct.walk('ct.' || x, 'id', 'n.desc,id.desc') END
  FROM unnest(ARRAY['nokey', 'ukey', 'nullkey', 'partialkey', 'twokey', 'hiddenkey', 'latekey', 'enumkey', 'domainkey', 'parts', 'seen', 'stored']) AS x;
SELECT x, t.via('a', 'query_table', jsonb_build_object('table', 'ct.' || x, 'order', 'n', 'cursor', 'WyIwIixbXV0')) FROM unnest(ARRAY['nokey', 'hiddenkey', 'seen']) AS x;
-- Without an order there is none, and the text answer has it as a note where pages were asked for.
SELECT ct.page('{"table": "ct.ukey", "limit": 1}'), t.via('a', 'query_table', '{"table": "ct.ukey", "cursor": "WyIwIixbXV0"}'), regexp_replace(t.via('a', 'query_table', '{"table": "ct.ukey", "order": "n", "limit": 1, "cursor": ""}'), 'next_cursor: [A-Za-z0-9_-]+$', 'next_cursor: (cursor)');
SELECT t.via('a', 'query_table', '{"table": "ct.ukey", "order": "n", "limit": 1}');
DROP SCHEMA ct CASCADE;
