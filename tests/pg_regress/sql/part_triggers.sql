-- Some tables of a part are written as their owner. Who may make triggers on them, which GRANT ALL allows, must not have a function run with that owner's rights.
\t on
\a
SET client_min_messages = warning;
SELECT t.key('triggering', user_id => 'mal', scopes => '{execute:functions,execute:rpc}');
SELECT count(*) > 0 FROM mcp.install('{functions,rpc}');
INSERT INTO functions.edge_functions (name, url) VALUES ('nearer', 'http://127.0.0.1:2/');
SELECT mcp.define_rpc(E'-- @fluxbase:name one\nSELECT 1 AS one');
GRANT ALL ON ALL TABLES IN SCHEMA functions, rpc TO authenticated;
CREATE SCHEMA lair;
GRANT ALL ON SCHEMA lair TO authenticated;
SET ROLE authenticated;
CREATE FUNCTION lair.rob() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE authenticated CREATEROLE; RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER rob BEFORE INSERT OR DELETE ON functions.edge_executions FOR EACH ROW EXECUTE FUNCTION lair.rob();
CREATE TRIGGER rob BEFORE INSERT OR DELETE ON rpc.executions FOR EACH ROW EXECUTE FUNCTION lair.rob();
RESET ROLE;
SELECT t.via('triggering', 'invoke_function', '{"name": "nearer"}');
SELECT t.via('triggering', 'invoke_rpc', '{"name": "one"}');
-- Nor does upkeep, which would remove old rows.
ALTER TABLE functions.edge_executions DISABLE TRIGGER rob;
ALTER TABLE rpc.executions DISABLE TRIGGER rob;
INSERT INTO functions.edge_executions (id, function_id, status, role_name, started_at) SELECT gen_random_uuid(), f.id, 'completed', 'authenticated', '2000-01-01' FROM functions.edge_functions AS f;
INSERT INTO rpc.executions (id, procedure_name, namespace, status, user_role, created_at) VALUES (gen_random_uuid(), 'one', 'default', 'completed', 'authenticated', '2000-01-01');
ALTER TABLE functions.edge_executions ENABLE TRIGGER rob;
ALTER TABLE rpc.executions ENABLE TRIGGER rob;
SELECT mcp._maintain_functions(), mcp._maintain_rpc();
SELECT (SELECT count(*) FROM functions.edge_executions), (SELECT count(*) FROM rpc.executions), (SELECT rolcreaterole FROM pg_roles WHERE rolname = 'authenticated');
-- An administrator's own triggers are as good as the tables.
DROP SCHEMA lair CASCADE;
CREATE FUNCTION t.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER note BEFORE INSERT OR DELETE ON rpc.executions FOR EACH ROW EXECUTE FUNCTION t.note();
SELECT t.via('triggering', 'invoke_rpc', '{"name": "one"}') LIKE '{"status":"completed"%';
SELECT mcp._maintain_functions(), mcp._maintain_rpc();
SELECT (SELECT count(*) FROM functions.edge_executions), (SELECT count(*) FROM rpc.executions);
DROP SCHEMA functions, rpc CASCADE;
