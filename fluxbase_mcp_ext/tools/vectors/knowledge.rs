//! Knowledge bases: the tables that `mcp.register_knowledge_base` gave a name.
//!
//! Invariants: which there are is read as the caller, whose grants and policies decide; a row of a table of that name that somebody
//! else owns is not looked at. A table of schema ai, which is this extension's own part, is reached though the schema is hidden; all
//! other hidden schemas stay hidden.

use std::rc::Rc;

use fluxbase_query::{Metric, Param, Source, Statement, nearest, show};
use serde::Deserialize;

use crate::catalog::{self, Described};
use crate::error::Error;
use crate::guard::Access;
use crate::gucs;
use crate::identity::Identity;
use crate::statement::{self, Bounds};

const FIND: &str = include_str!("knowledge_bases.sql");
const SCHEMA: &str = "ai";
const TEXT_ARRAY: u32 = 1009;

/// The most that one call searches.
const MOST: usize = 50;

#[derive(Deserialize)]
struct Row {
    name: String,
    schema: String,
    table: String,
    embedding: Option<String>,
    content: String,
    document_id: Option<String>,
    title: Option<String>,
    tags: Option<String>,
    metadata: Option<String>,
    search: Option<String>,
    metric: Option<String>,
    threshold: Option<f64>,
    text_weight: Option<f64>,
    configuration: Option<u32>,
    model: Option<String>,
}

/// What one vector can be compared with, the model that makes it (`None`: the one that is set), and notes.
pub(super) type OfOneModel = (Vec<Searched>, Option<String>, Vec<String>);

/// What is searched, and the model that its vectors are of; `None`: the one that is set.
pub(super) type Searched = (Source, Rc<Described>, Option<String>);

/// Those of `names`, or all that the caller may search.
pub(super) fn find(identity: &Identity, names: Option<&[String]>) -> Result<Vec<Searched>, Error> {
    let mut usable = all(identity, names)?;
    if let Some(names) = names {
        let missing =
            names.iter().find(|name| !usable.iter().any(|(source, ..)| source.name.as_ref() == Some(name)));
        if let Some(missing) = missing {
            return Err(unknown(identity, missing)?);
        }
    }
    if usable.is_empty() {
        return Err(Error::refused(
            "42P01",
            "there is no knowledge base that you may search. Nothing was read.",
            "Give table and column to search a table, or an administrator registers one: SELECT * FROM \
             mcp.register_knowledge_base('docs', 'public.docs', 'content', 'embedding');"
                .to_owned(),
        ));
    }
    if usable.len() > MOST {
        return Err(Error::refused(
            "54000",
            format!("there are more than {MOST} knowledge bases that you may search. Nothing was read."),
            format!("Name some of them in knowledge_bases: {}, …", listed(&usable[..10])),
        ));
    }
    usable.sort_by(|(a, ..), (b, ..)| a.name.cmp(&b.name));
    Ok(usable)
}

fn all(identity: &Identity, names: Option<&[String]>) -> Result<Vec<Searched>, Error> {
    if catalog::of_part(SCHEMA, "knowledge_bases")?.is_none() {
        return Ok(Vec::new());
    }
    let list = names.map(|names| {
        let quoted: Vec<String> = names
            .iter()
            .map(|name| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        format!("{{{}}}", quoted.join(","))
    });
    let names = Param { type_oid: TEXT_ARRAY, typmod: -1, value: list, place: "knowledge_bases".to_owned() };
    let statement = Statement { sql: FIND.to_owned(), params: vec![names], returns: true };
    let bounds = Bounds { max_rows: u64::MAX, max_chars: usize::MAX, free_rows: 0 };
    let text = statement::run(&statement, Access::Read, bounds)?.text;
    let rows: Vec<Row> = serde_json::from_str(&format!("[{text}]"))
        .map_err(|error| Error::internal(&format!("ai.knowledge_bases: {error}")))?;
    let mut usable = Vec::with_capacity(rows.len());
    for mut row in rows {
        let model = row.model.take();
        if let Some(described) = table(identity, &row)?
            && let Some(source) = source(row, &described)
        {
            usable.push((source, described, model));
        }
    }
    Ok(usable)
}

/// The table, if the caller may reach it.
fn table(identity: &Identity, row: &Row) -> Result<Option<Rc<Described>>, Error> {
    if row.schema == SCHEMA || catalog::open(identity, &row.schema) {
        return catalog::of_part(&row.schema, &row.table);
    }
    Ok(None)
}

/// `None` when the caller may not read the text, or the vectors.
fn source(row: Row, described: &Described) -> Option<Source> {
    let readable =
        |name: &String| described.table.columns.iter().any(|column| column.select && column.name == *name);
    if !readable(&row.content) || !row.embedding.as_ref().is_none_or(readable) {
        return None;
    }
    Some(Source {
        metric: row.metric.and_then(|name| Metric::parse(&name, "metric").ok()),
        name: Some(row.name),
        embedding: row.embedding,
        content: Some(row.content),
        document_id: row.document_id,
        title: row.title,
        tags: row.tags,
        metadata: row.metadata,
        search: row.search,
        configuration: row.configuration,
        threshold: row.threshold,
        text_weight: row.text_weight,
    })
}

/// The error for a name that is none of a knowledge base that the caller may search.
fn unknown(identity: &Identity, name: &str) -> Result<Error, Error> {
    let usable = all(identity, None)?;
    let names = || usable.iter().filter_map(|(source, ..)| source.name.as_deref());
    let hint = match nearest(name, names()) {
        Some(near) => format!("Did you mean {}? There are: {}.", show(near), listed(&usable)),
        None if usable.is_empty() => "There is none that you may search; give table and column.".to_owned(),
        None => format!("There are: {}.", listed(&usable)),
    };
    Ok(Error::refused(
        "42P01",
        format!("knowledge_bases: there is no {} that you may search. Nothing was read.", show(name)),
        hint,
    ))
}

fn listed(usable: &[Searched]) -> String {
    let names: Vec<&str> = usable.iter().filter_map(|(source, ..)| source.name.as_deref()).collect();
    names.join(", ")
}

/// Those that a text can be compared with at once, the model that makes its vector, and a note for each that is left out. Vectors of
/// different models have nothing to do with each other.
pub(super) fn of_one_model(sources: Vec<Searched>, named: bool) -> Result<OfOneModel, Error> {
    let set = gucs::embedding_model();
    let model_of = |model: &Option<String>| model.clone().unwrap_or_else(|| set.clone());
    let Some((_, _, first)) = sources.first() else { return Ok((sources, None, Vec::new())) };
    let (first, chosen) = (model_of(first), first.clone());
    let (kept, left): (Vec<_>, Vec<_>) =
        sources.into_iter().partition(|(.., model)| model_of(model) == first);
    let name = |(source, ..): &Searched| source.name.clone().unwrap_or_default();
    if let Some(other) = left.first().filter(|_| named) {
        return Err(Error::refused(
            "22023",
            format!(
                "knowledge_bases: the vectors of {} and {} are of different models, so no one question fits both. Nothing was read.",
                kept.first().map(name).unwrap_or_default(),
                name(other)
            ),
            "Search them one by one, or take mode text.".to_owned(),
        ));
    }
    let notes = left.iter().map(|one| {
        format!(
            "Knowledge base {} was left out: its vectors are of another model. Search it alone.",
            name(one)
        )
    });
    Ok((kept, chosen, notes.collect()))
}
