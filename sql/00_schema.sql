-- The schema and the role that owns what nobody else may read. The functions of the library follow.
DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'fluxbase_mcp_ext needs a database with encoding UTF8, not %', pg_catalog.getdatabaseencoding()
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'JSON-RPC is UTF-8. Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) 'mcp_owner') THEN
        CREATE ROLE mcp_owner NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
    -- What the workers of background jobs connect as. Before version 17 a role must be one that may log in for that; without a password
    -- nobody can with one.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) 'mcp_jobs') THEN
        IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 170000 THEN
            CREATE ROLE mcp_jobs LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
        ELSE
            CREATE ROLE mcp_jobs NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
        END IF;
    END IF;
    -- The same for the process that writes the audit.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) 'mcp_audit') THEN
        IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 170000 THEN
            CREATE ROLE mcp_audit LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
        ELSE
            CREATE ROLE mcp_audit NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
        END IF;
    END IF;
END
$$;

CREATE SCHEMA mcp;
COMMENT ON SCHEMA mcp IS 'The MCP server fluxbase_mcp_ext: its functions, keys and settings.';
GRANT USAGE ON SCHEMA mcp TO PUBLIC;
