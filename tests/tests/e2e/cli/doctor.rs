//! `fluxbase doctor` and `fluxbase doctor access`.

use super::*;

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
