//! What there is: the list of tables and the description of one.
//!
//! The resources `fluxbase://schema/tables…` show the same content through the same functions. Invariants: only what the caller
//! has a privilege on is shown, column by column; an answer is inside `mcp.max_result_chars` whatever the tables are, says what
//! it left out and how to go on, and shows at least one item more at each step.

mod describe;
mod samples;

use fluxbase_protocol::ToolOutput;
use fluxbase_query::{Arguments, Outcome, QueryError};

use super::object;
use crate::catalog;
use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::identity::Identity;

pub use describe::describe_table;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

/// `list_tables`.
pub fn list(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let args = Arguments::parse(request.arguments).map_err(nothing_read)?;
    args.only(&["search", "schema", "limit", "offset"]).map_err(nothing_read)?;
    let limit = args.int("limit").map_err(nothing_read)?.unwrap_or(DEFAULT_LIMIT);
    if limit < 1 {
        return Err(Error::refused("22023", format!("limit: {limit} is below 1. Nothing was read."), None));
    }
    let schema = args.str("schema").map_err(nothing_read)?;
    let search = args.str("search").map_err(nothing_read)?;
    let offset = offset(&args)?;
    let text = list_tables(request.identity, schema.as_deref(), search.as_deref(), limit, offset)?;
    Ok(object(text, Vec::new()))
}

/// `describe_table`.
pub fn describe(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let args = Arguments::parse(request.arguments).map_err(nothing_read)?;
    args.only(&["table", "offset"]).map_err(nothing_read)?;
    let name = args.table().map_err(nothing_read)?;
    let offset = usize::try_from(offset(&args)?).unwrap_or(usize::MAX);
    Ok(object(describe_table(request.identity, &name, offset)?, Vec::new()))
}

fn nothing_read(error: QueryError) -> QueryError {
    error.with_outcome(Outcome::NothingRead)
}

fn offset(args: &Arguments) -> Result<i64, Error> {
    let offset = args.int("offset").map_err(nothing_read)?.unwrap_or(0);
    if offset < 0 {
        return Err(Error::refused("22023", format!("offset: {offset} is below 0. Nothing was read."), None));
    }
    Ok(offset)
}

/// `{"tables": […], "count": n, "has_more": …}`, and where to go on when there are more.
///
/// # Errors
/// Internal errors of the catalog query.
pub fn list_tables(
    identity: &Identity,
    schema: Option<&str>,
    search: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<String, Error> {
    let schema = schema.filter(|schema| !schema.is_empty());
    let asked = limit;
    let limit = limit.min(MAX_LIMIT);
    let found = match schema {
        Some(schema) if !catalog::open(identity, schema) => Vec::new(),
        _ => catalog::list_tables(identity, schema, search, limit + 1, offset)?,
    };
    let most = gucs::max_result_chars().saturating_sub(ROOM_FOR_END);
    let mut text = String::from(r#"{"tables":["#);
    let (mut shown, mut chars) = (0, 0);
    for line in found.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        chars += line.chars().count() + 1;
        if chars > most && shown > 0 {
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
        text.push_str(&format!(r#","next":{{"offset":{}}}"#, offset.saturating_add_unsigned(shown as u64)));
        if chars > most {
            let max = gucs::max_result_chars();
            text.push_str(&format!(r#","note":"Cut at {max} characters; list_tables goes on with next.""#));
        } else if asked > MAX_LIMIT {
            text.push_str(&format!(
                r#","note":"Limit {asked} was cut to {MAX_LIMIT}; list_tables goes on with next.""#
            ));
        }
    }
    text.push('}');
    Ok(text)
}

/// Characters kept free for what follows the tables.
const ROOM_FOR_END: usize = 200;
