//! Searching by meaning and by words: the arguments of `search_vectors` to one statement for each source.
//!
//! ```text
//! vector   SELECT CASE WHEN near enough THEN row END
//!            FROM (SELECT t."id" AS c0, …, t."e" <=> $1 AS d FROM "s"."t" AS t WHERE … ORDER BY t."e" <=> $1 LIMIT n) AS _c ORDER BY d
//! text     WITH _w (words, counted), _i (weighed), _d (rows with a rarer one), _f (the best of them, and their ranks)
//! hybrid   WITH _n (nearest), _v (their ranks), …, _f, fused by key: sum(weight * evidence / (60 + rank)), the best n joined back
//! ```
//!
//! - Each side has a LIMIT of its own below everything else, so that its index gives the order: what is not in the first n of it is
//!   not read. A threshold is asked of those n, never inside: an index would go on and look for what cannot come.
//! - The row of a candidate that is not near enough is NULL: it is counted and not shown.
//! - [`Search::exact`] is the same question with the distance in a form that no index gives the order of.
//!
//! A source is a table and what its columns mean. This module does NOT look anything up and does NOT make embeddings.

mod metadata;
mod plan;

use crate::arguments::Arguments;
use crate::catalog::Catalog;
use crate::error::{Outcome, QueryError, place, show};
use crate::json::Json;
use crate::names::{nearest, written};
use crate::statement::Statement;
use crate::table::{Column, Table, oid};
use crate::vector::{Embedding, Metric, Near};

/// The arguments of `search_vectors`.
pub const SEARCH_ARGUMENTS: [&str; 13] = [
    "query",
    "embedding",
    "knowledge_bases",
    "table",
    "column",
    "mode",
    "metric",
    "filter",
    "metadata_filter",
    "tags",
    "threshold",
    "text_weight",
    "limit",
];

const DEFAULT_LIMIT: u64 = 5;
const MAX_LIMIT: u64 = 100;

/// The least similarity when neither the call nor the knowledge base says one.
pub(crate) const DEFAULT_THRESHOLD: f64 = 0.7;

/// Most characters of a query.
const MAX_QUERY: usize = 32_768;

/// By what rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By the distance between vectors.
    Vector,
    /// By words.
    Text,
    /// By both.
    Hybrid,
}

/// The arguments of a search that are the same for every source.
#[derive(Debug, Clone)]
pub struct Question {
    /// The text to search for.
    pub query: Option<String>,
    /// The vector to search for.
    pub embedding: Option<Embedding>,
    /// By name; `None` when not given.
    pub knowledge_bases: Option<Vec<String>>,
    /// Whether `table` was given.
    pub has_table: bool,
    /// The column of vectors of `table`.
    pub column: Option<String>,
    /// By what.
    pub mode: Mode,
    /// The most rows, from 1 to 100.
    pub limit: u64,
    /// What the caller must be told.
    pub notes: Vec<String>,
    metric: Option<Metric>,
    text_weight: Option<f64>,
}

impl Question {
    /// Reads and checks what needs no table.
    ///
    /// # Errors
    /// The first thing that was not understood.
    pub fn read(args: &Arguments) -> Result<Question, QueryError> {
        Question::parse(args).map_err(|error| error.with_outcome(Outcome::NothingRead))
    }

    fn parse(args: &Arguments) -> Result<Question, QueryError> {
        args.only(&SEARCH_ARGUMENTS)?;
        let query = args.str("query")?.filter(|query| !query.trim().is_empty());
        if query.as_ref().is_some_and(|query| query.chars().count() > MAX_QUERY) {
            return Err(QueryError::argument(format!("query: is longer than {MAX_QUERY} characters.")));
        }
        let embedding = args.raw("embedding").map(|raw| Embedding::read(raw, "embedding")).transpose()?;
        if query.is_none() && embedding.is_none() {
            return Err(QueryError::argument("query: is missing.")
                .with_hint("Write {\"query\":\"how do I reset my password?\"}, or give embedding."));
        }
        let mode = match args.str("mode")?.as_deref() {
            None | Some("vector") => Mode::Vector,
            Some("text") => Mode::Text,
            Some("hybrid") => Mode::Hybrid,
            Some(other) => {
                let near = nearest(other, ["vector", "text", "hybrid"].into_iter())
                    .map_or_else(String::new, |near| format!("Did you mean {near}? "));
                return Err(QueryError::argument(format!("mode: {} is no way to search.", show(other)))
                    .with_hint(format!("{near}Write vector, text or hybrid.")));
            }
        };
        if mode != Mode::Vector && query.is_none() {
            return Err(QueryError::argument("query: is missing; this mode searches for words.")
                .with_hint("Give query, or take mode vector."));
        }
        for unread in ["embedding", "metric", "threshold"] {
            if mode == Mode::Text && args.raw(unread).is_some() {
                return Err(QueryError::argument(format!("{unread}: has no meaning in mode text."))
                    .with_hint("Leave it out, or take mode vector or hybrid."));
            }
        }
        if mode != Mode::Hybrid && args.raw("text_weight").is_some() {
            return Err(QueryError::argument("text_weight: has a meaning in mode hybrid only.")
                .with_hint("Leave it out, or take mode hybrid."));
        }
        let text_weight = weight(args)?;
        let metric = args.str("metric")?.map(|text| Metric::parse(&text, "metric")).transpose()?;
        let knowledge_bases = args.texts("knowledge_bases")?;
        let has_table = args.raw("table").is_some();
        if knowledge_bases.is_some() && has_table {
            return Err(QueryError::argument("table: cannot be given together with knowledge_bases.")
                .with_hint("Give knowledge_bases, or table and column."));
        }
        if knowledge_bases.as_ref().is_some_and(Vec::is_empty) {
            return Err(QueryError::argument("knowledge_bases: is an empty list.")
                .with_hint("Leave it out to search all that you may use."));
        }
        let column = args.str("column")?;
        if column.is_some() && !has_table {
            return Err(QueryError::argument("column: belongs to table, which is missing.")
                .with_hint("Write {\"table\":\"docs\",\"column\":\"embedding\"}."));
        }
        let mut notes = Vec::new();
        let limit = match args.int("limit")? {
            None => DEFAULT_LIMIT,
            Some(limit) if limit < 1 => {
                return Err(QueryError::argument(format!("limit: must be 1 or more, not {limit}.")));
            }
            Some(limit) => {
                let limit = limit.unsigned_abs();
                if limit > MAX_LIMIT {
                    notes.push(format!(
                        "limit {limit} was cut to {MAX_LIMIT}, the most that one answer holds."
                    ));
                }
                limit.min(MAX_LIMIT)
            }
        };
        Ok(Question {
            query,
            embedding,
            knowledge_bases,
            has_table,
            column,
            mode,
            limit,
            notes,
            metric,
            text_weight,
        })
    }

    /// The text that must become a vector before anything is searched.
    pub fn to_embed(&self) -> Option<&str> {
        if self.mode == Mode::Text || self.embedding.is_some() { None } else { self.query.as_deref() }
    }
}

fn weight(args: &Arguments) -> Result<Option<f64>, QueryError> {
    let Some(raw) = args.raw("text_weight") else { return Ok(None) };
    match Json::read(raw, "text_weight")? {
        Json::Number(text) if text.parse::<f64>().is_ok_and(|value| (0.0..=1.0).contains(&value)) => {
            Ok(text.parse().ok())
        }
        _ => Err(QueryError::argument("text_weight: must be a number from 0 to 1.")
            .with_hint("0.3 lets words count 0.3 and meaning 0.7.")),
    }
}

/// A table that can be searched, and what its columns mean; names, unquoted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Source {
    /// The knowledge base's name; `None` for a table that the call names.
    pub name: Option<String>,
    /// The column of vectors; `None`: the only one.
    pub embedding: Option<String>,
    /// The text that is shown.
    pub content: Option<String>,
    /// What the row is a piece of.
    pub document_id: Option<String>,
    /// Title of that.
    pub title: Option<String>,
    /// A list of texts.
    pub tags: Option<String>,
    /// json or jsonb.
    pub metadata: Option<String>,
    /// The column of type tsvector that words are looked for in; `None`: in the content.
    pub search: Option<String>,
    /// The text search configuration, its oid; `None`: the one of the index on the content.
    pub configuration: Option<u32>,
    /// What it is searched by unless the call says otherwise.
    pub metric: Option<Metric>,
    /// The least similarity unless the call says otherwise.
    pub threshold: Option<f64>,
    /// How much words count unless the call says otherwise.
    pub text_weight: Option<f64>,
}

impl Source {
    /// What the columns of a table that nobody has registered mean, by their names and types.
    pub fn guess(table: &Table, embedding: Option<String>) -> Source {
        let named = |names: &[&str], fits: &dyn Fn(&Column) -> bool| {
            names
                .iter()
                .find_map(|name| table.readable(name).filter(|column| fits(column)))
                .map(|column| column.name.clone())
        };
        let is_text = |column: &Column| column.category == 'S';
        let mut searched = table.columns.iter().filter(|c| c.select && c.base_oid == oid::TSVECTOR);
        let search = searched.next().filter(|_| searched.next().is_none());
        Source {
            embedding,
            content: named(&["content", "text", "chunk", "body", "description"], &is_text),
            document_id: named(&["document_id", "doc_id"], &|_| true),
            title: named(&["document_title", "title", "name"], &is_text),
            tags: named(&["tags"], &|column| column.is_array() || column.base_oid == oid::JSONB),
            metadata: named(&["metadata"], &Column::is_json),
            search: search.map(|column| column.name.clone()),
            ..Source::default()
        }
    }
}

/// The indexes of a table that a search can use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// Whether they are known: of a view or a foreign table they are not.
    pub known: bool,
    /// Those that give rows in the order of a distance.
    pub vectors: Vec<VectorIndex>,
    /// Those that find words.
    pub texts: Vec<TextIndex>,
}

/// An index (HNSW, IVFFlat) on a column of vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorIndex {
    /// The column's name.
    pub column: String,
    /// `pg_opclass.opcname`.
    pub operator_class: String,
}

/// An index (GIN, GiST) for words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextIndex {
    /// The column's name.
    pub column: String,
    /// Of `to_tsvector(configuration, column)`; `None` for a column of type tsvector.
    pub configuration: Option<u32>,
}

/// What to run for one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Rows in the order of the answer; a row of NULL is a candidate that is not near enough. In mode hybrid the second column is how
    /// many vectors were compared with the threshold.
    pub statement: Statement,
    /// The same without an index for the distance, where one may have given too few rows.
    pub exact: Option<Statement>,
    /// By what distances are taken; `None` in mode text.
    pub metric: Option<Metric>,
    /// How many vectors should have been found, if there are that many.
    pub wanted: u64,
    /// The threshold that nobody asked for.
    pub default_threshold: Option<f64>,
    /// How the score of a hybrid search comes about.
    pub ranking: Option<String>,
    /// What the caller must be told.
    pub notes: Vec<String>,
}

/// Searches one source. `embedding` is the question's own, or what its text was made into.
///
/// # Errors
/// The first thing that was not understood, or that this table cannot do.
pub fn search<'t>(
    args: &Arguments,
    question: &Question,
    source: &Source,
    table: &'t Table,
    catalog: &'t dyn Catalog,
    indexes: &Indexes,
    embedding: Option<&Embedding>,
) -> Result<Search, QueryError> {
    let plan = plan::Plan::new(args, question, source, table, catalog, indexes, embedding);
    plan.map(|plan| plan.search()).map_err(|error| error.with_outcome(Outcome::NothingRead))
}

impl Indexes {
    /// Whether one of them gives the order of that distance.
    pub(super) fn serve(&self, near: &Near<'_>) -> bool {
        let class = near.metric.operator_class(near.vector.kind);
        self.vectors.iter().any(|index| index.column == near.column.name && index.operator_class == class)
    }

    pub(super) fn missing(&self, near: &Near<'_>, table: &Table) -> String {
        let class = near.metric.operator_class(near.vector.kind);
        let (metric, column) = (near.metric.name(), place("", &near.column.name));
        let others: Vec<&str> = self
            .vectors
            .iter()
            .filter(|index| index.column == near.column.name)
            .map(|index| index.operator_class.as_str())
            .collect();
        let other = match others.is_empty() {
            true => String::new(),
            false => format!(" (there is {})", others.join(", ")),
        };
        let class = match near.vector.schema.as_str() {
            "public" => class,
            schema => format!("{}.{class}", written(schema)),
        };
        format!(
            "No index on {column} serves metric {metric}{other}: every row was compared. Its owner can run: CREATE INDEX ON {} USING \
             hnsw ({} {class});",
            table.shown(),
            written(&near.column.name),
        )
    }
}
