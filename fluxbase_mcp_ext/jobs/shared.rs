//! What the processes of the jobs tell each other: who is there, who runs what, who must stop, what is waiting.
//!
//! Invariants:
//! - One lock, held for moments; nothing in it can raise an error of Postgres while it is held.
//! - A process is asked to stop a job under the lock and only while it runs that very run of it, so a signal never reaches the next job.
//! - Nothing in here is needed after a crash: jobs are in tables, and this memory is made anew.
#![allow(unsafe_code)]

use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_shmem_init, pg_sys};

use super::queue::Run;

/// Most processes that run jobs, of all databases together.
pub const SLOTS: usize = 64;
/// Most databases with jobs.
pub const DATABASES: usize = 32;
/// Room for what one job says until it is written down, in bytes.
const RING: usize = 8192;
/// Most bytes of one part of a message.
pub const PART: usize = 4000;
/// Most bytes of why a procedure failed.
const WHY: usize = 2000;
/// Before each part: job, run, length, whether it is the last.
const HEADER: usize = 16 + 4 + 4 + 1;

/// A process, and how to wake it. Latches are in shared memory, at the same address everywhere.
#[derive(Clone, Copy, Default)]
pub struct Process {
    pub pid: i32,
    latch: usize,
}

impl Process {
    /// This one.
    pub fn me() -> Process {
        // SAFETY: two variables of this process.
        unsafe { Process { pid: pg_sys::MyProcPid, latch: pg_sys::MyLatch as usize } }
    }

    /// Wakes it. Too often does no harm.
    pub fn wake(self) {
        if self.latch != 0 {
            // SAFETY: the latch of some process of this server; it stays where it is when that process has ended.
            unsafe { pg_sys::SetLatch(self.latch as *mut pg_sys::Latch) };
        }
    }

    fn signal(self, signal: i32) {
        if self.pid > 0 {
            // SAFETY: no memory is touched. The process is there: it takes itself out of the table before it ends.
            unsafe { libc::kill(self.pid, signal) };
        }
    }
}

/// A database with jobs.
#[derive(Clone, Copy, Default)]
pub struct Database {
    /// 0: free.
    pub oid: u32,
    /// Its coordinator; pid 0: there is none.
    pub coordinator: Process,
    pub since: i64,
    /// Its row of jobs.workers.
    pub worker: [u8; 16],
    /// How many processes may run jobs.
    pub concurrency: u32,
    /// Grows with every reason to look for work.
    pub wakes: u64,
    /// There is work and no idle process for it.
    pub work: bool,
    /// Somebody is to be cancelled.
    pub attend: bool,
    /// A process had nothing to do: when will there be something?
    pub poll: bool,
    /// A process could not be started: all of max_worker_processes are in use.
    pub full: bool,
    /// When chunks are to be embedded; 0: nothing is known of any.
    pub embed_at: i64,
    /// Not before this moment is a coordinator started again; 0: at once.
    pub retry_at: i64,
}

/// What a process that runs jobs is doing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum State {
    #[default]
    Free,
    Starting,
    Idle,
    /// Between two jobs.
    Busy,
    /// Runs a job and may be told to stop it.
    Running,
    /// Writes down what became of the job; it is too late to stop it.
    Finishing,
    /// Upkeep instead of jobs.
    Upkeep,
    /// The process has ended; the coordinator has not seen it yet.
    Gone,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Free => "free",
            State::Starting => "starting",
            State::Idle => "idle",
            State::Busy => "claiming",
            State::Running => "running",
            State::Finishing => "finishing",
            State::Upkeep => "upkeep",
            State::Gone => "ended",
        }
    }
}

/// Why a job was stopped from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    Cancelled,
    TimedOut,
    Stalled,
    Lost,
}

/// What a process was started for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Duty {
    #[default]
    Executor,
    Upkeep,
    Embedder,
}

impl Duty {
    pub fn as_str(self) -> &'static str {
        match self {
            Duty::Executor => "executor",
            Duty::Upkeep => "upkeep",
            Duty::Embedder => "embedder",
        }
    }
}

/// What the process of a procedure that may COMMIT said at its end.
#[derive(Clone, Copy, Default)]
#[expect(clippy::large_enum_variant, reason = "it lies in shared memory, where there are no boxes")]
pub enum Said {
    #[default]
    Nothing,
    Done,
    Failed {
        retry: bool,
        length: usize,
        text: [u8; WHY],
    },
}

impl Said {
    /// Why it failed, as much as there is room for, and whether another attempt may help.
    pub fn failed(why: &str, retry: bool) -> Said {
        let mut length = why.len().min(WHY);
        while !why.is_char_boundary(length) {
            length -= 1;
        }
        let mut text = [0; WHY];
        text[..length].copy_from_slice(&why.as_bytes()[..length]);
        Said::Failed { retry, length, text }
    }

    pub fn text(&self) -> String {
        match self {
            Said::Failed { length, text, .. } => String::from_utf8_lossy(&text[..*length]).into_owned(),
            _ => String::new(),
        }
    }

    pub fn retry(&self) -> bool {
        matches!(self, Said::Failed { retry: true, .. })
    }
}

/// A process that runs jobs.
#[derive(Clone, Copy)]
pub struct Slot {
    pub database: u32,
    pub process: Process,
    /// The process in which the procedure of its run is called at top level; pid 0: there is none.
    pub call: Process,
    pub said: Said,
    pub state: State,
    /// When the state began.
    pub since: i64,
    pub kind: Duty,
    pub run: Run,
    pub deadline: i64,
    /// Whether its job must report progress within a time.
    pub watched: bool,
    pub stop: Option<Stop>,
    /// When it was last told.
    told_at: i64,
    stop_at: i64,
    /// Reason to look for work.
    pub go: bool,
    /// Ends as soon as nothing runs.
    pub leave: bool,
    length: usize,
    ring: [u8; RING],
}

impl Default for Slot {
    fn default() -> Slot {
        Slot {
            database: 0,
            process: Process::default(),
            call: Process::default(),
            said: Said::Nothing,
            state: State::Free,
            since: 0,
            kind: Duty::Executor,
            run: Run::default(),
            deadline: 0,
            watched: false,
            stop: None,
            told_at: 0,
            stop_at: 0,
            go: false,
            leave: false,
            length: 0,
            ring: [0; RING],
        }
    }
}

#[derive(Clone, Copy)]
pub struct Shared {
    pub launcher: Process,
    pub databases: [Database; DATABASES],
    pub slots: [Slot; SLOTS],
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            launcher: Process::default(),
            databases: [Database::default(); DATABASES],
            slots: [Slot::default(); SLOTS],
        }
    }
}

// SAFETY: plain numbers; addresses of latches are those of shared memory.
unsafe impl PGRXSharedMemory for Shared {}

// SAFETY: the name is ours alone.
pub static SHARED: PgLwLock<Shared> = unsafe { PgLwLock::new(c"fluxbase_mcp_jobs") };

/// Asks for the memory. Call from `_PG_init` while the server preloads the library.
pub fn reserve() {
    pg_shmem_init!(SHARED = Shared::default());
}

/// Now, as Postgres counts: microseconds since 2000.
pub fn now() -> i64 {
    // SAFETY: asks the system for the time.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// One second, as [`now`] counts.
pub const SECOND: i64 = 1_000_000;

impl Shared {
    /// The entry of a database, a new one if there is room.
    pub fn database(&mut self, oid: u32) -> Option<&mut Database> {
        let at = self.databases.iter().position(|entry| entry.oid == oid);
        let at = at.or_else(|| self.databases.iter().position(|entry| entry.oid == 0))?;
        self.databases[at].oid = oid;
        Some(&mut self.databases[at])
    }

    /// The processes of a database.
    pub fn slots_of(&self, oid: u32) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(move |slot| slot.database == oid && slot.state != State::Free)
    }

    /// Takes a free slot for a process that is about to be started.
    pub fn take(&mut self, oid: u32, kind: Duty) -> Option<usize> {
        let at = self.slots.iter().position(|slot| slot.state == State::Free)?;
        let slot = &mut self.slots[at];
        (slot.database, slot.state, slot.since, slot.kind) = (oid, State::Starting, now(), kind);
        (slot.process, slot.run, slot.stop, slot.go, slot.leave) =
            (Process::default(), Run::default(), None, false, false);
        (slot.length, slot.call, slot.said) = (0, Process::default(), Said::Nothing);
        Some(at)
    }

    /// There may be work in a database: whom to wake.
    pub fn work(&mut self, oid: u32) -> Process {
        let launcher = self.launcher;
        if let Some(slot) =
            self.slots.iter_mut().find(|slot| slot.database == oid && slot.state == State::Idle && !slot.go)
        {
            slot.go = true;
            let process = slot.process;
            if let Some(entry) = self.database(oid) {
                entry.wakes += 1;
            }
            return process;
        }
        let running = self.slots_of(oid).filter(|slot| slot.kind == Duty::Executor).count();
        let Some(entry) = self.database(oid) else { return Process::default() };
        entry.wakes += 1;
        if entry.coordinator.pid == 0 {
            entry.retry_at = 0;
            return launcher;
        }
        if running < entry.concurrency as usize {
            entry.work = true;
            return entry.coordinator;
        }
        Process::default()
    }

    /// Somebody is to be cancelled in a database: whom to wake.
    pub fn attend(&mut self, oid: u32) -> Process {
        let Some(entry) = self.database(oid) else { return Process::default() };
        entry.attend = true;
        entry.coordinator
    }

    /// There are chunks to be embedded in a database from that moment on: whom to wake.
    pub fn embed_at(&mut self, oid: u32, at: i64) -> Process {
        let Some(entry) = self.database(oid) else { return Process::default() };
        entry.embed_at = if entry.embed_at == 0 { at } else { entry.embed_at.min(at) };
        entry.coordinator
    }

    /// Tells the process of a slot to stop that run, and tells it again later: first the statement, after some seconds the process.
    pub fn stop(&mut self, at: usize, run: Run, why: Stop) {
        let moment = now();
        let slot = &mut self.slots[at];
        if slot.state != State::Running || slot.run != run {
            return;
        }
        if slot.stop.is_none() {
            (slot.stop, slot.stop_at, slot.told_at) = (Some(why), moment, moment);
            slot.works().signal(libc::SIGINT);
        } else if moment - slot.told_at >= SECOND {
            slot.told_at = moment;
            let patient = moment - slot.stop_at < 5 * SECOND;
            slot.works().signal(if patient { libc::SIGINT } else { libc::SIGTERM });
        }
    }

    /// Ends every process of a database.
    pub fn end_all(&mut self, oid: u32) {
        for slot in self.slots.iter_mut().filter(|slot| slot.database == oid && slot.state != State::Free) {
            slot.leave = true;
            slot.call.signal(libc::SIGTERM);
            slot.process.signal(libc::SIGTERM);
        }
    }

    /// Ends the upkeep of a slot.
    pub fn end_upkeep(&mut self, at: usize) {
        self.slots[at].process.signal(libc::SIGINT);
    }
}

/// A part of what a job says.
pub struct Part {
    pub run: Run,
    pub last: bool,
    pub bytes: Vec<u8>,
}

impl Slot {
    /// The process in which its run computes.
    fn works(&self) -> Process {
        if self.call.pid != 0 { self.call } else { self.process }
    }

    /// Ends the process in which a procedure is called at top level; false when there is none.
    pub fn end_call(&self) -> bool {
        self.call.signal(libc::SIGTERM);
        self.call.pid != 0
    }

    /// Appends a part of a message for the coordinator; false when there is no room now.
    pub fn say(&mut self, part: &[u8], last: bool) -> bool {
        let from = self.length;
        let to = from + HEADER;
        if to + part.len() > RING {
            return false;
        }
        self.ring[from..from + 16].copy_from_slice(&self.run.job);
        self.ring[from + 16..from + 20].copy_from_slice(&self.run.number.to_le_bytes());
        self.ring[from + 20..from + 24].copy_from_slice(&(part.len() as u32).to_le_bytes());
        self.ring[from + 24] = u8::from(last);
        self.ring[to..to + part.len()].copy_from_slice(part);
        self.length = to + part.len();
        true
    }

    /// Takes the parts out.
    pub fn heard(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at + HEADER <= self.length {
            let mut run = Run::default();
            run.job.copy_from_slice(&self.ring[at..at + 16]);
            let number = |from: usize| {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(&self.ring[from..from + 4]);
                u32::from_le_bytes(bytes)
            };
            run.number = number(at + 16) as i32;
            let from = at + HEADER;
            let to = (from + number(at + 20) as usize).min(self.length);
            parts.push(Part { run, last: self.ring[at + 24] != 0, bytes: self.ring[from..to].to_vec() });
            at = to;
        }
        self.length = 0;
        parts
    }
}
