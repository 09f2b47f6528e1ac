-- The escape table through a view's function, in a read tool: the same, and nothing is written.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
\c - regress_login
BEGIN; SET LOCAL ROLE authenticated; SET attack.sql = 'RESET ROLE'; SELECT * FROM atk.by_view; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; SET attack.sql = 'SET ROLE regress_sibling'; SELECT * FROM atk.by_view; ROLLBACK;
BEGIN; SET LOCAL ROLE authenticated; SET attack.sql = 'INSERT INTO atk.written VALUES (current_user)'; SELECT * FROM atk.by_view; ROLLBACK;
SELECT a.n, a.attack, t.attack(a.attack, 'query_table', '{"table": "atk.by_view"}') FROM t.attacks AS a ORDER BY a.n;
-- Writes inside a read tool, from the view and from a policy.
SELECT a, t.attack(a, 'query_table', '{"table": "atk.by_view"}'), t.attack(a, 'query_table', '{"table": "atk.by_policy"}')
  FROM unnest(ARRAY['INSERT INTO atk.written VALUES (current_user)', 'UPDATE atk.written SET who = 1', 'SELECT nextval(''atk.counter'')', 'SELECT setval(''atk.counter'', 9)', 'SELECT * FROM atk.by_default FOR UPDATE', 'CREATE TABLE public.made (x int)', 'COMMENT ON TABLE atk.written IS ''x''',
                    'SET transaction_read_only = off', 'SET TRANSACTION READ WRITE', 'SET LOCAL transaction_read_only = off; INSERT INTO atk.written VALUES (1)', 'SELECT set_config(''transaction_read_only'', ''off'', true)', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE', 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
                    'SELECT mcp.handle(''{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"insert_record","arguments":{"table":"atk.written","data":{"who":"nested"}}}}'')']) WITH ORDINALITY AS u(a, n) ORDER BY n;
-- Advisory locks, which outlive a transaction: released after a call of the listener's, reads and writes; a person's own session keeps what a
-- function took (documented).
SET attack.sql = 'SELECT pg_advisory_lock(4711)';
SELECT mcp._serve('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "query_table", "arguments": {"table": "atk.by_view"}}}', t.credential('a'), '{}');
SELECT mcp._serve('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "insert_record", "arguments": {"table": "atk.by_default", "data": {"id": 1}, "returning": "outcome"}}}', t.credential('a'), '{}');
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
BEGIN;
SELECT mcp.authenticate(t.credential('a'));
SELECT pg_advisory_lock(4712);
SELECT t.call('query_table', '{"table": "atk.by_view"}');
COMMIT;
SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY objid;
SELECT pg_advisory_unlock_all();
-- The session can write as before, and nothing was written.
SELECT current_setting('transaction_read_only'), current_user;
\c - postgres
SELECT count(*) FROM atk.written;
SELECT last_value, is_called FROM atk.counter;
BEGIN;
SELECT t.via('a', 'query_table', '{"table": "atk.written"}');
INSERT INTO atk.written VALUES ('after a read');
ROLLBACK;
