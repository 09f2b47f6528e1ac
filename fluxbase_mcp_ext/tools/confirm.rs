//! Asking a person before a call updates or deletes many rows.
//!
//! The call is carried out and counted. When it touches more rows than `mcp.confirm_above_rows`, it is undone, and the client is
//! asked with the number and some of the rows. Only the same call, with the answer yes and the signed state, is kept.
//!
//! Invariants:
//! - What is confirmed is a number of rows for each operation. More than that asks anew.
//! - The sample consists of records that the call would answer with, so of what the caller may read; nothing is read for it.
//! - No row can leave its line of the message, or change how the rest of it looks.
//!
//! It does not hold up a client that cannot be asked; what a role may do at most, grants and policies say. It does not undo
//! anything itself: the guard does.

use fluxbase_query::{Verb, deceives};
use fluxbase_register::{Asked, takes_forms};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::ask::{self, Ask};
use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;

/// The question's name among those of a call, and the name of its one field.
const KEY: &str = "confirm";
/// The most rows that a message shows.
const SAMPLE_ROWS: usize = 3;
/// The most characters of each.
const SAMPLE_CHARS: usize = 240;
/// The most operations of a batch that a message names.
const NAMED: usize = 5;

/// What an update or a delete did.
pub struct Touched {
    pub verb: Verb,
    /// Its table, as a message shows it.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// Some of them.
    pub sample: Vec<String>,
}

/// What was confirmed: for each update and delete of the call, in their order, how many rows.
#[derive(Deserialize, Serialize)]
struct State {
    rows: Vec<u64>,
}

/// Whether a call must be confirmed, and what of it was.
pub struct Consent<'a> {
    request: &'a Request<'a>,
    tool: &'static str,
    /// More rows than this are asked for; `None`: nobody is asked.
    above: Option<u64>,
    confirmed: Option<State>,
}

impl<'a> Consent<'a> {
    /// Reads what came back of an earlier question; `None` when the state is not good.
    ///
    /// # Errors
    /// The user said no.
    pub fn read(request: &'a Request<'a>, tool: &'static str) -> Result<Option<Consent<'a>>, Error> {
        let mut asked = None;
        if request.answers.request_state.is_some() {
            match ask::state(request, &ask::binding(request, "tool", tool)) {
                Ok(state) => asked = state.and_then(|state| serde_json::from_str::<State>(&state).ok()),
                Err(Some(error)) => return Err(error),
                Err(None) => {}
            }
            if asked.is_none() {
                return Ok(None);
            }
        }
        let agreed = agreed(request)?;
        // Whoever was asked once can be asked again, whatever this round declares.
        let can = asked.is_some() || takes_forms(&ask::capabilities(request));
        let above = gucs::confirm_above_rows().filter(|_| can);
        Ok(Some(Consent { request, tool, above, confirmed: asked.filter(|_| agreed) }))
    }

    /// Whether [`Consent::missing`] can have something to ask.
    pub fn watches(&self) -> bool {
        self.above.is_some()
    }

    /// What must be asked before this may be kept; `None`: nothing.
    ///
    /// # Errors
    /// The state cannot be signed.
    pub fn missing(&self, touched: &[Touched]) -> Result<Option<Ask>, Error> {
        let rows: Vec<u64> = touched.iter().map(|touched| touched.rows).collect();
        let total: u64 = rows.iter().sum();
        if self.above.is_none_or(|above| total <= above) {
            return Ok(None);
        }
        let before = self.confirmed.as_ref().map(|state| &state.rows);
        if before
            .is_some_and(|most| most.len() == rows.len() && rows.iter().zip(most).all(|(n, most)| n <= most))
        {
            return Ok(None);
        }
        let message = message(self.tool, touched, before.map(|most| most.iter().sum()));
        let schema = json!({
            "type": "object",
            "properties": { KEY: { "type": "boolean", "title": title(touched, total), "description": "true: do it. false: change nothing." } },
            "required": [KEY],
        });
        let state = serde_json::to_string(&State { rows })
            .map_err(|error| Error::internal(&format!("state of a confirmation: {error}")))?;
        let binding = ask::binding(self.request, "tool", self.tool);
        ask::ask(self.request, &binding, Asked::form(KEY, &message, schema, state)).map(Some)
    }
}

/// Whether the user said yes; false when there is no answer, or one that is none.
///
/// # Errors
/// The user said no, or did not want to say anything.
fn agreed(request: &Request<'_>) -> Result<bool, Error> {
    let responses: Option<Value> =
        request.answers.input_responses.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok());
    let Some(response) = responses.as_ref().and_then(|responses| responses.get(KEY)) else {
        return Ok(false);
    };
    let confirmed = response.get("content").and_then(|content| content.get(KEY)).and_then(Value::as_bool);
    let did = match (response.get("action").and_then(Value::as_str), confirmed) {
        (Some("accept"), Some(true)) => return Ok(true),
        (Some("accept"), Some(false)) | (Some("decline"), _) => "said no",
        (Some("cancel"), _) => "did not answer",
        _ => return Ok(false),
    };
    // An error and no result with 0 rows: a model takes that for a filter that found nothing, and tries another one.
    Err(Error::refused(
        "57014",
        format!("the user was asked to confirm this call and {did}. Nothing was changed."),
        "Do not try to get the same done in another way; ask the user what to do.".to_owned(),
    ))
}

fn what(touched: &Touched) -> String {
    let rows = if touched.rows == 1 { "row" } else { "rows" };
    format!("{} {} {rows} of {}", touched.verb.name(), touched.rows, touched.table)
}

fn title(touched: &[Touched], total: u64) -> String {
    let verb = match touched {
        [first, rest @ ..] if rest.iter().all(|other| other.verb == first.verb) => first.verb.name(),
        _ => "change",
    };
    let (first, rest) = verb.split_at(1);
    format!("{}{rest} {total} {}", first.to_uppercase(), if total == 1 { "row" } else { "rows" })
}

/// What the user reads. The operations with the most rows come first, so that no other hides them.
fn message(tool: &str, touched: &[Touched], before: Option<u64>) -> String {
    let mut largest: Vec<&Touched> = touched.iter().filter(|touched| touched.rows > 0).collect();
    largest.sort_by_key(|touched| std::cmp::Reverse(touched.rows));
    let (named, others) = largest.split_at(largest.len().min(NAMED));
    let mut parts: Vec<String> = named.iter().map(|touched| what(touched)).collect();
    if !others.is_empty() {
        let rows: u64 = others.iter().map(|touched| touched.rows).sum();
        parts.push(format!("{rows} more in {} further operations", others.len()));
    }
    let mut message = format!("{tool} would {}.", parts.join(", "));
    if let Some(before) = before {
        message.push_str(&format!(" The rows have changed since {before} were confirmed."));
    }
    // The first row of each, then the second of each.
    let rounds = (0..SAMPLE_ROWS)
        .flat_map(|n| named.iter().filter_map(move |touched| Some((touched, touched.sample.get(n)?))));
    for (index, (touched, row)) in rounds.take(SAMPLE_ROWS).enumerate() {
        if index == 0 {
            message.push_str("\nFor example:");
        }
        let verb = if touched.verb == Verb::Update { "updated" } else { "deleted" };
        match named {
            [_] => message.push_str(&format!("\n{verb}: {row}")),
            _ => message.push_str(&format!("\n{verb}, {}: {row}", touched.table)),
        }
    }
    message.push_str("\nNothing has been changed yet.");
    message
}

/// The first of the records, which are JSON objects with commas between them, each in one line and of bounded length.
pub fn sample(records: &str) -> Vec<String> {
    let mut sample = Vec::new();
    let mut rest = records;
    while sample.len() < SAMPLE_ROWS {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let Some(Ok(record)) = stream.next() else { break };
        sample.push(line(record.get()));
        rest = rest[stream.byte_offset()..].trim_start_matches(',');
    }
    sample
}

fn line(record: &str) -> String {
    let mut line = String::new();
    let mut chars = 0;
    for c in record.chars() {
        if chars >= SAMPLE_CHARS {
            line.push('…');
            break;
        }
        chars += 1;
        match c {
            // Between the values of a json column; within strings JSON itself escapes them.
            '\n' | '\r' | '\t' => line.push(' '),
            c if deceives(c) => {
                line.push_str(&format!("\\u{:04x}", c as u32));
                chars += 5;
            }
            c => line.push(c),
        }
    }
    line
}
