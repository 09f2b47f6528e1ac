//! `subscriptions/listen`: the filter and the messages of the stream.

mod common;

use common::*;
use fluxbase_protocol::{Call, Filter, LATEST, MAX_SUBSCRIBED, Method, parse};
use serde_json::{Value, json};

fn call(notifications: Value) -> Call {
    let (text, headers) = modern("subscriptions/listen", json!({ "notifications": notifications }));
    let Ok(incoming) = parse(&text) else { panic!("{text}") };
    incoming.respond(Some(&headers), &SERVER).unwrap_or_else(|reply| panic!("{reply:?}"))
}

fn filter(notifications: Value) -> Filter {
    match call(notifications).method {
        Method::Listen(filter) => filter,
        other => panic!("{other:?}"),
    }
}

fn read(text: &str) -> Value {
    assert!(!text.contains('\n'), "an event is one line: {text}");
    serde_json::from_str(text).expect(text)
}

#[test]
fn the_filter_holds_what_was_asked_for() {
    assert_eq!(filter(json!({})), Filter::default());
    assert_eq!(
        filter(
            json!({ "toolsListChanged": true, "promptsListChanged": false, "resourcesListChanged": true, "later": 1,
            "resourceSubscriptions": ["a:b", "c:d", "a:b"] })
        ),
        Filter {
            tools: true,
            prompts: false,
            resources: true,
            uris: vec!["a:b".to_owned(), "c:d".to_owned()]
        }
    );
}

#[test]
fn a_wrong_filter_is_refused() {
    let many: Vec<String> = (0..=MAX_SUBSCRIBED).map(|n| format!("x:{n}")).collect();
    for notifications in [
        json!(null),
        json!([]),
        json!("tools"),
        json!({ "toolsListChanged": 1 }),
        json!({ "resourceSubscriptions": "a" }),
        json!({ "resourceSubscriptions": [1] }),
        json!({ "resourceSubscriptions": many }),
    ] {
        let (text, headers) = modern("subscriptions/listen", json!({ "notifications": notifications }));
        assert_eq!(outcome(&text, Some(&headers)), (200, -32602, json!(7)), "{notifications}");
    }
    let (text, headers) = modern("subscriptions/listen", json!({}));
    assert_eq!(outcome(&text, Some(&headers)), (200, -32602, json!(7)));
}

#[test]
fn it_exists_in_the_modern_era_only() {
    let text = plain("subscriptions/listen", json!({ "notifications": {} }));
    let (status, body) = exchange(&text, None);
    assert_eq!((status, &body["error"]["code"]), (200, &json!(-32601)));
    assert!(body["error"]["message"].as_str().is_some_and(|text| text.contains(LATEST)), "{body}");
}

#[test]
fn every_message_names_its_stream() {
    let call = call(json!({}));
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": 7 });
    let honoured = Filter { tools: true, uris: vec!["a:\"b\"".to_owned()], ..Filter::default() };
    assert_eq!(
        read(&call.acknowledged(&honoured)),
        json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
            "params": { "notifications": { "toolsListChanged": true, "resourceSubscriptions": ["a:\"b\""] }, "_meta": meta } })
    );
    assert_eq!(
        read(&call.acknowledged(&Filter::default()))["params"],
        json!({ "notifications": {}, "_meta": meta })
    );
    for list in ["tools", "prompts", "resources"] {
        assert_eq!(
            read(&call.list_changed(list)),
            json!({ "jsonrpc": "2.0", "method": format!("notifications/{list}/list_changed"), "params": { "_meta": meta } })
        );
    }
    assert_eq!(
        read(&call.resource_updated("a:b")),
        json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": "a:b", "_meta": meta } })
    );
    let end = read(&call.listened());
    assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!(7), &json!("complete")));
    assert_eq!(end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
}
