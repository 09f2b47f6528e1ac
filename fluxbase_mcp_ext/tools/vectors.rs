//! `search_vectors`: the rows nearest to a text or a vector, of knowledge bases or of a table.
//!
//! Invariants:
//! - Every statement runs as the caller, so policies decide what is a neighbour: a row that the caller may not see is neither found nor
//!   counted, and moves no score.
//! - An index that gave fewer rows than there may be (a filter, a policy, vectors that it does not reach) is not believed: the rows are
//!   then compared one by one. See docs/decisions/0013-searching-by-vectors.md for the figures.
//! - A knowledge base whose table the caller may not read is as unknown as one that does not exist.
//!
//! What a search may say is in the crate `fluxbase_query`; vectors of texts are `embedding`'s.

mod knowledge;

use std::cmp::Ordering;
use std::ffi::CString;
use std::rc::Rc;

use fluxbase_protocol::push_string;
use fluxbase_query::{
    Arguments, Metric, Mode, NearRead, Outcome as Undone, QueryError, Question, Search, Source, Statement,
    search as plan,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Done, Outcome, UNTRUSTED, object};
use crate::audit;
use crate::catalog::vectors::{Pgvector, indexes, pgvector};
use crate::catalog::{self, Described, Reader};
use crate::dispatch::Request;
use crate::embedding::{Embedded, embed};
use crate::error::Error;
use crate::guard::{self, Access};
use crate::gucs;
use crate::statement::{self, Bounds, Rows};

/// The tuples that an HNSW index is gone through for one search before rows are compared one by one: for each row that is wanted, and at
/// least; and how many neighbours it keeps in view. Measured: docs/decisions/0013-searching-by-vectors.md.
const TUPLES_PER_ROW: u64 = 40;
const LEAST_TUPLES: u64 = 2000;
const EF_SEARCH: i32 = 100;

/// Whether this database can search by vectors.
pub fn is_possible() -> bool {
    matches!(pgvector(), Ok(Some(_)))
}

/// `search_vectors`.
pub fn search(request: &Request<'_>) -> Result<Done, Error> {
    let nothing_read = |error: QueryError| error.with_outcome(Undone::NothingRead);
    let args = Arguments::parse(request.arguments).map_err(nothing_read)?;
    let question = Question::read(&args)?;
    let pgvector = usable()?;
    let mut sources = sources(request, &args, &question)?;
    let (mut model, mut notes) = (None, question.notes.clone());
    if question.to_embed().is_some() {
        let left_out;
        (sources, model, left_out) = knowledge::of_one_model(sources, question.knowledge_bases.is_some())?;
        notes.extend(left_out);
    }
    let mut embedding = question.embedding.clone();
    if let Some(text) = question.to_embed() {
        let fitting: Vec<(String, i32)> = sources
            .iter()
            .filter_map(|(source, described, _)| dimensions_of(described, source.embedding.as_deref()))
            .collect();
        match embed(request, text, model.as_deref(), &fitting)? {
            Embedded::Vector(vector) => embedding = Some(vector),
            Embedded::Pending(id) => return Ok(Done::kept(Outcome::Pending(id))),
        }
    }
    let mut found = Vec::new();
    let mut unfit = None;
    for (source, described, _) in &sources {
        let indexes = indexes(described.table.oid)?;
        let reader = Reader::new(request.identity);
        let planned = plan(&args, &question, source, &described.table, &reader, &indexes, embedding.as_ref());
        match planned {
            Ok(search) => found.push(run(search, &pgvector, &mut notes)?),
            // Of knowledge bases that nobody named, those that the vector does not fit are passed over.
            Err(error @ (QueryError::Type(_) | QueryError::Operator(_)))
                if question.knowledge_bases.is_none() && !question.has_table && sources.len() > 1 =>
            {
                let name = source.name.as_deref().unwrap_or_default();
                notes.push(format!("Knowledge base {name} was left out: {}", error.message()));
                unfit.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    if found.is_empty()
        && let Some(error) = unfit
    {
        return Err(error.into());
    }
    answer(request, &question, found, notes)
}

/// pgvector, or why there is nothing to search with.
fn usable() -> Result<Rc<Pgvector>, Error> {
    let Some(found) = pgvector()? else {
        return Err(Error::refused(
            "0A000",
            "pgvector is not in this database, so there are no vectors to search. Nothing was read.",
            "An administrator runs: CREATE EXTENSION vector; mcp.doctor() says how to get it.".to_owned(),
        ));
    };
    if !found.usable {
        let (schema, role) = (&found.schema, &found.role);
        return Err(Error::refused(
            "42501",
            format!(
                "you may not use what is in schema {schema}, where pgvector's operators are. Nothing was read."
            ),
            format!("An administrator runs: GRANT USAGE ON SCHEMA {schema} TO {role};"),
        ));
    }
    Ok(found)
}

/// What is searched, with the tables as the caller sees them.
fn sources(
    request: &Request<'_>,
    args: &Arguments,
    question: &Question,
) -> Result<Vec<knowledge::Searched>, Error> {
    if question.has_table {
        let name = args.table().map_err(|error| error.with_outcome(Undone::NothingRead))?;
        let described = catalog::table(request.identity, &name)?;
        let source = Source::guess(&described.table, question.column.clone());
        return Ok(vec![(source, described, None)]);
    }
    knowledge::find(request.identity, question.knowledge_bases.as_deref())
}

/// A column of vectors, the only one where none is named, as a message shows it, and how many dimensions it has.
fn dimensions_of(described: &Described, column: Option<&str>) -> Option<(String, i32)> {
    let table = &described.table;
    let column = table.columns.iter().find(|known| match column {
        Some(name) => known.name == name,
        None => known.vector.is_some(),
    })?;
    Some((format!("{}.{}", table.name, column.name), column.typmod))
}

/// The same of the column that `vector_search` names.
pub fn dimensions(args: &Arguments, described: &Described) -> Vec<(String, i32)> {
    #[derive(Deserialize)]
    struct Inner {
        column: Option<String>,
    }
    let inner = args.raw("vector_search").and_then(|raw| serde_json::from_str::<Inner>(raw.get()).ok());
    inner.and_then(|inner| dimensions_of(described, inner.column.as_deref())).into_iter().collect()
}

/// One source, searched.
struct Found {
    rows: Rows,
    metric: Option<Metric>,
    ranking: Option<String>,
}

/// Runs the statement, and the exact one when the index gave less than there may be.
fn run(search: Search, pgvector: &Pgvector, notes: &mut Vec<String>) -> Result<Found, Error> {
    let hybrid = search.ranking.is_some();
    let candidates = |rows: &Rows| match hybrid {
        true => rows.last.as_ref().and_then(|keys| keys.first()?.as_ref()?.parse().ok()).unwrap_or(0),
        false => rows.total,
    };
    let wanted = search.metric.map(|_| search.wanted);
    let bounds = Bounds { max_rows: u64::MAX, max_chars: gucs::max_result_chars(), free_rows: 0 };
    let rows = nearest(&search.statement, search.exact.as_ref(), wanted, pgvector, bounds, candidates)?;
    if rows.blank > 0
        && let Some(threshold) = search.default_threshold
    {
        notes.push(left_out(rows.blank, threshold));
    }
    notes.extend(search.notes);
    Ok(Found { rows, metric: search.metric, ranking: search.ranking })
}

/// What to say of rows below a threshold that nobody asked for.
fn left_out(rows: u64, threshold: f64) -> String {
    let were =
        if rows == 1 { "1 of the nearest rows was" } else { &format!("{rows} of the nearest rows were") };
    format!(
        "{were} left out: less similar than {threshold}, the default threshold. threshold 0 leaves nothing out."
    )
}

/// Runs `statement` with an index that goes on where a filter leaves too few rows; and `exact` when it still gave fewer than `wanted`.
fn nearest(
    statement: &Statement,
    exact: Option<&Statement>,
    wanted: Option<u64>,
    pgvector: &Pgvector,
    bounds: Bounds,
    candidates: impl Fn(&Rows) -> u64,
) -> Result<Rows, Error> {
    let read = |statement: &Statement| statement::run(statement, Access::Read, bounds);
    let (Some(exact), Some(wanted)) = (exact, wanted) else { return read(statement) };
    let rows = guard::with_settings(&settings(pgvector, wanted), || read(statement))?;
    if rows.cut || candidates(&rows) >= wanted {
        return Ok(rows);
    }
    read(exact)
}

/// [`nearest`] for `query_table`.
pub fn nearest_rows(
    statement: &Statement,
    near: &NearRead,
    table: &Described,
    wanted: u64,
    bounds: Bounds,
) -> Result<Rows, Error> {
    let pgvector = usable()?;
    let indexes = indexes(table.table.oid)?;
    let served = indexes
        .vectors
        .iter()
        .any(|index| index.column == near.column && index.operator_class == near.operator_class);
    let exact = (served || !indexes.known).then_some(&near.exact);
    nearest(statement, exact, Some(wanted), &pgvector, bounds, |rows| rows.total)
}

/// What to say of a threshold that nobody asked for, when it left out rows.
pub fn threshold_note(near: &NearRead, rows: &Rows) -> Option<String> {
    near.default_threshold.filter(|_| rows.blank > 0).map(|threshold| left_out(rows.blank, threshold))
}

/// How indexes are searched. What the role or the database set higher stays.
fn settings(pgvector: &Pgvector, wanted: u64) -> Vec<(CString, CString)> {
    let ef_search = i32::try_from(wanted).unwrap_or(EF_SEARCH).clamp(EF_SEARCH, 1000);
    let mut settings = vec![("hnsw.ef_search", ef_search.max(current("hnsw.ef_search")).to_string())];
    if pgvector.goes_on() {
        // Relaxed: the statement sorts the rows by itself.
        settings.push(("hnsw.iterative_scan", "relaxed_order".to_owned()));
        settings.push(("hnsw.max_scan_tuples", (wanted * TUPLES_PER_ROW).max(LEAST_TUPLES).to_string()));
        settings.push(("ivfflat.iterative_scan", "relaxed_order".to_owned()));
    }
    let pair = |(name, value): (&str, String)| Some((CString::new(name).ok()?, CString::new(value).ok()?));
    settings.into_iter().filter_map(pair).collect()
}

/// A setting of pgvector's that is a number; 0 when its library is not loaded yet and nobody set it.
fn current(name: &str) -> i32 {
    CString::new(name)
        .ok()
        .and_then(|name| guard::setting(&name))
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// By what results of several sources are put into one order.
#[derive(Deserialize)]
struct Place {
    similarity: Option<f64>,
    distance: Option<f64>,
    score: Option<f64>,
    scores: Option<Scores>,
}

#[derive(Deserialize)]
struct Scores {
    text_score: Option<f64>,
    text_words: Option<String>,
}

impl Place {
    /// Less comes first.
    fn rank(&self, mode: Mode) -> (u8, f64) {
        match mode {
            Mode::Vector => (0, self.distance.unwrap_or_else(|| -self.similarity.unwrap_or(0.0))),
            Mode::Hybrid => (0, -self.score.unwrap_or(0.0)),
            Mode::Text => {
                let scores = self.scores.as_ref();
                let any = scores.and_then(|scores| scores.text_words.as_deref()) == Some("any");
                (u8::from(any), -scores.and_then(|scores| scores.text_score).unwrap_or(0.0))
            }
        }
    }
}

fn answer(
    request: &Request<'_>,
    question: &Question,
    mut found: Vec<Found>,
    mut notes: Vec<String>,
) -> Result<Done, Error> {
    let mut cut = found.iter().any(|found| found.rows.cut);
    let ranking = found.iter().find_map(|found| found.ranking.clone());
    let (results, count) = match &mut found[..] {
        [one] => (std::mem::take(&mut one.rows.text), one.rows.shown),
        several => {
            let (results, count, whole) = merged(several, question)?;
            cut |= !whole;
            (results, count)
        }
    };
    audit::rows(count);
    if cut {
        if count == 0 {
            return Err(Error::refused(
                "54000",
                format!(
                    "the first result alone is larger than {} characters, the bound of this answer",
                    gucs::max_result_chars()
                ),
                "Read it with query_table, which takes only the columns that select names.".to_owned(),
            ));
        }
        notes.push(format!(
            "truncated: the results reached {} characters. A lower limit, or query_table with fewer columns, shows the rest.",
            gucs::max_result_chars()
        ));
    }
    let mut text = String::with_capacity(results.len() + 128);
    text.push('{');
    if request.structured {
        text.push_str(UNTRUSTED);
    }
    text.push_str(r#""query":"#);
    match &question.query {
        Some(query) => push_string(&mut text, query),
        None => text.push_str("null"),
    }
    text.push_str(r#","results":["#);
    text.push_str(&results);
    text.push_str(&format!(r#"],"count":{count}"#));
    if let Some(ranking) = ranking {
        text.push_str(r#","ranking":"#);
        push_string(&mut text, &ranking);
    }
    if !notes.is_empty() {
        text.push_str(r#","notes":["#);
        for (n, note) in notes.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            push_string(&mut text, note);
        }
        text.push(']');
    }
    text.push('}');
    Ok(object(text, Vec::new()).into())
}

/// The best results of several sources, as many as were asked for and fit into an answer: their text, how many they are, and whether that
/// is all of them.
fn merged(found: &mut [Found], question: &Question) -> Result<(String, u64, bool), Error> {
    let mut metrics = found.iter().filter_map(|found| found.metric);
    let first = metrics.next();
    if question.mode == Mode::Vector
        && let Some(other) = metrics.find(|metric| Some(*metric) != first)
    {
        return Err(Error::refused(
            "22023",
            format!(
                "these knowledge bases measure distance in different ways ({}, {}), which cannot be put into one order. Nothing was read.",
                first.map_or("", Metric::name),
                other.name()
            ),
            "Search them one by one with knowledge_bases, or give metric, or take mode hybrid.".to_owned(),
        ));
    }
    let mut all: Vec<((u8, f64), Box<RawValue>)> = Vec::new();
    for found in found {
        let rows: Vec<Box<RawValue>> = serde_json::from_str(&format!("[{}]", found.rows.text))
            .map_err(|error| Error::internal(&format!("rows of a search: {error}")))?;
        for row in rows {
            let place: Place = serde_json::from_str(row.get())
                .map_err(|error| Error::internal(&format!("a row of a search: {error}")))?;
            all.push((place.rank(question.mode), row));
        }
    }
    all.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let limit = usize::try_from(question.limit).unwrap_or(usize::MAX);
    let mut left = gucs::max_result_chars();
    let mut fits = |row: &&str| {
        let chars = row.chars().count() + 1;
        let fits = chars <= left;
        left = left.saturating_sub(chars);
        fits
    };
    let best: Vec<&str> = all.iter().take(limit).map(|(_, row)| row.get()).take_while(&mut fits).collect();
    let whole = best.len() == all.len().min(limit);
    Ok((best.join(","), best.len() as u64, whole))
}
