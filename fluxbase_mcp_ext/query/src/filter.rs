//! The argument `filter` to a typed predicate, and the predicate to SQL.
//!
//! ```text
//! filter     = { column: condition, … }                 all of them hold
//! condition  = "op.value" | { op: value, … } | number | boolean | null
//! op         = eq neq gt gte lt lte like ilike is isnot in nin cs cd ov
//! is, isnot  : null, and on a boolean column true, false, unknown
//! in, nin    : a list in the object form; in the string form in.(1,2,"a, b"), with \ before " and \ inside quotes
//! ```
//!
//! - The operator ends at the first dot; the value is the rest, dots included, and nothing in it is special.
//! - In the string form the value is text for the type's input function; in the object form it is JSON ([`crate::value`]).
//! - Blanks around an item of `in.( … )` do not belong to it (PostgREST keeps them); quote an item to keep them.
//! - `%` and `_` are the wildcards of like and ilike; `*` is an ordinary character.
//! - The keys `and`, `or`, `not` are reserved for groups. A column of that name is written in double quotes inside the key.
//! - SQL's NULL: neq and nin do not find rows where the column is NULL.
//!
//! This module does NOT decide whether a filter is required; the statement does.

use serde_json::value::RawValue;

use crate::error::{QueryError, excerpt, place, show};
use crate::json::{Json, elements, members};
use crate::names::{push_ident, unquote};
use crate::operator::{self, Operator};
use crate::statement::Builder;
use crate::table::{Column, Table, oid};
use crate::value::{list_literal, operand, operand_text};

/// What must be true of a row. Columns are resolved, values are text for an input function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Predicate<'t> {
    /// Every one of them; true when empty.
    All(Vec<Predicate<'t>>),
    /// column operator value.
    Compare { column: &'t Column, operator: Operator, value: String },
    /// The column's text is like a pattern.
    Like { column: &'t Column, operator: Operator, pattern: String },
    /// The column is one (`In`) or none (`Nin`) of the values.
    Among { column: &'t Column, operator: Operator, values: Vec<String> },
    /// IS or IS NOT.
    Is { column: &'t Column, negated: bool, state: State },
}

/// What `is` can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Null,
    True,
    False,
    Unknown,
}

impl<'t> Predicate<'t> {
    /// Reads a filter object. An empty one is true of every row.
    pub(crate) fn parse(raw: &RawValue, table: &'t Table) -> Result<Predicate<'t>, QueryError> {
        let json = Json::read(raw, "filter")?;
        let Json::Object(object) = json else {
            return Err(QueryError::argument(format!("filter: must be an object, not {}.", json.kind()))
                .with_hint(
                    "Write {\"filter\":{\"id\":\"eq.5\"}}, an object of columns with their conditions.",
                ));
        };
        let entries = members(object, "filter")?;
        let mut all = Vec::with_capacity(entries.len());
        for (key, raw) in &entries {
            let column = resolve(table, key)?;
            Reader { column, at: place("filter", &column.name) }.condition(raw, &mut all)?;
        }
        Ok(Predicate::All(all))
    }

    /// True of every row, whatever is in it.
    pub(crate) fn is_always_true(&self) -> bool {
        match self {
            Predicate::All(all) => all.iter().all(Predicate::is_always_true),
            Predicate::Among { operator: Operator::Nin, values, .. } => values.is_empty(),
            _ => false,
        }
    }

    /// Appends the predicate, an expression that AND may join.
    pub(crate) fn write(self, builder: &mut Builder) {
        match self {
            Predicate::All(all) if all.is_empty() => builder.sql.push_str("true"),
            Predicate::All(all) => {
                for (index, predicate) in all.into_iter().enumerate() {
                    if index > 0 {
                        builder.sql.push_str(" AND ");
                    }
                    predicate.write(builder);
                }
            }
            Predicate::Compare { column, operator, value } => {
                push_column(&mut builder.sql, column);
                builder.sql.push(' ');
                operator.write(&mut builder.sql, column);
                builder.sql.push(' ');
                builder.bind(column.comparison_oid(), value, || place("filter", &column.name));
            }
            Predicate::Like { column, operator, pattern } => {
                push_column(&mut builder.sql, column);
                if column.category == 'S' {
                    builder.sql.push(' ');
                    operator.write(&mut builder.sql, column);
                } else {
                    builder.sql.push_str("::pg_catalog.text ");
                    operator.write(&mut builder.sql, &Column::default());
                }
                builder.sql.push(' ');
                builder.bind(oid::TEXT, pattern, || place("filter", &column.name));
            }
            Predicate::Among { operator, values, .. } if values.is_empty() => {
                builder.sql.push_str(if operator == Operator::In { "false" } else { "true" });
            }
            Predicate::Among { column, operator, values } => {
                push_column(&mut builder.sql, column);
                builder.sql.push(' ');
                operator.write(&mut builder.sql, column);
                builder.sql.push_str(if operator == Operator::In { " ANY (" } else { " ALL (" });
                builder.bind(column.comparison_array_oid(), list_literal(column, &values), || {
                    place("filter", &column.name)
                });
                builder.sql.push(')');
            }
            Predicate::Is { column, negated, state: State::Null } if column.is_composite => {
                // IS NULL asks whether every field is null, and IS NOT NULL whether none is.
                push_column(&mut builder.sql, column);
                builder.sql.push_str(if negated {
                    " IS DISTINCT FROM NULL"
                } else {
                    " IS NOT DISTINCT FROM NULL"
                });
            }
            Predicate::Is { column, negated, state } => {
                push_column(&mut builder.sql, column);
                builder.sql.push_str(if negated { " IS NOT " } else { " IS " });
                builder.sql.push_str(match state {
                    State::Null => "NULL",
                    State::True => "TRUE",
                    State::False => "FALSE",
                    State::Unknown => "UNKNOWN",
                });
            }
        }
    }
}

/// `t."name"`.
pub(crate) fn push_column(sql: &mut String, column: &Column) {
    sql.push_str("t.");
    push_ident(sql, &column.name);
}

/// The column that a key means: its name, or its name in double quotes.
fn resolve<'t>(table: &'t Table, key: &str) -> Result<&'t Column, QueryError> {
    if matches!(key, "and" | "or" | "not") {
        return Err(QueryError::grammar(format!("filter.{key}: groups of conditions are not supported."))
            .with_hint(format!(
                "All conditions of a filter must hold; for alternatives of one column use in. A column named {key} is \
                 written {{\"\\\"{key}\\\"\":\"eq.1\"}}."
            )));
    }
    if let Some(column) = table.readable(key) {
        return Ok(column);
    }
    let unquoted = (key.len() > 2 && key.starts_with('"')).then(|| unquote(key)).flatten();
    let name = unquoted.as_deref().unwrap_or(key);
    table.readable(name).ok_or_else(|| table.unknown_readable(&place("filter", name), name))
}

/// Reads the conditions of one column.
struct Reader<'t> {
    column: &'t Column,
    at: String,
}

impl<'t> Reader<'t> {
    fn condition(&self, raw: &RawValue, all: &mut Vec<Predicate<'t>>) -> Result<(), QueryError> {
        let json = Json::read(raw, &self.at)?;
        match json {
            Json::String(text) => all.push(self.string_form(&text)?),
            Json::Number(_) | Json::Bool(_) => all.push(self.object_form(Operator::Eq, raw, &self.at)?),
            Json::Null => all.push(self.is(Operator::Is, State::Null)),
            Json::Object(object) => {
                let entries = members(object, &self.at)?;
                if entries.is_empty() {
                    return Err(QueryError::grammar(format!("{}: the condition is empty.", self.at))
                        .with_hint(format!("Write {}.", self.in_object("eq", "…"))));
                }
                for (name, value) in &entries {
                    let Some(operator) = Operator::parse(name) else {
                        let error = operator::unknown(&self.at, name);
                        return Err(if self.column.is_json() {
                            let example = excerpt(raw.get(), "{…}");
                            error.with_hint(format!(
                                "{} To compare with a JSON object write {}.",
                                operator::suggest(name),
                                self.in_object("eq", example)
                            ))
                        } else {
                            error
                        });
                    };
                    all.push(self.object_form(operator, value, &place(&self.at, name))?);
                }
            }
            Json::Array(list) => return Err(self.list_without_in(&self.at, list)),
        }
        Ok(())
    }

    /// `op.value`.
    fn string_form(&self, text: &str) -> Result<Predicate<'t>, QueryError> {
        let at = &self.at;
        let Some((name, value)) = text.split_once('.') else {
            return Err(QueryError::grammar(format!("{at}: {} has no operator.", show(text)))
                .with_hint(self.both_forms(text)));
        };
        let Some(operator) = Operator::parse(name) else {
            let looks_like_one = !name.is_empty()
                && name.len() <= 12
                && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
            return Err(if looks_like_one {
                QueryError::operator(format!(
                    "{at}: {} begins with {name}, which is not an operator.",
                    show(text)
                ))
                .with_hint(format!(
                    "{} If all of it is the value, write {} or {}.",
                    operator::suggest(name),
                    self.in_string(&format!("eq.{text}")),
                    self.in_object("eq", &show(text))
                ))
            } else {
                QueryError::grammar(format!("{at}: {} has no operator.", show(text)))
                    .with_hint(self.both_forms(text))
            });
        };
        operator.check(self.column, at)?;
        match operator {
            Operator::Is | Operator::IsNot => {
                let state = match value.to_ascii_lowercase().as_str() {
                    "null" => State::Null,
                    "true" => State::True,
                    "false" => State::False,
                    "unknown" => State::Unknown,
                    _ => return Err(self.not_a_state(operator, at, &show(value))),
                };
                self.is_checked(operator, state, at)
            }
            Operator::In | Operator::Nin => {
                let values = list_items(value, operator, at)?
                    .iter()
                    .map(|item| operand_text(self.column, item, at))
                    .collect::<Result<_, _>>()?;
                Ok(Predicate::Among { column: self.column, operator, values })
            }
            Operator::Like | Operator::Ilike => {
                Ok(Predicate::Like { column: self.column, operator, pattern: value.to_owned() })
            }
            Operator::Eq | Operator::Neq if value.eq_ignore_ascii_case("null") => {
                Err(self.compares_with_null(operator, at, true))
            }
            _ => {
                let value = operand_text(self.column, value, at)?;
                Ok(Predicate::Compare { column: self.column, operator, value })
            }
        }
    }

    /// One entry of `{op: value}`.
    fn object_form(&self, operator: Operator, raw: &RawValue, at: &str) -> Result<Predicate<'t>, QueryError> {
        let column = self.column;
        operator.check(column, at)?;
        let json = Json::read(raw, at)?;
        match operator {
            Operator::Is | Operator::IsNot => {
                let state = match &json {
                    Json::Null => State::Null,
                    Json::Bool(true) => State::True,
                    Json::Bool(false) => State::False,
                    Json::String(text) => match text.to_ascii_lowercase().as_str() {
                        "null" => State::Null,
                        "true" => State::True,
                        "false" => State::False,
                        "unknown" => State::Unknown,
                        _ => return Err(self.not_a_state(operator, at, &show(text))),
                    },
                    other => return Err(self.not_a_state(operator, at, other.kind())),
                };
                self.is_checked(operator, state, at)
            }
            Operator::In | Operator::Nin => {
                let Json::Array(list) = json else {
                    return Err(QueryError::grammar(format!(
                        "{at}: {} takes a list, not {}.",
                        operator.name(),
                        json.kind()
                    ))
                    .with_hint(format!("Write {}.", self.in_object(operator.name(), "[1,2]"))));
                };
                let mut values = Vec::new();
                for item in elements(list, at)? {
                    if item.get() == "null" {
                        return Err(null_in_list(operator, at, &self.column.name));
                    }
                    values.push(operand(column, item, at)?);
                }
                Ok(Predicate::Among { column, operator, values })
            }
            _ if matches!(json, Json::Null) => Err(self.compares_with_null(operator, at, false)),
            Operator::Like | Operator::Ilike => match json {
                Json::String(pattern) => Ok(Predicate::Like { column, operator, pattern }),
                Json::Number(text) => Ok(Predicate::Like { column, operator, pattern: text.to_owned() }),
                other => Err(QueryError::mismatch(format!(
                    "{at}: {} takes a string, not {}.",
                    operator.name(),
                    other.kind()
                ))
                .with_hint(format!("Write {}.", self.in_object(operator.name(), "\"%abc%\"")))),
            },
            _ => {
                if let Json::Array(list) = json
                    && !column.is_array()
                    && !column.is_json()
                    && !(column.has_own_operators() && column.category == 'U')
                {
                    return Err(self.list_without_in(at, list));
                }
                if let Json::String(text) = &json
                    && column.is_json()
                    && text.trim_start().starts_with(['{', '['])
                    && serde_json::from_str::<&RawValue>(text).is_ok()
                {
                    return Err(QueryError::mismatch(format!(
                        "{at}: this is a string that holds JSON, and would be compared as a string."
                    ))
                    .with_hint(format!(
                        "Write the JSON itself: {}.",
                        self.in_object(operator.name(), excerpt(text, "{…}"))
                    )));
                }
                let value = operand(column, raw, at)?;
                Ok(Predicate::Compare { column, operator, value })
            }
        }
    }

    fn is(&self, operator: Operator, state: State) -> Predicate<'t> {
        Predicate::Is { column: self.column, negated: operator == Operator::IsNot, state }
    }

    fn is_checked(&self, operator: Operator, state: State, at: &str) -> Result<Predicate<'t>, QueryError> {
        if state != State::Null && self.column.base_oid != oid::BOOL {
            return Err(QueryError::operator(format!(
                "{at}: only a boolean column can be true, false or unknown; this one is {}.",
                self.column.type_name()
            ))
            .with_hint(format!(
                "Write {} or {}.",
                self.in_string(&format!("{}.null", operator.name())),
                self.in_object("eq", "…")
            )));
        }
        Ok(self.is(operator, state))
    }

    fn not_a_state(&self, operator: Operator, at: &str, got: &str) -> QueryError {
        let name = operator.name();
        QueryError::grammar(format!("{at}: {name} takes null, true, false or unknown, not {got}.")).with_hint(
            format!(
                "Write {}; to compare with a value use eq or neq.",
                self.in_string(&format!("{name}.null"))
            ),
        )
    }

    fn compares_with_null(&self, operator: Operator, at: &str, in_string: bool) -> QueryError {
        let name = operator.name();
        let right = if operator == Operator::Neq { "isnot.null" } else { "is.null" };
        let mut hint = format!("Write {}", self.in_string(right));
        if in_string && matches!(self.column.category, 'S' | 'E') {
            hint.push_str(&format!("; for the text null write {}", self.in_object(name, "\"null\"")));
        }
        hint.push('.');
        QueryError::grammar(format!("{at}: nothing compares with null, {name} would find no row."))
            .with_hint(hint)
    }

    fn list_without_in(&self, at: &str, list: &RawValue) -> QueryError {
        QueryError::grammar(format!("{at}: a list stands only under in or nin."))
            .with_hint(format!("Write {}.", self.in_object("in", excerpt(list.get(), "[…]"))))
    }

    /// `{"status":"eq.open"}`
    fn in_string(&self, condition: &str) -> String {
        format!("{{{}:{}}}", show(&self.column.name), show(condition))
    }

    /// `{"status":{"eq":…}}`; `json` is shown as it stands.
    fn in_object(&self, operator: &str, json: &str) -> String {
        format!("{{{}:{{\"{operator}\":{json}}}}}", show(&self.column.name))
    }

    fn both_forms(&self, value: &str) -> String {
        let (string, object) = (self.in_string(&format!("eq.{value}")), self.in_object("eq", &show(value)));
        format!("Write {string} or {object}.")
    }
}

fn null_in_list(operator: Operator, at: &str, column: &str) -> QueryError {
    let (name, other) = if operator == Operator::In { ("in", "is.null") } else { ("nin", "isnot.null") };
    QueryError::grammar(format!("{at}: null in the list of {name} matches nothing."))
        .with_hint(format!("Leave it out; to ask for null write {{{}:\"{other}\"}}.", show(column)))
}

/// The items of `(1,2,"a, b")`.
fn list_items(text: &str, operator: Operator, at: &str) -> Result<Vec<String>, QueryError> {
    let name = operator.name();
    let fail = |why: &str| {
        QueryError::grammar(format!("{at}: {} {why}.", show(text))).with_hint(format!(
            "Write {name}.(1,2,\"a, b\") with \\ before a double quote inside quotes, or the object form {{\"{name}\":[1,2]}}."
        ))
    };
    let inner = text
        .trim()
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| fail("is not a list in parentheses"))?;
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Ok(items);
    }
    let mut chars = inner.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let mut item = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => item.push(chars.next().ok_or_else(|| fail("ends inside a quoted item"))?),
                    Some(c) => item.push(c),
                    None => return Err(fail("ends inside a quoted item")),
                }
            }
            while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                if matches!(c, '"' | ')') {
                    return Err(fail("has an item that must be quoted"));
                }
                item.push(c);
            }
            item.truncate(item.trim_ascii_end().len());
            if item.is_empty() {
                return Err(fail("has an empty item; the empty text is written \"\""));
            }
            if item.eq_ignore_ascii_case("null") {
                return Err(fail(
                    "has the item null, which matches nothing; use is.null, or \"null\" in quotes for the text",
                ));
            }
        }
        items.push(item);
        match chars.next() {
            None => return Ok(items),
            Some(',') => {}
            Some(_) => return Err(fail("has text after a quoted item")),
        }
    }
}
