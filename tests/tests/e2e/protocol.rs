//! JSON-RPC and MCP over real HTTP, in both eras.

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

// ---- the envelope ----------------------------------------------------------------------------------------------------

/// Proves the corner cases of JSON-RPC whose answer is the same in every era: the fault is in the envelope.
#[test]
fn faults_of_the_envelope() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"a":{}{}}}}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let one = json!(1);
    let none = Value::Null;
    let cases: Vec<(&str, &str, i64, &Value)> = vec![
        ("empty", "", -32700, &none),
        ("space", "  \n ", -32700, &none),
        ("cut", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list""#, -32700, &none),
        ("not JSON", "tools/list", -32700, &none),
        ("trailing bytes", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}x"#, -32700, &none),
        (
            "two objects",
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}"#,
            -32700,
            &none,
        ),
        (
            "two lines",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
            -32700,
            &none,
        ),
        ("trailing comma", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list",}"#, -32700, &none),
        ("comment", r#"{"jsonrpc":"2.0","id":1,/* */"method":"tools/list"}"#, -32700, &none),
        ("NaN", r#"{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}"#, -32700, &none),
        ("single quotes", r#"{'jsonrpc':'2.0','id':1,'method':'tools/list'}"#, -32700, &none),
        (
            "byte order mark",
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            -32700,
            &none,
        ),
        ("a string", r#""tools/list""#, -32600, &none),
        ("null", "null", -32600, &none),
        ("a number", "1", -32600, &none),
        ("an empty batch", "[]", -32600, &none),
        ("a batch", r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#, -32600, &none),
        ("an empty object", "{}", -32600, &none),
        ("id null", r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#, -32600, &none),
        ("id true", r#"{"jsonrpc":"2.0","id":true,"method":"tools/list"}"#, -32600, &none),
        ("id 1.5", r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#, -32600, &none),
        ("id 1e2", r#"{"jsonrpc":"2.0","id":1e2,"method":"tools/list"}"#, -32600, &none),
        ("id object", r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#, -32600, &none),
        ("id array", r#"{"jsonrpc":"2.0","id":[1],"method":"tools/list"}"#, -32600, &none),
        ("no jsonrpc", r#"{"id":1,"method":"tools/list"}"#, -32600, &one),
        ("jsonrpc 1.0", r#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#, -32600, &one),
        ("jsonrpc a number", r#"{"jsonrpc":2.0,"id":1,"method":"tools/list"}"#, -32600, &one),
        ("no method", r#"{"jsonrpc":"2.0","id":1}"#, -32600, &one),
        ("method a number", r#"{"jsonrpc":"2.0","id":1,"method":5}"#, -32600, &one),
        ("method null", r#"{"jsonrpc":"2.0","id":1,"method":null}"#, -32600, &one),
        ("params an array", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#, -32600, &one),
        ("params a string", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"x"}"#, -32600, &one),
        ("too deep", &deep, -32600, &one),
    ];
    for headers in [vec![], vec![("MCP-Protocol-Version", "2025-11-25")], modern("tools/list", "")] {
        for (case, body, code, id) in &cases {
            let response = post(&headers, body);
            // Text that nests beyond what the parser follows may be refused as unreadable, too.
            let code = if *case == "too deep" && response.code() == -32700 { -32700 } else { *code };
            assert_eq!(
                (response.status, response.code()),
                (400, code),
                "{case} {headers:?}: {}",
                response.text()
            );
            if *case != "too deep" {
                check(case, &response, 400, code, id);
            }
        }
    }
}

/// Proves that ids come back exactly as they were sent, text for text, in every era.
#[test]
fn ids_are_echoed_exactly() {
    let long = format!("\"{}\"", "x".repeat(2000));
    for id in [
        "0",
        "-1",
        "1",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890",
        r#""""#,
        r#""a\"b""#,
        r#""\u00e4 ☃""#,
        r#""ä""#,
        &long,
    ] {
        for era in [Era::Plain, Era::Legacy("2025-06-18"), Era::Modern] {
            let (headers, body) = message(era, 424_242, "tools/list", json!({}));
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let response = post(&headers, &body.replace("424242", id));
            assert_eq!(response.status, 200, "{id}");
            let text = response.text();
            assert!(
                text.ends_with(&format!("\"id\":{id}}}")),
                "{id} came back as {}",
                &text[text.len().saturating_sub(80)..]
            );
        }
    }
}

/// Proves what is let through: unknown members, any order, an escaped method; and that of a member that comes twice the last
/// one counts, for the listener's log as for the answer.
#[test]
fn lenient_where_it_is_safe() {
    let stage = stage();
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","extra":{"a":[1]}}"#,
        r#"{"method":"tools/list","id":1,"jsonrpc":"2.0"}"#,
        r#" { "jsonrpc" : "2.0" , "id" : 1 , "method" : "tools\/list" } "#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":1,"x/y":null}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":9,"id":1,"method":"tools/list"}"#,
    ] {
        let response = post(&[], body);
        check(body, &response, 200, 0, &json!(1));
        assert!(response.json()["result"]["tools"].is_array(), "{body}");
    }
    // Modern: the header is compared with what would be executed.
    let body = modern_body("tools/list", json!({})).replacen(
        "\"method\"",
        "\"method\":\"server/discover\",\"method\"",
        1,
    );
    check("the last method", &post(&modern("tools/list", ""), &body), 200, 0, &json!(7));
    check("not the last method", &post(&modern("server/discover", ""), &body), 400, -32020, &json!(7));
    // Null bytes and half surrogates inside strings are JSON; they are refused as values, not as a crash.
    for value in [r"\u0000", r"\ud800", r"\udc00x"] {
        let mut client = stage.listener.client(&stage.a);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"query_table","arguments":{{"table":"users","filter":{{"email":{{"eq":"{value}"}}}}}}}}}}"#
        );
        let response = post(&[], &body);
        let refused = response.json()["result"]["isError"] == json!(true)
            || response.code() == -32602
            || response.code() == -32600;
        assert!(refused && response.status < 500, "{value}: {} {}", response.status, response.text());
        assert_eq!(client.request("ping", json!({})).status, 200);
    }
}

// ---- methods and params ----------------------------------------------------------------------------------------------

/// Proves the errors of methods and params with the statuses of each era: a method that does not exist is 404 in the modern
/// era only; what is wrong in params is 200.
#[test]
fn faults_of_methods_and_params() {
    let call = |arguments: Value| json!({ "name": "query_table", "arguments": arguments });
    let cases: Vec<(&str, &str, Value, i64, u16)> = vec![
        ("unknown method", "tools/run", json!({}), -32601, 404),
        ("case of a method", "Tools/list", json!({}), -32601, 404),
        ("prompts are not served", "prompts/list", json!({}), -32601, 404),
        (
            "subscriptions are not served",
            "resources/subscribe",
            json!({ "uri": "fluxbase://schema/tables" }),
            -32601,
            404,
        ),
        ("log levels are not served", "logging/setLevel", json!({ "level": "debug" }), -32601, 404),
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
            (json!({ "table": "users", "limit": 0 }), "limit"),
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

// ---- the modern era ----------------------------------------------------------------------------------------------------

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

// ---- the legacy era --------------------------------------------------------------------------------------------------

/// Proves the handshake of every legacy revision, and that the answer to any other one is the newest of them.
#[test]
fn the_handshake_of_each_version() {
    let hello = |version: Value| {
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
            { "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } } })
        .to_string()
    };
    for version in LEGACY {
        let response = post(&[], &hello(json!(version)));
        check(version, &response, 200, 0, &json!(1));
        let result = response.json()["result"].clone();
        assert_eq!(result["protocolVersion"], json!(version));
        assert!(result["capabilities"]["tools"].is_object() && result["serverInfo"]["name"].is_string());
        assert!(result.get("resultType").is_none(), "{result}");
        assert!(response.header("mcp-session-id").is_none(), "there are no sessions");
        let ready = post(
            &[("MCP-Protocol-Version", version)],
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        );
        assert_eq!((ready.status, ready.body.len()), (202, 0));
        let pong = post(&[("MCP-Protocol-Version", version)], r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#);
        assert_eq!(pong.text(), r#"{"jsonrpc":"2.0","result":{},"id":2}"#);
    }
    for version in ["2026-07-28", "2099-01-01", "1.0", ""] {
        assert_eq!(
            post(&[], &hello(json!(version))).json()["result"]["protocolVersion"],
            json!("2025-11-25"),
            "{version}"
        );
    }
    for version in [Value::Null, json!(5)] {
        check("no version", &post(&[], &hello(version)), 200, -32602, &json!(1));
    }
    // A stale header, or a session id of another server, does not stop a handshake.
    let stale = [("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Session-Id", "x"), ("Last-Event-ID", "5")];
    check("stale header", &post(&stale, &hello(json!("2025-06-18"))), 200, 0, &json!(1));
}

/// Proves that a version header that is not served is 400 with the body that modern clients understand, for requests and
/// notifications.
#[test]
fn unknown_versions_in_the_header() {
    for version in ["2099-01-01", "2025-06-1", "latest", "2025-06-18, 2025-11-25"] {
        let response =
            post(&[("MCP-Protocol-Version", version)], r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#);
        check(version, &response, 400, -32022, &json!(7));
        assert_eq!(response.json()["error"]["data"]["requested"], json!(version));
        let response = post(
            &[("MCP-Protocol-Version", version)],
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        );
        assert_eq!(response.status, 400);
    }
    // Answers of clients: taken in the legacy era, refused in the modern one.
    let answer = r#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
    assert_eq!(post(&[("MCP-Protocol-Version", "2025-11-25")], answer).status, 202);
    assert_eq!(post(&[("MCP-Protocol-Version", LATEST)], answer).code(), -32600);
}

/// Proves what each revision gets: annotations from 2025-03-26, titles, output schemas and structured content from
/// 2025-06-18, and nothing that its schema does not know before.
#[test]
fn each_version_gets_its_members() {
    let all = [
        Era::Plain,
        Era::Legacy(LEGACY[3]),
        Era::Legacy(LEGACY[2]),
        Era::Legacy(LEGACY[1]),
        Era::Legacy(LEGACY[0]),
        Era::Modern,
    ];
    for (era, annotations, structured) in all
        .into_iter()
        .zip([false, false, true, true, true, true])
        .zip([false, false, false, true, true, true])
        .map(|((a, b), c)| (a, b, c))
    {
        let mut client = stage().listener.client(&stage().a).era(era);
        let list = client.request("tools/list", json!({})).json();
        for tool in list["result"]["tools"].as_array().expect("tools") {
            assert_eq!(tool.get("annotations").is_some(), annotations, "{era:?} {}", tool["name"]);
            assert_eq!(tool.get("outputSchema").is_some(), structured, "{era:?} {}", tool["name"]);
            assert_eq!(tool.get("title").is_some(), structured, "{era:?} {}", tool["name"]);
            let hints = tool["annotations"].as_object().map_or(0, serde_json::Map::len);
            assert_eq!(hints, if annotations { 4 } else { 0 }, "all four hints are set");
        }
        for (tool, arguments) in [
            ("query_table", json!({ "table": "users", "select": "email" })),
            ("list_tables", json!({ "search": "users" })),
            ("describe_table", json!({ "table": "users" })),
            ("update_record", json!({ "table": "notes", "filter": { "id": -1 }, "data": { "body": "" } })),
        ] {
            let answer = client.call(tool, arguments);
            let text: Value = answer.value();
            let result = answer.response.json()["result"].clone();
            assert_eq!(result.get("structuredContent").is_some(), structured, "{era:?} {tool}: {result}");
            if !structured {
                continue;
            }
            let content = &result["structuredContent"];
            match tool {
                "query_table" => {
                    assert_eq!(
                        (&content["rows"], &content["count"], &content["has_more"]),
                        (&text, &json!(2), &json!(false))
                    );
                }
                _ => assert_eq!(content, &text, "{tool}"),
            }
            let schema = list["result"]["tools"]
                .as_array()
                .and_then(|tools| tools.iter().find(|entry| entry["name"] == json!(tool)));
            for required in
                schema.expect("listed")["outputSchema"]["required"].as_array().into_iter().flatten()
            {
                assert!(
                    content.get(required.as_str().unwrap_or_default()).is_some(),
                    "{tool}: {required} is promised"
                );
            }
        }
    }
}

/// Proves that the name that Fluxbase gave to the templates' list still works, and that what a template shows is what the tool
/// shows.
#[test]
fn resources_show_what_tools_show() {
    let mut client = stage().listener.client(&stage().a);
    let new = client.request("resources/templates/list", json!({})).json()["result"].clone();
    assert_eq!(client.request("resources/templates", json!({})).json()["result"], new);
    assert_eq!(
        new["resourceTemplates"][0]["uriTemplate"],
        json!("fluxbase://schema/tables/{schema}/{table}")
    );
    let read =
        client.request("resources/read", json!({ "uri": "fluxbase://schema/tables/public/notes" })).json();
    let content = &read["result"]["contents"][0];
    assert_eq!(
        (&content["uri"], &content["mimeType"]),
        (&json!("fluxbase://schema/tables/public/notes"), &json!("application/json"))
    );
    let text = client.call("describe_table", json!({ "table": "notes" })).text();
    assert_eq!(content["text"], json!(text));
    assert!(text.contains(r#""row_security":true"#), "{text}");
}

/// Proves that values come out as the contract of types says: what a double cannot hold exactly is a string.
#[test]
fn values_keep_their_digits() {
    let mut client = stage().listener.client(&stage().a).era(Era::Legacy("2025-11-25"));
    let answer = client.call("query_table", json!({ "table": "typed", "filter": { "name": "eq.thing 1" }, "select": "big,price,ratio,raw,tags,flag,feeling" }));
    let row = answer.value()[0].clone();
    assert_eq!(row["big"], json!("9007199254740994"));
    assert_eq!(row["tags"], json!(["a", "b1"]));
    assert_eq!(row["raw"], json!("AP8="));
    assert_eq!((&row["flag"], &row["feeling"]), (&json!(false), &json!("ok")));
    assert_eq!(answer.response.json()["result"]["structuredContent"]["rows"][0], row);
}
