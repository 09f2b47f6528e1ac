//! The argument count: which statements find out the total, and where a guess would tell too much.

mod support;

use fluxbase_query::{Count, QueryError, Table};
use support::relations::{Library, library};
use support::*;

fn exact(json: &str, table: &Table) -> String {
    match select(json, table).unwrap().count {
        Some(Count::Exact(statement)) => statement.sql,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_counted() {
    for (json, sql) in [
        (r#"{"count":"exact"}"#, r#"SELECT 1 FROM "public"."notes" AS t"#),
        (r#"{"count":"exact","limit":5,"offset":7}"#, r#"SELECT 1 FROM "public"."notes" AS t"#),
        (
            r#"{"count":"exact","filter":{"id":1}}"#,
            r#"SELECT 1 FROM "public"."notes" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1"#,
        ),
        (
            r#"{"count":"exact","select":"id.max()"}"#,
            r#"SELECT pg_catalog.count(*) FROM "public"."notes" AS t"#,
        ),
        (
            r#"{"count":"exact","select":"title,id.max()"}"#,
            r#"SELECT 1 FROM "public"."notes" AS t GROUP BY t."title""#,
        ),
    ] {
        let expected = format!("SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM ({sql}) AS _c");
        assert_eq!(exact(json, &notes()), expected, "{json}");
    }
    // The total does not depend on the page.
    let base = select(r#"{"count":"exact","filter":{"title":"eq.x"},"order":"id"}"#, &keyed_notes()).unwrap();
    let cursor = base.keyset.unwrap().cursor(&[Some("7".to_owned())]);
    let json = format!(
        "{{\"count\":\"exact\",\"filter\":{{\"title\":\"eq.x\"}},\"order\":\"id\",\"cursor\":{cursor:?}}}"
    );
    assert_eq!(select(&json, &keyed_notes()).unwrap().count, base.count);
    assert_eq!(select(r#"{"count":null}"#, &notes()).unwrap().count, None);
}

#[test]
fn planned_and_estimated() {
    let Some(Count::Planned(planned)) =
        select(r#"{"count":"planned","filter":{"id":1}}"#, &notes()).unwrap().count
    else {
        panic!()
    };
    assert_eq!(planned.sql, r#"SELECT 1 FROM "public"."notes" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1"#);
    let Some(Count::Estimated { bounded, threshold, planned: same }) =
        select(r#"{"count":"estimated","filter":{"id":1}}"#, &notes()).unwrap().count
    else {
        panic!()
    };
    assert_eq!((same, threshold), (planned.clone(), 1000));
    assert_eq!(
        bounded.sql,
        format!("SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM ({} LIMIT 1001) AS _c", planned.sql)
    );
}

#[test]
fn other_words_are_refused() {
    for (json, text) in [
        (
            r#"{"count":"extact"}"#,
            r#"count: "extact" is no way to count. Did you mean exact? Write exact, planned or estimated."#,
        ),
        (r#"{"count":true}"#, "count: must be a string, not a boolean."),
        (r#"{"count":""}"#, r#"count: "" is no way to count. Write exact, planned or estimated."#),
    ] {
        let error = select(json, &notes()).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(error.code(), "22023");
    }
}

/// The library where one table has row security.
fn secured(name: &str) -> Library {
    let mut library = library();
    library.secure(name);
    library
}

#[test]
fn row_security_allows_exact_numbers_only() {
    let count = |secured_table: &str, json: &str| -> Result<(), QueryError> {
        secured(secured_table).select("books", json).map(drop)
    };
    for way in ["planned", "estimated"] {
        for (table, rest) in [
            ("books", r#""select":"id""#),
            ("people", r#""filter":{"author_id.name":"eq.x"}"#),
            ("people", r#""filter":{"author_id.mentor_id.born":{"gt":1}}"#),
            ("people", r#""select":"id,author_id!inner(name)""#),
            ("loans", r#""filter":{"loans.person_id":1}"#),
            // Only the junction has it.
            ("books_tags", r#""filter":{"tags.name":"eq.x"}"#),
            ("books_tags", r#""select":"id,tags!inner(name)""#),
        ] {
            let error = count(table, &format!("{{\"count\":\"{way}\",{rest}}}")).expect_err(rest);
            assert_eq!(error.code(), "42501", "{error}");
            assert!(error.to_string().ends_with("Write exact. Nothing was read."), "{error}");
            assert_eq!(count(table, &format!("{{\"count\":\"exact\",{rest}}}")), Ok(()));
        }
        // What is only shown is not counted.
        assert_eq!(
            count("people", &format!("{{\"count\":\"{way}\",\"select\":\"id,author_id(name)\"}}")),
            Ok(())
        );
        assert_eq!(
            count("tags", &format!("{{\"count\":\"{way}\",\"filter\":{{\"author_id.name\":\"eq.x\"}}}}")),
            Ok(())
        );
    }
}
