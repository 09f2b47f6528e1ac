//! A shorter time for one body than the session's `statement_timeout`.
//!
//! Invariants:
//! - The session's own timer is only ever brought forward, and is as it was afterwards, whichever way the body ends.
//! - What it ends is undone by the guard that holds, which answers with an error instead of throwing the cancel on: the time that was
//!   over was the body's, not the session's. A cancel by somebody else before that is thrown on as ever.
//! - A body that caught the cancel and went on is not kept either.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

use pgrx::pg_sys;

use crate::error::Error;

unsafe extern "C-unwind" {
    // utils/timeout.h; none of them raises an error.
    fn get_timeout_active(id: u32) -> bool;
    fn get_timeout_finish_time(id: u32) -> i64;
    fn enable_timeout_at(id: u32, at: i64);
    fn disable_timeout(id: u32, keep_indicator: bool);
}

/// `STATEMENT_TIMEOUT` of utils/timeout.h, the same in every version.
const STATEMENT: u32 = 3;

thread_local! {
    /// The limit that was over when a body ended by an error.
    static OVER: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Puts the timer back when it is dropped, also while unwinding.
struct Forward {
    limit: Duration,
    at: i64,
    /// When the session's own ends.
    before: Option<i64>,
}

impl Forward {
    fn over(&self) -> bool {
        // SAFETY: reads the clock.
        unsafe { pg_sys::GetCurrentTimestamp() >= self.at }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // SAFETY: timers of this backend; every backend has this one.
        unsafe {
            disable_timeout(STATEMENT, false);
            if let Some(before) = self.before {
                enable_timeout_at(STATEMENT, before);
            }
        }
        if std::thread::panicking() && self.over() {
            OVER.set(Some(self.limit));
        }
    }
}

/// Runs `body`, all of a guard's body, for no longer than `limit`; the session's own timeout holds when it is over sooner.
///
/// # Errors
/// What `body` returned; [`Error::Refused`] with 57014 when it went on after its time.
pub fn within<T>(limit: Duration, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    OVER.set(None);
    // SAFETY: timers of this backend.
    let forward = unsafe {
        let micros = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX);
        let at = pg_sys::GetCurrentTimestamp().saturating_add(micros);
        let before = get_timeout_active(STATEMENT).then(|| get_timeout_finish_time(STATEMENT));
        if before.is_some_and(|before| before <= at) {
            return body();
        }
        disable_timeout(STATEMENT, false);
        enable_timeout_at(STATEMENT, at);
        Forward { limit, at, before }
    };
    let outcome = body();
    if forward.over() {
        // The timer may have gone off a moment ago.
        drop(forward);
        return Err(late(limit));
    }
    outcome
}

/// The error, if it was the time of a body that was over. To be asked once, by the guard that caught a cancel.
pub(super) fn take() -> Option<Error> {
    OVER.take().map(late)
}

fn late(limit: Duration) -> Error {
    Error::refused(
        "57014",
        format!("it took longer than the {} s that it may take. Nothing was changed.", limit.as_secs()),
        "Ask for less at once; an administrator sets max_execution_time_seconds.".to_owned(),
    )
}
