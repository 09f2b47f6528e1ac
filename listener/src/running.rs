//! Calls that are running, so that a legacy client can cancel one by its id (`notifications/cancelled`, revisions up to 2025-11-25).
//!
//! A modern client cancels by closing its connection, and needs none of this. Without sessions an id is known to be one client's only together
//! with its key and its address. Two clients with one key at one address may use the same ids: when two such calls run, neither is
//! cancelled, which the specification allows (2025-11-25, basic/utilities/cancellation); better too little than the wrong one.
//!
//! It does not stop anything: `call` does, when it is told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A call as its client names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// Id of the key.
    pub(crate) key: String,
    /// Address of the client, without its port: a cancellation comes over another connection.
    pub(crate) client: IpAddr,
    /// The JSON-RPC id, as [`crate::message::plain`] writes it.
    pub(crate) id: String,
}

/// All running calls that can be cancelled by name.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<Name, Vec<Arc<Notify>>>>);

/// One running call. Dropping it forgets the call.
pub(crate) struct Ticket {
    running: Arc<Running>,
    name: Name,
    /// Told once the client wants the call to end.
    pub(crate) stop: Arc<Notify>,
}

impl Running {
    /// Takes note of a call.
    pub(crate) fn enter(self: &Arc<Self>, name: Name) -> Ticket {
        let stop = Arc::new(Notify::new());
        self.lock().entry(name.clone()).or_default().push(stop.clone());
        Ticket { running: self.clone(), name, stop }
    }

    /// Tells the call of that name to end. False when there is none, or more than one.
    pub(crate) fn cancel(&self, name: &Name) -> bool {
        match self.lock().get(name).map(Vec::as_slice) {
            Some([only]) => {
                only.notify_one();
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Vec<Arc<Notify>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        if let Some(calls) = running.get_mut(&self.name) {
            calls.retain(|call| !Arc::ptr_eq(call, &self.stop));
            if calls.is_empty() {
                running.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str, client: &str, id: &str) -> Name {
        Name { key: key.to_owned(), client: client.parse().expect("an address"), id: id.to_owned() }
    }

    async fn told(ticket: &Ticket) -> bool {
        tokio::time::timeout(std::time::Duration::from_millis(20), ticket.stop.notified()).await.is_ok()
    }

    #[tokio::test]
    async fn only_the_named_call_is_told() {
        let running = Arc::new(Running::default());
        let mine = running.enter(name("k", "10.0.0.1", "1"));
        let others = [
            running.enter(name("k", "10.0.0.1", "\"1\"")),
            running.enter(name("k", "10.0.0.2", "1")),
            running.enter(name("l", "10.0.0.1", "1")),
        ];
        assert!(running.cancel(&name("k", "10.0.0.1", "1")));
        assert!(told(&mine).await);
        for other in &others {
            assert!(!told(other).await);
        }
    }

    #[tokio::test]
    async fn of_two_calls_with_one_name_none_is_told() {
        let running = Arc::new(Running::default());
        let first = running.enter(name("k", "::1", "1"));
        let second = running.enter(name("k", "::1", "1"));
        assert!(!running.cancel(&name("k", "::1", "1")));
        assert!(!told(&first).await && !told(&second).await);
        drop(second);
        assert!(running.cancel(&name("k", "::1", "1")));
        assert!(told(&first).await);
        drop(first);
        assert!(!running.cancel(&name("k", "::1", "1")));
        assert!(running.lock().is_empty(), "nothing is kept of calls that have ended");
    }
}
