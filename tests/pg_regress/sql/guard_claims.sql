-- Claims forged by every name from within a tool: auth.uid() and policies on it do not follow; the copies are back for the next call.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA gc;
CREATE TABLE gc.notes (id int, user_id uuid DEFAULT auth.uid(), seen_uid uuid, seen_copy text);
ALTER TABLE gc.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gc.notes USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
INSERT INTO gc.notes VALUES (1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'), (2, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');
CREATE FUNCTION gc.forge(sub text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text := '';
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mcp.claims', 'request.jwt.claims', 'request.jwt.claim.sub', 'request.jwt.claim.role', 'request.jwt.claim.email', 'role', 'request.jwt', 'jwt.claims.sub'] LOOP
        BEGIN
            PERFORM set_config(name, CASE WHEN name ~ 'claims$' THEN json_build_object('sub', sub, 'role', 'service_role')::text ELSE sub END, true);
            told := told || name || ' set; ';
        EXCEPTION WHEN OTHERS THEN
            told := told || name || ' ' || SQLSTATE || '; ';
        END;
    END LOOP;
    RETURN told || coalesce(auth.uid()::text, 'nobody') || ' ' || auth.role() || ' ' || (auth.jwt() ->> 'sub') || ' ' || mcp.claim('sub') || ' copy: ' || (current_setting('request.jwt.claims')::json ->> 'sub');
END
$$;
CREATE FUNCTION gc.on_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.seen_copy := gc.forge('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');
    NEW.seen_uid := auth.uid();
    RETURN NEW;
END
$$;
CREATE TRIGGER on_insert BEFORE INSERT OR UPDATE ON gc.notes FOR EACH ROW EXECUTE FUNCTION gc.on_insert();
CREATE VIEW gc.forging AS SELECT gc.forge('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb') AS told;
CREATE VIEW gc.seen WITH (security_invoker = true) AS SELECT n.id, f.told IS NOT NULL AS forged FROM gc.forging AS f, LATERAL (SELECT id FROM gc.notes WHERE f.told IS NOT NULL OFFSET 0) AS n;
CREATE FUNCTION gc.by_superuser() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT set_config('mcp.claims', '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}', true) $$;
CREATE VIEW gc.powerful AS SELECT gc.by_superuser() AS told;
CREATE VIEW gc.copies AS SELECT auth.uid() AS uid, current_setting('request.jwt.claims')::json ->> 'sub' AS copy, current_setting('request.jwt.claim.sub') AS sub, current_setting('request.jwt.claim.role') AS role;
GRANT USAGE ON SCHEMA gc TO authenticated;
GRANT SELECT, INSERT, UPDATE ON gc.notes TO authenticated;
GRANT SELECT ON gc.forging, gc.seen, gc.copies, gc.powerful TO authenticated;
\c - regress_login
SELECT t.via('a', 'query_table', '{"table": "gc.forging"}');
SELECT t.via('a', 'query_table', '{"table": "gc.copies"}');
SELECT t.via('a', 'query_table', '{"table": "gc.seen"}');
SELECT t.via('a', 'insert_record', '{"table": "gc.notes", "data": {"id": 3}}');
SELECT t.via('a', 'insert_record', '{"table": "gc.notes", "data": {"id": 4, "user_id": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}}');
SELECT t.via('a', 'update_record', '{"table": "gc.notes", "data": {"id": 5}, "filter": {"id": {"gt": 0}}, "returning": "id,user_id"}');
SELECT t.via('a', 'query_table', '{"table": "gc.copies"}');
SELECT t.via('b', 'query_table', '{"table": "gc.copies"}');
-- Not even a superuser's SECURITY DEFINER function sets them while a tool runs.
SELECT t.via('a', 'query_table', '{"table": "gc.powerful"}');
-- Claims set in the session before the call do not count either, nor do they come back changed.
SET request.jwt.claims = '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}';
SELECT t.via('a', 'query_table', '{"table": "gc.copies"}');
SELECT current_setting('request.jwt.claims');
\c - postgres
-- A superuser that sets mcp.claims for its own session is not believed by a tool of a key without claims of that kind.
SET mcp.claims = '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}';
SELECT t.via('a', 'query_table', '{"table": "gc.copies"}');
SELECT auth.uid();
SELECT t.via('service', 'list_tables', '{"schema": "nowhere"}');
RESET mcp.claims;
SELECT auth.uid();
SET client_min_messages = warning;
DROP SCHEMA gc CASCADE;
