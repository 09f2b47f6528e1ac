//! Background jobs when the surroundings change: a standby is promoted, there are no free processes, the coordinator is killed, the database is
//! dropped, a job says nothing; and an edge job against a real Deno.

use fluxbase_tests::cluster::tail;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::runtime::Runtime;
use fluxbase_tests::settings::deno;
use postgres::Client;
use serde_json::{Value, json};

use super::jobs_life::{Jobs, LONG, kill};

/// A job that waits as long as the server is told so.
const HELD: &str = "
CREATE FUNCTION work.held() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('app.hold', true) = 'on' THEN
        PERFORM pg_sleep(3600);
    END IF;
    RETURN 'free';
END $$;
SELECT mcp.register_job('held', 'work.held()', backoff_base_seconds => 0.1, timeout_seconds => 7200);
";

fn text(client: &mut Client, sql: &str) -> String {
    client
        .query_one(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .get::<_, Option<String>>(0)
        .unwrap_or_default()
}

const COORDINATOR: &str =
    "SELECT state || ': ' || coalesce(hint, '') FROM mcp.jobs_status() WHERE process = 'coordinator'";

/// Proves that a standby runs no job, and that after its promotion what waited is run and what ran elsewhere is taken over.
#[test]
fn a_promoted_standby_runs_the_jobs() {
    let mut jobs = Jobs::start("mcp.job_concurrency = 1\napp.hold = 'on'");
    jobs.admin.batch_execute(HELD).expect("registered");
    let a = jobs.a.clone();
    let held = jobs.submit(&a, "held", json!({}));
    jobs.pid_of(&held);
    let waits = jobs.submit(&a, "effect", json!({"n": 1}));
    let standby = jobs.cluster.standby("app.hold = 'off'");
    let mut there = standby.admin("app");
    let seen = "SELECT string_agg(status, ' ' ORDER BY seq) FROM jobs.queue";
    eventually(LONG, "the standby knows the jobs", || {
        (text(&mut there, seen) == "running pending").then_some(())
    });
    let status = text(&mut there, COORDINATOR);
    assert!(status.starts_with("not running: ") && status.contains("standby"), "{status}");
    let processes = "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type LIKE 'fluxbase_mcp job%'";
    assert_eq!(text(&mut there, processes), "0");
    assert_eq!(
        text(
            &mut there,
            "SELECT count(*)::text FROM mcp.doctor(true) WHERE topic = 'jobs' AND level = 'error'"
        ),
        "0"
    );

    jobs.cluster.stop("immediate");
    assert_eq!(text(&mut there, seen), "running pending", "nobody touched them");
    standby.promote();
    let mut there = standby.admin("app");
    eventually(LONG, "both are done", || (text(&mut there, seen) == "completed completed").then_some(()));
    let row = |client: &mut Client, id: &str| -> Value {
        serde_json::from_str(&text(
            client,
            &format!("SELECT to_jsonb(q)::text FROM jobs.queue AS q WHERE id = '{id}'"),
        ))
        .expect("JSON")
    };
    let taken = row(&mut there, &held);
    assert_eq!((&taken["result"], &taken["attempts"], &taken["run"]), (&json!("free"), &json!(2), &json!(2)));
    assert_eq!(row(&mut there, &waits)["attempts"], json!(1));
    assert_eq!(text(&mut there, "SELECT count(*)::text FROM work.effects"), "1");
}

/// Proves that it is told when all of max_worker_processes are in use, for the coordinator and for executors, and that jobs go on by themselves
/// as soon as a process is free.
#[test]
fn without_free_processes_it_is_told() {
    let mut jobs = Jobs::start("mcp.job_concurrency = 0");
    let second = Database::create_second(&jobs.cluster);
    // How many others there are: nobody else has databases with jobs now.
    let others: i64 = jobs.number(
        "SELECT count(*) FROM pg_stat_activity
          WHERE backend_type LIKE 'fluxbase_mcp%' OR backend_type = 'logical replication launcher'",
    );
    let restart = |jobs: &mut Jobs, more: i64| {
        jobs.admin
            .batch_execute(&format!("ALTER SYSTEM SET max_worker_processes = {}", others + more))
            .expect("set");
        jobs.admin.batch_execute("ALTER SYSTEM SET mcp.job_concurrency = 4").expect("set");
        jobs.cluster.stop("fast");
        jobs.cluster.start_again();
        jobs.again();
    };

    // No place even for a coordinator.
    restart(&mut jobs, 0);
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "effect", json!({"n": 1}));
    eventually(LONG, "status tells why there is no coordinator", || {
        let status = text(&mut jobs.admin, COORDINATOR);
        (status.starts_with("not running: ") && status.contains("max_worker_processes are in use"))
            .then_some(())
    });
    let finding = text(
        &mut jobs.admin,
        "SELECT level || ' ' || finding || ' ' || remedy FROM mcp.doctor(true) WHERE topic = 'jobs'",
    );
    assert!(finding.starts_with("error ") && finding.contains("max_worker_processes"), "{finding}");
    assert!(jobs.cluster.log().contains("cannot be run, all of max_worker_processes are in use"));

    // Two places, and two databases whose coordinators take them.
    restart(&mut jobs, 2);
    let mut other = second.admin();
    eventually(LONG * 2, "both coordinators run", || {
        let both = [text(&mut jobs.admin, COORDINATOR), text(&mut other, COORDINATOR)];
        both.iter().all(|status| status.starts_with("running")).then_some(())
    });
    drop(other);
    eventually(LONG, "status tells that no other process can be started", || {
        let status = text(&mut jobs.admin, COORDINATOR);
        (status.starts_with("running: ") && status.contains("max_worker_processes are in use")).then_some(())
    });
    assert_eq!(jobs.row(&id)["status"], json!("pending"));
    let finding = text(
        &mut jobs.admin,
        "SELECT level || ' ' || finding || ' ' || remedy FROM mcp.doctor(true) WHERE topic = 'jobs'",
    );
    assert!(finding.starts_with("warn ") && finding.contains("max_worker_processes"), "{finding}");
    assert!(jobs.cluster.log().contains("another process cannot be started"));
    // One of them goes: its place is taken by itself.
    jobs.admin.batch_execute("ALTER SYSTEM SET mcp.job_databases = 'app'").expect("set");
    jobs.admin.batch_execute("SELECT pg_reload_conf()").expect("read");
    let row = jobs.wait(&id, "completed");
    assert_eq!(row["attempts"], json!(1), "{row}");
    eventually(LONG, "and nothing is missing any more", || {
        (text(&mut jobs.admin, COORDINATOR) == "running: ").then_some(())
    });
}

/// Proves that a job that says nothing for its time is ended, and that one that goes on saying something is not.
#[test]
fn a_job_that_says_nothing_is_ended() {
    let mut jobs = Jobs::start("");
    jobs.admin
        .batch_execute(
            "CREATE FUNCTION work.silent() RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
                 PERFORM jobs.report_progress(5, 'begun');
                 PERFORM pg_sleep(3600);
             END $$;
             CREATE FUNCTION work.talks() RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
                 FOR n IN 1 .. 30 LOOP
                     PERFORM jobs.report_progress(n);
                     PERFORM pg_sleep(0.5);
                 END LOOP;
             END $$;
             SELECT mcp.register_job('silent', 'work.silent()', timeout_seconds => 7200, progress_timeout_seconds => 1);
             SELECT mcp.register_job('talks', 'work.talks()', timeout_seconds => 7200, progress_timeout_seconds => 10)",
        )
        .expect("registered");
    let a = jobs.a.clone();
    let (silent, talks) = (jobs.submit(&a, "silent", json!({})), jobs.submit(&a, "talks", json!({})));
    let row = jobs.wait(&silent, "failed");
    assert!(row["error_message"].as_str().unwrap().contains("reported no progress"), "{row}");
    assert_eq!((&row["attempts"], &row["progress"]["percent"]), (&json!(1), &json!(5)), "{row}");
    let row = jobs.wait(&talks, "completed");
    assert_eq!((&row["attempts"], &row["progress"]["percent"]), (&json!(1), &json!(30)), "{row}");
}

/// Proves that a job without retries outlives a kill of the coordinator: the next one takes it over, and it takes effect once.
#[test]
fn a_killed_coordinator_loses_nothing() {
    let mut jobs = Jobs::start("app.hold = 'on'");
    jobs.admin.batch_execute(HELD).expect("registered");
    let a = jobs.a.clone();
    let held = jobs.submit(&a, "held", json!({}));
    jobs.pid_of(&held);
    jobs.admin.batch_execute("ALTER SYSTEM SET app.hold = 'off'").expect("set");
    jobs.admin.batch_execute("SELECT pg_reload_conf()").expect("read");
    let coordinator: i32 = jobs
        .admin
        .query_one("SELECT pid FROM mcp.jobs_status() WHERE process = 'coordinator'", &[])
        .expect("asked")
        .get(0);
    kill(coordinator);
    eventually(LONG, "the server has noticed", || {
        jobs.admin.batch_execute("SELECT 1").is_err().then_some(())
    });
    jobs.again();
    let row = jobs.wait(&held, "completed");
    assert_eq!(
        (&row["max_retries"], &row["attempts"], &row["retry_count"]),
        (&json!(0), &json!(2), &json!(1)),
        "{row}"
    );
    let log = jobs.cluster.log();
    assert!(log.contains("are taken over"), "{}", tail(&log, 20));
    let another: i32 = jobs
        .admin
        .query_one("SELECT pid FROM mcp.jobs_status() WHERE process = 'coordinator'", &[])
        .expect("asked")
        .get(0);
    assert_ne!(coordinator, another);
}

/// Proves that a database whose jobs run is not dropped by accident, that WITH (FORCE) drops it and ends their processes, and that other databases
/// go on.
#[test]
fn a_database_with_running_jobs_is_dropped_by_force_only() {
    let mut jobs = Jobs::start("app.hold = 'on'");
    jobs.admin.batch_execute(HELD).expect("registered");
    let second = Database::create_second(&jobs.cluster);
    let a = jobs.a.clone();
    let held = jobs.submit(&a, "held", json!({}));
    let pid = jobs.pid_of(&held);
    let mut postgres = jobs.cluster.admin("postgres");
    let Jobs { cluster, database, admin, .. } = jobs;
    drop(admin);
    let refused =
        postgres.batch_execute(&format!("DROP DATABASE {}", database.name)).expect_err("it is used");
    let refused = refused.as_db_error().expect("an error of Postgres").clone();
    assert_eq!(refused.code().code(), "55006", "{refused:?}");
    assert!(refused.message().contains("is being accessed by other users"), "{refused:?}");
    let running =
        format!("SELECT count(*)::text FROM pg_stat_activity WHERE pid = {pid} AND datname = 'app'");
    assert_eq!(text(&mut postgres, &running), "1", "the job still runs");
    postgres.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", database.name)).expect("dropped");
    assert_eq!(text(&mut postgres, &running), "0");
    let mut other = second.admin();
    eventually(LONG, "the other database's worker runs", || {
        text(&mut other, COORDINATOR).starts_with("running").then_some(())
    });
    let log = cluster.log();
    assert!(!log.contains("PANIC") && !log.contains("terminated by signal"), "{}", tail(&log, 30));
}

/// Proves an edge job against a real Deno: as whom it is called, what it answers, what it says when it fails, and that cancelling ends its call.
#[test]
fn an_edge_job_reaches_a_real_deno() {
    let mut jobs = Jobs::start("");
    let secret = text(&mut jobs.admin, "SELECT mcp.functions_secret()");
    let runtime = Runtime::start_with(
        &[
            (
                "sum.ts",
                "export default async (request: Request, context: any) => {
                     const { numbers } = await request.json();
                     return Response.json({ sum: numbers.reduce((a: number, b: number) => a + b, 0), sub: context.claims.sub, role: context.claims.role });
                 };",
            ),
            ("breaks.ts", "export default () => { throw new Error('on purpose'); };"),
            ("hangs.ts", "export default () => new Promise(() => { setInterval(() => {}, 1000); });"),
        ],
        &secret,
        &["--deno", &deno()],
        &[],
    );
    jobs.admin
        .batch_execute(&format!("ALTER SYSTEM SET mcp.functions_url = 'http://{}'", runtime.address))
        .expect("set");
    jobs.admin
        .batch_execute(
            "SELECT pg_reload_conf();
             INSERT INTO functions.edge_functions (name, timeout_seconds) VALUES ('sum', 120), ('breaks', 120), ('hangs', 300);
             SELECT mcp.register_job(n, edge_function => n, max_retries => 0, timeout_seconds => 600) FROM unnest(ARRAY['sum', 'breaks', 'hangs']) AS n",
        )
        .expect("registered");
    eventually(LONG, "the setting is read", || {
        (!text(&mut jobs.admin, "SHOW mcp.functions_url").is_empty()).then_some(())
    });
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "sum", json!({"numbers": [1, 2, 39]}));
    let row = jobs.wait(&id, "completed");
    assert_eq!(row["result"]["status"], json!(200), "{row}");
    let sub = row["created_by"].clone();
    assert_eq!(row["result"]["body"], json!({"sum": 42, "sub": sub, "role": "authenticated"}), "{row}");
    let id = jobs.submit(&a, "breaks", json!({}));
    let row = jobs.wait(&id, "failed");
    assert!(row["error_message"].as_str().unwrap().contains("status 500"), "{row}");
    let id = jobs.submit(&a, "hangs", json!({}));
    jobs.pid_of(&id);
    jobs.call(&a, "cancel_job", &json!({"job_id": id}));
    jobs.wait(&id, "cancelled");
    assert!(!runtime.log().contains(&secret), "the log holds no secret");
}

/// Proves that an error of the next claim, which is part of the transaction that ends a job, fails neither job: what the first did is undone, it
/// is handed back without counting, and done once when a job can be claimed again.
#[test]
fn an_error_of_the_next_claim_fails_no_job() {
    let mut jobs = Jobs::start("mcp.job_concurrency = 1");
    let a = jobs.a.clone();
    let first = jobs.submit(&a, "sleep", json!({"s": 2, "n": 1}));
    jobs.pid_of(&first);
    let second = jobs.submit(&a, "effect", json!({"n": 2}));
    // The end of a job reads no row of jobs.functions, a claim does. It waits two seconds for the lock.
    let mut other = jobs.database.admin();
    let mut holding = other.transaction().expect("begun");
    holding.batch_execute("LOCK TABLE jobs.functions IN ACCESS EXCLUSIVE MODE").expect("locked");
    eventually(LONG, "the first job is handed back", || {
        let row = jobs.row(&first);
        assert_ne!(row["status"], json!("failed"), "{row}");
        (row["status"] == json!("pending") && row["run"] == json!(1)).then_some(())
    });
    let row = jobs.row(&first);
    assert_eq!((&row["attempts"], &row["error_message"]), (&json!(0), &Value::Null), "{row}");
    assert_eq!(jobs.number("SELECT count(*) FROM work.effects"), 0, "what it did is undone");
    holding.rollback().expect("given back");
    for id in [&first, &second] {
        let row = jobs.wait(id, "completed");
        assert_eq!((&row["attempts"], &row["retry_count"]), (&json!(1), &json!(0)), "{row}");
    }
    assert_eq!(jobs.number("SELECT count(*) FROM work.effects"), 2);
}
