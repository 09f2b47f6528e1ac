//! The bound on what a statement may cost: a plan above `mcp.max_plan_cost` is refused before it runs.
//!
//! Invariants:
//! - The plan that is judged is the plan that would run: Postgres shows it to us when it starts the execution.
//! - Only the statement being run is judged, not what triggers and functions run inside it, and nothing of other sessions' or
//!   callers' queries is touched, nor anything at all while there is no bound.
//! - A refusal tells figures and names only where no row-level security (nor a security barrier) is in the plan: with them, estimates would tell
//!   of hidden rows. A table is named to who has a privilege on it, a column to who may read it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_int;

use pgrx::{PgSqlErrorCode, Spi, pg_guard, pg_sys};
use serde::Deserialize;

use crate::{error, guard, gucs};

const SCAN: &str = include_str!("cost/scan.sql");
const PLAIN_HINT: &str = "Add a filter on an indexed column, or a smaller select. Nothing was run.";

thread_local! {
    static WATCHED: Cell<*mut pg_sys::DestReceiver> = const { Cell::new(std::ptr::null_mut()) };
    static INSTALLED: Cell<bool> = const { Cell::new(false) };
    static NEXT: Cell<pg_sys::ExecutorStart_hook_type> = const { Cell::new(None) };
}

/// Until the result is dropped, the statement whose rows go to `dest` is held to the bound, if there is one.
pub fn watch(dest: *mut pg_sys::DestReceiver) -> Option<Watch> {
    if gucs::max_plan_cost() <= 0.0 {
        return None;
    }
    if !INSTALLED.replace(true) {
        // SAFETY: a hook of this backend, which has one thread. It stays: others may have chained to it meanwhile.
        unsafe {
            NEXT.set(pg_sys::ExecutorStart_hook);
            pg_sys::ExecutorStart_hook = Some(start);
        }
    }
    Some(Watch { outer: WATCHED.replace(dest) })
}

/// What [`watch`] gives; dropping it, also while unwinding, goes back to the statement that was watched before.
pub struct Watch {
    outer: *mut pg_sys::DestReceiver,
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHED.set(self.outer);
    }
}

unsafe extern "C-unwind" {
    // Not pgrx's wrapper, which would raise an error of the executor anew, without its SQLSTATE, constraint or position.
    fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: c_int);
}

/// The hook. It holds nothing that needs dropping, so errors of Postgres may jump over it.
unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: c_int) {
    // SAFETY: Postgres's own arguments, handed on as they are.
    unsafe {
        let watched = WATCHED.get();
        if !watched.is_null() && (*query).dest == watched {
            judge(query);
        }
        match NEXT.get() {
            Some(next) => next(query, flags),
            None => standard_ExecutorStart(query, flags),
        }
    }
}

/// Raises an error when the plan is above the bound.
#[pg_guard]
unsafe extern "C-unwind" fn judge(query: *mut pg_sys::QueryDesc) {
    // SAFETY: a query that is about to start has its plan, which nobody changes while we read it.
    let refusal = unsafe {
        let planned = (*query).plannedstmt;
        let (cost, bound) = ((*(*planned).planTree).total_cost, gucs::max_plan_cost());
        if cost <= bound {
            return;
        }
        if is_veiled(planned) {
            ("the plan is above the bound of mcp.max_plan_cost".to_owned(), PLAIN_HINT.to_owned())
        } else {
            let message = format!("the plan costs {cost:.0}, above the bound of {bound} (mcp.max_plan_cost)");
            let named = dearest_scan(planned).and_then(|scan| named(planned, scan));
            (message, named.map_or_else(|| PLAIN_HINT.to_owned(), |named| named.hint()))
        }
    };
    error::raise(PgSqlErrorCode::ERRCODE_STATEMENT_TOO_COMPLEX, refusal.0, Some(refusal.1));
}

/// Whether a policy or a security barrier may keep rows of the plan from the current role.
///
/// # Safety
/// A complete plan.
unsafe fn is_veiled(planned: *mut pg_sys::PlannedStmt) -> bool {
    // SAFETY: the range table holds RangeTblEntry nodes; those of relations are locked, since the plan is about to run.
    unsafe {
        members::<pg_sys::RangeTblEntry>((*planned).rtable).any(|entry| {
            (*entry).security_barrier
                || (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION
                    && pg_sys::check_enable_rls((*entry).relid, pg_sys::InvalidOid, true)
                        == pg_sys::CheckEnableRlsResult::RLS_ENABLED as c_int
        })
    }
}

/// The sequential scan that costs most.
///
/// # Safety
/// A complete plan.
unsafe fn dearest_scan(planned: *mut pg_sys::PlannedStmt) -> Option<*mut pg_sys::Scan> {
    // SAFETY: a node is of the type that its tag says, and each of these types begins with a Plan; a SeqScan is a Scan.
    unsafe {
        let mut dearest: Option<*mut pg_sys::Plan> = None;
        let mut rest = vec![(*planned).planTree];
        rest.extend(members((*planned).subplans));
        while let Some(plan) = rest.pop() {
            if plan.is_null() {
                continue;
            }
            rest.extend([(*plan).lefttree, (*plan).righttree]);
            match (*plan).type_ {
                pg_sys::NodeTag::T_Append => {
                    rest.extend(members((*plan.cast::<pg_sys::Append>()).appendplans))
                }
                pg_sys::NodeTag::T_MergeAppend => {
                    rest.extend(members((*plan.cast::<pg_sys::MergeAppend>()).mergeplans));
                }
                pg_sys::NodeTag::T_SubqueryScan => rest.push((*plan.cast::<pg_sys::SubqueryScan>()).subplan),
                pg_sys::NodeTag::T_CustomScan => {
                    rest.extend(members((*plan.cast::<pg_sys::CustomScan>()).custom_plans));
                }
                pg_sys::NodeTag::T_SeqScan
                    if dearest.is_none_or(|found| (*found).total_cost < (*plan).total_cost) =>
                {
                    dearest = Some(plan);
                }
                _ => {}
            }
        }
        dearest.map(<*mut pg_sys::Plan>::cast)
    }
}

/// The table of a scan, as catalogs and privileges allow to speak of it.
#[derive(Deserialize)]
struct Named {
    table: String,
    /// The columns that the scan filters by.
    filtered: Vec<String>,
    /// Whether one of those does not lead an index.
    unindexed: bool,
    /// The columns that lead an index.
    indexed: Vec<String>,
}

impl Named {
    fn hint(&self) -> String {
        let Named { table, filtered, unindexed, indexed } = self;
        let (filtered, indexed) = (filtered.join(", "), indexed.join(", "));
        let advice = match (filtered.is_empty(), unindexed, indexed.is_empty()) {
            (false, true, true) => format!("An index on ({filtered}) may help."),
            (false, true, false) => {
                format!("An index on ({filtered}) may help, or a filter on an indexed column: {indexed}.")
            }
            (false, false, _) => format!(
                "The filter on ({filtered}) matches too many rows, or in a way that no index can follow: narrow it."
            ),
            (true, _, false) => format!("A filter on an indexed column would help: {indexed}."),
            (true, _, true) => "It has no index that a filter could use: its owner can add one.".to_owned(),
        };
        format!("{table} is read as a whole. {advice} Nothing was run.")
    }
}

/// # Safety
/// A scan of that plan.
unsafe fn named(planned: *mut pg_sys::PlannedStmt, scan: *mut pg_sys::Scan) -> Option<Named> {
    // SAFETY: scanrelid counts the entries of the range table from 1; the filter's variables are numbered alike.
    let (relation, columns) = unsafe {
        let number = (*scan).scanrelid;
        let entry = members::<pg_sys::RangeTblEntry>((*planned).rtable).nth(number as usize - 1)?;
        let mut found = std::ptr::null_mut();
        pg_sys::pull_varattnos((*scan).plan.qual.cast(), number, &mut found);
        let mut columns = Vec::new();
        let mut member = -1;
        loop {
            member = pg_sys::bms_next_member(found, member);
            if member < 0 {
                break;
            }
            columns.push((member + pg_sys::FirstLowInvalidHeapAttributeNumber) as i16);
        }
        ((*entry).relid, columns)
    };
    let hidden = gucs::hidden_schemas();
    let hidden: Vec<&str> =
        hidden.split(',').map(str::trim).chain(["pg_catalog", "information_schema"]).collect();
    let found = guard::with_pinned_path(|| {
        Spi::connect(|client| {
            let rows = client.select(SCAN, Some(1), &[relation.into(), columns.into(), hidden.into()])?;
            rows.first().get_one::<String>()
        })
    });
    match found {
        Ok(text) => serde_json::from_str(&text?).ok(),
        Err(pgrx::spi::Error::InvalidPosition) => None,
        Err(cause) => panic!("cost/scan.sql: {cause}"),
    }
}

/// # Safety
/// A list of pointers to `T`, or NULL.
unsafe fn members<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: as required of our caller; the elements of a list lie behind one another.
    unsafe {
        let length = if list.is_null() { 0 } else { (*list).length as usize };
        (0..length).map(move |n| (*(*list).elements.add(n)).ptr_value.cast::<T>())
    }
}
