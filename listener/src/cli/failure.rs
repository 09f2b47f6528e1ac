//! Errors for persons: what went wrong, and what to do.

use std::process::ExitCode;

use crate::connection::reason;

/// What a command says when it could not do its work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), detail: None, hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// Writes it to standard error.
    pub(super) fn report(&self) -> ExitCode {
        eprintln!("{self}");
        ExitCode::FAILURE
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error: {}", self.message)?;
        for (word, text) in [("detail", &self.detail), ("hint", &self.hint)] {
            if let Some(text) = text {
                write!(f, "\n{word}: {text}")?;
            }
        }
        Ok(())
    }
}

/// An error of a statement, in the words of Postgres.
impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        let Some(db) = error.as_db_error() else {
            return Failure::new(format!("the database connection failed: {}", reason(&error)));
        };
        let missing = "The extension is not in this database, or older than this program. As a superuser run: fluxbase init";
        let own = match db.code().code() {
            "42883" | "3F000" => Some(missing),
            "42501" => Some(
                "Connect as a superuser, or as a member of mcp_admin that may SET ROLE to the key's role.",
            ),
            _ => None,
        };
        Failure {
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            hint: db.hint().filter(|_| own != Some(missing)).or(own).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_stands_below_the_message() {
        let failure = Failure::new("it is so").hint("do that");
        assert_eq!(failure.to_string(), "error: it is so\nhint: do that");
    }
}
