//! `GET {base_path}/health`: whether a request could be served now.
//!
//! It has a connection of its own, so it never waits behind calls, and it asks Postgres at most a few times a second
//! however often it is asked, since it needs no key. The reasons it gives name no host, role or database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use crate::connection::Connection;
use crate::database::Target;

/// Longest wait for Postgres.
const WITHIN: Duration = Duration::from_secs(2);
/// How long one finding serves everybody who asks.
const FRESH: Duration = Duration::from_millis(250);

pub(crate) struct Health {
    target: Arc<Target>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    last: Option<(Instant, Finding)>,
}

/// Whether all is well, and the body that says so.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) healthy: bool,
    pub(crate) body: String,
}

impl Finding {
    // The bodies are written by hand, since a JSON map would sort the members.
    fn unhealthy(reason: &str) -> Finding {
        let body = format!(r#"{{"status":"unhealthy","reason":{}}}"#, Value::from(reason));
        Finding { healthy: false, body }
    }

    /// From what `mcp.health()` says.
    fn read(report: &str) -> Finding {
        let Ok(report) = serde_json::from_str::<Value>(report) else {
            return Finding::unhealthy("mcp.health() gave no JSON");
        };
        if report["enabled"] == Value::Bool(false) {
            return Finding::unhealthy("the server is switched off by the setting mcp.enabled");
        }
        let body = format!(
            r#"{{"status":"healthy","protocolVersion":{},"serverVersion":{}}}"#,
            report["protocolVersion"], report["serverVersion"]
        );
        Finding { healthy: true, body }
    }
}

impl Health {
    pub(crate) fn new(target: Arc<Target>) -> Health {
        Health { target, state: Mutex::new(State::default()) }
    }

    /// Asks, or repeats what was found a moment ago.
    pub(crate) async fn check(&self) -> Finding {
        let Ok(mut state) = tokio::time::timeout(WITHIN, self.state.lock()).await else {
            return Finding::unhealthy("Postgres does not answer");
        };
        let closed = state.connection.as_mut().is_some_and(Connection::is_closed);
        if let Some((at, finding)) = &state.last
            && at.elapsed() < FRESH
            && !(finding.healthy && closed)
        {
            return finding.clone();
        }
        // Taken out, so that a connection on which the question is still open is not used again.
        let kept = state.connection.take().filter(|_| !closed);
        let (finding, connection) = match tokio::time::timeout(WITHIN, self.ask(kept)).await {
            Ok((finding, connection)) => (finding, connection),
            Err(_) => (Finding::unhealthy("Postgres does not answer"), None),
        };
        if !finding.healthy {
            tracing::debug!(body = finding.body, "unhealthy");
        }
        state.connection = connection;
        state.last = Some((Instant::now(), finding.clone()));
        finding
    }

    async fn ask(&self, kept: Option<Connection>) -> (Finding, Option<Connection>) {
        let mut connection = match kept {
            Some(connection) => connection,
            None => match Connection::open(&self.target).await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::debug!(reason = %error, "no connection for the health check");
                    let told = match error.code() {
                        Some(_) => "Postgres refuses the listener's connection",
                        None => "Postgres cannot be reached",
                    };
                    return (Finding::unhealthy(told), None);
                }
            },
        };
        match connection.single("SELECT mcp.health()").await {
            Ok(report) => (Finding::read(&report), Some(connection)),
            Err(error) => {
                tracing::debug!(reason = %error, "the health check failed");
                let told = match error.code() {
                    Some("42883" | "3F000") => {
                        "the extension fluxbase_mcp_ext is not in the database: run fluxbase init"
                    }
                    Some("42501") => "the listener's role is not set up: run fluxbase init",
                    _ => "Postgres cannot be reached",
                };
                let connection = (!connection.is_closed()).then_some(connection);
                (Finding::unhealthy(told), connection)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_the_documented_one() {
        let finding = Finding::read(
            r#"{"status":"healthy","protocolVersion":"2026-07-28","serverVersion":"0.1.0","enabled":true}"#,
        );
        assert!(finding.healthy);
        assert_eq!(
            finding.body,
            r#"{"status":"healthy","protocolVersion":"2026-07-28","serverVersion":"0.1.0"}"#
        );
        assert!(!Finding::read(r#"{"enabled":false}"#).healthy);
        assert!(!Finding::read("").healthy);
    }

    #[tokio::test]
    async fn an_unreachable_database_is_unhealthy_soon() {
        let target =
            Target::from_parts(Some("postgres://u@127.0.0.1:1/d?sslmode=disable"), &|_| None).unwrap();
        let health = Health::new(Arc::new(target));
        let finding = health.check().await;
        assert_eq!(finding.body, r#"{"status":"unhealthy","reason":"Postgres cannot be reached"}"#);
    }
}
