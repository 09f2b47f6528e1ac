//! What the surroundings tell the tests: which programs to run, as whom, and where to write.
//!
//! `make test` sets the variables (see `server_environment` in `scripts/extension.sh`). Nothing is guessed and nothing is
//! skipped: without them every test fails and says what to run.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The surroundings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `FLUXBASE_BIN`: the program under test.
    pub fluxbase: PathBuf,
    /// `FLUXBASE_TEST_PG_BIN`, else what `FLUXBASE_PG_CONFIG` says: the folder with `initdb`, `pg_ctl`, `pg_dump`.
    pub pg_bin: PathBuf,
    /// `FLUXBASE_RUN_AS`: the user that runs Postgres; `None` for ourselves. Postgres refuses root.
    pub run_as: Option<String>,
    /// `FLUXBASE_TEST_STATE`: a folder that this user may write to.
    pub state: PathBuf,
}

/// The surroundings, read once.
///
/// # Panics
/// When a variable is missing, with the line to run instead.
pub fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let run_as = variable("FLUXBASE_RUN_AS");
        let pg_bin = variable("FLUXBASE_TEST_PG_BIN").map(PathBuf::from).unwrap_or_else(|| {
            let config = needed("FLUXBASE_PG_CONFIG");
            let told = Command::new(&config).arg("--bindir").output().expect("pg_config runs");
            PathBuf::from(String::from_utf8_lossy(&told.stdout).trim())
        });
        Settings {
            fluxbase: needed("FLUXBASE_BIN").into(),
            pg_bin,
            run_as,
            state: needed("FLUXBASE_TEST_STATE").into(),
        }
    })
}

/// `FLUXBASE_DENO`: the Deno that `tests/functions` pins.
///
/// # Panics
/// When the variable is missing, with the line to run instead.
pub fn deno() -> String {
    needed("FLUXBASE_DENO")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn needed(name: &str) -> String {
    variable(name).unwrap_or_else(|| {
        panic!(
            "{name} is not set. These tests drive a real listener against a real Postgres, which has to be built first. \
             Run them with: make test-e2e"
        )
    })
}

impl Settings {
    /// A program of the Postgres tree, to be run as the user that owns the cluster.
    pub fn postgres(&self, program: &str) -> Command {
        self.as_user(&self.pg_bin.join(program).to_string_lossy())
    }

    /// Any program as the user that owns the cluster, without the caller's `PG*` variables.
    pub fn as_user(&self, program: &str) -> Command {
        let mut command = match &self.run_as {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--", program]);
                command
            }
            None => Command::new(program),
        };
        command.env_clear().env("PATH", path()).env("LC_ALL", "C").current_dir("/");
        command
    }

    /// The program under test, without anything of the caller's environment.
    pub fn fluxbase(&self) -> Command {
        let mut command = Command::new(&self.fluxbase);
        command.env_clear().env("PATH", path()).current_dir("/");
        command
    }
}

/// The search path for programs, with the folders that Debian leaves out of an ordinary user's.
pub fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}
