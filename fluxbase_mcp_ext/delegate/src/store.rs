//! Replies that wait for whoever collects them.
//!
//! Invariants: an entry belongs to its owner, and to anybody else it does not exist; collecting changes nothing, so it can be done
//! again until it is acknowledged; waiting changes nothing either; there are never more entries than the limit, and an entry that nobody
//! acknowledges goes when its time is over. Bytes are bounded by the [budget](crate::budget): an entry holds its share. Nothing
//! here reads a clock or waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::budget::Share;
use crate::failure::Failure;
use crate::message::{Ended, Head, Id};

/// Most ends that one waiter is told of at once.
const TOLD: usize = 1000;

/// A reply that is kept, with its part of the budget.
#[derive(Debug)]
pub struct Kept {
    pub head: Head,
    pub body: Vec<Bytes>,
    pub share: Option<Share>,
}

/// What became of a call.
pub type Outcome = Result<Kept, Failure>;

#[derive(Debug)]
enum State {
    Running(Option<AbortHandle>),
    Ended { number: u64, at: Instant, outcome: Arc<Outcome> },
}

#[derive(Debug)]
struct Entry {
    owner: String,
    token: String,
    state: State,
    /// The call was not begun: it takes no place of those that were.
    refused: bool,
}

/// What there is of an entry.
#[derive(Debug)]
pub enum Found {
    Unknown,
    Running,
    Ended(Arc<Outcome>),
}

/// Why an entry was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// There are as many as may be.
    Full,
    /// The id is taken.
    Taken,
}

/// All entries.
#[derive(Debug, Default)]
pub struct Store {
    entries: HashMap<Id, Entry>,
    /// How many of them are of calls that were not begun.
    refused: usize,
    last: u64,
}

impl Store {
    /// Makes an entry for a call that begins.
    ///
    /// # Errors
    /// [`NotBegun`]; nothing was changed.
    pub fn begin(&mut self, id: Id, owner: &str, token: &str, limit: usize) -> Result<(), NotBegun> {
        if self.entries.contains_key(&id) {
            return Err(NotBegun::Taken);
        }
        if self.len() >= limit {
            return Err(NotBegun::Full);
        }
        let (owner, token) = (owner.to_owned(), token.to_owned());
        self.entries.insert(id, Entry { owner, token, state: State::Running(None), refused: false });
        Ok(())
    }

    /// Keeps why a call was not begun, for its owner, as the end of it: unless the id is taken, or `limit` such are kept already.
    pub fn refuse(&mut self, id: Id, owner: String, token: String, why: Failure, limit: usize, now: Instant) {
        if self.entries.contains_key(&id) || self.refused >= limit {
            return;
        }
        self.last += 1;
        self.refused += 1;
        let state = State::Ended { number: self.last, at: now, outcome: Arc::new(Err(why)) };
        self.entries.insert(id, Entry { owner, token, state, refused: true });
    }

    fn remove(&mut self, id: Id) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.refused -= usize::from(entry.refused);
        Some(entry)
    }

    /// Says which task makes the call, so that it can be cancelled.
    pub fn made_by(&mut self, id: Id, task: AbortHandle) {
        if let Some(Entry { state: State::Running(known), .. }) = self.entries.get_mut(&id) {
            *known = Some(task);
        }
    }

    /// Keeps what became of the call. Nothing happens if it was cancelled meanwhile.
    pub fn end(&mut self, id: Id, outcome: Outcome, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.last += 1;
        entry.state = State::Ended { number: self.last, at: now, outcome: Arc::new(outcome) };
    }

    /// The ended calls of `token` with a number above `after`, in the order of their numbers.
    pub fn ended(&self, token: &str, after: u64) -> Vec<Ended> {
        let of_token = self.entries.iter().filter(|(_, entry)| entry.token == token);
        let mut ended: Vec<Ended> = of_token
            .filter_map(|(&id, entry)| match entry.state {
                State::Ended { number, .. } if number > after => Some(Ended { id, number }),
                _ => None,
            })
            .collect();
        ended.sort_unstable_by_key(|ended| ended.number);
        ended.truncate(TOLD);
        ended
    }

    /// What there is under the id for that owner.
    pub fn find(&self, id: Id, owner: &str) -> Found {
        match self.entries.get(&id).filter(|entry| entry.owner == owner) {
            None => Found::Unknown,
            Some(Entry { state: State::Running(_), .. }) => Found::Running,
            Some(Entry { state: State::Ended { outcome, .. }, .. }) => Found::Ended(Arc::clone(outcome)),
        }
    }

    /// Forgets an entry of that owner that has ended.
    pub fn acknowledge(&mut self, id: Id, owner: &str) {
        let is_it = |entry: &Entry| entry.owner == owner && matches!(entry.state, State::Ended { .. });
        if self.entries.get(&id).is_some_and(is_it) {
            self.remove(id);
        }
    }

    /// Forgets an entry of that owner, and ends its call.
    pub fn cancel(&mut self, id: Id, owner: &str) {
        if self.entries.get(&id).is_some_and(|entry| entry.owner == owner)
            && let Some(Entry { state: State::Running(Some(task)), .. }) = self.remove(id)
        {
            task.abort();
        }
    }

    /// Forgets what ended more than `keep` ago, and says how many that were.
    pub fn expire(&mut self, now: Instant, keep: Duration) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, entry| match entry.state {
            State::Running(_) => true,
            State::Ended { at, .. } => now.saturating_duration_since(at) < keep,
        });
        self.refused = self.entries.values().filter(|entry| entry.refused).count();
        before - self.entries.len()
    }

    /// How many entries of calls that were begun there are.
    pub fn len(&self) -> usize {
        self.entries.len() - self.refused
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn id(n: u8) -> Id {
        Id([n; 16])
    }

    fn kept() -> Outcome {
        Ok(Kept { head: Head::Deleted, body: Vec::new(), share: None })
    }

    #[test]
    fn an_entry_is_its_owners_alone() {
        let (mut store, now) = (Store::default(), Instant::now());
        store.begin(id(1), "a", "t", 10).unwrap();
        assert!(matches!(store.find(id(1), "a"), Found::Running));
        assert!(matches!(store.find(id(1), "b"), Found::Unknown));
        store.end(id(1), kept(), now);
        store.acknowledge(id(1), "b");
        store.cancel(id(1), "b");
        assert!(matches!(store.find(id(1), "b"), Found::Unknown));
        for _ in 0..3 {
            assert!(matches!(store.find(id(1), "a"), Found::Ended(_)), "collecting does not consume");
            assert_eq!(store.ended("t", 0), [Ended { id: id(1), number: 1 }], "waiting does not consume");
        }
        assert_eq!(store.ended("other", 0), []);
        assert_eq!(store.ended("t", 1), []);
        store.acknowledge(id(1), "a");
        store.acknowledge(id(1), "a");
        assert!(matches!(store.find(id(1), "a"), Found::Unknown));
    }

    #[test]
    fn number_and_time_are_bounded() {
        let (mut store, now) = (Store::default(), Instant::now());
        store.begin(id(1), "a", "t", 2).unwrap();
        assert_eq!(store.begin(id(1), "a", "t", 2), Err(NotBegun::Taken));
        store.begin(id(2), "a", "t", 2).unwrap();
        assert_eq!(store.begin(id(3), "a", "t", 2), Err(NotBegun::Full));
        store.end(id(1), Err(Failure::Cancelled), now);
        let keep = Duration::from_secs(60);
        assert_eq!(store.expire(now + Duration::from_secs(59), keep), 0);
        assert_eq!(store.expire(now + keep, keep), 1, "the one that runs stays");
        assert_eq!(store.len(), 1);
        // One that was cancelled does not come back when its call ends.
        store.cancel(id(2), "a");
        store.end(id(2), kept(), now);
        assert!(store.is_empty());
    }

    #[test]
    fn a_call_that_was_not_begun_is_told_to_its_owner_and_takes_no_place() {
        let (mut store, now, why) = (Store::default(), Instant::now(), Failure::Full { limit: 1 });
        let refuse = |store: &mut Store, n| {
            store.refuse(id(n), "a".into(), "t".into(), why.clone(), 2, now);
        };
        store.begin(id(1), "a", "t", 1).unwrap();
        for n in 1..=4 {
            refuse(&mut store, n);
        }
        assert!(matches!(store.find(id(1), "a"), Found::Running), "the one that runs is left alone");
        assert!(matches!(store.find(id(2), "b"), Found::Unknown));
        let is_told = |store: &Store, n| matches!(store.find(id(n), "a"), Found::Ended(told) if told.as_ref().as_ref().is_err_and(|told| *told == why));
        assert!(is_told(&store, 2) && is_told(&store, 3) && !is_told(&store, 4), "at most two are kept");
        assert_eq!(store.ended("t", 0).iter().map(|one| one.id).collect::<Vec<_>>(), [id(2), id(3)]);
        store.end(id(1), kept(), now);
        store.acknowledge(id(1), "a");
        assert_eq!(store.len(), 0);
        store.begin(id(5), "a", "t", 1).unwrap();
        store.acknowledge(id(2), "a");
        refuse(&mut store, 4);
        assert!(is_told(&store, 4), "there is room again");
        store.cancel(id(4), "a");
        assert_eq!(store.expire(now + Duration::from_secs(9), Duration::from_secs(9)), 1);
        assert_eq!((store.len(), store.refused), (1, 0));
    }

    proptest! {
        /// Whoever asks with the last number that it was told, after any number of repetitions and losses, learns of every end.
        #[test]
        fn no_end_is_lost(steps in vec((any::<u8>(), any::<bool>()), 1..200)) {
            let (mut store, now, mut after, mut heard, mut ended) = (Store::default(), Instant::now(), 0, Vec::new(), Vec::new());
            for (n, reply_is_lost) in steps {
                if store.begin(id(n), "a", "t", 300).is_ok() {
                    store.end(id(n), kept(), now);
                    ended.push(id(n));
                }
                let told = store.ended("t", after);
                if !reply_is_lost {
                    after = told.last().map_or(after, |last| last.number);
                    heard.extend(told.iter().map(|one| one.id));
                }
            }
            heard.extend(store.ended("t", after).iter().map(|one| one.id));
            prop_assert_eq!(heard, ended);
        }
    }
}
