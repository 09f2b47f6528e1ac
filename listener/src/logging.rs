//! Logs: one line for each event, for persons or as JSON, on standard error.
//!
//! What is logged is chosen field by field where it happens. Nothing is bridged from the `log` crate: tokio-postgres
//! writes statement parameters through it, and notices of users' functions, which may hold rows.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. `RUST_LOG` narrows or widens it; the default is `info`. A second call changes nothing.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start happens when a test starts two listeners in one process.
    let _ = match format {
        LogFormat::Human => {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(terminal).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
}
