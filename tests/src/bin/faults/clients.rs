//! The clients: each writes through HTTP without a pause, numbers what it does, and notes outside of the database what it was told.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fluxbase_tests::keys::Key;
use fluxbase_tests::load::{Caller, Outcome};
use serde_json::{Value, json};

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A row with a unique id. What may or may not have been done is done again, until it is there.
    Unique,
    /// A row of a table in which everything may stand twice. Nothing is done again.
    Plain,
    /// Two rows in one `write_batch`.
    Batch,
    /// A file.
    Upload,
    /// A job with an idempotency key; what may or may not have been submitted is submitted again.
    Job,
    /// A call of an edge function.
    Function,
}

pub const KINDS: [Kind; 6] =
    [Kind::Unique, Kind::Plain, Kind::Batch, Kind::Upload, Kind::Job, Kind::Function];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Unique => "row with a unique id",
            Kind::Plain => "row, never sent again",
            Kind::Batch => "two rows in a batch",
            Kind::Upload => "uploaded file",
            Kind::Job => "job, by idempotency key",
            Kind::Function => "call of a function",
        }
    }
}

/// How a write ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Done,
    Nothing,
    Unknown,
    Ran,
    Unclear,
}

/// What callers were told, without numbers, and how often.
pub type Told = BTreeMap<(Fate, String), u64>;

/// What the clients were told.
#[derive(Debug)]
pub struct Ledger {
    started: Instant,
    next: AtomicU64,
    notes: Mutex<Notes>,
}

#[derive(Debug)]
struct Notes {
    file: File,
    fates: BTreeMap<(Kind, u64), Fate>,
    /// What callers were told, without numbers, and how often.
    told: Told,
    /// When the latest write that was done had been begun.
    latest: BTreeMap<Kind, Duration>,
    again: u64,
}

impl Ledger {
    /// Notes go to `file`, too.
    pub fn new(file: &Path) -> Ledger {
        let file = File::create(file).expect("the ledger can be written");
        let notes =
            Notes { file, fates: BTreeMap::new(), told: BTreeMap::new(), latest: BTreeMap::new(), again: 0 };
        Ledger { started: Instant::now(), next: AtomicU64::new(1), notes: Mutex::new(notes) }
    }

    /// Time since the begin.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, kind: Kind, number: u64, begun: Duration, outcome: &Outcome) -> Fate {
        let fate = match outcome {
            Outcome::Done(_) => Fate::Done,
            Outcome::Nothing(_) => Fate::Nothing,
            Outcome::Unknown(_) => Fate::Unknown,
            Outcome::Ran(_) => Fate::Ran,
            Outcome::Unclear(_) => Fate::Unclear,
        };
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(notes.file, "{:?} {number} {fate:?}", kind).expect("the ledger can be written");
        if let Some(text) = outcome.text() {
            *notes.told.entry((fate, plain(text))).or_default() += 1;
        }
        if fate == Fate::Done {
            let latest = notes.latest.entry(kind).or_default();
            *latest = begun.max(*latest);
        }
        // One that was unknown is known when it is done again.
        if notes.fates.insert((kind, number), fate).is_some() {
            notes.again += 1;
        }
        fate
    }

    /// When the latest write of that kind that was done had been begun.
    pub fn latest(&self, kind: Kind) -> Duration {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.latest.get(&kind).copied().unwrap_or_default()
    }

    /// How many were done so far.
    pub fn done(&self, kind: Kind) -> usize {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.fates.iter().filter(|((of, _), fate)| *of == kind && **fate == Fate::Done).count()
    }

    /// Every write of a kind and how it ended.
    pub fn fates(&self, kind: Kind) -> Vec<(u64, Fate)> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.fates.iter().filter(|((of, _), _)| *of == kind).map(|((_, n), fate)| (*n, *fate)).collect()
    }

    /// What callers were told, and how often; and how many writes were sent again.
    pub fn told(&self) -> (Told, u64) {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        (notes.told.clone(), notes.again)
    }
}

/// A text without what differs from call to call.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for word in text.split_whitespace() {
        let differs = word.len() > 20 || (word.chars().any(|c| c.is_ascii_digit()) && word.len() > 4);
        plain.push_str(if differs { "…" } else { word });
        plain.push(' ');
    }
    plain.trim_end().to_owned()
}

/// The bytes of an uploaded file: so many that writing them takes a while, and other ones in each.
pub fn content(number: u64) -> String {
    let line = format!("file {number}, all of whose lines are the same; ");
    line.repeat(16 * 1024 / line.len() + usize::try_from(number % 100).unwrap_or(0))
}

/// What a function is sent.
pub fn body(number: u64) -> String {
    json!({ "call": number }).to_string()
}

/// One client, until `stop`.
pub fn run(kind: Kind, server: SocketAddr, key: &Key, ledger: &Ledger, stop: &AtomicBool) {
    let mut caller = Caller::new(server, key);
    while !stop.load(Ordering::Relaxed) {
        let number = ledger.number();
        let mut fate = write(kind, number, &mut caller, ledger, false);
        let mut may_be_done = fate != Fate::Nothing;
        if matches!(kind, Kind::Unique | Kind::Job) {
            // The client insists, also when it was told that nothing was done: until it knows that it is done.
            let until = Instant::now() + Duration::from_secs(120);
            while fate != Fate::Done && Instant::now() < until {
                thread::sleep(Duration::from_millis(100));
                fate = write(kind, number, &mut caller, ledger, may_be_done);
                may_be_done |= fate != Fate::Nothing;
            }
        }
        thread::sleep(Duration::from_millis(if fate == Fate::Done { 5 } else { 50 }));
    }
}

/// `may_be_done`: whether an earlier answer to this write left that open.
fn write(kind: Kind, number: u64, caller: &mut Caller, ledger: &Ledger, may_be_done: bool) -> Fate {
    let begun = ledger.now();
    let (tool, arguments) = call(kind, number);
    let mut outcome = caller.call(tool, &arguments);
    // It is there: what was not known was done.
    let is_there = match &outcome {
        Outcome::Done(answer) => answer["existing"] == json!(true),
        other => kind == Kind::Unique && other.text().is_some_and(|text| text.contains("23505")),
    };
    if is_there && may_be_done {
        outcome = Outcome::Done(Value::Null);
    } else if is_there {
        outcome =
            Outcome::Unclear("it is there, and each answer before said that nothing was done".to_owned());
    }
    // A function's own answer must be to this call.
    if let (Kind::Function, Outcome::Done(answer)) = (kind, &outcome)
        && (answer["status"] != json!(200) || answer["body"]["call"] != json!(number))
    {
        outcome = Outcome::Unclear(format!("the answer of another call: {answer}"));
    }
    ledger.note(kind, number, begun, &outcome)
}

fn call(kind: Kind, number: u64) -> (&'static str, Value) {
    match kind {
        Kind::Unique => {
            ("insert_record", json!({ "table": "unique_rows", "data": { "n": number }, "returning": "none" }))
        }
        Kind::Plain => {
            ("insert_record", json!({ "table": "plain_rows", "data": { "n": number }, "returning": "none" }))
        }
        Kind::Batch => {
            let insert =
                |side| json!({ "op": "insert", "table": "pairs", "data": { "n": number, "side": side } });
            ("write_batch", json!({ "operations": [insert("left"), insert("right")] }))
        }
        Kind::Upload => (
            "upload_object",
            json!({ "bucket": "uploads", "key": format!("file {number}"), "content": content(number) }),
        ),
        Kind::Job => (
            "submit_job",
            json!({ "job_name": "effect", "payload": { "n": number }, "idempotency_key": format!("job {number}") }),
        ),
        Kind::Function => ("invoke_function", json!({ "name": "counted", "body": { "call": number } })),
    }
}
