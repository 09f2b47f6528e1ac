//! The bytes of stored files: immutable versions in a local directory or on a server that speaks S3.
//!
//! A version's key is `{space}/{first two digits of its id}/{id}`: it holds nothing that a user wrote, so odd names, letter case and
//! long keys are the same on all places.
//!
//! Invariants:
//! - A version is there completely or not at all, and once it is said to be stored it survives a crash of the machine (in a directory: file and
//!   folders are flushed). A version that exists is never changed.
//! - Deleting what is not there is no error.
//! - Memory: a version that is stored is in the body of its request; one that is read comes in parts.
//!
//! What a version is the file of, and who may see it, is not known here. A version whose writer went away may stay: [`List`] names it for a
//! sweep of whoever knows the rows.

pub mod credentials;
mod local;
pub mod place;
mod s3;

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::message::{Delete, Get, Head, Id, List, Listed, MOST_VERSIONS, Put, Version, Work};
use crate::outgoing::{Authorities, Until, deepest, find, words};
use credentials::Credentials;
use place::Place;

/// Bytes that are read of a file at once.
const PART: usize = 128 * 1024;

/// How long what [`Storage::probe`] found is good.
const PROBED: Duration = Duration::from_secs(10);

/// Time for a probe.
const PROBE: Duration = Duration::from_secs(3);

/// The space of probes.
const PROBES: &str = "probe";

/// Bytes from which on a hash is made in another thread.
const LARGE: usize = 64 * 1024;

/// Servers count bytes in signed numbers, and refuse larger ones.
const LARGEST: u64 = i64::MAX as u64;

/// What times are told about.
const STORAGE: &str = "the storage";

/// A place where files are stored.
#[derive(Debug)]
pub struct Storage {
    place: Place,
    store: Arc<dyn ObjectStore>,
    /// The folder, where there is one.
    root: Option<PathBuf>,
    /// Begins every key, with a slash at its end; empty for nothing.
    prefix: String,
    credentials: Option<Credentials>,
    probed: Mutex<Option<(Instant, Option<String>)>>,
}

impl Storage {
    /// Opens the place that `mcp.storage_url` names; nothing is sent. `environment` is asked for what the settings leave open.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn open(
        url: &str,
        credentials_file: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Storage, String> {
        Storage::open_trusting(url, credentials_file, environment, &Authorities::default())
    }

    /// [`Storage::open`] of a server whose certificate one of these authorities may have signed.
    ///
    /// # Errors
    /// As there.
    pub fn open_trusting(
        url: &str,
        credentials_file: &str,
        environment: impl Fn(&str) -> Option<String>,
        authorities: &Authorities,
    ) -> Result<Storage, String> {
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(&environment);
        let place = Place::parse(url, region)?;
        let (store, root, prefix, credentials): (Arc<dyn ObjectStore>, _, _, _) = match &place {
            Place::Directory { path, make } => {
                let (store, root) =
                    local::open(path, *make).map_err(|why| format!("mcp.storage_url: {why}"))?;
                (Arc::new(store), Some(root), String::new(), None)
            }
            Place::S3(bucket) => {
                let credentials = Credentials::find(credentials_file, environment)?;
                let prefix = match bucket.prefix.as_str() {
                    "" => String::new(),
                    prefix => format!("{prefix}/"),
                };
                (Arc::new(s3::open(bucket, &credentials, authorities)?), None, prefix, Some(credentials))
            }
        };
        Ok(Storage { place, store, root, prefix, credentials, probed: Mutex::default() })
    }

    /// For an administrator, without secrets.
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    /// Does the work.
    ///
    /// # Errors
    /// [`Failure::Missing`], [`Failure::Exists`], [`Failure::NoRoom`], [`Failure::Storage`], [`Failure::Time`], [`Failure::Protocol`].
    pub async fn perform(
        &self,
        work: Work,
        body: Bytes,
        until: Until,
    ) -> Result<(Head, Option<Content>), Failure> {
        let doing = async {
            match work {
                Work::Put(put) => Ok((self.put(&put, body).await?, None)),
                Work::Get(get) => {
                    let (size, content) = self.get(&get, until).await?;
                    Ok((Head::Content { size }, Some(content)))
                }
                Work::Delete(delete) => self.delete(&delete).await.map(|()| (Head::Deleted, None)),
                Work::List(list) => {
                    let (versions, more) = self.list(&list).await?;
                    Ok((Head::Listed { versions, more }, None))
                }
                Work::Http(_) => {
                    Err(Failure::Protocol { reason: "a call is no work of the storage".to_owned() })
                }
            }
        };
        until.within(doing).await.unwrap_or_else(|| Err(until.failure(STORAGE, true)))
    }

    fn key(&self, space: &str, id: Id) -> Result<Path, Failure> {
        let id = id.to_string();
        Ok(Path::from(format!("{}/{}/{id}", self.space(space)?, &id[..2])))
    }

    fn space(&self, space: &str) -> Result<String, Failure> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if space.is_empty() || space.len() > 64 || !space.bytes().all(fits) {
            return Err(Failure::Protocol { reason: "a space has 1 to 64 of a-z, 0-9 and -".to_owned() });
        }
        Ok(format!("{}{space}", self.prefix))
    }

    async fn put(&self, put: &Put, body: Bytes) -> Result<Head, Failure> {
        if body.len() as u64 != put.body_length {
            return Err(Failure::Protocol { reason: "the body is not what the request said".to_owned() });
        }
        let key = self.key(&put.version.space, put.version.id)?;
        let sha256 = hash(body.clone()).await;
        let payload = PutPayload::from(body);
        let stored = self.store.put_opts(&key, payload, PutMode::Create.into()).await;
        stored.map_err(|error| self.failure(&error))?;
        Ok(Head::Stored { size: put.body_length, sha256 })
    }

    async fn get(&self, get: &Get, until: Until) -> Result<(u64, Content), Failure> {
        let key = self.key(&get.version.space, get.version.id)?;
        let none = |size| (size, Content { source: Source::None, at: 0, left: 0, until });
        let end = get.offset.saturating_add(get.length);
        let mut options = GetOptions::default();
        if self.root.is_none() {
            if get.length == 0 || get.offset > LARGEST {
                return Ok(none(self.size(&key).await?));
            }
            // All of it is asked for without a range, since no range is in an empty file.
            options.range = match (get.offset, end) {
                (0, LARGEST..) => None,
                (offset, LARGEST..) => Some(GetRange::Offset(offset)),
                (offset, end) => Some(GetRange::Bounded(offset..end)),
            };
        }
        let found = match self.store.get_opts(&key, options).await {
            Ok(found) => found,
            // An offset behind the end.
            Err(error) if self.root.is_none() && status(&error) == Some(416) => {
                let size = self.size(&key).await?;
                return if get.offset >= size { Ok(none(size)) } else { Err(self.failure(&error)) };
            }
            Err(error) => return Err(self.failure(&error)),
        };
        let size = found.meta.size;
        let left = end.min(size).saturating_sub(get.offset);
        let source = match found.payload {
            GetResultPayload::File(file, _) => Source::File(Arc::new(file)),
            GetResultPayload::Stream(stream) => Source::Stream(stream, self.credentials.clone()),
        };
        Ok((size, Content { source, at: get.offset, left, until }))
    }

    async fn size(&self, key: &Path) -> Result<u64, Failure> {
        self.store.head(key).await.map(|found| found.size).map_err(|error| self.failure(&error))
    }

    async fn delete(&self, delete: &Delete) -> Result<(), Failure> {
        if delete.ids.len() > MOST_VERSIONS {
            return Err(Failure::Protocol {
                reason: format!("at most {MOST_VERSIONS} versions are removed at once"),
            });
        }
        let keys: Vec<_> =
            delete.ids.iter().map(|id| self.key(&delete.space, *id)).collect::<Result<_, _>>()?;
        let keys = futures_util::stream::iter(keys.into_iter().map(Ok)).boxed();
        let mut removed = self.store.delete_stream(keys);
        let mut failure = Ok(());
        while let Some(one) = removed.next().await {
            match one.map_err(|error| self.failure(&error)) {
                Ok(_) | Err(Failure::Missing) => {}
                Err(why) => failure = Err(why),
            }
        }
        failure
    }

    async fn list(&self, list: &List) -> Result<(Vec<Listed>, bool), Failure> {
        let limit = list.limit.clamp(1, MOST_VERSIONS);
        let prefix = self.space(&list.space)?;
        if let Some(root) = self.root.clone() {
            let (space, after) = (list.space.clone(), list.after);
            let listed = tokio::task::spawn_blocking(move || local::list(&root, &space, after, limit)).await;
            return listed
                .map_err(|error| Failure::Storage { reason: error.to_string() })?
                .map_err(|error| io_failure(&error));
        }
        let prefix = Path::from(prefix);
        let mut found = match list.after {
            None => self.store.list(Some(&prefix)),
            Some(after) => self.store.list_with_offset(Some(&prefix), &self.key(&list.space, after)?),
        };
        let mut versions = Vec::new();
        while let Some(one) = found.next().await {
            let one = one.map_err(|error| self.failure(&error))?;
            // Whatever else lies there is not ours.
            let Some(id) = one.location.filename().and_then(|name| name.parse::<Id>().ok()) else { continue };
            if self.key(&list.space, id).as_ref() != Ok(&one.location) {
                continue;
            }
            if versions.len() == limit {
                return Ok((versions, true));
            }
            versions.push(Listed { id, size: one.size, stored_at: one.last_modified.timestamp() });
        }
        Ok((versions, false))
    }

    /// What is wrong with the place, if anything is: a file is written, read and removed, unless that was done just now.
    pub async fn probe(&self) -> Option<String> {
        if let Some((at, found)) = &*self.probed.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < PROBED
        {
            return found.clone();
        }
        let error = match tokio::time::timeout(PROBE, self.probed()).await {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure.to_string()),
            Err(_) => Some(format!("{STORAGE} does not answer within {} s", PROBE.as_secs())),
        };
        *self.probed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error.clone()));
        error
    }

    async fn probed(&self) -> Result<(), Failure> {
        const SIZE: u64 = 5;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| Failure::Storage { reason: error.to_string() })?;
        let version = Version { space: PROBES.to_owned(), id: Id(id) };
        let until = Until::after(PROBE);
        let put = Put { version: version.clone(), body_length: SIZE, timeout_ms: 0 };
        self.put(&put, Bytes::from_static(b"probe")).await?;
        let get = Get { version, offset: 0, length: u64::MAX, timeout_ms: 0 };
        let (_, mut content) = self.get(&get, until).await?;
        let mut read = 0;
        while let Some(part) = content.next_part().await? {
            read += part.len() as u64;
        }
        if read != SIZE {
            return Err(Failure::Storage { reason: "what was written is not what was read".to_owned() });
        }
        self.delete(&Delete { space: PROBES.to_owned(), ids: vec![Id(id)], timeout_ms: 0 }).await
    }

    /// Removes what writers that were interrupted more than `age` ago left, and says how many files that were. An S3 server keeps nothing of
    /// an interrupted request, and no file is sent to it in several.
    pub async fn tidy(&self, age: Duration) -> usize {
        let Some(root) = self.root.clone() else { return 0 };
        let tidied = tokio::task::spawn_blocking(move || local::tidy(&root, age)).await;
        tidied.map_or(0, |tidied| tidied.unwrap_or(0))
    }

    /// What to tell about an error of the place.
    fn failure(&self, error: &Error) -> Failure {
        failure(error, self.credentials.as_ref())
    }
}

fn failure(error: &Error, credentials: Option<&Credentials>) -> Failure {
    let text = deepest(error);
    match error {
        // A bucket that does not exist is no missing file.
        Error::NotFound { .. } if !text.contains("NoSuchBucket") => return Failure::Missing,
        Error::AlreadyExists { .. } | Error::Precondition { .. } => return Failure::Exists,
        _ => {}
    }
    if let Some(error) = find::<io::Error>(error) {
        return io_failure(error);
    }
    let reason = match status(error) {
        Some(status) => match element(&text, "Code") {
            Some(code) => format!("the S3 server answered {status} ({code})"),
            None => format!("the S3 server answered {status}"),
        },
        None => text.chars().take(200).collect(),
    };
    let reason = credentials.map_or(reason.clone(), |credentials| credentials.scrub(&reason));
    match status(error) {
        Some(507) => Failure::NoRoom { reason },
        _ => Failure::Storage { reason },
    }
}

fn io_failure(error: &io::Error) -> Failure {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let reason = words(error);
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => Failure::NoRoom { reason },
        _ => Failure::Storage { reason },
    }
}

/// The status that an S3 server answered with. `object_store` keeps its own type of it to itself, but not its text.
fn status(error: &Error) -> Option<u16> {
    let mut at = error.source();
    while let Some(error) = at {
        let text = error.to_string();
        if let Some((_, rest)) = text.split_once("status code: ") {
            return rest.get(..3)?.parse().ok();
        }
        at = error.source();
    }
    None
}

/// What stands in an element of XML that has letters only.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once('<')?;
    (inner.len() <= 64 && inner.chars().all(|c| c.is_ascii_alphanumeric())).then_some(inner)
}

async fn hash(bytes: Bytes) -> String {
    if bytes.len() < LARGE {
        return digits(&bytes);
    }
    let large = bytes.clone();
    match tokio::task::spawn_blocking(move || digits(&large)).await {
        Ok(digits) => digits,
        Err(_) => digits(&bytes),
    }
}

fn digits(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a part of a version.
pub struct Content {
    source: Source,
    at: u64,
    left: u64,
    until: Until,
}

enum Source {
    File(Arc<std::fs::File>),
    Stream(BoxStream<'static, object_store::Result<Bytes>>, Option<Credentials>),
    None,
}

impl Content {
    /// Bytes that come in all.
    pub fn length(&self) -> u64 {
        self.left
    }

    /// Whether it is read from a file, each part into a buffer of its own.
    pub fn is_file(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    /// [`Failure::Storage`], [`Failure::Time`].
    pub async fn next_part(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        let wanted = self.left.min(PART as u64) as usize;
        let until = self.until;
        let part = match &mut self.source {
            Source::None => return Ok(None),
            Source::File(file) => {
                let (file, at) = (Arc::clone(file), self.at);
                let reading = tokio::task::spawn_blocking(move || {
                    let mut buffer = BytesMut::zeroed(wanted);
                    file.read_exact_at(&mut buffer, at).map(|()| buffer.freeze())
                });
                until.within(reading).await.map(|read| match read {
                    Ok(read) => read.map_err(|error| io_failure(&error)),
                    Err(error) => Err(Failure::Storage { reason: error.to_string() }),
                })
            }
            Source::Stream(stream, credentials) => until.within(stream.next()).await.map(|part| match part {
                Some(part) => part.map_err(|error| failure(&error, credentials.as_ref())),
                None => Err(Failure::Storage { reason: "the file ended early".to_owned() }),
            }),
        };
        let part = part.unwrap_or_else(|| Err(until.failure(STORAGE, true)))?;
        let taken = (part.len() as u64).min(self.left);
        self.at += taken;
        self.left -= taken;
        Ok(Some(part.slice(..taken as usize)))
    }
}
