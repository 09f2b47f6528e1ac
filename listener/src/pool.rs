//! Who may use a connection to Postgres, and when.
//!
//! There are `pool_size` places for every call and `reserved` further places that only short calls may take, so that a
//! few slow statements do not stop the listing of tools, pings and handshakes. Places are given in the order of
//! arrival. Connections are interchangeable: whoever has a place takes an idle one or opens a new one.
//!
//! Invariants:
//! - A connection whose statement was left alone (the client hung up) goes through cancel and settle before anybody
//!   else gets it; its place stays taken until then, so there are never more backends than places.
//! - A closed connection is never handed out.
//!
//! It is small enough that an own pool is simpler than bending one to two lanes and to the cancel rule.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::connection::{Backend, Connection, Unreachable};
use crate::database::Target;
use crate::pending::Waiter;

/// Time for a cancelled statement to end before its backend is terminated.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Time during which one caller tries again to connect while Postgres is away, before it gives up.
const PATIENCE: Duration = Duration::from_secs(3);
/// Connections are replaced after this time, so that what a backend has cached does not grow for ever.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// Which places a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Anything that is known to be quick.
    Short,
    /// Tool calls, and whatever is not known.
    General,
}

/// The places, without the connections.
struct Lanes {
    general: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

impl Lanes {
    fn new(general: usize, reserved: usize) -> Lanes {
        Lanes { general: Arc::new(Semaphore::new(general)), reserved: Arc::new(Semaphore::new(reserved)) }
    }

    /// Takes a place if one is free. Nobody is passed: a place that somebody waits for is never free.
    fn try_enter(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let general = self.general.clone().try_acquire_owned().ok();
        match lane {
            Lane::General => general,
            Lane::Short => general.or_else(|| self.reserved.clone().try_acquire_owned().ok()),
        }
    }

    /// Waits for a place. Short calls leave the reserved places alone while a general one is free.
    async fn enter(&self, lane: Lane) -> OwnedSemaphorePermit {
        let general = self.general.clone();
        let permit = match lane {
            Lane::General => general.acquire_owned().await,
            Lane::Short => match general.clone().try_acquire_owned() {
                Ok(permit) => Ok(permit),
                Err(_) => tokio::select! {
                    biased;
                    permit = self.reserved.clone().acquire_owned() => permit,
                    permit = general.acquire_owned() => permit,
                },
            },
        };
        // The semaphores live as long as the pool and are never closed.
        permit.expect("the places of the pool are never closed")
    }
}

/// The connections of one listener to one server.
pub(crate) struct Pool {
    target: Arc<Target>,
    patience: Duration,
    lanes: Lanes,
    /// In boxes: they are moved for each call, and are large.
    #[expect(clippy::vec_box, reason = "a connection is moved by its pointer")]
    idle: Mutex<Vec<Box<Connection>>>,
    queue_timeout: Duration,
    places: (usize, usize),
    counts: Counts,
    /// Who waits for calls that are pending.
    pub(crate) waiter: Waiter,
}

/// What happened since the start, and who waits now: for `/metrics`.
#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    failed: AtomicU64,
    waiting: AtomicU64,
}

/// The state of the pool as `/metrics` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Places for all calls, and those for short ones only.
    pub(crate) places: u64,
    /// Places that are taken.
    pub(crate) in_use: u64,
    /// Calls that wait for a place.
    pub(crate) waiting: u64,
    /// Connections opened since the start.
    pub(crate) opened: u64,
    /// Attempts to open one that failed since the start.
    pub(crate) failed: u64,
}

/// One who waits for a place.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU64) -> Waiting<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a caller got no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoLease {
    /// All places were taken for longer than the queue's bound.
    #[error("every connection is busy")]
    Busy,
    /// There is no connection to be had.
    #[error("{0}")]
    Unreachable(Unreachable),
}

impl Pool {
    /// `general` and `reserved` are numbers of places; `queue_timeout` bounds the wait for one.
    pub(crate) fn new(target: Target, general: usize, reserved: usize, queue_timeout: Duration) -> Arc<Pool> {
        Pool::with(PATIENCE, target, general, reserved, queue_timeout)
    }

    /// The same for a standby: when it is away, the caller asks the primary instead of waiting for it.
    pub(crate) fn of_standby(
        target: Target,
        general: usize,
        reserved: usize,
        queue_timeout: Duration,
    ) -> Arc<Pool> {
        Pool::with(Duration::ZERO, target, general, reserved, queue_timeout)
    }

    fn with(
        patience: Duration,
        target: Target,
        general: usize,
        reserved: usize,
        queue_timeout: Duration,
    ) -> Arc<Pool> {
        Arc::new(Pool {
            target: Arc::new(target),
            patience,
            lanes: Lanes::new(general, reserved),
            idle: Mutex::new(Vec::new()),
            queue_timeout,
            places: (general, reserved),
            counts: Counts::default(),
            waiter: Waiter::default(),
        })
    }

    /// The database of this pool.
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Its state now.
    pub(crate) fn figures(&self) -> Figures {
        let places = self.places.0 + self.places.1;
        let free = self.lanes.general.available_permits() + self.lanes.reserved.available_permits();
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            places: places as u64,
            in_use: places.saturating_sub(free) as u64,
            waiting: count(&self.counts.waiting),
            opened: count(&self.counts.opened),
            failed: count(&self.counts.failed),
        }
    }

    /// Waits for a place and for a connection.
    pub(crate) async fn lease(self: &Arc<Self>, lane: Lane) -> Result<Lease, NoLease> {
        let permit = match self.lanes.try_enter(lane) {
            Some(permit) => permit,
            None => {
                let _counted = Waiting::new(&self.counts.waiting);
                tokio::time::timeout(self.queue_timeout, self.lanes.enter(lane))
                    .await
                    .map_err(|_| NoLease::Busy)?
            }
        };
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => Box::new(Box::pin(self.open()).await.map_err(NoLease::Unreachable)?),
        };
        Ok(Lease { connection: Some(connection), in_flight: false, pool: self.clone(), permit: Some(permit) })
    }

    fn take_idle(&self) -> Option<Box<Connection>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one used is the warmest.
        while let Some(mut connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn give_back(&self, connection: Box<Connection>) {
        // One that has ended unnoticed is noticed by whoever takes it.
        if !connection.wire.has_ended() && connection.born.elapsed() < MAX_AGE {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    /// Opens a connection; while Postgres restarts it tries again, ever more slowly, for a short time.
    async fn open(&self) -> Result<Connection, Unreachable> {
        let give_up = Instant::now() + self.patience;
        let mut pause = Duration::from_millis(50);
        loop {
            let opened = Connection::open(&self.target).await;
            let count = if opened.is_ok() { &self.counts.opened } else { &self.counts.failed };
            count.fetch_add(1, Ordering::Relaxed);
            match opened {
                Ok(connection) => return Ok(connection),
                Err(error) if error.may_pass() && Instant::now() + pause < give_up => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until no connection is in use, at most `within`: for the end of the process.
    pub(crate) async fn drain(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let (general, reserved) = self.places;
        let _ = timeout_at(deadline, async {
            let _ = self.lanes.general.acquire_many(general as u32).await;
            let _ = self.lanes.reserved.acquire_many(reserved as u32).await;
        })
        .await;
    }
}

/// One connection for one call. Dropping it returns the connection, after a cancel if a statement is in flight.
pub(crate) struct Lease {
    connection: Option<Box<Connection>>,
    in_flight: bool,
    pool: Arc<Pool>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    /// The connection. `None` after [`Lease::discard`] only.
    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_deref_mut()
    }

    /// Says that a statement is being sent, so that a drop from now on must stop it.
    pub(crate) fn begin(&mut self) {
        self.in_flight = true;
    }

    /// Says that the server is ready for the next statement.
    pub(crate) fn end(&mut self) {
        self.in_flight = false;
    }

    /// Closes the connection instead of returning it.
    pub(crate) fn discard(&mut self) {
        self.connection = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if !self.in_flight {
            self.pool.give_back(connection);
            return;
        }
        let (pool, permit) = (self.pool.clone(), self.permit.take());
        // Without a runtime (the process is ending) the connection is simply closed.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if stop(&mut connection).await {
                    pool.give_back(connection);
                }
                drop(permit);
            });
        }
    }
}

/// Stops a statement that nobody waits for. True if the connection is clean afterwards.
async fn stop(connection: &mut Connection) -> bool {
    if connection.wire.is_half_said() {
        // The server has not begun; once the connection is closed it never will.
        return false;
    }
    let deadline = Instant::now() + GRACE;
    let cancelled = timeout_at(deadline, connection.backend.cancel()).await;
    if matches!(cancelled, Ok(Ok(())))
        && matches!(timeout_at(deadline, connection.settle()).await, Ok(Ok(())))
    {
        return true;
    }
    if !connection.is_closed() {
        end_backend(&connection.backend).await;
    }
    false
}

/// Terminates a backend that did not react to a cancel. Bounded, since it needs a new connection.
pub(crate) async fn end_backend(backend: &Backend) {
    match tokio::time::timeout(2 * GRACE, backend.terminate()).await {
        Ok(Ok(())) => {
            tracing::warn!("a statement did not react to a cancel request; its backend was terminated")
        }
        Ok(Err(error)) => {
            tracing::error!(reason = %error, "a statement did not react to a cancel request and could not be terminated");
        }
        Err(_) => {
            tracing::error!("a statement did not react to a cancel request; terminating it took too long")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_millis(50), future).await.ok()
    }

    #[tokio::test]
    async fn short_calls_have_places_of_their_own() {
        let lanes = Lanes::new(2, 1);
        let first = soon(lanes.enter(Lane::General)).await.unwrap();
        let _second = soon(lanes.enter(Lane::General)).await.unwrap();
        assert!(soon(lanes.enter(Lane::General)).await.is_none(), "the reserved place is not for everybody");
        let _short = soon(lanes.enter(Lane::Short)).await.unwrap();
        assert!(soon(lanes.enter(Lane::Short)).await.is_none());
        drop(first);
        assert!(soon(lanes.enter(Lane::Short)).await.is_some(), "a general place serves short calls, too");
    }

    #[tokio::test]
    async fn short_calls_spare_the_reserve_while_there_is_room() {
        let lanes = Lanes::new(1, 1);
        let _short = soon(lanes.enter(Lane::Short)).await.unwrap();
        assert_eq!((lanes.general.available_permits(), lanes.reserved.available_permits()), (0, 1));
    }

    #[tokio::test]
    async fn the_queue_is_fair_and_forgets_those_who_left() {
        let lanes = Arc::new(Lanes::new(1, 0));
        let held = lanes.enter(Lane::General).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..3 {
            let (lanes, order) = (lanes.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let _place = lanes.enter(Lane::General).await;
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        waiting[1].abort();
        drop(held);
        for task in waiting {
            let _ = task.await;
        }
        assert_eq!(*order.lock().unwrap(), [0, 2]);
    }

    #[tokio::test]
    async fn an_unreachable_database_is_told_after_a_short_patience() {
        // Port 1 on loopback: refused at once.
        let target =
            Target::from_parts(Some("postgres://u@127.0.0.1:1/d?sslmode=disable"), &|_| None).unwrap();
        let pool = Pool::new(target, 1, 0, Duration::from_millis(50));
        let started = Instant::now();
        assert!(matches!(pool.lease(Lane::General).await, Err(NoLease::Unreachable(_))));
        assert!(started.elapsed() < PATIENCE + Duration::from_secs(1));
        let failed = pool.figures().failed;
        assert!(failed >= 2, "it tried again: {failed}");
        let _held = pool.lanes.enter(Lane::General).await;
        let waits = pool.lease(Lane::General);
        let mut waits = std::pin::pin!(waits);
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut waits).await.is_err());
        assert_eq!(pool.figures(), Figures { places: 1, in_use: 1, waiting: 1, opened: 0, failed });
        assert!(matches!(waits.await, Err(NoLease::Busy)));
        assert_eq!(pool.figures().waiting, 0);
    }
}
