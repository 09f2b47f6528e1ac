//! Asks the primary and each standby, twice a second, where in the log they are.
//!
//! Each has a connection and a task of its own, so that one that hangs delays nobody. A change is one line in the log.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::Standby;
use super::freshness::{Compared, History, Lsn};
use crate::connection::{Connection, Unreachable};
use crate::database::Target;
use crate::wire::Row;

const EVERY: Duration = Duration::from_millis(500);
/// A server that does not answer within this time is taken for one that is away.
const WITHIN: Duration = Duration::from_secs(3);

const PRIMARY: &str = "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() \
    THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0') END, \
    pg_catalog.current_setting('wal_block_size')";
const STANDBY: &str = "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() \
    THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0') END, \
    pg_catalog.current_setting('wal_block_size')";
const SYSTEM: &str = "SELECT system_identifier FROM pg_catalog.pg_control_system()";

/// What a standby is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Fit,
    /// Nothing is known of the primary yet.
    Waiting,
    Away,
    /// In no recovery: promoted, or never a standby.
    NoStandby,
    Behind,
    /// Its system identifier is another, or it has replayed what the primary has not written.
    Foreign,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Finding::Fit => "it is fit",
            Finding::Waiting => "the primary has not been asked yet",
            Finding::Away => "it does not answer",
            Finding::NoStandby => "it is no hot standby (any more)",
            Finding::Behind => "it is further behind than replica_max_lag",
            Finding::Foreign => "it follows another server than this primary",
        })
    }
}

/// One server that is asked again and again.
struct Server {
    target: Arc<Target>,
    asked: Option<(Connection, Option<u64>)>,
    /// Why it did not answer.
    trouble: String,
}

/// What a server says.
struct Answer {
    /// Where it is in the log; none when the server is of the other kind.
    place: Option<Lsn>,
    /// Bytes of a page of the log.
    page: Lsn,
    /// The system identifier, which a primary shares with its standbys; none where the login may not read it.
    system: Option<u64>,
}

impl Server {
    async fn ask(&mut self, sql: &str) -> Option<Answer> {
        // Taken out, so that a connection on which the question is still open is not used again.
        let kept = self.asked.take();
        let asked = tokio::time::timeout(WITHIN, ask_once(&self.target, kept, sql)).await;
        match asked {
            Ok(Ok((connection, answer))) => {
                // Of the other kind: perhaps another one of several hosts is the right one by now.
                self.asked = answer.place.map(|_| (connection, answer.system));
                Some(answer)
            }
            Ok(Err(error)) => {
                self.trouble = error.to_string();
                None
            }
            Err(_) => {
                self.trouble = format!("no answer within {} s", WITHIN.as_secs());
                None
            }
        }
    }
}

async fn ask_once(
    target: &Arc<Target>,
    kept: Option<(Connection, Option<u64>)>,
    sql: &str,
) -> Result<(Connection, Answer), Unreachable> {
    let (mut connection, system) = match kept {
        Some(kept) => kept,
        None => {
            let mut connection = Connection::open(target).await?;
            // PUBLIC may, unless an administrator took that away: then it is not compared.
            let [system, _] = connection.rows(SYSTEM).await.map_or([None; 2], |row| numbers(&row));
            (connection, system)
        }
    };
    let row = connection.rows(sql).await?;
    let [place, page] = numbers(&row);
    Ok((connection, Answer { place, page: page.unwrap_or(8192), system }))
}

/// The first two columns of the only row.
fn numbers(rows: &[Row]) -> [Option<u64>; 2] {
    [0, 1].map(|column| rows.first()?.get(column)?.as_deref()?.parse().ok())
}

fn every() -> tokio::time::Interval {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Keeps the history of the primary.
pub(super) async fn primary(target: Arc<Target>, history: Arc<Mutex<History>>) {
    let mut server = Server { target, asked: None, trouble: String::new() };
    let mut interval = every();
    loop {
        interval.tick().await;
        let asked = Instant::now();
        if let Some(Answer { place: Some(inserted), page, system }) = server.ask(PRIMARY).await {
            let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
            history.push(asked, inserted, page);
            history.system = system;
        }
    }
}

/// Keeps the state of one standby.
pub(super) async fn standby(standby: Arc<Standby>, history: Arc<Mutex<History>>) {
    let mut server = Server { target: standby.pool.target().clone(), asked: None, trouble: String::new() };
    let mut interval = every();
    let mut before = Finding::Waiting;
    let mut last: Option<(Lsn, Instant)> = None;
    loop {
        interval.tick().await;
        let had_connection = server.asked.is_some();
        let answer = server.ask(STANDBY).await;
        let (mut finding, mut caught_up) = (Finding::Away, None);
        match answer {
            None => {}
            Some(Answer { place: None, .. }) => finding = Finding::NoStandby,
            Some(Answer { place: Some(replayed), system, .. }) => {
                let history = history.lock().unwrap_or_else(PoisonError::into_inner);
                finding = match history.compare(replayed) {
                    Compared::Unknown => Finding::Waiting,
                    Compared::Behind => Finding::Behind,
                    Compared::CaughtUp(at) => {
                        caught_up = Some(at);
                        Finding::Fit
                    }
                };
                // Before the primary was asked, this one had already replayed what the primary had not written then.
                let ahead = last
                    .zip(history.last())
                    .is_some_and(|((lsn, at), end)| end.asked > at && lsn > end.inserted);
                // The primary passes it in time, which makes it none of its standbys.
                let other = system.zip(history.system).is_some_and(|(here, there)| here != there);
                if other || ahead || (before == Finding::Foreign && had_connection) {
                    finding = Finding::Foreign;
                }
                last = Some((replayed, Instant::now()));
            }
        }
        {
            let mut state = standby.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.fit = finding == Finding::Fit;
            state.caught_up = caught_up;
        }
        if finding == Finding::Away {
            last = None;
            // Whoever waits for it would wait until the deadline.
            standby.gone.notify_waiters();
        }
        if finding != before {
            let target = &server.target;
            match finding {
                Finding::Fit => tracing::info!(server = %target, "reads go to this standby"),
                Finding::Waiting => {}
                Finding::Away => {
                    tracing::warn!(server = %target, reason = %finding, error = server.trouble, "no reads go to this standby")
                }
                _ => tracing::warn!(server = %target, reason = %finding, "no reads go to this standby"),
            }
            before = finding;
        }
    }
}
