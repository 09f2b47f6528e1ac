//! The JSON-RPC envelope: what is refused in every era, and what is let through.

use super::*;

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
        ("a batch of what is none", "[", -32700, &none),
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
