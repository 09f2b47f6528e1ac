//! The work of calls: begun, passed on as its reply arrives, or kept for who collects it.
//!
//! Invariants: calls are bounded by number; bodies of replies by the [budget](crate::budget). A reply that is waited for is read as fast as its
//! reader takes it: beyond the budget a call holds at most the one part that has just arrived. A reply that is kept takes its whole size before
//! its first part is kept, so that replies cannot wait for each other. Who may ask for what was decided before: see [`Policy`](crate::policy::Policy).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::{LONGEST, Limits, Place, Settings, Shared};
use crate::budget::Share;
use crate::failure::Failure;
use crate::frame::Kind;
use crate::message::{Head, Id, Work};
use crate::outgoing::{Incoming, Until};
use crate::storage::Content;
use crate::store::{Kept, NotBegun};
use crate::wire::{Gone, write_body, write_frame, write_json};

/// Bytes from which on a block of a kept reply is complete.
const BLOCK: usize = 64 * 1024;

/// Longest owner and token, in bytes.
const LONGEST_NAME: usize = 256;

impl Shared {
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
    pub(super) async fn call(
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
    pub(super) fn submit(
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
    pub(super) fn leave(self: &Arc<Self>, work: Work) -> Result<(), Failure> {
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
        let mut counted = Counted::new(self);
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
}

/// Counts a call as failed unless it is told otherwise, also when it is dropped half-way.
pub(super) struct Counted<'a> {
    shared: &'a Shared,
    failed: bool,
}

impl<'a> Counted<'a> {
    pub(super) fn new(shared: &'a Shared) -> Counted<'a> {
        Counted { shared, failed: true }
    }

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
