//! The functions of SQL that a worker calls: see `sql/36_jobs_worker.sql`, which says what each does.
//!
//! Invariant: nothing else of the tables is read or written by a worker, and its role may do nothing else.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::datum::{DatumWithOid, Uuid};
use pgrx::pg_sys::PgOid;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiTupleTable};
use pgrx::{Spi, pg_sys};

use super::process::Failed;
use crate::tasks;

/// A uuid.
pub type Id = [u8; 16];

/// A run of a job: who holds an older one can write nothing any more.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Run {
    pub job: Id,
    pub number: i32,
}

/// How long a claim holds without a heartbeat, in seconds.
const LEASE: i32 = 30;

/// Who submitted a job.
#[derive(Debug)]
pub struct Who {
    pub role: String,
    pub key_id: Option<String>,
    /// JSON text: the claims.
    pub claims: Option<String>,
    /// JSON text: the settings of the key.
    pub settings: Option<String>,
}

/// What is to be run.
#[derive(Debug)]
pub struct Job {
    pub run: Run,
    pub name: String,
    pub kind: Kind,
    /// JSON text.
    pub payload: Option<String>,
    pub who: Who,
    pub seconds: i32,
    /// Whether it must report progress within a time.
    pub watched: bool,
    /// Why it must not be run.
    pub problem: Option<String>,
}

/// What a job runs.
#[derive(Debug)]
pub enum Kind {
    Function(u32),
    Procedure(u32),
    /// A procedure that may COMMIT: see `call`.
    Call,
    Edge {
        namespace: Option<String>,
        name: String,
    },
    /// A task: see `tasks`.
    Tool,
}

fn failed(error: pgrx::spi::Error) -> Failed {
    Failed::because(&format!("calling a function of the queue: {error}"))
}

thread_local! {
    /// The plans of what is asked again and again, by the text of the statement. They stay as long as the process: freeing them at its end
    /// would be a call of Postgres after Postgres has ended.
    static KEPT: RefCell<HashMap<&'static str, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// Runs a statement of ours with a plan that is kept.
fn kept<'conn>(
    client: &mut SpiClient<'conn>,
    sql: &'static str,
    values: &[DatumWithOid<'_>],
) -> Result<SpiTupleTable<'conn>, pgrx::spi::Error> {
    let known = KEPT.with_borrow(|kept| kept.get(sql).copied());
    let plan = match known {
        Some(plan) => plan,
        None => {
            let types: Vec<PgOid> = values.iter().map(|value| PgOid::from(value.oid())).collect();
            let plan: &'static _ = Box::leak(Box::new(client.prepare_mut(sql, &types)?.keep()));
            KEPT.with_borrow_mut(|kept| kept.insert(sql, plan));
            plan
        }
    };
    client.update(plan, None, values)
}

/// Calls one and gives the first column of its first row.
fn one<T: pgrx::FromDatum + pgrx::IntoDatum>(
    sql: &'static str,
    values: &[DatumWithOid<'_>],
) -> Result<Option<T>, Failed> {
    Spi::connect_mut(|client| {
        let rows = kept(client, sql, values)?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<T>(1) }
    })
    .map_err(failed)
}

fn uuid(id: Id) -> Uuid {
    Uuid::from_bytes(id)
}

/// Whether this database has jobs, and this extension.
pub fn is_there() -> Result<bool, Failed> {
    const SQL: &str = "SELECT to_regprocedure('mcp._jobs_orphans(uuid)') IS NOT NULL";
    if !one::<bool>(SQL, &[])?.unwrap_or(false) {
        return Ok(false);
    }
    Ok(one::<bool>("SELECT mcp._jobs_there()", &[])?.unwrap_or(false))
}

/// Begins a worker: its id, and how many runs of its predecessors were taken over.
pub fn worker_start(name: &str, pid: i32, concurrency: i32) -> Result<Option<(Id, i32)>, Failed> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|host| host.trim().to_owned());
    let id = one::<Uuid>(
        "SELECT mcp._jobs_worker_start($1, $2, $3, $4)",
        &[name.into(), host.into(), pid.into(), concurrency.max(1).into()],
    )?;
    let Some(id) = id else { return Ok(None) };
    let taken = one::<i32>("SELECT mcp._jobs_orphans($1)", &[id.into()])?;
    Ok(Some((*id.as_bytes(), taken.unwrap_or(0))))
}

/// Ends a worker: hands back what it still runs. How many that were.
pub fn worker_stop(worker: Id) -> Result<i32, Failed> {
    let handed = one::<i32>("SELECT mcp._jobs_release($1)", &[uuid(worker).into()])?;
    one::<String>("SELECT mcp._jobs_worker_state($1, 'stopped')::text", &[uuid(worker).into()])?;
    Ok(handed.unwrap_or(0))
}

/// The next job.
pub fn claim(worker: Id) -> Result<Option<Job>, Failed> {
    const SQL: &str = "
SELECT id, run, job_name, kind, target, edge_namespace, edge_function, payload::text, role_name, key_id, claims::text, settings::text,
       max_duration_seconds, progress_timeout_seconds IS NOT NULL, problem
  FROM mcp._jobs_claim($1, 1, make_interval(secs => $2))";
    Spi::connect_mut(|client| {
        let mut rows = kept(client, SQL, &[uuid(worker).into(), f64::from(LEASE).into()])?;
        let Some(row) = rows.next() else { return Ok(None) };
        let target = row.get::<pg_sys::Oid>(5)?.map_or(0, pg_sys::Oid::to_u32);
        let kind = match row.get::<String>(4)?.as_deref() {
            Some("procedure") => Kind::Procedure(target),
            Some("call") => Kind::Call,
            Some("edge") => {
                Kind::Edge { namespace: row.get(6)?, name: row.get::<String>(7)?.unwrap_or_default() }
            }
            Some("tool") => Kind::Tool,
            _ => Kind::Function(target),
        };
        Ok(Some(Job {
            run: Run {
                job: row.get::<Uuid>(1)?.map_or([0; 16], |id| *id.as_bytes()),
                number: row.get::<i32>(2)?.unwrap_or(0),
            },
            name: row.get::<String>(3)?.unwrap_or_default(),
            kind,
            payload: row.get(8)?,
            who: Who {
                role: row.get::<String>(9)?.unwrap_or_default(),
                key_id: row.get(10)?,
                claims: row.get(11)?,
                settings: row.get(12)?,
            },
            seconds: row.get::<i32>(13)?.unwrap_or(1),
            watched: row.get::<bool>(14)?.unwrap_or(false),
            problem: row.get(15)?,
        }))
    })
    .map_err(failed)
}

/// What the process of a procedure that may COMMIT calls.
#[derive(Debug)]
pub struct Call {
    pub target: pg_sys::Oid,
    /// The type of its argument, if it has one.
    pub argument: Option<pg_sys::Oid>,
    /// JSON text.
    pub payload: Option<String>,
    pub who: Who,
    /// Why it must not be called.
    pub problem: Option<String>,
}

/// What a run calls at top level; `None`: it is not the worker's any more. Only as the owner of the tables.
pub fn call(worker: Id, run: Run) -> Result<Option<Call>, Failed> {
    const SQL: &str = "
SELECT c.target, c.argument, c.payload, c.role_name, c.key_id, c.claims, c.settings, c.problem FROM mcp._job_call($1, $2, $3) AS c";
    Spi::connect(|client| {
        let values = [uuid(run.job).into(), uuid(worker).into(), run.number.into()];
        let mut rows = client.select(SQL, Some(1), &values)?;
        let Some(row) = rows.next() else { return Ok(None) };
        Ok(Some(Call {
            target: row.get::<pg_sys::Oid>(1)?.unwrap_or(pg_sys::InvalidOid),
            argument: row.get(2)?,
            payload: row.get(3)?,
            who: Who {
                role: row.get::<String>(4)?.unwrap_or_default(),
                key_id: row.get(5)?,
                claims: row.get(6)?,
                settings: row.get(7)?,
            },
            problem: row.get(8)?,
        }))
    })
    .map_err(failed)
}

/// What became of a run.
#[derive(Debug)]
pub enum Ended {
    /// With its result, JSON text.
    Completed(Option<String>),
    /// Why, and whether another attempt may help.
    Failed(String, bool),
    /// Its process is no more.
    Lost(String),
    Cancelled(String),
    /// As a task does.
    Task(tasks::run::Ended),
}

/// Writes down what became of a run; false when it is not this worker's any more, and nothing was written.
pub fn finish(worker: Id, run: Run, ended: &Ended) -> Result<bool, Failed> {
    const SQL: &str = "SELECT mcp._jobs_finish($1, $2, $3, $4, $5::jsonb, $6, $7)";
    let (outcome, result, error, retry) = match ended {
        Ended::Task(ended) => return finish_task(worker, run, ended),
        Ended::Completed(result) => ("completed", result.as_deref(), None, true),
        Ended::Failed(why, retry) => ("failed", None, Some(why.as_str()), *retry),
        Ended::Lost(why) => ("lost", None, Some(why.as_str()), true),
        Ended::Cancelled(why) => ("cancelled", None, Some(why.as_str()), true),
    };
    let status = one::<String>(
        SQL,
        &[
            uuid(run.job).into(),
            uuid(worker).into(),
            run.number.into(),
            outcome.into(),
            result.into(),
            error.into(),
            retry.into(),
        ],
    )?;
    Ok(status.is_some())
}

/// What a run of a task is to do; `None`: it is not the worker's any more.
pub fn begin_task(worker: Id, run: Run) -> Result<Option<String>, Failed> {
    const SQL: &str = "SELECT mcp._task_begin($1, $2, $3)";
    one::<String>(SQL, &[uuid(run.job).into(), uuid(worker).into(), run.number.into()])
}

fn finish_task(worker: Id, run: Run, ended: &tasks::run::Ended) -> Result<bool, Failed> {
    const ASK: &str = "SELECT mcp._task_ask($1, $2, $3, $4, $5)";
    const END: &str = "SELECT mcp._task_end($1, $2, $3, $4, $5)";
    let (sql, first, second) = match ended {
        tasks::run::Ended::Result(result) => (END, Some(result.as_str()), None),
        tasks::run::Ended::Error(error) => (END, None, Some(error.as_str())),
        tasks::run::Ended::Asks { requests, state } => (ASK, Some(requests.as_str()), state.as_deref()),
    };
    let values = [uuid(run.job).into(), uuid(worker).into(), run.number.into(), first.into(), second.into()];
    Ok(one::<String>(sql, &values)?.is_some())
}

/// Hands a run back that was claimed and not begun.
pub fn hand_back(worker: Id, run: Run) -> Result<(), Failed> {
    one::<i32>(
        "SELECT mcp._jobs_release($1, ARRAY[$2], ARRAY[$3])",
        &[uuid(worker).into(), uuid(run.job).into(), run.number.into()],
    )
    .map(|_| ())
}

/// Extends the leases of these runs; which of them must end, and why.
pub fn heartbeat(worker: Id, runs: &[Run]) -> Result<Vec<(Run, String)>, Failed> {
    const SQL: &str =
        "SELECT id, run, verdict FROM mcp._jobs_heartbeat($1, $2, $3, make_interval(secs => $4))";
    let ids: Vec<Uuid> = runs.iter().map(|run| uuid(run.job)).collect();
    let numbers: Vec<i32> = runs.iter().map(|run| run.number).collect();
    Spi::connect_mut(|client| {
        let values = [uuid(worker).into(), ids.into(), numbers.into(), f64::from(LEASE).into()];
        let mut verdicts = Vec::new();
        for row in kept(client, SQL, &values)? {
            let run = Run {
                job: row.get::<Uuid>(1)?.map_or([0; 16], |id| *id.as_bytes()),
                number: row.get::<i32>(2)?.unwrap_or(0),
            };
            verdicts.push((run, row.get::<String>(3)?.unwrap_or_default()));
        }
        Ok(verdicts)
    })
    .map_err(failed)
}

/// Writes down what a run said: the object that `mcp._job_say` was given.
pub fn heard(worker: Id, run: Run, text: &str) -> Result<(), Failed> {
    const PROGRESS: &str = "
SELECT mcp._jobs_progress($1, $2, $3, (p->>'percent')::float8, p->>'message', p->'data') FROM (SELECT $4::jsonb->'progress') AS s(p)
 WHERE p IS NOT NULL";
    const LOG: &str = "
SELECT mcp._jobs_log($1, $2, $3, p->>'level', p->>'message', p->'data') FROM (SELECT $4::jsonb->'log') AS s(p) WHERE p IS NOT NULL";
    let values = || [uuid(run.job).into(), uuid(worker).into(), run.number.into(), text.into()];
    one::<bool>(PROGRESS, &values())?;
    one::<bool>(LOG, &values())?;
    Ok(())
}

/// Runs whose leases are over.
pub fn take_back() -> Result<(), Failed> {
    one::<i32>("SELECT mcp._jobs_take_back()", &[]).map(|_| ())
}

/// Puts what is due by schedule into the queue, where that exists.
pub fn schedule() -> Result<(), Failed> {
    if one::<bool>("SELECT to_regprocedure('mcp._jobs_schedule()') IS NOT NULL", &[])?.unwrap_or(false) {
        one::<String>("SELECT mcp._jobs_schedule()::text", &[])?;
    }
    Ok(())
}

/// In how many seconds there will be something to do; `None`: nothing is known of.
pub fn next_due() -> Result<Option<f64>, Failed> {
    one::<f64>("SELECT extract(epoch FROM mcp._jobs_next_due() - clock_timestamp())::float8", &[])
}

/// The functions of periodic upkeep, ready to be called.
pub fn upkeep() -> Result<Vec<(String, bool)>, Failed> {
    const SQL: &str = r"
SELECT format('%I.%I()', n.nspname, p.proname), has_function_privilege(p.oid, 'EXECUTE')
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = 'mcp' AND p.proname LIKE '\_maintain\_%' AND p.pronargs = 0 AND p.prokind = 'f'
 ORDER BY p.proname";
    Spi::connect(|client| {
        let rows = client.select(SQL, None, &[])?;
        rows.map(|row| Ok((row.get::<String>(1)?.unwrap_or_default(), row.get::<bool>(2)?.unwrap_or(false))))
            .collect::<Result<Vec<_>, pgrx::spi::Error>>()
    })
    .map_err(failed)
}

/// Calls one of those.
pub fn maintain(call: &str) -> Result<(), Failed> {
    Spi::connect_mut(|client| client.update(&format!("SELECT {call}"), None, &[]).map(|_| ())).map_err(failed)
}
