-- Large objects from within a tool: those of others stay closed, and a reading tool changes none, not even the caller's own (on Postgres 15 lo_put passes in a
-- read-only transaction; the rollback takes it back).
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT lo_from_bytea(4712, 'of the administrator');
SET ROLE authenticated;
SELECT lo_from_bytea(4713, 'of the caller');
RESET ROLE;
-- The words differ between versions.
SELECT a, t.attack(a, 'query_table', '{"table": "atk.by_view"}') ~ '"(25006|42501) .* [|] authenticated"' AS reading,
       t.via('a', 'insert_record', jsonb_build_object('table', 'atk.by_trigger', 'data', jsonb_build_object('attack', a), 'returning', 'outcome')) ~ '"42501 .* [|] authenticated"' AS writing
  FROM unnest(ARRAY['SELECT lo_get(4712)', 'SELECT lo_put(4712, 0, ''x'')', 'SELECT lo_unlink(4712)', 'SELECT lo_open(4712, 262144)', 'SELECT lo_export(4712, ''/tmp/fluxbase-attack'')',
                    'SELECT lo_import(''/etc/passwd'')', 'ALTER LARGE OBJECT 4712 OWNER TO authenticated', 'GRANT ALL ON LARGE OBJECT 4712 TO authenticated']) WITH ORDINALITY AS u(a, n) ORDER BY n;
SELECT convert_from(lo_get(4712), 'UTF8');
-- One's own, in a view that a reading tool reads: whatever the view's function is told, it is as before.
SELECT count(t.attack(a, 'query_table', '{"table": "atk.by_view"}')) FROM unnest(ARRAY['SELECT lo_put(4713, 0, ''gone'')', 'SELECT lo_unlink(4713)', 'SELECT lo_create(4714)']) AS a;
SELECT convert_from(lo_get(4713), 'UTF8'), count(*) FROM pg_largeobject_metadata WHERE oid IN (4712, 4713, 4714);
-- The function can: a plain session proves it.
BEGIN; SET LOCAL ROLE authenticated; SET LOCAL attack.sql = 'SELECT lo_put(4713, 0, ''GONE'')'; SELECT outcome LIKE 'WORKED%' FROM atk.by_view; RESET ROLE; SELECT convert_from(lo_get(4713), 'UTF8'); ROLLBACK;
SELECT lo_unlink(4712), lo_unlink(4713);
