//! Statements that take too long.

use super::*;

/// Proves the deadline: the statement is cancelled, the caller is told so and that nothing was changed, and the connection goes
/// on.
#[test]
fn the_deadline_cancels_and_answers() {
    let listener = start(&[("FLUXBASE_LISTENER_DEADLINE", "1s"), ("FLUXBASE_LISTENER_POOL_SIZE", "1")]);
    let mut client = listener.client(&stage().a);
    for _ in 0..2 {
        let begun = Instant::now();
        let response = client.request("tools/call", slow(30));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert_eq!((response.status, response.code()), (504, -32603), "{}", response.text());
        assert!(
            response.message().contains("deadline") && response.message().contains("Nothing was changed")
        );
        assert_eq!(running(&listener), 0);
    }
    assert_eq!(client.request("tools/call", slow(0)).status, 200);
    assert_eq!(client.rows(json!({ "table": "users" })).len(), 2);
}

/// Proves that a function that catches the cancel does not outlive the deadline either: its backend is ended from another
/// connection, the caller is answered, and the next call works.
#[test]
fn a_stubborn_statement_is_ended() {
    let listener = start(&[("FLUXBASE_LISTENER_DEADLINE", "1s"), ("FLUXBASE_LISTENER_POOL_SIZE", "1")]);
    let mut client = listener.client(&stage().a);
    let begun = Instant::now();
    let response =
        client.call("query_table", json!({ "table": "stubborn", "filter": { "id": 30 } })).response;
    assert_eq!(response.status, 504, "{}", response.text());
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    eventually(Duration::from_secs(3), "the backend is gone", || (sleeping(&listener) == 0).then_some(()));
    assert_eq!(client.rows(json!({ "table": "users" })).len(), 2);
}

/// Proves that Postgres's own `statement_timeout`, which the listener sets, is told as what it is.
#[test]
fn the_statement_timeout_is_told() {
    let listener = start(&[("FLUXBASE_LISTENER_STATEMENT_TIMEOUT", "1s")]);
    let response = listener.client(&stage().a).request("tools/call", slow(30));
    assert_eq!((response.status, response.code()), (504, -32603), "{}", response.text());
    assert!(response.message().contains("statement_timeout"), "{}", response.message());
}

/// Proves that slow statements in every place of the pool stop neither `tools/list` nor the other short calls nor the health
/// check, and that a further slow call is told that the server is busy.
#[test]
fn slow_statements_do_not_stop_short_calls() {
    let listener =
        start(&[("FLUXBASE_LISTENER_POOL_SIZE", "4"), ("FLUXBASE_LISTENER_QUEUE_TIMEOUT", "500ms")]);
    let mut slow_ones: Vec<Client> = (0..4).map(|_| listener.client(&stage().a)).collect();
    for client in &mut slow_ones {
        client.send("tools/call", slow(3));
    }
    wait_for_sleepers(&listener, 4);
    let mut client = listener.client(&stage().b);
    for method in ["tools/list", "ping", "resources/list", "tools/list"] {
        let begun = Instant::now();
        assert_eq!(client.request(method, json!({})).status, 200);
        assert!(begun.elapsed() < Duration::from_secs(1), "{method} took {:?}", begun.elapsed());
    }
    assert_eq!(Http::connect(listener.address).get("GET /mcp/health", &[]).status, 200);
    let busy = client.request("tools/call", slow(0));
    assert_eq!((busy.status, busy.code()), (503, -32603), "{}", busy.text());
    assert!(busy.message().contains("busy") && busy.header("retry-after").is_some());
    for mut client in slow_ones {
        let response = client.http().receive();
        assert_eq!(response.json()["result"]["isError"], json!(false), "the slow ones are answered as well");
    }
    assert_eq!(client.request("tools/call", slow(0)).status, 200);
}
