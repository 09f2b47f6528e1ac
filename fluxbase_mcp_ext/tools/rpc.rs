//! `invoke_rpc`: runs a function that was exposed, or a stored statement, by name.
//!
//! Invariants:
//! - Who may run what: whoever may EXECUTE the function, or see the statement's row. Everything else is unknown, whether it exists or not.
//! - It runs as the caller in a subtransaction of its own, so that what failed is undone and is recorded all the same. Only what ends the
//!   whole transaction (a cancel, a shutdown, a deadlock) leaves no record.
//! - `caller_id`, `caller_role` and `caller_email` come from the identity; nobody gives them.
//! - What cannot write is run so that it cannot: a function that is not VOLATILE, a statement that only reads.
//!
//! It does not build SQL: see `stored` for statements, `registered::Procedure` for functions.

pub mod stored;
mod table;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fluxbase_protocol::ToolContent;
use fluxbase_query::{Arguments, Outcome as Undone, Param, nearest, objects, show, values};
use pgrx::pg_sys;
use serde_json::value::RawValue;

use super::{Done, Outcome, UNTRUSTED, object};
use crate::audit;
use crate::dispatch::Request;
use crate::error::Error;
use crate::guard::{self, Access, Actor};
use crate::gucs;
use crate::registered::{self, Params, Procedure, Work};
use crate::statement::{self, Bounds};

pub use stored::type_named;
use table::{Caller, Found, Record};
pub use table::{Listed, list};

/// JSON Schema of the answer.
pub const OUTPUT_SCHEMA: &str = r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"status":{"type":"string"},"execution_id":{"type":"string"},"data":{"description":"rows, or the one result"},"rows_returned":{"type":"integer"},"rows_affected":{"type":"integer"},"duration_ms":{"type":"integer"},"truncated":{"type":"object"}},"required":["status","data","rows_returned","duration_ms"]}"#;

/// The most rows of an answer.
const MOST: u64 = 1000;

type Members<'a> = HashMap<String, &'a RawValue>;

/// What a call runs.
enum Chosen {
    Function(Arc<Procedure>),
    Statement(Box<Found>),
}

/// What came of it.
struct Ran {
    /// JSON text.
    data: String,
    returned: u64,
    /// Of a statement that returns nothing.
    affected: Option<u64>,
    /// Why there is more than is shown.
    truncated: Option<String>,
}

/// `invoke_rpc`.
pub fn invoke(request: &Request<'_>) -> Result<Done, Error> {
    let nothing = |error: fluxbase_query::QueryError| Error::from(error.with_outcome(Undone::NothingRead));
    let args = Arguments::parse(request.arguments).map_err(nothing)?;
    args.only(&["name", "namespace", "params"]).map_err(nothing)?;
    let Some(name) = args.str("name").map_err(nothing)?.filter(|name| !name.is_empty()) else {
        let why = "is missing: write {\"name\":\"total\"}; the resource fluxbase://rpc lists the procedures";
        return Err(nothing(args.unfit("name", why)));
    };
    let namespace = args.str("namespace").map_err(nothing)?;
    let text = args.raw("params").map_or("{}", RawValue::get);
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| {
        nothing(args.unfit("params", "must be an object, such as {\"month\":\"2026-01-01\"}"))
    })?;
    let chosen = choose(&name, namespace.as_deref(), &members)?;
    run(request, &chosen, &members, text)
}

/// A procedure that is a tool of its own.
pub fn call(procedure: &Arc<Procedure>, request: &Request<'_>) -> Result<Done, Error> {
    let text = request.arguments.unwrap_or("{}");
    let members: Members<'_> = serde_json::from_str(text)
        .map_err(|error| Error::refused("22023", format!("arguments: {error}. Nothing was run."), None))?;
    fits(std::slice::from_ref(procedure), &members)?;
    run(request, &Chosen::Function(Arc::clone(procedure)), &members, text)
}

fn choose(name: &str, namespace: Option<&str>, members: &Members<'_>) -> Result<Chosen, Error> {
    let all = registered::procedures();
    let named = |procedure: &&Arc<Procedure>| {
        procedure.name == name && namespace.is_none_or(|namespace| procedure.namespace == namespace)
    };
    // They are in the order of their namespaces; the first one is meant.
    let first = all.iter().find(named).map(|procedure| procedure.namespace.clone());
    let found = table::find(name, namespace)?;
    match (first, found) {
        (None, None) => Err(unknown(name, namespace, &all)),
        (Some(first), found) if found.as_ref().is_none_or(|found| first <= found.namespace) => {
            let same: Vec<Arc<Procedure>> =
                all.iter().filter(named).filter(|procedure| procedure.namespace == first).cloned().collect();
            fits(&same, members).map(|procedure| Chosen::Function(Arc::clone(procedure)))
        }
        (_, Some(found)) => {
            if found.enabled {
                stored::check(&found, members)?;
            }
            Ok(Chosen::Statement(Box::new(found)))
        }
        (Some(_), None) => unreachable!("an absent statement is after every function"),
    }
}

/// The one of several functions that takes these names; of those that do, the one with the fewest defaults.
fn fits<'a>(same: &'a [Arc<Procedure>], members: &Members<'_>) -> Result<&'a Arc<Procedure>, Error> {
    let title = same.first().map(|procedure| procedure.title()).unwrap_or_default();
    if let Some(of_caller) = registered::OF_CALLER.iter().find(|name| members.contains_key(**name)) {
        return Err(of_the_caller(of_caller));
    }
    let mut fitting: Vec<&Arc<Procedure>> =
        same.iter().filter(|procedure| procedure.takes(members)).collect();
    fitting.sort_by_key(|procedure| procedure.left_out(members));
    let shapes = || same.iter().map(|procedure| procedure.shape()).collect::<Vec<_>>().join(" or ");
    match fitting.as_slice() {
        [one] => Ok(one),
        [one, next, ..] if one.left_out(members) < next.left_out(members) => Ok(one),
        [] => {
            let known: Vec<&str> =
                same.iter().flat_map(|procedure| procedure.arguments()).map(|(name, _)| name).collect();
            let unknown = members.keys().find(|name| !known.contains(&name.as_str()));
            let why = match unknown {
                Some(unknown) => match nearest(unknown, known.iter().copied()) {
                    Some(near) => format!("params: there is no {}; did you mean \"{near}\"?", show(unknown)),
                    None => format!("params: there is no {}.", show(unknown)),
                },
                None => "params: they do not fit.".to_owned(),
            };
            Err(Error::refused(
                "22023",
                format!("{why} Nothing was run."),
                format!("{title} takes {}; what ends in ? may be left out.", shapes()),
            ))
        }
        _ => Err(Error::refused(
            "42725",
            format!("procedure {title} has several functions that take these params. Nothing was run."),
            "An administrator exposes them under different names.".to_owned(),
        )),
    }
}

fn of_the_caller(name: &str) -> Error {
    Error::refused(
        "42501",
        format!("params.{name} cannot be given: it is who calls, and the key says that. Nothing was run."),
        "Leave it out.".to_owned(),
    )
}

fn unknown(name: &str, namespace: Option<&str>, all: &[Arc<Procedure>]) -> Error {
    let whole = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
    let stored = table::names().unwrap_or_default();
    let functions = all.iter().map(|procedure| (procedure.namespace.clone(), procedure.name.clone()));
    let known: Vec<(String, String)> = functions.chain(stored).collect();
    let names: Vec<String> = known
        .iter()
        .map(|(space, name)| if namespace.is_some() { format!("{space}/{name}") } else { name.clone() })
        .collect();
    let hint = match nearest(&whole, names.iter().map(String::as_str)) {
        Some(near) => {
            format!("Did you mean \"{near}\"? The resource fluxbase://rpc lists those that you may run.")
        }
        None => "The resource fluxbase://rpc lists those that you may run.".to_owned(),
    };
    Error::refused(
        "42704",
        format!("there is no procedure {} that you may run. Nothing was run.", show(&whole)),
        hint,
    )
}

impl Chosen {
    fn title(&self) -> String {
        match self {
            Chosen::Function(procedure) => procedure.title(),
            Chosen::Statement(found) => found.title(),
        }
    }

    fn seconds(&self) -> u32 {
        match self {
            Chosen::Function(procedure) => procedure.seconds,
            Chosen::Statement(found) => found.seconds,
        }
    }

    fn logged(&self) -> bool {
        match self {
            Chosen::Function(procedure) => procedure.logged,
            Chosen::Statement(found) => found.logged,
        }
    }
}

fn run(request: &Request<'_>, chosen: &Chosen, members: &Members<'_>, text: &str) -> Result<Done, Error> {
    let caller = table::caller();
    let title = chosen.title();
    if let Chosen::Statement(found) = chosen
        && !found.enabled
    {
        return Err(Error::refused(
            "55000",
            format!("procedure {title} is disabled. Nothing was run."),
            "An administrator sets enabled in rpc.procedures.".to_owned(),
        ));
    }
    let records = if chosen.logged() { table::records()? } else { None };
    if records.is_some() && caller.read_only {
        return Err(Error::refused(
            "25006",
            format!(
                "calls of procedure {title} are recorded, which this read-only transaction cannot do. Nothing was run."
            ),
            "Call it on the primary, or an administrator exposes it with disable_execution_logs.".to_owned(),
        ));
    }
    let begin = Instant::now();
    let outcome = attempt(request, chosen, members, &caller);
    let duration = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (name, namespace, id) = match chosen {
        Chosen::Function(procedure) => (&procedure.name, &procedure.namespace, None),
        Chosen::Statement(found) => (&found.name, &found.namespace, Some(found.id.as_str())),
    };
    let record = |status: &str, ran: Option<&Ran>, error: Option<&str>| {
        records.map(|owner| {
            table::record(
                owner,
                &Record {
                    id,
                    name,
                    namespace,
                    status,
                    params: text,
                    result: ran.map(|ran| ran.data.as_str()),
                    error,
                    rows: ran.map(|ran| ran.returned),
                    duration,
                    key: request.identity.key_id.as_deref(),
                },
                &caller,
            )
        })
    };
    match outcome {
        Ok(ran) => {
            let execution = record("completed", Some(&ran), None);
            Ok(Done::kept(Outcome::Output(object(
                answer(request, &ran, execution.as_deref(), duration),
                Vec::new(),
            ))))
        }
        Err(error) => {
            let late = matches!(error, Error::Refused { code: "57014", .. });
            let mut text = format!("procedure {title}: {}", error.to_text());
            if let Some(execution) =
                record(if late { "timeout" } else { "failed" }, None, Some(&error.to_text()))
            {
                text.push_str("\nExecution: ");
                text.push_str(&execution);
            }
            let item = serde_json::json!([{ "type": "text", "text": text }]);
            // Kept: the procedure's own work was undone before, and what is left is the record.
            Ok(Done::kept(Outcome::Content(ToolContent {
                content: item.to_string(),
                structured: None,
                is_error: true,
            })))
        }
    }
}

fn answer(request: &Request<'_>, ran: &Ran, execution: Option<&str>, duration: u64) -> String {
    let mut text = String::with_capacity(ran.data.len() + 160);
    text.push('{');
    if request.structured {
        text.push_str(UNTRUSTED);
    }
    text.push_str(r#""status":"completed""#);
    if let Some(execution) = execution {
        text.push_str(&format!(r#","execution_id":"{execution}""#));
    }
    text.push_str(r#","data":"#);
    text.push_str(&ran.data);
    audit::rows(ran.affected.unwrap_or(ran.returned));
    text.push_str(&format!(r#","rows_returned":{}"#, ran.returned));
    if let Some(affected) = ran.affected {
        text.push_str(&format!(r#","rows_affected":{affected}"#));
    }
    text.push_str(&format!(r#","duration_ms":{duration}"#));
    if let Some(why) = &ran.truncated {
        text.push_str(&format!(r#","truncated":{{"why":"{why}","rows":{}}}"#, ran.returned));
    }
    text.push('}');
    text
}

/// Runs it in a subtransaction of its own, so that what it did is undone when it fails, and what it is run in goes on.
fn attempt(
    request: &Request<'_>,
    chosen: &Chosen,
    members: &Members<'_>,
    caller: &Caller,
) -> Result<Ran, Error> {
    let actor = Actor {
        role: request.identity.role,
        claims: &request.identity.claims,
        settings: &request.identity.settings,
        alone: false,
    };
    let limit = Duration::from_secs(u64::from(chosen.seconds()));
    let values = caller.values();
    let outcome = match chosen {
        Chosen::Function(procedure) => {
            let access = if procedure.reads() { Access::Read } else { Access::Write };
            let given = Params { members, caller: &values };
            let body = || {
                guard::within(limit, || {
                    guard::with_temporary_tables(procedure.temp_tables, || {
                        let work = procedure.work(&given)?;
                        let form = match (procedure.is_set(), procedure.is_plain()) {
                            (true, plain) => Form::List { plain },
                            (false, plain) => Form::One { plain },
                        };
                        perform(&work, &[], access, form)
                    })
                })
            };
            // The guard within lifts the restriction only where the one around it has it lifted.
            guard::with_temporary_tables(procedure.temp_tables, || guard::run(&actor, access, body, |_| true))
        }
        Chosen::Statement(found) => {
            let body =
                || guard::within(limit, || stored::run(&actor, request.identity, found, members, &values));
            guard::run(&actor, Access::Write, body, |_| true)
        }
    };
    // Which argument it was that could not be read.
    match (outcome, statement::take_place(false)) {
        (Err(Error::Postgres { code, message, detail, constraint, hint }), Some(place)) => {
            Err(Error::Postgres { code, message: format!("{place}: {message}"), detail, constraint, hint })
        }
        (outcome, _) => outcome,
    }
}

/// What an answer looks like.
#[derive(Clone, Copy)]
enum Form {
    /// A list of values (`plain`) or objects.
    List { plain: bool },
    /// One of those.
    One { plain: bool },
}

/// Runs the trees and shows what they returned.
fn perform(work: &Work, params: &[Param], access: Access, form: Form) -> Result<Ran, Error> {
    let most = MOST.min(gucs::max_rows());
    let (list, plain) = match form {
        Form::List { plain } => (true, plain),
        Form::One { plain } => (false, plain),
    };
    // One more tells that there are more; what writes runs to its end.
    let wanted = (list && access == Access::Read).then_some(most + 1);
    let collected = statement::collect(work, params, wanted)?;
    let Some(columns) = &collected.columns else {
        let affected = matches!(work, Work::Queries(_)).then_some(collected.processed);
        return Ok(Ran { data: "null".to_owned(), returned: 0, affected, truncated: None });
    };
    let sql = match columns.as_slice() {
        [column] if plain && column.type_oid == pg_sys::VOIDOID.to_u32() => {
            return Ok(Ran { data: "null".to_owned(), returned: 0, affected: None, truncated: None });
        }
        [column] if plain => values("_rows", column),
        columns => objects("_rows", columns),
    };
    let max_chars = gucs::max_result_chars();
    let rows = collected.show(&sql, Bounds { max_rows: most, max_chars, free_rows: 0 })?;
    if list {
        let truncated = match () {
            () if rows.cut => Some(format!("the rows reached {max_chars} characters")),
            () if rows.total > rows.shown => Some(format!("the most that one answer holds is {most} rows")),
            () => None,
        };
        return Ok(Ran { data: format!("[{}]", rows.text), returned: rows.shown, affected: None, truncated });
    }
    if rows.cut {
        return Err(Error::refused(
            "54000",
            format!(
                "the result has more than the {max_chars} characters that mcp.max_result_chars allows. Nothing was changed."
            ),
            "Ask for less at once, if there is a parameter for that.".to_owned(),
        ));
    }
    let data = if rows.shown == 0 { "null".to_owned() } else { rows.text };
    Ok(Ran { data, returned: rows.shown, affected: None, truncated: None })
}
