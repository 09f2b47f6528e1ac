//! What is asked, once every check has passed: method, era, and the params that the method reads.
//!
//! It does not answer: see `result.rs`. It does not know whether a tool or a resource exists.

use crate::{
    envelope::{Id, OwnedMeta, OwnedParams},
    era::{Era, Version},
    error::RpcError,
    json,
    members::Object,
    result::ServerInfo,
    subscription::Filter,
    task::{self, Verb},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// A request that passed every check. Its methods write the answer.
#[derive(Clone, Debug)]
pub struct Call {
    /// Echoed in the answer.
    pub id: Id,
    /// Decides the shape of the answer. For `initialize` it is the negotiated version.
    pub era: Era,
    /// What is asked.
    pub method: Method,
    /// What the client wants to be told while the call runs, and what may be asked of it.
    pub wishes: Wishes,
    /// Named in `_meta` of each modern result.
    pub server: &'static ServerInfo<'static>,
}

/// The part of `params._meta` that is no version.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The token of progress notifications, a string or an integer as it was sent.
    pub progress_token: Option<Box<RawValue>>,
    /// From which level on the client wants log notifications of this request; modern only.
    pub log_level: Option<Level>,
    /// What the client declared that it can do, a JSON object; modern only.
    pub capabilities: Option<Box<RawValue>>,
}

impl Wishes {
    /// # Errors
    /// −32602 when the token or the level is none.
    pub(crate) fn read(meta: &Object<OwnedMeta>) -> Result<Wishes, RpcError> {
        let Object::Members(meta) = meta else { return Ok(Wishes::default()) };
        if let Some(token) = &meta.progress_token
            && !matches!(token.get().as_bytes(), [b'"', ..])
            && !token.get().trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(invalid("params._meta.progressToken must be a string or an integer.".to_owned()));
        }
        let log_level = match &meta.log_level {
            Some(raw) => Some(Level::read(raw, "params._meta[\"io.modelcontextprotocol/logLevel\"]")?),
            None => None,
        };
        Ok(Wishes {
            progress_token: meta.progress_token.clone(),
            log_level,
            capabilities: meta.client_capabilities.clone(),
        })
    }

    /// Whether the client declared this extension, such as `io.modelcontextprotocol/tasks`, for this request; modern only.
    pub fn declares(&self, extension: &str) -> bool {
        #[derive(Default, serde::Deserialize)]
        struct Capabilities<'a> {
            #[serde(default, borrow)]
            extensions: BTreeMap<Cow<'a, str>, serde::de::IgnoredAny>,
        }
        let declared = self.capabilities.as_deref().map(RawValue::get);
        // Most clients declare nothing: they cost nothing.
        declared.filter(|text| text.contains("\"extensions\"")).is_some_and(|text| {
            serde_json::from_str::<Capabilities>(text).unwrap_or_default().extensions.contains_key(extension)
        })
    }
}

/// How grave a log message is: the severities of RFC 5424, the least grave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// What goes on.
    Info,
    /// Worth a look.
    Notice,
    /// Something may be wrong.
    Warning,
    /// Something went wrong.
    Error,
    /// A part failed.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

impl Level {
    const NAMES: [(Level, &'static str); 8] = [
        (Level::Debug, "debug"),
        (Level::Info, "info"),
        (Level::Notice, "notice"),
        (Level::Warning, "warning"),
        (Level::Error, "error"),
        (Level::Critical, "critical"),
        (Level::Alert, "alert"),
        (Level::Emergency, "emergency"),
    ];

    /// The level with this name.
    pub fn parse(name: &str) -> Option<Level> {
        Level::NAMES.into_iter().find(|(_, known)| *known == name).map(|(level, _)| level)
    }

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        Level::NAMES.into_iter().find(|(level, _)| *level == self).map_or("info", |(_, name)| name)
    }

    fn read(raw: &RawValue, place: &str) -> Result<Level, RpcError> {
        json::text(raw.get()).ok().and_then(|name| Level::parse(&name)).ok_or_else(|| {
            let names: Vec<&str> = Level::NAMES.into_iter().map(|(_, name)| name).collect();
            invalid(format!("{place} must be one of {}.", names.join(", ")))
        })
    }
}

/// A method with its params.
#[derive(Clone, Debug)]
pub enum Method {
    /// `initialize`, legacy only. `requested` is the version that the client named, served or not.
    Initialize { requested: String },
    /// `ping`, legacy only.
    Ping,
    /// `server/discover`, modern only.
    Discover,
    /// `tools/list`
    ListTools,
    /// `tools/call`. The arguments are one JSON object as it was sent, `None` when absent.
    CallTool { name: String, arguments: Option<Box<RawValue>>, answers: Answers },
    /// `resources/list`
    ListResources,
    /// `resources/templates/list`, or `resources/templates` as Fluxbase named it.
    ListResourceTemplates,
    /// `resources/read`
    ReadResource { uri: String },
    /// `prompts/list`
    ListPrompts,
    /// `prompts/get`. The arguments are one JSON object as it was sent, `None` when absent.
    GetPrompt { name: String, arguments: Option<Box<RawValue>>, answers: Answers },
    /// `completion/complete`. The context is what the client knows of the other arguments.
    Complete { reference: Reference, argument: String, value: String, context: BTreeMap<String, String> },
    /// `logging/setLevel`, legacy only. Without sessions there is nothing to remember it in.
    SetLevel,
    /// `resources/subscribe` and `resources/unsubscribe`, legacy only; accepted, and nothing is ever told.
    Subscribe,
    /// `subscriptions/listen`, modern only: a stream of what changes.
    Listen(Filter),
    /// `tasks/get`, `tasks/update`, `tasks/cancel`, modern only, for clients that declared the extension.
    Task { id: String, verb: Verb },
}

/// What a client sends with a call that was answered with `input_required` before.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// A JSON object, as it was sent.
    pub input_responses: Option<Box<RawValue>>,
    /// As we gave it, or as somebody made it up.
    pub request_state: Option<String>,
}

/// What is completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A prompt, by name.
    Prompt(String),
    /// A resource template, by its URI.
    Resource(String),
}

/// The methods by name, before their params are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Initialize,
    Ping,
    Discover,
    ListTools,
    CallTool,
    ListResources,
    ListResourceTemplates,
    ReadResource,
    ListPrompts,
    GetPrompt,
    Complete,
    SetLevel,
    Subscribe,
    Listen,
    GetTask,
    UpdateTask,
    CancelTask,
}

/// What both eras serve, for messages.
const SHARED: &str = "tools/list, tools/call, resources/list, resources/templates/list, resources/read, prompts/list, \
                      prompts/get, completion/complete";

impl Known {
    /// The method with this name in this era. Names are case-sensitive.
    pub fn find(method: &str, modern: bool) -> Option<Known> {
        match method {
            "tools/list" => Some(Known::ListTools),
            "tools/call" => Some(Known::CallTool),
            "resources/list" => Some(Known::ListResources),
            "resources/templates/list" | "resources/templates" => Some(Known::ListResourceTemplates),
            "resources/read" => Some(Known::ReadResource),
            "prompts/list" => Some(Known::ListPrompts),
            "prompts/get" => Some(Known::GetPrompt),
            "completion/complete" => Some(Known::Complete),
            "server/discover" if modern => Some(Known::Discover),
            "subscriptions/listen" if modern => Some(Known::Listen),
            "tasks/get" if modern => Some(Known::GetTask),
            "tasks/update" if modern => Some(Known::UpdateTask),
            "tasks/cancel" if modern => Some(Known::CancelTask),
            "initialize" if !modern => Some(Known::Initialize),
            "ping" if !modern => Some(Known::Ping),
            "logging/setLevel" if !modern => Some(Known::SetLevel),
            "resources/subscribe" | "resources/unsubscribe" if !modern => Some(Known::Subscribe),
            _ => None,
        }
    }

    /// −32601, with the methods that there are.
    pub fn unknown(method: &str, modern: bool) -> RpcError {
        let own = if modern {
            "server/discover, subscriptions/listen"
        } else {
            "initialize, ping, logging/setLevel, resources/subscribe, resources/unsubscribe"
        };
        let mut message = format!("Unknown method: {}.", json::clip(method));
        match method {
            "initialize" | "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe"
                if modern =>
            {
                message
                    .push_str(" It does not exist in 2026-07-28; send it without the _meta of that version.");
            }
            "server/discover" | "subscriptions/listen" | "tasks/get" | "tasks/update" | "tasks/cancel" => {
                message.push_str(
                    " It exists from 2026-07-28 on; name that version in params._meta and in MCP-Protocol-Version.",
                );
            }
            _ => {}
        }
        message.push_str(&format!(" Served are: {own}, {SHARED}. Nothing was done."));
        RpcError::new(crate::code::METHOD_NOT_FOUND, message)
    }

    /// Reads the params: the method, and for `initialize` the era that it negotiates.
    ///
    /// # Errors
    /// −32602 when a param is missing or has the wrong type.
    pub fn read(self, params: OwnedParams, era: Era) -> Result<(Era, Method), RpcError> {
        let OwnedParams { name, arguments, uri, cursor, protocol_version, .. } = params;
        let (input_responses, request_state) = (params.input_responses, params.request_state);
        let answers = |modern: bool| answers(input_responses, request_state.as_deref(), modern);
        let method = match self {
            Known::Initialize => {
                let requested = required(protocol_version.as_deref(), "protocolVersion", "initialize")?;
                let version = Version::parse(&requested).unwrap_or(Version::NEWEST);
                return Ok((Era::Legacy(version), Method::Initialize { requested }));
            }
            Known::Ping => Method::Ping,
            Known::Discover => Method::Discover,
            Known::ListTools => one_page(cursor.as_deref(), Method::ListTools)?,
            Known::ListResources => one_page(cursor.as_deref(), Method::ListResources)?,
            Known::ListResourceTemplates => one_page(cursor.as_deref(), Method::ListResourceTemplates)?,
            Known::CallTool => {
                let name = required(name.as_deref(), "name", "tools/call")?;
                object(arguments.as_deref(), "arguments")?;
                Method::CallTool { name, arguments, answers: answers(era.modern())? }
            }
            Known::ListPrompts => one_page(cursor.as_deref(), Method::ListPrompts)?,
            Known::GetPrompt => {
                let name = required(name.as_deref(), "name", "prompts/get")?;
                object(arguments.as_deref(), "arguments")?;
                Method::GetPrompt { name, arguments, answers: answers(era.modern())? }
            }
            Known::Complete => {
                let (of, at) = (params.reference, params.argument);
                let kind = required(of.kind.as_deref(), "ref.type", "completion/complete")?;
                let reference = match kind.as_str() {
                    "ref/prompt" => {
                        Reference::Prompt(required(of.name.as_deref(), "ref.name", "ref/prompt")?)
                    }
                    "ref/resource" => {
                        Reference::Resource(required(of.uri.as_deref(), "ref.uri", "ref/resource")?)
                    }
                    other => {
                        return Err(invalid(format!(
                            "params.ref.type must be ref/prompt or ref/resource, not {}.",
                            json::clip(other)
                        )));
                    }
                };
                let argument = required(at.name.as_deref(), "argument.name", "completion/complete")?;
                let value = required(at.value.as_deref(), "argument.value", "completion/complete")?;
                let context = known_arguments(params.context.as_deref())?;
                Method::Complete { reference, argument, value, context }
            }
            Known::SetLevel => {
                let Some(level) = &params.level else {
                    return Err(invalid("logging/setLevel needs params.level, a string.".to_owned()));
                };
                Level::read(level, "params.level")?;
                Method::SetLevel
            }
            Known::Subscribe => {
                required(uri.as_deref(), "uri", "resources/subscribe")?;
                Method::Subscribe
            }
            Known::Listen => Method::Listen(Filter::read(params.notifications.as_deref())?),
            Known::GetTask => task::named(params.task_id.as_deref(), "tasks/get", Verb::Get)?,
            Known::CancelTask => task::named(params.task_id.as_deref(), "tasks/cancel", Verb::Cancel)?,
            Known::UpdateTask => {
                let responses = answers(true)?.input_responses;
                task::named(params.task_id.as_deref(), "tasks/update", Verb::Update(responses))?
            }
            Known::ReadResource => {
                Method::ReadResource { uri: required(uri.as_deref(), "uri", "resources/read")? }
            }
        };
        Ok((era, method))
    }
}

/// A param that may be absent and else is an object.
fn object(raw: Option<&RawValue>, member: &str) -> Result<(), RpcError> {
    match raw.map(RawValue::get) {
        Some(text) if !text.starts_with('{') => Err(invalid(format!(
            "params.{member} must be an object, not {}. Leave it out when there are none.",
            json::kind(text)
        ))),
        _ => Ok(()),
    }
}

/// `context.arguments` of `completion/complete`: an object of strings.
fn known_arguments(context: Option<&RawValue>) -> Result<BTreeMap<String, String>, RpcError> {
    #[derive(serde::Deserialize)]
    struct Context {
        #[serde(default)]
        arguments: BTreeMap<String, String>,
    }
    let Some(raw) = context.filter(|raw| raw.get() != "null") else { return Ok(BTreeMap::new()) };
    object(Some(raw), "context")?;
    serde_json::from_str::<Context>(raw.get()).map(|context| context.arguments).map_err(|_| {
        invalid("params.context must be an object with arguments, an object of strings.".to_owned())
    })
}

/// What belongs to an earlier `input_required`; the legacy era has no such thing, and ignores it.
fn answers(
    input_responses: Option<Box<RawValue>>,
    request_state: Option<&RawValue>,
    modern: bool,
) -> Result<Answers, RpcError> {
    if !modern {
        return Ok(Answers::default());
    }
    object(input_responses.as_deref(), "inputResponses")?;
    let request_state = match request_state.map(|raw| json::text(raw.get())) {
        None => None,
        Some(Ok(text)) => Some(text.into_owned()),
        Some(Err(fault)) => return Err(invalid(format!("params.requestState {}.", fault.explain()))),
    };
    Ok(Answers { input_responses, request_state })
}

/// A param that must be there and be text.
pub(crate) fn required(raw: Option<&RawValue>, member: &str, method: &str) -> Result<String, RpcError> {
    match raw.map(|raw| json::text(raw.get())) {
        Some(Ok(text)) => Ok(text.into_owned()),
        Some(Err(fault)) => Err(invalid(format!("params.{member} {}.", fault.explain()))),
        None => Err(invalid(format!("{method} needs params.{member}, a string."))),
    }
}

/// Lists have one page, so only the cursor of the first page is valid: none, or the empty one that some clients send.
fn one_page(cursor: Option<&RawValue>, method: Method) -> Result<Method, RpcError> {
    match cursor.map(RawValue::get) {
        None | Some("\"\"") => Ok(method),
        Some(_) => {
            Err(invalid("params.cursor is not valid: this list has one page. Leave cursor out.".to_owned()))
        }
    }
}

fn invalid(message: String) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {message} Nothing was done."))
}
