//! The audit over HTTP and through what may happen to the server: each call leaves one record, whoever ends it and however.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fluxbase_tests::cluster::{Cluster, connect};
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::{Database, TENANT_A};
use fluxbase_tests::http::{Http, fresh_address};
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use postgres::Client;
use serde_json::json;

/// Generous: nothing here judges how fast the machine is.
const LONG: Duration = Duration::from_secs(90);
const JSON: (&str, &str) = ("Content-Type", "application/json");
const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

struct Audited {
    cluster: Cluster,
    database: Database,
    admin: Client,
}

impl Audited {
    fn start(more: &str) -> Audited {
        let cluster = Cluster::start(more);
        let database = Database::create(&cluster, "app");
        let mut admin = database.admin();
        admin.batch_execute("SELECT mcp.install('{audit}')").expect("the tables can be made");
        Audited { cluster, database, admin }
    }

    fn listener(&self, environment: &[(&str, &str)]) -> Listener {
        Listener::start(&self.cluster, &self.database.listener_url, environment)
    }

    fn key(&self, name: &str) -> Key {
        self.database.tenant_key(name, TENANT_A)
    }

    fn again(&mut self) {
        self.admin = eventually(LONG, "the server answers", || connect(&self.database.admin_url).ok());
    }

    /// The one number of a question.
    fn number(&mut self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    /// Waits until the question has that answer, and then is sure that it stays so once all is written.
    fn until(&mut self, sql: &str, wanted: i64) {
        let mut last = -1;
        let begun = std::time::Instant::now();
        while begun.elapsed() < LONG {
            last = self.number(sql);
            if last == wanted {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!(
            "{sql}: {last} instead of {wanted}\n{}",
            fluxbase_tests::cluster::tail(&self.cluster.log(), 20)
        );
    }

    /// Waits until nothing waits to be written.
    fn written(&mut self) {
        self.until("SELECT s.waiting + s.lost FROM mcp.audit_status() AS s", 0);
    }

    fn is_whole(&mut self) {
        let row = self.admin.query_one("SELECT ok, problem FROM mcp.audit_verify()", &[]).expect("verified");
        assert_eq!((row.get::<_, bool>(0), row.get::<_, Option<String>>(1)), (true, None));
    }

    fn writer(&mut self) -> i32 {
        let ask = "SELECT pid FROM mcp.audit_status() WHERE state = 'writing'";
        let row = eventually(LONG, "somebody writes", || self.admin.query_opt(ask, &[]).expect("asked"));
        row.get(0)
    }

    fn set(&mut self, setting: &str, value: &str) {
        self.admin.batch_execute(&format!("ALTER SYSTEM SET {setting} = {value}")).expect("set");
        self.admin.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
        // Another session sees it when it begins a statement after the signal; a new one at once.
        eventually(LONG, "the setting holds", || {
            let mut other = connect(&self.database.admin_url).ok()?;
            let row = other.query_one("SELECT current_setting($1)", &[&setting]).ok()?;
            (row.get::<_, String>(0) == value).then_some(())
        });
    }
}

/// Proves that a thousand calls over sixteen connections leave a thousand records, each with key, user, role, client, table and rows, sealed.
#[test]
fn a_thousand_calls_leave_a_thousand_records() {
    let mut audited = Audited::start("");
    let listener = audited.listener(&[("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")]);
    let key = audited.key("Thousand");
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            let (listener, key, next) = (&listener, &key, &next);
            scope.spawn(move || {
                let mut client = listener.client(key);
                while next.fetch_add(1, Ordering::Relaxed) < 1000 {
                    let answer = client.call("query_table", json!({ "table": "users", "limit": 1 }));
                    assert!(answer.is_ok(), "{}", answer.response.text());
                }
            });
        }
    });
    audited.until("SELECT count(*) FROM mcp.audit_log WHERE tool = 'query_table'", 1000);
    audited.written();
    let like = format!(
        "SELECT count(*) FROM mcp.audit_log WHERE source = 'http' AND key_name = 'Thousand' AND user_id = '{TENANT_A}' AND role = 'authenticated' \
         AND login = 'fluxbase_listener' AND method = 'tools/call' AND tool = 'query_table' AND object = 'public.users' AND outcome = 'ok' AND status = 200 \
         AND rows IS NOT NULL AND duration_ms > 0 AND at <= logged_at AND address << '127.77.0.0/16' AND code IS NULL AND arguments IS NULL"
    );
    assert_eq!(audited.number(&like), 1000);
    assert_eq!(
        audited.number("SELECT count(DISTINCT address) FROM mcp.audit_log WHERE tool = 'query_table'"),
        16
    );
    audited.is_whole();
}

/// Proves that what is refused is there: unknown, revoked and malformed keys, limits, hosts, with the client's address, counted in full and
/// written in few rows.
#[test]
fn refused_requests_are_counted() {
    let mut audited = Audited::start("");
    let listener = audited.listener(&[]);
    let post = |address, headers: &[(&str, &str)]| {
        Http::connect_from(address, listener.address).expect("connected").post(headers, PING).status
    };
    let mut revoked = audited.key("Revoked");
    audited.admin.batch_execute("SELECT mcp.revoke_key('client', 'Revoked')").expect("revoked");
    let here = fresh_address();
    assert_eq!(post(here, &[JSON, revoked.pair()]), 401);
    assert_eq!(post(here, &[JSON]), 401);
    assert_eq!(post(here, &[JSON, ("X-Client-Key", "nonsense")]), 401);
    assert_eq!(post(here, &[JSON, ("Origin", "https://evil.example")]), 403);
    let of = |what: &str, address| {
        format!(
            "SELECT coalesce(sum(times), 0) FROM mcp.audit_log WHERE note = '{what}' AND address = '{address}'"
        )
    };
    audited.until(&of("revoked key", here), 1);
    audited.until(&of("no key, or a malformed one", here), 2);
    audited.until(&of("host or origin not allowed", here), 1);
    // The revoked one is known by name; what was no key is not repeated anywhere.
    assert_eq!(
        audited.number(
            "SELECT count(*) FROM mcp.audit_failed_keys WHERE key_name = 'Revoked' AND reason = 'revoked key'"
        ),
        1
    );
    assert_eq!(audited.number("SELECT count(*) FROM mcp.audit_log AS l WHERE l::text ~ 'nonsense'"), 0);
    // A flood from one address: twenty reach Postgres, and all are counted.
    let there = fresh_address();
    revoked.plain =
        fluxbase_credential::Key::generate(fluxbase_credential::Kind::Client).expect("random").reveal();
    let headers = [JSON, ("X-Client-Key", revoked.plain.as_str())];
    for n in 0..200 {
        assert_eq!(post(there, &headers), if n < 20 { 401 } else { 429 }, "{n}");
    }
    let all = format!("SELECT coalesce(sum(times), 0) FROM mcp.audit_log WHERE address = '{there}'");
    audited.until(&all, 200);
    let rows = audited.number(&format!("SELECT count(*) FROM mcp.audit_log WHERE address = '{there}'"));
    assert!(rows < 40, "{rows} rows for 200 requests");
    assert_eq!(
        audited.number(&format!("SELECT sum(times)::int8 FROM mcp.audit_failed_keys WHERE address = '{there}' AND reason = 'unknown key'")),
        20
    );
    // A key's own limit.
    let slow = audited.database.client_key(&["--name", "Slow", "--scopes", "read:tables"]);
    audited
        .admin
        .batch_execute("UPDATE mcp.keys SET rate_limit_per_min = 1 WHERE name = 'Slow'")
        .expect("limited");
    let address = fresh_address();
    let statuses: Vec<u16> = (0..8).map(|_| post(address, &[JSON, slow.pair()])).collect();
    let limited = statuses.iter().filter(|&&status| status == 429).count() as i64;
    assert!(limited >= 5, "{statuses:?}");
    audited.until(
        "SELECT coalesce(sum(times), 0)::int8 FROM mcp.audit_rate_limits WHERE key_name = 'Slow'",
        limited,
    );
    audited.is_whole();
}

/// Proves that a call whose process is ended from outside leaves its record.
#[test]
fn a_call_that_is_ended_from_outside_is_recorded() {
    let mut audited = Audited::start("");
    audited
        .admin
        .batch_execute("CREATE VIEW public.nap AS SELECT pg_sleep(600)::text AS nap; GRANT SELECT ON public.nap TO authenticated")
        .expect("a slow view");
    let key = audited.key("Napper");
    let url = audited.database.listener_url.clone();
    for (how, code) in [("pg_cancel_backend", "57014"), ("pg_terminate_backend", "57P01")] {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                let mut client = connect(&url).expect("connected");
                let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                    "params": { "name": "query_table", "arguments": { "table": "nap" } } });
                let values: [&(dyn postgres::types::ToSql + Sync); 2] =
                    [&request.to_string(), &key.credential()];
                client.query("SELECT mcp._serve($1, $2, '{\"http\":true}')", &values).map(drop)
            });
            eventually(LONG, "it sleeps", || {
                let sql = format!(
                    "SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename = 'fluxbase_listener'"
                );
                audited.admin.query_opt(&sql, &[]).expect("asked")
            });
            call.join().expect("no panic").expect_err("it was ended");
        });
        let sql = format!(
            "SELECT count(*) FROM mcp.audit_log WHERE key_name = 'Napper' AND tool = 'query_table' AND object = 'public.nap' AND outcome = 'aborted' AND code = '{code}'"
        );
        audited.until(&sql, 1);
    }
}

/// Proves that the writer's end stops nobody, that another one takes over, and that no record is missing or doubled; also when it is killed and the
/// whole server starts anew.
#[test]
fn the_writer_may_end() {
    let mut audited = Audited::start("");
    let listener = audited.listener(&[("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")]);
    let key = audited.key("Steady");
    let mut client = listener.client(&key);
    let mut calls = 0;
    let mut call = |number: i64| {
        for _ in 0..number {
            assert!(client.call("query_table", json!({ "table": "users" })).is_ok());
            calls += 1;
        }
        calls
    };
    let count = "SELECT count(*) FROM mcp.audit_log WHERE tool = 'query_table' AND outcome = 'ok'";
    let mut before = 0;
    for _ in 0..3 {
        let made = call(50);
        let writer = audited.writer();
        assert_ne!(writer, before);
        before = writer;
        audited.admin.query("SELECT pg_terminate_backend($1)", &[&writer]).expect("told");
        let made = made.max(call(50));
        eventually(LONG, "that one is gone", || {
            let sql = "SELECT 1 FROM pg_stat_activity WHERE pid = $1";
            audited.admin.query_opt(sql, &[&writer]).expect("asked").is_none().then_some(())
        });
        // The next call brings the next one.
        let made = made.max(call(1));
        audited.until(count, made);
    }
    audited.written();
    let writer = audited.writer();
    let made = call(1);
    audited.until(count, made);
    fluxbase_tests::cluster::run(std::process::Command::new("kill").args(["-9", &writer.to_string()]));
    eventually(LONG, "the server has begun anew", || {
        audited
            .admin
            .is_closed()
            .then_some(())
            .or_else(|| audited.admin.simple_query("SELECT 1").err().map(drop))
    });
    audited.again();
    let mut client = listener.client(&key);
    eventually(LONG, "calls go on", || {
        client.call("query_table", json!({ "table": "users" })).is_ok().then_some(())
    });
    audited.until(count, made + 1);
    audited.is_whole();
}

/// Proves that a shutdown under traffic loses no record of a call that was answered.
#[test]
fn a_restart_loses_nothing() {
    let mut audited = Audited::start("");
    let listener = audited.listener(&[("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")]);
    let key = audited.key("Busy");
    let (stop, sent, answered) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (listener, key, stop, sent, answered) = (&listener, &key, &stop, &sent, &answered);
            scope.spawn(move || {
                let mut client = listener.client(key);
                while !stop.load(Ordering::Relaxed) {
                    sent.fetch_add(1, Ordering::Relaxed);
                    if client.call("query_table", json!({ "table": "users" })).is_ok() {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        eventually(LONG, "there is traffic", || (answered.load(Ordering::Relaxed) > 100).then_some(()));
        audited.cluster.stop("fast");
        stop.store(true, Ordering::Relaxed);
    });
    audited.cluster.start_again();
    audited.again();
    let recorded =
        audited.number("SELECT count(*) FROM mcp.audit_log WHERE tool = 'query_table' AND outcome = 'ok'");
    let (sent, answered) = (i64::from(sent.into_inner()), i64::from(answered.into_inner()));
    assert!((answered..=sent).contains(&recorded), "{recorded} recorded, {answered} answered, {sent} sent");
    audited.is_whole();
}

/// Proves that records that find no room are counted, and with `strict` no call is made without one.
#[test]
fn records_without_room_are_counted_or_refused() {
    let mut audited = Audited::start("");
    audited.set("mcp.audit_arguments", "on");
    let listener = audited.listener(&[("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")]);
    let key = audited.key("Full");
    let long = json!({ "table": "users", "filter": { "email": format!("eq.{}", "x".repeat(6000)) } });
    let mut client = listener.client(&key);
    assert!(client.call("query_table", long.clone()).is_ok());
    let count = "SELECT count(*) FROM mcp.audit_log WHERE tool = 'query_table' AND length(arguments) BETWEEN 3990 AND 4000";
    audited.until(count, 1);

    let mut blocker = audited.database.admin();
    blocker.batch_execute("BEGIN; LOCK TABLE mcp.audit_seals").expect("locked");
    for _ in 0..200 {
        assert!(client.call("query_table", long.clone()).is_ok());
    }
    blocker.batch_execute("ROLLBACK").expect("free");
    audited.written();
    let lost = audited.number("SELECT sum(times) FROM mcp.audit_log WHERE outcome = 'lost'");
    let kept = audited.number(count);
    assert!(lost > 0, "there was room for all");
    assert_eq!(lost + kept, 201);

    audited.set("mcp.audit", "strict");
    let mut client = listener.client(&key);
    blocker.batch_execute("BEGIN; LOCK TABLE mcp.audit_seals").expect("locked");
    let mut made = kept;
    let refused = loop {
        let answer = client.call("query_table", long.clone());
        if !answer.is_ok() {
            break answer;
        }
        made += 1;
        assert!(made < kept + 200, "there is no end of room");
    };
    assert_eq!(refused.status(), 503, "{}", refused.response.text());
    assert!(refused.response.text().contains("mcp.audit = strict"), "{}", refused.response.text());
    blocker.batch_execute("ROLLBACK").expect("free");
    eventually(LONG, "calls are made again", || {
        client.call("query_table", long.clone()).is_ok().then_some(())
    });
    audited.until(count, made + 1);
    assert_eq!(audited.number("SELECT sum(times) FROM mcp.audit_log WHERE outcome = 'lost'"), lost);
    audited.is_whole();
}

/// Proves that a standby, which cannot write, says its records to the log of its server, and that the table is not in anybody's way.
#[test]
fn a_standby_writes_to_its_log() {
    let mut audited = Audited::start("");
    let key = audited.key("Reader");
    let standby = audited.cluster.standby("");
    let mut there = eventually(LONG, "the key is there", || {
        let mut there = connect(&standby.admin_url("app")).ok()?;
        let row = there.query_opt("SELECT 1 FROM mcp.keys WHERE name = 'Reader'", &[]).ok()?;
        row.map(|_| there)
    });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "query_table", "arguments": { "table": "users", "filter": { "email": "eq.hidden-value" } } } });
    let values: [&(dyn postgres::types::ToSql + Sync); 2] = [&request.to_string(), &key.credential()];
    there
        .query("SELECT mcp._serve($1, $2, '{\"http\":true,\"address\":\"192.0.2.77\"}')", &values)
        .expect("answered");
    let line = eventually(LONG, "a line in the log", || {
        standby.log().lines().find(|line| line.contains("fluxbase_mcp_ext audit: {")).map(str::to_owned)
    });
    let record: serde_json::Value =
        serde_json::from_str(line.split_once("audit: ").expect("a record").1).expect("JSON");
    assert_eq!(
        (&record["address"], &record["tool"], &record["object"], &record["outcome"]),
        (&json!("192.0.2.77"), &json!("query_table"), &json!("public.users"), &json!("ok"))
    );
    assert!(!line.contains("hidden-value"), "{line}");
    let state: String = there.query_one("SELECT state FROM mcp.audit_status()", &[]).expect("asked").get(0);
    assert_eq!(state, "server log");
    // A database with an audit can be dropped while its writer is there.
    drop(there);
    drop(standby);
    audited.writer_of_another_database_gives_way();
}

impl Audited {
    fn writer_of_another_database_gives_way(&mut self) {
        let second = Database::create_second(&self.cluster);
        let mut admin = second.admin();
        admin.batch_execute("SELECT mcp.install('{audit}')").expect("installed");
        let ping = "SELECT mcp.handle('{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}'::jsonb)::text";
        eventually(LONG, "it is written", || {
            admin.query_one(ping, &[]).expect("answered");
            admin.query_opt("SELECT 1 FROM mcp.audit_log LIMIT 1", &[]).expect("asked")
        });
        drop(admin);
        eventually(LONG, "the database can be dropped", || {
            self.admin.batch_execute("DROP DATABASE second").ok()
        });
    }
}
