//! What happens when something goes away, hangs, collides or ends: Postgres, a client, a key, the listener itself.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fluxbase_tests::{Client, Cluster, Database, Http, Key, Listener, TENANT_A, eventually, stage};
use serde_json::{Value, json};

/// How many statements of a listener run now, as Postgres sees it.
fn running(listener: &Listener) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'";
    stage().database.admin().query_one(sql, &[&listener.application()]).expect("counted").get(0)
}

/// How many of them sleep in one of the fixture's slow relations.
fn sleeping(listener: &Listener) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    stage().database.admin().query_one(sql, &[&listener.application()]).expect("counted").get(0)
}

fn start(environment: &[(&str, &str)]) -> Listener {
    Listener::start(&stage().cluster, &stage().database.listener_url, environment)
}

fn slow(seconds: u32) -> Value {
    json!({ "name": "query_table", "arguments": { "table": "slow", "filter": { "id": seconds } } })
}

fn wait_for_sleepers(listener: &Listener, count: i64) {
    eventually(Duration::from_secs(10), "the slow statement runs", || {
        (sleeping(listener) == count).then_some(())
    });
}

// ---- clients that go away ------------------------------------------------------------------------------------------

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

// ---- statements that take too long -----------------------------------------------------------------------------------

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

// ---- keys that end -----------------------------------------------------------------------------------------------------

/// Proves that a revoked key is refused by the very next request on every kept connection, on every backend and on two
/// listeners, and a rotated one, and one whose role is no longer allowed.
#[test]
fn a_revoked_key_is_refused_everywhere_at_once() {
    let stage = stage();
    let second = start(&[]);
    let cli = |arguments: &[&str]| {
        let output = fluxbase_tests::keys::cli_output(&stage.database.admin_url, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    stage
        .database
        .admin()
        .batch_execute("CREATE ROLE short_lived NOLOGIN; SELECT mcp.allow_role('short_lived')")
        .expect("made");
    let end: [(&str, &str, &dyn Fn(&Key)); 3] = [
        ("revoked", "authenticated", &|key| drop(cli(&["clientkeys", "revoke", &key.id]))),
        ("rotated", "authenticated", &|key| {
            let told: Value =
                serde_json::from_slice(&cli(&["clientkeys", "rotate", &key.id, "--json"])).expect("JSON");
            let new = Key::of(told["key"].as_str().expect("a key"));
            assert_eq!(
                stage.listener.client(&new).request("ping", json!({})).status,
                200,
                "the new key works"
            );
        }),
        ("disallowed", "short_lived", &|_| {
            stage
                .database
                .admin()
                .batch_execute("SELECT mcp.disallow_role('short_lived')")
                .expect("disallowed");
        }),
    ];
    for (name, role, end) in end {
        let key = stage.database.client_key(&["--name", name, "--scopes", "read:tables", "--role", role]);
        let mut clients: Vec<Client> =
            (0..6).flat_map(|_| [stage.listener.client(&key), second.client(&key)]).collect();
        for client in &mut clients {
            assert_eq!(client.request("tools/list", json!({})).status, 200, "{name}");
        }
        end(&key);
        for client in &mut clients {
            let response = client.request("tools/list", json!({}));
            assert_eq!((response.status, response.code()), (401, -32005), "{name}: {}", response.text());
        }
    }
}

/// Proves the grace period of a rotation: both keys work, then only the new one does.
#[test]
fn a_rotated_key_has_its_grace() {
    let stage = stage();
    let old =
        stage.database.client_key(&["--name", "graceful", "--scopes", "read:tables", "--user", TENANT_A]);
    let output = fluxbase_tests::keys::cli_output(
        &stage.database.admin_url,
        &["clientkeys", "rotate", "graceful", "--grace", "2s", "--json"],
    );
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let new = Key::of(told["key"].as_str().expect("a key"));
    let (mut old, mut new) = (stage.listener.client(&old), stage.listener.client(&new));
    assert_eq!(old.request("ping", json!({})).status, 200);
    let rows = new.rows(json!({ "table": "notes", "select": "user_id", "limit": 1 }));
    assert_eq!(rows, [json!({ "user_id": TENANT_A })], "it has the rights of the old one");
    eventually(Duration::from_secs(5), "the grace period ends", || {
        (old.request("ping", json!({})).status == 401).then_some(())
    });
    assert_eq!(new.request("ping", json!({})).status, 200);
}

// ---- collisions ----------------------------------------------------------------------------------------------------------

/// Proves that a serialization failure is tried again and then answered as if it had not been; that one that stays is told as
/// a conflict after three attempts; and that neither leaves anything behind.
#[test]
fn conflicts_are_tried_again() {
    let stage = stage();
    let mut admin = stage.database.admin();
    let mut client = stage.listener.client(&stage.a);
    let attempts = |admin: &mut postgres::Client| -> i64 {
        admin
            .query_one("SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM public.attempts", &[])
            .expect("read")
            .get(0)
    };
    let restart = |admin: &mut postgres::Client| {
        admin.batch_execute("ALTER SEQUENCE public.attempts RESTART").expect("restarted")
    };
    restart(&mut admin);
    let row = client.call("insert_record", json!({ "table": "flaky", "data": { "id": 1, "failures": 2 } }));
    assert_eq!(row.value(), json!({ "id": 1, "failures": 2 }));
    assert_eq!(attempts(&mut admin), 3, "it failed twice, and went through the third time");
    restart(&mut admin);
    let response = client
        .call("insert_record", json!({ "table": "flaky", "data": { "id": 2, "failures": 1000 } }))
        .response;
    assert_eq!((response.status, response.code()), (503, -32603), "{}", response.text());
    assert!(response.message().contains("Nothing was changed") && response.header("retry-after").is_some());
    assert_eq!(attempts(&mut admin), 3);
    let left: i64 =
        admin.query_one("SELECT count(*) FROM public.flaky WHERE id = 2", &[]).expect("counted").get(0);
    assert_eq!(left, 0);
}

/// Proves that of two assistants in a deadlock both are answered well: the victim is tried again.
#[test]
fn a_deadlock_is_resolved() {
    let stage = stage();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let update = |id: i32, key: &'static Key| {
            scope.spawn(move || {
                let mut client = stage.listener.client(key);
                client.call(
                    "update_record",
                    json!({ "table": "crossing", "filter": { "id": id }, "data": { "other": 3 - id } }),
                )
            })
        };
        let both = [update(1, &stage.a), update(2, &stage.b)];
        both.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for answer in answers {
        assert_eq!(answer.value()["updated"], json!(1));
    }
    let hits: i64 = stage
        .database
        .admin()
        .query_one("SELECT sum(hits)::int8 FROM public.crossing", &[])
        .expect("read")
        .get(0);
    assert_eq!(hits, 2, "each of them was done once");
    assert!(stage.cluster.log().contains("deadlock detected"), "there was one");
}

/// Proves that a violated constraint that is checked at COMMIT is never answered as done: the tool reports it, and the row is
/// not there; and that a trigger cannot put the check off again.
#[test]
fn deferred_constraints_are_checked_before_the_answer() {
    let stage = stage();
    let mut client = stage.listener.client(&stage.a);
    for (table, id) in [("children", 1), ("sneaky_children", 1)] {
        let answer =
            client.call("insert_record", json!({ "table": table, "data": { "id": id, "parent": 99 } }));
        assert!(!answer.is_ok(), "{table}: {}", answer.response.text());
        assert!(answer.status() == 200, "it is the tool's own error: {}", answer.response.text());
        let left: i64 = stage
            .database
            .admin()
            .query_one(&format!("SELECT count(*) FROM public.{table}"), &[])
            .expect("counted")
            .get(0);
        assert_eq!(left, 0, "{table}");
    }
    let error = client
        .call("insert_record", json!({ "table": "children", "data": { "id": 1, "parent": 99 } }))
        .error();
    assert!(error.contains("foreign key") && error.contains("23503"), "{error}");
    assert_eq!(
        client
            .call("insert_record", json!({ "table": "children", "data": { "id": 2, "parent": 1 } }))
            .value()["parent"],
        json!(1)
    );
}

// ---- Postgres goes away ----------------------------------------------------------------------------------------------------

/// Proves that the listener lives through restarts of Postgres under traffic, orderly and by a crash: every request is
/// answered with 200 or 503, every write that was acknowledged is there, and afterwards all works again by itself.
#[test]
fn postgres_restarts_under_traffic() {
    let cluster = Cluster::start("");
    let database = Database::create(&cluster, "app");
    let mut listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = database.tenant_key("Tenant A", TENANT_A);
    let (stop, next) = (AtomicBool::new(false), AtomicU32::new(1));
    let (answered, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let acknowledged: Vec<u32> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|number| {
                let (listener, key, stop, next, answered, refused) =
                    (&listener, &key, &stop, &next, &answered, &refused);
                scope.spawn(move || {
                    let mut done = Vec::new();
                    let mut client = listener.client(key);
                    while !stop.load(Ordering::Relaxed) {
                        let id = next.fetch_add(1, Ordering::Relaxed);
                        let title = format!("restart {id}");
                        let answer = if number % 2 == 0 {
                            client.call(
                                "insert_record",
                                json!({ "table": "notes", "data": { "title": title } }),
                            )
                        } else {
                            client.call("query_table", json!({ "table": "users" }))
                        };
                        match answer.status() {
                            200 => {
                                assert!(answer.is_ok(), "{}", answer.response.text());
                                answered.fetch_add(1, Ordering::Relaxed);
                                if number % 2 == 0 {
                                    done.push(id);
                                }
                            }
                            503 => {
                                assert!(answer.response.header("retry-after").is_some());
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                            other => panic!("status {other}: {}", answer.response.text()),
                        }
                    }
                    done
                })
            })
            .collect();
        for mode in ["fast", "immediate"] {
            let before = answered.load(Ordering::Relaxed);
            eventually(Duration::from_secs(20), "there is traffic", || {
                (answered.load(Ordering::Relaxed) > before + 50).then_some(())
            });
            cluster.stop(mode);
            std::thread::sleep(Duration::from_millis(300));
            cluster.start_again();
            let before = answered.load(Ordering::Relaxed);
            eventually(Duration::from_secs(20), "traffic goes on", || {
                (answered.load(Ordering::Relaxed) > before + 50).then_some(())
            });
        }
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut admin = database.admin();
    let there: Vec<u32> = admin
        .query("SELECT replace(title, 'restart ', '') FROM public.notes WHERE title LIKE 'restart %'", &[])
        .expect("read")
        .iter()
        .filter_map(|row| row.get::<_, String>(0).parse().ok())
        .collect();
    let lost: Vec<&u32> = acknowledged.iter().filter(|id| !there.contains(id)).collect();
    assert!(lost.is_empty(), "acknowledged, but not there: {lost:?} of {}", acknowledged.len());
    assert!(acknowledged.len() > 20, "there were writes: {}", acknowledged.len());
    assert!(listener.is_running(), "the same process serves on");
}

/// Proves that connections that an administrator ends are replaced: at most the calls in flight notice.
#[test]
fn ended_backends_are_replaced() {
    let listener = start(&[]);
    let mut client = listener.client(&stage().a);
    for _ in 0..3 {
        assert_eq!(client.request("tools/list", json!({})).status, 200);
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1";
        let ended: i64 =
            stage().database.admin().query_one(sql, &[&listener.application()]).expect("ended").get(0);
        assert!(ended > 0);
        assert_eq!(client.request("tools/list", json!({})).status, 200, "a read is sent again");
        std::thread::sleep(Duration::from_millis(200));
        assert!(
            client
                .call(
                    "update_record",
                    json!({ "table": "notes", "filter": { "id": -1 }, "data": { "body": "x" } })
                )
                .is_ok()
        );
    }
}

// ---- the listener ends -------------------------------------------------------------------------------------------------------

/// Proves that SIGTERM lets what is in flight finish, takes no new connections, ends kept ones, and exits with 0.
#[test]
fn sigterm_finishes_what_is_in_flight() {
    let mut listener = start(&[]);
    let mut idle = listener.client(&stage().b);
    assert_eq!(idle.request("ping", json!({})).status, 200);
    let mut client = listener.client(&stage().a);
    client.send("tools/call", slow(2));
    wait_for_sleepers(&listener, 1);
    listener.terminate();
    eventually(Duration::from_secs(2), "it takes no new connections", || {
        Http::connect_from(fluxbase_tests::http::fresh_address(), listener.address).is_err().then_some(())
    });
    assert!(idle.http().closed_within(Duration::from_secs(2)).is_some(), "an idle connection is closed");
    let response = client.http().receive();
    assert_eq!(response.json()["result"]["isError"], json!(false), "{}", response.text());
    let status = listener.wait(Duration::from_secs(5)).expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert_eq!(running(&listener), 0);
}

/// Proves that what does not finish in ten seconds is cancelled in Postgres before the process ends, so that no statement
/// runs on for nobody.
#[test]
fn sigterm_cancels_what_does_not_finish() {
    let mut listener = start(&[]);
    let mut client = listener.client(&stage().a);
    client.send("tools/call", slow(30));
    wait_for_sleepers(&listener, 1);
    let begun = Instant::now();
    listener.terminate();
    let status = listener.wait(Duration::from_secs(18)).expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() > Duration::from_secs(8), "it gave the call its time");
    eventually(Duration::from_secs(2), "the statement is gone", || (running(&listener) == 0).then_some(()));
}

/// Proves that a listener whose port is taken says so and ends with 1.
#[test]
fn a_taken_port_is_told() {
    let taken = stage().listener.address.to_string();
    let output = fluxbase_tests::keys::cli(&stage().database.listener_url, &["serve", "--listen", &taken])
        .env("FLUXBASE_MCP_ENABLED", "true")
        .output()
        .expect("fluxbase starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&taken) && told.contains("--listen"), "{told}");
}
