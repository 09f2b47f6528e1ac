//! The other end of the socket: what to send, and what the answer means. It reads and writes nothing itself, since a backend
//! waits in its own way.
//!
//! Invariant: a reply is whole, or it is a failure: a connection that ends early is [`Broken::Closed`].

use crate::failure::Failure;
use crate::frame::{self, Decoder, Kind, Malformed};
use crate::message::{Answer, Head, Reply, Request, Work};

/// The bytes of a request, and of the body that its work announces.
///
/// # Errors
/// [`Failure::TooMuch`] when URL and headers are larger than a frame.
pub fn request(request: &Request, body: &[u8]) -> Result<Vec<u8>, Failure> {
    debug_assert_eq!(request.work().map_or(0, Work::body_length), body.len() as u64);
    let text =
        serde_json::to_vec(request).map_err(|error| Failure::Protocol { reason: error.to_string() })?;
    if text.len() > frame::LARGEST {
        return Err(Failure::TooMuch { size: text.len() as u64, limit: frame::LARGEST as u64 });
    }
    let mut bytes = frame::encode(Kind::Request, &text);
    for part in frame::bodies(body) {
        bytes.extend_from_slice(&frame::prelude(Kind::Body, part.len()));
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

/// What the worker said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Reply(Reply),
    Answer(Answer),
    Failed(Failure),
}

/// What is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("the worker closed the connection before it had answered")]
    Closed,
    #[error("the worker sent what is not understood: {0}")]
    Nonsense(String),
}

impl From<Malformed> for Broken {
    fn from(malformed: Malformed) -> Broken {
        Broken::Nonsense(malformed.to_string())
    }
}

/// Puts an answer together from what is read.
#[derive(Debug, Default)]
pub struct Assembler {
    decoder: Decoder,
    head: Option<Head>,
    body: Vec<u8>,
}

impl Assembler {
    /// Takes what was read, nothing for the end of the connection; `None` as long as something is missing.
    ///
    /// # Errors
    /// [`Broken`]; the connection is of no more use.
    pub fn feed(&mut self, read: &[u8]) -> Result<Option<Said>, Broken> {
        if read.is_empty() {
            return Err(Broken::Closed);
        }
        self.decoder.feed(read);
        while let Some(frame) = self.decoder.next_frame()? {
            match (frame.kind, self.head.is_some()) {
                (Kind::Head, false) => self.head = Some(json(&frame.payload)?),
                (Kind::Body, true) => self.body.extend_from_slice(&frame.payload),
                (Kind::End, true) => {
                    let body = std::mem::take(&mut self.body);
                    return Ok(self.head.take().map(|head| Said::Reply(Reply { head, body })));
                }
                (Kind::Failed, _) => return Ok(Some(Said::Failed(json(&frame.payload)?))),
                (Kind::Answer, false) => return Ok(Some(Said::Answer(json(&frame.payload)?))),
                (kind, _) => return Err(Broken::Nonsense(format!("{kind:?} out of turn"))),
            }
        }
        Ok(None)
    }
}

fn json<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, Broken> {
    serde_json::from_slice(payload).map_err(|error| Broken::Nonsense(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::message::HttpHead;

    #[test]
    fn a_reply_is_whole_or_none() {
        let head = Head::Http(HttpHead { status: 200, headers: Vec::new() });
        let mut bytes = frame::encode(Kind::Head, &serde_json::to_vec(&head).unwrap());
        bytes.extend(frame::encode(Kind::Body, b"ab"));
        bytes.extend(frame::encode(Kind::Body, b"c"));
        let mut half = Assembler::default();
        assert_eq!(half.feed(&bytes), Ok(None));
        assert_eq!(half.feed(&[]), Err(Broken::Closed));
        bytes.extend(frame::encode(Kind::End, b""));
        let said = Assembler::default().feed(&bytes);
        assert_eq!(said, Ok(Some(Said::Reply(Reply { head, body: b"abc".to_vec() }))));
        assert!(Assembler::default().feed(&frame::encode(Kind::Body, b"x")).is_err());
        assert!(Assembler::default().feed(&frame::encode(Kind::End, b"")).is_err());
    }

    proptest! {
        #[test]
        fn noise_is_no_danger(bytes in vec(any::<u8>(), 1..2048), kind in 1..7u8) {
            _ = Assembler::default().feed(&bytes);
            let mut framed = vec![kind];
            framed.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
            framed.extend(&bytes);
            _ = Assembler::default().feed(&framed);
        }
    }
}
