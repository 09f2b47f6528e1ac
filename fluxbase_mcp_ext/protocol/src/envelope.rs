//! The JSON-RPC 2.0 envelope: one message as text becomes an [`Incoming`], or the complete reply that refuses it.
//!
//! Invariants:
//! - Exactly one JSON object is a message; several in an array are taken apart in `batch.rs`.
//! - An id is kept as the text that was sent: an integer of any size comes back digit by digit.
//! - What is wrong with an envelope is status 400 in every era.
//!
//! It does not look at eras, headers or what methods mean: see `ladder.rs`.

use crate::{
    error::{Reply, RpcError, code},
    json,
    members::{Argument, Envelope, Meta, Object, Params, Reference},
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt;

/// How deep arrays and objects may nest in a message, the message itself included. Postgres and `serde_json` both have
/// limits above it, and errors less clear.
pub const MAX_DEPTH: usize = 120;

/// The id of a request: a string or an integer, exactly as it was sent.
#[derive(Clone, Debug, Serialize)]
pub struct Id(Box<RawValue>);

impl Id {
    /// The JSON text of the id, a string with its quotes.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// `None` when the value is no id: JSON-RPC allows strings and numbers, and MCP only integers of these.
    fn read(raw: &RawValue) -> Option<Id> {
        let text = raw.get();
        let valid = match text.as_bytes() {
            // Half a surrogate pair could not be echoed as valid JSON; an escaped NUL can, it is never unescaped.
            [b'"', ..] => json::text(text) != Err(json::TextFault::Surrogate),
            [b'-', digits @ ..] | digits => digits.iter().all(u8::is_ascii_digit),
        };
        valid.then(|| Id(raw.to_owned()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Id) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Id {}

/// A message with a valid envelope.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, nearly always a request")]
pub enum Incoming {
    /// It wants an answer.
    Request(Request),
    /// It has a method and no id.
    Notification(Notification),
    /// It has a result or an error and no method: an answer to a question that this server never asks.
    Response,
}

impl Incoming {
    /// The id, for replies that come before [`Incoming::respond`]; `None` for what is no request.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Incoming::Request(request) => Some(&request.id),
            Incoming::Notification(_) | Incoming::Response => None,
        }
    }

    /// The method as it was sent, known or not; `None` for a response.
    pub fn method(&self) -> Option<&str> {
        match self {
            Incoming::Request(request) => Some(&request.method),
            Incoming::Notification(notification) => Some(&notification.method),
            Incoming::Response => None,
        }
    }

    /// Whether `params._meta` names a protocol version, as only modern clients do.
    pub fn is_modern(&self) -> bool {
        match self {
            Incoming::Request(request) => {
                matches!(&request.params.meta, Object::Members(meta) if meta.protocol_version.is_some())
            }
            Incoming::Notification(notification) => notification.modern,
            Incoming::Response => false,
        }
    }
}

/// A request whose envelope is valid. What it means depends on its era: [`Incoming::respond`].
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) id: Id,
    pub(crate) method: String,
    pub(crate) params: OwnedParams,
}

/// A message that wants no answer.
#[derive(Clone, Debug)]
pub struct Notification {
    pub(crate) method: String,
    /// `params._meta` names a protocol version, as only modern clients do.
    pub(crate) modern: bool,
}

/// [`Params`] that outlive the message.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedParams {
    pub name: Option<Box<RawValue>>,
    pub arguments: Option<Box<RawValue>>,
    pub uri: Option<Box<RawValue>>,
    pub cursor: Option<Box<RawValue>>,
    pub protocol_version: Option<Box<RawValue>>,
    pub reference: OwnedReference,
    pub argument: OwnedArgument,
    pub context: Option<Box<RawValue>>,
    pub level: Option<Box<RawValue>>,
    pub input_responses: Option<Box<RawValue>>,
    pub request_state: Option<Box<RawValue>>,
    pub notifications: Option<Box<RawValue>>,
    pub task_id: Option<Box<RawValue>>,
    pub meta: Object<OwnedMeta>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedMeta {
    pub protocol_version: Option<Box<RawValue>>,
    pub client_capabilities: Option<Box<RawValue>>,
    pub progress_token: Option<Box<RawValue>>,
    pub log_level: Option<Box<RawValue>>,
}

/// [`Reference`] that outlives the message; anything but an object is an empty one.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedReference {
    pub kind: Option<Box<RawValue>>,
    pub name: Option<Box<RawValue>>,
    pub uri: Option<Box<RawValue>>,
}

/// [`Argument`] that outlives the message; anything but an object is an empty one.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedArgument {
    pub name: Option<Box<RawValue>>,
    pub value: Option<Box<RawValue>>,
}

fn owned(raw: Option<&RawValue>) -> Option<Box<RawValue>> {
    raw.map(RawValue::to_owned)
}

impl From<Params<'_>> for OwnedParams {
    fn from(params: Params) -> OwnedParams {
        OwnedParams {
            name: owned(params.name),
            arguments: owned(params.arguments),
            uri: owned(params.uri),
            cursor: owned(params.cursor),
            protocol_version: owned(params.protocol_version),
            reference: match params.reference {
                Object::Members(Reference { kind, name, uri }) => {
                    OwnedReference { kind: owned(kind), name: owned(name), uri: owned(uri) }
                }
                Object::Absent | Object::Other(_) => OwnedReference::default(),
            },
            argument: match params.argument {
                Object::Members(Argument { name, value }) => {
                    OwnedArgument { name: owned(name), value: owned(value) }
                }
                Object::Absent | Object::Other(_) => OwnedArgument::default(),
            },
            context: owned(params.context),
            level: owned(params.level),
            input_responses: owned(params.input_responses),
            request_state: owned(params.request_state),
            notifications: owned(params.notifications),
            task_id: owned(params.task_id),
            meta: match params.meta {
                // An absent `_meta` that a client's serializer wrote out.
                Object::Absent | Object::Other("null") => Object::Absent,
                Object::Other(kind) => Object::Other(kind),
                Object::Members(Meta {
                    protocol_version,
                    client_capabilities,
                    progress_token,
                    log_level,
                }) => Object::Members(OwnedMeta {
                    protocol_version: owned(protocol_version),
                    client_capabilities: owned(client_capabilities),
                    progress_token: owned(progress_token),
                    log_level: owned(log_level),
                }),
            },
        }
    }
}

/// Reads one message.
///
/// # Errors
/// The complete reply, always status 400: −32700 when the text is not one JSON value (also an empty text, a byte order
/// mark, anything after the object), −32600 when it is no valid message. The id is echoed when it could be read.
pub fn parse(text: &str) -> Result<Incoming, Reply> {
    let start = text.trim_start_matches([' ', '\t', '\n', '\r']);
    if !start.starts_with('{') {
        return Err(not_an_object(start));
    }
    let envelope = match serde_json::from_str(text) {
        Ok(Object::Members(envelope)) => envelope,
        Ok(Object::Absent | Object::Other(_)) => return Err(not_an_object(start)),
        Err(error) => return Err(unreadable(text, &error)),
    };
    read(text, envelope)
}

/// Checks the envelope. Order: depth, jsonrpc, response, id, method, params.
fn read(text: &str, envelope: Envelope) -> Result<Incoming, Reply> {
    let Envelope { jsonrpc, id: raw_id, method, params, outcome } = envelope;
    let id = raw_id.and_then(Id::read);
    let invalid = |message: String| {
        RpcError::invalid_request(format!("Invalid request: {message} Nothing was done."))
            .reply(400, id.as_ref())
    };

    if json::deeper_than(text, MAX_DEPTH) {
        return Err(invalid(format!(
            "the message nests deeper than {MAX_DEPTH} arrays and objects. Send it flatter."
        )));
    }
    match jsonrpc.map(|raw| json::text(raw.get())) {
        Some(Ok(version)) if version == "2.0" => {}
        Some(_) => return Err(invalid("jsonrpc must be the string \"2.0\".".to_owned())),
        None => return Err(invalid("jsonrpc is missing. Add \"jsonrpc\":\"2.0\".".to_owned())),
    }
    if method.is_none() && outcome {
        return Ok(Incoming::Response);
    }
    if let (Some(raw), None) = (raw_id, &id) {
        let found = match json::kind(raw.get()) {
            "a string" => "a string with half a surrogate pair",
            "a number" => "a number with a fraction or an exponent",
            other => other,
        };
        return Err(invalid(format!("id must be a string or an integer, not {found}.")));
    }
    let method = match method.map(|raw| json::text(raw.get())) {
        Some(Ok(method)) => method.into_owned(),
        Some(Err(fault)) => return Err(invalid(format!("method {}.", fault.explain()))),
        None => {
            return Err(invalid("method is missing. Add \"method\", for example \"tools/list\".".to_owned()));
        }
    };
    let params = match params {
        Object::Absent => Params::default(),
        Object::Members(params) => params,
        Object::Other(kind) => {
            return Err(invalid(format!(
                "params must be an object, not {kind}. Leave it out when there are none."
            )));
        }
    };
    Ok(match id {
        Some(id) => Incoming::Request(Request { id, method, params: params.into() }),
        None => {
            let modern = matches!(&params.meta, Object::Members(meta) if meta.protocol_version.is_some());
            Incoming::Notification(Notification { method, modern })
        }
    })
}

/// The refusal of a text that does not begin with `{`: no JSON, or JSON of another kind.
fn not_an_object(start: &str) -> Reply {
    if let Err(error) = serde_json::from_str::<&RawValue>(start) {
        return not_json(start, &error);
    }
    let message = match json::kind(start) {
        "an array" => {
            "Invalid request: a batch cannot be inside a batch. Send each request by itself, as one object."
                .to_owned()
        }
        kind => format!("Invalid request: the message must be one JSON-RPC 2.0 object, not {kind}."),
    };
    RpcError::invalid_request(format!("{message} Nothing was done.")).reply(400, None)
}

/// The refusal of an object that could not be read: nearly always because it is no JSON.
fn unreadable(text: &str, error: &serde_json::Error) -> Reply {
    // JSON that `serde_json` checks but does not read: params that are a number beyond a double, half surrogate pairs
    // in a key.
    match serde_json::from_str::<&RawValue>(text) {
        Err(_) => not_json(text, error),
        Ok(_) => RpcError::invalid_request(format!(
            "Invalid request: the message is JSON with a part that cannot be read: {error}. Nothing was done."
        ))
        .reply(400, None),
    }
}

/// 400 −32700.
pub(crate) fn not_json(text: &str, error: &serde_json::Error) -> Reply {
    let why = match text.chars().next() {
        None => "it is empty".to_owned(),
        Some('\u{feff}') => "it begins with a byte order mark".to_owned(),
        Some(_) => error.to_string(),
    };
    let message = format!(
        "Parse error: the message is not valid JSON: {why}. Send one JSON-RPC 2.0 object. Nothing was done."
    );
    RpcError::new(code::PARSE_ERROR, message).reply(400, None)
}
