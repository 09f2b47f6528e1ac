-- embedding: to-one, to-many, one-to-one, junction, self and composite relations in select, nested, spread and inner, give the rows that a join gives.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA em;
CREATE TABLE em.countries (code char(2) PRIMARY KEY, name text);
CREATE TABLE em.people (id int PRIMARY KEY, name text, country char(2) REFERENCES em.countries, boss int REFERENCES em.people);
CREATE TABLE em.passports (owner int PRIMARY KEY REFERENCES em.people, number text);
CREATE TABLE em.badges (id int PRIMARY KEY, holder int UNIQUE REFERENCES em.people, colour text);
CREATE TABLE em.books (id int PRIMARY KEY, title text, author int NOT NULL REFERENCES em.people, editor int REFERENCES em.people, price numeric);
CREATE TABLE em.tags (id int PRIMARY KEY, name text);
CREATE TABLE em.book_tags (book int REFERENCES em.books, tag int REFERENCES em.tags, weight int, PRIMARY KEY (book, tag));
CREATE TABLE em.editions (book int REFERENCES em.books, no int, year int, PRIMARY KEY (book, no));
CREATE TABLE em.copies (id int PRIMARY KEY, book int, edition int, shelf text, FOREIGN KEY (book, edition) REFERENCES em.editions);
INSERT INTO em.countries VALUES ('CH', 'Switzerland'), ('AT', 'Austria');
INSERT INTO em.people VALUES (1, 'Ann', 'CH', NULL), (2, 'Bob', 'AT', 1), (3, 'Cid', NULL, 1), (4, 'Dan', 'CH', 2);
INSERT INTO em.passports VALUES (1, 'P1'), (3, 'P3');
INSERT INTO em.badges VALUES (1, 1, 'red'), (2, 2, 'blue'), (3, NULL, 'green');
INSERT INTO em.books VALUES (1, 'One', 1, 2, 10), (2, 'Two', 1, NULL, 20), (3, 'Three', 2, 1, 30), (4, 'Four', 2, 2, NULL);
INSERT INTO em.tags VALUES (1, 'old'), (2, 'new'), (3, 'none');
INSERT INTO em.book_tags VALUES (1, 1, 5), (1, 2, 6), (2, 2, 7), (3, 1, NULL);
INSERT INTO em.editions VALUES (1, 1, 2001), (1, 2, 2005), (2, 1, NULL);
INSERT INTO em.copies VALUES (1, 1, 1, 'A'), (2, 1, 2, 'B'), (3, 1, 2, 'C'), (4, NULL, NULL, 'D'), (5, 1, NULL, 'E');
GRANT USAGE ON SCHEMA em TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA em TO authenticated;
CREATE FUNCTION em.ask(tab text, wanted text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'em.' || tab, 'select', wanted) || CASE WHEN more ? 'order' THEN more ELSE more || '{"order": "id"}' END)
$$;
-- To one: an object or null. By the table, the key's column, the constraint, with the schema, quoted.
SELECT w, em.ask('people', w) FROM unnest(ARRAY['id,countries(name)', 'id,country(name)', 'id,people_country_fkey(name)', 'id,em.countries(name)', 'id,"em"."countries"(name)', 'id,"countries"("name")', 'id,land:countries(*)', 'id,countries()', 'id,country,land:country(code)']) AS w;
-- To many: a list, empty without rows.
SELECT em.ask('countries', 'code,people(name)', '{"order": "code", "embed": {"people": {"order": "name"}}}'), em.ask('people', 'id,written:books!author(title)', '{"embed": {"written": {"order": "id"}}}'), em.ask('people', 'id,books!books_editor_fkey(id)', '{"embed": {"books": {"order": "id"}}}');
-- One to one: by a primary key or a unique key that is the foreign key; from both ends.
SELECT em.ask('people', 'id,passports(number),badges(colour)'), em.ask('badges', 'id,people(name)'), em.ask('passports', 'number,people(id,badges(colour))', '{"order": "number"}');
-- Through a junction, both ways, and the junction itself.
SELECT em.ask('books', 'id,tags(name)', '{"embed": {"tags": {"order": "name"}}}'), em.ask('tags', 'name,books(title)', '{"embed": {"books": {"order": "title.desc"}}}'), em.ask('books', 'id,book_tags(weight,tags(name))', '{"embed": {"book_tags": {"order": "tag"}}}');
-- A table and itself: the column is the way to the one, the table with the column the way to the many.
SELECT em.ask('people', 'id,boss(name)'), em.ask('people', 'id,staff:people!boss(name)', '{"embed": {"staff": {"order": "id"}}}'), em.ask('people', 'id,up:boss(name,boss(name)),down:people!boss(id,below:people!boss(id))', '{"embed": {"down": {"order": "id"}}}');
-- A key of two columns.
SELECT em.ask('copies', 'id,editions(year)'), em.ask('editions', 'book,no,copies(shelf)', '{"order": "book,no", "embed": {"copies": {"order": "shelf"}}}');
-- Nested: four tables deep, and two relations side by side at each level.
SELECT em.ask('countries', 'name,people(name,passports(number),books!author(title,tags(name),editor(name)))', '{"order": "name", "embed": {"people": {"order": "name"}, "people.books": {"order": "id"}, "people.books.tags": {"order": "name"}}}');
-- Spread: the one row's outputs stand in ours, null without a row; aliases, nesting, embedded relations within.
SELECT w, em.ask('people', w) FROM unnest(ARRAY['id,...countries(land:name)', 'id,...country(code,name)', 'id,...boss(boss_name:name,...countries(land:name))', 'id,...boss(b:name,badges(colour))', 'id,...c:country(code)', '...countries(name)', 'id,...passports(number),...badges(colour)']) AS w;
-- Inner: rows without a related row are left out, at every level; left says what is so anyway.
SELECT w, em.ask('people', w) FROM unnest(ARRAY['id,countries!inner(name)', 'id,countries!left(name)', 'id,passports!inner()', 'id,...countries!inner(name)', 'id,boss!inner(id)', 'id,boss!inner(id,boss!inner(id))', 'id,boss(id,boss!inner(id))', 'id,books!author!inner(id)', 'id,books!inner!author()', 'id,badges!inner(colour),passports!inner(number)']) AS w;
SELECT em.ask('books', 'id,tags!inner(name)', '{"embed": {"tags": {"filter": {"name": "eq.new"}}}}'), em.ask('people', 'id,books!author!inner(id,tags!inner(id))', '{"embed": {"books": {"order": "id"}, "books.tags": {"filter": {"name": "eq.new"}}}}');
SELECT t.via('a', 'query_table', '{"table": "em.books", "select": "id,tags!inner()", "count": "exact", "limit": 1, "order": "id"}');
-- * beside relations, aliases twice the same relation, a relation that is only asked about.
SELECT em.ask('tags', '*,books(id)', '{"embed": {"books": {"order": "id"}}}'), em.ask('tags', 'id,few:books(id),all:books(id)', '{"embed": {"few": {"order": "id.desc", "limit": 1}, "all": {"order": "id"}}}');
-- Casts, paths and aggregates within.
SELECT em.ask('people', 'id,books!author(id::text,price::int)', '{"filter": {"id": 1}, "embed": {"books": {"order": "id"}}}'), em.ask('people', 'id,books!author(n:count(),sum:price.sum())');

-- What is wrong says what to write.
SELECT w, em.ask('people', w) FROM unnest(ARRAY['id,countres(name)', 'id,countries(nme)', 'id,countries(name', 'id,countries', 'id,countries!nohint(name)', 'id,countries!inner!inner(name)', 'id,countries!a!b(name)', 'id,countries!inner', 'id,countries(countries(name))', 'id,...books!author(title)', 'id,...countries(id:name)', 'id,name(x)', 'id,countries(name),countries(code)', 'id,countries(name),x:countries(name),x:id', 'id,...countries(name,name)', 'id,tags(name)', 'id,other.countries(name)', 'id,(name)', 'id,!inner(name)', 'id,x y:countries(name)', 'id,countries!(name)', 'id,pg_class(relname)', 'id,countries(name)(code)', 'id,...name', 'id,....countries(name)']) AS w;
SELECT em.ask('people', 'id' || string_agg(format(',b%s:boss(id)', n), '')) LIKE '[{%' FROM generate_series(1, 50) AS n;
SELECT em.ask('people', 'id' || string_agg(format(',b%s:boss(id)', n), '')) FROM generate_series(1, 51) AS n;
SELECT left(em.ask('people', repeat('id,boss(', n) || 'id' || repeat(')', n)), 150) FROM unnest(ARRAY[8, 9]) AS n;
DROP SCHEMA em CASCADE;
