-- Hidden schemas and system catalogs: closed to every tool and resource for ordinary keys whatever the grants; open by name to admins.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS storage;
CREATE SCHEMA secretly;
CREATE TABLE auth.people (id int PRIMARY KEY, email text);
CREATE TABLE storage.objects (id int);
CREATE TABLE secretly.things (id int REFERENCES auth.people);
INSERT INTO auth.people VALUES (1, 'x@example.org');
CREATE TABLE public.hidden_ref (id int REFERENCES auth.people);
GRANT USAGE ON SCHEMA storage, secretly TO authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON auth.people, storage.objects, public.hidden_ref TO authenticated, service_role;
CREATE TEMP TABLE temporary_one (id int);
GRANT SELECT ON temporary_one TO authenticated, service_role;
-- An ordinary key.
SELECT name, t.via('a', 'query_table', jsonb_build_object('table', name, 'limit', 1))
  FROM unnest(ARRAY['auth.people', 'storage.objects', 'mcp.keys', 'mcp.allowed_roles', 'pg_catalog.pg_class', 'pg_catalog.pg_roles', 'information_schema.tables', 'pg_toast.pg_toast_1255', 'pg_temp.temporary_one', 'pg_class', 'temporary_one', '"auth"."people"']) AS name;
SELECT x, t.via(k, 'query_table', jsonb_build_object('table', x || '.temporary_one')) ~ '^error: unknown table' FROM (SELECT pg_my_temp_schema()::regnamespace::text) AS n(x), unnest(ARRAY['a']) AS k WHERE x !~ '^pg_temp_[0-9]+$' OR t.via(k, 'query_table', jsonb_build_object('table', x || '.temporary_one')) !~ '^error: unknown table';
SELECT name, t.via('a', 'describe_table', jsonb_build_object('table', name)), t.read('a', 'fluxbase://schema/tables/' || replace(name, '.', '/'))
  FROM unnest(ARRAY['auth.people', 'mcp.keys', 'pg_catalog.pg_class', 'information_schema.tables']) AS name;
SELECT t.via('a', 'insert_record', '{"table": "auth.people", "data": {"id": 2}}');
SELECT t.via('a', 'update_record', '{"table": "auth.people", "data": {"id": 2}, "filter": {"id": 1}}');
SELECT t.via('a', 'delete_record', '{"table": "auth.people", "filter": {"id": 1}}');
SELECT s, t.via('a', 'list_tables', jsonb_build_object('schema', s)) FROM unnest(ARRAY['auth', 'storage', 'mcp', 'pg_catalog', 'information_schema', 'pg_toast']) AS s;
SELECT t.via('a', 'list_tables') ~ 'auth|people|pg_class', t.read('a', 'fluxbase://schema/tables') ~ 'auth|people|pg_class';
-- Not by way of a hint or of a relation.
SELECT t.via('a', 'query_table', '{"table": "auth.peple"}');
SELECT t.via('a', 'query_table', '{"table": "people"}');
SELECT t.via('a', 'describe_table', '{"table": "hidden_ref"}')::jsonb -> 'foreign_keys';
-- Search schemas do not open what is hidden.
SET mcp.search_schemas = 'auth, pg_catalog';
SELECT t.via('a', 'query_table', '{"table": "people"}');
SELECT t.via('a', 'query_table', '{"table": "pg_class", "limit": 1}');
RESET mcp.search_schemas;
-- The service key: hidden schemas are open as far as its role's grants go; the keys are not.
SELECT t.via('service', 'query_table', '{"table": "auth.people"}');
SELECT t.via('service', 'list_tables', '{"schema": "auth"}');
SELECT t.read('service', 'fluxbase://schema/tables/auth/people') ~ 'email';
SELECT t.via('service', 'describe_table', '{"table": "hidden_ref"}')::jsonb -> 'foreign_keys';
SELECT t.via('service', 'query_table', '{"table": "pg_catalog.pg_namespace", "select": "nspname", "filter": {"nspname": "eq.mcp"}}');
SELECT name, t.via('service', 'query_table', jsonb_build_object('table', name)) FROM unnest(ARRAY['mcp.keys', 'mcp.allowed_roles', 'pg_catalog.pg_authid', 'pg_catalog.pg_shadow', 't.credentials']) AS name;
SELECT t.via('service', 'list_tables', '{"schema": "mcp"}'), t.via('service', 'list_tables', '{"schema": "pg_catalog"}');
SELECT t.via('service', 'update_record', '{"table": "pg_catalog.pg_class", "data": {"relname": "x"}, "filter": {"relname": "eq.people"}}');
-- Members of mcp_admin likewise.
CREATE ROLE regress_admin NOLOGIN;
GRANT mcp_admin TO regress_admin;
\o /dev/null
SELECT mcp.allow_role('regress_admin');
\o
GRANT USAGE ON SCHEMA auth TO regress_admin;
GRANT SELECT ON auth.people TO regress_admin;
SELECT t.key('admin', role => 'regress_admin');
SELECT t.via('admin', 'query_table', '{"table": "auth.people"}');
SELECT t.via('admin', 'query_table', '{"table": "mcp.keys"}');
REVOKE mcp_admin FROM regress_admin;
SELECT t.via('admin', 'query_table', '{"table": "auth.people"}');
-- Which schemas are hidden is the DBA's choice.
SET mcp.hidden_schemas = 'secretly';
SELECT t.via('a', 'query_table', '{"table": "auth.people"}');
SELECT t.via('a', 'query_table', '{"table": "pg_catalog.pg_class", "limit": 1}');
RESET mcp.hidden_schemas;
SELECT t.via('a', 'query_table', '{"table": "auth.people"}');
-- Direct SQL: an ordinary role is ordinary, a superuser is an admin.
SET ROLE authenticated;
SELECT t.call('query_table', '{"table": "auth.people"}');
RESET ROLE;
SELECT t.call('query_table', '{"table": "auth.people"}');
SELECT t.call('query_table', '{"table": "mcp.allowed_roles", "select": "role_name", "order": "role_name"}');
DROP TABLE public.hidden_ref, secretly.things, auth.people, storage.objects;
DROP SCHEMA storage, secretly;
\o /dev/null
SELECT mcp.disallow_role('regress_admin');
\o
REVOKE USAGE ON SCHEMA auth FROM regress_admin;
DROP ROLE regress_admin;
