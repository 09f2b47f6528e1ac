-- query_table: select, every operator, order, limit, offset, the answer to nothing found, notes when a bound cuts.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA q AUTHORIZATION regress_owner;
CREATE TYPE q.state AS ENUM ('new', 'open', 'done');
CREATE TABLE q.items (id int PRIMARY KEY, name text, price numeric(10,2), state q.state, tags text[], doc jsonb, active bool,
                      made date, span int4range, "and" int);
ALTER TABLE q.items OWNER TO regress_owner;
INSERT INTO q.items VALUES
    (1, 'apple', 1.50, 'new', '{red,fruit}', '{"a": 1, "b": [1, 2]}', true, '2024-01-01', '[1,5)', 1),
    (2, 'Banana', 20, 'open', '{yellow,fruit}', '{"a": 2}', false, '2024-02-01', '[5,10)', 2),
    (3, 'cherry, dark', 3.25, 'done', '{}', 'null', NULL, '2024-03-01', 'empty', NULL),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 'a%b_c', 1000.10, 'open', '{"x y"}', '{"a": {"b": null}}', true, '2024-05-01', '[0,100)', 5);
GRANT USAGE ON SCHEMA q TO authenticated;
GRANT SELECT ON q.items TO authenticated;

-- The shortest call; all columns in their order.
SELECT t.via('a', 'query_table', '{"table": "q.items", "filter": {"id": 1}}');
-- select: columns, alias, list, star, nothing but names.
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "price, id", "filter": {"id": 2}}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "n:name,id", "filter": {"id": 2}}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": ["id", "name"], "filter": {"id": 2}}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "nme"}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "count(*)"}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "name::int"}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "id,id"}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "ctid"}');
SELECT t.via('a', 'query_table', '{"table": "q.items", "select": "tableoid"}');

-- Every operator, in the string form and in the object form.
SELECT c.filter, string_agg(r ->> 'id', ',' ORDER BY r ->> 'id')
  FROM (VALUES
    (1, '{"id": "eq.1"}'::jsonb), (2, '{"id": {"eq": 1}}'), (3, '{"id": 1}'),
    (4, '{"id": "neq.1"}'), (5, '{"id": {"neq": 1}}'),
    (6, '{"price": "gt.3.25"}'), (7, '{"price": {"gt": 3.25}}'),
    (8, '{"price": "gte.3.25"}'), (9, '{"price": {"gte": "3.25"}}'),
    (10, '{"price": "lt.3.25"}'), (11, '{"price": {"lt": 3.25}}'),
    (12, '{"price": "lte.3.25"}'), (13, '{"price": {"lte": 3.25}}'),
    (14, '{"price": {"gte": 1.5, "lt": 20}}'),
    (15, '{"name": "like.a%"}'), (16, '{"name": {"like": "a%"}}'),
    (17, '{"name": "ilike.b%"}'), (18, '{"name": {"ilike": "B%"}}'),
    (19, '{"name": "like.a\\%%"}'), (20, '{"name": "eq.a%b_c"}'),
    (21, '{"price": "like.%.25"}'),
    (22, '{"name": "is.null"}'), (23, '{"name": {"is": null}}'), (24, '{"name": null}'),
    (25, '{"name": "isnot.null"}'), (26, '{"name": {"isnot": null}}'),
    (27, '{"active": "is.true"}'), (28, '{"active": {"is": false}}'), (29, '{"active": "is.unknown"}'),
    (30, '{"active": "isnot.true"}'), (31, '{"active": true}'), (32, '{"active": "eq.false"}'),
    (33, '{"id": "in.(1,3)"}'), (34, '{"id": {"in": [1, 3]}}'), (35, '{"name": "in.(apple,\"cherry, dark\")"}'),
    (36, '{"id": "nin.(1,3)"}'), (37, '{"id": {"nin": [1, 3]}}'), (38, '{"id": {"in": []}}'), (39, '{"id": {"nin": []}}'),
    (40, '{"tags": "cs.{fruit}"}'), (41, '{"tags": {"cs": ["fruit", "red"]}}'),
    (42, '{"tags": "cd.{fruit,red,blue}"}'), (43, '{"tags": {"cd": ["x y"]}}'),
    (44, '{"tags": "ov.{red,yellow}"}'), (45, '{"tags": {"ov": ["x y"]}}'),
    (46, '{"doc": {"cs": {"a": 1}}}'), (47, '{"doc": {"cs": {"a": {"b": null}}}}'), (48, '{"doc": {"eq": {"a": 2}}}'),
    (49, '{"span": "cs.[6,7)"}'), (50, '{"span": "ov.[4,6)"}'), (51, '{"span": {"cd": "[0,10)"}}'),
    (52, '{"state": "eq.open"}'), (53, '{"state": {"in": ["new", "done"]}}'), (54, '{"state": "gt.new"}'),
    (55, '{"made": "gte.2024-02-01", "active": "isnot.null"}'),
    (56, '{"\"and\"": 5}')) AS c(n, filter),
    LATERAL (SELECT t.via('a', 'query_table', jsonb_build_object('table', 'q.items', 'select', 'id', 'filter', c.filter))) AS a(text)
    LEFT JOIN LATERAL jsonb_array_elements(a.text::jsonb) AS r ON true
 GROUP BY c.n, c.filter ORDER BY c.n;

-- What is not understood is an error that shows the right form.
SELECT c.filter, t.via('a', 'query_table', jsonb_build_object('table', 'q.items', 'filter', c.filter))
  FROM (VALUES
    ('{"state": "open"}'::jsonb), ('{"state": "equals.open"}'), ('{"state": {"equals": "open"}}'), ('{"state": ["open"]}'),
    ('{"name": "eq.null"}'), ('{"name": {"eq": null}}'), ('{"name": {}}'), ('{"nme": "eq.1"}'), ('{"id": "eq.abc"}'),
    ('{"id": {"in": 5}}'), ('{"id": "in.1,2"}'), ('{"id": {"in": [1, null]}}'), ('{"id": "is.5"}'), ('{"name": "is.true"}'),
    ('{"id": "cs.{1}"}'), ('{"state": "eq.closed"}'), ('{"or": "(id.eq.1,id.eq.2)"}'), ('"id=1"'), ('[]'), ('7'),
    ('{"made": "gt.yesterdayish"}'), ('{"ctid": "eq.(0,1)"}')) AS c(filter);
-- The same key twice never picks one of them.
SELECT t.shown(body::jsonb) FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"q.items","filter":{"id":"eq.1","id":"eq.2"}}}}', t.credential('a'), NULL);
SELECT t.via('a', 'query_table', '{"table": "q.items", "where": {"id": 1}}');
SELECT t.via('a', 'query_table', '{"table": "q.itms"}');
SELECT t.via('a', 'query_table', '{"table": 5}');
SELECT t.via('a', 'query_table', '{}');

-- order
SELECT c.o, t.via('a', 'query_table', jsonb_build_object('table', 'q.items', 'select', 'id', 'order', c.o))
  FROM (VALUES ('id.desc'), ('price.asc'), ('price.desc'), ('price.desc.nullslast,id'), ('name.nullsfirst'), ('state.desc.nullslast,id.desc'),
               ('nme'), ('id; drop table q.items'), ('id desc'), ('lower(name)'), ('')) AS c(o);
-- limit and offset
SELECT c.l, t.via('a', 'query_table', '{"table": "q.items", "select": "id", "order": "id"}' || c.l)
  FROM (VALUES ('{"limit": 2}'::jsonb), ('{"limit": 2, "offset": 3}'), ('{"offset": 4}'), ('{"offset": 100}'), ('{"limit": 0}'), ('{"limit": -1}'),
               ('{"offset": -1}'), ('{"limit": "2"}'), ('{"limit": 2.5}'), ('{"limit": null}'), ('{"limit": 5000}'),
               ('{"limit": 99999999999999999999}'), ('{"offset": 9223372036854775807}')) AS c(l);

-- Nothing found is an empty list.
SELECT t.via('a', 'query_table', '{"table": "q.items", "filter": {"id": 99}}');

-- The default limit, the highest limit and the size bound all say that there is more and how to go on.
CREATE TABLE q.many AS SELECT g AS id, repeat('x', 90) AS pad FROM generate_series(1, 1500) AS g;
GRANT SELECT ON q.many TO authenticated;
CREATE FUNCTION t.count_of(answer text) RETURNS text LANGUAGE sql AS $$
SELECT jsonb_array_length(split_part(answer, E'\nnote: ', 1)::jsonb) || coalesce(' / ' || nullif(substr(answer, strpos(answer, E'\nnote: ') * sign(strpos(answer, E'\nnote: '))::int), answer), '')
$$;
SELECT t.count_of(t.via('a', 'query_table', '{"table": "q.many", "select": "id", "order": "id"}'));
SELECT t.count_of(t.via('a', 'query_table', '{"table": "q.many", "select": "id", "order": "id", "limit": 1000}'));
SELECT t.count_of(t.via('a', 'query_table', '{"table": "q.many", "select": "id", "order": "id", "limit": 1500}'));
SELECT t.count_of(t.via('a', 'query_table', '{"table": "q.many", "select": "id", "order": "id", "limit": 1500, "offset": 1000}'));
SELECT t.count_of(t.via('a', 'query_table', '{"table": "q.many", "order": "id", "limit": 1000}'));
-- Both bounds cut: only one way on is right, behind the last row that is shown.
SELECT ARRAY(SELECT m[1] FROM regexp_matches(a, 'offset[ =]([0-9]+)', 'g') AS m) FROM t.via('a', 'query_table', '{"table": "q.many", "order": "id", "limit": 1500}') AS a;
-- Exactly as many rows as the limit: nothing more is promised.
SELECT t.count_of(t.via('a', 'query_table', '{"table": "q.many", "select": "id", "filter": {"id": "lte.100"}}'));
-- One row that is too large by itself.
CREATE TABLE q.large AS SELECT 1 AS id, repeat('x', 50000) AS body;
GRANT SELECT ON q.large TO authenticated;
SELECT t.via('a', 'query_table', '{"table": "q.large"}');
SELECT t.via('a', 'query_table', '{"table": "q.large", "select": "id"}');

-- Unqualified names are public's, then those of mcp.search_schemas.
SELECT t.via('a', 'query_table', '{"table": "items", "filter": {"id": 1}, "select": "id"}');
SET mcp.search_schemas = 'q';
SELECT t.via('a', 'query_table', '{"table": "items", "filter": {"id": 1}, "select": "id"}');
RESET mcp.search_schemas;

-- A read takes no transaction id.
BEGIN;
SELECT t.via('a', 'query_table', '{"table": "q.items", "filter": {"id": 1}, "select": "id"}'), pg_current_xact_id_if_assigned() IS NULL;
COMMIT;

-- Structured content beside the text, from 2025-06-18 on.
SELECT body FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"q.items","select":"id","order":"id","limit":2}}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}');
SELECT body FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"q.items","select":"id","filter":{"id":99}}}}', t.credential('a'), '{"http": true, "headers": {"mcp-protocol-version": ["2025-06-18"]}}');

DROP SCHEMA q CASCADE;
