//! Random requests that look almost right. The seed is fixed, so a failure can be repeated; `FLUXBASE_TEST_SEED` sets another.

use fluxbase_tests::mcp::{LATEST, meta};
use fluxbase_tests::random::Random;
use fluxbase_tests::{Http, Listener, stage};
use serde_json::{Map, Value, json};

const ROUNDS: usize = 4000;
/// A user of whom nothing else depends: some of the nonsense makes sense, and writes.
const USER: &str = "00000000-0000-4000-8000-0000000000ff";

const METHODS: [&str; 14] = [
    "tools/call",
    "tools/call",
    "tools/call",
    "tools/call",
    "tools/list",
    "initialize",
    "ping",
    "server/discover",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "notifications/initialized",
    "prompts/list",
    "",
];
const TOOLS: [&str; 8] = [
    "query_table",
    "query_table",
    "insert_record",
    "update_record",
    "delete_record",
    "list_tables",
    "describe_table",
    "no_tool",
];
const MEMBERS: [&str; 16] = [
    "table",
    "select",
    "filter",
    "limit",
    "offset",
    "order",
    "data",
    "search",
    "schema",
    "name",
    "arguments",
    "uri",
    "cursor",
    "_meta",
    "protocolVersion",
    "id",
];
const COLUMNS: [&str; 14] = [
    "id", "name", "price", "big", "ratio", "tags", "data", "at", "span", "flag", "raw", "feeling", "nmae",
    "user_id",
];
const OPERATORS: [&str; 17] = [
    "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "is", "in", "nin", "isnot", "cs", "cd", "ov",
    "not", "EQ",
];
pub const TEXTS: [&str; 26] = [
    "things",
    "notes",
    "public.things",
    "\"things\"",
    "auth.accounts",
    "users",
    "",
    "eq.1",
    "in.(1,2,\"x\")",
    "is.null",
    "gt.2020-01-01",
    "cs.{a,b}",
    "'; DROP TABLE things; --",
    "\u{0}",
    "\u{202e}",
    "ä☃\u{1F600}",
    "%_\\",
    "NaN",
    "-0",
    "1e400",
    "id,name",
    "alias:id",
    "id.desc",
    "fluxbase://schema/tables/public/things",
    "2026-07-28",
    "$1",
];

/// A value of any shape, mostly small.
pub fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 12 }) {
        0 => Value::Null,
        1 => json!(random.one_in(2)),
        2 => json!(random.below(5) as i64 - 1),
        3 => json!(random.number() as i64),
        4 => json!(random.below(1000) as f64 / 7.0),
        5 | 6 => json!(*random.pick(&TEXTS)),
        7 => json!("x".repeat(random.below(300))),
        8 => Value::Array((0..random.below(4)).map(|_| value(random, depth - 1)).collect()),
        9 => Value::Object(
            (0..random.below(4))
                .map(|_| (random.pick(&OPERATORS).to_string(), value(random, depth - 1)))
                .collect(),
        ),
        10 => Value::Object(
            (0..random.below(4))
                .map(|_| (random.pick(&COLUMNS).to_string(), value(random, depth - 1)))
                .collect(),
        ),
        _ => Value::Object(
            (0..random.below(4))
                .map(|_| (random.pick(&MEMBERS).to_string(), value(random, depth - 1)))
                .collect(),
        ),
    }
}

/// A call that makes sense, of which perhaps one argument is replaced by anything.
fn sensible(random: &mut Random) -> Value {
    let (tool, mut arguments) = match random.below(9) {
        0 => (
            "query_table",
            json!({ "table": "things", "select": "id,name,price", "filter": { "id": { "lte": 20 } }, "order": "id.desc", "limit": 5 }),
        ),
        1 => (
            "query_table",
            json!({ "table": "things", "filter": { "name": "like.thing*", "flag": true, "tags": { "cs": ["a"] } } }),
        ),
        2 => (
            "insert_record",
            json!({ "table": "things", "data": { "name": "new", "price": 1.5, "data": { "a": [1] }, "tags": ["x"] } }),
        ),
        3 => (
            "update_record",
            json!({ "table": "things", "filter": { "id": { "in": [1, 2, 3] } }, "data": { "name": *random.pick(&TEXTS) } }),
        ),
        4 => ("delete_record", json!({ "table": "notes", "filter": { "id": { "gt": 0 } } })),
        5 => ("insert_record", json!({ "table": "notes", "data": { "title": *random.pick(&TEXTS) } })),
        6 => ("list_tables", json!({ "search": *random.pick(&TEXTS), "limit": 3 })),
        7 => ("describe_table", json!({ "table": "things" })),
        _ => ("query_table", json!({ "table": "things" })),
    };
    if random.one_in(3) {
        let members: Vec<String> = arguments.as_object().expect("an object").keys().cloned().collect();
        arguments[random.pick(&members)] = value(random, 2);
    }
    json!({ "name": tool, "arguments": arguments })
}

/// Arguments that a tool might take.
fn arguments(random: &mut Random) -> Value {
    if random.one_in(12) {
        return value(random, 2);
    }
    let mut all = Map::new();
    if !random.one_in(8) {
        all.insert(
            "table".into(),
            json!(*random.pick(&["things", "things", "things", "notes", "users", "thing", "public.things"])),
        );
    }
    let filter = |random: &mut Random| {
        let mut filter = Map::new();
        for _ in 0..random.below(3) + 1 {
            let column = random.pick(&COLUMNS).to_string();
            let condition = match random.below(3) {
                0 => json!(format!("{}.{}", random.pick(&OPERATORS), random.pick(&TEXTS))),
                1 => json!({ *random.pick(&OPERATORS): value(random, 1) }),
                _ => value(random, 2),
            };
            filter.insert(column, condition);
        }
        Value::Object(filter)
    };
    if random.one_in(2) {
        let filter = filter(random);
        all.insert("filter".into(), filter);
    }
    if random.one_in(3) {
        let data =
            (0..random.below(4)).map(|_| (random.pick(&COLUMNS).to_string(), value(random, 1))).collect();
        all.insert("data".into(), Value::Object(data));
    }
    for member in ["select", "order", "limit", "offset"] {
        if random.one_in(4) {
            let value =
                if random.one_in(2) { json!(random.pick(&COLUMNS).to_string()) } else { value(random, 1) };
            all.insert(member.into(), value);
        }
    }
    if random.one_in(10) {
        all.insert(random.pick(&MEMBERS).to_string(), value(random, 2));
    }
    Value::Object(all)
}

/// A message that is almost right, as bytes.
fn message(random: &mut Random) -> Vec<u8> {
    let method = *random.pick(&METHODS);
    let mut params = match method {
        "tools/call" if random.one_in(2) => sensible(random),
        "tools/call" => json!({ "name": *random.pick(&TOOLS), "arguments": arguments(random) }),
        "resources/read" => json!({ "uri": *random.pick(&TEXTS) }),
        "initialize" => json!({ "protocolVersion": *random.pick(&TEXTS), "capabilities": {} }),
        _ => value(random, 2),
    };
    if random.one_in(8) && params.is_object() {
        params["_meta"] = if random.one_in(3) { value(random, 2) } else { meta(LATEST) };
    }
    let mut message =
        json!({ "jsonrpc": "2.0", "id": random.below(100), "method": method, "params": params });
    if random.one_in(10) {
        let member = *random.pick(&["jsonrpc", "id", "method", "params", "extra"]);
        message[member] = value(random, 3);
    }
    if random.one_in(20) {
        let member = *random.pick(&["jsonrpc", "id", "method", "params"]);
        message.as_object_mut().expect("an object").remove(member);
    }
    let mut bytes =
        if random.one_in(30) { value(random, 4).to_string() } else { message.to_string() }.into_bytes();
    // Broken text, now and then.
    if random.one_in(8) {
        for _ in 0..random.below(3) + 1 {
            let at = random.below(bytes.len().max(1));
            match random.below(4) {
                0 if at < bytes.len() => drop(bytes.remove(at)),
                1 => bytes.insert(at.min(bytes.len()), random.number() as u8),
                2 => bytes.truncate(at),
                _ => {
                    let part =
                        bytes.get(at..(at + 20).min(bytes.len())).map(<[u8]>::to_vec).unwrap_or_default();
                    bytes.extend(part);
                }
            }
        }
    }
    bytes
}

/// Proves that nonsense is always answered, with a status that is documented, and with a body that is JSON-RPC; that it never
/// is a server error; and that the listener and its backends live on.
#[test]
fn nonsense_is_answered_politely() {
    let stage = stage();
    let seed: u64 =
        std::env::var("FLUXBASE_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_122);
    let listener = Listener::start(&stage.cluster, &stage.database.listener_url, &[]);
    let key = stage.database.tenant_key("nonsense", USER);
    let mut random = Random::new(seed);
    let mut http = Http::connect(listener.address);
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    let mut tool_results = [0, 0];
    for round in 0..ROUNDS {
        let body = message(&mut random);
        let mut headers = vec![("Content-Type", "application/json"), key.pair()];
        let (text, name);
        match random.below(5) {
            0 => headers.push(("MCP-Protocol-Version", "2025-06-18")),
            1 => {
                let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
                text = parsed["method"].as_str().unwrap_or("x").to_owned();
                name = parsed["params"]["name"].as_str().unwrap_or("x").to_owned();
                headers.extend([
                    ("MCP-Protocol-Version", LATEST),
                    ("Mcp-Method", text.as_str()),
                    ("Mcp-Name", name.as_str()),
                ]);
            }
            2 if random.one_in(3) => headers.push(("MCP-Protocol-Version", "2099-01-01")),
            _ => {}
        }
        // A header cannot hold these; what can be sent is what is tested.
        headers.retain(|(_, value)| value.bytes().all(|byte| byte >= b' ' && byte != 0x7f));
        http.send_request("POST /mcp", &headers, &body).expect("sent");
        let context =
            || format!("round {round} of seed {seed}: {headers:?} {}", String::from_utf8_lossy(&body));
        let response = match http.try_receive() {
            Ok(Some(response)) => response,
            other => panic!("{other:?}: {}", context()),
        };
        *statuses.entry(response.status).or_default() += 1;
        assert!(
            [200, 202, 400, 404].contains(&response.status),
            "{} {}: {}",
            response.status,
            response.text(),
            context()
        );
        if response.status == 202 {
            assert!(response.body.is_empty(), "{}", context());
            continue;
        }
        let answer: Value =
            serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {}", context()));
        // A batch gets a list; what else is said of an answer holds for each in it.
        let answers = match answer {
            Value::Array(answers) => answers,
            answer => vec![answer],
        };
        for answer in &answers {
            assert_eq!(answer["jsonrpc"], json!("2.0"), "{}", context());
            assert!(answer.get("id").is_some(), "{}", context());
            assert_ne!(
                answer.get("result").is_some(),
                answer.get("error").is_some(),
                "{answer}: {}",
                context()
            );
            if let Some(error) = answer.get("error") {
                assert!(error["code"].is_i64() && error["message"].is_string(), "{answer}: {}", context());
                assert_ne!(error["code"], json!(-32603), "{answer}: {}", context());
            }
            if let Some(is_error) = answer["result"].get("isError") {
                tool_results[usize::from(*is_error == json!(true))] += 1;
                let text = answer["result"]["content"][0]["text"].as_str().expect("a text");
                assert!(!text.contains("internal error"), "{text}: {}", context());
            }
        }
    }
    assert!(
        tool_results[0] > 50 && tool_results[1] > 200,
        "the nonsense reached the tools: {tool_results:?}"
    );
    assert!(statuses.len() == 4, "every kind of answer came: {statuses:?}");
    assert_eq!(listener.client(&key).request("ping", json!({})).status, 200);
    let log = stage.cluster.log();
    for word in ["panicked", "PANIC:", "was terminated by signal", "internal error, reference"] {
        assert!(!log.contains(word), "Postgres's log has {word:?}");
    }
    assert!(!listener.log().contains("panicked"));
}
