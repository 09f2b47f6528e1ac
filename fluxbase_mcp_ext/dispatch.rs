//! From a message to its reply: protocol, then scope and allow-list, then the guard, then the tool.
//!
//! Invariants:
//! - This is the only way to a tool or a resource, for HTTP and for SQL alike.
//! - Scope and allow-list are asked before anything of the caller's arguments is looked at.
//! - A call from within a tool's body keeps the identity and the allow-lists of the outermost call; it can only narrow them.
//!
//! It does not authenticate (`identity`) and knows nothing of HTTP but the status that a reply carries.

use std::cell::RefCell;
use std::rc::Rc;

use fluxbase_protocol::{Call, Headers, Incoming, Method, Reply, RpcError, ServerInfo, code};
use fluxbase_query::nearest;
use serde::Deserialize;

use crate::error::Error;
use crate::guard::{self, Access, Actor};
use crate::gucs;
use crate::identity::{self, Identity};
use crate::resources::{self, Resource};
use crate::tools::{self, TOOLS, Tool};

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
    http: bool,
    allowed_tools: Vec<String>,
    allowed_resources: Vec<String>,
    /// The listener's limit of requests a minute.
    pub rate_limit_per_min: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RoutingHeaders {
    mcp_protocol_version: Vec<String>,
    mcp_method: Vec<String>,
    mcp_name: Vec<String>,
}

impl Transport {
    /// The headers that the protocol compares; `None` when the message did not come over HTTP.
    pub fn headers(&mut self) -> Option<Headers> {
        let headers = std::mem::take(&mut self.headers);
        self.http.then_some(Headers {
            protocol_version: headers.mcp_protocol_version,
            method: headers.mcp_method,
            name: headers.mcp_name,
        })
    }
}

/// Allow-lists that all must agree; an empty list agrees with everything.
#[derive(Debug, Default)]
pub struct Policy {
    tools: Vec<Vec<String>>,
    resources: Vec<Vec<String>>,
}

impl Policy {
    /// The DBA's lists and the listener's.
    pub fn new(transport: Transport) -> Policy {
        Policy {
            tools: vec![list(&gucs::allowed_tools()), transport.allowed_tools],
            resources: vec![list(&gucs::allowed_resources()), transport.allowed_resources],
        }
    }

    fn allows_tool(&self, tool: &Tool) -> bool {
        self.tools.iter().all(|allowed| allowed.is_empty() || allowed.iter().any(|name| name == tool.name))
    }

    fn allows_resource(&self, resource: &Resource, uri: &str) -> bool {
        self.resources.iter().all(|allowed| {
            allowed.is_empty() || allowed.iter().any(|entry| entry == uri || entry == resource.uri)
        })
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
    })
}

/// The reply to a message that was parsed.
pub fn answer(incoming: Incoming, headers: Option<&Headers>, caller: Rc<Caller>) -> Reply {
    let call = match incoming.respond(headers, &SERVER) {
        Ok(call) => call,
        Err(reply) => return reply,
    };
    let _in_force = InForce::enter(Rc::clone(&caller));
    match &call.method {
        Method::Initialize { .. } => call.initialized(&SERVER),
        Method::Discover => call.discovered(&SERVER),
        Method::Ping => call.pong(),
        Method::ListTools => {
            call.tools(TOOLS.iter().filter(|tool| may_use(&caller, tool)).map(|tool| tool.entry()))
        }
        Method::CallTool { name, arguments } => {
            call_tool(&call, &caller, name, arguments.as_deref().map(|raw| raw.get()))
        }
        Method::ListResources => {
            call.resources(resources::fixed().filter(|r| may_read(&caller, r)).map(Resource::entry))
        }
        Method::ListResourceTemplates => call
            .resource_templates(resources::templates().filter(|r| may_read(&caller, r)).map(Resource::entry)),
        Method::ReadResource { uri } => read_resource(&call, &caller, uri),
    }
}

/// What a tool or resource knows of its call.
pub struct Request<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// The arguments as JSON text; `None` when absent.
    pub arguments: Option<&'a str>,
    /// Whether the client reads structured content.
    pub structured: bool,
}

fn may_use(caller: &Caller, tool: &Tool) -> bool {
    caller.policy.allows_tool(tool) && caller.identity.scopes.has_any(tool.scopes)
}

fn may_read(caller: &Caller, resource: &Resource) -> bool {
    caller.policy.allows_resource(resource, resource.uri) && caller.identity.scopes.has_any(resource.scopes)
}

fn call_tool(call: &Call, caller: &Caller, name: &str, arguments: Option<&str>) -> Reply {
    let Some(tool) = tools::find(name).filter(|tool| caller.policy.allows_tool(tool)) else {
        let usable = TOOLS.iter().filter(|tool| may_use(caller, tool)).map(|tool| tool.name);
        return call.error(&RpcError::unknown_tool(name, nearest(name, usable)));
    };
    if !caller.identity.scopes.has_any(tool.scopes) {
        return call.error(&RpcError::forbidden(&format!("tool {name}"), &scope_names(tool.scopes)));
    }
    let request = Request { identity: &caller.identity, arguments, structured: call.era.structured() };
    match guard::run(&actor(caller), tool.access, || (tool.run)(&request), |answer| !answer.undo) {
        Ok(answer) => call.tool_output(&answer.output),
        Err(error) => call.tool_error(&error.to_text()),
    }
}

fn read_resource(call: &Call, caller: &Caller, uri: &str) -> Reply {
    let Some((resource, parts)) = resources::find(uri).filter(|(r, _)| caller.policy.allows_resource(r, uri))
    else {
        return call.resource_not_found(uri);
    };
    if !caller.identity.scopes.has_any(resource.scopes) {
        return call.error(&RpcError::forbidden(&format!("resource {uri}"), &scope_names(resource.scopes)));
    }
    let request = Request { identity: &caller.identity, arguments: None, structured: false };
    match guard::run(&actor(caller), Access::Read, || (resource.read)(&request, &parts), |_| false) {
        Ok(text) => call.resource(uri, resource.mime_type, &text),
        Err(Error::Refused { code: "42P01", .. }) => call.resource_not_found(uri),
        Err(error) => call.error(&RpcError::new(code::INTERNAL_ERROR, error.to_text())),
    }
}

fn scope_names(scopes: &[fluxbase_credential::Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

fn actor(caller: &Caller) -> Actor<'_> {
    Actor {
        role: caller.identity.role,
        claims: &caller.identity.claims,
        settings: &caller.identity.settings,
        alone: caller.alone,
    }
}
