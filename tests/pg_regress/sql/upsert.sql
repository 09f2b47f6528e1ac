-- upsert: on_conflict with merge and ignore, over the primary key, a unique key and several columns; what the caller may not update, read or see is neither changed nor told.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA up;
CREATE TABLE up.t (id int PRIMARY KEY, email text UNIQUE, name text DEFAULT 'none', n int DEFAULT 0, locked text DEFAULT 'l', up text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE up.pairs (a int, b int, v text, PRIMARY KEY (a, b));
CREATE TABLE up.nokey (x int, v text);
CREATE TABLE up.keyonly (id int PRIMARY KEY);
CREATE TABLE up.partial (id int, v text);
CREATE UNIQUE INDEX ON up.partial (id) WHERE id > 0;
CREATE TABLE up."odd ""t" ("k,1" int, "k 2" int, v text, UNIQUE ("k,1", "k 2"));
CREATE TABLE up.auto (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, k text UNIQUE, v text);
INSERT INTO up.t VALUES (1, 'one@x', 'one', 1), (2, 'two@x', 'two', 2);
INSERT INTO up.pairs VALUES (1, 1, 'old');
GRANT USAGE ON SCHEMA up TO authenticated;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA up TO authenticated;
CREATE FUNCTION up.put(data jsonb, more jsonb DEFAULT '{}', tab text DEFAULT 'up.t', who text DEFAULT 'a') RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT t.via(who, 'insert_record', jsonb_build_object('table', tab, 'data', data) || more)
$$;
-- merge takes the new values of the columns given and leaves the others; without on_conflict a conflict is an error.
SELECT up.put('{"id": 1, "name": "uno"}'), up.put('{"id": 1, "name": "uno"}', '{"on_conflict": "id"}'), up.put('{"id": 3, "name": "drei"}', '{"on_conflict": "id", "resolution": "merge"}');
SELECT up.put('[{"id": 2, "n": 22}, {"id": 4, "n": 44}]', '{"on_conflict": "id"}'), up.put('{"id": 1, "n": null}', '{"on_conflict": ""}'), up.put('{"id": 1, "n": 5}', '{"on_conflict": "*", "returning": "n"}'), up.put('{"id": 1, "n": 6}', '{"resolution": "merge", "returning": "n"}');
SELECT up.put('{"id": 9, "email": "two@x", "name": "zwei"}', '{"on_conflict": "email"}'), up.put('{"id": 4, "email": "two@x"}', '{"on_conflict": "id"}');
-- ignore leaves the row that is there; the answer tells how many came in, also when none did.
SELECT up.put('{"id": 1, "name": "lost"}', '{"on_conflict": "id", "resolution": "ignore"}'), up.put('[{"id": 1, "name": "lost"}, {"id": 5, "name": "five"}]', '{"resolution": "ignore"}'), up.put('{"id": 6, "name": "six"}', '{"resolution": "ignore"}'), up.put('{"id": 1}', '{"resolution": "ignore", "returning": "none"}'), up.put('[{"id": 7, "name": "a"}, {"id": 7, "name": "b"}]', '{"resolution": "ignore", "returning": "id,name"}');
SELECT up.put('{"id": 1}', '{"resolution": "ignore", "expect": 1}'), up.put('{"id": 1, "name": "x"}', '{"on_conflict": "id", "expect": 1, "returning": "name"}'), up.put('{"id": 1, "name": "y"}', '{"on_conflict": "id", "dry_run": true, "returning": "name"}');
-- Several columns, odd names, a table of nothing but its key, an identity.
SELECT up.put('[{"a": 1, "b": 1, "v": "new"}, {"a": 1, "b": 2, "v": "more"}]', '{"on_conflict": "a,b"}', 'up.pairs'), up.put('{"a": 1, "b": 1, "v": "newer"}', '{"on_conflict": " b , \"a\" "}', 'up.pairs'), up.put('{"a": 1, "b": 1, "v": "newest"}', '{"on_conflict": "*"}', 'up.pairs'), up.put('{"a": 1, "b": 1, "v": "x"}', '{"on_conflict": "a"}', 'up.pairs');
SELECT up.put('{"k,1": 1, "k 2": 2, "v": "x"}', '{"on_conflict": "\"k,1\",k 2"}', 'up."odd ""t"'), up.put('{"k,1": 1, "k 2": 2, "v": "y"}', '{"on_conflict": "\"k,1\",\"k 2\""}', 'up."odd ""t"');
SELECT up.put('{"id": 1}', '{"on_conflict": "id"}', 'up.keyonly'), up.put('[{"id": 1}, {"id": 2}]', '{"on_conflict": "id"}', 'up.keyonly');
SELECT up.put('{"k": "a", "v": "1"}', '{"on_conflict": "k"}', 'up.auto'), up.put('{"k": "a", "v": "2"}', '{"on_conflict": "k"}', 'up.auto');
-- A row twice in one list, rows of different columns, no unique key, unknown words.
SELECT up.put('[{"id": 8, "n": 1}, {"id": 8, "n": 2}]', '{"on_conflict": "id"}'), up.put('[{"id": 8, "n": 1}, {"id": 2, "name": "x"}]', '{"on_conflict": "id"}'), up.put('[{"id": 8, "n": 1}, {"id": 10, "name": "x"}]', '{"on_conflict": "id", "resolution": "ignore", "returning": "id,name,n"}');
SELECT up.put('{"x": 1}', '{"on_conflict": "x"}', 'up.nokey'), up.put('{"x": 1}', '{"on_conflict": "*"}', 'up.nokey'), up.put('{"id": 1}', '{"on_conflict": "id"}', 'up.partial'), up.put('{"id": 1}', '{"on_conflict": "n"}');
SELECT m, up.put('{"id": 1, "n": 1}', m) FROM unnest(ARRAY['{"on_conflict": "idd"}', '{"on_conflict": "id;drop table up.t"}', '{"on_conflict": "id) DO UPDATE SET n = 1; --"}', '{"on_conflict": "id,"}', '{"on_conflict": "\"id"}', '{"on_conflict": "id,id"}', '{"on_conflict": ["id"]}', '{"on_conflict": 1}', '{"on_conflict": "id", "resolution": "Merge"}', '{"on_conflict": "id", "resolution": "replace"}', '{"resolution": ""}', '{"on_conflict": "t_pkey"}']::jsonb[]) AS m;
SELECT id, email, name, n, up FROM up.t ORDER BY id;
SELECT a, b, v FROM up.pairs ORDER BY a, b;

-- Without the right to update a column merge is refused before anything is done; ignore needs none.
REVOKE UPDATE ON up.t FROM authenticated;
GRANT UPDATE (id, name) ON up.t TO authenticated;
SELECT up.put('{"id": 1, "n": 99}', '{"on_conflict": "id"}'), up.put('{"id": 1, "name": "ok"}', '{"on_conflict": "id", "returning": "id,name,n"}'), up.put('{"id": 1, "n": 99}', '{"resolution": "ignore"}'), up.put('{"id": 77, "n": 99}', '{"on_conflict": "id"}');
REVOKE UPDATE ON up.t FROM authenticated;
SELECT up.put('{"id": 1, "name": "no"}', '{"on_conflict": "id"}'), up.put('{"id": 78, "name": "yes"}', '{"resolution": "ignore", "returning": "name"}');
-- Nor does it tell of columns that may not be read: ON CONFLICT needs the right to read its columns.
GRANT UPDATE ON up.t TO authenticated;
REVOKE SELECT ON up.t FROM authenticated;
GRANT SELECT (name) ON up.t TO authenticated;
SELECT up.put('{"id": 1, "name": "blind"}', '{"on_conflict": "id", "returning": "name"}'), up.put('{"id": 1, "name": "blind"}', '{"on_conflict": "*", "returning": "none"}'), up.put('{"id": 1, "name": "blind"}', '{"resolution": "ignore", "returning": "none"}');
SELECT id, name, n FROM up.t WHERE id IN (1, 77, 78) ORDER BY id;

-- Row security: A's upsert onto B's row. First, without it, the row is taken.
CREATE TABLE up.own (id int PRIMARY KEY, tenant text NOT NULL DEFAULT (current_setting('request.jwt.claims', true)::jsonb ->> 'tenant'), slug text UNIQUE, secret text, stars int CHECK (stars < 6));
INSERT INTO up.own VALUES (1, 'A', 'a-slug', 'of a', 1), (2, 'B', 'b-slug', 'of b', 2);
GRANT SELECT, INSERT, UPDATE ON up.own TO authenticated;
CREATE POLICY own ON up.own USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant') WITH CHECK (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
CREATE FUNCTION up.attack() RETURNS TABLE (args jsonb, answer text) LANGUAGE sql VOLATILE AS $$
SELECT m, t.via('a', 'insert_record', '{"table": "up.own"}'::jsonb || m)
  FROM unnest(ARRAY['{"data": {"id": 2, "secret": "taken"}, "on_conflict": "id"}', '{"data": {"id": 2, "secret": "taken", "tenant": "A"}, "on_conflict": "id"}', '{"data": {"id": 2, "secret": "taken", "tenant": "B"}, "on_conflict": "id"}', '{"data": {"id": 20, "slug": "b-slug", "secret": "taken"}, "on_conflict": "slug", "returning": "id,secret"}', '{"data": {"id": 2, "stars": 9}, "on_conflict": "id"}',
    '{"data": {"id": 2}, "resolution": "ignore"}', '{"data": {"id": 2}, "resolution": "ignore", "returning": "id,tenant,secret"}', '{"data": [{"id": 1, "secret": "mine"}, {"id": 2, "secret": "taken"}], "on_conflict": "id"}', '{"data": {"id": 3, "tenant": "B"}, "on_conflict": "id"}', '{"data": {"id": 1, "tenant": "B"}, "on_conflict": "id"}', '{"data": {"id": 2, "secret": "taken"}, "on_conflict": "id", "dry_run": true}', '{"data": {"id": 2}}']::jsonb[]) AS m
$$;
BEGIN;
SELECT * FROM up.attack() LIMIT 4;
SELECT * FROM up.own ORDER BY id;
ROLLBACK;
ALTER TABLE up.own ENABLE ROW LEVEL SECURITY;
SELECT * FROM up.attack();
SELECT * FROM up.own ORDER BY id;
-- The owner of the row does it.
SELECT up.put('{"id": 2, "secret": "b wrote"}', '{"on_conflict": "id", "returning": "id,secret"}', 'up.own', 'b'), up.put('{"id": 1, "secret": "b wrote"}', '{"on_conflict": "id", "returning": "id,secret"}', 'up.own', 'b');
SELECT * FROM up.own ORDER BY id;
DROP SCHEMA up CASCADE;
