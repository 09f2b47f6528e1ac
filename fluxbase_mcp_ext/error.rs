//! The one error type of the extension, and the one place where it becomes text for a caller.
//!
//! Invariants: a caller gets code, message, detail, constraint and hint, which are Postgres's own words or ours; file names, backtraces and
//! the text of internal errors go to the server log only, under a reference that the caller is told.

mod raised;

use std::time::{SystemTime, UNIX_EPOCH};

use fluxbase_query::QueryError;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use pgrx::{PgLogLevel, PgSqlErrorCode};

pub(crate) use raised::listen;

/// Why a tool or a resource gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments were not understood; nothing was run.
    #[error(transparent)]
    Arguments(QueryError),
    /// Postgres raised an error while the statement ran; the subtransaction was rolled back.
    #[error("{message}")]
    Postgres {
        /// SQLSTATE, five characters.
        code: String,
        /// The primary message; prefixed with the argument that it speaks of, where that is known.
        message: String,
        /// Postgres's detail.
        detail: Option<String>,
        /// The constraint that was violated.
        constraint: Option<String>,
        /// Postgres's hint.
        hint: Option<String>,
    },
    /// Our own refusal.
    #[error("{message}")]
    Refused {
        /// SQLSTATE, five characters.
        code: &'static str,
        /// What is wrong.
        message: String,
        /// The next step.
        hint: Option<String>,
    },
    /// A defect of ours or of the server; the text is in the log under `reference`.
    #[error("internal error, reference {reference}")]
    Internal {
        /// What to look for in the server log.
        reference: String,
    },
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Error {
        match error {
            QueryError::Catalog(fault) => Error::internal(&fault.to_string()),
            error => Error::Arguments(error),
        }
    }
}

impl Error {
    /// The same error of the part of a call that stands at `at`.
    pub(crate) fn within(self, at: &str) -> Error {
        match self {
            Error::Arguments(error) => Error::Arguments(error.within(at)),
            Error::Refused { code, message, hint } => {
                Error::Refused { code, message: format!("{at}: {message}"), hint }
            }
            other => other,
        }
    }

    /// A refusal with a next step.
    pub fn refused(code: &'static str, message: impl Into<String>, hint: impl Into<Option<String>>) -> Error {
        Error::Refused { code, message: message.into(), hint: hint.into() }
    }

    /// SQLSTATE, five characters.
    pub fn code(&self) -> &str {
        match self {
            Error::Arguments(error) => error.code(),
            Error::Postgres { code, .. } => code,
            Error::Refused { code, .. } => code,
            Error::Internal { .. } => "XX000",
        }
    }

    /// What a model or a person reads: message, detail, constraint, hint and code, a line each.
    pub fn to_text(&self) -> String {
        let (code, detail, constraint, hint) = match self {
            // Its text holds the hint already, in one line.
            Error::Arguments(error) => (error.code(), None, None, None),
            Error::Postgres { code, detail, constraint, hint, .. } => {
                (code.as_str(), detail.as_deref(), constraint.as_deref(), hint.as_deref())
            }
            Error::Refused { code, hint, .. } => (*code, None, None, hint.as_deref()),
            Error::Internal { .. } => (
                "XX000",
                None,
                None,
                Some("An administrator finds the cause in the server log under that reference."),
            ),
        };
        let mut text = self.to_string();
        let lines = [("Detail", detail), ("Constraint", constraint), ("Hint", hint), ("Code", Some(code))];
        for (label, value) in lines {
            if let Some(value) = value {
                text.push('\n');
                text.push_str(label);
                text.push_str(": ");
                text.push_str(value);
            }
        }
        text
    }

    /// An error of Postgres as a caller may see it; `place` names the argument that was being read.
    pub(crate) fn from_report(report: &ErrorReportWithLevel, place: Option<&str>) -> Error {
        let (code, constraint) = match raised::known(report) {
            Some(raised) => (sqlstate(raised.sqlstate), raised.constraint),
            None => (sqlstate(report.sql_error_code() as i32), None),
        };
        if code.starts_with("XX") {
            return Error::internal(report.message());
        }
        let message = match place {
            Some(place) => format!("{place}: {}", report.message()),
            None => report.message().to_owned(),
        };
        Error::Postgres {
            code,
            message,
            detail: report.detail().map(str::to_owned),
            constraint,
            hint: report.hint().or_else(|| next_step(report.message())).map(str::to_owned),
        }
    }

    /// Writes `cause` to the server log and gives the caller a reference to it.
    pub(crate) fn internal(cause: &str) -> Error {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let reference = format!("{:x}-{at:x}", std::process::id());
        pgrx::log!("fluxbase_mcp_ext: internal error, reference {reference}: {cause}");
        Error::Internal { reference }
    }
}

/// What to do about errors that Postgres explains to people who write SQL, in words of the tools' arguments.
fn next_step(message: &str) -> Option<&'static str> {
    const STEPS: [(&str, &str); 12] = [
        (
            "new row violates row-level security policy",
            "The policies of the table do not let the caller write such a row. Often a column says whose the row is: leave it out, so that its default is taken, or give the caller's own value. An administrator is told which policies there are by mcp.doctor_access.",
        ),
        (
            "DO ALSO rules are not supported for data-modifying statements in WITH",
            "A write to a table with such rules gives back the table's own columns only: leave related tables and aggregates out of returning, and read them with query_table. Nothing was changed.",
        ),
        (
            "syntax error in tsquery",
            "fts takes the operators & | ! and <->; for plain words use wfts or plfts.",
        ),
        (
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            "on_conflict names exactly the columns of one unique key; describe_table shows them under primary_key and unique.",
        ),
        ("cannot cast type", "In select leave the cast out, or cast to text."),
        (
            "cannot create temporary table within security-restricted operation",
            "An administrator can allow it: mcp.register_tool and mcp.expose_rpc have temp_tables, and mcp.allow_temp_tables is for the triggers of a table.",
        ),
        (
            "cannot set parameter \"role\" within security-",
            "It runs as the caller, and no function can change that while a tool runs. What needs another role's rights is a SECURITY DEFINER function of that role.",
        ),
        (
            "cannot set parameter \"session_authorization\" within security-",
            "It runs as the caller, and no function can change that while a tool runs. What needs another role's rights is a SECURITY DEFINER function of that role.",
        ),
        (
            "cannot set parameter \"mcp.claims\" within security-",
            "The claims are those of the key that calls, and nothing can change them while a tool runs.",
        ),
        (
            "permission denied to set parameter \"mcp.claims\"",
            "The claims are those of the key that calls, and nothing can change them while a tool runs.",
        ),
        (
            "invalid transaction termination",
            "A procedure is called within the transaction of the tool, so it cannot COMMIT or ROLLBACK.",
        ),
        ("malformed range literal", "Write a range as \"[1,10)\", a single value v as \"[v,v]\"."),
    ];
    STEPS.into_iter().find(|(begin, _)| message.starts_with(begin)).map(|(_, step)| step)
}

/// Whether an error ends the whole transaction and is never answered as a tool's result: cancel, shutdown, out of
/// memory, serialization failure and deadlock (the caller may retry the last two as a whole).
pub(crate) fn must_rethrow(caught: &CaughtError) -> bool {
    let code = match caught {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report.sql_error_code(),
        CaughtError::RustPanic { .. } => return false,
    };
    let code = sqlstate(code as i32);
    let ends_all = code.starts_with("57") || code.starts_with("53") || code == "40001" || code == "40P01";
    if ends_all {
        crate::audit::thrown(&code);
    }
    ends_all
}

/// Whether it is a cancel, by somebody or by a timer.
pub(crate) fn was_cancelled(caught: &CaughtError) -> bool {
    match caught {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
            report.sql_error_code() == PgSqlErrorCode::ERRCODE_QUERY_CANCELED
        }
        CaughtError::RustPanic { .. } => false,
    }
}

/// Raises an ordinary SQL error, for functions that people call in SQL.
pub(crate) fn raise(code: PgSqlErrorCode, message: impl Into<String>, hint: Option<String>) -> ! {
    let mut report = ErrorReport::new(code, message.into(), pgrx::function_name!());
    if let Some(hint) = hint {
        report = report.set_hint(hint);
    }
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// The five characters of a SQLSTATE (Postgres packs them six bits each: `MAKE_SQLSTATE` in utils/elog.h).
fn sqlstate(packed: i32) -> String {
    (0..5).map(|n| char::from(((packed >> (6 * n)) & 0x3f) as u8 + b'0')).collect()
}
