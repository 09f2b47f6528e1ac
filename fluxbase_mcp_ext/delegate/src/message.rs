//! What the frames say.
//!
//! One connection carries one request. A call is answered by [`Head`](crate::frame::Kind::Head), its body and
//! [`End`](crate::frame::Kind::End), or by a [`Failure`](crate::Failure); anything else by one [`Answer`]. Closing the connection cancels a
//! call that is waited for.

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

/// The name of a call that is collected later: 128 random bits, written as 32 hexadecimal digits.
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
    /// Make the call while I wait.
    Call { call: Call },
    /// Make the call and keep the reply for `owner`; tell those who wait with `token`.
    Submit { id: Id, owner: String, token: String, call: Call },
    /// Tell which calls of `token` have ended after the one numbered `after`; wait for one.
    Wait { token: String, after: u64, timeout_ms: u64 },
    /// The reply of a submitted call; it stays.
    Collect { id: Id, owner: String },
    /// The reply is not needed any more.
    Acknowledge { id: Id, owner: String },
    /// Nobody will collect: end the call.
    Cancel { id: Id, owner: String },
    /// How the worker is.
    Status,
    /// For a test of a debug build: the worker's thread panics.
    #[cfg(debug_assertions)]
    Panic,
}

impl Request {
    /// The call in it, if there is one.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Request::Call { call } | Request::Submit { call, .. } => Some(call),
            _ => None,
        }
    }
}

/// Status and headers of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
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

/// A submitted call that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub id: Id,
    /// Larger for a call that ended later.
    pub number: u64,
}

/// What is answered to anything that is no call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The call will be made.
    Accepted,
    /// Done, or there was nothing to do.
    Done,
    /// These have ended, in the order of their numbers; none when the time was over. The worker began at `epoch`; when that is
    /// another one than before, what was pending then is lost.
    Ended { epoch: u64, ended: Vec<Ended> },
    /// The call has not ended.
    Running,
    /// No such call, or somebody else's.
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
}

/// Why a submitted call has no reply, or that it has none yet.
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
        let text = r#"{"ask":"call","call":{"method":"GET","url":"http://a/","headers":[],"timeout_ms":1,"max_response":1,"body_length":0,"proxy":"x"}}"#;
        assert!(serde_json::from_str::<Request>(text).is_err());
        let text = text.replace(r#","proxy":"x""#, "");
        let request: Request = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
    }
}
