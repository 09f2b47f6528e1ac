-- Where the extension refuses to be installed: a database that is not UTF8, and a schema mcp that somebody else owns.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE DATABASE regress_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
\c regress_latin1
CREATE EXTENSION fluxbase_mcp_ext;
SELECT count(*) FROM pg_extension WHERE extname = 'fluxbase_mcp_ext';
\c regression
DROP DATABASE regress_latin1;
-- Whoever may create schemas could own mcp before us, and with it drop and replace what we put there.
CREATE DATABASE regress_squatted TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_squatted
CREATE SCHEMA mcp AUTHORIZATION regress_app;
DO $$ BEGIN CREATE EXTENSION fluxbase_mcp_ext; EXCEPTION WHEN OTHERS THEN NULL; END $$;
SELECT 'installed: ' || (SELECT count(*) FROM pg_extension WHERE extname = 'fluxbase_mcp_ext');
\c regression
DROP DATABASE regress_squatted;
