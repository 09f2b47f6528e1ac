//! `fluxbase functions secrets`: set, list, remove. Thin calls of SQL functions.
//!
//! A value comes from standard input and goes as a parameter of a statement: it is in no list of processes and in no history of a shell.
//! Where this login may say so, the server does not log parameters of this session.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::{print, table};

/// Most bytes that are read, the end of the line included: as many as the table takes.
const LONGEST: u64 = 32 * 1024 + 2;
const SET: &str = "SELECT mcp.set_function_secret($1::text, $2::text, $3::text)";
const REMOVE: &str = "SELECT mcp.remove_function_secret($1::text, $2::text)";
const LIST: &str = "SELECT scope, coalesce(namespace, '-'), name, to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') \
    FROM functions.secrets ORDER BY namespace NULLS FIRST, name";
const LIST_JSON: &str = "SELECT coalesce(json_agg(s), '[]')::text FROM (SELECT scope, namespace, name, updated_at FROM functions.secrets \
    ORDER BY namespace NULLS FIRST, name) AS s";
/// A statement that is logged, for its time or its error, would be logged with its parameters.
const UNLOGGED: [&str; 2] = ["SET log_parameter_max_length = 0", "SET log_parameter_max_length_on_error = 0"];

#[derive(Debug, clap::Subcommand)]
pub(in super::super) enum Action {
    /// Set or change a secret. The value is read from standard input, without the end of its last line.
    Set {
        /// Its name: functions get it as FLUXBASE_SECRET_NAME.
        #[arg(value_name = "NAME")]
        name: String,
        /// The namespace whose functions get it. Without it all functions do.
        #[arg(long, value_name = "NAMESPACE")]
        namespace: Option<String>,
    },
    /// Show which secrets there are. Values are not shown.
    List {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a secret.
    Remove {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        /// Its namespace. Without it the one of all functions is removed.
        #[arg(long, value_name = "NAMESPACE")]
        namespace: Option<String>,
    },
}

pub(super) async fn run(action: Action, url: Option<&str>) -> Result<ExitCode, Failure> {
    match action {
        Action::Set { name, namespace } => {
            let value = value()?;
            let mut session = Session::open(url).await?;
            for statement in UNLOGGED {
                // Only superusers may; others are protected by what the server's administrator set.
                let _ = session.client().batch_execute(statement).await;
            }
            let done: String =
                session.client().query_one(SET, &[&name, &value, &namespace]).await?.try_get(0)?;
            print(&done);
        }
        Action::List { json: true } => {
            let text: String =
                Session::open(url).await?.client().query_one(LIST_JSON, &[]).await?.try_get(0)?;
            print(&text);
        }
        Action::List { json: false } => {
            let rows = Session::open(url).await?.client().query(LIST, &[]).await?;
            let cells = |row: &tokio_postgres::Row| (0..4).map(|at| row.try_get(at)).collect();
            let rows = rows.iter().map(cells).collect::<Result<Vec<Vec<String>>, _>>()?;
            print(&table::render(&["SCOPE", "NAMESPACE", "NAME", "CHANGED (UTC)"], &rows));
        }
        Action::Remove { name, namespace } => {
            let mut session = Session::open(url).await?;
            let done: String = session.client().query_one(REMOVE, &[&name, &namespace]).await?.try_get(0)?;
            print(&done);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn value() -> Result<String, Failure> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("The value, then Ctrl-D:");
    }
    let mut bytes = Vec::new();
    let read = input.lock().take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(format!("cannot read the value: {error}")))?;
    let mut value = String::from_utf8(bytes).map_err(|_| {
        Failure::new("the value is not UTF-8. Nothing was changed").hint("Encode it, as base64 for example.")
    })?;
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    match value.is_empty() {
        false => Ok(value),
        true => Err(Failure::new("there is no value. Nothing was changed")
            .hint("Give it on standard input: fluxbase functions secrets set NAME <file")),
    }
}
