//! Eras, the order of checks, headers, methods and params.

mod common;

use common::*;
use fluxbase_protocol::*;
use serde_json::{Value, json};

fn era(text: &str, headers: Option<&Headers>) -> Option<Era> {
    parse(text).unwrap().respond(headers, &SERVER).ok().map(|call| call.era)
}

#[test]
fn the_era_comes_from_meta_then_initialize_then_the_header() {
    let plain = plain("tools/list", json!({}));
    assert_eq!(era(&plain, None), Some(Era::Unversioned));
    assert_eq!(era(&plain, Some(&Headers::default())), Some(Era::Unversioned));
    for (name, version) in [
        ("2024-11-05", Version::V2024_11_05),
        ("2025-03-26", Version::V2025_03_26),
        (" 2025-06-18\t", Version::V2025_06_18),
        ("2025-11-25", Version::V2025_11_25),
    ] {
        assert_eq!(era(&plain, Some(&version_header(name))), Some(Era::Legacy(version)));
    }
    let (text, headers) = modern("tools/list", json!({}));
    assert_eq!(era(&text, None), Some(Era::Modern), "direct SQL compares no headers");
    assert_eq!(era(&text, Some(&headers)), Some(Era::Modern));
    // Keys of _meta other than the version do not make a request modern.
    let text =
        common::plain("tools/list", json!({ "_meta": { "io.modelcontextprotocol/clientCapabilities": {} } }));
    assert_eq!(era(&text, None), Some(Era::Unversioned));
}

#[test]
fn initialize_negotiates_a_legacy_version_whatever_the_header_says() {
    let rows = [
        ("2024-11-05", Version::V2024_11_05),
        ("2025-03-26", Version::V2025_03_26),
        ("2025-06-18", Version::V2025_06_18),
        ("2025-11-25", Version::V2025_11_25),
        (LATEST, Version::V2025_11_25),
        ("1999-01-01", Version::V2025_11_25),
        ("", Version::V2025_11_25),
    ];
    for (requested, version) in rows {
        let text = plain("initialize", json!({ "protocolVersion": requested, "capabilities": {} }));
        for headers in
            [None, Some(Headers::default()), Some(version_header(LATEST)), Some(version_header("x"))]
        {
            let call = parse(&text).unwrap().respond(headers.as_ref(), &SERVER).unwrap();
            assert_eq!(call.era, Era::Legacy(version));
            assert!(matches!(&call.method, Method::Initialize { requested: name } if name == requested));
            let (status, body) = exchange(&text, headers.as_ref());
            assert_eq!((status, &body["result"]["protocolVersion"]), (200, &json!(version.as_str())));
        }
    }
}

#[test]
fn a_version_in_the_header_that_is_not_served_is_refused() {
    for version in ["1999-01-01", "2027-01-01", "x", "2025-06-18, 2025-06-18"] {
        let (status, body) = exchange(&plain("tools/list", json!({})), Some(&version_header(version)));
        assert_eq!((status, &body["error"]["code"], &body["id"]), (400, &json!(-32022), &json!(7)));
        assert_eq!(body["error"]["data"], json!({ "supported": SUPPORTED, "requested": version }));
    }
    let twice =
        Headers { protocol_version: vec!["2025-06-18".into(), "2025-06-18".into()], ..Headers::default() };
    assert_eq!(outcome(&plain("tools/list", json!({})), Some(&twice)), (400, -32020, json!(7)));
}

/// Each row breaks the steps from its own on; the first broken step must answer.
#[test]
fn the_first_broken_step_answers() {
    const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    let wrong = Headers {
        protocol_version: vec![LATEST.to_owned()],
        method: vec!["other".to_owned()],
        name: vec!["other".to_owned()],
        negotiated: false,
    };
    let of = |version: &str, method: &str| Headers {
        protocol_version: vec![version.to_owned()],
        method: vec![method.to_owned()],
        ..Headers::default()
    };
    let rows = [
        // 1. _meta
        (json!({}), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": null }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": [] }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": "x" }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": { CAPABILITIES: {} } }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": { VERSION: "x" } }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": { VERSION: 5, CAPABILITIES: {} } }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": { VERSION: null, CAPABILITIES: {} } }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": { VERSION: "a\0", CAPABILITIES: {} } }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": { VERSION: "x", CAPABILITIES: [] } }), "nope", wrong.clone(), 400, -32602),
        (json!({ "_meta": { VERSION: "x", CAPABILITIES: null } }), "nope", wrong.clone(), 400, -32602),
        // 2. headers
        (json!({ "_meta": { VERSION: "x", CAPABILITIES: {} } }), "nope", wrong.clone(), 400, -32020),
        (json!({ "_meta": { VERSION: "x", CAPABILITIES: {} } }), "nope", of("x", "other"), 400, -32020),
        (json!({ "_meta": { VERSION: "x", CAPABILITIES: {} } }), "nope", of(LATEST, "nope"), 400, -32020),
        // 3. version
        (json!({ "_meta": { VERSION: "x", CAPABILITIES: {} } }), "nope", of("x", "nope"), 400, -32022),
        (
            json!({ "_meta": { VERSION: "2025-11-25", CAPABILITIES: {} } }),
            "nope",
            of("2025-11-25", "nope"),
            400,
            -32022,
        ),
        // 4. method
        (json!({ "_meta": meta(), "cursor": 5 }), "nope", of(LATEST, "nope"), 404, -32601),
        // 6. params
        (json!({ "_meta": meta(), "cursor": 5 }), "tools/list", of(LATEST, "tools/list"), 200, -32602),
        (json!({ "_meta": meta() }), "tools/list", of(LATEST, "tools/list"), 200, 0),
    ];
    for (params, method, headers, status, code) in rows {
        assert_eq!(
            outcome(&plain(method, params.clone()), Some(&headers)),
            (status, code, json!(7)),
            "{params} {headers:?}"
        );
    }
    // No params at all, and what the error of step 3 tells.
    let text = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    assert_eq!(outcome(text, Some(&version_header(LATEST))), (400, -32602, json!(7)));
    let text = plain("tools/list", json!({ "_meta": { VERSION: "v999.0.0", CAPABILITIES: {} } }));
    let (status, body) = exchange(&text, None);
    assert_eq!((status, &body["error"]["code"]), (400, &json!(-32022)));
    assert_eq!(body["error"]["data"], json!({ "supported": SUPPORTED, "requested": "v999.0.0" }));
}

#[test]
fn each_routing_header_must_say_what_the_body_says() {
    let (text, good) = modern("tools/call", json!({ "name": "query_table", "arguments": {} }));
    assert_eq!(outcome(&text, Some(&good)), (200, 0, json!(7)));
    type Change = fn(&mut Headers);
    let refused: [(&str, Change); 16] = [
        ("no headers", |headers| *headers = Headers::default()),
        ("no version", |headers| headers.protocol_version.clear()),
        ("other version", |headers| headers.protocol_version = vec!["2025-11-25".into()]),
        ("unknown version", |headers| headers.protocol_version = vec!["x".into()]),
        ("version twice", |headers| headers.protocol_version.push(LATEST.into())),
        ("no method", |headers| headers.method.clear()),
        ("other method", |headers| headers.method = vec!["tools/list".into()]),
        ("method in capitals", |headers| headers.method = vec!["Tools/Call".into()]),
        ("method in base64", |headers| headers.method = vec!["=?base64?dG9vbHMvY2FsbA==?=".into()]),
        ("method twice", |headers| headers.method.push("tools/call".into())),
        ("no name", |headers| headers.name.clear()),
        ("other name", |headers| headers.name = vec!["delete_record".into()]),
        ("name in capitals", |headers| headers.name = vec!["QUERY_TABLE".into()]),
        ("name twice", |headers| headers.name.push("query_table".into())),
        ("bad base64", |headers| headers.name = vec!["=?base64?cXVlcnlfdGFibGU?=".into()]),
        ("empty name", |headers| headers.name = vec![String::new()]),
    ];
    for (what, change) in refused {
        let mut headers = good.clone();
        change(&mut headers);
        assert_eq!(outcome(&text, Some(&headers)), (400, -32020, json!(7)), "{what}");
    }
    let served: [(&str, Change); 3] = [
        ("spaces and tabs", |headers| {
            headers.protocol_version = vec![format!(" {LATEST}\t")];
            headers.method = vec!["\ttools/call ".into()];
            headers.name = vec!["  query_table  ".into()];
        }),
        ("base64", |headers| headers.name = vec!["=?base64?cXVlcnlfdGFibGU=?=".into()]),
        ("base64 and spaces", |headers| headers.name = vec![" =?base64?cXVlcnlfdGFibGU=?= ".into()]),
    ];
    for (what, change) in served {
        let mut headers = good.clone();
        change(&mut headers);
        assert_eq!(outcome(&text, Some(&headers)), (200, 0, json!(7)), "{what}");
    }
}

#[test]
fn the_name_header_belongs_to_calls_and_reads() {
    let (text, good) = modern("resources/read", json!({ "uri": "fluxbase://schema/tables" }));
    assert_eq!(outcome(&text, Some(&good)), (200, 0, json!(7)));
    assert_eq!(outcome(&text, Some(&modern_headers("resources/read", ""))), (400, -32020, json!(7)));
    assert_eq!(
        outcome(&text, Some(&modern_headers("resources/read", "fluxbase://x"))),
        (400, -32020, json!(7))
    );
    // Text outside ASCII only as base64.
    let (text, _) = modern("resources/read", json!({ "uri": "x://Hello, 世界" }));
    assert_eq!(
        outcome(&text, Some(&modern_headers("resources/read", "x://Hello, 世界"))),
        (400, -32020, json!(7))
    );
    let headers = modern_headers("resources/read", "=?base64?eDovL0hlbGxvLCDkuJbnlYw=?=");
    assert_eq!(outcome(&text, Some(&headers)), (200, -32602, json!(7)));
    // prompts/get is compared as well, before it turns out that there is no such prompt.
    let (text, good) = modern("prompts/get", json!({ "name": "p" }));
    assert_eq!(outcome(&text, Some(&good)), (200, -32602, json!(7)));
    assert_eq!(outcome(&text, Some(&modern_headers("prompts/get", "q"))), (400, -32020, json!(7)));
    // Other methods have no name.
    let (text, _) = modern("tools/list", json!({ "name": "x" }));
    assert_eq!(outcome(&text, Some(&modern_headers("tools/list", "anything"))), (200, 0, json!(7)));
    // A name that is missing or no text is a matter of params.
    for params in [json!({}), json!({ "name": 5 }), json!({ "name": null }), json!({ "name": "a\0" })] {
        let (text, _) = modern("tools/call", params);
        assert_eq!(outcome(&text, Some(&modern_headers("tools/call", "x"))), (200, -32602, json!(7)));
    }
}

#[test]
fn each_era_has_its_methods() {
    let complete = json!({ "ref": { "type": "ref/prompt", "name": "city" }, "argument": { "name": "city", "value": "r" } });
    let both = [
        ("tools/list", json!({})),
        ("tools/call", json!({ "name": "query_table" })),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/templates", json!({})),
        ("resources/read", json!({ "uri": "fluxbase://schema/tables" })),
        ("prompts/list", json!({})),
        ("prompts/get", json!({ "name": "city", "arguments": {} })),
        ("completion/complete", complete),
    ];
    let legacy = [
        ("ping", json!({})),
        ("initialize", json!({ "protocolVersion": "2025-06-18" })),
        ("logging/setLevel", json!({ "level": "info" })),
        ("resources/subscribe", json!({ "uri": "app://x" })),
        ("resources/unsubscribe", json!({ "uri": "app://x" })),
    ];
    let modern_only =
        [("server/discover", json!({})), ("subscriptions/listen", json!({ "notifications": {} }))];
    let neither =
        ["nope", "", "Tools/List", "Prompts/list", "subscriptions/Listen", "notifications/initialized"];
    let ways = [None, Some(Headers::default()), Some(version_header("2025-11-25"))];
    for (method, params) in both.iter().chain(&legacy) {
        for headers in &ways {
            assert_eq!(
                outcome(&plain(method, params.clone()), headers.as_ref()),
                (200, 0, json!(7)),
                "{method}"
            );
        }
    }
    for (method, params) in both.iter().chain(&modern_only) {
        let (text, headers) = modern(method, params.clone());
        assert_eq!(outcome(&text, Some(&headers)), (200, 0, json!(7)), "{method}");
        assert_eq!(outcome(&text, None), (200, 0, json!(7)), "{method}");
    }
    for method in neither.into_iter().chain(["server/discover", "subscriptions/listen"]) {
        for headers in &ways {
            assert_eq!(
                outcome(&plain(method, json!({})), headers.as_ref()),
                (200, -32601, json!(7)),
                "{method}"
            );
        }
    }
    let only_legacy = legacy.iter().map(|(method, _)| *method);
    for method in neither.into_iter().chain(only_legacy) {
        let (text, headers) = modern(method, json!({}));
        assert_eq!(outcome(&text, Some(&headers)), (404, -32601, json!(7)), "{method}");
        assert_eq!(outcome(&text, None), (404, -32601, json!(7)), "{method}");
    }
}

#[test]
fn wrong_params_are_named() {
    let rows = [
        ("tools/list", json!({ "cursor": "x" }), "cursor"),
        ("tools/list", json!({ "cursor": 5 }), "cursor"),
        ("tools/list", json!({ "cursor": null }), "cursor"),
        ("resources/list", json!({ "cursor": "x" }), "cursor"),
        ("resources/templates/list", json!({ "cursor": {} }), "cursor"),
        ("resources/templates", json!({ "cursor": "x" }), "cursor"),
        ("tools/call", json!({}), "params.name"),
        ("tools/call", json!({ "name": null }), "params.name"),
        ("tools/call", json!({ "name": 5 }), "params.name"),
        ("tools/call", json!({ "name": ["x"] }), "params.name"),
        ("tools/call", json!({ "name": "a\0b" }), "\\u0000"),
        ("tools/call", json!({ "name": "query_table", "arguments": null }), "params.arguments"),
        ("tools/call", json!({ "name": "query_table", "arguments": [] }), "params.arguments"),
        ("tools/call", json!({ "name": "query_table", "arguments": "{}" }), "params.arguments"),
        ("tools/call", json!({ "name": "query_table", "arguments": 5 }), "params.arguments"),
        ("resources/read", json!({}), "params.uri"),
        ("resources/read", json!({ "uri": 5 }), "params.uri"),
        ("resources/read", json!({ "uri": "a\0" }), "\\u0000"),
    ];
    let legacy_rows = [
        ("initialize", json!({}), "params.protocolVersion"),
        ("initialize", json!({ "protocolVersion": 5 }), "params.protocolVersion"),
        ("ping", json!({ "_meta": "x" }), "params._meta"),
        ("tools/list", json!({ "_meta": [] }), "params._meta"),
    ];
    let check = |(status, body): (u16, Value), word: &str| {
        assert_eq!((status, &body["error"]["code"], &body["id"]), (200, &json!(-32602), &json!(7)), "{body}");
        assert!(body["error"]["message"].as_str().unwrap().contains(word), "{body}");
    };
    for (method, params, word) in rows.iter().chain(&legacy_rows) {
        check(exchange(&plain(method, params.clone()), None), word);
        check(exchange(&plain(method, params.clone()), Some(&version_header("2025-06-18"))), word);
    }
    for (method, params, word) in &rows {
        let (text, headers) = modern(method, params.clone());
        check(exchange(&text, Some(&headers)), word);
    }
    let text = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\ud800"}}"#;
    check(exchange(text, None), "surrogate");
    let text = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#;
    check(exchange(text, None), "params.name");
}

#[test]
fn arguments_are_carried_as_they_were_sent() {
    let sent = r#"{ "n": 12345678901234567890123, "f": 1.10, "a": [1e999],  "t": "\u0000\ud800" }"#;
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"arguments": {sent} ,"name":"t"}}}}"#
    );
    match parse(&text).unwrap().respond(None, &SERVER).unwrap().method {
        Method::CallTool { name, arguments, .. } => {
            assert_eq!(name, "t");
            assert_eq!(arguments.expect("arguments").get(), sent);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome(&plain("tools/list", json!({ "cursor": "" })), None), (200, 0, json!(7)));
    // Of wrong arguments only their shape matters here: the tool reads them.
    let (text, headers) = modern("tools/call", json!({ "name": "query_table", "arguments": { "table": 5 } }));
    assert_eq!(outcome(&text, Some(&headers)), (200, 0, json!(7)));
}

#[test]
fn params_of_prompts_and_completion_are_checked() {
    let reference = json!({ "type": "ref/prompt", "name": "city" });
    let argument = json!({ "name": "city", "value": "r" });
    for (method, params, good) in [
        ("prompts/get", json!({ "name": "city" }), true),
        ("prompts/get", json!({ "name": "city", "arguments": [] }), false),
        ("prompts/get", json!({}), false),
        ("prompts/list", json!({ "cursor": "x" }), false),
        ("completion/complete", json!({ "ref": reference, "argument": argument }), true),
        (
            "completion/complete",
            json!({ "ref": reference, "argument": argument, "context": { "arguments": { "a": "b" } } }),
            true,
        ),
        ("completion/complete", json!({ "ref": reference, "argument": argument, "context": null }), true),
        (
            "completion/complete",
            json!({ "ref": reference, "argument": argument, "context": { "arguments": { "a": 1 } } }),
            false,
        ),
        ("completion/complete", json!({ "ref": reference, "argument": argument, "context": [] }), false),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/tool", "name": "x" }, "argument": argument }),
            false,
        ),
        ("completion/complete", json!({ "ref": { "type": "ref/resource" }, "argument": argument }), false),
        ("completion/complete", json!({ "ref": "city", "argument": argument }), false),
        ("completion/complete", json!({ "ref": reference }), false),
        (
            "completion/complete",
            json!({ "ref": reference, "argument": { "name": "city", "value": 1 } }),
            false,
        ),
        ("logging/setLevel", json!({ "level": "loud" }), false),
        ("logging/setLevel", json!({}), false),
        ("resources/subscribe", json!({}), false),
    ] {
        let code = if good { 0 } else { -32602 };
        assert_eq!(outcome(&plain(method, params.clone()), None), (200, code, json!(7)), "{method} {params}");
    }
}

#[test]
fn what_a_client_wishes_is_read() {
    let call = |meta: Value| {
        let text = plain("tools/call", json!({ "name": "query_table", "_meta": meta }));
        parse(&text).unwrap().respond(None, &SERVER)
    };
    let wishes =
        call(json!({ "progressToken": "a", "io.modelcontextprotocol/logLevel": "error" })).unwrap().wishes;
    assert_eq!(wishes.progress_token.unwrap().get(), "\"a\"");
    assert_eq!(wishes.log_level, Some(Level::Error));
    assert_eq!(call(json!({ "progressToken": -17 })).unwrap().wishes.progress_token.unwrap().get(), "-17");
    for meta in [
        json!({ "progressToken": 1.5 }),
        json!({ "progressToken": {} }),
        json!({ "progressToken": true }),
        json!({ "progressToken": null }),
        json!({ "io.modelcontextprotocol/logLevel": "loud" }),
        json!({ "io.modelcontextprotocol/logLevel": 3 }),
    ] {
        assert!(call(meta.clone()).is_err(), "{meta}");
    }
    assert!(Level::Debug < Level::Emergency);
    assert_eq!(Level::parse("notice").map(Level::as_str), Some("notice"));
}

#[test]
fn answers_to_questions_are_read_in_the_modern_era_only() {
    let params = json!({ "name": "asking", "requestState": "s", "inputResponses": { "who": 1 } });
    let (text, headers) = modern("tools/call", params.clone());
    let (_, body) = exchange(&text, Some(&headers));
    assert_eq!(body["result"]["structuredContent"], json!({ "who": 1 }));
    assert_eq!(body["result"]["content"][0]["text"], "s");
    let (_, body) = exchange(&plain("tools/call", params), None);
    assert_eq!(body["result"]["requestState"], "a \"state\"");
    for (member, wrong) in
        [("requestState", json!(1)), ("requestState", json!("\u{0}")), ("inputResponses", json!([]))]
    {
        let mut params = json!({ "name": "asking" });
        params[member] = wrong;
        let (text, headers) = modern("tools/call", params);
        assert_eq!(outcome(&text, Some(&headers)), (200, -32602, json!(7)), "{member}");
    }
}

/// Without HTTP the handshake's version holds, and a modern message has nothing to be compared with.
#[test]
fn a_negotiated_version_holds_and_is_compared_with_nothing() {
    let negotiated = |version: &str| Headers { negotiated: true, ..version_header(version) };
    let list = plain("tools/list", json!({}));
    assert_eq!(era(&list, Some(&negotiated("2025-11-25"))), Some(Era::Legacy(Version::V2025_11_25)));
    assert_eq!(era(&list, Some(&negotiated("2024-11-05"))), Some(Era::Legacy(Version::V2024_11_05)));
    let modern = plain("tools/list", json!({ "_meta": meta() }));
    assert_eq!(outcome(&modern, Some(&negotiated("2025-11-25"))), (200, 0, json!(7)));
    assert_eq!(outcome(&modern, Some(&version_header("2025-11-25"))), (400, -32020, json!(7)));
}
