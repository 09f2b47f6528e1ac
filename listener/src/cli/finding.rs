//! What a command that looks for faults has found, and how it is shown: the same for `doctor` and `serve --check`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{print, table};

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// `ok`, `info`, `warn` or `error`.
    pub(super) level: String,
    pub(super) topic: String,
    pub(super) finding: String,
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn new(level: &str, topic: &str, finding: impl Into<String>) -> Finding {
        Finding { level: level.to_owned(), topic: topic.to_owned(), finding: finding.into(), remedy: None }
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Finding {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Prints what was found. Exit code 1 when something is an error.
pub(super) fn show(findings: &[Finding], json: bool) -> ExitCode {
    print(&if json { as_json(findings).to_string() } else { as_text(findings) });
    let wrong = findings.iter().any(|finding| finding.level == "error");
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
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
        "info" => 1,
        "warn" => 2,
        _ => 3,
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
    format!(
        "{table}\n{} errors, {} warnings, {} notes, {} fine.\n",
        count("error"),
        count("warn"),
        count("info"),
        count("ok")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_last_with_their_remedy() {
        let finding = |level: &str| Finding::new(level, "roles", format!("it is {level}"));
        let text = as_text(&[finding("error").remedy("mend it"), finding("info"), finding("ok")]);
        assert_eq!(
            text,
            "LEVEL  TOPIC  FINDING\nok     roles  it is ok\ninfo   roles  it is info\nerror  roles  it is error\n              \
             -> mend it\n\n1 errors, 0 warnings, 1 notes, 1 fine.\n"
        );
    }
}
