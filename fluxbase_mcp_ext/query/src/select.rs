//! The arguments `select` and `returning`: which columns come out, in which order, under which names.
//!
//! ```text
//! select = item, …      or a JSON list of such texts
//! item   = * | column | alias:column
//! column = the name as it is, or in double quotes (a double quote inside is doubled)
//! alias  = letters, digits and _, at most 63 bytes
//! ```
//!
//! Never SQL: no functions, casts or arithmetic. Blank means the default. This module does NOT say how a column is written
//! as JSON ([`crate::render`]).

use std::borrow::Cow;
use std::collections::HashSet;

use crate::arguments::Arguments;
use crate::error::{Fault, QueryError, show};
use crate::names::{push_ident, split, unquote};
use crate::render;
use crate::table::{Column, Table};

/// The longest identifier that Postgres does not cut (NAMEDATALEN − 1), in bytes.
const MAX_NAME: usize = 63;

/// The most columns that one query may put out (MaxTupleAttributeNumber).
const MAX_OUTPUTS: usize = 1600;

/// One output column.
#[derive(Debug)]
pub(crate) struct Output<'t> {
    pub(crate) column: &'t Column,
    /// The name in the JSON object.
    pub(crate) name: Cow<'t, str>,
}

/// What `select` asks for; every readable column when absent or blank.
pub(crate) fn selected<'t>(args: &Arguments, table: &'t Table) -> Result<Vec<Output<'t>>, QueryError> {
    let texts = args.texts("select")?.unwrap_or_default();
    let outputs = match texts.iter().all(|text| text.trim().is_empty()) {
        true => everything(table).collect(),
        false => parse("select", &texts, table)?,
    };
    if outputs.is_empty() {
        return Err(QueryError::privilege(format!(
            "select: you have no privilege to read a column of {}.",
            table.shown()
        )));
    }
    Ok(outputs)
}

/// What `returning` asks for. `None`: no records. Every readable column when absent, none when that is no column; none
/// when blank or `none`.
pub(crate) fn returned<'t>(
    args: &Arguments,
    table: &'t Table,
) -> Result<Option<Vec<Output<'t>>>, QueryError> {
    let outputs: Vec<_> = match args.texts("returning")? {
        None => everything(table).collect(),
        Some(texts) if texts.iter().all(|text| text.trim().is_empty()) => Vec::new(),
        Some(texts) if texts.len() == 1 && texts[0].trim() == "none" => Vec::new(),
        Some(texts) => parse("returning", &texts, table)?,
    };
    Ok((!outputs.is_empty()).then_some(outputs))
}

fn everything(table: &Table) -> impl Iterator<Item = Output<'_>> {
    table
        .columns
        .iter()
        .filter(|column| column.select)
        .map(|column| Output { column, name: Cow::Borrowed(column.name.as_str()) })
}

fn parse<'t>(argument: &str, texts: &[String], table: &'t Table) -> Result<Vec<Output<'t>>, QueryError> {
    let mut outputs = Vec::new();
    for text in texts {
        let items = split(text, ',').map_err(|_| unclosed(argument, text))?;
        for item in items.into_iter().map(str::trim) {
            match item {
                "" => {
                    return Err(QueryError::grammar(format!(
                        "{argument}: {} has an empty item.",
                        show(text)
                    ))
                    .with_hint("Write columns with one comma between them."));
                }
                "*" => {
                    let before = outputs.len();
                    outputs.extend(everything(table));
                    if outputs.len() == before {
                        return Err(QueryError::privilege(format!(
                            "{argument}: you have no privilege to read a column of {}.",
                            table.shown()
                        )));
                    }
                }
                item => outputs.push(output(argument, item, table)?),
            }
            if outputs.len() > MAX_OUTPUTS {
                return Err(QueryError::argument(format!(
                    "{argument}: asks for more than {MAX_OUTPUTS} columns."
                )));
            }
        }
    }
    let mut names = HashSet::with_capacity(outputs.len());
    if let Some(twice) = outputs.iter().find(|output| !names.insert(output.name.as_ref())) {
        let message = format!("{argument}: two columns would be named {}.", show(&twice.name));
        return Err(QueryError::DuplicateColumn(Fault::new(message))
            .with_hint("Name each column once, or give one of them an alias: alias:column."));
    }
    Ok(outputs)
}

fn unclosed(argument: &str, text: &str) -> QueryError {
    QueryError::grammar(format!("{argument}: {} has a double quote that is not closed.", show(text)))
}

/// `column` or `alias:column`.
fn output<'t>(argument: &str, item: &str, table: &'t Table) -> Result<Output<'t>, QueryError> {
    let parts = split(item, ':').map_err(|_| unclosed(argument, item))?;
    let (alias, name) = match parts[..] {
        [name] => (None, name),
        [alias, name] => (Some(alias), name),
        _ => return Err(not_a_column(argument, item, table)),
    };
    let Some(name) = unquote(name) else {
        return Err(QueryError::grammar(format!(
            "{argument}: {} has a double quote inside a name.",
            show(item)
        ))
        .with_hint("A name is plain or wholly in double quotes."));
    };
    let Some(column) = table.readable(&name) else {
        if let Some(alias) = alias
            && table.readable(alias.trim()).is_some()
        {
            return Err(QueryError::grammar(format!(
                "{argument}: {} has the column before the colon.",
                show(item)
            ))
            .with_hint(format!("The alias comes first: {}.", show(&format!("{name}:{}", alias.trim())))));
        }
        return Err(not_a_column(argument, &name, table));
    };
    let name = match alias {
        None => Cow::Borrowed(column.name.as_str()),
        Some(alias) => Cow::Owned(check_alias(argument, alias)?),
    };
    Ok(Output { column, name })
}

/// An alias is the one name that a caller makes up and that stands in SQL, quoted. A closed alphabet makes sure that it
/// cannot be anything but a name, and the length that Postgres does not cut it into another one.
fn check_alias(argument: &str, alias: &str) -> Result<String, QueryError> {
    match unquote(alias) {
        Some(name)
            if !name.is_empty()
                && name.len() <= MAX_NAME
                && name.chars().all(|c| c.is_alphanumeric() || c == '_') =>
        {
            Ok(name.into_owned())
        }
        _ => Err(QueryError::grammar(format!("{argument}: {} cannot be an alias.", show(alias.trim())))
            .with_hint(format!("An alias has letters, digits and _, and at most {MAX_NAME} bytes."))),
    }
}

/// The error for an item that names no readable column: a lesson on the grammar when it looks like SQL, else the nearest
/// name.
fn not_a_column(argument: &str, item: &str, table: &Table) -> QueryError {
    let lower = item.to_ascii_lowercase();
    let sql = item.contains(['(', ')', '+', '/', '|', '*', ';', '\'', ':'])
        || lower.contains(" as ")
        || lower.contains("->");
    if !sql {
        return table.unknown_readable(argument, item);
    }
    let example =
        table.columns.iter().find(|column| column.select).map_or("id", |column| column.name.as_str());
    QueryError::grammar(format!("{argument}: {} is not a column.", show(item))).with_hint(format!(
        "Only columns and alias:column are supported, no functions, casts or other SQL. Write {} or {}.",
        show(example),
        show(&format!("alias:{example}"))
    ))
}

/// Appends the output list.
pub(crate) fn write(sql: &mut String, outputs: &[Output<'_>]) {
    for (index, output) in outputs.iter().enumerate() {
        if index > 0 {
            sql.push_str(", ");
        }
        let bare = render::write(sql, output.column);
        if !bare || output.name != output.column.name {
            sql.push_str(" AS ");
            push_ident(sql, &output.name);
        }
    }
}

/// An alias for a relation that no output column has: `row_to_json(_r)` would take a column named `_r` for its argument.
pub(crate) fn row_alias(outputs: &[Output<'_>]) -> String {
    let mut alias = "_r".to_owned();
    let mut number = 0;
    while outputs.iter().any(|output| output.name == alias) {
        number += 1;
        alias = format!("_r{number}");
    }
    alias
}
