-- The database of the benchmark: 1,000 tenants with 200 rows each, shuffled over the heap as rows of tenants are, and one
-- policy that every contender is subject to.

CREATE EXTENSION fluxbase_mcp_ext;
SELECT mcp.setup_roles();
SELECT mcp.setup_listener();

-- Plain Postgres, so that the baseline runs no code of ours: a claim is a setting, as PostgREST and Supabase have it. mcp.install
-- leaves a function auth.uid() that is there already as it is.
CREATE SCHEMA auth;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
SELECT mcp.install();
GRANT USAGE ON SCHEMA auth TO authenticated;

CREATE SCHEMA bench;
CREATE FUNCTION bench.tenant(number int) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;

CREATE TABLE public.users (
    tenant_id uuid NOT NULL,
    id bigint PRIMARY KEY,
    email text NOT NULL,
    created_at timestamptz NOT NULL
);
INSERT INTO public.users
SELECT bench.tenant(n % 1000), n, format('user%s@tenant%s.example', n, n % 1000), timestamptz '2026-01-01' + n * interval '1 minute 1.5 seconds'
  FROM generate_series(100000, 299999) AS n;
CREATE INDEX users_of_tenant ON public.users (tenant_id, id);
ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON public.users TO authenticated USING (tenant_id = (SELECT auth.uid()));
GRANT SELECT ON public.users TO authenticated;

-- pgbench's own login role is subject to the policy by its membership.
CREATE ROLE bench_user LOGIN IN ROLE authenticated;

-- The function of the bare floor: claim, role (its owner's, which is the cheapest way to switch), the statement, JSON text.
CREATE ROLE bench_floor LOGIN;
GRANT USAGE ON SCHEMA bench TO bench_floor, bench_user;
CREATE FUNCTION bench.read10(tenant text) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
    claimed uuid := set_config('request.jwt.claim.sub', tenant, true);
BEGIN
    RETURN (SELECT json_agg(r) FROM (SELECT id, email, created_at FROM public.users WHERE tenant_id = claimed ORDER BY id LIMIT 10) AS r);
END
$$;
ALTER FUNCTION bench.read10(text) OWNER TO authenticated;
REVOKE EXECUTE ON FUNCTION bench.read10(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bench.read10(text) TO bench_floor;

VACUUM (FREEZE, ANALYZE) public.users;
