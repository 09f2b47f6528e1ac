-- The audit: what mcp.install('{audit}') creates, how records get in, how one finds that they were changed.
--
-- The table belongs to mcp_owner, which nobody is; mcp_admin may read it, and nobody else may do anything. Rows are written by the process of
-- this database that connects as mcp_audit, in batches; each batch is sealed by a digest over the digest before it and its own rows, so that
-- nothing can be changed or taken out of the middle without mcp.audit_verify() saying so. Who is superuser, or can become mcp_owner, can write
-- the whole chain anew: whoever must exclude that keeps the last digest somewhere else.

CREATE FUNCTION mcp._install_audit() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation text;
BEGIN
    -- For the partitions, which its functions make.
    GRANT CREATE ON SCHEMA mcp TO mcp_owner;
    IF to_regclass('mcp.audit_log') IS NULL THEN
        CREATE TABLE mcp.audit_log (
            logged_at timestamptz NOT NULL,
            batch bigint NOT NULL,
            n integer NOT NULL,
            at timestamptz NOT NULL,
            duration_ms numeric(14,3),
            source text NOT NULL,
            key_id text,
            key_name text,
            user_id text,
            role text,
            login text,
            address inet,
            pid integer,
            method text,
            tool text,
            object text,
            rows bigint,
            outcome text NOT NULL,
            status integer,
            code text,
            times integer NOT NULL DEFAULT 1,
            note text,
            arguments text,
            PRIMARY KEY (logged_at, batch, n)
        ) PARTITION BY RANGE (logged_at);
        CREATE INDEX audit_log_at ON mcp.audit_log (at);
        CREATE INDEX audit_log_key ON mcp.audit_log (key_id, at);
        COMMENT ON TABLE mcp.audit_log IS 'One row for each call: who, what, when, where from, what became of it. Written by a process of the server; nobody may change it.';
        COMMENT ON COLUMN mcp.audit_log.at IS 'When the call began.';
        COMMENT ON COLUMN mcp.audit_log.logged_at IS 'When the row was written; the rows of one day are a partition.';
        COMMENT ON COLUMN mcp.audit_log.object IS 'What the call is about: tables, bucket/key, namespace/function, a URI. Never a value.';
        COMMENT ON COLUMN mcp.audit_log.rows IS 'Rows that were returned or changed.';
        COMMENT ON COLUMN mcp.audit_log.outcome IS 'ok, undone, begun, error, denied, aborted, unauthenticated, limited or lost.';
        COMMENT ON COLUMN mcp.audit_log.code IS 'SQLSTATE, or the code of a JSON-RPC error.';
        COMMENT ON COLUMN mcp.audit_log.times IS 'How many events the row stands for: refusals of one kind are counted.';
        ALTER TABLE mcp.audit_log OWNER TO mcp_owner;
        RETURN NEXT 'table mcp.audit_log created';
    ELSE
        RETURN NEXT 'table mcp.audit_log is there already and was left as it is';
    END IF;
    IF to_regclass('mcp.audit_seals') IS NULL THEN
        CREATE TABLE mcp.audit_seals (
            batch bigint PRIMARY KEY,
            logged_at timestamptz NOT NULL,
            rows integer NOT NULL,
            previous bytea NOT NULL,
            digest bytea NOT NULL,
            removed_at timestamptz
        );
        COMMENT ON TABLE mcp.audit_seals IS 'For each batch of mcp.audit_log a digest over the batch before it and its own rows; see mcp.audit_verify().';
        COMMENT ON COLUMN mcp.audit_seals.removed_at IS 'When its rows became too old.';
        ALTER TABLE mcp.audit_seals OWNER TO mcp_owner;
        RETURN NEXT 'table mcp.audit_seals created';
    ELSE
        RETURN NEXT 'table mcp.audit_seals is there already and was left as it is';
    END IF;
    IF to_regclass('mcp.audit_failed_keys') IS NULL THEN
        CREATE VIEW mcp.audit_failed_keys AS
        SELECT date_trunc('hour', l.at) AS hour, l.address, l.key_id, l.key_name, l.note AS reason, sum(l.times) AS times,
               min(l.at) AS first_at, max(l.at) AS last_at
          FROM mcp.audit_log AS l WHERE l.outcome = 'unauthenticated'
         GROUP BY 1, 2, 3, 4, 5;
        COMMENT ON VIEW mcp.audit_failed_keys IS 'Keys that were not accepted, by hour, address and key.';
    END IF;
    IF to_regclass('mcp.audit_rate_limits') IS NULL THEN
        CREATE VIEW mcp.audit_rate_limits AS
        SELECT date_trunc('hour', l.at) AS hour, l.key_id, l.key_name, l.address, l.note AS reason, sum(l.times) AS times,
               min(l.at) AS first_at, max(l.at) AS last_at
          FROM mcp.audit_log AS l WHERE l.outcome = 'limited'
         GROUP BY 1, 2, 3, 4, 5;
        COMMENT ON VIEW mcp.audit_rate_limits IS 'Requests above a limit, by hour, key and address.';
    END IF;
    IF to_regclass('mcp.audit_denied') IS NULL THEN
        CREATE VIEW mcp.audit_denied AS
        SELECT date_trunc('hour', l.at) AS hour, l.key_id, l.key_name, l.role, l.address, l.tool, l.object, l.code, l.note AS reason,
               sum(l.times) AS times, min(l.at) AS first_at, max(l.at) AS last_at
          FROM mcp.audit_log AS l WHERE l.outcome = 'denied' OR l.code = '42P01'
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
        COMMENT ON VIEW mcp.audit_denied IS 'What a scope, a privilege or a list of the operator''s forbade, and tables that are not there for who asked, by hour.';
    END IF;
    IF to_regclass('mcp.audit_unusual_tables') IS NULL THEN
        CREATE VIEW mcp.audit_unusual_tables AS
        SELECT u.first_at, u.key_id, u.key_name, u.role, u.object, u.calls, u.rows, u.last_at
          FROM (SELECT l.key_id, l.key_name, l.role, o.object, count(*) AS calls, sum(l.rows) AS rows, min(l.at) AS first_at,
                       max(l.at) AS last_at, min(min(l.at)) OVER (PARTITION BY l.key_id, l.role) AS known_since
                  FROM mcp.audit_log AS l CROSS JOIN LATERAL string_to_table(l.object, ', ') AS o(object)
                 WHERE l.outcome = 'ok' AND l.tool IN ('query_table', 'insert_record', 'update_record', 'delete_record', 'write_batch')
                 GROUP BY 1, 2, 3, 4) AS u
         WHERE u.first_at >= u.known_since + interval '1 day';
        COMMENT ON VIEW mcp.audit_unusual_tables IS 'Tables that a key turned to for the first time when it had been at work for a day or more.';
    END IF;
    IF to_regclass('mcp.audit_bulk_deletes') IS NULL THEN
        CREATE VIEW mcp.audit_bulk_deletes AS
        SELECT date_trunc('minute', l.at) AS minute, l.key_id, l.key_name, l.role, l.address, l.tool, l.object, count(*) AS calls,
               sum(l.rows) AS rows
          FROM mcp.audit_log AS l WHERE l.outcome = 'ok' AND l.tool IN ('delete_record', 'write_batch', 'delete_object')
         GROUP BY 1, 2, 3, 4, 5, 6, 7
        HAVING sum(coalesce(l.rows, 1)) >= 100;
        COMMENT ON VIEW mcp.audit_bulk_deletes IS 'A hundred rows or more deleted (or written by write_batch) by one key within a minute, in one call or many.';
    END IF;
    FOREACH relation IN ARRAY ARRAY['audit_failed_keys', 'audit_rate_limits', 'audit_denied', 'audit_unusual_tables', 'audit_bulk_deletes'] LOOP
        EXECUTE format('ALTER VIEW mcp.%I OWNER TO mcp_owner', relation);
    END LOOP;
    FOREACH relation IN ARRAY ARRAY['audit_log', 'audit_seals', 'audit_failed_keys', 'audit_rate_limits', 'audit_denied', 'audit_unusual_tables',
                                    'audit_bulk_deletes'] LOOP
        EXECUTE format('REVOKE ALL ON mcp.%I FROM PUBLIC', relation);
        IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'mcp_admin') THEN
            EXECUTE format('GRANT SELECT ON mcp.%I TO mcp_admin', relation);
        END IF;
    END LOOP;
    RETURN NEXT 'views mcp.audit_failed_keys, audit_rate_limits, audit_denied, audit_unusual_tables and audit_bulk_deletes are there';
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO mcp_audit', current_database());
    PERFORM mcp._maintain_audit();
    RETURN QUERY
    SELECT CASE WHEN mcp._preloaded() THEN format('calls are recorded from now on; a process of this server writes them down (mcp.audit is %s)', current_setting('mcp.audit'))
                ELSE 'note: fluxbase_mcp_ext is not in shared_preload_libraries: records are lines of the server log until it is' END;
END
$$;

-- The partition of one day, and who may read it: through the whole table only.
CREATE FUNCTION mcp._audit_partition(day pg_catalog.date) RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    name text := 'audit_log_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass('mcp.' || name) IS NULL THEN
        EXECUTE format('CREATE TABLE mcp.%I PARTITION OF mcp.audit_log FOR VALUES FROM (%L) TO (%L)', name,
                       day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format('ALTER TABLE mcp.%I OWNER TO mcp_owner', name);
        EXECUTE format('REVOKE ALL ON mcp.%I FROM PUBLIC', name);
    END IF;
END
$$;
ALTER FUNCTION mcp._audit_partition(pg_catalog.date) OWNER TO mcp_owner;

-- The digest of a batch as its rows are now.
CREATE FUNCTION mcp._audit_digest(of_logged_at pg_catalog.timestamptz, of_batch pg_catalog.int8, previous pg_catalog.bytea) RETURNS pg_catalog.bytea
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET extra_float_digits = 1
AS $$
DECLARE
    lines text;
BEGIN
    SELECT string_agg(jsonb_build_array(l.logged_at::text, l.batch, l.n, l.at::text, l.duration_ms, l.source, l.key_id, l.key_name, l.user_id,
                                        l.role, l.login, l.address::text, l.pid, l.method, l.tool, l.object, l.rows, l.outcome, l.status,
                                        l.code, l.times, l.note, l.arguments)::text, E'\n' ORDER BY l.n)
      INTO lines
      FROM mcp.audit_log AS l WHERE l.logged_at = of_logged_at AND l.batch = of_batch;
    RETURN sha256(previous || convert_to(coalesce(lines, ''), 'UTF8'));
END
$$;
ALTER FUNCTION mcp._audit_digest(pg_catalog.timestamptz, pg_catalog.int8, pg_catalog.bytea) OWNER TO mcp_owner;

-- Writes the batch that the calling process holds, which only the audit's own can have. How many rows.
CREATE FUNCTION mcp._audit_write() RETURNS pg_catalog.int8
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    last record;
    this bigint;
    written bigint;
    before bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mcp.audit_seals', 1));
    SELECT s.batch, s.digest INTO last FROM mcp.audit_seals AS s ORDER BY s.batch DESC LIMIT 1;
    this := coalesce(last.batch, 0) + 1;
    before := coalesce(last.digest, '');
    PERFORM mcp._audit_partition(now()::date);
    INSERT INTO mcp.audit_log (logged_at, batch, n, at, duration_ms, source, key_id, key_name, user_id, role, login, address, pid, method, tool,
                               object, rows, outcome, status, code, times, note, arguments)
    SELECT now(), this, row_number() OVER (), b.at, b.duration_ms::numeric(14,3), b.source, b.key_id, k.name, k.user_id,
           coalesce(b.role, k.role_name::text), b.login, b.address::inet, b.pid, b.method, b.tool, b.object, b.rows, b.outcome, b.status, b.code,
           b.times, b.note, b.arguments
      FROM mcp._audit_batch() AS b LEFT JOIN mcp.keys AS k ON k.key_id = b.key_id;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written > 0 THEN
        INSERT INTO mcp.audit_seals (batch, logged_at, rows, previous, digest)
        VALUES (this, now(), written, before, mcp._audit_digest(now(), this, before));
    END IF;
    RETURN written;
END
$$;
ALTER FUNCTION mcp._audit_write() OWNER TO mcp_owner;

-- Makes the partitions of the next days and removes what is too old; nothing where there is no audit.
CREATE FUNCTION mcp._maintain_audit() RETURNS pg_catalog.void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    days int := current_setting('mcp.audit_retention_days')::int;
    old record;
    until timestamptz;
    last bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_roles AS o ON o.oid = c.relowner
                    WHERE c.oid = to_regclass('mcp.audit_log') AND c.relkind = 'p' AND o.rolname = 'mcp_owner')
       OR NOT pg_try_advisory_xact_lock(hashtextextended('mcp.audit_seals', 2)) THEN
        RETURN;
    END IF;
    PERFORM mcp._audit_partition(now()::date + d) FROM generate_series(0, 2) AS d;
    IF days = 0 THEN
        RETURN;
    END IF;
    FOR old IN
        SELECT c.relname AS name, to_date(substr(c.relname, 11), 'YYYYMMDD') AS day
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'mcp.audit_log'::regclass AND c.relname ~ '^audit_log_[0-9]{8}$'
           AND to_date(substr(c.relname, 11), 'YYYYMMDD') < now()::date - days
         ORDER BY c.relname LIMIT 10
    LOOP
        until := (old.day + 1)::timestamptz;
        SELECT max(s.batch) INTO last FROM mcp.audit_seals AS s WHERE s.logged_at < until;
        -- The last seal of all stays: the next one goes on from it.
        UPDATE mcp.audit_seals AS s SET removed_at = now() WHERE s.batch = last AND s.removed_at IS NULL;
        DELETE FROM mcp.audit_seals AS s WHERE s.batch < last;
        EXECUTE format('DROP TABLE mcp.%I', old.name);
        PERFORM mcp._audit_note('audit/retention', format('%s removed; batches up to %s are gone', old.name, coalesce(last, 0)));
    END LOOP;
END
$$;
ALTER FUNCTION mcp._maintain_audit() OWNER TO mcp_owner;
COMMENT ON FUNCTION mcp._maintain_audit IS 'Makes the next partitions of mcp.audit_log and removes days older than mcp.audit_retention_days.';

CREATE FUNCTION mcp.audit_verify()
    RETURNS TABLE (ok pg_catalog.bool, first_batch pg_catalog.int8, last_batch pg_catalog.int8, rows pg_catalog.int8, digest pg_catalog.text,
                   problem pg_catalog.text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
#variable_conflict use_column
DECLARE
    seal record;
    before_batch bigint;
    before_digest bytea;
    found_rows bigint;
    problems int := 0;
    total bigint := 0;
    first bigint;
    wrong text;
BEGIN
    IF to_regclass('mcp.audit_log') IS NULL THEN
        RAISE EXCEPTION 'this database keeps no audit' USING ERRCODE = 'undefined_table', HINT = 'SELECT mcp.install(''{audit}'');';
    END IF;
    FOR seal IN SELECT s.batch, s.logged_at, s.rows, s.previous, s.digest, s.removed_at FROM mcp.audit_seals AS s ORDER BY s.batch LOOP
        wrong := NULL;
        IF seal.batch <> before_batch + 1 THEN
            wrong := format('batches %s to %s are missing', before_batch + 1, seal.batch - 1);
        ELSIF seal.previous <> before_digest THEN
            wrong := format('batch %s does not follow batch %s', seal.batch, before_batch);
        ELSIF seal.batch = 1 AND seal.previous <> '' THEN
            wrong := 'batch 1 is not the first one';
        ELSIF seal.removed_at IS NULL THEN
            SELECT count(*) INTO found_rows FROM mcp.audit_log AS l WHERE l.logged_at = seal.logged_at AND l.batch = seal.batch;
            total := total + found_rows;
            IF found_rows <> seal.rows THEN
                wrong := format('batch %s of %s has %s rows instead of %s', seal.batch, seal.logged_at, found_rows, seal.rows);
            ELSIF mcp._audit_digest(seal.logged_at, seal.batch, seal.previous) <> seal.digest THEN
                wrong := format('batch %s of %s was changed', seal.batch, seal.logged_at);
            END IF;
        END IF;
        IF wrong IS NOT NULL AND problems < 100 THEN
            problems := problems + 1;
            RETURN QUERY SELECT false, seal.batch, seal.batch, NULL::bigint, encode(seal.digest, 'hex'), wrong;
        END IF;
        first := coalesce(first, seal.batch);
        before_batch := seal.batch;
        before_digest := seal.digest;
    END LOOP;
    SELECT count(*) INTO found_rows FROM mcp.audit_log AS l
     WHERE NOT EXISTS (SELECT FROM mcp.audit_seals AS s WHERE s.batch = l.batch AND s.logged_at = l.logged_at);
    IF found_rows > 0 THEN
        problems := problems + 1;
        RETURN QUERY SELECT false, NULL::bigint, NULL::bigint, found_rows, NULL::text, format('%s rows belong to no batch', found_rows);
    END IF;
    IF problems = 0 THEN
        RETURN QUERY SELECT true, first, before_batch, total, encode(before_digest, 'hex'), NULL::text;
    END IF;
END
$$;
ALTER FUNCTION mcp.audit_verify() OWNER TO mcp_owner;
COMMENT ON FUNCTION mcp.audit_verify IS
    'Whether anything in mcp.audit_log was changed, added or removed: one row with the last digest if not, else a row for each problem.';
