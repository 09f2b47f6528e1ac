//! Runs trees that were made before, collects their rows, and turns them into JSON.
//!
//! Invariants: just the given trees are run, no text; a reading query stops after as many rows as are wanted; the rows are turned into JSON
//! by a statement over them, which stops at the size bound.
#![allow(unsafe_code)]

use fluxbase_query::{Column, Param, Values};
use pgrx::{PgTupleDesc, pg_sys};

use super::{Bounds, Rows, Running, Sink, bind, items, prepare};
use crate::catalog;
use crate::error::Error;
use crate::registered::Work;

unsafe extern "C-unwind" {
    /// executor/tstoreReceiver.h; it only fills in the receiver.
    fn SetTuplestoreDestReceiverParams(
        receiver: *mut pg_sys::DestReceiver,
        store: *mut pg_sys::Tuplestorestate,
        context: pg_sys::MemoryContext,
        detoast: bool,
        target: pg_sys::TupleDesc,
        message: *const std::ffi::c_char,
    );
}

/// What the rows are called in the statement over them.
const ROWS: &std::ffi::CStr = c"_rows";

/// Rows that were produced. They live in the memory context in which they were made.
pub struct Collected {
    store: *mut pg_sys::Tuplestorestate,
    described: pg_sys::TupleDesc,
    /// Their columns, with names that are unique; `None` when nothing is returned.
    pub columns: Option<Vec<Column>>,
    /// How many rows were produced or touched.
    pub processed: u64,
}

/// Runs `work` with `params`. `most`: the rows that are wanted of a query that only reads; `None` for one that has to run to its end.
///
/// # Errors
/// Errors of Postgres are raised, for the guard to catch.
pub fn collect(work: &Work, params: &[Param], most: Option<u64>) -> Result<Collected, Error> {
    // SAFETY: snapshots are pushed and popped in pairs; on an error the guard's rollback frees executor, store and snapshot.
    unsafe {
        let params = bind(Values::own(params));
        let store = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
        let receiver = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
        SetTuplestoreDestReceiverParams(
            receiver,
            store,
            pg_sys::CurrentMemoryContext,
            false,
            std::ptr::null_mut(),
            std::ptr::null(),
        );
        let (mut described, mut processed): (pg_sys::TupleDesc, u64) = (std::ptr::null_mut(), 0);
        pg_sys::CommandCounterIncrement();
        match *work {
            Work::Call(call) => {
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
                described = pg_sys::CallStmtResultDesc(call);
                pg_sys::ExecuteCallStmt(call, params, true, receiver);
                pg_sys::PopActiveSnapshot();
            }
            Work::Queries(queries) => {
                for &query in items::<pg_sys::Query>(queries) {
                    pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
                    let tells = (*query).canSetTag;
                    let options = pg_sys::CURSOR_OPT_PARALLEL_OK as i32;
                    let plan = pg_sys::pg_plan_query(query, c"".as_ptr(), options, params);
                    let running = pg_sys::CreateQueryDesc(
                        plan,
                        c"".as_ptr(),
                        pg_sys::GetActiveSnapshot(),
                        std::ptr::null_mut(),
                        if tells { receiver } else { pg_sys::None_Receiver },
                        params,
                        std::ptr::null_mut(),
                        0,
                    );
                    pg_sys::ExecutorStart(running, 0);
                    if tells {
                        described = pg_sys::CreateTupleDescCopy((*running).tupDesc);
                    }
                    let forward = pg_sys::ScanDirection::ForwardScanDirection;
                    #[cfg(not(feature = "pg18"))]
                    pg_sys::ExecutorRun(running, forward, most.unwrap_or(0), true);
                    #[cfg(feature = "pg18")]
                    pg_sys::ExecutorRun(running, forward, most.unwrap_or(0));
                    if tells {
                        processed = (*(*running).estate).es_processed;
                    }
                    pg_sys::ExecutorFinish(running);
                    pg_sys::ExecutorEnd(running);
                    pg_sys::FreeQueryDesc(running);
                    pg_sys::PopActiveSnapshot();
                    pg_sys::CommandCounterIncrement();
                }
            }
        }
        pg_sys::CommandCounterIncrement();
        let columns = match described.is_null() || (*described).natts == 0 {
            true => None,
            false => Some(catalog::columns(unique(described))?),
        };
        Ok(Collected { store, described, columns, processed })
    }
}

/// The columns of a result. A name that is there again gets a number.
///
/// # Safety
/// The descriptor is complete and lives on.
unsafe fn unique(described: pg_sys::TupleDesc) -> Vec<(String, u32)> {
    // SAFETY: as required of our caller; the copy is counted by nobody.
    let described = unsafe { PgTupleDesc::from_pg_copy(described) };
    let mut columns: Vec<(String, u32)> = Vec::with_capacity(described.len());
    for attribute in described.iter() {
        let first = attribute.name().to_owned();
        let mut name = first.clone();
        let mut number = 1;
        while columns.iter().any(|(known, _)| *known == name) {
            number += 1;
            name = format!("{first}_{number}");
        }
        columns.push((name, attribute.atttypid.to_u32()));
    }
    columns
}

impl Collected {
    /// The rows as `sql` shows them: one column of type json, from the relation `_rows`.
    ///
    /// # Errors
    /// As for [`super::run`].
    pub fn show(&self, sql: &str, bounds: Bounds) -> Result<Rows, Error> {
        let _running = Running::enter();
        let mut sink = Sink::new(bounds, true);
        // SAFETY: store and descriptor live as long as we do; connect and finish are paired, and on an error the guard's rollback ends the
        // connection. The sink outlives the execution.
        unsafe {
            if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
                return Err(Error::internal("SPI_connect failed"));
            }
            let relation: *mut pg_sys::EphemeralNamedRelationData =
                pg_sys::palloc0(size_of::<pg_sys::EphemeralNamedRelationData>()).cast();
            (*relation).md.name = ROWS.as_ptr().cast_mut();
            (*relation).md.tupdesc = self.described;
            (*relation).md.enrtype = pg_sys::EphemeralNameRelationType::ENR_NAMED_TUPLESTORE;
            (*relation).md.enrtuples = pg_sys::tuplestore_tuple_count(self.store) as f64;
            (*relation).reldata = self.store.cast();
            if pg_sys::SPI_register_relation(relation) != pg_sys::SPI_OK_REL_REGISTER as i32 {
                return Err(Error::internal("SPI_register_relation failed"));
            }
            let plan = prepare(sql, &mut [])?;
            let options = pg_sys::SPIExecuteOptions {
                params: std::ptr::null_mut(),
                read_only: true,
                allow_nonatomic: false,
                must_return_tuples: false,
                tcount: 0,
                dest: (&raw mut sink).cast(),
                owner: std::ptr::null_mut(),
            };
            let code = pg_sys::SPI_execute_plan_extended(plan, &options);
            if code < 0 {
                return Err(Error::internal(&format!("SPI_execute_plan_extended returned {code}")));
            }
            pg_sys::SPI_finish();
        }
        Ok(sink.rows)
    }
}
