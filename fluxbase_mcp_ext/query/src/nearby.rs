//! The argument `vector_search` of `query_table`: the rows nearest to a vector, nearest first.
//!
//! ```text
//! vector_search = {query | embedding, column, threshold, metric}
//! ```
//!
//! The threshold is asked of the rows that the LIMIT let through, never below it: an index would go on and look for what cannot come.
//! This module does NOT make embeddings: whoever runs the statement does, see [`near_query`].

use crate::arguments::Arguments;
use crate::error::{Outcome, QueryError};
use crate::json::Json;
use crate::search::DEFAULT_THRESHOLD;
use crate::selection::Selection;
use crate::statement::{Alias, Builder, Statement};
use crate::table::Table;
use crate::vector::{self, Embedding, Metric, Near};

/// What a read by distance needs beside its statement.
#[derive(Debug, Clone, PartialEq)]
pub struct NearRead {
    /// The same question with the distance in a form that no index gives the order of.
    pub exact: Statement,
    /// The column of vectors.
    pub column: String,
    /// By what distances are taken.
    pub metric: Metric,
    /// The operator class of an index that gives the order of that distance.
    pub operator_class: String,
    /// The threshold that nobody asked for.
    pub default_threshold: Option<f64>,
}

/// The argument `vector_search`: rows in the order of their distance to a vector.
pub(crate) struct Nearby<'t> {
    near: Near<'t>,
    literal: String,
    threshold: Option<f64>,
    default_threshold: bool,
}

const NEARBY: &str = "vector_search";

impl<'t> Nearby<'t> {
    /// `embedding` is what the text of its query was made into.
    pub(crate) fn read(
        args: &Arguments,
        table: &'t Table,
        embedding: Option<&Embedding>,
    ) -> Result<Option<Nearby<'t>>, QueryError> {
        let Some(inner) = near_arguments(args)? else { return Ok(None) };
        let asked =
            inner.str("metric")?.map(|text| Metric::parse(&text, "vector_search.metric")).transpose()?;
        let near = match inner.str("column")? {
            Some(name) => Near::new(table, &name, asked, "vector_search.column")?,
            None => Near::only(table, asked, "vector_search.column")?,
        };
        let own =
            inner.raw("embedding").map(|raw| Embedding::read(raw, "vector_search.embedding")).transpose()?;
        let Some(embedding) = own.as_ref().or(embedding) else {
            return Err(QueryError::argument("vector_search.embedding: is missing.").with_hint(
                "Write {\"vector_search\":{\"column\":\"embedding\",\"embedding\":[0.12,-0.5,0.33]}}.",
            ));
        };
        let literal = embedding.literal(&near, table, "vector_search.embedding")?;
        let threshold = vector::threshold(inner.raw("threshold"), near.metric, "vector_search.threshold")?;
        let default_threshold = threshold.is_none() && near.metric.has_similarity();
        let threshold = if default_threshold { Some(DEFAULT_THRESHOLD) } else { threshold };
        Ok(Some(Nearby { near, literal, threshold, default_threshold }))
    }

    /// What the answer gets beside the outputs of select.
    fn member(&self) -> &'static str {
        if self.near.metric.has_similarity() { "similarity" } else { "distance" }
    }

    /// Refuses what has no meaning beside it.
    pub(crate) fn check(
        &self,
        args: &Arguments,
        selection: &Selection<'_>,
        grouped: bool,
    ) -> Result<(), QueryError> {
        for unread in ["order", "cursor", "count"] {
            let blank = args.raw(unread).is_none_or(|raw| raw.get() == "\"\"");
            if !blank {
                return Err(QueryError::argument(format!(
                    "{unread}: cannot be given together with vector_search, which gives the nearest rows first."
                ))
                .with_hint(format!("Leave {unread} out; page with limit and offset.")));
            }
        }
        if grouped {
            return Err(QueryError::argument("select: vector_search finds rows, not groups.")
                .with_hint("Leave the aggregates out."));
        }
        let member = self.member();
        if selection.outputs.iter().any(|output| output.name == member) {
            return Err(QueryError::argument(format!(
                "select: {member} is what vector_search adds to each row."
            ))
            .with_hint(format!("Give that column another name in select: own_{member}:{member}.")));
        }
        Ok(())
    }

    /// The text of the statement, and what goes with it.
    pub(crate) fn finish(
        self,
        builder: &mut Builder,
        outputs: &str,
        from: &str,
        has_conditions: bool,
        rows: u64,
        offset: u64,
    ) -> (String, NearRead) {
        let Nearby { near, literal, threshold, default_threshold } = &self;
        let distance = near.distance(builder, Alias::TOP, literal, "vector_search.embedding");
        let within = near.within(builder, "_c.d", *threshold, "vector_search.threshold");
        let value = if near.metric.has_similarity() {
            near.similarity(&format!("({distance})"))
        } else {
            distance.clone()
        };
        let and = if has_conditions { "AND" } else { "WHERE" };
        let filled = near.filled(builder, Alias::TOP);
        let sql = |order: &str| {
            let offset = if offset > 0 { format!(" OFFSET {offset}") } else { String::new() };
            format!(
                "SELECT CASE WHEN {within} THEN _c.r END FROM (SELECT (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT {outputs}, \
                 {value} AS {}) AS _r) AS r, {distance} AS d FROM {from} {and} {filled} ORDER BY {distance}{order} LIMIT {rows}{offset}) AS _c ORDER BY \
                 _c.d",
                self.member()
            )
        };
        let exact = builder.statement_of(sql(" OPERATOR(pg_catalog.+) 0::pg_catalog.float8"));
        let read = NearRead {
            exact,
            column: near.column.name.clone(),
            metric: near.metric,
            operator_class: near.metric.operator_class(near.vector.kind),
            default_threshold: threshold.filter(|_| *default_threshold),
        };
        (sql(""), read)
    }
}

/// The members of `vector_search`.
fn near_arguments(args: &Arguments) -> Result<Option<Arguments>, QueryError> {
    const KNOWN: [&str; 5] = ["query", "embedding", "column", "threshold", "metric"];
    let Some(raw) = args.raw(NEARBY) else { return Ok(None) };
    let Json::Object(object) = Json::read(raw, NEARBY)? else {
        return Err(QueryError::argument("vector_search: must be an object.").with_hint(
            "Write {\"vector_search\":{\"query\":\"how do I pay?\",\"column\":\"embedding\",\"threshold\":0.5}}.",
        ));
    };
    let inner = Arguments::parse_at(object.get(), NEARBY)?;
    inner.only_at(NEARBY, &KNOWN)?;
    Ok(Some(inner))
}

/// The text in `vector_search` that must become a vector before anything is read; `None` when there is none, or a vector is there
/// already.
///
/// # Errors
/// `vector_search` is not understood.
pub fn near_query(args: &Arguments) -> Result<Option<String>, QueryError> {
    let read = || {
        let Some(inner) = near_arguments(args)? else { return Ok(None) };
        if inner.raw("embedding").is_some() {
            if inner.raw("query").is_some() {
                return Err(QueryError::argument("vector_search: has both query and embedding.")
                    .with_hint("Give one of them."));
            }
            return Ok(None);
        }
        match inner.str("query")?.filter(|query| !query.trim().is_empty()) {
            Some(query) => Ok(Some(query)),
            None => Err(QueryError::argument("vector_search.query: is missing.").with_hint(
                "Write {\"vector_search\":{\"query\":\"how do I pay?\",\"column\":\"embedding\"}}, or give embedding.",
            )),
        }
    };
    read().map_err(|error: QueryError| error.with_outcome(Outcome::NothingRead))
}
