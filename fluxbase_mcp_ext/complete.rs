//! `completion/complete`: what the caller may mean, by what has been typed of it.
//!
//! Invariants: nothing is offered that the lists and the schema tools would not show the same caller; a value begins with
//! what was typed; at most a hundred are sent, and the answer says when there are more.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use fluxbase_credential::Scope;
use fluxbase_protocol::{Reference, RpcError};
use fluxbase_query::TableName;
use fluxbase_register::{Source, Sources};
use serde::Deserialize;

use crate::catalog::{self, Described};
use crate::dispatch::{self, Caller};
use crate::error::Error;
use crate::guard::{self, Access};
use crate::identity::Identity;
use crate::registered;
use crate::resources::{OBJECT, Read, jobs, rpc};
use crate::tools::{self, storage};

/// As many as MCP allows.
pub const MOST: usize = 100;
/// The most tables that are looked through.
const TABLES: i64 = 10_000;
/// The most functions that are looked through, the first by namespace and name.
const FUNCTIONS: i64 = 10_000;

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
    let Some(sources) = prompt.sources(asked.argument) else {
        return Err(unknown_argument());
    };
    of_source(caller, sources, asked)
}

const TABLE: &str = "fluxbase://schema/tables/{schema}/{table}";
const PROCEDURE: &str = "fluxbase://rpc/{namespace}/{name}";

fn of_resource(caller: &Caller, uri: &str, asked: &Asked<'_>) -> Result<Vec<String>, Refusal> {
    let visible = registered::Visible::to(&dispatch::actor(caller));
    let known = dispatch::resources(caller, &visible).find(|resource| resource.uri == uri);
    let Some(known) = known else {
        let message = "Invalid params: params.ref.uri names no resource template that this key may read. resources/templates/list shows them.";
        return Err(Refusal::Unknown(RpcError::invalid_params(message)));
    };
    if let Read::Registered(resource) = known.read {
        let sources = resource.sources(asked.argument).ok_or_else(unknown_argument)?;
        return of_source(caller, sources, asked);
    }
    if uri == PROCEDURE {
        return of_procedure(caller, asked);
    }
    if uri == jobs::ONE {
        let namespace = asked.context.get("namespace").map(String::as_str).filter(|name| !name.is_empty());
        let body = || Ok(jobs::complete(asked.argument, namespace));
        return match guard::run(&dispatch::actor(caller), Access::Read, body, |_| false) {
            Ok(Some(names)) => Ok(names.into_iter().filter(|name| begins(name, asked.value)).collect()),
            Ok(None) => Err(unknown_argument()),
            Err(error) => Err(Refusal::Failed(error)),
        };
    }
    if uri != TABLE && uri != OBJECT {
        return Ok(Vec::new());
    }
    let bucket = asked.context.get("bucket").map(String::as_str).filter(|bucket| !bucket.is_empty());
    let schema = asked.context.get("schema").map(String::as_str).filter(|schema| !schema.is_empty());
    let body = || match asked.argument {
        "bucket" if uri == OBJECT => {
            Ok(Some(storage::keys(None, asked.value, MOST + 1).into_iter().collect()))
        }
        "path" if uri == OBJECT => Ok(Some(match bucket {
            Some(bucket) => storage::keys(Some(bucket), asked.value, MOST + 1).into_iter().collect(),
            None => BTreeSet::new(),
        })),
        _ if uri == OBJECT => Ok(None),
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

fn of_procedure(caller: &Caller, asked: &Asked<'_>) -> Result<Vec<String>, Refusal> {
    let namespace =
        asked.context.get("namespace").map(String::as_str).filter(|namespace| !namespace.is_empty());
    let body = || match asked.argument {
        "namespace" => Ok(Some(rpc::known(None)?.into_iter().map(|(namespace, _)| namespace).collect())),
        "name" => Ok(Some(rpc::known(namespace)?.into_iter().map(|(_, name)| name).collect())),
        _ => Ok(None),
    };
    match guard::run(&dispatch::actor(caller), Access::Read, body, |_| false) {
        Ok(Some(values)) => {
            let values: BTreeSet<String> = values;
            Ok(values.into_iter().filter(|value| begins(value, asked.value)).collect())
        }
        Ok(None) => Err(unknown_argument()),
        Err(error) => Err(Refusal::Failed(error)),
    }
}

/// The values of what a DBA said where they come from. What he said nothing of, only the function knows.
fn of_source(caller: &Caller, sources: &Sources, asked: &Asked<'_>) -> Result<Vec<String>, Refusal> {
    let Some(source) = sources.get(asked.argument) else { return Ok(Vec::new()) };
    let typed = |values: Vec<String>| values.into_iter().filter(|value| begins(value, asked.value)).collect();
    if let Source::Values(values) = source {
        return Ok(typed(values.clone()));
    }
    // Names are told to those only whom list_tables, or fluxbase://functions, would tell them.
    let scopes: &[Scope] = match source {
        Source::Namespaces | Source::Functions(_) => &[Scope::ExecuteFunctions],
        _ => &[Scope::ReadSchema, Scope::ReadTables],
    };
    if !caller.identity.scopes.has_any(scopes) {
        return Ok(Vec::new());
    }
    guard::run(
        &dispatch::actor(caller),
        Access::Read,
        || looked_up(&caller.identity, source, sources, asked),
        |_| false,
    )
    .map(typed)
    .map_err(Refusal::Failed)
}

/// What the caller may see of the source, unless an argument that it needs is not known yet.
fn looked_up(
    identity: &Identity,
    source: &Source,
    sources: &Sources,
    asked: &Asked<'_>,
) -> Result<Vec<String>, Error> {
    let given =
        |argument: &str| asked.context.get(argument).map(String::as_str).filter(|value| !value.is_empty());
    Ok(match source {
        Source::Values(values) => values.clone(),
        Source::Schemas => schemas(identity, asked.value)?.into_iter().collect(),
        Source::Tables(None) => {
            let mut names = catalog::names(identity)?;
            names.sort_unstable();
            names
        }
        Source::Tables(Some(schema)) => tables(identity, given(schema), asked.value)?.into_iter().collect(),
        Source::ColumnsOf(table) => match described(identity, table, sources, &given)? {
            Some(table) => table.table.columns.iter().map(|column| column.name.clone()).collect(),
            None => Vec::new(),
        },
        Source::Enum(schema, name) => catalog::enum_labels(identity, schema, name)?,
        Source::EnumOf { table, column } => {
            let table = described(identity, table, sources, &given)?;
            let columns = table.as_ref().map_or(&[][..], |table| &table.table.columns);
            let column = given(column).and_then(|name| columns.iter().find(|column| column.name == name));
            column.map(|column| column.enum_labels.clone()).unwrap_or_default()
        }
        Source::Namespaces => {
            functions()?.map(|function| function.namespace).collect::<BTreeSet<_>>().into_iter().collect()
        }
        Source::Functions(namespace) => {
            let namespace = namespace.as_deref().and_then(given);
            let of = |function: &Function| namespace.is_none_or(|namespace| function.namespace == namespace);
            functions()?
                .filter(of)
                .map(|function| function.name)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect()
        }
    })
}

/// The table that an argument names, as the caller sees it. When another argument holds its schema, that counts.
fn described<'a>(
    identity: &Identity,
    argument: &str,
    sources: &Sources,
    given: &impl Fn(&str) -> Option<&'a str>,
) -> Result<Option<Rc<Described>>, Error> {
    let Some(value) = given(argument) else { return Ok(None) };
    let schema = match sources.get(argument) {
        Some(Source::Tables(Some(schema))) => given(schema),
        _ => None,
    };
    let name = match schema {
        Some(schema) => TableName { schema: Some(schema.to_owned()), name: value.to_owned() },
        None => match TableName::parse(value) {
            Ok(name) => name,
            Err(_) => return Ok(None),
        },
    };
    match catalog::table(identity, &name) {
        Ok(table) => Ok(Some(table)),
        // Nobody learns here what does not exist for him.
        Err(Error::Refused { code: "42P01", .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Function {
    name: String,
    namespace: String,
}

/// The edge functions that the caller may invoke; none where they are not installed.
fn functions() -> Result<impl Iterator<Item = Function>, Error> {
    let lines = match tools::functions::list(FUNCTIONS) {
        Ok(lines) => lines,
        Err(Error::Refused { code: "42P01" | "42501", .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(lines.into_iter().filter_map(|line| serde_json::from_str(&line).ok()))
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
