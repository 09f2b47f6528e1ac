//! Edge functions called over HTTP: nothing waits in a transaction, and no caller's end is lost.

use std::time::Duration;

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::http::Http;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::mcp::Era;
use fluxbase_tests::web::Web;
use serde_json::{Value, json};

struct Stage {
    web: Web,
    listener: Listener,
    key: Key,
    database: Database,
    _cluster: Cluster,
}

fn begin(environment: &[(&str, &str)]) -> Stage {
    let web = Web::start();
    let cluster = Cluster::start(&format!("mcp.functions_url = '{}'", web.url()));
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    admin.batch_execute("SELECT mcp.install('{functions}')").expect("the tables can be made");
    for name in ["echo", "sleeps", "hangs", "large"] {
        admin.execute("INSERT INTO functions.edge_functions (name) VALUES ($1)", &[&name]).expect("inserted");
    }
    let listener = Listener::start(&cluster, &database.listener_url, environment);
    let key =
        database.client_key(&["--name", "Ann", "--user", "ann", "--scopes", "execute:functions,read:tables"]);
    Stage { web, listener, key, database, _cluster: cluster }
}

impl Stage {
    fn value(&self, sql: &str) -> String {
        let row = self.database.admin().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    fn rows(&self) -> String {
        self.value("SELECT string_agg(concat_ws(' ', status, status_code, user_id), ', ' ORDER BY started_at) FROM functions.edge_executions")
    }
}

fn invoke(name: &str) -> Value {
    json!({ "name": name })
}

/// Proves that the answer is the same in every era, that the tool is listed, and that the row and the token are those of the key.
#[test]
fn the_answer_is_the_documented_one() {
    let stage = begin(&[]);
    for era in [Era::Plain, Era::Legacy("2025-11-25"), Era::Modern] {
        let mut client = stage.listener.client(&stage.key).era(era);
        let answer = client.call("invoke_function", json!({ "name": "echo", "body": {"a": [1]} })).value();
        assert_eq!(
            (&answer["status"], &answer["body"]["body"]),
            (&json!(200), &json!({"a": [1]})),
            "{answer}"
        );
    }
    assert_eq!(stage.rows(), "completed 200 ann, completed 200 ann, completed 200 ann");
    let mut client = stage.listener.client(&stage.key);
    let listed = client.request("tools/list", json!({})).text();
    assert!(listed.contains("\"invoke_function\""), "{listed}");
    let unknown = client.call("invoke_function", invoke("nowhere")).error();
    assert!(unknown.contains("there is no function \"nowhere\""), "{unknown}");
    assert_eq!(client.call("invoke_function", invoke("large")).value()["truncated"]["bytes"], json!(200_000));
    // Nothing is left in the worker: each end was acknowledged.
    eventually(Duration::from_secs(20), "the worker is idle", || {
        (stage.value("SELECT concat_ws(' ', calls, pending, bytes) FROM mcp.worker_status()") == "0 0 0")
            .then_some(())
    });
}

/// Proves that while calls are under way no backend holds a transaction, and that a pool of two connections serves twenty of them and others beside.
#[test]
fn no_transaction_and_no_connection_waits() {
    let stage = begin(&[("FLUXBASE_LISTENER_POOL_SIZE", "2")]);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let mut client = stage.listener.client(&stage.key);
                scope.spawn(move || client.call("invoke_function", invoke("hangs")))
            })
            .collect();
        stage.web.until_open(20);
        let mut client = stage.listener.client(&stage.key);
        assert_eq!(client.call("invoke_function", invoke("echo")).value()["status"], json!(200));
        eventually(Duration::from_secs(20), "no backend of the listener holds a snapshot or an id", || {
            let held = stage.value(
                "SELECT string_agg(query, ' | ') FROM pg_stat_activity WHERE usename = 'fluxbase_listener'
                    AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)",
            );
            held.is_empty().then_some(())
        });
        assert_eq!(
            stage.value("SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'fluxbase_listener' AND query LIKE 'CALL mcp._wait%'"),
            "1",
            "one connection waits for all"
        );
        assert_eq!(stage.rows().matches("running").count(), 20);
        // The functions' end: their connections break.
        stage
            .database
            .admin()
            .batch_execute("SELECT pg_terminate_backend(pid) FROM mcp.worker_status()")
            .expect("sent");
        for one in waiting {
            let text = one.join().expect("no panic").error();
            assert!(
                text.contains("does not know the call") && text.contains("may or may not have run"),
                "{text}"
            );
        }
    });
    stage.web.until_open(0);
    assert_eq!(stage.rows().matches("failed").count(), 20);
    assert_eq!(stage.rows().matches("running").count(), 0);
    let mut client = stage.listener.client(&stage.key);
    assert_eq!(
        client.call("invoke_function", invoke("echo")).value()["status"],
        json!(200),
        "the worker is back"
    );
}

/// Proves that an end that the worker has is heard also when no connection is free for longer than a new call may wait for one.
#[test]
fn what_was_done_is_told_however_busy_the_pool_is() {
    let stage = begin(&[
        ("FLUXBASE_LISTENER_POOL_SIZE", "1"),
        ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0"),
        ("FLUXBASE_LISTENER_QUEUE_TIMEOUT", "500ms"),
    ]);
    std::thread::scope(|scope| {
        let mut client = stage.listener.client(&stage.key);
        let function = scope.spawn(move || client.call("invoke_function", invoke("sleeps")));
        stage.web.until_open(1);
        // Three seconds of the only connection, begun before the function ends.
        let mut client = stage.listener.client(&stage.key);
        let slow = client.call("query_table", json!({ "table": "slow", "filter": { "id": 3 } }));
        assert!(slow.is_ok(), "{}", slow.response.text());
        assert_eq!(function.join().expect("no panic").value()["body"], json!("slept"));
    });
    assert!(stage.listener.log().contains("no connection became free in time"), "the pool was that busy");
}

/// Proves that two hundred calls of a function that sleeps share a pool of eight.
#[test]
fn many_calls_share_few_connections() {
    let stage = begin(&[("FLUXBASE_LISTENER_POOL_SIZE", "8")]);
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..200 {
            let mut client = stage.listener.client(&stage.key);
            scope.spawn(move || {
                assert_eq!(client.call("invoke_function", invoke("sleeps")).value()["body"], json!("slept"))
            });
        }
    });
    println!("200 calls over 8 connections: {:.2} s", begun.elapsed().as_secs_f32());
    assert!(begun.elapsed() < Duration::from_secs(60), "one after the other would take 200 s");
    assert_eq!(stage.rows().matches("completed 200 ann").count(), 200);
}

/// Proves that a client that hangs up ends the function's call, and that this is written down.
#[test]
fn a_client_that_goes_away_ends_its_call() {
    let stage = begin(&[]);
    let mut client = stage.listener.client(&stage.key);
    client.send("tools/call", json!({ "name": "invoke_function", "arguments": { "name": "hangs" } }));
    stage.web.until_open(1);
    drop(client);
    stage.web.until_open(0);
    eventually(Duration::from_secs(20), "the row tells", || stage.rows().starts_with("failed").then_some(()));
    let why = stage.value("SELECT error_message FROM functions.edge_executions");
    assert!(why.contains("cancelled"), "{why}");
}

/// Proves that notifications/cancelled ends a pending call, and no other key's and no other one: the function's connection is closed, the row tells
/// it, and the caller is told that it may have run.
#[test]
fn a_cancelled_call_ends_at_the_function() {
    let stage = begin(&[]);
    let other =
        stage.database.client_key(&["--name", "Ben", "--user", "ben", "--scopes", "execute:functions"]);
    let version = ("MCP-Protocol-Version", "2025-06-18");
    let address = fluxbase_tests::http::fresh_address();
    let post = |key: &Key, body: &Value| {
        let mut http = Http::connect_from(address, stage.listener.address).expect("connected");
        let headers = [("Content-Type", "application/json"), version, key.pair()];
        http.send_request("POST /mcp", &headers, body.to_string().as_bytes()).expect("sent");
        http
    };
    let call = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "invoke_function", "arguments": { "name": "hangs" } } });
    let cancel = |id: u32| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    let (mut first, mut second) = (post(&stage.key, &call(1)), post(&stage.key, &call(2)));
    stage.web.until_open(2);
    for (key, id) in [(&other, 1), (&stage.key, 3)] {
        assert_eq!(post(key, &cancel(id)).receive().status, 202);
    }
    assert_eq!(post(&stage.key, &cancel(1)).receive().status, 202);
    let answer = first.receive();
    assert_eq!((answer.status, answer.json()["id"].clone()), (200, json!(1)));
    assert!(
        answer.message().contains("cancelled by its client")
            && !answer.message().contains("Nothing was changed"),
        "{}",
        answer.message()
    );
    stage.web.until_open(1);
    eventually(Duration::from_secs(20), "the row tells", || {
        (stage.rows().matches("failed").count() == 1).then_some(())
    });
    assert_eq!(stage.rows().matches("running").count(), 1, "the other one goes on");
    assert_eq!(post(&stage.key, &cancel(2)).receive().status, 202);
    assert_eq!(second.receive().json()["id"], 2);
    stage.web.until_open(0);
    eventually(Duration::from_secs(20), "the worker is idle", || {
        (stage.value("SELECT concat_ws(' ', calls, pending, bytes) FROM mcp.worker_status()") == "0 0 0")
            .then_some(())
    });
}

/// Proves that whoever has the listener's password and another key learns nothing of a pending call, and changes nothing.
#[test]
fn a_pending_call_is_its_keys_alone() {
    let stage = begin(&[]);
    let other =
        stage.database.client_key(&["--name", "Ben", "--user", "ben", "--scopes", "execute:functions"]);
    let mut thief =
        fluxbase_tests::cluster::connect(&stage.database.listener_url).expect("the listener may log in");
    let mut client = stage.listener.client(&stage.key);
    client.send("tools/call", json!({ "name": "invoke_function", "arguments": { "name": "hangs" } }));
    stage.web.until_open(1);
    let id = stage.value("SELECT replace(id::text, '-', '') FROM functions.edge_executions");
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "invoke_function", "arguments": { "name": "hangs" } } });
    for abandon in [false, true] {
        let transport = json!({ "http": true, "pending": { "id": id, "abandon": abandon } });
        let row = thief
            .query_one(
                "SELECT mcp._serve($1, $2, $3)",
                &[&request.to_string(), &other.credential(), &transport.to_string()],
            )
            .expect("answered");
        let text: String = row.get(0);
        assert!(text.contains("\"isError\":true"), "{text}");
    }
    stage.web.until_open(1);
    assert_eq!(stage.rows(), "running ann");
}
