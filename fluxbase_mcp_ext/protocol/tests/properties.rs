//! Whatever comes in, the reply is one valid JSON-RPC object with the right id, a list of them for a batch, or an empty 202.

mod common;

use common::*;
use fluxbase_protocol::{Headers, LATEST, SUPPORTED, push_string};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value};

/// Characters that JSON and Postgres treat in a special way, and others.
fn tricky() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => any::<char>(),
        2 => select(vec!['"', '\\', '\0', '\n', '\u{1f}', '\u{7f}', '\u{2028}', '\u{feff}', 'é', '😀', '[', '{', '/']),
    ];
    proptest::collection::vec(character, 0..40).prop_map(String::from_iter)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        tricky().prop_map(Value::from),
        known_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn known_text() -> impl Strategy<Value = String> {
    let mut texts = vec![
        "2.0",
        "tools/list",
        "tools/call",
        "resources/read",
        "resources/list",
        "initialize",
        "ping",
        "server/discover",
        "notifications/initialized",
        "query_table",
        "failing",
        "fluxbase://schema/tables",
        "",
        "=?base64?YQ==?=",
    ];
    texts.extend(SUPPORTED);
    select(texts).prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = String> {
    let known = select(vec![
        "jsonrpc",
        "id",
        "method",
        "params",
        "result",
        "error",
        "name",
        "arguments",
        "uri",
        "cursor",
        "protocolVersion",
        "_meta",
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientCapabilities",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => tricky()]
}

fn headers() -> impl Strategy<Value = Option<Headers>> {
    let values = || proptest::collection::vec(prop_oneof![4 => known_text(), 1 => tricky()], 0..3);
    proptest::option::of((values(), values(), values()).prop_map(|(protocol_version, method, name)| {
        Headers { protocol_version, method, name, negotiated: false }
    }))
}

/// A message that is nearly right: each member is right, wrong or absent.
fn near_message() -> impl Strategy<Value = Value> {
    let member = |right: BoxedStrategy<Value>| prop_oneof![6 => right.prop_map(Some), 1 => json_value().prop_map(Some), 1 => Just(None)];
    let method = known_text().prop_map(Value::from).boxed();
    let meta = proptest::collection::vec((key(), json_value()), 0..3).prop_map(|extra| {
        let mut meta = meta();
        meta.as_object_mut().expect("an object").extend(extra);
        meta
    });
    let params = (proptest::collection::vec((key(), json_value()), 0..5), proptest::option::of(meta))
        .prop_map(|(members, meta)| {
            let mut params = Map::from_iter(members);
            params.extend(meta.map(|meta| ("_meta".to_owned(), meta)));
            Value::Object(params)
        });
    (
        member(Just(Value::from("2.0")).boxed()),
        member(prop_oneof![any::<i64>().prop_map(Value::from), tricky().prop_map(Value::from)].boxed()),
        member(method),
        member(params.boxed()),
        proptest::collection::vec((key(), json_value()), 0..2),
    )
        .prop_map(|(jsonrpc, id, method, params, extra)| {
            let mut message = Map::from_iter(extra);
            for (key, value) in [("jsonrpc", jsonrpc), ("id", id), ("method", method), ("params", params)] {
                message.extend(value.map(|value| (key.to_owned(), value)));
            }
            Value::Object(message)
        })
}

/// Checks one answer.
fn well_formed(answer: &Value) -> Result<(), TestCaseError> {
    let members = answer.as_object().expect("an object");
    prop_assert_eq!(&answer["jsonrpc"], "2.0");
    prop_assert_eq!(members.len(), 3);
    prop_assert!(members.contains_key("id"));
    prop_assert!(members.contains_key("result") || answer["error"]["code"].is_i64());
    Ok(())
}

/// Checks a reply, and its id where the message is JSON.
fn check(text: &str, headers: Option<&Headers>) -> Result<(), TestCaseError> {
    let reply = send(text, headers);
    let Some(body) = reply.body else {
        prop_assert_eq!(reply.status, 202);
        return Ok(());
    };
    prop_assert!([200, 400, 404].contains(&reply.status));
    let body: Value =
        serde_json::from_str(&body).map_err(|error| TestCaseError::fail(format!("{error}: {body}")))?;
    if let Value::Array(answers) = &body {
        prop_assert!(text.trim_start().starts_with('[') && !answers.is_empty() && reply.status == 200);
        return answers.iter().try_for_each(well_formed);
    }
    well_formed(&body)?;
    let members = body.as_object().expect("an object");
    if members.contains_key("result") {
        prop_assert_eq!(reply.status, 200);
    }
    if let Ok(message) = serde_json::from_str::<Value>(text)
        && let Some(id) = message.get("id")
    {
        // A response is refused without an id: its id is ours, not the client's.
        let response =
            message.get("method").is_none() && (message.get("result").or(message.get("error"))).is_some();
        if response && message["jsonrpc"] == "2.0" {
            return Ok(());
        }
        let valid = id.is_string() || id.is_i64() || id.is_u64();
        prop_assert_eq!(&body["id"], if valid { id } else { &Value::Null });
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: ProptestConfig::default().cases.max(1024), ..ProptestConfig::default() })]

    #[test]
    fn strings_round_trip(text in prop_oneof![tricky(), any::<String>()]) {
        let mut out = String::from("x");
        push_string(&mut out, &text);
        prop_assert_eq!(&serde_json::from_str::<String>(&out[1..]).unwrap(), &text);
        prop_assert_eq!(&out[1..], serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), headers in headers()) {
        check(&String::from_utf8_lossy(&bytes), headers.as_ref())?;
    }

    #[test]
    fn any_characters_of_json(text in "[\\[\\]{}:,\"\\\\a-f0-9eE.+ u-]{0,60}", headers in headers()) {
        check(&text, headers.as_ref())?;
    }

    #[test]
    fn any_json(value in json_value(), headers in headers()) {
        check(&value.to_string(), headers.as_ref())?;
    }

    #[test]
    fn nearly_right_messages(message in near_message(), headers in headers()) {
        check(&message.to_string(), headers.as_ref())?;
        // Without the last byte it is no JSON, wherever it was cut in meaning.
        let text = message.to_string();
        let reply = send(&text[..text.len() - 1], headers.as_ref());
        prop_assert_eq!(reply.status, 400);
    }

    #[test]
    fn a_batch_is_answered_as_its_messages_are(messages in proptest::collection::vec(near_message(), 1..6)) {
        let batch = Value::from(messages.clone()).to_string();
        check(&batch, None)?;
        let answers: Vec<Value> = send(&batch, None).body.map_or(Vec::new(), |body| serde_json::from_str(&body).expect("a list"));
        let requests = messages.iter().filter(|message| send(&message.to_string(), None).body.is_some()).count();
        // One that names a version is refused in a batch, also when it is a notification, which is else taken note of.
        prop_assert!(answers.len() >= requests && answers.len() <= messages.len());
    }

    #[test]
    fn right_headers_pass_and_changed_ones_do_not(name in tricky(), other in tricky()) {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let name = name.replace('\0', "");
        let encoded = |text: &str| format!("=?base64?{}?=", STANDARD.encode(text));
        let (text, mut headers) = modern("tools/call", serde_json::json!({ "name": name }));
        headers.name = vec![encoded(&name)];
        prop_assert_eq!(send(&text, Some(&headers)).status, 200);
        headers.name = vec![encoded(&other)];
        prop_assert_eq!(send(&text, Some(&headers)).status, if name == other { 200 } else { 400 });
        headers.protocol_version = vec![format!("{LATEST}x")];
        prop_assert_eq!(send(&text, Some(&headers)).status, 400);
    }
}
