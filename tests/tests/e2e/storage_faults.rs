//! Stored files while processes are killed (SIGKILL) at each step of an upload, a replacement and a delete; in a directory and on a real S3
//! server. A process of Postgres that is killed takes all others with it, and Postgres recovers.
//!
//! What holds at each step: what was acknowledged is there, byte for byte; a file is its old or its new self, never a part; and after the sweep
//! the store holds the versions that rows name, and nothing else.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use fluxbase_tests::cluster::{Cluster, run};
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::mcp::Client;
use fluxbase_tests::settings::settings;
use serde_json::{Value, json};

use crate::storage::s3::{self, S3};

/// Bytes of a file: so many that its way can be watched.
const SIZE: usize = 6 << 20;

const PATIENCE: Duration = Duration::from_secs(60);

struct Stage {
    listener: Listener,
    key: Key,
    database: Database,
    cluster: Cluster,
    /// Where files are stored, if not below the data directory; its runtime goes last.
    s3: Option<(S3, tokio::runtime::Runtime)>,
}

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Worker,
    Backend,
}

fn signal(pid: &str, name: &str) {
    _ = Command::new("kill").args(["-s", name, pid]).status().expect("kill runs");
}

fn content(seed: u8) -> String {
    (0..SIZE).map(|at| char::from(b'a' + ((at / 7 + usize::from(seed)) % 26) as u8)).collect()
}

impl Stage {
    /// In a directory.
    fn begin() -> Stage {
        Stage::begin_at(None)
    }

    /// On an S3 server that can be watched while it receives.
    fn begin_on_s3() -> Stage {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let server = runtime.block_on(S3::start());
        server.be_slow();
        Stage::begin_at(Some((server, runtime)))
    }

    fn begin_at(s3: Option<(S3, tokio::runtime::Runtime)>) -> Stage {
        let cluster = Cluster::start("max_connections = 40");
        if let Some((server, _)) = &s3 {
            let file = cluster.folder().join("s3.credentials");
            let text = format!(
                "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                s3::KEY_ID,
                s3::SECRET
            );
            cluster.write("s3.credentials", &text);
            run(settings().as_user("chmod").arg("0600").arg(&file));
            let mut admin = cluster.admin("postgres");
            for sql in [
                format!("ALTER SYSTEM SET mcp.storage_url = '{}'", server.url()),
                format!("ALTER SYSTEM SET mcp.storage_credentials_file = '{}'", file.display()),
                "SELECT pg_reload_conf()".to_owned(),
            ] {
                admin.batch_execute(&sql).expect("set");
            }
        }
        let database = Database::create(&cluster, "app");
        database
            .admin()
            .batch_execute(
                "DROP SCHEMA IF EXISTS storage CASCADE;
                 SELECT mcp.install('{storage}');
                 INSERT INTO storage.buckets (id, name, roles) VALUES ('uploads', 'uploads', '{authenticated}')",
            )
            .expect("the tables can be made");
        let listener =
            Listener::start(&cluster, &database.listener_url, &[("FLUXBASE_LISTENER_POOL_SIZE", "2")]);
        let key = database.client_key(&[
            "--name",
            "ann",
            "--user",
            "ann",
            "--scopes",
            "read:storage,write:storage",
        ]);
        let stage = Stage { listener, key, database, cluster, s3 };
        if stage.s3.is_some() {
            eventually(PATIENCE, "the worker uses the server", || {
                let place =
                    stage.value("SELECT storage FROM mcp.worker_status() WHERE storage_error IS NULL");
                place.starts_with("s3://").then_some(())
            });
        }
        assert_eq!(stage.upload(&mut stage.client(), "first", &content(0)), Some(true));
        stage
    }

    fn client(&self) -> Client {
        self.listener.client(&self.key)
    }

    /// One value in a connection of its own; waits for a server that recovers.
    fn value(&self, sql: &str) -> String {
        eventually(PATIENCE, sql, || {
            let mut admin = fluxbase_tests::cluster::connect(&self.database.admin_url).ok()?;
            let row = admin.query_one(sql, &[]).ok()?;
            Some(row.get::<_, Option<String>>(0).unwrap_or_default())
        })
    }

    fn worker(&self) -> String {
        self.value("SELECT pid::text FROM mcp.worker_status() WHERE state = 'running'")
    }

    /// A backend of the listener's.
    fn backend(&self) -> String {
        self.value(
            "SELECT pid::text FROM pg_stat_activity WHERE usename = 'fluxbase_listener' AND backend_type = 'client backend'
                ORDER BY state <> 'active', pid LIMIT 1",
        )
    }

    /// Whose end all others follow. To be asked before anything is stopped.
    fn pid(&self, victim: Victim) -> String {
        match victim {
            Victim::Worker => self.worker(),
            Victim::Backend => self.backend(),
        }
    }

    /// Kills, and waits until Postgres is there again.
    fn kill(&self, pid: &str) {
        let before = self.cluster.log().matches("all server processes terminated").count();
        signal(pid, "KILL");
        eventually(PATIENCE, "the end of all processes", || {
            (self.cluster.log().matches("all server processes terminated").count() > before).then_some(())
        });
        self.worker();
    }

    /// Whether it was stored; `None` when nobody knows.
    fn upload(&self, client: &mut Client, key: &str, content: &str) -> Option<bool> {
        finished(client, "upload_object", json!({ "bucket": "uploads", "key": key, "content": content }))
    }

    /// The file as its user reads it, when it is there.
    fn read(&self, key: &str) -> Option<String> {
        let mut client = self.client();
        eventually(PATIENCE, "an answer of a listener whose server is back", || {
            let request =
                json!({ "name": "download_object", "arguments": { "bucket": "uploads", "key": key } });
            client.send("tools/call", request);
            let answer = match client.http().try_receive() {
                Ok(Some(answer)) if answer.status == 200 => answer.json(),
                Ok(Some(_)) => return None,
                _ => {
                    client = self.client();
                    return None;
                }
            };
            let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
            if answer["result"]["isError"] == json!(true) {
                assert!(text.contains("there is no object"), "{text}");
                return Some(None);
            }
            let object: Value = serde_json::from_str(&text).expect("an object");
            Some(object["content"].as_str().map(str::to_owned))
        })
    }

    /// Versions that rows name.
    fn rows(&self) -> BTreeSet<String> {
        let all = self.value("SELECT string_agg(replace(version::text, '-', ''), ' ') FROM storage.objects");
        all.split_whitespace().map(str::to_owned).collect()
    }

    /// Names of files in the store, unfinished ones included: those have a # in them.
    fn files(&self) -> BTreeSet<String> {
        let (mut files, mut folders) = (BTreeSet::new(), vec![self.store()]);
        if let Some((server, _)) = &self.s3 {
            let all = std::fs::read_dir(server.folder()).into_iter().flatten().flatten();
            let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
            files.extend(names.filter(|name| name.starts_with(".tmp.")).map(|name| format!("#{name}")));
        }
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    // What the worker tries its storage with.
                    Ok(_) if entry.file_name() == "probe" => {}
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    Ok(_) => _ = files.insert(entry.file_name().to_string_lossy().into_owned()),
                    Err(_) => {}
                }
            }
        }
        files
    }

    fn store(&self) -> PathBuf {
        if let Some((server, _)) = &self.s3 {
            return server.file("some/prefix");
        }
        self.cluster.folder().join("data/mcp_storage")
    }

    /// Waits until an S3 server has noticed that who sent a file is gone: it keeps nothing that is unfinished. A directory does. The server of the tests
    /// forgets a file of its own when the client vanishes while it is being made (s3s-fs 0.14.1, `prepare_file_write`: there is nobody yet to remove
    /// it), until it is started again; that one is removed here.
    fn settle(&self) {
        let Some((server, _)) = &self.s3 else { return };
        let until = Instant::now() + Duration::from_secs(10);
        let unfinished = || self.files().into_iter().filter(|name| name.contains('#')).collect::<Vec<_>>();
        while !unfinished().is_empty() {
            std::thread::sleep(Duration::from_millis(50));
            assert!(Instant::now() < until + PATIENCE, "the server goes on with what was not finished");
            if Instant::now() > until {
                for name in unfinished() {
                    // Gone meanwhile, perhaps.
                    _ = std::fs::remove_file(server.file(name.trim_start_matches('#')));
                }
            }
        }
    }

    /// Files that no row names.
    fn orphans(&self) -> usize {
        self.files().difference(&self.rows()).count()
    }

    /// A whole round of the sweep, of files of any age; and of unfinished ones at the next start of the worker.
    fn sweep(&self) {
        // What was stored within this second is none of the sweep's yet.
        std::thread::sleep(Duration::from_millis(1100));
        let rounds = || self.value("SELECT rounds::text FROM mcp._sweep");
        let before = rounds();
        for name in self.files().iter().filter(|name| name.contains('#')) {
            let found = Command::new("find")
                .arg(self.store())
                .args(["-name", name, "-exec", "touch", "-d", "3 hours ago", "{}", ";"])
                .status();
            assert!(found.expect("find runs").success());
        }
        let mut admin = self.database.admin();
        admin
            .batch_execute("SELECT pg_terminate_backend(pid, 10000) FROM mcp.worker_status()")
            .expect("ended");
        while rounds() == before {
            admin.batch_execute("SELECT mcp._sweep_storage(interval '0', 1000)").expect("the sweep runs");
        }
        eventually(PATIENCE, "the store holds what rows name", || {
            (self.files() == self.rows()).then_some(())
        });
    }
}

/// Makes a call whose answer may never come: whether it was done, `None` when nobody knows.
fn finished(client: &mut Client, tool: &str, arguments: Value) -> Option<bool> {
    client.send("tools/call", json!({ "name": tool, "arguments": arguments }));
    let answer = client.http().try_receive().ok()??;
    if answer.status != 200 {
        return None;
    }
    let answer = answer.json();
    match &answer["result"]["isError"] {
        Value::Bool(false) => Some(true),
        Value::Bool(true) => {
            let text = answer["result"]["content"][0]["text"].to_string();
            // It says itself that it is not known.
            (!text.contains("may or may not")).then_some(false)
        }
        // An error of the listener's: its server was gone.
        _ => None,
    }
}

/// Watches the store until there is a file that was not there and that `is` wanted.
fn watch(stage: &Stage, before: &BTreeSet<String>, is: impl Fn(&str) -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if stage.files().difference(before).any(|name| is(name)) {
            return true;
        }
    }
    false
}

/// Uploads beside `meanwhile`, which kills.
fn upload_beside(stage: &Stage, key: &str, content: &str, meanwhile: impl FnOnce()) -> Option<bool> {
    std::thread::scope(|scope| {
        let mut client = stage.client();
        let uploading = scope.spawn(move || stage.upload(&mut client, key, content));
        meanwhile();
        uploading.join().expect("no panic")
    })
}

/// What the user then reads is what was acknowledged; when nobody knows, the old or the new one. The first file is there, whatever happens.
fn check(stage: &Stage, key: &str, old: Option<&str>, new: Option<&str>, acknowledged: Option<bool>) -> bool {
    let read = stage.read(key);
    let (is_old, is_new) = (read.as_deref() == old, read.as_deref() == new);
    match acknowledged {
        Some(true) => assert!(is_new, "{key}: what was acknowledged is lost"),
        Some(false) => assert!(is_old, "{key}: what was refused was done"),
        None => assert!(is_old || is_new, "{key}: neither the old nor the new file"),
    }
    assert!(stage.read("first").as_deref() == Some(content(0).as_str()), "the first file is lost");
    is_new
}

/// Proves it for uploads, of a new file and of one that is there: before the worker takes the bytes, while it writes them, when they are stored and no
/// row names them, and when the row is written.
#[test]
fn an_upload_is_whole_or_undone() {
    let (half, unnamed) = uploads(&Stage::begin());
    assert!(half > 0, "nobody was killed while a file was written");
    assert!(unnamed > 0, "nobody was killed between the file and its row");
}

/// Proves the same on an S3 server, which keeps nothing of what it did not receive to its end.
#[test]
fn an_upload_to_s3_is_whole_or_undone() {
    let (half, unnamed) = uploads(&Stage::begin_on_s3());
    assert_eq!(half, 0);
    assert!(unnamed > 0, "nobody was killed between the file and its row");
}

/// How many unfinished files, and how many that no row names, the kills left for the sweep.
fn uploads(stage: &Stage) -> (usize, usize) {
    let (mut half, mut unnamed) = (0, 0);
    let mut number = 0;
    for victim in [Victim::Worker, Victim::Backend] {
        for step in ["before", "writing", "stored", "named"] {
            for replaces in [false, true] {
                number += 1;
                let key = format!("file {number}");
                let (old, new) = (content(number), content(number + 100));
                if replaces {
                    assert_eq!(stage.upload(&mut stage.client(), &key, &old), Some(true));
                    // Its predecessor goes after the answer.
                    eventually(PATIENCE, "nothing is under way", || {
                        (stage.orphans() == half + unnamed).then_some(())
                    });
                }
                let (before, pid, worker) = (stage.files(), stage.pid(victim), stage.worker());
                let orphans = stage.orphans();
                let acknowledged = upload_beside(stage, &key, &new, || match step {
                    "before" => {
                        signal(&worker, "STOP");
                        // The first transaction has ended, and its backend hands the bytes over to nobody.
                        eventually(PATIENCE, "the hand-over", || {
                            let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'fluxbase_listener' AND state = 'active'
                                            AND query LIKE '%_serve%' AND backend_xid IS NULL AND backend_xmin IS NULL";
                            (stage.value(waits) != "0").then_some(())
                        });
                        stage.kill(&pid);
                    }
                    "writing" => {
                        assert!(watch(stage, &before, |name| name.contains('#')), "nothing was written");
                        signal(&worker, "STOP");
                        stage.kill(&pid);
                    }
                    "stored" => {
                        assert!(watch(stage, &before, |_| true), "nothing was written");
                        // Nobody is there to write the row.
                        stage.listener.signal("STOP");
                        assert!(watch(stage, &before, |name| !name.contains('#')), "nothing was stored");
                        stage.kill(&pid);
                        stage.listener.signal("CONT");
                    }
                    _ => {
                        let named = format!(
                            "SELECT string_agg(replace(version::text, '-', ''), ' ') FROM storage.objects WHERE path = '{key}'"
                        );
                        let known = stage.value(&named);
                        eventually(PATIENCE, "the row", || (stage.value(&named) != known).then_some(()));
                        stage.kill(&pid);
                    }
                });
                let done = check(stage, &key, replaces.then_some(old.as_str()), Some(&new), acknowledged);
                assert!(step != "before" || !done, "{victim:?}: it was never handed over");
                assert!(step != "named" || done, "{victim:?}: a row that was committed is lost");
                eventually(PATIENCE, "nothing is under way", || {
                    (stage.worker() != worker || done).then_some(())
                });
                stage.settle();
                let left = stage.orphans().saturating_sub(orphans);
                let unfinished = stage.files().difference(&before).filter(|name| name.contains('#')).count();
                half += unfinished;
                unnamed += left - unfinished;
                println!(
                    "{victim:?} {step} replaces={replaces}: {acknowledged:?}, done {done}, left {left}, half {unfinished}"
                );
            }
        }
    }
    stage.sweep();
    assert_eq!(stage.orphans(), 0);
    assert!(stage.read("first").as_deref() == Some(content(0).as_str()));
    (half, unnamed)
}

/// Proves it for deletes: before the row goes, and when it has gone and its bytes have not.
#[test]
fn a_delete_is_done_or_undone() {
    deletes(&Stage::begin());
}

/// Proves the same on an S3 server.
#[test]
fn a_delete_on_s3_is_done_or_undone() {
    deletes(&Stage::begin_on_s3());
}

fn deletes(stage: &Stage) {
    let mut unnamed = 0;
    for (number, victim) in (1..).zip([Victim::Worker, Victim::Backend]) {
        let (key, text) = (format!("file {number}"), content(number));
        assert_eq!(stage.upload(&mut stage.client(), &key, &text), Some(true));
        let delete = |client: &mut Client| {
            finished(client, "delete_object", json!({ "bucket": "uploads", "key": key }))
        };
        // Somebody else holds the row, so it is not gone yet.
        let pid = stage.pid(victim);
        let mut admin = stage.database.admin();
        let mut held = admin.transaction().expect("a transaction");
        held.execute("SELECT FROM storage.objects WHERE path = $1 FOR UPDATE", &[&key]).expect("the row");
        let acknowledged = std::thread::scope(|scope| {
            let mut client = stage.client();
            let deleting = scope.spawn(move || delete(&mut client));
            eventually(PATIENCE, "the delete waits", || {
                (stage.value("SELECT count(*)::text FROM pg_locks WHERE NOT granted") != "0").then_some(())
            });
            stage.kill(&pid);
            deleting.join().expect("no panic")
        });
        drop(held);
        assert_ne!(acknowledged, Some(true));
        check(stage, &key, Some(&text), Some(&text), acknowledged);
        // The row is gone, and nobody takes the order to remove the bytes.
        let (pid, worker, before) = (stage.pid(victim), stage.worker(), stage.files());
        let acknowledged = std::thread::scope(|scope| {
            let mut client = stage.client();
            signal(&worker, "STOP");
            let deleting = scope.spawn(move || delete(&mut client));
            let gone = format!("SELECT count(*)::text FROM storage.objects WHERE path = '{key}'");
            eventually(PATIENCE, "the row goes", || (stage.value(&gone) == "0").then_some(()));
            stage.kill(&pid);
            deleting.join().expect("no panic")
        });
        assert!(check(stage, &key, Some(&text), None, acknowledged), "a delete that was committed is undone");
        assert_eq!(stage.files(), before, "its bytes are still there");
        unnamed += 1;
        assert_eq!(stage.orphans(), unnamed);
    }
    stage.sweep();
    assert_eq!(stage.orphans(), 0);
    assert!(stage.read("first").as_deref() == Some(content(0).as_str()));
}
