-- mcp.authenticate: a key's identity for one transaction and no longer, whichever way the transaction ends.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA au;
CREATE TABLE au.notes (id int, user_id uuid DEFAULT auth.uid());
INSERT INTO au.notes VALUES (1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'), (2, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');
ALTER TABLE au.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON au.notes USING (user_id = auth.uid());
GRANT USAGE ON SCHEMA au TO authenticated, regress_app;
GRANT SELECT, INSERT ON au.notes TO authenticated;
CREATE FUNCTION t.who() RETURNS text LANGUAGE sql AS $$ SELECT t.call('query_table', '{"table": "au.notes", "select": "id", "order": "id"}') $$;
SELECT t.who();
BEGIN;
SELECT mcp.authenticate(t.credential('a'));
SELECT t.who();
-- Only the tool is somebody else: the session's own statements are not.
SELECT current_user, auth.uid(), (SELECT count(*) FROM au.notes);
-- Another key takes its place.
SELECT mcp.authenticate(t.credential('b'));
SELECT t.who();
SAVEPOINT s;
SELECT mcp.authenticate('fbk:nonsense');
ROLLBACK TO s;
SELECT t.who();
COMMIT;
SELECT t.who();
-- Rollback, error, PREPARE TRANSACTION, and a statement of its own.
BEGIN; SELECT mcp.authenticate(t.credential('a')); ROLLBACK;
SELECT t.who();
BEGIN; SELECT mcp.authenticate(t.credential('a')); SELECT 1/0; COMMIT;
SELECT t.who();
BEGIN; SELECT mcp.authenticate(t.credential('a')); PREPARE TRANSACTION 'regress_authenticate';
SELECT t.who();
ROLLBACK PREPARED 'regress_authenticate';
SELECT t.who();
SELECT mcp.authenticate(t.credential('a'));
SELECT t.who();
-- An ordinary role needs the key and nothing else; a plain key works as well as a credential.
SELECT key FROM mcp.create_key('client', 'plain', '{read:tables}', user_id => 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb') \gset
SET ROLE regress_app;
SELECT t.who();
BEGIN; SELECT mcp.authenticate(:'key'); SELECT t.who(); COMMIT;
SELECT t.who();
RESET ROLE;
-- Scopes and allow-lists of the key hold.
BEGIN; SELECT mcp.authenticate(:'key'); SELECT t.call('insert_record', '{"table": "au.notes", "data": {"id": 3}}'); COMMIT;
-- The key is never repeated in an error.
SELECT t.try($$SELECT mcp.authenticate('fbk_secretsecretsecret')$$);
-- No key at all is refused as well: who forgets the parameter must not go on with the session's own rights.
SELECT t.try('SELECT mcp.authenticate(NULL)');
-- The state of a key is told to those who hold its secret only.
SELECT t.key('gone');
SELECT mcp.revoke_key('client', 'gone') IS NOT NULL;
CREATE FUNCTION t.hint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN hint;
END
$$;
SELECT t.hint(format('SELECT mcp.authenticate(%L)', t.credential('gone')));
SELECT t.hint(format('SELECT mcp.authenticate(%L)', regexp_replace(t.credential('gone'), '.$', CASE right(t.credential('gone'), 1) WHEN '0' THEN '1' ELSE '0' END)));
-- Refused while a tool runs, for any key.
CREATE FUNCTION au.switch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mcp.authenticate(current_setting('test.credential'));
    RETURN NEW;
END
$$;
CREATE TRIGGER switch BEFORE INSERT ON au.notes FOR EACH ROW EXECUTE FUNCTION au.switch();
SELECT set_config('test.credential', t.credential('service'), false) IS NULL;
SELECT t.via('a', 'insert_record', '{"table": "au.notes", "data": {"id": 4}}');
BEGIN; SELECT mcp.authenticate(t.credential('a')); SELECT t.call('insert_record', '{"table": "au.notes", "data": {"id": 5}}'); SELECT t.who(); COMMIT;
-- Inside an exception block that fails the identity stays until the transaction ends, as is documented.
BEGIN;
DO $$ BEGIN PERFORM mcp.authenticate(t.credential('a')); RAISE EXCEPTION 'x'; EXCEPTION WHEN OTHERS THEN NULL; END $$;
SELECT t.who();
COMMIT;
SELECT t.who();
DROP SCHEMA au CASCADE;
