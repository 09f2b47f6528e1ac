//! The mixed load: what callers ask, in which proportion.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fluxbase_tests::keys::Key;
use fluxbase_tests::load::{Caller, Outcome};
use serde_json::{Value, json};

/// Callers, each with a connection.
pub const CALLERS: u64 = 8;

/// Forms of `query_table`: more than a backend keeps plans for, so that its caches are full and turn over.
const FORMS: u64 = 400;

/// Files that are there at a time: a file is replaced, read and removed in turn.
const FILES: u64 = 200;

/// What was done, by tool, and what went wrong.
#[derive(Debug, Default)]
pub struct Tally {
    done: AtomicU64,
    by_tool: Mutex<BTreeMap<&'static str, u64>>,
    wrong: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    /// Calls that were answered as they should be.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Calls by tool.
    pub fn by_tool(&self) -> BTreeMap<&'static str, u64> {
        self.by_tool.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was not answered as it should be, and how often.
    pub fn wrong(&self) -> BTreeMap<String, u64> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, tool: &'static str, outcome: &Outcome, expected: bool) {
        if expected {
            self.done.fetch_add(1, Ordering::Relaxed);
            *self.by_tool.lock().unwrap_or_else(PoisonError::into_inner).entry(tool).or_default() += 1;
        } else {
            let text = format!("{tool}: {}", outcome.text().unwrap_or("an answer where an error was due"));
            *self.wrong.lock().unwrap_or_else(PoisonError::into_inner).entry(text).or_default() += 1;
        }
    }
}

/// Calls until `until`: one after the other, or `rate` of all callers together in a second, evenly.
pub fn run(server: SocketAddr, key: &Key, tally: &Tally, until: Instant, rate: Option<f64>) {
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn(move || {
                let mut client = Caller::new(server, key);
                let begun = Instant::now();
                let step = rate.map(|rate| Duration::from_secs_f64(CALLERS as f64 / rate));
                let mut number = 0;
                while Instant::now() < until {
                    if let Some(step) = step {
                        // The callers are not in step with each other. One that is late goes on from where it is.
                        let due = step.mul_f64(number as f64 + caller as f64 / CALLERS as f64);
                        thread::sleep(due.saturating_sub(begun.elapsed()));
                    }
                    let (tool, arguments, fails) = call(caller, number);
                    let outcome = client.call(tool, &arguments);
                    let expected = match &outcome {
                        Outcome::Done(_) => !fails,
                        Outcome::Nothing(_) => fails,
                        // An error that says nothing about a change, of a tool that only reads.
                        Outcome::Unclear(text) => fails && text.starts_with("200"),
                        _ => false,
                    };
                    tally.count(tool, &outcome, expected);
                    number += 1;
                }
            });
        }
    });
}

/// The call of that number: tool, arguments, whether it must be refused.
fn call(caller: u64, number: u64) -> (&'static str, Value, bool) {
    let unique = caller * 1_000_000_000 + number;
    let row = number % 10_000 + 1;
    match number % 40 {
        // Half of all are reads, in many forms.
        n if n % 2 == 0 => {
            let form = (number / 2 + caller * 53) % FORMS;
            let arguments = json!({ "table": "soak_rows", "select": "n,body,changed", "order": "n", "limit": form % 20 + 1,
                "filter": { format!("c{}", form / 20): { "gte": row } } });
            ("query_table", arguments, false)
        }
        1 | 11 | 21 | 31 => (
            "insert_record",
            json!({ "table": "soak_log", "data": { "n": unique, "body": "x".repeat(200) }, "returning": "none" }),
            false,
        ),
        3 | 23 => (
            "update_record",
            json!({ "table": "soak_rows", "data": { "body": format!("changed {unique}") }, "filter": { "n": { "eq": row } },
                "returning": "none" }),
            false,
        ),
        5 => {
            let insert =
                |side: u64| json!({ "op": "insert", "table": "soak_log", "data": { "n": unique + side } });
            ("write_batch", json!({ "operations": [insert(500_000_000), insert(600_000_000)] }), false)
        }
        7 => {
            let key = format!("{caller}/{}", number / 40 % FILES);
            (
                "upload_object",
                json!({ "bucket": "soak", "key": key, "content": "bytes ".repeat(3000) }),
                false,
            )
        }
        // Of the same turn, so it is there.
        9 => {
            let key = format!("{caller}/{}", number / 40 % FILES);
            ("download_object", json!({ "bucket": "soak", "key": key }), false)
        }
        13 | 33 => ("submit_job", json!({ "job_name": "soak", "payload": { "n": unique } }), false),
        15 | 35 => ("invoke_function", json!({ "name": "soak", "body": { "n": unique } }), false),
        17 => ("describe_table", json!({ "table": "soak_rows" }), false),
        19 => ("list_tables", json!({}), false),
        // Errors are calls, too.
        25 => ("query_table", json!({ "table": "soak_rows", "select": format!("no_such_{number}") }), true),
        27 => ("insert_record", json!({ "table": "soak_rows", "data": { "n": row } }), true),
        29 => ("list_objects", json!({ "bucket": "soak", "limit": 20 }), false),
        37 => {
            let key = format!("{caller}/{}", number / 40 % FILES);
            ("delete_object", json!({ "bucket": "soak", "key": key }), false)
        }
        _ => ("query_table", json!({ "table": "soak_rows", "limit": 1 }), false),
    }
}
