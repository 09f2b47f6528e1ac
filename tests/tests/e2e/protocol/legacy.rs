//! The handshake revisions, and what each revision gets.

use super::*;

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
