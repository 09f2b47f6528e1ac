//! When jobs run: cron expressions in a time zone, what becomes of runs that were missed, and the pause before another attempt.
//!
//! Invariants: every answer is bounded in number and in time; the same question has the same answer on every server, so that several
//! of them agree on the slots of a schedule. It knows no clock, no database and no jobs. Times are seconds since 1970, UTC.
//!
//! Expressions have five fields (minute, hour, day of month, month, day of week) with names (`MON-FRI`, `JAN`), lists, ranges, steps, and `L`, `W`
//! and `#`; or are one of `@hourly @daily @weekly @monthly @yearly`. They are read by the crate `croner`. Clocks that change: a job with
//! a fixed hour and minute runs once on each day; in hour that is left out it runs when that hour would have ended, in one that comes twice the
//! first time. One with a wildcard or step in minute or hour runs in the hours that there are, as Vixie's cron does.

mod backoff;
mod schedule;

/// Whether the text is a moment as RFC 3339 writes it (section 5.6): with date, time and offset, such as `2026-11-22T09:00:00Z`.
pub fn is_rfc3339(text: &str) -> bool {
    chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

pub use backoff::pause;
pub use schedule::{Fault, MOST_MISSED, Missed, Schedule};
