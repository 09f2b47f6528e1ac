//! The operators beyond comparison, with negation and with (any), (all) and text search configurations.

mod support;

use support::*;

/// A condition of `users` in both forms that mean the same ▶ SQL.
#[test]
fn both_forms_say_the_same() {
    for (string, object, sql) in [
        (r#"{"email":"match.^a"}"#, r#"{"email":{"match":"^a"}}"#, r#"t."email" OPERATOR(pg_catalog.~) $1"#),
        (
            r#"{"email":"imatch.^a"}"#,
            r#"{"email":{"imatch":"^a"}}"#,
            r#"t."email" OPERATOR(pg_catalog.~*) $1"#,
        ),
        (
            r#"{"age":"match.1"}"#,
            r#"{"age":{"match":1}}"#,
            r#"t."age"::pg_catalog.text OPERATOR(pg_catalog.~) $1"#,
        ),
        (
            r#"{"email":"isdistinct.a"}"#,
            r#"{"email":{"isdistinct":"a"}}"#,
            r#"(t."email" OPERATOR(pg_catalog.=) $1) IS NOT TRUE"#,
        ),
        (
            r#"{"nick":"isdistinct.a"}"#,
            r#"{"nick":{"isdistinct":"a"}}"#,
            r#"(t."nick" OPERATOR("ext".=) $1) IS NOT TRUE"#,
        ),
        (r#"{"email":"isdistinct.null"}"#, r#"{"email":{"isdistinct":null}}"#, r#"t."email" IS NOT NULL"#),
        (
            r#"{"period":"sl.[1,2)"}"#,
            r#"{"period":{"sl":"[1,2)"}}"#,
            r#"t."period" OPERATOR(pg_catalog.<<) $1"#,
        ),
        (
            r#"{"period":"sr.[1,2)"}"#,
            r#"{"period":{"sr":"[1,2)"}}"#,
            r#"t."period" OPERATOR(pg_catalog.>>) $1"#,
        ),
        (
            r#"{"period":"nxr.[1,2)"}"#,
            r#"{"period":{"nxr":"[1,2)"}}"#,
            r#"t."period" OPERATOR(pg_catalog.&<) $1"#,
        ),
        (
            r#"{"period":"nxl.[1,2)"}"#,
            r#"{"period":{"nxl":"[1,2)"}}"#,
            r#"t."period" OPERATOR(pg_catalog.&>) $1"#,
        ),
        (
            r#"{"period":"adj.[1,2)"}"#,
            r#"{"period":{"adj":"[1,2)"}}"#,
            r#"t."period" OPERATOR(pg_catalog.-|-) $1"#,
        ),
        (
            r#"{"email":"fts.cat & dog"}"#,
            r#"{"email":{"fts":"cat & dog"}}"#,
            r#"pg_catalog.to_tsvector(t."email"::pg_catalog.text) OPERATOR(pg_catalog.@@) pg_catalog.to_tsquery($1)"#,
        ),
        (
            r#"{"doc":"plfts(english).cat"}"#,
            r#"{"doc":{"plfts(english)":"cat"}}"#,
            r#"pg_catalog.to_tsvector($1, t."doc") OPERATOR(pg_catalog.@@) pg_catalog.plainto_tsquery($2, $3)"#,
        ),
        // Negation, in its three spellings.
        (r#"{"age":"not.eq.5"}"#, r#"{"age":{"not.eq":5}}"#, r#"NOT (t."age" OPERATOR(pg_catalog.=) $1)"#),
        (
            r#"{"age":"not.in.(1,2)"}"#,
            r#"{"age":{"not":{"in":[1,2]}}}"#,
            r#"NOT (t."age" OPERATOR(pg_catalog.=) ANY ($1))"#,
        ),
        (r#"{"email":"not.is.null"}"#, r#"{"email":{"not.is":null}}"#, r#"NOT (t."email" IS NULL)"#),
        // Any and all of a list.
        (
            r#"{"email":"like(any).(a%,b%)"}"#,
            r#"{"email":{"like(any)":["a%","b%"]}}"#,
            r#"t."email" OPERATOR(pg_catalog.~~) ANY ($1)"#,
        ),
        (
            r#"{"age":"gt(all).{1,2}"}"#,
            r#"{"age":{"gt(all)":[1,2]}}"#,
            r#"t."age" OPERATOR(pg_catalog.>) ALL ($1)"#,
        ),
        (
            r#"{"mood":"not.ilike(all).(a,\"b,c\")"}"#,
            r#"{"mood":{"not.ilike(all)":["a","b,c"]}}"#,
            r#"NOT (t."mood"::pg_catalog.text OPERATOR(pg_catalog.~~*) ALL ($1))"#,
        ),
        (r#"{"age":"eq(any).()"}"#, r#"{"age":{"eq(any)":[]}}"#, "false"),
        (r#"{"age":"not.eq(all).()"}"#, r#"{"age":{"not.eq(all)":[]}}"#, "NOT (true)"),
    ] {
        let string = filter(string).unwrap_or_else(|error| panic!("{string}: {error}"));
        let object = filter(object).unwrap_or_else(|error| panic!("{object}: {error}"));
        assert_eq!(string.0, sql);
        assert_eq!(string, object);
    }
}

#[test]
fn a_search_of_a_tsvector_takes_it_as_it_is() {
    let mut table = notes();
    table.columns.push(column("words", 3614, "tsvector", 'U', 3643));
    let read = select(r#"{"select":"id","filter":{"words":"wfts(german).x"}}"#, &table).unwrap();
    assert_eq!(
        condition(&read.statement.sql),
        r#"t."words" OPERATOR(pg_catalog.@@) pg_catalog.websearch_to_tsquery($1, $2)"#
    );
    assert_eq!(typed(&read.statement.params), [(3734, "german"), (TEXT, "x")]);
}

#[test]
fn several_negations_in_one_condition() {
    let sql = filter(r#"{"age":{"gte":1,"not":{"in":[5],"eq":7}}}"#).unwrap().0;
    assert_eq!(
        sql,
        r#"t."age" OPERATOR(pg_catalog.>=) $1 AND NOT (t."age" OPERATOR(pg_catalog.=) ANY ($2) AND t."age" OPERATOR(pg_catalog.=) $3)"#
    );
}

#[test]
fn errors_by_code() {
    for (json, code) in [
        (r#"{"age":"in(any).(1)"}"#, "42883"),
        (r#"{"age":"is(all).null"}"#, "42883"),
        (r#"{"age":"eq(some).(1)"}"#, "42883"),
        (r#"{"age":"eq().1"}"#, "42883"),
        (r#"{"age":"eq(any.1"}"#, "42601"),
        (r#"{"age":"eq(any).1"}"#, "42601"),
        (r#"{"age":"eq(any).(1,null)"}"#, "42601"),
        (r#"{"age":"eq(any)"}"#, "42601"),
        (r#"{"age":{"eq(any)":1}}"#, "42601"),
        (r#"{"age":{"eq(any)":[null]}}"#, "42601"),
        (r#"{"tags":{"eq(any)":[["a"]]}}"#, "42883"),
        (r#"{"email":"fts().x"}"#, "42883"),
        (r#"{"email":{"fts":5}}"#, "42804"),
        (r#"{"email":{"fts":null}}"#, "42601"),
        (r#"{"age":"fts.x"}"#, "42883"),
        (r#"{"age":"sl.1"}"#, "42883"),
        (r#"{"email":"adj.x"}"#, "42883"),
        (r#"{"raw":"isdistinct.{}"}"#, "42883"),
        (r#"{"age":{"not":5}}"#, "42601"),
        (r#"{"age":{"not":{}}}"#, "42601"),
        (r#"{"age":{"not":{"not":{"eq":1}}}}"#, "42883"),
        (r#"{"age":"not.not.eq.1"}"#, "42601"),
        (r#"{"age":"not.5"}"#, "42601"),
        (r#"{"age":{"not.not.eq":1}}"#, "42883"),
        (r#"{"age":{"eq ":1}}"#, "42883"),
    ] {
        let (text, got) = filter_error(json);
        assert_eq!(got, code, "{json}: {text}");
        assert!(text.starts_with("filter."), "{text}");
    }
}

#[test]
fn habits_of_other_systems_are_answered() {
    for (word, operator) in [
        ("=", "eq"),
        ("!=", "neq"),
        ("<>", "neq"),
        (">=", "gte"),
        ("$gte", "gte"),
        ("$in", "in"),
        ("contains", "cs"),
        ("between", "gte and lt"),
        ("regex", "match"),
        ("search", "wfts"),
        ("notnull", "isnot"),
        ("Like", "like"),
    ] {
        let (text, _) = filter_error(&format!("{{\"age\":{{\"{word}\":1}}}}"));
        assert!(text.contains(&format!("Did you mean {operator}? ")), "{word}: {text}");
    }
}
