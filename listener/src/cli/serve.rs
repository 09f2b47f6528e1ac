//! `fluxbase serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use crate::config::Config;
use crate::{Listener, Target, logging, run};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The settings. Without it ./fluxbase.yaml, if there is one; FLUXBASE_MCP_* variables win over the file.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Address to listen on, instead of those in the settings. May be given several times.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// List and run only tools that read, whatever the settings say.
    #[arg(long)]
    read_only: bool,
}

pub(super) async fn serve(options: Options, url: Option<&str>) -> Result<ExitCode, Failure> {
    let mut config =
        Config::load(options.config.as_deref()).map_err(|error| Failure::new(error.to_string()))?;
    if !options.listen.is_empty() {
        config.listener.listen = options.listen;
        config.listener.listen_given = true;
    }
    config.listener.read_only |= options.read_only;
    if !config.mcp.enabled {
        return Err(Failure::new("MCP is not enabled, so there is nothing to serve")
            .hint("Write mcp.enabled: true into fluxbase.yaml, or set FLUXBASE_MCP_ENABLED=true."));
    }
    let target = Target::find(url)
        .and_then(|target| target.with_standbys(&config.listener.replica_urls.0))
        .map_err(|error| Failure::new(error.to_string()))?;
    logging::start(config.listener.log);
    if config.mcp.session_timeout_given {
        tracing::info!(
            "mcp.session_timeout is accepted and has no effect yet: nothing lives between two requests"
        );
    }
    if config.listener.deadline <= config.listener.statement_timeout {
        tracing::warn!(
            "listener.deadline is not longer than listener.statement_timeout: calls will end at the deadline, with less \
             to tell about them"
        );
    }
    let base_path = config.mcp.base_path.clone();
    let listener = Listener::bind(config, target).await.map_err(|error| {
        Failure::new(error.to_string())
            .hint("Is another fluxbase running? Choose other addresses with --listen or listener.listen.")
    })?;
    let stop = stop_signal().map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
    for address in listener.addresses() {
        tracing::info!("serving MCP at http://{address}{base_path}");
    }
    run(listener, stop).await;
    Ok(ExitCode::SUCCESS)
}

/// Completes at SIGTERM or SIGINT. A second signal ends the process at once.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
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
