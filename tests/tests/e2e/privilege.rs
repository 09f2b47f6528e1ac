//! The listener's password alone opens nothing.

use std::collections::BTreeSet;

use fluxbase_tests::cluster::connect;
use fluxbase_tests::{Key, stage};
use postgres::error::SqlState;
use serde_json::{Value, json};

fn listener() -> postgres::Client {
    connect(&stage().database.listener_url).expect("the listener may log in")
}

/// Catalogs that Postgres itself lets everybody read; what they tell is structure, not rows.
const OPEN_SCHEMAS: &str = "'pg_catalog', 'information_schema'";

/// Proves that with the password of the listener no relation outside the system catalogs can be read or changed: each one is
/// tried, the key tables included, and each one is refused for want of privilege.
#[test]
fn no_table_can_be_read_or_written() {
    let mut admin = stage().database.admin();
    let relations: Vec<String> = admin
        .query(
            &format!(
                "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 't') AND n.nspname NOT IN ({OPEN_SCHEMAS}) ORDER BY 1"
            ),
            &[],
        )
        .expect("listed")
        .iter()
        .map(|row| row.get(0))
        .collect();
    for known in
        ["mcp.keys", "mcp.allowed_roles", "public.users", "public.notes", "public.payroll", "auth.accounts"]
    {
        assert!(
            relations.iter().any(|name| name == known),
            "{known} is among those that are tried: {relations:?}"
        );
    }
    let mut client = listener();
    for relation in &relations {
        for statement in [
            format!("SELECT * FROM {relation}"),
            format!("SELECT count(*) FROM {relation}"),
            format!("SELECT 1 FROM {relation} LIMIT 0"),
            format!("TABLE {relation}"),
            format!("COPY {relation} TO STDOUT"),
            format!("DELETE FROM {relation}"),
            format!("TRUNCATE {relation}"),
            format!(
                "CREATE TRIGGER t BEFORE INSERT ON {relation} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
        ] {
            let error = client.batch_execute(&statement).expect_err(&statement);
            let code = error.code().cloned();
            // COPY of a view, TRUNCATE of a sequence, … are refused for what they are, which is as good.
            assert!(
                [
                    Some(SqlState::INSUFFICIENT_PRIVILEGE),
                    Some(SqlState::WRONG_OBJECT_TYPE),
                    Some(SqlState::FEATURE_NOT_SUPPORTED)
                ]
                .contains(&code),
                "{statement}: {error:?}"
            );
        }
    }
}

/// Proves that the catalogs with secrets in them are closed to it as to everybody.
#[test]
fn catalogs_with_secrets_are_closed() {
    let mut client = listener();
    for statement in [
        "SELECT rolpassword FROM pg_authid",
        "SELECT passwd FROM pg_shadow",
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_user_mapping",
        "SELECT * FROM pg_hba_file_rules",
        "SELECT * FROM pg_file_settings",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_read_binary_file('PG_VERSION')",
        "COPY (SELECT 1) TO '/tmp/fluxbase-test'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT lo_import('/etc/passwd')",
    ] {
        let error = client.batch_execute(statement).expect_err(statement);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {error:?}");
    }
    // What it sees of other people's rows through statistics: nothing.
    let count: i64 = client
        .query_one(
            "SELECT count(*) FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
            &[],
        )
        .expect("open")
        .get(0);
    assert_eq!(count, 0, "pg_stats shows values of tables only to those who may read them");
    let texts: i64 = client
        .query_one("SELECT count(*) FROM pg_stat_activity WHERE usename <> current_user AND query <> '<insufficient privilege>' AND query <> ''", &[])
        .expect("open")
        .get(0);
    assert_eq!(texts, 0, "statements of others are not shown");
}

/// Proves that it may execute exactly the entry points and what is open to PUBLIC on purpose, and that every other function of
/// the extension refuses it.
#[test]
fn only_the_entry_points_can_be_executed() {
    let mut admin = stage().database.admin();
    let all: Vec<(String, String, bool)> = admin
        .query(
            "SELECT p.oid::regprocedure::text,
                    -- Arguments that are no constants: a strict function of a NULL is not even called.
                    format('SELECT %I.%I(%s) FROM (SELECT %s OFFSET 0) AS a', n.nspname, p.proname,
                           (SELECT string_agg('a.a' || i, ', ') FROM generate_series(1, p.pronargs) AS i),
                           (SELECT string_agg('NULL::' || format_type(t, NULL) || ' AS a' || i, ', ' ORDER BY i)
                              FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, i))),
                    has_function_privilege('fluxbase_listener', p.oid, 'EXECUTE')
               FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
              WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.prokind = 'f'",
            &[],
        )
        .expect("listed")
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    assert!(all.len() > 30, "the extension has more functions than {}", all.len());
    let open: BTreeSet<&str> = all.iter().filter(|(.., may)| *may).map(|(name, ..)| name.as_str()).collect();
    let procedures: Vec<String> = admin
        .query("SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.prokind = 'p' AND has_function_privilege('fluxbase_listener', p.oid, 'EXECUTE')", &[])
        .expect("listed")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(procedures, ["mcp._wait(bigint,integer)"]);
    let expected = BTreeSet::from([
        "mcp.handle(text,text,jsonb)",
        "mcp._serve(text,text,text)",
        "mcp.health()",
        "mcp._changes()",
        "mcp._ended(bigint)",
        "mcp.worker_status()",
        // Counts, for three fixed reasons, requests that it turned away.
        "mcp._audit_refused(text,text,integer)",
        // Open to PUBLIC: what jobs.report_progress and jobs.log do, in the process of a running job and for that job only.
        "mcp._job_log(text,text,jsonb)",
        "mcp._job_progress(double precision,text,jsonb)",
        "mcp._job_say(text)",
        // Open to PUBLIC: they run as the caller.
        "mcp.handle(jsonb)",
        "mcp._handle(text)",
        "mcp.authenticate(text)",
        "mcp.claim(text)",
        "mcp.claims()",
        "mcp.version()",
        // Outside of a tool they do nothing.
        "mcp.progress(double precision,double precision,text)",
        "mcp.log(text,jsonb,text)",
        // Helpers of policies; the schema is closed to the listener, so it cannot even name them.
        "auth.uid()",
        "auth.role()",
        "auth.jwt()",
        "auth.email()",
    ]);
    assert_eq!(open, expected);
    let mut client = listener();
    for (name, call, may) in &all {
        if !*may || name.starts_with("auth.") {
            let error = client.batch_execute(call).expect_err(call);
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{call}: {error:?}");
        }
    }
}

/// Proves that the role is what the design says: a login, and nothing else.
#[test]
fn the_role_has_nothing_of_its_own() {
    let mut admin = stage().database.admin();
    let row = admin
        .query_one(
            "SELECT rolcanlogin, rolsuper OR rolinherit OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,
                    EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid),
                    EXISTS (SELECT FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o')
               FROM pg_roles AS r WHERE rolname = 'fluxbase_listener'",
            &[],
        )
        .expect("it is there");
    assert_eq!((row.get(0), row.get(1), row.get(2), row.get(3)), (true, false, false, false));
    let mut client = listener();
    for statement in [
        "SET ROLE authenticated",
        "SET ROLE service_role",
        "SET ROLE mcp_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "CREATE TABLE public.x (i int)",
        "CREATE TABLE mcp.x (i int)",
        "CREATE TEMP TABLE x (i int)",
        "CREATE SCHEMA x",
        "CREATE ROLE x",
        "CREATE EXTENSION dblink SCHEMA public",
        "ALTER SYSTEM SET mcp.enabled = off",
        "ALTER ROLE fluxbase_listener BYPASSRLS",
        "GRANT authenticated TO fluxbase_listener",
        "SET mcp.enabled = off",
        "SET mcp.claims = '{\"sub\": \"x\"}'",
        "SET mcp.hidden_schemas = ''",
        "SET log_parameter_max_length = -1",
        "SET log_parameter_max_length_on_error = -1",
        "SET session_replication_role = replica",
    ] {
        if let Err(error) = client.batch_execute(statement) {
            let code = error.code().cloned();
            assert!(
                [
                    Some(SqlState::INSUFFICIENT_PRIVILEGE),
                    Some(SqlState::FEATURE_NOT_SUPPORTED),
                    Some(SqlState::UNDEFINED_FILE)
                ]
                .contains(&code),
                "{statement}: {error:?}"
            );
        } else {
            // The one parameter that its owner may set holds no secret of others; ours sets it to 0 on every connection.
            assert_eq!(statement, "SET log_parameter_max_length_on_error = -1", "{statement} worked");
        }
    }
}

/// One call of the entry point with the listener's password and nothing else.
fn handle(
    client: &mut postgres::Client,
    message: &str,
    credential: &str,
    transport: Option<&str>,
) -> (i32, String) {
    let row = client
        .query_one(
            "SELECT status, body FROM mcp.handle($1, $2, ($3::text)::jsonb)",
            &[&message, &credential, &transport],
        )
        .expect("handle answers");
    (row.get(0), row.get::<_, Option<String>>(1).unwrap_or_default())
}

/// Proves that the entry point answers nothing without a right credential, whatever else is guessed: ids of real keys with
/// wrong hashes, the stored verifier itself, another key's hash, odd shapes.
#[test]
fn guesses_are_unauthorized() {
    let stage = stage();
    let mut client = listener();
    let query = json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params":
        { "name": "query_table", "arguments": { "table": "users" } } })
    .to_string();
    let verifier: String = stage
        .database
        .admin()
        .query_one("SELECT encode(verifier, 'hex') FROM mcp.keys WHERE key_id = $1", &[&stage.a.id])
        .expect("the key is there")
        .get(0);
    let right = stage.a.credential();
    let h1 = |key: &Key| key.credential().rsplit(':').next().unwrap_or_default().to_owned();
    let (a, b, service) = (&stage.a, &stage.b, &stage.service);
    for guess in [
        String::new(),
        "fbk".to_owned(),
        a.plain.clone(),
        a.id.clone(),
        format!("fbk:{}:", a.id),
        format!("fbk:{}:{}", a.id, "0".repeat(64)),
        format!("fbk:{}:{verifier}", a.id),
        format!("fbk:{}:{}", a.id, h1(b)),
        format!("fbk:{}:{}", b.id, h1(a)),
        format!("fbs:{}:{}", a.id, h1(a)),
        format!("fbk:{}:{}", service.id, h1(service)),
        right.replacen("fbk:", "FBK:", 1),
        right.to_uppercase(),
        format!(" {right}"),
        format!("{right} "),
        format!("{right}\n"),
        right[..right.len() - 1].to_owned(),
        format!("{right}0"),
        "' OR '1'='1".to_owned(),
        format!("fbk:{}%:{}", &a.id[..15], h1(a)),
    ] {
        let (status, body) = handle(&mut client, &query, &guess, None);
        assert_eq!(status, 401, "{guess:?}: {body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((&body["error"]["code"], &body["id"]), (&json!(-32005), &json!(9)));
        assert!(body["result"].is_null());
        let served: String = client
            .query_one("SELECT mcp._serve($1, $2, '{}')", &[&query, &guess])
            .expect("it answers")
            .get(0);
        assert!(served.starts_with("401"), "the listener's own form of it: {guess:?}: {served}");
    }
    assert_eq!(handle(&mut client, &query, &right, None).0, 200, "and the right one is served");
}

/// Proves that the one-argument form, which is open to everybody, gives the listener what PUBLIC has: no table, in any
/// schema, by any tool or resource.
#[test]
fn the_open_entry_point_gives_what_public_has() {
    let mut client = listener();
    let mut ask = |method: &str, params: Value| -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let row =
            client.query_one("SELECT mcp.handle(($1::text)::jsonb)::text", &[&request]).expect("answered");
        serde_json::from_str(&row.get::<_, String>(0)).expect("JSON")
    };
    let list = ask("tools/call", json!({ "name": "list_tables", "arguments": {} }));
    assert!(list["result"]["content"][0]["text"].as_str().expect("text").contains(r#""count":0"#), "{list}");
    for table in [
        "users",
        "notes",
        "payroll",
        "auth.accounts",
        "mcp.keys",
        "pg_catalog.pg_class",
        "pg_catalog.pg_authid",
    ] {
        for tool in ["query_table", "describe_table"] {
            let answer = ask("tools/call", json!({ "name": tool, "arguments": { "table": table } }));
            assert_eq!(answer["result"]["isError"], json!(true), "{tool} {table}: {answer}");
        }
    }
    let read = ask("resources/read", json!({ "uri": "fluxbase://schema/tables/public/users" }));
    assert_eq!(read["error"]["code"], json!(-32002));
}

/// Proves that claims that the listener makes up for its own session open nothing: it has no grants for policies to apply to,
/// and `mcp.authenticate` needs a key.
#[test]
fn made_up_claims_open_nothing() {
    let mut client = listener();
    let claims = json!({ "sub": fluxbase_tests::TENANT_A, "role": "service_role" }).to_string();
    for setting in ["request.jwt.claims", "request.jwt.claim.sub"] {
        client
            .execute("SELECT set_config($1, $2, false)", &[&setting, &claims])
            .expect("anybody may set these");
    }
    let error = client.batch_execute("SELECT * FROM public.notes").expect_err("refused");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    let claim: Option<String> = client.query_one("SELECT mcp.claim('sub')", &[]).expect("open").get(0);
    assert_eq!(claim, None, "only the extension writes the claims that auth.uid() reads");
    for guess in ["fbk_", "", &format!("fbk:{}:{}", stage().a.id, "1".repeat(64))] {
        let error = client.execute("SELECT mcp.authenticate($1)", &[&guess]).expect_err("refused");
        assert_eq!(error.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION), "{error:?}");
    }
}
