//! One task for each connection: how many calls, how many bytes.
//!
//! Invariants:
//! - A request is read completely, within a bound of size and time, before anything is done for it.
//! - A call that is waited for ends when its socket closes. Bytes after the request are a reason to close.
//! - Calls, entries and connections are bounded by number; bodies, of requests and of replies, by the [budget](crate::budget). A reply that is waited
//!   for is read as fast as its reader takes it: beyond the budget a call holds at most the one part that has just arrived. A
//!   reply that is kept takes its whole size before its first part is kept, so that replies cannot wait for each other.
//! - Nothing here calls Postgres, so it may run in any thread.

use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::budget::{Budget, Share};
use crate::failure::Failure;
use crate::frame::Kind;
use crate::heap;
use crate::message::{Answer, Head, Id, Request, Status, StorageStatus, Work};
use crate::outgoing::{Authorities, Incoming, Lookup, Outgoing, Until};
use crate::policy::Policy;
use crate::storage::{Content, Storage};
use crate::store::{Found, Kept, NotBegun, Store};
use crate::wire::{
    Frames, Gone, ReadError, closed, drain, fail, refused, tell, write_body, write_frame, write_json,
};

/// Time in which a request must have arrived, once its connection stands; and for its body, once there is room for it.
const READ: Duration = Duration::from_secs(30);

/// Longest that a waiter waits, and a call lasts.
const LONGEST: Duration = Duration::from_secs(3600);

/// How often unfinished files are looked for.
const TIDY: Duration = Duration::from_secs(600);

/// How old an unfinished file is that nobody writes any more: older than any call.
const STALE: Duration = Duration::from_secs(2 * 3600);

/// Connections beyond the calls: waiters and collectors.
const SPARE: usize = 200;

/// Bytes from which on a block of a kept reply is complete.
const BLOCK: usize = 64 * 1024;

/// Why nothing is stored before [`Server::set_storage`].
const UNSET: &str = "no place to store files is set";

/// Longest owner and token, in bytes.
const LONGEST_NAME: usize = 256;

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

    async fn connection(self: Arc<Self>, mut stream: UnixStream) {
        let limit = self.settings().limits.max_calls + SPARE;
        let (mut reader, mut writer) = stream.split();
        let Some(_place) = Place::take(&self.connections, limit) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            _ = fail(&mut writer, &Failure::Busy { limit }).await;
            return;
        };
        let (request, body) = match self.read(&mut reader).await {
            Err(ReadError::Gone) => return,
            Err(ReadError::Refused(failure)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                _ = fail(&mut writer, &failure).await;
                // The rest of the body is read and forgotten, so that the refusal can be read on the other side.
                _ = tokio::time::timeout(Duration::from_secs(1), drain(&mut reader)).await;
                return;
            }
            Ok(read) => read,
        };
        // What a reader that does not read holds, it holds no longer than this.
        let longest =
            request.work().map_or(LONGEST, |work| Duration::from_millis(work.timeout_ms()).min(LONGEST))
                + READ;
        // The answer, unless whoever asked goes away first: then all that is under way is dropped.
        tokio::select! {
            biased;
            _ = self.answer(&mut writer, request, body) => {}
            () = closed(&mut reader) => {}
            () = tokio::time::sleep(longest) => {}
        }
    }

    async fn read(&self, reader: &mut (impl AsyncRead + Unpin)) -> Result<(Request, Bytes), ReadError> {
        let mut frames = Frames::new(reader);
        let first = in_time(frames.next()).await?;
        if first.kind != Kind::Request {
            return Err(refused("the first frame is no request"));
        }
        let request: Request =
            serde_json::from_slice(&first.payload).map_err(|error| refused(&error.to_string()))?;
        let size = request.work().map_or(0, Work::body_length);
        let limit = self.settings().limits.max_request;
        if size > limit {
            return Err(ReadError::Refused(Failure::TooMuch { size, limit }));
        }
        if size == 0 {
            return Ok((request, Bytes::new()));
        }
        // As long as whoever asks has time.
        let time = request.work().map_or(READ, |work| Duration::from_millis(work.timeout_ms()).min(LONGEST));
        let share = tokio::time::timeout(time, self.budget.take(size))
            .await
            .map_err(|_| ReadError::Refused(Failure::Crowded { limit: self.budget.limit() }))?;
        in_time(self.body(&mut frames, size as usize, share)).await.map(|body| (request, body))
    }

    async fn body(
        &self,
        frames: &mut Frames<impl AsyncRead + Unpin>,
        length: usize,
        share: Share,
    ) -> Result<Bytes, ReadError> {
        let mut bytes = BytesMut::with_capacity(length);
        while bytes.len() < length {
            let part = frames.next().await?;
            if part.kind != Kind::Body || part.payload.is_empty() || bytes.len() + part.payload.len() > length
            {
                return Err(refused("the body is not what the request said"));
            }
            bytes.extend_from_slice(&part.payload);
        }
        self.since_trim.fetch_add(length as u64, Ordering::Relaxed);
        Ok(Bytes::from_owner(Counting { bytes, _share: share }))
    }

    async fn answer(
        self: &Arc<Self>,
        writer: &mut (impl AsyncWrite + Unpin),
        request: Request,
        body: Bytes,
    ) -> Result<(), Gone> {
        match request {
            Request::Call { work } => {
                let counted = Counted { shared: self, failed: true };
                match self.call(writer, work, body, counted).await? {
                    Ok(()) => Ok(()),
                    Err(failure) => fail(writer, &failure).await,
                }
            }
            Request::Submit { id, owner, token, work } => {
                let begun = self.submit(id, owner, token, work, body);
                self.accepted(writer, begun).await
            }
            Request::Leave { work } => {
                let begun = self.leave(work);
                self.accepted(writer, begun).await
            }
            Request::Wait { token, after, timeout_ms } => {
                let time = Duration::from_millis(timeout_ms).min(LONGEST);
                let ended = tokio::time::timeout(time, self.wait(&token, after)).await.unwrap_or_default();
                tell(writer, &Answer::Ended { epoch: self.epoch, ended }).await
            }
            Request::Collect { id, owner } => {
                let found = self.store().find(id, &owner);
                match found {
                    Found::Unknown => tell(writer, &Answer::Unknown).await,
                    Found::Running => tell(writer, &Answer::Running).await,
                    Found::Ended(outcome) => match &*outcome {
                        Err(failure) => fail(writer, failure).await,
                        Ok(kept) => {
                            write_json(writer, Kind::Head, &kept.head).await?;
                            for part in &kept.body {
                                write_body(writer, part).await?;
                            }
                            write_frame(writer, Kind::End, &[]).await
                        }
                    },
                }
            }
            Request::Acknowledge { id, owner } => {
                self.store().acknowledge(id, &owner);
                tell(writer, &Answer::Done).await
            }
            Request::Cancel { id, owner } => {
                self.store().cancel(id, &owner);
                tell(writer, &Answer::Done).await
            }
            #[cfg(debug_assertions)]
            Request::Panic => {
                self.panic.notify_one();
                std::future::pending().await
            }
            Request::Status => {
                let status = self.status().await;
                tell(writer, &Answer::Status(status)).await
            }
        }
    }

    async fn accepted(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        begun: Result<(), Failure>,
    ) -> Result<(), Gone> {
        match begun {
            Ok(()) => tell(writer, &Answer::Accepted).await,
            Err(failure) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                fail(writer, &failure).await
            }
        }
    }

    /// Room for one call more.
    fn place(&self, limits: &Limits) -> Result<Place<'_>, Failure> {
        Place::take(&self.calls, limits.max_calls).ok_or(Failure::Busy { limit: limits.max_calls })
    }

    /// Begins work, and comes back with the head of its reply.
    async fn begin(
        &self,
        work: Work,
        body: Bytes,
        settings: &Settings,
        until: Until,
    ) -> Result<Begun, Failure> {
        if let Work::Http(call) = work {
            let incoming = settings.outgoing.begin(&call, body, &settings.policy, until).await?;
            let room = incoming.length.unwrap_or(call.max_response);
            return Ok(Begun {
                head: Head::Http(incoming.head.clone()),
                room,
                parts: Parts::Http(Box::new(incoming)),
            });
        }
        let storage =
            settings.storage.as_ref().map_err(|reason| Failure::Unset { reason: reason.clone() })?;
        let (head, content) = storage.perform(work, body, until).await?;
        Ok(match content {
            None => Begun { head, room: 0, parts: Parts::None },
            Some(content) => Begun { head, room: content.length(), parts: Parts::Stored(content) },
        })
    }

    /// Does the work and writes the reply as it arrives.
    async fn call(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        work: Work,
        body: Bytes,
        mut counted: Counted<'_>,
    ) -> Result<Result<(), Failure>, Gone> {
        let settings = self.settings();
        let _place = match self.place(&settings.limits) {
            Ok(place) => place,
            Err(failure) => {
                counted.refused();
                return Ok(Err(failure));
            }
        };
        self.begun.fetch_add(1, Ordering::Relaxed);
        let until = until(&work);
        let mut begun = match self.begin(work, body, &settings, until).await {
            Ok(begun) => begun,
            Err(failure) => return Ok(Err(failure)),
        };
        write_json(writer, Kind::Head, &begun.head).await?;
        loop {
            match begun.parts.next_part().await {
                Err(failure) => return Ok(Err(failure)),
                Ok(None) => break,
                Ok(Some(part)) => {
                    self.since_trim.fetch_add(part.len() as u64, Ordering::Relaxed);
                    let Some(_share) = until.within(self.budget.take(part.len() as u64)).await else {
                        return Ok(Err(Failure::Memory { limit: self.budget.limit() }));
                    };
                    write_body(writer, &part).await?;
                }
            }
        }
        write_frame(writer, Kind::End, &[]).await?;
        counted.failed = false;
        Ok(Ok(()))
    }

    /// Begins a call whose reply is kept.
    fn submit(
        self: &Arc<Self>,
        id: Id,
        owner: String,
        token: String,
        work: Work,
        body: Bytes,
    ) -> Result<(), Failure> {
        if owner.len() > LONGEST_NAME || token.len() > LONGEST_NAME {
            return Err(Failure::Protocol {
                reason: format!("owner and token have at most {LONGEST_NAME} bytes"),
            });
        }
        let limits = &self.settings().limits;
        // Not in the condition: the lock would be held where it is taken again.
        let begun = self.store().begin(id, &owner, &token, limits.max_pending);
        if let Err(why) = begun {
            let failure = match why {
                NotBegun::Full => Failure::Full { limit: limits.max_pending },
                NotBegun::Taken => Failure::Protocol { reason: "the id is taken".to_owned() },
            };
            // Whoever left the call here does not read the refusal; whoever comes for the reply does.
            self.store().refuse(id, owner, token, failure.clone(), limits.max_pending, Instant::now());
            self.ended.notify_waiters();
            return Err(failure);
        }
        let shared = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = shared.kept(work, body).await;
            shared.store().end(id, outcome, Instant::now());
            shared.ended.notify_waiters();
        });
        self.store().made_by(id, task.abort_handle());
        Ok(())
    }

    /// Begins work that nobody asks for later.
    fn leave(self: &Arc<Self>, work: Work) -> Result<(), Failure> {
        if !matches!(work, Work::Delete(_)) {
            return Err(Failure::Protocol { reason: "only a delete is done for nobody".to_owned() });
        }
        let limit = self.settings().limits.max_calls;
        if self.calls.load(Ordering::Relaxed) >= limit {
            return Err(Failure::Busy { limit });
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move { shared.kept(work, Bytes::new()).await });
        Ok(())
    }

    async fn kept(&self, work: Work, body: Bytes) -> Result<Kept, Failure> {
        let mut counted = Counted { shared: self, failed: true };
        let settings = self.settings();
        let _place = self.place(&settings.limits).inspect_err(|_| counted.refused())?;
        self.begun.fetch_add(1, Ordering::Relaxed);
        let until = until(&work);
        let mut begun = self.begin(work, body, &settings, until).await?;
        // In blocks of our own: a part may be one byte of a large buffer.
        let (mut blocks, mut block) = (Vec::new(), BytesMut::new());
        let mut share: Option<Share> = None;
        let mut size = 0;
        while let Some(part) = begun.parts.next_part().await? {
            if share.is_none() {
                share = Some(
                    until
                        .within(self.budget.take(begun.room))
                        .await
                        .ok_or(Failure::Memory { limit: self.budget.limit() })?,
                );
            }
            size += part.len() as u64;
            if begun.parts.are_blocks() {
                blocks.push(part);
                continue;
            }
            block.extend_from_slice(&part);
            if block.len() >= BLOCK {
                blocks.push(block.split().freeze());
            }
        }
        blocks.push(block.freeze());
        if let Some(share) = &mut share {
            share.shrink(size);
        }
        self.since_trim.fetch_add(size, Ordering::Relaxed);
        counted.failed = false;
        Ok(Kept { head: begun.head, body: blocks, share })
    }

    async fn wait(&self, token: &str, after: u64) -> Vec<crate::message::Ended> {
        loop {
            let mut rung = std::pin::pin!(self.ended.notified());
            // From here on no bell is missed, so what ends between the look and the wait is seen.
            rung.as_mut().enable();
            let ended = self.store().ended(token, after);
            if !ended.is_empty() {
                return ended;
            }
            rung.await;
        }
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

/// What is read of a request, unless it takes too long.
async fn in_time<T>(reading: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    tokio::time::timeout(READ, reading).await.unwrap_or(Err(ReadError::Gone))
}

/// A request's body with its part of the budget, which it keeps as long as anybody holds a part of the body: a write to a disk goes on when
/// nobody waits for it any more.
struct Counting {
    bytes: BytesMut,
    _share: Share,
}

impl AsRef<[u8]> for Counting {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Counts a call as failed unless it is told otherwise, also when it is dropped half-way.
struct Counted<'a> {
    shared: &'a Shared,
    failed: bool,
}

impl Counted<'_> {
    fn refused(&mut self) {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        self.failed = false;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if self.failed {
            self.shared.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Work whose reply has begun.
struct Begun {
    head: Head,
    /// Most bytes of the body.
    room: u64,
    parts: Parts,
}

/// Where the body of a reply comes from.
enum Parts {
    Http(Box<Incoming>),
    Stored(Content),
    None,
}

impl Parts {
    /// Whether a part is all of its buffer.
    fn are_blocks(&self) -> bool {
        matches!(self, Parts::Stored(content) if content.is_file())
    }

    async fn next_part(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Parts::Http(incoming) => incoming.next_part().await,
            Parts::Stored(content) => content.next_part().await,
            Parts::None => Ok(None),
        }
    }
}

fn until(work: &Work) -> Until {
    Until::after(Duration::from_millis(work.timeout_ms()).min(LONGEST))
}
