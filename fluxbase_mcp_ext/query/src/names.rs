//! Names: of tables as a caller writes them, quoted for SQL, and the nearest one to a misspelt one.
//!
//! Names are taken as they stand: nothing folds case, because the catalog keeps names exactly. This module does NOT look
//! anything up.

use std::borrow::Cow;
use std::fmt;

use crate::error::{QueryError, place, show};

/// A table as the caller named it, not yet looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// `None` when only a name was given.
    pub schema: Option<String>,
    /// Never empty.
    pub name: String,
}

impl TableName {
    /// Reads `name`, `schema.name`, `"odd.name"`, `"schema"."name"`; a double quote inside quotes is doubled.
    pub fn parse(text: &str) -> Result<TableName, QueryError> {
        let fail = |why: &str| {
            Err(QueryError::grammar(format!("table: {} {why}.", show(text))).with_hint(
                "Write name or schema.name; a part with a dot or a quote stands in double quotes.",
            ))
        };
        if text.contains('\0') {
            return Err(QueryError::nul("table"));
        }
        if text.trim().is_empty() {
            return fail("is empty");
        }
        let Ok(parts) = split(text.trim(), '.') else { return fail("has a double quote that is not closed") };
        let mut names = Vec::with_capacity(2);
        for part in parts {
            match unquote(part) {
                Some(name) if !name.is_empty() => names.push(name.into_owned()),
                Some(_) => return fail("has an empty part"),
                None => return fail("has a double quote in the middle of a part"),
            }
        }
        match <[String; 2]>::try_from(names) {
            Ok([schema, name]) => Ok(TableName { schema: Some(schema), name }),
            Err(mut names) if names.len() == 1 => Ok(TableName { schema: None, name: names.remove(0) }),
            Err(_) => fail("has more than two parts"),
        }
    }
}

/// As a message shows it.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", place("", schema))?;
        }
        f.write_str(&place("", &self.name))
    }
}

/// An SQL identifier: always in double quotes, inner double quotes doubled. The name must not hold \0; names from the
/// catalog cannot.
pub fn quote_ident(name: &str) -> String {
    let mut sql = String::with_capacity(name.len() + 2);
    push_ident(&mut sql, name);
    sql
}

/// [`quote_ident`] at the end of `sql`.
pub(crate) fn push_ident(sql: &mut String, name: &str) {
    sql.push('"');
    for (index, piece) in name.split('"').enumerate() {
        if index > 0 {
            sql.push_str("\"\"");
        }
        sql.push_str(piece);
    }
    sql.push('"');
}

/// A name as the grammars of this crate take it: plain where it may be, else in double quotes.
pub(crate) fn written(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { quote_ident(name) }
}

/// A double quote was opened and not closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclosed;

/// Splits at `separator` outside double quotes. Pieces are not trimmed and may be empty.
pub(crate) fn split(text: &str, separator: char) -> Result<Vec<&str>, Unclosed> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (index, c) in text.char_indices() {
        if c == '"' {
            // A doubled quote closes and opens again, which comes to the same.
            quoted = !quoted;
        } else if c == separator && !quoted {
            pieces.push(&text[start..index]);
            start = index + c.len_utf8();
        }
    }
    pieces.push(&text[start..]);
    if quoted { Err(Unclosed) } else { Ok(pieces) }
}

/// Splits at `separator` outside double quotes and parentheses. `None` when a quote or a parenthesis has no partner.
pub(crate) fn split_items(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut depth) = (0, false, 0_usize);
    for (index, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            c if c == separator && depth == 0 => {
                pieces.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    (!quoted && depth == 0).then_some(pieces)
}

/// A name that is plain or wholly in double quotes; `None` when a quote stands elsewhere.
pub(crate) fn unquote(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix('"') else {
        return (!text.contains('"')).then_some(Cow::Borrowed(text));
    };
    let inner = rest.strip_suffix('"')?;
    if !inner.contains('"') {
        return Some(Cow::Borrowed(inner));
    }
    // What is left after taking out the doubled quotes must hold no quote.
    (!inner.replace("\"\"", "").contains('"')).then(|| Cow::Owned(inner.replace("\"\"", "\"")))
}

/// Longer names are not compared: the work grows with the product of both lengths.
const COMPARED: usize = 64;

/// The candidate that the caller most likely meant, or `None` when nothing is near.
///
/// Near means an edit distance (insert, remove, change, swap neighbours; case does not count) of at most a third of the
/// name, or one name inside the other (four characters or more).
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(COMPARED + 1).flat_map(char::to_lowercase).collect();
    if wanted.is_empty() || wanted.len() > COMPARED {
        return None;
    }
    let allowed = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.chars().take(COMPARED + 1).flat_map(char::to_lowercase).collect();
        if other.is_empty() || other.len() > COMPARED {
            continue;
        }
        let gap = wanted.len().abs_diff(other.len());
        let rank = if gap <= allowed { distance(&wanted, &other) } else { usize::MAX };
        let rank = if rank <= allowed {
            rank
        } else if contains(&wanted, &other) || contains(&other, &wanted) {
            COMPARED + gap
        } else {
            continue;
        };
        if best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn contains(long: &[char], short: &[char]) -> bool {
    short.len() >= 4 && long.windows(short.len()).any(|window| window == short)
}

/// Optimal string alignment distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let change = last[j] + usize::from(a[i] != b[j]);
            row[j + 1] = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
