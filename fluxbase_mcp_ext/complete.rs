//! `completion/complete`: what the caller may mean, by what has been typed of it.
//!
//! Invariants: nothing is offered that the lists and the schema tools would not show the same caller; a value begins with
//! what was typed; at most a hundred are sent, and the answer says when there are more.

use std::collections::{BTreeMap, BTreeSet};

use fluxbase_protocol::{Reference, RpcError};
use serde::Deserialize;

use crate::catalog;
use crate::dispatch::{self, Caller};
use crate::error::Error;
use crate::guard::{self, Access};
use crate::identity::Identity;
use crate::registered;

/// As many as MCP allows.
pub const MOST: usize = 100;
/// The most tables that are looked through.
const TABLES: i64 = 10_000;

/// Why nothing is offered.
pub enum Refusal {
    /// There is no such prompt, resource template or argument, as far as the caller may know.
    Unknown(RpcError),
    /// The look-up failed.
    Failed(Error),
}

/// What is asked.
pub struct Asked<'a> {
    pub reference: &'a Reference,
    pub argument: &'a str,
    pub value: &'a str,
    pub context: &'a BTreeMap<String, String>,
}

/// The values that begin with what was typed, in their order.
pub fn complete(caller: &Caller, asked: &Asked<'_>) -> Result<Vec<String>, Refusal> {
    match asked.reference {
        Reference::Prompt(name) => of_prompt(caller, name, asked),
        Reference::Resource(uri) => of_resource(caller, uri, asked),
    }
}

fn of_prompt(caller: &Caller, name: &str, asked: &Asked<'_>) -> Result<Vec<String>, Refusal> {
    let visible = registered::Visible::to(&dispatch::actor(caller));
    let mut prompts = visible.prompts().filter(|prompt| caller.identity.scopes.has_any(&prompt.scopes));
    let Some(prompt) = prompts.find(|prompt| prompt.name == name) else {
        return Err(Refusal::Unknown(RpcError::unknown_prompt(name, None)));
    };
    let Some(values) = prompt.values(asked.argument) else {
        return Err(unknown_argument());
    };
    Ok(values.iter().filter(|value| begins(value, asked.value)).cloned().collect())
}

const TABLE: &str = "fluxbase://schema/tables/{schema}/{table}";

fn of_resource(caller: &Caller, uri: &str, asked: &Asked<'_>) -> Result<Vec<String>, Refusal> {
    let visible = registered::Visible::to(&dispatch::actor(caller));
    let known = dispatch::resources(caller, &visible).any(|resource| resource.uri == uri);
    if !known {
        let message = "Invalid params: params.ref.uri names no resource template that this key may read. resources/templates/list shows them.";
        return Err(Refusal::Unknown(RpcError::invalid_params(message)));
    }
    if uri != TABLE {
        // What the variables of a registered template can be, only its function knows.
        return Ok(Vec::new());
    }
    let schema = asked.context.get("schema").map(String::as_str).filter(|schema| !schema.is_empty());
    let body = || match asked.argument {
        "schema" => Ok(Some(schemas(&caller.identity, asked.value)?)),
        "table" => Ok(Some(tables(&caller.identity, schema, asked.value)?)),
        _ => Ok(None),
    };
    match guard::run(&dispatch::actor(caller), Access::Read, body, |_| false) {
        Ok(Some(values)) => Ok(values.into_iter().collect()),
        Ok(None) => Err(unknown_argument()),
        Err(error) => Err(Refusal::Failed(error)),
    }
}

#[derive(Deserialize)]
struct Named {
    schema: String,
    name: String,
}

fn named(
    identity: &Identity,
    schema: Option<&str>,
    search: Option<&str>,
) -> Result<impl Iterator<Item = Named>, Error> {
    let lines = match schema {
        Some(schema) if !catalog::open(identity, schema) => Vec::new(),
        _ => catalog::list_tables(identity, schema, search, TABLES, 0)?,
    };
    Ok(lines.into_iter().filter_map(|line| serde_json::from_str(&line).ok()))
}

fn schemas(identity: &Identity, typed: &str) -> Result<BTreeSet<String>, Error> {
    Ok(named(identity, None, None)?
        .map(|table| table.schema)
        .filter(|schema| begins(schema, typed))
        .collect())
}

fn tables(identity: &Identity, schema: Option<&str>, typed: &str) -> Result<BTreeSet<String>, Error> {
    let search = Some(typed).filter(|typed| !typed.is_empty());
    Ok(named(identity, schema, search)?.map(|table| table.name).filter(|name| begins(name, typed)).collect())
}

fn begins(value: &str, typed: &str) -> bool {
    value.to_lowercase().starts_with(&typed.to_lowercase())
}

fn unknown_argument() -> Refusal {
    let message = "Invalid params: params.argument.name is no argument of what params.ref names.";
    Refusal::Unknown(RpcError::invalid_params(message))
}
