//! A small server around the crate: two tools, one resource, no Postgres.

#![allow(dead_code, reason = "each test program uses a part")]

use fluxbase_protocol::*;
use serde_json::{Value, json};

pub static SERVER: ServerInfo<'static> =
    ServerInfo { name: "fluxbase_mcp_ext", version: "0.1.0", instructions: "Filters are \"op.value\"." };

/// The rows of the user's document, as Postgres would print them.
pub const ROWS: &str = r#"[{"id":"...","email":"user@example.com","created_at":"..."}]"#;

pub const TOOLS: [ToolEntry<'static>; 2] = [
    ToolEntry {
        name: "query_table",
        title: "Query a table",
        description: "Reads rows.\nSay \"table\".",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string"}},"required":["table"],"additionalProperties":false}"#,
        output_schema: Some(
            r#"{"type":"object","properties":{"rows":{"type":"array"}},"required":["rows"]}"#,
        ),
        annotations: Annotations { read_only: true, destructive: false, idempotent: true, open_world: false },
    },
    ToolEntry {
        name: "delete_record",
        title: "",
        description: "Deletes rows.",
        input_schema: r#"{"type":"object"}"#,
        output_schema: None,
        annotations: Annotations { read_only: false, destructive: true, idempotent: true, open_world: false },
    },
];

pub const RESOURCE: ResourceEntry<'static> = ResourceEntry {
    uri: "fluxbase://schema/tables",
    name: "tables",
    title: "Tables",
    description: "Every table.",
    mime_type: "application/json",
};

pub const TEMPLATE: ResourceEntry<'static> = ResourceEntry {
    uri: "fluxbase://schema/tables/{schema}/{table}",
    name: "table",
    title: "",
    description: "",
    mime_type: "",
};

pub const PROMPT: PromptEntry<'static> =
    PromptEntry { name: "city", title: "City", description: "A city.", arguments: r#"[{"name":"city"}]"# };

pub const TASK: Task<'static> = Task {
    id: "7\"",
    state: State::Working,
    message: "half",
    created_at: "2026-11-22T10:30:00Z",
    updated_at: "2026-11-22T10:40:00Z",
    ttl_ms: Some(60_000),
    poll_interval_ms: 1000,
};

/// The state that the id of a task names here.
fn states(id: &str) -> State<'static> {
    match id {
        "asks" => State::InputRequired(r#"{"who":{"method":"roots/list"}}"#),
        "done" => State::Completed(r#"{"content":[],"isError":false}"#),
        "failed" => State::Failed(r#"{"code":-32603,"message":"no"}"#),
        "cancelled" => State::Cancelled,
        _ => State::Working,
    }
}

/// Answers as the extension does.
pub fn answer(call: &Call) -> Reply {
    match &call.method {
        Method::Initialize { .. } => call.initialized(&SERVER),
        Method::Ping => call.pong(),
        Method::Discover => call.discovered(&SERVER, true),
        Method::ListTools => call.tools(TOOLS.into_iter()),
        Method::CallTool { name, .. } if name == "query_table" => call.tool_output(&ToolOutput {
            text: ROWS.to_owned(),
            structured: Structured::Wrapped { before: r#"{"rows":"#.to_owned(), after: "}".to_owned() },
            notes: vec![],
        }),
        Method::CallTool { name, answers, .. } if name == "asking" => match &answers.request_state {
            None => call.input_required(r#"{"who":{"method":"roots/list"}}"#, Some("a \"state\"")),
            Some(state) => call.tool_content(&ToolContent {
                content: format!(r#"[{{"type":"text","text":{}}}]"#, Value::from(state.as_str())),
                structured: Some(answers.input_responses.as_ref().map_or("{}", |raw| raw.get()).to_owned()),
                is_error: false,
            }),
        },
        Method::CallTool { name, .. } if name == "long" && call.wishes.declares(TASKS) => {
            call.task_created(&Task { state: State::Working, ..TASK })
        }
        Method::CallTool { name, .. } if name == "failing" => call.tool_error("It failed: \"no\".\n"),
        Method::CallTool { name, .. } => call.error(&RpcError::unknown_tool(name, None)),
        Method::ListResources => call.resources([RESOURCE].into_iter()),
        Method::ListResourceTemplates => call.resource_templates([TEMPLATE].into_iter()),
        Method::ReadResource { uri } if uri == RESOURCE.uri => {
            call.resource(uri, RESOURCE.mime_type, r#"["a"]"#)
        }
        Method::ReadResource { uri } => call.resource_not_found(uri),
        Method::ListPrompts => call.prompts([PROMPT].into_iter()),
        Method::GetPrompt { name, .. } if name == PROMPT.name => {
            call.prompt("A city.", r#"[{"role":"user","content":{"type":"text","text":"Rome"}}]"#)
        }
        Method::GetPrompt { name, .. } => call.error(&RpcError::unknown_prompt(name, None)),
        Method::Complete { value, .. } => call.completion([value.as_str()].into_iter(), 1, false),
        Method::SetLevel | Method::Subscribe => call.pong(),
        Method::Task { id, verb } => match (id.as_str(), verb) {
            ("none", _) => call.unknown_task(id),
            (_, Verb::Get) => call.task(&Task { state: states(id), ..TASK }),
            (_, Verb::Update(_) | Verb::Cancel) => call.task_heard(),
        },
        // The last message, which is the answer.
        Method::Listen(_) => Reply::new(200, call.listened()),
    }
}

/// The reply to a message.
pub fn send(text: &str, headers: Option<&Headers>) -> Reply {
    let one = |message: Result<Incoming, Reply>| match message
        .and_then(|incoming| incoming.respond(headers, &SERVER))
    {
        Ok(call) => answer(&call),
        Err(reply) => reply,
    };
    match batch(text, headers) {
        None => one(parse(text)),
        Some(Err(reply)) => reply,
        Some(Ok(messages)) => join(messages.into_iter().map(one)),
    }
}

/// Status and body as JSON; panics when the body is no JSON. An empty body is null.
pub fn exchange(text: &str, headers: Option<&Headers>) -> (u16, Value) {
    let reply = send(text, headers);
    (reply.status, reply.body.map_or(Value::Null, |body| serde_json::from_str(&body).expect(&body)))
}

/// Status, error code (0 for a result or an empty body), and id (null when there is none).
pub fn outcome(text: &str, headers: Option<&Headers>) -> (u16, i64, Value) {
    let (status, body) = exchange(text, headers);
    if !body.is_null() {
        assert_eq!(body["jsonrpc"], "2.0");
        assert!(body.get("id").is_some(), "a body always has an id: {body}");
        assert_ne!(body.get("result").is_some(), body.get("error").is_some(), "{body}");
    }
    if let Some(error) = body.get("error") {
        let message = error["message"].as_str().expect("a message");
        assert!(message.len() > 15 && message.ends_with('.'), "{message}");
    }
    (status, body["error"]["code"].as_i64().unwrap_or(0), body["id"].clone())
}

/// The headers of HTTP with this protocol version; empty: absent.
pub fn version_header(version: &str) -> Headers {
    let protocol_version = if version.is_empty() { vec![] } else { vec![version.to_owned()] };
    Headers { protocol_version, ..Headers::default() }
}

/// The headers that a modern client sends.
pub fn modern_headers(method: &str, name: &str) -> Headers {
    Headers {
        protocol_version: vec![LATEST.to_owned()],
        method: vec![method.to_owned()],
        name: if name.is_empty() { vec![] } else { vec![name.to_owned()] },
        negotiated: false,
    }
}

/// The `_meta` of a modern request.
pub fn meta() -> Value {
    json!({ "io.modelcontextprotocol/protocolVersion": LATEST, "io.modelcontextprotocol/clientCapabilities": {} })
}

/// A request of the modern era with these params and the right headers.
pub fn modern(method: &str, mut params: Value) -> (String, Headers) {
    params["_meta"] = meta();
    let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or("").to_owned();
    let text = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string();
    (text, modern_headers(method, &name))
}

/// A request without a version.
pub fn plain(method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string()
}
