//! From a message to its reply: protocol, then scope and allow-list, then the guard, then the tool.
//!
//! Invariants:
//! - This is the only way to a tool, a resource or a prompt, built in or registered, for HTTP and for SQL alike.
//! - Scope and allow-list are asked before anything of the caller's arguments is looked at.
//! - A call from within a tool's body keeps the identity and the allow-lists of the outermost call; it can only narrow them.
//!
//! It does not authenticate (`identity`) and knows nothing of HTTP but the status that a reply carries.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use fluxbase_delegate::Id;
use fluxbase_protocol::{
    Answers, Call, Headers, Incoming, Method, Reply, RpcError, ServerInfo, Wishes, code,
};
use fluxbase_query::nearest;
use fluxbase_record::Source;
use fluxbase_register::LIFETIME_SECONDS;
use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::audit;
use crate::complete;
use crate::error::Error;
use crate::guard::{self, Access, Actor};
use crate::gucs;
use crate::identity::{self, Identity};
use crate::registered::{self, Given, Prompt, Visible};
use crate::resources::{self, Contents, RESOURCES, Read, Resource};
use crate::standby::{self, Server};
use crate::subscription;
use crate::tasks;
use crate::tools::{self, Body, Outcome, TOOLS, Tool};

/// Who the server says it is.
pub static SERVER: ServerInfo<'static> = ServerInfo {
    name: "fluxbase_mcp_ext",
    version: env!("CARGO_PKG_VERSION"),
    instructions: include_str!("instructions.txt"),
};

/// What the listener tells about a request, `$3` of `mcp.handle`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Transport {
    headers: RoutingHeaders,
    /// Whether the message came over HTTP.
    pub http: bool,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// What `initialize` negotiated, where no headers repeat it: on standard input and output.
    protocol_version: Option<String>,
    allowed_tools: Vec<String>,
    allowed_resources: Vec<String>,
    read_only: bool,
    /// The listener's limit of requests a minute.
    pub rate_limit_per_min: Option<u32>,
    /// For `subscriptions/listen`: what the stream has seen, empty at its beginning; `None` when nothing can be streamed.
    pub watch: Option<String>,
    /// To which server the listener sent the call.
    pub server: Server,
    /// For how many seconds what lives between two requests of the listener's clients is good.
    pub session_timeout: Option<u32>,
    /// The message came before, and this call of it was answered with: it is pending.
    pub pending: Option<Pending>,
}

/// A call that the delegate worker makes for the listener, and that is to be finished.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Which.
    pub id: Id,
    /// Nobody waits for it any more: end it.
    #[serde(default)]
    pub abandon: bool,
}

/// How a tool makes a call that takes its time.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// At once, and waits: a caller in SQL.
    Here,
    /// After the commit; what is answered now is that it is pending.
    Later,
    /// It was made; what is answered now is its end.
    Finish(Pending),
    /// Not at all: a transaction of the listener's in which this is not the only thing.
    No,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RoutingHeaders {
    mcp_protocol_version: Vec<String>,
    mcp_method: Vec<String>,
    mcp_name: Vec<String>,
}

impl Transport {
    /// The headers that the protocol compares; `None` when the message came neither over HTTP nor after `initialize`.
    pub fn headers(&mut self) -> Option<Headers> {
        let headers = std::mem::take(&mut self.headers);
        if !self.http {
            let version = self.protocol_version.take()?;
            return Some(Headers { protocol_version: vec![version], negotiated: true, ..Headers::default() });
        }
        Some(Headers {
            protocol_version: headers.mcp_protocol_version,
            method: headers.mcp_method,
            name: headers.mcp_name,
            negotiated: false,
        })
    }
}

/// Allow-lists that all must agree, an empty list agrees with everything; and who, if anybody, lets only reading tools run.
#[derive(Debug, Default)]
pub struct Policy {
    tools: Vec<Vec<String>>,
    resources: Vec<Vec<String>>,
    read_only: Option<&'static str>,
}

impl Policy {
    /// The DBA's ceilings and the listener's.
    pub fn new(transport: Transport) -> Policy {
        Policy {
            tools: vec![list(&gucs::allowed_tools()), transport.allowed_tools],
            resources: vec![list(&gucs::allowed_resources()), transport.allowed_resources],
            read_only: if gucs::read_only() {
                Some("this server is read-only (mcp.read_only)")
            } else {
                transport.read_only.then_some("this listener is read-only (--read-only)")
            },
        }
    }

    /// Whether the allow-lists have the tool.
    pub fn allows_tool(&self, name: &str) -> bool {
        self.tools.iter().all(|allowed| allowed.is_empty() || allowed.iter().any(|entry| entry == name))
    }

    /// Why a tool with this access may not run, as half a sentence.
    pub fn forbids(&self, access: Access) -> Option<&'static str> {
        self.read_only.filter(|_| access == Access::Write)
    }

    /// The allow-lists, for a task that holds them when it runs.
    pub fn limits(&self) -> Limits {
        Limits { tools: self.tools.clone(), resources: self.resources.clone() }
    }

    fn allows_resource(&self, resource: &Resource<'_>, uri: &str) -> bool {
        self.resources.iter().all(|allowed| {
            allowed.is_empty() || allowed.iter().any(|entry| entry == uri || entry == resource.uri)
        })
    }
}

/// The allow-lists of a call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Limits {
    tools: Vec<Vec<String>>,
    resources: Vec<Vec<String>>,
}

impl Limits {
    /// They and what the server allows now.
    pub fn now(self) -> Policy {
        let mut policy = Policy::new(Transport::default());
        policy.tools.extend(self.tools);
        policy.resources.extend(self.resources);
        policy
    }
}

fn list(comma_list: &str) -> Vec<String> {
    comma_list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Who asks, and what may be asked at all.
pub struct Caller {
    /// Role, claims, scopes.
    pub identity: Rc<Identity>,
    /// Allow-lists.
    pub policy: Policy,
    /// Whether the call is a transaction of its own.
    pub alone: bool,
    /// Whether it is one of several messages.
    pub batch: bool,
    /// The call that is to be finished.
    pub pending: Option<Pending>,
    /// What a stream of the caller has seen; `None` when nothing can be streamed.
    pub watch: Option<String>,
    /// For how many seconds a state between two rounds is good.
    pub state_seconds: u32,
    /// By which way the call came.
    pub source: Source,
    /// The client's address.
    pub address: Option<IpAddr>,
}

thread_local! {
    static IN_FORCE: RefCell<Vec<Rc<Caller>>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a caller in force until it is dropped, also while unwinding.
struct InForce;

impl InForce {
    fn enter(caller: Rc<Caller>) -> InForce {
        IN_FORCE.with_borrow_mut(|stack| stack.push(caller));
        InForce
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        IN_FORCE.with_borrow_mut(|stack| stack.pop());
    }
}

/// Runs `body` with that caller in force: of a task.
pub fn in_force<T>(caller: &Rc<Caller>, body: impl FnOnce() -> T) -> T {
    let _in_force = InForce::enter(Rc::clone(caller));
    body()
}

/// The caller of `mcp.handle(jsonb)`: the one in force when a tool's body makes the call, else the session's.
pub fn caller_of_session() -> Rc<Caller> {
    if guard::holds()
        && let Some(caller) = IN_FORCE.with_borrow(|stack| stack.last().cloned())
    {
        return caller;
    }
    Rc::new(Caller {
        identity: identity::of_session(),
        policy: Policy::new(Transport::default()),
        alone: false,
        batch: false,
        pending: None,
        watch: None,
        state_seconds: LIFETIME_SECONDS,
        source: Source::Sql,
        address: None,
    })
}

/// The reply to a message that was parsed.
pub fn answer(incoming: Incoming, headers: Option<&Headers>, caller: Rc<Caller>) -> Reply {
    let record = match audit::Call::begin(&caller, incoming.id()) {
        Ok(record) => record,
        Err(reply) => return reply,
    };
    let call = match incoming.respond(headers, &SERVER) {
        Ok(call) => call,
        Err(reply) => return record.end(None, reply),
    };
    record.asks(&call.method);
    let reply = respond(&call, caller);
    record.end(Some(&call.method), reply)
}

fn respond(call: &Call, caller: Rc<Caller>) -> Reply {
    let _in_force = InForce::enter(Rc::clone(&caller));
    let _asked = registered::notify::Asked::of(&call.wishes, call.era);
    match &call.method {
        Method::Initialize { .. } => call.initialized(&SERVER),
        Method::Discover => call.discovered(&SERVER, serves_tasks(&caller)),
        Method::Ping | Method::SetLevel | Method::Subscribe => call.pong(),
        Method::ListTools => list_tools(call, &caller),
        Method::CallTool { name, arguments, answers } => {
            let arguments = arguments.as_deref().map(|raw| raw.get());
            call_tool(call, &caller, name, &Request::new(call, &caller, arguments, answers))
        }
        Method::ListResources => list_resources(call, &caller),
        Method::ListResourceTemplates => list_resource_templates(call, &caller),
        Method::ReadResource { uri } => {
            read_resource(call, &caller, uri, true).unwrap_or_else(|refusal| refusal)
        }
        Method::ListPrompts => list_prompts(call, &caller),
        Method::Listen(filter) => subscription::look(call, &caller, filter),
        Method::Task { id, verb } => tasks::answer(call, &caller, id, verb),
        Method::GetPrompt { name, arguments, answers } => {
            let arguments = arguments.as_deref().map(|raw| raw.get());
            get_prompt(call, &caller, name, &Request::new(call, &caller, arguments, answers))
        }
        Method::Complete { reference, argument, value, context } => {
            match complete::complete(&caller, &complete::Asked { reference, argument, value, context }) {
                Ok(values) => {
                    let shown = values.iter().take(complete::MOST).map(String::as_str);
                    call.completion(shown, values.len(), values.len() > complete::MOST)
                }
                Err(complete::Refusal::Unknown(error)) => call.error(&error),
                Err(complete::Refusal::Failed(error)) => internal(call, &error),
            }
        }
    }
}

fn serves_tasks(caller: &Caller) -> bool {
    // Most servers have no such tool, and nothing else is looked at.
    if !registered::all().tools.iter().any(|tool| tool.task().is_some()) {
        return false;
    }
    let visible = Visible::to(&actor(caller));
    tasks::served(caller, tools(caller, &visible).map(|tool| tool.task().is_some()))
}

/// The answer to `tools/list`.
pub fn list_tools(call: &Call, caller: &Caller) -> Reply {
    let visible = Visible::to(&actor(caller));
    call.tools(tools(caller, &visible).map(|tool| tool.entry()))
}

/// The answer to `resources/list`.
pub fn list_resources(call: &Call, caller: &Caller) -> Reply {
    let visible = Visible::to(&actor(caller));
    call.resources(resources(caller, &visible).filter(|r| !r.is_template()).map(|r| r.entry()))
}

/// The answer to `resources/templates/list`.
pub fn list_resource_templates(call: &Call, caller: &Caller) -> Reply {
    let visible = Visible::to(&actor(caller));
    call.resource_templates(resources(caller, &visible).filter(Resource::is_template).map(|r| r.entry()))
}

/// The answer to `prompts/list`.
pub fn list_prompts(call: &Call, caller: &Caller) -> Reply {
    let visible = Visible::to(&actor(caller));
    call.prompts(prompts(caller, &visible).map(Prompt::entry))
}

/// What a tool, a resource or a prompt knows of its call.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// How a call that takes its time is made. Nothing waits in a transaction for a caller over HTTP.
    pub way: Way,
    /// The arguments as JSON text; `None` when absent.
    pub arguments: Option<&'a str>,
    /// Whether the client reads structured content.
    pub structured: bool,
    /// Whether the client can be asked something.
    pub modern: bool,
    /// What the client answered to questions of this call.
    pub answers: &'a Answers,
    /// What the client wants to be told, and can do.
    pub wishes: &'a Wishes,
    /// For how many seconds a state that is signed now is good.
    pub state_seconds: u32,
    /// Whether it runs as a task, or may begin one.
    pub stage: tasks::Stage,
}

impl<'a> Request<'a> {
    fn new(
        call: &'a Call,
        caller: &'a Caller,
        arguments: Option<&'a str>,
        answers: &'a Answers,
    ) -> Request<'a> {
        Request {
            identity: &caller.identity,
            way: match caller.pending {
                _ if !caller.alone => Way::Here,
                _ if guard::holds() || caller.batch => Way::No,
                Some(pending) => Way::Finish(pending),
                None => Way::Later,
            },
            arguments,
            structured: call.era.structured(),
            modern: call.era.modern(),
            answers,
            wishes: &call.wishes,
            state_seconds: caller.state_seconds,
            stage: tasks::Stage::Call,
        }
    }
}

/// The tools that the caller may use, in the order of the list.
fn tools<'a>(caller: &'a Caller, visible: &'a Visible) -> impl Iterator<Item = Tool<'a>> {
    let all = TOOLS.iter().copied().chain(visible.tools().map(|tool| tool.as_tool()));
    all.filter(|tool| {
        caller.policy.allows_tool(tool.name)
            && caller.policy.forbids(tool.access).is_none()
            && caller.identity.scopes.has_any(tool.scopes)
            && tools::is_possible(tool)
    })
}

/// The resources and templates that the caller may read, in the order of the lists.
pub fn resources<'a>(caller: &'a Caller, visible: &'a Visible) -> impl Iterator<Item = Resource<'a>> {
    let all = RESOURCES.iter().copied().chain(visible.resources().map(|resource| resource.as_resource()));
    all.filter(|resource| {
        caller.policy.allows_resource(resource, resource.uri)
            && caller.identity.scopes.has_any(resource.scopes)
    })
}

/// The prompts that the caller may get, in the order of the list.
fn prompts<'a>(caller: &'a Caller, visible: &'a Visible) -> impl Iterator<Item = &'a Prompt> {
    visible.prompts().filter(|prompt| caller.identity.scopes.has_any(&prompt.scopes))
}

fn call_tool(call: &Call, caller: &Caller, name: &str, request: &Request<'_>) -> Reply {
    let registered;
    let mut known = None;
    if caller.policy.allows_tool(name) {
        known = tools::built_in(name).copied();
        if known.is_none() {
            registered = registered::tool(name);
            known = registered.as_deref().map(registered::Tool::as_tool);
        }
    }
    let Some(tool) = known else {
        let visible = Visible::to(&actor(caller));
        let usable = tools(caller, &visible).map(|tool| tool.name);
        return call.error(&RpcError::unknown_tool(name, nearest(name, usable)));
    };
    if !caller.identity.scopes.has_any(tool.scopes) {
        return call.error(&RpcError::forbidden(&format!("tool {name}"), &scope_names(tool.scopes)));
    }
    if let Some(why) = caller.policy.forbids(tool.access) {
        return call.error(&RpcError::read_only(name, why));
    }
    let mut request = *request;
    // Built-in tools are not looked at any further.
    let task = match tool.run {
        Body::Registered(registered) => registered.task().map(|support| (registered, support)),
        Body::BuiltIn(_) => None,
    };
    if let Some((registered, support)) = task {
        match tasks::begin(call, caller, &tool, registered, support, &request) {
            tasks::Begin::Reply(reply) => return reply,
            tasks::Begin::Offered => request.stage = tasks::Stage::Offered,
            tasks::Begin::AtOnce => {}
        }
    }
    // Within a tool's body it is too late: the outermost call was asked.
    if tool.access == Access::Write
        && !guard::holds()
        && let Some(reply) = standby::before_write()
    {
        return reply;
    }
    let outcome = guard::run(&actor(caller), tool.access, || tool.call(&request), |done| !done.undo);
    audit::ended(outcome.as_ref().map(|done| done.undo));
    match outcome {
        Ok(done) => match done.outcome {
            Outcome::Output(output) => call.tool_output(&output),
            Outcome::Content(content) => call.tool_content(&content),
            Outcome::Ask(Ask::Legacy) => call.tool_error(ONLY_MODERN),
            Outcome::Ask(ask) => self::ask(call, &ask),
            Outcome::Pending(id) => pending(id),
            Outcome::Task => match task {
                Some((registered, support)) => {
                    tasks::submit(call, caller, &tool, registered, support, &request)
                }
                None => unreachable!("only a function that was offered a task begins one"),
            },
        },
        Err(error) => {
            standby::failed();
            call.tool_error(&error.to_text())
        }
    }
}

fn pending(id: Id) -> Reply {
    Reply { status: PENDING, body: Some(id.to_string()), retry_after: None }
}

/// The status of a call that the delegate worker makes (102 Processing, RFC 2518); the body is its id. It never leaves the listener.
const PENDING: u16 = 102;

const ONLY_MODERN: &str = "This must ask the client something first, which protocol revision 2026-07-28 can and that of this request cannot. Nothing was changed.";

/// The reply when something must be asked, or cannot be.
fn ask(call: &Call, ask: &Ask) -> Reply {
    match ask {
        Ask::Questions { requests, state } => call.input_required(requests, state.as_deref()),
        Ask::Impossible(capabilities) => {
            RpcError::missing_capabilities(capabilities).reply(400, Some(&call.id))
        }
        Ask::Legacy => call.error(&RpcError::invalid_params(ONLY_MODERN)),
        Ask::BadState => call.error(&RpcError::invalid_params(
            "Invalid params: params.requestState is not valid: it was changed, is too old, or belongs to another key, call or arguments. Make the call again without it. Nothing was done.",
        )),
    }
}

/// The answer to `resources/read`. Without `alone` it is read for something else, such as a look of a stream, which cannot wait for a worker.
///
/// # Errors
/// The reply that refuses it.
pub fn read_resource(call: &Call, caller: &Caller, uri: &str, alone: bool) -> Result<Reply, Reply> {
    let (registered, parts, variables);
    let mut known = None;
    if let Some((resource, found)) = resources::built_in(uri) {
        (parts, variables) = (found, Vec::new());
        known = Some(*resource);
    } else if let Some((resource, found)) = registered::resource(uri) {
        (parts, variables) = (Vec::new(), found);
        registered = resource;
        known = Some(registered.as_resource());
    } else {
        (parts, variables) = (Vec::new(), Vec::new());
    }
    let Some(resource) = known.filter(|resource| caller.policy.allows_resource(resource, uri)) else {
        return Err(call.resource_not_found(uri));
    };
    if !caller.identity.scopes.has_any(resource.scopes) {
        let what = format!("resource {uri}");
        return Err(call.error(&RpcError::forbidden(&what, &scope_names(resource.scopes))));
    }
    let answers = Answers::default();
    let mut request = Request::new(call, caller, None, &answers);
    if !alone {
        request.way = Way::No;
    }
    let body = || match resource.read {
        Read::BuiltIn(read) => read(&request, &parts).map(|text| Some(Contents::Text(text))),
        Read::Object(read) => read(&request, &parts),
        Read::Registered(registered) => registered.read(uri, &variables),
    };
    match guard::run(&actor(caller), Access::Read, body, |_| false) {
        Ok(Some(Contents::Text(text))) => Ok(call.resource(uri, resource.mime_type, &text)),
        Ok(Some(Contents::Raw(contents))) => Ok(call.resource_contents(&contents)),
        Ok(Some(Contents::Pending(id))) => Ok(pending(id)),
        Ok(None) | Err(Error::Refused { code: "42P01", .. }) => Err(call.resource_not_found(uri)),
        Err(error) => Err(internal(call, &error)),
    }
}

fn get_prompt(call: &Call, caller: &Caller, name: &str, request: &Request<'_>) -> Reply {
    let Some(prompt) = registered::prompt(name) else {
        let visible = Visible::to(&actor(caller));
        let usable = prompts(caller, &visible).map(|prompt| prompt.name.as_str());
        return call.error(&RpcError::unknown_prompt(name, nearest(name, usable)));
    };
    if !caller.identity.scopes.has_any(&prompt.scopes) {
        return call.error(&RpcError::forbidden(&format!("prompt {name}"), &scope_names(&prompt.scopes)));
    }
    if let Err(why) = prompt.check(request.arguments) {
        return call.error(&RpcError::invalid_params(format!("Invalid params: {why} Nothing was done.")));
    }
    match guard::run(&actor(caller), Access::Read, || prompt.get(request), |_| false) {
        Ok(Given::Messages { description, messages }) => call.prompt(&description, &messages),
        Ok(Given::Ask(ask)) => self::ask(call, &ask),
        Err(error) => internal(call, &error),
    }
}

/// What is no tool has no result that says that it failed.
fn internal(call: &Call, error: &Error) -> Reply {
    audit::ended(Err(error));
    call.error(&RpcError::new(code::INTERNAL_ERROR, error.to_text()))
}

/// The names of scopes.
pub fn scope_names(scopes: &[fluxbase_credential::Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

/// Whom the guard becomes for a caller.
pub fn actor(caller: &Caller) -> Actor<'_> {
    Actor {
        role: caller.identity.role,
        claims: &caller.identity.claims,
        settings: &caller.identity.settings,
        alone: caller.alone,
    }
}
