//! What happens when something goes away, hangs, collides or ends: Postgres, a client, a key, the listener itself.

mod cancelled;
mod clients;
mod collisions;
mod ended_keys;
mod leftovers;
mod listeners;
mod replicas;
mod restarts;
mod slow;
mod stop;
mod streams;
mod subscriptions;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fluxbase_tests::{Client, Cluster, Database, Ended, Http, Key, Listener, TENANT_A, eventually, stage};
use serde_json::{Value, json};

/// How many statements of a listener run now, as Postgres sees it.
fn running(listener: &Listener) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'";
    stage().database.admin().query_one(sql, &[&listener.application()]).expect("counted").get(0)
}

/// How many of them sleep in one of the fixture's slow relations.
fn sleeping(listener: &Listener) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    stage().database.admin().query_one(sql, &[&listener.application()]).expect("counted").get(0)
}

fn start(environment: &[(&str, &str)]) -> Listener {
    Listener::start(&stage().cluster, &stage().database.listener_url, environment)
}

fn slow(seconds: u32) -> Value {
    json!({ "name": "query_table", "arguments": { "table": "slow", "filter": { "id": seconds } } })
}

fn wait_for_sleepers(listener: &Listener, count: i64) {
    eventually(Duration::from_secs(10), "the slow statement runs", || {
        (sleeping(listener) == count).then_some(())
    });
}
