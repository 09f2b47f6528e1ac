//! The one error type of the extension, and the one place where it becomes text for a caller.
//!
//! Invariants: a caller gets code, message, detail and hint, which are Postgres's own words or ours; file names, backtraces and
//! the text of internal errors go to the server log only, under a reference that the caller is told.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use fluxbase_query::QueryError;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// Why a tool or a resource gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments were not understood; nothing was run.
    #[error(transparent)]
    Arguments(#[from] QueryError),
    /// Postgres raised an error while the statement ran; the subtransaction was rolled back.
    #[error("{message}")]
    Postgres {
        /// SQLSTATE, five characters.
        code: String,
        /// The primary message; prefixed with the argument that it speaks of, where that is known.
        message: String,
        /// Postgres's detail.
        detail: Option<String>,
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

impl Error {
    /// A refusal with a next step.
    pub fn refused(code: &'static str, message: impl Into<String>, hint: impl Into<Option<String>>) -> Error {
        Error::Refused { code, message: message.into(), hint: hint.into() }
    }

    /// What a model or a person reads: message, detail, hint and code, a line each.
    pub fn to_text(&self) -> String {
        let (code, detail, hint): (Cow<'_, str>, Option<&str>, Option<Cow<'_, str>>) = match self {
            // Its text holds the hint already, in one line.
            Error::Arguments(error) => (error.code().into(), None, None),
            Error::Postgres { code, detail, hint, .. } => {
                (code.as_str().into(), detail.as_deref(), hint.as_deref().map(Cow::from))
            }
            Error::Refused { code, hint, .. } => ((*code).into(), None, hint.as_deref().map(Cow::from)),
            Error::Internal { .. } => (
                "XX000".into(),
                None,
                Some("An administrator finds the cause in the server log under that reference.".into()),
            ),
        };
        let mut text = self.to_string();
        for (label, value) in [("Detail", detail), ("Hint", hint.as_deref()), ("Code", Some(&*code))] {
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
        let mut code = sqlstate(report.sql_error_code());
        if code.starts_with("XX") {
            // pgrx knows Postgres's own codes only: one that a function's author made up in RAISE arrives as XX000.
            if !report.file().ends_with("pl_exec.c") {
                return Error::internal(report.message());
            }
            code = "P0001".to_owned();
        }
        let message = match place {
            Some(place) => format!("{place}: {}", report.message()),
            None => report.message().to_owned(),
        };
        Error::Postgres {
            code,
            message,
            detail: report.detail().map(str::to_owned),
            hint: report.hint().map(str::to_owned),
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

/// Whether an error ends the whole transaction and is never answered as a tool's result: cancel, shutdown, out of
/// memory, serialization failure and deadlock (the caller may retry the last two as a whole).
pub(crate) fn must_rethrow(caught: &CaughtError) -> bool {
    let code = match caught {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report.sql_error_code(),
        CaughtError::RustPanic { .. } => return false,
    };
    let code = sqlstate(code);
    code.starts_with("57") || code.starts_with("53") || code == "40001" || code == "40P01"
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
pub(crate) fn sqlstate(code: PgSqlErrorCode) -> String {
    let packed = code as i32;
    (0..5).map(|n| char::from(((packed >> (6 * n)) & 0x3f) as u8 + b'0')).collect()
}
