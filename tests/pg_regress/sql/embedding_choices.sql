-- embedding_choices: a name that fits several relations is an error that lists what to write, and each listed choice works and means another relation.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ch;
CREATE TABLE ch.p (id int PRIMARY KEY, name text, boss int REFERENCES ch.p, friend int REFERENCES ch.p);
CREATE TABLE ch.o (id int PRIMARY KEY, bill int REFERENCES ch.p, ship int REFERENCES ch.p);
CREATE TABLE ch.l1 (o int REFERENCES ch.o, p int REFERENCES ch.p, PRIMARY KEY (o, p));
CREATE TABLE ch.l2 (o int REFERENCES ch.o, p int REFERENCES ch.p, UNIQUE (o, p));
CREATE TABLE ch.follow (who int REFERENCES ch.p, whom int REFERENCES ch.p, PRIMARY KEY (who, whom));
CREATE TABLE ch.team (tenant int, no int, name text, PRIMARY KEY (tenant, no));
CREATE TABLE ch.game (id int PRIMARY KEY, tenant int, home int, away int, CONSTRAINT h FOREIGN KEY (tenant, home) REFERENCES ch.team, CONSTRAINT a FOREIGN KEY (tenant, away) REFERENCES ch.team);
INSERT INTO ch.p VALUES (1, 'Ann', NULL, 3), (2, 'Bob', 1, NULL), (3, 'Cid', 1, 2);
INSERT INTO ch.o VALUES (1, 1, 2), (2, 2, 1);
INSERT INTO ch.l1 VALUES (1, 3);
INSERT INTO ch.l2 VALUES (1, 2), (2, 3);
INSERT INTO ch.follow VALUES (1, 2), (1, 3), (3, 1);
INSERT INTO ch.team VALUES (1, 1, 'h'), (1, 2, 'a');
INSERT INTO ch.game VALUES (1, 1, 1, 2);
GRANT USAGE ON SCHEMA ch TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ch TO authenticated;
CREATE FUNCTION ch.ask(tab text, wanted text) RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'ch.' || tab, 'select', wanted, 'order', CASE tab WHEN 'team' THEN 'no' ELSE 'id' END))
$$;
-- The error, then every choice that it lists, as it stands there.
CREATE FUNCTION ch.choices(tab text, name text, columns text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    answer text := ch.ask(tab, format('%s(%s)', name, columns));
    choice text;
BEGIN
    RETURN NEXT answer;
    FOR choice IN SELECT m[1] FROM regexp_matches(answer, '([^ ]+)\(.\)', 'g') AS m LOOP
        RETURN NEXT choice || '  =>  ' || ch.ask(tab, format('x:%s(%s)', choice, columns));
    END LOOP;
END
$$;
SELECT * FROM ch.choices('o', 'p', 'id');
SELECT * FROM ch.choices('p', 'o', 'id');
SELECT * FROM ch.choices('p', 'p', 'id');
SELECT * FROM ch.choices('p', 'follow', 'who,whom');
SELECT * FROM ch.choices('game', 'team', 'name');
SELECT * FROM ch.choices('team', 'game', 'id');
-- Hints: a column, a constraint, a junction, the junction's other key; some leave several and list them again.
SELECT w, ch.ask('o', w) FROM unnest(ARRAY['id,p!bill(id)', 'id,p!o_ship_fkey(id)', 'id,bill(id)', 'id,ship(id)', 'id,o_bill_fkey(id)', 'id,p!l1(id)', 'id,p!l2(id)', 'id,p!l1_p_fkey(id)', 'id,p!l2_o_fkey(id)', 'id,p!o(id)', 'id,p!nothing(id)', 'id,p!follow(id)', 'id,p!inner(id)', 'id,l1(p(id))', 'id,l1!inner(p)']) AS w;
SELECT w, ch.ask('p', w) FROM unnest(ARRAY['id,boss(id)', 'id,friend(id)', 'id,p!boss(id)', 'id,p!friend(id)', 'id,p_boss_fkey(id)', 'id,p!p_friend_fkey(id)', 'id,p!follow(id)', 'id,p!who(id)', 'id,p!whom(id)', 'id,p!follow_who_fkey(id)', 'id,p!follow_whom_fkey(id)', 'id,follow!who(whom)']) AS w;
-- The same in filter and in order, where a relation that select named may stand under that name.
CREATE FUNCTION ch.filtered(tab text, filter jsonb, wanted text DEFAULT 'id', o text DEFAULT 'id') RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'ch.' || tab, 'select', wanted, 'filter', filter, 'order', o))
$$;
SELECT f, ch.filtered('o', f) FROM unnest(ARRAY['{"p.name": "eq.Ann"}', '{"bill.name": "eq.Ann"}', '{"o_ship_fkey.name": "eq.Ann"}', '{"p": null}', '{"bill": "isnot.null"}', '{"l1.p": 3}']::jsonb[]) AS f;
SELECT ch.filtered('o', '{"x.name": "eq.Ann"}', 'id,x:p!ship()'), ch.filtered('o', '{"x.name": "eq.Cid"}', 'id,x:p!l1()'), ch.filtered('p', '{"below.name": "eq.Cid"}', 'id,below:p!boss()'), ch.filtered('p', '{"likes": null}', 'id,likes:p!whom()'), ch.filtered('o', '{}', 'id,x:p!ship()', 'x(name)'), ch.filtered('o', '{}', 'id', 'p(name)');
-- Each choice stands in a filter key as it does in select, so also a write, which has no select to name a relation in, can say which.
SELECT f, ch.filtered('o', f) FROM unnest(ARRAY['{"p!l1.name": "eq.Cid"}', '{"p!l2.name": "eq.Cid"}', '{"p!bill.name": "eq.Ann"}', '{"p!l1": null}', '{"p!l2.follow!who.whom": 1}', '{"p!l1.p!whom.name": "eq.Ann", "p!l1.id": 3}', '{"p!l1_p_fkey.name": "eq.Cid"}', '{"p!inner.name": "eq.Cid"}', '{"p!l1!l2.name": "eq.Cid"}', '{"p!.name": "eq.Cid"}']::jsonb[]) AS f;
SELECT f, ch.filtered('p', f) FROM unnest(ARRAY['{"p!boss.name": "eq.Cid"}', '{"p!who.name": "eq.Cid"}', '{"p!whom": "isnot.null", "o!ship": null}', '{"follow!who.whom": 3}']::jsonb[]) AS f;
SELECT t.via('a', 'update_record', '{"table": "ch.p", "data": {"name": "Zoe"}, "filter": {"p!boss.name": "eq.Cid"}, "returning": "id"}'), t.via('a', 'delete_record', '{"table": "ch.l2", "filter": {"o.p!l1.name": "eq.Cid"}, "returning": "o,p"}');
SELECT t.via('a', 'update_record', '{"table": "ch.o", "data": {"ship": 3}, "filter": {"bill.name": "eq.Bob"}, "returning": "id,bill(name),ship(name)"}'), t.via('a', 'delete_record', '{"table": "ch.o", "filter": {"p.name": "eq.Bob"}}');
DROP SCHEMA ch CASCADE;
