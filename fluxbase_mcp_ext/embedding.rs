//! Text to a vector, by an endpoint that speaks as OpenAI's does: `POST {mcp.embedding_url}/embeddings`.
//!
//! Invariants:
//! - Nothing waits in a transaction for a caller over HTTP: the delegate worker makes the call, and the tool goes on in a second
//!   transaction with the vector.
//! - The key is read from a file for each call and goes into one header; it is in no setting that others may read, no error, no log.
//! - Whether the model's vectors fit the column is looked at before anything is sent, where `mcp.embedding_dimensions` says it.
//!
//! It does not know what is searched. What is remembered is this backend's alone, and bounded.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use fluxbase_delegate::client::Said;
use fluxbase_delegate::{Answer, Call, Id, Reply, Request as Ask};
use fluxbase_query::{Embedding, show};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::delegate;
use crate::dispatch::{Pending, Request, Way};
use crate::error::Error;
use crate::gucs;
use crate::standby;
use crate::tools::functions;

const NOTHING: &str = "Nothing was searched.";
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of an answer: 16,000 numbers of twenty characters, and some.
const MAX_REPLY: u64 = 1 << 20;

/// Vectors that a backend remembers.
const REMEMBERED: usize = 256;

/// The most bytes of the file with the key.
const MAX_KEY: u64 = 4096;

/// The hash of endpoint, model and text ▶ the vector.
type Known = HashMap<[u8; 32], Vec<f32>>;

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::new(HashMap::new());
}

/// What became of a text.
pub enum Embedded {
    /// Its vector.
    Vector(Embedding),
    /// The worker makes the call; the listener asks again.
    Pending(Id),
}

/// The vector of `text`, of `model` or of the one that is set. `dimensions` are those of the columns that it will be compared with, as far as they are known.
///
/// # Errors
/// No endpoint is set, its vectors do not fit, or it did not answer as it should.
pub fn embed(
    request: &Request<'_>,
    text: &str,
    model: Option<&str>,
    dimensions: &[(String, i32)],
) -> Result<Embedded, Error> {
    let url = gucs::embedding_url();
    let base = url.trim().trim_end_matches('/');
    if base.is_empty() {
        return Err(Error::refused(
            "55000",
            format!("this server makes no vectors of text: mcp.embedding_url is not set. {NOTHING}"),
            "Give embedding, a list of numbers of the model that the column was filled with, or take mode text. An administrator runs: \
             ALTER SYSTEM SET mcp.embedding_url = 'http://127.0.0.1:8081/v1'; ALTER SYSTEM SET mcp.embedding_model = '…'; SELECT \
             pg_reload_conf();"
                .to_owned(),
        ));
    }
    let model = match model {
        // What it makes is in the columns.
        Some(model) => model.to_owned(),
        None => {
            let model = gucs::embedding_model();
            check(&model, dimensions)?;
            model
        }
    };
    let hash: [u8; 32] = Sha256::new()
        .chain_update(base)
        .chain_update([0])
        .chain_update(&model)
        .chain_update([0])
        .chain_update(text)
        .finalize()
        .into();
    // Whoever asks for the reply asks for the vector of the same text and model: one that changed meanwhile is not mistaken for the other.
    let digest: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let owner = format!("{} {digest}", functions::owner(request));
    if let Way::Finish(pending) = request.way {
        return collect(pending, hash, owner);
    }
    if let Some(numbers) = KNOWN.with_borrow(|known| known.get(&hash).cloned()) {
        return Ok(Embedded::Vector(Embedding::of(&numbers)));
    }
    if !delegate::is_there() {
        return Err(delegate::Lost::NotPreloaded.into_error(NOTHING));
    }
    let body = serde_json::json!({ "model": model, "input": [text], "encoding_format": "float" }).to_string();
    let call = call(base, body.len(), MAX_REPLY)?;
    match request.way {
        Way::Here => {
            let said = delegate::ask(&Ask::Call { work: call.into() }, body.as_bytes());
            read(said, hash)
        }
        // The listener waits for calls that it left with the primary.
        Way::Later if standby::is_second() => {
            Err(Error::refused("25006", format!("a standby makes no calls for others. {NOTHING}"), None))
        }
        Way::Later => {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(|error| Error::internal(&error.to_string()))?;
            let id = Id(bytes);
            let token = delegate::token();
            delegate::at_commit(Ask::Submit { id, owner, token, work: call.into() }, body.into_bytes());
            Ok(Embedded::Pending(id))
        }
        Way::Finish(_) | Way::No => Err(Error::refused(
            "0A000",
            format!(
                "over HTTP a search whose text must become a vector is called alone, not in a batch and not from within another tool. \
                 {NOTHING}"
            ),
            "Send a message of its own, or give embedding.".to_owned(),
        )),
    }
}

/// Refuses what cannot fit, before anything is sent.
fn check(model: &str, dimensions: &[(String, i32)]) -> Result<(), Error> {
    let made = gucs::embedding_dimensions();
    match dimensions.iter().find(|(_, expected)| made > 0 && *expected > 0 && *expected != made) {
        None => Ok(()),
        Some((column, expected)) => Err(Error::refused(
            "42804",
            format!(
                "the model {} makes vectors of {made} dimensions (mcp.embedding_dimensions), and {column} has {expected}. {NOTHING}",
                show(model)
            ),
            "Give embedding, made by the model that the column was filled with.".to_owned(),
        )),
    }
}

/// A request of `length` bytes to the endpoint, whose answer has at most `longest`.
pub fn call(base: &str, length: usize, longest: u64) -> Result<Call, Error> {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if let Some(key) = key()? {
        headers.push(("authorization".to_owned(), format!("Bearer {key}")));
    }
    Ok(Call {
        method: "POST".to_owned(),
        url: format!("{base}/embeddings"),
        headers,
        timeout_ms: TIMEOUT.as_millis() as u64,
        max_response: longest,
        body_length: length as u64,
    })
}

/// The key of the endpoint, if it needs one.
fn key() -> Result<Option<String>, Error> {
    let path = gucs::embedding_key_file();
    if path.is_empty() {
        return Ok(None);
    }
    let refused = |why: String| {
        // Where the file is, and what is in it, is for the log and the administrator.
        pgrx::log!("mcp.embedding_key_file: {why}");
        Error::refused(
            "58030",
            format!("the key of the endpoint for vectors cannot be read. {NOTHING}"),
            "An administrator looks at mcp.embedding_key_file and the server log.".to_owned(),
        )
    };
    let length = std::fs::metadata(&path).map_err(|error| refused(error.to_string()))?.len();
    if length > MAX_KEY {
        return Err(refused(format!("the file has more than {MAX_KEY} bytes")));
    }
    let key = std::fs::read_to_string(&path).map_err(|error| refused(error.to_string()))?;
    let key = key.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused("the file must hold one line of printable ASCII".to_owned()));
    }
    Ok(Some(key.to_owned()))
}

/// The end of a call that was begun for the listener.
fn collect(Pending { id, abandon }: Pending, hash: [u8; 32], owner: String) -> Result<Embedded, Error> {
    if abandon {
        delegate::at_commit(Ask::Cancel { id, owner }, Vec::new());
        return Err(Error::refused("57014", format!("the search was cancelled. {NOTHING}"), None));
    }
    let said = delegate::ask(&Ask::Collect { id, owner: owner.clone() }, &[]);
    if matches!(said, Ok(Said::Answer(Answer::Running))) {
        return Ok(Embedded::Pending(id));
    }
    if !matches!(said, Ok(Said::Answer(_))) {
        delegate::at_commit(Ask::Acknowledge { id, owner }, Vec::new());
    }
    read(said, hash)
}

fn read(said: Result<Said, delegate::Lost>, hash: [u8; 32]) -> Result<Embedded, Error> {
    let refused = |why: String| {
        Error::refused(
            "58000",
            format!("the endpoint for vectors {why}. {NOTHING}"),
            "Try again, or give embedding or mode text; an administrator looks at mcp.embedding_url and mcp.embedding_model."
                .to_owned(),
        )
    };
    match said {
        Ok(Said::Reply(reply)) => {
            let numbers = numbers(&reply).map_err(refused)?;
            let embedding = Embedding::of(&numbers);
            KNOWN.with_borrow_mut(|known| {
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(hash, numbers);
            });
            Ok(Embedded::Vector(embedding))
        }
        Ok(Said::Failed(failure)) => Err(refused(format!("gave no vector: {failure}"))),
        Ok(Said::Answer(_)) => {
            Err(refused("was asked, and its answer is gone: it was collected or given up".to_owned()))
        }
        Err(lost) => Err(lost.into_error(NOTHING)),
    }
}

/// The numbers in the endpoint's answer.
fn numbers(reply: &Reply) -> Result<Vec<f32>, String> {
    #[derive(Deserialize)]
    struct Body {
        data: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        embedding: Vec<f32>,
    }
    match reply.http().map(|head| head.status) {
        Some(200) => {}
        Some(status) => return Err(format!("answered with status {status}")),
        None => return Err("answered with something else than HTTP".to_owned()),
    }
    let body: Body = serde_json::from_slice(&reply.body)
        .map_err(|_| "answered with something else than vectors".to_owned())?;
    let item = body.data.into_iter().next().ok_or("answered without a vector")?;
    if item.embedding.is_empty() || !item.embedding.iter().all(|number| number.is_finite()) {
        return Err("answered with a vector that is empty or not of numbers".to_owned());
    }
    Ok(item.embedding)
}
