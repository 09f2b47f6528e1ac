//! The extension `io.modelcontextprotocol/tasks`: who may use it, and the shapes of its answers.

mod common;

use common::*;
use serde_json::{Value, json};

/// A modern request whose client declares the extension.
fn declaring(method: &str, params: Value) -> (String, fluxbase_protocol::Headers) {
    let (text, headers) = modern(method, params);
    let mut message: Value = serde_json::from_str(&text).unwrap();
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
    (message.to_string(), headers)
}

fn ask(method: &str, id: &str) -> (u16, Value) {
    let (text, _) = declaring(method, json!({ "taskId": id }));
    exchange(&text, Some(&modern_headers(method, id)))
}

#[test]
fn who_does_not_declare_the_extension_has_no_tasks() {
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let (text, _) = modern(method, json!({ "taskId": "done" }));
        let (status, got) = exchange(&text, Some(&modern_headers(method, "done")));
        assert_eq!((status, &got["error"]["code"]), (400, &json!(-32021)), "{got}");
        assert_eq!(
            got["error"]["data"],
            json!({ "requiredCapabilities": { "extensions": { "io.modelcontextprotocol/tasks": {} } } })
        );
        // The handshake revisions do not know the method.
        assert_eq!(outcome(&plain(method, json!({ "taskId": "done" })), None).1, -32601);
    }
    let (text, headers) = modern("tools/call", json!({ "name": "long" }));
    assert_eq!(outcome(&text, Some(&headers)).1, -32602, "it is not even a tool without the extension here");
}

/// Only a key of the object counts, not a text that looks like it.
#[test]
fn the_declaration_is_read_and_not_searched_for() {
    for extensions in [
        json!("io.modelcontextprotocol/tasks"),
        json!(["io.modelcontextprotocol/tasks"]),
        json!({ "x": "io.modelcontextprotocol/tasks" }),
    ] {
        let (text, headers) = modern("tasks/get", json!({ "taskId": "done" }));
        let mut message: Value = serde_json::from_str(&text).unwrap();
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({ "extensions": extensions });
        drop(headers);
        assert_eq!(
            outcome(&message.to_string(), Some(&modern_headers("tasks/get", "done"))).1,
            -32021,
            "{message}"
        );
    }
}

#[test]
fn a_handle_is_flat_and_tells_nothing_of_the_end() {
    let (text, _) = declaring("tools/call", json!({ "name": "long" }));
    let (status, mut got) = exchange(&text, Some(&modern_headers("tools/call", "long")));
    got["result"].as_object_mut().unwrap().remove("_meta");
    assert_eq!(status, 200);
    assert_eq!(
        got["result"],
        json!({ "resultType": "task", "taskId": "7\"", "status": "working", "statusMessage": "half", "createdAt": "2026-11-22T10:30:00Z",
                "lastUpdatedAt": "2026-11-22T10:40:00Z", "ttlMs": 60000, "pollIntervalMs": 1000 })
    );
}

#[test]
fn each_state_carries_what_belongs_to_it() {
    let all = ["inputRequests", "result", "error"];
    for (id, status, member) in [
        ("x", "working", None),
        ("asks", "input_required", Some("inputRequests")),
        ("done", "completed", Some("result")),
        ("failed", "failed", Some("error")),
        ("cancelled", "cancelled", None),
    ] {
        let (_, got) = ask("tasks/get", id);
        let result = &got["result"];
        assert_eq!((&result["resultType"], &result["status"]), (&json!("complete"), &json!(status)), "{got}");
        for name in all {
            assert_eq!(result.get(name).is_some(), member == Some(name), "{id} {name}: {got}");
        }
    }
    assert_eq!(ask("tasks/get", "done").1["result"]["result"], json!({ "content": [], "isError": false }));
}

#[test]
fn update_and_cancel_are_heard() {
    for method in ["tasks/update", "tasks/cancel"] {
        let (status, got) = ask(method, "x");
        assert_eq!((status, &got["result"]["resultType"]), (200, &json!("complete")), "{got}");
        assert_eq!(got["result"].as_object().unwrap().len(), 2, "beside _meta it is empty: {got}");
    }
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(ask(method, "none").1["error"]["code"], -32602);
        let (text, _) = declaring(method, json!({}));
        assert_eq!(outcome(&text, Some(&modern_headers(method, "x"))).1, -32602);
    }
    let (text, _) = declaring("tasks/update", json!({ "taskId": "x", "inputResponses": [] }));
    assert_eq!(outcome(&text, Some(&modern_headers("tasks/update", "x"))).1, -32602);
}

/// Streamable HTTP: Mcp-Name repeats the task, so that a proxy can find the server that has it.
#[test]
fn the_name_header_is_the_task() {
    let (text, _) = declaring("tasks/get", json!({ "taskId": "done" }));
    assert_eq!(outcome(&text, Some(&modern_headers("tasks/get", "other"))), (400, -32020, json!(7)));
}

/// What `tasks/list` and `tasks/result` once were is gone.
#[test]
fn the_methods_of_the_experiment_are_not_there() {
    for method in ["tasks/list", "tasks/result"] {
        let (text, _) = declaring(method, json!({ "taskId": "done" }));
        assert_eq!(outcome(&text, Some(&modern_headers(method, "done"))).1, -32601);
    }
}

#[test]
fn the_extension_is_advertised() {
    let (text, headers) = modern("server/discover", json!({}));
    let (_, got) = exchange(&text, Some(&headers));
    assert_eq!(got["result"]["capabilities"]["extensions"], json!({ "io.modelcontextprotocol/tasks": {} }));
    assert!(got["result"]["capabilities"].get("tasks").is_none());
}

/// What a task ended with is what the call would have been answered with.
#[test]
fn the_end_of_a_task_is_the_answer_of_the_call() {
    use fluxbase_protocol::{Came, Structured, ToolContent, ToolOutput};
    let output = ToolOutput {
        text: r#"{"b":1.0,"a":"\"x"}"#.to_owned(),
        structured: Structured::Same,
        notes: vec!["cut".to_owned()],
    };
    assert_eq!(
        Came::Output(&output).to_json(),
        r#"{"content":[{"type":"text","text":"{\"b\":1.0,\"a\":\"\\\"x\"}"},{"type":"text","text":"cut"}],"structuredContent":{"b":1.0,"a":"\"x"},"isError":false}"#
    );
    let content = ToolContent { content: "[]".to_owned(), structured: Some("{}".to_owned()), is_error: true };
    assert_eq!(Came::Content(&content).to_json(), r#"{"content":[],"structuredContent":{},"isError":true}"#);
    assert_eq!(
        Came::Error("no\n").to_json(),
        r#"{"content":[{"type":"text","text":"no\n"}],"isError":true}"#
    );
}

#[test]
fn an_error_of_the_protocol_is_kept_whole() {
    use fluxbase_protocol::{RpcError, error_json};
    let got: Value = serde_json::from_str(&error_json(&RpcError::needs_task("long\"", "x/y"))).unwrap();
    assert_eq!(got["code"], -32021);
    assert_eq!(got["data"], json!({ "requiredCapabilities": { "extensions": { "x/y": {} } } }));
    assert!(got["message"].as_str().unwrap().contains("runs as a task only"), "{got}");
    let plain: Value =
        serde_json::from_str(&error_json(&RpcError::new(-32603, "\"gone\"".to_owned()))).unwrap();
    assert_eq!(plain, json!({ "code": -32603, "message": "\"gone\"" }));
}

#[test]
fn old_tasks_are_asked_for_less_often() {
    use fluxbase_protocol::poll_interval;
    assert_eq!([0, 5_000, 60_000, 3_600_000].map(poll_interval), [500, 500, 6_000, 10_000]);
}
