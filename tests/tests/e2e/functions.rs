//! Edge functions called in SQL, through the delegate worker, and the worker itself: what it answers, how it ends, whom it is in the way of.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluxbase_tests::cluster::{Cluster, connect};
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::settings::settings;
use fluxbase_tests::web::Web;
use postgres::Client;
use serde_json::{Value, json};

/// A cluster whose functions are served by `web`.
fn begin(web: &Web, more: &str) -> (Cluster, Database) {
    let cluster = Cluster::start(&format!("mcp.functions_url = '{}'\n{more}", web.url()));
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    admin.batch_execute("SELECT mcp.install('{functions}')").expect("the tables can be made");
    let names = ["echo", "text", "bytes", "fails", "large", "huge", "redirect", "sleeps", "hangs"];
    for name in names {
        admin.execute("INSERT INTO functions.edge_functions (name) VALUES ($1)", &[&name]).expect("inserted");
    }
    (cluster, database)
}

/// The result of `invoke_function`.
fn invoke(client: &mut Client, arguments: Value) -> Result<Value, postgres::Error> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "invoke_function", "arguments": arguments } });
    let row = client.query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&request.to_string()])?;
    let reply: Value = serde_json::from_str(row.get(0)).expect("JSON");
    Ok(reply["result"].clone())
}

/// What the tool gives back, of a call that is no error.
fn output(client: &mut Client, arguments: Value) -> Value {
    let result = invoke(client, arguments).expect("an answer");
    assert_eq!(result["isError"], json!(false), "{result}");
    serde_json::from_str(result["content"][0]["text"].as_str().expect("a text")).expect("JSON")
}

/// The text of a call that is an error.
fn error(client: &mut Client, arguments: Value) -> String {
    let result = invoke(client, arguments).expect("an answer");
    assert_eq!(result["isError"], json!(true), "{result}");
    result["content"][0]["text"].as_str().expect("a text").to_owned()
}

/// Proves the documented answer, that the function is told who calls and never the key, and that every call leaves its row.
#[test]
fn a_function_is_called_and_told_by_whom() {
    let web = Web::start();
    let (_cluster, database) = begin(&web, "");
    let mut admin = database.admin();
    let answer = output(
        &mut admin,
        json!({ "name": "echo", "method": "PUT", "body": {"a": 1.50}, "headers": {"X-Trace": "t"} }),
    );
    assert_eq!(answer["status"], json!(200));
    assert_eq!(answer["headers"]["x-two"], json!("a, b"));
    assert_eq!(answer["headers"].get("content-length"), None);
    assert_eq!(answer["body"]["line"], json!("PUT /v1/echo"));
    let execution = answer["execution_id"].as_str().expect("an id").to_owned();
    let seen = web.requests().pop().expect("a request");
    assert_eq!((seen.body.as_str(), seen.header("x-trace")), (r#"{"a": 1.5}"#, Some("t")));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("x-fluxbase-execution-id"), Some(execution.as_str()));
    let row = admin
        .query_one("SELECT status, status_code, completed_at IS NOT NULL FROM functions.edge_executions WHERE id::text = $1", &[&execution])
        .expect("the row");
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, i32>(1), row.get::<_, bool>(2)),
        ("completed", 200, true)
    );

    let key = database.client_key(&[
        "--name",
        "Ann",
        "--user",
        "ann",
        "--scopes",
        "execute:functions",
        "--claims",
        r#"{"tenant":"T","exp":1,"aud":"x"}"#,
    ]);
    let mut transaction = admin.transaction().expect("begun");
    transaction.execute("SELECT mcp.authenticate($1)", &[&key.plain]).expect("taken");
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "invoke_function", "arguments": { "name": "echo" } } });
    transaction
        .query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&request.to_string()])
        .expect("called");
    transaction.commit().expect("committed");
    let seen = web.requests().pop().expect("a request");
    let told = format!("{seen:?}");
    assert!(!told.contains(&key.plain) && !told.contains(&key.id), "the key stays here");
    let token =
        seen.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).expect("a token");
    let secret: String = admin.query_one("SELECT mcp.functions_secret()", &[]).expect("the secret").get(0);
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let expected: String = admin
        .query_one(
            // HMAC of RFC 2104 by hand: the test shall not use the code that it tests.
            "SELECT encode(sha256(o || sha256(i || convert_to($1, 'UTF8'))), 'base64')
               FROM (SELECT string_agg(set_byte('\\x00', 0, get_byte(k, n) # 92), '' ORDER BY n) AS o,
                            string_agg(set_byte('\\x00', 0, get_byte(k, n) # 54), '' ORDER BY n) AS i
                       FROM (SELECT convert_to($2, 'UTF8') AS k) AS s, generate_series(0, 63) AS n) AS pads",
            &[&signed, &secret],
        )
        .expect("computed")
        .get(0);
    assert_eq!(signature, expected.replace('+', "-").replace('/', "_").trim_end_matches('='));
    let payload = URL_SAFE_NO_PAD.decode(signed.split_once('.').expect("two parts").1).expect("base64url");
    let claims: Value = serde_json::from_slice(&payload).expect("JSON");
    for (name, value) in [
        ("sub", "ann"),
        ("role", "authenticated"),
        ("tenant", "T"),
        ("aud", "functions"),
        ("iss", "fluxbase_mcp_ext"),
        ("function", "echo"),
    ] {
        assert_eq!(claims[name], json!(value), "{claims}");
    }
    assert_eq!(claims["jti"].as_str(), seen.header("x-fluxbase-execution-id"));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        60,
        "a key cannot make it last"
    );
    let by: String = admin
        .query_one("SELECT concat_ws(' ', role_name, user_id, key_id) FROM functions.edge_executions ORDER BY started_at DESC LIMIT 1", &[])
        .expect("the row")
        .get(0);
    assert_eq!(by, format!("authenticated ann {}", key.id));
}

/// Proves how each kind of body is shown, that a status is no error, and that bounds are told.
#[test]
fn every_answer_has_its_form() {
    let web = Web::start();
    let (_cluster, database) = begin(&web, "");
    let mut admin = database.admin();
    assert_eq!(output(&mut admin, json!({ "name": "text" }))["body"], json!("gr\u{fc}n \"0\"\n"));
    let bytes = output(&mut admin, json!({ "name": "bytes" }));
    assert_eq!((&bytes["body"], &bytes["body_encoding"]), (&json!("AP8B"), &json!("base64")));
    let fails = output(&mut admin, json!({ "name": "fails" }));
    assert_eq!((&fails["status"], &fails["body"]), (&json!(500), &json!({"error": "broken"})));
    let large = output(&mut admin, json!({ "name": "large" }));
    assert_eq!(large["body"].as_str().unwrap().chars().count(), 40_000);
    assert_eq!(large["truncated"]["bytes"], json!(200_000));
    assert_eq!(output(&mut admin, json!({ "name": "redirect" }))["status"], json!(302));
    let huge = error(&mut admin, json!({ "name": "huge" }));
    assert!(huge.contains("larger than 10485760 bytes") && huge.contains("It has run."), "{huge}");
    let raw: String = admin
        .query_one(
            r#"SELECT mcp.handle('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"invoke_function","arguments":{"name":"echo"}}}')::text"#,
            &[],
        )
        .expect("called")
        .get(0);
    assert!(raw.contains("12345678901234567890"), "digits are kept: {raw}");
    assert_eq!(
        web.requests().iter().filter(|request| request.line.ends_with("/echo")).count(),
        1,
        "no redirect was followed"
    );
    let rows = admin
        .query("SELECT f.name, e.status, e.status_code FROM functions.edge_executions AS e JOIN functions.edge_functions AS f ON f.id = e.function_id ORDER BY e.started_at", &[])
        .expect("rows");
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            format!("{} {} {:?}", row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, Option<i32>>(2))
        })
        .collect();
    assert_eq!(
        rows,
        [
            "text completed Some(200)",
            "bytes completed Some(200)",
            "fails completed Some(500)",
            "large completed Some(200)",
            "redirect completed Some(302)",
            "huge failed None",
            "echo completed Some(200)"
        ]
    );
}

/// Proves that a cancel, a timeout, the function's own time and the end of a session end the call itself.
#[test]
fn whoever_stops_waiting_ends_the_call() {
    let web = Web::start();
    let (_cluster, database) = begin(&web, "client_connection_check_interval = 100ms");
    let hangs = || json!({ "name": "hangs" });
    let mut admin = database.admin();
    admin.batch_execute("SET statement_timeout = 300").expect("set");
    let failed = invoke(&mut admin, hangs()).expect_err("statement_timeout");
    assert_eq!(failed.code().map(|code| code.code()), Some("57014"), "{failed}");
    web.until_open(0);
    admin
        .batch_execute("RESET statement_timeout; UPDATE functions.edge_functions SET timeout_seconds = 1")
        .expect("set");
    let text = error(&mut admin, hangs());
    assert!(text.contains("no complete reply within 1 s. It may or may not have run"), "{text}");
    web.until_open(0);
    let row =
        admin.query_one("SELECT status, error_message FROM functions.edge_executions", &[]).expect("one row");
    assert_eq!(row.get::<_, &str>(0), "timeout");
    admin.batch_execute("UPDATE functions.edge_functions SET timeout_seconds = 600").expect("set");

    let mut other = database.admin();
    let cancel = other.cancel_token();
    let waiting = std::thread::spawn(move || invoke(&mut other, json!({ "name": "hangs" })));
    web.until_open(1);
    cancel.cancel_query(postgres::NoTls).expect("sent");
    let failed = waiting.join().expect("no panic").expect_err("cancelled");
    assert_eq!(failed.code().map(|code| code.code()), Some("57014"), "{failed}");
    web.until_open(0);

    let mut other = database.admin();
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).expect("a number").get(0);
    let waiting = std::thread::spawn(move || invoke(&mut other, json!({ "name": "hangs" })));
    web.until_open(1);
    admin.execute("SELECT pg_terminate_backend($1)", &[&pid]).expect("sent");
    assert!(waiting.join().expect("no panic").is_err());
    web.until_open(0);
    let running: i64 =
        admin.query_one("SELECT calls::int8 FROM mcp.worker_status()", &[]).expect("a row").get(0);
    assert_eq!(running, 0);
}

/// Proves that a worker that ends in the middle is told as such, that it comes back, and that it is in nobody's way meanwhile; a basebackup
/// does not warn of its socket.
#[test]
fn the_worker_ends_and_comes_back() {
    let web = Web::start();
    let (cluster, database) = begin(&web, "");
    let mut admin = database.admin();
    let mut other = database.admin();
    let waiting = std::thread::spawn(move || error(&mut other, json!({ "name": "hangs" })));
    web.until_open(1);
    admin.batch_execute("CREATE DATABASE more TEMPLATE template0").expect("not blocked");
    admin.batch_execute("DROP DATABASE more").expect("not blocked");
    let backup = cluster.folder().join("backup");
    let warned = settings()
        .postgres("pg_basebackup")
        .arg(format!("--dbname={}", cluster.admin_url("postgres")))
        .arg(format!("--pgdata={}", backup.display()))
        .args(["--checkpoint=fast", "--wal-method=stream"])
        .output()
        .expect("it runs");
    assert!(
        warned.status.success() && warned.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&warned.stderr)
    );
    let pid: i32 = admin.query_one("SELECT pid FROM mcp.worker_status()", &[]).expect("a row").get(0);
    admin.execute("SELECT pg_terminate_backend($1)", &[&pid]).expect("sent");
    let text = waiting.join().expect("no panic");
    assert!(
        text.contains("the delegate worker ended before it had answered. The call may or may not have run"),
        "{text}"
    );
    web.until_open(0);
    assert_eq!(
        output(&mut admin, json!({ "name": "text" }))["status"],
        json!(200),
        "a caller waits for it to come back"
    );
    let now: i32 = admin.query_one("SELECT pid FROM mcp.worker_status()", &[]).expect("a row").get(0);
    assert_ne!(now, pid);
    let statuses: Vec<String> = admin
        .query("SELECT status FROM functions.edge_executions ORDER BY started_at", &[])
        .expect("rows")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(statuses, ["failed", "completed"]);
    admin
        .batch_execute("DROP SCHEMA functions CASCADE; DROP EXTENSION fluxbase_mcp_ext CASCADE")
        .expect("not blocked");
}

/// Proves that two hundred calls in flight neither hold up a stop of the server nor each other.
#[test]
fn two_hundred_calls_at_once() {
    let web = Web::start();
    let (cluster, database) = begin(&web, "max_connections = 260");
    let mut clients: Vec<Client> = (0..200).map(|_| database.admin()).collect();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || {
                assert_eq!(output(client, json!({ "name": "sleeps" }))["body"], json!("slept"))
            });
        }
    });
    println!("200 calls that sleep a second: {:.2} s", begun.elapsed().as_secs_f32());
    let (stopped, told) = std::thread::scope(|scope| {
        let waiting: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(move || invoke(client, json!({ "name": "hangs" }))))
            .collect();
        web.until_open(200);
        let begun = Instant::now();
        cluster.stop("fast");
        let stopped = begun.elapsed();
        let told = waiting.into_iter().map(|one| one.join().expect("no panic")).filter(Result::is_err);
        (stopped, told.count())
    });
    println!("stopped with 200 calls in flight: {:.2} s", stopped.as_secs_f32());
    assert_eq!(told, 200);
    assert!(stopped < Duration::from_secs(20), "{stopped:?}");
    web.until_open(0);
}

/// Proves that the worker serves a hot standby, where nothing can be written.
#[test]
fn a_standby_has_its_worker() {
    let web = Web::start();
    let (cluster, database) = begin(&web, "");
    let mut admin = database.admin();
    admin
        .batch_execute(
            "UPDATE functions.edge_functions SET disable_execution_logs = true WHERE name = 'text'",
        )
        .expect("set");
    let standby = cluster.standby("");
    let mut there = connect(&standby.admin_url("app")).expect("it answers");
    eventually(Duration::from_secs(30), "the worker of the standby", || {
        let row = there.query_one("SELECT state FROM mcp.worker_status()", &[]).expect("a row");
        (row.get::<_, &str>(0) == "running").then_some(())
    });
    eventually(Duration::from_secs(30), "the standby has the row", || {
        let row = there
            .query_one("SELECT count(*) FROM functions.edge_functions WHERE disable_execution_logs", &[])
            .ok()?;
        (row.get::<_, i64>(0) == 1).then_some(())
    });
    assert_eq!(output(&mut there, json!({ "name": "text" }))["status"], json!(200));
    let text = error(&mut there, json!({ "name": "echo" }));
    assert!(text.contains("read-only transaction"), "{text}");
    assert_eq!(web.requests().len(), 1, "what cannot be written down is not called");
}

/// Proves that without the preload the tool says what to set, and that nothing else is missing.
#[test]
fn without_the_preload_it_says_what_to_set() {
    let web = Web::start();
    let (_cluster, database) = begin(&web, "shared_preload_libraries = ''");
    let mut admin = database.admin();
    let text = error(&mut admin, json!({ "name": "text" }));
    assert!(
        text.contains("shared_preload_libraries = 'fluxbase_mcp_ext'") && text.contains("Nothing was sent"),
        "{text}"
    );
    let row = admin.query_one("SELECT state, hint FROM mcp.worker_status()", &[]).expect("a row");
    assert_eq!(row.get::<_, &str>(0), "not preloaded");
    assert_eq!(web.requests().len(), 0);
}
