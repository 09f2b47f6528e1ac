//! What a running job says while its transaction is open: handed to the coordinator, which writes it down at once.
//!
//! Invariant: only a job's own process can say something of it, since what is said goes through the memory of its slot.

use std::cell::Cell;

use pgrx::prelude::*;

use super::process;
use super::shared::{MESSAGE, SHARED, State};
use crate::error;
use crate::guard;

thread_local! {
    /// The slot of this process, if it runs jobs.
    pub static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How often room is waited for, ten milliseconds each time.
const PATIENCE: u32 = 500;

/// Inside a job: hands `{"progress": …}` or `{"log": …}` to whoever writes it down. Another session sees it at once, and it stays if
/// the job fails.
#[pg_extern(sql = "
CREATE FUNCTION mcp._job_say(message pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn say(message: &str) {
    let Some(at) = SLOT.get().filter(|_| guard::holds()) else {
        error::raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "no job runs in this session. Nothing was written.",
            Some("jobs.report_progress and jobs.log are for functions that run as a job.".to_owned()),
        );
    };
    if message.len() > MESSAGE {
        error::raise(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("a message of a job has at most {MESSAGE} bytes. Nothing was written."),
            Some("Keep what is longer in a table of your own.".to_owned()),
        );
    }
    for _ in 0..PATIENCE {
        let (said, coordinator) = {
            let mut shared = SHARED.exclusive();
            let database = shared.slots[at].database;
            let coordinator = shared.database(database).map(|entry| entry.coordinator);
            let slot = &mut shared.slots[at];
            let mut bytes = Vec::with_capacity(20 + message.len());
            bytes.extend_from_slice(&slot.run.job);
            bytes.extend_from_slice(&slot.run.number.to_le_bytes());
            bytes.extend_from_slice(message.as_bytes());
            (slot.state != State::Running || slot.say(&bytes), coordinator)
        };
        if let Some(coordinator) = coordinator {
            coordinator.wake();
        }
        if said {
            return;
        }
        process::pause(10);
    }
    warning!("a message of this job was not written: too much was said at once");
}
