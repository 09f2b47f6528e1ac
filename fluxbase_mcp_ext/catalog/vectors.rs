//! What a search by vectors needs to know beside a table's description: where pgvector is, and which indexes there are.
//!
//! Invariants: as for descriptions, what is kept is dropped when Postgres says that the table, or any type or schema, changed; an
//! extension that comes, goes or moves changes types. Indexes are no secret of a role's, so they are kept for all roles alike.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use fluxbase_query::{Indexes, TextIndex, VectorIndex};
use pgrx::pg_sys;
use serde::Deserialize;

use super::query;
use crate::error::Error;

const VECTORS: &str = include_str!("vectors.sql");
const REMEMBERED: usize = 1024;

const INSTALLED: &str = "
SELECT json_build_object('version', e.extversion, 'schema', quote_ident(n.nspname), 'role', quote_ident(CURRENT_USER),
                         'usable', has_schema_privilege(n.oid, 'USAGE'))::text
  FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'";

type Known = HashMap<pg_sys::Oid, Option<Rc<Pgvector>>>;

thread_local! {
    static PGVECTOR: RefCell<Known> = RefCell::new(HashMap::new());
    static INDEXES: RefCell<HashMap<u32, Rc<Indexes>>> = RefCell::new(HashMap::new());
}

/// pgvector in this database, for one role.
#[derive(Debug, Deserialize)]
pub struct Pgvector {
    version: String,
    /// Its schema, quoted for SQL.
    pub schema: String,
    /// The role, quoted for SQL.
    pub role: String,
    /// Whether the role may use what is in that schema.
    pub usable: bool,
}

impl Pgvector {
    /// Whether an index goes on when a filter leaves too few rows: from 0.8 on.
    pub fn goes_on(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (0, 8)
    }
}

/// pgvector, if this database has it.
pub fn pgvector() -> Result<Option<Rc<Pgvector>>, Error> {
    super::refresh();
    let role = crate::identity::current_role();
    if let Some(known) = PGVECTOR.with_borrow(|all| all.get(&role).cloned()) {
        return Ok(known);
    }
    let found = match query(INSTALLED, &[])?.pop() {
        None => None,
        Some(text) => Some(Rc::new(
            serde_json::from_str(&text)
                .map_err(|error| Error::internal(&format!("pg_extension: {error}")))?,
        )),
    };
    PGVECTOR.with_borrow_mut(|all| {
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(role, found.clone());
    });
    Ok(found)
}

#[derive(Deserialize)]
struct Row {
    known: bool,
    vectors: Vec<VectorRow>,
    texts: Vec<TextRow>,
}

#[derive(Deserialize)]
struct VectorRow {
    column: String,
    operator_class: String,
}

#[derive(Deserialize)]
struct TextRow {
    column: String,
    configuration: Option<u32>,
}

/// The indexes of the table with this oid, which the caller was found to have a privilege on.
pub fn indexes(oid: u32) -> Result<Rc<Indexes>, Error> {
    if let Some(known) = INDEXES.with_borrow(|all| all.get(&oid).cloned()) {
        return Ok(known);
    }
    let text = query(VECTORS, &[pg_sys::Oid::from(oid).into()])?.pop().unwrap_or_default();
    let row: Row = serde_json::from_str(&text)
        .map_err(|error| Error::internal(&format!("catalog/vectors.sql: {error}")))?;
    let vector = |row: VectorRow| VectorIndex { column: row.column, operator_class: row.operator_class };
    let text = |row: TextRow| TextIndex { column: row.column, configuration: row.configuration };
    let found = Rc::new(Indexes {
        known: row.known,
        vectors: row.vectors.into_iter().map(vector).collect(),
        texts: row.texts.into_iter().map(text).collect(),
    });
    INDEXES.with_borrow_mut(|all| {
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(oid, Rc::clone(&found));
    });
    Ok(found)
}

/// Drops what hangs on one of `relations`.
pub(super) fn forget(relations: &HashSet<u32>) {
    INDEXES.with_borrow_mut(|all| all.retain(|oid, _| !relations.contains(oid)));
}

/// Drops everything.
pub(super) fn forget_all() {
    INDEXES.with_borrow_mut(HashMap::clear);
    PGVECTOR.with_borrow_mut(HashMap::clear);
}
