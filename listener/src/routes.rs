//! From an HTTP request to its answer: the order of the checks, each cheaper than the next.
//!
//! Path, method, Host and Origin, content type, announced length, key, wrong-key limit, body, text; then one call of
//! `mcp._serve`. Until the last step nothing reaches Postgres. Every request leaves one line in the log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use fluxbase_credential::Key;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, EXPECT, HeaderMap};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::body::{BodyError, Bounds, swallow};
use crate::call::{self, Call};
use crate::config::Config;
use crate::cors::{self, Cors};
use crate::credentials::{self, Refusal};
use crate::events::{self, Notices};
use crate::health::Health;
use crate::ids::Ids;
use crate::limiter::Limiter;
use crate::log_line::LogLine;
use crate::message::{self, Peek};
use crate::metrics::{Measure, Metrics};
use crate::origin::Allowed;
use crate::pool::{Lane, Pool};
use crate::refused::{Refused, Why};
use crate::replicas::{self, Replicas};
use crate::reply::{self, Reply, code};
use crate::running::{Name, Running};
use crate::subscriptions::Subscriptions;
use crate::transport::{self, Transport};

/// Without a usable key, at most this much of a body is read, for the id in the refusal.
const WITHOUT_KEY: usize = 64 * 1024;

/// The header that names the protocol's revision, and the one revision in which a client cancels by hanging up.
const VERSION: &str = "mcp-protocol-version";
const MODERN: &[u8] = b"2026-07-28";

/// Everything that requests share.
pub(crate) struct Routes {
    config: Config,
    health_path: String,
    allowed: Allowed,
    bounds: Bounds,
    limiter: Arc<Limiter>,
    refusals: Arc<Refused>,
    cors: Cors,
    metrics: Option<Arc<Metrics>>,
    pool: Arc<Pool>,
    replicas: Replicas,
    health: Health,
    transport: Transport,
    running: Arc<Running>,
    subscriptions: Arc<Subscriptions>,
    ids: Ids,
}

/// A request that passed the listener's checks.
struct Asked {
    peek: Peek,
    key: Key,
    credential: String,
    transport: String,
    client: IpAddr,
    reference: String,
    /// Whether the headers name a revision in which a client cancels by hanging up.
    modern: bool,
    measure: Option<Measure>,
}

impl Asked {
    /// The id by which a notification may name this call: what may be slow, in a revision with such notifications.
    fn can_be_cancelled(&self) -> Option<String> {
        let may = !self.modern && self.peek.lane() == Lane::General && self.peek.id != "null";
        may.then(|| message::plain(&self.peek.id)).flatten()
    }
}

/// The two ends of a client connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

impl Routes {
    pub(crate) fn new(config: Config, pool: Arc<Pool>) -> Routes {
        let http = &config.listener;
        let limiter = Arc::new(Limiter::new());
        Routes {
            health_path: format!("{}/health", config.mcp.base_path),
            allowed: Allowed {
                hosts: http.allowed_hosts.clone(),
                // Whose pages may read answers may of course send requests.
                origins: [&http.allowed_origins[..], &http.cors_origins].concat(),
            },
            cors: Cors::new(&http.cors_origins),
            metrics: http.metrics.is_some().then(|| Metrics::new(pool.clone(), limiter.clone())),
            bounds: Bounds::new(config.mcp.max_message_size, config.listener.body_timeout),
            limiter,
            refusals: Arc::default(),
            health: Health::new(pool.target().clone()),
            running: Arc::default(),
            subscriptions: Arc::new(Subscriptions::new(pool.target().clone(), config.listener.max_streams)),
            replicas: Replicas::start(&config.listener, pool.target()),
            pool,
            transport: Transport::new(&config.mcp, config.listener.read_only),
            ids: Ids::new(),
            config,
        }
    }

    /// The standbys.
    pub(crate) fn replicas(&self) -> &Replicas {
        &self.replicas
    }

    /// The state of the whole chain, for the start of the process.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// The open streams.
    pub(crate) fn subscriptions(&self) -> &Arc<Subscriptions> {
        &self.subscriptions
    }

    /// What is refused without Postgres.
    pub(crate) fn refusals(&self) -> &Arc<Refused> {
        &self.refusals
    }

    /// What is counted, if anything is.
    pub(crate) fn metrics(&self) -> Option<&Arc<Metrics>> {
        self.metrics.as_ref()
    }

    /// Which hosts and origins may call.
    pub(crate) fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Answers one request.
    pub(crate) async fn respond(self: &Arc<Self>, request: Request<Incoming>, ends: Ends) -> Reply {
        let mut line = LogLine::new(self.ids.next(), self.config.listener.access_log);
        line.measure = self.metrics.as_ref().map(Metrics::measure);
        let origin = self.cors.origin(request.headers());
        let mut reply = if origin.is_some() && cors::is_preflight(&request) {
            self.preflight(&request, ends, &mut line)
        } else {
            self.route(request, ends, &mut line).await
        };
        self.cors.open(&mut reply, origin);
        reply::request_id(&mut reply, &line.id);
        line.status = Some(reply.status().as_u16());
        reply
    }

    async fn route(self: &Arc<Self>, request: Request<Incoming>, ends: Ends, line: &mut LogLine) -> Reply {
        let path = request.uri().path();
        let base = self.config.mcp.base_path.as_str();
        if path == self.health_path {
            line.quiet = true;
            line.label = "health";
            return match *request.method() {
                Method::GET | Method::HEAD => self.healthy().await,
                _ => reply::method_not_allowed("GET, HEAD", "The health check is read with GET."),
            };
        }
        if path.strip_suffix('/').unwrap_or(path) == base {
            return match *request.method() {
                Method::POST => self.message(request, ends, line).await,
                _ => reply::method_not_allowed(
                    "POST",
                    "MCP is spoken here with POST, one JSON-RPC message in each request. There are no sessions and no \
                     streams to open with GET.",
                ),
            };
        }
        line.label = "not found";
        self.not_found(request.method(), path)
    }

    /// A browser asks for a page of an allowed origin whether it may call.
    fn preflight(&self, request: &Request<Incoming>, ends: Ends, line: &mut LogLine) -> Reply {
        let path = request.uri().path();
        line.label = "preflight";
        if path.strip_suffix('/').unwrap_or(path) != self.config.mcp.base_path {
            return self.not_found(request.method(), path);
        }
        match self.allowed.check(request.headers(), ends.server.ip().to_canonical().is_loopback()) {
            Ok(()) => cors::preflight(request.headers()),
            Err(why) => reply::error(StatusCode::FORBIDDEN, code::INVALID, &why, "null"),
        }
    }

    async fn healthy(&self) -> Reply {
        let finding = self.health.check().await;
        let status = if finding.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        reply::with_body(status, "application/json", finding.body)
    }

    /// Hosts show these texts to their users, who may wonder why a login was tried.
    fn not_found(&self, method: &Method, path: &str) -> Reply {
        let endpoint = if self.config.mcp.base_path.is_empty() { "/" } else { &self.config.mcp.base_path };
        let key = "this server has no OAuth and no registration; it takes a key. Set the header X-Client-Key: fbk_… (or \
                   Authorization: Bearer fbk_…) in your MCP client. A key is made with: fluxbase clientkeys create";
        if path.starts_with("/.well-known/") {
            let body = Value::from(format!("Not found: {key}"));
            return reply::with_body(
                StatusCode::NOT_FOUND,
                "application/json",
                format!(r#"{{"error":"not_found","error_description":{body}}}"#),
            );
        }
        let text = if method == Method::POST && path == "/register" {
            format!("No key, or not the right one: {key}\n")
        } else {
            format!("Not found. MCP is at POST {endpoint}, the health check at GET {}.\n", self.health_path)
        };
        reply::with_body(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text)
    }

    async fn message(self: &Arc<Self>, request: Request<Incoming>, ends: Ends, line: &mut LogLine) -> Reply {
        let (head, body) = request.into_parts();
        let headers = &head.headers;
        // A client that waits for "100 Continue" has not begun to send, so there is nothing to read away.
        let refuse = |reply: Reply, body: Incoming| {
            if headers.contains_key(EXPECT) {
                let mut reply = reply;
                reply::close(&mut reply);
                return reply;
            }
            tokio::spawn(swallow(body));
            reply
        };
        if let Err(why) = self.allowed.check(headers, ends.server.ip().to_canonical().is_loopback()) {
            self.refusals.count(Why::Host, ends.client.ip());
            return refuse(reply::error(StatusCode::FORBIDDEN, code::INVALID, &why, "null"), body);
        }
        if !is_json(headers) {
            let why = "The Content-Type must be application/json. Nothing was done.";
            return refuse(
                reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::INVALID, why, "null"),
                body,
            );
        }
        if self.bounds.refuses(&body) {
            return refuse(self.too_large(), body);
        }
        let address = ends.client.ip();
        let key = match credentials::find(headers) {
            Ok(key) => key,
            Err(refusal) => return self.refused(refusal, body, address, line).await,
        };
        line.key = Some(key.id().to_owned());
        let credential = key.credential();
        if let Err(seconds) = self.limiter.check(address, Some(&credential), Instant::now()) {
            self.refusals.count(Why::TooManyWrong, address);
            return refuse(too_many_wrong_keys("null", seconds), body);
        }
        let message = match self.bounds.read(body).await {
            Ok(message) => message,
            Err(error) => return self.unreadable(error),
        };
        let Ok(text) = std::str::from_utf8(&message.bytes) else {
            return not_text("The body is not UTF-8. Nothing was done.");
        };
        if message.bytes.contains(&0) {
            return not_text("The body holds a NUL byte, which is not allowed in JSON. Nothing was done.");
        }
        let peek = Peek::at(text);
        line.label = peek.label();
        let transport = self.transport.of(headers, ends.client.ip());
        let mut measure = line.measure.take();
        if let Some(measure) = &mut measure {
            measure.method = line.label;
            measure.tool = peek.may_tell().then(|| message::tool(text)).flatten();
        }
        let asked = Asked {
            peek,
            key,
            credential,
            transport,
            client: ends.client.ip(),
            reference: line.id.clone(),
            modern: headers.get(VERSION).is_some_and(|version| version.as_bytes() == MODERN),
            measure,
        };
        let listens = asked.peek.listens();
        let streams = takes_events(headers) && (listens || asked.peek.may_tell());
        // Boxed, here and below: a call is large, and hyper and the streams move what holds it, several times, while it has not begun.
        if !streams {
            return Box::pin(self.ask(text, &asked, &asked.transport, None)).await;
        }
        // A stream begins before the call has ended, so the call owns what it needs: the message with its share of memory, too.
        let (sender, notices) = mpsc::channel(events::WAITING);
        let routes = Arc::clone(self);
        let call = async move {
            let Ok(text) = std::str::from_utf8(&message.bytes) else {
                return not_text("The body is not UTF-8. Nothing was done.");
            };
            if listens {
                return Box::pin(routes.listen(text, &asked, sender)).await;
            }
            Box::pin(routes.ask(text, &asked, &asked.transport, Some(sender))).await
        };
        events::answer(call, notices).await
    }

    /// A stream of what changes: the same request again and again, each time with what the stream has seen.
    async fn listen(&self, text: &str, asked: &Asked, notices: Notices) -> Reply {
        let look = |seen: String| async move {
            let transport = transport::watching(&asked.transport, &seen);
            self.ask(text, asked, &transport, None).await
        };
        let lifetime = self.config.mcp.session_timeout;
        let subscriptions = self.subscriptions.clone();
        subscriptions.listen(asked.key.id(), &asked.peek.id, lifetime, notices, look).await
    }

    async fn ask(&self, text: &str, asked: &Asked, transport: &str, notices: Option<Notices>) -> Reply {
        let Asked { peek, key, credential, client, reference, measure, .. } = asked;
        let limits = &self.config.listener;
        let name = |id: &str| Name { key: key.id().to_owned(), client: *client, id: id.to_owned() };
        let ticket = asked.can_be_cancelled().map(|id| self.running.enter(name(&id)));
        let call = Call {
            message: text,
            credential,
            transport,
            lane: peek.lane(),
            repeatable: peek.repeatable(),
            deadline: limits.deadline,
            reference,
            notices,
            stop: ticket.as_ref().map(|ticket| &*ticket.stop),
        };
        let way = replicas::Asked { method: peek.method, key: key.id() };
        match self.replicas.call(&self.pool, &call, way).await {
            Ok(answer) => {
                let now = Instant::now();
                if let Some(measure) = measure {
                    measure.answered(answer.body.as_deref());
                    measure.ended(answer.status);
                }
                if answer.status == 401 {
                    tracing::debug!(request = reference, key = key.id(), "Postgres refused the key");
                    self.limiter.refused(credential);
                    self.limiter.failed(*client, now);
                } else {
                    self.limiter.accepted(credential, now);
                }
                // Only once Postgres has taken the key.
                if answer.status == 202
                    && let Some(id) = &peek.cancels
                    && !asked.modern
                {
                    let found = self.running.cancel(&name(id));
                    tracing::debug!(request = reference, found, "a client cancels a call");
                }
                respond_with(answer)
            }
            Err(failure) => {
                let (status, message) =
                    failure.told(!peek.repeatable(), limits.deadline, limits.statement_timeout, reference);
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                if let Some(measure) = measure {
                    measure.ended(status.as_u16());
                }
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    return reply::later(status, code::INTERNAL, &message, &peek.id, 1);
                }
                reply::error(status, code::INTERNAL, &message, &peek.id)
            }
        }
    }

    /// A request without a usable key. Its body is read only for the id.
    async fn refused(&self, refusal: Refusal, body: Incoming, address: IpAddr, line: &mut LogLine) -> Reply {
        let now = Instant::now();
        if matches!(refusal, Refusal::Wrong(..)) {
            if let Err(seconds) = self.limiter.check(address, None, now) {
                self.refusals.count(Why::TooManyWrong, address);
                tokio::spawn(swallow(body));
                return too_many_wrong_keys("null", seconds);
            }
            self.limiter.failed(address, now);
        }
        self.refusals.count(Why::Malformed, address);
        let peek = match self.bounds.read_up_to(body, WITHOUT_KEY.min(self.config.mcp.max_message_size)).await
        {
            Ok(message) => std::str::from_utf8(&message.bytes).map_or_else(|_| Peek::nothing(), Peek::at),
            Err(_) => Peek::nothing(),
        };
        line.label = peek.label();
        match refusal {
            Refusal::Several => {
                reply::error(StatusCode::BAD_REQUEST, code::UNAUTHORIZED, &refusal.message(), &peek.id)
            }
            _ => reply::unauthorized(&refusal.message(), &peek.id),
        }
    }

    fn too_large(&self) -> Reply {
        let most = self.config.mcp.max_message_size;
        let why = format!("The message is larger than max_message_size ({most} bytes). Nothing was done.");
        reply::error(StatusCode::PAYLOAD_TOO_LARGE, code::INVALID, &why, "null")
    }

    fn unreadable(&self, error: BodyError) -> Reply {
        let mut reply = match error {
            BodyError::TooLarge => self.too_large(),
            BodyError::TooSlow => {
                let why = "The body did not arrive in time. Nothing was done.";
                reply::error(StatusCode::REQUEST_TIMEOUT, code::INVALID, why, "null")
            }
            BodyError::Broken => {
                let why = "The body could not be read. Nothing was done.";
                reply::error(StatusCode::BAD_REQUEST, code::PARSE, why, "null")
            }
        };
        reply::close(&mut reply);
        reply
    }
}

fn respond_with(answer: call::Answer) -> Reply {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = match answer.body {
        Some(body) => reply::with_body(status, "application/json", body),
        None => reply::empty(status),
    };
    if status == StatusCode::UNAUTHORIZED {
        reply::challenge(&mut reply);
    }
    if let Some(seconds) = answer.retry_after {
        reply::retry_after(&mut reply, seconds);
    }
    reply
}

fn not_text(why: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, code::PARSE, why, "null")
}

fn too_many_wrong_keys(id: &str, seconds: u32) -> Reply {
    let why = format!(
        "Too many wrong keys from this address. Wait {seconds} seconds, and send a key that is right. Nothing was done."
    );
    reply::later(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, &why, id, seconds)
}

/// `application/json`, once, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    text.split(';').next().is_some_and(|mime| mime.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether the client can read a stream of events.
fn takes_events(headers: &HeaderMap) -> bool {
    let named =
        |value: &str| value.split(',').any(|range| range.split(';').next().is_some_and(is_event_range));
    headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(named))
}

fn is_event_range(range: &str) -> bool {
    range.trim().eq_ignore_ascii_case("text/event-stream")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn routes(yaml: &str) -> Routes {
        let config = Config::from_parts(Some((std::path::Path::new("test.yaml"), yaml)), &|_| None)
            .expect("the test's settings");
        let target =
            crate::Target::from_parts(Some("postgres://u@127.0.0.1:1/d"), &|_| None).expect("a target");
        Routes::new(config, Pool::new(target, 1, 1, Duration::from_millis(10)))
    }

    #[test]
    fn content_types() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json ;x=y", true),
            ("text/plain", false),
            ("application/jsonp", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(is_json(&headers), json, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn other_paths_say_where_to_go() {
        let routes = routes("mcp: {base_path: /x}");
        for (method, path, mime) in [
            (Method::POST, "/register", "text/plain; charset=utf-8"),
            (Method::GET, "/.well-known/oauth-protected-resource/mcp", "application/json"),
            (Method::GET, "/", "text/plain; charset=utf-8"),
        ] {
            let reply = routes.not_found(&method, path);
            assert_eq!(reply.status(), StatusCode::NOT_FOUND);
            assert_eq!(reply.headers()[CONTENT_TYPE], mime, "{path}");
        }
    }
}
