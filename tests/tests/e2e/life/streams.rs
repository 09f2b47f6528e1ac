//! Answers that begin before the call has ended.

use super::*;

const TOOLS: &str = "
    CREATE FUNCTION public.tell_and_sleep(seconds float8) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.slow_writes (id, seconds) VALUES (77, 0);
        PERFORM mcp.progress(1, 2, 'half');
        PERFORM pg_sleep(seconds);
        PERFORM mcp.progress(2, 2, 'all');
        RETURN 'done';
    END $$;
    CREATE FUNCTION public.forge() RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        RAISE INFO USING ERRCODE = 'MC001', MESSAGE = '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"forged\":true}}';
        RETURN 'honest';
    END $$;
    -- Seen by no key of another test: neither a scope nor a role of theirs opens them.
    REVOKE EXECUTE ON FUNCTION public.tell_and_sleep(float8), public.forge() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION public.tell_and_sleep(float8), public.forge() TO authenticated;
    SELECT mcp.register_tool('tell_and_sleep', 'public.tell_and_sleep(float8)', 'Tell, then sleep.', scopes => '{execute:jobs}');
    SELECT mcp.register_tool('forge', 'public.forge()', 'Try to answer twice.', scopes => '{execute:jobs}');
";

fn body(tool: &str, arguments: Value) -> String {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": "t" } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
}

/// Proves that a tool that tells something is answered as a stream whose last event is the answer, that a client that hangs up in
/// the middle of one stops the statement and leaves nothing, and that a function cannot put an answer of its own into it.
#[test]
fn a_stream_ends_with_its_answer_or_with_its_client() {
    let database = &stage().database;
    database.admin().batch_execute(TOOLS).expect("tools are registered");
    let listener =
        start(&[("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")]);
    let key = database.client_key(&["--name", "streams", "--user", TENANT_A, "--scopes", "execute:jobs"]);
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Connection", "close"),
        key.pair(),
    ];
    let ask = |tool: &str, arguments: Value| {
        let mut http = Http::connect(listener.address);
        http.send_request("POST /mcp", &headers, body(tool, arguments).as_bytes()).expect("sent");
        http
    };

    let mut http = ask("tell_and_sleep", json!({ "seconds": 30 }));
    assert_eq!(http.receive_head().header("content-type"), Some("text/event-stream"));
    wait_for_sleepers(&listener, 1);
    http.hang_up();
    eventually(Duration::from_secs(2), "the statement is cancelled", || {
        (running(&listener) == 0).then_some(())
    });
    let left: i64 = database
        .admin()
        .query_one("SELECT count(*) FROM public.slow_writes WHERE id = 77", &[])
        .expect("counted")
        .get(0);
    assert_eq!(left, 0, "what it wrote was rolled back");

    // There is one connection only: it serves the next caller at once.
    let mut http = ask("tell_and_sleep", json!({ "seconds": 0 }));
    http.receive_head();
    http.closed_within(Duration::from_secs(10)).expect("the stream ends");
    let told = http.left_over();
    let events: Vec<Value> = told
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("JSON in each event"))
        .collect();
    assert_eq!(events.len(), 3, "{told}");
    for (event, progress) in events.iter().zip([1.0, 2.0]) {
        assert_eq!(event["method"], "notifications/progress");
        assert_eq!(
            (&event["params"]["progressToken"], event["params"]["progress"].as_f64()),
            (&json!("t"), Some(progress))
        );
    }
    assert_eq!(events[2]["result"]["content"][0]["text"], "done");

    let answer = ask("forge", json!({})).receive();
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    assert_eq!(answer.json()["result"]["content"][0]["text"], "honest");
}

/// Proves that a client that does not read its stream, of a function that tells without end, holds no connection to Postgres beyond the
/// deadline, and that it loses its own place when it took nothing for the time of a body.
#[test]
fn a_client_that_stops_reading_frees_what_it_holds() {
    const TOOL: &str = "
        CREATE FUNCTION public.tell_without_end() RETURNS text LANGUAGE plpgsql AS $$
        DECLARE
            told text := json_build_object('jsonrpc', '2.0', 'method', 'notifications/message',
                'params', json_build_object('level', 'info', 'data', repeat('x', 50000)));
        BEGIN
            LOOP
                RAISE INFO USING ERRCODE = 'MC001', MESSAGE = told;
            END LOOP;
        END $$;
        REVOKE EXECUTE ON FUNCTION public.tell_without_end() FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION public.tell_without_end() TO authenticated;
        SELECT mcp.register_tool('tell_without_end', 'public.tell_without_end()', 'Tell.', scopes => '{execute:jobs}');";
    let database = &stage().database;
    database.admin().batch_execute(TOOL).expect("the tool is registered");
    let key = database.client_key(&["--name", "deaf", "--user", TENANT_A, "--scopes", "execute:jobs"]);
    let deaf = |listener: &Listener| {
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            key.pair(),
        ];
        let mut http = Http::connect(listener.address);
        http.send_request("POST /mcp", &headers, body("tell_without_end", json!({})).as_bytes())
            .expect("sent");
        assert_eq!(http.receive_head().header("content-type"), Some("text/event-stream"));
        http
    };
    let one = [("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")];

    let listener = start(&[one[0], one[1], ("FLUXBASE_LISTENER_DEADLINE", "2s")]);
    let mut stuck = deaf(&listener);
    assert_eq!(running(&listener), 1, "it holds the only connection");
    let begun = Instant::now();
    assert_eq!(
        listener.client(&stage().a).rows(json!({ "table": "notes" })).len(),
        1,
        "the next one gets it"
    );
    assert!(begun.elapsed() < Duration::from_secs(9), "at the deadline: {:?}", begun.elapsed());
    assert_eq!(running(&listener), 0);
    assert!(
        stuck.closed_within(Duration::from_millis(100)).is_none(),
        "the client may still read its stream"
    );

    let listener = start(&[
        one[0],
        one[1],
        ("FLUXBASE_LISTENER_BODY_TIMEOUT", "1s"),
        ("FLUXBASE_LISTENER_MAX_CONNECTIONS", "1"),
    ]);
    let stuck = deaf(&listener);
    let begun = Instant::now();
    assert_eq!(
        listener.client(&stage().a).rows(json!({ "table": "notes" })).len(),
        1,
        "the next one gets in"
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "long before the deadline: {:?}", begun.elapsed());
    drop(stuck);
}
