//! `make soak MINUTES=30`: mixed load at 80 % of the peak, and what processes and tables hold meanwhile.
//!
//! What must hold: memory, descriptors, connections and rows of our own tables do not grow, or up to a bound that was set; and each call is answered as
//! it should be. The second quarter of the time is compared with the last one: before, caches fill and upkeep has not run yet.
//!
//! `SOAK_MINUTES` (30), `SOAK_REPORT`: the file of the report. `SOAK_PLANT` breaks something on purpose, to see that it is found: `memory`, `descriptors`
//! or `rows`. `SOAK_NOTE`: a sentence for the report, such as what else ran on the machine. The last line is `soak: N passed, M failed`.

mod mix;
mod plant;
mod sample;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::{Database, TENANT_A};
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::load::Counting;

use mix::Tally;
use plant::Plant;
use sample::{Sample, Stage};

/// How long calls are made before the peak is looked for: connections are opened and plans made.
const WARM: Duration = Duration::from_secs(10);

/// How long the peak is looked for.
const PEAK: Duration = Duration::from_secs(20);

/// Part of the peak.
const PART: f64 = 0.8;

const POOL: u32 = 6;

/// What upkeep keeps of the rows that calls leave; it runs about once a minute.
const EXECUTIONS: u32 = 2000;
const JOBS: u32 = 1000;

const TABLES: &str = "
    DROP SCHEMA IF EXISTS storage CASCADE;
    SELECT mcp.install('{storage,functions,jobs,rpc,audit}');
    CREATE TABLE public.soak_rows (n int8 PRIMARY KEY, body text NOT NULL, changed timestamptz NOT NULL DEFAULT now());
    INSERT INTO public.soak_rows SELECT n, 'row ' || n FROM generate_series(1, 10000) AS n;
    CREATE TABLE public.soak_log (n int8 NOT NULL, body text);
    ALTER TABLE public.soak_rows ENABLE ROW LEVEL SECURITY;
    CREATE POLICY all_of_it ON public.soak_rows USING (auth.uid() IS NOT NULL) WITH CHECK (auth.uid() IS NOT NULL);
    CREATE FUNCTION public.soak(payload jsonb) RETURNS jsonb LANGUAGE sql AS $$
        SELECT jobs.log('info', 'a line of the log', payload); SELECT payload $$;
    INSERT INTO storage.buckets (id, name, roles) VALUES ('soak', 'soak', '{authenticated}');
    INSERT INTO functions.edge_functions (name, timeout_seconds) VALUES ('soak', 30);
    DO $$ BEGIN
        FOR n IN 0..19 LOOP EXECUTE format('ALTER TABLE public.soak_rows ADD COLUMN c%s int8 NOT NULL DEFAULT 20000', n); END LOOP;
    END $$;
    ANALYZE public.soak_rows;
    GRANT SELECT, INSERT, UPDATE ON public.soak_rows, public.soak_log TO authenticated;
";

fn begin(runtime: &Counting) -> (Stage, Key) {
    // As it is delivered; the log is not what is tested.
    let cluster = Cluster::start(&format!(
        "fsync = on\nfull_page_writes = on\nlog_statement = none\nlog_min_duration_statement = -1\nmax_worker_processes = 16\nautovacuum = on\n\
         autovacuum_naptime = '15s'\nmcp.functions_max_executions = {EXECUTIONS}\nmcp.functions_url = '{}'",
        runtime.url()
    ));
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    admin.batch_execute(TABLES).expect("the tables can be made");
    let register = format!("SELECT mcp.register_job('soak', 'public.soak(jsonb)', keep_rows => {JOBS})");
    admin.batch_execute(&register).expect("the job can be registered");
    let pool = POOL.to_string();
    let environment =
        [("FLUXBASE_LISTENER_POOL_SIZE", pool.as_str()), ("FLUXBASE_LISTENER_ACCESS_LOG", "false")];
    let listener = Listener::start(&cluster, &database.listener_url, &environment);
    let key = database.client_key(&[
        "--name",
        "soak",
        "--user",
        TENANT_A,
        "--scopes",
        "read:tables,write:tables,read:schema,read:storage,write:storage,execute:jobs,execute:functions",
    ]);
    (Stage { listener, cluster, database }, key)
}

fn main() -> ExitCode {
    let minutes: f64 = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(30.0);
    let runtime = Counting::start();
    let (stage, key) = begin(&runtime);
    let mut plant = Plant::from_environment();
    plant.prepare(&stage);
    let calls_for = |time: Duration| {
        let tally = Tally::default();
        let begun = Instant::now();
        mix::run(stage.listener.address, &key, &tally, begun + time, None);
        tally.done() as f64 / begun.elapsed().as_secs_f64()
    };
    calls_for(WARM);
    let peak = calls_for(PEAK);
    println!("peak: {peak:.0} calls/s; {minutes} minutes at {:.0}", peak * PART);
    let tally = Tally::default();
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(minutes * 60.0);
    // So often that a quarter has its share of them, also of a short run.
    let every = Duration::from_secs_f64((minutes * 60.0 / 120.0).clamp(1.0, 10.0));
    let mut samples: Vec<(Duration, Sample)> = Vec::new();
    std::thread::scope(|scope| {
        let (tally, stage, key) = (&tally, &stage, &key);
        scope.spawn(move || mix::run(stage.listener.address, key, tally, until, Some(peak * PART)));
        let mut before = (begun, tally.done());
        while Instant::now() < until {
            std::thread::sleep(every);
            // What it counts is for the answers, and would grow with them.
            runtime.forget();
            plant.grow(stage, key);
            let mut sample = stage.sample();
            let now = (Instant::now(), tally.done());
            let rate = (now.1 - before.1) as f64 / (now.0 - before.0).as_secs_f64();
            sample.insert("calls a second".to_owned(), rate);
            before = now;
            samples.push((begun.elapsed(), sample));
        }
    });
    let rate = tally.done() as f64 / begun.elapsed().as_secs_f64();
    eventually(Duration::from_secs(300), "all jobs are done", || {
        let left = "SELECT count(*) FROM jobs.queue WHERE status IN ('pending', 'running')";
        (stage.database.admin().query_one(left, &[]).ok()?.get::<_, i64>(0) == 0).then_some(())
    });
    let audit = audited(&stage);
    let found = Found { minutes, peak, rate, samples, tally, audit };
    let (text, passed, failed) = found.report();
    println!("{text}");
    if let Ok(path) = std::env::var("SOAK_REPORT") {
        std::fs::write(&path, &text).expect("the report can be written");
    }
    println!("soak: {passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The problems that `mcp.audit_verify` finds in what was recorded meanwhile, or none.
fn audited(stage: &Stage) -> Vec<String> {
    let problems = "SELECT problem FROM mcp.audit_verify() WHERE NOT ok";
    let rows = stage.database.admin().query(problems, &[]).expect("there is an audit");
    rows.iter().map(|row| row.get(0)).collect()
}

struct Found {
    minutes: f64,
    peak: f64,
    rate: f64,
    samples: Vec<(Duration, Sample)>,
    tally: Tally,
    audit: Vec<String>,
}

/// How a line is judged.
enum Bound {
    /// The last quarter's median may be above the second's by this, and by a tenth.
    Growth(f64),
    /// The highest of the last quarter.
    Most(f64),
    /// For information.
    None,
}

impl Found {
    /// The page, and how many of its checks hold.
    fn report(&self) -> (String, usize, usize) {
        let (mut passed, mut failed) = (0, 0);
        let mut holds = |good: bool| {
            if good {
                passed += 1
            } else {
                failed += 1
            }
            if good { "flat" } else { "**GROWS**" }
        };
        let mut text = format!(
            "# Soak\n\n`make soak MINUTES={}` wrote this page: mixed load of {} callers at {:.0} % of the peak ({:.0} calls/s; {:.0} calls/s were made), \
             {} samples.\n`tests/src/bin/soak/` says what is called and what is looked at. The second quarter of the time is compared with the last one; \
             \"flat\": the last is not\nabove it by more than a tenth and a little, or stays below its bound. Memory is `RssAnon`, MB.\n\n\
             | | first | second quarter, median | last quarter, median | highest | bound | |\n|---|---:|---:|---:|---:|---|---|\n",
            self.minutes,
            mix::CALLERS,
            PART * 100.0,
            self.peak,
            self.rate,
            self.samples.len()
        );
        let names: std::collections::BTreeSet<&String> =
            self.samples.iter().flat_map(|(_, sample)| sample.keys()).collect();
        for name in names {
            let all: Vec<f64> = self.samples.iter().filter_map(|(_, one)| one.get(name).copied()).collect();
            let quarter = |n: usize| {
                let (from, to) = (all.len() * n / 4, all.len() * (n + 1) / 4);
                let mut part = all[from..to.max(from + 1).min(all.len())].to_vec();
                part.sort_by(f64::total_cmp);
                part
            };
            let median = |part: &[f64]| part.get(part.len() / 2).copied().unwrap_or(0.0);
            let (second, last) = (quarter(1), quarter(3));
            let highest = last.last().copied().unwrap_or(0.0);
            let bound = self.bound(name);
            let (told, verdict) = match bound {
                Bound::Growth(more) => (
                    format!("{more} more, and a tenth"),
                    holds(median(&last) <= median(&second) * 1.1 + more),
                ),
                Bound::Most(most) => (format!("at most {most:.0}"), holds(highest <= most)),
                Bound::None => (String::new(), ""),
            };
            let _ = writeln!(
                text,
                "| {name} | {:.1} | {:.1} | {:.1} | {:.1} | {told} | {verdict} |",
                all.first().copied().unwrap_or(0.0),
                median(&second),
                median(&last),
                all.iter().copied().fold(0.0, f64::max)
            );
        }
        let wrong = self.tally.wrong();
        let answered =
            if holds(wrong.is_empty()) == "flat" { "all as they should be" } else { "**WRONG ONES**" };
        let _ = writeln!(text, "\n{} calls, {answered}:\n\n| Tool | Calls |\n|---|---:|", self.tally.done());
        for (tool, calls) in self.tally.by_tool() {
            let _ = writeln!(text, "| `{tool}` | {calls} |");
        }
        let whole = if holds(self.audit.is_empty()) == "flat" { "yes" } else { "**NO**" };
        let _ = writeln!(text, "\n`mcp.audit_verify()` finds the record of all of it whole: {whole}.\n");
        for problem in &self.audit {
            let _ = writeln!(text, "- {problem}");
        }
        if let Ok(note) = std::env::var("SOAK_NOTE") {
            let _ = writeln!(text, "{note}\n");
        }
        if !wrong.is_empty() {
            let _ = writeln!(text, "| Wrong | Times |\n|---|---:|");
        }
        for (told, times) in wrong {
            let told: String = told.replace('|', "\\|").replace('\n', " ").chars().take(300).collect();
            let _ = writeln!(text, "| {told} | {times} |");
        }
        (text, passed, failed)
    }

    fn bound(&self, name: &str) -> Bound {
        // Calls of one number in forty, twice; upkeep runs once a minute, and late on a busy machine.
        let in_two_minutes = self.rate / 20.0 * 120.0;
        match name {
            "rows of functions.edge_executions" => Bound::Most(f64::from(EXECUTIONS) + in_two_minutes),
            "rows of jobs.queue" => Bound::Most(f64::from(JOBS) + in_two_minutes),
            "rows of jobs.logs" => Bound::Most(3.0 * (f64::from(JOBS) + in_two_minutes)),
            "rows of jobs.workers" => Bound::Most(100.0),
            // Of each caller at most as many as it has names for.
            "rows of storage.objects" => Bound::Most(mix::CALLERS as f64 * 200.0),
            "pending calls in the delegate worker" => Bound::Most(mix::CALLERS as f64),
            "connections of the listener" => Bound::Most(f64::from(POOL) + 6.0),
            "size of these tables with their indexes, MB" => Bound::Growth(16.0),
            // For information: the machine may be busy with other work. The audit keeps a row for each call as long as it was told to, see the next two.
            "bytes in flight in the delegate worker" | "calls a second" | "rows of mcp.audit_log" => {
                Bound::None
            }
            "records of the audit that were lost" => Bound::Most(0.0),
            // What memory has room for.
            "records of the audit that wait" => Bound::Most(3500.0),
            "audit: bytes for each row" => Bound::Growth(40.0),
            name if name.starts_with("memory") => Bound::Growth(4.0),
            _ => Bound::Growth(4.0),
        }
    }
}
