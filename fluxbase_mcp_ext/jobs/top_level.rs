//! A CALL at top level, as `exec_simple_query` of Postgres makes one: what it calls may COMMIT and ROLLBACK.
//!
//! Invariant: the statement is made of nodes, and no text is parsed, so what runs is the procedure of that oid and no other.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::prelude::*;

use super::process::{self, Failed};

/// Every row, as `FETCH ALL` has it.
const ALL: std::ffi::c_long = std::ffi::c_long::MAX;

/// Calls a procedure without an argument, or with one of that type. `end` runs in the last transaction that the procedure left open, and is
/// committed with it. The rights are those of the session.
///
/// # Errors
/// [`Failed`]: the transaction that was open then was rolled back; what the procedure had committed before stays.
pub fn call(
    procedure: pg_sys::Oid,
    argument: Option<(pg_sys::Oid, &CStr)>,
    end: impl FnOnce() -> Result<(), Failed>,
) -> Result<(), Failed> {
    // SAFETY: the calls are in Postgres's own order, those of exec_simple_query; no snapshot but the portal's is there while it runs, which is
    // what SPI_commit asks for. The nodes outlive every transaction. Whatever was raised, the transaction is ended before this is left.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
            pg_sys::StartTransactionCommand();
            let outer = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let statement = statement(procedure, argument);
            let statements = pg_sys::lappend(std::ptr::null_mut(), statement.cast());
            pg_sys::MemoryContextSwitchTo(outer);
            let portal = pg_sys::CreatePortal(c"".as_ptr(), true, true);
            (*portal).visible = false;
            pg_sys::PortalDefineQuery(
                portal,
                std::ptr::null(),
                c"CALL".as_ptr(),
                pg_sys::CommandTag::CMDTAG_CALL,
                statements,
                std::ptr::null_mut(),
            );
            pg_sys::PortalStart(portal, std::ptr::null_mut(), 0, std::ptr::null_mut());
            let nowhere = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone);
            let done = std::ptr::null_mut();
            #[cfg(feature = "pg18")]
            pg_sys::PortalRun(portal, ALL, true, nowhere, nowhere, done);
            #[cfg(not(feature = "pg18"))]
            pg_sys::PortalRun(portal, ALL, true, true, nowhere, nowhere, done);
            pg_sys::PortalDrop(portal, false);
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            end()?;
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            Ok(())
        }))
        .catch_others(|caught| Err(process::failed(&caught)))
        .execute();
        if outcome.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        pg_sys::pgstat_report_stat(false);
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        outcome
    }
}

/// # Safety
/// In a transaction; the nodes are made in the current memory context.
unsafe fn statement(
    procedure: pg_sys::Oid,
    argument: Option<(pg_sys::Oid, &CStr)>,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: memory of the right size that is zeroed, and a tag for each node. A payload that its type cannot read is an error of Postgres.
    unsafe {
        let arguments = argument.map_or(std::ptr::null_mut(), |(kind, text)| {
            let (mut input, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(kind, &mut input, &mut parameter);
            let value = pg_sys::OidInputFunctionCall(input, text.as_ptr().cast_mut(), parameter, -1);
            let node = pg_sys::makeConst(kind, -1, pg_sys::InvalidOid, -1, value, false, false);
            pg_sys::lappend(std::ptr::null_mut(), node.cast())
        });
        let call = pg_sys::palloc0(size_of::<pg_sys::CallStmt>()).cast::<pg_sys::CallStmt>();
        (*call).type_ = pg_sys::NodeTag::T_CallStmt;
        (*call).funcexpr = pg_sys::makeFuncExpr(
            procedure,
            pg_sys::VOIDOID,
            arguments,
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
        .cast();
        let planned = pg_sys::palloc0(size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
        (*planned).type_ = pg_sys::NodeTag::T_PlannedStmt;
        (*planned).commandType = pg_sys::CmdType::CMD_UTILITY;
        (*planned).canSetTag = true;
        (*planned).utilityStmt = call.cast();
        (*planned).stmt_location = -1;
        planned
    }
}
