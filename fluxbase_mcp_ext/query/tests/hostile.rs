//! No caller's text becomes SQL, and nothing that a caller sends panics.
//!
//! Every accepted call's SQL is split into tokens, and each token must be the table's own identifier, a word of ours, a
//! literal of ours, a number, or a parameter. Aliases are the one name that a caller makes up: they are quoted and may
//! hold letters, digits and underscores only.

mod support;

use std::collections::HashSet;

use fluxbase_query::{
    Arguments, Bounds, QueryError, Statement, Table, TableName, delete, insert, nearest, select, update,
};
use proptest::prelude::*;
use proptest::sample::Index;
use support::{array, column, users};

/// Stands in every hostile piece, so that a leak is seen by searching.
const MARK: &str = "zQ7x";

#[derive(Debug, PartialEq, Eq, Hash)]
enum Token {
    Identifier(String),
    Word(String),
    Literal(String),
    Number(String),
    Parameter(usize),
    Symbol(char),
}

/// Splits our dialect: no comments, no dollar quotes. `None` for anything else.
fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut chars = sql.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '"' | '\'' => {
                let mut text = String::new();
                loop {
                    match chars.next()? {
                        quote if quote == c => match chars.next_if_eq(&c) {
                            Some(_) => text.push(c),
                            None => break,
                        },
                        other => text.push(other),
                    }
                }
                tokens.push(if c == '"' { Token::Identifier(text) } else { Token::Literal(text) });
            }
            '$' => {
                let digits: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect();
                tokens.push(Token::Parameter(digits.parse().ok()?));
            }
            c if c.is_ascii_digit() => {
                let rest: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect();
                tokens.push(Token::Number(format!("{c}{rest}")));
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let rest: String =
                    std::iter::from_fn(|| chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_'))
                        .collect();
                tokens.push(Token::Word(format!("{c}{rest}")));
            }
            // Two of them begin a comment, which we never write.
            '-' if chars.peek() == Some(&'-') => return None,
            c if "().,:=<>~*@&-[]".contains(c) => tokens.push(Token::Symbol(c)),
            _ => return None,
        }
    }
    Some(tokens)
}

const WORDS: &str = "SELECT FROM AS WHERE AND ORDER BY LIMIT OFFSET DESC NULLS FIRST LAST IS NOT DISTINCT NULL TRUE FALSE \
     UNKNOWN true false ANY ALL OPERATOR CASE WHEN THEN ELSE END WITH ORDINALITY INSERT INTO VALUES UPDATE SET DELETE \
     RETURNING ARRAY E pg_catalog row_to_json to_json text octet_length ltrim translate encode array_ndims unnest \
     jsonb_populate_record t e v i public place";

const LITERALS: [&str; 7] = ["", "0", "-.", "base64", "\\n", "[0-9]{16}|[0-9.]{17}", "[0-9]"];

/// Panics unless the statement is made of what it may be made of.
fn check(statement: &Statement, table: &Table) {
    let sql = &statement.sql;
    assert!(!sql.contains(MARK), "caller's text in {sql}");
    assert!(!sql.contains('\0'));
    let words: HashSet<&str> = WORDS.split_whitespace().collect();
    let own: HashSet<&str> = [table.schema.as_str(), table.name.as_str()]
        .into_iter()
        .chain(table.columns.iter().flat_map(|column| [column.name.as_str(), column.base_schema.as_str()]))
        .collect();
    let mut seen = 0;
    for token in tokens(sql).unwrap_or_else(|| panic!("not our dialect: {sql}")) {
        let fine = match &token {
            Token::Identifier(name) => {
                own.contains(name.as_str())
                    || (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
            }
            Token::Word(word) => {
                words.contains(word.as_str())
                    || word.strip_prefix("_r").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
            }
            Token::Literal(text) => LITERALS.contains(&text.as_str()),
            Token::Parameter(number) => {
                seen += 1;
                *number == seen
            }
            Token::Number(_) | Token::Symbol(_) => true,
        };
        assert!(fine, "{token:?} in {sql}");
    }
    assert_eq!(seen, statement.params.len(), "{sql}");
    assert!(statement.params.iter().all(|param| param.value.as_deref().is_none_or(|v| !v.contains('\0'))));
}

fn secret_is_unread(statement: &Statement) {
    assert!(!statement.sql.contains("t.\"secret\""), "{}", statement.sql);
}

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

/// A name: real, real in quotes, or hostile.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => own_name(),
        2 => own_name().prop_map(|name| quoted(&name)),
        1 => hostile(),
        1 => Just("ctid".to_owned()),
    ]
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "is", "isnot", "in", "nin", "cs", "cd", "ov",
        "not", "EQ",
    ])
    .prop_map(str::to_owned)
}

fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap()
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
    prop_oneof![
        8 => prop::collection::vec((name(), condition()), 0..4).prop_map(|members| object(&members)),
        1 => json(),
    ]
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

const ALIASED: &[&str] = &["", "", "", "::text", "()", " as x"];
const ORDERED: &[&str] = &["", ".desc", " DESC NULLS LAST", ".asc.nullsfirst", "; DROP", ".desc.desc"];

type Verb = fn(&Arguments, &Table) -> Result<Statement, QueryError>;

fn read(args: &Arguments, table: &Table) -> Result<Statement, QueryError> {
    select(args, table, &Bounds::default())
}

fn run(json: &str, verb: Verb, outcome: &str) {
    let table = users();
    let Ok(args) = Arguments::parse(Some(json)) else { return };
    match verb(&args, &table) {
        Ok(statement) => {
            check(&statement, &table);
            secret_is_unread(&statement);
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.ends_with(outcome), "{text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.len() < 4000, "{text}");
            assert_eq!(text, format!("{} {}", error.message(), error.hint().unwrap()));
            assert_eq!(error.code().len(), 5);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading(
        select in prop::option::of(list(ALIASED)),
        filter in prop::option::weighted(0.8, filter()),
        order in prop::option::of(list(ORDERED)),
        limit in prop::option::weighted(0.2, json()),
        offset in prop::option::weighted(0.2, json()),
        other in prop::option::weighted(0.02, (hostile(), json())),
    ) {
        let mut members = vec![("table".to_owned(), json_text("users"))];
        members.extend([("select", select), ("filter", filter), ("order", order), ("limit", limit), ("offset", offset)]
            .into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        members.extend(other);
        run(&object(&members), read, "Nothing was read.");
    }

    #[test]
    fn filters_alone(filter in filter()) {
        run(&format!("{{\"select\":\"t\",\"filter\":{filter}}}"), read, "Nothing was read.");
        run(&format!("{{\"filter\":{filter}}}"), delete, "Nothing was changed.");
    }

    #[test]
    fn writing(data in data(), filter in filter(), returning in prop::option::weighted(0.3, list(ALIASED))) {
        let tail = returning.map_or_else(String::new, |text| format!(",\"returning\":{text}"));
        run(&format!("{{\"data\":{data}{tail}}}"), insert, "Nothing was changed.");
        run(&format!("{{\"data\":{data},\"filter\":{filter}{tail}}}"), update, "Nothing was changed.");
        run(&format!("{{\"filter\":{filter}{tail}}}"), delete, "Nothing was changed.");
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
            let statement = select(&Arguments::parse(Some(&json)).unwrap(), &table, &Bounds::default()).unwrap();
            check(&statement, &table);
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
        run(&format!("{{\"filter\":{filter}}}"), delete, "Nothing was changed.");
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

#[test]
fn depth_and_size_are_harmless() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for json in [
        deep.clone(),
        format!("{{\"filter\":{deep}}}"),
        format!("{{\"filter\":{{\"tags\":{{\"cs\":{deep}}}}}}}"),
        format!("{{\"filter\":{{\"doc\":{{\"cs\":{deep}}}}}}}"),
        format!("{{\"order\":{}}}", json_text(&"a.".repeat(500_000))),
        format!("{{\"order\":{}}}", json_text(&".".repeat(1_000_000))),
        format!("{{\"select\":{}}}", json_text(&"a,".repeat(500_000))),
        format!("{{\"select\":{}}}", json_text(&"*,".repeat(500_000))),
        format!("{{\"select\":{}}}", json_text(&"\"".repeat(1_000_001))),
        format!("{{\"filter\":{{{}:1}}}}", json_text(&"i".repeat(1_000_000))),
        format!("{{\"filter\":{{\"id\":{}}}}}", json_text(&format!("in.({})", "\\".repeat(1_000_000)))),
    ] {
        run(&json, read, "Nothing was read.");
    }
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
    ] {
        let statement = Statement {
            sql: sql.to_owned(),
            params: Vec::new(),
            notes: Vec::new(),
            limit: 1,
            offset: 0,
            returns: true,
        };
        assert!(std::panic::catch_unwind(|| check(&statement, &users())).is_err(), "{sql}");
    }
}
