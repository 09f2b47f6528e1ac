//! `fluxbase init`: everything that an existing database needs, in one transaction, each step told.
//!
//! It may be run again: what is there stays, and the listener's password is changed only when asked for. The password
//! is made here; Postgres gets its SCRAM verifier, so that no log of statements can hold it.

use std::process::ExitCode;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::failure::Failure;
use super::session::Session;
use super::{print, table};
use crate::connection::Connection;
use crate::database::Target;

const EXTENSION: &str = "fluxbase_mcp_ext";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Name of the login role that the listener uses.
    #[arg(long, value_name = "ROLE", default_value = "fluxbase_listener")]
    listener_role: String,
    /// Give the listener's role a new password, although it exists. Running listeners then need the new one.
    #[arg(long)]
    new_password: bool,
    /// Parts to install beside auth, separated by commas: storage, functions, rpc, jobs, ai, audit.
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    parts: Vec<String>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

struct Step {
    name: String,
    lines: Vec<String>,
}

pub(super) async fn run(options: Options, url: Option<&str>) -> Result<ExitCode, Failure> {
    let mut session = Session::open(url).await?;
    let role = options.listener_role.as_str();
    let target = session.target.clone();
    let transaction = session.client().transaction().await?;

    let known =
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1::text), current_database()::text";
    let row = transaction.query_one(known, &[&role]).await?;
    let (exists, database): (bool, String) = (row.try_get(0)?, row.try_get(1)?);
    let password = if exists && !options.new_password { None } else { Some(new_password()?) };
    let verifier = password.as_ref().map(|text| postgres_protocol::password::scram_sha_256(text.as_bytes()));

    let mut steps = vec![extension(&transaction).await?];
    let rows = transaction.query("SELECT line::text FROM mcp.setup_roles() AS line", &[]).await?;
    steps.push(step("mcp.setup_roles()", &rows)?);
    let mut parts = vec!["auth".to_owned()];
    parts.extend(options.parts.into_iter().filter(|part| part != "auth"));
    let rows = transaction.query("SELECT line::text FROM mcp.install($1::text[]) AS line", &[&parts]).await?;
    steps.push(step(&format!("mcp.install('{{{}}}')", parts.join(",")), &rows)?);
    let rows = transaction
        .query("SELECT line::text FROM mcp.setup_listener($1::text, $2::text) AS line", &[&role, &verifier])
        .await?;
    steps.push(step(&format!("mcp.setup_listener('{role}')"), &rows)?);
    transaction.commit().await?;

    let login = target.url_for(role, password.as_deref(), &database);
    let trouble = match &password {
        Some(_) => try_login(&login).await,
        None => None,
    };
    if options.json {
        print(&as_json(&steps, role, &login, password.is_some(), trouble.as_deref()).to_string());
    } else {
        print(&as_text(&steps, role, &login, password.is_some(), trouble.as_deref()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn extension(transaction: &Transaction<'_>) -> Result<Step, Failure> {
    let version = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = $1::text";
    let before = transaction.query_opt(version, &[&EXTENSION]).await?;
    if before.is_none() {
        let sql = format!("CREATE EXTENSION {EXTENSION}");
        transaction.batch_execute(&sql).await.map_err(|error| match error.code().map(|code| code.code()) {
            // No control file; with an own hint, since Postgres gives none. What the extension's script raises has its own.
            Some("0A000" | "58P01") if !raised(&error) => Failure::from(error).hint(
                "The extension's files are not installed in this Postgres. On the database server run: make install \
                 PG_CONFIG=/path/to/pg_config",
            ),
            _ => Failure::from(error),
        })?;
    }
    let row = transaction.query_one(version, &[&EXTENSION]).await?;
    let version: String = row.try_get(0)?;
    let line = match before {
        Some(_) => format!("version {version} is there already"),
        None => format!("created, version {version}"),
    };
    Ok(Step { name: format!("CREATE EXTENSION {EXTENSION}"), lines: vec![line] })
}

/// Whether a statement of plpgsql's has raised it.
fn raised(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().and_then(|db| db.routine()) == Some("exec_stmt_raise")
}

fn step(name: &str, rows: &[tokio_postgres::Row]) -> Result<Step, Failure> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend(row.try_get::<_, Option<String>>(0)?.filter(|line| !line.is_empty()));
    }
    Ok(Step { name: name.to_owned(), lines })
}

/// 256 random bits, in characters that need no quoting anywhere.
fn new_password() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("this machine has no random numbers to give: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether the new login works, as the listener would try it. The trouble is mostly pg_hba.conf.
async fn try_login(url: &str) -> Option<String> {
    let target = Target::find(Some(url)).map_err(|error| error.to_string());
    match target {
        Ok(target) => Connection::open(&Arc::new(target)).await.err().map(|error| error.to_string()),
        Err(error) => Some(error),
    }
}

fn as_json(steps: &[Step], role: &str, login: &str, fresh: bool, trouble: Option<&str>) -> Value {
    let steps: Vec<Value> =
        steps.iter().map(|step| json!({ "step": step.name, "lines": step.lines })).collect();
    json!({
        "steps": steps,
        "listener": { "role": role, "database_url": login, "password_is_new": fresh, "login_error": trouble },
    })
}

fn as_text(steps: &[Step], role: &str, login: &str, fresh: bool, trouble: Option<&str>) -> String {
    let mut out = String::new();
    for step in steps {
        out.push_str(&format!("{}\n", table::plain(&step.name)));
        for line in &step.lines {
            out.push_str(&format!("  {}\n", table::plain(line)));
        }
    }
    out.push_str("\nDone.\n\n");
    if fresh {
        out.push_str(&format!(
            "The listener's connection, with its password, which is shown only now:\n\n  {login}\n\n"
        ));
    } else {
        out.push_str(&format!(
            "The role {role} was there before and keeps its password (--new-password changes it):\n\n  {login}\n\n"
        ));
    }
    if let Some(trouble) = trouble {
        out.push_str(&format!(
            "This login does not work yet: {trouble}\nMost likely pg_hba.conf needs a line for it, such as:\n  host  all  \
             {role}  127.0.0.1/32  scram-sha-256\n\n"
        ));
    }
    out.push_str(&format!(
        "Next:\n\
         1. Start the listener:\n     FLUXBASE_MCP_ENABLED=true FLUXBASE_DATABASE_URL='{login}' fluxbase serve\n\
         2. Let keys reach a table, in SQL:\n     SELECT mcp.expose('public.your_table');\n\
         3. Make a key:\n     fluxbase clientkeys create --name \"AI Assistant\" --scopes \"read:tables\"\n\
         4. See whether all is well:\n     fluxbase doctor\n"
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_need_no_quoting() {
        let (one, two) = (new_password().unwrap(), new_password().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert!(
            postgres_protocol::password::scram_sha_256(one.as_bytes()).starts_with("SCRAM-SHA-256$4096:")
        );
    }

    #[test]
    fn the_report_tells_each_step_and_the_way_on() {
        let steps = [Step { name: "mcp.install('{auth}')".into(), lines: vec!["created auth.uid()".into()] }];
        let text = as_text(&steps, "l", "postgres://l:x@h:1/d", true, Some("no pg_hba.conf entry"));
        assert!(text.contains("mcp.install('{auth}')\n  created auth.uid()\n"), "{text}");
        assert!(text.contains("fluxbase serve") && text.contains("scram-sha-256"), "{text}");
    }
}
