//! A client's socket that can be watched for its end while somebody else reads from it.
//!
//! hyper notices that a client hung up only while it reads, and it does not read while bytes of a further request wait in its
//! buffer. A statement would then run on for nobody. So the connection's task also looks at the socket itself.
//!
//! It reads and writes exactly as a `TcpStream` does and knows nothing of HTTP.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How often a socket with unread bytes is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long a client that has closed its side may still wait for answers: one that sent its last request, for example.
const PATIENCE: Duration = Duration::from_secs(1);

/// The stream as hyper sees it.
pub(crate) struct Socket(Arc<TcpStream>);

impl Socket {
    /// The stream, and a future that ends when the client has been gone for a moment.
    pub(crate) fn watched(stream: TcpStream) -> (Socket, impl Future<Output = ()> + Send) {
        let stream = Arc::new(stream);
        (Socket(stream.clone()), gone(stream))
    }
}

async fn gone(stream: Arc<TcpStream>) {
    loop {
        match stream.ready(Interest::READABLE).await {
            Ok(state) if !state.is_read_closed() => sleep(LOOK).await,
            Ok(_) | Err(_) => return sleep(PATIENCE).await,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(parts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket2::SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    #[tokio::test]
    async fn an_end_behind_unread_bytes_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut socket, gone) = Socket::watched(listener.accept().await.unwrap().0);
        client.write_all(b"ab").await.unwrap();
        let mut first = [0];
        socket.read_exact(&mut first).await.unwrap();
        let mut gone = std::pin::pin!(gone);
        assert!(timeout(Duration::from_millis(600), &mut gone).await.is_err(), "the client is still there");
        socket.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!((&first, &answer), (b"a", b"answer"));
        drop(client);
        timeout(Duration::from_secs(3), gone).await.expect("the client is gone");
    }
}
