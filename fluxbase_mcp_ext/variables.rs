//! Functions of Postgres that only read a variable of this backend, called as they are.
//!
//! pgrx prepares for an error of every function that it calls, with a sigsetjmp and a check of the thread: about 80 instructions in 120 bytes of
//! code of each place, for functions that have five. None of those here raises an error in any version that we build for (14 to 18), allocates or
//! takes a lock; a function that may do so does not belong here. Those that set something of a variable are in `guard`.
#![allow(unsafe_code)]

use pgrx::pg_sys;

// SAFETY: declared as in the headers named; without arguments and without a way to fail.
unsafe extern "C-unwind" {
    // access/xact.h
    pub(crate) safe fn GetCurrentStatementStartTimestamp() -> pg_sys::TimestampTz;
    pub(crate) safe fn GetCurrentTransactionNestLevel() -> i32;
    pub(crate) safe fn IsTransactionBlock() -> bool;
    // miscadmin.h
    pub(crate) safe fn GetUserId() -> pg_sys::Oid;
    pub(crate) safe fn GetSessionUserId() -> pg_sys::Oid;
    // utils/timestamp.h: asks the system for the time.
    pub(crate) safe fn GetCurrentTimestamp() -> pg_sys::TimestampTz;
}
