//! A private Postgres: its own data directory and port, the extension preloaded, every statement in its log.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::NoTls;

use crate::random::secret;
use crate::settings::settings;
use crate::watchdog;

/// A running (or stopped) cluster. Dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    password: String,
}

/// Everything is logged, with its parameters, so that a secret that reaches Postgres is found in its log.
const CONFIGURATION: &str = "
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
fsync = off
full_page_writes = off
log_min_duration_statement = 0
log_statement = 'all'
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_min_messages = info
log_line_prefix = '%m [%p] %q%u@%d %a '
lc_messages = 'C'
timezone = 'Europe/Berlin'
deadlock_timeout = 300ms
";

impl Cluster {
    /// Makes a cluster and starts it. `more` is further configuration.
    pub fn start(more: &str) -> Cluster {
        let settings = settings();
        let cluster = Cluster { folder: new_folder(), port: free_port(), password: secret() };
        cluster.write("password", &cluster.password);
        run(settings
            .postgres("initdb")
            .args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg(format!("--pwfile={}", cluster.folder.join("password").display()))
            .arg(format!("--pgdata={}", cluster.data().display())));
        cluster.write(
            "data/postgresql.auto.conf",
            &format!("{CONFIGURATION}\nport = {}\n{more}\n", cluster.port),
        );
        cluster.start_again();
        cluster
    }

    /// A hot standby of this cluster that streams from it, running. `more` is further configuration.
    pub fn standby(&self, more: &str) -> Cluster {
        let standby = Cluster { folder: new_folder(), port: free_port(), password: self.password.clone() };
        run(settings()
            .postgres("pg_basebackup")
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .arg(format!("--dbname={}", self.admin_url("postgres")))
            .arg(format!("--pgdata={}", standby.data().display())));
        let configuration = "data/postgresql.auto.conf";
        let recovery = run(settings().as_user("cat").arg(standby.folder.join(configuration)));
        standby.write(configuration, &format!("{recovery}\nport = {}\n{more}\n", standby.port));
        standby.start_again();
        standby
    }

    /// Ends recovery: the standby becomes a server of its own.
    pub fn promote(&self) {
        run(settings()
            .postgres("pg_ctl")
            .args(["promote", "--wait", "--silent", "--timeout=60"])
            .arg(format!("--pgdata={}", self.data().display())));
    }

    /// Its TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its postmaster.
    pub fn pid(&self) -> u32 {
        let file = run(settings().as_user("head").args(["-n", "1"]).arg(self.data().join("postmaster.pid")));
        file.trim().parse().expect("a process id")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its private folder, readable by us, writable by the user that runs Postgres.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file as the user that runs Postgres.
    pub fn write(&self, name: &str, text: &str) {
        let mut tee = settings()
            .as_user("tee")
            .arg(self.folder.join(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("tee starts");
        tee.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("tee reads");
        assert!(tee.wait().expect("tee ends").success(), "{name} can be written");
    }

    /// Starts it (again) and waits until it answers.
    pub fn start_again(&self) {
        let log = self.folder.join("server.log");
        let ok = settings()
            .postgres("pg_ctl")
            .args(["start", "--wait", "--silent", "--timeout=60"])
            .arg(format!("--pgdata={}", self.data().display()))
            .arg(format!("--log={}", log.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("pg_ctl runs");
        assert!(ok.success(), "Postgres did not start; the end of its log:\n{}", tail(&self.log(), 20));
    }

    /// Stops it: `fast` or `immediate`.
    pub fn stop(&self, mode: &str) {
        run(settings()
            .postgres("pg_ctl")
            .args(["stop", "--wait", "--silent", "--timeout=60"])
            .arg(format!("--mode={mode}"))
            .arg(format!("--pgdata={}", self.data().display())));
    }

    /// A connection string.
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The superuser's connection string.
    pub fn admin_url(&self, database: &str) -> String {
        self.url("postgres", &self.password, database)
    }

    /// A connection as superuser.
    pub fn admin(&self, database: &str) -> postgres::Client {
        connect(&self.admin_url(database)).expect("the superuser may log in")
    }

    /// `CREATE DATABASE`; nobody but its owner may connect to it.
    pub fn create_database(&self, name: &str) {
        let mut admin = self.admin("postgres");
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).expect("created");
        admin.batch_execute(&format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")).expect("revoked");
    }

    /// The server's whole log.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = settings()
            .postgres("pg_ctl")
            .args(["stop", "--wait", "--silent", "--mode=immediate"])
            .arg(format!("--pgdata={}", self.data().display()))
            .stderr(Stdio::null())
            .status();
        if std::env::var_os("FLUXBASE_TEST_KEEP").is_none() && std::fs::remove_dir_all(&self.folder).is_ok() {
            watchdog::folder_removed(&self.folder);
        }
    }
}

/// Connects by a connection string.
pub fn connect(url: &str) -> Result<postgres::Client, postgres::Error> {
    postgres::Client::connect(url, NoTls)
}

/// Runs a command to its good end and gives its output.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// The last lines of a log.
pub fn tail(log: &str, lines: usize) -> String {
    let all: Vec<&str> = log.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A private folder for one cluster.
fn new_folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = settings().state.join(format!("{}-{number}", std::process::id()));
    watchdog::folder_made(&folder);
    run(settings().as_user("mkdir").arg("-m").arg("0755").arg(&folder));
    folder
}

/// A TCP port that was free a moment ago.
fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    socket.local_addr().expect("it is bound").port()
}
