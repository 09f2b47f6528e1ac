//! A field: a column, or a path into one.
//!
//! ```text
//! field = column | column -> step [-> step …] [->> step]
//! step  = key | "key" | index       index: digits with an optional minus; in double quotes they are a key
//! ```
//!
//! An exact column name always wins over any reading as syntax. `->` gives jsonb, `->>` gives text. A column of type json is
//! read as jsonb; arrays and row types are read through to_jsonb. Steps are parameters, never part of the SQL text.
//!
//! This module does NOT say what may be done with a field: `operator`, `order` and `select` do.

use std::borrow::Cow;

use crate::error::{QueryError, show};
use crate::names::{push_ident, unquote};
use crate::statement::{Alias, Builder};
use crate::table::{Column, Table, oid};

/// A column or a path into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field<'t> {
    /// The column that is read.
    pub(crate) column: &'t Column,
    path: Vec<Step>,
    /// The facts of what comes out: the column's own, or those of jsonb or text under the path's name.
    facts: Cow<'t, Column>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(i32),
}

/// Deeper paths are refused.
const MAX_STEPS: usize = 32;

impl<'t> Field<'t> {
    /// The column itself.
    pub(crate) fn plain(column: &'t Column) -> Self {
        Field { column, path: Vec::new(), facts: Cow::Borrowed(column) }
    }

    /// Reads a field. `at` is the place for messages; an unknown column is an error with the nearest one.
    pub(crate) fn parse(text: &str, table: &'t Table, at: &str) -> Result<Self, QueryError> {
        let text = text.trim();
        if let Some(column) = table.readable(text) {
            return Ok(Field::plain(column));
        }
        let Some((name, path)) = split_path(text) else {
            let Some(name) = unquote(text) else {
                return Err(QueryError::grammar(format!(
                    "{at}: {} has a double quote inside a name.",
                    show(text)
                ))
                .with_hint("A name is plain or wholly in double quotes."));
            };
            return table.readable(&name).map(Field::plain).ok_or_else(|| table.unknown_readable(at, &name));
        };
        let Some(name) = unquote(name) else {
            return Err(QueryError::grammar(format!(
                "{at}: {} has a double quote inside a name.",
                show(text)
            ))
            .with_hint("A name is plain or wholly in double quotes."));
        };
        let column = table.readable(&name).ok_or_else(|| table.unknown_readable(at, &name))?;
        if !(column.is_json() || column.is_array() || column.is_composite) {
            return Err(QueryError::operator(format!(
                "{at}: {} is of type {}, which has no parts; -> reads json, jsonb, arrays and row types.",
                show(&name),
                column.type_name()
            ))
            .with_hint(format!("Write {} alone.", show(&name))));
        }
        let (steps, is_text) = steps(path, text, at)?;
        let facts = if is_text { Column::of_text(text) } else { Column::of_jsonb(text) };
        Ok(Field { column, path: steps, facts: Cow::Owned(facts) })
    }

    /// Type and name for operators, values and messages.
    pub(crate) fn facts(&self) -> &Column {
        &self.facts
    }

    /// Whether it is a path and not the column itself.
    pub(crate) fn is_path(&self) -> bool {
        !self.path.is_empty()
    }

    /// A path whose last step is `->>`: JSON as text.
    pub(crate) fn is_json_text(&self) -> bool {
        self.is_path() && self.facts.base_oid == oid::TEXT
    }

    /// The name in the output: the column's, or the path's last key.
    pub(crate) fn name(&self) -> &str {
        self.path
            .iter()
            .rev()
            .find_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .unwrap_or(&self.column.name)
    }

    /// Appends the expression.
    pub(crate) fn write(&self, builder: &mut Builder, alias: Alias) {
        if self.path.is_empty() {
            builder.column(alias, &self.column.name);
            return;
        }
        builder.sql.push('(');
        match self.column.base_oid {
            oid::JSONB => builder.column(alias, &self.column.name),
            oid::JSON => {
                builder.column(alias, &self.column.name);
                builder.sql.push_str("::pg_catalog.jsonb");
            }
            _ => {
                builder.sql.push_str("pg_catalog.to_jsonb(");
                builder.column(alias, &self.column.name);
                builder.sql.push(')');
            }
        }
        for (index, step) in self.path.iter().enumerate() {
            let last = index + 1 == self.path.len();
            let arrow = if last && self.is_json_text() { "->>" } else { "->" };
            builder.sql.push_str(" OPERATOR(pg_catalog.");
            builder.sql.push_str(arrow);
            builder.sql.push_str(") ");
            let place = || crate::error::place("", &self.column.name);
            match step {
                Step::Key(key) => builder.bind_shared(oid::TEXT, key.clone(), place),
                Step::Index(index) => builder.bind_shared(oid::INT4, index.to_string(), place),
            }
        }
        builder.sql.push(')');
    }
}

/// The name before the first arrow outside double quotes, and the rest from that arrow on.
fn split_path(text: &str) -> Option<(&str, &str)> {
    let at = find_arrow(text)?;
    Some((text[..at].trim_end(), &text[at..]))
}

/// Whether there is an arrow outside double quotes.
pub(crate) fn has_path(text: &str) -> bool {
    find_arrow(text).is_some()
}

fn find_arrow(text: &str) -> Option<usize> {
    let mut quoted = false;
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|&index| {
        if bytes[index] == b'"' {
            quoted = !quoted;
        }
        !quoted && bytes[index..].starts_with(b"->")
    })
}

fn steps(path: &str, whole: &str, at: &str) -> Result<(Vec<Step>, bool), QueryError> {
    let fail = |why: &str| {
        QueryError::grammar(format!("{at}: {} {why}.", show(whole))).with_hint(
            "Write column->key, column->0 for an element, and ->> before the last step to get text.",
        )
    };
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let is_text = rest.starts_with("->>");
        rest = &rest[if is_text { 3 } else { 2 }..];
        let end = find_arrow(rest).unwrap_or(rest.len());
        let (step, after) = rest.split_at(end);
        rest = after;
        if is_text && !rest.is_empty() {
            return Err(fail("goes on after ->>, which must come last"));
        }
        let step = step.trim();
        let key = unquote(step).ok_or_else(|| fail("has a double quote inside a step"))?;
        if key.is_empty() && !step.starts_with('"') {
            return Err(fail("has an empty step"));
        }
        // `doc->>a.descending` is a misspelt order rather than a key.
        if step.contains('.') && !step.starts_with('"') {
            return Err(fail("has a dot in a step, which stands in double quotes"));
        }
        if key.contains('\0') {
            return Err(QueryError::nul(at));
        }
        steps.push(match index(step) {
            Some(index) => Step::Index(index),
            None => Step::Key(key.into_owned()),
        });
        if steps.len() > MAX_STEPS {
            return Err(fail(&format!("has more than {MAX_STEPS} steps")));
        }
        if is_text {
            return Ok((steps, true));
        }
    }
    Ok((steps, false))
}

fn index(step: &str) -> Option<i32> {
    let digits = step.strip_prefix('-').unwrap_or(step);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| step.parse().ok()).flatten()
}

/// `alias."name"` at the end of a text.
pub(crate) fn push_column(sql: &mut String, alias: Alias, name: &str) {
    alias.write(sql);
    sql.push('.');
    push_ident(sql, name);
}
