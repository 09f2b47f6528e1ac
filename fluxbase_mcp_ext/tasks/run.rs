//! The run of a task, in a process that runs jobs.
//!
//! Invariants:
//! - Role, claims and settings are those of the job; scopes and allow-lists those of the call, and the server's of now. All are asked anew.
//! - What the tool gives, also an error of its own, is the task's result. Only what `tools/call` would have answered with a JSON-RPC error is
//!   one here.
//! - The tool runs under the guard with its own access; what it wrote is undone when it asks, fails, or says that it failed.

use std::rc::Rc;

use fluxbase_credential::Scopes;
use fluxbase_protocol::{Answers, Came, RpcError, Wishes, code, error_json};
use fluxbase_record::Source;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Asked, Stage};
use crate::ask::Ask;
use crate::dispatch::{self, Caller, Request, Way};
use crate::guard;
use crate::identity::Identity;
use crate::registered;
use crate::tools::Outcome;

/// What came of a run; JSON texts.
#[derive(Debug)]
pub enum Ended {
    /// The result of the tool.
    Result(String),
    /// A JSON-RPC error.
    Error(String),
    /// It must ask its client something first.
    Asks {
        /// The questions.
        requests: String,
        /// For the next run.
        state: Option<String>,
    },
}

/// A task as `mcp._task_begin` tells it.
#[derive(Deserialize)]
struct Begun {
    tool: String,
    call: Asked,
    answers: Option<Box<RawValue>>,
    state: Option<String>,
    /// Nobody answered before its time was over.
    unanswered: bool,
    seconds_left: u32,
}

fn error(error: &RpcError) -> Ended {
    Ended::Error(error_json(error))
}

fn refused(why: &str) -> Ended {
    error(&RpcError::new(code::INTERNAL_ERROR, why))
}

/// Runs a task. `begun` is the text of `mcp._task_begin`.
pub fn run(begun: &str, mut identity: Identity) -> Ended {
    let begun: Begun = match serde_json::from_str(begun) {
        Ok(begun) => begun,
        Err(error) => return refused(&format!("The task cannot be read: {error}.")),
    };
    if begun.unanswered {
        return refused("Nobody answered what the task asked before its time was over.");
    }
    let asked = begun.call;
    identity.scopes = asked.scopes.iter().filter_map(|scope| scope.parse().ok()).collect::<Scopes>();
    let caller = Rc::new(Caller {
        identity: Rc::new(identity),
        policy: asked.limits.now(),
        alone: true,
        batch: false,
        pending: None,
        watch: None,
        state_seconds: begun.seconds_left,
        // The audit has the call that began it; what the tool calls in turn is nested in nothing that a client sent.
        source: Source::Sql,
        address: None,
    });
    // Of a later round the answers are those to the questions of the last run; of the first those of the call.
    let answers = if begun.state.is_some() || begun.answers.is_some() {
        Answers { input_responses: begun.answers, request_state: begun.state }
    } else {
        Answers { input_responses: asked.input_responses, request_state: asked.request_state }
    };
    let wishes = Wishes { progress_token: None, log_level: None, capabilities: asked.capabilities };
    let request = Request {
        identity: &caller.identity,
        way: Way::No,
        arguments: asked.arguments.as_deref().map(RawValue::get),
        structured: true,
        modern: true,
        answers: &answers,
        wishes: &wishes,
        state_seconds: caller.state_seconds,
        stage: Stage::Running,
    };
    let known = registered::tool(&begun.tool).filter(|tool| tool.task().is_some());
    let Some(registered) = known.filter(|tool| caller.policy.allows_tool(&tool.name)) else {
        return error(&RpcError::unknown_tool(&begun.tool, None));
    };
    let tool = registered.as_tool();
    if !caller.identity.scopes.has_any(tool.scopes) {
        return error(&RpcError::forbidden(
            &format!("tool {}", tool.name),
            &dispatch::scope_names(tool.scopes),
        ));
    }
    if let Some(why) = caller.policy.forbids(tool.access) {
        return error(&RpcError::read_only(tool.name, why));
    }
    let done = dispatch::in_force(&caller, || {
        guard::run(&dispatch::actor(&caller), tool.access, || tool.call(&request), |done| !done.undo)
    });
    match done {
        Ok(done) => match done.outcome {
            Outcome::Output(output) => Ended::Result(Came::Output(&output).to_json()),
            Outcome::Content(content) => Ended::Result(Came::Content(&content).to_json()),
            Outcome::Ask(Ask::Questions { requests, state }) => Ended::Asks { requests, state },
            Outcome::Ask(Ask::Impossible(capabilities)) => {
                error(&RpcError::missing_capabilities(&capabilities))
            }
            Outcome::Ask(Ask::Legacy | Ask::BadState) => {
                refused("The state of the task is not good any more.")
            }
            Outcome::Task | Outcome::Pending(_) => refused("The tool asked for what a task cannot do."),
        },
        Err(error) => Ended::Result(Came::Error(&error.to_text()).to_json()),
    }
}
