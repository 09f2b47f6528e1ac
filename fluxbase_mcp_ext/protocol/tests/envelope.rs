//! Every corner of the JSON-RPC envelope, in every era.

mod common;

use common::*;
use fluxbase_protocol::{Headers, Incoming, LATEST, MAX_DEPTH, SUPPORTED, parse};
use serde_json::{Value, json};

/// The ways in which a message can come: direct SQL, HTTP without a version, HTTP with each version.
fn ways() -> Vec<Option<Headers>> {
    let mut ways = vec![None, Some(Headers::default()), Some(modern_headers("ping", ""))];
    ways.extend(SUPPORTED.map(|version| Some(version_header(version))));
    ways
}

fn assert_in_every_era(text: &str, expected: (u16, i64, Value)) {
    for headers in ways() {
        let shown: String = text.chars().take(80).collect();
        assert_eq!(outcome(text, headers.as_ref()), expected, "{shown} with {headers:?}");
    }
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    let rows = [
        "",
        " ",
        "\r\n\t",
        "{",
        "}",
        "{\"jsonrpc\"",
        "nul",
        "hello",
        "'x'",
        "{\"a\":01}",
        "[1,]",
        "{\"a\":1,}",
        "\u{0}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},",
        "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":NaN,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\" /* c */}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\x\"}",
        "[[[",
    ];
    for text in rows {
        assert_in_every_era(text, (400, -32700, Value::Null));
    }
}

#[test]
fn json_that_is_no_object_is_an_invalid_request() {
    for text in ["[]", "null", "true", "17", "1e999", "\"text\"", " [] "] {
        assert_in_every_era(text, (400, -32600, Value::Null));
    }
}

#[test]
fn an_id_is_a_string_or_an_integer() {
    for id in [
        "null",
        "true",
        "false",
        "1.0",
        "1.5",
        "1e2",
        "1E2",
        "-1.0",
        "{}",
        "[]",
        "[1]",
        r#"{"a":1}"#,
        r#""\ud800""#,
    ] {
        assert_in_every_era(
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#),
            (400, -32600, Value::Null),
        );
    }
}

#[test]
fn an_id_comes_back_as_it_was_sent() {
    let ids = [
        "0",
        "1",
        "-1",
        "-0",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890123456789",
        r#""""#,
        r#""a""#,
        r#""a\"b\\c""#,
        r#""\u0041""#,
        r#""\u0000""#,
        r#""é漢😀""#,
        r#""\ud83d\ude00""#,
        r#""null""#,
    ];
    for id in ids {
        for (text, headers) in [
            (format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#), None),
            (
                format!(r#"{{ "id" : {id} , "method" : "ping" , "jsonrpc" : "2.0" }}"#),
                Some(version_header("2025-11-25")),
            ),
            (format!(r#"{{"method":"nope","id":{id},"jsonrpc":"2.0"}}"#), None),
            (format!(r#"{{"method":5,"id":{id},"jsonrpc":"2.0"}}"#), None),
            (format!(r#"{{"method":"ping","params":[],"jsonrpc":"2.0","id":{id}}}"#), None),
            (format!(r#"{{"method":"ping","jsonrpc":"1.0","id":{id}}}"#), None),
            (format!(r#"{{"method":"ping","jsonrpc":"2.0","id":{id}}}"#), Some(version_header(LATEST))),
            (format!(r#"{{"method":"ping","jsonrpc":"2.0","id":{id}}}"#), Some(version_header("1999-01-01"))),
        ] {
            let body = send(&text, headers.as_ref()).body.expect("a body");
            assert!(body.ends_with(&format!(",\"id\":{id}}}")), "{text}\n{body}");
        }
    }
}

#[test]
fn a_wrong_envelope_is_refused_with_its_id() {
    let rows = [
        r#"{"id":7,"method":"ping"}"#,
        r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
        r#"{"jsonrpc":2.0,"id":7,"method":"ping"}"#,
        r#"{"jsonrpc":null,"id":7,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":7}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":null}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":17}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":["ping"]}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":{"a":[1]}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"a\u0000b"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"\udc00"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[{"a":[1]}]}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":null}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":"x"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":1.5}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":-1}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":1}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":true}"#,
        // The id may come last.
        r#"{"params":[],"method":"ping","jsonrpc":"2.0","id":7}"#,
    ];
    for text in rows {
        assert_in_every_era(text, (400, -32600, json!(7)));
    }
    assert_in_every_era("{}", (400, -32600, Value::Null));
    assert_in_every_era(r#"{"jsonrpc":"2.0"}"#, (400, -32600, Value::Null));
    // Valid JSON that cannot be read as a value.
    assert_in_every_era(
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":1e999}"#,
        (400, -32600, Value::Null),
    );
    assert_in_every_era(r#"{"jsonrpc":"2.0","id":7,"method":"ping","\ud800":1}"#, (400, -32600, Value::Null));
}

#[test]
fn deep_nesting_is_refused_and_does_not_crash() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [5_000, 100_000] {
        assert_in_every_era(&nested(depth), (400, -32600, Value::Null));
        assert_in_every_era(&"[".repeat(depth), (400, -32600, Value::Null));
        assert_in_every_era(&"{\"a\":".repeat(depth), (400, -32700, Value::Null));
        for message in [
            format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"t","arguments":{{"a":{}}}}}}}"#,
                nested(depth)
            ),
            format!(r#"{{"jsonrpc":"2.0","id":7,"method":"ping","params":{}}}"#, nested(depth)),
            format!(r#"{{"jsonrpc":"2.0","id":7,"method":"ping","extra":{}}}"#, nested(depth)),
            format!(r#"{{"jsonrpc":"2.0","id":7,"method":{}}}"#, nested(depth)),
            format!(r#"{{"jsonrpc":"2.0","id":7,"result":{}}}"#, nested(depth)),
        ] {
            assert_in_every_era(&message, (400, -32600, json!(7)));
        }
        let message = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"ping"}}"#, nested(depth));
        assert_in_every_era(&message, (400, -32600, Value::Null));
    }
    let call = |depth: usize| {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"query_table","arguments":{{"a":{}}}}}}}"#,
            nested(depth)
        );
        outcome(&text, None)
    };
    assert_eq!(call(MAX_DEPTH - 3), (200, 0, json!(7)));
    assert_eq!(call(MAX_DEPTH - 2), (400, -32600, json!(7)));
}

#[test]
fn unknown_keys_and_white_space_are_accepted() {
    for text in [
        "\r\n\t {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"} \n",
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","extra":{"a":[1e999,"\ud800","\u0000"]}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"extra":"\ud800","n":1e999,"_meta":{"x":"\u0000","progressToken":1}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":null}}"#,
        r#"{"jsonrpc":"2.0","id":7,"\u006dethod":"p\u0069ng"}"#,
        // A request, whatever else it has.
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{},"error":1}"#,
    ] {
        assert_eq!(outcome(text, None), (200, 0, json!(7)), "{text}");
    }
}

#[test]
fn of_a_doubled_key_the_last_counts() {
    let text = r#"{"jsonrpc":"1.0","jsonrpc":"2.0","id":null,"id":7,"method":3,"method":"ping","params":[],"params":{}}"#;
    assert_eq!(outcome(text, None), (200, 0, json!(7)));
    let text =
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"query_table","name":"nope"}}"#;
    assert_eq!(outcome(text, None), (200, -32602, json!(7)));
    // What is executed is what the header is compared with.
    let (text, headers) = modern("tools/list", json!({}));
    let text = text.replace(r#""method":"tools/list""#, r#""method":"tools/list","method":"tools/call""#);
    assert_eq!(outcome(&text, Some(&headers)), (400, -32020, json!(7)));
}

#[test]
fn a_method_without_an_id_is_a_notification() {
    let legacy = [
        None,
        Some(Headers::default()),
        Some(version_header("2025-06-18")),
        Some(version_header("2024-11-05")),
    ];
    for method in ["notifications/initialized", "notifications/cancelled", "notifications/roots/list_changed"]
    {
        let text = json!({ "jsonrpc": "2.0", "method": method, "params": { "requestId": 3 } }).to_string();
        for headers in ways() {
            let reply = send(&text, headers.as_ref());
            assert_eq!((reply.status, reply.body), (202, None), "{method} {headers:?}");
        }
    }
    // A request that lost its id: told where the era allows it.
    let text = r#"{"jsonrpc":"2.0","method":"tools/list"}"#;
    for headers in legacy {
        assert_eq!(outcome(text, headers.as_ref()), (400, -32600, Value::Null));
    }
    assert_eq!(send(text, Some(&version_header(LATEST))).status, 202);
    let text = json!({ "jsonrpc": "2.0", "method": "tools/list", "params": { "_meta": meta() } }).to_string();
    assert_eq!(send(&text, None).status, 202);
    // A version that nobody serves.
    let text = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(outcome(text, Some(&version_header("1999-01-01"))), (400, -32022, Value::Null));
}

#[test]
fn a_response_is_accepted_in_the_legacy_era_only() {
    for text in [
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","result":null}"#,
    ] {
        for headers in [None, Some(Headers::default()), Some(version_header("2025-11-25"))] {
            let reply = send(text, headers.as_ref());
            assert_eq!((reply.status, reply.body), (202, None), "{text}");
        }
        assert_eq!(outcome(text, Some(&version_header(LATEST))), (400, -32600, Value::Null));
        assert!(matches!(parse(text), Ok(Incoming::Response)));
    }
}

#[test]
fn id_and_method_are_known_before_anything_else() {
    let incoming = parse(r#"{"jsonrpc":"2.0","id":"x","method":"nope"}"#).unwrap();
    assert_eq!(incoming.id().map(|id| id.to_string()).as_deref(), Some("\"x\""));
    assert_eq!(serde_json::to_string(incoming.id().unwrap()).unwrap(), "\"x\"");
    assert_eq!(incoming.method(), Some("nope"));
    let incoming = parse(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).unwrap();
    assert_eq!((incoming.id(), incoming.method()), (None, Some("notifications/x")));
}
