//! What `mcp.register_tool`, `mcp.register_resource` and `mcp.register_prompt` ask before they write a row: the same code that
//! will use the row says whether it can.

use fluxbase_register::{PromptArguments, Schema, Source, Sources, Template, sources};
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;
use serde_json::Value;

use super::function::{Form, Function, Style, describe};
use super::{prompt, resource, tool};
use crate::{catalog, error, resources, tools};

fn refuse(message: impl Into<String>, hint: Option<String>) -> ! {
    let message = format!("{} Nothing was registered.", message.into());
    error::raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, hint)
}

fn function(oid: pg_sys::Oid) -> Function {
    let Some(function) = describe(&[oid.to_u32()]).remove(&oid.to_u32()) else {
        refuse("function: it does not exist.", None);
    };
    if let Err(why) = function.check() {
        refuse(format!("function: {why}"), None);
    }
    function
}

/// Raises an error when a tool of this name cannot be made of the function.
#[pg_extern(sql = "
CREATE FUNCTION mcp._check_tool(name pg_catalog.text, function pg_catalog.oid, input_schema pg_catalog.text, output_schema pg_catalog.text,
    annotations pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn check_tool(
    name: Option<&str>,
    function: pg_sys::Oid,
    input_schema: Option<&str>,
    output_schema: Option<&str>,
    annotations: Option<&str>,
) {
    // In lower case too: nobody should take one for the other.
    let name = name.unwrap_or_default();
    if tools::built_in(&name.to_ascii_lowercase()).is_some() {
        refuse(
            format!("name: \"{name}\" is a built-in tool."),
            Some("Choose another name; mcp.allowed_tools can leave a built-in tool out.".to_owned()),
        );
    }
    if super::all().tools.iter().any(|tool| tool.name == name && tool.calls_procedure()) {
        refuse(
            format!("name: \"{name}\" is the tool of a procedure."),
            Some("Choose another name, or run mcp.unexpose_rpc.".to_owned()),
        );
    }
    let function = self::function(function);
    let style = function.style().unwrap_or_else(|why| refuse(format!("function: {why}"), None));
    if function.form() == Form::Bytes {
        refuse(
            "function: a tool cannot return bytea.",
            Some(
                "Return jsonb with content of type image, audio or resource, the bytes in base64.".to_owned(),
            ),
        );
    }
    if let Some(text) = input_schema {
        let schema = Schema::compile(text).unwrap_or_else(|why| refuse(format!("input_schema: {why}"), None));
        if style == Style::Named {
            let named = function.named();
            let lacks = |property: &&String| !named.iter().any(|argument| argument.name == **property);
            if let Some(property) = schema.properties().iter().find(lacks) {
                let known: Vec<&str> = named.iter().map(|argument| argument.name.as_str()).collect();
                refuse(
                    format!("input_schema: the function has no argument \"{property}\"."),
                    Some(format!("Its arguments are: {}.", known.join(", "))),
                );
            }
            let unsent = named
                .iter()
                .find(|argument| !argument.optional && !schema.properties().contains(&argument.name));
            if let Some(argument) = unsent {
                refuse(
                    format!(
                        "input_schema: it has no property for the function's argument \"{}\".",
                        argument.name
                    ),
                    Some("Give the property, or give the argument a default.".to_owned()),
                );
            }
        }
    }
    if let Some(text) = output_schema {
        if !function.may_return_object() {
            refuse(
                "output_schema: the function never returns an object, which is what a schema promises.",
                Some("Return jsonb or a row type, or leave the schema out.".to_owned()),
            );
        }
        if let Err(why) = Schema::compile(text) {
            refuse(format!("output_schema: {why}"), None);
        }
    }
    let annotations = annotations.unwrap_or("{}");
    match serde_json::from_str(annotations) {
        Ok(Value::Object(annotations)) => {
            if let Err(why) = tool::check_annotations(&annotations) {
                refuse(format!("annotations: {why}"), None);
            }
        }
        _ => refuse("annotations: they must be an object, such as {\"readOnlyHint\": true}.", None),
    }
}

/// Raises an error when the function cannot be exposed, or not as a tool of that name, which must not be one of a built-in tool.
#[pg_extern(sql = "
CREATE FUNCTION mcp._check_procedure(function pg_catalog.oid, tool pg_catalog.text, temp_tables pg_catalog.bool) RETURNS pg_catalog.void
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn check_procedure(function: pg_sys::Oid, tool: Option<&str>, temp_tables: Option<bool>) {
    if let Some(name) = tool
        && tools::built_in(&name.to_ascii_lowercase()).is_some()
    {
        let hint = "Give the procedure another name or namespace.".to_owned();
        refuse(format!("as_tool: \"{name}\" is a built-in tool."), Some(hint));
    }
    let Some(function) = describe(&[function.to_u32()]).remove(&function.to_u32()) else {
        refuse("function: it does not exist.", None);
    };
    if let Err(why) = function.check_procedure() {
        refuse(format!("function: {why}"), None);
    }
    if temp_tables == Some(true) && !function.volatile {
        let hint = "The function must be VOLATILE.".to_owned();
        refuse(
            "temp_tables: it only reads, and Postgres makes no tables in a read-only transaction.",
            Some(hint),
        );
    }
}

/// Raises an error for a source that names no enum type.
fn check_enums(place: &str, sources: &Sources) {
    for (argument, source) in sources {
        if let Source::Enum(schema, name) = source
            && !catalog::is_enum(schema, name)
        {
            refuse(
                format!("{place}: {argument:?} takes its values from {schema}.{name}, which is no enum type."),
                Some("CREATE TYPE schema.name AS ENUM (…) makes one; a list of values is {\"values\": [\"…\"]}.".to_owned()),
            );
        }
    }
}

/// Raises an error when a resource with this URI cannot be made of the function.
#[pg_extern(sql = "
CREATE FUNCTION mcp._check_resource(uri pg_catalog.text, function pg_catalog.oid, complete pg_catalog.text)
    RETURNS pg_catalog.void
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn check_resource(uri: &str, function: pg_sys::Oid, complete: &str) {
    let template = Template::parse(uri).unwrap_or_else(|why| refuse(format!("uri: {why}"), None));
    match sources(complete, &template.variables()) {
        Ok(sources) => check_enums("complete", &sources),
        Err(why) => refuse(format!("complete: {why}"), None),
    }
    if resources::is_reserved(uri) {
        refuse("uri: those that begin with fluxbase: are the extension's own.", None);
    }
    let function = self::function(function);
    if function.takes_uri().is_none() || matches!(function.form(), Form::Other | Form::Void) {
        refuse(format!("function: {}", resource::WANTED), None);
    }
}

/// Raises an error when a prompt with these arguments cannot be made of the function.
#[pg_extern(sql = "
CREATE FUNCTION mcp._check_prompt(function pg_catalog.oid, arguments pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn check_prompt(function: pg_sys::Oid, arguments: &str) {
    match PromptArguments::read(arguments) {
        Ok(arguments) => check_enums("arguments", arguments.sources()),
        Err(why) => refuse(format!("arguments: {why}"), None),
    }
    let function = self::function(function);
    if function.takes_json().is_none() || !matches!(function.form(), Form::Json | Form::Text) {
        refuse(format!("function: {}", prompt::WANTED), None);
    }
}
