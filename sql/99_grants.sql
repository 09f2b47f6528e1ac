-- Who may execute what. Postgres gives EXECUTE to PUBLIC by itself: it is taken from everything and given back by name.
CREATE FUNCTION mcp.handle(request pg_catalog.jsonb) RETURNS pg_catalog.json
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$ SELECT mcp._handle($1::pg_catalog.text) $$;
COMMENT ON FUNCTION mcp.handle(pg_catalog.jsonb) IS
    'Answers one MCP message as the current role, or as the identity that mcp.authenticate set. NULL for a notification.';
COMMENT ON FUNCTION mcp.handle(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS
    'The listener''s entry: message, credential, transport; one row with the HTTP status and the body.';
COMMENT ON FUNCTION mcp._serve(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS
    'mcp.handle(text, text, jsonb) for fluxbase serve: the status in a line of its own, then the body.';
COMMENT ON FUNCTION mcp._changes() IS
    'For fluxbase serve: another text than before, asked on the same connection, when what a key sees may have changed.';
COMMENT ON FUNCTION mcp.progress(pg_catalog.float8, pg_catalog.float8, pg_catalog.text) IS
    'Inside a tool: tells the client how far it is. Nothing happens if the client did not ask.';
COMMENT ON FUNCTION mcp.log(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS
    'Inside a tool: sends the client a log message. Nothing happens if the client did not ask for that level.';
COMMENT ON PROCEDURE mcp._wait(pg_catalog.int8, pg_catalog.int4) IS
    'For fluxbase serve: waits, without a snapshot, until a call of an edge function has ended.';
COMMENT ON FUNCTION mcp._ended(pg_catalog.int8) IS
    'For fluxbase serve: the worker''s epoch, then a line for each call that has ended and is not finished.';
COMMENT ON FUNCTION mcp.worker_status() IS
    'How the delegate worker is, which makes calls over HTTP: state (running, not answering, not preloaded), numbers, and what to do.';
COMMENT ON FUNCTION mcp.authenticate(pg_catalog.text) IS
    'Takes a key''s identity for the rest of the transaction. In psql, pass the key with \bind to keep it out of the log.';

REVOKE ALL ON ALL TABLES IN SCHEMA mcp FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA mcp FROM PUBLIC;

-- Open to everybody on purpose: they run as the caller and tell nothing but what the caller may know anyway.
GRANT EXECUTE ON FUNCTION
    mcp.handle(pg_catalog.jsonb), mcp._handle(pg_catalog.text), mcp.authenticate(pg_catalog.text),
    mcp.claim(pg_catalog.text), mcp.claims(), mcp.version(),
    mcp.progress(pg_catalog.float8, pg_catalog.float8, pg_catalog.text), mcp.log(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text)
    TO PUBLIC;

GRANT EXECUTE ON FUNCTION
    mcp._generate_key(pg_catalog.text), mcp._keys_changed(pg_catalog.oid), mcp._setting_allowed(pg_catalog.text),
    mcp._check_setting(pg_catalog.text, pg_catalog.text), mcp._scopes(),
    mcp._outer_user(), mcp._preloaded(), mcp.worker_status(), mcp._public(), mcp._built_in_tools(), mcp._forget_keys(),
    mcp._check_tool(pg_catalog.text, pg_catalog.oid, pg_catalog.text, pg_catalog.text, pg_catalog.text),
    mcp._check_resource(pg_catalog.text, pg_catalog.oid, pg_catalog.text), mcp._check_prompt(pg_catalog.oid, pg_catalog.text),
    mcp._check_procedure(pg_catalog.oid, pg_catalog.text, pg_catalog.bool)
    TO mcp_owner;
