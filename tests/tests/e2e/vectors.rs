//! Searching by vectors over HTTP: text becomes a vector outside of every transaction, and the key of the endpoint shows nowhere.

use std::time::Duration;

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::keys::Key;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::mcp::Era;
use fluxbase_tests::web::Web;
use serde_json::{Value, json};

const SECRET: &str = "sk-embedding-7f3a91";

struct Stage {
    web: Web,
    listener: Listener,
    key: Key,
    database: Database,
    _cluster: Cluster,
}

fn begin() -> Stage {
    let web = Web::start();
    let cluster = Cluster::start(&format!(
        "mcp.embedding_url = '{}'\nmcp.embedding_model = 'tiny'\nmcp.embedding_key_file = 'embedding.key'",
        web.url()
    ));
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    // Beside the configuration: the server's own directory.
    admin
        .batch_execute(&format!("COPY (SELECT '{SECRET}') TO PROGRAM 'cat > embedding.key'"))
        .expect("the key can be written");
    admin
        .batch_execute(
            "CREATE EXTENSION vector;
             CREATE TABLE docs (id int PRIMARY KEY, owner text NOT NULL, content text NOT NULL, embedding vector(3));
             INSERT INTO docs VALUES (1, 'ann', 'cats sleep', '[1,0,0.2]'), (2, 'ann', 'dogs bark', '[0,1,0.2]'), (3, 'ben', 'cats of Ben', '[1,0,0.25]');
             ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON docs USING (owner = mcp.claim('sub'));
             GRANT SELECT ON docs TO authenticated;
             SELECT mcp.install('{ai}');
             SELECT mcp.register_knowledge_base('docs', 'docs', 'content');",
        )
        .expect("the tables can be made");
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key =
        database.client_key(&["--name", "Ann", "--user", "ann", "--scopes", "read:vectors,read:tables"]);
    Stage { web, listener, key, database, _cluster: cluster }
}

impl Stage {
    fn value(&self, sql: &str) -> String {
        let row = self.database.admin().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }
}

fn about(query: &str) -> Value {
    json!({ "query": query })
}

/// Proves that a question in words finds the nearest rows of its asker in every era, that the endpoint was asked as OpenAI's is, and that a
/// text that a backend has asked for is not asked for again by it.
#[test]
fn words_find_the_nearest_rows() {
    let stage = begin();
    for era in [Era::Plain, Era::Legacy("2025-11-25"), Era::Modern] {
        let mut client = stage.listener.client(&stage.key).era(era);
        let found = client.call("search_vectors", about("where is the cat?")).value();
        assert_eq!(
            (&found["query"], &found["count"], &found["results"][0]["content"]),
            (&json!("where is the cat?"), &json!(1), &json!("cats sleep")),
            "{found}"
        );
        // Ben's row is nearer and stays unseen.
        assert!(!found.to_string().contains("Ben"), "{found}");
    }
    let asked = stage.web.requests();
    assert!((1..=3).contains(&asked.len()), "{asked:?}");
    let first = &asked[0];
    assert_eq!(first.line, "POST /v1/embeddings");
    assert_eq!(first.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
    assert_eq!(
        serde_json::from_str::<Value>(&first.body).expect("JSON"),
        json!({"model": "tiny", "input": ["where is the cat?"], "encoding_format": "float"})
    );
    let mut client = stage.listener.client(&stage.key);
    let near =
        json!({"table": "docs", "select": "id", "vector_search": {"query": "dog", "column": "embedding"}});
    assert_eq!(client.call("query_table", near).value()[0]["id"], json!(2));
    let both = json!({"query": "bark", "mode": "hybrid", "limit": 1});
    assert_eq!(client.call("search_vectors", both).value()["results"][0]["chunk_id"], json!(2));
    // In SQL the caller waits for the endpoint itself.
    let reply = stage.value(
        "SELECT mcp.handle('{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"search_vectors\",\"arguments\":{\"query\":\"cats\"}}}')::text",
    );
    assert!(reply.contains("cats of Ben"), "{reply}");
    // The second time it is remembered.
    let before = stage.web.requests().len();
    stage.value(
        "SELECT string_agg(mcp.handle('{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"search_vectors\",\"arguments\":{\"query\":\"twice\"}}}')::text, ' ')
           FROM generate_series(1, 3)",
    );
    assert_eq!(stage.web.requests().len(), before + 1);
}

/// Proves that no backend holds a snapshot while the endpoint takes its time, and that the caller's end ends the call.
#[test]
fn nothing_waits_in_a_transaction() {
    let stage = begin();
    std::thread::scope(|scope| {
        let mut client = stage.listener.client(&stage.key);
        let waiting = scope.spawn(move || client.call("search_vectors", about("hangs")));
        stage.web.until_open(1);
        eventually(Duration::from_secs(20), "no backend of the listener holds a snapshot or an id", || {
            let held = stage.value(
                "SELECT string_agg(query, ' | ') FROM pg_stat_activity WHERE usename = 'fluxbase_listener'
                    AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)",
            );
            held.is_empty().then_some(())
        });
        let mut other = stage.listener.client(&stage.key);
        let given = json!({"knowledge_bases": ["docs"], "embedding": [1, 0, 0]});
        assert_eq!(other.call("search_vectors", given).value()["results"][0]["chunk_id"], json!(1));
        // The worker's end is the call's end.
        stage
            .database
            .admin()
            .batch_execute("SELECT pg_terminate_backend(pid) FROM mcp.worker_status()")
            .expect("the worker ends");
        let error = waiting.join().expect("answered").error();
        assert!(error.contains("Nothing was searched."), "{error}");
    });
}

/// Proves what is said when the endpoint gives no vector, or none that fits; that what cannot fit is not asked for; and that the key is in no
/// answer and no setting that a caller may read.
#[test]
fn an_endpoint_that_does_not_fit_is_told() {
    let stage = begin();
    let mut client = stage.listener.client(&stage.key);
    for (text, said) in [
        ("broken", "the endpoint for vectors answered with status 503. Nothing was searched."),
        ("nonsense", "the endpoint for vectors answered with something else than vectors."),
        ("short", "embedding: has 2 dimensions, and public.docs.embedding is vector(3)."),
    ] {
        let arguments = json!({"knowledge_bases": ["docs"], "query": text});
        let error = client.call("search_vectors", arguments).error();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains(SECRET) && !error.contains("embedding.key"), "{error}");
    }
    let before = stage.web.requests().len();
    stage.database.admin().batch_execute("ALTER SYSTEM SET mcp.embedding_dimensions = 384").expect("set");
    stage.value("SELECT pg_reload_conf()::text");
    eventually(Duration::from_secs(20), "the setting holds", || {
        let error = client.call("search_vectors", about("bird")).text();
        error
            .contains("makes vectors of 384 dimensions (mcp.embedding_dimensions), and docs.embedding has 3")
            .then_some(())
    });
    assert!(stage.web.requests().len() <= before + 3, "calls that cannot fit are not made");
    let settings = stage.value(
        "SELECT string_agg(name, ' ' ORDER BY name) FROM (SELECT set_config('role', 'authenticated', false)) AS r, pg_settings WHERE name LIKE 'mcp.embedding%'",
    );
    assert!(!settings.contains("key_file"), "{settings}");
}
