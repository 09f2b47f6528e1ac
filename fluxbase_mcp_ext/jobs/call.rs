//! A run of a procedure that may COMMIT: a process of its own, in which it is called at top level.
//!
//! Invariants:
//! - The process connects as the role that submitted the job, and as nobody else: that is its session user, whom RESET ROLE and SET SESSION
//!   AUTHORIZATION lead back to. A role that could become another is refused before (`sql/36_jobs_call.sql`), and so is a superuser.
//! - The claims are settings of the session from before its first transaction on. No ordinary user may set `mcp.claims`, RESET ALL leaves it alone,
//!   and Postgres lets no SECURITY DEFINER function set it (`NOT_WHILE_SEC_REST`, see `gucs`).
//! - It serves one run and ends. The executor that claimed the run waits for it outside of any transaction, and stays the one whose slot says
//!   what runs; what stops the run is told to this process.
//! - The end of the procedure and that the job is completed are one transaction. What it committed before stays, however the run ends.

use std::cell::Cell;
use std::ffi::CString;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerStatus, DynamicBackgroundWorker};
use pgrx::prelude::*;

use super::executor::{hex, identity_of};
use super::process::{self, Failed};
use super::queue::{self, Ended, Id, Run};
use super::shared::{Process, SHARED, Said, State};
use super::{say, top_level};
use crate::guard;

/// How often a process is tried to be started when there is no room for one, once a second.
const TRIES: u32 = 30;

thread_local! {
    /// The run of this process, if it is one of these.
    static HERE: Cell<Option<Run>> = const { Cell::new(None) };
}

/// The run that this process is for.
pub fn run_here() -> Option<Run> {
    HERE.get()
}

/// How such a process ended.
pub enum Outcome {
    /// The job is completed; nothing is left to be written.
    Done,
    /// Why it failed, and whether another attempt may help.
    Failed(String, bool),
    /// It ended and said nothing.
    Gone,
    /// It could not be started.
    Full,
}

/// Starts the process for the run of a slot and waits for its end. Not in a transaction.
///
/// # Errors
/// [`Failed`]: this process was stopped meanwhile; the other one has ended.
pub fn run(at: usize, run: Run, role: pg_sys::Oid) -> Result<Outcome, Failed> {
    SHARED.exclusive().slots[at].said = Said::default();
    let mut started: Option<DynamicBackgroundWorker> = None;
    let waited = process::outside(|| wait(at, run, role, &mut started));
    if waited.is_err()
        && let Some(process) = started.take()
    {
        // Nobody may be told of the end of the run before it has ended.
        let _ = process::outside(|| process.terminate().wait_for_shutdown());
    }
    waited
}

fn is_over(process: &DynamicBackgroundWorker) -> bool {
    matches!(process.pid(), Err(BackgroundWorkerStatus::Stopped | BackgroundWorkerStatus::PostmasterDied))
}

fn wait(at: usize, run: Run, role: pg_sys::Oid, started: &mut Option<DynamicBackgroundWorker>) -> Outcome {
    let extra = format!("{} {} {}", role.to_u32(), run.number, hex(run.job));
    for _ in 0..TRIES {
        *started = process::start("fluxbase_mcp procedure", "fluxbase_mcp_job_call_main", at as u32, &extra);
        if started.is_some() {
            break;
        }
        process::pause(1000);
    }
    let Some(process) = started else { return Outcome::Full };
    while !is_over(process) {
        // Postgres wakes whoever started a process at its end.
        process::pause(1000);
    }
    let said = SHARED.share().slots[at].said;
    match said {
        Said::Nothing => Outcome::Gone,
        Said::Done => Outcome::Done,
        Said::Failed { .. } => Outcome::Failed(said.text(), said.retry()),
    }
}

/// The main function of the process; `argument` is the slot of the executor.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn fluxbase_mcp_job_call_main(argument: pg_sys::Datum) {
    let at = process::argument(argument) as usize;
    process::obey_at_once();
    let Some((role, run)) = given(BackgroundWorker::get_extra()) else { process::exit() };
    let (database, worker) = {
        let mut shared = SHARED.exclusive();
        let slot = &mut shared.slots[at];
        // Whoever started it may have ended since.
        if slot.state != State::Running || slot.run != run || slot.stop.is_some() {
            drop(shared);
            process::exit();
        }
        slot.call = Process::me();
        let database = slot.database;
        (database, shared.database(database).map_or([0; 16], |entry| entry.worker))
    };
    process::at_exit(ended, at);
    process::connect_as(database, role);
    say::SLOT.set(Some(at));
    HERE.set(Some(run));
    let outcome = serve(at, worker, run, role);
    let mut shared = SHARED.exclusive();
    let slot = &mut shared.slots[at];
    if slot.run == run {
        slot.said = match outcome {
            Ok(()) => Said::Done,
            Err((text, retry)) => Said::failed(&text, retry),
        };
    }
    drop(shared);
    process::exit();
}

/// What the executor gave it.
fn given(extra: &str) -> Option<(pg_sys::Oid, Run)> {
    let mut parts = extra.split(' ');
    let role = process::role(parts.next()?)?;
    let number = parts.next()?.parse().ok()?;
    let digits: String = parts.next()?.chars().filter(|c| *c != '-').collect();
    let job = u128::from_str_radix(&digits, 16).ok()?.to_be_bytes();
    Some((role, Run { job, number }))
}

/// At the end of the process, whatever ends it.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn ended(_code: i32, argument: pg_sys::Datum) {
    let mut shared = SHARED.exclusive();
    let slot = &mut shared.slots[argument.value()];
    if slot.call.pid == Process::me().pid {
        slot.call = Process::default();
    }
}

/// Runs it to its end; else why it failed, and whether another attempt may help.
#[allow(unsafe_code)]
fn serve(at: usize, worker: Id, run: Run, role: pg_sys::Oid) -> Result<(), (String, bool)> {
    let read = process::transaction(|| {
        let Some(call) = guard::as_owner(|| queue::call(worker, run))? else {
            return Err(Failed::because("the run is not this worker's any more"));
        };
        let identity = call.problem.is_none().then(|| identity_of(&call.who));
        Ok((call, identity))
    });
    let (call, identity) = read.map_err(|failed| (failed.text, true))?;
    if let Some(problem) = call.problem {
        return Err((problem, false));
    }
    let identity = match identity {
        Some(Ok(identity)) => identity,
        Some(Err(error)) => return Err((error.to_text(), false)),
        None => return Err(("nothing was read".to_owned(), false)),
    };
    // SAFETY: two variables of this process.
    let (session, current) = unsafe { (pg_sys::GetSessionUserId(), pg_sys::GetUserId()) };
    if (session, current, identity.role) != (role, role, role) {
        let text = "the session of the job has another role than its submitter. Nothing was run.";
        return Err((text.to_owned(), false));
    }
    let fixed = process::outside(|| {
        process::fix(&identity.settings, pg_sys::GucContext::PGC_USERSET);
        process::fix(&identity.claims, pg_sys::GucContext::PGC_SUSET);
    });
    fixed.map_err(|failed| (failed.text, false))?;
    process::show(Some(&format!("job {}", hex(run.job))));
    let payload = call.payload.and_then(|payload| CString::new(payload).ok());
    let argument = call.argument.map(|kind| (kind, payload.as_deref().unwrap_or(c"{}")));
    let called = top_level::call(call.target, argument, || {
        {
            let mut shared = SHARED.exclusive();
            let slot = &mut shared.slots[at];
            if slot.run != run || slot.stop.is_some() {
                drop(shared);
                return Err(Failed::because("stopped"));
            }
            slot.state = State::Finishing;
        }
        if !guard::as_owner(|| queue::finish(worker, run, &Ended::Completed(None)))? {
            return Err(Failed::because("the run is not this worker's any more"));
        }
        Ok(())
    });
    called.map_err(|failed| (failed.text, true))
}
