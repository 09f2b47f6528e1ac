//! Groups of conditions: and, or, not, in one another.

mod support;

use support::relations::library;
use support::*;

fn sql(json: &str) -> String {
    filter(json).unwrap_or_else(|error| panic!("{json}: {error}")).0
}

#[test]
fn groups_become_sql() {
    let a = r#"t."id" OPERATOR(pg_catalog.=) $1"#;
    let b = r#"t."age" OPERATOR(pg_catalog.=) $2"#;
    let c = r#"t."email" OPERATOR(pg_catalog.=) $3"#;
    for (json, expected) in [
        (r#"{"or":[{"id":1},{"age":2}]}"#, format!("({a} OR {b})")),
        (r#"{"or":{"id":1,"age":2}}"#, format!("({a} OR {b})")),
        (r#"{"and":[{"id":1},{"age":2}]}"#, format!("{a} AND {b}")),
        (r#"{"and":{"id":1,"age":2}}"#, format!("{a} AND {b}")),
        (r#"{"not":{"id":1,"age":2}}"#, format!("NOT ({a} AND {b})")),
        (r#"{"not":[{"id":1},{"age":2}]}"#, format!("NOT ({a} AND {b})")),
        (r#"{"or":[{"id":1,"age":2},{"email":"eq.x"}]}"#, format!("(({a} AND {b}) OR {c})")),
        (r#"{"or":[{"id":1},{"age":2,"email":"eq.x"}]}"#, format!("({a} OR ({b} AND {c}))")),
        (r#"{"or":[{"and":[{"id":1},{"age":2}]},{"email":"eq.x"}]}"#, format!("(({a} AND {b}) OR {c})")),
        (r#"{"id":1,"or":[{"age":2},{"email":"eq.x"}]}"#, format!("{a} AND ({b} OR {c})")),
        (r#"{"id":1,"not":{"or":[{"age":2},{"email":"eq.x"}]}}"#, format!("{a} AND NOT (({b} OR {c}))")),
        (r#"{"not":{"not":{"id":1}}}"#, format!("NOT (NOT ({a}))")),
        (r#"{"or":[{"or":[{"id":1},{"age":2}]},{"not":{"email":"eq.x"}}]}"#, format!("(({a} OR {b}) OR NOT ({c}))")),
        // One part needs no group; several operators of one column all hold.
        (r#"{"or":[{"id":1}]}"#, format!("({a})")),
        (r#"{"or":[{"id":{"gt":1,"lt":2}},{"email":"eq.x"}]}"#,
            r#"((t."id" OPERATOR(pg_catalog.>) $1 AND t."id" OPERATOR(pg_catalog.<) $2) OR t."email" OPERATOR(pg_catalog.=) $3)"#.to_owned()),
        // A column of that name stands in quotes.
        (r#"{"\"or\"":"eq.x"}"#, r#"t."or" OPERATOR(pg_catalog.=) $1"#.to_owned()),
    ] {
        assert_eq!(sql(json), expected, "{json}");
    }
}

#[test]
fn in_an_object_of_alternatives_each_entry_is_one() {
    // Keys of one relation speak of one row where all must hold; alternatives are asked one by one.
    let library = library();
    let count = |json: &str| library.condition("books", json).unwrap().matches("EXISTS").count();
    assert_eq!(count(r#"{"or":{"author_id.name":"eq.x","author_id.born":1}}"#), 2);
    assert_eq!(count(r#"{"or":[{"author_id.name":"eq.x"},{"author_id.born":1}]}"#), 2);
    assert_eq!(count(r#"{"or":[{"author_id.name":"eq.x","author_id.born":1}]}"#), 1);
    assert_eq!(count(r#"{"and":{"author_id.name":"eq.x","author_id.born":1}}"#), 1);
    assert_eq!(count(r#"{"not":{"author_id.name":"eq.x","author_id.born":1}}"#), 1);
    assert_eq!(count(r#"{"author_id.name":"eq.x","author_id.born":1}"#), 1);
    assert_eq!(count(r#"{"author_id.name":"eq.x","editor_id.born":1}"#), 2);
}

#[test]
fn places_lead_to_the_part() {
    for (json, place) in [
        (r#"{"or":[{"id":1},{"agee":2}]}"#, "filter.or[1].agee: "),
        (r#"{"or":{"agee":2}}"#, "filter.or.agee: "),
        (r#"{"not":{"or":[{"id":1},{"and":[{"age":"x"}]}]}}"#, "filter.not.or[1].and[0].age: "),
        (r#"{"or":[]}"#, "filter.or: the group is empty."),
        (r#"{"and":{}}"#, "filter.and: the group is empty."),
        (r#"{"not":{}}"#, "filter.not: the group is empty."),
        (r#"{"or":[{"id":1},{}]}"#, "filter.or[1]: the group is empty."),
        (r#"{"or":"id.eq.1,age.gt.2"}"#, "filter.or: takes a list of filters, not a string."),
        (r#"{"or":[{"id":1},"age.gt.2"]}"#, "filter.or[1]: must be an object, not a string."),
        (r#"{"or":null}"#, "filter.or: takes a list of filters, not null."),
        (r#"{"or":[{"id":1},{"id":1,"id":2}]}"#, "filter.or[1]: the key \"id\" stands twice."),
    ] {
        let (text, _) = filter_error(json);
        assert!(text.starts_with(place), "{json}: {text}");
    }
}

#[test]
fn depth_and_number_are_bounded() {
    let nested = |depth: usize| format!("{}{{\"id\":1}}{}", "{\"not\":".repeat(depth), "}".repeat(depth));
    assert!(filter(&nested(16)).is_ok());
    assert_eq!(filter_error(&nested(17)).1, "42601");
    assert_eq!(filter_error(&nested(50_000)).1, "42601");
    let list = |parts: usize| format!("{{\"or\":[{}]}}", vec!["{\"id\":1}"; parts].join(","));
    assert!(filter(&list(900)).is_ok());
    let (text, code) = filter_error(&list(100_000));
    assert_eq!(code, "42601");
    assert!(text.contains("more than 1000 conditions"), "{text}");
}
