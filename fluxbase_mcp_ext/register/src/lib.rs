//! What a DBA registers, as far as it needs no Postgres: JSON Schemas, URI templates, the arguments of prompts, what a
//! function may answer; and what every tool needs that asks: questions, and the state that a client carries between two rounds.
//!
//! Invariants:
//! - Nothing is fetched: a schema refers to itself only.
//! - Checking a value takes a bounded number of steps, whatever the schema and the value are, and patterns take time in
//!   proportion to the text ([`Schema`]). Rust code cannot be cancelled, so this is what stands in for a timeout.
//! - What a function answers is read and checked before it is spliced into a result: a client gets valid MCP or an error.
//!
//! It does not know functions, roles or transactions: see `registered` and `ask` in the extension.

mod answer;
mod canonical;
mod complete;
mod derive;
mod prompt;
mod schema;
mod state;
mod steps;
mod template;

pub use answer::{
    Asked, PromptAnswer, Question, ToolAnswer, prompt_answer, resource_answer, takes_forms, tool_answer,
};
pub use canonical::text as canonical;
pub use complete::{Source, Sources, sources};
pub use derive::{Argument, schema_of_arguments};
pub use prompt::PromptArguments;
pub use schema::Schema;
pub use state::{Binding, LIFETIME_SECONDS, sign, verify};
pub use template::Template;
