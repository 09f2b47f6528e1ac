//! One connection to Postgres: open it, stop what runs on it, end it.
//!
//! tokio-postgres opens the session; what is said on it from then on is [`crate::wire`]'s. While nobody has the connection nothing is read;
//! whoever takes it next sees at once whether the server has hung up meanwhile.
//!
//! It dials by itself instead of through `Config::connect`, because a cancel request must wait for the server to hang
//! up (only then has the signal been sent, so that it cannot hit the next caller's statement), and tokio-postgres does
//! not wait.
//!
//! It does not know what is asked (see [`crate::call`]) nor who waits for a connection (see [`crate::pool`]).

use std::error::Error as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Client};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::Target;
use crate::lent::{Lending, Lent};
use crate::wire::{Failed, Row, Wire};

/// An open connection. Dropping it closes it.
pub(crate) struct Connection {
    /// What is said on it.
    pub(crate) wire: Wire,
    /// The process that serves it.
    pub(crate) backend: Backend,
    /// The OID of `mcp._serve`, once it has been looked up.
    pub(crate) serve: Option<u32>,
    /// When it was opened.
    pub(crate) born: Instant,
}

/// The server's side of a connection, reached over other connections.
pub(crate) struct Backend {
    pid: i32,
    token: CancelToken,
    peer: Peer,
    target: Arc<Target>,
}

type Tls =
    <<MakeRustlsConnect as MakeTlsConnect<Lent<Socket>>>::TlsConnect as TlsConnect<Lent<Socket>>>::Stream;
type Driver = tokio_postgres::Connection<Lent<Socket>, Lent<Tls>>;

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
        open(target).await.map(|(connection, _, _)| connection)
    }

    /// A client of tokio-postgres instead, for programs that send many kinds of statements. It is driven in the background.
    pub(crate) async fn client(target: &Arc<Target>) -> Result<Client, Unreachable> {
        let (connection, client, driver) = open(target).await?;
        connection.wire.leave();
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(reason = %reason(&error), "a connection to Postgres ended");
            }
        });
        Ok(client)
    }

    /// Whether it has ended. Reads what the server has said unasked, without waiting.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.wire.is_ended()
    }

    /// Whether the login role may do everything.
    pub(crate) async fn is_superuser(&mut self) -> bool {
        self.single("SHOW is_superuser").await.is_ok_and(|value| value == "on")
    }

    /// Returns when the server is ready for the next statement, whatever became of the ones before.
    pub(crate) async fn settle(&mut self) -> Result<(), Failed> {
        // Two rounds: a cancel that came late may hit the first, and is over after it.
        for _ in 0..2 {
            match self.rows("").await {
                Ok(_) => return Ok(()),
                Err(Failed::Server(_)) if !self.wire.has_ended() => {}
                Err(error) => return Err(error),
            }
        }
        self.rows("").await.map(drop)
    }

    /// The rows of a statement without parameters.
    pub(crate) async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Failed> {
        self.wire.query(sql)?;
        Ok(self.wire.answer().await?.rows)
    }

    /// The single value of a statement that gives one.
    pub(crate) async fn single(&mut self, sql: &str) -> Result<String, Failed> {
        let value = self.rows(sql).await?.into_iter().next().and_then(|row| row.into_iter().next());
        Ok(value.flatten().unwrap_or_default())
    }
}

/// A connection, and the client that opened it.
async fn open(target: &Arc<Target>) -> Result<(Connection, Client, Driver), Unreachable> {
    let mut last = None;
    for peer in peers(target).await.map_err(Unreachable::Socket)? {
        let within = target.config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(5));
        let opened = tokio::time::timeout(within, open_at(target, peer)).await;
        match opened.unwrap_or_else(|_| Err(Unreachable::Socket(io::ErrorKind::TimedOut.into()))) {
            Ok(opened) => return Ok(opened),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Unreachable::Socket(io::ErrorKind::NotFound.into())))
}

async fn open_at(target: &Arc<Target>, peer: Peer) -> Result<(Connection, Client, Driver), Unreachable> {
    let socket = Lent::new(peer.dial(target).await.map_err(Unreachable::Socket)?);
    let plain = socket.shared();
    let mut config = target.config.clone();
    if matches!(peer, Peer::Unix(_)) {
        // As in libpq: nobody can listen in on a Unix socket.
        config.ssl_mode(SslMode::Disable);
    }
    let encrypted = Arc::new(OnceLock::new());
    let tls = Lending { connector: peer.tls::<Lent<Socket>>(target)?, encrypted: encrypted.clone() };
    let (client, driver) = config.connect_raw(socket, tls).await.map_err(Unreachable::Postgres)?;
    let stream = encrypted.get().cloned().unwrap_or(plain);
    let token = client.cancel_token();
    let mut connection = Connection {
        wire: Wire::new(stream),
        backend: Backend { pid: 0, token, peer, target: target.clone() },
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
    Ok((connection, client, driver))
}

impl Backend {
    /// Asks the server to cancel what runs on the connection, and returns when the signal has been sent.
    pub(crate) async fn cancel(&self) -> Result<(), Unreachable> {
        let socket = UntilEof(self.peer.dial(&self.target).await.map_err(Unreachable::Socket)?);
        let tls = self.peer.tls::<UntilEof<Socket>>(&self.target)?;
        self.token.cancel_query_raw(socket, tls).await.map_err(Unreachable::Postgres)
    }

    /// Ends the process from another connection. A login role may do that to its own backends.
    pub(crate) async fn terminate(&self) -> Result<(), Unreachable> {
        let mut spare = Connection::open(&self.target).await?;
        spare.single(&format!("SELECT pg_catalog.pg_terminate_backend({})", self.pid)).await?;
        Ok(())
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
    /// A statement on the new connection failed.
    #[error("{0}")]
    Failed(#[from] Failed),
    /// `target_session_attrs` is not met.
    #[error("no server fits target_session_attrs")]
    WrongKind,
}

impl Unreachable {
    /// Whether trying again in a moment may help: the server is starting, full, or away.
    pub(crate) fn may_pass(&self) -> bool {
        // 57P03 starting up or shutting down, 53300 too many connections.
        self.code().is_none_or(|code| code.starts_with("57P") || code == "53300")
    }

    /// The SQLSTATE, if the server has answered.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Unreachable::Postgres(error) => error.code().map(SqlState::code),
            Unreachable::Failed(error) => error.code(),
            Unreachable::Socket(_) | Unreachable::WrongKind => None,
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
