//! How the delegate worker is, for `/metrics`: asked now and then over a connection of its own, so that no scrape waits for Postgres.
//!
//! What it does not know is left out: the numbers while the worker is down, everything while Postgres is away or the listener's role may not ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::database::Target;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(10);
/// Time for the answer: a worker that has just ended is waited for a few seconds in Postgres.
const WITHIN: Duration = Duration::from_secs(8);
const ASK: &str = "SELECT concat_ws(' ', (w.state = 'running')::int, w.calls, w.max_calls, w.pending, w.max_pending, w.bytes, w.max_bytes, \
                   w.begun, w.failed, w.refused) FROM mcp.worker_status() AS w WHERE w.state <> 'not preloaded'";

const GAUGES: [(&str, &str); 7] = [
    ("worker_up", "Whether the delegate worker answers"),
    ("worker_calls", "Calls that it has in flight"),
    ("worker_calls_limit", "Most of them"),
    ("worker_pending", "Calls for callers over HTTP that are in flight or wait to be collected"),
    ("worker_pending_limit", "Most of them"),
    ("worker_body_bytes", "Memory for the bodies of calls"),
    ("worker_body_bytes_limit", "Most of it"),
];
const COUNTERS: [(&str, &str); 3] = [
    ("worker_calls_begun", "Calls that were begun since the worker began"),
    ("worker_calls_failed", "Of these, those that ended without a reply"),
    ("worker_calls_refused", "Calls that were not begun: not allowed, or too many"),
];

/// What was answered last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worker(Arc<Mutex<Vec<i64>>>);

impl Worker {
    fn set(&self, told: &str) {
        let numbers = told.split(' ').map_while(|number| number.parse().ok()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
    }

    /// Asks for ever.
    pub(crate) async fn watch(self, target: Arc<Target>) {
        let mut connection = None;
        loop {
            let asked = async {
                let connection = match &mut connection {
                    Some(connection) => connection,
                    None => connection.insert(Connection::open(&target).await.ok()?),
                };
                connection.single(ASK).await.ok()
            };
            let told = timeout(WITHIN, asked).await.ok().flatten();
            self.set(told.as_deref().unwrap_or_default());
            if told.is_none() {
                connection = None;
            }
            sleep(EVERY).await;
        }
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((name, help), &value) in GAUGES.into_iter().zip(&numbers) {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for ((name, help), &value) in COUNTERS.into_iter().zip(numbers.iter().skip(GAUGES.len())) {
            let counter = ConstCounter::new(u64::try_from(value).unwrap_or(0));
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}
