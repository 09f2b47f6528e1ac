//! The exact shape of every answer in every era.

mod common;

use common::*;
use fluxbase_protocol::*;
use serde_json::{Value, json};

/// The body of the reply to a request without a version.
fn body(text: &str) -> String {
    send(text, None).body.expect("a body")
}

#[test]
fn the_documents_requests_get_the_documents_answers() {
    // The curl line of "Authentication".
    assert_eq!(
        body(r#"{"jsonrpc":"2.0","method":"tools/list","id":1}"#),
        concat!(
            r#"{"jsonrpc":"2.0","result":{"tools":[{"name":"query_table","description":"Reads rows.\nSay \"table\".","#,
            r#""inputSchema":{"type":"object","properties":{"table":{"type":"string"}},"required":["table"],"#,
            r#""additionalProperties":false}},{"name":"delete_record","description":"Deletes rows.","#,
            r#""inputSchema":{"type":"object"}}]},"id":1}"#
        )
    );
    // "Example Request" and "Example Response", with the white space of the document.
    let request = r#"{
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
    let response = r#"{
  "jsonrpc": "2.0",
  "result": {
    "content": [
      {
        "type": "text",
        "text": "[{\"id\":\"...\",\"email\":\"user@example.com\",\"created_at\":\"...\"}]"
      }
    ],
    "isError": false
  },
  "id": 1
}"#;
    let expected: String =
        response.split('\n').map(str::trim_start).collect::<String>().replace("\": ", "\":");
    assert_eq!(body(request), expected);
    assert_eq!(
        serde_json::from_str::<Value>(&expected).unwrap(),
        serde_json::from_str::<Value>(response).unwrap()
    );
}

/// The modern members around `members`.
fn complete(mut members: Value, ttl: Option<u32>) -> Value {
    members["resultType"] = json!("complete");
    members["_meta"] =
        json!({ "io.modelcontextprotocol/serverInfo": { "name": "fluxbase_mcp_ext", "version": "0.1.0" } });
    if let Some(ttl) = ttl {
        members["ttlMs"] = json!(ttl);
        members["cacheScope"] = json!("private");
    }
    members
}

/// The result of a request in an era: a version's name, or "" for none.
fn result(era: &str, method: &str, params: Value) -> Value {
    let (status, mut body) = if era == LATEST {
        let (text, headers) = modern(method, params);
        exchange(&text, Some(&headers))
    } else {
        exchange(&plain(method, params), Some(&version_header(era)))
    };
    assert_eq!(status, 200);
    assert_eq!(body["id"], 7);
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    body["result"].take()
}

#[test]
fn initialize_in_every_version() {
    for version in &SUPPORTED[1..] {
        assert_eq!(
            result("", "initialize", json!({ "protocolVersion": version })),
            json!({
                "protocolVersion": version,
                "capabilities": { "tools": {}, "resources": {}, "prompts": {}, "completions": {}, "logging": {} },
                "serverInfo": { "name": "fluxbase_mcp_ext", "version": "0.1.0" },
                "instructions": "Filters are \"op.value\"."
            })
        );
    }
    let text = plain("initialize", json!({ "protocolVersion": "2025-06-18" }));
    let call = parse(&text).unwrap().respond(None, &SERVER).unwrap();
    let quiet = call.initialized(&ServerInfo { instructions: "", ..SERVER }).body.unwrap();
    assert!(!quiet.contains("instructions"), "{quiet}");
}

#[test]
fn ping_is_an_empty_object() {
    for era in ["", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        assert_eq!(result(era, "ping", json!({})), json!({}));
    }
}

#[test]
fn discover_names_the_versions_of_the_version_error() {
    let expected = json!({
        "supportedVersions": SUPPORTED,
        "capabilities": {
            "tools": { "listChanged": true }, "resources": { "listChanged": true, "subscribe": true },
            "prompts": { "listChanged": true }, "completions": {}, "logging": {},
            "extensions": { "io.modelcontextprotocol/tasks": {} }
        },
        "instructions": "Filters are \"op.value\"."
    });
    assert_eq!(result(LATEST, "server/discover", json!({})), complete(expected, Some(60_000)));
}

#[test]
fn a_tool_has_what_its_version_knows() {
    let names = |tool: &Value| tool.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let plain = ["description", "inputSchema", "name"];
    let annotated = ["annotations", "description", "inputSchema", "name"];
    let full = ["annotations", "description", "inputSchema", "name", "outputSchema", "title"];
    let rows: [(&str, &[&str]); 6] = [
        ("", &plain),
        ("2024-11-05", &plain),
        ("2025-03-26", &annotated),
        ("2025-06-18", &full),
        ("2025-11-25", &full),
        (LATEST, &full),
    ];
    for (era, expected) in rows {
        let result = result(era, "tools/list", json!({}));
        assert_eq!(names(&result["tools"][0]), expected, "{era}");
        assert!(
            result["tools"][1].get("title").is_none() && result["tools"][1].get("outputSchema").is_none()
        );
        if era == LATEST {
            assert_eq!(result, complete(json!({ "tools": result["tools"] }), Some(60_000)));
        } else {
            assert_eq!(names(&result), ["tools"]);
        }
    }
    let result = result(LATEST, "tools/list", json!({}));
    assert_eq!(result["tools"][0]["title"], "Query a table");
    assert_eq!(
        result["tools"][0]["annotations"],
        json!({ "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false })
    );
    assert_eq!(result["tools"][0]["outputSchema"]["required"], json!(["rows"]));
    assert_eq!(result["tools"][1]["inputSchema"], json!({ "type": "object" }));
}

#[test]
fn resources_and_templates_are_listed() {
    for era in ["", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", LATEST] {
        let mut resource = json!({
            "uri": "fluxbase://schema/tables", "name": "tables", "description": "Every table.", "mimeType": "application/json"
        });
        if era >= "2025-06-18" {
            resource["title"] = json!("Tables");
        }
        let template = json!({ "uriTemplate": "fluxbase://schema/tables/{schema}/{table}", "name": "table" });
        let shape = |members: Value| if era == LATEST { complete(members, Some(5_000)) } else { members };
        assert_eq!(result(era, "resources/list", json!({})), shape(json!({ "resources": [resource] })));
        for method in ["resources/templates/list", "resources/templates"] {
            assert_eq!(result(era, method, json!({})), shape(json!({ "resourceTemplates": [template] })));
        }
        let content =
            json!({ "uri": "fluxbase://schema/tables", "mimeType": "application/json", "text": "[\"a\"]" });
        assert_eq!(
            result(era, "resources/read", json!({ "uri": "fluxbase://schema/tables" })),
            shape(json!({ "contents": [content] }))
        );
    }
}

#[test]
fn an_empty_list_is_a_list() {
    for (method, member) in [
        ("tools/list", "tools"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        let call = parse(&plain(method, json!({}))).unwrap().respond(None, &SERVER).unwrap();
        let reply = match method {
            "tools/list" => call.tools([].into_iter()),
            "resources/list" => call.resources([].into_iter()),
            _ => call.resource_templates([].into_iter()),
        };
        assert_eq!(reply.body.unwrap(), format!(r#"{{"jsonrpc":"2.0","result":{{"{member}":[]}},"id":7}}"#));
    }
}

#[test]
fn a_resource_that_is_not_there_has_the_code_of_its_era() {
    let params = json!({ "uri": "fluxbase://nope" });
    for era in ["", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let (status, body) = exchange(&plain("resources/read", params.clone()), Some(&version_header(era)));
        assert_eq!((status, &body["error"]["code"]), (200, &json!(-32002)));
        assert_eq!(body["error"]["data"], params);
    }
    let (text, headers) = modern("resources/read", params.clone());
    let (status, body) = exchange(&text, Some(&headers));
    assert_eq!((status, &body["error"]["code"]), (200, &json!(-32602)));
    assert_eq!(body["error"]["data"], params);
}

#[test]
fn tool_output_in_every_era() {
    let content = json!([{ "type": "text", "text": ROWS }]);
    let rows: Value = serde_json::from_str(ROWS).unwrap();
    for era in ["", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", LATEST] {
        let mut expected = json!({ "content": content, "isError": false });
        if era >= "2025-06-18" {
            expected["structuredContent"] = json!({ "rows": rows });
        }
        if era == LATEST {
            expected = complete(expected, None);
        }
        assert_eq!(result(era, "tools/call", json!({ "name": "query_table" })), expected, "{era}");
    }
}

#[test]
fn structured_content_is_spliced_and_notes_are_text() {
    let call = |era: &str| {
        parse(&plain("tools/call", json!({ "name": "t" })))
            .unwrap()
            .respond(Some(&version_header(era)), &SERVER)
            .unwrap()
    };
    let output = |structured| ToolOutput {
        // A number that a double would change shows that nobody reads it.
        text: "{\"n\": 9007199254740993.10}".to_owned(),
        structured,
        notes: vec!["Cut at 100 rows.".to_owned(), "a \"note\"\n".to_owned()],
    };
    let content = concat!(
        r#""content":[{"type":"text","text":"{\"n\": 9007199254740993.10}"},{"type":"text","text":"Cut at 100 rows."},"#,
        r#"{"type":"text","text":"a \"note\"\n"}]"#
    );
    let rows = [
        ("2025-06-18", Structured::Same, r#","structuredContent":{"n": 9007199254740993.10}"#),
        (
            "2025-11-25",
            Structured::Wrapped { before: "{\"row\":".to_owned(), after: ",\"count\":1}".to_owned() },
            r#","structuredContent":{"row":{"n": 9007199254740993.10},"count":1}"#,
        ),
        ("2025-11-25", Structured::None, ""),
        ("2025-03-26", Structured::Same, ""),
        ("", Structured::Same, ""),
    ];
    for (era, structured, expected) in rows {
        assert_eq!(
            call(era).tool_output(&output(structured)).body.unwrap(),
            format!(r#"{{"jsonrpc":"2.0","result":{{{content}{expected},"isError":false}},"id":7}}"#)
        );
    }
}

#[test]
fn a_tool_error_is_a_result() {
    for era in ["", "2025-11-25", LATEST] {
        let expected =
            json!({ "content": [{ "type": "text", "text": "It failed: \"no\".\n" }], "isError": true });
        let expected = if era == LATEST { complete(expected, None) } else { expected };
        assert_eq!(result(era, "tools/call", json!({ "name": "failing" })), expected);
    }
}

#[test]
fn errors_have_their_codes() {
    let call = parse(&plain("tools/call", json!({ "name": "t" }))).unwrap().respond(None, &SERVER).unwrap();
    let error = |error: &RpcError| {
        let reply = call.error(error);
        assert_eq!((reply.status, reply.retry_after), (200, None));
        serde_json::from_str::<Value>(&reply.body.unwrap()).unwrap()["error"].take()
    };
    let unknown = error(&RpcError::unknown_tool("qery_table", Some("query_table")));
    assert_eq!(unknown["code"], -32602);
    assert_eq!(unknown["message"], "Unknown tool: qery_table. Did you mean query_table? Nothing was done.");
    assert!(error(&RpcError::unknown_tool("x", None))["message"].as_str().unwrap().contains("tools/list"));
    let forbidden = error(&RpcError::forbidden("query_table", &["read:tables"]));
    assert_eq!(
        (&forbidden["code"], &forbidden["data"]),
        (&json!(-32006), &json!({ "requiredScopes": ["read:tables"] }))
    );
    assert!(forbidden["message"].as_str().unwrap().contains("read:tables"));
    assert_eq!(error(&RpcError::internal())["code"], -32603);
    assert_eq!(RpcError::internal().to_string().split(' ').next_back(), Some("(-32603)"));
}

#[test]
fn refusals_before_a_call_have_their_statuses() {
    let incoming = parse(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#).unwrap();
    let id = incoming.id();
    let rows = [
        (refuse::unauthorized(id, "No key was sent."), 401, -32005, json!("a"), None),
        (refuse::unauthorized(None, "No key was sent."), 401, -32005, Value::Null, None),
        (refuse::rate_limited(id, 30), 429, -32007, json!("a"), Some(30)),
        (refuse::busy(id), 503, -32603, json!("a"), None),
        (refuse::unavailable(id, "Postgres does not answer."), 503, -32603, json!("a"), None),
        (refuse::not_utf8(), 400, -32700, Value::Null, None),
        (refuse::too_large(10_485_760), 413, -32600, Value::Null, None),
    ];
    for (reply, status, code, id, retry_after) in rows {
        let body: Value = serde_json::from_str(reply.body.as_deref().unwrap()).unwrap();
        assert_eq!((reply.status, reply.retry_after), (status, retry_after));
        assert_eq!(
            (&body["jsonrpc"], &body["error"]["code"], &body["id"]),
            (&json!("2.0"), &json!(code), &id)
        );
        assert_eq!(body.as_object().unwrap().len(), 3);
    }
    let body = refuse::unauthorized(id, "No key was sent.").body.unwrap();
    for header in ["X-Client-Key", "X-Service-Key", "Authorization: Bearer <key>"] {
        assert!(body.contains(header), "{body}");
    }
    let body: Value = serde_json::from_str(&refuse::rate_limited(id, 30).body.unwrap()).unwrap();
    assert_eq!(body["error"]["data"], json!({ "retryAfter": 30 }));
}

#[test]
fn questions_have_their_own_result_type() {
    let (text, headers) = modern("tools/call", json!({ "name": "asking" }));
    let (status, body) = exchange(&text, Some(&headers));
    assert_eq!(status, 200);
    assert_eq!(body["result"]["resultType"], "input_required");
    assert_eq!(body["result"]["inputRequests"], json!({ "who": { "method": "roots/list" } }));
    assert_eq!(body["result"]["requestState"], "a \"state\"");
}

#[test]
fn prompts_have_titles_where_the_revision_has_them() {
    let prompt = |headers: Option<Headers>| {
        exchange(&plain("prompts/list", json!({})), headers.as_ref()).1["result"]["prompts"][0].clone()
    };
    assert_eq!(
        prompt(None),
        json!({ "name": "city", "description": "A city.", "arguments": [{ "name": "city" }] })
    );
    assert_eq!(prompt(Some(version_header("2025-06-18")))["title"], "City");
    let got = exchange(&plain("prompts/get", json!({ "name": "city" })), None).1;
    assert_eq!(got["result"]["messages"][0]["content"]["text"], "Rome");
    assert_eq!(got["result"]["description"], "A city.");
    assert_eq!(outcome(&plain("prompts/get", json!({ "name": "town" })), None), (200, -32602, json!(7)));
}

#[test]
fn a_missing_capability_is_named() {
    let error = RpcError::missing_capabilities(&["elicitation", "sampling"]);
    assert_eq!(error.data, Some(json!({ "requiredCapabilities": { "elicitation": {}, "sampling": {} } })));
}
