//! Accepts connections and ends well.
//!
//! HTTP/1.1 only: it is what every MCP host speaks to a server of this kind, and it leaves no protocol to guess from the
//! first bytes, during which a silent client could wait for ever. TLS belongs to a proxy in front.
//!
//! On shutdown it stops accepting, lets what is in flight finish, and after a bound cancels the rest in Postgres.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::config::Config;
use crate::database::Target;
use crate::pool::Pool;
use crate::routes::{Ends, Routes};
use crate::socket::Socket;

/// Largest head of a request in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// Time for requests in flight when the process is told to end.
const FINISH: Duration = Duration::from_secs(10);
/// Time for cancelling what did not finish.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// Bound sockets and everything behind them, ready to [`run`].
pub struct Listener {
    sockets: Vec<TcpListener>,
    routes: Arc<Routes>,
    pool: Arc<Pool>,
    config: Config,
}

/// Why the listener could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl Listener {
    /// Binds all addresses of the configuration. Postgres need not be there yet.
    pub async fn bind(config: Config, target: Target) -> Result<Listener, StartError> {
        let http = &config.listener;
        let mut sockets = Vec::new();
        for address in &http.listen {
            match TcpListener::bind(address).await {
                Ok(socket) => sockets.push(socket),
                // A machine without IPv6 still has the other default address.
                Err(source) if !http.listen_given && !sockets.is_empty() && address.is_ipv6() => {
                    tracing::warn!(%address, reason = %source, "not listening on this default address");
                }
                Err(source) => return Err(StartError::Bind { address: *address, source }),
            }
        }
        let millis = |time: Duration| time.as_millis().max(1).to_string();
        let target = target.with_settings(&[
            ("statement_timeout", millis(http.statement_timeout)),
            // Calls are single statements; an open transaction would be somebody's mistake.
            ("idle_in_transaction_session_timeout", millis(Duration::from_secs(60))),
            // A failing statement shall not put its parameters, which hold the hash of a key, into the server's log.
            ("log_parameter_max_length_on_error", "0".to_owned()),
            // What a tool runs with anyway, unless the key's role has its own: what has its value already is not set anew.
            ("TimeZone", "UTC".to_owned()),
            ("search_path", "\"$user\", public, pg_temp".to_owned()),
        ]);
        let pool = Pool::new(target, http.pool_size, http.reserved_connections, http.queue_timeout);
        let routes = Arc::new(Routes::new(config.clone(), pool.clone()));
        Ok(Listener { sockets, routes, pool, config })
    }

    /// The addresses that were bound, with the ports that the system chose for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }
}

/// Serves until `shutdown` completes, then finishes what is in flight.
pub async fn run(listener: Listener, shutdown: impl Future<Output = ()>) {
    let Listener { sockets, routes, pool, config } = listener;
    let places = Arc::new(Semaphore::new(config.listener.max_connections));
    let (sender, mut accepted) = mpsc::channel(1);
    let mut acceptors: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(accept(socket, sender.clone(), places.clone())))
        .collect();
    drop(sender);

    let first_look = tokio::spawn(look_around(routes.clone(), pool.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.listener.header_timeout)
        .max_header_size(MAX_HEAD);
    let graceful = GracefulShutdown::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some((stream, ends, place)) = accepted.recv() => {
                let routes = routes.clone();
                let service = service_fn(move |request| {
                    let routes = routes.clone();
                    async move { Ok::<_, std::convert::Infallible>(routes.respond(request, ends).await) }
                });
                let (socket, gone) = Socket::watched(stream);
                let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service));
                tasks.spawn(async move {
                    tokio::select! {
                        biased;
                        ended = connection => if let Err(error) = ended {
                            // Clients break off all the time; hyper's texts hold nothing of the request.
                            tracing::debug!(reason = %error, "a client connection ended early");
                        },
                        // Dropping the connection drops its request, and that cancels the statement.
                        () = gone => tracing::debug!("a client hung up"),
                    }
                    drop(place);
                });
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }

    tracing::info!("stopping: no new connections; finishing what is in flight");
    acceptors.drain(..).for_each(|task| task.abort());
    drop(accepted);
    first_look.abort();
    if tokio::time::timeout(FINISH, graceful.shutdown()).await.is_err() {
        tracing::warn!(left = tasks.len(), "some requests did not finish in time and are cancelled");
    }
    // Dropping a request in flight sends its cancel request; its place in the pool is free when that is done.
    tasks.shutdown().await;
    tokio::join!(pool.drain(CLEAN_UP), routes.replicas().drain(CLEAN_UP));
    tracing::info!("stopped");
}

type Accepted = (TcpStream, Ends, tokio::sync::OwnedSemaphorePermit);

/// Accepts on one socket. When all places are taken, clients wait in the kernel's queue.
async fn accept(socket: TcpListener, sender: mpsc::Sender<Accepted>, places: Arc<Semaphore>) {
    let mut pause = Duration::from_millis(5);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, client) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to become free.
                tracing::warn!(reason = %error, "cannot accept a connection");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
                continue;
            }
        };
        pause = Duration::from_millis(5);
        let Ok(server) = stream.local_addr() else { continue };
        let _ = stream.set_nodelay(true);
        if sender.send((stream, Ends { client, server }, place)).await.is_err() {
            return;
        }
    }
}

/// Says at the start what the first request would find, so that a mistake is seen before a client meets it.
async fn look_around(routes: Arc<Routes>, pool: Arc<Pool>) {
    let finding = routes.health().check().await;
    if !finding.healthy {
        tracing::warn!(database = %pool.target(), finding = finding.body, "not ready yet");
        return;
    }
    let superuser = match pool.lease(crate::pool::Lane::Short).await {
        Ok(mut lease) => match lease.connection() {
            Some(connection) => connection.is_superuser().await,
            None => false,
        },
        Err(_) => false,
    };
    tracing::info!(database = %pool.target(), "Postgres is ready");
    if superuser {
        tracing::warn!(
            "the listener is logged in as a superuser. Use the role that mcp.setup_listener() makes: whoever takes over \
             the listener has the rights of its role"
        );
    }
}
