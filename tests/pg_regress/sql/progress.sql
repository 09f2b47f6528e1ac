-- mcp.progress and mcp.log: told on the call's own connection, to who asked, whatever client_min_messages is.
\t on
\a
\set VERBOSITY terse
SET client_min_messages = error;
CREATE SCHEMA pg;
GRANT USAGE ON SCHEMA pg TO authenticated;
SELECT t.key('progress', scopes => '{execute:rpc}');
CREATE FUNCTION pg.steps() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mcp.progress(0, 2, 'begin "now"');
    PERFORM mcp.log('debug', '"small"');
    PERFORM mcp.progress(1.5);
    PERFORM mcp.progress(1);
    PERFORM mcp.progress(NULL);
    PERFORM mcp.log('warning', '{"n": [1, "x"]}', 'steps');
    PERFORM mcp.progress(2, 2);
    RETURN 'done';
END
$$;
SELECT mcp.register_tool('steps', 'pg.steps()', 'Steps.');
CREATE FUNCTION pg.call(meta jsonb, name text DEFAULT 'steps', transport jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
SELECT coalesce(h.body::jsonb #>> '{result,content,0,text}', h.body) FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', name, '_meta', meta))::text, t.credential('progress'), transport) AS h
$$;
\set modern '"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}'
-- Nobody asked.
SELECT pg.call('{}');
SELECT mcp.progress(1), mcp.log('info', '1');
-- With a token, text or number, in both eras.
SELECT pg.call('{"progressToken": "t\"1"}');
SELECT pg.call(('{"progressToken": 7, ' || :'modern' || '}')::jsonb);
-- Log messages from a level on. Legacy clients have no level for one request: with a revision they get info and above, without one nothing.
SELECT pg.call(('{"io.modelcontextprotocol/logLevel": "warning", ' || :'modern' || '}')::jsonb);
SELECT pg.call(('{"io.modelcontextprotocol/logLevel": "debug", ' || :'modern' || '}')::jsonb);
SELECT pg.call('{"io.modelcontextprotocol/logLevel": "debug"}');
SELECT pg.call('{}', transport => '{"http": true, "headers": {"mcp-protocol-version": ["2025-11-25"]}}');
SELECT pg.call(('{"io.modelcontextprotocol/logLevel": "loud", ' || :'modern' || '}')::jsonb);
SELECT pg.call('{"progressToken": [1]}');
-- After the call nobody listens any more, also after one that failed.
SELECT mcp.progress(1);
CREATE FUNCTION pg.fails() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM mcp.progress(1); RAISE EXCEPTION 'failed'; END $$;
SELECT mcp.register_tool('fails', 'pg.fails()', 'Fails.');
SELECT pg.call('{"progressToken": 1}', 'fails');
SELECT mcp.progress(1);
-- A call within a call tells the one who asked.
CREATE FUNCTION pg.outer() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"steps","_meta":{"progressToken":"inner"}}}');
    PERFORM mcp.progress(3);
    RETURN 'done';
END
$$;
SELECT mcp.register_tool('outer', 'pg.outer()', 'Outer.');
SELECT pg.call('{"progressToken": "outer"}', 'outer');
SELECT pg.call('{}', 'outer');
-- Wrong arguments.
SELECT t.try($$SELECT mcp.progress('NaN')$$), t.try($$SELECT mcp.progress(1, 'Infinity')$$), t.try($$SELECT mcp.log('loud', '1')$$), t.try($$SELECT mcp.log(NULL, '1')$$);
DELETE FROM mcp._tools;
DROP SCHEMA pg CASCADE;
