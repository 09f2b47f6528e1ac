//! `list_objects`, the list of buckets, and what completions need of both.

use fluxbase_protocol::ToolContent;
use fluxbase_query::{Outcome as Undone, show};
use fluxbase_storage::name;
use fluxbase_storage::page::{Entry, Page};
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::Listing;
use super::table;
use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::tools::{Done, Outcome};

const NOTHING: &str = "Nothing was read.";

/// `list_objects`.
pub fn list(request: &Request<'_>) -> Result<Done, Error> {
    let asked = Listing::read(request).map_err(|error| error.with_outcome(Undone::NothingRead))?;
    table::tables(NOTHING)?;
    let before = name::after_all(&asked.prefix);
    let mut page =
        Page::new(&asked.prefix, asked.delimiter.as_deref(), asked.start_after.as_deref(), asked.limit);
    let (mut size, most) = (0, gucs::max_result_chars());
    let mut fits = |entry: &Entry<String>| {
        size += match entry {
            Entry::Object(line) => line.len(),
            Entry::Folder(folder) => folder.len() + 3,
        };
        size <= most
    };
    while let Some((from, batch)) = page.wants() {
        let rows = table::objects(&asked.bucket, from, before.as_deref(), batch);
        page.take(rows, &mut fits);
    }
    let (entries, next) = page.end();
    if entries.is_empty() && !table::sees_bucket(&asked.bucket) && !table::sees_any(&asked.bucket) {
        return Err(no_bucket(&asked.bucket, NOTHING));
    }
    Ok(Done::kept(Outcome::Content(answer(request, &asked, entries, next))))
}

fn answer(
    request: &Request<'_>,
    asked: &Listing,
    entries: Vec<Entry<String>>,
    next: Option<String>,
) -> ToolContent {
    let (mut objects, mut folders) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Object(line) => objects.push(line),
            Entry::Folder(folder) => folders.push(folder),
        }
    }
    let mut text = String::from("{");
    if request.structured {
        text.push_str(crate::tools::UNTRUSTED);
    }
    text.push_str(&format!(r#""objects":[{}],"count":{}"#, objects.join(","), objects.len()));
    if asked.delimiter.is_some() {
        text.push_str(&format!(r#","common_prefixes":{}"#, json!(folders)));
    }
    text.push_str(&format!(r#","is_truncated":{}"#, next.is_some()));
    if let Some(next) = next {
        text.push_str(&format!(r#","next_marker":{}"#, Value::from(next)));
    }
    text.push('}');
    let mut content = format!(r#"[{{"type":"text","text":{}}}"#, Value::from(text.as_str()));
    if request.structured {
        for line in &objects {
            content.push(',');
            content.push_str(&link(&asked.bucket, line).to_string());
        }
    }
    content.push(']');
    ToolContent { content, structured: Some(text), is_error: false }
}

/// A `resource_link` (protocol revision 2025-06-18) to an object of the list.
fn link(bucket: &str, line: &str) -> Value {
    #[derive(Deserialize)]
    struct Line {
        key: String,
        size: u64,
        content_type: String,
    }
    let Line { key, size, content_type } =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("storage: {error}"));
    json!({ "type": "resource_link", "uri": name::uri(bucket, &key), "name": key, "mimeType": content_type, "size": size })
}

/// What there is not, or not for the caller.
pub fn no_bucket(bucket: &str, nothing: &str) -> Error {
    Error::refused(
        "42704",
        format!("there is no bucket {} that you may see. {nothing}", show(bucket)),
        "The resource fluxbase://storage/buckets lists those that you may.".to_owned(),
    )
}

/// The content of `fluxbase://storage/buckets`: `{"buckets": […], "count": n}`, and a note when there are more than are shown.
pub fn buckets() -> Result<String, Error> {
    const MOST: i64 = 1000;
    table::tables(NOTHING)?;
    let found: Vec<String> = table::buckets("", MOST + 1).into_iter().map(|(_, line)| line).collect();
    let note = "There are more; the storage tools take them by id, too.";
    Ok(crate::resources::listing("buckets", &found, MOST as usize, note))
}

/// Ids of buckets that begin with what was typed, or keys of a bucket that do; at most `limit`, none where nothing is installed.
pub fn keys(bucket: Option<&str>, typed: &str, limit: usize) -> Vec<String> {
    if table::tables(NOTHING).is_err() {
        return Vec::new();
    }
    let rows = match bucket {
        None => table::buckets(typed, i64::try_from(limit).unwrap_or(i64::MAX)),
        Some(bucket) => {
            let from = fluxbase_storage::page::From::At(typed.to_owned());
            table::objects(bucket, &from, name::after_all(typed).as_deref(), limit)
        }
    };
    rows.into_iter().map(|(name, _)| name).collect()
}
