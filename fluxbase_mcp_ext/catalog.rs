//! What the current role may see of the database.
//!
//! Invariants:
//! - Everything comes from queries that ask Postgres for the current role's privileges; a relation or column without one does
//!   not exist here, neither in answers nor in hints.
//! - Hidden schemas and the system catalogs are open to admins only, whatever the grants are.
//! - A cached description is one role's and is dropped when Postgres says that its relation, a role, a schema or a type changed.
//!
//! It runs inside the guard. It does not read tables' rows.

mod relations;
mod row_types;
pub mod vectors;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use fluxbase_query::{Column, Table, TableName, VectorKind, VectorType, nearest, show};
use pgrx::datum::DatumWithOid;
use pgrx::{Spi, pg_sys};
use serde::Deserialize;

use crate::cache::{self, Stale};
use crate::error::Error;
use crate::identity::{Identity, keys};
use crate::{ask, guard, gucs, identity, planned, registered, statement};

pub use relations::{Reader, relations};
use row_types::RowTypes;
pub use row_types::columns;

const TABLE: &str = include_str!("catalog/table.sql");
const TABLES: &str = include_str!("catalog/tables.sql");
const ABOUT: &str = include_str!("catalog/about.sql");
const SYSTEM: [&str; 2] = ["pg_catalog", "information_schema"];
const REMEMBERED: usize = 1024;

/// A relation as one role may use it.
pub struct Described {
    /// What the query crate plans with.
    pub table: Table,
    /// What only people and models read.
    pub about: About,
    /// The tables that a view reads, and the relations of the row types that columns are made of.
    depends: Vec<u32>,
}

/// The parts of a description that no plan needs.
pub struct About {
    /// Whether row-level security is on.
    pub row_security: bool,
    /// select, insert, update, delete, as far as the role may.
    pub verbs: Vec<String>,
    /// One entry for each column, in the order of the table's columns.
    pub columns: Vec<ColumnAbout>,
}

/// The parts of a column's description that no plan needs.
pub struct ColumnAbout {
    /// The type with its modifier, such as `numeric(10,2)`.
    pub type_shown: String,
    /// The default expression.
    pub default: Option<String>,
    /// Whether it is an identity column.
    pub identity: bool,
    /// Whether its collation allows LIKE.
    pub like: bool,
}

type Key = (pg_sys::Oid, String, String);

thread_local! {
    static DESCRIBED: RefCell<HashMap<Key, Rc<Described>>> = RefCell::new(HashMap::new());
}

/// Drops from every cache what Postgres has called stale since the last call.
pub fn refresh() {
    match cache::take_stale() {
        Stale::Nothing => {}
        Stale::Some { relations, functions } => {
            if functions {
                registered::forget();
            }
            let relations: HashSet<u32> = relations.into_iter().collect();
            let changed = |oid: &u32| relations.contains(oid);
            DESCRIBED.with_borrow_mut(|all| {
                all.retain(|_, known| !changed(&known.table.oid) && !known.depends.iter().any(changed));
            });
            relations::forget(&relations);
            if !relations.is_empty() {
                planned::forget();
            }
            vectors::forget(&relations);
            for relation in relations {
                keys::forget_if_read_from(relation);
                registered::forget_if_read_from(relation);
                ask::secret::forget_if_read_from(relation);
            }
        }
        Stale::Everything => {
            DESCRIBED.with_borrow_mut(HashMap::clear);
            planned::forget();
            relations::forget_all();
            vectors::forget_all();
            keys::forget();
            registered::forget();
            identity::forget_roles();
            statement::forget_plans();
        }
    }
}

/// The relation that `name` names for `identity`: as written, or in `public` and then `mcp.search_schemas`.
///
/// # Errors
/// [`Error::Refused`] with the nearest name that the role may use. A relation without a privilege is as unknown as one
/// that does not exist.
pub fn table(identity: &Identity, name: &TableName) -> Result<Rc<Described>, Error> {
    refresh();
    let search;
    let schemas: &mut dyn Iterator<Item = &str> = match &name.schema {
        Some(schema) => &mut std::iter::once(schema.as_str()),
        None => {
            search = gucs::search_schemas();
            &mut std::iter::once("public").chain(list(&search))
        }
    };
    for schema in schemas {
        if !open(identity, schema) {
            continue;
        }
        if let Some(found) = describe(schema, &name.name)? {
            return Ok(found);
        }
    }
    let shown = match &name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.clone(),
    };
    let known = names(identity)?;
    let hint = match nearest(&shown, known.iter().map(String::as_str)) {
        Some(near) => format!("Did you mean \"{near}\"? list_tables shows every table that you may use."),
        None => "list_tables shows every table that you may use; others need their schema: schema.table."
            .to_owned(),
    };
    Err(Error::refused("42P01", format!("unknown table {}. Nothing was run.", show(&shown)), hint))
}

/// Whether the identity may reach into the schema at all.
pub fn open(identity: &Identity, schema: &str) -> bool {
    is_open(identity, schema, &gucs::hidden_schemas())
}

/// [`open`] with `mcp.hidden_schemas` read before.
fn is_open(identity: &Identity, schema: &str, hidden: &str) -> bool {
    identity.admin
        || !(SYSTEM.contains(&schema)
            || schema.starts_with("pg_toast")
            || schema.starts_with("pg_temp")
            || list(hidden).any(|hidden| hidden == schema))
}

/// Relations that the role may use, as JSON objects: schema, name, kind, comment, row_estimate.
pub fn list_tables(
    identity: &Identity,
    schema: Option<&str>,
    search: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<Vec<String>, Error> {
    let pattern = search
        .map(|text| format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
    let hidden = hidden_from(identity);
    query(
        TABLES,
        &[schema.into(), pattern.into(), limit.into(), offset.into(), hidden.into(), "public".into()],
    )
}

/// Keys, checks, comments and the estimate of a described table, as one JSON object.
pub fn about(oid: u32) -> Result<String, Error> {
    let mut found = query(ABOUT, &[pg_sys::Oid::from(oid).into()])?;
    found.pop().ok_or_else(|| Error::internal("about.sql gave no row"))
}

/// The labels of an enum type in their order, if the current role may use the type and its schema.
pub fn enum_labels(identity: &Identity, schema: &str, name: &str) -> Result<Vec<String>, Error> {
    const LABELS: &str = "
SELECT l.enumlabel::text
  FROM pg_namespace AS n JOIN pg_type AS t ON t.typnamespace = n.oid JOIN pg_enum AS l ON l.enumtypid = t.oid
 WHERE n.nspname = $1 AND t.typname = $2 AND has_schema_privilege(n.oid, 'USAGE') AND has_type_privilege(t.oid, 'USAGE')
 ORDER BY l.enumsortorder";
    if !open(identity, schema) {
        return Ok(Vec::new());
    }
    query(LABELS, &[schema.into(), name.into()])
}

/// Whether there is an enum type of that name, for whoever registers something that names it.
pub fn is_enum(schema: &str, name: &str) -> bool {
    const ENUM: &str = "
SELECT '' FROM pg_namespace AS n JOIN pg_type AS t ON t.typnamespace = n.oid
 WHERE n.nspname = $1 AND t.typname = $2 AND t.typtype = 'e'";
    query(ENUM, &[schema.into(), name.into()]).is_ok_and(|found| !found.is_empty())
}

/// The tables that the current role may use, as a call names them.
pub(crate) fn names(identity: &Identity) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Named {
        schema: String,
        name: String,
    }
    Ok(list_tables(identity, None, None, 5000, 0)?
        .iter()
        .filter_map(|line| serde_json::from_str::<Named>(line).ok())
        .map(
            |found| {
                if found.schema == "public" { found.name } else { format!("{}.{}", found.schema, found.name) }
            },
        )
        .collect())
}

fn hidden_from(identity: &Identity) -> Vec<String> {
    // Admins still do not want the system catalogs in a list of tables; they reach them by name.
    let hidden = gucs::hidden_schemas();
    let hidden = list(&hidden).filter(|_| !identity.admin);
    SYSTEM.into_iter().chain(hidden).map(str::to_owned).collect()
}

fn list(comma_list: &str) -> impl Iterator<Item = &str> {
    comma_list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn query(sql: &str, args: &[DatumWithOid<'_>]) -> Result<Vec<String>, Error> {
    guard::with_pinned_path(|| {
        Spi::connect(|client| {
            let rows = client.select(sql, None, args)?;
            rows.map(|row| row.get::<String>(1).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()
        })
    })
    .map_err(|error: pgrx::spi::Error| Error::internal(&format!("catalog query: {error}")))
}

/// One relation as catalog/table.sql gives it.
#[derive(Deserialize)]
struct TableRow {
    oid: u32,
    schema: String,
    name: String,
    kind: char,
    row_security: bool,
    filtered: bool,
    depends: Vec<u32>,
    key: Vec<String>,
    verbs: Vec<String>,
    columns: Vec<ColumnRow>,
}

#[derive(Deserialize)]
struct ColumnRow {
    name: String,
    type_oid: u32,
    type_sql: String,
    type_shown: String,
    typmod: i32,
    base_oid: u32,
    base_sql: String,
    base_schema: String,
    delimiter: char,
    array_oid: u32,
    category: char,
    is_composite: bool,
    element_oid: u32,
    element_category: char,
    nested: bool,
    has_json_cast: bool,
    row: Option<u32>,
    not_null: bool,
    has_default: bool,
    default: Option<String>,
    generated: bool,
    identity: bool,
    like: bool,
    enum_labels: Vec<String>,
    vector: Option<VectorRow>,
    select: bool,
    insert: bool,
    update: bool,
}

#[derive(Deserialize)]
struct VectorRow {
    kind: String,
    schema: String,
}

/// A table of one of our own parts, whose schemas are hidden, or one that a DBA registered there; `None` without a privilege on it.
pub fn of_part(schema: &str, name: &str) -> Result<Option<Rc<Described>>, Error> {
    refresh();
    describe(schema, name)
}

fn describe(schema: &str, name: &str) -> Result<Option<Rc<Described>>, Error> {
    let key = (identity::current_role(), schema.to_owned(), name.to_owned());
    if let Some(known) = DESCRIBED.with_borrow(|all| all.get(&key).cloned()) {
        return Ok(Some(known));
    }
    let Some(text) = query(TABLE, &[schema.into(), name.into()])?.pop() else { return Ok(None) };
    let row: TableRow = serde_json::from_str(&text)
        .map_err(|error| Error::internal(&format!("catalog/table.sql: {error}")))?;
    let types: Vec<u32> = row.columns.iter().filter_map(|column| column.row).collect();
    let described = Rc::new(Described::new(row, RowTypes::read(&types)?));
    DESCRIBED.with_borrow_mut(|all| {
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(key, Rc::clone(&described));
    });
    Ok(Some(described))
}

impl Described {
    fn new(row: TableRow, mut types: RowTypes) -> Self {
        let (columns, about) = row.columns.into_iter().map(|column| column.split(&mut types)).unzip();
        let mut depends = row.depends;
        depends.append(&mut types.relations);
        Described {
            table: Table {
                oid: row.oid,
                schema: row.schema,
                name: row.name,
                kind: row.kind,
                columns,
                key: row.key,
                row_security: row.filtered,
            },
            about: About { row_security: row.row_security, verbs: row.verbs, columns: about },
            depends,
        }
    }
}

impl ColumnRow {
    fn split(self, types: &mut RowTypes) -> (Column, ColumnAbout) {
        (
            Column {
                name: self.name,
                type_oid: self.type_oid,
                type_sql: self.type_sql,
                typmod: self.typmod,
                base_oid: self.base_oid,
                base_sql: self.base_sql,
                base_schema: self.base_schema,
                delimiter: self.delimiter,
                array_oid: self.array_oid,
                category: self.category,
                is_composite: self.is_composite,
                element_oid: self.element_oid,
                element_category: self.element_category,
                nested: self.nested,
                has_json_cast: self.has_json_cast,
                fields: types.fields(self.row),
                not_null: self.not_null,
                has_default: self.has_default,
                generated: self.generated,
                enum_labels: self.enum_labels,
                vector: self.vector.and_then(|found| {
                    VectorKind::of(&found.kind).map(|kind| VectorType { kind, schema: found.schema })
                }),
                select: self.select,
                insert: self.insert,
                update: self.update,
            },
            ColumnAbout {
                type_shown: self.type_shown,
                default: self.default,
                identity: self.identity,
                like: self.like,
            },
        )
    }
}
