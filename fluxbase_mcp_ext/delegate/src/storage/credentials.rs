//! The keys of an S3 account: read from a file that its owner alone may read, or from the environment of the server.
//!
//! Invariants: no error and no debug output holds a part of a key; a file that others may read or change is refused.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Largest file that is read.
const LARGEST: u64 = 64 * 1024;

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its id.
    pub key_id: String,
    /// The key itself.
    pub secret: String,
    /// The token of a temporary key.
    pub token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Those of the file, or of the environment when no file is named: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary
    /// keys, `AWS_SESSION_TOKEN`.
    ///
    /// # Errors
    /// Why there are none, and what to do.
    pub fn find(file: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Credentials, String> {
        if !file.is_empty() {
            return Self::read(Path::new(file)).map_err(|why| format!("mcp.storage_credentials_file: {why}"));
        }
        let value = |name: &str| environment(name).filter(|value| !value.is_empty());
        match (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY")) {
            (Some(key_id), Some(secret)) => {
                Ok(Credentials { key_id, secret, token: value("AWS_SESSION_TOKEN") })
            }
            _ => Err("S3 needs a key: set mcp.storage_credentials_file, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in \
                      the environment that Postgres is started with"
                .to_owned()),
        }
    }

    fn read(path: &Path) -> Result<Credentials, String> {
        if !path.is_absolute() {
            return Err("must be an absolute path".to_owned());
        }
        let words = |error: std::io::Error| crate::outgoing::words(&error);
        let file = File::open(path).map_err(words)?;
        let found = file.metadata().map_err(words)?;
        if !found.is_file() {
            return Err("is no file".to_owned());
        }
        // As Postgres wants it of the key of its TLS certificate.
        let others = if found.uid() == 0 { 0o037 } else { 0o077 };
        if found.mode() & others != 0 {
            return Err("may be read or changed by others: chmod 0600 it (0640 if root owns it)".to_owned());
        }
        if found.len() > LARGEST {
            return Err(format!("has more than {LARGEST} bytes"));
        }
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).map_err(|_| "is no text".to_owned())?;
        Self::parse(&text)
    }

    /// What `~/.aws/credentials` looks like: the section `[default]`, or lines before any section. Other sections and other names are
    /// passed over, since other programs use the file as well.
    ///
    /// # Errors
    /// The number of a line that is none, or the name that is missing.
    pub fn parse(text: &str) -> Result<Credentials, String> {
        let (mut ours, mut values) = (true, [const { None::<String> }; 3]);
        for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line.trim())) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                let name = name
                    .strip_suffix(']')
                    .ok_or_else(|| format!("line {number}: the name of a section ends with ]"))?;
                ours = name.trim() == "default";
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err(format!("line {number} is neither [section] nor name = value"));
            };
            if let Some(at) =
                NAMES.iter().position(|known| known.eq_ignore_ascii_case(name.trim())).filter(|_| ours)
            {
                let value = value.trim();
                if value.chars().any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii()) {
                    return Err(format!(
                        "line {number}: the value of {} has a character that no key has",
                        NAMES[at]
                    ));
                }
                values[at] = Some(value.to_owned()).filter(|value| !value.is_empty());
            }
        }
        let [key_id, secret, token] = values;
        let missing = |name: &str| format!("{name} is missing in the section [default]");
        Ok(Credentials {
            key_id: key_id.ok_or_else(|| missing(NAMES[0]))?,
            secret: secret.ok_or_else(|| missing(NAMES[1]))?,
            token,
        })
    }

    /// A text without any part of the key.
    pub fn scrub(&self, text: &str) -> String {
        let secrets = [Some(&self.secret), Some(&self.key_id), self.token.as_ref()];
        secrets
            .into_iter()
            .flatten()
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }
}

const NAMES: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn key() -> Credentials {
        Credentials { key_id: "AKIA1".into(), secret: "s+/=1".into(), token: None }
    }

    #[test]
    fn the_file_is_read_as_other_programs_read_it() {
        let text = "# mine\n[other]\naws_access_key_id = no\n[ default ]\nregion=eu\naws_access_key_id=AKIA1\n  AWS_SECRET_ACCESS_KEY = s+/=1 \n;x\n[third]\naws_secret_access_key=no\n";
        assert_eq!(Credentials::parse(text), Ok(key()));
        let text = "aws_access_key_id=AKIA1\r\naws_secret_access_key=s+/=1\r\naws_session_token=t\r\n";
        assert_eq!(Credentials::parse(text), Ok(Credentials { token: Some("t".into()), ..key() }));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_key() {
        for (text, told) in [
            ("", "aws_access_key_id is missing"),
            ("[default]\naws_access_key_id=hidden", "aws_secret_access_key is missing"),
            (
                "[other]\naws_access_key_id=hidden\naws_secret_access_key=hidden",
                "aws_access_key_id is missing",
            ),
            ("aws_access_key_id=\naws_secret_access_key=hidden", "aws_access_key_id is missing"),
            ("hidden", "line 1"),
            ("\n[default\n", "line 2"),
            ("aws_secret_access_key = hidden hidden", "line 1: the value of aws_secret_access_key"),
        ] {
            let error = Credentials::parse(text).expect_err(text);
            assert!(error.contains(told) && !error.contains("hidden"), "{error}");
        }
        assert_eq!(format!("{:?}", key()), "Credentials");
        assert_eq!(key().scrub("AKIA1 did s+/=1"), "… did …");
    }

    #[test]
    fn a_file_of_everybodys_is_refused() {
        let path = std::env::temp_dir().join(format!("fluxbase-credentials-{}", std::process::id()));
        std::fs::write(&path, "aws_access_key_id=AKIA1\naws_secret_access_key=s+/=1\n").unwrap();
        let find = || Credentials::find(path.to_str().unwrap(), |_| None);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(find(), Ok(key()));
        for mode in [0o644, 0o604, 0o660, 0o622] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = find().unwrap_err();
            assert!(
                error.starts_with("mcp.storage_credentials_file: may be read or changed by others"),
                "{error}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(find().unwrap_err().contains("No such file"));
        assert!(Credentials::find("relative", |_| None).unwrap_err().contains("absolute"));
    }

    #[test]
    fn the_environment_is_asked_when_no_file_is_named() {
        let environment = |names: &'static [&'static str]| {
            move |name: &str| names.contains(&name).then(|| format!("value of {name}"))
        };
        let all = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        let found = Credentials::find(
            "",
            environment(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]),
        )
        .unwrap();
        assert_eq!(
            [found.key_id, found.secret, found.token.unwrap()],
            all.map(|name| format!("value of {name}"))
        );
        assert!(
            Credentials::find("", environment(&["AWS_ACCESS_KEY_ID"])).unwrap_err().contains("needs a key")
        );
    }

    proptest! {
        #[test]
        fn noise_is_no_danger(text in "(\\PC|\n|=|\\[|\\]|aws_access_key_id|aws_secret_access_key){0,40}") {
            if let Ok(found) = Credentials::parse(&text) {
                prop_assert!(!found.key_id.is_empty() && !found.secret.is_empty());
            }
        }

        #[test]
        fn what_is_written_is_read(id in "[A-Z0-9]{1,20}", secret in "[!-~]{1,60}", space in "[ \t]{0,3}") {
            let text = format!("[default]\naws_access_key_id{space}={space}{id}\naws_secret_access_key{space}={space}{secret}{space}\n");
            prop_assert_eq!(Credentials::parse(&text), Ok(Credentials { key_id: id, secret, token: None }));
        }
    }
}
