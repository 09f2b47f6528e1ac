//! Reads the key table, and remembers what it read until Postgres says that the table changed.
//!
//! Invariants: the stored verifier is compared in constant time; expiry and revocation are looked at in each request; a revoked key
//! is refused by the next request in every backend, because the table's trigger invalidates it everywhere. Keys are
//! written by the SQL functions in `sql/`, not here.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

use fluxbase_credential::{Credential, Kind, Scope, Scopes};
use pgrx::Spi;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::role::Role;
use super::{Identity, Refusal, Settings, claims};
use crate::{catalog, guard, variables};

/// A key as the table holds it, ready for use.
pub struct Stored {
    /// Public id.
    pub key_id: String,
    /// Client or service.
    pub kind: Kind,
    /// Database role, by name.
    pub role: String,
    /// Whether `mcp.allow_role` allowed the role for keys.
    pub role_allowed: bool,
    /// Claims as settings.
    pub claims: Settings,
    /// The key's own settings.
    pub settings: Settings,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Requests a minute.
    pub rate_limit: Option<u32>,
    /// The identity made of it, with the role's description that it was made from.
    pub identity: RefCell<Option<(Rc<Identity>, Rc<Role>)>>,
    verifier: Vec<u8>,
    expires_at: Option<i64>,
    revoked: bool,
}

thread_local! {
    static KEYS: RefCell<HashMap<String, Rc<Stored>>> = RefCell::new(HashMap::new());
    static TABLES: Cell<[u32; 2]> = const { Cell::new([0; 2]) };
}

/// Most keys remembered by one backend.
const REMEMBERED: usize = 4096;

/// Forgets every key when `relation` is one of the tables that they are read from.
pub fn forget_if_read_from(relation: u32) {
    if TABLES.get().contains(&relation) {
        forget();
    }
}

/// Forgets every key.
pub fn forget() {
    KEYS.with_borrow_mut(HashMap::clear);
}

/// The key that `credential` proves to hold.
///
/// # Errors
/// [`Refusal`].
pub fn find(credential: &Credential) -> Result<Rc<Stored>, Refusal> {
    catalog::refresh();
    let known = KEYS.with_borrow(|keys| keys.get(&credential.id).cloned());
    let key = match known {
        Some(key) => key,
        None => {
            let key = Rc::new(read(&credential.id).ok_or(Refusal::Unknown)?);
            KEYS.with_borrow_mut(|keys| {
                if keys.len() >= REMEMBERED {
                    keys.clear();
                }
                keys.insert(key.key_id.clone(), key.clone());
            });
            key
        }
    };
    // The secret first: who does not hold it learns nothing about the key's state.
    if !credential.matches(&key.verifier) || key.kind != credential.kind {
        return Err(Refusal::Unknown);
    }
    if key.revoked {
        return Err(Refusal::Revoked);
    }
    let now = variables::GetCurrentStatementStartTimestamp();
    if key.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::Expired);
    }
    Ok(key)
}

/// One row of the key table, as JSON.
#[derive(Deserialize)]
struct Row {
    key_id: String,
    kind: String,
    role_name: String,
    role_allowed: bool,
    user_id: Option<String>,
    claims: Map<String, Value>,
    settings: Map<String, Value>,
    scopes: Vec<String>,
    rate_limit_per_min: Option<u32>,
    expires_at: Option<i64>,
    revoked: bool,
    verifier: String,
    tables: [u32; 2],
}

const KEY: &str = "
SELECT pg_catalog.json_build_object(
         'key_id', k.key_id, 'kind', k.kind, 'role_name', k.role_name, 'user_id', k.user_id, 'claims', k.claims,
         'settings', k.settings, 'scopes', k.scopes, 'rate_limit_per_min', k.rate_limit_per_min,
         'role_allowed', EXISTS (SELECT FROM mcp.allowed_roles AS r WHERE r.role_name = k.role_name),
         'expires_at', CASE WHEN pg_catalog.isfinite(k.expires_at)
                            THEN (EXTRACT(EPOCH FROM k.expires_at - '2000-01-01 00:00+00'::pg_catalog.timestamptz)
                                  * 1000000)::pg_catalog.int8 END,
         'revoked', k.revoked_at IS NOT NULL,
         'verifier', pg_catalog.encode(k.verifier, 'hex'),
         'tables', pg_catalog.json_build_array('mcp.keys'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.int8,
                                               'mcp.allowed_roles'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.int8)
       )::pg_catalog.text
  FROM mcp.keys AS k WHERE k.key_id = $1";

fn read(key_id: &str) -> Option<Stored> {
    let text: Option<String> = guard::as_owner(|| {
        Spi::connect(|client| {
            let mut rows = client.select(KEY, Some(1), &[key_id.into()])?;
            rows.next().map_or(Ok(None), |row| row.get::<String>(1))
        })
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading mcp.keys: {error}"));
    let row: Row = serde_json::from_str(&text?).unwrap_or_else(|error| panic!("a row of mcp.keys: {error}"));
    TABLES.set(row.tables);
    let kind = if row.kind == Kind::Service.as_str() { Kind::Service } else { Kind::Client };
    let named: Scopes = row.scopes.iter().filter_map(|scope| scope.parse::<Scope>().ok()).collect();
    let settings = row
        .settings
        .iter()
        .filter_map(|(name, value)| {
            Some((CString::new(name.as_str()).ok()?, CString::new(value.as_str()?).ok()?))
        })
        .collect();
    Some(Stored {
        kind,
        role_allowed: row.role_allowed,
        claims: claims::settings(row.user_id.as_deref(), &row.role_name, &row.claims),
        settings,
        // A service key without scopes means all of them; a client key without scopes means none.
        scopes: if kind == Kind::Service && row.scopes.is_empty() { Scopes::ALL } else { named },
        rate_limit: row.rate_limit_per_min.filter(|&limit| limit > 0),
        identity: RefCell::new(None),
        verifier: unhex(&row.verifier),
        expires_at: row.expires_at,
        revoked: row.revoked,
        key_id: row.key_id,
        role: row.role_name,
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()).collect()
}
