//! The command line: `serve`, `stdio`, `clientkeys`, `servicekeys`, `init`, `doctor`, `functions`.
//!
//! Everything except `serve`, `stdio` and `functions` is a thin call of SQL functions, so that psql can do the same. Results go to standard
//! output, errors with a hint to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod check;
mod doctor;
mod failure;
mod finding;
mod functions;
mod init;
mod keys;
mod serve;
mod session;
mod stdio;
mod table;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fluxbase_credential::Kind;

use failure::Failure;

use crate::systemd::Inherited;

/// Postgres for AI assistants: the listener of fluxbase_mcp_ext and its tools.
#[derive(Debug, Parser)]
#[command(name = "fluxbase", version, max_term_width = 100)]
struct Arguments {
    /// Where Postgres is, as postgres://user:password@host:5432/database. Without it: FLUXBASE_DATABASE_URL, then the
    /// PG* variables.
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve MCP over HTTP.
    Serve(serve::Options),
    /// Serve MCP on standard input and output, for hosts that only start local programs.
    Stdio(stdio::Options),
    /// Keys for assistants: they act as a database role, under row-level security.
    Clientkeys {
        #[command(subcommand)]
        action: keys::Action,
    },
    /// Keys for trusted programs: they bypass row-level security.
    Servicekeys {
        #[command(subcommand)]
        action: keys::Action,
    },
    /// Set up an existing database: extension, roles, the listener's login.
    Init(init::Options),
    /// Look for what is wrong, and say how to mend it.
    Doctor(doctor::Options),
    /// A runtime for edge functions.
    Functions {
        #[command(subcommand)]
        action: functions::Action,
    },
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    if let Command::Functions { action } = &arguments.command
        && let Some(code) = functions::child(action)
    {
        return code;
    }
    // Before there are threads: the sockets' variables are taken out of the environment.
    let inherited = match &arguments.command {
        Command::Serve(_) => match Inherited::take() {
            Ok(inherited) => inherited,
            Err(error) => return Failure::new(format!("cannot take systemd's sockets: {error}")).report(),
        },
        _ => Inherited::default(),
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        runtime.worker_threads(threads());
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("cannot start: {error}")).report(),
    };
    let outcome = runtime.block_on(dispatch(arguments, inherited));
    crate::logging::flush();
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// One thread for every two processors: the others belong to Postgres, which has twice as much to do for a call. A thread that takes an answer
/// wakes the next one to look for more, which on a busy machine costs each call two changes of tasks and finds nothing
/// (docs/decisions/0016). `TOKIO_WORKER_THREADS` says otherwise.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

async fn dispatch(arguments: Arguments, inherited: Inherited) -> Result<ExitCode, Failure> {
    let url = arguments.database_url.as_deref();
    match arguments.command {
        Command::Serve(options) => serve::serve(options, url, inherited).await,
        Command::Stdio(options) => stdio::run(options, url).await,
        Command::Clientkeys { action } => keys::run(Kind::Client, action, url).await,
        Command::Servicekeys { action } => keys::run(Kind::Service, action, url).await,
        Command::Init(options) => init::run(options, url).await,
        Command::Doctor(options) => doctor::run(options, url).await,
        Command::Functions { action } => functions::run(action, url).await,
    }
}

/// Writes a result. A reader that has gone (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") };
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_documented_line_is_understood_letter_for_letter() {
        let line = [
            "fluxbase",
            "clientkeys",
            "create",
            "--name",
            "AI Assistant",
            "--scopes",
            "read:tables,write:tables,execute:functions",
        ];
        assert!(Arguments::try_parse_from(line).is_ok());
        for line in [
            "fluxbase servicekeys create --name s --json --expires 30d --rate-limit 10 --set a.b=c --set d=e=f",
            "fluxbase clientkeys list --json --database-url postgres://h/d",
            "fluxbase clientkeys revoke 0123456789abcdef",
            "fluxbase clientkeys rotate x --grace 1h",
            "fluxbase --database-url postgres://h/d doctor access --key-name n --table t",
            "fluxbase doctor --json",
            "fluxbase init --json",
            "fluxbase serve --config x.yaml --listen 127.0.0.1:0 --listen unix:/run/fluxbase/mcp.sock",
            "fluxbase serve --check --json",
            "fluxbase functions serve dir --listen unix:/run/f.sock --deno /d --secret-file s --max-processes 4",
            "fluxbase functions new hello dir",
            "fluxbase functions serve dir --secrets-from-database --database-url postgres://h/d",
            "fluxbase functions secrets set API_KEY --namespace team",
            "fluxbase functions secrets list --json",
            "fluxbase functions secrets remove API_KEY",
            "fluxbase stdio --config x.yaml --key-file key --database-url postgres://h/d",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "fluxbase",
            "fluxbase serve --json",
            "fluxbase functions serve dir --no-verify --secret-file s",
            "fluxbase functions serve dir --max-processes 0",
            "fluxbase functions secrets set API_KEY value",
            "fluxbase serve --listen unix:relative",
            "fluxbase clientkeys create",
            "fluxbase clientkeys create --name a --expires soon",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
