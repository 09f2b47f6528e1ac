//! What this crate asks of the catalog beyond the table that a call names: its relations, and the tables at their other ends.
//!
//! This module does NOT read a catalog. The caller of the crate brings one that answers with the privileges of one role.

use crate::error::{Fault, QueryError};
use crate::table::Table;

/// The catalog as one role sees it.
pub trait Catalog {
    /// The foreign keys between `table` and others, both ways and through junction tables. Only those whose key columns
    /// the role may read at both ends, the junction included.
    ///
    /// # Errors
    /// [`CatalogError`] when the catalog cannot be read.
    fn relations(&self, table: &Table) -> Result<&[Relation], CatalogError>;

    /// The table with this oid, one that [`Catalog::relations`] told of. `None` when it is gone or out of reach.
    ///
    /// # Errors
    /// [`CatalogError`] when the catalog cannot be read.
    fn table(&self, oid: u32) -> Result<Option<&Table>, CatalogError>;
}

/// The catalog could not be read: a defect, not a mistake of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError(pub String);

impl From<CatalogError> for QueryError {
    fn from(error: CatalogError) -> Self {
        QueryError::Catalog(Fault::new(error.0))
    }
}

/// A catalog of one table without relations, for tests and for callers that offer none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRelations;

impl Catalog for NoRelations {
    fn relations(&self, _table: &Table) -> Result<&[Relation], CatalogError> {
        Ok(&[])
    }

    fn table(&self, _oid: u32) -> Result<Option<&Table>, CatalogError> {
        Ok(None)
    }
}

/// A way from one table to another along one foreign key, or along two that meet in a junction table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// `pg_class.oid` of the other table.
    pub oid: u32,
    /// Its schema, unquoted.
    pub schema: String,
    /// Its name, unquoted.
    pub name: String,
    /// At most one row at the other end: a key of this table, or a key of the other one that is unique.
    pub to_one: bool,
    /// `pg_constraint.conname` of the key; with a junction, of the junction's key to this table.
    pub constraint: String,
    /// What must be equal. Without a junction between this table and the other one, with one between this table and the
    /// junction.
    pub pairs: Vec<Pair>,
    /// The table in between, if there is one.
    pub junction: Option<Junction>,
}

/// A table whose rows pair the rows of two others: it has a key to each of them, and the columns of both keys are part of
/// its primary key or of one unique constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Junction {
    /// Schema, unquoted.
    pub schema: String,
    /// Name, unquoted.
    pub name: String,
    /// `pg_constraint.conname` of its key to the other table.
    pub constraint: String,
    /// What must be equal between the junction (near) and the other table (far).
    pub pairs: Vec<Pair>,
    /// Row security filters the junction for this role.
    pub row_security: bool,
}

/// Two columns that a foreign key makes equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The column at the side we come from, unquoted.
    pub near: String,
    /// The column at the side we go to, unquoted.
    pub far: String,
    /// The key's own operator (`pg_constraint.conpfeqop`) as SQL: `OPERATOR(pg_catalog.=)`, quoted by Postgres. Its left side is
    /// the referenced column.
    pub operator: String,
    /// The near column is the referenced one.
    pub near_is_referenced: bool,
}
