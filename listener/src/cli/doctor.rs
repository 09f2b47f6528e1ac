//! `fluxbase doctor`: settings, the way to Postgres, extension, login, listener, key, and what the database says about itself;
//! `fluxbase doctor access`: why a key sees nothing.
//!
//! What the catalog can tell is SQL (`mcp.doctor`, `mcp.doctor_access`), so that psql can ask it, too. Here is what only a client
//! sees. Each check works without the others as far as it can: without a database the settings are still judged, without an
//! administrator's login the listener's own way is still tried. No key and no password enters a finding.

mod key;
mod place;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use tokio_postgres::Client;

use super::failure::Failure;
use super::finding::{self, Finding};
use super::session::Session;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    /// The settings to judge. Without it ./fluxbase.yaml, if there is one; FLUXBASE_MCP_* variables win over the file.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// A file with a key to try. Without it the key in FLUXBASE_KEY, if there is one.
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Show every finding. Without it at most 20 of one kind.
    #[arg(long)]
    all: bool,
    /// Write JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(Debug, clap::Subcommand)]
enum Question {
    /// Why does this key not see this table, or is not shown this tool?
    Access {
        /// Name or id of the key. Without it the key of --key-file or FLUXBASE_KEY.
        #[arg(long, value_name = "NAME")]
        key_name: Option<String>,
        /// A file with the key itself: then a call with it is tried, too.
        #[arg(long, value_name = "PATH", conflicts_with = "key_name")]
        key_file: Option<PathBuf>,
        /// The table, as a tool call would name it.
        #[arg(long, value_name = "TABLE")]
        table: Option<String>,
        /// The tool, built in or registered.
        #[arg(long, value_name = "TOOL")]
        tool: Option<String>,
        /// The settings whose allow-list counts. Default ./fluxbase.yaml, if there is one.
        #[arg(long, value_name = "PATH")]
        config: Option<PathBuf>,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(options: Options, url: Option<&str>) -> Result<ExitCode, Failure> {
    let (findings, json) = match options.question {
        None => {
            let json = options.json;
            (everything(options, url).await, json)
        }
        Some(Question::Access { key_name, key_file, table, tool, config, json }) => {
            let key = match &key_name {
                None => key::find(key_file.as_deref()),
                Some(_) => None,
            };
            let mut session = Session::open(url).await?;
            let asked = key::Asked { table, tool };
            let findings =
                access(session.client(), key_name, key, &asked, settings::load(config.as_deref())).await?;
            (findings, json)
        }
    };
    Ok(finding::show(&findings, json))
}

async fn everything(options: Options, url: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let loaded = settings::load(options.config.as_deref());
    findings.extend(settings::judge(&loaded, options.config.as_deref()));
    if let Ok(config) = &loaded {
        findings.extend(settings::listening(config).await);
    }
    let key = match key::find(options.key_file.as_deref()) {
        Some(Ok(key)) => Some(key),
        Some(Err(finding)) => {
            findings.push(finding);
            None
        }
        None => None,
    };
    let Some(mut place) = place::reach(url, &mut findings).await else {
        return findings;
    };
    if place.installed {
        if let Ok(config) = &loaded {
            findings.extend(place::connections(&mut place, config).await);
        }
        if place.may_doctor {
            match ask(&place.client, "mcp.doctor($1::bool)", &[&options.all]).await {
                Ok(rows) => findings.extend(rows),
                Err(error) => {
                    findings.push(failed("database", &error));
                    findings.extend(place::library(&place).await);
                }
            }
        } else {
            findings.extend(place::rights(&place));
            findings.extend(place::library(&place).await);
        }
        if let Some(key) = &key {
            findings.extend(key::try_it(&place, loaded.as_ref().ok(), key).await);
        }
    } else if key.is_some() {
        findings.push(Finding::new(
            "info",
            "key",
            "the key was not tried: the extension is not in this database",
        ));
    }
    findings
}

/// What a table function of the extension finds.
async fn ask(
    client: &Client,
    call: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Vec<Finding>, tokio_postgres::Error> {
    let sql = format!("SELECT level::text, topic::text, finding::text, remedy::text FROM {call}");
    let rows = client.query(&sql, parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(Finding {
                level: row.try_get::<_, Option<_>>(0)?.unwrap_or_default(),
                topic: row.try_get::<_, Option<_>>(1)?.unwrap_or_default(),
                finding: row.try_get::<_, Option<_>>(2)?.unwrap_or_default(),
                remedy: row.try_get(3)?,
            })
        })
        .collect()
}

/// A check that Postgres did not let through.
fn failed(topic: &str, error: &tokio_postgres::Error) -> Finding {
    let hint = error.as_db_error().and_then(|db| db.hint()).map(str::to_owned);
    let finding = Finding::new("error", topic, crate::connection::reason(error));
    Finding { remedy: hint, ..finding }
}

async fn access(
    client: &Client,
    name: Option<String>,
    key: Option<Result<fluxbase_credential::Key, Finding>>,
    asked: &key::Asked,
    config: Result<crate::Config, crate::config::ConfigError>,
) -> Result<Vec<Finding>, Failure> {
    let key = match key {
        Some(Ok(key)) => Some(key),
        Some(Err(finding)) => return Ok(vec![finding]),
        None => None,
    };
    let Some(name) = name.or_else(|| key.as_ref().map(|key| key.id().to_owned())) else {
        return Err(Failure::new("no key is named")
            .hint("Name one with --key-name, or give the key itself with --key-file or FLUXBASE_KEY."));
    };
    let call = "mcp.doctor_access($1::text, $2::text, $3::text)";
    let mut findings = Vec::new();
    match ask(client, call, &[&name, &asked.table, &asked.tool]).await {
        Ok(rows) => findings.extend(rows),
        // Whoever has the key may try it without being an administrator.
        Err(error) if key.is_some() && error.code().is_some_and(|code| code.code() == "42501") => findings
            .push(Finding::new(
                "info",
                "key",
                "this login may not run mcp.doctor_access: only the call is tried",
            )),
        Err(error) if key.is_some() && error.code().is_some_and(|code| code.code() == "P0002") => {
            findings.push(
                Finding::new("error", "key", format!("no key in this database has the id {name}"))
                    .remedy("It may be of another database, or its row is gone: fluxbase clientkeys list"),
            );
        }
        Err(error) => return Err(error.into()),
    }
    findings.extend(settings::allowed(&config, asked));
    if let Some(key) = &key {
        findings.extend(key::call(client, config.as_ref().ok(), key, asked).await);
    }
    Ok(findings)
}
