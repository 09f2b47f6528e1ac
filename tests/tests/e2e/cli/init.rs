//! `fluxbase init`.

use super::*;

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
    // Further parts, now or later; a part that does not exist changes nothing.
    let there = |admin: &mut postgres::Client| -> bool {
        let sql = "SELECT to_regclass('rpc.procedures') IS NOT NULL";
        admin.query_one(sql, &[]).expect("read").get(0)
    };
    let output = cli_output(&url, &["init", "--parts", "rpc,everything"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("there is no part \"everything\""), "{}", err(&output));
    assert!(!there(&mut admin));
    let text = run(&mut cli(&url, &["init", "--parts", "rpc"]));
    assert!(text.contains("mcp.install('{auth,rpc}')") && there(&mut admin), "{text}");
    // Not for everybody.
    admin
        .batch_execute("CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT CONNECT ON DATABASE supa TO plain")
        .expect("made");
    let output = cli_output(&cluster.url("plain", "plain", "supa"), &["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("permission denied"), "{}", err(&output));
}
