//! The stream of a session that tokio-postgres opens: it negotiates TLS and authenticates, and afterwards [`crate::wire`] speaks on it.
//!
//! tokio-postgres owns the stream that it is given and does not hand it back, so it gets a [`Lent`] one, of which we keep another handle: of
//! the socket, or, when the server has agreed to TLS, of what encrypts. Both are never used at the same time: tokio-postgres only when it is
//! polled, and it is not polled once the session is open.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// What bytes go through in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A stream that others have handles of.
pub(crate) type Shared = Arc<Mutex<dyn Duplex>>;

/// The stream of a handle, for as long as one poll takes.
pub(crate) fn borrow<S: ?Sized>(stream: &Mutex<S>) -> MutexGuard<'_, S> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One handle of a stream.
pub(crate) struct Lent<S>(Arc<Mutex<S>>);

impl<S: Duplex + 'static> Lent<S> {
    pub(crate) fn new(stream: S) -> Lent<S> {
        Lent(Arc::new(Mutex::new(stream)))
    }

    /// Another handle of it.
    pub(crate) fn shared(&self) -> Shared {
        self.0.clone()
    }
}

impl<S: Duplex> AsyncRead for Lent<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *borrow(&self.0)).poll_read(cx, buf)
    }
}

impl<S: Duplex> AsyncWrite for Lent<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *borrow(&self.0)).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *borrow(&self.0)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *borrow(&self.0)).poll_shutdown(cx)
    }
}

impl<S: Duplex + TlsStream> TlsStream for Lent<S> {
    fn channel_binding(&self) -> ChannelBinding {
        borrow(&self.0).channel_binding()
    }
}

/// Makes TLS as `connector` does, and keeps a handle of what it made.
pub(crate) struct Lending<C> {
    pub(crate) connector: C,
    /// Set once there is TLS; empty as long as there is none.
    pub(crate) encrypted: Arc<OnceLock<Shared>>,
}

impl<S, C> TlsConnect<S> for Lending<C>
where
    C: TlsConnect<S>,
    C::Stream: Send + 'static,
    C::Future: Send + 'static,
{
    type Stream = Lent<C::Stream>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Lending { connector, encrypted } = self;
        let connecting = connector.connect(stream);
        Box::pin(async move {
            let lent = Lent::new(connecting.await?);
            _ = encrypted.set(lent.shared());
            Ok(lent)
        })
    }
}
