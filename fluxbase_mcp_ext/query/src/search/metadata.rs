//! `metadata_filter` and `tags` as filters in the table grammar.

use serde_json::value::RawValue;

use crate::error::{QueryError, place, show};
use crate::json::{Json, elements, members};
use crate::operator::Written;
use crate::table::{Column, Table};

/// `{"lang": "eq.en"}` to a filter of paths into the column: numbers and booleans compare as JSON, all else as text.
pub(super) fn metadata_filter(
    raw: &RawValue,
    metadata: Option<&Column>,
    table: &Table,
) -> Result<Box<RawValue>, QueryError> {
    let at = "metadata_filter";
    let Some(column) = metadata else {
        return Err(QueryError::argument(format!("{at}: {} has no column of metadata.", table.shown()))
            .with_hint("Use filter, which takes every column."));
    };
    let Json::Object(object) = Json::read(raw, at)? else {
        return Err(QueryError::argument(format!("{at}: must be an object."))
            .with_hint("Write {\"metadata_filter\":{\"lang\":\"eq.en\",\"year\":{\"gte\":2020}}}."));
    };
    let members = members(object, at)?;
    let mut filter = Vec::with_capacity(members.len());
    for (key, value) in &members {
        let place = place(at, key);
        if let Json::String(text) = Json::read(value, &place)?
            && Written::read(&text, &place)?.is_none()
        {
            return Err(QueryError::grammar(format!("{place}: {} has no operator.", show(&text))).with_hint(
                format!(
                    "Write {{{0}:{1}}} or {{{0}:{{\"eq\":{2}}}}}.",
                    show(key),
                    show(&format!("eq.{text}")),
                    show(&text)
                ),
            ));
        }
        let path = format!("{}{}{}", quoted(&column.name), arrow(value, at)?, quoted(key));
        filter.push((path, value.get()));
    }
    Ok(object_of(&filter))
}

/// Whether a condition compares numbers or booleans, which JSON keeps apart from text.
fn arrow(value: &RawValue, at: &str) -> Result<&'static str, QueryError> {
    let plain = |raw: &RawValue| -> Result<bool, QueryError> {
        Ok(matches!(Json::read(raw, at)?, Json::Number(_) | Json::Bool(_)))
    };
    let numeric = match Json::read(value, at)? {
        Json::Object(operators) => {
            let mut all = !members(operators, at)?.is_empty();
            for (_, operand) in members(operators, at)? {
                all &= match Json::read(operand, at)? {
                    Json::Array(list) => {
                        let mut each = true;
                        for element in elements(list, at)? {
                            each &= plain(element)?;
                        }
                        each
                    }
                    _ => plain(operand)?,
                };
            }
            all
        }
        _ => plain(value)?,
    };
    Ok(if numeric { "->" } else { "->>" })
}

/// All of the tags.
pub(super) fn tags_filter(
    tags: &[String],
    column: Option<&Column>,
    table: &Table,
) -> Result<Box<RawValue>, QueryError> {
    let Some(column) = column else {
        return Err(QueryError::argument(format!("tags: {} has no column of tags.", table.shown()))
            .with_hint("Use filter, which takes every column."));
    };
    let all = serde_json::json!({ "cs": tags }).to_string();
    Ok(object_of(&[(quoted(&column.name), &all)]))
}

/// A name, or a step of a path, as the grammar of filters takes it whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An object of JSON texts, which stay as they were written.
fn object_of(members: &[(String, &str)]) -> Box<RawValue> {
    let members: Vec<String> = members
        .iter()
        .map(|(key, value)| format!("{}:{value}", serde_json::Value::from(key.as_str())))
        .collect();
    // Keys are strings and values JSON, so this is JSON.
    RawValue::from_string(format!("{{{}}}", members.join(","))).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
