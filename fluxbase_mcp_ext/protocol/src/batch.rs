//! Batches: several messages in one array, which revision 2025-03-26 has and no other (basic, Batching).
//!
//! Invariants:
//! - The messages of a batch are answered one by one, in their order, each as if it had come alone; what is wrong with one of them
//!   is its own error and keeps none of the others from being answered.
//! - The reply holds one answer for each request and none for notifications and responses.
//!
//! It does not count them against a rate limit: the caller does.

use crate::{
    envelope::{Incoming, MAX_DEPTH, not_json, parse},
    error::{Reply, RpcError},
    headers::{self, Headers},
    json,
};
use serde_json::value::RawValue;

/// The most messages of one batch.
pub const MAX_BATCH: usize = 50;

/// The one revision with batches; a request that names no version may be one of it, which has no header to name it in.
const REVISION: &str = "2025-03-26";

/// The messages of a text that is an array, each with the refusal of its envelope; `None` for any other text.
///
/// # Errors
/// The reply that refuses all of it, status 400: −32700 for what is no JSON, −32600 for an empty array, for more than [`MAX_BATCH`]
/// messages, and when `headers` name another revision.
pub fn batch(text: &str, headers: Option<&Headers>) -> Option<Result<Vec<Result<Incoming, Reply>>, Reply>> {
    let start = text.trim_start_matches([' ', '\t', '\n', '\r']);
    start.starts_with('[').then(|| messages(start, headers))
}

fn messages(text: &str, headers: Option<&Headers>) -> Result<Vec<Result<Incoming, Reply>>, Reply> {
    let refuse = |why: String| {
        Err(RpcError::invalid_request(format!("Invalid request: {why} Nothing was done.")).reply(400, None))
    };
    if json::deeper_than(text, MAX_DEPTH) {
        return refuse(format!(
            "the batch nests deeper than {MAX_DEPTH} arrays and objects. Send it flatter."
        ));
    }
    let messages: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
    let version = headers.map_or(Ok(None), |headers| headers::single(&headers.protocol_version));
    if !matches!(version, Ok(None | Some(REVISION))) {
        return refuse(format!(
            "batches exist in {REVISION} only. Send each request by itself, as one object."
        ));
    }
    if messages.is_empty() {
        return refuse("the batch is empty. Send at least one message in it.".to_owned());
    }
    if messages.len() > MAX_BATCH {
        return refuse(format!(
            "the batch has {} messages, and at most {MAX_BATCH} are served at once. Send it in parts.",
            messages.len()
        ));
    }
    Ok(messages.into_iter().map(|message| member(message.get())).collect())
}

/// One message of a batch.
fn member(text: &str) -> Result<Incoming, Reply> {
    let incoming = parse(text)?;
    // "The initialize request MUST NOT be part of a JSON-RPC batch" (2025-03-26, basic/lifecycle), and later revisions have no batches.
    let why = match (incoming.method(), incoming.is_modern()) {
        (Some("initialize"), _) => "initialize must not be part of a batch.",
        (_, true) => "a message that names a version in params._meta must not be part of a batch.",
        _ => return Ok(incoming),
    };
    let message = format!("Invalid request: {why} Send it by itself. Nothing was done.");
    Err(RpcError::invalid_request(message).reply(400, incoming.id()))
}

/// One reply out of the replies to the messages of a batch: an array, or 202 when there is nothing to answer.
pub fn join(replies: impl IntoIterator<Item = Reply>) -> Reply {
    let mut body = String::from("[");
    for answer in replies.into_iter().filter_map(|reply| reply.body) {
        if body.len() > 1 {
            body.push(',');
        }
        body.push_str(&answer);
    }
    if body.len() == 1 {
        return Reply::accepted();
    }
    body.push(']');
    Reply::new(200, body)
}
