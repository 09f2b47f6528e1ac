//! Knowledge bases of documents: chunks are embedded by themselves, whatever the endpoint does meanwhile, and for their owner alone.

use std::time::Duration;

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::web::Web;
use serde_json::{Value, json};

const SECRET: &str = "sk-knowledge-51c2d8";

/// Generous: nothing here judges how fast the machine is.
const LONG: Duration = Duration::from_secs(120);

struct Stage {
    web: Web,
    listener: Listener,
    ann: Key,
    ben: Key,
    database: Database,
    cluster: Cluster,
}

fn begin() -> Stage {
    let web = Web::start();
    let cluster = Cluster::start(&format!(
        "max_worker_processes = 16\nlog_statement = all\nmcp.embedding_url = '{}'\nmcp.embedding_model = 'tiny'\nmcp.embedding_dimensions = 3\n\
         mcp.embedding_key_file = 'embedding.key'",
        web.url()
    ));
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    // Not by SQL, which is logged here.
    cluster.write("data/embedding.key", SECRET);
    admin
        .batch_execute(
            "CREATE EXTENSION vector;
             SELECT mcp.install('{ai,jobs}');
             SELECT ai.create_knowledge_base('docs', chunk_size => 60, chunk_overlap => 0, chunk_strategy => 'sentence');",
        )
        .expect("the tables can be made");
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = |name, user| {
        database.client_key(&["--name", name, "--user", user, "--scopes", "read:vectors,write:tables"])
    };
    let (ann, ben) = (key("Ann", "ann"), key("Ben", "ben"));
    Stage { web, listener, ann, ben, database, cluster }
}

impl Stage {
    fn value(&self, sql: &str) -> String {
        let row = self.database.admin().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    fn add(&self, key: &Key, content: &str, more: Value) -> String {
        let mut arguments = json!({ "knowledge_base": "docs", "content": content });
        arguments.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let added = self.listener.client(key).call("add_document", arguments).value();
        added["document_id"].as_str().unwrap_or_else(|| panic!("{added}")).to_owned()
    }

    /// What a question finds, as texts.
    fn found(&self, key: &Key, query: &str) -> Vec<String> {
        let arguments = json!({ "knowledge_bases": ["docs"], "query": query, "limit": 100 });
        let found = self.listener.client(key).call("search_vectors", arguments).value();
        let rows = found["results"].as_array().unwrap_or_else(|| panic!("{found}"));
        rows.iter().filter_map(|row| row["content"].as_str().map(str::to_owned)).collect()
    }

    /// Waits until the status says so.
    fn until(&self, what: &str, condition: &str) {
        let sql =
            format!("SELECT (SELECT count(*) FROM ai.knowledge_base_status() AS s WHERE {condition})::text");
        let mut status = String::new();
        eventually(LONG, &format!("{what}; {status}"), || {
            status = self.value("SELECT s::text FROM ai.knowledge_base_status() AS s");
            (self.value(&sql) == "1").then_some(())
        });
    }

    fn set(&self, settings: &str) {
        for setting in settings.split("; ") {
            self.database.admin().batch_execute(&format!("ALTER SYSTEM SET {setting}")).expect("set");
        }
        self.value("SELECT pg_reload_conf()::text");
    }

    fn all_embedded(&self) {
        self.until(
            "all chunks are embedded",
            "s.waiting = 0 AND s.embedded = s.chunks AND s.chunks > 0 AND s.next_model IS NULL",
        );
    }
}

/// Proves that documents are found by meaning by themselves after they were added by a tool or by SQL, changed and removed; that a text is sent
/// once, several in one request; that another user neither finds nor counts them; and that the key shows in no log.
#[test]
fn documents_are_embedded_by_themselves() {
    let stage = begin();
    let text = "The first cat sleeps in the sun all day. A second cat hunts at night, alone. Dogs bark at people whom they know not.";
    let id = stage.add(&stage.ann, text, json!({"title": "Animals", "tags": ["pets"]}));
    stage.all_embedded();
    let found = stage.found(&stage.ann, "where is the cat?");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(stage.found(&stage.ben, "where is the cat?").is_empty());
    let status: String = stage.value(
        "SELECT string_agg(embedded || '/' || chunks || '/' || documents, ',') FROM ai.knowledge_base_status()",
    );
    assert_eq!(status, "3/3/1");
    let batches: Vec<usize> = stage
        .web
        .requests()
        .iter()
        .map(|request| {
            assert_eq!(request.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
            serde_json::from_str::<Value>(&request.body).expect("JSON")["input"]
                .as_array()
                .map_or(0, Vec::len)
        })
        .collect();
    assert_eq!(batches, [3, 1], "one request for the chunks, one for the question");
    // A change sends what is new.
    stage.add(&stage.ann, &text.replace("Dogs bark", "Birds sing"), json!({"document_id": id}));
    stage.all_embedded();
    let last = stage.web.requests().pop().expect("asked");
    assert!(last.body.contains("Birds") && !last.body.contains("cat"), "{}", last.body);
    // By SQL, for everybody, and for another user: the same text is not taken from Ann's.
    stage
        .database
        .admin()
        .batch_execute(
            "INSERT INTO ai.documents (knowledge_base_id, content) SELECT id, 'A common cat is here for everybody to find.' FROM ai.knowledge_bases",
        )
        .expect("inserted");
    let before = stage.web.requests().len();
    stage.add(&stage.ben, text, json!({}));
    stage.all_embedded();
    assert!(stage.web.requests().len() > before);
    assert_eq!((stage.found(&stage.ann, "cat").len(), stage.found(&stage.ben, "cat").len()), (3, 3));
    let mut ben = stage.listener.client(&stage.ben);
    let error = ben.call("delete_document", json!({"document_id": id})).error();
    assert!(error.contains("Nothing was changed."), "{error}");
    let deleted =
        stage.listener.client(&stage.ann).call("delete_document", json!({"document_id": id})).value();
    assert_eq!(deleted["deleted"], json!(true));
    assert_eq!(stage.found(&stage.ann, "cat"), ["A common cat is here for everybody to find."]);
    let log = stage.cluster.log();
    assert!(log.contains("ai.documents") && !log.contains(SECRET), "the key is in the log");
    // The worker's role reads nothing.
    let weak = stage.database.admin().batch_execute("SET ROLE mcp_jobs; SELECT count(*) FROM ai.documents");
    assert!(weak.is_err(), "mcp_jobs reads documents");
}

/// Proves that an endpoint that is busy or broken is asked again later and for as long as it wants, that what it refuses is marked and stops nothing, and
/// that vectors of other dimensions are not stored.
#[test]
fn an_endpoint_that_fails_is_asked_again() {
    let stage = begin();
    stage.web.answer_instead(Some("429 Too Many Requests\r\nretry-after: 3"));
    stage.add(&stage.ann, "A cat that waits.", json!({}));
    stage.until("the reason is told", "s.waiting = 1 AND s.problem LIKE 'the endpoint is busy: status 429%'");
    let mut client = stage.listener.client(&stage.ann);
    let words = json!({"knowledge_bases": ["docs"], "query": "waits", "mode": "text"});
    assert_eq!(
        client.call("search_vectors", words).value()["count"],
        json!(1),
        "found by its words meanwhile"
    );
    stage.web.answer_instead(Some("503 Service Unavailable"));
    stage.until("it is tried again", "s.problem LIKE 'the endpoint is busy: status 503 (%'");
    stage.web.answer_instead(None);
    stage.all_embedded();
    assert_eq!(stage.found(&stage.ann, "cat").len(), 1);
    // One text that is refused among others.
    stage.add(&stage.ann, "Another cat is on the roof of the house, in the rain. This sentence is poison for the endpoint of the test. A third cat stays at home, near the stove.", json!({}));
    stage.until("all others are embedded", "s.waiting = 0 AND s.failed = 1 AND s.embedded = 3 AND s.problem LIKE '%refused the text with status 400'");
    assert_eq!(stage.found(&stage.ann, "cat").len(), 3);
    // The endpoint's model makes other vectors than it should.
    stage.set("mcp.embedding_dimensions = 5");
    stage.until(
        "the reason is told",
        "s.problem LIKE 'the model makes vectors of 3 dimensions, and 5 are expected%'",
    );
    assert_eq!(stage.found(&stage.ann, "cat").len(), 3, "the old vectors serve");
    stage.set("mcp.embedding_dimensions = 3");
    stage.until("it is as it was", "s.next_model IS NULL AND s.embedded = 3");
}

/// Proves that another model takes over when all vectors of it are there, that searches go on with the old one until then, and that what is added
/// meanwhile is not lost.
#[test]
fn another_model_takes_over_without_an_outage() {
    let stage = begin();
    stage.add(&stage.ann, "A cat sleeps in the sun.", json!({}));
    stage.all_embedded();
    stage.web.answer_instead(Some("503 Service Unavailable"));
    stage.set("mcp.embedding_model = 'wide'; mcp.embedding_dimensions = 4");
    stage.until(
        "the new vectors are wanted",
        "s.next_model = 'wide' AND s.next_embedded = 0 AND s.embedded = 1 AND s.problem LIKE '%503%'",
    );
    stage.web.answer_instead(None);
    // As long as one is missing, the old ones serve; then the new ones do. At no time is nothing found.
    let mut models = Vec::new();
    eventually(LONG, "the new model serves", || {
        assert_eq!(stage.found(&stage.ann, "cat").len(), 1);
        models.push(stage.value("SELECT embedding_model FROM ai.knowledge_bases"));
        (models.last().map(String::as_str) == Some("wide")).then_some(())
    });
    stage.all_embedded();
    assert_eq!(stage.value("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'ai.chunks_docs'::regclass AND attname = 'embedding'"), "vector(4)");
    stage.add(&stage.ann, "A cat on the roof.", json!({}));
    stage.all_embedded();
    assert_eq!(stage.found(&stage.ann, "cat").len(), 2);
    let asked = stage.web.requests().pop().expect("asked");
    assert!(asked.body.contains("\"wide\""), "{}", asked.body);
}
