//! A listener with a primary and a real hot standby.
//!
//! The view `here` and what is registered below tell on which of the two a call ran. Replay on the standby is paused where a
//! test needs it to be behind. Tests that stop, freeze or promote a server have servers of their own.

use std::process::Command;

use super::*;
use fluxbase_tests::cluster::connect;

const FIXTURE: &str = r#"
CREATE VIEW public.here AS SELECT pg_is_in_recovery() AS standby, inet_server_port() AS port;
CREATE UNLOGGED TABLE public.unlogged (id int PRIMARY KEY);
INSERT INTO public.unlogged VALUES (1);
CREATE FUNCTION public.where_read(args jsonb) RETURNS text LANGUAGE sql STABLE AS 'SELECT pg_is_in_recovery()::text';
CREATE FUNCTION public.where_write(args jsonb) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT pg_is_in_recovery()::text';
CREATE FUNCTION public.where_resource(uri text) RETURNS text LANGUAGE sql STABLE AS 'SELECT pg_is_in_recovery()::text';
CREATE FUNCTION public.where_prompt(args jsonb) RETURNS text LANGUAGE sql STABLE AS 'SELECT pg_is_in_recovery()::text';
CREATE FUNCTION public.locks(args jsonb) RETURNS text LANGUAGE sql STABLE AS 'SELECT pg_advisory_lock(4711); SELECT pg_is_in_recovery()::text';
CREATE FUNCTION public.temporary(args jsonb) RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN CREATE TEMP TABLE x (i int); RETURN pg_is_in_recovery(); END';
CREATE FUNCTION public.takes_an_id(args jsonb) RETURNS text LANGUAGE sql STABLE AS $$SELECT (pg_current_xact_id() > '0')::text || pg_is_in_recovery()$$;
GRANT SELECT ON public.here, public.unlogged TO authenticated;
GRANT EXECUTE ON FUNCTION public.where_read, public.where_write, public.where_resource, public.where_prompt, public.locks, public.temporary,
    public.takes_an_id TO authenticated;
SELECT mcp.register_tool(name, ('public.' || name || '(jsonb)')::regprocedure, 'Tells.', scopes => '{read:tables}')
  FROM unnest('{where_read,where_write,locks,takes_an_id}'::text[]) AS name;
SELECT mcp.register_tool('temporary', 'public.temporary(jsonb)', 'Tells.', scopes => '{read:tables}', annotations => '{"readOnlyHint": true}');
SELECT mcp.register_resource('test://where', 'public.where_resource(text)', 'where', 'Tells.', scopes => '{read:tables}');
SELECT mcp.register_prompt('where', 'public.where_prompt(jsonb)', 'Tells.', scopes => '{read:tables}');
"#;

/// A primary and its standby.
struct Pair {
    primary: Cluster,
    standby: Cluster,
    database: Database,
}

impl Pair {
    fn start() -> Pair {
        let primary = Cluster::start("");
        let database = Database::create(&primary, "app");
        database.admin().batch_execute(FIXTURE).unwrap_or_else(|error| panic!("{error}"));
        let standby = primary.standby("max_standby_streaming_delay = 100ms");
        Pair { primary, standby, database }
    }

    /// The one that tests share which leave both servers running.
    fn shared() -> &'static Pair {
        static PAIR: std::sync::OnceLock<Pair> = std::sync::OnceLock::new();
        PAIR.get_or_init(Pair::start)
    }

    /// A listener of both, once reads go to the standby. The URL of the standby has neither user nor password.
    fn listener(&self, environment: &[(&str, &str)]) -> Listener {
        let url = format!("postgres://127.0.0.1:{}", self.standby.port());
        let mut all = vec![("FLUXBASE_LISTENER_REPLICA_URLS", url.as_str())];
        all.extend(environment);
        let listener = Listener::start(&self.primary, &self.database.listener_url, &all);
        let key = self.key("first look");
        let mut client = listener.client(&key);
        eventually(Duration::from_secs(20), "reads go to the standby", || {
            on_standby(&mut client).then_some(())
        });
        listener
    }

    fn key(&self, name: &str) -> Key {
        self.database.tenant_key(name, TENANT_A)
    }

    /// A client of a key that the standby knows, too.
    fn reader(&self, listener: &Listener, name: &str) -> Client {
        let mut client = listener.client(&self.key(name));
        eventually(Duration::from_secs(10), "the key is replayed", || on_standby(&mut client).then_some(()));
        client
    }

    fn standby_admin(&self) -> postgres::Client {
        self.standby.admin(&self.database.name)
    }

    /// What the standby has been asked by a listener, by its log.
    fn asked_of_standby(&self, listener: &Listener) -> usize {
        let mark = format!(" {} ", listener.application());
        self.standby
            .log()
            .lines()
            .filter(|line| line.contains(&mark) && line.contains("fastpath function call: \"_serve\""))
            .count()
    }
}

/// Whether a read runs on the standby now.
fn on_standby(client: &mut Client) -> bool {
    client.rows(json!({ "table": "here" }))[0]["standby"] == json!(true)
}

fn title(title: &str) -> Value {
    json!({ "table": "notes", "data": { "title": title } })
}

fn find(client: &mut Client, title: &str) -> usize {
    client.rows(json!({ "table": "notes", "filter": { "title": { "eq": title } } })).len()
}

/// Proves where calls run: whatever reads on the standby, whatever may write on the primary, built in and registered; and that a
/// tool that writes is offered to the standby once only.
#[test]
fn reads_run_on_the_standby_and_writes_on_the_primary() {
    let pair = Pair::shared();
    let listener = pair.listener(&[]);
    let mut client = pair.reader(&listener, "reader");
    for _ in 0..10 {
        assert!(on_standby(&mut client));
    }
    assert_eq!(client.call("where_read", json!({})).text(), "true");
    let resource = client.request("resources/read", json!({ "uri": "test://where" })).json();
    assert_eq!(resource["result"]["contents"][0]["text"], "true", "{resource}");
    let prompt = client.request("prompts/get", json!({ "name": "where" })).json();
    assert_eq!(prompt["result"]["messages"][0]["content"]["text"], "true", "{prompt}");
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list", "ping"] {
        let before = pair.asked_of_standby(&listener);
        assert_eq!(client.request(method, json!({})).status, 200, "{method}");
        eventually(Duration::from_secs(5), "it ran on the standby", || {
            (pair.asked_of_standby(&listener) > before).then_some(())
        });
    }
    // Without the promise, since that alone keeps a key that wrote away from the standby.
    let mut reader = client;
    let listener = pair.listener(&[("FLUXBASE_LISTENER_READ_YOUR_WRITES", "false")]);
    let mut client = pair.reader(&listener, "writer");
    let before = pair.asked_of_standby(&listener);
    for n in 0..5 {
        assert!(client.call("insert_record", title(&format!("where {n}"))).is_ok());
    }
    assert_eq!(client.call("where_write", json!({})).text(), "false");
    assert_eq!(pair.asked_of_standby(&listener), before + 2, "each of the two tools was offered once");
    assert!(on_standby(&mut reader), "others still read on the standby");
}

/// Proves that a key sees what it wrote, at once and each time, and that its reads go back to the standby when that has it; with the
/// promise switched off, its very next read is the standby's.
#[test]
fn a_key_reads_what_it_wrote() {
    let pair = Pair::shared();
    let (listener, hasty) =
        (pair.listener(&[]), pair.listener(&[("FLUXBASE_LISTENER_READ_YOUR_WRITES", "false")]));
    let key = pair.key("reads its writes");
    let mut client = listener.client(&key);
    for n in 0..40 {
        let text = format!("mine {n}");
        assert!(client.call("insert_record", title(&text)).is_ok());
        assert_eq!(find(&mut client, &text), 1, "{text}");
    }
    eventually(Duration::from_secs(10), "reads go back to the standby", || {
        on_standby(&mut client).then_some(())
    });
    assert_eq!(find(&mut client, "mine 39"), 1, "which has it");
    let mut client = hasty.client(&key);
    assert!(client.call("insert_record", title("hasty")).is_ok());
    assert!(on_standby(&mut client));
}

/// Proves that errors come from the primary: what only it has (a table without WAL), what only it can do (a transaction id), and the
/// text of what fails are as without standbys. And that nothing stays on the standby's connection.
#[test]
fn what_fails_on_the_standby_is_asked_of_the_primary() {
    let pair = Pair::shared();
    let (listener, plain) =
        (pair.listener(&[]), Listener::start(&pair.primary, &pair.database.listener_url, &[]));
    let (mut client, mut direct) = (pair.reader(&listener, "errors"), plain.client(&pair.key("direct")));
    assert_eq!(client.rows(json!({ "table": "unlogged" })), [json!({ "id": 1 })]);
    assert_eq!(client.call("takes_an_id", json!({})).text(), "truefalse");
    for (tool, arguments) in [
        ("temporary", json!({})),
        ("query_table", json!({ "table": "nowhere" })),
        ("query_table", json!({ "table": "users", "filter": { "nothing": 1 } })),
        ("query_tabel", json!({})),
    ] {
        let (got, expected) =
            (client.call(tool, arguments.clone()).response, direct.call(tool, arguments).response);
        assert_eq!(
            (got.status, got.json()["result"].clone()),
            (expected.status, expected.json()["result"].clone()),
            "{tool}"
        );
        assert_eq!(got.json()["error"], expected.json()["error"], "{tool}");
    }
    assert!(on_standby(&mut client), "none of this may have written");
    assert_eq!(client.call("locks", json!({})).text(), "true", "advisory locks are taken on the standby");
    let locks: i64 = pair
        .standby_admin()
        .query_one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", &[])
        .expect("counted")
        .get(0);
    assert_eq!(locks, 0, "and not left there");
}

/// Proves that replay may end a statement on the standby, again and again, without its caller noticing: the locks of another
/// session conflict, until the primary is asked.
#[test]
fn a_statement_that_replay_cancels_is_answered_by_the_primary() {
    let pair = Pair::shared();
    let listener = pair.listener(&[]);
    let mut client = pair.reader(&listener, "conflict");
    client.send("tools/call", slow(2));
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    let runs = |admin: &mut postgres::Client| -> i64 {
        admin.query_one(sleeping, &[&listener.application()]).expect("counted").get(0)
    };
    let (mut standby, mut primary) = (pair.standby_admin(), pair.database.admin());
    eventually(Duration::from_secs(10), "it runs on the standby", || (runs(&mut standby) == 1).then_some(()));
    eventually(Duration::from_secs(20), "it runs on the primary", || {
        // Refused when the statement is on the primary already.
        let _ = primary.batch_execute("SET lock_timeout = '50ms'; BEGIN; LOCK TABLE public.pauses; COMMIT");
        primary.batch_execute("ROLLBACK").expect("ended");
        (runs(&mut primary) == 1).then_some(())
    });
    let response = client.http().receive();
    assert_eq!(
        (response.status, response.json()["result"]["isError"].clone()),
        (200, json!(false)),
        "{}",
        response.text()
    );
    assert!(pair.standby.log().contains("due to conflict with recovery"), "replay had to cancel it");
}

/// Proves the limits of a key with a standby, as documented: a writing call counts once, though the standby was asked as well; on
/// each of the two servers a key has its whole limit, and no more.
#[test]
fn requests_count_where_they_run() {
    let pair = Pair::shared();
    let listener = pair.listener(&[("FLUXBASE_LISTENER_READ_YOUR_WRITES", "false")]);
    let scopes = "read:tables,write:tables";
    let key = pair.database.client_key(&["--name", "limited", "--scopes", scopes, "--rate-limit", "5"]);
    let mut standby = pair.standby_admin();
    eventually(Duration::from_secs(10), "the key is replayed", || {
        let known = standby.query("SELECT FROM mcp.keys WHERE key_id = $1", &[&key.id]).expect("read");
        (!known.is_empty()).then_some(())
    });
    let mut client = listener.client(&key);
    let before = pair.asked_of_standby(&listener);
    for tool in ["insert_record", "update_record", "delete_record", "write_batch", "where_write"] {
        assert_eq!(client.call(tool, json!({})).status(), 200, "{tool}");
    }
    assert_eq!(pair.asked_of_standby(&listener), before + 5, "the standby was asked first");
    assert_eq!(client.call("insert_record", json!({})).status(), 429);
    let served = (0..10).filter(|_| client.request("ping", json!({})).status == 200).count();
    // The window slides: while this runs, a little of it may become free.
    assert!((5..=6).contains(&served), "{served} reads were served");
}

/// Proves what lag does: a standby that is further behind than `replica_max_lag` is left alone until it has caught up; until then
/// new keys, new tables and a key's own rows are there all the same, and a revoked key reads on, but cannot write.
#[test]
fn a_standby_that_is_behind() {
    let pair = Pair::start();
    let patient = pair.listener(&[("FLUXBASE_LISTENER_REPLICA_MAX_LAG", "1h")]);
    let strict = pair.listener(&[("FLUXBASE_LISTENER_REPLICA_MAX_LAG", "1s")]);
    let (key, other, ended) = (pair.key("behind"), pair.key("other"), pair.key("ended"));
    let mut other_client = patient.client(&other);
    eventually(Duration::from_secs(10), "the keys are replayed", || {
        let mut all = [&key, &other, &ended].map(|key| patient.client(key));
        all.iter_mut().all(on_standby).then_some(())
    });
    pair.standby_admin().batch_execute("SELECT pg_wal_replay_pause()").expect("paused");
    let mut client = patient.client(&key);
    assert!(client.call("insert_record", title("behind")).is_ok());
    assert_eq!(find(&mut client, "behind"), 1, "a key's own rows");
    assert_eq!(
        (find(&mut other_client, "behind"), on_standby(&mut other_client)),
        (0, true),
        "others read the past"
    );
    let new = pair.key("new");
    assert_eq!(patient.client(&new).request("tools/list", json!({})).status, 200, "a new key");
    pair.database
        .admin()
        .batch_execute("CREATE TABLE public.fresh (id int); GRANT SELECT ON public.fresh TO authenticated")
        .expect("made");
    assert!(other_client.call("query_table", json!({ "table": "fresh" })).is_ok(), "a new table");
    pair.database.admin().execute("SELECT mcp.revoke_key('client', $1)", &[&ended.id]).expect("revoked");
    let mut ended_client = patient.client(&ended);
    assert!(on_standby(&mut ended_client), "the standby does not know yet");
    assert_eq!(ended_client.call("insert_record", title("ended")).status(), 401, "the primary does");
    let mut strict_client = strict.client(&other);
    eventually(Duration::from_secs(10), "the strict listener leaves it alone", || {
        (!on_standby(&mut strict_client)).then_some(())
    });
    assert_eq!(strict.client(&ended).request("ping", json!({})).status, 401, "so the key is refused there");
    assert_eq!(find(&mut strict_client, "behind"), 1);
    pair.standby_admin().batch_execute("SELECT pg_wal_replay_resume()").expect("resumed");
    eventually(Duration::from_secs(10), "the standby is used again", || {
        on_standby(&mut strict_client).then_some(())
    });
    eventually(Duration::from_secs(10), "the revoked key is refused", || {
        (ended_client.request("ping", json!({})).status == 401).then_some(())
    });
    pair.standby_admin().batch_execute("ALTER SYSTEM SET mcp.enabled = off").expect("set");
    pair.standby_admin().execute("SELECT pg_reload_conf()", &[]).expect("reloaded");
    eventually(Duration::from_secs(10), "a standby that is switched off is spared", || {
        (!on_standby(&mut other_client)).then_some(())
    });
    assert!(strict.log().contains("further behind than replica_max_lag"), "{}", strict.log());
}

/// Proves that a standby that cannot serve at all, here for a setting that hot standbys refuse, costs no error; and that the URL of a
/// standby can carry the setting that helps.
#[test]
fn a_standby_that_refuses_every_call() {
    let pair = Pair::shared();
    let level = |level: &str| {
        format!(
            "postgres://127.0.0.1:{}?options=-c%20default_transaction_isolation={level}",
            pair.standby.port()
        )
    };
    let start = |url: &str| {
        Listener::start(
            &pair.primary,
            &pair.database.listener_url,
            &[("FLUXBASE_LISTENER_REPLICA_URLS", url)],
        )
    };
    let (broken, mended) = (start(&level("serializable")), start(&level("repeatable%5C%20read")));
    pair.reader(&mended, "repeatable read");
    let mut client = broken.client(&pair.key("serializable"));
    eventually(Duration::from_secs(10), "the standby is tried", || {
        assert!(!on_standby(&mut client));
        broken.log().contains("serializable mode").then_some(())
    });
}

/// Reads with several keys, which never wrote, while `during` runs. Every answer must be a good one.
fn under_load(pair: &Pair, listener: &Listener, during: impl FnOnce(&AtomicU32)) {
    let (stop, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    let keys: Vec<Key> = (0..4).map(|n| pair.key(&format!("load {n}"))).collect();
    std::thread::scope(|scope| {
        for key in &keys {
            let (stop, answered) = (&stop, &answered);
            scope.spawn(move || {
                let mut client = listener.client(key);
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    let (table, id) = if n % 20 == 0 { ("slow", 0) } else { ("pauses", 1) };
                    let answer =
                        client.call("query_table", json!({ "table": table, "filter": { "id": id } }));
                    assert!(answer.is_ok(), "{} {}", answer.status(), answer.response.text());
                    answered.fetch_add(1, Ordering::Relaxed);
                    n += 1;
                }
            });
        }
        let _ended = Ended(&stop);
        during(&answered);
    });
}

fn more_answers(answered: &AtomicU32) {
    let before = answered.load(Ordering::Relaxed);
    eventually(Duration::from_secs(30), "reads go on", || {
        (answered.load(Ordering::Relaxed) > before + 40).then_some(())
    });
}

/// Proves that a standby that stops, crashes, comes back, or hangs, and a primary that is away costs no reader an error; and that
/// writes are then told that the primary is away.
#[test]
fn either_server_may_go_away() {
    let pair = Pair::start();
    let listener = pair.listener(&[("FLUXBASE_LISTENER_REPLICA_MAX_LAG", "10s")]);
    let looker = pair.key("looker");
    let mut client = listener.client(&looker);
    let mut back =
        |what: &str| eventually(Duration::from_secs(20), what, || on_standby(&mut client).then_some(()));
    under_load(&pair, &listener, |answered| {
        for mode in ["fast", "immediate"] {
            more_answers(answered);
            pair.standby.stop(mode);
            more_answers(answered);
            pair.standby.start_again();
            back("the standby is used again");
        }
        let frozen = Frozen::new(&pair.standby);
        std::thread::sleep(Duration::from_secs(1));
        more_answers(answered);
        drop(frozen);
        back("the standby has thawed");
        // What still runs on the primary, a tenth of a second at most, would be lost with it.
        std::thread::sleep(Duration::from_secs(1));
        pair.primary.stop("fast");
        more_answers(answered);
        assert_eq!(listener.client(&looker).call("insert_record", title("away")).status(), 503);
    });
    pair.primary.start_again();
    eventually(Duration::from_secs(20), "writes work again", || {
        listener.client(&looker).call("insert_record", title("away")).is_ok().then_some(())
    });
}

/// A server that does not answer, but whose sockets are open.
struct Frozen(Vec<String>);

impl Frozen {
    fn new(cluster: &Cluster) -> Frozen {
        let pid = cluster.pid().to_string();
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &pid]).output().expect("ps runs");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let mut all = vec![pid];
        all.extend(children.split_whitespace().map(str::to_owned));
        let frozen = Frozen(all);
        frozen.send("-STOP");
        frozen
    }

    fn send(&self, signal: &str) {
        // One that has ended meanwhile is no matter.
        let _ = Command::new("kill").arg(signal).args(&self.0).stderr(std::process::Stdio::null()).status();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.send("-CONT");
    }
}

/// Proves that a standby that is promoted gets neither reads nor writes from then on, without an error: its backends live on
/// and could write.
#[test]
fn a_promoted_standby_is_left_alone() {
    let pair = Pair::start();
    let listener = pair.listener(&[]);
    let mut client = pair.reader(&listener, "writes");
    under_load(&pair, &listener, |answered| {
        more_answers(answered);
        pair.standby.promote();
        assert_eq!(
            client.rows(json!({ "table": "here" }))[0]["port"],
            json!(pair.primary.port()),
            "not even the first read"
        );
        for n in 0..10 {
            assert!(client.call("insert_record", title(&format!("after {n}"))).is_ok());
        }
        more_answers(answered);
        assert_eq!(client.rows(json!({ "table": "here" }))[0]["port"], json!(pair.primary.port()));
    });
    let count = |url: &str| -> i64 {
        connect(url)
            .expect("connected")
            .query_one("SELECT count(*) FROM public.notes WHERE title LIKE 'after %'", &[])
            .expect("counted")
            .get(0)
    };
    assert_eq!((count(&pair.database.admin_url), count(&pair.standby.admin_url("app"))), (10, 0));
    assert!(listener.log().contains("no hot standby"), "{}", listener.log());
}

/// Proves that a standby of some other server is found out.
#[test]
fn a_standby_of_another_server_is_not_asked() {
    let (pair, stranger) = (Pair::shared(), Cluster::start(""));
    let database = Database::create(&stranger, "app");
    let standby = stranger.standby("");
    let url =
        pair.database.listener_url.replace(&pair.primary.port().to_string(), &standby.port().to_string());
    let listener = Listener::start(
        &pair.primary,
        &pair.database.listener_url,
        &[("FLUXBASE_LISTENER_REPLICA_URLS", &url)],
    );
    let password = &pair.database.listener_password;
    database
        .admin()
        .batch_execute(&format!("ALTER ROLE fluxbase_listener PASSWORD '{password}'"))
        .expect("changed");
    let mut client = listener.client(&pair.key("stranger"));
    eventually(Duration::from_secs(10), "it is found out", || {
        listener.log().contains("follows another server").then_some(())
    });
    assert_eq!(client.rows(json!({ "table": "here" }))[0]["port"], json!(pair.primary.port()));
}

/// Proves that a stream of a listener that has only a hot standby is told what changed on the primary, once that is replayed, that it ends with its
/// key, and that nothing is told of what the key cannot see.
#[test]
fn a_stream_on_a_standby_is_told_of_changes_of_the_primary() {
    let pair = Pair::start();
    let key =
        pair.database.client_key(&["--name", "streams", "--user", TENANT_A, "--scopes", "read:vectors"]);
    let url = pair
        .database
        .listener_url
        .replace(&format!(":{}/", pair.primary.port()), &format!(":{}/", pair.standby.port()));
    let listener = Listener::start(&pair.standby, &url, &[]);
    let mut client = listener.client(&key);
    eventually(Duration::from_secs(10), "the key is replayed", || {
        (client.request("tools/list", json!({})).status == 200).then_some(())
    });
    let mut stream = subscriptions::listen(
        &listener,
        &key,
        "standby",
        json!({ "toolsListChanged": true, "resourcesListChanged": true }),
    );
    let mut admin = pair.database.admin();
    admin
        .batch_execute(
            "SELECT mcp.register_tool('hidden_there', 'public.where_read(jsonb)', 'Not for it.', scopes => '{execute:jobs}');
             SELECT mcp.register_resource('test://there', 'public.where_resource(text)', 'there', 'Tells.', scopes => '{read:vectors}')",
        )
        .expect("registered");
    assert_eq!(
        subscriptions::method(&mut stream),
        "notifications/resources/list_changed",
        "and not of the tool"
    );
    admin
        .batch_execute("SELECT mcp.register_tool('seen_there', 'public.where_read(jsonb)', 'Tells.', scopes => '{read:vectors}')")
        .expect("registered");
    assert_eq!(subscriptions::method(&mut stream), "notifications/tools/list_changed");
    admin.execute("SELECT mcp.revoke_key('client', 'streams')", &[]).expect("revoked");
    let last = stream.next_event(subscriptions::SOON).expect("it is told that the key has ended");
    assert_eq!(last["error"]["code"], -32005);
    assert_eq!(stream.next_event(subscriptions::SOON), None, "and the stream ends");
}
