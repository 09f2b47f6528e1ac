//! What the frames say.
//!
//! One connection carries one request. Work that is waited for is answered by [`Head`](crate::frame::Kind::Head), its body and
//! [`End`](crate::frame::Kind::End), or by a [`Failure`](crate::Failure); anything else by one [`Answer`]. Closing the connection cancels
//! work that is waited for.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::failure::Failure;

/// One HTTP call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub method: String,
    /// http or https.
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// Time for all of it, in milliseconds.
    pub timeout_ms: u64,
    /// Most bytes of the reply's body.
    pub max_response: u64,
    /// Bytes of the body, which follows in frames of its own.
    pub body_length: u64,
}

/// What is done outside of transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A call over HTTP; answered by [`Head::Http`] and the body.
    Http(Call),
    /// Stores a version; answered by [`Head::Stored`].
    Put(Put),
    /// Reads a version or a part of it; answered by [`Head::Content`] and the bytes.
    Get(Get),
    /// Removes versions; answered by [`Head::Deleted`].
    Delete(Delete),
    /// Names stored versions; answered by [`Head::Listed`].
    List(List),
}

/// One immutable stored file. Its name in the store is made of these two alone, never of what a user calls the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Whose files these are: the same for all files of a database, another one for each database. 1 to 64 of `a-z`, `0-9` and `-`.
    pub space: String,
    /// Random, and never used twice.
    pub id: Id,
}

/// Stores the body that follows as a new version. It is complete and durable once that is answered; before, it is not there for [`Get`] or
/// [`List`]. A version that exists is not overwritten: [`Failure::Exists`].
///
/// Whoever goes away meanwhile may leave a version that nobody knows: the sweep removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    pub version: Version,
    /// Bytes of the body, which follows in frames of its own.
    pub body_length: u64,
    /// Time for all of it, in milliseconds.
    pub timeout_ms: u64,
}

/// Reads `length` bytes from `offset` on: fewer at the end of the file, none beyond it. A version that does not exist is
/// [`Failure::Missing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    pub version: Version,
    pub offset: u64,
    pub length: u64,
    /// Time for all of it, in milliseconds.
    pub timeout_ms: u64,
}

/// Most versions of one [`Delete`] and of one page of a [`List`].
pub const MOST_VERSIONS: usize = 1000;

/// Removes versions, at most [`MOST_VERSIONS`]. One that does not exist is no error. After a failure some may be gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    pub space: String,
    pub ids: Vec<Id>,
    /// Time for all of it, in milliseconds.
    pub timeout_ms: u64,
}

/// A page of the versions of a space, in the order of their ids, for a sweep. What is being stored is not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    pub space: String,
    /// The last id of the page before; `None` for the first page.
    pub after: Option<Id>,
    /// Most versions of the page: 1 to [`MOST_VERSIONS`].
    pub limit: usize,
    /// Time for all of it, in milliseconds.
    pub timeout_ms: u64,
}

impl Work {
    /// Bytes of the body that follows.
    pub fn body_length(&self) -> u64 {
        match self {
            Work::Http(call) => call.body_length,
            Work::Put(put) => put.body_length,
            Work::Get(_) | Work::Delete(_) | Work::List(_) => 0,
        }
    }

    /// Time for all of it, in milliseconds.
    pub fn timeout_ms(&self) -> u64 {
        match self {
            Work::Http(Call { timeout_ms, .. })
            | Work::Put(Put { timeout_ms, .. })
            | Work::Get(Get { timeout_ms, .. })
            | Work::Delete(Delete { timeout_ms, .. })
            | Work::List(List { timeout_ms, .. }) => *timeout_ms,
        }
    }
}

impl From<Call> for Work {
    fn from(call: Call) -> Work {
        Work::Http(call)
    }
}

/// The name of work that is collected later: 128 random bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 16]);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Id, Self::Err> {
        const WRONG: &str = "an id has 32 lower-case hexadecimal digits";
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(WRONG);
        }
        u128::from_str_radix(text, 16).map(|bits| Id(bits.to_be_bytes())).map_err(|_| WRONG)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What a backend asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// Do it while I wait.
    Call { work: Work },
    /// Do it and keep the reply for `owner`; tell those who wait with `token`.
    Submit { id: Id, owner: String, token: String, work: Work },
    /// Do it; nobody will ask what became of it. Only for [`Work::Delete`], which a sweep repeats if it fails.
    Leave { work: Work },
    /// Tell which work of `token` have ended after the one numbered `after`; wait for one.
    Wait { token: String, after: u64, timeout_ms: u64 },
    /// The reply to submitted work; it stays.
    Collect { id: Id, owner: String },
    /// The reply is not needed any more.
    Acknowledge { id: Id, owner: String },
    /// Nobody will collect: end the work.
    Cancel { id: Id, owner: String },
    /// How the worker is.
    Status,
    /// For a test of a debug build: the worker's thread panics.
    #[cfg(debug_assertions)]
    Panic,
}

impl Request {
    /// The work in it, if there is any.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Request::Call { work } | Request::Submit { work, .. } | Request::Leave { work } => Some(work),
            _ => None,
        }
    }
}

/// What a reply begins with: which one follows from the [`Work`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The other side answered; its body follows.
    Http(HttpHead),
    /// The version is stored, and survives a crash.
    Stored {
        /// Bytes.
        size: u64,
        /// SHA-256 of the bytes, 64 lower-case hexadecimal digits.
        sha256: String,
    },
    /// The bytes that were asked for follow.
    Content {
        /// Bytes of the whole version.
        size: u64,
    },
    /// None of the versions is there any more.
    Deleted,
    /// A page of versions.
    Listed {
        versions: Vec<Listed>,
        /// Whether there may be more behind the last one.
        more: bool,
    },
}

/// A version that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub id: Id,
    /// Bytes.
    pub size: u64,
    /// When it was stored by the clock of the store, in seconds since 1970.
    pub stored_at: i64,
}

/// Status and headers of a reply over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHead {
    pub status: u16,
    /// Names in lower case; values that are not UTF-8 with replacement characters.
    pub headers: Vec<(String, String)>,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Reply {
    /// The head of a reply over HTTP.
    pub fn http(&self) -> Option<&HttpHead> {
        match &self.head {
            Head::Http(head) => Some(head),
            _ => None,
        }
    }
}

/// Submitted work that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub id: Id,
    /// Larger for what ended later.
    pub number: u64,
}

/// What is answered to anything that is not work to be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It will be done.
    Accepted,
    /// Done, or there was nothing to do.
    Done,
    /// These have ended, in the order of their numbers; none when the time was over. The worker began at `epoch`; when that is
    /// another one than before, what was pending then is lost.
    Ended { epoch: u64, ended: Vec<Ended> },
    /// The work has not ended.
    Running,
    /// No such work, or somebody else's.
    Unknown,
    /// How the worker is.
    Status(Status),
}

/// How the worker is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub pid: u32,
    /// Seconds since it began.
    pub uptime_s: u64,
    /// Calls in flight.
    pub calls: usize,
    /// Most of them.
    pub max_calls: usize,
    /// Submitted calls: in flight or kept.
    pub pending: usize,
    /// Most of them.
    pub max_pending: usize,
    /// Bytes of bodies in memory.
    pub bytes: u64,
    /// Most of them.
    pub max_bytes: u64,
    /// Calls that were begun since the worker began.
    pub begun: u64,
    /// Of these, those that ended without a reply.
    pub failed: u64,
    /// Calls that were not begun: not allowed, or too many.
    pub refused: u64,
    /// Where files are stored.
    pub storage: StorageStatus,
}

/// Where files are stored, and whether that works. "Calls" of the [`Status`] are all kinds of work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// For an administrator, without secrets: `directory mcp_storage`, `s3://bucket/prefix at https://…`; empty when the setting is wrong.
    pub place: String,
    /// What is wrong with it; `None` when a file could be written, read and removed within the last ten seconds.
    pub error: Option<String>,
}

/// Why submitted work has no reply, or that it has none yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    Running,
    Unknown,
    Failed(Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_in_one_way() {
        let id = Id([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "00", "000102030405060708090A0B0C0D0EFF", "+00102030405060708090a0b0c0d0eff"] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_with_anything_unknown_in_its_call_is_refused() {
        let text = r#"{"ask":"call","work":{"http":{"method":"GET","url":"http://a/","headers":[],"timeout_ms":1,"max_response":1,"body_length":0,"proxy":"x"}}}"#;
        assert!(serde_json::from_str::<Request>(text).is_err());
        let text = text.replace(r#","proxy":"x""#, "");
        let request: Request = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
    }
}
