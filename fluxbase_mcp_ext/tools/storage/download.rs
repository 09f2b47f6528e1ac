//! `download_object`, and objects as resources.
//!
//! The bytes of one answer are in memory once in the worker and, one after the other, as text in the backend and in the listener; so an answer holds
//! them once, and there is no structured content that would repeat them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fluxbase_delegate::client::Said;
use fluxbase_delegate::{Answer, Head, Id, Reply, Request as Ask};
use fluxbase_protocol::{Structured, ToolContent, ToolOutput};
use fluxbase_query::Outcome as Undone;
use fluxbase_storage::{kind, name, part};
use serde_json::Value;

use super::arguments::{MOST, Named, Part};
use super::table::{self, Found};
use super::{bytes, no_object, title};
use crate::delegate;
use crate::dispatch::{Pending, Request, Way};
use crate::error::Error;
use crate::resources::Contents;
use crate::standby;
use crate::tools::{Done, Outcome};

const NOTHING: &str = "Nothing was read.";

/// What came of asking for bytes.
enum Read {
    Pending(Id),
    Bytes(Vec<u8>),
}

/// `download_object`.
pub fn tool(request: &Request<'_>) -> Result<Done, Error> {
    let asked = Part::read(request).map_err(|error| error.with_outcome(Undone::NothingRead))?;
    let Named { bucket, key } = &asked.named;
    let (found, read) = read(request, "download_object", bucket, key, asked.part)?
        .ok_or_else(|| no_object(bucket, key, NOTHING))?;
    Ok(Done::kept(match read {
        Read::Pending(id) => Outcome::Pending(id),
        Read::Bytes(bytes) => answer(request, key, &found, asked.part, bytes),
    }))
}

/// The content of `fluxbase://storage/{bucket}/{path}`; `None` when the caller may see no such object.
pub fn resource(request: &Request<'_>, bucket: &str, key: &str) -> Result<Option<Contents>, Error> {
    if name::check(key).is_err() {
        return Ok(None);
    }
    let uri = name::uri(bucket, key);
    Ok(match read(request, &uri, bucket, key, None)? {
        None => None,
        Some((_, Read::Pending(id))) => Some(Contents::Pending(id)),
        Some((found, Read::Bytes(bytes))) => {
            let kind = Value::from(found.content_type.as_str());
            let (member, content) = match text(&found, &bytes, false) {
                Some(text) => ("text", string(text)),
                None => ("blob", base64(&bytes)),
            };
            Some(Contents::Raw(format!(
                r#"[{{"uri":{},"mimeType":{kind},"{member}":{content}}}]"#,
                Value::from(uri)
            )))
        }
    })
}

/// The row as the caller may see it at this moment, and its bytes if they are there; `None` when the caller may see no such object.
fn read(
    request: &Request<'_>,
    call: &str,
    bucket: &str,
    key: &str,
    part: Option<(u64, u64)>,
) -> Result<Option<(Found, Read)>, Error> {
    let tables = table::tables(NOTHING)?;
    let Some(found) = table::find(bucket, key) else { return Ok(None) };
    let (offset, length) = part.unwrap_or((0, found.size));
    let length = length.min(found.size.saturating_sub(offset));
    if length > MOST {
        return Err(Error::refused(
            "54000",
            format!(
                "{} has {} bytes, and one answer holds at most {MOST}. {NOTHING}",
                title(bucket, key),
                found.size
            ),
            format!(
                "Read it in parts with download_object: {{\"offset\":0,\"length\":{MOST}}}, then from next_offset on."
            ),
        ));
    }
    if !delegate::is_there() {
        return Err(delegate::Lost::NotPreloaded.into_error(NOTHING));
    }
    if length == 0 {
        return Ok(Some((found, Read::Bytes(Vec::new()))));
    }
    let work = bytes::get(&tables, found.version, offset, length);
    let said = match request.way {
        Way::No => {
            return Err(Error::refused(
                "0A000",
                format!(
                    "over HTTP the bytes of an object are asked for alone, not in a batch, not from within a tool, and not in a subscription. {NOTHING}"
                ),
                "Send a message of its own.".to_owned(),
            ));
        }
        Way::Later => {
            // The primary does it: what this server's worker keeps would not be found there.
            if standby::is_second() {
                return Err(Error::refused("0A000", "the primary reads stored files.", None));
            }
            let id = tables.fresh;
            bytes::submit(id, bytes::owner(request, call, found.version), work, Vec::new());
            return Ok(Some((found, Read::Pending(id))));
        }
        Way::Here => delegate::ask(&Ask::Call { work }, &[]),
        Way::Finish(Pending { id, abandon }) => {
            let owner = bytes::owner(request, call, found.version);
            if abandon {
                delegate::at_commit(Ask::Cancel { id, owner }, Vec::new());
                return Err(Error::refused("57014", format!("the download was cancelled. {NOTHING}"), None));
            }
            let said = delegate::ask(&Ask::Collect { id, owner: owner.clone() }, &[]);
            if matches!(said, Ok(Said::Answer(Answer::Running))) {
                return Ok(Some((found, Read::Pending(id))));
            }
            delegate::at_commit(Ask::Acknowledge { id, owner }, Vec::new());
            said
        }
    };
    match said {
        Ok(Said::Reply(Reply { head: Head::Content { size }, body }))
            if size == found.size && body.len() as u64 == length =>
        {
            Ok(Some((found, Read::Bytes(body))))
        }
        Ok(Said::Reply(Reply { head: Head::Content { size }, .. })) => Err(Error::internal(&format!(
            "version {} has {size} bytes, and its row says {}",
            found.version, found.size
        ))),
        said => Err(bytes::failed(said, NOTHING)),
    }
}

/// The bytes as text, if they are text by type and in fact.
fn text<'a>(found: &Found, bytes: &'a [u8], more: bool) -> Option<&'a str> {
    if !kind::is_text(&found.content_type) {
        return None;
    }
    let length = part::text_length(bytes, more)?;
    std::str::from_utf8(&bytes[..length]).ok()
}

fn answer(
    request: &Request<'_>,
    key: &str,
    found: &Found,
    part: Option<(u64, u64)>,
    bytes: Vec<u8>,
) -> Outcome {
    let mut head = String::from("{");
    if request.structured {
        head.push_str(crate::tools::UNTRUSTED);
    }
    let string = |text: &str| Value::from(text).to_string();
    head.push_str(&format!(
        r#""key":{},"size":{},"content_type":{},"etag":{}"#,
        string(key),
        found.size,
        string(&found.content_type),
        string(&found.etag)
    ));
    if part.is_none() && kind::is_image(&found.content_type) && !bytes.is_empty() {
        head.push('}');
        let content = format!(
            r#"[{{"type":"image","data":{},"mimeType":{}}},{{"type":"text","text":{}}}]"#,
            base64(&bytes),
            string(&kind::bare(&found.content_type)),
            Value::from(head)
        );
        return Outcome::Content(ToolContent { content, structured: None, is_error: false });
    }
    let more = part.is_some_and(|(offset, _)| offset.saturating_add(bytes.len() as u64) < found.size);
    let text = text(found, &bytes, more);
    let shown = text.map_or(bytes.len(), str::len) as u64;
    if let Some((offset, _)) = part {
        head.push_str(&format!(r#","offset":{offset},"length":{shown}"#));
        if offset.saturating_add(shown) < found.size {
            head.push_str(&format!(r#","next_offset":{}"#, offset + shown));
        }
    }
    let encoding = if text.is_some() { "text" } else { "base64" };
    head.push_str(&format!(r#","encoding":"{encoding}","content":"#));
    head.push_str(&text.map_or_else(|| base64(&bytes), self::string));
    drop(bytes);
    head.push('}');
    Outcome::Output(ToolOutput { text: head, structured: Structured::None, notes: Vec::new() })
}

/// As a JSON string.
fn string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// As a JSON string of base64.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4 + 2);
    out.push('"');
    STANDARD.encode_string(bytes, &mut out);
    out.push('"');
    out
}
