//! What functions answer, read and checked: content in MCP's own form, questions to the client, or plain JSON.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What the function of a tool answered.
#[derive(Debug)]
pub enum ToolAnswer {
    /// In MCP's own form.
    Content {
        /// JSON text of a list of content items.
        content: String,
        /// JSON text of an object.
        structured: Option<String>,
        /// The function says that it failed.
        is_error: bool,
        /// Characters of its texts; bytes in base64 do not count.
        chars: usize,
    },
    /// It must ask something first.
    Ask(Asked),
    /// Some other JSON object, as text.
    Object(String),
    /// Anything else, as text.
    Text(String),
}

/// Questions to the client.
#[derive(Debug)]
pub struct Asked {
    /// In the order in which the function gave them.
    pub questions: Vec<Question>,
    /// What the function wants back, JSON text.
    pub state: Option<String>,
}

/// One question.
#[derive(Debug)]
pub struct Question {
    key: String,
    /// The capability that the client must have declared: `elicitation`, `sampling` or `roots`.
    pub capability: &'static str,
    /// What the capability must hold as well: `url` for an elicitation by URL.
    pub detail: Option<&'static str>,
    raw: String,
}

impl Asked {
    /// One form, `schema` being its fields: a flat object schema. `state` is JSON text.
    pub fn form(key: &str, message: &str, schema: Value, state: String) -> Asked {
        let raw = serde_json::json!({
            "method": "elicitation/create",
            "params": { "message": message, "requestedSchema": schema },
        });
        let question =
            Question { key: key.to_owned(), capability: "elicitation", detail: None, raw: raw.to_string() };
        Asked { questions: vec![question], state: Some(state) }
    }

    /// JSON text of the object `inputRequests`.
    pub fn requests(&self) -> String {
        let members: Vec<String> = self
            .questions
            .iter()
            .map(|question| format!("{}:{}", Value::from(question.key.as_str()), question.raw))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

impl Question {
    /// Whether a client with these capabilities can be asked it.
    pub fn fits(&self, declared: &Map<String, Value>) -> bool {
        match (declared.get(self.capability), self.detail) {
            (None, _) => false,
            (Some(declared), Some(detail)) => declared.get(detail).is_some(),
            (Some(_), None) => self.capability != "elicitation" || takes_forms(declared),
        }
    }
}

/// Whether a client with these capabilities can show a form: its `elicitation` names that mode, or none at all (MCP 2026-07-28,
/// client/elicitation).
pub fn takes_forms(declared: &Map<String, Value>) -> bool {
    let elicitation = declared.get("elicitation");
    elicitation.is_some_and(|modes| modes.get("form").is_some() || modes.get("url").is_none())
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow, rename = "structuredContent")]
    structured: Option<&'a RawValue>,
    #[serde(rename = "isError")]
    is_error: Option<Value>,
    #[serde(borrow, rename = "inputRequests")]
    requests: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestState")]
    state: Option<&'a RawValue>,
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    description: Option<Value>,
}

/// `None` when the JSON text is no object.
fn members(json: &str) -> Result<Option<Members<'_>>, String> {
    if !json.trim_start().starts_with('{') {
        return Ok(None);
    }
    serde_json::from_str(json).map(Some).map_err(|error| format!("the answer is not JSON: {error}."))
}

/// Reads the answer of a tool's function, JSON text.
///
/// # Errors
/// What is wrong with it, as a sentence for whoever wrote the function.
pub fn tool_answer(json: &str) -> Result<ToolAnswer, String> {
    let Some(members) = members(json)? else { return Ok(ToolAnswer::Text(plain(json))) };
    if let Some(asked) = asked(&members)? {
        return Ok(ToolAnswer::Ask(asked));
    }
    let Some(content) = members.content.filter(|raw| raw.get().starts_with('[')) else {
        return Ok(ToolAnswer::Object(json.to_owned()));
    };
    let items: Vec<Value> =
        serde_json::from_str(content.get()).map_err(|error| format!("content: {error}."))?;
    let mut chars = 0;
    for (index, item) in items.iter().enumerate() {
        check_content(item, &format!("content[{index}]"))?;
        let texts = [item.get("text"), item.get("resource").and_then(|resource| resource.get("text"))];
        chars += texts
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|text| text.chars().count())
            .sum::<usize>();
    }
    let structured = match members.structured.map(RawValue::get) {
        None | Some("null") => None,
        Some(text) if text.starts_with('{') => Some(text.to_owned()),
        Some(_) => return Err("structuredContent must be an object.".to_owned()),
    };
    let is_error = match members.is_error {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is_error)) => is_error,
        Some(_) => return Err("isError must be true or false.".to_owned()),
    };
    chars += structured.as_ref().map_or(0, |text| text.chars().count());
    Ok(ToolAnswer::Content { content: content.get().to_owned(), structured, is_error, chars })
}

/// A string as its text, anything else as JSON.
fn plain(json: &str) -> String {
    match serde_json::from_str::<Value>(json) {
        Ok(Value::String(text)) => text,
        _ => json.to_owned(),
    }
}

fn asked(members: &Members<'_>) -> Result<Option<Asked>, String> {
    let Some(requests) = members.requests else { return Ok(None) };
    let requests: Map<String, Value> = serde_json::from_str(requests.get())
        .map_err(|_| "inputRequests must be an object such as {\"name\":{\"method\":\"elicitation/create\",\"params\":{…}}}.".to_owned())?;
    if requests.is_empty() {
        return Err("inputRequests must ask for something.".to_owned());
    }
    let mut questions = Vec::with_capacity(requests.len());
    for (key, request) in requests {
        let at = format!("inputRequests.{key}");
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        let params = request.get("params");
        if params.is_some_and(|params| !params.is_object()) {
            return Err(format!("{at}.params must be an object."));
        }
        let of_params = |name: &str| params.and_then(|params| params.get(name));
        let (capability, detail) = match method {
            "elicitation/create" => {
                if !of_params("message").is_some_and(Value::is_string) {
                    return Err(format!("{at}.params.message must be a string."));
                }
                match of_params("mode").and_then(Value::as_str) {
                    Some("url") => {
                        if !of_params("url").is_some_and(Value::is_string) {
                            return Err(format!("{at}.params.url must be a string."));
                        }
                        ("elicitation", Some("url"))
                    }
                    _ if !of_params("requestedSchema").is_some_and(Value::is_object) => {
                        return Err(format!("{at}.params.requestedSchema must be an object."));
                    }
                    _ => ("elicitation", None),
                }
            }
            "sampling/createMessage" => {
                if !of_params("messages").is_some_and(Value::is_array) {
                    return Err(format!("{at}.params.messages must be a list."));
                }
                if !of_params("maxTokens").is_some_and(Value::is_u64) {
                    return Err(format!("{at}.params.maxTokens must be a whole number."));
                }
                ("sampling", None)
            }
            "roots/list" => ("roots", None),
            _ => {
                return Err(format!(
                    "{at}.method must be elicitation/create, sampling/createMessage or roots/list."
                ));
            }
        };
        questions.push(Question { key, capability, detail, raw: request.to_string() });
    }
    let state = members.state.map(RawValue::get).filter(|&text| text != "null").map(str::to_owned);
    Ok(Some(Asked { questions, state }))
}

/// What the function of a prompt answered.
#[derive(Debug)]
pub enum PromptAnswer {
    /// Messages.
    Messages {
        /// Empty: none.
        description: String,
        /// JSON text of a list.
        messages: String,
    },
    /// It must ask something first.
    Ask(Asked),
}

/// Reads the answer of a prompt's function: JSON text; with `text` plain text, which is what the user says.
///
/// # Errors
/// What is wrong with it, as a sentence for whoever wrote the function.
pub fn prompt_answer(answer: &str, text: bool) -> Result<PromptAnswer, String> {
    let user = |text: String| PromptAnswer::Messages {
        description: String::new(),
        messages: serde_json::json!([{ "role": "user", "content": { "type": "text", "text": text } }])
            .to_string(),
    };
    if text {
        return Ok(user(answer.to_owned()));
    }
    let Some(members) = members(answer)? else {
        return match serde_json::from_str(answer) {
            Ok(Value::String(text)) => Ok(user(text)),
            _ => Err("the answer must be {\"messages\":[…]} or a text.".to_owned()),
        };
    };
    if let Some(asked) = asked(&members)? {
        return Ok(PromptAnswer::Ask(asked));
    }
    let messages = members.messages.map_or("null", RawValue::get);
    let list: Vec<Value> = serde_json::from_str(messages).map_err(|_| {
        "messages must be a list of {\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"…\"}}."
            .to_owned()
    })?;
    for (index, message) in list.iter().enumerate() {
        if !matches!(message.get("role").and_then(Value::as_str), Some("user" | "assistant")) {
            return Err(format!("messages[{index}].role must be user or assistant."));
        }
        let content = message.get("content").unwrap_or(&Value::Null);
        check_content(content, &format!("messages[{index}].content"))?;
    }
    let description = match members.description {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(_) => return Err("description must be a string.".to_owned()),
    };
    Ok(PromptAnswer::Messages { description, messages: messages.to_owned() })
}

/// Reads the jsonb answer of a resource's function: JSON text of a list of contents; `None` when it is some other JSON.
///
/// # Errors
/// What is wrong with it, as a sentence for whoever wrote the function.
pub fn resource_answer(json: &str) -> Result<Option<String>, String> {
    let Some(contents) = members(json)?.and_then(|members| members.contents) else { return Ok(None) };
    if !contents.get().starts_with('[') {
        return Ok(None);
    }
    let list: Vec<Value> =
        serde_json::from_str(contents.get()).map_err(|error| format!("contents: {error}."))?;
    if list.is_empty() {
        return Err("contents is empty; for a resource that does not exist, return NULL.".to_owned());
    }
    for (index, item) in list.iter().enumerate() {
        check_embedded(item, &format!("contents[{index}]"))?;
    }
    Ok(Some(contents.get().to_owned()))
}

fn check_content(item: &Value, at: &str) -> Result<(), String> {
    let text = |name: &str| string(item, name, at);
    match item.get("type").and_then(Value::as_str) {
        Some("text") => text("text").map(|_| ()),
        Some("image" | "audio") => {
            text("mimeType")?;
            check_base64(text("data")?, &format!("{at}.data"))
        }
        Some("resource_link") => {
            text("uri")?;
            text("name").map(|_| ())
        }
        Some("resource") => {
            check_embedded(item.get("resource").unwrap_or(&Value::Null), &format!("{at}.resource"))
        }
        _ => Err(format!("{at}.type must be text, image, audio, resource_link or resource.")),
    }
}

/// The contents of a resource: its URI with text or bytes.
fn check_embedded(item: &Value, at: &str) -> Result<(), String> {
    string(item, "uri", at)?;
    match item.get("blob") {
        Some(Value::String(blob)) => check_base64(blob, &format!("{at}.blob")),
        Some(_) => Err(format!("{at}.blob must be a string.")),
        None => string(item, "text", at).map(|_| ()),
    }
}

fn string<'a>(item: &'a Value, name: &str, at: &str) -> Result<&'a str, String> {
    item.get(name).and_then(Value::as_str).ok_or_else(|| format!("{at}.{name} must be a string."))
}

fn check_base64(text: &str, at: &str) -> Result<(), String> {
    if text.bytes().any(|byte| byte == b'\n') {
        return Err(format!(
            "{at} holds line breaks, as encode() makes them: translate(encode(bytes, 'base64'), E'\\n', '') leaves them out."
        ));
    }
    let digits = text.trim_end_matches('=');
    let valid = text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    if valid { Ok(()) } else { Err(format!("{at} is not base64.")) }
}
