//! The relations of a table, and the tables at their other ends: the catalog that the query crate plans with.
//!
//! Invariants:
//! - A relation is known only when the role may read every column of its keys, at both ends and in the junction, and when every
//!   schema on the way is open to the identity.
//! - What is kept is one role's. It is dropped when Postgres says that one of the tables that were looked at changed, used or
//!   not: a grant, a new key or a new unique index of another table makes and unmakes relations of this one.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use elsa::FrozenVec;
use fluxbase_query::{Catalog, CatalogError, Junction, Pair, Relation, Table};
use pgrx::pg_sys;
use serde::Deserialize;

use super::{Described, describe, is_open, query};
use crate::error::Error;
use crate::gucs;
use crate::identity::{self, Identity};

const RELATIONS: &str = include_str!("relations.sql");
const REMEMBERED: usize = 1024;

/// What a role's relations of one table are.
struct Related {
    /// Every table that was looked at.
    depends: HashSet<u32>,
    relations: Rc<Vec<Relation>>,
}

thread_local! {
    static RELATED: RefCell<HashMap<(pg_sys::Oid, u32), Related>> = RefCell::new(HashMap::new());
}

/// Drops what hangs on one of `relations`.
pub(super) fn forget(relations: &HashSet<u32>) {
    RELATED.with_borrow_mut(|all| {
        all.retain(|(_, oid), known| !relations.contains(oid) && known.depends.is_disjoint(relations));
    });
}

/// Drops everything.
pub(super) fn forget_all() {
    RELATED.with_borrow_mut(HashMap::clear);
}

/// The catalog as one identity sees it, for one call: what it hands out lives as long as it does.
pub struct Reader<'a> {
    identity: &'a Identity,
    /// With the oid of the table that they start from.
    relations: FrozenVec<Box<(u32, Rc<Vec<Relation>>)>>,
    tables: FrozenVec<Rc<Described>>,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing yet.
    pub fn new(identity: &'a Identity) -> Reader<'a> {
        Reader { identity, relations: FrozenVec::new(), tables: FrozenVec::new() }
    }

    /// Schema and name of a table that a relation told of.
    fn named(&self, oid: u32) -> Option<(String, String)> {
        let found =
            self.relations.iter().find_map(|(_, all)| all.iter().find(|relation| relation.oid == oid))?;
        Some((found.schema.clone(), found.name.clone()))
    }
}

impl Catalog for Reader<'_> {
    fn relations(&self, table: &Table) -> Result<&[Relation], CatalogError> {
        if let Some((_, known)) = self.relations.iter().find(|(from, _)| *from == table.oid) {
            return Ok(known);
        }
        let found = relations(self.identity, table.oid).map_err(|error| CatalogError(error.to_string()))?;
        Ok(&self.relations.push_get(Box::new((table.oid, found))).1)
    }

    fn table(&self, oid: u32) -> Result<Option<&Table>, CatalogError> {
        if let Some(known) = self.tables.iter().find(|known| known.table.oid == oid) {
            return Ok(Some(&known.table));
        }
        let Some((schema, name)) = self.named(oid) else { return Ok(None) };
        let found = describe(&schema, &name).map_err(|error| CatalogError(error.to_string()))?;
        // By now another table may have that name.
        let found = found.filter(|found| found.table.oid == oid);
        Ok(found.map(|found| &self.tables.push_get(found).table))
    }
}

/// The relations of the table with this oid that the identity may use: keys of this table and other ways to one row first, then
/// the ways to many, then those through junctions; each by name.
pub fn relations(identity: &Identity, oid: u32) -> Result<Rc<Vec<Relation>>, Error> {
    let key = (identity::current_role(), oid);
    let all = match RELATED.with_borrow(|all| all.get(&key).map(|known| Rc::clone(&known.relations))) {
        Some(known) => known,
        None => {
            let text = query(RELATIONS, &[pg_sys::Oid::from(oid).into()])?.pop().unwrap_or_default();
            let found: Found = serde_json::from_str(&text)
                .map_err(|error| Error::internal(&format!("catalog/relations.sql: {error}")))?;
            let relations = Rc::new(found.relations(oid));
            RELATED.with_borrow_mut(|all| {
                if all.len() >= REMEMBERED {
                    all.clear();
                }
                all.insert(key, Related { depends: found.depends, relations: Rc::clone(&relations) });
            });
            relations
        }
    };
    // Not kept: which schemas are open depends on the key and on settings.
    let hidden = gucs::hidden_schemas();
    let reachable = |relation: &Relation| {
        is_open(identity, &relation.schema, &hidden)
            && relation.junction.as_ref().is_none_or(|junction| is_open(identity, &junction.schema, &hidden))
    };
    if identity.admin || all.iter().all(reachable) {
        return Ok(all);
    }
    Ok(Rc::new(all.iter().filter(|relation| reachable(relation)).cloned().collect()))
}

/// What relations.sql gives.
#[derive(Deserialize)]
struct Found {
    depends: HashSet<u32>,
    keys: Vec<Key>,
    /// Tables with the columns of one primary key or unique constraint each.
    unique: Vec<(u32, HashSet<String>)>,
}

/// A foreign key.
#[derive(Deserialize)]
struct Key {
    name: String,
    own: End,
    other: End,
    /// Own column, referenced column, operator.
    columns: Vec<(String, String, String)>,
    /// At most one row has the same values in its own columns; asked only for keys that lead to the table in question.
    is_unique: bool,
    /// Row security filters the table that has it.
    filtered: bool,
}

/// A table at an end of a key.
#[derive(Deserialize)]
struct End {
    oid: u32,
    schema: String,
    name: String,
}

impl Key {
    /// From the table that has it to the one that it refers to.
    fn forth(&self) -> Vec<Pair> {
        self.pairs(|own, other| (own, other), false)
    }

    /// From the table that it refers to to the one that has it.
    fn back(&self) -> Vec<Pair> {
        self.pairs(|own, other| (other, own), true)
    }

    fn pairs<'a>(
        &'a self,
        order: impl Fn(&'a String, &'a String) -> (&'a String, &'a String),
        near_is_referenced: bool,
    ) -> Vec<Pair> {
        self.columns
            .iter()
            .map(|(own, other, operator)| {
                let (near, far) = order(own, other);
                Pair { near: near.clone(), far: far.clone(), operator: operator.clone(), near_is_referenced }
            })
            .collect()
    }

    fn is_within(&self, columns: &HashSet<String>) -> bool {
        self.columns.iter().all(|(own, _, _)| columns.contains(own))
    }
}

impl Found {
    /// The relations of the table with this oid, in their order.
    fn relations(&self, oid: u32) -> Vec<Relation> {
        let to =
            |end: &End, key: &Key, to_one: bool, pairs: Vec<Pair>, junction: Option<Junction>| Relation {
                oid: end.oid,
                schema: end.schema.clone(),
                name: end.name.clone(),
                to_one,
                constraint: key.name.clone(),
                pairs,
                junction,
            };
        let mut all = Vec::new();
        for key in &self.keys {
            if key.own.oid == oid {
                all.push(to(&key.other, key, true, key.forth(), None));
            }
            if key.other.oid == oid {
                all.push(to(&key.own, key, key.is_unique, key.back(), None));
            }
        }
        // Keys of one table stand side by side.
        for keys in self.keys.chunk_by(|one, next| one.own.oid == next.own.oid) {
            let junction = keys[0].own.oid;
            let unique: Vec<&HashSet<String>> = self
                .unique
                .iter()
                .filter(|(table, _)| *table == junction)
                .map(|(_, columns)| columns)
                .collect();
            if junction == oid || unique.is_empty() {
                continue;
            }
            for (near, far) in keys.iter().flat_map(|near| keys.iter().map(move |far| (near, far))) {
                if near.other.oid == oid
                    && far.name != near.name
                    && far.other.oid != junction
                    && unique.iter().any(|columns| near.is_within(columns) && far.is_within(columns))
                {
                    let between = Junction {
                        schema: far.own.schema.clone(),
                        name: far.own.name.clone(),
                        constraint: far.name.clone(),
                        pairs: far.forth(),
                        row_security: far.filtered,
                    };
                    all.push(to(&far.other, near, false, near.back(), Some(between)));
                }
            }
        }
        all.sort_by_cached_key(|relation| {
            let second = relation.junction.as_ref().map(|junction| junction.constraint.clone());
            let near_is_referenced = relation.pairs.first().is_some_and(|pair| pair.near_is_referenced);
            (
                relation.junction.is_some(),
                !relation.to_one,
                near_is_referenced,
                relation.schema.clone(),
                relation.name.clone(),
                relation.constraint.clone(),
                second,
            )
        });
        all
    }
}
