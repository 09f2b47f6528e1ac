//! The real `fluxbase serve` as a process.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, tail};
use crate::http::Http;
use crate::keys::{Key, cli, secrets_in};
use crate::mcp::Client;
use crate::{eventually, watchdog};

/// A running listener. Dropping it ends it, and fails the test when its log holds a secret or a panic.
#[derive(Debug)]
pub struct Listener {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    log: PathBuf,
    application: String,
}

impl Listener {
    /// Starts `fluxbase serve` for the database of `url` and waits until it is healthy. `environment` is added to what every
    /// listener has: enabled, a port of its own, no rate limit.
    pub fn start(cluster: &Cluster, url: &str, environment: &[(&str, &str)]) -> Listener {
        let listener = Listener::start_anyway(cluster, url, environment);
        eventually(Duration::from_secs(20), "the listener is healthy", || {
            let health = Http::connect(listener.address).get("GET /mcp/health", &[]);
            (health.status == 200).then_some(())
        });
        listener
    }

    /// The same without waiting for health: Postgres may be away.
    pub fn start_anyway(cluster: &Cluster, url: &str, environment: &[(&str, &str)]) -> Listener {
        let mut all = vec![("FLUXBASE_MCP_ENABLED", "true"), ("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")];
        all.extend(environment);
        Listener::spawn(cluster, url, &["serve"], &all)
    }

    /// The same with further arguments of `serve`.
    pub fn start_with(
        cluster: &Cluster,
        url: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Listener {
        let mut all = vec![("FLUXBASE_MCP_ENABLED", "true"), ("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")];
        all.extend(environment);
        Listener::spawn(cluster, url, &[&["serve"], arguments].concat(), &all)
    }

    /// The same with a settings file and nothing of the environment but the address.
    pub fn start_with_file(cluster: &Cluster, url: &str, file: &str) -> Listener {
        Listener::spawn(cluster, url, &["serve", "--config", file], &[])
    }

    /// The same with sockets that were opened by somebody else, as systemd does it: the first for MCP, a second for metrics.
    /// The process finds them as its file descriptors 3 and 4.
    pub fn start_with_sockets(
        cluster: &Cluster,
        url: &str,
        environment: &[(&str, &str)],
        sockets: &[&dyn AsFd],
    ) -> Listener {
        let mut all = vec![("FLUXBASE_MCP_ENABLED", "true"), ("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")];
        all.extend(environment);
        Listener::spawn_with(cluster, url, &["serve"], &all, sockets)
    }

    fn spawn(cluster: &Cluster, url: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Listener {
        Listener::spawn_with(cluster, url, arguments, environment, &[])
    }

    fn spawn_with(
        cluster: &Cluster,
        url: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        sockets: &[&dyn AsFd],
    ) -> Listener {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let application = format!("fluxbase_{number}");
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}application_name={application}");
        // Postgres's folder belongs to another user when we are root, and to us when we are not: both may write to it.
        let log = cluster.folder().join(format!("listener-{number}.log"));
        let file = File::create(&log).expect("the log can be written");
        let mut command = cli(&url, arguments);
        command
            .env("FLUXBASE_LISTENER_LISTEN", "127.0.0.1:0")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file.try_clone().expect("a second handle"));
        let mut child = hand_over(command, sockets, file).spawn().expect("fluxbase starts");
        watchdog::process_started(child.id());
        let read = || String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
        let address = eventually(Duration::from_secs(20), "the listener tells its address", || {
            let text = read();
            if let Ok(Some(status)) = child.try_wait() {
                panic!("fluxbase serve ended with {status}:\n{text}");
            }
            let (_, rest) = text.split_once("serving MCP at http")?;
            let (_, rest) = rest.split_once("://")?;
            rest.split(['/', '"', '\n']).next()?.parse().ok()
        });
        Listener { child, address, log, application }
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The `application_name` of its connections.
    pub fn application(&self) -> &str {
        &self.application
    }

    /// A client with a connection of its own.
    pub fn client(&self, key: &Key) -> Client {
        Client::new(self.address, key)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal by its name without SIG.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "the process is there");
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < within {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// The command with `sockets` as its file descriptors from 3 on, and the variables that tell of them. A shell puts them there,
/// since doing it between fork and exec by ourselves would need unsafe code; it becomes the command, so the process id fits.
fn hand_over(command: Command, sockets: &[&dyn AsFd], log: File) -> Command {
    let copy = |at: usize| {
        let socket = sockets.get(at)?.as_fd().try_clone_to_owned().expect("a second handle");
        Some(Stdio::from(socket))
    };
    let Some(first) = copy(0) else { return command };
    let script = match sockets.len() {
        1 => "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=mcp exec \"$0\" \"$@\"",
        _ => {
            "exec 3<&0 4<&1 </dev/null >/dev/null; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=mcp:metrics exec \"$0\" \"$@\""
        }
    };
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir("/").stdin(first).stdout(copy(1).unwrap_or_else(Stdio::null)).stderr(log);
    shell
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        watchdog::process_ended(self.child.id());
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("---- the end of the listener's log ----\n{}", tail(&log, 15));
            return;
        }
        assert!(!log.contains("panicked"), "the listener panicked:\n{}", tail(&log, 30));
        assert!(secrets_in(&log).is_empty(), "the listener's log holds a secret");
    }
}
