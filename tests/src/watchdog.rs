//! Ends what the tests started, however the tests end.
//!
//! Values that live in a `static` are never dropped, a panic in the wrong place or a kill drops nothing at all. So a small
//! shell process stands by: it is told of every process and folder, holds the other end of a pipe, and when the pipe closes,
//! for whatever reason, ends and removes what is left. It keeps the standard output open meanwhile, so that whoever
//! reads our output sees its end only when nothing runs any more.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
declare -A processes folders
while read -r verb what; do
    case $verb in
        process) processes[$what]=1 ;;
        ended) unset "processes[$what]" ;;
        folder) folders[$what]=1 ;;
        removed) unset "folders[$what]" ;;
    esac
done
for pid in "${!processes[@]}"; do kill -KILL "$pid" 2>/dev/null; done
for folder in "${!folders[@]}"; do
    pid=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null)
    if [[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd") == "$(realpath "$folder/data")" ]]; then
        kill -QUIT "$pid" 2>/dev/null
        for ((i = 0; i < 100; i++)); do [[ -d /proc/$pid ]] && sleep 0.05 || break; done
    fi
    [[ -n $FLUXBASE_TEST_KEEP ]] || rm -rf "$folder"
done
"#;

/// The shell. It is not waited for: it outlives us.
fn watchdog() -> &'static Mutex<Child> {
    static WATCHDOG: OnceLock<Mutex<Child>> = OnceLock::new();
    WATCHDOG.get_or_init(|| {
        let child = Command::new("bash")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            // Out of reach of the terminal's Ctrl-C.
            .process_group(0)
            .spawn()
            .expect("bash starts");
        Mutex::new(child)
    })
}

fn tell(verb: &str, what: &str) {
    let mut child = watchdog().lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = child.stdin.as_mut().expect("its standard input is a pipe");
    writeln!(pipe, "{verb} {what}").expect("the watchdog listens");
}

/// A process to be ended.
pub fn process_started(pid: u32) {
    tell("process", &pid.to_string());
}

/// The process has ended and its number may be reused.
pub fn process_ended(pid: u32) {
    tell("ended", &pid.to_string());
}

/// A folder to be removed; a Postgres whose data directory is `data` in it is stopped first.
pub fn folder_made(folder: &Path) {
    tell("folder", &folder.to_string_lossy());
}

/// The folder has been removed.
pub fn folder_removed(folder: &Path) {
    tell("removed", &folder.to_string_lossy());
}
