-- mcp.max_plan_cost: a plan above it is refused before it runs. The refusal names the table, its filter and its indexes to who may
-- know them; where row-level security or a security barrier is in the plan, it names nothing and gives no figure.
\t on
\a
\set VERBOSITY terse
CREATE SCHEMA pc;
CREATE FUNCTION pc.shown(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT regexp_replace($1, 'costs [0-9]+,', 'costs N,')$$;
CREATE FUNCTION pc.query("table" text, more jsonb DEFAULT '{}', key text DEFAULT 'a') RETURNS text LANGUAGE sql AS $$
SELECT pc.shown(t.via(key, 'query_table', jsonb_build_object('table', "table", 'select', 'id') || more))
$$;
CREATE TABLE pc.big (id int PRIMARY KEY, name text, "Odd Name" text, kind int, secret text);
INSERT INTO pc.big SELECT g, 'name ' || g, 'odd ' || g, g % 5, 'secret ' || g FROM generate_series(1, 5000) AS g;
CREATE INDEX ON pc.big (secret);
CREATE INDEX ON pc.big (kind);
CREATE TABLE pc.plain AS SELECT id, name FROM pc.big;
CREATE TABLE pc.parted (id int, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE pc.part_gone (gone int, name text, id int NOT NULL);
ALTER TABLE pc.part_gone DROP COLUMN gone;
ALTER TABLE pc.parted ATTACH PARTITION pc.part_gone FOR VALUES FROM (1) TO (10000);
INSERT INTO pc.parted SELECT id, name FROM pc.big;
CREATE VIEW pc.view_of_big AS SELECT id, name FROM pc.big WHERE secret LIKE '%1';
CREATE VIEW pc.barrier WITH (security_barrier) AS SELECT id, name FROM pc.plain;
CREATE TABLE pc.mine AS SELECT id, name, CASE WHEN id % 2 = 0 THEN 'a' ELSE 'b' END AS owner FROM pc.big;
CREATE INDEX ON pc.mine (id);
ALTER TABLE pc.mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON pc.mine USING (owner = 'a');
CREATE VIEW pc.view_of_mine AS SELECT id, name FROM pc.mine;
CREATE TABLE pc.unseen AS SELECT id, name FROM pc.big;
CREATE VIEW pc.view_of_unseen AS SELECT id, name FROM pc.unseen;
CREATE SCHEMA pc_hidden;
CREATE TABLE pc_hidden.far AS SELECT id, name FROM pc.big;
CREATE VIEW pc.view_of_hidden AS SELECT id, name FROM pc_hidden.far;
GRANT USAGE ON SCHEMA pc, pc_hidden TO authenticated, service_role;
GRANT ALL ON ALL TABLES IN SCHEMA pc TO authenticated, service_role;
GRANT ALL ON ALL TABLES IN SCHEMA pc_hidden TO authenticated;
REVOKE ALL ON pc.unseen, pc.part_gone, pc.big FROM authenticated;
GRANT SELECT (id, name, "Odd Name", kind), UPDATE (name) ON pc.big TO authenticated;
ANALYZE pc.big, pc.plain, pc.parted, pc.mine, pc.unseen, pc_hidden.far;
SET mcp.hidden_schemas = 'mcp, pc_hidden';
-- Off by default, and no ordinary user sets it.
SHOW mcp.max_plan_cost;
SET SESSION AUTHORIZATION regress_login;
SELECT t.try('SET mcp.max_plan_cost = 1e6');
RESET SESSION AUTHORIZATION;
SELECT pc.query('pc.big', '{"filter": {"name": "eq.name 7"}}');
SET mcp.max_plan_cost = 50;
-- Refused: a filter without an index, one that an index does not narrow, none.
SELECT pc.query('pc.big', '{"filter": {"name": "eq.name 7"}}');
SELECT pc.query('pc.big', '{"filter": {"name": "eq.name 7", "Odd Name": "like.odd%"}}');
SELECT pc.query('pc.big', '{"filter": {"id": "neq.0"}, "order": "name"}');
SELECT pc.query('pc.big', '{"order": "name"}');
SELECT pc.query('pc.plain', '{"order": "name"}');
SELECT pc.query('pc.plain', '{"filter": {"name": "eq.name 7"}}');
SELECT pc.query('pc.parted', '{"filter": {"name": "eq.name 7"}}');
-- Allowed: below the bound.
SELECT pc.query('pc.big', '{"filter": {"id": 7}}');
SELECT pc.query('pc.big', '{"filter": {"id": 8, "name": "eq.name 8"}}');
SELECT pc.query('pc.big', '{"limit": 2, "order": "id"}');
-- A column that the caller may not read, a table without a privilege, a hidden schema: not named.
SELECT pc.query('pc.view_of_big', '{"order": "name"}');
SELECT pc.query('pc.view_of_unseen', '{"order": "name"}');
SELECT pc.query('pc.view_of_hidden', '{"order": "name"}');
-- Row-level security and security barriers: nothing is told. The service is above the first.
SELECT pc.query('pc.mine', '{"filter": {"name": "eq.name 7"}}');
SELECT pc.query('pc.view_of_mine', '{"filter": {"name": "eq.name 7"}}');
SELECT pc.query('pc.barrier', '{"filter": {"name": "eq.name 7"}}');
SELECT pc.query('pc.mine', '{"filter": {"name": "eq.name 7"}}', 'service');
SELECT pc.query('pc.mine', '{"filter": {"id": 8}}');
-- Writes, with and without rows in the answer.
SELECT pc.shown(t.via('a', 'update_record', '{"table": "pc.big", "data": {"name": "new"}, "filter": {"name": "eq.name 7"}, "returning": "id"}'));
SELECT pc.shown(t.via('a', 'update_record', '{"table": "pc.big", "data": {"name": "new"}, "filter": {"name": "eq.name 7"}, "returning": "none"}'));
SELECT pc.shown(t.via('a', 'delete_record', '{"table": "pc.plain", "filter": {"id": {"gt": 0}}, "returning": "none"}'));
SELECT t.via('a', 'update_record', '{"table": "pc.big", "data": {"name": "new"}, "filter": {"id": 7}, "returning": "none"}');
SELECT count(*), count(*) FILTER (WHERE name = 'new') FROM pc.big, (SELECT count(*) FROM pc.plain) AS other;
-- What a trigger runs inside is not judged, and a tool that it calls is, as ever.
CREATE FUNCTION pc.costly() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count(*) FROM pc.plain AS a JOIN pc.plain AS b USING (name);
    NEW.name := CASE NEW.name WHEN 'ask' THEN pc.shown(t.call('query_table', '{"table": "pc.plain", "order": "name"}')) ELSE 'costly' END;
    RETURN NEW;
END
$$;
CREATE TRIGGER costly BEFORE INSERT ON pc.plain FOR EACH ROW EXECUTE FUNCTION pc.costly();
SELECT t.via('a', 'insert_record', '{"table": "pc.plain", "data": {"id": 9001}}');
SELECT t.via('a', 'insert_record', '{"table": "pc.plain", "data": {"id": 9002, "name": "ask"}}');
-- A kept plan is judged each time, by the bound of that time.
SET mcp.max_plan_cost = 1e9;
SELECT pc.query('pc.big', '{"filter": {"name": "eq.name 9"}}');
SET mcp.max_plan_cost = 0.5;
SELECT pc.query('pc.big', '{"filter": {"name": "eq.name 9"}}');
RESET mcp.max_plan_cost;
SELECT pc.query('pc.big', '{"filter": {"name": "eq.name 9"}}');
RESET mcp.hidden_schemas;
SET client_min_messages = warning;
DROP SCHEMA pc, pc_hidden CASCADE;
