//! Unix sockets, beside or instead of addresses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// A folder with a short path: a socket's is bounded to 107 bytes.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("fluxbase-{}-{name}", std::process::id()));
        fluxbase_tests::watchdog::folder_made(&folder);
        fs::create_dir(&folder).expect("a folder of our own");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        fluxbase_tests::watchdog::folder_removed(&self.0);
    }
}

fn listen(on: &str, more: &[(&str, &str)]) -> Listener {
    let stage = stage();
    let mut all = vec![("FLUXBASE_LISTENER_LISTEN", on)];
    all.extend(more);
    Listener::start_anyway(&stage.cluster, &stage.database.listener_url, &all)
}

/// Proves that a Unix socket serves as an address does, with mode 0660 or the one that was set, that its peers count as loopback
/// (strange hosts and origins are refused, a call names 127.0.0.1), and that its file goes with the process.
#[test]
fn a_unix_socket_serves() {
    let folder = Folder::new("serves");
    let path = folder.0.join("mcp.sock");
    let on = format!("127.0.0.1:0,unix:{}", path.display());
    for (mode, environment) in
        [(0o660, vec![]), (0o600, vec![("FLUXBASE_LISTENER_UNIX_SOCKET_MODE", "0600")])]
    {
        let mut listener = listen(&on, &environment);
        let told = format!("serving MCP at unix:{}", path.display());
        eventually(Duration::from_secs(5), "it tells its socket", || {
            listener.log().contains(&told).then_some(())
        });
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777, mode);
        let mut http = Http::connect_unix(&path).expect("it answers");
        for _ in 0..3 {
            assert_eq!(http.post(&[JSON, stage().a.pair()], LIST).status, 200);
        }
        assert_eq!(Http::connect(listener.address).post(&[JSON, stage().a.pair()], LIST).status, 200);
        for (name, value) in [("Host", "evil.example"), ("Origin", "http://evil.example")] {
            assert_eq!(http.post(&[JSON, stage().a.pair(), (name, value)], LIST).status, 403, "{name}");
        }
        assert_eq!(http.post(&[JSON], LIST).status, 401);
        listener.terminate();
        assert_eq!(listener.wait(Duration::from_secs(5)).expect("it ends").code(), Some(0));
        assert_eq!(fs::read_dir(&folder.0).expect("read").count(), 0, "nothing is left");
    }
}

/// Proves that a process that was killed leaves nothing in the way, that a socket on which somebody answers is not taken over, and
/// that other files are never replaced.
#[test]
fn only_what_is_dead_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.0.join("mcp.sock");
    let on = format!("127.0.0.1:0,unix:{}", path.display());
    let mut killed = listen(&on, &[]);
    eventually(Duration::from_secs(5), "it listens", || Http::connect_unix(&path).ok());
    killed.signal("KILL");
    killed.wait(Duration::from_secs(5)).expect("it ends");
    assert!(path.exists(), "its file is still there");
    let listener = listen(&on, &[]);
    let mut http =
        eventually(Duration::from_secs(5), "the next one answers", || Http::connect_unix(&path).ok());
    assert_eq!(http.post(&[JSON, stage().a.pair()], LIST).status, 200);

    let start = || {
        let only = format!("unix:{}", path.display());
        let mut command =
            fluxbase_tests::keys::cli(&stage().database.listener_url, &["serve", "--listen", &only]);
        command.env("FLUXBASE_MCP_ENABLED", "true");
        let (code, told) = ends(command);
        assert_eq!(code, Some(1), "{told}");
        told
    };
    let told = start();
    assert!(told.contains("somebody answers there"), "{told}");
    assert_eq!(http.post(&[JSON, stage().a.pair()], LIST).status, 200);
    assert_eq!(Http::connect_unix(&path).expect("still").post(&[JSON, stage().a.pair()], LIST).status, 200);
    drop(listener);
    fs::remove_file(&path).expect("it was killed");
    fs::write(&path, "precious").expect("written");
    let told = start();
    assert!(told.contains("no socket") && told.contains("mcp.sock"), "{told}");
    assert_eq!(fs::read_to_string(&path).expect("read"), "precious");
}
