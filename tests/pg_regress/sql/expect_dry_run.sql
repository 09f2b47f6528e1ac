-- expect_dry_run: expect and max_affected undo a write that touches other rows than meant; dry_run does all of it, deferred checks too, reports it and leaves nothing.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ed;
CREATE SEQUENCE ed.ids;
CREATE TABLE ed.t (id int PRIMARY KEY DEFAULT nextval('ed.ids'), grp int, v text, stamp text);
CREATE TABLE ed.log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE ed.kids (id int PRIMARY KEY, parent int REFERENCES ed.t DEFERRABLE INITIALLY DEFERRED);
INSERT INTO ed.t SELECT nextval('ed.ids'), g % 2, 'v' || g FROM generate_series(1, 6) AS g;
CREATE FUNCTION ed.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO ed.log (what) VALUES (TG_OP || ' ' || coalesce(NEW.v, OLD.v));
    IF TG_OP <> 'DELETE' THEN NEW.stamp := 'by trigger'; RETURN NEW; END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON ed.t FOR EACH ROW EXECUTE FUNCTION ed.note();
GRANT USAGE ON SCHEMA ed TO authenticated;
GRANT USAGE ON SEQUENCE ed.ids TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ed.t, ed.kids TO authenticated;
CREATE FUNCTION ed.state() RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT (SELECT string_agg(format('%s:%s:%s:%s', id, grp, v, stamp), ' ' ORDER BY id) FROM ed.t) || ' / log ' || (SELECT count(*) FROM ed.log) || ' / kids ' || (SELECT count(*) FROM ed.kids)
$$;
SELECT ed.state();
-- expect: exactly; max_affected: at most. The error says what it would have been.
SELECT m, t.via('a', 'update_record', '{"table": "ed.t", "data": {"v": "new"}, "filter": {"grp": 0}, "returning": "none"}'::jsonb || m) FROM unnest(ARRAY['{"expect": 2}', '{"expect": 4}', '{"expect": 0}', '{"max_affected": 2}', '{"max_affected": 0}', '{"expect": 3, "max_affected": 2}']::jsonb[]) AS m;
SELECT m, t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"grp": 0}}'::jsonb || m) FROM unnest(ARRAY['{"expect": 1}', '{"max_affected": 1}', '{"expect": 0, "filter": {"id": 5}}', '{"expect": 1, "filter": {"id": 99}}']::jsonb[]) AS m;
SELECT m, t.via('a', 'insert_record', '{"table": "ed.t", "data": [{"v": "x"}, {"v": "y"}], "returning": "none"}'::jsonb || m) FROM unnest(ARRAY['{"expect": 1}', '{"max_affected": 1}']::jsonb[]) AS m;
SELECT m, t.via('a', 'update_record', '{"table": "ed.t", "data": {"v": "new"}, "filter": {"grp": 0}}'::jsonb || m) FROM unnest(ARRAY['{"expect": -1}', '{"expect": "3"}', '{"expect": 1.5}', '{"max_affected": -1}', '{"max_affected": true}', '{"dry_run": "yes"}', '{"dry_run": 1}', '{"expects": 3}', '{"expect": 99999999999999999999}']::jsonb[]) AS m;
SELECT ed.state();
-- What fits goes through, also beside an answer that is cut or not asked for.
SELECT m, t.via('a', 'update_record', '{"table": "ed.t", "data": {"v": "w"}, "filter": {"grp": 0}}'::jsonb || m) FROM unnest(ARRAY['{"expect": 3, "returning": "none"}', '{"expect": 3, "max_affected": 3, "returning": "n:count()"}', '{"expect": 0, "filter": {"id": 99}}', '{"max_affected": 9, "returning": "grp,n:count()"}', '{"expect": null, "max_affected": null, "returning": "none"}', '{"expect": 3, "max_chars": 1, "returning": "id"}']::jsonb[]) AS m;
SELECT ed.state();
-- dry_run, by each verb: the triggers' work is in the answer, nothing of it stays; a sequence goes on, as sequences do.
SELECT t.via('a', 'insert_record', '{"table": "ed.t", "data": {"v": "dry"}, "dry_run": true, "returning": "v,stamp"}'), t.via('a', 'insert_record', '{"table": "ed.t", "data": [{"v": "dry", "grp": 7}, {"v": "dry2"}], "dry_run": true, "returning": "v,grp,stamp"}'), t.via('a', 'insert_record', '{"table": "ed.t", "data": {"v": "dry"}, "dry_run": true, "returning": "none"}');
SELECT t.via('a', 'update_record', '{"table": "ed.t", "data": {"v": "dry"}, "filter": {"id": "lte.2"}, "dry_run": true, "returning": "id,v"}'), t.via('a', 'update_record', '{"table": "ed.t", "data": {"v": "dry"}, "filter": {"id": 99}, "dry_run": true}'), t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"grp": 1}, "dry_run": true, "returning": "none"}'), t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"id": 1}, "dry_run": true}');
SELECT t.via('a', 'insert_record', '{"table": "ed.t", "data": {"id": 1, "v": "merged"}, "on_conflict": "id", "dry_run": true, "returning": "id,v"}'), t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"grp": 1}, "dry_run": true, "expect": 3, "returning": "n:count()"}'), t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"grp": 1}, "dry_run": true, "expect": 2}'), t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"id": 1}, "dry_run": false, "expect": 2}');
SELECT ed.state();
SELECT last_value > 6 FROM ed.ids;
SELECT body::jsonb #> '{result,structuredContent}', body::jsonb #> '{result,content}' FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_record","arguments":{"table":"ed.t","filter":{"id":"lt.3"},"dry_run":true,"returning":"id"}}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}');
-- A deferred check fails in the dry run as it would in earnest, for what was written and for what is left behind.
SELECT t.via('a', 'insert_record', '{"table": "ed.kids", "data": {"id": 1, "parent": 12345}, "dry_run": true}'), t.via('a', 'insert_record', '{"table": "ed.kids", "data": {"id": 1, "parent": 12345}}'), t.via('a', 'insert_record', '{"table": "ed.kids", "data": {"id": 1, "parent": 1}, "dry_run": true}'), t.via('a', 'insert_record', '{"table": "ed.kids", "data": {"id": 1, "parent": 1}}');
SELECT t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"id": 1}, "dry_run": true, "returning": "id"}'), t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"id": 1}, "returning": "id"}');
CREATE FUNCTION ed.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 'late' THEN RAISE EXCEPTION 'refused at the end' USING ERRCODE = 'P0001'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON ed.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ed.late();
SELECT t.via('a', 'update_record', '{"table": "ed.t", "data": {"v": "late"}, "filter": {"id": 2}, "dry_run": true}'), t.via('a', 'update_record', '{"table": "ed.t", "data": {"v": "late"}, "filter": {"id": 2}}');
SELECT ed.state();
-- A dry run within a transaction of the caller's, in SQL: what was there before stays, and the transaction goes on.
BEGIN;
INSERT INTO ed.t VALUES (100, 1, 'outer');
SELECT t.call('update_record', '{"table": "ed.t", "data": {"v": "dry"}, "filter": {"id": 100}, "dry_run": true, "returning": "id,v"}');
SELECT id, v FROM ed.t WHERE id = 100;
COMMIT;
SELECT id, v FROM ed.t WHERE id = 100;
-- A dry run needs the right to write.
SELECT t.key('only reads', scopes => '{read:tables}', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa');
SELECT t.via('only reads', 'delete_record', '{"table": "ed.t", "filter": {"id": 1}, "dry_run": true}');
REVOKE DELETE ON ed.t FROM authenticated;
SELECT t.via('a', 'delete_record', '{"table": "ed.t", "filter": {"id": 1}, "dry_run": true}');
DROP SCHEMA ed CASCADE;
