//! Inputs made worse: tokens and bytes moved, doubled, exchanged, also between two inputs.

use crate::random::Random;

/// Pieces that the grammars know, and some that they do not.
const PIECES: [&str; 64] = [
    "(",
    ")",
    "()",
    "!",
    "!inner",
    "!left",
    "...",
    ":",
    "::",
    "::text",
    "::int",
    ".",
    ",",
    "->",
    "->>",
    "->0",
    "\\\"",
    "\\\"\\\"",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "9223372036854775808",
    "0.1",
    "\"and\":[",
    "\"or\":",
    "\"not\":",
    "not.",
    "eq.",
    "in.(",
    "is.null",
    "isnot.null",
    "like(any).{",
    "eq(all).(",
    "fts(english).",
    "count()",
    ".sum()",
    ".desc",
    ".nullslast",
    " nulls first",
    "*",
    "\"\"",
    " ",
    "\\u0000",
    "\\ud800",
    "\\u202e",
    "é",
    "🦀",
    "id",
    "people",
    "books",
    "author_id",
    "tags",
    "data",
    "types",
    "none",
];

/// Changes a text in one to four places. `other` lends pieces.
pub fn mutate(random: &mut Random, text: &str, other: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..random.below(4) + 1 {
        if random.one_in(3) {
            change_bytes(random, &mut bytes)
        } else {
            change_tokens(random, &mut bytes, other)
        }
        if bytes.len() > 20_000 {
            bytes.truncate(20_000);
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

fn change_bytes(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    match random.below(5) {
        0 if at < bytes.len() => _ = bytes.remove(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 => bytes.insert(at, b' ' + random.below(95) as u8),
        3 if at < bytes.len() => bytes.swap(at, random.below(at + 1)),
        _ => {
            let end = (at + random.below(12)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, part);
        }
    }
}

fn change_tokens(random: &mut Random, bytes: &mut Vec<u8>, other: &str) {
    let spans = spans(bytes);
    if spans.is_empty() {
        bytes.extend_from_slice(random.pick(&PIECES).as_bytes());
        return;
    }
    let (start, end) = *random.pick(&spans);
    match random.below(7) {
        0 => _ = bytes.drain(start..end),
        1 => _ = bytes.splice(start..end, random.pick(&PIECES).bytes()),
        2 => _ = bytes.splice(end..end, random.pick(&PIECES).bytes()),
        3 => {
            let (from, to) = *random.pick(&spans);
            let part = bytes[from..to].to_vec();
            bytes.splice(start..end, part);
        }
        4 => {
            // A run of tokens doubled.
            let (_, far) = *random.pick(&spans);
            let part = bytes[start..far.max(end)].to_vec();
            if part.len() < 2000 {
                bytes.splice(end..end, part);
            }
        }
        5 => {
            let (_, far) = *random.pick(&spans);
            bytes.drain(start..far.max(end));
        }
        _ => {
            let lent = self::spans(other.as_bytes());
            if !lent.is_empty() {
                let (from, _) = *random.pick(&lent);
                let (_, to) = *random.pick(&lent);
                if from < to && to - from < 2000 {
                    bytes.splice(start..end, other.as_bytes()[from..to].iter().copied());
                }
            }
        }
    }
}

/// Where tokens begin and end: words, numbers, arrows, single characters.
fn spans(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let mut end = start + 1;
        if word(&bytes[start]) {
            end = start + bytes[start..].iter().take_while(|byte| word(byte)).count();
        }
        spans.push((start, end));
        start = end;
    }
    spans
}
