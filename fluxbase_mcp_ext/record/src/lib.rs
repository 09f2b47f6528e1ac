//! Records of the audit, as far as that needs no Postgres: what one holds and its bytes, and the bounded memory in which records wait until
//! somebody writes them down.
//!
//! | Module | Does |
//! |---|---|
//! | [`record`] | One record, and its bytes. |
//! | [`buffer`] | Records of several databases, in blocks that they share. |
//! | [`refusals`] | Refused keys and limits, counted instead of kept one by one. |
//! | [`object`] | The name of what a call is about, out of its arguments. |
//!
//! Invariants: nothing here allocates while somebody may hold a lock, nothing raises an error or panics whatever the bytes are, and everything has
//! a fixed size. It does not know who reads or writes: that is `fluxbase_mcp_ext/audit.rs`.

pub mod buffer;
pub mod object;
pub mod record;
pub mod refusals;

pub use buffer::{Buffer, Kept};
pub use record::{Outcome, Record, Source};
pub use refusals::{Refusal, Refusals, Why};
