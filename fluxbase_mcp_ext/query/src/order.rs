//! The argument `order`.
//!
//! ```text
//! order = item, …      or a JSON list of such texts
//! item  = what[.asc|.desc][.nullsfirst|.nullslast]      also with blanks: column desc nulls last
//! what  = field | relation(field)                       the relation has one row at most
//!       | the name of an output, when select has an aggregate
//! ```
//!
//! The words after the field may be in any case; the field is exact, in double quotes if it holds a comma, dot or blank. Blank
//! means no order. Nulls come last going up and first going down, as Postgres does. This module does NOT page: see `cursor`.

use std::borrow::Cow;

use crate::error::{QueryError, show};
use crate::field::{Field, has_path};
use crate::filter::Scope;
use crate::names::{nearest, split_items, unquote};
use crate::relation::{self, Way};
use crate::selection::{Selection, Source};
use crate::statement::Builder;
use crate::table::{Column, Table, oid};

/// One sort key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key<'t> {
    by: By<'t>,
    pub(crate) descending: bool,
    /// As asked, else Postgres's default for the direction.
    nulls_first: Option<bool>,
}

/// What is sorted by.
#[derive(Debug, PartialEq, Eq)]
enum By<'t> {
    Field(Field<'t>),
    Related {
        way: Way<'t>,
        field: Field<'t>,
    },
    /// The output of this number.
    Output(usize),
}

/// More items are refused: Postgres compares each with all before it.
const MAX_ITEMS: usize = 100;

/// A name is looked for in the first bytes of an item only, so that a long item costs little.
const MAX_NAME: usize = 256;

impl<'t> Key<'t> {
    /// The column itself, going up.
    pub(crate) fn plain(column: &'t Column) -> Self {
        Key { by: By::Field(Field::plain(column)), descending: false, nulls_first: None }
    }

    pub(crate) fn is_plain(&self, name: &str) -> bool {
        matches!(&self.by, By::Field(field) if !field.is_path() && field.column.name == name)
    }

    /// Whether NULL comes before the values.
    pub(crate) fn has_nulls_first(&self) -> bool {
        self.nulls_first.unwrap_or(self.descending)
    }

    /// Whether it is never NULL.
    pub(crate) fn is_not_null(&self) -> bool {
        matches!(&self.by, By::Field(field) if !field.is_path() && field.column.not_null)
    }

    /// The type of what is sorted by.
    pub(crate) fn facts(&self) -> Option<&Column> {
        match &self.by {
            By::Field(field) | By::Related { field, .. } => Some(field.facts()),
            By::Output(_) => None,
        }
    }

    /// The expression that is sorted by.
    pub(crate) fn sql(&self, builder: &mut Builder, source: &Source, selection: &Selection<'_>) -> String {
        let alias = source.alias;
        match &self.by {
            By::Field(field) => builder.fragment(|builder| field.write(builder, alias)).1,
            By::Related { way, field } => {
                let (far, from) = builder.fragment(|b| way.write_from(b, alias));
                let ((), field) = builder.fragment(|b| field.write(b, far));
                format!("(SELECT {field} FROM {from})")
            }
            By::Output(number) => selection.grouped(*number, builder, source),
        }
    }
}

/// What `order` asks for; empty when absent or blank. `at` is the place for messages.
pub(crate) fn keys<'t>(
    texts: &[String],
    scope: Scope<'_, 't>,
    selection: &Selection<'t>,
    at: &str,
) -> Result<Vec<Key<'t>>, QueryError> {
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Ok(Vec::new());
    }
    let grouped = selection.is_grouped();
    let mut keys = Vec::new();
    for text in texts {
        let items = split_items(text, ',').ok_or_else(|| {
            QueryError::grammar(format!(
                "{at}: {} has a double quote or a parenthesis that is not closed.",
                show(text)
            ))
        })?;
        for item in items {
            if item.trim().is_empty() {
                return Err(QueryError::grammar(format!("{at}: {} has an empty item.", show(text)))
                    .with_hint("Write columns with one comma between them."));
            }
            if keys.len() == MAX_ITEMS {
                return Err(QueryError::argument(format!("{at}: has more than {MAX_ITEMS} items.")));
            }
            let item = item.trim();
            keys.push(if grouped { of_output(item, selection, at)? } else { of_field(item, scope, at)? });
        }
    }
    Ok(keys)
}

fn of_field<'t>(item: &str, scope: Scope<'_, 't>, at: &str) -> Result<Key<'t>, QueryError> {
    let table = scope.table;
    // The longest plain name that is a column comes before any reading as syntax.
    if let Some((column, words)) = plain_column(item, table) {
        return key(By::Field(Field::plain(column)), column, words, item, at);
    }
    let (head, words) = split_words(item);
    if let Some(open) = head.find('(')
        && head.ends_with(')')
        && !has_path(&head[..open])
    {
        let name = head[..open].trim();
        let Some(way) = scope.relation_of_one(name, at)? else {
            return Err(relation::unknown(scope.catalog, table, name, true, at));
        };
        if !way.relation.to_one {
            return Err(QueryError::grammar(format!(
                "{at}: {} has many rows, so it gives no order to {}.",
                show(name),
                table.shown()
            ))
            .with_hint(
                "Order by a relation that has one row, or give the embedded rows an order in embed.",
            ));
        }
        let field = Field::parse(&head[open + 1..head.len() - 1], way.table, at)?;
        let facts = field.facts().clone();
        return key(By::Related { way, field }, &facts, words, item, at);
    }
    if has_path(head) {
        let field = Field::parse(head, table, at)?;
        let facts = field.facts().clone();
        return key(By::Field(field), &facts, words, item, at);
    }
    let (column, words) = named_column(item, table, at).map_err(|error| match head.split_once('.') {
        Some((relation, field)) if matches!(scope.relation(relation, at), Ok(Some(_))) => {
            QueryError::grammar(format!("{at}: {} names a column of a relation with a dot.", show(item)))
                .with_hint(format!("Write {}.", show(&format!("{relation}({field})"))))
        }
        _ => error,
    })?;
    key(By::Field(Field::plain(column)), column, words, item, at)
}

/// With an aggregate in select only its outputs are there to sort by.
fn of_output<'t>(item: &str, selection: &Selection<'t>, at: &str) -> Result<Key<'t>, QueryError> {
    let (head, words) = split_words(item);
    let name = unquote(head).unwrap_or(Cow::Borrowed(head));
    let values = || {
        let numbered = selection.outputs.iter().enumerate();
        numbered.filter_map(|(number, output)| Some((number, output.name.as_ref(), selection.value(number)?)))
    };
    let Some((number, _, value)) = values().find(|(_, output, _)| *output == name) else {
        let names: Vec<&str> = values().map(|(_, name, _)| name).collect();
        let mut hint = nearest(&name, names.iter().copied())
            .map_or_else(String::new, |near| format!("Did you mean {}? ", show(near)));
        hint.push_str(&format!(
            "With an aggregate the order names outputs of select: {}.",
            names.iter().map(|name| show(name)).collect::<Vec<_>>().join(", ")
        ));
        return Err(QueryError::Grouping(crate::Fault::new(format!(
            "{at}: there is no output {}.",
            show(&name)
        )))
        .with_hint(hint));
    };
    let facts = value.facts().into_owned();
    key(By::Output(number), &facts, words, item, at)
}

fn key<'t>(by: By<'t>, facts: &Column, words: &str, item: &str, at: &str) -> Result<Key<'t>, QueryError> {
    if matches!(facts.base_oid, oid::JSON | oid::XML) {
        return Err(QueryError::operator(format!(
            "{at}: {} is of type {}, which Postgres cannot sort.",
            show(&facts.name),
            facts.type_name()
        ))
        .with_hint(if facts.base_oid == oid::JSON {
            "Order by a part of it: column->key."
        } else {
            "Order by another column."
        }));
    }
    let (mut descending, mut nulls_first) = (None, None);
    let mut words = words.split(|c: char| c == '.' || c.is_whitespace()).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let lower = word.to_ascii_lowercase();
        let before = match lower.as_str() {
            "asc" => descending.replace(false),
            "desc" => descending.replace(true),
            "nullsfirst" => nulls_first.replace(true),
            "nullslast" => nulls_first.replace(false),
            "nulls" => match words.next().map(str::to_ascii_lowercase).as_deref() {
                Some("first") => nulls_first.replace(true),
                Some("last") => nulls_first.replace(false),
                _ => return Err(unknown_word(item, "nulls", facts, at)),
            },
            _ => return Err(unknown_word(item, word, facts, at)),
        };
        if before.is_some() {
            return Err(QueryError::grammar(format!("{at}: {} says two directions.", show(item)))
                .with_hint(example(facts)));
        }
    }
    Ok(Key { by, descending: descending == Some(true), nulls_first })
}

/// The end of the item that is made of direction words, in any case, and what stands before it.
fn split_words(item: &str) -> (&str, &str) {
    const WORDS: [&str; 7] = ["asc", "desc", "nullsfirst", "nullslast", "nulls", "first", "last"];
    // Quotes come in pairs here, so nothing behind the last one is inside of any.
    let quoted = item.rfind('"').unwrap_or(0);
    let mut head = item;
    while let Some(at) = head.rfind(is_end).filter(|at| *at >= quoted) {
        let word = head[at..].trim_start_matches(|c: char| c == '.' || c.is_whitespace());
        if !word.is_empty() && !WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            break;
        }
        head = &head[..at];
    }
    (head.trim_end(), &item[head.len()..])
}

fn is_end(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

fn ends(item: &str) -> Vec<usize> {
    let ends = item.char_indices().filter(|(_, c)| is_end(*c)).map(|(index, _)| index);
    ends.take_while(|end| *end <= MAX_NAME).chain([item.len()]).collect()
}

fn plain_column<'t, 'i>(item: &'i str, table: &'t Table) -> Option<(&'t Column, &'i str)> {
    ends(item).iter().rev().find_map(|end| Some((table.readable(&item[..*end])?, &item[*end..])))
}

/// The column at the begin of an item, and the words after it; an error when there is none.
fn named_column<'t, 'i>(
    item: &'i str,
    table: &'t Table,
    at: &str,
) -> Result<(&'t Column, &'i str), QueryError> {
    if item.starts_with('"') {
        // The closing quote is the last one: no word after it holds a quote.
        let end = item.rfind('"').map_or(0, |index| index + 1);
        let (quoted, words) = item.split_at(end);
        let Some(name) = unquote(quoted).filter(|_| words.is_empty() || words.starts_with(is_end)) else {
            return Err(QueryError::grammar(format!(
                "{at}: {} has a double quote inside a name.",
                show(item)
            ))
            .with_hint("A name is plain or wholly in double quotes, then .asc or .desc."));
        };
        return table
            .readable(&name)
            .map(|column| (column, words))
            .ok_or_else(|| table.unknown_readable(at, &name));
    }
    let name = &item[..ends(item)[0]];
    if let Some(column) = item.strip_prefix('-').and_then(|name| table.readable(name)) {
        return Err(QueryError::grammar(format!("{at}: {} has no direction.", show(item)))
            .with_hint(format!("Write {}.", show(&format!("{}.desc", column.name)))));
    }
    Err(table.unknown_readable(at, name))
}

fn unknown_word(item: &str, word: &str, facts: &Column, at: &str) -> QueryError {
    QueryError::grammar(format!("{at}: {} has {}, which is no direction.", show(item), show(word)))
        .with_hint(example(facts))
}

fn example(facts: &Column) -> String {
    format!(
        "Write {} or {}.",
        show(&format!("{}.desc", facts.name)),
        show(&format!("{}.asc.nullsfirst", facts.name))
    )
}

/// Appends ` ORDER BY …`, by the table's columns and not by what is made of them for output.
pub(crate) fn write(builder: &mut Builder, keys: &[Key<'_>], source: &Source, selection: &Selection<'_>) {
    for (index, key) in keys.iter().enumerate() {
        let sql = key.sql(builder, source, selection);
        builder.sql.push_str(if index == 0 { " ORDER BY " } else { ", " });
        builder.sql.push_str(&sql);
        if key.descending {
            builder.sql.push_str(" DESC");
        }
        match key.nulls_first {
            Some(true) => builder.sql.push_str(" NULLS FIRST"),
            Some(false) => builder.sql.push_str(" NULLS LAST"),
            None => {}
        }
    }
}
