//! Calls over HTTP, and the bytes of stored files, which must not move in a transaction: what the delegate worker does, without Postgres.
//!
//! A backend hands such work to the worker over a Unix socket and waits for the reply there, or leaves it there and somebody
//! collects it later. The modules stand in the order in which a call meets them:
//!
//! | Module | Does |
//! |---|---|
//! | [`frame`] | The bytes on the socket: frames with a length, bounded. |
//! | [`message`] | What the frames say: requests and replies. |
//! | [`socket`] | Binds the socket for its owner alone, and knows who is at the other end. |
//! | [`server`] | One task for each connection; how many calls, how many bytes. |
//! | [`budget`] | Bytes in flight, of all calls together. |
//! | [`policy`] | Which hosts may be called. |
//! | [`address`] | Which addresses a name may stand for. |
//! | [`outgoing`] | The HTTP client. |
//! | [`storage`] | The bytes of stored files. |
//! | [`client`] | The other end of the socket. |
//! | [`store`] | Replies that wait for whoever collects them. |
//! | [`failure`] | Why there is no reply, and whether the call has run. |
//! | [`token`] | Tells a function who calls it. |
//! | [`heap`] | Memory goes back to the system. |
//!
//! Invariants: whatever comes over the socket is bounded before it is kept; a call ends when the socket of whoever waits for it
//! closes; nothing is sent twice; what a failure says about the call having run is true. It knows nothing of keys, functions or SQL.

pub mod address;
pub mod budget;
pub mod client;
pub mod failure;
pub mod frame;
pub mod heap;
pub mod message;
pub mod outgoing;
pub mod policy;
pub mod server;
pub mod socket;
pub mod storage;
pub mod store;
pub mod token;
mod wire;

pub use failure::Failure;
pub use message::{Answer, Call, Head, Id, Reply, Request, Status, Version, Work};
pub use outgoing::Authorities;
pub use policy::Policy;
pub use server::{Limits, Server};
pub use storage::Storage;
