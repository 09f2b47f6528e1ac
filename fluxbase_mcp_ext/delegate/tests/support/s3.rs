//! A real S3 server with one account and the bucket `files`, over a folder of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The account's key.
pub const KEY_ID: &str = "AKIAEXAMPLE";
/// Its secret, which nobody must ever be told.
pub const SECRET: &str = "s3cret/never+told";

/// The server.
pub struct S3 {
    pub port: u16,
    folder: PathBuf,
    serving: JoinHandle<()>,
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
        let serving = tokio::spawn(async move {
            // Its connections end with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                connections.spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        S3 { port, folder, serving }
    }

    /// What `mcp.storage_url` is set to.
    pub fn url(&self) -> String {
        format!("s3://files/some/prefix?endpoint=http://127.0.0.1:{}", self.port)
    }

    /// Where a file of the bucket lies.
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder.join("files").join(key)
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
