//! What a function may do: the file `NAME.json` beside `NAME.ts`. Without it, nothing.
//!
//! Every member is checked before Deno sees it: a list is one argument of Deno's with commas between, so a comma in an item would
//! be another item. Programs and libraries (`--allow-run`, `--allow-ffi`) cannot be allowed: they are outside of all other bounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Largest settings file in bytes.
const LARGEST: u64 = 64 * 1024;

/// The settings of one function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Hosts, with or without port, that it may connect to.
    allow_net: Vec<String>,
    /// Files and folders that it may read, from the settings file's folder.
    allow_read: Vec<PathBuf>,
    /// Files and folders that it may write.
    allow_write: Vec<PathBuf>,
    /// Variables of this process that it gets.
    allow_env: Vec<String>,
    /// Variables with their values.
    env: BTreeMap<String, String>,
    /// Memory of its own in MiB.
    memory_mb: u64,
    timeout_seconds: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            allow_net: Vec::new(),
            allow_read: Vec::new(),
            allow_write: Vec::new(),
            allow_env: Vec::new(),
            env: BTreeMap::new(),
            memory_mb: 128,
            timeout_seconds: 60,
        }
    }
}

/// What the settings give, ready for Deno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grants {
    pub(super) net: Vec<String>,
    pub(super) read: Vec<String>,
    pub(super) write: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) memory_mb: u64,
    /// Time for a call, from its first byte to its answer's last.
    pub(super) timeout: Duration,
}

/// What no function may read or write, whatever its settings say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Protected {
    /// The sockets, and the file with the secret.
    pub(crate) unread: Vec<PathBuf>,
    /// The functions: one that may write them could allow itself anything.
    pub(crate) unwritten: Vec<PathBuf>,
}

/// Reads and checks a settings file.
///
/// # Errors
/// What is wrong with it. No value of a variable is in it.
pub(crate) fn load(
    path: &Path,
    protected: &Protected,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Grants, String> {
    let fail = |why: String| format!("{}: {why}", path.display());
    let settings = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Settings::default(),
        Err(error) => return Err(fail(error.to_string())),
        Ok(file) if !file.is_file() || file.len() > LARGEST => {
            return Err(fail(format!("is no file of at most {LARGEST} bytes")));
        }
        Ok(_) => {
            let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
            // The errors of serde name members, lines and columns; a wrong value is shown only where it stands for a name.
            serde_json::from_str(&text).map_err(|error| fail(told(&error)))?
        }
    };
    settings.check(path.parent().unwrap_or(Path::new("/")), protected, variable).map_err(fail)
}

fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.starts_with("invalid type") || text.starts_with("invalid value") {
        // Such a text quotes the value.
        true => format!("a member has the wrong type at line {} column {}", error.line(), error.column()),
        false => text,
    }
}

impl Settings {
    fn check(
        self,
        folder: &Path,
        protected: &Protected,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Grants, String> {
        if let Some(host) = self.allow_net.iter().find(|host| !is_host(host)) {
            return Err(format!(
                "allow_net: {host:?} is no host, such as \"api.example.com\" or \"127.0.0.1:8080\""
            ));
        }
        let read = paths("allow_read", folder, &self.allow_read, &protected.unread, false)?;
        paths("allow_write", folder, &self.allow_write, &protected.unread, false)?;
        let write = paths("allow_write", folder, &self.allow_write, &protected.unwritten, true)?;
        let mut env = self.env;
        if let Some(name) = self.allow_env.iter().chain(env.keys()).find(|name| !is_variable(name)) {
            return Err(format!(
                "{name:?} cannot be a variable of a function: letters, digits and _, and not one that steers this runtime (FLUXBASE_…, DENO_…, LD_…)"
            ));
        }
        if env.values().any(|value| value.contains('\0')) {
            return Err("env: a value holds the character 0".to_owned());
        }
        for name in self.allow_env {
            let value = variable(&name);
            if let Some(value) = value {
                env.entry(name).or_insert(value);
            } else if !env.contains_key(&name) {
                return Err(format!(
                    "allow_env: {name} is not in the environment of fluxbase functions serve"
                ));
            }
        }
        if !(16..=4096).contains(&self.memory_mb) {
            return Err("memory_mb is from 16 to 4096".to_owned());
        }
        if !(1..=600).contains(&self.timeout_seconds) {
            return Err("timeout_seconds is from 1 to 600".to_owned());
        }
        let timeout = Duration::from_secs(self.timeout_seconds);
        Ok(Grants { net: self.allow_net, read, write, env, memory_mb: self.memory_mb, timeout })
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        // No "unix:", "vsock:": the sockets of other functions are not for it.
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[' || c == '*')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]*/".contains(c))
        && !["unix:", "vsock:"].iter().any(|kind| text.to_ascii_lowercase().starts_with(kind))
        && text != "*"
}

fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["FLUXBASE_", "DENO_", "LD_", "V8_"].iter().any(|prefix| text.starts_with(prefix))
}

/// Absolute paths without links. `within`: what lies inside of a protected folder is refused as well.
fn paths(
    member: &str,
    folder: &Path,
    paths: &[PathBuf],
    protected: &[PathBuf],
    within: bool,
) -> Result<Vec<String>, String> {
    let one = |path: &PathBuf| {
        let shown = path.display();
        let real = folder.join(path).canonicalize().map_err(|error| format!("{member}: {shown}: {error}"))?;
        if let Some(what) =
            protected.iter().find(|what| what.starts_with(&real) || (within && real.starts_with(what)))
        {
            return Err(format!(
                "{member}: {shown} would reach {}, which is not for functions: name folders that do not hold it",
                what.display()
            ));
        }
        match real.into_os_string().into_string() {
            Ok(real) if !real.contains(',') => Ok(real),
            _ => Err(format!("{member}: {shown} cannot be told to Deno: it must be UTF-8 without a comma")),
        }
    };
    paths.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::Tree;
    use super::*;

    fn check(tree: &Tree, text: &str) -> Result<Grants, String> {
        tree.write("functions/f.json", text);
        let protected = Protected {
            unread: vec![tree.0.join("run"), tree.0.join("keys/secret")],
            unwritten: vec![tree.0.join("functions")],
        };
        let variable = |name: &str| (name == "API_KEY").then(|| "k-123".to_owned());
        load(&tree.0.join("functions/f.json"), &protected, variable)
    }

    fn tree(name: &str) -> Tree {
        Tree::new(name, &[("run/s", ""), ("keys/secret", ""), ("data/a,b", ""), ("functions/x/y", "")])
    }

    #[test]
    fn without_a_file_nothing_is_allowed() {
        let none = load(Path::new("/nowhere/f.json"), &Protected::default(), |_| None).unwrap();
        assert!(none.net.is_empty() && none.read.is_empty() && none.write.is_empty() && none.env.is_empty());
        assert_eq!((none.memory_mb, none.timeout), (128, Duration::from_secs(60)));
    }

    #[test]
    fn what_is_allowed_is_ready_for_deno() {
        let tree = tree("settings");
        let text = r#"{"allow_net":["api.example.com","[::1]:80"],"allow_read":["../data"],"allow_write":["../data"],
                       "allow_env":["API_KEY"],"env":{"MODE":"x"},"memory_mb":64,"timeout_seconds":5}"#;
        let grants = check(&tree, text).unwrap();
        assert_eq!(grants.net, ["api.example.com", "[::1]:80"]);
        assert_eq!(grants.read, [tree.0.join("data").to_str().unwrap()]);
        assert_eq!(grants.env["API_KEY"], "k-123");
        assert_eq!((grants.env["MODE"].as_str(), grants.memory_mb), ("x", 64));
    }

    #[test]
    fn what_reaches_too_far_is_refused() {
        let tree = tree("refused");
        std::os::unix::fs::symlink(tree.0.join("run"), tree.0.join("link")).unwrap();
        for (text, why) in [
            (r#"{"allow_run":["ls"]}"#, "unknown field `allow_run`"),
            (r#"{"allow_ffi":true}"#, "unknown field"),
            (r#"{"allow_net":true}"#, "wrong type"),
            (r#"{"allow_net":["*"]}"#, "no host"),
            (r#"{"allow_net":["a,b"]}"#, "no host"),
            (r#"{"allow_net":["unix:/run/x.sock"]}"#, "no host"),
            (r#"{"allow_net":[""]}"#, "no host"),
            (r#"{"allow_read":["/"]}"#, "would reach"),
            (r#"{"allow_read":["../run"]}"#, "would reach"),
            (r#"{"allow_read":["../link"]}"#, "would reach"),
            (r#"{"allow_read":["../keys/secret"]}"#, "would reach"),
            (r#"{"allow_write":["../keys"]}"#, "would reach"),
            (r#"{"allow_write":["."]}"#, "would reach"),
            (r#"{"allow_write":["x/y"]}"#, "would reach"),
            (r#"{"allow_read":["../data/a,b"]}"#, "comma"),
            (r#"{"allow_read":["../nothing"]}"#, "No such file"),
            (r#"{"allow_env":["FLUXBASE_X"]}"#, "cannot be a variable"),
            (r#"{"env":{"LD_PRELOAD":"x"}}"#, "cannot be a variable"),
            (r#"{"env":{"A,B":"x"}}"#, "cannot be a variable"),
            (r#"{"allow_env":["MISSING"]}"#, "MISSING is not in the environment"),
            (r#"{"memory_mb":8}"#, "16 to 4096"),
            (r#"{"timeout_seconds":601}"#, "1 to 600"),
            ("nonsense", "expected"),
        ] {
            let refused = check(&tree, text).expect_err(text);
            assert!(refused.contains(why) && refused.contains("f.json"), "{text}: {refused}");
        }
        let refused = check(&tree, r#"{"env":"geheim"}"#).unwrap_err();
        assert!(!refused.contains("geheim"), "{refused}");
    }
}
