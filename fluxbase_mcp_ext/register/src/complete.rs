//! Where the values come from that `completion/complete` offers for an argument of a prompt or a variable of a template.
//!
//! Only the declaration is read here; looking values up, as the caller, is the extension's.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The source of one argument's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Just these.
    Values(Vec<String>),
    /// Schemas with a table that the caller may use.
    Schemas,
    /// Tables that the caller may use; of the schema that this other argument holds, if there is one.
    Tables(Option<String>),
    /// Columns of the table that this other argument holds.
    ColumnsOf(String),
    /// The labels of an enum type: schema and name.
    Enum(String, String),
    /// The labels of a column's enum type: the arguments that hold the table and the column.
    EnumOf {
        /// The argument that holds the table.
        table: String,
        /// The argument that holds the column.
        column: String,
    },
    /// Namespaces with an edge function that the caller may invoke.
    Namespaces,
    /// Edge functions that the caller may invoke; of the namespace that this other argument holds, if there is one.
    Functions(Option<String>),
}

const KNOWN: &str = r#"{"values": ["…"]}, {"schemas": true}, {"tables": null}, {"tables": "argument with the schema"}, {"columns_of": "argument with the table"}, {"enum": "schema.type"}, {"enum_of": {"table": "argument", "column": "argument"}}, {"namespaces": true}, {"functions": null}, {"functions": "argument with the namespace"}"#;

/// Sources by argument.
pub type Sources = BTreeMap<String, Source>;

impl Source {
    /// Reads one source.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn read(value: &Value) -> Result<Source, String> {
        let one = || format!("must be one of {KNOWN}.");
        let Some((name, value)) =
            value.as_object().filter(|object| object.len() == 1).and_then(|o| o.iter().next())
        else {
            return Err(one());
        };
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        match name.as_str() {
            "values" => {
                let texts =
                    value.as_array().map(|list| list.iter().map(|item| item.as_str().map(str::to_owned)));
                let texts: Option<Option<Vec<String>>> = texts.map(Iterator::collect);
                texts
                    .flatten()
                    .map(Source::Values)
                    .ok_or_else(|| "values must be a list of strings.".to_owned())
            }
            "schemas" if *value == Value::Bool(true) => Ok(Source::Schemas),
            "schemas" => Err("schemas must be true.".to_owned()),
            "tables" if value.is_null() => Ok(Source::Tables(None)),
            "tables" => text(value).map(|schema| Source::Tables(Some(schema))).ok_or_else(|| {
                "tables must be null or the name of the argument that holds the schema.".to_owned()
            }),
            "columns_of" => text(value).map(Source::ColumnsOf).ok_or_else(|| {
                "columns_of must be the name of the argument that holds the table.".to_owned()
            }),
            "enum" => {
                match value.as_str().and_then(|text| text.split_once('.')) {
                    Some((schema, name)) if !schema.is_empty() && !name.is_empty() && !name.contains('.') => {
                        Ok(Source::Enum(schema.to_owned(), name.to_owned()))
                    }
                    _ => Err("enum must be the name of a type with its schema, such as \"shop.status\"."
                        .to_owned()),
                }
            }
            "enum_of" => {
                let wrong = || r#"enum_of must be {"table": "argument", "column": "argument"}."#.to_owned();
                let members = value.as_object().filter(|members| members.len() == 2).ok_or_else(wrong)?;
                let member = |name: &str| members.get(name).and_then(text).ok_or_else(wrong);
                Ok(Source::EnumOf { table: member("table")?, column: member("column")? })
            }
            "namespaces" if *value == Value::Bool(true) => Ok(Source::Namespaces),
            "namespaces" => Err("namespaces must be true.".to_owned()),
            "functions" if value.is_null() => Ok(Source::Functions(None)),
            "functions" => text(value).map(|namespace| Source::Functions(Some(namespace))).ok_or_else(|| {
                "functions must be null or the name of the argument that holds the namespace.".to_owned()
            }),
            unknown => {
                let unknown: String = unknown.chars().take(100).collect();
                Err(format!("has the unknown member {unknown:?}; it {}", one()))
            }
        }
    }

    /// The other arguments that it needs.
    fn needs(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Source::Values(_)
            | Source::Schemas
            | Source::Enum(..)
            | Source::Tables(None)
            | Source::Namespaces
            | Source::Functions(None) => (None, None),
            Source::Tables(Some(one)) | Source::ColumnsOf(one) | Source::Functions(Some(one)) => {
                (Some(one), None)
            }
            Source::EnumOf { table, column } => (Some(table), Some(column)),
        };
        first.into_iter().chain(second).map(String::as_str)
    }

    /// Whether every argument that it needs is another one of `all`.
    pub(crate) fn check(&self, own: &str, all: &[&str]) -> Result<(), String> {
        match self.needs().find(|needed| *needed == own || !all.contains(needed)) {
            None => Ok(()),
            Some(needed) => {
                let others: Vec<&str> = all.iter().copied().filter(|name| *name != own).collect();
                let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
                Err(format!(
                    "complete of {own:?} names {needed:?}, which must be another argument; others are: {others}."
                ))
            }
        }
    }
}

/// Reads the sources of a template's variables: an object with a source for each of some of them.
///
/// # Errors
/// A sentence that says what to write instead.
pub fn sources(text: &str, variables: &[&str]) -> Result<Sources, String> {
    let members: Map<String, Value> = serde_json::from_str(text).map_err(|_| {
        r#"it must be an object by variable, such as {"id": {"values": ["1", "2"]}}."#.to_owned()
    })?;
    let mut sources = Sources::new();
    for (name, value) in &members {
        if !variables.contains(&name.as_str()) {
            let name: String = name.chars().take(100).collect();
            let known = if variables.is_empty() { "none".to_owned() } else { variables.join(", ") };
            return Err(format!("{name:?} is no variable of the URI. Its variables are: {known}."));
        }
        let source = Source::read(value).map_err(|why| format!("{name:?} {why}"))?;
        source.check(name, variables)?;
        sources.insert(name.clone(), source);
    }
    Ok(sources)
}
