//! Slots of schedules, clocks that change, and runs that were missed.

use chrono::{DateTime, NaiveDateTime};
use fluxbase_schedule::{Fault, MOST_MISSED, Missed, Schedule, is_rfc3339};
use proptest::prelude::*;

fn at(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a time").and_utc().timestamp()
}

fn shown(slot: i64) -> String {
    DateTime::from_timestamp(slot, 0).expect("a time").format("%Y-%m-%d %H:%M").to_string()
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone, at("2026-01-01 00:00")).expect("a schedule")
}

/// The next slots, in UTC.
fn next(expression: &str, zone: &str, after: &str, number: usize) -> Vec<String> {
    let schedule = schedule(expression, zone);
    let mut moment = at(after);
    let mut slots = Vec::new();
    for _ in 0..number {
        moment = schedule.next(moment).expect("a slot");
        slots.push(shown(moment));
    }
    slots
}

#[test]
fn names_lists_ranges_and_steps() {
    assert_eq!(
        next("*/20 * * * *", "UTC", "2026-11-22 10:05", 3),
        ["2026-11-22 10:20", "2026-11-22 10:40", "2026-11-22 11:00"]
    );
    // 2026-11-22 is a Sunday.
    assert_eq!(
        next("30 6 * * MON-FRI", "UTC", "2026-11-26 12:00", 2),
        ["2026-11-27 06:30", "2026-11-30 06:30"]
    );
    assert_eq!(
        next("0 0 1,15 JAN,jul *", "UTC", "2026-01-02 00:00", 3),
        ["2026-01-15 00:00", "2026-07-01 00:00", "2026-07-15 00:00"]
    );
    // Both 0 and 7 are Sunday.
    assert_eq!(
        next("0 0 * * 0", "UTC", "2026-11-20 00:00", 2),
        next("0 0 * * 7", "UTC", "2026-11-20 00:00", 2)
    );
    // Day of month and day of week together: either.
    assert_eq!(
        next("0 0 13 * FRI", "UTC", "2026-11-07 00:00", 3),
        ["2026-11-13 00:00", "2026-11-20 00:00", "2026-11-27 00:00"]
    );
    assert_eq!(next("0 12 L * *", "UTC", "2028-02-01 00:00", 1), ["2028-02-29 12:00"]);
    assert_eq!(next("@daily", "UTC", "2026-11-22 10:05", 1), ["2026-11-23 00:00"]);
    assert_eq!(next("0 0 29 2 *", "UTC", "2026-11-22 00:00", 1), ["2028-02-29 00:00"]);
}

#[test]
fn a_slot_is_after_the_moment_and_never_at_it() {
    assert_eq!(next("0 9 * * *", "UTC", "2026-11-22 09:00", 1), ["2026-11-23 09:00"]);
    assert_eq!(next("0 9 * * *", "UTC", "2026-11-22 08:59", 1), ["2026-11-22 09:00"]);
}

#[test]
fn a_zone_moves_the_slots() {
    assert_eq!(next("0 9 * * *", "Asia/Kolkata", "2026-11-22 00:00", 1), ["2026-11-22 03:30"]);
    assert_eq!(
        next("0 9 * * *", "Europe/Berlin", "2026-03-28 00:00", 2),
        ["2026-03-28 08:00", "2026-03-29 07:00"]
    );
}

#[test]
fn an_hour_that_is_left_out() {
    // Berlin, 2026-03-29: 02:00 is 03:00, at 01:00 UTC.
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", 2),
        ["2026-03-29 01:00", "2026-03-30 00:30"]
    );
    // With a wildcard nothing is made up for.
    assert_eq!(
        next("30 * * * *", "Europe/Berlin", "2026-03-29 00:00", 3),
        ["2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 02:30"]
    );
}

#[test]
fn an_hour_that_comes_twice() {
    // Berlin, 2026-10-25: 03:00 is 02:00, at 01:00 UTC.
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", 2),
        ["2026-10-25 00:30", "2026-10-26 01:30"]
    );
    assert_eq!(
        next("30 * * * *", "Europe/Berlin", "2026-10-24 23:45", 4),
        ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30", "2026-10-25 03:30"]
    );
}

#[test]
fn what_is_refused() {
    let refused = |expression: &str, zone: &str| {
        Schedule::parse(expression, zone, at("2026-01-01 00:00")).expect_err("refused")
    };
    for expression in [
        "",
        "* * * *",
        "* * * * * *",
        "0 0 0 1 1 * 2026",
        "61 * * * *",
        "0 25 * * *",
        "0 0 * FOO *",
        "MON",
        "@never",
        "0 0 32 * *",
    ] {
        assert!(matches!(refused(expression, "UTC"), Fault::Expression(..)), "{expression}");
    }
    assert!(matches!(refused("0 0 30 2 *", "UTC"), Fault::Never(_)));
    assert!(matches!(refused("0 0 * * *", "Europe/Atlantis"), Fault::Zone(_)));
    assert!(matches!(refused("0 0 * * *", ""), Fault::Zone(_)));
    assert!("twice".parse::<Missed>().is_err());
    assert!(refused("* * * *", "UTC").to_string().contains("4 fields, not five"));
}

#[test]
fn runs_that_were_missed() {
    let hourly = schedule("0 * * * *", "UTC");
    let due = |first: &str, now: i64, missed| {
        hourly.due(at(first), now, missed).into_iter().map(shown).collect::<Vec<_>>()
    };
    let first = "2026-11-22 01:00";
    let (early, punctual, late) = (at(first) - 1, at("2026-11-22 03:00") + 5, at("2026-11-22 03:30"));
    for missed in [Missed::Skip, Missed::RunOnce, Missed::RunAll] {
        assert_eq!(due(first, early, missed), Vec::<String>::new());
        assert_eq!(due(first, at(first), missed), [first]);
    }
    assert_eq!(due(first, punctual, Missed::Skip), ["2026-11-22 03:00"]);
    assert_eq!(due(first, late, Missed::Skip), Vec::<String>::new());
    assert_eq!(due(first, late, Missed::RunOnce), ["2026-11-22 03:00"]);
    assert_eq!(
        due(first, late, Missed::RunAll),
        ["2026-11-22 01:00", "2026-11-22 02:00", "2026-11-22 03:00"]
    );
    // A year away, each minute.
    let each_minute =
        schedule("* * * * *", "UTC").due(at("2026-01-01 00:00"), at("2027-01-01 00:00"), Missed::RunAll);
    assert_eq!(each_minute.len(), MOST_MISSED);
    assert_eq!(shown(each_minute[MOST_MISSED - 1]), "2027-01-01 00:00");
    assert_eq!(shown(each_minute[0]), "2026-12-31 22:21");
}

#[test]
fn moments() {
    for text in ["2026-11-22T09:00:00Z", "2026-11-22T09:00:00.5+05:30", "2026-11-22t09:00:00z"] {
        assert!(is_rfc3339(text), "{text}");
    }
    for text in [
        "",
        "now",
        "tomorrow",
        "infinity",
        "2026-11-22",
        "2026-11-22T09:00:00",
        "2026-13-01T00:00:00Z",
        "20261122T090000Z",
    ] {
        assert!(!is_rfc3339(text), "{text}");
    }
}

const EXPRESSIONS: [&str; 8] = [
    "* * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 0 * * SUN",
    "15 1-3 * * *",
    "59 23 L * *",
    "0 2,3 25-31 3,10 *",
    "0 */5 * * 1-5",
];
const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What looks ahead and what looks back agree: no slot is left out, none is made up, whatever clocks do.
    #[test]
    fn forward_and_backward_agree(expression in 0..EXPRESSIONS.len(), zone in 0..ZONES.len(), start in 1_500_000_000i64..2_000_000_000, away in 0i64..12 * 86_400) {
        let schedule = Schedule::parse(EXPRESSIONS[expression], ZONES[zone], start).expect("a schedule");
        let (first, now) = (schedule.next(start).expect("a slot"), start + away);
        let mut forward = Vec::new();
        let mut moment = start;
        while let Some(slot) = schedule.next(moment).filter(|&slot| slot <= now) {
            prop_assert!(slot > moment);
            forward.push(slot);
            moment = slot;
        }
        let kept = &forward[forward.len().saturating_sub(MOST_MISSED)..];
        prop_assert_eq!(schedule.due(first, now, Missed::RunAll), kept);
        prop_assert_eq!(schedule.due(first, now, Missed::RunOnce).first().copied(), forward.last().copied());
    }

    /// Nothing that somebody types panics or takes long.
    #[test]
    fn any_text_is_read_or_refused(expression in "[0-9A-Za-z*/,#?@ -]{0,24}", zone in "[A-Za-z/_]{0,12}") {
        _ = Schedule::parse(&expression, &zone, 1_700_000_000);
        _ = Schedule::parse(&expression, "UTC", 1_700_000_000);
    }
}
