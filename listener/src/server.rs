//! Serves connections and ends well.
//!
//! HTTP/1.1 only: it is what every MCP host speaks to a server of this kind, and it leaves no protocol to guess from the
//! first bytes, during which a silent client could wait for ever. The handshake of TLS, where a certificate is set, has the
//! time of a request's head and happens in the connection's own task.
//!
//! On shutdown it stops accepting, lets what is in flight finish, and after a bound cancels the rest in Postgres. A client whose
//! next request is already on its way is still answered, with `Connection: close`.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::accept::{Accepted, Door, accept};
use crate::certificate::Certificate;
use crate::config::{Config, Http, Listen};
use crate::database::Target;
use crate::metrics;
use crate::pool::Pool;
use crate::reply;
use crate::routes::{Ends, Routes};
use crate::socket::{Socket, Stream};
use crate::systemd::Inherited;

/// Largest head of a request in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// Time for requests in flight when the process is told to end.
const FINISH: Duration = Duration::from_secs(10);
/// Of it, the time in which a connection without a request stays open: one may be on its way.
const LINGER: Duration = Duration::from_secs(1);
/// Time for cancelling what did not finish.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// Bound sockets and everything behind them, ready to [`run`].
pub struct Listener {
    doors: Vec<Door>,
    metrics: Option<Door>,
    certificate: Option<Arc<Certificate>>,
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
        address: Listen,
        /// Why.
        source: io::Error,
    },
    /// A socket of systemd's cannot be used.
    #[error("cannot use a socket of systemd's: {0}")]
    Given(io::Error),
    /// The certificate or its key is not usable.
    #[error("{0}")]
    Certificate(String),
}

impl Listener {
    /// Reads the certificate and binds all addresses of the configuration, unless systemd has given sockets in their place.
    /// Postgres need not be there yet.
    pub async fn bind(
        mut config: Config,
        target: Target,
        inherited: Inherited,
    ) -> Result<Listener, StartError> {
        let certificate = match config.listener.tls.clone() {
            Some(files) => Some(Arc::new(Certificate::load(files).map_err(StartError::Certificate)?)),
            None => None,
        };
        let metrics = match (inherited.metrics, &config.listener.metrics) {
            (Some(given), _) => Some(Door::given(given).map_err(StartError::Given)?),
            (None, Some(address)) => Some(bind(address, &config).await?),
            (None, None) => None,
        };
        if let Some(door) = &metrics {
            config.listener.metrics = door.address();
        }
        let doors = match inherited.sockets {
            sockets if sockets.is_empty() => bind_all(&config).await?,
            sockets => {
                let doors = sockets.into_iter().map(|given| Door::given(given).map_err(StartError::Given));
                doors.collect::<Result<_, _>>()?
            }
        };
        let http = &config.listener;
        let target = prepared(target, http);
        let pool = Pool::new(target, http.pool_size, http.reserved_connections, http.queue_timeout);
        let routes = Arc::new(Routes::new(config.clone(), pool.clone()));
        Ok(Listener { doors, metrics, certificate, routes, pool, config })
    }

    /// Where it listens, with the ports that the system chose for port 0, as a client would write it.
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        let path = &self.config.mcp.base_path;
        let url = |listen| match listen {
            Listen::Tcp(address) => format!("{scheme}://{address}{path}"),
            Listen::Unix(file) => format!("unix:{}, path {path}", file.display()),
        };
        self.doors.iter().filter_map(Door::address).map(url).collect()
    }

    /// Where `/metrics` is, if anywhere.
    pub fn metrics(&self) -> Option<Listen> {
        self.metrics.as_ref().and_then(Door::address)
    }

    /// The certificate, if there is one, to be read anew when it was renewed.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }
}

async fn bind(address: &Listen, config: &Config) -> Result<Door, StartError> {
    Door::bind(address, config.listener.unix_socket_mode)
        .await
        .map_err(|source| StartError::Bind { address: address.clone(), source })
}

async fn bind_all(config: &Config) -> Result<Vec<Door>, StartError> {
    let http = &config.listener;
    let mut doors = Vec::new();
    for address in &http.listen {
        match bind(address, config).await {
            Ok(door) => doors.push(door),
            // A machine without IPv6 still has the other default address.
            Err(error) if !http.listen_given && !doors.is_empty() && address.is_ipv6() => {
                tracing::warn!(%address, reason = %error, "not listening on this default address");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(doors)
}

/// The target with what every connection for calls starts with.
pub(crate) fn prepared(target: Target, http: &Http) -> Target {
    let millis = |time: Duration| time.as_millis().max(1).to_string();
    target.with_settings(&[
        ("statement_timeout", millis(http.statement_timeout)),
        // Calls are single statements; an open transaction would be somebody's mistake.
        ("idle_in_transaction_session_timeout", millis(Duration::from_secs(60))),
        // A failing statement shall not put its parameters, which hold the hash of a key, into the server's log.
        ("log_parameter_max_length_on_error", "0".to_owned()),
        // What a tool runs with anyway, unless the key's role has its own: what has its value already is not set anew.
        ("TimeZone", "UTC".to_owned()),
        ("search_path", "\"$user\", public, pg_temp".to_owned()),
    ])
}

/// Serves until `shutdown` completes, then finishes what is in flight.
pub async fn run(listener: Listener, shutdown: impl Future<Output = ()>) {
    let Listener { doors, metrics, certificate, routes, pool, config } = listener;
    let (stop, stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(config.listener.max_connections));
    let (sender, mut accepted) = mpsc::channel(1);
    for door in doors {
        tokio::spawn(accept(door, sender.clone(), places.clone(), stopping.clone()));
    }
    drop(sender);
    if let (Some(door), Some(metrics)) = (metrics, routes.metrics()) {
        tokio::spawn(metrics.worker.clone().watch(pool.target().clone()));
        tokio::spawn(metrics::serve(door, metrics.clone(), routes.allowed().clone(), stopping.clone()));
    }

    let first_look = tokio::spawn(look_around(routes.clone(), pool.clone()));
    let refusals = tokio::spawn(routes.refusals().clone().watch(pool.target().clone()));
    let subscriptions = routes.subscriptions().clone();
    let watch = tokio::spawn(subscriptions.clone().watch());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.listener.header_timeout)
        .max_header_size(MAX_HEAD);
    let service = Arc::new(Service {
        routes: routes.clone(),
        certificate,
        http,
        head: config.listener.header_timeout,
        taking: config.listener.body_timeout,
        stopping,
    });
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(client) = accepted.recv() => {
                tasks.spawn(service.clone().converse(client));
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }

    tracing::info!("stopping: no new connections; finishing what is in flight");
    let _ = stop.send(true);
    // Those that were accepted in this moment; it ends when all sockets are closed.
    while let Some(client) = accepted.recv().await {
        tasks.spawn(service.clone().converse(client));
    }
    first_look.abort();
    // Streams end with their last message, so that their connections can end.
    subscriptions.end();
    watch.abort();
    if timeout(FINISH, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(left = tasks.len(), "some requests did not finish in time and are cancelled");
    }
    // Dropping a request in flight sends its cancel request; its place in the pool is free when that is done.
    tasks.shutdown().await;
    refusals.abort();
    service.routes.refusals().tell(pool.target()).await;
    tokio::join!(pool.drain(CLEAN_UP), service.routes.replicas().drain(CLEAN_UP));
    tracing::info!("stopped");
}

/// What all connections share.
struct Service {
    routes: Arc<Routes>,
    certificate: Option<Arc<Certificate>>,
    http: http1::Builder,
    /// Time for the head of a request, and for the handshake.
    head: Duration,
    /// How long a client may take nothing of its answer.
    taking: Duration,
    stopping: watch::Receiver<bool>,
}

impl Service {
    /// One connection, until its end.
    async fn converse(self: Arc<Self>, client: Accepted) {
        let Accepted { stream, ends, place } = client;
        let _counted = self.routes.metrics().map(|metrics| metrics.connection());
        let certificate = self.certificate.as_ref().filter(|_| matches!(stream, Stream::Tcp(_)));
        let (socket, gone) = Socket::watched(stream, self.taking);
        let talk = async {
            let Some(certificate) = certificate else { return self.talk(socket, ends).await };
            let handshake = timeout(self.head, certificate.acceptor().accept(socket));
            tokio::select! {
                biased;
                shaken = handshake => match shaken {
                    Ok(Ok(secure)) => self.talk(secure, ends).await,
                    Ok(Err(error)) => tracing::debug!(reason = %error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                },
                () = self.ending() => {}
            }
        };
        tokio::select! {
            biased;
            () = talk => {}
            // Dropping the connection drops its request, and that cancels the statement.
            () = gone => tracing::debug!("a client hung up"),
        }
        drop(place);
    }

    /// HTTP on a connection, encrypted or not.
    async fn talk(&self, io: impl AsyncRead + AsyncWrite + Unpin, ends: Ends) {
        let service = service_fn(|request| async move {
            let mut reply = self.routes.respond(request, ends).await;
            if *self.stopping.borrow() {
                reply::close(&mut reply);
            }
            Ok::<_, std::convert::Infallible>(metrics::counted(reply, self.routes.metrics()))
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = self.ending() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            // Clients break off all the time; hyper's texts hold nothing of the request.
            tracing::debug!(reason = %error, "a client connection ended early");
        }
    }

    /// Completes when a connection without a request is to be closed.
    async fn ending(&self) {
        let mut stopping = self.stopping.clone();
        let _ = stopping.wait_for(|stopping| *stopping).await;
        sleep(LINGER).await;
    }
}

/// Says at the start what the first request would find, so that a mistake is seen before a client meets it.
async fn look_around(routes: Arc<Routes>, pool: Arc<Pool>) {
    let finding = routes.health().check().await;
    if !finding.healthy {
        tracing::warn!(database = %pool.target(), finding = finding.body, "not ready yet");
        return;
    }
    tracing::info!(database = %pool.target(), "Postgres is ready");
    warn_of_superuser(&pool).await;
}

/// Says so in the log when the login role may do everything.
pub(crate) async fn warn_of_superuser(pool: &Arc<Pool>) {
    let superuser = match pool.lease(crate::pool::Lane::Short).await {
        Ok(mut lease) => match lease.connection() {
            Some(connection) => connection.is_superuser().await,
            None => false,
        },
        Err(_) => false,
    };
    if superuser {
        tracing::warn!(
            "the listener is logged in as a superuser. Use the role that mcp.setup_listener() makes: whoever takes over \
             the listener has the rights of its role"
        );
    }
}
