//! The fuzzer of the query crate: `make fuzz SECONDS=60 SEED=1`.
//!
//! Each input is a new call of the generator or a changed one of those that reached something new: an edge of the code, a message, a
//! form of SQL. A panic, a broken invariant and an input that takes longer than a second are findings: the input is written to a file
//! and the program ends with 1. `fuzz --replay FILE` runs one again.
//!
//! The work is done in a child process, which writes down each input before it runs it: an input that kills the process or never
//! ends is a finding as well.

mod coverage;

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, exit};
use std::time::{Duration, Instant};

use coverage::Seen;
use fluxbase_fuzz::generate::Generator;
use fluxbase_fuzz::mutate::mutate;
use fluxbase_fuzz::target::{KINDS, run};
use fluxbase_fuzz::{CORPUS, Kind, Random, World, inputs};

/// Longer is a finding.
const SLOW: Duration = Duration::from_secs(1);
/// So long after its start or its last input the child counts as hung.
const HUNG: Duration = Duration::from_secs(20);
/// Kept inputs at most, for each target.
const KEPT: usize = 20_000;

#[derive(Debug, Clone)]
struct Options {
    seconds: u64,
    seed: u64,
    /// Where findings go.
    findings: PathBuf,
    /// The most executions; 0 for no bound.
    count: u64,
    only: Option<Kind>,
}

fn main() -> ExitCode {
    let mut options = Options {
        seconds: 60,
        seed: 1,
        findings: PathBuf::from("target/fuzz-findings"),
        count: 0,
        only: None,
    };
    let (mut child, mut replay) = (false, None);
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        if name == "--child" {
            child = true;
            continue;
        }
        let Some(value) = args.next() else { usage(&format!("{name} has no value")) };
        let number = || value.parse().unwrap_or_else(|_| usage(&format!("{name} {value} is no number")));
        match name.as_str() {
            "--seconds" => options.seconds = number(),
            "--seed" => options.seed = number(),
            "--count" => options.count = number(),
            "--findings" => options.findings = value.into(),
            "--target" => {
                let kind =
                    Kind::parse(&value).unwrap_or_else(|| usage(&format!("there is no target {value}")));
                options.only = Some(kind);
            }
            "--replay" => replay = Some(PathBuf::from(value)),
            _ => usage(&format!("there is no option {name}")),
        }
    }
    if let Some(file) = replay {
        return repeat(&file);
    }
    if let Err(error) = std::fs::create_dir_all(&options.findings) {
        usage(&format!("{}: {error}", options.findings.display()));
    }
    if child { fuzz(&options) } else { watch(&options) }
}

fn usage(why: &str) -> ! {
    eprintln!("error: {why}");
    eprintln!(
        "       fuzz [--seconds N] [--seed N] [--count N] [--target NAME] [--findings FOLDER] | --replay FILE"
    );
    eprintln!("       targets: {}", KINDS.map(Kind::name).join(", "));
    exit(2)
}

/// The file in which the child writes down what it is about to run.
fn current(options: &Options) -> PathBuf {
    options.findings.join(".current")
}

/// Runs the child and looks after it.
fn watch(options: &Options) -> ExitCode {
    let current = current(options);
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(std::env::args().skip(1)).arg("--child");
    let mut child = command.spawn().expect("a copy of this program starts");
    let begun = Instant::now();
    let mut why = None;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(100));
        let quiet = std::fs::metadata(&current)
            .and_then(|file| file.modified())
            .ok()
            .and_then(|at| at.elapsed().ok());
        if begun.elapsed() > HUNG && quiet.is_none_or(|quiet| quiet > HUNG) {
            why = Some(format!("it did not end within {} s", HUNG.as_secs()));
            // It may be gone by itself.
            _ = child.kill();
        }
    };
    if status.success() {
        _ = std::fs::remove_file(&current);
        return ExitCode::SUCCESS;
    }
    if status.code() == Some(1) {
        return ExitCode::FAILURE;
    }
    let written = std::fs::read(&current).unwrap_or_default();
    let length = written.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    let text = String::from_utf8_lossy(written.get(8..).unwrap_or_default());
    let text: String = text.chars().take(length as usize).collect();
    let (kind, input) = text.split_once('\n').unwrap_or(("query", ""));
    let why = why.unwrap_or_else(|| format!("the process ended with {status}"));
    found(options, Kind::parse(kind).unwrap_or(Kind::Query), input, &why);
    ExitCode::FAILURE
}

/// Writes a finding down.
fn found(options: &Options, kind: Kind, input: &str, why: &str) {
    let stamp = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let path = options.findings.join(format!("{}-{stamp}.txt", kind.name()));
    let shown: String = input.chars().take(2000).collect();
    println!("\nFINDING in {}: {why}\n  input: {shown}", kind.name());
    match std::fs::write(&path, format!("{}\n{input}", kind.name())) {
        Ok(()) => println!("  again: cargo run -p fluxbase_fuzz -- --replay {}", path.display()),
        Err(error) => println!("  {}: {error}", path.display()),
    }
}

fn repeat(file: &Path) -> ExitCode {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => usage(&format!("{}: {error}", file.display())),
    };
    let Some((kind, input)) =
        text.split_once('\n').and_then(|(kind, input)| Some((Kind::parse(kind)?, input)))
    else {
        usage(&format!("{}: the first line names no target", file.display()));
    };
    for world in [World::snapshot(), World::snapshot().weakened()] {
        match run(&world, kind, input) {
            Ok(outcome) => println!(
                "{:#?}",
                outcome.error.map_or_else(|| format!("{:#?}", outcome.plans), |error| error.to_string())
            ),
            Err(why) => {
                println!("{why}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// What one target has seen.
#[derive(Default)]
struct Tally {
    executions: u64,
    accepted: u64,
    statements: u64,
    shapes: HashSet<u64>,
    refusals: HashSet<u64>,
    kept: Vec<String>,
}

fn fuzz(options: &Options) -> ExitCode {
    // The message is in the finding.
    std::panic::set_hook(Box::new(|_| {}));
    let file = File::create(current(options)).expect("the folder of findings can be written to");
    let strong = World::snapshot();
    let weak = strong.weakened();
    let mut random = Random::new(options.seed);
    let mut near = Generator::new(&strong, options.seed ^ 0x55).with_odds(60);
    let mut far = Generator::new(&strong, options.seed ^ 0xAA).with_odds(10);
    let mut seen = Seen::new();
    let mut tallies: Vec<Tally> = KINDS.iter().map(|_| Tally::default()).collect();
    let mut waiting: Vec<(usize, String)> = Vec::new();
    for (kind, text) in CORPUS {
        let number = KINDS.iter().position(|other| *other == kind).unwrap_or(0);
        waiting.extend(inputs(text).map(|input| (number, input.to_owned())));
    }
    let (start, mut told) = (Instant::now(), Instant::now());
    let mut executions = 0_u64;
    while start.elapsed().as_secs() < options.seconds && (options.count == 0 || executions < options.count) {
        let (number, input) = match waiting.pop() {
            Some(one) => one,
            None => {
                let number = match options.only {
                    Some(kind) => KINDS.iter().position(|other| *other == kind).unwrap_or(0),
                    // Half of the time goes to the largest grammar.
                    None if random.one_in(2) => 0,
                    None => random.below(KINDS.len()),
                };
                let kept = &tallies[number].kept;
                let input = if kept.is_empty() || random.one_in(4) {
                    if random.one_in(3) { far.input(KINDS[number]) } else { near.input(KINDS[number]) }
                } else {
                    // The newest are the most promising.
                    let from = if random.one_in(2) { kept.len() - kept.len().min(50) } else { 0 };
                    let one = &kept[from + random.below(kept.len() - from)];
                    let other = random.pick(kept).clone();
                    mutate(&mut random, one, &other)
                };
                (number, input)
            }
        };
        let kind = KINDS[number];
        executions += 1;
        note(&file, kind, &input);
        let world = if random.one_in(3) { &weak } else { &strong };
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(world, kind, &input)));
        let took = begun.elapsed();
        let finding = match &outcome {
            Err(panic) => Some(format!("a panic: {}", message(panic.as_ref()))),
            Ok(Err(why)) => Some(why.clone()),
            Ok(Ok(_)) if took > SLOW => Some(format!("it took {} ms", took.as_millis())),
            Ok(Ok(_)) => None,
        };
        if let Some(why) = finding {
            report(&tallies, &seen, start);
            found(options, kind, &input, &why);
            return ExitCode::FAILURE;
        }
        let Ok(Ok(outcome)) = outcome else { unreachable!("a finding ends it") };
        let tally = &mut tallies[number];
        tally.executions += 1;
        tally.statements += outcome.plans.len() as u64;
        let new = match outcome.error {
            None => {
                tally.accepted += 1;
                tally.shapes.insert(outcome.shape)
            }
            Some(_) => tally.refusals.insert(outcome.shape),
        };
        // Without counters the forms must do.
        let new = if seen.all() > 0 { seen.look() || new && random.one_in(16) } else { new };
        if new && input.len() < 10_000 {
            if tally.kept.len() == KEPT {
                let at = random.below(KEPT);
                tally.kept.swap_remove(at);
            }
            tally.kept.push(input);
        }
        if told.elapsed() > Duration::from_secs(15) {
            told = Instant::now();
            println!(
                "[{:4} s] {executions} executions, {} of {} edges",
                start.elapsed().as_secs(),
                seen.taken(),
                seen.all()
            );
        }
    }
    report(&tallies, &seen, start);
    ExitCode::SUCCESS
}

/// Writes down what is about to run: length, target, input.
fn note(file: &File, kind: Kind, input: &str) {
    let mut bytes = vec![0; 8];
    bytes.extend_from_slice(kind.name().as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(input.as_bytes());
    let length = (kind.name().len() + 1 + input.chars().count()) as u64;
    bytes[..8].copy_from_slice(&length.to_le_bytes());
    // Lost is only the input of a crash.
    _ = file.write_at(&bytes, 0);
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn report(tallies: &[Tally], seen: &Seen, start: Instant) {
    println!(
        "{:12} {:>11} {:>9} {:>11} {:>7} {:>9} {:>6}",
        "target", "executions", "accepted", "statements", "forms", "refusals", "kept"
    );
    let mut sum = (0, 0, 0, 0, 0);
    for (kind, tally) in KINDS.iter().zip(tallies) {
        println!(
            "{:12} {:>11} {:>9} {:>11} {:>7} {:>9} {:>6}",
            kind.name(),
            tally.executions,
            tally.accepted,
            tally.statements,
            tally.shapes.len(),
            tally.refusals.len(),
            tally.kept.len()
        );
        sum.0 += tally.executions;
        sum.1 += tally.accepted;
        sum.2 += tally.statements;
        sum.3 += tally.shapes.len();
        sum.4 += tally.refusals.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    let coverage = match seen.all() {
        0 => "no coverage counters: compiled without them".to_owned(),
        all => format!("{} of {all} edges of the query crate", seen.taken()),
    };
    println!(
        "{} executions in {seconds:.1} s ({:.0}/s): {} accepted, {} statements, {} distinct forms of SQL, {} distinct refusals; {coverage}",
        sum.0,
        sum.0 as f64 / seconds,
        sum.1,
        sum.2,
        sum.3,
        sum.4
    );
}
