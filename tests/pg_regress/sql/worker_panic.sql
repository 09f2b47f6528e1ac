-- A panic of the delegate worker's thread ends the process, which is started again. Only a debug build can be made to panic; a release build has
-- no such function (worker_panic_1.out).
\t on
\a
DO $$
BEGIN
    CREATE FUNCTION t.delegate_panics() RETURNS text LANGUAGE c STRICT AS '$libdir/fluxbase_mcp_ext', 'delegate_panics_wrapper';
EXCEPTION WHEN undefined_function THEN NULL;
END
$$;
SELECT to_regprocedure('t.delegate_panics()') IS NULL AS release \gset
\echo release build: :release
\if :release
\q
\endif
SELECT pid FROM mcp.worker_status() \gset
SELECT t.delegate_panics();
-- Whoever asks meanwhile waits for it.
SELECT state, pid <> :pid AS another, uptime_s < 20 AS young FROM mcp.worker_status();
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'fluxbase_mcp delegate';
DROP FUNCTION t.delegate_panics();
