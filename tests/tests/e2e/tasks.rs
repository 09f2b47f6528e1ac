//! Tasks: calls that become background jobs, over HTTP, standard input and output, and SQL; with a real worker.

use std::time::{Duration, Instant};

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::mcp::{CAPABILITIES, Client, Era, meta};
use fluxbase_tests::{Stdio, eventually};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(60);
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Tools that wait for advisory locks, so that tests need not guess when they are where.
const WORK: &str = "
SELECT mcp.install('{jobs}');
CREATE SCHEMA work;
GRANT USAGE ON SCHEMA work TO authenticated;
CREATE TABLE work.effects (what text NOT NULL, who text);
GRANT SELECT, INSERT ON work.effects TO authenticated;
CREATE FUNCTION work.halves(name text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.effects VALUES (name, mcp.claim('sub'));
    PERFORM mcp.progress(1, 2, 'halfway');
    PERFORM pg_advisory_xact_lock(7101);
    RETURN json_build_object('zebra', name, 'ape', 1.50::numeric, 'who', mcp.claim('sub'), 'role', current_user);
END
$$;
CREATE FUNCTION work.fails() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.effects VALUES ('fails', NULL);
    PERFORM 1 / 0;
END
$$;
CREATE FUNCTION work.sleeps() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(600)';
CREATE FUNCTION work.asks(arguments jsonb, context jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    form jsonb := '{\"method\": \"elicitation/create\", \"params\": {\"message\": \"Name?\", \"requestedSchema\": {\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}}}}}';
BEGIN
    INSERT INTO work.effects VALUES ('asks', coalesce(context #>> '{requestState,round}', '0'));
    IF context -> 'inputResponses' ?& '{a,b}' AND context #>> '{requestState,round}' = '1' THEN
        RETURN jsonb_build_object('a', context #>> '{inputResponses,a,content,name}', 'b', context #>> '{inputResponses,b,content,name}', 'task', context -> 'task');
    END IF;
    RETURN jsonb_build_object('inputRequests', jsonb_build_object('a', form, 'b', form), 'requestState', jsonb_build_object('round', 1));
END
$$;
CREATE FUNCTION work.nested() RETURNS text LANGUAGE sql AS $$
SELECT coalesce(r #>> '{error,message}', r #>> '{result,content,0,text}')
  FROM mcp.handle('{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/call\", \"params\": {\"name\": \"query_table\", \"arguments\": {\"table\": \"work.effects\"}}}') AS r
$$;
SELECT mcp.register_tool('halves', 'work.halves(text)', 'Halves.', task_support => 'optional'),
       mcp.register_tool('fails', 'work.fails()', 'Fails.', task_support => 'required'),
       mcp.register_tool('sleeps', 'work.sleeps()', 'Sleeps.', task_support => 'required'),
       mcp.register_tool('too_long', 'work.sleeps()', 'Sleeps.', task_support => 'required', task_timeout_seconds => 1),
       mcp.register_tool('asks', 'work.asks(jsonb, jsonb)', 'Asks.', task_support => 'required'),
       mcp.register_tool('nested', 'work.nested()', 'Calls another.', task_support => 'required');";

struct Stage {
    listener: Listener,
    ann: Key,
    ben: Key,
    database: Database,
    _cluster: Cluster,
}

fn begin() -> Stage {
    let cluster = Cluster::start("mcp.job_databases = '*'");
    let database = Database::create(&cluster, "app");
    database.admin().batch_execute(WORK).expect("the tools can be registered");
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = |name: &str, user: &str| {
        database.client_key(&["--name", name, "--user", user, "--scopes", "execute:rpc"])
    };
    let (ann, ben) = (key("Ann", "ann"), key("Ben", "ben"));
    Stage { listener, ann, ben, database, _cluster: cluster }
}

impl Stage {
    fn value(&self, sql: &str) -> String {
        let row = self.database.admin().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    fn client(&self, key: &Key) -> Client {
        self.listener.client(key).era(Era::Modern)
    }
}

/// Params of a client that has the extension.
fn declaring(mut params: Value) -> Value {
    params["_meta"] = json!({ CAPABILITIES: { "elicitation": {}, "extensions": { TASKS: {} } } });
    params
}

fn ask(client: &mut Client, method: &str, params: Value) -> Value {
    client.request(method, declaring(params)).json()
}

/// Calls a tool that becomes a task: its id.
fn start(client: &mut Client, tool: &str, arguments: Value) -> String {
    let answer = ask(client, "tools/call", json!({ "name": tool, "arguments": arguments }));
    let result = &answer["result"];
    assert_eq!((&result["resultType"], &result["status"]), (&json!("task"), &json!("working")), "{answer}");
    assert!(result.get("result").is_none() && result["ttlMs"] == 86_400_000, "{answer}");
    result["taskId"].as_str().expect("an id").to_owned()
}

fn get(client: &mut Client, id: &str) -> Value {
    ask(client, "tasks/get", json!({ "taskId": id }))["result"].take()
}

/// The task, once it has that status.
fn until(client: &mut Client, id: &str, wanted: &str) -> Value {
    let mut last = Value::Null;
    let deadline = Instant::now() + LONG;
    while Instant::now() < deadline {
        last = get(client, id);
        if last["status"] == wanted {
            return last;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("the task is never {wanted}: {last}");
}

/// Proves that a call becomes a task of its caller, tells how it is while its transaction is open, and ends with what the call would have
/// been answered with; over HTTP, standard input and output, and SQL. Nobody else knows of it.
#[test]
fn begun_seen_at_work_completed() {
    let stage = begin();
    let mut client = stage.client(&stage.ann);
    let discovered = ask(&mut client, "server/discover", json!({}));
    assert_eq!(discovered["result"]["capabilities"]["extensions"], json!({ TASKS: {} }));

    let mut holder = stage.database.admin();
    holder.batch_execute("SELECT pg_advisory_lock(7101)").expect("locked");
    let id = start(&mut client, "halves", json!({ "name": "one" }));
    let at_work = eventually(LONG, "progress is seen", || {
        let now = get(&mut client, &id);
        now["statusMessage"].is_string().then_some(now)
    });
    assert_eq!((&at_work["status"], &at_work["statusMessage"]), (&json!("working"), &json!("halfway")));
    assert_eq!(stage.value("SELECT count(*)::text FROM work.effects"), "0", "its transaction is open");
    let mut other = stage.client(&stage.ben);
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(ask(&mut other, method, json!({ "taskId": id }))["error"]["code"], -32602, "{method}");
    }
    holder.batch_execute("SELECT pg_advisory_unlock(7101)").expect("unlocked");
    let done = until(&mut client, &id, "completed");
    assert_eq!(stage.value("SELECT string_agg(what || ' ' || who, ',') FROM work.effects"), "one ann");

    // The same at once, for who does not declare the extension.
    let at_once =
        client.request("tools/call", json!({ "name": "halves", "arguments": { "name": "one" } })).json();
    let at_once = at_once["result"].as_object().expect("a result");
    let result = done["result"].as_object().expect("a result");
    assert_eq!(result["structuredContent"]["who"], "ann");
    for member in ["content", "structuredContent", "isError"] {
        assert_eq!(result[member], at_once[member], "{member}");
    }
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with(r#"{"zebra" : "one", "ape" : 1.50"#), "as the function wrote it: {text}");

    // Standard input and output: the same task, and one of its own.
    let mut stdio = Stdio::start(&stage.database.listener_url, &stage.ann, &[]);
    let mut number = 0;
    let mut over_stdio = |method: &str, mut params: Value| {
        number += 1;
        params["_meta"] = meta("2026-07-28");
        params["_meta"][CAPABILITIES] = json!({ "extensions": { TASKS: {} } });
        stdio.ask(number, method, params).1
    };
    assert_eq!(
        over_stdio("tasks/get", json!({ "taskId": id }))["result"]["result"]["content"][0]["text"],
        *text
    );
    let begun = over_stdio("tools/call", json!({ "name": "halves", "arguments": { "name": "two" } }));
    let second = begun["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    until(&mut client, &second, "completed");

    // SQL: begun at the commit, and not at all when there is none.
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "halves", "arguments": { "name": "three" },
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28", CAPABILITIES: { "extensions": { TASKS: {} } } } } });
    let mut admin = stage.database.admin();
    for (commit, effects) in [(false, "0"), (true, "1")] {
        let mut transaction = admin.transaction().expect("begun");
        transaction.execute("SELECT mcp.authenticate($1)", &[&stage.ann.plain]).expect("authenticated");
        let row = transaction
            .query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&message.to_string()])
            .expect("answered");
        let answer: Value = serde_json::from_str(&row.get::<_, String>(0)).expect("JSON");
        let third = answer["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        if commit {
            transaction.commit().expect("committed");
            until(&mut client, &third, "completed");
        } else {
            transaction.rollback().expect("rolled back");
            assert_eq!(ask(&mut client, "tasks/get", json!({ "taskId": third }))["error"]["code"], -32602);
        }
        assert_eq!(stage.value("SELECT count(*)::text FROM work.effects WHERE what = 'three'"), effects);
    }
}

/// Proves how tasks end otherwise: by an error of the tool, of the run, of the protocol, by a cancel; and that they wait for answers.
#[test]
fn asked_failed_cancelled() {
    let stage = begin();
    let mut client = stage.client(&stage.ann);

    // An error of the tool is its result, and what it wrote is undone.
    let id = start(&mut client, "fails", json!({}));
    let done = until(&mut client, &id, "completed");
    assert_eq!(done["result"]["isError"], true, "{done}");
    assert!(
        done["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("division by zero")),
        "{done}"
    );
    assert_eq!(stage.value("SELECT count(*)::text FROM work.effects"), "0");

    // A run that is too long is an error of the protocol.
    let id = start(&mut client, "too_long", json!({}));
    let failed = until(&mut client, &id, "failed");
    assert_eq!((&failed["error"]["code"], failed.get("result")), (&json!(-32603), None), "{failed}");

    // A cancel reaches the statement.
    let id = start(&mut client, "sleeps", json!({}));
    eventually(LONG, "it runs", || {
        (stage.value("SELECT string_agg(status, ',') FROM jobs.queue WHERE job_name = 'sleeps'") == "running")
            .then_some(())
    });
    let heard = ask(&mut client, "tasks/cancel", json!({ "taskId": id }));
    assert_eq!(heard["result"]["resultType"], "complete", "{heard}");
    until(&mut client, &id, "cancelled");
    eventually(LONG, "the statement has ended", || {
        (stage.value("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0")
            .then_some(())
    });

    // It asks, waits for all answers, and goes on with them and its state. What it did before it asked is undone.
    let id = start(&mut client, "asks", json!({}));
    let asking = until(&mut client, &id, "input_required");
    assert_eq!(asking["inputRequests"]["a"]["method"], "elicitation/create", "{asking}");
    assert!(asking.get("requestState").is_none(), "{asking}");
    assert_eq!(stage.value("SELECT count(*)::text FROM work.effects"), "0");
    let answer = |name: &str| json!({ "action": "accept", "content": { "name": name } });
    ask(&mut client, "tasks/update", json!({ "taskId": id, "inputResponses": { "a": answer("Ada") } }));
    let asking = get(&mut client, &id);
    assert_eq!(asking["status"], "input_required", "{asking}");
    assert!(
        asking["inputRequests"].get("a").is_none() && asking["inputRequests"].get("b").is_some(),
        "{asking}"
    );
    ask(&mut client, "tasks/update", json!({ "taskId": id, "inputResponses": { "b": answer("Bob") } }));
    let done = until(&mut client, &id, "completed");
    assert_eq!(done["result"]["structuredContent"], json!({ "a": "Ada", "b": "Bob", "task": "running" }));
    assert_eq!(stage.value("SELECT string_agg(who, ',') FROM work.effects WHERE what = 'asks'"), "1");

    // The scopes of the call hold for what its function calls: this key may not read tables.
    let id = start(&mut client, "nested", json!({}));
    let done = until(&mut client, &id, "completed");
    assert!(
        done["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("read:tables")),
        "{done}"
    );

    // A tool that is gone when its turn comes.
    let id = start(&mut client, "asks", json!({}));
    until(&mut client, &id, "input_required");
    stage.database.admin().batch_execute("SELECT mcp.unregister_tool('asks')").expect("unregistered");
    ask(
        &mut client,
        "tasks/update",
        json!({ "taskId": id, "inputResponses": { "a": answer("Ada"), "b": answer("Bob") } }),
    );
    let failed = until(&mut client, &id, "failed");
    assert_eq!(failed["error"]["code"], -32602, "{failed}");
}
