//! Vectors of pgvector: the kinds of columns, the metrics, and a caller's vector as text for an input function.
//!
//! ```text
//! embedding = [number, …]                       vector, halfvec, sparsevec
//!           | "[0.1,0.2]"                       the same as text
//!           | "{1:0.5,3:1}/5"                   sparsevec
//!           | "10110"                           bit
//! ```
//!
//! Numbers stay the text that the caller sent. What a column cannot hold is refused here, before anything is run: the wrong number
//! of dimensions, numbers that overflow, a vector without a direction where only directions are compared. Operators are those of
//! the schema that pgvector is in. This module does NOT put statements together: see `read` and `search`.

use serde_json::value::RawValue;

use crate::error::{QueryError, place, show};
use crate::json::{Json, elements};
use crate::names::{nearest, push_ident};
use crate::statement::{Alias, Builder};
use crate::table::{Column, Table, VectorKind, VectorType};

/// The most numbers of one vector: pgvector's bound for `vector` and `halfvec`.
const MAX_DIMENSIONS: usize = 16_000;

/// The greatest finite number of a halfvec.
const MAX_HALF: f32 = 65_504.0;

/// The longest text form, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// How far two vectors are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// One minus the cosine of the angle.
    Cosine,
    /// Euclidean distance.
    L2,
    /// The inner product, negated: less is nearer.
    InnerProduct,
    /// Taxicab distance.
    L1,
    /// Bits that differ.
    Hamming,
    /// One minus the share of the common bits.
    Jaccard,
}

use Metric::*;

const METRICS: [Metric; 6] = [Cosine, L2, InnerProduct, L1, Hamming, Jaccard];

/// What callers who know other systems write, and what they mean.
const HABITS: [(&str, Metric); 9] = [
    ("cos", Cosine),
    ("euclidean", L2),
    ("euclid", L2),
    ("ip", InnerProduct),
    ("dot", InnerProduct),
    ("dot_product", InnerProduct),
    ("dotproduct", InnerProduct),
    ("manhattan", L1),
    ("taxicab", L1),
];

impl Metric {
    /// The name that callers write.
    pub fn name(self) -> &'static str {
        match self {
            Cosine => "cosine",
            L2 => "l2",
            InnerProduct => "inner_product",
            L1 => "l1",
            Hamming => "hamming",
            Jaccard => "jaccard",
        }
    }

    /// The metric of that name; `at` is the argument's place.
    ///
    /// # Errors
    /// An unknown name (22023).
    pub fn parse(text: &str, at: &str) -> Result<Metric, QueryError> {
        let lower = text.trim().to_ascii_lowercase();
        let known = METRICS.into_iter().find(|metric| metric.name() == lower);
        let meant = HABITS.into_iter().find(|(habit, _)| *habit == lower).map(|(_, metric)| metric);
        known.or(meant).ok_or_else(|| {
            let names = METRICS.map(Metric::name);
            let near = nearest(&lower, names.into_iter())
                .map_or_else(String::new, |near| format!("Did you mean {near}? "));
            QueryError::argument(format!("{at}: {} is no metric.", show(text)))
                .with_hint(format!("{near}Write {}.", names.join(", ")))
        })
    }

    /// What is taken when nobody says anything.
    pub fn default_of(kind: VectorKind) -> Metric {
        if kind == VectorKind::Bit { Hamming } else { Cosine }
    }

    /// Whether nearness is a similarity from 0 to 1; otherwise only a distance is told.
    pub fn has_similarity(self) -> bool {
        matches!(self, Cosine | Jaccard)
    }

    fn fits(self, kind: VectorKind) -> bool {
        matches!(self, Hamming | Jaccard) == (kind == VectorKind::Bit)
    }

    fn symbol(self) -> &'static str {
        match self {
            Cosine => "<=>",
            L2 => "<->",
            InnerProduct => "<#>",
            L1 => "<+>",
            Hamming => "<~>",
            Jaccard => "<%>",
        }
    }

    /// The operator class that an index serves this metric with: `vector_cosine_ops`.
    pub fn operator_class(self, kind: VectorKind) -> String {
        let end = match self {
            Cosine => "cosine",
            L2 => "l2",
            InnerProduct => "ip",
            L1 => "l1",
            Hamming => "hamming",
            Jaccard => "jaccard",
        };
        format!("{}_{end}_ops", kind.name())
    }
}

/// A vector that a caller gave, or that was made of a caller's text.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Form);

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// A list as it was written, without blanks, and what the numbers are.
    Numbers(String, Vec<f64>),
    /// The text form of a sparsevec or a bit string.
    Text(String),
}

impl Embedding {
    /// The vector of these numbers, which are finite.
    pub fn of(numbers: &[f32]) -> Embedding {
        let texts: Vec<String> = numbers.iter().map(f32::to_string).collect();
        Embedding(Form::Numbers(
            format!("[{}]", texts.join(",")),
            numbers.iter().copied().map(f64::from).collect(),
        ))
    }

    /// Reads the argument that stands at `at`.
    pub(crate) fn read(raw: &RawValue, at: &str) -> Result<Embedding, QueryError> {
        match Json::read(raw, at)? {
            Json::Array(list) => numbers(list, at),
            Json::String(text) if text.len() > MAX_TEXT => Err(QueryError::argument(format!(
                "{at}: is longer than {MAX_TEXT} bytes, more than any vector is."
            ))),
            Json::String(text) => {
                let text = text.trim();
                match serde_json::from_str::<&RawValue>(text) {
                    Ok(list) if text.starts_with('[') => numbers(list, at),
                    _ => Ok(Embedding(Form::Text(text.to_owned()))),
                }
            }
            other => {
                Err(QueryError::argument(format!("{at}: must be a list of numbers, not {}.", other.kind()))
                    .with_hint("Write [0.12,-0.5,0.33], as many numbers as the column has dimensions."))
            }
        }
    }

    /// The text that the input function of the column's type reads.
    pub(crate) fn literal(&self, near: &Near<'_>, table: &Table, at: &str) -> Result<String, QueryError> {
        let (column, kind) = (near.column, near.vector.kind);
        let shown =
            || format!("{}.{} is {}", table.shown(), place("", &column.name), type_shown(column, kind));
        let (dimensions, text) = match (&self.0, kind) {
            (
                Form::Numbers(text, numbers),
                VectorKind::Vector | VectorKind::Halfvec | VectorKind::Sparsevec,
            ) => {
                check_numbers(numbers, kind, near.metric, at)?;
                (numbers.len(), if kind == VectorKind::Sparsevec { sparse(numbers) } else { text.clone() })
            }
            (Form::Numbers(..), VectorKind::Bit) => {
                return Err(QueryError::mismatch(format!("{at}: is a list, and {}.", shown()))
                    .with_hint("Write its bits as text: \"10110\"."));
            }
            (Form::Text(text), VectorKind::Sparsevec) => match sparse_dimensions(text) {
                Some(dimensions) => (dimensions, text.clone()),
                None => {
                    return Err(QueryError::mismatch(format!("{at}: {} is no sparsevec.", show(text)))
                        .with_hint("Write {index:value,…}/dimensions, such as \"{1:0.5,3:1}/5\"; the first index is 1."));
                }
            },
            (Form::Text(text), VectorKind::Bit) if text.bytes().all(|b| matches!(b, b'0' | b'1')) => {
                (text.len(), text.clone())
            }
            (Form::Text(text), VectorKind::Bit) => {
                return Err(QueryError::mismatch(format!("{at}: {} is no bit string.", show(text)))
                    .with_hint("Write 0 and 1 only: \"10110\"."));
            }
            (Form::Text(text), VectorKind::Vector | VectorKind::Halfvec) => {
                return Err(QueryError::mismatch(format!(
                    "{at}: {} is no vector, and {}.",
                    show(text),
                    shown()
                ))
                .with_hint("Write a list of numbers: [0.12,-0.5,0.33]. Text to search for is query."));
            }
        };
        if let Ok(expected) = usize::try_from(column.typmod)
            && expected > 0
            && expected != dimensions
        {
            return Err(QueryError::mismatch(format!("{at}: has {dimensions} dimensions, and {}.", shown()))
                .with_hint("Give a vector of the model that the column's vectors were made with."));
        }
        Ok(text)
    }
}

/// The type as Postgres shows it.
fn type_shown(column: &Column, kind: VectorKind) -> String {
    if column.typmod > 0 { format!("{}({})", kind.name(), column.typmod) } else { kind.name().to_owned() }
}

fn numbers(list: &RawValue, at: &str) -> Result<Embedding, QueryError> {
    // A number that does not fit a double is no number to serde; it is told below.
    let (text, values) = match serde_json::from_str::<Vec<f64>>(list.get()) {
        Ok(values) => (list.get().split_ascii_whitespace().collect(), values),
        Err(_) => one_by_one(list, at)?,
    };
    if values.is_empty() || values.len() > MAX_DIMENSIONS {
        return Err(QueryError::argument(format!(
            "{at}: has {} numbers; a vector has 1 to {MAX_DIMENSIONS}.",
            values.len()
        )));
    }
    Ok(Embedding(Form::Numbers(text, values)))
}

/// The same where some element may be no number, with its place.
fn one_by_one(list: &RawValue, at: &str) -> Result<(String, Vec<f64>), QueryError> {
    let number = |(n, raw): (usize, &RawValue)| match Json::read(raw, at)? {
        Json::Number(text) => {
            text.parse().map_err(|_| QueryError::mismatch(format!("{at}[{n}]: is no number.")))
        }
        other => Err(QueryError::mismatch(format!("{at}[{n}]: must be a number, not {}.", other.kind()))
            .with_hint("NaN, infinities and null have no place in a vector.")),
    };
    let values = elements(list, at)?.into_iter().enumerate().map(number).collect::<Result<_, _>>()?;
    Ok((list.get().split_ascii_whitespace().collect(), values))
}

fn check_numbers(numbers: &[f64], kind: VectorKind, metric: Metric, at: &str) -> Result<(), QueryError> {
    let most = if kind == VectorKind::Halfvec { MAX_HALF } else { f32::MAX };
    let mut zero = true;
    for (n, value) in numbers.iter().enumerate() {
        if value.abs() > f64::from(most) {
            return Err(QueryError::mismatch(format!(
                "{at}[{n}]: {value:e} is more than a {} holds, {most:e}.",
                kind.name()
            )));
        }
        #[expect(clippy::cast_possible_truncation, reason = "what pgvector keeps of it")]
        let kept = *value as f32;
        zero &= kept == 0.0;
    }
    if zero && metric == Cosine {
        return Err(QueryError::argument(format!(
            "{at}: is zero in every dimension, so it has no direction that cosine could compare."
        ))
        .with_hint("Check where the vector comes from, or take metric l2."));
    }
    Ok(())
}

fn sparse(numbers: &[f64]) -> String {
    let filled = numbers.iter().enumerate().filter(|(_, value)| **value != 0.0);
    let pairs: Vec<String> = filled.map(|(n, value)| format!("{}:{value}", n + 1)).collect();
    format!("{{{}}}/{}", pairs.join(","), numbers.len())
}

/// The number behind the slash. What stands in the braces is for the input function to read; here it must have no other character
/// than a sparsevec has.
fn sparse_dimensions(text: &str) -> Option<usize> {
    let (pairs, dimensions) = text.rsplit_once('/')?;
    let inner = pairs.trim().strip_prefix('{')?.strip_suffix('}')?;
    let plain =
        |b: u8| b.is_ascii_digit() || matches!(b, b':' | b',' | b'.' | b'-' | b'+' | b'e' | b'E' | b' ');
    inner.bytes().all(plain).then(|| dimensions.trim().parse().ok()).flatten()
}

/// A column and how near its vectors are to the caller's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near<'t> {
    pub(crate) column: &'t Column,
    pub(crate) vector: &'t VectorType,
    pub(crate) metric: Metric,
}

impl<'t> Near<'t> {
    /// The column of that name, of a type that has a nearest. `at` is the argument's place, `asked` the metric that was asked for.
    pub(crate) fn new(
        table: &'t Table,
        name: &str,
        asked: Option<Metric>,
        at: &str,
    ) -> Result<Near<'t>, QueryError> {
        let vectors = || table.columns.iter().filter(|column| column.select && column.vector.is_some());
        let Some(column) = table.readable(name) else {
            return Err(table.unknown_column(at, name, vectors()));
        };
        let Some(vector) = &column.vector else {
            let names: Vec<String> = vectors().map(|column| place("", &column.name)).collect();
            let hint = match names.is_empty() {
                true => format!("{} has no column of vectors that you may read.", table.shown()),
                false => format!("Columns of vectors: {}.", names.join(", ")),
            };
            return Err(QueryError::mismatch(format!(
                "{at}: {} is of type {}, which has no nearest.",
                show(name),
                column.type_name()
            ))
            .with_hint(hint));
        };
        let metric = asked.unwrap_or_else(|| Metric::default_of(vector.kind));
        if !metric.fits(vector.kind) {
            let names: Vec<&str> =
                METRICS.into_iter().filter(|metric| metric.fits(vector.kind)).map(Metric::name).collect();
            return Err(QueryError::operator(format!(
                "metric: {} does not compare {}, the type of {}.",
                metric.name(),
                vector.kind.name(),
                show(name)
            ))
            .with_hint(format!("Write {}.", names.join(", "))));
        }
        Ok(Near { column, vector, metric })
    }

    /// The only column of vectors that the caller may read.
    pub(crate) fn only(table: &'t Table, asked: Option<Metric>, at: &str) -> Result<Near<'t>, QueryError> {
        let vectors: Vec<&str> = table
            .columns
            .iter()
            .filter(|column| {
                column.select && column.vector.as_ref().is_some_and(|v| v.kind != VectorKind::Bit)
            })
            .map(|column| column.name.as_str())
            .collect();
        match &vectors[..] {
            [name] => Near::new(table, name, asked, at),
            [] => Err(QueryError::argument(format!(
                "{at}: {} has no column of vectors that you may read.",
                table.shown()
            ))
            .with_hint("Name a table with a column of type vector or halfvec.")),
            names => {
                Err(QueryError::argument(format!("{at}: {} has several columns of vectors.", table.shown()))
                    .with_hint(format!("Name one of them: {}.", names.join(", "))))
            }
        }
    }

    /// The distance between the column and the vector with that text: `t."embedding" OPERATOR("public".<=>) $1`. The same text makes
    /// the same parameter, so that Postgres sees one expression however often it is written.
    pub(crate) fn distance(&self, builder: &mut Builder, alias: Alias, literal: &str, at: &str) -> String {
        let ((), sql) = builder.fragment(|b| {
            b.column(alias, &self.column.name);
            b.sql.push_str(" OPERATOR(");
            push_ident(&mut b.sql, &self.vector.schema);
            b.sql.push('.');
            b.sql.push_str(self.metric.symbol());
            b.sql.push_str(") ");
            b.bind_shared(self.column.base_oid, literal.to_owned(), || at.to_owned());
        });
        sql
    }

    /// The condition that a row has a vector at all.
    pub(crate) fn filled(&self, builder: &mut Builder, alias: Alias) -> String {
        let ((), column) = builder.fragment(|b| b.column(alias, &self.column.name));
        format!("{column} IS NOT NULL")
    }

    /// What the answer tells of a distance: a similarity from 0 to 1, rounded to six places, or NULL where there is none.
    pub(crate) fn similarity(&self, distance: &str) -> String {
        if !self.metric.has_similarity() {
            return "NULL::pg_catalog.float8".to_owned();
        }
        // NaN is the greatest number to Postgres, so it has to be put aside first.
        format!(
            "CASE WHEN {distance} OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8 THEN pg_catalog.round(GREATEST(0, \
             LEAST(1, 1::pg_catalog.float8 OPERATOR(pg_catalog.-) {distance}))::pg_catalog.numeric, 6)::pg_catalog.float8 END"
        )
    }

    /// The condition that a distance is a number and near enough. `threshold` is a similarity where there is one, else a distance.
    pub(crate) fn within(
        &self,
        builder: &mut Builder,
        distance: &str,
        threshold: Option<f64>,
        at: &str,
    ) -> String {
        let mut sql = format!("{distance} OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8");
        if let Some(threshold) = threshold {
            let ((), number) = builder.fragment(|b| {
                b.bind_shared(crate::table::oid::FLOAT8, threshold.to_string(), || at.to_owned());
            });
            if self.metric.has_similarity() {
                let similarity = self.similarity(distance);
                sql.push_str(&format!(" AND {similarity} OPERATOR(pg_catalog.>=) {number}"));
            } else {
                sql.push_str(&format!(" AND {distance} OPERATOR(pg_catalog.<=) {number}"));
            }
        }
        sql
    }
}

/// The argument `threshold` of an object that stands at `at`; `None` when absent.
pub(crate) fn threshold(raw: Option<&RawValue>, metric: Metric, at: &str) -> Result<Option<f64>, QueryError> {
    let Some(raw) = raw else { return Ok(None) };
    let value = match Json::read(raw, at)? {
        Json::Number(text) => text.parse::<f64>().ok().filter(|value| value.is_finite()),
        _ => None,
    };
    let Some(value) = value else {
        return Err(QueryError::argument(format!("{at}: must be a number."))
            .with_hint("Write 0.5, the least similarity; 0 leaves nothing out."));
    };
    if metric.has_similarity() && !(-1.0..=1.0).contains(&value) {
        return Err(QueryError::argument(format!("{at}: {value} is no similarity."))
            .with_hint("Write a number from 0 to 1."));
    }
    Ok(Some(value))
}
