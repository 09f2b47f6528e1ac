//! Whatever comes in: no panic, and what was taken in comes out again.

use fluxbase_register::{
    Binding, PromptArguments, Schema, Template, ToolAnswer, prompt_answer, resource_answer, sign,
    tool_answer, verify,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Words that mean something to the readers, so that made-up JSON comes close to what they expect.
const WORDS: [&str; 28] = [
    "type",
    "object",
    "array",
    "string",
    "integer",
    "properties",
    "items",
    "required",
    "additionalProperties",
    "allOf",
    "anyOf",
    "not",
    "if",
    "$ref",
    "#",
    "#/$defs/a",
    "$defs",
    "a",
    "pattern",
    "^(a+)+$",
    "enum",
    "content",
    "text",
    "inputRequests",
    "method",
    "roots/list",
    "messages",
    "contents",
];

fn json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(&WORDS[..]).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn schemas_end(schema in json(), value in json()) {
        let mut members = schema.as_object().cloned().unwrap_or_else(Map::new);
        members.insert("type".to_owned(), "object".into());
        if let Ok(schema) = Schema::compile(&Value::Object(members).to_string()) {
            _ = schema.check(&value, "arguments");
        }
    }

    #[test]
    fn templates_end(template in "[a-z]{0,3}:?[a-z{}/%0-9-]{0,20}", uri in "\\PC{0,40}") {
        if let Ok(template) = Template::parse(&template) {
            _ = template.variables_of(&uri);
        }
    }

    #[test]
    fn what_a_template_was_filled_with_comes_out(values in prop::collection::vec("[a-zA-Z0-9._~-]{1,10}", 1..5)) {
        let names = (0..values.len()).map(|n| format!("{{v{n}}}")).collect::<Vec<_>>().join("/");
        let template = Template::parse(&format!("app://{names}")).unwrap();
        let uri = format!("app://{}", values.join("/"));
        let found: Vec<String> = template.variables_of(&uri).unwrap().into_iter().map(|(_, value)| value).collect();
        prop_assert_eq!(found, values);
    }

    #[test]
    fn answers_are_read(answer in json(), text in "\\PC{0,40}") {
        for json in [answer.to_string(), text] {
            if let Ok(ToolAnswer::Object(kept)) = tool_answer(&json) {
                prop_assert_eq!(kept, json.clone());
            }
            _ = prompt_answer(&json, false);
            _ = resource_answer(&json);
            _ = PromptArguments::read(&json);
        }
    }

    #[test]
    fn states_come_back_or_nothing_does(state in json(), arguments in json(), made_up in "\\PC{0,60}", now in 0_i64..1_000_000) {
        let of = |arguments: &str| Binding::new("key:1".to_owned(), ("tool", "t".to_owned()), arguments);
        let binding = of(&arguments.to_string());
        prop_assert_eq!(&of(&serde_json::to_string_pretty(&arguments).unwrap()), &binding);
        _ = of(&made_up);
        let state = state.to_string();
        let signed = sign(b"secret", &binding, &state, now, 1).unwrap();
        prop_assert_eq!(verify(b"secret", &binding, &signed, now), Some(state));
        prop_assert_eq!(verify(b"secret", &binding, &made_up, now), None);
        prop_assert_eq!(verify(b"Secret", &binding, &signed, now), None);
    }
}
