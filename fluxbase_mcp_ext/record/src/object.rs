//! The name of what a call of a built-in tool is about, out of its arguments as they were sent: no value of a filter, of a row or of a file.

/// Members whose values are names, in the order in which they are joined.
const NAMES: [&str; 9] =
    ["table", "bucket", "knowledge_base", "namespace", "name", "key", "prefix", "job_name", "job_id"];

/// No more than this of the arguments is looked at, in bytes: what names something stands before what is stored.
const LOOK: usize = 16 * 1024;

/// The names among the members of a JSON object, joined by `/`. Other members, and names that are no strings, are passed over; the text is one
/// that somebody else has found to be JSON, or will: what is not is no name.
pub fn named(arguments: &str, out: &mut String) {
    let mut found: [Option<&str>; NAMES.len()] = [None; NAMES.len()];
    let mut scanner = Scanner { text: arguments.as_bytes(), at: 0 };
    if scanner.next() != Some(b'{') {
        return;
    }
    while scanner.at < LOOK {
        let Some(member) = scanner.string() else { break };
        if scanner.next() != Some(b':') {
            break;
        }
        let (from, to) = match scanner.value() {
            Some(value) => value,
            None => break,
        };
        let place = NAMES.iter().position(|name| arguments.get(member.0..member.1) == Some(name));
        let value = arguments.get(from..to).and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
        if let (Some(place), Some(value)) = (place, value) {
            found[place] = Some(value);
        }
        if scanner.next() != Some(b',') {
            break;
        }
    }
    for (n, name) in found.into_iter().flatten().enumerate() {
        if n > 0 {
            out.push('/');
        }
        out.push_str(name);
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn skip_space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = self.text.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// Where the inside of a string begins and ends.
    fn string(&mut self) -> Option<(usize, usize)> {
        if self.next()? != b'"' {
            return None;
        }
        let from = self.at;
        loop {
            match self.text.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some((from, self.at - 1));
                }
                _ => self.at += 1,
            }
        }
    }

    /// Where a value begins and ends, whatever it is.
    fn value(&mut self) -> Option<(usize, usize)> {
        self.skip_space();
        let from = self.at;
        let mut depth = 0_u32;
        loop {
            match self.text.get(self.at)? {
                b'"' => _ = self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b'}' if depth == 0 => {
                    return Some((from, self.at - trailing_space(&self.text[from..self.at])));
                }
                _ => self.at += 1,
            }
        }
    }
}

fn trailing_space(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count()
}
