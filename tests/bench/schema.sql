-- The database of the benchmark: 1,000 tenants with 200 rows each, shuffled over the heap as rows of tenants are, and one
-- policy that every contender is subject to.

CREATE EXTENSION fluxbase_mcp_ext;
SELECT mcp.setup_roles();
SELECT mcp.setup_listener();

-- Plain Postgres, so that the baseline runs no code of ours: a claim is a setting, as PostgREST and Supabase have it. mcp.install
-- leaves a function auth.uid() that is there already as it is.
CREATE SCHEMA auth;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                          nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
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

-- The same rows without row-level security.
CREATE TABLE public.users_open (LIKE public.users INCLUDING ALL);
INSERT INTO public.users_open SELECT * FROM public.users;
GRANT SELECT ON public.users_open TO authenticated;

-- 1,000 rows for each of the tenants that are asked for.
CREATE TABLE public.readings (id bigint PRIMARY KEY, tenant_id uuid NOT NULL, name text NOT NULL);
INSERT INTO public.readings SELECT t * 10000 + n, bench.tenant(t), format('reading %s', n + 1000)
  FROM generate_series(100, 149) AS t, generate_series(0, 1099) AS n ORDER BY n;
CREATE INDEX readings_of_tenant ON public.readings (tenant_id, id);
ALTER TABLE public.readings ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON public.readings TO authenticated USING (tenant_id = (SELECT auth.uid()));
GRANT SELECT ON public.readings TO authenticated;

-- For writes.
CREATE TABLE public.events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id uuid NOT NULL, note text NOT NULL);
CREATE TABLE public.notes (id bigint PRIMARY KEY, tenant_id uuid NOT NULL, note text NOT NULL) WITH (fillfactor = 50);
INSERT INTO public.notes SELECT t * 20 + n, bench.tenant(t), 'a note' FROM generate_series(100, 149) AS t, generate_series(0, 19) AS n;
ALTER TABLE public.events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON public.events TO authenticated USING (tenant_id = (SELECT auth.uid()));
CREATE POLICY own_tenant ON public.notes TO authenticated USING (tenant_id = (SELECT auth.uid()));
GRANT SELECT, INSERT ON public.events TO authenticated;
GRANT SELECT, UPDATE ON public.notes TO authenticated;

-- pgbench's own login role is subject to the policy by its membership.
CREATE ROLE bench_user LOGIN IN ROLE authenticated;

-- The login role of peers that cannot switch roles: subject to the policy as the first of the tenants that are asked for.
CREATE ROLE bench_peer LOGIN IN ROLE authenticated;
ALTER ROLE bench_peer SET request.jwt.claim.sub = '00000000-0000-4000-8000-000000000064';
-- That of those that can, such as PostgREST.
CREATE ROLE bench_switch LOGIN NOINHERIT IN ROLE anon, authenticated;

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

VACUUM (FREEZE, ANALYZE) public.users, public.users_open, public.readings, public.notes;
