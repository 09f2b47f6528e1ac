//! `fluxbase clientkeys` and `fluxbase servicekeys`.

use super::*;

/// Proves the life of a client key on the command line: create with every option, list, rotate, revoke; with `--json` and
/// for people; and that no list ever shows the key again.
#[test]
fn a_client_key_from_create_to_revoke() {
    let made = json_of(&[
        "clientkeys",
        "create",
        "--json",
        "--name",
        "life of a key",
        "--scopes",
        "read:tables, write:tables",
        "--user",
        TENANT_A,
        "--claims",
        r#"{"tenant": "acme", "n": 1}"#,
        "--set",
        "app.tenant=a=b",
        "--expires",
        "30d",
        "--rate-limit",
        "50",
        "--url",
        "https://mcp.example/mcp",
    ]);
    let key = Key::of(made["key"].as_str().expect("the key"));
    assert_eq!(
        (&made["kind"], &made["name"], &made["url"]),
        (&json!("client"), &json!("life of a key"), &json!("https://mcp.example/mcp"))
    );
    assert_eq!(made["id"], json!(key.id));
    let list = json_of(&["clientkeys", "list", "--json"]);
    let shown = entry(&list, &key.id);
    assert_eq!(shown["scopes"], json!(["read:tables", "write:tables"]));
    assert_eq!((&shown["role"], &shown["user_id"]), (&json!("authenticated"), &json!(TENANT_A)));
    assert_eq!((&shown["rate_limit_per_min"], &shown["status"]), (&json!(50), &json!("active")));
    assert_eq!(shown["created_by"], json!("postgres"));
    assert!(shown["expires_at"].is_string());
    let text = out(&fluxbase(&["clientkeys", "list"]));
    let line = text.lines().find(|line| line.starts_with(&key.id)).expect("a line for it");
    for word in ["life of a key", "authenticated", TENANT_A, "read:tables,write:tables", "50", "active"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert!(
        fluxbase_tests::keys::secrets_in(&text).is_empty()
            && fluxbase_tests::keys::secrets_in(&list.to_string()).is_empty()
    );
    // Rotate: a new key, the old one ends, its line says so.
    let next = json_of(&["clientkeys", "rotate", "life of a key", "--json"]);
    let next = Key::of(next["key"].as_str().expect("the key"));
    assert_ne!(next.id, key.id);
    let list = json_of(&["clientkeys", "list", "--json"]);
    assert_eq!(entry(&list, &key.id)["status"], json!("revoked"));
    assert_eq!(entry(&list, &next.id)["scopes"], json!(["read:tables", "write:tables"]));
    // Revoke, by name, then again by id: it stays revoked.
    assert_eq!(json_of(&["clientkeys", "revoke", "life of a key", "--json"]), json!({ "revoked": next.id }));
    assert_eq!(entry(&json_of(&["clientkeys", "list", "--json"]), &next.id)["status"], json!("revoked"));
    let told = out(&fluxbase(&["clientkeys", "revoke", &next.id]));
    assert!(told.contains(&next.id), "{told}");
    refused(&["clientkeys", "rotate", &next.id], 1, &["revoked", "Nothing was changed"]);
    refused(&["clientkeys", "revoke", "life of a key"], 1, &["no client key", "hint:"]);
}

/// Proves what a person sees after `create`: the key once, and lines that work as they stand.
#[test]
fn create_shows_lines_that_work() {
    let stage = stage();
    let url = format!("http://{}/mcp", stage.listener.address);
    for (kind, header) in [("clientkeys", "X-Client-Key"), ("servicekeys", "X-Service-Key")] {
        let output =
            fluxbase(&[kind, "create", "--name", "for a person", "--scopes", "read:tables", "--url", &url]);
        let text = out(&output);
        assert!(output.status.success(), "{}", err(&output));
        let plain =
            text.split_whitespace().find(|word| word.starts_with("fb") && word.len() == 72).expect("the key");
        let key = Key::of(plain);
        assert_eq!(key.header, header);
        assert!(
            text.contains(&format!(
                "claude mcp add --transport http fluxbase {url} --header \"{header}: {plain}\""
            )),
            "{text}"
        );
        let curl: Vec<&str> =
            text.lines().skip_while(|line| !line.contains("curl -X POST")).take(4).collect();
        let answer = run(std::process::Command::new("bash").args(["-c", &curl.join("\n")]));
        assert!(answer.contains(r#""name":"query_table""#), "{answer}");
    }
}

/// Proves that a service key has all scopes by default and can be narrowed.
#[test]
fn service_keys_likewise() {
    let made =
        json_of(&["servicekeys", "create", "--json", "--name", "narrow service", "--scopes", "read:tables"]);
    let key = Key::of(made["key"].as_str().expect("the key"));
    assert!(key.plain.starts_with("fbs_"));
    let shown = json_of(&["servicekeys", "list", "--json"]);
    assert_eq!(entry(&shown, &key.id)["role"], json!("service_role"));
    let mut client = stage().listener.client(&key);
    assert_eq!(client.rows(json!({ "table": "payroll" })).len(), 1);
    assert_eq!(
        client.call("delete_record", json!({ "table": "payroll", "filter": { "id": 5 } })).response.code(),
        -32006
    );
    refused(&["clientkeys", "revoke", &key.id], 1, &["no client key"]);
    assert_eq!(json_of(&["servicekeys", "revoke", &key.id, "--json"]), json!({ "revoked": key.id }));
}

/// Proves that all nine documented scopes can be granted, and nothing else.
#[test]
fn the_nine_scopes() {
    let nine = "read:tables,write:tables,execute:functions,execute:rpc,read:storage,write:storage,execute:jobs,read:vectors,read:schema";
    let made = json_of(&["clientkeys", "create", "--json", "--name", "nine", "--scopes", nine]);
    let list = json_of(&["clientkeys", "list", "--json"]);
    let scopes: Vec<&str> = entry(&list, made["id"].as_str().expect("an id"))["scopes"]
        .as_array()
        .expect("scopes")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(scopes.join(","), nine);
    let told = refused(
        &["clientkeys", "create", "--name", "x", "--scopes", "read:tables,read:everything"],
        1,
        &["read:everything"],
    );
    for scope in nine.split(',') {
        assert!(told.contains(scope), "the list of scopes is shown: {told}");
    }
    refused(&["clientkeys", "create", "--name", "x"], 1, &["scopes"]);
    refused(&["clientkeys", "create", "--name", "x", "--scopes", ""], 1, &["scopes"]);
}

/// Proves that whoever may not SET ROLE to a key's role may not make a key for it, even as an admin of keys; and that a person
/// without any right gets nothing.
#[test]
fn a_creator_needs_the_role() {
    let stage = stage();
    let mut admin = stage.database.admin();
    admin
        .batch_execute(
            "CREATE ROLE key_maker LOGIN PASSWORD 'maker'; GRANT mcp_admin, authenticated TO key_maker;
             CREATE ROLE nobody LOGIN PASSWORD 'nobody'; GRANT CONNECT ON DATABASE app TO key_maker, nobody",
        )
        .expect("made");
    let maker = stage.cluster.url("key_maker", "maker", "app");
    let nobody = stage.cluster.url("nobody", "nobody", "app");
    let create = |url: &str, kind: &str| {
        cli_output(url, &[kind, "create", "--json", "--name", "made by", "--scopes", "read:tables"])
    };
    let own = create(&maker, "clientkeys");
    assert!(own.status.success(), "{}", err(&own));
    let told: Value = serde_json::from_slice(&own.stdout).expect("JSON");
    assert_eq!(
        entry(&json_of(&["clientkeys", "list", "--json"]), told["id"].as_str().expect("id"))["created_by"],
        json!("key_maker")
    );
    let foreign = create(&maker, "servicekeys");
    assert_eq!(foreign.status.code(), Some(1));
    assert!(err(&foreign).contains("may not SET ROLE to \"service_role\""), "{}", err(&foreign));
    let service = json_of(&["servicekeys", "create", "--json", "--name", "foreign"]);
    for action in ["revoke", "rotate"] {
        let output = cli_output(&maker, &["servicekeys", action, service["id"].as_str().expect("id")]);
        assert_eq!(output.status.code(), Some(1), "{action}");
    }
    for arguments in [
        &["clientkeys", "list"][..],
        &["clientkeys", "revoke", "made by"],
        &["doctor", "access", "--key-name", "made by"],
    ] {
        let output = cli_output(&nobody, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(err(&output).contains("permission denied"), "{}", err(&output));
    }
    let output = cli_output(&nobody, &["doctor"]);
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    assert!(out(&output).contains("nobody may neither call the listener's entry nor run mcp.doctor"));
    assert!(!out(&output).contains("row-level security"), "nothing of the catalog is told: {}", out(&output));
}
