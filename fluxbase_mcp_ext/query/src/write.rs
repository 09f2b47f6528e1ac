//! Changing rows: the arguments of the writing tools to statements.
//!
//! ```text
//! WITH _w AS (UPDATE "s"."t" AS t SET … WHERE … RETURNING t."a", t."b")
//!      SELECT row_to_json(_r.*) FROM (SELECT … FROM _w AS t) AS _r
//! … SELECT to_json(count(*)) FROM _w UNION ALL SELECT row_to_json(_r.*) …    when the records are not one for each touched row
//! UPDATE "s"."t" AS t SET … WHERE … RETURNING t."a", t."b"                 for [`Verb::plan_columns`], when the records are the touched rows
//! UPDATE "s"."t" AS t SET … WHERE …                                        when no records are wanted
//! ```
//!
//! Without records a write stays bare: RETURNING would need the privilege to read. This module does NOT run anything, and does
//! NOT enforce `expect` and `max_affected`, which are known only afterwards.

use crate::arguments::Arguments;
use crate::catalog::Catalog;
use crate::conflict::Conflict;
use crate::error::{Fault, Outcome, QueryError, place, show};
use crate::filter::Scope;
use crate::json::{Json, elements, members};
use crate::names::{nearest, push_ident};
use crate::predicate::Predicate;
use crate::read::MOST_COLUMNS;
use crate::select::returned;
use crate::selection::{And, Selection};
use crate::statement::{Alias, Builder, Statement};
use crate::table::{Column, Table};
use crate::value::input;

/// The arguments of [`insert`]. `max_chars` is for whoever runs the statement, here and below.
pub const INSERT_ARGUMENTS: [&str; 9] = [
    "table",
    "data",
    "returning",
    "on_conflict",
    "resolution",
    "expect",
    "max_affected",
    "dry_run",
    "max_chars",
];
/// The arguments of [`update`].
pub const UPDATE_ARGUMENTS: [&str; 8] =
    ["table", "data", "filter", "returning", "expect", "max_affected", "dry_run", "max_chars"];
/// The arguments of [`delete`].
pub const DELETE_ARGUMENTS: [&str; 7] =
    ["table", "filter", "returning", "expect", "max_affected", "dry_run", "max_chars"];
/// The arguments of a batch of writes; each operation has `op` and the arguments of its verb without the last two.
pub const BATCH_ARGUMENTS: [&str; 3] = ["operations", "dry_run", "max_chars"];

/// What to run for a write, and what must be true of it afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The statement.
    pub statement: Statement,
    /// The first row of the answer is no record but the number of touched rows, as a json number. Otherwise it is the number
    /// of rows, or of processed rows when [`Statement::returns`] is false.
    pub counted: bool,
    /// How many columns, the first ones, are the members of each record's object, with its names; 0: the first column is the object.
    pub outputs: usize,
    /// `data` was one object, not a list.
    pub single: bool,
    /// The length at which a list embedded in a record may have been cut; 0 when none may.
    pub open_list: u64,
    /// Rows may be left alone because they are there already.
    pub ignores: bool,
    /// Exactly so many rows must be touched.
    pub expect: Option<u64>,
    /// At most so many rows may be touched.
    pub max_affected: Option<u64>,
    /// Do it, report it, undo it.
    pub dry_run: bool,
}

/// The most values in one insert: Postgres's own bound for the parameters of a message.
const MAX_VALUES: usize = 65_535;

/// How many rows an embedded list of `returning` has at most.
const OPEN_LIST: u64 = 100;

/// Which rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// New ones, or by `on_conflict` those that are there.
    Insert,
    /// Those that a filter finds.
    Update,
    /// Those that a filter finds.
    Delete,
}

impl Verb {
    /// The verb that an operation of a batch names.
    ///
    /// # Errors
    /// Another word, with the nearest verb.
    pub fn parse(name: &str) -> Result<Verb, QueryError> {
        match name {
            "insert" => Ok(Verb::Insert),
            "update" => Ok(Verb::Update),
            "delete" => Ok(Verb::Delete),
            _ => {
                let near = match name {
                    "insert_record" | "upsert" | "upsert_record" => Some("insert"),
                    "update_record" => Some("update"),
                    "delete_record" => Some("delete"),
                    _ => nearest(name, ["insert", "update", "delete"].into_iter()),
                };
                let near = near.map_or_else(String::new, |near| format!("Did you mean {near}? "));
                Err(QueryError::argument(format!("op: {} is none of the verbs.", show(name)))
                    .with_hint(format!("{near}Write insert, update or delete.")))
            }
        }
    }

    /// The verb as it is written: "insert", "update", "delete".
    pub fn name(self) -> &'static str {
        match self {
            Verb::Insert => "insert",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }

    /// What has been done to the rows: "inserted", "updated", "deleted".
    pub fn past(self) -> &'static str {
        match self {
            Verb::Insert => "inserted",
            Verb::Update => "updated",
            Verb::Delete => "deleted",
        }
    }

    /// The arguments of the verb in a batch, which has `dry_run` and `max_chars` for all of them.
    pub fn arguments(self) -> &'static [&'static str] {
        let all: &[&str] = match self {
            Verb::Insert => &INSERT_ARGUMENTS,
            Verb::Update => &UPDATE_ARGUMENTS,
            Verb::Delete => &DELETE_ARGUMENTS,
        };
        // Those two come last.
        &all[..all.len() - 2]
    }

    /// Plans the verb.
    ///
    /// # Errors
    /// The first thing in the arguments that was not understood.
    pub fn plan<'t>(
        self,
        args: &Arguments,
        table: &'t Table,
        catalog: &'t dyn Catalog,
    ) -> Result<Write, QueryError> {
        self.plan_as(args, table, catalog, false)
    }

    /// [`Verb::plan`], but whoever runs the statement writes the objects, as for [`crate::select_columns`]: the members are columns
    /// ([`Write::outputs`]) of the write itself. Records that hold rows of other tables, or groups, come as objects all the same.
    ///
    /// # Errors
    /// As for [`Verb::plan`].
    pub fn plan_columns<'t>(
        self,
        args: &Arguments,
        table: &'t Table,
        catalog: &'t dyn Catalog,
    ) -> Result<Write, QueryError> {
        self.plan_as(args, table, catalog, true)
    }

    fn plan_as<'t>(
        self,
        args: &Arguments,
        table: &'t Table,
        catalog: &'t dyn Catalog,
        columns: bool,
    ) -> Result<Write, QueryError> {
        match self {
            Verb::Insert => insert_rows(args, table, catalog, columns),
            Verb::Update => update_rows(args, table, catalog, columns),
            Verb::Delete => delete_rows(args, table, catalog, columns),
        }
        .map_err(|error| error.with_outcome(Outcome::NothingChanged))
    }
}

/// Inserts rows. Arguments: [`INSERT_ARGUMENTS`].
///
/// `data` is an object of column: value, or a list of such objects; none is empty. Columns left out get their defaults.
///
/// # Errors
/// The first thing in the arguments that was not understood.
pub fn insert<'t>(args: &Arguments, table: &'t Table, catalog: &'t dyn Catalog) -> Result<Write, QueryError> {
    Verb::Insert.plan(args, table, catalog)
}

fn insert_rows<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    bare: bool,
) -> Result<Write, QueryError> {
    args.only(&INSERT_ARGUMENTS)?;
    let (rows, single) = rows(args, table)?;
    let mut columns: Vec<&Column> = Vec::new();
    for assignment in rows.iter().flatten() {
        if !columns.iter().any(|column| std::ptr::eq(*column, assignment.column)) {
            columns.push(assignment.column);
        }
    }
    if rows.len() * columns.len() > MAX_VALUES {
        return Err(QueryError::argument(format!(
            "data: holds {} rows of {} columns; one insert holds at most {MAX_VALUES} values.",
            rows.len(),
            columns.len()
        ))
        .with_hint("Insert them in several calls."));
    }
    let conflict = Conflict::read(args, table, &columns, &rows)?;
    let ignores = matches!(&conflict, Some(conflict) if conflict.set.is_empty());
    let selection = returned(args, table, catalog)?;
    let mut write = plan(args, selection, bare, |builder| {
        builder.sql.push_str("INSERT INTO ");
        builder.relation(table, Alias::TOP);
        builder.sql.push_str(" (");
        push_list(builder, &columns, |builder, column| push_ident(&mut builder.sql, &column.name));
        builder.sql.push_str(") VALUES ");
        for (index, mut row) in rows.into_iter().enumerate() {
            builder.sql.push_str(if index > 0 { ", (" } else { "(" });
            push_list(builder, &columns, |builder, column| {
                match row.iter().position(|assignment| std::ptr::eq(assignment.column, *column)) {
                    Some(found) => row.swap_remove(found).write_value(builder),
                    None => builder.sql.push_str("DEFAULT"),
                }
            });
            builder.sql.push(')');
        }
        if let Some(conflict) = &conflict {
            conflict.write(builder);
        }
    })?;
    write.single = single;
    write.ignores = ignores;
    Ok(write)
}

/// Changes the rows that a filter finds. Arguments: [`UPDATE_ARGUMENTS`]; the filter is required, and must be able to
/// leave out a row.
///
/// # Errors
/// The first thing in the arguments that was not understood.
pub fn update<'t>(args: &Arguments, table: &'t Table, catalog: &'t dyn Catalog) -> Result<Write, QueryError> {
    Verb::Update.plan(args, table, catalog)
}

fn update_rows<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    bare: bool,
) -> Result<Write, QueryError> {
    args.only(&UPDATE_ARGUMENTS)?;
    let Some(raw) = args.raw("data") else { return Err(missing_data()) };
    let Json::Object(object) = Json::read(raw, "data")? else {
        return Err(QueryError::argument(format!(
            "data: must be an object, not {}.",
            Json::read(raw, "data")?.kind()
        ))
        .with_hint("Write {\"data\":{\"column\":value}}."));
    };
    let assignments = assignments(object, table, Verb::Update, "data")?;
    let predicate = required_filter(args, table, catalog, "change")?;
    let selection = returned(args, table, catalog)?;
    plan(args, selection, bare, |builder| {
        builder.sql.push_str("UPDATE ");
        builder.relation(table, Alias::TOP);
        builder.sql.push_str(" SET ");
        for (index, assignment) in assignments.into_iter().enumerate() {
            if index > 0 {
                builder.sql.push_str(", ");
            }
            push_ident(&mut builder.sql, &assignment.column.name);
            builder.sql.push_str(" = ");
            assignment.write_value(builder);
        }
        builder.sql.push_str(" WHERE ");
        predicate.write(builder, Alias::TOP);
    })
}

/// Deletes the rows that a filter finds. Arguments: [`DELETE_ARGUMENTS`]; the filter is required, and must be able to
/// leave out a row.
///
/// # Errors
/// The first thing in the arguments that was not understood.
pub fn delete<'t>(args: &Arguments, table: &'t Table, catalog: &'t dyn Catalog) -> Result<Write, QueryError> {
    Verb::Delete.plan(args, table, catalog)
}

fn delete_rows<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    bare: bool,
) -> Result<Write, QueryError> {
    args.only(&DELETE_ARGUMENTS)?;
    let predicate = required_filter(args, table, catalog, "delete")?;
    let selection = returned(args, table, catalog)?;
    plan(args, selection, bare, |builder| {
        builder.sql.push_str("DELETE FROM ");
        builder.relation(table, Alias::TOP);
        builder.sql.push_str(" WHERE ");
        predicate.write(builder, Alias::TOP);
    })
}

/// Wraps a write so that its records come out as json, and reads what all verbs share.
fn plan(
    args: &Arguments,
    selection: Option<Selection<'_>>,
    bare: bool,
    body: impl FnOnce(&mut Builder),
) -> Result<Write, QueryError> {
    let mut builder = Builder::new(OPEN_LIST);
    let counted = selection.as_ref().is_some_and(|selection| selection.is_grouped() || selection.has_inner());
    let returns = selection.is_some();
    let open_list = if selection.as_ref().is_some_and(Selection::has_open_list) { OPEN_LIST } else { 0 };
    let mut outputs = 0;
    match selection {
        None => body(&mut builder),
        Some(selection) if bare && is_plain(&selection) => {
            outputs = selection.outputs.len();
            body(&mut builder);
            builder.sql.push_str(" RETURNING ");
            let source = selection.write_joins(&mut builder, Alias::TOP);
            builder.baring(true, |b| selection.write_outputs(b, &source));
        }
        Some(selection) => write_returning(&mut builder, &selection, counted, body),
    }
    Ok(Write {
        statement: builder.statement(returns),
        counted,
        outputs,
        single: false,
        open_list,
        ignores: false,
        expect: number(args, "expect")?,
        max_affected: number(args, "max_affected")?,
        dry_run: args.bool("dry_run")?.unwrap_or(false),
    })
}

/// Whether each record is made of the touched row alone. What is read of other tables stays in a statement around the write, which
/// Postgres carries out as one.
fn is_plain(selection: &Selection<'_>) -> bool {
    selection.embeds.is_empty() && !selection.is_grouped() && selection.outputs.len() <= MOST_COLUMNS
}

fn write_returning(
    builder: &mut Builder,
    selection: &Selection<'_>,
    counted: bool,
    body: impl FnOnce(&mut Builder),
) {
    let top = Alias::TOP;
    builder.sql.push_str("WITH _w AS (");
    body(builder);
    builder.sql.push_str(" RETURNING ");
    match &selection.columns_read()[..] {
        [] => builder.sql.push_str("NULL"),
        columns => push_list(builder, columns, |builder, name| builder.column(top, name)),
    }
    builder.sql.push_str(") ");
    if counted {
        builder.sql.push_str("SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM _w UNION ALL ");
    }
    builder.sql.push_str("SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT ");
    let (source, joins) = builder.fragment(|b| selection.write_joins(b, top));
    selection.write_outputs(builder, &source);
    builder.sql.push_str(" FROM _w AS t");
    builder.sql.push_str(&joins);
    selection.write_inner(builder, top, &mut And::first());
    selection.write_groups(builder, &source);
    builder.sql.push_str(") AS _r");
}

pub(crate) fn push_list<T>(builder: &mut Builder, items: &[T], mut push: impl FnMut(&mut Builder, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            builder.sql.push_str(", ");
        }
        push(builder, item);
    }
}

fn number(args: &Arguments, name: &str) -> Result<Option<u64>, QueryError> {
    match args.int(name)? {
        Some(value) if value < 0 => {
            Err(QueryError::argument(format!("{name}: must be 0 or more, not {value}.")))
        }
        value => Ok(value.map(i64::unsigned_abs)),
    }
}

fn required_filter<'t>(
    args: &Arguments,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    verb: &str,
) -> Result<Predicate<'t>, QueryError> {
    let hint = "Write a condition that says which rows: {\"filter\":{\"id\":\"eq.5\"}}.";
    let Some(raw) = args.raw("filter") else {
        return Err(QueryError::argument("filter: is missing.").with_hint(hint));
    };
    match Predicate::parse(raw, Scope { table, catalog, embeds: &[] }, "filter")? {
        Predicate::All(all) if all.is_empty() => {
            Err(QueryError::argument(format!("filter: is empty, which would {verb} every row."))
                .with_hint(hint))
        }
        predicate if predicate.is_always(true) => {
            Err(QueryError::argument(format!("filter: leaves out no row, which would {verb} every row."))
                .with_hint(hint))
        }
        predicate => Ok(predicate),
    }
}

/// One column with its new value.
pub(crate) struct Assignment<'t> {
    pub(crate) column: &'t Column,
    value: Option<String>,
    /// Where it stood.
    at: String,
}

impl Assignment<'_> {
    /// Appends the value.
    fn write_value(self, builder: &mut Builder) {
        builder.bind(self.column.type_oid, self.value, || self.at);
    }
}

fn missing_data() -> QueryError {
    QueryError::argument("data: is missing.").with_hint("Write {\"data\":{\"column\":value}}.")
}

/// The rows of an insert, and whether `data` was one object.
fn rows<'t>(args: &Arguments, table: &'t Table) -> Result<(Vec<Vec<Assignment<'t>>>, bool), QueryError> {
    let Some(raw) = args.raw("data") else { return Err(missing_data()) };
    let list = match Json::read(raw, "data")? {
        Json::Object(object) => return Ok((vec![assignments(object, table, Verb::Insert, "data")?], true)),
        Json::Array(list) => elements(list, "data")?,
        other => {
            return Err(QueryError::argument(format!(
                "data: must be an object or a list of objects, not {}.",
                other.kind()
            ))
            .with_hint("Write {\"data\":{\"column\":value}} or {\"data\":[{\"column\":value},…]}."));
        }
    };
    if list.is_empty() {
        return Err(QueryError::argument("data: is an empty list.").with_hint("Give it at least one row."));
    }
    let mut rows = Vec::with_capacity(list.len());
    for (index, raw) in list.into_iter().enumerate() {
        let at = format!("data[{index}]");
        match Json::read(raw, &at)? {
            Json::Object(object) => rows.push(assignments(object, table, Verb::Insert, &at)?),
            other => {
                return Err(QueryError::argument(format!("{at}: must be an object, not {}.", other.kind()))
                    .with_hint("Write {\"data\":[{\"column\":value},…]}."));
            }
        }
    }
    Ok((rows, false))
}

fn assignments<'t>(
    object: &serde_json::value::RawValue,
    table: &'t Table,
    verb: Verb,
    at: &str,
) -> Result<Vec<Assignment<'t>>, QueryError> {
    let entries = members(object, at)?;
    if entries.is_empty() {
        return Err(QueryError::argument(format!("{at}: is empty."))
            .with_hint("Write {\"data\":{\"column\":value}}."));
    }
    let mut assignments = Vec::with_capacity(entries.len());
    for (name, raw) in &entries {
        let at = place(at, name);
        let Some(column) = table.columns.iter().find(|column| column.name == *name) else {
            return Err(table.unknown_column(&at, name, table.columns.iter()));
        };
        if column.generated {
            let message = format!("{at}: Postgres computes this column, it cannot be given a value.");
            return Err(QueryError::Generated(Fault::new(message)).with_hint("Leave it out."));
        }
        let (allowed, doing) = match verb {
            Verb::Insert => (column.insert, "insert into"),
            Verb::Update | Verb::Delete => (column.update, "update"),
        };
        if !allowed {
            return Err(QueryError::privilege(format!(
                "{at}: you have no privilege to {doing} the column {}.",
                show(name)
            ))
            .with_hint("Leave it out."));
        }
        let value = input(column, raw, &at)?;
        assignments.push(Assignment { column, value, at });
    }
    Ok(assignments)
}
