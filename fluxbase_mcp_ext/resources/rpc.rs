//! `fluxbase://rpc`: the procedures that the caller may run, with JSON Schemas of what they take and give.

use fluxbase_register::schema_of_arguments;
use serde_json::{Map, Value, json};

use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::registered::{self, Procedure, argument};
use crate::tools::rpc::{self, Listed};

/// `{"procedures": […], "count": n}`, and a note when there are more than are shown.
pub fn all(_: &Request<'_>, _: &[String]) -> Result<String, Error> {
    let mut found: Vec<Value> =
        registered::procedures().iter().map(|procedure| of_function(procedure)).collect();
    found.extend(rpc::list()?.iter().map(of_statement));
    Ok(shown(&found))
}

/// The procedures of one name, in the form of the list.
pub fn one(_: &Request<'_>, parts: &[String]) -> Result<String, Error> {
    let [namespace, name] = parts else { return Err(Error::internal("fluxbase://rpc has two segments")) };
    let named = registered::procedures();
    let named = named.iter().filter(|known| known.namespace == *namespace && known.name == *name);
    let mut found: Vec<Value> = named.map(|procedure| of_function(procedure)).collect();
    let stored = rpc::list()?;
    let stored = stored.iter().filter(|known| known.namespace == *namespace && known.name == *name);
    found.extend(stored.map(of_statement));
    if found.is_empty() {
        return Err(Error::refused("42P01", "there is no such procedure.", None));
    }
    Ok(shown(&found))
}

/// Namespaces, or names within one, for completions.
pub fn known(namespace: Option<&str>) -> Result<Vec<(String, String)>, Error> {
    let functions = registered::procedures();
    let functions = functions.iter().map(|known| (known.namespace.clone(), known.name.clone()));
    let stored = rpc::list()?.into_iter().map(|known| (known.namespace, known.name));
    Ok(functions.chain(stored).filter(|(known, _)| namespace.is_none_or(|wanted| wanted == known)).collect())
}

fn shown(found: &[Value]) -> String {
    let (mut text, mut count) = (String::from(r#"{"procedures":["#), 0);
    for entry in found {
        let entry = entry.to_string();
        if count > 0 {
            if text.len() + entry.len() > gucs::max_result_chars() {
                break;
            }
            text.push(',');
        }
        text.push_str(&entry);
        count += 1;
    }
    text.push_str(&format!(r#"],"count":{count}"#));
    if count < found.len() {
        text.push_str(r#","note":"There are more; invoke_rpc runs them by name, too.""#);
    }
    text.push('}');
    text
}

fn of_function(procedure: &Procedure) -> Value {
    let outputs: Vec<(String, u32)> = procedure.outputs().map(|(name, oid)| (name.to_owned(), oid)).collect();
    let input: Value = serde_json::from_str(&procedure.input_schema).unwrap_or_default();
    let mut entry = json!({
        "name": procedure.name, "namespace": procedure.namespace, "description": procedure.description, "enabled": true,
        "kind": "function", "read_only": procedure.reads(), "input_schema": input,
        "max_execution_time_seconds": procedure.seconds,
    });
    if !outputs.is_empty() {
        entry["output_schema"] =
            object(outputs.into_iter().filter_map(|(name, oid)| argument(&name, oid, true)));
        entry["returns"] = if procedure.is_set() { "rows" } else { "object" }.into();
    } else {
        entry["returns"] = if procedure.is_set() { "values" } else { "value" }.into();
    }
    entry
}

fn of_statement(listed: &Listed) -> Value {
    let mut entry = json!({
        "name": listed.name, "namespace": listed.namespace, "description": listed.description, "enabled": listed.enabled,
        "created_at": listed.created_at, "kind": "statement", "returns": "rows", "input_schema": of_types(&listed.input_schema),
        "max_execution_time_seconds": listed.seconds,
    });
    if let Some(output) = &listed.output_schema {
        let optional: Map<String, Value> = output
            .iter()
            .map(|(name, of_type)| (format!("{}?", name.trim_end_matches('?')), of_type.clone()))
            .collect();
        entry["output_schema"] = of_types(&optional);
    }
    entry
}

/// The schema of `{"name": "type"}`.
fn of_types(fields: &Map<String, Value>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, of_type) in fields {
        let of_type = of_type.as_str().unwrap_or("any");
        let bare = name.strip_suffix('?');
        if bare.is_none() {
            required.push(name.clone());
        }
        let bare = bare.unwrap_or(name).to_owned();
        let schema = match of_type {
            "string" | "number" | "object" | "array" | "boolean" | "integer" => json!({ "type": of_type }),
            _ => rpc::type_named(of_type)
                .and_then(|oid| argument(&bare, oid, true))
                .and_then(|argument| object(std::iter::once(argument))["properties"].get(&bare).cloned())
                .unwrap_or_else(|| json!({})),
        };
        properties.insert(bare, schema);
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn object(arguments: impl Iterator<Item = registered::Argument>) -> Value {
    let named: Vec<_> = arguments.map(|argument| argument.named()).collect();
    serde_json::from_str(&schema_of_arguments(&named)).unwrap_or_default()
}
