//! What processes and tables hold at one moment.

use std::collections::BTreeMap;
use std::fs;

use fluxbase_tests::cluster::{Cluster, connect};
use fluxbase_tests::fixture::Database;
use fluxbase_tests::listener::Listener;

/// Names of what is sampled, in the order of the report, with the unit.
pub const MEMORY: [&str; 7] = [
    "listener",
    "largest backend of the listener",
    "delegate worker",
    "coordinator of jobs",
    "largest executor of jobs",
    "launcher of jobs",
    "writer of the audit",
];

/// Tables of ours that calls write to, and the size of what upkeep keeps small.
const ROWS: &str = "
    SELECT 'rows of functions.edge_executions', count(*)::float8 FROM functions.edge_executions UNION ALL
    SELECT 'rows of jobs.queue', count(*) FROM jobs.queue UNION ALL
    SELECT 'rows of jobs.logs', count(*) FROM jobs.logs UNION ALL
    SELECT 'rows of jobs.workers', count(*) FROM jobs.workers UNION ALL
    SELECT 'rows of storage.objects', count(*) FROM storage.objects UNION ALL
    SELECT 'size of these tables with their indexes, MB',
           sum(pg_total_relation_size(c.oid)) / 1048576.0
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname IN ('functions', 'jobs', 'storage', 'mcp') UNION ALL
    SELECT 'rows of mcp.audit_log', count(*) FROM mcp.audit_log UNION ALL
    SELECT 'audit: bytes for each row', sum(pg_total_relation_size(p.relid)) / greatest((SELECT count(*) FROM mcp.audit_log), 1)
      FROM pg_partition_tree('mcp.audit_log') AS p WHERE p.isleaf UNION ALL
    SELECT 'records of the audit that wait', waiting FROM mcp.audit_status() UNION ALL
    SELECT 'records of the audit that were lost', lost FROM mcp.audit_status() UNION ALL
    SELECT 'pending calls in the delegate worker', pending FROM mcp.worker_status() UNION ALL
    SELECT 'bytes in flight in the delegate worker', bytes FROM mcp.worker_status() UNION ALL
    SELECT 'connections of the listener', count(*) FROM pg_stat_activity WHERE usename = 'fluxbase_listener'";

/// The server.
pub struct Stage {
    pub listener: Listener,
    pub cluster: Cluster,
    pub database: Database,
}

/// Megabytes of anonymous memory, descriptors, rows, by name.
pub type Sample = BTreeMap<String, f64>;

impl Stage {
    /// Takes one.
    pub fn sample(&self) -> Sample {
        let mut sample = Sample::new();
        let mut keep_largest = |name: &str, value: f64| {
            let known = sample.entry(name.to_owned()).or_insert(value);
            *known = known.max(value);
        };
        let mut one = |group: &str, pid: u32| {
            if let Some(memory) = memory(pid) {
                keep_largest(&format!("memory: {group}"), memory);
            }
            if let Ok(all) = fs::read_dir(format!("/proc/{pid}/fd")) {
                keep_largest(&format!("descriptors: {group}"), all.count() as f64);
            }
        };
        one(MEMORY[0], self.listener.pid());
        for pid in children(self.cluster.pid()) {
            let title = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let group = if title.contains("fluxbase_listener") {
                MEMORY[1]
            } else if title.contains("fluxbase_mcp audit") {
                MEMORY[6]
            } else if title.contains("fluxbase_mcp delegate") {
                MEMORY[2]
            } else if title.contains("fluxbase_mcp jobs launcher") {
                MEMORY[5]
            } else if title.contains("fluxbase_mcp jobs") {
                MEMORY[3]
            } else if title.contains("fluxbase_mcp job") {
                MEMORY[4]
            } else {
                continue;
            };
            one(group, pid);
        }
        let mut admin = connect(&self.database.admin_url).expect("the superuser may log in");
        for row in admin.query(ROWS, &[]).expect("the tables can be counted") {
            sample.insert(row.get(0), row.get(1));
        }
        sample
    }
}

/// Megabytes of memory that is a process's own.
fn memory(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("there is /proc").flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        of.is_some_and(|of| of == parent.to_string())
    })
    .collect()
}
