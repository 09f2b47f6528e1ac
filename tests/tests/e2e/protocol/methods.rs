//! Methods and params: unknown ones, wrong ones, and the tools' own errors.

use super::*;

/// Proves the errors of methods and params with the statuses of each era: a method that does not exist is 404 in the modern
/// era only; what is wrong in params is 200.
#[test]
fn faults_of_methods_and_params() {
    let call = |arguments: Value| json!({ "name": "query_table", "arguments": arguments });
    let cases: Vec<(&str, &str, Value, i64, u16)> = vec![
        ("unknown method", "tools/run", json!({}), -32601, 404),
        ("case of a method", "Tools/list", json!({}), -32601, 404),
        ("unknown prompt", "prompts/get", json!({ "name": "no_such_prompt" }), -32602, 200),
        (
            "arguments of a prompt an array",
            "prompts/get",
            json!({ "name": "x", "arguments": [] }),
            -32602,
            200,
        ),
        ("unknown tool", "tools/call", json!({ "name": "no_such_tool" }), -32602, 200),
        ("no name", "tools/call", json!({ "arguments": {} }), -32602, 200),
        ("name a number", "tools/call", json!({ "name": 5 }), -32602, 200),
        ("arguments an array", "tools/call", call(json!([])), -32602, 200),
        ("arguments a string", "tools/call", call(json!("x")), -32602, 200),
        ("bad cursor", "tools/list", json!({ "cursor": "2" }), -32602, 200),
        ("bad cursor", "resources/list", json!({ "cursor": "2" }), -32602, 200),
        ("bad cursor", "resources/templates/list", json!({ "cursor": 5 }), -32602, 200),
        ("no uri", "resources/read", json!({}), -32602, 200),
    ];
    for (case, method, params, code, modern_status) in cases {
        let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
        for version in LEGACY {
            let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string();
            check(case, &post(&[("MCP-Protocol-Version", version)], &body), 200, code, &json!(7));
            check(case, &post(&[], &body), 200, code, &json!(7));
        }
        let response = post(&modern(method, &name), &modern_body(method, params));
        check(case, &response, modern_status, code, &json!(7));
    }
    // A resource that is not there: the code differs by era, the URI is repeated.
    let uri = "fluxbase://schema/tables/public/nothing";
    let params = json!({ "uri": uri });
    let legacy = post(
        &[],
        &json!({ "jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": params }).to_string(),
    );
    check("no such resource", &legacy, 200, -32002, &json!(7));
    let response = post(&modern("resources/read", uri), &modern_body("resources/read", params));
    check("no such resource", &response, 200, -32602, &json!(7));
    assert_eq!(response.json()["error"]["data"]["uri"], json!(uri));
}

/// Proves that wrong arguments of a tool are the tool's own result with `isError`, in every era, with text that helps; absent
/// arguments are none.
#[test]
fn wrong_arguments_are_results() {
    for (era, structured) in [(Era::Plain, false), (Era::Legacy("2025-06-18"), true), (Era::Modern, true)] {
        let mut client = stage().listener.client(&stage().a).era(era);
        for (arguments, part) in [
            (json!({}), "table"),
            (json!({ "table": 5 }), "table"),
            (json!({ "table": "users", "limit": "many" }), "limit"),
            (json!({ "table": "users", "limit": -1 }), "limit"),
            (json!({ "table": "users", "filter": { "emial": "eq.x" } }), "email"),
            (json!({ "table": "users", "filter": { "email": "open" } }), "eq.open"),
            (json!({ "table": "users", "filter": { "id": "eq.no-uuid" } }), "filter.id"),
            (json!({ "table": "users", "wrong": 1 }), "wrong"),
            (json!({ "table": "usres" }), "users"),
        ] {
            let error = client.call("query_table", arguments.clone()).error();
            assert!(error.contains(part), "{arguments}: {error}");
        }
        let response = client.request("tools/call", json!({ "name": "list_tables" }));
        assert_eq!(
            response.json()["result"]["isError"],
            json!(false),
            "arguments may be absent: {}",
            response.text()
        );
        assert_eq!(response.json()["result"].get("structuredContent").is_some(), structured);
    }
}
