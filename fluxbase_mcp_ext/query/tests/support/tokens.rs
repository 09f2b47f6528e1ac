//! The words that a statement of this crate may be made of.
//!
//! Every accepted call's SQL is split into tokens, and each token must be the catalog's own identifier, an alias of letters,
//! digits and _, a word or a literal of ours, a number, or a parameter.

use std::collections::HashSet;

use fluxbase_query::{Statement, Table};

/// Stands in every hostile piece, so that a leak is seen by searching.
pub const MARK: &str = "zQ7x";

#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Token {
    Identifier(String),
    Word(String),
    Literal(String),
    Number(String),
    Parameter(usize),
    Symbol(char),
}

/// Splits our dialect: no comments, no dollar quotes. `None` for anything else.
pub fn tokens(sql: &str) -> Option<Vec<Token>> {
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
            c if "().,:=<>~*@&|-[]".contains(c) => tokens.push(Token::Symbol(c)),
            _ => return None,
        }
    }
    Some(tokens)
}

const WORDS: &str = "SELECT FROM AS WHERE AND OR NOT ORDER GROUP BY LIMIT OFFSET DESC NULLS FIRST LAST IS DISTINCT NULL TRUE \
     FALSE UNKNOWN true false ANY ALL EXISTS OPERATOR CASE WHEN THEN ELSE END WITH ORDINALITY INSERT INTO VALUES UPDATE SET \
     DELETE RETURNING DEFAULT ON CONFLICT DO NOTHING EXCLUDED UNION COALESCE ARRAY E pg_catalog row_to_json to_json json_agg concat string_agg \
     octet_length ltrim translate encode array_ndims array_lower unnest array_dims json_typeof to_jsonb to_tsvector to_tsquery \
     plainto_tsquery phraseto_tsquery websearch_to_tsquery count sum avg min max _r _w _c _f _e0 e v i \
     text int2 int4 int8 float4 float8 numeric bool date time timetz timestamp timestamptz interval uuid json jsonb";

const LITERALS: [&str; 14] = [
    "[",
    "]",
    ",",
    "",
    "0",
    "-.",
    "base64",
    "\\n",
    "[0-9]{16}|[0-9.]{17}",
    "[0-9]",
    "[]",
    "\\x",
    "[[](?!1:)",
    "null",
];

/// Panics unless the statement is made of what it may be made of, given the tables that it may speak of.
pub fn check(statement: &Statement, tables: &[Table]) {
    check_text(statement, tables, true);
}

/// The same for a statement that may leave parameters unused.
pub fn check_text(statement: &Statement, tables: &[Table], all_used: bool) {
    let sql = &statement.sql;
    assert!(!sql.contains(MARK), "caller's text in {sql}");
    assert!(!sql.contains('\0'));
    let words: HashSet<&str> = WORDS.split_whitespace().collect();
    let own: HashSet<&str> = tables
        .iter()
        .flat_map(|table| {
            let columns = table.columns.iter();
            let columns = columns.flat_map(|column| [column.name.as_str(), column.base_schema.as_str()]);
            [table.schema.as_str(), table.name.as_str()].into_iter().chain(columns)
        })
        .collect();
    let mut seen = HashSet::new();
    let tokens = tokens(sql).unwrap_or_else(|| panic!("not our dialect: {sql}"));
    for token in &tokens {
        let fine = match token {
            Token::Identifier(name) => {
                own.contains(name.as_str())
                    || (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
            }
            Token::Word(word) => {
                words.contains(word.as_str())
                    || word.strip_prefix('t').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
            }
            Token::Literal(text) => LITERALS.contains(&text.as_str()),
            Token::Parameter(number) => {
                seen.insert(*number);
                (1..=statement.params.len()).contains(number)
            }
            Token::Number(_) | Token::Symbol(_) => true,
        };
        assert!(fine, "{token:?} in {sql}");
    }
    let depth = tokens.iter().fold(0_i64, |depth, token| match token {
        Token::Symbol('(') => depth + 1,
        Token::Symbol(')') => depth - 1,
        _ => depth,
    });
    assert_eq!(depth, 0, "{sql}");
    if all_used {
        assert_eq!(seen.len(), statement.params.len(), "{sql}");
    }
    assert!(statement.params.iter().all(|param| param.value.as_deref().is_none_or(|v| !v.contains('\0'))));
    assert!(
        statement
            .params
            .iter()
            .all(|param| param.place.len() < 1000 && !param.place.contains(char::is_control))
    );
    // Columns that may be written, not read.
    assert!(!sql.contains(".\"secret\"") && !sql.contains(".\"password\""), "{sql}");
}
