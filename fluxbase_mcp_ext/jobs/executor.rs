//! A process that runs jobs, one at a time, each in transactions of its own.
//!
//! Invariants:
//! - What a job's function did, and that the job is completed, are committed together, or neither is. If the run is not this worker's
//!   any more, what it did is rolled back.
//! - A body runs in the guard and nowhere else, as the role that submitted it, which is looked at anew.
//! - Nothing waits in a transaction: the call of an edge function lies between two of them.
//! - What outlives a rollback is ended after each job; a process with something that cannot be ended runs no other job.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::call::{self, Outcome};
use super::process::{self, Failed};
use super::queue::{self, Ended, Id, Job, Kind, Run, Who};
use super::shared::{self, Duty, SECOND, SHARED, State, Stop};
use crate::cache;
use crate::error::Error;
use crate::guard::{self, Access, Actor};
use crate::identity;
use crate::registered::function::{self, Function};
use crate::tasks;
use crate::tools::functions::job as edge;

/// An idle process ends after this time, in milliseconds, unless it is the only one.
const IDLE: i64 = 60_000;
/// How long the end of another process is waited for at its own end, in steps of ten milliseconds.
const FAREWELL: u32 = 200;

/// The main function of the process; `argument` is its slot.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn fluxbase_mcp_job_main(argument: pg_sys::Datum) {
    let at = process::argument(argument) as usize;
    process::obey_at_once();
    let (database, kind) = {
        let mut shared = SHARED.exclusive();
        let slot = &mut shared.slots[at];
        slot.process = process_here();
        (slot.database, slot.kind)
    };
    process::at_exit(ended, at);
    process::connect(database);
    super::say::SLOT.set(Some(at));
    match kind {
        Duty::Executor => {}
        Duty::Upkeep => {
            set_state(at, State::Upkeep);
            maintain();
            process::exit();
        }
        Duty::Embedder => {
            super::embedder::serve(|| set_state(at, State::Upkeep), database);
            process::exit();
        }
    }
    let worker = SHARED.exclusive().database(database).map_or([0; 16], |entry| entry.worker);
    Executor { at, database, worker, claiming: Cell::new(false), shapes: Shapes::default() }.serve()
}

fn process_here() -> shared::Process {
    shared::Process::me()
}

/// At the end of the process: the slot says so, and the coordinator hears of it.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn ended(_code: i32, argument: pg_sys::Datum) {
    let at = argument.value();
    // What it waits for does not go on without it: another attempt may begin soon.
    for _ in 0..FAREWELL {
        if !SHARED.share().slots[at].end_call() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let coordinator = {
        let mut shared = SHARED.exclusive();
        let database = shared.slots[at].database;
        let coordinator =
            shared.database(database).map_or(shared::Process::default(), |entry| entry.coordinator);
        let slot = &mut shared.slots[at];
        slot.process = shared::Process::default();
        slot.state = if coordinator.pid == 0 { State::Free } else { State::Gone };
        coordinator
    };
    coordinator.wake();
}

fn set_state(at: usize, state: State) {
    let mut shared = SHARED.exclusive();
    let slot = &mut shared.slots[at];
    (slot.state, slot.since) = (state, shared::now());
}

/// Every function of upkeep, each in a transaction of its own.
fn maintain() {
    let calls = match process::transaction(queue::upkeep) {
        Ok(calls) => calls,
        Err(failed) => return log!("jobs: the functions of upkeep cannot be found: {}", failed.text),
    };
    for (call, allowed) in calls {
        if !allowed {
            log!("jobs: {call} is not granted to mcp_jobs: run mcp.install('{{jobs}}') again");
            continue;
        }
        process::show(Some(&format!("upkeep {call}")));
        if let Err(failed) = process::transaction(|| queue::maintain(&call)) {
            if failed.code == "57014" {
                return log!("jobs: {call} was cancelled");
            }
            log!("jobs: {call} failed: {}", failed.text);
        }
        process::show(None);
    }
}

struct Executor {
    at: usize,
    database: u32,
    worker: Id,
    /// Whether the job is done and what follows in its transaction is the claim of the next one.
    claiming: Cell<bool>,
    shapes: Shapes,
}

/// The shapes of functions that were run, until something changes of which Postgres tells. What is kept was read by a transaction that
/// began after `messages` was counted, so no message can have come before the reading and be missed.
#[derive(Default)]
struct Shapes {
    messages: Cell<u64>,
    known: RefCell<HashMap<u32, Rc<Function>>>,
}

impl Shapes {
    /// Call between two transactions.
    fn begin(&self) {
        let messages = cache::messages();
        if self.messages.replace(messages) != messages {
            self.known.borrow_mut().clear();
        }
    }

    /// The shape of a function; `None` when there is none.
    fn of(&self, oid: u32) -> Option<Rc<Function>> {
        let unchanged = cache::messages() == self.messages.get();
        let known = self.known.borrow().get(&oid).cloned();
        if let Some(known) = known.filter(|_| unchanged) {
            return Some(known);
        }
        let function = Rc::new(function::describe(&[oid]).remove(&oid)?);
        self.known.borrow_mut().insert(oid, function.clone());
        Some(function)
    }
}

impl Executor {
    fn serve(&self) -> ! {
        loop {
            let seen = self.wakes();
            set_state(self.at, State::Busy);
            let mut next = match process::transaction(|| queue::claim(self.worker)) {
                Ok(job) => job,
                Err(failed) => {
                    // A queue that cannot be read is found to be gone by the coordinator.
                    log!("jobs: no job can be claimed: {}", failed.text);
                    process::exit()
                }
            };
            if next.is_some() {
                // There may be more: the next idle process looks, and so on.
                let other = SHARED.exclusive().work(self.database);
                other.wake();
            }
            let mut seen = seen;
            while let Some(job) = next {
                seen = self.wakes();
                next = self.run(&job);
                if guard::spent() {
                    self.give_up(next.map(|job| job.run));
                }
            }
            self.idle(seen);
        }
    }

    fn wakes(&self) -> u64 {
        SHARED.exclusive().database(self.database).map_or(0, |entry| entry.wakes)
    }

    /// Ends this process; what it had claimed is handed back.
    fn give_up(&self, run: Option<Run>) -> ! {
        if let Some(run) = run {
            let handed = process::transaction(|| queue::hand_back(self.worker, run));
            if let Err(failed) = handed {
                log!("jobs: a job cannot be handed back: {}", failed.text);
            }
        }
        process::exit()
    }

    /// Waits for work; returns when there may be some.
    fn idle(&self, seen: u64) {
        let begun = shared::now();
        let coordinator = {
            let mut shared = SHARED.exclusive();
            let Some(entry) = shared.database(self.database) else { process::exit() };
            if entry.wakes != seen {
                return;
            }
            entry.poll = true;
            let coordinator = entry.coordinator;
            let slot = &mut shared.slots[self.at];
            (slot.state, slot.since, slot.go) = (State::Idle, begun, false);
            coordinator
        };
        coordinator.wake();
        process::show(None);
        loop {
            {
                let mut shared = SHARED.exclusive();
                let others =
                    shared.slots_of(self.database).filter(|slot| slot.kind == Duty::Executor).count() > 1;
                let slot = &mut shared.slots[self.at];
                if slot.go {
                    (slot.go, slot.state) = (false, State::Busy);
                    return;
                }
                if slot.leave || (others && shared::now() - begun > IDLE * 1000) {
                    slot.state = State::Gone;
                    drop(shared);
                    process::exit();
                }
            }
            process::wait(IDLE);
        }
    }

    /// Runs a job to its end, whatever that is; the next one that was claimed meanwhile.
    fn run(&self, job: &Job) -> Option<Job> {
        {
            let mut shared = SHARED.exclusive();
            let slot = &mut shared.slots[self.at];
            slot.run = job.run;
            slot.stop = None;
            slot.since = shared::now();
            slot.deadline = slot.since + i64::from(job.seconds) * SECOND;
            slot.watched = job.watched;
            slot.state = State::Running;
        }
        process::show(Some(&format!("job {} {}", job.name, hex(job.run.job))));
        self.claiming.set(false);
        self.shapes.begin();
        let outcome = match (&job.problem, &job.kind) {
            (Some(problem), _) => self.end(job.run, || Ok(Ended::Failed(problem.clone(), false))),
            (None, Kind::Function(oid)) => self.end(job.run, || body(job, &self.shapes, *oid, false)),
            (None, Kind::Procedure(oid)) => self.end(job.run, || body(job, &self.shapes, *oid, true)),
            (None, Kind::Call) => self.call(job),
            (None, Kind::Tool) => self.end(job.run, || self.task(job)),
            (None, Kind::Edge { namespace, name }) => self.edge(job, namespace.as_deref(), name),
        };
        let outcome = match outcome {
            Ok(next) => next,
            Err(failed) if self.claiming.get() => {
                // The job did what it should, and what it did was undone by no fault of its own.
                log!(
                    "jobs: job {} is handed back, since no other can be claimed: {}",
                    hex(job.run.job),
                    failed.text
                );
                self.give_up(Some(job.run));
            }
            Err(failed) => {
                let stop = self.finishing();
                if stop.is_some() {
                    process::absorb_cancel();
                }
                self.write_down(job, stop, failed);
                None
            }
        };
        let mut shared = SHARED.exclusive();
        let slot = &mut shared.slots[self.at];
        (slot.state, slot.run, slot.stop) = (State::Busy, Run::default(), None);
        drop(shared);
        if let Some(job) = outcome {
            return Some(job);
        }
        process::transaction(|| queue::claim(self.worker)).unwrap_or_else(|failed| {
            log!("jobs: no job can be claimed: {}", failed.text);
            None
        })
    }

    /// From now on nobody stops the job; why somebody did before.
    fn finishing(&self) -> Option<Stop> {
        let mut shared = SHARED.exclusive();
        let slot = &mut shared.slots[self.at];
        slot.state = State::Finishing;
        slot.stop
    }

    /// One transaction: what `body` does, what became of it, and the claim of the next job.
    fn end(&self, run: Run, body: impl FnOnce() -> Result<Ended, Failed>) -> Result<Option<Job>, Failed> {
        process::transaction(|| {
            let ended = body()?;
            if self.finishing().is_some() {
                return Err(Failed::because("stopped"));
            }
            if !queue::finish(self.worker, run, &ended)? {
                return Err(Failed::because("the run is not this worker's any more"));
            }
            if guard::spent() {
                return Ok(None);
            }
            self.claiming.set(true);
            let next = queue::claim(self.worker)?;
            self.claiming.set(false);
            Ok(next)
        })
    }

    /// Writes down what became of a job whose transaction was rolled back.
    fn write_down(&self, job: &Job, stop: Option<Stop>, failed: Failed) {
        let ended = match stop {
            Some(Stop::Cancelled) => Ended::Cancelled("cancelled while it ran".to_owned()),
            Some(Stop::TimedOut) => Ended::Failed(format!("it ran longer than its {} s", job.seconds), true),
            Some(Stop::Stalled) => {
                Ended::Failed("it reported no progress within its progress_timeout_seconds".to_owned(), true)
            }
            Some(Stop::Lost) => return,
            None => Ended::Failed(failed.text, true),
        };
        if let Err(failed) = process::transaction(|| queue::finish(self.worker, job.run, &ended)) {
            // Its lease ends, and it is taken back.
            log!("jobs: the end of job {} cannot be written: {}", hex(job.run.job), failed.text);
        }
    }

    /// A task. An error that ends the whole transaction is thrown on.
    fn task(&self, job: &Job) -> Result<Ended, Failed> {
        let Some(begun) = queue::begin_task(self.worker, job.run)? else {
            return Err(Failed::because("the task is not there any more"));
        };
        Ok(match identity_of(&job.who) {
            Ok(identity) => Ended::Task(tasks::run::run(&begun, identity)),
            Err(error) => Ended::Failed(error.to_text(), false),
        })
    }

    /// A procedure that may COMMIT: run by a process of its own, which this one waits for without a transaction.
    fn call(&self, job: &Job) -> Result<Option<Job>, Failed> {
        let role = process::transaction(|| Ok(identity_of(&job.who).map(|identity| identity.role)))?;
        let role = match role {
            Ok(role) => role,
            Err(error) => return self.end(job.run, || Ok(Ended::Failed(error.to_text(), false))),
        };
        let ended = match call::run(self.at, job.run, role)? {
            Outcome::Done => return Ok(None),
            Outcome::Failed(why, retry) => Ended::Failed(why, retry),
            Outcome::Gone => {
                Ended::Lost("the process that ran it was ended; the server's log may say why".to_owned())
            }
            Outcome::Full => Ended::Lost(
                "no process could be started for it: all of max_worker_processes are in use".to_owned(),
            ),
        };
        self.end(job.run, || Ok(ended))
    }

    /// A job that is a call over HTTP: begun in one transaction, called without any, finished in another.
    fn edge(&self, job: &Job, namespace: Option<&str>, name: &str) -> Result<Option<Job>, Failed> {
        let begun = process::transaction(|| {
            match as_submitter(job, || {
                edge::begin(name, namespace, job.payload.as_deref(), job.who.key_id.as_deref())
            }) {
                Ok(begun) => Ok(Ok(begun)),
                Err(error) => Ok(Err(error)),
            }
        })?;
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) => {
                let (text, retry) = (error.to_text(), retryable(&error));
                return self.end(job.run, || Ok(Ended::Failed(text, retry)));
            }
        };
        let said = process::outside(|| begun.ask());
        let (said, stopped) = match said {
            Ok(said) => (Some(said), None),
            Err(failed) => (None, Some(failed)),
        };
        if let Some(failed) = stopped {
            let stop = self.finishing();
            process::absorb_cancel();
            // That the call was given up belongs into its own row, too.
            let noted =
                process::transaction(|| Ok(as_submitter(job, || begun.give_up(job.who.key_id.as_deref()))));
            if let Err(failed) = noted {
                log!("jobs: the end of a call cannot be written: {}", failed.text);
            }
            self.write_down(job, stop, failed);
            return Ok(None);
        }
        self.end(job.run, || {
            let Some(said) = said else { return Err(Failed::because("no answer")) };
            match as_submitter(job, || begun.end(said, job.who.key_id.as_deref())) {
                Ok(Ok(result)) => Ok(Ended::Completed(Some(result))),
                Ok(Err(why)) => Ok(Ended::Failed(why, true)),
                Err(error) => Ok(Ended::Failed(error.to_text(), retryable(&error))),
            }
        })
    }
}

/// Whoever submitted the job.
pub fn identity_of(who: &Who) -> Result<identity::Identity, Error> {
    let members = |text: Option<&str>| match text.map(serde_json::from_str::<Value>) {
        Some(Ok(Value::Object(members))) => Some(members),
        _ => None,
    };
    let claims: Option<Map<String, Value>> = members(who.claims.as_deref());
    let settings = members(who.settings.as_deref()).unwrap_or_default();
    identity::of_job(&who.role, who.key_id.as_deref(), claims.as_ref(), &settings).map_err(|_| {
        Error::refused("42501", format!("role {} cannot be used. Nothing was run.", who.role), None)
    })
}

/// Runs `body` in the guard as whoever submitted the job.
fn as_submitter<T>(job: &Job, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let identity = identity_of(&job.who)?;
    let actor =
        Actor { role: identity.role, claims: &identity.claims, settings: &identity.settings, alone: true };
    guard::run(&actor, Access::Write, body, |_| true)
}

/// A function or procedure of the database. An error that ends the whole transaction is thrown on.
fn body(job: &Job, shapes: &Shapes, oid: u32, procedure: bool) -> Result<Ended, Failed> {
    let called = as_submitter(job, || {
        let Some(function) = shapes.of(oid) else {
            return Err(Error::refused(
                "42883",
                "its function does not exist any more. Nothing was run.",
                None,
            ));
        };
        function.run_as_job(job.payload.as_deref())
    });
    Ok(match called {
        Ok(result) => Ended::Completed(result),
        Err(Error::Postgres { code, .. }) if procedure && code == "2D000" => Ended::Failed(
            "a procedure that runs as a job cannot COMMIT or ROLLBACK: what it does and that the job is completed are committed together. \
             Leave COMMIT out, submit a job for each part, or have it registered with transaction_control => true. Nothing was changed.\nCode: 2D000"
                .to_owned(),
            false,
        ),
        Err(error) => Ended::Failed(error.to_text(), retryable(&error)),
    })
}

/// Whether another attempt may end otherwise: not when the role may not, or the function is not there.
fn retryable(error: &Error) -> bool {
    match error {
        Error::Refused { code, .. } => !matches!(*code, "42501" | "42883" | "42704"),
        _ => true,
    }
}

/// As Postgres writes a uuid.
pub fn hex(id: Id) -> String {
    let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
