//! What a function writes, as lines of our log with its name in front. Bounded in length; control characters are shown as `?`.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line in bytes. The rest of a longer one is left out, and the line says so.
const LONGEST: usize = 4096;

/// Logs until the other side ends. Must go on reading whatever comes: a function would stop at a full pipe.
pub(super) async fn log(mut from: impl AsyncRead + Unpin, title: String, errors: bool) {
    let mut lines = Lines::default();
    let mut bytes = vec![0; 8192];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        let told = |line: &str| match errors {
            true => tracing::warn!("{title}: {line}"),
            false => tracing::info!("{title}: {line}"),
        };
        match count {
            0 => return lines.end(told),
            count => lines.add(&bytes[..count], told),
        }
    }
}

#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    /// Bytes that were left out of the line.
    more: usize,
}

impl Lines {
    fn add(&mut self, bytes: &[u8], mut told: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = LONGEST - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            self.more += text.len().saturating_sub(room);
            if ended {
                self.end(&mut told);
            }
        }
    }

    fn end(&mut self, mut told: impl FnMut(&str)) {
        if !self.line.is_empty() {
            let text = String::from_utf8_lossy(&self.line);
            let mut text: String =
                text.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect();
            if self.more > 0 {
                text.push_str(&format!(" … and {} bytes more", self.more));
            }
            told(text.trim_end_matches('?'));
        }
        self.line.clear();
        self.more = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_bounded_and_plain() {
        let mut told = Vec::new();
        let mut lines = Lines::default();
        let long = "x".repeat(LONGEST + 10);
        for part in ["one\ntw", "o\n\n\x1b[31mred\n", long.as_str(), "y\nlast"] {
            lines.add(part.as_bytes(), |line| told.push(line.to_owned()));
        }
        lines.end(|line| told.push(line.to_owned()));
        let cut = format!("{} … and 11 bytes more", "x".repeat(LONGEST));
        assert_eq!(told, ["one", "two", "?[31mred", cut.as_str(), "last"]);
    }
}
