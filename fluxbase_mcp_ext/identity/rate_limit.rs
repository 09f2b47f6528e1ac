//! Counts requests for each key, in shared memory when the library is preloaded, else for this backend alone.
//!
//! A sliding window of one minute, approximated by two counters: the previous minute's count weighs as much as of it still lies
//! within the last sixty seconds. Invariants: the table has a fixed size and never raises an error while its lock is held;
//! a refused request is not counted; a full neighbourhood gives up the entry that was used longest ago. Counts are lost
//! when the server restarts.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_shmem_init, pg_sys};

use crate::variables;

const SLOTS: usize = 4096;
const PROBES: usize = 8;
const MINUTE: i64 = 60;

#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    minute: i64,
    count: u32,
    previous: u32,
}

#[derive(Clone, Copy)]
struct Table {
    slots: [Slot; SLOTS],
}

impl Default for Table {
    fn default() -> Self {
        Table { slots: [Slot { key: 0, minute: 0, count: 0, previous: 0 }; SLOTS] }
    }
}

// SAFETY: plain numbers, no pointers.
unsafe impl PGRXSharedMemory for Table {}

// SAFETY: the name is ours alone.
static SHARED: PgLwLock<Table> = unsafe { PgLwLock::new(c"fluxbase_mcp_rate_limit") };

thread_local! {
    static OWN: RefCell<Option<Box<Table>>> = const { RefCell::new(None) };
    static PRELOADED: Cell<bool> = const { Cell::new(false) };
}

/// Asks for shared memory. Call from `_PG_init` while the server preloads the library.
pub fn reserve() {
    PRELOADED.set(true);
    pg_shmem_init!(SHARED = Table::default());
}

/// Whether all backends count together.
pub fn is_shared() -> bool {
    PRELOADED.get()
}

/// Counts one request of `key` against `limit` a minute.
///
/// # Errors
/// The number of seconds after which a request would be served.
pub fn count(key: &str, limit: u32) -> Result<(), u32> {
    let key = slot_key(key);
    let now = variables::GetCurrentStatementStartTimestamp() / 1_000_000;
    if is_shared() {
        SHARED.exclusive().count(key, now, limit)
    } else {
        OWN.with_borrow_mut(|own| own.get_or_insert_with(Box::default).count(key, now, limit))
    }
}

/// Takes the last count back: the request of `key` is answered, and counted, by another server.
pub fn take_back(key: &str) {
    let key = slot_key(key);
    if is_shared() {
        SHARED.exclusive().take_back(key);
    } else {
        OWN.with_borrow_mut(|own| own.iter_mut().for_each(|table| table.take_back(key)));
    }
}

/// Zero marks a free slot.
fn slot_key(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish() | 1
}

fn div_up(number: i64, by: i64) -> i64 {
    (number + by - 1) / by
}

impl Table {
    fn count(&mut self, key: u64, now: i64, limit: u32) -> Result<(), u32> {
        let slot = self.slot(key);
        let (minute, second) = (now.div_euclid(MINUTE), now.rem_euclid(MINUTE));
        if slot.key != key {
            *slot = Slot { key, minute, count: 0, previous: 0 };
        } else if slot.minute < minute {
            slot.previous = if slot.minute + 1 == minute { slot.count } else { 0 };
            (slot.minute, slot.count) = (minute, 0);
        }
        let weighed = i64::from(slot.count) * MINUTE + i64::from(slot.previous) * (MINUTE - second);
        if weighed + MINUTE > i64::from(limit) * MINUTE {
            // Until the previous minute weighs little enough: this one's predecessor, or this one once it is over.
            let room = (i64::from(limit) - 1) * MINUTE;
            let wait = if slot.previous > 0 && slot.count < limit {
                let over = weighed - room;
                div_up(over, i64::from(slot.previous))
            } else {
                let over = i64::from(slot.count) * MINUTE - room;
                MINUTE - second + div_up(over.max(0), i64::from(slot.count.max(1)))
            };
            return Err(u32::try_from(wait.clamp(1, 2 * MINUTE)).unwrap_or(1));
        }
        slot.count += 1;
        Ok(())
    }

    fn take_back(&mut self, key: u64) {
        let slot = self.slot(key);
        if slot.key == key {
            slot.count = slot.count.saturating_sub(1);
        }
    }

    fn slot(&mut self, key: u64) -> &mut Slot {
        let start = (key >> 8) as usize % SLOTS;
        let mut best = start;
        for probe in 0..PROBES {
            let at = (start + probe) % SLOTS;
            if self.slots[at].key == key {
                return &mut self.slots[at];
            }
            let (slot, chosen) = (&self.slots[at], &self.slots[best]);
            if chosen.key != 0 && (slot.key == 0 || slot.minute < chosen.minute) {
                best = at;
            }
        }
        &mut self.slots[best]
    }
}
