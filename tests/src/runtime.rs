//! The real `fluxbase functions serve` as a process, with a real Deno.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::http::{Http, Response};
use crate::settings::{deno, settings};
use crate::{eventually, watchdog};

/// A secret of the form that `mcp.functions_secret()` has.
pub const SECRET: &str = "b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184";

/// A running runtime. Dropping it ends it.
#[derive(Debug)]
pub struct Runtime {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Holds `functions`, the log, and `tmp` for what the runtime makes.
    pub folder: PathBuf,
}

impl Runtime {
    /// Starts it with files (name in the folder of the functions, text) and the secret [`SECRET`].
    pub fn start(files: &[(&str, &str)]) -> Runtime {
        Runtime::start_with(files, SECRET, &[], &[])
    }

    /// The same with another secret, further arguments and variables.
    pub fn start_with(
        files: &[(&str, &str)],
        secret: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Runtime {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short, since sockets are in it.
        let folder = std::env::temp_dir().join(format!("fbr-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("tmp")).expect("a folder");
        watchdog::folder_made(&folder);
        fs::create_dir_all(folder.join("functions")).expect("a folder");
        for (name, text) in files {
            write(&folder.join("functions").join(name), text);
        }
        write(&folder.join("secret"), &format!("{secret}\n"));
        let log = File::create(folder.join("log")).expect("the log can be written");
        let mut child = settings()
            .fluxbase()
            .args(["functions", "serve"])
            .arg(folder.join("functions"))
            .args(["--listen", "127.0.0.1:0", "--secret-file"])
            .arg(folder.join("secret"))
            .args(arguments)
            .env("FLUXBASE_DENO", deno())
            .env("TMPDIR", folder.join("tmp"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("fluxbase starts");
        watchdog::process_started(child.id());
        let address = eventually(Duration::from_secs(60), "the runtime tells its address", || {
            let text = fs::read_to_string(folder.join("log")).unwrap_or_default();
            if let Ok(Some(status)) = child.try_wait() {
                panic!("fluxbase functions serve ended with {status}:\n{text}");
            }
            let (_, rest) = text.split_once("serving functions at http://")?;
            rest.split_once('\n')?.0.parse().ok()
        });
        Runtime { child, address, folder }
    }

    /// Calls a function with a token.
    pub fn call(&self, path: &str, token: &str, body: &str) -> Response {
        let bearer = format!("Bearer {token}");
        let mut http = Http::connect(self.address);
        http.send_request(&format!("POST {path}"), &[("Authorization", &bearer)], body.as_bytes())
            .expect("sent");
        http.receive()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// Writes a file in the folder of the functions.
    pub fn write(&self, name: &str, text: &str) {
        write(&self.folder.join("functions").join(name), text);
    }

    /// Ids of the processes that it has started and that are there.
    pub fn children(&self) -> Vec<u32> {
        let parent = self.child.id().to_string();
        let all = fs::read_dir("/proc").expect("there is /proc").flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| stat(*id).is_some_and(|(state, of)| of == parent && state != "Z")).collect()
    }

    /// Sends a signal by its name without SIG.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
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

/// State and parent of a process.
fn stat(id: u32) -> Option<(String, String)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

/// Whether a process runs.
pub fn runs(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| state != "Z")
}

fn write(path: &std::path::Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
    fs::write(path, text).expect("written");
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        watchdog::process_ended(self.child.id());
        let log = self.log();
        let _ = fs::remove_dir_all(&self.folder);
        watchdog::folder_removed(&self.folder);
        if std::thread::panicking() {
            eprintln!("---- the log of the runtime ----\n{log}");
            return;
        }
        assert!(!log.contains("panicked"), "the runtime panicked:\n{log}");
        assert!(!log.contains(SECRET) && !log.contains("Bearer "), "the log of the runtime holds a secret");
    }
}
