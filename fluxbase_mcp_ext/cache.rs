//! What Postgres tells this backend to forget.
//!
//! Invariants: a cached description of a table, and a cached key, is used only as long as Postgres has sent no message that
//! its source changed. Messages arrive before a new transaction reads anything, on standbys too. Callbacks only mark what is
//! stale; they never allocate Postgres memory, never raise an error and never read a catalog.
//!
//! A message can arrive between the moment a statement took its snapshot and the moment it looks here; what the statement
//! then reads is older than the message, and nothing would ever call it stale again. So what one statement was told, the next one
//! is told once more.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};

use pgrx::{pg_guard, pg_sys};

use crate::variables;

thread_local! {
    static MESSAGES: Cell<u64> = const { Cell::new(0) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
    static EVERYTHING: Cell<u64> = const { Cell::new(0) };
    static FUNCTIONS: Cell<bool> = const { Cell::new(false) };
    static RELATIONS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static TOLD: RefCell<Told> = const { RefCell::new(Told { statement: 0, everything: false, functions: false, relations: Vec::new() }) };
}

/// What a statement was told.
struct Told {
    /// When the statement began.
    statement: pg_sys::TimestampTz,
    everything: bool,
    functions: bool,
    relations: Vec<u32>,
}

/// Most relations remembered one by one between two looks; beyond it everything counts as stale.
const REMEMBERED: usize = 1024;

/// What changed since the last look.
pub enum Stale {
    /// Nothing that could matter.
    Nothing,
    /// These relations, by oid, and possibly a function.
    Some { relations: Vec<u32>, functions: bool },
    /// Possibly anything: roles, memberships, schemas, types.
    Everything,
}

/// What became stale since the last call. There is one reader: [`crate::catalog::refresh`] hands it on to all caches.
pub fn take_stale() -> Stale {
    register();
    let mut relations = RELATIONS.take();
    let mut everything = EVERYTHING.replace(0) > 0;
    let mut functions = FUNCTIONS.replace(false);
    let statement = variables::GetCurrentStatementStartTimestamp();
    TOLD.with_borrow_mut(|told| {
        if told.statement == statement {
            told.everything |= everything;
            told.functions |= functions;
            told.relations.extend(&relations);
            if told.relations.len() > REMEMBERED {
                told.relations.clear();
                told.everything = true;
            }
        } else {
            let before = Told { statement, everything, functions, relations: relations.clone() };
            let before = std::mem::replace(told, before);
            everything |= before.everything;
            functions |= before.functions;
            relations.extend(before.relations);
        }
    });
    if everything {
        Stale::Everything
    } else if relations.is_empty() && !functions {
        Stale::Nothing
    } else {
        Stale::Some { relations, functions }
    }
}

/// How many messages came to this backend: another number than before means that something that a caller sees may have changed.
pub fn messages() -> u64 {
    register();
    MESSAGES.get()
}

fn count() {
    MESSAGES.set(MESSAGES.get() + 1);
}

/// Registers the callbacks, once for each backend: the library may have been loaded by the postmaster.
fn register() {
    if REGISTERED.replace(true) {
        return;
    }
    EVERYTHING.set(1);
    // SAFETY: the callbacks are static functions with the signatures that Postgres calls them by; they stay registered for
    // the life of the backend.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0));
        for cache in [
            pg_sys::SysCacheIdentifier::AUTHOID,
            pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE,
            pg_sys::SysCacheIdentifier::NAMESPACEOID,
            pg_sys::SysCacheIdentifier::TYPEOID,
            pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME,
        ] {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(object_changed), pg_sys::Datum::from(0));
        }
        let cache = pg_sys::SysCacheIdentifier::PROCOID;
        pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(function_changed), pg_sys::Datum::from(0));
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_changed(_arg: pg_sys::Datum, relation: pg_sys::Oid) {
    count();
    if relation == pg_sys::InvalidOid {
        EVERYTHING.set(1);
        return;
    }
    RELATIONS.with_borrow_mut(|relations| {
        if relations.len() < REMEMBERED {
            relations.push(relation.to_u32());
        } else {
            EVERYTHING.set(1);
        }
    });
}

#[pg_guard]
unsafe extern "C-unwind" fn object_changed(_arg: pg_sys::Datum, _cache: i32, _hash: u32) {
    count();
    EVERYTHING.set(1);
}

#[pg_guard]
unsafe extern "C-unwind" fn function_changed(_arg: pg_sys::Datum, _cache: i32, _hash: u32) {
    count();
    FUNCTIONS.set(true);
}
