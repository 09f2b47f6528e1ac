//! The user's document, letter for letter.
//!
//! Its lines are copied from it and run as they stand; only the key's placeholder is replaced. That `localhost:8080` is our
//! listener is arranged in curl's own configuration file, outside the line.

use std::process::Command;

use fluxbase_tests::cluster::run;
use fluxbase_tests::settings::path;
use fluxbase_tests::{Http, Key, stage};
use serde_json::{Value, json};

/// "Use the key in requests" of the document.
const CLIENT_LINE: &str = r#"curl -X POST http://localhost:8080/mcp \
  -H "Content-Type: application/json" \
  -H "X-Client-Key: your-client-key" \
  -d '{"jsonrpc":"2.0","method":"tools/list","id":1}'
"#;

/// "Service keys have full access" of the document.
const SERVICE_LINE: &str = r#"curl -X POST http://localhost:8080/mcp \
  -H "Content-Type: application/json" \
  -H "X-Service-Key: your-service-key" \
  -d '{"jsonrpc":"2.0","method":"tools/list","id":1}'
"#;

/// "Example Request" of the document.
const EXAMPLE_REQUEST: &str = r#"{
  "jsonrpc": "2.0",
  "method": "tools/call",
  "params": {
    "name": "query_table",
    "arguments": {
      "table": "users",
      "select": "id,email,created_at",
      "filter": {"is_active": "eq.true"},
      "limit": 10
    }
  },
  "id": 1
}"#;

/// "Example Response" of the document, with the fixture's values in the place of its dots, and without its line breaks.
const EXAMPLE_RESPONSE: &str = r#"{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"[{\"id\":\"11111111-1111-4111-8111-111111111111\",\"email\":\"user@example.com\",\"created_at\":\"2026-01-02T03:04:05.678+00:00\"}]"}],"isError":false},"id":1}"#;

/// Runs a line of the document in a shell. curl reads where `localhost:8080` is from `.curlrc`.
fn shell(line: &str) -> String {
    let stage = stage();
    let home = stage.cluster.folder().join("curl");
    std::fs::create_dir_all(&home).expect("a folder for curl");
    let rules = format!("connect-to = \"localhost:8080:{}\"\nsilent\nshow-error\n", stage.listener.address);
    std::fs::write(home.join(".curlrc"), rules).expect("curl's configuration");
    run(Command::new("bash")
        .args(["-c", line])
        .env_clear()
        .env("PATH", path())
        .env("CURL_HOME", &home)
        .env("HOME", &home))
}

fn tool_names(list: &Value) -> Vec<&str> {
    let tools = list["result"]["tools"].as_array().expect("a list of tools");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect()
}

const TABLE_TOOLS: [&str; 7] = [
    "query_table",
    "insert_record",
    "update_record",
    "delete_record",
    "write_batch",
    "list_tables",
    "describe_table",
];

/// The others that there are without pgvector.
const OTHER_TOOLS: [&str; 11] = [
    "invoke_function",
    "invoke_rpc",
    "list_objects",
    "download_object",
    "upload_object",
    "delete_object",
    "submit_job",
    "get_job_status",
    "list_jobs",
    "cancel_job",
    "get_job_logs",
];

/// Proves that the document's first curl line works as printed and lists exactly the tools, in order, in the document's
/// shape: `jsonrpc`, `result`, `id`, and for each tool nothing but name, description and inputSchema.
#[test]
fn the_client_curl_line_lists_the_tools() {
    let answer = shell(&CLIENT_LINE.replace("your-client-key", &stage().a.plain));
    check_list(&answer, &TABLE_TOOLS);
}

/// Proves the same for the service key's line.
#[test]
fn the_service_curl_line_lists_the_tools() {
    let answer = shell(&SERVICE_LINE.replace("your-service-key", &stage().service.plain));
    // It has all scopes.
    check_list(&answer, &[&TABLE_TOOLS[..], &OTHER_TOOLS[..]].concat());
}

fn check_list(answer: &str, tools: &[&str]) {
    assert!(
        answer.starts_with(r#"{"jsonrpc":"2.0","result":{"tools":[{"name":"query_table","description":""#),
        "{answer}"
    );
    assert!(answer.ends_with(r#"}]},"id":1}"#), "{answer}");
    let list: Value = serde_json::from_str(answer).expect("JSON");
    assert_eq!(list.as_object().expect("an object").len(), 3);
    assert_eq!(list["result"].as_object().expect("an object").len(), 1);
    assert_eq!(tool_names(&list), tools);
    for tool in list["result"]["tools"].as_array().expect("a list") {
        let keys: Vec<&String> = tool.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["description", "inputSchema", "name"], "{tool}");
        let order =
            format!(r#"{{"name":{},"description":{},"inputSchema":{{"#, tool["name"], tool["description"]);
        assert!(answer.contains(&order), "the order of the keys of {}", tool["name"]);
        assert_eq!(tool["inputSchema"]["type"], json!("object"));
        assert_eq!(tool["inputSchema"]["additionalProperties"], json!(false));
    }
}

/// Proves that the document's example request, with its line breaks and spaces, gives the document's example response
/// byte for byte.
#[test]
fn the_example_request_gives_the_example_response() {
    let line = CLIENT_LINE.replace(r#"{"jsonrpc":"2.0","method":"tools/list","id":1}"#, EXAMPLE_REQUEST);
    let answer = shell(&line.replace("your-client-key", &stage().a.plain));
    assert_eq!(answer, EXAMPLE_RESPONSE);
}

/// What curl sends for the document's line, byte by byte.
fn raw_request(key: &Key, body: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\nContent-Type: \
         application/json\r\n{}: {}\r\nContent-Length: {}\r\n\r\n{body}",
        key.header,
        key.plain,
        body.len()
    )
}

/// Proves the same without curl, and that status and content type are what an HTTP client expects.
#[test]
fn the_raw_bytes_of_curl_are_answered_alike() {
    let stage = stage();
    for key in [&stage.a, &stage.service] {
        let mut http = Http::connect(stage.listener.address);
        http.send(raw_request(key, EXAMPLE_REQUEST).as_bytes()).expect("sent");
        let response = http.receive();
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.text(), EXAMPLE_RESPONSE);
    }
}

/// Proves that the methods the document names are all there, in its plain shape.
#[test]
fn every_method_of_the_document_answers() {
    let stage = stage();
    let mut client = stage.listener.client(&stage.a);
    let ping = client.request("ping", json!({}));
    assert_eq!(ping.text(), r#"{"jsonrpc":"2.0","result":{},"id":1}"#);
    let hello = json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
    assert_eq!(client.request("initialize", hello).json()["result"]["protocolVersion"], json!("2024-11-05"));
    let list = client.request("resources/list", json!({})).json();
    assert_eq!(list["result"]["resources"][0]["uri"], json!("fluxbase://schema/tables"), "{list}");
    let read = client.request("resources/read", json!({ "uri": "fluxbase://schema/tables" })).json();
    let text = read["result"]["contents"][0]["text"].as_str().expect("a text");
    assert!(text.contains(r#""name":"users""#), "{text}");
    assert_eq!(
        read["result"].as_object().expect("an object").len(),
        1,
        "no keys beyond the plain shape: {read}"
    );
}

/// Proves that the documented command that makes a key works letter for letter, and that the key can read at once.
#[test]
fn the_documented_command_makes_a_key() {
    let stage = stage();
    const LINE: &str = "fluxbase clientkeys create --name \"AI Assistant\" \\\n  --scopes \
                        \"read:tables,write:tables,execute:functions\"\n";
    let folder =
        fluxbase_tests::settings::settings().fluxbase.parent().expect("a folder").display().to_string();
    let told = run(Command::new("bash")
        .args(["-c", LINE])
        .env_clear()
        .env("PATH", format!("{folder}:{}", path()))
        .env("FLUXBASE_DATABASE_URL", &stage.database.admin_url)
        .current_dir("/"));
    let plain = told.split_whitespace().find(|word| word.starts_with("fbk_")).expect("the key is shown");
    let mut client = stage.listener.client(&Key::of(plain));
    assert_eq!(client.rows(json!({ "table": "users", "select": "email" })).len(), 2);
    assert!(
        client.rows(json!({ "table": "notes" })).is_empty(),
        "it has no user, so it sees no tenant's row"
    );
}

/// Proves the health line: no key, the documented path.
#[test]
fn the_health_check_needs_no_key() {
    let health = Http::connect(stage().listener.address).get("GET /mcp/health", &[]);
    assert_eq!(health.status, 200);
    assert_eq!(
        health.text(),
        r#"{"status":"healthy","protocolVersion":"2026-07-28","serverVersion":"0.1.0"}"#
    );
}
