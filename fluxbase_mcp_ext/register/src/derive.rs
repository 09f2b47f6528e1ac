//! The input schema of a function with named arguments.

use serde_json::{Map, Value, json};

/// One argument of a function, as far as its schema goes.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// The name of its type below all domains, as in `pg_type`; of an array its element's.
    pub type_name: String,
    /// Whether the type is one of Postgres's own.
    pub built_in: bool,
    /// `typcategory` of the same type.
    pub category: char,
    /// Whether it is an array of that.
    pub array: bool,
    /// The labels of an enum.
    pub labels: Vec<String>,
    /// Whether it can be left out.
    pub optional: bool,
}

/// The schema of an object with these members and no others, as JSON text.
pub fn schema_of_arguments(arguments: &[Argument]) -> String {
    let properties: Map<String, Value> =
        arguments.iter().map(|argument| (argument.name.clone(), schema_of(argument))).collect();
    let required: Vec<&str> = arguments
        .iter()
        .filter(|argument| !argument.optional)
        .map(|argument| argument.name.as_str())
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema.to_string()
}

fn schema_of(argument: &Argument) -> Value {
    let one = schema_of_type(argument);
    // Arrays of more dimensions are lists of lists, which no schema of the type can tell apart.
    if argument.array { json!({ "type": "array", "items": one }) } else { one }
}

fn schema_of_type(argument: &Argument) -> Value {
    if !argument.labels.is_empty() {
        return json!({ "type": "string", "enum": argument.labels });
    }
    if !argument.built_in {
        // A row type is an object; what an extension's type is written as, only it knows.
        return match argument.category {
            'C' => json!({ "type": "object" }),
            'S' => json!({ "type": "string" }),
            _ => json!({}),
        };
    }
    match argument.type_name.as_str() {
        "bool" => json!({ "type": "boolean" }),
        "int2" | "int4" | "int8" | "oid" => json!({ "type": "integer" }),
        "numeric" | "float4" | "float8" => json!({ "type": "number" }),
        "uuid" => json!({ "type": "string", "format": "uuid" }),
        "date" => json!({ "type": "string", "format": "date" }),
        "timestamp" | "timestamptz" => json!({ "type": "string", "format": "date-time" }),
        "bytea" => json!({ "type": "string", "contentEncoding": "base64" }),
        "json" | "jsonb" => json!({}),
        _ => json!({ "type": "string" }),
    }
}
