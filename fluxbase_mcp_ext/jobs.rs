//! The processes that run background jobs.
//!
//! A launcher (`launcher`) starts one coordinator for each database with jobs (`coordinator`), which starts processes that run one job at a
//! time (`executor`). They tell each other what they do in shared memory (`shared`), and what is true is in the tables: a worker
//! writes those through a few functions of SQL and in no other way (`queue`).
//!
//! Invariants:
//! - All of them connect as mcp_jobs, which may execute those functions and nothing else. A job's body runs in the guard as the role
//!   that submitted it. A procedure that may COMMIT runs in a process that is connected as that role (`call`, `top_level`).
//! - Nobody is needed for anything to be right: whatever ends in the middle of anything, a job is not lost, and its run that was not
//!   finished is rolled back or, if it was a call to somewhere else, counted as an attempt.
//!
//! What may be submitted, and by whom, is not decided here: see `tools` and `sql/35_jobs.sql`. docs/decisions/0010-jobs.md tells why it is so.

pub(crate) mod call;
mod coordinator;
mod embedder;
mod executor;
mod launcher;
pub(crate) mod process;
mod queue;
pub mod say;
pub(crate) mod shared;
mod top_level;

use std::cell::Cell;

use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::prelude::*;
use pgrx::{PgXactCallbackEvent, register_xact_callback};

use crate::delegate;
use crate::identity::rate_limit;
use shared::{SHARED, State};

/// Has Postgres start the processes. Call from `_PG_init` while the server preloads the library.
pub fn register() {
    shared::reserve();
    launcher::register();
}

/// Whether the library is preloaded, so that there are such processes.
pub fn is_there() -> bool {
    rate_limit::is_shared()
}

/// What somebody is woken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// There may be a job to be run.
    Work,
    /// Somebody asked for a job to be cancelled.
    Cancel,
    /// There may be chunks to be embedded.
    Embedding,
}

thread_local! {
    /// What this transaction will tell at its end.
    static TELLING: Cell<[bool; 3]> = const { Cell::new([false; 3]) };
}

/// Once this transaction has committed, the workers of this database look for work. Nothing if it is rolled back, or without a worker.
pub fn wake_at_commit() {
    tell_at_commit(News::Work);
}

fn tell_at_commit(news: News) {
    if !is_there() {
        return;
    }
    let mut telling = TELLING.get();
    if telling == [false; 3] {
        register_xact_callback(PgXactCallbackEvent::Commit, tell);
        register_xact_callback(PgXactCallbackEvent::Abort, || TELLING.set([false; 3]));
        register_xact_callback(PgXactCallbackEvent::Prepare, || TELLING.set([false; 3]));
    }
    telling[news as usize] = true;
    TELLING.set(telling);
}

/// The transaction is committed: others see what it wrote. Raises no error.
fn tell() {
    let [work, cancel, embedding] = TELLING.replace([false; 3]);
    let database = process::database();
    if work {
        let process = SHARED.exclusive().work(database);
        process.wake();
    }
    if cancel {
        let process = SHARED.exclusive().attend(database);
        process.wake();
    }
    if embedding {
        let process = SHARED.exclusive().embed_at(database, shared::now());
        process.wake();
    }
}

/// For the trigger of ai.documents, and for upkeep.
#[pg_extern(sql = "
CREATE FUNCTION mcp._wake_embedding() RETURNS pg_catalog.void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
pub fn wake_embedding() {
    tell_at_commit(News::Embedding);
}

/// For the trigger of jobs.queue.
#[pg_extern(sql = "
CREATE FUNCTION mcp._wake_jobs(cancel pg_catalog.bool) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn wake_jobs(cancel: bool) {
    if cancel { tell_at_commit(News::Cancel) } else { wake_at_commit() }
}

/// The processes that run this database's jobs: one row each, the coordinator first.
#[pg_extern(sql = "
CREATE FUNCTION mcp.jobs_status()
    RETURNS TABLE (process pg_catalog.text, pid pg_catalog.int4, state pg_catalog.text, job pg_catalog.uuid, run pg_catalog.int4,
                   since pg_catalog.timestamptz, hint pg_catalog.text)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)]
fn jobs_status() -> TableIterator<
    'static,
    (
        name!(process, &'static str),
        name!(pid, Option<i32>),
        name!(state, &'static str),
        name!(job, Option<Uuid>),
        name!(run, Option<i32>),
        name!(since, Option<TimestampWithTimeZone>),
        name!(hint, Option<String>),
    ),
> {
    if !is_there() {
        let hint = Some(delegate::PRELOAD.to_owned());
        return TableIterator::once(("coordinator", None, "not preloaded", None, None, None, hint));
    }
    let oid = process::database();
    let time = |at: i64| TimestampWithTimeZone::try_from(at).ok();
    let mut rows = Vec::new();
    let (launched, entry, slots) = {
        let shared = SHARED.share();
        let entry = shared.databases.iter().find(|entry| entry.oid == oid).copied();
        let slots: Vec<_> = shared
            .slots_of(oid)
            .map(|slot| (slot.kind, slot.process.pid, slot.state, slot.run, slot.since, slot.call.pid))
            .collect();
        (shared.launcher.pid != 0, entry, slots)
    };
    let full = entry.is_some_and(|entry| entry.full);
    match entry.filter(|entry| entry.coordinator.pid != 0) {
        Some(entry) => {
            let hint = full.then(|| {
                "Another process could not be started: all of max_worker_processes are in use. Raise it and restart.".to_owned()
            });
            rows.push((
                "coordinator",
                Some(entry.coordinator.pid),
                "running",
                None,
                None,
                time(entry.since),
                hint,
            ));
        }
        None => {
            let hint = if !launched {
                "The launcher is not there: this is a standby, or it is being started.".to_owned()
            } else if full {
                "It could not be started: all of max_worker_processes are in use. Raise it and restart; until then it is tried again every 10 s."
                    .to_owned()
            } else {
                "It is started when jobs are installed here (SELECT mcp.install('{jobs}')) and mcp.job_databases names this database; \
                 the server log says why if it does not stay. It takes one of max_worker_processes."
                    .to_owned()
            };
            rows.push(("coordinator", None, "not running", None, None, None, Some(hint)));
        }
    }
    for (kind, pid, state, run, since, call) in slots {
        let runs = matches!(state, State::Running | State::Finishing);
        rows.push((
            kind.as_str(),
            (pid != 0).then_some(pid),
            state.as_str(),
            runs.then(|| Uuid::from_bytes(run.job)),
            runs.then_some(run.number),
            time(since),
            None,
        ));
        if call != 0 {
            // Where the procedure of the row before computes.
            rows.push(("procedure", Some(call), "running", None, None, time(since), None));
        }
    }
    TableIterator::new(rows)
}
