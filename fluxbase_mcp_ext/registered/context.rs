//! What a registered function may know of its call beyond the arguments: its second argument.

use fluxbase_protocol::push_string;
use fluxbase_register::Binding;
use serde_json::{Map, Value};

use super::secret;
use crate::dispatch::Request;
use crate::error::Error;

/// What the client declared that it can do; nothing in the legacy eras.
pub fn capabilities(request: &Request<'_>) -> Map<String, Value> {
    let declared = request.wishes.capabilities.as_deref().filter(|_| request.modern);
    declared.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// Whom and what the state of this call is bound to.
pub fn binding(request: &Request<'_>, kind: &'static str, name: &str, arguments: &Value) -> Binding {
    let principal = match &request.identity.key_id {
        Some(key) => format!("key:{key}"),
        None => format!("role:{}", request.identity.role.to_u32()),
    };
    Binding::new(principal, (kind, name.to_owned()), arguments)
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

/// JSON text of the context.
pub fn text(request: &Request<'_>, state: Option<&str>, kind: &str, name: &str) -> String {
    let raw = |raw: Option<&str>| raw.unwrap_or("null").to_owned();
    let responses = raw(request.answers.input_responses.as_deref().map(|raw| raw.get()));
    let token = raw(request.wishes.progress_token.as_deref().map(|raw| raw.get()));
    let capabilities = Value::Object(capabilities(request));
    let state = raw(state);
    let mut text = format!(
        r#"{{"inputResponses":{responses},"requestState":{state},"capabilities":{capabilities},"progressToken":{token},"{kind}":"#
    );
    push_string(&mut text, name);
    text.push('}');
    text
}
