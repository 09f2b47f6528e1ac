//! A registered prompt.

use fluxbase_credential::Scope;
use fluxbase_protocol::PromptEntry;
use fluxbase_register::{PromptAnswer, PromptArguments, Sources, prompt_answer};
use serde_json::Value;

use super::function::{Form, Style};
use super::{Row, Target, context, wrong_answer};
use crate::ask::{self, Ask};
use crate::dispatch::Request;
use crate::error::Error;

/// One registered prompt.
#[derive(Debug)]
pub struct Prompt {
    pub name: String,
    title: String,
    description: String,
    pub scopes: Vec<Scope>,
    arguments: PromptArguments,
    pub(super) target: Target,
}

/// What a prompt gives back.
#[derive(Debug)]
pub enum Given {
    Messages { description: String, messages: String },
    Ask(Ask),
}

impl Prompt {
    pub(super) fn new(row: &Row, target: Target) -> Prompt {
        let arguments = row.arguments.as_deref().and_then(|text| PromptArguments::read(text).ok());
        Prompt {
            name: row.name.clone(),
            title: row.title.clone(),
            description: row.description.clone(),
            scopes: row.scopes(),
            arguments: arguments.unwrap_or_default(),
            target,
        }
    }

    /// How `prompts/list` shows it.
    pub fn entry(&self) -> PromptEntry<'_> {
        PromptEntry {
            name: &self.name,
            title: &self.title,
            description: &self.description,
            arguments: self.arguments.shown(),
        }
    }

    /// Whether the arguments are those that it takes.
    ///
    /// # Errors
    /// What is wrong with them, as a sentence.
    pub fn check(&self, arguments: Option<&str>) -> Result<(), String> {
        match serde_json::from_str(arguments.unwrap_or("{}")) {
            Ok(Value::Object(members)) => self.arguments.check(&members),
            Ok(_) => Err("arguments must be an object.".to_owned()),
            Err(error) => Err(format!("arguments: {error}.")),
        }
    }

    /// Where the values come from that are offered for each argument; `None` when it has no such argument.
    pub fn sources(&self, argument: &str) -> Option<&Sources> {
        self.arguments.has(argument).then(|| self.arguments.sources())
    }

    /// Calls the function and reads its answer. It only reads: whoever looks at a prompt changes nothing.
    pub fn get(&self, request: &Request<'_>) -> Result<Given, Error> {
        let what = format!("the prompt {}", self.name);
        let function = self.target.usable(&what)?;
        let text = request.arguments.unwrap_or("{}");
        let binding = ask::binding(request, "prompt", &self.name);
        let state = match ask::state(request, &binding) {
            Ok(state) => state,
            Err(None) => return Ok(Given::Ask(Ask::BadState)),
            Err(Some(error)) => return Err(error),
        };
        let mut values = vec![("arguments", text.to_owned())];
        match function.takes_json() {
            Some(Style::WithContext) => {
                values.push(("context", context::text(request, state.as_deref(), "prompt", &self.name)));
            }
            Some(_) => {}
            None => return Err(wrong_answer(&what, WANTED)),
        }
        let answer = function.call(values)?.unwrap_or_else(|| "null".to_owned());
        let plain = function.form() == Form::Text;
        Ok(match prompt_answer(&answer, plain).map_err(|why| wrong_answer(&what, &why))? {
            PromptAnswer::Messages { description, messages } => {
                let description = if description.is_empty() { self.description.clone() } else { description };
                Given::Messages { description, messages }
            }
            PromptAnswer::Ask(asked) => Given::Ask(ask::ask(request, &binding, asked)?),
        })
    }
}

/// What the function of a prompt looks like.
pub const WANTED: &str = "it must be function(arguments jsonb) or function(arguments jsonb, context jsonb), and return jsonb or text.";
