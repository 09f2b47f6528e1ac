//! What the processes of the jobs need of Postgres: a connection, waiting, transactions, their ends.
//!
//! Invariants:
//! - Between two transactions nothing is held: no snapshot, no lock. An error ends its transaction and is handed over as a value.
//! - Code 1 ends a process whenever it ends: Postgres then starts a static one anew and forgets a dynamic one; another code would restart
//!   the whole server.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, DynamicBackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use crate::error::Error;

/// The role as which jobs' processes connect.
pub const ROLE: &CStr = c"mcp_jobs";

/// Why a transaction was rolled back.
#[derive(Debug)]
pub struct Failed {
    /// SQLSTATE.
    pub code: String,
    /// Message, detail and hint, as callers of tools see them.
    pub text: String,
}

/// Runs `body` in a transaction of its own. What it returned was committed.
///
/// # Errors
/// [`Failed`]: the transaction was rolled back.
pub fn transaction<T>(body: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
    // SAFETY: the calls are in Postgres's own order; whatever was raised, the transaction is ended before this function is left.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let value = body()?;
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            Ok(value)
        }))
        .catch_others(|caught| Err(failed(&caught)))
        .execute();
        if outcome.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        pg_sys::pgstat_report_stat(false);
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        outcome
    }
}

/// Runs `body` outside of any transaction, such as a call that waits.
///
/// # Errors
/// [`Failed`], for what Postgres raised.
pub fn outside<T>(body: impl FnOnce() -> T) -> Result<T, Failed> {
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| Ok(body())))
        .catch_others(|caught| Err(failed(&caught)))
        .execute();
    // SAFETY: where processes stand between two transactions.
    unsafe { pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext) };
    outcome
}

/// What was raised, as a value.
pub fn failed(caught: &CaughtError) -> Failed {
    match caught {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
            Failed::from(Error::from_report(report, None))
        }
        CaughtError::RustPanic { ereport, .. } => Failed::from(Error::internal(ereport.message())),
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        let code = match &error {
            Error::Postgres { code, .. } => code.clone(),
            Error::Refused { code, .. } => (*code).to_owned(),
            _ => "XX000".to_owned(),
        };
        Failed { code, text: error.to_text() }
    }
}

impl Failed {
    /// A reason of our own.
    pub fn because(text: &str) -> Failed {
        Failed { code: "55000".to_owned(), text: text.to_owned() }
    }
}

/// Handlers of a process that looks after others: it ends when it has cleaned up.
pub fn obey_when_convenient() {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
}

/// Handlers of a process that runs jobs: whatever runs is ended at once by SIGTERM, and the statement by SIGINT, as Postgres has it.
pub fn obey_at_once() {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
    // SAFETY: a handler that sets flags and a latch, as `die` of Postgres does.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(libc::SIGTERM, Some(die));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(libc::SIGTERM, Some(die));
    }
}

unsafe extern "C-unwind" fn die(_signal: i32) {
    // SAFETY: flags of this process, which its next CHECK_FOR_INTERRUPTS reads.
    unsafe {
        (&raw mut pg_sys::ProcDiePending).write_volatile(1);
        (&raw mut pg_sys::InterruptPending).write_volatile(1);
        pg_sys::SetLatch(pg_sys::MyLatch);
    }
}

/// Connects to a database as [`ROLE`]. A role or database that cannot be used ends the process.
pub fn connect(database: u32) {
    // The role's oid travels from the launcher, which can look it up, to the others, which have no catalog yet: in bgw_extra.
    match role(BackgroundWorker::get_extra()) {
        Some(role) => connect_as(database, role),
        None => {
            log!("jobs: a process was started without its role, and ends");
            exit()
        }
    }
}

/// The role of that oid. None for 0, as which Postgres would connect the bootstrap superuser.
pub fn role(oid: &str) -> Option<pg_sys::Oid> {
    oid.parse::<u32>().ok().filter(|oid| *oid != 0).map(pg_sys::Oid::from)
}

/// [`connect`] as that role.
pub fn connect_as(database: u32, role: pg_sys::Oid) {
    assert_ne!(role, pg_sys::InvalidOid, "a process of jobs never connects as the bootstrap superuser");
    // SAFETY: in a background worker that has not connected yet. The role is found by name there.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let flags = pg_sys::BGWORKER_BYPASS_ROLELOGINCHECK;
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let flags = 0;
        pg_sys::BackgroundWorkerInitializeConnectionByOid(pg_sys::Oid::from(database), role, flags);
    }
    // What the database or the role may say otherwise would break claims, or leave a process stuck behind a lock.
    for (name, value) in [
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
        (c"lock_timeout", c"2s"),
        (c"search_path", c"pg_catalog, pg_temp"),
    ] {
        set(name, value);
    }
}

/// For a worker that this one starts.
pub fn own_role() -> String {
    BackgroundWorker::get_extra().to_owned()
}

/// Sets a setting for this session.
pub fn set(name: &CStr, value: &CStr) {
    // SAFETY: NUL-terminated texts. An ordinary user may set each of those that are given.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SET,
            true,
            0,
            false,
        );
    }
}

/// Gives settings to this session for as long as it lives: neither the end of a transaction nor RESET takes them back. Not in a transaction.
pub fn fix(settings: &[(CString, CString)], context: pg_sys::GucContext::Type) {
    for (name, value) in settings {
        // SAFETY: NUL-terminated texts; outside of a transaction there is nothing to be undone.
        unsafe {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                context,
                pg_sys::GucSource::PGC_S_OVERRIDE,
                pg_sys::GucAction::GUC_ACTION_SET,
                true,
                0,
                false,
            );
        }
    }
}

/// Connects to no database: only what all of them share can be read.
pub fn connect_to_none() {
    BackgroundWorker::connect_worker_to_spi(None, None);
}

/// Waits until somebody wakes this process, at most that long; reads the configuration again when that was asked for. Not in a transaction.
pub fn wait(milliseconds: i64) {
    pause(milliseconds);
    if BackgroundWorker::sighup_received() {
        // SAFETY: outside of any transaction.
        unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
    }
}

/// Waits until somebody wakes this process, at most that long.
pub fn pause(milliseconds: i64) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: this process's own latch.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as i32,
            milliseconds.max(1) as std::ffi::c_long,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check_for_interrupts!();
}

/// Waits for a signal that was sent to this process and has not arrived yet, and forgets it.
pub fn absorb_cancel() {
    for _ in 0..100 {
        // SAFETY: a flag of this process that its handler of SIGINT sets.
        if unsafe { (&raw const pg_sys::QueryCancelPending).read_volatile() } != 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // SAFETY: as above.
    unsafe { (&raw mut pg_sys::QueryCancelPending).write_volatile(0) };
}

/// Whether this process was asked to end.
pub fn must_end() -> bool {
    // SAFETY: a flag of this process that its handler of SIGTERM sets.
    unsafe { (&raw const pg_sys::ShutdownRequestPending).read_volatile() != 0 }
}

/// Ends this process, which has done what it was started for; the server's log has no line about it.
pub fn exit() -> ! {
    exit_with(0)
}

/// Ends this process, which Postgres starts again if it was registered so.
pub fn exit_for_now() -> ! {
    exit_with(1)
}

#[allow(unreachable_code)]
fn exit_with(code: i32) -> ! {
    // SAFETY: the end of this process.
    unsafe { pg_sys::proc_exit(code) };
    // Only some versions of the bindings say that it does not return.
    unreachable!("proc_exit does not return")
}

/// Has `last` called at the end of this process, after its transaction was rolled back.
pub fn at_exit(last: unsafe extern "C-unwind" fn(i32, pg_sys::Datum), argument: usize) {
    // SAFETY: a function of ours that raises nothing.
    unsafe { pg_sys::on_shmem_exit(Some(last), pg_sys::Datum::from(argument)) };
}

/// Starts a process; `None` when all of max_worker_processes are in use.
pub fn start(name: &str, main: &str, argument: u32, role: &str) -> Option<DynamicBackgroundWorker> {
    // SAFETY: the handle is made in memory that lives as long as this process.
    unsafe {
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let started = BackgroundWorkerBuilder::new(name)
            .set_type(name)
            .set_library("fluxbase_mcp_ext")
            .set_function(main)
            .set_argument(Some(pg_sys::Datum::from(argument)))
            .set_extra(role)
            .set_notify_pid(pg_sys::MyProcPid)
            .enable_spi_access()
            .load_dynamic();
        pg_sys::MemoryContextSwitchTo(context);
        started.ok()
    }
}

/// What others see of this process in pg_stat_activity: no payload and no claim, only that.
pub fn show(activity: Option<&str>) {
    let text = activity.and_then(|text| CString::new(text).ok());
    let state =
        if text.is_some() { pg_sys::BackendState::STATE_RUNNING } else { pg_sys::BackendState::STATE_IDLE };
    // SAFETY: Postgres copies the text.
    unsafe {
        pg_sys::pgstat_report_activity(state, text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()))
    };
}

/// The database of this process.
pub fn database() -> u32 {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}

/// The number that a process was started with.
pub fn argument(datum: pg_sys::Datum) -> u32 {
    datum.value() as u32
}

/// Whether somebody waits for this database to be free of sessions: DROP DATABASE, or CREATE DATABASE with it as the template. Those hold a
/// lock that every session takes when it begins; whether it could be taken now is asked.
pub fn is_in_the_way() -> bool {
    transaction(|| {
        // SAFETY: a complete tag; the lock is given back with the transaction. It is not waited for.
        unsafe {
            let tag = pg_sys::LOCKTAG {
                locktag_field1: 0,
                locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
                locktag_field3: database(),
                locktag_field4: 0,
                locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
                locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
            };
            let taken = pg_sys::LockAcquire(&tag, pg_sys::RowExclusiveLock as i32, false, true);
            Ok(taken == pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL)
        }
    })
    .unwrap_or(false)
}

/// A database that was told to have jobs: CONNECT on it is granted to [`ROLE`] by name.
pub struct WithJobs {
    pub oid: u32,
    pub name: String,
}

/// The role, and the databases with jobs. For a process that is connected to none.
pub fn databases_with_jobs() -> Result<(u32, Vec<WithJobs>), Failed> {
    transaction(|| {
        // SAFETY: pg_database is shared by all databases and can be read without one, as the launcher of autovacuum does. Every text is copied
        // before the scan goes on.
        unsafe {
            let role = pg_sys::get_role_oid(ROLE.as_ptr(), true);
            let mut found = Vec::new();
            if role == pg_sys::InvalidOid {
                return Ok((0, found));
            }
            let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
            let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
            loop {
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                let attribute = |number: u32| {
                    let mut null = false;
                    let value = pg_sys::SysCacheGetAttr(
                        pg_sys::SysCacheIdentifier::DATABASEOID as i32,
                        tuple,
                        number as pg_sys::AttrNumber,
                        &mut null,
                    );
                    (!null).then_some(value)
                };
                let open = attribute(pg_sys::Anum_pg_database_datallowconn)
                    .is_some_and(|value| value.value() as u8 != 0);
                let granted = attribute(pg_sys::Anum_pg_database_datacl).is_some_and(|acl| {
                    let acl = pg_sys::pg_detoast_datum(acl.cast_mut_ptr()).cast::<pg_sys::Acl>();
                    let mut members = std::ptr::null_mut();
                    let number = pg_sys::aclmembers(acl, &mut members);
                    number > 0 && std::slice::from_raw_parts(members, number as usize).contains(&role)
                });
                let oid = attribute(pg_sys::Anum_pg_database_oid).map_or(0, |value| value.value() as u32);
                let name = attribute(pg_sys::Anum_pg_database_datname).map(|value| {
                    CStr::from_ptr(value.cast_mut_ptr::<std::ffi::c_char>()).to_string_lossy().into_owned()
                });
                if let (true, true, Some(name)) = (open, granted, name) {
                    found.push(WithJobs { oid, name });
                }
            }
            pg_sys::heap_endscan(scan);
            pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
            Ok((role.to_u32(), found))
        }
    })
}
