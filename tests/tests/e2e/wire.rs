//! Structured nonsense over HTTP, in every revision of MCP, about every tool, resource, prompt and task there is: each answer is what the schema of its revision says, and
//! what the tool's own output schema says; none is a fault of the server's, and nothing breaks.
//!
//! The seed is fixed; `FLUXBASE_WIRE_SEED` sets another, `FLUXBASE_WIRE_CALLS` the number of requests, `FLUXBASE_WIRE_REPORT` a file for what was counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fluxbase_tests::load::Counting;
use fluxbase_tests::mcp::{LATEST, meta};
use fluxbase_tests::random::Random;
use fluxbase_tests::{Cluster, Database, Http, Listener};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::nonsense::{TEXTS, value};
use crate::plans::number;

const REVISIONS: [(&str, &str); 5] = [
    ("2024-11-05", include_str!("../../mcp_schema/2024-11-05.json")),
    ("2025-03-26", include_str!("../../mcp_schema/2025-03-26.json")),
    ("2025-06-18", include_str!("../../mcp_schema/2025-06-18.json")),
    ("2025-11-25", include_str!("../../mcp_schema/2025-11-25.json")),
    (LATEST, include_str!("../../mcp_schema/2026-07-28.json")),
];

/// What a request that names no revision is answered in.
const PLAINEST: &str = "2024-11-05";

/// Requests and what their result is called in the schemas; several where it depends on what was asked.
const RESULTS: [(&str, &[&str]); 19] = [
    ("initialize", &["InitializeResult"]),
    ("ping", &["EmptyResult"]),
    ("logging/setLevel", &["EmptyResult"]),
    ("resources/subscribe", &["EmptyResult"]),
    ("resources/unsubscribe", &["EmptyResult"]),
    ("server/discover", &["DiscoverResult"]),
    ("tools/list", &["ListToolsResult"]),
    ("tools/call", &["CallToolResult", "InputRequiredResult", "CreateTaskResult"]),
    ("resources/list", &["ListResourcesResult"]),
    ("resources/templates/list", &["ListResourceTemplatesResult"]),
    ("resources/read", &["ReadResourceResult", "InputRequiredResult"]),
    ("prompts/list", &["ListPromptsResult"]),
    ("prompts/get", &["GetPromptResult", "InputRequiredResult"]),
    ("completion/complete", &["CompleteResult"]),
    ("tasks/get", &["GetTaskResult"]),
    ("tasks/list", &["ListTasksResult"]),
    ("tasks/cancel", &["CancelTaskResult"]),
    ("tasks/result", &["CallToolResult"]),
    ("tasks/update", &["EmptyResult"]),
];

/// Sensible values of arguments, by name.
const KNOWN: [(&str, &[&str]); 16] = [
    ("table", &["things", "notes", "public.things", "users", "thing", "w_texts"]),
    ("bucket", &["w", "w", "none"]),
    ("key", &["a.txt", "b/c.txt", "../x", "a.txt"]),
    ("prefix", &["a", "b/", ""]),
    ("function_name", &["w", "gone"]),
    ("job_name", &["w_job", "gone"]),
    ("name", &["w", "one", "w_double", "gone", "things"]),
    ("namespace", &["default", "none"]),
    ("knowledge_bases", &["w_texts"]),
    ("status", &["pending", "running", "completed", "failed"]),
    ("schema", &["public", "mcp", "pg_catalog"]),
    ("returning", &["none", "minimal", "*", "id"]),
    ("count", &["exact", "planned", "estimated", "none"]),
    ("select", &["id", "*", "id,name", "count()"]),
    ("order", &["id", "id.desc", "name.asc.nullslast"]),
    ("op", &["insert", "update", "delete"]),
];

/// The schemas, ready to be used, by revision and name.
struct Schemas(BTreeMap<&'static str, (Value, BTreeMap<String, Option<Validator>>)>);

impl Schemas {
    fn new() -> Schemas {
        let read = |text: &str| (serde_json::from_str(text).expect("a schema is JSON"), BTreeMap::new());
        Schemas(REVISIONS.into_iter().map(|(revision, text)| (revision, read(text))).collect())
    }

    /// Whether the revision knows the definition, and what of `instance` is not as it says.
    fn wrong(&mut self, revision: &'static str, name: &str, instance: &Value) -> Option<Result<(), String>> {
        let (all, ready) = self.0.get_mut(revision).expect("a revision that there is");
        let place = if all.get("$defs").is_some() { "$defs" } else { "definitions" };
        let validator = ready.entry(name.to_owned()).or_insert_with(|| {
            all[place].get(name)?;
            let mut root = all.clone();
            root.as_object_mut()
                .expect("an object")
                .retain(|member, _| member == place || member == "$schema");
            root["allOf"] = json!([{ "$ref": format!("#/{place}/{name}") }]);
            Some(jsonschema::validator_for(&root).expect("the schema is one"))
        });
        let validator = validator.as_ref()?;
        let told: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        Some(if told.is_empty() { Ok(()) } else { Err(told.join("; ")) })
    }

    /// Holds an answer against the revision in which the method was asked.
    fn check(&mut self, revision: &'static str, method: &str, answer: &Value) -> Result<(), String> {
        if answer.get("error").is_some() {
            let mut answer = answer.clone();
            // JSON-RPC says null when the message could not be read; the schemas of MCP have no word for that.
            if answer["id"].is_null() {
                answer["id"] = json!(0);
            }
            let name = if revision < "2025-11-25" { "JSONRPCError" } else { "JSONRPCErrorResponse" };
            return self.wrong(revision, name, &answer).expect("an error is defined");
        }
        let name = if revision < "2025-11-25" { "JSONRPCResponse" } else { "JSONRPCResultResponse" };
        self.wrong(revision, name, answer).expect("a response is defined")?;
        let names = RESULTS.iter().find(|(of, _)| *of == method).map(|(_, names)| *names);
        let names = names.ok_or_else(|| format!("a result of {method:?}, which no revision has"))?;
        let mut told = Vec::new();
        for name in names {
            match self.wrong(revision, name, &answer["result"]) {
                Some(Ok(())) => return Ok(()),
                Some(Err(why)) => told.push(format!("{name}: {why}")),
                None => {}
            }
        }
        // Tasks of the newest revision are an extension of it, which its schema does not have.
        let task = &answer["result"];
        if revision == LATEST && (method.starts_with("tasks/") || task["resultType"] == json!("task")) {
            return Ok(());
        }
        Err(format!("{revision} {method}: {}", told.join(" | ")))
    }
}

/// What a schema of an argument may be given: mostly of its type.
fn fitting(random: &mut Random, name: &str, schema: &Value, depth: usize) -> Value {
    if random.one_in(12) {
        return value(random, 2);
    }
    if let Some(choices) = schema["enum"].as_array() {
        return random.pick(choices).clone();
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["object", "string", "array", "integer"],
    };
    match *random.pick(&kinds) {
        "string" => match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, texts)) if !random.one_in(8) => json!(*random.pick(texts)),
            _ => json!(*random.pick(&TEXTS)),
        },
        "integer" => json!(match random.below(8) {
            0 => -1,
            1 => i64::MAX,
            2 => 0,
            _ => random.below(50) as i64,
        }),
        "number" => json!(random.below(1000) as f64 / 500.0),
        "boolean" => json!(random.one_in(2)),
        "array" if depth > 0 => {
            let items = &schema["items"];
            Value::Array((0..random.below(4)).map(|_| fitting(random, name, items, depth - 1)).collect())
        }
        "object" if name == "filter" => {
            json!({ *random.pick(&["id", "name", "nmae"]): fitting_filter(random) })
        }
        "object" if name == "data" => {
            json!({ *random.pick(&["name", "title", "id"]): value(random, 1), "price": random.below(9) })
        }
        "object" if depth > 0 => match schema["properties"].as_object() {
            Some(_) => object(random, schema, depth - 1),
            None => value(random, depth),
        },
        _ => value(random, 1),
    }
}

fn fitting_filter(random: &mut Random) -> Value {
    let operator = *random.pick(&["eq", "gt", "lte", "like", "in", "is", "cs", "bad"]);
    match random.below(3) {
        0 => json!(format!("{operator}.{}", random.below(30))),
        1 => json!({ operator: random.below(30) }),
        _ => value(random, 1),
    }
}

/// Arguments by an input schema: what is required mostly, the rest now and then.
fn object(random: &mut Random, schema: &Value, depth: usize) -> Value {
    let mut all = Map::new();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        let wanted = if required.contains(&name.as_str()) { !random.one_in(15) } else { random.one_in(5) };
        if wanted {
            all.insert(name.clone(), fitting(random, name, of, depth));
        }
    }
    if random.one_in(25) {
        all.insert((*random.pick(&TEXTS)).to_owned(), value(random, 1));
    }
    Value::Object(all)
}

/// Method and parameters.
fn request(random: &mut Random, tools: &[Value], tasks: &[String]) -> (String, Value) {
    let uri = |random: &mut Random| {
        json!(*random.pick(&[
            "fluxbase://schema/tables",
            "fluxbase://schema/tables/public/things",
            "fluxbase://schema/tables/public/nothing",
            "fluxbase://functions",
            "fluxbase://storage/buckets",
            "fluxbase://jobs",
            "fluxbase://rpc",
            "x",
            "",
            "fluxbase://schema/tables/%00/..",
        ]))
    };
    let (method, mut params) = match random.below(40) {
        0..22 => {
            let tool = random.pick(tools);
            let arguments = object(random, &tool["inputSchema"], 2);
            let mut params = json!({ "name": tool["name"], "arguments": arguments });
            if random.one_in(12) {
                params["task"] = json!({ "ttl": 60000 });
            }
            ("tools/call", params)
        }
        22 => (
            "initialize",
            json!({ "protocolVersion": random.pick(&REVISIONS).0, "capabilities": {}, "clientInfo": { "name": "w", "version": "0" } }),
        ),
        23 => ("ping", json!({})),
        24 => ("server/discover", json!({})),
        25 => ("tools/list", json!({})),
        26 => ("resources/list", json!({})),
        27 => ("resources/templates/list", json!({})),
        28..31 => ("resources/read", json!({ "uri": uri(random) })),
        31 => {
            (*random.pick(&["resources/subscribe", "resources/unsubscribe"]), json!({ "uri": uri(random) }))
        }
        32 => ("prompts/list", json!({})),
        33 => (
            "prompts/get",
            json!({ "name": *random.pick(&["explore_schema", "w", ""]), "arguments": { "table": "things" } }),
        ),
        34..36 => (
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": "fluxbase://schema/tables/{schema}/{table}" },
                    "argument": { "name": *random.pick(&["schema", "table", "x"]), "value": *random.pick(&["pub", "t", ""]) } }),
        ),
        36 => ("logging/setLevel", json!({ "level": *random.pick(&["debug", "warning", "loud"]) })),
        37 | 38 => {
            let method =
                *random.pick(&["tasks/get", "tasks/list", "tasks/cancel", "tasks/result", "tasks/update"]);
            let id = if tasks.is_empty() || random.one_in(3) {
                json!(*random.pick(&TEXTS))
            } else {
                json!(random.pick(tasks))
            };
            // The result of a task that goes on is waited for, which is not what is tried here.
            let method = if method == "tasks/result" && id.as_str().is_some_and(|id| id.len() > 20) {
                "tasks/get"
            } else {
                method
            };
            (method, json!({ "taskId": id }))
        }
        _ => (
            *random.pick(&["nonsense", "", "tools/calls", "rpc.discover", "notifications/cancelled"]),
            value(random, 1),
        ),
    };
    if random.one_in(15) && params.is_object() {
        params[*random.pick(&["cursor", "name", "uri", "arguments", "_meta", "ref"])] = value(random, 2);
    }
    (method.to_owned(), params)
}

fn stage(runtime: &Counting) -> (Cluster, Database) {
    let cluster =
        Cluster::start(&format!("max_worker_processes = 16\nmcp.functions_url = '{}'", runtime.url()));
    let database = Database::create(&cluster, "app");
    database
        .admin()
        .batch_execute(
            r#"CREATE EXTENSION IF NOT EXISTS vector;
               DROP SCHEMA IF EXISTS storage CASCADE;
               SELECT mcp.install('{storage,functions,rpc,jobs,ai,audit}');
               INSERT INTO storage.buckets (id, name, roles) VALUES ('w', 'w', '{authenticated}');
               INSERT INTO functions.edge_functions (name, timeout_seconds) VALUES ('w', 5);
               SELECT mcp.define_rpc(E'-- @fluxbase:name one\nSELECT 1 AS one');
               CREATE FUNCTION public.w_double(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
               SELECT mcp.expose_rpc('public.w_double(int)');
               SELECT mcp.register_tool('w_registered', 'public.w_double(int)', 'Twice a number.', task_support => 'optional');
               CREATE FUNCTION public.w_prompt(given jsonb) RETURNS text LANGUAGE sql STABLE AS $$SELECT 'about ' || coalesce(given ->> 'table', 'nothing')$$;
               SELECT mcp.register_prompt('w', 'public.w_prompt(jsonb)', 'About a table.', '[{"name": "table"}]');
               CREATE FUNCTION public.w_job(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT payload';
               SELECT mcp.register_job('w_job', 'public.w_job(jsonb)');
               CREATE TABLE public.w_texts (id int PRIMARY KEY, body text, v vector(3));
               INSERT INTO public.w_texts VALUES (1, 'cats purr', '[1,0,0]');
               GRANT SELECT ON public.w_texts TO authenticated;
               SELECT mcp.register_knowledge_base('w_texts', 'public.w_texts', 'body', 'v')"#,
        )
        .expect("the parts can be installed");
    (cluster, database)
}

/// What was counted.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, u64>,
    methods: BTreeMap<String, (u64, u64)>,
    tools: BTreeMap<String, (u64, u64)>,
    codes: BTreeMap<String, u64>,
    outputs: u64,
}

/// Proves that structured nonsense, in every revision and about everything there is, is answered as the schema of the revision and the tool's output schema say; never with 500,
/// never with an internal error; and that no process of the server's ends and none panics.
#[test]
fn every_answer_is_valid_for_its_revision() {
    let (calls, seed) = (number("FLUXBASE_WIRE_CALLS", 4000), number("FLUXBASE_WIRE_SEED", 20_261_123));
    let runtime = Counting::start();
    let (cluster, database) = stage(&runtime);
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    let all = "read:tables,write:tables,execute:functions,execute:rpc,read:storage,write:storage,execute:jobs,read:vectors,read:schema";
    let user = "00000000-0000-4000-8000-0000000000fe";
    let keys = [
        database.client_key(&["--name", "w", "--user", user, "--scopes", all, "--rate-limit", "1000000"]),
        database.client_key(&[
            "--name",
            "weak",
            "--user",
            user,
            "--scopes",
            "read:tables",
            "--rate-limit",
            "1000000",
        ]),
    ];
    let began: String = {
        let row = database.admin().query_one(
            "SELECT pg_postmaster_start_time()::text || (SELECT pid FROM mcp.worker_status())",
            &[],
        );
        row.expect("a server").get(0)
    };
    let mut schemas = Schemas::new();
    let mut http = Http::connect(listener.address);
    // What each tool promises, by revision.
    let mut tools = Vec::new();
    let mut promised: BTreeMap<(&str, String), Validator> = BTreeMap::new();
    for (revision, _) in REVISIONS {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": if revision == LATEST { json!({ "_meta": meta(LATEST) }) } else { json!({}) } });
        let mut headers =
            vec![("Content-Type", "application/json"), ("MCP-Protocol-Version", revision), keys[0].pair()];
        if revision == LATEST {
            headers.push(("Mcp-Method", "tools/list"));
        }
        let listed = http.post(&headers, body.to_string().as_bytes()).json();
        tools = listed["result"]["tools"].as_array().expect("tools").clone();
        for tool in tools.iter().filter(|tool| tool.get("outputSchema").is_some()) {
            let validator =
                jsonschema::validator_for(&tool["outputSchema"]).expect("an output schema is one");
            promised.insert((revision, tool["name"].as_str().expect("a name").to_owned()), validator);
        }
    }
    assert!(tools.len() > 20 && !promised.is_empty(), "{} tools", tools.len());
    let mut random = Random::new(seed);
    let mut seen = Seen::default();
    let mut tasks: Vec<String> = Vec::new();
    for round in 0..calls {
        let (revision, _) = *random.pick(&REVISIONS);
        let plain = random.one_in(6);
        let (method, mut params) = request(&mut random, &tools, &tasks);
        let name = params["name"]
            .as_str()
            .or(params["uri"].as_str())
            .or(params["taskId"].as_str())
            .unwrap_or_default()
            .to_owned();
        let key = &keys[usize::from(random.one_in(6))];
        let mut headers = vec![("Content-Type", "application/json"), key.pair()];
        let modern = revision == LATEST && !plain;
        if modern {
            if params.is_object() && !random.one_in(40) {
                params["_meta"] = meta(LATEST);
            }
            headers.extend([
                ("MCP-Protocol-Version", LATEST),
                ("Mcp-Method", method.as_str()),
                ("Mcp-Name", name.as_str()),
            ]);
            headers.retain(|(header, text)| *header != "Mcp-Name" || !text.is_empty());
        } else if !plain {
            headers.push(("MCP-Protocol-Version", revision));
        }
        headers.retain(|(_, text)| text.bytes().all(|byte| (b' '..0x7f).contains(&byte)));
        let message = json!({ "jsonrpc": "2.0", "id": round, "method": method, "params": params });
        // Revision 2025-03-26 alone has lists of messages.
        let listed = revision == "2025-03-26" && !plain && random.one_in(4);
        let body = if listed {
            json!([message, { "jsonrpc": "2.0", "id": "second", "method": "ping" }])
        } else {
            message
        };
        let context = || format!("request {round} of seed {seed}: {headers:?} {body}");
        let response = http.post(&headers, body.to_string().as_bytes());
        let (status, text) = (response.status, response.text());
        *seen.statuses.entry(status).or_default() += 1;
        assert!([200, 202, 400, 404].contains(&status), "{status} {text}: {}", context());
        if status == 202 {
            assert!(response.body.is_empty(), "{}", context());
            continue;
        }
        let answer: Value = serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("{error}: {text}: {}", context()));
        let answers = match answer {
            Value::Array(answers) => answers,
            answer => vec![answer],
        };
        let revision = if plain { PLAINEST } else { revision };
        for answer in &answers {
            let method = if answer["id"] == json!("second") { "ping" } else { method.as_str() };
            // A handshake is answered in the revision that it agrees on, whatever the header says.
            let agreed = answer["result"]["protocolVersion"].as_str().filter(|_| method == "initialize");
            let known = REVISIONS.into_iter().map(|(revision, _)| revision);
            let revision = known.into_iter().find(|known| Some(*known) == agreed).unwrap_or(revision);
            if let Err(why) = schemas.check(revision, method, answer) {
                panic!("{why}\n{answer}\n{}", context());
            }
            let count = seen.methods.entry(method.to_owned()).or_default();
            if let Some(error) = answer.get("error") {
                count.1 += 1;
                assert_ne!(error["code"], json!(-32603), "{answer}: {}", context());
                *seen.codes.entry(format!("JSON-RPC {}", error["code"])).or_default() += 1;
                continue;
            }
            count.0 += 1;
            let result = &answer["result"];
            if let Some(id) = result["task"]["taskId"].as_str().or(result["taskId"].as_str()) {
                tasks.push(id.to_owned());
            }
            if method != "tools/call" || result.get("isError").is_none() {
                continue;
            }
            let content = result["content"][0]["text"].as_str().unwrap_or_default();
            let count = seen.tools.entry(name.clone()).or_default();
            if result["isError"] == json!(true) {
                count.1 += 1;
                assert!(
                    !content.contains("internal error") && !content.contains("Code: XX"),
                    "{content}: {}",
                    context()
                );
                let code = content.rsplit_once("Code: ").map_or("none", |(_, code)| code);
                *seen
                    .codes
                    .entry(format!("tool {}", code.split_whitespace().next().unwrap_or("none")))
                    .or_default() += 1;
                continue;
            }
            count.0 += 1;
            if let Some(promise) = promised.get(&(revision, name.clone())) {
                let told: Vec<String> = promise
                    .iter_errors(&result["structuredContent"])
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(
                    told.is_empty(),
                    "not as {name} promises: {}: {answer}: {}",
                    told.join("; "),
                    context()
                );
                seen.outputs += 1;
            }
        }
    }
    let now: String = {
        let row = database.admin().query_one(
            "SELECT pg_postmaster_start_time()::text || (SELECT pid FROM mcp.worker_status())",
            &[],
        );
        row.expect("a server").get(0)
    };
    assert_eq!(now, began, "the server and its delegate worker are the same");
    let log = cluster.log();
    for word in ["panicked", "PANIC:", "was terminated by signal", "internal error, reference", "TRAP:"] {
        assert!(!log.contains(word), "Postgres's log has {word:?}");
    }
    assert!(!listener.log().contains("panicked"));
    let report = seen.report(calls, seed);
    if let Ok(file) = std::env::var("FLUXBASE_WIRE_REPORT") {
        std::fs::write(file, &report).expect("the report can be written");
    }
    // Else nothing was tried.
    assert!(seen.tools.len() == tools.len() || calls < 2000, "every tool was called: {report}");
    assert!(seen.outputs * 40 > calls, "outputs were held against their schemas: {report}");
    assert!(seen.methods.len() >= RESULTS.len() || calls < 2000, "every method was asked: {report}");
}

impl Seen {
    fn report(&self, calls: u64, seed: u64) -> String {
        let mut text = format!(
            "{calls} requests (seed {seed}), HTTP statuses {:?}; {} structured results held against the output schema of their tool.\n\n\
             | Method | results | errors |\n|---|---:|---:|\n",
            self.statuses, self.outputs
        );
        for (method, (good, bad)) in &self.methods {
            // Longer ones are made up.
            let method: String = method.chars().take(30).collect();
            _ = writeln!(text, "| `{method}` | {good} | {bad} |");
        }
        text += "\n| Tool | answered | refused |\n|---|---:|---:|\n";
        for (tool, (good, bad)) in &self.tools {
            let tool: String = tool.chars().filter(|c| c.is_ascii_graphic() && *c != '|').take(30).collect();
            _ = writeln!(text, "| `{tool}` | {good} | {bad} |");
        }
        text += "\n| Code of an error | times |\n|---|---:|\n";
        for (code, times) in &self.codes {
            _ = writeln!(text, "| {code} | {times} |");
        }
        text
    }
}

/// Proves that the check sees an answer of the wrong form: else the test above proves nothing.
#[test]
fn wrong_forms_are_seen() {
    let mut schemas = Schemas::new();
    let good = |result: Value| json!({ "jsonrpc": "2.0", "id": 1, "result": result });
    let call = json!({ "content": [{ "type": "text", "text": "x" }], "isError": false });
    for (revision, _) in REVISIONS.into_iter().take(4) {
        assert_eq!(schemas.check(revision, "tools/call", &good(call.clone())), Ok(()));
        for bad in [
            good(json!({ "content": "x" })),
            good(json!({ "content": [{ "type": "text" }] })),
            good(json!({ "content": [], "isError": 1 })),
            json!({ "jsonrpc": "1.0", "id": 1, "result": call }),
            json!({ "jsonrpc": "2.0", "id": {}, "result": call }),
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": "x", "message": "y" } }),
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1 } }),
        ] {
            assert!(schemas.check(revision, "tools/call", &bad).is_err(), "{revision} {bad}");
        }
        assert!(schemas.check(revision, "tools/list", &good(json!({ "tools": [{ "name": "x" }] }))).is_err());
        assert!(
            schemas.check(revision, "server/discover", &good(json!({}))).is_err(),
            "it has no such method"
        );
    }
    // What the newest revision demands of each result.
    assert!(schemas.check(LATEST, "tools/call", &good(call)).is_err());
    let tools = json!({ "tools": [], "resultType": "complete", "ttlMs": 1, "cacheScope": "private" });
    assert_eq!(schemas.check(LATEST, "tools/list", &good(tools)), Ok(()));
}
