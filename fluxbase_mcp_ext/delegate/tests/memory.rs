//! Replies of 10 MB, eight and fifty at once, waited for and kept, of functions and of stored files: the worker's process stays small, and gives back
//! what it took.
//!
//! The process that is measured holds the worker's server and nothing else; it is this program, started once more.

#[path = "support/s3.rs"]
#[allow(dead_code, reason = "other tests look into its folder")]
mod s3;
mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fluxbase_delegate::client::Said;
use fluxbase_delegate::message::{Get, Put};
use fluxbase_delegate::outgoing::System;
use fluxbase_delegate::{Answer, Id, Limits, Policy, Request, Server, Storage, Version, Work, socket};
use support::{Web, Worker, get};

const MB: u64 = 1 << 20;

/// Most that the process may have at any time: its budget of 64 MB, what a call holds beyond it, and the program itself.
const PEAK: u64 = 160 * MB;

/// Most that is left, beyond what it had before, once nothing is in flight.
const LEFT: u64 = 16 * MB;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match arguments.iter().position(|argument| argument == "--serve") {
        Some(at) => runtime.block_on(serve(&arguments[at + 1], &arguments[at + 2], &arguments[at + 3])),
        None => {
            runtime.block_on(measure());
            runtime.block_on(files());
        }
    }
}

async fn serve(path: &str, url: &str, storage: &str) {
    let policy = Policy::new(url, "").unwrap();
    let server = Server::new(policy, Limits::default(), Arc::new(System)).unwrap();
    server.set_storage(Storage::open(storage, "", s3::environment));
    let bound = socket::bind(path.as_ref()).unwrap();
    println!("ready");
    server.serve(bound.listener, bound.owner).await.unwrap();
}

fn of_process(pid: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with(what)).expect("Linux tells");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap() * 1024
}

struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Starts the process that is measured. The worker of this process is there for its socket's path and its methods only: the other process binds the
/// same path anew.
async fn start(url: &str, storage: &str) -> (Ended, Worker) {
    let worker = Worker::start("", "", Limits::default());
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program)
        .args(["--serve", &worker.path.to_string_lossy(), url, storage])
        // Nobody listens there: a call that went through a proxy of the environment would fail.
        .envs(
            ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"].map(|name| (name, "http://127.0.0.1:1/")),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Ended(child);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    assert_eq!(worker.status().await.pid, child.0.id(), "it is the other process that is asked");
    (child, worker)
}

async fn measure() {
    let web = Web::start().await;
    let (child, worker) = start(&web.url("/"), "s3://none").await;
    let pid = child.0.id();
    worker.call(get(web.url("/bytes/1000")), &[]).await.unwrap();
    let before = of_process(pid, "VmRSS:");
    let worker = Arc::new(worker);
    // A million parts of one byte are kept as a million bytes.
    worker.submit(Id([1; 16]), "key", "dribble", get(web.url("/dribble/1000000"))).await.unwrap();
    worker.answer(Request::Wait { token: "dribble".into(), after: 0, timeout_ms: 60_000 }).await;
    let peak = of_process(pid, "VmHWM:");
    println!("a million bytes, one by one: peak {} MB", peak / MB);
    assert!(peak < before + 8 * MB, "{} MB after {} MB", peak / MB, before / MB);
    worker.answer(Request::Acknowledge { id: Id([1; 16]), owner: "key".into() }).await;
    for number in [8usize, 50] {
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..number {
            let (worker, url) = (Arc::clone(&worker), web.url("/unsized/10485760"));
            waiting.spawn(async move { worker.call(get(url), &[]).await.unwrap().body.len() as u64 });
        }
        for size in waiting.join_all().await {
            assert_eq!(size, 10 * MB);
        }
        println!("{number} waited for: peak {} MB", of_process(pid, "VmHWM:") / MB);
    }
    let mut last = 0;
    for number in [8u8, 50] {
        for n in 0..number {
            let id = Id([n + 100; 16]);
            worker.submit(id, "key", "t", get(web.url("/unsized/10485760"))).await.unwrap();
        }
        let (mut after, mut collected) = (last, 0);
        while collected < number {
            let request = Request::Wait { token: "t".into(), after, timeout_ms: 30_000 };
            let Answer::Ended { ended, .. } = worker.answer(request).await else { panic!("no end") };
            assert!(!ended.is_empty());
            for one in ended {
                let request = Request::Collect { id: one.id, owner: "key".into() };
                let said = worker.ask(&request, &[]).await.unwrap();
                assert!(matches!(said, Said::Reply(reply) if reply.body.len() as u64 == 10 * MB));
                worker.answer(Request::Acknowledge { id: one.id, owner: "key".into() }).await;
                (after, last) = (one.number, one.number);
                collected += 1;
            }
        }
        println!("{number} kept: peak {} MB", of_process(pid, "VmHWM:") / MB);
    }
    small_again(pid, before).await;
}

/// Never more than the budget allows, and afterwards as before.
async fn small_again(pid: u32, before: u64) {
    let peak = of_process(pid, "VmHWM:");
    assert!(peak < PEAK, "{} MB at most", peak / MB);
    let mut now = 0;
    for _ in 0..200 {
        now = of_process(pid, "VmRSS:");
        if now < before + LEFT {
            println!("left: {} MB of {} MB before", now / MB, before / MB);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} MB are left; before it were {} MB", now / MB, before / MB);
}

/// Files of 10 MB in a directory and on an S3 server: stored, read by whoever waits, and read for whoever collects.
async fn files() {
    let folder = std::env::temp_dir().join(format!("fluxbase-memory-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let server = s3::S3::start().await;
    // A server that is built for debugging takes its time for what is stored.
    for (place, stored) in [(format!("file://{}", folder.display()), &[8u8, 50][..]), (server.url(), &[8])] {
        let (child, worker) = start("", &place).await;
        let (pid, worker) = (child.0.id(), Arc::new(worker));
        let before = of_process(pid, "VmRSS:");
        let version = |n: u8| Version { space: "db".into(), id: Id([n; 16]) };
        let read = move |n: u8| {
            Work::Get(Get { version: version(n), offset: 0, length: u64::MAX, timeout_ms: 120_000 })
        };
        let body = Arc::new(vec![7; 10 * MB as usize]);
        let there = *stored.last().expect("one at least");
        for &number in stored {
            let mut storing = tokio::task::JoinSet::new();
            for n in 0..number {
                let (worker, body) = (Arc::clone(&worker), Arc::clone(&body));
                let put = Put {
                    version: version(if number == there { n } else { n + 100 }),
                    body_length: 10 * MB,
                    timeout_ms: 120_000,
                };
                storing
                    .spawn(async move { worker.ask(&Request::Call { work: Work::Put(put) }, &body).await });
            }
            for said in storing.join_all().await {
                assert!(matches!(said, Ok(Said::Reply(_))), "{said:?}");
            }
            println!("{number} files stored: peak {} MB", of_process(pid, "VmHWM:") / MB);
        }
        for number in [8u8, 50] {
            let mut waiting = tokio::task::JoinSet::new();
            for n in 0..number {
                let worker = Arc::clone(&worker);
                waiting.spawn(async move {
                    match worker.ask(&Request::Call { work: read(n % there) }, &[]).await {
                        Ok(Said::Reply(reply)) => reply.body.len() as u64,
                        other => panic!("{other:?}"),
                    }
                });
            }
            for size in waiting.join_all().await {
                assert_eq!(size, 10 * MB);
            }
            println!("{number} files waited for: peak {} MB", of_process(pid, "VmHWM:") / MB);
        }
        for n in 0..50u8 {
            worker.submit(Id([n; 16]), "key", "t", read(n % there)).await.unwrap();
        }
        let (mut after, mut collected) = (0, 0);
        while collected < 50 {
            let request = Request::Wait { token: "t".into(), after, timeout_ms: 30_000 };
            let Answer::Ended { ended, .. } = worker.answer(request).await else { panic!("no end") };
            assert!(!ended.is_empty());
            for one in ended {
                let request = Request::Collect { id: one.id, owner: "key".into() };
                let said = worker.ask(&request, &[]).await.unwrap();
                assert!(matches!(said, Said::Reply(reply) if reply.body.len() as u64 == 10 * MB));
                worker.answer(Request::Acknowledge { id: one.id, owner: "key".into() }).await;
                (after, collected) = (one.number, collected + 1);
            }
        }
        println!("50 files kept: peak {} MB", of_process(pid, "VmHWM:") / MB);
        small_again(pid, before).await;
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
