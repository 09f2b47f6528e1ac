//! Slows down whoever guesses keys: after 20 wrong ones in a minute an address is answered 429 without asking Postgres.
//!
//! Behind a proxy all clients share one address. So that one broken client cannot lock out the others, a credential
//! that Postgres has accepted lately passes even then; Postgres still checks it. What is remembered of it is a hash
//! with a random key of this process. Both tables are bounded. Nothing here decides whether a key is right.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong keys per address and window.
const FAILURES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// How long an accepted credential is remembered.
const ACCEPTED_FOR: Duration = Duration::from_secs(600);
/// Bound of each table. When one is full, what has expired is forgotten, then everything.
const ENTRIES: usize = 10_000;

pub(crate) struct Limiter {
    hasher: RandomState,
    state: Mutex<State>,
    /// Wrong keys, and requests that were turned away for them, since the start: for `/metrics`.
    pub(crate) wrong: AtomicU64,
    pub(crate) turned_away: AtomicU64,
}

#[derive(Default)]
struct State {
    failures: HashMap<IpAddr, (Instant, u32)>,
    accepted: HashMap<u64, Instant>,
}

impl Limiter {
    pub(crate) fn new() -> Limiter {
        Limiter {
            hasher: RandomState::new(),
            state: Mutex::new(State::default()),
            wrong: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        }
    }

    /// Whether a request of `address` may go on. `credential` is `None` when its key is malformed.
    /// The error is the number of seconds to wait.
    pub(crate) fn check(&self, address: IpAddr, credential: Option<&str>, now: Instant) -> Result<(), u32> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((since, count)) = state.failures.get(&group(address)) else { return Ok(()) };
        let age = now.saturating_duration_since(*since);
        if *count < FAILURES || age >= WINDOW {
            return Ok(());
        }
        let known = credential
            .and_then(|text| state.accepted.get(&self.hasher.hash_one(text)))
            .is_some_and(|at| now.saturating_duration_since(*at) < ACCEPTED_FOR);
        if known {
            return Ok(());
        }
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        Err((WINDOW - age).as_secs() as u32 + 1)
    }

    /// Counts a wrong key.
    pub(crate) fn failed(&self, address: IpAddr, now: Instant) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut state.failures, |(since, _)| now.saturating_duration_since(*since) < WINDOW);
        let entry = state.failures.entry(group(address)).or_insert((now, 0));
        if now.saturating_duration_since(entry.0) >= WINDOW {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }

    /// Remembers that Postgres took this credential.
    pub(crate) fn accepted(&self, credential: &str, now: Instant) {
        let hash = self.hasher.hash_one(credential);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut state.accepted, |at| now.saturating_duration_since(*at) < ACCEPTED_FOR);
        state.accepted.insert(hash, now);
    }

    /// Forgets a credential that Postgres refused.
    pub(crate) fn refused(&self, credential: &str) {
        let hash = self.hasher.hash_one(credential);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).accepted.remove(&hash);
    }
}

/// One customer of a provider has a whole /64 of IPv6.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

fn make_room<K: Eq + std::hash::Hash, V>(table: &mut HashMap<K, V>, fresh: impl Fn(&V) -> bool) {
    if table.len() < ENTRIES {
        return;
    }
    table.retain(|_, value| fresh(value));
    if table.len() >= ENTRIES {
        table.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn twenty_wrong_keys_close_the_door_for_the_rest_of_the_minute() {
        let (limiter, start) = (Limiter::new(), Instant::now());
        let here = address("192.0.2.1");
        for _ in 0..FAILURES {
            assert_eq!(limiter.check(here, None, start), Ok(()));
            limiter.failed(here, start);
        }
        assert_eq!(limiter.check(here, None, start), Err(61));
        assert_eq!(limiter.check(here, Some("fbk:1:aa"), start + Duration::from_secs(59)), Err(2));
        assert_eq!(limiter.check(here, None, start + WINDOW), Ok(()));
        assert_eq!(limiter.check(address("192.0.2.2"), None, start), Ok(()));
    }

    #[test]
    fn a_key_that_worked_is_not_locked_out_by_its_neighbour() {
        let (limiter, start) = (Limiter::new(), Instant::now());
        let proxy = address("10.0.0.1");
        limiter.accepted("good", start);
        (0..FAILURES).for_each(|_| limiter.failed(proxy, start));
        assert_eq!(limiter.check(proxy, Some("good"), start), Ok(()));
        assert!(limiter.check(proxy, Some("guess"), start).is_err());
        limiter.refused("good");
        assert!(limiter.check(proxy, Some("good"), start).is_err(), "revoked since");
    }

    #[test]
    fn a_whole_ipv6_network_is_one_client_and_mapped_addresses_are_ipv4() {
        assert_eq!(group(address("2001:db8:1:2:3:4:5:6")), group(address("2001:db8:1:2:ffff::1")));
        assert_ne!(group(address("2001:db8:1:2::1")), group(address("2001:db8:1:3::1")));
        assert_eq!(group(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn the_tables_are_bounded() {
        let (limiter, start) = (Limiter::new(), Instant::now());
        for number in 0..(ENTRIES as u32 + 10) {
            limiter.failed(IpAddr::from(number.to_be_bytes()), start);
            limiter.accepted(&number.to_string(), start);
        }
        let state = limiter.state.lock().unwrap();
        assert!(state.failures.len() <= ENTRIES && state.accepted.len() <= ENTRIES);
    }
}
