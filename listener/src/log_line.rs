//! The line that each request leaves in the log, and its count in `/metrics`: however it ends.
//!
//! It holds nothing of a message but its method, and of a key but its public id. The form of the line is `logging`'s.

use std::time::Instant;

use tracing::Level;

use crate::logging::Access;
use crate::metrics::Measure;

/// The log line of one request, written when it is dropped: also for a client that went away.
pub(crate) struct LogLine {
    /// The word that joins answer and log.
    pub(crate) id: String,
    /// The method, or another word for what was asked.
    pub(crate) label: &'static str,
    /// The key's public id.
    pub(crate) key: Option<String>,
    /// `None` until there is an answer.
    pub(crate) status: Option<u16>,
    start: Instant,
    /// A health check, which would fill the log.
    pub(crate) quiet: bool,
    enabled: bool,
    /// What is counted of it; taken when the request becomes a call, which may last longer than this.
    pub(crate) measure: Option<Measure>,
}

impl LogLine {
    pub(crate) fn new(id: String, enabled: bool) -> LogLine {
        let start = Instant::now();
        LogLine { id, label: "-", key: None, status: None, start, quiet: false, enabled, measure: None }
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        if let Some(measure) = &mut self.measure {
            measure.method = self.label;
            measure.ended(self.status.unwrap_or(0));
        }
        if !self.enabled {
            return;
        }
        // 499, as nginx has it: the client closed the connection before there was an answer.
        let line = Access {
            request: &self.id,
            method: self.label,
            status: self.status.unwrap_or(499),
            took: self.start.elapsed(),
            key: self.key.as_deref().unwrap_or("-"),
        };
        line.log(if self.quiet { Level::DEBUG } else { Level::INFO });
    }
}
