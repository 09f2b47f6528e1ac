//! The Rust SDK's client (crate rmcp) against a running server, in its three modes, over HTTP and over standard input and output
//! of `fluxbase stdio`.
//!
//! Takes the line of demo_server as its argument. Prints "ok N - …" or "not ok N - …" for each check, then "N passed, N failed".

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult, ProgressNotificationParam, ProtocolVersion};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};

/// How far a tool is, and what it says about it.
type Step = (f64, Option<String>);

/// A client that remembers what it was told.
#[derive(Clone, Default)]
struct Client {
    told: Arc<Mutex<Vec<Step>>>,
}

impl ClientHandler for Client {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.told.lock().expect("not poisoned").push((params.progress, params.message));
    }
}

type Session = RunningService<RoleClient, Client>;
type Problem = Box<dyn std::error::Error + Send + Sync>;

/// The checks, counted.
#[derive(Default)]
struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    fn check(&mut self, name: &str, holds: bool, shown: impl std::fmt::Debug) {
        let number = self.passed + self.failed + 1;
        if holds {
            self.passed += 1;
            println!("ok {number} - {name}");
        } else {
            self.failed += 1;
            println!("not ok {number} - {name}: {shown:?}");
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Door {
    Http,
    Stdio,
}

fn modes() -> [(&'static str, ClientLifecycleMode, &'static str); 3] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [
        ("initialize", ClientLifecycleMode::Initialize, "2025-11-25"),
        (
            "discover",
            ClientLifecycleMode::Discover { preferred_versions: preferred_versions.clone() },
            "2026-07-28",
        ),
        ("auto", ClientLifecycleMode::Auto { preferred_versions, legacy_version: None }, "2026-07-28"),
    ]
}

async fn connect(demo: &Value, door: Door, mode: ClientLifecycleMode, key: &str) -> Result<Session, Problem> {
    let client = Client::default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(match door {
        Door::Http => {
            let headers = HashMap::from([("x-client-key".parse()?, key.parse()?)]);
            let config =
                StreamableHttpClientTransportConfig::with_uri(text(&demo["url"])).custom_headers(headers);
            client.serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), mode).await?
        }
        Door::Stdio => {
            let mut command = tokio::process::Command::new(text(&demo["stdio"]["program"]));
            command.arg("stdio").env_clear();
            command
                .env("FLUXBASE_KEY", key)
                .env("FLUXBASE_DATABASE_URL", text(&demo["stdio"]["database_url"]));
            let (transport, _log) =
                TokioChildProcess::builder(command).stderr(std::process::Stdio::null()).spawn()?;
            client.serve_with_lifecycle(transport, mode).await?
        }
    })
}

fn text(result: &CallToolResult) -> String {
    let first = serde_json::to_value(&result.content).unwrap_or_default()[0]["text"].clone();
    first.as_str().unwrap_or_default().to_owned()
}

async fn call(session: &Session, tool: &'static str, arguments: Value) -> Result<CallToolResult, Problem> {
    let Value::Object(arguments) = arguments else { return Err("arguments are an object".into()) };
    Ok(session.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?)
}

async fn drive(
    checks: &mut Checks,
    name: &str,
    demo: &Value,
    door: Door,
    mode: ClientLifecycleMode,
    version: &str,
) -> Result<(), Problem> {
    let session = connect(demo, door, mode, demo["rpc_key"].as_str().unwrap_or_default()).await?;
    let server = session.peer_info().ok_or("the server has not said who it is")?;
    let spoken = server.protocol_version.to_string();
    checks.check(&format!("{name}: speaks {version}"), spoken == version, spoken);
    let shown = serde_json::to_string(&*server)?;
    checks.check(&format!("{name}: knows the server"), shown.contains("fluxbase_mcp_ext"), shown);

    let tools = session.list_all_tools().await?;
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let expected = ["query_table", "list_tables", "describe_table", "invoke_rpc", "count_up"];
    checks.check(&format!("{name}: lists the tools"), names == expected, &names);

    let found =
        call(&session, "query_table", json!({ "table": "users", "filter": { "is_active": "eq.true" } }))
            .await?;
    let rows: Value = serde_json::from_str(&text(&found)).unwrap_or_default();
    checks.check(&format!("{name}: queries"), rows[0]["email"] == "user@example.com", &found);
    let structured = found.structured_content.clone().unwrap_or_default();
    checks.check(
        &format!("{name}: structured content says the same"),
        structured["rows"] == rows,
        structured,
    );

    let counted = call(&session, "count_up", json!({})).await?;
    checks.check(&format!("{name}: calls a registered tool"), text(&counted) == "counted to 3", &counted);
    // Notifications are handed over in tasks of their own.
    let mut told = Vec::new();
    for _ in 0..100 {
        told = session.service().told.lock().expect("not poisoned").clone();
        if told.len() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    told.sort_by(|one, other| one.0.total_cmp(&other.0));
    let steps = (1..=3).map(|n| (f64::from(n), Some(format!("step {n}")))).collect::<Vec<_>>();
    checks.check(&format!("{name}: is told the progress"), told == steps, &told);

    let mistake =
        call(&session, "query_table", json!({ "table": "notes", "filter": { "title": "no operator" } }))
            .await?;
    let explained = mistake.is_error == Some(true) && text(&mistake).contains("eq.no operator");
    checks.check(&format!("{name}: a mistake is explained"), explained, &mistake);
    let unknown = call(&session, "nothing", json!({})).await.map_err(|error| error.to_string());
    checks.check(
        &format!("{name}: an unknown tool is an error"),
        unknown.as_ref().is_err_and(|error| error.contains("nothing")),
        &unknown,
    );
    session.cancel().await?;
    Ok(())
}

#[tokio::main]
async fn main() {
    let demo: Value =
        serde_json::from_str(&std::env::args().nth(1).unwrap_or_default()).expect("the line of demo_server");
    let mut checks = Checks::default();
    for (door, door_name) in [(Door::Http, "http"), (Door::Stdio, "stdio")] {
        for (mode_name, mode, version) in modes() {
            let name = format!("rmcp {door_name} {mode_name}");
            let driven = drive(&mut checks, &name, &demo, door, mode.clone(), version);
            match tokio::time::timeout(Duration::from_secs(60), driven).await {
                Ok(Ok(())) => {}
                Ok(Err(problem)) => checks.check(&format!("{name}: runs to its end"), false, problem),
                Err(_) => {
                    checks.check(&format!("{name}: runs to its end"), false, "it took more than a minute")
                }
            }
            let stranger = connect(&demo, door, mode, "fbk_wrong").await;
            checks.check(&format!("{name}: a wrong key is refused"), stranger.is_err(), "it was served");
        }
    }
    println!("{} passed, {} failed", checks.passed, checks.failed);
    std::process::exit(i32::from(checks.failed > 0));
}
