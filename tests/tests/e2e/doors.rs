//! Three doors, one answer: SQL, HTTP and standard input and output give the same bytes for the same message of the same key.
//!
//! Two things belong to a door and not to the answer. A JSON column keeps the layout that it was written with, and so may an answer; on standard
//! output a line break would end the message, so it is a blank there (they stand between tokens only: inside strings JSON escapes them).
//! And a notification has no answer: HTTP says 202, SQL says NULL, standard output says nothing.

use fluxbase_tests::mcp::message;
use fluxbase_tests::{Era, Http, Key, Stage, Stdio};
use postgres::Client;
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
        call("query_table", json!({ "table": "users", "select": "id, email", "filter": { "is_active": "eq.true" } })),
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
        call("update_record", json!({ "table": table, "filter": { "id": "gte.500" }, "data": { "seconds": 0.5 } })),
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
const ODD: [&str; 19] = [
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/unknown","params":{"a":1}}"#,
    r#"{"jsonrpc":"2.0","id":"","method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":"\u0061\"","method":"ping"}"#,
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

/// What is no JSON, or none that jsonb can hold: `mcp.handle(jsonb)` cannot be asked.
const NO_JSONB: [&str; 5] = [
    "{",
    "nonsense",
    r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"\u0000"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"\ud800"}}"#,
];

/// The doors for one key and one era.
struct Doors<'a> {
    stage: &'a Stage,
    key: &'a Key,
    sql: Client,
    listener: Client,
    http: Http,
    stdio: Stdio,
    version: Option<&'static str>,
    compared: usize,
}

impl<'a> Doors<'a> {
    /// A handshake decides the version of what follows: for HTTP by a header, for standard input by itself.
    fn open(stage: &'a Stage, key: &'a Key, era: Era) -> Doors<'a> {
        let version = match era {
            Era::Legacy(version) => Some(version),
            Era::Plain | Era::Modern => None,
        };
        let url = &stage.database.listener_url;
        let mut doors = Doors {
            stage,
            key,
            sql: stage.database.admin(),
            listener: fluxbase_tests::cluster::connect(url).expect("the listener's role may log in"),
            http: Http::connect(stage.listener.address),
            stdio: Stdio::start(url, key, &[]),
            version: None,
            compared: 0,
        };
        if let Some(version) = version {
            let params =
                json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
            let hello = json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params });
            let answer = doors.same(&[], &hello.to_string());
            assert!(answer.is_some_and(|answer| answer.contains(version)));
        }
        doors.version = version;
        doors
    }

    /// `SELECT mcp.handle(jsonb)` with the key's identity. It has neither headers nor a handshake, so it knows no legacy version.
    fn by_sql(&mut self, text: &str) -> Option<String> {
        let mut transaction = self.sql.transaction().expect("a transaction");
        transaction.execute("SELECT mcp.authenticate($1)", &[&self.key.credential()]).expect("its identity");
        let row = transaction.query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&text]).expect("an answer");
        transaction.commit().expect("committed");
        row.get(0)
    }

    /// `mcp.handle(text, text, jsonb)` with the listener's role.
    fn by_listener(&mut self, text: &str) -> Option<String> {
        let transport = match self.version {
            Some(version) => json!({ "http": false, "protocol_version": version }),
            None => json!({ "http": false }),
        };
        let sql = "SELECT body FROM mcp.handle($1, $2, $3::text::jsonb)";
        let row = self.listener.query_one(sql, &[&text, &self.key.credential(), &transport.to_string()]);
        row.expect("an answer").get(0)
    }

    fn by_http(&mut self, headers: &[(&str, &str)], text: &str) -> Option<String> {
        let version = self.version.map(|version| ("MCP-Protocol-Version", version));
        let all: Vec<(&str, &str)> = [("Content-Type", "application/json"), self.key.pair()]
            .into_iter()
            .chain(version)
            .chain(headers.iter().copied())
            .collect();
        let body = self.http.post(&all, text.as_bytes()).body;
        (!body.is_empty()).then(|| String::from_utf8(body).expect("UTF-8"))
    }

    /// The next line, if there is to be one: a line too many would be taken for the answer to the next message.
    fn by_stdio(&mut self, text: &str, is_answered: bool) -> Option<String> {
        self.stdio.send(text);
        is_answered.then(|| self.stdio.receive())
    }

    /// Sends a message through all doors; they must give the same, which is returned.
    fn same(&mut self, headers: &[(&str, &str)], text: &str) -> Option<String> {
        let by_http = self.by_http(headers, text);
        assert_eq!(self.by_listener(text), by_http, "mcp.handle(text, text, jsonb) and HTTP differ: {text}");
        let by_stdio = self.by_stdio(text, by_http.is_some());
        let on_one_line = by_http.as_deref().map(|body| body.replace(['\n', '\r'], " "));
        assert_eq!(by_stdio, on_one_line, "standard output and HTTP differ: {text}");
        let is_jsonb = !NO_JSONB.contains(&text);
        if self.version.is_none() && is_jsonb {
            assert_eq!(self.by_sql(text), by_http, "mcp.handle(jsonb) and HTTP differ: {text}");
        }
        self.compared += 1;
        by_http
    }

    fn ends(mut self) -> usize {
        self.stdio.close();
        assert_eq!(self.stdio.rest(), Vec::<String>::new(), "standard output says nothing more");
        assert!(self.stage.listener.address.port() > 0);
        self.compared
    }
}

/// Proves for every era that the doors give the same bytes: lists, every table tool with its mistakes, registered tools and prompts,
/// resources, completion, unknown things, odd messages. (Without an `Accept` for streams HTTP gives the bare answer.)
#[test]
fn every_door_gives_the_same_answer() {
    let stage = Stage::start();
    stage.database.admin().batch_execute(OBJECTS).expect("the test's objects");
    let key = stage.database.client_key(&[
        "--name",
        "doors",
        "--user",
        fluxbase_tests::TENANT_A,
        "--scopes",
        "read:tables,write:tables,read:schema,execute:rpc",
    ]);
    let eras = [
        Era::Plain,
        Era::Modern,
        Era::Legacy("2025-11-25"),
        Era::Legacy("2025-06-18"),
        Era::Legacy("2025-03-26"),
        Era::Legacy("2024-11-05"),
    ];
    for era in eras {
        let mut doors = Doors::open(&stage, &key, era);
        let (mut results, mut laid_out) = (0, false);
        for (id, (method, params)) in (1..).zip(messages()) {
            let (headers, text) = match params {
                Value::Object(_) => message(era, id, method, params),
                odd => (vec![], json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": odd }).to_string()),
            };
            // The version comes from the era of the doors.
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .filter(|(name, _)| doors.version.is_none() || *name != "MCP-Protocol-Version")
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let answer = doors.same(&headers, &text).unwrap_or_else(|| panic!("{era:?}: no answer to {text}"));
            let value: Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(value["id"], json!(id), "{era:?}: {text}");
            results += usize::from(value.get("result").is_some());
            laid_out |= answer.contains('\n');
        }
        for text in ODD.into_iter().chain(NO_JSONB) {
            doors.same(&[], text);
        }
        // The comparison is of something: most are results, and one came with line breaks.
        assert!(results > 30 && laid_out, "{era:?}: {results} results");
        assert_eq!(doors.ends(), messages().len() + ODD.len() + NO_JSONB.len() + usize::from(matches!(era, Era::Legacy(_))));
    }
}

/// Proves that `initialize` is answered alike for each revision that a client may ask for, and without one.
#[test]
fn every_door_shakes_hands_alike() {
    let stage = fluxbase_tests::stage();
    let mut doors = Doors::open(stage, &stage.a, Era::Plain);
    for (version, id) in
        ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01", ""].into_iter().zip(1..)
    {
        let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
        let hello = json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": params }).to_string();
        assert!(doors.same(&[], &hello).is_some_and(|answer| answer.contains("serverInfo")), "{version}");
    }
    let hello = json!({ "jsonrpc": "2.0", "id": 9, "method": "initialize", "params": {} }).to_string();
    assert!(doors.same(&[], &hello).is_some_and(|answer| answer.contains("-32602")));
    doors.ends();
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
