//! The memory in which records wait.

use std::collections::VecDeque;

use fluxbase_record::buffer::{BLOCK, BLOCKS, DATABASES, SHARE};
use fluxbase_record::record::Records;
use fluxbase_record::{Buffer, Kept, Record};
use proptest::prelude::*;

fn record(pid: i32, size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    Record { pid, arguments: &"x".repeat(size), ..Record::default() }.encode(&mut out);
    out
}

fn pids(bytes: &[u8]) -> Vec<i32> {
    Records(bytes).map(|record| record.pid).collect()
}

fn read(buffer: &Buffer, database: u32) -> Vec<u8> {
    let mut out = Vec::new();
    buffer.read(database, usize::MAX, &mut out);
    out
}

#[test]
fn what_is_read_stays_until_it_is_released() {
    let mut buffer = Box::<Buffer>::default();
    assert_eq!(buffer.keep(1, &record(10, 0)), Kept::Waits { first: true, pressed: false });
    assert_eq!(buffer.keep(1, &record(11, 0)), Kept::Waits { first: false, pressed: false });
    let taken = read(&buffer, 1);
    assert_eq!(pids(&taken), [10, 11]);
    // What comes meanwhile is not released with it.
    buffer.keep(1, &record(12, 0));
    assert_eq!(pids(&read(&buffer, 1)), [10, 11, 12]);
    buffer.release(1, taken.len());
    assert_eq!((pids(&read(&buffer, 1)), buffer.waiting(1)), (vec![12], 1));
    let taken = read(&buffer, 1);
    buffer.release(1, taken.len());
    assert_eq!(buffer.keep(1, &record(13, 0)), Kept::Waits { first: true, pressed: false });
}

#[test]
fn what_finds_no_room_is_counted_and_another_database_still_has_some() {
    let mut buffer = Box::<Buffer>::default();
    let one = record(1, 3900);
    let mut kept = 0_u32;
    while let Kept::Waits { .. } = buffer.keep(1, &one) {
        kept += 1;
    }
    assert_eq!(kept as usize, SHARE * (BLOCK / one.len()));
    assert!(buffer.pressed(1) && !buffer.has_room(1, 1));
    assert_eq!(buffer.keep(1, &one), Kept::Lost);
    assert_eq!((buffer.waiting(1), buffer.lost(1), buffer.lost(2)), (kept, 2, 0));
    assert!(matches!(buffer.keep(2, &one), Kept::Waits { first: true, .. }));
    buffer.told_lost(1, 2);
    assert_eq!(buffer.lost(1), 0);
    let taken = read(&buffer, 1);
    buffer.release(1, taken.len());
    assert!(buffer.has_room(1, SHARE) && buffer.has_room(2, BLOCKS - SHARE));
}

#[test]
fn too_many_databases_are_lost_and_do_no_harm() {
    let mut buffer = Box::<Buffer>::default();
    for database in 1..=DATABASES as u32 {
        assert!(matches!(buffer.keep(database, &record(1, 0)), Kept::Waits { .. }));
    }
    assert_eq!(buffer.keep(1000, &record(1, 0)), Kept::Lost);
    assert!(!buffer.has_room(1000, 1));
    buffer.release(1000, 10);
}

#[test]
fn several_records_at_once_are_kept_one_by_one() {
    let mut buffer = Box::<Buffer>::default();
    let three = [record(1, 3900), record(2, 3900), record(3, 3900)].concat();
    assert_eq!(buffer.keep(1, &three), Kept::Waits { first: true, pressed: false });
    assert_eq!((pids(&read(&buffer, 1)), buffer.waiting(1)), (vec![1, 2, 3], 3));
}

#[derive(Clone, Debug)]
enum Step {
    Keep(u32, usize),
    Read(u32, usize),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is kept, read and released in whatever order: nothing is lost uncounted, nothing comes twice, the order stays.
    #[test]
    fn it_is_a_queue_for_each_database(steps in proptest::collection::vec(
        prop_oneof![
            3 => (1u32..4, 0usize..4000).prop_map(|(database, size)| Step::Keep(database, size)),
            1 => (1u32..4, 1usize..200_000).prop_map(|(database, most)| Step::Read(database, most)),
        ], 0..900)) {
        let mut buffer = Box::<Buffer>::default();
        let mut model: [VecDeque<i32>; 4] = Default::default();
        let mut lost = [0_u64; 4];
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Keep(database, size) => match buffer.keep(database, &record(n as i32, size)) {
                    Kept::Waits { first, .. } => {
                        prop_assert_eq!(first, model[database as usize].is_empty());
                        model[database as usize].push_back(n as i32);
                    }
                    Kept::Lost => lost[database as usize] += 1,
                },
                Step::Read(database, most) => {
                    let mut out = Vec::new();
                    buffer.read(database, most, &mut out);
                    for pid in pids(&out) {
                        prop_assert_eq!(model[database as usize].pop_front(), Some(pid));
                    }
                    buffer.release(database, out.len());
                }
            }
            for database in 1..4 {
                prop_assert_eq!(buffer.waiting(database) as usize, model[database as usize].len());
                prop_assert_eq!(buffer.lost(database), lost[database as usize]);
            }
        }
        for database in 1..4 {
            prop_assert_eq!(pids(&read(&buffer, database)), Vec::from(model[database as usize].clone()));
        }
    }
}
