//! Three filters that can be asked of a table as they stand, whatever its rows are: they show a model how a filter is written
//! for the types that this table has.
//!
//! Invariant: a sample is accepted and raises no error; whether rows fit it is not known. Values are fixed, never taken from
//! rows.

use fluxbase_query::Column;
use serde_json::{Value, json};

use crate::catalog::{ColumnAbout, Described};

const SAMPLES: usize = 3;

/// What a column shows, in the order in which kinds are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Label,
    Text,
    Time,
    Number,
    Truth,
    Json,
}

const KINDS: [Kind; 6] = [Kind::Label, Kind::Text, Kind::Time, Kind::Number, Kind::Truth, Kind::Json];

/// Three filters, of as many kinds as there are; none when no column is readable.
pub fn filters(described: &Described) -> Vec<Value> {
    let columns: Vec<(&Column, Option<Kind>)> = described
        .table
        .columns
        .iter()
        .zip(&described.about.columns)
        .filter(|(column, _)| column.select)
        .map(|(column, about)| (column, kind(column, about)))
        .collect();
    let is_key = |column: &Column| described.table.key.contains(&column.name);
    let mut chosen: Vec<(&Column, Value)> = Vec::new();
    // One of each kind; a key is the least telling column of its kind.
    for wanted in KINDS {
        let fitting = || columns.iter().filter(|(_, kind)| *kind == Some(wanted)).map(|(column, _)| *column);
        if let Some(column) = fitting().find(|column| !is_key(column)).or_else(|| fitting().next()) {
            chosen.push((column, sample(column, wanted)));
        }
    }
    let used = |chosen: &[(&Column, Value)], column: &Column| {
        chosen.iter().any(|(other, _)| std::ptr::eq(*other, column))
    };
    if let Some((column, _)) = columns.iter().find(|(column, _)| !column.not_null && !used(&chosen, column)) {
        chosen.push((column, test(column, "is.null")));
    }
    for (column, kind) in &columns {
        if let Some(kind) = kind
            && !used(&chosen, column)
        {
            chosen.push((column, sample(column, *kind)));
        }
    }
    for condition in ["is.null", "isnot.null", "not.is.null"] {
        for (column, _) in &columns {
            let filter = test(column, condition);
            if chosen.len() < SAMPLES && chosen.iter().all(|(_, other)| *other != filter) {
                chosen.push((column, filter));
            }
        }
    }
    chosen.into_iter().take(SAMPLES).map(|(_, filter)| filter).collect()
}

fn kind(column: &Column, about: &ColumnAbout) -> Option<Kind> {
    // Built-in types by their oids, which never change; other types may lack the operators.
    match column.base_oid {
        25 | 1042 | 1043 if about.like => Some(Kind::Text),
        1082 | 1114 | 1184 => Some(Kind::Time),
        20 | 21 | 23 | 700 | 701 | 1700 => Some(Kind::Number),
        16 => Some(Kind::Truth),
        114 | 3802 => Some(Kind::Json),
        _ if column.category == 'E' && !column.enum_labels.is_empty() => Some(Kind::Label),
        _ => None,
    }
}

fn sample(column: &Column, kind: Kind) -> Value {
    match kind {
        Kind::Label => {
            let label = column.enum_labels.first().map_or("", String::as_str);
            let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if plain { test(column, &format!("eq.{label}")) } else { json!({ key(column): { "eq": label } }) }
        }
        Kind::Text => test(column, "ilike.%a%"),
        Kind::Time => test(column, "gte.2026-01-01"),
        Kind::Number => json!({ key(column): { "gte": 10 } }),
        Kind::Truth => json!({ key(column): true }),
        Kind::Json => {
            let name = &column.name;
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let name = if plain { name.clone() } else { quoted(name) };
            json!({ format!("{name}->a"): "isnot.null" })
        }
    }
}

fn test(column: &Column, condition: &str) -> Value {
    json!({ key(column): condition })
}

/// The column as a key of a filter: its own name wins over any other reading, but for the words of groups.
fn key(column: &Column) -> String {
    if matches!(column.name.as_str(), "and" | "or" | "not") {
        quoted(&column.name)
    } else {
        column.name.clone()
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
