//! Keys, made by the real command line; and every secret that was ever made, to look for in logs.

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::cluster::run;
use crate::settings::settings;

/// A key and the header it is sent in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The public id.
    pub id: String,
    /// The plain key.
    pub plain: String,
    /// `X-Client-Key` or `X-Service-Key`.
    pub header: &'static str,
}

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Key {
    /// Reads a plain key and remembers its secrets.
    pub fn of(plain: &str) -> Key {
        let parsed = fluxbase_credential::Key::parse(plain).expect("a key of the documented form");
        let (_, h1) =
            parsed.credential().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("h1");
        let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.extend([plain.to_owned(), plain[21..64].to_owned(), h1]);
        let header = match parsed.kind() {
            fluxbase_credential::Kind::Client => "X-Client-Key",
            fluxbase_credential::Kind::Service => "X-Service-Key",
        };
        Key { id: parsed.id().to_owned(), plain: plain.to_owned(), header }
    }

    /// What the listener sends in its place: kind, id and h1.
    pub fn credential(&self) -> String {
        fluxbase_credential::Key::parse(&self.plain).expect("a key").credential()
    }

    /// The header with its value.
    pub fn pair(&self) -> (&'static str, &str) {
        (self.header, &self.plain)
    }
}

/// Secrets of any key of this process that stand in `text`: whole keys, their secret parts, their h1.
pub fn secrets_in(text: &str) -> Vec<String> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    secrets.into_iter().filter(|secret| text.contains(secret.as_str())).collect()
}

/// The command line of the program under test for a database.
pub fn cli(url: &str, arguments: &[&str]) -> Command {
    let mut command = settings().fluxbase();
    command.env("FLUXBASE_DATABASE_URL", url).args(arguments);
    command
}

/// Runs the command line and gives what it wrote and how it ended.
pub fn cli_output(url: &str, arguments: &[&str]) -> Output {
    cli(url, arguments).output().expect("fluxbase starts")
}

/// Makes a key: `kind` is `clientkeys` or `servicekeys`.
pub fn create_key(url: &str, kind: &str, arguments: &[&str]) -> Key {
    let mut all = vec![kind, "create", "--json"];
    all.extend(arguments);
    let told: Value = serde_json::from_str(&run(&mut cli(url, &all))).expect("--json writes JSON");
    Key::of(told["key"].as_str().expect("the key is shown"))
}
