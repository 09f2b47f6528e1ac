//! Runs one statement of the `query` crate: kept plan, typed parameters, rows carried as text.
//!
//! Invariants:
//! - Parameters go through their type's input function; no value is ever part of the statement's text.
//! - A plan is kept for one role (`plans`).
//! - Rows are one column of type json, the first, whose text is copied once, into the answer; or the members of the object are
//!   columns, and the object is written into the answer (`columns`). The size bound acts while rows are produced: a reading statement stops
//!   there, a writing one goes on and only its rows are left out. Columns after them are order keys (`keys`).
//!
//! It runs inside the guard and does not know whose role it is. It does not build SQL: see the `query` crate.
#![allow(unsafe_code)]

mod analyse;
mod collect;
mod columns;
pub mod fixed;
mod keys;
mod plans;

use std::cell::{Cell, RefCell};
use std::ffi::CString;

use fluxbase_query::{Statement, Values};
use pgrx::{pg_guard, pg_sys};
use serde::Deserialize;

use crate::cost;
use crate::error::Error;
use crate::guard::Access;
pub use analyse::{Analysed, analyse};
pub use collect::collect;
use columns::Columns;
pub use columns::push_integer;
pub use fixed::fixed;
use keys::Keys;
pub use plans::Found;
pub(crate) use plans::forget_plans;
use plans::{plan_for, prepare};

/// How much of a result is shown.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most rows. The statement's own LIMIT may ask for one more, to tell that there is more.
    pub max_rows: u64,
    /// The most characters of their text.
    pub max_chars: usize,
    /// So many rows at the begin are not for the caller, and do not count.
    pub free_rows: u64,
}

/// What a statement gave back.
#[derive(Default)]
pub struct Rows {
    /// The rows as JSON objects, separated by commas.
    pub text: String,
    /// How many rows `text` holds.
    pub shown: u64,
    /// How many rows the statement produced or touched before it ended or was stopped.
    pub total: u64,
    /// How many of those had no text (NULL) and are counted only.
    pub blank: u64,
    /// Whether rows were left out because of the size bound.
    pub cut: bool,
    /// The order keys of the last row in `text`, as their types write them; `None` without keys or rows.
    pub last: Option<Vec<Option<String>>>,
}

thread_local! {
    static RUNNING: Cell<u32> = const { Cell::new(0) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    static OPERATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Says which part of a call the statements to come belong to, for errors: `operations[3]`. `None` when it has only one.
pub(crate) fn set_operation(operation: Option<&str>) {
    OPERATION.set(operation.map(str::to_owned));
}

/// Where an error was raised, once: the part of the call, and the argument whose value was being read. A call within a call
/// (`nested`) leaves the outer one's part alone.
pub(crate) fn take_place(nested: bool) -> Option<String> {
    let operation = if nested { None } else { OPERATION.take() };
    match (operation, PLACE.take()) {
        (Some(operation), Some(place)) => Some(format!("{operation}.{place}")),
        (operation, place) => operation.or(place),
    }
}

/// The nodes of a list.
///
/// # Safety
/// NULL, or a list of pointers to nodes of that kind, which outlives the answer.
pub(crate) unsafe fn items<'a, T>(list: *const pg_sys::List) -> &'a [*mut T] {
    if list.is_null() {
        return &[];
    }
    // SAFETY: a list holds as many cells as its length says; a cell of a list of pointers is one pointer.
    unsafe { std::slice::from_raw_parts((*list).elements.cast::<*mut T>(), (*list).length as usize) }
}

/// Counts the statements that run inside one another; dropping it, also while unwinding, takes the count back.
struct Running;

impl Running {
    fn enter() -> Running {
        if RUNNING.replace(RUNNING.get() + 1) == 0 {
            // SAFETY: no statement of ours runs.
            unsafe { plans::free_retired() };
        }
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

/// Runs `statement` as the current role.
///
/// # Errors
/// [`Error::Internal`] when SPI refuses the statement. Errors of Postgres are raised, for the guard to catch.
pub fn run(statement: &Statement, access: Access, bounds: Bounds) -> Result<Rows, Error> {
    run_columns(statement, Values::own(&statement.params), None, access, bounds, 0)
}

/// [`run`] with other values for the parameters, with the place where its plan was `found` before, and for a statement whose first `outputs` columns are the members of each row's object; 0: the
/// first column is the object.
///
/// # Errors
/// As for [`run`].
pub fn run_columns(
    statement: &Statement,
    values: Values<'_>,
    found: Option<&Found>,
    access: Access,
    bounds: Bounds,
    outputs: usize,
) -> Result<Rows, Error> {
    let reads = access == Access::Read;
    let mut sink = Sink { outputs, ..Sink::new(bounds, reads) };
    // SAFETY: the sink outlives the call.
    let processed = unsafe { execute(&statement.sql, values, found, reads, &mut sink)? };
    if !statement.returns {
        sink.rows.total = processed;
    }
    Ok(sink.rows)
}

/// How many rows the planner expects of `statement`, which is not run.
///
/// # Errors
/// As for [`run`].
pub fn estimated_rows(statement: &Statement) -> Result<u64, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Explained {
        plan: Plan,
    }
    #[derive(Deserialize)]
    struct Plan {
        #[serde(rename = "Plan Rows")]
        rows: f64,
    }
    let sql = format!("EXPLAIN (FORMAT JSON) {}", statement.sql);
    let mut sink = Sink::new(Bounds { max_rows: 1, max_chars: usize::MAX, free_rows: 0 }, true);
    // SAFETY: the sink outlives the call. To SPI no utility statement is a reading one; EXPLAIN without ANALYZE is.
    unsafe { execute(&sql, Values::own(&statement.params), None, false, &mut sink)? };
    match serde_json::from_str::<[Explained; 1]>(&sink.rows.text) {
        Ok([explained]) => Ok(explained.plan.rows as u64),
        Err(error) => Err(Error::internal(&format!("EXPLAIN: {error}"))),
    }
}

/// Runs `sql`, whose rows go to `sink`, and returns how many rows it processed.
///
/// # Safety
/// The sink stays where it is.
unsafe fn execute(
    sql: &str,
    values: Values<'_>,
    found: Option<&Found>,
    read_only: bool,
    sink: &mut Sink,
) -> Result<u64, Error> {
    let _running = Running::enter();
    // SAFETY: connect and finish are paired; when an error is raised or returned between them, the guard's rollback ends the
    // connection. The list of parameters lives in SPI's memory, so until then.
    unsafe {
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            return Err(Error::internal("SPI_connect failed"));
        }
        let plan = plan_for(sql, values, found)?;
        let params = bind(values);
        let dest = (&raw mut *sink).cast();
        let _watch = cost::watch(dest);
        let options = pg_sys::SPIExecuteOptions {
            params,
            read_only,
            allow_nonatomic: false,
            must_return_tuples: false,
            tcount: 0,
            dest,
            owner: std::ptr::null_mut(),
        };
        let code = pg_sys::SPI_execute_plan_extended(plan, &options);
        if code < 0 {
            return Err(Error::internal(&format!("SPI_execute_plan_extended returned {code}")));
        }
        let processed = pg_sys::SPI_processed;
        pg_sys::SPI_finish();
        Ok(processed)
    }
}

/// Turns the parameters into data of their types. While a value is read, its place is remembered, so that an error of the
/// input function can name the argument.
///
/// # Safety
/// The list lives in the current memory context, which must outlive the execution.
unsafe fn bind(values: Values<'_>) -> pg_sys::ParamListInfo {
    let values = values.iter();
    if values.len() == 0 {
        return std::ptr::null_mut();
    }
    // SAFETY: makeParamList allocates room for that many entries; each is filled before the list is used.
    unsafe {
        let list = pg_sys::makeParamList(values.len() as i32);
        let entries = (*list).params.as_mut_ptr();
        for (n, (param, value)) in values.enumerate() {
            PLACE.with_borrow_mut(|place| {
                let place = place.get_or_insert_default();
                place.clear();
                place.push_str(&param.place);
            });
            let ptype = pg_sys::Oid::from(param.type_oid);
            let mut input = pg_sys::InvalidOid;
            let mut io_param = pg_sys::InvalidOid;
            pg_sys::getTypeInputInfo(ptype, &mut input, &mut io_param);
            // NULL goes through the input function as well: a domain may refuse it.
            let text = value.map(|text| CString::new(text).unwrap_or_default());
            let pointer = text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
            let datum = pg_sys::OidInputFunctionCall(input, pointer.cast_mut(), io_param, param.typmod);
            entries.add(n).write(pg_sys::ParamExternData {
                value: datum,
                isnull: value.is_none(),
                pflags: pg_sys::PARAM_FLAG_CONST as u16,
                ptype,
            });
        }
        PLACE.set(None);
        list
    }
}

/// Where Postgres's executor hands each row to. The receiver comes first, so that its address is the sink's.
#[repr(C)]
struct Sink {
    receiver: pg_sys::DestReceiver,
    rows: Rows,
    /// How many columns are members of the object; 0: the first one is the object.
    outputs: usize,
    columns: Option<Columns>,
    keys: Option<Keys>,
    /// The characters of the rows with a comma for each, or, as long as nothing was counted, their bytes.
    chars: usize,
    /// Whether characters were counted.
    counted: bool,
    /// Where the text of the rows that do not count ends.
    free_bytes: usize,
    bounds: Bounds,
    /// Whether a full sink ends the execution.
    stop: bool,
}

impl Sink {
    fn new(bounds: Bounds, stop: bool) -> Sink {
        let receiver = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(startup),
            rShutdown: Some(shutdown),
            rDestroy: Some(destroy),
            mydest: pg_sys::CommandDest::DestNone,
        };
        let rows = Rows { text: String::with_capacity(2048), ..Rows::default() };
        Sink {
            receiver,
            rows,
            outputs: 0,
            columns: None,
            keys: None,
            chars: 0,
            counted: false,
            free_bytes: 0,
            bounds,
            stop,
        }
    }
}

/// Called before the first row.
#[pg_guard]
unsafe extern "C-unwind" fn startup(
    own: *mut pg_sys::DestReceiver,
    _operation: i32,
    columns: pg_sys::TupleDesc,
) {
    // SAFETY: `own` is the first field of a Sink that `execute` keeps alive; `columns` describes the rows to come.
    unsafe {
        let sink = &mut *own.cast::<Sink>();
        sink.columns = (sink.outputs > 0).then(|| Columns::of(columns, sink.outputs));
        sink.keys = Keys::of(columns, sink.outputs.max(1));
    }
}

/// Called after the last row, while the statement's snapshot is still active.
#[pg_guard]
unsafe extern "C-unwind" fn shutdown(own: *mut pg_sys::DestReceiver) {
    // SAFETY: as in `startup`.
    let sink = unsafe { &mut *own.cast::<Sink>() };
    if sink.rows.shown > 0 {
        sink.rows.last = sink.keys.as_ref().map(Keys::texts);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn destroy(_own: *mut pg_sys::DestReceiver) {}

/// Takes one row; false ends the execution.
#[pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    own: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: as in `startup`; without `columns` the slot's first column is of type json, whose text is valid in the database's
    // encoding, which is UTF8.
    unsafe {
        let sink = &mut *own.cast::<Sink>();
        sink.rows.total += 1;
        if sink.columns.is_none() {
            if (*slot).tts_nvalid < 1 {
                pg_sys::slot_getsomeattrs_int(slot, 1);
            }
            if *(*slot).tts_isnull {
                sink.rows.blank += 1;
                return true;
            }
        }
        if sink.rows.cut || sink.rows.shown >= sink.bounds.max_rows.saturating_add(sink.bounds.free_rows) {
            return !sink.stop;
        }
        let text = &mut sink.rows.text;
        let before = text.len();
        if sink.rows.shown > 0 {
            text.push(',');
        }
        let begin = text.len();
        match &mut sink.columns {
            Some(columns) => columns.write(text, slot),
            None => {
                let packed = pg_sys::pg_detoast_datum_packed((*(*slot).tts_values).cast_mut_ptr());
                text.push_str(std::str::from_utf8_unchecked(pgrx::varlena::varlena_to_byte_slice(packed)));
            }
        }
        if sink.rows.shown >= sink.bounds.free_rows {
            // No text has more characters than bytes, so nearly no answer is counted.
            let bytes = text.len() - begin + 1;
            if sink.chars + bytes > sink.bounds.max_chars && !sink.counted {
                sink.counted = true;
                // The comma behind the rows that do not count is none of theirs.
                sink.chars = text[sink.free_bytes..begin].chars().count() - usize::from(sink.free_bytes > 0);
            }
            let more = if sink.counted { text[begin..].chars().count() + 1 } else { bytes };
            if sink.chars + more > sink.bounds.max_chars {
                text.truncate(before);
                sink.rows.cut = true;
                return !sink.stop;
            }
            sink.chars += more;
        } else {
            sink.free_bytes = text.len();
        }
        sink.rows.shown += 1;
        if let Some(keys) = &mut sink.keys {
            keys.remember(slot);
        }
        true
    }
}
