-- The relations of a table as describe_table tells them: both ways, through junctions, and only those that the caller may use.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA rel;
CREATE SCHEMA rel_closed;
CREATE SCHEMA rel_hidden;
SET search_path = rel, public;
CREATE TABLE people (id int PRIMARY KEY, boss int REFERENCES people, mentor_id int UNIQUE REFERENCES people, name text, passport text UNIQUE);
CREATE TABLE books (id int8 PRIMARY KEY, author_id int REFERENCES people, editor_id int REFERENCES people, owner_passport text REFERENCES people (passport), title text);
CREATE TABLE covers (book int8 PRIMARY KEY REFERENCES books, image text);
CREATE TABLE tags (tag text PRIMARY KEY);
-- A junction, with columns of its own; one by a unique constraint; one of a table with itself.
CREATE TABLE book_tags (book int8 REFERENCES books, tag text REFERENCES tags, added timestamptz, PRIMARY KEY (book, tag));
CREATE TABLE readings (id int PRIMARY KEY, book int8 REFERENCES books, person int REFERENCES people, UNIQUE (person, book));
CREATE TABLE friends (a int REFERENCES people, b int REFERENCES people, PRIMARY KEY (a, b));
-- No junctions: no key over both; only an index, only partly unique; a key of a table to itself.
CREATE TABLE loans (book int8 REFERENCES books, person int REFERENCES people, at date, PRIMARY KEY (book, at));
CREATE TABLE partly (tag text REFERENCES tags, person int REFERENCES people);
CREATE UNIQUE INDEX ON partly (tag, person) WHERE person > 0;
-- Unique by an index, but not for every row, not at once, or by an expression.
CREATE TABLE many_a (person int REFERENCES people);
CREATE UNIQUE INDEX ON many_a (person) WHERE person > 0;
CREATE TABLE many_b (person int REFERENCES people UNIQUE DEFERRABLE);
CREATE TABLE many_c (person int REFERENCES people);
CREATE UNIQUE INDEX ON many_c ((person + 0));
CREATE TABLE one_a (person int REFERENCES people, more int);
CREATE UNIQUE INDEX ON one_a (person) INCLUDE (more);
-- Composite keys, the other way round than the table's columns; part of one is unique.
CREATE TABLE rooms (house int, room text, size int, PRIMARY KEY (room, house));
CREATE TABLE beds (room text, house int, bed int, FOREIGN KEY (house, room) REFERENCES rooms (house, room), PRIMARY KEY (house, room, bed));
CREATE TABLE doors (room text, house int UNIQUE, FOREIGN KEY (room, house) REFERENCES rooms);
-- Partitions: the keys are the partitioned table's.
CREATE TABLE visits (id int, book int8 REFERENCES books, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (1000);
CREATE TABLE notes (visit int REFERENCES visits);
-- Names that must be quoted, and equal names in two schemas.
CREATE TABLE "odd. ""name""" (id int PRIMARY KEY, "a->b" int REFERENCES people);
CREATE TABLE rel_closed.tags (id int PRIMARY KEY, rel_tag text REFERENCES tags);
-- Beyond what is open: another schema, a hidden one as the other end and as the junction.
CREATE TABLE rel_closed.things (id int REFERENCES people);
CREATE TABLE rel_hidden.things (id int REFERENCES people);
CREATE TABLE rel_hidden.people_tags (person int REFERENCES people, tag text REFERENCES tags, PRIMARY KEY (person, tag));
-- An operator between two types.
CREATE TABLE wide (id numeric PRIMARY KEY);
CREATE TABLE narrow (wide int8 REFERENCES wide);
RESET search_path;
GRANT USAGE ON SCHEMA rel, rel_hidden TO authenticated, service_role;
GRANT USAGE ON SCHEMA rel_closed TO service_role;
GRANT SELECT ON ALL TABLES IN SCHEMA rel, rel_closed, rel_hidden TO authenticated, service_role;
REVOKE SELECT ON rel.people FROM authenticated;
GRANT SELECT (id, boss, mentor_id, name) ON rel.people TO authenticated;
SET mcp.hidden_schemas = 'auth, storage, functions, jobs, rpc, ai, mcp, rel_hidden';

CREATE FUNCTION t.relations(key text, named text) RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
SELECT concat_ws(' ', r ->> 'select', 'to', r ->> 'to', '=', (r ->> 'schema') || '.' || (r ->> 'table'), 'on ' || (r ->> 'on'), 'through ' || (r ->> 'through'))
  FROM jsonb_array_elements(t.via(key, 'describe_table', jsonb_build_object('table', named))::jsonb -> 'relations') AS r
$$;
SELECT * FROM t.relations('a', 'rel.people');
SELECT * FROM t.relations('a', 'rel.books');
SELECT * FROM t.relations('a', 'rel.covers');
SELECT * FROM t.relations('a', 'rel.tags');
SELECT * FROM t.relations('a', 'rel.book_tags');
SELECT * FROM t.relations('a', 'rel.readings');
SELECT * FROM t.relations('a', 'rel.friends');
SELECT * FROM t.relations('a', 'rel.loans');
SELECT * FROM t.relations('a', 'rel.rooms');
SELECT * FROM t.relations('a', 'rel.beds');
SELECT * FROM t.relations('a', 'rel.doors');
SELECT * FROM t.relations('a', 'rel.visits');
SELECT * FROM t.relations('a', 'rel.visits_1');
SELECT * FROM t.relations('a', 'rel."odd. ""name"""');
SELECT * FROM t.relations('a', 'rel.narrow');
-- The service key reads every column and the hidden schema.
SELECT * FROM t.relations('service', 'rel.people') EXCEPT SELECT * FROM t.relations('a', 'rel.people') ORDER BY 1;
SELECT * FROM t.relations('service', 'rel.tags') EXCEPT SELECT * FROM t.relations('a', 'rel.tags') ORDER BY 1;
-- Every text can be pasted, one by one and all at once.
SELECT k, name, t.via(k, 'query_table', jsonb_build_object('table', name, 'limit', 1, 'select', r ->> 'select'))
  FROM unnest(ARRAY['a', 'service']) AS k, unnest(ARRAY['rel.people', 'rel.books', 'rel.tags', 'rel.rooms', 'rel.friends', 'rel."odd. ""name"""']) AS name,
       jsonb_array_elements(t.via(k, 'describe_table', jsonb_build_object('table', name))::jsonb -> 'relations') AS r
 WHERE t.via(k, 'query_table', jsonb_build_object('table', name, 'limit', 1, 'select', r ->> 'select')) <> '[]';
SELECT k, name, t.via(k, 'query_table', jsonb_build_object('table', name, 'limit', 1, 'select', '*,' || string_agg(r ->> 'select', ',')))
  FROM unnest(ARRAY['a', 'service']) AS k, unnest(ARRAY['rel.people', 'rel.books', 'rel.tags', 'rel.rooms', 'rel.friends', 'rel."odd. ""name"""']) AS name,
       jsonb_array_elements(t.via(k, 'describe_table', jsonb_build_object('table', name))::jsonb -> 'relations') AS r
 GROUP BY k, name ORDER BY k, name;
-- What changes elsewhere is seen by the next call. A column at the other end:
SELECT * FROM t.relations('a', 'rel.covers');
REVOKE SELECT ON rel.books FROM authenticated;
SELECT * FROM t.relations('a', 'rel.covers');
GRANT SELECT (title) ON rel.books TO authenticated;
SELECT * FROM t.relations('a', 'rel.covers');
GRANT SELECT (id) ON rel.books TO authenticated;
SELECT * FROM t.relations('a', 'rel.covers');
GRANT SELECT ON rel.books TO authenticated;
-- One column of a key of two:
REVOKE SELECT ON rel.beds FROM authenticated;
GRANT SELECT (house, bed) ON rel.beds TO authenticated;
SELECT * FROM t.relations('a', 'rel.rooms');
GRANT SELECT (room) ON rel.beds TO authenticated;
SELECT * FROM t.relations('a', 'rel.rooms');
-- The junction, its far key, and the key over both:
CREATE VIEW rel.tag_relations AS SELECT * FROM t.relations('a', 'rel.tags') AS r WHERE r ~ 'book_tags';
SELECT * FROM rel.tag_relations;
REVOKE SELECT ON rel.book_tags FROM authenticated;
SELECT * FROM rel.tag_relations;
GRANT SELECT (tag) ON rel.book_tags TO authenticated;
SELECT * FROM rel.tag_relations;
GRANT SELECT ON rel.book_tags TO authenticated;
ALTER TABLE rel.book_tags DROP CONSTRAINT book_tags_pkey;
SELECT * FROM rel.tag_relations;
ALTER TABLE rel.book_tags ADD UNIQUE (tag, book, added);
SELECT * FROM rel.tag_relations;
ALTER TABLE rel.book_tags DROP CONSTRAINT book_tags_book_fkey;
SELECT * FROM rel.tag_relations;
ALTER TABLE rel.book_tags ADD FOREIGN KEY (book) REFERENCES rel.books;
SELECT * FROM rel.tag_relations;
ALTER TABLE rel.books RENAME TO volumes;
SELECT * FROM rel.tag_relations;
ALTER TABLE rel.volumes RENAME COLUMN id TO number;
SELECT * FROM t.relations('a', 'rel.covers');
ALTER TABLE rel.volumes RENAME COLUMN number TO id;
ALTER TABLE rel.volumes RENAME TO books;
-- A unique index that comes and goes, a table that comes and goes, a partition that is detached.
SELECT * FROM t.relations('a', 'rel.wide');
CREATE UNIQUE INDEX narrow_wide ON rel.narrow (wide);
SELECT * FROM t.relations('a', 'rel.wide');
DROP INDEX rel.narrow_wide;
SELECT * FROM t.relations('a', 'rel.wide');
CREATE TABLE rel.new_one (wide numeric REFERENCES rel.wide);
GRANT SELECT ON rel.new_one TO authenticated;
SELECT * FROM t.relations('a', 'rel.wide');
DROP TABLE rel.new_one;
SELECT * FROM t.relations('a', 'rel.wide');
ALTER TABLE rel.visits DETACH PARTITION rel.visits_1;
SELECT * FROM t.relations('a', 'rel.visits_1');
ALTER TABLE rel.visits ATTACH PARTITION rel.visits_1 FOR VALUES FROM (0) TO (1000);
SELECT * FROM t.relations('a', 'rel.visits_1');
-- Schemas and settings.
GRANT USAGE ON SCHEMA rel_closed TO authenticated;
SELECT * FROM t.relations('a', 'rel.tags');
REVOKE USAGE ON SCHEMA rel_closed FROM authenticated;
SET mcp.hidden_schemas = 'mcp';
SELECT * FROM t.relations('a', 'rel.tags');
SET mcp.hidden_schemas = 'mcp, rel_hidden';
SELECT * FROM t.relations('a', 'rel.tags');
RESET mcp.hidden_schemas;
-- A role's membership (authenticated inherits nothing).
GRANT USAGE ON SCHEMA rel TO regress_app;
GRANT SELECT ON rel.wide TO regress_app;
GRANT SELECT ON rel.narrow TO regress_sibling;
SET ROLE regress_app;
SELECT t.call('describe_table', '{"table": "rel.wide"}')::jsonb -> 'relations';
RESET ROLE;
GRANT regress_sibling TO regress_app;
SET ROLE regress_app;
SELECT t.call('describe_table', '{"table": "rel.wide"}')::jsonb -> 'relations';
RESET ROLE;
REVOKE regress_sibling FROM regress_app;
SET ROLE regress_app;
SELECT t.call('describe_table', '{"table": "rel.wide"}')::jsonb -> 'relations';
RESET ROLE;
DROP FUNCTION t.relations CASCADE;
DROP SCHEMA rel, rel_closed, rel_hidden CASCADE;
