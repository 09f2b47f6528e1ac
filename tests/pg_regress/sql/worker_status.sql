-- The delegate worker runs, is bound to no database, comes back when it is ended, and tells nobody but admins how it is.
SELECT state, max_calls, max_pending, max_bytes, calls, bytes, hint FROM mcp.worker_status();
SELECT backend_type, datname FROM pg_stat_activity WHERE backend_type = 'fluxbase_mcp delegate';
SELECT s.pid = a.pid AS it_is_this_one
  FROM mcp.worker_status() AS s, pg_stat_activity AS a WHERE a.backend_type = 'fluxbase_mcp delegate';

-- Files go below the data directory, which works; where they go is for admins.
SELECT storage, storage_error FROM mcp.worker_status();
SELECT (pg_stat_file('mcp_storage')).isdir;
SET ROLE anon;
SELECT left(t.try('SELECT current_setting(''mcp.storage_url'')'), 5);
SELECT left(t.try('SELECT current_setting(''mcp.storage_credentials_file'')'), 5);
RESET ROLE;
SELECT t.try('SET mcp.storage_url = ''file:///tmp''');

-- What is wrong with the setting is told, and no other place is taken instead.
ALTER SYSTEM SET mcp.storage_url = 's3://files?region=eu-1&secret=hidden';
SELECT pg_reload_conf();
DO $$
BEGIN
    FOR i IN 1..500 LOOP
        EXIT WHEN (SELECT storage FROM mcp.worker_status()) IS NULL;
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$;
SELECT storage, storage_error FROM mcp.worker_status();
ALTER SYSTEM RESET mcp.storage_url;
SELECT pg_reload_conf();
DO $$
BEGIN
    FOR i IN 1..500 LOOP
        EXIT WHEN (SELECT storage_error FROM mcp.worker_status()) IS NULL;
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$;

-- Ended by an administrator, it is started again, and whoever asks meanwhile waits for it.
CREATE TEMPORARY TABLE before AS SELECT pid FROM mcp.worker_status();
SELECT pg_terminate_backend(pid, 10000) FROM before;
SELECT s.state, s.pid <> b.pid AS another FROM mcp.worker_status() AS s, before AS b;

-- Its settings are the server's, and follow a reload.
SELECT t.try('SET mcp.functions_url = ''http://127.0.0.1/''');
SELECT t.try('SET mcp.worker_max_calls = 1');
ALTER SYSTEM SET mcp.worker_max_calls = 7;
SELECT pg_reload_conf();
DO $$
BEGIN
    FOR i IN 1..500 LOOP
        EXIT WHEN (SELECT max_calls FROM mcp.worker_status()) = 7;
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$;
SELECT max_calls FROM mcp.worker_status();
ALTER SYSTEM RESET mcp.worker_max_calls;
SELECT pg_reload_conf();

-- For admins only.
SET ROLE anon;
SELECT t.try('SELECT state FROM mcp.worker_status()');
RESET ROLE;
SET ROLE mcp_admin;
SELECT state FROM mcp.worker_status();
RESET ROLE;

-- Databases come and go.
CREATE DATABASE comes_and_goes TEMPLATE template0;
DROP DATABASE comes_and_goes;
