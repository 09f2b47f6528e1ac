//! Refused keys and limits, counted: who sends a million wrong keys fills neither memory nor disk with them.
//!
//! Events of one kind, key and address are one entry. A new entry is due at once, then again after [`PAUSE`]. When the table is full of others,
//! events are counted under an entry of their kind without key and address. Invariants: the size is fixed; of all entries together at most
//! [`MOST`] become due within one [`PAUSE`]; no event is uncounted.

use std::net::IpAddr;

use crate::record::{Outcome, address, address_of};

/// How many entries there are.
pub const ENTRIES: usize = 128;
/// Between two times that an entry is due, in microseconds.
pub const PAUSE: i64 = 10_000_000;
/// Most entries that become due in one pause.
pub const MOST: u32 = 64;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    #[default]
    Unknown = 0,
    Revoked = 1,
    Expired = 2,
    Role = 3,
    RateLimit = 4,
    /// By the listener, before Postgres is asked.
    Malformed = 5,
    TooManyWrong = 6,
    Host = 7,
}

impl Why {
    const ALL: [Why; 8] = [
        Why::Unknown,
        Why::Revoked,
        Why::Expired,
        Why::Role,
        Why::RateLimit,
        Why::Malformed,
        Why::TooManyWrong,
        Why::Host,
    ];

    /// The words in `mcp.audit_log.note`.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Unknown => "unknown key",
            Why::Revoked => "revoked key",
            Why::Expired => "expired key",
            Why::Role => "the key's role cannot be used",
            Why::RateLimit => "rate limit",
            Why::Malformed => "no key, or a malformed one",
            Why::TooManyWrong => "too many wrong keys from this address",
            Why::Host => "host or origin not allowed",
        }
    }

    /// The reverse of [`Why::as_str`].
    pub fn parse(text: &str) -> Option<Why> {
        Why::ALL.into_iter().find(|why| why.as_str() == text)
    }

    /// What becomes of the request.
    pub fn outcome(self) -> Outcome {
        match self {
            Why::RateLimit | Why::TooManyWrong => Outcome::Limited,
            Why::Host => Outcome::Denied,
            _ => Outcome::Unauthenticated,
        }
    }

    /// The HTTP status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Why::RateLimit | Why::TooManyWrong => 429,
            Why::Host => 403,
            _ => 401,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Entry {
    /// 0: free.
    database: u32,
    why: Why,
    /// Length of the id, and the id.
    key: (u8, [u8; 16]),
    address: [u8; 17],
    times: u32,
    first_at: i64,
    last_at: i64,
    written_at: i64,
}

/// The table.
#[derive(Clone, Copy)]
pub struct Refusals {
    entries: [Entry; ENTRIES],
    window_at: i64,
    window: u32,
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals { entries: [Entry::default(); ENTRIES], window_at: i64::MIN, window: 0 }
    }
}

/// Events that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in the table.
    pub at: usize,
    pub why: Why,
    key: (u8, [u8; 16]),
    pub address: Option<IpAddr>,
    pub times: u32,
    /// The first and the last event, in microseconds.
    pub first_at: i64,
    pub last_at: i64,
}

impl Refusal {
    /// The key's public id; empty for none.
    pub fn key_id(&self) -> &str {
        let (length, bytes) = &self.key;
        std::str::from_utf8(&bytes[..usize::from(*length).min(16)]).unwrap_or_default()
    }
}

fn key_of(text: &str) -> (u8, [u8; 16]) {
    let mut bytes = [0; 16];
    if text.len() > 16 {
        return (0, bytes);
    }
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    (text.len() as u8, bytes)
}

impl Refusals {
    /// Counts events; true: somebody has to write soon.
    pub fn count(
        &mut self,
        database: u32,
        why: Why,
        key_id: &str,
        from: Option<IpAddr>,
        times: u32,
        now: i64,
    ) -> bool {
        let (key, from) = (key_of(key_id), address(from));
        let same = |entry: &Entry| entry.database == database && entry.why == why;
        let at = self
            .entries
            .iter()
            .position(|entry| same(entry) && entry.key == key && entry.address == from)
            .or_else(|| self.entries.iter().position(|entry| entry.database == 0))
            .or_else(|| {
                let idle = |entry: &Entry| entry.times == 0 && now - entry.written_at >= PAUSE;
                self.entries.iter().position(idle)
            });
        let (at, key, from) = match at {
            Some(at) => (at, key, from),
            // Any entry of the kind becomes the one of all others.
            None => {
                let various = |entry: &Entry| same(entry) && entry.key.0 == 0 && entry.address[0] == 0;
                let at = self.entries.iter().position(various);
                let at = at.or_else(|| self.entries.iter().position(same)).unwrap_or(0);
                (at, (0, [0; 16]), [0; 17])
            }
        };
        let entry = &mut self.entries[at];
        if entry.database != database || entry.why != why || (entry.times == 0 && entry.key != key) {
            // Idle, free, or of another kind, whose events go over to this one: they stay counted.
            let times = entry.times;
            *entry = Entry { database, why, times, first_at: now, ..Entry::default() };
        }
        (entry.key, entry.address) = (key, from);
        if entry.times == 0 {
            entry.first_at = now;
        }
        entry.times = entry.times.saturating_add(times);
        entry.last_at = now;
        now - entry.written_at >= PAUSE
    }

    /// Appends to `out` what is to be written down; with `all` whatever is there. It stays until it is called written.
    pub fn due(&mut self, database: u32, now: i64, all: bool, out: &mut Vec<Refusal>) {
        if now.saturating_sub(self.window_at) >= PAUSE {
            (self.window_at, self.window) = (now, 0);
        }
        for (at, entry) in self.entries.iter().enumerate() {
            if entry.database != database || entry.times == 0 {
                continue;
            }
            if !all {
                if now - entry.written_at < PAUSE || self.window >= MOST {
                    continue;
                }
                self.window += 1;
            }
            out.push(Refusal {
                at,
                why: entry.why,
                key: entry.key,
                address: address_of(entry.address),
                times: entry.times,
                first_at: entry.first_at,
                last_at: entry.last_at,
            });
        }
    }

    /// These are written down.
    pub fn written(&mut self, refusals: &[Refusal], now: i64) {
        for refusal in refusals {
            if let Some(entry) = self.entries.get_mut(refusal.at) {
                entry.times = entry.times.saturating_sub(refusal.times);
                entry.written_at = now;
            }
        }
    }

    /// Whether any events of a database wait.
    pub fn waiting(&self, database: u32) -> bool {
        self.entries.iter().any(|entry| entry.database == database && entry.times > 0)
    }
}
