//! Aggregates and casts in select, the groups that they make, and the order of groups.

mod support;

use fluxbase_query::QueryError;
use support::relations::library;
use support::*;

/// The output list, and what stands behind FROM.
fn parts(json: &str) -> Result<(String, String), QueryError> {
    let sql = select(json, &users())?.statement.sql;
    let (head, tail) = sql.split_once(r#" FROM "public"."users" AS t"#).unwrap();
    let start = head.find("(SELECT ").unwrap() + 8;
    Ok((head[start..].to_owned(), tail[..tail.rfind(" LIMIT ").unwrap()].to_owned()))
}

#[test]
fn aggregates_and_casts_become_sql() {
    let age = r#"t."age""#;
    for (item, sql) in [
        ("age.min()", format!("pg_catalog.min({age}) AS \"min\"")),
        ("age.max()::text", format!("(pg_catalog.max({age}))::pg_catalog.text AS \"max\"")),
        ("m:age.max()::text", format!("(pg_catalog.max({age}))::pg_catalog.text AS \"m\"")),
        ("age::text.max()", format!("pg_catalog.max(({age})::pg_catalog.text) AS \"max\"")),
        ("age::float8.avg()::int4", format!("(pg_catalog.avg(({age})::pg_catalog.float8))::pg_catalog.int4 AS \"avg\"")),
        ("count()::int4", "(pg_catalog.count(*))::pg_catalog.int4 AS \"count\"".to_owned()),
        ("n:count()::int", "(pg_catalog.count(*))::pg_catalog.int4 AS \"n\"".to_owned()),
        ("email.count()::int2", "(pg_catalog.count(t.\"email\"))::pg_catalog.int2 AS \"count\"".to_owned()),
        ("nick.max()", "\"ext\".max(t.\"nick\") AS \"max\"".to_owned()),
        ("embedding.avg()", "\"ext\".avg(t.\"embedding\") AS \"avg\"".to_owned()),
        ("nick.count()::int4", "(pg_catalog.count(t.\"nick\"))::pg_catalog.int4 AS \"count\"".to_owned()),
        ("age::TEXT", format!("({age})::pg_catalog.text AS \"age\"")),
        ("age :: varchar", format!("({age})::pg_catalog.text AS \"age\"")),
        ("\"first.name\".max()", "pg_catalog.max(t.\"first.name\") AS \"max\"".to_owned()),
        ("created_at::date", "(t.\"created_at\")::pg_catalog.date AS \"created_at\"".to_owned()),
        ("doc->n::int4.sum()::text", "(pg_catalog.sum(((t.\"doc\" OPERATOR(pg_catalog.->) $1))::pg_catalog.int4))::pg_catalog.text AS \"sum\"".to_owned()),
    ] {
        let json = format!("{{\"select\":{}}}", serde_json::to_string(item).unwrap());
        assert_eq!(parts(&json).unwrap_or_else(|error| panic!("{item}: {error}")).0, sql, "{item}");
    }
}

#[test]
fn the_other_outputs_are_the_groups() {
    for (json, tail) in [
        (r#"{"select":"count()"}"#, ""),
        (r#"{"select":"status,age.max()"}"#, r#" GROUP BY t."status""#),
        (r#"{"select":"s:status,age.max(),mood"}"#, r#" GROUP BY t."status", t."mood""#),
        (
            r#"{"select":"created_at::date,n:count()","order":"created_at.desc.nullslast"}"#,
            r#" GROUP BY (t."created_at")::pg_catalog.date ORDER BY (t."created_at")::pg_catalog.date DESC NULLS LAST"#,
        ),
        (
            r#"{"select":"status,n:count()","order":"n.desc,status"}"#,
            r#" GROUP BY t."status" ORDER BY pg_catalog.count(*) DESC, t."status""#,
        ),
        (
            r#"{"select":"doc->a,count()","filter":{"doc->a":"gt.1"}}"#,
            r#" WHERE (t."doc" OPERATOR(pg_catalog.->) $1) OPERATOR(pg_catalog.>) $2 GROUP BY (t."doc" OPERATOR(pg_catalog.->) $1)"#,
        ),
    ] {
        assert_eq!(parts(json).unwrap_or_else(|error| panic!("{json}: {error}")).1, tail, "{json}");
    }
    // Groups have no cursor, also in a table with a key.
    let read = select(r#"{"select":"title,count()","order":"count"}"#, &keyed_notes()).unwrap();
    assert!(read.grouped && read.keyset.is_none());
}

#[test]
fn embedded_rows_may_be_groups() {
    let library = library();
    let read = library
        .select(
            "people",
            r#"{"select":"name,books!author_id(genre,count())","embed":{"books":{"order":"count.desc"}}}"#,
        )
        .unwrap();
    assert!(!read.grouped);
    let sql = &read.statement.sql;
    assert!(sql.contains(r#" GROUP BY t1."genre" ORDER BY pg_catalog.count(*) DESC LIMIT 100)"#), "{sql}");
    // Groups by what a related row says.
    let read = library.select("books", r#"{"select":"...author_id(name),n:count()"}"#).unwrap();
    assert!(read.grouped);
    assert!(read.statement.sql.contains(" GROUP BY "), "{}", read.statement.sql);
}

#[test]
fn errors_by_code() {
    for (json, code) in [
        (r#"{"select":"sum()"}"#, "42601"),
        (r#"{"select":"sum(age)"}"#, "42601"),
        (r#"{"select":"age.sum"}"#, "42703"),
        (r#"{"select":"age.median()"}"#, "42601"),
        (r#"{"select":"email.sum()"}"#, "42883"),
        (r#"{"select":"is_active.avg()"}"#, "42883"),
        (r#"{"select":"is_active.max()"}"#, "42883"),
        (r#"{"select":"doc->a.sum()"}"#, "42883"),
        (r#"{"select":"raw.max()"}"#, "42883"),
        (r#"{"select":"secret.count()"}"#, "42703"),
        (r#"{"select":"nope.count()"}"#, "42703"),
        (r#"{"select":"age.sum(),price.sum()"}"#, "42701"),
        (r#"{"select":"raw,count()"}"#, "42803"),
        (r#"{"select":"doc::json,count()"}"#, "42803"),
        (r#"{"select":"age::money"}"#, "22023"),
        (r#"{"select":"age::"}"#, "22023"),
        (r#"{"select":"age::text::int4"}"#, "42601"),
        (r#"{"select":"::text"}"#, "42703"),
        (r#"{"select":"count(),age","order":"price"}"#, "42803"),
        (r#"{"select":"count()","order":"age"}"#, "42803"),
        (r#"{"select":"count(),raw::text","order":"raw.x"}"#, "42803"),
    ] {
        let error = select(json, &users()).expect_err(json);
        assert_eq!(error.code(), code, "{json}: {error}");
        assert!(error.to_string().ends_with("Nothing was read."), "{error}");
    }
    for (json, text) in [
        (
            r#"{"select":"age::integr"}"#,
            r#"select: "age::integr" casts to "integr", which is not offered. Did you mean integer? Types: "#,
        ),
        (
            r#"{"select":"n:count(),status","order":"count.desc"}"#,
            r#"order: there is no output "count". With an aggregate the order names outputs of select: "n", "status". Nothing was read."#,
        ),
        (
            r#"{"select":"avg()"}"#,
            r#"select: "avg()" does not say of which column. Write column.avg(). Nothing was read."#,
        ),
        (
            r#"{"select":"email.sum()"}"#,
            r#"select: "email" has the type text, which has no sum. Numbers and intervals have one; count() counts anything. Nothing was read."#,
        ),
    ] {
        let error = select(json, &users()).expect_err(json).to_string();
        assert!(error.starts_with(text), "{error}");
    }
}
