//! The report: what was done, what callers were told, what was found.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::clients::{Fate, Kind, Ledger};
use crate::strikes::{RETURN, STRIKES, Strike, Struck};
use crate::verdict::Counts;

/// All that was found.
pub struct Found {
    pub rounds: usize,
    /// Time during which clients wrote.
    pub writing: Duration,
    /// Time until all jobs were done after that.
    pub drained: Duration,
    pub struck: Vec<Struck>,
    pub counts: Vec<(Kind, Counts)>,
    /// Files that no row names, versions that are not there.
    pub store: (usize, usize),
    pub panics: usize,
    /// Executions whose end nobody wrote.
    pub running: String,
    /// Whether there was a disk that could be full.
    pub disk: bool,
}

/// How long until each kind was served again, in one line.
pub fn times(struck: &Struck) -> String {
    let mut line = String::new();
    for (kind, time) in &struck.back {
        let time = time.map_or_else(|| "never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let _ = write!(line, "{kind:?} {time}; ");
    }
    if !struck.stopped.is_empty() {
        let _ = write!(line, "stood still meanwhile: {:?}", struck.stopped);
    }
    line
}

/// The page, and how many of its checks hold.
pub fn write(found: &Found, ledger: &Ledger) -> (String, usize, usize) {
    let (mut passed, mut failed) = (0, 0);
    let mut holds = |good: bool| {
        if good {
            passed += 1
        } else {
            failed += 1
        }
        if good { "yes" } else { "**NO**" }
    };
    let mut text = format!(
        "# Faults under load\n\n`make faults` wrote this page. `tests/src/bin/faults/` says what is done: clients write through HTTP without a pause while \
         each of these\nhappens {} times; each notes outside of the database what it was told, and in the end that is compared with what is there.\n\n\
         {} s of load, then {:.0} s until the last job was done.\n\n## Faults\n\n\
         | Fault | times | every kind of write done again after, s: median, longest | within {} s |\n|---|---:|---:|---|\n",
        found.rounds,
        found.writing.as_secs(),
        found.drained.as_secs_f64(),
        RETURN.as_secs()
    );
    for strike in STRIKES {
        let all: Vec<&Struck> = found.struck.iter().filter(|one| one.strike == strike).collect();
        if strike == Strike::Disk && !found.disk {
            let _ = writeln!(
                text,
                "| {} | NOT RUN: it takes the right to mount a file system | | |",
                strike.name()
            );
            continue;
        }
        // The slowest kind of each time.
        let mut slowest: Vec<Option<Duration>> = all
            .iter()
            .map(|one| one.back.iter().map(|(_, time)| *time).collect::<Option<Vec<_>>>()?.into_iter().max())
            .collect();
        slowest.sort();
        let told = |time: Option<&Option<Duration>>| {
            time.copied()
                .flatten()
                .map_or_else(|| "never".to_owned(), |time| format!("{:.1}", time.as_secs_f64()))
        };
        let good = holds(!slowest.is_empty() && slowest.iter().all(Option::is_some));
        let _ = writeln!(
            text,
            "| {} | {} | {}, {} | {good} |",
            strike.name(),
            all.len(),
            told(slowest.get(slowest.len() / 2)),
            told(slowest.last())
        );
    }
    let went_on = found.struck.iter().all(|one| one.stopped.is_empty());
    let _ = writeln!(
        text,
        "\nWhat a full disk and a hung runtime do not concern went on meanwhile: {}.\n\n## Writes\n\n\
         | Write | sent | acknowledged | told: nothing done | told: not known (of these done) | acknowledged and lost | done twice | told an untruth | told nothing of use | |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
        holds(went_on)
    );
    for (kind, one) in &found.counts {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} ({}) | {} | {} | {} | {} | {} |",
            kind.name(),
            one.sent,
            one.done,
            one.nothing,
            one.unknown,
            one.unknown_there,
            one.lost,
            one.twice,
            one.untrue,
            one.unclear,
            if holds(one.is_good()) == "yes" { "good" } else { "**BAD**" }
        );
    }
    let (told, again) = ledger.told();
    let _ = writeln!(
        text,
        "\nA job counts by what it did, which is committed with its end. {again} writes with a unique id or an idempotency key were sent again until they were \
         acknowledged.\n\nAfter the sweep, files that no row names: {}; versions that rows name and that are not stored: {}: {}. Panics in the server's log: {}: {}.\n\
         Executions whose end nobody wrote, since their server ended: {}.\n\n## What callers were told\n\n| | Times | Text, without numbers |\n|---|---:|---|",
        found.store.0,
        found.store.1,
        holds(found.store == (0, 0)),
        found.panics,
        holds(found.panics == 0),
        found.running
    );
    // Each text belongs to one fate.
    let by_text: BTreeMap<&String, (Fate, u64)> =
        told.iter().map(|((fate, text), times)| (text, (*fate, *times))).collect();
    let mut lines: Vec<_> = by_text.into_iter().collect();
    lines.sort_by_key(|(_, (fate, times))| (*fate, std::cmp::Reverse(*times)));
    for (told, (fate, times)) in lines {
        let fate = match fate {
            Fate::Done => "done",
            Fate::Nothing => "nothing done",
            Fate::Unknown => "not known",
            Fate::Ran => "has run",
            Fate::Unclear => "**unclear**",
        };
        let told = told.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(text, "| {fate} | {times} | {} |", told.chars().take(300).collect::<String>());
    }
    (text, passed, failed)
}
