-- What the demo has beside tables: a procedure, a job, a bucket for files. Runs once, after load.sql, in a database in which
-- mcp.install('{auth,storage,rpc,jobs,audit}') has run.
\set ON_ERROR_STOP on
BEGIN;

-- A procedure, which is also a tool of its own.
CREATE FUNCTION public.most_needed(section text DEFAULT NULL, most integer DEFAULT 10)
    RETURNS TABLE (package text, description text, needed_by bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    SELECT p.name, p.description, count(DISTINCT d.package) AS needed_by
      FROM public.packages AS p JOIN public.dependencies AS d ON d.depends_on = p.name
     WHERE d.kind IN ('pre_depends', 'depends') AND p.section = coalesce(most_needed.section, p.section)
     GROUP BY p.name, p.description
     ORDER BY needed_by DESC, p.name
     LIMIT least(most, 100);
    END;
COMMENT ON FUNCTION public.most_needed IS 'Packages that most others depend on, of one section or of all';

-- A job: some seconds of work, section by section, with its progress.
CREATE FUNCTION public.unneeded_packages(payload jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    sections text[] := ARRAY(SELECT DISTINCT p.section FROM public.packages AS p WHERE p.section IS NOT NULL ORDER BY 1);
    counted jsonb := '{}';
    unneeded bigint;
BEGIN
    FOR i IN 1 .. cardinality(sections) LOOP
        SELECT count(*) INTO unneeded FROM public.packages AS p
         WHERE p.section = sections[i] AND NOT EXISTS (SELECT FROM public.dependencies AS d WHERE d.depends_on = p.name);
        counted := counted || jsonb_build_object(sections[i], unneeded);
        PERFORM jobs.report_progress(100 * i / cardinality(sections), sections[i]);
    END LOOP;
    RETURN counted;
END
$$;
COMMENT ON FUNCTION public.unneeded_packages IS 'Counts, for each section, the packages that no other package depends on';

REVOKE EXECUTE ON FUNCTION public.most_needed, public.unneeded_packages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.most_needed, public.unneeded_packages TO authenticated, service_role;
SELECT mcp.expose_rpc('public.most_needed(text, integer)', as_tool => true);
SELECT mcp.register_job('unneeded_packages', 'public.unneeded_packages(jsonb)', 'Counts, for each section, the packages that no other package depends on.');

-- Files: each user its own.
INSERT INTO storage.buckets (id, name, roles) VALUES ('uploads', 'uploads', '{authenticated,service_role}');

COMMIT;
