//! A client's socket that can be watched for its end while somebody else reads from it.
//!
//! hyper notices that a client hung up only while it reads, and it does not read while bytes of a further request wait in its
//! buffer. A statement would then run on for nobody. So the connection's task also looks at the socket itself, below TLS.
//!
//! hyper has no bound for writing either: a client that takes nothing of its answer would keep its place for ever. Here a
//! write that cannot go on fails after a time in which the client took nothing.
//!
//! It reads and writes exactly as a `TcpStream` or `UnixStream` does and knows nothing of HTTP.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep};

/// How often a socket with unread bytes is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long a client that has closed its side may still wait for answers: one that sent its last request, for example.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client came over.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Calls the same method of either kind.
macro_rules! either {
    ($stream:expr, $name:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($name) => $call,
            Stream::Unix($name) => $call,
        }
    };
}

impl Stream {
    async fn readable(&self) -> io::Result<Ready> {
        either!(self, stream => stream.ready(Interest::READABLE).await)
    }

    /// Reads what is there. A read that did not fill the buffer has emptied the socket, so that the next one waits without asking the
    /// system first: tokio's own streams do the same.
    fn try_read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut emptied = false;
        let done = either!(self, stream => stream.try_io(Interest::READABLE, || {
            let room = buf.remaining();
            let read = stream.try_read_buf(buf)?;
            emptied = read > 0 && read < room;
            // How a closure says that the socket is to be waited for; the end of the stream is remembered apart from that.
            if emptied { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }));
        if emptied { Ok(()) } else { done }
    }
}

/// The stream as hyper sees it.
pub(crate) struct Socket {
    stream: Arc<Stream>,
    /// How long a write may wait.
    within: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// The stream, and a future that ends when the client has been gone for a moment. `within` bounds the time in which the
    /// client takes nothing of what is to be sent.
    pub(crate) fn watched(stream: Stream, within: Duration) -> (Socket, impl Future<Output = ()> + Send) {
        let stream = Arc::new(stream);
        (Socket { stream: stream.clone(), within, waiting: None }, gone(stream))
    }

    /// The client takes nothing now: fails when that has been so for too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let within = self.within;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(within)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of its answer")))
    }
}

async fn gone(stream: Arc<Stream>) {
    loop {
        match stream.readable().await {
            Ok(state) if !state.is_read_closed() => sleep(LOOK).await,
            Ok(_) | Err(_) => return sleep(PATIENCE).await,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(either!(&*self.stream, stream => stream.poll_read_ready(cx)))?;
            match self.stream.try_read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match either!(&*self.stream, stream => stream.poll_write_ready(cx)) {
                Poll::Pending => return self.wait(cx),
                Poll::Ready(ready) => ready?,
            }
            match either!(&*self.stream, stream => stream.try_write_vectored(parts)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    self.waiting = None;
                    return Poll::Ready(done);
                }
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
        Poll::Ready(
            either!(&*self.stream, stream => socket2::SockRef::from(stream).shutdown(Shutdown::Write)),
        )
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
        let stream = Stream::Tcp(listener.accept().await.unwrap().0);
        let (mut socket, gone) = Socket::watched(stream, PATIENCE);
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
    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (client, server) = UnixStream::pair().unwrap();
        let (mut socket, _gone) = Socket::watched(Stream::Unix(server), Duration::from_millis(200));
        let answer = vec![0; 8 * 1024 * 1024];
        let error = timeout(Duration::from_secs(5), socket.write_all(&answer)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn a_client_that_takes_a_little_now_and_then_is_not() {
        let (mut client, server) = UnixStream::pair().unwrap();
        let (mut socket, _gone) = Socket::watched(Stream::Unix(server), Duration::from_millis(500));
        let sent = tokio::spawn(async move { socket.write_all(&vec![0; 2 * 1024 * 1024]).await });
        let mut part = vec![0; 256 * 1024];
        for _ in 0..8 {
            sleep(Duration::from_millis(100)).await;
            client.read_exact(&mut part).await.unwrap();
        }
        sent.await.unwrap().expect("all of it was taken, in more time than one wait may last");
    }
}
