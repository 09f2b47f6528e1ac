//! Finds the id of a message that is too long to be kept, while its bytes pass by: on one channel nothing else tells the client which of
//! its requests was refused.
//!
//! It holds one string or number of the outermost object, and of that no more than [`LONGEST`]. It does not judge the message: what is
//! no JSON may have an id or none, and the refusal is the same.

/// Longer ids, in bytes, are not echoed.
const LONGEST: usize = 256;

/// What has passed by.
#[derive(Default)]
pub(super) struct Skim {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Behind the colon of a member of the outermost object.
    in_value: bool,
    /// That member is called id.
    is_id: bool,
    /// The string or number that is passing by at this place.
    token: Vec<u8>,
    id: Option<String>,
}

impl Skim {
    /// Lets more of the message pass by.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.step(byte);
        }
    }

    /// The id as JSON text, if a string or an integer was found.
    pub(super) fn id(self) -> Option<String> {
        self.id
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            self.hold(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    if self.depth == 1 && !self.in_value {
                        self.is_id = self.token == b"\"id\"";
                    }
                }
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 && !self.in_value {
                    self.token.clear();
                }
                self.hold(byte);
            }
            b'{' | b'[' => {
                self.hold(byte);
                self.depth = self.depth.saturating_add(1);
            }
            b'}' | b']' => {
                self.end_member();
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 => {
                self.in_value = true;
                self.token.clear();
            }
            b',' => self.end_member(),
            byte if byte.is_ascii_whitespace() => {}
            byte => self.hold(byte),
        }
    }

    fn hold(&mut self, byte: u8) {
        // One byte more than an id may have tells that there were more.
        if self.depth == 1 && self.token.len() <= LONGEST {
            self.token.push(byte);
        }
    }

    fn end_member(&mut self) {
        if self.depth != 1 {
            return;
        }
        if self.in_value && self.is_id && self.token.len() <= LONGEST {
            let value = serde_json::from_slice::<serde_json::Value>(&self.token).ok();
            let is_id = value.is_some_and(|value| value.is_string() || value.is_i64() || value.is_u64());
            self.id = std::str::from_utf8(&self.token).ok().filter(|_| is_id).map(str::to_owned);
        }
        (self.in_value, self.is_id) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<String> {
        let mut skim = Skim::default();
        // However it is cut.
        for byte in text.as_bytes() {
            skim.pass(&[*byte]);
        }
        skim.id()
    }

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        for (text, found) in [
            (r#"{"id":1,"params":{"id":2,"x":"#, Some("1")),
            (r#"{"params":{"id":2,"x":[{"id":3}]}, "method":"a","id" : "a\"b" }"#, Some(r#""a\"b""#)),
            (r#"{"method":"\"id\":5,","jsonrpc":"2.0","id":-7}"#, Some("-7")),
            (r#"{"x":"}","y":"\\","id":3}"#, Some("3")),
            (r#"{"x":[1,2,{"a":","}],"id":18446744073709551615}"#, Some("18446744073709551615")),
            (r#"{"params":{"id":2}}"#, None),
            (r#"{"id":{"id":1}}"#, None),
            (r#"{"id":[1]}"#, None),
            (r#"{"id":1.5}"#, None),
            (r#"{"id":null}"#, None),
            (r#"{"id":tru"#, None),
            (r#"[{"id":1}]"#, None),
            (r#""id":1"#, None),
            (r#"{"identity":1}"#, None),
            ("}}}}{{\"id\":1", None),
            ("", None),
        ] {
            assert_eq!(id(text).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn little_is_held() {
        let long = "x".repeat(LONGEST);
        assert_eq!(id(&format!(r#"{{"id":"{long}"}}"#)), None);
        let mut skim = Skim::default();
        skim.pass(b"{\"a\":\"");
        skim.pass("x".repeat(1_000_000).as_bytes());
        assert!(skim.token.capacity() <= 4 * LONGEST);
        skim.pass(b"\",\"id\":9}");
        assert_eq!(skim.id().as_deref(), Some("9"));
    }
}
