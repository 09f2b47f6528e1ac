//! The bytes: what the delegate worker is asked.
//!
//! Invariants: bytes are removed only by the database that stored them, and only by what nothing but the end of the whole transaction can undo;
//! anything else is left to the sweep. A reply is found only by the key that asked, for the same call and the same version.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluxbase_delegate::client::Said;
use fluxbase_delegate::message::{Get, Put};
use fluxbase_delegate::{Failure, Id, Request as Ask, Version, Work};
use sha2::{Digest, Sha256};

use super::table::Tables;
use crate::delegate;
use crate::dispatch::Request;
use crate::error::Error;
use crate::guard;

/// Time for one object, in milliseconds.
const TIMEOUT_MS: u64 = 60_000;

/// Stores `length` bytes.
pub fn put(tables: &Tables, version: Id, length: usize) -> Work {
    Work::Put(Put { version: named(tables, version), body_length: length as u64, timeout_ms: TIMEOUT_MS })
}

/// Reads a part.
pub fn get(tables: &Tables, version: Id, offset: u64, length: u64) -> Work {
    Work::Get(Get { version: named(tables, version), offset, length, timeout_ms: TIMEOUT_MS })
}

fn named(tables: &Tables, id: Id) -> Version {
    Version { space: tables.space.clone(), id }
}

/// Removes what a row stood for, once the transaction is committed.
pub fn forget(tables: &Tables, version: Option<Id>) {
    if let Some(version) = version
        && tables.ours
        && guard::is_outermost()
    {
        delegate::delete_at_commit(&tables.space, &[version]);
    }
}

/// Whose a submitted piece of work is: the same key must ask for it, for the same `call`, about the same version.
pub fn owner(request: &Request<'_>, call: &str, version: Id) -> String {
    let who = request.identity.key_id.as_deref().unwrap_or_default();
    let mut digest = Sha256::new();
    digest.update(call);
    digest.update([0]);
    digest.update(request.arguments.unwrap_or_default());
    format!("{} {who} {} {version}", delegate::token(), URL_SAFE_NO_PAD.encode(digest.finalize()))
}

/// Leaves work to the worker, when the transaction is committed.
pub fn submit(id: Id, owner: String, work: Work, body: Vec<u8>) {
    delegate::at_commit(Ask::Submit { id, owner, token: delegate::token(), work }, body);
}

/// What was said instead of what was asked for.
pub fn failed(said: Result<Said, delegate::Lost>, nothing: &str) -> Error {
    match said {
        Ok(Said::Failed(failure)) => {
            let code = match failure {
                Failure::Missing | Failure::Storage { .. } => "58030",
                Failure::NoRoom { .. } => "53100",
                Failure::Unset { .. } => "55000",
                Failure::Memory { .. } | Failure::TooMuch { .. } => "54000",
                _ => "08006",
            };
            Error::refused(code, format!("{failure}. {nothing}"), failure.advice().to_owned())
        }
        Ok(_) => Error::refused(
            "08006",
            format!(
                "the delegate worker does not know the call: it ended meanwhile, or the object was changed while it was read. {nothing}"
            ),
            "Call again.".to_owned(),
        ),
        Err(lost) => lost.into_error(nothing),
    }
}
