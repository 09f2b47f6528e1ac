//! Which requests were never handed to the delegate worker, so that whoever asks for the reply can be told for sure that nothing has run.
//!
//! A request is handed over at commit, when nothing can be answered any more; the reply is asked for in another transaction, by any backend. What
//! is noted here is in shared memory: the latest few hundred ids. Invariants: an id is noted only when its request surely did not reach the worker
//! whole; one that is not noted says nothing. Notes are lost when the server restarts.
#![allow(unsafe_code)]

use fluxbase_delegate::Id;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_shmem_init, pg_sys};

use crate::delegate;

/// As many as are asked for within the seconds that a worker needs to come back, and more.
const NOTES: usize = 512;

#[derive(Clone, Copy)]
struct Notes {
    ids: [[u8; 16]; NOTES],
    /// Where the next one goes.
    next: usize,
}

impl Default for Notes {
    fn default() -> Notes {
        Notes { ids: [[0; 16]; NOTES], next: 0 }
    }
}

// SAFETY: plain numbers, no pointers.
unsafe impl PGRXSharedMemory for Notes {}

// SAFETY: the name is ours alone.
static SHARED: PgLwLock<Notes> = unsafe { PgLwLock::new(c"fluxbase_mcp_unsent") };

/// Asks for shared memory. Call from `_PG_init` while the server preloads the library.
pub fn reserve() {
    pg_shmem_init!(SHARED = Notes::default());
}

/// Notes that the request of that id was not handed over. Allowed after a commit: it raises no error.
pub fn note(id: Id) {
    if delegate::is_there() {
        let mut notes = SHARED.exclusive();
        let at = notes.next % NOTES;
        notes.ids[at] = id.0;
        notes.next = at + 1;
    }
}

/// Whether the request of that id surely did not reach the worker.
pub fn has(id: Id) -> bool {
    delegate::is_there() && SHARED.share().ids.contains(&id.0)
}
