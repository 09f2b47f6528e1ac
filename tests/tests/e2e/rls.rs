//! Row-level security and grants, as two tenants and a service see them over HTTP.

use fluxbase_tests::{Client, TENANT_A, TENANT_B, stage};
use serde_json::{Value, json};

fn clients() -> [Client; 3] {
    let stage = stage();
    [stage.listener.client(&stage.a), stage.listener.client(&stage.b), stage.listener.client(&stage.service)]
}

/// Proves that on all four verbs a tenant reaches its own rows and nobody else's, that a foreign row is as absent as one that
/// does not exist, and that the service key reaches all.
#[test]
fn two_tenants_on_four_verbs() {
    let [mut a, mut b, mut service] = clients();
    let title = format!("four verbs {}", fluxbase_tests::random::secret());
    let of_title = json!({ "title": { "eq": title } });

    // insert: the owner is filled in by the key, and cannot be another.
    let row =
        a.call("insert_record", json!({ "table": "notes", "data": { "title": title, "body": "1" } })).value();
    assert_eq!(row["user_id"], json!(TENANT_A));
    let id = row["id"].clone();
    let refused = a
        .call("insert_record", json!({ "table": "notes", "data": { "title": title, "user_id": TENANT_B } }))
        .error();
    assert!(refused.contains("row-level security") && refused.contains("42501"), "{refused}");

    // query
    assert_eq!(a.rows(json!({ "table": "notes", "filter": of_title })).len(), 1);
    assert_eq!(b.rows(json!({ "table": "notes", "filter": of_title })), Vec::<Value>::new());
    assert_eq!(b.rows(json!({ "table": "notes", "filter": { "id": id } })), Vec::<Value>::new());
    assert_eq!(
        b.rows(json!({ "table": "my_notes", "filter": { "id": id } })),
        Vec::<Value>::new(),
        "through a view"
    );
    assert_eq!(service.rows(json!({ "table": "notes", "filter": of_title })).len(), 1);
    assert!(a.rows(json!({ "table": "notes" })).iter().all(|row| row["user_id"] == json!(TENANT_A)));
    assert!(b.rows(json!({ "table": "notes" })).iter().all(|row| row["user_id"] == json!(TENANT_B)));

    // update
    let change = |to: &str| json!({ "table": "notes", "filter": { "id": id }, "data": { "body": to } });
    let nothing = b.call("update_record", change("stolen")).value();
    let absent = b
        .call("update_record", json!({ "table": "notes", "filter": { "id": -1 }, "data": { "body": "x" } }))
        .value();
    assert_eq!(nothing, absent, "a foreign row is answered as an absent one");
    assert_eq!(nothing["updated"], json!(0));
    assert_eq!(a.call("update_record", change("2")).value()["updated"], json!(1));
    let given_away = a
        .call(
            "update_record",
            json!({ "table": "notes", "filter": { "id": id }, "data": { "user_id": TENANT_B } }),
        )
        .error();
    assert!(given_away.contains("row-level security"), "{given_away}");
    assert_eq!(service.call("update_record", change("3")).value()["records"][0]["body"], json!("3"));

    // delete
    let remove = json!({ "table": "notes", "filter": { "id": id } });
    assert_eq!(b.call("delete_record", remove.clone()).value()["deleted"], json!(0));
    assert_eq!(
        a.rows(json!({ "table": "notes", "filter": { "id": id } }))[0]["body"],
        json!("3"),
        "it is still there"
    );
    assert_eq!(a.call("delete_record", remove.clone()).value()["deleted"], json!(1));
    assert_eq!(service.call("delete_record", remove).value()["deleted"], json!(0));
}

/// Proves that a filter cannot be used to learn of foreign rows: not by counting, by casting errors, or by division.
#[test]
fn filters_do_not_leak_foreign_rows() {
    let [_, mut b, _] = clients();
    for filter in [
        json!({ "user_id": { "eq": TENANT_A } }),
        json!({ "user_id": { "in": [TENANT_A] } }),
        json!({ "user_id": { "neq": TENANT_B } }),
        json!({ "title": { "ilike": "%note of a%" } }),
    ] {
        assert_eq!(b.rows(json!({ "table": "notes", "filter": filter })), Vec::<Value>::new(), "{filter}");
    }
    let error = b.call("delete_record", json!({ "table": "notes", "filter": {} })).error();
    assert!(error.contains("filter"), "{error}");
    let error = b.call("update_record", json!({ "table": "notes", "data": { "body": "x" } })).error();
    assert!(error.contains("filter"), "{error}");
}

/// Proves that what is not granted does not exist: not in lists, not by name, not in hints, not as a resource.
#[test]
fn what_is_not_granted_is_unknown() {
    let [mut a, _, mut service] = clients();
    let missing = a.call("query_table", json!({ "table": "does_not_exist" })).error();
    for table in ["payroll", "public.payroll"] {
        let error = a.call("query_table", json!({ "table": table })).error();
        assert!(error.starts_with(&format!("unknown table \"{table}\"")), "{error}");
        assert_eq!(
            error.lines().count(),
            missing.lines().count(),
            "the same answer as for a table that is not there"
        );
    }
    let error = a.call("query_table", json!({ "table": "payrol" })).error();
    assert!(!error.contains("payroll"), "a hint names nothing that the caller may not use: {error}");
    let list = a.call("list_tables", json!({ "search": "pay" })).text();
    assert!(!list.contains("payroll"), "{list}");
    let read = a.request("resources/read", json!({ "uri": "fluxbase://schema/tables/public/payroll" }));
    assert_eq!(read.code(), -32002, "{}", read.text());
    assert_eq!(service.rows(json!({ "table": "payroll" })), [json!({ "id": 1, "salary": 4711 })]);
    let error = a
        .call("insert_record", json!({ "table": "users", "data": { "id": TENANT_A, "email": "x" } }))
        .error();
    assert!(error.contains("42501"), "reading is granted, writing is not: {error}");
}

/// Proves that hidden schemas and the system catalogs are hidden from client keys whatever is granted, and open to a service
/// key; and that the keys themselves are open to nobody.
#[test]
fn hidden_schemas_are_for_admins() {
    let [mut a, _, mut service] = clients();
    for table in [
        "auth.accounts",
        "storage.objects",
        "\"auth\".\"accounts\"",
        "mcp.keys",
        "mcp.allowed_roles",
        "pg_catalog.pg_authid",
        "pg_catalog.pg_class",
        "information_schema.tables",
        "pg_class",
        "pg_toast.pg_toast_1255",
    ] {
        for tool in ["query_table", "describe_table"] {
            let error = a.call(tool, json!({ "table": table })).error();
            assert!(error.starts_with("unknown table"), "{tool} {table}: {error}");
            for secret in ["hash of a password", "hidden object"] {
                assert!(!error.contains(secret));
            }
        }
    }
    for schema in ["auth", "storage", "mcp", "pg_catalog"] {
        assert_eq!(
            a.call("list_tables", json!({ "schema": schema })).value()["tables"],
            json!([]),
            "{schema}"
        );
        let read = a.request(
            "resources/read",
            json!({ "uri": format!("fluxbase://schema/tables/{schema}/accounts") }),
        );
        assert_eq!(read.code(), -32002);
    }
    assert_eq!(service.rows(json!({ "table": "auth.accounts" })).len(), 1);
    assert_eq!(service.rows(json!({ "table": "storage.objects" })).len(), 1);
    for table in ["mcp.keys", "mcp.allowed_roles", "pg_catalog.pg_authid"] {
        let error = service.call("query_table", json!({ "table": table })).error();
        assert!(
            error.contains("unknown table") || error.contains("42501"),
            "not even for a service: {table}: {error}"
        );
    }
}

/// Proves that scopes are asked before anything else: with the name of the scope, as −32006, and nothing is listed that the
/// key may not use.
#[test]
fn scopes_are_asked_first() {
    let stage = stage();
    let reader =
        stage.database.client_key(&["--name", "reader", "--user", TENANT_A, "--scopes", "read:tables"]);
    let mut client = stage.listener.client(&reader);
    let list = client.request("tools/list", json!({})).json();
    let names: Vec<&Value> =
        list["result"]["tools"].as_array().expect("tools").iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["query_table", "list_tables", "describe_table"]);
    assert_eq!(client.rows(json!({ "table": "notes", "limit": 1 })).len(), 1);
    for tool in ["insert_record", "update_record", "delete_record"] {
        let response = client.call(tool, json!({ "nonsense": true })).response;
        assert_eq!((response.status, response.code()), (200, -32006), "{tool}: {}", response.text());
        assert!(response.message().contains("write:tables"), "{}", response.message());
        assert_eq!(response.json()["error"]["data"]["requiredScopes"], json!(["write:tables"]));
    }
    let blind = stage.database.client_key(&["--name", "blind", "--scopes", "read:storage"]);
    let mut client = stage.listener.client(&blind);
    let list = client.request("tools/list", json!({})).json();
    let names: Vec<&Value> =
        list["result"]["tools"].as_array().expect("tools").iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["list_objects", "download_object"]);
    assert_eq!(client.call("query_table", json!({ "table": "users" })).response.code(), -32006);
    assert_eq!(client.request("resources/read", json!({ "uri": "fluxbase://schema/tables" })).code(), -32006);
}

/// Proves that `--claims`, `--set` and `--role` of a key reach policies, and reach nobody else's call on the same backend.
#[test]
fn claims_settings_and_roles_reach_policies() {
    let stage = stage();
    stage
        .database
        .admin()
        .batch_execute(
            "CREATE TABLE public.by_claim (id int PRIMARY KEY, tenant text);
             INSERT INTO public.by_claim VALUES (1, 'acme'), (2, 'other'), (3, 'set'), (4, 'reader');
             CREATE ROLE claim_reader NOLOGIN;
             GRANT USAGE ON SCHEMA public TO claim_reader;
             SELECT mcp.allow_role('claim_reader');
             ALTER TABLE public.by_claim ENABLE ROW LEVEL SECURITY;
             CREATE POLICY claim ON public.by_claim USING (
                tenant = (auth.jwt() ->> 'tenant')
                OR tenant = current_setting('app.tenant', true)
                OR (tenant = 'reader' AND current_user = 'claim_reader' AND auth.role() = 'claim_reader')
                OR (tenant = current_setting('request.jwt.claims', true)::jsonb ->> 'tenant'));
             GRANT SELECT ON public.by_claim TO authenticated, claim_reader",
        )
        .expect("made");
    let key = |name: &str, more: &[&str]| {
        let mut all = vec!["--name", name, "--scopes", "read:tables"];
        all.extend(more);
        stage.database.client_key(&all)
    };
    let keys = [
        (key("claim", &["--claims", r#"{"tenant": "acme"}"#]), json!([{ "id": 1 }])),
        (key("setting", &["--set", "app.tenant=set"]), json!([{ "id": 3 }])),
        (key("role", &["--role", "claim_reader"]), json!([{ "id": 4 }])),
        (key("nothing", &[]), json!([])),
    ];
    let mut clients: Vec<(Client, &Value)> =
        keys.iter().map(|(key, expected)| (stage.listener.client(key), expected)).collect();
    // In turns, so that the same backends serve them one after the other.
    for _ in 0..6 {
        for (client, expected) in &mut clients {
            let rows = client.call("query_table", json!({ "table": "by_claim", "select": "id" })).value();
            assert_eq!(&rows, *expected);
        }
    }
}
