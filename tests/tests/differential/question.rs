//! How a question is asked on both sides, and the macros for tables of questions.

use std::sync::PoisonError;

use serde_json::{Value, json};

use crate::compare::{Ordered, normal};
use crate::stage::stage;

/// A difference by decision.
#[derive(Debug)]
pub struct Difference {
    /// Why.
    pub reason: &'static str,
    /// What the tool answers.
    pub rows: Value,
}

/// Calls a tool: its structured answer, or the text of its error.
pub fn call(tool: &str, arguments: &Value) -> Result<Value, String> {
    let answer = stage().tools().call(tool, arguments.clone());
    if !answer.is_ok() {
        let body = answer.response.json();
        return Err(body["result"]["content"][0]["text"].as_str().map_or(body.to_string(), str::to_owned));
    }
    Ok(answer.response.json()["result"]["structuredContent"].clone())
}

/// The rows of `query_table`, which must be all of them.
pub fn tool_rows(arguments: &Value) -> Result<Vec<Value>, String> {
    let answer = call("query_table", arguments)?;
    let rows = answer["rows"].as_array().unwrap_or_else(|| panic!("no rows: {answer}"));
    let whole = answer["truncated"].is_null() || arguments.get("limit").is_some();
    assert!(whole, "{arguments}: the answer was cut: {}", answer["truncated"]);
    assert_eq!(answer["count"], json!(rows.len()), "{arguments}");
    assert!(
        answer["has_more"] == json!(false) || arguments.get("limit").is_some(),
        "{arguments}: there are more rows than the default limit"
    );
    Ok(rows.clone())
}

/// What of the order counts: what the question orders.
pub fn ordered(arguments: &Value) -> Ordered {
    let shapes = arguments["embed"].as_object().into_iter().flatten();
    let embedded = shapes
        .filter(|(_, shape)| !shape["order"].is_null())
        .map(|(path, _)| path.replace('"', ""))
        .collect();
    Ordered { rows: !arguments["order"].is_null(), embedded }
}

/// Both sides; an error with both answers when they are not equal.
pub fn compare(query: &str, arguments: &Value) -> Result<Vec<Value>, String> {
    compare_responses(query, &stage().postgrest.ask("GET", query, &[], "").rows(), arguments)
}

/// The same when PostgREST has answered already.
pub fn compare_responses(
    query: &str,
    theirs: &Result<Vec<Value>, String>,
    arguments: &Value,
) -> Result<Vec<Value>, String> {
    let ours = tool_rows(arguments);
    let how = ordered(arguments);
    match (theirs, &ours) {
        (Ok(theirs), Ok(ours)) if normal(theirs, &how) == normal(ours, &how) => Ok(ours.clone()),
        _ => Err(format!(
            "the answers differ\n  GET /{query}\n  ▶ {}\n  query_table {arguments}\n  ▶ {}",
            shown(theirs),
            shown(&ours)
        )),
    }
}

/// An answer for people.
pub fn shown(answer: &Result<Vec<Value>, String>) -> String {
    match answer {
        Ok(rows) => Value::Array(rows.clone()).to_string(),
        Err(error) => format!("error: {error}"),
    }
}

/// A question that reads.
pub fn read(query: &str, arguments: Value, differs: Option<Difference>) {
    match (compare(query, &arguments), differs) {
        (Ok(_), None) => {}
        (Err(difference), None) => panic!("{difference}"),
        (Ok(_), Some(difference)) => panic!("{query}: it does not differ any more ({})", difference.reason),
        (Err(_), Some(difference)) => {
            let ours = tool_rows(&arguments).unwrap_or_else(|error| panic!("{arguments}: {error}"));
            let rows = difference.rows.as_array().expect("rows");
            let how = ordered(&arguments);
            assert_eq!(normal(&ours, &how), normal(rows, &how), "{arguments}: {}", difference.reason);
        }
    }
}

/// A question that both sides refuse. `told` stands in our error.
pub fn refused(query: &str, arguments: Value, told: &str) {
    let theirs = stage().postgrest.ask("GET", query, &[], "").rows();
    assert!(theirs.is_err(), "PostgREST takes {query}: {}", shown(&theirs));
    match call("query_table", &arguments) {
        Ok(answer) => panic!("{arguments} is taken: {answer}; PostgREST: {}", shown(&theirs)),
        Err(error) => assert!(error.contains(told), "{arguments}: {error}"),
    }
}

/// A question that PostgREST answers and the tool refuses by decision. `told` stands in our error.
pub fn only_postgrest(query: &str, arguments: Value, told: &str) {
    let theirs = stage().postgrest.ask("GET", query, &[], "").rows();
    assert!(theirs.as_ref().is_ok_and(|rows| !rows.is_empty()), "PostgREST: {query}: {}", shown(&theirs));
    match call("query_table", &arguments) {
        Ok(answer) => panic!("{arguments} is taken: {answer}"),
        Err(error) => assert!(error.contains(told), "{arguments}: {error}"),
    }
}

/// A question that writes.
#[derive(Debug)]
pub struct Write<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, encoded.
    pub target: String,
    /// Preferences.
    pub prefer: &'a [&'a str],
    /// The body.
    pub body: Value,
    /// The tool.
    pub tool: &'a str,
    /// Its arguments.
    pub arguments: Value,
    /// What is refused: `refused` by both, `refused_here` by us only, `perhaps` by both or by none.
    pub refused: &'a [&'a str],
}

/// The tables that are written to, as text.
fn written(admin: &mut postgres::Client) -> String {
    ["w_items", "w_pairs", "w_kinds"]
        .map(|table| {
            let sql = format!(
                "SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM public.{table} AS t"
            );
            admin.query_one(&sql, &[]).expect("readable").get::<_, String>(0)
        })
        .join("\n\n")
}

impl Write<'_> {
    /// Does it on both sides, each from the same start; rows, numbers and what is then in the tables must be equal.
    pub fn run(&self) {
        let stage = stage();
        let mut admin = stage.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let fill = "SELECT public.fill_written_tables()";
        admin.batch_execute(fill).expect("filled");
        let before = written(&mut admin);
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        let headers: Vec<(&str, &str)> = self.prefer.iter().map(|value| ("Prefer", *value)).collect();
        let response = stage.postgrest.ask_encoded(self.method, &self.target, &headers, &body);
        let theirs = response.rows();
        let their_tables = written(&mut admin);
        admin.batch_execute(fill).expect("filled");
        let answer = call(self.tool, &self.arguments);
        let our_tables = written(&mut admin);
        let what = format!(
            "{} /{} {:?} {body}\n  ▶ {}\n{} {}\n  ▶ {answer:?}",
            self.method,
            self.target,
            self.prefer,
            shown(&theirs),
            self.tool,
            self.arguments
        );
        if let [who, ..] = self.refused
            && (*who != "perhaps" || theirs.is_err())
        {
            assert!(answer.is_err() && theirs.is_ok() == (*who == "refused_here"), "{who}:\n{what}");
            assert_eq!(our_tables, before, "nothing was done:\n{what}");
            assert!(theirs.is_ok() || their_tables == before, "nothing was done:\n{what}");
            return;
        }
        assert_eq!(our_tables, their_tables, "the tables differ (left: ours):\n{what}");
        let (Ok(theirs), Ok(answer)) = (theirs, answer) else { panic!("one side refuses:\n{what}") };
        let (number, ours) = records(&answer);
        let how = Ordered::default();
        assert_eq!(normal(&ours, &how), normal(&theirs, &how), "the rows differ (left: ours):\n{what}");
        if let Some(total) = response.total() {
            assert_eq!(number, total, "the number of rows:\n{what}");
        }
    }
}

/// A write for PostgREST: method, encoded target, preferences, body.
pub type Request<'a> = (&'a str, &'a str, &'a [&'a str], &'a Value);

/// PostgREST's requests one by one, and the same as one `write_batch`. Gives whether it was refused.
pub fn batch(name: &str, requests: &[Request<'_>], arguments: &Value) -> bool {
    let stage = stage();
    let mut admin = stage.admin.lock().unwrap_or_else(PoisonError::into_inner);
    let fill = "SELECT public.fill_written_tables()";
    admin.batch_execute(fill).expect("filled");
    let before = written(&mut admin);
    let refused = requests.iter().find_map(|(method, target, prefer, body)| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers: Vec<(&str, &str)> = prefer.iter().map(|value| ("Prefer", *value)).collect();
        stage.postgrest.ask_encoded(method, target, &headers, &body).rows().err()
    });
    let their_tables = written(&mut admin);
    admin.batch_execute(fill).expect("filled");
    let answer = call("write_batch", arguments);
    let our_tables = written(&mut admin);
    assert_eq!(answer.is_err(), refused.is_some(), "{name}: {arguments}: {answer:?}, PostgREST: {refused:?}");
    let expected = if refused.is_some() { &before } else { &their_tables };
    assert_eq!(&our_tables, expected, "{name}: {arguments}: {answer:?} (left: ours)");
    if let Ok(answer) = &answer {
        assert_eq!(answer["results"].as_array().map(Vec::len), Some(requests.len()), "{name}: {answer}");
    }
    refused.is_some()
}

/// How many rows an answer tells of, and the rows.
fn records(answer: &Value) -> (u64, Vec<Value>) {
    let number = ["inserted", "updated", "deleted"].iter().find_map(|name| answer[*name].as_u64());
    match (number, answer["records"].as_array()) {
        (Some(number), rows) => (number, rows.cloned().unwrap_or_default()),
        (None, _) => (1, vec![answer.clone()]),
    }
}

/// A table of questions that read: `name: "PostgREST's query" => {arguments of query_table};`
macro_rules! questions {
    ($($name:ident: $query:literal => $arguments:tt $(differs $reason:literal: $rows:tt)?;)*) => {$(
        #[test]
        fn $name() {
            let differs = None $(.or(Some($crate::question::Difference { reason: $reason, rows: serde_json::json!($rows) })))?;
            $crate::question::read($query, serde_json::json!($arguments), differs);
        }
    )*};
}

/// The same for questions that both sides refuse: `name: "query" => {arguments}, "part of our error";`
macro_rules! refusals {
    ($($name:ident: $query:literal => $arguments:tt, $told:literal;)*) => {$(
        #[test]
        fn $name() {
            $crate::question::refused($query, serde_json::json!($arguments), $told);
        }
    )*};
}

/// The same for questions that only PostgREST answers, each with the reason: `name "reason": "query" => {arguments}, "part of our error";`
macro_rules! not_offered {
    ($($name:ident $reason:literal: $query:literal => $arguments:tt, $told:literal;)*) => {$(
        #[doc = $reason]
        #[test]
        fn $name() {
            $crate::question::only_postgrest($query, serde_json::json!($arguments), $told);
        }
    )*};
}

/// A table of questions that write: `name: POST "query" [preferences] body => tool {arguments};`, after the arguments `refused`
/// when both sides refuse, or `refused_here "reason"`.
macro_rules! writes {
    ($($name:ident: $method:ident $query:literal [$($prefer:literal),*] $body:tt => $tool:ident $arguments:tt $($refused:ident $($reason:literal)?)?;)*) => {$(
        #[test]
        fn $name() {
            $crate::question::Write {
                method: stringify!($method),
                target: $crate::postgrest::encode($query),
                prefer: &[$($prefer),*],
                body: serde_json::json!($body),
                tool: stringify!($tool),
                arguments: serde_json::json!($arguments),
                refused: &[$(stringify!($refused) $(, $reason)?)?],
            }
            .run();
        }
    )*};
}

pub(crate) use {not_offered, questions, refusals, writes};
