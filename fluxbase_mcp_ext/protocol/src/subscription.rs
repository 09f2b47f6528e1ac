//! `subscriptions/listen`: what a client wants to hear of, and the messages that it hears (MCP 2026-07-28, basic/subscriptions).
//!
//! Invariants: the acknowledgement comes first, and repeats only what is honoured; every message carries the id of the request
//! that opened the stream in `_meta`; nothing is told that was not asked for.
//!
//! It does not know when something changed, and holds no stream: see `subscription.rs` of the extension and of the listener.

use crate::{
    call::Call,
    error::RpcError,
    json::{self, push_string},
    result::push_server,
};
use serde_json::value::RawValue;

/// The most resources of one subscription.
pub const MAX_SUBSCRIBED: usize = 100;

/// What a client wants to hear of. An absent kind is one that it does not want.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The list of tools changed.
    pub tools: bool,
    /// The list of prompts changed.
    pub prompts: bool,
    /// The lists of resources or of templates changed.
    pub resources: bool,
    /// The contents of these resources changed.
    pub uris: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    tools_list_changed: bool,
    #[serde(default)]
    prompts_list_changed: bool,
    #[serde(default)]
    resources_list_changed: bool,
    #[serde(default)]
    resource_subscriptions: Vec<String>,
}

impl Filter {
    /// # Errors
    /// −32602 when `params.notifications` is missing or no filter. Kinds that are not known are not honoured, as the acknowledgement says.
    pub(crate) fn read(raw: Option<&RawValue>) -> Result<Filter, RpcError> {
        let invalid = |why: String| {
            Err(RpcError::invalid_params(format!("Invalid params: {why} Nothing was subscribed to.")))
        };
        let Some(raw) = raw.filter(|raw| json::kind(raw.get()) == "an object") else {
            return invalid(
                "subscriptions/listen needs params.notifications, an object such as {\"toolsListChanged\":true}."
                    .to_owned(),
            );
        };
        let wanted: Wanted = match serde_json::from_str(raw.get()) {
            Ok(wanted) => wanted,
            Err(_) => {
                return invalid(
                    "in params.notifications toolsListChanged, promptsListChanged and resourcesListChanged are booleans and \
                     resourceSubscriptions is a list of URIs."
                        .to_owned(),
                );
            }
        };
        let mut uris = wanted.resource_subscriptions;
        if uris.len() > MAX_SUBSCRIBED {
            return invalid(format!("resourceSubscriptions has at most {MAX_SUBSCRIBED} URIs."));
        }
        let mut known = std::collections::BTreeSet::new();
        uris.retain(|uri| known.insert(uri.clone()));
        Ok(Filter {
            tools: wanted.tools_list_changed,
            prompts: wanted.prompts_list_changed,
            resources: wanted.resources_list_changed,
            uris,
        })
    }
}

impl Call {
    /// The first message of a stream: what is honoured of what was asked for.
    pub fn acknowledged(&self, honoured: &Filter) -> String {
        self.notification("notifications/subscriptions/acknowledged", |out| {
            out.push_str(r#""notifications":{"#);
            let kinds = [
                ("toolsListChanged", honoured.tools),
                ("promptsListChanged", honoured.prompts),
                ("resourcesListChanged", honoured.resources),
            ];
            let mut comma = "";
            for (kind, _) in kinds.into_iter().filter(|(_, honoured)| *honoured) {
                out.push_str(comma);
                push_string(out, kind);
                out.push_str(":true");
                comma = ",";
            }
            if !honoured.uris.is_empty() {
                out.push_str(comma);
                out.push_str(r#""resourceSubscriptions":["#);
                for (at, uri) in honoured.uris.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    push_string(out, uri);
                }
                out.push(']');
            }
            out.push_str("},");
        })
    }

    /// A list changed; `list` is `tools`, `prompts` or `resources`.
    pub fn list_changed(&self, list: &str) -> String {
        self.notification(&format!("notifications/{list}/list_changed"), |_| {})
    }

    /// The contents of a resource changed.
    pub fn resource_updated(&self, uri: &str) -> String {
        self.notification("notifications/resources/updated", |out| {
            out.push_str(r#""uri":"#);
            push_string(out, uri);
            out.push(',');
        })
    }

    /// The last message of a stream that ends well.
    pub fn listened(&self) -> String {
        let mut out = String::with_capacity(256);
        out.push_str(
            r#"{"jsonrpc":"2.0","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":"#,
        );
        push_server(&mut out, self.server);
        out.push_str(r#","io.modelcontextprotocol/subscriptionId":"#);
        out.push_str(self.id.as_str());
        out.push_str(r#"}},"id":"#);
        out.push_str(self.id.as_str());
        out.push('}');
        out
    }

    /// `params` writes members with a comma after each.
    fn notification(&self, method: &str, params: impl FnOnce(&mut String)) -> String {
        let mut out = String::with_capacity(256);
        out.push_str(r#"{"jsonrpc":"2.0","method":"#);
        push_string(&mut out, method);
        out.push_str(r#","params":{"#);
        params(&mut out);
        out.push_str(r#""_meta":{"io.modelcontextprotocol/subscriptionId":"#);
        out.push_str(self.id.as_str());
        out.push_str("}}}");
        out
    }
}
