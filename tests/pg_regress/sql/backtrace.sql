-- An error tells its caller what is wrong and nothing of the code behind it, also when the server was started with
-- RUST_BACKTRACE=1, as the test server is: there is no detail.
DO $$
DECLARE
    code text;
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM mcp.authenticate('no key');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE '% / % / "%" / %', code, message, detail, hint;
END
$$;
