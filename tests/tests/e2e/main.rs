//! The client-side tests. Each module is one area.

mod document;
mod http;
mod privilege;
mod protocol;
mod rls;
