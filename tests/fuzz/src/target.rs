//! One input through one entry of the crates that read what callers send, and what must be true afterwards.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluxbase_query::{
    Arguments, BATCH_ARGUMENTS, Bounds, Count, QueryError, Statement, Table, TableName, Verb, quote_ident,
    select,
};

use fluxbase_rpc::{annotations, parameters};

use crate::catalog::World;
use crate::{check, door};

/// What an input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The arguments of query_table.
    Query,
    /// … of insert_record.
    Insert,
    /// … of update_record.
    Update,
    /// … of delete_record.
    Delete,
    /// … of write_batch.
    Batch,
    /// What is inside a cursor: JSON, in which DIGEST stands for the digest of the question. After `!` the cursor itself.
    Cursor,
    /// The argument `table`.
    TableName,
    /// The text of a stored statement.
    Stored,
    /// A message of JSON-RPC.
    Envelope,
    /// A key, or what the listener sends in its place.
    Key,
    /// Bytes between Postgres and the delegate worker, a character for each.
    Frame,
}

/// Every kind, in the order of reports.
pub const KINDS: [Kind; 11] = [
    Kind::Query,
    Kind::Insert,
    Kind::Update,
    Kind::Delete,
    Kind::Batch,
    Kind::Cursor,
    Kind::TableName,
    Kind::Stored,
    Kind::Envelope,
    Kind::Key,
    Kind::Frame,
];

impl Kind {
    /// As files and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Query => "query",
            Kind::Insert => "insert",
            Kind::Update => "update",
            Kind::Delete => "delete",
            Kind::Batch => "batch",
            Kind::Cursor => "cursor",
            Kind::TableName => "table_name",
            Kind::Stored => "stored",
            Kind::Envelope => "envelope",
            Kind::Key => "key",
            Kind::Frame => "frame",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Kind> {
        KINDS.into_iter().find(|kind| kind.name() == name)
    }
}

/// A statement that was accepted.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The statement.
    pub statement: Statement,
    /// It may be run in a reading transaction.
    pub reads: bool,
    /// It counts what another one reads.
    pub counts: bool,
}

/// What came of an input.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was accepted; empty when it was refused.
    pub plans: Vec<Plan>,
    /// The refusal.
    pub error: Option<QueryError>,
    /// Stands for the form of the statements without their names, or for the kind of the message.
    pub shape: u64,
}

/// Runs an input.
///
/// # Errors
/// What was not true that must be.
pub fn run(world: &World, kind: Kind, input: &str) -> Result<Outcome, String> {
    let planned = match kind {
        Kind::Query => arguments(world, input).and_then(|(args, table)| query(world, &args, table, 100)),
        Kind::Insert => {
            arguments(world, input).and_then(|(args, table)| write(world, Verb::Insert, &args, table))
        }
        Kind::Update => {
            arguments(world, input).and_then(|(args, table)| write(world, Verb::Update, &args, table))
        }
        Kind::Delete => {
            arguments(world, input).and_then(|(args, table)| write(world, Verb::Delete, &args, table))
        }
        Kind::Batch => batch(world, input),
        Kind::Cursor => return cursor(world, input),
        Kind::TableName => return table_name(world, input),
        Kind::Stored => return stored(world, input),
        Kind::Envelope => return Ok(came_of(door::envelope(input)?)),
        Kind::Key => return Ok(came_of(door::key(input)?)),
        Kind::Frame => return Ok(came_of(door::frame(input)?)),
    };
    judge(world, planned)
}

/// What is no statement: accepted or refused, and of which form.
fn came_of(read: door::Read) -> Outcome {
    let mut hash = DefaultHasher::new();
    read.hash(&mut hash);
    let error = read.err().map(|why| Arguments::default().unfit("input", &why));
    Outcome { plans: Vec::new(), error, shape: hash.finish() }
}

fn judge(world: &World, planned: Result<Vec<Plan>, QueryError>) -> Result<Outcome, String> {
    let mut hash = DefaultHasher::new();
    Ok(match planned {
        Ok(plans) => {
            for plan in &plans {
                check::statement(world, &plan.statement, plan.reads, plan.counts)?;
                check::skeleton(&plan.statement.sql).hash(&mut hash);
            }
            Outcome { plans, error: None, shape: hash.finish() }
        }
        Err(error) => {
            check::error(&error)?;
            error.code().hash(&mut hash);
            check::skeleton(&error.to_string()).hash(&mut hash);
            Outcome { plans: Vec::new(), error: Some(error), shape: hash.finish() }
        }
    })
}

fn arguments<'w>(world: &'w World, input: &str) -> Result<(Arguments, &'w Table), QueryError> {
    let args = Arguments::parse(Some(input))?;
    let name = args.table()?;
    match world.find(&name) {
        Some(table) => Ok((args, table)),
        None => Err(Arguments::default().unfit("table", "is unknown")),
    }
}

/// As the tool does it, with few rows.
fn query(world: &World, args: &Arguments, table: &Table, max_limit: u64) -> Result<Vec<Plan>, QueryError> {
    let bounds = Bounds { default_limit: 20.min(max_limit), max_limit, peek: true };
    let plan = select(args, table, world, &bounds)?;
    let mut statements = vec![plan.statement];
    match plan.count {
        None => {}
        Some(Count::Exact(one) | Count::Planned(one)) => statements.push(one),
        Some(Count::Estimated { bounded, planned, .. }) => statements.extend([bounded, planned]),
    }
    let plan = |(n, statement)| Plan { statement, reads: true, counts: n > 0 };
    Ok(statements.into_iter().enumerate().map(plan).collect())
}

fn write(world: &World, verb: Verb, args: &Arguments, table: &Table) -> Result<Vec<Plan>, QueryError> {
    let plan = verb.plan_columns(args, table, world)?;
    Ok(vec![Plan { statement: plan.statement, reads: false, counts: false }])
}

/// As the tool does it.
fn batch(world: &World, input: &str) -> Result<Vec<Plan>, QueryError> {
    let args = Arguments::parse(Some(input))?;
    args.only(&BATCH_ARGUMENTS)?;
    args.bool("dry_run")?;
    args.int("max_chars")?;
    let mut plans = Vec::new();
    for (n, operation) in args.objects("operations")?.unwrap_or_default().into_iter().enumerate() {
        let planned = operate(world, operation);
        plans.extend(planned.map_err(|error| error.within(&format!("operations[{n}]")))?);
    }
    Ok(plans)
}

fn operate(world: &World, operation: Arguments) -> Result<Vec<Plan>, QueryError> {
    let verb = Verb::parse(&operation.str("op")?.unwrap_or_default())?;
    let args = operation.without("op");
    let name = args.table()?;
    let table = world.find(&name).ok_or_else(|| args.unfit("table", "is unknown"))?;
    write(world, verb, &args, table)
}

/// Questions that a cursor may continue.
const QUESTIONS: [&str; 5] = [
    r#"{"table":"people","order":"name"}"#,
    r#"{"table":"people","order":"name.desc.nullslast,boss_id(email).asc.nullsfirst","filter":{"id":"gt.0"}}"#,
    r#"{"table":"book_tags","order":"weight.desc,book_id"}"#,
    r#"{"table":"types","order":"jb->a,a_i4,ct.desc,id.desc"}"#,
    r#"{"table":"codes","order":"lang"}"#,
];

fn cursor(world: &World, input: &str) -> Result<Outcome, String> {
    let mut last = None;
    for question in QUESTIONS {
        let args = Arguments::parse(Some(question)).expect("a question is JSON");
        let name = args.table().expect("a question has a table");
        let Some(table) = world.find(&name) else { continue };
        let bounds = Bounds::default();
        let Some(keyset) = select(&args, table, world, &bounds).ok().and_then(|plan| plan.keyset) else {
            continue;
        };
        let digest = URL_SAFE_NO_PAD.decode(keyset.cursor(&[])).expect("a cursor is base64");
        let (digest, _): (String, Vec<()>) = serde_json::from_slice(&digest).expect("a cursor is JSON");
        let cursor = match input.strip_prefix('!') {
            Some(raw) => raw.to_owned(),
            None => URL_SAFE_NO_PAD.encode(input.replace("DIGEST", &digest)),
        };
        let member = serde_json::to_string(&cursor).expect("a text is JSON");
        let text = format!(r#"{},"cursor":{member}}}"#, &question[..question.len() - 1]);
        let planned = arguments(world, &text).and_then(|(args, table)| query(world, &args, table, 100));
        let outcome = judge(world, planned)?;
        if outcome.error.is_none() {
            return Ok(outcome);
        }
        last = Some(outcome);
    }
    last.ok_or_else(|| "no question has a cursor".to_owned())
}

fn table_name(world: &World, input: &str) -> Result<Outcome, String> {
    let name = match TableName::parse(input) {
        Ok(name) => name,
        Err(error) => return judge(world, Err(error)),
    };
    if name.name.is_empty() || name.schema.as_deref() == Some("") {
        return Err(format!("an empty name: {name:?}"));
    }
    if name.name.contains('\0') || name.to_string().chars().any(char::is_control) {
        return Err(format!("a control character in {name:?}"));
    }
    let quoted = match &name.schema {
        Some(schema) => format!("{}.{}", quote_ident(schema), quote_ident(&name.name)),
        None => quote_ident(&name.name),
    };
    if TableName::parse(&quoted).as_ref() != Ok(&name) {
        return Err(format!("{quoted} does not mean {name:?}"));
    }
    let mut hash = DefaultHasher::new();
    (name.schema.is_some(), quoted == input, world.find(&name).is_some()).hash(&mut hash);
    Ok(Outcome { plans: Vec::new(), error: None, shape: hash.finish() })
}

/// What stands for a parameter is one, and nothing else of the text has changed.
fn stored(world: &World, input: &str) -> Result<Outcome, String> {
    let refused =
        |why: &str| judge(world, Err(Arguments::default().unfit("statement", why.trim_end_matches('.'))));
    let said = match annotations(input) {
        Ok(said) => said,
        Err(why) => return refused(&why),
    };
    let Some(statement) = input.get(said.statement..) else {
        return Err(format!("the statement begins inside a character, at {}", said.statement));
    };
    let found = match parameters(statement) {
        Ok(found) => found,
        Err(why) => return refused(&why),
    };
    let names = &found.names;
    if names.iter().enumerate().any(|(n, name)| name.is_empty() || names[..n].contains(name)) {
        return Err(format!("names that are none, or are there twice: {names:?}"));
    }
    // The same lexer meets a number outside of every quote just where it put one.
    match parameters(&found.sql) {
        Ok(again) if names.is_empty() && again == found && found.sql == statement => {}
        Err(why) if !names.is_empty() && why.contains("a parameter with a number") => {}
        other => return Err(format!("{found:?} read again: {other:?}")),
    }
    let (mut text, mut sql) = (statement, found.sql.as_str());
    // Both texts are the same up to the next parameter, whose number names it.
    while text != sql {
        let same = text.bytes().zip(sql.bytes()).take_while(|(one, other)| one == other).count();
        let at = sql[..same].rfind('$').filter(|at| sql[at + 1..same].is_empty());
        let at = at.unwrap_or(same);
        let rest = sql[at..].trim_start_matches(' ').strip_prefix('$').unwrap_or_default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let name = rest[..digits].parse::<usize>().ok().and_then(|number| names.get(number.wrapping_sub(1)));
        let Some(name) = name else { return Err(format!("at {at} {sql:?} is not {text:?}")) };
        text = match text[at..].strip_prefix('$').and_then(|text| text.strip_prefix(name.as_str())) {
            Some(text) => text,
            None => return Err(format!("${name} does not stand at {at} of {text:?}")),
        };
        sql = &rest[digits..];
    }
    let mut hash = DefaultHasher::new();
    (names.len(), said.name.is_some(), check::skeleton(statement)).hash(&mut hash);
    Ok(Outcome { plans: Vec::new(), error: None, shape: hash.finish() })
}
