//! The shape of a call: its arguments with the values of plain comparisons cut out, so that a plan can be found again for other values.
//!
//! ```text
//! {"table":"users","filter":{"tenant_id":"eq.17"},"limit":10}
//! {"table":"users","filter":{"tenant_id":"eq.␁"},"limit":10}      the key; ["17"] are the values
//! ```
//!
//! Cut out is the text after `eq.`, `neq.`, `gt.`, `gte.`, `lt.` and `lte.` in a member of the top level of `filter`, unless it has an escape or
//! is `null`. The grammar of those says that the value is the rest of the string and that nothing in it is special, so all that it
//! decides is the text of one parameter. Everything else stands in the key as it was written, blanks included.
//!
//! Invariants: two calls with the same key differ in cut values only (a mark is a control character, which no JSON has outside of an
//! escape); what is planned from the key and the values is what planning the arguments gives, or nothing (`tests/shape.rs` holds both against each
//! other). This module does NOT keep plans: whoever does also knows when they grow stale.

use crate::error::place;
use crate::read::Select;
use crate::statement::Values;
use crate::table::oid;

/// What stands for a value.
const MARK: char = '\u{1}';
/// Longer arguments were written by a program, and hardly come again.
const LONGEST: usize = 2048;

const CUT: [&str; 6] = ["eq.", "neq.", "gt.", "gte.", "lt.", "lte."];

/// The shape of one call's arguments.
#[derive(Debug)]
pub struct Shape<'a> {
    key: String,
    /// The member of `filter` and the value, in the order of the call.
    cut: Vec<(&'a str, &'a str)>,
}

/// Where a value is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The arguments themselves.
    Top,
    /// The object of `filter`.
    Filter,
    Elsewhere,
}

impl<'a> Shape<'a> {
    /// The shape of `raw`, the valid JSON text of an object. `None` for what is not worth it: the arguments are long, or a name has an escape.
    /// `who` comes before the key: whatever else the plan hangs on.
    pub fn of(who: &str, raw: &'a str) -> Option<Shape<'a>> {
        if raw.len() > LONGEST || !raw.starts_with('{') {
            return None;
        }
        let mut key = String::with_capacity(who.len() + raw.len());
        key.push_str(who);
        let mut cut = Vec::new();
        let bytes = raw.as_bytes();
        let (mut at, mut copied, mut depth) = (0, 0, 0_usize);
        // The last string that may be a name, and whether a value comes next.
        let (mut name, mut value) = ("", false);
        let mut inside = Place::Elsewhere;
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    let begin = at + 1;
                    let end = end_of_string(bytes, begin)?;
                    let text = &raw[begin..end];
                    at = end + 1;
                    if !value {
                        // A name with an escape may be that of another one.
                        if depth <= 2 && text.contains('\\') {
                            return None;
                        }
                        name = text;
                    } else if inside == Place::Filter && depth == 2 {
                        if let Some(operand) = operand(text) {
                            key.push_str(&raw[copied..end - operand.len()]);
                            key.push(MARK);
                            copied = end;
                            cut.push((name, operand));
                        }
                        value = false;
                    }
                    continue;
                }
                b':' => value = true,
                b',' => value = false,
                b'{' => {
                    inside = match depth {
                        0 => Place::Top,
                        1 if value && name == "filter" => Place::Filter,
                        1 => Place::Elsewhere,
                        _ => inside,
                    };
                    depth += 1;
                    value = false;
                }
                b'[' => {
                    if depth == 1 {
                        inside = Place::Elsewhere;
                    }
                    depth += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 1 {
                        inside = Place::Top;
                    }
                    value = false;
                }
                _ => {}
            }
            at += 1;
        }
        key.push_str(&raw[copied..]);
        Some(Shape { key, cut })
    }

    /// Equal for calls that differ in cut values only.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The values that were cut out.
    pub fn values(&self) -> Vec<&'a str> {
        self.cut.iter().map(|(_, value)| *value).collect()
    }
}

/// What a string compares with, if that is all that it says.
fn operand(text: &str) -> Option<&str> {
    let dot = text.as_bytes().iter().take(4).position(|byte| *byte == b'.')?;
    let (operator, value) = text.split_at(dot + 1);
    (CUT.contains(&operator) && !value.contains('\\') && !value.eq_ignore_ascii_case("null")).then_some(value)
}

/// Where the string that begins before `at` has its last quote.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// A plan for one call, or for every call of one shape.
#[derive(Debug)]
pub struct Kept {
    select: Select,
    /// For each parameter which of the cut values it has; `None`: its own. Without a list the plan is good for its own call only.
    cut: Option<Vec<Option<usize>>>,
}

impl Kept {
    /// What the arguments of `shape` were planned to.
    pub fn new(shape: Option<&Shape<'_>>, select: Select) -> Kept {
        let cut = shape.and_then(|shape| shape.parameters(&select));
        Kept { select, cut }
    }

    /// Whether every call of the shape may use it: the values that were cut out are parameters and nothing else.
    pub fn is_for_all(&self) -> bool {
        self.cut.is_some()
    }

    /// The plan, with the values of the call that it was made for in its parameters and its keyset.
    pub fn select(&self) -> &Select {
        &self.select
    }

    /// The parameters with the values of another call.
    pub fn values<'k>(&'k self, values: &'k [&'k str]) -> Values<'k> {
        let cut = self.cut.as_deref().unwrap_or_default();
        Values { params: &self.select.statement.params, cut, values }
    }
}

impl Shape<'_> {
    /// For each parameter which of the values it has. `None` when a value may have become anything else.
    fn parameters(&self, select: &Select) -> Option<Vec<Option<usize>>> {
        // A total has a statement of its own.
        if select.count.is_some() {
            return None;
        }
        let places: Vec<String> = self.cut.iter().map(|(name, _)| place("filter", name)).collect();
        let (mut cut, mut next) = (Vec::with_capacity(select.statement.params.len()), 0);
        for param in &select.statement.params {
            let is_next = places.get(next) == Some(&param.place);
            if !is_next {
                if places.contains(&param.place) {
                    return None;
                }
                cut.push(None);
                continue;
            }
            // Of these types the text is looked at, or changed, before it becomes a parameter.
            if matches!(param.type_oid, oid::BYTEA | oid::JSON | oid::JSONB)
                || param.value.as_deref() != Some(self.cut[next].1)
            {
                return None;
            }
            cut.push(Some(next));
            next += 1;
        }
        (next == places.len()).then_some(cut)
    }
}
