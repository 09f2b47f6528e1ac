//! The ways from one table to others: how a call names one, and how it becomes SQL.
//!
//! ```text
//! relation = table | schema.table | constraint | column [!hint]
//! hint     = constraint | column of the key | junction table
//! ```
//!
//! A name may fit several relations: then the error lists what to write for each. A table's key to itself leads two ways:
//! the column's name (`manager_id`) or the constraint's is the way to the one row, the table's name with one of them as hint
//! (`staff!manager_id`) the way back.
//!
//! This module does NOT know what is read at the other end.

use std::borrow::Cow;

use crate::catalog::{Catalog, Pair, Relation};
use crate::error::{Fault, QueryError, show};
use crate::names::{nearest, push_ident, split_items, unquote, written};
use crate::statement::{Alias, Builder};
use crate::table::Table;

/// A relation and the table that it leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'t> {
    pub(crate) relation: &'t Relation,
    pub(crate) table: &'t Table,
}

impl PartialEq for Way<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.relation == other.relation
    }
}

impl Eq for Way<'_> {}

impl<'t> Way<'t> {
    /// Finds the relation of `from` that `name` and `hint` mean. `None` when no relation has that name. With `prefer_one` a
    /// relation to many is no candidate where one to a single row is.
    pub(crate) fn find(
        catalog: &'t dyn Catalog,
        from: &'t Table,
        name: &str,
        hint: Option<&str>,
        prefer_one: bool,
        at: &str,
    ) -> Result<Option<Way<'t>>, QueryError> {
        let all = catalog.relations(from)?;
        let named: Vec<&Relation> = all.iter().filter(|relation| relation.is_named(name)).collect();
        if named.is_empty() {
            return Ok(None);
        }
        let mut fitting = meant(all, name, hint);
        if let Some(hint) = hint
            && fitting.is_empty()
        {
            return Err(QueryError::UnknownRelation(Fault::new(format!(
                "{at}: no relation between {} and {} has to do with {}.",
                from.shown(),
                show(name),
                show(hint)
            )))
            .with_hint(format!("Write {}.", choices(all, &named))));
        }
        if prefer_one && fitting.iter().any(|relation| relation.to_one) {
            fitting.retain(|relation| relation.to_one);
        }
        let [relation] = fitting[..] else {
            return Err(QueryError::AmbiguousRelation(Fault::new(format!(
                "{at}: {} can mean {} relations of {}.",
                show(name),
                fitting.len(),
                from.shown()
            )))
            .with_hint(format!("Write {}.", choices(all, &fitting))));
        };
        let Some(table) = catalog.table(relation.oid)? else { return Ok(None) };
        Ok(Some(Way { relation, table }))
    }

    /// Appends `"s"."t" AS tN WHERE …` with what joins it to `outer`, and returns the alias of the table at the other end.
    pub(crate) fn write_from(self, builder: &mut Builder, outer: Alias) -> Alias {
        self.write_joined(builder, outer, |_, _| ()).0
    }

    /// [`Way::write_from`], with what `joins` appends to the FROM list.
    pub(crate) fn write_joined<T>(
        self,
        builder: &mut Builder,
        outer: Alias,
        joins: impl FnOnce(&mut Builder, Alias) -> T,
    ) -> (Alias, T) {
        let far = builder.alias();
        let Some(junction) = &self.relation.junction else {
            builder.relation(self.table, far);
            let value = joins(builder, far);
            builder.sql.push_str(" WHERE ");
            write_pairs(builder, &self.relation.pairs, outer, far);
            return (far, value);
        };
        builder.secured |= junction.row_security;
        let between = builder.alias();
        push_ident(&mut builder.sql, &junction.schema);
        builder.sql.push('.');
        push_ident(&mut builder.sql, &junction.name);
        builder.sql.push_str(" AS ");
        between.write(&mut builder.sql);
        builder.sql.push_str(", ");
        builder.relation(self.table, far);
        let value = joins(builder, far);
        builder.sql.push_str(" WHERE ");
        write_pairs(builder, &self.relation.pairs, outer, between);
        builder.sql.push_str(" AND ");
        write_pairs(builder, &junction.pairs, between, far);
        (far, value)
    }

    /// The columns of the near table that the join reads.
    pub(crate) fn near_columns(self) -> impl Iterator<Item = &'t str> {
        self.relation.pairs.iter().map(|pair| pair.near.as_str())
    }
}

fn write_pairs(builder: &mut Builder, pairs: &[Pair], near: Alias, far: Alias) {
    for (index, pair) in pairs.iter().enumerate() {
        if index > 0 {
            builder.sql.push_str(" AND ");
        }
        let (left, right) = ((near, pair.near.as_str()), (far, pair.far.as_str()));
        let (left, right) = if pair.near_is_referenced { (left, right) } else { (right, left) };
        builder.column(left.0, left.1);
        builder.sql.push(' ');
        builder.sql.push_str(&pair.operator);
        builder.sql.push(' ');
        builder.column(right.0, right.1);
    }
}

/// A relation's name as a call writes it: plain, in double quotes, or schema.table. `None` when it is none.
pub(crate) fn read_name(text: &str) -> Option<String> {
    let parts: Vec<Cow<'_, str>> = match unquote(text) {
        Some(name) => vec![name],
        None => split_items(text, '.')?.into_iter().map(unquote).collect::<Option<_>>()?,
    };
    parts.iter().all(|part| !part.is_empty()).then(|| parts.join("."))
}

/// `name` or `name!hint`, as filter and order take it.
pub(crate) fn read_hinted(text: &str) -> Option<(String, Option<String>)> {
    match split_items(text, '!')?[..] {
        [name] => Some((read_name(name)?, None)),
        [name, hint] => Some((read_name(name)?, Some(read_name(hint)?))),
        _ => None,
    }
}

impl Relation {
    /// Whether `name` can mean this relation: the other table, the constraint, or the column of this table's key.
    fn is_named(&self, name: &str) -> bool {
        self.name == name
            || name.strip_suffix(self.name.as_str()).and_then(|rest| rest.strip_suffix('.'))
                == Some(self.schema.as_str())
            || (self.junction.is_none() && self.constraint == name)
            || self.own_column() == Some(name)
    }

    /// Whether `hint` speaks of this relation.
    fn fits(&self, hint: &str) -> bool {
        self.constraint == hint
            || self.pairs.iter().any(|pair| pair.near == hint && !pair.near_is_referenced)
            || match &self.junction {
                None => self.pairs.iter().any(|pair| pair.far == hint && pair.near_is_referenced),
                Some(junction) => {
                    junction.name == hint
                        || junction.constraint == hint
                        || self.pairs.iter().any(|pair| pair.far == hint)
                }
            }
    }

    /// Whether it goes against its key, or through a junction.
    fn goes_back(&self) -> bool {
        self.pairs.iter().any(|pair| pair.near_is_referenced)
    }

    /// The only column of this table's own key, when the relation is that key.
    fn own_column(&self) -> Option<&str> {
        match (&self.junction, &self.pairs[..]) {
            (None, [pair]) if !pair.near_is_referenced => Some(&pair.near),
            _ => None,
        }
    }
}

/// The relations that a name and a hint can mean.
///
/// Both ways of a table's key to itself have the same names: the constraint alone means the way that the key goes, the
/// table's name with a hint the way back.
fn meant<'r>(relations: &'r [Relation], name: &str, hint: Option<&str>) -> Vec<&'r Relation> {
    let fits = |relation: &&Relation| relation.is_named(name) && hint.is_none_or(|hint| relation.fits(hint));
    let mut fitting: Vec<&Relation> = relations.iter().filter(fits).collect();
    if let [one, two] = fitting[..]
        && one.oid == two.oid
        && one.constraint == two.constraint
        && one.junction.is_none()
        && two.junction.is_none()
        && (hint.is_some() || one.constraint == name)
    {
        fitting.retain(|relation| relation.goes_back() == hint.is_some());
    }
    fitting
}

/// What to write in `select` for the relation at `index`, without the parentheses: the shortest text that means no other
/// relation of the same table.
pub fn reference(relations: &[Relation], index: usize) -> String {
    let relation = &relations[index];
    let itself = |name: &str, hint: Option<&str>| matches!(meant(relations, name, hint)[..], [only] if std::ptr::eq(only, relation));
    let qualified = format!("{}.{}", relation.schema, relation.name);
    let names = [
        (relation.name.clone(), written(&relation.name)),
        (qualified, format!("{}.{}", written(&relation.schema), written(&relation.name))),
    ];
    if itself(&names[0].0, None) {
        return names[0].1.clone();
    }
    if let Some(column) = relation.own_column()
        && itself(column, None)
    {
        return written(column);
    }
    if itself(&names[1].0, None) {
        return names[1].1.clone();
    }
    for (name, text) in &names {
        let hints = relation
            .junction
            .iter()
            .map(|junction| junction.name.as_str())
            .chain(relation.pairs.iter().map(|pair| pair.far.as_str()))
            .chain(relation.junction.iter().map(|junction| junction.constraint.as_str()))
            .chain([relation.constraint.as_str()]);
        for hint in hints {
            if itself(name, Some(hint)) {
                return format!("{text}!{}", written(hint));
            }
        }
    }
    written(&relation.constraint)
}

fn choices(all: &[Relation], fitting: &[&Relation]) -> String {
    let texts: Vec<String> = fitting
        .iter()
        .filter_map(|relation| all.iter().position(|other| std::ptr::eq(other, *relation)))
        .map(|index| format!("{}(…)", reference(all, index)))
        .collect();
    texts.join(" or ")
}

/// How many relations a hint lists at most.
const LISTED: usize = 12;

/// The error for a name that is no relation of the table. `called`: parentheses follow, so it may have been meant as a function.
pub(crate) fn unknown(catalog: &dyn Catalog, from: &Table, name: &str, called: bool, at: &str) -> QueryError {
    let all = match catalog.relations(from) {
        Ok(all) => all,
        Err(error) => return error.into(),
    };
    let mut hint = String::new();
    let known = all.iter().flat_map(|relation| {
        [Some(relation.name.as_str()), relation.own_column(), Some(relation.constraint.as_str())]
    });
    let near = nearest(name, known.flatten());
    if let Some(near) = near {
        hint.push_str(&format!("Did you mean {}? ", show(near)));
    }
    if all.is_empty() {
        hint.push_str("It has none that you may use.");
    } else {
        let names: Vec<String> = (0..all.len().min(LISTED)).map(|index| reference(all, index)).collect();
        let more = if all.len() > LISTED { ", …" } else { "" };
        hint.push_str(&format!("Relations: {}{more}. describe_table shows them.", names.join(", ")));
    }
    if called && near.is_none() {
        hint.push_str(" SQL functions are not offered.");
    }
    QueryError::UnknownRelation(Fault::new(format!("{at}: {} has no relation {}.", from.shown(), show(name))))
        .with_hint(hint)
}
