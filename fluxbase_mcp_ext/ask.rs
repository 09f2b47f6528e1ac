//! A call that must ask its client something first: questions out, a signed state between the rounds, answers in (MCP 2026-07-28,
//! multi round-trip requests).
//!
//! Invariants:
//! - Nothing is kept here between two rounds. What a later round must know stands in the state, which is good for one principal, one
//!   call with its arguments, and for a time.
//! - A client is asked only what it declared that it can answer.
//!
//! Registered functions ask, and so do our own tools. What is asked, and what an answer means, they know: see `registered` and
//! `tools::confirm`.

pub mod secret;

use std::collections::HashSet;

use fluxbase_register::{Asked, Binding};
use serde_json::{Map, Value};

use crate::dispatch::Request;
use crate::error::Error;

/// What a call gives back that is no answer yet.
#[derive(Debug)]
pub enum Ask {
    /// Questions that the client can answer, and the signed state.
    Questions { requests: String, state: Option<String> },
    /// Nothing of what must be asked can be asked of this client; the capabilities that it would need.
    Impossible(Vec<&'static str>),
    /// The client's protocol has no questions.
    Legacy,
    /// The state that came back is none of ours, or not for this call.
    BadState,
}

/// What the client declared that it can do; nothing in the legacy eras.
pub fn capabilities(request: &Request<'_>) -> Map<String, Value> {
    let declared = request.wishes.capabilities.as_deref().filter(|_| request.modern);
    declared.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// Whom and what the state of this call is bound to.
pub fn binding(request: &Request<'_>, kind: &'static str, name: &str) -> Binding {
    let principal = match &request.identity.key_id {
        Some(key) => format!("key:{key}"),
        None => format!("role:{}", request.identity.role.to_u32()),
    };
    Binding::new(principal, (kind, name.to_owned()), request.arguments.unwrap_or("{}"))
}

/// The state that came back: `Ok(None)` when none came, `Err(None)` when it is not good.
pub fn state(request: &Request<'_>, binding: &Binding) -> Result<Option<String>, Option<Error>> {
    let Some(text) = &request.answers.request_state else { return Ok(None) };
    match secret::verify(binding, text) {
        Ok(Some(state)) => Ok(Some(state)),
        Ok(None) => Err(None),
        Err(error) => Err(Some(error)),
    }
}

/// Turns questions into what the client is sent: only what it declared that it can answer.
pub fn ask(request: &Request<'_>, binding: &Binding, mut asked: Asked) -> Result<Ask, Error> {
    if !request.modern {
        return Ok(Ask::Legacy);
    }
    let capabilities = capabilities(request);
    let needed: HashSet<&'static str> = asked.questions.iter().map(|question| question.capability).collect();
    asked.questions.retain(|question| question.fits(&capabilities));
    if asked.questions.is_empty() {
        let mut needed: Vec<&'static str> = needed.into_iter().collect();
        needed.sort_unstable();
        return Ok(Ask::Impossible(needed));
    }
    let state = match &asked.state {
        None => None,
        Some(state) => Some(secret::sign(binding, state, request.state_seconds)?),
    };
    Ok(Ask::Questions { requests: asked.requests(), state })
}
