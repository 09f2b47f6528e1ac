//! The state that a client carries from one round of a call to the next: readable by it, but not to be changed, lent or kept.
//!
//! `base64url(payload) . base64url(HMAC-SHA256(secret, payload))`. The payload names whom and what it was made for and until
//! when it is good. The signature is compared in constant time, before anything of the payload is read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::canonical;

/// How long a state is good where nobody says otherwise.
pub const LIFETIME_SECONDS: u32 = 600;
/// The longest state that a function may give, in bytes of JSON text.
const MAX_STATE: usize = 65_536;

type Signature = Hmac<Sha256>;

/// Whom and what a state is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The key or the role that asks.
    pub principal: String,
    /// What is called: `tool` or `prompt`, and its name.
    pub call: (&'static str, String),
    /// Digest of the arguments.
    digest: String,
}

impl Binding {
    /// For a call with these arguments, JSON text. The order of members and white space do not count; numbers count as they are
    /// written, since Postgres tells apart what a double does not.
    pub fn new(principal: String, call: (&'static str, String), arguments: &str) -> Binding {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical::text(arguments)));
        Binding { principal, call, digest }
    }
}

#[derive(Deserialize, Serialize)]
struct Payload<'a> {
    until: i64,
    principal: String,
    kind: String,
    name: String,
    arguments: String,
    #[serde(borrow)]
    state: &'a RawValue,
}

/// Signs a state, which is JSON text and good for `lifetime` seconds. `now` in seconds, on any clock that goes on.
///
/// # Errors
/// Why it cannot be signed, as a sentence.
pub fn sign(
    secret: &[u8],
    binding: &Binding,
    state: &str,
    now: i64,
    lifetime: u32,
) -> Result<String, String> {
    if state.len() > MAX_STATE {
        return Err(format!("requestState has {} bytes; the most is {MAX_STATE}.", state.len()));
    }
    let state =
        serde_json::from_str::<&RawValue>(state).map_err(|error| format!("requestState: {error}."))?;
    let payload = serde_json::to_string(&Payload {
        until: now.saturating_add(i64::from(lifetime)),
        principal: binding.principal.clone(),
        kind: binding.call.0.to_owned(),
        name: binding.call.1.clone(),
        arguments: binding.digest.clone(),
        state,
    })
    .map_err(|error| format!("requestState: {error}."))?;
    let mut signature = keyed(secret);
    signature.update(payload.as_bytes());
    let signature = signature.finalize().into_bytes();
    Ok(format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature)))
}

/// The state as JSON text; `None` unless it was signed by us, for this binding, and its time is not over.
pub fn verify(secret: &[u8], binding: &Binding, text: &str, now: i64) -> Option<String> {
    if text.len() > 3 * MAX_STATE {
        return None;
    }
    let (payload, signature) = text.split_once('.')?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let mut expected = keyed(secret);
    expected.update(&payload);
    expected.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok()?;
    let good = payload.until > now
        && payload.principal == binding.principal
        && payload.kind == binding.call.0
        && payload.name == binding.call.1
        && payload.arguments == binding.digest;
    good.then(|| payload.state.get().to_owned())
}

fn keyed(secret: &[u8]) -> Signature {
    Signature::new_from_slice(secret).unwrap_or_else(|_| unreachable!("HMAC takes keys of every length"))
}
