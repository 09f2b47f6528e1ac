//! The arguments of a prompt: what a DBA declares, and what a client sends.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::complete::{Source, Sources};

const MAX_ARGUMENTS: usize = 50;

/// The declared arguments of one prompt.
#[derive(Clone, Debug, Default)]
pub struct PromptArguments {
    declared: Vec<Declared>,
    sources: Sources,
    shown: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Declared {
    name: String,
    title: Option<String>,
    description: Option<String>,
    #[serde(default)]
    required: bool,
    /// Offered by `completion/complete`; not part of what MCP lists. The short form of `complete` with `values`.
    values: Option<Vec<String>>,
    /// Where the values come from that are offered.
    complete: Option<Value>,
}

impl PromptArguments {
    /// Reads what was registered: a list of `{"name", "title", "description", "required", "values" or "complete"}`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn read(text: &str) -> Result<PromptArguments, String> {
        let declared: Vec<Declared> = serde_json::from_str(text).map_err(|error| {
            let error = error.to_string();
            let error = error.split(" at line ").next().unwrap_or_default();
            format!(
                "it must be a list such as [{{\"name\":\"city\",\"description\":\"…\",\"required\":true}}]; {error}."
            )
        })?;
        if declared.len() > MAX_ARGUMENTS {
            return Err(format!("a prompt has at most {MAX_ARGUMENTS} arguments."));
        }
        for (index, one) in declared.iter().enumerate() {
            if one.name.is_empty() || one.name.len() > 64 || one.name.contains(char::is_control) {
                return Err(format!("[{index}].name must have 1 to 64 characters."));
            }
            if declared[..index].iter().any(|earlier| earlier.name == one.name) {
                return Err(format!("the argument {:?} stands twice.", one.name));
            }
        }
        let names: Vec<&str> = declared.iter().map(|one| one.name.as_str()).collect();
        let mut sources = Sources::new();
        for (index, one) in declared.iter().enumerate() {
            let source = match (&one.values, &one.complete) {
                (Some(_), Some(_)) => {
                    return Err(format!("[{index}] has values and complete; write one of them."));
                }
                (Some(values), None) => Source::Values(values.clone()),
                (None, Some(complete)) => {
                    let source = Source::read(complete).map_err(|why| format!("[{index}].complete {why}"))?;
                    source.check(&one.name, &names).map_err(|why| format!("[{index}]: {why}"))?;
                    source
                }
                (None, None) => continue,
            };
            sources.insert(one.name.clone(), source);
        }
        let shown: Vec<Value> = declared.iter().map(Declared::shown).collect();
        Ok(PromptArguments { declared, sources, shown: Value::Array(shown).to_string() })
    }

    /// JSON text of the list that `prompts/list` shows.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether the arguments of a call, an object, are the declared ones.
    ///
    /// # Errors
    /// What is wrong with them, as a sentence.
    pub fn check(&self, arguments: &Map<String, Value>) -> Result<(), String> {
        for (name, value) in arguments {
            if !self.declared.iter().any(|one| one.name == *name) {
                let known: Vec<&str> = self.declared.iter().map(|one| one.name.as_str()).collect();
                let known = if known.is_empty() {
                    "It takes none".to_owned()
                } else {
                    format!("Known are: {}", known.join(", "))
                };
                let name: String = name.chars().take(100).collect();
                return Err(format!("the prompt has no argument {name:?}. {known}."));
            }
            if !value.is_string() {
                return Err(format!("arguments.{name} must be a string."));
            }
        }
        match self.declared.iter().find(|one| one.required && !arguments.contains_key(&one.name)) {
            Some(missing) => Err(format!("the argument {:?} is required.", missing.name)),
            None => Ok(()),
        }
    }

    /// Whether there is an argument of that name.
    pub fn has(&self, argument: &str) -> bool {
        self.declared.iter().any(|one| one.name == argument)
    }

    /// Where the values come from that are offered for each argument.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }
}

impl Declared {
    fn shown(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("name".to_owned(), self.name.as_str().into());
        if let Some(title) = &self.title {
            shown.insert("title".to_owned(), title.as_str().into());
        }
        if let Some(description) = &self.description {
            shown.insert("description".to_owned(), description.as_str().into());
        }
        if self.required {
            shown.insert("required".to_owned(), true.into());
        }
        Value::Object(shown)
    }
}
