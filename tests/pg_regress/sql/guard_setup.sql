-- What the guard_* tests share: an attacker's function reached by a trigger, a policy, a default, and a view. Nothing is proved here.
SET client_min_messages = warning;
CREATE SCHEMA sib AUTHORIZATION regress_sibling;
CREATE TABLE sib.secret (secret text);
ALTER TABLE sib.secret OWNER TO regress_sibling;
INSERT INTO sib.secret VALUES ('of the sibling');
GRANT USAGE ON SCHEMA sib TO PUBLIC;
CREATE SCHEMA atk AUTHORIZATION regress_tenant;
GRANT USAGE ON SCHEMA atk TO PUBLIC;
SET ROLE regress_tenant;
-- Tries a statement and tells what came of it, who one is then, and whether the sibling's secret can be read.
CREATE FUNCTION atk.attempt(attack text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    outcome text;
BEGIN
    BEGIN
        EXECUTE attack;
        outcome := 'WORKED';
    EXCEPTION WHEN OTHERS THEN
        outcome := SQLSTATE || ' ' || SQLERRM;
    END;
    outcome := outcome || ' | ' || current_user;
    BEGIN
        PERFORM FROM sib.secret;
        outcome := outcome || ' | SECRET READ';
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    RETURN outcome;
END
$$;
CREATE FUNCTION atk.by_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.outcome := atk.attempt(NEW.attack);
    RETURN NEW;
END
$$;
CREATE TABLE atk.by_trigger (id int, attack text, outcome text);
CREATE TRIGGER by_trigger BEFORE INSERT OR UPDATE ON atk.by_trigger FOR EACH ROW EXECUTE FUNCTION atk.by_trigger();
CREATE FUNCTION atk.tell(attack text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', atk.attempt(attack); END $$;
CREATE TABLE atk.by_policy (id int);
INSERT INTO atk.by_policy VALUES (1);
ALTER TABLE atk.by_policy ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_policy ON atk.by_policy USING (atk.tell(current_setting('attack.sql')));
CREATE TABLE atk.by_default (id int, outcome text DEFAULT atk.attempt(current_setting('attack.sql')));
CREATE VIEW atk.by_view AS SELECT atk.attempt(current_setting('attack.sql')) AS outcome;
CREATE TABLE atk.written (who text);
CREATE SEQUENCE atk.counter;
CREATE PROCEDURE atk.committing() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON atk.by_trigger, atk.by_policy, atk.by_default, atk.written TO authenticated;
GRANT SELECT ON atk.by_view TO authenticated;
GRANT ALL ON SEQUENCE atk.counter TO authenticated;
RESET ROLE;
CREATE FUNCTION atk.as_sibling() RETURNS text LANGUAGE sql SET role = regress_sibling AS 'SELECT current_user::text';
-- A call of a tool while the statement that atk's functions try is `sql`.
CREATE FUNCTION t.attack(sql text, tool text, args jsonb, key text DEFAULT 'a') RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('attack.sql', sql, false);
    RETURN t.via(key, tool, args);
END
$$;
CREATE TABLE t.attacks (n int PRIMARY KEY, attack text);
GRANT SELECT ON t.attacks TO PUBLIC;
INSERT INTO t.attacks VALUES
    (1, 'RESET ROLE'), (2, 'SET ROLE regress_sibling'), (3, 'SET LOCAL ROLE regress_sibling'), (4, 'SET ROLE service_role'), (5, 'SET ROLE NONE'), (6, 'SET ROLE authenticated'),
    (7, $$SELECT set_config('role', 'regress_sibling', false)$$), (8, $$SELECT set_config('role', 'none', true)$$), (9, $$DO 'BEGIN SET ROLE regress_sibling; END'$$),
    (10, 'SELECT atk.as_sibling()'), (11, 'SET SESSION AUTHORIZATION regress_sibling'), (12, 'SET SESSION AUTHORIZATION DEFAULT'), (13, 'RESET SESSION AUTHORIZATION'),
    (14, $$SELECT set_config('session_authorization', 'regress_sibling', false)$$), (15, 'RESET ALL'), (16, 'RESET ROLE; SELECT 1'),
    (20, $$SELECT set_config('mcp.claims', '{"sub": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}', true)$$), (21, $$SET mcp.claims = ''$$), (22, 'RESET mcp.claims'), (23, $$SET LOCAL mcp.hidden_schemas = ''$$),
    (24, $$SET mcp.allowed_tools = ''$$), (25, 'SET mcp.enabled = off'),
    (30, 'CREATE TEMP TABLE shadow (x int)'), (31, 'CREATE TEMP VIEW shadow AS SELECT 1'), (32, 'SELECT 1 AS x INTO TEMP shadow'), (33, 'CREATE TABLE pg_temp.shadow (x int)'),
    (40, 'LISTEN regress_channel'), (41, 'UNLISTEN *'), (42, 'PREPARE regress_prepared AS SELECT 1'), (43, 'DEALLOCATE ALL'), (44, 'DISCARD ALL'), (45, 'DISCARD PLANS'), (46, 'DISCARD TEMP'),
    (47, 'DECLARE regress_held CURSOR WITH HOLD FOR SELECT atk.attempt(''SET ROLE regress_sibling'')'),
    (50, 'COMMIT'), (51, 'ROLLBACK'), (52, 'SAVEPOINT s'), (53, $$DO 'BEGIN COMMIT; END'$$), (54, 'CALL atk.committing()'), (55, 'PREPARE TRANSACTION ''x'''), (56, 'COMMIT; SELECT 1'),
    (60, 'SELECT mcp.authenticate(''x'')'), (61, 'SELECT mcp.handle(''{}'', ''x'', NULL)'), (62, 'SELECT mcp.create_key(''service'', ''x'')'), (63, 'SELECT mcp._outer_user()');
