//! Paging by key: an opaque cursor that says after which row to go on.
//!
//! A cursor is base64url of a JSON list: a digest of the question, then the text of the sort keys of the last row that was
//! shown. It is treated as a filter that anybody may have written: its values are parameters read by their types' input
//! functions, and they only narrow what the question finds. The digest keeps a cursor from being used with another question by
//! mistake; it is no signature.
//!
//! With a unique key at the end of the order every row has one place, so rows that come or go between two pages shift nothing.
//! This module does NOT decide which order pages well: see [`total_order`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{QueryError, place};
use crate::operator::Operator;
use crate::order::Key;
use crate::statement::{Builder, Param, Values};
use crate::table::{Column, Table};

/// What a next cursor is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyset {
    /// Of the table and the SQL, to which the values of the parameters are added.
    question: u64,
    /// How many of the statement's parameters the question has.
    params: usize,
    digest: u64,
    /// How many sort keys there are.
    keys: usize,
}

impl Keyset {
    /// The keyset of the question that `sql` and `params` ask: its table, filter and order.
    pub(crate) fn new(table: &Table, sql: &str, params: &[Param], keys: usize) -> Keyset {
        let mut digest = Fnv::default();
        digest.part(&table.schema);
        digest.part(&table.name);
        digest.part(sql);
        let keyset = Keyset { question: digest.0, params: params.len(), digest: 0, keys };
        keyset.of(Values::own(params))
    }

    /// The keyset of the same question with other values.
    pub fn of(&self, values: Values<'_>) -> Keyset {
        let mut digest = Fnv(self.question);
        for (_, value) in values.iter().take(self.params) {
            digest.part(value.unwrap_or("\0"));
        }
        Keyset { digest: digest.0, ..self.clone() }
    }

    /// The cursor after the row whose sort keys have these texts.
    pub fn cursor(&self, last: &[Option<String>]) -> String {
        let digest = format!("{:016x}", self.digest);
        // A list of texts and nulls always serializes.
        let json = serde_json::to_vec(&(digest, last)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    /// The texts of the sort keys in a cursor that was given.
    pub(crate) fn read(&self, cursor: &str) -> Result<Vec<Option<String>>, QueryError> {
        let fail = |why: &str| {
            QueryError::argument(format!("cursor: {why}.")).with_hint(
                "Give next_cursor of the page before with the same table, filter and order, or leave it out.",
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor.trim()).map_err(|_| fail("is not a cursor of ours"))?;
        let (digest, values): (String, Vec<Option<String>>) =
            serde_json::from_slice(&bytes).map_err(|_| fail("is not a cursor of ours"))?;
        if digest != format!("{:016x}", self.digest) {
            return Err(fail("belongs to another question"));
        }
        if values.len() != self.keys {
            return Err(fail("is not a cursor of ours"));
        }
        if values.iter().flatten().any(|value| value.contains('\0')) {
            return Err(QueryError::nul("cursor"));
        }
        Ok(values)
    }
}

/// 64-bit FNV-1a: the same on every machine and in every version.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn part(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Appends the table's key to the order, so that no two rows have the same place. False when the table has no key that the caller
/// may read.
pub(crate) fn total_order<'t>(keys: &mut Vec<Key<'t>>, table: &'t Table) -> bool {
    let columns: Option<Vec<&Column>> = table.key.iter().map(|name| table.readable(name)).collect();
    let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { return false };
    for column in columns {
        if !keys.iter().any(|key| key.is_plain(&column.name)) {
            keys.push(Key::plain(column));
        }
    }
    true
}

/// Appends the condition that a row comes after the one whose sort keys are `values`. `sorted` has each key and its SQL.
pub(crate) fn write_after(builder: &mut Builder, sorted: &[(&Key<'_>, String)], values: &[Option<String>]) {
    let same_way = sorted.iter().all(|(key, _)| {
        key.is_not_null()
            && key.descending == sorted[0].0.descending
            && key.facts().is_some_and(|facts| !facts.has_own_operators())
    });
    if same_way && values.iter().all(Option::is_some) {
        // One comparison of rows, which an index over the keys answers at once.
        builder.sql.push('(');
        builder.sql.push_str(&sorted.iter().map(|(_, sql)| sql.as_str()).collect::<Vec<_>>().join(", "));
        builder.sql.push_str(if sorted[0].0.descending {
            ") OPERATOR(pg_catalog.<) ("
        } else {
            ") OPERATOR(pg_catalog.>) ("
        });
        for (index, ((key, _), value)) in sorted.iter().zip(values).enumerate() {
            if index > 0 {
                builder.sql.push_str(", ");
            }
            bind(builder, key, value);
        }
        builder.sql.push(')');
        return;
    }
    let mut open = 0;
    for (index, ((key, sql), value)) in sorted.iter().zip(values).enumerate() {
        let last = index + 1 == sorted.len();
        builder.sql.push('(');
        let some = write_beyond(builder, key, sql, value);
        if last {
            if !some {
                builder.sql.push_str("false");
            }
        } else {
            builder.sql.push_str(if some { " OR (" } else { "(" });
            builder.sql.push_str(sql);
            match value {
                None => write_null(builder, key, false),
                Some(_) => compare(builder, key, Operator::Eq, value),
            }
            builder.sql.push_str(" AND ");
            open += 1;
        }
    }
    builder.sql.push(')');
    builder.sql.push_str(&"))".repeat(open));
}

/// Appends that a key lies beyond `value`; false, and nothing, when nothing can.
fn write_beyond(builder: &mut Builder, key: &Key<'_>, sql: &str, value: &Option<String>) -> bool {
    match (value, key.has_nulls_first()) {
        (None, true) => {
            builder.sql.push_str(sql);
            write_null(builder, key, true);
        }
        (None, false) => return false,
        (Some(_), nulls_first) => {
            builder.sql.push_str(sql);
            compare(builder, key, if key.descending { Operator::Lt } else { Operator::Gt }, value);
            if !nulls_first && !key.is_not_null() {
                builder.sql.push_str(" OR ");
                builder.sql.push_str(sql);
                write_null(builder, key, false);
            }
        }
    }
    true
}

/// Appends the question whether a key is NULL, or not. Of a row type IS NULL would ask whether all its fields are.
fn write_null(builder: &mut Builder, key: &Key<'_>, negated: bool) {
    let is_composite = key.facts().is_some_and(|facts| facts.is_composite);
    builder.sql.push_str(match (is_composite, negated) {
        (false, false) => " IS NULL",
        (false, true) => " IS NOT NULL",
        (true, false) => " IS NOT DISTINCT FROM NULL",
        (true, true) => " IS DISTINCT FROM NULL",
    });
}

fn compare(builder: &mut Builder, key: &Key<'_>, operator: Operator, value: &Option<String>) {
    if let Some(facts) = key.facts() {
        builder.sql.push(' ');
        operator.write(&mut builder.sql, facts);
        builder.sql.push(' ');
        bind(builder, key, value);
    }
}

fn bind(builder: &mut Builder, key: &Key<'_>, value: &Option<String>) {
    if let Some(facts) = key.facts() {
        builder.bind(facts.comparison_oid(), value.clone(), || place("cursor", &facts.name));
    }
}
