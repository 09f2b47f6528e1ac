//! Three doors, one answer: SQL, HTTP and standard input and output give the same bytes for the same message of the same key.
//!
//! Two things belong to a door and not to the answer. A JSON column keeps the layout that it was written with, and so may an answer; on standard
//! output a line break would end the message, so it is a blank there (they stand between tokens only: inside strings JSON escapes them).
//! And a notification has no answer: HTTP says 202, SQL says NULL, standard output says nothing.

use fluxbase_tests::mcp::message;
use fluxbase_tests::{Era, Http, Key, Stage, Stdio, TENANT_A};
use serde_json::{Value, json};

const OBJECTS: &str = "
    CREATE TABLE public.docs (id int PRIMARY KEY, doc json);
    INSERT INTO public.docs VALUES (1, E'{\\n  \"a\": [1,\\r\\n 2],\\n  \"text\": \"x\\\\ny\"\\n}');
    GRANT SELECT ON public.docs TO authenticated;
    CREATE FUNCTION public.door(name text, times int DEFAULT 1) RETURNS json LANGUAGE plpgsql STABLE AS $$
    BEGIN
        PERFORM mcp.progress(1, 2, 'half');
        PERFORM mcp.log('warning', to_jsonb('about to answer'::text));
        RETURN json_build_object('name', repeat(name, times), 'role', current_user, 'sub', auth.uid());
    END $$;
    CREATE FUNCTION public.no_door() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no door' USING HINT = 'Try a window.'; END $$;
    CREATE FUNCTION public.door_prompt(arguments jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'Tell me of ' || (arguments ->> 'city') $$;
    REVOKE EXECUTE ON FUNCTION public.door(text, int), public.no_door(), public.door_prompt(jsonb) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION public.door(text, int), public.no_door(), public.door_prompt(jsonb) TO authenticated;
    SELECT mcp.register_tool('door', 'public.door(text, int)', 'A registered tool.',
        input_schema => '{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}, \"times\": {\"type\": \"integer\", \"maximum\": 3}}, \"required\": [\"name\"]}');
    SELECT mcp.register_tool('no_door', 'public.no_door()', 'Fails.');
    SELECT mcp.register_prompt('door_prompt', 'public.door_prompt(jsonb)', 'Asks about a city.', '[{\"name\": \"city\", \"required\": true}]');
";

/// What is sent, in this order: each write leaves the table as it was before.
fn messages() -> Vec<(&'static str, Value)> {
    let call = |tool: &str, arguments: Value| ("tools/call", json!({ "name": tool, "arguments": arguments }));
    let table = "slow_writes";
    let row = |id: i32| json!({ "id": id, "seconds": 0 });
    let mut all = vec![
        ("server/discover", json!({})),
        ("ping", json!({})),
        ("logging/setLevel", json!({ "level": "info" })),
        ("logging/setLevel", json!({ "level": "loud" })),
        ("resources/subscribe", json!({ "uri": "fluxbase://schema/tables" })),
        ("tools/list", json!({})),
        ("tools/list", json!({ "cursor": "x" })),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({ "uri": "fluxbase://schema/tables" })),
        ("resources/read", json!({ "uri": "fluxbase://schema/tables/public/notes" })),
        ("resources/read", json!({ "uri": "fluxbase://nothing" })),
        ("resources/read", json!({})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({ "name": "door_prompt", "arguments": { "city": "Rome" } })),
        ("prompts/get", json!({ "name": "door_prompt" })),
        ("prompts/get", json!({ "name": "nothing" })),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": "fluxbase://schema/tables/{schema}/{table}" },
                    "argument": { "name": "table", "value": "n" }, "context": { "arguments": { "schema": "public" } } }),
        ),
        ("completion/complete", json!({ "ref": { "type": "ref/nothing" } })),
        ("tools/unknown", json!({})),
        ("tools/call", json!({})),
        ("tools/call", json!({ "name": "query_table", "arguments": [] })),
        ("tools/call", json!([])),
    ];
    all.extend([
        call("query_table", json!({ "table": "users", "order": "email" })),
        call(
            "query_table",
            json!({ "table": "users", "select": "id, email", "filter": { "is_active": "eq.true" } }),
        ),
        call("query_table", json!({ "table": "docs" })),
        call("query_table", json!({ "table": "typed", "limit": 3, "order": "id" })),
        call("query_table", json!({ "table": "notes", "select": "count()" })),
        call("query_table", json!({ "table": "notes", "filter": { "title": "no operator" } })),
        call("query_table", json!({ "table": "payroll" })),
        call("query_table", json!({ "table": "user" })),
        call("query_table", json!({ "table": "users", "colour": "blue" })),
        call("query_table", json!({})),
        call("list_tables", json!({})),
        call("describe_table", json!({ "table": "notes" })),
        call("describe_table", json!({ "table": "nothing" })),
        call("insert_record", json!({ "table": table, "data": row(500) })),
        call("insert_record", json!({ "table": table, "data": row(500) })),
        call("insert_record", json!({ "table": table, "data": [row(501), row(502)], "returning": "id" })),
        call("insert_record", json!({ "table": "notes", "data": { "title": "" } })),
        call(
            "update_record",
            json!({ "table": table, "filter": { "id": "gte.500" }, "data": { "seconds": 0.5 } }),
        ),
        call("update_record", json!({ "table": table, "data": { "seconds": 1 } })),
        call("delete_record", json!({ "table": table, "filter": { "id": 500 }, "dry_run": true })),
        call("delete_record", json!({ "table": table, "filter": { "id": "gte.500" } })),
        call("delete_record", json!({ "table": table, "filter": { "id": "gte.500" } })),
        call(
            "write_batch",
            json!({ "operations": [
                { "operation": "insert", "table": table, "data": row(600) },
                { "operation": "delete", "table": table, "filter": { "id": 600 } },
            ] }),
        ),
        call("write_batch", json!({ "operations": [{ "operation": "fly" }] })),
        call("door", json!({ "name": "a\nb", "times": 2 })),
        call("door", json!({ "name": "x", "times": 7 })),
        call("door", json!({ "times": 1 })),
        call("no_door", json!({})),
        call("nothing", json!({})),
    ]);
    all
}

/// Lines that are more or less messages.
const ODD: [&str; 18] = [
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/unknown","params":{"a":1}}"#,
    r#"{"jsonrpc":"2.0","id":"","method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
    r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
    r#"{"id":1,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":1}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
    r#"{"jsonrpc":"2.0","method":"tools/list"}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":5}"#,
    r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#,
    "[]",
    "5",
    "{}",
];

/// What is no JSON, or none that jsonb holds as it was written: `mcp.handle(jsonb)` cannot be asked.
const NO_JSONB: [&str; 6] = [
    r#"{"jsonrpc":"2.0","id":"\u0061\"","method":"ping"}"#,
    "{",
    "nonsense",
    r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"\u0000"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"\ud800"}}"#,
];

/// A message and the headers that HTTP wants beside it.
type Sent = (Vec<(&'static str, String)>, String);

/// One way to ask: a message, and whether an answer is expected, to its answer.
type Door<'a> = Box<dyn FnMut(&Sent, bool) -> Option<String> + 'a>;

/// `SELECT mcp.handle(jsonb)` with the key's identity.
fn sql<'a>(stage: &Stage, key: &'a Key) -> Door<'a> {
    let mut client = stage.database.admin();
    Box::new(move |(_, text), _| {
        let mut transaction = client.transaction().expect("a transaction");
        transaction.execute("SELECT mcp.authenticate($1)", &[&key.credential()]).expect("its identity");
        let row =
            transaction.query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&text]).expect("an answer");
        transaction.commit().expect("committed");
        row.get(0)
    })
}

/// `mcp.handle(text, text, jsonb)` as the listener's role; a handshake's version is told to it.
fn listener_sql<'a>(stage: &Stage, key: &'a Key, version: Option<&str>) -> Door<'a> {
    let mut client = fluxbase_tests::cluster::connect(&stage.database.listener_url).expect("it may log in");
    let transport = match version {
        Some(version) => json!({ "http": false, "protocol_version": version }),
        None => json!({ "http": false }),
    };
    Box::new(move |(_, text), _| {
        let sql = "SELECT body FROM mcp.handle($1, $2, $3::text::jsonb)";
        client.query_one(sql, &[&text, &key.credential(), &transport.to_string()]).expect("an answer").get(0)
    })
}

/// HTTP without an `Accept` for streams, so that it gives the bare answer; a handshake's version is in a header.
fn http<'a>(stage: &Stage, key: &'a Key, version: Option<&'static str>) -> Door<'a> {
    let mut http = Http::connect(stage.listener.address);
    Box::new(move |(headers, text), _| {
        let mut all = vec![("Content-Type", "application/json"), key.pair()];
        all.extend(version.map(|version| ("MCP-Protocol-Version", version)));
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        let body = http.post(&all, text.as_bytes()).body;
        (!body.is_empty()).then(|| String::from_utf8(body).expect("UTF-8"))
    })
}

/// `fluxbase stdio`. A line too many would be taken for the answer to the next message. What a tool tells on the way, which the handshake's
/// revisions hear unasked, is no part of the answer.
fn stdio<'a>(stage: &Stage, key: &Key, version: Option<&str>) -> Door<'a> {
    let mut stdio = Stdio::start(&stage.database.listener_url, key, &[]);
    if let Some(version) = version {
        let told = stdio.ask(0, "initialize", hello(version)).1;
        assert_eq!(told["result"]["protocolVersion"], version);
    }
    Box::new(move |(_, text), is_answered| {
        stdio.send(text);
        is_answered.then(|| {
            loop {
                let line = stdio.receive();
                if !line.starts_with(r#"{"jsonrpc":"2.0","method":"notifications/"#) {
                    return line;
                }
            }
        })
    })
}

fn hello(version: &str) -> Value {
    json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } })
}

/// Sends all messages through each door in turn, so that each finds the tables as the one before did, and compares. Gives the answers.
fn compare(stage: &Stage, key: &Key, version: Option<&'static str>, all: &[Sent]) -> Vec<Option<String>> {
    let start_again = || stage.database.admin().batch_execute("TRUNCATE public.slow_writes").expect("empty");
    start_again();
    let mut door = http(stage, key, version);
    let by_http: Vec<Option<String>> = all.iter().map(|sent| door(sent, true)).collect();
    let mut others = vec![
        ("mcp.handle(text, text, jsonb)", listener_sql(stage, key, version)),
        ("standard output", stdio(stage, key, version)),
    ];
    if version.is_none() {
        // It has neither headers nor a handshake, so that it knows no legacy version.
        others.push(("mcp.handle(jsonb)", sql(stage, key)));
    }
    for (name, mut door) in others {
        start_again();
        for (sent, expected) in all.iter().zip(&by_http) {
            if name == "mcp.handle(jsonb)" && NO_JSONB.contains(&sent.1.as_str()) {
                continue;
            }
            let got = door(sent, expected.is_some());
            let expected = match name {
                "standard output" => expected.as_deref().map(|body| body.replace(['\n', '\r'], " ")),
                _ => expected.clone(),
            };
            assert_eq!(got, expected, "{name} and HTTP differ, version {version:?}: {}", sent.1);
        }
    }
    by_http
}

/// Proves for every era that the doors give the same bytes: lists, every table tool with its mistakes, registered tools and prompts,
/// resources, completion, unknown things, odd messages.
#[test]
fn every_door_gives_the_same_answer() {
    let stage = Stage::start();
    stage.database.admin().batch_execute(OBJECTS).expect("the test's objects");
    let scopes = "read:tables,write:tables,read:schema,execute:rpc";
    let key = stage.database.client_key(&["--name", "doors", "--user", TENANT_A, "--scopes", scopes]);
    for era in [
        Era::Plain,
        Era::Modern,
        Era::Legacy("2025-11-25"),
        Era::Legacy("2025-06-18"),
        Era::Legacy("2025-03-26"),
        Era::Legacy("2024-11-05"),
    ] {
        let mut all: Vec<Sent> = (1..)
            .zip(messages())
            .map(|(id, (method, params))| match (era, params) {
                // The version stands in the handshake.
                (Era::Plain | Era::Legacy(_), params) | (_, params @ Value::Array(_)) => {
                    let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
                    (vec![], message.to_string())
                }
                (Era::Modern, params) => message(era, id, method, params),
            })
            .collect();
        let asked = all.len();
        all.extend(ODD.into_iter().chain(NO_JSONB).map(|text| (vec![], text.to_owned())));
        let version = match era {
            Era::Legacy(version) => Some(version),
            Era::Plain | Era::Modern => None,
        };
        let answers = compare(&stage, &key, version, &all);
        // The comparison is of something: each request is answered, many with a result, one with line breaks.
        let mut results = 0;
        for (id, answer) in (1..).zip(&answers[..asked]) {
            let answer: Value = serde_json::from_str(answer.as_deref().unwrap_or("null")).expect("JSON");
            assert_eq!(answer["id"], json!(id), "{era:?}: {}", all[id - 1].1);
            results +=
                usize::from(answer["result"]["isError"] != json!(true) && answer["result"].is_object());
        }
        assert!(results >= 20, "{era:?}: {results} results of {asked}");
        // Rows are part of the message where there is structured content; else they are a text in it.
        let structured = matches!(era, Era::Modern | Era::Legacy("2025-11-25" | "2025-06-18"));
        let laid_out = answers.iter().flatten().any(|answer| answer.contains('\n'));
        assert_eq!(laid_out, structured, "{era:?}: whether an answer has a line break");
        assert!(answers.iter().any(Option::is_none), "{era:?}: a notification was answered");
    }
}

/// Proves that `initialize` is answered alike for each revision that a client may ask for, and without one.
#[test]
fn every_door_shakes_hands_alike() {
    let versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01", ""];
    let params = versions.into_iter().map(hello).chain([json!({}), json!({ "protocolVersion": 5 })]);
    let all: Vec<Sent> = (1..)
        .zip(params)
        .map(|(id, params)| {
            let message = json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": params });
            (vec![], message.to_string())
        })
        .collect();
    // The fixture's slow_writes is emptied: a server of one's own.
    let stage = Stage::start();
    let answers = compare(&stage, &stage.a, None, &all);
    let greeted = answers.iter().flatten().filter(|answer| answer.contains("serverInfo")).count();
    assert_eq!((greeted, answers.len()), (versions.len(), versions.len() + 2));
}

/// Proves that what a registered tool tells while it runs is the same, and in the same order, in a stream of HTTP and on standard output.
#[test]
fn what_is_told_on_the_way_is_the_same() {
    let stage = Stage::start();
    stage.database.admin().batch_execute(OBJECTS).expect("the test's objects");
    let key = stage.database.client_key(&["--name", "doors", "--scopes", "execute:rpc"]);
    let mut meta = fluxbase_tests::mcp::meta("2026-07-28");
    meta["progressToken"] = json!(7);
    meta["io.modelcontextprotocol/logLevel"] = json!("info");
    let params = json!({ "name": "door", "arguments": { "name": "x" }, "_meta": meta });
    let text = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();

    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Connection", "close"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "door"),
        key.pair(),
    ];
    let mut http = Http::connect(stage.listener.address);
    http.send_request("POST /mcp", &headers, text.as_bytes()).expect("sent");
    assert_eq!(http.receive_head().header("content-type"), Some("text/event-stream"));
    http.closed_within(std::time::Duration::from_secs(10)).expect("the stream ends");
    let stream = http.left_over();
    let by_http: Vec<&str> = stream.lines().filter_map(|line| line.strip_prefix("data: ")).collect();

    let mut stdio = Stdio::start(&stage.database.listener_url, &key, &[]);
    stdio.send(&text);
    stdio.close();
    let by_stdio = stdio.rest();
    assert_eq!(by_stdio, by_http);
    let methods: Vec<Value> = by_stdio
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["method"].clone())
        .collect();
    assert_eq!(methods, [json!("notifications/progress"), json!("notifications/message"), Value::Null]);
}
