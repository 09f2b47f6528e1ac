//! Confirmation of updates and deletes of many rows, over HTTP, as a client with a form for its user.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluxbase_tests::mcp::{LATEST, meta};
use fluxbase_tests::{Http, Key, Listener, TENANT_A, stage};
use serde_json::{Value, json};

/// `tools/call` of a client that takes forms; `more` are further params.
fn call(listener: &Listener, key: &Key, tool: &str, arguments: &Value, more: &Value) -> Value {
    let mut params = json!({ "name": tool, "arguments": arguments, "_meta": meta(LATEST) });
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": { "form": {} } });
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", LATEST),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", tool),
        key.pair(),
    ];
    Http::connect(listener.address).post(&headers, body.as_bytes()).json()
}

fn yes(state: &Value) -> Value {
    json!({ "requestState": state, "inputResponses": { "confirm": { "action": "accept", "content": { "confirm": true } } } })
}

/// A table of its own with row-level security: 150 rows of tenant A, 120 of tenant B.
fn table(name: &str) {
    let script = format!(
        "CREATE TABLE public.{name} (id int PRIMARY KEY, owner uuid NOT NULL, v text NOT NULL);
         INSERT INTO public.{name} SELECT n, '00000000-0000-4000-8000-00000000000a', 'of a' FROM generate_series(1, 150) AS n;
         INSERT INTO public.{name} SELECT n, '00000000-0000-4000-8000-00000000000b', 'of b' FROM generate_series(-120, -1) AS n;
         ALTER TABLE public.{name} ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON public.{name} USING (owner = auth.uid());
         GRANT SELECT, UPDATE, DELETE ON public.{name} TO authenticated"
    );
    stage().database.admin().batch_execute(&script).expect("made");
}

fn left(name: &str) -> (i64, i64) {
    let row = stage()
        .database
        .admin()
        .query_one(
            &format!("SELECT count(*) FILTER (WHERE v = 'of a'), count(*) FILTER (WHERE v = 'of b') FROM public.{name}"),
            &[],
        )
        .expect("counted");
    (row.get(0), row.get(1))
}

/// Proves the two rounds: the question with the number and with rows of this tenant only, nothing changed; the state is worth
/// nothing with another key, be it of the same user, and with other arguments; with its own key it is done.
#[test]
fn a_delete_of_many_rows_is_confirmed_by_its_own_key() {
    let stage = stage();
    table("confirmed");
    let other = stage.database.tenant_key("Tenant A again", TENANT_A);
    let all = json!({ "table": "confirmed", "filter": { "id": { "neq": 0 } }, "returning": "v" });
    let asked = call(&stage.listener, &stage.a, "delete_record", &all, &json!({}));
    assert_eq!(asked["result"]["resultType"], json!("input_required"), "{asked}");
    let question = &asked["result"]["inputRequests"]["confirm"];
    assert_eq!(question["method"], json!("elicitation/create"));
    assert_eq!(question["params"]["requestedSchema"]["properties"]["confirm"]["type"], json!("boolean"));
    let message = question["params"]["message"].as_str().expect("a message");
    assert!(message.starts_with("delete_record would delete 150 rows of \"public.confirmed\"."), "{message}");
    assert!(message.contains("of a") && !message.contains("of b"), "{message}");
    assert_eq!(left("confirmed"), (150, 120), "nothing is changed by the question");

    let state = &asked["result"]["requestState"];
    for key in [&other, &stage.b, &stage.service] {
        let refused = call(&stage.listener, key, "delete_record", &all, &yes(state));
        assert_eq!(refused["error"]["code"], json!(-32602), "{refused}");
    }
    let mut wider = all.clone();
    wider["filter"] = json!({ "id": { "gt": -1000 } });
    let refused = call(&stage.listener, &stage.a, "delete_record", &wider, &yes(state));
    assert_eq!(refused["error"]["code"], json!(-32602), "{refused}");
    let no = json!({ "requestState": state, "inputResponses": { "confirm": { "action": "decline" } } });
    let declined = call(&stage.listener, &stage.a, "delete_record", &all, &no);
    assert_eq!(declined["result"]["isError"], json!(true), "{declined}");
    assert_eq!(left("confirmed"), (150, 120), "none of them changed anything");

    let done = call(&stage.listener, &stage.a, "delete_record", &all, &yes(state));
    assert_eq!(done["result"]["structuredContent"]["deleted"], json!(150), "{done}");
    assert_eq!(left("confirmed"), (0, 120), "and the other tenant has its rows");
}

/// Proves that a client that takes no forms is not held up, in no era.
#[test]
fn who_cannot_be_asked_is_not_held_up() {
    let stage = stage();
    table("unasked");
    let change = json!({ "table": "unasked", "data": { "v": "new" }, "filter": { "id": { "gt": 0 } }, "returning": "none" });
    for era in
        [fluxbase_tests::Era::Plain, fluxbase_tests::Era::Legacy("2025-11-25"), fluxbase_tests::Era::Modern]
    {
        let answer = stage.listener.client(&stage.a).era(era).call("update_record", change.clone());
        assert_eq!(answer.value()["updated"], json!(150), "{era:?}");
    }
    assert_eq!(left("unasked"), (0, 120));
}

/// Proves that the listener's `session_timeout` is how long a state is good: 3600 s by default, and after it is over the state is
/// refused.
#[test]
fn session_timeout_is_how_long_a_state_is_good() {
    let stage = stage();
    table("timed");
    let all = json!({ "table": "timed", "filter": { "id": { "neq": 0 } }, "returning": "none" });
    let state = |listener: &Listener| {
        let asked = call(listener, &stage.a, "delete_record", &all, &json!({}));
        asked["result"]["requestState"].as_str().unwrap_or_else(|| panic!("{asked}")).to_owned()
    };
    let payload = state(&stage.listener);
    let payload = URL_SAFE_NO_PAD.decode(payload.split('.').next().expect("a payload")).expect("base64");
    let until = serde_json::from_slice::<Value>(&payload).expect("JSON")["until"].as_i64().expect("a time");
    let now: i64 = stage
        .database
        .admin()
        .query_one(
            "SELECT extract(epoch FROM clock_timestamp() - '2000-01-01 00:00+00'::timestamptz)::int8",
            &[],
        )
        .expect("the time")
        .get(0);
    assert!((3000..=3601).contains(&(until - now)), "{}", until - now);

    let short = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_MCP_SESSION_TIMEOUT", "1s")],
    );
    let old = state(&short);
    std::thread::sleep(Duration::from_millis(2100));
    let refused = call(&short, &stage.a, "delete_record", &all, &yes(&json!(old)));
    assert_eq!(refused["error"]["code"], json!(-32602), "{refused}");
    assert_eq!(left("timed"), (150, 120));
}
