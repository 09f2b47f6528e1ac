//! The read statement: columns, order, bounds, arguments, and how types come out.

mod support;

use fluxbase_query::{Arguments, Bounds, NoRelations, QueryError, TableName, nearest, quote_ident};
use support::*;

#[test]
fn whole_statements() {
    let cases = [
        (
            "{}",
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", t."title", t."created_at" FROM "public"."notes" AS t LIMIT 101) AS _r"#,
        ),
        (
            r#"{"table":"notes","select":"id, heading:title","filter":{"id":5},"order":"created_at.desc,id","limit":10,"offset":20}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id", t."title" AS "heading" FROM "public"."notes" AS t WHERE t."id" OPERATOR(pg_catalog.=) $1 ORDER BY t."created_at" DESC, t."id" LIMIT 11 OFFSET 20) AS _r"#,
        ),
        (
            r#"{"select":"_r:id,_c:title"}"#,
            r#"SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT t."id" AS "_r", t."title" AS "_c" FROM "public"."notes" AS t LIMIT 101) AS _r"#,
        ),
    ];
    for (json, sql) in cases {
        assert_eq!(select(json, &notes()).unwrap().statement.sql, sql, "{json}");
    }
}

#[test]
fn null_and_blank_mean_the_default() {
    let plain = select("{}", &notes()).unwrap();
    for json in [
        r#"{"select":null,"filter":null,"order":null,"limit":null,"offset":null}"#,
        r#"{"select":"","order":" ","filter":{}}"#,
        r#"{"select":"*"}"#,
        r#"{"select":["*"]}"#,
        r#"{"select":[],"order":[]}"#,
    ] {
        assert_eq!(select(json, &notes()).unwrap(), plain, "{json}");
    }
    assert_eq!(
        fluxbase_query::select(&Arguments::parse(None).unwrap(), &notes(), &NoRelations, &Bounds::default()),
        Ok(plain)
    );
}

/// The output list of a select on `users`.
fn outputs(json: &str) -> Result<String, QueryError> {
    let sql = select(&format!("{{\"select\":{json}}}"), &users())?.statement.sql;
    let (start, end) = (sql.find("(SELECT ").unwrap() + 8, sql.rfind(" FROM \"public\"").unwrap());
    Ok(sql[start..end].to_owned())
}

#[test]
fn select_takes_columns_and_aliases() {
    for (json, sql) in [
        (r#""email""#, r#"t."email""#),
        (r#"" email , mood""#, r#"t."email", t."mood""#),
        (r#"["email","mood, age"]"#, r#"t."email", t."mood", t."age""#),
        (r#""mail:email""#, r#"t."email" AS "mail""#),
        (r#""größe_2 : age""#, r#"t."age" AS "größe_2""#),
        (r#""\"Mail\":\"email\"""#, r#"t."email" AS "Mail""#),
        (r#""a:email,b:email""#, r#"t."email" AS "a", t."email" AS "b""#),
        (r#""first.name""#, r#"t."first.name""#),
        (r#""\"we\"\"ird, \\:\"""#, r#"t."we""ird, \:""#),
        (r#""t,or""#, r#"t."t", t."or""#),
    ] {
        assert_eq!(outputs(json).unwrap(), sql, "{json}");
    }
}

#[test]
fn select_is_never_sql() {
    for (json, code) in [
        (r#""count(*)""#, "42601"),
        (r#""age + 1""#, "42601"),
        (r#""email as mail""#, "42601"),
        (r#""now()""#, "42P01"),
        (r#""lower(email)""#, "42P01"),
        (r#""age::regclass""#, "22023"),
        (r#""age::int4; DROP""#, "22023"),
        (r#""age::numeric(5,2)""#, "42601"),
        (r#""email->>a""#, "42883"),
        (r#""(select 1)""#, "42601"),
        (r#""1; DROP TABLE users""#, "42601"),
        (r#""author:people(name)""#, "42P01"),
        (r#""email:mail""#, "42601"),
        (r#""\"; DROP\":email""#, "42601"),
        (r#""a b:email""#, "42601"),
        (r#"":email""#, "42601"),
        (r#""a:b:email""#, "42601"),
        (r#""e\"mail""#, "42601"),
        (r#""\"email""#, "42601"),
        (r#""\"em\"ail\"""#, "42601"),
        (r#""email,,age""#, "42601"),
        (r#""email,""#, "42601"),
        (r#"["email",""]"#, "42601"),
        (r#""emial""#, "42703"),
        (r#""secret""#, "42703"),
        (r#""ctid""#, "42703"),
        (r#""xmin""#, "42703"),
        (r#""email,email""#, "42701"),
        (r#""*,email""#, "42701"),
        (r#""id:email,id""#, "42701"),
        (r#"5"#, "22023"),
        (r#"[5]"#, "22023"),
        (r#"{"email":true}"#, "22023"),
        (r#""em\u0000ail""#, "22021"),
    ] {
        let error = outputs(json).expect_err(json);
        assert_eq!(error.code(), code, "{json}: {error}");
        assert!(error.to_string().ends_with("Nothing was read."), "{error}");
    }
    let long = format!("\"{}:email\"", "x".repeat(64));
    assert_eq!(outputs(&long).unwrap_err().code(), "42601");
}

#[test]
fn select_errors_teach() {
    for (json, text) in [
        (
            r#""count(*)""#,
            r#"select: "count(*)" is not how an aggregate is written. Write column.sum(), avg(), min(), max() or count(); count() alone counts rows. Nothing was read."#,
        ),
        (
            r#""age + 1""#,
            r#"select: "age + 1" is not a column. Only columns, alias:column, casts like "id::text", aggregates like "id.max()" and relation(…) are supported, no SQL. Nothing was read."#,
        ),
        (
            r#""email:mail""#,
            r#"select: "email:mail" has the column before the colon. The alias comes first: "mail:email". Nothing was read."#,
        ),
        (
            r#""*,email""#,
            r#"select: two columns would be named "email". Name each column once, or give one of them an alias: alias:column. Nothing was read."#,
        ),
        (
            r#""created""#,
            r#"select: public.users has no column "created". Did you mean "created_at"? Columns: id, email, status, is_active, created_at, price, age, tags, totals, docs, blobs, doc, … and 18 more. Nothing was read."#,
        ),
    ] {
        assert_eq!(outputs(json).unwrap_err().to_string(), text);
    }
}

#[test]
fn nothing_readable_is_an_error() {
    let mut table = notes();
    for column in &mut table.columns {
        column.select = false;
    }
    let error = select("{}", &table).unwrap_err();
    assert_eq!(error.code(), "42501");
    assert_eq!(
        error.to_string(),
        "select: you have no privilege to read a column of public.notes. Nothing was read."
    );
    assert_eq!(select(r#"{"select":"id"}"#, &table).unwrap_err().code(), "42703");
}

fn order(json: &str) -> Result<String, QueryError> {
    let sql = select(&format!("{{\"select\":\"t\",\"order\":{json}}}"), &users())?.statement.sql;
    let start = sql.find(" ORDER BY ").map_or(sql.len(), |index| index + 10);
    let end = sql.rfind(" LIMIT ").unwrap();
    Ok(sql[start.min(end)..end].to_owned())
}

#[test]
fn order_takes_columns_and_directions() {
    for (json, sql) in [
        (r#""id""#, r#"t."id""#),
        (r#""id.asc""#, r#"t."id""#),
        (r#""id.desc""#, r#"t."id" DESC"#),
        (r#""id desc, email ASC""#, r#"t."id" DESC, t."email""#),
        (r#""id.desc.nullslast,age.nullsfirst""#, r#"t."id" DESC NULLS LAST, t."age" NULLS FIRST"#),
        (r#""id DESC NULLS LAST""#, r#"t."id" DESC NULLS LAST"#),
        (r#""first.name.desc""#, r#"t."first.name" DESC"#),
        (r#""\"first.name\" desc""#, r#"t."first.name" DESC"#),
        (r#""\"we\"\"ird, \\:\".desc""#, r#"t."we""ird, \:" DESC"#),
        (r#"["id.desc","age"]"#, r#"t."id" DESC, t."age""#),
        (r#""t""#, r#"t."t""#),
    ] {
        assert_eq!(order(json).unwrap(), sql, "{json}");
    }
}

#[test]
fn order_refuses_what_it_does_not_know() {
    for (json, code) in [
        (r#""id.down""#, "42601"),
        (r#""id desc nulls""#, "42601"),
        (r#""id.asc.desc""#, "42601"),
        (r#""id.nullsfirst.nullslast""#, "42601"),
        (r#""id,,age""#, "42601"),
        (r#""-id""#, "42601"),
        (r#""\"id""#, "42601"),
        (r#""\"id\"x""#, "42601"),
        (r#""random()""#, "42P01"),
        (r#""1""#, "42703"),
        (r#""secret""#, "42703"),
        (r#""idd.desc""#, "42703"),
        (r#""raw""#, "42883"),
        (r#"1"#, "22023"),
    ] {
        let error = order(json).expect_err(json);
        assert_eq!(error.code(), code, "{json}: {error}");
        assert!(error.to_string().ends_with("Nothing was read."), "{error}");
    }
    assert_eq!(
        order(r#""id.down""#).unwrap_err().to_string(),
        r#"order: "id.down" has "down", which is no direction. Write "id.desc" or "id.asc.nullsfirst". Nothing was read."#
    );
    assert_eq!(
        order(r#""-id""#).unwrap_err().to_string(),
        r#"order: "-id" has no direction. Write "id.desc". Nothing was read."#
    );
}

#[test]
fn limits() {
    for (json, sql, limit, offset, note) in [
        ("{}", "LIMIT 101", 100, 0, None),
        (r#"{"limit":0}"#, "LIMIT 1", 0, 0, None),
        (r#"{"limit":1}"#, "LIMIT 2", 1, 0, None),
        (r#"{"limit":1000}"#, "LIMIT 1001", 1000, 0, None),
        (
            r#"{"limit":5000}"#,
            "LIMIT 1001",
            1000,
            0,
            Some("limit 5000 was cut to 1000, the most that one answer holds."),
        ),
        (
            r#"{"limit":5000,"offset":250}"#,
            "LIMIT 1001 OFFSET 250",
            1000,
            250,
            Some("limit 5000 was cut to 1000, the most that one answer holds."),
        ),
        (r#"{"offset":7}"#, "LIMIT 101 OFFSET 7", 100, 7, None),
    ] {
        let read = select(json, &notes()).unwrap();
        let sql_text = &read.statement.sql;
        assert!(sql_text.ends_with(&format!(" {sql}) AS _r")), "{json}: {sql_text}");
        assert_eq!((read.limit, read.offset), (limit, offset));
        assert_eq!(read.notes.first().map(String::as_str), note);
        assert!(read.statement.returns);
    }
    for json in [
        r#"{"limit":-1}"#,
        r#"{"limit":1.5}"#,
        r#"{"limit":1e2}"#,
        r#"{"limit":"10"}"#,
        r#"{"limit":[1]}"#,
        r#"{"limit":99999999999999999999}"#,
        r#"{"offset":-1}"#,
        r#"{"offset":"0"}"#,
    ] {
        assert_eq!(select(json, &notes()).unwrap_err().code(), "22023", "{json}");
    }
    assert_eq!(
        select(r#"{"limit":-1}"#, &notes()).unwrap_err().to_string(),
        r#"limit: must be 0 or more, not -1. Write {"limit":10}, or leave it out. Nothing was read."#
    );
    let small = Bounds { default_limit: 100, max_limit: 20, peek: true };
    assert_eq!(fluxbase_query::select(&args("{}"), &notes(), &NoRelations, &small).unwrap().limit, 20);
}

#[test]
fn arguments_are_an_object_of_known_names() {
    for (json, code) in [
        ("[]", "22023"),
        ("5", "22023"),
        ("\"x\"", "22023"),
        ("", "22032"),
        ("{", "22032"),
        ("{\"a\":1}x", "22032"),
        (r#"{"table":"a","table":"b"}"#, "22030"),
        (r#"{"table":"a","t\u0061ble":"b"}"#, "22030"),
        (r#"{"a\u0000":1}"#, "22021"),
    ] {
        assert_eq!(Arguments::parse(Some(json)).expect_err(json).code(), code, "{json}");
    }
    let error = select(r#"{"filters":{"id":1}}"#, &notes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "filters: there is no such argument. Did you mean \"filter\"? Arguments: table, select, filter, embed, order, limit, offset, cursor, count, max_chars, vector_search. Nothing was read."
    );
    assert_eq!(format!("{} {}", error.message(), error.hint().unwrap()), error.to_string());
    let args = args(r#"{"a":"x","b":true,"c":7,"d":null}"#);
    assert_eq!(args.str("a"), Ok(Some("x".to_owned())));
    assert_eq!(args.bool("b"), Ok(Some(true)));
    assert_eq!(args.int("c"), Ok(Some(7)));
    assert_eq!(args.str("d"), Ok(None));
    assert_eq!(args.str("e"), Ok(None));
    assert!(args.str("b").is_err() && args.bool("a").is_err() && args.int("a").is_err());
    assert_eq!(args.only(&["a", "b", "c", "d"]), Ok(()));
    // More keys than are compared one by one.
    let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":1")).collect();
    assert!(Arguments::parse(Some(&format!("{{{}}}", many.join(",")))).is_ok());
    let twice = Arguments::parse(Some(&format!("{{{},\"k7\":1}}", many.join(","))));
    assert_eq!(twice.unwrap_err().code(), "22030");
}

#[test]
fn table_names() {
    let name = |schema: Option<&str>, name: &str| {
        Ok(TableName { schema: schema.map(str::to_owned), name: name.to_owned() })
    };
    for (text, expected) in [
        ("users", name(None, "users")),
        (" Users ", name(None, "Users")),
        ("public.users", name(Some("public"), "users")),
        ("\"a.b\".\"c\"\"d\"", name(Some("a.b"), "c\"d")),
        ("a.\"b\"", name(Some("a"), "b")),
        ("my table", name(None, "my table")),
    ] {
        assert_eq!(TableName::parse(text), expected, "{text}");
    }
    for text in ["", " ", ".", "a.", ".a", "a.b.c", "\"", "\"a", "a\"b\"", "\"\"", "\"a\"b", "a..b"] {
        assert_eq!(TableName::parse(text).expect_err(text).code(), "42601", "{text}");
    }
    assert_eq!(TableName::parse("a\0").unwrap_err().code(), "22021");
    assert_eq!(args(r#"{"table":"s.t"}"#).table(), name(Some("s"), "t"));
    assert_eq!(args(r#"{"table":5}"#).table().unwrap_err().code(), "22023");
    assert_eq!(
        args("{}").table().unwrap_err().to_string(),
        r#"table: is missing. Write {"table":"users"} or {"table":"schema.users"}."#
    );
    assert_eq!(TableName::parse("\"a.b\".c").unwrap().to_string(), "\"a.b\".c");
}

#[test]
fn nearest_names() {
    let names = ["id", "email", "created_at", "is_active", "user_id"];
    for (name, near) in [
        ("emial", Some("email")),
        ("EMAIL", Some("email")),
        ("e-mail", Some("email")),
        ("created", Some("created_at")),
        ("users_id", Some("user_id")),
        ("isactive", Some("is_active")),
        ("di", Some("id")),
        ("zzz", None),
        ("", None),
        ("name", None),
    ] {
        assert_eq!(nearest(name, names.into_iter()), near, "{name}");
    }
    assert_eq!(nearest(&"x".repeat(1_000_000), names.into_iter()), None);
}

#[test]
fn identifiers_are_quoted() {
    assert_eq!(quote_ident("users"), "\"users\"");
    assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
    assert_eq!(quote_ident("\"\""), "\"\"\"\"\"\"");
    assert_eq!(quote_ident(""), "\"\"");
}

#[test]
fn the_row_beyond_the_limit_is_asked_for_only_when_somebody_reads_of_it() {
    let table = notes();
    let sql = |args: &str, peek: bool| {
        let bounds = Bounds { peek, ..Bounds::default() };
        fluxbase_query::select(&Arguments::parse(Some(args)).unwrap(), &table, &NoRelations, &bounds)
            .unwrap()
            .statement
            .sql
    };
    assert!(sql(r#"{"table":"notes","limit":10}"#, true).contains(" LIMIT 11"));
    assert!(sql(r#"{"table":"notes","limit":10}"#, false).contains(" LIMIT 10"));
    assert!(sql(r#"{"table":"notes","limit":5000}"#, false).contains(" LIMIT 1001"));
}
