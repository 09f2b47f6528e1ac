-- Background jobs: procedures with transaction control, that is, that COMMIT or ROLLBACK. Postgres allows that to a CALL at top level only, so
-- they cannot run in the guard of tools: each run has a process of its own, whose session user is the role that submitted the job
-- (fluxbase_mcp_ext/jobs/call.rs). RESET ROLE and SET SESSION AUTHORIZATION lead back to that role; SET ROLE must lead nowhere else either.

-- Why a role may not run that procedure so, and what to do about it; NULL: it may. Asked when a job is registered for a schedule, when one is
-- submitted, when it is claimed, and once more by the process that runs it.
CREATE FUNCTION mcp._job_call_problem(run_as pg_catalog.oid, procedure pg_catalog.oid) RETURNS pg_catalog.text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version integer := current_setting('server_version_num')::int;
    role record;
    other text;
BEGIN
    SELECT p.rolname, p.rolcanlogin, p.rolcreaterole INTO role FROM pg_roles AS p WHERE p.oid = run_as;
    IF EXISTS (SELECT FROM pg_proc AS f WHERE f.oid = procedure AND (f.prosecdef OR f.proconfig IS NOT NULL)) THEN
        RETURN 'its procedure is SECURITY DEFINER or has SET clauses, and Postgres lets no such procedure COMMIT: take them off, or register it without transaction_control';
    END IF;
    IF version < 170000 AND NOT role.rolcanlogin THEN
        RETURN format('before Postgres 17 transaction_control needs a role that may log in, and role %1$s may not: ALTER ROLE %1$I LOGIN without a password, '
                      'keep it out in pg_hba.conf, or register the job without transaction_control', role.rolname);
    END IF;
    IF NOT has_database_privilege(run_as, current_database(), 'CONNECT') THEN
        RETURN format('transaction_control needs a session of its own, and role %s may not connect to this database: GRANT CONNECT ON DATABASE %I TO %I',
                      role.rolname, current_database(), role.rolname);
    END IF;
    IF role.rolcreaterole THEN
        RETURN format('role %s has CREATEROLE, so after a COMMIT its procedure could become another role: use a role without it', role.rolname);
    END IF;
    -- Postgres 16 told SET apart from MEMBER. Who has ADMIN on a role can grant itself SET.
    SELECT o.rolname INTO other FROM pg_roles AS o
     WHERE o.oid <> run_as AND (pg_has_role(run_as, o.oid, CASE WHEN version >= 160000 THEN 'SET' ELSE 'MEMBER' END)
                                OR pg_has_role(run_as, o.oid, 'MEMBER WITH ADMIN OPTION'))
     ORDER BY o.rolname LIMIT 1;
    IF FOUND THEN
        RETURN format('role %s may become role %s, so after a COMMIT its procedure could, too: use a role that is member of no other%s',
                      role.rolname, other,
                      CASE WHEN version >= 160000 THEN format(', or GRANT %I TO %I WITH ADMIN FALSE, SET FALSE', other, role.rolname) ELSE '' END);
    END IF;
    IF version >= 150000 AND (has_parameter_privilege(run_as, 'mcp.claims', 'SET') OR has_parameter_privilege(run_as, 'mcp.claims', 'ALTER SYSTEM')) THEN
        RETURN format('role %s may set mcp.claims, so its procedure could forge the claims of its submitter: REVOKE SET ON PARAMETER mcp.claims FROM %I',
                      role.rolname, role.rolname);
    END IF;
    RETURN NULL;
END
$$;

-- For the process of such a run, while the run is its worker's own: what it calls, and with what.
CREATE FUNCTION mcp._job_call(id pg_catalog.uuid, worker pg_catalog.uuid, run pg_catalog.int4)
    RETURNS TABLE (target pg_catalog.oid, argument pg_catalog.oid, payload pg_catalog.text, role_name pg_catalog.text, key_id pg_catalog.text,
                   claims pg_catalog.text, settings pg_catalog.text, problem pg_catalog.text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT mcp._jobs_there() THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT t.target, f.proargtypes[0], q.payload::text, q.role_name, q.key_id, q.claims::text, q.settings::text,
           CASE WHEN t.problem IS NULL AND t.kind IS DISTINCT FROM 'call' THEN 'it was registered anew without transaction_control' ELSE t.problem END
      FROM jobs.queue AS q
           CROSS JOIN LATERAL mcp._job_target(q.function_id, q.role_name, q.claims IS NOT NULL) AS t
           LEFT JOIN pg_proc AS f ON f.oid = t.target
     WHERE q.id = _job_call.id AND q.worker_id = worker AND q.run = _job_call.run AND q.status = 'running';
END
$$;

ALTER FUNCTION mcp._job_call_problem(pg_catalog.oid, pg_catalog.oid) OWNER TO mcp_owner;
ALTER FUNCTION mcp._job_call(pg_catalog.uuid, pg_catalog.uuid, pg_catalog.int4) OWNER TO mcp_owner;
