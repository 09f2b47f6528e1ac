//! The routing headers of the 2026-07-28 transport: reading one value, and decoding the base64 form.
//!
//! Invariant: a header that came twice, or that cannot be decoded, is a fault and never one of its values: two readers
//! on the way could have taken different ones.
//!
//! It does not compare headers with the message: see `ladder.rs`.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::borrow::Cow;

/// Raw values of the three routing headers, every occurrence of each in the order in which they came. Empty: the
/// header was absent. Pass `None` instead of a `Headers` when the message did not come over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `MCP-Protocol-Version`
    pub protocol_version: Vec<String>,
    /// `Mcp-Method`
    pub method: Vec<String>,
    /// `Mcp-Name`
    pub name: Vec<String>,
    /// There was no HTTP: the version is the one that `initialize` negotiated on this channel, and there is nothing to
    /// compare with the message.
    pub negotiated: bool,
}

/// What is wrong with a header, as the rest of a sentence that begins with its name.
pub(crate) type HeaderFault = &'static str;

/// The one value of a header without the white space around it (RFC 9110, section 5.5), `None` when it is absent.
pub(crate) fn single(values: &[String]) -> Result<Option<&str>, HeaderFault> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value.trim_matches([' ', '\t']))),
        _ => Err("came more than once; send it once"),
    }
}

/// The text that a value of `Mcp-Name` stands for: itself, or what is between `=?base64?` and `?=`.
/// The markers are case-sensitive; half a marker is plain text (MCP 2026-07-28, streamable-http, Value Encoding).
pub(crate) fn decode(value: &str) -> Result<Cow<'_, str>, HeaderFault> {
    if let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        let bytes =
            STANDARD.decode(encoded).map_err(|_| "has a =?base64?…?= value that is not valid base64")?;
        return String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| "has a =?base64?…?= value that does not decode to UTF-8");
    }
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        Ok(Cow::Borrowed(value))
    } else {
        Err("has characters other than visible ASCII; send it as =?base64?…?=")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification_decode() {
        let rows = [
            ("us-west1", "us-west1"),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
            ("=?base64?IHBhZGRlZCA=?=", " padded "),
            ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
            ("=?base64??=", ""),
            ("=?base64?half", "=?base64?half"),
            ("half?=", "half?="),
            ("=?base64?=", "=?base64?="),
            ("=?BASE64?YQ==?=", "=?BASE64?YQ==?="),
        ];
        for (value, text) in rows {
            assert_eq!(decode(value).as_deref(), Ok(text), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for value in [
            "=?base64?YQ?=",
            "=?base64?Y!==?=",
            "=?base64?YQ= =?=",
            "=?base64?/w==?=",
            "é",
            "a\u{1}b",
            "a\nb",
        ] {
            assert!(decode(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn one_value_is_trimmed_and_two_are_refused() {
        assert_eq!(single(&[]), Ok(None));
        assert_eq!(single(&[" \ttools/list\t ".to_owned()]), Ok(Some("tools/list")));
        assert_eq!(single(&["\u{a0}x".to_owned()]), Ok(Some("\u{a0}x")));
        assert!(single(&["a".to_owned(), "a".to_owned()]).is_err());
    }
}
