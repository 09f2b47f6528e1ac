//! JSON-RPC and MCP over real HTTP, in both eras.

mod envelope;
mod legacy;
mod methods;
mod modern;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fluxbase_tests::mcp::{LATEST, message, meta};
use fluxbase_tests::{Era, Http, Response, stage};
use serde_json::{Value, json};

const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// POSTs a body of tenant A with further headers.
fn post(headers: &[(&str, &str)], body: &str) -> Response {
    let mut all = vec![("Content-Type", "application/json"), stage().a.pair()];
    all.extend(headers);
    Http::connect(stage().listener.address).post(&all, body.as_bytes())
}

/// The headers of a modern request.
fn modern<'a>(method: &'a str, name: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![("MCP-Protocol-Version", LATEST), ("Mcp-Method", method)];
    if !name.is_empty() {
        headers.push(("Mcp-Name", name));
    }
    headers
}

/// A modern body with these params beside its `_meta`.
fn modern_body(method: &str, mut params: Value) -> String {
    params["_meta"] = meta(LATEST);
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string()
}

fn check(case: &str, response: &Response, status: u16, code: i64, id: &Value) {
    assert_eq!((response.status, response.code()), (status, code), "{case}: {}", response.text());
    let body = response.json();
    assert_eq!(body["jsonrpc"], json!("2.0"), "{case}");
    assert_eq!(&body["id"], id, "{case}: {body}");
    if code != 0 {
        assert!(body.get("result").is_none() && !response.message().is_empty(), "{case}: {body}");
    }
}
