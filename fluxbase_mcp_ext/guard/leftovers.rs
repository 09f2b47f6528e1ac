//! What outlives even the rollback of a transaction, ended after each call of the listener's: the next call on the connection is
//! somebody else's.
//!
//! Invariants:
//! - Locks, sequences and the seed of random() are taken back here and the connection serves on.
//! - What cannot be taken back (objects in pg_temp, connections of dblink) makes the backend spent: it answers no further call
//!   ([`spent`]), and the listener is told to close it. That holds after a cancelled or failed call, too.
//!
//! It does not know settings, cursors and the role: their ends are the guard's. Other libraries may keep what they like (globals of
//! PL/Perl or PL/Python): docs/security.md tells of those.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use pgrx::{IntoDatum, direct_function_call, pg_sys};

use super::Access;

/// `USER_LOCKMETHOD` of storage/lock.h: the lock method of advisory locks.
const USER_LOCKS: pg_sys::LOCKMETHODID = 2;

unsafe extern "C-unwind" {
    // commands/sequence.h; not among pgrx's bindings. It only forgets and raises no error.
    fn ResetSequenceCaches();
    // catalog/namespace.h. Not pgrx's wrapper, for the reason that is in `variables`: it copies two variables.
    fn GetTempNamespaceState(schema: *mut pg_sys::Oid, toast: *mut pg_sys::Oid);
}

thread_local! {
    static SPENT: Cell<bool> = const { Cell::new(false) };
    /// Libraries that were loaded when we last looked for dblink, and what we saw.
    static LOADED: Cell<Option<u64>> = const { Cell::new(None) };
    static HAS_DBLINK: Cell<bool> = const { Cell::new(false) };
}

/// Whether something was left on this backend that no other caller may meet.
pub fn spent() -> bool {
    SPENT.get()
}

/// Whether this session has a schema for temporary objects.
pub(super) fn has_temporary_schema() -> bool {
    let (mut schema, mut toast) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: reads two variables of this backend.
    unsafe { GetTempNamespaceState(&mut schema, &mut toast) };
    schema != pg_sys::InvalidOid
}

/// Ends what a body left. `had_schema`: whether there were temporary objects before it, which are then whoever's who owns the session.
pub(super) fn end(access: Access, had_schema: bool) {
    // SAFETY: outside of any transaction block, so no lock and no sequence is used by anybody; neither raises an error.
    unsafe {
        pg_sys::LockReleaseSession(USER_LOCKS);
        if access == Access::Write {
            ResetSequenceCaches();
        }
    }
    seed_anew();
    if (!had_schema && has_temporary_schema()) || has_dblink() {
        SPENT.set(true);
    }
}

/// Gives random() a seed that nobody knows: setseed() of one caller would tell him the numbers of the next.
fn seed_anew() {
    // Keyed by the system's random numbers, another one each time.
    let bits = RandomState::new().hash_one(0u8) >> 11;
    let seed = bits as f64 / (1u64 << 52) as f64 - 1.0;
    // SAFETY: setseed takes one float8 between -1 and 1, and returns nothing.
    unsafe { direct_function_call::<()>(pg_sys::setseed, &[seed.into_datum()]) };
}

/// Whether the library of dblink is loaded. Its connections have no owner and no end but the backend's, and the unnamed one
/// shows in no list, so a loaded library is taken for an open connection. To look costs half a microsecond, so that is done only after
/// something was loaded.
fn has_dblink() -> bool {
    let loaded = libraries_loaded();
    if loaded.is_none() || loaded != LOADED.replace(loaded) {
        // SAFETY: looks a symbol up among the loaded libraries, where Postgres puts those of extensions, too (RTLD_GLOBAL).
        HAS_DBLINK.set(unsafe { !libc::dlsym(libc::RTLD_DEFAULT, c"dblink_connect".as_ptr()).is_null() });
    }
    HAS_DBLINK.get()
}

/// How often this process has loaded a library; `None` where the system does not count.
#[cfg(target_os = "linux")]
fn libraries_loaded() -> Option<u64> {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        adds: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: both are valid during the call; the second is the number below. 1 ends the walk.
        unsafe { adds.cast::<u64>().write((*info).dlpi_adds) };
        1
    }
    let mut adds = 0u64;
    // SAFETY: the callback writes to `adds` alone.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut adds).cast()) };
    Some(adds)
}

#[cfg(not(target_os = "linux"))]
fn libraries_loaded() -> Option<u64> {
    None
}
