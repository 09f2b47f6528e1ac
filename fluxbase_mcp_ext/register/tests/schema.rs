//! Schemas: what is compiled and what is refused, how faults read, and that hostile ones end soon.

use std::time::{Duration, Instant};

use fluxbase_register::{Argument, Schema, schema_of_arguments};
use serde_json::{Value, json};

fn compile(schema: &Value) -> Result<Schema, String> {
    Schema::compile(&schema.to_string())
}

fn faults(schema: &Value, value: &Value) -> String {
    compile(schema).unwrap().check(value, "arguments").err().unwrap_or_default()
}

#[test]
fn faults_name_the_place_and_the_rule() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 0},
            "items": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string", "pattern": "^[a-z]+$"}}}}
        },
        "required": ["n"],
        "additionalProperties": false
    });
    assert_eq!(faults(&schema, &json!({"n": 1})), "");
    assert_eq!(
        faults(&schema, &json!({"n": -1})),
        "arguments.n: -1 is less than the minimum of 0 (rule minimum)."
    );
    assert_eq!(faults(&schema, &json!({})), "arguments: \"n\" is a required property (rule required).");
    let text = faults(&schema, &json!({"n": 1, "items": [{"id": "a"}, {"id": "A1"}], "m": 2}));
    assert!(text.contains("arguments.items[1].id: \"A1\" does not match"), "{text}");
    assert!(
        text.contains("('m' was unexpected) (rule additionalProperties). Known are: items, n."),
        "{text}"
    );
}

#[test]
fn at_most_five_faults_and_each_is_short() {
    let schema = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    let value: Value = (0..50)
        .map(|n| (format!("k{n}"), json!("x".repeat(10_000))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let text = faults(&schema, &value);
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.ends_with("There are more faults."));
    assert!(text.len() < 3000, "{}", text.len());
}

#[test]
fn what_is_no_schema_of_an_object_is_refused() {
    for (schema, why) in [
        (json!([]), "must be a JSON object"),
        (json!(true), "must be a JSON object"),
        (json!({}), "\"type\" must be \"object\""),
        (json!({"type": ["object", "null"]}), "\"type\" must be \"object\""),
        (json!({"type": "object", "properties": []}), "not a valid JSON Schema"),
        (json!({"type": "object", "properties": {"a": {"type": "strng"}}}), "not a valid JSON Schema"),
        (json!({"type": "object", "properties": {"a": {"minimum": "1"}}}), "at /properties/a/minimum"),
        (json!({"type": "object", "required": "a"}), "not a valid JSON Schema"),
        (json!({"type": "object", "$schema": "https://example.org/own"}), "not a valid JSON Schema"),
    ] {
        let error = compile(&schema).unwrap_err();
        assert!(error.contains(why), "{schema}: {error}");
    }
    assert!(Schema::compile("{").unwrap_err().contains("not JSON"));
}

#[test]
fn nothing_is_fetched() {
    for target in
        ["https://example.org/s.json", "file:///etc/passwd", "other.json", "#/$defs/none", "#none", "#/%zz"]
    {
        let schema = json!({"type": "object", "properties": {"a": {"$ref": target}}});
        assert!(compile(&schema).unwrap_err().contains("is not inside the schema"), "{target}");
    }
    let nested =
        json!({"type": "object", "properties": {"a": {"$id": "https://example.org/a", "type": "string"}}});
    assert!(compile(&nested).unwrap_err().contains("\"$id\""));
}

#[test]
fn the_fixture_of_the_conformance_suite_compiles() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}, "again": {"$ref": "#addressDef"}, "contactMethod": {"type": "string", "enum": ["phone", "email"]}, "phone": {"type": "string"}, "email": {"type": "string"}},
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false
    });
    assert_eq!(faults(&schema, &json!({"email": "a@b", "address": {"street": "x"}})), "");
    assert!(
        faults(&schema, &json!({"email": "a@b", "again": {"street": 1}})).contains("arguments.again.street")
    );
}

/// `count` definitions, each naming the next one twice.
fn doubling(count: usize) -> Value {
    let mut definitions = serde_json::Map::new();
    for n in 0..count {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        definitions.insert(format!("d{n}"), json!({"allOf": [next, next]}));
    }
    definitions.insert(format!("d{count}"), json!({"type": "object"}));
    json!({"type": "object", "$defs": definitions, "$ref": "#/$defs/d0"})
}

#[test]
fn references_that_multiply_are_refused() {
    assert!(compile(&doubling(40)).unwrap_err().contains("too many steps"));
    assert!(compile(&doubling(5)).is_ok());
    // The same, but each a step further down.
    let twice = json!({"type": "object", "$defs": {"x": {"allOf": [
        {"properties": {"a": {"$ref": "#/$defs/x"}}}, {"properties": {"a": {"$ref": "#/$defs/x"}}}]}}, "$ref": "#/$defs/x"});
    let schema = compile(&twice).unwrap();
    let nested = |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
    assert!(schema.check(&nested(5), "arguments").is_ok());
    let start = Instant::now();
    assert!(schema.check(&nested(100), "arguments").unwrap_err().contains("nested too deep"));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn references_in_a_circle_are_refused() {
    for schema in [
        json!({"type": "object", "$ref": "#"}),
        json!({"type": "object", "allOf": [{"$ref": "#"}]}),
        json!({"type": "object", "$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"if": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}),
        json!({"type": "object", "$dynamicAnchor": "x", "anyOf": [{"$dynamicRef": "#x"}]}),
    ] {
        assert!(compile(&schema).unwrap_err().contains("refers to itself"), "{schema}");
    }
}

#[test]
fn honest_recursion_is_served() {
    let tree = json!({"type": "object", "properties": {"name": {"type": "string"}, "left": {"$ref": "#"}, "right": {"$ref": "#"},
        "children": {"type": "array", "items": {"$ref": "#"}}}, "additionalProperties": false});
    let any = json!({"type": "object", "$defs": {"json": {"anyOf": [{"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"$ref": "#/$defs/json"}}, {"type": "object", "additionalProperties": {"$ref": "#/$defs/json"}}]}},
        "additionalProperties": {"$ref": "#/$defs/json"}});
    let nested = (0..100).fold(json!({"name": "x"}), |inner, _| json!({ "left": inner }));
    assert_eq!(faults(&tree, &nested), "");
    assert_eq!(faults(&any, &nested), "");
}

#[test]
fn patterns_take_time_in_proportion() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}});
    let schema = compile(&schema).unwrap();
    let start = Instant::now();
    assert!(schema.check(&json!({"a": "a".repeat(100_000) + "b"}), "arguments").is_err());
    assert!(start.elapsed() < Duration::from_secs(2));
    for pattern in ["((a{1000}){1000}){1000}", "(?=a)b", r"(a)\1"] {
        let schema = json!({"type": "object", "properties": {"a": {"pattern": pattern}}});
        assert!(compile(&schema).is_err(), "{pattern}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = (0..40)
        .fold(json!({"type": "string"}), |inner, _| json!({"type": "object", "properties": {"a": inner}}));
    assert!(compile(&deep).unwrap_err().contains("deeper than"));
    let large = json!({"type": "object", "description": "x".repeat(70_000)});
    assert!(compile(&large).unwrap_err().contains("bytes"));
}

/// Everything that is let through fits on a small stack: Postgres assumes 2 MB, and the system gives 8.
#[test]
fn the_deepest_schemas_fit_on_the_stack() {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(|| {
            // A long chain of definitions, each below a member of the one before.
            let mut definitions = serde_json::Map::new();
            for n in 0..198 {
                let inner = json!({"$ref": format!("#/$defs/d{}", n + 1)});
                let inner = (0..8).fold(inner, |inner, _| json!({"not": {"anyOf": [inner]}}));
                definitions.insert(format!("d{n}"), json!({"properties": {"a": inner}}));
            }
            definitions.insert("d198".to_owned(), json!({"type": "object"}));
            let schema = json!({"type": "object", "$defs": definitions, "$ref": "#/$defs/d0"});
            let schema = compile(&schema).unwrap();
            let nested = |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
            for depth in [1, 10, 50, 51, 52, 53, 54, 55, 57, 60, 118] {
                _ = schema.check(&nested(depth), "arguments");
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_schema_is_made_of_arguments() {
    let one = |name: &str, type_name: &str, optional: bool| Argument {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        built_in: true,
        category: 'N',
        array: false,
        labels: Vec::new(),
        optional,
    };
    let arguments = [
        one("n", "int4", false),
        one("when", "timestamptz", true),
        Argument { array: true, ..one("tags", "text", true) },
        Argument {
            built_in: false,
            labels: vec!["low".to_owned(), "high".to_owned()],
            ..one("level", "urgency", false)
        },
    ];
    let text = schema_of_arguments(&arguments);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({"type": "object", "properties": {
            "n": {"type": "integer"}, "when": {"type": "string", "format": "date-time"}, "tags": {"type": "array", "items": {"type": "string"}},
            "level": {"type": "string", "enum": ["low", "high"]}}, "required": ["n", "level"], "additionalProperties": false})
    );
    Schema::compile(&text).unwrap();
    assert_eq!(schema_of_arguments(&[]), r#"{"additionalProperties":false,"properties":{},"type":"object"}"#);
}
