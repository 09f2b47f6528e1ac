//! The audit: one record of each call, written so that its caller can neither skip it nor roll it back.
//!
//! `dispatch` begins a record before anything of a message is looked at and ends it with the reply; in between tools tell what the call is about.
//! When the transaction has ended, well or not, the record goes into shared memory (`shared`), and a process of the database (`writer`) writes it
//! down. What happens before there is a caller (refused keys, limits) is counted there.
//!
//! Invariants:
//! - A call that has begun leaves a record whatever ends it: an error, a cancel, the end of its process. Only the end of the whole server takes
//!   what has not been written, which is what came in the last moments (`writer::PAUSE`).
//! - The transaction of a call is neither needed nor able to write or remove its record, and no call waits for another one's.
//! - No record holds a key, a row, a filter or an argument, but for the names of what the call is about; arguments only with
//!   `mcp.audit_arguments`.
//!
//! Without shared memory (not preloaded), and on a standby, a record is a line of the server's log. It does not decide what may be done.
#![allow(unsafe_code)]

pub(crate) mod report;
mod shared;
mod writer;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use fluxbase_protocol::{Id, Method, Reply, code, refuse};
use fluxbase_record::record::{self, Records};
use fluxbase_record::{Kept, Outcome, Record, Source, Why, object};
use pgrx::prelude::*;

use crate::dispatch::Caller;
use crate::error::Error;
use crate::gucs::{self, Audit};
use crate::identity::Refusal;
use crate::jobs::process;
use crate::{standby, tools, variables};

use shared::SHARED;

pub use shared::reserve;

/// A call that has begun.
struct Open {
    at: i64,
    source: Source,
    caller: Rc<Caller>,
    method: &'static str,
    tool: String,
    object: String,
    rows: Option<u64>,
    sqlstate: [u8; 5],
    undone: bool,
    arguments: Option<String>,
}

/// Most bytes of records that wait for the end of their transaction; beyond it they go at once.
const PENDING: usize = 32 * 1024;

/// No SQLSTATE.
const NONE: [u8; 5] = [0; 5];

thread_local! {
    /// The calls that have begun, the innermost last.
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
    /// Records of calls that have ended, as bytes, until their transaction has ended.
    static ENDED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What was thrown on through the calls that are open.
    static THROWN: Cell<[u8; 5]> = const { Cell::new(NONE) };
    /// Whether this database keeps an audit; `None`: to be looked up.
    static HERE: Cell<Option<bool>> = const { Cell::new(None) };
    /// Grows with every message that the answer may be another one.
    static MESSAGES: Cell<u64> = const { Cell::new(0) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// A call's record. Dropping it without [`Call::end`], also while unwinding, records that the call was aborted.
pub struct Call(bool);

impl Call {
    /// Begins the record of a call; `id` is for the refusal.
    ///
    /// # Errors
    /// The reply that refuses the call: `mcp.audit` is `strict`, and there was no room for a record for [`PATIENCE`].
    pub fn begin(caller: &Rc<Caller>, id: Option<&Id>) -> Result<Call, Reply> {
        // A further look of a stream is the listener's doing; the first one is recorded.
        let looks_again = caller.watch.as_deref().is_some_and(|seen| !seen.is_empty());
        let mode = gucs::audit();
        if mode == Audit::Off || looks_again || !is_here() {
            return Ok(Call(false));
        }
        if shared::is_used() {
            let database = process::database();
            if SHARED.share().is_unwritten(database) {
                writer::start(database);
            }
            if mode == Audit::Strict && !has_room(database) {
                return Err(refuse::unavailable(
                    id,
                    "there is no room for the record of this call in the audit (mcp.audit = strict). Nothing was done.",
                ));
            }
        }
        OPEN.with_borrow_mut(|open| {
            let source = if open.is_empty() { caller.source } else { Source::Nested };
            open.push(Open {
                at: now(),
                source,
                caller: Rc::clone(caller),
                method: "",
                tool: String::new(),
                object: String::new(),
                rows: None,
                sqlstate: NONE,
                undone: false,
                arguments: None,
            });
        });
        Ok(Call(true))
    }

    /// What is asked, as soon as that is known.
    pub fn asks(&self, method: &Method) {
        if !self.0 {
            return;
        }
        with_last(|open| {
            open.method = name_of(method);
            match method {
                Method::CallTool { name, arguments, .. } => {
                    open.tool.push_str(name);
                    let arguments = arguments.as_deref().map_or("", |arguments| arguments.get());
                    // The tools of tables tell it themselves, by the table's full name; of a registered one no argument is a name of ours.
                    if !TELL_THEIR_TABLE.contains(&name.as_str()) && tools::built_in(name).is_some() {
                        object::named(arguments, &mut open.object);
                    }
                    if gucs::audit_arguments() {
                        open.arguments = Some(arguments.to_owned());
                    }
                }
                Method::GetPrompt { name, .. } => open.tool.push_str(name),
                Method::ReadResource { uri } => open.object.push_str(uri),
                _ => {}
            }
        });
    }

    /// The call has ended with `reply`.
    pub fn end(mut self, method: Option<&Method>, reply: Reply) -> Reply {
        if !std::mem::take(&mut self.0) {
            return reply;
        }
        let Some(mut open) = OPEN.with_borrow_mut(Vec::pop) else { return reply };
        // Another server answers it, and records it. A notification asks for nothing and does nothing.
        if standby::is_misdirected(&reply) || (method.is_none() && reply.body.is_none()) {
            return reply;
        }
        let rpc_code = reply.body.as_deref().and_then(error_code).unwrap_or(0);
        let outcome = match () {
            () if reply.status == PENDING_STATUS => Outcome::Begun,
            () if open.sqlstate == *b"42501" || rpc_code == code::FORBIDDEN => Outcome::Denied,
            () if open.sqlstate != NONE || rpc_code != 0 || reply.status >= 400 => Outcome::Error,
            () if open.undone => Outcome::Undone,
            () => Outcome::Ok,
        };
        if open.object.is_empty()
            && outcome != Outcome::Ok
            && let Some(Method::CallTool { name, arguments: Some(arguments), .. }) = method
            && tools::built_in(name).is_some()
        {
            object::named(arguments.get(), &mut open.object);
        }
        close(&open, outcome, reply.status, rpc_code);
        settle();
        reply
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.0
            && let Some(open) = OPEN.with_borrow_mut(Vec::pop)
        {
            aborted(open);
            settle();
        }
    }
}

/// The tools that call [`table`].
const TELL_THEIR_TABLE: [&str; 5] =
    ["query_table", "insert_record", "update_record", "delete_record", "write_batch"];

/// The method's name on the wire.
fn name_of(method: &Method) -> &'static str {
    match method {
        Method::Initialize { .. } => "initialize",
        Method::Ping => "ping",
        Method::Discover => "server/discover",
        Method::ListTools => "tools/list",
        Method::CallTool { .. } => "tools/call",
        Method::ListResources => "resources/list",
        Method::ListResourceTemplates => "resources/templates/list",
        Method::ReadResource { .. } => "resources/read",
        Method::ListPrompts => "prompts/list",
        Method::GetPrompt { .. } => "prompts/get",
        Method::Complete { .. } => "completion/complete",
        Method::SetLevel => "logging/setLevel",
        Method::Subscribe => "resources/subscribe",
        Method::Listen(_) => "subscriptions/listen",
        Method::Task { .. } => "tasks",
    }
}

/// The status of a reply that says that the delegate worker goes on with the call: see `dispatch`.
const PENDING_STATUS: u16 = 102;

/// How the body of every JSON-RPC error begins.
const ERROR: &str = r#"{"jsonrpc":"2.0","error":{"code":"#;

fn error_code(body: &str) -> Option<i32> {
    let rest = body.strip_prefix(ERROR)?;
    rest.split_once([',', '}'])?.0.parse().ok()
}

/// The table that the innermost call is about, one of them for a batch.
pub fn table(schema: &str, name: &str) {
    with_last(|open| {
        let object = &mut open.object;
        if object.len() > record::TEXT {
            return;
        }
        let from = object.len();
        if from > 0 {
            object.push_str(", ");
        }
        let begin = object.len();
        object.push_str(schema);
        object.push('.');
        object.push_str(name);
        let (before, this) = object.split_at(begin);
        if before.split(", ").any(|other| other == this) {
            object.truncate(from);
        }
    });
}

/// Rows that the innermost call returned or changed; of several statements the sum.
pub fn rows(number: u64) {
    with_last(|open| open.rows = Some(open.rows.unwrap_or(0) + number));
}

/// How the innermost call ended: whether what it wrote is undone although it went well, or its error.
pub fn ended(outcome: Result<bool, &Error>) {
    with_last(|open| match outcome {
        Ok(undone) => open.undone = undone,
        Err(error) => open.sqlstate = packed(error.code()),
    });
}

/// An error with that SQLSTATE is thrown on: it ends every call that is open.
pub fn thrown(sqlstate: &str) {
    THROWN.set(packed(sqlstate));
}

/// A request that was refused before there was a caller, or for its number.
pub fn refused(why: Why, key_id: &str, address: Option<IpAddr>, times: u32) {
    if gucs::audit() == Audit::Off || !is_here() {
        return;
    }
    if !shared::is_used() {
        let now = now();
        say(&Record {
            at: now,
            times,
            outcome: why.outcome(),
            status: why.status(),
            address,
            key_id,
            note: why.as_str(),
            ..Record::default()
        });
        return;
    }
    let database = process::database();
    let (due, writer) = {
        let mut shared = SHARED.exclusive();
        let due = shared.refusals.count(database, why, key_id, address, times, now());
        (due, shared.writer(database))
    };
    match writer {
        // It looks each second by itself, too.
        Some(writer) if writer.is_there() => {
            if due {
                writer.wake();
            }
        }
        _ => writer::start(database),
    }
}

impl From<Refusal> for Why {
    fn from(refusal: Refusal) -> Why {
        match refusal {
            Refusal::Unknown => Why::Unknown,
            Refusal::Revoked => Why::Revoked,
            Refusal::Expired => Why::Expired,
            Refusal::Role => Why::Role,
        }
    }
}

fn with_last(change: impl FnOnce(&mut Open)) {
    OPEN.with_borrow_mut(|open| {
        if let Some(last) = open.last_mut() {
            change(last);
        }
    });
}

fn packed(sqlstate: &str) -> [u8; 5] {
    sqlstate.as_bytes().first_chunk::<5>().copied().unwrap_or(NONE)
}

/// Now, as Postgres counts: microseconds since 2000.
fn now() -> i64 {
    variables::GetCurrentTimestamp()
}

fn aborted(mut open: Open) {
    let thrown = THROWN.get();
    open.sqlstate = if thrown == NONE { *b"57P01" } else { thrown };
    close(&open, Outcome::Aborted, 0, 0);
}

fn close(open: &Open, outcome: Outcome, status: u16, rpc_code: i32) {
    let identity = &open.caller.identity;
    let record = Record {
        at: open.at,
        duration: now() - open.at,
        // SAFETY: a variable of this process.
        pid: unsafe { pg_sys::MyProcPid },
        role: identity.role.to_u32(),
        login: variables::GetSessionUserId().to_u32(),
        times: 1,
        rows: open.rows,
        source: open.source,
        outcome,
        status,
        rpc_code,
        sqlstate: open.sqlstate,
        address: open.caller.address,
        key_id: identity.key_id.as_deref().unwrap_or_default(),
        method: open.method,
        tool: &open.tool,
        object: &open.object,
        note: "",
        arguments: open.arguments.as_deref().unwrap_or_default(),
    };
    ENDED.with_borrow_mut(|ended| record.encode(ended));
}

/// Hands the records over now, or has that done when the transaction ends.
fn settle() {
    register();
    // In a block of the caller's the call has ended, whatever the caller then does with what it got.
    let block = variables::IsTransactionBlock();
    if block || ENDED.with_borrow(Vec::len) > PENDING {
        hand_over();
    }
}

/// Raises no error: it is called where none can be raised any more.
fn hand_over() {
    ENDED.with_borrow_mut(|ended| {
        if ended.is_empty() {
            return;
        }
        if shared::is_used() {
            keep(ended);
        } else {
            Records(ended).for_each(|record| say(&record));
        }
        ended.clear();
    });
}

fn keep(records: &[u8]) {
    let database = process::database();
    let (kept, writer) = {
        let mut shared = SHARED.exclusive();
        (shared.buffer.keep(database, records), shared.writer(database))
    };
    if let (Kept::Waits { first: true, .. } | Kept::Waits { pressed: true, .. } | Kept::Lost, Some(writer)) =
        (kept, writer)
    {
        writer.wake();
    }
}

/// How long a call waits for room under `strict`, in milliseconds.
const PATIENCE: i64 = 5000;

/// Whether there is room for the records of every process of the server that may be making a call, waited for.
fn has_room(database: u32) -> bool {
    // SAFETY: reads a variable of the server. A record seldom has a kilobyte.
    let blocks = (unsafe { pg_sys::MaxBackends } as usize / 8).clamp(4, fluxbase_record::buffer::SHARE / 2);
    for _ in 0..PATIENCE / 10 {
        let (room, writer) = {
            let shared = SHARED.share();
            (shared.buffer.has_room(database, blocks), shared.writer(database))
        };
        if room {
            return true;
        }
        if let Some(writer) = writer {
            writer.wake();
        }
        process::pause(10);
    }
    false
}

/// Postgres counts from 2000 on, logs from 1970 on; in seconds.
const SINCE_1970: f64 = 946_684_800.0;

/// Writes a record to the server's log, for the server's operator alone.
fn say(record: &Record<'_>) {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let sqlstate = std::str::from_utf8(&record.sqlstate).ok().filter(|_| record.sqlstate != NONE);
    let line = serde_json::json!({
        "at": (record.at as f64 / 1e6) + SINCE_1970,
        "duration_ms": record.duration as f64 / 1000.0,
        "source": record.source.as_str(),
        "key_id": text(record.key_id),
        // No catalog can be read where a transaction ends.
        "role_oid": (record.role != 0).then_some(record.role),
        "address": record.address,
        "method": text(record.method),
        "tool": text(record.tool),
        "object": text(record.object),
        "rows": record.rows,
        "outcome": record.outcome.as_str(),
        "status": record.status,
        "code": sqlstate,
        "rpc_code": (record.rpc_code != 0).then_some(record.rpc_code),
        "times": record.times,
        "note": text(record.note),
        "arguments": text(record.arguments),
    });
    ereport!(
        PgLogLevel::LOG_SERVER_ONLY,
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        format!("fluxbase_mcp_ext audit: {line}")
    );
}

/// Whether `mcp.install('{audit}')` was run in this database.
fn is_here() -> bool {
    if let Some(known) = HERE.get() {
        return known;
    }
    register();
    let before = MESSAGES.get();
    // SAFETY: names with a NUL; both are looked up in the system's caches, within a transaction.
    let here = unsafe {
        let schema = pg_sys::get_namespace_oid(c"mcp".as_ptr(), true);
        schema != pg_sys::InvalidOid
            && pg_sys::get_relname_relid(c"audit_log".as_ptr(), schema) != pg_sys::InvalidOid
    };
    if MESSAGES.get() == before {
        HERE.set(Some(here));
    }
    here
}

/// Registers the callbacks, once for each backend.
fn register() {
    if REGISTERED.replace(true) {
        return;
    }
    // SAFETY: static functions with the signatures that Postgres calls them by; this library is never unloaded.
    unsafe {
        for cache in [pg_sys::SysCacheIdentifier::RELNAMENSP, pg_sys::SysCacheIdentifier::NAMESPACENAME] {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(changed), pg_sys::Datum::from(0));
        }
        pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    MESSAGES.set(MESSAGES.get() + 1);
    HERE.set(None);
}

/// Called by Postgres at each end of a transaction, also when the process ends.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(
    event: pg_sys::XactEvent::Type,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    if event == XACT_EVENT_ABORT {
        ENDED.with_borrow_mut(|ended| record::abort(ended, THROWN.get()));
        // Left when the process is ended in the middle of a call: nothing unwinds then.
        for open in OPEN.take().into_iter().rev() {
            aborted(open);
        }
    }
    THROWN.set(NONE);
    hand_over();
}
