-- The demo's tables, their comments (an assistant reads them), grants and policies. Runs once, in an empty database in
-- which mcp.setup_roles() and mcp.install() have run. Loads no rows: see load.sql.
-- Nothing is granted to PUBLIC: what a key may do is what its database role was granted here.
\set ON_ERROR_STOP on
BEGIN;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO authenticated, service_role;

-- The package index of the Debian release on this machine ------------------------------------------------------------
CREATE TABLE public.maintainers (
    maintainer text PRIMARY KEY,
    name       text NOT NULL,
    email      text
);
COMMENT ON TABLE public.maintainers IS 'People and teams that maintain Debian packages';
COMMENT ON COLUMN public.maintainers.maintainer IS 'As the package index writes it: Name <address>';
COMMENT ON COLUMN public.maintainers.name IS 'The name without the address';
COMMENT ON COLUMN public.maintainers.email IS 'The address, if the index has one';

CREATE TABLE public.packages (
    name           text PRIMARY KEY,
    version        text NOT NULL,
    section        text,
    priority       text,
    installed_size integer,
    depends        text,
    description    text,
    homepage       text,
    maintainer     text NOT NULL REFERENCES public.maintainers
);
COMMENT ON TABLE public.packages IS 'Binary packages of the Debian release on this machine, one row for each';
COMMENT ON COLUMN public.packages.name IS 'Package name, for example postgresql-15';
COMMENT ON COLUMN public.packages.version IS 'Debian version: [epoch:]upstream[-revision]. It does not sort as text';
COMMENT ON COLUMN public.packages.section IS 'Subject area, for example libs, python, database';
COMMENT ON COLUMN public.packages.priority IS 'required, important, standard, optional or extra';
COMMENT ON COLUMN public.packages.installed_size IS 'Space on disk once installed, in KiB';
COMMENT ON COLUMN public.packages.depends IS 'The Depends field as written; table dependencies has it row by row';
COMMENT ON COLUMN public.packages.description IS 'One line that says what the package is';
COMMENT ON COLUMN public.packages.homepage IS 'Web page of the upstream project';
COMMENT ON COLUMN public.packages.maintainer IS 'Who maintains it, see maintainers';

CREATE TYPE public.dependency_kind AS ENUM ('pre_depends', 'depends', 'recommends');
CREATE TABLE public.dependencies (
    package     text NOT NULL REFERENCES public.packages ON DELETE CASCADE,
    kind        public.dependency_kind NOT NULL,
    position    smallint NOT NULL,
    alternative smallint NOT NULL,
    depends_on  text NOT NULL,
    condition   text,
    PRIMARY KEY (package, kind, position, alternative)
);
COMMENT ON TABLE public.dependencies IS 'What each package needs: one row for each name in its dependency fields';
COMMENT ON COLUMN public.dependencies.package IS 'The package that needs something';
COMMENT ON COLUMN public.dependencies.kind IS 'pre_depends (before unpacking), depends (must), recommends (should)';
COMMENT ON COLUMN public.dependencies.position IS 'Place in the list, counted from 1. All positions must hold';
COMMENT ON COLUMN public.dependencies.alternative IS 'Place among alternatives (a | b), counted from 1. One of them is enough';
COMMENT ON COLUMN public.dependencies.depends_on IS 'The package needed. May be a virtual package, which has no row in packages';
COMMENT ON COLUMN public.dependencies.condition IS 'Version condition, for example >= 2.34; null when any version will do';

-- Users and their notes: two tenants share one table ----------------------------------------------------------------------
CREATE TABLE public.users (
    id         uuid PRIMARY KEY,
    email      text NOT NULL UNIQUE,
    is_active  boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.users IS 'Accounts of the demo (made up). Each tenant is one user';
COMMENT ON COLUMN public.users.is_active IS 'false once the account was closed';

CREATE TABLE public.notes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    uuid NOT NULL DEFAULT auth.uid() REFERENCES public.users ON DELETE CASCADE,
    title      text NOT NULL CHECK (title <> ''),
    body       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notes_user_id_created_at_idx ON public.notes (user_id, created_at DESC);
COMMENT ON TABLE public.notes IS 'Private notes. Row-level security: everybody sees and changes only their own';
COMMENT ON COLUMN public.notes.user_id IS 'The owner; filled in by itself, leave it out on insert';
COMMENT ON COLUMN public.notes.title IS 'Must not be empty';

ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY notes_select ON public.notes FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()));
CREATE POLICY notes_insert ON public.notes FOR INSERT TO authenticated WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY notes_update ON public.notes FOR UPDATE TO authenticated
    USING (user_id = (SELECT auth.uid())) WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY notes_delete ON public.notes FOR DELETE TO authenticated USING (user_id = (SELECT auth.uid()));

GRANT SELECT ON public.packages, public.maintainers, public.dependencies, public.users TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.notes TO authenticated;
GRANT ALL ON ALL TABLES IN SCHEMA public TO service_role;

COMMIT;
