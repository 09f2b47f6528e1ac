-- table_errors: unknown table, column, operator, relation, type, aggregate, word and argument: each error names the nearest there is, tells where to look it up, and what was not done.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA te;
CREATE TYPE te.state AS ENUM ('new', 'open', 'done');
CREATE TABLE te.customers (customer_id int PRIMARY KEY, company_name text, "Order Total" numeric, state te.state, meta jsonb);
CREATE TABLE te.orders (id int PRIMARY KEY, customer_id int REFERENCES te.customers, placed_at timestamptz DEFAULT '2024-01-01', note varchar(5), flags bit(3));
CREATE TABLE te."Mixed Case" (id int);
CREATE TABLE te.hidden_from_you (id int);
INSERT INTO te.customers VALUES (1, 'Acme', 1.5, 'new', '{}');
GRANT USAGE ON SCHEMA te TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON te.customers, te.orders, te."Mixed Case" TO authenticated;
CREATE FUNCTION te.ask(args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT t.via('a', 'query_table', '{"table": "te.customers"}'::jsonb || args)
$$;
-- Tables: misspelt, in another schema, in another case, with the schema inside quotes, without privilege (as if it were not there).
SELECT n, te.ask(jsonb_build_object('table', n)) FROM unnest(ARRAY['te.customer', 'te.custmers', 'te.Customers', 'customers', 'te.mixed case', 'te.Mixed Case', 'te."Mixed Case"', '"te.customers"', 'tee.customers', 'te.orders_', 'te.hidden_from_you', 'te.hidden_from_yo', 'te.nothing_like_it', 'te.customers.company_name', 'te.customers c', 'regression.te.customers']) AS n;
SELECT v, t.via('a', v, '{"table": "te.customer", "data": {"x": 1}, "filter": {"x": 1}}'::jsonb - CASE v WHEN 'insert_record' THEN '{filter}' WHEN 'delete_record' THEN '{data}' WHEN 'describe_table' THEN '{data,filter}' ELSE '{}' END::text[]) FROM unnest(ARRAY['insert_record', 'update_record', 'delete_record', 'describe_table']) AS v;
-- Columns, in each argument.
SELECT a, te.ask(a) FROM unnest(ARRAY['{"select": "companyname"}', '{"select": "Company_Name"}', '{"select": "name"}', '{"select": "order total"}', '{"select": "zzz"}', '{"select": "customers.company_name"}', '{"filter": {"company": "eq.x"}}', '{"filter": {"Order_Total": 1}}', '{"order": "company_nam.desc"}', '{"select": "c:compny_name"}', '{"select": "company_nam::text"}', '{"select": "compny_name.max()"}', '{"select": "orders(plced_at)"}', '{"filter": {"orders.plced_at": null}}', '{"select": "orders(id)", "embed": {"orders": {"order": "plced_at"}}}', '{"filter": {"mta->x": 1}}']::jsonb[]) AS a;
SELECT t.via('a', 'insert_record', '{"table": "te.customers", "data": {"customer_id": 2, "companyname": "x"}}'), t.via('a', 'update_record', '{"table": "te.customers", "data": {"stat": "new"}, "filter": {"customer_id": 1}}'), t.via('a', 'delete_record', '{"table": "te.customers", "filter": {"customerid": 1}}'), t.via('a', 'insert_record', '{"table": "te.customers", "data": {"customer_id": 2}, "on_conflict": "customerid"}');
-- Operators.
SELECT c, te.ask(jsonb_build_object('filter', jsonb_build_object('customer_id', c))) FROM unnest(ARRAY['"equal.1"', '"=.1"', '"greater.1"', '"gtt.1"', '"1"', '"ne.1"', '"not_eq.1"', '{"$gt": 1}', '{"greater_than": 1}', '{"ge": 1}', '{"EQ": 1}', '{"contains": 1}', '{"eq": 1, "nee": 2}', '"between.1.and.2"', '"starts_with.x"']::jsonb[]) AS c;
-- Relations.
SELECT a, te.ask(a) FROM unnest(ARRAY['{"select": "order(id)"}', '{"select": "ordrs(id)"}', '{"select": "orders!customer(id)"}', '{"select": "customers(company_name)"}', '{"select": "hidden_from_you(id)"}', '{"filter": {"order.id": 1}}', '{"order": "orders(id)"}', '{"embed": {"ordrs": {}}, "select": "orders(id)"}', '{"table": "te.orders", "select": "customer(company_name)"}', '{"table": "te.orders", "order": "customer(company_name)"}', '{"table": "te.Mixed Case", "select": "orders(id)"}']::jsonb[]) AS a;
-- Casts, aggregates, words, arguments.
SELECT a, te.ask(a) FROM unnest(ARRAY['{"select": "customer_id::string"}', '{"select": "customer_id::number"}', '{"select": "customer_id::integr"}', '{"select": "customer_id::double"}', '{"select": "customer_id.summ()"}', '{"select": "customer_id.average()"}', '{"select": "customer_id.total()"}', '{"select": "avg(customer_id)"}', '{"select": "company_name.sum()"}', '{"order": "customer_id.descending"}', '{"order": "customer_id.desc.nulls_last"}', '{"count": "exactly"}', '{"select": "orders!innner(id)"}',
    '{"columns": "customer_id"}', '{"where": {}}', '{"selct": "*"}', '{"limt": 5}', '{"orderby": "customer_id"}', '{"filters": {}}', '{"page": 2}', '{"Limit": 5}', '{"limit": "5"}', '{"offset": "1"}', '{"cursor": "abc", "order": "customer_id"}', '{"select": {"a": 1}}', '{"filter": "customer_id=1"}', '{"filter": []}', '{"embed": "orders"}']::jsonb[]) AS a;
SELECT a, t.via('a', 'insert_record', '{"table": "te.orders"}'::jsonb || a) FROM unnest(ARRAY['{"data": {"id": 1}, "upsert": true}', '{"data": {"id": 1}, "onconflict": "id"}', '{"values": {"id": 1}}', '{"data": {"id": 1}, "resolution": "mrge"}', '{"data": {"id": 1}, "return": "id"}', '{"data": {"id": 1}, "filter": {"id": 1}}', '{"data": {"id": 1}, "dryrun": true}']::jsonb[]) AS a;
SELECT t.via('a', 'write_batch', '{"operations": [{"op": "insrt", "table": "te.orders", "data": {"id": 1}}]}'), t.via('a', 'write_batch', '{"operation": []}'), t.via('a', 'write_batch', '{"operations": [{"op": "update", "table": "te.orders", "set": {"id": 1}, "filter": {"id": 1}}]}');
-- Types of values: the place, what the column is, what to write.
SELECT a, t.via('a', 'insert_record', '{"table": "te.orders"}'::jsonb || a) FROM unnest(ARRAY['{"data": {"id": "one"}}', '{"data": {"id": 1.5}}', '{"data": {"id": true}}', '{"data": {"id": [1]}}', '{"data": {"id": {"a": 1}}}', '{"data": {"id": 1, "placed_at": "soon"}}', '{"data": {"id": 1, "placed_at": 5}}', '{"data": {"id": 1, "note": "too long"}}', '{"data": {"id": 1, "flags": "1010"}}', '{"data": {"id": 1, "flags": "102"}}', '{"data": {"id": null}}', '{"data": {"id": 1, "customer_id": 99}}']::jsonb[]) AS a;
SELECT t.via('a', 'update_record', '{"table": "te.customers", "data": {"state": "closed"}, "filter": {"customer_id": 1}}'), te.ask('{"filter": {"state": "eq.closed"}}'), te.ask('{"filter": {"state": {"in": ["new", "nwe"]}}}'), te.ask('{"filter": {"Order Total": "gt.much"}}'), te.ask('{"filter": {"meta": "eq.{a:1}"}}');
-- Not an object, not JSON, a key twice, characters that no text can hold.
SELECT b, t.shown(body::jsonb) FROM unnest(ARRAY['"te.customers"', '[]', 'null', '7', '{"table":"te.customers","table":"te.orders"}', '{"table":"te.customers","filter":{"company_name":"eq.a\u0000b"}}', '{"table":"te.customers","select":"company\u0000name"}', '{"table":"te.customers","filter":{"company\u0000name":"eq.a"}}', '{"table":"te.customers","order":"a\u0000"}', '{"table":"te.customers\u0000"}', '{"table":"te.customers","filter":{"meta->\u0000":1}}', '{"table":"te.customers","filter":{"meta":{"eq":"\u0000"}}}', '{"table":"te.customers","filter":{"meta":{"cs":{"\u0000":1}}}}', '{"table":"te.customers","select":"orders\u0000(id)"}', '{"table":"te.customers","filter":{"orders.note":"eq.\u0000"}}', '{"table":"te.customers","filter":{"company_name":"\ud800"}}']) AS b, mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":' || b || '}}', t.credential('a'), NULL);
SELECT count(*) FROM te.orders;
DROP SCHEMA te CASCADE;
