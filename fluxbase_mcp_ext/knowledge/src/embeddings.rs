//! What is said to an endpoint that makes vectors of many texts (`POST /embeddings` as OpenAI documents it), what it answers, and when it
//! is asked again.
//!
//! Invariant: an answer is taken whole or not at all: as many vectors as texts, each of as many finite numbers as were expected.

use std::time::Duration;

use serde::Deserialize;

/// The most texts of one request, and the most bytes of all of them; one text alone may be longer.
pub const MOST_TEXTS: usize = 64;
pub const MOST_BYTES: usize = 256 * 1024;

/// Longest pause between two attempts, whatever the endpoint asks for.
const LONGEST: Duration = Duration::from_secs(600);
/// Longest pause of our own choice.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there are no vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It may go better later: the reason, and how long the endpoint asks to be left alone.
    Later(String, Option<Duration>),
    /// These texts are not taken; fewer of them may be.
    Refused(String),
}

/// The body of a request.
pub fn request<T: AsRef<str>>(model: &str, texts: &[T]) -> String {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    serde_json::json!({ "model": model, "input": texts, "encoding_format": "float" }).to_string()
}

/// The most bytes that an answer with as many vectors may have.
pub fn longest_answer(texts: usize, dimensions: usize) -> u64 {
    (texts * (dimensions * 32 + 256) + 65_536) as u64
}

/// The vectors of `texts` texts, in their order, of `dimensions` numbers each.
///
/// # Errors
/// [`Wrong`]. No reason has a word of the endpoint's own.
pub fn read(
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    texts: usize,
    dimensions: usize,
) -> Result<Vec<Vec<f32>>, Wrong> {
    #[derive(Deserialize)]
    struct Body {
        data: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        index: Option<usize>,
        // Read as they are written, so that one too large for a vector is found here and not by a parser, whose features other crates choose.
        embedding: Vec<f64>,
    }
    let later = |why: String| Wrong::Later(why, None);
    match status {
        200 => {}
        400 | 413 | 422 => {
            return Err(Wrong::Refused(format!("the endpoint refused the text with status {status}")));
        }
        401 | 403 => return Err(later(format!("the endpoint refused the key with status {status}"))),
        404 => {
            return Err(later("the endpoint does not know the address or the model: status 404".to_owned()));
        }
        429 | 503 => {
            let wait = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            return Err(Wrong::Later(format!("the endpoint is busy: status {status}"), wait));
        }
        _ => return Err(later(format!("the endpoint answered with status {status}"))),
    }
    let body: Body = serde_json::from_slice(body)
        .map_err(|_| later("the endpoint answered with something else than vectors".to_owned()))?;
    if body.data.len() != texts {
        return Err(later(format!("the endpoint gave {} vectors for {texts} texts", body.data.len())));
    }
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (at, Item { index, embedding }) in body.data.into_iter().enumerate() {
        if embedding.len() != dimensions {
            let made = embedding.len();
            return Err(later(format!(
                "the model makes vectors of {made} dimensions, and {dimensions} are expected"
            )));
        }
        #[allow(clippy::cast_possible_truncation, reason = "vectors have single precision")]
        let embedding: Vec<f32> = embedding.iter().map(|number| *number as f32).collect();
        if !embedding.iter().all(|number| number.is_finite()) {
            return Err(later("the endpoint gave a vector that is not of numbers".to_owned()));
        }
        match vectors.get_mut(index.unwrap_or(at)) {
            Some(place @ None) => *place = Some(embedding),
            _ => return Err(later("the endpoint gave vectors that belong to no text".to_owned())),
        }
    }
    Ok(vectors.into_iter().flatten().collect())
}

/// How long to wait after as many failures in a row, the last of which is counted.
pub fn pause(failures: u32, asked: Option<Duration>) -> Duration {
    let own = Duration::from_secs(1 << failures.clamp(1, 7).saturating_sub(1)).min(PATIENCE);
    own.max(asked.unwrap_or_default()).min(LONGEST)
}

/// A vector as pgvector reads it.
pub fn literal(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}
