//! Why there is no answer, and what the caller is told: the status, what to do, and whether anything was changed.
//!
//! What Postgres said is in the log only.

use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection became free. Nothing was done.
    Busy,
    /// Postgres is away, or does not let the listener in. Nothing was done.
    Away,
    /// `mcp._serve` is missing, or the listener's role may not execute it. Nothing was done.
    NotSetUp,
    /// Postgres cancelled the statement (`statement_timeout`, or an administrator). Rolled back.
    Cancelled,
    /// The listener's deadline passed.
    Deadline {
        /// Whether it is certain that nothing was changed.
        rolled_back: bool,
    },
    /// The client cancelled the call.
    Stopped {
        /// Whether it is certain that nothing was changed.
        rolled_back: bool,
    },
    /// Other transactions were in the way every time. Rolled back.
    Conflict,
    /// The connection broke while the call ran.
    Lost,
    /// Something that should not happen; the log has it under the reference.
    Internal {
        /// Whether it is certain that nothing was changed.
        rolled_back: bool,
    },
}

impl Failure {
    /// The same of a call that was left to the delegate worker before: what it did there is not undone by what fails now.
    pub(crate) fn after_it_began(self) -> Failure {
        match self {
            Failure::Stopped { .. } => Failure::Stopped { rolled_back: false },
            Failure::Deadline { .. } => Failure::Deadline { rolled_back: false },
            Failure::Internal { .. } => Failure::Internal { rolled_back: false },
            Failure::Busy
            | Failure::Away
            | Failure::NotSetUp
            | Failure::Cancelled
            | Failure::Conflict
            | Failure::Lost => Failure::Lost,
        }
    }

    /// The HTTP status and what the caller is told. `writes` says whether the call could have changed something.
    pub(crate) fn told(
        self,
        writes: bool,
        deadline: Duration,
        statement_timeout: Duration,
        reference: &str,
    ) -> (u16, String) {
        let nothing = "Nothing was changed.";
        let unknown = if writes {
            "Whether it changed anything is not known: read the rows before you try again."
        } else {
            nothing
        };
        match self {
            Failure::Busy => (
                503,
                format!(
                    "The server is busy: no database connection became free. {nothing} Try again in a moment."
                ),
            ),
            Failure::Away => {
                (503, format!("The database cannot be reached now. {nothing} Try again in a moment."))
            }
            Failure::NotSetUp => (
                503,
                format!(
                    "The database is not set up for this listener. {nothing} Its administrator finds the step that is \
                     missing in the listener's log, reference {reference}."
                ),
            ),
            Failure::Cancelled => (
                504,
                format!(
                    "The call was cancelled by Postgres: it took longer than statement_timeout ({} s), or an \
                     administrator stopped it. {nothing} Ask for less, for example with a filter or a smaller limit.",
                    statement_timeout.as_secs_f32()
                ),
            ),
            Failure::Deadline { rolled_back } => (
                504,
                format!(
                    "The call was stopped: it took longer than the listener's deadline ({} s). {}",
                    deadline.as_secs_f32(),
                    if rolled_back { nothing } else { unknown }
                ),
            ),
            // Nobody waits for it any more; a status that says failure would be logged as one by clients.
            Failure::Stopped { rolled_back } => (
                200,
                format!(
                    "The call was cancelled by its client. {}",
                    if rolled_back { nothing } else { unknown }
                ),
            ),
            Failure::Conflict => (
                503,
                format!(
                    "Other transactions were in the way three times in a row. {nothing} Try again in a moment."
                ),
            ),
            Failure::Lost => {
                (503, format!("The connection to the database was lost during the call. {unknown}"))
            }
            Failure::Internal { rolled_back } => (
                500,
                format!(
                    "Internal error, reference {reference}. The details are in the listener's log. {}",
                    if rolled_back { nothing } else { unknown }
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_after_a_call_began_says_that_nothing_is_known() {
        let all = [
            Failure::Busy,
            Failure::Away,
            Failure::NotSetUp,
            Failure::Cancelled,
            Failure::Deadline { rolled_back: true },
            Failure::Stopped { rolled_back: true },
            Failure::Conflict,
            Failure::Lost,
            Failure::Internal { rolled_back: true },
        ];
        for failure in all.map(Failure::after_it_began) {
            let (_, text) = failure.told(true, Duration::from_secs(35), Duration::from_secs(30), "ref");
            assert!(text.contains("not known") && !text.contains("Nothing"), "{text}");
        }
    }

    #[test]
    fn only_writes_have_an_unknown_outcome() {
        let told = |failure: Failure, writes| {
            failure.told(writes, Duration::from_secs(35), Duration::from_secs(30), "ref").1
        };
        let stopped = Failure::Deadline { rolled_back: false };
        assert!(told(stopped, true).contains("not known"));
        assert!(!told(stopped, false).contains("not known"));
        assert!(!told(Failure::Deadline { rolled_back: true }, true).contains("not known"));
        assert!(told(Failure::Cancelled, true).contains("statement_timeout (30 s)"));
        assert!(told(Failure::Internal { rolled_back: true }, true).contains("reference ref"));
    }
}
