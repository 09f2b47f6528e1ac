//! The audit's functions of SQL: what the writer takes, what the listener tells, how it stands.

use std::net::IpAddr;

use fluxbase_record::record::Records;
use fluxbase_record::{Record, Source, Why};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use super::shared::{self, SHARED};
use super::{ENDED, NONE, is_here, now, refused, settle, writer};
use crate::error;
use crate::gucs::{self, Audit};
use crate::jobs::process;

/// The records of the batch that the writer writes; nothing in any other process.
#[pg_extern(sql = "
CREATE FUNCTION mcp._audit_batch()
    RETURNS TABLE (at pg_catalog.timestamptz, duration_ms pg_catalog.float8, source pg_catalog.text, key_id pg_catalog.text,
                   role pg_catalog.text, login pg_catalog.text, address pg_catalog.text, pid pg_catalog.int4, method pg_catalog.text,
                   tool pg_catalog.text, object pg_catalog.text, rows pg_catalog.int8, outcome pg_catalog.text, status pg_catalog.int4,
                   code pg_catalog.text, times pg_catalog.int4, note pg_catalog.text, arguments pg_catalog.text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)]
fn audit_batch() -> TableIterator<
    'static,
    (
        name!(at, Option<TimestampWithTimeZone>),
        name!(duration_ms, f64),
        name!(source, &'static str),
        name!(key_id, Option<String>),
        name!(role, Option<String>),
        name!(login, Option<String>),
        name!(address, Option<String>),
        name!(pid, Option<i32>),
        name!(method, Option<String>),
        name!(tool, Option<String>),
        name!(object, Option<String>),
        name!(rows, Option<i64>),
        name!(outcome, &'static str),
        name!(status, Option<i32>),
        name!(code, Option<String>),
        name!(times, i32),
        name!(note, Option<String>),
        name!(arguments, Option<String>),
    ),
> {
    // What JSON may hold and a text of Postgres may not: one such name must not keep a whole batch from being written.
    let text = |text: &str| (!text.is_empty()).then(|| text.replace('\0', "\u{fffd}"));
    let rows: Vec<_> = writer::BATCHED.with_borrow(|bytes| {
        Records(bytes)
            .map(|record| {
                (
                    timestamp(record.at),
                    record.duration as f64 / 1000.0,
                    record.source.as_str(),
                    text(record.key_id),
                    role_name(record.role),
                    role_name(record.login),
                    record.address.map(|address| address.to_string()),
                    (record.pid != 0).then_some(record.pid),
                    text(record.method),
                    text(record.tool),
                    text(record.object),
                    record.rows.and_then(|rows| i64::try_from(rows).ok()),
                    record.outcome.as_str(),
                    (record.status != 0).then_some(i32::from(record.status)),
                    code(&record),
                    i32::try_from(record.times).unwrap_or(i32::MAX),
                    text(record.note),
                    text(record.arguments),
                )
            })
            .collect()
    });
    TableIterator::new(rows)
}

/// The SQLSTATE, or else the code of the JSON-RPC error.
fn code(record: &Record<'_>) -> Option<String> {
    if record.sqlstate != NONE {
        return std::str::from_utf8(&record.sqlstate).ok().map(str::to_owned);
    }
    (record.rpc_code != 0).then(|| record.rpc_code.to_string())
}

/// A moment as Postgres counts it.
fn timestamp(at: i64) -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(at).ok()
}

/// The name of a role; its oid when it is gone.
#[allow(unsafe_code)]
fn role_name(role: u32) -> Option<String> {
    if role == 0 {
        return None;
    }
    // SAFETY: within a statement; the name is copied before anything can free it.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::Oid::from(role), true);
        if name.is_null() {
            return Some(role.to_string());
        }
        Some(std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// What the listener refused before Postgres was asked: the reason in its fixed words, the client's address, how often.
#[pg_extern(sql = "
CREATE FUNCTION mcp._audit_refused(why pg_catalog.text, address pg_catalog.text, times pg_catalog.int4) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn audit_refused(why: &str, address: &str, times: i32) {
    let told = match Why::parse(why) {
        Some(why @ (Why::Malformed | Why::TooManyWrong | Why::Host)) => Some(why),
        // The others are found in Postgres.
        _ => None,
    };
    let (Some(why), Ok(times @ 1..)) = (told, u32::try_from(times)) else {
        error::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "nothing that a listener refuses",
            Some("This function is for fluxbase serve.".to_owned()),
        );
    };
    refused(why, "", address.parse::<IpAddr>().ok(), times);
}

/// A record of the audit's own doings, such as what became too old.
#[pg_extern(sql = "
CREATE FUNCTION mcp._audit_note(method pg_catalog.text, note pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn audit_note(method: &str, note: &str) {
    let record = Record { at: now(), times: 1, source: Source::Audit, method, note, ..Record::default() };
    ENDED.with_borrow_mut(|ended| record.encode(ended));
    settle();
}

/// How the audit of this database stands.
#[pg_extern(sql = "
CREATE FUNCTION mcp.audit_status()
    RETURNS TABLE (state pg_catalog.text, pid pg_catalog.int4, waiting pg_catalog.int4, lost pg_catalog.int8, hint pg_catalog.text)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)]
fn audit_status() -> TableIterator<
    'static,
    (
        name!(state, &'static str),
        name!(pid, Option<i32>),
        name!(waiting, i32),
        name!(lost, i64),
        name!(hint, Option<&'static str>),
    ),
> {
    let none = |state, hint| TableIterator::once((state, None, 0, 0, Some(hint)));
    if !is_here() {
        return none("not installed", "SELECT mcp.install('{audit}');");
    }
    if gucs::audit() == Audit::Off {
        return none("off", "ALTER SYSTEM SET mcp.audit = on; SELECT pg_reload_conf();");
    }
    if !shared::is_used() {
        return none(
            "server log",
            "Records are lines of the server's log: this is a standby, or fluxbase_mcp_ext is not in shared_preload_libraries.",
        );
    }
    let database = process::database();
    let (writer, waiting, lost) = {
        let shared = SHARED.share();
        (shared.writer(database), shared.buffer.waiting(database), shared.buffer.lost(database))
    };
    let (state, hint) = match writer {
        Some(writer) if writer.is_there() && writer.failing => {
            ("failing", Some("Records wait: the server log says why they cannot be written."))
        }
        Some(writer) if writer.is_there() => ("writing", None),
        _ => (
            "waiting",
            Some(
                "The next call starts the process that writes. It takes one of max_worker_processes; the server log says why if it does not stay.",
            ),
        ),
    };
    let pid = writer.map(|writer| writer.pid()).filter(|&pid| pid != 0);
    TableIterator::once((
        state,
        pid,
        i32::try_from(waiting).unwrap_or(i32::MAX),
        i64::try_from(lost).unwrap_or(i64::MAX),
        hint,
    ))
}
