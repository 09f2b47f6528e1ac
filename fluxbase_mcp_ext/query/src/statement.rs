//! The four statements: select, insert, update, delete.
//!
//! Each reads its arguments into a typed plan first and writes SQL only from that. Shapes:
//!
//! ```text
//! SELECT pg_catalog.row_to_json(_r) FROM (SELECT … FROM "s"."t" AS t WHERE … ORDER BY … LIMIT n+1 OFFSET m) AS _r
//! WITH _r AS (UPDATE "s"."t" AS t SET … WHERE … RETURNING …) SELECT pg_catalog.row_to_json(_r) FROM _r
//! UPDATE "s"."t" AS t SET … WHERE …                                     (no records wanted: Statement::returns is false)
//! ```
//!
//! `t."x"` is always the relation's column, even if the table has a column named t. This module does NOT run anything.

use std::fmt::Write;

use crate::arguments::Arguments;
use crate::error::{Fault, Outcome, QueryError, place, show};
use crate::filter::Predicate;
use crate::json::{Json, members};
use crate::names::push_ident;
use crate::order;
use crate::select::{self, Output, returned, row_alias, selected};
use crate::table::{Column, Table, oid};
use crate::value::{Input, input};

/// The arguments of [`select()`].
pub const SELECT_ARGUMENTS: [&str; 6] = ["table", "select", "filter", "order", "limit", "offset"];
/// The arguments of [`insert`].
pub const INSERT_ARGUMENTS: [&str; 3] = ["table", "data", "returning"];
/// The arguments of [`update`].
pub const UPDATE_ARGUMENTS: [&str; 4] = ["table", "data", "filter", "returning"];
/// The arguments of [`delete`].
pub const DELETE_ARGUMENTS: [&str; 3] = ["table", "filter", "returning"];

/// One SQL statement, ready to be prepared with the OIDs of its parameters.
///
/// With [`Statement::returns`] it yields one column of type json, one row for each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text, with $1 … for `params` in their order. The same shape of call gives the same text.
    pub sql: String,
    /// The parameters.
    pub params: Vec<Param>,
    /// What the caller must be told besides the result: "limit 5000 was cut to 1000, the most that one answer holds."
    pub notes: Vec<String>,
    /// The limit that holds. The SQL says LIMIT `limit + 1` when [`Bounds::peek`] asks for it: a row beyond the limit means that there are more, and is not
    /// for the caller. 0 for writes.
    pub limit: u64,
    /// The offset; 0 for writes.
    pub offset: u64,
    /// Whether rows come back. If not, count the processed rows.
    pub returns: bool,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The type that it is prepared with. For `data` the column's own (a domain checks), in a filter the base type.
    pub type_oid: u32,
    /// For the input function; always -1. In `data` the assignment to the column applies the column's own, with an error
    /// where a value is too long, where the input function would do what a cast does.
    pub typmod: i32,
    /// Text for the input function; `None` is NULL. Without \0.
    pub value: Option<String>,
    /// Where it stood: "filter.id", "data.email". For the message if the input function fails.
    pub place: String,
}

/// Limits of [`select()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Rows when no limit is given. Default 100.
    pub default_limit: u64,
    /// The most rows; a higher limit is cut, with a note. Default 1000.
    pub max_limit: u64,
    /// Whether to ask for one row beyond the limit, to tell that there is more. Always done when a limit is cut. Default true.
    pub peek: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { default_limit: 100, max_limit: 1000, peek: true }
    }
}

/// SQL text in the making.
pub(crate) struct Builder {
    pub(crate) sql: String,
    params: Vec<Param>,
}

impl Builder {
    fn new(table: &Table) -> Self {
        Builder { sql: String::with_capacity(256 + 32 * table.columns.len()), params: Vec::with_capacity(8) }
    }

    /// Adds a parameter and appends its `$n`.
    pub(crate) fn bind(
        &mut self,
        type_oid: u32,
        value: impl Into<Option<String>>,
        place: impl FnOnce() -> String,
    ) {
        self.params.push(Param { type_oid, typmod: -1, value: value.into(), place: place() });
        // Writing to a String cannot fail.
        let _ = write!(self.sql, "${}", self.params.len());
    }

    /// Appends `"schema"."table" AS t`.
    fn relation(&mut self, table: &Table) {
        push_ident(&mut self.sql, &table.schema);
        self.sql.push('.');
        push_ident(&mut self.sql, &table.name);
        self.sql.push_str(" AS t");
    }

    fn filter(&mut self, predicate: Predicate<'_>) {
        self.sql.push_str(" WHERE ");
        predicate.write(self);
    }

    fn statement(self) -> Statement {
        Statement {
            sql: self.sql,
            params: self.params,
            notes: Vec::new(),
            limit: 0,
            offset: 0,
            returns: true,
        }
    }
}

/// Reads rows. Arguments: [`SELECT_ARGUMENTS`]; the value of `table` is not looked at, `table` is what it resolved to.
pub fn select(args: &Arguments, table: &Table, bounds: &Bounds) -> Result<Statement, QueryError> {
    read(args, table, bounds).map_err(|error| error.with_outcome(Outcome::NothingRead))
}

fn read(args: &Arguments, table: &Table, bounds: &Bounds) -> Result<Statement, QueryError> {
    args.only(&SELECT_ARGUMENTS)?;
    let outputs = selected(args, table)?;
    let predicate = args.raw("filter").map(|raw| Predicate::parse(raw, table)).transpose()?;
    let keys = order::keys(args, table)?;
    let mut notes = Vec::new();
    let offset = bounded(args, "offset", 0)?.unwrap_or(0);
    let limit = match bounded(args, "limit", 1)? {
        None => bounds.default_limit.min(bounds.max_limit),
        Some(limit) if limit > bounds.max_limit => {
            let max = bounds.max_limit;
            notes.push(format!("limit {limit} was cut to {max}, the most that one answer holds."));
            max
        }
        Some(limit) => limit,
    };

    let mut builder = Builder::new(table);
    let alias = row_alias(&outputs);
    builder.sql.push_str("SELECT pg_catalog.row_to_json(");
    builder.sql.push_str(&alias);
    builder.sql.push_str(") FROM (SELECT ");
    select::write(&mut builder.sql, &outputs);
    builder.sql.push_str(" FROM ");
    builder.relation(table);
    if let Some(predicate) = predicate
        && !predicate.is_always_true()
    {
        builder.filter(predicate);
    }
    order::write(&mut builder.sql, &keys);
    // Writing to a String cannot fail.
    let peek = bounds.peek || !notes.is_empty();
    let _ = write!(builder.sql, " LIMIT {}", limit.saturating_add(u64::from(peek)));
    if offset > 0 {
        let _ = write!(builder.sql, " OFFSET {offset}");
    }
    builder.sql.push_str(") AS ");
    builder.sql.push_str(&alias);
    Ok(Statement { notes, limit, offset, ..builder.statement() })
}

fn bounded(args: &Arguments, name: &str, least: i64) -> Result<Option<u64>, QueryError> {
    match args.int(name)? {
        None => Ok(None),
        Some(value) if value < least => {
            Err(QueryError::argument(format!("{name}: must be {least} or more, not {value}."))
                .with_hint(format!("Write {{\"{name}\":{}}}, or leave it out.", least.max(10))))
        }
        Some(value) => Ok(Some(value.unsigned_abs())),
    }
}

/// Inserts one row. Arguments: [`INSERT_ARGUMENTS`].
///
/// `data` is an object of column: value, and not empty. Columns left out get their defaults.
pub fn insert(args: &Arguments, table: &Table) -> Result<Statement, QueryError> {
    insert_row(args, table).map_err(|error| error.with_outcome(Outcome::NothingChanged))
}

fn insert_row(args: &Arguments, table: &Table) -> Result<Statement, QueryError> {
    args.only(&INSERT_ARGUMENTS)?;
    let assignments = assignments(args, table, Verb::Insert)?;
    let outputs = returned(args, table)?;
    Ok(write_statement(table, outputs, |builder| {
        builder.sql.push_str("INSERT INTO ");
        builder.relation(table);
        builder.sql.push_str(" (");
        for (index, assignment) in assignments.iter().enumerate() {
            if index > 0 {
                builder.sql.push_str(", ");
            }
            push_ident(&mut builder.sql, &assignment.column.name);
        }
        builder.sql.push_str(") VALUES (");
        for (index, assignment) in assignments.into_iter().enumerate() {
            if index > 0 {
                builder.sql.push_str(", ");
            }
            assignment.write_value(builder);
        }
        builder.sql.push(')');
    }))
}

/// Changes the rows that a filter finds. Arguments: [`UPDATE_ARGUMENTS`]; the filter is required, and must be able to
/// leave out a row.
pub fn update(args: &Arguments, table: &Table) -> Result<Statement, QueryError> {
    update_rows(args, table).map_err(|error| error.with_outcome(Outcome::NothingChanged))
}

fn update_rows(args: &Arguments, table: &Table) -> Result<Statement, QueryError> {
    args.only(&UPDATE_ARGUMENTS)?;
    let assignments = assignments(args, table, Verb::Update)?;
    let predicate = required_filter(args, table, "change")?;
    let outputs = returned(args, table)?;
    Ok(write_statement(table, outputs, |builder| {
        builder.sql.push_str("UPDATE ");
        builder.relation(table);
        builder.sql.push_str(" SET ");
        for (index, assignment) in assignments.into_iter().enumerate() {
            if index > 0 {
                builder.sql.push_str(", ");
            }
            push_ident(&mut builder.sql, &assignment.column.name);
            builder.sql.push_str(" = ");
            assignment.write_value(builder);
        }
        builder.filter(predicate);
    }))
}

/// Deletes the rows that a filter finds. Arguments: [`DELETE_ARGUMENTS`]; the filter is required, and must be able to
/// leave out a row.
pub fn delete(args: &Arguments, table: &Table) -> Result<Statement, QueryError> {
    delete_rows(args, table).map_err(|error| error.with_outcome(Outcome::NothingChanged))
}

fn delete_rows(args: &Arguments, table: &Table) -> Result<Statement, QueryError> {
    args.only(&DELETE_ARGUMENTS)?;
    let predicate = required_filter(args, table, "delete")?;
    let outputs = returned(args, table)?;
    Ok(write_statement(table, outputs, |builder| {
        builder.sql.push_str("DELETE FROM ");
        builder.relation(table);
        builder.filter(predicate);
    }))
}

/// Wraps a write so that its records come out as json. Without records it stays bare: RETURNING would need the privilege
/// to read.
fn write_statement(
    table: &Table,
    outputs: Option<Vec<Output<'_>>>,
    body: impl FnOnce(&mut Builder),
) -> Statement {
    let mut builder = Builder::new(table);
    let Some(outputs) = outputs else {
        body(&mut builder);
        return Statement { returns: false, ..builder.statement() };
    };
    let alias = row_alias(&outputs);
    let _ = write!(builder.sql, "WITH {alias} AS (");
    body(&mut builder);
    builder.sql.push_str(" RETURNING ");
    select::write(&mut builder.sql, &outputs);
    let _ = write!(builder.sql, ") SELECT pg_catalog.row_to_json({alias}) FROM {alias}");
    builder.statement()
}

fn required_filter<'t>(args: &Arguments, table: &'t Table, verb: &str) -> Result<Predicate<'t>, QueryError> {
    let predicate = args.raw("filter").map(|raw| Predicate::parse(raw, table)).transpose()?;
    let hint = "Write a condition that says which rows: {\"filter\":{\"id\":\"eq.5\"}}.";
    match predicate {
        None => Err(QueryError::argument("filter: is missing.").with_hint(hint)),
        Some(Predicate::All(all)) if all.is_empty() => {
            Err(QueryError::argument(format!("filter: is empty, which would {verb} every row."))
                .with_hint(hint))
        }
        Some(predicate) if predicate.is_always_true() => {
            Err(QueryError::argument(format!("filter: leaves out no row, which would {verb} every row."))
                .with_hint(hint))
        }
        Some(predicate) => Ok(predicate),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Insert,
    Update,
}

/// One column with its new value.
struct Assignment<'t> {
    column: &'t Column,
    value: Input,
}

impl Assignment<'_> {
    /// Appends the value.
    fn write_value(self, builder: &mut Builder) {
        let column = self.column;
        let at = || place("data", &column.name);
        match self.value {
            Input::Null => builder.bind(column.type_oid, None, at),
            Input::Text(text) => builder.bind(column.type_oid, text, at),
            Input::Record(json) => {
                builder.sql.push_str("pg_catalog.jsonb_populate_record(NULL::");
                builder.sql.push_str(&column.type_sql);
                builder.sql.push_str(", ");
                builder.bind(oid::JSONB, json, at);
                builder.sql.push(')');
            }
        }
    }
}

fn assignments<'t>(
    args: &Arguments,
    table: &'t Table,
    verb: Verb,
) -> Result<Vec<Assignment<'t>>, QueryError> {
    let hint = "Write {\"data\":{\"column\":value}}.";
    let Some(raw) = args.raw("data") else {
        return Err(QueryError::argument("data: is missing.").with_hint(hint));
    };
    let json = Json::read(raw, "data")?;
    let Json::Object(object) = json else {
        return Err(
            QueryError::argument(format!("data: must be an object, not {}.", json.kind())).with_hint(hint)
        );
    };
    let entries = members(object, "data")?;
    if entries.is_empty() {
        return Err(QueryError::argument("data: is empty.").with_hint(hint));
    }
    let mut assignments = Vec::with_capacity(entries.len());
    for (name, raw) in &entries {
        let at = place("data", name);
        let Some(column) = table.columns.iter().find(|column| column.name == *name) else {
            return Err(table.unknown_column(&at, name, table.columns.iter()));
        };
        if column.generated {
            let message = format!("{at}: Postgres computes this column, it cannot be given a value.");
            return Err(QueryError::Generated(Fault::new(message)).with_hint("Leave it out."));
        }
        let (allowed, doing) = match verb {
            Verb::Insert => (column.insert, "insert into"),
            Verb::Update => (column.update, "update"),
        };
        if !allowed {
            return Err(QueryError::privilege(format!(
                "{at}: you have no privilege to {doing} the column {}.",
                show(name)
            ))
            .with_hint("Leave it out."));
        }
        assignments.push(Assignment { column, value: input(column, raw, &at)? });
    }
    Ok(assignments)
}
