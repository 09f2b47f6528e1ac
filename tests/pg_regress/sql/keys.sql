-- Keys: made, listed, rotated, revoked, expired; what a key may not carry or stand for; who may make one.
\t on
\a
SET client_min_messages = warning;
CREATE FUNCTION t.status(key text) RETURNS int LANGUAGE sql AS $$
SELECT status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.credential(key), NULL)
$$;
-- The server makes a key: form and checksum are right, and it works; only the verifier is kept.
SELECT id, key FROM mcp.create_key('client', 'made here', '{read:tables}') \gset
SELECT :'key' ~ '^fbk_[0-9a-f]{16}_[A-Za-z0-9_-]{43}[0-9a-f]{8}$', substr(:'key', 5, 16) = :'id', length(:'key');
SELECT status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.wire(:'key'), NULL);
SELECT encode(verifier, 'hex') = encode(sha256(decode(split_part(t.wire(:'key'), ':', 3), 'hex')), 'hex') FROM mcp.keys WHERE key_id = :'id';
SELECT count(*) FROM mcp.keys AS k WHERE k::text ~ substr(:'key', 22, 43) OR k::text ~ split_part(t.wire(:'key'), ':', 3);
SELECT id, key FROM mcp.create_key('service', 'service here') \gset
SELECT :'key' ~ '^fbs_', status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', t.wire(:'key'), NULL);
-- A key made outside gives nothing back.
SELECT id, key IS NULL FROM mcp.create_key('client', 'made outside', '{read:tables}', key_id => '00000000000000aa', verifier => sha256('x'));
SELECT t.try($$SELECT mcp.create_key('client', 'again', '{read:tables}', key_id => '00000000000000aa', verifier => sha256('x'))$$);
SELECT t.try($$SELECT mcp.create_key('client', 'half', '{read:tables}', key_id => '00000000000000ab')$$);
SELECT t.try($$SELECT mcp.create_key('client', 'short', '{read:tables}', key_id => '00000000000000ab', verifier => '\x00')$$);
SELECT t.try($$SELECT mcp.create_key('client', 'bad id', '{read:tables}', key_id => 'XYZ', verifier => sha256('x'))$$);

-- The list shows everything but secrets.
SELECT t.key('listed', user_id => 'u1', rate => 5);
SELECT key_id, name, role, user_id, scopes, rate_limit_per_min, created_by, expires_at, revoked_at, status FROM mcp.list_keys('client') WHERE name IN ('listed', 'made outside') ORDER BY name;
SELECT name, role, scopes, status FROM mcp.list_keys('service') WHERE name = 'service here';
SELECT count(*) FROM mcp.list_keys('other');

-- Refused, each with what to do.
SELECT c.what, t.try('SELECT mcp.create_key(' || c.args || ')')
  FROM (VALUES ('kind', $$'other', 'x', '{read:tables}'$$), ('name', $$'client', '', '{read:tables}'$$), ('null name', $$'client', NULL, '{read:tables}'$$),
               ('list of lists', $$'client', 'x', '{{read:tables},{write:tables}}'$$),
               ('scope', $$'client', 'x', '{read:tables,read:everything}'$$), ('no scope', $$'client', 'x'$$), ('null scope', $$'client', 'x', '{NULL}'$$),
               ('role', $$'client', 'x', '{read:tables}', 'regress_nobody'$$), ('role not allowed', $$'client', 'x', '{read:tables}', 'regress_app'$$),
               ('superuser', $$'client', 'x', '{read:tables}', 'postgres'$$), ('owner', $$'client', 'x', '{read:tables}', 'mcp_owner'$$),
               ('sub', $$'client', 'x', '{read:tables}', claims => '{"sub": "me"}'$$), ('role claim', $$'client', 'x', '{read:tables}', claims => '{"role": "service_role"}'$$),
               ('claims list', $$'client', 'x', '{read:tables}', claims => '[]'$$), ('past', $$'client', 'x', '{read:tables}', expires_at => '2001-01-01'$$),
               ('rate', $$'client', 'x', '{read:tables}', rate_limit_per_min => 0$$), ('rate', $$'client', 'x', '{read:tables}', rate_limit_per_min => -1$$)) AS c(what, args);
-- Settings: only the planner's and those with a dot; never ours, nor those that decide whose rights count, nor one that only a superuser may set.
SELECT s, t.try(format('SELECT count(*) FROM mcp.create_key(''client'', ''set'', ''{read:tables}'', settings => %L)', jsonb_build_object(s, '64MB')))
  FROM unnest(ARRAY['mcp.claims', 'MCP.claims', 'mcp.enabled', 'request.jwt.claims', 'Request.jwt.claim.sub', 'role', 'session_authorization', 'search_path', 'row_security', 'statement_timeout',
                    'session_replication_role', 'log_statement', 'transaction_read_only', 'default_transaction_read_only', 'TimeZone', 'DateStyle', 'is_superuser', 'local_preload_libraries', '', 'app.tenant', 'work_mem']) AS s;
SELECT t.try($$SELECT count(*) FROM mcp.create_key('client', 'set', '{read:tables}', settings => '{"app.x": 5}')$$);

-- A setting with a value or a name that Postgres will not take is refused now, not in every request.
SELECT t.try($$SELECT count(*) FROM mcp.create_key('client', 'set', '{read:tables}', settings => '{"work_mem": "much"}')$$) <> '1' AS refused, t.try($$SELECT count(*) FROM mcp.create_key('client', 'set', '{read:tables}', settings => '{"app.bad name": "x"}')$$) <> '1' AS refused;
-- Role changes after the key was made count at use.
CREATE ROLE regress_rising NOLOGIN;
SELECT mcp.allow_role('regress_rising');
SELECT t.key('rising', role => 'regress_rising');
SELECT t.status('rising');
ALTER ROLE regress_rising SUPERUSER;
SELECT t.status('rising');
SELECT t.try(format('SELECT mcp.authenticate(%L)', t.credential('rising')));
SELECT t.try($$SELECT mcp.allow_role('regress_rising')$$);
ALTER ROLE regress_rising NOSUPERUSER;
SELECT t.status('rising');
SELECT mcp.disallow_role('regress_rising');
SELECT t.status('rising');
\o /dev/null
SELECT mcp.allow_role('regress_rising');
\o
SELECT t.status('rising');
ALTER ROLE regress_rising RENAME TO regress_renamed;
SELECT t.status('rising');
ALTER ROLE regress_renamed RENAME TO regress_rising;
SELECT t.status('rising');

-- Revoke: by name and by id, at once, for good; ambiguous names are not guessed.
SELECT t.key('revoked'), t.key('twin');
SELECT t.status('revoked');
SELECT mcp.revoke_key('client', 'revoked') = substr(md5('revoked'), 1, 16);
SELECT t.status('revoked');
SELECT t.try($$SELECT mcp.revoke_key('client', 'revoked')$$), mcp.revoke_key('client', substr(md5('revoked'), 1, 16)) = substr(md5('revoked'), 1, 16);
SELECT t.try($$SELECT mcp.rotate_key('client', substr(md5('revoked'), 1, 16))$$);
SELECT id FROM mcp.create_key('client', 'twin', '{read:tables}', key_id => '00000000000000ac', verifier => sha256('x'));
SELECT regexp_replace(t.try($$SELECT mcp.revoke_key('client', 'twin')$$), '[0-9a-f]{16}', 'ID', 'g');
SELECT mcp.revoke_key('client', '00000000000000ac');
SELECT t.status('twin');
SELECT t.try($$SELECT mcp.revoke_key('service', 'twin')$$), t.try($$SELECT mcp.revoke_key('client', NULL)$$), t.try($$SELECT mcp.revoke_key('other', 'twin')$$);
-- A revocation that is rolled back never was.
BEGIN;
SELECT mcp.revoke_key('client', 'twin') IS NOT NULL, t.status('twin');
ROLLBACK;
SELECT t.status('twin');

-- Rotate: at once, and with a grace period; the successor has the same rights.
SELECT t.key('turning', user_id => 'u9', claims => '{"x": 1}', settings => '{"app.y": "2"}', rate => 7);
SELECT id, key FROM mcp.rotate_key('client', 'turning', key_id => '00000000000000ad', verifier => sha256(sha256('turned')));
SELECT t.status('turning'), status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'fbk:00000000000000ad:' || encode(sha256('turned'), 'hex'), NULL);
SELECT role_name, user_id, claims, settings, scopes, rate_limit_per_min, revoked_at IS NOT NULL, replaced_by FROM mcp.keys WHERE name = 'turning' ORDER BY revoked_at;
SELECT id FROM mcp.rotate_key('client', '00000000000000ad', '1 hour', '00000000000000ae', sha256(sha256('turned again')));
SELECT status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'fbk:00000000000000ad:' || encode(sha256('turned'), 'hex'), NULL);
SELECT status FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'fbk:00000000000000ae:' || encode(sha256('turned again'), 'hex'), NULL);
SELECT key_id, status, expires_at BETWEEN now() + '59 minutes' AND now() + '61 minutes' AS ends, expires_at IS NULL AS never FROM mcp.list_keys('client') WHERE name = 'turning' AND key_id LIKE '0000%' ORDER BY key_id;
SELECT t.try($$SELECT mcp.rotate_key('client', '00000000000000ae', '-1 hour')$$);

-- Expiry, looked at in every request.
SELECT t.key('short-lived');
UPDATE mcp.keys SET expires_at = now() + '1 hour' WHERE name = 'short-lived';
SELECT t.status('short-lived');
UPDATE mcp.keys SET expires_at = now() - interval '1 second' WHERE name = 'short-lived';
SELECT t.status('short-lived'), (SELECT status FROM mcp.list_keys('client') WHERE name = 'short-lived');
UPDATE mcp.keys SET expires_at = clock_timestamp() + '1 second' WHERE name = 'short-lived';
SELECT t.status('short-lived');
SELECT pg_sleep(1.1);
SELECT t.status('short-lived');
UPDATE mcp.keys SET expires_at = 'infinity' WHERE name = 'short-lived';
SELECT t.status('short-lived');

-- Wrong credentials of every shape get the same 401.
SELECT c.x, h.status, h.body = (SELECT body FROM mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', NULL, NULL))
  FROM unnest(ARRAY[NULL, '', 'fbk', 'fbk:', 'fbk::', 'fbk:0:0', 'fbk:00000000000000ae:00', t.credential('a') || '0', upper(t.credential('a')), ' ' || t.credential('a'), t.credential('a') || E'\n', 'Bearer ' || t.credential('a'),
       'fbk:ffffffffffffffff:' || repeat('0', 64), regexp_replace(t.credential('a'), '.$', 'g'), 'fbk:'' OR true --:' || repeat('0', 64), 'ü', repeat('x', 10000)]) WITH ORDINALITY AS c(x, n), mcp.handle('{"jsonrpc":"2.0","id":1,"method":"ping"}', c.x, NULL) AS h ORDER BY n LIMIT 16;
SELECT t.http('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'fbk:' || substr(md5('a'), 1, 16) || ':' || repeat('0', 64));
