//! Who asks: role, claims, scopes and limits of one request.
//!
//! Invariants:
//! - An identity comes from a key that Postgres itself verified in this request, or is the current role of a person's own SQL
//!   session. Nothing in a request can name a role or a claim.
//! - A role that is, or has become, superuser is refused for keys at each use, as is a role that was never allowed.
//! - While a tool runs, the identity in force is the one that the outermost call began with.
//!
//! It does not run anything as that identity: see `guard`.

pub mod claims;
pub mod keys;
pub mod rate_limit;
mod role;

use std::cell::RefCell;
use std::ffi::CString;
use std::rc::Rc;

use fluxbase_credential::{Credential, Key, Kind, Scopes};
use pgrx::{PgSqlErrorCode, PgXactCallbackEvent, pg_sys, register_xact_callback};
use serde_json::{Map, Value};

use crate::audit;
use crate::error;
use crate::guard;
use crate::jobs;

/// Names and values of settings, ready for Postgres.
pub type Settings = Vec<(CString, CString)>;

/// Whom a request runs as and what it may do.
#[derive(Debug)]
pub struct Identity {
    /// The key's public id; `None` for a person's own session.
    pub key_id: Option<String>,
    /// The database role.
    pub role: pg_sys::Oid,
    /// `mcp.claims` and its mirrors.
    pub claims: Settings,
    /// Settings that hold while a tool runs.
    pub settings: Settings,
    /// What the key may be used for; all nine for a person's own session.
    pub scopes: Scopes,
    /// Whether hidden schemas are open: a service key, a superuser, or a member of `mcp_admin`.
    pub admin: bool,
    /// Requests a minute that the key itself allows.
    pub rate_limit: Option<u32>,
}

/// Why a credential is not accepted. The caller learns no more than that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such key, or its secret is another.
    #[error("the key is not known")]
    Unknown,
    /// The key was revoked.
    #[error("the key was revoked")]
    Revoked,
    /// The key's time is over.
    #[error("the key has expired")]
    Expired,
    /// Its role is gone, was never allowed for keys, or is superuser.
    #[error("the key's database role cannot be used")]
    Role,
}

thread_local! {
    static AUTHENTICATED: RefCell<Option<Rc<Identity>>> = const { RefCell::new(None) };
}

/// The identity of a call made in SQL: the one that `mcp.authenticate` set for this transaction, or else the current role
/// with all nine scopes.
pub fn of_session() -> Rc<Identity> {
    if let Some(identity) = AUTHENTICATED.with_borrow(Clone::clone) {
        return identity;
    }
    let role = role::current();
    let known = role::describe(role);
    Rc::new(Identity {
        key_id: None,
        role,
        claims: Vec::new(),
        settings: known.settings.clone(),
        scopes: Scopes::ALL,
        admin: known.superuser || known.admin,
        rate_limit: None,
    })
}

/// The identity that a wire credential stands for.
///
/// # Errors
/// [`Refusal`]; which one is for the log and for tests, not for the caller.
pub fn of_credential(credential: &Credential) -> Result<Rc<Identity>, Refusal> {
    let key = keys::find(credential)?;
    let role = role::by_name(&key.role).ok_or(Refusal::Role)?;
    let known = role::describe(role);
    if known.superuser || !key.role_allowed {
        return Err(Refusal::Role);
    }
    if let Some(identity) = key.identity.borrow().as_ref().filter(|made| Rc::ptr_eq(&made.1, &known)) {
        return Ok(identity.0.clone());
    }
    let mut settings = known.settings.clone();
    settings.extend(key.settings.iter().cloned());
    let identity = Rc::new(Identity {
        key_id: Some(key.key_id.clone()),
        role,
        claims: key.claims.clone(),
        settings,
        scopes: key.scopes,
        admin: key.kind == Kind::Service || known.admin,
        rate_limit: key.rate_limit,
    });
    key.identity.replace(Some((identity.clone(), known)));
    Ok(identity)
}

/// The identity that a job was submitted with, as its row has it: the role, its claims (`None`: none are set), and the settings of the key.
/// The role is looked at anew.
///
/// # Errors
/// [`Refusal::Role`]: it is gone, or has become superuser.
pub fn of_job(
    role: &str,
    key_id: Option<&str>,
    claims: Option<&Map<String, Value>>,
    settings: &Map<String, Value>,
) -> Result<Identity, Refusal> {
    let oid = role::by_name(role).ok_or(Refusal::Role)?;
    let known = role::describe(oid);
    if known.superuser {
        return Err(Refusal::Role);
    }
    let sub = claims.and_then(|claims| claims.get("sub")).and_then(Value::as_str);
    let mut all = known.settings.clone();
    all.extend(settings.iter().filter(|(name, _)| role::may_be_set(name)).filter_map(|(name, value)| {
        Some((CString::new(name.as_str()).ok()?, CString::new(value.as_str()?).ok()?))
    }));
    Ok(Identity {
        key_id: key_id.map(str::to_owned),
        role: oid,
        claims: claims.map(|claims| claims::settings(sub, role, claims)).unwrap_or_default(),
        settings: all,
        scopes: Scopes::ALL,
        admin: false,
        rate_limit: None,
    })
}

/// Takes a key's identity for the rest of the transaction; `text` is a plain key or a wire credential.
///
/// The text is not repeated in any error. A ROLLBACK TO SAVEPOINT does not take the identity back: the transaction's end does.
pub fn authenticate(text: Option<&str>) {
    if guard::holds() || jobs::call::run_here().is_some() {
        error::raise(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "mcp.authenticate cannot be called while a tool runs",
            Some("The identity of the outermost call holds until that call ends.".to_owned()),
        );
    }
    // NULL is a key that is not accepted: a client that forgot the parameter must not go on with the session's own rights.
    let text = text.unwrap_or_default();
    let credential = Key::parse(text).map(|key| Credential::from(&key)).or_else(|_| Credential::parse(text));
    let identity = match &credential {
        Ok(credential) => of_credential(credential),
        Err(_) => Err(Refusal::Unknown),
    };
    match identity {
        Ok(identity) => {
            if AUTHENTICATED.replace(Some(identity)).is_none() {
                register_xact_callback(PgXactCallbackEvent::Commit, forget);
                register_xact_callback(PgXactCallbackEvent::Abort, forget);
                register_xact_callback(PgXactCallbackEvent::Prepare, forget);
            }
        }
        Err(refusal) => {
            let key = credential.as_ref().map_or("", |credential| &credential.id);
            audit::refused(refusal.into(), key, None, 1);
            error::raise(
                PgSqlErrorCode::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
                "the key is not accepted",
                Some(format!("{refusal}. mcp.list_keys('client') shows the keys and their state.")),
            )
        }
    }
}

/// The current role.
pub fn current_role() -> pg_sys::Oid {
    role::current()
}

/// Forgets what is known of roles.
pub fn forget_roles() {
    role::forget();
}

/// Whether a key may carry the setting of that name.
pub fn setting_allowed(name: &str) -> bool {
    role::may_be_set(name)
}

fn forget() {
    AUTHENTICATED.set(None);
}
