//! Procedures over HTTP: who may run which, what is kept of one that fails, and tools of their own.

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use serde_json::{Value, json};

const PROCEDURES: &str = "
SELECT mcp.install('{rpc}');
CREATE SCHEMA desk;
GRANT USAGE ON SCHEMA desk TO authenticated, service_role;
CREATE TABLE desk.notes (owner text DEFAULT mcp.claim('sub'), body text);
ALTER TABLE desk.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.notes USING (owner = mcp.claim('sub'));
GRANT SELECT, INSERT ON desk.notes TO authenticated, service_role;
CREATE FUNCTION desk.note(body text, fail boolean DEFAULT false) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.notes (body) VALUES (note.body);
    IF fail THEN RAISE EXCEPTION 'on purpose'; END IF;
    RETURN (SELECT count(*) FROM desk.notes);
END
$$;
CREATE FUNCTION desk.slow() RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(600)::text';
CREATE FUNCTION desk.inner() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_user::text $$;
REVOKE EXECUTE ON FUNCTION desk.inner FROM PUBLIC;
GRANT EXECUTE ON FUNCTION desk.inner TO service_role;
SELECT mcp.expose_rpc('desk.note(text, boolean)'), mcp.expose_rpc('desk.slow()', max_execution_time_seconds => 1), mcp.expose_rpc('desk.inner()');
SELECT mcp.define_rpc($$-- @fluxbase:name mine
-- @fluxbase:allowed-schemas desk
SELECT body, $caller_id::text AS who FROM notes WHERE body LIKE $pattern ORDER BY body$$);";

struct Stage {
    listener: Listener,
    ann: Key,
    ben: Key,
    database: Database,
    _cluster: Cluster,
}

fn begin() -> Stage {
    let cluster = Cluster::start("");
    let database = Database::create(&cluster, "app");
    database.admin().batch_execute(PROCEDURES).expect("the procedures can be made");
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = |name: &str, user: &str| {
        database.client_key(&["--name", name, "--user", user, "--scopes", "execute:rpc"])
    };
    let (ann, ben) = (key("Ann", "ann"), key("Ben", "ben"));
    Stage { listener, ann, ben, database, _cluster: cluster }
}

impl Stage {
    fn run(&self, key: &Key, arguments: Value) -> Value {
        self.listener.client(key).call("invoke_rpc", arguments).value()
    }

    fn fails(&self, key: &Key, arguments: Value) -> String {
        self.listener.client(key).call("invoke_rpc", arguments).error()
    }

    fn tools(&self, key: &Key) -> Vec<String> {
        let reply = self.listener.client(key).request("tools/list", json!({})).json();
        let tools = reply["result"]["tools"].as_array().expect("tools").clone();
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }
}

/// Proves that procedures run as their caller, that a failure is undone and recorded, that time ends one and its connection goes on, and that what
/// a key may not run is not there for it.
#[test]
fn procedures_run_as_their_caller_and_are_recorded() {
    let stage = begin();
    let note = |body: &str| json!({ "name": "note", "params": { "body": body } });
    assert_eq!(stage.run(&stage.ann, note("a"))["data"], 1);
    assert_eq!(stage.run(&stage.ben, note("b"))["data"], 1);
    let failed =
        stage.fails(&stage.ann, json!({ "name": "note", "params": { "body": "gone", "fail": true } }));
    assert!(failed.contains("on purpose") && failed.contains("Execution: "), "{failed}");
    let late = stage.fails(&stage.ann, json!({ "name": "slow" }));
    assert!(late.contains("57014"), "{late}");
    let mine = json!({ "name": "mine", "params": { "pattern": "%" } });
    assert_eq!(stage.run(&stage.ann, mine.clone())["data"], json!([{ "body": "a", "who": "ann" }]));
    assert_eq!(stage.run(&stage.ben, mine)["data"], json!([{ "body": "b", "who": "ben" }]));
    let forged =
        stage.fails(&stage.ann, json!({ "name": "mine", "params": { "pattern": "%", "caller_id": "ben" } }));
    assert!(forged.contains("caller_id cannot be given"), "{forged}");

    let unknown = stage.fails(&stage.ann, json!({ "name": "inner" }));
    assert_eq!(unknown.replace("inner", "nowhere"), stage.fails(&stage.ann, json!({ "name": "nowhere" })));
    let service = stage.database.service_key("service");
    assert_eq!(stage.run(&service, json!({ "name": "inner" }))["data"], "service_role");

    let rows = stage
        .database
        .admin()
        .query(
            "SELECT procedure_name || ' ' || status || ' ' || count(*) FROM rpc.executions WHERE user_id = 'ann' GROUP BY procedure_name, status ORDER BY 1",
            &[],
        )
        .expect("read");
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, ["mine completed 1", "note completed 1", "note failed 1", "slow timeout 1"]);
}

/// Proves that a procedure is listed and called as a tool of its own as soon as it is exposed so, and no longer once that is taken back.
#[test]
fn a_procedure_is_a_tool_of_its_own() {
    let stage = begin();
    assert_eq!(stage.tools(&stage.ann), ["invoke_rpc"]);
    let mut admin = stage.database.admin();
    admin
        .batch_execute("SELECT mcp.expose_rpc('desk.note(text, boolean)', name => 'take_note', as_tool => true, description => 'Take a note.')")
        .expect("exposed");
    assert_eq!(stage.tools(&stage.ann), ["invoke_rpc", "take_note"]);
    let answer = stage.listener.client(&stage.ann).call("take_note", json!({ "body": "by tool" })).value();
    assert_eq!((&answer["data"], &answer["status"]), (&json!(1), &json!("completed")), "{answer}");
    admin.batch_execute("SELECT mcp.unexpose_rpc('take_note')").expect("taken back");
    assert_eq!(stage.tools(&stage.ann), ["invoke_rpc"]);
}
