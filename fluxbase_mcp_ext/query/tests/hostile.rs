//! No caller's text becomes SQL, and nothing that a caller sends panics.
//!
//! `support::tokens` says what a statement may be made of. Aliases are the one name that a caller makes up: they are quoted and
//! may hold letters, digits and underscores only.

mod support;

use std::collections::HashSet;

use fluxbase_query::{Arguments, Bounds, NoRelations, Statement, TableName, nearest, select};
use proptest::prelude::*;
use proptest::sample::Index;
use support::calls::{delete_, insert_, json_text, read, run, run_on, update_};
use support::relations::library;
use support::tokens::{MARK, Token, check, tokens};
use support::{array, column, users};

/// Pieces that end strings, identifiers, lists and statements, or mean something to Postgres.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("'".to_owned()),
        Just("''".to_owned()),
        Just("\"".to_owned()),
        Just("\"\"".to_owned()),
        Just("\\".to_owned()),
        Just("\\'".to_owned()),
        Just("$1".to_owned()),
        Just("$$".to_owned()),
        Just("--".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just(";".to_owned()),
        Just("; DROP TABLE users".to_owned()),
        Just(")".to_owned()),
        Just("(".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just(".".to_owned()),
        Just(":".to_owned()),
        Just("::text".to_owned()),
        Just(" OR true".to_owned()),
        Just(" UNION SELECT secret FROM t".to_owned()),
        Just("NULL".to_owned()),
        Just("null".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\u{0}".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("ſ".to_owned()),
        "[a-z_]{1,8}",
        "\\PC{0,4}",
        any::<char>().prop_map(String::from),
    ]
}

fn hostile() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..6).prop_map(|pieces| format!("{MARK}{}{MARK}", pieces.concat()))
}

fn own_name() -> impl Strategy<Value = String> {
    any::<Index>().prop_map(|index| {
        let table = users();
        table.columns[index.index(table.columns.len())].name.clone()
    })
}

fn quoted(name: &str) -> String {
    fluxbase_query::quote_ident(name)
}

/// A name: real, real in quotes, a path, or hostile. Of a path's key letters alone could name an output, so it has a quote.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => own_name(),
        4 => own_name().prop_map(|name| quoted(&name)),
        2 => (own_name(), prop::sample::select(vec!["->", "->>"]), hostile())
            .prop_map(|(name, arrow, key)| format!("{name}{arrow}{key}'")),
        2 => (prop::sample::select(vec!["doc", "raw", "tags", "place", "\"doc\""]), hostile())
            .prop_map(|(name, key)| format!("{name}->{}", quoted(&format!("{key}'")))),
        1 => prop::sample::select(vec!["doc->a->>b", "doc->0->-1", "raw->>x", "tags->>0", "place->x"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["and", "or", "not", "ctid", "oid.x", "doc.a"]).prop_map(str::to_owned),
        2 => hostile(),
    ]
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "eq",
        "neq",
        "gt",
        "gte",
        "lt",
        "lte",
        "like",
        "ilike",
        "match",
        "imatch",
        "is",
        "isnot",
        "in",
        "nin",
        "isdistinct",
        "cs",
        "cd",
        "ov",
        "sl",
        "sr",
        "nxr",
        "nxl",
        "adj",
        "fts",
        "plfts",
        "wfts(english)",
        "eq(any)",
        "like(all)",
        "not.in",
        "not.eq",
        "not.like(any)",
        "not",
        "EQ",
        "eq(",
        "fts(')",
    ])
    .prop_map(str::to_owned)
}

/// Any JSON, with hostile strings and keys in it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        hostile().prop_map(|text| json_text(&text)),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.5e300".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("\"AP8=\"".to_owned()),
        Just("\"null\"".to_owned()),
        Just("\"\\u0000\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((prop_oneof![hostile(), word()], inner), 0..3)
                .prop_map(|members| object(&members)),
        ]
    })
}

/// Keys may stand twice.
fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("{}:{value}", json_text(key))).collect();
    format!("{{{}}}", members.join(","))
}

fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        (word(), hostile()).prop_map(|(word, value)| json_text(&format!("{word}.{value}"))),
        (word(), prop::collection::vec(hostile(), 0..3))
            .prop_map(|(word, list)| json_text(&format!("{word}.({})", list.join(",")))),
        (word(), prop::collection::vec(hostile(), 0..3)).prop_map(|(word, list)| {
            let items: Vec<_> = list.iter().map(|item| json_text(item)).collect();
            json_text(&format!("{word}.({})", items.join(",")))
        }),
        prop::sample::select(vec!["\"is.null\"", "\"isnot.true\"", "\"is.unknown\"", "\"in.()\"", "null"])
            .prop_map(str::to_owned),
        prop::collection::vec((word(), json()), 1..3).prop_map(|members| object(&members)),
        json(),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    let group = || prop::sample::select(vec!["and", "or", "not"]).prop_map(str::to_owned);
    let leaf = prop::collection::vec((name(), condition()), 0..4).prop_map(|members| object(&members));
    let nested = leaf.prop_recursive(4, 12, 3, move |inner| {
        prop_oneof![
            (group(), prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(key, parts)| object(&[(key, format!("[{}]", parts.join(",")))])),
            (group(), inner.clone()).prop_map(|(key, part)| object(&[(key, part)])),
            (group(), inner, name(), condition())
                .prop_map(|(key, part, name, condition)| object(&[(key, part), (name, condition)])),
        ]
    });
    prop_oneof![8 => nested, 1 => json()]
}

fn data() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::collection::vec((prop_oneof![8 => own_name(), 1 => hostile()], json()), 0..4)
            .prop_map(|members| object(&members)),
        1 => json(),
    ]
}

/// The text of select, returning or order.
fn list(tail: &'static [&'static str]) -> impl Strategy<Value = String> {
    // An alias of letters alone is allowed, so a hostile one always has a quote.
    let alias = prop_oneof!["[a-z_]{1,6}", hostile().prop_map(|text| format!("{text}'"))];
    let item = (prop::option::weighted(0.2, alias), name(), prop::sample::select(tail))
        .prop_map(|(alias, name, tail)| match alias {
            Some(alias) => format!("{alias}:{name}{tail}"),
            None => format!("{name}{tail}"),
        })
        .boxed();
    prop_oneof![
        8 => prop::collection::vec(item.clone(), 0..4).prop_map(|items| json_text(&items.join(","))),
        2 => prop::collection::vec(item, 0..3)
            .prop_map(|items| format!("[{}]", items.iter().map(|i| json_text(i)).collect::<Vec<_>>().join(","))),
        1 => json(),
    ]
}

const ALIASED: &[&str] = &[
    "",
    "",
    "",
    "::text",
    "()",
    " as x",
    ".count()",
    ".max()::int8",
    "::numeric.sum()",
    "->>k::int4",
    "::regclass",
    "(*)",
];
const ORDERED: &[&str] = &["", ".desc", " DESC NULLS LAST", ".asc.nullsfirst", "; DROP", ".desc.desc"];

/// Calls that are understood: the ground for edits.
const READS: &[&str] = &[
    r#"{"select":"id,title,author_id(name,country:country(name)),tags(name)"}"#,
    r#"{"select":"...author_id(writer:name),details!inner(isbn),people!loans(*)","embed":{"people":{"limit":2,"order":"name.desc"}}}"#,
    r#"{"select":"genre,count(),price.sum()::text,pages.avg()","order":"count.desc","filter":{"or":[{"pages":"gt.5"},{"genre":null}]}}"#,
    r#"{"select":"info->a->>b,n:info->0,words->>0","order":"info->>x.desc.nullslast,author_id(name)","count":"exact"}"#,
    r#"{"filter":{"author_id.name":"ilike(any).(a%,b%)","author_id.born":{"gte":1900,"not":{"in":[1,2]}},"tags":"isnot.null"}}"#,
    r#"{"filter":{"not":{"and":[{"price":"gte.1.5"},{"shelves.number":"in.(1,2)"}]},"title":"not.wfts(english).a b"},"count":"estimated"}"#,
    r#"{"select":"*,writer:books_author_id_fkey(*,books!books_author_id_fkey(title))","filter":{"writer.books.title":"eq.x"},"embed":{"writer.books":{"filter":{"id":"gt.1"},"limit":1}}}"#,
];

const WRITES: &[(&str, &str)] = &[
    (
        "insert",
        r#"{"data":[{"id":1,"title":"a"},{"id":2,"words":["x"]}],"on_conflict":"id","resolution":"ignore","returning":"id,author_id(name)"}"#,
    ),
    ("insert", r#"{"data":{"id":1,"title":"a"},"on_conflict":"*","expect":1,"returning":"count()"}"#),
    (
        "update",
        r#"{"data":{"info":{"a":1}},"filter":{"author_id.name":"eq.x"},"returning":"*,tags!inner(name)","max_affected":5}"#,
    ),
    (
        "delete",
        r#"{"filter":{"or":{"id":"in.(1,2)","details":"is.null"}},"returning":"none","dry_run":true}"#,
    ),
];

/// A few characters taken out and others put in, at places anywhere in a text.
fn edits() -> impl Strategy<Value = Vec<(Index, usize, String)>> {
    prop::collection::vec((any::<Index>(), 0..4_usize, piece()), 0..4)
}

fn edited(text: &str, edits: &[(Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (index, remove, insert) in edits {
        let start = index.index(chars.len() + 1);
        let end = (start + remove).min(chars.len());
        // Text for a place inside of a JSON string.
        let escaped = json_text(insert);
        chars.splice(start..end, escaped[1..escaped.len() - 1].chars());
    }
    chars.into_iter().collect()
}

/// Cases of each property: few in every run, many when somebody hunts.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading(
        select in prop::option::of(list(ALIASED)),
        filter in prop::option::weighted(0.8, filter()),
        order in prop::option::of(list(ORDERED)),
        limit in prop::option::weighted(0.2, json()),
        offset in prop::option::weighted(0.2, json()),
        embed in prop::option::weighted(0.1, json()),
        cursor in prop::option::weighted(0.1, prop_oneof![json(), "[A-Za-z0-9_-]{0,40}".prop_map(|text| json_text(&text))]),
        count in prop::option::weighted(0.3, prop_oneof![
            1 => json(), 4 => Just("\"exact\"".to_owned()), 2 => Just("\"estimated\"".to_owned())]),
        other in prop::option::weighted(0.02, (hostile(), json())),
    ) {
        let mut members = vec![("table".to_owned(), json_text("users"))];
        members.extend([("select", select), ("filter", filter), ("order", order), ("limit", limit), ("offset", offset),
            ("embed", embed), ("cursor", cursor), ("count", count)]
            .into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        members.extend(other);
        run(&object(&members), read, "Nothing was read.");
    }

    /// Calls that are nearly right, over tables with relations.
    #[test]
    fn nearly_right_reads(which in any::<Index>(), edits in edits()) {
        let library = library();
        let call = READS[which.index(READS.len())];
        prop_assert!(run_on(call, read, "", library.tables(), "books", &library));
        run_on(&edited(call, &edits), read, "Nothing was read.", library.tables(), "books", &library);
    }

    #[test]
    fn nearly_right_writes(which in any::<Index>(), edits in edits()) {
        let library = library();
        let (verb, call) = WRITES[which.index(WRITES.len())];
        let verb = match verb { "insert" => insert_, "update" => update_, _ => delete_ };
        prop_assert!(run_on(call, verb, "", library.tables(), "books", &library));
        run_on(&edited(call, &edits), verb, "Nothing was changed.", library.tables(), "books", &library);
    }

    #[test]
    fn filters_alone(filter in filter()) {
        run(&format!("{{\"select\":\"t\",\"filter\":{filter}}}"), read, "Nothing was read.");
        run(&format!("{{\"filter\":{filter}}}"), delete_, "Nothing was changed.");
    }

    #[test]
    fn writing(data in data(), filter in filter(), returning in prop::option::weighted(0.3, list(ALIASED))) {
        let tail = returning.map_or_else(String::new, |text| format!(",\"returning\":{text}"));
        run(&format!("{{\"data\":{data}{tail}}}"), insert_, "Nothing was changed.");
        run(&format!("{{\"data\":{data},\"filter\":{filter}{tail}}}"), update_, "Nothing was changed.");
        run(&format!("{{\"filter\":{filter}{tail}}}"), delete_, "Nothing was changed.");
    }

    /// A hostile table: its own names are in the SQL, each as one quoted identifier.
    #[test]
    fn hostile_catalogs(names in prop::collection::hash_set(hostile(), 2..6)) {
        let names: Vec<String> = names.into_iter().map(|name| name.replace('\0', "").replace(MARK, "M")).collect();
        let unique: HashSet<&String> = names.iter().collect();
        prop_assume!(unique.len() == names.len());
        let mut table = users();
        table.schema = names[0].clone();
        table.name = names[1].clone();
        table.columns = names.iter().enumerate().map(|(index, name)| match index % 3 {
            0 => column(name, support::INT8, "bigint", 'N', 1016),
            1 => column(name, support::TEXT, "text", 'S', 1009),
            _ => array(name, 1231, "numeric[]", support::NUMERIC, 'N'),
        }).collect();
        for name in &names {
            let reserved = matches!(name.as_str(), "and" | "or" | "not");
            prop_assert!(!reserved);
            let json = object(&[
                ("select".to_owned(), json_text(&quoted(name))),
                ("filter".to_owned(), format!("{{{}:\"isnot.null\"}}", json_text(name))),
                ("order".to_owned(), json_text(&format!("{}.desc", quoted(name)))),
            ]);
            let statement = select(&Arguments::parse(Some(&json)).unwrap(), &table, &NoRelations, &Bounds::default())
                .unwrap().statement;
            check(&statement, std::slice::from_ref(&table));
            let found = tokens(&statement.sql).unwrap();
            prop_assert!(found.iter().filter(|token| **token == Token::Identifier(name.clone())).count() >= 3);
        }
    }

    #[test]
    fn arguments_never_panic(text in "\\PC{0,60}") {
        if let Ok(args) = Arguments::parse(Some(&text)) {
            let _ = (args.table(), args.str("a"), args.int("a"), args.bool("a"), args.only(&["a"]));
        }
        let _ = TableName::parse(&text);
        let _ = nearest(&text, ["users", "id", ""].into_iter());
    }

    #[test]
    fn any_filter_text_never_panics(column in own_name(), text in "\\PC{0,40}", word in word()) {
        let filter = format!("{{{}:{}}}", json_text(&column), json_text(&format!("{word}.{text}")));
        run(&format!("{{\"filter\":{filter}}}"), delete_, "Nothing was changed.");
    }

    /// What goes into an array text comes out of it: the reading side is written here once more, by Postgres's rules.
    #[test]
    fn lists_survive(values in prop::collection::vec("[^\u{0}]{0,12}", 1..5), in_string in any::<bool>()) {
        let filter = if in_string {
            let items: Vec<_> = values.iter()
                .map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))).collect();
            format!("{{\"email\":{}}}", json_text(&format!("in.({})", items.join(" , "))))
        } else {
            format!("{{\"email\":{{\"in\":{}}}}}", serde_json::to_string(&values).unwrap())
        };
        let (_, params) = support::filter(&filter).unwrap();
        prop_assert_eq!(array_elements(&params[0].1), values);
    }
}

/// Reads one-dimensional array text whose elements are all quoted.
fn array_elements(text: &str) -> Vec<String> {
    let mut chars = text.strip_prefix('{').unwrap().strip_suffix('}').unwrap().chars();
    let mut elements = Vec::new();
    while chars.next() == Some('"') {
        let mut element = String::new();
        loop {
            match chars.next().unwrap() {
                '"' => break,
                '\\' => element.push(chars.next().unwrap()),
                c => element.push(c),
            }
        }
        elements.push(element);
        assert!(matches!(chars.next(), None | Some(',')));
    }
    elements
}

/// The checker itself must see what it is there to see.
#[test]
fn the_checker_sees_leaks() {
    for sql in [
        "SELECT 'x'",
        "SELECT t.x",
        "SELECT 1 -- x",
        "SELECT \"a b\"",
        "SELECT $2",
        "SELECT 'x",
        "SELECT $$x$$",
        "a;b",
        "SELECT (1",
        "SELECT t1.\"secret\"",
    ] {
        let statement = Statement { sql: sql.to_owned(), params: Vec::new(), returns: true };
        assert!(std::panic::catch_unwind(|| check(&statement, &[users()])).is_err(), "{sql}");
    }
}
