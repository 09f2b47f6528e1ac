//! What waits to be written, and who writes it, in shared memory.
//!
//! Invariants: one lock, held for the time of copying a record; nothing in it can raise an error of Postgres while it is held. Nothing of it
//! outlives the server.
#![allow(unsafe_code)]

use std::cell::Cell;

use fluxbase_record::buffer::DATABASES;
use fluxbase_record::{Buffer, Refusals};
use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_shmem_init, pg_sys};

use crate::jobs::shared::Process;

/// The process that writes the records of one database.
#[derive(Clone, Copy, Default)]
pub struct Writer {
    database: u32,
    process: Process,
    /// When it was last asked for.
    tried_at: i64,
    /// Its last attempt to write failed.
    pub failing: bool,
}

impl Writer {
    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.process.pid != 0
    }

    /// Its process id; 0 when there is none.
    pub fn pid(&self) -> i32 {
        self.process.pid
    }

    /// Has it look.
    pub fn wake(&self) {
        self.process.wake();
    }
}

#[derive(Clone, Copy)]
pub struct Shared {
    pub buffer: Buffer,
    pub refusals: Refusals,
    writers: [Writer; DATABASES],
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            buffer: Buffer::default(),
            refusals: Refusals::default(),
            writers: [Writer::default(); DATABASES],
        }
    }
}

// SAFETY: plain numbers; addresses of latches are those of shared memory.
unsafe impl PGRXSharedMemory for Shared {}

// SAFETY: the name is ours alone.
pub static SHARED: PgLwLock<Shared> = unsafe { PgLwLock::new(c"fluxbase_mcp_audit") };

thread_local! {
    static PRELOADED: Cell<bool> = const { Cell::new(false) };
}

/// Asks for the memory. Call from `_PG_init` while the server preloads the library.
pub fn reserve() {
    PRELOADED.set(true);
    pg_shmem_init!(SHARED = Shared::default());
}

/// Whether records go through the memory: it is there, and this is no standby, where nobody could write them down.
pub fn is_used() -> bool {
    // SAFETY: reads the state of the server.
    PRELOADED.get() && !unsafe { pg_sys::RecoveryInProgress() }
}

/// Between two attempts to start a writer, in microseconds.
const AGAIN: i64 = 1_000_000;

impl Shared {
    fn place(&self, database: u32) -> Option<usize> {
        self.writers.iter().position(|writer| writer.database == database)
    }

    /// The writer of a database; `None` when none was ever asked for.
    pub fn writer(&self, database: u32) -> Option<Writer> {
        self.place(database).map(|at| self.writers[at])
    }

    /// Whether a database has no writer.
    pub fn is_unwritten(&self, database: u32) -> bool {
        !self.writer(database).is_some_and(|writer| writer.is_there())
    }

    /// Whether whoever asks is to start a writer now: there is none, and nobody is about to start one.
    pub fn may_start(&mut self, database: u32, now: i64) -> bool {
        let at = self
            .place(database)
            .or_else(|| self.place(0))
            // That of a database that is no more, perhaps.
            .or_else(|| self.writers.iter().position(|writer| !writer.is_there()));
        let Some(at) = at else { return false };
        let writer = &mut self.writers[at];
        if writer.database != database {
            *writer = Writer { database, ..Writer::default() };
        }
        if writer.is_there() || now - writer.tried_at < AGAIN {
            return false;
        }
        writer.tried_at = now;
        true
    }

    /// This process becomes the writer; false when another one is.
    pub fn enter(&mut self, database: u32) -> bool {
        let Some(at) = self.place(database) else { return false };
        let writer = &mut self.writers[at];
        if writer.is_there() {
            return false;
        }
        (writer.process, writer.failing) = (Process::me(), false);
        true
    }

    /// This process is the writer no more.
    pub fn leave(&mut self, database: u32) {
        let me = Process::me().pid;
        if let Some(at) = self.place(database)
            && self.writers[at].process.pid == me
        {
            (self.writers[at].process, self.writers[at].tried_at) = (Process::default(), 0);
        }
    }

    /// Whether the last attempt to write failed.
    pub fn set_failing(&mut self, database: u32, failing: bool) {
        if let Some(at) = self.place(database) {
            self.writers[at].failing = failing;
        }
    }
}
