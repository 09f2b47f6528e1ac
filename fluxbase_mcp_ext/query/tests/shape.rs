//! Calls of one shape have one plan: what a kept plan makes of other values is what planning the other call gives.

mod support;

use fluxbase_query::{Arguments, Bounds, Kept, NoRelations, QueryError, Select, Shape, select_columns};
use proptest::prelude::*;
use proptest::sample::select as one_of;
use support::{keyed_notes, users};

fn planned(json: &str) -> Result<Select, QueryError> {
    let mut table = users();
    table.key = vec!["id".to_owned()];
    // The plan borrows nothing of the table.
    select_columns(&Arguments::parse(Some(json))?, &table, &NoRelations, &Bounds::default(), None)
}

/// Whether the plan of `first` is kept and found again for `second`; then it must be what `second` is planned to.
fn same(first: &str, second: &str) -> bool {
    let (Some(shape), Some(other)) = (Shape::of("who", first), Shape::of("who", second)) else {
        return false;
    };
    let Ok(plan) = planned(first) else { return false };
    let kept = Kept::new(Some(&shape), plan);
    if shape.key() != other.key() || !kept.is_for_all() {
        return false;
    }
    let slow = planned(second).unwrap_or_else(|error| panic!("{first} is planned, {second} is not: {error}"));
    let (given, plan) = (other.values(), kept.select());
    let values = kept.values(&given);
    assert_eq!(plan.statement.sql, slow.statement.sql, "{second}");
    assert_eq!(values.iter().len(), slow.statement.params.len(), "{second}");
    for ((param, value), expected) in values.iter().zip(&slow.statement.params) {
        assert_eq!(
            (param.type_oid, param.typmod, &param.place),
            (expected.type_oid, expected.typmod, &expected.place)
        );
        assert_eq!(value, expected.value.as_deref(), "{second}");
    }
    assert_eq!(plan.keyset.as_ref().map(|keyset| keyset.of(values)), slow.keyset, "{second}");
    assert_eq!((plan.limit, plan.offset, plan.outputs), (slow.limit, slow.offset, slow.outputs));
    assert_eq!((&plan.notes, plan.open_list, plan.grouped), (&slow.notes, slow.open_list, slow.grouped));
    assert!(plan.count.is_none() && slow.count.is_none());
    true
}

#[test]
fn a_plan_is_found_again_for_other_values() {
    for (first, second) in [
        (r#"{"table":"users","filter":{"id":"eq.1"}}"#, r#"{"table":"users","filter":{"id":"eq.2"}}"#),
        (r#"{"filter":{"email":"gt.a","age":"lte.5"}}"#, r#"{"filter":{"email":"gt.b.(c)","age":"lte."}}"#),
        (r#"{"filter":{"email":"neq.é \t"}}"#, r#"{"filter":{"email":"neq.x \t"}}"#),
        (
            r#"{ "filter" : { "id" : "eq.1" } , "order" : [ "email" ] }"#,
            r#"{ "filter" : { "id" : "eq.9" } , "order" : [ "email" ] }"#,
        ),
        // Nothing is cut out, so the text is the shape.
        (
            r#"{"filter":{"id":{"eq":1},"or":[{"age":"eq.5"}]}}"#,
            r#"{"filter":{"id":{"eq":1},"or":[{"age":"eq.5"}]}}"#,
        ),
        (r#"{"filter":{"doc->>a":"eq.1","id":"gte.4"}}"#, r#"{"filter":{"doc->>a":"eq.7","id":"gte.8"}}"#),
    ] {
        let expected = !first.contains("\\t");
        assert_eq!(same(first, second), expected, "{first}");
    }
}

#[test]
fn calls_that_differ_in_anything_else_have_other_shapes() {
    let calls = [
        r#"{"filter":{"id":"eq.1"}}"#,
        r#"{"filter":{"id":"neq.1"}}"#,
        r#"{"filter":{"id":"is.null"}}"#,
        r#"{"filter":{"id":"eq.null"}}"#,
        r#"{"filter":{"id":"eq.NULL"}}"#,
        r#"{"filter":{"age":"eq.1"}}"#,
        r#"{"filter":{"id":"in.(1)"}}"#,
        r#"{"filter":{"id":"in.(2)"}}"#,
        r#"{"filter":{"id":"not.eq.1"}}"#,
        r#"{"filter":{"id":"eq(any).(1)"}}"#,
        r#"{"filter":{"id":1}}"#,
        r#"{"filter":{"id":2}}"#,
        r#"{"filter":{"id":{"eq":"eq.1"}}}"#,
        r#"{"filter":{"id":{"eq":"eq.2"}}}"#,
        r#"{"filter":{"or":[{"id":"eq.1"}]}}"#,
        r#"{"filter":{"or":[{"id":"eq.2"}]}}"#,
        r#"{"filter":"eq.1"}"#,
        r#"{"filter":"eq.2"}"#,
        r#"{"filter":[{"id":"eq.1"}]}"#,
        r#"{"filter":[{"id":"eq.2"}]}"#,
        r#"{"embed":{"filter":{"id":"eq.1"}}}"#,
        r#"{"embed":{"filter":{"id":"eq.2"}}}"#,
        r#"{"select":"eq.1"}"#,
        r#"{"select":"eq.2"}"#,
        r#"{"filter":{"id":"eq.1"},"limit":1}"#,
        r#"{"filter":{"id":"eq.1"},"limit":2}"#,
        r#"{"filter":{"id":"eq.1"},"filter":{"id":"eq.1"}}"#,
        r#"{"filter":{"id":"eq.1","id":"eq.1"}}"#,
        "{}",
    ];
    let mut keys: Vec<String> =
        calls.iter().map(|call| Shape::of("", call).unwrap().key().to_owned()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), calls.len());
    assert_ne!(Shape::of("a", "{}").unwrap().key(), Shape::of("b", "{}").unwrap().key());
}

#[test]
fn what_a_value_becomes_besides_a_parameter_is_not_kept() {
    for call in [
        // Bytes and JSON are looked at before they are parameters.
        r#"{"filter":{"avatar":"eq.aGVsbG8="}}"#,
        r#"{"filter":{"doc":"eq.{}"}}"#,
        // The total is a statement of its own.
        r#"{"filter":{"id":"eq.1"},"count":"exact"}"#,
    ] {
        let shape = Shape::of("", call).unwrap();
        assert!(!Kept::new(Some(&shape), planned(call).unwrap()).is_for_all(), "{call}");
    }
    assert!(!Kept::new(None, planned("{}").unwrap()).is_for_all());
    for call in [r#"{"fi\u006cter":{"id":"eq.1"}}"#, r#"{"filter":{"i\u0064":"eq.1"}}"#, "[]", "null", "17"] {
        assert!(Shape::of("", call).is_none(), "{call}");
    }
    assert!(Shape::of("", &format!(r#"{{"select":"{}"}}"#, "a".repeat(4000))).is_none());
}

#[test]
fn a_cursor_belongs_to_the_values_of_its_call() {
    let table = keyed_notes();
    let plan = |call: &str| {
        let args = Arguments::parse(Some(call)).unwrap();
        select_columns(&args, &table, &NoRelations, &Bounds::default(), None).unwrap()
    };
    let call = |title: &str| format!(r#"{{"filter":{{"title":"eq.{title}"}},"order":"id"}}"#);
    let (first, second) = (call("a"), call("b"));
    let (shape, other) = (Shape::of("", &first).unwrap(), Shape::of("", &second).unwrap());
    let kept = Kept::new(Some(&shape), plan(&first));
    let keyset = kept.select().keyset.as_ref().unwrap();
    let last = [Some("1".to_owned())];
    let cursor = keyset.of(kept.values(&other.values())).cursor(&last);
    assert_eq!(cursor, plan(&second).keyset.unwrap().cursor(&last));
    assert_ne!(cursor, keyset.cursor(&last));
}

fn name() -> impl Strategy<Value = &'static str> {
    one_of(vec![
        "id",
        "email",
        "status",
        "price",
        "age",
        "tags",
        "doc",
        "raw",
        "avatar",
        "mood",
        "nick",
        "positive",
        "place",
        "period",
        "doc->>a",
        "doc->a",
        "\"email\"",
        "or",
        "\"or\"",
        "and",
        "first.name",
        "\"first.name\"",
        "nope",
        "we\"ird, \\:",
    ])
}

/// A condition twice: with one value and with another.
fn condition() -> impl Strategy<Value = (String, String)> {
    let operator = one_of(vec![
        "eq.",
        "neq.",
        "gt.",
        "gte.",
        "lt.",
        "lte.",
        "like.",
        "is.",
        "in.",
        "not.eq.",
        "eq(any).",
        "cs.",
        "isdistinct.",
        "fts.",
        "eq",
        "",
    ]);
    let value = || {
        prop_oneof![
            4 => "[a-z0-9 .(),*%é-]{0,8}",
            1 => one_of(vec!["null", "NULL", "true", "(1,2)", "{1}", "eq.1", "\"", "\\", "\u{1}", "\u{7f}", ",", "{\"a\":1}", "null "]).prop_map(str::to_owned),
        ]
    };
    let written = |operator: &str, value: &str| serde_json::to_string(&format!("{operator}{value}")).unwrap();
    prop_oneof![
        6 => (operator, value(), value()).prop_map(move |(o, a, b)| (written(o, &a), written(o, &b))),
        1 => (value(), value()).prop_map(move |(a, b)| {
            (format!("{{\"eq\":{}}}", written("", &a)), format!("{{\"eq\":{}}}", written("", &b)))
        }),
        1 => one_of(vec!["null", "1", "true", "[1]", "{}", "[{\"id\":\"eq.1\"}]"]).prop_map(|json| (json.to_owned(), json.to_owned())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_kept_plan_is_the_plan(
        members in prop::collection::vec((name(), condition()), 0..4),
        rest in one_of(vec![
            "", r#","order":"email""#, r#","order":"id.desc","limit":3"#, r#","select":"id,total:price.sum()""#,
            r#","select":"email,doc->a","limit":5000"#, r#","offset":2"#, r#","count":"exact""#, r#","cursor":"""#,
        ]),
        blank in one_of(vec!["", " "]),
    ) {
        let call = |second: bool| {
            let members: Vec<String> = members
                .iter()
                .map(|(name, (a, b))| format!("{}:{blank}{}", serde_json::to_string(name).unwrap(), if second { b } else { a }))
                .collect();
            format!(r#"{{"table":"users",{blank}"filter":{{{}}}{rest}}}"#, members.join(","))
        };
        let (first, second) = (call(false), call(true));
        same(&first, &second);
        same(&first, &first);
    }
}
