//! No secret in any log. The module's name puts it last: libtest starts tests in the order of their names, so these look at
//! what nearly all the others left behind.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fluxbase_tests::keys::{cli_output, secrets_in};
use fluxbase_tests::{Ended, Era, Http, Key, Listener, TENANT_A, eventually, stage};
use serde_json::{Value, json};

/// Proves that neither a key, nor its secret part, nor h1 is in Postgres's log (which has every statement with its parameters,
/// every error and every duration), in the listener's log at its most talkative, in `pg_stat_activity` at any moment, or in
/// any body: over good and bad requests, errors of every kind, cancels, timeouts, conflicts, and the whole life of a key.
/// And that this test would see one: a parameter of an ordinary session is in the log.
#[test]
fn no_secret_is_in_any_log() {
    let stage = stage();
    let mut admin = stage.database.admin();
    let canary = format!("canary {}", fluxbase_tests::random::secret());
    admin.query_one("SELECT $1::text", &[&canary]).expect("answered");
    for format in ["human", "json"] {
        let listener = Listener::start(
            &stage.cluster,
            &stage.database.listener_url,
            &[("RUST_LOG", "trace"), ("FLUXBASE_LISTENER_LOG", format), ("FLUXBASE_LISTENER_DEADLINE", "1s")],
        );
        let seen = Mutex::new(String::new());
        let stop = AtomicBool::new(false);
        let bodies: String = std::thread::scope(|scope| {
            let _ended = Ended(&stop);
            scope.spawn(|| {
                let mut admin = stage.database.admin();
                while !stop.load(Ordering::Relaxed) {
                    for row in admin
                        .query("SELECT concat_ws(' ', application_name, query) FROM pg_stat_activity", &[])
                        .expect("read")
                    {
                        let mut seen = seen.lock().expect("no panic");
                        let text: String = row.get(0);
                        if !seen.contains(&text) {
                            seen.push_str(&text);
                            seen.push('\n');
                        }
                    }
                }
            });
            traffic(&listener)
        });
        let seen = seen.into_inner().expect("no panic");
        assert!(
            seen.contains("mcp._serve(") || seen.contains("mcp.handle("),
            "calls were seen while they ran: {seen}"
        );
        assert!(secrets_in(&seen).is_empty(), "pg_stat_activity shows a secret");
        assert!(secrets_in(&bodies).is_empty(), "a body repeats a secret");
        let log = listener.log();
        assert!(log.lines().count() > 20, "it is talkative: {log}");
        assert!(secrets_in(&log).is_empty(), "the listener's log has a secret ({format})");
        assert!(
            !log.contains(&stage.database.listener_password),
            "the listener's log has its password ({format})"
        );
        assert!(!log.contains("first note of"), "the listener's log has a row ({format})");
        if format == "json" {
            for line in log.lines() {
                assert!(
                    serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"].is_string()),
                    "{line}"
                );
            }
        }
    }
    let log = stage.cluster.log();
    assert!(log.contains(&canary), "parameters are logged, so that this test can fail");
    let of_listeners =
        log.lines().filter(|line| line.contains("fluxbase_listener@") && line.contains("$1")).count();
    assert!(of_listeners > 100, "statements of listeners are logged");
    assert!(log.contains("ERROR:") && log.contains("canceling statement"), "errors and cancels are logged");
    let found = secrets_in(&log);
    let lines: Vec<&str> =
        log.lines().filter(|line| found.iter().any(|secret| line.contains(secret))).take(3).collect();
    assert!(
        found.is_empty(),
        "Postgres's log has {} secrets, such as in:\n{}",
        found.len(),
        lines.join("\n")
    );
}

/// All kinds of requests. Returns every body.
fn traffic(listener: &Listener) -> String {
    let stage = stage();
    let mut bodies = String::new();
    let mut client = listener.client(&stage.a);
    let mut keep = |text: String| bodies.push_str(&text);
    for era in [Era::Plain, Era::Legacy("2025-11-25"), Era::Modern] {
        let mut client = listener.client(&stage.b).era(era);
        for (tool, arguments) in [
            ("query_table", json!({ "table": "notes" })),
            ("query_table", json!({ "table": "notes", "filter": { "id": "eq.x" } })),
            ("query_table", json!({ "table": "nothing" })),
            ("query_table", json!({ "table": "things", "filter": { "price": "eq.1" }, "limit": 1 })),
            ("insert_record", json!({ "table": "notes", "data": { "title": "" } })),
            ("insert_record", json!({ "table": "notes", "data": { "title": "x", "user_id": TENANT_A } })),
            ("insert_record", json!({ "table": "children", "data": { "id": 50, "parent": 98 } })),
            ("insert_record", json!({ "table": "flaky", "data": { "id": 50, "failures": 2_000_000_000 } })),
            ("no_tool", json!({})),
        ] {
            keep(client.call(tool, arguments).response.text());
        }
        keep(client.request("tools/list", json!({})).text());
    }
    // Deadline, cancel, terminate.
    keep(client.call("query_table", json!({ "table": "slow", "filter": { "id": 30 } })).response.text());
    keep(client.call("query_table", json!({ "table": "stubborn", "filter": { "id": 30 } })).response.text());
    let mut leaving = listener.client(&stage.a);
    leaving.send(
        "tools/call",
        json!({ "name": "query_table", "arguments": { "table": "slow", "filter": { "id": 3 } } }),
    );
    std::thread::sleep(Duration::from_millis(300));
    drop(leaving);
    // Bodies that are not messages, keys that are not right.
    let unknown = Key::of(
        &fluxbase_credential::Key::generate(fluxbase_credential::Kind::Client).expect("randomness").reveal(),
    );
    let cut = &stage.a.plain[..60];
    let bearer = format!("Bearer {}", stage.a.plain);
    let stranger = format!("Basic {}", stage.a.plain);
    for headers in [
        vec![stage.a.pair()],
        vec![unknown.pair()],
        vec![("X-Client-Key", cut)],
        vec![("X-Service-Key", stage.a.plain.as_str())],
        vec![stage.a.pair(), stage.service.pair()],
        vec![("Authorization", bearer.as_str())],
        vec![("Authorization", stranger.as_str())],
        vec![
            stage.a.pair(),
            ("Mcp-Name", stage.a.plain.as_str()),
            ("MCP-Protocol-Version", stage.a.plain.as_str()),
        ],
        vec![stage.a.pair(), ("Host", "evil.example")],
    ] {
        for body in [r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "{", "[]", ""] {
            let mut all = vec![("Content-Type", "application/json")];
            all.extend(headers.clone());
            let response = Http::connect(listener.address).post(&all, body.as_bytes());
            // What a client put into a routing header is its own; the listener may say it back.
            if !headers.iter().any(|(name, _)| *name == "Mcp-Name") {
                keep(response.text());
            }
        }
    }
    // The life of a key.
    let key =
        stage.database.client_key(&["--name", "secret life", "--scopes", "read:tables", "--rate-limit", "3"]);
    for _ in 0..5 {
        keep(listener.client(&key).request("tools/list", json!({})).text());
    }
    let output = cli_output(&stage.database.admin_url, &["clientkeys", "rotate", &key.id, "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let next = Key::of(told["key"].as_str().expect("a key"));
    keep(listener.client(&key).request("tools/list", json!({})).text());
    keep(listener.client(&next).request("tools/list", json!({})).text());
    for arguments in [&["clientkeys", "list", "--json"][..], &["clientkeys", "revoke", &next.id], &["doctor"]]
    {
        let output = cli_output(&stage.database.admin_url, arguments);
        keep(String::from_utf8_lossy(&output.stdout).into_owned());
        keep(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    keep(listener.client(&next).request("tools/list", json!({})).text());
    eventually(Duration::from_secs(10), "nothing runs any more", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'";
        let running: i64 =
            stage.database.admin().query_one(sql, &[&listener.application()]).expect("counted").get(0);
        (running == 0).then_some(())
    });
    bodies
}

/// Proves that a key whose creation or use fails in Postgres is not logged by way of the error either.
#[test]
fn errors_do_not_log_their_parameters() {
    let stage = stage();
    let before = stage.cluster.log().len();
    // The listener's session with a statement that fails while it has the credential as a parameter.
    let mut client = fluxbase_tests::cluster::connect(&format!(
        "{}?options=-c%20log_parameter_max_length_on_error%3D0",
        stage.database.listener_url
    ))
    .expect("the listener may log in");
    let credential = stage.a.credential();
    let error = client
        .query("SELECT * FROM mcp.handle($1, $2, ($3::text)::jsonb)", &[&"{}", &credential, &"{\"http\": 5}"])
        .expect_err("a transport of the wrong shape");
    assert!(secrets_in(&format!("{error:?}")).is_empty());
    let log = stage.cluster.log();
    assert!(log[before..].contains("transport:"), "the error is logged");
    assert!(secrets_in(&log[before..]).is_empty(), "with its parameters");
}

/// Proves that nothing in Postgres or in the shared listener crashed during all of it.
#[test]
fn nothing_panicked() {
    let stage = stage();
    let log = stage.cluster.log();
    for word in ["panicked", "PANIC:", "was terminated by signal", "server process (PID"] {
        let line = log.lines().find(|line| line.contains(word) && !line.contains("exited with exit code 0"));
        assert_eq!(line, None, "Postgres's log");
    }
    assert!(!stage.listener.log().contains("panicked"));
    assert!(secrets_in(&stage.listener.log()).is_empty(), "the shared listener's log has a secret");
}
