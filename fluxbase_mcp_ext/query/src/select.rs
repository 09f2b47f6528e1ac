//! The arguments `select` and `returning` to a [`Selection`].
//!
//! ```text
//! select    = item, …      or a JSON list of such texts
//! item      = *
//!           | [alias:]field[::type]
//!           | [alias:][field[::type].]aggregate()[::type]        count() alone counts rows
//!           | [...][alias:]relation[!hint][!inner|!left](select)  ... spreads the one row into ours
//! aggregate = count | sum | avg | min | max
//! alias     = letters, digits and _, at most 63 bytes
//! ```
//!
//! [`crate::field`] says what a field is, [`crate::relation`] what a relation and a hint are. Blank means every readable
//! column. An exact column name always wins over any reading as syntax. Never SQL: no functions, no arithmetic.
//!
//! This module does NOT say how a selection becomes SQL ([`crate::selection`]).

use std::borrow::Cow;
use std::collections::HashSet;

use crate::aggregate::{Cast, Function};
use crate::arguments::Arguments;
use crate::catalog::Catalog;
use crate::error::{Fault, QueryError, show};
use crate::field::{Field, has_path};
use crate::names::{split_items, unquote};
use crate::relation::{self, Way};
use crate::selection::{Embed, Expression, Output, Selection, Shape, What};
use crate::table::{Table, oid};

/// The longest identifier that Postgres does not cut (NAMEDATALEN − 1), in bytes.
const MAX_NAME: usize = 63;

/// The most columns that one query may put out (MaxTupleAttributeNumber).
const MAX_OUTPUTS: usize = 1600;

/// Relations in one call, and how deep they may stand in one another.
const MAX_EMBEDS: usize = 50;
const MAX_DEPTH: usize = 8;

/// What `select` asks for; every readable column when absent or blank.
pub(crate) fn selected<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
) -> Result<Selection<'t>, QueryError> {
    let texts = args.texts("select")?.unwrap_or_default();
    let mut parser = Parser::new("select", catalog);
    let selection = match texts.iter().all(|text| text.trim().is_empty()) {
        true => Selection { table, outputs: everything(table).collect(), embeds: Vec::new() },
        false => parser.selection(&texts, table, 0)?,
    };
    // Postgres would refuse even a count.
    if !table.columns.iter().any(|column| column.select) {
        return Err(parser.nothing_readable(table));
    }
    if selection.outputs.is_empty() {
        return Err(QueryError::argument("select: names only relations of which nothing is shown.")
            .with_hint("Name a column as well: *,relation!inner()."));
    }
    Ok(selection)
}

/// What `returning` asks for. `None`: no records. Every readable column when absent, none when that is no column; none
/// when blank or `none`.
pub(crate) fn returned<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
) -> Result<Option<Selection<'t>>, QueryError> {
    let selection = match args.texts("returning")? {
        None => Selection { table, outputs: everything(table).collect(), embeds: Vec::new() },
        Some(texts) if texts.iter().all(|text| text.trim().is_empty()) => return Ok(None),
        Some(texts) if texts.len() == 1 && texts[0].trim() == "none" => return Ok(None),
        Some(texts) => Parser::new("returning", catalog).selection(&texts, table, 0)?,
    };
    Ok((!selection.outputs.is_empty()).then_some(selection))
}

fn everything(table: &Table) -> impl Iterator<Item = Output<'_>> {
    table.columns.iter().filter(|column| column.select).map(|column| Output {
        name: Cow::Borrowed(column.name.as_str()),
        what: What::Value(Expression::Field { field: Field::plain(column), cast: None }),
    })
}

struct Parser<'t> {
    argument: &'static str,
    catalog: &'t dyn Catalog,
    embeds: usize,
}

impl<'t> Parser<'t> {
    fn new(argument: &'static str, catalog: &'t dyn Catalog) -> Self {
        Parser { argument, catalog, embeds: 0 }
    }

    fn selection(
        &mut self,
        texts: &[String],
        table: &'t Table,
        depth: usize,
    ) -> Result<Selection<'t>, QueryError> {
        let argument = self.argument;
        let mut selection = Selection { table, outputs: Vec::new(), embeds: Vec::new() };
        for text in texts {
            for item in self.split(text)?.into_iter().map(str::trim) {
                if item.is_empty() {
                    return Err(QueryError::grammar(format!(
                        "{argument}: {} has an empty item.",
                        show(text)
                    ))
                    .with_hint("Write columns with one comma between them."));
                }
                self.item(item, &mut selection, depth)?;
                if selection.outputs.len() > MAX_OUTPUTS {
                    return Err(QueryError::argument(format!(
                        "{argument}: asks for more than {MAX_OUTPUTS} columns."
                    )));
                }
            }
        }
        self.check(&selection)?;
        Ok(selection)
    }

    fn split<'i>(&self, text: &'i str) -> Result<Vec<&'i str>, QueryError> {
        split_items(text, ',').ok_or_else(|| {
            QueryError::grammar(format!(
                "{}: {} has a double quote or a parenthesis that is not closed.",
                self.argument,
                show(text)
            ))
            .with_hint("A name with a quote, a comma or a parenthesis stands in double quotes.")
        })
    }

    /// Names must differ, groups must be comparable.
    fn check(&self, selection: &Selection<'t>) -> Result<(), QueryError> {
        let mut names = HashSet::with_capacity(selection.outputs.len());
        if let Some(twice) = selection.outputs.iter().find(|output| !names.insert(output.name.as_ref())) {
            let message = format!("{}: two columns would be named {}.", self.argument, show(&twice.name));
            return Err(QueryError::DuplicateColumn(Fault::new(message))
                .with_hint("Name each column once, or give one of them an alias: alias:column."));
        }
        let mut names = HashSet::with_capacity(selection.embeds.len());
        if let Some(twice) = selection.embeds.iter().find(|embed| !names.insert(embed.name.as_str())) {
            let message = format!("{}: two relations would be named {}.", self.argument, show(&twice.name));
            return Err(QueryError::DuplicateColumn(Fault::new(message))
                .with_hint("Give one of them an alias: alias:relation(…)."));
        }
        if !selection.is_grouped() {
            return Ok(());
        }
        for (number, output) in selection.outputs.iter().enumerate() {
            if let Some(value) = selection.value(number)
                && !value.is_aggregate()
                && matches!(value.facts().base_oid, oid::JSON | oid::XML)
            {
                return Err(QueryError::Grouping(Fault::new(format!(
                    "{}: {} cannot be a group, its type {} has no equality.",
                    self.argument,
                    show(&output.name),
                    value.facts().type_name()
                )))
                .with_hint("Leave it out, or cast it: column::text."));
            }
        }
        Ok(())
    }

    fn nothing_readable(&self, table: &Table) -> QueryError {
        QueryError::privilege(format!(
            "{}: you have no privilege to read a column of {}.",
            self.argument,
            table.shown()
        ))
    }

    fn item(&mut self, item: &str, selection: &mut Selection<'t>, depth: usize) -> Result<(), QueryError> {
        let table = selection.table;
        if item == "*" {
            let before = selection.outputs.len();
            selection.outputs.extend(everything(table));
            if selection.outputs.len() == before {
                return Err(self.nothing_readable(table));
            }
            return Ok(());
        }
        let (alias, body) = match table.readable(item) {
            Some(_) => (None, item),
            None => self.alias(item),
        };
        if table.readable(body).is_none() {
            let (spread, body) = match body.strip_prefix("...") {
                Some(body) => (true, body.trim()),
                None => (false, body),
            };
            if body.ends_with(')') && !body.ends_with("()") || spread || is_empty_relation(body) {
                return self.relation(item, alias, body, spread, selection, depth);
            }
        }
        let value = self.value(item, alias, body, table)?;
        let name = match (alias, &value) {
            (Some(alias), _) => Cow::Owned(self.check_alias(alias)?),
            (None, Expression::Field { field, .. }) if !field.is_path() => {
                Cow::Borrowed(field.column.name.as_str())
            }
            (None, Expression::Field { field, .. }) => Cow::Owned(self.check_key(field.name())?),
            (None, Expression::Count { .. }) => Cow::Borrowed("count"),
            (None, Expression::Aggregate { function, .. }) => Cow::Borrowed(function.name()),
        };
        selection.outputs.push(Output { name, what: What::Value(value) });
        Ok(())
    }

    /// The part before the first colon that is not one of a cast, outside quotes and parentheses.
    fn alias<'i>(&self, item: &'i str) -> (Option<&'i str>, &'i str) {
        let Some(colon) = find_outside(item, |rest| rest.starts_with(':')) else { return (None, item) };
        if item[colon..].starts_with("::") {
            return (None, item);
        }
        // `...alias:relation(…)`: the dots belong to the relation, whose alias names it for embed and filter.
        match item.strip_prefix("...") {
            Some(_) => (None, item),
            None => (Some(&item[..colon]), item[colon + 1..].trim()),
        }
    }

    /// `field[::type]`, `[field[::type].]aggregate()[::type]`.
    fn value(
        &self,
        item: &str,
        alias: Option<&str>,
        body: &str,
        table: &'t Table,
    ) -> Result<Expression<'t>, QueryError> {
        let at = self.argument;
        if table.readable(body).is_some() {
            return Ok(Expression::Field { field: Field::parse(body, table, at)?, cast: None });
        }
        let (body, cast) = self.cast(item, body)?;
        let Some(call) = body.strip_suffix("()") else {
            let field = self.field(item, alias, body, table)?;
            return Ok(Expression::Field { field, cast });
        };
        let (of, name) = match call.rfind('.') {
            Some(dot) => (Some(call[..dot].trim()), &call[dot + 1..]),
            None => (None, call),
        };
        let Some(function) = Function::parse(name.trim()) else {
            return Err(QueryError::grammar(format!("{at}: {} is not an aggregate.", show(item))).with_hint(
                "Aggregates: column.sum(), avg(), min(), max(), count(); count() alone counts rows.",
            ));
        };
        let Some(of) = of else {
            if function == Function::Count {
                return Ok(Expression::Count { cast });
            }
            return Err(QueryError::grammar(format!("{at}: {} does not say of which column.", show(item)))
                .with_hint(format!("Write column.{}().", function.name())));
        };
        let (of, inner) = match table.readable(of) {
            Some(_) => (of, None),
            None => self.cast(item, of)?,
        };
        let field = Field::parse(of, table, at)?;
        match inner {
            Some(inner) => function.facts(&inner.facts(), at).map(drop)?,
            None => function.facts(field.facts(), at).map(drop)?,
        }
        Ok(Expression::Aggregate { function, field, inner, cast })
    }

    fn field(
        &self,
        item: &str,
        alias: Option<&str>,
        body: &str,
        table: &'t Table,
    ) -> Result<Field<'t>, QueryError> {
        let at = self.argument;
        Field::parse(body, table, at).map_err(|error| {
            if let Some(alias) = alias
                && table.readable(alias.trim()).is_some()
                && unquote(body).is_some_and(|name| !has_path(&name) && !name.contains(':'))
            {
                return QueryError::grammar(format!("{at}: {} has the column before the colon.", show(item)))
                    .with_hint(format!(
                        "The alias comes first: {}.",
                        show(&format!("{}:{}", body.trim(), alias.trim()))
                    ));
            }
            match error {
                QueryError::UnknownColumn(_) => match relation::read_hinted(body) {
                    Some((name, hint))
                        if matches!(
                            Way::find(self.catalog, table, &name, hint.as_deref(), false, at),
                            Ok(Some(_)) | Err(QueryError::AmbiguousRelation(_))
                        ) =>
                    {
                        QueryError::grammar(format!("{at}: {} is a relation.", show(body)))
                            .with_hint(format!("Say what to read of it: {}.", show(&format!("{body}(*)"))))
                    }
                    _ => self.not_a_column(body, table, error),
                },
                other => other,
            }
        })
    }

    /// Splits off `::type`.
    fn cast<'i>(&self, item: &str, body: &'i str) -> Result<(&'i str, Option<&'static Cast>), QueryError> {
        match find_outside(body, |rest| rest.starts_with("::")) {
            None => Ok((body, None)),
            // Of `a::int.sum()::text` the last one; the first is the field's own.
            Some(first) => {
                let last = match body[first + 2..].rfind("::") {
                    Some(more) => first + 2 + more,
                    None if body.ends_with("()") => return Ok((body, None)),
                    None => first,
                };
                let cast = Cast::parse(&body[last + 2..], item, self.argument)?;
                Ok((body[..last].trim_end(), Some(cast)))
            }
        }
    }

    /// `relation[!hint][!inner|!left](select)`.
    fn relation(
        &mut self,
        item: &str,
        alias: Option<&str>,
        body: &str,
        spread: bool,
        selection: &mut Selection<'t>,
        depth: usize,
    ) -> Result<(), QueryError> {
        let at = self.argument;
        let table = selection.table;
        // Only here may the dots come before an alias.
        let (alias, body) = match (alias, spread) {
            (None, true) => self.alias(body),
            (alias, _) => (alias, body),
        };
        let open = find_outside(body, |rest| rest.starts_with('(')).filter(|_| body.ends_with(')'));
        let Some(open) = open else {
            return Err(QueryError::grammar(format!(
                "{at}: {} does not say what to read of the relation.",
                show(item)
            ))
            .with_hint("Write relation(column,…) or relation(*)."));
        };
        let (head, inner_text) = (&body[..open], &body[open + 1..body.len() - 1]);
        let mut parts = Vec::new();
        let mut rest = head;
        while let Some(mark) = find_outside(rest, |rest| rest.starts_with('!')) {
            parts.push(&rest[..mark]);
            rest = &rest[mark + 1..];
        }
        parts.push(rest);
        let name = self.relation_name(parts[0], item)?;
        let (mut hint, mut join) = (None, None);
        for part in &parts[1..] {
            let part = part.trim();
            let before = match part {
                "inner" | "left" => join.replace(part),
                _ => hint.replace(part),
            };
            if before.is_some() {
                return Err(QueryError::grammar(format!("{at}: {} has too many marks after !.", show(item)))
                    .with_hint("Write relation!hint!inner(…), each at most once."));
            }
        }
        let hint = hint.map(|hint| self.relation_name(hint, item)).transpose()?;
        let Some(way) = Way::find(self.catalog, table, &name, hint.as_deref(), false, at)? else {
            return Err(self.not_a_relation(item, parts[0].trim(), &name, table));
        };
        if spread && !way.relation.to_one {
            return Err(QueryError::grammar(format!(
                "{at}: {} spreads a relation of many rows.",
                show(item)
            ))
            .with_hint(format!("Leave the dots out: {}(…) gives a list.", parts[0].trim())));
        }
        self.embeds += 1;
        if depth >= MAX_DEPTH || self.embeds > MAX_EMBEDS {
            return Err(QueryError::argument(format!(
                "{at}: has more than {MAX_EMBEDS} relations, or more than {MAX_DEPTH} in one another."
            )));
        }
        let inner = match inner_text.trim().is_empty() {
            true => Selection { table: way.table, outputs: Vec::new(), embeds: Vec::new() },
            false => self.selection(&[inner_text.to_owned()], way.table, depth + 1)?,
        };
        // The table's name also when it was written with its schema.
        let name = match alias {
            Some(alias) => self.check_alias(alias)?,
            None if name.ends_with(&format!(".{}", way.relation.name)) => way.relation.name.clone(),
            None => name,
        };
        let number = selection.embeds.len();
        if spread {
            selection.outputs.extend(inner.outputs.iter().enumerate().map(|(index, output)| Output {
                name: Cow::Owned(output.name.clone().into_owned()),
                what: What::Spread(number, index),
            }));
        } else if !inner.outputs.is_empty() {
            selection.outputs.push(Output { name: Cow::Owned(name.clone()), what: What::Embedded(number) });
        }
        selection.embeds.push(Embed {
            name,
            way,
            selection: inner,
            inner: join == Some("inner"),
            shape: Shape::default(),
        });
        Ok(())
    }

    fn relation_name(&self, text: &str, item: &str) -> Result<String, QueryError> {
        relation::read_name(text).ok_or_else(|| {
            QueryError::grammar(format!("{}: {} names no relation.", self.argument, show(item)))
                .with_hint("Write relation(column,…).")
        })
    }

    fn not_a_relation(&self, item: &str, written: &str, name: &str, table: &'t Table) -> QueryError {
        let at = self.argument;
        if Function::parse(&name.to_ascii_lowercase()).is_some() {
            return QueryError::grammar(format!("{at}: {} is not how an aggregate is written.", show(item)))
                .with_hint("Write column.sum(), avg(), min(), max() or count(); count() alone counts rows.");
        }
        if name.contains("::") {
            return QueryError::grammar(format!("{at}: {} casts to a type with a length.", show(item)))
                .with_hint("Write the type without parentheses: column::numeric.");
        }
        if table.readable(written).is_some() {
            return QueryError::grammar(format!("{at}: {} is a column and no relation.", show(written)))
                .with_hint("Of JSON a part is read with column->key.");
        }
        relation::unknown(self.catalog, table, name, true, at)
    }

    /// An alias is a name that a caller makes up and that stands in SQL, quoted. A closed alphabet makes sure that it
    /// cannot be anything but a name, and the length that Postgres does not cut it into another one.
    fn check_alias(&self, alias: &str) -> Result<String, QueryError> {
        match unquote(alias) {
            Some(name) if fits_as_name(&name) => Ok(name.into_owned()),
            _ => Err(QueryError::grammar(format!(
                "{}: {} cannot be an alias.",
                self.argument,
                show(alias.trim())
            ))
            .with_hint(format!("An alias has letters, digits and _, and at most {MAX_NAME} bytes."))),
        }
    }

    /// The last key of a path as the output's name: the same alphabet.
    fn check_key(&self, key: &str) -> Result<String, QueryError> {
        if fits_as_name(key) {
            return Ok(key.to_owned());
        }
        Err(QueryError::grammar(format!("{}: {} cannot name an output.", self.argument, show(key)))
            .with_hint("Give it an alias of letters, digits and _: alias:column->key."))
    }

    /// The error for an item that names no readable column: a lesson on the grammar when it looks like SQL.
    fn not_a_column(&self, item: &str, table: &Table, plain: QueryError) -> QueryError {
        let lower = item.to_ascii_lowercase();
        if Function::parse(&lower).is_some() {
            return QueryError::grammar(format!("{}: {} is not a column.", self.argument, show(item)))
                .with_hint("For the number of rows write count(); for an aggregate column.sum(), avg(), min() or max().");
        }
        let sql = item.contains(['(', ')', '+', '/', '|', '*', ';', '\'', ':']) || lower.contains(" as ");
        if !sql {
            return plain;
        }
        let example =
            table.columns.iter().find(|column| column.select).map_or("id", |column| column.name.as_str());
        QueryError::grammar(format!("{}: {} is not a column.", self.argument, show(item))).with_hint(format!(
            "Only columns, alias:column, casts like {}, aggregates like {} and relation(…) are supported, no SQL.",
            show(&format!("{example}::text")),
            show(&format!("{example}.max()"))
        ))
    }
}

/// `relation()`: nothing is read of it, but `!inner` and conditions may speak of it. An aggregate has a dot or is `count`.
fn is_empty_relation(body: &str) -> bool {
    body.strip_suffix("()").is_some_and(|head| {
        head.contains('!') || !head.contains('.') && Function::parse(head.trim()).is_none()
    })
}

fn fits_as_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The first place outside double quotes and parentheses where `is` holds of the rest.
fn find_outside(text: &str, is: impl Fn(&str) -> bool) -> Option<usize> {
    let (mut quoted, mut depth) = (false, 0_usize);
    for (index, c) in text.char_indices() {
        if !quoted && depth == 0 && is(&text[index..]) {
            return Some(index);
        }
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
