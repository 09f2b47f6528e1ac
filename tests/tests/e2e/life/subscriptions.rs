//! `subscriptions/listen` over HTTP.

use super::*;
use std::sync::LazyLock;

static META: LazyLock<Value> = LazyLock::new(
    || json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} }),
);
pub(super) const SOON: Duration = Duration::from_secs(10);

fn open(listener: &Listener, key: &Key, id: &str, notifications: Value) -> Http {
    let params = json!({ "notifications": notifications, "_meta": META.clone() });
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params });
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "subscriptions/listen"),
        key.pair(),
    ];
    let mut http = Http::connect(listener.address);
    http.send_request("POST /mcp", &headers, body.to_string().as_bytes()).expect("sent");
    http
}

/// The same, acknowledged.
pub(super) fn listen(listener: &Listener, key: &Key, id: &str, notifications: Value) -> Http {
    let mut http = open(listener, key, id, notifications.clone());
    assert_eq!(http.receive_head().header("content-type"), Some("text/event-stream"));
    let first = http.next_event(SOON).expect("it is acknowledged");
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["notifications"], notifications);
    assert_eq!(first["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    http
}

pub(super) fn method(http: &mut Http) -> Value {
    http.next_event(SOON).expect("something is told")["method"].take()
}

fn admin(sql: &str) {
    stage().database.admin().batch_execute(sql).expect(sql);
}

/// Proves that streams on two listeners are told what changed of what their key sees, and only that: a tool of a scope that it lacks, and a table that
/// it may not see, are told to nobody.
#[test]
fn two_listeners_tell_what_changed_for_a_key() {
    admin(
        "CREATE FUNCTION public.sub_resource(uri text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT uri $$;
         CREATE FUNCTION public.sub_tool() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x' $$;
         REVOKE EXECUTE ON FUNCTION public.sub_resource(text), public.sub_tool() FROM PUBLIC;
         GRANT EXECUTE ON FUNCTION public.sub_resource(text), public.sub_tool() TO authenticated",
    );
    let listeners = [start(&[]), start(&[])];
    let key = stage().database.client_key(&[
        "--name",
        "listens",
        "--user",
        TENANT_A,
        "--scopes",
        "read:tables,read:storage",
    ]);
    let wanted = json!({ "toolsListChanged": true, "resourcesListChanged": true, "resourceSubscriptions": ["fluxbase://schema/tables"] });
    let mut streams =
        [listen(&listeners[0], &key, "one", wanted.clone()), listen(&listeners[1], &key, "two", wanted)];

    admin(
        "SELECT mcp.register_tool('sub_hidden', 'public.sub_tool()', 'Not for it.', scopes => '{execute:jobs}')",
    );
    admin("CREATE TABLE public.sub_hidden (id int)");
    admin(
        "SELECT mcp.register_resource('sub://x', 'public.sub_resource(text)', 'x', scopes => '{read:storage}')",
    );
    for stream in &mut streams {
        assert_eq!(
            method(stream),
            "notifications/resources/list_changed",
            "nothing was told of what it cannot see"
        );
    }
    admin("GRANT SELECT ON public.sub_hidden TO authenticated");
    for stream in &mut streams {
        let event = stream.next_event(SOON).expect("something is told");
        assert_eq!(event["method"], "notifications/resources/updated");
        assert_eq!(event["params"]["uri"], "fluxbase://schema/tables");
    }

    // The backend that is asked for changes goes away, and a change comes while nobody looks.
    let sql =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = ANY ($1)";
    let names = listeners.each_ref().map(|listener| listener.application().to_owned()).to_vec();
    stage().database.admin().execute(sql, &[&names]).expect("terminated");
    admin("SELECT mcp.unregister_resource('sub://x')");
    for stream in &mut streams {
        assert_eq!(method(stream), "notifications/resources/list_changed");
    }

    stage().database.admin().execute("SELECT mcp.revoke_key('client', 'listens')", &[]).expect("revoked");
    for stream in &mut streams {
        let last = stream.next_event(SOON).expect("it is told that the key has ended");
        assert_eq!(last["error"]["code"], -32005);
        assert_eq!(stream.next_event(SOON), None, "and the stream ends");
    }
    admin(
        "SELECT mcp.unregister_tool('sub_hidden'); DROP TABLE public.sub_hidden; DROP FUNCTION public.sub_tool, public.sub_resource",
    );
}

/// Proves that a stream is told when a procedure becomes a tool of its own and when that is taken back, and that nothing is told of one that is none, or
/// that the key's role may not execute.
#[test]
fn a_procedure_that_becomes_a_tool_is_told() {
    admin(
        "CREATE FUNCTION public.sub_rpc() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x' $$;
         CREATE FUNCTION public.sub_rpc_hidden() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x' $$;
         REVOKE EXECUTE ON FUNCTION public.sub_rpc(), public.sub_rpc_hidden() FROM PUBLIC;
         GRANT EXECUTE ON FUNCTION public.sub_rpc() TO authenticated",
    );
    let listener = start(&[]);
    let key = |name: &str, scopes: &str| {
        stage().database.client_key(&["--name", name, "--user", TENANT_A, "--scopes", scopes])
    };
    let (may, other) = (key("listens to procedures", "execute:rpc"), key("listens to tables", "read:tables"));
    let mut stream = listen(&listener, &may, "rpc", json!({ "toolsListChanged": true }));
    let mut without = listen(&listener, &other, "tables", json!({ "toolsListChanged": true }));
    let tools = |key: &Key| -> Vec<String> {
        let reply = listener.client(key).request("tools/list", json!({})).json();
        let tools = reply["result"]["tools"].as_array().expect("a list").clone();
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    };
    admin(
        "SELECT mcp.expose_rpc('public.sub_rpc_hidden()', as_tool => true); SELECT mcp.expose_rpc('public.sub_rpc()')",
    );
    admin("SELECT mcp.expose_rpc('public.sub_rpc()', as_tool => true)");
    assert_eq!(method(&mut stream), "notifications/tools/list_changed");
    assert!(tools(&may).contains(&"sub_rpc".to_owned()), "it is listed when it is told");
    admin("SELECT mcp.unexpose_rpc('sub_rpc')");
    assert_eq!(method(&mut stream), "notifications/tools/list_changed");
    assert!(!tools(&may).contains(&"sub_rpc".to_owned()), "it is gone when that is told");
    // The next thing that either stream hears is the end of its key: nothing was told twice, and the other was told nothing.
    for (name, stream) in [("listens to procedures", &mut stream), ("listens to tables", &mut without)] {
        stage().database.admin().execute("SELECT mcp.revoke_key('client', $1)", &[&name]).expect("revoked");
        assert_eq!(
            stream.next_event(SOON).expect("it is told that the key has ended")["error"]["code"],
            -32005
        );
    }
    admin(
        "SELECT mcp.unexpose_rpc('sub_rpc_hidden'); DROP FUNCTION public.sub_rpc(), public.sub_rpc_hidden()",
    );
}

/// Proves that open streams hold no connection of the pool, that a key has its share of them and no more, and that a stream ends with its last
/// message after session_timeout, and when the listener ends.
#[test]
fn streams_are_bounded_and_end_well() {
    let mut listener = start(&[
        ("FLUXBASE_LISTENER_POOL_SIZE", "1"),
        ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0"),
        ("FLUXBASE_LISTENER_MAX_STREAMS", "24"),
    ]);
    let key = &stage().a;
    let mut streams: Vec<Http> = (0..3)
        .map(|n| listen(&listener, key, &format!("s{n}"), json!({ "toolsListChanged": true })))
        .collect();
    let refused = open(&listener, key, "s3", json!({})).receive();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("60")));
    assert!(refused.message().contains("max_streams"), "{}", refused.message());
    assert_eq!(
        listener.client(&stage().b).rows(json!({ "table": "notes" })).len(),
        1,
        "the one connection is free"
    );
    // A place is free again as soon as a client has hung up.
    streams.pop().expect("three").hang_up();
    eventually(SOON, "its place is free", || {
        let mut again = open(&listener, key, "s4", json!({}));
        (again.receive_head().status == 200).then(|| streams.push(again))
    });

    listener.terminate();
    for (stream, id) in streams.iter_mut().zip(["s0", "s1", "s4"]) {
        let mut last = stream.next_event(SOON).expect("a last message");
        if last["method"] == "notifications/subscriptions/acknowledged" {
            last = stream.next_event(SOON).expect("a last message");
        }
        assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(id), &json!("complete")));
        assert_eq!(stream.next_event(SOON), None);
    }
    assert!(listener.wait(SOON).is_some_and(|status| status.success()), "it ends, and well");
}

/// Proves that session_timeout bounds a stream, and that one is refused to a client that cannot read it, or asks for it wrongly.
#[test]
fn a_stream_lives_as_long_as_a_session() {
    let listener = start(&[("FLUXBASE_MCP_SESSION_TIMEOUT", "1s")]);
    let mut stream = listen(&listener, &stage().a, "short", json!({ "toolsListChanged": true }));
    let last = stream.next_event(SOON).expect("a last message");
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!("short"), &json!("complete")));
    assert_eq!(stream.next_event(SOON), None);

    let wrong = open(&listener, &stage().a, "wrong", json!({ "toolsListChanged": "yes" })).receive();
    assert_eq!((wrong.status, wrong.code()), (200, -32602));
    let mut http = Http::connect(listener.address);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": { "notifications": {}, "_meta": META.clone() } });
    let json_only = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "subscriptions/listen"),
        stage().a.pair(),
    ];
    let refused = http.post(&json_only, body.to_string().as_bytes());
    assert_eq!((refused.status, refused.code()), (400, -32600));
    assert!(refused.message().contains("Accept"), "{}", refused.message());
}
