//! The contract of types: how each comes out, and what each takes. That Postgres agrees is for pg_regress (types_roundtrip).

mod support;

use std::sync::Arc;

use fluxbase_query::{Column, NoRelations, QueryError, Table};
use support::*;

const INT8_ARRAY: u32 = 1016;
const PART: u32 = 20100;
const WHOLE: u32 = 20110;

/// Row types within row types, and arrays that a list cannot tell.
fn shapes() -> Table {
    let part: Arc<[Column]> = Arc::from([
        column("n", NUMERIC, "numeric", 'N', 1231),
        column("by", BYTEA, "bytea", 'U', 1001),
        array("big", INT8_ARRAY, "bigint[]", INT8, 'N'),
    ]);
    let row = |name, oid, sql, fields: &Arc<[Column]>| Column {
        is_composite: true,
        fields: Arc::clone(fields),
        ..column(name, oid, sql, 'C', oid + 1)
    };
    let rows = |name, oid, sql, element, fields: &Arc<[Column]>| Column {
        fields: Arc::clone(fields),
        ..array(name, oid, sql, element, 'C')
    };
    let plain: Arc<[Column]> =
        Arc::from([column("x", INT4, "integer", 'N', 1007), column("label", TEXT, "text", 'S', 1009)]);
    let whole: Arc<[Column]> = Arc::from([
        column("text", TEXT, "text", 'S', 1009),
        row("odd \"f\"", PART, "public.part", &part),
        rows("list", PART + 1, "public.part[]", PART, &part),
        column("j", JSONB, "jsonb", 'U', 3807),
    ]);
    let nothing: Arc<[Column]> = Arc::default();
    Table {
        oid: 16600,
        schema: "public".to_owned(),
        name: "shapes".to_owned(),
        kind: 'r',
        columns: vec![
            row("plain", PLACE, "public.place", &plain),
            row("part", PART, "public.part", &part),
            row("whole", WHOLE, "public.whole", &whole),
            row("nothing", 20120, "public.nothing", &nothing),
            rows("plains", PLACE + 1, "public.place[]", PLACE, &plain),
            rows("parts", PART + 1, "public.part[]", PART, &part),
            Column { nested: true, ..array("lists", 20130, "public.ints[]", 1007, 'A') },
            column("vector", 22, "int2vector", 'A', 1006),
            Column { has_json_cast: true, ..column("store", 20140, "ext.hstore", 'U', 20141) },
            Column { has_json_cast: true, ..array("stores", 20141, "ext.hstore[]", 20140, 'U') },
            Column { delimiter: ';', ..array("areas", 1020, "box[]", BOX, 'G') },
        ],
        ..Table::default()
    }
}

/// The output list for one column.
fn output(table: &Table, name: &str) -> String {
    let sql = select(&format!("{{\"select\":\"{name}\"}}"), table).unwrap().statement.sql;
    let start = sql.find("(SELECT ").unwrap() + 8;
    let end = sql.rfind(&format!(" FROM \"public\".\"{}\"", table.name)).unwrap();
    sql[start..end].replace(&format!("t.\"{name}\""), "{c}").replace(&format!(" AS \"{name}\""), "")
}

const LOWER: &str = "pg_catalog.array_dims({c}) OPERATOR(pg_catalog.~) '[[](?!1:)'";

#[test]
fn scalars_come_out() {
    for (name, sql) in [
        (
            "id",
            "CASE WHEN {c} OPERATOR(pg_catalog.>=) (-9007199254740991) AND {c} OPERATOR(pg_catalog.<=) 9007199254740991 THEN pg_catalog.to_json({c}) ELSE pg_catalog.to_json({c}::pg_catalog.text) END",
        ),
        (
            "price",
            "CASE WHEN pg_catalog.octet_length(pg_catalog.ltrim(pg_catalog.translate({c}::pg_catalog.text, '-.', ''), '0')) OPERATOR(pg_catalog.<=) 15 AND pg_catalog.octet_length({c}::pg_catalog.text) OPERATOR(pg_catalog.<=) 300 THEN pg_catalog.to_json({c}) ELSE pg_catalog.to_json({c}::pg_catalog.text) END",
        ),
        ("avatar", "pg_catalog.translate(pg_catalog.encode({c}, 'base64'), E'\\n', '')"),
        ("age", "{c}"),
        ("doc", "{c}"),
        ("mood", "{c}"),
        ("embedding", "{c}"),
    ] {
        assert_eq!(output(&users(), name), sql, "{name}");
    }
    assert_eq!(output(&shapes(), "vector"), "{c}::pg_catalog.text");
    assert_eq!(output(&shapes(), "store"), "{c}::pg_catalog.text");
}

#[test]
fn arrays_come_out() {
    let text = "THEN pg_catalog.to_json({c}::pg_catalog.text)";
    for (name, sql) in [
        ("tags", format!("CASE WHEN {LOWER} {text} ELSE pg_catalog.to_json({{c}}) END")),
        (
            "totals",
            format!(
                "CASE WHEN {LOWER} {text} WHEN {{c}}::pg_catalog.text OPERATOR(pg_catalog.~) '[0-9]{{16}}|[0-9.]{{17}}' \
                 THEN pg_catalog.to_json({{c}}::pg_catalog.text[]) ELSE pg_catalog.to_json({{c}}) END"
            ),
        ),
        (
            "blobs",
            format!(
                "CASE WHEN {LOWER} {text} WHEN pg_catalog.array_ndims({{c}}) OPERATOR(pg_catalog.=) 1 THEN \
                 pg_catalog.to_json(ARRAY(SELECT pg_catalog.translate(pg_catalog.encode(e.v, 'base64'), E'\\n', '') FROM \
                 pg_catalog.unnest({{c}}) WITH ORDINALITY AS e(v, i) ORDER BY e.i)) ELSE pg_catalog.to_json({{c}}) END"
            ),
        ),
        (
            "docs",
            format!(
                "CASE WHEN {LOWER} OR pg_catalog.array_ndims({{c}}) OPERATOR(pg_catalog.>) 1 OR EXISTS (SELECT FROM \
                 pg_catalog.unnest({{c}}) AS e(v) WHERE pg_catalog.json_typeof(pg_catalog.to_json(e.v)) OPERATOR(pg_catalog.=) 'null') \
                 {text} ELSE pg_catalog.to_json({{c}}) END"
            ),
        ),
    ] {
        assert_eq!(output(&users(), name), sql, "{name}");
    }
    assert_eq!(output(&shapes(), "lists"), "{c}::pg_catalog.text");
    assert_eq!(
        output(&shapes(), "stores"),
        format!("CASE WHEN {LOWER} {text} ELSE pg_catalog.to_json({{c}}::pg_catalog.text[]) END")
    );
}

#[test]
fn rows_come_out() {
    let table = shapes();
    assert_eq!(output(&table, "plain"), "{c}");
    assert_eq!(output(&table, "nothing"), "{c}");
    let start = "CASE WHEN pg_catalog.array_ndims({c}) IS NULL THEN pg_catalog.to_json({c}) WHEN pg_catalog.array_dims({c}) \
                 OPERATOR(pg_catalog.~) '[[](?!1:)' OR pg_catalog.array_ndims({c}) OPERATOR(pg_catalog.>) 1 \
                 THEN pg_catalog.to_json({c}::pg_catalog.text) ELSE ";
    assert_eq!(output(&table, "plains"), format!("{start}pg_catalog.to_json({{c}}) END"));
    let part = output(&table, "part");
    assert!(
        part.starts_with("CASE WHEN {c} IS DISTINCT FROM NULL THEN (SELECT pg_catalog.row_to_json(_f.*) FROM (SELECT CASE WHEN "),
        "{part}"
    );
    assert!(
        part.contains(", pg_catalog.translate(pg_catalog.encode(({c}).\"by\", 'base64'), E'\\n', '') AS \"by\", CASE WHEN "),
        "{part}"
    );
    assert!(part.ends_with(" AS \"big\") AS _f) END"), "{part}");
    assert_eq!(
        output(&table, "parts"),
        format!(
            "{start}pg_catalog.to_json(ARRAY(SELECT {} FROM (SELECT pg_catalog.unnest({{c}}) AS v) AS _e0)) END",
            part.replace("{c}", "_e0.v")
        )
    );
    let whole = output(&table, "whole");
    assert!(whole.contains("(({c}).\"odd \"\"f\"\"\").\"n\""), "{whole}");
    assert!(whole.contains("(SELECT pg_catalog.unnest(({c}).\"list\") AS v) AS _e0"), "{whole}");
    assert!(whole.contains(", ({c}).\"j\" AS \"j\") AS _f) END"), "{whole}");
}

fn value(column: &str, json: &str) -> Result<(u32, Option<String>), QueryError> {
    let json = format!("{{\"data\":{{\"{column}\":{json}}},\"returning\":\"none\"}}");
    let mut statement = fluxbase_query::insert(&args(&json), &shapes(), &NoRelations)?.statement;
    assert_eq!(statement.sql, format!("INSERT INTO \"public\".\"shapes\" AS t (\"{column}\") VALUES ($1)"));
    let param = statement.params.remove(0);
    Ok((param.type_oid, param.value))
}

#[test]
fn objects_become_row_text() {
    for (column, json, oid, text) in [
        ("plain", r#"{"x":1,"label":"a,b"}"#, PLACE, r#"("1","a,b")"#),
        ("plain", r#"{"label":"q\" \\ ()"}"#, PLACE, r#"(,"q"" \\ ()")"#),
        ("plain", r#"{"label":""}"#, PLACE, r#"(,"")"#),
        ("plain", r#"{"label":null}"#, PLACE, "(,)"),
        ("plain", "{}", PLACE, "(,)"),
        ("plain", r#""(1,b)""#, PLACE, "(1,b)"),
        ("nothing", "{}", 20120, "()"),
        (
            "part",
            r#"{"n":12345678901234567890.10,"by":"AP8=","big":["9007199254740993",null]}"#,
            PART,
            r#"("12345678901234567890.10","\\x00ff","{""9007199254740993"",NULL}")"#,
        ),
        (
            "whole",
            r#"{"odd \"f\"":{"n":1},"list":[{"n":2},null],"j":{"a":[1]}}"#,
            WHOLE,
            r#"(,"(""1"",,)","{""(\\""2\\"",,)"",NULL}","{""a"":[1]}")"#,
        ),
        ("plains", r#"[{"x":1},null,{}]"#, PLACE + 1, r#"{"(\"1\",)",NULL,"(,)"}"#),
        ("plains", r#"[[{"x":1}],["(2,)"]]"#, PLACE + 1, r#"{{"(\"1\",)"},{"(2,)"}}"#),
        ("lists", r#""{\"{1}\"}""#, 20130, r#"{"{1}"}"#),
        ("areas", r#"["(1,1),(0,0)",null]"#, 1020, r#"{"(1,1),(0,0)";NULL}"#),
        ("store", r#""a=>1""#, 20140, "a=>1"),
        ("store", r#"{"type":"Point"}"#, 20140, r#"{"type":"Point"}"#),
    ] {
        assert_eq!(value(column, json).unwrap(), (oid, Some(text.to_owned())), "{column} {json}");
    }
    assert_eq!(value("plain", "null").unwrap(), (PLACE, None));
}

#[test]
fn objects_stand_in_filters() {
    for (json, text) in [
        (r#"{"part":{"eq":{"n":1.0,"by":"AA=="}}}"#, r#"("1.0","\\x00",)"#),
        (r#"{"part":{"in":[{"n":1},"(2,,)"]}}"#, r#"{"(\"1\",,)","(2,,)"}"#),
        (r#"{"parts":{"cs":[{"n":1}]}}"#, r#"{"(\"1\",,)"}"#),
        (r#"{"part":"eq.(1,,)"}"#, "(1,,)"),
    ] {
        let statement =
            select(&format!("{{\"select\":\"plain\",\"filter\":{json}}}"), &shapes()).unwrap().statement;
        assert_eq!(statement.params[0].value.as_deref(), Some(text), "{json}");
    }
}

#[test]
fn errors_teach() {
    for (column, json, code, text) in [
        (
            "plain",
            r#"{"labl":"a"}"#,
            "42703",
            "data.plain: public.place has no field \"labl\". Did you mean \"label\"? Fields: x, label. Nothing was changed.",
        ),
        (
            "nothing",
            r#"{"a":1}"#,
            "42703",
            "data.nothing: public.nothing has no field \"a\". It has none. Nothing was changed.",
        ),
        (
            "plain",
            r#"{"x":1,"x":2}"#,
            "22030",
            "data.plain: the key \"x\" stands twice. Give each key once. Nothing was changed.",
        ),
        (
            "plain",
            "[1]",
            "42804",
            "data.plain: a list does not fit a column of type public.place. Write an object of its fields, or a string with Postgres's row text: \"(1,abc)\". Nothing was changed.",
        ),
        (
            "part",
            r#"{"by":"?"}"#,
            "42804",
            "data.part.by: \"?\" is not base64. Bytes are written in base64: \"aGVsbG8=\", or as hex: \"\\\\x68656c6c6f\". Nothing was changed.",
        ),
        (
            "whole",
            r#"{"list":[{"big":{"a":1}}]}"#,
            "42804",
            "data.whole.list.big: the column is an array (bigint[]), not an object. Write a list: [{\"a\":1}]. Nothing was changed.",
        ),
        (
            "whole",
            r#"{"j":"\u0000"}"#,
            "22021",
            "data.whole.j: holds the character \\u0000, which Postgres cannot store in text. Leave it out. Nothing was changed.",
        ),
        (
            "lists",
            "[[1],[2]]",
            "42804",
            "data.lists: the elements of public.ints[] are arrays themselves, and a list does not say where each of them begins. Write a string with Postgres's array text: \"{\\\"{1,2}\\\",\\\"{3}\\\"}\". Nothing was changed.",
        ),
    ] {
        let error = value(column, json).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, text), "{column} {json}");
    }
}
