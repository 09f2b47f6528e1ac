//! The fields of the row types that columns are made of.
//!
//! A field is described as a column is, as far as values need it. Types are no secret: whoever may use a column may know what it
//! is made of. This module does NOT cache; the description of the table does.

use std::collections::HashMap;
use std::sync::Arc;

use fluxbase_query::Column;
use serde::Deserialize;

use super::query;
use crate::error::Error;

const ROW_TYPES: &str = include_str!("row_types.sql");
const COLUMNS: &str = include_str!("columns.sql");

/// One row type as catalog/row_types.sql gives it.
#[derive(Deserialize)]
struct RowType {
    oid: u32,
    relation: u32,
    fields: Vec<FieldRow>,
}

#[derive(Deserialize)]
struct FieldRow {
    name: String,
    type_oid: u32,
    type_sql: String,
    base_oid: u32,
    category: char,
    is_composite: bool,
    delimiter: char,
    element_oid: u32,
    element_category: char,
    nested: bool,
    has_json_cast: bool,
    row: Option<u32>,
}

/// Row types by their oid.
#[derive(Default)]
pub(super) struct RowTypes {
    rows: HashMap<u32, Vec<FieldRow>>,
    made: HashMap<u32, Arc<[Column]>>,
    /// Their relations (`pg_type.typrelid`), whose change makes them stale.
    pub(super) relations: Vec<u32>,
}

impl RowTypes {
    /// Reads these types and those that they are made of.
    pub(super) fn read(types: &[u32]) -> Result<RowTypes, Error> {
        let mut read = RowTypes::default();
        if types.is_empty() {
            return Ok(read);
        }
        let types: Vec<i64> = types.iter().copied().map(i64::from).collect();
        for line in query(ROW_TYPES, &[types.into()])? {
            let row: RowType = serde_json::from_str(&line)
                .map_err(|error| Error::internal(&format!("catalog/row_types.sql: {error}")))?;
            read.relations.push(row.relation);
            read.rows.insert(row.oid, row.fields);
        }
        Ok(read)
    }

    /// The fields of a type; none for `None`. Postgres allows no row type inside itself, so this ends.
    pub(super) fn fields(&mut self, row: Option<u32>) -> Arc<[Column]> {
        let Some(oid) = row else { return Arc::default() };
        if let Some(made) = self.made.get(&oid) {
            return Arc::clone(made);
        }
        let fields = self.rows.remove(&oid).unwrap_or_default();
        let fields: Arc<[Column]> = fields.into_iter().map(|field| self.column(field)).collect();
        self.made.insert(oid, Arc::clone(&fields));
        fields
    }

    fn column(&mut self, field: FieldRow) -> Column {
        Column {
            name: field.name,
            type_oid: field.type_oid,
            type_sql: field.type_sql,
            base_oid: field.base_oid,
            category: field.category,
            is_composite: field.is_composite,
            delimiter: field.delimiter,
            element_oid: field.element_oid,
            element_category: field.element_category,
            nested: field.nested,
            has_json_cast: field.has_json_cast,
            fields: self.fields(field.row),
            ..Column::default()
        }
    }
}

/// Columns of a result, by name and type.
///
/// # Errors
/// [`Error::Internal`] when the catalog cannot be read.
pub fn columns(found: Vec<(String, u32)>) -> Result<Vec<Column>, Error> {
    let types: Vec<i64> = found.iter().map(|(_, oid)| i64::from(*oid)).collect();
    let mut rows = Vec::with_capacity(found.len());
    for line in query(COLUMNS, &[types.into()])? {
        let row: FieldRow = serde_json::from_str(&line)
            .map_err(|error| Error::internal(&format!("catalog/columns.sql: {error}")))?;
        rows.push(row);
    }
    if rows.len() != found.len() {
        return Err(Error::internal("a result has a type that pg_type does not have"));
    }
    let nested: Vec<u32> = rows.iter().filter_map(|row| row.row).collect();
    let mut types = RowTypes::read(&nested)?;
    Ok(rows.into_iter().zip(found).map(|(row, (name, _))| Column { name, ..types.column(row) }).collect())
}
