//! Calls that Postgres has left to its delegate worker: nothing waits in a transaction, and no connection of the pool is held.
//!
//! `mcp._serve` answers such a call with status 102 and an id, and the same call again, with that id in the transport, once it has ended. One
//! connection for all calls asks which have ended: `CALL mcp._wait` commits before it waits, so it holds no snapshot. It is opened with the
//! first such call, and closed when there has been none for a while.
//!
//! Invariants: an end is never missed, since a call that is not told of is asked for every few seconds anyway; a caller that goes away has
//! its call ended. It does not know what the calls are.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::database::Target;

/// The status of a call that is pending; the body is its id.
pub(crate) const STATUS: u16 = 102;

/// A call that nobody was told of is asked for after this time.
const AT_LEAST: Duration = Duration::from_secs(3);
/// How long one wait in Postgres lasts.
const WAIT: Duration = Duration::from_secs(10);
/// When Postgres could not be asked, it is asked again after this time.
const AGAIN: Duration = Duration::from_millis(500);
/// Ends that came before anybody waited for them.
const REMEMBERED: usize = 4096;

/// Tells those who wait of the ends.
#[derive(Default)]
pub(crate) struct Waiter {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<String, oneshot::Sender<()>>,
    /// Nobody waited for these yet, or they are another listener's.
    early: VecDeque<String>,
    /// Whether somebody asks Postgres.
    asking: bool,
}

impl State {
    fn ended(&mut self, id: &str) {
        match self.waiting.remove(id) {
            // Whoever waited may be gone.
            Some(told) => _ = told.send(()),
            None => {
                if self.early.len() == REMEMBERED {
                    self.early.pop_front();
                }
                self.early.push_back(id.to_owned());
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One who waits; dropping it forgets it.
struct Place<'a> {
    state: &'a Mutex<State>,
    id: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(self.state).waiting.remove(self.id);
    }
}

impl Waiter {
    /// Comes back when the call may have ended.
    pub(crate) async fn ended(&self, target: &Arc<Target>, id: &str) {
        let (tell, told) = oneshot::channel();
        let begin = {
            let mut state = lock(&self.state);
            if let Some(at) = state.early.iter().position(|early| early == id) {
                state.early.remove(at);
                return;
            }
            state.waiting.insert(id.to_owned(), tell);
            !std::mem::replace(&mut state.asking, true)
        };
        let _place = Place { state: &self.state, id };
        if begin {
            tokio::spawn(ask(target.clone(), self.state.clone()));
        }
        _ = timeout(AT_LEAST, told).await;
    }
}

/// Asks Postgres as long as anybody waits.
async fn ask(target: Arc<Target>, state: Arc<Mutex<State>>) {
    let (mut connection, mut epoch, mut last) = (None, String::new(), 0);
    loop {
        match ended(&target, &mut connection, last).await {
            Some(told) => {
                let mut lines = told.lines();
                let now = lines.next().unwrap_or_default();
                let mut state = lock(&state);
                if now != epoch {
                    // Another worker: what the one before had is gone, and all who wait shall be told so.
                    if !epoch.is_empty() {
                        state.waiting.clear();
                    }
                    (epoch, last) = (now.to_owned(), 0);
                }
                for (id, number) in lines.filter_map(|line| line.split_once(' ')) {
                    last = last.max(number.parse().unwrap_or(0));
                    state.ended(id);
                }
            }
            None => {
                connection = None;
                sleep(AGAIN).await;
            }
        }
        let mut state = lock(&state);
        if state.waiting.is_empty() && connection.as_ref().is_none_or(idle) {
            state.asking = false;
            return;
        }
    }
}

/// What has ended after the call numbered `last`; `None` when Postgres does not answer.
async fn ended(target: &Arc<Target>, connection: &mut Option<Connection>, last: u64) -> Option<String> {
    let asked = async {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(Connection::open(target).await.ok()?),
        };
        let wait = format!("CALL mcp._wait({last}, {})", WAIT.as_millis());
        timeout(2 * WAIT, connection.rows(&wait)).await.ok()?.ok()?;
        connection.single(&format!("SELECT mcp._ended({last})")).await.ok()
    };
    timeout(3 * WAIT, asked).await.ok().flatten()
}

/// Open for so long that it is time to look whether it is needed: each wait is a fresh start otherwise.
fn idle(connection: &Connection) -> bool {
    connection.born.elapsed() > 3 * WAIT
}

/// The transport of the same call once more, to be finished, or to be ended because nobody waits for it.
pub(crate) fn again(transport: &str, id: &str, abandon: bool) -> String {
    let begin = transport.strip_suffix('}').unwrap_or(transport);
    format!(r#"{begin},"pending":{{"id":{},"abandon":{abandon}}}}}"#, serde_json::Value::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_came_first_is_remembered_and_others_are_forgotten() {
        let mut state = State::default();
        for n in 0..REMEMBERED + 10 {
            state.ended(&n.to_string());
        }
        assert_eq!(state.early.len(), REMEMBERED);
        assert_eq!(state.early.front().map(String::as_str), Some("10"));
        let (tell, mut told) = oneshot::channel();
        state.waiting.insert("x".to_owned(), tell);
        state.ended("x");
        assert_eq!(told.try_recv(), Ok(()));
        assert!(state.waiting.is_empty());
    }

    #[test]
    fn the_transport_stays_json() {
        let text = again(r#"{"http":true}"#, "0a\"", false);
        assert_eq!(text, r#"{"http":true,"pending":{"id":"0a\"","abandon":false}}"#);
    }
}
