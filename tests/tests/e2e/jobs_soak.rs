//! Background jobs while processes are killed: what was acknowledged ends as it was promised, whatever dies.
//!
//! Each job has a number and an idempotency key made of it. It is submitted until its transaction was seen to be committed, also when the connection
//! broke in the middle, so every number was acknowledged. Then for each number there is one job; a completed one has one effect, and a
//! failed one none and has used its attempts. Effects are counted twice: in a table with a unique key, which a second effect would hit,
//! and in one without, which would show it.
//!
//! The large form submits the first of its jobs so, and has the others in the queue before, in one transaction.
//!
//! `make test` runs a small form, `make jobs-soak` 100,000 jobs with a kill every two seconds: `JOBS_SOAK` is the number, and `JOBS_SOAK_REPORT`
//! the file that the report is written to.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fluxbase_tests::cluster::{Cluster, connect, run, tail};
use fluxbase_tests::fixture::{Database, TENANT_A};
use fluxbase_tests::settings::settings;
use postgres::Client;
use serde_json::{Value, json};

/// Jobs of the small form.
const FEW: i64 = 1_500;
/// Kills of the small form: each victim comes once.
const KILLS_OF_FEW: u64 = VICTIMS.len() as u64;
/// How many the large form submits with the tool; the others are in the queue before.
const BY_TOOL: i64 = 2_000;
/// Between two kills of the large form.
const PAUSE: Duration = Duration::from_secs(2);
/// Nothing at all happens for so long: it hangs.
const STUCK: Duration = Duration::from_secs(180);
/// Jobs that one transaction submits.
const BATCH: i64 = 50;

/// What jobs do, by their number: most have one effect, some are slower, some are procedures, some fail now and then, some always.
const WORK: &str = "
CREATE SCHEMA soak;
GRANT USAGE ON SCHEMA soak TO authenticated;
CREATE TABLE soak.effects (n bigint PRIMARY KEY);
CREATE TABLE soak.marks (n bigint NOT NULL);
GRANT INSERT, SELECT ON soak.effects, soak.marks TO authenticated;
CREATE FUNCTION soak.effect(payload jsonb) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO soak.marks VALUES ((payload->>'n')::bigint);
    INSERT INTO soak.effects VALUES ((payload->>'n')::bigint) RETURNING n $$;
CREATE FUNCTION soak.slow(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM soak.effect(payload);
    PERFORM jobs.report_progress(50);
    PERFORM pg_sleep(0.02);
END $$;
CREATE PROCEDURE soak.called(payload jsonb) LANGUAGE plpgsql AS 'BEGIN PERFORM soak.effect(payload); END';
CREATE FUNCTION soak.moody(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM soak.effect(payload);
    IF random() < 0.3 THEN
        RAISE EXCEPTION 'not now';
    END IF;
END $$;
CREATE FUNCTION soak.fails(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM soak.effect(payload);
    RAISE EXCEPTION 'never';
END $$;
SELECT mcp.register_job(n, to_regprocedure('soak.' || n || '(jsonb)'), max_retries => r, backoff_base_seconds => 0.2, backoff_max_seconds => 2,
                        keep_rows => 1000000)
  FROM (VALUES ('effect', 0), ('slow', 0), ('called', 0), ('moody', 40), ('fails', 1)) AS j(n, r);
";

fn kind(number: i64) -> &'static str {
    match number % 20 {
        16 => "slow",
        17 => "called",
        18 => "moody",
        19 => "fails",
        _ => "effect",
    }
}

/// Which process is ended how, in turn. NULL: there is none at the moment.
const VICTIMS: [(&str, &str); 8] = [
    (
        "a session that submits, kill -9",
        "SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'soak'",
    ),
    (
        "an executor, kill -9",
        "SELECT (array_agg(pid ORDER BY state = 'idle', since))[1] FROM mcp.jobs_status() WHERE process = 'executor' AND pid IS NOT NULL",
    ),
    ("the coordinator, kill -9", "SELECT min(pid) FROM mcp.jobs_status() WHERE process = 'coordinator'"),
    (
        "an executor, pg_terminate_backend",
        "SELECT (array_agg(pid ORDER BY state = 'idle', since))[1] FROM mcp.jobs_status() WHERE process = 'executor' AND pid IS NOT NULL",
    ),
    (
        "the launcher, kill -9",
        "SELECT min(pid) FROM pg_stat_activity WHERE backend_type LIKE 'fluxbase_mcp jobs launcher%'",
    ),
    (
        "the checkpointer, kill -9",
        "SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
    ),
    (
        "the coordinator, pg_terminate_backend",
        "SELECT min(pid) FROM mcp.jobs_status() WHERE process = 'coordinator'",
    ),
    ("the server, stop immediate", "SELECT 0"),
];

/// What is read by the end.
struct Told {
    kills: Vec<(&'static str, u32)>,
    again: u64,
    took: Duration,
}

/// A session, as soon as there can be one.
fn session(database: &Database) -> Client {
    let begun = Instant::now();
    loop {
        match connect(&database.admin_url) {
            Ok(client) => return client,
            Err(error) => assert!(begun.elapsed() < STUCK, "the server does not answer: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Submits the jobs of a batch in one transaction; an error before it was seen to be committed.
fn submit(client: &mut Client, key: &str, numbers: std::ops::Range<i64>) -> Result<(), postgres::Error> {
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT mcp.authenticate($1)", &[&key])?;
    for number in numbers {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "submit_job", "arguments": {
            "job_name": kind(number), "payload": { "n": number }, "idempotency_key": format!("soak-{number}"), "priority": number % 3 } } });
        let row =
            transaction.query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&request.to_string()])?;
        let reply: Value = serde_json::from_str(row.get(0)).expect("JSON");
        assert_eq!(reply["result"]["isError"], json!(false), "{reply}");
    }
    transaction.commit()
}

/// Puts jobs into the queue as the tool does.
fn queue(admin: &mut Client, from: i64, to: i64) {
    admin
        .batch_execute(
            "CREATE FUNCTION soak.kind(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
             AS 'SELECT CASE n % 20 WHEN 16 THEN ''slow'' WHEN 17 THEN ''called'' WHEN 18 THEN ''moody'' WHEN 19 THEN ''fails'' ELSE ''effect'' END'",
        )
        .expect("made");
    let number = admin
        .execute(
            "INSERT INTO jobs.queue (namespace, function_id, job_name, payload, priority, role_name, created_by, key_id, claims, settings, max_retries,
                                     idempotency_key)
             SELECT f.namespace, f.id, f.name, jsonb_build_object('n', n), n % 3, q.role_name, q.created_by, q.key_id, q.claims, q.settings, f.max_retries,
                    'soak-' || n
               FROM generate_series($1::bigint, $2::bigint - 1) AS n JOIN jobs.functions AS f ON f.name = soak.kind(n)
                    JOIN jobs.queue AS q ON q.idempotency_key = 'soak-0' ORDER BY n",
            &[&from, &to],
        )
        .expect("queued");
    assert_eq!(number as i64, to - from);
}

/// How many have ended, and how many there are; `None` while the server does not answer.
fn ended(client: &mut Client) -> Option<(i64, i64)> {
    let row = client
        .query_one("SELECT count(*) FILTER (WHERE completed_at IS NOT NULL), count(*) FROM jobs.queue", &[])
        .ok()?;
    Some((row.get(0), row.get(1)))
}

/// Ends the victim; false when there was none.
fn strike(cluster: &Cluster, client: &mut Client, (what, sql): (&str, &str)) -> bool {
    if what.starts_with("the server") {
        cluster.stop("immediate");
        cluster.start_again();
        return true;
    }
    let Ok(row) = client.query_one(sql, &[]) else { return false };
    let Some(pid) = row.get::<_, Option<i32>>(0) else { return false };
    if what.ends_with("pg_terminate_backend") {
        return client
            .query_one("SELECT pg_terminate_backend($1)", &[&pid])
            .is_ok_and(|row| row.get::<_, bool>(0));
    }
    run(settings().as_user("sh").args(["-c", &format!("kill -9 {pid} || true")]));
    true
}

/// Proves that every acknowledged job ends as promised while whatever there is gets killed.
#[test]
fn jobs_end_as_promised_while_processes_are_killed() {
    let asked = std::env::var("JOBS_SOAK").ok().map(|number| number.parse::<i64>().expect("a number"));
    let wanted = asked.unwrap_or(FEW);
    // The log of each statement would be what is measured.
    let cluster = Cluster::start(
        "max_worker_processes = 24\nlog_statement = none\nlog_min_duration_statement = -1\nmcp.job_concurrency = 6\nmax_wal_size = 256MB",
    );
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    admin.batch_execute("SELECT mcp.install('{jobs}')").expect("the tables can be made");
    admin.batch_execute(WORK).expect("the jobs can be registered");
    let key = database.client_key(&["--name", "soak", "--user", TENANT_A, "--scopes", "execute:jobs"]).plain;

    let by_tool = wanted.min(if asked.is_none() { FEW } else { BY_TOOL });
    if by_tool < wanted {
        submit(&mut admin, &key, 0..1).expect("the first is the model of the others");
        queue(&mut admin, by_tool, wanted);
    }
    let (again, kills) = (AtomicU64::new(0), AtomicU64::new(0));
    let told = std::thread::scope(|scope| {
        let (database, again, kills, key) = (&database, &again, &kills, &key);
        let submitter = scope.spawn(move || {
            let mut client = None;
            for from in (0..by_tool).step_by(BATCH as usize) {
                // In the small form all victims were there before the last job is.
                while asked.is_none()
                    && kills.load(Ordering::Relaxed) < from as u64 * KILLS_OF_FEW / wanted as u64
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                loop {
                    let mut open = client.take().unwrap_or_else(|| session(database));
                    let _ = open.batch_execute("SET application_name = 'soak'");
                    if submit(&mut open, key, from..by_tool.min(from + BATCH)).is_ok() {
                        client = Some(open);
                        break;
                    }
                    again.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let told = kill_until_done(&cluster, database, &mut admin, wanted, asked.is_none(), kills);
        submitter.join().expect("all were acknowledged");
        told
    });
    let told = Told { again: again.load(Ordering::Relaxed), ..told };
    let mut admin = session(&database);
    judge(&mut admin, wanted);
    assert!(
        told.kills.iter().map(|kill| u64::from(kill.1)).sum::<u64>() >= KILLS_OF_FEW - 2,
        "{:?}",
        told.kills
    );
    if let Ok(file) = std::env::var("JOBS_SOAK_REPORT") {
        std::fs::write(&file, report(&mut admin, wanted, &told)).expect("the report can be written");
    }
}

/// Ends one process after the other until all jobs have ended; the small form when so many of them have ended, the large one by the clock.
fn kill_until_done(
    cluster: &Cluster,
    database: &Database,
    admin: &mut Client,
    wanted: i64,
    small: bool,
    number: &AtomicU64,
) -> Told {
    let begun = Instant::now();
    let mut kills: Vec<(&'static str, u32)> = VICTIMS.iter().map(|victim| (victim.0, 0)).collect();
    let mut turn = 0;
    let (mut last, mut last_at, mut struck_at) = (-1, Instant::now(), Instant::now());
    loop {
        let Some((done, all)) = ended(admin) else {
            *admin = session(database);
            continue;
        };
        if done == wanted && all == wanted {
            return Told { kills, again: 0, took: begun.elapsed() };
        }
        if done != last {
            (last, last_at) = (done, Instant::now());
        }
        assert!(
            last_at.elapsed() < STUCK,
            "{done} of {all} have ended and nothing happens\n{}",
            tail(&cluster.log(), 30)
        );
        let due = if small {
            turn < VICTIMS.len() && all > wanted * turn as i64 / (VICTIMS.len() as i64 + 1)
        } else {
            struck_at.elapsed() >= PAUSE
        };
        if due {
            let at = turn % VICTIMS.len();
            turn += 1;
            // One that is not there now is passed over.
            if strike(cluster, admin, VICTIMS[at]) {
                kills[at].1 += 1;
                struck_at = Instant::now();
            }
            number.store(turn as u64, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(if small { 10 } else { 250 }));
    }
}

fn number(admin: &mut Client, sql: &str) -> i64 {
    admin.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
}

/// What must hold for each number from 0 to `wanted`.
fn judge(admin: &mut Client, wanted: i64) {
    for (what, sql) in [
        (
            "each number has one job",
            "SELECT s.n::text FROM generate_series(0, $1::bigint - 1) AS s(n) LEFT JOIN jobs.queue AS q ON (q.payload->>'n')::bigint = s.n
              GROUP BY s.n HAVING count(q.id) <> 1",
        ),
        (
            "there are no others",
            "SELECT count(*)::text FROM jobs.queue GROUP BY () HAVING count(*) <> $1::bigint OR count(DISTINCT payload) <> $1::bigint",
        ),
        (
            "the effects are those of the completed jobs, once each",
            "SELECT coalesce(q.n, e.n, m.n)::text FROM (SELECT (payload->>'n')::bigint AS n FROM jobs.queue WHERE status = 'completed' AND $1::bigint > 0) AS q
               FULL JOIN soak.effects AS e USING (n) FULL JOIN (SELECT n, count(*) AS times FROM soak.marks GROUP BY n) AS m USING (n)
              WHERE e.n IS NULL OR q.n IS NULL OR m.times IS DISTINCT FROM 1",
        ),
        (
            "what always fails has failed, and all else is completed or was lost three times",
            "SELECT to_jsonb(q)::text FROM jobs.queue AS q WHERE $1::bigint > 0 AND CASE WHEN job_name = 'fails' THEN status <> 'failed' OR attempts < 2 OR error_message LIKE '%never%' IS NOT TRUE AND attempts < 4
                    ELSE status <> 'completed' AND (status <> 'failed' OR attempts < 3) END",
        ),
        (
            "attempts are counted, and no more are made than were promised",
            "SELECT to_jsonb(q)::text FROM jobs.queue AS q WHERE $1::bigint > 0 AND (attempts <> retry_count + 1 OR attempts > max_retries + 3 OR run < attempts)",
        ),
        (
            "nothing is held any more",
            "SELECT to_jsonb(q)::text FROM jobs.queue AS q WHERE $1::bigint > 0 AND (worker_id IS NOT NULL OR lease_until IS NOT NULL OR status NOT IN ('completed', 'failed'))",
        ),
    ] {
        let wrong = admin.query(sql, &[&wanted]).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let lines: Vec<Option<&str>> = wrong.iter().take(5).map(|row| row.get(0)).collect();
        assert!(lines.is_empty(), "{what}: {} lines against it, such as {lines:#?}", wrong.len());
    }
}

/// A page about the run.
fn report(admin: &mut Client, wanted: i64, told: &Told) -> String {
    let mut page = format!(
        "# {wanted} jobs while processes are killed\n\nWritten by `make jobs-soak` (tests/tests/e2e/jobs_soak.rs, which says what is proven). Every two seconds one process was ended, in turn; \
         meanwhile the first {BY_TOOL} jobs were submitted with `submit_job`, {BATCH} in a transaction, each with an idempotency key, again whenever the connection broke before the \
         transaction was seen to be committed; the others were in the queue before. No job of these was lost, none was done twice, and none ended otherwise than promised; the test fails on the first that does.\n\n"
    );
    let version: String = admin.query_one("SHOW server_version", &[]).expect("asked").get(0);
    let _ = write!(
        page,
        "Postgres {version}, `mcp.job_concurrency = 6`, {} processors shared with other work, {:.0} s: {:.0} jobs a second with all the restarts.\n\n\
         | ended | times |\n|---|---:|\n",
        std::thread::available_parallelism().map_or(0, usize::from),
        told.took.as_secs_f64(),
        wanted as f64 / told.took.as_secs_f64()
    );
    for (what, times) in &told.kills {
        let _ = writeln!(page, "| {what} | {times} |");
    }
    let mut total = |sql: &str| number(admin, sql);
    let lines = [
        ("jobs acknowledged", wanted),
        ("jobs in the queue", total("SELECT count(*) FROM jobs.queue")),
        ("transactions submitted again after a broken connection", told.again as i64),
        ("completed", total("SELECT count(*) FROM jobs.queue WHERE status = 'completed'")),
        (
            "failed, as they should (they always do)",
            total("SELECT count(*) FROM jobs.queue WHERE status = 'failed' AND job_name = 'fails'"),
        ),
        (
            "failed after three lost runs",
            total("SELECT count(*) FROM jobs.queue WHERE status = 'failed' AND job_name <> 'fails'"),
        ),
        ("effects", total("SELECT count(*) FROM soak.effects")),
        (
            "effects of jobs that are not completed, or second effects",
            total(
                "SELECT count(*) - (SELECT count(*) FROM jobs.queue WHERE status = 'completed') FROM soak.marks",
            ),
        ),
        ("runs begun", total("SELECT sum(run)::bigint FROM jobs.queue")),
        ("runs that counted as an attempt", total("SELECT sum(attempts)::bigint FROM jobs.queue")),
        ("runs handed back, not counted", total("SELECT sum(run - attempts)::bigint FROM jobs.queue")),
        (
            "lost runs of jobs that never fail by themselves, taken over",
            total(
                "SELECT sum(attempts - 1)::bigint FROM jobs.queue WHERE job_name IN ('effect', 'slow', 'called')",
            ),
        ),
        (
            "most attempts of one of those",
            total(
                "SELECT max(attempts)::bigint FROM jobs.queue WHERE job_name IN ('effect', 'slow', 'called')",
            ),
        ),
        ("workers (coordinators) that began", total("SELECT count(*) FROM jobs.workers")),
    ];
    page.push_str("\n| counted afterwards | |\n|---|---:|\n");
    for (what, number) in lines {
        let _ = writeln!(page, "| {what} | {number} |");
    }
    page
}
