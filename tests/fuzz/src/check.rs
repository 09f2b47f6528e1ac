//! What must be true of every error and every statement, without a Postgres.
//!
//! - A message has no control characters, is not endless, and says what to do.
//! - A statement consists of our own words, the catalog's names, parameters and numbers: nothing of the caller but aliases.
//! - Its tables are the catalog's, and it reads only columns that the role may read.
//! - Every parameter is used; no value holds \0.

use std::collections::{HashMap, HashSet};

use fluxbase_query::{QueryError, Statement};

use crate::catalog::World;

/// Words in small letters that stand by themselves: what we call things in a statement. All others follow `pg_catalog.`.
const OWN_WORDS: [&str; 11] = ["pg_catalog", "true", "false", "e", "v", "i", "_w", "_c", "_f", "_e", "_e0"];

/// Texts in single quotes are all in here.
const LITERALS: [&str; 2] = [
    include_str!("../../../fluxbase_mcp_ext/query/src/render.rs"),
    include_str!("../../../fluxbase_mcp_ext/query/src/selection.rs"),
];

/// A piece of SQL.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Identifier(String),
    Word(String),
    Literal(String),
    Number,
    Parameter(usize),
    Symbol(char),
}

/// Splits our dialect: no comments, no dollar quotes, one statement. `None` for anything else.
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
                while chars.next_if(char::is_ascii_digit).is_some() {}
                tokens.push(Token::Number);
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let rest: String =
                    std::iter::from_fn(|| chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_'))
                        .collect();
                tokens.push(Token::Word(format!("{c}{rest}")));
            }
            // Two of them begin a comment.
            '-' if chars.peek() == Some(&'-') => return None,
            '/' if chars.peek() == Some(&'*') => return None,
            c if "().,:=<>~*@&|-[]".contains(c) => tokens.push(Token::Symbol(c)),
            _ => return None,
        }
    }
    Some(tokens)
}

/// The number of an alias: `t` is 0, `t12` is 12.
fn alias(word: &str) -> Option<u32> {
    match word.strip_prefix('t')? {
        "" => Some(0),
        digits if is_digits(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What must be true of an accepted statement.
///
/// # Errors
/// What is not.
pub fn statement(world: &World, statement: &Statement, reads: bool, counts: bool) -> Result<(), String> {
    let sql = &statement.sql;
    let fail = |why: &str| Err(format!("{why} in {sql}"));
    let Some(tokens) = tokens(sql) else { return fail("something that is not our dialect") };
    // Where each alias stands for which table: `"schema"."name" AS t1`.
    let mut tables: HashMap<u32, (&str, &str)> = HashMap::new();
    for window in tokens.windows(5) {
        let [
            Token::Identifier(schema),
            Token::Symbol('.'),
            Token::Identifier(name),
            Token::Word(word),
            Token::Word(shown),
        ] = window
        else {
            continue;
        };
        if word == "AS"
            && let Some(number) = alias(shown)
            && tables.insert(number, (schema, name)).is_some_and(|before| before != (schema.as_str(), name.as_str()))
            // The top table stands in a counting statement and in the other once each.
            && number > 0
        {
            return fail(&format!("the alias t{number} twice"));
        }
    }
    // Postgres lets nobody count the rows of a table of which he may read no column.
    let blind = |(schema, name): &&(&str, &str)| {
        let table = world.tables.iter().find(|table| table.schema == *schema && table.name == *name);
        table.is_some_and(|table| !table.columns.iter().any(|column| column.select))
    };
    if let Some((_, name)) =
        tables.iter().filter(|(number, _)| reads || **number > 0).map(|(_, table)| table).find(blind)
    {
        return fail(&format!("the role may read nothing of {name}"));
    }
    conflict(world, &tokens, tables.get(&0)).or_else(|why| fail(&why))?;
    let mut used = HashSet::new();
    let mut depth = 0_i64;
    for (n, token) in tokens.iter().enumerate() {
        let before = |back: usize| n.checked_sub(back).map(|at| &tokens[at]);
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth -= 1,
            Token::Symbol(_) | Token::Number => {}
            Token::Parameter(number) => _ = used.insert(*number),
            Token::Literal(text) => {
                let written = format!("'{}'", text.replace('\\', "\\\\"));
                if !LITERALS.iter().any(|source| source.contains(&written)) {
                    return fail(&format!("{token:?}"));
                }
            }
            Token::Word(word) => {
                let of_catalog = matches!((before(2), before(1)), (Some(Token::Word(schema)), Some(Token::Symbol('.'))) if schema == "pg_catalog");
                let fine = of_catalog && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                    || word.len() <= 10 && word.bytes().all(|byte| byte.is_ascii_uppercase())
                    || OWN_WORDS.contains(&word.as_str())
                    || alias(word).is_some()
                    // Rows that become JSON, and values that groups are made of.
                    || word.strip_prefix("_r").or(word.strip_prefix('v')).is_some_and(is_digits)
                    || is_own_word(world, word);
                if !fine {
                    return fail(&format!("{token:?}"));
                }
            }
            Token::Identifier(name) => {
                let column_of = match (before(2), before(1)) {
                    (Some(Token::Word(word)), Some(Token::Symbol('.'))) => alias(word),
                    _ => None,
                };
                if let Some(number) = column_of {
                    let Some((schema, table)) = tables.get(&number) else {
                        return fail(&format!("t{number} stands for no table"));
                    };
                    if !may_read(world, schema, table, name) {
                        return fail(&format!("the role may not read {schema}.{table}.{name}"));
                    }
                } else if let (Some(Token::Identifier(schema)), Some(Token::Symbol('.'))) =
                    (before(2), before(1))
                {
                    if !world.tables.iter().any(|table| table.schema == *schema && table.name == *name) {
                        return fail(&format!("{schema}.{name} is no table"));
                    }
                } else if !is_name(world, name) && !is_alias(name) {
                    return fail(&format!("{token:?}"));
                }
            }
        }
        if depth < 0 {
            return fail("a parenthesis too many");
        }
    }
    if depth != 0 {
        return fail("a parenthesis that stays open");
    }
    // A counting statement bears the parameters of the order, too.
    let count = statement.params.len();
    if used.iter().any(|number| !(1..=count).contains(number)) || !counts && used.len() != count {
        return fail(&format!("{count} parameters of which {} are used", used.len()));
    }
    if statement.params.iter().any(|param| param.value.as_deref().is_some_and(|value| value.contains('\0'))) {
        return fail("\\0 in a parameter");
    }
    if statement.params.iter().any(|param| param.type_oid == 0) {
        return fail("a parameter without a type");
    }
    let first = tokens.iter().find_map(|token| match token {
        Token::Word(word) if ["SELECT", "INSERT", "UPDATE", "DELETE"].contains(&word.as_str()) => {
            Some(word.as_str())
        }
        _ => None,
    });
    match (first, reads) {
        (Some("SELECT"), true) | (Some("INSERT"), false) => Ok(()),
        (Some("UPDATE" | "DELETE"), false) if sql.contains(" WHERE ") => Ok(()),
        _ => fail("another verb than was asked for, or no WHERE,"),
    }
}

/// The columns of ON CONFLICT: each once, and readable, as Postgres demands; so are those of EXCLUDED.
fn conflict(world: &World, tokens: &[Token], table: Option<&(&str, &str)>) -> Result<(), String> {
    let Some(at) = tokens.iter().position(|token| *token == Token::Word("CONFLICT".to_owned())) else {
        return Ok(());
    };
    let Some((schema, table)) = table else { return Err("ON CONFLICT without a table".to_owned()) };
    let mut seen = HashSet::new();
    for token in tokens[at + 1..].iter().take_while(|token| **token != Token::Symbol(')')) {
        let Token::Identifier(name) = token else { continue };
        if !seen.insert(name) {
            return Err(format!("{name} twice in ON CONFLICT"));
        }
        if !may_read(world, schema, table, name) {
            return Err(format!("{name} in ON CONFLICT, which the role may not read,"));
        }
    }
    for window in tokens[at..].windows(3) {
        if let [Token::Word(word), Token::Symbol('.'), Token::Identifier(name)] = window
            && word == "EXCLUDED"
            && !may_read(world, schema, table, name)
        {
            return Err(format!("EXCLUDED.{name}, which the role may not read,"));
        }
    }
    Ok(())
}

/// A part of a type's name, or an aggregate of a type's own schema.
fn is_own_word(world: &World, word: &str) -> bool {
    if ["sum", "avg", "min", "max"].contains(&word) {
        return true;
    }
    world.tables.iter().flat_map(|table| &table.columns).any(|column| {
        column.type_sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|part| part == word)
    })
}

fn may_read(world: &World, schema: &str, table: &str, column: &str) -> bool {
    let found = world.tables.iter().find(|found| found.schema == schema && found.name == table);
    found.is_some_and(|table| table.columns.iter().any(|found| found.select && found.name == column))
}

fn is_name(world: &World, name: &str) -> bool {
    world.tables.iter().any(|table| {
        table.schema == name
            || table.name == name
            // A relation's name in the answer is what it was called by.
            || world.relations_of(table).iter().any(|relation| {
                relation.constraint == name || relation.pairs.iter().any(|pair| pair.near == name)
            })
            || table.columns.iter().any(|column| column.name == name || column.base_schema == name)
    })
}

fn is_alias(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// What must be true of a refusal.
///
/// # Errors
/// What is not.
pub fn error(error: &QueryError) -> Result<(), String> {
    let text = error.to_string();
    if text.chars().any(char::is_control) {
        return Err(format!("a control character in a message: {text:?}"));
    }
    if text.chars().count() > 3000 {
        return Err(format!("a message of {} characters: {text}", text.chars().count()));
    }
    if !text.ends_with(['.', ')', ']', '}']) {
        return Err(format!("a message without an end: {text}"));
    }
    if error.code() == "XX000" {
        return Err(format!("an internal error: {text}"));
    }
    Ok(())
}

/// A text without what varies from call to call: quoted names and numbers. Lists of alike parts are cut to one.
pub fn skeleton(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' => _ = chars.next(),
                        '"' => break,
                        _ => {}
                    }
                }
                out.push('"');
            }
            c if c.is_ascii_digit() => {
                while chars.next_if(char::is_ascii_digit).is_some() {}
                out.push('0');
            }
            c => out.push(c),
        }
    }
    for list in ["\".\", ", "t0.\", ", "t.\", ", "\", ", "$0, "] {
        while let Some(at) = out.find(&format!("{list}{list}")) {
            out.replace_range(at..at + list.len(), "");
        }
    }
    out
}
