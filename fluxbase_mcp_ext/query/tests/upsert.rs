//! Many rows in one insert, rows that are there already, and what must be true of a write afterwards.

mod support;

use fluxbase_query::{NoRelations, QueryError, Table, Verb, Write};
use support::relations::library;
use support::*;

fn insert(json: &str, table: &Table) -> Result<Write, QueryError> {
    fluxbase_query::insert(&args(json), table, &NoRelations)
}

/// The statement between WITH and RETURNING.
fn body(json: &str, table: &Table) -> String {
    let sql = insert(json, table).unwrap_or_else(|error| panic!("{json}: {error}")).statement.sql;
    let start = sql.find("INSERT INTO").unwrap();
    sql[start..sql.find(" RETURNING ").unwrap_or(sql.len())].to_owned()
}

#[test]
fn rows_become_values() {
    let head = r#"INSERT INTO "public"."notes" AS t "#;
    for (json, tail) in [
        (r#"{"data":[{"id":1}]}"#, r#"("id") VALUES ($1)"#),
        (
            r#"{"data":[{"id":1,"title":"a"},{"id":2,"title":"b"}]}"#,
            r#"("id", "title") VALUES ($1, $2), ($3, $4)"#,
        ),
        // In another order, and with columns that only some rows have.
        (
            r#"{"data":[{"id":1,"title":"a"},{"title":"b","id":2}]}"#,
            r#"("id", "title") VALUES ($1, $2), ($3, $4)"#,
        ),
        (
            r#"{"data":[{"id":1},{"title":"b"},{"created_at":null}]}"#,
            r#"("id", "title", "created_at") VALUES ($1, DEFAULT, DEFAULT), (DEFAULT, $2, DEFAULT), (DEFAULT, DEFAULT, $3)"#,
        ),
    ] {
        assert_eq!(body(json, &notes()), format!("{head}{tail}"), "{json}");
    }
    let write = insert(r#"{"data":[{"title":"b","id":2},{"id":1,"title":"a"}]}"#, &notes()).unwrap();
    let places: Vec<_> =
        write.statement.params.iter().map(|p| (p.place.as_str(), p.value.as_deref().unwrap())).collect();
    assert_eq!(
        places,
        [("data[0].title", "b"), ("data[0].id", "2"), ("data[1].title", "a"), ("data[1].id", "1")]
    );
    assert!(!write.single && !write.ignores && !write.counted);
    assert!(insert(r#"{"data":{"id":1}}"#, &notes()).unwrap().single);
}

#[test]
fn rows_that_are_there() {
    let table = keyed_notes();
    for (json, tail, ignores) in [
        (r#""on_conflict":"id""#, r#" ON CONFLICT ("id") DO UPDATE SET "title" = EXCLUDED."title""#, false),
        (r#""on_conflict":"""#, r#" ON CONFLICT ("id") DO UPDATE SET "title" = EXCLUDED."title""#, false),
        (r#""on_conflict":"*""#, r#" ON CONFLICT ("id") DO UPDATE SET "title" = EXCLUDED."title""#, false),
        (r#""resolution":"merge""#, r#" ON CONFLICT ("id") DO UPDATE SET "title" = EXCLUDED."title""#, false),
        (r#""on_conflict":"title""#, r#" ON CONFLICT ("title") DO UPDATE SET "id" = EXCLUDED."id""#, false),
        // Nothing but the key: set to itself, so that the row counts as touched and comes back.
        (
            r#""on_conflict":" id , \"title\" ""#,
            r#" ON CONFLICT ("id", "title") DO UPDATE SET "id" = EXCLUDED."id", "title" = EXCLUDED."title""#,
            false,
        ),
        (r#""resolution":"ignore""#, r#" ON CONFLICT ("id") DO NOTHING"#, true),
        (r#""on_conflict":"title","resolution":"ignore""#, r#" ON CONFLICT ("title") DO NOTHING"#, true),
        (r#""on_conflict":null,"resolution":null"#, "", false),
    ] {
        let json = format!("{{\"data\":{{\"id\":1,\"title\":\"a\"}},{json}}}");
        let body = body(&json, &table);
        assert_eq!(body[body.find("$2)").unwrap() + 3..], *tail, "{json}");
        assert_eq!(insert(&json, &table).unwrap().ignores, ignores, "{json}");
    }
    // Left alone, rows may have any columns; to take new values they need the same.
    let uneven = r#"{"data":[{"id":1,"title":"a"},{"id":2}],"resolution":"#;
    assert!(insert(&format!("{uneven}\"ignore\"}}"), &table).is_ok());
    assert_eq!(insert(&format!("{uneven}\"merge\"}}"), &table).unwrap_err().code(), "22023");
}

#[test]
fn errors_teach() {
    for (json, table, text) in [
        (r#"{"data":[]}"#, notes(), "data: is an empty list. Give it at least one row. Nothing was changed."),
        (
            r#"{"data":[{"id":1},{}]}"#,
            notes(),
            r#"data[1]: is empty. Write {"data":{"column":value}}. Nothing was changed."#,
        ),
        (
            r#"{"data":[{"id":1},5]}"#,
            notes(),
            r#"data[1]: must be an object, not a number. Write {"data":[{"column":value},…]}. Nothing was changed."#,
        ),
        (
            r#"{"data":[{"id":1},{"idd":1}]}"#,
            notes(),
            r#"data[1].idd: public.notes has no column "idd". Did you mean "id"? Columns: id, title, created_at. Nothing was changed."#,
        ),
        (
            r#"{"data":[{"id":1,"id":2}]}"#,
            notes(),
            r#"data[0]: the key "id" stands twice. Give each key once. Nothing was changed."#,
        ),
        (
            r#"{"data":{"id":1},"on_conflict":"idd"}"#,
            notes(),
            r#"on_conflict: public.notes has no column "idd". Did you mean "id"? Columns: id, title, created_at. Nothing was changed."#,
        ),
        (
            r#"{"data":{"id":1},"resolution":"merge"}"#,
            notes(),
            r#"on_conflict: public.notes has no primary key that you may read. Name the columns of a unique constraint: {"on_conflict":"email"}. Nothing was changed."#,
        ),
        (
            r#"{"data":{"id":1},"on_conflict":"id","resolution":"replace"}"#,
            notes(),
            r#"resolution: "replace" is none. Write merge (take the new values) or ignore (leave the row alone). Nothing was changed."#,
        ),
        (
            r#"{"data":{"id":1},"on_conflict":"id,,title"}"#,
            notes(),
            r#"on_conflict: "id,,title" is no list of columns. Write the columns of a unique constraint: "email" or "tenant,email". Nothing was changed."#,
        ),
        (
            r#"{"data":[{"id":1,"title":"a"},{"id":2}],"on_conflict":"id"}"#,
            notes(),
            "data: with merge every row needs the same columns, or rows that are there would get defaults. Give each row the same columns, or insert them in several calls. Nothing was changed.",
        ),
        (
            r#"{"data":{"id":1},"expect":-1}"#,
            notes(),
            "expect: must be 0 or more, not -1. Nothing was changed.",
        ),
        (
            r#"{"data":{"id":1},"dry_run":"yes"}"#,
            notes(),
            "dry_run: must be true or false, not a string. Nothing was changed.",
        ),
    ] {
        assert_eq!(insert(json, &table).expect_err(json).to_string(), text);
    }
    // A column that may be given, not changed.
    let mut table = keyed_notes();
    table.columns[1].update = false;
    assert_eq!(
        insert(r#"{"data":{"id":1,"title":"a"},"on_conflict":"id"}"#, &table).unwrap_err().to_string(),
        r#"data.title: you have no privilege to update the column "title", which merge does. Leave it out, or write resolution="ignore". Nothing was changed."#
    );
    assert!(insert(r#"{"data":{"id":1,"title":"a"},"resolution":"ignore"}"#, &table).is_ok());
}

#[test]
fn one_insert_holds_as_many_values_as_a_message() {
    let rows = |number: usize| format!("{{\"data\":[{}]}}", vec!["{\"id\":1}"; number].join(","));
    assert_eq!(insert(&rows(65_535), &notes()).unwrap().statement.params.len(), 65_535);
    let error = insert(&rows(65_536), &notes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "data: holds 65536 rows of 1 columns; one insert holds at most 65535 values. Insert them in several calls. Nothing was changed."
    );
}

#[test]
fn what_must_be_true_afterwards() {
    let library = library();
    for (verb, json) in [
        ("insert", r#"{"data":{"id":1}"#),
        ("update", r#"{"data":{"id":1},"filter":{"id":1}"#),
        ("delete", r#"{"filter":{"id":1}"#),
    ] {
        let write = |more: &str| library.write(verb, "books", &format!("{json}{more}}}"));
        let plain = write("").unwrap();
        assert_eq!((plain.expect, plain.max_affected, plain.dry_run), (None, None, false));
        let bound = write(r#","expect":0,"max_affected":5,"dry_run":true,"max_chars":100"#).unwrap();
        assert_eq!((bound.expect, bound.max_affected, bound.dry_run), (Some(0), Some(5), true));
        assert_eq!(bound.statement, plain.statement);
        for bad in [
            r#","expect":-1"#,
            r#","expect":"1""#,
            r#","max_affected":1.5"#,
            r#","dry_run":1"#,
            r#","limit":1"#,
        ] {
            let error = write(bad).expect_err(bad);
            assert_eq!(error.code(), "22023");
            assert!(error.to_string().ends_with("Nothing was changed."), "{error}");
        }
    }
    let error = Verb::parse("upsert").unwrap_err();
    assert_eq!(
        error.to_string(),
        "op: \"upsert\" is none of the verbs. Did you mean insert? Write insert, update or delete."
    );
    assert!(Verb::parse("").is_err() && Verb::parse("INSERT").is_err());
}

/// Records are counted apart when they are not one for each touched row.
#[test]
fn returning_may_be_anything_that_select_may_be() {
    let library = library();
    for (json, counted, records) in [
        (
            r#"{"filter":{"id":1},"returning":"id,author_id(name)"}"#,
            false,
            r#"WITH _w AS (DELETE FROM "public"."books" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1 RETURNING t."id", t."author_id") SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t1."name" FROM "public"."people" AS t1 WHERE t1."id" OPERATOR(pg_catalog.=) t."author_id") AS _r) AS "author_id" FROM _w AS t) AS _r"#,
        ),
        (
            r#"{"filter":{"id":1},"returning":"n:count()::int4"}"#,
            true,
            r#"WITH _w AS (DELETE FROM "public"."books" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1 RETURNING NULL) SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM _w UNION ALL SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT (pg_catalog.count(*))::pg_catalog.int4 AS "n" FROM _w AS t) AS _r"#,
        ),
        (
            r#"{"filter":{"id":1},"returning":"id,details!inner()"}"#,
            true,
            r#"WITH _w AS (DELETE FROM "public"."books" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1 RETURNING t."id") SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM _w UNION ALL SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id" FROM _w AS t WHERE EXISTS (SELECT 1 FROM "public"."details" AS t1 WHERE t."id" OPERATOR(pg_catalog.=) t1."book_id")) AS _r"#,
        ),
    ] {
        let write = library.write("delete", "books", json).unwrap();
        assert_eq!((write.statement.sql.as_str(), write.counted), (records, counted), "{json}");
    }
    let open = |returning: &str| {
        let json = format!("{{\"filter\":{{\"id\":1}},\"returning\":{returning:?}}}");
        library.write("delete", "books", &json).unwrap().open_list
    };
    assert_eq!((open("id,author_id(name)"), open("id,tags(name)"), open("none")), (0, 100, 0));
    // Only what is shown is returned, so only that needs the privilege to read.
    let write = library.write("insert", "books", r#"{"data":{"id":1,"secret":"x"}}"#).unwrap();
    assert!(!write.statement.sql.split(" RETURNING ").nth(1).unwrap().contains("secret"));
    for returning in ["secret", "author_id(password)", "secret.count()", "info->a->secret,secret"] {
        let json = format!("{{\"filter\":{{\"id\":1}},\"returning\":{returning:?}}}");
        assert_eq!(library.write("delete", "books", &json).unwrap_err().code(), "42703", "{returning}");
    }
}
