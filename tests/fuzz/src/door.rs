//! What comes in at the doors: messages of JSON-RPC, keys, and the frames between Postgres and the delegate worker.
//!
//! Invariants that are looked at: what is read says what the text says, to a second reader as well; what is refused is refused as the
//! specification says; a key's secret is in no message and no debug text; frames are the same however their bytes arrive.

use fluxbase_credential::{Credential, Key};
use fluxbase_delegate::frame::{self, Decoder, Frame};
use fluxbase_protocol::parse;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The form of what was accepted, or why it was refused.
pub type Read = Result<u64, String>;

/// Reads a message.
///
/// # Errors
/// What was not true that must be.
pub fn envelope(input: &str) -> Result<Read, String> {
    let second = serde_json::from_str::<Value>(input);
    let incoming = match parse(input) {
        Ok(incoming) => incoming,
        Err(reply) => {
            let body = reply.body.as_deref().unwrap_or_default();
            let said: Value =
                serde_json::from_str(body).map_err(|error| format!("{error} in the reply {body:?}"))?;
            let code = said["error"]["code"].as_i64().unwrap_or_default();
            if reply.status != 400 || said["jsonrpc"] != "2.0" || !(-32700..=-32000).contains(&code) {
                return Err(format!("status {} and {body:?}", reply.status));
            }
            return Ok(Err(code.to_string()));
        }
    };
    if let Err(error) = serde_json::from_str::<IgnoredAny>(input) {
        return Err(format!("it was accepted, and is no JSON: {error}"));
    }
    // JSON (RFC 8259, section 8.2) has escapes of half a character, for which no text of ours stands; in a member that nobody reads they do no harm.
    let Ok(second) = second else { return Ok(Ok(4)) };
    if second["jsonrpc"] != "2.0" {
        return Err(format!("accepted with jsonrpc {}", second["jsonrpc"]));
    }
    if let Some(method) = incoming.method()
        && second["method"] != method
    {
        return Err(format!("method {method:?} was read of {}", second["method"]));
    }
    if let Some(id) = incoming.id()
        && serde_json::from_str::<Value>(id.as_str()).ok().as_ref() != Some(&second["id"])
    {
        return Err(format!("id {} was read of {}", id.as_str(), second["id"]));
    }
    Ok(Ok(u64::from(incoming.is_modern()) + 2 * u64::from(incoming.id().is_some())))
}

/// Reads a key, and what stands for one between the listener and Postgres.
///
/// # Errors
/// What was not true that must be.
pub fn key(input: &str) -> Result<Read, String> {
    match Credential::parse(input) {
        Ok(credential) if !input.contains(credential.id.as_str()) => {
            return Err(format!("the id {} is not in it", credential.id));
        }
        Ok(_) => return Ok(Ok(1)),
        Err(why) if input.len() > 8 && why.to_string().contains(input) => {
            return Err(format!("the refusal {why} has what was given"));
        }
        Err(_) => {}
    }
    let key = match Key::parse(input) {
        Ok(key) => key,
        Err(why) if input.len() > 8 && why.to_string().contains(input) => {
            return Err(format!("the refusal {why} has what was given"));
        }
        Err(why) => return Ok(Err(why.to_string())),
    };
    if key.reveal() != input {
        return Err("another text is the same key".to_owned());
    }
    let credential = Credential::parse(&key.credential()).map_err(|why| format!("its credential: {why}"))?;
    if !credential.matches(&key.verifier()) || credential.kind != key.kind() || credential.id != key.id() {
        return Err("its credential is not its own".to_owned());
    }
    let secret = input.get(21..64).unwrap_or_default();
    if format!("{key:?} {credential:?}").contains(secret) {
        return Err("a debug text has its secret".to_owned());
    }
    Ok(Ok(2))
}

/// Reads frames, at once and in pieces. A character stands for the byte of its number, beyond 255 for its last eight bits.
///
/// # Errors
/// What was not true that must be.
pub fn frame(input: &str) -> Result<Read, String> {
    let bytes: Vec<u8> = input.chars().map(|letter| letter as u32 as u8).collect();
    let (whole, end) = frames(&bytes, bytes.len().max(1));
    for piece in [1, 3, 7] {
        if frames(&bytes, piece) != (whole.clone(), end.clone()) {
            return Err(format!("in pieces of {piece} they are others"));
        }
    }
    let written: Vec<u8> = whole.iter().flat_map(|frame| frame::encode(frame.kind, &frame.payload)).collect();
    if !bytes.starts_with(&written) {
        return Err("what was read is not what was written".to_owned());
    }
    for frame in whole.iter().filter(|frame| frame.kind == frame::Kind::Request) {
        // Whatever it says: it is read or refused, and does not end the worker.
        _ = serde_json::from_slice::<fluxbase_delegate::Request>(&frame.payload);
    }
    Ok(match end {
        None if !whole.is_empty() => Ok(whole.len() as u64),
        None => Err("nothing is complete".to_owned()),
        Some(why) => Err(why),
    })
}

/// All frames, and what is none.
fn frames(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<String>) {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for part in bytes.chunks(piece) {
        decoder.feed(part);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(why) => return (found, Some(why.to_string())),
            }
        }
    }
    (found, None)
}
