//! Statements of our own whose text never changes: their plans are kept like those of tools, for each role that they run as.
//!
//! The same statement through `Spi::connect(|client| client.select(…))` is parsed and planned at each call, which for a catalog query takes
//! longer than to run it. A bound on the cost of plans is for what callers ask, and does not hold here.
#![allow(unsafe_code)]

use fluxbase_query::{Param, Values};
use pgrx::pg_sys;

use super::{Bounds, Running, Sink, bind, plan_for};
use crate::error::Error;

/// A parameter: its type, and its value as text for the type's input function.
pub type Value<'a> = (pg_sys::Oid, Option<&'a str>);

/// A parameter of type text.
pub fn text(value: &str) -> Value<'_> {
    (pg_sys::TEXTOID, Some(value))
}

/// Runs `sql`, every name of which must be schema-qualified, as the current role. The first row's first column, which must be of type json;
/// `None` when there is no row or it is NULL.
///
/// # Errors
/// [`Error::Internal`] when SPI refuses the statement. Errors of Postgres are raised, for the guard to catch.
pub fn fixed(sql: &'static str, values: &[Value<'_>], reads: bool) -> Result<Option<String>, Error> {
    let params: Vec<Param> = values
        .iter()
        .map(|&(oid, value)| Param {
            type_oid: oid.to_u32(),
            typmod: -1,
            value: value.map(str::to_owned),
            place: String::new(),
        })
        .collect();
    let values = Values::own(&params);
    let mut sink = Sink::new(Bounds { max_rows: 1, max_chars: usize::MAX, free_rows: 0 }, reads);
    let _running = Running::enter();
    // SAFETY: as in `execute`: connect and finish are paired, an error ends the connection with the subtransaction around us; the list of
    // parameters lives in SPI's memory, and the sink outlives the execution.
    unsafe {
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            return Err(Error::internal("SPI_connect failed"));
        }
        let plan = plan_for(sql, values, None)?;
        let options = pg_sys::SPIExecuteOptions {
            params: bind(values),
            read_only: reads,
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
    Ok((sink.rows.shown > 0).then_some(sink.rows.text))
}
