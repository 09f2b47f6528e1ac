//! The extension `io.modelcontextprotocol/tasks` (SEP-2663): a call that takes long is answered with a handle, and its end is asked for.
//!
//! Invariants:
//! - Only a client that declared the extension in the request gets a handle or may ask for one; without it `tasks/…` is refused (−32021).
//! - A handle is flat: the members of a task beside `resultType` "task". Asking for a task answers "complete", with what came of it inside.
//! - A tool that failed is a completed task whose result says `isError`; only an error of the protocol makes a task failed.
//!
//! `tasks/result` and `tasks/list`, which revision 2025-11-25 tried, are not in the extension and not here. Which calls become tasks, and
//! where they are kept, is the extension's to decide: this module reads and writes messages.

use std::fmt::Write;

use serde_json::value::RawValue;

use crate::{
    call::{Call, Method, required},
    error::{Reply, RpcError},
    json::{clip, push_string},
    result::{
        ToolContent, ToolOutput, push_member, push_server, push_tool_content, push_tool_error,
        push_tool_output,
    },
};

/// The extension's identifier.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What is wanted of a task.
#[derive(Clone, Debug)]
pub enum Verb {
    /// `tasks/get`: how it is, and what came of it.
    Get,
    /// `tasks/update`: answers to what it asked, one JSON object as it was sent.
    Update(Option<Box<RawValue>>),
    /// `tasks/cancel`: it may be ended.
    Cancel,
}

/// A task as it is told.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Its name for whoever began it.
    pub id: &'a str,
    /// How it is.
    pub state: State<'a>,
    /// One line for people; empty: left out.
    pub message: &'a str,
    /// ISO 8601.
    pub created_at: &'a str,
    /// ISO 8601.
    pub updated_at: &'a str,
    /// For how long after its creation it is kept, in milliseconds; `None`: without end.
    pub ttl_ms: Option<u64>,
    /// How long to wait between two questions, in milliseconds.
    pub poll_interval_ms: u64,
}

/// How a task is. The texts are JSON objects, copied as they are: the caller vouches that they are valid.
#[derive(Clone, Copy, Debug)]
pub enum State<'a> {
    /// It waits for its turn or runs.
    Working,
    /// It waits for the client: requests by their keys.
    InputRequired(&'a str),
    /// Its result, as `tools/call` would have had it without the envelope.
    Completed(&'a str),
    /// A JSON-RPC error.
    Failed(&'a str),
    /// Ended because somebody wished so.
    Cancelled,
}

impl State<'_> {
    /// The status on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Working => "working",
            State::InputRequired(_) => "input_required",
            State::Completed(_) => "completed",
            State::Failed(_) => "failed",
            State::Cancelled => "cancelled",
        }
    }
}

impl Call {
    /// The answer to a call that has become a task: its handle, and nothing of what comes of it.
    pub fn task_created(&self, task: &Task) -> Reply {
        self.typed("task", 512, |out| push_task(out, task))
    }

    /// The answer to `tasks/get`.
    pub fn task(&self, task: &Task) -> Reply {
        let (member, value) = match task.state {
            State::Working | State::Cancelled => ("", ""),
            State::InputRequired(requests) => (r#","inputRequests":"#, requests),
            State::Completed(result) => (r#","result":"#, result),
            State::Failed(error) => (r#","error":"#, error),
        };
        self.typed("complete", value.len() + 512, |out| {
            push_task(out, task);
            out.push_str(member);
            out.push_str(value);
        })
    }

    /// The answer to `tasks/update` and `tasks/cancel`: it was heard. Neither method is known outside of the modern era.
    pub fn task_heard(&self) -> Reply {
        let mut out = String::with_capacity(192);
        out.push_str(r#"{"jsonrpc":"2.0","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":"#);
        push_server(&mut out, self.server);
        // Writing into a String cannot fail.
        _ = write!(out, r#"}}}},"id":{}}}"#, self.id);
        Reply::new(200, out)
    }

    /// −32602: no task has this id, or none of the caller's.
    pub fn unknown_task(&self, id: &str) -> Reply {
        self.error(&RpcError::invalid_params(format!(
            "Unknown task: {}. It is not one of this key's, or its time is over. Nothing was done.",
            clip(id)
        )))
    }
}

/// What came of a tool, as `tools/call` has it without the envelope: JSON text of an object.
#[derive(Clone, Copy, Debug)]
pub enum Came<'a> {
    /// It worked.
    Output(&'a ToolOutput),
    /// It says itself how.
    Content(&'a ToolContent),
    /// It refused or failed, and why.
    Error(&'a str),
}

impl Came<'_> {
    /// The text.
    pub fn to_json(self) -> String {
        let mut out = String::from("{");
        match self {
            Came::Output(output) => push_tool_output(&mut out, output, Some(&output.structured)),
            Came::Content(content) => push_tool_content(&mut out, content, true),
            Came::Error(text) => push_tool_error(&mut out, text),
        }
        out.push('}');
        out
    }
}

/// The JSON-RPC error that a task failed with: JSON text of an object.
pub fn error_json(error: &RpcError) -> String {
    let mut out = format!(r#"{{"code":{},"message":"#, error.code);
    push_string(&mut out, &error.message);
    if let Some(data) = &error.data {
        // Writing into a String cannot fail.
        _ = write!(out, r#","data":{data}"#);
    }
    out.push('}');
    out
}

/// How long to wait between two questions for a task that began so long ago, both in milliseconds: a tenth of its age, from half a second to
/// ten seconds.
pub fn poll_interval(age_ms: u64) -> u64 {
    (age_ms / 10).clamp(500, 10_000)
}

fn push_task(out: &mut String, task: &Task) {
    out.push_str(r#""taskId":"#);
    push_string(out, task.id);
    push_member(out, ",\"status\":", task.state.as_str());
    push_member(out, ",\"statusMessage\":", task.message);
    push_member(out, ",\"createdAt\":", task.created_at);
    push_member(out, ",\"lastUpdatedAt\":", task.updated_at);
    // Writing into a String cannot fail.
    _ = match task.ttl_ms {
        Some(ttl) => write!(out, r#","ttlMs":{ttl}"#),
        None => write!(out, r#","ttlMs":null"#),
    };
    _ = write!(out, r#","pollIntervalMs":{}"#, task.poll_interval_ms);
}

/// A method of the extension with the task that it names.
///
/// # Errors
/// −32602 when there is no name.
pub(crate) fn named(id: Option<&RawValue>, method: &str, verb: Verb) -> Result<Method, RpcError> {
    Ok(Method::Task { id: required(id, "taskId", method)?, verb })
}
