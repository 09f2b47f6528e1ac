//! The claims of an identity: what row-level security policies read.
//!
//! Invariants: `mcp.claims` is the truth, set by our code only; `request.jwt.claims` and `request.jwt.claim.{sub,role,email}` are
//! copies for policies written for PostgREST, Supabase and Fluxbase. `sub` and `role` come from the key's own columns and
//! replace anything of that name in its further claims.

use std::cell::RefCell;
use std::ffi::CString;

use serde_json::{Map, Value};

use super::Settings;
use crate::gucs;

/// The settings that carry the claims of a key.
pub fn settings(user_id: Option<&str>, role: &str, further: &Map<String, Value>) -> Settings {
    let mut claims = further.clone();
    claims.remove("sub");
    if let Some(user_id) = user_id {
        claims.insert("sub".to_owned(), user_id.into());
    }
    claims.insert("role".to_owned(), role.into());
    let email = claims.get("email").and_then(Value::as_str).unwrap_or_default().to_owned();
    let whole = Value::Object(claims).to_string();
    [
        ("mcp.claims", whole.as_str()),
        ("request.jwt.claims", whole.as_str()),
        ("request.jwt.claim.sub", user_id.unwrap_or_default()),
        ("request.jwt.claim.role", role),
        ("request.jwt.claim.email", email.as_str()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((CString::new(name).ok()?, CString::new(value).ok()?)))
    .collect()
}

thread_local! {
    static PARSED: RefCell<Option<(String, Map<String, Value>)>> = const { RefCell::new(None) };
}

/// Calls `read` with the claims in force, parsed once for each change; `None` when there are none.
pub fn with_current<T>(read: impl FnOnce(&Map<String, Value>) -> Option<T>) -> Option<T> {
    let text = gucs::claims()?;
    PARSED.with_borrow_mut(|parsed| {
        if parsed.as_ref().is_none_or(|(known, _)| *known != text) {
            let claims = serde_json::from_str(&text).unwrap_or_default();
            *parsed = Some((text, claims));
        }
        parsed.as_ref().and_then(|(_, claims)| read(claims))
    })
}
