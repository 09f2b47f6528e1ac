//! JSON values as the text that a Postgres input function reads.
//!
//! | Column | JSON that is accepted |
//! |---|---|
//! | json, jsonb | any JSON; a string is a JSON string; in data `null` is SQL NULL |
//! | array | a list, nested for more dimensions, with `null` for NULL; or a string with Postgres's array text `{a,b}` |
//! | row type | in data an object of its fields; or a string with Postgres's row text `(a,b)` |
//! | bytea | a string in base64 (white space is skipped), or `\x` and hex digits |
//! | everything else | a string, number or boolean: its text goes to the type's input function |
//! | types of extensions (category U: vector, geometry) | also a list or object: its JSON text goes to the input function |
//!
//! Numbers stay the text that the caller sent. This module does NOT check what an input function checks: whether
//! `"abc"` is a date is for Postgres to say.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::RawValue;

use crate::error::{Fault, QueryError, excerpt, place, show};
use crate::json::{Json, elements, members, without_nul};
use crate::names::nearest;
use crate::table::{Column, oid};

/// Postgres's MAXDIM.
const MAX_DIMENSIONS: usize = 6;

/// The value for a column in `data`: text for the input function of the column's type, `None` for NULL.
pub(crate) fn input(column: &Column, raw: &RawValue, at: &str) -> Result<Option<String>, QueryError> {
    text(column, Json::read(raw, at)?, raw, at)
}

/// The value that a column is compared with, in the object form of a condition. Never NULL: comparing with NULL is never
/// true, so `null` has been refused before.
pub(crate) fn operand(column: &Column, raw: &RawValue, at: &str) -> Result<String, QueryError> {
    text(column, Json::read(raw, at)?, raw, at)?
        .ok_or_else(|| QueryError::argument(format!("{at}: nothing compares with null.")))
}

/// The value that a column is compared with, in the string form of a condition: text for the input function.
pub(crate) fn operand_text(column: &Column, text: &str, at: &str) -> Result<String, QueryError> {
    match column.base_oid {
        oid::BYTEA => bytea(text, at),
        // The input function would refuse it with a message that names no place.
        oid::JSON | oid::JSONB => match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => without_nul(text, at).map(|()| text.to_owned()),
            Err(_) => Err(QueryError::mismatch(format!("{at}: {} is not JSON.", show(text)))
                .with_hint(format!("A text inside JSON stands in double quotes: {}.", show(&show(text))))),
        },
        _ => Ok(text.to_owned()),
    }
}

fn text(column: &Column, json: Json<'_>, raw: &RawValue, at: &str) -> Result<Option<String>, QueryError> {
    if column.is_array() {
        return match json {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(text)),
            Json::Array(_) if column.nested => Err(QueryError::mismatch(format!(
                "{at}: the elements of {} are arrays themselves, and a list does not say where each of them begins.",
                column.type_name()
            ))
            .with_hint("Write a string with Postgres's array text: \"{\\\"{1,2}\\\",\\\"{3}\\\"}\".")),
            Json::Array(list) => {
                let mut literal = String::with_capacity(list.get().len() + 16);
                array(&mut literal, column, list, 1, at)?;
                Ok(Some(literal))
            }
            other => Err(QueryError::mismatch(format!(
                "{at}: the column is an array ({}), not {}.",
                column.type_name(),
                other.kind()
            ))
            .with_hint(format!("Write a list: [{}].", excerpt(raw.get(), "…")))),
        };
    }
    scalar(column.base_oid, column.category, column, json, raw, at)
}

/// One value of the type `base` (the column's own, or its element's).
fn scalar(
    base: u32,
    category: char,
    column: &Column,
    json: Json<'_>,
    raw: &RawValue,
    at: &str,
) -> Result<Option<String>, QueryError> {
    if matches!(json, Json::Null) {
        return Ok(None);
    }
    if matches!(base, oid::JSON | oid::JSONB) {
        without_nul(raw.get(), at)?;
        return Ok(Some(raw.get().to_owned()));
    }
    match json {
        Json::Null => Ok(None),
        Json::String(text) if base == oid::BYTEA => bytea(&text, at).map(Some),
        Json::String(text) => Ok(Some(text)),
        Json::Bool(_) | Json::Number(_) if base == oid::BYTEA => {
            Err(QueryError::mismatch(format!("{at}: bytes are written as a string, not {}.", json.kind()))
                .with_hint("Write them in base64: \"aGVsbG8=\"."))
        }
        Json::Bool(value) => Ok(Some(if value { "true" } else { "false" }.to_owned())),
        Json::Number(text) => Ok(Some(text.to_owned())),
        Json::Object(object) if category == 'C' => row(column, object, at).map(Some),
        Json::Array(_) | Json::Object(_) if base >= oid::FIRST_USER && category == 'U' => {
            without_nul(raw.get(), at)?;
            Ok(Some(raw.get().to_owned()))
        }
        Json::Array(_) | Json::Object(_) => {
            let hint = if category == 'C' {
                "Write an object of its fields, or a string with Postgres's row text: \"(1,abc)\"."
            } else if category == 'R' {
                "Write a string with Postgres's range text: \"[1,10)\"."
            } else {
                "Write a string, a number or a boolean."
            };
            Err(QueryError::mismatch(format!(
                "{at}: {} does not fit a column of type {}.",
                json.kind(),
                column.type_name()
            ))
            .with_hint(hint))
        }
    }
}

/// The row text of a JSON object. Fields left out are NULL, as with a column; an unknown one is an error, not forgotten.
fn row(column: &Column, object: &RawValue, at: &str) -> Result<String, QueryError> {
    let entries = members(object, at)?;
    if let Some((name, _)) =
        entries.iter().find(|(name, _)| column.fields.iter().all(|field| field.name != *name))
    {
        let names = || column.fields.iter().map(|field| field.name.as_str());
        let mut hint = match nearest(name, names()) {
            Some(near) => format!("Did you mean {}? ", show(near)),
            None => String::new(),
        };
        match names().map(|name| place("", name)).collect::<Vec<_>>() {
            none if none.is_empty() => hint.push_str("It has none."),
            all => hint.push_str(&format!("Fields: {}.", all.join(", "))),
        }
        let message = format!("{at}: {} has no field {}.", column.type_name(), show(name));
        return Err(QueryError::UnknownColumn(Fault::new(message)).with_hint(hint));
    }
    let mut out = String::with_capacity(object.get().len() + 16);
    out.push('(');
    for (index, field) in column.fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let Some((name, raw)) = entries.iter().find(|(name, _)| *name == field.name) else { continue };
        let at = place(at, name);
        let Some(value) = text(field, Json::read(raw, &at)?, raw, &at)? else { continue };
        out.push('"');
        for c in value.chars() {
            if matches!(c, '"' | '\\') {
                out.push(c);
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push(')');
    Ok(out)
}

/// Appends the array text of a JSON list.
fn array(
    out: &mut String,
    column: &Column,
    list: &RawValue,
    depth: usize,
    at: &str,
) -> Result<(), QueryError> {
    if depth > MAX_DIMENSIONS {
        return Err(QueryError::mismatch(format!(
            "{at}: lists stand more than {MAX_DIMENSIONS} deep; Postgres's arrays have at most {MAX_DIMENSIONS} dimensions."
        )));
    }
    // A list inside a list is a further dimension, unless it is itself a JSON value of the array.
    let holds_json = matches!(column.element_oid, oid::JSON | oid::JSONB);
    out.push('{');
    for (index, raw) in elements(list, at)?.into_iter().enumerate() {
        if index > 0 {
            out.push(delimiter(column));
        }
        match Json::read(raw, at)? {
            Json::Array(inner) if !holds_json => array(out, column, inner, depth + 1, at)?,
            json => match scalar(column.element_oid, column.element_category, column, json, raw, at)? {
                Some(text) => push_element(out, &text),
                None => out.push_str("NULL"),
            },
        }
    }
    out.push('}');
    Ok(())
}

/// The array text of values, all of them present.
pub(crate) fn list_literal(column: &Column, values: &[String]) -> String {
    let mut out = String::with_capacity(values.iter().map(|value| value.len() + 3).sum::<usize>() + 2);
    out.push('{');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(delimiter(column));
        }
        push_element(&mut out, value);
    }
    out.push('}');
    out
}

fn delimiter(column: &Column) -> char {
    if column.delimiter == '\0' { ',' } else { column.delimiter }
}

/// Always in double quotes, so no text is taken for NULL, a brace or a delimiter.
fn push_element(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Base64 to Postgres's hex form. A backslash is no base64, so `\x…` is unmistakable and passes.
fn bytea(text: &str, at: &str) -> Result<String, QueryError> {
    if text.starts_with("\\x") {
        return Ok(text.to_owned());
    }
    let decoded = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        BASE64.decode(text.split_ascii_whitespace().collect::<String>())
    } else {
        BASE64.decode(text)
    };
    let bytes = decoded.map_err(|_| {
        QueryError::mismatch(format!("{at}: {} is not base64.", show(text)))
            .with_hint("Bytes are written in base64: \"aGVsbG8=\", or as hex: \"\\\\x68656c6c6f\".")
    })?;
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = String::with_capacity(2 + 2 * bytes.len());
    hex.push_str("\\x");
    for byte in bytes {
        hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
        hex.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    Ok(hex)
}
