//! The harness of the client-side tests: a private Postgres with the extension, a real listener, real keys.
//!
//! Most tests share one server ([`stage`]); tests that stop something start their own. Whatever happens, nothing is left
//! running: see [`watchdog`]. What each test proves is said where it stands, in `tests/e2e`.

pub mod cluster;
pub mod fixture;
pub mod http;
pub mod keys;
pub mod listener;
pub mod mcp;
pub mod random;
pub mod runtime;
pub mod settings;
pub mod stdio;
pub mod watchdog;
pub mod web;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use cluster::Cluster;
pub use fixture::{Database, TENANT_A, TENANT_B};
pub use http::{Http, Response};
pub use keys::Key;
pub use listener::Listener;
pub use mcp::{Client, Era};
pub use runtime::Runtime;
pub use stdio::Stdio;

/// Says, when it is dropped, that loops in other threads may end. A scope waits for them also when its test fails.
#[derive(Debug)]
pub struct Ended<'a>(pub &'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The server that most tests share.
#[derive(Debug)]
pub struct Stage {
    /// Its Postgres.
    pub cluster: Cluster,
    /// The database with the fixture.
    pub database: Database,
    /// The listener.
    pub listener: Listener,
    /// A client key of tenant A: tables and schema, reading and writing.
    pub a: Key,
    /// The same for tenant B.
    pub b: Key,
    /// A service key.
    pub service: Key,
}

/// The shared server, started by whoever comes first.
///
/// # Panics
/// When it does not start; each caller gets the same reason.
pub fn stage() -> &'static Stage {
    static STAGE: OnceLock<Result<Stage, String>> = OnceLock::new();
    let made = STAGE.get_or_init(|| {
        catch_unwind(AssertUnwindSafe(Stage::start)).map_err(|panic| {
            panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default()
        })
    });
    made.as_ref().unwrap_or_else(|reason| panic!("the shared server did not start: {reason}"))
}

impl Stage {
    /// A server of one's own.
    pub fn start() -> Stage {
        let cluster = Cluster::start("");
        let database = Database::create(&cluster, "app");
        let listener = Listener::start(&cluster, &database.listener_url, &[]);
        let (a, b) = (database.tenant_key("Tenant A", TENANT_A), database.tenant_key("Tenant B", TENANT_B));
        let service = database.service_key("Service");
        Stage { cluster, database, listener, a, b, service }
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// After `within`, with `what` did not happen.
pub fn eventually<T>(within: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < within, "it did not happen within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}
