//! Batches, which exist in revision 2025-03-26 only.

mod common;

use common::*;
use fluxbase_protocol::{Headers, LATEST, MAX_BATCH, SUPPORTED};
use serde_json::{Value, json};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":"two","method":"tools/list"}"#;
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// Direct SQL, HTTP without a version, and HTTP with the version that has batches.
fn ways() -> [Option<Headers>; 3] {
    [None, Some(Headers::default()), Some(version_header("2025-03-26"))]
}

#[test]
fn each_request_gets_its_answer_in_its_order() {
    for headers in ways() {
        let (status, body) = exchange(&format!(" [{PING},{NOTE},{LIST}]"), headers.as_ref());
        assert_eq!(status, 200);
        assert_eq!(body[0], json!({"jsonrpc":"2.0","result":{},"id":1}));
        assert_eq!(body[1]["id"], "two");
        assert_eq!(body[1]["result"]["tools"].as_array().map(Vec::len), Some(2));
        assert_eq!(body.as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn the_answers_are_those_of_messages_that_come_alone() {
    for headers in ways() {
        let messages = [
            PING,
            LIST,
            r#"{"jsonrpc":"2.0","id":3,"method":"nonsense"}"#,
            r#"{"id":4,"method":"ping"}"#,
            "17",
        ];
        let alone: Vec<Value> = messages.iter().map(|text| exchange(text, headers.as_ref()).1).collect();
        let (status, together) = exchange(&format!("[{}]", messages.join(",")), headers.as_ref());
        assert_eq!((status, together), (200, Value::from(alone)));
    }
}

#[test]
fn nothing_to_answer_is_202() {
    for headers in ways() {
        assert_eq!(exchange(&format!("[{NOTE}]"), headers.as_ref()), (202, Value::Null));
    }
}

#[test]
fn what_is_no_batch_is_refused_as_a_whole() {
    let many = format!("[{}]", vec![PING; MAX_BATCH + 1].join(","));
    let deep = format!("[{}{}]", "[".repeat(130), "]".repeat(130));
    for headers in ways() {
        for (text, code) in [
            ("[]", -32600),
            (many.as_str(), -32600),
            (deep.as_str(), -32600),
            ("[1,]", -32700),
            ("[{}", -32700),
        ] {
            assert_eq!(outcome(text, headers.as_ref()), (400, code, Value::Null), "{text:.40}");
        }
    }
    let most = format!("[{}]", vec![PING; MAX_BATCH].join(","));
    assert_eq!(exchange(&most, None).1.as_array().map(Vec::len), Some(MAX_BATCH));
}

#[test]
fn other_revisions_have_no_batches() {
    for version in SUPPORTED.into_iter().filter(|version| *version != "2025-03-26") {
        let (status, body) = exchange(&format!("[{PING}]"), Some(&version_header(version)));
        assert_eq!((status, &body["error"]["code"]), (400, &json!(-32600)), "{version}");
        assert!(body["error"]["message"].as_str().is_some_and(|text| text.contains("2025-03-26")), "{body}");
    }
}

#[test]
fn initialize_and_modern_messages_come_alone() {
    let initialize = plain("initialize", json!({ "protocolVersion": "2025-03-26" }));
    let (modern, _) = modern("tools/list", json!({}));
    let nested = format!("[{PING}]");
    for text in [&initialize, &modern, &nested] {
        let (status, body) = exchange(&format!("[{text},{PING}]"), None);
        assert_eq!(status, 200);
        assert_eq!(body[0]["error"]["code"], -32600, "{body}");
        assert_eq!(body[1]["result"], json!({}), "the others are answered: {body}");
    }
    assert!(modern.contains(LATEST));
}
