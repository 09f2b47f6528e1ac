-- What a tenant can learn of another tenant's rows: nothing. Every question is asked twice, with the rows of the other one and without them, and answered alike to the byte.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ora;
GRANT USAGE ON SCHEMA ora TO authenticated;
CREATE TABLE ora.shelves (id int PRIMARY KEY, owner uuid NOT NULL, label text NOT NULL);
CREATE TABLE ora.books (id int PRIMARY KEY, shelf int REFERENCES ora.shelves, owner uuid NOT NULL, title text NOT NULL, pages text NOT NULL, facts jsonb NOT NULL, tags text[] NOT NULL);
CREATE INDEX ON ora.books (title);
INSERT INTO ora.shelves SELECT n, ('{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa,bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb}'::uuid[])[1 + n % 2], 'shelf ' || n FROM generate_series(1, 6) AS n;
-- Of the other one: odd numbers are no numbers, so that a cast which reaches them fails.
INSERT INTO ora.books SELECT n, 1 + (n + 1) % 6, ('{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa,bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb}'::uuid[])[1 + n % 2],
    'book ' || n, CASE n % 2 WHEN 0 THEN n::text ELSE 'secret ' || n END, jsonb_build_object('n', n, 'deep', jsonb_build_object('x', CASE n % 2 WHEN 0 THEN '1' ELSE 'hidden' END)), ARRAY['t' || n % 3, 'u' || n]
  FROM generate_series(1, 300) AS n;
ALTER TABLE ora.shelves ENABLE ROW LEVEL SECURITY;
ALTER TABLE ora.books ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ora.shelves USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
CREATE POLICY own ON ora.books USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
GRANT SELECT, INSERT, UPDATE, DELETE ON ora.shelves, ora.books TO authenticated;
ANALYZE ora.shelves, ora.books;
CREATE TABLE t.questions (n int GENERATED ALWAYS AS IDENTITY, tool text, args jsonb);
INSERT INTO t.questions (tool, args) VALUES
    ('query_table', '{"table": "ora.books", "limit": 1000, "order": "id"}'),
    ('query_table', '{"table": "ora.books", "count": "exact", "limit": 1}'),
    ('query_table', '{"table": "ora.books", "select": "count()"}'),
    ('query_table', '{"table": "ora.books", "select": "most:id.max(),least:id.min(),last:title.max()"}'),
    ('query_table', '{"table": "ora.books", "select": "tags,count()", "order": "tags", "limit": 500}'),
    ('query_table', '{"table": "ora.books", "order": "title.desc", "limit": 3}'),
    ('query_table', '{"table": "ora.books", "order": "title.desc", "limit": 3, "offset": 148}'),
    ('query_table', '{"table": "ora.books", "filter": {"title": "eq.book 7"}}'),
    ('query_table', '{"table": "ora.books", "filter": {"id": "eq.7"}}'),
    ('query_table', '{"table": "ora.books", "filter": {"title": "like.%secret%"}}'),
    ('query_table', '{"table": "ora.books", "filter": {"pages": "match.secret"}}'),
    ('query_table', '{"table": "ora.books", "filter": {"pages": "fts.secret"}}'),
    ('query_table', '{"table": "ora.books", "filter": {"tags": "cs.{u7}"}}'),
    ('query_table', '{"table": "ora.books", "filter": {"facts->deep->>x": "eq.hidden"}}'),
    ('query_table', '{"table": "ora.books", "filter": {"id": "not.in.(1,2,3)"}, "order": "id", "limit": 5}'),
    ('query_table', '{"table": "ora.books", "select": "id,pages::int", "order": "id", "limit": 1000}'),
    ('query_table', '{"table": "ora.books", "select": "id,facts->deep->>x", "order": "facts->deep->>x,id", "limit": 1000}'),
    ('query_table', '{"table": "ora.shelves", "select": "id,books(id)", "order": "id"}'),
    ('query_table', '{"table": "ora.shelves", "select": "id,books(count())", "order": "id"}'),
    ('query_table', '{"table": "ora.books", "select": "id,shelves(label)", "order": "shelves(label),id", "limit": 1000}'),
    ('query_table', '{"table": "ora.books", "select": "id,shelves!inner(label)", "filter": {"shelves.label": "eq.shelf 3"}, "order": "id"}'),
    ('query_table', '{"table": "ora.shelves", "select": "id,books!inner(title)", "filter": {"books.title": "eq.book 7"}}'),
    ('update_record', '{"table": "ora.books", "data": {"title": "mine"}, "filter": {"id": "eq.7"}}'),
    ('update_record', '{"table": "ora.books", "data": {"title": "mine"}, "filter": {"pages": "like.secret%"}, "dry_run": true}'),
    ('delete_record', '{"table": "ora.books", "filter": {"id": "eq.7"}}'),
    ('delete_record', '{"table": "ora.books", "filter": {"title": "gte.book"}, "dry_run": true, "max_affected": 151}'),
    ('insert_record', '{"table": "ora.books", "data": {"id": 900, "shelf": 2, "owner": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", "title": "x", "pages": "1", "facts": {}, "tags": []}}'),
    ('write_batch', '{"operations": [{"op": "update", "table": "ora.books", "data": {"title": "x"}, "filter": {"id": "eq.9"}}]}'),
    ('list_tables', '{"schema": "ora"}'),
    ('describe_table', '{"table": "ora.books"}');
-- Each answer, undone.
CREATE FUNCTION t.asked(key text, question t.questions) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        answer := t.via(key, question.tool, question.args);
        RAISE EXCEPTION USING ERRCODE = 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        RETURN regexp_replace(answer, '"(next_cursor|cursor)": ?"[^"]*"', '"\1":"…"', 'g');
    END;
END
$$;
CREATE TEMP TABLE before AS SELECT q.n, t.asked('a', q) AS answer FROM t.questions AS q;
-- Nothing of the other one is in any of them, and most answers have something to say.
SELECT q.tool, q.args FROM t.questions AS q JOIN before AS b USING (n) WHERE b.answer ~ 'secret [0-9]|hidden|bbbbbbbb' AND q.tool <> 'insert_record';
SELECT q.n, q.tool, left(regexp_replace(b.answer, '\nHint: [^\n]*', ''), 90) FROM t.questions AS q JOIN before AS b USING (n) ORDER BY 1;
-- Without the other one's rows. (Statistics stay: what the planner knows is not told.)
BEGIN;
DELETE FROM ora.books WHERE owner <> 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
SELECT q.n, q.tool, q.args, left(b.answer, 80), left(t.asked('a', q), 80) FROM t.questions AS q JOIN before AS b USING (n) WHERE t.asked('a', q) IS DISTINCT FROM b.answer ORDER BY 1;
ROLLBACK;
-- The comparison finds a leak: without row-level security most answers differ.
BEGIN;
ALTER TABLE ora.books DISABLE ROW LEVEL SECURITY;
SELECT count(*) > 15 FROM t.questions AS q JOIN before AS b USING (n) WHERE t.asked('a', q) IS DISTINCT FROM b.answer;
ROLLBACK;
-- A cursor of the other one is a condition like another: it opens none of the rows it was made of.
SELECT body::jsonb #>> '{result,structuredContent,next_cursor}' AS cursor FROM mcp.handle('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "query_table", "arguments": {"table": "ora.books", "select": "id", "order": "id", "limit": 5}}}', t.credential('b'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}') \gset
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'ora.books', 'select', 'id', 'order', 'id', 'limit', 5, 'cursor', :'cursor'));
DROP TABLE t.questions CASCADE;
DROP SCHEMA ora CASCADE;
