//! Parts of an object.
//!
//! A part of a text ends where a character ends, so whoever reads on from where a part ended never meets half a character.

/// How many of `bytes` to show as text: all of them, but for a character that is cut at their end when `more` bytes follow them in the
/// object. `None`: they are no text.
pub fn text_length(bytes: &[u8], more: bool) -> Option<usize> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Some(bytes.len()),
        // An error without a length is a character that is not complete.
        Err(error) if more && error.error_len().is_none() && error.valid_up_to() > 0 => {
            Some(error.valid_up_to())
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_not_cut() {
        let text = "aä".as_bytes();
        assert_eq!(text_length(text, true), Some(3));
        assert_eq!(text_length(&text[..2], true), Some(1));
        // At the end of the object it is broken, not cut.
        assert_eq!(text_length(&text[..2], false), None);
        assert_eq!(text_length(&text[2..], true), None);
        // Nothing could be shown at all.
        assert_eq!(text_length(&text[1..2], true), None);
        assert_eq!(text_length(b"\xffabc", true), None);
        assert_eq!(text_length(b"", false), Some(0));
    }
}
