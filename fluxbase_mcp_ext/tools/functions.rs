//! `invoke_function`: calls an edge function over HTTP, through the delegate worker.
//!
//! Invariants:
//! - Whether the caller may invoke a function is whether it may read its row: the caller's grants and policies decide. The row's URL, and
//!   what becomes of the call, are read and written as the owner of the tables, who must be one whom this extension trusts.
//! - The function is told who calls by a token that is signed, short-lived and for this execution. No key and no claim setting of the
//!   caller's is sent, and no header of the caller's takes the token's place.
//! - Once a call is on its way there is a row of it, and nothing of it is raised as an error of a tool's: the row would be undone.
//! - Nothing waits in a transaction for a caller over HTTP: the call is sent at commit, and finished in a second transaction for whoever asks
//!   with the same key and arguments.
//!
//! Which hosts may be called is the worker's: see `fluxbase_delegate`.

pub mod job;
mod reach;
mod reply;
mod table;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluxbase_delegate::client::Said;
use fluxbase_delegate::{Answer, Call, Failure, Head, Id, Reply, Request as Ask, token};
use fluxbase_protocol::ToolContent;
use fluxbase_query::{Arguments, Outcome as Undone, QueryError, show};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Done, Outcome, object};
use crate::delegate::{self, Lost};
use crate::dispatch::{Pending, Request, Way};
use crate::error::Error;
use crate::gucs;
use crate::identity::{claims, rate_limit};
use crate::unsent;

pub use table::list;
use table::{Ended, Found};

const NOTHING: &str = "Nothing was sent.";

/// Methods, the default first.
const METHODS: [&str; 5] = ["POST", "GET", "PUT", "PATCH", "DELETE"];

/// Most bytes of a function's answer.
const MAX_REPLY: u64 = 10 << 20;

/// Headers that say who calls; the caller's own would be taken for ours.
const IDENTITY: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Begins the names of the headers that are ours.
const OURS: &str = "x-fluxbase-";

/// How much longer than the call its token is good, in seconds.
const GRACE: i64 = 30;

/// What the caller asks for.
struct Asked {
    name: String,
    namespace: Option<String>,
    method: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// `invoke_function`.
pub fn invoke(request: &Request<'_>) -> Result<Done, Error> {
    let asked = Asked::read(request.arguments).map_err(|error| error.with_outcome(Undone::NothingRead))?;
    match request.way {
        Way::Here => begin(request, &asked, false),
        Way::Later => begin(request, &asked, true),
        Way::Finish(pending) => finish(request, &asked, pending),
        Way::No => Err(Error::refused(
            "0A000",
            format!(
                "over HTTP invoke_function is called alone, not in a batch and not from within another tool. {NOTHING}"
            ),
            "Send a message of its own.".to_owned(),
        )),
    }
}

/// Begins a call, and waits for its end unless that is for `later`.
fn begin(request: &Request<'_>, asked: &Asked, later: bool) -> Result<Done, Error> {
    let key_id = request.identity.key_id.as_deref();
    let found = table::find(&asked.name, asked.namespace.as_deref())?;
    check(key_id, &found)?;
    let url = url(&found)?;
    if !delegate::is_there() {
        return Err(Lost::NotPreloaded.into_error(NOTHING));
    }
    let call = call(asked, &found, url);
    // From here on there is a row, which an error would undo.
    if found.logged {
        table::begin(&found, key_id);
    }
    if later {
        let id = found.execution.replace('-', "").parse::<Id>().map_err(Error::internal)?;
        let (owner, token) = (owner(request), delegate::token());
        delegate::at_commit(Ask::Submit { id, owner, token, work: call.into() }, asked.body.clone());
        return Ok(Done::kept(Outcome::Pending(id)));
    }
    let said = delegate::ask(&Ask::Call { work: call.into() }, &asked.body);
    end(said, &found.title(), &found.execution, found.logged.then_some(key_id))
}

/// The end of a call that was begun for the listener.
fn finish(request: &Request<'_>, asked: &Asked, Pending { id, abandon }: Pending) -> Result<Done, Error> {
    let key_id = request.identity.key_id.as_deref();
    let owner = owner(request);
    let hex = id.to_string();
    // As Postgres writes a uuid.
    let execution = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    if abandon {
        delegate::at_commit(Ask::Cancel { id, owner }, Vec::new());
        let failure = Ok(Said::Failed(Failure::Cancelled));
        return end(failure, &asked.title(), &execution, Some(key_id));
    }
    let said = delegate::ask(&Ask::Collect { id, owner: owner.clone() }, &[]);
    match said {
        Ok(Said::Answer(Answer::Running)) => return Ok(Done::kept(Outcome::Pending(id))),
        Ok(Said::Answer(_)) => {}
        // Only when what became of it is written down for good.
        _ => delegate::at_commit(Ask::Acknowledge { id, owner }, Vec::new()),
    }
    let said = match said {
        // Whoever asks for the reply cannot know that nothing was sent, unless that was noted.
        Ok(Said::Answer(_)) | Err(Lost::Away(_)) if unsent::has(id) => Err(Lost::Never),
        Err(Lost::Away(reason)) => {
            Err(Lost::Broken(format!("the delegate worker cannot be reached ({reason})")))
        }
        said => said,
    };
    end(said, &asked.title(), &execution, Some(key_id))
}

/// Whose a submitted call is: the same key must ask for it, with the same arguments.
pub fn owner(request: &Request<'_>) -> String {
    let who = request.identity.key_id.as_deref().unwrap_or_default();
    let arguments = Sha256::digest(request.arguments.unwrap_or_default());
    format!("{} {who} {}", delegate::token(), URL_SAFE_NO_PAD.encode(arguments))
}

/// Answers a call, and writes down what became of it: in the row of that key, `None` when there is none. A pending call may have none, too;
/// then nothing is found to be written.
fn end(
    said: Result<Said, Lost>,
    title: &str,
    execution: &str,
    row_of: Option<Option<&str>>,
) -> Result<Done, Error> {
    let (ended, outcome) = match said {
        Ok(Said::Reply(Reply { head: Head::Http(head), body })) => {
            let text = reply::to_json(&head, &body, execution, gucs::max_result_chars());
            (Ended::answered(head.status), Outcome::Output(object(text, Vec::new())))
        }
        Ok(Said::Reply(_)) => {
            return Err(Error::internal("the delegate worker answered a call over HTTP with something else"));
        }
        Ok(Said::Failed(failure)) => {
            let text = format!("{failure}. {}", failure.advice());
            let late = matches!(failure, Failure::Time { .. });
            (Ended::failed(&text, late), failed(title, execution, &text))
        }
        Ok(Said::Answer(_)) => {
            let text = "the delegate worker does not know the call: it ended meanwhile, or never took it. \
                        It may or may not have run: look before you call again.";
            (Ended::failed(text, false), failed(title, execution, text))
        }
        Err(lost) => {
            let text = lost.into_error(NOTHING).to_text();
            (Ended::failed(&text, false), failed(title, execution, &text))
        }
    };
    if let Some(key_id) = row_of {
        table::end(execution, &ended, key_id)?;
    }
    Ok(Done::kept(outcome))
}

/// The answer when there is none of the function's.
fn failed(title: &str, execution: &str, why: &str) -> Outcome {
    let text = format!("function {title}: {why}\nExecution: {execution}");
    let item = serde_json::json!([{ "type": "text", "text": text }]);
    Outcome::Content(ToolContent { content: item.to_string(), structured: None, is_error: true })
}

/// What the function's row says about being called now.
fn check(key_id: Option<&str>, found: &Found) -> Result<(), Error> {
    if !found.enabled {
        return Err(Error::refused(
            "55000",
            format!("function {} is disabled. {NOTHING}", found.title()),
            "An administrator sets enabled in functions.edge_functions.".to_owned(),
        ));
    }
    if found.logged && found.read_only {
        return Err(Error::refused(
            "25006",
            format!(
                "calls of function {} are written down, which this read-only transaction cannot do. {NOTHING}",
                found.title()
            ),
            "Call it on the primary, or an administrator sets disable_execution_logs for it.".to_owned(),
        ));
    }
    if let Some(limit) = found.rate_limit {
        let who = key_id.unwrap_or(&found.role);
        if let Err(seconds) = rate_limit::count(&format!("function {} {who}", found.id), limit) {
            return Err(Error::refused(
                "54000",
                format!("function {} may be called {limit} times a minute. {NOTHING}", found.title()),
                format!("Try again after {seconds} s."),
            ));
        }
    }
    Ok(())
}

/// Where the function is called.
fn url(found: &Found) -> Result<String, Error> {
    if let Some(url) = &found.url {
        return Ok(url.clone());
    }
    let base = gucs::functions_url();
    let base = base.trim().trim_end_matches('/');
    if base.is_empty() {
        return Err(Error::refused(
            "55000",
            format!("function {} has no URL of its own, and mcp.functions_url is not set. {NOTHING}", found.title()),
            "An administrator runs: ALTER SYSTEM SET mcp.functions_url = 'http://127.0.0.1:8000'; SELECT pg_reload_conf();"
                .to_owned(),
        ));
    }
    Ok(match found.namespace.as_str() {
        "default" => format!("{base}/{}", found.name),
        namespace => format!("{base}/{namespace}/{}", found.name),
    })
}

fn call(asked: &Asked, found: &Found, url: String) -> Call {
    let mut headers = asked.headers.clone();
    let has_type = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if !asked.body.is_empty() && !has_type {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    headers.push(("authorization".to_owned(), format!("Bearer {}", token(found))));
    headers.push((format!("{OURS}execution-id"), found.execution.clone()));
    Call {
        method: asked.method.to_owned(),
        url,
        headers,
        timeout_ms: u64::from(found.timeout_seconds) * 1000,
        max_response: MAX_REPLY,
        body_length: asked.body.len() as u64,
    }
}

/// Who calls, for the function's runtime: the claims of the identity, and which execution this is.
fn token(found: &Found) -> String {
    let mut all = claims::with_current(|claims| Some(claims.clone())).unwrap_or_default();
    let more = [
        ("role", Value::from(found.role.as_str())),
        ("iss", "fluxbase_mcp_ext".into()),
        ("aud", "functions".into()),
        ("jti", found.execution.as_str().into()),
        ("function", found.title().into()),
        ("iat", found.now.into()),
        ("exp", (found.now + i64::from(found.timeout_seconds) + GRACE).into()),
    ];
    all.extend(more.map(|(name, value)| (name.to_owned(), value)));
    token::sign(found.secret.as_bytes(), &all)
}

impl Asked {
    /// As [`Found::title`].
    fn title(&self) -> String {
        match self.namespace.as_deref() {
            None | Some("default") => self.name.clone(),
            Some(namespace) => format!("{namespace}/{}", self.name),
        }
    }

    fn read(arguments: Option<&str>) -> Result<Asked, QueryError> {
        let args = Arguments::parse(arguments)?;
        args.only(&["name", "namespace", "method", "body", "headers"])?;
        let Some(name) = args.str("name")?.filter(|name| !name.is_empty()) else {
            let why = "is missing: write {\"name\":\"hello\"}; the resource fluxbase://functions lists them";
            return Err(args.unfit("name", why));
        };
        let method = match args.str("method")? {
            None => METHODS[0],
            Some(method) => {
                METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(&method)).ok_or_else(|| {
                    args.unfit("method", &format!("{} is none of {}", show(&method), METHODS.join(", ")))
                })?
            }
        };
        let body = args.raw("body").map(|raw| raw.get().as_bytes().to_vec()).unwrap_or_default();
        if method == "GET" && !body.is_empty() {
            return Err(args.unfit("body", "a GET request has none; use POST"));
        }
        Ok(Asked { name, namespace: args.str("namespace")?, method, headers: headers(&args)?, body })
    }
}

fn headers(args: &Arguments) -> Result<Vec<(String, String)>, QueryError> {
    let Some(raw) = args.raw("headers") else { return Ok(Vec::new()) };
    let members: Map<String, Value> = serde_json::from_str(raw.get())
        .map_err(|_| args.unfit("headers", "must be an object of strings, such as {\"X-Trace\":\"1\"}"))?;
    let pair = |(name, value): (String, Value)| match value {
        Value::String(text) => {
            let lower = name.to_ascii_lowercase();
            if IDENTITY.contains(&lower.as_str()) || lower.starts_with(OURS) {
                return Err(args.unfit(
                    &format!("headers.{name}"),
                    "cannot be set: who calls is told by a token of this server",
                ));
            }
            Ok((name, text))
        }
        _ => Err(args.unfit(&format!("headers.{name}"), "must be a string")),
    };
    members.into_iter().map(pair).collect()
}
