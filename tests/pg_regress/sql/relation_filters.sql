-- relation_filters: a filter on related rows finds what EXISTS finds; several keys of one relation speak of one row, groups of any; also for update and delete.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA rf;
CREATE TABLE rf.people (id int PRIMARY KEY, name text, info jsonb, boss int REFERENCES rf.people);
CREATE TABLE rf.books (id int PRIMARY KEY, author int REFERENCES rf.people, title text, year int);
CREATE TABLE rf.tags (id int PRIMARY KEY, name text);
CREATE TABLE rf.book_tags (book int REFERENCES rf.books ON DELETE CASCADE, tag int REFERENCES rf.tags, PRIMARY KEY (book, tag));
CREATE TABLE rf."odd.name" (id int PRIMARY KEY, who int REFERENCES rf.people, "a.b" int);
INSERT INTO rf.people VALUES (1, 'Ann', '{"age": 9}', NULL), (2, 'Bob', '{"age": 10}', 1), (3, 'Cid', NULL, 1), (4, 'Dan', NULL, 2);
INSERT INTO rf.books VALUES (1, 1, 'red', 2000), (2, 1, 'blue', 2010), (3, 2, 'red', 2010), (4, NULL, 'lost', NULL);
INSERT INTO rf.tags VALUES (1, 'old'), (2, 'new');
INSERT INTO rf.book_tags VALUES (1, 1), (2, 2), (3, 1), (3, 2);
INSERT INTO rf."odd.name" VALUES (1, 3, 7);
GRANT USAGE ON SCHEMA rf TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rf TO authenticated;
CREATE FUNCTION rf.found(tab text, filter jsonb, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    got text := t.via('a', 'query_table', jsonb_build_object('table', 'rf.' || tab, 'select', 'id', 'filter', filter, 'order', 'id'));
    wanted text;
BEGIN
    IF got NOT LIKE '[%' THEN RETURN got; END IF;
    EXECUTE format('SELECT coalesce(string_agg(t.id::text, '','' ORDER BY t.id), ''-'') FROM rf.%I AS t WHERE %s', tab, condition) INTO wanted;
    SELECT coalesce(string_agg(r ->> 'id', ','), '-') INTO got FROM jsonb_array_elements(got::jsonb) AS r;
    RETURN got || CASE WHEN got <> wanted THEN ' DIFFERS from ' || wanted ELSE '' END;
END
$$;
SELECT c.filter, rf.found('people', c.filter, c.condition)
  FROM (VALUES
    ('{"books.title": "eq.red"}'::jsonb, 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''red'')'),
    -- One and the same book: Bob's. Two groups: also Ann, who has a red one and one of 2010.
    ('{"books.title": "eq.red", "books.year": 2010}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''red'' AND year = 2010)'),
    ('{"and": [{"books.title": "eq.red"}, {"books.year": 2010}]}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''red'') AND EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND year = 2010)'),
    ('{"or": {"books.title": "eq.blue", "books.year": 2010}}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND (title = ''blue'' OR year = 2010))'),
    ('{"or": [{"books.title": "eq.blue"}, {"id": 3}]}', 'id = 3 OR EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''blue'')'),
    ('{"not": {"books.title": "eq.blue"}}', 'NOT EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''blue'')'),
    ('{"not": {"books.title": "eq.red", "books.year": 2010}}', 'NOT EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''red'' AND year = 2010)'),
    ('{"books.title": "neq.red"}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title <> ''red'')'),
    ('{"books.title": "not.eq.red"}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND NOT title = ''red'')'),
    ('{"books.year": {"gt": 1999, "lt": 2005}}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND year > 1999 AND year < 2005)'),
    ('{"books.year": "in.(2010)", "id": "lt.2"}', 'id < 2 AND EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND year = 2010)'),
    ('{"books": null}', 'NOT EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id)'), ('{"books": "is.null"}', 'NOT EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id)'), ('{"books": "isnot.null"}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id)'), ('{"books": "not.is.null"}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id)'),
    ('{"not": {"books": null}}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id)'), ('{"or": [{"books": null}, {"books.title": "eq.blue"}]}', 'NOT EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id) OR EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''blue'')'),
    ('{"books.tags.name": "eq.new"}', 'EXISTS (SELECT FROM rf.books AS b JOIN rf.book_tags AS x ON x.book = b.id JOIN rf.tags AS g ON g.id = x.tag WHERE b.author = t.id AND g.name = ''new'')'),
    ('{"books.tags.name": "eq.new", "books.title": "eq.red"}', 'EXISTS (SELECT FROM rf.books AS b JOIN rf.book_tags AS x ON x.book = b.id JOIN rf.tags AS g ON g.id = x.tag WHERE b.author = t.id AND g.name = ''new'' AND title = ''red'')'),
    ('{"books.tags": null}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND NOT EXISTS (SELECT FROM rf.book_tags AS x WHERE x.book = b.id))'),
    ('{"books.or": [{"title": "eq.blue"}, {"year": 2010}]}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND (title = ''blue'' OR year = 2010))'),
    ('{"books.not": {"title": "eq.red"}}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND NOT title = ''red'')'), ('{"books.and": [{"title": "eq.red"}, {"year": 2010}], "books.id": "gt.1"}', 'EXISTS (SELECT FROM rf.books AS b WHERE b.author = t.id AND title = ''red'' AND year = 2010 AND b.id > 1)'),
    -- A constraint's name, and hints, where the table's name means several.
    ('{"people_boss_fkey.name": "eq.Ann"}', 't.id IN (2, 3)'), ('{"people!boss.name": "eq.Bob"}', 't.id = 1'), ('{"people!boss": null}', 't.id IN (3, 4)'), ('{"books!author.title": "eq.blue"}', 't.id = 1'), ('{"people!boss.books.title": "eq.red"}', 't.id = 1'), ('{"\"books\"!\"author\".title": "eq.blue"}', 't.id = 1'), ('{"books!books_author_fkey.title": "eq.blue"}', 't.id = 1'),
    ('{"\"odd.name\".\"a.b\"": 7}', 't.id = 3'), ('{"\"odd.name\".id": 1}', 't.id = 3'), ('{"rf.books.title": "eq.blue"}', 't.id = 1'), ('{"\"rf\".\"books\".\"title\"": "eq.blue"}', 't.id = 1'), ('{"\"odd.name\"": "isnot.null"}', 't.id = 3'), ('{"rf.books": null}', 't.id IN (3, 4)')) AS c(filter, condition);
SELECT c.filter, rf.found('books', c.filter, c.condition)
  FROM (VALUES ('{"people.name": "eq.Ann"}'::jsonb, 't.author = 1'), ('{"author.name": "eq.Ann"}', 't.author = 1'), ('{"author": 1}', 't.author = 1'), ('{"author": null}', 't.author IS NULL'), ('{"people": null}', 't.author IS NULL'), ('{"author.info->age": {"gt": 9}}', 't.author = 2'), ('{"people.info->>age": "eq.9"}', 't.author = 1'), ('{"author.boss": 1}', 't.author = 2'), ('{"author.books.title": "eq.blue"}', 't.author = 1'),
               ('{"tags.name": "eq.old"}', 't.id IN (1, 3)'), ('{"and": [{"tags.name": "eq.old"}, {"tags.name": "eq.new"}]}', 't.id = 3'), ('{"tags.name": {"eq": "old", "neq": "old"}}', 'false'), ('{"tags": null}', 't.id = 4'), ('{"book_tags.tag": 2}', 't.id IN (2, 3)'), ('{"book_tags.tags.name": "eq.new"}', 't.id IN (2, 3)'), ('{"not": {"tags.name": "eq.new"}}', 't.id IN (1, 4)')) AS c(filter, condition);
-- Errors.
SELECT f, rf.found('people', f, 'true')
  FROM unnest(ARRAY['{"boks.title": "eq.red"}', '{"books.titel": "eq.red"}', '{"books": 5}', '{"books": "eq.1"}', '{"books": {"title": "eq.red"}}', '{"books": true}', '{"books.": 1}', '{".title": 1}', '{"books.title.x": 1}', '{"books.tags": "eq.new"}', '{"books.tags.nme": "eq.new"}', '{"books.year": "eq.soon"}', '{"people.name": "eq.Ann"}', '{"boss!people.name": "eq.Ann"}', '{"books!nothing.title": "eq.red"}', '{"books(title)": "eq.red"}', '{"other.books.title": "eq.red"}', '{"pg_class.relname": "eq.x"}', '{"books.title": "red"}', '{"tags.name": "eq.old"}']::jsonb[]) AS f;
-- update and delete by related rows; what was found is what is touched.
SELECT t.via('a', 'update_record', '{"table": "rf.books", "data": {"title": "Ann''s"}, "filter": {"author.name": "eq.Ann", "tags.name": "eq.old"}, "returning": "id"}');
SELECT t.via('a', 'update_record', '{"table": "rf.people", "data": {"name": "no books"}, "filter": {"books": null}, "returning": "n:count()"}');
SELECT t.via('a', 'update_record', '{"table": "rf.people", "data": {"name": "every"}, "filter": {"or": [{"books": null}, {"books": "isnot.null"}]}, "returning": "none", "expect": 0}');
SELECT t.via('a', 'delete_record', '{"table": "rf.books", "filter": {"tags.name": "eq.new", "people.name": "eq.Bob"}, "returning": "id,title"}'), t.via('a', 'delete_record', '{"table": "rf.books", "filter": {"author": null}, "returning": "id"}'), t.via('a', 'delete_record', '{"table": "rf.book_tags", "filter": {"books.people.name": "eq.Ann", "tags.name": "eq.new"}}');
SELECT id, name FROM rf.people ORDER BY id;
SELECT id, title, (SELECT string_agg(tag::text, ',') FROM rf.book_tags WHERE book = id) FROM rf.books ORDER BY id;
DROP SCHEMA rf CASCADE;
