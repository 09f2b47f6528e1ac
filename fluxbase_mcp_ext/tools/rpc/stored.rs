//! Stored statements: how one is defined, and how it is run.
//!
//! Invariants:
//! - A value is a parameter; a statement's text is never changed but for the names of its parameters (`fluxbase_rpc`).
//! - Names in it are found in `pg_catalog` and its allowed schemas, whoever calls.
//! - What it touches is asked of the trees that are run: each relation, also below views, must be among its allowed tables and schemas,
//!   and each function in `pg_catalog` or one of those schemas.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;

use fluxbase_query::{Param, nearest, quote_ident, show};
use fluxbase_rpc::{Parameters, annotations, parameters};
use pgrx::prelude::*;
use pgrx::{PgSqlErrorCode, Spi};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::table::Found;
use super::{Form, Ran, of_the_caller, perform};
use crate::error::{self, Error};
use crate::guard::{self, Access, Actor};
use crate::identity::Identity;
use crate::registered::{self, OF_CALLER, Work};
use crate::statement::{Analysed, analyse};

/// Types that say no more than JSON does: Postgres finds them out.
const LOOSE: [&str; 5] = ["string", "number", "object", "array", "any"];

/// Functions of Postgres's own that run a text, or read a table that is named by a text.
fn runs_texts(name: &str) -> bool {
    name.contains("_to_xml") || matches!(name, "ts_stat" | "ts_rewrite")
}

/// A field of `input_schema`: its type and whether it may be left out.
fn field<'a>(input: &'a Map<String, Value>, name: &str) -> Option<(&'a str, bool)> {
    if let Some(of_type) = input.get(name) {
        return Some((of_type.as_str().unwrap_or("any"), false));
    }
    input.get(&format!("{name}?")).map(|of_type| (of_type.as_str().unwrap_or("any"), true))
}

/// The oid of a type, 0 where Postgres shall say.
fn type_oid(name: &str) -> Result<u32, String> {
    if LOOSE.contains(&name) {
        return Ok(0);
    }
    const FIND: &str = "
SELECT t.oid FROM pg_catalog.pg_type AS t
 WHERE t.oid OPERATOR(pg_catalog.=) pg_catalog.to_regtype($1)::pg_catalog.oid AND t.typtype OPERATOR(pg_catalog.<>) 'p'";
    let found = Spi::connect(|client| {
        let rows = client.select(FIND, Some(1), &[name.into()])?;
        if rows.is_empty() { Ok(None) } else { rows.first().get::<pg_sys::Oid>(1) }
    })
    .unwrap_or_else(|error: spi::Error| panic!("looking for a type: {error}"));
    found.map(pg_sys::Oid::to_u32).ok_or_else(|| {
        format!("there is no type {}; write one of Postgres's, such as uuid, text, integer, numeric, date, jsonb, text[].", show(name))
    })
}

/// [`type_oid`] for whoever describes a statement; `None` for what is no type.
pub fn type_named(name: &str) -> Option<u32> {
    type_oid(name).ok().filter(|&oid| oid != 0)
}

/// Runs `body` with `pg_catalog`, these schemas and `pg_temp`, in this order, as the search_path, and with strings as the standard has them:
/// so that a stored statement means the same for every caller.
fn with_path<T>(schemas: &[String], body: impl FnOnce() -> T) -> T {
    let mut path = String::from("pg_catalog, ");
    for schema in schemas {
        path.push_str(&quote_ident(schema));
        path.push_str(", ");
    }
    path.push_str("pg_temp");
    let text = |text: &str| CString::new(text).unwrap_or_default();
    let settings = [(text("search_path"), text(&path)), (text("standard_conforming_strings"), text("on"))];
    guard::with_settings(&settings, body)
}

fn numbered(sql: &str) -> Result<Parameters, Error> {
    parameters(sql).map_err(|why| {
        Error::refused("42601", format!("the stored statement cannot be run: {why} Nothing was run."), None)
    })
}

/// What the statement touches and may not, as a sentence.
fn forbidden(analysed: &Analysed, tables: &[String], schemas: &[String]) -> Option<String> {
    let open = |schema: &String| schemas.contains(schema);
    let closed = |(schema, name): &&(String, String)| {
        let whole = format!("{schema}.{name}");
        let listed = tables.iter().any(|table| *table == whole || (table == name && open(schema)));
        if tables.is_empty() { !open(schema) } else { !listed }
    };
    if let Some((schema, name)) = analysed.relations.iter().find(closed) {
        return Some(format!(
            "it touches {schema}.{name}, which is not among its allowed tables and schemas."
        ));
    }
    let strange = |(schema, name): &&(String, String)| {
        if schema == "pg_catalog" { runs_texts(name) } else { !open(schema) }
    };
    let (schema, name) = analysed.functions.iter().find(strange)?;
    Some(format!("it calls {schema}.{name}, which is not in its allowed schemas, or runs a text."))
}

/// Whether the statement takes these members and needs no others.
pub(super) fn check(found: &Found, members: &HashMap<String, &RawValue>) -> Result<(), Error> {
    if let Some(name) = OF_CALLER.iter().find(|name| members.contains_key(**name)) {
        return Err(of_the_caller(name));
    }
    let Parameters { names, .. } = numbered(&found.sql_query)?;
    let known: BTreeSet<&str> = found
        .input_schema
        .keys()
        .map(|name| name.strip_suffix('?').unwrap_or(name))
        .chain(names.iter().map(String::as_str))
        .filter(|name| !OF_CALLER.contains(name))
        .collect();
    let takes = || match known.is_empty() {
        true => "It takes none.".to_owned(),
        false => format!("Known are: {}.", known.iter().copied().collect::<Vec<_>>().join(", ")),
    };
    if let Some(unknown) = members.keys().find(|name| !known.contains(name.as_str())) {
        let near = nearest(unknown, known.iter().copied())
            .map(|near| format!(" Did you mean \"{near}\"?"))
            .unwrap_or_default();
        return Err(Error::refused(
            "22023",
            format!("params: there is no {}.{near} Nothing was run.", show(unknown)),
            takes(),
        ));
    }
    let required =
        known.iter().filter(|name| !field(&found.input_schema, name).is_some_and(|(_, optional)| optional));
    if let Some(missing) = required.into_iter().find(|name| !members.contains_key(**name)) {
        return Err(Error::refused(
            "22023",
            format!("params.{missing} is missing. Nothing was run."),
            takes(),
        ));
    }
    Ok(())
}

/// Runs a statement as the caller, in the guard that holds, with members that were checked.
pub(super) fn run(
    actor: &Actor<'_>,
    identity: &Identity,
    found: &Found,
    members: &HashMap<String, &RawValue>,
    caller: &[(&'static str, Option<String>)],
) -> Result<Ran, Error> {
    let Parameters { sql, names } = numbered(&found.sql_query)?;
    with_path(&found.allowed_schemas, || {
        let declared = |name: &String| match field(&found.input_schema, name) {
            Some((of_type, _)) => type_oid(of_type),
            None => Ok(0),
        };
        let types = names.iter().map(declared).collect::<Result<Vec<u32>, String>>().map_err(|why| {
            Error::refused(
                "42704",
                format!("the stored statement cannot be run: {why} Nothing was run."),
                None,
            )
        })?;
        let analysed = analyse(&sql, &types)?;
        if let Some(why) = forbidden(&analysed, &found.allowed_tables, &found.allowed_schemas) {
            // What exists in schemas that the caller does not see is not told.
            let why = if identity.admin {
                why
            } else {
                "it touches what is not among its allowed tables and schemas.".to_owned()
            };
            return Err(Error::refused(
                "42501",
                format!("the stored statement may not be run: {why} Nothing was run."),
                "An administrator stores it anew with mcp.define_rpc, which says what is missing.".to_owned(),
            ));
        }
        let params = names.iter().zip(&analysed.types).map(|(name, &type_oid)| {
            let place = format!("params.{name}");
            let value = match caller.iter().find(|(known, _)| known == name) {
                Some((_, value)) => value.clone(),
                None => match (members.get(name), registered::argument(name, type_oid, true)) {
                    (Some(raw), Some(argument)) => argument.text(raw.get(), &place)?,
                    _ => None,
                },
            };
            Ok(Param { type_oid, typmod: -1, value, place })
        });
        let params = params.collect::<Result<Vec<_>, Error>>()?;
        let access = if analysed.reads { Access::Read } else { Access::Write };
        let body = || perform(&Work::Queries(analysed.queries), &params, access, Form::List { plain: false });
        if analysed.reads { guard::run(actor, access, body, |_| true) } else { body() }
    })
}

fn refuse(message: impl Into<String>, hint: Option<&str>) -> ! {
    let message = format!("{} Nothing was stored.", message.into());
    error::raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, hint.map(str::to_owned))
}

/// What a statement says in its annotations and what Postgres makes of it, as the columns of rpc.procedures.
#[pg_extern(sql = "
CREATE FUNCTION mcp._read_rpc(statement pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
pub fn read_rpc(text: &str) -> String {
    let said = annotations(text).unwrap_or_else(|why| refuse(why, None));
    let Some(name) = said.name else {
        refuse(
            "the statement has no name.",
            Some("Begin it with a line such as: -- @fluxbase:name monthly_sales"),
        );
    };
    let sql_query = text[said.statement..].trim();
    let Parameters { sql, names } = parameters(sql_query).unwrap_or_else(|why| refuse(why, None));
    let input = said.input.unwrap_or_default();
    if let Some(field) = input.iter().find(|field| OF_CALLER.contains(&field.name.as_str())) {
        refuse(
            format!("input: {} is known of the caller; it cannot be given.", field.name),
            Some("Leave it out of input, and write it in the statement."),
        );
    }
    if let Some(field) = input.iter().find(|field| !names.contains(&field.name)) {
        refuse(format!("input: the statement has no ${}.", field.name), None);
    }
    let schemas = said.allowed_schemas.unwrap_or_else(|| vec!["public".to_owned()]);
    let tables = said.allowed_tables.unwrap_or_default();
    let analysed = with_path(&schemas, || {
        let declared = |name: &String| match input.iter().find(|field| field.name == *name) {
            Some(field) => {
                type_oid(&field.of_type).unwrap_or_else(|why| refuse(format!("input: {why}"), None))
            }
            None => 0,
        };
        let types: Vec<u32> = names.iter().map(declared).collect();
        analyse(&sql, &types)
            .unwrap_or_else(|error| refuse(error.to_string().replace(" Nothing was run.", ""), None))
    });
    if let Some(why) = forbidden(&analysed, &tables, &schemas) {
        refuse(why, Some("Name it in @fluxbase:allowed-tables or @fluxbase:allowed-schemas."));
    }
    let type_name = |oid: u32| {
        registered::argument("", oid, false).map_or_else(|| "any".to_owned(), |argument| argument.type_sql())
    };
    let mut input_schema = Map::new();
    for (name, &oid) in
        names.iter().zip(&analysed.types).filter(|(name, _)| !OF_CALLER.contains(&name.as_str()))
    {
        let optional = input.iter().any(|field| field.name == *name && field.optional);
        let mark = if optional { "?" } else { "" };
        input_schema.insert(format!("{name}{mark}"), type_name(oid).into());
    }
    let output_schema: Map<String, Value> = match said.output {
        Some(fields) => fields
            .into_iter()
            .map(|field| {
                (format!("{}{}", field.name, if field.optional { "?" } else { "" }), field.of_type.into())
            })
            .collect(),
        None => analysed.outputs.iter().map(|(name, oid)| (name.clone(), type_name(*oid).into())).collect(),
    };
    json!({
        "name": name, "namespace": said.namespace.unwrap_or_else(|| "default".to_owned()), "description": said.description,
        "sql_query": sql_query, "input_schema": input_schema, "output_schema": output_schema, "allowed_tables": tables,
        "allowed_schemas": schemas, "max_execution_time_seconds": said.max_execution_time.unwrap_or(30),
        "is_public": said.public.unwrap_or(false), "schedule": said.schedule, "version": said.version.unwrap_or(1),
        "require_roles": said.require_roles.unwrap_or_default(),
        "disable_execution_logs": said.disable_execution_logs.unwrap_or(false),
    })
    .to_string()
}
