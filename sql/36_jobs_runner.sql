-- Background jobs: the role that the workers of this server connect as, and what only they may call.
--
-- mcp_jobs owns nothing, is member of no role, and may execute the functions by which a worker reads and writes the queue. CONNECT on a
-- database, granted to it by name, is what the launcher looks for: mcp.install('{jobs}') grants it.

-- A worker of this server begins: every run that is not its own was one of a worker that is no more, since there is one worker for each
-- database. Such runs count as an attempt. How many there were.
CREATE FUNCTION mcp._jobs_orphans(worker pg_catalog.uuid) RETURNS pg_catalog.int4
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number integer := 0;
    more integer;
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN 0;
    END IF;
    UPDATE jobs.workers AS w SET status = 'stopped', current_job_count = 0 WHERE w.id <> worker AND w.status <> 'stopped';
    UPDATE jobs.queue AS q SET lease_until = '-infinity' WHERE q.status = 'running' AND q.worker_id <> worker;
    LOOP
        more := mcp._jobs_take_back();
        EXIT WHEN more = 0;
        number := number + more;
    END LOOP;
    RETURN number;
END
$$;
ALTER FUNCTION mcp._jobs_orphans(pg_catalog.uuid) OWNER TO mcp_owner;

-- Whether the settings let workers of this server run the jobs of this database.
CREATE FUNCTION mcp._jobs_wanted() RETURNS pg_catalog.bool
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN current_setting('mcp.job_concurrency')::int > 0
           AND ARRAY['*', current_database()::text] && mcp._items(current_setting('mcp.job_databases'));
END
$$;

-- What mcp.install('{jobs}') does for the workers, and what it says of them.
CREATE FUNCTION mcp._setup_job_worker() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    routine record;
BEGIN
    -- Functions of upkeep that came with a later version.
    FOR routine IN SELECT p.oid::regprocedure AS name FROM pg_proc AS p
                    WHERE p.pronamespace = 'mcp'::regnamespace AND p.proname LIKE '\_maintain\_%' AND p.pronargs = 0
                      AND NOT has_function_privilege('mcp_jobs', p.oid, 'EXECUTE') LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO mcp_jobs', routine.name);
    END LOOP;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO mcp_jobs', current_database());
    PERFORM mcp._wake_jobs(false);
    RETURN NEXT CASE WHEN NOT mcp._preloaded() THEN
                         'warning: fluxbase_mcp_ext is not in shared_preload_libraries, so there is no worker and jobs only wait'
                     WHEN NOT mcp._jobs_wanted() THEN
                         'warning: mcp.job_databases or mcp.job_concurrency leaves this database out, so jobs only wait'
                     ELSE 'jobs of this database are run: workers of this server connect as mcp_jobs' END;
END
$$;

CREATE FUNCTION mcp._doctor_jobs()
    RETURNS TABLE (level pg_catalog.text, topic pg_catalog.text, finding pg_catalog.text, remedy pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker record;
    role record;
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN;
    END IF;
    SELECT r.* INTO role FROM pg_roles AS r WHERE r.rolname = 'mcp_jobs';
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'error', 'jobs', 'there is no role mcp_jobs, as which workers connect: no job is run',
                            'CREATE ROLE mcp_jobs LOGIN NOINHERIT; ALTER EXTENSION fluxbase_mcp_ext UPDATE; SELECT mcp.install(''{jobs}'');';
        RETURN;
    END IF;
    IF role.rolsuper OR role.rolbypassrls OR role.rolcreaterole OR EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = role.oid) THEN
        RETURN QUERY SELECT 'error', 'jobs', 'role mcp_jobs has attributes or memberships that a worker must not have',
                            'ALTER ROLE mcp_jobs NOSUPERUSER NOBYPASSRLS NOCREATEROLE; and REVOKE its memberships.';
    END IF;
    IF NOT mcp._preloaded() THEN
        RETURN QUERY SELECT 'warn', 'jobs', 'there is no worker: jobs only wait', 'Add fluxbase_mcp_ext to shared_preload_libraries and restart.';
        RETURN;
    END IF;
    IF NOT mcp._jobs_wanted() THEN
        RETURN QUERY SELECT 'warn', 'jobs', 'mcp.job_databases or mcp.job_concurrency leaves this database out: jobs only wait',
                            'ALTER SYSTEM SET mcp.job_databases = ''*''; ALTER SYSTEM SET mcp.job_concurrency = 4; SELECT pg_reload_conf();';
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database AS d CROSS JOIN LATERAL aclexplode(d.datacl) AS a
                    WHERE d.datname = current_database() AND a.grantee = role.oid AND a.privilege_type = 'CONNECT') THEN
        RETURN QUERY SELECT 'warn', 'jobs', 'CONNECT is not granted to mcp_jobs by name, as after a restore or a copy of a database: jobs only wait',
                            format('GRANT CONNECT ON DATABASE %I TO mcp_jobs;', current_database());
        RETURN;
    END IF;
    IF current_setting('server_version_num')::int < 170000 AND NOT role.rolcanlogin THEN
        RETURN QUERY SELECT 'error', 'jobs', 'role mcp_jobs may not log in, which workers must before Postgres 17: no job is run',
                            'ALTER ROLE mcp_jobs LOGIN;';
        RETURN;
    END IF;
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    SELECT s.state, s.hint INTO worker FROM mcp.jobs_status() AS s WHERE s.process = 'coordinator';
    IF worker.state = 'running' AND worker.hint IS NULL THEN
        RETURN QUERY SELECT 'ok', 'jobs', 'the worker of this database runs jobs', NULL::text;
    ELSIF worker.state = 'running' THEN
        RETURN QUERY SELECT 'warn', 'jobs', 'fewer jobs run at once than mcp.job_concurrency says', worker.hint;
    ELSE
        RETURN QUERY SELECT 'error', 'jobs', 'the worker of this database does not run', worker.hint;
    END IF;
END
$$;
ALTER FUNCTION mcp._doctor_jobs() OWNER TO mcp_owner;
ALTER FUNCTION mcp._jobs_wanted() OWNER TO mcp_owner;
