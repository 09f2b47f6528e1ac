//! What is in the database, in the store and in the runtime against what clients were told.

use std::collections::{BTreeMap, BTreeSet};

use fluxbase_tests::cluster::connect;
use fluxbase_tests::keys::Key;
use fluxbase_tests::load::{Caller, Outcome};
use serde_json::json;

use crate::clients::{Fate, KINDS, Kind, Ledger, body, content};
use crate::strikes::Stage;

/// Counts of one kind.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub sent: usize,
    pub done: usize,
    pub nothing: usize,
    pub unknown: usize,
    /// Of those that were unknown, how many were there.
    pub unknown_there: usize,
    /// Acknowledged, and not there: or not as it was sent.
    pub lost: usize,
    /// There more often than once.
    pub twice: usize,
    /// There, and its client was told that nothing was done; or half of it.
    pub untrue: usize,
    /// Told something that says nothing about it.
    pub unclear: usize,
}

impl Counts {
    pub fn is_good(&self) -> bool {
        (self.lost, self.twice, self.untrue, self.unclear) == (0, 0, 0, 0) && self.done > 0
    }
}

/// How often each number stands in a table.
fn numbers(stage: &Stage, sql: &str) -> BTreeMap<u64, u64> {
    let mut admin = connect(&stage.database.admin_url).expect("the superuser may log in");
    let rows = admin.query(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let number = |value: i64| u64::try_from(value).expect("not negative");
    rows.iter().map(|row| (number(row.get(0)), number(row.get(1)))).collect()
}

/// Judges all kinds. Load must have ended, and jobs have been done.
pub fn judge(stage: &Stage, ledger: &Ledger, key: &Key) -> Vec<(Kind, Counts)> {
    KINDS.iter().map(|&kind| (kind, of_kind(kind, stage, ledger, key))).collect()
}

fn of_kind(kind: Kind, stage: &Stage, ledger: &Ledger, key: &Key) -> Counts {
    let there = match kind {
        Kind::Unique => numbers(stage, "SELECT n, count(*) FROM public.unique_rows GROUP BY n"),
        Kind::Plain => numbers(stage, "SELECT n, count(*) FROM public.plain_rows GROUP BY n"),
        // Half of a batch counts as nothing here, and below as untrue.
        Kind::Batch => numbers(
            stage,
            "SELECT n, least(count(*) FILTER (WHERE side = 'left'), count(*) FILTER (WHERE side = 'right')) FROM public.pairs GROUP BY n",
        ),
        Kind::Upload => {
            numbers(stage, "SELECT substr(path, 6)::int8, count(*) FROM storage.objects GROUP BY path")
        }
        // What it did, not that it waits.
        Kind::Job => numbers(stage, "SELECT n, count(*) FROM public.effects GROUP BY n"),
        Kind::Function => {
            let seen = |(n, _): &(u64, Fate)| (*n, u64::from(stage.runtime.seen(&body(*n))));
            ledger.fates(kind).iter().map(seen).filter(|(_, times)| *times > 0).collect()
        }
    };
    let mut caller = Caller::new(stage.address.parse().expect("an address"), key);
    let mut counts = Counts::default();
    for (n, fate) in ledger.fates(kind) {
        counts.sent += 1;
        let times = there.get(&n).copied().unwrap_or(0);
        if times > 1 {
            counts.twice += 1;
            println!("  {kind:?} {n} is there {times} times ({fate:?})");
        }
        match fate {
            Fate::Done | Fate::Ran => {
                counts.done += usize::from(fate == Fate::Done);
                let same = kind != Kind::Upload || is_the_same(&mut caller, n);
                if times == 0 || !same {
                    counts.lost += 1;
                    println!("  {kind:?} {n} was acknowledged and is lost");
                }
            }
            Fate::Nothing => {
                counts.nothing += 1;
                if times > 0 {
                    counts.untrue += 1;
                    println!("  {kind:?} {n}: the client was told that nothing was done");
                }
            }
            Fate::Unknown => {
                counts.unknown += 1;
                counts.unknown_there += usize::from(times > 0);
                if times > 0 && kind == Kind::Upload && !is_the_same(&mut caller, n) {
                    counts.untrue += 1;
                    println!("  {kind:?} {n}: a part of the file is there");
                }
            }
            Fate::Unclear => counts.unclear += 1,
        }
    }
    if kind == Kind::Batch {
        let halves = "SELECT n, 1::int8 FROM public.pairs GROUP BY n HAVING count(*) <> 2";
        counts.untrue += numbers(stage, halves).len();
    }
    counts
}

fn is_the_same(caller: &mut Caller, number: u64) -> bool {
    let arguments = json!({ "bucket": "uploads", "key": format!("file {number}") });
    for _ in 0..5 {
        match caller.call("download_object", &arguments) {
            Outcome::Done(object) => return object["content"] == json!(content(number)),
            other => println!("  reading file {number}: {other:?}"),
        }
    }
    false
}

/// Sweeps the store; files that no row names, and versions that rows name and that are not there.
pub fn orphans(stage: &Stage) -> (usize, usize) {
    // What was stored within this second is none of the sweep's yet.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let rounds = || stage.value("SELECT rounds::text FROM mcp._sweep").parse::<u64>().expect("a number");
    // The round that is going on may have begun in the middle of the store, so it takes the one after it, too.
    let whole = rounds() + 2;
    while rounds() < whole {
        stage.value("SELECT mcp._sweep_storage(interval '0', 1000)::text");
    }
    let store = stage
        .disk
        .as_ref()
        .map_or_else(|| stage.cluster.folder().join("data/mcp_storage"), |disk| disk.path.clone());
    let named: BTreeSet<String> = {
        let all = stage.value(
            "SELECT coalesce(string_agg(replace(version::text, '-', ''), ' '), '') FROM storage.objects",
        );
        all.split_whitespace().map(str::to_owned).collect()
    };
    let mut left = (usize::MAX, usize::MAX);
    // The bytes go after the answer.
    for _ in 0..200 {
        let (mut files, mut folders) = (BTreeSet::new(), vec![store.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                match entry.file_type() {
                    // What the worker tries its storage with; and what is unfinished, which the worker removes when it is two hours old.
                    Ok(_) if name == "probe" || name.contains('#') => {}
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => _ = files.insert(name),
                }
            }
        }
        left = (files.difference(&named).count(), named.difference(&files).count());
        if left == (0, 0) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    left
}
