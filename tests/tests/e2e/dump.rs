//! `pg_dump` and restore: what a DBA made comes back.

use fluxbase_tests::cluster::run;
use fluxbase_tests::settings::settings;
use fluxbase_tests::{Cluster, Database, Listener, TENANT_A, TENANT_B};
use serde_json::json;

/// Dumps roles and database of one cluster and restores both into another one; the listener's URL there.
fn restored(old: &Cluster, new: &Cluster, database: &Database) -> String {
    for dump_roles in [true, false] {
        let dump = old.folder().join(if dump_roles { "roles.sql" } else { "app.dump" });
        let mut command = settings().postgres(if dump_roles { "pg_dumpall" } else { "pg_dump" });
        command.arg(format!("--dbname={}", old.admin_url(if dump_roles { "postgres" } else { "app" })));
        command.arg(format!("--file={}", dump.display()));
        command.args(if dump_roles { &["--roles-only"][..] } else { &["--format=custom"] });
        run(&mut command);
    }
    // The roles; "postgres" is there already, and would get the old password.
    let roles = std::fs::read_to_string(old.folder().join("roles.sql")).expect("the dump");
    let roles: String = roles
        .lines()
        .filter(|line| !line.contains("ROLE postgres") && !line.starts_with('\\'))
        .fold(String::new(), |all, line| all + line + "\n");
    new.admin("postgres").batch_execute(&roles).expect("roles");
    new.create_database("restored");
    let told = run(settings()
        .postgres("pg_restore")
        .args(["--exit-on-error", "--no-password"])
        .arg(format!("--dbname={}", new.admin_url("restored")))
        .arg(old.folder().join("app.dump")));
    assert_eq!(told, "");
    // A database's own grants are not in its dump; everything else of the listener is.
    new.admin("restored")
        .batch_execute("GRANT CONNECT ON DATABASE restored TO fluxbase_listener")
        .expect("granted");
    new.url("fluxbase_listener", &database.listener_password, "restored")
}

/// Proves that a dump carries keys, allowed roles, registered tools, the helpers in `auth` and the users' policies on them, so that in another
/// cluster, with roles of the same names, the old keys work and see what they saw, and revoked ones stay revoked.
#[test]
fn a_restored_database_keeps_keys_and_policies() {
    let old = Cluster::start("");
    let database = Database::create(&old, "app");
    let (a, b) = (database.tenant_key("A", TENANT_A), database.tenant_key("B", TENANT_B));
    let service = database.service_key("S");
    let revoked = database.client_key(&["--name", "revoked", "--scopes", "read:tables"]);
    run(&mut fluxbase_tests::keys::cli(&database.admin_url, &["clientkeys", "revoke", "revoked"]));
    let mut admin = database.admin();
    admin
        .batch_execute(
            "CREATE ROLE own_role NOLOGIN; SELECT mcp.allow_role('own_role');
             -- The users' own additions to what mcp.install() made.
             CREATE OR REPLACE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'mine' $$;
             CREATE INDEX ON public.notes (title);
             CREATE FUNCTION public.titles(prefix text) RETURNS jsonb LANGUAGE sql STABLE BEGIN ATOMIC
             SELECT jsonb_build_object('titles', jsonb_agg(n.title)) FROM public.notes AS n WHERE starts_with(n.title, prefix); END;
             SELECT mcp.register_tool('titles', 'public.titles(text)', 'List titles.', scopes => '{read:tables}');
             SELECT mcp.allow_temp_tables('public.notes')",
        )
        .expect("made");
    let own = database.client_key(&["--name", "own", "--role", "own_role", "--scopes", "read:tables"]);
    drop(admin);

    let new = Cluster::start("");
    let url = restored(&old, &new, &database);
    let listener = Listener::start(&new, &url, &[]);
    for (key, user) in [(&a, TENANT_A), (&b, TENANT_B)] {
        let rows = listener.client(key).rows(json!({ "table": "notes", "select": "user_id" }));
        assert_eq!(rows, [json!({ "user_id": user })], "the policies on auth.uid() hold");
        let row = listener
            .client(key)
            .call("insert_record", json!({ "table": "notes", "data": { "title": "after" } }))
            .value();
        assert_eq!(row["user_id"], json!(user));
    }
    assert_eq!(listener.client(&service).rows(json!({ "table": "payroll" })).len(), 1);
    assert_eq!(listener.client(&revoked).request("ping", json!({})).status, 401);
    assert_eq!(listener.client(&own).request("ping", json!({})).status, 200, "allowed roles are dumped");
    let titles = listener.client(&b).call("titles", json!({ "prefix": "after" })).value();
    assert_eq!(
        titles,
        json!({ "titles": ["after"] }),
        "registered tools are dumped, and see what the caller sees"
    );
    let mut admin = new.admin("restored");
    let temporary: String =
        admin.query_one(r#"SELECT "table" FROM mcp.temp_tables"#, &[]).expect("one").get(0);
    assert_eq!(temporary, "public.notes", "tables that may have temporary tables beside them are dumped");
    // The listener's connections learn of it before their next request.
    admin.batch_execute("SELECT mcp.unregister_tool('titles')").expect("unregistered");
    let gone =
        listener.client(&b).request("tools/call", json!({ "name": "titles", "arguments": { "prefix": "" } }));
    assert_eq!(gone.json()["error"]["code"], json!(-32602));
    let email: String = admin.query_one("SELECT auth.email()", &[]).expect("it is there").get(0);
    assert_eq!(email, "mine", "the users' own changes are dumped");
    let doctor = fluxbase_tests::keys::cli_output(&new.admin_url("restored"), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{doctor:?}");
    // Revoking still reaches the backends: the triggers came back.
    run(&mut fluxbase_tests::keys::cli(&new.admin_url("restored"), &["clientkeys", "revoke", &a.id]));
    assert_eq!(listener.client(&a).request("ping", json!({})).status, 401);
}

/// Proves that a dump carries what `mcp.install` made and what users put into it: stored files, edge functions, procedures, jobs, knowledge bases and the
/// audit, with policies, indexes and columns of the users' own; and that a copy reads the files of the original but removes none.
#[test]
fn a_restored_database_keeps_its_parts() {
    let old = Cluster::start("");
    let database = Database::create(&old, "app");
    database
        .admin()
        .batch_execute(
            r#"CREATE EXTENSION IF NOT EXISTS vector;
               DROP SCHEMA IF EXISTS storage CASCADE;
               SELECT mcp.install('{storage,functions,rpc,jobs,ai,audit}');"#,
        )
        .expect("made");
    database.admin().batch_execute(include_str!("../../dump/parts.sql")).expect("made");
    let scopes =
        "read:storage,write:storage,execute:functions,execute:rpc,execute:jobs,read:vectors,read:tables";
    let key = database.client_key(&["--name", "Ann", "--user", "ann", "--scopes", scopes]);
    let listener = Listener::start(&old, &database.listener_url, &[]);
    let mut client = listener.client(&key);
    let named = json!({ "bucket": "b", "key": "ann/a.txt" });
    let stored =
        client.call("upload_object", json!({ "bucket": "b", "key": "ann/a.txt", "content": "kept" })).value();
    assert_eq!(stored["size"], json!(4), "{stored}");
    let job = client.call("submit_job", json!({ "job_name": "work", "payload": { "n": 1 } })).value();
    let search = json!({ "knowledge_bases": ["texts"], "embedding": [1.0, 0.0, 0.0] });
    let found = client.call("search_vectors", search.clone()).value();
    assert_eq!(found["count"], json!(1), "{found}");
    drop(client);
    drop(listener);

    // The store is a folder of the data directory, so the copy gets one.
    let new = Cluster::start("");
    let url = restored(&old, &new, &database);
    run(std::process::Command::new("cp").args([
        "-a".as_ref(),
        old.folder().join("data/mcp_storage").as_os_str(),
        new.folder().join("data/").as_os_str(),
    ]));
    let listener = Listener::start(&new, &url, &[]);
    let mut client = listener.client(&key);
    let read = client.call("download_object", named.clone()).value();
    assert_eq!(read["content"], json!("kept"), "the copy finds the bytes: {read}");
    let refused = client.call("upload_object", json!({ "bucket": "b", "key": "elsewhere", "content": "x" }));
    assert!(!refused.is_ok(), "the users' policy holds");
    assert_eq!(client.call("invoke_rpc", json!({ "name": "one" })).value()["data"], json!([{ "one": 1 }]));
    assert_eq!(
        client.call("invoke_rpc", json!({ "name": "twice", "params": { "n": 4 } })).value()["data"],
        json!(8)
    );
    assert_eq!(client.call("search_vectors", search).value(), found);
    let told = client.call("get_job_status", json!({ "job_id": job["job_id"] })).value();
    assert_eq!(told["job_name"], json!("work"), "{told}");
    let submitted = client.call("submit_job", json!({ "job_name": "work" })).value();
    assert_eq!(submitted["status"], json!("pending"), "{submitted}");
    assert_eq!(client.call("delete_object", named).value()["deleted"], json!(true));
    let mut admin = new.admin("restored");
    let mut one = |sql: &str| -> String {
        let row = admin.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    };
    assert_eq!(
        one(
            "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY 1) FROM pg_index WHERE indexrelid::regclass::text ~ '[.]by_(name|colour)$'"
        ),
        "jobs.by_name storage.by_colour"
    );
    assert_eq!(one("SELECT description FROM functions.edge_functions"), "Says hello.");
    assert_eq!(one("SELECT polname::text FROM pg_policy WHERE polname = 'never'"), "never");
    assert_eq!(
        one("SELECT (schedule || ' ' || run_as) FROM jobs.functions WHERE schedule IS NOT NULL"),
        "0 3 * * * authenticated",
        "schedules are dumped"
    );
    assert_eq!(one("SELECT bool_and(ok)::text FROM mcp.audit_verify()"), "true", "the audit is whole");
    assert_eq!(
        one("SELECT count(*)::text FROM storage.origin AS o, mcp._stored(o.space, NULL, 1000)"),
        "1",
        "a copy removes no bytes of the original's"
    );
    let doctor = fluxbase_tests::keys::cli_output(&new.admin_url("restored"), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{doctor:?}");
}
