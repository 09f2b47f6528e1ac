-- count: exact is the number of rows that the caller may see; planned and estimated are refused wherever row security is active in the question, and given elsewhere.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA co;
CREATE TABLE co.plain (id int PRIMARY KEY, grp int, tenant text, doc int) WITH (autovacuum_enabled = off);
CREATE TABLE co.docs (id int PRIMARY KEY, tenant text, plain int REFERENCES co.plain) WITH (autovacuum_enabled = off);
INSERT INTO co.plain SELECT g, g % 3, 'A', NULL FROM generate_series(1, 3000) AS g;
INSERT INTO co.docs SELECT g, CASE WHEN g % 3 = 0 THEN 'A' ELSE 'B' END, g FROM generate_series(1, 1500) AS g;
ALTER TABLE co.plain ADD FOREIGN KEY (doc) REFERENCES co.docs;
UPDATE co.plain SET doc = id WHERE id <= 30;
VACUUM ANALYZE co.plain, co.docs;
CREATE POLICY own ON co.docs USING (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant');
CREATE VIEW co.seen AS SELECT * FROM co.docs;
CREATE VIEW co.invoker WITH (security_invoker) AS SELECT * FROM co.docs;
CREATE VIEW co.plain_view AS SELECT * FROM co.plain;
GRANT USAGE ON SCHEMA co TO authenticated, service_role;
GRANT SELECT ON ALL TABLES IN SCHEMA co TO authenticated, service_role;
CREATE FUNCTION co.total(args jsonb, who text DEFAULT 'a') RETURNS text LANGUAGE sql AS $$
SELECT coalesce(body::jsonb #>> '{result,structuredContent,total_count}', t.shown(body::jsonb))
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', 'query_table', 'arguments', '{"limit": 1}' || args))::text, t.credential(who), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}')
$$;
-- The number of rows in the answer, and of all: count and total_count.
SELECT (body::jsonb #> '{result,structuredContent}') - 'next_cursor' FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"co.plain","select":"id","order":"id","limit":2,"offset":5,"count":"exact","filter":{"grp":0}}}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}');
SELECT t.via('a', 'query_table', '{"table": "co.plain", "select": "id", "order": "id", "limit": 1, "count": "exact"}'), t.via('a', 'query_table', '{"table": "co.plain", "select": "id", "limit": 0, "count": "exact"}'), t.via('a', 'query_table', '{"table": "co.plain", "select": "id", "filter": {"id": 0}, "count": "exact"}');
-- Without row security all three; the planner knows the number of a whole table, and up to the highest limit estimated counts.
SELECT w, co.total(jsonb_build_object('table', 'co.plain', 'count', w)) FROM unnest(ARRAY['exact', 'planned', 'estimated']) AS w;
SELECT w, co.total(jsonb_build_object('table', 'co.plain', 'count', w, 'filter', '{"id": "lte.700"}'::jsonb))::int BETWEEN 600 AND 800, co.total(jsonb_build_object('table', 'co.plain', 'count', w, 'filter', '{"id": "lte.2000"}'::jsonb))::int BETWEEN 1900 AND 2100 FROM unnest(ARRAY['exact', 'planned', 'estimated']) AS w;
SELECT co.total('{"table": "co.plain", "count": "estimated", "filter": {"id": "lte.700"}}'), co.total('{"table": "co.plain_view", "count": "planned"}');
-- Joined with what has no row security: still given. count speaks of the rows of the answer, also with inner and with groups.
SELECT m, co.total('{"table": "co.plain", "count": "exact"}'::jsonb || m) FROM unnest(ARRAY['{"filter": {"doc.tenant": "eq.B"}}', '{"select": "id,docs!doc!inner(id)"}', '{"select": "id,docs!doc!inner(id)", "embed": {"docs": {"filter": {"tenant": "eq.A"}}}}', '{"select": "grp,count()"}', '{"select": "count()"}', '{"select": "tenant,id.max()", "filter": {"id": 0}}', '{"select": "id,docs!doc(id)"}', '{"offset": 2999}', '{"filter": {"grp": "neq.0"}}']::jsonb[]) AS m;
SELECT w, co.total(jsonb_build_object('table', 'co.plain', 'count', w, 'filter', '{"doc.tenant": "eq.B"}'::jsonb)) ~ '^[0-9]+$' FROM unnest(ARRAY['planned', 'estimated']) AS w;

-- Row security on. The planner's number is of all rows, so it would tell of B's: seen here as the superuser sees it.
ALTER TABLE co.docs ENABLE ROW LEVEL SECURITY;
SELECT co.total('{"table": "co.docs", "count": "exact"}'), co.total('{"table": "co.docs", "count": "exact"}', 'b'), (SELECT reltuples FROM pg_class WHERE oid = 'co.docs'::regclass);
SELECT w, x.m, co.total(jsonb_build_object('count', w) || x.m)
  FROM unnest(ARRAY['planned', 'estimated']) AS w, unnest(ARRAY['{"table": "co.docs"}', '{"table": "co.docs", "filter": {"id": 1}}', '{"table": "co.plain", "filter": {"doc.tenant": "eq.B"}}', '{"table": "co.plain", "filter": {"doc.tenant": "isnot.null", "id": 1}}', '{"table": "co.plain", "filter": {"not": {"plain_doc_fkey": null}}}', '{"table": "co.plain", "select": "id,docs!doc!inner(id)"}', '{"table": "co.plain", "order": "doc(tenant)"}', '{"table": "co.plain", "filter": {"doc": "isnot.null"}}', '{"table": "co.seen"}', '{"table": "co.invoker"}']::jsonb[]) AS x(m);
-- Whom no policy binds, and a question that does not touch the table, get the number.
SELECT w, co.total(jsonb_build_object('table', 'co.docs', 'count', w), 'service') FROM unnest(ARRAY['exact', 'planned', 'estimated']) AS w;
SELECT co.total('{"table": "co.plain", "count": "planned"}'), co.total('{"table": "co.plain", "select": "id,docs!doc(id)", "count": "planned"}');
-- A right on what is joined that is missing is not got around by a number.
REVOKE SELECT ON co.docs FROM authenticated;
SELECT co.total('{"table": "co.plain", "count": "planned", "filter": {"doc.tenant": "eq.B"}}');
-- What is no way to count.
SELECT c, t.via('a', 'query_table', jsonb_build_object('table', 'co.plain', 'count', c)) FROM unnest(ARRAY['"Exact"', '"exat"', '"all"', 'true', '1', '""', '["exact"]']::jsonb[]) AS c;
SELECT length(t.via('a', 'query_table', '{"table": "co.plain", "select": "id", "limit": 1, "count": null}'));
DROP SCHEMA co CASCADE;
