//! A worker that is killed while it stores, and one whose disk is full: no version is half there, and nothing is left.
//!
//! The process that is killed or limited holds the worker's server and nothing else; it is this program, started once more.

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fluxbase_delegate::client::{self, Said};
use fluxbase_delegate::message::{Get, List, Put};
use fluxbase_delegate::outgoing::System;
use fluxbase_delegate::{
    Failure, Head, Id, Limits, Policy, Reply, Request, Server, Storage, Version, Work, socket,
};
use support::{PATIENCE, receive};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

const SIZE: usize = 10 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(at) = arguments.iter().position(|argument| argument == "--serve") {
        return runtime.block_on(serve(Path::new(&arguments[at + 1]), &arguments[at + 2]));
    }
    runtime.block_on(killed());
    runtime.block_on(full());
}

async fn serve(path: &Path, url: &str) {
    let server = Server::new(Policy::default(), Limits::default(), Arc::new(System)).unwrap();
    server.set_storage(Storage::open(url, "", |_| None));
    let bound = socket::bind(path).unwrap();
    println!("ready");
    server.serve(bound.listener, bound.owner).await.unwrap();
}

/// A worker in a process of its own, and the folder that it stores in.
struct Stage {
    folder: PathBuf,
    files: PathBuf,
    child: Child,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.kill();
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Stage {
    /// `shell` runs before the worker in its process.
    fn start(name: &str, shell: &str) -> Stage {
        let folder = std::env::temp_dir().join(format!("fluxbase-crash-{name}-{}", std::process::id()));
        let files = folder.join("files");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::set_permissions(&files, std::fs::Permissions::from_mode(0o700)).unwrap();
        let child = Stage::child(&folder, &files, shell);
        Stage { folder, files, child }
    }

    fn child(folder: &Path, files: &Path, shell: &str) -> Child {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{shell} exec \"$0\" --serve \"$1\" \"$2\"")])
            .arg(std::env::current_exe().unwrap())
            .arg(folder.join("socket"))
            .arg(format!("file://{}", files.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        child
    }

    /// SIGKILL, and its end.
    fn kill(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }

    fn again(&mut self) {
        self.child = Stage::child(&self.folder, &self.files, "");
    }

    async fn send(&self, work: Work, body: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(self.folder.join("socket")).await.unwrap();
        stream.write_all(&client::request(&Request::Call { work }, body).unwrap()).await.unwrap();
        stream
    }

    async fn work(&self, work: Work, body: &[u8]) -> Result<Reply, Failure> {
        let mut stream = self.send(work, body).await;
        match tokio::time::timeout(PATIENCE, receive(&mut stream)).await.unwrap().unwrap() {
            Said::Reply(reply) => Ok(reply),
            Said::Failed(failure) => Err(failure),
            other => panic!("{other:?}"),
        }
    }

    async fn listed(&self) -> Vec<Id> {
        let list = List { space: "db".into(), after: None, limit: 1000, timeout_ms: 60_000 };
        match self.work(Work::List(list), &[]).await.unwrap().head {
            Head::Listed { versions, .. } => versions.iter().map(|one| one.id).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Files that are no versions.
    fn unfinished(&self) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.files.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().contains('#') {
                    found.push(entry.path());
                }
            }
        }
        found
    }
}

fn version(n: u8) -> Version {
    Version { space: "db".into(), id: Id([n; 16]) }
}

fn put(n: u8, length: usize) -> Work {
    Work::Put(Put { version: version(n), body_length: length as u64, timeout_ms: 60_000 })
}

fn get(n: u8) -> Work {
    Work::Get(Get { version: version(n), offset: 0, length: u64::MAX, timeout_ms: 60_000 })
}

/// Killed with a file half written, until that has happened some times.
async fn killed() {
    let mut stage = Stage::start("killed", "");
    let body: Vec<u8> = (0..SIZE).map(|at| (at % 253) as u8).collect();
    stage.work(put(0, SIZE), &body).await.unwrap();
    let (mut half, mut whole) = (0, 0);
    for n in 1..=100 {
        let stream = stage.send(put(n, SIZE), &body).await;
        let until = std::time::Instant::now() + PATIENCE;
        // Not more often than needed: it is this thread that the other process shares a processor with.
        while stage.unfinished().len() <= half && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
            if stage.files.join("db").join(format!("{n:02x}")).join(Id([n; 16]).to_string()).exists() {
                break;
            }
        }
        stage.kill();
        drop(stream);
        let left = stage.unfinished().len();
        stage.again();
        match stage.work(get(n), &[]).await {
            Ok(reply) => {
                assert!(reply.body == body, "a version that is there is whole");
                whole += 1;
            }
            Err(failure) => assert_eq!(failure, Failure::Missing),
        }
        assert_eq!(stage.listed().await.len(), 1 + whole);
        half = left;
        if half >= 3 {
            break;
        }
    }
    println!("killed: {half} files were half written, {whole} whole");
    assert!(half >= 3, "the worker was never killed while it wrote");
    assert!(stage.work(get(0), &[]).await.unwrap().body == body, "what was said to be stored is there");
    // Two hours later the next one removes them.
    for path in stage.unfinished() {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3 * 3600)).unwrap();
    }
    stage.kill();
    stage.again();
    let until = std::time::Instant::now() + PATIENCE;
    while !stage.unfinished().is_empty() {
        assert!(std::time::Instant::now() < until, "{:?} are left", stage.unfinished());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stage.listed().await.len(), 1 + whole);
}

/// No file of that process may have more than 2 MB, which is how a full disk looks to it (EFBIG for ENOSPC).
async fn full() {
    let stage = Stage::start("full", "trap '' XFSZ; ulimit -f 4096;");
    let body = vec![7; SIZE];
    stage.work(put(1, 1 << 20), &body[..1 << 20]).await.unwrap();
    let failure = stage.work(put(2, SIZE), &body).await.unwrap_err();
    assert!(matches!(&failure, Failure::NoRoom { reason } if reason == "File too large"), "{failure:?}");
    assert!(failure.advice().contains("Nothing was stored"), "{}", failure.advice());
    assert_eq!(stage.unfinished(), Vec::<PathBuf>::new());
    assert_eq!(stage.work(get(2), &[]).await, Err(Failure::Missing));
    assert_eq!(stage.listed().await, [Id([1; 16])]);
    // It goes on with what there is room for.
    stage.work(put(2, 3), b"abc").await.unwrap();
    println!("full: {failure}");
}
