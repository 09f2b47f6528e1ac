//! The health check, the kill switch, and the settings file.

use super::*;

/// Proves the health check while Postgres is away and after it came back, with nobody touching the listener, and what a call
/// is told meanwhile: 503, `Retry-After`, and that nothing was changed.
#[test]
fn health_follows_postgres() {
    let cluster = Cluster::start("");
    let database = Database::create(&cluster, "app");
    let mut listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = database.tenant_key("Tenant A", TENANT_A);
    let mut client = listener.client(&key);
    assert_eq!(client.request("tools/list", json!({})).status, 200);
    cluster.stop("fast");
    let sick = eventually(Duration::from_secs(5), "the health check notices", || {
        Some(Http::connect(listener.address).get("GET /mcp/health", &[]))
            .filter(|health| health.status != 200)
    });
    assert_eq!(sick.status, 503);
    assert_eq!(sick.json()["status"], json!("unhealthy"));
    assert_eq!(sick.json()["reason"], json!("Postgres cannot be reached"));
    for (tool, arguments) in [
        ("query_table", json!({ "table": "notes" })),
        ("insert_record", json!({ "table": "notes", "data": { "title": "x" } })),
    ] {
        let answer = client.call(tool, arguments).response;
        assert_eq!((answer.status, answer.code()), (503, -32603), "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
        assert!(answer.message().contains("Nothing was changed"), "{}", answer.message());
    }
    cluster.start_again();
    eventually(Duration::from_secs(10), "the health check recovers", || {
        (Http::connect(listener.address).get("GET /mcp/health", &[]).status == 200).then_some(())
    });
    assert_eq!(client.rows(json!({ "table": "notes" })).len(), 1, "and so do calls");
    assert!(listener.is_running());
}

/// Proves that the health check says what is missing when the database is not set up, and names no role or host.
#[test]
fn health_says_what_is_missing() {
    let stage = stage();
    stage.cluster.create_database("bare");
    stage
        .cluster
        .admin("bare")
        .batch_execute("GRANT CONNECT ON DATABASE bare TO fluxbase_listener")
        .expect("granted");
    let url = stage.cluster.url("fluxbase_listener", &stage.database.listener_password, "bare");
    let listener = Listener::start_anyway(&stage.cluster, &url, &[]);
    let health = Http::connect(listener.address).get("GET /mcp/health", &[]);
    assert_eq!(health.status, 503);
    assert!(health.text().contains("fluxbase init"), "{}", health.text());
    let wrong = stage.cluster.url("fluxbase_listener", "wrong", "bare");
    let listener = Listener::start_anyway(&stage.cluster, &wrong, &[]);
    let health = Http::connect(listener.address).get("GET /mcp/health", &[]);
    assert_eq!(health.status, 503);
    for secret in ["fluxbase_listener", "127.0.0.1", "bare"] {
        assert!(!health.text().contains(secret), "{}", health.text());
    }
}

/// Proves the kill switch: `mcp.enabled = off` answers 503 and says who can mend it; the health check knows it, too.
#[test]
fn the_kill_switch_answers_503() {
    let stage = stage();
    stage.cluster.create_database("off");
    let mut admin = stage.cluster.admin("off");
    admin
        .batch_execute(
            "CREATE EXTENSION fluxbase_mcp_ext; SELECT mcp.setup_roles(); SELECT mcp.setup_listener(); \
             ALTER DATABASE off SET mcp.enabled = off",
        )
        .expect("set up");
    let url = stage.cluster.url("fluxbase_listener", &stage.database.listener_password, "off");
    let key = fluxbase_tests::keys::create_key(
        &stage.cluster.admin_url("off"),
        "clientkeys",
        &["--name", "k", "--scopes", "read:tables"],
    );
    let listener = Listener::start_anyway(&stage.cluster, &url, &[]);
    let response = listener.client(&key).request("tools/list", json!({}));
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(response.message().contains("mcp.enabled"), "{}", response.message());
    let health = Http::connect(listener.address).get("GET /mcp/health", &[]);
    assert_eq!(health.status, 503);
    assert!(health.text().contains("mcp.enabled"), "{}", health.text());
}

/// Proves the options of the user's `fluxbase.yaml`: the documented file loads, `base_path` moves everything,
/// `allowed_tools` and `allowed_resources` narrow what is listed and called, the environment wins over the file, a whole
/// Fluxbase file is accepted, and a misspelt option is refused.
#[test]
fn the_yaml_file_configures_the_listener() {
    let stage = stage();
    let yaml = "database:\n  host: ignored\nmcp:\n  enabled: true\n  base_path: /api/mcp\n  session_timeout: 3600s\n  \
                max_message_size: 10485760  # 10MB\n  rate_limit_per_min: 100\n  allowed_tools: [query_table, \
                list_tables]\n  allowed_resources: [\"fluxbase://schema/tables/{schema}/{table}\"]\n";
    let file = stage.cluster.folder().join("fluxbase.yaml");
    std::fs::write(&file, yaml).expect("written");
    let listener = {
        // `serve --config` is a different line; the environment's defaults of the harness still hold.
        let path = file.display().to_string();
        Listener::start_with_file(&stage.cluster, &stage.database.listener_url, &path)
    };
    let post = |body: Value| {
        let mut http = Http::connect(listener.address);
        http.send_request("POST /api/mcp", &[JSON, stage.a.pair()], body.to_string().as_bytes())
            .expect("sent");
        http.receive()
    };
    let request = |method: &str, params: Value| {
        post(json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
    };
    let list = request("tools/list", json!({})).json();
    let names: Vec<&Value> =
        list["result"]["tools"].as_array().expect("tools").iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["query_table", "list_tables"]);
    let refused = request(
        "tools/call",
        json!({ "name": "delete_record", "arguments": { "table": "notes", "filter": { "id": 1 } } }),
    );
    assert_eq!((refused.status, refused.code()), (200, -32602), "a tool that is not allowed does not exist");
    assert_eq!(request("resources/list", json!({})).json()["result"]["resources"], json!([]));
    let read = request("resources/read", json!({ "uri": "fluxbase://schema/tables/public/notes" }));
    assert!(read.text().contains("user_id"), "a template allows its instances: {}", read.text());
    assert_eq!(request("resources/read", json!({ "uri": "fluxbase://schema/tables" })).code(), -32002);
    assert_eq!(
        Http::connect(listener.address).post(&[JSON, stage.a.pair()], LIST).status,
        404,
        "the old path is gone"
    );
    assert_eq!(Http::connect(listener.address).get("GET /api/mcp/health", &[]).status, 200);
    std::fs::write(&file, "mcp:\n  enabled: true\n  allowed_tool: [query_table]\n").expect("written");
    let output = fluxbase_tests::keys::cli_output(
        &stage.database.listener_url,
        &["serve", "--config", &file.display().to_string()],
    );
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("allowed_tool ") && told.contains("allowed_tools"), "{told}");
    let output = fluxbase_tests::keys::cli_output(&stage.database.listener_url, &["serve"]);
    assert_eq!(output.status.code(), Some(1), "not enabled is not served");
    assert!(String::from_utf8_lossy(&output.stderr).contains("mcp.enabled"));
}

/// Proves that a misspelt variable stops the listener and that the right name is told: an allow-list that is not read would
/// open every tool.
#[test]
fn misspelt_variables_are_refused() {
    for (name, words) in [
        ("FLUXBASE_MCP_ALLOWED_TOOL", ["allowed_tool", "allowed_tools"]),
        ("FLUXBASE_LISTENER_DEADLNE", ["deadlne", "deadline"]),
    ] {
        let output =
            fluxbase_tests::keys::cli(&stage().database.listener_url, &["serve", "--listen", "127.0.0.1:0"])
                .env("FLUXBASE_MCP_ENABLED", "true")
                .env(name, "query_table")
                .output()
                .expect("fluxbase starts");
        let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    }
}
