//! A backend's side of the delegate worker: asks over the socket, and waits so that it can be interrupted.
//!
//! Invariants: a cancel, a timeout and the end of the session close the socket, which ends the call; a request is sent once, and what is
//! tried again is only the connection, before anything was sent. The process that answers is `worker`'s.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use fluxbase_delegate::client::{self, Assembler, Broken, Said};
use fluxbase_delegate::message::{Delete, MOST_VERSIONS};
use fluxbase_delegate::{Answer, Failure, Id, Request, Status, Work};
use pgrx::prelude::*;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::{self, Error};
use crate::identity::rate_limit;
use crate::unsent;
use crate::worker::SOCKET;

/// How long a worker that has just ended is waited for: Postgres starts it anew after a second.
const RESTART: Duration = Duration::from_secs(4);

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(20);

/// What to set when there is no worker.
pub const PRELOAD: &str =
    "An administrator sets shared_preload_libraries = 'fluxbase_mcp_ext' and restarts Postgres.";

/// What to do when it is away.
const LATER: &str =
    "Try again in a moment; an administrator looks at mcp.worker_status() and the server log.";

/// Why the worker gave no answer.
#[derive(Debug)]
pub enum Lost {
    /// The library is not preloaded, so there is no worker.
    NotPreloaded,
    /// It cannot be reached. Nothing was sent.
    Away(String),
    /// It was away when the transaction that left the call to it was committed. Nothing was sent.
    Never,
    /// The request is too large to be sent.
    Unsent(Failure),
    /// It went away before it had answered.
    Broken(String),
}

impl Lost {
    /// For callers of a tool.
    pub fn into_error(self, nothing: &str) -> Error {
        match self {
            Lost::NotPreloaded => Error::refused(
                "55000",
                format!("there is no delegate worker, which makes calls over HTTP. {nothing}"),
                PRELOAD.to_owned(),
            ),
            Lost::Away(reason) => Error::refused(
                "08001",
                format!("the delegate worker cannot be reached ({reason}). {nothing}"),
                LATER.to_owned(),
            ),
            Lost::Never => Error::refused(
                "08001",
                format!("the delegate worker was away, and the call was never handed over to it. {nothing}"),
                LATER.to_owned(),
            ),
            Lost::Unsent(failure) => Error::refused("54000", format!("{failure}. {nothing}"), None),
            Lost::Broken(reason) => Error::refused(
                "08006",
                format!("{reason}. The call may or may not have run: look before you call again."),
                None,
            ),
        }
    }
}

/// Whether the library is preloaded, so that there is a worker.
pub fn is_there() -> bool {
    rate_limit::is_shared()
}

/// Asks the worker and waits for the answer. The wait ends with an error of Postgres's when the statement is cancelled, its time
/// is over or the server stops; then the call has been cancelled as well.
///
/// # Errors
/// [`Lost`].
pub fn ask(request: &Request, body: &[u8]) -> Result<Said, Lost> {
    if !is_there() {
        return Err(Lost::NotPreloaded);
    }
    let bytes = client::request(request, body).map_err(Lost::Unsent)?;
    let mut socket = connect()?;
    let broken = |error: std::io::Error| {
        Lost::Broken(format!("the connection to the delegate worker broke ({error})"))
    };
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        match socket.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait(Some((&socket, pg_sys::WL_SOCKET_WRITEABLE)), None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The worker has refused the request and does not read the rest of it: it says why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(error) => return Err(broken(error)),
        }
    }
    let (mut assembler, mut buffer) = (Assembler::default(), vec![0; 64 * 1024]);
    loop {
        match socket.read(&mut buffer) {
            Ok(read) => match assembler.feed(&buffer[..read]) {
                Ok(Some(said)) => return Ok(said),
                Ok(None) => {
                    check_for_interrupts!();
                }
                Err(Broken::Closed) => {
                    return Err(Lost::Broken("the delegate worker ended before it had answered".to_owned()));
                }
                Err(error) => return Err(Lost::Broken(error.to_string())),
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait(Some((&socket, pg_sys::WL_SOCKET_READABLE)), None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
}

/// What is sent when the transaction is committed.
#[derive(Default)]
struct Outbox {
    registered: bool,
    requests: Vec<(Request, Vec<u8>)>,
    /// Versions of stored files to remove, by their space.
    deletes: BTreeMap<String, Vec<Id>>,
}

thread_local! {
    static OUTBOX: RefCell<Outbox> = RefCell::default();
}

/// Sends a request that is answered with one word, once the transaction is committed; nothing if it is rolled back or prepared for a second phase.
/// What is rolled back to a savepoint is sent all the same.
///
/// The transaction has ended by then for everybody else and holds no snapshot; its locks go right after. Nothing can fail any more: whoever asks for
/// the call later learns that the worker refused it, or does not know it.
pub fn at_commit(request: Request, body: Vec<u8>) {
    with_outbox(|outbox| outbox.requests.push((request, body)));
}

/// Removes versions of stored files once the transaction is committed, many of them with one request; nothing if it is rolled back or prepared
/// for a second phase. As with [`at_commit`], a savepoint undoes nothing: do not call it where one can. Nobody is told what became of it:
/// what is still there is for the sweep, which finds it by [`Work::List`].
pub fn delete_at_commit(space: &str, ids: &[Id]) {
    with_outbox(|outbox| outbox.deletes.entry(space.to_owned()).or_default().extend(ids));
}

fn with_outbox(put: impl FnOnce(&mut Outbox)) {
    OUTBOX.with_borrow_mut(|outbox| {
        if !outbox.registered {
            // SAFETY: the callback is a function of this library, which is never unloaded; registered once in a backend.
            unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
            outbox.registered = true;
        }
        put(outbox);
    });
}

/// Called by Postgres at each end of a transaction.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(
    event: pg_sys::XactEvent::Type,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let outbox = OUTBOX.with_borrow_mut(|outbox| {
        let registered = outbox.registered;
        std::mem::replace(outbox, Outbox { registered, ..Outbox::default() })
    });
    if event == XACT_EVENT_COMMIT {
        outbox.send();
    }
}

/// Time for a delete that nobody waits for, in milliseconds.
const DELETE_MS: u64 = 60_000;

impl Outbox {
    /// One after the other. When the worker is away the rest is not tried either, since each try waits for it. What was surely not handed over is
    /// noted for whoever asks for the reply.
    fn send(self) {
        let deletes = self.deletes.iter().flat_map(|(space, ids)| {
            ids.chunks(MOST_VERSIONS).map(|ids| {
                let work = Delete { space: space.clone(), ids: ids.to_vec(), timeout_ms: DELETE_MS };
                (Request::Leave { work: Work::Delete(work) }, Vec::new())
            })
        });
        let mut away = false;
        for (request, body) in self.requests.into_iter().chain(deletes) {
            let sent = match client::request(&request, &body) {
                Ok(bytes) if !away => send(&bytes),
                _ => Err(Unsent::Surely),
            };
            away |= sent.is_err();
            if let (Err(Unsent::Surely), Request::Submit { id, .. }) = (sent, &request) {
                unsent::note(*id);
            }
        }
    }
}

/// Longest that one step of [`send`] may take.
const STEP: Duration = Duration::from_secs(5);

/// What is known of a request whose taking the worker did not confirm.
enum Unsent {
    /// It did not get all of it, and begins nothing before it has.
    Surely,
    /// It may have read it.
    Perhaps,
}

/// Sends without Postgres, which cannot interrupt here, and waits until the worker has taken it.
fn send(bytes: &[u8]) -> Result<(), Unsent> {
    let surely = |_| Unsent::Surely;
    let address = SockAddr::unix(SOCKET).map_err(surely)?;
    let begun = Instant::now();
    loop {
        let mut socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None).map_err(surely)?;
        socket.set_write_timeout(Some(STEP)).map_err(surely)?;
        socket.set_read_timeout(Some(STEP)).map_err(surely)?;
        match socket.connect(&address) {
            Ok(()) => {
                socket.write_all(bytes).map_err(surely)?;
                // One byte of the answer says that the request was read.
                let mut answer = [0; 1];
                return socket.read_exact(&mut answer).map_err(|_| Unsent::Perhaps);
            }
            Err(_) if begun.elapsed() > RESTART => return Err(Unsent::Surely),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Waits, without a transaction's snapshot, until a call of this database's that the listener is to finish has ended, numbered above
/// `after`, or for that many milliseconds. Only as a CALL of its own: it commits before it waits.
#[pg_extern(sql = "
CREATE PROCEDURE mcp._wait(after pg_catalog.int8, milliseconds pg_catalog.int4)
    LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn wait_for_ends(after: Option<i64>, milliseconds: Option<i32>, called: pg_sys::FunctionCallInfo) {
    // SAFETY: Postgres's own record of this call; a procedure's context, if it has one, begins with the tag of its node.
    let alone = unsafe {
        let context = (*called).context.cast::<pg_sys::CallContext>();
        !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_CallContext && !(*context).atomic
    };
    if !alone {
        error::raise(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "mcp._wait cannot run inside a transaction block",
            Some("It commits before it waits: CALL it alone.".to_owned()),
        );
    }
    // SAFETY: as SPI's own documentation has it for procedures: connected as not atomic, the transaction is committed and another begun, which
    // has no snapshot. That this is no part of anything was just looked at.
    unsafe {
        pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
        pg_sys::SPI_commit();
        pg_sys::SPI_finish();
    }
    let timeout_ms = milliseconds.and_then(|time| u64::try_from(time).ok()).unwrap_or(0);
    // What has ended is asked for in a second statement; a worker that is away is no reason to fail.
    if ask(&wait_request(after.unwrap_or(0), timeout_ms), &[]).is_err() {
        wait(None, Some(PAUSE * 10));
    }
}

/// Which have ended: a line with the worker's epoch, then a line `ID NUMBER` for each.
#[pg_extern(sql = "
CREATE FUNCTION mcp._ended(after pg_catalog.int8) RETURNS pg_catalog.text
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn ended(after: i64) -> String {
    match ask(&wait_request(after, 0), &[]) {
        Ok(Said::Answer(Answer::Ended { epoch, ended })) => {
            let lines = ended.iter().map(|one| format!("\n{} {}", one.id, one.number));
            format!("{epoch}{}", lines.collect::<String>())
        }
        // Nothing that could be waited for is known.
        _ => "0".to_owned(),
    }
}

fn wait_request(after: i64, timeout_ms: u64) -> Request {
    Request::Wait { token: token(), after: u64::try_from(after).unwrap_or(0), timeout_ms }
}

/// What the listener's waiters of this database wait for.
pub fn token() -> String {
    // SAFETY: reads a variable of this backend.
    format!("database {}", unsafe { pg_sys::MyDatabaseId }.to_u32())
}

/// A connection. The worker may be starting, or its queue may be full: nothing was sent yet, so that is tried again.
fn connect() -> Result<Socket, Lost> {
    let away = |error: std::io::Error| Lost::Away(error.to_string());
    let address = SockAddr::unix(SOCKET).map_err(away)?;
    let begun = Instant::now();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None).map_err(away)?;
        let error = match socket.connect(&address) {
            Ok(()) => return Ok(socket),
            Err(error) => error,
        };
        let retry = matches!(
            error.kind(),
            ErrorKind::WouldBlock
                | ErrorKind::NotFound
                | ErrorKind::ConnectionRefused
                | ErrorKind::Interrupted
        );
        if !retry || begun.elapsed() > RESTART {
            return Err(away(error));
        }
        drop(socket);
        wait(None, Some(PAUSE));
    }
}

/// Waits for the socket or for the time, and lets Postgres interrupt.
fn wait(socket: Option<(&Socket, u32)>, time: Option<Duration>) {
    let (descriptor, mut events) = match socket {
        Some((socket, events)) => (socket.as_raw_fd(), events),
        None => (pg_sys::PGINVALID_SOCKET, 0),
    };
    events |= pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH;
    let mut milliseconds = -1;
    if let Some(time) = time {
        events |= pg_sys::WL_TIMEOUT;
        milliseconds = time.as_millis() as std::ffi::c_long;
    }
    // SAFETY: this backend's own latch, and a descriptor that its owner keeps open meanwhile. An error of Postgres's comes out of
    // the last line as a panic, which closes the socket on its way.
    unsafe {
        pg_sys::WaitLatchOrSocket(
            pg_sys::MyLatch,
            events as i32,
            descriptor,
            milliseconds,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check_for_interrupts!();
}

/// Makes the worker's thread panic, for a test that declares this function by itself. Not in a release build.
#[cfg(debug_assertions)]
#[pg_extern(sql = false)]
fn delegate_panics() -> String {
    match ask(&Request::Panic, &[]) {
        Err(Lost::Broken(_)) => "the worker is gone".to_owned(),
        other => format!("{other:?}"),
    }
}

/// How the delegate worker is: one row. The numbers are NULL when it does not answer. `storage` is where files are stored; `storage_error`
/// is NULL when one could be written, read and removed there just now.
#[pg_extern(sql = "
CREATE FUNCTION mcp.worker_status()
    RETURNS TABLE (state pg_catalog.text, pid pg_catalog.int4, uptime_s pg_catalog.int8, calls pg_catalog.int4,
                   max_calls pg_catalog.int4, pending pg_catalog.int4, max_pending pg_catalog.int4, bytes pg_catalog.int8,
                   max_bytes pg_catalog.int8, begun pg_catalog.int8, failed pg_catalog.int8, refused pg_catalog.int8,
                   storage pg_catalog.text, storage_error pg_catalog.text, hint pg_catalog.text)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)]
fn worker_status() -> TableIterator<
    'static,
    (
        name!(state, &'static str),
        name!(pid, Option<i32>),
        name!(uptime_s, Option<i64>),
        name!(calls, Option<i32>),
        name!(max_calls, Option<i32>),
        name!(pending, Option<i32>),
        name!(max_pending, Option<i32>),
        name!(bytes, Option<i64>),
        name!(max_bytes, Option<i64>),
        name!(begun, Option<i64>),
        name!(failed, Option<i64>),
        name!(refused, Option<i64>),
        name!(storage, Option<String>),
        name!(storage_error, Option<String>),
        name!(hint, Option<String>),
    ),
> {
    let row = match ask(&Request::Status, &[]) {
        Ok(Said::Answer(Answer::Status(status))) => {
            let Status {
                pid,
                uptime_s,
                calls,
                max_calls,
                pending,
                max_pending,
                bytes,
                max_bytes,
                begun,
                failed,
                refused,
                storage,
            } = status;
            let small = |number: usize| i32::try_from(number).ok();
            let large = |number: u64| i64::try_from(number).ok();
            (
                "running",
                i32::try_from(pid).ok(),
                large(uptime_s),
                small(calls),
                small(max_calls),
                small(pending),
                small(max_pending),
                large(bytes),
                large(max_bytes),
                large(begun),
                large(failed),
                large(refused),
                Some(storage.place).filter(|place| !place.is_empty()),
                storage.error,
                None,
            )
        }
        Ok(other) => error::raise(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            format!("the delegate worker answered what was not asked: {other:?}"),
            None,
        ),
        Err(lost) => {
            let (state, hint) = match lost {
                Lost::NotPreloaded => ("not preloaded", PRELOAD.to_owned()),
                lost => ("not answering", lost.into_error("Nothing was asked.").to_string()),
            };
            (state, None, None, None, None, None, None, None, None, None, None, None, None, None, Some(hint))
        }
    };
    TableIterator::once(row)
}
