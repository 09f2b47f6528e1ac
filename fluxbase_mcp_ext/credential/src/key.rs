//! The format of keys, and the two hashes between a key and the key table.
//!
//! `fbk_` or `fbs_`, the key id (16 lower-case hexadecimal digits), `_`, 32 random bytes in base64url (43 characters), and the
//! CRC-32 of all of that (8 hexadecimal digits): 72 characters. The checksum lets a listener refuse a mistyped key without
//! asking Postgres, and lets secret scanners tell a key from noise; it is no protection.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PREFIX_LEN: usize = 4;
const ID_LEN: usize = 16;
const SECRET_LEN: usize = 32;
const SECRET_TEXT_LEN: usize = 43;
const CHECKSUM_LEN: usize = 8;
const BODY_LEN: usize = PREFIX_LEN + ID_LEN + 1 + SECRET_TEXT_LEN;
const KEY_LEN: usize = BODY_LEN + CHECKSUM_LEN;

/// Length of a wire credential: `fbk:`, the key id, `:`, and h1 as 64 hexadecimal digits.
pub const WIRE_LEN: usize = PREFIX_LEN + ID_LEN + 1 + 2 * SECRET_LEN;

/// Whose key it is: a client's, under row-level security, or a service's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `fbk_…`, header `X-Client-Key`.
    Client,
    /// `fbs_…`, header `X-Service-Key`.
    Service,
}

impl Kind {
    /// `client` or `service`, as the key table spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Client => "client",
            Kind::Service => "service",
        }
    }

    /// `fbk` or `fbs`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Client => "fbk",
            Kind::Service => "fbs",
        }
    }

    fn from_prefix(prefix: &str) -> Option<Kind> {
        [Kind::Client, Kind::Service].into_iter().find(|kind| kind.prefix() == prefix)
    }
}

/// Why a text is not a key. No variant carries any part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not begin with `fbk_` or `fbs_`.
    #[error("a key begins with fbk_ (client) or fbs_ (service)")]
    Prefix,
    /// It is too short, too long, or holds characters that no key has.
    #[error("a key has 72 characters: prefix, id, secret and checksum; this one is incomplete or mistyped")]
    Shape,
    /// The checksum does not fit the rest.
    #[error("the key's checksum does not match: it was mistyped or cut")]
    Checksum,
}

/// A plain key. It holds the secret: keep it as short a time as possible.
pub struct Key {
    kind: Kind,
    id: String,
    secret: [u8; SECRET_LEN],
}

impl Key {
    /// A new key from the operating system's random source.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate(kind: Kind) -> Result<Key, getrandom::Error> {
        let mut id = [0u8; ID_LEN / 2];
        let mut secret = [0u8; SECRET_LEN];
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        Ok(Key { kind, id: hex::encode(id), secret })
    }

    /// Reads a key as a person or a header gives it.
    ///
    /// # Errors
    /// [`KeyError`] when it cannot be a key; whether it is a known one is for Postgres to say.
    pub fn parse(text: &str) -> Result<Key, KeyError> {
        let kind =
            text.split_once('_').and_then(|(prefix, _)| Kind::from_prefix(prefix)).ok_or(KeyError::Prefix)?;
        if text.len() != KEY_LEN || !text.is_ascii() || text.as_bytes()[PREFIX_LEN + ID_LEN] != b'_' {
            return Err(KeyError::Shape);
        }
        let (body, checksum) = text.split_at(BODY_LEN);
        let id = &body[PREFIX_LEN..PREFIX_LEN + ID_LEN];
        if !is_lower_hex(id) || !is_lower_hex(checksum) {
            return Err(KeyError::Shape);
        }
        if checksum_of(body) != checksum.as_bytes() {
            return Err(KeyError::Checksum);
        }
        // The decoder wants room for what 43 characters could be at most, which is one byte more than they are.
        let mut bytes = [0u8; SECRET_LEN + 1];
        let decoded = URL_SAFE_NO_PAD.decode_slice(&body[BODY_LEN - SECRET_TEXT_LEN..], &mut bytes);
        let secret = decoded.ok().and_then(|len| bytes[..len].try_into().ok()).ok_or(KeyError::Shape)?;
        Ok(Key { kind, id: id.to_owned(), secret })
    }

    /// Client or service.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The public part that names the key in lists and logs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole key in plain text, to be shown once.
    pub fn reveal(&self) -> String {
        let mut text = format!("{}_{}_{}", self.kind.prefix(), self.id, URL_SAFE_NO_PAD.encode(self.secret));
        let checksum = checksum_of(&text);
        text.extend(checksum.map(char::from));
        text
    }

    /// What is sent to Postgres: kind, id and h1.
    pub fn credential(&self) -> String {
        let mut text = String::with_capacity(WIRE_LEN);
        text.push_str(self.kind.prefix());
        text.push(':');
        text.push_str(&self.id);
        text.push(':');
        let mut digits = [0; 2 * SECRET_LEN];
        // The length fits, so this cannot fail.
        let _ = hex::encode_to_slice(Sha256::digest(self.secret), &mut digits);
        text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
        text
    }

    /// What is stored: SHA-256 of h1.
    pub fn verifier(&self) -> [u8; 32] {
        verifier_of_h1(&Sha256::digest(self.secret).into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What Postgres receives in place of a key.
pub struct Credential {
    /// Client or service: decides which kind of key the id must name.
    pub kind: Kind,
    /// The key's public id.
    pub id: String,
    h1: [u8; SECRET_LEN],
}

impl Credential {
    /// Reads `fbk:<id>:<h1>`.
    ///
    /// # Errors
    /// [`KeyError::Prefix`] or [`KeyError::Shape`].
    pub fn parse(text: &str) -> Result<Credential, KeyError> {
        let (prefix, rest) = text.split_once(':').ok_or(KeyError::Prefix)?;
        let kind = Kind::from_prefix(prefix).ok_or(KeyError::Prefix)?;
        let (id, h1) = rest.split_once(':').ok_or(KeyError::Shape)?;
        if text.len() != WIRE_LEN || id.len() != ID_LEN || !is_lower_hex(id) {
            return Err(KeyError::Shape);
        }
        let mut bytes = [0u8; SECRET_LEN];
        hex::decode_to_slice(h1, &mut bytes).map_err(|_| KeyError::Shape)?;
        Ok(Credential { kind, id: id.to_owned(), h1: bytes })
    }

    /// Whether the stored verifier belongs to this credential; constant time for verifiers of 32 bytes.
    pub fn matches(&self, verifier: &[u8]) -> bool {
        verifier_of_h1(&self.h1).ct_eq(verifier).into()
    }
}

impl From<&Key> for Credential {
    fn from(key: &Key) -> Self {
        Credential { kind: key.kind, id: key.id.clone(), h1: Sha256::digest(key.secret).into() }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

/// SHA-256 of h1: the only form of a key that is stored.
pub fn verifier_of_h1(h1: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(h1).into()
}

fn checksum_of(body: &str) -> [u8; CHECKSUM_LEN] {
    let mut digits = [0; CHECKSUM_LEN];
    // Eight digits for four bytes: the length fits, so this cannot fail.
    let _ = hex::encode_to_slice(crc32fast::hash(body.as_bytes()).to_be_bytes(), &mut digits);
    digits
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(kind: Kind) -> Key {
        Key::generate(kind).expect("randomness")
    }

    #[test]
    fn a_key_reads_back_and_fits_its_credential() {
        for kind in [Kind::Client, Kind::Service] {
            let made = key(kind);
            let text = made.reveal();
            assert_eq!(text.len(), KEY_LEN);
            let read = Key::parse(&text).unwrap();
            assert_eq!((read.kind(), read.id()), (kind, made.id()));
            let wire = read.credential();
            assert_eq!(wire.len(), WIRE_LEN);
            let credential = Credential::parse(&wire).unwrap();
            assert!(credential.matches(&made.verifier()));
            assert!(!credential.matches(&key(kind).verifier()));
            assert!(!credential.matches(b""));
        }
    }

    #[test]
    fn every_single_mistyped_character_is_noticed() {
        let text = key(Kind::Client).reveal();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            let wrong = String::from_utf8(bytes).unwrap();
            assert!(Key::parse(&wrong).is_err(), "position {at}");
        }
        assert_eq!(Key::parse(&text[..71]).unwrap_err(), KeyError::Shape);
        assert_eq!(Key::parse("sk_live_1").unwrap_err(), KeyError::Prefix);
    }

    #[test]
    fn nothing_printed_holds_the_secret() {
        let made = key(Kind::Service);
        let secret = made.reveal()[21..64].to_owned();
        let h1 = made.credential()[21..].to_owned();
        let shown = format!("{made:?} {:?}", Credential::from(&made));
        assert!(shown.contains(made.id()) && !shown.contains(&secret) && !shown.contains(&h1));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,100}") {
            let _ = Key::parse(&text);
            let _ = Credential::parse(&text);
        }

        #[test]
        fn near_misses_do_not_panic(tail in "[0-9a-f_:\\-A-Zé]{60,80}") {
            let _ = Key::parse(&format!("fbk_{tail}"));
            let _ = Credential::parse(&format!("fbs:{tail}"));
        }
    }
}
