-- Loads the demo's rows. Started by psql in the folder with the three .tsv files that packages.py made. psql variables:
-- tenant_a and tenant_b, the user ids of the two tenants.
-- Indexes and the foreign keys of the big tables come after the rows, which is several times faster.
\set ON_ERROR_STOP on
BEGIN;

ALTER TABLE public.dependencies DROP CONSTRAINT dependencies_package_fkey, DROP CONSTRAINT dependencies_pkey;
\copy public.maintainers FROM 'maintainers.tsv'
\copy public.packages FROM 'packages.tsv'
\copy public.dependencies FROM 'dependencies.tsv'
ALTER TABLE public.dependencies
    ADD PRIMARY KEY (package, kind, position, alternative),
    ADD FOREIGN KEY (package) REFERENCES public.packages ON DELETE CASCADE;
CREATE INDEX ON public.packages (section);
CREATE INDEX ON public.packages (maintainer);
CREATE INDEX ON public.packages (installed_size);
CREATE INDEX ON public.dependencies (depends_on);

INSERT INTO public.users (id, email, created_at) VALUES
    (:'tenant_a', 'alice@tenant-a.example', now() - interval '400 days'),
    (:'tenant_b', 'bob@tenant-b.example', now() - interval '200 days');
-- The same made-up accounts on every machine.
INSERT INTO public.users (id, email, is_active, created_at)
SELECT md5('demo user ' || n)::uuid,
       format('%s.%s%s@example.com',
              (ARRAY['ada','alan','barbara','dennis','edsger','frances','grace','john','ken','leslie','margaret','niklaus'])[1 + n % 12],
              (ARRAY['adams','baker','clark','davis','evans','frank','green','hill'])[1 + n % 8], n),
       n % 7 <> 0,
       timestamptz '2024-01-01 08:00:00+00' + n * interval '37 hours 13 minutes'
FROM generate_series(1, 300) AS n;

INSERT INTO public.notes (user_id, title, body, created_at) VALUES
    (:'tenant_a', 'Upgrade plan', 'Move the reporting server to the next Debian release in March.', now() - interval '20 days'),
    (:'tenant_a', 'Ideas', 'Ask the assistant which packages nobody depends on.', now() - interval '9 days'),
    (:'tenant_a', 'Call Bob', 'About the invoice. He must not see this note.', now() - interval '2 days'),
    (:'tenant_b', 'Licence review', 'Check the ten largest packages in section science.', now() - interval '15 days'),
    (:'tenant_b', 'Shopping', 'Disks, coffee.', now() - interval '1 day');

COMMIT;
ANALYZE public.maintainers, public.packages, public.dependencies, public.users, public.notes;
