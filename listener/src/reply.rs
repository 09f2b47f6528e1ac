//! Answers that the listener gives by itself, as HTTP responses with a JSON-RPC error inside.
//!
//! Also the body of every answer: whole, or a stream of events.
//!
//! They say what is wrong, what to do instead, and what was not done. Details of Postgres stay in the log.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};

use crate::events::Events;

/// An answer.
pub(crate) type Reply = Response<Content>;

/// A body that lies in memory.
pub(crate) type Whole = Full<Bytes>;

/// The body of an answer.
pub(crate) enum Content {
    /// In memory.
    Whole(Whole),
    /// A stream, which ends with the answer.
    Events(Box<Events>),
}

impl Content {
    /// The body in memory; nothing of a stream, which is never inside another one.
    pub(crate) fn whole(self) -> Whole {
        match self {
            Content::Whole(body) => body,
            Content::Events(_) => Full::default(),
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Content::Whole(body) => Pin::new(body).poll_frame(cx),
            Content::Events(events) => Pin::new(events).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Content::Whole(body) => body.is_end_stream(),
            Content::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Whole(body) => body.size_hint(),
            Content::Events(events) => events.size_hint(),
        }
    }
}

/// A stream of events. Proxies are told not to hold it back.
pub(crate) fn stream(events: Events) -> Reply {
    let mut reply = Response::new(Content::Events(Box::new(events)));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    reply
}

/// JSON-RPC codes that the listener uses.
pub(crate) mod code {
    /// The body is no text that could be JSON.
    pub(crate) const PARSE: i32 = -32700;
    /// The HTTP request is not one that carries MCP.
    pub(crate) const INVALID: i32 = -32600;
    /// The server failed, or was too slow.
    pub(crate) const INTERNAL: i32 = -32603;
    /// No key, or a wrong one.
    pub(crate) const UNAUTHORIZED: i32 = -32005;
    /// Too many requests, or too many wrong keys.
    pub(crate) const RATE_LIMITED: i32 = -32007;
}

/// A response with a body of the given type. Answers depend on the key, so nobody may keep them.
pub(crate) fn with_body(status: StatusCode, mime: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Content::Whole(Full::new(body.into())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Content::Whole(Full::default()));
    *reply.status_mut() = status;
    reply
}

/// A JSON-RPC error. `id` is JSON text.
pub(crate) fn error(status: StatusCode, code: i32, message: &str, id: &str) -> Reply {
    with_body(status, "application/json", error_body(code, message, id))
}

/// The text of such an error, on one line.
pub(crate) fn error_body(code: i32, message: &str, id: &str) -> String {
    let message = serde_json::Value::from(message);
    format!(r#"{{"jsonrpc":"2.0","error":{{"code":{code},"message":{message}}},"id":{id}}}"#)
}

/// The same with the header that tells when to come back.
pub(crate) fn later(status: StatusCode, code: i32, message: &str, id: &str, seconds: u32) -> Reply {
    let mut reply = error(status, code, message, id);
    retry_after(&mut reply, seconds);
    reply
}

/// 401 with its challenge.
pub(crate) fn unauthorized(message: &str, id: &str) -> Reply {
    let mut reply = error(StatusCode::UNAUTHORIZED, code::UNAUTHORIZED, message, id);
    challenge(&mut reply);
    reply
}

/// Sets `WWW-Authenticate`. It names no metadata: there is no authorization server to be found here.
pub(crate) fn challenge(reply: &mut Reply) {
    reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fluxbase\""));
}

/// 405 with the methods that work.
pub(crate) fn method_not_allowed(allow: &'static str, message: &str) -> Reply {
    let mut reply = error(StatusCode::METHOD_NOT_ALLOWED, code::INVALID, message, "null");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// Sets `Retry-After`.
pub(crate) fn retry_after(reply: &mut Reply, seconds: u32) {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
}

/// Says that the connection ends with this answer.
pub(crate) fn close(reply: &mut Reply) {
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Sets `x-request-id`, the word that joins an answer with its log line.
pub(crate) fn request_id(reply: &mut Reply, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        reply.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn an_error_is_json_whatever_the_message() {
        let reply = error(StatusCode::BAD_REQUEST, code::PARSE, "a \"quoted\"\nline", "\"id\"");
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/json");
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"a \"quoted\"\nline"},"id":"id"}"#
                .as_bytes()
        );
    }
}
