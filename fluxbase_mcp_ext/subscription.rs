//! `subscriptions/listen`, as one look: what a caller sees now, and what of it differs from what its stream has seen.
//!
//! A stream lives in the listener, which holds no connection for it. When [`mark`] has changed, the listener sends the request again with the
//! state of the stream, and gets the notifications that are due and the new state. So a notification is sent to a key when the
//! very lists that it would be shown differ, whatever changed them: a registration, a grant, a role's membership, DDL, a setting.
//!
//! Invariants: nothing is compared that the caller could not list or read at this moment; the state holds hashes only; a look that carries
//! no state begins the stream, with the acknowledgement.
//!
//! It does not wait and does not know how a stream is held: see `subscriptions.rs` of the listener.

use std::hash::{DefaultHasher, Hash, Hasher};

use fluxbase_protocol::{Call, Filter, Reply, RpcError};
use sha2::{Digest, Sha256};

use crate::dispatch::{self, Caller};
use crate::{cache, gucs};

/// Differs from what this backend said before when some caller may see something else: Postgres told of changes in its catalogs or in the tables
/// of registrations and keys, or a setting that decides what is seen is another one.
pub fn mark() -> String {
    let settings = (
        gucs::enabled(),
        gucs::allowed_tools(),
        gucs::allowed_resources(),
        gucs::hidden_schemas(),
        gucs::search_schemas(),
    );
    let mut hasher = DefaultHasher::new();
    settings.hash(&mut hasher);
    format!("{} {:016x}", cache::messages(), hasher.finish())
}

/// A part of what is watched, with its hash now; `None` for what is not watched.
struct Part<'a> {
    now: Option<String>,
    told: Told<'a>,
}

/// How a change of it is told.
enum Told<'a> {
    List(&'static str),
    Resource(&'a str),
}

/// One look. The reply is `{"state":…,"events":[…],"end":…}`, all of it for the listener: the state to send next time, the messages to pass on,
/// and the message that ends the stream.
pub fn look(call: &Call, caller: &Caller, filter: &Filter) -> Reply {
    let Some(seen) = &caller.watch else {
        let message = "Invalid request: subscriptions/listen is answered with a stream of events. Over HTTP send the header Accept: application/json, text/event-stream; in SQL there is none. Nothing was subscribed to.";
        return RpcError::invalid_request(message).reply(400, Some(&call.id));
    };
    let list = |wanted: bool, name, read: &dyn Fn() -> String| Part {
        now: wanted.then(read),
        told: Told::List(name),
    };
    let mut parts = vec![
        list(filter.tools, "tools", &|| hash(&[dispatch::list_tools(call, caller)])),
        list(filter.prompts, "prompts", &|| hash(&[dispatch::list_prompts(call, caller)])),
        list(filter.resources, "resources", &|| {
            hash(&[dispatch::list_resources(call, caller), dispatch::list_resource_templates(call, caller)])
        }),
    ];
    let seen: Vec<&str> = seen.split_ascii_whitespace().collect();
    let first = seen.is_empty();
    parts.extend(filter.uris.iter().enumerate().map(|(at, uri)| {
        let watched = seen.get(3 + at).is_some_and(|seen| *seen != NOT_WATCHED);
        // What cannot be read at the beginning is not honoured; what can no longer be read has changed.
        let now = (first || watched).then(|| dispatch::read_resource(call, caller, uri, false));
        let now = now
            .and_then(|read| if first { read.ok() } else { Some(read.unwrap_or_else(|refusal| refusal)) })
            .map(|reply| hash(&[reply]));
        Part { now, told: Told::Resource(uri) }
    }));

    let mut events = Vec::new();
    if first {
        let honoured = |part: &Part<'_>| match (&part.now, &part.told) {
            (Some(_), Told::Resource(uri)) => Some((*uri).to_owned()),
            _ => None,
        };
        events.push(
            call.acknowledged(&Filter {
                uris: parts.iter().filter_map(honoured).collect(),
                ..filter.clone()
            }),
        );
    } else {
        let changed = parts
            .iter()
            .enumerate()
            .filter(|(at, part)| part.now.is_some() && part.now.as_deref() != seen.get(*at).copied());
        events.extend(changed.map(|(_, part)| match part.told {
            Told::List(name) => call.list_changed(name),
            Told::Resource(uri) => call.resource_updated(uri),
        }));
    }
    let state: Vec<&str> = parts.iter().map(|part| part.now.as_deref().unwrap_or(NOT_WATCHED)).collect();
    Reply::new(
        200,
        format!(
            r#"{{"state":"{}","events":[{}],"end":{}}}"#,
            state.join(" "),
            events.join(","),
            call.listened()
        ),
    )
}

const NOT_WATCHED: &str = "-";

/// Sixteen hexadecimal digits that differ when the replies do; the same in every backend, since a stream is looked at by any of them.
fn hash(replies: &[Reply]) -> String {
    let mut digest = Sha256::new();
    for reply in replies {
        digest.update(reply.body.as_deref().unwrap_or_default());
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
