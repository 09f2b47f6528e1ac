//! The process that makes vectors of the chunks of knowledge bases: there while something waits, one for each database.
//!
//! Invariants:
//! - Nothing waits in a transaction: the endpoint is asked between two of them, and what it gave is stored only where it still fits.
//! - It connects as mcp_jobs, which may read no document: the functions of `sql/38_knowledge_work.sql` are called as mcp_owner, and nobody
//!   else may call them.
//! - A failure is written down with its reason, and the next attempt waits: longer each time, and as long as the endpoint asks for. A text
//!   that the endpoint refuses by itself is marked, and stops nothing.
//! - A crash loses nothing but an answer: what has no vector is asked for again.

use std::time::Duration;

use fluxbase_delegate::client::Said;
use fluxbase_delegate::{Call, Request};
use fluxbase_knowledge::embeddings::{self, MOST_BYTES, MOST_TEXTS, Wrong};
use pgrx::datum::DatumWithOid;
use pgrx::{FromDatum, IntoDatum, Spi};
use serde::Deserialize;

use super::process::{self, Failed};
use super::shared::{self, SECOND, SHARED};
use crate::delegate;
use crate::embedding;
use crate::guard;
use crate::gucs;

/// After a transaction of ours could not be done, such as one that waits for somebody's lock.
const AGAIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Batch {
    knowledge_base: String,
    name: String,
    model: String,
    dimensions: usize,
    ids: Vec<String>,
    texts: Vec<String>,
}

/// Embeds what waits. `alive` is called before each request: the process is not stuck.
pub fn serve(alive: impl Fn(), database: u32) {
    let pause = match work(alive) {
        Ok(pause) => pause,
        Err(failed) if matches!(failed.code.as_str(), "55P03" | "40P01" | "40001") => Some(AGAIN),
        Err(failed) => {
            pgrx::log!("knowledge bases: chunks cannot be embedded: {}", failed.text);
            Some(AGAIN * 6)
        }
    };
    if let Some(pause) = pause {
        let pause =
            i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / SECOND).saturating_mul(SECOND / 1000);
        SHARED.exclusive().embed_at(database, shared::now() + pause);
    }
}

/// Until nothing waits, or for how long it is pointless.
fn work(alive: impl Fn()) -> Result<Option<Duration>, Failed> {
    // What a changed setting asks for does not wait for the failures before.
    let begun = begin()?;
    let mut failures = match call::<Vec<f64>>("SELECT mcp._embedding_pause()", Vec::new)?.as_deref() {
        Some([_, wait]) if *wait > 0.0 && !begun => {
            return Ok(Some(Duration::from_secs_f64(wait.min(3600.0))));
        }
        Some([failures, _]) if !begun => *failures as u32,
        _ => 0,
    };
    let mut most = MOST_TEXTS;
    loop {
        alive();
        // Settings that changed meanwhile hold from here on.
        process::wait(1);
        if gucs::embedding_url().trim().is_empty() {
            return Ok(None);
        }
        begin()?;
        let bounds = || vec![(most as i32).into(), (MOST_BYTES as i64).into()];
        let Some(batch) = call::<String>("SELECT mcp._embedding_claim($1, $2)", bounds)? else {
            call::<bool>("SELECT mcp._embedding_swap()", Vec::new)?;
            return Ok(None);
        };
        let batch: Batch = serde_json::from_str(&batch)
            .map_err(|error| Failed::because(&format!("mcp._embedding_claim: {error}")))?;
        process::show(Some(&format!("embedding {} chunks of {}", batch.ids.len(), batch.name)));
        let asked = process::outside(|| ask(&batch))?;
        process::show(None);
        match asked {
            Ok(vectors) => {
                let vectors = vectors.iter().map(|vector| embeddings::literal(vector)).collect();
                store(&batch, Some(vectors), None)?;
                failures = 0;
                most = (most * 2).min(MOST_TEXTS);
            }
            Err(Wrong::Refused(why)) if batch.ids.len() == 1 => {
                store(&batch, None, Some(&why))?;
                most = MOST_TEXTS;
            }
            // One of them is at fault: fewer at a time, until it is alone.
            Err(Wrong::Refused(_)) => most = batch.ids.len() / 2,
            Err(Wrong::Later(why, asked)) => {
                failures += 1;
                let pause = embeddings::pause(failures, asked);
                let values =
                    || vec![(failures as i32).into(), pause.as_secs_f64().into(), why.as_str().into()];
                call::<bool>("SELECT true FROM mcp._embedding_failed($1, $2, $3)", values)?;
                return Ok(Some(pause));
            }
        }
    }
}

/// Whether a changed setting asked for something.
fn begin() -> Result<bool, Failed> {
    Ok(call::<bool>("SELECT mcp._embedding_begin()", Vec::new)?.unwrap_or(false))
}

/// Asks the endpoint. Outside of every transaction.
fn ask(batch: &Batch) -> Result<Vec<Vec<f32>>, Wrong> {
    let later = |why: String| Wrong::Later(why, None);
    let body = embeddings::request(&batch.model, &batch.texts);
    let longest = embeddings::longest_answer(batch.ids.len(), batch.dimensions);
    let call: Call = embedding::call(gucs::embedding_url().trim().trim_end_matches('/'), body.len(), longest)
        .map_err(|error| later(error.to_string()))?;
    let reply = match delegate::ask(&Request::Call { work: call.into() }, body.as_bytes()) {
        Ok(Said::Reply(reply)) => reply,
        Ok(Said::Failed(failure)) => return Err(later(format!("the endpoint gave no vectors: {failure}"))),
        Ok(Said::Answer(_)) => return Err(later("the endpoint gave no vectors".to_owned())),
        Err(lost) => return Err(later(lost.into_error("Nothing was embedded.").to_string())),
    };
    let Some(head) = reply.http() else {
        return Err(later("the endpoint answered with something else than HTTP".to_owned()));
    };
    let after = head.headers.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.as_str());
    embeddings::read(head.status, after, &reply.body, batch.ids.len(), batch.dimensions)
}

fn store(batch: &Batch, vectors: Option<Vec<String>>, reason: Option<&str>) -> Result<(), Failed> {
    const STORE: &str = "SELECT mcp._embedding_store($1::pg_catalog.uuid, $2, $3::pg_catalog.uuid[], $4, $5)";
    let ids = format!("{{{}}}", batch.ids.join(","));
    let values = || {
        vec![
            batch.knowledge_base.as_str().into(),
            batch.model.as_str().into(),
            ids.as_str().into(),
            vectors.into(),
            reason.into(),
        ]
    };
    call::<i32>(STORE, values).map(|_| ())
}

/// Calls one of our functions as mcp_owner, in a transaction of its own. The values are made in it: what makes an array looks into the
/// catalog, and their memory ends with the transaction.
fn call<'a, T: FromDatum + IntoDatum>(
    sql: &str,
    values: impl FnOnce() -> Vec<DatumWithOid<'a>>,
) -> Result<Option<T>, Failed> {
    process::transaction(|| {
        guard::as_owner(|| {
            Spi::connect_mut(|client| {
                let rows = client.update(sql, None, &values())?;
                if rows.is_empty() { Ok(None) } else { rows.first().get::<T>(1) }
            })
        })
        .map_err(|error: pgrx::spi::Error| Failed::because(&format!("{sql}: {error}")))
    })
}
