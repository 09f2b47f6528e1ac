//! What a running job says while its transaction is open: handed to the coordinator, which writes it down at once.
//!
//! Invariant: only a job's own process can say something of it, since what is said goes through the memory of its slot.

use std::cell::Cell;

use pgrx::prelude::*;

use super::shared::{PART, SHARED, State};
use super::{call, process};
use crate::error;
use crate::guard;

thread_local! {
    /// The slot of this process, if it runs jobs.
    pub static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Most bytes of one message.
const LONGEST: usize = 256 * 1024;

/// How often room is waited for, ten milliseconds each time.
const PATIENCE: u32 = 500;

/// Inside a job: hands `{"progress": …}` or `{"log": …}` to whoever writes it down. Another session sees it at once, and it stays if
/// the job fails.
#[pg_extern(sql = "
CREATE FUNCTION mcp._job_say(message pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn say(message: &str) {
    say_text(message);
}

/// Whether a job runs in this session.
pub fn runs_here() -> bool {
    SLOT.get().is_some() && (guard::holds() || call::run_here().is_some())
}

/// What `mcp._job_say` does.
pub fn say_text(message: &str) {
    let Some(at) = SLOT.get().filter(|_| runs_here()) else {
        error::raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "no job runs in this session. Nothing was written.",
            Some("jobs.report_progress and jobs.log are for functions that run as a job.".to_owned()),
        );
    };
    if message.len() > LONGEST {
        error::raise(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("a message of a job has at most {LONGEST} bytes. Nothing was written."),
            Some("Keep what is longer in a table of your own.".to_owned()),
        );
    }
    let mut parts = message.as_bytes().chunks(PART).peekable();
    while let Some(part) = parts.next() {
        if !hand_over(at, part, parts.peek().is_none()) {
            // Some of it is there: the coordinator forgets it with the next message.
            warning!("a message of this job was not written: too much was said at once");
            return;
        }
    }
}

/// Waits for room for a part; false when there is none for too long.
fn hand_over(at: usize, part: &[u8], last: bool) -> bool {
    for _ in 0..PATIENCE {
        let (said, coordinator) = {
            let mut shared = SHARED.exclusive();
            let database = shared.slots[at].database;
            let coordinator = shared.database(database).map(|entry| entry.coordinator);
            let slot = &mut shared.slots[at];
            // Whoever is past its job says nothing of it any more.
            let past = slot.state != State::Running || call::run_here().is_some_and(|run| slot.run != run);
            (past || slot.say(part, last), coordinator)
        };
        if let Some(coordinator) = coordinator {
            coordinator.wake();
        }
        if said {
            return true;
        }
        process::pause(10);
    }
    false
}
