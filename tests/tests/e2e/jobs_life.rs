//! Background jobs and the processes that run them: as whom, in which order, what stops them, and what becomes of a job whose process ends.

use std::time::Duration;

use fluxbase_tests::cluster::{Cluster, run};
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::{Database, TENANT_A, TENANT_B};
use fluxbase_tests::keys::Key;
use fluxbase_tests::settings::settings;
use fluxbase_tests::web::Web;
use postgres::Client;
use serde_json::{Value, json};

/// Generous: nothing here judges how fast the machine is.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// What the jobs do.
const WORK: &str = "
CREATE SCHEMA work;
GRANT USAGE ON SCHEMA work TO authenticated, service_role;
CREATE TABLE work.effects (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT INSERT, SELECT ON work.effects TO authenticated, service_role;
CREATE FUNCTION work.effect(payload jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO work.effects (id) VALUES ((payload->>''n'')::int)';
CREATE FUNCTION work.who() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('user', current_user, 'sub', mcp.claim('sub'), 'mirror', current_setting('request.jwt.claims', true)::jsonb->>'sub',
                              'rows', (SELECT count(*) FROM public.notes), 'others', (SELECT count(*) FROM public.notes WHERE user_id <> auth.uid())) $$;
CREATE FUNCTION work.sleep(payload jsonb) RETURNS text LANGUAGE sql AS $$
    INSERT INTO work.effects (id) SELECT (payload->>'n')::int WHERE payload ? 'n';
    SELECT pg_sleep((payload->>'s')::float8)::text || 'slept' $$;
CREATE FUNCTION work.steps() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM jobs.report_progress(40, 'nearly half', '{\"step\": 2}');
    PERFORM jobs.log('info', 'said before the end', jsonb_build_object('long', repeat('x', 9000)));
    PERFORM pg_sleep(300);
END $$;
CREATE FUNCTION work.stubborn() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        BEGIN
            PERFORM pg_sleep(60);
        EXCEPTION WHEN query_canceled THEN
            NULL;
        END;
    END LOOP;
END $$;
CREATE PROCEDURE work.commits() LANGUAGE plpgsql AS 'BEGIN INSERT INTO work.effects (id) VALUES (-1); COMMIT; END';
CREATE PROCEDURE work.plain() LANGUAGE plpgsql AS 'BEGIN INSERT INTO work.effects (id) VALUES (-2); END';
CREATE FUNCTION work.fails() RETURNS void LANGUAGE plpgsql AS 'BEGIN INSERT INTO work.effects (id) VALUES (-3); RAISE EXCEPTION ''no luck''; END';
CREATE FUNCTION work.attack(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE payload->>''sql''; END';
CREATE FUNCTION work.leaves(payload jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_lock(4711);
    PERFORM set_config('work_mem', '77MB', false), set_config('app.left', 'secret', false);
    RETURN to_jsonb(pg_backend_pid());
END $$;
CREATE FUNCTION work.finds() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('pid', pg_backend_pid(), 'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711),
                              'work_mem', current_setting('work_mem'), 'left', current_setting('app.left', true)) $$;
SELECT mcp.register_job(n, to_regprocedure('work.' || f), max_retries => r, backoff_base_seconds => 0.1, timeout_seconds => t)
  FROM (VALUES ('effect', 'effect(jsonb)', 20, 60), ('who', 'who()', 0, 60), ('sleep', 'sleep(jsonb)', 20, 600), ('steps', 'steps()', 0, 600),
               ('short', 'sleep(jsonb)', 0, 1), ('stubborn', 'stubborn()', 0, 1), ('commits', 'commits()', 0, 60), ('plain', 'plain()', 0, 60),
               ('fails', 'fails()', 1, 60), ('attack', 'attack(jsonb)', 0, 60), ('leaves', 'leaves(jsonb)', 0, 60), ('finds', 'finds()', 0, 60))
       AS j(n, f, r, t);
";

/// A server with those jobs, and keys of two users.
pub(super) struct Jobs {
    pub(super) cluster: Cluster,
    pub(super) database: Database,
    pub(super) admin: Client,
    pub(super) a: Key,
    pub(super) b: Key,
}

impl Jobs {
    pub(super) fn start(more: &str) -> Jobs {
        let cluster = Cluster::start(&format!("max_worker_processes = 16\n{more}"));
        let database = Database::create(&cluster, "app");
        let mut admin = database.admin();
        admin.batch_execute("SELECT mcp.install('{functions,jobs}')").expect("the tables can be made");
        admin.batch_execute(WORK).expect("the jobs can be registered");
        let key = |name, user| {
            database.client_key(&[
                "--name",
                name,
                "--user",
                user,
                "--scopes",
                "execute:jobs,execute:functions",
            ])
        };
        let (a, b) = (key("A", TENANT_A), key("B", TENANT_B));
        Jobs { cluster, database, admin, a, b }
    }

    pub(super) fn again(&mut self) {
        self.admin = eventually(LONG, "the server answers", || {
            fluxbase_tests::cluster::connect(&self.database.admin_url).ok()
        });
    }

    /// Calls a tool with a key, in SQL.
    pub(super) fn call(&mut self, key: &Key, tool: &str, arguments: &Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
        let mut transaction = self.admin.transaction().expect("begun");
        transaction.execute("SELECT mcp.authenticate($1)", &[&key.plain]).expect("taken");
        let row = transaction
            .query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&request.to_string()])
            .expect("answered");
        transaction.commit().expect("committed");
        let reply: Value = serde_json::from_str(row.get(0)).expect("JSON");
        assert_eq!(reply["result"]["isError"], json!(false), "{reply}");
        serde_json::from_str(reply["result"]["content"][0]["text"].as_str().expect("a text")).expect("JSON")
    }

    pub(super) fn submit(&mut self, key: &Key, name: &str, payload: Value) -> String {
        let answer = self.call(key, "submit_job", &json!({ "job_name": name, "payload": payload }));
        answer["job_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub(super) fn row(&mut self, id: &str) -> Value {
        let row = self
            .admin
            .query_one("SELECT to_jsonb(q)::text FROM jobs.queue AS q WHERE id::text = $1", &[&id])
            .expect("the job");
        serde_json::from_str(row.get(0)).expect("JSON")
    }

    /// Waits for a status; the row then.
    pub(super) fn wait(&mut self, id: &str, status: &str) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let row = self.row(id);
            if row["status"] == json!(status) {
                return row;
            }
            assert!(
                begun.elapsed() < LONG,
                "it did not become {status}: {row}\n{}",
                fluxbase_tests::cluster::tail(&self.cluster.log(), 15)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process that runs it.
    pub(super) fn pid_of(&mut self, id: &str) -> i32 {
        eventually(LONG, "a process runs it", || {
            let row = self
                .admin
                .query_opt("SELECT pid FROM mcp.jobs_status() WHERE job::text = $1", &[&id])
                .expect("asked");
            row.map(|row| row.get(0))
        })
    }

    pub(super) fn number(&mut self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }
}

pub(super) fn kill(pid: i32) {
    run(settings().as_user("kill").args(["-9", &pid.to_string()]));
}

/// Proves that a job sees what its submitter sees and no more, with the claims of the key, and that the worker itself is a weak role.
#[test]
fn a_job_runs_as_who_submitted_it() {
    let mut jobs = Jobs::start("");
    let (a, b) = (jobs.a.clone(), jobs.b.clone());
    for (key, user) in [(&a, TENANT_A), (&b, TENANT_B)] {
        let id = jobs.submit(key, "who", json!({}));
        let row = jobs.wait(&id, "completed");
        assert_eq!(
            row["result"],
            json!({"user": "authenticated", "sub": user, "mirror": user, "rows": 1, "others": 0}),
            "{row}"
        );
        assert_eq!((&row["attempts"], &row["error_message"]), (&json!(1), &Value::Null));
    }
    let sessions = jobs.admin.query("SELECT usename::text FROM pg_stat_activity WHERE backend_type LIKE 'fluxbase_mcp job%' AND datname = 'app'", &[]);
    let sessions = sessions.expect("asked");
    assert!(!sessions.is_empty());
    for session in sessions {
        assert_eq!(session.get::<_, &str>(0), "mcp_jobs");
    }
    // Nothing but what a worker calls: neither the tables nor anything of a user's.
    let can = jobs.number("SELECT count(*) FROM pg_class WHERE relnamespace IN ('jobs'::regnamespace, 'mcp'::regnamespace, 'public'::regnamespace, 'work'::regnamespace)
        AND relkind = 'r' AND has_table_privilege('mcp_jobs', oid, 'SELECT, INSERT, UPDATE, DELETE')");
    assert_eq!(can, 0);
    let id = jobs.submit(&a, "fails", json!({}));
    let row = jobs.wait(&id, "failed");
    assert_eq!((&row["attempts"], &row["retry_count"]), (&json!(2), &json!(1)), "{row}");
    assert!(row["error_message"].as_str().unwrap().contains("no luck"), "{row}");
    assert_eq!(jobs.number("SELECT count(*) FROM work.effects"), 0, "what a failed attempt did is undone");
}

/// Proves that the most urgent runs first, and first come, first served among equals.
#[test]
fn the_most_urgent_runs_first() {
    let mut jobs = Jobs::start("mcp.job_concurrency = 1");
    let a = jobs.a.clone();
    let blocker = jobs.submit(&a, "sleep", json!({"s": 2}));
    jobs.pid_of(&blocker);
    let mut wanted = Vec::new();
    for (n, priority) in [(1, 0), (2, 0), (3, 10), (4, -5), (5, 10)] {
        let _ = jobs.call(
            &a,
            "submit_job",
            &json!({"job_name": "effect", "payload": {"n": n}, "priority": priority}),
        );
        wanted.push((-priority, n));
    }
    wanted.sort_unstable();
    eventually(LONG, "all have run", || {
        (jobs.number("SELECT count(*) FROM work.effects") == 5).then_some(())
    });
    let order = jobs.admin.query("SELECT id FROM work.effects ORDER BY at", &[]).expect("asked");
    let order: Vec<i32> = order.iter().map(|row| row.get(0)).collect();
    assert_eq!(order, wanted.iter().map(|pair| pair.1).collect::<Vec<i32>>());
}

/// Proves that progress and log are seen while the job's transaction is open, that a cancel ends its statement, and that both stay.
#[test]
fn progress_is_seen_and_a_cancel_arrives() {
    let web = Web::start();
    let mut jobs = Jobs::start(&format!("mcp.functions_url = '{}'", web.url()));
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "steps", json!({}));
    let row = eventually(LONG, "its progress is seen", || {
        let row = jobs.row(&id);
        (row["progress"] != Value::Null).then_some(row)
    });
    assert_eq!(row["status"], json!("running"));
    assert_eq!(row["progress"], json!({"percent": 40, "message": "nearly half", "data": {"step": 2}}));
    eventually(LONG, "its log is seen", || {
        (jobs.number("SELECT count(*) FROM jobs.logs WHERE message = 'said before the end' AND length(data->>'long') = 9000") == 1).then_some(())
    });
    jobs.call(&a, "cancel_job", &json!({"job_id": id}));
    let row = jobs.wait(&id, "cancelled");
    assert_eq!(row["attempts"], json!(1));
    assert_eq!(jobs.number("SELECT count(*) FROM jobs.logs WHERE message = 'said before the end'"), 1);
    // Nobody outside of a job says anything.
    let error = jobs.admin.batch_execute("SELECT jobs.log('info', 'forged')").expect_err("refused");
    assert_eq!(error.code().map(|code| code.code().to_owned()).as_deref(), Some("55000"));

    // An edge function: called without any transaction, and the call ends with the cancel.
    jobs.admin
        .batch_execute(
            "INSERT INTO functions.edge_functions (name) VALUES ('hangs'), ('echo'), ('fails');
             SELECT mcp.register_job(n, edge_function => n) FROM unnest(ARRAY['hangs', 'echo']) AS n;
             SELECT mcp.register_job('status', edge_function => 'fails')",
        )
        .expect("registered");
    let id = jobs.submit(&a, "hangs", json!({"a": 1}));
    let pid = jobs.pid_of(&id);
    web.until_open(1);
    let open = jobs.admin.query_one(
        "SELECT xact_start IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $1",
        &[&pid],
    );
    assert!(open.expect("asked").get::<_, bool>(0), "nothing waits in a transaction");
    jobs.call(&a, "cancel_job", &json!({"job_id": id}));
    jobs.wait(&id, "cancelled");
    web.until_open(0);
    let id = jobs.submit(&a, "echo", json!({"a": 1}));
    let row = jobs.wait(&id, "completed");
    assert_eq!(
        (&row["result"]["status"], &row["result"]["body"]["line"]),
        (&json!(200), &json!("POST /v1/echo")),
        "{row}"
    );
    assert_eq!(web.requests().pop().expect("a request").body, r#"{"a": 1}"#);
    let id = jobs.submit(&a, "status", json!({}));
    let row = jobs.wait(&id, "failed");
    assert!(row["error_message"].as_str().unwrap().contains("status 500"), "{row}");
}

/// Proves that a job ends at its time, also one that catches the cancel.
#[test]
fn a_job_ends_at_its_time() {
    let mut jobs = Jobs::start("");
    let a = jobs.a.clone();
    let short = jobs.submit(&a, "short", json!({"s": 300}));
    let stubborn = jobs.submit(&a, "stubborn", json!({}));
    for id in [short, stubborn] {
        let row = jobs.wait(&id, "failed");
        assert!(row["error_message"].as_str().unwrap().contains("longer than"), "{row}");
    }
    let id = jobs.submit(&a, "who", json!({}));
    jobs.wait(&id, "completed");
}

/// Proves what a job cannot do, and that it leaves nothing for the next one in the same process.
#[test]
fn a_job_cannot_leave_its_role() {
    let mut jobs = Jobs::start("mcp.job_concurrency = 1");
    let (a, b) = (jobs.a.clone(), jobs.b.clone());
    for sql in [
        "SET ROLE service_role",
        "RESET ROLE",
        "SET SESSION AUTHORIZATION postgres",
        "SELECT set_config('role', 'service_role', false)",
        "SELECT set_config('mcp.claims', '{\"sub\": \"x\"}', false)",
        "COMMIT",
        "CREATE TEMP TABLE t ()",
        "SELECT mcp._jobs_claim(gen_random_uuid(), 1, '1 s')",
        "SELECT * FROM jobs.workers",
        "UPDATE jobs.queue SET role_name = 'service_role'",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ] {
        let id = jobs.submit(&a, "attack", json!({"sql": sql}));
        let row = jobs.wait(&id, "failed");
        let why = row["error_message"].as_str().unwrap().to_owned();
        assert!(why.contains("42501") || why.contains("2D000") || why.contains("0A000"), "{sql}: {why}");
    }
    let id = jobs.submit(&a, "leaves", json!({}));
    let pid = jobs.wait(&id, "completed")["result"].clone();
    let id = jobs.submit(&b, "finds", json!({}));
    let found = jobs.wait(&id, "completed")["result"].clone();
    assert_eq!(found, json!({"pid": pid, "locks": 0, "work_mem": "4MB", "left": found["left"]}));
    assert!(found["left"].is_null() || found["left"] == json!(""), "{found}");
    // COMMIT in a procedure is refused with a reason, and undone; a plain one runs.
    let id = jobs.submit(&a, "commits", json!({}));
    let row = jobs.wait(&id, "failed");
    assert!(row["error_message"].as_str().unwrap().contains("cannot COMMIT"), "{row}");
    let id = jobs.submit(&a, "plain", json!({}));
    jobs.wait(&id, "completed");
    assert_eq!(jobs.number("SELECT sum(id)::int8 FROM work.effects"), -2);
}

/// Proves that what changed between submit and run is looked at anew.
#[test]
fn role_and_right_are_checked_again() {
    let mut jobs = Jobs::start("mcp.job_concurrency = 1");
    let a = jobs.a.clone();
    let blocker = jobs.submit(&a, "sleep", json!({"s": 3}));
    jobs.pid_of(&blocker);
    let (super_one, revoked, dropped, replaced) = (
        jobs.submit(&a, "effect", json!({"n": 1})),
        jobs.submit(&a, "who", json!({})),
        jobs.submit(&a, "finds", json!({})),
        jobs.submit(&a, "leaves", json!({})),
    );
    jobs.admin
        .batch_execute(
            "REVOKE EXECUTE ON FUNCTION work.who() FROM PUBLIC; DROP FUNCTION work.finds();
             CREATE OR REPLACE FUNCTION work.leaves(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(current_user)'",
        )
        .expect("changed");
    for id in [revoked, dropped] {
        jobs.wait(&id, "failed");
    }
    assert_eq!(
        jobs.wait(&replaced, "completed")["result"],
        json!("authenticated"),
        "the new body runs as the same role"
    );
    jobs.wait(&super_one, "completed");
    let blocker = jobs.submit(&a, "sleep", json!({"s": 3}));
    jobs.pid_of(&blocker);
    let id = jobs.submit(&a, "effect", json!({"n": 2}));
    jobs.admin.batch_execute("ALTER ROLE authenticated SUPERUSER").expect("changed");
    let row = jobs.wait(&id, "failed");
    assert!(row["error_message"].as_str().unwrap().contains("superuser"), "{row}");
    assert_eq!(jobs.number("SELECT count(*) FROM work.effects WHERE id = 2"), 0);
}

/// Proves that a shutdown ends soon, that what ran is handed back without counting, and that it is done after the restart; and that a
/// killed process costs one attempt.
#[test]
fn what_ends_in_the_middle_is_done_later() {
    let mut jobs = Jobs::start("");
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "sleep", json!({"s": 5, "n": 1}));
    jobs.pid_of(&id);
    jobs.cluster.stop("fast");
    jobs.cluster.start_again();
    jobs.again();
    let row = jobs.wait(&id, "completed");
    assert_eq!((&row["attempts"], &row["retry_count"]), (&json!(1), &json!(0)), "{row}");
    assert!(row["run"].as_i64().unwrap() >= 2, "it was claimed twice: {row}");

    let id = jobs.submit(&a, "sleep", json!({"s": 5, "n": 2}));
    let pid = jobs.pid_of(&id);
    kill(pid);
    std::thread::sleep(Duration::from_millis(300));
    jobs.again();
    let row = jobs.wait(&id, "completed");
    assert_eq!((&row["attempts"], &row["retry_count"]), (&json!(2), &json!(1)), "{row}");
    assert_eq!(jobs.number("SELECT count(*) FROM work.effects"), 2);

    // One process ended by hand, not the server: an attempt as well.
    let id = jobs.submit(&a, "sleep", json!({"s": 3, "n": 3}));
    let pid = jobs.pid_of(&id);
    jobs.admin.execute("SELECT pg_terminate_backend($1)", &[&pid]).expect("ended");
    let row = jobs.wait(&id, "completed");
    assert_eq!(row["attempts"], json!(2), "{row}");
}

/// Proves that workers are in nobody's way: DROP DATABASE, a copy, DROP EXTENSION; that upkeep runs, and that doctor and status tell.
#[test]
fn workers_are_in_nobodys_way() {
    let mut jobs = Jobs::start("");
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "who", json!({}));
    jobs.wait(&id, "completed");
    let finding: String = jobs
        .admin
        .query_one(
            "SELECT string_agg(level || ' ' || finding, '; ') FROM mcp.doctor(true) WHERE topic = 'jobs'",
            &[],
        )
        .expect("asked")
        .get(0);
    assert_eq!(finding, "ok the worker of this database runs jobs");
    jobs.admin
        .batch_execute(
            "CREATE TABLE work.kept (at timestamptz DEFAULT now());
             CREATE FUNCTION mcp._maintain_a_test() RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''upkeep fails''; END';
             CREATE FUNCTION mcp._maintain_b_test() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO work.kept DEFAULT VALUES';
             GRANT EXECUTE ON FUNCTION mcp._maintain_a_test(), mcp._maintain_b_test() TO mcp_jobs",
        )
        .expect("made");
    eventually(LONG * 3, "upkeep runs, also after one that failed", || {
        (jobs.number("SELECT count(*) FROM work.kept") > 0).then_some(())
    });
    eventually(LONG, "its process ends", || {
        let there = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'fluxbase_mcp upkeep'";
        (jobs.number(there) == 0).then_some(())
    });
    // Another process comes and goes, so that the server has taken note of the end of the first one.
    drop(jobs.cluster.admin("postgres"));
    assert!(
        !jobs.cluster.log().contains("\"fluxbase_mcp upkeep\" (PID"),
        "the server's log is not told each minute"
    );
    jobs.admin.batch_execute("DROP EXTENSION fluxbase_mcp_ext CASCADE").expect("dropped");
    jobs.admin.batch_execute("SELECT 1").expect("nothing hangs");
    // Both with a plain statement, while the coordinator of another database is there.
    let mut postgres = jobs.cluster.admin("postgres");
    let second = Database::create_second(&jobs.cluster);
    let mut admin = second.admin();
    eventually(LONG, "its worker runs", || {
        admin
            .query_one("SELECT state = 'running' FROM mcp.jobs_status() WHERE process = 'coordinator'", &[])
            .expect("asked")
            .get::<_, bool>(0)
            .then_some(())
    });
    drop(admin);
    postgres.batch_execute("CREATE DATABASE copy TEMPLATE second").expect("copied");
    let granted: bool = postgres
        .query_one("SELECT datacl::text LIKE '%mcp_jobs%' FROM pg_database WHERE datname = 'copy'", &[])
        .expect("asked")
        .get::<_, Option<bool>>(0)
        .unwrap_or(false);
    assert!(!granted, "the jobs of a copy do not run by themselves");
    postgres.batch_execute("DROP DATABASE second").expect("dropped");
}
