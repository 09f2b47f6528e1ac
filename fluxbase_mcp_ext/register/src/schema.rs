//! A JSON Schema 2020-12, compiled once: is it one that we can serve, and does a value fit it?

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::steps::Steps;

/// The longest schema, in bytes: it is read by models, and larger ones are accidents.
const MAX_TEXT: usize = 65_536;
/// How deep a schema may nest.
const MAX_DEPTH: usize = 64;
/// The most memory of one compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;
/// How many faults are told at once.
const MAX_FAULTS: usize = 5;
/// The longest text of one fault, in characters: it repeats a part of the value.
const MAX_FAULT: usize = 300;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    steps: Steps,
    /// The names of its properties, for the message about one that it does not have.
    properties: Vec<String>,
}

impl Schema {
    /// Compiles the schema of an object. `format` is not checked, as in JSON Schema 2020-12: it is an annotation.
    ///
    /// # Errors
    /// Why it cannot be served, as a sentence.
    pub fn compile(text: &str) -> Result<Schema, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("it has {} bytes; the most is {MAX_TEXT}.", text.len()));
        }
        let schema: Value =
            serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}."))?;
        if depth(&schema) > MAX_DEPTH {
            return Err(format!("it nests deeper than {MAX_DEPTH}."));
        }
        let Value::Object(members) = &schema else {
            return Err(
                "it must be a JSON object, such as {\"type\":\"object\",\"properties\":{}}.".to_owned()
            );
        };
        if members.get("type") != Some(&Value::from("object")) {
            return Err(
                "its \"type\" must be \"object\": arguments and structured answers are objects.".to_owned()
            );
        }
        let steps = Steps::of(&schema)?;
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(false)
            // This engine takes time in proportion to the text; one with backtracking can take forever.
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN))
            .build(&schema)
            .map_err(|error| {
                let place = error.instance_path().to_string();
                let place = if place.is_empty() { String::new() } else { format!("at {place}: ") };
                let mut text = clip(&format!("it is not a valid JSON Schema 2020-12: {place}{error}."));
                if place.ends_with("pattern: ") {
                    text.push_str(" Patterns have no look-around and no backreferences, and a bounded size.");
                }
                text
            })?;
        let properties = match members.get("properties") {
            Some(Value::Object(properties)) => properties.keys().cloned().collect(),
            _ => Vec::new(),
        };
        Ok(Schema { validator, steps, properties })
    }

    /// The names of the properties that it lists.
    pub fn properties(&self) -> &[String] {
        &self.properties
    }

    /// Whether `value` fits; `root` is what it is called in messages, such as `arguments`.
    ///
    /// # Errors
    /// The faults, a line each, with the place and the rule; at most five.
    pub fn check(&self, value: &Value, root: &str) -> Result<(), String> {
        if !self.steps.allow(value) {
            return Err(format!(
                "{root}: too large, or nested too deep, to be checked against the schema. Send less at once."
            ));
        }
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let mut lines = Vec::new();
        for error in self.validator.iter_errors(value) {
            if lines.len() == MAX_FAULTS {
                lines.push("There are more faults.".to_owned());
                break;
            }
            let at = place(root, &error.instance_path().to_string());
            let rule = error.kind().keyword();
            let mut line = clip(&format!("{at}: {error}"));
            line.push_str(&format!(" (rule {rule})."));
            if rule == "additionalProperties" && error.instance_path().to_string().is_empty() {
                line.push_str(&match self.properties.as_slice() {
                    [] => " It takes none.".to_owned(),
                    names => format!(" Known are: {}.", names.join(", ")),
                });
            }
            lines.push(line);
        }
        Err(lines.join("\n"))
    }
}

/// A JSON pointer in the way that people write it: `/items/0/id` below `arguments` is `arguments.items[0].id`.
fn place(root: &str, pointer: &str) -> String {
    let mut text = root.to_owned();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{token}]"));
        } else {
            text.push('.');
            text.push_str(&token);
        }
    }
    clip(&text)
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_FAULT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
