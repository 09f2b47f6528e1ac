//! An answer as a stream of server-sent events: what a tool tells while it runs, then the JSON-RPC answer, then the end.
//!
//! MCP allows the server to choose between one JSON object and such a stream for each request (2026-07-28,
//! basic/transports/streamable-http). A stream is begun only when the first notification comes before the answer.
//!
//! From then on the call runs in a task of its own, so that a client that stops reading cannot hold a connection to Postgres beyond
//! the call's deadline. The task ends with the stream's body: a client that hangs up drops the body, that aborts the task, and that cancels
//! the statement. Events have no ids, and nothing is resumed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::reply::{self, Reply};

/// So often a comment tells that the connection is alive.
const BEAT: Duration = Duration::from_secs(15);

/// Longer notifications are dropped, in bytes.
const LONGEST: usize = 64 * 1024;

/// Notifications that may wait for a slow client; further ones are dropped.
pub(crate) const WAITING: usize = 64;

/// Where a running call puts its notifications, each the text of one JSON-RPC message.
pub(crate) type Notices = mpsc::Sender<String>;

/// What a notice with our SQLSTATE may carry: any function can raise one, so only a notification of progress or of the log is passed
/// on, never anything that could pass for an answer. Written anew, on one line.
pub(crate) fn notification(text: &str) -> Option<String> {
    let message: serde_json::Value = serde_json::from_str(text).ok()?;
    let members = message.as_object()?;
    let method = members.get("method")?.as_str()?;
    let known = matches!(method, "notifications/progress" | "notifications/message");
    let only = members.keys().all(|key| matches!(key.as_str(), "jsonrpc" | "method" | "params"));
    let version = members.get("jsonrpc").and_then(serde_json::Value::as_str);
    (known && only && version == Some("2.0") && text.len() <= LONGEST).then(|| message.to_string())
}

/// A task that ends when its handle is dropped.
pub(crate) struct Task(JoinHandle<Reply>);

impl Task {
    /// Runs `call` in the background.
    fn spawn(call: impl Future<Output = Reply> + Send + 'static) -> Task {
        Task(tokio::spawn(call))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        let ended = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(ended.unwrap_or_else(|_| {
            let why = "Internal error: the call ended without an answer. The listener's log has the cause.";
            reply::error(hyper::StatusCode::INTERNAL_SERVER_ERROR, reply::code::INTERNAL, why, "null")
        }))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What comes first of `call`: the answer, as it is, or a notification, which begins a stream.
pub(crate) async fn answer(
    call: impl Future<Output = Reply> + Send + 'static,
    mut notices: mpsc::Receiver<String>,
) -> Reply {
    let mut call = Box::pin(call);
    let first = std::future::poll_fn(|cx| {
        if let Poll::Ready(reply) = call.as_mut().poll(cx) {
            return Poll::Ready(Err(reply));
        }
        match notices.poll_recv(cx) {
            Poll::Ready(Some(notice)) => Poll::Ready(Ok(notice)),
            // Without a sender only the answer can come, and it wakes us.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    });
    match first.await {
        Err(reply) => match notices.try_recv() {
            // Both were read from Postgres at once.
            Ok(notice) => reply::stream(Events::new(notice, Task::spawn(std::future::ready(reply)), notices)),
            Err(_) => reply,
        },
        Ok(notice) => reply::stream(Events::new(notice, Task::spawn(call), notices)),
    }
}

/// The body of a stream.
pub(crate) struct Events {
    first: Option<String>,
    notices: mpsc::Receiver<String>,
    task: Option<Task>,
    answer: Option<reply::Whole>,
    beat: Interval,
}

impl Events {
    fn new(first: String, task: Task, notices: mpsc::Receiver<String>) -> Events {
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Events { first: Some(first), notices, task: Some(task), answer: None, beat }
    }

    /// The next event as text; `None` at the end.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(event(first.as_bytes())));
        }
        if let Poll::Ready(Some(notice)) = self.notices.poll_recv(cx) {
            return Poll::Ready(Some(event(notice.as_bytes())));
        }
        if let Some(task) = &mut self.task
            && let Poll::Ready(reply) = task.poll(cx)
        {
            self.task = None;
            self.answer = Some(reply.into_body().whole());
            // What was told until the end comes before it.
            if let Ok(notice) = self.notices.try_recv() {
                return Poll::Ready(Some(event(notice.as_bytes())));
            }
        }
        if self.task.is_some() {
            if self.beat.poll_tick(cx).is_ready() {
                cx.waker().wake_by_ref();
                return Poll::Ready(Some(Bytes::from_static(b": still running\n\n")));
            }
            return Poll::Pending;
        }
        if let Ok(notice) = self.notices.try_recv() {
            return Poll::Ready(Some(event(notice.as_bytes())));
        }
        let Some(mut answer) = self.answer.take() else { return Poll::Ready(None) };
        match Pin::new(&mut answer).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(frame.into_data().ok().map(|data| event(&data))),
            _ => Poll::Ready(None),
        }
    }
}

/// One event of type message. A message of ours has no line break outside strings, and none inside: JSON escapes them.
fn event(message: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(message.len() + 24);
    bytes.extend_from_slice(b"event: message\ndata: ");
    // A body that Postgres laid out over several lines stays one event.
    for (index, line) in message.split(|&byte| byte == b'\n').enumerate() {
        if index > 0 {
            bytes.extend_from_slice(b"\ndata: ");
        }
        bytes.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

impl Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.get_mut().next(cx).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use hyper::StatusCode;
    use hyper::header::CONTENT_TYPE;

    async fn text(reply: Reply) -> String {
        let bytes = reply.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    fn json(body: &'static str) -> Reply {
        reply::with_body(StatusCode::OK, "application/json", body)
    }

    #[tokio::test]
    async fn a_call_that_tells_nothing_is_answered_as_json() {
        let (_sender, notices) = mpsc::channel(4);
        let reply = answer(async { json("{}") }, notices).await;
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(text(reply).await, "{}");
    }

    #[tokio::test]
    async fn a_call_that_ends_at_once_still_tells() {
        let (sender, notices) = mpsc::channel(4);
        let call = async move {
            sender.try_send("1".to_owned()).expect("there is room");
            json("{}")
        };
        let reply = answer(call, notices).await;
        assert_eq!(text(reply).await, "event: message\ndata: 1\n\nevent: message\ndata: {}\n\n");
    }

    #[test]
    fn only_notifications_are_passed_on() {
        let told = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#;
        assert_eq!(notification(&told.replace(',', ",\n")).as_deref(), Some(told));
        for forged in [
            "",
            "plain text",
            "[]",
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","id":1}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","result":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            r#"{"method":"notifications/message"}"#,
            &format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/message","params":"{}"}}"#,
                "x".repeat(LONGEST)
            ),
        ] {
            assert_eq!(notification(forged), None, "{}", &forged[..forged.len().min(80)]);
        }
    }

    #[tokio::test]
    async fn what_is_told_comes_before_the_answer() {
        let (sender, notices) = mpsc::channel(4);
        let reply = answer(
            async move {
                for n in 1..=3 {
                    sender.send(n.to_string()).await.expect("somebody listens");
                    tokio::task::yield_now().await;
                }
                json("{\n}")
            },
            notices,
        )
        .await;
        assert_eq!(reply.headers()[CONTENT_TYPE], "text/event-stream");
        let expected = ["1", "2", "3"].map(|n| format!("event: message\ndata: {n}\n\n")).concat();
        assert_eq!(text(reply).await, format!("{expected}event: message\ndata: {{\ndata: }}\n\n"));
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_ends_the_call() {
        let (sender, notices) = mpsc::channel(4);
        let (ended, mut seen) = mpsc::channel::<()>(1);
        let reply = answer(
            async move {
                let _held_until_the_end = ended;
                sender.send("1".to_owned()).await.expect("somebody listens");
                std::future::pending::<Reply>().await
            },
            notices,
        )
        .await;
        drop(reply);
        assert!(seen.recv().await.is_none(), "the task was dropped");
    }
}
