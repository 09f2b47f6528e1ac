-- Keys: the tables, and the functions that write them. Reading a key for a request is done in identity/keys.rs.
--
-- Neither table is readable by anybody but mcp_owner: not by admins, not by the listener. Both are dumped by pg_dump, since
-- they hold what a DBA made.

CREATE TABLE mcp.allowed_roles (
    role_name pg_catalog.name PRIMARY KEY,
    allowed_by pg_catalog.text NOT NULL,
    allowed_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE mcp.allowed_roles IS 'Database roles that keys may stand for; written by mcp.allow_role.';

CREATE TABLE mcp.keys (
    key_id pg_catalog.text PRIMARY KEY CHECK (key_id OPERATOR(pg_catalog.~) '^[0-9a-f]{16}$'),
    kind pg_catalog.text NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['client', 'service'])),
    name pg_catalog.text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) ''),
    role_name pg_catalog.name NOT NULL,
    user_id pg_catalog.text,
    claims pg_catalog.jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(claims) OPERATOR(pg_catalog.=) 'object'),
    settings pg_catalog.jsonb NOT NULL DEFAULT '{}'
        CHECK (pg_catalog.jsonb_typeof(settings) OPERATOR(pg_catalog.=) 'object'),
    scopes pg_catalog.text[] NOT NULL DEFAULT '{}',
    rate_limit_per_min pg_catalog.int4 CHECK (rate_limit_per_min OPERATOR(pg_catalog.>) 0),
    verifier pg_catalog.bytea NOT NULL CHECK (pg_catalog.octet_length(verifier) OPERATOR(pg_catalog.=) 32),
    created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    created_by pg_catalog.text NOT NULL,
    expires_at pg_catalog.timestamptz CHECK (expires_at OPERATOR(pg_catalog.>) '-infinity'),
    revoked_at pg_catalog.timestamptz,
    replaced_by pg_catalog.text
);
COMMENT ON TABLE mcp.keys IS 'Keys of clients and services. verifier is SHA-256(SHA-256(secret)): it cannot be replayed.';
CREATE INDEX keys_by_name ON mcp.keys (kind, name);

SELECT pg_catalog.pg_extension_config_dump('mcp.allowed_roles', '');
SELECT pg_catalog.pg_extension_config_dump('mcp.keys', '');

ALTER TABLE mcp.allowed_roles OWNER TO mcp_owner;
ALTER TABLE mcp.keys OWNER TO mcp_owner;

-- Every backend remembers keys. Whoever changes the tables, by whatever way, makes them all forget.
CREATE FUNCTION mcp._forget_keys() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp._keys_changed(TG_RELID);
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp.keys
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();
CREATE TRIGGER forget_keys AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mcp.allowed_roles
    FOR EACH STATEMENT EXECUTE FUNCTION mcp._forget_keys();

-- The nine scopes of the user's document.
CREATE FUNCTION mcp._scopes() RETURNS pg_catalog.text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
SELECT ARRAY['read:tables', 'write:tables', 'execute:functions', 'execute:rpc', 'read:storage', 'write:storage',
             'execute:jobs', 'read:vectors', 'read:schema']
$$;

-- The functions below belong to mcp_owner and run as it. Whose rights count is asked of mcp._outer_user(): the role that the
-- session has (SET ROLE), whatever SECURITY DEFINER functions lie between. While a tool runs it is refused,
-- so no assistant can make itself a key.

-- Whether the session's role may become `target` with SET ROLE, which is what giving out a key for it amounts to.
CREATE FUNCTION mcp._may_set_role(target pg_catalog.name) RETURNS pg_catalog.bool
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Postgres 16 told SET apart from MEMBER.
    RETURN pg_has_role(mcp._outer_user(), target,
                       CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END);
END
$$;

CREATE FUNCTION mcp._check_key(kind pg_catalog.text, name pg_catalog.text, scopes pg_catalog.text[], role_name pg_catalog.text,
                               claims pg_catalog.jsonb, settings pg_catalog.jsonb, expires_at pg_catalog.timestamptz,
                               rate_limit_per_min pg_catalog.int4)
    RETURNS pg_catalog.void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
BEGIN
    IF kind IS NULL OR kind NOT IN ('client', 'service') THEN
        RAISE EXCEPTION 'kind: "%" is neither client nor service. No key was made.', kind
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF coalesce(name, '') = '' THEN
        RAISE EXCEPTION 'name: a key needs a name. No key was made.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF array_ndims(scopes) > 1 THEN
        RAISE EXCEPTION 'scopes: a list of names, not a list of lists. No key was made.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT s INTO wrong FROM unnest(scopes) AS s WHERE s IS NULL OR s <> ALL (mcp._scopes()) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'scopes: unknown scope "%". No key was made.', wrong
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The scopes are ' || array_to_string(mcp._scopes(), ', ') || '.';
    END IF;
    IF kind = 'client' AND cardinality(scopes) = 0 THEN
        RAISE EXCEPTION 'scopes: a client key without scopes could do nothing. No key was made.'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The scopes are ' || array_to_string(mcp._scopes(), ', ') || '.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role_name) THEN
        RAISE EXCEPTION 'role "%" does not exist. No key was made.', role_name
            USING ERRCODE = 'undefined_object', HINT = 'SELECT mcp.setup_roles() creates anon, authenticated and service_role.';
    END IF;
    IF NOT mcp._may_set_role(role_name) THEN
        RAISE EXCEPTION 'permission denied: you may not SET ROLE to "%", so you may not give out a key for it. No key was made.', role_name
            USING ERRCODE = 'insufficient_privilege', HINT = format('A superuser can run: GRANT %I TO %I.', role_name, mcp._outer_user());
    END IF;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role_name AND r.rolsuper) THEN
        RAISE EXCEPTION 'role "%" is superuser: no key can stand for it. No key was made.', role_name
            USING ERRCODE = 'insufficient_privilege', HINT = 'Use an ordinary role, such as service_role for full access to rows.';
    END IF;
    IF NOT EXISTS (SELECT FROM mcp.allowed_roles AS r WHERE r.role_name = _check_key.role_name) THEN
        RAISE EXCEPTION 'role "%" is not allowed for keys. No key was made.', role_name
            USING ERRCODE = 'insufficient_privilege', HINT = format('An administrator can run: SELECT mcp.allow_role(%L).', role_name);
    END IF;
    IF jsonb_typeof(claims) <> 'object' OR jsonb_typeof(settings) <> 'object' THEN
        RAISE EXCEPTION 'claims and settings must be JSON objects. No key was made.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF claims ?| ARRAY['sub', 'role'] THEN
        RAISE EXCEPTION 'claims: "sub" and "role" are reserved. No key was made.'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'They come from user_id (--user) and role (--role).';
    END IF;
    SELECT s.key INTO wrong FROM jsonb_each(settings) AS s WHERE NOT mcp._setting_allowed(s.key) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'settings: "%" cannot be carried by a key. No key was made.', wrong
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Settings with a dot (app.tenant) and those of the planner, such as work_mem, can.';
    END IF;
    SELECT s.key INTO wrong FROM jsonb_each(settings) AS s WHERE jsonb_typeof(s.value) <> 'string' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'settings: the value of "%" must be a JSON string. No key was made.', wrong
            USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"app.tenant": "42"}.';
    END IF;
    PERFORM mcp._check_setting(s.key, s.value) FROM jsonb_each_text(settings) AS s;
    IF rate_limit_per_min < 1 THEN
        RAISE EXCEPTION 'rate_limit_per_min: % is below 1. No key was made.', rate_limit_per_min
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out for no limit of the key''s own.';
    END IF;
    IF expires_at <= now() THEN
        RAISE EXCEPTION 'expires_at: % is in the past. No key was made.', expires_at USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;

CREATE FUNCTION mcp.create_key(
    kind pg_catalog.text,
    name pg_catalog.text,
    scopes pg_catalog.text[] DEFAULT '{}',
    role pg_catalog.text DEFAULT NULL,
    user_id pg_catalog.text DEFAULT NULL,
    claims pg_catalog.jsonb DEFAULT '{}',
    settings pg_catalog.jsonb DEFAULT '{}',
    expires_at pg_catalog.timestamptz DEFAULT NULL,
    rate_limit_per_min pg_catalog.int4 DEFAULT NULL,
    key_id pg_catalog.text DEFAULT NULL,
    verifier pg_catalog.bytea DEFAULT NULL)
    RETURNS TABLE (id pg_catalog.text, key pg_catalog.text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    role_name text := coalesce(role, CASE kind WHEN 'service' THEN 'service_role' ELSE 'authenticated' END);
    made record;
    row mcp.keys;
BEGIN
    PERFORM mcp._check_key(kind, name, coalesce(scopes, '{}'), role_name, coalesce(claims, '{}'), coalesce(settings, '{}'),
                           expires_at, rate_limit_per_min);
    IF (key_id IS NULL) <> (verifier IS NULL) THEN
        RAISE EXCEPTION 'key_id and verifier belong together. No key was made.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF key_id !~ '^[0-9a-f]{16}$' OR octet_length(verifier) <> 32 THEN
        RAISE EXCEPTION 'key_id has 16 lower-case hexadecimal digits, verifier 32 bytes. No key was made.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF key_id IS NULL THEN
        SELECT g.key_id, g.key, g.verifier INTO made FROM mcp._generate_key(kind) AS g;
    ELSE
        SELECT create_key.key_id, NULL::text AS key, create_key.verifier INTO made;
    END IF;
    row.key_id := made.key_id;
    row.kind := kind;
    row.name := name;
    row.role_name := role_name;
    row.user_id := user_id;
    row.claims := coalesce(claims, '{}');
    row.settings := coalesce(settings, '{}');
    row.scopes := coalesce(scopes, '{}');
    row.rate_limit_per_min := rate_limit_per_min;
    row.verifier := made.verifier;
    row.created_at := now();
    row.created_by := mcp._outer_user();
    row.expires_at := expires_at;
    INSERT INTO mcp.keys SELECT (row).*;
    RETURN QUERY SELECT made.key_id::text, made.key::text;
END
$$;
COMMENT ON FUNCTION mcp.create_key IS
    'Makes a key. With key_id and verifier (SHA-256 of SHA-256 of the secret) the key never reaches Postgres, as the command line does it; without them the key is made here and returned this once.';

-- The one usable key of that kind with that id or name.
CREATE FUNCTION mcp._one_key(wanted_kind pg_catalog.text, id_or_name pg_catalog.text) RETURNS mcp.keys
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_keys mcp.keys[];
    one mcp.keys;
BEGIN
    SELECT array_agg(k) INTO found_keys FROM mcp.keys AS k WHERE k.kind = wanted_kind AND k.key_id = id_or_name;
    IF found_keys IS NULL THEN
        SELECT array_agg(k) INTO found_keys FROM mcp.keys AS k
         WHERE k.kind = wanted_kind AND k.name = id_or_name AND k.revoked_at IS NULL;
    END IF;
    IF found_keys IS NULL THEN
        RAISE EXCEPTION 'no % key has the id or name "%". Nothing was changed.', wanted_kind, id_or_name
            USING ERRCODE = 'no_data_found', HINT = format('SELECT * FROM mcp.list_keys(%L) shows them.', wanted_kind);
    END IF;
    IF cardinality(found_keys) > 1 THEN
        RAISE EXCEPTION '% % keys are named "%". Nothing was changed.', cardinality(found_keys), wanted_kind, id_or_name
            USING ERRCODE = 'cardinality_violation',
                  HINT = 'Name one by its id: ' || (SELECT string_agg(k.key_id, ', ') FROM unnest(found_keys) AS k) || '.';
    END IF;
    one := found_keys[1];
    IF NOT mcp._may_set_role(one.role_name) THEN
        RAISE EXCEPTION 'permission denied: you may not SET ROLE to "%", the role of this key. Nothing was changed.', one.role_name
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN one;
END
$$;

CREATE FUNCTION mcp.rotate_key(
    kind pg_catalog.text,
    id_or_name pg_catalog.text,
    grace pg_catalog.interval DEFAULT '0',
    key_id pg_catalog.text DEFAULT NULL,
    verifier pg_catalog.bytea DEFAULT NULL)
    RETURNS TABLE (id pg_catalog.text, key pg_catalog.text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    old mcp.keys := mcp._one_key(kind, id_or_name);
    made record;
BEGIN
    IF old.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'key % is revoked. Nothing was changed.', old.key_id
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Make a new key with mcp.create_key.';
    END IF;
    IF grace < interval '0' THEN
        RAISE EXCEPTION 'grace: % is negative. Nothing was changed.', grace USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT c.id, c.key INTO made
      FROM mcp.create_key(old.kind, old.name, old.scopes, old.role_name, old.user_id, old.claims, old.settings, old.expires_at,
                          old.rate_limit_per_min, key_id, verifier) AS c;
    UPDATE mcp.keys AS k
       SET revoked_at = CASE WHEN grace = interval '0' THEN now() ELSE k.revoked_at END,
           expires_at = least(k.expires_at, now() + grace),
           replaced_by = made.id
     WHERE k.key_id = old.key_id;
    RETURN QUERY SELECT made.id::text, made.key::text;
END
$$;
COMMENT ON FUNCTION mcp.rotate_key IS
    'Makes a successor with the same rights. The old key ends at once, or after the grace period.';

CREATE FUNCTION mcp.revoke_key(kind pg_catalog.text, id_or_name pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    one mcp.keys := mcp._one_key(kind, id_or_name);
BEGIN
    UPDATE mcp.keys AS k SET revoked_at = coalesce(k.revoked_at, now()) WHERE k.key_id = one.key_id;
    RETURN one.key_id;
END
$$;
COMMENT ON FUNCTION mcp.revoke_key IS 'Ends a key for the next request of every backend.';

CREATE FUNCTION mcp.list_keys(kind pg_catalog.text)
    RETURNS TABLE (key_id pg_catalog.text, name pg_catalog.text, role pg_catalog.text, user_id pg_catalog.text,
                   scopes pg_catalog.text[], rate_limit_per_min pg_catalog.int4, created_at pg_catalog.timestamptz,
                   created_by pg_catalog.text, expires_at pg_catalog.timestamptz, revoked_at pg_catalog.timestamptz,
                   status pg_catalog.text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT k.key_id, k.name, k.role_name::text, k.user_id, k.scopes, k.rate_limit_per_min, k.created_at, k.created_by,
       k.expires_at, k.revoked_at,
       CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' ELSE 'active' END
  FROM mcp.keys AS k
 WHERE k.kind = $1
 ORDER BY k.created_at, k.key_id
$$;

ALTER FUNCTION mcp._may_set_role(pg_catalog.name) OWNER TO mcp_owner;
ALTER FUNCTION mcp._check_key(pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb,
                              pg_catalog.timestamptz, pg_catalog.int4) OWNER TO mcp_owner;
ALTER FUNCTION mcp._one_key(pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.create_key(pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.jsonb,
                              pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.int4, pg_catalog.text, pg_catalog.bytea)
    OWNER TO mcp_owner;
ALTER FUNCTION mcp.rotate_key(pg_catalog.text, pg_catalog.text, pg_catalog.interval, pg_catalog.text, pg_catalog.bytea) OWNER TO mcp_owner;
ALTER FUNCTION mcp.revoke_key(pg_catalog.text, pg_catalog.text) OWNER TO mcp_owner;
ALTER FUNCTION mcp.list_keys(pg_catalog.text) OWNER TO mcp_owner;
