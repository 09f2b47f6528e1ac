//! The role lock: a tool's body runs in here or not at all.
//!
//! Invariants:
//! - Inside, the current user is the caller's role, under `SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION`. That
//!   is what `SET ROLE` means for grants, row-level security and ownership, and it cannot be left: RESET ROLE, SET ROLE, SET
//!   SESSION AUTHORIZATION, temporary tables, WITH HOLD cursors, deferred triggers and LISTEN are refused by Postgres. Temporary
//!   tables alone can be allowed, by registration (`temporary`).
//! - Settings made by us or by the body are undone when it ends, whichever way it ends; for the listener, so is what outlives even a
//!   rollback (`leftovers`).
//! - A reading body runs with `transaction_read_only` on and its subtransaction is always rolled back, so nothing that it
//!   opened or changed is left; so is that of a write that is not to be kept (a dry run). The portals of one that is kept are
//!   closed before its subtransaction is released.
//! - An error is never caught without rolling the subtransaction back. Cancel, shutdown, out of memory, serialization failure
//!   and deadlock are thrown on.
//! - Inside a guard another guard can only keep the role that is already there.
//!
//! This file and those below guard/ are the only ones that touch the user id, the security context and subtransactions. It does not decide who the
//! caller is (`identity`) nor what the body may ask (`tools`).
#![allow(unsafe_code)]

mod deadline;
mod leftovers;
mod pinned;
mod temporary;

use std::cell::Cell;
use std::ffi::{CStr, CString, c_int};
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, Spi};

use crate::error::{self, Error};
use crate::statement;
use crate::variables;
use pinned::{pin, pin_anew, set};

pub use deadline::within;
pub use leftovers::spent;
pub use temporary::with_temporary_tables;

unsafe extern "C-unwind" {
    // Not pgrx's wrappers, for the reason that is in `variables`: they set or read variables (miscadmin.h, utils/guc.h), and cannot fail.
    fn GetUserIdAndSecContext(user: *mut pg_sys::Oid, security: *mut c_int);
    fn SetUserIdAndSecContext(user: pg_sys::Oid, security: c_int);
    fn NewGUCNestLevel() -> c_int;
}

/// What a body may do to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only, enforced by Postgres.
    Read,
    /// Read and write.
    Write,
}

/// Whom a body runs as and with which settings.
pub struct Actor<'a> {
    /// The database role.
    pub role: pg_sys::Oid,
    /// `mcp.claims` and its mirrors, empty when the identity has no claims.
    pub claims: &'a [(CString, CString)],
    /// Everything else that is pinned: search_path, row_security, output settings, the role's and the key's own.
    pub settings: &'a [(CString, CString)],
    /// Whether this call is a transaction of its own (the listener), so that no cursor of anybody else can be open.
    pub alone: bool,
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether a guard holds at this moment, that is, whether we are called from within a tool's body.
pub fn holds() -> bool {
    DEPTH.get() > 0
}

/// Whether nothing but the end of the whole transaction can undo what a body does now: its guard is the outermost one, and nobody had set a savepoint.
pub fn is_outermost() -> bool {
    // The transaction itself is level 1, the guard's subtransaction level 2.
    holds() && DEPTH.get() == 1 && variables::GetCurrentTransactionNestLevel() == 2
}

/// Counts the guards of this backend; dropping it, also while unwinding, takes the count back.
struct Held(#[expect(dead_code, reason = "dropped with the guard")] temporary::Outer);

impl Held {
    /// `security`: the security context outside.
    fn enter(security: i32) -> Held {
        DEPTH.set(DEPTH.get() + 1);
        Held(temporary::Outer::enter(security))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Runs `body` as `actor`. What a writing body did stays if it succeeded and `keep` says so of its answer.
///
/// # Errors
/// What `body` returned, or the error that Postgres raised in it, after the subtransaction was rolled back. Errors that end
/// the whole transaction are thrown on and not returned.
pub fn run<T>(
    actor: &Actor<'_>,
    access: Access,
    body: impl FnOnce() -> Result<T, Error>,
    keep: impl FnOnce(&T) -> bool,
) -> Result<T, Error> {
    if access == Access::Write && !holds() {
        // As the caller and before the guard: inside it a deferred trigger may not fire, so an insert into a table with an
        // INITIALLY DEFERRED key would fail whatever its values.
        set_constraints_immediate();
    }
    // SAFETY: the calls below are paired in Postgres's own order (as in plpgsql's exception blocks): GUC level, then
    // subtransaction, then user id; every path through this function ends the subtransaction and then the GUC level.
    // Memory context and resource owner are those of the caller again before anything is returned.
    unsafe {
        let nested = holds();
        // In a transaction block there may be cursors and locks of whoever began it.
        let alone = actor.alone && !nested && !variables::IsTransactionBlock();
        let had_schema = alone && leftovers::has_temporary_schema();
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        let mut user = pg_sys::InvalidOid;
        let mut security = 0;
        GetUserIdAndSecContext(&mut user, &mut security);
        let held = Held::enter(security);
        let level = NewGUCNestLevel();
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);

        let guarded = PgTryBuilder::new(AssertUnwindSafe(|| {
            if !nested {
                // mcp.claims cannot be set once the user id is switched, and inside another guard it is inherited.
                pin_anew(actor.claims, pg_sys::GucContext::PGC_SUSET);
            }
            pin(actor.settings, pg_sys::GucContext::PGC_USERSET);
            let lock = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
            SetUserIdAndSecContext(if nested { user } else { actor.role }, security | lock as i32);
            if access == Access::Read {
                pg_sys::XactReadOnly = true;
            }
            let outcome = body();
            let kept = access == Access::Write && outcome.as_ref().is_ok_and(keep);
            if kept {
                temporary::fire_what_was_put_off();
                close_portals(alone);
            }
            Attempt::Returned(outcome, kept)
        }))
        .catch_others(|caught| Attempt::Threw(AssertUnwindSafe(caught)));
        let attempt = error::listen(|| guarded.execute());

        if matches!(attempt, Attempt::Returned(_, true)) {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        SetUserIdAndSecContext(user, security);
        pg_sys::AtEOXact_GUC(false, level);
        if alone {
            leftovers::end(access, had_schema);
        }
        drop(held);

        let place = statement::take_place(nested);
        match attempt {
            Attempt::Returned(outcome, _) => outcome,
            Attempt::Threw(AssertUnwindSafe(caught)) => {
                if let Some(late) = deadline::take().filter(|_| error::was_cancelled(&caught)) {
                    return Err(late);
                }
                if error::must_rethrow(&caught) {
                    caught.rethrow();
                }
                match &caught {
                    CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
                        Err(Error::from_report(report, place.as_deref()))
                    }
                    CaughtError::RustPanic { ereport, .. } => Err(Error::internal(ereport.message())),
                }
            }
        }
    }
}

enum Attempt<T> {
    /// The outcome, and whether what the body did stays.
    Returned(Result<T, Error>, bool),
    Threw(AssertUnwindSafe<CaughtError>),
}

/// Runs one of our own fixed statements as the owner of the extension's private tables, which nobody else may read.
///
/// The body must be a statement of ours with every name schema-qualified; it must not evaluate anything of a caller's. An
/// error is not caught: the surrounding (sub)transaction takes the user id back.
pub fn as_owner<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: a NUL-terminated name; a role that is missing is an error of Postgres.
    as_role(unsafe { pg_sys::get_role_oid(c"mcp_owner".as_ptr(), false) }, body)
}

/// [`as_owner`] as another role: the owner of a table that the statement is about. What the table's triggers and policies do is done with
/// the rights of that owner and nothing more, as with any statement of its own.
pub fn as_role<T>(role: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    // SAFETY: the user id is restored on return; on an error Postgres restores it when it aborts the (sub)transaction.
    unsafe {
        let mut user = pg_sys::InvalidOid;
        let mut security = 0;
        GetUserIdAndSecContext(&mut user, &mut security);
        let lock = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
        SetUserIdAndSecContext(role, security | lock as i32);
        let value = with_pinned_path(body);
        SetUserIdAndSecContext(user, security);
        value
    }
}

/// Runs `body` with `search_path = pg_catalog, pg_temp`: for our own catalog queries, so that no operator or function that
/// somebody made in a schema of the caller's path takes the place of Postgres's own.
pub fn with_pinned_path<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the level is closed on return; on an error the surrounding subtransaction closes it.
    unsafe {
        let level = NewGUCNestLevel();
        set(c"search_path", c"pg_catalog, pg_temp", pg_sys::GucContext::PGC_USERSET);
        let value = body();
        pg_sys::AtEOXact_GUC(false, level);
        value
    }
}

/// Runs `body` with those settings, which an ordinary user may set.
pub fn with_settings<T>(settings: &[(CString, CString)], body: impl FnOnce() -> T) -> T {
    // SAFETY: as in `with_pinned_path`.
    unsafe {
        let level = NewGUCNestLevel();
        pin(settings, pg_sys::GucContext::PGC_USERSET);
        let value = body();
        pg_sys::AtEOXact_GUC(false, level);
        value
    }
}

/// The value of a setting, as text; `None` when nobody knows it.
pub fn setting(name: &CStr) -> Option<String> {
    // SAFETY: a NUL-terminated name; the returned text is copied before any other call.
    unsafe {
        let current = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!current.is_null()).then(|| CStr::from_ptr(current).to_string_lossy().into_owned())
    }
}

/// Whether an ordinary user may set `name` to `value`. Changes nothing, which Postgres answers with -1; 0 is a refusal, and with
/// `raise` it is Postgres's own error.
pub fn may_set(name: &CStr, value: &CStr, raise: bool) -> bool {
    let level = if raise { 0 } else { pg_sys::DEBUG5 as i32 };
    // SAFETY: NUL-terminated texts; changeVal is false, so nothing but the value's validity is looked at.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SET,
            false,
            level,
            false,
        ) != 0
    }
}

/// `SET CONSTRAINTS ALL IMMEDIATE`.
fn set_constraints_immediate() {
    let mut statement = pg_sys::ConstraintsSetStmt {
        type_: pg_sys::NodeTag::T_ConstraintsSetStmt,
        constraints: std::ptr::null_mut(),
        deferred: false,
    };
    // SAFETY: a complete node that outlives the call; an empty list means ALL.
    unsafe { pg_sys::AfterTriggerSetState(&mut statement) }
}

/// Closes the cursors that the body left open: one that was fetched later would run as the outer user.
fn close_portals(alone: bool) {
    if alone {
        // SAFETY: drops every portal but the active one, which runs this very call; no other can belong to anybody.
        unsafe { pg_sys::PortalHashTableDeleteAll() };
        return;
    }
    let names: Vec<String> = with_pinned_path(|| {
        Spi::connect(|client| {
            client
                .select("SELECT name FROM pg_catalog.pg_cursors", None, &[])
                .map(|rows| rows.filter_map(|row| row.get::<String>(1).ok().flatten()).collect())
        })
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading pg_cursors: {error}"));
    for name in names {
        let Ok(name) = CString::new(name) else { continue };
        // SAFETY: a portal found by name is alive; it is dropped only when this subtransaction (or one inside it, whose
        // portals pass to it) made it and it is not running.
        unsafe {
            let portal = pg_sys::GetPortalByName(name.as_ptr());
            if !portal.is_null()
                && (*portal).createSubid == pg_sys::GetCurrentSubTransactionId()
                && (*portal).status != pg_sys::PortalStatus::PORTAL_ACTIVE
            {
                pg_sys::PortalDrop(portal, false);
            }
        }
    }
}
