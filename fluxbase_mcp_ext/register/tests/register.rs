//! Templates, arguments of prompts, answers and states.

use fluxbase_register::{
    Asked, Binding, LIFETIME_SECONDS, PromptAnswer, PromptArguments, Source, Template, ToolAnswer,
    prompt_answer, resource_answer, sign, sources, tool_answer, verify,
};
use serde_json::{Value, json};

fn variables(template: &str, uri: &str) -> Option<Vec<String>> {
    let template = Template::parse(template).unwrap();
    Some(template.variables_of(uri)?.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

#[test]
fn templates_match_whole_uris() {
    assert_eq!(
        variables("test://template/{id}/data", "test://template/12/data"),
        Some(vec!["id=12".to_owned()])
    );
    assert_eq!(variables("a:{x}-{y}.csv", "a:1-2-3.csv"), Some(vec!["x=1".to_owned(), "y=2-3".to_owned()]));
    assert_eq!(variables("a:{x}", "a:caf%C3%A9%2F"), Some(vec!["x=café/".to_owned()]));
    assert_eq!(variables("a:b", "a:b"), Some(vec![]));
    for (template, uri) in [
        ("a:{x}", "a:"),
        ("a:{x}", "a:b/c"),
        ("a:{x}/", "a:b"),
        ("a:{x}", "a:%zz"),
        ("a:{x}", "a:%00"),
        ("a:{x}", "a:%ff"),
        ("a:{x}", "a:b?c"),
        ("a:{x}", "a:{x}"),
        ("a:{x}-{y}", "a:-1"),
        ("a:{x}-{y}", "a:1-"),
        ("a:b", "a:bc"),
        ("a:b", "A:b"),
        ("a:{x}b{y}", "a:é"),
    ] {
        assert_eq!(variables(template, uri), None, "{template} {uri}");
    }
}

#[test]
fn what_is_no_template_is_refused() {
    for text in [
        "",
        "a",
        "no scheme",
        "://x",
        "1a:b",
        "a:{",
        "a:}",
        "a:{}",
        "a:{+x}",
        "a:{x,y}",
        "a:{x}{y}",
        "a:{x}-{x}",
        "a:{x}}",
        "a: b",
        "a:\n",
        "a:<b>",
    ] {
        assert!(Template::parse(text).is_err(), "{text}");
    }
    assert!(Template::parse(&format!("a:{}", "x".repeat(2000))).is_err());
}

#[test]
fn matching_is_bounded() {
    let template = format!("a:{}", (0..16).map(|n| format!("{{v{n}}}-")).collect::<String>());
    assert!(variables(&template, &format!("a:{}", "x-".repeat(400))).is_some());
    assert!(variables(&template, &format!("a:{}", "-".repeat(900))).is_some());
    assert!(variables(&template, &format!("a:{}", "x-".repeat(1_000_000))).is_none());
}

#[test]
fn prompts_take_what_they_declare() {
    let arguments = PromptArguments::read(
        r#"[{"name":"city","required":true,"values":["Rome"]},{"name":"x","description":"d"}]"#,
    )
    .unwrap();
    assert_eq!(arguments.shown(), r#"[{"name":"city","required":true},{"description":"d","name":"x"}]"#);
    let check = |value: Value| arguments.check(value.as_object().unwrap());
    assert_eq!(check(json!({"city": "Rome", "x": "1"})), Ok(()));
    assert!(check(json!({"x": "1"})).unwrap_err().contains("\"city\" is required"));
    assert!(check(json!({"city": 1})).unwrap_err().contains("must be a string"));
    assert!(check(json!({"city": "a", "town": "b"})).unwrap_err().contains("Known are: city, x."));
    assert_eq!(arguments.sources()["city"], Source::Values(vec!["Rome".to_owned()]));
    assert!(arguments.has("x") && !arguments.has("town") && !arguments.sources().contains_key("x"));
    for text in [
        "{}",
        "[1]",
        "[{}]",
        r#"[{"name":""}]"#,
        r#"[{"name":"a"},{"name":"a"}]"#,
        r#"[{"name":"a","requried":true}]"#,
    ] {
        assert!(PromptArguments::read(text).is_err(), "{text}");
    }
}

#[test]
fn sources_of_completions_are_read() {
    let text = |text: &str| text.to_owned();
    for (json, source) in [
        (json!({"values": ["a", ""]}), Source::Values(vec![text("a"), text("")])),
        (json!({"schemas": true}), Source::Schemas),
        (json!({"tables": null}), Source::Tables(None)),
        (json!({"tables": "s"}), Source::Tables(Some(text("s")))),
        (json!({"columns_of": "t"}), Source::ColumnsOf(text("t"))),
        (json!({"enum": "shop.Status x"}), Source::Enum(text("shop"), text("Status x"))),
        (
            json!({"enum_of": {"table": "t", "column": "c"}}),
            Source::EnumOf { table: text("t"), column: text("c") },
        ),
        (json!({"namespaces": true}), Source::Namespaces),
        (json!({"functions": null}), Source::Functions(None)),
        (json!({"functions": "n"}), Source::Functions(Some(text("n")))),
    ] {
        assert_eq!(Source::read(&json).unwrap(), source, "{json}");
    }
    for (json, why) in [
        (json!(null), "must be one of"),
        (json!({}), "must be one of"),
        (json!({"values": [], "schemas": true}), "must be one of"),
        (json!({"colums_of": "t"}), "unknown member \"colums_of\""),
        (json!({"values": "a"}), "list of strings"),
        (json!({"values": [1]}), "list of strings"),
        (json!({"schemas": false}), "must be true"),
        (json!({"tables": 1}), "tables must be null"),
        (json!({"tables": ""}), "tables must be null"),
        (json!({"columns_of": null}), "columns_of must be"),
        (json!({"enum": "status"}), "with its schema"),
        (json!({"enum": "a.b.c"}), "with its schema"),
        (json!({"enum_of": {"table": "t"}}), "enum_of must be"),
        (json!({"enum_of": {"table": "t", "colum": "c"}}), "enum_of must be"),
    ] {
        let told = Source::read(&json).unwrap_err();
        assert!(told.contains(why), "{json}: {told}");
    }
    let variables = ["schema", "table"];
    assert_eq!(sources(r#"{"table":{"tables":"schema"}}"#, &variables).unwrap().len(), 1);
    for (json, why) in [
        ("[]", "an object by variable"),
        (r#"{"id":{"schemas":true}}"#, "Its variables are: schema, table."),
        (r#"{"table":{"tables":"table"}}"#, "must be another argument; others are: schema."),
        (r#"{"table":{"columns_of":"x"}}"#, "names \"x\""),
    ] {
        let told = sources(json, &variables).unwrap_err();
        assert!(told.contains(why), "{json}: {told}");
    }
    for (json, why) in [
        (r#"[{"name":"a","values":["x"],"complete":{"schemas":true}}]"#, "write one of them"),
        (r#"[{"name":"a","complete":{"columns_of":"a"}}]"#, "others are: none"),
        (r#"[{"name":"a","complete":{"columns":"b"}},{"name":"b"}]"#, "[0].complete has the unknown member"),
    ] {
        let told = PromptArguments::read(json).unwrap_err();
        assert!(told.contains(why), "{json}: {told}");
    }
    let read = PromptArguments::read(
        r#"[{"name":"t","complete":{"tables":null}},{"name":"c","complete":{"columns_of":"t"}}]"#,
    );
    assert_eq!(read.unwrap().sources().len(), 2);
}

#[test]
fn tools_answer_content_or_json() {
    let content = |items: Value| tool_answer(&json!({ "content": items }).to_string());
    assert!(matches!(
        content(json!([{"type": "text", "text": "a"}])),
        Ok(ToolAnswer::Content { is_error: false, .. })
    ));
    assert!(matches!(content(json!([])), Ok(ToolAnswer::Content { .. })));
    assert!(matches!(tool_answer(r#"{"a":1}"#), Ok(ToolAnswer::Object(_))));
    assert!(matches!(tool_answer(r#"{"content":"a column"}"#), Ok(ToolAnswer::Object(_))));
    assert!(matches!(tool_answer(r#""a \"b\"""#), Ok(ToolAnswer::Text(text)) if text == "a \"b\""));
    assert!(matches!(tool_answer("[1]"), Ok(ToolAnswer::Text(text)) if text == "[1]"));
    for (items, why) in [
        (json!([1]), "content[0].type"),
        (json!([{"type": "text", "text": "a"}, {"type": "video"}]), "content[1].type"),
        (json!([{"type": "text"}]), "content[0].text"),
        (json!([{"type": "image", "data": "aGVsbG8="}]), "content[0].mimeType"),
        (json!([{"type": "image", "mimeType": "image/png", "data": "aGVs\nbG8="}]), "line breaks"),
        (json!([{"type": "audio", "mimeType": "audio/wav", "data": "aGVsbG8"}]), "not base64"),
        (json!([{"type": "resource", "resource": {"uri": "a:b"}}]), "content[0].resource.text"),
        (json!([{"type": "resource_link", "uri": "a:b"}]), "content[0].name"),
    ] {
        assert!(content(items).unwrap_err().contains(why), "{why}");
    }
    assert!(tool_answer(r#"{"content":[],"structuredContent":[]}"#).is_err());
    assert!(tool_answer(r#"{"content":[],"isError":"yes"}"#).is_err());
}

#[test]
fn tools_ask() {
    let ask = |requests: Value| {
        tool_answer(&json!({"inputRequests": requests, "requestState": {"n": 1}}).to_string())
    };
    let elicitation = json!({"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": {"type": "object"}}});
    let Ok(ToolAnswer::Ask(asked)) = ask(json!({"who": elicitation, "roots": {"method": "roots/list"}}))
    else {
        panic!()
    };
    assert_eq!(asked.state.as_deref(), Some(r#"{"n":1}"#));
    assert_eq!(
        asked.questions.iter().map(|question| question.capability).collect::<Vec<_>>(),
        ["roots", "elicitation"]
    );
    assert_eq!(
        serde_json::from_str::<Value>(&asked.requests()).unwrap(),
        json!({"who": elicitation, "roots": {"method": "roots/list"}})
    );
    let fits = |asked: &Asked, declared: Value| asked.questions[0].fits(declared.as_object().unwrap());
    let form = Asked::form("sure", "Really?", json!({"type": "object", "properties": {}}), "1".to_owned());
    assert_eq!(
        form.requests(),
        r#"{"sure":{"method":"elicitation/create","params":{"message":"Really?","requestedSchema":{"properties":{},"type":"object"}}}}"#
    );
    for (declared, fit) in [
        (json!({"elicitation": {}}), true),
        (json!({"elicitation": {"form": {}}}), true),
        (json!({"elicitation": {"form": {}, "url": {}}}), true),
        (json!({"elicitation": {"url": {}}}), false),
        (json!({"sampling": {}}), false),
        (json!({}), false),
    ] {
        assert_eq!(fits(&form, declared.clone()), fit, "{declared}");
    }
    for requests in [
        json!([]),
        json!({}),
        json!({"a": 1}),
        json!({"a": {"method": "tools/call"}}),
        json!({"a": {"method": "elicitation/create"}}),
        json!({"a": {"method": "elicitation/create", "params": {"message": "x"}}}),
        json!({"a": {"method": "elicitation/create", "params": {"message": "x", "mode": "url"}}}),
        json!({"a": {"method": "sampling/createMessage", "params": {"messages": []}}}),
    ] {
        assert!(ask(requests.clone()).is_err(), "{requests}");
    }
}

#[test]
fn prompts_and_resources_answer() {
    let Ok(PromptAnswer::Messages { messages, .. }) = prompt_answer("say \"hi\"", true) else { panic!() };
    assert_eq!(messages, r#"[{"content":{"text":"say \"hi\"","type":"text"},"role":"user"}]"#);
    assert!(
        prompt_answer(
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"a"}}],"description":"d"}"#,
            false
        )
        .is_ok()
    );
    for json in [
        "1",
        "{}",
        r#"{"messages":[{"role":"system","content":{"type":"text","text":"a"}}]}"#,
        r#"{"messages":[{"role":"user","content":"a"}]}"#,
    ] {
        assert!(prompt_answer(json, false).is_err(), "{json}");
    }
    assert_eq!(resource_answer(r#"{"a":1}"#), Ok(None));
    assert_eq!(resource_answer("[1]"), Ok(None));
    assert_eq!(
        resource_answer(r#"{"contents":[{"uri":"a:b","text":"x"}]}"#),
        Ok(Some(r#"[{"uri":"a:b","text":"x"}]"#.to_owned()))
    );
    assert!(resource_answer(r#"{"contents":[]}"#).is_err());
    assert!(resource_answer(r#"{"contents":[{"uri":"a:b"}]}"#).is_err());
}

#[test]
fn a_state_is_good_for_one_call_of_one_principal() {
    let secret = [7_u8; 32];
    let binding = |who: &str, tool: &str, arguments: Value| {
        Binding::new(who.to_owned(), ("tool", tool.to_owned()), &arguments.to_string())
    };
    let own = binding("key:1", "t", json!({"a": 1, "b": [2]}));
    let state = sign(&secret, &own, r#"{"step": 1}"#, 1000, LIFETIME_SECONDS).unwrap();
    assert_eq!(verify(&secret, &own, &state, 1000).as_deref(), Some(r#"{"step": 1}"#));
    // The same arguments, written otherwise.
    let written = |arguments: &str| Binding::new("key:1".to_owned(), ("tool", "t".to_owned()), arguments);
    assert!(verify(&secret, &written(r#"{ "b":[2], "\u0061":1 }"#), &state, 1599).is_some());
    // Not the same, though equal as doubles; given twice, nobody knows which was meant.
    for other in [r#"{"a":1.00000000000000000001,"b":[2]}"#, r#"{"a":2,"a":1,"b":[2]}"#] {
        assert_eq!(verify(&secret, &written(other), &state, 1000), None, "{other}");
    }
    assert_eq!(verify(&secret, &own, &state, 1000 + i64::from(LIFETIME_SECONDS)), None);
    let long = sign(&secret, &own, "1", 1000, 3600).unwrap();
    assert!(verify(&secret, &own, &long, 4599).is_some());
    assert_eq!(verify(&secret, &own, &long, 4600), None);
    assert_eq!(verify(&[8; 32], &own, &state, 1000), None);
    assert_eq!(verify(&secret, &binding("key:2", "t", json!({"a": 1, "b": [2]})), &state, 1000), None);
    assert_eq!(verify(&secret, &binding("key:1", "u", json!({"a": 1, "b": [2]})), &state, 1000), None);
    assert_eq!(verify(&secret, &binding("key:1", "t", json!({"a": 2, "b": [2]})), &state, 1000), None);
    let prompt = Binding::new("key:1".to_owned(), ("prompt", "t".to_owned()), r#"{"a":1,"b":[2]}"#);
    assert_eq!(verify(&secret, &prompt, &state, 1000), None);
    for at in 0..state.len() {
        let mut changed = state.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(verify(&secret, &own, &String::from_utf8(changed).unwrap(), 1000), None, "{at}");
    }
    for text in ["", ".", "a.b", "é", &state[..state.len() - 1], &format!("{state}A"), &format!("{state}.")]
    {
        assert_eq!(verify(&secret, &own, text, 1000), None, "{text}");
    }
    assert!(sign(&secret, &own, &format!("\"{}\"", "x".repeat(70_000)), 1000, 1).is_err());
}
