//! `fluxbase doctor`: what the database says about itself, and why a key sees nothing.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::failure::Failure;
use super::session::Session;
use super::{print, table};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    /// Write JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(Debug, clap::Subcommand)]
enum Question {
    /// Why does this key not see this table?
    Access {
        /// Name or id of the key.
        #[arg(long, value_name = "NAME")]
        key_name: String,
        /// The table, as a tool call would name it.
        #[arg(long, value_name = "TABLE")]
        table: String,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

struct Finding {
    level: String,
    topic: String,
    finding: String,
    remedy: Option<String>,
}

pub(super) async fn run(options: Options, url: Option<&str>) -> Result<ExitCode, Failure> {
    let mut session = Session::open(url).await?;
    let client = session.client();
    const COLUMNS: &str = "SELECT level::text, topic::text, finding::text, remedy::text FROM";
    let (rows, json) = match options.question {
        None => (client.query(&format!("{COLUMNS} mcp.doctor()"), &[]).await?, options.json),
        Some(Question::Access { key_name, table, json }) => {
            let sql = format!("{COLUMNS} mcp.doctor_access($1::text, $2::text)");
            (client.query(&sql, &[&key_name, &table]).await?, json)
        }
    };
    let findings = rows
        .iter()
        .map(|row| {
            Ok(Finding {
                level: row.try_get::<_, Option<_>>(0)?.unwrap_or_default(),
                topic: row.try_get::<_, Option<_>>(1)?.unwrap_or_default(),
                finding: row.try_get::<_, Option<_>>(2)?.unwrap_or_default(),
                remedy: row.try_get(3)?,
            })
        })
        .collect::<Result<Vec<_>, tokio_postgres::Error>>()?;
    print(&if json { as_json(&findings).to_string() } else { as_text(&findings) });
    let wrong = findings.iter().any(|finding| finding.level == "error");
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_json(findings: &[Finding]) -> Value {
    findings
        .iter()
        .map(|f| json!({ "level": f.level, "topic": f.topic, "finding": f.finding, "remedy": f.remedy }))
        .collect()
}

/// One aligned line for each finding; the remedy stands below it. Errors come last, where the eye is.
fn as_text(findings: &[Finding]) -> String {
    let weight = |finding: &Finding| match finding.level.as_str() {
        "ok" => 0,
        "warn" => 1,
        _ => 2,
    };
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| weight(finding));
    let mut rows = Vec::new();
    for finding in sorted {
        rows.push(vec![finding.level.clone(), finding.topic.clone(), finding.finding.clone()]);
        if let Some(remedy) = finding.remedy.as_deref().filter(|text| !text.is_empty()) {
            rows.push(vec![String::new(), String::new(), format!("-> {remedy}")]);
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let table = table::render(&["LEVEL", "TOPIC", "FINDING"], &rows);
    format!("{table}\n{} errors, {} warnings, {} fine.\n", count("error"), count("warn"), count("ok"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_last_with_their_remedy() {
        let finding = |level: &str, remedy: Option<&str>| Finding {
            level: level.to_owned(),
            topic: "roles".to_owned(),
            finding: format!("it is {level}"),
            remedy: remedy.map(str::to_owned),
        };
        let text = as_text(&[finding("error", Some("mend it")), finding("ok", None)]);
        assert_eq!(
            text,
            "LEVEL  TOPIC  FINDING\nok     roles  it is ok\nerror  roles  it is error\n              -> mend it\n\n1 errors, \
             0 warnings, 1 fine.\n"
        );
    }
}
