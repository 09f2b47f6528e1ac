//! One call of `mcp._serve`, the form of `mcp.handle` for this program: one round trip, and what becomes of it when it does not end well.
//!
//! The wire answers after ReadyForQuery, so an answer that leaves here has been committed. A call is repeated only when
//! it was rolled back (serialization failure, deadlock, a function that was made anew), when the backend refused it unread because of
//! what an earlier one left there, or when it changes nothing and its connection was lost. What Postgres says about an error goes to the log; the caller learns what to do.

mod answer;
mod failure;

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

pub(crate) use answer::Answer;
pub(crate) use failure::Failure;

use crate::connection::Connection;
use crate::events::Notices;
use crate::pending;
use crate::pool::{GRACE, Lane, Lease, NoLease, Pool, end_backend};
use crate::wire::{self, Failed, Late, ServerError};

/// Asked once on each connection.
const FIND: &str = "SELECT 'mcp._serve(pg_catalog.text,pg_catalog.text,pg_catalog.text)'::pg_catalog.regprocedure::pg_catalog.oid";

/// Further attempts after a conflict with another transaction.
const CONFLICTS: u32 = 2;

/// What is sent.
pub(crate) struct Call<'a> {
    /// The message as it came.
    pub(crate) message: &'a str,
    /// Kind, id and hash of the key, as `fluxbase_credential` writes it.
    pub(crate) credential: &'a str,
    /// The transport as JSON text.
    pub(crate) transport: &'a str,
    /// Which connections it may use.
    pub(crate) lane: Lane,
    /// Whether it changes nothing.
    pub(crate) repeatable: bool,
    /// Time for the call, once it has a connection.
    pub(crate) deadline: Duration,
    /// The word that joins answer and log.
    pub(crate) reference: &'a str,
    /// Who is told what the tool tells while it runs.
    pub(crate) notices: Option<Notices>,
    /// Told when the client wants the call to end.
    pub(crate) stop: Option<&'a Notify>,
}

/// Sends the call and waits for its end, also when Postgres has left it to its delegate worker: then no connection is held meanwhile.
pub(crate) async fn call(pool: &Arc<Pool>, call: &Call<'_>) -> Result<Answer, Failure> {
    let mut answer = committed(pool, call).await?;
    let Some(left) = Left::of(&answer, pool, call) else { return Ok(answer) };
    while answer.status == pending::STATUS {
        let ended = pool.waiter.ended(pool.target(), &left.id);
        match call.stop {
            None => ended.await,
            Some(stop) => tokio::select! {
                () = ended => {}
                () = stop.notified() => return Err(Failure::Stopped { rolled_back: false }),
            },
        }
        let transport = pending::again(call.transport, &left.id, false);
        // What it does is the same however often it is done: an end that was told is told again as long as nobody said that it was heard.
        let again = Call { transport: &transport, notices: call.notices.clone(), ..*call };
        let until = Instant::now() + call.deadline;
        answer = loop {
            match committed(pool, &again).await {
                // Who comes anew is told to come again later. What this call asked for has been done, so it waits on.
                Err(Failure::Busy) if Instant::now() < until => {}
                result => break result.map_err(Failure::after_it_began)?,
            }
        };
    }
    left.finished();
    Ok(answer)
}

/// A call that was left to the delegate worker. Dropping it before it is finished ends the call.
struct Left {
    id: String,
    /// Message, credential, transport; `None` once it is finished.
    owned: Option<(Arc<Pool>, String, String, String)>,
}

impl Left {
    fn of(answer: &Answer, pool: &Arc<Pool>, call: &Call<'_>) -> Option<Left> {
        let body = answer.body.as_deref().filter(|_| answer.status == pending::STATUS)?;
        let id = String::from_utf8_lossy(body).into_owned();
        let transport = pending::again(call.transport, &id, true);
        let owned = (pool.clone(), call.message.to_owned(), call.credential.to_owned(), transport);
        Some(Left { id, owned: Some(owned) })
    }

    fn finished(mut self) {
        self.owned = None;
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let Some((pool, message, credential, transport)) = self.owned.take() else { return };
        // The client is gone, or the listener ends: then there may be nobody left to do this, and the worker's own times hold.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let call = Call {
                message: &message,
                credential: &credential,
                transport: &transport,
                lane: Lane::Short,
                repeatable: true,
                deadline: GRACE,
                reference: "abandoned",
                notices: None,
                stop: None,
            };
            // Whatever is answered, nobody waits for it.
            _ = committed(&pool, &call).await;
        });
    }
}

/// One transaction.
async fn committed(pool: &Arc<Pool>, call: &Call<'_>) -> Result<Answer, Failure> {
    let mut lease = match call.stop {
        None => lease(pool, call).await?,
        Some(stop) => tokio::select! {
            lease = lease(pool, call) => lease?,
            () = stop.notified() => return Err(Failure::Stopped { rolled_back: true }),
        },
    };
    let deadline = Instant::now() + call.deadline;
    let (mut conflicts, mut found_again, mut lost) = (0, false, false);
    loop {
        let error = match once(&mut lease, call, deadline).await {
            Ok(answer) => {
                if answer.drop {
                    lease.discard();
                }
                return Ok(answer);
            }
            Err(Fault::Final(failure)) => return Err(failure),
            Err(Fault::Sql(error)) => error,
        };
        let kind = match &error {
            Failed::Server(error) => Kind::of(error),
            // The connection ended, or the protocol broke.
            Failed::Socket(_) => Kind::Ending,
        };
        let is_final = match kind {
            Kind::Conflict => conflicts == CONFLICTS,
            Kind::Stale => found_again,
            Kind::Ending => lost || !call.repeatable,
            Kind::Spent => false,
            _ => true,
        };
        log(call, kind, is_final, &error);
        match kind {
            Kind::Cancelled => return Err(Failure::Cancelled),
            Kind::Conflict if is_final => return Err(Failure::Conflict),
            Kind::Conflict => {
                conflicts += 1;
                // Let the other one finish; two that collided should not come back at the same moment.
                let jitter =
                    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_micros() % 10);
                tokio::time::sleep(Duration::from_millis(u64::from(conflicts * 10 + jitter))).await;
            }
            Kind::Stale if !is_final => {
                found_again = true;
                if let Some(connection) = lease.connection() {
                    connection.serve = None;
                }
            }
            Kind::Ending => {
                // The place goes first: the next lease may need it.
                lease.discard();
                drop(lease);
                if is_final {
                    return Err(Failure::Lost);
                }
                lost = true;
                lease = self::lease(pool, call).await?;
            }
            Kind::Spent => {
                // Nothing was run. Each of these ends a connection, so there is an end.
                lease.discard();
                drop(lease);
                lease = self::lease(pool, call).await?;
            }
            Kind::NotSetUp => return Err(Failure::NotSetUp),
            Kind::Stale | Kind::Other => {
                // Whatever it was, the next caller shall not inherit it.
                lease.discard();
                return Err(Failure::Internal { rolled_back: true });
            }
        }
    }
}

async fn lease(pool: &Arc<Pool>, call: &Call<'_>) -> Result<Lease, Failure> {
    pool.lease(call.lane).await.map_err(|error| match error {
        NoLease::Busy => {
            tracing::warn!(request = call.reference, "no connection became free in time");
            Failure::Busy
        }
        NoLease::Unreachable(error) => {
            tracing::error!(request = call.reference, reason = %error, database = %pool.target(), "cannot connect to Postgres");
            Failure::Away
        }
    })
}

enum Fault {
    Sql(Failed),
    Final(Failure),
}

/// One attempt. If this future is dropped, the lease stops the statement.
async fn once(lease: &mut Lease, call: &Call<'_>, deadline: Instant) -> Result<Answer, Fault> {
    lease.begin();
    let Some(connection) = lease.connection() else {
        return Err(Fault::Final(Failure::Internal { rolled_back: true }));
    };
    connection.wire.notices.clone_from(&call.notices);
    let result = send(connection, call, deadline).await;
    connection.wire.notices = None;
    match result {
        Ok(told) => {
            lease.end();
            answer(told, call).map_err(Fault::Final)
        }
        Err(Fault::Sql(error)) => {
            lease.end();
            Err(Fault::Sql(error))
        }
        // The deadline passed: dropping the lease in flight cleans up what is left.
        Err(fault) => Err(fault),
    }
}

/// Returns when the server is ready for the next statement, or the deadline has passed.
async fn send(
    connection: &mut Connection,
    call: &Call<'_>,
    deadline: Instant,
) -> Result<wire::Answer, Fault> {
    let function = match connection.serve {
        Some(function) => function,
        None => find(connection, deadline).await?,
    };
    connection.serve = Some(function);
    let wire = &mut connection.wire;
    wire.call(function, &[call.message, call.credential, call.transport]).map_err(sql)?;
    let ended = match call.stop {
        None => Some(wire.answer_until(deadline).await),
        // In this order, so that the call is sent before it is cancelled.
        Some(stop) => tokio::select! {
            biased;
            ended = wire.answer_until(deadline) => Some(ended),
            () = stop.notified() => None,
        },
    };
    match ended {
        Some(Ok(result)) => result.map_err(Fault::Sql),
        Some(Err(Late)) => {
            tracing::warn!(request = call.reference, "the deadline has passed; cancelling the statement");
            stop(connection, call, |rolled_back| Failure::Deadline { rolled_back }).await
        }
        None => {
            tracing::debug!(request = call.reference, "the client cancelled the call");
            stop(connection, call, |rolled_back| Failure::Stopped { rolled_back }).await
        }
    }
}

fn sql(error: io::Error) -> Fault {
    Fault::Sql(Failed::Socket(error))
}

/// The OID of `mcp._serve`.
async fn find(connection: &mut Connection, deadline: Instant) -> Result<u32, Fault> {
    connection.wire.query(FIND).map_err(sql)?;
    let found = connection.wire.answer_until(deadline).await;
    let found = found.map_err(|Late| Fault::Final(Failure::Deadline { rolled_back: true }))?;
    let rows = found.map_err(Fault::Sql)?.rows;
    let oid = rows.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
    oid.ok_or_else(|| sql(io::ErrorKind::InvalidData.into()))
}

/// The deadline has passed, or the client wants no more: cancel, wait for the end, terminate. An answer that still comes has been committed and is
/// worth more than an error.
async fn stop(
    connection: &mut Connection,
    call: &Call<'_>,
    failure: impl Fn(bool) -> Failure,
) -> Result<wire::Answer, Fault> {
    let grace = Instant::now() + GRACE;
    let failure = |rolled_back| Err(Fault::Final(failure(rolled_back)));
    let Connection { wire, backend, .. } = connection;
    if wire.is_half_said() {
        // Whoever drops the lease closes the connection, so the rest is never said.
        return failure(true);
    }
    if let Ok(Err(error)) = timeout_at(grace, backend.cancel()).await {
        tracing::warn!(request = call.reference, reason = %error, "the cancel request could not be sent");
    }
    match wire.answer_until(grace).await {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(error)) => failure(error.code() == Some("57014")),
        Err(Late) => {
            end_backend(backend).await;
            failure(false)
        }
    }
}

fn answer(told: wire::Answer, call: &Call<'_>) -> Result<Answer, Failure> {
    told.value.and_then(Answer::of).ok_or_else(|| {
        tracing::error!(request = call.reference, "mcp._serve gave no answer of the agreed shape");
        // The statement has ended well, so it is committed.
        Failure::Internal { rolled_back: false }
    })
}

/// What an SQL error means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cancelled,
    Conflict,
    Stale,
    Spent,
    Ending,
    NotSetUp,
    Other,
}

impl Kind {
    fn of(error: &ServerError) -> Kind {
        match error.code.as_str() {
            "57014" => Kind::Cancelled,
            "40001" | "40P01" => Kind::Conflict,
            // No function with this OID: the extension was dropped, and perhaps made anew.
            "42883" if error.routine == "fetch_fp_info" => Kind::Stale,
            // mcp._serve itself: an earlier call left something on the connection. An error within a tool never gets here.
            "08003" => Kind::Spent,
            // The server shuts down, crashed elsewhere, is starting, has dropped the database, or the idle limit struck.
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" => Kind::Ending,
            code if code.starts_with("08") => Kind::Ending,
            // No such function, no such schema, no privilege.
            "42883" | "3F000" | "42501" => Kind::NotSetUp,
            _ => Kind::Other,
        }
    }
}

fn log(call: &Call<'_>, kind: Kind, is_final: bool, error: &Failed) {
    let (request, reason) = (call.reference, without_credential(&error.to_string(), call.credential));
    match kind {
        Kind::NotSetUp => tracing::error!(
            request,
            reason,
            "mcp._serve cannot be called. As a superuser of this database run: CREATE EXTENSION IF NOT EXISTS \
             fluxbase_mcp_ext; SELECT mcp.setup_listener('the listener''s role'); or run: fluxbase init"
        ),
        Kind::Other => tracing::error!(request, reason, "mcp._serve failed"),
        Kind::Stale if is_final => tracing::error!(request, reason, "mcp._serve failed"),
        Kind::Conflict if is_final => tracing::warn!(request, reason, "gave up after conflicts"),
        Kind::Conflict | Kind::Stale | Kind::Spent => tracing::debug!(request, reason, "trying again"),
        Kind::Cancelled | Kind::Ending => tracing::warn!(request, reason, "the statement did not finish"),
    }
}

/// Should an error ever quote the hash of a key, the log shall not have it.
fn without_credential(text: &str, credential: &str) -> String {
    let hash = credential.rsplit(':').next().unwrap_or(credential);
    if hash.is_empty() { text.to_owned() } else { text.replace(hash, "(hash)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_call_does_about_them() {
        for (code, routine, kind) in [
            ("57014", "", Kind::Cancelled),
            ("40001", "", Kind::Conflict),
            ("40P01", "", Kind::Conflict),
            ("42883", "fetch_fp_info", Kind::Stale),
            ("57P01", "", Kind::Ending),
            ("08003", "", Kind::Spent),
            ("08006", "", Kind::Ending),
            ("42883", "ParseFuncOrColumn", Kind::NotSetUp),
            ("3F000", "", Kind::NotSetUp),
            ("42501", "", Kind::NotSetUp),
            ("XX000", "", Kind::Other),
        ] {
            let error =
                ServerError { code: code.to_owned(), routine: routine.to_owned(), ..ServerError::default() };
            assert_eq!(Kind::of(&error), kind, "{code}");
        }
    }

    #[test]
    fn the_hash_of_a_key_is_taken_out_of_an_error() {
        assert_eq!(without_credential("bad fbk:1:abc x", "fbk:1:abc"), "bad fbk:1:(hash) x");
        assert_eq!(without_credential("bad", ""), "bad");
    }
}
