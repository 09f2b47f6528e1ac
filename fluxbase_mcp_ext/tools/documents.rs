//! `add_document`, `delete_document`: documents of the knowledge bases that `ai.create_knowledge_base` makes.
//!
//! Invariants:
//! - Statements run as the caller: the policies of ai.documents decide what it may add, change and remove, and what it may not see is
//!   answered as what does not exist.
//! - Tables of these names that are not ours are not used at all.
//! - Chunks follow by a trigger, in the same transaction; vectors follow in the background (`jobs::embedder`). Neither is made here.
//!
//! How text becomes chunks is the crate `fluxbase_knowledge`'s.

pub mod add;
pub mod delete;

use fluxbase_knowledge::{Chunking, Strategy};
use fluxbase_query::{Arguments, QueryError, show};
use pgrx::PgSqlErrorCode;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::error::{self, Error};
use crate::guard;

const NOTHING_CHANGED: &str = "Nothing was changed.";
const THERE: &str = "SELECT mcp._documents_there()::pg_catalog.text";

/// The chunks of a text, in its order, offsets in characters from 0. An error when the numbers make none.
#[pg_extern(sql = "
CREATE FUNCTION mcp._chunks(content pg_catalog.text, strategy pg_catalog.text, size pg_catalog.int4, overlap pg_catalog.int4)
    RETURNS TABLE (chunk_index pg_catalog.int4, content pg_catalog.text, start_offset pg_catalog.int4, end_offset pg_catalog.int4)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)]
pub fn chunks(
    content: &str,
    strategy: &str,
    size: i32,
    overlap: i32,
) -> TableIterator<
    'static,
    (name!(chunk_index, i32), name!(content, String), name!(start_offset, i32), name!(end_offset, i32)),
> {
    let refuse = |why: String| -> ! {
        error::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("chunk_{why}. {NOTHING_CHANGED}"),
            None,
        )
    };
    let Some(known) = Strategy::parse(strategy) else {
        refuse(format!("strategy: {} is none of recursive, sentence, fixed", show(strategy)))
    };
    let chunking =
        Chunking::new(known, size.into(), overlap.into()).unwrap_or_else(|why| refuse(why.to_string()));
    let rows: Vec<_> = (0..)
        .zip(chunking.chunks(content))
        // A document has at most 4 MB.
        .map(|(at, chunk)| (at, chunk.text.to_owned(), chunk.start as i32, chunk.end as i32))
        .collect();
    TableIterator::new(rows)
}

/// Whether this database has tables of documents that are ours.
pub fn are_there() -> bool {
    guard::as_owner(|| first(THERE, &[])).as_deref() == Some("true")
}

fn there() -> Result<(), Error> {
    if are_there() {
        return Ok(());
    }
    Err(Error::refused(
        "42P01",
        format!("documents are not installed in this database. {NOTHING_CHANGED}"),
        "An administrator runs: SELECT * FROM mcp.install('{ai}');".to_owned(),
    ))
}

/// An argument that is the id of a document.
fn id(args: &Arguments) -> Result<Option<String>, QueryError> {
    let Some(text) = args.str("document_id")? else { return Ok(None) };
    let form = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if form {
        Ok(Some(text.to_ascii_lowercase()))
    } else {
        Err(args.unfit("document_id", &format!("{} is no id of a document, which is a UUID", show(&text))))
    }
}

/// The error for a document that the caller may not change, or that is not there.
fn unknown(id: &str) -> Error {
    Error::refused(
        "02000",
        format!("document_id: there is no document {id} that you may change. {NOTHING_CHANGED}"),
        "search_vectors tells document_id of what it finds; only the user who added a document may change it.".to_owned(),
    )
}

/// The first column of the first row, as the current role.
fn first(statement: &str, values: &[DatumWithOid<'_>]) -> Option<String> {
    Spi::connect(|client| {
        let rows = client.select(statement, Some(1), values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: spi::Error| panic!("reading documents: {error}"))
}

/// The same of a statement that writes.
fn write(statement: &str, values: &[DatumWithOid<'_>]) -> Option<String> {
    Spi::connect_mut(|client| {
        let rows = client.update(statement, None, values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: spi::Error| panic!("writing documents: {error}"))
}
