//! `fluxbase serve`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::check;
use super::failure::Failure;
use crate::certificate::Certificate;
use crate::config::{Config, Listen};
use crate::systemd::{self, Inherited};
use crate::{Listener, Target, logging, run};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The settings. Without it ./fluxbase.yaml, if there is one; FLUXBASE_MCP_* variables win over the file.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Address to listen on, or unix:/path, instead of those in the settings. May be given several times.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<Listen>,
    /// Look whether it could serve: settings, files, certificate, database. Binds nothing, and exits with 0 or 1.
    #[arg(long)]
    check: bool,
    /// Write the findings of --check as JSON.
    #[arg(long, requires = "check")]
    json: bool,
    /// List and run only tools that read, whatever the settings say.
    #[arg(long)]
    read_only: bool,
}

pub(super) async fn serve(
    options: Options,
    url: Option<&str>,
    inherited: Inherited,
) -> Result<ExitCode, Failure> {
    let loaded = Config::load(options.config.as_deref()).map(|mut config| {
        if !options.listen.is_empty() {
            config.listener.listen = options.listen;
            config.listener.listen_given = true;
        }
        config
    });
    if options.check {
        return Ok(check::run(loaded, url, options.json).await);
    }
    let mut config = loaded.map_err(|error| Failure::new(error.to_string()))?;
    config.listener.read_only |= options.read_only;
    if !config.mcp.enabled {
        return Err(Failure::new("MCP is not enabled, so there is nothing to serve").hint(check::NOT_ENABLED));
    }
    let target = Target::find(url)
        .and_then(|target| target.with_standbys(&config.listener.replica_urls.0))
        .map_err(|error| Failure::new(error.to_string()))?;
    logging::start(config.listener.log);
    if let Some(short) = check::short_deadline(&config) {
        tracing::warn!("{short}");
    }
    if config.listener.listen_given && !inherited.sockets.is_empty() {
        tracing::info!("systemd has given the sockets: listener.listen is not used");
    }
    let listener = Listener::bind(config, target, inherited).await.map_err(|error| {
        Failure::new(error.to_string()).hint(match error {
            crate::server::StartError::Certificate(_) => {
                "fluxbase serve --check looks at all settings and files."
            }
            _ => "Is another fluxbase running? Choose other addresses with --listen or listener.listen.",
        })
    })?;
    let no_signals = |error| Failure::new(format!("cannot wait for signals: {error}"));
    let stop = stop_signal().map_err(no_signals)?;
    let urls = listener.urls();
    for url in &urls {
        tracing::info!("serving MCP at {url}");
    }
    if let Some(address) = listener.metrics() {
        tracing::info!("serving metrics at {address}, path /metrics");
    }
    let status = format!("serving MCP at {}", urls.join(", "));
    reload_on_signal(listener.certificate(), status.clone()).map_err(no_signals)?;
    systemd::ready(&status);
    systemd::watch();
    run(listener, stop).await;
    Ok(ExitCode::SUCCESS)
}

/// Reads the certificate anew at each SIGHUP. Settings are read at the start only.
fn reload_on_signal(certificate: Option<Arc<Certificate>>, status: String) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            systemd::reloading();
            match certificate.as_ref().map(|certificate| certificate.reload()) {
                Some(Ok(())) => tracing::info!("the certificate was read anew; new connections get it"),
                Some(Err(reason)) => tracing::error!(reason, "the certificate in use stays"),
                None => tracing::info!(
                    "SIGHUP reads the certificate anew, and there is none; settings are read at the start"
                ),
            }
            systemd::ready(&status);
        }
    });
    Ok(())
}

/// Completes at SIGTERM or SIGINT. A second signal ends the process at once.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        systemd::stopping();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            logging::flush();
            std::process::exit(1);
        });
    })
}
