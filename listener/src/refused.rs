//! What is refused before Postgres is asked, counted and told to the audit of the database now and then.
//!
//! Invariants: no request waits for it; the table is bounded, and beyond the bound addresses are not told apart; while Postgres is away, or keeps
//! no audit, nothing grows. What Postgres refuses it records itself.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::database::Target;

/// How often it is told.
const EVERY: Duration = Duration::from_secs(5);
/// Time for it.
const WITHIN: Duration = Duration::from_secs(5);
/// Most reasons and addresses that are told apart between two times.
const MOST: usize = 256;
/// In place of the others.
const ANYBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// No key, or one of the wrong form.
    Malformed,
    /// Its address sent too many wrong keys.
    TooManyWrong,
    /// Its Host or Origin is not allowed.
    Host,
}

impl Why {
    /// The words that `mcp._audit_refused` knows.
    fn words(self) -> &'static str {
        match self {
            Why::Malformed => "no key, or a malformed one",
            Why::TooManyWrong => "too many wrong keys from this address",
            Why::Host => "host or origin not allowed",
        }
    }
}

type Counts = HashMap<(Why, IpAddr), u32>;

/// The counts that were not told yet.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<Counts>);

impl Refused {
    /// Counts a request.
    pub(crate) fn count(&self, why: Why, address: IpAddr) {
        self.add((why, address.to_canonical()), 1);
    }

    fn add(&self, key: (Why, IpAddr), times: u32) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = if counts.len() < MOST || counts.contains_key(&key) { key } else { (key.0, ANYBODY) };
        let count = counts.entry(key).or_insert(0);
        *count = count.saturating_add(times);
    }

    /// Tells for ever.
    pub(crate) async fn watch(self: Arc<Self>, target: Arc<Target>) {
        loop {
            sleep(EVERY).await;
            self.tell(&target).await;
        }
    }

    /// Tells what was counted. What cannot be told now is told later.
    pub(crate) async fn tell(&self, target: &Arc<Target>) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return;
        }
        let told = timeout(WITHIN, async {
            let mut connection = Connection::open(target).await.map_err(|error| error.to_string())?;
            connection.rows(&statement(&counts)).await.map_err(|error| error.to_string())
        });
        let failed = match told.await {
            Ok(Ok(_)) => return,
            Ok(Err(reason)) => reason,
            Err(_) => "it took too long".to_owned(),
        };
        tracing::debug!(reason = failed, "refused requests could not be told to the audit");
        for (key, times) in counts {
            self.add(key, times);
        }
    }
}

/// Fixed words, addresses and numbers: nothing in it was a client's text.
fn statement(counts: &Counts) -> String {
    let mut sql =
        String::from("SELECT pg_catalog.count(mcp._audit_refused(r.why, r.address, r.times)) FROM (VALUES ");
    for (n, ((why, address), times)) in counts.iter().enumerate() {
        let comma = if n > 0 { ", " } else { "" };
        let times = i32::try_from(*times).unwrap_or(i32::MAX);
        // Writing to a String does not fail.
        let _ = write!(sql, "{comma}('{}', '{address}', {times})", why.words());
    }
    sql.push_str(") AS r(why, address, times)");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_reason_and_address() {
        let refused = Refused::default();
        let here = "::ffff:192.0.2.1".parse().unwrap();
        refused.count(Why::Malformed, here);
        refused.count(Why::Malformed, here);
        let counts = refused.0.lock().unwrap().clone();
        assert_eq!(
            statement(&counts),
            "SELECT pg_catalog.count(mcp._audit_refused(r.why, r.address, r.times)) FROM (VALUES ('no key, or a malformed one', '192.0.2.1', 2)) AS r(why, address, times)"
        );
    }

    #[test]
    fn the_table_is_bounded_and_no_request_goes_uncounted() {
        let refused = Refused::default();
        for number in 0..1000_u32 {
            refused.count(Why::Host, IpAddr::from(number.to_be_bytes()));
            refused.count(Why::Malformed, IpAddr::from(number.to_be_bytes()));
        }
        let counts = refused.0.lock().unwrap();
        assert!(counts.len() <= MOST + 2);
        assert_eq!(counts.values().sum::<u32>(), 2000);
    }

    #[tokio::test]
    async fn what_could_not_be_told_is_kept() {
        let refused = Refused::default();
        refused.count(Why::Host, ANYBODY);
        let target = Target::from_parts(Some("postgres://u@127.0.0.1:1/d"), &|_| None).expect("a target");
        refused.tell(&Arc::new(target)).await;
        assert_eq!(refused.0.lock().unwrap().values().sum::<u32>(), 1);
    }
}
