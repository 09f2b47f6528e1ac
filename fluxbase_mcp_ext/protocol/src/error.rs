//! Replies that are not results: JSON-RPC errors, their codes and their HTTP statuses.
//!
//! Invariants: an error always has the id of its request, or `null` where there is none to read; a message says what
//! is wrong, then what to send instead, and that nothing was done where that is not plain.
//!
//! Wrong tool arguments are not errors of this kind: they are tool results (`Call::tool_error`).

use crate::{envelope::Id, era::SUPPORTED, json};
use serde_json::{Value, json};
use std::fmt::Write;

/// Error codes and where each of them comes from.
pub mod code {
    /// The body is not JSON. JSON-RPC 2.0, section 5.1.
    pub const PARSE_ERROR: i32 = -32700;
    /// The body is JSON but no request. JSON-RPC 2.0, section 5.1.
    pub const INVALID_REQUEST: i32 = -32600;
    /// The method does not exist in the era of the request. JSON-RPC 2.0, section 5.1; HTTP 404 in MCP 2026-07-28.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// Wrong params, an unknown tool, a wrong cursor. JSON-RPC 2.0, section 5.1; MCP, server/tools and
    /// utilities/pagination. From 2026-07-28 on also a missing `_meta` and an unknown resource.
    pub const INVALID_PARAMS: i32 = -32602;
    /// A fault of the server. JSON-RPC 2.0, section 5.1.
    pub const INTERNAL_ERROR: i32 = -32603;
    /// An unknown resource, in revisions up to 2025-11-25. MCP 2025-11-25, server/resources.
    pub const RESOURCE_NOT_FOUND: i32 = -32002;
    /// A missing or wrong key; HTTP 401. Fluxbase's documented code.
    pub const UNAUTHORIZED: i32 = -32005;
    /// The key lacks a scope. Fluxbase's documented code.
    pub const FORBIDDEN: i32 = -32006;
    /// Too many requests; HTTP 429. Fluxbase's documented code.
    pub const RATE_LIMITED: i32 = -32007;
    /// A routing header is missing, doubled, or differs from the body; HTTP 400. MCP 2026-07-28, streamable-http.
    pub const HEADER_MISMATCH: i32 = -32020;
    /// The call needs a capability that the client did not declare; HTTP 400. MCP 2026-07-28, basic.
    pub const MISSING_CAPABILITY: i32 = -32021;
    /// The protocol version is not served; HTTP 400. MCP 2026-07-28, basic/versioning.
    pub const UNSUPPORTED_VERSION: i32 = -32022;
}

/// What HTTP sends back: a status and a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// One JSON-RPC object, or `None` for an empty body (202).
    pub body: Option<String>,
    /// Seconds until the next try makes sense; only with status 429.
    pub retry_after: Option<u32>,
}

impl Reply {
    /// A reply with a body.
    pub fn new(status: u16, body: String) -> Reply {
        Reply { status, body: Some(body), retry_after: None }
    }

    /// 202 without a body: a notification or a response was taken note of.
    pub fn accepted() -> Reply {
        Reply { status: 202, body: None, retry_after: None }
    }
}

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// See [`code`].
    pub code: i32,
    /// For people and models, in whole sentences.
    pub message: String,
    /// For programs; the shape depends on the code.
    pub data: Option<Value>,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i32, message: impl Into<String>) -> RpcError {
        RpcError { code, message: message.into(), data: None }
    }

    /// −32600: the message is no valid request.
    pub fn invalid_request(message: impl Into<String>) -> RpcError {
        RpcError::new(code::INVALID_REQUEST, message)
    }

    /// −32602: the params of the request have the wrong shape.
    pub fn invalid_params(message: impl Into<String>) -> RpcError {
        RpcError::new(code::INVALID_PARAMS, message)
    }

    /// −32602: no tool has this name, or none that the caller may see. `nearest` is the name that was probably meant.
    pub fn unknown_tool(name: &str, nearest: Option<&str>) -> RpcError {
        let mut message = format!("Unknown tool: {}.", json::clip(name));
        match nearest {
            Some(nearest) => _ = write!(message, " Did you mean {nearest}?"),
            None => message.push_str(" tools/list shows the tools that this key may use."),
        }
        message.push_str(" Nothing was done.");
        RpcError::invalid_params(message)
    }

    /// −32006: the caller lacks one of these scopes, any of which would do. They also stand in `data.requiredScopes`.
    pub fn forbidden(what: &str, scopes: &[&str]) -> RpcError {
        RpcError {
            code: code::FORBIDDEN,
            message: format!(
                "{} needs the scope {}, and this key does not have it. Create a key with that scope. Nothing was done.",
                json::clip(what),
                scopes.join(" or ")
            ),
            data: Some(json!({ "requiredScopes": scopes })),
        }
    }

    /// −32006: the tool may write, and only reading ones may be used; `why` is half a sentence. `data.readOnly` is true.
    pub fn read_only(tool: &str, why: &str) -> RpcError {
        RpcError {
            code: code::FORBIDDEN,
            message: format!(
                "tool {} may write, and {why}. Only reading tools can be used here: see tools/list. Nothing was done.",
                json::clip(tool)
            ),
            data: Some(json!({ "readOnly": true })),
        }
    }

    /// −32021, status 400: the tool must ask something of the client that it did not declare. `capabilities` as the client would
    /// declare them, such as `sampling`.
    pub fn missing_capabilities(capabilities: &[&str]) -> RpcError {
        let required: serde_json::Map<String, Value> =
            capabilities.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        RpcError {
            code: code::MISSING_CAPABILITY,
            message: format!(
                "This call needs the client capability {}, which the request does not declare. Nothing was done.",
                capabilities.join(" and ")
            ),
            data: Some(json!({ "requiredCapabilities": required })),
        }
    }

    /// −32021, status 400: the method belongs to an extension that the request does not declare.
    pub fn missing_extension(extension: &str) -> RpcError {
        RpcError {
            code: code::MISSING_CAPABILITY,
            message: format!(
                "This method belongs to the extension {extension}, which the request does not declare in \
                 params._meta[\"io.modelcontextprotocol/clientCapabilities\"].extensions. Nothing was done."
            ),
            data: Some(json!({ "requiredCapabilities": { "extensions": { extension: {} } } })),
        }
    }

    /// −32021, status 400: the tool runs as a task only, and the request does not declare the extension.
    pub fn needs_task(tool: &str, extension: &str) -> RpcError {
        RpcError {
            message: format!(
                "Tool {} runs as a task only, which needs the extension {extension} in \
                 params._meta[\"io.modelcontextprotocol/clientCapabilities\"].extensions. Nothing was done.",
                json::clip(tool)
            ),
            ..RpcError::missing_extension(extension)
        }
    }

    /// −32602: no prompt has this name, or none that the caller may see.
    pub fn unknown_prompt(name: &str, nearest: Option<&str>) -> RpcError {
        let mut message = format!("Unknown prompt: {}.", json::clip(name));
        match nearest {
            Some(nearest) => _ = write!(message, " Did you mean {nearest}?"),
            None => message.push_str(" prompts/list shows the prompts that this key may use."),
        }
        RpcError::invalid_params(message)
    }

    /// −32603: a fault of ours. It tells nothing of its cause, which may name what the caller must not see.
    pub fn internal() -> RpcError {
        RpcError::new(
            code::INTERNAL_ERROR,
            "Internal error. This is a fault of the server, not of the request; its cause is in the Postgres log.",
        )
    }

    /// −32022 with the versions served and the version asked for.
    pub(crate) fn unsupported_version(requested: &str, message: String) -> RpcError {
        RpcError {
            code: code::UNSUPPORTED_VERSION,
            message,
            data: Some(json!({ "supported": SUPPORTED, "requested": requested })),
        }
    }

    /// The complete reply. Without an id the body says `"id":null`, as JSON-RPC 2.0, section 5, has it.
    pub fn reply(&self, status: u16, id: Option<&Id>) -> Reply {
        let mut body = String::with_capacity(self.message.len() + 160);
        // Writing into a String cannot fail.
        _ = write!(body, r#"{{"jsonrpc":"2.0","error":{{"code":{},"message":"#, self.code);
        json::push_string(&mut body, &self.message);
        if let Some(data) = &self.data {
            _ = write!(body, r#","data":{data}"#);
        }
        body.push_str(r#"},"id":"#);
        body.push_str(id.map_or("null", Id::as_str));
        body.push('}');
        Reply::new(status, body)
    }
}

/// Replies that need no [`Call`](crate::Call): who asks is unknown or must wait, or the message never was text.
/// `id` is what [`Incoming::id`](crate::Incoming::id) gave.
pub mod refuse {
    use super::{Reply, RpcError, code};
    use crate::envelope::Id;

    /// The headers that carry a key, as a sentence for whoever reads a refusal.
    pub const KEY_HEADERS: &str = "Set one of these headers: X-Client-Key: <client key>, X-Service-Key: <service key>, or Authorization: Bearer <key>.";

    /// 401, −32005. `why` is one sentence, such as "No key was sent.".
    pub fn unauthorized(id: Option<&Id>, why: &str) -> Reply {
        let message = format!("Unauthorized: {why} {KEY_HEADERS} Nothing was done.");
        RpcError::new(code::UNAUTHORIZED, message).reply(401, id)
    }

    /// 429, −32007. `retry_after` in seconds, also in `data.retryAfter`.
    pub fn rate_limited(id: Option<&Id>, retry_after: u32) -> Reply {
        let unit = if retry_after == 1 { "second" } else { "seconds" };
        let error = RpcError {
            code: code::RATE_LIMITED,
            message: format!("Too many requests. Try again in {retry_after} {unit}. Nothing was done."),
            data: Some(serde_json::json!({ "retryAfter": retry_after })),
        };
        Reply { retry_after: Some(retry_after), ..error.reply(429, id) }
    }

    /// 503, −32603: every connection is in use.
    pub fn busy(id: Option<&Id>) -> Reply {
        let message =
            "The server is busy: every connection is in use. Try again in a moment. Nothing was done.";
        RpcError::new(code::INTERNAL_ERROR, message).reply(503, id)
    }

    /// 503, −32603: the server cannot answer at all now. `why` is one sentence, such as "Postgres does not answer.".
    pub fn unavailable(id: Option<&Id>, why: &str) -> Reply {
        RpcError::new(code::INTERNAL_ERROR, format!("The server is not available: {why}")).reply(503, id)
    }

    /// 400, −32700: the body is not UTF-8, so it never became text for [`parse`](crate::parse).
    pub fn not_utf8() -> Reply {
        let message = "The body is not UTF-8. Send one JSON-RPC 2.0 object as UTF-8. Nothing was done.";
        RpcError::new(code::PARSE_ERROR, message).reply(400, None)
    }

    /// 413, −32600: the body is larger than `limit` bytes and was not read.
    pub fn too_large(limit: u64) -> Reply {
        let message = format!(
            "The message is larger than {limit} bytes (mcp.max_message_size). Send less at once. Nothing was done."
        );
        RpcError::invalid_request(message).reply(413, None)
    }
}
