//! What `mcp._sweep_storage` needs of the store: its versions, a page at a time, and to remove some.
//!
//! They are for administrators and for the worker that maintains a database: whoever may call them may remove any bytes of the space.

use fluxbase_delegate::client::Said;
use fluxbase_delegate::message::{Delete, List};
use fluxbase_delegate::{Head, Id, Reply, Request, Work};
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use super::bytes;
use crate::delegate;
use crate::error;

/// Time for one page or one batch, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;

/// A page of the versions of a space, in their order: 32 hexadecimal digits each, and when it was stored, in seconds since 1970.
#[pg_extern(sql = "
CREATE FUNCTION mcp._stored(space pg_catalog.text, after pg_catalog.text, page pg_catalog.int4)
    RETURNS TABLE (version pg_catalog.text, stored_at pg_catalog.int8)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn stored(
    space: Option<&str>,
    after: Option<&str>,
    page: Option<i32>,
) -> TableIterator<'static, (name!(version, String), name!(stored_at, i64))> {
    let list = List {
        space: space.unwrap_or_default().to_owned(),
        after: after.map(id),
        limit: page.and_then(|page| usize::try_from(page).ok()).unwrap_or(1),
        timeout_ms: TIMEOUT_MS,
    };
    match delegate::ask(&Request::Call { work: Work::List(list) }, &[]) {
        Ok(Said::Reply(Reply { head: Head::Listed { versions, .. }, .. })) => {
            TableIterator::new(versions.into_iter().map(|one| (one.id.to_string(), one.stored_at)))
        }
        said => fail(said),
    }
}

/// Removes versions of a space.
#[pg_extern(sql = "
CREATE FUNCTION mcp._remove_stored(space pg_catalog.text, versions pg_catalog.text[]) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn remove_stored(space: &str, versions: Vec<String>) {
    let ids = versions.iter().map(|version| id(version)).collect();
    let delete = Delete { space: space.to_owned(), ids, timeout_ms: TIMEOUT_MS };
    match delegate::ask(&Request::Call { work: Work::Delete(delete) }, &[]) {
        Ok(Said::Reply(Reply { head: Head::Deleted, .. })) => {}
        said => fail(said),
    }
}

fn id(text: &str) -> Id {
    text.parse().unwrap_or_else(|why| {
        error::raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, format!("version: {why}"), None)
    })
}

fn fail(said: Result<Said, delegate::Lost>) -> ! {
    let error = bytes::failed(said, "Nothing more was removed.");
    error::raise(PgSqlErrorCode::ERRCODE_IO_ERROR, error.to_string(), None)
}
