//! Tries a key, as the listener would use it.
//!
//! A key reaches Postgres as id and h1, which a log could give away to be replayed; so nothing is tried on a session whose
//! statements may be logged with their parameters. Only reading messages are sent.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use fluxbase_credential::Key;
use hyper::header::HeaderMap;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::place::Place;
use super::{Finding, ask, failed};
use crate::config::Config;
use crate::transport::Transport;

/// What a key is asked about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) table: Option<String>,
    pub(super) tool: Option<String>,
}

/// The key of `--key-file`, else of `FLUXBASE_KEY`; `None` when there is neither. The finding never holds a part of it.
pub(super) fn find(file: Option<&Path>) -> Option<Result<Key, Finding>> {
    let (source, text) = match file {
        Some(path) => (path.display().to_string(), std::fs::read_to_string(path)),
        None => (
            "FLUXBASE_KEY".to_owned(),
            Ok(std::env::var("FLUXBASE_KEY").ok().filter(|text| !text.is_empty())?),
        ),
    };
    let bad = |told: String| {
        Finding::new("error", "key", told).remedy("The key was shown once, when it was made. Make another: fluxbase clientkeys create --name ... --scopes ...")
    };
    Some(match text {
        Ok(text) => Key::parse(text.trim())
            .map_err(|error| bad(format!("the key in {source} is not usable: {error}"))),
        Err(error) => Err(Finding::new("error", "key", format!("cannot read {source}: {error}"))),
    })
}

/// Whether this session's statements may be logged with their parameters; superusers switch that off for themselves first.
async fn logged(client: &Client) -> Result<bool, tokio_postgres::Error> {
    const RISK: &str = "
SELECT coalesce(pg_catalog.bool_or(s.name = 'log_parameter_max_length_on_error' AND s.setting <> '0'
                     OR s.name = 'pgaudit.log_parameter' AND s.setting = 'on'), false)
       OR (coalesce(pg_catalog.bool_or(s.name = 'log_parameter_max_length' AND s.setting <> '0'), false)
           AND coalesce(pg_catalog.bool_or(s.name IN ('log_min_duration_statement', 'log_min_duration_sample') AND s.setting <> '-1'
                             OR s.name = 'log_statement' AND s.setting IN ('mod', 'all')
                             OR s.name = 'log_transaction_sample_rate' AND s.setting <> '0'), false))
       OR (coalesce(pg_catalog.bool_or(s.name = 'auto_explain.log_parameter_max_length' AND s.setting <> '0'), false)
           AND coalesce(pg_catalog.bool_or(s.name = 'auto_explain.log_min_duration' AND s.setting <> '-1'), false))
  FROM pg_catalog.pg_settings AS s";
    let risky = || async { client.query_one(RISK, &[]).await.and_then(|row| row.try_get::<_, bool>(0)) };
    if !risky().await? {
        return Ok(false);
    }
    let superuser: bool = client
        .query_one("SELECT pg_catalog.current_setting('is_superuser') = 'on'", &[])
        .await?
        .try_get(0)?;
    if !superuser {
        return Ok(true);
    }
    client
        .batch_execute("SET log_parameter_max_length = 0; SET log_parameter_max_length_on_error = 0")
        .await?;
    risky().await
}

/// What came of one message.
enum Outcome {
    /// The status and the body.
    Reply(u16, Value),
    /// It was not sent.
    NotTried(Finding),
}

/// Sends one message as the key.
async fn send(client: &Client, config: Option<&Config>, key: &Key, message: &Value) -> Outcome {
    match logged(client).await {
        Ok(false) => {}
        Ok(true) => {
            return Outcome::NotTried(
                Finding::new(
                    "warn",
                    "key",
                    "the key was not tried: the statements of this login may be logged with their parameters",
                )
                .remedy(
                    "Try it with the listener's login; mcp.setup_listener() keeps parameters out of the log.",
                ),
            );
        }
        Err(error) => return Outcome::NotTried(failed("key", &error)),
    }
    // Without settings that can be read, the message is sent without the listener's allow-lists and limits.
    let transport = match config {
        Some(config) => Transport::new(&config.mcp, config.listener.read_only)
            .of(&HeaderMap::new(), IpAddr::V4(Ipv4Addr::LOCALHOST)),
        None => "{}".to_owned(),
    };
    let sql = "SELECT mcp._serve($1::text, $2::text, $3::text)";
    let reply = client.query_one(sql, &[&message.to_string(), &key.credential(), &transport]).await;
    match reply.and_then(|row| row.try_get::<_, String>(0)) {
        Ok(text) => {
            let (head, body) = text.split_once('\n').unwrap_or((&text, ""));
            let status = head.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
            Outcome::Reply(status, serde_json::from_str(body).unwrap_or_default())
        }
        Err(error) if error.code().is_some_and(|code| code.code() == "42501") => Outcome::NotTried(
            Finding::new(
                "info",
                "key",
                "the key was not tried: this login may not call the listener's entry",
            )
            .remedy("Try it with the listener's login, or as superuser."),
        ),
        Err(error) => Outcome::NotTried(failed("key", &error)),
    }
}

/// A reply that is none to the question: the key is refused, or limited, or the server is off.
async fn refusal(client: &Client, key: &Key, status: u16, body: &Value) -> Finding {
    let message = body["error"]["message"].as_str().unwrap_or("no reason was given");
    let id = key.id();
    match status {
        401 => {
            // The one entry that tells the holder of the secret why. It raises an error, and what it would set ends with it.
            let reason =
                match client.query_one("SELECT mcp.authenticate($1::text)", &[&key.credential()]).await {
                    Err(error) => error
                        .as_db_error()
                        .and_then(|db| db.hint())
                        .and_then(|hint| hint.split_once(". "))
                        .map_or_else(|| "it is not accepted".to_owned(), |(first, _)| first.to_owned()),
                    Ok(_) => "it was refused a moment ago and is accepted now".to_owned(),
                };
            Finding::new("error", "key", format!("the key {id} is refused: {reason}")).remedy(
                "fluxbase doctor access --key-name ID tells an administrator more; fluxbase clientkeys create makes another.",
            )
        }
        429 => Finding::new(
            "warn",
            "key",
            format!("the key {id} is accepted, and its limit of requests is reached now: {message}"),
        )
        .remedy("Wait a minute, or raise mcp.rate_limit_per_min or the key's own limit."),
        503 => Finding::new("error", "key", format!("the server is off: {message}"))
            .remedy("ALTER SYSTEM SET mcp.enabled = on; SELECT pg_reload_conf();"),
        _ => {
            Finding::new("error", "key", format!("the answer to the key {id} has status {status}: {message}"))
        }
    }
}

fn tools_of(body: &Value) -> Vec<&str> {
    body["result"]["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })
}

/// Lists the tools with the key, and says what is wrong with it if that fails.
pub(super) async fn try_it(place: &Place, config: Option<&Config>, key: &Key) -> Vec<Finding> {
    let mut findings = Vec::new();
    let id = key.id();
    let outcome = if place.may_serve {
        send(&place.client, config, key, &list()).await
    } else {
        Outcome::NotTried(
            Finding::new(
                "info",
                "key",
                "the key was not tried: this login may not call the listener's entry",
            )
            .remedy("Try it with the listener's login, or as superuser."),
        )
    };
    let mut refused = None;
    match outcome {
        Outcome::Reply(200, body) => {
            let tools = tools_of(&body);
            findings.push(if tools.is_empty() {
                Finding::new("warn", "key", format!("the key {id} works and is shown no tool"))
                    .remedy("fluxbase doctor access --key-name ID --tool query_table")
            } else {
                Finding::new(
                    "ok",
                    "key",
                    format!("the key {id} works and is shown {} tools: {}", tools.len(), tools.join(", ")),
                )
            });
        }
        Outcome::Reply(status, body) => refused = Some(refusal(&place.client, key, status, &body).await),
        Outcome::NotTried(finding) => findings.push(finding),
    }
    if place.may_doctor {
        match ask(&place.client, "mcp.doctor_access($1::text)", &[&id]).await {
            Ok(rows) => {
                // What the row says of itself is better than what the key is told; without a fault there, the secret is another.
                if rows.iter().any(|row| row.level == "error") {
                    refused = None;
                }
                findings.extend(rows);
            }
            Err(error) if error.code().is_some_and(|code| code.code() == "P0002") => {
                refused = Some(
                    Finding::new("error", "key", format!("no key in this database has the id {id}")).remedy(
                        "It may be of another database, or its row is gone: fluxbase clientkeys list",
                    ),
                );
            }
            Err(error) => findings.push(failed("key", &error)),
        }
    }
    findings.extend(refused);
    findings
}

/// Asks with the key what it is asked about: a row of the table, or the tool in the list.
pub(super) async fn call(client: &Client, config: Option<&Config>, key: &Key, asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(table) = &asked.table {
        let arguments = json!({ "table": table, "limit": 1 });
        let params = json!({ "name": "query_table", "arguments": arguments });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        findings.push(match send(client, config, key, &message).await {
            Outcome::Reply(200, body) if body["result"].is_object() => row_of(table, &body["result"]),
            Outcome::Reply(status, body) => refusal(client, key, status, &body).await,
            Outcome::NotTried(finding) => finding,
        });
    }
    if let Some(tool) = &asked.tool {
        findings.push(match send(client, config, key, &list()).await {
            Outcome::Reply(200, body) if tools_of(&body).contains(&tool.as_str()) => {
                Finding::new("ok", "call", format!("the key is shown {tool} now"))
            }
            Outcome::Reply(200, _) => {
                Finding::new("error", "call", format!("the key is not shown {tool} now"))
            }
            Outcome::Reply(status, body) => refusal(client, key, status, &body).await,
            Outcome::NotTried(finding) => finding,
        });
    }
    findings
}

/// What an answer with at most one row tells. The row itself is not shown.
fn row_of(table: &str, result: &Value) -> Finding {
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    if result["isError"] == Value::Bool(true) {
        return Finding::new(
            "error",
            "call",
            format!("query_table on {table} fails for the key now: {text}"),
        );
    }
    match serde_json::from_str::<Vec<Value>>(text) {
        Ok(rows) if rows.is_empty() => {
            Finding::new("warn", "call", format!("the key sees no row of {table} now"))
        }
        _ => Finding::new("ok", "call", format!("the key sees rows of {table} now")),
    }
}

#[cfg(test)]
mod tests {
    use fluxbase_credential::Kind;

    use super::*;

    #[test]
    fn no_part_of_a_bad_key_is_told() {
        let whole = Key::generate(Kind::Client).unwrap().reveal();
        let folder = std::env::temp_dir().join(format!("fluxbase-doctor-{}", std::process::id()));
        for text in [&whole[..60], &whole[1..], &format!("{}x", &whole[..71])] {
            std::fs::write(&folder, text).unwrap();
            let finding = find(Some(&folder)).unwrap().unwrap_err();
            let told = format!("{finding:?}");
            assert_eq!(finding.level, "error");
            assert!(!told.contains(&text[5..20]) && !told.contains(&text[25..40]), "{told}");
        }
        std::fs::write(&folder, format!("{whole}\n")).unwrap();
        assert!(find(Some(&folder)).unwrap().is_ok());
        std::fs::remove_file(&folder).unwrap();
        assert!(find(Some(&folder)).unwrap().unwrap_err().finding.contains("cannot read"));
    }

    #[test]
    fn a_row_is_counted_and_not_shown() {
        let result = |text: &str, wrong: bool| json!({ "content": [{ "type": "text", "text": text }], "isError": wrong });
        assert_eq!(row_of("t", &result("[]", false)).level, "warn");
        let seen = row_of("t", &result(r#"[{"a":"secret"}]"#, false));
        assert_eq!((seen.level.as_str(), seen.finding.contains("secret")), ("ok", false));
        assert_eq!(row_of("t", &result("permission denied", true)).level, "error");
    }
}
