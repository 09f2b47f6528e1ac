//! What is asked, once every check has passed: method, era, and the params that the method reads.
//!
//! It does not answer: see `result.rs`. It does not know whether a tool or a resource exists.

use crate::{
    envelope::{Id, OwnedParams},
    era::{Era, Version},
    error::RpcError,
    json,
    result::ServerInfo,
};
use serde_json::value::RawValue;

/// A request that passed every check. Its methods write the answer.
#[derive(Clone, Debug)]
pub struct Call {
    /// Echoed in the answer.
    pub id: Id,
    /// Decides the shape of the answer. For `initialize` it is the negotiated version.
    pub era: Era,
    /// What is asked.
    pub method: Method,
    /// Named in `_meta` of each modern result.
    pub server: &'static ServerInfo<'static>,
}

/// A method with its params.
#[derive(Clone, Debug)]
pub enum Method {
    /// `initialize`, legacy only. `requested` is the version that the client named, served or not.
    Initialize { requested: String },
    /// `ping`, legacy only.
    Ping,
    /// `server/discover`, modern only.
    Discover,
    /// `tools/list`
    ListTools,
    /// `tools/call`. The arguments are one JSON object as it was sent, `None` when absent.
    CallTool { name: String, arguments: Option<Box<RawValue>> },
    /// `resources/list`
    ListResources,
    /// `resources/templates/list`, or `resources/templates` as Fluxbase named it.
    ListResourceTemplates,
    /// `resources/read`
    ReadResource { uri: String },
}

/// The methods by name, before their params are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Initialize,
    Ping,
    Discover,
    ListTools,
    CallTool,
    ListResources,
    ListResourceTemplates,
    ReadResource,
}

/// What both eras serve, for messages.
const SHARED: &str = "tools/list, tools/call, resources/list, resources/templates/list, resources/read";

impl Known {
    /// The method with this name in this era. Names are case-sensitive.
    pub fn find(method: &str, modern: bool) -> Option<Known> {
        match method {
            "tools/list" => Some(Known::ListTools),
            "tools/call" => Some(Known::CallTool),
            "resources/list" => Some(Known::ListResources),
            "resources/templates/list" | "resources/templates" => Some(Known::ListResourceTemplates),
            "resources/read" => Some(Known::ReadResource),
            "server/discover" if modern => Some(Known::Discover),
            "initialize" if !modern => Some(Known::Initialize),
            "ping" if !modern => Some(Known::Ping),
            _ => None,
        }
    }

    /// −32601, with the methods that there are.
    pub fn unknown(method: &str, modern: bool) -> RpcError {
        let own = if modern { "server/discover" } else { "initialize, ping" };
        let mut message = format!("Unknown method: {}.", json::clip(method));
        match method {
            "initialize" | "ping" if modern => {
                message
                    .push_str(" It does not exist in 2026-07-28; send it without the _meta of that version.");
            }
            "server/discover" => {
                message.push_str(
                    " It exists from 2026-07-28 on; name that version in params._meta and in MCP-Protocol-Version.",
                );
            }
            _ => {}
        }
        message.push_str(&format!(" Served are: {own}, {SHARED}. Nothing was done."));
        RpcError::new(crate::code::METHOD_NOT_FOUND, message)
    }

    /// Reads the params: the method, and for `initialize` the era that it negotiates.
    ///
    /// # Errors
    /// −32602 when a param is missing or has the wrong type.
    pub fn read(self, params: OwnedParams, era: Era) -> Result<(Era, Method), RpcError> {
        let OwnedParams { name, arguments, uri, cursor, protocol_version, .. } = params;
        let method = match self {
            Known::Initialize => {
                let requested = required(protocol_version.as_deref(), "protocolVersion", "initialize")?;
                let version = Version::parse(&requested).unwrap_or(Version::NEWEST);
                return Ok((Era::Legacy(version), Method::Initialize { requested }));
            }
            Known::Ping => Method::Ping,
            Known::Discover => Method::Discover,
            Known::ListTools => one_page(cursor.as_deref(), Method::ListTools)?,
            Known::ListResources => one_page(cursor.as_deref(), Method::ListResources)?,
            Known::ListResourceTemplates => one_page(cursor.as_deref(), Method::ListResourceTemplates)?,
            Known::CallTool => {
                let name = required(name.as_deref(), "name", "tools/call")?;
                if let Some(raw) = &arguments
                    && !raw.get().starts_with('{')
                {
                    let kind = json::kind(raw.get());
                    return Err(invalid(format!(
                        "params.arguments must be an object, not {kind}. Leave it out when there are none."
                    )));
                }
                Method::CallTool { name, arguments }
            }
            Known::ReadResource => {
                Method::ReadResource { uri: required(uri.as_deref(), "uri", "resources/read")? }
            }
        };
        Ok((era, method))
    }
}

/// A param that must be there and be text.
fn required(raw: Option<&RawValue>, member: &str, method: &str) -> Result<String, RpcError> {
    match raw.map(|raw| json::text(raw.get())) {
        Some(Ok(text)) => Ok(text.into_owned()),
        Some(Err(fault)) => Err(invalid(format!("params.{member} {}.", fault.explain()))),
        None => Err(invalid(format!("{method} needs params.{member}, a string."))),
    }
}

/// Lists have one page, so only the cursor of the first page is valid: none, or the empty one that some clients send.
fn one_page(cursor: Option<&RawValue>, method: Method) -> Result<Method, RpcError> {
    match cursor.map(RawValue::get) {
        None | Some("\"\"") => Ok(method),
        Some(_) => {
            Err(invalid("params.cursor is not valid: this list has one page. Leave cursor out.".to_owned()))
        }
    }
}

fn invalid(message: String) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {message} Nothing was done."))
}
