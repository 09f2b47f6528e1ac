//! Reading JSON one level at a time, without a tree.
//!
//! Values stay the raw text that the caller sent, so a number is never squeezed through a double. Keys of an object that is
//! read here must be unique: with two of them nobody knows which one was meant. This module does NOT look into values
//! that only pass through to a json column.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Fault, QueryError, place, show};

/// One JSON value, read one level deep.
#[derive(Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// Exactly as written.
    Number(&'a str),
    /// Unescaped, without \u0000.
    String(String),
    /// Raw text.
    Array(&'a RawValue),
    /// Raw text.
    Object(&'a RawValue),
}

impl<'a> Json<'a> {
    /// Reads one level. `at` is the place for messages.
    pub(crate) fn read(raw: &'a RawValue, at: &str) -> Result<Json<'a>, QueryError> {
        Ok(match raw.get().as_bytes().first() {
            Some(b'n') => Json::Null,
            Some(b't') => Json::Bool(true),
            Some(b'f') => Json::Bool(false),
            Some(b'"') => Json::String(string(raw, at)?),
            Some(b'[') => Json::Array(raw),
            Some(b'{') => Json::Object(raw),
            _ => Json::Number(raw.get()),
        })
    }

    /// "a string", "a list", … for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

fn string(raw: &RawValue, at: &str) -> Result<String, QueryError> {
    let text: String = serde_json::from_str(raw.get()).map_err(|error| not_json(at, &error))?;
    if text.contains('\0') {
        return Err(QueryError::nul(at));
    }
    Ok(text)
}

/// JSON text that goes to Postgres as it is: refused if a string in it holds \u0000, which jsonb cannot store and which
/// makes a json value that cannot be used.
pub(crate) fn without_nul(raw: &str, at: &str) -> Result<(), QueryError> {
    let bytes = raw.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        if bytes[index] != b'\\' {
            index += 1;
        } else if bytes[index + 1..].starts_with(b"u0000") {
            return Err(QueryError::nul(at));
        } else {
            index += 2;
        }
    }
    Ok(())
}

/// The members of an object in their order. Two equal keys are an error.
pub(crate) fn members<'a>(raw: &'a RawValue, at: &str) -> Result<Vec<(String, &'a RawValue)>, QueryError> {
    parse_members(raw.get(), at)
}

/// [`members`] of a text that must be an object.
pub(crate) fn parse_members<'a>(text: &'a str, at: &str) -> Result<Vec<(String, &'a RawValue)>, QueryError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Members).map_err(|error| not_json(at, &error))?;
    reader.end().map_err(|error| not_json(at, &error))?;
    if let Some(key) = duplicate(&members) {
        let message = format!("{at}: the key {} stands twice.", show(key));
        return Err(QueryError::DuplicateKey(Fault::new(message)).with_hint("Give each key once."));
    }
    if let Some((key, _)) = members.iter().find(|(key, _)| key.contains('\0')) {
        return Err(QueryError::nul(&place(at, key)));
    }
    Ok(members)
}

/// The elements of an array in their order.
pub(crate) fn elements<'a>(raw: &'a RawValue, at: &str) -> Result<Vec<&'a RawValue>, QueryError> {
    serde_json::Deserializer::from_str(raw.get())
        .deserialize_seq(Elements)
        .map_err(|error| not_json(at, &error))
}

fn not_json(at: &str, error: &serde_json::Error) -> QueryError {
    QueryError::NotJson(Fault::new(format!("{at}: this is not valid JSON: {error}.")))
}

/// Linear for the few keys of a real call, hashed for a hostile number of them.
fn duplicate<'a>(members: &'a [(String, &RawValue)]) -> Option<&'a str> {
    if members.len() <= 16 {
        return members.iter().enumerate().find_map(|(index, (key, _))| {
            members[..index].iter().any(|(earlier, _)| earlier == key).then_some(key.as_str())
        });
    }
    let mut seen = HashSet::with_capacity(members.len());
    members.iter().map(|(key, _)| key.as_str()).find(|key| !seen.insert(*key))
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(elements)
    }
}
