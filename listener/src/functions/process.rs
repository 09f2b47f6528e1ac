//! The process of one function: from its start to its end.
//!
//! Invariants:
//! - Its end, however it comes, is seen at once, and its folder with the socket goes with it.
//! - It is killed with all that it started when this program stops it or ends, also by SIGKILL (see `child`).

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::deno::{Deno, main_module};
use super::layout::Function;
use super::lines;
use super::settings::Grants;

/// How long a function may take until it listens.
const START: Duration = Duration::from_secs(20);
/// Bytes beyond V8's heap that a process may come to need: threads, buffers of requests.
const BESIDES: u64 = 128 << 20;

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    /// Whom it runs.
    pub(super) title: String,
    /// Where it listens.
    pub(super) socket: PathBuf,
    /// How long a call may last.
    pub(super) timeout: Duration,
    /// When it was started.
    pub(super) began: Instant,
    stop: Arc<Notify>,
    ended: watch::Receiver<Option<String>>,
    in_flight: AtomicUsize,
    used: Mutex<Instant>,
    /// Somebody is finding out whether it still reacts.
    pub(super) asked: AtomicBool,
}

/// A call that the process has. Keeps it from being stopped for want of work.
#[derive(Debug)]
pub(crate) struct Lease(pub(super) Arc<Process>);

impl Drop for Lease {
    fn drop(&mut self) {
        *self.0.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Process {
    /// Starts it and waits until it listens. `folder` is made for it, and removed at its end.
    ///
    /// # Errors
    /// Why it does not; what the function itself said is in the log.
    pub(super) async fn start(
        deno: &Deno,
        function: &Function,
        grants: &Grants,
        folder: PathBuf,
    ) -> Result<Arc<Process>, String> {
        let fail = |error: std::io::Error| format!("cannot start: {error}");
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(fail)?;
        let folder = Folder(folder);
        let main = main_module(&folder.0, &function.module).map_err(fail)?;
        let socket = folder.0.join("s");
        let told = socket.to_str().ok_or("the folder for temporary files is not UTF-8")?;
        // This very program, also when its file has been replaced.
        let mut command = Command::new("/proc/self/exe");
        command.args(["functions", "child", "--parent", &std::process::id().to_string(), "--"]);
        command.arg(&deno.path).args(deno.arguments(&function.title, grants, &main, told));
        deno.surround(&mut command);
        command.envs(&grants.env).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(fail)?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(out) = child.stdout.take() {
            tokio::spawn(lines::log(out, function.title.clone(), false));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(lines::log(err, function.title.clone(), true));
        }
        let stop = Arc::new(Notify::new());
        let (end, ended) = watch::channel(None);
        let began = Instant::now();
        tokio::spawn(guard(child, id, stop.clone(), end, folder));
        let process = Arc::new(Process {
            title: function.title.clone(),
            socket,
            timeout: grants.timeout,
            began,
            stop,
            ended,
            in_flight: AtomicUsize::new(0),
            used: Mutex::new(began),
            asked: AtomicBool::new(false),
        });
        // Stops it as well when nobody waits for it any more.
        let starting = Starting(Some(process.clone()));
        match timeout(START, process.listens()).await {
            Ok(Ok(())) => bound_memory(id, grants.memory_mb)?,
            Ok(Err(why)) => return Err(format!("it ended before it listened ({why})")),
            Err(_) => return Err(format!("it does not listen after {} s", START.as_secs())),
        }
        starting.done();
        Ok(process)
    }

    async fn listens(&self) -> Result<(), String> {
        let mut pause = Duration::from_millis(4);
        loop {
            if let Some(why) = self.ended.borrow().clone() {
                return Err(why);
            }
            if UnixStream::connect(&self.socket).await.is_ok() {
                return Ok(());
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(32));
        }
    }

    /// Takes a call on.
    pub(super) fn lease(self: &Arc<Process>) -> Lease {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Lease(self.clone())
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Since when it has nothing to do; none when it has.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.in_flight() == 0).then(|| *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it has ended, and how.
    pub(super) fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Kills it.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Kills it and waits for its end.
    pub(super) async fn stopped(&self) {
        self.stop();
        self.end().await;
    }

    /// Waits for its end.
    pub(super) async fn end(&self) {
        drop(self.ended.clone().wait_for(Option::is_some).await);
    }

    /// Kills it when it has nothing more to do, at the latest when no call can be left.
    pub(super) async fn retire(self: Arc<Process>) {
        let last = Instant::now() + self.timeout;
        while self.in_flight() > 0 && Instant::now() < last && self.ended().is_none() {
            sleep(Duration::from_millis(100)).await;
        }
        self.stop();
    }
}

struct Starting(Option<Arc<Process>>);

impl Starting {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.stop();
        }
    }
}

/// Waits for the end of a process, or brings it about.
async fn guard(
    mut child: Child,
    id: Option<Pid>,
    stop: Arc<Notify>,
    end: watch::Sender<Option<String>>,
    folder: Folder,
) {
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = stop.notified() => {
            // It has not been waited for: the number is still its own.
            if let Some(id) = id {
                let _ = kill_process_group(id, Signal::KILL);
            }
            child.wait().await
        }
    };
    drop(folder);
    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
    let _ = end.send(Some(how));
}

/// V8 bounds its heap only. Buffers and WebAssembly are beside it, so the whole process gets a bound: what it has now, and what it may use.
fn bound_memory(id: Option<Pid>, memory_mb: u64) -> Result<(), String> {
    let id = id.ok_or("it has ended")?;
    let bound = || {
        let status = fs::read_to_string(format!("/proc/{}/status", id.as_raw_nonzero())).ok()?;
        let now = status.lines().find_map(|line| line.strip_prefix("VmData:"))?;
        let now: u64 = now.trim().strip_suffix(" kB")?.parse().ok()?;
        let most = now * 1024 + (memory_mb << 20) + BESIDES;
        prlimit(Some(id), Resource::Data, Rlimit { current: Some(most), maximum: Some(most) }).ok()
    };
    bound().map(drop).ok_or_else(|| "its memory cannot be bounded".to_owned())
}

/// A folder that is removed with what is in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes a folder of ours.
pub(super) fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(reason = %error, "cannot remove {}", folder.display());
    }
}
