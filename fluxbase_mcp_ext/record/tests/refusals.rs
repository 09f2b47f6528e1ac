//! Refused keys and limits are counted, and however many there are, few become due.

use std::net::IpAddr;

use fluxbase_record::refusals::{ENTRIES, MOST, PAUSE};
use fluxbase_record::{Refusal, Refusals, Why};

fn due(refusals: &mut Refusals, now: i64, all: bool) -> Vec<Refusal> {
    let mut out = Vec::new();
    refusals.due(1, now, all, &mut out);
    out
}

#[test]
fn a_first_refusal_is_due_at_once_and_the_next_ones_together() {
    let mut refusals = Refusals::default();
    let here: Option<IpAddr> = "192.0.2.1".parse().ok();
    let start = 100 * PAUSE;
    assert!(refusals.count(1, Why::Unknown, "0123456789abcdef", here, 1, start));
    let first = due(&mut refusals, start, false);
    assert_eq!((first.len(), first[0].times, first[0].key_id()), (1, 1, "0123456789abcdef"));
    assert_eq!((first[0].address, first[0].why), (here, Why::Unknown));
    refusals.written(&first, start);
    for n in 1..=9 {
        assert!(!refusals.count(1, Why::Unknown, "0123456789abcdef", here, 1, start + n));
    }
    assert_eq!(due(&mut refusals, start + 10, false), []);
    let later = due(&mut refusals, start + PAUSE, false);
    assert_eq!(
        (later.len(), later[0].times, later[0].first_at, later[0].last_at),
        (1, 9, start + 1, start + 9)
    );
    assert!(refusals.waiting(1) && !refusals.waiting(2));
    // What comes while it is written is not lost.
    refusals.count(1, Why::Unknown, "0123456789abcdef", here, 1, start + PAUSE);
    refusals.written(&later, start + PAUSE);
    assert_eq!(due(&mut refusals, start + PAUSE, true)[0].times, 1);
}

#[test]
fn kinds_keys_addresses_and_databases_are_told_apart() {
    let mut refusals = Refusals::default();
    let address = |text: &str| text.parse().ok();
    refusals.count(1, Why::Unknown, "a", address("192.0.2.1"), 1, 0);
    refusals.count(1, Why::Revoked, "a", address("192.0.2.1"), 1, 0);
    refusals.count(1, Why::Unknown, "b", address("192.0.2.1"), 1, 0);
    refusals.count(1, Why::Unknown, "a", address("2001:db8::1"), 1, 0);
    refusals.count(2, Why::Unknown, "a", address("192.0.2.1"), 1, 0);
    assert_eq!(due(&mut refusals, 0, true).len(), 4);
}

#[test]
fn a_flood_is_counted_in_full_and_written_in_few_rows() {
    let mut refusals = Refusals::default();
    let (mut rows, mut written) = (0, 0);
    let flood = 100_000_u32;
    for n in 0..flood {
        let now = i64::from(n) * 100;
        refusals.count(1, Why::Unknown, &format!("{n:016x}"), Some(IpAddr::from(n.to_be_bytes())), 1, now);
        if n % 1000 == 0 {
            let now_due = due(&mut refusals, now, false);
            rows += now_due.len();
            written += now_due.iter().map(|one| one.times).sum::<u32>();
            refusals.written(&now_due, now);
        }
    }
    assert!(rows <= MOST as usize * 2, "{rows} rows in ten seconds");
    let rest = due(&mut refusals, i64::from(flood) * 100, true);
    assert!(rest.len() <= ENTRIES);
    assert_eq!(written + rest.iter().map(|one| one.times).sum::<u32>(), flood);
}

#[test]
fn the_words_come_back() {
    for word in
        ["no key, or a malformed one", "too many wrong keys from this address", "host or origin not allowed"]
    {
        assert_eq!(Why::parse(word).map(Why::as_str), Some(word));
    }
    assert_eq!(Why::parse("anything"), None);
}
