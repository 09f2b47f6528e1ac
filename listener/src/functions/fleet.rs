//! All processes: one for each function that is called, started at its first call.
//!
//! - A process that has had nothing to do for a while is stopped; so is the one idle longest when there would be too many.
//! - A function whose process ended, or does not start, is started again after a pause that doubles each time. Meanwhile calls are
//!   refused at once.
//! - When its secrets have changed, a function gets a new process with its next call.
//! - The folder is looked at each second. A function that changed gets a new process; the old one ends with its last call.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::deno::Deno;
use super::layout::{Function, Layout, scan};
use super::process::{Lease, Process, remove};
use super::secrets::{Secrets, Variables};
use super::settings::{Grants, Protected, load};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Longest pause before another start.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A process that lived this long has not failed to start well.
const WELL: Duration = Duration::from_secs(60);
/// Most calls that one function has at a time.
const CALLS: usize = 256;

/// What the fleet is made with.
pub(crate) struct Plan {
    /// The folder with the functions, absolute and without links.
    pub(crate) root: PathBuf,
    /// A folder for sockets that only this user may enter. Removed at the end.
    pub(crate) run: PathBuf,
    pub(crate) deno: Deno,
    pub(crate) protected: Protected,
    /// What Postgres has for them.
    pub(crate) secrets: Arc<Secrets>,
    /// Most processes.
    pub(crate) most: usize,
    /// After which a process without work is stopped.
    pub(crate) idle: Duration,
}

/// All functions and their processes.
pub(crate) struct Fleet {
    plan: Plan,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    layout: Layout,
    slots: HashMap<String, Arc<Slot>>,
    /// Processes made so far: the names of their folders.
    made: u64,
}

/// A function and its process, if it has one.
struct Slot {
    function: Function,
    run: tokio::sync::Mutex<Run>,
}

#[derive(Default)]
struct Run {
    process: Option<Arc<Process>>,
    /// What it was started with.
    secrets: Variables,
    failures: u32,
    not_before: Option<Instant>,
}

/// Why there is no process for a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such function.
    Unknown,
    /// It has as many calls as it may have, or all processes are busy.
    Busy(String),
    /// It does not start. The log says why.
    Down(String),
}

impl Fleet {
    /// Reads the folder and says in the log what it holds.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn new(plan: Plan) -> std::io::Result<Arc<Fleet>> {
        let layout = scan(&plan.root)?;
        let fleet = Fleet { plan, state: Mutex::default() };
        for function in layout.functions.values() {
            match fleet.grants(function) {
                Ok(_) => tracing::info!("function {}: {}", function.title, function.module.display()),
                Err(why) => tracing::error!("function {} cannot be served: {why}", function.title),
            }
        }
        fleet.take(layout);
        Ok(Arc::new(fleet))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grants(&self, function: &Function) -> Result<Grants, String> {
        load(&function.settings(), &self.plan.protected, |name| std::env::var(name).ok())
    }

    /// Makes the layout the current one. Slots of what changed go, with their processes.
    fn take(&self, layout: Layout) -> Vec<Arc<Slot>> {
        for problem in &layout.problems {
            tracing::warn!("{problem}");
        }
        let mut state = self.lock();
        let mut gone = Vec::new();
        state.slots.retain(|title, slot| {
            let stays = layout.functions.get(title) == Some(&slot.function);
            if !stays {
                gone.push(slot.clone());
            }
            stays
        });
        for (title, function) in &layout.functions {
            state.slots.entry(title.clone()).or_insert_with(|| {
                Arc::new(Slot { function: function.clone(), run: tokio::sync::Mutex::default() })
            });
        }
        state.layout = layout;
        gone
    }

    /// A process for a call of the function.
    pub(crate) async fn lease(&self, title: &str) -> Result<Lease, Refusal> {
        let slot = self.lock().slots.get(title).cloned().ok_or(Refusal::Unknown)?;
        let mut run = slot.run.lock().await;
        let secrets = self.plan.secrets.of(title);
        if run.secrets != secrets {
            if let Some(process) = run.process.take() {
                tracing::info!("the secrets of function {title} have changed");
                tokio::spawn(process.retire());
            }
            // What kept it from starting may have been a secret that was not there.
            *run = Run { secrets, ..Run::default() };
        }
        if let Some(process) = &run.process {
            match process.ended() {
                None if process.in_flight() >= CALLS => {
                    return Err(Refusal::Busy(format!("function {title} has {CALLS} calls already")));
                }
                None => return Ok(process.lease()),
                Some(how) => {
                    let lived = process.began.elapsed();
                    tracing::error!(
                        "function {title}: its process ended ({how}) after {} s",
                        lived.as_secs()
                    );
                    run.process = None;
                    run.failures = if lived > WELL { 1 } else { run.failures + 1 };
                    run.not_before = (run.failures > 1).then(|| Instant::now() + pause(run.failures - 1));
                }
            }
        }
        if let Some(left) = run.not_before.and_then(|then| then.checked_duration_since(Instant::now())) {
            let seconds = left.as_secs() + 1;
            return Err(Refusal::Down(format!(
                "function {title} does not start, or its process ended: the log of its runtime says why. Started again in {seconds} s"
            )));
        }
        self.make_room()?;
        match self.start(&slot.function, &run.secrets).await {
            Ok(process) => {
                run.not_before = None;
                run.process = Some(process.clone());
                Ok(process.lease())
            }
            Err(why) => {
                tracing::error!("function {title} does not start: {why}");
                run.failures += 1;
                run.not_before = Some(Instant::now() + pause(run.failures));
                Err(Refusal::Down(format!(
                    "function {title} does not start: the log of its runtime says why"
                )))
            }
        }
    }

    async fn start(&self, function: &Function, secrets: &Variables) -> Result<Arc<Process>, String> {
        let mut grants = self.grants(function)?;
        grants.env.extend(secrets.clone());
        self.plan.deno.check_imports(function, &self.plan.root).await?;
        let number = {
            let mut state = self.lock();
            state.made += 1;
            state.made
        };
        let folder = self.plan.run.join(number.to_string());
        let begun = Instant::now();
        let process = Process::start(&self.plan.deno, function, &grants, folder).await?;
        tracing::info!("function {} started in {} ms", function.title, begun.elapsed().as_millis());
        Ok(process)
    }

    /// The processes that run, without those that are being started or asked for in this moment.
    fn running(&self) -> Vec<Arc<Process>> {
        let slots: Vec<_> = self.lock().slots.values().cloned().collect();
        let of = |slot: &Arc<Slot>| slot.run.try_lock().ok()?.process.clone();
        slots.iter().filter_map(of).filter(|process| process.ended().is_none()).collect()
    }

    fn make_room(&self) -> Result<(), Refusal> {
        let running = self.running();
        if running.len() < self.plan.most {
            return Ok(());
        }
        let idle = running.iter().filter_map(|process| Some((process.idle_since()?, process)));
        match idle.min_by_key(|(since, _)| *since) {
            Some((_, process)) if self.put_to_rest(process) => Ok(()),
            _ => Err(Refusal::Busy(format!(
                "all {} processes are busy; --max-processes allows more",
                self.plan.most
            ))),
        }
    }

    /// Stops a process that has nothing to do. False when it has, or when somebody asks for it now.
    fn put_to_rest(&self, process: &Arc<Process>) -> bool {
        let slot = self.lock().slots.get(&process.title).cloned();
        let Some(slot) = slot else { return false };
        let Ok(mut run) = slot.run.try_lock() else { return false };
        let same = run.process.as_ref().is_some_and(|now| Arc::ptr_eq(now, process));
        if !same || process.in_flight() > 0 {
            return false;
        }
        run.process = None;
        process.stop();
        true
    }

    /// Looks at the folder and at idle processes, for ever.
    pub(crate) async fn watch(self: Arc<Fleet>) {
        loop {
            sleep(LOOK).await;
            let root = self.plan.root.clone();
            match tokio::task::spawn_blocking(move || scan(&root)).await {
                Ok(Ok(layout)) if layout != self.lock().layout => {
                    for slot in self.take(layout) {
                        let still = self.lock().slots.contains_key(&slot.function.title);
                        let what = if still { "has changed" } else { "is gone" };
                        tracing::info!("function {} {what}", slot.function.title);
                        // Whoever is starting it now finds the new one with the next call.
                        tokio::spawn(async move {
                            let process = slot.run.lock().await.process.take();
                            if let Some(process) = process {
                                process.retire().await;
                            }
                        });
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(reason = %error, "cannot read {}", self.plan.root.display()),
                Err(error) => tracing::warn!(reason = %error, "cannot look at the functions"),
            }
            for process in self.running() {
                let idle = process.idle_since().is_some_and(|since| since.elapsed() >= self.plan.idle);
                if idle && self.put_to_rest(&process) {
                    tracing::info!("function {} had nothing to do and was stopped", process.title);
                }
            }
        }
    }

    /// Kills all processes and removes what was made for them.
    pub(crate) async fn end(&self) {
        let slots: Vec<_> = self.lock().slots.drain().map(|(_, slot)| slot).collect();
        let mut ends = JoinSet::new();
        for slot in slots {
            ends.spawn(async move {
                let process = slot.run.lock().await.process.take();
                if let Some(process) = process {
                    process.stopped().await;
                }
            });
        }
        while ends.join_next().await.is_some() {}
        remove(&self.plan.run);
    }
}

/// The pause before the next start.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let pauses: Vec<_> = (1..8).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
