//! Why a call has no reply, and whether it has run.

use serde::{Deserialize, Serialize};

/// Whether the other side may have done what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// Nothing was sent.
    No,
    /// It was sent, or may have been.
    Maybe,
    /// It answered.
    Yes,
}

/// Why there is no reply. The text of each is for callers: it names no header, no body and no part of a URL but the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Failure {
    /// The URL, method or a header cannot be sent.
    #[error("the call cannot be sent: {reason}")]
    Malformed { reason: String },
    /// Neither the runtime nor an allowed host.
    #[error("the host {host} may not be called: it is not in mcp.functions_allowed_hosts")]
    Host { host: String },
    /// The host is allowed, its address is not.
    #[error("the host {host} may not be called: it stands for {kind}")]
    Address { host: String, kind: String },
    /// The name stands for no address.
    #[error("the name {host} cannot be resolved: {reason}")]
    Name { host: String, reason: String },
    /// As many calls as the worker takes are in flight.
    #[error("{limit} calls are in flight already, which is the most (mcp.worker_max_calls)")]
    Busy { limit: usize },
    /// As many replies as the worker keeps are waiting.
    #[error("{limit} replies wait to be collected, which is the most (mcp.worker_max_pending)")]
    Full { limit: usize },
    /// What is to be sent is larger than the worker takes.
    #[error("the request has {size} bytes, more than the {limit} that are sent")]
    TooMuch { size: u64, limit: u64 },
    /// No connection.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    /// The time is over.
    #[error("{host} gave no complete reply within {seconds} s")]
    Time { host: String, seconds: String, sent: bool },
    /// The connection broke, or what came over it is not HTTP.
    #[error("the connection to {host} broke: {reason}")]
    Broken { host: String, reason: String },
    /// The reply is larger than asked for.
    #[error("the reply of {host} is larger than {limit} bytes, and was not read to its end")]
    TooLarge { host: String, limit: u64 },
    /// Replies to others take all the memory that there is for them.
    #[error(
        "no memory for the reply became free in time: replies to others take all {limit} bytes (mcp.worker_max_memory)"
    )]
    Memory { limit: u64 },
    /// The version does not exist.
    #[error("the stored file is gone")]
    Missing,
    /// The version exists already.
    #[error("the version is stored already")]
    Exists,
    /// `mcp.storage_url` or the credentials do not say where and how to store.
    #[error("files cannot be stored: {reason}")]
    Unset { reason: String },
    /// The store has no room.
    #[error("the storage is full: {reason}")]
    NoRoom { reason: String },
    /// The store cannot be reached, or refuses.
    #[error("the storage does not work: {reason}")]
    Storage { reason: String },
    /// Others take all the memory that there is for bodies.
    #[error(
        "no memory for the request became free in time: others take all {limit} bytes (mcp.worker_max_memory)"
    )]
    Crowded { limit: u64 },
    /// Whoever asked went away, or cancelled.
    #[error("the call was cancelled")]
    Cancelled,
    /// The request over the socket is not understood.
    #[error("the worker does not understand the request: {reason}")]
    Protocol { reason: String },
}

impl Failure {
    /// Whether the call may have run.
    pub fn ran(&self) -> Ran {
        match self {
            Failure::Malformed { .. }
            | Failure::Host { .. }
            | Failure::Address { .. }
            | Failure::Name { .. }
            | Failure::Busy { .. }
            | Failure::Full { .. }
            | Failure::TooMuch { .. }
            | Failure::Unreachable { .. }
            | Failure::Protocol { .. }
            | Failure::Crowded { .. }
            | Failure::Missing
            | Failure::Exists
            | Failure::Unset { .. }
            | Failure::NoRoom { .. }
            | Failure::Time { sent: false, .. } => Ran::No,
            Failure::Time { sent: true, .. }
            | Failure::Broken { .. }
            | Failure::Storage { .. }
            | Failure::Cancelled => Ran::Maybe,
            Failure::TooLarge { .. } | Failure::Memory { .. } => Ran::Yes,
        }
    }

    /// What to add to the text: what was done, and the next step.
    pub fn advice(&self) -> &'static str {
        match (self, self.ran()) {
            (Failure::Busy { .. } | Failure::Full { .. } | Failure::Crowded { .. }, _) => {
                "Nothing was sent. Try again in a moment."
            }
            (Failure::Host { .. }, _) => {
                "Nothing was sent. An administrator adds it to mcp.functions_allowed_hosts and reloads the configuration."
            }
            (Failure::Address { .. }, _) => {
                "Nothing was sent. Only mcp.functions_url may name a host of a private network."
            }
            (Failure::Unset { .. }, _) => {
                "An administrator sets mcp.storage_url and mcp.storage_credentials_file; mcp.worker_status() tells what is wrong."
            }
            (Failure::NoRoom { .. }, _) => "Nothing was stored. An administrator makes room.",
            (Failure::Missing | Failure::Exists, _) => "Nothing was changed.",
            (Failure::Storage { .. }, _) => {
                "An administrator looks at mcp.worker_status() and the server log."
            }
            (_, Ran::No) => "Nothing was sent.",
            (_, Ran::Maybe) => "It may or may not have run: look before you call again.",
            (_, Ran::Yes) => "It has run.",
        }
    }
}
