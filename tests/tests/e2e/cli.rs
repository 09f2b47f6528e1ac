//! The command line, as a DBA uses it.

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

/// Proves `fluxbase doctor`: 0 when all is well or only warned of, 1 when something is wrong, with the remedy that mends it;
/// `doctor access` tells why a key sees nothing.
#[test]
fn doctor_finds_what_is_wrong() {
    let cluster = Cluster::start("");
    cluster.create_database("sick");
    let url = cluster.admin_url("sick");
    let doctor = || cli_output(&url, &["doctor", "--json"]);
    let without = doctor();
    assert_eq!(without.status.code(), Some(1));
    let missing = found(&without, "extension");
    assert_eq!(missing["level"], json!("error"), "{missing}");
    assert!(missing["remedy"].as_str().expect("a remedy").contains("fluxbase init"), "{missing}");
    let init = cli_output(&url, &["init", "--json"]);
    assert!(init.status.success(), "{}", err(&init));
    let well = doctor();
    assert_eq!(well.status.code(), Some(0), "{}{}", out(&well), err(&well));
    let findings: Value = serde_json::from_slice(&well.stdout).expect("JSON");
    assert!(findings.as_array().expect("a list").iter().all(|finding| finding["level"] != json!("error")));
    let mut admin = cluster.admin("sick");
    // Each of these is an error, and its remedy mends it.
    for (make, topic, words) in [
        ("CREATE ROLE risen; SELECT mcp.allow_role('risen'); ALTER ROLE risen SUPERUSER", "roles", "risen"),
        ("ALTER ROLE fluxbase_listener RESET log_parameter_max_length", "listener", "logged"),
    ] {
        admin.batch_execute(make).expect("made");
        let output = doctor();
        assert_eq!(output.status.code(), Some(1), "{make}");
        let findings: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let error = findings
            .as_array()
            .expect("a list")
            .iter()
            .find(|finding| finding["level"] == json!("error"))
            .expect("an error");
        assert_eq!(error["topic"], json!(topic), "{error}");
        assert!(error["finding"].as_str().expect("a text").contains(words), "{error}");
        admin
            .batch_execute(error["remedy"].as_str().expect("a remedy"))
            .expect("the remedy is SQL that runs");
        assert_eq!(doctor().status.code(), Some(0), "the remedy mends it: {}", out(&doctor()));
    }
    admin.batch_execute("GRANT authenticated TO fluxbase_listener").expect("granted");
    assert_eq!(doctor().status.code(), Some(1), "a listener with memberships");
    admin.batch_execute("REVOKE authenticated FROM fluxbase_listener").expect("revoked");
    // A listener without the preload, and a PUBLIC that has more than it needs, are warnings.
    admin
        .batch_execute("CREATE TABLE open_to_all (i int); GRANT SELECT ON open_to_all TO PUBLIC")
        .expect("made");
    let output = cli_output(&url, &["doctor"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("open_to_all") && out(&output).contains("-> "), "{}", out(&output));
    // Access.
    admin
        .batch_execute("CREATE TABLE closed (i int); ALTER TABLE closed ENABLE ROW LEVEL SECURITY")
        .expect("made");
    let made =
        cli_output(&url, &["clientkeys", "create", "--json", "--name", "blind", "--scopes", "read:tables"]);
    let _ =
        Key::of(serde_json::from_slice::<Value>(&made.stdout).expect("JSON")["key"].as_str().expect("a key"));
    let access =
        |table: &str| cli_output(&url, &["doctor", "access", "--key-name", "blind", "--table", table]);
    let closed = access("closed");
    assert_eq!(closed.status.code(), Some(1), "{}", out(&closed));
    for word in ["mcp.expose", "no policy", "write:tables"] {
        assert!(out(&closed).contains(word), "{word}: {}", out(&closed));
    }
    admin
        .batch_execute(
            "SELECT mcp.expose('closed'); CREATE POLICY all_rows ON closed FOR SELECT USING (true)",
        )
        .expect("the remedies");
    let open = access("closed");
    assert_eq!(open.status.code(), Some(0), "{}", out(&open));
    assert!(out(&open).contains("all_rows"), "{}", out(&open));
    assert_eq!(access("no_such_table").status.code(), Some(1));
    let unknown = cli_output(&url, &["doctor", "access", "--key-name", "nobody's", "--table", "closed"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).contains("nobody's"), "{}", err(&unknown));
}

/// The first finding of a topic in the JSON of doctor.
fn found(output: &Output, topic: &str) -> Value {
    let findings: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", out(output), err(output)));
    let of_topic =
        findings.as_array().expect("a list").iter().find(|finding| finding["topic"] == json!(topic));
    of_topic.cloned().unwrap_or_else(|| panic!("nothing of {topic}: {findings}"))
}

fn has(value: &Value, word: &str) -> bool {
    value.as_str().is_some_and(|text| text.contains(word))
}

/// Proves the client's side of `fluxbase doctor`: settings with their mistakes, a database that cannot be reached or refuses,
/// each with its remedy and never with the password, although the rest is missing; versions of program, library and SQL
/// objects; who the login is; whether a listener serves.
#[test]
fn doctor_judges_the_way_to_the_database() {
    let cluster = Cluster::start("");
    cluster.create_database("way");
    let url = cluster.admin_url("way");
    let told: Value = serde_json::from_str(&run(&mut cli(&url, &["init", "--json"]))).expect("JSON");
    let login = told["listener"]["database_url"].as_str().expect("a URL").to_owned();
    let doctor = |url: &str, more: &[&str]| {
        let mut arguments = vec!["doctor", "--json"];
        arguments.extend(more);
        cli_output(url, &arguments)
    };
    // Settings: judged although there is no database.
    let nowhere = "postgres://u:hidden-password@127.0.0.1:1/d";
    cluster.write("bad.yaml", "mcp:\n  enabled: true\n  allowed_tool: [query_table]\n");
    cluster.write("off.yaml", "mcp:\n  enabled: false\n");
    let file = |name: &str| cluster.folder().join(name).display().to_string();
    for (name, level, word) in [
        ("bad.yaml", "error", "mcp.allowed_tool is not an option. Did you mean allowed_tools?"),
        ("none.yaml", "error", "none.yaml"),
        ("off.yaml", "ok", "off.yaml"),
    ] {
        let output = doctor(nowhere, &["--config", &file(name)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let settings = found(&output, "settings");
        assert!(settings["level"] == json!(level) && has(&settings["finding"], word), "{name}: {settings}");
        let connection = found(&output, "connection");
        assert_eq!(connection["level"], json!("error"), "{connection}");
        assert!(has(&connection["remedy"], "Start Postgres"), "{connection}");
        assert!(!out(&output).contains("hidden-password") && !err(&output).contains("hidden-password"));
    }
    assert!(out(&doctor(nowhere, &["--config", &file("off.yaml")])).contains("MCP is not enabled"));
    // Refused by Postgres.
    let mut admin = cluster.admin("way");
    admin.batch_execute("CREATE ROLE outsider LOGIN PASSWORD 'pw-of-outsider'").expect("made");
    for (url, word) in [
        (cluster.url("postgres", "wrong-password", "way"), "password is wrong"),
        (cluster.admin_url("no_such_database"), "no such database"),
        (
            cluster.url("outsider", "pw-of-outsider", "way"),
            "GRANT CONNECT ON DATABASE \"way\" TO \"outsider\";",
        ),
    ] {
        let output = doctor(&url, &[]);
        assert_eq!(output.status.code(), Some(1), "{word}");
        let connection = found(&output, "connection");
        assert!(has(&connection["remedy"], word), "{connection}");
        assert!(!out(&output).contains("wrong-password") && !out(&output).contains("pw-of-outsider"));
    }
    // The listener's own login: well, but the checks inside the database need an administrator.
    let own = doctor(&login, &[]);
    assert_eq!(own.status.code(), Some(0), "{}", out(&own));
    assert!(
        out(&own).contains("may call the listener's entry") && out(&own).contains("left out"),
        "{}",
        out(&own)
    );
    assert!(!out(&own).contains("shared by all backends"), "{}", out(&own));
    // Versions. Both logins see that library and SQL objects differ, the program that it differs from both.
    for (version, word) in [("0.0.9", "ALTER EXTENSION"), ("99.0.0", "Restart Postgres")] {
        let set = |admin: &mut postgres::Client, version: &str| {
            let sql = "UPDATE pg_catalog.pg_extension SET extversion = $1 WHERE extname = 'fluxbase_mcp_ext'";
            assert_eq!(admin.execute(sql, &[&version]).expect("set"), 1);
        };
        let before: String = admin.query_one("SELECT mcp.version()", &[]).expect("read").get(0);
        set(&mut admin, version);
        for url in [&url, &login] {
            let output = doctor(url, &[]);
            assert_eq!(output.status.code(), Some(1), "{version}");
            assert_eq!(found(&output, "extension")["level"], json!("warn"), "{}", out(&output));
            let findings: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let errors: Vec<&Value> = findings
                .as_array()
                .expect("a list")
                .iter()
                .filter(|f| f["level"] == json!("error"))
                .collect();
            assert_eq!(errors.len(), 1, "told once: {errors:?}");
            assert!(has(&errors[0]["finding"], version) && has(&errors[0]["remedy"], word), "{errors:?}");
        }
        set(&mut admin, &before);
    }
    assert_eq!(doctor(&url, &[]).status.code(), Some(0));
    // More connections than Postgres has.
    cluster.write("wide.yaml", "mcp:\n  enabled: true\nlistener:\n  pool_size: 5000\n");
    assert!(has(&found(&doctor(&url, &["--config", &file("wide.yaml")]), "connections")["finding"], "5004"));
    // A listener that serves, and none.
    let listener = Listener::start(&cluster, &login, &[]);
    let listen = format!("mcp:\n  enabled: true\nlistener:\n  listen: [\"{}\"]\n", listener.address);
    cluster.write("serving.yaml", &listen);
    let serving = found(&doctor(&login, &["--config", &file("serving.yaml")]), "serving");
    assert!(serving["level"] == json!("ok") && has(&serving["finding"], "is healthy"), "{serving}");
    drop(listener);
    let silent = found(&doctor(&login, &["--config", &file("serving.yaml")]), "serving");
    assert!(silent["level"] == json!("info") && has(&silent["finding"], "no fluxbase serve"), "{silent}");
    // A hot standby: all of it works there, and it says what does not.
    cluster.stop("fast");
    cluster.write("data/standby.signal", "");
    cluster.start_again();
    let standby = doctor(&url, &[]);
    assert_eq!(standby.status.code(), Some(0), "{}{}", out(&standby), err(&standby));
    assert!(has(&found(&standby, "server")["finding"], "this is a standby"), "{}", out(&standby));
    // For people: aligned, errors last.
    let text = out(&cli_output(nowhere, &["doctor"]));
    assert!(text.starts_with("LEVEL") && text.trim_end().ends_with("fine."), "{text}");
}

/// Proves that `fluxbase doctor` and `doctor access` try a key and say what is wrong with it, and that no part of it is told,
/// logged, or sent on a session whose parameters are logged.
#[test]
fn doctor_tries_a_key() {
    let cluster = Cluster::start("log_min_duration_statement = 0\nlog_parameter_max_length = -1");
    cluster.create_database("keys");
    let url = cluster.admin_url("keys");
    let told: Value = serde_json::from_str(&run(&mut cli(&url, &["init", "--json"]))).expect("JSON");
    let login = told["listener"]["database_url"].as_str().expect("a URL").to_owned();
    let create = |more: &[&str]| {
        let mut arguments = vec!["--user", TENANT_A, "--scopes", "read:tables"];
        arguments.extend(more);
        fluxbase_tests::keys::create_key(&url, "clientkeys", &arguments)
    };
    let key = create(&["--name", "mine"]);
    let doctor = |url: &str, key: &str| {
        let output = cli(url, &["doctor", "--json"]).env("FLUXBASE_KEY", key).output().expect("it starts");
        assert!(fluxbase_tests::keys::secrets_in(&(out(&output) + &err(&output))).is_empty());
        output
    };
    let of_key = |output: &Output| {
        let findings: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let all: Vec<String> = findings
            .as_array()
            .expect("a list")
            .iter()
            .filter(|f| f["topic"] == json!("key") || f["topic"] == json!("role"))
            .map(|f| {
                format!(
                    "{} {}",
                    f["level"].as_str().expect("a level"),
                    f["finding"].as_str().expect("a text")
                )
            })
            .collect();
        all.join("\n")
    };
    // It works, for the listener's login and for an administrator, whose session stops logging parameters.
    for url in [&login, &url] {
        let output = doctor(url, &key.plain);
        assert_eq!(output.status.code(), Some(0), "{}", out(&output));
        assert!(
            of_key(&output).contains(&format!("ok the key {} works and is shown", key.id)),
            "{}",
            of_key(&output)
        );
        assert!(of_key(&output).contains("query_table"), "{}", of_key(&output));
    }
    // From a file.
    cluster.write("key", &format!("{}\n", key.plain));
    let file = cluster.folder().join("key").display().to_string();
    let output = cli_output(&login, &["doctor", "--json", "--key-file", &file]);
    assert!(of_key(&output).contains("works and is shown"), "{}", of_key(&output));
    // Mistyped; of another database; with another secret; revoked; expired; of a role that was taken back.
    let mut typo = key.plain.clone();
    typo.replace_range(30..31, if &typo[30..31] == "A" { "B" } else { "A" });
    let strange = {
        let other = create(&["--name", "gone"]);
        cluster
            .admin("keys")
            .execute("DELETE FROM mcp.keys WHERE key_id = $1", &[&other.id])
            .expect("deleted");
        other
    };
    let swapped = create(&["--name", "swapped"]);
    let revoked = create(&["--name", "revoked"]);
    let expired = create(&["--name", "expired"]);
    let roleless = create(&["--name", "roleless", "--role", "anon"]);
    cluster
        .admin("keys")
        .batch_execute(&format!(
            "UPDATE mcp.keys SET verifier = sha256('x') WHERE name = 'swapped';
             SELECT mcp.revoke_key('client', 'revoked');
             UPDATE mcp.keys SET expires_at = now() - interval '1 day' WHERE key_id = '{}';
             SELECT mcp.disallow_role('anon')",
            expired.id
        ))
        .expect("done");
    for (plain, listener_told, admin_told) in [
        (&typo, "error the key in FLUXBASE_KEY is not usable", "checksum"),
        (&strange.plain, "error the key", "no key in this database has the id"),
        (&swapped.plain, "is refused: the key is not known", "is refused: the key is not known"),
        (&revoked.plain, "is refused: the key was revoked", "is revoked"),
        (&expired.plain, "is refused: the key has expired", "is expired"),
        (&roleless.plain, "database role cannot be used", "role anon is not allowed for keys"),
    ] {
        for (url, word) in [(&login, listener_told), (&url, admin_told)] {
            let output = doctor(url, plain);
            assert_eq!(output.status.code(), Some(1), "{word}: {}", out(&output));
            assert!(of_key(&output).contains(word), "{word}: {}", of_key(&output));
            assert_eq!(of_key(&output).matches("error").count(), 1, "told once: {}", of_key(&output));
        }
    }
    // An administrator who is no superuser cannot stop the log: nothing is tried.
    let mut admin = cluster.admin("keys");
    admin
        .batch_execute(
            "CREATE ROLE keeper LOGIN PASSWORD 'keeper' IN ROLE mcp_admin; GRANT CONNECT ON DATABASE keys TO keeper;
             GRANT EXECUTE ON FUNCTION mcp._serve(text, text, text) TO keeper",
        )
        .expect("made");
    let output = doctor(&cluster.url("keeper", "keeper", "keys"), &key.plain);
    assert!(of_key(&output).contains("warn the key was not tried"), "{}", of_key(&output));
    // Access, with the key: what the catalog says and what the key gets now.
    admin
        .batch_execute(
            "CREATE TABLE public.mail (id int, owner uuid); ALTER TABLE public.mail ENABLE ROW LEVEL SECURITY;
             GRANT SELECT ON public.mail TO authenticated; INSERT INTO public.mail VALUES (1, gen_random_uuid());
             CREATE POLICY own ON public.mail TO authenticated USING (owner = auth.uid());
             CREATE FUNCTION public.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
             SELECT mcp.register_tool('twice', 'public.twice(int)', 'Doubles.', scopes => '{read:tables}')",
        )
        .expect("made");
    let access = |url: &str, more: &[&str]| {
        let mut arguments = vec!["doctor", "access", "--json"];
        arguments.extend(more);
        cli_output(url, &arguments)
    };
    let blind = access(&url, &["--key-file", &file, "--table", "mail"]);
    assert_eq!(blind.status.code(), Some(0), "{}", out(&blind));
    assert!(
        out(&blind).contains("select by own") && out(&blind).contains("sees no row of mail now"),
        "{}",
        out(&blind)
    );
    admin.execute("UPDATE public.mail SET owner = $1::text::uuid", &[&TENANT_A]).expect("updated");
    assert!(out(&access(&url, &["--key-file", &file, "--table", "mail"])).contains("sees rows of mail now"));
    // Whoever has the key needs no other right to try it.
    let own = access(&login, &["--key-file", &file, "--table", "mail", "--tool", "twice"]);
    assert_eq!(own.status.code(), Some(0), "{}", out(&own));
    assert!(
        out(&own).contains("sees rows of mail now") && out(&own).contains("is shown twice now"),
        "{}",
        out(&own)
    );
    assert!(!out(&own).contains("select by own"), "{}", out(&own));
    admin.batch_execute("REVOKE EXECUTE ON FUNCTION public.twice FROM PUBLIC").expect("revoked");
    let hidden = access(&url, &["--key-file", &file, "--tool", "twice"]);
    assert_eq!(hidden.status.code(), Some(1));
    assert!(
        out(&hidden).contains("GRANT EXECUTE ON FUNCTION public.twice(integer) TO authenticated;")
            && out(&hidden).contains("is not shown twice now"),
        "{}",
        out(&hidden)
    );
    admin
        .batch_execute("GRANT EXECUTE ON FUNCTION public.twice(integer) TO authenticated;")
        .expect("the remedy");
    assert_eq!(access(&url, &["--key-file", &file, "--tool", "twice"]).status.code(), Some(0));
    // The listener's own allow-list.
    cluster.write("narrow.yaml", "mcp:\n  enabled: true\n  allowed_tools: [list_tables]\n");
    let narrow = cluster.folder().join("narrow.yaml").display().to_string();
    let left_out = access(&url, &["--key-name", "mine", "--tool", "twice", "--config", &narrow]);
    assert_eq!(left_out.status.code(), Some(1));
    assert!(
        out(&left_out).contains("mcp.allowed_tools in the listener's settings leaves twice out"),
        "{}",
        out(&left_out)
    );
    assert_eq!(access(&url, &[]).status.code(), Some(1));
    assert!(err(&access(&url, &[])).contains("--key-name"));
    let secrets = fluxbase_tests::keys::secrets_in(&cluster.log());
    assert!(secrets.is_empty(), "the log of Postgres has {} secrets", secrets.len());
}

/// Proves `fluxbase init` on a database that lives already, shaped like Supabase: with its roles, its `auth.uid()` and its
/// storage. Nothing of it is changed, the policies work as they are, a key works at once, a second run changes nothing, and
/// the password that it makes is in no log.
#[test]
fn init_on_a_database_shaped_like_supabase() {
    let cluster = Cluster::start("");
    cluster.create_database("supa");
    let mut admin = cluster.admin("supa");
    admin
        .batch_execute(
            "CREATE ROLE anon NOLOGIN NOINHERIT; CREATE ROLE authenticated NOLOGIN NOINHERIT;
             CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
             CREATE SCHEMA auth; CREATE SCHEMA storage;
             CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
             CREATE TABLE storage.objects (id uuid PRIMARY KEY, name text);
             CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
               select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                               (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $$;
             CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
               select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
             GRANT USAGE ON SCHEMA public, auth TO anon, authenticated, service_role;
             CREATE TABLE public.todos (id int PRIMARY KEY, owner uuid NOT NULL DEFAULT auth.uid(), task text);
             INSERT INTO public.todos VALUES (1, '00000000-0000-4000-8000-00000000000a', 'mine'), (2, '00000000-0000-4000-8000-00000000000b', 'theirs');
             ALTER TABLE public.todos ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON public.todos TO authenticated USING ((select auth.uid()) = owner AND (auth.jwt() ->> 'role') = 'authenticated');
             GRANT ALL ON public.todos TO authenticated, service_role",
        )
        .expect("the fixture");
    let shape = |admin: &mut postgres::Client| -> String {
        admin
            .query_one(
                "SELECT (SELECT string_agg(rolname || rolcanlogin || rolinherit || rolbypassrls, ',' ORDER BY 1) FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role'))
                     || (SELECT string_agg(md5(prosrc), ',' ORDER BY 1) FROM pg_proc WHERE pronamespace = 'auth'::regnamespace AND proname IN ('uid', 'jwt'))
                     || (SELECT string_agg(relname, ',' ORDER BY 1) FROM pg_class WHERE relnamespace IN ('storage'::regnamespace, 'auth'::regnamespace))",
                &[],
            )
            .expect("read")
            .get(0)
    };
    let before = shape(&mut admin);
    let url = cluster.admin_url("supa");
    let told = run(&mut cli(&url, &["init", "--json"]));
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(shape(&mut admin), before, "nothing that was there was changed");
    assert_eq!(told["listener"]["login_error"], Value::Null);
    assert_eq!(told["listener"]["password_is_new"], json!(true));
    let steps = told["steps"].to_string();
    assert!(steps.contains("is there already and was left as it is"), "{steps}");
    let login = told["listener"]["database_url"].as_str().expect("a URL");
    assert!(connect(login).is_ok(), "the login that it prints works");
    let password = login.split(':').nth(2).and_then(|rest| rest.split('@').next()).expect("a password");
    assert!(password.len() > 30 && !cluster.log().contains(password), "Postgres never saw the password");
    // A key works at once.
    let key = fluxbase_tests::keys::create_key(
        &url,
        "clientkeys",
        &["--name", "k", "--user", TENANT_A, "--scopes", "read:tables,write:tables"],
    );
    let service = fluxbase_tests::keys::create_key(&url, "servicekeys", &["--name", "s"]);
    let listener = Listener::start(&cluster, login, &[]);
    let mut client = listener.client(&key);
    assert_eq!(
        client.rows(json!({ "table": "todos" })),
        [json!({ "id": 1, "owner": TENANT_A, "task": "mine" })]
    );
    assert_eq!(
        client.call("insert_record", json!({ "table": "todos", "data": { "id": 3, "task": "new" } })).value()
            ["owner"],
        json!(TENANT_A)
    );
    assert_eq!(listener.client(&service).rows(json!({ "table": "todos" })).len(), 3);
    // Again: nothing changes, the password stays.
    let again: Value = serde_json::from_str(&run(&mut cli(&url, &["init", "--json"]))).expect("JSON");
    assert_eq!(again["listener"]["password_is_new"], json!(false));
    assert!(connect(login).is_ok());
    assert_eq!(client.rows(json!({ "table": "todos" })).len(), 2);
    // A new password on demand; the old one ends.
    let fresh: Value =
        serde_json::from_str(&run(&mut cli(&url, &["init", "--json", "--new-password"]))).expect("JSON");
    assert!(
        connect(login).is_err()
            && connect(fresh["listener"]["database_url"].as_str().expect("a URL")).is_ok()
    );
    // For people.
    let text = run(&mut cli(&url, &["init"]));
    for word in ["fluxbase serve", "mcp.expose", "fluxbase clientkeys create", "fluxbase doctor"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    // Not for everybody.
    admin
        .batch_execute("CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT CONNECT ON DATABASE supa TO plain")
        .expect("made");
    let output = cli_output(&cluster.url("plain", "plain", "supa"), &["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("permission denied"), "{}", err(&output));
}
