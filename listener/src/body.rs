//! Reads the body of a request within bounds: bytes, time, and the memory of all requests together.
//!
//! A `Content-Length` above the bound is refused before a byte is read. Small bodies are free; larger ones take a share
//! of one budget for the whole process, so that many large bodies at once wait instead of filling the memory.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Bodies up to this size need no share of the budget.
const FREE: usize = 64 * 1024;
/// The budget in bytes, unless one message may be larger than a quarter of it.
const BUDGET: usize = 256 * 1024 * 1024;
/// Unit of the budget in bytes.
const UNIT: usize = 1024;

/// The bounds of one listener.
pub(crate) struct Bounds {
    most: usize,
    within: Duration,
    budget: Arc<Semaphore>,
}

/// A whole body. The share of the budget is given back when it is dropped.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    _share: Option<OwnedSemaphorePermit>,
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// More bytes than allowed.
    TooLarge,
    /// It did not arrive in time, or the memory for it did not become free in time.
    TooSlow,
    /// The client broke off or sent bad chunks.
    Broken,
}

impl Bounds {
    /// `most` bytes for one body, which must arrive `within` a time.
    pub(crate) fn new(most: usize, within: Duration) -> Bounds {
        let budget = BUDGET.max(most.saturating_mul(4)) / UNIT;
        Bounds { most, within, budget: Arc::new(Semaphore::new(budget.min(Semaphore::MAX_PERMITS))) }
    }

    /// Whether the announced length alone is too much.
    pub(crate) fn refuses<B: Body>(&self, body: &B) -> bool {
        body.size_hint().lower() > self.most as u64
    }

    /// Reads the whole body.
    pub(crate) async fn read<B>(&self, body: B) -> Result<Message, BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        self.read_up_to(body, self.most).await
    }

    /// Reads a body for which less is allowed, such as one that comes without a key.
    pub(crate) async fn read_up_to<B>(&self, mut body: B, most: usize) -> Result<Message, BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let deadline = Instant::now() + self.within;
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > most {
            return Err(BodyError::TooLarge);
        }
        let mut share = None;
        if announced > FREE {
            share = Some(self.share(announced, deadline).await?);
        }
        let mut bytes = Vec::with_capacity(announced.min(FREE));
        while let Some(frame) = until(deadline, body.frame()).await? {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(BodyError::TooLarge);
            }
            if share.is_none() && bytes.len() + data.len() > FREE {
                // The length was not announced: count the largest that may come.
                share = Some(self.share(most, deadline).await?);
            }
            bytes.extend_from_slice(&data);
            if body.is_end_stream() {
                break;
            }
        }
        Ok(Message { bytes, _share: share })
    }

    async fn share(&self, bytes: usize, deadline: Instant) -> Result<OwnedSemaphorePermit, BodyError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let permit = timeout_at(deadline, self.budget.clone().acquire_many_owned(units)).await;
        permit.map_err(|_| BodyError::TooSlow)?.map_err(|_| BodyError::TooSlow)
    }
}

/// Waits until a deadline. What is there already, as most bodies are, costs no timer.
async fn until<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, BodyError> {
    let mut work = pin!(work);
    match poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => timeout_at(deadline, work).await.map_err(|_| BodyError::TooSlow),
    }
}

/// Reads and forgets what a refused client still sends, for a short while: a client that is busy writing sees only a
/// broken pipe if the connection is closed under it, and never the refusal.
pub(crate) async fn swallow<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    const MOST: usize = 64 * 1024 * 1024;
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut read = 0;
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MOST {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::body::Frame;

    use super::*;

    fn bounds(most: usize) -> Bounds {
        Bounds::new(most, Duration::from_millis(50))
    }

    /// A body without a length, in pieces; after them it hangs if told so.
    struct Pieces(Vec<Bytes>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            match self.0.pop() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None if self.1 => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    #[tokio::test]
    async fn announced_lengths_are_judged_before_reading() {
        let body = Full::new(Bytes::from(vec![b'x'; 11]));
        assert!(bounds(10).refuses(&body));
        assert_eq!(bounds(10).read(body).await.err(), Some(BodyError::TooLarge));
        let body = Full::new(Bytes::from(vec![b'x'; 10]));
        assert!(!bounds(10).refuses(&body));
        assert_eq!(bounds(10).read(body).await.map(|m| m.bytes.len()).ok(), Some(10));
    }

    #[tokio::test]
    async fn chunks_are_cut_at_the_bound() {
        let pieces = |count| Pieces(vec![Bytes::from_static(b"12345"); count], false);
        assert_eq!(bounds(10).read(pieces(2)).await.map(|m| m.bytes.len()).ok(), Some(10));
        assert_eq!(bounds(10).read(pieces(3)).await.err(), Some(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_stops_is_given_up() {
        let body = Pieces(vec![Bytes::from_static(b"1")], true);
        assert_eq!(bounds(10).read(body).await.err(), Some(BodyError::TooSlow));
    }

    struct Broken;

    impl Body for Broken {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(Some(Err("broken")))
        }
    }

    #[tokio::test]
    async fn a_broken_body_is_an_error() {
        assert_eq!(bounds(10).read(Broken).await.err(), Some(BodyError::Broken));
    }

    #[tokio::test]
    async fn large_bodies_share_one_budget() {
        let bounds = Bounds::new(FREE * 4, Duration::from_millis(20));
        let everything = bounds.budget.available_permits() as u32;
        let held = bounds.budget.clone().acquire_many_owned(everything).await.unwrap();
        let large = || Full::new(Bytes::from(vec![b'x'; FREE + 1]));
        assert_eq!(bounds.read(large()).await.err(), Some(BodyError::TooSlow));
        assert!(bounds.read(Full::new(Bytes::from_static(b"{}"))).await.is_ok(), "small ones pass");
        drop(held);
        let message = bounds.read(large()).await.unwrap();
        assert!(bounds.budget.available_permits() < everything as usize);
        drop(message);
        assert_eq!(bounds.budget.available_permits(), everything as usize);
    }
}
