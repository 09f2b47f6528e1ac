//! The worker's server: what it is set to, what its tasks share, and whom it lets in.
//!
//! Invariants:
//! - One task for each [connection], of a process of one user. Calls, entries and connections are bounded by number; bodies, of
//!   requests and of replies, by the [budget](crate::budget).
//! - Nothing here calls Postgres, so it may run in any thread.
//!
//! What a connection says: see [connection]; what is done for it: see [work].

use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::UnixListener;
use tokio::sync::Notify;

use crate::budget::Budget;
use crate::heap;
use crate::message::{Status, StorageStatus};
use crate::outgoing::{Authorities, Lookup, Outgoing};
use crate::policy::Policy;
use crate::storage::Storage;
use crate::store::Store;

mod connection;
mod work;

/// Longest that a waiter waits, and a call lasts.
const LONGEST: Duration = Duration::from_secs(3600);

/// How often unfinished files are looked for.
const TIDY: Duration = Duration::from_secs(600);

/// How old an unfinished file is that nobody writes any more: older than any call.
const STALE: Duration = Duration::from_secs(2 * 3600);

/// Why nothing is stored before [`Server::set_storage`].
const UNSET: &str = "no place to store files is set";

/// What the administrator sets; it may change at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most calls in flight.
    pub max_calls: usize,
    /// Most submitted calls, in flight or kept.
    pub max_pending: usize,
    /// Most bytes of bodies in memory.
    pub max_bytes: u64,
    /// Most bytes of one request's body.
    pub max_request: u64,
    /// How long a reply is kept for a collector.
    pub keep: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_calls: 400,
            max_pending: 1000,
            max_bytes: 64 << 20,
            max_request: 10 << 20,
            keep: Duration::from_secs(60),
        }
    }
}

#[derive(Clone, Debug)]
struct Settings {
    limits: Limits,
    policy: Policy,
    /// Where files are stored, or why that is not known.
    storage: Result<Arc<Storage>, String>,
    outgoing: Arc<Outgoing>,
    /// Whose certificates `outgoing` trusts beside the system's.
    authorities: Authorities,
}

/// What all tasks share.
#[derive(Debug)]
struct Shared {
    settings: RwLock<Arc<Settings>>,
    budget: Arc<Budget>,
    store: Mutex<Store>,
    /// Rung when a submitted call ends.
    ended: Notify,
    /// Rung by a test of a debug build: the thread panics. Nothing of a release build rings it.
    panic: Notify,
    calls: AtomicUsize,
    connections: AtomicUsize,
    begun: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    /// Bytes of bodies since memory was last given back.
    since_trim: AtomicU64,
    started: Instant,
    epoch: u64,
}

/// The worker's server.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

/// One of a bounded number; dropping it makes room.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(count: &'a AtomicUsize, limit: usize) -> Option<Place<'a>> {
        let place = Place(count);
        if count.fetch_add(1, Ordering::Relaxed) < limit { Some(place) } else { None }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Server {
    /// Makes a server that nobody can reach yet.
    ///
    /// # Errors
    /// A text for the log.
    pub fn new(policy: Policy, limits: Limits, lookup: Arc<dyn Lookup>) -> Result<Server, String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        heap::share();
        let authorities = Authorities::default();
        let outgoing = Arc::new(Outgoing::new(lookup, &authorities)?);
        let budget = Budget::new(limits.max_bytes);
        let settings = Settings { limits, policy, storage: Err(UNSET.to_owned()), outgoing, authorities };
        Ok(Server {
            shared: Arc::new(Shared {
                budget,
                settings: RwLock::new(Arc::new(settings)),
                store: Mutex::default(),
                ended: Notify::new(),
                panic: Notify::new(),
                calls: AtomicUsize::new(0),
                connections: AtomicUsize::new(0),
                begun: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                refused: AtomicU64::new(0),
                since_trim: AtomicU64::new(0),
                started: Instant::now(),
                epoch: u64::try_from(since.as_micros()).unwrap_or_default(),
            }),
        })
    }

    /// Takes other settings from now on; calls in flight keep theirs.
    pub fn set(&self, policy: Policy, limits: Limits) {
        self.shared.budget.resize(limits.max_bytes);
        self.shared.change(|settings| Settings { limits, policy, ..settings });
    }

    /// Trusts these authorities beside the system's from now on, when it calls; calls in flight keep theirs.
    ///
    /// # Errors
    /// A text for the log; nothing was changed.
    pub fn trust(&self, authorities: Authorities) -> Result<(), String> {
        let settings = self.shared.settings();
        if settings.authorities == authorities {
            return Ok(());
        }
        let outgoing = Arc::new(settings.outgoing.trusting(&authorities)?);
        self.shared.change(|settings| Settings { outgoing, authorities, ..settings });
        Ok(())
    }

    /// Stores files there from now on, or nowhere for the reason given; what is under way ends where it began.
    pub fn set_storage(&self, storage: Result<Storage, String>) {
        let storage = storage.map(Arc::new);
        self.shared.change(|settings| Settings { storage, ..settings });
    }

    /// Serves connections of processes of user `owner`, for ever. To be run in a current-thread runtime.
    ///
    /// # Errors
    /// The socket cannot be used.
    pub async fn serve(&self, listener: StdListener, owner: u32) -> io::Result<()> {
        let listener = UnixListener::from_std(listener)?;
        let shared = Arc::clone(&self.shared);
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { sweep(&shared).await }
        });
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shared.panic.notified() => panic!("a test asked for it"),
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Most likely there are no file descriptors left: some come back when calls end.
                    if error.kind() == io::ErrorKind::InvalidInput {
                        return Err(error);
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            if stream.peer_cred().map(|peer| peer.uid()).ok() != Some(owner) {
                continue;
            }
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.connection(stream).await });
        }
    }
}

/// Once a second: what was not collected goes, and so does memory that is not in use. Now and then: files that were never finished.
async fn sweep(shared: &Shared) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    let mut tidied: Option<(Instant, Arc<Storage>)> = None;
    let mut used = 0;
    loop {
        every.tick().await;
        let settings = shared.settings();
        shared.store().expire(Instant::now(), settings.limits.keep);
        if let Ok(storage) = &settings.storage
            && !tidied.as_ref().is_some_and(|(at, old)| at.elapsed() < TIDY && Arc::ptr_eq(old, storage))
        {
            storage.tidy(STALE).await;
            tidied = Some((Instant::now(), Arc::clone(storage)));
        }
        let (before, now) = (used, shared.budget.used());
        used = now;
        // What is kept may go long after its last byte has moved.
        if shared.since_trim.swap(0, Ordering::Relaxed) > 1 << 20 || now < before {
            heap::give_back();
        }
    }
}

impl Shared {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, to: impl FnOnce(Settings) -> Settings) {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        *settings = Arc::new(to(Settings::clone(&settings)));
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn status(&self) -> Status {
        let settings = self.settings();
        let limits = &settings.limits;
        let storage = match &settings.storage {
            Ok(storage) => StorageStatus { place: storage.place(), error: storage.probe().await },
            Err(reason) => StorageStatus { place: String::new(), error: Some(reason.clone()) },
        };
        Status {
            pid: std::process::id(),
            uptime_s: self.started.elapsed().as_secs(),
            calls: self.calls.load(Ordering::Relaxed),
            max_calls: limits.max_calls,
            pending: self.store().len(),
            max_pending: limits.max_pending,
            bytes: self.budget.used(),
            max_bytes: self.budget.limit(),
            begun: self.begun.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            storage,
        }
    }
}
