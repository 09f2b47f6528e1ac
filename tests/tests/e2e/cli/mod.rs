//! The command line, as a DBA uses it.

mod doctor;
mod init;
mod keys;

use std::process::Output;

use fluxbase_tests::cluster::{connect, run};
use fluxbase_tests::keys::{cli, cli_output};
use fluxbase_tests::{Cluster, Key, Listener, TENANT_A, stage};
use serde_json::{Value, json};

/// Runs the command line as superuser of the shared database.
fn fluxbase(arguments: &[&str]) -> Output {
    cli_output(&stage().database.admin_url, arguments)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it wrote as JSON, after a good end.
fn json_of(arguments: &[&str]) -> Value {
    let output = fluxbase(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", err(&output));
    assert_eq!(err(&output), "", "a good end writes nothing to standard error");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", out(&output)))
}

/// A bad end: the exit code, nothing on standard output, and these words on standard error.
fn refused(arguments: &[&str], code: i32, words: &[&str]) -> String {
    let output = fluxbase(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", out(&output), err(&output));
    assert_eq!(out(&output), "", "{arguments:?}");
    let told = err(&output);
    for word in words {
        assert!(told.contains(word), "{arguments:?}: {word:?} is missing in {told}");
    }
    told
}

fn entry<'a>(list: &'a Value, id: &str) -> &'a Value {
    list.as_array().expect("a list").iter().find(|key| key["key_id"] == json!(id)).expect("it is listed")
}

/// Proves the exit codes: 2 for wrong usage, 1 for what Postgres or the set-up refuses; each says what to write instead, and
/// no key is made.
#[test]
fn mistakes_have_exit_codes_and_hints() {
    let count = || {
        json_of(&["clientkeys", "list", "--json"])
            .as_array()
            .expect("a list")
            .iter()
            .filter(|key| key["name"] == json!("mistake"))
            .count()
    };
    let create = |more: &[&'static str]| {
        let mut all = vec!["clientkeys", "create", "--name", "mistake", "--scopes", "read:tables"];
        all.extend(more);
        all
    };
    refused(&create(&["--claims", "[1]"]), 2, &["--claims", "JSON object"]);
    refused(&create(&["--claims", "{"]), 2, &["--claims"]);
    refused(&create(&["--expires", "soon"]), 2, &["--expires", "30d"]);
    refused(&create(&["--expires", "0"]), 2, &["--expires"]);
    refused(&create(&["--set", "tenant"]), 2, &["NAME=VALUE"]);
    refused(&create(&["--rate-limit", "many"]), 2, &["--rate-limit"]);
    refused(&create(&["--no-such-option"]), 2, &["--no-such-option"]);
    refused(&["clientkeys", "create"], 2, &["--name"]);
    refused(&["nothing"], 2, &["nothing"]);
    refused(&[], 2, &["Usage"]);
    refused(&create(&["--claims", r#"{"sub": "x"}"#]), 1, &["sub", "--user"]);
    refused(&create(&["--claims", r#"{"role": "postgres"}"#]), 1, &["role"]);
    refused(&create(&["--role", "postgres"]), 1, &["superuser"]);
    refused(&create(&["--role", "no_such_role"]), 1, &["no_such_role", "does not exist"]);
    refused(&create(&["--role", "mcp_owner"]), 1, &["mcp_owner", "not allowed"]);
    refused(&create(&["--expires", "2020-01-01T00:00:00Z"]), 1, &["past"]);
    refused(&create(&["--set", "mcp.claims={}"]), 1, &["mcp.claims"]);
    refused(&create(&["--set", "request.jwt.claims={}"]), 1, &["request.jwt.claims"]);
    refused(&create(&["--set", "role=postgres"]), 1, &["role"]);
    refused(&create(&["--set", "search_path=x"]), 1, &["search_path"]);
    refused(&create(&["--set", "app.a=1", "--set", "app.a=2"]), 1, &["twice"]);
    refused(&create(&["--rate-limit", "0"]), 2, &["--rate-limit"]);
    refused(&["clientkeys", "revoke", "no such key"], 1, &["no such key"]);
    assert_eq!(count(), 0, "no key was made");
    for name in ["twin", "twin"] {
        json_of(&["clientkeys", "create", "--json", "--name", name, "--scopes", "read:tables"]);
    }
    refused(&["clientkeys", "revoke", "twin"], 1, &["2 client keys", "id"]);
    for (url, word) in [
        ("postgres://x:hidden-password@127.0.0.1:1/d", "127.0.0.1:1"),
        ("postgres://127.0.0.1:bad/d", "postgres://user:password@host:5432/database"),
    ] {
        let output = cli_output(url, &["clientkeys", "list"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(err(&output).contains(word) && !err(&output).contains("hidden-password"), "{}", err(&output));
    }
    let help = fluxbase(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for command in ["serve", "clientkeys", "servicekeys", "init", "doctor"] {
        assert!(out(&help).contains(command), "{}", out(&help));
    }
}

/// Proves the order in which the database is found: `--database-url`, then `FLUXBASE_DATABASE_URL`, then `PG*`.
#[test]
fn the_database_is_found_in_the_documented_order() {
    let stage = stage();
    let right = stage.database.admin_url.as_str();
    let wrong = "postgres://127.0.0.1:1/nowhere";
    let works = |command: &mut std::process::Command| command.output().expect("it starts").status.success();
    assert!(works(&mut cli(wrong, &["--database-url", right, "clientkeys", "list"])));
    assert!(works(&mut cli(wrong, &["clientkeys", "list", "--database-url", right])));
    assert!(!works(&mut cli(wrong, &["clientkeys", "list"])));
    let (user_password, rest) = right.trim_start_matches("postgres://").split_once('@').expect("a URL");
    let (user, password) = user_password.split_once(':').expect("a password");
    let (place, database) = rest.split_once('/').expect("a database");
    let (host, port) = place.split_once(':').expect("a port");
    let mut by_variables = cli("", &["clientkeys", "list"]);
    by_variables
        .env("PGHOST", host)
        .env("PGPORT", port)
        .env("PGUSER", user)
        .env("PGPASSWORD", password)
        .env("PGDATABASE", database);
    assert!(works(&mut by_variables));
    by_variables.env("FLUXBASE_DATABASE_URL", wrong);
    assert!(!works(&mut by_variables));
}
