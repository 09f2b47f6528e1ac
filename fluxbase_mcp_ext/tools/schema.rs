//! What there is: the list of tables and the description of one.
//!
//! The resources `fluxbase://schema/tables…` show the same content through the same functions. Invariant: only what the caller
//! has a privilege on is shown, column by column.

use std::collections::HashMap;

use fluxbase_protocol::ToolOutput;
use fluxbase_query::{Arguments, Outcome, QueryError, TableName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::object;
use crate::catalog::{self, Described};
use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::identity::Identity;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

/// `list_tables`.
pub fn list(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let nothing_read = |error: QueryError| error.with_outcome(Outcome::NothingRead);
    let args = Arguments::parse(request.arguments).map_err(nothing_read)?;
    args.only(&["search", "schema", "limit"]).map_err(nothing_read)?;
    let limit = args.int("limit").map_err(nothing_read)?.unwrap_or(DEFAULT_LIMIT);
    if limit < 1 {
        return Err(Error::refused("22023", format!("limit: {limit} is below 1. Nothing was read."), None));
    }
    let schema = args.str("schema").map_err(nothing_read)?;
    let search = args.str("search").map_err(nothing_read)?;
    let text = list_tables(request.identity, schema.as_deref(), search.as_deref(), limit)?;
    Ok(object(text, Vec::new()))
}

/// `describe_table`.
pub fn describe(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let nothing_read = |error: QueryError| error.with_outcome(Outcome::NothingRead);
    let args = Arguments::parse(request.arguments).map_err(nothing_read)?;
    args.only(&["table"]).map_err(nothing_read)?;
    Ok(object(describe_table(request.identity, &args.table().map_err(nothing_read)?)?, Vec::new()))
}

/// `{"tables": […], "count": n, "has_more": …}`.
///
/// # Errors
/// Internal errors of the catalog query.
pub fn list_tables(
    identity: &Identity,
    schema: Option<&str>,
    search: Option<&str>,
    limit: i64,
) -> Result<String, Error> {
    let schema = schema.filter(|schema| !schema.is_empty());
    let asked = limit;
    let limit = limit.min(MAX_LIMIT);
    let found = match schema {
        Some(schema) if !catalog::open(identity, schema) => Vec::new(),
        _ => catalog::list_tables(identity, schema, search, limit + 1)?,
    };
    let mut text = String::from(r#"{"tables":["#);
    let mut shown = 0;
    for line in found.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        if text.len() + line.len() > gucs::max_result_chars() {
            break;
        }
        if shown > 0 {
            text.push(',');
        }
        text.push_str(line);
        shown += 1;
    }
    let more = shown < found.len();
    text.push_str(&format!(r#"],"count":{shown},"has_more":{more}"#));
    if more {
        let cut =
            if asked > MAX_LIMIT { format!("limit {asked} was cut to {MAX_LIMIT}. ") } else { String::new() };
        text.push_str(&format!(
            r#","note":"{cut}There are more tables: narrow the list with search or schema.""#
        ));
    }
    text.push('}');
    Ok(text)
}

#[derive(Serialize)]
struct TableShown<'a> {
    schema: &'a str,
    name: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    row_security: bool,
    you_may: &'a [String],
    columns: Vec<ColumnShown<'a>>,
    #[serde(flatten)]
    relations: RelationsShown<'a>,
}

#[derive(Serialize)]
struct ColumnShown<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_shown: &'a str,
    nullable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    generated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    identity: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    values: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    /// Present only when the caller may do less with the column than with the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    you_may: Option<Vec<&'static str>>,
}

#[derive(Serialize, Deserialize)]
struct RelationsShown<'a> {
    #[serde(skip_serializing)]
    comment: Option<String>,
    #[serde(skip_serializing)]
    comments: HashMap<String, String>,
    #[serde(borrow)]
    primary_key: Option<&'a RawValue>,
    #[serde(borrow)]
    unique: &'a RawValue,
    #[serde(borrow)]
    foreign_keys: &'a RawValue,
    #[serde(borrow)]
    referenced_by: &'a RawValue,
}

/// One table as JSON.
///
/// # Errors
/// When the caller may use no table of that name.
pub fn describe_table(identity: &Identity, name: &TableName) -> Result<String, Error> {
    let described = catalog::table(identity, name)?;
    let relations = catalog::relations(identity, described.table.oid)?;
    let mut relations: RelationsShown<'_> = serde_json::from_str(&relations)
        .map_err(|error| Error::internal(&format!("catalog/relations.sql: {error}")))?;
    let Described { table, about } = &*described;
    let shown = TableShown {
        schema: &table.schema,
        name: &table.name,
        kind: kind(table.kind),
        comment: relations.comment.take(),
        row_security: about.row_security,
        you_may: &about.verbs,
        columns: table
            .columns
            .iter()
            .zip(&about.columns)
            .map(|(column, about_column)| {
                let may: Vec<&'static str> =
                    [("select", column.select), ("insert", column.insert), ("update", column.update)]
                        .into_iter()
                        .filter_map(|(verb, allowed)| allowed.then_some(verb))
                        .collect();
                let less = about.verbs.iter().any(|verb| verb != "delete" && !may.contains(&verb.as_str()));
                ColumnShown {
                    name: &column.name,
                    type_shown: &about_column.type_shown,
                    nullable: !column.not_null,
                    default: about_column.default.as_deref(),
                    generated: column.generated,
                    identity: about_column.identity,
                    values: &column.enum_labels,
                    comment: relations.comments.remove(&column.name),
                    you_may: less.then_some(may),
                }
            })
            .collect(),
        relations,
    };
    serde_json::to_string(&shown).map_err(|error| Error::internal(&format!("describe_table: {error}")))
}

fn kind(relkind: char) -> &'static str {
    match relkind {
        'v' => "view",
        'm' => "materialized view",
        'f' => "foreign table",
        _ => "table",
    }
}
