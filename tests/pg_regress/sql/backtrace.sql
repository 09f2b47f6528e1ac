-- An error tells its caller what is wrong and nothing of the code behind it, also when the server was started with
-- RUST_BACKTRACE=1, as the test server is: pgrx would write a Rust backtrace into the detail. Both kinds: an error of our own, and one
-- that Postgres raises below our code.
\t on
\a
CREATE FUNCTION t.detail(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
BEGIN
    EXECUTE sql;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN message || CASE detail WHEN '' THEN '' ELSE ' / detail of ' || length(detail) || ' characters' END;
END
$$;
SELECT t.detail($$SELECT mcp.authenticate('no key')$$);
SELECT t.detail($$SELECT mcp.create_key('client', 'traced', '{read:tables}', settings => '{"work_mem": "much"}')$$);
