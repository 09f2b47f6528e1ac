//! A registered tool.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use fluxbase_credential::Scope;
use fluxbase_protocol::{Annotations, Structured, ToolContent, ToolOutput};
use fluxbase_register::{Schema, ToolAnswer, schema_of_arguments, tool_answer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::function::{Form, Style};
use super::{Procedure, Row, Target, context, wrong_answer};
use crate::ask::{self, Ask};
use crate::dispatch::Request;
use crate::error::Error;
use crate::guard::{self, Access};
use crate::gucs;
use crate::tasks::{Stage, Support};
use crate::tools::{Body, Done, Outcome, rpc};

/// One registered tool.
#[derive(Debug)]
pub struct Tool {
    pub name: String,
    title: String,
    description: String,
    input_schema: String,
    output_schema: Option<String>,
    scopes: Vec<Scope>,
    annotations: Annotations,
    access: Access,
    /// Whether the function may make temporary tables.
    temp_tables: bool,
    /// How it supports tasks, if at all.
    task: Option<Support>,
    pub(super) target: Target,
    /// How the function takes its arguments, or why it cannot.
    style: Result<Style, String>,
    input: OnceLock<Result<Schema, String>>,
    output: OnceLock<Result<Schema, String>>,
    /// What it calls as `invoke_rpc` does.
    procedure: Option<Arc<Procedure>>,
}

/// The four hints of MCP; true or false each.
pub const HINTS: [&str; 4] = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

impl Tool {
    pub(super) fn new(row: &Row, target: Target) -> Tool {
        let style = match &target.function {
            Ok(function) => function.style(),
            Err(why) => Err(why.clone()),
        };
        let input_schema = match (&row.input_schema, &target.function, &style) {
            (Some(schema), _, _) => schema.clone(),
            (None, Ok(function), Ok(Style::Named)) => schema_of_arguments(&function.named()),
            _ => r#"{"type":"object"}"#.to_owned(),
        };
        let annotations = row.annotations.clone().unwrap_or_default();
        let hint = |name: &str| annotations.get(name).and_then(Value::as_bool);
        // A function that cannot write is a reading one, whatever else was registered.
        let read_only = hint(HINTS[0]) == Some(true) || !target.volatile();
        Tool {
            name: row.name.clone(),
            title: row.title.clone(),
            description: row.description.clone(),
            input_schema,
            output_schema: row.output_schema.clone(),
            scopes: row.scopes(),
            annotations: Annotations {
                read_only,
                destructive: hint(HINTS[1]).unwrap_or(!read_only) && !read_only,
                idempotent: hint(HINTS[2]).unwrap_or(read_only),
                open_world: hint(HINTS[3]).unwrap_or(false),
            },
            access: if read_only { Access::Read } else { Access::Write },
            temp_tables: row.temp_tables,
            task: row.task,
            target,
            style,
            input: OnceLock::new(),
            output: OnceLock::new(),
            procedure: None,
        }
    }

    /// The tool that `mcp.expose_rpc(…, as_tool => true)` made.
    pub(super) fn of_procedure(row: &Row, procedure: &Arc<Procedure>, target: Target) -> Tool {
        let reads = procedure.reads();
        Tool {
            name: row.tool.clone().unwrap_or_default(),
            title: String::new(),
            description: match row.description.as_str() {
                "" => format!("The procedure {}.", procedure.title()),
                description => description.to_owned(),
            },
            input_schema: procedure.input_schema.clone(),
            output_schema: Some(rpc::OUTPUT_SCHEMA.to_owned()),
            scopes: vec![Scope::ExecuteRpc],
            annotations: Annotations {
                read_only: reads,
                destructive: !reads,
                idempotent: reads,
                open_world: false,
            },
            // That it was called is written down, too.
            access: if reads && !procedure.logged { Access::Read } else { Access::Write },
            temp_tables: procedure.temp_tables,
            task: None,
            target,
            style: Ok(Style::Named),
            input: OnceLock::new(),
            output: OnceLock::new(),
            procedure: Some(Arc::clone(procedure)),
        }
    }

    /// How it supports tasks; `None`: not at all.
    pub fn task(&self) -> Option<Support> {
        self.task
    }

    /// Refuses what a run would refuse before its function is called.
    ///
    /// # Errors
    /// [`Error::Refused`]: the caller may not execute the function, or these are no arguments of it.
    pub fn check_call(&self, arguments: Option<&str>) -> Result<(), Error> {
        let what = self.what();
        self.target.usable(&what)?;
        self.style.as_ref().map_err(|why| wrong_function(&what, why))?;
        self.check_arguments(arguments.unwrap_or("{}"), &what)
    }

    /// Whether its schema takes the arguments.
    fn check_arguments(&self, text: &str, what: &str) -> Result<(), Error> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            Error::refused("22023", format!("arguments: {error}. Nothing was run."), None)
        })?;
        compiled(&self.input, &self.input_schema, what)?
            .check(&value, "arguments")
            .map_err(|faults| Error::refused("22023", format!("{faults}\nNothing was run."), None))
    }

    /// Whether it calls a procedure.
    pub(super) fn calls_procedure(&self) -> bool {
        self.procedure.is_some()
    }

    /// Why it cannot be called, if so.
    pub(super) fn fault(&self) -> Option<&str> {
        self.style.as_ref().err().map(String::as_str)
    }

    /// The tool as the registry shows every tool.
    pub fn as_tool(&self) -> crate::tools::Tool<'_> {
        crate::tools::Tool {
            name: &self.name,
            title: &self.title,
            description: &self.description,
            input_schema: &self.input_schema,
            output_schema: self.output_schema.as_deref().unwrap_or_default(),
            scopes: &self.scopes,
            access: self.access,
            annotations: self.annotations,
            run: Body::Registered(self),
        }
    }

    fn what(&self) -> String {
        format!("the tool {}", self.name)
    }

    /// Checks the arguments, calls the function, reads its answer.
    pub fn run(&self, request: &Request<'_>) -> Result<Done, Error> {
        if let Some(procedure) = &self.procedure {
            self.target.usable(&self.what())?;
            return rpc::call(procedure, request);
        }
        let what = self.what();
        let function = self.target.usable(&what)?;
        let style = self.style.as_ref().map_err(|why| wrong_function(&what, why))?;
        let text = request.arguments.unwrap_or("{}");
        self.check_arguments(text, &what)?;
        let binding = ask::binding(request, "tool", &self.name);
        let state = match ask::state(request, &binding) {
            Ok(state) => state,
            Err(None) => return Ok(Done::undone(Outcome::Ask(Ask::BadState))),
            Err(Some(error)) => return Err(error),
        };
        let whole = || ("arguments", text.to_owned());
        let answer = guard::with_temporary_tables(self.temp_tables, || match style {
            Style::Whole => function.call(vec![whole()]),
            Style::WithContext => {
                let context = context::text(request, state.as_deref(), "tool", &self.name);
                function.call(vec![whole(), ("context", context)])
            }
            Style::Named => {
                let members: HashMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| {
                    Error::refused("22023", format!("arguments: {error}. Nothing was run."), None)
                })?;
                function.call_named(&members)
            }
        })?;
        let answer = match (function.form(), answer) {
            (Form::Void, _) => ToolAnswer::Text("Done.".to_owned()),
            (_, None) => ToolAnswer::Text("null".to_owned()),
            (Form::Text | Form::Bytes, Some(text)) => ToolAnswer::Text(text),
            (Form::Json | Form::Other, Some(json)) => {
                tool_answer(&json).map_err(|why| wrong_answer(&what, &why))?
            }
        };
        self.done(request, &binding, answer)
    }

    fn done(
        &self,
        request: &Request<'_>,
        binding: &fluxbase_register::Binding,
        answer: ToolAnswer,
    ) -> Result<Done, Error> {
        let text = |text: String, structured: Structured| {
            bounded(text.chars().count())?;
            Ok(Done::kept(Outcome::Output(ToolOutput { text, structured, notes: Vec::new() })))
        };
        match answer {
            ToolAnswer::Ask(asked) => Ok(Done::undone(Outcome::Ask(ask::ask(request, binding, asked)?))),
            ToolAnswer::Object(json) if self.begins_task(request, &json) => Ok(Done::undone(Outcome::Task)),
            ToolAnswer::Object(json) => {
                self.check_output(Some(&json))?;
                text(json, Structured::Same)
            }
            ToolAnswer::Text(plain) => {
                self.check_output(None)?;
                text(plain, Structured::None)
            }
            ToolAnswer::Content { content, structured, is_error, chars } => {
                bounded(chars)?;
                if !is_error {
                    self.check_output(structured.as_deref())?;
                }
                let content = ToolContent { content, structured, is_error };
                let outcome = Outcome::Content(content);
                // What a tool did before it failed is undone, as if it had raised an error.
                Ok(if is_error { Done::undone(outcome) } else { Done::kept(outcome) })
            }
        }
    }

    /// Whether the answer is `{"task": true}` of a function that was offered a task.
    fn begins_task(&self, request: &Request<'_>, answer: &str) -> bool {
        request.stage == Stage::Offered
            && serde_json::from_str::<Value>(answer)
                .is_ok_and(|answer| answer == serde_json::json!({ "task": true }))
    }

    /// Whether the answer is what the output schema promises.
    fn check_output(&self, structured: Option<&str>) -> Result<(), Error> {
        let Some(schema) = &self.output_schema else { return Ok(()) };
        let what = self.what();
        let Some(structured) = structured else {
            return Err(wrong_answer(&what, "its output_schema promises an object."));
        };
        let value: Value =
            serde_json::from_str(structured).map_err(|error| wrong_answer(&what, &format!("{error}.")))?;
        compiled(&self.output, schema, &what)?
            .check(&value, "answer")
            .map_err(|faults| wrong_answer(&what, &format!("it does not fit its output_schema. {faults}")))
    }
}

/// The schema, compiled at the first call.
fn compiled<'a>(
    cell: &'a OnceLock<Result<Schema, String>>,
    text: &str,
    what: &str,
) -> Result<&'a Schema, Error> {
    cell.get_or_init(|| Schema::compile(text)).as_ref().map_err(|why| {
        Error::refused(
            "22023",
            format!("{what} has a schema that cannot be used: {why} Nothing was run."),
            "An administrator registers it anew.".to_owned(),
        )
    })
}

fn wrong_function(what: &str, why: &str) -> Error {
    Error::refused(
        "42883",
        format!("the function of {what} cannot be called: {why} Nothing was run."),
        "An administrator registers it anew.".to_owned(),
    )
}

fn bounded(chars: usize) -> Result<(), Error> {
    let most = gucs::max_result_chars();
    if chars <= most {
        return Ok(());
    }
    Err(Error::refused(
        "54000",
        format!(
            "the answer has {chars} characters, and mcp.max_result_chars allows {most}. Nothing was changed."
        ),
        "Ask for less at once, if the tool has an argument for that.".to_owned(),
    ))
}

/// Whether these are annotations of a tool.
///
/// # Errors
/// A sentence that says what to write instead.
pub fn check_annotations(annotations: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in annotations {
        if !HINTS.contains(&name.as_str()) {
            return Err(format!("unknown annotation \"{name}\"; known are {}.", HINTS.join(", ")));
        }
        if !value.is_boolean() {
            return Err(format!("{name} must be true or false."));
        }
    }
    Ok(())
}
