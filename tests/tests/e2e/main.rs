//! The client-side tests. Each module is one area; see the first lines of each.

mod claims;
mod cli;
mod concurrency;
mod confirm;
mod document;
mod doors;
mod dump;
mod functions;
mod functions_http;
mod functions_runtime;
mod functions_secrets;
mod http;
mod jobs;
mod jobs_life;
mod life;
mod live_fuzz;
mod nonsense;
mod plans;
mod privilege;
mod protocol;
mod rls;
mod stdio;
mod vectors;
mod storage;
mod storage_faults;
mod z_secrecy;
