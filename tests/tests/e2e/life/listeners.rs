//! Several listeners of one database. (Rate limits: http/limits.rs; revoked keys: ended_keys.rs; standbys: replicas.rs.)

use super::*;
use fluxbase_tests::mcp::{LATEST, meta};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A tool that asks for a name in its first round and answers with it and its state in the second.
const ASKS: &str = r#"
CREATE FUNCTION public.asks(args jsonb, context jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
SELECT CASE WHEN context #>> '{inputResponses,name,action}' = 'accept'
            THEN jsonb_build_object('name', context #>> '{inputResponses,name,content,name}', 'state', context -> 'requestState')
            ELSE '{"requestState": {"round": 1}, "inputRequests": {"name": {"method": "elicitation/create", "params":
                  {"message": "Your name?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}}}}'::jsonb END
$$;
REVOKE EXECUTE ON FUNCTION public.asks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.asks TO authenticated;
SELECT mcp.register_tool('asks', 'public.asks(jsonb,jsonb)', 'Asks.', scopes => '{read:tables}');
"#;

/// Sends one round of the tool `asks` and gives the body of the answer.
fn round(listener: &Listener, key: &Key, mut params: Value) -> Value {
    params["name"] = json!("asks");
    params["arguments"] = json!({ "n": 1 });
    params["_meta"] = meta(LATEST);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let headers = [
        JSON,
        key.pair(),
        ("MCP-Protocol-Version", LATEST),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "asks"),
    ];
    Http::connect(listener.address).post(&headers, body.as_bytes()).json()
}

/// Proves that a question that one listener passed on may be answered at another one: the state is signed in Postgres. Changed,
/// or sent with another key, it is refused there as well.
#[test]
fn a_state_of_one_listener_is_good_at_another() {
    let stage = stage();
    stage.database.admin().batch_execute(ASKS).expect("registered");
    let other = start(&[]);
    let first = round(&stage.listener, &stage.a, json!({}));
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    let state = first["result"]["requestState"].as_str().expect("a state");
    let answer = |state: &str| json!({ "requestState": state, "inputResponses": { "name": { "action": "accept", "content": { "name": "Ada" } } } });
    for listener in [&other, &stage.listener] {
        let second = round(listener, &stage.a, answer(state));
        let text = second["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{second}"));
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(value, json!({ "name": "Ada", "state": { "round": 1 } }));
    }
    let last = if state.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{last}", &state[..state.len() - 1]);
    for (key, state) in [(&stage.a, changed.as_str()), (&stage.b, state)] {
        let refused = round(&other, key, answer(state));
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
}

/// Proves that wrong keys are counted by each listener for itself, as documented: whoever one of them has stopped may go on guessing at
/// another one, which stops it as well.
#[test]
fn guesses_are_counted_by_each_listener() {
    let here = fluxbase_tests::http::fresh_address();
    let list = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for listener in [&start(&[]), &start(&[])] {
        let mut http = Http::connect_from(here, listener.address).expect("connected");
        let mut guess = || http.post(&[JSON, ("X-Client-Key", "fbk_guess")], list).status;
        for n in 0..20 {
            assert_eq!(guess(), 401, "guess {n}");
        }
        assert_eq!(guess(), 429);
    }
}

/// Proves the switch: a read-only listener lists and runs reading tools only, while another listener of the same database writes.
#[test]
fn a_read_only_listener_only_reads() {
    let stage = stage();
    let reader = start(&[("FLUXBASE_LISTENER_READ_ONLY", "true")]);
    let switched = Listener::start_with(&stage.cluster, &stage.database.listener_url, &["--read-only"], &[]);
    for listener in [&reader, &switched] {
        let mut client = listener.client(&stage.a);
        let tools = client.request("tools/list", json!({})).json();
        let names: Vec<&str> = tools["result"]["tools"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|t| t["name"].as_str())
            .collect();
        assert!(names.contains(&"query_table") && !names.contains(&"insert_record"), "{names:?}");
        assert!(client.call("query_table", json!({ "table": "users" })).is_ok());
        let row = json!({ "table": "notes", "data": { "title": "read-only" } });
        let refused = client.call("insert_record", row.clone()).response;
        assert_eq!((refused.status, refused.code()), (200, -32006), "{}", refused.text());
        assert!(refused.message().contains("this listener is read-only"), "{}", refused.message());
        assert!(stage.listener.client(&stage.a).call("insert_record", row).is_ok());
    }
}
