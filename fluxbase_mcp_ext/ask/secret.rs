//! The secret that states are signed with.
//!
//! It is made at CREATE EXTENSION, never dumped, and readable by nobody but `mcp_owner`. A standby has its primary's.

use std::cell::{Cell, RefCell};

use fluxbase_register::Binding;
use pgrx::{Spi, pg_sys};

use crate::error::Error;
use crate::{catalog, guard};

thread_local! {
    static SECRET: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    static TABLE: Cell<u32> = const { Cell::new(0) };
}

/// Forgets the secret when `relation` is its table.
pub fn forget_if_read_from(relation: u32) {
    if TABLE.get() == relation {
        SECRET.set(None);
    }
}

fn with<T>(read: impl FnOnce(&[u8]) -> T) -> Result<T, Error> {
    const ROW: &str = "
SELECT 'mcp._secrets'::pg_catalog.regclass::pg_catalog.oid, s.secret FROM mcp._secrets AS s WHERE s.name = 'request_state'";
    catalog::refresh();
    let known = SECRET.take();
    let secret = match known {
        Some(secret) => secret,
        None => {
            let row: Option<(Option<pg_sys::Oid>, Option<Vec<u8>>)> = guard::as_owner(|| {
                Spi::connect(|client| {
                    let mut rows = client.select(ROW, Some(1), &[])?;
                    rows.next().map_or(Ok(None), |row| Ok(Some((row.get(1)?, row.get(2)?))))
                })
            })
            .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading mcp._secrets: {error}"));
            let Some((Some(table), Some(secret))) = row else {
                return Err(Error::internal("mcp._secrets has no row request_state"));
            };
            TABLE.set(table.to_u32());
            secret
        }
    };
    let value = read(&secret);
    SECRET.set(Some(secret));
    Ok(value)
}

#[allow(unsafe_code)]
fn now() -> i64 {
    // SAFETY: reads the clock, in microseconds.
    unsafe { pg_sys::GetCurrentTimestamp() / 1_000_000 }
}

/// Signs a state that is good for `lifetime` seconds.
pub fn sign(binding: &Binding, state: &str, lifetime: u32) -> Result<String, Error> {
    with(|secret| fluxbase_register::sign(secret, binding, state, now(), lifetime))?
        .map_err(|why| Error::refused("54000", why, None))
}

/// The state, if it is ours and for this call.
pub fn verify(binding: &Binding, text: &str) -> Result<Option<String>, Error> {
    with(|secret| fluxbase_register::verify(secret, binding, text, now()))
}
