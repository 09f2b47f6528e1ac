//! The process that writes the records of one database down.
//!
//! The first call of a database starts it. Invariants:
//! - What is written stays in memory until its transaction is committed, so a failure loses nothing and writes nothing twice.
//! - It connects as mcp_audit, which may execute two functions of SQL and nothing else, and holds no transaction while it waits.
//! - Told to end, it first writes what is there: when the server shuts down, until the other sessions of its database are gone.

use std::cell::RefCell;

use fluxbase_record::{Outcome, Record, Refusal, Source};
use pgrx::prelude::*;

use super::now;
use super::shared::SHARED;
use crate::jobs::process::{self, Failed};

/// Between the first record that waits and its writing, in milliseconds: what else comes is written with it.
pub const PAUSE: i64 = 200;
/// Between two looks whether somebody is in need of an empty database, or a counted refusal is due, in milliseconds.
const LOOK: i64 = 1000;
/// Most bytes of one batch, about.
const BATCH: usize = 256 * 1024;
/// Between two upkeeps, in microseconds.
const UPKEEP: i64 = 3_600_000_000;
/// Between two looks whether the database still has an audit, in microseconds: without one nothing is left to fail.
const PRESENCE: i64 = 10_000_000;
/// After a failure, in milliseconds.
const AGAIN: i64 = 1000;
/// How long the other sessions are waited for at the end, in steps of twenty milliseconds.
const FAREWELL: u32 = 150;

thread_local! {
    /// The records of the batch that is being written.
    pub static BATCHED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Starts a writer for a database, unless there is one or somebody just did.
#[allow(unsafe_code)]
pub fn start(database: u32) {
    if !SHARED.exclusive().may_start(database, now()) {
        return;
    }
    // SAFETY: a NUL-terminated name.
    let role = unsafe { pg_sys::get_role_oid(c"mcp_audit".as_ptr(), true) };
    // Without a role Postgres would take its first superuser.
    if role == pg_sys::InvalidOid {
        log!("audit: its records cannot be written, there is no role mcp_audit");
        return;
    }
    if process::start("fluxbase_mcp audit", "fluxbase_mcp_audit_main", database, &role.to_u32().to_string())
        .is_none()
    {
        log!(
            "audit: its records cannot be written, all of max_worker_processes are in use; tried again with the next call"
        );
    }
}

/// The main function of the process; `argument` is its database.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn fluxbase_mcp_audit_main(argument: pg_sys::Datum) {
    let database = process::argument(argument);
    process::obey_when_convenient();
    process::at_exit(ended, database as usize);
    process::connect(database);
    if !SHARED.exclusive().enter(database) {
        process::exit();
    }
    let mut writer = Writer { database, present_at: 0, upkeep_at: 0, failure: String::new() };
    while !process::must_end() {
        if !writer.round() {
            process::exit();
        }
    }
    writer.farewell();
    process::exit();
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn ended(_code: i32, argument: pg_sys::Datum) {
    SHARED.exclusive().leave(process::argument(argument));
}

struct Writer {
    database: u32,
    present_at: i64,
    upkeep_at: i64,
    /// What the last failure was, to be said once.
    failure: String,
}

/// What one transaction is to write.
#[derive(Default)]
struct Batch {
    /// How many bytes of it are of the buffer.
    bytes: usize,
    refusals: Vec<Refusal>,
    lost: u64,
}

impl Writer {
    /// Writes what is there, and waits; false when it is to end.
    fn round(&mut self) -> bool {
        if now() >= self.present_at {
            self.present_at = now() + PRESENCE;
            if !is_installed() {
                self.forget();
                return false;
            }
        }
        if now() >= self.upkeep_at {
            self.upkeep_at = now() + UPKEEP;
            if let Err(failed) = process::transaction(|| sql("SELECT mcp._maintain_audit()")) {
                log!("audit: its upkeep failed, and is tried again in an hour: {}", failed.text);
            }
        }
        match self.write(false) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(failed) => {
                if !is_installed() {
                    self.forget();
                    return false;
                }
                self.failed(&failed);
                process::wait(AGAIN);
                return true;
            }
        }
        if process::is_in_the_way() {
            return false;
        }
        process::wait(LOOK);
        let (waiting, pressed) = {
            let shared = SHARED.share();
            (shared.buffer.waiting(self.database) > 0, shared.buffer.pressed(self.database))
        };
        if waiting && !pressed && !process::must_end() {
            process::wait(PAUSE);
        }
        true
    }

    /// Writes one batch; whether there was any.
    fn write(&mut self, all: bool) -> Result<bool, Failed> {
        let moment = now();
        let mut batch = Batch::default();
        BATCHED.with_borrow_mut(|bytes| {
            bytes.clear();
            let mut shared = SHARED.exclusive();
            shared.buffer.read(self.database, BATCH, bytes);
            batch.bytes = bytes.len();
            shared.refusals.due(self.database, moment, all, &mut batch.refusals);
            batch.lost = shared.buffer.lost(self.database);
            drop(shared);
            for refusal in &batch.refusals {
                of_refusal(refusal).encode(bytes);
            }
            if batch.lost > 0 {
                let note = format!("{} records found no room and are lost", batch.lost);
                let times = u32::try_from(batch.lost).unwrap_or(u32::MAX);
                let outcome = Outcome::Lost;
                let record = Record {
                    at: moment,
                    times,
                    outcome,
                    source: Source::Audit,
                    note: &note,
                    ..Record::default()
                };
                record.encode(bytes);
            }
        });
        if BATCHED.with_borrow(Vec::is_empty) {
            return Ok(false);
        }
        process::transaction(|| sql("SELECT mcp._audit_write()"))?;
        {
            let mut shared = SHARED.exclusive();
            shared.buffer.release(self.database, batch.bytes);
            shared.refusals.written(&batch.refusals, moment);
            shared.buffer.told_lost(self.database, batch.lost);
        }
        if !self.failure.is_empty() {
            self.failure.clear();
            SHARED.exclusive().set_failing(self.database, false);
            log!("audit: its records are written again");
        }
        if batch.lost > 0 {
            log!("audit: {} records found no room and are lost", batch.lost);
        }
        Ok(true)
    }

    fn failed(&mut self, failed: &Failed) {
        SHARED.exclusive().set_failing(self.database, true);
        if self.failure != failed.text {
            log!("audit: its records cannot be written, and wait: {}", failed.text);
            self.failure.clone_from(&failed.text);
        }
    }

    /// There is no table any more.
    fn forget(&self) {
        let mut bytes = Vec::new();
        let mut shared = SHARED.exclusive();
        shared.buffer.read(self.database, usize::MAX, &mut bytes);
        shared.buffer.release(self.database, bytes.len());
    }

    /// Writes the last records. Sessions that are ended now leave some, too.
    fn farewell(&mut self) {
        for _ in 0..FAREWELL {
            let left = others(self.database);
            while matches!(self.write(true), Ok(true)) {}
            if !left {
                break;
            }
            process::pause(20);
        }
        let waiting = SHARED.share().buffer.waiting(self.database);
        if waiting > 0 {
            log!("audit: {waiting} records are left unwritten");
        }
    }
}

/// Whether sessions of clients are connected to the database.
#[allow(unsafe_code)]
fn others(database: u32) -> bool {
    // SAFETY: counts entries of the table of processes.
    unsafe { pg_sys::CountDBConnections(pg_sys::Oid::from(database)) > 0 }
}

fn of_refusal(refusal: &Refusal) -> Record<'_> {
    Record {
        at: refusal.first_at,
        duration: refusal.last_at - refusal.first_at,
        times: refusal.times,
        source: Source::Http,
        outcome: refusal.why.outcome(),
        status: refusal.why.status(),
        address: refusal.address,
        key_id: refusal.key_id(),
        note: refusal.why.as_str(),
        ..Record::default()
    }
}

fn is_installed() -> bool {
    let there = process::transaction(|| {
        let there = "SELECT to_regclass('mcp.audit_log') IS NOT NULL AND to_regprocedure('mcp._audit_write()') IS NOT NULL";
        Spi::get_one::<bool>(there).map_err(|error| Failed::because(&error.to_string()))
    });
    !matches!(there, Ok(Some(false)))
}

fn sql(statement: &str) -> Result<(), Failed> {
    Spi::run(statement).map_err(|error| Failed::because(&error.to_string()))
}
