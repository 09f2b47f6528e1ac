//! Stored files over the real listener, with the real worker: in a directory and on a real S3 server.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fluxbase_tests::cluster::{Cluster, run};
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::{Key, cli};
use fluxbase_tests::listener::Listener;
use fluxbase_tests::mcp::Era;
use fluxbase_tests::settings::settings;
use fluxbase_tests::{Ended, eventually};
use serde_json::{Value, json};

use self::s3::S3;

#[path = "../../../fluxbase_mcp_ext/delegate/tests/support/s3.rs"]
#[allow(dead_code, reason = "shared with the worker's own tests")]
mod s3;

/// Most bytes of one answer.
const MOST: usize = 10 << 20;

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const ERAS: [Era; 6] = [
    Era::Plain,
    Era::Legacy("2024-11-05"),
    Era::Legacy("2025-03-26"),
    Era::Legacy("2025-06-18"),
    Era::Legacy("2025-11-25"),
    Era::Modern,
];

/// Whether the era has structured content and links to resources.
fn is_structured(era: Era) -> bool {
    !matches!(era, Era::Plain | Era::Legacy("2024-11-05" | "2025-03-26"))
}

struct Stage {
    listener: Listener,
    ann: Key,
    ben: Key,
    database: Database,
    cluster: Cluster,
}

fn begin(configuration: &str, environment: &[(&str, &str)]) -> Stage {
    let cluster = Cluster::start(configuration);
    let database = Database::create(&cluster, "app");
    database
        .admin()
        .batch_execute(
            "DROP SCHEMA IF EXISTS storage CASCADE;
             SELECT mcp.install('{storage}');
             INSERT INTO storage.buckets (id, name, roles) VALUES ('uploads', 'uploads', '{authenticated}')",
        )
        .expect("the tables can be made");
    let listener = Listener::start(&cluster, &database.listener_url, environment);
    let key = |user| {
        database.client_key(&["--name", user, "--user", user, "--scopes", "read:storage,write:storage"])
    };
    Stage { listener, ann: key("ann"), ben: key("ben"), database, cluster }
}

impl Stage {
    fn value(&self, sql: &str) -> String {
        let row = self.database.admin().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// Nothing is kept in the worker: each end was acknowledged, or nobody asked for it in time.
    fn until_idle(&self) {
        eventually(Duration::from_secs(90), "the worker is idle", || {
            (self.value("SELECT concat_ws(' ', calls, pending, bytes) FROM mcp.worker_status()") == "0 0 0")
                .then_some(())
        });
    }

    /// Versions in the store, and rows that name one.
    fn counts(&self) -> String {
        self.value(
            "SELECT concat_ws(' ', (SELECT count(*) FROM storage.origin AS o, mcp._stored(o.space, NULL, 1000)),
                                   (SELECT count(*) FROM storage.objects WHERE version IS NOT NULL))",
        )
    }

    /// An object that is larger than a message may be, stored in SQL.
    fn store(&self, key: &str, expression: &str) {
        let sql = format!(
            "SELECT mcp.handle(jsonb_build_object('jsonrpc', '2.0', 'id', 1, 'method', 'tools/call', 'params', jsonb_build_object('name', 'upload_object',
                 'arguments', jsonb_build_object('bucket', 'uploads', 'key', '{key}', 'content', {expression}))))::text;"
        );
        let answer = self.value(&sql);
        assert!(answer.contains("\"isError\":false"), "{answer}");
        // By whom it was stored: superusers have no user.
        let sql = format!("UPDATE storage.objects SET owner_id = 'ann' WHERE path = '{key}'");
        self.database.admin().batch_execute(&sql).expect("updated");
    }
}

fn named(key: &str) -> Value {
    json!({ "bucket": "uploads", "key": key })
}

/// Everything that a client does with a file, in one era.
fn round_trip(stage: &Stage, era: Era) {
    let mut client = stage.listener.client(&stage.ann).era(era);
    let key = "notes/\u{e4} file.txt";
    let sent = json!({ "bucket": "uploads", "key": key, "content": "h\u{e9}llo", "metadata": {"a": 1} });
    let stored = client.call("upload_object", sent).value();
    assert_eq!((&stored["key"], &stored["size"]), (&json!(key), &json!(6)), "{stored}");
    let loaded = client.call("download_object", named(key)).value();
    assert_eq!(
        (&loaded["content"], &loaded["encoding"], &loaded["content_type"], &loaded["etag"]),
        (&json!("h\u{e9}llo"), &json!("text"), &json!("text/plain"), &stored["etag"]),
        "{loaded}"
    );
    assert_eq!(loaded.get("untrusted").is_some(), is_structured(era), "{loaded}");
    let part = client
        .call("download_object", json!({ "bucket": "uploads", "key": key, "offset": 1, "length": 2 }))
        .value();
    assert_eq!((&part["content"], &part["next_offset"]), (&json!("\u{e9}"), &json!(3)), "{part}");

    let image = json!({ "bucket": "uploads", "key": "dot.png", "content": PNG, "encoding": "base64" });
    assert_eq!(client.call("upload_object", image).value()["content_type"], json!("image/png"));
    let answer = client.call("download_object", named("dot.png")).response.json();
    let content = &answer["result"]["content"];
    assert_eq!(content[0], json!({ "type": "image", "data": PNG, "mimeType": "image/png" }), "{answer}");
    assert_eq!(content[1]["type"], json!("text"), "{answer}");

    let answer = client.call("list_objects", json!({ "bucket": "uploads", "delimiter": "/" }));
    let listed = answer.value();
    assert_eq!(listed["common_prefixes"], json!(["notes/"]), "{listed}");
    assert_eq!(listed["objects"][0]["key"], json!("dot.png"), "{listed}");
    let content = answer.response.json()["result"]["content"].clone();
    let links: Vec<&Value> =
        content.as_array().expect("a list").iter().filter(|item| item["type"] == "resource_link").collect();
    assert_eq!(links.len(), usize::from(is_structured(era)), "{content}");

    let listed =
        client.call("list_objects", json!({ "bucket": "uploads", "prefix": "notes/" })).response.json();
    let uri = match is_structured(era) {
        true => listed["result"]["content"][1]["uri"].as_str().expect("a URI").to_owned(),
        false => "fluxbase://storage/uploads/notes%2F%C3%A4%20file.txt".to_owned(),
    };
    let read = client.request("resources/read", json!({ "uri": uri })).json();
    assert_eq!(read["result"]["contents"][0]["text"], json!("h\u{e9}llo"), "{read}");
    let read =
        client.request("resources/read", json!({ "uri": "fluxbase://storage/uploads/dot.png" })).json();
    assert_eq!(read["result"]["contents"][0]["blob"], json!(PNG), "{read}");
    let buckets = client.request("resources/read", json!({ "uri": "fluxbase://storage/buckets" })).text();
    assert!(buckets.contains(r#"\"id\":\"uploads\""#), "{buckets}");

    // Another user's key sees nothing of it.
    let mut other = stage.listener.client(&stage.ben).era(era);
    for tool in ["download_object", "delete_object"] {
        let text = other.call(tool, named(key)).error();
        assert!(text.contains("there is no object"), "{text}");
    }
    let text =
        other.call("upload_object", json!({ "bucket": "uploads", "key": key, "content": "x" })).error();
    assert!(text.contains("you may not store"), "{text}");
    let forged = json!({ "bucket": "uploads", "key": "mine", "content": "x", "version": stored["version"] });
    let text = other.call("upload_object", forged).error();
    assert!(text.contains("version: there is no such argument"), "{text}");
    let read = other.request("resources/read", json!({ "uri": uri })).text();
    assert!(read.contains("Resource not found"), "{read}");

    for key in [key, "dot.png"] {
        let deleted = client.call("delete_object", named(key)).value();
        assert_eq!(deleted, json!({ "deleted": true, "bucket": "uploads", "key": key }));
        assert!(client.call("download_object", named(key)).error().contains("there is no object"));
    }
}

/// Proves that files go there and come back in every era, that nothing is left over, in the worker or in the store.
#[test]
fn files_go_to_a_directory_and_come_back() {
    let stage = begin("", &[]);
    for era in ERAS {
        round_trip(&stage, era);
    }
    stage.until_idle();
    assert_eq!(stage.counts(), "0 0", "what was deleted and replaced is gone");
}

/// Proves the same of an S3 server, and that its key is told to nobody.
#[test]
fn files_go_to_an_s3_server_and_come_back() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(S3::start());
    let stage = begin("", &[]);
    let text =
        format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", s3::KEY_ID, s3::SECRET);
    stage.cluster.write("s3.credentials", &text);
    let file = stage.cluster.folder().join("s3.credentials");
    run(settings().as_user("chmod").arg("0600").arg(&file));
    let mut admin = stage.database.admin();
    for sql in [
        format!("ALTER SYSTEM SET mcp.storage_url = '{}'", server.url()),
        format!("ALTER SYSTEM SET mcp.storage_credentials_file = '{}'", file.display()),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        admin.batch_execute(&sql).expect("set");
    }
    eventually(Duration::from_secs(20), "the worker uses the server", || {
        stage
            .value("SELECT storage FROM mcp.worker_status() WHERE storage_error IS NULL")
            .starts_with("s3://")
            .then_some(())
    });
    for era in ERAS {
        round_trip(&stage, era);
    }
    stage.until_idle();
    assert_eq!(stage.counts(), "0 0");
    // Orphans there are swept, too.
    stage.store("lost", "'bytes of no row'");
    admin.batch_execute("DELETE FROM storage.objects").expect("deleted");
    assert_eq!(stage.counts(), "1 0");
    assert_eq!(stage.value("SELECT mcp._sweep_storage('-1 hour', 100)::text"), "1");
    assert_eq!(stage.counts(), "0 0");
    // Without the server: an error that says so, and nothing is changed.
    server.stop();
    drop(runtime);
    let mut client = stage.listener.client(&stage.ann);
    let text =
        client.call("upload_object", json!({ "bucket": "uploads", "key": "k", "content": "x" })).error();
    assert!(text.contains("the storage does not work") && !text.contains(s3::SECRET), "{text}");
    assert_eq!(stage.value("SELECT count(*)::text FROM storage.objects"), "0");
    assert!(!stage.cluster.log().contains(s3::SECRET), "the log holds the secret");
}

/// Proves that ten megabytes come in one answer, that one byte more is refused with what to do, and that doing so gives the object.
#[test]
fn ten_megabytes_at_once_and_more_in_parts() {
    let stage = begin("mcp.max_message_size = 33554432", &[]);
    stage.store("most.txt", &format!("repeat('0123456789abcdef', {})", MOST / 16));
    stage.store("more.txt", &format!("'\u{e9}' || repeat('0123456789abcdef', {})", MOST / 16));
    let mut client = stage.listener.client(&stage.ann);
    let whole = client.call("download_object", named("most.txt")).value();
    let content = whole["content"].as_str().expect("text");
    assert_eq!((content.len(), &content[MOST - 20..]), (MOST, "cdef0123456789abcdef"));

    let text = client.call("download_object", named("more.txt")).error();
    assert!(
        text.contains("has 10485762 bytes") && text.contains("\"offset\":0,\"length\":10485760"),
        "{text}"
    );
    let read =
        client.request("resources/read", json!({ "uri": "fluxbase://storage/uploads/more.txt" })).text();
    assert!(read.contains("has 10485762 bytes"), "{read}");
    let (mut all, mut offset) = (String::new(), json!(0));
    while !offset.is_null() {
        let part = json!({ "bucket": "uploads", "key": "more.txt", "offset": offset, "length": 4_000_001 });
        let part = client.call("download_object", part).value();
        all.push_str(part["content"].as_str().expect("text"));
        offset = part["next_offset"].clone();
    }
    assert_eq!(all.len(), MOST + 2);
    assert!(all.starts_with("\u{e9}0123") && all.ends_with("cdef"));

    // As large as a message may be.
    let bytes = vec![0xff; 7 << 20];
    let sent = json!({ "bucket": "uploads", "key": "large.bin", "content": STANDARD.encode(&bytes), "encoding": "base64" });
    assert_eq!(client.call("upload_object", sent).value()["size"], json!(bytes.len()));
    let loaded = client.call("download_object", named("large.bin")).value();
    assert!(STANDARD.decode(loaded["content"].as_str().expect("base64")).expect("base64") == bytes);
    stage.until_idle();
}

/// Proves that pages of 2,500 objects together are all of them, each once, also when others come and go meanwhile.
#[test]
fn pages_of_many_objects_are_all_of_them() {
    let stage = begin("", &[]);
    let mut admin = stage.database.admin();
    admin
        .batch_execute(
            "INSERT INTO storage.objects (bucket_id, path, version, etag, owner_id)
             SELECT 'uploads', format('%s/%s', n % 7, lpad(n::text, 5, '0')), gen_random_uuid(), '', 'ann' FROM generate_series(1, 2500) AS n",
        )
        .expect("inserted");
    let mut client = stage.listener.client(&stage.ann);
    for limit in [1000, 99] {
        let (mut seen, mut after, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let page = json!({ "bucket": "uploads", "limit": limit, "start_after": after });
            let page = client.call("list_objects", page).value();
            let objects = page["objects"].as_array().expect("a list");
            assert!(objects.len() <= limit && !objects.is_empty());
            seen.extend(objects.iter().map(|object| object["key"].as_str().expect("a key").to_owned()));
            pages += 1;
            assert_eq!(page["is_truncated"], json!(page.get("next_marker").is_some()));
            after = page["next_marker"].clone();
            if after.is_null() {
                break;
            }
            // One behind and one ahead of the page.
            let sql = format!(
                "INSERT INTO storage.objects (bucket_id, path, version, etag, owner_id)
                 VALUES ('uploads', '0/0-{limit}-{pages}', gen_random_uuid(), '', 'ann'), ('uploads', 'z/{limit}-{pages:03}', gen_random_uuid(), '', 'ann')"
            );
            admin.batch_execute(&sql).expect("inserted");
        }
        println!("2,500 objects in pages of at most {limit}: {pages} pages");
        let different: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(different.len(), seen.len(), "none twice");
        assert_eq!(
            seen.iter().filter(|key| key.as_bytes()[0].is_ascii_digit() && !key.starts_with("0/0-")).count(),
            2500
        );
        admin
            .batch_execute("DELETE FROM storage.objects WHERE path LIKE 'z/%' OR path LIKE '0/0-%'")
            .expect("deleted");
    }
    let folders =
        client.call("list_objects", json!({ "bucket": "uploads", "delimiter": "/", "limit": 3 })).value();
    assert_eq!(
        (&folders["common_prefixes"], &folders["next_marker"]),
        (&json!(["0/", "1/", "2/"]), &json!("2/"))
    );
}

/// Proves that a key that is revoked between the two steps of a call gets nothing, and leaves nothing behind.
#[test]
fn a_revoked_key_collects_nothing() {
    let stage = begin("", &[]);
    let mut client = stage.listener.client(&stage.ann);
    assert!(
        client.call("upload_object", json!({ "bucket": "uploads", "key": "k", "content": "secret" })).is_ok()
    );
    // The two steps as the listener takes them.
    let mut admin = stage.database.admin();
    let mut serve = |tool: &str, arguments: Value, pending: Option<&str>| -> String {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
        let mut transport = json!({ "http": true });
        if let Some(id) = pending {
            transport["pending"] = json!({ "id": id });
        }
        let parameters = [request.to_string(), stage.ann.credential(), transport.to_string()];
        let row = admin
            .query_one("SELECT mcp._serve($1, $2, $3)", &[&parameters[0], &parameters[1], &parameters[2]])
            .expect("a row");
        row.get(0)
    };
    let new = json!({ "bucket": "uploads", "key": "new", "content": "x" });
    let pending: Vec<(&str, Value, String)> = [("download_object", named("k")), ("upload_object", new)]
        .into_iter()
        .map(|(tool, arguments)| {
            let reply = serve(tool, arguments.clone(), None);
            let (status, id) = reply.split_once('\n').expect("two lines");
            assert_eq!(status, "102", "{reply}");
            (tool, arguments, id.to_owned())
        })
        .collect();
    run(&mut cli(&stage.database.admin_url, &["clientkeys", "revoke", &stage.ann.id]));
    for (tool, arguments, id) in pending {
        let reply = serve(tool, arguments, Some(&id));
        assert!(reply.starts_with("401") && !reply.contains("secret"), "{reply}");
    }
    assert_eq!(stage.value("SELECT string_agg(path, ' ') FROM storage.objects"), "k");
    eventually(Duration::from_secs(20), "the sweep finds what was stored", || {
        stage
            .database
            .admin()
            .batch_execute("UPDATE mcp._sweep SET after = NULL; SELECT mcp._sweep_storage('-1 hour', 1000)")
            .expect("swept");
        (stage.counts() == "1 1").then_some(())
    });
}

/// A number of `/proc/PID/status` in kB.
fn status_of(pid: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

/// Proves that fifty downloads of ten megabytes at once arrive whole, and that the memory of all processes together stays bounded meanwhile and is
/// given back.
#[test]
fn fifty_downloads_at_once_stay_in_bounds() {
    const BOUND_MB: u64 = 1536;
    let stage = begin("", &[("FLUXBASE_LISTENER_POOL_SIZE", "4")]);
    stage.store("most.bin", &format!("repeat('0123456789abcdef', {})", MOST / 16));
    stage
        .database
        .admin()
        .batch_execute("UPDATE storage.objects SET mime_type = 'application/octet-stream'")
        .expect("updated");
    let worker: u32 = stage.value("SELECT pid::text FROM mcp.worker_status()").parse().expect("a process id");
    let postmaster = stage.cluster.pid();
    // Memory of their own: what the backends share is counted once, in the server's shared memory, which is not of these calls.
    let used = || {
        let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))
            .unwrap_or_default();
        let backends = children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        let all = backends.chain([stage.listener.pid()]);
        all.filter_map(|pid| status_of(pid, "RssAnon:")).sum::<u64>() / 1024
    };
    let before = used();
    let (done, mut peak, mut worker_peak) = (AtomicBool::new(false), 0, 0);
    std::thread::scope(|scope| {
        // Also when a client below fails: the scope waits for the sampler.
        let ended = Ended(&done);
        let sampler = scope.spawn(|| {
            let (mut peak, mut worker_peak) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(used());
                worker_peak = worker_peak.max(status_of(worker, "RssAnon:").unwrap_or(0) / 1024);
                std::thread::sleep(Duration::from_millis(5));
            }
            (peak, worker_peak)
        });
        let all: Vec<_> = (0..50)
            .map(|_| {
                let mut client = stage.listener.client(&stage.ann);
                scope.spawn(move || {
                    let mut refused = 0;
                    loop {
                        let answer = client.call("download_object", named("most.bin"));
                        if answer.is_ok() {
                            let length = answer.response.body.len();
                            assert!(length > MOST / 3 * 4, "{length}");
                            return refused;
                        }
                        // The worker's memory and the listener's connections are shared by all: they say so, and to try again.
                        let text = answer.response.text();
                        assert!(text.contains("memory") || text.contains("Try again in a moment"), "{text}");
                        refused += 1;
                        std::thread::sleep(Duration::from_millis(100));
                    }
                })
            })
            .collect();
        let refused: u32 = all.into_iter().map(|one| one.join().expect("no panic")).sum();
        drop(ended);
        (peak, worker_peak) = sampler.join().expect("no panic");
        println!(
            "50 downloads of 10 MB: {before} MB before, peak {peak} MB (worker {worker_peak} MB), {refused} refused and called again"
        );
    });
    assert!(peak < BOUND_MB, "{peak} MB");
    stage.until_idle();
    eventually(Duration::from_secs(30), "memory is given back", || (used() < before + 512).then_some(()));
}

/// Proves that without the preload the tools say what to set, that lists work, and that nothing is changed.
#[test]
fn without_the_preload_they_say_what_to_set() {
    let stage = begin("shared_preload_libraries = ''", &[]);
    stage
        .database
        .admin()
        .batch_execute("INSERT INTO storage.objects (bucket_id, path, version, etag, owner_id) VALUES ('uploads', 'k', gen_random_uuid(), '', 'ann')")
        .expect("inserted");
    let mut client = stage.listener.client(&stage.ann);
    for (tool, mut arguments) in
        [("upload_object", named("k")), ("download_object", named("k")), ("delete_object", named("k"))]
    {
        if tool == "upload_object" {
            arguments["content"] = json!("x");
        }
        let text = client.call(tool, arguments).error();
        assert!(
            text.contains("shared_preload_libraries = 'fluxbase_mcp_ext'") && text.contains("Nothing was"),
            "{text}"
        );
    }
    let read = client.request("resources/read", json!({ "uri": "fluxbase://storage/uploads/k" })).text();
    assert!(read.contains("shared_preload_libraries"), "{read}");
    assert_eq!(client.call("list_objects", json!({ "bucket": "uploads" })).value()["count"], json!(1));
    assert_eq!(stage.value("SELECT mcp._maintain_storage()::text"), "", "there is nothing to sweep");
}

/// Proves that a client that hangs up leaves nothing in the worker.
#[test]
fn a_client_that_hangs_up_leaves_nothing() {
    // Who hangs up in the very moment in which the first step is committed leaves it to the worker to forget.
    let mut stage = begin("mcp.worker_keep = '3s'", &[]);
    stage.store("most.txt", &format!("repeat('0123456789abcdef', {})", MOST / 16));
    for round in 0..10 {
        let mut client = stage.listener.client(&stage.ann);
        match round % 2 {
            0 => client
                .send("tools/call", json!({ "name": "download_object", "arguments": named("most.txt") })),
            _ => {
                let arguments = json!({ "bucket": "uploads", "key": format!("new{round}"), "content": "x".repeat(1 << 20) });
                client.send("tools/call", json!({ "name": "upload_object", "arguments": arguments }));
            }
        }
        std::thread::sleep(Duration::from_millis(round * 3));
        client.http().send(b"").expect("still there");
        drop(client);
    }
    // A request may still be under way whose client is gone already, and the sweep below has no grace: it would take the
    // bytes of an upload between its two steps for an orphan. So the listener stops, then its backends, then the worker.
    stage.listener.terminate();
    assert!(stage.listener.wait(Duration::from_secs(60)).is_some(), "the listener stops");
    eventually(Duration::from_secs(60), "the listener's backends are gone", || {
        (stage.value("SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'fluxbase_listener'")
            == "0")
            .then_some(())
    });
    stage.until_idle();
    // An upload whose client went away may have been stored, whole, or not at all.
    assert!(
        stage
            .value("SELECT string_agg(DISTINCT size::text, ' ') FROM storage.objects WHERE path LIKE 'new%'")
            .replace("1048576", "")
            .is_empty()
    );
    stage
        .database
        .admin()
        .batch_execute("UPDATE mcp._sweep SET after = NULL; SELECT mcp._sweep_storage('-1 hour', 1000)")
        .expect("swept");
    let counts = stage.counts();
    let (versions, rows) = counts.split_once(' ').expect("two numbers");
    assert_eq!(versions, rows, "each version has its row");
}
