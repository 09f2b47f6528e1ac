//! `fluxbase functions serve`: a runtime for edge functions, with one Deno process for each.
//!
//! A request comes in at `front`, which checks the token that Postgres signed (`token`) and hands the request to the function's process.
//! `fleet` starts, restarts and stops the processes; `layout` says which functions a folder holds, `settings` what each of them
//! may do, `deno` how Deno is told so.
//!
//! Invariants:
//! - A function may do nothing but compute and answer, unless its settings file allows more. It runs no programs and loads no libraries.
//! - Nobody reaches a function but through `front`: it listens on a socket in a folder that only this user may enter.
//! - The secret of the tokens reaches no function, no log and no error.
//! - No process outlives this one, however it ends.
//!
//! - Secrets of the database reach the functions of their namespace, and nothing else.
//!
//! It does not: know more of the database than its secrets (`secrets`), decide who may call (Postgres does), keep anything between two calls, or isolate functions from each
//! other better than Deno's permissions and processes of one user do.

pub(crate) mod child;
pub(crate) mod deno;
pub(crate) mod fleet;
pub(crate) mod front;
pub(crate) mod layout;
mod lines;
mod process;
pub(crate) mod secrets;
pub(crate) mod settings;
pub(crate) mod token;
