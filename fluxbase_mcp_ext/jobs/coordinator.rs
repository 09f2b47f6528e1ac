//! The process that looks after the jobs of one database: it starts the processes that run them, and runs none itself.
//!
//! Invariants:
//! - It holds no transaction while it waits, and none of its transactions runs anything of a user's.
//! - Leases are extended, and jobs stopped, from here: a job that computes for an hour needs no help of its own for that.
//! - When it ends, so do the processes that it started; what they ran is handed back, and not counted as an attempt.

use std::collections::HashMap;

use pgrx::bgworkers::{BackgroundWorkerStatus, DynamicBackgroundWorker};
use pgrx::prelude::*;

use super::executor::hex;
use super::process::{self, Failed};
use super::queue::{self, Ended, Id, Run};
use super::shared::{self, Duty, Part, Process, SECOND, SHARED, State, Stop};
use crate::gucs;

/// Between two looks at everything, in milliseconds.
const TICK: i64 = 1000;
/// Between two heartbeats while something runs.
const HEARTBEAT: i64 = 5 * SECOND;
/// Between two heartbeats while nothing runs.
const IDLE_HEARTBEAT: i64 = 60 * SECOND;
/// Longest without asking when there is something to do.
const POLL: i64 = 5 * SECOND;
/// Until it is asked after a process had nothing to do.
const SOON: i64 = SECOND / 50;
/// Between two upkeeps, and until the first.
const UPKEEP: i64 = 60 * SECOND;
const FIRST_UPKEEP: i64 = 3 * SECOND;
/// Longest that upkeep may take.
const UPKEEP_LONGEST: i64 = 600 * SECOND;
/// After a process could not be started.
const FULL: i64 = 10 * SECOND;
/// How long the processes of a predecessor, or our own at the end, are waited for, in steps of ten milliseconds.
const FAREWELL: u32 = 150;

/// The main function of the process; `argument` is its database.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn fluxbase_mcp_jobs_main(argument: pg_sys::Datum) {
    let database = process::argument(argument);
    process::obey_when_convenient();
    process::at_exit(ended, database as usize);
    process::connect(database);
    match process::transaction(queue::is_there) {
        Ok(true) => {}
        Ok(false) => {
            // Looked at again when something wakes the database's jobs, or after a while.
            postpone(database, 60 * SECOND);
            process::exit();
        }
        Err(failed) => {
            log!("jobs: {}", failed.text);
            process::exit();
        }
    }
    let mut coordinator = match Coordinator::begin(database) {
        Ok(coordinator) => coordinator,
        Err(failed) => {
            log!("jobs: no worker can begin: {}", failed.text);
            process::exit();
        }
    };
    let why = coordinator.serve();
    coordinator.end(why)
}

fn postpone(database: u32, time: i64) {
    if let Some(entry) = SHARED.exclusive().database(database) {
        entry.retry_at = shared::now() + time;
    }
}

/// At the end of the process, whatever ends it: nobody goes on without it.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn ended(_code: i32, argument: pg_sys::Datum) {
    let database = process::argument(argument);
    let mut shared = SHARED.exclusive();
    if let Some(entry) = shared.database(database) {
        entry.coordinator = Process::default();
        entry.concurrency = 0;
    }
    for slot in shared.slots.iter_mut().filter(|slot| slot.database == database && slot.state == State::Gone)
    {
        slot.state = State::Free;
    }
    shared.end_all(database);
}

/// Why a coordinator ends.
enum Why {
    Asked,
    InTheWay,
    NothingThere,
    Broken(Failed),
}

struct Coordinator {
    database: u32,
    worker: Id,
    handles: HashMap<usize, DynamicBackgroundWorker>,
    /// Messages whose last part is missing.
    parts: HashMap<(Id, i32), Vec<u8>>,
    heartbeat_at: i64,
    poll_at: i64,
    take_back_at: i64,
    upkeep_at: i64,
    full_until: i64,
}

impl Coordinator {
    fn begin(database: u32) -> Result<Coordinator, Failed> {
        // Processes of a predecessor were told to end.
        for _ in 0..FAREWELL {
            let left = SHARED.share().slots_of(database).any(|slot| slot.process.pid != 0);
            if !left {
                break;
            }
            process::wait(10);
        }
        let me = Process::me();
        let begun =
            process::transaction(|| queue::worker_start("postgres", me.pid, gucs::job_concurrency()))?;
        let Some((worker, taken)) = begun else { return Err(Failed::because("jobs are not installed")) };
        if taken > 0 {
            log!("jobs: {taken} jobs of a worker that ended without finishing them are taken over");
        }
        let now = shared::now();
        {
            let mut shared = SHARED.exclusive();
            for slot in
                shared.slots.iter_mut().filter(|slot| slot.database == database && slot.process.pid == 0)
            {
                slot.state = State::Free;
            }
            let Some(entry) = shared.database(database) else {
                return Err(Failed::because("there are too many databases with jobs"));
            };
            (entry.coordinator, entry.since, entry.worker) = (me, now, worker);
            (entry.work, entry.attend, entry.full, entry.retry_at) = (false, false, false, 0);
        }
        Ok(Coordinator {
            database,
            worker,
            handles: HashMap::new(),
            parts: HashMap::new(),
            heartbeat_at: now,
            poll_at: now,
            take_back_at: now + 30 * SECOND,
            upkeep_at: now + FIRST_UPKEEP,
            full_until: 0,
        })
    }

    fn serve(&mut self) -> Why {
        loop {
            if process::must_end() {
                return Why::Asked;
            }
            if let Err(failed) = self.round() {
                return match process::transaction(queue::is_there) {
                    Ok(false) => Why::NothingThere,
                    // A lock that somebody else holds, such as ALTER TABLE's: the next round may have more luck.
                    Ok(true) if matches!(failed.code.as_str(), "55P03" | "40P01" | "40001") => {
                        log!("jobs: {}; tried again", failed.text);
                        process::wait(TICK);
                        continue;
                    }
                    _ => Why::Broken(failed),
                };
            }
            let idle = SHARED.share().slots_of(self.database).all(|slot| slot.state == State::Idle);
            if idle && process::is_in_the_way() {
                return Why::InTheWay;
            }
            process::wait(((self.poll_at - shared::now()) / 1000).clamp(1, TICK));
        }
    }

    /// Looks at everything once.
    fn round(&mut self) -> Result<(), Failed> {
        let now = shared::now();
        let concurrency = gucs::job_concurrency();
        let (work, attend, poll) = {
            let mut shared = SHARED.exclusive();
            let Some(entry) = shared.database(self.database) else { return Ok(()) };
            entry.concurrency = concurrency as u32;
            (
                std::mem::take(&mut entry.work),
                std::mem::take(&mut entry.attend),
                std::mem::take(&mut entry.poll),
            )
        };
        if poll {
            self.poll_at = self.poll_at.min(now + SOON);
        }
        self.write_down_what_was_said()?;
        self.bury()?;
        self.stop_the_late();
        let (running, watched) = {
            let shared = SHARED.share();
            let runs = |slot: &&shared::Slot| matches!(slot.state, State::Running | State::Finishing);
            let runs: Vec<_> =
                shared.slots_of(self.database).filter(runs).map(|slot| (slot.run, slot.watched)).collect();
            (runs.iter().map(|run| run.0).collect::<Vec<Run>>(), runs.iter().any(|run| run.1))
        };
        let pause = if watched {
            SECOND
        } else if running.is_empty() {
            IDLE_HEARTBEAT
        } else {
            HEARTBEAT
        };
        if attend || now - self.heartbeat_at >= pause {
            self.heartbeat_at = now;
            self.heartbeat(&running)?;
        }
        self.parts.retain(|key, _| running.iter().any(|run| (run.job, run.number) == *key));
        if now >= self.take_back_at {
            self.take_back_at = now + 30 * SECOND;
            process::transaction(queue::take_back)?;
        }
        let mut wanted = work;
        if now >= self.poll_at {
            process::transaction(queue::schedule)?;
            let due = process::transaction(queue::next_due)?;
            let waits = due.is_some_and(|seconds| seconds <= 0.0);
            if !waits && let Some(entry) = SHARED.exclusive().database(self.database) {
                // Nobody is missing any more.
                entry.full = false;
            }
            wanted |= waits;
            // What is due already is what nobody is free for, or has just been told of.
            let pause = due.map_or(POLL, |seconds| match (seconds * 1e6) as i64 {
                late if late <= 0 => SECOND,
                early => early.clamp(SOON, POLL),
            });
            self.poll_at = now + pause;
        }
        if wanted {
            self.work_for_one_more();
        }
        if now >= self.upkeep_at {
            self.upkeep_at = now + UPKEEP;
            self.upkeep();
        }
        self.embed(now);
        Ok(())
    }

    /// Starts a process that embeds chunks when there are some, unless there is one: that one looks again before it ends.
    fn embed(&mut self, now: i64) {
        let due = {
            let mut shared = SHARED.exclusive();
            let there = shared.slots_of(self.database).any(|slot| slot.kind == Duty::Embedder);
            let Some(entry) = shared.database(self.database) else { return };
            let due = !there && entry.embed_at != 0 && now >= entry.embed_at && now >= self.full_until;
            if due {
                entry.embed_at = 0;
            }
            due
        };
        if due {
            self.start(Duty::Embedder);
        }
    }

    /// Wakes an idle process, or starts another.
    fn work_for_one_more(&mut self) {
        let (process, start) = {
            let mut shared = SHARED.exclusive();
            let process = shared.work(self.database);
            let me = Process::me().pid;
            let Some(entry) = shared.database(self.database) else { return };
            let start = std::mem::take(&mut entry.work) && process.pid == me;
            (process, start)
        };
        if start {
            self.start(Duty::Executor);
        } else {
            process.wake();
        }
    }

    fn start(&mut self, kind: Duty) {
        let now = shared::now();
        if now < self.full_until {
            return;
        }
        let Some(at) = SHARED.exclusive().take(self.database, kind) else { return };
        let name = match kind {
            Duty::Executor => "fluxbase_mcp job",
            Duty::Upkeep => "fluxbase_mcp upkeep",
            Duty::Embedder => "fluxbase_mcp embedding",
        };
        let started = process::start(name, "fluxbase_mcp_job_main", at as u32, &process::own_role());
        let full = started.is_none();
        let mut shared = SHARED.exclusive();
        let known =
            shared.database(self.database).is_some_and(|entry| std::mem::replace(&mut entry.full, full));
        match started {
            Some(handle) => {
                drop(shared);
                self.handles.insert(at, handle);
            }
            None => {
                shared.slots[at].state = State::Free;
                drop(shared);
                self.full_until = now + FULL;
                if !known {
                    log!(
                        "jobs: another process cannot be started, all of max_worker_processes are in use; jobs go on with those that are there"
                    );
                }
            }
        }
    }

    /// Starts a process for periodic upkeep, unless there is one.
    fn upkeep(&mut self) {
        let there = SHARED.share().slots_of(self.database).any(|slot| slot.kind == Duty::Upkeep);
        if !there {
            self.start(Duty::Upkeep);
        }
    }

    fn heartbeat(&self, running: &[Run]) -> Result<(), Failed> {
        let verdicts = process::transaction(|| queue::heartbeat(self.worker, running))?;
        let mut shared = SHARED.exclusive();
        for (run, verdict) in verdicts {
            let why = match verdict.as_str() {
                "cancel" => Stop::Cancelled,
                "stalled" => Stop::Stalled,
                _ => Stop::Lost,
            };
            let database = self.database;
            let at = shared.slots.iter().position(|slot| slot.database == database && slot.run == run);
            if let Some(at) = at {
                shared.stop(at, run, why);
            }
        }
        Ok(())
    }

    /// Stops what ran out of time, tells again what was told before, and ends upkeep that takes too long.
    fn stop_the_late(&self) {
        let now = shared::now();
        let mut shared = SHARED.exclusive();
        for at in 0..shared.slots.len() {
            let slot = &shared.slots[at];
            if slot.database != self.database {
                continue;
            }
            let (run, stop, late) = (slot.run, slot.stop, now >= slot.deadline);
            if slot.state == State::Running && (stop.is_some() || late) {
                shared.stop(at, run, stop.unwrap_or(Stop::TimedOut));
            } else if slot.state == State::Upkeep && now - slot.since > UPKEEP_LONGEST {
                shared.slots[at].since = now;
                shared.end_upkeep(at);
            }
        }
    }

    fn write_down_what_was_said(&mut self) -> Result<(), Failed> {
        let said: Vec<Part> = {
            let mut shared = SHARED.exclusive();
            let database = self.database;
            shared
                .slots
                .iter_mut()
                .filter(|slot| slot.database == database)
                .flat_map(|slot| slot.heard())
                .collect()
        };
        for Part { run, last, bytes } in said {
            let key = (run.job, run.number);
            let whole = self.parts.entry(key).or_default();
            whole.extend_from_slice(&bytes);
            if !last {
                continue;
            }
            let whole = self.parts.remove(&key).unwrap_or_default();
            let text = String::from_utf8_lossy(&whole);
            if let Err(failed) = process::transaction(|| queue::heard(self.worker, run, &text)) {
                match failed.code.as_str() {
                    "42883" | "3F000" => return Err(failed),
                    _ => log!("jobs: what job {} said cannot be written: {}", hex(run.job), failed.text),
                }
            }
        }
        Ok(())
    }

    /// Frees the slots of processes that have ended. A job that such a process ran has failed.
    fn bury(&mut self) -> Result<(), Failed> {
        let ended: Vec<usize> = {
            let shared = SHARED.share();
            let gone = |at: &usize| shared.slots[*at].state == State::Gone;
            let stopped = |handle: &DynamicBackgroundWorker| {
                matches!(handle.pid(), Err(BackgroundWorkerStatus::Stopped))
            };
            self.handles
                .iter()
                .filter(|(at, handle)| gone(at) || stopped(handle))
                .map(|(at, _)| *at)
                .collect()
        };
        for at in ended {
            self.handles.remove(&at);
            let (run, stop, dead) = {
                let mut shared = SHARED.exclusive();
                let slot = &mut shared.slots[at];
                let found = (slot.run, slot.stop, slot.run != Run::default());
                slot.state = State::Free;
                slot.run = Run::default();
                found
            };
            if !dead {
                continue;
            }
            // At a shutdown all processes are told to end at once: then its job is handed back, with the others'.
            process::pause(100);
            if process::must_end() {
                return Ok(());
            }
            let ended = match stop {
                Some(Stop::Cancelled) => {
                    Ended::Cancelled("cancelled while it ran; its process had to be ended".to_owned())
                }
                Some(Stop::TimedOut) => {
                    Ended::Failed("it ran longer than its time; its process had to be ended".to_owned(), true)
                }
                Some(Stop::Stalled) => {
                    Ended::Failed("it reported no progress; its process had to be ended".to_owned(), true)
                }
                Some(Stop::Lost) => continue,
                None => Ended::Lost("the process that ran it was ended".to_owned()),
            };
            process::transaction(|| queue::finish(self.worker, run, &ended))?;
            self.poll_at = 0;
        }
        Ok(())
    }

    /// Ends the processes and hands back what they ran.
    fn end(&mut self, why: Why) -> ! {
        SHARED.exclusive().end_all(self.database);
        for _ in 0..FAREWELL {
            if !SHARED.share().slots_of(self.database).any(|slot| slot.process.pid != 0) {
                break;
            }
            process::pause(10);
        }
        match why {
            Why::NothingThere => postpone(self.database, 60 * SECOND),
            Why::InTheWay => postpone(self.database, 10 * SECOND),
            Why::Asked => postpone(self.database, SECOND),
            Why::Broken(failed) => {
                postpone(self.database, 5 * SECOND);
                log!("jobs: the worker of this database ends and is started again: {}", failed.text);
            }
        }
        match process::transaction(|| queue::worker_stop(self.worker)) {
            Ok(0) => {}
            Ok(handed) => log!("jobs: {handed} running jobs are handed back"),
            Err(failed) if matches!(failed.code.as_str(), "42883" | "3F000") => {}
            Err(failed) => log!("jobs: what still ran cannot be handed back: {}", failed.text),
        }
        process::exit()
    }
}
