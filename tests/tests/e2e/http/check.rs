//! `fluxbase serve --check`.

use super::sockets::Folder;
use super::*;

/// Exit code, and the findings as level, topic, finding, remedy.
fn check(url: &str, environment: &[(&str, &str)]) -> (Option<i32>, Vec<[String; 4]>) {
    let output = fluxbase_tests::keys::cli(url, &["serve", "--check", "--json"])
        .env("FLUXBASE_MCP_ENABLED", "true")
        .envs(environment.iter().copied())
        .output()
        .expect("fluxbase starts");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let findings = told
        .as_array()
        .expect("a list")
        .iter()
        .map(|finding| ["level", "topic", "finding", "remedy"].map(|name| text(finding, name)));
    (output.status.code(), findings.collect())
}

/// Proves that a listener that could serve is told so, with 0, beside the running one and without binding anything; and the form
/// for persons.
#[test]
fn a_good_listener_is_told_so() {
    let stage = stage();
    let taken = stage.listener.address.to_string();
    let folder = Folder::new("check");
    let socket = folder.0.join("mcp.sock");
    let on = format!("{taken},unix:{}", socket.display());
    let environment = [("FLUXBASE_LISTENER_LISTEN", &*on)];
    let (code, findings) = check(&stage.database.listener_url, &environment);
    assert!(findings.iter().all(|finding| finding[0] == "ok"), "{findings:?}");
    assert_eq!(code, Some(0));
    let topics: Vec<&str> = findings.iter().map(|finding| finding[1].as_str()).collect();
    assert_eq!(topics, ["settings", "database", "extension", "login", "health"]);
    assert!(!socket.exists(), "nothing was bound");
    let output = fluxbase_tests::keys::cli(&stage.database.listener_url, &["serve", "--check"])
        .env("FLUXBASE_MCP_ENABLED", "true")
        .output()
        .expect("fluxbase starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.starts_with("LEVEL  TOPIC") && text.ends_with("0 errors, 0 warnings, 0 notes, 5 fine.\n"),
        "{text}"
    );
    assert!(!text.contains(&stage.database.listener_password));
}

/// Proves that each thing that would keep it from serving is found, with 1 and a remedy: settings, files, the login, the database,
/// its extension, the versions, the kill switch.
#[test]
fn what_is_wrong_is_found() {
    let stage = stage();
    let url = &stage.database.listener_url;
    stage.cluster.create_database("unchecked");
    let mut admin = stage.cluster.admin("unchecked");
    admin
        .batch_execute(
            "CREATE ROLE stranger LOGIN PASSWORD 'x'; GRANT CONNECT ON DATABASE unchecked TO fluxbase_listener, stranger",
        )
        .expect("granted");
    let unchecked = stage.cluster.url("fluxbase_listener", &stage.database.listener_password, "unchecked");
    let expect = |url: &str, environment: &[(&str, &str)], topic: &str, part: &str| {
        let (code, findings) = check(url, environment);
        let found = findings.iter().find(|finding| finding[0] == "error" && finding[1] == topic);
        let found = found.unwrap_or_else(|| panic!("no error about {topic}: {findings:?}"));
        assert!(found[2].contains(part), "{part}: {found:?}");
        assert_eq!(code, Some(1));
        found[3].clone()
    };
    expect(url, &[("FLUXBASE_LISTENER_DEADLINE", "soon")], "settings", "FLUXBASE_LISTENER_DEADLINE");
    expect(url, &[("FLUXBASE_MCP_ENABLED", "false")], "settings", "not enabled");
    expect(url, &[("FLUXBASE_LISTENER_LISTEN", "unix:/nowhere/x")], "listen", "/nowhere");
    let files = [("FLUXBASE_LISTENER_TLS_CERTIFICATE", "/no.pem"), ("FLUXBASE_LISTENER_TLS_KEY", "/no.pem")];
    expect(url, &files, "tls", "tls_certificate /no.pem");
    expect("postgres://u:secret-word@127.0.0.1:1/d", &[], "database", "cannot connect");
    let (_, findings) = check("postgres://u:secret-word@127.0.0.1:1/d", &[]);
    assert!(!format!("{findings:?}").contains("secret-word"), "no password is told");
    expect(&stage.cluster.url("fluxbase_listener", "wrong", "app"), &[], "database", "28P01");
    let remedy = expect(&unchecked, &[], "extension", "is not in this database");
    assert!(remedy.contains("fluxbase init"), "{remedy}");

    admin.batch_execute("CREATE EXTENSION fluxbase_mcp_ext").expect("created");
    let stranger = stage.cluster.url("stranger", "x", "unchecked");
    let remedy = expect(&stranger, &[], "login", "stranger may not call");
    assert!(remedy.contains("mcp.setup_listener('stranger')"), "{remedy}");
    admin.batch_execute("SELECT mcp.setup_roles(); SELECT mcp.setup_listener()").expect("set up");
    assert_eq!(check(&unchecked, &[]).0, Some(0));
    admin
        .batch_execute("UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'fluxbase_mcp_ext'")
        .expect("an old one");
    expect(&unchecked, &[], "extension", "fluxbase_mcp_ext is 0.0.9");
    admin
        .batch_execute(&format!(
            "UPDATE pg_extension SET extversion = '{}' WHERE extname = 'fluxbase_mcp_ext'; ALTER DATABASE unchecked SET \
             mcp.enabled = off",
            env!("CARGO_PKG_VERSION")
        ))
        .expect("switched off");
    expect(&unchecked, &[], "health", "mcp.enabled");

    // What works and is unwise.
    let (code, findings) = check(&stage.database.admin_url, &[("FLUXBASE_LISTENER_LISTEN", "0.0.0.0:1")]);
    let warned =
        |part: &str| findings.iter().any(|f| f[0] == "warn" && f[2].contains(part) && !f[3].is_empty());
    assert!(code == Some(0) && warned("superuser") && warned("plain text"), "{findings:?}");
}
