//! `fluxbase stdio`: one client on standard input and output.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use fluxbase_tests::keys::{cli, cli_output};
use fluxbase_tests::{Key, Stdio, TENANT_A, eventually, stage};
use serde_json::{Value, json};

const TOOLS: &str = "
    CREATE FUNCTION public.stdio_tell(seconds float8) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.slow_writes (id, seconds) VALUES (177, 0);
        PERFORM mcp.progress(1, 2, 'half');
        PERFORM pg_sleep(seconds);
        PERFORM mcp.progress(2, 2, 'all');
        DELETE FROM public.slow_writes WHERE id = 177;
        RETURN 'done';
    END $$;
    CREATE FUNCTION public.stdio_laid_out() RETURNS json LANGUAGE sql AS $$ SELECT E'{\\n\\t\"a\": [1,\\r\\n 2], \"b\": \"x\\\\ny\"\\n}'::json $$;
    -- Seen by no key of another test: neither a scope nor a role of theirs opens them.
    REVOKE EXECUTE ON FUNCTION public.stdio_tell(float8), public.stdio_laid_out() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION public.stdio_tell(float8), public.stdio_laid_out() TO authenticated;
    SELECT mcp.register_tool('stdio_tell', 'public.stdio_tell(float8)', 'Tell, then sleep.', scopes => '{execute:jobs}');
    SELECT mcp.register_tool('stdio_laid_out', 'public.stdio_laid_out()', 'JSON on several lines.', scopes => '{execute:jobs}');
";

/// A key that sees the tools of these tests, which are registered by whoever comes first.
fn key() -> &'static Key {
    static KEY: std::sync::OnceLock<Key> = std::sync::OnceLock::new();
    KEY.get_or_init(|| {
        let database = &stage().database;
        database.admin().batch_execute(TOOLS).expect("tools are registered");
        database.client_key(&["--name", "stdio", "--user", TENANT_A, "--scopes", "execute:jobs,read:tables"])
    })
}

fn start(environment: &[(&str, &str)]) -> Stdio {
    Stdio::start(&stage().database.listener_url, key(), environment)
}

/// How many statements of its connections run now, as Postgres sees it; and how many of them sleep.
fn running(stdio: &Stdio) -> (i64, i64) {
    let sql = "SELECT count(*), count(*) FILTER (WHERE wait_event = 'PgSleep')
               FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'";
    let row = stage().database.admin().query_one(sql, &[&stdio.application()]).expect("counted");
    (row.get(0), row.get(1))
}

fn wait_for_sleepers(stdio: &Stdio, count: i64) {
    eventually(Duration::from_secs(10), "the slow statement runs", || {
        (running(stdio).1 == count).then_some(())
    });
}

fn written_by_tell() -> i64 {
    let sql = "SELECT count(*) FROM public.slow_writes WHERE id = 177";
    stage().database.admin().query_one(sql, &[]).expect("counted").get(0)
}

fn tell(id: Value, seconds: u32) -> String {
    let params = json!({ "name": "stdio_tell", "arguments": { "seconds": seconds }, "_meta": { "progressToken": id } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Proves that a tool's progress comes before its answer, each on a line, and that the end of the input lets what runs finish and
/// then ends the program with 0.
#[test]
fn progress_comes_first_and_the_end_of_input_lets_requests_finish() {
    let mut stdio = start(&[]);
    stdio.send(&tell(json!("p"), 1));
    let first = json(&stdio.receive());
    assert_eq!((&first["method"], first.get("id")), (&json!("notifications/progress"), None));
    stdio.close();
    let rest: Vec<Value> = stdio.rest().iter().map(|line| json(line)).collect();
    assert_eq!(rest.len(), 2, "{rest:?}");
    assert_eq!(rest[0]["params"]["progress"].as_f64(), Some(2.0));
    assert_eq!((&rest[1]["id"], &rest[1]["result"]["content"][0]["text"]), (&json!("p"), &json!("done")));
    assert_eq!(stdio.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
}

/// Proves that a cancel stops exactly the request that it names, without an answer, that what it wrote is rolled back, and that its
/// connection, of which there is one only, serves the next request; also that a cancel of something else does nothing.
#[test]
fn a_cancel_stops_exactly_its_request() {
    let mut stdio =
        start(&[("FLUXBASE_LISTENER_POOL_SIZE", "2"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")]);
    let cancel = |id: Value| {
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
            .to_string()
    };
    stdio.send(&tell(json!(1), 30));
    // The same number as a string is another request.
    let slow = json!({ "name": "query_table", "arguments": { "table": "slow", "filter": { "id": 3 } } });
    stdio.send(&json!({ "jsonrpc": "2.0", "id": "1", "method": "tools/call", "params": slow }).to_string());
    wait_for_sleepers(&stdio, 2);
    for other in [json!(2), json!("one"), Value::Null] {
        stdio.send(&cancel(other));
    }
    stdio.send(&cancel(json!(1)));
    // What the tool told before, then the answer of the other, and no other line.
    assert_eq!(json(&stdio.receive())["method"], "notifications/progress");
    let answer = json(&stdio.receive());
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!("1"), &json!(false)), "{answer}");
    eventually(Duration::from_secs(5), "the statement is cancelled", || {
        (running(&stdio).0 == 0).then_some(())
    });
    assert_eq!(written_by_tell(), 0, "what it wrote was rolled back");
    // Both places are free, and the connections are clean.
    for id in 10..16 {
        let (_, answer) =
            stdio.ask(id, "tools/call", json!({ "name": "query_table", "arguments": { "table": "notes" } }));
        assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    }
    stdio.close();
    assert_eq!(stdio.rest(), Vec::<String>::new(), "the cancelled request has no answer");
}

/// Proves that slow requests do not hold up others, and that many at a time are all answered, each once.
#[test]
fn requests_run_beside_each_other() {
    let mut stdio = start(&[]);
    stdio.send(&tell(json!("slow"), 3));
    assert_eq!(json(&stdio.receive())["method"], "notifications/progress");
    let (_, pong) = stdio.ask(1, "ping", json!({}));
    assert_eq!(pong["result"], json!({}));
    let many: String =
        (0..300).map(|id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n")).collect();
    stdio.write(many.as_bytes());
    stdio.close();
    let mut ids: Vec<i64> = stdio.rest().iter().filter_map(|line| json(line)["id"].as_i64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..300).collect::<Vec<i64>>());
}

/// Proves that nothing but messages reaches standard output, and each as one line: results that a function laid out over
/// several lines (rows that are, see `doors.rs`), lines that are no text, too long lines, blank lines, notifications.
#[test]
fn each_answer_is_one_line_whatever_comes() {
    let mut stdio = start(&[("FLUXBASE_MCP_MAX_MESSAGE_SIZE", "1000")]);
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
    stdio.ask(0, "initialize", hello);
    let (_, answer) = stdio.ask(1, "tools/call", json!({ "name": "stdio_laid_out", "arguments": {} }));
    assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    let text = answer["result"]["content"][0]["text"].as_str().expect("a text");
    assert_eq!(json(text), json!({ "a": [1, 2], "b": "x\ny" }), "{text}");

    stdio.write(b"\n  \r\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\r\n");
    let mut refused = |bytes: &[u8], code: i64, word: &str| {
        stdio.write(bytes);
        let answer = json(&stdio.receive());
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &Value::Null), "{answer}");
        assert!(
            answer["error"]["message"].as_str().is_some_and(|text| text.contains(word)),
            "{word}: {answer}"
        );
    };
    refused(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}\n", -32700, "UTF-8");
    refused(b"{\"jsonrpc\":\"2.0\",\"id\":1,\0\"method\":\"ping\"}\n", -32700, "NUL");
    refused(b"{\"jsonrpc\":\n", -32700, "JSON");
    refused(format!("{}\n", "x".repeat(1001)).as_bytes(), -32600, "max_message_size (1000 bytes)");
    // Much too long, and refused under its id, wherever that stands; it is not held, and the next line counts again.
    stdio.write(b"{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"params\":{\"id\":5,\"x\":\"");
    for _ in 0..600 {
        stdio.write(&[b'x'; 500_000]);
    }
    stdio.write(b"\"},\"id\":\"long\"}\n");
    let answer = json(&stdio.receive());
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32600), &json!("long")), "{answer}");
    let (_, pong) = stdio.ask(7, "ping", json!({}));
    assert_eq!(pong["result"], json!({}));
    let memory = std::fs::read_to_string(format!("/proc/{}/status", stdio.pid())).expect("it runs");
    let peak = memory
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    assert!(peak.is_some_and(|kilobytes| kilobytes < 200_000), "{peak:?}");
}

/// Proves that the revision of the handshake holds for what comes after it, also when it is sent in one go.
#[test]
fn the_negotiated_revision_holds() {
    for (version, structured) in [("2025-11-25", true), ("2025-03-26", false)] {
        let mut stdio = start(&[]);
        let hello = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
        let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello });
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        stdio.write(format!("{hello}\n{list}\n").as_bytes());
        assert_eq!(json(&stdio.receive())["result"]["protocolVersion"], version);
        let tool = json(&stdio.receive())["result"]["tools"][0].clone();
        assert_eq!(tool.get("outputSchema").is_some(), structured, "{version}: {tool}");
    }
}

/// Proves that the settings of the `mcp:` block hold, though it is not enabled: the allow-list.
#[test]
fn the_allow_lists_hold() {
    let mut stdio = start(&[("FLUXBASE_MCP_ALLOWED_TOOLS", "stdio_tell"), ("FLUXBASE_MCP_ENABLED", "false")]);
    let (_, listed) = stdio.ask(1, "tools/list", json!({}));
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, ["stdio_tell"]);
    let (_, refused) =
        stdio.ask(2, "tools/call", json!({ "name": "query_table", "arguments": { "table": "notes" } }));
    assert!(refused["error"].is_object(), "{refused}");
}

/// Proves that a key that was revoked is refused from the next request on, with the id of the request.
#[test]
fn a_revoked_key_ends_at_the_next_request() {
    let database = &stage().database;
    let key = database.client_key(&["--name", "stdio revoked", "--scopes", "read:tables"]);
    let mut stdio = Stdio::start(&database.listener_url, &key, &[]);
    assert_eq!(stdio.ask(1, "ping", json!({})).1["result"], json!({}));
    assert!(cli_output(&database.admin_url, &["clientkeys", "revoke", &key.id]).status.success());
    // A notification has no answer, not even this one.
    stdio.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(stdio.ask(2, "ping", json!({})).1["error"]["code"], -32005);
}

/// Proves that SIGTERM, and a host that no longer reads, stop what runs: its statement is cancelled and rolled back, and the program ends.
#[test]
fn a_host_that_goes_away_stops_what_runs() {
    let mut stdio = start(&[]);
    stdio.send(&tell(json!(1), 30));
    wait_for_sleepers(&stdio, 1);
    assert!(Command::new("kill").arg(stdio.pid().to_string()).status().expect("kill runs").success());
    assert_eq!(stdio.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
    eventually(Duration::from_secs(5), "the statement is cancelled", || {
        (running(&stdio).0 == 0).then_some(())
    });
    assert_eq!(written_by_tell(), 0, "what it wrote was rolled back");

    let mut stdio = start(&[]);
    stdio.send(&tell(json!(1), 30));
    wait_for_sleepers(&stdio, 1);
    stdio.stop_reading();
    // Its next lines find nobody.
    let status = eventually(Duration::from_secs(20), "it ends", || {
        let _ = stdio.try_write(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n");
        stdio.wait(Duration::from_millis(100))
    });
    assert_eq!(status.code(), Some(0));
    eventually(Duration::from_secs(5), "the statement is cancelled", || {
        (running(&stdio).0 == 0).then_some(())
    });
    assert_eq!(written_by_tell(), 0, "what it wrote was rolled back");
}

/// Proves what a host's user sees when it cannot start: exit code 1, nothing on standard output, the reason on standard error, and no key.
#[test]
fn it_does_not_start_without_a_key_that_is_served() {
    let stage = stage();
    let url = &stage.database.listener_url;
    let refused = |url: &str, variable: Option<&str>, arguments: &[&str], words: &[&str]| {
        let mut command = cli(url, &["stdio"]);
        command.args(arguments);
        if let Some(key) = variable {
            command.env("FLUXBASE_KEY", key);
        }
        let output = command.stdin(std::process::Stdio::null()).output().expect("fluxbase starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{told}");
        for word in words {
            assert!(told.contains(word), "{word:?} is missing in {told}");
        }
        assert!(fluxbase_tests::keys::secrets_in(&told).is_empty(), "{told}");
    };
    refused(url, None, &[], &["error: there is no key", "hint: Set FLUXBASE_KEY=fbk_"]);
    refused(url, Some("fbk_wrong"), &[], &["error: the key in FLUXBASE_KEY is not usable"]);
    let stranger = fluxbase_credential::Key::generate(fluxbase_credential::Kind::Client).expect("a key");
    let stranger = Key::of(&stranger.reveal());
    refused(
        url,
        Some(&stranger.plain),
        &[],
        &["error: Unauthorized", "unknown, revoked or expired", "clientkeys list"],
    );
    refused(
        url,
        Some(&stage.a.plain),
        &["--key-file", "/nowhere/key"],
        &["cannot read the key file /nowhere/key"],
    );
    let away = "postgres://fluxbase_listener@127.0.0.1:1/app?sslmode=disable";
    refused(away, Some(&stage.a.plain), &[], &["cannot be reached", "fluxbase doctor"]);
    let not_set_up = stage.cluster.admin_url("postgres");
    refused(&not_set_up, Some(&stage.a.plain), &[], &["not set up"]);
}

/// Proves that the key may come from a file, which wins, and that a file that others may read is told of.
#[test]
fn the_key_may_come_from_a_file() {
    let stage = stage();
    let path = std::env::temp_dir().join(format!("fluxbase-stdio-key-{}", std::process::id()));
    let remove = path.clone();
    std::fs::write(&path, format!("{}\n", stage.a.plain)).expect("written");
    for (mode, warned) in [(0o600, false), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        let mut child = cli(&stage.database.listener_url, &["stdio", "--key-file", &path.to_string_lossy()])
            .env("FLUXBASE_KEY", "fbk_wrong")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("fluxbase starts");
        let asked = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
        child.stdin.take().expect("a pipe").write_all(asked).expect("written");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr).contains("chmod 600"), warned);
    }
    std::fs::remove_file(remove).expect("removed");
}

/// Proves that a stream of changes works among other requests: it is acknowledged, told what changed and only of what its key sees, ends alone
/// when it is cancelled, and otherwise with its last message when the input ends.
#[test]
fn a_stream_of_changes_goes_on_beside_other_requests() {
    let database = &stage().database;
    let mut admin = database.admin();
    admin
        .batch_execute(
            "CREATE FUNCTION public.stdio_watched() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x' $$;
             REVOKE EXECUTE ON FUNCTION public.stdio_watched() FROM PUBLIC;
             GRANT EXECUTE ON FUNCTION public.stdio_watched() TO authenticated",
        )
        .expect("made");
    let key =
        database.client_key(&["--name", "stdio listens", "--user", TENANT_A, "--scopes", "read:vectors"]);
    let mut stdio = Stdio::start(&database.listener_url, &key, &[]);
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} });
    let listen = |id: &str| {
        let params = json!({ "notifications": { "toolsListChanged": true }, "_meta": meta });
        json!({ "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params }).to_string()
    };
    let id_of = |line: &Value| line["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
    for id in ["one", "two"] {
        stdio.send(&listen(id));
        let first = json(&stdio.receive());
        assert_eq!(
            (&first["method"], id_of(&first)),
            (&json!("notifications/subscriptions/acknowledged"), json!(id))
        );
    }
    let (told, answer) = stdio.ask(7, "tools/list", json!({ "_meta": meta }));
    assert!(told.is_empty() && answer["result"]["tools"].is_array(), "{told:?} {answer}");
    let register = |name: &str, scope: &str| {
        format!(
            "SELECT mcp.register_tool('{name}', 'public.stdio_watched()', 'Watched.', scopes => '{{{scope}}}')"
        )
    };
    admin.batch_execute(&register("stdio_unseen", "execute:rpc")).expect("registered");
    admin.batch_execute(&register("stdio_seen", "read:vectors")).expect("registered");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let line = json(&stdio.receive());
        assert_eq!(line["method"], "notifications/tools/list_changed");
        ids.push(id_of(&line).as_str().expect("an id").to_owned());
    }
    ids.sort();
    assert_eq!(ids, ["one", "two"], "each is told once");

    stdio.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "one", "_meta": meta } }).to_string());
    let (_, answer) = stdio.ask(8, "tools/list", json!({ "_meta": meta }));
    assert!(answer["result"]["tools"].is_array(), "{answer}");
    admin
        .batch_execute("SELECT mcp.unregister_tool('stdio_seen'); SELECT mcp.unregister_tool('stdio_unseen')")
        .expect("done");
    let line = json(&stdio.receive());
    assert_eq!((&line["method"], id_of(&line)), (&json!("notifications/tools/list_changed"), json!("two")));

    stdio.close();
    let rest: Vec<Value> = stdio.rest().iter().map(|line| json(line)).collect();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((&rest[0]["id"], &rest[0]["result"]["resultType"]), (&json!("two"), &json!("complete")));
    assert_eq!(stdio.wait(Duration::from_secs(20)).and_then(|status| status.code()), Some(0));
    admin.batch_execute("DROP FUNCTION public.stdio_watched()").expect("dropped");
}
