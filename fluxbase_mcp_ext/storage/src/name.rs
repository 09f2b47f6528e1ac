//! Keys of objects: up to 1024 bytes of UTF-8, segments between slashes.
//!
//! A key never becomes the name of a file here, so nothing of it is dangerous to the server. What is refused is what clients would trip over
//! when they make a file or a URL of it: empty segments, `.` and `..`, control characters. Nothing is normalised: two spellings of the
//! same letter (Unicode's NFC and NFD), and two cases of it, are two keys. The table has the same rules as a CHECK.

use std::fmt::Write;

/// Most bytes of a key.
pub const LONGEST: usize = 1024;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Empty,
    Long,
    Control,
    Segment,
}

impl Wrong {
    /// Half a sentence that says what to write instead.
    pub fn why(self) -> &'static str {
        match self {
            Wrong::Empty => "is empty: write the object's name, such as \"reports/2026.txt\"",
            Wrong::Long => "is longer than 1024 bytes",
            Wrong::Control => "has a control character, which a key cannot have",
            Wrong::Segment => {
                "begins or ends with a slash, or has an empty segment, \".\" or \"..\": write it like \"reports/2026.txt\""
            }
        }
    }
}

/// Whether `key` may name an object.
///
/// # Errors
/// What is wrong with it.
pub fn check(key: &str) -> Result<(), Wrong> {
    if key.is_empty() {
        return Err(Wrong::Empty);
    }
    if key.len() > LONGEST {
        return Err(Wrong::Long);
    }
    if key.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err(Wrong::Control);
    }
    if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(Wrong::Segment);
    }
    Ok(())
}

/// The URI of an object: `fluxbase://storage/{bucket}/{path}` expanded as RFC 6570 has it, so a slash of the key is `%2F`.
pub fn uri(bucket: &str, key: &str) -> String {
    let mut uri = String::from("fluxbase://storage/");
    encode(&mut uri, bucket);
    uri.push('/');
    encode(&mut uri, key);
    uri
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The last segment of a key.
pub fn last(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// The least text that is greater than every text that begins with `prefix`, byte by byte; `None` when there is none.
pub fn after_all(prefix: &str) -> Option<String> {
    let mut begin = prefix.to_owned();
    while let Some(last) = begin.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            begin.push(next);
            return Some(begin);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_paths_of_whole_segments() {
        for good in
            ["a", "a/b", "...", "a/.b", "ä/\u{1f600}", " ", "a\\b", "C:", "CON", "%2e%2e", &"x".repeat(1024)]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", Wrong::Empty),
            ("/a", Wrong::Segment),
            ("a/", Wrong::Segment),
            ("a//b", Wrong::Segment),
            (".", Wrong::Segment),
            ("a/../b", Wrong::Segment),
            ("..", Wrong::Segment),
            ("a\0b", Wrong::Control),
            ("a\nb", Wrong::Control),
            ("a\u{7f}", Wrong::Control),
            (&"x".repeat(1025), Wrong::Long),
            (&"ä".repeat(513), Wrong::Long),
        ] {
            assert_eq!(check(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_uri_has_one_segment_for_the_key() {
        assert_eq!(uri("b", "a/ä b%.txt"), "fluxbase://storage/b/a%2F%C3%A4%20b%25.txt");
        assert_eq!(last("a/b.txt"), "b.txt");
    }

    #[test]
    fn there_is_a_text_after_all_that_begin_so() {
        assert_eq!(after_all("a/").as_deref(), Some("a0"));
        assert_eq!(after_all("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_all("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_all("\u{10ffff}"), None);
        assert_eq!(after_all(""), None);
    }

    proptest! {
        #[test]
        fn what_begins_so_is_before(prefix in ".{1,5}", rest in ".{0,5}", other in ".{0,6}") {
            if let Some(after) = after_all(&prefix) {
                let whole = format!("{prefix}{rest}");
                prop_assert!(whole < after);
                prop_assert!(other.starts_with(&prefix) || other < prefix || other >= after);
            }
        }
    }
}
