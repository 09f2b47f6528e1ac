//! The rows: `storage.buckets` and `storage.objects`, which `mcp.install('{storage}')` makes.
//!
//! A caller's rows are read and written as the caller. Where the store keeps the bytes (`storage.origin`), and which version a row stands for,
//! is read and written as the owner of the tables. An owner that is neither superuser nor the extension's own is not trusted: a schema of that
//! name that somebody else made is not used at all.

use fluxbase_delegate::Id;
use fluxbase_storage::page;
use pgrx::datum::DatumWithOid;
use pgrx::{Spi, pg_sys};
use serde::Deserialize;

use crate::error::Error;
use crate::guard;
use crate::tools::part::Part;

const PART: Part =
    Part { schema: "storage", tables: "{origin,buckets,objects,object_permissions}", example: "objects" };

const ORIGIN: &str = "
SELECT pg_catalog.json_build_object(
           'space', o.space,
           'ours', o.system_identifier OPERATOR(pg_catalog.=) (pg_catalog.pg_control_system()).system_identifier
                   AND o.database_name OPERATOR(pg_catalog.=) pg_catalog.current_database(),
           'fresh', pg_catalog.replace(pg_catalog.gen_random_uuid()::pg_catalog.text, '-', ''))::pg_catalog.text
  FROM storage.origin AS o";

const FIND: &str = "
SELECT pg_catalog.json_build_object(
           'version', pg_catalog.replace(o.version::pg_catalog.text, '-', ''), 'size', o.size, 'etag', coalesce(o.etag, ''),
           'content_type', o.mime_type)::pg_catalog.text
  FROM storage.objects AS o
 WHERE o.bucket_id OPERATOR(pg_catalog.=) $1 AND o.path OPERATOR(pg_catalog.=) $2 AND o.version IS NOT NULL";

const BUCKET: &str = "
SELECT 'y' WHERE EXISTS (SELECT FROM storage.buckets AS b WHERE b.id OPERATOR(pg_catalog.=) $1)";

const ANY_OBJECT: &str = "
SELECT 'y' WHERE EXISTS (SELECT FROM storage.objects AS o WHERE o.bucket_id OPERATOR(pg_catalog.=) $1)";

const BUCKETS: &str = "
SELECT s.id, pg_catalog.row_to_json(s)::pg_catalog.text
  FROM (SELECT b.id, b.name, b.public, b.created_at, b.max_file_size, b.allowed_mime_types
          FROM storage.buckets AS b
         WHERE pg_catalog.starts_with(pg_catalog.lower(b.id), pg_catalog.lower($1))
         ORDER BY b.id USING OPERATOR(pg_catalog.<)
         LIMIT $2) AS s";

const REPLACE: &str = "
UPDATE storage.objects AS o
   SET mime_type = $3, metadata = coalesce($4::pg_catalog.jsonb, '{}')
 WHERE o.bucket_id OPERATOR(pg_catalog.=) $1 AND o.path OPERATOR(pg_catalog.=) $2
RETURNING pg_catalog.json_build_object('id', o.id, 'version', pg_catalog.replace(o.version::pg_catalog.text, '-', ''))::pg_catalog.text";

/// Somebody else may have been quicker.
const ADD: &str = "
INSERT INTO storage.objects AS o (bucket_id, path, mime_type, metadata)
VALUES ($1, $2, $3, coalesce($4::pg_catalog.jsonb, '{}'))
    ON CONFLICT (bucket_id, path) DO UPDATE SET mime_type = EXCLUDED.mime_type, metadata = EXCLUDED.metadata
RETURNING pg_catalog.json_build_object('id', o.id, 'version', pg_catalog.replace(o.version::pg_catalog.text, '-', ''))::pg_catalog.text";

const ADD_NEW: &str = "
INSERT INTO storage.objects AS o (bucket_id, path, mime_type, metadata)
VALUES ($1, $2, $3, coalesce($4::pg_catalog.jsonb, '{}'))
    ON CONFLICT (bucket_id, path) DO NOTHING
RETURNING pg_catalog.json_build_object('id', o.id, 'version', NULL)::pg_catalog.text";

const SET_VERSION: &str = "
UPDATE storage.objects AS o
   SET version = $2::pg_catalog.uuid, size = $3, etag = $4
 WHERE o.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid
RETURNING 'y'";

const DELETE: &str = "
DELETE FROM storage.objects AS o
 WHERE o.bucket_id OPERATOR(pg_catalog.=) $1 AND o.path OPERATOR(pg_catalog.=) $2
RETURNING coalesce(pg_catalog.replace(o.version::pg_catalog.text, '-', ''), '')";

/// As `mcp._version_lock` has it. Nobody waits for it: the sweep tries it only.
const LOCK: &str = "
SELECT 'y' FROM pg_catalog.pg_advisory_xact_lock_shared($1)";

const LOCK_ALONE: &str = "
SELECT 'y' FROM pg_catalog.pg_advisory_xact_lock($1)";

/// Yes only when it is sure: a snapshot older than the lock, or a policy, would hide a row.
const UNNAMED: &str = "
SELECT 'y'
 WHERE pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.=) 'read committed'
   AND NOT pg_catalog.row_security_active('storage.objects')
   AND NOT EXISTS (SELECT FROM storage.objects AS o WHERE o.version OPERATOR(pg_catalog.=) $1::pg_catalog.uuid)";

/// The tables, and where the store keeps their bytes.
#[derive(Debug)]
pub struct Tables {
    owner: pg_sys::Oid,
    /// Whose files these are, for the store.
    pub space: String,
    /// Whether this is the database that made them, not a copy of it: a copy removes no bytes.
    pub ours: bool,
    /// A version that nobody has.
    pub fresh: Id,
}

/// An object that the caller may see.
#[derive(Debug, Deserialize)]
pub struct Found {
    pub version: Id,
    pub size: u64,
    pub etag: String,
    pub content_type: String,
}

/// A row that the caller has written, and the version that it had.
#[derive(Debug, Deserialize)]
pub struct Row {
    id: String,
    pub version: Option<Id>,
}

/// What is to be written.
pub struct New<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub content_type: &'a str,
    pub metadata: Option<&'a str>,
}

/// The tables, if there are any that may be used.
pub fn tables(nothing: &str) -> Result<Tables, Error> {
    let owner = PART.owner(nothing)?.ok_or_else(|| {
        Error::refused(
            "42P01",
            format!("stored files are not installed in this database. {nothing}"),
            "An administrator runs: SELECT mcp.install('{storage}');".to_owned(),
        )
    })?;
    #[derive(Deserialize)]
    struct Origin {
        space: String,
        ours: bool,
        fresh: Id,
    }
    match guard::as_role(owner, || first(ORIGIN, &[])) {
        Some(line) => {
            let Origin { space, ours, fresh } = parsed(&line);
            Ok(Tables { owner, space, ours, fresh })
        }
        None => Err(Error::internal("storage.origin has no row")),
    }
}

/// The object of that name, if the caller may see it and it has bytes.
pub fn find(bucket: &str, key: &str) -> Option<Found> {
    first(FIND, &[bucket.into(), key.into()]).map(|line| parsed(&line))
}

/// Whether the caller may see the bucket itself.
pub fn sees_bucket(bucket: &str) -> bool {
    first(BUCKET, &[bucket.into()]).is_some()
}

/// Whether the caller may see anything in it.
pub fn sees_any(bucket: &str) -> bool {
    first(ANY_OBJECT, &[bucket.into()]).is_some()
}

/// The buckets that the caller may see and whose ids begin with `typed`, whatever its case: id and JSON text each, at most `limit`.
pub fn buckets(typed: &str, limit: i64) -> Vec<(String, String)> {
    rows(BUCKETS, &[typed.into(), limit.into()])
}

/// Objects in the order of their keys, from a key on and before another one: key and JSON text each.
pub fn objects(bucket: &str, from: &page::From, before: Option<&str>, limit: usize) -> Vec<(String, String)> {
    let (operator, from) = match from {
        page::From::At(key) => (">=", key),
        page::From::After(key) => (">", key),
    };
    // Without the last condition where there is no bound: an OR would read on to the end of the bucket.
    let bound = if before.is_some() { "AND o.path OPERATOR(pg_catalog.<) $4" } else { "AND $4 IS NULL" };
    let statement = format!(
        "
SELECT o.path,
       pg_catalog.json_build_object('key', o.path, 'size', o.size, 'content_type', o.mime_type, 'etag', o.etag,
                                    'last_modified', o.updated_at)::pg_catalog.text
  FROM storage.objects AS o
 WHERE o.bucket_id OPERATOR(pg_catalog.=) $1 AND o.path OPERATOR(pg_catalog.{operator}) $2 {bound} AND o.version IS NOT NULL
 ORDER BY o.path USING OPERATOR(pg_catalog.<)
 LIMIT $3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows(&statement, &[bucket.into(), from.as_str().into(), limit.into(), before.into()])
}

/// Writes to the object that is there, if the caller may.
pub fn replace(new: &New<'_>) -> Option<Row> {
    write(REPLACE, &values(new)).map(|line| parsed(&line))
}

/// Adds the object, or with `overwrite` writes to the one that was added meanwhile; `None` when there is one that shall stay.
pub fn add(new: &New<'_>, overwrite: bool) -> Option<Row> {
    write(if overwrite { ADD } else { ADD_NEW }, &values(new)).map(|line| parsed(&line))
}

/// Says which bytes the row stands for, which no caller may.
pub fn set_version(tables: &Tables, row: &Row, version: Id, size: u64, etag: &str) {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let values = [row.id.as_str().into(), version.to_string().into(), size.into(), etag.into()];
    if guard::as_role(tables.owner, || write(SET_VERSION, &values)).is_none() {
        panic!("the row of an object that was just written is not there");
    }
}

/// Until the transaction ends, the sweep leaves this version alone.
pub fn lock(tables: &Tables, version: Id) {
    guard::as_role(tables.owner, || write(LOCK, &[number(version).into()]));
}

/// Whether no row names the version. Waits for a transaction that is about to write one ([`lock`]), and keeps others from it until this one ends.
pub fn is_unnamed(tables: &Tables, version: Id) -> bool {
    guard::as_role(tables.owner, || {
        write(LOCK_ALONE, &[number(version).into()]);
        write(UNNAMED, &[version.to_string().into()]).is_some()
    })
}

/// What stands for a version among advisory locks, as `mcp._version_lock` has it.
fn number(version: Id) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = version.0;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Deletes the row, if the caller may; the version that it had.
pub fn delete(bucket: &str, key: &str) -> Option<Option<Id>> {
    write(DELETE, &[bucket.into(), key.into()]).map(|version| version.parse().ok())
}

fn values<'a>(new: &New<'a>) -> [DatumWithOid<'a>; 4] {
    [new.bucket.into(), new.key.into(), new.content_type.into(), new.metadata.into()]
}

fn parsed<'a, T: Deserialize<'a>>(line: &'a str) -> T {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("storage: {error}"))
}

fn first(statement: &str, values: &[DatumWithOid<'_>]) -> Option<String> {
    Spi::connect(|client| {
        let rows = client.select(statement, Some(1), values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading storage: {error}"))
}

fn rows(statement: &str, values: &[DatumWithOid<'_>]) -> Vec<(String, String)> {
    Spi::connect(|client| {
        let rows = client.select(statement, None, values)?;
        let pairs = rows.map(|row| Ok((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default())));
        pairs.collect::<Result<Vec<_>, pgrx::spi::Error>>()
    })
    .unwrap_or_else(|error| panic!("reading storage: {error}"))
}

fn write(statement: &str, values: &[DatumWithOid<'_>]) -> Option<String> {
    Spi::connect_mut(|client| {
        let rows = client.update(statement, Some(1), values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("writing storage: {error}"))
}
