//! `submit_job`, `get_job_status`, `list_jobs`, `cancel_job`, `get_job_logs`.
//!
//! Invariants:
//! - Which jobs a caller may submit is which of `jobs.functions` it may see and whose function it may execute; which submitted ones it
//!   sees is what the policies of `jobs.queue` say. What it may not see is answered as what does not exist.
//! - The role, the claims and the user that a job runs with are those of the call that submitted it. No argument names them.
//! - Nothing runs here: a worker does, see `jobs`.

pub mod table;
pub mod timing;

use fluxbase_protocol::ToolOutput;
use fluxbase_query::{Arguments, Outcome as Undone, QueryError, show};
use fluxbase_register::{Schema, canonical};
use fluxbase_schedule::is_rfc3339;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Done, UNTRUSTED, object};
use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::identity::claims;
use table::{Filter, Found, Submission};

const NOT_SUBMITTED: &str = "Nothing was submitted.";
const NOTHING_READ: &str = "Nothing was read.";
const NOTHING_CHANGED: &str = "Nothing was changed.";

/// Priorities go from minus this to this.
const MOST_PRIORITY: i64 = 1000;
/// The most retries, as in `jobs.functions`.
const MOST_RETRIES: i64 = 100;
/// The most characters of an idempotency key.
const MOST_KEY: usize = 200;
const STATUSES: [&str; 5] = ["pending", "running", "completed", "failed", "cancelled"];
const LEVELS: [&str; 4] = ["debug", "info", "warning", "error"];

/// `submit_job`.
pub fn submit(request: &Request<'_>) -> Result<Done, Error> {
    let asked = Asked::read(request.arguments).map_err(|error| error.with_outcome(Undone::NothingChanged))?;
    table::there(NOT_SUBMITTED)?;
    let (user, email, all) = whose();
    let found = find(&asked, all.is_some())?;
    if let Some(schema) = &found.schema {
        let payload = serde_json::from_str::<Value>(&asked.payload)
            .map_err(|error| Error::internal(&error.to_string()))?;
        let schema = Schema::compile(schema).map_err(|why| Error::internal(&why))?;
        schema.check(&payload, "payload").map_err(|why| {
            Error::refused(
                "22023",
                format!("{why} {NOT_SUBMITTED}"),
                format!("The resource fluxbase://jobs/{}/{} has the schema.", found.namespace, found.name),
            )
        })?;
    }
    let max_retries = asked.max_retries.unwrap_or(found.max_retries);
    let digest = hex(&Sha256::digest(
        serde_json::json!([
            found.namespace,
            found.name,
            canonical(&asked.payload),
            asked.priority,
            asked.scheduled_at,
            asked.max_retries
        ])
        .to_string(),
    ));
    let submission = Submission {
        payload: &asked.payload,
        priority: asked.priority,
        scheduled_at: asked.scheduled_at.as_deref(),
        max_retries,
        idempotency_key: asked.idempotency_key.as_deref(),
        digest: &digest,
        user: user.as_deref(),
        email: email.as_deref(),
        key_id: request.identity.key_id.as_deref(),
        claims: all.as_deref(),
        settings: &settings(request),
    };
    let (id, existing) = match table::submit(&found, &submission) {
        Ok(id) => (id, false),
        Err((id, known)) if known == digest => (id, true),
        Err(_) => {
            return Err(Error::refused(
                "22023",
                format!(
                    "idempotency_key: {} was used for a job with other arguments. {NOT_SUBMITTED}",
                    show(asked.idempotency_key.as_deref().unwrap_or_default())
                ),
                "Choose another key for another job; the same arguments with the same key are one job."
                    .to_owned(),
            ));
        }
    };
    let Some(line) = table::job(&id, 0) else {
        // A policy of the DBA's hides it from whoever submitted it.
        let text =
            serde_json::json!({ "job_id": id, "job_name": found.name, "status": "pending" }).to_string();
        return Ok(object(text, Vec::new()).into());
    };
    let mut text = String::from("{");
    members(
        &mut text,
        &line,
        &["job_id", "job_name", "namespace", "status", "priority", "created_at", "scheduled_at"],
    )?;
    if existing {
        text.push_str(r#","existing":true"#);
    }
    text.push('}');
    Ok(object(text, Vec::new()).into())
}

fn find(asked: &Asked, with_claims: bool) -> Result<Found, Error> {
    let Some(found) = table::find(&asked.name, asked.namespace.as_deref()) else {
        let whole = match asked.namespace.as_deref() {
            None => asked.name.clone(),
            Some(namespace) => format!("{namespace}/{}", asked.name),
        };
        return Err(Error::refused(
            "42704",
            format!("there is no job {} that you may submit. {NOT_SUBMITTED}", show(&whole)),
            "The resource fluxbase://jobs lists those that you may.".to_owned(),
        ));
    };
    match table::problem(&found, with_claims) {
        None => Ok(found),
        Some(problem) => {
            let code = if found.enabled { "42501" } else { "55000" };
            Err(Error::refused(code, format!("job {}: {problem}. {NOT_SUBMITTED}", found.name), None))
        }
    }
}

/// The user and the email of the claims in force, and all of them as JSON text.
fn whose() -> (Option<String>, Option<String>, Option<String>) {
    claims::with_current(|all| {
        let text = |name: &str| all.get(name).and_then(Value::as_str).map(str::to_owned);
        Some((text("sub"), text("email"), Some(Value::Object(all.clone()).to_string())))
    })
    .unwrap_or_default()
}

/// Who submits a job that is no registered one: what its run becomes.
#[derive(Debug)]
pub struct Submitter<'a> {
    pub role: &'a str,
    pub user: Option<&'a str>,
    pub email: Option<&'a str>,
    pub key_id: Option<&'a str>,
    /// JSON texts.
    pub claims: Option<&'a str>,
    pub settings: &'a str,
}

/// Calls `body` with who submits: the caller. Only inside the guard.
///
/// # Errors
/// [`Error::Refused`] without jobs.
pub fn with_submitter<T>(request: &Request<'_>, body: impl FnOnce(&Submitter<'_>) -> T) -> Result<T, Error> {
    table::there(NOT_SUBMITTED)?;
    let (user, email, all) = whose();
    Ok(body(&Submitter {
        role: &table::role(),
        user: user.as_deref(),
        email: email.as_deref(),
        key_id: request.identity.key_id.as_deref(),
        claims: all.as_deref(),
        settings: &settings(request),
    }))
}

/// The settings of the key, for the run.
fn settings(request: &Request<'_>) -> String {
    let pair = |(name, value): &(std::ffi::CString, std::ffi::CString)| {
        Some((name.to_str().ok()?.to_owned(), Value::from(value.to_str().ok()?)))
    };
    let all: Map<String, Value> = match request.identity.key_id {
        Some(_) => request.identity.settings.iter().filter_map(pair).collect(),
        None => Map::new(),
    };
    Value::Object(all).to_string()
}

/// What `get_job_status` tells, in this order.
const STATUS: [&str; 20] = [
    "job_id",
    "job_name",
    "namespace",
    "status",
    "priority",
    "attempts",
    "retry_count",
    "max_retries",
    "progress",
    "progress_message",
    "progress_data",
    "created_at",
    "scheduled_at",
    "next_attempt_at",
    "started_at",
    "completed_at",
    "cancel_requested_at",
    "error",
    "result",
    "truncated",
];

/// `get_job_status`.
pub fn status(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let read = || {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["job_id"])?;
        job_id(&args)
    };
    let id = read().map_err(|error| error.with_outcome(Undone::NothingRead))?;
    table::there(NOTHING_READ)?;
    let most = i64::try_from(gucs::max_result_chars()).unwrap_or(i64::MAX);
    let line = table::job(&id, most).ok_or_else(|| unknown(&id, NOTHING_READ))?;
    let mut text = format!("{{{}", marked(request));
    members(&mut text, &line, &STATUS)?;
    text.push('}');
    Ok(object(text, Vec::new()))
}

/// `list_jobs`: the last first, without results.
pub fn list(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let read = || {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["status", "job_name", "namespace", "limit", "cursor"])?;
        let status = one_of(&args, "status", &STATUSES)?;
        let before = args
            .str("cursor")?
            .map(|text| {
                text.parse::<i64>().map_err(|_| args.unfit("cursor", "is none that list_jobs answered with"))
            })
            .transpose()?;
        Ok((status, args.str("job_name")?, args.str("namespace")?, limit(&args, 20, 100)?, before))
    };
    let (status, name, namespace, limit, before) =
        read().map_err(|error: QueryError| error.with_outcome(Undone::NothingRead))?;
    table::there(NOTHING_READ)?;
    let filter =
        Filter { status: status.as_deref(), name: name.as_deref(), namespace: namespace.as_deref(), before };
    let lines = table::jobs(&filter, limit + 1);
    let told = |line: &str| {
        let mut text = String::from("{");
        members(&mut text, line, &STATUS)?;
        text.push('}');
        Ok((text, Arguments::parse(Some(line))?.str("seq")?))
    };
    page(request, "jobs", lines, limit, "next_cursor", told)
}

/// `get_job_logs`: in the order in which they were written.
pub fn logs(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let read = || {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["job_id", "level", "after", "limit"])?;
        let after = args
            .str("after")?
            .map(|text| {
                text.parse::<i64>()
                    .map_err(|_| args.unfit("after", "is none that get_job_logs answered with"))
            })
            .transpose()?;
        Ok((job_id(&args)?, one_of(&args, "level", &LEVELS)?, after.unwrap_or(0), limit(&args, 100, 1000)?))
    };
    let (id, level, after, limit) =
        read().map_err(|error: QueryError| error.with_outcome(Undone::NothingRead))?;
    table::there(NOTHING_READ)?;
    if table::job(&id, 0).is_none() {
        return Err(unknown(&id, NOTHING_READ));
    }
    let lines = table::logs(&id, after, level.as_deref(), limit + 1);
    let told = |line: &str| {
        let mut text = String::from("{");
        members(&mut text, line, &["run", "level", "message", "data", "logged_at"])?;
        text.push('}');
        Ok((text, Arguments::parse(Some(line))?.str("id")?))
    };
    page(request, "logs", lines, limit, "next_after", told)
}

/// `cancel_job`.
pub fn cancel(request: &Request<'_>) -> Result<Done, Error> {
    let read = || {
        let args = Arguments::parse(request.arguments)?;
        args.only(&["job_id"])?;
        job_id(&args)
    };
    let id = read().map_err(|error| error.with_outcome(Undone::NothingChanged))?;
    table::there(NOTHING_CHANGED)?;
    if table::job(&id, 0).is_none() {
        return Err(unknown(&id, NOTHING_CHANGED));
    }
    let user = claims::with_current(|all| Some(all.get("sub")?.as_str()?.to_owned()));
    let ended = table::cancel(&id, &table::role(), user.as_deref(), request.identity.admin);
    let line = table::job(&id, 0).ok_or_else(|| unknown(&id, NOTHING_CHANGED))?;
    let known = Arguments::parse(Some(&line))?;
    let status = known.str("status")?.unwrap_or_default();
    if ended.is_none() && matches!(status.as_str(), "pending" | "running") {
        return Err(Error::refused(
            "42501",
            format!(
                "job {id} was submitted by somebody else: you may see it, not cancel it. {NOTHING_CHANGED}"
            ),
            None,
        ));
    }
    let mut text = String::from("{");
    members(&mut text, &line, &["job_id", "job_name", "status", "cancel_requested_at", "completed_at"])?;
    let note = match (ended.as_deref(), status.as_str()) {
        (Some("running"), _) => "It runs; its worker ends it. get_job_status tells when.",
        (Some(_), _) => "It had not begun, and will not.",
        (None, _) => "It had ended before. Nothing was changed.",
    };
    text.push_str(&format!(r#","note":{}}}"#, Value::from(note)));
    Ok(object(text, Vec::new()).into())
}

/// A page of lines, as many as fit. `told`: a line as it is told, and where the next page goes on after it.
fn page(
    request: &Request<'_>,
    name: &str,
    lines: Vec<String>,
    limit: i64,
    next: &str,
    told: impl Fn(&str) -> Result<(String, Option<String>), Error>,
) -> Result<ToolOutput, Error> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut text = format!("{{{}\"{name}\":[", marked(request));
    let (mut shown, mut last) = (0, None);
    for line in lines.iter().take(most) {
        let (line, place) = told(line)?;
        if shown > 0 {
            if text.len() + line.len() > gucs::max_result_chars() {
                break;
            }
            text.push(',');
        }
        text.push_str(&line);
        (shown, last) = (shown + 1, place);
    }
    let more = shown < lines.len();
    text.push_str(&format!(r#"],"count":{shown},"has_more":{more}"#));
    if let Some(last) = last.filter(|_| more) {
        text.push_str(&format!(r#","{next}":"{last}""#));
    }
    text.push('}');
    Ok(object(text, Vec::new()))
}

/// What marks what jobs wrote as data.
fn marked(request: &Request<'_>) -> &'static str {
    if request.structured { UNTRUSTED } else { "" }
}

/// Adds those members of the JSON object `line` that are not null, in the order of `names`.
fn members(text: &mut String, line: &str, names: &[&str]) -> Result<(), Error> {
    let known = Arguments::parse(Some(line))?;
    let mut first = true;
    for name in names {
        if let Some(raw) = known.raw(name) {
            if !first {
                text.push(',');
            }
            first = false;
            text.push_str(&format!("\"{name}\":{}", raw.get()));
        }
    }
    Ok(())
}

fn unknown(id: &str, nothing: &str) -> Error {
    Error::refused(
        "42704",
        format!("there is no job {id} that you may see. {nothing}"),
        "list_jobs lists those that you may.".to_owned(),
    )
}

fn job_id(args: &Arguments) -> Result<String, QueryError> {
    let Some(text) = args.str("job_id")? else {
        return Err(args.unfit("job_id", "is missing: write {\"job_id\":\"…\"}, as submit_job answered"));
    };
    if is_uuid(&text) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(args.unfit("job_id", &format!("{} is no id of a job, which is a UUID", show(&text))))
    }
}

/// Whether this is an id of a job.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn one_of(args: &Arguments, name: &str, known: &[&str]) -> Result<Option<String>, QueryError> {
    let value = args.str(name)?;
    match &value {
        Some(text) if !known.contains(&text.as_str()) => {
            Err(args.unfit(name, &format!("{} is none of {}", show(text), known.join(", "))))
        }
        _ => Ok(value),
    }
}

fn limit(args: &Arguments, default: i64, most: i64) -> Result<i64, QueryError> {
    match args.int("limit")?.unwrap_or(default) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(args.unfit("limit", &format!("must be from 1 to {most}"))),
    }
}

/// What the caller of `submit_job` asks for.
struct Asked {
    name: String,
    namespace: Option<String>,
    payload: String,
    priority: i32,
    scheduled_at: Option<String>,
    idempotency_key: Option<String>,
    max_retries: Option<i32>,
}

impl Asked {
    fn read(arguments: Option<&str>) -> Result<Asked, QueryError> {
        let args = Arguments::parse(arguments)?;
        args.only(&[
            "job_name",
            "namespace",
            "payload",
            "priority",
            "scheduled_at",
            "idempotency_key",
            "max_retries",
        ])?;
        let Some(name) = args.str("job_name")?.filter(|name| !name.is_empty()) else {
            let why = "is missing: write {\"job_name\":\"report\"}; the resource fluxbase://jobs lists them";
            return Err(args.unfit("job_name", why));
        };
        let payload = args.raw("payload").map_or("{}", |raw| raw.get());
        if !payload.starts_with('{') {
            return Err(args.unfit("payload", "must be an object"));
        }
        let within = |name: &str, least: i64, most: i64| match args.int(name)? {
            None => Ok(None),
            Some(value) if (least..=most).contains(&value) => Ok(i32::try_from(value).ok()),
            Some(_) => Err(args.unfit(name, &format!("must be from {least} to {most}"))),
        };
        let scheduled_at = args.str("scheduled_at")?;
        if scheduled_at.as_deref().is_some_and(|text| !is_rfc3339(text)) {
            let why = "must be a moment as RFC 3339 writes it, with its offset: 2026-11-22T09:00:00Z";
            return Err(args.unfit("scheduled_at", why));
        }
        let idempotency_key = args.str("idempotency_key")?;
        if idempotency_key.as_deref().is_some_and(|key| key.is_empty() || key.chars().count() > MOST_KEY) {
            return Err(args.unfit("idempotency_key", &format!("must have 1 to {MOST_KEY} characters")));
        }
        Ok(Asked {
            name,
            namespace: args.str("namespace")?,
            payload: payload.to_owned(),
            priority: within("priority", -MOST_PRIORITY, MOST_PRIORITY)?.unwrap_or(0),
            scheduled_at,
            idempotency_key,
            max_retries: within("max_retries", 0, MOST_RETRIES)?,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
