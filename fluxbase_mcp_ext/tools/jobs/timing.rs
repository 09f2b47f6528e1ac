//! What `sql/36_jobs_*.sql` asks the crate `fluxbase_schedule`: whether a job can be registered, when its schedule begins it, and how long to wait
//! before another attempt. Moments are seconds since 1970.

use fluxbase_register::Schema;
use fluxbase_schedule::{Missed, Schedule, pause};
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use crate::error;

fn refuse(message: String) -> ! {
    error::raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, None)
}

/// Raises an error when a job cannot have this payload schema, schedule, time zone, policy and payload of the schedule.
#[pg_extern(sql = "
CREATE FUNCTION mcp._check_job(payload_schema pg_catalog.text, schedule pg_catalog.text, time_zone pg_catalog.text, missed_runs pg_catalog.text,
    schedule_payload pg_catalog.text, now pg_catalog.int8) RETURNS pg_catalog.void
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn check_job(
    payload_schema: Option<&str>,
    schedule: Option<&str>,
    time_zone: Option<&str>,
    missed_runs: Option<&str>,
    schedule_payload: Option<&str>,
    now: Option<i64>,
) {
    const NOTHING: &str = "Nothing was registered.";
    let schema = payload_schema.map(|text| match Schema::compile(text) {
        Ok(schema) => schema,
        Err(why) => refuse(format!("payload_schema: {why} {NOTHING}")),
    });
    if let Some(schedule) = schedule {
        let read = Schedule::parse(schedule, time_zone.unwrap_or("UTC"), now.unwrap_or_default());
        if let Err(fault) = read.and_then(|_| missed_runs.unwrap_or("run_once").parse::<Missed>()) {
            refuse(format!("{fault}. {NOTHING}"));
        }
        let payload = schedule_payload.unwrap_or("{}");
        match serde_json::from_str::<serde_json::Value>(payload) {
            Ok(payload) if payload.is_object() => {
                if let Some(Err(why)) = schema.map(|schema| schema.check(&payload, "schedule_payload")) {
                    refuse(format!("{why} {NOTHING}"));
                }
            }
            _ => refuse(format!("schedule_payload: it must be an object. {NOTHING}")),
        }
    }
}

/// The first slot of a schedule after that moment; NULL: there is none.
#[pg_extern(sql = "
CREATE FUNCTION mcp._schedule_next(schedule pg_catalog.text, time_zone pg_catalog.text, after pg_catalog.int8) RETURNS pg_catalog.int8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn schedule_next(schedule: &str, time_zone: &str, after: i64) -> Option<i64> {
    match Schedule::parse(schedule, time_zone, after) {
        Ok(schedule) => schedule.next(after),
        Err(fault) => refuse(fault.to_string()),
    }
}

/// The slots to begin now, when `first` is the earliest that was not begun.
#[pg_extern(sql = "
CREATE FUNCTION mcp._schedule_due(schedule pg_catalog.text, time_zone pg_catalog.text, missed_runs pg_catalog.text, first pg_catalog.int8,
    now pg_catalog.int8) RETURNS SETOF pg_catalog.int8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn schedule_due(
    schedule: &str,
    time_zone: &str,
    missed_runs: &str,
    first: i64,
    now: i64,
) -> SetOfIterator<'static, i64> {
    let read =
        Schedule::parse(schedule, time_zone, first - 1).and_then(|read| Ok((read, missed_runs.parse()?)));
    match read {
        Ok((schedule, missed)) => SetOfIterator::new(schedule.due(first, now, missed)),
        Err(fault) => refuse(fault.to_string()),
    }
}

/// Seconds to wait after attempt number `attempt` has failed; `random` from 0 to 1.
#[pg_extern(sql = "
CREATE FUNCTION mcp._job_pause(attempt pg_catalog.int4, base pg_catalog.float8, most pg_catalog.float8, random pg_catalog.float8)
    RETURNS pg_catalog.float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn job_pause(attempt: i32, base: f64, most: f64, random: f64) -> f64 {
    pause(attempt, base, most, random)
}
