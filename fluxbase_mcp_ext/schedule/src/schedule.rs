//! A cron expression in a time zone.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// The most runs that are made up for at once.
pub const MOST_MISSED: usize = 100;

/// A slot that began so many seconds ago, or fewer, was not missed: no worker wakes up to the second.
const PUNCTUAL: i64 = 60;

/// What becomes of runs whose time came while nobody was there to begin them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// They are left out.
    Skip,
    /// The last one is begun, for all of them.
    RunOnce,
    /// Each is begun; of more than [`MOST_MISSED`] the last ones.
    RunAll,
}

/// Why there is no such schedule. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The expression cannot be read.
    #[error(
        "schedule: \"{0}\" is no cron expression ({1}). Write minute, hour, day of month, month and day of week: '30 6 * * MON-FRI'"
    )]
    Expression(String, String),
    /// It can be read and never comes.
    #[error("schedule: \"{0}\" never comes: there is no such day")]
    Never(String),
    /// The time zone is not known.
    #[error("time_zone: \"{0}\" is not known. Write a name of the IANA list: 'Europe/Berlin', 'UTC'")]
    Zone(String),
    /// The policy is not known.
    #[error("missed_runs: \"{0}\" is none of skip, run_once, run_all")]
    Missed(String),
}

impl FromStr for Missed {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Missed, Fault> {
        match text {
            "skip" => Ok(Missed::Skip),
            "run_once" => Ok(Missed::RunOnce),
            "run_all" => Ok(Missed::RunAll),
            _ => Err(Fault::Missed(text.to_owned())),
        }
    }
}

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads an expression of five fields, or one that begins with `@`, and the IANA name of a time zone.
    ///
    /// # Errors
    /// [`Fault`]: the expression or the zone cannot be read, or the expression never comes after `now`.
    pub fn parse(expression: &str, zone: &str, now: i64) -> Result<Schedule, Fault> {
        let zone = zone.parse::<Tz>().map_err(|_| Fault::Zone(zone.to_owned()))?;
        let text = expression.trim();
        let unread = |why: String| Fault::Expression(expression.to_owned(), why);
        let fields = text.split_ascii_whitespace().count();
        if !text.starts_with('@') && fields != 5 {
            return Err(unread(format!("it has {fields} fields, not five")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|cause| unread(cause.to_string()))?;
        let schedule = Schedule { cron, zone };
        match schedule.next(now) {
            Some(_) => Ok(schedule),
            None => Err(Fault::Never(expression.to_owned())),
        }
    }

    /// The first slot after that moment; `None` when there is none.
    pub fn next(&self, after: i64) -> Option<i64> {
        let after = self.local(after)?;
        self.cron.find_next_occurrence(&after, false).ok().map(|slot| slot.timestamp())
    }

    /// The last slot at or before that moment.
    fn last(&self, until: i64) -> Option<i64> {
        let until = self.local(until)?;
        self.cron.find_previous_occurrence(&until, true).ok().map(|slot| slot.timestamp())
    }

    /// The slots to begin at `now`, in their order, when `first` is the earliest that was not begun yet.
    pub fn due(&self, first: i64, now: i64, missed: Missed) -> Vec<i64> {
        let most = if missed == Missed::RunAll { MOST_MISSED } else { 1 };
        let mut slots = Vec::new();
        let mut until = now;
        while slots.len() < most
            && let Some(slot) = self.last(until)
            && slot >= first
        {
            if missed == Missed::Skip && now - slot > PUNCTUAL {
                break;
            }
            slots.push(slot);
            until = slot - 1;
        }
        slots.reverse();
        slots
    }

    fn local(&self, moment: i64) -> Option<DateTime<Tz>> {
        Some(DateTime::<Utc>::from_timestamp(moment, 0)?.with_timezone(&self.zone))
    }
}
