//! From the arguments of a table tool to one SQL statement and its parameters.
//!
//! The way through this crate, which needs no Postgres to build or to test:
//!
//! ```text
//! arguments (JSON)  ──▶  typed plan                         ──▶  SQL text + parameters
//! Arguments, Json        Selection, Predicate, Key, Write        Statement, Param
//! ```
//!
//! Invariants:
//! - No caller's text becomes SQL. Values, and the steps of JSON paths, are [`Param`]s. Identifiers are the catalog's own
//!   ([`Table`], [`Relation`]) and are quoted. The names of outputs are the only ones that a caller makes up; they may hold letters,
//!   digits and underscores only, and are quoted too.
//! - What is not understood is an error that says what to write, never ignored: an unread filter would widen a delete.
//! - Every column that a statement reads is one that the caller may read, also in relations and junctions.
//! - The output settings, the role and the search path are the guard's business. Functions and operators are
//!   schema-qualified here, so a search path cannot change what a statement means.
//!
//! What this crate does NOT do: look up tables and relations (the caller brings a [`Table`] and a [`Catalog`]), run SQL, check
//! scopes, or bound the size of an answer.

mod aggregate;
mod arguments;
mod catalog;
mod condition;
mod conflict;
mod cursor;
mod embed;
mod error;
mod field;
mod filter;
mod json;
mod names;
mod nearby;
mod operator;
mod order;
mod predicate;
mod read;
mod relation;
mod render;
mod rows;
mod search;
mod select;
mod selection;
mod shape;
mod statement;
mod table;
mod value;
mod vector;
mod write;

pub use arguments::Arguments;
pub use catalog::{Catalog, CatalogError, Junction, NoRelations, Pair, Relation};
pub use cursor::Keyset;
pub use error::{Fault, Outcome, QueryError, deceives, show};
pub use names::{TableName, nearest, quote_ident};
pub use nearby::{NearRead, near_query};
pub use read::{Bounds, Count, SELECT_ARGUMENTS, Select, select, select_columns, select_near};
pub use relation::reference;
pub use render::BARE;
pub use rows::{objects, values};
pub use search::{Indexes, Mode, Question, SEARCH_ARGUMENTS, Search, Source, TextIndex, VectorIndex, search};
pub use shape::{Kept, Shape};
pub use statement::{Param, Statement, Values};
pub use table::{Column, Table, VectorKind, VectorType};
pub use vector::{Embedding, Metric};
pub use write::{
    BATCH_ARGUMENTS, DELETE_ARGUMENTS, INSERT_ARGUMENTS, UPDATE_ARGUMENTS, Verb, Write, delete, insert,
    update,
};
