//! The ladder of checks between a valid envelope and a [`Call`]: era, `_meta`, headers, version, method, params.
//!
//! Invariants:
//! - The order of the checks and their HTTP statuses are those of MCP 2026-07-28 (basic/transports/streamable-http,
//!   basic/versioning); the first check that fails answers.
//! - Nothing is executed that a header, where there are headers, described otherwise.
//! - Status 200 means that the request reached its method, whose params may still be wrong.
//!
//! Whether a tool needs a capability that the client did not declare is known only when the tool runs.

use crate::{
    call::{Call, Known, Wishes},
    envelope::{Incoming, Notification, OwnedMeta, OwnedParams, Request},
    era::{Era, LATEST, Version},
    error::{Reply, RpcError, code},
    headers::{self, Headers},
    json,
    members::Object,
    result::ServerInfo,
    task::TASKS,
};

/// An error with its HTTP status.
struct Refusal {
    status: u16,
    error: RpcError,
}

/// The era that a request opens, before anything in it has been checked.
enum Path {
    Modern,
    Initialize,
    Legacy(Version),
    Unversioned,
}

impl Incoming {
    /// Finds the era, runs the checks, reads the params. `headers` is `None` when the message did not come over HTTP:
    /// then nothing is compared, and only `params._meta` and `initialize` name a version.
    ///
    /// # Errors
    /// The complete reply for everything that is not to be executed: 202 for notifications and legacy responses, 400
    /// for −32602 (`_meta`), −32020 (headers), −32022 (version) and −32600, 404 for −32601 in the modern era, 200 for
    /// −32601 in the legacy era and for −32602 in params.
    pub fn respond(
        self,
        headers: Option<&Headers>,
        server: &'static ServerInfo<'static>,
    ) -> Result<Call, Reply> {
        match self {
            Incoming::Request(request) => request.respond(headers, server),
            Incoming::Notification(notification) => Err(notification.acknowledge(headers)),
            Incoming::Response => Err(response(headers)),
        }
    }
}

impl Request {
    fn respond(self, headers: Option<&Headers>, server: &'static ServerInfo<'static>) -> Result<Call, Reply> {
        let Request { id, method, params } = self;
        match climb(&method, params, headers) {
            Ok((era, method, wishes)) => Ok(Call { id, era, method, wishes, server }),
            Err(Refusal { status, error }) => Err(error.reply(status, Some(&id))),
        }
    }
}

/// All checks in their order.
fn climb(
    method: &str,
    params: OwnedParams,
    headers: Option<&Headers>,
) -> Result<(Era, crate::Method, Wishes), Refusal> {
    let era = match path(method, &params, headers)? {
        Path::Modern => {
            modern(method, &params, headers)?;
            Era::Modern
        }
        Path::Legacy(version) => Era::Legacy(version),
        // `initialize` negotiates its version when its params are read.
        Path::Initialize | Path::Unversioned => Era::Unversioned,
    };
    if let Object::Other(kind) = params.meta {
        return Err(Refusal {
            status: 200,
            error: invalid_meta(format!("params._meta must be an object, not {kind}.")),
        });
    }
    let Some(known) = Known::find(method, era.modern()) else {
        let status = if era.modern() { 404 } else { 200 };
        return Err(Refusal { status, error: Known::unknown(method, era.modern()) });
    };
    let refuse = |error| Refusal { status: 200, error };
    let wishes = Wishes::read(&params.meta).map_err(refuse)?;
    let (era, method) = known.read(params, era).map_err(refuse)?;
    if matches!(method, crate::Method::Task { .. }) && !wishes.declares(TASKS) {
        return Err(Refusal { status: 400, error: RpcError::missing_extension(TASKS) });
    }
    Ok((era, method, wishes))
}

/// Which era a request opens (MCP 2026-07-28, basic/versioning): modern `_meta`, else `initialize`, else the header.
fn path(method: &str, params: &OwnedParams, headers: Option<&Headers>) -> Result<Path, Refusal> {
    if let Object::Members(OwnedMeta { protocol_version: Some(_), .. }) = params.meta {
        return Ok(Path::Modern);
    }
    // A handshake carries no version header; one that is there anyway must not stop it.
    if method == "initialize" {
        return Ok(Path::Initialize);
    }
    match header_version(headers)? {
        None => Ok(Path::Unversioned),
        Some(HeaderVersion::Modern) => Ok(Path::Modern),
        Some(HeaderVersion::Legacy(version)) => Ok(Path::Legacy(version)),
    }
}

enum HeaderVersion {
    Modern,
    Legacy(Version),
}

/// The version that the header names, `None` when there is none.
fn header_version(headers: Option<&Headers>) -> Result<Option<HeaderVersion>, Refusal> {
    let Some(headers) = headers else { return Ok(None) };
    match headers::single(&headers.protocol_version).map_err(|fault| mismatch(VERSION_HEADER, fault))? {
        None => Ok(None),
        Some(LATEST) => Ok(Some(HeaderVersion::Modern)),
        Some(name) => match Version::parse(name) {
            Some(version) => Ok(Some(HeaderVersion::Legacy(version))),
            None => Err(unsupported(
                name,
                format!("Unsupported protocol version in {VERSION_HEADER}: {}.", json::clip(name)),
            )),
        },
    }
}

/// Steps 1 to 3 of the modern era.
fn modern(method: &str, params: &OwnedParams, headers: Option<&Headers>) -> Result<(), Refusal> {
    let version = modern_meta(&params.meta).map_err(|error| Refusal { status: 400, error })?;
    if let Some(headers) = headers.filter(|headers| !headers.negotiated) {
        compare_headers(method, params, &version, headers)?;
    }
    if version == LATEST {
        return Ok(());
    }
    let how = match Version::parse(&version) {
        Some(_) => " It begins with initialize, not with _meta.",
        None => "",
    };
    Err(unsupported(&version, format!("Unsupported protocol version: {}.{how}", json::clip(&version))))
}

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const VERSION_HEADER: &str = "MCP-Protocol-Version";
const METHOD_HEADER: &str = "Mcp-Method";
const NAME_HEADER: &str = "Mcp-Name";

/// Step 1: `_meta` with both required keys. Returns the version it names.
fn modern_meta(meta: &Object<OwnedMeta>) -> Result<String, RpcError> {
    let meta = match meta {
        Object::Members(meta) => meta,
        Object::Absent => {
            return Err(invalid_meta(format!(
                "{LATEST} needs params._meta with \"{VERSION_KEY}\" and \"{CAPABILITIES_KEY}\"."
            )));
        }
        Object::Other(kind) => {
            return Err(invalid_meta(format!("params._meta must be an object, not {kind}.")));
        }
    };
    let Some(version) = &meta.protocol_version else {
        return Err(invalid_meta(format!("params._meta lacks \"{VERSION_KEY}\", for example \"{LATEST}\".")));
    };
    let version = json::text(version.get())
        .map_err(|fault| invalid_meta(format!("\"{VERSION_KEY}\" in params._meta {}.", fault.explain())))?;
    match meta.client_capabilities.as_ref().map(|raw| json::kind(raw.get())) {
        Some("an object") => Ok(version.into_owned()),
        Some(kind) => Err(invalid_meta(format!(
            "\"{CAPABILITIES_KEY}\" in params._meta must be an object, not {kind}."
        ))),
        None => Err(invalid_meta(format!("params._meta lacks \"{CAPABILITIES_KEY}\". Send {{}} for none."))),
    }
}

/// Step 2: the headers say what the body says. A missing header is a mismatch.
fn compare_headers(
    method: &str,
    params: &OwnedParams,
    version: &str,
    headers: &Headers,
) -> Result<(), Refusal> {
    let of_version =
        headers::single(&headers.protocol_version).map_err(|fault| mismatch(VERSION_HEADER, fault))?;
    let of_method = headers::single(&headers.method).map_err(|fault| mismatch(METHOD_HEADER, fault))?;
    let of_name = headers::single(&headers.name).map_err(|fault| mismatch(NAME_HEADER, fault))?;

    equal(VERSION_HEADER, of_version, "the version in params._meta", version)?;
    equal(METHOD_HEADER, of_method, "method", method)?;
    let (place, raw) = match method {
        "tools/call" | "prompts/get" => ("params.name", &params.name),
        "resources/read" => ("params.uri", &params.uri),
        "tasks/get" | "tasks/update" | "tasks/cancel" => ("params.taskId", &params.task_id),
        _ => return Ok(()),
    };
    // A name that is missing or no text has nothing to compare with; reading the params refuses it.
    let Some(Ok(name)) = raw.as_ref().map(|raw| json::text(raw.get())) else { return Ok(()) };
    let of_name = of_name.map(headers::decode).transpose().map_err(|fault| mismatch(NAME_HEADER, fault))?;
    equal(NAME_HEADER, of_name.as_deref(), place, &name)
}

fn equal(header: &str, value: Option<&str>, place: &str, body: &str) -> Result<(), Refusal> {
    match value {
        Some(value) if value == body => Ok(()),
        Some(value) => Err(mismatch(
            header,
            &format!(
                "is \"{}\", but {place} is \"{}\"; send the same in both",
                json::clip(value),
                json::clip(body)
            ),
        )),
        None => Err(mismatch(header, &format!("is missing; send {header}: {}", json::clip(body)))),
    }
}

impl Notification {
    /// Notifications change nothing here, so accepting one is all there is to do. A request that lost its id is
    /// refused in the legacy era, so that whoever forgot it learns why no answer comes.
    fn acknowledge(&self, headers: Option<&Headers>) -> Reply {
        if self.modern {
            return Reply::accepted();
        }
        match header_version(headers) {
            Err(Refusal { status, error }) => error.reply(status, None),
            Ok(Some(HeaderVersion::Modern)) => Reply::accepted(),
            Ok(_) if self.method.starts_with("notifications/") => Reply::accepted(),
            Ok(_) => RpcError::invalid_request(format!(
                "Invalid request: {} has no id, so it cannot be answered. Add an id, for example \"id\":1. Nothing was done.",
                json::clip(&self.method)
            ))
            .reply(400, None),
        }
    }
}

/// A client's answer: accepted in the legacy era, forbidden in the modern one (streamable-http, Sending Messages, 4).
fn response(headers: Option<&Headers>) -> Reply {
    match header_version(headers) {
        Err(Refusal { status, error }) => error.reply(status, None),
        Ok(Some(HeaderVersion::Modern)) => RpcError::invalid_request(format!(
            "Invalid request: the message has no method, and clients send no responses in {LATEST}. Nothing was done."
        ))
        .reply(400, None),
        Ok(_) => Reply::accepted(),
    }
}

fn invalid_meta(message: String) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {message} Nothing was done."))
}

fn mismatch(header: &str, fault: &str) -> Refusal {
    let message = format!("Header mismatch: {header} {fault}. Nothing was done.");
    Refusal { status: 400, error: RpcError::new(code::HEADER_MISMATCH, message) }
}

fn unsupported(requested: &str, mut message: String) -> Refusal {
    message.push_str(&format!(" Served are: {}. Nothing was done.", crate::SUPPORTED.join(", ")));
    Refusal { status: 400, error: RpcError::unsupported_version(requested, message) }
}
