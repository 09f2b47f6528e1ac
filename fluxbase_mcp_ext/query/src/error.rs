//! What goes wrong with arguments, as text that a model can act on.
//!
//! Every error has three parts, read in this order: what is wrong (with the place), what to write instead, and what was
//! not done. Text of the caller inside a message is escaped as a JSON string and cut, so that no control character and
//! no megabyte of it gets into an answer or a log.
//!
//! This module does NOT know Postgres's own errors; those keep their SQLSTATE elsewhere.

use std::fmt;

/// What the caller may rely on after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The verb only reads. "Nothing was read."
    NothingRead,
    /// The verb writes. "Nothing was changed."
    NothingChanged,
}

impl Outcome {
    /// The sentence for this outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::NothingRead => "Nothing was read.",
            Outcome::NothingChanged => "Nothing was changed.",
        }
    }
}

/// The text of one error. Displayed as `message hint outcome`, each ending with a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    message: String,
    hint: Option<String>,
    outcome: Option<Outcome>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " {hint}")?;
        }
        if let Some(outcome) = self.outcome {
            write!(f, " {}", outcome.as_str())?;
        }
        Ok(())
    }
}

/// Why the arguments of a table tool gave no statement. The variant tells the kind of mistake and with it the
/// SQLSTATE ([`QueryError::code`]); the text is in the [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Text that does not follow the grammar of its argument. SQLSTATE 42601.
    #[error("{0}")]
    Grammar(Fault),
    /// A missing, unknown or unfit argument or value. SQLSTATE 22023.
    #[error("{0}")]
    Argument(Fault),
    /// The arguments are not JSON. SQLSTATE 22032.
    #[error("{0}")]
    NotJson(Fault),
    /// A key stands twice in one object. SQLSTATE 22030.
    #[error("{0}")]
    DuplicateKey(Fault),
    /// A column that the table does not have, or that this caller may not see. SQLSTATE 42703.
    #[error("{0}")]
    UnknownColumn(Fault),
    /// Two output columns have the same name. SQLSTATE 42701.
    #[error("{0}")]
    DuplicateColumn(Fault),
    /// An operator that does not exist, or not for this column's type. SQLSTATE 42883.
    #[error("{0}")]
    Operator(Fault),
    /// A value whose JSON type cannot go into the column. SQLSTATE 42804.
    #[error("{0}")]
    Type(Fault),
    /// A character that Postgres's text cannot hold. SQLSTATE 22021.
    #[error("{0}")]
    Character(Fault),
    /// The caller's role lacks a privilege on a column. SQLSTATE 42501.
    #[error("{0}")]
    Privilege(Fault),
    /// A column that Postgres always computes. SQLSTATE 428C9.
    #[error("{0}")]
    Generated(Fault),
    /// No relation of that name, or none that this caller may use. SQLSTATE 42P01.
    #[error("{0}")]
    UnknownRelation(Fault),
    /// Several relations fit. SQLSTATE 42P09.
    #[error("{0}")]
    AmbiguousRelation(Fault),
    /// A mixture of groups and rows that cannot be asked for. SQLSTATE 42803.
    #[error("{0}")]
    Grouping(Fault),
    /// The catalog could not be read: a defect, whose text is not for the caller. SQLSTATE XX000.
    #[error("{0}")]
    Catalog(Fault),
}

impl QueryError {
    fn fault(&self) -> &Fault {
        match self {
            QueryError::Grammar(fault)
            | QueryError::Argument(fault)
            | QueryError::NotJson(fault)
            | QueryError::DuplicateKey(fault)
            | QueryError::UnknownColumn(fault)
            | QueryError::DuplicateColumn(fault)
            | QueryError::Operator(fault)
            | QueryError::Type(fault)
            | QueryError::Character(fault)
            | QueryError::Privilege(fault)
            | QueryError::Generated(fault)
            | QueryError::UnknownRelation(fault)
            | QueryError::AmbiguousRelation(fault)
            | QueryError::Grouping(fault)
            | QueryError::Catalog(fault) => fault,
        }
    }

    fn fault_mut(&mut self) -> &mut Fault {
        match self {
            QueryError::Grammar(fault)
            | QueryError::Argument(fault)
            | QueryError::NotJson(fault)
            | QueryError::DuplicateKey(fault)
            | QueryError::UnknownColumn(fault)
            | QueryError::DuplicateColumn(fault)
            | QueryError::Operator(fault)
            | QueryError::Type(fault)
            | QueryError::Character(fault)
            | QueryError::Privilege(fault)
            | QueryError::Generated(fault)
            | QueryError::UnknownRelation(fault)
            | QueryError::AmbiguousRelation(fault)
            | QueryError::Grouping(fault)
            | QueryError::Catalog(fault) => fault,
        }
    }

    /// What is wrong, with the place: `filter.status: "open" has no operator.`
    pub fn message(&self) -> &str {
        &self.fault().message
    }

    /// What to write instead, then what was not done. `message() + " " + hint()` is the whole text, the same as
    /// `to_string()`.
    pub fn hint(&self) -> Option<String> {
        let fault = self.fault();
        match (&fault.hint, fault.outcome) {
            (Some(hint), Some(outcome)) => Some(format!("{hint} {}", outcome.as_str())),
            (Some(hint), None) => Some(hint.clone()),
            (None, Some(outcome)) => Some(outcome.as_str().to_owned()),
            (None, None) => None,
        }
    }

    /// The SQLSTATE that fits best.
    pub fn code(&self) -> &'static str {
        match self {
            QueryError::Grammar(_) => "42601",
            QueryError::Argument(_) => "22023",
            QueryError::NotJson(_) => "22032",
            QueryError::DuplicateKey(_) => "22030",
            QueryError::UnknownColumn(_) => "42703",
            QueryError::DuplicateColumn(_) => "42701",
            QueryError::Operator(_) => "42883",
            QueryError::Type(_) => "42804",
            QueryError::Character(_) => "22021",
            QueryError::Privilege(_) => "42501",
            QueryError::Generated(_) => "428C9",
            QueryError::UnknownRelation(_) => "42P01",
            QueryError::AmbiguousRelation(_) => "42P09",
            QueryError::Grouping(_) => "42803",
            QueryError::Catalog(_) => "XX000",
        }
    }

    /// Says what was not done. The four statement functions do this themselves; a caller that uses [`crate::Arguments`]
    /// directly does it here. An outcome that is already there stays.
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.fault_mut().outcome.get_or_insert(outcome);
        self
    }

    /// Adds what to write instead.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.fault_mut().hint = Some(hint.into());
        self
    }

    /// Puts `at.` before the place that the message begins with.
    pub fn within(mut self, at: &str) -> Self {
        let fault = self.fault_mut();
        fault.message = format!("{at}.{}", fault.message);
        self
    }

    pub(crate) fn grammar(message: impl Into<String>) -> Self {
        QueryError::Grammar(Fault::new(message))
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        QueryError::Argument(Fault::new(message))
    }

    pub(crate) fn operator(message: impl Into<String>) -> Self {
        QueryError::Operator(Fault::new(message))
    }

    pub(crate) fn mismatch(message: impl Into<String>) -> Self {
        QueryError::Type(Fault::new(message))
    }

    pub(crate) fn privilege(message: impl Into<String>) -> Self {
        QueryError::Privilege(Fault::new(message))
    }

    pub(crate) fn nul(place: &str) -> Self {
        QueryError::Character(Fault::new(format!(
            "{place}: holds the character \\u0000, which Postgres cannot store in text."
        )))
        .with_hint("Leave it out.")
    }
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Fault { message: message.into(), hint: None, outcome: None }
    }
}

/// The longest piece of a caller's text that a message repeats, in characters.
const SHOWN: usize = 80;

/// Whether a character changes how a person sees the text around it: controls, and the marks that reorder or hide text.
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Caller's text for a message: a JSON string, cut after 80 characters, without characters that hide or break lines.
pub fn show(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(4 * SHOWN) + 2);
    out.push('"');
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if deceives(c) => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The place of a member in a message: `filter.id`, or `filter."odd name"`.
pub(crate) fn place(parent: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key.len() <= SHOWN
        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'));
    // Every condition and every value has a place, needed or not.
    let mut out = String::with_capacity(parent.len() + key.len() + 1);
    if !parent.is_empty() {
        out.push_str(parent);
        out.push('.');
    }
    if plain {
        out.push_str(key)
    } else {
        out.push_str(&show(key))
    }
    out
}

/// A short raw JSON text as it stands, a long one as `sample`: examples in a hint stay readable.
pub(crate) fn excerpt<'a>(raw: &'a str, sample: &'a str) -> &'a str {
    let plain = raw.len() <= SHOWN && !raw.chars().any(char::is_control);
    if plain { raw } else { sample }
}
