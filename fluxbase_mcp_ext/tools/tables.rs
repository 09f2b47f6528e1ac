//! Rows of tables: query, insert, update, delete.
//!
//! The bodies are alike: read the arguments, look the table up as the caller sees it, plan, run, wrap the rows. Invariants:
//! nothing runs unless every argument was understood; a bound that cuts is told in the answer; a write that has been done is never
//! answered with an error because its answer is large. What a filter or a select may say is in the crate `fluxbase_query`.

use std::rc::Rc;

use fluxbase_protocol::{Structured, ToolOutput};
use fluxbase_query::{Arguments, Bounds, Outcome, Statement};

use super::object;
use crate::catalog::Described;
use crate::dispatch::Request;
use crate::error::Error;
use crate::guard::Access;
use crate::statement::{self, Rows};
use crate::{catalog, gucs};

const DEFAULT_LIMIT: u64 = 100;

/// `query_table`: an array of rows.
pub fn query(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let (args, described) = arguments(request, Outcome::NothingRead)?;
    let max_limit = gucs::max_rows();
    let asked = args.raw("limit").is_some();
    // One row more than asked for tells that there is more; nobody is told who asked for a number and reads only the rows.
    let bounds =
        Bounds { default_limit: DEFAULT_LIMIT.min(max_limit), max_limit, peek: request.structured || !asked };
    let plan = fluxbase_query::select(&args, &described.table, &bounds)?;
    let rows = statement::run(&plan, Access::Read, plan.limit, gucs::max_result_chars())?;
    if rows.cut && rows.shown == 0 {
        return Err(Error::refused(
            "54000",
            format!(
                "the first row alone is larger than {} characters, the bound of one answer",
                gucs::max_result_chars()
            ),
            "Name fewer or smaller columns in select.".to_owned(),
        ));
    }
    let more = rows.cut || rows.total > plan.limit;
    let mut notes = plan.notes;
    if rows.cut {
        notes.push(format!(
            "The answer was cut after {} rows because it reached {} characters. Go on with offset={}, or name fewer columns in select.",
            rows.shown,
            gucs::max_result_chars(),
            plan.offset + rows.shown
        ));
    } else if more && !asked {
        notes.push(format!(
            "There are more rows: this is the default limit of {}. Go on with offset={}, or give a limit of up to {max_limit}.",
            plan.limit,
            plan.offset + rows.shown
        ));
    } else if more && !notes.is_empty() {
        notes.push(format!("There are more rows: go on with offset={}.", plan.offset + rows.shown));
    }
    let mut text = String::with_capacity(rows.text.len() + 2);
    text.push('[');
    text.push_str(&rows.text);
    text.push(']');
    let structured = if request.structured {
        let after = format!(r#","count":{},"has_more":{more}{}}}"#, rows.shown, notes_member(&notes));
        Structured::Wrapped { before: r#"{"rows":"#.to_owned(), after }
    } else {
        Structured::None
    };
    Ok(ToolOutput { text, structured, notes })
}

/// `insert_record`: the inserted row.
pub fn insert(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let (args, described) = arguments(request, Outcome::NothingChanged)?;
    let plan = fluxbase_query::insert(&args, &described.table)?;
    let rows = write(&plan)?;
    if rows.total == 0 {
        return Err(Error::refused(
            "P0002",
            "no row was inserted: a trigger or rule of the table dropped it".to_owned(),
            "Nothing was changed. Ask the table's owner what the trigger expects.".to_owned(),
        ));
    }
    let mut notes = plan.notes;
    if !plan.returns {
        return Ok(object(r#"{"inserted":1}"#.to_owned(), notes));
    }
    if rows.cut {
        notes.push("The row was inserted; it is larger than one answer may be and is not shown.".to_owned());
        return Ok(object(format!(r#"{{"inserted":1{}}}"#, notes_member(&notes)), notes));
    }
    Ok(object(rows.text, notes))
}

/// `update_record`: how many rows were changed, and the rows.
pub fn update(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let (args, described) = arguments(request, Outcome::NothingChanged)?;
    let plan = fluxbase_query::update(&args, &described.table)?;
    let rows = write(&plan)?;
    Ok(touched("updated", rows, plan))
}

/// `delete_record`: how many rows were deleted, and the rows.
pub fn delete(request: &Request<'_>) -> Result<ToolOutput, Error> {
    let (args, described) = arguments(request, Outcome::NothingChanged)?;
    let plan = fluxbase_query::delete(&args, &described.table)?;
    let rows = write(&plan)?;
    Ok(touched("deleted", rows, plan))
}

/// The arguments, and the table that they name.
fn arguments(request: &Request<'_>, outcome: Outcome) -> Result<(Arguments, Rc<Described>), Error> {
    let args = Arguments::parse(request.arguments).map_err(|error| error.with_outcome(outcome))?;
    let name = args.table().map_err(|error| error.with_outcome(outcome))?;
    let described = catalog::table(request.identity, &name)?;
    Ok((args, described))
}

fn write(plan: &Statement) -> Result<Rows, Error> {
    statement::run(plan, Access::Write, gucs::max_rows(), gucs::max_result_chars())
}

fn touched(verb: &str, rows: Rows, plan: Statement) -> ToolOutput {
    let mut notes = plan.notes;
    if plan.returns && rows.shown < rows.total {
        notes.push(format!(
            "All {} rows were {verb}; {} of them are shown, because an answer is bounded to {} rows and {} characters.",
            rows.total,
            rows.shown,
            gucs::max_rows(),
            gucs::max_result_chars()
        ));
    }
    let text = format!(r#"{{"{verb}":{},"records":[{}]{}}}"#, rows.total, rows.text, notes_member(&notes));
    object(text, notes)
}

/// `,"notes":[…]`, or nothing when there are none.
fn notes_member(notes: &[String]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let mut member = String::from(r#","notes":["#);
    for (n, note) in notes.iter().enumerate() {
        if n > 0 {
            member.push(',');
        }
        fluxbase_protocol::push_string(&mut member, note);
    }
    member.push(']');
    member
}
