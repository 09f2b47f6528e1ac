//! `@fluxbase:…` in the comments before a statement.
//!
//! ```text
//! -- @fluxbase:name monthly_sales
//! -- @fluxbase:description Sales of one month
//! -- @fluxbase:input {"month": "date", "region?": "text"}
//! -- @fluxbase:allowed-tables sales, regions
//! SELECT …
//! ```
//!
//! An object may go on in the comment lines that follow. A field whose name ends in `?` may be left out.

use serde_json::{Map, Value};

use crate::parameters::Scan;

/// One field of `input` or `output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, without the mark.
    pub name: String,
    /// Its type, as it was written.
    pub of_type: String,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What the annotations say; `None` and empty for what they do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `name`.
    pub name: Option<String>,
    /// `namespace`.
    pub namespace: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `input`.
    pub input: Option<Vec<Field>>,
    /// `output`.
    pub output: Option<Vec<Field>>,
    /// `allowed-tables`.
    pub allowed_tables: Option<Vec<String>>,
    /// `allowed-schemas`.
    pub allowed_schemas: Option<Vec<String>>,
    /// `max-execution-time`, in seconds.
    pub max_execution_time: Option<u32>,
    /// `require-role`.
    pub require_roles: Option<Vec<String>>,
    /// `public`.
    pub public: Option<bool>,
    /// `version`.
    pub version: Option<u32>,
    /// `schedule`.
    pub schedule: Option<String>,
    /// `disable-execution-logs`.
    pub disable_execution_logs: Option<bool>,
    /// Where the statement begins, in bytes of the text.
    pub statement: usize,
}

const KNOWN: [&str; 13] = [
    "name",
    "namespace",
    "description",
    "input",
    "output",
    "allowed-tables",
    "allowed-schemas",
    "max-execution-time",
    "require-role",
    "public",
    "version",
    "schedule",
    "disable-execution-logs",
];

const MARK: &str = "@fluxbase:";

/// Reads the comments before the first word of a statement.
///
/// # Errors
/// A sentence that names the annotation and says what to write instead.
pub fn annotations(text: &str) -> Result<Annotations, String> {
    let (lines, statement) = comments(text)?;
    let mut found = Annotations { statement, ..Annotations::default() };
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix(MARK) else { continue };
        let (key, value) = rest.split_once(|c: char| c.is_whitespace()).unwrap_or((rest, ""));
        let mut value = value.trim().to_owned();
        if value.starts_with('{') {
            while serde_json::from_str::<Value>(&value).is_err() {
                match lines.next_if(|next| !next.starts_with(MARK)) {
                    Some(next) => {
                        value.push(' ');
                        value.push_str(&next);
                    }
                    None => break,
                }
            }
        }
        found.set(key, &value)?;
    }
    Ok(found)
}

/// The lines of the leading comments, and where they end.
fn comments(text: &str) -> Result<(Vec<String>, usize), String> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut lines = Vec::new();
    loop {
        let begin = scan.at;
        match (scan.peek(0), scan.peek(1)) {
            (Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c), _) => scan.at += 1,
            (Some(b'-'), Some(b'-')) => {
                scan.line();
                lines.push(text[begin + 2..scan.at].trim().to_owned());
            }
            (Some(b'/'), Some(b'*')) => {
                scan.block()?;
                let inside = &text[begin + 2..scan.at - 2];
                let bare = |line: &str| line.trim().trim_start_matches('*').trim().to_owned();
                lines.extend(inside.lines().map(bare));
            }
            _ => return Ok((lines, begin)),
        }
    }
}

impl Annotations {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{MARK}{key} {what}."));
        match key {
            "name" => once(&mut self.name, key, word(key, value)?),
            "namespace" => once(&mut self.namespace, key, word(key, value)?),
            "description" => once(&mut self.description, key, value.to_owned()),
            "input" => once(&mut self.input, key, fields(key, value)?),
            "output" => once(&mut self.output, key, fields(key, value)?),
            "allowed-tables" => once(&mut self.allowed_tables, key, list(value)),
            "allowed-schemas" => once(&mut self.allowed_schemas, key, list(value)),
            "require-role" => {
                self.require_roles.get_or_insert_default().extend(list(value));
                Ok(())
            }
            "max-execution-time" => match seconds(value) {
                Some(seconds) => once(&mut self.max_execution_time, key, seconds),
                None => wrong("takes 1 to 3600 seconds, such as 30, 30s or 5m"),
            },
            "public" => once(&mut self.public, key, switch(key, value)?),
            "disable-execution-logs" => once(&mut self.disable_execution_logs, key, switch(key, value)?),
            "version" => match value.parse() {
                Ok(version) => once(&mut self.version, key, version),
                Err(_) => wrong("takes a whole number"),
            },
            "schedule" => once(&mut self.schedule, key, value.to_owned()),
            _ => Err(format!(
                "{MARK}{} is not an annotation; known are {}.",
                key.escape_debug(),
                KNOWN.join(", ")
            )),
        }
    }
}

fn once<T>(place: &mut Option<T>, key: &str, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{MARK}{key} is there twice.")),
    }
}

fn word(key: &str, value: &str) -> Result<String, String> {
    if value.is_empty() || value.contains(char::is_whitespace) {
        return Err(format!("{MARK}{key} takes one word."));
    }
    Ok(value.to_owned())
}

fn switch(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{MARK}{key} takes true or false.")),
    }
}

fn list(value: &str) -> Vec<String> {
    let bare = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value);
    let items = bare.split(',').map(|item| item.trim().trim_matches('"'));
    items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn seconds(value: &str) -> Option<u32> {
    let (digits, unit) = match value.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => value.split_at(at),
        None => (value, "s"),
    };
    let number: u32 = digits.parse().ok()?;
    let seconds = match unit.trim() {
        "s" => number,
        "m" => number.checked_mul(60)?,
        _ => return None,
    };
    (1..=3600).contains(&seconds).then_some(seconds)
}

/// `{"name": "type"}`, or `name: type, name?: type`.
fn fields(key: &str, value: &str) -> Result<Vec<Field>, String> {
    let wrong =
        || format!("{MARK}{key} takes fields and types, such as {{\"id\": \"uuid\", \"note?\": \"text\"}}.");
    let pairs: Vec<(String, String)> = if value.starts_with('{') {
        let object: Map<String, Value> = serde_json::from_str(value).map_err(|_| wrong())?;
        object
            .into_iter()
            .map(|(name, of_type)| Some((name, of_type.as_str()?.to_owned())))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?
    } else {
        value
            .split(',')
            .filter(|part| !part.trim().is_empty())
            .map(|part| part.split_once(':').map(|(name, of_type)| (name.to_owned(), of_type.to_owned())))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?
    };
    let mut fields: Vec<Field> = Vec::new();
    for (name, of_type) in pairs {
        let (name, of_type) = (name.trim(), of_type.trim());
        let bare = name.strip_suffix('?').unwrap_or(name);
        if bare.is_empty() || of_type.is_empty() || fields.iter().any(|field| field.name == bare) {
            return Err(wrong());
        }
        fields.push(Field { name: bare.to_owned(), of_type: of_type.to_owned(), optional: bare != name });
    }
    Ok(fields)
}
