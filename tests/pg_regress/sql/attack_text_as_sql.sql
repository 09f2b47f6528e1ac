-- Functions of Postgres that run SQL out of a text, from within a tool: they run as the caller, as all else does. And what a call keeps in settings: never its key.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
-- Where a server is built without libxml, these say so; as the one who owns the secret they would give it.
SELECT t.try($$SELECT table_to_xml('sib.secret', true, false, '')::text LIKE '%of the sibling%'$$) ~ '^(t|0A000)';
CREATE FUNCTION pg_temp.told(answer text) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN answer LIKE '%of the sibling%' OR answer LIKE '%SECRET READ%' THEN 'THE SECRET: ' || answer WHEN answer ~ '(42501|0A000|25006|3F000)' THEN 'refused'
            WHEN answer LIKE '%WORKED | authenticated%' THEN 'ran as the caller' ELSE answer END $$;
-- A schema's and a database's tables are those that one may read: whether they run is the server's, that the secret is not among them is ours.
SELECT a, CASE pg_temp.told(t.attack(a, 'query_table', '{"table": "atk.by_view"}')) WHEN 'refused' THEN 'held' WHEN 'ran as the caller' THEN 'held' ELSE 'NOT HELD' END
  FROM unnest(ARRAY['SELECT table_to_xml(''sib.secret'', true, false, '''')', 'SELECT schema_to_xml(''sib'', true, false, '''')', 'SELECT query_to_xml(''SELECT * FROM sib.secret'', true, false, '''')',
                    'SELECT query_to_xml(''SET ROLE regress_sibling'', true, false, '''')',
                    'SELECT ts_stat(''SELECT to_tsvector(secret) FROM sib.secret'')', 'SELECT ts_rewrite(''a''::tsquery, ''SELECT secret::tsquery, secret::tsquery FROM sib.secret'')',
                    'SELECT * FROM pg_get_viewdef(''atk.by_view''::regclass); SELECT secret FROM sib.secret']) WITH ORDINALITY AS u(a, n) ORDER BY n;
-- All settings, as a view sees them while the listener's call runs. A canary first: the view finds what is there.
CREATE VIEW atk.settings AS SELECT name FROM pg_settings WHERE setting ~ 'fb[ks]_[0-9a-f]{16}' OR setting ~ 'fb[ks]:[0-9a-f]{16}:' OR setting ~ '[0-9a-f]{64}';
GRANT SELECT ON atk.settings TO authenticated;
SELECT set_config('application_name', t.credential('a'), false) <> '';
SELECT t.via('a', 'query_table', '{"table": "atk.settings"}');
RESET application_name;
SELECT t.via('a', 'query_table', '{"table": "atk.settings"}');
DROP VIEW atk.settings;
