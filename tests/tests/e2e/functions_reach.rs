//! The way to the runtime of edge functions: whether doctor finds it, and whose certificate is trusted when it is https.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::cli_output;
use fluxbase_tests::web::Web;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

fn begin(url: &str) -> (Cluster, Database) {
    let cluster = Cluster::start(&format!("mcp.functions_url = '{url}'"));
    let database = Database::create(&cluster, "app");
    database
        .admin()
        .batch_execute(
            "SELECT mcp.install('{functions}'); INSERT INTO functions.edge_functions (name) VALUES ('hello')",
        )
        .expect("the tables can be made");
    (cluster, database)
}

/// Sets a setting of the server's.
fn set(database: &Database, name: &str, value: &str) {
    let mut admin = database.admin();
    admin.batch_execute(&format!("ALTER SYSTEM SET {name} = '{value}'")).expect("set");
    admin.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
}

/// What doctor says about functions: the level, and the whole line.
fn doctor(database: &Database) -> (String, String) {
    let output = cli_output(&database.admin_url, &["doctor", "--json", "--all"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let findings = all.as_array().or(all["findings"].as_array()).unwrap_or_else(|| panic!("{text}"));
    let mut of_functions = findings.iter().filter(|one| one["topic"] == json!("functions"));
    let one = of_functions.next().unwrap_or_else(|| panic!("nothing about functions: {text}"));
    assert!(of_functions.next().is_none(), "told once: {text}");
    (one["level"].as_str().unwrap_or_default().to_owned(), one.to_string())
}

/// Waits until the worker obeys what was set: what doctor says, at that level.
fn doctor_until(database: &Database, level: &str) -> String {
    eventually(Duration::from_secs(60), &format!("doctor says {level}"), || {
        let (found, line) = doctor(database);
        (found == level).then_some(line)
    })
}

/// Proves that doctor asks the runtime through the worker: any status is an answer, a closed port and one that never answers are none.
#[test]
fn doctor_says_whether_the_runtime_answers() {
    let web = Web::start();
    let (_cluster, database) = begin(&web.url());
    let (level, line) = doctor(&database);
    assert_eq!(level, "ok", "{line}");
    let asked = web.requests().pop().expect("it was asked");
    assert!(asked.line.starts_with("GET /v1") && asked.header("authorization").is_none(), "{asked:?}");
    // A refusal is an answer.
    set(&database, "mcp.functions_url", &format!("{}/fails", web.url()));
    eventually(Duration::from_secs(60), "the worker asks there", || {
        doctor(&database);
        web.requests().iter().any(|one| one.line.ends_with("/fails")).then_some(())
    });
    assert_eq!(doctor(&database).0, "ok");
    // Accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = silent.local_addr().expect("it is bound");
    set(&database, "mcp.functions_url", &format!("http://{address}/"));
    let line = doctor_until(&database, "error");
    assert!(line.contains("gave no complete reply within 3 s"), "{line}");
    drop(silent);
    let line = eventually(Duration::from_secs(60), "the port is closed", || {
        let (_, line) = doctor(&database);
        line.contains("cannot be reached").then_some(line)
    });
    assert!(line.contains("fluxbase functions serve"), "{line}");
}

/// A runtime over TLS with a certificate for `names` that it signed itself; where it is, and the certificate.
fn secure(names: &[&str]) -> (SocketAddr, String) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate that fits its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let connection = ServerConnection::new(config).expect("a server");
                let mut stream = StreamOwned::new(connection, stream);
                let (mut request, mut byte) = (Vec::new(), [0; 1]);
                while !request.ends_with(b"\r\n\r\n") {
                    // A client that does not trust us goes away.
                    if !stream.read(&mut byte).is_ok_and(|read| read > 0) {
                        return;
                    }
                    request.push(byte[0]);
                }
                _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\nconnection: close\r\n\r\n\"secure\"",
                );
                stream.conn.send_close_notify();
                _ = stream.flush();
            });
        }
    });
    (address, made.cert.pem())
}

/// The result of the function, and whether it is an error.
fn invoke(database: &Database) -> (bool, String) {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "invoke_function", "arguments": { "name": "hello" } } });
    let mut admin = database.admin();
    let row = admin.query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&request.to_string()]);
    let reply: Value = serde_json::from_str(row.expect("an answer").get(0)).expect("JSON");
    let text = reply["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    (reply["result"]["isError"] == json!(true), text)
}

/// Proves that a runtime over https is called only if an authority that the administrator named has signed its certificate, and it is for
/// that host; that a file that cannot be used trusts nobody; and that a refusal says that nothing was sent.
#[test]
fn a_runtime_over_https_must_prove_who_it_is() {
    let (address, certificate) = secure(&["localhost"]);
    let url = format!("https://localhost:{}", address.port());
    let (cluster, database) = begin(&url);
    let refused = |why: &str| {
        let (is_error, text) = invoke(&database);
        assert!(
            is_error && text.contains("cannot be reached") && text.contains("Nothing was sent"),
            "{text}"
        );
        assert!(text.to_lowercase().contains(why), "{why}: {text}");
    };
    refused("issuer");
    let (level, line) = doctor(&database);
    assert!(level == "error" && line.to_lowercase().contains("issuer"), "{line}");

    cluster.write("ca.pem", &certificate);
    set(&database, "mcp.worker_ca_file", &cluster.folder().join("ca.pem").display().to_string());
    doctor_until(&database, "ok");
    let (is_error, text) = invoke(&database);
    assert!(!is_error && text.contains("\"secure\""), "{text}");

    // The same authority, another name.
    set(&database, "mcp.functions_url", &format!("https://127.0.0.1:{}", address.port()));
    doctor_until(&database, "error");
    refused("not valid for name");

    // Another server with a certificate of its own for the right name.
    let (other, _) = secure(&["localhost"]);
    set(&database, "mcp.functions_url", &format!("https://localhost:{}", other.port()));
    eventually(Duration::from_secs(60), "the worker goes there", || {
        invoke(&database).1.to_lowercase().contains("signature").then_some(())
    });
    refused("signature");

    // The right one again, and a file that is none.
    set(&database, "mcp.functions_url", &url);
    doctor_until(&database, "ok");
    cluster.write("ca.pem", "no certificate");
    database.admin().batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    doctor_until(&database, "error");
    refused("issuer");
    assert!(cluster.log().contains("it holds no certificate"), "the log says what is wrong");
    cluster.write("ca.pem", &certificate);
    database.admin().batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    doctor_until(&database, "ok");
}
