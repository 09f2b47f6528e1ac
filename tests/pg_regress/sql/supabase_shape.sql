-- A database that already looks like Supabase's: its auth and storage schemas and its auth.uid() stay as they are and work with our keys.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE DATABASE regress_supabase TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_supabase
SET client_min_messages = warning;
CREATE SCHEMA auth;
CREATE SCHEMA storage;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid
$$;
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
SELECT coalesce(nullif(current_setting('request.jwt.claim.role', true), ''), (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'))::text
$$;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text, encrypted_password text);
CREATE TABLE storage.objects (id uuid PRIMARY KEY, name text);
GRANT USAGE ON SCHEMA auth, storage TO anon, authenticated, service_role;
GRANT SELECT ON auth.users, storage.objects TO service_role, authenticated;
INSERT INTO auth.users VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'a@example.org', 'hash'), ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'b@example.org', 'hash');
CREATE TABLE public.todos (id int PRIMARY KEY, user_id uuid DEFAULT auth.uid() REFERENCES auth.users, task text);
ALTER TABLE public.todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Own todos" ON public.todos USING ((SELECT auth.uid()) = user_id) WITH CHECK ((SELECT auth.uid()) = user_id);
CREATE POLICY "Claims" ON public.todos FOR SELECT USING ((current_setting('request.jwt.claims', true)::json ->> 'role') = 'moderator');
GRANT ALL ON public.todos TO anon, authenticated, service_role;
CREATE TEMP TABLE before AS SELECT p.oid, prosrc, proacl::text, proowner FROM pg_proc AS p WHERE pronamespace = 'auth'::regnamespace;
CREATE EXTENSION fluxbase_mcp_ext;
SELECT regexp_replace(l, 'role (\w+) (created.*|is there already and was left as it is)', 'role \1 …') FROM mcp.setup_roles() AS l WHERE l !~ 'regress';
SELECT * FROM mcp.install();
SELECT count(*) FROM before AS b JOIN pg_proc AS p USING (oid) WHERE p.prosrc = b.prosrc AND p.proacl::text IS NOT DISTINCT FROM b.proacl AND p.proowner = b.proowner;
SELECT proname, prosrc ~ 'mcp' FROM pg_proc WHERE pronamespace = 'auth'::regnamespace ORDER BY 1;
SELECT id FROM mcp.create_key('client', 'a', '{read:tables,write:tables}', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', key_id => '00000000000000a1', verifier => sha256(sha256('a')));
SELECT id FROM mcp.create_key('client', 'b', '{read:tables,write:tables}', user_id => 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', key_id => '00000000000000b1', verifier => sha256(sha256('b')));
SELECT id FROM mcp.create_key('client', 'anonymous', '{read:tables,write:tables}', role => 'anon', key_id => '00000000000000c1', verifier => sha256(sha256('c')));
SELECT id FROM mcp.create_key('service', 's', key_id => '00000000000000d1', verifier => sha256(sha256('d')));
CREATE FUNCTION pg_temp.via(k text, tool text, args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT h.body::jsonb #>> '{result,content,0,text}' FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', tool, 'arguments', args))::text,
    CASE k WHEN 'd' THEN 'fbs' ELSE 'fbk' END || ':00000000000000' || k || '1:' || encode(sha256(k::bytea), 'hex'), NULL) AS h
$$;
SELECT pg_temp.via('a', 'insert_record', '{"table": "todos", "data": {"id": 1, "task": "of a"}}');
SELECT pg_temp.via('b', 'insert_record', '{"table": "todos", "data": {"id": 2, "task": "of b"}}');
SELECT pg_temp.via('b', 'insert_record', '{"table": "todos", "data": {"id": 3, "task": "forged", "user_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}}');
SELECT pg_temp.via('c', 'insert_record', '{"table": "todos", "data": {"id": 4, "task": "nobody"}}');
SELECT k, pg_temp.via(k, 'query_table', '{"table": "todos", "select": "id,task", "order": "id"}') FROM unnest(ARRAY['a', 'b', 'c', 'd']) AS k;
SELECT pg_temp.via('a', 'update_record', '{"table": "todos", "data": {"task": "done"}, "filter": {"id": {"gt": 0}}, "returning": "id"}');
SELECT pg_temp.via('a', 'delete_record', '{"table": "todos", "filter": {"id": 2}}');
-- What Supabase hides stays hidden.
SELECT pg_temp.via('a', 'query_table', '{"table": "auth.users"}');
SELECT pg_temp.via('d', 'query_table', '{"table": "auth.users", "select": "email", "order": "email"}');
-- Outside of a tool its own claims work as they did.
BEGIN;
SET LOCAL request.jwt.claims = '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", "role": "authenticated"}';
SET LOCAL ROLE authenticated;
SELECT auth.uid(), auth.role(), (SELECT count(*) FROM todos);
COMMIT;
-- Removing the extension leaves everything of the user's.
RESET ROLE;
DROP EXTENSION fluxbase_mcp_ext CASCADE;
SELECT to_regprocedure('auth.uid()'), to_regclass('public.todos'), (SELECT count(*) FROM pg_policies), to_regnamespace('mcp');
\c regression
SET client_min_messages = warning;
DROP DATABASE regress_supabase;
