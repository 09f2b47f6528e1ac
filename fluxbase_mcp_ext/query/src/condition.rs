//! The condition of one field in a filter.
//!
//! ```text
//! condition  = "op.value" | { op: value, … } | number | boolean | null
//! op         = [not.]name[(any) | (all) | (configuration)]       as in `operator`; {"not": {op: value}} as well
//! is, isnot  : null, and on a boolean field true, false, unknown
//! in, nin, (any), (all): a list in the object form; in the string form in.(1,2,"a, b"), with \ before " and \ inside quotes
//! ```
//!
//! - The operator ends at the first dot after it; the value is the rest, dots included, and nothing in it is special.
//! - In the string form the value is text for the type's input function; in the object form it is JSON ([`crate::value`]).
//! - Blanks around an item of `in.( … )` do not belong to it (PostgREST keeps them); quote an item to keep them.
//! - `%` and `_` are the wildcards of like and ilike; `*` is an ordinary character.
//!
//! This module does NOT resolve names: see `filter`.

use serde_json::value::RawValue;

use crate::error::{QueryError, excerpt, place, show};
use crate::field::Field;
use crate::json::{Json, elements, members};
use crate::operator::{self, Operator, Written};
use crate::predicate::{Predicate, State};
use crate::table::{Column, oid};
use crate::value::{operand, operand_text};

/// Operators in the object form of one condition.
const MAX_OPERATORS: usize = 50;

/// Reads the condition of `field`; `at` is the place of the filter that it stands in.
pub(crate) fn read<'t>(field: Field<'t>, raw: &RawValue, at: &str) -> Result<Predicate<'t>, QueryError> {
    let at = place(at, &field.facts().name);
    let mut all = Reader { field, at }.condition(raw)?;
    Ok(if all.len() == 1 { all.remove(0) } else { Predicate::All(all) })
}

/// Reads the conditions of one field.
struct Reader<'t> {
    field: Field<'t>,
    at: String,
}

impl<'t> Reader<'t> {
    fn facts(&self) -> &Column {
        self.field.facts()
    }

    fn condition(&self, raw: &RawValue) -> Result<Vec<Predicate<'t>>, QueryError> {
        let at = &self.at;
        let one = match Json::read(raw, at)? {
            Json::String(text) => self.string_form(&text)?,
            Json::Number(_) | Json::Bool(_) => self.object_form(&Written::plain(Operator::Eq), raw, at)?,
            Json::Null => self.is(Operator::Is, State::Null),
            Json::Object(object) => return self.operators(object, at, false),
            Json::Array(list) => return Err(self.list_without_in(at, list)),
        };
        Ok(vec![one])
    }

    /// `{op: value, …}`.
    fn operators(
        &self,
        object: &RawValue,
        at: &str,
        negated: bool,
    ) -> Result<Vec<Predicate<'t>>, QueryError> {
        let entries = members(object, at)?;
        if entries.is_empty() {
            return Err(QueryError::grammar(format!("{at}: the condition is empty."))
                .with_hint(format!("Write {}.", self.in_object("eq", "…"))));
        }
        if entries.len() > MAX_OPERATORS {
            return Err(QueryError::grammar(format!("{at}: has more than {MAX_OPERATORS} operators."))
                .with_hint("For many values use in with a list, or (any)."));
        }
        let mut all = Vec::with_capacity(entries.len());
        for (name, value) in &entries {
            let at = place(at, name);
            if name == "not" && !negated {
                let Json::Object(inner) = Json::read(value, &at)? else {
                    return Err(QueryError::grammar(format!("{at}: takes an object of operators."))
                        .with_hint(format!("Write {}.", self.in_object("not", "{\"eq\":1}"))));
                };
                let mut parts = self.operators(inner, &at, true)?;
                let inner = if parts.len() == 1 { parts.remove(0) } else { Predicate::All(parts) };
                all.push(Predicate::Not(Box::new(inner)));
                continue;
            }
            let Some((written, "")) = Written::read(name, &at)? else {
                let error = operator::unknown(&self.at, name);
                let part = show(&format!("{}->{name}", self.facts().name));
                return Err(match self.facts().base_oid {
                    oid::JSON => error.with_hint(format!(
                        "{} To compare a part of the JSON write {{{part}:{{\"eq\":…}}}}.",
                        operator::suggest(name)
                    )),
                    oid::JSONB => error.with_hint(format!(
                        "{} To compare a part of the JSON write {{{part}:{{\"eq\":…}}}}, with all of it {}.",
                        operator::suggest(name),
                        self.in_object("eq", excerpt(object.get(), "{…}"))
                    )),
                    _ => error,
                });
            };
            all.push(self.object_form(&written, value, &at)?);
        }
        Ok(all)
    }

    /// `op.value`.
    fn string_form(&self, text: &str) -> Result<Predicate<'t>, QueryError> {
        let at = &self.at;
        let Some((written, rest)) = Written::read(text, at)? else { return Err(self.no_operator(text)) };
        let Some(value) = rest.strip_prefix('.') else { return Err(self.no_operator(text)) };
        let operator = written.operator;
        operator.check(self.facts(), at)?;
        let predicate = match operator {
            Operator::Is | Operator::IsNot => {
                let state = match value.to_ascii_lowercase().as_str() {
                    "null" => State::Null,
                    "true" => State::True,
                    "false" => State::False,
                    "unknown" => State::Unknown,
                    _ => return Err(self.not_a_state(operator, at, &show(value))),
                };
                self.is_checked(operator, state, at)?
            }
            Operator::In | Operator::Nin => {
                let values = self.texts(value, &written, at)?;
                Predicate::Among { field: self.field.clone(), operator, values }
            }
            _ if written.quantifier.is_some() => {
                let values = match operator.is_pattern() {
                    true => list_items(value, &written.name(), at)?,
                    false => self.texts(value, &written, at)?,
                };
                self.quantified(&written, values, at)?
            }
            _ if operator.is_pattern() => self.pattern(operator, value.to_owned()),
            _ if operator.search_function().is_some() => self.search(&written, value.to_owned()),
            Operator::IsDistinct if value.eq_ignore_ascii_case("null") => {
                self.is(Operator::IsNot, State::Null)
            }
            Operator::Eq | Operator::Neq if value.eq_ignore_ascii_case("null") => {
                return Err(self.compares_with_null(operator, at, true));
            }
            _ => {
                let value = operand_text(self.facts(), value, at)?;
                Predicate::Compare { field: self.field.clone(), operator, value }
            }
        };
        Ok(negate(predicate, written.negated))
    }

    fn texts(&self, list: &str, written: &Written<'_>, at: &str) -> Result<Vec<String>, QueryError> {
        list_items(list, &written.name(), at)?
            .iter()
            .map(|item| operand_text(self.facts(), item, at))
            .collect()
    }

    fn no_operator(&self, text: &str) -> QueryError {
        let at = &self.at;
        let name = text.strip_prefix("not.").unwrap_or(text).split_once('.').map_or("", |(name, _)| name);
        let looks_like_one = !name.is_empty()
            && name.len() <= 12
            && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        if looks_like_one && Operator::parse(name).is_none() && name != "not" {
            return QueryError::operator(format!(
                "{at}: {} begins with {name}, which is not an operator.",
                show(text)
            ))
            .with_hint(format!(
                "{} If all of it is the value, write {} or {}.",
                operator::suggest(name),
                self.in_string(&format!("eq.{text}")),
                self.in_object("eq", &show(text))
            ));
        }
        QueryError::grammar(format!("{at}: {} has no operator.", show(text))).with_hint(self.both_forms(text))
    }

    /// One entry of `{op: value}`.
    fn object_form(
        &self,
        written: &Written<'_>,
        raw: &RawValue,
        at: &str,
    ) -> Result<Predicate<'t>, QueryError> {
        let (operator, facts) = (written.operator, self.facts());
        operator.check(facts, at)?;
        let json = Json::read(raw, at)?;
        let predicate = match operator {
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
                self.is_checked(operator, state, at)?
            }
            Operator::In | Operator::Nin => {
                let values = self.values(written, json, false, at)?;
                Predicate::Among { field: self.field.clone(), operator, values }
            }
            _ if written.quantifier.is_some() => {
                let values = self.values(written, json, operator.is_pattern(), at)?;
                self.quantified(written, values, at)?
            }
            Operator::IsDistinct if matches!(json, Json::Null) => self.is(Operator::IsNot, State::Null),
            _ if matches!(json, Json::Null) => return Err(self.compares_with_null(operator, at, false)),
            _ if operator.is_pattern() => self.pattern(operator, self.pattern_text(operator, json, at)?),
            _ if operator.search_function().is_some() => {
                let Json::String(query) = json else {
                    return Err(QueryError::mismatch(format!(
                        "{at}: {} takes a string, not {}.",
                        operator.name(),
                        json.kind()
                    ))
                    .with_hint(format!("Write {}.", self.in_object(operator.name(), "\"cat & dog\""))));
                };
                self.search(written, query)
            }
            _ => {
                self.check_operand(operator, &json, at)?;
                let value = operand(facts, raw, at)?;
                Predicate::Compare { field: self.field.clone(), operator, value }
            }
        };
        Ok(negate(predicate, written.negated))
    }

    /// The list of in, nin, (any) and (all).
    fn values(
        &self,
        written: &Written<'_>,
        json: Json<'_>,
        patterns: bool,
        at: &str,
    ) -> Result<Vec<String>, QueryError> {
        let name = written.name();
        let Json::Array(list) = json else {
            return Err(QueryError::grammar(format!("{at}: {} takes a list, not {}.", name, json.kind()))
                .with_hint(format!("Write {}.", self.in_object(&name, "[1,2]"))));
        };
        let mut values = Vec::new();
        for item in elements(list, at)? {
            if item.get() == "null" {
                return Err(null_in_list(written.operator, &name, at, &self.facts().name));
            }
            values.push(match patterns {
                true => self.pattern_text(written.operator, Json::read(item, at)?, at)?,
                false => operand(self.facts(), item, at)?,
            });
        }
        Ok(values)
    }

    fn pattern_text(&self, operator: Operator, json: Json<'_>, at: &str) -> Result<String, QueryError> {
        match json {
            Json::String(pattern) => Ok(pattern),
            Json::Number(text) => Ok(text.to_owned()),
            other => Err(QueryError::mismatch(format!(
                "{at}: {} takes a string, not {}.",
                operator.name(),
                other.kind()
            ))
            .with_hint(format!("Write {}.", self.in_object(operator.name(), "\"%abc%\"")))),
        }
    }

    /// Values that would be compared in a way that nobody means.
    fn check_operand(&self, operator: Operator, json: &Json<'_>, at: &str) -> Result<(), QueryError> {
        let facts = self.facts();
        if matches!(json, Json::Array(_)) && facts.category == 'R' {
            return Err(QueryError::mismatch(format!(
                "{at}: a list does not fit a column of type {}.",
                facts.type_name()
            ))
            .with_hint(format!(
                "Write Postgres's range text: {}; for some of several values in.",
                self.in_object(operator.name(), "\"[1,10)\"")
            )));
        }
        if let Json::Array(list) = json
            && !facts.is_array()
            && !facts.is_json()
            && !(facts.has_own_operators() && facts.category == 'U')
        {
            return Err(self.list_without_in(at, list));
        }
        if let Json::Number(number) = json
            && self.field.is_json_text()
            && matches!(operator, Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte)
        {
            let jsonb = facts.name.replace("->>", "->");
            return Err(QueryError::mismatch(format!(
                "{at}: ->> gives text, which would be compared as text."
            ))
            .with_hint(format!(
                "Write {{{}:{{\"{}\":{number}}}}}, which compares numbers.",
                show(&jsonb),
                operator.name()
            )));
        }
        if let Json::String(text) = json
            && facts.is_json()
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
        Ok(())
    }

    fn pattern(&self, operator: Operator, pattern: String) -> Predicate<'t> {
        Predicate::Pattern { field: self.field.clone(), operator, pattern }
    }

    fn search(&self, written: &Written<'_>, query: String) -> Predicate<'t> {
        let configuration = written.configuration.map(str::to_owned);
        Predicate::Search { field: self.field.clone(), operator: written.operator, configuration, query }
    }

    fn quantified(
        &self,
        written: &Written<'_>,
        values: Vec<String>,
        at: &str,
    ) -> Result<Predicate<'t>, QueryError> {
        let (operator, field) = (written.operator, self.field.clone());
        let Some(quantifier) = written.quantifier else {
            return Err(QueryError::operator(format!("{at}: {} takes one value.", operator.name())));
        };
        if !operator.is_pattern() && field.facts().comparison_array_oid() == 0 {
            return Err(QueryError::operator(format!(
                "{at}: {}(any) and {0}(all) do not work on a column of type {}.",
                operator.name(),
                field.facts().type_name()
            ))
            .with_hint("Join conditions with or."));
        }
        Ok(Predicate::Quantified { field, operator, quantifier, values })
    }

    fn is(&self, operator: Operator, state: State) -> Predicate<'t> {
        Predicate::Is { field: self.field.clone(), negated: operator == Operator::IsNot, state }
    }

    fn is_checked(&self, operator: Operator, state: State, at: &str) -> Result<Predicate<'t>, QueryError> {
        if state != State::Null && self.facts().base_oid != oid::BOOL {
            return Err(QueryError::operator(format!(
                "{at}: only a boolean column can be true, false or unknown; this one is {}.",
                self.facts().type_name()
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
        if in_string && matches!(self.facts().category, 'S' | 'E') {
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
        format!("{{{}:{}}}", show(&self.facts().name), show(condition))
    }

    /// `{"status":{"eq":…}}`; `json` is shown as it stands.
    fn in_object(&self, operator: &str, json: &str) -> String {
        format!("{{{}:{{\"{operator}\":{json}}}}}", show(&self.facts().name))
    }

    fn both_forms(&self, value: &str) -> String {
        let (string, object) = (self.in_string(&format!("eq.{value}")), self.in_object("eq", &show(value)));
        format!("Write {string} or {object}.")
    }
}

fn negate(predicate: Predicate<'_>, negated: bool) -> Predicate<'_> {
    if negated { Predicate::Not(Box::new(predicate)) } else { predicate }
}

fn null_in_list(operator: Operator, name: &str, at: &str, column: &str) -> QueryError {
    let other = if operator == Operator::Nin { "isnot.null" } else { "is.null" };
    QueryError::grammar(format!("{at}: null in the list of {name} matches nothing."))
        .with_hint(format!("Leave it out; to ask for null write {{{}:\"{other}\"}}.", show(column)))
}

/// The items of `(1,2,"a, b")`.
fn list_items(text: &str, name: &str, at: &str) -> Result<Vec<String>, QueryError> {
    let fail = |why: &str| {
        QueryError::grammar(format!("{at}: {} {why}.", show(text))).with_hint(format!(
            "Write {name}.(1,2,\"a, b\") with \\ before a double quote inside quotes, or the object form {{\"{name}\":[1,2]}}."
        ))
    };
    let trimmed = text.trim();
    // PostgREST writes the list of (any) and (all) in braces.
    let close = if trimmed.starts_with('{') { '}' } else { ')' };
    let inner = trimmed
        .strip_prefix(['(', '{'])
        .and_then(|rest| rest.strip_suffix(close))
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
                if c == '"' || c == close {
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
