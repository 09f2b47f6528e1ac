//! Request ids, which join an answer with its log line: unique across processes by their first half, counted in the second.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where ids come from.
pub(crate) struct Ids {
    prefix: u32,
    next: AtomicU64,
}

impl Ids {
    pub(crate) fn new() -> Ids {
        use std::hash::{BuildHasher, RandomState};
        Ids { prefix: RandomState::new().hash_one(std::process::id()) as u32, next: AtomicU64::new(1) }
    }

    /// The next one.
    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let digits = (64 - number.leading_zeros()).div_ceil(4).max(6);
        let mut id = String::with_capacity(8 + 1 + 16);
        push_hex(&mut id, self.prefix.into(), 8);
        id.push('-');
        push_hex(&mut id, number, digits);
        id
    }
}

fn push_hex(text: &mut String, value: u64, digits: u32) {
    let digit = |at: u32| char::from(b"0123456789abcdef"[(value >> (4 * at)) as usize & 15]);
    text.extend((0..digits).rev().map(digit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_do_not_repeat() {
        let ids = Ids { prefix: 0xab, next: AtomicU64::new(0xff_fffe) };
        assert_eq!(
            [ids.next(), ids.next(), ids.next()].join(" "),
            "000000ab-fffffe 000000ab-ffffff 000000ab-1000000"
        );
    }
}
