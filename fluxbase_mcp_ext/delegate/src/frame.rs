//! The bytes on the socket: frames of one byte for the kind, four for the length (big endian), and the payload.
//!
//! Invariants: a length beyond [`LARGEST`] is refused before anything of the payload is kept, so a decoder holds at most one
//! frame and what was fed last; no input makes it panic. What the payloads say is in [`crate::message`].

use bytes::{Buf, Bytes, BytesMut};

/// Most bytes of one payload.
pub const LARGEST: usize = 1 << 20;

/// Bytes before the payload.
pub const PRELUDE: usize = 5;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A request as JSON; its body follows in as many frames as its length needs.
    Request = 1,
    /// A part of a body, of a request or of a reply.
    Body = 2,
    /// Status and headers of a reply as JSON.
    Head = 3,
    /// The reply is complete.
    End = 4,
    /// There is no reply, or no more of it, as JSON.
    Failed = 5,
    /// The answer to a request that is no call, as JSON.
    Answer = 6,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Request, Kind::Body, Kind::Head, Kind::End, Kind::Failed, Kind::Answer]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub payload: Bytes,
}

/// What is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("there is no frame of kind {0}")]
    Kind(u8),
    #[error("a frame of {0} bytes is larger than {LARGEST}")]
    Length(u32),
}

/// What stands before a payload of `length` bytes, which must not be more than [`LARGEST`].
pub fn prelude(kind: Kind, length: usize) -> [u8; PRELUDE] {
    debug_assert!(length <= LARGEST);
    let [a, b, c, d] = (length as u32).to_be_bytes();
    [kind as u8, a, b, c, d]
}

/// A whole frame.
///
/// # Panics
/// When the payload is larger than [`LARGEST`]; callers split bodies with [`bodies`].
pub fn encode(kind: Kind, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= LARGEST, "a payload of {} bytes", payload.len());
    let mut bytes = Vec::with_capacity(PRELUDE + payload.len());
    bytes.extend_from_slice(&prelude(kind, payload.len()));
    bytes.extend_from_slice(payload);
    bytes
}

/// The parts of a body, each small enough for a frame.
pub fn bodies(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.chunks(LARGEST)
}

/// Makes frames of bytes, however they arrive.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: BytesMut,
}

impl Decoder {
    /// Takes what was read.
    pub fn feed(&mut self, read: &[u8]) {
        self.bytes.extend_from_slice(read);
    }

    /// The next frame, if it is complete.
    ///
    /// # Errors
    /// What was fed is no frame; the connection is of no more use.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let Some((&[kind, a, b, c, d], _)) = self.bytes.split_first_chunk::<PRELUDE>() else {
            return Ok(None);
        };
        let kind = Kind::from_byte(kind).ok_or(Malformed::Kind(kind))?;
        let length = u32::from_be_bytes([a, b, c, d]);
        if length as usize > LARGEST {
            return Err(Malformed::Length(length));
        }
        if self.bytes.len() < PRELUDE + length as usize {
            return Ok(None);
        }
        self.bytes.advance(PRELUDE);
        Ok(Some(Frame { kind, payload: self.bytes.split_to(length as usize).freeze() }))
    }

    /// Whether nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_that_nobody_sends_is_refused_at_once() {
        let mut decoder = Decoder::default();
        decoder.feed(&[2, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(decoder.next_frame(), Err(Malformed::Length(u32::MAX)));
        let mut decoder = Decoder::default();
        decoder.feed(&[9, 0, 0, 0, 0]);
        assert_eq!(decoder.next_frame(), Err(Malformed::Kind(9)));
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        (1..=6u8).prop_map(|byte| Kind::from_byte(byte).expect("all six are kinds"))
    }

    proptest! {
        /// Whatever the cuts, what was written is read.
        #[test]
        fn cuts_do_not_matter(
            frames in vec((kinds(), vec(any::<u8>(), 0..200)), 0..8),
            cuts in vec(1..64usize, 1..32),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, payload)| encode(*kind, payload)).collect();
            let (mut decoder, mut read, mut at) = (Decoder::default(), Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                if at >= bytes.len() {
                    break;
                }
                let end = (at + cut).min(bytes.len());
                decoder.feed(&bytes[at..end]);
                at = end;
                while let Some(frame) = decoder.next_frame().expect("these are frames") {
                    read.push((frame.kind, frame.payload.to_vec()));
                }
            }
            prop_assert_eq!(read, frames);
            prop_assert!(decoder.is_empty());
        }

        /// Anything at all is read without a panic, and never more is kept than was fed.
        #[test]
        fn noise_is_no_danger(bytes in vec(any::<u8>(), 0..4096)) {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            let mut total = 0;
            while let Ok(Some(frame)) = decoder.next_frame() {
                total += frame.payload.len() + PRELUDE;
            }
            prop_assert!(total <= bytes.len());
        }
    }
}
