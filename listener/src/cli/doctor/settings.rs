//! What `fluxbase serve` would read, and whether one serves already.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::Finding;
use super::key::Asked;
use crate::config::{Config, ConfigError, DEFAULT_FILE, Listen};

/// Longest wait for a listener's health.
const WITHIN: Duration = Duration::from_secs(3);
/// Most that is read of its answer, in bytes.
const ANSWER: u64 = 16_384;

pub(super) fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    Config::load(path)
}

/// Where the settings come from, for a person.
fn source(path: Option<&Path>) -> String {
    match path {
        Some(path) => path.display().to_string(),
        None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.to_owned(),
        None => format!("the defaults and the environment (there is no ./{DEFAULT_FILE})"),
    }
}

/// Whether the settings can be used.
pub(super) fn judge(loaded: &Result<Config, ConfigError>, path: Option<&Path>) -> Vec<Finding> {
    let source = source(path);
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            return vec![
                Finding::new("error", "settings", error.to_string())
                    .remedy(format!("fluxbase serve does not start with {source}: mend it there.")),
            ];
        }
    };
    let mut findings = vec![Finding::new("ok", "settings", format!("the settings come from {source}"))];
    if !config.mcp.enabled {
        // On a machine without any settings there is nothing to be enabled.
        let written = path.is_some() || Path::new(DEFAULT_FILE).exists();
        findings.push(
            Finding::new(
                if written { "warn" } else { "info" },
                "settings",
                "MCP is not enabled: fluxbase serve would not start",
            )
            .remedy(format!(
                "Write mcp.enabled: true into {DEFAULT_FILE}, or set FLUXBASE_MCP_ENABLED=true."
            )),
        );
    }
    if config.listener.deadline <= config.listener.statement_timeout {
        findings.push(
            Finding::new(
                "warn",
                "settings",
                "listener.deadline is not longer than listener.statement_timeout: calls end with less to tell",
            )
            .remedy("Make listener.deadline some seconds longer than listener.statement_timeout."),
        );
    }
    findings
}

/// Whether the listener's own allow-list leaves out what is asked for.
pub(super) fn allowed(loaded: &Result<Config, ConfigError>, asked: &Asked) -> Vec<Finding> {
    let config = match loaded {
        Ok(config) => config,
        Err(error) => return vec![Finding::new("warn", "settings", error.to_string())],
    };
    let list = &config.mcp.allowed_tools;
    let tools = asked.tool.iter().map(String::as_str).chain(asked.table.iter().map(|_| "query_table"));
    tools
        .filter(|tool| !list.is_empty() && !list.iter().any(|allowed| allowed == tool))
        .map(|tool| {
            Finding::new(
                "error",
                "allow-list",
                format!("mcp.allowed_tools in the listener's settings leaves {tool} out"),
            )
            .remedy(format!("Add {tool} to mcp.allowed_tools in {DEFAULT_FILE} and restart fluxbase serve."))
        })
        .collect()
}

/// Whether a listener answers at the addresses of the settings.
pub(super) async fn listening(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut silent = Vec::new();
    for address in &config.listener.listen {
        let address = reachable(address);
        let scheme = if config.listener.tls.is_some() { "https" } else { "http" };
        let at = match &address {
            Listen::Tcp(address) => format!("{scheme}://{address}{}", config.mcp.base_path),
            Listen::Unix(_) => address.to_string(),
        };
        if config.listener.tls.is_some() {
            // Its certificate is made for a name that this program does not know.
            let answers = matches!(&address, Listen::Tcp(at) if TcpStream::connect(at).await.is_ok());
            if answers {
                let finding = format!("something listens at {at}; over TLS it is not asked what");
                findings.push(Finding::new("info", "serving", finding));
            } else {
                silent.push(at);
            }
            continue;
        }
        match tokio::time::timeout(WITHIN, health(&address, &config.mcp.base_path)).await {
            Ok(Ok(answer)) => findings.push(read(&at, &answer)),
            Ok(Err(_)) => silent.push(at),
            Err(_) => findings.push(
                Finding::new("warn", "serving", format!("what listens at {at} does not answer"))
                    .remedy("Look at the log of fluxbase serve, or at what else uses this port."),
            ),
        }
    }
    if findings.is_empty() && !silent.is_empty() {
        findings.push(Finding::new(
            "info",
            "serving",
            format!("no fluxbase serve runs on this machine at {}", silent.join(", ")),
        ));
    }
    findings
}

/// The address by which a client on this machine reaches it.
fn reachable(listen: &Listen) -> Listen {
    let Listen::Tcp(address) = listen else { return listen.clone() };
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Listen::Tcp(SocketAddr::new(ip, address.port()))
}

/// The whole answer to `GET {base}/health`.
async fn health(listen: &Listen, base: &str) -> std::io::Result<String> {
    match listen {
        Listen::Tcp(address) => ask(TcpStream::connect(address).await?, &address.to_string(), base).await,
        Listen::Unix(file) => ask(UnixStream::connect(file).await?, "localhost", base).await,
    }
}

async fn ask(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    base: &str,
) -> std::io::Result<String> {
    let request = format!(
        "GET {base}/health HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.take(ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What the answer tells.
fn read(at: &str, answer: &str) -> Finding {
    let body =
        answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body.trim()).ok());
    let Some(body) = body.filter(|body| body["status"].is_string()) else {
        return Finding::new("warn", "serving", format!("what answers at {at} is not fluxbase serve"))
            .remedy("Choose another address with listener.listen, or stop what uses this one.");
    };
    if body["status"] == "healthy" {
        let version = body["serverVersion"].as_str().unwrap_or("?");
        return Finding::new(
            "ok",
            "serving",
            format!("{at} is healthy; its database has the extension {version}"),
        );
    }
    let reason = body["reason"].as_str().unwrap_or("it does not say why");
    Finding::new("warn", "serving", format!("{at} is unhealthy: {reason}"))
        .remedy("Run fluxbase doctor with the FLUXBASE_DATABASE_URL of that process.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_ours_is_told_from_others() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
        let healthy =
            read("http://h/mcp", &format!(r#"{head}{{"status":"healthy","serverVersion":"0.1.0"}}"#));
        assert_eq!((healthy.level.as_str(), healthy.finding.contains("0.1.0")), ("ok", true));
        let sick = read("http://h/mcp", &format!(r#"{head}{{"status":"unhealthy","reason":"no Postgres"}}"#));
        assert_eq!((sick.level.as_str(), sick.finding.contains("no Postgres")), ("warn", true));
        for other in ["", "SSH-2.0-x\r\n", "HTTP/1.1 404 Not Found\r\n\r\n<html>", &format!("{head}{{}}")] {
            assert!(read("http://h/mcp", other).finding.contains("not fluxbase"), "{other}");
        }
    }

    #[test]
    fn an_address_for_all_is_asked_on_this_machine() {
        for (listen, asked) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.7:3", "10.0.0.7:3")]
        {
            assert_eq!(reachable(&listen.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn the_settings_are_judged() {
        let load = |text: &str| Config::from_parts(Some((Path::new("x.yaml"), text)), &|_| None);
        let judged = |text: &str| judge(&load(text), Some(Path::new("x.yaml")));
        let levels = |findings: &[Finding]| findings.iter().map(|f| f.level.clone()).collect::<Vec<_>>();
        assert_eq!(levels(&judged("mcp: {enabled: true}")), ["ok"]);
        assert_eq!(levels(&judged("")), ["ok", "warn"]);
        assert_eq!(levels(&judged("mcp: {enabled: true}\nlistener: {deadline: 10s}")), ["ok", "warn"]);
        let wrong = judged("mcp: {allowed_tool: [a]}");
        assert_eq!(levels(&wrong), ["error"]);
        assert!(wrong[0].finding.contains("allowed_tools"), "{wrong:?}");
        let asked = |tool: &str| Asked { table: None, tool: Some(tool.to_owned()) };
        let narrow = load("mcp: {allowed_tools: [list_tables]}");
        assert_eq!(allowed(&narrow, &asked("list_tables")), []);
        assert_eq!(allowed(&narrow, &asked("query_table")).len(), 1);
        assert_eq!(allowed(&narrow, &Asked { table: Some("t".to_owned()), tool: None }).len(), 1);
        assert_eq!(allowed(&load(""), &asked("query_table")), []);
    }
}
