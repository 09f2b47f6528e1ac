//! Where calls come in: HTTP/1.1 on the addresses of `--listen`.
//!
//! Invariants:
//! - A path is `/NAME` or `/NAMESPACE/NAME` with names that can be nothing but names; it never becomes a path of the file system.
//! - Without a token of Postgres's for exactly this function no process hears of the call. (`--no-verify` switches that off.)
//! - Headers that say who calls are ours: what a caller sends under their names is dropped, and so is the token.
//! - Bodies are passed on as they come, within bounds. The time of a call is bounded from its first byte to its answer's last.
//! - A call that ends without an answer leads to the question whether its process still reacts; one that does not is killed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1 as client;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use super::fleet::{Fleet, Refusal};
use super::layout::is_name;
use super::process::{Lease, Process};
use super::token::Verifier;
use crate::accept::{Accepted, Door, accept};
use crate::socket::Socket;

/// Most bytes of a request's body.
const MAX_BODY: usize = 10 << 20;
/// Most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;
/// Most connections.
const PLACES: usize = 1024;
/// How long a head may take, and a connection without a request may stay.
const HEAD: Duration = Duration::from_secs(30);
/// How long a caller may take nothing of its answer.
const TAKING: Duration = Duration::from_secs(30);
/// How long a process may take to react when it is asked.
const REACT: Duration = Duration::from_secs(3);
/// How long a process that does not answer may take to end by itself.
const ENDING: Duration = Duration::from_millis(500);
/// Time for what is in flight at the end.
const FINISH: Duration = Duration::from_secs(10);
/// Begins the names of the headers that are ours.
const OURS: &str = "x-fluxbase-";
/// Headers that belong to one connection (RFC 9110, section 7.6.1), or tell who calls.
const DROPPED: [&str; 9] = [
    "authorization",
    "connection",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

type Error = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Error>>;

/// Takes calls in.
pub(crate) struct Front {
    fleet: Arc<Fleet>,
    /// None: everybody may call everything.
    verifier: Option<Verifier>,
}

/// Why a call got no answer of its function's.
struct Refused(StatusCode, String);

impl Front {
    pub(crate) fn new(fleet: Arc<Fleet>, verifier: Option<Verifier>) -> Front {
        Front { fleet, verifier }
    }

    /// Serves until `shutdown` completes, then finishes what is in flight and ends all processes.
    pub(crate) async fn run(self, doors: Vec<Door>, shutdown: impl Future<Output = ()>) {
        let front = Arc::new(self);
        let (stop, stopping) = watch::channel(false);
        let places = Arc::new(Semaphore::new(PLACES));
        let (sender, mut accepted) = mpsc::channel(1);
        for door in doors {
            tokio::spawn(accept(door, sender.clone(), places.clone(), stopping.clone()));
        }
        drop(sender);
        let watch = tokio::spawn(front.fleet.clone().watch());
        let mut tasks = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(caller) = accepted.recv() => {
                    tasks.spawn(front.clone().converse(caller, stopping.clone()));
                }
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
        tracing::info!("stopping: no new connections; finishing what is in flight");
        let _ = stop.send(true);
        while let Some(caller) = accepted.recv().await {
            tasks.spawn(front.clone().converse(caller, stopping.clone()));
        }
        watch.abort();
        if timeout(FINISH, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!(left = tasks.len(), "some calls did not finish in time and are cancelled");
        }
        tasks.shutdown().await;
        front.fleet.end().await;
        tracing::info!("stopped");
    }

    /// One connection, until its end.
    async fn converse(self: Arc<Self>, caller: Accepted, mut stopping: watch::Receiver<bool>) {
        let Accepted { stream, place, .. } = caller;
        let (socket, gone) = Socket::watched(stream, TAKING);
        let service =
            service_fn(|request| async { Ok::<_, std::convert::Infallible>(self.respond(request).await) });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MAX_HEAD);
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(socket), service));
        let talk = async {
            let ended = tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(reason = %error, "a connection ended early");
            }
        };
        tokio::select! {
            biased;
            () = talk => {}
            // Dropping the connection drops the call.
            () = gone => tracing::debug!("a caller hung up"),
        }
        drop(place);
    }

    async fn respond(&self, request: Request<Incoming>) -> Answer {
        let begun = Instant::now();
        let title = title(request.uri().path());
        let mut execution = None;
        let answer = match &title {
            Some(title) => self.call(title, request, &mut execution).await,
            None => Err(Refused(
                StatusCode::NOT_FOUND,
                "functions are called at /NAME or /NAMESPACE/NAME".to_owned(),
            )),
        };
        let answer = answer.unwrap_or_else(refusal);
        tracing::info!(
            function = title.as_deref().unwrap_or("-"),
            status = answer.status().as_u16(),
            ms = begun.elapsed().as_millis() as u64,
            execution = execution.as_deref().unwrap_or("-"),
            "call"
        );
        answer
    }

    async fn call(
        &self,
        title: &str,
        request: Request<Incoming>,
        execution: &mut Option<String>,
    ) -> Result<Answer, Refused> {
        let claims = self.who(title, request.headers())?;
        *execution = claims.as_ref().and_then(|claims| claims.get("jti")?.as_str().map(str::to_owned));
        if ![Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(request.method())
        {
            let why = "functions are called with GET, POST, PUT, PATCH and DELETE";
            return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, why.to_owned()));
        }
        if request.body().size_hint().lower() > MAX_BODY as u64 {
            return Err(too_large());
        }
        let lease = self.fleet.lease(title).await.map_err(|why| match why {
            Refusal::Unknown => Refused(StatusCode::NOT_FOUND, format!("there is no function {title} here")),
            Refusal::Busy(why) => Refused(StatusCode::SERVICE_UNAVAILABLE, why),
            Refusal::Down(why) => Refused(StatusCode::BAD_GATEWAY, why),
        })?;
        let deadline = Instant::now() + lease.0.timeout;
        let mut unanswered = Unanswered(Some(lease.0.clone()));
        let outgoing = outgoing(request, claims.as_ref());
        let sent = timeout_at(deadline, send(&lease.0, outgoing)).await;
        let (answer, connection) = match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if is_too_large(&error) => return Err(too_large()),
            Ok(Err(error)) => {
                tracing::debug!(reason = %error, "function {title} did not answer");
                let why =
                    format!("function {title} ended before it answered: the log of its runtime says why");
                return Err(Refused(StatusCode::BAD_GATEWAY, why));
            }
            Err(_) => {
                let seconds = lease.0.timeout.as_secs();
                tracing::warn!("function {title} gave no answer within {seconds} s");
                let why = format!(
                    "function {title} gave no answer within {seconds} s (timeout_seconds in its settings file)"
                );
                return Err(Refused(StatusCode::GATEWAY_TIMEOUT, why));
            }
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let why = format!("function {title} wants another protocol, which is not supported");
            return Err(Refused(StatusCode::BAD_GATEWAY, why));
        }
        let (mut head, body) = answer.into_parts();
        drop_own(&mut head.headers);
        let unanswered = Unanswered(unanswered.0.take());
        let body = Passed {
            body,
            late: Box::pin(sleep_until(deadline)),
            unanswered,
            _lease: lease,
            _connection: connection,
        };
        Ok(Response::from_parts(head, body.boxed_unsync()))
    }

    /// The claims of the caller's token.
    fn who(&self, title: &str, headers: &HeaderMap) -> Result<Option<Map<String, Value>>, Refused> {
        let Some(verifier) = &self.verifier else { return Ok(None) };
        let refuse = |why: &str| Refused(StatusCode::UNAUTHORIZED, format!("not called: {why}"));
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else {
            return Err(refuse(
                "functions are called with the token that Postgres signs (Authorization: Bearer …)",
            ));
        };
        let token = given.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| refuse("the header Authorization holds no bearer token"))?;
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        verifier.check(token, title, now).map(Some).map_err(refuse)
    }
}

/// `hello` of `/hello`, `reports/daily` of `/reports/daily`.
fn title(path: &str) -> Option<String> {
    let path = path.strip_prefix('/')?;
    let mut names = path.split('/');
    let good = names.by_ref().take(2).all(is_name) && names.next().is_none();
    // One function has one path.
    (good && !path.starts_with("default/")).then(|| path.to_owned())
}

/// The request for the process.
fn outgoing(request: Request<Incoming>, claims: Option<&Map<String, Value>>) -> Request<Limited<Incoming>> {
    let (mut head, body) = request.into_parts();
    let given = head.headers.get("x-fluxbase-execution-id").cloned();
    drop_own(&mut head.headers);
    // The socket is named by nobody, and hyper wants a host.
    head.headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    let execution = match claims {
        Some(claims) => {
            claims.get("jti").and_then(Value::as_str).and_then(|text| HeaderValue::from_str(text).ok())
        }
        None => given,
    };
    if let Some(execution) = execution {
        head.headers.insert(HeaderName::from_static("x-fluxbase-execution-id"), execution);
    }
    if let Some(told) = claims.and_then(|claims| HeaderValue::from_str(&ascii(claims)).ok()) {
        head.headers.insert(HeaderName::from_static("x-fluxbase-claims"), told);
    }
    if let Some(path) = head.uri.path_and_query().cloned() {
        head.uri = path.into();
    }
    Request::from_parts(head, Limited::new(body, MAX_BODY))
}

/// JSON with all beyond ASCII escaped: headers are read as Latin-1.
fn ascii(claims: &Map<String, Value>) -> String {
    let text = serde_json::to_string(claims).unwrap_or_default();
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => plain.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    plain.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    plain
}

/// Takes out what is for one connection, what says who calls, and what only we may say.
fn drop_own(headers: &mut HeaderMap) {
    // The header Connection names others.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let ours = headers.keys().filter(|name| name.as_str().starts_with(OURS)).cloned();
    for name in named.into_iter().chain(ours.collect::<Vec<_>>()) {
        // Without it the body has no end.
        if name != header::CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    DROPPED.iter().for_each(|name| {
        headers.remove(*name);
    });
}

/// A connection of one request; dropping it hangs up.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn send<B>(process: &Process, request: Request<B>) -> Result<(Response<Incoming>, Connection), Error>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Error>,
{
    let stream = UnixStream::connect(&process.socket).await?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    let connection = Connection(
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(reason = %error, "a connection to a function ended early");
            }
        })
        .abort_handle(),
    );
    let answer = sender.send_request(request).await?;
    Ok((answer, connection))
}

/// A call. Its end without an answer makes somebody ask whether the process still reacts.
struct Unanswered(Option<Arc<Process>>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(process) = self.0.take().filter(|process| process.ended().is_none()) else { return };
        if process.asked.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(ask(process));
        }
    }
}

async fn ask(process: Arc<Process>) {
    let request =
        Request::builder().uri("/-/alive").header(header::HOST, "localhost").body(Empty::<Bytes>::new());
    let Ok(request) = request else { return };
    let mut reacts = timeout(REACT, send(&process, request)).await.is_ok_and(|sent| sent.is_ok());
    // One that is just ending answers nothing, either.
    reacts = reacts || timeout(ENDING, process.end()).await.is_ok();
    process.asked.store(false, Ordering::Release);
    if !reacts {
        tracing::error!("function {} does not react any more: its process is killed", process.title);
        process.stop();
    }
}

/// The body of an answer on its way to the caller.
struct Passed {
    body: Incoming,
    late: Pin<Box<Sleep>>,
    unanswered: Unanswered,
    _lease: Lease,
    _connection: Connection,
}

impl Body for Passed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the call took too long".into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.unanswered.0 = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn is_too_large(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn too_large() -> Refused {
    Refused(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {MAX_BODY} bytes"))
}

fn refusal(Refused(status, why): Refused) -> Answer {
    let body = Full::from(json!({ "error": why }).to_string()).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // What is still to come is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_names_and_nothing_else() {
        assert_eq!(title("/hello").as_deref(), Some("hello"));
        assert_eq!(title("/reports/daily").as_deref(), Some("reports/daily"));
        for path in [
            "/",
            "",
            "*",
            "hello",
            "//hello",
            "/hello/",
            "/a/b/c",
            "/..",
            "/../x",
            "/a/../b",
            "/%2e%2e/x",
            "/a%2fb",
            "/_shared",
            "/.x",
            "/a.ts",
            "/-/alive",
            "/default/hello",
            "/a\\b",
        ] {
            assert_eq!(title(path), None, "{path}");
        }
    }

    #[test]
    fn callers_cannot_say_who_they_are() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("x-fluxbase-claims", "{}"),
            ("x-fluxbase-else", "1"),
            ("connection", "x-mine, content-length"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("x-trace", "t"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        drop_own(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-trace"]);
    }

    #[test]
    fn claims_are_told_in_ascii() {
        let claims = Map::from_iter([("n".to_owned(), json!("ü😀\u{7f}\n"))]);
        let told = ascii(&claims);
        assert_eq!(told, "{\"n\":\"\\u00fc\\ud83d\\ude00\\u007f\\n\"}");
        assert_eq!(serde_json::from_str::<Map<String, Value>>(&told).unwrap(), claims);
    }
}
