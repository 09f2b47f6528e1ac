//! Temporary tables, for bodies that an administrator registered as needing them.
//!
//! Invariants:
//! - Only `SECURITY_RESTRICTED_OPERATION` is lifted, never the lock on the role: SET ROLE and its kin stay refused, and so do
//!   `mcp.claims`.
//! - Every utility statement but those that can make a temporary relation has the flag on again while it runs, so LISTEN,
//!   PREPARE, DISCARD, cursors WITH HOLD and whatever else Postgres refuses under it stay refused. The flag is only ever added
//!   here: where Postgres itself has set it (REFRESH MATERIALIZED VIEW, say) it stays set.
//! - Deferred triggers, which the flag would refuse, are fired before the body counts as done, and the guard fires what is left
//!   under the flag, where putting off once more is an error.
//! - The flag is lifted only if it is the guard that set it: a call within a call has it lifted only where the outer one has.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_char;

use pgrx::pg_sys;

use super::set_constraints_immediate;

const RESTRICTED: i32 = pg_sys::SECURITY_RESTRICTED_OPERATION as i32;

thread_local! {
    /// Whether the guard that holds set the flag, and not somebody outside of it.
    static OURS: Cell<bool> = const { Cell::new(false) };
    /// Whether temporary tables are allowed at this moment.
    static LIFTED: Cell<bool> = const { Cell::new(false) };
    /// Whether they were at some moment of the guard that holds, so that triggers may have been put off.
    static WAS_LIFTED: Cell<bool> = const { Cell::new(false) };
    static INSTALLED: Cell<bool> = const { Cell::new(false) };
    static NEXT: Cell<pg_sys::ProcessUtility_hook_type> = const { Cell::new(None) };
}

/// The state of the guard outside; dropping it, also while unwinding, brings it back.
pub(super) struct Outer {
    ours: bool,
    lifted: bool,
    was_lifted: bool,
}

impl Outer {
    /// Begins a guard, in which nothing is lifted yet. `security`: the context outside of it.
    pub(super) fn enter(security: i32) -> Outer {
        Outer {
            ours: OURS.replace(security & RESTRICTED == 0),
            lifted: LIFTED.replace(false),
            was_lifted: WAS_LIFTED.replace(false),
        }
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        OURS.set(self.ours);
        LIFTED.set(self.lifted);
        WAS_LIFTED.set(self.was_lifted);
    }
}

/// Fires what was put off while the flag was lifted. To be called with the flag on.
pub(super) fn fire_what_was_put_off() {
    if WAS_LIFTED.get() {
        set_constraints_immediate();
    }
}

/// Takes the allowance back when it is dropped, also while unwinding.
struct Lifted {
    before: bool,
}

impl Drop for Lifted {
    fn drop(&mut self) {
        LIFTED.set(self.before);
    }
}

/// Runs `body`, part of a guard's body, with temporary tables if they are `allowed`.
pub fn with_temporary_tables<T>(allowed: bool, body: impl FnOnce() -> T) -> T {
    if !allowed || !OURS.get() {
        return body();
    }
    install();
    let _lifted = Lifted { before: LIFTED.replace(true) };
    WAS_LIFTED.set(true);
    // SAFETY: the context is restored on return; on an error Postgres restores it when it aborts the subtransaction, the guard's
    // or one inside it.
    unsafe {
        let (mut user, mut security) = (pg_sys::InvalidOid, 0);
        super::GetUserIdAndSecContext(&mut user, &mut security);
        super::SetUserIdAndSecContext(user, security & !RESTRICTED);
        let value = body();
        // Those whose triggers need a temporary table, too.
        set_constraints_immediate();
        super::SetUserIdAndSecContext(user, security);
        value
    }
}

fn install() {
    if !INSTALLED.replace(true) {
        // SAFETY: a hook of this backend, which has one thread. It stays: others may have chained to it meanwhile.
        unsafe {
            NEXT.set(pg_sys::ProcessUtility_hook);
            pg_sys::ProcessUtility_hook = Some(utility);
        }
    }
}

unsafe extern "C-unwind" {
    // Not pgrx's wrapper, which would raise an error of the statement anew, without its SQLSTATE, constraint or position.
    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        text: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        dest: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// The hook. It holds nothing that needs dropping, so errors of Postgres may jump over it: aborting the subtransaction restores
/// the security context.
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    dest: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: Postgres's own arguments, handed on as they are; a planned utility statement has its node.
    unsafe {
        let restrict = LIFTED.get() && !may_make_a_temporary_relation((*(*statement).utilityStmt).type_);
        let (mut user, mut security) = (pg_sys::InvalidOid, 0);
        if restrict {
            super::GetUserIdAndSecContext(&mut user, &mut security);
            super::SetUserIdAndSecContext(user, security | RESTRICTED);
        }
        let next = NEXT.get().unwrap_or(standard_ProcessUtility);
        next(statement, text, read_only_tree, context, parameters, environment, dest, completion);
        if restrict {
            super::SetUserIdAndSecContext(user, security);
        }
    }
}

/// Whether a statement of this kind makes temporary relations, or runs others that do.
fn may_make_a_temporary_relation(kind: pg_sys::NodeTag) -> bool {
    use pg_sys::NodeTag::{
        T_AlterTableStmt, T_CallStmt, T_CreateSeqStmt, T_CreateStmt, T_CreateTableAsStmt, T_DoStmt,
        T_ViewStmt,
    };
    matches!(
        kind,
        T_CreateStmt
            | T_CreateTableAsStmt
            | T_CreateSeqStmt
            | T_ViewStmt
            | T_AlterTableStmt
            | T_CallStmt
            | T_DoStmt
    )
}
