//! The arguments `on_conflict` and `resolution` of an insert: what to do with a row whose key is there already.
//!
//! ```text
//! on_conflict = column, … | * | blank        the columns of a unique key; * and blank mean the table's key
//! resolution  = merge (take the new values, the default) | ignore (leave the row alone)
//! ```
//!
//! This module does NOT know whether there is such a unique key; Postgres does.

use crate::arguments::Arguments;
use crate::error::{Fault, QueryError, place, show};
use crate::names::{push_ident, split, unquote};
use crate::statement::Builder;
use crate::table::{Column, Table};
use crate::write::{Assignment, push_list};

/// What to do with a row whose key is there already.
pub(crate) struct Conflict<'t> {
    target: Vec<&'t Column>,
    /// The columns that take the new values; none: the row that is there stays.
    pub(crate) set: Vec<&'t Column>,
}

impl<'t> Conflict<'t> {
    pub(crate) fn read(
        args: &Arguments,
        table: &'t Table,
        columns: &[&'t Column],
        rows: &[Vec<Assignment<'t>>],
    ) -> Result<Option<Conflict<'t>>, QueryError> {
        let (target, resolution) = (args.str("on_conflict")?, args.str("resolution")?);
        if target.is_none() && resolution.is_none() {
            return Ok(None);
        }
        let merge = match resolution.as_deref() {
            None | Some("merge") => true,
            Some("ignore") => false,
            Some(other) => {
                return Err(QueryError::argument(format!("resolution: {} is none.", show(other)))
                    .with_hint("Write merge (take the new values) or ignore (leave the row alone)."));
            }
        };
        let target = target_columns(target.as_deref().unwrap_or("*"), table)?;
        let mut set = Vec::new();
        if merge {
            if rows.iter().any(|row| row.len() != columns.len()) {
                return Err(QueryError::argument(
                    "data: with merge every row needs the same columns, or rows that are there would get defaults.",
                )
                .with_hint("Give each row the same columns, or insert them in several calls."));
            }
            set = columns
                .iter()
                .copied()
                .filter(|column| !target.iter().any(|t| t.name == column.name))
                .collect();
            if set.is_empty() {
                // The key to itself: the row counts as touched, comes back, and passes the policies of UPDATE, as with other
                // columns.
                set.clone_from(&target);
            }
            if let Some(column) = set.iter().find(|column| !column.update || !column.select) {
                let verb = if column.update { "read" } else { "update" };
                return Err(QueryError::privilege(format!(
                    "{}: you have no privilege to {verb} the column {}, which merge does.",
                    place("data", &column.name),
                    show(&column.name)
                ))
                .with_hint("Leave it out, or write resolution=\"ignore\"."));
            }
        }
        Ok(Some(Conflict { target, set }))
    }

    pub(crate) fn write(&self, builder: &mut Builder) {
        builder.sql.push_str(" ON CONFLICT (");
        push_list(builder, &self.target, |builder, column| push_ident(&mut builder.sql, &column.name));
        builder.sql.push_str(") DO ");
        if self.set.is_empty() {
            builder.sql.push_str("NOTHING");
            return;
        }
        builder.sql.push_str("UPDATE SET ");
        push_list(builder, &self.set, |builder, column| {
            push_ident(&mut builder.sql, &column.name);
            builder.sql.push_str(" = EXCLUDED.");
            push_ident(&mut builder.sql, &column.name);
        });
    }
}

/// The columns of `on_conflict`, which Postgres reads; the table's key when it is blank or `*`.
fn target_columns<'t>(text: &str, table: &'t Table) -> Result<Vec<&'t Column>, QueryError> {
    if matches!(text.trim(), "" | "*") {
        let key: Vec<&Column> = table.key.iter().filter_map(|name| table.readable(name)).collect();
        if key.is_empty() {
            return Err(QueryError::argument(format!(
                "on_conflict: {} has no primary key that you may read.",
                table.shown()
            ))
            .with_hint("Name the columns of a unique constraint: {\"on_conflict\":\"email\"}."));
        }
        return Ok(key);
    }
    let items = split(text, ',').map_err(|_| {
        QueryError::grammar(format!("on_conflict: {} has a double quote that is not closed.", show(text)))
    })?;
    let mut columns: Vec<&Column> = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = unquote(item).filter(|name| !name.is_empty()) else {
            return Err(QueryError::grammar(format!("on_conflict: {} is no list of columns.", show(text)))
                .with_hint("Write the columns of a unique constraint: \"email\" or \"tenant,email\"."));
        };
        let Some(column) = table.columns.iter().find(|column| column.name == name) else {
            return Err(table.unknown_readable("on_conflict", &name));
        };
        if !column.select {
            return Err(QueryError::privilege(format!(
                "on_conflict: you have no privilege to read the column {}, which finding the row needs.",
                show(&name)
            ))
            .with_hint("Leave on_conflict out, or name the columns of another unique constraint."));
        }
        if columns.iter().any(|known| std::ptr::eq(*known, column)) {
            let message = format!("on_conflict: the column {} stands twice.", show(&name));
            return Err(QueryError::DuplicateColumn(Fault::new(message)).with_hint("Name each column once."));
        }
        columns.push(column);
    }
    Ok(columns)
}
