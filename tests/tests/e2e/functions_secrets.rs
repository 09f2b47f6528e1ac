//! Secrets of edge functions, from the command line through the table into the processes that they are for, and into nothing else.

use std::io::Write;
use std::process::{Output, Stdio};
use std::time::Duration;

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::cli;
use fluxbase_tests::runtime::{Runtime, SECRET};
use fluxbase_tests::settings::settings;
use serde_json::{Value, json};

use crate::functions_runtime::call;

/// Tells all variables that it can read, and tries those of others by their names.
const TELLS: &str = r#"export default () => {
    const got = {};
    for (const name of ["ALL", "TEAM", "OTHER"]) {
        try { got[name] = Deno.env.get("FLUXBASE_SECRET_" + name) ?? null; } catch (error) { got[name] = error.name; }
    }
    try { got.database = Deno.env.get("FLUXBASE_DATABASE_URL"); } catch (error) { got.database = error.name; }
    try { got.proc = Deno.readTextFileSync(`/proc/${Deno.ppid}/environ`); } catch (error) { got.proc = error.name; }
    return Response.json(got);
};"#;

/// `fluxbase functions secrets …` with a value on standard input.
fn secrets(url: &str, arguments: &[&str], value: &str) -> Output {
    let mut child = cli(url, &[&["functions", "secrets"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("fluxbase starts");
    child.stdin.take().expect("piped").write_all(value.as_bytes()).expect("written");
    child.wait_with_output().expect("it ends")
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the function got.
fn got(runtime: &Runtime, path: &str) -> Value {
    let (status, text) = call(runtime, path);
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Proves that a secret reaches the functions of its namespace and no others, that a change does, that a Postgres that is away takes none
/// back, and that no value is in any log or in the list of processes.
#[test]
fn a_secret_reaches_the_functions_of_its_namespace() {
    let cluster = Cluster::start("");
    Database::create(&cluster, "app");
    let mut admin = cluster.admin("app");
    admin
        .batch_execute("SELECT mcp.install('{functions}'); CREATE ROLE functions_runtime LOGIN NOINHERIT PASSWORD 'pw-of-runtime'")
        .expect("made");
    let url = cluster.admin_url("app");
    let text = done(&secrets(&url, &["set", "ALL"], "hush-all-\u{fc}\nline\n"));
    assert_eq!(text.trim(), "secret ALL of all namespaces set");
    done(&secrets(&url, &["set", "TEAM", "--namespace", "team"], "hush-team"));
    done(&secrets(&url, &["set", "OTHER", "--namespace", "other"], "hush-other\r\n"));
    let listed = done(&secrets(&url, &["list"], ""));
    assert!(listed.contains("TEAM") && listed.contains("global") && !listed.contains("hush"), "{listed}");
    let listed: Value = serde_json::from_str(&done(&secrets(&url, &["list", "--json"], ""))).expect("JSON");
    assert_eq!((&listed[0]["name"], listed[0].get("value")), (&json!("ALL"), None));
    for (arguments, value) in [
        (&["set", "ALL"][..], ""),
        (&["set", "low"][..], "hush"),
        (&["remove", "NONE"][..], ""),
        (&["set", "LONG"][..], &"x".repeat(40_000)),
    ] {
        let refused = secrets(&url, arguments, value);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {refused:?}");
        assert!(!String::from_utf8_lossy(&refused.stderr).contains("hush"), "{refused:?}");
    }

    let runtime_url = cluster.url("functions_runtime", "pw-of-runtime", "app");
    // Not before it is allowed to.
    let folder = std::env::temp_dir();
    let refused = settings()
        .fluxbase()
        .args(["functions", "serve", "--no-verify", "--secrets-from-database", "--listen", "127.0.0.1:0"])
        .arg(&folder)
        .env("FLUXBASE_DATABASE_URL", &runtime_url)
        .env("FLUXBASE_DENO", fluxbase_tests::settings::deno())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("mcp.allow_functions_runtime"), "{said}");
    assert!(!said.contains("pw-of-runtime"), "{said}");
    admin.batch_execute("SELECT mcp.allow_functions_runtime('functions_runtime')").expect("allowed");

    let mut runtime = Runtime::start_with(
        &[("tells.ts", TELLS), ("team/tells.ts", TELLS), ("_shared/x.ts", "")],
        SECRET,
        &["--secrets-from-database"],
        &[("FLUXBASE_DATABASE_URL", &runtime_url)],
    );
    let all = "hush-all-\u{fc}\nline";
    let denied = json!("NotCapable");
    assert_eq!(
        got(&runtime, "/tells"),
        json!({ "ALL": all, "TEAM": denied, "OTHER": denied, "database": denied, "proc": denied })
    );
    assert_eq!(
        got(&runtime, "/team/tells"),
        json!({ "ALL": all, "TEAM": "hush-team", "OTHER": denied, "database": denied, "proc": denied })
    );
    let before = runtime.children();
    assert_eq!(before.len(), 2);
    for id in &before {
        let words = std::fs::read(format!("/proc/{id}/cmdline")).expect("it runs");
        assert!(!String::from_utf8_lossy(&words).contains("hush"), "in the list of processes");
    }

    // A change is for those whom it concerns.
    done(&secrets(&url, &["set", "TEAM", "--namespace", "team"], "hush-changed"));
    done(&secrets(&url, &["set", "OTHER", "--namespace", "other"], "hush-changed-too"));
    eventually(Duration::from_secs(30), "the change is seen", || {
        (got(&runtime, "/team/tells")["TEAM"] == json!("hush-changed")).then_some(())
    });
    got(&runtime, "/tells");
    assert_eq!(runtime.log().matches("the secrets of function").count(), 1, "only team's");
    done(&secrets(&url, &["remove", "TEAM", "--namespace", "team"], ""));
    eventually(Duration::from_secs(30), "it is gone", || {
        (got(&runtime, "/team/tells")["TEAM"] == denied).then_some(())
    });

    // Without Postgres they keep what they have, also in processes that begin.
    drop(admin);
    cluster.stop("fast");
    eventually(Duration::from_secs(30), "it is missed", || {
        runtime.log().contains("cannot read the secrets").then_some(())
    });
    runtime.write("tells.ts", &format!("{TELLS}\n"));
    eventually(Duration::from_secs(30), "the file is read anew", || {
        runtime.log().contains("tells has changed").then_some(())
    });
    assert_eq!(got(&runtime, "/tells")["ALL"], json!(all));
    for (what, log) in [("Postgres", cluster.log()), ("the runtime", runtime.log())] {
        assert!(!log.contains("hush"), "a value is in the log of {what}");
    }
    assert!(!runtime.log().contains("pw-of-runtime"), "the password is in the log");
    runtime.signal("TERM");
    assert!(
        runtime.wait(Duration::from_secs(20)).is_some_and(|status| status.success()),
        "{}",
        runtime.log()
    );
}
