//! Postgres goes away and comes back.

use super::*;

/// Proves that a running listener finds the extension again when it was removed and made anew: in between it says that the database is not set up, and nothing runs.
#[test]
fn an_extension_that_was_made_anew_is_found_again() {
    let cluster = Cluster::start("");
    let database = Database::create(&cluster, "app");
    let one = [("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")];
    let listener = Listener::start(&cluster, &database.listener_url, &one);
    let key = database.tenant_key("Tenant A", TENANT_A);
    let mut client = listener.client(&key);
    assert_eq!(client.request("ping", json!({})).status, 200);
    let mut admin = database.admin();
    admin
        .batch_execute(
            "CREATE TABLE public.saved AS SELECT * FROM mcp.keys; DROP EXTENSION fluxbase_mcp_ext CASCADE",
        )
        .expect("dropped");
    for _ in 0..2 {
        let response = client.request("ping", json!({}));
        assert_eq!(response.status, 503, "{}", response.text());
        assert!(response.text().contains("not set up"), "{}", response.text());
    }
    admin
        .batch_execute(
            "CREATE EXTENSION fluxbase_mcp_ext; SELECT mcp.setup_roles(); SELECT mcp.setup_listener();
             INSERT INTO mcp.keys SELECT * FROM public.saved",
        )
        .expect("made anew");
    for _ in 0..2 {
        let response = client.request("ping", json!({}));
        assert_eq!(response.status, 200, "{}", response.text());
    }
}

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
        let ended = Ended(&stop);
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
        drop(ended);
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

/// Proves what the caller of a write is told when its backend is killed under it: that the outcome is not known. Here nothing
/// was changed, and the next write goes through.
#[test]
fn a_write_that_loses_its_backend_is_not_sent_again() {
    let listener = start(&[]);
    let mut client = listener.client(&stage().a);
    client.send(
        "tools/call",
        json!({ "name": "insert_record", "arguments": { "table": "slow_writes", "data": { "id": 20, "seconds": 20 } } }),
    );
    wait_for_sleepers(&listener, 1);
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    stage().database.admin().query(sql, &[&listener.application()]).expect("ended");
    let response = client.http().receive();
    assert_eq!((response.status, response.code()), (503, -32603), "{}", response.text());
    assert!(response.message().contains("not known"), "{}", response.message());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(sleeping(&listener), 0, "it was not sent again");
    let row = client
        .call("insert_record", json!({ "table": "slow_writes", "data": { "id": 20, "seconds": 0 } }))
        .value();
    assert_eq!(row["id"], json!(20));
}

/// The processes that serve a listener, as the operating system knows them.
fn backends(admin: &mut postgres::Client, listener: &Listener) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = $1";
    admin.query(sql, &[&listener.application()]).expect("read").iter().map(|row| row.get(0)).collect()
}

fn wait_for_their_end(pids: &[i32]) {
    eventually(Duration::from_secs(10), "the processes have ended", || {
        pids.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
}

/// Proves that a backend that died while nobody used it is replaced before anything is sent to it: a write, which is never sent
/// twice, hears nothing of it, whether the backend was terminated, killed, or went with the whole of Postgres.
#[test]
fn a_backend_that_died_while_idle_is_not_written_to() {
    let cluster = Cluster::start("");
    let database = Database::create(&cluster, "app");
    let listener = Listener::start(&cluster, &database.listener_url, &[("FLUXBASE_LISTENER_POOL_SIZE", "2")]);
    let mut client = listener.client(&database.tenant_key("Tenant A", TENANT_A));
    let mut written = 0;
    let mut write = |why: &str| {
        written += 1;
        let title = format!("written {written}");
        let answer = client.call("insert_record", json!({ "table": "notes", "data": { "title": title } }));
        assert!(answer.is_ok(), "{why}: {} {}", answer.status(), answer.response.text());
    };
    write("at first");
    for round in 0..20 {
        let mut admin = database.admin();
        let pids = backends(&mut admin, &listener);
        assert!(!pids.is_empty());
        admin
            .execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", &[&pids])
            .expect("ended");
        wait_for_their_end(&pids);
        write(&format!("after pg_terminate_backend {round}"));
    }
    // Postgres ends all backends when one is killed, and recovers.
    for round in 0..2 {
        let pids = backends(&mut database.admin(), &listener);
        let mut kill = fluxbase_tests::settings::settings().as_user("kill");
        assert!(kill.arg("-KILL").arg(pids[0].to_string()).status().expect("kill runs").success());
        wait_for_their_end(&pids);
        write(&format!("after kill -9 {round}"));
    }
    for mode in ["fast", "immediate"] {
        cluster.stop(mode);
        cluster.start_again();
        write(&format!("after a restart, {mode}"));
    }
    let count: i64 = database
        .admin()
        .query_one("SELECT count(*) FROM public.notes WHERE title LIKE 'written %'", &[])
        .expect("counted")
        .get(0);
    assert_eq!(count, 25, "each once");
}
