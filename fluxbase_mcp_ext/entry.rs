//! The functions that SQL calls: `mcp.handle` twice, `mcp.authenticate`, the claims, and a few helpers of the SQL files.
//!
//! Invariants: none of them is SECURITY DEFINER and none has a SET clause; a message that cannot be answered is answered with
//! the JSON-RPC error that says why. They only unpack arguments and pack the reply: the way of a request is in `dispatch`.

use std::ffi::CString;
use std::fmt::Write;
use std::rc::Rc;

use fluxbase_credential::Credential;
use fluxbase_protocol::{Incoming, LATEST, Reply, batch, join, parse, refuse};
use fluxbase_record::{Source, Why};
use fluxbase_register::LIFETIME_SECONDS;
use pgrx::prelude::*;
use pgrx::{JsonB, PgSqlErrorCode};

use crate::dispatch::{self, Caller, Policy, Transport};
use crate::error;
use crate::identity::{self, claims, rate_limit};
use crate::standby::{self, Serving};
use crate::{audit, guard, gucs, subscription};

/// `mcp.handle(request jsonb)` by way of its text: numbers and ids stay exactly as they were written.
#[pg_extern(sql = "
CREATE FUNCTION mcp._handle(request pg_catalog.text) RETURNS pg_catalog.json
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn handle_session(request: &str) -> Option<String> {
    if !gucs::enabled() {
        error::raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "mcp.handle is switched off",
            Some("An administrator switches it on with mcp.enabled = on.".to_owned()),
        );
    }
    let one = |message: Result<Incoming, Reply>| match message {
        Ok(incoming) => dispatch::answer(incoming, None, dispatch::caller_of_session()),
        Err(reply) => reply,
    };
    let reply = match batch(request, None) {
        None => one(parse(request)),
        Some(Ok(messages)) => join(messages.into_iter().map(one)),
        Some(Err(reply)) => reply,
    };
    reply.body
}

/// One message, the credential of its sender, and what HTTP said about it. One row: the HTTP status, the body (NULL for
/// none), after how many seconds to try again, and the id of a call that a worker must finish.
#[pg_extern(sql = "
CREATE FUNCTION mcp.handle(request pg_catalog.text, credential pg_catalog.text, transport pg_catalog.jsonb)
    RETURNS TABLE (status pg_catalog.int4, body pg_catalog.text, retry_after pg_catalog.int4, pending pg_catalog.text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)]
fn handle_credential(
    request: Option<&str>,
    credential: Option<&str>,
    transport: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(status, i32),
        name!(body, Option<String>),
        name!(retry_after, Option<i32>),
        name!(pending, Option<String>),
    ),
> {
    let transport = transport.map(|JsonB(value)| serde_json::from_value::<Transport>(value)).transpose();
    let reply =
        reply_to_credential(request.unwrap_or_default(), credential.unwrap_or_default(), transport, false);
    let retry_after = reply.retry_after.and_then(|seconds| i32::try_from(seconds).ok());
    TableIterator::once((i32::from(reply.status), reply.body, retry_after, None))
}

/// The same for `fluxbase serve`, which asks it once for each request: a first line with the status, where there is one the number
/// of seconds to wait, `w` if standbys may now lack what the call wrote, and `drop` when the connection is to be closed; then the body. A
/// scalar in a SELECT list costs a sixth less than a row of a function in FROM.
#[pg_extern(sql = "
CREATE FUNCTION mcp._serve(request pg_catalog.text, credential pg_catalog.text, transport pg_catalog.text)
    RETURNS pg_catalog.text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn serve(request: &str, credential: &str, transport: &str) -> String {
    show_as_active();
    let transport = serde_json::from_str::<Transport>(transport).map(Some);
    let reply = reply_to_credential(request, credential, transport, true);
    let body = reply.body.unwrap_or_default();
    let mut text = String::with_capacity(body.len() + 16);
    _ = write!(text, "{}", reply.status);
    if let Some(seconds) = reply.retry_after {
        _ = write!(text, " {seconds}");
    }
    if standby::wrote() {
        text.push_str(" w");
    }
    text.push_str(if guard::spent() { " drop\n" } else { "\n" });
    text.push_str(&body);
    text
}

/// A call by Postgres's function call message is shown in pg_stat_activity as a statement is, `active` and with the text of one. Otherwise its state is
/// one that hardly any query for long-running work asks for, and its text that of the statement before it.
#[allow(unsafe_code)]
fn show_as_active() {
    // SAFETY: reads the entry of this backend, which nobody else writes; to report copies a constant into it and raises no error.
    unsafe {
        if let Some(entry) = pg_sys::MyBEEntry.as_ref()
            && entry.st_state == pg_sys::BackendState::STATE_FASTPATH
        {
            pg_sys::pgstat_report_activity(
                pg_sys::BackendState::STATE_RUNNING,
                c"SELECT mcp._serve($1, $2, $3)".as_ptr(),
            );
        }
    }
}

/// Messages up to this size, in bytes, are read at once.
const SHORT: usize = 65_536;

fn reply_to_credential(
    request: &str,
    credential: &str,
    transport: Result<Option<Transport>, serde_json::Error>,
    alone: bool,
) -> Reply {
    if alone && guard::spent() {
        // The listener knows this code, and asks another backend. It did not hear of it when that call was cancelled or failed.
        error::raise(
            PgSqlErrorCode::ERRCODE_CONNECTION_DOES_NOT_EXIST,
            "an earlier call left something on this connection that no other caller may meet",
            Some("Nothing was run. Close the connection and open another one.".to_owned()),
        );
    }
    // Nothing of a message is read before its sender is known, but the id of a short one, to be echoed in a refusal.
    let early = (request.len() <= SHORT).then(|| parse(request));
    let id = early.as_ref().and_then(|parsed| parsed.as_ref().ok()).and_then(Incoming::id);
    if !gucs::enabled() {
        return refuse::unavailable(id, "it is switched off by its administrator (mcp.enabled).");
    }
    let mut transport = match transport {
        Ok(transport) => transport.unwrap_or_default(),
        Err(cause) => error::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("transport: {cause}"),
            Some(
                "The third argument is made by fluxbase serve; its form is in docs/reference.md.".to_owned(),
            ),
        ),
    };
    if guard::holds() {
        error::raise(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "a credential cannot be used while a tool runs",
            Some("Call mcp.handle(jsonb): it keeps the identity of the outermost call.".to_owned()),
        );
    }
    let serving = match Serving::begin(transport.server) {
        Ok(serving) => serving,
        Err(reply) => return reply,
    };
    let credential = Credential::parse(credential);
    let identity = match &credential {
        Ok(credential) => identity::of_credential(credential),
        Err(_) => Err(identity::Refusal::Unknown),
    };
    let identity = match identity {
        Ok(identity) => identity,
        Err(refusal) => {
            let key = credential.as_ref().map_or("", |credential| &credential.id);
            audit::refused(Why::from(refusal), key, transport.address, 1);
            return refuse::unauthorized(id, "the key is unknown, revoked or expired.");
        }
    };
    let limits =
        [identity.rate_limit, gucs::rate_limit_per_min(), transport.rate_limit_per_min.filter(|&n| n > 0)];
    let limit = limits.into_iter().flatten().min().zip(identity.key_id.as_deref());
    // A further look of a stream is the listener's doing, not the client's.
    let listens = early.as_ref().and_then(|parsed| parsed.as_ref().ok()).and_then(Incoming::method)
        == Some("subscriptions/listen");
    let looks_again = listens && transport.watch.as_deref().is_some_and(|seen| !seen.is_empty());
    let asked_again = looks_again || transport.pending.is_some();
    let address = transport.address;
    let count = || match limit {
        Some((limit, key)) if !asked_again => {
            rate_limit::count(key, limit).inspect_err(|_| audit::refused(Why::RateLimit, key, address, 1))
        }
        _ => Ok(()),
    };
    if let Err(seconds) = count() {
        return refuse::rate_limited(id, seconds);
    }
    if request.len() > gucs::max_message_size() {
        return refuse::too_large(gucs::max_message_size() as u64);
    }
    let headers = transport.headers();
    let messages = match batch(request, headers.as_ref()) {
        None => None,
        Some(Ok(messages)) => Some(messages),
        Some(Err(reply)) => return reply,
    };
    // Each message of a batch counts as one that came alone.
    if let Some(Err(seconds)) = messages.iter().flatten().skip(1).map(|_| count()).find(Result::is_err) {
        return refuse::rate_limited(None, seconds);
    }
    let source = if transport.http { Source::Http } else { Source::Stdio };
    let (watch, pending, batch) = (transport.watch.take(), transport.pending, messages.is_some());
    let state_seconds = transport.session_timeout.unwrap_or(LIFETIME_SECONDS);
    let policy = Policy::new(transport);
    let caller = Rc::new(Caller {
        identity: Rc::clone(&identity),
        policy,
        alone,
        batch,
        pending,
        watch,
        state_seconds,
        source,
        address,
    });
    let one = |message: Result<Incoming, Reply>| match message {
        Ok(incoming) => dispatch::answer(incoming, headers.as_ref(), Rc::clone(&caller)),
        Err(reply) => reply,
    };
    let reply = serving.end(match messages {
        Some(messages) => join(messages.into_iter().map(one)),
        None => one(early.unwrap_or_else(|| parse(request))),
    });
    if let Some((_, key)) = limit.filter(|_| standby::is_misdirected(&reply)) {
        rate_limit::take_back(key);
    }
    reply
}

/// Takes a key's identity for the rest of the transaction.
#[pg_extern(sql = "
CREATE FUNCTION mcp.authenticate(credential pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn authenticate(credential: Option<&str>) {
    identity::authenticate(credential);
}

/// One claim of the identity in force as text; NULL when there is none.
#[pg_extern(sql = "
CREATE FUNCTION mcp.claim(name pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn claim(name: &str) -> Option<String> {
    claims::with_current(|all| match all.get(name)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    })
}

/// All claims of the identity in force; NULL when there are none.
#[pg_extern(sql = "
CREATE FUNCTION mcp.claims() RETURNS pg_catalog.jsonb
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn claims_in_force() -> Option<JsonB> {
    claims::with_current(|all| Some(JsonB(serde_json::Value::Object(all.clone()))))
}

/// The extension's version.
#[pg_extern(sql = "
CREATE FUNCTION mcp.version() RETURNS pg_catalog.text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// A text that differs from what the same connection was told before when the lists or the resources of some caller may have changed:
/// Postgres's own messages about its catalogs and our registrations, which a standby gets, too, and the settings that decide.
#[pg_extern(sql = "
CREATE FUNCTION mcp._changes() RETURNS pg_catalog.text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn changes() -> String {
    subscription::mark()
}

/// What the listener's health check answers.
#[pg_extern(sql = "
CREATE FUNCTION mcp.health() RETURNS pg_catalog.json
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn health() -> String {
    let enabled = gucs::enabled();
    let (state, version) = (if enabled { "healthy" } else { "disabled" }, env!("CARGO_PKG_VERSION"));
    format!(
        r#"{{"status":"{state}","enabled":{enabled},"protocolVersion":"{LATEST}","serverVersion":"{version}"}}"#
    )
}

/// Makes a key: its id, its plain text and the verifier to store. For `mcp.create_key` and `mcp.rotate_key` only.
#[pg_extern(sql = "
CREATE FUNCTION mcp._generate_key(kind pg_catalog.text)
    RETURNS TABLE (key_id pg_catalog.text, key pg_catalog.text, verifier pg_catalog.bytea)
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)]
fn generate_key(
    kind: &str,
) -> TableIterator<'static, (name!(key_id, String), name!(key, String), name!(verifier, Vec<u8>))> {
    use fluxbase_credential::{Key, Kind};
    let kind = if kind == Kind::Service.as_str() { Kind::Service } else { Kind::Client };
    let key = Key::generate(kind).unwrap_or_else(|error| panic!("no randomness: {error}"));
    TableIterator::once((key.id().to_owned(), key.reveal(), key.verifier().to_vec()))
}

/// Tells every backend to forget the keys that it remembers; called by the triggers of the key tables.
#[pg_extern(sql = "
CREATE FUNCTION mcp._keys_changed(relation pg_catalog.oid) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(unsafe_code)]
fn keys_changed(relation: pg_sys::Oid) {
    // SAFETY: queues a message for the end of this transaction; the relation is looked up in the system cache.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}

/// Raises an error of Postgres when an ordinary user may not set `name` to `value`; changes nothing.
#[pg_extern(sql = "
CREATE FUNCTION mcp._check_setting(name pg_catalog.text, value pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn check_setting(name: &str, value: &str) {
    match (CString::new(name), CString::new(value)) {
        (Ok(name), Ok(value)) => _ = guard::may_set(&name, &value, true),
        _ => unreachable!("text of Postgres holds no NUL"),
    }
}

/// Whether a key may carry the setting of that name.
#[pg_extern(sql = "
CREATE FUNCTION mcp._setting_allowed(name pg_catalog.text) RETURNS pg_catalog.bool
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn setting_allowed(name: &str) -> bool {
    identity::setting_allowed(name)
}

/// Whether all backends share the rate limits, that is, whether the library is preloaded.
#[pg_extern(sql = "
CREATE FUNCTION mcp._preloaded() RETURNS pg_catalog.bool
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn preloaded() -> bool {
    rate_limit::is_shared()
}

/// The role that the session has (SET ROLE), whatever SECURITY DEFINER functions lie between: whose rights count when keys are
/// made or ended, and when something is registered. Refused while a tool runs, since the session's role is then not the caller's.
#[pg_extern(sql = "
CREATE FUNCTION mcp._outer_user() RETURNS pg_catalog.text
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(unsafe_code)]
fn outer_user() -> String {
    if guard::holds() {
        error::raise(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "keys and registrations are not made or changed while a tool runs",
            Some("Use the command line, or SQL outside of mcp.handle.".to_owned()),
        );
    }
    // SAFETY: reads a variable of this backend; the name is copied before anything can free it.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetOuterUserId(), false);
        std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
