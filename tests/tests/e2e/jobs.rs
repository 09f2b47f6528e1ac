//! Background jobs over HTTP: from submitting one to its end, and that nothing is done twice however many ask for it.

use std::collections::BTreeSet;
use std::time::Duration;

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::mcp::Client;
use fluxbase_tests::{cluster, eventually};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(60);

/// Jobs that wait for advisory locks, so that tests need not guess when they are where.
const WORK: &str = "
SELECT mcp.install('{jobs}');
CREATE SCHEMA work;
GRANT USAGE ON SCHEMA work TO authenticated;
CREATE TABLE work.effects (job text NOT NULL, who text);
GRANT SELECT, INSERT ON work.effects TO authenticated;
CREATE FUNCTION work.halves(payload jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.effects VALUES (payload ->> 'name', mcp.claim('sub'));
    PERFORM jobs.report_progress(50, 'halfway', '{\"rows\": 1}');
    PERFORM jobs.log('info', 'halfway', NULL);
    PERFORM pg_advisory_xact_lock(7001);
    RETURN jsonb_build_object('name', payload ->> 'name', 'who', mcp.claim('sub'), 'role', current_user);
END
$$;
CREATE FUNCTION work.fails() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.effects VALUES ('fails', NULL);
    PERFORM jobs.log('warning', 'about to fail');
    PERFORM 1 / 0;
END
$$;
CREATE FUNCTION work.sleeps() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(600)';
CREATE FUNCTION work.notes(payload jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO work.effects VALUES (payload ->> 'name', mcp.claim('role')) $$;
SELECT mcp.register_job('halves', 'work.halves(jsonb)');
SELECT mcp.register_job('fails', 'work.fails()', max_retries => 2, backoff_base_seconds => 0.05);
SELECT mcp.register_job('sleeps', 'work.sleeps()');
SELECT mcp.register_job('notes', 'work.notes(jsonb)');";

struct Stage {
    listener: Listener,
    ann: Key,
    ben: Key,
    database: Database,
    _cluster: Cluster,
}

/// `databases`: whose jobs are run; with none they only wait.
fn begin(databases: &str) -> Stage {
    let cluster = Cluster::start(&format!("mcp.job_databases = '{databases}'"));
    let database = Database::create(&cluster, "app");
    database.admin().batch_execute(WORK).expect("the jobs can be registered");
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = |name: &str, user: &str| {
        database.client_key(&["--name", name, "--user", user, "--scopes", "execute:jobs"])
    };
    let (ann, ben) = (key("Ann", "ann"), key("Ben", "ben"));
    Stage { listener, ann, ben, database, _cluster: cluster }
}

impl Stage {
    fn value(&self, sql: &str) -> String {
        let row = self.database.admin().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    fn client(&self) -> Client {
        self.listener.client(&self.ann)
    }
}

fn submit(client: &mut Client, arguments: Value) -> String {
    let answer = client.call("submit_job", arguments).value();
    assert_eq!(answer["status"], "pending", "{answer}");
    answer["job_id"].as_str().expect("an id").to_owned()
}

fn status(client: &mut Client, id: &str) -> Value {
    client.call("get_job_status", json!({ "job_id": id })).value()
}

/// The job, once it has that status.
fn until(client: &mut Client, id: &str, wanted: &str) -> Value {
    let mut last = Value::Null;
    let deadline = std::time::Instant::now() + LONG;
    while std::time::Instant::now() < deadline {
        last = status(client, id);
        if last["status"] == wanted {
            return last;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("the job is never {wanted}: {last}");
}

/// Proves that a job runs as who submitted it, that its progress and log are seen while its transaction is open, and what it returned at its end.
#[test]
fn submitted_seen_at_work_completed() {
    let stage = begin("*");
    let mut holder = stage.database.admin();
    holder.batch_execute("SELECT pg_advisory_lock(7001)").expect("locked");
    let mut client = stage.client();
    let id = submit(&mut client, json!({ "job_name": "halves", "payload": {"name": "one"} }));
    let at_work = eventually(LONG, "progress is seen", || {
        let now = status(&mut client, &id);
        now["progress"].is_number().then_some(now)
    });
    assert_eq!(
        (
            &at_work["status"],
            at_work["progress"].as_f64(),
            &at_work["progress_message"],
            &at_work["progress_data"]
        ),
        (&json!("running"), Some(50.0), &json!("halfway"), &json!({"rows": 1}))
    );
    let logs = eventually(LONG, "the log is seen", || {
        let logs = client.call("get_job_logs", json!({ "job_id": id })).value();
        (logs["count"] == 1).then_some(logs)
    });
    assert_eq!((&logs["logs"][0]["level"], &logs["logs"][0]["message"]), (&json!("info"), &json!("halfway")));
    assert_eq!(stage.value("SELECT count(*)::text FROM work.effects"), "0", "its transaction is open");
    let foreign = stage.listener.client(&stage.ben).call("get_job_status", json!({ "job_id": id })).error();
    assert!(foreign.contains("there is no job"), "{foreign}");

    holder.batch_execute("SELECT pg_advisory_unlock(7001)").expect("unlocked");
    let done = until(&mut client, &id, "completed");
    assert_eq!(done["result"], json!({"name": "one", "who": "ann", "role": "authenticated"}));
    assert_eq!((&done["attempts"], &done["retry_count"]), (&json!(1), &json!(0)));
    assert_eq!(stage.value("SELECT string_agg(job || ' ' || who, ',') FROM work.effects"), "one ann");
}

/// Proves that a job that fails is tried again, then stays to be seen as failed, with what it logged and without what it wrote.
#[test]
fn failed_retried_dead() {
    let stage = begin("*");
    let mut client = stage.client();
    let id = submit(&mut client, json!({ "job_name": "fails" }));
    let dead = until(&mut client, &id, "failed");
    assert_eq!(
        (&dead["attempts"], &dead["retry_count"], &dead["max_retries"]),
        (&json!(3), &json!(2), &json!(2))
    );
    assert!(dead["error"].as_str().is_some_and(|error| error.contains("division by zero")), "{dead}");
    assert_eq!(stage.value("SELECT count(*)::text FROM work.effects"), "0");
    let logs = client.call("get_job_logs", json!({ "job_id": id, "level": "warning" })).value();
    assert_eq!(logs["count"], 3, "one of each attempt: {logs}");
    let listed = client.call("list_jobs", json!({ "status": "failed" })).value();
    assert_eq!(listed["jobs"][0]["job_id"], json!(id));
}

/// Proves that a cancel reaches the statement that runs, and that others' cancels do not.
#[test]
fn cancelled_at_work() {
    let stage = begin("*");
    let mut client = stage.client();
    let id = submit(&mut client, json!({ "job_name": "sleeps" }));
    until(&mut client, &id, "running");
    let foreign = stage.listener.client(&stage.ben).call("cancel_job", json!({ "job_id": id })).error();
    assert!(foreign.contains("there is no job"), "{foreign}");
    assert_eq!(status(&mut client, &id)["status"], "running");
    client.call("cancel_job", json!({ "job_id": id })).value();
    let ended = until(&mut client, &id, "cancelled");
    assert_eq!(ended["retry_count"], 0, "{ended}");
    eventually(LONG, "the statement has ended", || {
        let sleeping =
            stage.value("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        (sleeping == "0").then_some(())
    });
}

/// Proves that a job waits for its time, and that a slot of a schedule runs once, as the role that was registered.
#[test]
fn at_its_time_and_by_schedule() {
    let stage = begin("*");
    let mut client = stage.client();
    let soon = stage.value(
        "SELECT to_char((now() + interval '3 s') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    );
    let id = submit(
        &mut client,
        json!({ "job_name": "notes", "payload": {"name": "later"}, "scheduled_at": soon }),
    );
    until(&mut client, &id, "completed");
    assert_eq!(stage.value("SELECT (started_at >= scheduled_at)::text FROM jobs.queue"), "true");

    let mut admin = stage.database.admin();
    admin
        .batch_execute(
            "SELECT mcp.register_job('cron', 'work.notes(jsonb)', schedule => '0 0 1 1 *', run_as => 'authenticated', schedule_payload => '{\"name\": \"cron\"}');
             UPDATE jobs.functions SET next_run_at = next_run_at - interval '1 year', enabled = true WHERE name = 'cron'",
        )
        .expect("registered");
    eventually(LONG, "the schedule has run", || {
        (stage.value("SELECT string_agg(who, ',') FROM work.effects WHERE job = 'cron'") == "authenticated")
            .then_some(())
    });
    assert_eq!(stage.value("SELECT count(*)::text FROM jobs.queue WHERE job_name = 'cron'"), "1");
    assert_eq!(
        client.call("list_jobs", json!({ "job_name": "cron" })).value()["count"],
        0,
        "admins see it, users do not"
    );
}

/// Proves that many clients with one idempotency key submit one job.
#[test]
fn one_key_is_one_job() {
    let stage = begin("");
    let ids: BTreeSet<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let mut client = stage.client();
                scope.spawn(move || {
                    let asked =
                        json!({ "job_name": "notes", "payload": {"name": "once"}, "idempotency_key": "k" });
                    (0..10).map(|_| submit(&mut client, asked.clone())).collect::<Vec<_>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    });
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(stage.value("SELECT count(*)::text FROM jobs.queue"), "1");
}

/// Proves that sessions that claim, finish and schedule at the same time get each job once, and make each slot once.
#[test]
fn workers_share_the_queue() {
    let stage = begin("");
    let mut admin = stage.database.admin();
    admin
        .batch_execute(
            "INSERT INTO jobs.queue (namespace, function_id, job_name, role_name)
             SELECT 'default', f.id, f.name, 'authenticated' FROM jobs.functions AS f, generate_series(1, 400) WHERE f.name = 'notes';
             SELECT mcp.register_job('each', 'work.notes(jsonb)', schedule => '* * * * *', missed_runs => 'run_all', run_as => 'authenticated');
             UPDATE jobs.functions SET next_run_at = date_trunc('minute', now()) - interval '30 minutes' WHERE name = 'each'",
        )
        .expect("queued");
    let runs: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..6)
            .map(|_| {
                let url = stage.database.admin_url.clone();
                scope.spawn(move || {
                    let mut session = cluster::connect(&url).expect("connected");
                    let worker: String =
                        session.query_one("SELECT gen_random_uuid()::text", &[]).expect("an id").get(0);
                    let mut runs = Vec::new();
                    loop {
                        session.batch_execute("SELECT mcp._jobs_schedule()").expect("scheduled");
                        let claim =
                            "SELECT id::text, run FROM mcp._jobs_claim($1::text::uuid, 7, '1 minute')";
                        let claimed = session.query(claim, &[&worker]).expect("claimed");
                        if claimed.is_empty() {
                            return runs;
                        }
                        for row in &claimed {
                            let (id, run): (String, i32) = (row.get(0), row.get(1));
                            let finish =
                                "SELECT mcp._jobs_finish($1::text::uuid, $2::text::uuid, $3, 'completed')";
                            let ended: Option<String> =
                                session.query_one(finish, &[&id, &worker, &run]).expect("finished").get(0);
                            assert_eq!(ended.as_deref(), Some("completed"));
                            runs.push(id);
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    assert_eq!(runs.len(), runs.iter().collect::<BTreeSet<_>>().len(), "no job ran twice");
    assert_eq!(stage.value("SELECT count(*)::text FROM jobs.queue WHERE job_name = 'notes' AND status = 'completed' AND run = 1"), "400");
    // A minute may have begun meanwhile.
    let slots = stage.value("SELECT (count(*) BETWEEN 31 AND 40)::text || (count(DISTINCT slot) = count(*))::text FROM jobs.queue WHERE job_name = 'each'");
    assert_eq!(slots, "truetrue");
}
