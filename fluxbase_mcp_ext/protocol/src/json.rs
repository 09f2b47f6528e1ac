//! The few things done with JSON text by hand: writing a string, reading a string, naming a value's kind, depth.
//!
//! Invariants: strings are escaped in one pass that copies runs which need no escape; what is read here is text that
//! `serde_json` has already found to be valid JSON.
//!
//! It does not parse JSON: `serde_json` does, in `envelope.rs`.

use std::borrow::Cow;
use std::ops::Range;

/// How each byte is written inside a JSON string: 0 as it is, `u` as `\u00xx`, anything else after a backslash.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// How many bytes are looked at in one go: as many as a mask has bits.
const PIECE: usize = 64;
/// How many bytes are copied at once; most runs between two escapes are shorter.
const RUN: usize = 16;

/// Appends `text` to `out` as a JSON string with its quotes. Escaped are quote, backslash and control characters
/// (RFC 8259, section 7); everything else is copied.
pub fn push_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut source = [0_u8; PIECE + RUN];
    // An escape is six bytes at most.
    let mut target = [0_u8; 6 * PIECE + RUN];
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(PIECE);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        source[..piece.len()].copy_from_slice(piece.as_bytes());
        // What stands behind the piece is of the one before.
        let special = specials(&source) & (u64::MAX >> (PIECE - piece.len()));
        if special == 0 {
            out.push_str(piece);
        } else {
            let end = escape(&source, piece.len(), special, &mut target);
            // Whole characters, and ASCII between them, are always text.
            out.push_str(std::str::from_utf8(&target[..end]).unwrap_or_default());
        }
    }
    out.push('"');
}

/// Writes the first `length` bytes of `source`, of which those of `special` are escaped, and returns how many bytes that are.
fn escape(
    source: &[u8; PIECE + RUN],
    length: usize,
    mut special: u64,
    target: &mut [u8; 6 * PIECE + RUN],
) -> usize {
    let (mut at, mut end) = (0, 0);
    while special != 0 {
        let next = special.trailing_zeros() as usize;
        special &= special - 1;
        end = copy(source, at..next, target, end);
        at = next + 1;
        let byte = source[next];
        match ESCAPES[byte as usize] {
            b'u' => {
                let digits = [HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]];
                target[end..end + 6].copy_from_slice(&[b'\\', b'u', b'0', b'0', digits[0], digits[1]]);
                end += 6;
            }
            escape => {
                target[end..end + 2].copy_from_slice(&[b'\\', escape]);
                end += 2;
            }
        }
    }
    copy(source, at..length, target, end)
}

/// Copies a run to `end` and returns its new end. What is copied beyond it is written over by what comes next.
#[inline]
fn copy(
    source: &[u8; PIECE + RUN],
    run: Range<usize>,
    target: &mut [u8; 6 * PIECE + RUN],
    end: usize,
) -> usize {
    let length = run.len();
    if length <= RUN {
        target[end..end + RUN].copy_from_slice(&source[run.start..run.start + RUN]);
    } else {
        target[end..end + length].copy_from_slice(&source[run]);
    }
    end + length
}

/// Which of the first bytes must be escaped, the first one in the lowest bit.
fn specials(source: &[u8; PIECE + RUN]) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // The highest bit of every byte that is zero, and no other bit.
    let zeros = |word: u64| !(((word & !HIGH) + !HIGH) | word | !HIGH);
    let (words, _) = source.as_chunks::<8>();
    words[..PIECE / 8].iter().enumerate().fold(0, |all, (n, word)| {
        let word = u64::from_le_bytes(*word);
        let is = |byte: u8| zeros(word ^ (ONES * u64::from(byte)));
        let found = zeros(word & (ONES * 0xe0)) | is(b'"') | is(b'\\');
        // The multiplication moves the eight bits into the highest byte, in their order.
        all | (((found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * n))
    })
}

/// Why a JSON value cannot be used as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFault {
    /// It is no string; what it is instead, with its article.
    NotString(&'static str),
    /// The string has a NUL character, which no text in Postgres can hold.
    Nul,
    /// The string has half a surrogate pair, which is no character.
    Surrogate,
}

impl TextFault {
    /// The end of a sentence that begins with the name of the member: " must be a string, not a number".
    pub fn explain(self) -> String {
        match self {
            TextFault::NotString(kind) => format!("must be a string, not {kind}"),
            TextFault::Nul => "has the character \\u0000, which Postgres cannot store in a text".to_owned(),
            TextFault::Surrogate => {
                "has half a surrogate pair (\\ud800 to \\udfff), which is no character".to_owned()
            }
        }
    }
}

/// The text of a JSON string. `raw` is one valid JSON value without white space around it.
pub(crate) fn text(raw: &str) -> Result<Cow<'_, str>, TextFault> {
    let Some(inner) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(TextFault::NotString(kind(raw)));
    };
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let text: String = serde_json::from_str(raw).map_err(|_| TextFault::Surrogate)?;
    if text.contains('\0') { Err(TextFault::Nul) } else { Ok(Cow::Owned(text)) }
}

/// What a valid JSON value is, with its article, for messages.
pub(crate) fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// True when valid JSON nests deeper than `limit` arrays and objects.
pub(crate) fn deeper_than(text: &str, limit: usize) -> bool {
    // Each level takes two bytes, so nearly every message is done here.
    if text.len() <= 2 * limit {
        return false;
    }
    let mut depth = 0_usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(inside) = bytes.next() {
                    match inside {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

/// The beginning of a text that came from outside, short enough for a message.
pub(crate) fn clip(text: &str) -> Cow<'_, str> {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        push_string(&mut out, text);
        out
    }

    #[test]
    fn strings_are_escaped_as_serde_json_does() {
        let controls: String = (0..0x20_u8).map(char::from).collect();
        for text in [
            "",
            "plain",
            "\"",
            "\\",
            "a\"b\\c",
            "é\"漢\u{1F600}\\",
            "\u{7f}\u{2028}",
            "line\nline\t",
            &controls,
        ] {
            assert_eq!(escaped(text), serde_json::to_string(text).unwrap());
            // Across pieces, and at each place within one.
            for before in 0..2 * PIECE {
                let text = format!("{}{}é", "x".repeat(before), text.repeat(PIECE / 4));
                assert_eq!(escaped(&text), serde_json::to_string(&text).unwrap());
            }
        }
    }

    #[test]
    fn text_is_read_or_its_fault_is_named() {
        assert_eq!(text(r#""plain""#), Ok(Cow::Borrowed("plain")));
        assert_eq!(text(r#""""#), Ok(Cow::Borrowed("")));
        assert_eq!(text(r#""a\"\u00e9\ud83d\ude00""#).as_deref(), Ok("a\"é\u{1F600}"));
        assert_eq!(text(r#""a\u0000b""#), Err(TextFault::Nul));
        assert_eq!(text(r#""a\\u0000b""#).as_deref(), Ok("a\\u0000b"));
        assert_eq!(text(r#""\ud800""#), Err(TextFault::Surrogate));
        assert_eq!(text("17"), Err(TextFault::NotString("a number")));
        assert_eq!(text("null"), Err(TextFault::NotString("null")));
        assert_eq!(text("true"), Err(TextFault::NotString("a boolean")));
        assert_eq!(text("[]"), Err(TextFault::NotString("an array")));
        assert_eq!(text("{}"), Err(TextFault::NotString("an object")));
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!deeper_than(&nested(5), 5));
        assert!(deeper_than(&nested(6), 5));
        assert!(!deeper_than(&nested(1).repeat(100), 5));
        assert!(!deeper_than(&format!("[\"{}\\\"{}\"]", "[".repeat(50), "{".repeat(50)), 5));
        assert!(deeper_than(&format!("[\"\\\\\",{}]", nested(5)), 5));
    }

    #[test]
    fn long_text_is_clipped_at_a_character() {
        assert_eq!(clip("short"), "short");
        assert_eq!(clip(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(clip(&"é".repeat(101)), format!("{}…", "é".repeat(100)));
    }
}
