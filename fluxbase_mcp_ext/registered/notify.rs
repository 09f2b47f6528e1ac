//! What a function tells the client while it runs: `mcp.progress` and `mcp.log`.
//!
//! Each is a message of Postgres on the call's own connection, of severity INFO, since that one alone reaches the client whatever
//! client_min_messages is, with SQLSTATE MC001 and a whole JSON-RPC notification as its text. Nothing is sent that the client
//! did not ask for, and a function that tells without end is slowed down to some messages a second.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::CString;

use fluxbase_protocol::{Era, Level, Wishes, push_string};
use pgrx::prelude::*;
use pgrx::{JsonB, PgSqlErrorCode};

use crate::error;
use crate::jobs;

/// How many notifications go out at once …
const AT_ONCE: u32 = 100;
/// … and how far apart the others are at the least, in microseconds.
const APART: i64 = 50_000;

struct Listening {
    /// JSON text of the token.
    token: Option<String>,
    level: Option<Level>,
    progress: f64,
    sent: u32,
    last: i64,
}

thread_local! {
    static LISTENING: RefCell<Option<Listening>> = const { RefCell::new(None) };
}

/// Keeps what the outermost call asked for until it is dropped, also while unwinding.
pub struct Asked {
    outermost: bool,
}

impl Asked {
    /// Takes down what the client wants to be told; a call within a call changes nothing.
    pub fn of(wishes: &Wishes, era: Era) -> Asked {
        LISTENING.with_borrow_mut(|listening| {
            let outermost = listening.is_none();
            if outermost {
                *listening = Some(Listening {
                    token: wishes.progress_token.as_deref().map(|raw| raw.get().to_owned()),
                    // Until 2025-11-25 the server may decide when no logging/setLevel was sent, and without sessions none is
                    // remembered. A request that names no version gets the plainest answer.
                    level: match era {
                        Era::Modern => wishes.log_level,
                        Era::Legacy(_) => Some(Level::Info),
                        Era::Unversioned => None,
                    },
                    progress: f64::NEG_INFINITY,
                    sent: 0,
                    last: 0,
                });
            }
            Asked { outermost }
        })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.outermost {
            LISTENING.set(None);
        }
    }
}

/// The text of a notification, if the client wants it and its turn has come.
fn due(write: impl FnOnce(&mut Listening) -> Option<String>) -> Option<String> {
    // SAFETY: reads the clock.
    let now = unsafe { pg_sys::GetCurrentTimestamp() };
    LISTENING.with_borrow_mut(|listening| {
        let listening = listening.as_mut()?;
        if listening.sent >= AT_ONCE && now - listening.last < APART {
            return None;
        }
        let text = write(listening)?;
        listening.sent += 1;
        listening.last = now;
        Some(text)
    })
}

/// Tells the client how far the call is; nothing if it did not ask, or if the number has not grown.
#[pg_extern(sql = "
CREATE FUNCTION mcp.progress(progress pg_catalog.float8, total pg_catalog.float8 DEFAULT NULL, message pg_catalog.text DEFAULT NULL)
    RETURNS pg_catalog.void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn progress(progress: Option<f64>, total: Option<f64>, message: Option<&str>) {
    let Some(progress) = progress else { return };
    if !progress.is_finite() || total.is_some_and(|total| !total.is_finite()) {
        error::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "progress and total must be finite numbers",
            None,
        );
    }
    if jobs::say::runs_here() {
        // Whoever polls the task reads it.
        let percent =
            total.filter(|total| *total > 0.0).map(|total| (100.0 * progress / total).clamp(0.0, 100.0));
        let message = message.map(|message| message.chars().take(1000).collect::<String>());
        jobs::say::say_text(
            &serde_json::json!({ "progress": { "percent": percent, "message": message } }).to_string(),
        );
        return;
    }
    let text = due(|listening| {
        let token = listening.token.as_ref()?;
        if progress <= listening.progress {
            return None;
        }
        listening.progress = progress;
        let mut text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress}"#
        );
        if let Some(total) = total {
            text.push_str(&format!(r#","total":{total}"#));
        }
        if let Some(message) = message {
            text.push_str(r#","message":"#);
            push_string(&mut text, message);
        }
        text.push_str("}}");
        Some(text)
    });
    if let Some(text) = text {
        send(&text);
    }
}

/// Sends the client a log message; nothing if it did not ask for messages of this level.
#[pg_extern(sql = "
CREATE FUNCTION mcp.log(level pg_catalog.text, data pg_catalog.jsonb, logger pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn log(level: Option<&str>, data: Option<JsonB>, logger: Option<&str>) {
    let Some(level) = Level::parse(level.unwrap_or_default()) else {
        error::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("level: \"{}\" is not one", level.unwrap_or_default()),
            Some(
                "The levels are debug, info, notice, warning, error, critical, alert, emergency.".to_owned(),
            ),
        );
    };
    let text = due(|listening| {
        if listening.level.is_none_or(|least| level < least) {
            return None;
        }
        let data = data.map_or(serde_json::Value::Null, |JsonB(data)| data);
        let mut text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{}","data":{data}"#,
            level.as_str()
        );
        if let Some(logger) = logger {
            text.push_str(r#","logger":"#);
            push_string(&mut text, logger);
        }
        text.push_str("}}");
        Some(text)
    });
    if let Some(text) = text {
        send(&text);
    }
}

/// `MC001`, packed as `MAKE_SQLSTATE` of utils/elog.h does.
const SQLSTATE: i32 = {
    let code = b"MC001";
    let mut packed = 0;
    let mut n = 0;
    while n < 5 {
        packed |= (((code[n] - b'0') & 0x3f) as i32) << (6 * n);
        n += 1;
    }
    packed
};

fn send(text: &str) {
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: Postgres copies the texts of the zeroed struct, where NULL means none. The context functions would add where the
    // call stands, which is nobody's business; they are back in place at once, since INFO does not jump.
    unsafe {
        let mut data: pg_sys::ErrorData = std::mem::zeroed();
        data.elevel = pg_sys::INFO as i32;
        data.sqlerrcode = SQLSTATE;
        data.message = text.as_ptr().cast_mut();
        let context = pg_sys::error_context_stack;
        pg_sys::error_context_stack = std::ptr::null_mut();
        pg_sys::ThrowErrorData(&mut data);
        pg_sys::error_context_stack = context;
    }
}
