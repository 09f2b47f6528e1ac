-- What the differential tests ask about: the film database of PostgREST's documentation with more of everything, a table of
-- many types for made-up questions, awkward names, and tables to write to. The policies are written the way PostgREST's users
-- write them, and leave out the same rows on both sides. Nothing is granted to PUBLIC.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO authenticated;

CREATE FUNCTION public.caller() RETURNS text STABLE LANGUAGE sql
    RETURN pg_catalog.current_setting('request.jwt.claims', true)::pg_catalog.json OPERATOR(pg_catalog.->>) 'sub';

-- ---- films ----
CREATE TYPE public.genre AS ENUM ('drama', 'comedy', 'horror', 'documentary');
CREATE TABLE public.directors (
    id int PRIMARY KEY,
    first_name text,
    last_name text,
    born date
);
INSERT INTO public.directors VALUES
    (1, 'Marta', 'Kovacs', '1951-03-04'), (2, 'Jonas', 'Lindqvist', '1962-11-30'), (3, 'Amara', 'Okafor', NULL),
    (4, 'Pierre', 'Dubois', '1940-01-01'), (5, 'Hidden', 'Hand', '1970-07-07'), (6, NULL, 'Anonymous', NULL);

CREATE TABLE public.films (
    id int PRIMARY KEY,
    director_id int CONSTRAINT films_director REFERENCES public.directors,
    title text NOT NULL,
    year int,
    rating numeric(3, 1),
    language text,
    genre public.genre,
    tags text[],
    extra jsonb,
    shown daterange,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', title)) STORED,
    owner uuid
);
INSERT INTO public.films (id, director_id, title, year, rating, language, genre, tags, extra, shown, owner) VALUES
    (1, 1, 'The Harbour at Night', 1978, 7.9, 'hu', 'drama', '{night,sea}', '{"blood_type":"A-","age":25,"phones":[{"country":"61","number":"917"}],"budget":{"amount":120.5,"unit":"k"}}', '[1978-05-01,1978-09-01)', NULL),
    (2, 1, 'Harbours of the World', 1981, 6.4, 'en', 'documentary', '{sea}', '{"blood_type":"O+","age":30,"phones":[{"country":"43","number":"512"},{"country":"43","number":"213"}]}', '[1981-01-01,1982-01-01)', NULL),
    (3, 2, 'A Fat Cat', 1995, 8.0, 'sv', 'comedy', '{cat,"two words"}', '{"age":35,"tags":["x","y"],"budget":{"amount":80}}', '[1995-06-01,)', NULL),
    (4, 2, 'Fat Cats Eat Rats', 1996, NULL, 'en', 'comedy', '{cat,rat}', NULL, '[1996-01-01,1996-12-31)', NULL),
    (5, 3, 'Dust', 2004, 5.5, NULL, 'horror', '{}', '{}', 'empty', NULL),
    (6, 3, 'dust, again', 2006, 5.5, 'en', 'horror', NULL, '{"blood_type":null,"age":20}', NULL, NULL),
    (7, NULL, '100% "Quoted" (really)', NULL, 9.9, 'en', NULL, '{quote\\,"a,b","c\"d"}', '{"a.b":{"c d":1},"age":20.5}', '(,1950-01-01)', NULL),
    (8, 4, 'The Secret of the Tenant', 2011, 4.2, 'fr', 'drama', '{secret}', '{"age":99}', '[2011-01-01,2011-02-01)', '00000000-0000-4000-8000-00000000000a'),
    (9, 4, 'The Secret of Somebody Else', 2012, 4.3, 'fr', 'drama', '{secret}', '{"age":98}', '[2012-01-01,2012-02-01)', '00000000-0000-4000-8000-00000000000b'),
    (10, 5, 'Seen, Its Director Is Not', 2015, 3.0, 'en', 'drama', '{hidden}', '{"age":1}', '[2015-01-01,2015-02-01)', NULL),
    (11, 6, 'under_score and back\slash', 2016, 6.4, 'de', 'documentary', '{night}', '[1,2,{"deep":true}]', '[2016-01-01,2016-12-31]', NULL),
    (12, 1, U&'Z\00FCrich*', 2018, 6.4, 'de', 'documentary', '{night,sea,cat}', '"text"', '[1978-06-01,2018-01-01)', NULL);

CREATE TABLE public.technical_specs (
    film_id int PRIMARY KEY REFERENCES public.films,
    runtime interval,
    camera text,
    sound text
);
INSERT INTO public.technical_specs VALUES
    (1, '01:40', 'Arri', 'mono'), (2, '00:52:30', 'Bolex', NULL), (3, '02:00', 'Arri', 'stereo'), (9, '01:00', 'Arri', 'mono'), (12, NULL, NULL, 'stereo');

CREATE TABLE public.actors (id int PRIMARY KEY, first_name text, last_name text, awards int NOT NULL DEFAULT 0);
INSERT INTO public.actors VALUES
    (1, 'Tom', 'Baker', 2), (2, 'Tomas', 'Novak', 0), (3, 'Jehanne', 'Alcy', 5), (4, 'Unseen', 'Ghost', 9), (5, 'Ruth', 'Alcy', 1), (6, 'No', 'Role', 0);

CREATE TABLE public.roles (
    film_id int REFERENCES public.films,
    actor_id int REFERENCES public.actors,
    character text,
    fee numeric(8, 2),
    PRIMARY KEY (film_id, actor_id)
);
INSERT INTO public.roles VALUES
    (1, 1, 'Chico', 100), (1, 2, 'Harpo', 250.5), (2, 3, 'Groucho', 50), (3, 1, 'Gummo', NULL), (3, 2, 'Zeppo', 75.25), (3, 3, 'Chico', 75.25),
    (3, 4, 'Ghost', 1), (4, 5, 'Cat', 10), (8, 5, 'Tenant', 20), (9, 5, 'Somebody', 30), (12, 1, 'Chico', 12);

CREATE TABLE public.competitions (id int PRIMARY KEY, name text, year int);
INSERT INTO public.competitions VALUES (1, 'Palme', 1978), (2, 'Bear', 1995), (3, 'Lion', 1995), (4, 'None', 2020);
CREATE TABLE public.nominations (
    competition_id int REFERENCES public.competitions,
    film_id int REFERENCES public.films,
    rank int,
    PRIMARY KEY (competition_id, film_id)
);
INSERT INTO public.nominations VALUES (1, 1, 1), (1, 2, 2), (2, 3, 1), (3, 3, 4), (3, 4, 2), (2, 9, 3);

ALTER TABLE public.films ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.films FOR SELECT TO authenticated USING (owner IS NULL OR owner::text = public.caller());
ALTER TABLE public.directors ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON public.directors FOR SELECT TO authenticated USING (first_name IS DISTINCT FROM 'Hidden');
ALTER TABLE public.actors ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON public.actors FOR SELECT TO authenticated USING (first_name <> 'Unseen');

-- A view and a partitioned table.
CREATE VIEW public.long_films WITH (security_invoker = true) AS
    SELECT f.id, f.title, s.runtime FROM public.films AS f JOIN public.technical_specs AS s ON s.film_id = f.id WHERE s.runtime > '1 hour';
CREATE TABLE public.box_office (
    bo_date date NOT NULL,
    film_id int NOT NULL REFERENCES public.films,
    gross numeric(12, 2) NOT NULL,
    PRIMARY KEY (bo_date, film_id)
) PARTITION BY RANGE (bo_date);
CREATE TABLE public.box_office_old PARTITION OF public.box_office FOR VALUES FROM ('1970-01-01') TO ('2000-01-01');
CREATE TABLE public.box_office_new PARTITION OF public.box_office FOR VALUES FROM ('2000-01-01') TO ('2030-01-01');
INSERT INTO public.box_office VALUES ('1978-06-01', 1, 1000), ('1978-06-02', 1, 1500.5), ('1995-06-03', 3, 9999999999.99), ('2011-01-03', 8, 5), ('2012-01-03', 9, 6);

-- What PostgREST takes for a column and for a relation.
CREATE FUNCTION public.full_name(public.directors) RETURNS text STABLE LANGUAGE sql RETURN $1.first_name || ' ' || $1.last_name;
CREATE FUNCTION public.first_film(public.directors) RETURNS SETOF public.films STABLE ROWS 1 LANGUAGE sql
    BEGIN ATOMIC SELECT * FROM public.films AS f WHERE f.director_id = $1.id ORDER BY f.year LIMIT 1; END;
CREATE FUNCTION public.films_since(since int) RETURNS SETOF public.films STABLE LANGUAGE sql
    BEGIN ATOMIC SELECT * FROM public.films AS f WHERE f.year >= since; END;

-- ---- two keys to one table, a tree, keys of several columns ----
CREATE TABLE public.addresses (id int PRIMARY KEY, name text, city text);
INSERT INTO public.addresses VALUES (1, 'Home', 'Oslo'), (2, 'Office', 'Bergen'), (3, 'Cabin', 'Voss');
CREATE TABLE public.orders (
    id int PRIMARY KEY,
    name text,
    order_date date NOT NULL,
    amount numeric(10, 2),
    billing_id int CONSTRAINT billing REFERENCES public.addresses,
    shipping_id int CONSTRAINT shipping REFERENCES public.addresses
);
INSERT INTO public.orders VALUES
    (1, 'One', '2023-01-01', 10.5, 1, 1), (2, 'Two', '2023-01-01', 20, 1, 2), (3, 'Three', '2023-01-02', NULL, 2, 1),
    (4, 'Four', '2023-01-02', 99.99, 3, NULL), (5, 'Five', '2023-01-03', -5, NULL, NULL), (6, 'Six', '2023-01-03', 0.01, 2, 3);

CREATE TABLE public.employees (
    id int PRIMARY KEY,
    last_name text NOT NULL,
    supervisor_id int CONSTRAINT employees_supervisor REFERENCES public.employees,
    mentor_id int UNIQUE CONSTRAINT employees_mentor REFERENCES public.employees
);
INSERT INTO public.employees VALUES (1, 'Chief', NULL, NULL), (2, 'Second', 1, 1), (3, 'Third', 1, 2), (4, 'Fourth', 2, NULL), (5, 'Fifth', 2, 4), (6, 'Sixth', 5, NULL);

CREATE TABLE public.warehouses (country text, code int, label text, PRIMARY KEY (country, code));
INSERT INTO public.warehouses VALUES ('no', 1, 'Oslo 1'), ('no', 2, 'Bergen'), ('se', 1, 'Malmo'), ('dk', 1, 'Empty');
CREATE TABLE public.stock (
    sku text PRIMARY KEY,
    country text,
    code int,
    pieces int NOT NULL,
    FOREIGN KEY (country, code) REFERENCES public.warehouses (country, code)
);
INSERT INTO public.stock VALUES ('a1', 'no', 1, 5), ('a2', 'no', 2, 0), ('a3', 'se', 1, 7), ('a4', NULL, 1, 9), ('a5', 'no', 1, 2);

-- ---- composite types, arrays, json ----
CREATE TYPE public.coordinates AS (lat numeric(8, 6), long numeric(9, 6));
CREATE TABLE public.countries (
    id int PRIMARY KEY,
    name text,
    location public.coordinates,
    languages text[],
    facts json,
    matrix int[]
);
INSERT INTO public.countries VALUES
    (1, 'Norway', (59.91, 10.75), '{nb,nn,se}', '{"oil":true,"people":5.5,"kings":["Harald","Olav"]}', '{3,1,2}'),
    (2, 'Sweden', (59.33, 18.06), '{sv}', '{"oil":false,"people":10.4,"kings":["Carl"]}', '{}'),
    (3, 'Hawaii', (19.741755, -155.844437), '{en,haw}', '{"people":1.4}', '{1}'),
    (4, 'Nowhere', NULL, NULL, NULL, NULL),
    (5, 'Chile', (-33.45, -70.66), '{es}', '{"oil":null,"people":"many","kings":[]}', '{2,2}');

-- ---- awkward names ----
CREATE TABLE public."Odd Names" (
    "The Id" int PRIMARY KEY,
    "UPPER" text,
    "upper" text,
    "a.b" int,
    "quote""d" text,
    "select" text,
    "order" int,
    "and" boolean,
    "x->y" text,
    "comma,name" text,
    "paren(s)" text,
    U&"gr\00F6\00DFe" int,
    "semi;colon" text,
    "colon:name" text,
    "-dash-" text,
    "1st" int,
    "count" int
);
INSERT INTO public."Odd Names" VALUES
    (1, 'U1', 'l1', 10, 'q1', 's1', 3, true, 'xy1', 'c1', 'p1', 180, 'semi', 'col', 'd', 1, 11),
    (2, 'U2', 'l2', 20, 'q2', 's2', 2, false, 'xy2', 'c2', 'p2', 170, 'semi2', 'col2', 'd2', 2, 22),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE public."odd.Children" (
    "child id" int PRIMARY KEY,
    "Parent Id" int CONSTRAINT "Odd Key" REFERENCES public."Odd Names",
    "Value" text
);
INSERT INTO public."odd.Children" VALUES (1, 1, 'first'), (2, 1, 'second'), (3, 2, 'third'), (4, NULL, 'none');

-- ---- many rows of many types, for made-up questions ----
CREATE TABLE public.groups (id int PRIMARY KEY, name text, weight numeric);
INSERT INTO public.groups VALUES (1, 'red', 1.5), (2, 'green', NULL), (3, 'blue', 10), (4, 'invisible', 4), (5, NULL, 2.25);
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE public.samples (
    id int PRIMARY KEY,
    group_id int REFERENCES public.groups,
    n int,
    big bigint,
    price numeric(12, 2),
    ratio float8,
    label text,
    flag boolean,
    on_day date,
    at timestamptz,
    code uuid,
    mood public.mood,
    tags text[],
    nums int[],
    span int4range,
    data jsonb,
    doc tsvector
);
-- A number below `bound` that looks arbitrary and is the same in every run; `salt` makes another one.
CREATE FUNCTION pg_temp.dice(row_number int, salt text, bound int) RETURNS int IMMUTABLE LANGUAGE sql
    RETURN abs(('x' || substr(md5(row_number || salt), 1, 7))::bit(28)::int) % bound;
INSERT INTO public.samples
SELECT i,
       CASE WHEN pg_temp.dice(i, 'group', 6) > 0 THEN pg_temp.dice(i, 'group', 6) END,
       CASE WHEN pg_temp.dice(i, 'n?', 8) > 0 THEN pg_temp.dice(i, 'n', 12) - 4 END,
       CASE WHEN pg_temp.dice(i, 'big?', 6) > 0 THEN 9007199254740990 + pg_temp.dice(i, 'big', 9) END,
       CASE WHEN pg_temp.dice(i, 'price?', 6) > 0 THEN pg_temp.dice(i, 'price', 4000) / 100.0 END,
       CASE WHEN pg_temp.dice(i, 'ratio?', 6) > 0 THEN pg_temp.dice(i, 'ratio', 50) / 8.0 END,
       (ARRAY['alpha', 'Beta', 'beta', 'gamma ray', 'a,b', 'c.d', 'per%cent', 'under_score', 'q"uote', '(paren)', 'null', '', U&'\00DCn\00EFcode', NULL])[1 + pg_temp.dice(i, 'label', 14)],
       (ARRAY[true, false, NULL])[1 + pg_temp.dice(i, 'flag', 3)],
       CASE WHEN pg_temp.dice(i, 'day?', 6) > 0 THEN date '2024-01-01' + pg_temp.dice(i, 'day', 20) END,
       CASE WHEN pg_temp.dice(i, 'at?', 6) > 0 THEN timestamptz '2024-01-01 00:00:00+00' + pg_temp.dice(i, 'at', 40) * interval '7 hours 30 minutes 0.5 second' END,
       CASE WHEN pg_temp.dice(i, 'code?', 5) > 0 THEN md5(pg_temp.dice(i, 'code', 8)::text)::uuid END,
       (ARRAY['sad', 'ok', 'happy', NULL])[1 + pg_temp.dice(i, 'mood', 4)]::public.mood,
       (ARRAY['{}', '{a}', '{a,b}', '{b,c,"d e"}', '{"x,y"}', NULL])[1 + pg_temp.dice(i, 'tags', 6)]::text[],
       (ARRAY['{}', '{1}', '{1,2}', '{2,3,5}', NULL])[1 + pg_temp.dice(i, 'nums', 5)]::int[],
       (ARRAY['[1,5)', '[5,9)', '[3,7)', 'empty', '(,4)', '[8,)', NULL])[1 + pg_temp.dice(i, 'span', 7)]::int4range,
       (ARRAY['{}', '{"k":1,"s":"one"}', '{"k":2,"s":"two","o":{"p":true}}', '{"k":null}', '{"k":10,"l":[1,2,3]}', '[1,2]', '{"k":"1"}', NULL])[1 + pg_temp.dice(i, 'data', 8)]::jsonb,
       to_tsvector('english', (ARRAY['the fat cat', 'a rat ran', 'cats and rats', 'nothing here', ''])[1 + pg_temp.dice(i, 'doc', 5)])
  FROM generate_series(1, 80) AS i;
CREATE TABLE public.marks (
    id int PRIMARY KEY,
    sample_id int REFERENCES public.samples,
    kind text NOT NULL,
    score int
);
INSERT INTO public.marks
SELECT i, CASE WHEN pg_temp.dice(i, 'sample', 9) > 0 THEN 1 + pg_temp.dice(i, 'of', 80) END, (ARRAY['new', 'old', 'odd'])[1 + pg_temp.dice(i, 'kind', 3)],
       CASE WHEN pg_temp.dice(i, 'score?', 5) > 0 THEN pg_temp.dice(i, 'score', 10) END
  FROM generate_series(1, 120) AS i;
CREATE TABLE public.labels (id int PRIMARY KEY, word text NOT NULL);
INSERT INTO public.labels VALUES (1, 'cheap'), (2, 'dear'), (3, 'rare'), (4, 'common');
CREATE TABLE public.sample_labels (
    sample_id int REFERENCES public.samples,
    label_id int REFERENCES public.labels,
    since date,
    PRIMARY KEY (sample_id, label_id)
);
INSERT INTO public.sample_labels
SELECT s, l, CASE WHEN pg_temp.dice(s * 10 + l, 'since?', 3) > 0 THEN date '2024-01-01' + pg_temp.dice(s * 10 + l, 'since', 9) END
  FROM generate_series(1, 80) AS s, generate_series(1, 4) AS l WHERE pg_temp.dice(s * 10 + l, 'label', 3) = 0;
ALTER TABLE public.samples ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON public.samples FOR SELECT TO authenticated USING (id % 11 <> 0);
ALTER TABLE public.marks ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON public.marks FOR SELECT TO authenticated USING (id % 13 <> 0);
ALTER TABLE public.groups ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON public.groups FOR SELECT TO authenticated USING (name IS DISTINCT FROM 'invisible');

-- ---- to be written to; rows of the other tenant are there and must stay ----
CREATE TABLE public.w_kinds (code text PRIMARY KEY, label text);
CREATE TABLE public.w_items (
    id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name text UNIQUE,
    qty int DEFAULT 100 CHECK (qty >= 0),
    note text DEFAULT 'none',
    kind text REFERENCES public.w_kinds,
    tags text[],
    data jsonb,
    owner text NOT NULL DEFAULT public.caller()
);
CREATE TABLE public.w_pairs (a int, b int, v text DEFAULT 'fresh', PRIMARY KEY (a, b));
CREATE FUNCTION public.fill_written_tables() RETURNS void LANGUAGE sql AS $$
    TRUNCATE public.w_items, public.w_kinds, public.w_pairs RESTART IDENTITY;
    INSERT INTO public.w_kinds VALUES ('x', 'Ex'), ('y', 'Why');
    INSERT INTO public.w_items (name, qty, note, kind, tags, data, owner)
    SELECT 'item ' || i, i * 10, CASE WHEN i % 3 > 0 THEN 'note ' || i END, (ARRAY['x', 'y', NULL])[1 + i % 3], ARRAY['t' || i], jsonb_build_object('i', i),
           CASE WHEN i % 4 = 0 THEN '00000000-0000-4000-8000-00000000000b' ELSE '00000000-0000-4000-8000-00000000000a' END
      FROM generate_series(1, 8) AS i;
    INSERT INTO public.w_pairs SELECT a, b, a || '/' || b FROM generate_series(1, 3) AS a, generate_series(1, 3) AS b;
$$;
ALTER TABLE public.w_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.w_items TO authenticated USING (owner = public.caller()) WITH CHECK (owner = public.caller());

GRANT SELECT ON ALL TABLES IN SCHEMA public TO authenticated;
GRANT INSERT, UPDATE, DELETE ON public.w_items, public.w_pairs, public.w_kinds TO authenticated;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.caller(), public.full_name(public.directors), public.first_film(public.directors), public.films_since(int) TO authenticated;
