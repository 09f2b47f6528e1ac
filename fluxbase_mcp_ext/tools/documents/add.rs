//! `add_document`: adds a document, or changes one of the caller's.

use fluxbase_protocol::push_string;
use fluxbase_query::{Arguments, Outcome as Undone, QueryError, nearest, show};
use serde::Deserialize;

use super::{NOTHING_CHANGED, first, there, unknown, write};
use crate::dispatch::Request;
use crate::error::Error;
use crate::gucs;
use crate::tools::{Done, object};

const FIND: &str = "
SELECT pg_catalog.json_build_object('id', k.id, 'name', k.name, 'table', k.table_name)::pg_catalog.text
  FROM ai.knowledge_bases AS k
 WHERE k.enabled AND k.chunk_strategy IS NOT NULL AND k.name OPERATOR(pg_catalog.=) $1";

const NAMES: &str = "
SELECT pg_catalog.json_agg(s.name)::pg_catalog.text
  FROM (SELECT k.name FROM ai.knowledge_bases AS k WHERE k.enabled AND k.chunk_strategy IS NOT NULL
         ORDER BY k.name USING OPERATOR(pg_catalog.<) LIMIT 50) AS s";

const INSERT: &str = "
INSERT INTO ai.documents AS d (knowledge_base_id, content, title, tags, metadata, source_url)
VALUES ($1::pg_catalog.uuid, $2, $3, coalesce($4, '{}'::pg_catalog.text[]), coalesce($5::pg_catalog.jsonb, '{}'::pg_catalog.jsonb), $6)
RETURNING d.id::pg_catalog.text";

/// What is left out stays.
const UPDATE: &str = "
UPDATE ai.documents AS d
   SET content = $2, title = coalesce($3, d.title), tags = coalesce($4, d.tags), metadata = coalesce($5::pg_catalog.jsonb, d.metadata),
       source_url = coalesce($6, d.source_url), updated_at = pg_catalog.now()
 WHERE d.knowledge_base_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND d.id OPERATOR(pg_catalog.=) $7::pg_catalog.uuid
RETURNING d.id::pg_catalog.text";

struct Asked {
    knowledge_base: String,
    content: String,
    title: Option<String>,
    tags: Option<Vec<String>>,
    /// JSON text of an object.
    metadata: Option<String>,
    source_url: Option<String>,
    document_id: Option<String>,
}

impl Asked {
    fn read(arguments: Option<&str>) -> Result<Asked, QueryError> {
        let args = Arguments::parse(arguments)?;
        args.only(&["knowledge_base", "content", "title", "tags", "metadata", "source_url", "document_id"])?;
        let required = |name: &str, example: &str| {
            args.str(name)?.ok_or_else(|| args.unfit(name, &format!("is missing: write {example}")))
        };
        let tags = args
            .raw("tags")
            .map(|raw| {
                serde_json::from_str::<Vec<String>>(raw.get())
                    .ok()
                    .filter(|tags| !tags.iter().any(|tag| tag.contains('\0')))
                    .ok_or_else(|| args.unfit("tags", "must be a list of texts"))
            })
            .transpose()?;
        let metadata = args.raw("metadata").map(|raw| raw.get());
        if metadata.is_some_and(|text| !text.starts_with('{')) {
            return Err(args.unfit("metadata", "must be an object"));
        }
        let content = required("content", "the text of the document")?;
        if content.trim().is_empty() {
            return Err(args.unfit("content", "has no text"));
        }
        Ok(Asked {
            knowledge_base: required("knowledge_base", "the name of a knowledge base")?,
            content,
            title: args.str("title")?,
            tags,
            metadata: metadata.map(str::to_owned),
            source_url: args.str("source_url")?,
            document_id: super::id(&args)?,
        })
    }
}

#[derive(Deserialize)]
struct Base {
    id: String,
    name: String,
    table: String,
}

/// `add_document`.
pub fn add(request: &Request<'_>) -> Result<Done, Error> {
    let asked = Asked::read(request.arguments).map_err(|error| error.with_outcome(Undone::NothingChanged))?;
    there()?;
    let base = find(&asked.knowledge_base)?;
    let mut values = vec![
        base.id.as_str().into(),
        asked.content.as_str().into(),
        asked.title.as_deref().into(),
        asked.tags.clone().into(),
        asked.metadata.as_deref().into(),
        asked.source_url.as_deref().into(),
    ];
    let id = match &asked.document_id {
        None => write(INSERT, &values)
            // A trigger or a rule of the DBA's let nothing happen.
            .ok_or_else(|| {
                Error::refused("02000", format!("the document was not added. {NOTHING_CHANGED}"), None)
            })?,
        Some(id) => {
            values.push(id.as_str().into());
            write(UPDATE, &values).ok_or_else(|| unknown(id))?
        }
    };
    let chunks = first(&count(&base.table)?, &[id.as_str().into()]).unwrap_or_default();
    let mut text = format!(r#"{{"document_id":"{id}","knowledge_base":"#);
    push_string(&mut text, &base.name);
    let status = match gucs::embedding_url().is_empty() {
        true => "found by its words; by meaning once an administrator has set mcp.embedding_url",
        false => "found by its words now, and by meaning as soon as it is embedded, which is under way",
    };
    text.push_str(&format!(r#","chunks":{chunks},"status":"{status}"}}"#));
    Ok(object(text, Vec::new()).into())
}

/// The statement that counts the chunks of a document as the caller sees them. The table's name is one that `ai.create_knowledge_base` made.
fn count(table: &str) -> Result<String, Error> {
    if !table.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(Error::internal(&format!("ai.knowledge_bases: table_name {table:?}")));
    }
    Ok(format!(
        "SELECT pg_catalog.count(*)::pg_catalog.text FROM ai.\"{table}\" AS c WHERE c.document_id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid"
    ))
}

fn find(name: &str) -> Result<Base, Error> {
    if let Some(line) = first(FIND, &[name.into()]) {
        return serde_json::from_str(&line)
            .map_err(|error| Error::internal(&format!("ai.knowledge_bases: {error}")));
    }
    let names: Vec<String> =
        first(NAMES, &[]).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let hint = match (nearest(name, names.iter().map(String::as_str)), &names[..]) {
        (_, []) => "There is none yet: an administrator runs SELECT * FROM ai.create_knowledge_base('docs');"
            .to_owned(),
        (Some(near), _) => format!("Did you mean {}? There are: {}.", show(near), names.join(", ")),
        (None, _) => format!("There are: {}.", names.join(", ")),
    };
    Err(Error::refused(
        "42704",
        format!("knowledge_base: there is no {} that takes documents. {NOTHING_CHANGED}", show(name)),
        hint,
    ))
}
