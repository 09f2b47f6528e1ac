//! The rules of the listener that are HTTP's and not MCP's: what is refused, with which status, header and body.

mod bodies;
mod check;
mod connections;
mod cors;
mod keys;
mod limits;
mod metrics;
mod origin;
mod paths;
mod service;
mod sockets;
mod systemd;
mod tls;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fluxbase_tests::{Cluster, Database, Ended, Http, Key, Listener, Response, TENANT_A, eventually, stage};
use serde_json::{Value, json};

const LIST: &[u8] = br#"{"jsonrpc":"2.0","method":"tools/list","id":1}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn connect() -> Http {
    Http::connect(stage().listener.address)
}

/// A POST of `tools/list` with these headers beside the content type, on a connection of its own.
fn list_with(headers: &[(&str, &str)]) -> Response {
    let mut all = vec![JSON];
    all.extend(headers);
    connect().post(&all, LIST)
}

/// Checks an error that is a JSON-RPC body: status, code, id, and a message that says something.
fn is_error(response: &Response, status: u16, code: i64, id: Value) {
    assert_eq!((response.status, response.code()), (status, code), "{}", response.text());
    let body = response.json();
    assert_eq!(body["jsonrpc"], json!("2.0"));
    assert_eq!(body["id"], id, "{body}");
    assert_eq!(body.as_object().expect("an object").len(), 3, "{body}");
    assert!(
        body["error"]["message"].as_str().expect("a message").len() > 20,
        "the message says something: {body}"
    );
    assert_eq!(response.header("content-type"), Some("application/json"));
}

/// How a command ended that is to end soon by itself, and what it wrote to standard error.
fn ends(mut command: Command) -> (Option<i32>, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("fluxbase starts");
    let begun = Instant::now();
    while child.try_wait().expect("our child").is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("our child");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A key of the right form that nobody made.
fn unknown_key(kind: fluxbase_credential::Kind) -> Key {
    Key::of(&fluxbase_credential::Key::generate(kind).expect("randomness").reveal())
}
