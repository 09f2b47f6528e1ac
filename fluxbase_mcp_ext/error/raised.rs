//! What pgrx leaves out of an error of Postgres: a SQLSTATE that is none of Postgres's own, and the name of the constraint.
//!
//! Postgres calls the functions on its error context stack while it reports a message, whoever catches it later, so a function
//! of ours there sees every error below the guard. It notes the few that pgrx would shorten; an error that was caught on the way, in a
//! function's EXCEPTION block, is noted as well and just never asked for. A call without an error pays a pointer set and set back.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_void};

use pgrx::pg_sys::panic::ErrorReportWithLevel;
use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};

/// How many errors are remembered, since an older one may be raised again after newer ones were caught.
const REMEMBERED: usize = 32;

/// What is known of one error besides its report.
#[derive(Clone)]
pub(super) struct Raised {
    message: String,
    /// As Postgres packs it.
    pub(super) sqlstate: i32,
    pub(super) constraint: Option<String>,
}

thread_local! {
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    static RAISED: RefCell<Vec<Raised>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` and notes what is raised in it. One that runs in another's body leaves the noting to that one.
pub(crate) fn listen<T>(body: impl FnOnce() -> T) -> T {
    if LISTENING.replace(true) {
        return body();
    }
    RAISED.with_borrow_mut(Vec::clear);
    // SAFETY: the entry is taken off the stack before this function is left, whichever way; until then it stays where it is.
    unsafe {
        let previous = pg_sys::error_context_stack;
        let mut entry =
            pg_sys::ErrorContextCallback { previous, callback: Some(note), arg: std::ptr::null_mut() };
        pg_sys::error_context_stack = &raw mut entry;
        let _listening = Listening { previous };
        body()
    }
}

struct Listening {
    previous: *mut pg_sys::ErrorContextCallback,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // SAFETY: what the stack was before; whoever pushed it is still running, since it called us.
        unsafe { pg_sys::error_context_stack = self.previous }
        LISTENING.set(false);
    }
}

/// What was noted of the error of that report.
pub(super) fn known(report: &ErrorReportWithLevel) -> Option<Raised> {
    let is_it = |raised: &&Raised| {
        raised.message == report.message() && PgSqlErrorCode::from(raised.sqlstate) == report.sql_error_code()
    };
    RAISED.with_borrow(|all| all.iter().rev().find(is_it).cloned())
}

#[pg_guard]
unsafe extern "C-unwind" fn note(_arg: *mut c_void) {
    // SAFETY: Postgres calls this while it reports a message and has switched to its ErrorContext, which the copy may not be made in. The
    // copy is ours until it is freed.
    let raised = unsafe {
        if pg_sys::geterrcode() == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as i32 {
            return;
        }
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::CurTransactionContext);
        let data = pg_sys::CopyErrorData();
        let raised = ((*data).elevel == pg_sys::PGERROR as i32).then(|| Raised {
            message: text((*data).message).unwrap_or_default(),
            sqlstate: (*data).sqlerrcode,
            constraint: text((*data).constraint_name),
        });
        pg_sys::FreeErrorData(data);
        pg_sys::MemoryContextSwitchTo(context);
        raised
    };
    let Some(raised) = raised else { return };
    if raised.constraint.is_none() && PgSqlErrorCode::from(raised.sqlstate) as i32 == raised.sqlstate {
        return;
    }
    RAISED.with_borrow_mut(|all| {
        if all.len() == REMEMBERED {
            all.remove(0);
        }
        all.push(raised);
    });
}

/// # Safety
/// NULL or a NUL-terminated text.
unsafe fn text(from: *const c_char) -> Option<String> {
    // SAFETY: as required of our caller.
    (!from.is_null()).then(|| unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned())
}
