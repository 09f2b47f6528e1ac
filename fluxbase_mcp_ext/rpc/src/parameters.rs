//! `$name` ▶ `$1`.

/// A text with numbered parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The statement as Postgres reads it.
    pub sql: String,
    /// The name of `$1`, of `$2`, …; each once, in the order in which they first appear.
    pub names: Vec<String>,
}

/// Numbers the parameters of a statement.
///
/// # Errors
/// A sentence about what the text has that a stored statement cannot have: `$1`, or a quote or comment without an end.
pub fn parameters(text: &str) -> Result<Parameters, String> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut found = Parameters { sql: String::with_capacity(text.len() + 16), names: Vec::new() };
    while let Some(byte) = scan.peek(0) {
        let begin = scan.at;
        match byte {
            b'\'' => scan.string(false)?,
            b'"' => scan.quoted()?,
            b'-' if scan.peek(1) == Some(b'-') => scan.line(),
            b'/' if scan.peek(1) == Some(b'*') => scan.block()?,
            b'$' => {
                if let Some(name) = scan.dollar(text)? {
                    let number = found.names.iter().position(|known| known == name).unwrap_or_else(|| {
                        found.names.push(name.to_owned());
                        found.names.len() - 1
                    });
                    // A number before it would become another one.
                    if text[..begin].ends_with(|last: char| last.is_ascii_digit()) {
                        found.sql.push(' ');
                    }
                    found.sql.push_str(&format!("${}", number + 1));
                    continue;
                }
            }
            _ if begins_name(byte) => {
                scan.name();
                let word = &text[begin..scan.at];
                if word.eq_ignore_ascii_case("e") && scan.peek(0) == Some(b'\'') {
                    scan.string(true)?;
                }
            }
            _ => scan.at += 1,
        }
        found.sql.push_str(&text[begin..scan.at]);
    }
    Ok(found)
}

fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn in_tag(byte: u8) -> bool {
    begins_name(byte) || byte.is_ascii_digit()
}

/// Where the lexer stands. It always stops between characters: what it looks for is ASCII.
pub(crate) struct Scan<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl Scan<'_> {
    pub(crate) fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// A word that is no keyword for us: letters, digits, `_` and `$`.
    fn name(&mut self) {
        while self.peek(0).is_some_and(|byte| in_tag(byte) || byte == b'$') {
            self.at += 1;
        }
    }

    /// A string from its quote on; with `escapes` a backslash takes the next character along. A string that goes on after a new line
    /// is the same string, with the same escapes.
    fn string(&mut self, escapes: bool) -> Result<(), String> {
        loop {
            self.at += 1;
            loop {
                match self.peek(0) {
                    None => return Err("a string has no end.".to_owned()),
                    Some(b'\\') if escapes => self.skip_character(2),
                    Some(b'\'') if self.peek(1) == Some(b'\'') => self.at += 2,
                    Some(b'\'') => break,
                    Some(_) => self.at += 1,
                }
            }
            self.at += 1;
            let after = self.at;
            if !(self.gap_with_new_line() && self.peek(0) == Some(b'\'')) {
                self.at = after;
                return Ok(());
            }
        }
    }

    /// Past the next `count` bytes and the rest of the character that they end in.
    fn skip_character(&mut self, count: usize) {
        self.at = (self.at + count).min(self.bytes.len());
        while self.peek(0).is_some_and(|byte| byte & 0xc0 == 0x80) {
            self.at += 1;
        }
    }

    /// White space and `--` comments; whether a line ended in them.
    fn gap_with_new_line(&mut self) -> bool {
        let mut ended = false;
        loop {
            match self.peek(0) {
                Some(b'\n' | b'\r') => {
                    ended = true;
                    self.at += 1;
                }
                Some(b' ' | b'\t' | 0x0b | 0x0c) => self.at += 1,
                Some(b'-') if self.peek(1) == Some(b'-') => self.line(),
                _ => return ended,
            }
        }
    }

    fn quoted(&mut self) -> Result<(), String> {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == b'"' {
                return Ok(());
            }
        }
        Err("a quoted name has no end.".to_owned())
    }

    pub(crate) fn line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n' && byte != b'\r') {
            self.at += 1;
        }
    }

    /// Comments of this kind nest.
    pub(crate) fn block(&mut self) -> Result<(), String> {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (Some(_), _) => self.at += 1,
                (None, _) => return Err("a comment has no end.".to_owned()),
            }
        }
    }

    /// What begins with `$`: a parameter, whose name comes back, or a dollar quote, which is passed by.
    fn dollar<'t>(&mut self, text: &'t str) -> Result<Option<&'t str>, String> {
        let begin = self.at;
        self.at += 1;
        match self.peek(0) {
            Some(b'$') => {}
            Some(byte) if begins_name(byte) => {
                while self.peek(0).is_some_and(in_tag) {
                    self.at += 1;
                }
                if self.peek(0) != Some(b'$') {
                    return Ok(Some(&text[begin + 1..self.at]));
                }
            }
            Some(byte) if byte.is_ascii_digit() => {
                return Err("it has a parameter with a number; write its name, such as $user_id.".to_owned());
            }
            _ => return Ok(None),
        }
        self.at += 1;
        let tag = &text[begin..self.at];
        match text[self.at..].find(tag) {
            Some(end) => {
                self.at += end + tag.len();
                Ok(None)
            }
            None => Err(format!("the text that {} begins has no end.", tag.escape_debug())),
        }
    }
}
