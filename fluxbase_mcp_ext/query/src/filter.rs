//! The argument `filter` to a predicate: keys, groups and relations.
//!
//! ```text
//! filter    = { key: condition, … }                                all of them hold
//! key       = field | relation.field | relation | and | or | not   an exact column name wins; "and" in quotes is a column
//! and, or   = [ filter, … ] or one filter, whose entries are the parts
//! not       = filter or [ filter, … ]                              NOT (all of it)
//! ```
//!
//! - `relation.field` asks that some related row fulfils the condition; all keys of one relation in one object ask it of the
//!   same row. `relation` itself takes null (no related row) and isnot.null (some).
//! - SQL's NULL: neq, nin and not.… do not find rows where the field is NULL.
//!
//! [`crate::condition`] reads the conditions. This module does NOT decide whether a filter is required; the statement does.

use serde_json::value::RawValue;

use crate::catalog::Catalog;
use crate::condition;
use crate::error::{QueryError, place, show};
use crate::field::{Field, has_path};
use crate::json::{Json, elements, members};
use crate::names::{split_items, unquote};
use crate::predicate::Predicate;
use crate::relation::{self, Way};
use crate::selection::Embed;
use crate::table::Table;

/// Groups and relations that may stand in one another, and conditions in one filter.
const MAX_DEPTH: usize = 16;
const MAX_CONDITIONS: usize = 1000;

/// What names in a filter may mean.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s, 't> {
    pub(crate) table: &'t Table,
    pub(crate) catalog: &'t dyn Catalog,
    /// Relations that `select` has given a name.
    pub(crate) embeds: &'s [Embed<'t>],
}

impl<'s, 't> Scope<'s, 't> {
    /// The relation of that name, which may have a hint: one of `select`, else one of the table. `None` when there is none.
    pub(crate) fn relation(
        &self,
        text: &str,
        at: &str,
    ) -> Result<Option<(Way<'t>, &'s [Embed<'t>])>, QueryError> {
        self.find(text, false, at)
    }

    /// The same where only a relation of one row makes sense.
    pub(crate) fn relation_of_one(&self, text: &str, at: &str) -> Result<Option<Way<'t>>, QueryError> {
        Ok(self.find(text, true, at)?.map(|(way, _)| way))
    }

    fn find(
        &self,
        text: &str,
        prefer_one: bool,
        at: &str,
    ) -> Result<Option<(Way<'t>, &'s [Embed<'t>])>, QueryError> {
        let Some((name, hint)) = relation::read_hinted(text) else { return Ok(None) };
        if hint.is_none()
            && let Some(embed) = self.embeds.iter().find(|embed| embed.name == name)
        {
            return Ok(Some((embed.way, &embed.selection.embeds)));
        }
        let way = Way::find(self.catalog, self.table, &name, hint.as_deref(), prefer_one, at)?;
        Ok(way.map(|way| (way, [].as_slice())))
    }
}

impl<'t> Predicate<'t> {
    /// Reads a filter object. An empty one is true of every row. `at` is the argument's place.
    pub(crate) fn parse(raw: &RawValue, scope: Scope<'_, 't>, at: &str) -> Result<Predicate<'t>, QueryError> {
        let json = Json::read(raw, at)?;
        let Json::Object(object) = json else {
            return Err(QueryError::argument(format!("{at}: must be an object, not {}.", json.kind()))
                .with_hint(
                    "Write {\"filter\":{\"id\":\"eq.5\"}}, an object of columns with their conditions.",
                ));
        };
        let mut reader = Reader { left: MAX_CONDITIONS };
        let entries = members(object, at)?;
        let entries = entries.iter().map(|(key, raw)| (key.as_str(), *raw)).collect();
        Ok(Predicate::All(reader.entries(entries, scope, at, 0)?))
    }
}

/// Reads objects of conditions.
struct Reader {
    /// Conditions that may still come.
    left: usize,
}

/// Keys of one relation in one object, in the order of the first.
struct Asked<'s, 't, 'a> {
    name: String,
    way: Way<'t>,
    embeds: &'s [Embed<'t>],
    entries: Vec<(&'a str, &'a RawValue)>,
}

impl Reader {
    fn entries<'t>(
        &mut self,
        entries: Vec<(&str, &RawValue)>,
        scope: Scope<'_, 't>,
        at: &str,
        depth: usize,
    ) -> Result<Vec<Predicate<'t>>, QueryError> {
        if depth > MAX_DEPTH {
            return Err(QueryError::grammar(format!(
                "{at}: groups and relations stand more than {MAX_DEPTH} deep in one another."
            )));
        }
        let mut all = Vec::with_capacity(entries.len());
        let mut asked: Vec<Asked<'_, 't, '_>> = Vec::new();
        for (key, raw) in entries {
            self.left = self.left.checked_sub(1).ok_or_else(|| {
                QueryError::grammar(format!("{at}: has more than {MAX_CONDITIONS} conditions."))
                    .with_hint("For many values of one column use in with a list.")
            })?;
            match key {
                "and" => all.push(Predicate::All(self.parts(raw, scope, &place(at, key), depth, false)?)),
                "or" => all.push(Predicate::Any(self.parts(raw, scope, &place(at, key), depth, true)?)),
                "not" => {
                    let parts = self.parts(raw, scope, &place(at, key), depth, false)?;
                    all.push(Predicate::Not(Box::new(Predicate::All(parts))));
                }
                key => self.entry(key, raw, scope, at, &mut all, &mut asked)?,
            }
        }
        for Asked { name, way, embeds, entries } in asked {
            let scope = Scope { table: way.table, embeds, ..scope };
            let inner = self.entries(entries, scope, &place(at, &name), depth + 1)?;
            all.push(Predicate::Related { name, way, inner: Box::new(Predicate::All(inner)) });
        }
        Ok(all)
    }

    /// The parts of a group: a list of filters, or one filter. `apart`: each entry of that one is a part of its own, also when
    /// several of them speak of one relation.
    fn parts<'t>(
        &mut self,
        raw: &RawValue,
        scope: Scope<'_, 't>,
        at: &str,
        depth: usize,
        apart: bool,
    ) -> Result<Vec<Predicate<'t>>, QueryError> {
        let json = Json::read(raw, at)?;
        let objects = match json {
            Json::Object(object) => vec![object],
            Json::Array(list) => elements(list, at)?,
            other => {
                let example = match at.rsplit('.').next() {
                    Some("not") => "{\"not\":{\"age\":\"lt.18\"}}",
                    Some("and") => "{\"and\":[{\"age\":\"gte.18\"},{\"age\":\"lt.65\"}]}",
                    _ => "{\"or\":[{\"age\":\"lt.18\"},{\"age\":\"gt.65\"}]}",
                };
                return Err(QueryError::grammar(format!(
                    "{at}: takes a list of filters, not {}.",
                    other.kind()
                ))
                .with_hint(format!("Write {example}.")));
            }
        };
        let is_list = matches!(raw.get().as_bytes().first(), Some(b'['));
        let mut parts = Vec::with_capacity(objects.len());
        for (index, object) in objects.into_iter().enumerate() {
            let at = if is_list { format!("{at}[{index}]") } else { at.to_owned() };
            let json = Json::read(object, &at)?;
            let Json::Object(object) = json else {
                return Err(QueryError::grammar(format!("{at}: must be an object, not {}.", json.kind()))
                    .with_hint("Write {\"or\":[{\"age\":\"lt.18\"},{\"age\":\"gt.65\"}]}."));
            };
            let entries = members(object, &at)?;
            let entries: Vec<_> = entries.iter().map(|(key, raw)| (key.as_str(), *raw)).collect();
            let mut read = Vec::with_capacity(entries.len());
            // Conditions on one relation are joined only within one of these.
            let runs = if apart && !is_list { 1 } else { entries.len().max(1) };
            for run in entries.chunks(runs) {
                read.extend(self.entries(run.to_vec(), scope, &at, depth + 1)?);
            }
            match (is_list, read.len()) {
                // An empty object is true of every row: in a group it is a mistake.
                (_, 0) => {
                    return Err(QueryError::grammar(format!("{at}: the group is empty."))
                        .with_hint("Give it a condition, or leave it out."));
                }
                (false, _) => parts.append(&mut read),
                (true, 1) => parts.append(&mut read),
                (true, _) => parts.push(Predicate::All(read)),
            }
        }
        if parts.is_empty() {
            return Err(QueryError::grammar(format!("{at}: the group is empty."))
                .with_hint("Give it a condition, or leave it out."));
        }
        Ok(parts)
    }

    fn entry<'s, 't, 'a>(
        &mut self,
        key: &'a str,
        raw: &'a RawValue,
        scope: Scope<'s, 't>,
        at: &str,
        all: &mut Vec<Predicate<'t>>,
        asked: &mut Vec<Asked<'s, 't, 'a>>,
    ) -> Result<(), QueryError> {
        if let Some(column) = scope.table.readable(key) {
            all.push(condition::read(Field::plain(column), raw, at)?);
            return Ok(());
        }
        // A dot outside quotes and before any arrow parts a relation from its field.
        if let Some((first, rest)) = relation_prefix(key) {
            let (mut name, mut rest) = (first, rest);
            let mut found = scope.relation(name, at)?;
            // schema.table.field
            if found.is_none()
                && let Some((more, after)) = relation_prefix(rest)
            {
                let whole = &key[..first.len() + 1 + more.len()];
                found = scope.relation(whole, at)?;
                if found.is_some() {
                    (name, rest) = (whole, after);
                }
            }
            if let Some((way, embeds)) = found {
                match asked.iter_mut().find(|asked| asked.name == name) {
                    Some(asked) => asked.entries.push((rest, raw)),
                    None => {
                        asked.push(Asked { name: name.to_owned(), way, embeds, entries: vec![(rest, raw)] })
                    }
                }
                return Ok(());
            }
            // schema.table
            if let Some((way, _)) = scope.relation(key, at)? {
                return self.existence(key, way, raw, at, all);
            }
            let shown = relation::read_name(first).unwrap_or_else(|| first.to_owned());
            let error = relation::unknown(scope.catalog, scope.table, &shown, false, &place(at, key));
            return Err(match scope.table.readable(&shown) {
                Some(column) if column.is_json() || column.is_composite => error.with_hint(format!(
                    "A part of the column {} is {}.",
                    show(&shown),
                    show(&format!("{first}->{rest}"))
                )),
                _ => error,
            });
        }
        let unquoted = (key.len() > 2 && key.starts_with('"')).then(|| unquote(key)).flatten();
        let name = unquoted.as_deref().unwrap_or(key);
        if !has_path(key)
            && scope.table.readable(name).is_none()
            && let Some((way, _)) = scope.relation(key, at)?
        {
            return self.existence(name, way, raw, at, all);
        }
        // The place in messages names the column as it is called.
        let shown = if has_path(key) { key } else { name };
        let field = Field::parse(key, scope.table, &place(at, shown)).map_err(|error| {
            let word = key.trim_start_matches('$').to_ascii_lowercase();
            match word.as_str() {
                "and" | "or" | "not" | "nor" => error.with_hint(format!(
                    "Groups of conditions are written and, or, not: {{\"{}\":[…]}}.",
                    word.replace("nor", "not")
                )),
                _ => error,
            }
        })?;
        all.push(condition::read(field, raw, at)?);
        Ok(())
    }

    /// `relation: null` and `relation: "isnot.null"`.
    fn existence<'t>(
        &self,
        name: &str,
        way: Way<'t>,
        raw: &RawValue,
        at: &str,
        all: &mut Vec<Predicate<'t>>,
    ) -> Result<(), QueryError> {
        let at = place(at, name);
        let some = match Json::read(raw, &at)? {
            Json::Null => false,
            Json::String(text) if text == "is.null" || text == "not.isnot.null" => false,
            Json::String(text) if text == "isnot.null" || text == "not.is.null" => true,
            _ => {
                return Err(QueryError::grammar(format!(
                    "{at}: a relation is null or not, it has no value."
                ))
                .with_hint(format!(
                    "Write {{{0}:\"is.null\"}} or {{{0}:\"isnot.null\"}}, or ask of a column of it: {1}.",
                    show(name),
                    show(&format!("{name}.column"))
                )));
            }
        };
        let exists =
            Predicate::Related { name: name.to_owned(), way, inner: Box::new(Predicate::All(Vec::new())) };
        all.push(if some { exists } else { Predicate::Not(Box::new(exists)) });
        Ok(())
    }
}

/// The relation before the first dot outside quotes, as it is written, and the rest. `None` when a path's arrow comes first.
fn relation_prefix(key: &str) -> Option<(&str, &str)> {
    let first = *split_items(key, '.')?.first()?;
    if first.len() == key.len() || has_path(first) {
        return None;
    }
    let rest = &key[first.len() + 1..];
    (!first.is_empty() && !rest.is_empty()).then_some((first, rest))
}
