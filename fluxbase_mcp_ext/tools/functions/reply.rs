//! A function's answer as JSON: status, headers, body, execution.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fluxbase_delegate::message::HttpHead;
use serde_json::Value;

/// Headers that were about the connection between the worker and the runtime.
const HOP: [&str; 5] = ["connection", "keep-alive", "transfer-encoding", "content-length", "trailer"];

/// The body as JSON text, whether that is base64, and whether it was cut.
struct Body {
    text: String,
    base64: bool,
    cut: bool,
}

/// `{status, headers, body, execution_id}`, and how a body was made into text where that is not plain. A body is shown up to `most`
/// characters.
pub fn to_json(head: &HttpHead, bytes: &[u8], execution: &str, most: usize) -> String {
    let json = head.headers.iter().any(|(name, value)| name == "content-type" && is_json(value));
    let body = body(bytes, json, most);
    let mut text =
        format!(r#"{{"status":{},"headers":{},"body":{}"#, head.status, headers(&head.headers), body.text);
    if body.base64 {
        text.push_str(r#","body_encoding":"base64""#);
    }
    if body.cut {
        let bytes = bytes.len();
        text.push_str(&format!(
            r#","truncated":{{"bytes":{bytes},"note":"The body is cut at {most} characters of text (mcp.max_result_chars). Ask the function for less."}}"#
        ));
    }
    text.push_str(&format!(r#","execution_id":"{execution}"}}"#));
    text
}

/// `application/json`, `application/problem+json`, with or without a charset.
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

fn body(bytes: &[u8], json: bool, most: usize) -> Body {
    let Ok(text) = std::str::from_utf8(bytes) else {
        // Four characters for three bytes.
        let room = most / 4 * 3;
        let shown = &bytes[..bytes.len().min(room)];
        let text = Value::from(STANDARD.encode(shown)).to_string();
        return Body { text, base64: true, cut: shown.len() < bytes.len() };
    };
    let end = text.char_indices().nth(most).map(|(at, _)| at);
    // Read to see that it is whole and not too deep, and carried as it is: numbers keep their digits.
    if json && end.is_none() && serde_json::from_str::<Value>(text).is_ok() {
        return Body { text: text.trim().to_owned(), base64: false, cut: false };
    }
    let shown = &text[..end.unwrap_or(text.len())];
    Body { text: Value::from(shown).to_string(), base64: false, cut: end.is_some() }
}

fn headers(all: &[(String, String)]) -> Value {
    let mut shown = serde_json::Map::new();
    for (name, value) in all.iter().filter(|(name, _)| !HOP.contains(&name.as_str())) {
        match shown.get_mut(name) {
            // As HTTP itself joins them (RFC 9110, section 5.3).
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(value);
            }
            _ => _ = shown.insert(name.clone(), value.as_str().into()),
        }
    }
    Value::Object(shown)
}
