-- The extension, the roles and the helpers that every other test uses. Nothing is proved here.
SET client_min_messages = warning;
CREATE EXTENSION fluxbase_mcp_ext;
\o /dev/null
SELECT * FROM mcp.setup_roles();
SELECT * FROM mcp.install();
SELECT * FROM mcp.setup_listener('regress_listener');
\o

-- Owns the tables; what an ordinary person uses in psql; owns hostile functions; has what nobody else may see; a login that
-- is member of more than it should be, as the worst listener would be.
CREATE ROLE regress_owner NOLOGIN;
CREATE ROLE regress_app NOLOGIN;
CREATE ROLE regress_tenant NOLOGIN;
CREATE ROLE regress_sibling NOLOGIN;
CREATE ROLE regress_login LOGIN NOINHERIT;
GRANT authenticated, regress_sibling, service_role TO regress_login;
GRANT EXECUTE ON FUNCTION mcp.handle(text, text, jsonb), mcp._serve(text, text, text) TO regress_login;

CREATE SCHEMA t;
GRANT USAGE ON SCHEMA t TO PUBLIC;

-- A reply in one text: the content of a result, "error: …" for isError, "rpc <code>: …" for a JSON-RPC error.
CREATE FUNCTION t.shown(reply jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT CASE
    WHEN reply IS NULL THEN '(no answer)'
    WHEN reply ? 'error' THEN format('rpc %s: %s', reply #>> '{error,code}', reply #>> '{error,message}')
    ELSE CASE WHEN (reply #>> '{result,isError}')::bool THEN 'error: ' ELSE '' END
         || (SELECT string_agg(c.item ->> 'text', E'\nnote: ' ORDER BY c.n)
               FROM jsonb_array_elements(reply #> '{result,content}') WITH ORDINALITY AS c(item, n))
    END
$$;

-- A tool called in SQL, as the current role or the authenticated key.
CREATE FUNCTION t.call(tool text, args jsonb DEFAULT '{}') RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT t.shown(mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params',
                                             jsonb_build_object('name', tool, 'arguments', args)))::jsonb)
$$;

-- A statement that may fail: its first value, or SQLSTATE and message.
CREATE FUNCTION t.try(statement text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    value text;
BEGIN
    EXECUTE statement INTO value;
    RETURN coalesce(value, 'done');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END
$$;

-- Keys by name, with an id and a secret that follow from the name. Only the superuser reads them.
CREATE TABLE t.credentials (name text PRIMARY KEY, credential text NOT NULL);
CREATE FUNCTION t.key(name text, role text DEFAULT 'authenticated', user_id text DEFAULT NULL,
                      scopes text[] DEFAULT '{read:tables,write:tables,read:schema}', kind text DEFAULT 'client',
                      claims jsonb DEFAULT '{}', settings jsonb DEFAULT '{}', rate int DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id text := substr(md5(name), 1, 16);
    h1 bytea := sha256(name::bytea);
BEGIN
    PERFORM mcp.create_key(kind, name, scopes, role, user_id, claims, settings, NULL, rate, id, sha256(h1));
    INSERT INTO t.credentials VALUES (name, CASE kind WHEN 'service' THEN 'fbs:' ELSE 'fbk:' END || id || ':' || encode(h1, 'hex'));
END
$$;
CREATE FUNCTION t.credential(of text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
SELECT credential FROM t.credentials WHERE name = of
$$;
REVOKE ALL ON FUNCTION t.credential FROM PUBLIC;
GRANT EXECUTE ON FUNCTION t.credential TO regress_login, regress_listener;

-- The credential that a plain key becomes in the listener.
CREATE FUNCTION t.wire(key text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT left(key, 3) || ':' || substr(key, 5, 16) || ':' || encode(sha256(decode(translate(substr(key, 22, 43), '-_', '+/') || '=', 'base64')), 'hex')
$$;
-- The listener's entry: status and body.
CREATE FUNCTION t.http(request text, credential text, transport jsonb DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT concat_ws(' ', h.status, h.body) FROM mcp.handle(request, credential, transport) AS h
$$;
-- A tool called by the listener for a key of t.key.
CREATE FUNCTION t.via(key text, tool text, args jsonb DEFAULT '{}', transport jsonb DEFAULT NULL) RETURNS text
    LANGUAGE sql VOLATILE AS $$
SELECT CASE WHEN h.status <> 200 THEN h.status || ' ' ELSE '' END || t.shown(h.body::jsonb)
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params',
                                     jsonb_build_object('name', tool, 'arguments', args))::text,
                  t.credential(key), transport) AS h
$$;
-- A resource read by the listener for a key.
CREATE FUNCTION t.read(key text, uri text, transport jsonb DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT coalesce(h.body::jsonb #>> '{result,contents,0,text}', t.shown(h.body::jsonb))
  FROM mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'resources/read', 'params',
                                     jsonb_build_object('uri', uri))::text, t.credential(key), transport) AS h
$$;

-- Two users of one role, and a service.
SELECT t.key('a', user_id => 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', claims => '{"email": "a@example.org", "tenant": "A"}');
SELECT t.key('b', user_id => 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', claims => '{"email": "b@example.org", "tenant": "B"}');
SELECT t.key('service', role => 'service_role', kind => 'service', scopes => '{}');
