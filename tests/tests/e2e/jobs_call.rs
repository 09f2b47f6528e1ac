//! Procedures with transaction control: that they COMMIT as who submitted them, that nobody leaves that role or its claims, and that what
//! holds for other jobs holds for them.

use super::jobs_life::{Jobs, LONG};
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::{TENANT_A, TENANT_B};
use serde_json::{Value, json};

const CALLS: &str = "
GRANT CONNECT ON DATABASE app TO authenticated;
CREATE TABLE work.steps (step text, sub text, who text);
GRANT INSERT, SELECT ON work.steps TO authenticated;
CREATE PROCEDURE work.batches(payload jsonb) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. (payload->>'n')::int LOOP
        INSERT INTO work.steps VALUES (n::text, auth.uid()::text, current_user);
        PERFORM jobs.report_progress(10 * n, 'batch ' || n);
        PERFORM jobs.log('info', 'batch ' || n);
        COMMIT;
    END LOOP;
    INSERT INTO work.steps VALUES ('undone', NULL, NULL);
    ROLLBACK;
    INSERT INTO work.steps VALUES ('rows ' || (SELECT count(*) FROM public.notes WHERE user_id <> auth.uid()) || ' of others', auth.uid()::text, session_user);
END $$;
-- Each statement of the payload after a COMMIT; what came of each is kept, and so is who it is then.
CREATE PROCEDURE work.tries(payload jsonb) LANGUAGE plpgsql AS $$
DECLARE
    statement text;
    said text;
BEGIN
    FOR statement IN SELECT s FROM jsonb_array_elements_text(payload->'sql') AS s LOOP
        COMMIT;
        BEGIN
            EXECUTE statement;
            said := 'ran';
        EXCEPTION WHEN OTHERS THEN
            said := SQLSTATE;
        END;
        COMMIT;
        INSERT INTO work.steps VALUES (statement || ': ' || said, mcp.claim('sub'), current_user || ' ' || session_user || ' '
                                       || (SELECT count(*) FROM public.notes WHERE user_id::text <> payload->>'me'));
    END LOOP;
END $$;
CREATE PROCEDURE work.waits() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.steps VALUES ('begun', NULL, NULL);
    COMMIT;
    PERFORM pg_sleep(300);
END $$;
CREATE PROCEDURE work.stuck() LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        BEGIN
            PERFORM pg_sleep(60);
        EXCEPTION WHEN query_canceled THEN
            NULL;
        END;
    END LOOP;
END $$;
CREATE PROCEDURE work.second_time() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.steps VALUES ('attempt', NULL, NULL);
    COMMIT;
    INSERT INTO work.steps VALUES ('lost', NULL, NULL);
    IF (SELECT count(*) FROM work.steps WHERE step = 'attempt') < 2 THEN
        RAISE EXCEPTION 'not yet';
    END IF;
END $$;
CREATE PROCEDURE work.ends_itself() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.steps VALUES ('ends itself', NULL, NULL);
    COMMIT;
    PERFORM pg_terminate_backend(pg_backend_pid());
    PERFORM pg_sleep(300);
END $$;
-- What a superuser left behind that would set any claims.
CREATE FUNCTION work.forge() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM set_config('mcp.claims', '{\"sub\": \"00000000-0000-0000-0000-00000000000b\"}', false); END $$;
SELECT mcp.register_job('call_' || n, to_regprocedure('work.' || f), max_retries => r, backoff_base_seconds => 0.1, timeout_seconds => t, transaction_control => true)
  FROM (VALUES ('batches', 'batches(jsonb)', 0, 60), ('tries', 'tries(jsonb)', 0, 60), ('waits', 'waits()', 0, 600), ('short', 'waits()', 0, 1),
               ('stuck', 'stuck()', 0, 1), ('second', 'second_time()', 3, 60), ('ends_itself', 'ends_itself()', 0, 60)) AS j(n, f, r, t);
";

fn start(more: &str) -> Jobs {
    let mut jobs = Jobs::start(more);
    jobs.admin.batch_execute(CALLS).expect("the procedures can be registered");
    jobs
}

fn steps(jobs: &mut Jobs) -> Vec<(String, Option<String>, Option<String>)> {
    let rows = jobs.admin.query("SELECT step, sub, who FROM work.steps ORDER BY ctid", &[]).expect("asked");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// Waits until the procedure of a job computes; its process.
fn process_of(jobs: &mut Jobs, step: &str) -> i32 {
    eventually(LONG, "the procedure has committed its first part", || {
        (jobs.number(&format!("SELECT count(*) FROM work.steps WHERE step = '{step}'")) > 0).then_some(())
    });
    let row = jobs.admin.query_one("SELECT pid FROM mcp.jobs_status() WHERE process = 'procedure'", &[]);
    row.expect("one process").get(0)
}

fn gone(jobs: &mut Jobs, pid: i32) {
    eventually(LONG, "its process has ended", || {
        let left = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        (jobs.number(&left) == 0).then_some(())
    });
}

/// Proves that each part is committed as who submitted the job, with its claims, and that progress and logs are those of the job.
#[test]
fn a_procedure_commits_as_who_submitted_it() {
    let mut jobs = start("");
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "call_batches", json!({"n": 3}));
    let row = jobs.wait(&id, "completed");
    let mine = |step: &str| (step.to_owned(), Some(TENANT_A.to_owned()), Some("authenticated".to_owned()));
    assert_eq!(steps(&mut jobs), [mine("1"), mine("2"), mine("3"), mine("rows 0 of others")]);
    assert_eq!(
        (&row["attempts"], &row["result"], &row["error_message"]),
        (&json!(1), &Value::Null, &Value::Null)
    );
    eventually(LONG, "what it said is written down", || {
        let said = jobs.number(&format!("SELECT count(*) FROM jobs.logs WHERE job_id = '{id}'"));
        (said == 3 && jobs.row(&id)["progress"]["percent"] == json!(30)).then_some(())
    });
    // Another job runs in the same executor after it, and no process of a procedure is left.
    let id = jobs.submit(&a, "who", json!({}));
    jobs.wait(&id, "completed");
    assert_eq!(jobs.number("SELECT count(*) FROM mcp.jobs_status() WHERE process = 'procedure'"), 0);
}

/// Proves that after a COMMIT, outside of every guard, a procedure still is who submitted it: no role, claim or key of another is to be had, and
/// no other tenant's row.
#[test]
fn after_a_commit_nothing_is_escaped() {
    let mut jobs = start("");
    let (a, b) = (jobs.a.clone(), jobs.b.clone());
    jobs.admin
        .batch_execute("CREATE ROLE call_other; GRANT authenticated TO call_other; GRANT EXECUTE ON FUNCTION work.forge TO authenticated")
        .expect("made");
    let forged = format!("{{\"sub\": \"{TENANT_B}\"}}");
    let attacks = [
        "RESET ROLE".to_owned(),
        "SET ROLE service_role".to_owned(),
        "SET ROLE call_other".to_owned(),
        "SET ROLE postgres".to_owned(),
        "SELECT set_config('role', 'mcp_owner', false)".to_owned(),
        "SET SESSION AUTHORIZATION service_role".to_owned(),
        "SET SESSION AUTHORIZATION DEFAULT".to_owned(),
        "RESET SESSION AUTHORIZATION".to_owned(),
        format!("SET mcp.claims = '{forged}'"),
        format!("SELECT set_config('mcp.claims', '{forged}', true)"),
        "RESET mcp.claims".to_owned(),
        "RESET ALL".to_owned(),
        "SELECT work.forge()".to_owned(),
        "SET LOCAL row_security = off".to_owned(),
        "SET session_replication_role = replica".to_owned(),
        format!("SELECT mcp.authenticate('{}')", b.plain),
        "GRANT service_role TO authenticated".to_owned(),
        "SELECT mcp._job_call(gen_random_uuid(), gen_random_uuid(), 1)".to_owned(),
        "UPDATE jobs.queue SET role_name = 'service_role'".to_owned(),
    ];
    let id = jobs.submit(&a, "call_tries", json!({"sql": attacks, "me": TENANT_A}));
    let row = jobs.wait(&id, "completed");
    let steps = steps(&mut jobs);
    assert_eq!(steps.len(), attacks.len(), "{row}");
    for (attack, (step, sub, who)) in attacks.iter().zip(&steps) {
        assert_eq!(sub.as_deref(), Some(TENANT_A), "{step}");
        assert_eq!(who.as_deref(), Some("authenticated authenticated 0"), "{step}");
        let harmless = attack.starts_with("RESET ROLE")
            || attack.starts_with("RESET ALL")
            || attack.starts_with("SET LOCAL row_security")
            || attack.ends_with("SESSION AUTHORIZATION DEFAULT")
            || attack.starts_with("RESET SESSION");
        assert_eq!(step.ends_with(": ran"), harmless, "{step}");
    }
    assert_eq!(
        jobs.number("SELECT count(*) FROM pg_auth_members WHERE member = 'authenticated'::regrole"),
        0
    );
}

/// Proves that cancel, time, failures, attempts and the end of a process are those of other jobs, and that what was committed before stays.
#[test]
fn what_ends_a_procedure_is_what_ends_a_job() {
    let mut jobs = start("");
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "call_waits", json!({}));
    let pid = process_of(&mut jobs, "begun");
    jobs.call(&a, "cancel_job", &json!({ "job_id": id }));
    jobs.wait(&id, "cancelled");
    gone(&mut jobs, pid);
    assert_eq!(steps(&mut jobs).len(), 1, "what was committed before stays");

    for (name, said) in [("call_short", "longer than its 1 s"), ("call_stuck", "longer than its")] {
        let id = jobs.submit(&a, name, json!({}));
        let row = jobs.wait(&id, "failed");
        assert!(row["error_message"].as_str().unwrap().contains(said), "{row}");
        assert_eq!(jobs.number("SELECT count(*) FROM mcp.jobs_status() WHERE process = 'procedure'"), 0);
    }
    jobs.admin.batch_execute("TRUNCATE work.steps").expect("emptied");
    let id = jobs.submit(&a, "call_second", json!({}));
    let row = jobs.wait(&id, "completed");
    assert_eq!((&row["attempts"], &row["retry_count"]), (&json!(2), &json!(1)), "{row}");
    let names: Vec<String> = steps(&mut jobs).into_iter().map(|step| step.0).collect();
    assert_eq!(
        names,
        ["attempt", "attempt", "lost"],
        "the part that failed is undone, the parts before stay"
    );

    jobs.admin.batch_execute("TRUNCATE work.steps").expect("emptied");
    let id = jobs.submit(&a, "call_ends_itself", json!({}));
    let row = jobs.wait(&id, "failed");
    assert_eq!(row["attempts"], json!(3), "each end of its process is an attempt: {row}");
    assert!(row["error_message"].as_str().unwrap().contains("was ended"), "{row}");
}

/// Proves that the executor does not leave a procedure behind: when it is ended the procedure ends first, and so it is at a shutdown.
#[test]
fn a_procedure_does_not_outlive_its_worker() {
    let mut jobs = start("");
    let a = jobs.a.clone();
    let id = jobs.submit(&a, "call_waits", json!({}));
    let pid = process_of(&mut jobs, "begun");
    let executor: i32 = jobs
        .admin
        .query_one("SELECT pid FROM mcp.jobs_status() WHERE process = 'executor' AND job::text = $1", &[&id])
        .expect("one")
        .get(0);
    jobs.admin.batch_execute("TRUNCATE work.steps").expect("emptied");
    jobs.admin.execute("SELECT pg_terminate_backend($1)", &[&executor]).expect("ended");
    gone(&mut jobs, pid);
    let second = process_of(&mut jobs, "begun");
    assert_ne!(pid, second);
    assert_eq!(jobs.row(&id)["attempts"], json!(2));
    jobs.cluster.stop("fast");
    jobs.cluster.start_again();
    jobs.again();
    eventually(LONG, "it is begun again", || (jobs.row(&id)["run"].as_i64() > Some(2)).then_some(()));
    assert_eq!(jobs.row(&id)["attempts"], json!(2), "a shutdown costs no attempt");
}

/// Proves that what changed between submit and run is looked at anew: EXECUTE, the role's memberships, the role itself.
#[test]
fn who_may_run_a_procedure_is_asked_again() {
    let mut jobs = start("mcp.job_concurrency = 1");
    let a = jobs.a.clone();
    let mut after = |change: &str, undo: &str, said: &str| {
        let blocker = jobs.submit(&a, "sleep", json!({"s": 300}));
        jobs.pid_of(&blocker);
        let id = jobs.submit(&a, "call_batches", json!({"n": 1}));
        jobs.admin.batch_execute(change).expect("changed");
        // Not with the key, whose role may be one that no key stands for now.
        jobs.admin
            .execute("UPDATE jobs.queue SET cancel_requested_at = now() WHERE id::text = $1", &[&blocker])
            .expect("cancelled");
        let row = jobs.wait(&id, "failed");
        assert!(row["error_message"].as_str().unwrap().contains(said), "{change}: {row}");
        assert_eq!(row["attempts"], json!(1), "{change}: no other attempt would help");
        assert_eq!(jobs.number("SELECT count(*) FROM work.steps"), 0, "{change}");
        jobs.admin.batch_execute(undo).expect("undone");
    };
    after(
        "REVOKE EXECUTE ON PROCEDURE work.batches FROM PUBLIC",
        "GRANT EXECUTE ON PROCEDURE work.batches TO PUBLIC",
        "may not execute",
    );
    after(
        "GRANT service_role TO authenticated",
        "REVOKE service_role FROM authenticated",
        "may become role service_role",
    );
    after(
        "REVOKE CONNECT ON DATABASE app FROM authenticated",
        "GRANT CONNECT ON DATABASE app TO authenticated",
        "may not connect",
    );
    after("ALTER ROLE authenticated SUPERUSER", "ALTER ROLE authenticated NOSUPERUSER", "is superuser");
    after(
        "ALTER ROLE authenticated RENAME TO renamed",
        "ALTER ROLE renamed RENAME TO authenticated",
        "does not exist",
    );
}
