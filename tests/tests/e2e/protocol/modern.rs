//! 2026-07-28: the ladder of checks, the routing headers, the members of results.

use super::*;

/// Proves the ladder of 2026-07-28 rung by rung, and that a lower rung answers first.
#[test]
fn the_ladder_of_checks() {
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    let with_meta = |meta: Value| {
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": { "_meta": meta } }).to_string()
    };
    let headers = modern("tools/list", "");
    // 1: _meta
    for (case, body) in [
        ("no params", json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" }).to_string()),
        ("no _meta", json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {} }).to_string()),
        ("_meta an array", with_meta(json!([]))),
        ("_meta a string", with_meta(json!("x"))),
        ("no version", with_meta(json!({ capabilities: {} }))),
        ("version a number", with_meta(json!({ version: 2026, capabilities: {} }))),
        ("version null", with_meta(json!({ version: null, capabilities: {} }))),
        ("no capabilities", with_meta(json!({ version: LATEST }))),
        ("capabilities a list", with_meta(json!({ version: LATEST, capabilities: [] }))),
    ] {
        check(case, &post(&headers, &body), 400, -32602, &json!(7));
    }
    // clientInfo is optional, unknown keys are ignored.
    check(
        "no clientInfo",
        &post(&headers, &with_meta(json!({ version: LATEST, capabilities: {}, "x/y": 1 }))),
        200,
        0,
        &json!(7),
    );
    // 2: headers
    let body = modern_body("tools/list", json!({}));
    for (case, headers) in [
        ("no version header", vec![("Mcp-Method", "tools/list")]),
        ("no method header", vec![("MCP-Protocol-Version", LATEST)]),
        ("no header at all", vec![]),
        ("another version", vec![("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Method", "tools/list")]),
        ("another method", vec![("MCP-Protocol-Version", LATEST), ("Mcp-Method", "tools/call")]),
        ("case of the method", vec![("MCP-Protocol-Version", LATEST), ("Mcp-Method", "Tools/List")]),
        (
            "version twice",
            vec![
                ("MCP-Protocol-Version", LATEST),
                ("MCP-Protocol-Version", LATEST),
                ("Mcp-Method", "tools/list"),
            ],
        ),
        (
            "method twice",
            vec![
                ("MCP-Protocol-Version", LATEST),
                ("Mcp-Method", "tools/list"),
                ("Mcp-Method", "tools/list"),
            ],
        ),
        ("method list", vec![("MCP-Protocol-Version", LATEST), ("Mcp-Method", "tools/list, tools/list")]),
    ] {
        check(case, &post(&headers, &body), 400, -32020, &json!(7));
    }
    let spaces = [("mcp-protocol-version", "  2026-07-28\t"), ("MCP-METHOD", "\t tools/list ")];
    check("white space and case of names", &post(&spaces, &body), 200, 0, &json!(7));
    // 2 before 3: the header says something else than a body of a version that is not served.
    let unserved = with_meta(json!({ version: "2099-01-01", capabilities: {} }));
    check("headers come before the version", &post(&headers, &unserved), 400, -32020, &json!(7));
    // 1 before 2
    check(
        "_meta comes before headers",
        &post(&[("MCP-Protocol-Version", LATEST)], &with_meta(json!({}))),
        400,
        -32602,
        &json!(7),
    );
    // 3: version
    for asked in ["2099-01-01", "2025-11-25", "draft", ""] {
        let body = with_meta(json!({ version: asked, capabilities: {} }));
        let response = post(&[("MCP-Protocol-Version", asked), ("Mcp-Method", "tools/list")], &body);
        check(asked, &response, 400, -32022, &json!(7));
        let data = &response.json()["error"]["data"];
        assert_eq!(data["requested"], json!(asked));
        assert_eq!(data["supported"][0], json!(LATEST));
    }
    // 3 before 4
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "nothing", "params": { "_meta": { version: "2099-01-01", capabilities: {} } } });
    let response =
        post(&[("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Method", "nothing")], &body.to_string());
    check("the version comes before the method", &response, 400, -32022, &json!(7));
    // 4: methods of the other era
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "nothing"] {
        check(method, &post(&modern(method, ""), &modern_body(method, json!({}))), 404, -32601, &json!(7));
    }
    // 5: no method here needs a capability, so none is ever missing.
    let response = post(
        &modern("tools/call", "list_tables"),
        &modern_body("tools/call", json!({ "name": "list_tables" })),
    );
    check("no capability is needed", &response, 200, 0, &json!(7));
}

/// Proves that `Mcp-Name` is compared with the name that is executed: plain, in base64, for tools and for resources.
#[test]
fn mcp_name_is_compared() {
    let body = modern_body("tools/call", json!({ "name": "list_tables", "arguments": {} }));
    let base64 = |text: &str| format!("=?base64?{}?=", STANDARD.encode(text));
    for good in ["list_tables".to_owned(), " list_tables ".to_owned(), base64("list_tables")] {
        let response = post(&modern("tools/call", &good), &body);
        check(&good, &response, 200, 0, &json!(7));
    }
    for bad in [
        String::new(),
        "delete_record".to_owned(),
        "List_tables".to_owned(),
        base64("delete_record"),
        "=?base64?!!!?=".to_owned(),
        "=?base64?bGlzdF90YWJsZXM?=".to_owned(),
        "=?base64?/w==?=".to_owned(),
        "=?base64?bGlzdF90YWJsZXM=".to_owned(),
        "=?BASE64?bGlzdF90YWJsZXM=?=".to_owned(),
        "list_tables,list_tables".to_owned(),
    ] {
        check(&bad, &post(&modern("tools/call", &bad), &body), 400, -32020, &json!(7));
    }
    let mut twice = modern("tools/call", "list_tables");
    twice.push(("Mcp-Name", "list_tables"));
    check("twice", &post(&twice, &body), 400, -32020, &json!(7));
    // A tool whose name is no ASCII can only be named in base64; it is unknown, not mismatched.
    let body = modern_body("tools/call", json!({ "name": "größe" }));
    check("not ASCII", &post(&modern("tools/call", &base64("größe")), &body), 200, -32602, &json!(7));
    let uri = "fluxbase://schema/tables";
    let body = modern_body("resources/read", json!({ "uri": uri }));
    check("uri", &post(&modern("resources/read", uri), &body), 200, 0, &json!(7));
    check(
        "another uri",
        &post(&modern("resources/read", "fluxbase://schema"), &body),
        400,
        -32020,
        &json!(7),
    );
}

/// Proves the shape of modern results: `resultType`, who the server is, and for lists how long and for whom they hold; that
/// `server/discover` names every version that is served, and that each of them is.
#[test]
fn modern_results_have_their_members() {
    for (method, params, list) in [
        ("server/discover", json!({}), true),
        ("tools/list", json!({}), true),
        ("resources/list", json!({}), true),
        ("resources/templates/list", json!({}), true),
        ("resources/read", json!({ "uri": "fluxbase://schema/tables" }), true),
        ("tools/call", json!({ "name": "query_table", "arguments": { "table": "users" } }), false),
    ] {
        let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
        let response = post(&modern(method, &name), &modern_body(method, params));
        check(method, &response, 200, 0, &json!(7));
        let result = response.json()["result"].clone();
        assert_eq!(result["resultType"], json!("complete"), "{method}");
        let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert!(server["name"].is_string() && server["version"].is_string(), "{method}: {result}");
        assert_eq!(result["ttlMs"].is_u64(), list, "{method}");
        assert_eq!(result["cacheScope"] == json!("private"), list, "{method}");
        if method == "server/discover" {
            let versions: Vec<&str> = result["supportedVersions"]
                .as_array()
                .expect("versions")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(versions, [LATEST, LEGACY[0], LEGACY[1], LEGACY[2], LEGACY[3]]);
            assert!(
                result["capabilities"]["tools"].is_object()
                    && result["capabilities"]["resources"].is_object()
            );
            assert!(
                result["instructions"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty() && text.chars().count() <= 4096)
            );
        }
    }
}
