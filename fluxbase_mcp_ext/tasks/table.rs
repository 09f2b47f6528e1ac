//! The rows of tasks: what is read is read as the caller, so the policies of `jobs.queue` decide whose a task is; what is written is written
//! by fixed statements as `mcp_owner`.

use pgrx::Spi;
use pgrx::datum::DatumWithOid;
use serde::Deserialize;

use crate::guard;
use crate::tools::jobs::Submitter;

const PROBLEM: &str = "SELECT t.problem FROM mcp._job_target(mcp._tasks_function(), $1, $2) AS t";

/// One statement, so that neither row is there without the other.
const SUBMIT: &str = "
WITH job AS (
    INSERT INTO jobs.queue AS q (function_id, job_name, namespace, max_duration_seconds, created_by, user_email, role_name, key_id, claims,
                                 settings)
    SELECT mcp._tasks_function(), $1, 'tools', $4, $6, $7, $8, $9, $10::pg_catalog.jsonb, $11::pg_catalog.jsonb
    RETURNING q.id, q.created_at),
     task AS (
    INSERT INTO jobs.tasks AS t (job_id, tool, scopes, call, expires_at)
    SELECT j.id, $1, $2, $3::pg_catalog.json, j.created_at OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => $5) FROM job AS j)
SELECT pg_catalog.json_build_object('id', j.id, 'created_at', j.created_at)::pg_catalog.text FROM job AS j";

const GET: &str = "
SELECT pg_catalog.json_build_object(
           'tool', t.tool, 'scopes', t.scopes, 'status', q.status, 'message', q.progress OPERATOR(pg_catalog.->>) 'message',
           'created_at', q.created_at,
           'updated_at', greatest(q.created_at, q.started_at, q.last_progress_at, q.completed_at, q.cancel_requested_at, t.updated_at),
           'ttl_ms', (extract(epoch FROM t.expires_at OPERATOR(pg_catalog.-) q.created_at) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8,
           'age_ms', greatest(0, (extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) q.created_at) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8),
           'cancelling', q.cancel_requested_at IS NOT NULL, 'error_message', q.error_message,
           'requests', t.requests::pg_catalog.text, 'outcome', t.outcome::pg_catalog.text, 'error', t.error::pg_catalog.text)::pg_catalog.text
  FROM jobs.tasks AS t JOIN jobs.queue AS q ON q.id OPERATOR(pg_catalog.=) t.job_id
 WHERE t.job_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND t.expires_at OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()";

const LOCK: &str = "
SELECT pg_catalog.json_build_object('requests', CASE WHEN q.status OPERATOR(pg_catalog.=) 'pending' THEN t.requests::pg_catalog.text END,
                                    'answers', t.answers::pg_catalog.text)::pg_catalog.text
  FROM jobs.queue AS q JOIN jobs.tasks AS t ON t.job_id OPERATOR(pg_catalog.=) q.id
 WHERE q.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid
   AND ($4 OR CASE WHEN q.created_by IS NULL THEN q.role_name OPERATOR(pg_catalog.=) $2 AND $3 IS NULL
                   ELSE q.created_by OPERATOR(pg_catalog.=) $3 END)
   FOR UPDATE";

const ANSWERED: &str = "
WITH task AS (
    UPDATE jobs.tasks AS t SET requests = $2::pg_catalog.json, answers = $3::pg_catalog.json, updated_at = pg_catalog.clock_timestamp()
     WHERE t.job_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid)
UPDATE jobs.queue AS q SET run_after = pg_catalog.clock_timestamp(), delayed = false
 WHERE q.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND q.status OPERATOR(pg_catalog.=) 'pending' AND $2 IS NULL";

/// A task that was begun.
#[derive(Debug, Deserialize)]
pub struct Made {
    pub id: String,
    pub created_at: String,
}

/// A task as its owner may know it.
#[derive(Debug, Deserialize)]
pub struct Row {
    pub tool: String,
    /// Of which a key needs one.
    pub scopes: Vec<String>,
    /// Of its job.
    pub status: String,
    /// What was reported of its progress.
    pub message: Option<String>,
    pub created_at: String,
    pub updated_at: String,
    pub ttl_ms: u64,
    pub age_ms: u64,
    /// Somebody asked for its end.
    pub cancelling: bool,
    /// Why its job failed.
    pub error_message: Option<String>,
    /// JSON texts.
    pub requests: Option<String>,
    pub outcome: Option<String>,
    pub error: Option<String>,
}

/// Whose tasks are changed.
#[derive(Debug)]
pub struct Owner {
    pub role: String,
    pub user: Option<String>,
    pub admin: bool,
}

/// What a task waits for, JSON texts: questions without an answer, and answers.
#[derive(Debug, Deserialize)]
pub struct Waiting {
    pub requests: Option<String>,
    pub answers: Option<String>,
}

/// Why no task may run as that role.
pub fn problem(role: &str, with_claims: bool) -> Option<String> {
    guard::as_owner(|| text(PROBLEM, &[role.into(), with_claims.into()]))
}

/// Writes a task.
pub fn submit(
    tool: &str,
    scopes: &[String],
    call: &str,
    timeout_seconds: u32,
    ttl_seconds: u32,
    submitter: &Submitter<'_>,
) -> Made {
    let values = [
        tool.into(),
        scopes.to_vec().into(),
        call.into(),
        i32::try_from(timeout_seconds).unwrap_or(i32::MAX).into(),
        f64::from(ttl_seconds).into(),
        submitter.user.into(),
        submitter.email.into(),
        submitter.role.into(),
        submitter.key_id.into(),
        submitter.claims.into(),
        submitter.settings.into(),
    ];
    let line = guard::as_owner(|| text(SUBMIT, &values)).unwrap_or_default();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("writing jobs.tasks: {error}"))
}

/// The task of that id whose time is not over, if the caller may see it.
pub fn get(id: &str) -> Option<Row> {
    let line = Spi::connect(|client| {
        let rows = client.select(GET, Some(1), &[id.into()])?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading jobs.tasks: {error}"))?;
    Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("jobs.tasks: {error}")))
}

/// Locks a task of the owner's until the transaction ends, and what it waits for.
pub fn lock(id: &str, owner: &Owner) -> Option<Waiting> {
    let values = [id.into(), owner.role.as_str().into(), owner.user.as_deref().into(), owner.admin.into()];
    let line = guard::as_owner(|| text(LOCK, &values))?;
    Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("jobs.tasks: {error}")))
}

/// Writes down answers, and the questions that are left; without any the job goes on.
pub fn answered(id: &str, requests: Option<&str>, answers: &str) {
    let values = [id.into(), requests.into(), answers.into()];
    guard::as_owner(|| Spi::connect_mut(|client| client.update(ANSWERED, None, &values).map(|_| ())))
        .unwrap_or_else(|error: pgrx::spi::Error| panic!("writing jobs.tasks: {error}"));
}

/// The text that a statement of ours gives, which may write and lock.
fn text(statement: &str, values: &[DatumWithOid<'_>]) -> Option<String> {
    Spi::connect_mut(|client| {
        let rows = client.update(statement, None, values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading or writing jobs.tasks: {error}"))
}
