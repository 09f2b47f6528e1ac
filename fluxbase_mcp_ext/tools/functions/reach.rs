//! Whether the runtime of edge functions answers: for `mcp.doctor`.

use fluxbase_delegate::client::Said;
use fluxbase_delegate::failure::Ran;
use fluxbase_delegate::{Call, Request as Ask};
use pgrx::prelude::*;

use crate::delegate;
use crate::gucs;

/// Time for it, in milliseconds: whoever runs doctor waits.
const TIMEOUT_MS: u64 = 3000;

/// Asks `mcp.functions_url` with a GET, without a token, through the delegate worker. NULL when it answered, with whatever status, or is not set;
/// else why not. At most three seconds, and those in which a worker comes back.
#[pg_extern(sql = "
CREATE FUNCTION mcp._functions_unreachable() RETURNS pg_catalog.text
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn functions_unreachable() -> Option<String> {
    let url = gucs::functions_url().trim().to_owned();
    if url.is_empty() {
        return None;
    }
    let call = Call {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        timeout_ms: TIMEOUT_MS,
        max_response: 64 * 1024,
        body_length: 0,
    };
    match delegate::ask(&Ask::Call { work: call.into() }, &[]) {
        Ok(Said::Reply(_)) => None,
        // A long answer is one, too.
        Ok(Said::Failed(failure)) => (failure.ran() != Ran::Yes).then(|| failure.to_string()),
        Ok(Said::Answer(_)) => Some("the delegate worker answered what was not asked".to_owned()),
        Err(lost) => Some(lost.into_error("Nothing was sent.").to_string()),
    }
}
