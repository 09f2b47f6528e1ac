//! The registry of tools.
//!
//! A tool is one entry here and a function in one of the family files. Invariants: names are `snake_case` with at most 30
//! characters; input schemas are flat and closed; all four annotations are set; the order of the list is the order of
//! `tools/list`. Nothing here decides who may use a tool: `dispatch` does, by its scopes and the allow-lists.

mod schema;
mod tables;

use fluxbase_credential::Scope;
use fluxbase_protocol::{Annotations, Structured, ToolEntry, ToolOutput};

use crate::dispatch::Request;
use crate::error::Error;
use crate::guard::Access;

pub use schema::{describe_table, list_tables};

/// One tool.
pub struct Tool {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What a model reads before it chooses; the first sentence is searchable.
    pub description: &'static str,
    /// JSON Schema of the arguments.
    pub input_schema: &'static str,
    /// JSON Schema of the structured content.
    pub output_schema: &'static str,
    /// A key needs one of these.
    pub scopes: &'static [Scope],
    /// Whether it may write.
    pub access: Access,
    /// What hosts are told about its effects.
    pub annotations: Annotations,
    /// Its body, run inside the guard.
    pub run: fn(&Request<'_>) -> Result<ToolOutput, Error>,
}

impl Tool {
    /// How `tools/list` shows it.
    pub fn entry(&self) -> ToolEntry<'static> {
        ToolEntry {
            name: self.name,
            title: self.title,
            description: self.description,
            input_schema: self.input_schema,
            output_schema: Some(self.output_schema),
            annotations: self.annotations,
        }
    }
}

const READS: Annotations =
    Annotations { read_only: true, destructive: false, idempotent: true, open_world: false };
const ADDS: Annotations =
    Annotations { read_only: false, destructive: false, idempotent: false, open_world: false };
const CHANGES: Annotations =
    Annotations { read_only: false, destructive: true, idempotent: true, open_world: false };

/// Every tool, in the order of `tools/list`.
pub static TOOLS: &[Tool] = &[
    Tool {
        name: "query_table",
        title: "Query a table",
        description: "Read rows of a table or view: filter, select columns, order, page. Row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"select":{"type":"string","description":"columns, e.g. id,name or short:long_name; default *"},"filter":{"type":"object","description":"{column: \"op.value\" | {op: value} | number | boolean | null}, ANDed; operators eq neq gt gte lt lte like ilike is isnot in nin cs cd ov","additionalProperties":true},"order":{"type":"string","description":"e.g. created_at.desc,id"},"limit":{"type":"integer","minimum":1,"default":100,"description":"at most 1000 unless the server says otherwise"},"offset":{"type":"integer","minimum":0,"default":0}},"required":["table"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"rows":{"type":"array","items":{"type":"object"}},"count":{"type":"integer","description":"rows in this answer"},"has_more":{"type":"boolean"},"notes":{"type":"array","items":{"type":"string"}}},"required":["rows","count","has_more"]}"#,
        scopes: &[Scope::ReadTables],
        access: Access::Read,
        annotations: READS,
        run: tables::query,
    },
    Tool {
        name: "insert_record",
        title: "Insert a record",
        description: "Insert one row into a table and return it. Row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"data":{"type":"object","description":"{column: value}; columns left out take their default","additionalProperties":true},"returning":{"type":"string","description":"columns of the answer, as in select; default *, none for no row"}},"required":["table","data"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","description":"the inserted row","additionalProperties":true}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: ADDS,
        run: tables::insert,
    },
    Tool {
        name: "update_record",
        title: "Update records",
        description: "Change the rows of a table that match a filter. The filter is required; row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"data":{"type":"object","description":"{column: new value}","additionalProperties":true},"filter":{"type":"object","description":"which rows, as in query_table; not empty","additionalProperties":true},"returning":{"type":"string","description":"columns of the answer, as in select; default *, none for no rows"}},"required":["table","data","filter"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"updated":{"type":"integer"},"records":{"type":"array","items":{"type":"object"}},"notes":{"type":"array","items":{"type":"string"}}},"required":["updated","records"]}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: CHANGES,
        run: tables::update,
    },
    Tool {
        name: "delete_record",
        title: "Delete records",
        description: "Delete the rows of a table that match a filter. The filter is required; row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"filter":{"type":"object","description":"which rows, as in query_table; not empty","additionalProperties":true},"returning":{"type":"string","description":"columns of the answer, as in select; default *, none for no rows"}},"required":["table","filter"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"deleted":{"type":"integer"},"records":{"type":"array","items":{"type":"object"}},"notes":{"type":"array","items":{"type":"string"}}},"required":["deleted","records"]}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: CHANGES,
        run: tables::delete,
    },
    Tool {
        name: "list_tables",
        title: "List tables",
        description: "List the tables and views that you may use, with their comments. Search by name or comment.",
        input_schema: r#"{"type":"object","properties":{"search":{"type":"string","description":"part of a name or comment"},"schema":{"type":"string","description":"only this schema"},"limit":{"type":"integer","minimum":1,"default":100,"description":"at most 1000"}},"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"tables":{"type":"array","items":{"type":"object","properties":{"schema":{"type":"string"},"name":{"type":"string"},"kind":{"type":"string"},"comment":{"type":["string","null"]}},"required":["schema","name","kind"]}},"count":{"type":"integer"},"has_more":{"type":"boolean"},"note":{"type":"string"}},"required":["tables","count","has_more"]}"#,
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        access: Access::Read,
        annotations: READS,
        run: schema::list,
    },
    Tool {
        name: "describe_table",
        title: "Describe a table",
        description: "Describe one table: columns, types, keys, relations, row-level security, and what you may do with it.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"}},"required":["table"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"schema":{"type":"string"},"name":{"type":"string"},"kind":{"type":"string"},"columns":{"type":"array","items":{"type":"object"}}},"required":["schema","name","kind","columns"]}"#,
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        access: Access::Read,
        annotations: READS,
        run: schema::describe,
    },
];

/// The tool of that name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// An answer whose text is a JSON object and at the same time the structured content.
fn object(text: String, notes: Vec<String>) -> ToolOutput {
    ToolOutput { text, structured: Structured::Same, notes }
}
