//! Random calls of `mcp.handle` itself, in SQL, by a role that may do little. The seed is fixed; FLUXBASE_FUZZ_SEED sets another,
//! FLUXBASE_FUZZ_CALLS another number of calls.

use std::collections::BTreeMap;
use std::io::Write as _;

use fluxbase_fuzz::generate::Generator;
use fluxbase_fuzz::mutate::mutate;
use fluxbase_fuzz::{Kind, Random, World};
use fluxbase_tests::mcp::{LATEST, meta};
use serde_json::{Value, json};

use crate::plans::{answers, fuzz_stage, number};

const TOOLS: [(&str, Kind); 5] = [
    ("query_table", Kind::Query),
    ("insert_record", Kind::Insert),
    ("update_record", Kind::Update),
    ("delete_record", Kind::Delete),
    ("write_batch", Kind::Batch),
];

/// SQLSTATEs of Postgres's own that say that our SQL was wrong. `docs/reference.md` names those that an ERROR may have.
const OUR_FAULT: [&str; 8] = ["42703", "42702", "42803", "42P01", "42P02", "42P18", "42712", "XX000"];
const RAISED: [&str; 3] = ["57", "53", "40"];

/// A message that is nearly right.
fn message(generator: &mut Generator<'_>, random: &mut Random, world: &World, last: &str) -> String {
    let (tool, arguments) = match random.below(10) {
        0 => {
            let table = random.pick(&world.tables).name.clone();
            let arguments = match random.below(3) {
                0 => {
                    json!({ "search": random.word(&["b", "%", "", "odd \"", "\\"]), "limit": random.below(5), "offset": random.below(30) })
                }
                1 => json!({ "schema": random.word(&["fuzz", "pg_catalog", "mcp", "x"]) }),
                _ => json!({}),
            };
            if random.one_in(2) {
                ("list_tables", arguments.to_string())
            } else {
                ("describe_table", json!({ "table": format!("\"{}\"", table.replace('"', "\"\"")), "offset": random.below(4) }).to_string())
            }
        }
        n => {
            let (tool, kind) = if n < 6 { TOOLS[0] } else { *random.pick(&TOOLS) };
            (tool, generator.input(kind))
        }
    };
    let arguments = if random.one_in(8) { mutate(random, &arguments, last) } else { arguments };
    let meta = if random.one_in(2) { format!(r#","_meta":{}"#, meta(LATEST)) } else { String::new() };
    let (method, params) = match random.below(40) {
        0 => (
            "resources/read",
            json!({ "uri": random.word(&["fluxbase://schema/tables", "x", ""]) }).to_string(),
        ),
        1 => (
            random.word(&["tools/list", "ping", "server/discover", "nonsense", "resources/list"]),
            "{}".to_owned(),
        ),
        _ => ("tools/call", format!(r#"{{"name":"{tool}","arguments":{arguments}{meta}}}"#)),
    };
    let text = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#);
    if random.one_in(30) { mutate(random, &text, last) } else { text }
}

/// Proves that `mcp.handle` answers whatever it is given with valid JSON-RPC: no ERROR but the documented ones, no internal error, no SQL
/// that Postgres calls wrong; and that the backend lives on.
#[test]
fn random_calls_are_answered() {
    let stage = fuzz_stage();
    let (calls, seed) = (number("FLUXBASE_FUZZ_CALLS", 1000), number("FLUXBASE_FUZZ_SEED", 20_261_122));
    let mut client = stage.database.admin();
    client
        .batch_execute(
            "SET mcp.search_schemas = 'fuzz'; SET statement_timeout = '5s'; SET client_min_messages = error; SET ROLE fuzz_weak",
        )
        .expect("a role that may do little");
    let pid = |client: &mut postgres::Client| {
        client.query_one("SELECT pg_backend_pid()", &[]).expect("alive").get::<_, i32>(0)
    };
    let backend = pid(&mut client);
    let as_json = client.prepare("SELECT $1::text::jsonb IS NULL").expect("SQL");
    let by_text = client.prepare("SELECT mcp._handle($1)::text").expect("open to everybody");
    let by_json = client.prepare("SELECT mcp.handle($1::text::jsonb)::text").expect("open to everybody");
    // What the role may do, and now and then what it may not.
    let (own, all) = (
        World::read(&answers(&mut stage.database.admin(), "fuzz_weak")).expect("the catalog"),
        World::snapshot(),
    );
    let mut near = Generator::new(&own, seed).with_odds(60);
    let mut far = Generator::new(&all, seed).with_odds(20);
    let mut random = Random::new(seed ^ 3);
    let mut last = String::from("{}");
    let mut codes: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let (mut good, mut no_jsonb) = (0, 0);
    for round in 0..calls {
        let generator = if random.one_in(4) { &mut far } else { &mut near };
        let request = message(generator, &mut random, &all, &last);
        let context = || format!("call {round} of seed {seed}: {request}");
        let statement = if random.one_in(2) { &by_text } else { &by_json };
        let mut transaction = client.transaction().expect("a transaction");
        // A parameter of type text cannot hold \0.
        let text = request.replace('\0', "\\u0000");
        // Not all text is jsonb; then the function is not even called.
        if std::ptr::eq(statement, &by_json) && transaction.query_one(&as_json, &[&text]).is_err() {
            no_jsonb += 1;
            transaction.rollback().unwrap_or_else(|error| panic!("{error:?}: {}", context()));
            continue;
        }
        let reply = transaction.query_one(statement, &[&text]).map(|row| row.get::<_, Option<String>>(0));
        // So that the next one finds what this one found.
        transaction.rollback().unwrap_or_else(|error| panic!("{error:?}: {}", context()));
        let reply = match reply {
            Ok(Some(reply)) => reply,
            // A notification has no answer.
            Ok(None) => continue,
            Err(error) => {
                let raised = error.as_db_error().unwrap_or_else(|| panic!("{error:?}: {}", context()));
                let code = raised.code().code();
                let documented = RAISED.iter().any(|class| code.starts_with(class));
                assert!(documented, "{error:?}: {}", context());
                let class =
                    codes.entry(format!("ERROR {code}")).or_insert_with(|| (0, raised.message().to_owned()));
                class.0 += 1;
                continue;
            }
        };
        let answer: Value =
            serde_json::from_str(&reply).unwrap_or_else(|error| panic!("{error}: {reply}: {}", context()));
        assert_eq!(answer["jsonrpc"], json!("2.0"), "{reply}: {}", context());
        assert!(answer.get("id").is_some(), "{reply}: {}", context());
        assert_ne!(answer.get("result").is_some(), answer.get("error").is_some(), "{reply}: {}", context());
        if let Some(error) = answer.get("error") {
            assert!(error["code"].is_i64() && error["message"].is_string(), "{reply}: {}", context());
            assert_ne!(error["code"], json!(-32603), "{reply}: {}", context());
            codes
                .entry(format!("rpc {}", error["code"]))
                .or_insert_with(|| (0, error["message"].to_string()))
                .0 += 1;
            continue;
        }
        let Some(text) = answer["result"]["content"][0]["text"].as_str() else { continue };
        if answer["result"]["isError"] != json!(true) {
            good += 1;
            let value: Result<Value, _> = serde_json::from_str(text);
            assert!(value.is_ok(), "the text of an answer is JSON: {text}: {}", context());
            last = request;
            continue;
        }
        let code = text.rsplit_once("Code: ").map_or("", |(_, code)| code).to_owned();
        assert!(code.len() == 5, "a code ends the text of an error: {text}: {}", context());
        assert!(!text.contains("internal error"), "{text}: {}", context());
        let ours = text.contains("Nothing was ");
        let wrong = OUR_FAULT.contains(&code.as_str()) || text.contains("syntax error at or near");
        assert!(ours || !wrong, "{text}: {}", context());
        // Whether a role may delete is no column's privilege.
        let denied = code == "42501" && text.contains("permission denied") && !request.contains("delete");
        assert!(ours || !denied, "{text}: {}", context());
        let owner = if ours { "refused" } else { "Postgres" };
        codes.entry(format!("{owner} {code}")).or_insert_with(|| (0, text.replace('\n', " "))).0 += 1;
    }
    assert_eq!(pid(&mut client), backend, "the backend lives on");
    // The handle itself: what a passing test prints by macro is not shown.
    let mut out = std::io::stdout().lock();
    _ = writeln!(
        out,
        "mcp.handle as fuzz_weak: {calls} calls, {no_jsonb} of them no jsonb, {good} answered without an error"
    );
    for (class, (count, example)) in &codes {
        _ = writeln!(out, "  {class:16} {count:5}  e.g. {}", example.chars().take(150).collect::<String>());
    }
    assert!(good * 4 > calls, "the calls reach the tools: {good} of {calls}");
    let log = stage.cluster.log();
    for word in ["panicked", "PANIC:", "was terminated by signal", "internal error, reference"] {
        assert!(!log.contains(word), "Postgres's log has {word:?}");
    }
}
