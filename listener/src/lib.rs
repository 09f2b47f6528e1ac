//! The HTTP listener and the command line of `fluxbase_mcp_ext`.
//!
//! The listener knows HTTP and nothing of MCP: it bounds a request, finds the key in its headers, and asks the SQL
//! function `mcp._serve` once, in one round trip. Who the key stands for, what it may do and what the answer is are
//! decided inside Postgres. The modules stand in the order in which a request meets them. `fluxbase stdio` (`stdio.rs`) is a second front of
//! the same call, for one client on standard input and output.
//!
//! Invariants:
//! - A key is parsed, hashed and forgotten: it is in no log, no error, no answer, and never reaches Postgres.
//! - An answer is sent after Postgres has committed, never before. (A stream's status 200 says only that the call runs.)
//! - A client that goes away stops its statement, and its connection is clean before the next request gets it.
//!
//! It does not: check scopes, count requests per key, parse MCP, or keep anything between two requests but open streams (on standard input and
//! output: and the negotiated revision, and which requests run, so that one can be cancelled).

pub mod cli;
pub mod config;
pub mod logging;

pub mod server;

mod accept;
mod body;
mod certificate;
mod cors;
mod credentials;
mod ids;
mod limiter;
mod log_line;
mod message;
mod metrics;
mod origin;
mod refused;
mod reply;
mod routes;
mod running;
mod socket;
mod stdio;
mod subscriptions;
pub mod systemd;
mod transport;

mod call;
mod connection;
pub mod database;
mod events;
mod functions;
mod health;
mod lent;
mod pending;
mod pool;
mod replicas;
mod tls;
mod wire;

pub use certificate::Certificate;
pub use config::Config;
pub use database::Target;
pub use server::{Listener, run};
