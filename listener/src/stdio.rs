//! MCP on standard input and output, for hosts that only start local programs (MCP 2026-07-28, basic/transports/stdio): one JSON-RPC
//! message a line, UTF-8, nothing else on standard output.
//!
//! Each line goes the way of an HTTP request, one call of `mcp._serve`, and its answer is written as it came. What differs is what HTTP
//! does elsewhere: the key is given once, at the start; requests share one channel, so that a notification stops them and not a
//! connection that ends; and the revision that `initialize` negotiated holds until the end, where over HTTP a header repeats it.
//!
//! Invariants:
//! - One thread writes, message after message, so each is whole; a request's notifications come before its answer.
//! - After `notifications/cancelled` nothing more is written for that request; its statement is stopped, and its connection is clean
//!   before another request gets it.
//! - Bounded are: requests at a time, bytes of their messages, a line, and what waits for a client that does not read.
//!
//! It does not: write requests of its own, or keep anything of a request beyond its answer but the negotiated revision.

mod lines;
mod skim;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fluxbase_credential::Key;
use http_body_util::{BodyExt, Collected};
use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::call::{self, Answer, Call, Failure};
use crate::config::Config;
use crate::database::Target;
use crate::events::{self, Notices};
use crate::ids::Ids;
use crate::log_line::LogLine;
use crate::message::{Peek, plain};
use crate::pool::Pool;
use crate::reply::{self, code, error_body};
use crate::server;
use crate::subscriptions::Subscriptions;
use crate::transport::{Transport, watching};
use lines::{Line, Lines, one_line};

/// Requests at a time. Further lines are not read until one has ended.
const AT_ONCE: usize = 64;
/// Bytes of the messages of these requests; one message may have more, and is then alone.
const HELD: usize = 64 * 1024 * 1024;
/// Connections to Postgres: one client asks.
const CONNECTIONS: usize = 4;
/// Messages that may wait for a client that does not read.
const WAITING: usize = 16;
/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;
/// Time for requests in flight when the input has ended.
const FINISH: Duration = Duration::from_secs(10);
/// Time for cancelling what did not finish, and for writing what waits.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// One client's server.
pub(crate) struct Server {
    config: Config,
    pool: Arc<Pool>,
    key: String,
    credential: String,
    transport: Transport,
    subscriptions: Arc<Subscriptions>,
    ids: Ids,
    /// The revision that `initialize` negotiated.
    negotiated: Mutex<Option<String>>,
}

/// Why it does not start.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Postgres was asked and does not serve this key.
    Answer(u16, String),
    /// Postgres could not be asked.
    Failure(String),
}

impl Server {
    /// Everything but the database's consent. Call in a runtime.
    pub(crate) fn new(config: Config, target: Target, key: &Key) -> Server {
        let http = &config.listener;
        let places = http.pool_size.min(CONNECTIONS);
        let pool = Pool::new(
            server::prepared(target, http),
            places,
            http.reserved_connections.min(1),
            http.queue_timeout,
        );
        Server {
            key: key.id().to_owned(),
            credential: key.credential(),
            transport: Transport::without_http(&config.mcp, http.read_only),
            subscriptions: Arc::new(Subscriptions::new(pool.target().clone(), http.max_streams)),
            ids: Ids::new(),
            negotiated: Mutex::new(None),
            pool,
            config,
        }
    }

    /// Asks Postgres once whether it serves this key.
    pub(crate) async fn check(&self) -> Result<(), Refused> {
        let ping = r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#;
        let peek = Peek::at(ping);
        match self.call(ping, &peek, None, "start", None).await {
            // Who has asked too often is served again in a moment.
            Ok(Answer { status: 200 | 429, .. }) => {}
            Ok(Answer { status, body, .. }) => {
                let told: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
                let message = told["error"]["message"].as_str().unwrap_or("no reason was given").to_owned();
                return Err(Refused::Answer(status, message));
            }
            Err(failure) => return Err(Refused::Failure(self.told(failure, &peek, "start").1)),
        }
        server::warn_of_superuser(&self.pool).await;
        Ok(())
    }

    /// Serves until the input ends, nobody reads the output, or `stop` completes. Requests in flight may finish after the end of the input;
    /// in both other cases they are stopped. Returns when their statements have ended, within a bound.
    pub(crate) async fn run(
        self,
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        stop: impl Future<Output = ()>,
    ) {
        // Threads, since a read or a write that never ends must not hold up the end of the process.
        let (sender, chunks) = mpsc::channel(1);
        std::thread::spawn(move || read(input, &sender));
        let (out, messages) = mpsc::channel(WAITING);
        let (done, written) = oneshot::channel();
        std::thread::spawn(move || write(messages, output, done));

        let server = Arc::new(self);
        let watch = tokio::spawn(server.subscriptions.clone().watch());
        let mut requests = Requests::new(server.clone(), out.clone());
        let mut stop = std::pin::pin!(stop);
        tokio::select! {
            biased;
            () = &mut stop => {}
            () = out.closed() => {}
            () = async {
                requests.take_all(chunks).await;
                server.subscriptions.end();
                if timeout(FINISH, requests.finish()).await.is_err() {
                    tracing::warn!("some requests did not finish in time and are cancelled");
                }
            } => {}
        }
        // Dropping a request in flight sends its cancel request; its place in the pool is free when that is done.
        requests.tasks.shutdown().await;
        watch.abort();
        drop((requests, out));
        let _ = timeout(CLEAN_UP, written).await;
        server.pool.drain(CLEAN_UP).await;
    }

    /// Asks Postgres; gives what is to be written.
    async fn ask(&self, text: &str, peek: &Peek, notices: Option<Notices>) -> Option<Bytes> {
        let mut line = LogLine::new(self.ids.next(), self.config.listener.access_log);
        line.label = peek.label();
        line.key = Some(self.key.clone());
        match self.call(text, peek, None, &line.id, notices).await {
            Ok(answer) => {
                line.status = Some(answer.status);
                answer.body.map(one_line)
            }
            Err(failure) => {
                let (status, message) = self.told(failure, peek, &line.id);
                line.status = Some(status);
                Some(error_body(code::INTERNAL, &message, &peek.id).into())
            }
        }
    }

    async fn call(
        &self,
        message: &str,
        peek: &Peek,
        seen: Option<&str>,
        reference: &str,
        notices: Option<Notices>,
    ) -> Result<Answer, Failure> {
        let negotiated = self.negotiated.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let transport = self.transport.after(negotiated.as_deref());
        let call = Call {
            message,
            credential: &self.credential,
            transport: &seen.map_or(transport.clone(), |seen| watching(&transport, seen)),
            lane: peek.lane(),
            repeatable: peek.repeatable(),
            deadline: self.config.listener.deadline,
            reference,
            notices,
            stop: None,
        };
        call::call(&self.pool, &call).await
    }

    fn told(&self, failure: Failure, peek: &Peek, reference: &str) -> (u16, String) {
        let http = &self.config.listener;
        failure.told(!peek.repeatable(), http.deadline, http.statement_timeout, reference)
    }

    /// Answers one message; what a tool tells while it runs goes before.
    async fn answer(&self, message: Message, out: &mpsc::Sender<Bytes>) {
        let Message { text, peek, silent, .. } = message;
        if peek.listens() && !silent {
            return self.listen(&text, &peek, out).await;
        }
        let (sender, mut notices) = mpsc::channel(events::WAITING);
        let body = {
            let mut call = std::pin::pin!(self.ask(&text, &peek, peek.may_tell().then_some(sender)));
            loop {
                tokio::select! {
                    biased;
                    // A call waits for nobody who reads: what finds no room is left out.
                    Some(notice) = notices.recv() => drop(out.try_send(notice.into())),
                    body = &mut call => break body,
                }
            }
        };
        while let Ok(notice) = notices.try_recv() {
            _ = out.send(notice.into()).await;
        }
        let Some(body) = body.filter(|_| !silent) else { return };
        if peek.method == Some("initialize")
            && let Some(version) = negotiated(&body)
        {
            *self.negotiated.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
        }
        _ = out.send(body).await;
    }
}

impl Server {
    /// A stream of what changes, among the other messages; it ends as over HTTP, or when it is cancelled.
    async fn listen(&self, text: &str, peek: &Peek, out: &mpsc::Sender<Bytes>) {
        let reference = self.ids.next();
        let look = |seen: String| async {
            let seen = seen;
            match self.call(text, peek, Some(&seen), &reference, None).await {
                Ok(answer) => reply::with_body(
                    StatusCode::from_u16(answer.status).unwrap_or_default(),
                    "application/json",
                    answer.body.unwrap_or_default(),
                ),
                Err(failure) => {
                    let (status, message) = self.told(failure, peek, &reference);
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    reply::error(status, code::INTERNAL, &message, &peek.id)
                }
            }
        };
        let (sender, mut notices) = mpsc::channel::<String>(1);
        let lifetime = self.config.mcp.session_timeout;
        let last = async {
            let subscriptions = self.subscriptions.clone();
            let last = subscriptions.listen(&self.key, &peek.id, lifetime, sender, look).await;
            last.into_body().whole().collect().await.map(Collected::to_bytes).unwrap_or_default()
        };
        let told = async {
            while let Some(notice) = notices.recv().await {
                _ = out.send(notice.into()).await;
            }
        };
        let (last, ()) = tokio::join!(last, told);
        _ = out.send(one_line(last)).await;
    }
}

/// The revision that an answer to `initialize` names.
fn negotiated(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Initialized {
        result: Named,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        protocol_version: String,
    }
    serde_json::from_slice::<Initialized>(body).ok().map(|answer| answer.result.protocol_version)
}

/// A line that is a text.
struct Message {
    text: String,
    peek: Peek,
    /// Its id, written in one way.
    id: Option<String>,
    /// A notification: whatever becomes of it, nobody waits for an answer.
    silent: bool,
}

impl Message {
    fn of(text: String) -> Message {
        #[derive(Default, Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            method: Option<Value>,
        }
        let peek = Peek::at(&text);
        // An array, which serde would take for the members in their order, is none.
        let envelope: Envelope = text
            .trim_start()
            .starts_with('{')
            .then(|| serde_json::from_str(&text).ok())
            .flatten()
            .unwrap_or_default();
        let method = envelope.method.as_ref().and_then(Value::as_str).unwrap_or_default();
        let silent = envelope.id.is_none() && method.starts_with("notifications/");
        let id = envelope.id.and_then(|id| plain(id.get()));
        Message { peek, id, silent, text }
    }
}

/// The requests that run.
struct Requests {
    server: Arc<Server>,
    out: mpsc::Sender<Bytes>,
    tasks: JoinSet<()>,
    running: Vec<(String, AbortHandle)>,
    places: Arc<Semaphore>,
    held: Arc<Semaphore>,
    most: usize,
}

impl Requests {
    fn new(server: Arc<Server>, out: mpsc::Sender<Bytes>) -> Requests {
        let most = server.config.mcp.max_message_size;
        Requests {
            server,
            out,
            tasks: JoinSet::new(),
            running: Vec::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            held: Arc::new(Semaphore::new(HELD)),
            most,
        }
    }

    /// Begins a request for each line, until there are no more.
    async fn take_all(&mut self, mut chunks: mpsc::Receiver<Vec<u8>>) {
        let mut lines = Lines::new(self.most);
        while let Some(chunk) = chunks.recv().await {
            for line in lines.push(&chunk) {
                self.take(line).await;
            }
        }
        if let Some(line) = lines.finish() {
            self.take(line).await;
        }
    }

    async fn take(&mut self, line: Line) {
        let bytes = match line {
            Line::Whole(bytes) if bytes.trim_ascii().is_empty() => return,
            Line::Whole(bytes) => bytes,
            Line::TooLong(id) => {
                let most = self.most;
                let why =
                    format!("The message is larger than max_message_size ({most} bytes). Nothing was done.");
                return self.refuse(code::INVALID, &why, id.as_deref()).await;
            }
        };
        if bytes.contains(&0) {
            let why = "The line holds a NUL byte, which is not allowed in JSON. Nothing was done.";
            return self.refuse(code::PARSE, why, None).await;
        }
        let Ok(text) = String::from_utf8(bytes) else {
            return self.refuse(code::PARSE, "The line is not UTF-8. Nothing was done.", None).await;
        };
        let message = Message::of(text);
        if let Some(id) = &message.peek.cancels {
            return self.cancel(id);
        }
        if message.peek.method == Some("initialize") {
            // What comes after it is read in the light of its answer.
            return self.server.answer(message, &self.out).await;
        }
        self.begin(message).await;
    }

    async fn begin(&mut self, message: Message) {
        let size = message.text.len().min(HELD) as u32;
        // Neither is ever closed.
        let (Ok(place), Ok(held)) =
            (self.places.clone().acquire_owned().await, self.held.clone().acquire_many_owned(size).await)
        else {
            return;
        };
        while self.tasks.try_join_next().is_some() {}
        self.running.retain(|(_, task)| !task.is_finished());
        let (server, out) = (self.server.clone(), self.out.clone());
        let id = message.id.clone();
        let task = self.tasks.spawn(async move {
            server.answer(message, &out).await;
            drop((place, held));
        });
        if let Some(id) = id {
            self.running.push((id, task));
        }
    }

    /// Stops the request with this id, if it still runs.
    fn cancel(&mut self, id: &str) {
        for (_, task) in self.running.iter().filter(|(running, task)| running == id && !task.is_finished()) {
            tracing::debug!("the client cancels a request");
            task.abort();
        }
        self.running.retain(|(running, _)| running != id);
    }

    /// Waits until none runs.
    async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    async fn refuse(&self, code: i32, why: &str, id: Option<&str>) {
        _ = self.out.send(error_body(code, why, id.unwrap_or("null")).into()).await;
    }
}

/// Reads until the end, or until nobody wants more.
fn read(mut input: impl Read, chunks: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(size) => {
                if chunks.blocking_send(buffer[..size].to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return tracing::warn!(reason = %error, "standard input cannot be read"),
        }
    }
}

/// Writes a line for each message, until there are no more or nobody reads.
fn write(mut messages: mpsc::Receiver<Bytes>, mut output: impl Write, done: oneshot::Sender<()>) {
    while let Some(message) = messages.blocking_recv() {
        let line = output.write_all(&message).and_then(|()| output.write_all(b"\n"));
        if let Err(error) = line.and_then(|()| output.flush()) {
            tracing::debug!(reason = %error, "nobody reads standard output");
            break;
        }
    }
    drop(messages);
    _ = done.send(());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_names_its_request_however_the_id_is_written() {
        let of = |text: &str| {
            let message = Message::of(text.to_owned());
            (message.id, message.peek.cancels, message.silent)
        };
        let id = |text: &str| Some(text.to_owned());
        for (request, cancel) in [("1", "1"), (r#""a""#, r#""\u0061""#), (r#""1""#, r#""1""#), ("-7", "-7")] {
            let (asked, none, silent) =
                of(&format!(r#"{{"jsonrpc":"2.0","id":{request},"method":"tools/call"}}"#));
            assert_eq!((&none, silent), (&None, false));
            let (none, cancelled, silent) = of(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"reason":"x","requestId":{cancel}}}}}"#
            ));
            assert_eq!((none, &cancelled, silent), (None, &asked, true), "{request} {cancel}");
        }
        assert_ne!(of(r#"{"id":1}"#).0, of(r#"{"id":"1"}"#).0);
        // With an id it is a request, and unknown; without requestId it cancels nothing.
        let odd = of(r#"{"id":3,"method":"notifications/cancelled","params":{"requestId":1}}"#);
        assert_eq!(odd, (id("3"), None, false));
        assert_eq!(of(r#"{"method":"notifications/cancelled","params":[1]}"#), (None, None, true));
        assert_eq!(of("[1]"), (None, None, false));
    }

    #[test]
    fn the_revision_is_what_the_answer_says() {
        let answer =
            br#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{}}}"#;
        assert_eq!(negotiated(answer).as_deref(), Some("2025-06-18"));
        assert_eq!(negotiated(br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"x"}}"#), None);
    }

    #[tokio::test]
    async fn messages_are_lines_and_the_writer_ends() {
        let (sender, messages) = mpsc::channel(4);
        let (done, written) = oneshot::channel();
        let (reader, writer) = std::io::pipe().expect("a pipe");
        std::thread::spawn(move || write(messages, writer, done));
        for text in ["{}", "[1]"] {
            sender.send(Bytes::from_static(text.as_bytes())).await.expect("it reads");
        }
        drop(sender);
        written.await.expect("it ends");
        assert_eq!(std::io::read_to_string(reader).expect("text"), "{}\n[1]\n");
    }
}
