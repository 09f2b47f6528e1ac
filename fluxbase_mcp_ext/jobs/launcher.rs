//! The process that starts a coordinator for each database with jobs. It is connected to no database, so it is in nobody's way.
//!
//! A database has jobs when CONNECT on it is granted to mcp_jobs by name, which mcp.install('{jobs}') does: that is written where all
//! databases can see it, and a copy made with it as the template has no such grant, so its jobs do not run twice.

use std::collections::HashMap;

use pgrx::bgworkers::{
    BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime, DynamicBackgroundWorker,
};
use pgrx::prelude::*;

use super::process::{self, Failed, WithJobs};
use super::shared::{self, DATABASES, Process, SECOND, SHARED};
use crate::gucs;

const NAME: &str = "fluxbase_mcp jobs launcher";
/// Between two looks at the databases, in milliseconds.
const LOOK: i64 = 10_000;
/// Until a coordinator that ended is started again.
const AGAIN: i64 = 2 * SECOND;

/// Has Postgres start the launcher. Call from `_PG_init` while the server preloads the library.
pub fn register() {
    BackgroundWorkerBuilder::new(NAME)
        .set_type(NAME)
        .set_library("fluxbase_mcp_ext")
        .set_function("fluxbase_mcp_jobs_launcher_main")
        .enable_spi_access()
        // Not on a standby: there is nothing to be written down.
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(std::time::Duration::from_secs(1)))
        .load();
}

/// The main function of the process.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn fluxbase_mcp_jobs_launcher_main(_argument: pg_sys::Datum) {
    process::obey_when_convenient();
    process::connect_to_none();
    process::at_exit(ended, 0);
    SHARED.exclusive().launcher = Process::me();
    let mut started = HashMap::new();
    loop {
        if process::must_end() {
            process::exit_for_now();
        }
        let next = match look(&mut started) {
            Ok(next) => next,
            Err(failed) => {
                log!("jobs: the databases cannot be read: {}", failed.text);
                LOOK
            }
        };
        process::wait(next);
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn ended(_code: i32, _argument: pg_sys::Datum) {
    SHARED.exclusive().launcher = Process::default();
}

/// Whether `mcp.job_databases` names it.
fn is_wanted(name: &str) -> bool {
    let list = gucs::job_databases();
    list.split(',').map(str::trim).any(|item| item == "*" || item.trim_matches('"') == name)
}

/// Starts what is missing, and ends what is not wanted any more; after how many milliseconds to look again.
fn look(started: &mut HashMap<u32, DynamicBackgroundWorker>) -> Result<i64, Failed> {
    let (role, all) = process::databases_with_jobs()?;
    let wanted: Vec<WithJobs> = all
        .into_iter()
        .filter(|database| is_wanted(&database.name) && gucs::job_concurrency() > 0)
        .take(DATABASES)
        .collect();
    let now = shared::now();
    let mut pause = LOOK;
    started.retain(|oid, handle| {
        let over = matches!(handle.pid(), Err(BackgroundWorkerStatus::Stopped));
        if over && let Some(entry) = SHARED.exclusive().database(*oid) {
            entry.retry_at = entry.retry_at.max(now + AGAIN);
        }
        !over
    });
    let unwanted: Vec<u32> =
        started.keys().copied().filter(|oid| !wanted.iter().any(|database| database.oid == *oid)).collect();
    for oid in unwanted {
        if let Some(handle) = started.remove(&oid) {
            handle.terminate();
        }
    }
    {
        // Entries of databases that are no more, or that somebody woke who has no jobs.
        let mut shared = SHARED.exclusive();
        for entry in shared.databases.iter_mut().filter(|entry| entry.oid != 0 && entry.coordinator.pid == 0)
        {
            if !wanted.iter().any(|database| database.oid == entry.oid) && !started.contains_key(&entry.oid) {
                *entry = shared::Database::default();
            }
        }
    }
    for database in wanted {
        if started.contains_key(&database.oid) {
            continue;
        }
        let wait = {
            let mut shared = SHARED.exclusive();
            let Some(entry) = shared.database(database.oid) else { continue };
            entry.retry_at - now
        };
        if wait > 0 {
            pause = pause.min(wait / 1000 + 1);
            continue;
        }
        match process::start("fluxbase_mcp jobs", "fluxbase_mcp_jobs_main", database.oid, &role.to_string()) {
            Some(handle) => {
                started.insert(database.oid, handle);
            }
            None => {
                let known = SHARED
                    .exclusive()
                    .database(database.oid)
                    .is_some_and(|entry| std::mem::replace(&mut entry.full, true));
                if !known {
                    log!(
                        "jobs: those of database {} cannot be run, all of max_worker_processes are in use; tried again every {} s",
                        database.name,
                        LOOK / 1000
                    );
                }
            }
        }
    }
    Ok(pause)
}
