//! Bytes of records: what goes in comes out, and what is no record is nothing.

use fluxbase_record::record::{ARGUMENTS, MOST, Records, TEXT, abort, size_of};
use fluxbase_record::{Outcome, Record, Source};
use proptest::prelude::*;

fn bytes(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

#[test]
fn a_record_comes_back_as_it_was() {
    let record = Record {
        at: -5,
        duration: 1234,
        pid: 77,
        role: 16_384,
        login: 10,
        times: 3,
        rows: Some(0),
        source: Source::Http,
        outcome: Outcome::Denied,
        status: 200,
        rpc_code: -32_006,
        sqlstate: *b"42501",
        address: Some("2001:db8::1".parse().unwrap()),
        key_id: "0123456789abcdef",
        method: "tools/call",
        tool: "query_table",
        object: "public.ö",
        note: "why",
        arguments: "{}",
    };
    let mut two = bytes(&record);
    Record::default().encode(&mut two);
    assert_eq!(Records(&two).collect::<Vec<_>>(), [record, Record::default()]);
    assert_eq!(size_of(&two[..two.len() / 2]), None, "a part of a record");
}

#[test]
fn long_texts_are_cut_between_characters() {
    let long = "ä".repeat(5000);
    let record = Record {
        key_id: &long,
        method: &long,
        tool: &long,
        object: &long,
        note: &long,
        arguments: &long,
        ..Record::default()
    };
    let bytes = bytes(&record);
    assert!(bytes.len() <= MOST);
    let read = Records(&bytes).next().expect("it is a record");
    assert_eq!((read.object.len(), read.arguments.len()), (TEXT, ARGUMENTS));
    assert!(long.starts_with(read.object));
}

#[test]
fn a_rollback_changes_what_had_gone_well_and_nothing_else() {
    let mut all = Vec::new();
    for outcome in [Outcome::Ok, Outcome::Error, Outcome::Undone, Outcome::Denied] {
        Record { outcome, sqlstate: *b"22023", ..Record::default() }.encode(&mut all);
    }
    abort(&mut all, *b"40001");
    let read: Vec<_> = Records(&all).map(|record| (record.outcome, record.sqlstate)).collect();
    assert_eq!(
        read,
        [
            (Outcome::Aborted, *b"40001"),
            (Outcome::Error, *b"22023"),
            (Outcome::Aborted, *b"40001"),
            (Outcome::Denied, *b"22023"),
        ]
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Records(&bytes).count();
    }

    #[test]
    fn damaged_records_are_read_without_harm(at in 0usize..200, byte in any::<u8>()) {
        let mut all = bytes(&Record { object: "public.notes", method: "tools/call", ..Record::default() });
        let at = at % all.len();
        all[at] = byte;
        let _ = Records(&all).count();
        abort(&mut all, [0; 5]);
    }
}
