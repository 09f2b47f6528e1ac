-- What sqlsmith plays with: the extension with all that it installs, rows of two tenants, and a login with a key holder's privileges.
SET client_min_messages = warning;
CREATE EXTENSION fluxbase_mcp_ext;
SELECT count(*) FROM mcp.setup_roles();
SELECT count(*) FROM mcp.install((SELECT array_agg(p.part) FROM (
    SELECT 'auth' AS part UNION SELECT substr(f.proname, 10) FROM pg_proc AS f
     WHERE f.pronamespace = 'mcp'::regnamespace AND starts_with(f.proname, '_install_')) AS p));
CREATE ROLE smith LOGIN;
GRANT authenticated TO smith;
CREATE TABLE public.notes (id int PRIMARY KEY, tenant text NOT NULL, body text, price numeric, at timestamptz DEFAULT now(), doc jsonb);
INSERT INTO public.notes SELECT n, CASE WHEN n % 2 = 0 THEN 'smith' ELSE 'other' END, 'note ' || n, n / 3.0, now(), jsonb_build_object('n', n)
                           FROM generate_series(1, 200) AS n;
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.notes USING (tenant = current_user) WITH CHECK (tenant = current_user);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.notes TO authenticated;
-- sqlsmith calls functions by their types: this one gives it whole requests.
CREATE FUNCTION public.request(tool text, n int) RETURNS jsonb LANGUAGE sql STABLE AS $$
SELECT jsonb_build_object('jsonrpc', '2.0', 'id', n, 'method', 'tools/call', 'params', jsonb_build_object(
    'name', (ARRAY['query_table', 'insert_record', 'update_record', 'delete_record', 'list_tables', 'describe_table', 'search_vectors', 'list_objects',
                   'submit_job', 'invoke_rpc', 'invoke_function', tool])[1 + abs(n % 12)],
    'arguments', jsonb_build_object('table', 'notes', 'filter', jsonb_build_object('body', tool), 'select', tool, 'limit', abs(n % 7))))
$$;
CREATE VIEW public.requests AS SELECT public.request(n.body, n.id) AS request, n.id FROM public.notes AS n;
GRANT SELECT ON public.requests TO authenticated;
