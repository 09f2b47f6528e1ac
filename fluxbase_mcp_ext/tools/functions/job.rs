//! An edge function that runs as a background job: the same call as `invoke_function`'s, for a worker that waits outside of any transaction.
//!
//! Invariants: those of `invoke_function`. An answer whose status is no success is a job that failed.

use fluxbase_delegate::client::Said;
use fluxbase_delegate::{Call, Failure, Head, Reply, Request as Ask};
use serde_json::Value;

use super::{Asked, Ended, METHODS, NOTHING, call, check, reply, table, url};
use crate::delegate::{self, Lost};
use crate::error::Error;
use crate::gucs;

/// A call that is written down and not sent yet.
pub struct Begun {
    call: Call,
    body: Vec<u8>,
    execution: String,
    logged: bool,
}

/// Begins a call, within the guard of who submitted the job.
///
/// # Errors
/// As for the tool: there is no such function for this role, it is disabled, or it is called too often.
pub fn begin(
    name: &str,
    namespace: Option<&str>,
    payload: Option<&str>,
    key_id: Option<&str>,
) -> Result<Begun, Error> {
    let asked = Asked {
        name: name.to_owned(),
        namespace: Some(namespace.unwrap_or("default").to_owned()),
        method: METHODS[0],
        headers: Vec::new(),
        body: payload.unwrap_or_default().as_bytes().to_vec(),
    };
    let found = table::find(&asked.name, asked.namespace.as_deref())?;
    check(key_id, &found)?;
    let url = url(&found)?;
    let call = call(&asked, &found, url);
    if found.logged {
        table::begin(&found, key_id);
    }
    Ok(Begun { call, body: asked.body, execution: found.execution, logged: found.logged })
}

impl Begun {
    /// Makes the call and waits for its end, outside of any transaction. A cancel ends it.
    pub fn ask(&self) -> Result<Said, Lost> {
        delegate::ask(&Ask::Call { work: self.call.clone().into() }, &self.body)
    }

    /// Writes down what became of it, within the guard; the answer as JSON text, or why it is a failure.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(
        &self,
        said: Result<Said, Lost>,
        key_id: Option<&str>,
    ) -> Result<Result<String, String>, Error> {
        let (ended, outcome) = match said {
            Ok(Said::Reply(Reply { head: Head::Http(head), body })) => {
                let text = reply::to_json(&head, &body, &self.execution, gucs::max_result_chars());
                let good = (200..300).contains(&head.status);
                (Ended::answered(head.status), if good { Ok(text) } else { Err(told(&text)) })
            }
            Ok(Said::Failed(failure)) => {
                let text = format!("{failure}. {}", failure.advice());
                let late = matches!(failure, Failure::Time { .. });
                (Ended::failed(&text, late), Err(text))
            }
            Ok(Said::Reply(_) | Said::Answer(_)) => {
                let text = "the delegate worker answered what was not asked".to_owned();
                (Ended::failed(&text, false), Err(text))
            }
            Err(lost) => {
                let text = lost.into_error(NOTHING).to_text();
                (Ended::failed(&text, false), Err(text))
            }
        };
        self.write(&ended, key_id)?;
        Ok(outcome)
    }

    /// Writes down, within the guard, that the call was given up.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn give_up(&self, key_id: Option<&str>) -> Result<(), Error> {
        self.write(&Ended::failed(&Failure::Cancelled.to_string(), false), key_id)
    }

    fn write(&self, ended: &Ended, key_id: Option<&str>) -> Result<(), Error> {
        if self.logged { table::end(&self.execution, ended, key_id) } else { Ok(()) }
    }
}

/// The status and the body of an answer that is no success.
fn told(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let body = match &answer["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let body: String = body.chars().take(2000).collect();
    format!("the function answered with status {}: {body}", answer["status"])
}
