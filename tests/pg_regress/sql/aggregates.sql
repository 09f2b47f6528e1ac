-- aggregates: count, sum, avg, min, max over each type that has them, with implicit groups, nulls, order by outputs, paging, and embedded rows; the same numbers as SQL's.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA ag;
CREATE TYPE ag.state AS ENUM ('new', 'open', 'done');
CREATE DOMAIN ag.points AS int CHECK (VALUE >= 0);
CREATE TABLE ag.teams (id int PRIMARY KEY, name text);
CREATE TABLE ag.t (id int PRIMARY KEY, team int REFERENCES ag.teams, kind text, i2 int2, i4 int4, i8 int8, nu numeric(12,2), f4 float4, f8 float8, iv interval, mo money, pt ag.points,
                   te text, d date, ts timestamptz, st ag.state, b bool, j jsonb, js json, arr int[], u uuid, po point);
INSERT INTO ag.teams VALUES (1, 'red'), (2, 'blue'), (3, 'empty');
INSERT INTO ag.t VALUES
    (1, 1, 'x', 1, 10, 9007199254740991, 1.10, 1.5, 0.25, '1 day', 1.5, 3, 'b', '2024-01-01', '2024-01-01 00:00Z', 'done', true, '{"k": 1, "v": "10"}', '{"k": 1}', '{1}', '11111111-1111-4111-8111-111111111111', '(1,1)'),
    (2, 1, 'x', 2, 20, 2, 2.20, 2.5, 0.5, '2 hours', 2.5, 4, 'a', '2024-02-01', '2024-02-01 00:00Z', 'new', false, '{"k": 2, "v": "9"}', '{"k": 2}', '{2}', NULL, '(2,2)'),
    (3, 2, 'y', 3, NULL, 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, NULL, NULL, NULL, 5, NULL, 0.05, 'NaN', 'Infinity', '-1 day', -1, 0, 'c', '2023-01-01', '2023-01-01 00:00Z', 'open', true, '{"k": 1}', NULL, '{}', NULL, NULL);
CREATE TABLE ag.none (id int PRIMARY KEY, n int);
GRANT USAGE ON SCHEMA ag TO authenticated;
GRANT SELECT, UPDATE, DELETE ON ag.teams, ag.t, ag.none TO authenticated;
CREATE FUNCTION ag.ask(wanted text, more jsonb DEFAULT '{}', tab text DEFAULT 'ag.t') RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', jsonb_build_object('table', tab, 'select', wanted) || more)
$$;
-- Each function over each type, beside what SQL says.
CREATE FUNCTION ag.sql(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE value text;
BEGIN
    EXECUTE format('SELECT (%s)::text FROM ag.t', expression) INTO value;
    RETURN value;
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;
SELECT c, ag.ask(format('sum:%s.sum()', c)), ag.sql(format('sum(%I)', c)), ag.ask(format('avg:%s.avg()', c)), ag.sql(format('avg(%I)', c)),
       ag.ask(format('min:%s.min()', c)), ag.sql(format('min(%I)', c)), ag.ask(format('max:%s.max()', c)), ag.sql(format('max(%I)', c)), ag.ask(format('n:%s.count()', c)), ag.sql(format('count(%I)', c))
  FROM unnest(ARRAY['i2', 'i4', 'i8', 'nu', 'f4', 'f8', 'iv', 'mo', 'pt']) AS c;
SELECT c, ag.ask(format('min:%s.min(),max:%s.max(),n:%s.count()', c, c, c)) FROM unnest(ARRAY['te', 'd', 'ts', 'st', 'arr']) AS c;
-- Types that have no such aggregate.
SELECT c, ag.ask(c) FROM unnest(ARRAY['te.sum()', 'te.avg()', 'd.avg()', 'st.sum()', 'b.min()', 'b.sum()', 'j.max()', 'js.min()', 'po.max()', 'arr.sum()']) AS c;
SELECT c, ag.ask(c) FROM unnest(ARRAY['b.count()', 'j.count()', 'js.count()', 'po.count()', 'u.count()']) AS c;
-- Names, aliases and casts: before the aggregate the value's, behind it the result's.
SELECT c, ag.ask(c) FROM unnest(ARRAY['count()', 'n:count()', 'count(),kinds:kind.count()', 'i4.sum()', 'i4.sum(),x:i8.sum()', 'i4.sum()::text', 'n:count()::text', 'i4::numeric.avg()::int', 'a:i4.avg()::float8', 'te.max()::text', 'j->k.sum()', 'j->>v.max()', 'm:j->>v::int.max()', 's:j->k::int.sum()', 'arr->0.count()', '"i4".sum()']) AS c;
-- Groups: every output that is no aggregate. NULL is a group.
SELECT c, ag.ask(c, '{"order": "kind.nullsfirst"}') FROM unnest(ARRAY['kind,count()', 'kind,n:count(),i4.sum(),avg:i4.avg(),f8.max()', 'kind,i4.sum()']) AS c;
SELECT ag.ask('k:kind,n:count()', '{"order": "n.desc,k"}'), ag.ask('kind,team,count()', '{"order": "kind,team"}'), ag.ask('key:j->k,count()', '{"order": "key"}'), ag.ask('v:j->>v,count()', '{"order": "v.desc.nullslast"}'), ag.ask('yr:d::text,count()', '{"order": "yr"}'), ag.ask('b,count()', '{"order": "count.desc,b"}');
SELECT ag.ask('zero:i4,arr,count()', '{"order": "zero"}'), ag.ask('st,count()', '{"order": "st"}');
-- Filters come before the groups; limit, offset and count speak of groups.
SELECT ag.ask('kind,count()', '{"filter": {"id": "lt.4"}, "order": "kind"}'), ag.ask('kind,count()', '{"order": "kind", "limit": 1, "offset": 1}'), ag.ask('kind,count()', '{"order": "kind", "limit": 1, "count": "exact"}'), ag.ask('count()', '{"count": "exact"}'), ag.ask('i4.sum()', '{"filter": {"id": 99}, "count": "exact"}'), ag.ask('kind,i4.sum()', '{"filter": {"id": 99}, "count": "exact"}');
-- An empty table: count is 0, the others are null; with groups there is no row.
SELECT ag.ask(c, '{"order": "m"}', 'ag.none') FROM unnest(ARRAY['count(),m:n.max(),s:n.sum(),a:n.avg()', 'm:n,count()']) AS c;
-- With a to-one relation, spread or not, and inside embedded lists.
SELECT ag.ask('teams(name),count(),i4.sum()', '{"order": "sum.nullslast,count"}'), ag.ask('...teams(name),count()', '{"order": "count.desc", "limit": 1}'), ag.ask('teams!inner(name),n:count()', '{"order": "n.desc"}'), ag.ask('kind,teams(name),n:count()', '{"order": "kind,n"}');
SELECT ag.ask('name,t(n:count(),total:i4.sum(),f8.max())', '{"order": "name"}', 'ag.teams'), ag.ask('name,t(kind,n:count())', '{"order": "name"}', 'ag.teams'), ag.ask('name,all:t(count())', '{"order": "name", "embed": {"all": {"filter": {"i2": "gt.1"}}}}', 'ag.teams'), ag.ask('name,t!inner(n:count())', '{"order": "name"}', 'ag.teams'), ag.ask('name,t(kind,n:count())', '{"order": "name", "embed": {"t": {"order": "n.desc", "limit": 1}}}', 'ag.teams');
-- What groups cannot have.
SELECT c.wanted, c.more, ag.ask(c.wanted, c.more)
  FROM (VALUES ('js,count()', '{}'::jsonb), ('kind,count()', '{"order": "id"}'), ('kind,count()', '{"order": "knd"}'), ('n:count()', '{"order": "count"}'), ('kind,count()', '{"order": "teams(name)"}'), ('kind,count()', '{"order": "kind", "cursor": "WyIwIixbXV0"}'),
               ('count(*)', '{}'), ('sum(i4)', '{}'), ('count(kind)', '{}'), ('sum()', '{}'), ('i4.total()', '{}'), ('i4.SUM()', '{}'), ('median(i4)', '{}'), ('i4.sum().avg()', '{}'), ('zz.sum()', '{}'), ('i4.sum(),i8.sum()', '{}'), ('count(),count()', '{}'), ('i4.sum()::money', '{}'), ('te::int.sum()', '{}'), ('count(distinct kind)', '{}'), ('i4.sum', '{}'), ('teams.count()', '{}'), ('po,count()', '{}')) AS c(wanted, more);
-- No cursor is promised for groups.
SELECT body::jsonb #> '{result,structuredContent}' FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"ag.t","select":"kind,count()","order":"kind","limit":1}}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}');
DROP SCHEMA ag CASCADE;
