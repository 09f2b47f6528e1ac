//! Stored files, in a directory and on a real S3 server: what is stored is there and whole, and nothing else is.

mod support;
#[path = "support/s3.rs"]
#[allow(dead_code, reason = "other tests watch it while it receives")]
mod s3;

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fluxbase_delegate::client::Said;
use fluxbase_delegate::message::{Delete, Get, List, Listed, Put};
use fluxbase_delegate::{Answer, Failure, Head, Id, Limits, Reply, Request, Storage, Version, Work};
use s3::S3;
use sha2::{Digest, Sha256};
use support::{PATIENCE, Worker, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Folder {
    fn make() -> Folder {
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("fluxbase-files-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        Folder(path)
    }

    fn url(&self) -> String {
        format!("file://{}", self.0.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A worker that stores in a place, which lives as long as this does.
struct Stage {
    worker: Worker,
    name: &'static str,
    folder: Option<Folder>,
    s3: Option<S3>,
}

/// One of each kind.
async fn stages() -> [Stage; 2] {
    let (folder, s3) = (Folder::make(), S3::start().await);
    [
        Stage { worker: worker(&folder.url()), name: "directory", folder: Some(folder), s3: None },
        Stage { worker: worker(&s3.url()), name: "S3", folder: None, s3: Some(s3) },
    ]
}

fn worker(url: &str) -> Worker {
    let worker = Worker::start("", "", Limits::default());
    worker.server.set_storage(Storage::open(url, "", s3::environment));
    worker
}

const TIME: u64 = PATIENCE.as_millis() as u64;

fn id(n: u32) -> Id {
    // Spread over the folders, in the order of n.
    Id((u128::from(n) << 116 | u128::from(n)).to_be_bytes())
}

fn version(n: u32) -> Version {
    Version { space: "db-1".into(), id: id(n) }
}

fn put(n: u32, length: usize) -> Work {
    Work::Put(Put { version: version(n), body_length: length as u64, timeout_ms: TIME })
}

fn get(n: u32, offset: u64, length: u64) -> Work {
    Work::Get(Get { version: version(n), offset, length, timeout_ms: TIME })
}

fn delete(ids: &[u32]) -> Work {
    Work::Delete(Delete { space: "db-1".into(), ids: ids.iter().map(|n| id(*n)).collect(), timeout_ms: TIME })
}

fn list(space: &str, after: Option<Id>, limit: usize) -> Work {
    Work::List(List { space: space.into(), after, limit, timeout_ms: TIME })
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Stage {
    async fn work(&self, work: Work, body: &[u8]) -> Result<Reply, Failure> {
        match self.worker.ask(&Request::Call { work }, body).await.expect("an answer") {
            Said::Reply(reply) => Ok(reply),
            Said::Failed(failure) => Err(failure),
            Said::Answer(answer) => panic!("{}: {answer:?} is no answer to work", self.name),
        }
    }

    async fn put(&self, n: u32, body: &[u8]) -> Result<Reply, Failure> {
        self.work(put(n, body.len()), body).await
    }

    async fn get(&self, n: u32) -> Result<Vec<u8>, Failure> {
        self.work(get(n, 0, u64::MAX), &[]).await.map(|reply| reply.body)
    }

    async fn list(&self, space: &str, after: Option<Id>, limit: usize) -> (Vec<Listed>, bool) {
        match self.work(list(space, after, limit), &[]).await.unwrap().head {
            Head::Listed { versions, more } => (versions, more),
            other => panic!("{other:?}"),
        }
    }

    async fn numbers(&self) -> usize {
        self.list("db-1", None, 1000).await.0.len()
    }
}

#[tokio::test]
async fn what_is_stored_is_read() {
    for stage in stages().await {
        for (n, length) in [(1, 0), (2, 1), (3, 128 * 1024 + 1), (4, 10 << 20)] {
            let body = bytes(length);
            let stored = stage.put(n, &body).await.unwrap();
            assert_eq!(
                stored.head,
                Head::Stored { size: length as u64, sha256: hex(&body) },
                "{}",
                stage.name
            );
            let read = stage.work(get(n, 0, u64::MAX), &[]).await.unwrap();
            assert_eq!(read.head, Head::Content { size: length as u64 });
            assert!(read.body == body, "{}: {length} bytes", stage.name);
        }
        stage.worker.until_idle().await;
    }
}

#[tokio::test]
async fn a_part_is_what_was_asked_for() {
    for stage in stages().await {
        let body = bytes(300_000);
        stage.put(1, &body).await.unwrap();
        stage.put(2, &[]).await.unwrap();
        for (offset, length) in [
            (0, 1),
            (0, 300_000),
            (0, 300_001),
            (1, 299_999),
            (299_999, 1),
            (299_999, 5),
            (150_000, 0),
            (5, u64::MAX),
            (300_000, 1),
            (300_001, 1),
            (u64::MAX, u64::MAX),
        ] {
            let read = stage.work(get(1, offset, length), &[]).await.unwrap();
            let begin = offset.min(300_000) as usize;
            let end = offset.saturating_add(length).min(300_000) as usize;
            assert_eq!(read.head, Head::Content { size: 300_000 }, "{}: {offset} {length}", stage.name);
            assert!(read.body == body[begin..end], "{}: {offset} {length}", stage.name);
        }
        for (offset, length) in [(0, 0), (0, 1), (1, 1), (0, u64::MAX)] {
            let read = stage.work(get(2, offset, length), &[]).await.unwrap();
            assert_eq!((read.head, read.body.len()), (Head::Content { size: 0 }, 0), "{}", stage.name);
        }
        assert_eq!(stage.work(get(3, 0, 1), &[]).await, Err(Failure::Missing), "{}", stage.name);
        assert_eq!(stage.work(get(3, 0, 0), &[]).await, Err(Failure::Missing), "{}", stage.name);
    }
}

#[tokio::test]
async fn a_version_never_changes_and_goes_once() {
    for stage in stages().await {
        stage.put(1, b"first").await.unwrap();
        assert_eq!(stage.put(1, b"second").await, Err(Failure::Exists), "{}", stage.name);
        assert_eq!(stage.get(1).await.unwrap(), b"first");
        stage.put(2, b"other").await.unwrap();
        for _ in 0..2 {
            assert_eq!(stage.work(delete(&[1, 7]), &[]).await.unwrap().head, Head::Deleted, "{}", stage.name);
            assert_eq!(stage.get(1).await, Err(Failure::Missing), "{}", stage.name);
        }
        assert_eq!(stage.work(delete(&[]), &[]).await.unwrap().head, Head::Deleted, "{}", stage.name);
        assert_eq!(stage.get(2).await.unwrap(), b"other");
        assert_eq!(stage.numbers().await, 1);
    }
}

#[tokio::test]
async fn pages_name_every_version_once() {
    for stage in stages().await {
        assert_eq!(stage.list("db-1", None, 10).await, (Vec::new(), false), "{}", stage.name);
        for n in 1..=25 {
            stage.put(n, &bytes(n as usize)).await.unwrap();
        }
        let other = Version { space: "db-10".into(), id: id(5) };
        let other = Put { version: other, body_length: 0, timeout_ms: TIME };
        stage.work(Work::Put(other), &[]).await.unwrap();
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let (page, more) = stage.list("db-1", after, 10).await;
            assert!(page.len() == 10 || !more, "{}", stage.name);
            after = page.last().map(|last| last.id);
            seen.extend(page);
            if !more {
                break;
            }
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        for (n, one) in (1..).zip(&seen) {
            assert_eq!((one.id, one.size), (id(n), u64::from(n)), "{}", stage.name);
            assert!((one.stored_at - now).abs() < 300, "{}", stage.name);
        }
        assert_eq!(seen.len(), 25, "{}", stage.name);
        assert_eq!(stage.list("db-10", None, 10).await.0.len(), 1);
        // What somebody else put there is none of ours.
        let base = match &stage.s3 {
            Some(s3) => s3.file("some/prefix/db-1"),
            None => stage.folder.as_ref().unwrap().0.join("db-1"),
        };
        for folder in ["zz", "00"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
        }
        for foreign in ["zz/readme", "zz/00000000000000000000000000000001", "00/note.txt"] {
            std::fs::write(base.join(foreign), "x").unwrap();
        }
        assert_eq!(stage.list("db-1", None, 1000).await.0.len(), 25, "{}", stage.name);
    }
}

#[tokio::test]
async fn what_is_submitted_is_collected_by_its_owner() {
    for stage in stages().await {
        let worker = &stage.worker;
        let body = bytes(1 << 20);
        let submit =
            |n: u32, work: Work| Request::Submit { id: id(n), owner: "key".into(), token: "t".into(), work };
        let collect = |n: u32, owner: &str| Request::Collect { id: id(n), owner: owner.into() };
        let wait = |after: u64| Request::Wait { token: "t".into(), after, timeout_ms: TIME };
        let said = worker.ask(&submit(1, put(1, body.len())), &body).await;
        assert_eq!(said, Ok(Said::Answer(Answer::Accepted)), "{}", stage.name);
        assert!(matches!(worker.answer(wait(0)).await, Answer::Ended { ended, .. } if ended.len() == 1));
        assert_eq!(worker.answer(collect(1, "another")).await, Answer::Unknown);
        let head = Head::Stored { size: 1 << 20, sha256: hex(&body) };
        assert_eq!(
            worker.ask(&collect(1, "key"), &[]).await,
            Ok(Said::Reply(Reply { head, body: Vec::new() }))
        );
        worker.ask(&submit(2, get(1, 1000, 500_000)), &[]).await.unwrap();
        assert!(matches!(worker.answer(wait(1)).await, Answer::Ended { ended, .. } if ended.len() == 1));
        let reply = Reply { head: Head::Content { size: 1 << 20 }, body: body[1000..501_000].to_vec() };
        for _ in 0..2 {
            assert_eq!(
                worker.ask(&collect(2, "key"), &[]).await,
                Ok(Said::Reply(reply.clone())),
                "{}",
                stage.name
            );
        }
        let bytes = worker.status().await.bytes;
        assert!((500_000..600_000).contains(&bytes), "{}: what is kept is counted: {bytes}", stage.name);
        for n in [1, 2] {
            worker.answer(Request::Acknowledge { id: id(n), owner: "key".into() }).await;
        }
        worker.until_idle().await;
    }
}

#[tokio::test]
async fn deletes_are_done_for_nobody_and_nothing_else_is() {
    for stage in stages().await {
        for n in 1..=3 {
            stage.put(n, b"x").await.unwrap();
        }
        let leave = Request::Leave { work: delete(&[1, 3]) };
        assert_eq!(stage.worker.answer(leave).await, Answer::Accepted, "{}", stage.name);
        for n in [1, 3] {
            while stage.get(n).await != Err(Failure::Missing) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert_eq!(stage.get(2).await.unwrap(), b"x");
        let said = stage.worker.ask(&Request::Leave { work: put(4, 0) }, &[]).await;
        assert!(matches!(said, Ok(Said::Failed(Failure::Protocol { .. }))), "{said:?}");
        assert_eq!(stage.get(4).await, Err(Failure::Missing));
    }
}

#[tokio::test]
async fn a_space_is_no_path() {
    for stage in stages().await {
        for space in [
            "",
            ".",
            "..",
            "../db-1",
            "db-1/..",
            "/tmp",
            "A",
            "a b",
            "a%2fb",
            "a\0",
            "\u{e9}",
            &"a".repeat(65),
        ] {
            let version = Version { space: space.into(), id: id(1) };
            let works = [
                Work::Put(Put { version: version.clone(), body_length: 0, timeout_ms: TIME }),
                Work::Get(Get { version, offset: 0, length: 1, timeout_ms: TIME }),
                Work::Delete(Delete { space: space.into(), ids: vec![id(1)], timeout_ms: TIME }),
                list(space, None, 1),
            ];
            for work in works {
                let failure = stage.work(work, &[]).await.expect_err(space);
                assert!(matches!(failure, Failure::Protocol { .. }), "{}: {space:?}: {failure}", stage.name);
            }
        }
    }
}

#[tokio::test]
async fn the_status_tells_where_and_whether_it_works() {
    let [folder, s3] = stages().await;
    let status = folder.worker.status().await.storage;
    let path = folder.folder.as_ref().unwrap().0.display().to_string();
    assert_eq!((status.place, status.error), (format!("directory {path}"), None));
    let status = s3.worker.status().await.storage;
    let port = s3.s3.as_ref().unwrap().port;
    assert_eq!(
        (status.place, status.error),
        (format!("s3://files/some/prefix at http://127.0.0.1:{port}"), None)
    );
    // A probe leaves nothing.
    assert_eq!(s3.list("probe", None, 10).await, (Vec::new(), false));
    folder.worker.server.set_storage(Storage::open("s3://files?region=x", "", |_| None));
    let status = folder.worker.status().await.storage;
    assert!(
        status.place.is_empty() && status.error.as_ref().unwrap().contains("S3 needs a key"),
        "{status:?}"
    );
    let failure = folder.put(1, b"x").await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Unset { .. }) && failure.advice().contains("mcp.storage_url"),
        "{failure}"
    );
}

/// Whatever is wrong with the S3 server is told, and the key never is.
#[tokio::test]
async fn an_s3_server_that_does_not_work_is_told_honestly() {
    let s3 = S3::start().await;
    let other = |name: &str| s3::environment(name).map(|value| value.replace("s3cret/never", "s3cret/wrong"));
    let stage = |worker| Stage { worker, name: "S3", folder: None, s3: None };
    let wrong_key = Worker::start("", "", Limits::default());
    wrong_key.server.set_storage(Storage::open(&s3.url(), "", other));
    let all = [put(1, 0), get(1, 0, 1), delete(&[1]), list("db-1", None, 10)];
    let body = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>s3cret/</Message></Error>";
    let answer = format!(
        "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (port, _) = answering(Some(answer)).await;
    let absent = stage(worker(&format!("s3://absent?endpoint=http://127.0.0.1:{port}")));
    let cases = [
        (stage(wrong_key), "403 (SignatureDoesNotMatch)"),
        // It is no missing file.
        (absent, "404 (NoSuchBucket)"),
        (stage(worker("s3://files?endpoint=http://127.0.0.1:1")), "Connection refused"),
    ];
    for (stage, told) in cases {
        for work in &all {
            let failure = stage.work(work.clone(), &[]).await.expect_err(told);
            let text = format!("{failure} {}", failure.advice());
            assert!(matches!(failure, Failure::Storage { .. }), "{work:?}: {failure:?}");
            assert!(text.contains(told), "{work:?}: {text}");
            assert!(!text.contains("s3cret") && !text.contains(s3::KEY_ID), "{text}");
        }
        let error = stage.worker.status().await.storage.error.expect("it does not work");
        assert!(error.contains(told) && !error.contains("s3cret"), "{error}");
    }
    // It was there, and goes away: then that is told, and nothing half is stored.
    let [_, stage] = stages().await;
    stage.put(1, b"x").await.unwrap();
    stage.s3.as_ref().unwrap().stop();
    eventually("the end of the server", || {
        std::net::TcpStream::connect(("127.0.0.1", stage.s3.as_ref().unwrap().port)).is_err()
    })
    .await;
    let failure = stage.put(2, &bytes(1 << 20)).await.unwrap_err();
    assert!(matches!(failure, Failure::Storage { .. }), "{failure:?}");
    assert!(!stage.s3.as_ref().unwrap().file(&format!("some/prefix/db-1/00/{}", id(2))).exists());
    stage.worker.until_idle().await;
}

/// An HTTP server that gives every request the same answer, or none, and counts them.
async fn answering(answer: Option<String>) -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counting.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4096];
            _ = stream.read(&mut head).await;
            match &answer {
                Some(answer) => _ = stream.write_all(answer.as_bytes()).await,
                None => open.push(stream),
            }
        }
    });
    (port, count)
}

#[tokio::test]
async fn no_answer_leads_elsewhere_or_holds_a_caller() {
    let (target, asked) = answering(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into())).await;
    for status in ["301 Moved", "307 Temporary Redirect"] {
        let location = format!("http://127.0.0.1:{target}/");
        let answer = format!(
            "HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (port, _) = answering(Some(answer)).await;
        let worker = worker(&format!("s3://files?endpoint=http://127.0.0.1:{port}"));
        let stage = Stage { worker, name: "S3", folder: None, s3: None };
        for work in [put(1, 0), get(1, 0, 1), delete(&[1])] {
            let failure = stage.work(work, &[]).await.unwrap_err();
            assert!(matches!(failure, Failure::Storage { .. }), "{failure:?}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let (port, asked) = answering(None).await;
    let worker = worker(&format!("s3://files?endpoint=http://127.0.0.1:{port}"));
    let stage = Stage { worker, name: "S3", folder: None, s3: None };
    let slow = Put { version: version(1), body_length: 0, timeout_ms: 200 };
    let failure = stage.work(Work::Put(slow), &[]).await.unwrap_err();
    assert!(matches!(failure, Failure::Time { .. }), "{failure:?}");
    // Whoever hangs up ends the request.
    let stream = stage.worker.send(&Request::Call { work: get(1, 0, 1) }, &[]).await;
    eventually("the request", || asked.load(Ordering::SeqCst) == 2).await;
    drop(stream);
    stage.worker.until_idle().await;
}

#[tokio::test]
async fn a_directory_of_everybodys_or_none_is_refused() {
    let folder = Folder::make();
    let open = |url: &str| Storage::open(url, "", |_| None).expect_err(url);
    for mode in [0o755, 0o707, 0o770] {
        std::fs::set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
        assert!(open(&folder.url()).contains("chmod 0700"));
    }
    std::fs::set_permissions(&folder.0, Permissions::from_mode(0o750)).unwrap();
    Storage::open(&folder.url(), "", |_| None).expect("the group of a cluster may read");
    assert!(open(&format!("{}/absent", folder.url())).contains("No such file or directory. Make it"));
    File::create(folder.0.join("file")).unwrap();
    assert!(open(&format!("{}/file", folder.url())).contains("is no directory"));
}

/// What `object_store` leaves when it is interrupted goes when nobody can be writing it any more, and only that.
#[tokio::test]
async fn unfinished_files_are_no_versions_and_go_in_time() {
    let folder = Folder::make();
    let stage = Stage { worker: worker(&folder.url()), name: "directory", folder: None, s3: None };
    stage.put(1, b"kept").await.unwrap();
    let part = folder.0.join("db-1").join(&id(2).to_string()[..2]);
    std::fs::create_dir_all(&part).unwrap();
    let (old, new) = (part.join(format!("{}#1", id(2))), part.join(format!("{}#2", id(2))));
    for path in [&old, &new] {
        std::fs::write(path, "half").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(3 * 3600);
    File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    let kept = folder.0.join("db-1").join(&id(1).to_string()[..2]).join(id(1).to_string());
    File::options().write(true).open(&kept).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(stage.get(2).await, Err(Failure::Missing));
    assert_eq!(stage.numbers().await, 1);
    // At the start, and when the place changes.
    stage.worker.server.set_storage(Storage::open(&folder.url(), "", |_| None));
    eventually("the end of the old one", || !old.exists()).await;
    assert!(new.exists() && kept.exists());
    // One that stands in the way does not keep a version from being stored.
    stage.put(2, b"whole").await.unwrap();
    assert_eq!(stage.get(2).await.unwrap(), b"whole");
}

#[tokio::test]
async fn more_than_a_request_may_have_is_refused_at_once() {
    let folder = Folder::make();
    let worker = Worker::start("", "", Limits { max_request: 1000, ..Limits::default() });
    worker.server.set_storage(Storage::open(&folder.url(), "", |_| None));
    let stage = Stage { worker, name: "directory", folder: None, s3: None };
    assert_eq!(stage.put(1, &bytes(1001)).await, Err(Failure::TooMuch { size: 1001, limit: 1000 }));
    stage.put(1, &bytes(1000)).await.unwrap();
    // A body that breaks off is no version.
    let whole =
        fluxbase_delegate::client::request(&Request::Call { work: put(2, 1000) }, &Bytes::from(bytes(1000)))
            .unwrap();
    let mut stream = tokio::net::UnixStream::connect(&stage.worker.path).await.unwrap();
    stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
    drop(stream);
    stage.worker.until_idle().await;
    assert_eq!(stage.get(2).await, Err(Failure::Missing));
    assert_eq!(stage.numbers().await, 1);
}

#[tokio::test]
async fn a_body_for_which_there_is_no_memory_is_refused_in_its_own_time() {
    let folder = Folder::make();
    let worker = Worker::start("", "", Limits { max_bytes: 1 << 20, ..Limits::default() });
    worker.server.set_storage(Storage::open(&folder.url(), "", |_| None));
    let stage = Stage { worker, name: "directory", folder: None, s3: None };
    let half = bytes(700_000);
    // It has all but its last byte, and keeps its room.
    let whole = fluxbase_delegate::client::request(&Request::Call { work: put(1, 700_000) }, &half).unwrap();
    let mut stream = tokio::net::UnixStream::connect(&stage.worker.path).await.unwrap();
    stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
    while stage.worker.status().await.bytes == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hasty = Put { version: version(2), body_length: 700_000, timeout_ms: 200 };
    let asked = std::time::Instant::now();
    let failure = stage.work(Work::Put(hasty), &half).await.unwrap_err();
    assert_eq!(failure, Failure::Crowded { limit: 1 << 20 });
    assert!(asked.elapsed() < PATIENCE / 3, "it waited {:?}", asked.elapsed());
    assert!(failure.advice().contains("Nothing was sent"), "{}", failure.advice());
    let (patient, ()) = tokio::join!(stage.put(3, &half), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(&whole[whole.len() - 1..]).await.unwrap();
    });
    patient.unwrap();
    assert_eq!(stage.get(3).await.unwrap(), half);
    assert_eq!(stage.get(2).await, Err(Failure::Missing));
}
