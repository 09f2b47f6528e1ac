-- embedding_rls: nothing of another tenant comes through embedded tables, junctions, relation filters, inner, order or counts; nor through columns, tables and schemas without privilege. Seen to fail without row security.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA er;
CREATE TABLE er.orgs (id int PRIMARY KEY, tenant text, name text, secret text, budget int);
CREATE TABLE er.docs (id int PRIMARY KEY, tenant text, org int REFERENCES er.orgs, reviewer int, title text);
CREATE TABLE er.labels (id int PRIMARY KEY, tenant text, name text);
CREATE TABLE er.doc_labels (doc int REFERENCES er.docs, label int REFERENCES er.labels, tenant text, PRIMARY KEY (doc, label));
CREATE TABLE er.people (id int PRIMARY KEY, tenant text, name text);
ALTER TABLE er.docs ADD FOREIGN KEY (reviewer) REFERENCES er.people;
CREATE TABLE er.public_notes (id int PRIMARY KEY, doc int REFERENCES er.docs, org int REFERENCES er.orgs, body text);
-- Both tenants' rows point at one another's, as they may where keys are numbers.
INSERT INTO er.orgs VALUES (1, 'A', 'org of A', 'sA', 10), (2, 'B', 'org of B', 'sB', 99);
INSERT INTO er.people VALUES (1, 'A', 'ann'), (2, 'B', 'bob');
INSERT INTO er.docs VALUES (1, 'A', 1, 1, 'a1'), (2, 'A', 2, 2, 'a2'), (3, 'B', 2, 2, 'b3'), (4, 'B', 1, 1, 'b4');
INSERT INTO er.labels VALUES (1, 'A', 'la'), (2, 'B', 'lb');
INSERT INTO er.doc_labels VALUES (1, 1, 'A'), (1, 2, 'A'), (2, 1, 'B'), (3, 2, 'B'), (4, 1, 'A');
INSERT INTO er.public_notes VALUES (1, 1, 1, 'on a1'), (2, 3, 2, 'on b3'), (3, 2, 2, 'on a2'), (4, NULL, NULL, 'on nothing'), (5, NULL, 1, 'of A'), (6, NULL, 1, 'of A'), (7, NULL, 1, 'of A'), (8, NULL, 1, 'of A');
CREATE FUNCTION er.secure(tab text, active bool) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE er.%I %s ROW LEVEL SECURITY', tab, CASE WHEN active THEN 'ENABLE' ELSE 'DISABLE' END);
END
$$;
CREATE POLICY own ON er.orgs USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
CREATE POLICY own ON er.docs USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
CREATE POLICY own ON er.labels USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
CREATE POLICY own ON er.doc_labels USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
CREATE POLICY own ON er.people USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
GRANT USAGE ON SCHEMA er TO authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA er TO authenticated, service_role;

-- Every way to ask across tables. The answers are kept, with row security and without.
CREATE TABLE er.questions (n int PRIMARY KEY, args jsonb);
INSERT INTO er.questions VALUES
    (1, '{"table": "er.docs", "select": "id,orgs(name,secret)", "order": "id"}'),
    (2, '{"table": "er.docs", "select": "id,...orgs(name,secret)", "order": "id"}'),
    (3, '{"table": "er.docs", "select": "id,orgs!inner(name)", "order": "id"}'),
    (4, '{"table": "er.orgs", "select": "id,docs(title)", "order": "id", "embed": {"docs": {"order": "id"}}}'),
    (5, '{"table": "er.docs", "select": "id,labels(name)", "order": "id", "embed": {"labels": {"order": "id"}}}'),
    (6, '{"table": "er.labels", "select": "id,docs(title)", "order": "id", "embed": {"docs": {"order": "id"}}}'),
    (7, '{"table": "er.public_notes", "select": "id,docs(title,orgs(name),labels(name))", "order": "id", "embed": {"docs.labels": {"order": "id"}}}'),
    (8, '{"table": "er.public_notes", "select": "id", "order": "id", "filter": {"docs.title": "like.%"}}'),
    (9, '{"table": "er.public_notes", "select": "id", "order": "id", "filter": {"orgs.secret": "like.s%"}}'),
    (10, '{"table": "er.public_notes", "select": "id", "order": "id", "filter": {"orgs": "isnot.null"}}'),
    (11, '{"table": "er.public_notes", "select": "id", "order": "id", "filter": {"docs.orgs.budget": "gt.50"}}'),
    (12, '{"table": "er.public_notes", "select": "id", "order": "id", "filter": {"docs.labels.name": "eq.lb"}}'),
    (13, '{"table": "er.public_notes", "select": "id,orgs!inner()", "order": "id", "count": "exact"}'),
    (14, '{"table": "er.public_notes", "select": "id", "order": "orgs(budget).desc.nullslast,id"}'),
    (15, '{"table": "er.orgs", "select": "id,docs(n:count())", "order": "id"}'),
    (16, '{"table": "er.public_notes", "select": "orgs(name),count()", "order": "count"}'),
    (17, '{"table": "er.public_notes", "select": "...orgs(name,budget),n:count()", "order": "n"}'),
    (18, '{"table": "er.docs", "select": "id,people(name)", "order": "people(name).nullslast,id"}'),
    (19, '{"table": "er.docs", "select": "count(),org.max()"}'),
    (20, '{"table": "er.docs", "select": "id", "count": "exact", "filter": {"not": {"people.name": "eq.ann"}}, "order": "id"}'),
    (21, '{"table": "er.docs", "select": "id,doc_labels(label,labels(name))", "order": "id", "embed": {"doc_labels": {"order": "label"}}}'),
    (22, '{"table": "er.public_notes", "select": "id,orgs(name)", "order": "id", "embed": {"orgs": {"filter": {"docs.tenant": "eq.B"}}}}');
CREATE TABLE er.answers (n int, who text, secured bool, answer text);
CREATE FUNCTION er.ask_all(who text, is_secured bool) RETURNS void LANGUAGE sql AS $$
INSERT INTO er.answers SELECT n, who, is_secured, t.via(who, 'query_table', args) FROM er.questions ORDER BY n
$$;
-- First the attack that succeeds: without row security tenant A reads B's through each question.
SELECT er.ask_all('a', false);
SELECT er.secure(x, true) FROM unnest(ARRAY['orgs', 'docs', 'labels', 'doc_labels', 'people']) AS x;
SELECT er.ask_all('a', true), er.ask_all('b', true), er.ask_all('service', true);
SELECT a.n, a.answer FROM er.answers AS a WHERE who = 'a' AND NOT secured ORDER BY n;
SELECT a.n, a.answer FROM er.answers AS a WHERE who = 'a' AND secured ORDER BY n;
SELECT a.n, a.answer FROM er.answers AS a WHERE who = 'b' AND n IN (1, 5, 8, 13, 14) AND secured ORDER BY n;
-- No answer to A has a word of B's; each question would have told one, or more rows, without row security; a service key sees what is there.
SELECT array_agg(n) FROM er.answers WHERE who = 'a' AND secured AND answer ~ 'org of B|sB|b3|b4|"lb"|bob|99';
SELECT array_agg(o.n ORDER BY o.n) FROM er.answers AS o JOIN er.answers AS s USING (n) WHERE o.who = 'a' AND s.who = 'a' AND NOT o.secured AND s.secured AND o.answer = s.answer;
SELECT count(*) FROM er.answers AS o JOIN er.answers AS s USING (n) WHERE o.who = 'a' AND NOT o.secured AND s.who = 'service' AND o.answer IS DISTINCT FROM s.answer;
-- One table at a time is enough to hide what is in it.
SELECT er.secure(x, x = 'orgs') FROM unnest(ARRAY['orgs', 'docs', 'labels', 'doc_labels', 'people']) AS x;
SELECT t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(name),labels(name)", "order": "id", "embed": {"labels": {"order": "id"}}}');
SELECT er.secure(x, x = 'doc_labels') FROM unnest(ARRAY['orgs', 'docs', 'labels', 'doc_labels', 'people']) AS x;
SELECT t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(name),labels(name)", "order": "id", "embed": {"labels": {"order": "id"}}}');
-- update and delete find rows by related rows only as far as these are the caller's.
SELECT er.secure(x, true) FROM unnest(ARRAY['orgs', 'docs', 'labels', 'doc_labels', 'people']) AS x;
SELECT t.via('a', 'update_record', '{"table": "er.public_notes", "data": {"body": "hit"}, "filter": {"orgs.name": "like.%"}, "returning": "id,orgs(name)"}');
SELECT t.via('a', 'update_record', '{"table": "er.public_notes", "data": {"org": 2}, "filter": {"id": 4}, "returning": "id,org,orgs(name,secret),docs(title)"}');
SELECT t.via('a', 'delete_record', '{"table": "er.public_notes", "filter": {"orgs.budget": "gt.50"}, "returning": "id", "dry_run": true}');
SELECT t.via('a', 'insert_record', '{"table": "er.public_notes", "data": {"id": 9, "doc": 3, "org": 2}, "returning": "id,docs(title),orgs(secret)"}');
SELECT t.via('a', 'insert_record', '{"table": "er.public_notes", "data": [{"id": 10, "org": 2}, {"id": 11, "org": 1}], "returning": "id,orgs!inner(name)"}');

-- Privileges. A table without SELECT, a key column without it, a junction column without it: there is no such relation.
CREATE FUNCTION er.relations(tab text) RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', jsonb_build_object('table', 'er.' || tab, 'select', 'id,nothing()'))
$$;
SELECT er.relations('docs');
REVOKE SELECT ON er.orgs FROM authenticated;
SELECT er.relations('docs'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(name)"}'), t.via('a', 'query_table', '{"table": "er.docs", "filter": {"orgs.name": "eq.x"}}'), t.via('a', 'query_table', '{"table": "er.docs", "order": "orgs(name)"}'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,docs_org_fkey(name)"}');
-- With the key and one column of it: these, and not the others.
GRANT SELECT (id, name) ON er.orgs TO authenticated;
GRANT SELECT (tenant) ON er.orgs TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(*)", "order": "id"}'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(secret)"}'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs!inner()", "order": "orgs(secret)"}'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id", "filter": {"orgs.budget": "gt.1"}}'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(budget.sum())"}');
REVOKE SELECT (id) ON er.orgs FROM authenticated;
SELECT er.relations('docs'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(name)"}');
GRANT SELECT ON er.orgs TO authenticated;
REVOKE SELECT ON er.docs FROM authenticated;
GRANT SELECT (id, tenant, title) ON er.docs TO authenticated;
SELECT er.relations('docs'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs(name)"}'), t.via('a', 'query_table', '{"table": "er.orgs", "select": "id,docs(title)"}');
GRANT SELECT ON er.docs TO authenticated;
REVOKE SELECT ON er.doc_labels FROM authenticated;
GRANT SELECT (doc, tenant) ON er.doc_labels TO authenticated;
SELECT er.relations('docs'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,labels(name)"}'), t.via('a', 'query_table', '{"table": "er.docs", "select": "id,doc_labels(doc)", "order": "id"}');
-- The service key is another role and has them all the while.
SELECT t.via('service', 'query_table', '{"table": "er.docs", "select": "id,labels(name)", "order": "id", "embed": {"labels": {"order": "id"}}}');
GRANT SELECT ON er.doc_labels TO authenticated;
-- A write needs no right to read: the relation of returning does.
REVOKE SELECT ON er.people FROM authenticated;
SELECT t.via('a', 'update_record', '{"table": "er.docs", "data": {"title": "a1"}, "filter": {"people.name": "eq.ann"}}'), t.via('a', 'update_record', '{"table": "er.docs", "data": {"title": "a1"}, "filter": {"id": 1}, "returning": "id,people(name)"}');
GRANT SELECT ON er.people TO authenticated;

-- A hidden schema at the other end, or in between: no relation, by no name. Seen to work when it is not hidden.
CREATE SCHEMA er_hidden;
CREATE TABLE er_hidden.vault (id int PRIMARY KEY, gold text);
CREATE TABLE er_hidden.links (org int REFERENCES er.orgs, person int REFERENCES er.people, PRIMARY KEY (org, person));
INSERT INTO er_hidden.vault VALUES (1, 'GOLD');
INSERT INTO er_hidden.links VALUES (1, 1);
ALTER TABLE er.orgs ADD COLUMN vault int REFERENCES er_hidden.vault DEFAULT 1;
GRANT USAGE ON SCHEMA er_hidden TO authenticated;
GRANT SELECT ON ALL TABLES IN SCHEMA er_hidden TO authenticated;
CREATE FUNCTION er.hidden() RETURNS TABLE (wanted text, answer text) LANGUAGE sql AS $$
SELECT w, t.via('a', 'query_table', jsonb_build_object('table', 'er.orgs') || w)
  FROM unnest(ARRAY['{"select": "id,vault(gold)"}', '{"select": "id,x:orgs_vault_fkey(gold)"}', '{"select": "id,er_hidden.vault(gold)"}', '{"select": "id,people(name)"}', '{"select": "id,links(person)"}', '{"select": "id", "filter": {"vault.gold": "eq.GOLD"}}', '{"select": "id", "order": "vault(gold)"}', '{"select": "id", "filter": {"people.name": "eq.ann"}}', '{"select": "id,docs(orgs(vault(gold)))"}']::jsonb[]) AS w
$$;
SELECT * FROM er.hidden();
SET mcp.hidden_schemas = 'er_hidden';
SELECT * FROM er.hidden();
SET mcp.hidden_schemas = '';
REVOKE USAGE ON SCHEMA er_hidden FROM authenticated;
SELECT * FROM er.hidden() WHERE answer !~ 'has no relation';
RESET mcp.hidden_schemas;
DROP SCHEMA er_hidden CASCADE;

-- A view in between has no keys: no relation comes of it, whatever it shows; and a view embeds nothing.
CREATE VIEW er.orgs_seen AS SELECT * FROM er.orgs;
CREATE VIEW er.docs_seen WITH (security_invoker) AS SELECT d.*, o.secret FROM er.docs AS d JOIN er.orgs AS o ON o.id = d.org;
GRANT SELECT ON er.orgs_seen, er.docs_seen TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "er.docs", "select": "id,orgs_seen(secret)"}'), t.via('a', 'query_table', '{"table": "er.orgs_seen", "select": "id,docs(title)"}'), t.via('a', 'query_table', '{"table": "er.docs_seen", "select": "id,orgs(name)"}'), t.via('a', 'query_table', '{"table": "er.docs_seen", "select": "id,secret", "order": "id"}');
-- Without its privilege the table behind a view stays out of reach of the view's relations, too.
REVOKE SELECT ON er.orgs FROM authenticated;
SELECT t.via('a', 'query_table', '{"table": "er.docs_seen", "select": "id,secret", "order": "id"}');
DROP SCHEMA er CASCADE;
