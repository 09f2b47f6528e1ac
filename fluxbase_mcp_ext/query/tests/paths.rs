//! Paths into json, jsonb, arrays and row types: in filter, select and order.

mod support;

use support::*;

#[test]
fn paths_in_a_filter() {
    for (json, sql, params) in [
        (
            r#"{"doc->a":5}"#,
            r#"(t."doc" OPERATOR(pg_catalog.->) $1) OPERATOR(pg_catalog.=) $2"#,
            vec![(TEXT, "a"), (JSONB, "5")],
        ),
        (
            r#"{"doc->a->0->>b":"eq.x"}"#,
            r#"(t."doc" OPERATOR(pg_catalog.->) $1 OPERATOR(pg_catalog.->) $2 OPERATOR(pg_catalog.->>) $3) OPERATOR(pg_catalog.=) $4"#,
            vec![(TEXT, "a"), (INT4, "0"), (TEXT, "b"), (TEXT, "x")],
        ),
        (
            r#"{"raw->>a":{"in":["x","y"]}}"#,
            r#"(t."raw"::pg_catalog.jsonb OPERATOR(pg_catalog.->>) $1) OPERATOR(pg_catalog.=) ANY ($2)"#,
            vec![(TEXT, "a"), (TEXT_ARRAY, r#"{"x","y"}"#)],
        ),
        (
            r#"{"tags->>-1":"like.a%"}"#,
            r#"(pg_catalog.to_jsonb(t."tags") OPERATOR(pg_catalog.->>) $1) OPERATOR(pg_catalog.~~) $2"#,
            vec![(INT4, "-1"), (TEXT, "a%")],
        ),
        (
            r#"{"place->x":{"gt":1.50}}"#,
            r#"(pg_catalog.to_jsonb(t."place") OPERATOR(pg_catalog.->) $1) OPERATOR(pg_catalog.>) $2"#,
            vec![(TEXT, "x"), (JSONB, "1.50")],
        ),
        // Digits in quotes are a key; quotes hold anything.
        (r#"{"doc->\"0\"":null}"#, r#"(t."doc" OPERATOR(pg_catalog.->) $1) IS NULL"#, vec![(TEXT, "0")]),
        (
            r#"{"doc->\"a->>b.c \"\"d\"":null}"#,
            r#"(t."doc" OPERATOR(pg_catalog.->) $1) IS NULL"#,
            vec![(TEXT, "a->>b.c \"d")],
        ),
        (r#"{" \"doc\" -> a ":null}"#, r#"(t."doc" OPERATOR(pg_catalog.->) $1) IS NULL"#, vec![(TEXT, "a")]),
        (
            r#"{"doc->'a'; DROP":null}"#,
            r#"(t."doc" OPERATOR(pg_catalog.->) $1) IS NULL"#,
            vec![(TEXT, "'a'; DROP")],
        ),
        // Beyond int4 it is a key, as no array is that long.
        (
            r#"{"doc->99999999999":null}"#,
            r#"(t."doc" OPERATOR(pg_catalog.->) $1) IS NULL"#,
            vec![(TEXT, "99999999999")],
        ),
        (
            r#"{"doc->a":{"cs":{"b":[1]},"isdistinct":7}}"#,
            r#"(t."doc" OPERATOR(pg_catalog.->) $1) OPERATOR(pg_catalog.@>) $2 AND ((t."doc" OPERATOR(pg_catalog.->) $1) OPERATOR(pg_catalog.=) $3) IS NOT TRUE"#,
            vec![(TEXT, "a"), (JSONB, r#"{"b":[1]}"#), (JSONB, "7")],
        ),
    ] {
        let (got, got_params) = filter(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(got, sql, "{json}");
        let got_params: Vec<_> = got_params.iter().map(|(oid, text)| (*oid, text.as_str())).collect();
        assert_eq!(got_params, params, "{json}");
    }
}

#[test]
fn paths_in_select_and_order() {
    let read = select(
        r#"{"select":"doc->a,first:tags->>0,doc->b->>c::int4","order":"doc->a.desc.nullslast,doc->>\"x.desc\""}"#,
        &users(),
    )
    .unwrap();
    let sql = read.statement.sql;
    for part in [
        r#"(t."doc" OPERATOR(pg_catalog.->) $1) AS "a""#,
        r#"AS "first""#,
        r#"::pg_catalog.int4 AS "c""#,
        r#" DESC NULLS LAST, (t."doc" OPERATOR(pg_catalog.->>) $2)"#,
    ] {
        assert!(sql.contains(part), "{part} in {sql}");
    }
    // The same key is one parameter, wherever it stands.
    assert_eq!(
        typed(&read.statement.params),
        [(TEXT, "a"), (TEXT, "x.desc"), (INT4, "0"), (TEXT, "b"), (TEXT, "c")]
    );
}

#[test]
fn an_exact_name_wins() {
    let mut table = notes();
    for name in ["doc->a", "a::text", "x:y", "count()", "f(x)", "...z", "id.desc", "*"] {
        table.columns.push(column(name, TEXT, "text", 'S', 1009));
    }
    for name in ["doc->a", "a::text", "x:y", "count()", "f(x)", "...z"] {
        let read =
            select(&format!("{{\"select\":{name:?},\"filter\":{{{name:?}:\"eq.x\"}}}}"), &table).unwrap();
        assert!(read.statement.sql.contains(&format!("SELECT t.{name:?} FROM")), "{}", read.statement.sql);
        assert_eq!(condition(&read.statement.sql), format!("t.{name:?} OPERATOR(pg_catalog.=) $1"));
    }
    let sql = |json: &str| select(json, &table).unwrap().statement.sql;
    assert!(sql(r#"{"select":"id","order":"id.desc"}"#).contains(r#" ORDER BY t."id.desc" LIMIT"#));
    assert!(sql(r#"{"select":"id","order":"id.desc.desc"}"#).contains(r#" ORDER BY t."id.desc" DESC LIMIT"#));
    assert!(sql(r#"{"select":"id","order":"\"id\".desc"}"#).contains(r#" ORDER BY t."id" DESC LIMIT"#));
    // An alias before a name that looks like syntax.
    assert!(sql(r#"{"select":"b:x:y"}"#).contains(r#"t."x:y" AS "b""#));
}

#[test]
fn errors_by_code() {
    for (json, code) in [
        (r#"{"email->a":1}"#, "42883"),
        (r#"{"nope->a":1}"#, "42703"),
        (r#"{"secret->a":1}"#, "42703"),
        (r#"{"doc->":1}"#, "42601"),
        (r#"{"doc->>":1}"#, "42601"),
        (r#"{"doc->->a":1}"#, "42601"),
        (r#"{"doc->>a->b":1}"#, "42601"),
        (r#"{"doc->\"a":1}"#, "42601"),
        (r#"{"doc->a\"b":1}"#, "42601"),
        (r#"{"doc->a":"eq.x"}"#, "42804"),
        (r#"{"doc->a":{"cs":"{\"b\":1}"}}"#, "42804"),
        (r#"{"doc->>a":{"gt":5}}"#, "42804"),
        (r#"{"doc->>a":"cs.x"}"#, "42883"),
        (r#"{"doc->a":"is.true"}"#, "42883"),
        (r#"{"doc->a\u0000":1}"#, "22021"),
    ] {
        let (text, got) = filter_error(json);
        assert_eq!(got, code, "{json}: {text}");
    }
    assert!(filter(&format!("{{\"doc{}\":1}}", "->a".repeat(32))).is_ok());
    assert_eq!(filter_error(&format!("{{\"doc{}\":1}}", "->a".repeat(33))).1, "42601");
    assert_eq!(
        filter_error(r#"{"doc->>age":{"gt":5}}"#).0,
        r#"filter."doc->>age".gt: ->> gives text, which would be compared as text. Write {"doc->age":{"gt":5}}, which compares numbers. Nothing was read."#
    );
    for (json, code) in [
        (r#"{"select":"doc->\"odd key\""}"#, "42601"),
        (r#"{"select":"doc->a,doc->b->a"}"#, "42701"),
        (r#"{"order":"doc->>a.desc.asc"}"#, "42601"),
        (r#"{"order":"raw"}"#, "42883"),
        (r#"{"order":"email->a"}"#, "42883"),
    ] {
        assert_eq!(select(json, &users()).expect_err(json).code(), code, "{json}");
    }
    assert!(select(r#"{"order":"tags,raw->a"}"#, &users()).is_ok());
}
