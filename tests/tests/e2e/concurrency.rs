//! Many clients at once, on few backends.

use fluxbase_tests::random::Random;
use fluxbase_tests::{Era, Key, Listener, TENANT_A, stage};
use serde_json::json;

const CLIENTS: usize = 50;
const TENANTS: usize = 20;
const REQUESTS: usize = 40;

fn tenant(number: usize) -> String {
    format!("00000000-0000-4000-8000-0000000001{number:02}")
}

/// Proves that no answer ever carries a row of another tenant, or another request's id: fifty kept connections of twenty
/// tenants in every era, reading and writing over four backends, where each row names its tenant.
#[test]
fn no_answer_carries_another_tenants_row() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_LISTENER_POOL_SIZE", "4")],
    );
    let keys: Vec<Key> = (0..TENANTS)
        .map(|number| stage.database.tenant_key(&format!("crowd {number}"), &tenant(number)))
        .collect();
    let rows: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (listener, key, own) = (&listener, &keys[number % TENANTS], tenant(number % TENANTS));
                scope.spawn(move || {
                    let eras = [Era::Plain, Era::Legacy("2025-06-18"), Era::Modern, Era::Legacy("2024-11-05")];
                    let mut client = listener.client(key).era(eras[number % eras.len()]);
                    let mut random = Random::new(number as u64);
                    let mut seen = 0;
                    for n in 1..=REQUESTS {
                        let answer = match random.below(4) {
                            0 => client.call("update_record", json!({ "table": "ledger", "filter": { "amount": { "gte": 0 } }, "data": { "amount": n } })),
                            1 => client.call("query_table", json!({ "table": "ledger", "filter": { "id": { "gt": random.below(1000) } }, "order": "id" })),
                            2 => client.call("query_table", json!({ "table": "ledger", "filter": { "tenant": { "eq": tenant(random.below(TENANTS)) } } })),
                            _ => client.call("query_table", json!({ "table": "ledger" })),
                        };
                        assert_eq!(answer.response.json()["id"], json!(n), "the answer to another request");
                        let value = answer.value();
                        let rows = value.as_array().or(value["records"].as_array()).expect("rows");
                        for row in rows {
                            assert_eq!(row["tenant"], json!(own), "client {number} got a row of another tenant");
                        }
                        seen += rows.len();
                    }
                    seen
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert!(rows > CLIENTS * REQUESTS * 5, "there were rows to mix up: {rows}");
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let backends: i64 =
        stage.database.admin().query_one(sql, &[&listener.application()]).expect("counted").get(0);
    assert!(backends <= 7, "4 for calls, 2 reserved, 1 for health: {backends}");
}

/// Proves that tenants and a service that alternate on one single backend never see through one another's eyes: not by a kept
/// plan, a cached identity or a left-over claim.
#[test]
fn roles_alternate_on_one_backend() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")],
    );
    let [one, two] =
        [3, 4].map(|number| stage.database.tenant_key(&format!("alternating {number}"), &tenant(number)));
    let nobody = stage.database.client_key(&["--name", "no user", "--scopes", "read:tables"]);
    let mut clients = [(&one, 50), (&stage.service, 1000), (&two, 50), (&nobody, 0)]
        .map(|(key, rows)| (listener.client(key), rows));
    for _ in 0..15 {
        for (client, rows) in &mut clients {
            assert_eq!(client.rows(json!({ "table": "ledger", "select": "id", "limit": 1000 })).len(), *rows);
        }
    }
    let denied = clients[0].0.call("query_table", json!({ "table": "payroll" })).error();
    assert!(denied.contains("unknown table"), "{denied}");
}

/// Proves that requests with the same id on different connections each get their own answer.
#[test]
fn equal_ids_do_not_meet() {
    let stage = stage();
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                for _ in 0..10 {
                    let mut client = stage.listener.client(if number % 2 == 0 { &stage.a } else { &stage.b });
                    let rows = client.rows(json!({ "table": "notes", "select": "user_id", "filter": { "title": { "like": "first note%" } } }));
                    let own = if number % 2 == 0 { TENANT_A } else { fluxbase_tests::TENANT_B };
                    assert_eq!(rows, [json!({ "user_id": own })]);
                }
            });
        }
    });
}
