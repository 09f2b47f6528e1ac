-- Edge functions: what mcp.install('{functions}') creates, and the secret that a runtime checks tokens with.
--
-- The tables are the users' own, as everything that mcp.install makes. Which functions a role may invoke is what it may see of
-- functions.edge_functions: that is for policies to say. A function's URL is shown to nobody but admins.

INSERT INTO mcp._secrets (name, secret)
    VALUES ('functions_token', pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(pg_catalog.gen_random_uuid()));

CREATE FUNCTION mcp.functions_secret() RETURNS pg_catalog.text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT encode(s.secret, 'hex') FROM mcp._secrets AS s WHERE s.name = 'functions_token' $$;
COMMENT ON FUNCTION mcp.functions_secret IS
    'The secret of the tokens that edge functions are called with (HS256): for their runtime, and for nobody else.';
ALTER FUNCTION mcp.functions_secret() OWNER TO mcp_owner;

CREATE FUNCTION mcp._install_functions() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    usable text;
BEGIN
    IF to_regnamespace('functions') IS NULL THEN
        CREATE SCHEMA functions;
        COMMENT ON SCHEMA functions IS 'Edge functions that invoke_function calls, and what became of each call.';
        RETURN NEXT 'schema functions created';
    ELSE
        RETURN NEXT 'schema functions is there already';
    END IF;
    IF to_regclass('functions.edge_functions') IS NULL THEN
        CREATE TABLE functions.edge_functions (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
            namespace text NOT NULL DEFAULT 'default' CHECK (namespace ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
            description text,
            url text CHECK (url ~ '^https?://'),
            enabled boolean NOT NULL DEFAULT true,
            timeout_seconds integer NOT NULL DEFAULT 30 CHECK (timeout_seconds BETWEEN 1 AND 600),
            require_roles text[] NOT NULL DEFAULT '{}',
            rate_limit_per_minute integer CHECK (rate_limit_per_minute > 0),
            disable_execution_logs boolean NOT NULL DEFAULT false,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (name, namespace)
        );
        COMMENT ON COLUMN functions.edge_functions.url IS
            'Where it is called; NULL: mcp.functions_url, then the namespace if it is not "default", then the name.';
        COMMENT ON COLUMN functions.edge_functions.require_roles IS
            'Database roles that may invoke it; empty: every role that may read this table.';
        COMMENT ON COLUMN functions.edge_functions.rate_limit_per_minute IS 'Calls in a minute for each key, or role without a key.';
        ALTER TABLE functions.edge_functions ENABLE ROW LEVEL SECURITY;
        CREATE POLICY invoke ON functions.edge_functions FOR SELECT
            USING (cardinality(require_roles) = 0 OR current_user::text = ANY (require_roles));
        RETURN NEXT 'table functions.edge_functions created';
    ELSE
        RETURN NEXT 'table functions.edge_functions is there already and was left as it is';
    END IF;
    IF to_regclass('functions.edge_executions') IS NULL THEN
        CREATE TABLE functions.edge_executions (
            id uuid PRIMARY KEY,
            function_id uuid NOT NULL REFERENCES functions.edge_functions ON DELETE CASCADE,
            trigger_type text NOT NULL DEFAULT 'mcp',
            status text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'timeout')),
            status_code integer,
            error_message text,
            duration_ms integer,
            role_name text NOT NULL,
            user_id text,
            key_id text,
            started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            completed_at timestamptz
        );
        COMMENT ON COLUMN functions.edge_executions.status IS
            'completed: the function answered, with whatever HTTP status; failed: it did not; running: it has not answered, or its server ended.';
        CREATE INDEX edge_executions_function ON functions.edge_executions (function_id, started_at);
        CREATE INDEX edge_executions_started ON functions.edge_executions (started_at);
        ALTER TABLE functions.edge_executions ENABLE ROW LEVEL SECURITY;
        RETURN NEXT 'table functions.edge_executions created';
    ELSE
        RETURN NEXT 'table functions.edge_executions is there already and was left as it is';
    END IF;
    IF to_regclass('functions.secrets') IS NULL THEN
        CREATE TABLE functions.secrets (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            scope text NOT NULL GENERATED ALWAYS AS (CASE WHEN namespace IS NULL THEN 'global' ELSE 'namespace' END) STORED,
            namespace text CHECK (namespace ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
            name text NOT NULL CHECK (name ~ '^[A-Z][A-Z0-9_]{0,63}$'),
            value text NOT NULL CHECK (octet_length(value) <= 32768),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE UNIQUE INDEX secrets_name ON functions.secrets (coalesce(namespace, ''), name);
        COMMENT ON TABLE functions.secrets IS
            'Secrets of edge functions. Write them with mcp.set_function_secret. No key of an assistant reads a value.';
        COMMENT ON COLUMN functions.secrets.value IS
            'For superusers and the runtime''s own role (mcp.allow_functions_runtime): never grant it to a role that keys stand for.';
        ALTER TABLE functions.secrets ENABLE ROW LEVEL SECURITY;
        RETURN NEXT 'table functions.secrets created';
    ELSE
        RETURN NEXT 'table functions.secrets is there already and was left as it is';
    END IF;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'mcp_admin') THEN
        GRANT USAGE ON SCHEMA functions TO mcp_admin;
        GRANT SELECT, INSERT, UPDATE, DELETE ON functions.edge_functions, functions.edge_executions TO mcp_admin;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'functions.edge_functions'::regclass) THEN
            CREATE POLICY admin ON functions.edge_functions TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'functions.edge_executions'::regclass) THEN
            CREATE POLICY admin ON functions.edge_executions TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        -- All but SELECT of the value: what an administrator's key may not see, no assistant can be made to tell.
        GRANT SELECT (id, scope, namespace, name, created_at, updated_at), INSERT, UPDATE, DELETE ON functions.secrets TO mcp_admin;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'functions.secrets'::regclass) THEN
            CREATE POLICY admin ON functions.secrets TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        RETURN NEXT 'mcp_admin may register functions, read their executions, and set their secrets';
    END IF;
    FOR usable IN SELECT r.role_name FROM mcp.allowed_roles AS r JOIN pg_roles AS p ON p.rolname = r.role_name ORDER BY 1 LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA functions TO %I', usable);
        EXECUTE format('GRANT SELECT (id, name, namespace, description, enabled, timeout_seconds, require_roles, rate_limit_per_minute, '
                       'disable_execution_logs, created_at, updated_at) ON functions.edge_functions TO %I', usable);
        RETURN NEXT format('%s may invoke functions whose policies let it', usable);
    END LOOP;
END
$$;
