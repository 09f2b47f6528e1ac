-- Every sample filter of describe_table runs as it stands, with rows and without, for tables of every base type.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA sam;
GRANT USAGE ON SCHEMA sam TO authenticated;
CREATE TYPE sam.mood AS ENUM ('so, so', 'good');
CREATE TYPE sam.plain_mood AS ENUM ('sad', 'good');
CREATE TYPE sam.pair AS (a int, b text);
CREATE DOMAIN sam.small AS int CHECK (VALUE < 5);
CREATE DOMAIN sam.smaller AS sam.small CHECK (VALUE < 4);
CREATE DOMAIN sam.short AS varchar(3);
CREATE DOMAIN sam.doc AS jsonb CHECK (VALUE ? 'a');
-- A collation that LIKE refuses, where Postgres is built with ICU.
DO $$
BEGIN
    CREATE COLLATION sam.no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXCEPTION WHEN feature_not_supported THEN
    CREATE COLLATION sam.no_case FROM "C";
END $$;
CREATE TABLE sam.orders (id int8 PRIMARY KEY, status sam.plain_mood NOT NULL, customer text, created_at timestamptz, price numeric(4, 3), active boolean, data jsonb);
CREATE TABLE sam.moods (m sam.mood, n sam.mood);
CREATE TABLE sam.numbers (a int2, b float4, c numeric(2, 2), d sam.smaller, e money, f oid, g regclass);
CREATE TABLE sam.texts (a char(2), b varchar(1), c sam.short, d name, f "char");
CREATE TABLE sam.no_like (e text COLLATE sam.no_case, n int);
CREATE TABLE sam.times (a date, b timestamp, c timestamptz, d time, e interval);
CREATE TABLE sam.documents (a json, b jsonb, c sam.doc, "x y" jsonb);
CREATE TABLE sam.one_point (p point);
CREATE TABLE sam.one_id (id int PRIMARY KEY);
CREATE TABLE sam.one_pair (p sam.pair);
CREATE TABLE sam.no_column ();
CREATE TABLE sam.words ("and" int, "or" text, "not" boolean);
-- Names that could be read as something else, each as a number, a text, and a document.
DO $$
DECLARE
    name text;
    type text;
BEGIN
    FOREACH name IN ARRAY ARRAY['and', 'or', 'not', 'a.b', 'a->b', 'a->>b', '"quoted"', '"', ' spaces ', 'ilike.%a%', U&'\+01F600', 'json"->', 'x!y', '*', '', 'A', 'a,b', '(a)', '::int', 'a:b'] LOOP
        FOREACH type IN ARRAY ARRAY['int', 'text', 'jsonb', 'point'] LOOP
            CONTINUE WHEN name = '';
            EXECUTE format('CREATE TABLE sam.%I (%I %s)', 'named ' || name || ' ' || type, name, type);
        END LOOP;
    END LOOP;
END $$;
CREATE VIEW sam.seen AS SELECT id, status, price * 2 AS doubled FROM sam.orders;
CREATE TEMP VIEW base_types AS SELECT oid FROM pg_type AS b
 WHERE typtype IN ('b', 'r', 'm') AND typnamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = b.oid AND e.typtype = 'c')
   AND typname !~ '^(pg_ddl|pg_node|pg_ndis|pg_dep|pg_mcv|pg_brin|_?aclitem$|_?gtsvector|_?cstring|_?record)';
CREATE TABLE sam.partly (secret text, id int, b boolean);
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE sam.everything (' || string_agg(format('c%s %s', oid, format_type(oid, NULL)), ', ') || ')'
               FROM base_types);
END $$;
-- One table for each base type, and for its array.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT format_type(oid, NULL) FROM base_types ORDER BY 1 LOOP
        EXECUTE format('CREATE TABLE sam.%I (x %s); INSERT INTO sam.%I VALUES (NULL)', 'of ' || name, name, 'of ' || name);
    END LOOP;
END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA sam TO authenticated;
REVOKE SELECT ON sam.partly FROM authenticated;
GRANT SELECT (id, b) ON sam.partly TO authenticated;

SELECT name, t.via('a', 'describe_table', jsonb_build_object('table', 'sam.' || name))::jsonb -> 'sample_filters'
  FROM unnest(ARRAY['orders', 'moods', 'numbers', 'texts', 'times', 'documents', 'one_point', 'one_id', 'one_pair', 'no_column', 'words', 'seen', 'partly']) AS name;

-- How many filters there are for how many tables, and each that gives no rows as an answer.
CREATE FUNCTION sam.run() RETURNS TABLE (of text, filter jsonb, answer text) LANGUAGE sql VOLATILE AS $$
SELECT l ->> 'name', f, t.via('a', 'query_table', jsonb_build_object('table', format('sam.%I', l ->> 'name'), 'filter', f))
  FROM jsonb_array_elements(t.via('a', 'list_tables', '{"schema": "sam", "limit": 1000}')::jsonb -> 'tables') AS l,
       jsonb_array_elements(t.via('a', 'describe_table', jsonb_build_object('table', format('sam.%I', l ->> 'name')))::jsonb -> 'sample_filters') AS f
$$;
CREATE TEMP TABLE ran AS SELECT * FROM sam.run();
SELECT count(*) > 150, min(n), max(n) FROM (SELECT count(*) AS n FROM ran GROUP BY of) AS x;
SELECT * FROM ran WHERE answer !~ '^\[';
INSERT INTO sam.orders VALUES (1, 'sad', 'Anna', '2026-02-03', 9.999, true, '{"a": 1}'), (20, 'good', 'Bob', '2025-02-03', NULL, false, '[]'), (21, 'good', NULL, NULL, NULL, NULL, NULL);
INSERT INTO sam.moods VALUES ('so, so', NULL), ('good', 'good');
INSERT INTO sam.numbers VALUES (20, 'NaN', 0.5, 3, '20', 30, 'pg_class');
INSERT INTO sam.numbers DEFAULT VALUES;
INSERT INTO sam.texts VALUES ('a', 'a', 'abc', 'a', 'a');
INSERT INTO sam.no_like VALUES ('a', 1);
INSERT INTO sam.texts DEFAULT VALUES;
INSERT INTO sam.times VALUES ('infinity', '2026-02-01', '-infinity', '12:00', '1 day');
INSERT INTO sam.times DEFAULT VALUES;
INSERT INTO sam.documents VALUES ('{"a": 1}', '[1]', '{"a": {}}', '"a"'), ('{"a": null}', '3', NULL, NULL);
INSERT INTO sam.words VALUES (20, 'a', true);
INSERT INTO sam.words DEFAULT VALUES;
INSERT INTO sam.one_pair VALUES (NULL), ((NULL, NULL)), ((1, NULL)), ((1, 'x'));
TRUNCATE ran;
INSERT INTO ran SELECT * FROM sam.run();
SELECT * FROM ran WHERE answer !~ '^\[';
SELECT * FROM ran WHERE of IN ('orders', 'moods', 'words', 'one_pair', 'documents') OR of ~ '->';
DROP TABLE ran;
DROP VIEW base_types;
DROP SCHEMA sam CASCADE;
