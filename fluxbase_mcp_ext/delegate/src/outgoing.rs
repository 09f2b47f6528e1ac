//! The HTTP client.
//!
//! Invariants:
//! - What may be called is decided here, for each call, by [`Policy`]; what a name stands for is looked at in the very lookup
//!   that the connection is made with, so a name cannot stand for one address when it is checked and for another when it is called.
//! - No redirect is followed, no proxy of the environment is used, nothing is decompressed, no cookie is kept, nothing is
//!   sent twice.
//! - A reply is handed on in the parts in which it arrives, and ends with an error as soon as it is larger than was asked for.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, Response, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::Instant;

use crate::address;
use crate::failure::Failure;
use crate::message::{Call, HttpHead};
use crate::policy::{self, Policy, Trust};

/// Time for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that nobody used for so long is closed. Short, since a call that meets the other side closing it cannot be sent again.
const IDLE: Duration = Duration::from_secs(4);

/// Most bytes of a reply's head that are handed on.
const LARGEST_HEAD: usize = 64 * 1024;

/// A lookup under way.
pub type Looked = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// What finds the addresses of a name.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `name`, in the order in which they shall be tried.
    fn lookup(&self, name: &str) -> Looked;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Lookup for System {
    fn lookup(&self, name: &str) -> Looked {
        let name = name.to_owned();
        Box::pin(
            async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) },
        )
    }
}

/// A resolver as reqwest wants it; with `guarded` it hands out addresses of the internet only.
struct Resolver {
    lookup: Arc<dyn Lookup>,
    guarded: bool,
}

/// The error of a name that stands for addresses which must not be called.
#[derive(Debug)]
struct Forbidden(&'static str);

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name stands for {}", self.0)
    }
}

impl std::error::Error for Forbidden {}

/// The error of a name that stands for nothing.
#[derive(Debug)]
struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unknown {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.lookup.lookup(name.as_str());
        let guarded = self.guarded;
        Box::pin(async move {
            let found = found.await.map_err(|error| Unknown(error.to_string()))?;
            let mut refused = None;
            let mut usable = Vec::with_capacity(found.len());
            for address in found {
                match address::forbidden(address).filter(|_| guarded) {
                    Some(kind) => refused = Some(kind),
                    None => usable.push(SocketAddr::new(address, 0)),
                }
            }
            match refused {
                Some(kind) if usable.is_empty() => return Err(Forbidden(kind).into()),
                _ if usable.is_empty() => return Err(Unknown("it has no address".to_owned()).into()),
                _ => {}
            }
            let usable: Addrs = Box::new(usable.into_iter());
            Ok(usable)
        })
    }
}

/// Two clients that share nothing: one for the runtime, one for everybody else.
pub struct Outgoing {
    lookup: Arc<dyn Lookup>,
    runtime: Client,
    listed: Client,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outgoing")
    }
}

/// Authorities whose certificates are trusted beside those of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads a file of certificates in PEM (RFC 7468); anything else in it is passed over. No file, no authorities.
    ///
    /// # Errors
    /// A text for the log: it cannot be read, or there is no usable certificate in it.
    pub fn read(file: &str) -> Result<Authorities, String> {
        if file.is_empty() {
            return Ok(Authorities::default());
        }
        let told = |why: String| format!("mcp.worker_ca_file {file}: {why}");
        let text = std::fs::read(file).map_err(|error| told(words(&error)))?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let all = all.map_err(|error| told(format!("it is no PEM: {error}")))?;
        let mut roots = rustls::RootCertStore::empty();
        for (number, one) in (1..).zip(&all) {
            roots
                .add(one.clone())
                .map_err(|error| told(format!("certificate {number} cannot be used: {error}")))?;
        }
        if all.is_empty() {
            return Err(told("it holds no certificate (BEGIN CERTIFICATE)".to_owned()));
        }
        Ok(Authorities(all))
    }
}

fn tls(authorities: &Authorities) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    // A machine without authorities calls http only: https then fails with the name of the authority that is missing.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(authorities.0.iter().cloned());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn client(lookup: Arc<dyn Lookup>, guarded: bool, tls: rustls::ClientConfig) -> Result<Client, String> {
    ClientBuilder::new()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Resolver { lookup, guarded })
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(16)
        .user_agent(concat!("fluxbase_mcp_ext/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {}", deepest(&error)))
}

/// A client for an endpoint that the administrator configured, whatever its address is. It checks nothing itself.
///
/// # Errors
/// A text for the log.
pub(crate) fn unguarded(authorities: &Authorities) -> Result<Client, String> {
    client(Arc::new(System), false, tls(authorities)?)
}

/// The innermost text of an error: the outer ones repeat the URL.
pub(crate) fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    match inner.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request failed".to_owned(),
        None => words(inner),
    }
}

/// An error's own text, without the number of the system's, which says nothing that the words do not.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

pub(crate) fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        at = error.source();
    }
    None
}

/// Headers that frame the message or belong to the connection; the client makes them itself.
const OURS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn headers(call: &Call) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("{:?} is no name of a header", shortened(name)))?;
        if OURS.contains(&name.as_str()) {
            return Err(format!("the header {name} cannot be set: the client makes it itself"));
        }
        // The value may be a secret, so it is not repeated.
        let value = HeaderValue::from_str(value).map_err(|_| {
            format!("the value of the header {name} holds a character that no header can have")
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A reply whose head has arrived.
#[derive(Debug)]
pub struct Incoming {
    /// Its head.
    pub head: HttpHead,
    /// Bytes of the body, where the other side told.
    pub length: Option<u64>,
    response: Response,
    host: String,
    limit: u64,
    read: u64,
    until: Until,
}

/// When a call must have ended.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    at: Instant,
    total: Duration,
}

impl Until {
    /// `total` from now on.
    pub fn after(total: Duration) -> Until {
        Until { at: Instant::now() + total, total }
    }

    /// What `future` gives, unless the time is over first.
    pub async fn within<T>(self, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.at, future).await.ok()
    }

    pub(crate) fn failure(self, host: &str, sent: bool) -> Failure {
        let seconds = self.total.as_secs_f32().to_string();
        Failure::Time { host: host.to_owned(), seconds, sent }
    }
}

impl Outgoing {
    /// Sets up the clients.
    ///
    /// # Errors
    /// A text for the log.
    pub fn new(lookup: Arc<dyn Lookup>, authorities: &Authorities) -> Result<Outgoing, String> {
        let tls = tls(authorities)?;
        Ok(Outgoing {
            runtime: client(Arc::clone(&lookup), false, tls.clone())?,
            listed: client(Arc::clone(&lookup), true, tls)?,
            lookup,
        })
    }

    /// The same with other authorities. Its connections are its own: one that was trusted before is not used again.
    ///
    /// # Errors
    /// A text for the log.
    pub fn trusting(&self, authorities: &Authorities) -> Result<Outgoing, String> {
        Outgoing::new(Arc::clone(&self.lookup), authorities)
    }

    /// Makes a call, and comes back with the head of the reply.
    ///
    /// # Errors
    /// Any [`Failure`] of the outside.
    pub async fn begin(
        &self,
        call: &Call,
        body: Bytes,
        policy: &Policy,
        until: Until,
    ) -> Result<Incoming, Failure> {
        let malformed = |reason: String| Failure::Malformed { reason };
        let url = policy::parse(&call.url).map_err(malformed)?;
        let method = Method::from_bytes(call.method.as_bytes())
            .map_err(|_| malformed(format!("{:?} is no HTTP method", shortened(&call.method))))?;
        if matches!(method, Method::CONNECT | Method::TRACE) {
            return Err(malformed(format!("the method {method} is not sent")));
        }
        let headers = headers(call).map_err(malformed)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = match policy.judge(&url)? {
            Trust::Runtime => &self.runtime,
            Trust::Listed => {
                // An address that is written out is never resolved.
                if let Some(kind) = written_address(&url).and_then(address::forbidden) {
                    return Err(Failure::Address { host, kind: kind.to_owned() });
                }
                &self.listed
            }
        };
        let mut request = client.request(method, url).headers(headers);
        if !body.is_empty() {
            request = request.body(body);
        }
        let response = match tokio::time::timeout_at(until.at, request.send()).await {
            // Whether the connection stood already is not known.
            Err(_) => return Err(until.failure(&host, true)),
            Ok(Err(error)) => return Err(failure(&error, host)),
            Ok(Ok(response)) => response,
        };
        let head = head(&response).map_err(|limit| Failure::TooLarge { host: host.clone(), limit })?;
        let length = response.content_length();
        if length.is_some_and(|length| length > call.max_response) {
            return Err(Failure::TooLarge { host, limit: call.max_response });
        }
        Ok(Incoming { head, length, response, host, limit: call.max_response, read: 0, until })
    }
}

impl Incoming {
    /// The next part of the body; `None` at its end.
    ///
    /// # Errors
    /// The reply broke off, was too large, or too slow.
    pub async fn next_part(&mut self) -> Result<Option<Bytes>, Failure> {
        let part = match tokio::time::timeout_at(self.until.at, self.response.chunk()).await {
            Err(_) => return Err(self.until.failure(&self.host, true)),
            Ok(Err(error)) => {
                return Err(Failure::Broken { host: self.host.clone(), reason: deepest(&error) });
            }
            Ok(Ok(part)) => part,
        };
        self.read += part.as_ref().map_or(0, |part| part.len() as u64);
        if self.read > self.limit {
            return Err(Failure::TooLarge { host: self.host.clone(), limit: self.limit });
        }
        Ok(part)
    }
}

fn written_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn head(response: &Response) -> Result<HttpHead, u64> {
    let mut size = 0;
    let headers = response.headers().iter().map(|(name, value)| {
        size += name.as_str().len() + value.len() + 4;
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let head = HttpHead { status: response.status().as_u16(), headers: headers.collect() };
    if size > LARGEST_HEAD { Err(LARGEST_HEAD as u64) } else { Ok(head) }
}

fn failure(error: &reqwest::Error, host: String) -> Failure {
    if let Some(Forbidden(kind)) = find(error) {
        return Failure::Address { host, kind: (*kind).to_owned() };
    }
    if let Some(Unknown(reason)) = find(error) {
        return Failure::Name { host, reason: reason.clone() };
    }
    if error.is_builder() {
        return Failure::Malformed { reason: deepest(error) };
    }
    let reason = deepest(error);
    if error.is_connect() {
        return Failure::Unreachable { host, reason };
    }
    Failure::Broken { host, reason }
}
