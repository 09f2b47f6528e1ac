//! Cuts what comes in into lines, and makes what goes out one line.
//!
//! Invariant: no more of a line is held than a message may have; of a longer one nothing is kept.

use hyper::body::Bytes;

use super::skim::Skim;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its line feed.
    Whole(Vec<u8>),
    /// A line that was longer than a message may be and was not kept; its id as JSON text, if it had one.
    TooLong(Option<String>),
}

/// The line that is being read.
pub(super) struct Lines {
    most: usize,
    held: Vec<u8>,
    /// What there is to know of a line that is too long.
    skipped: Option<Skim>,
}

impl Lines {
    /// `most` is the size of the longest line in bytes.
    pub(super) fn new(most: usize) -> Lines {
        Lines { most, held: Vec::new(), skipped: None }
    }

    /// Takes what was read; gives the lines that end in it.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Vec<Line> {
        let mut found = Vec::new();
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.hold(&bytes[..end]);
            found.push(self.end());
            bytes = &bytes[end + 1..];
        }
        self.hold(bytes);
        found
    }

    /// The last line, if it had no line feed.
    pub(super) fn finish(mut self) -> Option<Line> {
        (self.skipped.is_some() || !self.held.is_empty()).then(|| self.end())
    }

    fn end(&mut self) -> Line {
        match self.skipped.take() {
            Some(skim) => Line::TooLong(skim.id()),
            None => Line::Whole(std::mem::take(&mut self.held)),
        }
    }

    fn hold(&mut self, part: &[u8]) {
        if self.skipped.is_none() && part.len() > self.most - self.held.len() {
            let mut skim = Skim::default();
            skim.pass(&std::mem::take(&mut self.held));
            self.skipped = Some(skim);
        }
        match &mut self.skipped {
            Some(skim) => skim.pass(part),
            None => self.held.extend_from_slice(part),
        }
    }
}

/// The message on one line: columns of type json keep their layout, so an answer may come with line breaks. They stand between tokens
/// only, since JSON has none inside strings (RFC 8259, sections 2 and 7), so that each can be a blank.
pub(super) fn one_line(message: Bytes) -> Bytes {
    let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !message.iter().any(breaks) {
        return message;
    }
    message.iter().map(|byte| if breaks(byte) { b' ' } else { *byte }).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(most: usize, chunks: &[&str]) -> Vec<String> {
        let mut lines = Lines::new(most);
        let mut found: Vec<Line> = chunks.iter().flat_map(|chunk| lines.push(chunk.as_bytes())).collect();
        found.extend(lines.finish());
        let show = |line| match line {
            Line::Whole(bytes) => String::from_utf8(bytes).expect("UTF-8"),
            Line::TooLong(id) => format!("too long{}", id.unwrap_or_default()),
        };
        found.into_iter().map(show).collect()
    }

    #[test]
    fn lines_come_whole_however_they_were_read() {
        assert_eq!(cut(9, &["one\ntwo\n"]), ["one", "two"]);
        assert_eq!(cut(9, &["o", "ne", "\n", "\ntwo"]), ["one", "", "two"]);
        assert_eq!(cut(9, &[]), [""; 0]);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_once_and_skipped() {
        assert_eq!(cut(3, &["abc\nabcd\nabc\n"]), ["abc", "too long", "abc"]);
        assert_eq!(cut(3, &["ab", "cd", "ef", "gh\nx\n"]), ["too long", "x"]);
        assert_eq!(cut(3, &["abcd"]), ["too long"]);
        assert_eq!(cut(3, &["{\"a", "\":5,\"i", "d\":6}\n{}"]), ["too long6", "{}"]);
        let mut lines = Lines::new(3);
        for _ in 0..1000 {
            lines.push(b"xxxxxxxxxx");
            assert!(lines.held.capacity() < 16, "nothing of it is kept");
        }
    }

    #[test]
    fn an_answer_is_one_line_and_means_the_same() {
        let laid_out = "{\"a\":\r\n [1,\n2], \"b\": \"x\\ny\"}";
        let line = one_line(Bytes::from_static(laid_out.as_bytes()));
        assert_eq!(line, "{\"a\":   [1, 2], \"b\": \"x\\ny\"}");
        let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&line), read(laid_out.as_bytes()));
    }
}
