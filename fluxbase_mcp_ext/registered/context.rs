//! What a registered function may know of its call beyond the arguments: its second argument.

use fluxbase_protocol::push_string;
use serde_json::Value;

use crate::ask::capabilities;
use crate::dispatch::Request;
use crate::tasks::Stage;

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
    text.push_str(match request.stage {
        Stage::Call => "",
        Stage::Offered => r#","task":"offered""#,
        Stage::Running => r#","task":"running""#,
    });
    text.push('}');
    text
}
