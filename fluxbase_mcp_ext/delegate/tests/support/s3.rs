//! A real S3 server with one account and the bucket `files`, over a folder of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

/// The account's key.
pub const KEY_ID: &str = "AKIAEXAMPLE";
/// Its secret, which nobody must ever be told.
pub const SECRET: &str = "s3cret/never+told";

/// The server.
pub struct S3 {
    pub port: u16,
    folder: PathBuf,
    serving: JoinHandle<()>,
    slow: Arc<AtomicBool>,
}

/// A connection that may be read slowly, so that what comes over it can be watched.
struct Slowed {
    stream: TcpStream,
    slow: Arc<AtomicBool>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Slowed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        if !self.slow.load(Ordering::Relaxed) {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let mut part = vec![0; buffer.remaining().min(64 * 1024)];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        buffer.put_slice(part.filled());
        self.pause = Some(Box::pin(tokio::time::sleep(Duration::from_millis(5))));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slowed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl S3 {
    pub async fn start() -> S3 {
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("fluxbase-s3-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join("files")).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(&folder).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let slow = Arc::new(AtomicBool::new(false));
        let all = Arc::clone(&slow);
        let serving = tokio::spawn(async move {
            // Its connections end with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                let stream = Slowed { stream, slow: Arc::clone(&all), pause: None };
                connections.spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        S3 { port, folder, serving, slow }
    }

    /// What `mcp.storage_url` is set to.
    pub fn url(&self) -> String {
        format!("s3://files/some/prefix?endpoint=http://127.0.0.1:{}", self.port)
    }

    /// Where a file of the bucket lies.
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder.join("files").join(key)
    }

    /// Where it keeps what it has not received to its end (`.tmp.…`), and what it notes of its own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads at most some 10 MB a second from now on, of each connection.
    pub fn be_slow(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    pub fn stop(&self) {
        self.serving.abort();
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The environment of a server that was given the account.
pub fn environment(name: &str) -> Option<String> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some(KEY_ID.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(SECRET.to_owned()),
        _ => None,
    }
}
