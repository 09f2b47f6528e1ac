//! Results: one string for each answer, written key by key in the shape of the call's era.
//!
//! Invariants:
//! - Keys come in the order `jsonrpc`, `result`, `id`, as in the user's document.
//! - JSON built elsewhere (schemas, what Postgres made of rows) is copied as it is; the caller vouches that it is
//!   valid JSON.
//! - Only modern results have `resultType`, `_meta`, `ttlMs` and `cacheScope`. The scope is always `private`: answers
//!   depend on the key.
//!
//! It does not bound sizes and does not sort lists: the caller does.

use crate::{
    call::Call,
    era::{Era, LATEST_LEGACY, SUPPORTED},
    error::{Reply, RpcError, code},
    json::{clip, push_string},
    task::TASKS,
};
use std::fmt::Write;

/// How long clients may keep `server/discover` and `tools/list`, in milliseconds.
pub const TOOLS_TTL_MS: u32 = 60_000;

/// How long clients may keep lists of resources and their contents, in milliseconds: tables change without notice.
pub const RESOURCES_TTL_MS: u32 = 5_000;

/// What the server calls itself.
#[derive(Clone, Copy, Debug)]
pub struct ServerInfo<'a> {
    /// For programs and people, such as `fluxbase_mcp_ext`.
    pub name: &'a str,
    /// Such as `0.1.0`.
    pub version: &'a str,
    /// What a model should know before it uses any tool; empty: left out. Hosts cut it at 4096 characters.
    pub instructions: &'a str,
}

/// One tool of `tools/list`.
#[derive(Clone, Copy, Debug)]
pub struct ToolEntry<'a> {
    pub name: &'a str,
    /// For people; empty: left out.
    pub title: &'a str,
    pub description: &'a str,
    /// JSON text of an object.
    pub input_schema: &'a str,
    /// JSON text of an object.
    pub output_schema: Option<&'a str>,
    pub annotations: Annotations,
}

/// The four hints about a tool; all of them are always written, since their defaults are pessimistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotations {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    pub open_world: bool,
}

/// One resource of `resources/list`, or one template of `resources/templates/list`.
#[derive(Clone, Copy, Debug)]
pub struct ResourceEntry<'a> {
    /// URI, or URI template (RFC 6570).
    pub uri: &'a str,
    pub name: &'a str,
    /// For people; empty: left out.
    pub title: &'a str,
    /// Empty: left out.
    pub description: &'a str,
    /// Empty: left out.
    pub mime_type: &'a str,
}

/// One prompt of `prompts/list`.
#[derive(Clone, Copy, Debug)]
pub struct PromptEntry<'a> {
    pub name: &'a str,
    /// For people; empty: left out.
    pub title: &'a str,
    pub description: &'a str,
    /// JSON text of a list of `{name, description, required}`.
    pub arguments: &'a str,
}

/// What a tool gives back when it says itself how: content in MCP's own form. The caller vouches that the JSON is valid.
#[derive(Clone, Debug, Default)]
pub struct ToolContent {
    /// JSON text of a list of content items.
    pub content: String,
    /// JSON text of an object, shown in the eras that have it.
    pub structured: Option<String>,
    /// The tool failed, and the content says how.
    pub is_error: bool,
}

/// What a tool gives back.
#[derive(Clone, Debug)]
pub struct ToolOutput {
    /// JSON text, carried and never read.
    pub text: String,
    /// How `structuredContent` comes from it, in the eras that have it.
    pub structured: Structured,
    /// Each becomes a text item after the first. Hosts that show `structuredContent` do not show these, so they must
    /// also be inside it.
    pub notes: Vec<String>,
}

/// How the structured content comes from the text.
#[derive(Clone, Debug)]
pub enum Structured {
    /// The text is an object and is the structured content.
    Same,
    /// The structured content is `before`, then the text, then `after`: `{"rows":` … `,"count":3}`.
    Wrapped { before: String, after: String },
    /// There is none.
    None,
}

impl Call {
    /// The answer to `initialize`: the negotiated version, which is the era of this call.
    pub fn initialized(&self, server: &ServerInfo) -> Reply {
        let version = match self.era {
            Era::Legacy(version) => version.as_str(),
            Era::Modern | Era::Unversioned => LATEST_LEGACY,
        };
        self.result(server.instructions.len() + 256, |out| {
            out.push_str(r#""protocolVersion":"#);
            push_string(out, version);
            out.push_str(r#","capabilities":{"tools":{},"resources":{},"prompts":{},"completions":{},"logging":{}},"serverInfo":"#);
            push_server(out, server);
            push_member(out, ",\"instructions\":", server.instructions);
        })
    }

    /// The answer to `server/discover`; `tasks` when the Tasks extension is served.
    pub fn discovered(&self, server: &ServerInfo, tasks: bool) -> Reply {
        self.listing(TOOLS_TTL_MS, server.instructions.len() + 512, |out| {
            out.push_str(r#""supportedVersions":["#);
            separated(out, SUPPORTED, push_string);
            out.push_str(
                r#"],"capabilities":{"tools":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"prompts":{"listChanged":true},"completions":{},"logging":{}"#,
            );
            if tasks {
                _ = write!(out, r#","extensions":{{"{TASKS}":{{}}}}"#);
            }
            out.push('}');
            push_member(out, ",\"instructions\":", server.instructions);
        })
    }

    /// The answer to `ping`, and to what is accepted without effect: exactly `{}`, since clients refuse any further key.
    pub fn pong(&self) -> Reply {
        Reply::new(200, format!(r#"{{"jsonrpc":"2.0","result":{{}},"id":{}}}"#, self.id))
    }

    /// The answer to `tools/list`, in the order given.
    pub fn tools<'a>(&self, entries: impl Iterator<Item = ToolEntry<'a>>) -> Reply {
        self.listing(TOOLS_TTL_MS, 16 * 1024, |out| {
            out.push_str(r#""tools":["#);
            separated(out, entries, |out, tool| self.push_tool(out, &tool));
            out.push(']');
        })
    }

    /// The answer to `resources/list`, in the order given.
    pub fn resources<'a>(&self, entries: impl Iterator<Item = ResourceEntry<'a>>) -> Reply {
        self.listing(RESOURCES_TTL_MS, 4096, |out| {
            out.push_str(r#""resources":["#);
            separated(out, entries, |out, entry| self.push_resource(out, "{\"uri\":", &entry));
            out.push(']');
        })
    }

    /// The answer to `resources/templates/list`, in the order given.
    pub fn resource_templates<'a>(&self, entries: impl Iterator<Item = ResourceEntry<'a>>) -> Reply {
        self.listing(RESOURCES_TTL_MS, 4096, |out| {
            out.push_str(r#""resourceTemplates":["#);
            separated(out, entries, |out, entry| self.push_resource(out, "{\"uriTemplate\":", &entry));
            out.push(']');
        })
    }

    /// The answer to `prompts/list`, in the order given.
    pub fn prompts<'a>(&self, entries: impl Iterator<Item = PromptEntry<'a>>) -> Reply {
        self.listing(TOOLS_TTL_MS, 4096, |out| {
            out.push_str(r#""prompts":["#);
            separated(out, entries, |out, entry| {
                out.push_str(r#"{"name":"#);
                push_string(out, entry.name);
                if self.era.titles() {
                    push_member(out, ",\"title\":", entry.title);
                }
                push_member(out, ",\"description\":", entry.description);
                out.push_str(r#","arguments":"#);
                out.push_str(entry.arguments);
                out.push('}');
            });
            out.push(']');
        })
    }

    /// The answer to `prompts/get`. `messages` is JSON text of a list.
    pub fn prompt(&self, description: &str, messages: &str) -> Reply {
        self.result(messages.len() + description.len() + 64, |out| {
            out.push_str(r#""messages":"#);
            out.push_str(messages);
            push_member(out, ",\"description\":", description);
        })
    }

    /// The answer to `completion/complete`: at most 100 values of `total`.
    pub fn completion<'a>(
        &self,
        values: impl Iterator<Item = &'a str>,
        total: usize,
        has_more: bool,
    ) -> Reply {
        self.result(1024, |out| {
            out.push_str(r#""completion":{"values":["#);
            separated(out, values, push_string);
            // Writing into a String cannot fail.
            _ = write!(out, r#"],"total":{total},"hasMore":{has_more}}}"#);
        })
    }

    /// The answer of a tool or a prompt that must ask the client something first; modern only. `requests` is JSON text of an
    /// object.
    pub fn input_required(&self, requests: &str, state: Option<&str>) -> Reply {
        self.typed("input_required", requests.len() + 256, |out| {
            out.push_str(r#""inputRequests":"#);
            out.push_str(requests);
            if let Some(state) = state {
                push_member(out, ",\"requestState\":", state);
            }
        })
    }

    /// The answer to `tools/call` whose content a tool made itself.
    pub fn tool_content(&self, content: &ToolContent) -> Reply {
        let size = content.content.len() + content.structured.as_ref().map_or(0, String::len) + 64;
        self.result(size, |out| push_tool_content(out, content, self.era.structured()))
    }

    /// The answer to `resources/read`: `contents` is JSON text of a list.
    pub fn resource_contents(&self, contents: &str) -> Reply {
        self.listing(RESOURCES_TTL_MS, contents.len() + 64, |out| {
            out.push_str(r#""contents":"#);
            out.push_str(contents);
        })
    }

    /// The answer to `resources/read`: one content, as text.
    pub fn resource(&self, uri: &str, mime: &str, text: &str) -> Reply {
        self.listing(RESOURCES_TTL_MS, escaped_size(text) + 256, |out| {
            out.push_str(r#""contents":[{"uri":"#);
            push_string(out, uri);
            push_member(out, ",\"mimeType\":", mime);
            out.push_str(r#","text":"#);
            push_string(out, text);
            out.push_str("}]");
        })
    }

    /// No resource has this URI, or none that the caller may see: −32002, and −32602 in the modern era. `data.uri`
    /// repeats it.
    pub fn resource_not_found(&self, uri: &str) -> Reply {
        self.error(&RpcError {
            code: if self.era.modern() { code::INVALID_PARAMS } else { code::RESOURCE_NOT_FOUND },
            message: format!(
                "Resource not found: {}. resources/list shows those that this key may read.",
                clip(uri)
            ),
            data: Some(serde_json::json!({ "uri": uri })),
        })
    }

    /// The answer to `tools/call` when the tool worked.
    pub fn tool_output(&self, output: &ToolOutput) -> Reply {
        let structured = self.era.structured().then_some(&output.structured);
        let copies = match structured {
            Some(Structured::Same) => output.text.len(),
            Some(Structured::Wrapped { before, after }) => before.len() + output.text.len() + after.len(),
            Some(Structured::None) | None => 0,
        };
        let notes: usize = output.notes.iter().map(|note| note.len() + 32).sum();
        let size = escaped_size(&output.text) + copies + notes + 128;
        self.result(size, |out| push_tool_output(out, output, structured))
    }

    /// The answer to `tools/call` when the tool refused or failed: `text` goes to the model as it is.
    pub fn tool_error(&self, text: &str) -> Reply {
        self.result(escaped_size(text) + 128, |out| push_tool_error(out, text))
    }

    /// A JSON-RPC error, status 200: the request was dispatched.
    pub fn error(&self, error: &RpcError) -> Reply {
        error.reply(200, Some(&self.id))
    }

    /// A result that clients may keep for a while.
    fn listing(&self, ttl_ms: u32, size: usize, members: impl FnOnce(&mut String)) -> Reply {
        self.result(size, |out| {
            members(out);
            if self.era.modern() {
                // Writing into a String cannot fail.
                _ = write!(out, r#","ttlMs":{ttl_ms},"cacheScope":"private""#);
            }
        })
    }

    /// The envelope of a result. `size` is the expected size of what `members` writes, in bytes; `members` writes at
    /// least one member, with commas between members and none at either end.
    fn result(&self, size: usize, members: impl FnOnce(&mut String)) -> Reply {
        self.typed("complete", size, members)
    }

    /// [`Call::result`] with another `resultType`, which only modern results have.
    pub(crate) fn typed(&self, result_type: &str, size: usize, members: impl FnOnce(&mut String)) -> Reply {
        let id = self.id.as_str();
        let mut out = String::with_capacity(size + id.len() + 192);
        out.push_str(r#"{"jsonrpc":"2.0","result":{"#);
        if self.era.modern() {
            _ = write!(out, r#""resultType":"{result_type}","#);
            members(&mut out);
            out.push_str(r#","_meta":{"io.modelcontextprotocol/serverInfo":"#);
            push_server(&mut out, self.server);
            out.push('}');
        } else {
            members(&mut out);
        }
        out.push_str(r#"},"id":"#);
        out.push_str(id);
        out.push('}');
        Reply::new(200, out)
    }

    fn push_tool(&self, out: &mut String, tool: &ToolEntry) {
        out.push_str(r#"{"name":"#);
        push_string(out, tool.name);
        if self.era.titles() {
            push_member(out, ",\"title\":", tool.title);
        }
        out.push_str(r#","description":"#);
        push_string(out, tool.description);
        out.push_str(r#","inputSchema":"#);
        out.push_str(tool.input_schema);
        if let Some(schema) = tool.output_schema
            && self.era.structured()
        {
            out.push_str(r#","outputSchema":"#);
            out.push_str(schema);
        }
        if self.era.annotations() {
            let Annotations { read_only, destructive, idempotent, open_world } = tool.annotations;
            _ = write!(
                out,
                r#","annotations":{{"readOnlyHint":{read_only},"destructiveHint":{destructive},"idempotentHint":{idempotent},"openWorldHint":{open_world}}}"#
            );
        }
        out.push('}');
    }

    fn push_resource(&self, out: &mut String, open: &str, entry: &ResourceEntry) {
        out.push_str(open);
        push_string(out, entry.uri);
        out.push_str(r#","name":"#);
        push_string(out, entry.name);
        if self.era.titles() {
            push_member(out, ",\"title\":", entry.title);
        }
        push_member(out, ",\"description\":", entry.description);
        push_member(out, ",\"mimeType\":", entry.mime_type);
        out.push('}');
    }
}

/// The members of the result of a tool that worked.
pub(crate) fn push_tool_output(out: &mut String, output: &ToolOutput, structured: Option<&Structured>) {
    push_content(out, &output.text, &output.notes);
    match structured {
        Some(Structured::Same) => {
            out.push_str(r#","structuredContent":"#);
            out.push_str(&output.text);
        }
        Some(Structured::Wrapped { before, after }) => {
            out.push_str(r#","structuredContent":"#);
            out.push_str(before);
            out.push_str(&output.text);
            out.push_str(after);
        }
        Some(Structured::None) | None => {}
    }
    out.push_str(r#","isError":false"#);
}

/// The members of a result whose content a tool made itself.
pub(crate) fn push_tool_content(out: &mut String, content: &ToolContent, structured: bool) {
    out.push_str(r#""content":"#);
    out.push_str(&content.content);
    if let Some(structured) = content.structured.as_deref().filter(|_| structured) {
        out.push_str(r#","structuredContent":"#);
        out.push_str(structured);
    }
    _ = write!(out, r#","isError":{}"#, content.is_error);
}

/// The members of the result of a tool that refused or failed.
pub(crate) fn push_tool_error(out: &mut String, text: &str) {
    push_content(out, text, &[]);
    out.push_str(r#","isError":true"#);
}

/// `content`: the text, then the notes.
fn push_content(out: &mut String, text: &str, notes: &[String]) {
    out.push_str(r#""content":[{"type":"text","text":"#);
    push_string(out, text);
    out.push('}');
    for note in notes {
        out.push_str(r#",{"type":"text","text":"#);
        push_string(out, note);
        out.push('}');
    }
    out.push(']');
}

pub(crate) fn push_server(out: &mut String, server: &ServerInfo) {
    out.push_str(r#"{"name":"#);
    push_string(out, server.name);
    out.push_str(r#","version":"#);
    push_string(out, server.version);
    out.push('}');
}

/// A member that is left out when its value is empty. `key` is written as it is: comma, quotes and colon included.
pub(crate) fn push_member(out: &mut String, key: &str, value: &str) {
    if !value.is_empty() {
        out.push_str(key);
        push_string(out, value);
    }
}

/// Items with commas between them.
fn separated<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut push: impl FnMut(&mut String, T)) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, item);
    }
}

/// Room for a text after escaping: rows as JSON have about one quote in six bytes.
fn escaped_size(text: &str) -> usize {
    text.len() + text.len() / 4
}
