//! The argument `order`.
//!
//! ```text
//! order = item, …      or a JSON list of such texts
//! item  = column[.asc|.desc][.nullsfirst|.nullslast]      also with blanks: column desc nulls last
//! ```
//!
//! The words after the column may be in any case; the column is exact, in double quotes if it holds a comma, dot or blank. Blank
//! means no order. Nulls come last going up and first going down, as Postgres does. This module does NOT order by expressions.

use crate::arguments::Arguments;
use crate::error::{QueryError, show};
use crate::filter::push_column;
use crate::names::{split, unquote};
use crate::table::{Column, Table, oid};

/// One sort key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key<'t> {
    column: &'t Column,
    descending: Option<bool>,
    nulls_first: Option<bool>,
}

/// A name is looked for in the first bytes of an item only, so that a long item costs little.
const MAX_NAME: usize = 256;

/// What `order` asks for; empty when absent or blank.
pub(crate) fn keys<'t>(args: &Arguments, table: &'t Table) -> Result<Vec<Key<'t>>, QueryError> {
    let texts = args.texts("order")?.unwrap_or_default();
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    for text in &texts {
        let items = split(text, ',').map_err(|_| {
            QueryError::grammar(format!("order: {} has a double quote that is not closed.", show(text)))
        })?;
        for item in items {
            if item.trim().is_empty() {
                return Err(QueryError::grammar(format!("order: {} has an empty item.", show(text)))
                    .with_hint("Write columns with one comma between them."));
            }
            keys.push(key(item.trim(), table)?);
        }
    }
    Ok(keys)
}

fn key<'t>(item: &str, table: &'t Table) -> Result<Key<'t>, QueryError> {
    let (column, words) = column(item, table)?;
    if matches!(column.base_oid, oid::JSON | oid::XML) {
        return Err(QueryError::operator(format!(
            "order: {} is of type {}, which Postgres cannot sort.",
            show(&column.name),
            column.type_name()
        ))
        .with_hint("Order by another column."));
    }
    let mut key = Key { column, descending: None, nulls_first: None };
    let mut words = words.split(|c: char| c == '.' || c.is_whitespace()).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let lower = word.to_ascii_lowercase();
        let before = match lower.as_str() {
            "asc" => key.descending.replace(false),
            "desc" => key.descending.replace(true),
            "nullsfirst" => key.nulls_first.replace(true),
            "nullslast" => key.nulls_first.replace(false),
            "nulls" => match words.next().map(str::to_ascii_lowercase).as_deref() {
                Some("first") => key.nulls_first.replace(true),
                Some("last") => key.nulls_first.replace(false),
                _ => return Err(unknown_word(item, "nulls", column)),
            },
            _ => return Err(unknown_word(item, word, column)),
        };
        if before.is_some() {
            return Err(QueryError::grammar(format!("order: {} says two directions.", show(item)))
                .with_hint(example(column)));
        }
    }
    Ok(key)
}

/// The column at the begin of an item, and the words after it. A plain name is the longest one that is a column.
fn column<'t, 'i>(item: &'i str, table: &'t Table) -> Result<(&'t Column, &'i str), QueryError> {
    let is_end = |c: char| c == '.' || c.is_whitespace();
    if item.starts_with('"') {
        // The closing quote is the last one: no word after it holds a quote.
        let end = item.rfind('"').map_or(0, |index| index + 1);
        let (quoted, words) = item.split_at(end);
        let Some(name) = unquote(quoted).filter(|_| words.is_empty() || words.starts_with(is_end)) else {
            return Err(QueryError::grammar(format!(
                "order: {} has a double quote inside a name.",
                show(item)
            ))
            .with_hint("A name is plain or wholly in double quotes, then .asc or .desc."));
        };
        return table
            .readable(&name)
            .map(|column| (column, words))
            .ok_or_else(|| table.unknown_readable("order", &name));
    }
    let ends = item.char_indices().filter(|(_, c)| is_end(*c)).map(|(index, _)| index);
    let ends: Vec<usize> = ends.take_while(|end| *end <= MAX_NAME).chain([item.len()]).collect();
    for end in ends.iter().rev() {
        if let Some(column) = table.readable(&item[..*end]) {
            return Ok((column, &item[*end..]));
        }
    }
    let name = &item[..ends[0]];
    if let Some(column) = item.strip_prefix('-').and_then(|name| table.readable(name)) {
        return Err(QueryError::grammar(format!("order: {} has no direction.", show(item)))
            .with_hint(format!("Write {}.", show(&format!("{}.desc", column.name)))));
    }
    Err(table.unknown_readable("order", name))
}

fn unknown_word(item: &str, word: &str, column: &Column) -> QueryError {
    QueryError::grammar(format!("order: {} has {}, which is no direction.", show(item), show(word)))
        .with_hint(example(column))
}

fn example(column: &Column) -> String {
    format!(
        "Write {} or {}.",
        show(&format!("{}.desc", column.name)),
        show(&format!("{}.asc.nullsfirst", column.name))
    )
}

/// Appends ` ORDER BY …`, by the table's columns and not by what is made of them for output.
pub(crate) fn write(sql: &mut String, keys: &[Key<'_>]) {
    for (index, key) in keys.iter().enumerate() {
        sql.push_str(if index == 0 { " ORDER BY " } else { ", " });
        push_column(sql, key.column);
        if key.descending == Some(true) {
            sql.push_str(" DESC");
        }
        match key.nulls_first {
            Some(true) => sql.push_str(" NULLS FIRST"),
            Some(false) => sql.push_str(" NULLS LAST"),
            None => {}
        }
    }
}
