//! `fluxbase stdio`: one client, on standard input and output.
//!
//! The key comes from the environment or a file, never from an argument, which every user of the machine could read.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fluxbase_credential::Key;

use super::failure::Failure;
use super::serve::stop_signal;
use crate::config::Config;
use crate::stdio::{Refused, Server};
use crate::{Target, logging};

/// The variable with the key.
const VARIABLE: &str = "FLUXBASE_KEY";
/// Most bytes of a key file that are read: a key has 72 characters.
const KEY_FILE: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The settings. Without it ./fluxbase.yaml, if there is one; FLUXBASE_MCP_* variables win over the file.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// A file with the key and nothing else. Without it the key is the value of FLUXBASE_KEY.
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
}

pub(super) async fn run(options: Options, url: Option<&str>) -> Result<ExitCode, Failure> {
    let config = Config::load(options.config.as_deref()).map_err(|error| Failure::new(error.to_string()))?;
    logging::start(config.listener.log);
    let key = key(options.key_file.as_deref(), std::env::var(VARIABLE).ok().as_deref())?;
    let target = Target::find(url).map_err(|error| Failure::new(error.to_string()))?;
    let stop = stop_signal().map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
    let server = Server::new(config, target, &key);
    server.check().await.map_err(refused)?;
    tracing::info!("serving MCP on standard input and output");
    server.run(std::io::stdin(), std::io::stdout(), stop).await;
    Ok(ExitCode::SUCCESS)
}

fn refused(why: Refused) -> Failure {
    match why {
        Refused::Answer(401, message) => Failure::new(message).hint(format!(
            "Put a key of this database into {VARIABLE} or the key file. List them with: fluxbase clientkeys list"
        )),
        Refused::Answer(_, message) | Refused::Failure(message) => Failure::new(message)
            .hint("The database is found by --database-url, FLUXBASE_DATABASE_URL or the PG* variables; fluxbase doctor looks for what is wrong."),
    }
}

/// The key of the file, else of the variable's value.
fn key(file: Option<&Path>, variable: Option<&str>) -> Result<Key, Failure> {
    let how = format!(
        "Set {VARIABLE}=fbk_… in the environment that the host gives to this program, or name a file with --key-file. A key is \
         made with: fluxbase clientkeys create --name NAME --scopes SCOPES"
    );
    let (place, text) = match (file, variable) {
        (Some(path), _) => (format!("the file {}", path.display()), read(path)?),
        (None, Some(text)) => (VARIABLE.to_owned(), text.to_owned()),
        (None, None) => return Err(Failure::new("there is no key").hint(how)),
    };
    // The text of a key error holds nothing of the key.
    Key::parse(text.trim())
        .map_err(|error| Failure::new(format!("the key in {place} is not usable: {error}")).hint(how))
}

fn read(path: &Path) -> Result<String, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::new(format!("cannot read the key file {}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(unreadable)?.permissions());
    if mode & 0o077 != 0 {
        tracing::warn!("the key file {} can be read by other users. Run: chmod 600 on it", path.display());
    }
    let mut bytes = Vec::new();
    file.take(KEY_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    // What is no text is no key either, and told so.
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use fluxbase_credential::Kind;

    use super::*;

    #[test]
    fn the_file_wins_over_the_variable() {
        let [one, two] = [Kind::Client, Kind::Service].map(|kind| Key::generate(kind).expect("a key"));
        let path = std::env::temp_dir().join(format!("fluxbase-key-{}", std::process::id()));
        std::fs::write(&path, format!("{}\n", two.reveal())).expect("a file");
        let (of_variable, of_file) = (key(None, Some(&one.reveal())), key(Some(&path), Some(&one.reveal())));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(of_variable.expect("a key").id(), one.id());
        assert_eq!(of_file.expect("a key").id(), two.id());
    }

    #[test]
    fn without_a_key_it_says_how_to_give_one_and_never_shows_it() {
        let none = key(None, None).unwrap_err().to_string();
        assert!(none.contains("FLUXBASE_KEY=fbk_") && none.contains("--key-file"), "{none}");
        let cut = &Key::generate(Kind::Client).expect("a key").reveal()[..60];
        let wrong = key(None, Some(cut)).unwrap_err().to_string();
        assert!(wrong.contains("the key in FLUXBASE_KEY") && !wrong.contains(&cut[5..20]), "{wrong}");
        let missing = key(Some(Path::new("/nowhere/key")), None).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/key"), "{missing}");
    }
}
