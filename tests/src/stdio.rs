//! The real `fluxbase stdio` as a process, driven as a host drives it: one line out, one line in.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio as Pipe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::keys::{Key, cli, secrets_in};
use crate::watchdog;

/// How long a line may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(40);

/// A running server of one client. Dropping it ends it, and fails the test when its log holds a secret or a panic.
#[derive(Debug)]
pub struct Stdio {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: Receiver<String>,
    application: String,
}

impl Stdio {
    /// Starts `fluxbase stdio` with a key, for the database of `url`. `environment` is added to what each has: no rate limit.
    pub fn start(url: &str, key: &Key, environment: &[(&str, &str)]) -> Stdio {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let application = format!("stdio_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut child = cli(&format!("{url}?application_name={application}"), &["stdio"])
            .env("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "0")
            .env("FLUXBASE_KEY", &key.plain)
            .envs(environment.iter().copied())
            .stdin(Pipe::piped())
            .stdout(Pipe::piped())
            .stderr(Pipe::piped())
            .spawn()
            .expect("fluxbase starts");
        watchdog::process_started(child.id());
        let lines = read(child.stdout.take().expect("a pipe"));
        let log = read(child.stderr.take().expect("a pipe"));
        Stdio { input: child.stdin.take(), child, lines, log, application }
    }

    /// The `application_name` of its connections.
    pub fn application(&self) -> &str {
        &self.application
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("it reads");
    }

    /// The same to a program that may have ended.
    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let input = self.input.as_mut().expect("its input is open");
        input.write_all(bytes).and_then(|()| input.flush())
    }

    /// Writes one line.
    pub fn send(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// The next line.
    ///
    /// # Panics
    /// When none comes.
    pub fn receive(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no line within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("its output has ended; its log: {}", self.log_so_far())
            }
        }
    }

    /// Sends a request and gives what came until its answer: notifications, then the answer.
    pub fn ask(&mut self, id: u64, method: &str, params: Value) -> (Vec<Value>, Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        let mut told = Vec::new();
        loop {
            let line: Value = serde_json::from_str(&self.receive()).expect("each line is JSON");
            if line["id"] == json!(id) {
                return (told, line);
            }
            assert!(line.get("id").is_none(), "an answer to something else: {line}");
            told.push(line);
        }
    }

    /// Closes its input.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Closes its output, as a host that has crashed.
    pub fn stop_reading(&mut self) {
        // The reading thread ends with its channel, at the next line.
        let (_, none) = channel();
        self.lines = none;
    }

    /// What it writes until its end.
    pub fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => panic!("its output does not end"),
            }
        }
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

    fn log_so_far(&self) -> String {
        self.log.try_iter().collect::<Vec<_>>().join("\n")
    }
}

/// Reads the lines of a pipe in a thread of their own.
fn read(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Drop for Stdio {
    fn drop(&mut self) {
        self.input = None;
        if self.wait(Duration::from_secs(20)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        watchdog::process_ended(self.child.id());
        let log = self.log.iter().collect::<Vec<_>>().join("\n");
        if std::thread::panicking() {
            eprintln!("---- the log of fluxbase stdio ----\n{log}");
            return;
        }
        assert!(!log.contains("panicked"), "fluxbase stdio panicked:\n{log}");
        assert!(secrets_in(&log).is_empty(), "the log holds a secret");
    }
}
