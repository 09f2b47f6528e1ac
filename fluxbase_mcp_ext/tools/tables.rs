//! Rows of tables: query, insert, update, delete, and several writes as one.
//!
//! The bodies are alike: read the arguments, look the table up as the caller sees it, plan, run, wrap the rows. Invariants:
//! nothing runs unless every argument was understood; a bound that cuts is told in the answer; a write that has been done is never
//! answered with an error because its answer is large. What a filter or a select may say is in the crate `fluxbase_query`.

use std::rc::Rc;

use fluxbase_credential::Scope;
use fluxbase_delegate::Id;
use fluxbase_protocol::{Structured, ToolOutput, push_string};
use fluxbase_query::{
    Arguments, BATCH_ARGUMENTS, Count, Kept, Outcome, QueryError, Shape, TableName, Values, Verb, Write,
    near_query, show,
};

use super::confirm::{self, Consent, Touched};
use super::{self as tools, UNTRUSTED, object, vectors};
use crate::ask::Ask;
use crate::audit;
use crate::catalog::{Described, Reader};
use crate::dispatch::Request;
use crate::embedding::{Embedded, embed};
use crate::error::Error;
use crate::guard::{self, Access};
use crate::identity::Identity;
use crate::planned::Planned;
use crate::statement::{self, Bounds, Found, Rows};
use crate::{catalog, gucs, planned, registered};

const DEFAULT_LIMIT: u64 = 100;

/// The most operations of one batch.
const MAX_OPERATIONS: usize = 100;

/// `query_table`: an array of rows.
pub fn query(request: &Request<'_>) -> Result<tools::Done, Error> {
    catalog::refresh();
    let shape = planned::shape(request);
    let planned = match shape.as_ref().and_then(planned::find) {
        Some(planned) => planned,
        None => match plan(request, shape.as_ref())? {
            Planning::Planned(planned) => planned,
            Planning::Pending(id) => return Ok(tools::Done::kept(tools::Outcome::Pending(id))),
        },
    };
    audit::table(&planned.described.table.schema, &planned.described.table.name);
    let (plan, max_chars) = (planned.kept.select(), planned.max_chars);
    let values = shape.map(|shape| shape.values()).unwrap_or_default();
    let values = planned.kept.values(&values);
    let bounds = Bounds { max_rows: plan.limit, max_chars, free_rows: 0 };
    let rows = match &plan.near {
        None => {
            let found = Some(&planned.found);
            statement::run_columns(&plan.statement, values, found, Access::Read, bounds, plan.outputs)?
        }
        Some(near) => vectors::nearest_rows(&plan.statement, near, &planned.described, plan.limit, bounds)?,
    };
    audit::rows(rows.shown);
    if rows.cut && rows.shown == 0 {
        return Err(Error::refused(
            "54000",
            format!("the first row alone is larger than {max_chars} characters, the bound of this answer"),
            "Name fewer or smaller columns in select, or give embedded rows a limit.".to_owned(),
        ));
    }
    let total = plan.count.as_ref().map(total).transpose()?;
    Ok(read_output(request, &planned, values, rows, total).into())
}

/// What became of planning.
enum Planning {
    Planned(Rc<Planned>),
    /// The vector of a text is being made.
    Pending(Id),
}

/// Plans a read, and keeps the plan if it is good for others of its shape.
fn plan(request: &Request<'_>, shape: Option<&Shape<'_>>) -> Result<Planning, Error> {
    let nothing_read = |error: QueryError| error.with_outcome(Outcome::NothingRead);
    let args = Arguments::parse(request.arguments).map_err(nothing_read)?;
    let name = args.table().map_err(nothing_read)?;
    let described = catalog::table(request.identity, &name)?;
    let max_rows = gucs::max_rows();
    let (asked, pages) = (args.raw("limit").is_some(), args.raw("cursor").is_some());
    // One row more than asked for tells that there is more; nobody is told who asked for a number and reads only the rows.
    let bounds = fluxbase_query::Bounds {
        default_limit: DEFAULT_LIMIT.min(max_rows),
        max_limit: max_rows,
        peek: request.structured || !asked || pages,
    };
    let reader = Reader::new(request.identity);
    let embedding = match near(request, &args, &described)? {
        None => None,
        Some(Embedded::Vector(embedding)) => Some(embedding),
        Some(Embedded::Pending(id)) => return Ok(Planning::Pending(id)),
    };
    let mut select =
        fluxbase_query::select_columns(&args, &described.table, &reader, &bounds, embedding.as_ref())?;
    let max_chars = max_chars(&args, &mut select.notes).map_err(nothing_read)?;
    // A cursor hardly comes twice, a vector is asked for anew, and a name without a schema may mean another table tomorrow.
    let lasts = !pages
        && args.raw("vector_search").is_none()
        && (name.schema.is_some() || described.table.schema == "public");
    let shape = shape.filter(|_| lasts);
    let (kept, found) = (Kept::new(shape, select), Found::default());
    let planned = Rc::new(Planned { kept, described, max_chars, asked, pages, found });
    if let Some(shape) = shape.filter(|_| planned.kept.is_for_all()) {
        planned::remember(shape, &planned);
    }
    Ok(Planning::Planned(planned))
}

/// The vector of the text in `vector_search`; `None` when there is no such text.
fn near(request: &Request<'_>, args: &Arguments, described: &Described) -> Result<Option<Embedded>, Error> {
    if args.raw("vector_search").is_none() {
        return Ok(None);
    }
    if !request.identity.scopes.has(Scope::ReadVectors) {
        return Err(Error::refused(
            "42501",
            "vector_search: this key lacks the scope read:vectors. Nothing was read.",
            "Leave it out, or use a key with read:tables and read:vectors.".to_owned(),
        ));
    }
    let Some(text) = near_query(args)? else { return Ok(None) };
    let fitting: Vec<(String, i32)> = vectors::dimensions(args, described);
    embed(request, &text, None, &fitting).map(Some)
}

fn read_output(
    request: &Request<'_>,
    planned: &Planned,
    values: Values<'_>,
    rows: Rows,
    total: Option<u64>,
) -> ToolOutput {
    let Planned { kept, max_chars, asked, pages, .. } = planned;
    let plan = kept.select();
    let more = rows.cut || rows.total - rows.blank > plan.limit;
    let cursor = match (&plan.keyset, &rows.last) {
        (Some(keyset), Some(last)) if more => Some(keyset.of(values).cursor(last)),
        _ => None,
    };
    let limited = plan.notes.iter().any(|note| note.starts_with("limit "));
    let why = if rows.cut {
        Some(format!("the rows reached {max_chars} characters"))
    } else if more && limited {
        Some(format!("the most that one answer holds is {}", count_of(plan.limit)))
    } else if more && !asked {
        Some(format!("the default limit is {}", count_of(plan.limit)))
    } else {
        None
    };
    let next = || match &cursor {
        Some(cursor) => format!(r#""cursor":"{cursor}""#),
        None => format!(r#""offset":{}"#, plan.offset + rows.shown),
    };
    let mut notes = plan.notes.clone();
    notes.extend(plan.near.as_ref().and_then(|near| vectors::threshold_note(near, &rows)));
    if let Some(why) = &why {
        notes.push(format!(
            "truncated after {}: {why}. Go on with the same call and {}.",
            count_of(rows.shown),
            next()
        ));
    }
    notes.extend(open_list(&rows.text, plan.open_list));
    let structured = if request.structured {
        let mut after = format!(r#","count":{},"has_more":{more}"#, rows.shown);
        if let Some(total) = total {
            after.push_str(&format!(r#","total_count":{total}"#));
        }
        if let Some(cursor) = &cursor {
            after.push_str(&format!(r#","next_cursor":"{cursor}""#));
        }
        if let Some(why) = &why {
            after.push_str(&format!(r#","truncated":{{"why":"{why}","next":{{{}}}}}"#, next()));
        }
        after.push_str(&notes_member(&notes));
        after.push('}');
        Structured::Wrapped { before: format!(r#"{{{UNTRUSTED}"rows":"#), after }
    } else {
        Structured::None
    };
    // What the structured form has as members.
    if let Some(total) = total {
        notes.push(format!("total_count: {total}"));
    }
    if let Some(cursor) = cursor.filter(|_| *pages && why.is_none()) {
        notes.push(format!("next_cursor: {cursor}"));
    }
    let mut text = String::with_capacity(rows.text.len() + 2);
    text.push('[');
    text.push_str(&rows.text);
    text.push(']');
    ToolOutput { text, structured, notes }
}

/// The rows that the question finds without limit and offset.
fn total(count: &Count) -> Result<u64, Error> {
    let exact = |counting| {
        let bounds = Bounds { max_rows: 1, max_chars: 100, free_rows: 0 };
        let text = statement::run(counting, Access::Read, bounds)?.text;
        text.parse().map_err(|_| Error::internal("a count that is no number"))
    };
    match count {
        Count::Exact(counting) => exact(counting),
        Count::Planned(planned) => statement::estimated_rows(planned),
        Count::Estimated { bounded, threshold, planned } => match exact(bounded)? {
            few if few <= *threshold => Ok(few),
            many => Ok(statement::estimated_rows(planned)?.max(many)),
        },
    }
}

/// What to say when a list within the rows has the most elements that it has without a limit of its own.
fn open_list(rows: &str, most: u64) -> Option<String> {
    (most > 0 && has_list_of(rows, most)).then(|| {
        format!(
            "An embedded list has {most} rows, the most without a limit of its own; there may be more: query_table takes limit and \
             offset in embed."
        )
    })
}

/// Whether some list of objects within the rows has `length` elements.
fn has_list_of(rows: &str, length: u64) -> bool {
    if (rows.len() as u64) < 2 * length {
        return false;
    }
    // For each open bracket the number of objects in it, if it is a list.
    let mut open: Vec<Option<u64>> = Vec::new();
    let mut bytes = rows.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(inner) = bytes.next() {
                    match inner {
                        b'\\' => _ = bytes.next(),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'[' => open.push(Some(0)),
            b'{' => {
                if let Some(Some(objects)) = open.last_mut() {
                    *objects += 1;
                    if *objects >= length {
                        return true;
                    }
                }
                open.push(None);
            }
            b']' | b'}' => _ = open.pop(),
            _ => {}
        }
    }
    false
}

/// `insert_record`: the inserted row, or how many and which.
pub fn insert(request: &Request<'_>) -> Result<tools::Done, Error> {
    write(request, Verb::Insert)
}

/// `update_record`: how many rows were changed, and the rows.
pub fn update(request: &Request<'_>) -> Result<tools::Done, Error> {
    write(request, Verb::Update)
}

/// `delete_record`: how many rows were deleted, and the rows.
pub fn delete(request: &Request<'_>) -> Result<tools::Done, Error> {
    write(request, Verb::Delete)
}

fn write(request: &Request<'_>, verb: Verb) -> Result<tools::Done, Error> {
    let nothing_changed = |error: QueryError| error.with_outcome(Outcome::NothingChanged);
    let tool = match verb {
        Verb::Insert => "insert_record",
        Verb::Update => "update_record",
        Verb::Delete => "delete_record",
    };
    let Some(consent) = Consent::read(request, tool)? else { return Ok(asks(Ask::BadState)) };
    let args = Arguments::parse(request.arguments).map_err(nothing_changed)?;
    let mut notes = Vec::new();
    let max_chars = max_chars(&args, &mut notes).map_err(nothing_changed)?;
    let done = perform(request.identity, verb, &args, max_chars)?;
    let undo = done.plan.dry_run;
    if consent.watches()
        && !undo
        && let Some(ask) = consent.missing(done.touched().as_slice())?
    {
        return Ok(asks(ask));
    }
    let text = done.text(mark(request), max_chars, &mut notes);
    if undo {
        notes.push("This was a dry run: nothing was changed.".to_owned());
    }
    Ok(tools::Done { outcome: tools::Outcome::Output(object(text, notes)), undo })
}

/// What marks the records of an answer as data; nothing where there is no structured content, whose form is the user's document's.
fn mark(request: &Request<'_>) -> &'static str {
    if request.structured { UNTRUSTED } else { "" }
}

/// The client is asked, and what was done is undone.
fn asks(ask: Ask) -> tools::Done {
    tools::Done::undone(tools::Outcome::Ask(ask))
}

/// `write_batch`: several writes, all or none.
pub fn batch(request: &Request<'_>) -> Result<tools::Done, Error> {
    let nothing_changed = |error: QueryError| error.with_outcome(Outcome::NothingChanged);
    let Some(consent) = Consent::read(request, "write_batch")? else { return Ok(asks(Ask::BadState)) };
    let args = Arguments::parse(request.arguments).map_err(nothing_changed)?;
    args.only(&BATCH_ARGUMENTS).map_err(nothing_changed)?;
    let undo = args.bool("dry_run").map_err(nothing_changed)?.unwrap_or(false);
    let mut notes = Vec::new();
    let max_chars = max_chars(&args, &mut notes).map_err(nothing_changed)?;
    let mut left = max_chars;
    let operations = args.objects("operations").map_err(nothing_changed)?.unwrap_or_default();
    if operations.is_empty() || operations.len() > MAX_OPERATIONS {
        return Err(Error::refused(
            "22023",
            format!("operations: must be a list of 1 to {MAX_OPERATIONS} operations. Nothing was changed."),
            r#"Write {"operations":[{"op":"insert","table":"t","data":{…}},{"op":"delete","table":"t","filter":{…}}]}."#.to_owned(),
        ));
    }
    let mut touched = Vec::new();
    let mut text = format!(r#"{{{}"results":["#, mark(request));
    for (n, operation) in operations.into_iter().enumerate() {
        let at = format!("operations[{n}]");
        statement::set_operation(Some(&at));
        let done = operate(request.identity, operation, left).map_err(|error| error.within(&at))?;
        if consent.watches() {
            touched.extend(done.touched());
        }
        let result = done.text("", max_chars, &mut notes);
        if n > 0 {
            text.push(',');
        }
        text.push_str(&result);
        left = left.saturating_sub(result.chars().count());
    }
    statement::set_operation(None);
    if !undo && let Some(ask) = consent.missing(&touched)? {
        return Ok(asks(ask));
    }
    text.push(']');
    if undo {
        text.push_str(r#","dry_run":true"#);
        notes.push("This was a dry run: nothing was changed.".to_owned());
    }
    text.push('}');
    Ok(tools::Done { outcome: tools::Outcome::Output(object(text, notes)), undo })
}

fn operate(identity: &Identity, operation: Arguments, left: usize) -> Result<Done, Error> {
    let nothing_changed = |error: QueryError| error.with_outcome(Outcome::NothingChanged);
    for once in ["dry_run", "max_chars"] {
        if operation.raw(once).is_some() {
            return Err(Error::refused(
                "22023",
                format!("{once}: stands once, beside operations. Nothing was changed."),
                None,
            ));
        }
    }
    let Some(name) = operation.str("op").map_err(nothing_changed)? else {
        return Err(Error::refused(
            "22023",
            "op: is missing. Nothing was changed.",
            "Write insert, update or delete.".to_owned(),
        ));
    };
    let verb = Verb::parse(&name).map_err(nothing_changed)?;
    let args = operation.without("op");
    args.only(verb.arguments()).map_err(nothing_changed)?;
    perform(identity, verb, &args, left)
}

/// A write that was done.
struct Done {
    verb: Verb,
    described: Rc<Described>,
    plan: Write,
    touched: u64,
    rows: Rows,
}

/// Plans, runs, and checks what the call wanted to be true of the result.
fn perform(identity: &Identity, verb: Verb, args: &Arguments, max_chars: usize) -> Result<Done, Error> {
    let described = table(identity, args, Outcome::NothingChanged)?;
    audit::table(&described.table.schema, &described.table.name);
    let reader = Reader::new(identity);
    may(verb, &described)?;
    let plan = verb.plan_columns(args, &described.table, &reader)?;
    // The row with the number is not for the caller.
    let bounds = Bounds { max_rows: gucs::max_rows(), max_chars, free_rows: u64::from(plan.counted) };
    let temporary = registered::triggers_may_make_temporary_tables(described.table.oid);
    let values = Values::own(&plan.statement.params);
    let mut rows = guard::with_temporary_tables(temporary, || {
        statement::run_columns(&plan.statement, values, None, Access::Write, bounds, plan.outputs)
    })?;
    let mut touched = rows.total;
    if plan.counted {
        // The first row is the number.
        let (number, records) = rows.text.split_once(',').unwrap_or((&rows.text, ""));
        touched = number.parse().map_err(|_| Error::internal("a count that is no number"))?;
        (rows.text, rows.shown, rows.total) = (records.to_owned(), rows.shown - 1, rows.total - 1);
    }
    audit::rows(touched);
    let wrong = match (plan.expect, plan.max_affected) {
        (Some(expect), _) if touched != expect => {
            Some(format!("expect: {} to be {}, it would be {touched}", rows_were(expect), verb.past()))
        }
        (_, Some(most)) if touched > most => Some(format!(
            "max_affected: at most {most} rows were to be {}, it would be {touched}",
            verb.past()
        )),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(Error::refused(
            "21000",
            format!("{wrong}. Nothing was changed."),
            match verb {
                Verb::Insert => "Compare data with what is there; on_conflict and triggers count too.",
                Verb::Update | Verb::Delete => "Look at the rows with query_table and the same filter.",
            }
            .to_owned(),
        ));
    }
    if verb == Verb::Insert && touched == 0 && !plan.ignores {
        return Err(Error::refused(
            "P0002",
            "no row was inserted: a trigger or rule of the table dropped it",
            "Nothing was changed. Ask the table's owner what the trigger expects.".to_owned(),
        ));
    }
    Ok(Done { verb, described, plan, touched, rows })
}

impl Done {
    /// What somebody may have to confirm: nothing of an insert.
    fn touched(&self) -> Option<Touched> {
        let table = &self.described.table;
        (self.verb != Verb::Insert).then(|| Touched {
            verb: self.verb,
            table: show(&format!("{}.{}", table.schema, table.name)),
            rows: self.touched,
            sample: confirm::sample(&self.rows.text),
        })
    }

    /// The answer as a JSON object. `mark` comes first where it holds records.
    fn text(&self, mark: &str, max_chars: usize, notes: &mut Vec<String>) -> String {
        let (past, touched, rows) = (self.verb.past(), self.touched, &self.rows);
        let dry_run = if self.plan.dry_run { r#","dry_run":true"# } else { "" };
        let single = self.verb == Verb::Insert && self.plan.single && !self.plan.dry_run;
        if single && touched == 1 && rows.shown == 1 && rows.total == 1 {
            return rows.text.clone();
        }
        if single && !self.plan.statement.returns {
            return format!(r#"{{"inserted":{touched}}}"#);
        }
        if single && touched == 1 && rows.shown == 0 && rows.cut {
            let why = format!(
                "The row was inserted; it does not fit into {max_chars} characters and is not shown."
            );
            let mut text = r#"{"inserted":1,"truncated":{"why":"#.to_owned();
            push_string(&mut text, &why);
            text.push_str("}}");
            notes.push(why);
            return text;
        }
        let mut text = format!(r#"{{{mark}"{past}":{touched},"records":[{}]{dry_run}"#, rows.text);
        notes.extend(open_list(&rows.text, self.plan.open_list));
        if self.plan.statement.returns && rows.shown < rows.total {
            let why = format!(
                "All {} {past}; {} of {} records are shown, because an answer is bounded to {} rows and {max_chars} characters.",
                rows_were(touched),
                rows.shown,
                rows.total,
                gucs::max_rows()
            );
            text.push_str(r#","truncated":{"why":"#);
            push_string(&mut text, &why);
            text.push('}');
            notes.push(why);
        }
        text.push('}');
        text
    }
}

fn count_of(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

fn rows_were(number: u64) -> String {
    if number == 1 { "1 row was".to_owned() } else { format!("{number} rows were") }
}

/// Refuses a verb that the caller has no privilege for on any column, or that the relation cannot take (a materialized view).
fn may(verb: Verb, described: &Described) -> Result<(), Error> {
    let (name, verbs) = (verb.name(), &described.about.verbs);
    let table = &described.table;
    // Of a view or a foreign table Postgres knows better what is in the way.
    if matches!(table.kind, 'v' | 'f') || verbs.iter().any(|may| may == name) {
        return Ok(());
    }
    let doing = match verb {
        Verb::Insert => "insert into",
        Verb::Update => "update",
        Verb::Delete => "delete from",
    };
    Err(Error::refused(
        "42501",
        format!("you may not {doing} {}.{}. Nothing was changed.", table.schema, table.name),
        match &verbs[..] {
            [] => None,
            verbs => Some(format!("You may: {}. describe_table shows it under you_may.", verbs.join(", "))),
        },
    ))
}

/// The table that the arguments name, as the caller sees it.
fn table(identity: &Identity, args: &Arguments, outcome: Outcome) -> Result<Rc<Described>, Error> {
    let name: TableName = args.table().map_err(|error| error.with_outcome(outcome))?;
    catalog::table(identity, &name)
}

/// The bound of the answer in characters: the argument within the setting.
fn max_chars(args: &Arguments, notes: &mut Vec<String>) -> Result<usize, QueryError> {
    let most = gucs::max_result_chars();
    match args.int("max_chars")? {
        None => Ok(most),
        Some(asked) if asked < 1 => Err(args.unfit("max_chars", "must be 1 or more")),
        Some(asked) => match usize::try_from(asked) {
            Ok(asked) if asked <= most => Ok(asked),
            _ => {
                notes.push(format!("max_chars {asked} was cut to {most}, the most that one answer holds."));
                Ok(most)
            }
        },
    }
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
        push_string(&mut member, note);
    }
    member.push(']');
    member
}
