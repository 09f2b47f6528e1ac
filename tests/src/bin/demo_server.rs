//! Starts a whole server, writes one line of JSON that says how to reach it, and runs until its standard input closes.
//!
//! For the real clients in `tests/clients`: `{"url", "tenant_a": {"user", "key"}, "tenant_b": {…}, "service_key"}`.

use std::io::Read;

use fluxbase_tests::{Stage, TENANT_A, TENANT_B};
use serde_json::json;

fn main() {
    let stage = Stage::start();
    println!(
        "{}",
        json!({
            "url": format!("http://{}/mcp", stage.listener.address),
            "tenant_a": { "user": TENANT_A, "key": stage.a.plain },
            "tenant_b": { "user": TENANT_B, "key": stage.b.plain },
            "service_key": stage.service.plain,
        })
    );
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
