//! One connection to Postgres: open it, drive it, stop what runs on it, end it.
//!
//! Whoever has the connection drives it: its socket is read and written in the task that waits for the answer, not in
//! one of its own, which would cost each call two changes of tasks. While nobody has it nothing is read; whoever takes
//! it next sees at once whether the server has hung up meanwhile.
//!
//! It dials by itself instead of through `Config::connect`, because a cancel request must wait for the server to hang
//! up (only then has the signal been sent, so that it cannot hit the next caller's statement), and tokio-postgres does
//! not wait. Notices are read and dropped, since they may hold rows; all but those that a tool addresses to its client.
//!
//! It does not know what is asked (see [`crate::call`]) nor who waits for a connection (see [`crate::pool`]).

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, CancelToken, Client, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::Target;
use crate::events::{Notices, notification};

/// An open connection. Dropping it closes it.
pub(crate) struct Connection {
    /// For statements. What it gives must be awaited through `link`.
    pub(crate) client: Client,
    /// The connection's socket.
    pub(crate) link: Link,
    /// The process that serves it.
    pub(crate) backend: Backend,
    /// The prepared call of `mcp._serve`, once it has been prepared.
    pub(crate) serve: Option<Statement>,
    /// When it was opened.
    pub(crate) born: Instant,
}

/// The server's side of a connection, reached over other connections.
pub(crate) struct Backend {
    pid: i32,
    peer: Peer,
    target: Arc<Target>,
}

type Tls = <<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect as TlsConnect<Socket>>::Stream;
type Driver = tokio_postgres::Connection<Socket, Tls>;

/// The socket of a connection, and a clock for those who wait. Nothing moves on the connection unless it is driven.
pub(crate) struct Link {
    /// `None` when the connection has ended: then whatever waits on it ends with an error.
    driver: Option<Driver>,
    /// Kept over all calls: setting an alarm later is cheap, making one is not.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Who is to be told what a tool tells while it runs.
    pub(crate) notices: Option<Notices>,
}

/// SQLSTATE of a notice whose text is a message for the client (`mcp.progress`, `mcp.log`). Any function can raise it.
const FOR_THE_CLIENT: &str = "MC001";

/// Where one server listens.
#[derive(Debug, Clone)]
enum Peer {
    Tcp { address: SocketAddr, name: String },
    Unix(PathBuf),
}

/// A socket of either family.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    /// Connects to the first server of the target that answers and fits `target_session_attrs`.
    pub(crate) async fn open(target: &Arc<Target>) -> Result<Connection, Unreachable> {
        let mut last = None;
        for peer in peers(target).await.map_err(Unreachable::Socket)? {
            let within = target.config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(5));
            let opened = tokio::time::timeout(within, Connection::open_at(target, peer)).await;
            match opened.unwrap_or_else(|_| Err(Unreachable::Socket(io::ErrorKind::TimedOut.into()))) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Unreachable::Socket(io::ErrorKind::NotFound.into())))
    }

    async fn open_at(target: &Arc<Target>, peer: Peer) -> Result<Connection, Unreachable> {
        let socket = peer.dial(target).await.map_err(Unreachable::Socket)?;
        let mut config = target.config.clone();
        if matches!(peer, Peer::Unix(_)) {
            // As in libpq: nobody can listen in on a Unix socket.
            config.ssl_mode(SslMode::Disable);
        }
        let tls = peer.tls::<Socket>(target)?;
        let (client, driver) = config.connect_raw(socket, tls).await.map_err(Unreachable::Postgres)?;
        let mut connection = Connection {
            client,
            link: Link { driver: Some(driver), alarm: None, notices: None },
            backend: Backend { pid: 0, peer, target: target.clone() },
            serve: None,
            born: Instant::now(),
        };
        let wanted = config.get_target_session_attrs();
        if wanted != TargetSessionAttrs::Any {
            let read_only = connection.single("SHOW transaction_read_only").await? == "on";
            if read_only != (wanted == TargetSessionAttrs::ReadOnly) {
                return Err(Unreachable::WrongKind);
            }
        }
        let pid = connection.single("SELECT pg_catalog.pg_backend_pid()").await?;
        connection.backend.pid = pid.parse().unwrap_or(0);
        Ok(connection)
    }

    /// The client alone, for programs that send many kinds of statements. The link is then driven in the background.
    pub(crate) fn into_client(self) -> Client {
        self.client
    }

    /// Whether it has ended. Reads what the server has said unasked, without waiting.
    pub(crate) fn is_closed(&mut self) -> bool {
        // Nobody is to be woken: whoever uses the connection next says so by driving it.
        advance(&mut self.link.driver, None, &mut Context::from_waker(Waker::noop()));
        self.link.driver.is_none() || self.client.is_closed()
    }

    /// Whether the login role may do everything.
    pub(crate) async fn is_superuser(&mut self) -> bool {
        self.single("SHOW is_superuser").await.is_ok_and(|value| value == "on")
    }

    /// Returns when the server is ready for the next statement, whatever became of the ones before.
    pub(crate) async fn settle(&mut self) -> Result<(), tokio_postgres::Error> {
        // Two rounds: a cancel that came late may hit the first, and is over after it.
        for _ in 0..2 {
            match self.simple_query("").await {
                Ok(_) => return Ok(()),
                Err(error) if error.as_db_error().is_some() && !self.client.is_closed() => {}
                Err(error) => return Err(error),
            }
        }
        self.simple_query("").await.map(drop)
    }

    /// Sends a statement without parameters.
    pub(crate) async fn simple_query(
        &mut self,
        sql: &str,
    ) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        self.link.drive(self.client.simple_query(sql)).await
    }

    /// The single value of a statement that gives one.
    pub(crate) async fn single(&mut self, sql: &str) -> Result<String, Unreachable> {
        let messages = self.simple_query(sql).await.map_err(Unreachable::Postgres)?;
        let value = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(value.unwrap_or_default())
    }
}

impl Backend {
    /// Asks the server to cancel what runs on the connection, and returns when the signal has been sent.
    pub(crate) async fn cancel(&self, token: CancelToken) -> Result<(), Unreachable> {
        let socket = UntilEof(self.peer.dial(&self.target).await.map_err(Unreachable::Socket)?);
        let tls = self.peer.tls::<UntilEof<Socket>>(&self.target)?;
        token.cancel_query_raw(socket, tls).await.map_err(Unreachable::Postgres)
    }

    /// Ends the process from another connection. A login role may do that to its own backends.
    pub(crate) async fn terminate(&self) -> Result<(), Unreachable> {
        let mut spare = Connection::open(&self.target).await?;
        spare.single(&format!("SELECT pg_catalog.pg_terminate_backend({})", self.pid)).await?;
        Ok(())
    }
}

/// The time is over.
#[derive(Debug)]
pub(crate) struct Late;

impl Link {
    /// Waits for `work` of this connection's client, and of nothing else.
    pub(crate) async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| self.step(work.as_mut(), cx)).await
    }

    /// The same until a deadline, also when a flood of notices uses up tokio's budget. An answer that comes with the deadline wins.
    pub(crate) async fn drive_until<T>(
        &mut self,
        deadline: tokio::time::Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Late> {
        let mut work = pin!(work);
        match &mut self.alarm {
            Some(alarm) => alarm.as_mut().reset(deadline),
            None => self.alarm = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = self.step(work.as_mut(), cx) {
                return Poll::Ready(Ok(outcome));
            }
            match &mut self.alarm {
                Some(alarm) => pin!(tokio::task::unconstrained(alarm.as_mut())).poll(cx).map(|()| Err(Late)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Hands what `work` wants sent to the socket, and what the socket gives to `work`.
    fn step<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>, cx: &mut Context<'_>) -> Poll<T> {
        // `work` moves only by what the driver does to it, and is looked at after every move of the driver. So it needs
        // no waker; with one, each answer would wake this task once more when all is done.
        let quiet = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(outcome) = work.as_mut().poll(quiet) {
            return Poll::Ready(outcome);
        }
        advance(&mut self.driver, self.notices.as_ref(), cx);
        work.poll(quiet)
    }
}

/// Reads and writes as much as the socket allows.
fn advance(link: &mut Option<Driver>, notices: Option<&Notices>, cx: &mut Context<'_>) {
    while let Some(driver) = link {
        match driver.poll_message(cx) {
            Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                // A client that does not keep up misses some; each tells the whole state.
                if notice.code().code() == FOR_THE_CLIENT
                    && let Some(notices) = notices
                    && let Some(message) = notification(notice.message())
                {
                    _ = notices.try_send(message);
                }
            }
            // Any other notice may hold rows.
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(reason = %reason(&error), "a connection to Postgres ended");
                *link = None;
            }
            Poll::Ready(None) => *link = None,
            Poll::Pending => return,
        }
    }
}

impl Drop for Link {
    /// Drives it in the background, until its client is gone and the server has been told goodbye. Without a runtime (the
    /// process is ending) the socket is closed.
    fn drop(&mut self) {
        let mut driver = self.driver.take();
        if driver.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Not a link: a runtime that is ending drops what it is given, and a link would be spawned for ever.
            runtime.spawn(poll_fn(move |cx| {
                advance(&mut driver, None, cx);
                if driver.is_none() { Poll::Ready(()) } else { Poll::Pending }
            }));
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    /// No server there, or the network.
    #[error("{0}")]
    Socket(io::Error),
    /// The server refused, or the handshake failed.
    #[error("{}", reason(.0))]
    Postgres(tokio_postgres::Error),
    /// `target_session_attrs` is not met.
    #[error("no server fits target_session_attrs")]
    WrongKind,
}

impl Unreachable {
    /// Whether trying again in a moment may help: the server is starting, full, or away.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Unreachable::Socket(_) | Unreachable::WrongKind => true,
            Unreachable::Postgres(error) => match error.code() {
                // 57P03 starting up or shutting down, 53300 too many connections.
                Some(code) => code.code().starts_with("57P") || code.code() == "53300",
                None => true,
            },
        }
    }
}

/// The text of an error for logs and persons: what Postgres or the system says, never a parameter or a row.
pub(crate) fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", db.message(), db.code().code());
    }
    match error.source() {
        Some(source) => {
            let text = error.to_string();
            let source = source.to_string();
            if text.contains(&source) { text } else { format!("{text}: {source}") }
        }
        None => error.to_string(),
    }
}

/// All servers of the target in order, names resolved.
async fn peers(target: &Target) -> io::Result<Vec<Peer>> {
    let config = &target.config;
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let mut peers = Vec::new();
    let mut failed = None;
    let addresses = config.get_hostaddrs();
    for (at, address) in addresses.iter().enumerate() {
        let name = match config.get_hosts().get(at) {
            Some(Host::Tcp(name)) => name.clone(),
            _ => address.to_string(),
        };
        peers.push(Peer::Tcp { address: SocketAddr::new(*address, port(at)), name });
    }
    let hosts = if addresses.is_empty() { config.get_hosts() } else { &[] };
    for (at, host) in hosts.iter().enumerate() {
        match host {
            Host::Unix(folder) => peers.push(Peer::Unix(folder.join(format!(".s.PGSQL.{}", port(at))))),
            Host::Tcp(name) => match name.parse::<IpAddr>() {
                Ok(address) => {
                    peers.push(Peer::Tcp { address: SocketAddr::new(address, port(at)), name: name.clone() });
                }
                Err(_) => match tokio::net::lookup_host((name.as_str(), port(at))).await {
                    Ok(found) => {
                        peers.extend(found.map(|address| Peer::Tcp { address, name: name.clone() }));
                    }
                    Err(error) => {
                        failed = Some(io::Error::new(
                            error.kind(),
                            format!("the name {name} has no address: {error}"),
                        ));
                    }
                },
            },
        }
    }
    match failed {
        Some(error) if peers.is_empty() => Err(error),
        _ => Ok(peers),
    }
}

impl Peer {
    async fn dial(&self, target: &Target) -> io::Result<Socket> {
        match self {
            Peer::Unix(path) => {
                let socket = UnixStream::connect(path)
                    .await
                    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
                Ok(Socket::Unix(socket))
            }
            Peer::Tcp { address, .. } => {
                let socket = TcpStream::connect(address)
                    .await
                    .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
                socket.set_nodelay(true)?;
                let config = &target.config;
                if config.get_keepalives() {
                    let mut keepalive = socket2::TcpKeepalive::new().with_time(config.get_keepalives_idle());
                    if let Some(interval) = config.get_keepalives_interval() {
                        keepalive = keepalive.with_interval(interval);
                    }
                    if let Some(retries) = config.get_keepalives_retries() {
                        keepalive = keepalive.with_retries(retries);
                    }
                    socket2::SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
                }
                Ok(Socket::Tcp(socket))
            }
        }
    }

    fn tls<S>(
        &self,
        target: &Target,
    ) -> Result<<MakeRustlsConnect as MakeTlsConnect<S>>::TlsConnect, Unreachable>
    where
        MakeRustlsConnect: MakeTlsConnect<S>,
    {
        let name = match self {
            Peer::Tcp { name, .. } => name.as_str(),
            Peer::Unix(_) => "localhost",
        };
        target
            .tls
            .clone()
            .make_tls_connect(name)
            .map_err(|error| Unreachable::Socket(io::Error::other(error.into().to_string())))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(cx, data),
            Socket::Unix(socket) => Pin::new(socket).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

/// A socket whose shutdown first reads until the other side has hung up.
struct UntilEof<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for UntilEof<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for UntilEof<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 64];
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // Hung up, or reset because it was in a hurry: in both cases the request has been dealt with.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn shutdown_waits_until_the_other_side_hangs_up() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = UntilEof(near);
        let waiting = tokio::spawn(async move { near.shutdown().await });
        far.write_all(b"bye").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        drop(far);
        waiting.await.unwrap().unwrap();
    }
}
