//! Tasks: calls of registered tools that run as background jobs, and what their clients ask of them (MCP extension
//! `io.modelcontextprotocol/tasks`).
//!
//! Invariants:
//! - Only a tool that was registered with task support looks at any of this; every other call costs what it did.
//! - A call becomes a task after the same checks as one that runs at once, under the identity of its caller. Scopes and allow-lists of
//!   that call hold for the run, too.
//! - A task of somebody else, of a tool that the caller may not use, or past its time, is answered as one that does not exist.
//!
//! Which tables there are is said by `sql/36_jobs_tasks.sql`; the run is `run`, the messages are the crate `fluxbase_protocol`. Nothing is
//! pushed: clients poll. docs/decisions/0017-tasks.md tells why it is so.

pub mod run;
mod table;

use std::collections::BTreeMap;

use fluxbase_credential::Scope;
use fluxbase_protocol::{Call, Reply, RpcError, State, TASKS, Task, Verb, code, error_json, poll_interval};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dispatch::{self, Caller, Limits, Request, Way};
use crate::error::Error;
use crate::guard::{self, Access};
use crate::identity::claims;
use crate::jobs;
use crate::registered;
use crate::standby;
use crate::tools::{Tool, jobs as job_tools};

/// How a registered tool supports tasks.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Support {
    /// It runs as a task only.
    pub required: bool,
    /// It runs at once, and its function says when a task is to begin.
    pub on_answer: bool,
    /// For how long it may run.
    pub timeout_seconds: u32,
    /// For how long a task is kept after its call.
    pub ttl_seconds: u32,
}

/// Where a function runs, for its context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// In a call that is answered at once.
    #[default]
    Call,
    /// In such a call; its function may say that a task is to begin.
    Offered,
    /// As a task.
    Running,
}

/// What becomes of a call of a tool with task support.
pub enum Begin {
    /// It runs at once.
    AtOnce,
    /// It runs at once, and may ask for a task.
    Offered,
    /// This is the answer.
    Reply(Reply),
}

/// What the run of a task must know of its call, beyond what its job says.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    arguments: Option<Box<RawValue>>,
    input_responses: Option<Box<RawValue>>,
    request_state: Option<String>,
    capabilities: Option<Box<RawValue>>,
    scopes: Vec<String>,
    limits: Limits,
}

/// Whether tasks are served: jobs are installed and run here, the caller may write, and may use a tool with task support.
pub fn served(caller: &Caller, mut tools: impl Iterator<Item = bool>) -> bool {
    caller.policy.forbids(Access::Write).is_none() && tools.any(|supports| supports) && ready(caller).is_ok()
}

/// Whether the caller's calls can become tasks.
///
/// # Errors
/// Why not, as half a sentence.
fn ready(caller: &Caller) -> Result<(), String> {
    if !jobs::is_there() {
        return Err(
            "this server has no workers: fluxbase_mcp_ext is not in shared_preload_libraries".to_owned()
        );
    }
    let with_claims = caller.identity.key_id.is_some();
    let looked = guard::run(
        &dispatch::actor(caller),
        Access::Read,
        || {
            job_tools::table::there("Nothing was done.")?;
            Ok(table::problem(&job_tools::table::role(), with_claims))
        },
        |_| false,
    );
    match looked {
        Ok(None) => Ok(()),
        Ok(Some(problem)) => Err(problem),
        Err(Error::Refused { .. }) => Err("background jobs are not installed in this database".to_owned()),
        Err(error) => Err(error.to_text()),
    }
}

/// Decides about a call of a tool with task support, and begins the task unless the function does.
pub fn begin(
    call: &Call,
    caller: &Caller,
    tool: &Tool<'_>,
    registered: &registered::Tool,
    support: Support,
    request: &Request<'_>,
) -> Begin {
    let at_once_or = |refusal: Reply| if support.required { Begin::Reply(refusal) } else { Begin::AtOnce };
    if !call.era.modern() {
        return at_once_or(call.tool_error(ONLY_MODERN));
    }
    if !call.wishes.declares(TASKS) {
        return at_once_or(RpcError::needs_task(tool.name, TASKS).reply(400, Some(&call.id)));
    }
    // Whoever waits inside of a tool's body, or for all of a batch, has no use for a handle.
    if guard::holds() || matches!(request.way, Way::No) {
        return at_once_or(call.tool_error(ONLY_ALONE));
    }
    if let Some(why) = caller.policy.forbids(Access::Write) {
        return at_once_or(call.error(&RpcError::read_only(tool.name, why)));
    }
    if let Some(reply) = standby::before_write() {
        return Begin::Reply(reply);
    }
    if let Err(why) = ready(caller) {
        let text =
            format!("The tool {} runs as a task only, and cannot: {why}. Nothing was done.", tool.name);
        return at_once_or(call.tool_error(&text));
    }
    if support.on_answer {
        return Begin::Offered;
    }
    Begin::Reply(submit(call, caller, tool, registered, support, request))
}

const ONLY_MODERN: &str = "This tool runs as a task only, which protocol revision 2026-07-28 with the extension io.modelcontextprotocol/tasks has, and that of this request has not. Nothing was done.";
const ONLY_ALONE: &str = "This tool runs as a task only, which cannot begin within another tool or a batch. Call it by itself. Nothing was done.";

/// Begins the task: the reply is its handle, or the tool's refusal of these arguments.
pub fn submit(
    call: &Call,
    caller: &Caller,
    tool: &Tool<'_>,
    registered: &registered::Tool,
    support: Support,
    request: &Request<'_>,
) -> Reply {
    let asked = Asked {
        arguments: request.arguments.and_then(|text| RawValue::from_string(text.to_owned()).ok()),
        input_responses: request.answers.input_responses.clone(),
        request_state: request.answers.request_state.clone(),
        capabilities: call.wishes.capabilities.clone(),
        scopes: caller.identity.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        limits: caller.policy.limits(),
    };
    let body = || {
        registered.check_call(request.arguments)?;
        let text = serde_json::to_string(&asked).map_err(|error| Error::internal(&error.to_string()))?;
        let scopes: Vec<String> = tool.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        job_tools::with_submitter(request, |submitter| {
            table::submit(tool.name, &scopes, &text, support.timeout_seconds, support.ttl_seconds, submitter)
        })
    };
    match guard::run(&dispatch::actor(caller), Access::Write, body, |_| true) {
        Ok(made) => call.task_created(&Task {
            id: &made.id,
            state: State::Working,
            message: "",
            created_at: &made.created_at,
            updated_at: &made.created_at,
            ttl_ms: Some(u64::from(support.ttl_seconds) * 1000),
            poll_interval_ms: poll_interval(0),
        }),
        Err(error) => {
            standby::failed();
            call.tool_error(&error.to_text())
        }
    }
}

/// The answer to `tasks/get`, `tasks/update`, `tasks/cancel`.
pub fn answer(call: &Call, caller: &Caller, id: &str, verb: &Verb) -> Reply {
    if job_tools::is_uuid(id) {
        let answered = match verb {
            Verb::Get => get(call, caller, id),
            Verb::Update(responses) => change(call, caller, || update(id, responses.as_deref(), caller)),
            Verb::Cancel => change(call, caller, || cancel(id, caller)),
        };
        return answered.unwrap_or_else(|| call.unknown_task(id));
    }
    call.unknown_task(id)
}

/// The task of that id, if the caller may know of it.
fn known(id: &str, caller: &Caller) -> Result<Option<table::Row>, Error> {
    // A task of tables that are not ours is none.
    if job_tools::table::there("Nothing was read.").is_err() {
        return Ok(None);
    }
    Ok(table::get(id).filter(|row| {
        let scopes: Vec<Scope> = row.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
        caller.policy.allows_tool(&row.tool) && caller.identity.scopes.has_any(&scopes)
    }))
}

fn get(call: &Call, caller: &Caller, id: &str) -> Option<Reply> {
    let found = guard::run(&dispatch::actor(caller), Access::Read, || known(id, caller), |_| false);
    let row = match found {
        Ok(found) => found?,
        Err(error) => return Some(call.error(&RpcError::new(code::INTERNAL_ERROR, error.to_text()))),
    };
    let error = row.error.clone().unwrap_or_else(|| {
        let why = row.error_message.clone().unwrap_or_else(|| "The task failed.".to_owned());
        error_json(&RpcError::new(code::INTERNAL_ERROR, why))
    });
    let state = match (row.status.as_str(), &row.requests, &row.outcome) {
        ("completed", _, Some(outcome)) => State::Completed(outcome),
        ("completed" | "failed", ..) => State::Failed(&error),
        ("cancelled", ..) => State::Cancelled,
        ("pending", Some(requests), _) => State::InputRequired(requests),
        _ => State::Working,
    };
    let message = match state {
        State::Working if row.cancelling => "It is being cancelled.",
        State::Working => row.message.as_deref().unwrap_or_default(),
        _ => "",
    };
    Some(call.task(&Task {
        id,
        state,
        message,
        created_at: &row.created_at,
        updated_at: &row.updated_at,
        ttl_ms: Some(row.ttl_ms),
        poll_interval_ms: poll_interval(row.age_ms),
    }))
}

/// Runs a body that changes a task; `None`: there is no such task.
fn change(call: &Call, caller: &Caller, body: impl FnOnce() -> Result<bool, Error>) -> Option<Reply> {
    if let Some(why) = caller.policy.forbids(Access::Write) {
        return Some(call.error(&RpcError::read_only("task", why)));
    }
    if !guard::holds()
        && let Some(reply) = standby::before_write()
    {
        return Some(reply);
    }
    match guard::run(&dispatch::actor(caller), Access::Write, body, |_| true) {
        Ok(true) => Some(call.task_heard()),
        Ok(false) => None,
        Err(Error::Refused { code: "22023", message, .. }) => {
            Some(call.error(&RpcError::invalid_params(message)))
        }
        Err(error) => {
            standby::failed();
            Some(call.error(&RpcError::new(code::INTERNAL_ERROR, error.to_text())))
        }
    }
}

/// Whose tasks the caller may change: the role, and the user.
fn owner(caller: &Caller) -> table::Owner {
    table::Owner {
        role: job_tools::table::role(),
        user: claims::with_current(|all| Some(all.get("sub")?.as_str()?.to_owned())),
        admin: caller.identity.admin,
    }
}

fn cancel(id: &str, caller: &Caller) -> Result<bool, Error> {
    let Some(row) = known(id, caller)? else { return Ok(false) };
    let owner = owner(caller);
    let ended = job_tools::table::cancel(id, &owner.role, owner.user.as_deref(), owner.admin);
    // Who may merely see it, by a policy of the DBA's, has no such task to end.
    Ok(ended.is_some() || !matches!(row.status.as_str(), "pending" | "running"))
}

/// Takes answers to what the task asks; of others nothing is kept. Once all are there, it goes on.
fn update(id: &str, responses: Option<&RawValue>, caller: &Caller) -> Result<bool, Error> {
    let given: BTreeMap<String, Box<RawValue>> = match responses {
        None => BTreeMap::new(),
        Some(raw) => serde_json::from_str(raw.get()).map_err(|error| Error::internal(&error.to_string()))?,
    };
    if let Some((key, _)) = given.iter().find(|(_, answer)| !answer.get().starts_with('{')) {
        return Err(Error::refused(
            "22023",
            format!(
                "Invalid params: params.inputResponses.{} must be an object. Nothing was changed.",
                fluxbase_query::show(key)
            ),
            None,
        ));
    }
    if known(id, caller)?.is_none() {
        return Ok(false);
    }
    let Some(waiting) = table::lock(id, &owner(caller)) else { return Ok(false) };
    let Some(requests) = &waiting.requests else { return Ok(true) };
    let read = |text: &str| -> Result<BTreeMap<String, Box<RawValue>>, Error> {
        serde_json::from_str(text).map_err(|error| Error::internal(&error.to_string()))
    };
    let mut requests = read(requests)?;
    let mut answers = waiting.answers.as_deref().map(read).transpose()?.unwrap_or_default();
    let before = requests.len();
    for (key, answer) in given {
        if requests.remove(&key).is_some() {
            answers.insert(key, answer);
        }
    }
    if requests.len() < before {
        let text = |map: &BTreeMap<String, Box<RawValue>>| {
            serde_json::to_string(map).map_err(|error| Error::internal(&error.to_string()))
        };
        let left = if requests.is_empty() { None } else { Some(text(&requests)?) };
        table::answered(id, left.as_deref(), &text(&answers)?);
        if left.is_none() {
            jobs::wake_at_commit();
        }
    }
    Ok(true)
}
