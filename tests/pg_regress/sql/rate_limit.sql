-- Requests a minute: the lowest of the key's, the DBA's and the listener's limit; 429 with retry_after; nobody else's count.
\t on
\a
SET client_min_messages = warning;
-- A limit of one cannot be met again within the minute, whenever the test runs. New keys in each run: counts outlive it.
CREATE FUNCTION t.ping(credential text, transport jsonb DEFAULT NULL) RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT h.status || CASE WHEN h.retry_after BETWEEN 1 AND 120 THEN ' retry' WHEN h.retry_after IS NOT NULL THEN ' odd' ELSE '' END FROM mcp.handle('{"jsonrpc":"2.0","id":7,"method":"ping"}', credential, transport) AS h
$$;
SELECT t.wire(key) AS one FROM mcp.create_key('client', 'one', '{read:tables}', rate_limit_per_min => 1) \gset
SELECT t.wire(key) AS free FROM mcp.create_key('client', 'free', '{read:tables}') \gset
SELECT t.ping(:'one');
SELECT t.ping(:'one');
SELECT t.ping(:'one');
SELECT regexp_replace(h.body, '[0-9]+ second', 'N second') ~ '"code":-32007,"message":"Too many requests. Try again in N seconds?. Nothing was done.","data":\{"retryAfter":[0-9]+\}\},"id":7\}$', h.retry_after = (h.body::jsonb #>> '{error,data,retryAfter}')::int
  FROM mcp.handle('{"jsonrpc":"2.0","id":7,"method":"ping"}', :'one', NULL) AS h;
-- Another key is not concerned; a key without a limit has none.
SELECT t.ping(:'free'), t.ping(:'free'), t.ping(:'free');
-- The listener's limit, and the DBA's.
SELECT t.ping(:'free', '{"rate_limit_per_min": 1}');
SET mcp.rate_limit_per_min = 1;
SELECT t.ping(:'free');
SET mcp.rate_limit_per_min = 1000;
SELECT t.ping(:'free'), t.ping(:'one');
RESET mcp.rate_limit_per_min;
SELECT t.ping(:'free', '{"rate_limit_per_min": 0}');
-- A limit of three counts to three, over two backends.
SELECT t.wire(key) AS three FROM mcp.create_key('client', 'three', '{read:tables}', rate_limit_per_min => 3) \gset
SELECT t.ping(:'three');
SELECT t.ping(:'three');
\c
SELECT t.ping(:'three');
SELECT t.ping(:'three');
SELECT t.ping(:'one');
-- Who waits as long as retry_after says is served: a full minute must first pass, and then weigh no more than half of a limit of two.
SELECT t.wire(key) AS two FROM mcp.create_key('client', 'two', '{read:tables}', rate_limit_per_min => 2) \gset
-- All three in one minute.
SELECT pg_sleep(CASE WHEN extract(second FROM clock_timestamp()) > 55 THEN 5.5 ELSE 0 END);
SELECT t.ping(:'two');
SELECT t.ping(:'two');
SELECT h.retry_after - (60 - floor(extract(second FROM statement_timestamp()))) AS beyond_this_minute FROM mcp.handle('{"jsonrpc":"2.0","id":7,"method":"ping"}', :'two', NULL) AS h;
-- A request with a wrong key is not counted against the right one; a refused request is answered before its message is looked at.
SELECT t.wire(key) AS wrong FROM mcp.create_key('client', 'wrong', '{read:tables}', rate_limit_per_min => 1) \gset
SELECT t.ping(regexp_replace(:'wrong', '.{4}$', 'zzzz')), t.ping(regexp_replace(:'wrong', '.{4}$', '0000'));
SELECT t.ping(:'wrong');
SELECT status FROM mcp.handle('nonsense', :'wrong', NULL);
