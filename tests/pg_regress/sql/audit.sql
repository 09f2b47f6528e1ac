-- The audit: one record of each call, whatever became of it and of its transaction; no values; nobody may change it, and who does is found out.
\t on
\a
SET client_min_messages = warning;
SELECT * FROM mcp.audit_status();
\o /dev/null
SELECT mcp.install('{audit}');
\o
-- Again, and nothing is new.
SELECT mcp.install('{audit}');

-- Once everything that was recorded is written.
CREATE PROCEDURE t.written() LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1..600 LOOP
        PERFORM FROM mcp.audit_status() AS s WHERE s.waiting = 0 AND s.lost = 0;
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
CREATE TABLE t.seen (batch bigint);
INSERT INTO t.seen VALUES (1);
-- What was written since it was asked last.
CREATE FUNCTION t.news() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    since bigint;
BEGIN
    UPDATE t.seen SET batch = coalesce((SELECT max(s.batch) FROM mcp.audit_seals AS s), 1) FROM t.seen AS before
     WHERE true RETURNING before.batch INTO since;
    RETURN QUERY SELECT concat_ws(' ', l.source, coalesce(l.key_name, '-'), coalesce(l.user_id, '-'), coalesce(l.role, '-'), l.login, coalesce(host(l.address), '-'),
                                  '|', l.method, CASE WHEN length(l.tool) > 100 THEN length(l.tool)::text ELSE l.tool END, l.object, '|', l.rows, l.outcome, l.status, l.code, l.note, l.arguments)
                   FROM mcp.audit_log AS l WHERE l.batch > since AND l.source <> 'audit' ORDER BY l.batch, l.n;
END
$$;
CREATE PROCEDURE t.until(name text, value text) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1..600 LOOP
        EXIT WHEN current_setting(name) = value;
        PERFORM pg_sleep(0.05);
    END LOOP;
END
$$;
-- What is old, for the end of this test: it is the first batch, and is kept until then.
ALTER SYSTEM SET mcp.audit_retention_days = 0;
SELECT pg_reload_conf() \g /dev/null
\c
SET client_min_messages = warning;
CALL t.until('mcp.audit_retention_days', '0');
SELECT mcp._audit_partition('2020-01-02');
INSERT INTO mcp.audit_log (logged_at, batch, n, at, source, outcome, key_id, role, tool, object, rows)
SELECT '2020-01-02 12:00+00', 1, n, '2020-01-02 12:00+00', 'http', 'ok', substr(md5('a'), 1, 16), 'authenticated', 'query_table', 'public.old', 1 FROM generate_series(1, 3) AS n;
INSERT INTO mcp.audit_seals SELECT 1, '2020-01-02 12:00+00', 3, '', mcp._audit_digest('2020-01-02 12:00+00', 1, '');

-- Also when nothing was recorded before: a refused key alone has it written.
SELECT t.try('SELECT mcp.authenticate(''nonsense'')');
DO $$
BEGIN
    FOR n IN 1..600 LOOP
        EXIT WHEN EXISTS (SELECT FROM mcp.audit_failed_keys);
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
SELECT t.news();

CREATE TABLE public.audited (id int PRIMARY KEY, owner text, secret text CHECK (secret <> 'bad'));
INSERT INTO public.audited SELECT n, 'a', 'value' || n FROM generate_series(1, 200) AS n;
ALTER TABLE public.audited ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.audited TO authenticated USING (owner = 'a') WITH CHECK (owner = 'a');
GRANT SELECT, INSERT, UPDATE, DELETE ON public.audited TO authenticated;
CREATE TABLE public.closed (id int);

-- Who, what, how many rows, what became of it: in a transaction of its own, in order.
\o /dev/null
SELECT t.via('a', 'query_table', '{"table": "audited", "filter": {"secret": "eq.value7"}}', '{"http": true, "address": "192.0.2.7"}');
SELECT t.via('a', 'query_table', '{"table": "public.audited", "limit": 5}', '{"http": true, "address": "2001:db8::7"}');
SELECT t.via('a', 'insert_record', '{"table": "audited", "data": {"id": 1000, "owner": "a", "secret": "hush"}}');
SELECT t.via('a', 'update_record', '{"table": "audited", "data": {"secret": "hush2"}, "filter": {"id": "lte.3"}}');
SELECT t.via('a', 'delete_record', '{"table": "audited", "filter": {"id": "eq.1000"}}');
SELECT t.via('a', 'delete_record', '{"table": "audited", "filter": {"id": "gt.0"}, "dry_run": true}');
SELECT t.via('a', 'write_batch', '{"operations": [{"op": "update", "table": "audited", "data": {"secret": "x"}, "filter": {"id": "eq.1"}}, {"op": "update", "table": "public.audited", "data": {"secret": "x"}, "filter": {"id": "eq.2"}}]}');
SELECT t.via('a', 'list_tables', '{"search": "audited"}');
SELECT t.via('a', 'describe_table', '{"table": "audited"}');
SELECT t.read('a', 'fluxbase://schema/tables');
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('a'));
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', t.credential('a'));
\o
CALL t.written();
SELECT t.news();

-- Errors, refusals, rollbacks: the record stays.
\o /dev/null
SELECT t.via('a', 'insert_record', '{"table": "audited", "data": {"id": 1, "owner": "a", "secret": "hush"}}');
SELECT t.via('a', 'insert_record', '{"table": "audited", "data": {"id": 2000, "owner": "b"}}');
SELECT t.via('a', 'query_table', '{"table": "closed"}');
SELECT t.via('a', 'query_table', '{"table": "audited", "filter": {"nothing": "eq.1"}}');
SELECT t.via('a', 'delete_record', '{"table": "audited", "filter": {"id": "gt.0"}, "max_affected": 1}');
SELECT t.via('a', 'invoke_rpc', '{"name": "secret_thing", "params": {"name": "hush"}}');
SELECT t.via('a', 'no_such_tool', '{"name": "hush"}');
-- A NUL, which no text of Postgres may hold, and a name without an end.
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nul\u0000tool","arguments":{}}}', t.credential('a'));
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"' || repeat('x', 5000) || '","arguments":{}}}', t.credential('a'));
-- A notification is no call.
SELECT t.http('{"jsonrpc":"2.0","method":"notifications/initialized"}', t.credential('a'));
SELECT t.via('a', 'delete_record', '{"table": "audited", "filter": {"id": "gt.0"}}', '{"read_only": true}');
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"nonsense"}', t.credential('a'));
BEGIN;
SELECT t.call('query_table', '{"table": "audited", "limit": 2}');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT mcp.authenticate(t.credential('b'));
SELECT t.call('delete_record', '{"table": "audited", "filter": {"id": "gt.0"}, "expect": 0}');
ROLLBACK TO s;
ROLLBACK;
\o
-- As a cancel does it.
CREATE FUNCTION public.cancelled() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'cancelled' USING ERRCODE = 'query_canceled'; END $$;
CREATE VIEW public.slow AS SELECT public.cancelled() AS nap;
GRANT SELECT ON public.slow TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "slow"}');
-- The call went well, its transaction did not.
CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'too late' USING ERRCODE = '40001'; END $$;
CREATE TABLE public.doomed (id int);
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.doomed DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.late();
WITH i AS (INSERT INTO public.doomed VALUES (1) RETURNING id) SELECT id, left(t.via('a', 'query_table', '{"table": "audited", "limit": 1}'), 5) FROM i;
CALL t.written();
SELECT t.news();

-- A call within a call is recorded, too, and nothing in a tool's body gets around it.
CREATE FUNCTION public.inner_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('mcp.audit', 'off', false);
    RETURN NEW;
EXCEPTION WHEN OTHERS THEN
    PERFORM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"audited","limit":3}}}');
    RETURN NEW;
END
$$;
CREATE TRIGGER inner_call BEFORE INSERT ON public.audited FOR EACH ROW EXECUTE FUNCTION public.inner_call();
\o /dev/null
SELECT t.via('a', 'insert_record', '{"table": "audited", "data": {"id": 3000, "owner": "a"}, "returning": "none"}');
\o
DROP TRIGGER inner_call ON public.audited;
CALL t.written();
SELECT t.news();

-- No value is in it.
SELECT count(*) FROM mcp.audit_log AS l WHERE l::text ~ 'hush|value7|secret_thing.*hush';

-- Nobody may read, write, empty, or have anything written, or switch it off.
SET ROLE authenticated;
SELECT t.try(s) FROM unnest(ARRAY[
    'SELECT count(*) FROM mcp.audit_log', 'SELECT count(*) FROM mcp.audit_seals', 'SELECT count(*) FROM mcp.audit_failed_keys',
    'INSERT INTO mcp.audit_log (logged_at, batch, n, at, source, outcome) VALUES (now(), 1, 1, now(), ''sql'', ''ok'')',
    'UPDATE mcp.audit_log SET outcome = ''ok''', 'DELETE FROM mcp.audit_log', 'TRUNCATE mcp.audit_log', 'DROP TABLE mcp.audit_log',
    'TRUNCATE mcp.audit_log_20200102', 'SELECT count(*) FROM mcp.audit_log_20200102', 'UPDATE mcp.audit_seals SET rows = 0', 'LOCK TABLE mcp.audit_log',
    'SELECT mcp._audit_write()', 'SELECT count(*) FROM mcp._audit_batch()', 'SELECT mcp._audit_note(''x'', ''y'')', 'SELECT mcp._audit_refused(''host or origin not allowed'', ''192.0.2.1'', 1)',
    'SELECT mcp._maintain_audit()', 'SELECT mcp._audit_partition(''2020-01-01'')', 'SELECT count(*) FROM mcp.audit_verify()', 'SELECT count(*) FROM mcp.audit_status()',
    'SET mcp.audit = off', 'SET LOCAL mcp.audit = off', 'ALTER ROLE authenticated SET mcp.audit = off', 'SET mcp.audit_arguments = on', 'SET mcp.audit_retention_days = 1']) AS s;
RESET ROLE;
SELECT t.via('a', 'query_table', '{"table": "mcp.audit_log"}');
SELECT t.try('SELECT mcp.create_key(''client'', ''x'', ''{read:tables}'', settings => ''{"mcp.audit": "off"}'')');
-- Not even the superuser's session is without it.
SELECT t.try('SET mcp.audit = off');
-- The listener's role counts what it turned away, and cannot say anything else.
SET ROLE regress_listener;
SELECT t.try(s) FROM unnest(ARRAY['SELECT mcp._audit_refused(''host or origin not allowed'', ''192.0.2.9'', 3)', 'SELECT mcp._audit_refused(''unknown key'', ''192.0.2.1'', 1)',
    'SELECT mcp._audit_refused(''rubbish'', ''192.0.2.1'', 1)', 'SELECT mcp._audit_refused(''host or origin not allowed'', ''192.0.2.9'', -3)', 'SELECT count(*) FROM mcp.audit_log', 'SELECT mcp._audit_write()']) AS s;
RESET ROLE;
SET ROLE mcp_admin;
SELECT count(*) > 20 FROM mcp.audit_log;
SELECT t.try('DELETE FROM mcp.audit_log'), t.try('UPDATE mcp.audit_seals SET rows = 0'), t.try('TRUNCATE mcp.audit_log');
RESET ROLE;

-- The questions of a security review: keys that were not accepted, limits, what was denied, deletes of many rows, tables that are new to a key.
SELECT t.key('audit_gone'), t.key('audit_fast', rate => 1);
\o /dev/null
SELECT mcp.revoke_key('client', 'audit_gone');
SELECT t.via('audit_gone', 'query_table', '{"table": "audited"}', '{"http": true, "address": "192.0.2.8"}');
SELECT t.http('{}', 'fbk:00000000000000ff:' || repeat('0', 64), '{"http": true, "address": "192.0.2.8"}');
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential('audit_fast'), '{"http": true, "address": "192.0.2.8"}') FROM generate_series(1, 40);
SELECT t.via('a', 'delete_record', '{"table": "audited", "filter": {"id": "gt.20"}, "returning": "none"}');
\o
SELECT t.try('SELECT mcp.authenticate(''nonsense'')');
DO $$
BEGIN
    FOR n IN 1..600 LOOP
        EXIT WHEN (SELECT sum(times) >= 39 FROM mcp.audit_rate_limits) AND (SELECT sum(times) = 4 FROM mcp.audit_failed_keys) AND EXISTS (SELECT FROM mcp.audit_denied WHERE reason IS NOT NULL);
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
CALL t.written();
SELECT address, key_id = '00000000000000ff' AS other, key_name, reason, sum(times) AS times FROM mcp.audit_failed_keys GROUP BY 1, 2, 3, 4 ORDER BY reason, address;
SELECT key_name, address, reason, sum(times) FROM mcp.audit_rate_limits GROUP BY 1, 2, 3;
SELECT key_name, role, tool, object, code, reason, sum(times) AS times FROM mcp.audit_denied GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY tool, object, code, reason;
SELECT key_name, role, tool, object, calls > 0 AS calls, rows > 100 AS rows FROM mcp.audit_bulk_deletes;
SELECT key_id = substr(md5('a'), 1, 16) AS a, object, rows > 0 AS rows FROM mcp.audit_unusual_tables WHERE role = 'authenticated' AND object <> 'public.doomed' ORDER BY object;

-- What was changed is found.
SELECT ok, first_batch, last_batch > 1 AS more, rows > 20 AS rows, length(digest) FROM mcp.audit_verify();
BEGIN;
UPDATE mcp.audit_log SET rows = 0 WHERE tool = 'delete_record' AND rows = 1;
SELECT ok, regexp_replace(problem, '[0-9]+ of .* was', 'N was') FROM mcp.audit_verify();
ROLLBACK;
BEGIN;
DELETE FROM mcp.audit_log WHERE (batch, n) IN (SELECT l.batch, l.n FROM mcp.audit_log AS l WHERE l.batch > 1 ORDER BY l.batch, l.n LIMIT 1);
SELECT ok, regexp_replace(problem, '[0-9]+ of .* has [0-9]+ rows instead of [0-9]+', 'N has too few') FROM mcp.audit_verify();
ROLLBACK;
BEGIN;
DELETE FROM mcp.audit_log WHERE batch = 2;
DELETE FROM mcp.audit_seals WHERE batch = 2;
SELECT ok, problem FROM mcp.audit_verify();
ROLLBACK;
BEGIN;
UPDATE mcp.audit_seals SET digest = sha256(digest) WHERE batch = 2;
SELECT ok, regexp_replace(problem, '(of) .* (was)', '\1 … \2') FROM mcp.audit_verify();
ROLLBACK;
BEGIN;
INSERT INTO mcp.audit_log (logged_at, batch, n, at, source, outcome) VALUES (now(), 999999, 1, now(), 'sql', 'ok');
SELECT ok, problem FROM mcp.audit_verify();
ROLLBACK;

-- What is too old goes, and the chain holds.
SELECT count(*) FROM mcp.audit_log WHERE logged_at < '2021-01-01';
SELECT mcp._maintain_audit();
SELECT count(*) FROM mcp.audit_log WHERE logged_at < '2021-01-01';
ALTER SYSTEM RESET mcp.audit_retention_days;
SELECT pg_reload_conf() \g /dev/null
\c
SET client_min_messages = warning;
CALL t.until('mcp.audit_retention_days', '90');
SELECT mcp._maintain_audit();
SELECT count(*) FROM mcp.audit_log WHERE logged_at < '2021-01-01';
SELECT to_regclass('mcp.audit_log_20200102') IS NULL, count(*) FROM mcp.audit_seals WHERE removed_at IS NOT NULL;
CALL t.written();
SELECT method, note FROM mcp.audit_log WHERE source = 'audit';
SELECT ok, first_batch, problem FROM mcp.audit_verify();
-- Partitions are there before they are needed.
SELECT count(*) FROM pg_inherits WHERE inhparent = 'mcp.audit_log'::regclass AND inhrelid::regclass::text >= 'mcp.audit_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD');

-- Arguments are recorded only when that is asked for; off is off.
SELECT count(*) FROM t.news() \g /dev/null
ALTER SYSTEM SET mcp.audit_arguments = on;
SELECT pg_reload_conf() \g /dev/null
\c
SET client_min_messages = warning;
CALL t.until('mcp.audit_arguments', 'on');
SELECT t.via('a', 'query_table', '{"table": "audited", "filter": {"id": "eq.7"}}') \g /dev/null
ALTER SYSTEM SET mcp.audit = off;
SELECT pg_reload_conf() \g /dev/null
\c
CALL t.until('mcp.audit', 'off');
SELECT t.via('a', 'query_table', '{"table": "audited", "filter": {"id": "eq.8"}}') \g /dev/null
SELECT state FROM mcp.audit_status();
ALTER SYSTEM RESET mcp.audit;
ALTER SYSTEM RESET mcp.audit_arguments;
SELECT pg_reload_conf() \g /dev/null
\c
SET client_min_messages = warning;
CALL t.until('mcp.audit', 'on');
CALL t.until('mcp.audit_arguments', 'off');
CALL t.written();
SELECT t.news();

-- It leaves nothing for the other tests.
DROP TABLE public.audited, public.closed, public.doomed;
DROP VIEW public.slow;
DROP FUNCTION public.late, public.inner_call, public.cancelled;
DROP VIEW mcp.audit_failed_keys, mcp.audit_rate_limits, mcp.audit_denied, mcp.audit_unusual_tables, mcp.audit_bulk_deletes;
DROP TABLE mcp.audit_log, mcp.audit_seals, t.seen;
REVOKE CREATE ON SCHEMA mcp FROM mcp_owner;
DROP FUNCTION t.news;
DROP PROCEDURE t.written, t.until;
SELECT state FROM mcp.audit_status();
