-- Settings that a body changes end with the call, for reads and writes; the session's own are neither used nor lost.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
\c - regress_login
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' | ', current_setting('search_path'), current_setting('work_mem'), current_setting('app.x', true), current_setting('DateStyle'), current_setting('statement_timeout'), current_setting('row_security'), current_setting('default_transaction_read_only'),
                 current_setting('request.jwt.claims', true), current_setting('request.jwt.claim.sub', true), current_user)
$$;
SET search_path = 'public'; SET work_mem = '3MB'; SET app.x = 'mine'; SET request.jwt.claims = '{"mine": true}';
SELECT pg_temp.state();
CREATE TEMP TABLE leaks AS SELECT * FROM (VALUES (1, 'SET search_path = evil'), (2, 'SET LOCAL search_path = evil'), (3, 'SET work_mem = ''9MB'''), (4, 'SET app.x = ''theirs'''), (5, 'SET app.new = ''theirs'''), (6, 'RESET app.x'), (7, 'SET DateStyle = German'), (8, 'SET statement_timeout = 12345'), (9, 'SET row_security = off'),
    (10, 'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'), (11, 'SET request.jwt.claims = ''{"forged": true}'''), (12, 'SELECT set_config(''request.jwt.claim.sub'', ''forged'', false)'), (13, 'DO $x$ BEGIN SET work_mem = ''9MB''; RAISE EXCEPTION ''x''; END $x$'), (14, 'RESET ALL')) AS v(n, attack);
SELECT l.n, l.attack, t.attack(l.attack, 'query_table', '{"table": "atk.by_view"}'), t.attack(l.attack, 'insert_record', '{"table": "atk.by_default", "data": {"id": 1}, "returning": "outcome"}') FROM leaks AS l ORDER BY l.n;
SELECT pg_temp.state();
-- Also when the tool fails, and when a key carries settings of its own.
SELECT t.via('a', 'insert_record', '{"table": "atk.by_trigger", "data": {"attack": "SET search_path = evil", "id": "x"}}');
SELECT pg_temp.state();
\c - postgres
SET client_min_messages = warning;
SELECT t.key('with settings', settings => '{"app.x": "of the key", "work_mem": "5MB", "app.tenant": "42"}');
ALTER ROLE authenticated SET app.role_setting = 'of the role';
ALTER ROLE authenticated SET search_path = sib;
ALTER ROLE authenticated SET statement_timeout = 1;
ALTER ROLE authenticated SET work_mem = '7MB';
CREATE VIEW atk.settings AS SELECT current_setting('search_path') AS path, current_setting('work_mem') AS work_mem, current_setting('app.x', true) AS x, current_setting('app.tenant', true) AS tenant, current_setting('app.role_setting', true) AS role_setting, current_setting('statement_timeout') AS timeout, current_setting('row_security') AS row_security,
    current_setting('role') AS role, current_setting('TimeZone') AS zone, current_setting('transaction_read_only') AS read_only, current_user AS who, session_user AS login;
GRANT SELECT ON atk.settings TO authenticated;
\c - regress_login
SET app.x = 'mine'; SET work_mem = '3MB'; SET statement_timeout = '1min';
SELECT t.via('with settings', 'query_table', '{"table": "atk.settings"}');
SELECT t.via('a', 'query_table', '{"table": "atk.settings"}');
SELECT current_setting('app.x'), current_setting('work_mem'), current_setting('app.tenant', true), current_setting('app.role_setting', true);
-- pg_temp comes last in the path, so a temporary table of the session does not stand before what the path names.
\c - postgres
SET client_min_messages = warning;
ALTER ROLE authenticated RESET ALL;
CREATE TABLE public.lookup AS SELECT 'the real one' AS which;
GRANT SELECT ON public.lookup TO authenticated;
\c - regress_login
CREATE TEMP TABLE lookup AS SELECT 'a shadow' AS which;
GRANT SELECT ON lookup TO PUBLIC;
SELECT which FROM lookup;
SELECT t.attack('DO $x$ BEGIN RAISE EXCEPTION ''%'', (SELECT which FROM lookup); END $x$', 'query_table', '{"table": "atk.by_view"}');
SELECT t.via('a', 'query_table', '{"table": "lookup"}');
\c - postgres
DROP TABLE public.lookup;
DROP VIEW atk.settings;
