//! Reading calls go to hot standbys, all others to the primary.
//!
//! The listener knows no tools. It sends a call that may turn out to read to a standby and says so in the transport; there
//! `mcp._serve` answers 421 when the primary has to answer: the tool may write, or the call failed. Names of tools that write are
//! remembered, so that their next call goes straight to the primary. A message whose method may not read, or that cannot be
//! told, goes there at once.
//!
//! Invariants:
//! - Nothing but a good answer of a standby reaches a caller, and its refusals by limits of time, places and requests. Whatever else
//!   happens there (it is down, ends the statement in favour of replay, does not know a new key or table yet, was promoted)
//!   the primary is asked: a standby changes nothing, so asking again is safe.
//! - A standby is asked only while it is in recovery and was no further behind than `replica_max_lag` when the primary was last asked.
//! - With `read_your_writes`, after a key's call may have written, its calls go to a standby only when that has replayed
//!   everything that the primary had when the call ended. This is known to this listener alone.
//! - One key's reads stay on one standby while this is fit, so they do not jump back in time, and its requests are counted there
//!   and on the primary, nowhere else.
//!
//! Without standbys all this is one branch. It does not look into answers, and opens no connections: see [`crate::pool`].

mod freshness;
mod probe;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::call::{self, Answer, Call, Failure};
use crate::config::Http;
use crate::database::Target;
use crate::pool::Pool;
use freshness::History;

/// Methods that change nothing but by a tool. What is not known, such as a batch, goes to the primary.
const MAY_READ: [&str; 11] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
];

/// Names of writing tools that are remembered. Only names of tools that exist get there.
const NAMES: usize = 512;
/// A name is asked anew after this time: a tool may have become one that reads.
const NAME_AGE: Duration = Duration::from_secs(600);
/// Keys of which is remembered when they wrote.
const KEYS: usize = 10_000;
/// Least time that the primary has for a call that a standby did not answer.
const LEAST: Duration = Duration::from_secs(1);

/// The standbys of one listener.
pub(crate) struct Replicas {
    standbys: Vec<Arc<Standby>>,
    read_your_writes: bool,
    known: Mutex<Known>,
    probes: Vec<JoinHandle<()>>,
}

/// One standby and what its last probe found.
pub(crate) struct Standby {
    pool: Arc<Pool>,
    /// Where it stands among the others for a key.
    seat: u64,
    state: Mutex<State>,
    /// Wakes the calls that wait for it when it does not answer any more.
    gone: Notify,
}

#[derive(Default)]
struct State {
    fit: bool,
    /// It has everything that the primary had then.
    caught_up: Option<Instant>,
}

#[derive(Default)]
struct Known {
    /// Tools that may write, and when that was said.
    writers: HashMap<String, Instant>,
    /// When a call of a key that may have written ended.
    wrote: HashMap<String, Instant>,
    /// The same for all keys that are not in the table any more.
    forgotten: Option<Instant>,
}

/// What of a call decides where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The method, if it is known.
    pub(crate) method: Option<&'static str>,
    /// The key's public id.
    pub(crate) key: &'a str,
}

impl Replicas {
    /// `primary` brings its standbys along. The probes run until this is dropped.
    pub(crate) fn start(config: &Http, primary: &Target) -> Replicas {
        let history = Arc::new(Mutex::new(History::new(config.replica_max_lag)));
        let standbys: Vec<Arc<Standby>> = primary
            .standbys
            .iter()
            .map(|target| {
                let mut hasher = DefaultHasher::new();
                target.to_string().hash(&mut hasher);
                Arc::new(Standby {
                    pool: Pool::of_standby(
                        target.clone(),
                        config.pool_size,
                        config.reserved_connections,
                        config.queue_timeout,
                    ),
                    seat: hasher.finish(),
                    state: Mutex::default(),
                    gone: Notify::new(),
                })
            })
            .collect();
        let mut probes = Vec::new();
        if !standbys.is_empty() {
            probes.push(tokio::spawn(probe::primary(Arc::new(primary.clone()), history.clone())));
            for standby in &standbys {
                probes.push(tokio::spawn(probe::standby(standby.clone(), history.clone())));
            }
        }
        Replicas { standbys, read_your_writes: config.read_your_writes, known: Mutex::default(), probes }
    }

    /// Sends the call to a standby or to the primary, and waits for its end.
    pub(crate) async fn call(
        &self,
        primary: &Arc<Pool>,
        call: &Call<'_>,
        asked: Asked<'_>,
    ) -> Result<Answer, Failure> {
        if self.standbys.is_empty() {
            return call::call(primary, call).await;
        }
        let is_tool = asked.method == Some("tools/call");
        let tool = if is_tool { tool_of(call.message) } else { None };
        let begun = Instant::now();
        let may_read = asked.method.is_some_and(|method| MAY_READ.contains(&method));
        if may_read
            && !tool.as_deref().is_some_and(|tool| self.writes(tool))
            && let Some(standby) = self.choose(asked.key)
            && let Some(ended) = self.try_standby(&standby, call, tool.as_deref()).await
        {
            return ended;
        }
        // However it ends, also when the caller hangs up: it may have written unless Postgres says that it has not.
        let mut mark = Mark { replicas: self, key: asked.key, wrote: is_tool || !may_read };
        let there = Call {
            transport: &with_server(call.transport, "primary"),
            notices: call.notices.clone(),
            deadline: call.deadline.saturating_sub(begun.elapsed()).max(LEAST.min(call.deadline)),
            ..*call
        };
        let ended = call::call(primary, &there).await;
        if let Ok(answer) = &ended {
            mark.wrote = answer.wrote;
            if let Some(tool) = tool.filter(|_| answer.wrote) {
                self.remember(tool);
            }
        }
        ended
    }

    /// `None` when the primary has to answer.
    async fn try_standby(
        &self,
        standby: &Standby,
        call: &Call<'_>,
        tool: Option<&str>,
    ) -> Option<Result<Answer, Failure>> {
        let there = Call {
            transport: &with_server(call.transport, "standby"),
            notices: call.notices.clone(),
            // The primary is there for that.
            repeatable: false,
            ..*call
        };
        let gone = standby.gone.notified();
        let ended = tokio::select! {
            ended = call::call(&standby.pool, &there) => ended,
            () = gone => return None,
        };
        match ended {
            Ok(answer) if answer.status == 421 => {
                match answer.body.as_deref() {
                    Some(b"write") => tool.into_iter().for_each(|tool| self.remember(tool.to_owned())),
                    Some(b"promoted") => standby.leave(),
                    _ => {}
                }
                None
            }
            // A key that it does not know yet, or mcp.enabled is off there.
            Ok(answer) if matches!(answer.status, 401 | 503) => None,
            // The last two are most likely the server's fault (a library or a setting that is not as on the primary), so the next call
            // need not meet it, too.
            Err(Failure::Away | Failure::Lost | Failure::NotSetUp | Failure::Internal { .. }) => {
                standby.leave();
                None
            }
            Err(Failure::Conflict) => None,
            Err(Failure::Deadline { .. }) => Some(Err(Failure::Deadline { rolled_back: true })),
            Ok(_) | Err(Failure::Busy | Failure::Cancelled | Failure::Stopped { .. }) => Some(ended),
        }
    }

    /// The standby for a key's reads: of those that are fit and have what the key wrote, always the same.
    fn choose(&self, key: &str) -> Option<Arc<Standby>> {
        let since = self.wrote_at(key);
        let fit = self.standbys.iter().filter(|standby| {
            let state = standby.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.fit && since.is_none_or(|since| state.caught_up.is_some_and(|at| at > since))
        });
        fit.max_by_key(|standby| {
            let mut hasher = DefaultHasher::new();
            (key, standby.seat).hash(&mut hasher);
            hasher.finish()
        })
        .cloned()
    }

    fn wrote_at(&self, key: &str) -> Option<Instant> {
        if !self.read_your_writes {
            return None;
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.wrote.get(key).copied().max(known.forgotten)
    }

    fn wrote(&self, key: &str) {
        if !self.read_your_writes {
            return;
        }
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.wrote.len() >= KEYS && !known.wrote.contains_key(key) {
            known.wrote.clear();
            known.forgotten = Some(now);
        }
        known.wrote.insert(key.to_owned(), now);
    }

    fn writes(&self, tool: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.writers.get(tool).is_some_and(|since| since.elapsed() < NAME_AGE)
    }

    fn remember(&self, tool: String) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.writers.len() >= NAMES {
            known.writers.clear();
        }
        known.writers.insert(tool, Instant::now());
    }

    /// Waits until no connection to a standby is in use, at most `within`.
    pub(crate) async fn drain(&self, within: Duration) {
        for standby in &self.standbys {
            standby.pool.drain(within).await;
        }
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        self.probes.iter().for_each(JoinHandle::abort);
    }
}

impl Standby {
    /// Not to be asked until a probe says otherwise.
    fn leave(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fit = false;
    }
}

/// Notes at its end that the key's call may have written.
struct Mark<'a> {
    replicas: &'a Replicas,
    key: &'a str,
    wrote: bool,
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        if self.wrote {
            self.replicas.wrote(self.key);
        }
    }
}

/// The transport with the server that the call is sent to. It is a JSON object with at least one member.
fn with_server(transport: &str, server: &str) -> String {
    let open = transport.strip_suffix('}').unwrap_or(transport);
    format!(r#"{open},"server":"{server}"}}"#)
}

/// The tool that a `tools/call` names, if it can be read; at most 200 bytes.
fn tool_of(message: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Message {
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        name: String,
    }
    serde_json::from_str::<Message>(message)
        .ok()
        .map(|message| message.params.name)
        .filter(|n| n.len() <= 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(count: u16, lag: Option<Duration>) -> Replicas {
        let standbys = (0..count)
            .map(|number| {
                let url = format!("postgres://u@127.0.0.1:{}/d", number + 1);
                let target = Target::from_parts(Some(&url), &|_| None).unwrap();
                Arc::new(Standby {
                    pool: Pool::of_standby(target, 1, 1, Duration::from_millis(10)),
                    seat: u64::from(number),
                    state: Mutex::new(State {
                        fit: true,
                        caught_up: lag.and_then(|lag| Instant::now().checked_sub(lag)),
                    }),
                    gone: Notify::new(),
                })
            })
            .collect();
        Replicas { standbys, read_your_writes: true, known: Mutex::default(), probes: Vec::new() }
    }

    fn seat(chosen: Option<Arc<Standby>>) -> Option<u64> {
        chosen.map(|standby| standby.seat)
    }

    #[test]
    fn a_key_stays_on_its_standby_and_keys_spread() {
        let all = replicas(3, Some(Duration::ZERO));
        let places: Vec<_> = (0..300).map(|n| seat(all.choose(&n.to_string()))).collect();
        for one in 0..3 {
            let share = places.iter().filter(|place| **place == Some(one)).count();
            assert!((50..150).contains(&share), "{share} of 300 keys");
        }
        all.standbys[1].leave();
        for (n, before) in places.iter().enumerate() {
            let now = seat(all.choose(&n.to_string()));
            assert!(
                now != Some(1) && (*before == Some(1) || now == *before),
                "only the keys of the lost one move"
            );
        }
        all.standbys.iter().for_each(|standby| standby.leave());
        assert_eq!(seat(all.choose("1")), None);
    }

    #[test]
    fn a_key_that_wrote_waits_for_a_standby_that_has_it() {
        let all = replicas(1, Some(Duration::from_millis(50)));
        all.wrote("a");
        assert_eq!((seat(all.choose("a")), seat(all.choose("b"))), (None, Some(0)));
        all.standbys[0].state.lock().unwrap().caught_up = Some(Instant::now());
        assert_eq!(seat(all.choose("a")), Some(0));
        let mut ignored = replicas(1, None);
        ignored.read_your_writes = false;
        ignored.wrote("a");
        assert_eq!(seat(ignored.choose("a")), Some(0));
    }

    #[test]
    fn what_is_forgotten_of_writes_counts_for_everybody() {
        let all = replicas(1, Some(Duration::from_millis(50)));
        (0..=KEYS).for_each(|n| all.wrote(&n.to_string()));
        assert_eq!(all.known.lock().unwrap().wrote.len(), 1);
        assert_eq!(seat(all.choose("0")), None);
        assert_eq!(seat(all.choose("never wrote")), None, "rather the primary than an old row");
    }

    #[test]
    fn names_of_writers_are_bounded_and_age() {
        let all = replicas(1, None);
        (0..2 * NAMES).for_each(|n| all.remember(n.to_string()));
        assert!(all.known.lock().unwrap().writers.len() <= NAMES);
        all.remember("insert_record".to_owned());
        assert!(all.writes("insert_record") && !all.writes("query_table"));
        let old = Instant::now().checked_sub(NAME_AGE).unwrap();
        all.known.lock().unwrap().writers.insert("insert_record".to_owned(), old);
        assert!(!all.writes("insert_record"));
    }

    #[test]
    fn names_are_read_as_they_are_meant() {
        let call = |params: &str| tool_of(&format!(r#"{{"id":1,"method":"tools/call","params":{params}}}"#));
        assert_eq!(call(r#"{"arguments":{"name":"x"},"name":"a\u0062"}"#).as_deref(), Some("ab"));
        for params in [r#"{"name":1}"#, "{}", "[]", "null", &format!(r#"{{"name":"{}"}}"#, "x".repeat(201))] {
            assert_eq!(call(params), None, "{params}");
        }
        assert_eq!(tool_of("[]"), None);
    }

    #[test]
    fn the_server_is_one_more_member() {
        assert_eq!(with_server(r#"{"http":true}"#, "standby"), r#"{"http":true,"server":"standby"}"#);
    }
}
