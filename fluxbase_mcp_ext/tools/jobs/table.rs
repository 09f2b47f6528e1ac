//! The tables that `mcp.install('{jobs}')` makes.
//!
//! Invariants: what is read is read as the caller, so policies decide who sees what; what is written is written by fixed statements as
//! `mcp_owner`, whose the tables are. Tables of these names that belong to somebody else are not used at all.

use pgrx::Spi;
use pgrx::datum::DatumWithOid;
use serde::Deserialize;

use crate::error::Error;
use crate::guard;

const THERE: &str = "SELECT mcp._jobs_there()::pg_catalog.text";

/// The jobs that the caller may submit: their function must be there, and be one that the caller may execute.
const VISIBLE: &str = "
  FROM jobs.functions AS f
 WHERE (f.kind OPERATOR(pg_catalog.=) 'edge' OR EXISTS (
           SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
            WHERE n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) f.function_schema
              AND p.proname::pg_catalog.text OPERATOR(pg_catalog.=) f.function_name
              AND pg_catalog.oidvectortypes(p.proargtypes) OPERATOR(pg_catalog.=) f.function_arguments
              AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')))";

const FIND: &str = "
SELECT pg_catalog.json_build_object(
           'id', f.id, 'name', f.name, 'namespace', f.namespace, 'schema', f.payload_schema::pg_catalog.text, 'enabled', f.enabled,
           'max_retries', f.max_retries, 'role', CURRENT_USER)::pg_catalog.text";

const LIST: &str = "
SELECT pg_catalog.json_build_object(
           'name', f.name, 'namespace', f.namespace, 'description', f.description, 'payload_schema', f.payload_schema,
           'timeout_seconds', f.timeout_seconds, 'max_retries', f.max_retries)::pg_catalog.text";

const NAMES: &str = "SELECT pg_catalog.json_build_array(f.namespace, f.name)::pg_catalog.text";

const PROBLEM: &str = "SELECT t.problem FROM mcp._job_target($1::pg_catalog.uuid, $2, $3) AS t";

const SUBMIT: &str = "
INSERT INTO jobs.queue AS q (function_id, job_name, namespace, payload, priority, scheduled_at, run_after, delayed, max_retries,
                             max_duration_seconds, progress_timeout_seconds, idempotency_key, request_digest, created_by, user_email,
                             role_name, key_id, claims, settings)
SELECT f.id, f.name, f.namespace, $2::pg_catalog.jsonb, $3, $4::pg_catalog.timestamptz,
       coalesce($4::pg_catalog.timestamptz, pg_catalog.now()),
       coalesce($4::pg_catalog.timestamptz OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp(), false), $5, f.timeout_seconds,
       f.progress_timeout_seconds, $6, $7, $8, $9, $10, $11, $12::pg_catalog.jsonb, $13::pg_catalog.jsonb
  FROM jobs.functions AS f WHERE f.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid
ON CONFLICT DO NOTHING
RETURNING q.id::pg_catalog.text";

const SAME: &str = "
SELECT pg_catalog.json_build_array(q.id, q.request_digest)::pg_catalog.text FROM jobs.queue AS q
 WHERE q.idempotency_key OPERATOR(pg_catalog.=) $1 AND q.role_name OPERATOR(pg_catalog.=) $2
   AND coalesce(q.created_by, '') OPERATOR(pg_catalog.=) coalesce($3, '')";

/// Whether a job is the caller's own; whoever may merely see it, by a policy of the DBA's, may not end it.
const CANCEL: &str = "
UPDATE jobs.queue AS q
   SET cancel_requested_at = coalesce(q.cancel_requested_at, pg_catalog.clock_timestamp()),
       status = CASE WHEN q.status OPERATOR(pg_catalog.=) 'pending' THEN 'cancelled' ELSE q.status END,
       completed_at = CASE WHEN q.status OPERATOR(pg_catalog.=) 'pending' THEN pg_catalog.clock_timestamp() ELSE q.completed_at END
 WHERE q.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND q.status OPERATOR(pg_catalog.=) ANY ('{pending,running}'::pg_catalog.text[])
   AND ($4 OR q.slot IS NULL AND CASE WHEN q.created_by IS NULL THEN q.role_name OPERATOR(pg_catalog.=) $2 AND $3 IS NULL
                                      ELSE q.created_by OPERATOR(pg_catalog.=) $3 END)
RETURNING q.status";

/// A job as the tools tell it; what is NULL is left out of it later. $1: most characters of a result.
const JOB: &str = "
SELECT pg_catalog.row_to_json(s)::pg_catalog.text
  FROM (SELECT q.id AS job_id, q.seq::pg_catalog.text AS seq, q.job_name, q.namespace, q.status, q.priority, q.attempts, q.retry_count, q.max_retries,
               (q.progress OPERATOR(pg_catalog.->) 'percent') AS progress, (q.progress OPERATOR(pg_catalog.->) 'message') AS progress_message,
               (q.progress OPERATOR(pg_catalog.->) 'data') AS progress_data,
               q.created_at, coalesce(q.scheduled_at, q.slot) AS scheduled_at,
               CASE WHEN q.status OPERATOR(pg_catalog.=) 'pending' AND q.attempts OPERATOR(pg_catalog.>) 0 THEN q.run_after END AS next_attempt_at,
               q.started_at, q.completed_at, q.cancel_requested_at, q.error_message AS error,
               CASE WHEN pg_catalog.length(q.result::pg_catalog.text) OPERATOR(pg_catalog.<=) $1 THEN q.result END AS result,
               CASE WHEN pg_catalog.length(q.result::pg_catalog.text) OPERATOR(pg_catalog.>) $1
                    THEN pg_catalog.json_build_object('why', pg_catalog.format('the result has %s characters and is left out',
                                                                               pg_catalog.length(q.result::pg_catalog.text))) END AS truncated
          FROM jobs.queue AS q";

const ONE: &str = "
         WHERE q.id OPERATOR(pg_catalog.=) $2::pg_catalog.uuid) AS s";

const MANY: &str = "
         WHERE ($2 IS NULL OR q.status OPERATOR(pg_catalog.=) $2) AND ($3 IS NULL OR q.job_name OPERATOR(pg_catalog.=) $3)
           AND ($4 IS NULL OR q.namespace OPERATOR(pg_catalog.=) $4) AND ($5 IS NULL OR q.seq OPERATOR(pg_catalog.<) $5)
         ORDER BY q.seq USING OPERATOR(pg_catalog.>)
         LIMIT $6) AS s";

const LOGS: &str = "
SELECT pg_catalog.row_to_json(s)::pg_catalog.text
  FROM (SELECT l.id::pg_catalog.text AS id, l.run, l.level, l.message, l.data, l.logged_at
          FROM jobs.logs AS l
         WHERE l.job_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND l.id OPERATOR(pg_catalog.>) $2
           AND ($3 IS NULL OR l.level OPERATOR(pg_catalog.=) $3)
         ORDER BY l.id USING OPERATOR(pg_catalog.<)
         LIMIT $4) AS s";

/// A job that the caller may submit.
#[derive(Debug, Deserialize)]
pub struct Found {
    pub id: String,
    pub name: String,
    pub namespace: String,
    /// JSON Schema of the payload, as text.
    pub schema: Option<String>,
    pub enabled: bool,
    pub max_retries: i32,
    /// The role that calls.
    pub role: String,
}

/// What is written of a job when it is submitted.
#[derive(Debug)]
pub struct Submission<'a> {
    pub payload: &'a str,
    pub priority: i32,
    pub scheduled_at: Option<&'a str>,
    pub max_retries: i32,
    pub idempotency_key: Option<&'a str>,
    /// Of all arguments but the key.
    pub digest: &'a str,
    pub user: Option<&'a str>,
    pub email: Option<&'a str>,
    pub key_id: Option<&'a str>,
    pub claims: Option<&'a str>,
    pub settings: &'a str,
}

/// Which jobs are listed.
#[derive(Debug)]
pub struct Filter<'a> {
    pub status: Option<&'a str>,
    pub name: Option<&'a str>,
    pub namespace: Option<&'a str>,
    /// Only those that were submitted before this one.
    pub before: Option<i64>,
}

/// An error unless jobs are installed.
pub fn there(nothing: &str) -> Result<(), Error> {
    if guard::as_owner(|| first(THERE, &[])).as_deref() == Some("true") {
        return Ok(());
    }
    Err(Error::refused(
        "42P01",
        format!("jobs are not installed in this database. {nothing}"),
        "An administrator runs: SELECT * FROM mcp.install('{jobs}');".to_owned(),
    ))
}

/// The job of that name that the caller may submit; without a namespace that of the namespace "default", else the first.
pub fn find(name: &str, namespace: Option<&str>) -> Option<Found> {
    const WHICH: &str = "
   AND f.name OPERATOR(pg_catalog.=) $1 AND ($2 IS NULL OR f.namespace OPERATOR(pg_catalog.=) $2)
 ORDER BY f.namespace OPERATOR(pg_catalog.=) 'default' USING OPERATOR(pg_catalog.>), f.namespace USING OPERATOR(pg_catalog.<)
 LIMIT 1";
    let line = first(&format!("{FIND}{VISIBLE}{WHICH}"), &[name.into(), namespace.into()])?;
    Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("jobs.functions: {error}")))
}

/// Why the role may not run that job now.
pub fn problem(found: &Found, with_claims: bool) -> Option<String> {
    let values = [found.id.as_str().into(), found.role.as_str().into(), with_claims.into()];
    guard::as_owner(|| first(PROBLEM, &values))
}

/// The jobs that the caller may submit, a JSON text each, at most `limit`.
pub fn list(limit: i64) -> Vec<String> {
    const ORDER: &str = "
   AND f.enabled ORDER BY f.namespace USING OPERATOR(pg_catalog.<), f.name USING OPERATOR(pg_catalog.<) LIMIT $1";
    all(&format!("{LIST}{VISIBLE}{ORDER}"), &[limit.into()])
}

/// One of them.
pub fn described(name: &str, namespace: &str) -> Option<String> {
    const WHICH: &str = "
   AND f.enabled AND f.name OPERATOR(pg_catalog.=) $1 AND f.namespace OPERATOR(pg_catalog.=) $2";
    first(&format!("{LIST}{VISIBLE}{WHICH}"), &[name.into(), namespace.into()])
}

/// Namespace and name of each of them.
pub fn names(limit: i64) -> Vec<(String, String)> {
    let lines = all(&format!("{NAMES}{VISIBLE} AND f.enabled LIMIT $1"), &[limit.into()]);
    lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Writes a job; its id, or the id and digest of the one that has the same key and owner.
pub fn submit(found: &Found, submission: &Submission<'_>) -> Result<String, (String, String)> {
    let values = [
        found.id.as_str().into(),
        submission.payload.into(),
        submission.priority.into(),
        submission.scheduled_at.into(),
        submission.max_retries.into(),
        submission.idempotency_key.into(),
        submission.digest.into(),
        submission.user.into(),
        submission.email.into(),
        found.role.as_str().into(),
        submission.key_id.into(),
        submission.claims.into(),
        submission.settings.into(),
    ];
    guard::as_owner(|| {
        let written = Spi::connect_mut(|client| {
            let rows = client.update(SUBMIT, None, &values)?;
            if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
        })
        .unwrap_or_else(|error: pgrx::spi::Error| panic!("writing jobs.queue: {error}"));
        if let Some(id) = written {
            return Ok(id);
        }
        let owner = [submission.idempotency_key.into(), found.role.as_str().into(), submission.user.into()];
        let same = first(SAME, &owner).unwrap_or_else(|| panic!("jobs.functions: the job is gone"));
        Err(serde_json::from_str(&same).unwrap_or_else(|error| panic!("jobs.queue: {error}")))
    })
}

/// The job of that id as JSON, if the caller may see it.
pub fn job(id: &str, most: i64) -> Option<String> {
    first(&format!("{JOB}{ONE}"), &[most.into(), id.into()])
}

/// The jobs that the caller may see, the last first.
pub fn jobs(filter: &Filter<'_>, limit: i64) -> Vec<String> {
    let values = [
        (-1i64).into(),
        filter.status.into(),
        filter.name.into(),
        filter.namespace.into(),
        filter.before.into(),
        limit.into(),
    ];
    all(&format!("{JOB}{MANY}"), &values)
}

/// The log of a job, in its order, from after that line on.
pub fn logs(id: &str, after: i64, level: Option<&str>, limit: i64) -> Vec<String> {
    all(LOGS, &[id.into(), after.into(), level.into(), limit.into()])
}

/// Ends a job that waits, or asks that one that runs be ended: its status then. `None`: it has ended, or is not the caller's.
pub fn cancel(id: &str, role: &str, user: Option<&str>, admin: bool) -> Option<String> {
    let values = [id.into(), role.into(), user.into(), admin.into()];
    guard::as_owner(|| {
        Spi::connect_mut(|client| {
            let rows = client.update(CANCEL, None, &values)?;
            if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
        })
        .unwrap_or_else(|error: pgrx::spi::Error| panic!("writing jobs.queue: {error}"))
    })
}

/// The role that calls.
pub fn role() -> String {
    first("SELECT CURRENT_USER::pg_catalog.text", &[]).unwrap_or_default()
}

fn first(statement: &str, values: &[DatumWithOid<'_>]) -> Option<String> {
    Spi::connect(|client| {
        let rows = client.select(statement, Some(1), values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<String>(1) }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading jobs: {error}"))
}

fn all(statement: &str, values: &[DatumWithOid<'_>]) -> Vec<String> {
    Spi::connect(|client| {
        let rows = client.select(statement, None, values)?;
        rows.map(|row| row.get::<String>(1).map(Option::unwrap_or_default)).collect::<Result<_, _>>()
    })
    .unwrap_or_else(|error: pgrx::spi::Error| panic!("reading jobs: {error}"))
}
