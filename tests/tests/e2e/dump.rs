//! `pg_dump` and restore: what a DBA made comes back.

use fluxbase_tests::cluster::run;
use fluxbase_tests::settings::settings;
use fluxbase_tests::{Cluster, Database, Listener, TENANT_A, TENANT_B};
use serde_json::json;

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
    for (from, dump_roles) in [(&old, true), (&old, false)] {
        let dump = from.folder().join(if dump_roles { "roles.sql" } else { "app.dump" });
        let mut command = settings().postgres(if dump_roles { "pg_dumpall" } else { "pg_dump" });
        command.arg(format!("--dbname={}", from.admin_url(if dump_roles { "postgres" } else { "app" })));
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

    let url = new.url("fluxbase_listener", &database.listener_password, "restored");
    // A database's own grants are not in its dump; everything else of the listener is.
    new.admin("restored")
        .batch_execute("GRANT CONNECT ON DATABASE restored TO fluxbase_listener")
        .expect("granted");
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
