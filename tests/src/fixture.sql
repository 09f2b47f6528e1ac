-- What the tests work on. Nothing is granted to PUBLIC.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO authenticated, service_role;

-- The table of the user's document: its request gives exactly one row.
CREATE TABLE public.users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO public.users VALUES
    ('11111111-1111-4111-8111-111111111111', 'user@example.com', true, '2026-01-02 03:04:05.678+00'),
    ('22222222-2222-4222-8222-222222222222', 'gone@example.com', false, '2026-01-02 03:04:06+00');

-- Two tenants, as in the demo.
CREATE TABLE public.notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL DEFAULT auth.uid(),
    title text NOT NULL CHECK (title <> ''),
    body text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY notes_select ON public.notes FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()));
CREATE POLICY notes_insert ON public.notes FOR INSERT TO authenticated WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY notes_update ON public.notes FOR UPDATE TO authenticated
    USING (user_id = (SELECT auth.uid())) WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY notes_delete ON public.notes FOR DELETE TO authenticated USING (user_id = (SELECT auth.uid()));
INSERT INTO public.notes (user_id, title)
SELECT ('00000000-0000-4000-8000-00000000000' || t)::uuid, 'first note of ' || t FROM unnest(ARRAY['a', 'b']) AS t;
CREATE VIEW public.my_notes WITH (security_invoker = true) AS SELECT * FROM public.notes;

-- Twenty tenants with fifty rows each; every row names its tenant.
CREATE TABLE public.ledger (
    id int PRIMARY KEY,
    tenant uuid NOT NULL,
    amount numeric(12, 2) NOT NULL
);
INSERT INTO public.ledger
SELECT n, ('00000000-0000-4000-8000-0000000001' || to_char(n % 20, 'FM00'))::uuid, n / 7.0 FROM generate_series(1, 1000) AS n;
CREATE INDEX ON public.ledger (tenant);
ALTER TABLE public.ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.ledger TO authenticated USING (tenant = auth.uid()) WITH CHECK (tenant = auth.uid());

-- One column of most types, for nonsense.
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE public.things (
    id serial PRIMARY KEY,
    name text,
    price numeric,
    big bigint,
    ratio float8,
    tags text[],
    data jsonb,
    at timestamptz,
    span interval,
    flag boolean,
    raw bytea,
    feeling public.mood
);
INSERT INTO public.things (name, price, big, ratio, tags, data, at, span, flag, raw, feeling)
SELECT 'thing ' || n, n * 1.5, 9007199254740993 + n, n / 3.0, ARRAY['a', 'b' || n], jsonb_build_object('n', n), now(), '1 day', n % 2 = 0, '\x00ff', 'ok'
  FROM generate_series(1, 50) AS n;

-- The same, which nobody changes.
CREATE TABLE public.typed AS TABLE public.things;

-- Not granted to client keys at all.
CREATE TABLE public.payroll (id int PRIMARY KEY, salary int);
INSERT INTO public.payroll VALUES (1, 4711);

-- In hidden schemas, with grants that must not help.
CREATE TABLE auth.accounts (id int PRIMARY KEY, password_hash text);
INSERT INTO auth.accounts VALUES (1, 'hash of a password');
CREATE SCHEMA storage;
CREATE TABLE storage.objects (id int PRIMARY KEY, name text);
INSERT INTO storage.objects VALUES (1, 'hidden object');
GRANT USAGE ON SCHEMA auth, storage TO authenticated, service_role;
GRANT SELECT ON auth.accounts, storage.objects TO authenticated, service_role;

-- Rows that take their time.
CREATE TABLE public.pauses (id int PRIMARY KEY, seconds float8 NOT NULL);
INSERT INTO public.pauses VALUES (0, 0.1), (1, 1), (2, 2), (3, 3), (30, 30);
CREATE VIEW public.slow WITH (security_invoker = true) AS SELECT p.*, pg_sleep(p.seconds)::text AS slept FROM public.pauses AS p;
-- Ignores a cancel request once.
CREATE FUNCTION public.stubborn_pause(seconds float8) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_sleep(seconds);
    RETURN 'slept';
EXCEPTION WHEN query_canceled THEN
    PERFORM pg_sleep(seconds);
    RETURN 'slept again';
END
$$;
CREATE VIEW public.stubborn WITH (security_invoker = true) AS SELECT p.*, public.stubborn_pause(p.seconds) AS slept FROM public.pauses AS p;
-- A write that takes its time: the row of a hung-up client must not stay.
CREATE TABLE public.slow_writes (id int PRIMARY KEY, seconds float8 NOT NULL);
CREATE FUNCTION public.pause_after_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(NEW.seconds);
    RETURN NULL;
END
$$;
CREATE TRIGGER pause AFTER INSERT ON public.slow_writes FOR EACH ROW EXECUTE FUNCTION public.pause_after_write();

-- Two updates of it in opposite order are a deadlock.
CREATE TABLE public.crossing (id int PRIMARY KEY, other int NOT NULL, hits int NOT NULL DEFAULT 0);
INSERT INTO public.crossing VALUES (1, 2), (2, 1);
CREATE FUNCTION public.cross_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        PERFORM pg_sleep(0.5);
        UPDATE public.crossing SET hits = hits + 1 WHERE id = NEW.other;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER cross_over AFTER UPDATE ON public.crossing FOR EACH ROW EXECUTE FUNCTION public.cross_over();

-- Fails with a serialization failure as often as its row says, counted by a sequence, which no rollback resets.
CREATE SEQUENCE public.attempts;
CREATE TABLE public.flaky (id int PRIMARY KEY, failures int NOT NULL);
CREATE FUNCTION public.fail_at_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('public.attempts') <= NEW.failures THEN
        RAISE EXCEPTION 'made up' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER flaky BEFORE INSERT ON public.flaky FOR EACH ROW EXECUTE FUNCTION public.fail_at_first();
GRANT USAGE ON SEQUENCE public.attempts TO authenticated;

-- Constraints that are checked at COMMIT, if nobody does it before.
CREATE TABLE public.parents (id int PRIMARY KEY);
INSERT INTO public.parents VALUES (1);
CREATE TABLE public.children (
    id int PRIMARY KEY,
    parent int NOT NULL REFERENCES public.parents DEFERRABLE INITIALLY DEFERRED
);
-- A trigger that tries to put the check off again.
CREATE TABLE public.sneaky_children (
    id int PRIMARY KEY,
    parent int NOT NULL REFERENCES public.parents DEFERRABLE INITIALLY DEFERRED
);
CREATE FUNCTION public.put_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    RETURN NEW;
END
$$;
CREATE TRIGGER put_off BEFORE INSERT ON public.sneaky_children FOR EACH ROW EXECUTE FUNCTION public.put_off();

GRANT SELECT ON public.users, public.typed, public.my_notes, public.pauses, public.slow, public.stubborn, public.parents TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.notes, public.ledger, public.things, public.slow_writes, public.crossing,
    public.flaky, public.children, public.sneaky_children TO authenticated;
GRANT USAGE ON SEQUENCE public.things_id_seq TO authenticated;
GRANT ALL ON ALL TABLES IN SCHEMA public TO service_role;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO service_role;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO authenticated, service_role;
