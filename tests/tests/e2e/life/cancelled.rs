//! `notifications/cancelled` of the revisions with a handshake.

use super::*;
use std::net::Ipv4Addr;

const VERSION: (&str, &str) = ("MCP-Protocol-Version", "2025-06-18");

fn post(http: &mut Http, key: &Key, version: (&str, &str), body: &Value) {
    let headers = [("Content-Type", "application/json"), version, key.pair()];
    http.send_request("POST /mcp", &headers, body.to_string().as_bytes()).expect("sent");
}

fn from(client: Ipv4Addr, listener: &Listener) -> Http {
    Http::connect_from(client, listener.address).expect("the listener accepts connections")
}

fn write(id: Value, row: u32) -> Value {
    let arguments = json!({ "table": "slow_writes", "data": { "id": row, "seconds": 30 } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "insert_record", "arguments": arguments } })
}

fn cancel(http: &mut Http, key: &Key, version: (&str, &str), id: Value) {
    let body = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id, "reason": "late" } });
    post(http, key, version, &body);
    assert_eq!(http.receive().status, 202);
}

/// Proves that a client that cancels a call by its id stops exactly that statement, that nothing of it stays, and that its connection serves the next
/// caller; and that neither another key, another address, another id nor a modern client stops it.
#[test]
fn a_cancelled_call_is_stopped_and_no_other() {
    let listener =
        start(&[("FLUXBASE_LISTENER_POOL_SIZE", "2"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "1")]);
    let (client, elsewhere) = (fluxbase_tests::http::fresh_address(), fluxbase_tests::http::fresh_address());
    let (a, b) = (&stage().a, &stage().b);
    let (mut mine, mut other) = (from(client, &listener), from(client, &listener));
    post(&mut mine, a, VERSION, &write(json!(5), 51));
    post(&mut other, a, VERSION, &write(json!("5"), 52));
    wait_for_sleepers(&listener, 2);

    let mut second = from(client, &listener);
    cancel(&mut second, b, VERSION, json!(5));
    cancel(&mut second, a, VERSION, json!(6));
    cancel(&mut second, a, ("MCP-Protocol-Version", "2026-07-28"), json!(5));
    cancel(&mut from(elsewhere, &listener), a, VERSION, json!(5));
    // A wrong key cancels nothing either: Postgres refuses it before anything else happens.
    let body = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } });
    second
        .send_request(
            "POST /mcp",
            &[("Content-Type", "application/json"), VERSION, ("X-Client-Key", "fbk_wrong")],
            body.to_string().as_bytes(),
        )
        .expect("sent");
    assert_eq!(second.receive().status, 401);
    assert_eq!(sleeping(&listener), 2, "all of them left it alone");

    cancel(&mut from(client, &listener), a, VERSION, json!(5));
    let answer = mine.receive();
    assert_eq!((answer.status, answer.json()["id"].clone()), (200, json!(5)));
    assert!(
        answer.message().contains("cancelled by its client. Nothing was changed."),
        "{}",
        answer.message()
    );
    assert_eq!(sleeping(&listener), 1, "the other call goes on");
    assert_eq!(listener.client(b).rows(json!({ "table": "notes" })).len(), 1);

    cancel(&mut from(client, &listener), a, VERSION, json!("5"));
    assert_eq!(other.receive().json()["id"], "5");
    let sql = "SELECT count(*) FROM public.slow_writes WHERE id IN (51, 52)";
    let left: i64 = stage().database.admin().query_one(sql, &[]).expect("counted").get(0);
    assert_eq!(left, 0, "both were rolled back");
}

/// Proves that a call that still waits for a connection is cancelled before it gets one.
#[test]
fn a_waiting_call_is_cancelled_before_it_begins() {
    let listener =
        start(&[("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "1")]);
    let client = fluxbase_tests::http::fresh_address();
    let a = &stage().a;
    let (mut first, mut waiting) = (from(client, &listener), from(client, &listener));
    post(&mut first, a, VERSION, &write(json!(1), 53));
    wait_for_sleepers(&listener, 1);
    post(&mut waiting, a, VERSION, &write(json!(2), 54));
    // It is known to the listener a moment after it was sent.
    std::thread::sleep(Duration::from_millis(200));
    cancel(&mut from(client, &listener), a, VERSION, json!(2));
    assert_eq!(waiting.receive().json()["id"], 2);
    assert_eq!(sleeping(&listener), 1, "the first one goes on");
    cancel(&mut from(client, &listener), a, VERSION, json!(1));
    assert_eq!(first.receive().json()["id"], 1);
}
