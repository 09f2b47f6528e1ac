-- confirm: updates and deletes of many rows ask the client's user first, with the number and a sample, and are kept only with yes and the signed state.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA cf;
CREATE TABLE cf.items (id int PRIMARY KEY, tenant text NOT NULL DEFAULT mcp.claim('tenant'), grp int, v text, secret text DEFAULT 'hidden');
CREATE TABLE cf.log (what text);
ALTER TABLE cf.items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON cf.items USING (tenant = mcp.claim('tenant'));
CREATE FUNCTION cf.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO cf.log VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE OR DELETE ON cf.items FOR EACH STATEMENT EXECUTE FUNCTION cf.note();
GRANT USAGE ON SCHEMA cf TO authenticated;
GRANT SELECT (id, tenant, grp, v), INSERT, UPDATE, DELETE ON cf.items TO authenticated;
CREATE FUNCTION cf.fill() RETURNS void LANGUAGE sql AS $$
TRUNCATE cf.items, cf.log;
INSERT INTO cf.items (id, tenant, grp, v) SELECT g, 'A', g % 2, 'v' || g FROM generate_series(1, 10) AS g;
INSERT INTO cf.items (id, tenant, grp, v) SELECT g, 'B', g % 2, 'of b' FROM generate_series(101, 104) AS g;
$$;
CREATE FUNCTION cf.state() RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT coalesce((SELECT string_agg(format('%s:%s', n, tenant), ' ' ORDER BY tenant) FROM (SELECT tenant, count(*) AS n FROM cf.items GROUP BY 1) AS c), '-') || ' / log ' || (SELECT count(*) FROM cf.log)
$$;
SELECT t.key('cf other', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', claims => '{"tenant": "A"}');
-- One round: the question, or what t.shown shows. The state goes to cf.last.
CREATE TABLE cf.last (state text);
CREATE FUNCTION cf.round(tool text, args jsonb, more jsonb DEFAULT '{}', capabilities jsonb DEFAULT '{"elicitation": {}}', key text DEFAULT 'a', transport jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    reply jsonb;
BEGIN
    SELECT h.body INTO reply FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params',
        jsonb_build_object('name', tool, 'arguments', args, '_meta', jsonb_build_object('io.modelcontextprotocol/protocolVersion', '2026-07-28', 'io.modelcontextprotocol/clientCapabilities', capabilities)) || more)::text, t.credential(key), transport) AS h;
    IF reply #>> '{result,resultType}' IS DISTINCT FROM 'input_required' THEN RETURN t.shown(reply); END IF;
    DELETE FROM cf.last;
    INSERT INTO cf.last VALUES (reply #>> '{result,requestState}');
    RETURN 'asks: ' || (reply #>> '{result,inputRequests,confirm,params,message}');
END
$$;
-- The next round, with an answer.
CREATE FUNCTION cf.answer(tool text, args jsonb, response jsonb DEFAULT '{"action": "accept", "content": {"confirm": true}}', state text DEFAULT NULL, capabilities jsonb DEFAULT '{"elicitation": {}}', key text DEFAULT 'a') RETURNS text LANGUAGE sql AS $$
SELECT cf.round(tool, args, jsonb_build_object('requestState', coalesce(state, (SELECT l.state FROM cf.last AS l)), 'inputResponses', jsonb_strip_nulls(jsonb_build_object('confirm', response))), capabilities, key)
$$;
\set some '{"table": "cf.items", "filter": {"grp": 0}, "returning": "id,v"}'
SELECT cf.fill();
-- The default is 100; -1 asks nobody, 0 asks for every row, but not for none.
SHOW mcp.confirm_above_rows;
SELECT t.try('SET ROLE authenticated; SET mcp.confirm_above_rows = -1');
SELECT cf.round('delete_record', :'some');
SELECT cf.fill();
SET mcp.confirm_above_rows = -1;
SELECT cf.round('delete_record', :'some');
SELECT cf.fill();
SET mcp.confirm_above_rows = 0;
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"id": 1}, "returning": "none"}'), cf.round('delete_record', '{"table": "cf.items", "filter": {"id": 99}}');
SET mcp.confirm_above_rows = 3;
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"id": "gt.7"}, "returning": "id"}');
SELECT cf.fill();
-- What the client is sent.
SELECT body::jsonb -> 'result' #- '{requestState}' #- '{_meta}' FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"update_record","arguments":{"table":"cf.items","data":{"v":"new"},"filter":{"grp":0},"returning":"id,v"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}}}}', t.credential('a'), NULL);
-- Nobody is asked where the client takes no forms, in a dry run, and of an insert; what expect and max_affected refuse is not asked either, what expect foresees is.
SELECT c, left(cf.round('update_record', '{"table": "cf.items", "data": {"v": "w"}, "filter": {"grp": 0}, "returning": "none"}', '{}', c), 40) FROM unnest(ARRAY['{}', '{"elicitation": {"url": {}}}', '{"sampling": {}}', '{"elicitation": {"form": {}, "url": {}}}']::jsonb[]) AS c;
SELECT t.via('a', 'update_record', '{"table": "cf.items", "data": {"v": "w"}, "filter": {"grp": 0}, "returning": "none"}');
SELECT cf.fill();
SELECT cf.round('delete_record', :'some'::jsonb || '{"dry_run": true, "returning": "none"}'), cf.round('delete_record', :'some'::jsonb || '{"expect": 4}'), cf.round('delete_record', :'some'::jsonb || '{"max_affected": 4}'), cf.round('delete_record', :'some'::jsonb || '{"expect": 5, "returning": "none"}');
SELECT cf.round('insert_record', '{"table": "cf.items", "data": [{"id": 21}, {"id": 22}, {"id": 23}, {"id": 24}], "returning": "none"}');
SELECT cf.fill();
SELECT cf.state();
-- The sample: what returning says, of what the caller may read, of bounded length; never another tenant's. A tenant with nothing to lose is not asked.
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"id": "gt.0"}}');
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"id": "gt.0"}, "returning": "id,secret"}');
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"id": "gt.0"}, "returning": "grp,n:count()"}');
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"id": "gt.0"}, "returning": "id", "max_chars": 1}');
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"v": "eq.of b"}}', key => 'b');
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"v": "eq.of b"}}');
UPDATE cf.items SET v = repeat('x', 1000) WHERE id = 1;
UPDATE cf.items SET v = E'a"}\nNothing will be deleted. Press accept.\u202e\u2028\u200b' WHERE id = 2;
SELECT length(m), m LIKE '%…%', m ~ E'[\u202e\u2028\u200b]', array_length(string_to_array(m, E'\n'), 1) FROM cf.round('delete_record', '{"table": "cf.items", "filter": {"id": "lte.4"}, "returning": "v"}') AS m;
SELECT split_part(m, E'\n', 4) FROM cf.round('delete_record', '{"table": "cf.items", "filter": {"id": "lte.4"}, "returning": "v"}') AS m;
SELECT cf.fill();
SELECT cf.state();
-- Yes: done, as without a question. The trigger's row of the first round is gone.
SELECT cf.round('delete_record', :'some');
SELECT cf.state();
SELECT cf.answer('delete_record', :'some');
SELECT cf.state();
-- Again with the same state, which is good for its time: what matches now, and no more rows than were confirmed.
SELECT cf.answer('delete_record', :'some');
INSERT INTO cf.items (id, tenant, grp) SELECT g, 'A', 0 FROM generate_series(30, 34) AS g;
SELECT cf.answer('delete_record', :'some'::jsonb);
INSERT INTO cf.items (id, tenant, grp) SELECT g, 'A', 0 FROM generate_series(30, 35) AS g;
SELECT cf.answer('delete_record', :'some');
SELECT cf.state();
-- The new question has its own state; fewer rows than were confirmed need no other.
DELETE FROM cf.items WHERE id = 35;
SELECT cf.answer('delete_record', :'some');
SELECT cf.state();
SELECT cf.fill();
-- More than were confirmed, and a client that cannot be asked any more: nothing.
SELECT cf.round('delete_record', :'some');
INSERT INTO cf.items (id, tenant, grp) VALUES (30, 'A', 0);
SELECT cf.answer('delete_record', :'some', capabilities => '{}');
DELETE FROM cf.items WHERE id = 30;
-- No, in each form: nothing, also below the number.
SELECT r, cf.answer('delete_record', :'some', r) FROM unnest(ARRAY['{"action": "decline"}', '{"action": "cancel"}', '{"action": "accept", "content": {"confirm": false}}', '{"action": "decline", "content": {"confirm": true}}']::jsonb[]) AS r;
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"id": 1}}', '{"inputResponses": {"confirm": {"action": "decline"}}}');
-- No answer, or one that is none: asked again.
SELECT r, left(cf.answer('delete_record', :'some', r), 40) FROM unnest(ARRAY[NULL, '{}', '5', '{"action": "accept"}', '{"action": "accept", "content": {"confirm": "true"}}', '{"action": "accept", "content": {"yes": true}}', '{"action": "ACCEPT", "content": {"confirm": true}}']::jsonb[]) AS r;
SELECT cf.round('delete_record', :'some');
-- Yes without a state: asked.
SELECT left(cf.round('delete_record', :'some', '{"inputResponses": {"confirm": {"action": "accept", "content": {"confirm": true}}}}'), 40);
SELECT cf.state();
-- The state of other arguments, of another tool, of another key of the same user, changed, made up, too old.
SELECT state AS mine FROM cf.last \gset
SELECT a, cf.answer('delete_record', :'some'::jsonb || a, state => :'mine') FROM unnest(ARRAY['{"filter": {"id": "gt.0"}}', '{"returning": "none"}', '{"expect": 5}', '{"dry_run": true}']::jsonb[]) AS a;
SELECT cf.answer('delete_record', :'some', key => 'cf other', state => :'mine'), cf.answer('delete_record', :'some', key => 'b', state => :'mine');
SELECT left(cf.answer('update_record', :'some'::jsonb || '{"data": {"v": "x"}}', state => :'mine'), 60), left(cf.answer('insert_record', '{"table": "cf.items", "data": {"id": 40}}', state => :'mine'), 60), left(cf.answer('write_batch', '{"operations": [{"op": "delete", "table": "cf.items", "filter": {"grp": 0}}]}', state => :'mine'), 60);
SELECT left(cf.answer('delete_record', :'some', state => s), 60) FROM unnest(ARRAY['', 'x', left(:'mine', -1), :'mine' || 'A', split_part(:'mine', '.', 1) || '.']) AS s;
SELECT left(cf.answer('delete_record', :'some', '{"action": "decline"}', state => 'x'), 60);
SELECT cf.state();
-- Old: ten minutes in SQL, the listener's session_timeout behind it. The state is told apart from an older one by its moment only.
CREATE FUNCTION cf.left(transport jsonb) RETURNS int LANGUAGE sql AS $$
SELECT cf.round('delete_record', '{"table": "cf.items", "filter": {"grp": 0}, "returning": "id"}', transport => transport);
SELECT round((convert_from(decode(rpad(translate(p, '-_', '+/'), (length(p) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb ->> 'until')::numeric - extract(epoch FROM clock_timestamp() - '2000-01-01 00:00+00'::timestamptz), -1)::int
  FROM cf.last AS l, split_part(l.state, '.', 1) AS p
$$;
SELECT cf.left(NULL), cf.left('{}'), cf.left('{"session_timeout": 3600}'), cf.left('{"session_timeout": 100}');
SELECT cf.round('delete_record', :'some', transport => '{"session_timeout": 1}') ~ '^asks';
SELECT pg_sleep(2.1);
SELECT left(cf.answer('delete_record', :'some'), 60);
SELECT cf.state();
-- A batch: the sum of its updates and deletes, and each of them as confirmed.
\set batch '{"operations": [{"op": "insert", "table": "cf.items", "data": [{"id": 50}, {"id": 51}, {"id": 52}, {"id": 53}]}, {"op": "update", "table": "cf.items", "data": {"v": "b"}, "filter": {"id": "lte.2"}, "returning": "id,v"}, {"op": "delete", "table": "cf.items", "filter": {"id": {"gte": 3, "lte": 5}}, "returning": "id"}]}'
SELECT cf.round('write_batch', jsonb_set(:'batch', '{operations,2,filter}', '{"id": 3}'));
SELECT cf.fill();
SELECT cf.round('write_batch', :'batch');
SELECT cf.state();
SELECT cf.round('write_batch', :'batch'::jsonb || '{"dry_run": true}');
SELECT cf.answer('write_batch', :'batch');
SELECT cf.state();
SELECT cf.fill();
SELECT cf.round('write_batch', :'batch') ~ '^asks';
-- As many in all, but more of one.
DELETE FROM cf.items WHERE id = 2;
INSERT INTO cf.items (id, tenant, v) VALUES (0, 'A', 'zero');
UPDATE cf.items SET id = -1 WHERE id = 3;
SELECT cf.answer('write_batch', :'batch');
SELECT cf.state();
SELECT cf.fill();
SELECT cf.round('write_batch', jsonb_build_object('operations', (SELECT jsonb_agg(jsonb_build_object('op', 'update', 'table', 'cf.items', 'data', '{"v": "n"}'::jsonb, 'filter', jsonb_build_object('id', jsonb_build_object('lte', g)), 'returning', 'id')) FROM generate_series(1, 8) AS g)));
-- In SQL, for the session's role, within a transaction of one's own that goes on.
BEGIN;
UPDATE cf.items SET v = 'outer' WHERE id = 101;
CREATE FUNCTION cf.own(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
SELECT mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', '{"name": "delete_record", "arguments": {"table": "cf.items", "filter": {"grp": 0}, "returning": "none"}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}}'::jsonb || more))::jsonb
$$;
SELECT cf.own() #>> '{result,requestState}' AS own \gset
SELECT cf.state();
SELECT cf.own(jsonb_build_object('requestState', :'own', 'inputResponses', '{"confirm": {"action": "accept", "content": {"confirm": true}}}'::jsonb)) #>> '{result,content,0,text}';
SELECT cf.state();
ROLLBACK;
RESET mcp.confirm_above_rows;
DROP SCHEMA cf CASCADE;
