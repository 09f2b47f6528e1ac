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
    for arguments in [&["clientkeys", "list"][..], &["clientkeys", "revoke", "made by"], &["doctor"]] {
        let output = cli_output(&nobody, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(err(&output).contains("permission denied"), "{}", err(&output));
    }
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
    assert!(err(&without).contains("fluxbase init"), "{}", err(&without));
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
