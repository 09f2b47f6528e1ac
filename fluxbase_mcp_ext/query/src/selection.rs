//! What comes out of a table: outputs, groups, and embedded relations, and how they become SQL.
//!
//! ```text
//! to-one    (SELECT row_to_json(_r.*) FROM (SELECT … FROM "s"."x" AS t1 WHERE t1."id" = t."x_id") AS _r)
//! to-many   (SELECT concat('[', string_agg(row_to_json(_r.*)::text, ','), ']')::json FROM (… LIMIT n) AS _r)
//! inner     … AND EXISTS (SELECT 1 FROM "s"."x" AS t1 WHERE …)
//! groups    … FROM "s"."t" AS t LEFT JOIN LATERAL (SELECT …) AS t1 ON true GROUP BY t."a", t1.v0
//! ```
//!
//! `_r.*` is always the row: a bare `_r` would mean a column of that name first, even one of a table further out.
//!
//! Embedded rows are scalar subqueries, so that Postgres reads them for the rows of the answer only and not for those that a
//! sort and a limit drop. In groups they are joined, as text, since rows are grouped by what is shown of them. Each reads its
//! table as the caller's role, so row security holds in it.
//!
//! This module does NOT read text: see `select` and `embed`.

use std::borrow::Cow;
use std::fmt::Write;

use crate::aggregate::{Cast, Function, count_facts};
use crate::error::{Fault, QueryError, place};
use crate::field::Field;
use crate::names::push_ident;
use crate::order::{self, Key};
use crate::predicate::Predicate;
use crate::relation::Way;
use crate::render;
use crate::statement::{Alias, Builder};
use crate::table::{Column, Table};

/// The outputs of one table.
#[derive(Debug)]
pub(crate) struct Selection<'t> {
    pub(crate) table: &'t Table,
    /// In the order of the answer.
    pub(crate) outputs: Vec<Output<'t>>,
    /// The relations that outputs or inner joins speak of.
    pub(crate) embeds: Vec<Embed<'t>>,
}

/// One member of the JSON object.
#[derive(Debug)]
pub(crate) struct Output<'t> {
    pub(crate) name: Cow<'t, str>,
    pub(crate) what: What<'t>,
}

/// Where a member comes from.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all outputs are values")]
pub(crate) enum What<'t> {
    Value(Expression<'t>),
    /// The rows of `embeds[n]`.
    Embedded(usize),
    /// One output of the row of `embeds[n]`.
    Spread(usize, usize),
}

/// A value of a row, or of a group of rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expression<'t> {
    Field {
        field: Field<'t>,
        cast: Option<&'static Cast>,
    },
    Count {
        cast: Option<&'static Cast>,
    },
    Aggregate {
        function: Function,
        field: Field<'t>,
        inner: Option<&'static Cast>,
        cast: Option<&'static Cast>,
    },
}

/// An embedded relation.
#[derive(Debug)]
pub(crate) struct Embed<'t> {
    /// Its name in the answer, and for `embed`, `filter` and `order`.
    pub(crate) name: String,
    pub(crate) way: Way<'t>,
    pub(crate) selection: Selection<'t>,
    /// Rows without a row of it are left out.
    pub(crate) inner: bool,
    pub(crate) shape: Shape<'t>,
}

/// Which rows, in which order.
#[derive(Debug, Default)]
pub(crate) struct Shape<'t> {
    pub(crate) filter: Option<Predicate<'t>>,
    pub(crate) keys: Vec<Key<'t>>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
}

impl Expression<'_> {
    pub(crate) fn is_aggregate(&self) -> bool {
        !matches!(self, Expression::Field { .. })
    }

    /// The type of what comes out. An aggregate that does not exist was refused when it was parsed.
    pub(crate) fn facts(&self) -> Cow<'_, Column> {
        match self {
            Expression::Field { cast: Some(cast), .. }
            | Expression::Count { cast: Some(cast) }
            | Expression::Aggregate { cast: Some(cast), .. } => Cow::Owned(cast.facts()),
            Expression::Field { field, cast: None } => Cow::Borrowed(field.facts()),
            Expression::Count { cast: None } => Cow::Owned(count_facts()),
            Expression::Aggregate { function, inner: Some(inner), .. } => {
                let inner = inner.facts();
                Cow::Owned(function.facts(&inner, "").map_or_else(|_| inner.clone(), Cow::into_owned))
            }
            Expression::Aggregate { function, field, .. } => {
                function.facts(field.facts(), "").unwrap_or(Cow::Borrowed(field.facts()))
            }
        }
    }

    /// The expression itself, before it is made JSON.
    pub(crate) fn sql(&self, builder: &mut Builder, alias: Alias) -> String {
        match self {
            Expression::Count { .. } => self.finish("*".to_owned()),
            _ => {
                let raw = self.raw(builder, alias);
                self.finish(raw)
            }
        }
    }

    /// The value of one row: what an aggregate is taken over, or the expression itself.
    fn raw(&self, builder: &mut Builder, alias: Alias) -> String {
        let (field, cast) = match self {
            Expression::Field { field, cast } => (field, cast),
            Expression::Aggregate { field, inner, .. } => (field, inner),
            // Not null where there is a row.
            Expression::Count { .. } => return "1".to_owned(),
        };
        let sql = builder.fragment(|b| field.write(b, alias)).1;
        match cast {
            Some(cast) => cast.write(&sql),
            None => sql,
        }
    }

    /// What becomes of the value of one row.
    fn finish(&self, raw: String) -> String {
        let (sql, cast) = match self {
            Expression::Field { .. } => return raw,
            Expression::Count { cast } => (format!("pg_catalog.count({raw})"), *cast),
            Expression::Aggregate { function, field, inner, cast } => {
                let facts =
                    inner.map_or_else(|| Cow::Borrowed(field.facts()), |inner| Cow::Owned(inner.facts()));
                (function.write(&facts, &raw), cast.or_else(|| function.own_cast(&facts)))
            }
        };
        match cast {
            Some(cast) => cast.write(&sql),
            None => sql,
        }
    }
}

impl<'t> Selection<'t> {
    /// Whether rows are gathered into groups.
    pub(crate) fn is_grouped(&self) -> bool {
        (0..self.outputs.len()).any(|number| self.value(number).is_some_and(Expression::is_aggregate))
    }

    /// The value of an output, also of one that is spread; `None` for an embedded relation.
    pub(crate) fn value(&self, number: usize) -> Option<&Expression<'t>> {
        match &self.outputs[number].what {
            What::Value(value) => Some(value),
            What::Embedded(_) => None,
            What::Spread(n, inner) => self.embeds[*n].selection.value(*inner),
        }
    }

    /// Where the outputs are read from. For groups this appends to the FROM list what is shown of embedded relations.
    pub(crate) fn write_joins(&self, builder: &mut Builder, alias: Alias) -> Source {
        let mut source = Source { alias, joins: Vec::new() };
        if !self.is_grouped() {
            return source;
        }
        for (number, embed) in self.embeds.iter().enumerate() {
            let is_read = |output: &Output<'_>| matches!(output.what, What::Embedded(n) | What::Spread(n, _) if n == number);
            if !self.outputs.iter().any(is_read) {
                source.joins.push(alias);
                continue;
            }
            let join = builder.alias();
            source.joins.push(join);
            builder.sql.push_str(" LEFT JOIN LATERAL (");
            if self.outputs.iter().any(|output| matches!(output.what, What::Embedded(n) if n == number)) {
                builder.sql.push_str("SELECT (");
                embed.write_value(builder, alias);
                builder.sql.push_str(")::pg_catalog.text AS v0");
            } else {
                embed.write_raw(builder, alias);
            }
            builder.sql.push_str(") AS ");
            join.write(&mut builder.sql);
            builder.sql.push_str(" ON true");
        }
        source
    }

    /// Refuses to order or cut what groups take from a spread relation, which is one row.
    pub(crate) fn check_spread_shapes(&self) -> Result<(), QueryError> {
        for output in &self.outputs {
            let What::Spread(number, _) = output.what else { continue };
            let embed = &self.embeds[number];
            let Shape { keys, limit, offset, .. } = &embed.shape;
            if !keys.is_empty() || limit.is_some() || *offset > 0 {
                return Err(QueryError::Grouping(Fault::new(format!(
                    "{}: a relation that is spread into groups takes a filter only.",
                    place("embed", &embed.name)
                )))
                .with_hint("Leave order, limit and offset out."));
            }
        }
        Ok(())
    }

    /// Whether rows may be left out for want of an embedded row.
    pub(crate) fn has_inner(&self) -> bool {
        self.embeds.iter().any(|embed| embed.inner)
    }

    /// Whether an embedded list has no limit of its own.
    pub(crate) fn has_open_list(&self) -> bool {
        self.embeds.iter().any(|embed| {
            (!embed.way.relation.to_one && embed.shape.limit.is_none()) || embed.selection.has_open_list()
        })
    }

    /// The names of the columns that the outputs read, each once, in the order of the table.
    pub(crate) fn columns_read(&self) -> Vec<&'t str> {
        let read = |column: &&'t Column| {
            self.outputs.iter().any(|output| match &output.what {
                What::Value(Expression::Field { field, .. } | Expression::Aggregate { field, .. }) => {
                    std::ptr::eq(field.column, *column)
                }
                _ => false,
            }) || self.embeds.iter().any(|embed| embed.way.near_columns().any(|near| near == column.name))
        };
        self.table.columns.iter().filter(read).map(|column| column.name.as_str()).collect()
    }

    /// Appends the output list.
    pub(crate) fn write_outputs(&self, builder: &mut Builder, source: &Source) {
        for (index, output) in self.outputs.iter().enumerate() {
            if index > 0 {
                builder.sql.push_str(", ");
            }
            let bare = if source.joins.is_empty() {
                self.write_output(output, builder, source.alias)
            } else {
                self.write_grouped(index, builder, source);
                false
            };
            if !bare {
                builder.sql.push_str(" AS ");
                push_ident(&mut builder.sql, &output.name);
            }
        }
    }

    /// Appends one output and says whether it bears its name without AS.
    fn write_output(&self, output: &Output<'t>, builder: &mut Builder, alias: Alias) -> bool {
        match &output.what {
            What::Value(value) => {
                let sql = value.sql(builder, alias);
                let native = render::write(builder, &value.facts(), &sql);
                native
                    && matches!(value, Expression::Field { field, cast: None }
                        if !field.is_path() && field.column.name == output.name)
            }
            What::Embedded(n) => {
                self.embeds[*n].write_value(builder, alias);
                false
            }
            What::Spread(n, inner) => {
                let embed = &self.embeds[*n];
                builder.sql.push('(');
                embed.write_select(builder, alias, |builder, source| {
                    embed.selection.write_output(&embed.selection.outputs[*inner], builder, source.alias);
                });
                builder.sql.push(')');
                false
            }
        }
    }

    /// Appends one output of groups with joined relations.
    fn write_grouped(&self, number: usize, builder: &mut Builder, source: &Source) {
        let sql = self.grouped(number, builder, source);
        match self.value(number) {
            Some(value) => _ = render::write(builder, &value.facts(), &sql),
            None => {
                builder.sql.push_str(&sql);
                builder.sql.push_str("::pg_catalog.json");
            }
        }
    }

    /// An output of groups, before it is made JSON.
    pub(crate) fn grouped(&self, number: usize, builder: &mut Builder, source: &Source) -> String {
        let join = |n: usize, column: usize| {
            let mut sql = String::new();
            source.joins[n].write(&mut sql);
            _ = write!(sql, ".v{column}");
            sql
        };
        match &self.outputs[number].what {
            What::Value(value) => value.sql(builder, source.alias),
            What::Embedded(n) => join(*n, 0),
            What::Spread(n, inner) => match self.value(number) {
                Some(value) => value.finish(join(*n, *inner)),
                None => join(*n, *inner),
            },
        }
    }

    /// Appends what an output is made from, for one row.
    fn write_raw(&self, number: usize, builder: &mut Builder, alias: Alias) {
        match &self.outputs[number].what {
            What::Value(value) => {
                let sql = value.raw(builder, alias);
                builder.sql.push_str(&sql);
            }
            What::Embedded(n) => {
                builder.sql.push('(');
                self.embeds[*n].write_value(builder, alias);
                builder.sql.push_str(")::pg_catalog.text");
            }
            What::Spread(n, inner) => {
                let embed = &self.embeds[*n];
                let (far, from) = builder.fragment(|b| embed.way.write_from(b, alias));
                builder.sql.push_str("(SELECT ");
                embed.selection.write_raw(*inner, builder, far);
                builder.sql.push_str(" FROM ");
                builder.sql.push_str(&from);
                embed.write_conditions(builder, far, &mut And::more());
                builder.sql.push(')');
            }
        }
    }

    /// Appends ` AND EXISTS (…)` for every inner relation.
    pub(crate) fn write_inner(&self, builder: &mut Builder, alias: Alias, and: &mut And) {
        for embed in self.embeds.iter().filter(|embed| embed.inner) {
            and.next(builder);
            builder.sql.push_str("EXISTS (SELECT 1 FROM ");
            let far = embed.way.write_from(builder, alias);
            let mut and = And::more();
            embed.write_conditions(builder, far, &mut and);
            // Of the rest of a limit only none at all matters.
            if embed.shape.limit == Some(0) {
                builder.sql.push_str(" LIMIT 0");
            }
            if embed.shape.offset > 0 {
                // Writing to a String cannot fail.
                _ = write!(builder.sql, " OFFSET {}", embed.shape.offset);
            }
            builder.sql.push(')');
        }
    }

    /// Appends ` GROUP BY …`: the outputs that are no aggregates.
    pub(crate) fn write_groups(&self, builder: &mut Builder, source: &Source) {
        if !self.is_grouped() {
            return;
        }
        let is_group = |number: &usize| !self.value(*number).is_some_and(Expression::is_aggregate);
        let groups: Vec<usize> = (0..self.outputs.len()).filter(is_group).collect();
        for (index, number) in groups.into_iter().enumerate() {
            let sql = self.grouped(number, builder, source);
            builder.sql.push_str(if index == 0 { " GROUP BY " } else { ", " });
            builder.sql.push_str(&sql);
        }
    }
}

/// Where the outputs of a selection are read from: its table, and for groups the relations joined to it.
pub(crate) struct Source {
    pub(crate) alias: Alias,
    /// One for each of the embeds; empty unless rows are grouped.
    joins: Vec<Alias>,
}

impl Embed<'_> {
    /// Appends the JSON value of the embedded row or rows. json_agg would put blanks and line ends between rows, which somebody
    /// pays for.
    fn write_value(&self, builder: &mut Builder, outer: Alias) {
        // Rows within rows are made by Postgres.
        builder.baring(false, |builder| self.write_rows(builder, outer));
    }

    fn write_rows(&self, builder: &mut Builder, outer: Alias) {
        let many = !self.way.relation.to_one;
        builder.sql.push_str(if many {
            "(SELECT pg_catalog.concat('[', pg_catalog.string_agg(pg_catalog.row_to_json(_r.*)::pg_catalog.text, ','), \
             ']')::pg_catalog.json FROM ("
        } else {
            "(SELECT pg_catalog.row_to_json(_r.*) FROM ("
        });
        self.write_select(builder, outer, |builder, source| self.selection.write_outputs(builder, source));
        builder.sql.push_str(") AS _r)");
    }

    fn write_select(&self, builder: &mut Builder, outer: Alias, outputs: impl FnOnce(&mut Builder, &Source)) {
        let ((far, source), from) = builder
            .fragment(|b| self.way.write_joined(b, outer, |b, far| self.selection.write_joins(b, far)));
        builder.sql.push_str("SELECT ");
        outputs(builder, &source);
        builder.sql.push_str(" FROM ");
        builder.sql.push_str(&from);
        self.write_conditions(builder, far, &mut And::more());
        self.selection.write_groups(builder, &source);
        self.write_shape(builder, &source);
    }

    /// Appends a select of what the outputs of a spread relation are made from, one column for each: groups are made of it
    /// together with the row that it is spread into.
    fn write_raw(&self, builder: &mut Builder, outer: Alias) {
        let (far, from) = builder.fragment(|b| self.way.write_from(b, outer));
        builder.sql.push_str("SELECT ");
        for index in 0..self.selection.outputs.len() {
            if index > 0 {
                builder.sql.push_str(", ");
            }
            self.selection.write_raw(index, builder, far);
            // Writing to a String cannot fail.
            _ = write!(builder.sql, " AS v{index}");
        }
        builder.sql.push_str(" FROM ");
        builder.sql.push_str(&from);
        self.write_conditions(builder, far, &mut And::more());
    }

    fn write_shape(&self, builder: &mut Builder, source: &Source) {
        order::write(builder, &self.shape.keys, source, &self.selection);
        let limit = match self.shape.limit {
            None if !self.way.relation.to_one => Some(builder.open_list),
            limit => limit,
        };
        // Writing to a String cannot fail.
        if let Some(limit) = limit {
            _ = write!(builder.sql, " LIMIT {limit}");
        }
        if self.shape.offset > 0 {
            _ = write!(builder.sql, " OFFSET {}", self.shape.offset);
        }
    }

    fn write_conditions(&self, builder: &mut Builder, far: Alias, and: &mut And) {
        if let Some(filter) = &self.shape.filter
            && !filter.is_always(true)
        {
            and.next(builder);
            builder.within(format!("embed.{}.filter", self.name), |builder| filter.write(builder, far));
        }
        self.selection.write_inner(builder, far, and);
    }
}

/// WHERE before the first condition, AND before the others.
pub(crate) struct And(bool);

impl And {
    /// No condition yet.
    pub(crate) fn first() -> And {
        And(false)
    }

    /// There is one already.
    pub(crate) fn more() -> And {
        And(true)
    }

    pub(crate) fn next(&mut self, builder: &mut Builder) {
        builder.sql.push_str(if std::mem::replace(&mut self.0, true) { " AND " } else { " WHERE " });
    }
}
