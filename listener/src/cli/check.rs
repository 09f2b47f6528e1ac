//! `fluxbase serve --check`: whether `serve` could do its work, without doing it.
//!
//! It reads what `serve` reads, asks Postgres what `serve` would ask, and says for each finding how to mend it. It binds
//! nothing, so that it can run beside the service, and changes nothing. What only an administrator may see is looked at by
//! `fluxbase doctor`.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value;

use super::finding::{self, Finding};
use crate::certificate;
use crate::config::{Config, ConfigError, Listen};
use crate::connection::Connection;
use crate::database::Target;

/// What to do when MCP is switched off.
pub(super) const NOT_ENABLED: &str =
    "Write mcp.enabled: true into fluxbase.yaml, or set FLUXBASE_MCP_ENABLED=true.";

const SET_UP: &str = "As a superuser of this database run: fluxbase init";

/// What was found, in its order.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, topic: &'static str, finding: impl Into<String>) {
        self.0.push(Finding::new("ok", topic, finding));
    }

    fn warn(&mut self, topic: &'static str, finding: impl Into<String>, remedy: &str) {
        self.0.push(Finding::new("warn", topic, finding).remedy(remedy));
    }

    /// What would keep `serve` from its work.
    fn error(&mut self, topic: &'static str, finding: impl Into<String>, remedy: &str) {
        self.0.push(Finding::new("error", topic, finding).remedy(remedy));
    }
}

/// Looks at everything and prints what it found. Exit code 1 when something is an error.
pub(super) async fn run(config: Result<Config, ConfigError>, url: Option<&str>, json: bool) -> ExitCode {
    let mut findings = Findings::default();
    match &config {
        Ok(config) => {
            findings.ok("settings", "the settings are understood");
            settings(config, &mut findings);
            sockets(config, &mut findings);
            tls(config, &mut findings);
        }
        Err(error) => findings.error("settings", error.to_string(), ""),
    }
    let replicas = config.as_ref().map(|config| config.listener.replica_urls.0.clone()).unwrap_or_default();
    match Target::find(url).and_then(|target| target.with_standbys(&replicas)) {
        Ok(target) => {
            let standbys = target.standbys.clone();
            database(Arc::new(target), &mut findings).await;
            for standby in standbys {
                self::standby(Arc::new(standby), &mut findings).await;
            }
        }
        Err(error) => findings.error(
            "database",
            error.to_string(),
            "Give it with --database-url, FLUXBASE_DATABASE_URL, or the PG* variables.",
        ),
    }
    finding::show(&findings.0, json)
}

/// What is to be said when the deadline strikes before Postgres's own timeout.
pub(super) fn short_deadline(config: &Config) -> Option<&'static str> {
    (config.listener.deadline <= config.listener.statement_timeout).then_some(
        "listener.deadline is not longer than listener.statement_timeout: calls will end at the deadline, with less to tell \
         about them",
    )
}

fn settings(config: &Config, findings: &mut Findings) {
    if !config.mcp.enabled {
        findings.error("settings", "MCP is not enabled, so there would be nothing to serve", NOT_ENABLED);
    }
    if let Some(short) = short_deadline(config) {
        findings.warn(
            "settings",
            short,
            "Make listener.deadline some seconds longer than listener.statement_timeout.",
        );
    }
    let http = &config.listener;
    let open = http
        .listen
        .iter()
        .any(|listen| matches!(listen, Listen::Tcp(address) if !address.ip().is_loopback()));
    if open && http.tls.is_none() {
        findings.warn(
            "tls",
            "keys would cross the network in plain text, unless a proxy in front speaks TLS",
            "Set listener.tls_certificate and listener.tls_key, or listen on loopback behind a proxy.",
        );
    }
}

/// Addresses are not tried: the service that is to be replaced may have them.
fn sockets(config: &Config, findings: &mut Findings) {
    let http = &config.listener;
    let mut seen = HashSet::new();
    for listen in http.listen.iter().chain(&http.metrics) {
        let shown = listen.to_string();
        let any_port = matches!(listen, Listen::Tcp(address) if address.port() == 0);
        if !any_port && !seen.insert(shown.clone()) {
            findings.error(
                "listen",
                format!("{shown} is given twice"),
                "listener.listen and listener.metrics need addresses of their own.",
            );
        }
        let Listen::Unix(path) = listen else { continue };
        if let Err(why) = socket_place(path) {
            findings.error(
                "listen",
                format!("{shown} cannot be made: {why}"),
                "Make its folder, and let this user write to it. Under systemd: RuntimeDirectory=",
            );
        }
    }
}

fn socket_place(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::FileTypeExt;
    std::os::unix::net::SocketAddr::from_pathname(path).map_err(|error| error.to_string())?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    match std::fs::metadata(parent) {
        Ok(folder) if folder.is_dir() => {}
        Ok(_) => return Err(format!("{} is no folder", parent.display())),
        Err(error) => return Err(format!("{}: {error}", parent.display())),
    }
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => Err("a file that is no socket is there".to_owned()),
        _ => Ok(()),
    }
}

fn tls(config: &Config, findings: &mut Findings) {
    let Some(files) = &config.listener.tls else { return };
    match certificate::read(files) {
        Ok(usable) => {
            findings.ok("tls", format!("the certificate {} has its key", files.certificate.display()));
            for warning in &usable.warnings {
                findings.warn("tls", warning, "");
            }
        }
        Err(error) => findings.error("tls", error, "Give files in PEM form that this user can read."),
    }
}

/// What the login role sees by itself: whether it may call the entry, and which version answers.
const QUESTION: &str = "
    SELECT pg_catalog.current_setting('server_version'),
           (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'fluxbase_mcp_ext'),
           pg_catalog.to_regprocedure('mcp._serve(text, text, text)') IS NOT NULL,
           pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('mcp'), 'USAGE')
               AND pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('mcp._serve(text, text, text)'), 'EXECUTE'),
           current_user,
           pg_catalog.current_setting('is_superuser')";

async fn database(target: Arc<Target>, findings: &mut Findings) {
    const TOPIC: &str = "database";
    let mut connection = match Connection::open(&target).await {
        Ok(connection) => connection,
        Err(error) => {
            let remedy = match error.code() {
                Some(_) => {
                    "Look at user, password and pg_hba.conf; fluxbase init shows the listener's connection."
                }
                None => "Is Postgres running there? Look at host and port.",
            };
            findings.error(TOPIC, format!("cannot connect to {target}: {error}"), remedy);
            return;
        }
    };
    let row = match values(&mut connection, QUESTION).await {
        Ok(row) => row,
        Err(error) => {
            findings.error(TOPIC, format!("{target} does not answer: {error}"), "");
            return;
        }
    };
    let value = |at: usize| row.get(at).and_then(Option::as_deref).unwrap_or_default();
    findings.ok(TOPIC, format!("PostgreSQL {} answers at {target}", value(0)));
    let Some(installed) = row.get(1).and_then(Option::as_deref) else {
        findings.error("extension", "the extension fluxbase_mcp_ext is not in this database", SET_UP);
        return;
    };
    let own = env!("CARGO_PKG_VERSION");
    if installed == own {
        findings.ok("extension", format!("fluxbase_mcp_ext {installed}, as this program"));
    } else {
        findings.error("extension",
            format!("fluxbase_mcp_ext is {installed}, this program is {own}"),
            "Install the same version of both, restart Postgres if the library is preloaded, then as a superuser run: ALTER \
             EXTENSION fluxbase_mcp_ext UPDATE;",
        );
    }
    let role = value(4);
    if value(2) != "t" {
        findings.error("extension", "the entry mcp._serve(text, text, text) is missing", SET_UP);
    } else if value(3) != "t" {
        findings.error(
            "login",
            format!("the role {role} may not call mcp._serve(text, text, text)"),
            &format!("As a superuser run: SELECT mcp.setup_listener('{}');", role.replace('\'', "''")),
        );
    } else {
        findings.ok("login", format!("the role {role} may call the entry"));
        health(&mut connection, own, findings).await;
    }
    if value(5) == "on" {
        findings.warn(
            "login",
            format!("the role {role} is a superuser: whoever takes over the listener has all of its rights"),
            "Use the role that mcp.setup_listener() makes.",
        );
    }
}

/// A standby that does not answer keeps nothing from being served: its reads go to the primary.
async fn standby(target: Arc<Target>, findings: &mut Findings) {
    const TOPIC: &str = "standby";
    const MEANWHILE: &str = "Until it answers as a standby, its reads go to the primary. Look at listener.replica_urls and at the server.";
    let answer = match Connection::open(&target).await {
        Ok(mut connection) => values(&mut connection, "SELECT pg_catalog.pg_is_in_recovery()").await,
        Err(error) => Err(error.to_string()),
    };
    match answer.as_deref() {
        Ok([Some(recovers)]) if recovers == "t" => {
            findings.ok(TOPIC, format!("{target} answers, a hot standby"))
        }
        Ok(_) => findings.warn(TOPIC, format!("{target} answers, and is no standby"), MEANWHILE),
        Err(error) => findings.warn(TOPIC, format!("{target} does not answer: {error}"), MEANWHILE),
    }
}

/// The answer of the library that is loaded, which may be older than the extension's SQL until Postgres is restarted.
async fn health(connection: &mut Connection, own: &str, findings: &mut Findings) {
    const TOPIC: &str = "health";
    let report = match values(connection, "SELECT mcp.health()").await {
        Ok(row) => row.into_iter().next().flatten().unwrap_or_default(),
        Err(error) => {
            findings.error(TOPIC, format!("mcp.health() failed: {error}"), SET_UP);
            return;
        }
    };
    let report: Value = serde_json::from_str(&report).unwrap_or_default();
    let loaded = report["serverVersion"].as_str().unwrap_or("unknown");
    if report["enabled"] == Value::Bool(false) {
        findings.error(
            TOPIC,
            "the server is switched off by the setting mcp.enabled: every request is answered 503",
            "ALTER SYSTEM SET mcp.enabled = on; SELECT pg_reload_conf();",
        );
    } else if loaded != own {
        findings.error(
            TOPIC,
            format!("the library in Postgres is {loaded}, this program is {own}"),
            "Install the same version of both, and restart Postgres if the library is preloaded.",
        );
    } else {
        findings.ok(TOPIC, "requests would be answered");
    }
}

/// The first row of a statement, as text.
async fn values(connection: &mut Connection, sql: &str) -> Result<Vec<Option<String>>, String> {
    let within = std::time::Duration::from_secs(10);
    let asked = tokio::time::timeout(within, connection.rows(sql)).await;
    let rows =
        asked.map_err(|_| "no answer in ten seconds".to_owned())?.map_err(|error| error.to_string())?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(yaml: &str) -> Vec<(String, String)> {
        let config =
            Config::from_parts(Some((Path::new("test.yaml"), yaml)), &|_| None).expect("the test's settings");
        let mut findings = Findings::default();
        settings(&config, &mut findings);
        sockets(&config, &mut findings);
        tls(&config, &mut findings);
        findings.0.into_iter().map(|finding| (finding.level, finding.finding)).collect()
    }

    #[test]
    fn settings_that_do_not_go_together_are_found() {
        assert_eq!(look("mcp: {enabled: true}"), []);
        for (yaml, level, part) in [
            ("", "error", "not enabled"),
            ("mcp: {enabled: true}\nlistener: {deadline: 10s}", "warn", "not longer"),
            ("mcp: {enabled: true}\nlistener: {listen: ['0.0.0.0:80']}", "warn", "plain text"),
            (
                "mcp: {enabled: true}\nlistener: {listen: ['127.0.0.1:80'], metrics: '127.0.0.1:80'}",
                "error",
                "twice",
            ),
            ("mcp: {enabled: true}\nlistener: {listen: ['unix:/nowhere/a.sock']}", "error", "/nowhere"),
            ("mcp: {enabled: true}\nlistener: {listen: ['unix:/etc/hostname']}", "error", "no socket"),
            (
                "mcp: {enabled: true}\nlistener: {tls_certificate: /no/c, tls_key: /no/k}",
                "error",
                "tls_certificate /no/c",
            ),
        ] {
            let found = look(yaml);
            assert!(
                found.len() == 1 && found[0].0 == level && found[0].1.contains(part),
                "{yaml}: {found:?}"
            );
        }
    }
}
