//! A real HTTP server that behaves as its path says, a worker's server on a real socket, and a client of it.
#![allow(dead_code)]

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fluxbase_delegate::client::{self, Assembler, Broken, Said};
use fluxbase_delegate::outgoing::{Looked, Lookup, System};
use fluxbase_delegate::{
    Answer, Call, Failure, Id, Limits, Policy, Reply, Request, Server, Status, Work, socket,
};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

/// Generous: a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the HTTP server saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: AtomicUsize,
    /// Requests that are being served at this moment.
    pub open: AtomicUsize,
}

/// The HTTP server.
pub struct Web {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

struct Open(Arc<Seen>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A body of `left` bytes in parts of `part`; without an end when it stalls.
struct Parts {
    left: usize,
    part: usize,
    stalls: bool,
    whole: Bytes,
    _open: Open,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.whole.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.whole)))));
        }
        if self.left == 0 {
            return if self.stalls { Poll::Pending } else { Poll::Ready(None) };
        }
        let size = self.part.min(self.left);
        self.left -= size;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; size])))))
    }
}

impl Web {
    pub async fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&all);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
                    _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Web { address, seen }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// Waits until as many requests are open.
    pub async fn until_open(&self, number: usize) {
        eventually("as many open requests", || self.seen.open.load(Ordering::SeqCst) == number).await;
    }
}

/// Waits for something that must come.
pub async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !is() {
        assert!(tokio::time::Instant::now() < until, "{what}: it did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// `/echo`, `/bytes/N`, `/unsized/N` (no length), `/dribble/N` (a byte at a time), `/stall/N` (then nothing), `/hang` (no head),
/// `/redirect`, `/bomb` (gzip), `/status/N`, `/headers/N` (a header of N bytes).
async fn answer(request: hyper::Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Parts>, Infallible> {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    seen.open.fetch_add(1, Ordering::SeqCst);
    let open = Open(seen);
    let path = request.uri().path().to_owned();
    let mut words = path.trim_start_matches('/').split('/');
    let (what, number) = (words.next().unwrap_or(""), words.next().and_then(|n| n.parse::<usize>().ok()));
    let mut response = Response::new(());
    let mut body = Parts { left: 0, part: 16 * 1024, stalls: false, whole: Bytes::new(), _open: open };
    match what {
        "echo" => {
            let line = format!("{} {}", request.method(), request.uri());
            let mut headers: Vec<String> =
                request.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
            headers.sort();
            let sent = request.into_body().collect().await.unwrap().to_bytes();
            body.whole =
                format!("{line}\n{}\n\n{}", headers.join("\n"), String::from_utf8_lossy(&sent)).into();
        }
        "bytes" => {
            body.left = number.unwrap();
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.left));
        }
        "unsized" => body.left = number.unwrap(),
        "dribble" => (body.left, body.part) = (number.unwrap(), 1),
        "stall" => (body.left, body.stalls) = (number.unwrap(), true),
        "hang" => std::future::pending().await,
        "redirect" => {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert("location", HeaderValue::from_static("/echo"));
        }
        "bomb" => {
            response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
            body.whole = Bytes::from_static(BOMB);
        }
        "status" => *response.status_mut() = StatusCode::from_u16(number.unwrap() as u16).unwrap(),
        "headers" => {
            let value = HeaderValue::from_str(&"h".repeat(number.unwrap())).unwrap();
            response.headers_mut().insert("x-large", value);
        }
        other => panic!("no such path: {other}"),
    }
    Ok(response.map(|()| body))
}

/// The beginning of a gzip stream of zeros.
pub const BOMB: &[u8] =
    &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xed, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xfe, 0xaf, 0x6e];

/// Addresses for names, one answer after the other; the last one stays. Other names as the system says.
#[derive(Default)]
pub struct Names {
    pub answers: Mutex<Vec<(String, Vec<Vec<IpAddr>>)>>,
    pub asked: AtomicUsize,
}

impl Names {
    pub fn add(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|one| one.iter().map(|a| a.parse().unwrap()).collect()).collect();
        self.answers.lock().unwrap().push((name.to_owned(), answers));
    }
}

/// [`Names`] as the worker wants it.
pub struct Asked(pub Arc<Names>);

impl Lookup for Asked {
    fn lookup(&self, name: &str) -> Looked {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.0.answers.lock().unwrap();
        let Some((_, known)) = answers.iter_mut().find(|(known, _)| known == name) else {
            return System.lookup(name);
        };
        let answer = if known.len() > 1 { known.remove(0) } else { known[0].clone() };
        Box::pin(async move { io::Result::Ok(answer) })
    }
}

/// The worker's server on a socket of its own.
pub struct Worker {
    pub path: PathBuf,
    pub server: Server,
    pub names: Arc<Names>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Worker {
    /// `runtime` is the URL that may be called, empty for none.
    pub fn start(runtime: &str, hosts: &str, limits: Limits) -> Worker {
        let names = Arc::new(Names::default());
        let policy = Policy::new(runtime, hosts).unwrap();
        let server = Server::new(policy, limits, Arc::new(Asked(Arc::clone(&names)))).unwrap();
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("fluxbase-delegate-{}-{number}", std::process::id()));
        let bound = socket::bind(&path).unwrap();
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(bound.listener, bound.owner).await.unwrap() });
        Worker { path, server, names }
    }

    /// Sends a request, and comes back with the connection.
    pub async fn send(&self, request: &Request, body: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        // A refusal can come before everything was sent.
        _ = stream.write_all(&client::request(request, body).unwrap()).await;
        stream
    }

    pub async fn ask(&self, request: &Request, body: &[u8]) -> Result<Said, Broken> {
        let mut stream = self.send(request, body).await;
        tokio::time::timeout(PATIENCE, receive(&mut stream)).await.expect("an answer in time")
    }

    /// A call whose reply is waited for.
    pub async fn call(&self, call: Call, body: &[u8]) -> Result<Reply, Failure> {
        let call = Call { body_length: body.len() as u64, ..call };
        match self.ask(&Request::Call { work: call.into() }, body).await.expect("an answer") {
            Said::Reply(reply) => Ok(reply),
            Said::Failed(failure) => Err(failure),
            Said::Answer(answer) => panic!("{answer:?} is no answer to a call"),
        }
    }

    pub async fn submit(
        &self,
        id: Id,
        owner: &str,
        token: &str,
        work: impl Into<Work>,
    ) -> Result<(), Failure> {
        let request = Request::Submit { id, owner: owner.into(), token: token.into(), work: work.into() };
        match self.ask(&request, &[]).await.expect("an answer") {
            Said::Answer(Answer::Accepted) => Ok(()),
            Said::Failed(failure) => Err(failure),
            other => panic!("{other:?}"),
        }
    }

    pub async fn answer(&self, request: Request) -> Answer {
        match self.ask(&request, &[]).await.expect("an answer") {
            Said::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub async fn status(&self) -> Status {
        match self.answer(Request::Status).await {
            Answer::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until nothing is in flight and no byte is counted.
    pub async fn until_idle(&self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status = self.status().await;
            if status.calls == 0 && status.bytes == 0 {
                return;
            }
            assert!(tokio::time::Instant::now() < until, "{status:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub async fn receive(stream: &mut UnixStream) -> Result<Said, Broken> {
    let (mut assembler, mut buffer) = (Assembler::default(), vec![0; 64 * 1024]);
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if let Some(said) = assembler.feed(&buffer[..read])? {
            return Ok(said);
        }
    }
}

/// A GET with generous bounds.
pub fn get(url: impl Into<String>) -> Call {
    Call {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        timeout_ms: PATIENCE.as_millis() as u64,
        max_response: 10 << 20,
        body_length: 0,
    }
}

pub fn id(n: u8) -> Id {
    Id([n; 16])
}
