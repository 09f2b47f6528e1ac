//! `subscriptions/listen`: streams that tell a client what changes (MCP 2026-07-28, basic/subscriptions).
//!
//! Nothing is held in Postgres for an open stream. One connection for all of them asks `mcp._changes()` twice a second, which is another text when
//! Postgres itself has told that backend of changes; then each stream sends its request again with what it has seen, and passes on what
//! `mcp._serve` says is due. So it works on standbys, with any number of listeners, and without triggers or NOTIFY.
//!
//! Invariants:
//! - A stream counts against bounds on all streams and on those of one key, and ends after `session_timeout`, with the process, or when its key ends.
//! - Looks are taken one after the other, so that a thousand streams are never more than one call at a time.
//! - A client that reads slowly holds no connection to Postgres.
//!
//! It does not know what the messages mean: `mcp._serve` makes them, the last one of a stream included.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::connection::Connection;
use crate::database::Target;
use crate::events::Notices;
use crate::reply::{self, Reply, code};

/// How often Postgres is asked whether something may have changed, while there are streams.
const EVERY: Duration = Duration::from_millis(500);
/// Each stream looks at least so often: a key that expires is told by no message.
const AT_LEAST: Duration = Duration::from_secs(60);
/// When Postgres could not answer, a stream looks again after this time.
const AGAIN: Duration = Duration::from_secs(5);
/// Time for one question to Postgres.
const WITHIN: Duration = Duration::from_secs(5);
/// The part of the streams that one key may have: an eighth.
const SHARE: usize = 8;

/// All streams of one listener.
pub(crate) struct Subscriptions {
    target: Arc<Target>,
    most: usize,
    by_key: Mutex<HashMap<String, usize>>,
    /// How many streams there are.
    open: watch::Sender<usize>,
    /// Grows when something may have changed.
    changes: watch::Sender<u64>,
    /// The process is about to end.
    ending: watch::Sender<bool>,
    looks: Semaphore,
}

/// What `mcp._serve` answers to a look.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look<'a> {
    /// To be sent with the next look.
    state: String,
    /// Messages for the client.
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    /// The message that ends the stream well.
    #[serde(borrow)]
    end: &'a RawValue,
}

impl Subscriptions {
    /// `most` is the number of streams at the same time.
    pub(crate) fn new(target: Arc<Target>, most: usize) -> Subscriptions {
        Subscriptions {
            target,
            most,
            by_key: Mutex::default(),
            open: watch::Sender::new(0),
            changes: watch::Sender::new(0),
            ending: watch::Sender::new(false),
            looks: Semaphore::new(1),
        }
    }

    /// Ends all streams with their last message; for the end of the process.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Watches Postgres as long as there are streams. Runs until it is dropped.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut open = self.open.subscribe();
        loop {
            // The sender lives as long as we do.
            let _ = open.wait_for(|&streams| streams > 0).await;
            let (mut connection, mut seen) = (None, None);
            while *open.borrow() > 0 {
                match self.mark(&mut connection).await {
                    Some(mark) if seen.as_ref() == Some(&mark) => {}
                    Some(mark) => {
                        seen = Some(mark);
                        self.changes.send_modify(|changes| *changes += 1);
                    }
                    // Another backend counts anew, and what changed meanwhile nobody has told.
                    None => (connection, seen) = (None, None),
                }
                sleep(EVERY).await;
            }
        }
    }

    /// What Postgres says now; `None` when it does not answer.
    async fn mark(&self, connection: &mut Option<Connection>) -> Option<String> {
        let asked = async {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(Connection::open(&self.target).await.ok()?),
            };
            connection.single("SELECT mcp._changes()").await.ok()
        };
        timeout(WITHIN, asked).await.ok().flatten()
    }

    /// Takes a place for a stream of this key.
    fn enter(self: &Arc<Self>, key: &str) -> Result<Place, &'static str> {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if by_key.values().sum::<usize>() >= self.most {
            return Err("The server has as many open streams as listener.max_streams allows.");
        }
        let streams = by_key.entry(key.to_owned()).or_default();
        if *streams >= (self.most / SHARE).max(1) {
            return Err("This key has an eighth of the streams that listener.max_streams allows.");
        }
        *streams += 1;
        self.open.send_modify(|open| *open += 1);
        Ok(Place { subscriptions: self.clone(), key: key.to_owned() })
    }

    /// One stream. `look` sends the request with what the stream has seen; `notices` is the way to the client. Returns the last message, or the
    /// refusal when there is no stream.
    pub(crate) async fn listen<F: Future<Output = Reply>>(
        self: Arc<Self>,
        key: &str,
        id: &str,
        lifetime: Duration,
        notices: Notices,
        look: impl Fn(String) -> F,
    ) -> Reply {
        let _place = match self.enter(key) {
            Ok(place) => place,
            Err(why) => {
                let why = format!("{why} Close one, or try again later. Nothing was subscribed to.");
                return reply::later(StatusCode::SERVICE_UNAVAILABLE, code::INTERNAL, &why, id, 60);
            }
        };
        let end_at = Instant::now() + lifetime;
        let mut changes = self.changes.subscribe();
        let mut ending = self.ending.subscribe();
        let (mut state, mut last) = (String::new(), None::<Box<str>>);
        loop {
            let began = Instant::now();
            let answer = {
                let _turn = self.looks.acquire().await;
                Answer::of(look(state.clone()).await).await
            };
            let took = began.elapsed();
            let pause = match answer.look() {
                Some(look) => {
                    let messages: Vec<String> =
                        look.events.iter().map(|event| event.get().to_owned()).collect();
                    last = Some(look.end.get().into());
                    state = look.state;
                    for message in messages {
                        tokio::select! {
                            // Slow, or gone; if it is gone we are dropped.
                            sent = notices.send(message) => if sent.is_err() { return answer.reply },
                            () = sleep_until(end_at) => break,
                        }
                    }
                    AT_LEAST
                }
                // Nothing is open yet, or it is no longer allowed: the answer says why.
                None if last.is_none() || !answer.reply.status().is_server_error() => return answer.reply,
                None => AGAIN,
            };
            tokio::select! {
                biased;
                _ = ending.wait_for(|ending| *ending) => break,
                () = sleep_until(end_at) => break,
                // However much changes, looking takes at most a tenth of the time.
                () = async { sleep(took * 9).await; _ = changes.changed().await; } => {}
                () = sleep(pause) => {}
            }
        }
        match last {
            Some(end) => reply::with_body(StatusCode::OK, "application/json", String::from(end)),
            None => reply::empty(StatusCode::OK),
        }
    }
}

/// An answer to a look, read to its end.
struct Answer {
    reply: Reply,
    body: hyper::body::Bytes,
}

impl Answer {
    async fn of(reply: Reply) -> Answer {
        let (head, body) = reply.into_parts();
        // It lies in memory.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let reply = Reply::from_parts(head, reply::Content::Whole(body.clone().into()));
        Answer { reply, body }
    }

    /// `None` for what is no look, and so is for the client.
    fn look(&self) -> Option<Look<'_>> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// One open stream.
struct Place {
    subscriptions: Arc<Subscriptions>,
    key: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_key = self.subscriptions.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(streams) = by_key.get_mut(&self.key) {
            *streams -= 1;
            if *streams == 0 {
                by_key.remove(&self.key);
            }
        }
        self.subscriptions.open.send_modify(|open| *open -= 1);
    }
}
