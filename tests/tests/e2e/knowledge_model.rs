//! Knowledge bases with a real model (all-MiniLM-L6-v2, by the endpoint of `tests/embedding`): what is found shares the meaning, not the words.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use serde_json::{Value, json};

/// Generous: nothing here judges how fast the machine is.
const LONG: Duration = Duration::from_secs(240);

/// The endpoint, ended with the test.
struct Model {
    process: Child,
    url: String,
}

impl Model {
    /// `scripts/test.sh e2e` installs what it needs, and says where it is.
    fn start() -> Model {
        let said = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test.sh e2e"))
        };
        let mut process = Command::new(said("FLUXBASE_EMBEDDING_PYTHON"))
            .arg("-B")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/embedding/server.py"))
            .env("PYTHONPATH", said("FLUXBASE_EMBEDDING_PATH"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut url = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut url).expect("its URL");
        assert!(url.starts_with("http://127.0.0.1:"), "the endpoint did not start: {url:?}");
        Model { process, url: url.trim().to_owned() }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Proves that documents which a tool added are found by what they mean, by a question that has no word of theirs, where words find nothing; that a
/// hybrid search has them first as well; and that another user finds none of them.
#[test]
fn a_real_model_finds_by_meaning() {
    let model = Model::start();
    let cluster = Cluster::start(&format!(
        "max_worker_processes = 16\nmcp.embedding_url = '{}'\nmcp.embedding_model = 'all-MiniLM-L6-v2'\nmcp.embedding_dimensions = 384",
        model.url
    ));
    let database = Database::create(&cluster, "app");
    database
        .admin()
        .batch_execute(
            "CREATE EXTENSION vector; SELECT mcp.install('{ai,jobs}');
             SELECT ai.create_knowledge_base('handbook', text_config => 'english');",
        )
        .expect("the tables can be made");
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = |name, user| {
        database.client_key(&["--name", name, "--user", user, "--scopes", "read:vectors,write:tables"])
    };
    let (ann, ben) = (key("Ann", "ann"), key("Ben", "ben"));
    let texts = [
        ("Holidays", "Everybody has thirty days off each year. They must be asked for a week before."),
        ("Printers", "The printers stand on the second floor, beside the kitchen."),
        ("Wages", "Money arrives in your account on the last Friday of the month."),
    ];
    for (title, content) in texts {
        let arguments = json!({ "knowledge_base": "handbook", "title": title, "content": content });
        listener.client(&ann).call("add_document", arguments).value();
    }
    let status =
        "SELECT count(*) FROM ai.knowledge_base_status() AS s WHERE s.embedded = 3 AND s.waiting = 0";
    eventually(LONG, "all of them are embedded", || {
        let row = database.admin().query_one(status, &[]).expect("asked");
        (row.get::<_, i64>(0) == 1).then_some(())
    });
    let titles = |key: &Key, query: &str, mode: &str| -> Vec<String> {
        let mut arguments = json!({ "knowledge_bases": ["handbook"], "query": query, "mode": mode });
        if mode != "text" {
            arguments["threshold"] = json!(0.1);
        }
        let found = listener.client(key).call("search_vectors", arguments).value();
        let rows = found["results"].as_array().unwrap_or_else(|| panic!("{found}"));
        rows.iter().filter_map(|row: &Value| row["document_title"].as_str().map(str::to_owned)).collect()
    };
    for (question, title) in [
        ("how much vacation do employees get?", "Holidays"),
        ("when is my salary paid?", "Wages"),
        ("where can I get paper copies made?", "Printers"),
    ] {
        assert!(titles(&ann, question, "text").is_empty(), "{question}: words find it, so it proves nothing");
        for mode in ["vector", "hybrid"] {
            let found = titles(&ann, question, mode);
            assert_eq!(found.first().map(String::as_str), Some(title), "{question} ({mode}): {found:?}");
            assert!(titles(&ben, question, mode).is_empty(), "{question} ({mode}), asked by another user");
        }
    }
}
