//! One connection of a process of the server: its request is read, and its answer is written.
//!
//! Invariants: a request is read completely, within a bound of size and time, before anything is done for it. A call that is waited for ends
//! when its socket closes; bytes after the request are a reason to close. How a call is done: see [`work`](super::work).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use super::work::Counted;
use super::{LONGEST, Place, Shared};
use crate::budget::Share;
use crate::failure::Failure;
use crate::frame::Kind;
use crate::message::{Answer, Ended, Request, Work};
use crate::store::Found;
use crate::wire::{
    Frames, Gone, ReadError, closed, drain, fail, refused, tell, write_body, write_frame, write_json,
};

/// Time in which a request must have arrived, once its connection stands; and for its body, once there is room for it.
const READ: Duration = Duration::from_secs(30);

/// Connections beyond the calls: waiters and collectors.
const SPARE: usize = 200;

impl Shared {
    /// Serves one connection until its answer is written or its other side is gone.
    pub(super) async fn connection(self: Arc<Self>, mut stream: UnixStream) {
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
                let counted = Counted::new(self);
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

    async fn wait(&self, token: &str, after: u64) -> Vec<Ended> {
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
