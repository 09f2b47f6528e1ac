//! Which calls a hot standby answers, for a listener that has a primary to send the others to.
//!
//! Such a listener says in the transport to which of the two it sent a call (`server`). A standby then gives good answers to
//! reading calls only; everything else (a tool that may write, an error, anything once it is no standby any more) it leaves to
//! the primary by status 421, Misdirected Request (RFC 9110, 15.5.20), before a writing tool has begun. So a caller meets no
//! error that the primary would not have given: not even for a table that has not been replayed yet.
//!
//! Invariants: a 421 never leaves the listener and counts for no rate limit; a call whose listener named no server is
//! answered wherever it runs. It does not choose the server: the listener's `replicas.rs` does.

use std::cell::Cell;

use fluxbase_protocol::Reply;
use pgrx::pg_sys;
use serde::Deserialize;

/// To which server the listener sent a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// There is only one.
    #[default]
    Only,
    /// The primary, besides which there are standbys.
    Primary,
    /// A standby, besides which there is a primary.
    Standby,
}

/// Why the primary has to answer; the body of the 421.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The tool may write.
    Write,
    /// The call failed here.
    Failed,
    /// This server is no standby any more.
    Promoted,
}

impl Why {
    fn reply(self) -> Reply {
        let word = match self {
            Why::Write => "write",
            Why::Failed => "failed",
            Why::Promoted => "promoted",
        };
        Reply { status: MISDIRECTED, body: Some(word.to_owned()), retry_after: None }
    }
}

const MISDIRECTED: u16 = 421;

/// How the body of every JSON-RPC error begins.
const ERROR: &str = r#"{"jsonrpc":"2.0","error":"#;

thread_local! {
    static SERVER: Cell<Server> = const { Cell::new(Server::Only) };
    static FAILED: Cell<bool> = const { Cell::new(false) };
    static WROTE: Cell<bool> = const { Cell::new(false) };
}

/// One call of the listener. Dropping it, also while unwinding, forgets where it was sent.
pub struct Serving(());

/// Whether the listener sent this call to a standby and has a primary, too: an error then sends the call there.
pub fn is_second() -> bool {
    SERVER.get() == Server::Standby
}

impl Serving {
    /// The call begins.
    ///
    /// # Errors
    /// The reply of a server that was taken for a standby and is none.
    #[allow(unsafe_code)]
    pub fn begin(server: Server) -> Result<Serving, Reply> {
        // SAFETY: reads the state of the server.
        if server == Server::Standby && !unsafe { pg_sys::RecoveryInProgress() } {
            return Err(Why::Promoted.reply());
        }
        SERVER.set(server);
        FAILED.set(false);
        WROTE.set(false);
        Ok(Serving(()))
    }

    /// The call has ended with `reply`: that, or 421.
    pub fn end(self, reply: Reply) -> Reply {
        if SERVER.get() != Server::Standby || reply.status == MISDIRECTED {
            return reply;
        }
        let good = matches!(reply.status, 200 | 202)
            && !FAILED.get()
            && !reply.body.as_deref().is_some_and(|body| body.starts_with(ERROR));
        if good { reply } else { Why::Failed.reply() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        SERVER.set(Server::Only);
    }
}

/// Asked before a tool that may write begins: the reply when another server has to run it.
pub fn before_write() -> Option<Reply> {
    match SERVER.get() {
        Server::Only => None,
        Server::Primary => {
            WROTE.set(true);
            None
        }
        Server::Standby => Some(Why::Write.reply()),
    }
}

/// A tool has ended in an error.
pub fn failed() {
    FAILED.set(true);
}

/// Whether the last call may have written, and its listener has standbys that do not have it yet.
pub fn wrote() -> bool {
    WROTE.take()
}

/// Whether `reply` leaves the call to another server.
pub fn is_misdirected(reply: &Reply) -> bool {
    reply.status == MISDIRECTED
}
