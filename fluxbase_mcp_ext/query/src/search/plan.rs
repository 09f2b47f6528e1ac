//! From a resolved question to its statement: see the head of [`crate::search`] for the forms.
//!
//! This module does NOT read arguments that need no table.

use std::fmt::Write;

use super::metadata::{metadata_filter, tags_filter};
use super::{DEFAULT_THRESHOLD, Indexes, Mode, Question, Search, Source};
use crate::arguments::Arguments;
use crate::catalog::Catalog;
use crate::error::{QueryError, place};
use crate::filter::Scope;
use crate::names::written;
use crate::operator::Operator;
use crate::predicate::Predicate;
use crate::render;
use crate::selection::And;
use crate::statement::{Alias, Builder, Statement};
use crate::table::{Column, Table, oid};
use crate::vector::{self, Embedding, Near};

/// How much the words count in a hybrid search when nobody says it. Chosen on texts: docs/decisions/0022-both-sides-rank-all-candidates.md.
const DEFAULT_TEXT_WEIGHT: f64 = 0.4;

/// The constant of reciprocal rank fusion (Cormack, Clarke, Buettcher 2009).
const FUSION: u32 = 60;

/// How many candidates each side of a hybrid search gives: at least, and for each row of the answer.
const CANDIDATES: u64 = 40;
const CANDIDATES_PER_ROW: u64 = 4;

/// A word in more rows than this is counted no further.
const COUNTED: u32 = 10_000;

/// Words are taken from the rarest on until about this many rows have one of them; the rarest is always taken.
const RANKED: u32 = 2000;

/// The oid of the text search configuration `simple`, the same in every version.
const SIMPLE: u32 = 3748;

/// Everything resolved.
pub(super) struct Plan<'p, 't> {
    question: &'p Question,
    source: &'p Source,
    table: &'t Table,
    /// Each with the place that it came from.
    predicates: Vec<(&'static str, Predicate<'t>)>,
    shown: Shown<'t>,
    near: Option<(Near<'t>, String)>,
    threshold: Option<f64>,
    default_threshold: bool,
    words: Option<Words<'t>>,
    text_weight: f64,
    may_miss: bool,
    notes: Vec<String>,
}

/// The columns that are shown.
struct Shown<'t> {
    key: Vec<&'t Column>,
    document_id: Option<&'t Column>,
    content: Option<&'t Column>,
    title: Option<&'t Column>,
    tags: Option<&'t Column>,
    metadata: Option<&'t Column>,
}

/// What words are looked for in.
struct Words<'t> {
    column: &'t Column,
    configuration: u32,
    query: String,
}

impl<'p, 't> Plan<'p, 't> {
    pub(super) fn new(
        args: &Arguments,
        question: &'p Question,
        source: &'p Source,
        table: &'t Table,
        catalog: &'t dyn Catalog,
        indexes: &Indexes,
        embedding: Option<&Embedding>,
    ) -> Result<Plan<'p, 't>, QueryError> {
        let mut notes = Vec::new();
        let shown = Shown::new(source, table)?;
        if question.mode != Mode::Vector && shown.key.is_empty() {
            return Err(QueryError::argument(format!(
                "mode: {} has no primary key that you may read, by which words and vectors could be put together.",
                table.shown()
            ))
            .with_hint("Take mode vector."));
        }
        let near = match embedding.filter(|_| question.mode != Mode::Text) {
            None => None,
            Some(embedding) => {
                let asked = question.metric.or(source.metric);
                let near = match &source.embedding {
                    Some(name) => Near::new(table, name, asked, "column")?,
                    None => Near::only(table, asked, "column")?,
                };
                let literal = embedding.literal(&near, table, "embedding")?;
                Some((near, literal))
            }
        };
        let mut may_miss = false;
        let (mut threshold, mut default_threshold) = (None, false);
        if let Some((near, _)) = &near {
            threshold = vector::threshold(args.raw("threshold"), near.metric, "threshold")?;
            if threshold.is_none() && near.metric.has_similarity() {
                default_threshold = true;
                threshold = source.threshold.or(Some(DEFAULT_THRESHOLD));
            }
            may_miss = !indexes.known || indexes.serve(near);
            if indexes.known && !indexes.serve(near) {
                notes.push(indexes.missing(near, table));
            }
        }
        let words = match question.query.as_deref().filter(|_| question.mode != Mode::Vector) {
            None => None,
            Some(query) => Some(Words::new(source, table, indexes, query, &mut notes)?),
        };
        let mut predicates = Vec::new();
        let scope = Scope { table, catalog, embeds: &[] };
        if let Some(raw) = args.raw("filter") {
            predicates.push(("filter", Predicate::parse(raw, scope, "filter")?));
        }
        if let Some(raw) = args.raw("metadata_filter") {
            let filter = metadata_filter(raw, shown.metadata, table)?;
            predicates.push(("metadata_filter", Predicate::parse(&filter, scope, "metadata_filter")?));
        }
        if let Some(tags) = args.texts("tags")?.filter(|tags| !tags.is_empty()) {
            let filter = tags_filter(&tags, shown.tags, table)?;
            predicates.push(("tags", Predicate::parse(&filter, scope, "tags")?));
        }
        predicates.retain(|(_, predicate)| !predicate.is_always(true));
        Ok(Plan {
            question,
            source,
            table,
            predicates,
            shown,
            near,
            threshold,
            default_threshold,
            words,
            text_weight: question.text_weight.or(source.text_weight).unwrap_or(DEFAULT_TEXT_WEIGHT),
            may_miss,
            notes,
        })
    }

    pub(super) fn search(self) -> Search {
        let hybrid = self.question.mode == Mode::Hybrid;
        let statement = self.statement(false);
        let exact = (self.may_miss && self.near.is_some()).then(|| self.statement(true));
        let (vector, text) = (1.0 - self.text_weight, self.text_weight);
        Search {
            statement,
            exact,
            metric: self.near.as_ref().map(|(near, _)| near.metric),
            wanted: if hybrid { self.candidates() } else { self.question.limit },
            default_threshold: self.threshold.filter(|_| self.default_threshold),
            ranking: hybrid.then(|| {
                let similarity = match &self.near {
                    Some((near, _)) if near.metric.has_similarity() => "*similarity",
                    _ => "",
                };
                format!(
                    "score = {} * ({vector}{similarity}/({FUSION}+vector_rank) + {text}*text_share/({FUSION}+text_rank)); ranks among \
                     what either side found; null adds nothing; text_share: how much of the query's words a row has, rare ones counting more",
                    FUSION + 1
                )
            }),
            notes: self.notes,
        }
    }

    fn candidates(&self) -> u64 {
        (self.question.limit * CANDIDATES_PER_ROW).max(CANDIDATES)
    }

    fn statement(&self, exact: bool) -> Statement {
        let mut builder = Builder::new(0);
        match (&self.near, &self.words) {
            (Some(near), None) => self.write_vector(&mut builder, near, exact),
            (near, words) => self.write_words(&mut builder, near.as_ref(), words.as_ref(), exact),
        }
        builder.statement(true)
    }

    /// `"s"."t" AS t WHERE …`, with `first` before the other conditions.
    fn write_from(&self, builder: &mut Builder, first: Option<&str>) {
        builder.relation(self.table, Alias::TOP);
        let mut and = And::first();
        if let Some(first) = first {
            and.next(builder);
            builder.sql.push_str(first);
        }
        for (at, predicate) in &self.predicates {
            and.next(builder);
            builder.within((*at).to_owned(), |builder| {
                builder.sql.push('(');
                predicate.write(builder, Alias::TOP);
                builder.sql.push(')');
            });
        }
    }

    /// ` ORDER BY distance LIMIT n`.
    fn write_nearest(builder: &mut Builder, distance: &str, limit: u64, exact: bool) {
        builder.sql.push_str(" ORDER BY ");
        builder.sql.push_str(distance);
        if exact {
            // Not the expression of any index.
            builder.sql.push_str(" OPERATOR(pg_catalog.+) 0::pg_catalog.float8");
        }
        // Writing to a String cannot fail.
        _ = write!(builder.sql, " LIMIT {limit}");
    }

    fn write_vector(&self, builder: &mut Builder, (near, literal): &(Near<'t>, String), exact: bool) {
        let distance = near.distance(builder, Alias::TOP, literal, "embedding");
        let within = near.within(builder, "_c.d", self.threshold, "threshold");
        builder.sql.push_str("SELECT CASE WHEN ");
        builder.sql.push_str(&within);
        builder.sql.push_str(" THEN (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT ");
        self.write_outputs(builder, Some(near));
        builder.sql.push_str(") AS _r) END FROM (SELECT ");
        self.shown.write_inner(builder);
        builder.sql.push_str(&distance);
        builder.sql.push_str(" AS d FROM ");
        let filled = near.filled(builder, Alias::TOP);
        self.write_from(builder, Some(&filled));
        Self::write_nearest(builder, &distance, self.question.limit, exact);
        builder.sql.push_str(") AS _c ORDER BY _c.d");
    }

    fn write_words(
        &self,
        builder: &mut Builder,
        near: Option<&(Near<'t>, String)>,
        words: Option<&Words<'t>>,
        exact: bool,
    ) {
        let keys = self.shown.key.len();
        let list = |prefix: &str| (0..keys).map(|n| format!("{prefix}k{n}")).collect::<Vec<_>>().join(", ");
        let plain = list("");
        let candidates = if near.is_some() { self.candidates() } else { self.question.limit };
        let distance = near.map(|(near, literal)| near.distance(builder, Alias::TOP, literal, "embedding"));
        builder.sql.push_str("WITH ");
        if let (Some((near, _)), Some(distance)) = (near, &distance) {
            builder.sql.push_str("_n AS MATERIALIZED (SELECT ");
            self.shown.write_keys(builder);
            _ = write!(builder.sql, "{distance} AS d FROM ");
            let filled = near.filled(builder, Alias::TOP);
            self.write_from(builder, Some(&filled));
            Self::write_nearest(builder, distance, candidates, exact);
            builder.sql.push_str("), ");
        }
        if let Some(words) = words {
            self.write_ranked(builder, words, &plain, candidates);
        }
        if let (Some((near, _)), Some(distance)) = (near, &distance) {
            self.write_both(builder, near, distance, &plain);
        }
        builder.sql.push_str(" SELECT (SELECT pg_catalog.row_to_json(_r.*) FROM (SELECT ");
        self.write_outputs(builder, near.map(|(near, _)| near));
        builder.sql.push_str(") AS _r)");
        if near.is_some() {
            builder.sql.push_str(", (SELECT pg_catalog.count(*) FROM _n)");
        }
        builder.sql.push_str(" FROM (SELECT ");
        self.shown.write_inner(builder);
        _ = write!(
            builder.sql,
            "{} AS d, _m.score, _m.vr, _m.fr, _m.s, _m.e, _m.w, {} FROM (",
            distance.as_deref().unwrap_or("NULL::pg_catalog.float8"),
            list("_m.")
        );
        let limit = self.question.limit;
        if near.is_some() {
            let mut side = |weight: f64, side: &str| {
                let ((), number) = builder.fragment(|b| {
                    b.bind_shared(oid::FLOAT8, weight.to_string(), || "text_weight".to_owned());
                });
                format!(
                    "{number} OPERATOR(pg_catalog.*) {side}.e OPERATOR(pg_catalog./) ({FUSION} OPERATOR(pg_catalog.+) {side}.r)"
                )
            };
            let (v, f) = (side(1.0 - self.text_weight, "_v"), side(self.text_weight, "_x"));
            _ = write!(
                builder.sql,
                "SELECT {plain}, {} OPERATOR(pg_catalog.*) pg_catalog.sum(_u.score) AS score, pg_catalog.max(_u.vr) AS vr, \
                 pg_catalog.max(_u.fr) AS fr, pg_catalog.max(_u.s) AS s, pg_catalog.max(_u.e) AS e, pg_catalog.max(_u.w) AS w FROM (\
                 SELECT {}, {v} AS score, _v.r AS vr, NULL::pg_catalog.int8 AS fr, NULL::pg_catalog.float8 AS s, \
                 NULL::pg_catalog.float8 AS e, NULL::pg_catalog.text AS w FROM _v UNION ALL \
                 SELECT {}, {f}, NULL, _x.r, _x.s, _x.e, _x.w FROM _x) AS _u GROUP BY {plain} ORDER BY score DESC, {plain} LIMIT {limit}",
                FUSION + 1,
                list("_v."),
                list("_x."),
            );
        } else {
            _ = write!(
                builder.sql,
                "SELECT {plain}, NULL::pg_catalog.float8 AS score, NULL::pg_catalog.int8 AS vr, _f.r AS fr, _f.s, _f.e, _f.w FROM _f ORDER \
                 BY _f.r LIMIT {limit}"
            );
        }
        builder.sql.push_str(") AS _m JOIN ");
        builder.relation(self.table, Alias::TOP);
        self.write_same(builder, "_m");
        let best = if near.is_some() { "_c.score DESC" } else { "_c.fr" };
        _ = write!(builder.sql, ") AS _c ORDER BY {best}, {}", list("_c."));
    }

    /// Both sides' ranks, `_v` and `_x`, of whatever one of them found, `_b`: a row that only its words brought has a similarity, too, and one
    /// that only its vector brought may have some of the words. What is not similar enough, or has none of the words that are ranked, has no rank there.
    fn write_both(&self, builder: &mut Builder, near: &Near<'t>, distance: &str, plain: &str) {
        let list = |prefix: &str| {
            (0..self.shown.key.len()).map(|n| format!("{prefix}k{n}")).collect::<Vec<_>>().join(", ")
        };
        let within = near.within(builder, "_n.d", self.threshold, "threshold");
        _ = write!(
            builder.sql,
            ", _b AS MATERIALIZED (SELECT {plain} FROM _n WHERE {within} UNION SELECT {plain} FROM _f), _a AS MATERIALIZED (SELECT "
        );
        self.shown.write_keys(builder);
        _ = write!(builder.sql, "{distance} AS d FROM _b JOIN ");
        builder.relation(self.table, Alias::TOP);
        self.write_same(builder, "_b");
        let filled = near.filled(builder, Alias::TOP);
        let within = near.within(builder, "_a.d", self.threshold, "threshold");
        let similarity = if near.metric.has_similarity() {
            near.similarity("_a.d")
        } else {
            "1::pg_catalog.float8".to_owned()
        };
        _ = write!(
            builder.sql,
            " WHERE {filled}), _v AS (SELECT {plain}, {similarity} AS e, pg_catalog.row_number() OVER (ORDER BY _a.d, {}) AS r FROM _a \
             WHERE {within}), _x AS (SELECT _g.*, pg_catalog.row_number() OVER (ORDER BY _g.w, _g.s DESC, {}) AS r FROM _g WHERE \
             EXISTS (SELECT FROM _b WHERE ",
            list("_a."),
            list("_g."),
        );
        for (n, column) in self.shown.key.iter().enumerate() {
            builder.sql.push_str(if n == 0 { "_b.k" } else { " AND _b.k" });
            _ = write!(builder.sql, "{n} ");
            Operator::Eq.write(&mut builder.sql, column);
            _ = write!(builder.sql, " _g.k{n}");
        }
        builder.sql.push_str("))");
    }

    /// ` ON t."id" = side.k0`.
    fn write_same(&self, builder: &mut Builder, side: &str) {
        for (n, column) in self.shown.key.iter().enumerate() {
            builder.sql.push_str(if n == 0 { " ON " } else { " AND " });
            builder.column(Alias::TOP, &column.name);
            builder.sql.push(' ');
            Operator::Eq.write(&mut builder.sql, column);
            _ = write!(builder.sql, " {side}.k{n}");
        }
    }

    /// The best rows by words, `_f`: `s` is a score from 0 to 1, `e` the share of the question that was found, both by how rare a word is.
    ///
    /// Every product and quotient stands in parentheses: `OPERATOR(…)` has one precedence, whatever stands in it (Postgres, 4.1.6).
    ///
    /// How rare is counted among the rows that the caller may see and has not filtered out, by the index; it is never taken from
    /// statistics, which know rows of others. Only rows with one of the rarer words are ranked.
    fn write_ranked(&self, builder: &mut Builder, words: &Words<'t>, plain: &str, candidates: u64) {
        let (document, query, text) = (words.document(builder), words.query(builder), words.text(builder));
        _ = write!(
            builder.sql,
            "_l AS MATERIALIZED (SELECT ('''' OPERATOR(pg_catalog.||) pg_catalog.replace(pg_catalog.replace(_x.lexeme, E'\\\\', \
             E'\\\\\\\\'), '''', '''''') OPERATOR(pg_catalog.||) '''')::pg_catalog.tsquery AS q FROM \
             pg_catalog.unnest(pg_catalog.to_tsvector({}, {text})) AS _x), _w AS MATERIALIZED (SELECT _l.q, (SELECT \
             pg_catalog.count(*) FROM (SELECT 1 FROM ",
            words.configuration(),
        );
        self.write_from(builder, Some(&format!("{document} OPERATOR(pg_catalog.@@) _l.q")));
        _ = write!(
            builder.sql,
            " LIMIT {COUNTED}) AS _y)::pg_catalog.float8 AS df FROM _l), _i AS MATERIALIZED (SELECT _w.q, _w.df, \
             pg_catalog.sum(_w.df) OVER (ORDER BY _w.df, _w.q) AS upto, pg_catalog.ln(1::pg_catalog.float8 OPERATOR(pg_catalog.+) \
             (pg_catalog.sum(_w.df) OVER () OPERATOR(pg_catalog./) GREATEST(_w.df, 1))) AS idf FROM _w), _t AS MATERIALIZED (SELECT \
             pg_catalog.sum(_i.idf) AS idf FROM _i), _d AS MATERIALIZED (SELECT ",
        );
        self.shown.write_keys(builder);
        _ = write!(builder.sql, "{document} AS v, {document} OPERATOR(pg_catalog.@@) {query} AS whole FROM ");
        // A parameter: the statement must not depend on what the text says.
        let ((), strict) = builder.fragment(|b| {
            b.bind_shared(oid::BOOL, words.is_strict().to_string(), || "query".to_owned());
        });
        let found = format!(
            "CASE WHEN {strict} THEN {query} ELSE (SELECT pg_catalog.string_agg(_i.q::pg_catalog.text, ' | ')::pg_catalog.tsquery FROM \
             _i WHERE _i.df OPERATOR(pg_catalog.>) 0::pg_catalog.float8 AND (_i.upto OPERATOR(pg_catalog.<=) \
             {RANKED}::pg_catalog.float8 OR _i.upto OPERATOR(pg_catalog.=) _i.df)) END"
        );
        self.write_from(builder, Some(&format!("{document} OPERATOR(pg_catalog.@@) {found}")));
        let share = format!(
            "CASE WHEN {strict} THEN 1 ELSE pg_catalog.round((pg_catalog.sum(_h.idf) OPERATOR(pg_catalog./) \
             pg_catalog.max(_h.total))::pg_catalog.numeric, 6) END::pg_catalog.float8"
        );
        _ = write!(
            builder.sql,
            "), _g AS (SELECT {plain}, {share} AS e, COALESCE(pg_catalog.round((pg_catalog.sum(_h.idf OPERATOR(pg_catalog.*) _h.tf \
             OPERATOR(pg_catalog./) (_h.tf OPERATOR(pg_catalog.+) (0.3::pg_catalog.float8 OPERATOR(pg_catalog.*) \
             (0.7::pg_catalog.float8 OPERATOR(pg_catalog.+) (0.3::pg_catalog.float8 OPERATOR(pg_catalog.*) _h.long))))) \
             OPERATOR(pg_catalog./) pg_catalog.max(_h.total))::pg_catalog.numeric, 6)::pg_catalog.float8, 0) AS s, \
             CASE WHEN pg_catalog.bool_or(_h.whole) THEN 'all' ELSE 'any' END::pg_catalog.text AS w FROM (SELECT _d.*, _i.idf, \
             _t.idf AS total, pg_catalog.ts_rank('{{0.4,0.6,0.8,1}}'::pg_catalog.float4[], _d.v, _i.q)::pg_catalog.float8 AS tf, \
             pg_catalog.length(_d.v)::pg_catalog.float8 OPERATOR(pg_catalog./) (SELECT \
             pg_catalog.avg(pg_catalog.length(_d.v)) FROM _d)::pg_catalog.float8 AS long FROM _d LEFT JOIN _i ON _d.v \
             OPERATOR(pg_catalog.@@) _i.q CROSS JOIN _t) AS _h GROUP BY {plain}), _f AS (SELECT _g.*, pg_catalog.row_number() OVER \
             (ORDER BY _g.w, _g.s DESC, {plain}) AS r FROM _g ORDER BY r LIMIT {candidates})"
        );
    }

    /// The members of one result, out of the columns of `_c`.
    fn write_outputs(&self, builder: &mut Builder, near: Option<&Near<'t>>) {
        self.shown.write_outer(builder, &["chunk_id", "document_id", "content"]);
        let similarity =
            near.map_or_else(|| "NULL::pg_catalog.float8".to_owned(), |near| near.similarity("_c.d"));
        _ = write!(builder.sql, "{similarity} AS similarity, ");
        if near.is_some_and(|near| !near.metric.has_similarity()) {
            builder.sql.push_str("_c.d AS distance, ");
        }
        match &self.source.name {
            Some(name) => builder.bind_shared(oid::TEXT, name.clone(), || "knowledge_bases".to_owned()),
            None => builder.sql.push_str("NULL::pg_catalog.text"),
        }
        builder.sql.push_str(" AS knowledge_base, ");
        self.shown.write_outer(builder, &["document_title", "tags", "metadata"]);
        match self.question.mode {
            Mode::Vector => {}
            Mode::Text => builder.sql.push_str(
                "pg_catalog.json_build_object('text_rank', _c.fr, 'text_score', _c.s, 'text_share', _c.e, 'text_words', _c.w) AS scores, ",
            ),
            Mode::Hybrid => builder.sql.push_str(
                "pg_catalog.round(_c.score::pg_catalog.numeric, 6)::pg_catalog.float8 AS score, \
                 pg_catalog.json_build_object('vector_rank', _c.vr, 'text_rank', _c.fr, 'text_score', _c.s, 'text_share', _c.e, 'text_words', _c.w) AS \
                 scores, ",
            ),
        }
        // The comma behind the last.
        builder.sql.truncate(builder.sql.len() - 2);
    }
}

impl<'t> Shown<'t> {
    fn new(source: &Source, table: &'t Table) -> Result<Shown<'t>, QueryError> {
        let key: Option<Vec<&Column>> = table.key.iter().map(|name| table.readable(name)).collect();
        // What a caller may not read is not shown; without the text itself there is nothing to search.
        let optional = |name: &Option<String>| name.as_deref().and_then(|name| table.readable(name));
        if let Some(name) = &source.content
            && table.readable(name).is_none()
        {
            return Err(table.unknown_readable("content", name));
        }
        Ok(Shown {
            key: key.unwrap_or_default(),
            document_id: optional(&source.document_id),
            content: optional(&source.content),
            title: optional(&source.title),
            tags: optional(&source.tags),
            metadata: optional(&source.metadata),
        })
    }

    /// With the names that they have in the answer.
    fn named(&self) -> [(&'static str, Option<&'t Column>); 5] {
        [
            ("document_id", self.document_id),
            ("content", self.content),
            ("document_title", self.title),
            ("tags", self.tags),
            ("metadata", self.metadata),
        ]
    }

    /// `t."id" AS k0, `.
    fn write_keys(&self, builder: &mut Builder) {
        for (n, column) in self.key.iter().enumerate() {
            builder.column(Alias::TOP, &column.name);
            _ = write!(builder.sql, " AS k{n}, ");
        }
    }

    /// `t."id" AS c_k0, t."content" AS c_content, `.
    fn write_inner(&self, builder: &mut Builder) {
        for (n, column) in self.key.iter().enumerate() {
            builder.column(Alias::TOP, &column.name);
            _ = write!(builder.sql, " AS c_k{n}, ");
        }
        for (name, column) in self.named() {
            if let Some(column) = column {
                builder.column(Alias::TOP, &column.name);
                _ = write!(builder.sql, " AS c_{name}, ");
            }
        }
    }

    /// `_c.c_content AS content, ` for each of `names`.
    fn write_outer(&self, builder: &mut Builder, names: &[&str]) {
        for wanted in names {
            if *wanted == "chunk_id" {
                self.write_key(builder);
            } else {
                let column =
                    self.named().into_iter().find(|(name, _)| name == wanted).and_then(|(_, column)| column);
                match column {
                    Some(column) => _ = render::write(builder, column, &format!("_c.c_{wanted}")),
                    None => builder.sql.push_str("NULL::pg_catalog.text"),
                }
            }
            _ = write!(builder.sql, " AS {wanted}, ");
        }
    }

    /// The value of the key; a list when it has several columns.
    fn write_key(&self, builder: &mut Builder) {
        match &self.key[..] {
            [] => builder.sql.push_str("NULL::pg_catalog.text"),
            [column] => _ = render::write(builder, column, "_c.c_k0"),
            several => {
                builder.sql.push_str("pg_catalog.json_build_array(");
                for (n, column) in several.iter().enumerate() {
                    if n > 0 {
                        builder.sql.push_str(", ");
                    }
                    _ = render::write(builder, column, &format!("_c.c_k{n}"));
                }
                builder.sql.push(')');
            }
        }
    }
}

impl<'t> Words<'t> {
    fn new(
        source: &Source,
        table: &'t Table,
        indexes: &Indexes,
        query: &str,
        notes: &mut Vec<String>,
    ) -> Result<Words<'t>, QueryError> {
        let searched = source.search.as_deref().and_then(|name| table.readable(name));
        if let Some(column) = searched.filter(|column| column.base_oid == oid::TSVECTOR) {
            let is_there = indexes.texts.iter().any(|i| i.configuration.is_none() && i.column == column.name);
            if indexes.known && !is_there {
                notes.push(format!(
                    "No index finds words in {}: every row was read. Its owner can run: CREATE INDEX ON {} USING gin ({});",
                    place("", &column.name),
                    table.shown(),
                    written(&column.name)
                ));
            }
            let configuration = source.configuration.unwrap_or(SIMPLE);
            return Ok(Words { column, configuration, query: query.to_owned() });
        }
        let content = source.content.as_deref().and_then(|name| table.readable(name));
        let Some(column) = content.filter(|column| column.category == 'S') else {
            return Err(QueryError::argument(format!(
                "mode: {} has no column of text, nor one of type tsvector, that words could be looked for in.",
                table.shown()
            ))
            .with_hint("Take mode vector, or have the table registered as a knowledge base that names its content column."));
        };
        let mut indexed = indexes.texts.iter().filter(|index| index.column == column.name);
        let served = match source.configuration {
            Some(wanted) => indexed.find(|index| index.configuration == Some(wanted)),
            None => indexed.next(),
        };
        if indexes.known && served.is_none() {
            notes.push(format!(
                "No index finds words in {0}: every row was read. Its owner can run: CREATE INDEX ON {1} USING gin \
                 (to_tsvector('english', {2}));",
                place("", &column.name),
                table.shown(),
                written(&column.name)
            ));
        }
        let configuration =
            source.configuration.or(served.and_then(|index| index.configuration)).unwrap_or(SIMPLE);
        Ok(Words { column, configuration, query: query.to_owned() })
    }

    /// The configuration stands in the text, as digits: only then does Postgres know the expression of an index.
    fn configuration(&self) -> String {
        format!("'{}'::pg_catalog.regconfig", self.configuration)
    }

    fn document(&self, builder: &mut Builder) -> String {
        let ((), column) = builder.fragment(|b| b.column(Alias::TOP, &self.column.name));
        match self.column.base_oid {
            oid::TSVECTOR => column,
            oid::TEXT => format!("pg_catalog.to_tsvector({}, {column})", self.configuration()),
            _ => format!("pg_catalog.to_tsvector({}, {column}::pg_catalog.text)", self.configuration()),
        }
    }

    /// The whole question, as it was written.
    fn query(&self, builder: &mut Builder) -> String {
        format!("pg_catalog.websearch_to_tsquery({}, {})", self.configuration(), self.text(builder))
    }

    fn text(&self, builder: &mut Builder) -> String {
        let ((), number) =
            builder.fragment(|b| b.bind_shared(oid::TEXT, self.query.clone(), || "query".to_owned()));
        number
    }

    /// Whether it says by itself what must be there: such a question is asked as it is, and no row is taken that it does not find.
    fn is_strict(&self) -> bool {
        let asks = |word: &str| word.eq_ignore_ascii_case("or") || (word.len() > 1 && word.starts_with('-'));
        self.query.contains('"') || self.query.split_whitespace().any(asks)
    }
}
