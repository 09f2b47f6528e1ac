//! The argument object of a tool call.
//!
//! Members keep their raw JSON text. A member that is `null` counts as absent, because many clients send `null` for an
//! argument that was not given; a required argument that is `null` is missing. This module does NOT know which arguments
//! a tool has: [`Arguments::only`] is told.

use serde_json::value::RawValue;

use crate::error::{QueryError, place, show};
use crate::json::{self, Json};
use crate::names::{TableName, nearest};

/// What callers who know other systems write, and what they mean.
const HABITS: [(&str, &str); 14] = [
    ("where", "filter"),
    ("conditions", "filter"),
    ("columns", "select"),
    ("fields", "select"),
    ("sort", "order"),
    ("order_by", "order"),
    ("page", "offset"),
    ("skip", "offset"),
    ("values", "data"),
    ("set", "data"),
    ("rows", "data"),
    ("records", "data"),
    ("upsert", "on_conflict"),
    ("include", "select"),
];

/// The members of `params.arguments`, each name once.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    members: Vec<(String, Box<RawValue>)>,
}

impl Arguments {
    /// Reads the raw argument object. `None` and JSON `null` are no arguments.
    ///
    /// Errors: not JSON (22032), not an object (22023), a name given twice (22030).
    pub fn parse(raw: Option<&str>) -> Result<Arguments, QueryError> {
        let text = raw.unwrap_or("null").trim_matches([' ', '\t', '\r', '\n']);
        if text == "null" {
            return Ok(Arguments::default());
        }
        if !text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok() {
            return Err(QueryError::argument("arguments: must be an object.")
                .with_hint("Write {\"table\":\"users\"}, each argument by its name."));
        }
        Arguments::parse_at(text, "arguments")
    }

    /// Reads the text of an object that stands at `at`.
    pub(crate) fn parse_at(text: &str, at: &str) -> Result<Arguments, QueryError> {
        let members = json::parse_members(text, at)?;
        Ok(Arguments { members: members.into_iter().map(|(key, value)| (key, value.to_owned())).collect() })
    }

    /// Refuses every argument that is not in `known`; the nearest known name is in the hint.
    ///
    /// The statement functions of this crate call it themselves.
    pub fn only(&self, known: &[&str]) -> Result<(), QueryError> {
        self.only_at("", known)
    }

    /// [`Arguments::only`] for an object that stands at `at`.
    pub(crate) fn only_at(&self, at: &str, known: &[&str]) -> Result<(), QueryError> {
        match self.members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let mut hint = String::new();
                let habit = HABITS
                    .iter()
                    .find(|(habit, _)| habit.eq_ignore_ascii_case(name))
                    .map(|(_, meant)| *meant);
                let near = habit
                    .filter(|meant| known.contains(meant))
                    .or_else(|| nearest(name, known.iter().copied()));
                if let Some(near) = near {
                    hint.push_str(&format!("Did you mean {}? ", show(near)));
                }
                hint.push_str(&match known {
                    [] => "This tool takes no arguments.".to_owned(),
                    _ => format!("Arguments: {}.", known.join(", ")),
                });
                Err(QueryError::argument(format!("{}: there is no such argument.", place(at, name)))
                    .with_hint(hint))
            }
        }
    }

    /// The raw JSON text of an argument; `None` when absent or `null`.
    pub fn raw(&self, name: &str) -> Option<&RawValue> {
        self.members
            .iter()
            .find(|(key, value)| key == name && value.get() != "null")
            .map(|(_, value)| value.as_ref())
    }

    /// The argument `table`, which is required: `name`, `schema.name`, each part in double quotes when it holds a dot.
    pub fn table(&self) -> Result<TableName, QueryError> {
        let Some(text) = self.str("table")? else {
            return Err(QueryError::argument("table: is missing.")
                .with_hint("Write {\"table\":\"users\"} or {\"table\":\"schema.users\"}."));
        };
        TableName::parse(&text)
    }

    /// A string argument. Anything but a string is an error (22023); \u0000 in it too (22021).
    pub fn str(&self, name: &str) -> Result<Option<String>, QueryError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match Json::read(raw, name)? {
            Json::String(text) => Ok(Some(text)),
            other => Err(wrong_type(name, "a string", &other)),
        }
    }

    /// An integer argument, as a JSON number without fraction or exponent. Anything else is an error (22023).
    pub fn int(&self, name: &str) -> Result<Option<i64>, QueryError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match Json::read(raw, name)? {
            Json::Number(text) => text.parse().map(Some).map_err(|_| {
                QueryError::argument(format!("{name}: must be an integer, not {}.", show(text)))
                    .with_hint(format!("Write {{\"{name}\":10}}."))
            }),
            other => {
                Err(wrong_type(name, "an integer", &other).with_hint(format!("Write {{\"{name}\":10}}.")))
            }
        }
    }

    /// A boolean argument. Anything else is an error (22023).
    pub fn bool(&self, name: &str) -> Result<Option<bool>, QueryError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match Json::read(raw, name)? {
            Json::Bool(value) => Ok(Some(value)),
            other => Err(wrong_type(name, "true or false", &other)),
        }
    }

    /// An argument that is a list of objects, each as arguments of its own; `None` when absent.
    pub fn objects(&self, name: &str) -> Result<Option<Vec<Arguments>>, QueryError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let Json::Array(list) = Json::read(raw, name)? else {
            return Err(wrong_type(name, "a list of objects", &Json::read(raw, name)?));
        };
        json::elements(list, name)?
            .into_iter()
            .enumerate()
            .map(|(index, raw)| match Json::read(raw, name)? {
                Json::Object(object) => Arguments::parse_at(object.get(), &format!("{name}[{index}]")),
                other => Err(wrong_type(&format!("{name}[{index}]"), "an object", &other)),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The error for an argument that has the right type and is still wrong: 22023.
    pub fn unfit(&self, name: &str, why: &str) -> QueryError {
        QueryError::argument(format!("{name}: {why}."))
    }

    /// The same without one of them.
    pub fn without(mut self, name: &str) -> Arguments {
        self.members.retain(|(key, _)| key != name);
        self
    }

    /// An argument that is text, or a list of texts; `None` when absent.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, QueryError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match Json::read(raw, name)? {
            Json::String(text) => Ok(Some(vec![text])),
            Json::Array(list) => json::elements(list, name)?
                .into_iter()
                .map(|element| match Json::read(element, name)? {
                    Json::String(text) => Ok(text),
                    other => Err(wrong_type(name, "a string or a list of strings", &other)),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            other => Err(wrong_type(name, "a string or a list of strings", &other)),
        }
    }
}

fn wrong_type(name: &str, wanted: &str, got: &Json<'_>) -> QueryError {
    QueryError::argument(format!("{name}: must be {wanted}, not {}.", got.kind()))
}
