//! The Model Context Protocol over JSON-RPC 2.0, without Postgres and without HTTP: text in, text and a status out.
//!
//! The way of a message: [`parse`] reads the envelope, [`Incoming::respond`] finds the era and runs the checks in
//! their order, and the [`Call`] that comes out writes the answer in the shape of its era.
//!
//! Two eras on one endpoint, without sessions. *Modern* is revision 2026-07-28: every request names its version in
//! `params._meta`. *Legacy* are the four revisions with an `initialize` handshake. A request that names no version at
//! all (`curl` with three lines of JSON) is [`Era::Unversioned`] and gets the plainest answer.
//!
//! Invariants:
//! - A message is parsed once. Its id is echoed byte for byte; what a tool gives back is spliced in, never read again.
//! - Every fault becomes one complete [`Reply`] with its HTTP status. A body, where there is one, is always one valid
//!   JSON-RPC 2.0 object, whatever came in; no input makes this crate panic.
//! - Keys are written in the order `jsonrpc`, `result` or `error`, `id`.
//!
//! It does not know which tools and resources exist, who asks or what they may do, and it reads no tool arguments:
//! see `tools`, `resources` and `identity` in the extension, and the crate `fluxbase_query`.

mod batch;
mod call;
mod envelope;
mod era;
mod error;
mod headers;
mod json;
mod ladder;
mod members;
mod result;
mod subscription;
mod task;

pub use batch::{MAX_BATCH, batch, join};
pub use call::{Answers, Call, Level, Method, Reference, Wishes};
pub use envelope::{Id, Incoming, MAX_DEPTH, Notification, Request, parse};
pub use era::{Era, LATEST, LATEST_LEGACY, SUPPORTED, Version};
pub use error::{Reply, RpcError, code, refuse};
pub use headers::Headers;
pub use json::push_string;
pub use result::{
    Annotations, PromptEntry, RESOURCES_TTL_MS, ResourceEntry, ServerInfo, Structured, TOOLS_TTL_MS,
    ToolContent, ToolEntry, ToolOutput,
};
pub use subscription::{Filter, MAX_SUBSCRIBED};
pub use task::{Came, State, TASKS, Task, Verb, error_json, poll_interval};
