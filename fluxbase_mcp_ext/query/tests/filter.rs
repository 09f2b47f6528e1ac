//! The grammar of filters: what is accepted and the SQL that it becomes.

mod support;

use support::*;

/// filter ▶ WHERE clause, parameters.
#[test]
fn conditions_become_sql() {
    type Case = (&'static str, &'static str, &'static [(u32, &'static str)]);
    let cases: &[Case] = &[
        // String form: the operator ends at the first dot, the rest is the value.
        (
            r#"{"email":"eq.ada@example.com"}"#,
            r#"t."email" OPERATOR(pg_catalog.=) $1"#,
            &[(TEXT, "ada@example.com")],
        ),
        (r#"{"email":"neq."}"#, r#"t."email" OPERATOR(pg_catalog.<>) $1"#, &[(TEXT, "")]),
        (r#"{"age":"gte.18"}"#, r#"t."age" OPERATOR(pg_catalog.>=) $1"#, &[(INT4, "18")]),
        (r#"{"price":"lt.1.50"}"#, r#"t."price" OPERATOR(pg_catalog.<) $1"#, &[(NUMERIC, "1.50")]),
        (
            r#"{"email":"like.%@example.com"}"#,
            r#"t."email" OPERATOR(pg_catalog.~~) $1"#,
            &[(TEXT, "%@example.com")],
        ),
        (r#"{"email":"ilike.*a*"}"#, r#"t."email" OPERATOR(pg_catalog.~~*) $1"#, &[(TEXT, "*a*")]),
        (r#"{"age":"like.1%"}"#, r#"t."age"::pg_catalog.text OPERATOR(pg_catalog.~~) $1"#, &[(TEXT, "1%")]),
        (
            r#"{"mood":"ilike.S%"}"#,
            r#"t."mood"::pg_catalog.text OPERATOR(pg_catalog.~~*) $1"#,
            &[(TEXT, "S%")],
        ),
        (r#"{"email":"is.null"}"#, r#"t."email" IS NULL"#, &[]),
        (r#"{"email":"isnot.NULL"}"#, r#"t."email" IS NOT NULL"#, &[]),
        (r#"{"is_active":"is.true"}"#, r#"t."is_active" IS TRUE"#, &[]),
        (r#"{"is_active":"isnot.unknown"}"#, r#"t."is_active" IS NOT UNKNOWN"#, &[]),
        (r#"{"place":"isnot.null"}"#, r#"t."place" IS DISTINCT FROM NULL"#, &[]),
        (r#"{"place":null}"#, r#"t."place" IS NOT DISTINCT FROM NULL"#, &[]),
        // Number, boolean, null.
        (r#"{"id":5}"#, r#"t."id" OPERATOR(pg_catalog.=) $1"#, &[(INT8, "5")]),
        (r#"{"is_active":false}"#, r#"t."is_active" OPERATOR(pg_catalog.=) $1"#, &[(BOOL, "false")]),
        (r#"{"email":null}"#, r#"t."email" IS NULL"#, &[]),
        // Object form: ANDed, numbers exactly as written.
        (
            r#"{"price":{"gte":10.10,"lt":123456789012345678901234567890.5}}"#,
            r#"t."price" OPERATOR(pg_catalog.>=) $1 AND t."price" OPERATOR(pg_catalog.<) $2"#,
            &[(NUMERIC, "10.10"), (NUMERIC, "123456789012345678901234567890.5")],
        ),
        (r#"{"email":{"eq":"null"}}"#, r#"t."email" OPERATOR(pg_catalog.=) $1"#, &[(TEXT, "null")]),
        (r#"{"email":{"eq":"is.null"}}"#, r#"t."email" OPERATOR(pg_catalog.=) $1"#, &[(TEXT, "is.null")]),
        (r#"{"email":{"is":null}}"#, r#"t."email" IS NULL"#, &[]),
        (
            r#"{"is_active":{"is":true,"isnot":"unknown"}}"#,
            r#"t."is_active" IS TRUE AND t."is_active" IS NOT UNKNOWN"#,
            &[],
        ),
        (r#"{"email":{"like":5}}"#, r#"t."email" OPERATOR(pg_catalog.~~) $1"#, &[(TEXT, "5")]),
        (
            r#"{"id":1,"email":"eq.x"}"#,
            r#"t."id" OPERATOR(pg_catalog.=) $1 AND t."email" OPERATOR(pg_catalog.=) $2"#,
            &[(INT8, "1"), (TEXT, "x")],
        ),
        // Lists.
        (r#"{"id":{"in":[1,2]}}"#, r#"t."id" OPERATOR(pg_catalog.=) ANY ($1)"#, &[(1016, r#"{"1","2"}"#)]),
        (r#"{"id":{"in":[]}}"#, "false", &[]),
        (r#"{"id":"in.()"}"#, "false", &[]),
        (r#"{"id":{"nin":[]}}"#, "", &[]),
        (r#"{"id":"nin.( )"}"#, "", &[]),
        (
            r#"{"email":{"nin":["a,b","q\"\\","{}","NULL",""]}}"#,
            r#"t."email" OPERATOR(pg_catalog.<>) ALL ($1)"#,
            &[(1009, r#"{"a,b","q\"\\","{}","NULL",""}"#)],
        ),
        (
            r#"{"email":"in.(1, 2 ,\"a,b\",\"q\\\"\\\\ \" ,\"\",\"null\",c d,(x)"}"#,
            r#"t."email" OPERATOR(pg_catalog.=) ANY ($1)"#,
            &[(1009, r#"{"1","2","a,b","q\"\\ ","","null","c d","(x"}"#)],
        ),
        (
            r#"{"status":{"in":["a"]}}"#,
            r#"t."status" OPERATOR(pg_catalog.=) ANY ($1)"#,
            &[(1009, r#"{"a"}"#)],
        ),
        (
            r#"{"avatar":{"in":["AP8=","\\x01"]}}"#,
            r#"t."avatar" OPERATOR(pg_catalog.=) ANY ($1)"#,
            &[(1001, r#"{"\\x00ff","\\x01"}"#)],
        ),
        (
            r#"{"area":{"in":["(1,1),(0,0)","(2,2),(0,0)"]}}"#,
            r#"t."area" OPERATOR(pg_catalog.=) ANY ($1)"#,
            &[(1020, r#"{"(1,1),(0,0)";"(2,2),(0,0)"}"#)],
        ),
        (
            r#"{"doc":{"in":[{"a":1},"x",2]}}"#,
            r#"t."doc" OPERATOR(pg_catalog.=) ANY ($1)"#,
            &[(3807, r#"{"{\"a\":1}","\"x\"","2"}"#)],
        ),
        // Containment and overlap.
        (r#"{"tags":"cs.{a,b}"}"#, r#"t."tags" OPERATOR(pg_catalog.@>) $1"#, &[(1009, "{a,b}")]),
        (
            r#"{"tags":{"ov":["a","b c"]}}"#,
            r#"t."tags" OPERATOR(pg_catalog.&&) $1"#,
            &[(1009, r#"{"a","b c"}"#)],
        ),
        (
            r#"{"tags":{"cd":[null,["x"]]}}"#,
            r#"t."tags" OPERATOR(pg_catalog.<@) $1"#,
            &[(1009, r#"{NULL,{"x"}}"#)],
        ),
        (r#"{"tags":{"eq":["a"]}}"#, r#"t."tags" OPERATOR(pg_catalog.=) $1"#, &[(1009, r#"{"a"}"#)]),
        (
            r#"{"doc":{"cs":{"a":[1,"x"]}}}"#,
            r#"t."doc" OPERATOR(pg_catalog.@>) $1"#,
            &[(JSONB, r#"{"a":[1,"x"]}"#)],
        ),
        (r#"{"doc":"cs.{\"a\":1.0}"}"#, r#"t."doc" OPERATOR(pg_catalog.@>) $1"#, &[(JSONB, r#"{"a":1.0}"#)]),
        (r#"{"doc":{"eq":"x"}}"#, r#"t."doc" OPERATOR(pg_catalog.=) $1"#, &[(JSONB, r#""x""#)]),
        (r#"{"period":"cs.[1,2)"}"#, r#"t."period" OPERATOR(pg_catalog.@>) $1"#, &[(INT4RANGE, "[1,2)")]),
        // Types: varchar and name compare as text, domains as their base, bytea is base64.
        (r#"{"status":"eq.open"}"#, r#"t."status" OPERATOR(pg_catalog.=) $1"#, &[(TEXT, "open")]),
        (
            r#"{"sysname":{"in":["a"]}}"#,
            r#"t."sysname" OPERATOR(pg_catalog.=) ANY ($1)"#,
            &[(1009, r#"{"a"}"#)],
        ),
        (r#"{"code":"eq.a"}"#, r#"t."code" OPERATOR(pg_catalog.=) $1"#, &[(BPCHAR, "a")]),
        (r#"{"positive":5}"#, r#"t."positive" OPERATOR(pg_catalog.=) $1"#, &[(INT4, "5")]),
        (r#"{"avatar":"eq.AP8"}"#, r#"t."avatar" OPERATOR(pg_catalog.=) $1"#, &[(BYTEA, r"\x00ff")]),
        (r#"{"mood":"eq.ok"}"#, r#"t."mood" OPERATOR(pg_catalog.=) $1"#, &[(MOOD, "ok")]),
        (r#"{"raw":"like.%x%"}"#, r#"t."raw"::pg_catalog.text OPERATOR(pg_catalog.~~) $1"#, &[(TEXT, "%x%")]),
        (r#"{"raw":null}"#, r#"t."raw" IS NULL"#, &[]),
        // A user-defined type brings its operators from its own schema.
        (r#"{"nick":"eq.Ada"}"#, r#"t."nick" OPERATOR("ext".=) $1"#, &[(CITEXT, "Ada")]),
        (r#"{"nick":"like.A%"}"#, r#"t."nick" OPERATOR("ext".~~) $1"#, &[(TEXT, "A%")]),
        (r#"{"nick":{"in":["a"]}}"#, r#"t."nick" OPERATOR("ext".=) ANY ($1)"#, &[(20021, r#"{"a"}"#)]),
        (
            r#"{"embedding":{"eq":[1,2.50]}}"#,
            r#"t."embedding" OPERATOR("ext".=) $1"#,
            &[(VECTOR, "[1,2.50]")],
        ),
        // Names: exact first, reserved words and odd names in double quotes.
        (r#"{"\"or\"":"eq.x"}"#, r#"t."or" OPERATOR(pg_catalog.=) $1"#, &[(TEXT, "x")]),
        (r#"{"first.name":"eq.x"}"#, r#"t."first.name" OPERATOR(pg_catalog.=) $1"#, &[(TEXT, "x")]),
        (r#"{"we\"ird, \\:":"eq.x"}"#, r#"t."we""ird, \:" OPERATOR(pg_catalog.=) $1"#, &[(TEXT, "x")]),
        (r#"{"\"we\"\"ird, \\:\"":"eq.x"}"#, r#"t."we""ird, \:" OPERATOR(pg_catalog.=) $1"#, &[(TEXT, "x")]),
        // JSON escapes.
        (
            r#"{"email":"eq.\u00e9\n\ud83d\ude00"}"#,
            r#"t."email" OPERATOR(pg_catalog.=) $1"#,
            &[(TEXT, "é\n😀")],
        ),
        (r#"{}"#, "", &[]),
    ];
    for (json, sql, params) in cases {
        let (got, got_params) = filter(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let params: Vec<_> = params.iter().map(|(oid, text)| (*oid, (*text).to_owned())).collect();
        assert_eq!((got.as_str(), &got_params), (*sql, &params), "{json}");
    }
}

#[test]
fn an_unknown_schema_leaves_the_operator_to_the_search_path() {
    let mut table = users();
    for column in &mut table.columns {
        column.base_schema.clear();
    }
    let sql = select(r#"{"select":"id","filter":{"nick":"eq.a","id":1}}"#, &table).unwrap().statement.sql;
    assert!(sql.contains(r#"t."nick" = $1 AND t."id" OPERATOR(pg_catalog.=) $2"#), "{sql}");
}

#[test]
fn parameters_know_their_place() {
    let statement =
        select(r#"{"filter":{"price":{"gte":1},"first.name":"eq.x"}}"#, &users()).unwrap().statement;
    let places: Vec<_> = statement.params.iter().map(|param| param.place.as_str()).collect();
    assert_eq!(places, ["filter.price", "filter.\"first.name\""]);
    assert!(statement.params.iter().all(|param| param.typmod == -1));
}

const OPERATORS: &str = "Operators: eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, is, isnot, in, nin, isdistinct, cs, cd, ov, sl, sr, nxr, nxl, adj, fts, plfts, phfts, wfts.";

/// filter ▶ SQLSTATE and the whole text; `{ops}` stands for the list of operators.
#[test]
fn errors_teach() {
    let cases: &[(&str, &str, &str)] = &[
        (
            r#"{"status":"open"}"#,
            "42601",
            r#"filter.status: "open" has no operator. Write {"status":"eq.open"} or {"status":{"eq":"open"}}. Nothing was read."#,
        ),
        (
            r#"{"email":"ada@example.com"}"#,
            "42601",
            r#"filter.email: "ada@example.com" has no operator. Write {"email":"eq.ada@example.com"} or {"email":{"eq":"ada@example.com"}}. Nothing was read."#,
        ),
        (
            r#"{"email":"report.txt"}"#,
            "42883",
            r#"filter.email: "report.txt" begins with report, which is not an operator. {ops} If all of it is the value, write {"email":"eq.report.txt"} or {"email":{"eq":"report.txt"}}. Nothing was read."#,
        ),
        (
            r#"{"email":"EQ.x"}"#,
            "42883",
            r#"filter.email: "EQ.x" begins with EQ, which is not an operator. Did you mean eq? {ops} If all of it is the value, write {"email":"eq.EQ.x"} or {"email":{"eq":"EQ.x"}}. Nothing was read."#,
        ),
        (
            r#"{"age":{">=":5}}"#,
            "42883",
            r#"filter.age: ">=" is not an operator. Did you mean gte? {ops} Nothing was read."#,
        ),
        (
            r#"{"doc":{"a":1}}"#,
            "42883",
            r#"filter.doc: "a" is not an operator. {ops} To compare a part of the JSON write {"doc->a":{"eq":…}}, with all of it {"doc":{"eq":{"a":1}}}. Nothing was read."#,
        ),
        (
            r#"{"email":"eq.null"}"#,
            "42601",
            r#"filter.email: nothing compares with null, eq would find no row. Write {"email":"is.null"}; for the text null write {"email":{"eq":"null"}}. Nothing was read."#,
        ),
        (
            r#"{"age":{"eq":null}}"#,
            "42601",
            r#"filter.age.eq: nothing compares with null, eq would find no row. Write {"age":"is.null"}. Nothing was read."#,
        ),
        (
            r#"{"age":{"neq":null}}"#,
            "42601",
            r#"filter.age.neq: nothing compares with null, neq would find no row. Write {"age":"isnot.null"}. Nothing was read."#,
        ),
        (
            r#"{"id":[1,2]}"#,
            "42601",
            r#"filter.id: a list stands only under in or nin. Write {"id":{"in":[1,2]}}. Nothing was read."#,
        ),
        (
            r#"{"id":{"eq":[1,2]}}"#,
            "42601",
            r#"filter.id.eq: a list stands only under in or nin. Write {"id":{"in":[1,2]}}. Nothing was read."#,
        ),
        (
            r#"{"id":{"in":"(1,2)"}}"#,
            "42601",
            r#"filter.id.in: in takes a list, not a string. Write {"id":{"in":[1,2]}}. Nothing was read."#,
        ),
        (
            r#"{"id":{"nin":[1,null]}}"#,
            "42601",
            r#"filter.id.nin: null in the list of nin matches nothing. Leave it out; to ask for null write {"id":"isnot.null"}. Nothing was read."#,
        ),
        (
            r#"{"id":"in.1,2"}"#,
            "42601",
            r#"filter.id: "1,2" is not a list in parentheses. Write in.(1,2,"a, b") with \ before a double quote inside quotes, or the object form {"in":[1,2]}. Nothing was read."#,
        ),
        (
            r#"{"emial":"eq.x"}"#,
            "42703",
            r#"filter.emial: public.users has no column "emial". Did you mean "email"? Columns: id, email, status, is_active, created_at, price, age, tags, totals, docs, blobs, doc, … and 18 more. Nothing was read."#,
        ),
        (
            r#"{"is_active":"is.yes"}"#,
            "42601",
            r#"filter.is_active: is takes null, true, false or unknown, not "yes". Write {"is_active":"is.null"}; to compare with a value use eq or neq. Nothing was read."#,
        ),
        (
            r#"{"email":"is.true"}"#,
            "42883",
            r#"filter.email: only a boolean column can be true, false or unknown; this one is text. Write {"email":"is.null"} or {"email":{"eq":…}}. Nothing was read."#,
        ),
        (
            r#"{"raw":"eq.{}"}"#,
            "42883",
            r#"filter.raw: eq does not work on the type json, which Postgres cannot compare. Use is, isnot, like or ilike here, compare a part of it (column->key), or make the column jsonb. Nothing was read."#,
        ),
        (
            r#"{"email":"cs.x"}"#,
            "42883",
            r#"filter.email: cs works on arrays, ranges and jsonb; this column is text. To find a part of a text use like or ilike, with % for anything. Nothing was read."#,
        ),
        (
            r#"{"doc":{"cs":"{\"a\":1}"}}"#,
            "42804",
            r#"filter.doc.cs: this is a string that holds JSON, and would be compared as a string. Write the JSON itself: {"doc":{"cs":{"a":1}}}. Nothing was read."#,
        ),
        (
            r#"{"doc":"eq.x"}"#,
            "42804",
            r#"filter.doc: "x" is not JSON. A text inside JSON stands in double quotes: "\"x\"". Nothing was read."#,
        ),
        (
            r#""id = 5""#,
            "22023",
            r#"filter: must be an object, not a string. Write {"filter":{"id":"eq.5"}}, an object of columns with their conditions. Nothing was read."#,
        ),
        (
            r#"{"age":{}}"#,
            "42601",
            r#"filter.age: the condition is empty. Write {"age":{"eq":…}}. Nothing was read."#,
        ),
        (
            r#"{"age":1,"age":2}"#,
            "22030",
            r#"filter: the key "age" stands twice. Give each key once. Nothing was read."#,
        ),
        (
            r#"{"age":{"gt":1,"g\u0074":2}}"#,
            "22030",
            r#"filter.age: the key "gt" stands twice. Give each key once. Nothing was read."#,
        ),
        (
            r#"{"email":"eq.a\u0000b"}"#,
            "22021",
            r#"filter.email: holds the character \u0000, which Postgres cannot store in text. Leave it out. Nothing was read."#,
        ),
        (
            r#"{"avatar":"eq.%%%"}"#,
            "42804",
            r#"filter.avatar: "%%%" is not base64. Bytes are written in base64: "aGVsbG8=", or as hex: "\\x68656c6c6f". Nothing was read."#,
        ),
    ];
    for (json, code, text) in cases {
        assert_eq!(filter_error(json), (text.replace("{ops}", OPERATORS), *code), "{json}");
    }
}

/// Refused, whatever the words are; the code tells why.
#[test]
fn errors_by_code() {
    for (json, code) in [
        (r#"{"secret":"eq.x"}"#, "42703"),
        (r#"{"ctid":"eq.(0,1)"}"#, "42703"),
        (r#"{"tableoid":1}"#, "42703"),
        (r#"{"\"or":"eq.x"}"#, "42601"),
        (r#"{"":"eq.x"}"#, "42703"),
        (r#"{"\"\"":"eq.x"}"#, "42703"),
        (r#"{"ID":1}"#, "42703"),
        (r#"{"data->>a":"eq.1"}"#, "42703"),
        (r#"{"a\u0000b":1}"#, "22021"),
        (r#"{"and":[]}"#, "42601"),
        (r#"{"not":{}}"#, "42601"),
        (r#"[]"#, "22023"),
        (r#"5"#, "22023"),
        (r#"{"id":""}"#, "42601"),
        (r#"{"id":".5"}"#, "42601"),
        (r#"{"id":"eq"}"#, "42601"),
        (r#"{"id":"neq.NULL"}"#, "42601"),
        (r#"{"mood":"eq.null"}"#, "42601"),
        (r#"{"doc":"eq.null"}"#, "42601"),
        (r#"{"id":{"gt":null}}"#, "42601"),
        (r#"{"email":{"like":null}}"#, "42601"),
        (r#"{"email":{"like":["a"]}}"#, "42804"),
        (r#"{"email":{"eq":{"a":1}}}"#, "42804"),
        (r#"{"period":{"cs":[1,2]}}"#, "42804"),
        (r#"{"period":{"cs":{"a":1}}}"#, "42804"),
        (r#"{"tags":{"eq":5}}"#, "42804"),
        (r#"{"tags":{"in":[["a"]]}}"#, "42883"),
        (r#"{"tags":{"cs":{"a":1}}}"#, "42804"),
        (r#"{"tags":{"cs":[{"a":1}]}}"#, "42804"),
        (r#"{"tags":{"cs":[[[[[[["x"]]]]]]]}}"#, "42804"),
        (r#"{"doc":{"ov":[1]}}"#, "42883"),
        (r#"{"age":"ov.1"}"#, "42883"),
        (r#"{"mood":"cs.x"}"#, "42883"),
        (r#"{"raw":{"in":[1]}}"#, "42883"),
        (r#"{"is_active":{"is":1}}"#, "42601"),
        (r#"{"is_active":{"is":"maybe"}}"#, "42601"),
        (r#"{"age":{"is":false}}"#, "42883"),
        (r#"{"is_active":"is.null; DROP TABLE users"}"#, "42601"),
        (r#"{"id":"in.(1"}"#, "42601"),
        (r#"{"id":"in.(1,)"}"#, "42601"),
        (r#"{"id":"in.(,)"}"#, "42601"),
        (r#"{"id":"in.(null)"}"#, "42601"),
        (r#"{"id":"in.(\"a)"}"#, "42601"),
        (r#"{"id":"in.(\"a\\)"}"#, "42601"),
        (r#"{"id":"in.(\"a\"b)"}"#, "42601"),
        (r#"{"id":"in.(a\"b)"}"#, "42601"),
        (r#"{"id":"in.(a)b)"}"#, "42601"),
        (r#"{"id":{"in":[[1]]}}"#, "42804"),
        (r#"{"id":{"in":{"a":1}}}"#, "42601"),
        (r#"{"email":{"in":["a\u0000"]}}"#, "22021"),
        (r#"{"doc":{"cs":{"a":"\u0000"}}}"#, "22021"),
        (r#"{"doc":"eq.\"\\u0000\""}"#, "22021"),
        (r#"{"avatar":5}"#, "42804"),
        (r#"{"email":"eq.\ud800"}"#, "22032"),
    ] {
        let (text, got) = filter_error(json);
        assert_eq!(got, code, "{json}: {text}");
        assert!(text.ends_with("Nothing was read."), "{text}");
    }
}

#[test]
fn an_escaped_backslash_before_u0000_is_no_nul() {
    let (_, params) = filter(r#"{"doc":{"cs":{"a":"\\u0000"}}}"#).unwrap();
    assert_eq!(params[0].1, r#"{"a":"\\u0000"}"#);
}

#[test]
fn a_long_value_is_cut_in_the_message() {
    let json = format!("{{\"email\":\"{}\"}}", "x".repeat(100_000));
    assert!(filter_error(&json).0.len() < 600);
}
