//! Insert, update, delete.

mod support;

use fluxbase_query::{NoRelations, QueryError, Table, Verb, Write, delete, insert, update};
use support::*;

fn run(verb: &str, json: &str, table: &Table) -> Result<Write, QueryError> {
    match verb {
        "insert" => insert(&args(json), table, &NoRelations),
        "update" => update(&args(json), table, &NoRelations),
        _ => delete(&args(json), table, &NoRelations),
    }
}

#[test]
fn records_as_columns_are_of_the_write_itself() {
    for (verb, json, sql, outputs) in [
        (
            Verb::Insert,
            r#"{"data":{"title":"a"}}"#,
            r#"INSERT INTO "public"."notes" AS t ("title") VALUES ($1) RETURNING t."id", t."title", t."created_at""#,
            3,
        ),
        (
            Verb::Update,
            r#"{"data":{"title":"b"},"filter":{"id":1},"returning":"_r:id"}"#,
            r#"UPDATE "public"."notes" AS t SET "title" = $1 WHERE t."id" OPERATOR(pg_catalog.=) $2 RETURNING t."id" AS "_r""#,
            1,
        ),
        (
            Verb::Delete,
            r#"{"filter":{"id":1},"returning":["id::text","title"]}"#,
            r#"DELETE FROM "public"."notes" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1 RETURNING (t."id")::pg_catalog.text AS "id", t."title""#,
            2,
        ),
        (
            Verb::Delete,
            r#"{"filter":{"id":1},"returning":"none"}"#,
            r#"DELETE FROM "public"."notes" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1"#,
            0,
        ),
        // A group is made of all records: around the write, as Postgres carries that out after it.
        (
            Verb::Delete,
            r#"{"filter":{"id":1},"returning":"count()"}"#,
            r#"WITH _w AS (DELETE FROM "public"."notes" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1 RETURNING NULL) SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM _w UNION ALL SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>=) (-9007199254740991) AND pg_catalog.count(*) OPERATOR(pg_catalog.<=) 9007199254740991 THEN pg_catalog.to_json(pg_catalog.count(*)) ELSE pg_catalog.to_json(pg_catalog.count(*)::pg_catalog.text) END AS "count" FROM _w AS t) AS _r"#,
            0,
        ),
    ] {
        let write = verb
            .plan_columns(&args(json), &notes(), &NoRelations)
            .unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!((write.statement.sql.as_str(), write.outputs), (sql, outputs), "{json}");
        let plain = verb.plan(&args(json), &notes(), &NoRelations).unwrap();
        assert_eq!((plain.statement.params, plain.outputs), (write.statement.params, 0), "{json}");
    }
}

#[test]
fn whole_statements() {
    for (verb, json, sql, params, returns) in [
        (
            "insert",
            r#"{"table":"notes","data":{"title":"a","id":null}}"#,
            r#"WITH _w AS (INSERT INTO "public"."notes" AS t ("title", "id") VALUES ($1, $2) RETURNING t."id", t."title", t."created_at") SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", t."title", t."created_at" FROM _w AS t) AS _r"#,
            vec![(TEXT, Some("a"), "data.title"), (INT4, None, "data.id")],
            true,
        ),
        (
            "insert",
            r#"{"data":{"title":"a"},"returning":"_r:id"}"#,
            r#"WITH _w AS (INSERT INTO "public"."notes" AS t ("title") VALUES ($1) RETURNING t."id") SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id" AS "_r" FROM _w AS t) AS _r"#,
            vec![(TEXT, Some("a"), "data.title")],
            true,
        ),
        (
            "insert",
            r#"{"data":{"title":"a"},"returning":"none"}"#,
            r#"INSERT INTO "public"."notes" AS t ("title") VALUES ($1)"#,
            vec![(TEXT, Some("a"), "data.title")],
            false,
        ),
        (
            "update",
            r#"{"data":{"title":"b","created_at":"2026-01-01"},"filter":{"id":{"in":[1,2]}},"returning":"id"}"#,
            r#"WITH _w AS (UPDATE "public"."notes" AS t SET "title" = $1, "created_at" = $2 WHERE t."id" OPERATOR(pg_catalog.=) ANY ($3) RETURNING t."id") SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id" FROM _w AS t) AS _r"#,
            vec![
                (TEXT, Some("b"), "data.title"),
                (TIMESTAMPTZ, Some("2026-01-01"), "data.created_at"),
                (1007, Some(r#"{"1","2"}"#), "filter.id"),
            ],
            true,
        ),
        (
            "update",
            r#"{"data":{"title":"b"},"filter":{"id":1},"returning":""}"#,
            r#"UPDATE "public"."notes" AS t SET "title" = $1 WHERE t."id" OPERATOR(pg_catalog.=) $2"#,
            vec![(TEXT, Some("b"), "data.title"), (INT4, Some("1"), "filter.id")],
            false,
        ),
        (
            "delete",
            r#"{"filter":{"id":1}}"#,
            r#"WITH _w AS (DELETE FROM "public"."notes" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1 RETURNING t."id", t."title", t."created_at") SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", t."title", t."created_at" FROM _w AS t) AS _r"#,
            vec![(INT4, Some("1"), "filter.id")],
            true,
        ),
        (
            "delete",
            r#"{"filter":{"id":{"in":[]}},"returning":[]}"#,
            r#"DELETE FROM "public"."notes" AS t WHERE false"#,
            vec![],
            false,
        ),
    ] {
        let write = run(verb, json, &notes()).unwrap_or_else(|error| panic!("{json}: {error}"));
        let statement = write.statement;
        assert_eq!(statement.sql, sql, "{json}");
        let got: Vec<_> = statement
            .params
            .iter()
            .map(|param| (param.type_oid, param.value.as_deref(), param.place.as_str()))
            .collect();
        assert_eq!(got, params, "{json}");
        assert_eq!((statement.returns, write.counted), (returns, false));
        assert_eq!(
            (write.expect, write.max_affected, write.dry_run, write.ignores),
            (None, None, false, false)
        );
        assert_eq!(write.single, verb == "insert");
    }
}

/// Values in `data`: JSON ▶ the SQL of the value, its type and text.
#[test]
fn data_becomes_parameters() {
    for (column, json, sql, oid, text) in [
        ("id", "12345678901234567890.10", "$1", INT8, "12345678901234567890.10"),
        ("email", "\"x\"", "$1", TEXT, "x"),
        ("email", "5", "$1", TEXT, "5"),
        ("status", "\"too long for it\"", "$1", VARCHAR, "too long for it"),
        ("is_active", "true", "$1", BOOL, "true"),
        ("positive", "5", "$1", POSITIVE, "5"),
        ("tags", r#"["a","b\"c\\",null,"NULL",""]"#, "$1", TEXT_ARRAY, r#"{"a","b\"c\\",NULL,"NULL",""}"#),
        ("tags", r#"[["a"],["b"]]"#, "$1", TEXT_ARRAY, r#"{{"a"},{"b"}}"#),
        ("tags", "[]", "$1", TEXT_ARRAY, "{}"),
        ("tags", "\"{a,b}\"", "$1", TEXT_ARRAY, "{a,b}"),
        ("totals", "[1.10,\"NaN\"]", "$1", 1231, r#"{"1.10","NaN"}"#),
        ("docs", r#"[{"a":1},[1],"x",null]"#, "$1", 3807, r#"{"{\"a\":1}","[1]","\"x\"",NULL}"#),
        ("blobs", r#"["AP8=","\\xaa"]"#, "$1", 1001, r#"{"\\x00ff","\\xaa"}"#),
        ("doc", r#"{"a":[1, 2.50]}"#, "$1", JSONB, r#"{"a":[1, 2.50]}"#),
        ("doc", "\"x\"", "$1", JSONB, "\"x\""),
        ("doc", "[]", "$1", JSONB, "[]"),
        ("doc", "false", "$1", JSONB, "false"),
        ("raw", r#"{"b":1,"a":2}"#, "$1", JSON, r#"{"b":1,"a":2}"#),
        ("avatar", "\"AP8=\"", "$1", BYTEA, "\\x00ff"),
        ("avatar", "\" A P\\n8 \"", "$1", BYTEA, "\\x00ff"),
        ("avatar", "\"\"", "$1", BYTEA, "\\x"),
        ("place", r#"{"x":1}"#, "$1", PLACE, r#"("1",)"#),
        ("place", "\"(1,q)\"", "$1", PLACE, "(1,q)"),
        ("period", "\"[1,2)\"", "$1", INT4RANGE, "[1,2)"),
        ("embedding", "[1,2.5,-3e-1]", "$1", VECTOR, "[1,2.5,-3e-1]"),
        ("mood", "\"ok\"", "$1", MOOD, "ok"),
    ] {
        let json = format!("{{\"data\":{{\"{column}\":{json}}},\"returning\":\"none\"}}");
        let statement =
            run("insert", &json, &users()).unwrap_or_else(|error| panic!("{json}: {error}")).statement;
        assert_eq!(
            statement.sql,
            format!("INSERT INTO \"public\".\"users\" AS t (\"{column}\") VALUES ({sql})")
        );
        assert_eq!((statement.params[0].type_oid, statement.params[0].value.as_deref()), (oid, Some(text)));
    }
}

#[test]
fn errors_by_code() {
    for (verb, json, code) in [
        ("insert", r#"{}"#, "22023"),
        ("insert", r#"{"data":null}"#, "22023"),
        ("insert", r#"{"data":{}}"#, "22023"),
        ("insert", r#"{"data":"x"}"#, "22023"),
        ("insert", r#"{"data":{"id":1},"filter":{"id":1}}"#, "22023"),
        ("insert", r#"{"data":{"id":1,"id":2}}"#, "22030"),
        ("insert", r#"{"data":{"emial":1}}"#, "42703"),
        ("insert", r#"{"data":{"owner":"x"}}"#, "42501"),
        ("insert", r#"{"data":{"full_name":"x"}}"#, "428C9"),
        ("insert", r#"{"data":{"id":1},"returning":"secret"}"#, "42703"),
        ("insert", r#"{"data":{"id":1},"returning":"now()"}"#, "42P01"),
        ("insert", r#"{"data":{"email":{"a":1}}}"#, "42804"),
        ("insert", r#"{"data":{"email":["a"]}}"#, "42804"),
        ("insert", r#"{"data":{"tags":true}}"#, "42804"),
        ("insert", r#"{"data":{"tags":{"a":1}}}"#, "42804"),
        ("insert", r#"{"data":{"avatar":"not base64!"}}"#, "42804"),
        ("insert", r#"{"data":{"avatar":true}}"#, "42804"),
        ("insert", r#"{"data":{"place":[1,2]}}"#, "42804"),
        ("insert", r#"{"data":{"period":[1,2]}}"#, "42804"),
        ("insert", r#"{"data":{"email":"\u0000"}}"#, "22021"),
        ("insert", r#"{"data":{"doc":{"a":"\u0000"}}}"#, "22021"),
        ("insert", r#"{"data":{"place":{"a":"\u0000"}}}"#, "22021"),
        ("insert", r#"{"data":{"embedding":["\u0000"]}}"#, "22021"),
        ("insert", r#"{"data":{"email":"\udc00"}}"#, "22032"),
        ("update", r#"{"data":{"email":"x"}}"#, "22023"),
        ("update", r#"{"data":{"email":"x"},"filter":null}"#, "22023"),
        ("update", r#"{"data":{"email":"x"},"filter":{}}"#, "22023"),
        ("update", r#"{"data":{"email":"x"},"filter":"id=1"}"#, "22023"),
        ("update", r#"{"data":{"email":"x"},"filter":{"id":{"nin":[]}}}"#, "22023"),
        ("update", r#"{"data":{"owner":"x"},"filter":{"id":1}}"#, "42501"),
        ("update", r#"{"data":{},"filter":{"id":1}}"#, "22023"),
        ("update", r#"{"filter":{"id":1}}"#, "22023"),
        ("update", r#"{"data":{"email":"x"},"filter":{"id":1},"limit":1}"#, "22023"),
        ("update", r#"{"data":{"email":"x"},"filter":{"id":1,"status":5,"id":2}}"#, "22030"),
        ("delete", r#"{}"#, "22023"),
        ("delete", r#"{"filter":{}}"#, "22023"),
        ("delete", r#"{"filter":[]}"#, "22023"),
        ("delete", r#"{"filter":{"id":"nin.()"}}"#, "22023"),
        ("delete", r#"{"filter":{"secret":"eq.x"}}"#, "42703"),
        ("delete", r#"{"filter":{"id":1},"data":{}}"#, "22023"),
    ] {
        let error = run(verb, json, &users()).expect_err(json);
        assert_eq!(error.code(), code, "{json}: {error}");
        assert!(error.to_string().ends_with("Nothing was changed."), "{error}");
    }
}

#[test]
fn errors_teach() {
    for (verb, json, text) in [
        (
            "delete",
            r#"{"filter":{"status":"open"}}"#,
            r#"filter.status: "open" has no operator. Write {"status":"eq.open"} or {"status":{"eq":"open"}}. Nothing was changed."#,
        ),
        (
            "delete",
            r#"{"filter":{}}"#,
            r#"filter: is empty, which would delete every row. Write a condition that says which rows: {"filter":{"id":"eq.5"}}. Nothing was changed."#,
        ),
        (
            "update",
            r#"{"data":{"email":"x"}}"#,
            r#"filter: is missing. Write a condition that says which rows: {"filter":{"id":"eq.5"}}. Nothing was changed."#,
        ),
        (
            "insert",
            r#"{"data":{"owner":"x"}}"#,
            r#"data.owner: you have no privilege to insert into the column "owner". Leave it out. Nothing was changed."#,
        ),
        (
            "insert",
            r#"{"data":{"full_name":"x"}}"#,
            r#"data.full_name: Postgres computes this column, it cannot be given a value. Leave it out. Nothing was changed."#,
        ),
        (
            "insert",
            r#"{"data":{"email":{"a":1}}}"#,
            r#"data.email: an object does not fit a column of type text. Write a string, a number or a boolean. Nothing was changed."#,
        ),
        (
            "insert",
            r#"{"data":{"tags":"x","age":[1]}}"#,
            r#"data.age: a list does not fit a column of type integer. Write a string, a number or a boolean. Nothing was changed."#,
        ),
        (
            "insert",
            r#"{"data":{"tags":5}}"#,
            r#"data.tags: the column is an array (text[]), not a number. Write a list: [5]. Nothing was changed."#,
        ),
    ] {
        assert_eq!(run(verb, json, &users()).unwrap_err().to_string(), text);
    }
}

#[test]
fn without_a_readable_column_no_records_come_back() {
    let mut table = notes();
    for column in &mut table.columns {
        column.select = false;
    }
    let statement = run("insert", r#"{"data":{"title":"x"}}"#, &table).unwrap().statement;
    assert!(!statement.returns);
    assert!(!statement.sql.contains("RETURNING"));
    assert_eq!(
        run("insert", r#"{"data":{"title":"x"},"returning":"*"}"#, &table).unwrap_err().code(),
        "42501"
    );
}

#[test]
fn a_domain_and_its_column_type() {
    // data is checked by the domain, a filter compares with the base type.
    let json = r#"{"data":{"positive":1},"filter":{"positive":2},"returning":""}"#;
    let types: Vec<_> =
        run("update", json, &users()).unwrap().statement.params.iter().map(|param| param.type_oid).collect();
    assert_eq!(types, [POSITIVE, INT4]);
}
