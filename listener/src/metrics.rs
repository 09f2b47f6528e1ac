//! `/metrics`: what the listener counts, as text for Prometheus (OpenMetrics 1.0), on an address of its own.
//!
//! Made with prometheus-client: it needs three small crates, where metrics with metrics-exporter-prometheus brings a dozen and more, and a
//! recorder that is global to the process. While `listener.metrics` is not set there is no [`Metrics`], and a request costs
//! nothing more than to see that.
//!
//! Invariants:
//! - No label holds a key's id, an address, or anything that a client can choose freely: a tool's name is a label once Postgres has
//!   answered a call of it with a result, and for the first [`TOOLS`] names only; every other one is `other`.
//! - Nothing waits: a scrape reads atomics and takes locks that are held for moments.
//!
//! It answers `GET /metrics` and knows no keys: bind it where only the scraper comes.

mod worker;

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::accept::{Accepted, Door, accept};
use crate::limiter::Limiter;
use crate::origin::Allowed;
use crate::pool::Pool;
use crate::reply::{Content, Reply};
use crate::socket::Socket;

/// Names of tools that become labels.
const TOOLS: usize = 200;
/// Upper ends of the classes of duration, in seconds.
const DURATIONS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Scrapers at the same time.
const SCRAPERS: usize = 16;
/// Time for a scraper's request, with the idle time of a kept connection.
const HEAD: Duration = Duration::from_secs(90);
/// How long a scraper may take nothing of its answer.
const TAKING: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    tool: Arc<str>,
    status: &'static str,
    rpc: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    method: &'static str,
    tool: Arc<str>,
}

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    rate_limited: Counter,
    streams: Gauge,
    connections: Gauge,
    tools: RwLock<HashSet<Arc<str>>>,
    /// The delegate worker, once somebody watches it.
    pub(crate) worker: worker::Worker,
}

impl Metrics {
    pub(crate) fn new(pool: Arc<Pool>, limiter: Arc<Limiter>) -> Arc<Metrics> {
        let mut registry = Registry::with_prefix("fluxbase");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that is running", build);
        let requests = Family::<Labels, Counter>::default();
        registry.register(
            "requests",
            "Requests that were answered, or given up by their client (status 499)",
            requests.clone(),
        );
        let durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATIONS));
        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to the end of its call",
            Unit::Seconds,
            durations.clone(),
        );
        let rate_limited = Counter::default();
        registry.register("rate_limited", "Requests above the limit of their key", rate_limited.clone());
        let streams = Gauge::default();
        registry.register(
            "streams_open",
            "Answers that are being sent as streams of events",
            streams.clone(),
        );
        let connections = Gauge::default();
        registry.register("connections_open", "Connections of clients", connections.clone());
        let worker = worker::Worker::default();
        registry.register_collector(Box::new(Elsewhere { pool, limiter, worker: worker.clone() }));
        let tools = RwLock::default();
        Arc::new(Metrics { registry, requests, durations, rate_limited, streams, connections, tools, worker })
    }

    /// Begins a request.
    pub(crate) fn measure(self: &Arc<Self>) -> Measure {
        Measure {
            metrics: self.clone(),
            start: Instant::now(),
            method: "-",
            tool: None,
            status: AtomicU16::new(0),
            rpc: AtomicU8::new(0),
        }
    }

    /// Counts a client's connection until it is dropped.
    pub(crate) fn connection(&self) -> Open {
        Open::new(&self.connections)
    }

    /// The label for a tool's name. `known`: Postgres has answered a call of it with a result.
    fn label(&self, name: &str, known: bool) -> Arc<str> {
        if let Some(label) = self.tools.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return label.clone();
        }
        if known {
            let mut tools = self.tools.write().unwrap_or_else(PoisonError::into_inner);
            if tools.len() < TOOLS {
                let label: Arc<str> = name.into();
                tools.insert(label.clone());
                return label;
            }
        }
        "other".into()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

/// What others count.
struct Elsewhere {
    pool: Arc<Pool>,
    limiter: Arc<Limiter>,
    worker: worker::Worker,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere").finish_non_exhaustive()
    }
}

impl Collector for Elsewhere {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let pool = self.pool.figures();
        let limiter = &self.limiter;
        let (wrong, turned_away) =
            (limiter.wrong.load(Ordering::Relaxed), limiter.turned_away.load(Ordering::Relaxed));
        for (name, help, value) in [
            ("pool_places", "Calls that can run in Postgres at the same time", pool.places),
            ("pool_in_use", "Places of the pool that are taken", pool.in_use),
            ("pool_waiting", "Calls that wait for a place of the pool", pool.waiting),
        ] {
            let gauge = ConstGauge::new(value as i64);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for (name, help, value) in [
            ("pool_connections_opened", "Connections to Postgres that were opened", pool.opened),
            ("pool_connect_failures", "Attempts to connect to Postgres that failed", pool.failed),
            ("wrong_keys", "Requests with a key that is malformed or that Postgres refused", wrong),
            (
                "guesses_turned_away",
                "Requests turned away since their address sent too many wrong keys",
                turned_away,
            ),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        self.worker.encode(&mut encoder)
    }
}

/// What the body of an answer is.
const RESULT: u8 = 1;
const ERROR: u8 = 2;

/// One request. It is counted when this is dropped; without a status its client went away.
pub(crate) struct Measure {
    metrics: Arc<Metrics>,
    start: Instant,
    /// The word for the log.
    pub(crate) method: &'static str,
    /// The tool that is called, as the client wrote it.
    pub(crate) tool: Option<String>,
    status: AtomicU16,
    rpc: AtomicU8,
}

impl Measure {
    /// Notes the answer of the database. Its JSON has a fixed beginning (see the crate `protocol`); no more of it is looked at.
    pub(crate) fn answered(&self, body: Option<&[u8]>) {
        let begins = |with: &str| body.is_some_and(|body| body.starts_with(with.as_bytes()));
        let rpc = match () {
            () if begins(r#"{"jsonrpc":"2.0","result""#) => RESULT,
            () if begins(r#"{"jsonrpc":"2.0","error""#) => ERROR,
            () => 0,
        };
        self.rpc.store(rpc, Ordering::Relaxed);
    }

    /// Notes the status of the answer.
    pub(crate) fn ended(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        let (status, rpc) = (self.status.load(Ordering::Relaxed), self.rpc.load(Ordering::Relaxed));
        let tool = match &self.tool {
            Some(name) => self.metrics.label(name, rpc == RESULT),
            None => "".into(),
        };
        if status == 429 && rpc == ERROR {
            self.metrics.rate_limited.inc();
        }
        let status = match status {
            0 => "499",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        let rpc = match rpc {
            RESULT => "result",
            ERROR => "error",
            _ => "none",
        };
        let duration = self.start.elapsed().as_secs_f64();
        let method = self.method;
        self.metrics
            .durations
            .get_or_create(&DurationLabels { method, tool: tool.clone() })
            .observe(duration);
        self.metrics.requests.get_or_create(&Labels { method, tool, status, rpc }).inc();
    }
}

/// One of what a gauge counts.
pub(crate) struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Open {
        gauge.inc();
        Open(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The body of an answer; a stream is counted for as long as it is sent.
pub(crate) struct Counted {
    content: Content,
    _open: Option<Open>,
}

/// Counts a reply that is a stream.
pub(crate) fn counted(reply: Reply, metrics: Option<&Arc<Metrics>>) -> Response<Counted> {
    reply.map(|content| {
        let stream = !matches!(content, Content::Whole(_));
        let open = metrics.filter(|_| stream).map(|metrics| Open::new(&metrics.streams));
        Counted { content, _open: open }
    })
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.get_mut().content).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

/// Answers scrapers until the process is told to end.
pub(crate) async fn serve(
    door: Door,
    metrics: Arc<Metrics>,
    allowed: Allowed,
    stopping: watch::Receiver<bool>,
) {
    let (sender, mut accepted) = mpsc::channel(1);
    tokio::spawn(accept(door, sender, Arc::new(Semaphore::new(SCRAPERS)), stopping));
    let allowed = Arc::new(allowed);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_header_size(8 * 1024);
    while let Some(Accepted { stream, ends, place }) = accepted.recv().await {
        let (metrics, allowed, http) = (metrics.clone(), allowed.clone(), http.clone());
        let loopback = ends.server.ip().to_canonical().is_loopback();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                std::future::ready(Ok::<_, Infallible>(scrape(&request, &metrics, &allowed, loopback)))
            });
            let (socket, gone) = Socket::watched(stream, TAKING);
            tokio::select! {
                _ = http.serve_connection(TokioIo::new(socket), service) => {}
                () = gone => {}
            }
            drop(place);
        });
    }
}

fn scrape(
    request: &Request<Incoming>,
    metrics: &Metrics,
    allowed: &Allowed,
    loopback: bool,
) -> Response<Full<Bytes>> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        // A page in a browser on the same machine could read what it finds on loopback.
        _ if allowed.check(request.headers(), loopback).is_err() => {
            (StatusCode::FORBIDDEN, "text/plain", "Host or Origin is not allowed.\n".to_owned())
        }
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", metrics.text())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "Only GET /metrics is here.\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Arc<Metrics> {
        let target =
            crate::Target::from_parts(Some("postgres://u@127.0.0.1:1/d"), &|_| None).expect("a target");
        Metrics::new(Pool::new(target, 3, 2, Duration::from_millis(10)), Arc::new(Limiter::new()))
    }

    fn call(metrics: &Arc<Metrics>, tool: &str, status: u16, body: &str) {
        let mut measure = metrics.measure();
        measure.method = "tools/call";
        measure.tool = Some(tool.to_owned());
        measure.answered(Some(body.as_bytes()));
        measure.ended(status);
    }

    const GOOD: &str = r#"{"jsonrpc":"2.0","result":{},"id":1}"#;
    const BAD: &str = r#"{"jsonrpc":"2.0","error":{},"id":1}"#;

    #[test]
    fn a_request_is_counted_once_when_it_ends() {
        let metrics = metrics();
        call(&metrics, "a\"b", 200, GOOD);
        call(&metrics, "a\"b", 200, BAD);
        call(&metrics, "a\"b", 429, BAD);
        drop(metrics.measure());
        let text = metrics.text();
        for line in [
            r#"fluxbase_requests_total{method="tools/call",tool="a\"b",status="2xx",rpc="result"} 1"#,
            r#"fluxbase_requests_total{method="tools/call",tool="a\"b",status="2xx",rpc="error"} 1"#,
            r#"fluxbase_requests_total{method="tools/call",tool="a\"b",status="4xx",rpc="error"} 1"#,
            r#"fluxbase_requests_total{method="-",tool="",status="499",rpc="none"} 1"#,
            r#"fluxbase_request_duration_seconds_count{method="tools/call",tool="a\"b"} 3"#,
            "fluxbase_rate_limited_total 1",
            "fluxbase_pool_places 5",
            "fluxbase_pool_in_use 0",
            "fluxbase_wrong_keys_total 0",
            concat!(r#"fluxbase_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_number_of_labels_is_bounded_whatever_clients_send() {
        let metrics = metrics();
        for n in 0..1000 {
            call(&metrics, &format!("made_up_{n}"), 200, BAD);
        }
        assert!(!metrics.text().contains("made_up"), "a name that Postgres does not know is no label");
        for n in 0..1000 {
            call(&metrics, &format!("real_{n}"), 200, GOOD);
        }
        let text = metrics.text();
        assert!(text.contains(r#"tool="real_199""#) && !text.contains(r#"tool="real_200""#));
        let other =
            r#"fluxbase_requests_total{method="tools/call",tool="other",status="2xx",rpc="result"} 800"#;
        assert!(text.contains(other), "{text}");
    }

    #[test]
    fn what_is_open_is_counted_until_it_is_dropped() {
        let metrics = metrics();
        let first = metrics.connection();
        let second = metrics.connection();
        drop(first);
        assert!(metrics.text().contains("fluxbase_connections_open 1\n"));
        drop(second);
        assert!(metrics.text().contains("fluxbase_connections_open 0\n"));
    }
}
