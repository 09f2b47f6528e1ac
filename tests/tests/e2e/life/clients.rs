//! Clients that go away.

use super::*;

/// Proves that a client that hangs up has its statement cancelled in Postgres within two seconds, that the connection is clean
/// for the next caller, and that a write of it leaves nothing.
#[test]
fn a_client_that_hangs_up_stops_its_statement() {
    let listener =
        start(&[("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")]);
    let write = json!({ "name": "insert_record", "arguments": { "table": "slow_writes", "data": { "id": 30, "seconds": 30 } } });
    for params in [slow(30), write] {
        let mut http = Http::connect(listener.address);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        http.send_request(
            "POST /mcp",
            &[("Content-Type", "application/json"), stage().a.pair()],
            body.as_bytes(),
        )
        .expect("sent");
        wait_for_sleepers(&listener, 1);
        http.hang_up();
        eventually(Duration::from_secs(2), "the statement is cancelled", || {
            (running(&listener) == 0).then_some(())
        });
        // There is one connection only: it serves the next caller at once, and nothing of the other is left on it.
        let mut next = listener.client(&stage().b);
        for _ in 0..3 {
            assert_eq!(next.rows(json!({ "table": "notes" })).len(), 1);
        }
    }
    let left: i64 = stage()
        .database
        .admin()
        .query_one("SELECT count(*) FROM public.slow_writes WHERE id = 30", &[])
        .expect("counted")
        .get(0);
    assert_eq!(left, 0, "the write was rolled back");
    assert!(listener.log().contains("499"), "the log has a line for a client that went away");
}

/// Proves that a write of which Postgres has not been told everything yet is never told the rest once its client has gone: it does not run, though the backend was only slow.
#[test]
fn half_a_call_is_never_said() {
    let listener =
        start(&[("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")]);
    assert_eq!(listener.client(&stage().a).request("ping", json!({})).status, 200);
    let backend = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query = 'SELECT mcp._serve($1, $2, $3)'";
    let mut admin = stage().database.admin();
    let pid: i32 = admin.query_one(backend, &[&listener.application()]).expect("one connection").get(0);
    let signal = |name: &str| {
        let told = std::process::Command::new("kill").args([name, &pid.to_string()]).status();
        assert!(told.expect("kill runs").success(), "{name}");
    };
    // More than the sockets between hold.
    let title = "half ".repeat(800_000);
    let params =
        json!({ "name": "insert_record", "arguments": { "table": "notes", "data": { "title": title } } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    signal("-STOP");
    let mut http = Http::connect(listener.address);
    http.send_request(
        "POST /mcp",
        &[("Content-Type", "application/json"), stage().a.pair()],
        body.as_bytes(),
    )
    .expect("sent");
    // Time for what fits; had it not begun, it would not run either.
    std::thread::sleep(Duration::from_millis(500));
    http.hang_up();
    std::thread::sleep(Duration::from_millis(300));
    signal("-CONT");
    eventually(Duration::from_secs(20), "the backend ends", || {
        let left = admin.query("SELECT FROM pg_stat_activity WHERE pid = $1", &[&pid]).expect("asked");
        left.is_empty().then_some(())
    });
    let left: i64 = admin
        .query_one("SELECT count(*) FROM public.notes WHERE starts_with(title, 'half half')", &[])
        .expect("counted")
        .get(0);
    assert_eq!(left, 0, "it did not run");
    assert_eq!(listener.client(&stage().a).request("ping", json!({})).status, 200);
}

/// Proves the same for a client that has already sent its next request, and for one that only closes its sending side: in
/// both cases nobody will read the answer.
#[test]
fn a_pipelining_client_that_hangs_up_stops_its_statement() {
    let listener = start(&[]);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": slow(30) }).to_string();
    let headers = [("Content-Type", "application/json"), stage().a.pair()];
    let request = fluxbase_tests::http::request_bytes("POST /mcp", &headers, body.as_bytes());
    for sent in [[request.clone(), request.clone()].concat(), [&request[..], b"POST /mcp HT"].concat()] {
        let mut http = Http::connect(listener.address);
        http.send(&sent).expect("sent");
        wait_for_sleepers(&listener, 1);
        http.hang_up();
        eventually(Duration::from_secs(2), "the statement is cancelled", || {
            (running(&listener) == 0).then_some(())
        });
    }
}

/// Proves that many clients that hang up at once leave neither statements nor connections behind, and lock nobody out.
#[test]
fn many_hang_ups_leave_nothing() {
    let listener = start(&[("FLUXBASE_LISTENER_POOL_SIZE", "3")]);
    for _ in 0..3 {
        let mut clients: Vec<Client> = (0..10).map(|_| listener.client(&stage().a)).collect();
        for client in &mut clients {
            client.send("tools/call", slow(30));
        }
        wait_for_sleepers(&listener, 3);
        drop(clients);
        eventually(Duration::from_secs(4), "the statements are cancelled", || {
            (running(&listener) == 0).then_some(())
        });
    }
    assert_eq!(listener.client(&stage().a).request("tools/list", json!({})).status, 200);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let connections: i64 =
        stage().database.admin().query_one(sql, &[&listener.application()]).expect("counted").get(0);
    assert!(connections <= 6, "3 for calls, 2 reserved, 1 for health: {connections}");
}
