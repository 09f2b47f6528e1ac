//! `/metrics`.

use std::net::SocketAddr;

use super::*;

fn start(more: &[(&str, &str)]) -> (Listener, SocketAddr) {
    let stage = stage();
    let mut all = vec![("FLUXBASE_LISTENER_METRICS", "127.0.0.1:0")];
    all.extend(more);
    let listener = Listener::start(&stage.cluster, &stage.database.listener_url, &all);
    let log = listener.log();
    let (_, rest) = log.split_once("serving metrics at ").expect("it tells the address");
    let address = rest.split(',').next().and_then(|text| text.parse().ok()).expect("an address");
    (listener, address)
}

fn scrape(address: SocketAddr) -> String {
    let response = Http::connect(address).get("GET /metrics", &[]);
    assert_eq!(response.status, 200);
    assert!(response.header("content-type").expect("a type").starts_with("application/openmetrics-text"));
    response.text()
}

/// The sum of all samples of a metric whose labels contain `labels`.
fn value(text: &str, name: &str, labels: &[&str]) -> f64 {
    let of = |line: &&str| {
        let (head, _) = line.rsplit_once(' ').unwrap_or_default();
        head.split('{').next() == Some(name) && labels.iter().all(|label| head.contains(label))
    };
    text.lines().filter(of).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// Proves that requests are counted by method, tool and outcome, that durations, the pool, limits, wrong keys, streams and connections
/// are told, that made-up names of tools are no labels, and that nothing secret is in it.
#[test]
fn metrics_tell_what_happened() {
    let stage = stage();
    let (listener, address) = start(&[("FLUXBASE_LISTENER_POOL_SIZE", "3")]);
    let mut client = listener.client(&stage.a);
    for _ in 0..3 {
        client.rows(json!({ "table": "notes" }));
    }
    client.call("query_table", json!({ "table": "nowhere" })).error();
    for n in 0..5 {
        let answer = client.request("tools/call", json!({ "name": format!("made_up_{n}"), "arguments": {} }));
        assert_eq!(answer.code(), -32602, "{}", answer.text());
    }
    assert_eq!(client.request("tools/list", json!({})).status, 200);
    for value in ["fbk_wrong", &unknown_key(fluxbase_credential::Kind::Client).plain] {
        assert_eq!(Http::connect(listener.address).post(&[JSON, ("X-Client-Key", value)], LIST).status, 401);
    }
    let limited =
        stage.database.client_key(&["--name", "counted", "--scopes", "read:tables", "--rate-limit", "2"]);
    let mut hurried = listener.client(&limited);
    let statuses: Vec<u16> = (0..3).map(|_| hurried.request("ping", json!({})).status).collect();
    assert_eq!(statuses, [200, 200, 429]);

    let text = scrape(address);
    let calls = |labels: &[&str]| value(&text, "fluxbase_requests_total", labels);
    let called = r#"method="tools/call""#;
    assert_eq!(
        calls(&[called, r#"tool="query_table""#, r#"status="2xx""#, r#"rpc="result""#]),
        4.0,
        "{text}"
    );
    assert_eq!(calls(&[called, r#"tool="other""#, r#"rpc="error""#]), 5.0, "{text}");
    assert_eq!(calls(&[r#"method="tools/list""#, r#"status="2xx""#]), 1.0, "{text}");
    assert_eq!(calls(&[r#"method="tools/list""#, r#"status="4xx""#]), 2.0, "{text}");
    assert_eq!(calls(&[r#"method="ping""#, r#"status="4xx""#]), 1.0, "{text}");
    assert_eq!(
        value(&text, "fluxbase_request_duration_seconds_count", &[called, r#"tool="query_table""#]),
        4.0
    );
    assert!(value(&text, "fluxbase_request_duration_seconds_sum", &[]) > 0.0);
    for (name, expected) in [
        ("fluxbase_rate_limited_total", 1.0),
        ("fluxbase_wrong_keys_total", 2.0),
        ("fluxbase_guesses_turned_away_total", 0.0),
        ("fluxbase_pool_places", 5.0),
        ("fluxbase_pool_in_use", 0.0),
        ("fluxbase_pool_waiting", 0.0),
        ("fluxbase_pool_connect_failures_total", 0.0),
        ("fluxbase_streams_open", 0.0),
        ("fluxbase_build_info", 1.0),
    ] {
        assert_eq!(value(&text, name, &[]), expected, "{name} in {text}");
    }
    assert!(value(&text, "fluxbase_pool_connections_opened_total", &[]) >= 1.0, "{text}");
    assert!(value(&text, "fluxbase_connections_open", &[]) >= 2.0, "{text}");
    assert!(!text.contains("made_up"), "{text}");
    for secret in [&stage.a.id, &limited.id, "127.0.0.1", "fluxbase_listener", "fbk"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(fluxbase_tests::keys::secrets_in(&text).is_empty());

    // While calls run and wait, and after they went away.
    let slow = json!({ "name": "query_table", "arguments": { "table": "slow", "filter": { "id": 30 } } });
    let mut waiting: Vec<_> = (0..5).map(|_| listener.client(&stage.a)).collect();
    for client in &mut waiting {
        client.send("tools/call", slow.clone());
    }
    eventually(Duration::from_secs(10), "three run and two wait", || {
        let text = scrape(address);
        let (in_use, waits) =
            (value(&text, "fluxbase_pool_in_use", &[]), value(&text, "fluxbase_pool_waiting", &[]));
        (in_use == 3.0 && waits == 2.0).then_some(())
    });
    drop(waiting);
    eventually(Duration::from_secs(10), "they are counted as gone", || {
        let text = scrape(address);
        let gone = value(&text, "fluxbase_requests_total", &[called, r#"status="499""#]);
        (gone == 5.0 && value(&text, "fluxbase_pool_in_use", &[]) == 0.0).then_some(())
    });
}

/// Proves that a stream is counted while it is open.
#[test]
fn open_streams_are_counted() {
    let stage = stage();
    let sql = "CREATE FUNCTION public.tell_metrics() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
                   PERFORM mcp.progress(1, 2, 'half'); PERFORM pg_sleep(30); RETURN 'done'; END $$;
               REVOKE EXECUTE ON FUNCTION public.tell_metrics() FROM PUBLIC;
               GRANT EXECUTE ON FUNCTION public.tell_metrics() TO authenticated;
               SELECT mcp.register_tool('tell_metrics', 'public.tell_metrics()', 'Tell.', scopes => '{execute:jobs}')";
    stage.database.admin().batch_execute(sql).expect("registered");
    let key = stage.database.client_key(&["--name", "metric streams", "--scopes", "execute:jobs"]);
    let (listener, address) = start(&[]);
    let params = json!({ "name": "tell_metrics", "arguments": {}, "_meta": { "progressToken": "t" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut http = Http::connect(listener.address);
    http.send_request(
        "POST /mcp",
        &[JSON, ("Accept", "application/json, text/event-stream"), key.pair()],
        body.as_bytes(),
    )
    .expect("sent");
    assert_eq!(http.receive_head().header("content-type"), Some("text/event-stream"));
    assert_eq!(value(&scrape(address), "fluxbase_streams_open", &[]), 1.0);
    http.hang_up();
    eventually(Duration::from_secs(5), "it is over", || {
        let text = scrape(address);
        let gone = value(&text, "fluxbase_requests_total", &[r#"status="499""#]);
        (value(&text, "fluxbase_streams_open", &[]) == 0.0 && gone == 1.0).then_some(())
    });
}

/// Proves that metrics are only on their own address and only when asked for, that MCP is not there, and that pages of other
/// origins cannot read them.
#[test]
fn metrics_have_an_address_of_their_own() {
    let stage = stage();
    assert_eq!(connect().get("GET /metrics", &[]).status, 404);
    let (listener, address) = start(&[]);
    assert_eq!(Http::connect(listener.address).get("GET /metrics", &[]).status, 404);
    assert_eq!(Http::connect(address).post(&[JSON, stage.a.pair()], LIST).status, 404);
    assert_eq!(Http::connect(address).get("GET /mcp/health", &[]).status, 404);
    for (name, value) in [("Host", "evil.example"), ("Origin", "http://evil.example")] {
        let refused = Http::connect(address).get("GET /metrics", &[(name, value)]);
        assert_eq!(refused.status, 403);
        assert!(!refused.text().contains("fluxbase_"), "{}", refused.text());
    }
}

/// Proves that the delegate worker's numbers are told.
#[test]
fn the_worker_is_told() {
    let (listener, address) = start(&[]);
    let known = |name: &str| scrape(address).lines().any(|line| line.starts_with(name));
    eventually(Duration::from_secs(30), "the worker is asked", || known("fluxbase_worker_up ").then_some(()));
    let text = scrape(address);
    for (name, expected) in [
        ("fluxbase_worker_up", 1.0),
        ("fluxbase_worker_calls_limit", 400.0),
        ("fluxbase_worker_pending_limit", 1000.0),
        ("fluxbase_worker_body_bytes_limit", f64::from(64 << 20)),
    ] {
        assert_eq!(value(&text, name, &[]), expected, "{name} in {text}");
    }
    for name in [
        "calls ",
        "pending ",
        "body_bytes ",
        "calls_begun_total ",
        "calls_failed_total ",
        "calls_refused_total ",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(&format!("fluxbase_worker_{name}"))),
            "{name} in {text}"
        );
    }
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(listener.client(&stage().a).rows(json!({ "table": "notes" })).len(), 1);
}
