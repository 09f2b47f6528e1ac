//! The members of a message that this crate reads, collected in the one pass in which `serde_json` checks the JSON.
//!
//! Invariants:
//! - Values stay raw slices of the message, so numbers keep every digit and no value costs memory before it is used.
//! - A member of the wrong type is remembered and not refused: the refusal needs the id, which may come after it.
//! - Of a key that comes twice the last one counts, as in jsonb, so that text and jsonb are read alike. Headers are
//!   compared with what is then executed.
//! - Keys that are not known are skipped.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{fmt, marker::PhantomData};

/// A value that should be an object.
#[derive(Clone, Debug, Default)]
pub(crate) enum Object<T> {
    /// The key does not occur.
    #[default]
    Absent,
    /// Not an object; what it is, with its article.
    Other(&'static str),
    /// An object with its known members.
    Members(T),
}

/// A set of known members, filled one at a time.
pub(crate) trait Members<'de>: Default {
    /// Reads the next member; false at the end of the object.
    fn next<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error>;
}

impl<'de, T: Members<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Members<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = T::default();
        while members.next(&mut map)? {}
        Ok(Object::Members(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Object::Other("an array"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Object::Other("a boolean"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Object::Other("a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Object::Other("a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Object::Other("a number"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Object::Other("a string"))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Object::Other("null"))
    }
}

/// The top level of a message.
#[derive(Debug, Default)]
pub(crate) struct Envelope<'de> {
    pub jsonrpc: Option<&'de RawValue>,
    pub id: Option<&'de RawValue>,
    pub method: Option<&'de RawValue>,
    pub params: Object<Params<'de>>,
    /// It has `result` or `error`.
    pub outcome: bool,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum EnvelopeKey {
    Jsonrpc,
    Id,
    Method,
    Params,
    Result,
    Error,
    #[serde(other)]
    Other,
}

impl<'de> Members<'de> for Envelope<'de> {
    fn next<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let Some(key) = map.next_key()? else { return Ok(false) };
        match key {
            EnvelopeKey::Jsonrpc => self.jsonrpc = Some(map.next_value()?),
            EnvelopeKey::Id => self.id = Some(map.next_value()?),
            EnvelopeKey::Method => self.method = Some(map.next_value()?),
            EnvelopeKey::Params => self.params = map.next_value()?,
            EnvelopeKey::Result | EnvelopeKey::Error => {
                map.next_value::<IgnoredAny>()?;
                self.outcome = true;
            }
            EnvelopeKey::Other => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(true)
    }
}

/// What the methods served here read of `params`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params<'de> {
    pub name: Option<&'de RawValue>,
    pub arguments: Option<&'de RawValue>,
    pub uri: Option<&'de RawValue>,
    pub cursor: Option<&'de RawValue>,
    pub protocol_version: Option<&'de RawValue>,
    /// `ref` of `completion/complete`.
    pub reference: Object<Reference<'de>>,
    pub argument: Object<Argument<'de>>,
    pub context: Option<&'de RawValue>,
    pub level: Option<&'de RawValue>,
    pub input_responses: Option<&'de RawValue>,
    pub request_state: Option<&'de RawValue>,
    /// The filter of `subscriptions/listen`.
    pub notifications: Option<&'de RawValue>,
    /// Of the methods of the Tasks extension.
    pub task_id: Option<&'de RawValue>,
    pub meta: Object<Meta<'de>>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum ParamsKey {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "arguments")]
    Arguments,
    #[serde(rename = "uri")]
    Uri,
    #[serde(rename = "cursor")]
    Cursor,
    #[serde(rename = "protocolVersion")]
    ProtocolVersion,
    #[serde(rename = "ref")]
    Reference,
    #[serde(rename = "argument")]
    Argument,
    #[serde(rename = "context")]
    Context,
    #[serde(rename = "level")]
    Level,
    #[serde(rename = "inputResponses")]
    InputResponses,
    #[serde(rename = "requestState")]
    RequestState,
    #[serde(rename = "taskId")]
    TaskId,
    #[serde(rename = "notifications")]
    Notifications,
    #[serde(rename = "_meta")]
    Meta,
    #[serde(other)]
    Other,
}

impl<'de> Members<'de> for Params<'de> {
    fn next<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let Some(key) = map.next_key()? else { return Ok(false) };
        match key {
            ParamsKey::Name => self.name = Some(map.next_value()?),
            ParamsKey::Arguments => self.arguments = Some(map.next_value()?),
            ParamsKey::Uri => self.uri = Some(map.next_value()?),
            ParamsKey::Cursor => self.cursor = Some(map.next_value()?),
            ParamsKey::ProtocolVersion => self.protocol_version = Some(map.next_value()?),
            ParamsKey::Reference => self.reference = map.next_value()?,
            ParamsKey::Argument => self.argument = map.next_value()?,
            ParamsKey::Context => self.context = Some(map.next_value()?),
            ParamsKey::Level => self.level = Some(map.next_value()?),
            ParamsKey::InputResponses => self.input_responses = Some(map.next_value()?),
            ParamsKey::RequestState => self.request_state = Some(map.next_value()?),
            ParamsKey::TaskId => self.task_id = Some(map.next_value()?),
            ParamsKey::Notifications => self.notifications = Some(map.next_value()?),
            ParamsKey::Meta => self.meta = map.next_value()?,
            ParamsKey::Other => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(true)
    }
}

/// What is completed: a prompt by its name, or a resource template by its URI.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference<'de> {
    pub kind: Option<&'de RawValue>,
    pub name: Option<&'de RawValue>,
    pub uri: Option<&'de RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum ReferenceKey {
    Type,
    Name,
    Uri,
    #[serde(other)]
    Other,
}

impl<'de> Members<'de> for Reference<'de> {
    fn next<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let Some(key) = map.next_key()? else { return Ok(false) };
        match key {
            ReferenceKey::Type => self.kind = Some(map.next_value()?),
            ReferenceKey::Name => self.name = Some(map.next_value()?),
            ReferenceKey::Uri => self.uri = Some(map.next_value()?),
            ReferenceKey::Other => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(true)
    }
}

/// The argument that is being typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Argument<'de> {
    pub name: Option<&'de RawValue>,
    pub value: Option<&'de RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum ArgumentKey {
    Name,
    Value,
    #[serde(other)]
    Other,
}

impl<'de> Members<'de> for Argument<'de> {
    fn next<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let Some(key) = map.next_key()? else { return Ok(false) };
        match key {
            ArgumentKey::Name => self.name = Some(map.next_value()?),
            ArgumentKey::Value => self.value = Some(map.next_value()?),
            ArgumentKey::Other => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(true)
    }
}

/// The members of `params._meta` that choose the era (MCP 2026-07-28, basic, Per-request protocol fields), and what the
/// client wants to be told while the call runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta<'de> {
    pub protocol_version: Option<&'de RawValue>,
    pub client_capabilities: Option<&'de RawValue>,
    pub progress_token: Option<&'de RawValue>,
    pub log_level: Option<&'de RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum MetaKey {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    ProtocolVersion,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    ClientCapabilities,
    #[serde(rename = "progressToken")]
    ProgressToken,
    #[serde(rename = "io.modelcontextprotocol/logLevel")]
    LogLevel,
    #[serde(other)]
    Other,
}

impl<'de> Members<'de> for Meta<'de> {
    fn next<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let Some(key) = map.next_key()? else { return Ok(false) };
        match key {
            MetaKey::ProtocolVersion => self.protocol_version = Some(map.next_value()?),
            MetaKey::ClientCapabilities => self.client_capabilities = Some(map.next_value()?),
            MetaKey::ProgressToken => self.progress_token = Some(map.next_value()?),
            MetaKey::LogLevel => self.log_level = Some(map.next_value()?),
            MetaKey::Other => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(true)
    }
}
