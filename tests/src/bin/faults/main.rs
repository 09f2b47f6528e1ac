//! `make faults`: clients write through HTTP while processes are killed, the server is restarted, the disk of stored files is full and the runtime
//! of functions hangs; then what is there is compared with what each client was told, which was noted outside of the database.
//!
//! What must hold: nothing acknowledged is lost; nothing is done twice; who was told that nothing was done was told the truth; every kind of write is
//! served again by itself within a stated time; and every answer says which of these it is.
//!
//! `FAULTS_ROUNDS` (3): how often each fault. `FAULTS_REPORT`: the file of the report. The last line is `faults: N passed, M failed`.

mod clients;
mod report;
mod strikes;
mod verdict;

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::{Database, TENANT_A};
use fluxbase_tests::keys::Key;
use fluxbase_tests::load::Counting;

use clients::{KINDS, Kind, Ledger};
use strikes::{Disk, STRIKES, Stage, Strike};

/// Of the file system for stored files.
const DISK_MEGABYTES: u32 = 384;

/// Between two faults.
const PAUSE: Duration = Duration::from_secs(3);

const TABLES: &str = "
    -- One that the fixture makes to be hidden.
    DROP SCHEMA IF EXISTS storage CASCADE;
    SELECT mcp.install('{storage,functions,jobs}');
    CREATE TABLE public.unique_rows (n int8 PRIMARY KEY);
    CREATE TABLE public.plain_rows (n int8 NOT NULL);
    CREATE TABLE public.pairs (n int8 NOT NULL, side text NOT NULL);
    CREATE TABLE public.effects (n int8 NOT NULL);
    GRANT SELECT, INSERT ON public.unique_rows, public.plain_rows, public.pairs, public.effects TO authenticated;
    CREATE FUNCTION public.effect(payload jsonb) RETURNS void LANGUAGE sql
        AS 'INSERT INTO public.effects (n) VALUES ((payload->>''n'')::int8)';
    SELECT mcp.register_job('effect', 'public.effect(jsonb)', max_retries => 50, backoff_base_seconds => 0.2, backoff_max_seconds => 2,
                            keep_rows => 1000000);
    INSERT INTO storage.buckets (id, name, roles) VALUES ('uploads', 'uploads', '{authenticated}') ON CONFLICT DO NOTHING;
    INSERT INTO functions.edge_functions (name, timeout_seconds) VALUES ('counted', 3);
";

fn begin() -> (Stage, Key) {
    let runtime = Counting::start();
    // As it is delivered, what is acknowledged has been flushed. The log is not what is tested.
    let cluster = Cluster::start(&format!(
        "fsync = on\nfull_page_writes = on\nlog_statement = none\nlog_min_duration_statement = -1\nmax_worker_processes = 16\n\
         max_connections = 60\nmcp.functions_url = '{}'",
        runtime.url()
    ));
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    admin.batch_execute(TABLES).expect("the tables can be made");
    let disk = Disk::mount(cluster.folder(), DISK_MEGABYTES);
    if let Some(disk) = &disk {
        let url = format!("ALTER SYSTEM SET mcp.storage_url = 'file://{}'", disk.path.display());
        admin.batch_execute(&url).expect("set");
        admin.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = free.local_addr().expect("it is bound").to_string();
    drop(free);
    let key = database.client_key(&[
        "--name",
        "writer",
        "--user",
        TENANT_A,
        "--scopes",
        "read:tables,write:tables,read:storage,write:storage,execute:jobs,execute:functions",
    ]);
    let mut stage = Stage { listener: None, disk, cluster, database, address, runtime };
    stage.listen();
    let place = stage.disk.as_ref().map_or("mcp_storage", |_| "/disk");
    eventually(Duration::from_secs(60), "files can be stored", || {
        stage
            .value(
                "SELECT coalesce(max(storage), '') FROM mcp.worker_status() WHERE storage_error IS NULL AND state = 'running'",
            )
            .contains(place)
            .then_some(())
    });
    (stage, key)
}

fn main() -> ExitCode {
    let rounds: usize = std::env::var("FAULTS_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let begun = Instant::now();
    let (mut stage, key) = begin();
    let ledger = Ledger::new(&stage.cluster.folder().join("ledger"));
    let stop = AtomicBool::new(false);
    let server = stage.address.parse().expect("an address");
    let mut struck = Vec::new();
    std::thread::scope(|scope| {
        for kind in KINDS {
            let clients = if matches!(kind, Kind::Function | Kind::Plain) { 2 } else { 1 };
            for _ in 0..clients {
                let (ledger, key, stop) = (&ledger, &key, &stop);
                scope.spawn(move || clients::run(kind, server, key, ledger, stop));
            }
        }
        // However it ends, the clients end.
        let _stop = Stop(&stop);
        eventually(Duration::from_secs(120), "each kind of write is done", || {
            KINDS.iter().all(|&kind| ledger.done(kind) > 3).then_some(())
        });
        for round in 1..=rounds {
            for strike in STRIKES {
                if strike == Strike::Disk && stage.disk.is_none() {
                    continue;
                }
                std::thread::sleep(PAUSE);
                let one = stage.strike(strike, &ledger);
                println!("{round}: {}: {}", strike.name(), report::times(&one));
                struck.push(one);
            }
        }
        std::thread::sleep(PAUSE);
    });
    let writing = begun.elapsed();
    let drained = drain(&stage);
    let counts = verdict::judge(&stage, &ledger, &key);
    let store = verdict::orphans(&stage);
    let log = stage.cluster.log();
    let panics = log.matches("panicked").count();
    let running =
        stage.value("SELECT count(*)::text FROM functions.edge_executions WHERE status = 'running'");
    let found = report::Found {
        rounds,
        writing,
        drained,
        struck,
        counts,
        store,
        panics,
        running,
        disk: stage.disk.is_some(),
    };
    let (text, passed, failed) = report::write(&found, &ledger);
    println!("{text}");
    if let Ok(path) = std::env::var("FAULTS_REPORT") {
        std::fs::write(&path, &text).expect("the report can be written");
    }
    println!("faults: {passed} passed, {failed} failed");
    if failed == 0 {
        return ExitCode::SUCCESS;
    }
    // For whoever looks into it.
    let kept = std::env::temp_dir().join("fluxbase-faults");
    let _ = std::fs::create_dir_all(&kept);
    for name in ["ledger", "server.log"] {
        let _ = std::fs::copy(stage.cluster.folder().join(name), kept.join(name));
    }
    println!("ledger and log are in {}", kept.display());
    ExitCode::FAILURE
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until no job is left to be done; how long that took.
fn drain(stage: &Stage) -> Duration {
    let begun = Instant::now();
    eventually(Duration::from_secs(300), "all jobs are done", || {
        let left = "SELECT count(*)::text FROM jobs.queue WHERE status IN ('pending', 'running')";
        (stage.value(left) == "0").then_some(())
    });
    begun.elapsed()
}
